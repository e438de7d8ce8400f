//! Each verb with memory for its first k allocations and no more, for every k until it succeeds.
//!
//! Random runs meet exhaustion often but not everywhere. Here a verb stands in a small scene of its own, and how many
//! frames it takes is stated: one more than before is a finding, whether or not it leaks.
use crate::broken::{Broken, Sound, demand};
use crate::files::{File, Store};
use crate::kernel::End;
use crate::op::{
    Advice, Call, Disk, Extent, Growth, Kind, Lock, Op, Place, Populate, Reach, Remap, Request,
    Reserve, Rights, Sharing, Source, Span, Step, Touch, Way,
};
use crate::oracle::{Overcommit, Refusal, Rules};
use crate::plan::{Config, Exhaustion};
use crate::world::{Answer, World};

/// A verb in its scene.
pub struct Scene {
    /// What runs out.
    pub name: &'static str,
    /// What happened until then.
    before: Vec<Op>,
    /// What runs out of memory.
    verb: Op,
    /// How many frames the verb takes, with 4 levels.
    frames: usize,
}

const FORK: Op = Op::Fork {
    parent: 0,
    child: 1,
};

/// A page far from all others: its tables are its own up to the top level.
const FAR: u64 = 0x3_0000_0000;

/// All scenes.
pub fn scenes() -> Vec<Scene> {
    [
        faults_of_anonymous_memory(),
        faults_of_files(),
        calls(),
        processes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn faults_of_anonymous_memory() -> Vec<Scene> {
    let (area, full) = ([map(8, ANONYMOUS)], populated(8));
    let shown = [map(8, ANONYMOUS), read(FAR)];
    let family = [full.clone(), FORK];
    let orphan = [full, FORK, Op::Exit(1)];
    vec![
        // Tables of three levels below the top one, and the page.
        scene("first_write", &area, write(FAR), 4),
        // The zero page takes no frame.
        scene("first_read", &area, read(FAR), 3),
        scene("write_after_read", &shown, write(FAR), 1),
        scene("write_after_fork", &family, write(FAR + 1), 1),
        scene("write_after_exit", &orphan, write(FAR + 1), 0),
        scene(
            "write_below_the_stack",
            &[write(STACK_TOP - 1)],
            write(STACK_TOP - 5),
            1,
        ),
    ]
}

fn faults_of_files() -> Vec<Scene> {
    let area = [map(2, FILE)];
    let cached = [map(2, FILE), read(FAR)];
    let cached_by_another = [map(2, FILE), read(FAR), FORK];
    let shared = [map(2, SHARED)];
    let word = pages(0, 1);
    let written = [Op::WriteFile(1, word, 7)];
    let shared_by_another = [map(2, SHARED), FORK, on(1, write(FAR))];
    vec![
        // Three tables, the index's node, the page; and the copy.
        scene("file_read", &area, read(FAR), 5),
        scene("file_write", &area, write(FAR), 6),
        scene("shared_read", &shared, read(FAR), 5),
        scene("shared_write", &shared, write(FAR), 5),
        scene("shared_write_by_another", &shared_by_another, write(FAR), 3),
        // The index's node and the page.
        scene("file_write_by_call", &[], Op::WriteFile(1, word, 7), 2),
        scene(
            "file_write_by_call_again",
            &written,
            Op::WriteFile(1, word, 8),
            0,
        ),
        scene("file_read_by_call", &[], Op::ReadFile(1, word), 0),
        scene("cached_file_write", &cached, write(FAR), 1),
        // Entries of a file's pages are not copied: the child makes tables of its own.
        scene("cached_file_read", &cached_by_another, on(1, read(FAR)), 3),
    ]
}

fn calls() -> Vec<Scene> {
    let full = [populated(8)];
    let middle = pages(FAR + 2, 3);
    let protect = Op::Protect(0, middle, Rights::R, Extent::Named);
    let heap = [Op::Brk(0, 0x40_8000), write(0x407)];
    let across = Span {
        address: FAR * 4096 + 4090,
        length: 12,
    };
    vec![
        scene("mmap", &[], map(8, ANONYMOUS), 0),
        scene("mmap_over_pages", &full, map(3, ANONYMOUS), 0),
        // Prefaulting is a wish: the call succeeds without.
        scene("mmap_populate", &[], populated(8), 0),
        scene("munmap", &full, Op::Unmap(0, middle), 0),
        // Tables of three levels below the top one, at the new place.
        scene("mremap", &full, carry(8), 3),
        // Promises need none, wherever they are.
        scene("mremap_of_nothing", &[map(8, ANONYMOUS)], carry(8), 0),
        scene("mremap_by_half", &full, carry(4), 3),
        scene("madvise", &full, advise(middle, Advice::Random), 0),
        scene(
            "mlock",
            &full,
            Op::Call(0, Call::Lock(middle, Lock::Now)),
            0,
        ),
        scene("mprotect", &full, protect, 0),
        scene("brk", &[], Op::Brk(0, 0x40_8000), 0),
        scene("brk_back", &heap, Op::Brk(0, 0x40_7000), 0),
        scene(
            "write_by_the_kernel",
            &[map(8, ANONYMOUS)],
            Op::Poke(0, across, 1, Reach::Own),
            5,
        ),
    ]
}

fn processes() -> Vec<Scene> {
    vec![
        scene("exec", &[], Op::Exec(0), 1),
        // The child's top level, and three tables for the one neighbourhood that has pages.
        scene("fork", &[populated(8)], FORK, 4),
        // What is shared is found through the file: the child needs no tables.
        scene("fork_of_shared", &[map(8, SHARED), write(FAR)], FORK, 1),
        scene("fork_of_nothing", &[map(8, ANONYMOUS)], FORK, 1),
    ]
}

/// Many areas, each of which finds no heap at first. Returns how many calls failed for that.
pub fn areas_without_heap() -> Sound<usize> {
    let mut world = World::new(&config());
    let mut failed = 0;
    let mut step = |op: Op| world.step(&Step { cpu: 0, op });
    step(Op::Spawn(0))?;
    let hole = |number: u64| Op::Unmap(0, pages(FAR + 4 * number + 1, 2));
    let island = |number: u64| {
        let middle = pages(FAR + 4 * number, 1);
        Op::Protect(0, middle, Rights::RX, Extent::Named)
    };
    let ops = [map(400, ANONYMOUS)]
        .into_iter()
        .chain((0..100).map(hole))
        .chain((0..100).map(island));
    for op in ops {
        step(Op::FailHeap(0))?;
        if step(op.clone())? == Answer::HeapFailed {
            failed += 1;
            step(op)?;
        }
    }
    world.finish()?;
    Ok(failed)
}

fn scene(name: &'static str, before: &[Op], verb: Op, frames: usize) -> Scene {
    Scene {
        name,
        before: before.to_vec(),
        verb,
        frames,
    }
}

impl Scene {
    /// Leaves the verb k frames, for every k until it succeeds.
    pub fn starve_of_frames(&self) -> Sound {
        for frames in 0..=self.frames {
            let answer = self.play(Op::LeaveFree(frames))?;
            let has_failed = matches!(
                answer,
                Answer::End(End::NoMemory(_)) | Answer::Refused(Refusal::ENOMEM)
            );
            let name = self.name;
            demand!(
                has_failed == (frames < self.frames),
                "{name} with {frames} frames: {answer}"
            );
        }
        Ok(())
    }

    /// Lets the verb's allocations fail from number k on, for every k until none is left to fail.
    pub fn starve_of_heap(&self) -> Sound {
        let mut index = 0;
        while self.play(Op::FailHeap(index))? == Answer::HeapFailed {
            index += 1;
        }
        Ok(())
    }

    /// The verb's answer after `shortage`; then memory is given back, and everything that is left is read.
    fn play(&self, shortage: Op) -> Sound<Answer> {
        let mut world = World::new(&config());
        let mut step = |op: &Op| {
            let op = op.clone();
            world.step(&Step { cpu: 0, op })
        };
        step(&Op::Spawn(0))?;
        for op in &self.before {
            let answer = step(op)?;
            demand!(
                matches!(
                    answer,
                    Answer::Done | Answer::Address(_) | Answer::End(End::Done(_))
                ),
                "the scene of {} fails: {op} = {answer}",
                self.name
            );
        }
        step(&shortage)?;
        let answer = step(&self.verb)?;
        step(&Op::Release)?;
        for page in 0..8 {
            step(&read(FAR + page))?;
            step(&on(1, write(FAR + page)))?;
        }
        world.sweep()?;
        world.finish().map_err(|Broken(words)| {
            Broken(format!(
                "{} after {shortage} = {answer}: {words}",
                self.name
            ))
        })?;
        Ok(answer)
    }
}

const STACK_TOP: u64 = 0x7_ffff_f000;

fn config() -> Config {
    Config {
        levels: 4,
        cpus: 2,
        frames: 64,
        processes: 2,
        rules: Rules {
            mmap_base: 0x7_fff0_0000,
            bottom_up_base: 0x2_aaaa_0000,
            heap_start: 0x40_6000,
            data_size: 0,
            address_space: u64::MAX,
            data: u64::MAX,
            stack: 8 << 20,
            locked: u64::MAX,
            memory: 64,
            overcommit: Overcommit::Heuristic,
            files: [Store::Disk, Store::Memory]
                .map(|store| File {
                    size: 8 * 4096,
                    store,
                })
                .into(),
        },
        stack_top: STACK_TOP,
        exhaustion: Exhaustion::Waits,
    }
}

/// Moves `count` of the far pages, as far again.
fn carry(count: u64) -> Op {
    Op::Call(
        0,
        Call::Remap(Remap {
            old: pages(FAR, count),
            length: count * 4096,
            way: Way::Fixed,
            target: 2 * FAR * 4096,
        }),
    )
}

fn advise(span: Span, advice: Advice) -> Op {
    Op::Call(0, Call::Advise(span, advice))
}

fn pages(start: u64, count: u64) -> Span {
    Span {
        address: start * 4096,
        length: count * 4096,
    }
}

const ANONYMOUS: Request = Request {
    span: Span {
        address: FAR * 4096,
        length: 0,
    },
    place: Place::Fixed,
    rights: Rights::RW,
    growth: Growth::Fixed,
    reserve: Reserve::Not,
    sharing: Sharing::Private,
    source: Source::Zero,
    populate: Populate::Lazy,
};

const FILE: Request = Request {
    source: Source::File { file: 0, offset: 0 },
    ..ANONYMOUS
};

const SHARED: Request = Request {
    sharing: Sharing::Shared,
    source: Source::File { file: 1, offset: 0 },
    ..ANONYMOUS
};

/// `request` for `count` far pages.
fn map(count: u64, request: Request) -> Op {
    let span = pages(FAR, count);
    Op::Map(0, Request { span, ..request })
}

fn populated(count: u64) -> Op {
    let populate = Populate::Now;
    map(
        count,
        Request {
            populate,
            ..ANONYMOUS
        },
    )
}

fn read(page: u64) -> Op {
    touch(page, Kind::Read)
}

fn write(page: u64) -> Op {
    touch(page, Kind::Write(page))
}

fn touch(page: u64, kind: Kind) -> Op {
    let touch = Touch {
        address: page * 4096,
        kind,
        disk: Disk::Prompt,
    };
    Op::Touch(0, touch, None)
}

/// The same touch by another process.
fn on(pid: usize, op: Op) -> Op {
    match op {
        Op::Touch(_, touch, rival) => Op::Touch(pid, touch, rival),
        other => other,
    }
}
