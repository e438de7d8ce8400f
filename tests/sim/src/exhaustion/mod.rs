//! Each verb with memory for its first k allocations and no more, for every k until it succeeds, and with allocation k
//! alone refused.
//!
//! Random runs meet exhaustion often but not everywhere. Here a verb stands in a small scene of its own, and how many
//! frames and allocations of the heap it takes is stated: one more than before is a finding, whether or not it leaks, and
//! so is one less.
mod ops;
mod scenes;

pub use scenes::scenes;

use crate::broken::{Broken, Sound, demand};
use crate::files::{File, Store};
use crate::kernel::End;
use crate::op::{Extent, Failing, Op, Rights, Step};
use crate::oracle::{Overcommit, Refusal, Rules};
use crate::plan::{Config, Exhaustion};
use crate::world::{Answer, World};
use ops::{ANONYMOUS, FAR, map, map_at, on, pages, read, write};

/// A verb in its scene.
pub struct Scene {
    /// What runs out.
    pub name: &'static str,
    /// What happened until then.
    before: Vec<Op>,
    /// What runs out of memory.
    verb: Op,
    /// What the verb takes.
    cost: Cost,
}

/// How much memory a verb takes.
#[derive(Clone, Copy)]
struct Cost {
    /// Frames, beside those of tables that follow.
    frames: usize,
    /// How often it makes all tables below the top one: three, or four where there are 5 levels.
    roads: usize,
    /// Allocations of the heap, when there is no room for one area more.
    heap: u64,
}

impl Cost {
    const NONE: Self = Self::frames(0);

    const fn frames(frames: usize) -> Self {
        Self {
            frames,
            roads: 0,
            heap: 0,
        }
    }

    /// The same, and the tables between the top one and a page.
    const fn and_a_road(self) -> Self {
        Self { roads: 1, ..self }
    }

    const fn and_heap(self, heap: u64) -> Self {
        Self { heap, ..self }
    }

    fn frames_with(self, levels: u32) -> usize {
        self.frames + self.roads * (levels as usize - 1)
    }
}

/// What a verb came to.
struct Course {
    answer: Answer,
    /// Whether the single frame that it was not to get was one of those that it asked for.
    was_refused: bool,
}

fn lacks_memory(answer: Answer) -> bool {
    matches!(
        answer,
        Answer::End(End::NoMemory(_)) | Answer::Refused(Refusal::ENOMEM)
    )
}

/// Areas that a space has room for at once.
const ROW: usize = 16;

/// Many areas, each of which finds no heap at first. Returns how many calls failed for that.
pub fn areas_without_heap() -> Sound<usize> {
    let mut world = World::new(&config(4));
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
        step(Op::FailHeap(Failing::From(0)))?;
        if step(op.clone())? == Answer::HeapFailed {
            failed += 1;
            step(op)?;
        }
    }
    world.finish()?;
    Ok(failed)
}

impl Scene {
    /// Leaves the verb k frames, for every k until it succeeds.
    pub fn starve_of_frames(&self) -> Sound {
        for levels in [4, 5] {
            let needed = self.cost.frames_with(levels);
            for frames in 0..=needed {
                let answer = self.play(levels, Op::LeaveFree(frames))?.answer;
                let name = self.name;
                demand!(
                    lacks_memory(answer) == (frames < needed),
                    "{name} with {frames} frames, {levels} levels: {answer}"
                );
            }
        }
        Ok(())
    }

    /// Refuses the verb frame number k alone, for every k until it takes no more. What it can do without comes last.
    pub fn refuse_single_frames(&self) -> Sound {
        for levels in [4, 5] {
            let needed = self.cost.frames_with(levels);
            for number in 0.. {
                let course = self.play(levels, Op::RefuseFrame(number))?;
                let (name, answer) = (self.name, course.answer);
                demand!(
                    lacks_memory(answer) == ((number as usize) < needed),
                    "{name} without frame {number}, {levels} levels: {answer}"
                );
                if !course.was_refused {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Whether the verb asks the heap for anything.
    pub fn asks_the_heap(&self) -> bool {
        self.cost.heap > 0
    }

    /// Lets the verb's allocations fail: number k alone, then from number k on, for every k until none is left to fail.
    pub fn starve_of_heap(&self) -> Sound {
        for failing in [Failing::Only, Failing::From] {
            for number in 0..=self.cost.heap {
                let shortage = Op::FailHeap(failing(number));
                let answer = self.play(4, shortage.clone())?.answer;
                demand!(
                    (answer == Answer::HeapFailed) == (number < self.cost.heap),
                    "{}, {shortage}: {answer}",
                    self.name
                );
            }
        }
        Ok(())
    }

    /// The verb's answer after `shortage`; then memory is given back, and everything that is left is read.
    fn play(&self, levels: u32, shortage: Op) -> Sound<Course> {
        let mut world = World::new(&config(levels));
        let run = |world: &mut World, op: &Op| {
            let op = op.clone();
            world.step(&Step { cpu: 0, op })
        };
        self.prepare(&mut world)?;
        run(&mut world, &shortage)?;
        let answer = run(&mut world, &self.verb)?;
        let was_refused = !world.refuses();
        run(&mut world, &Op::Release)?;
        for page in 0..8 {
            run(&mut world, &read(FAR + page))?;
            run(&mut world, &on(1, write(FAR + page)))?;
        }
        world.sweep()?;
        world.finish().map_err(|Broken(words)| {
            Broken(format!(
                "{} after {shortage} = {answer}: {words}",
                self.name
            ))
        })?;
        Ok(Course {
            answer,
            was_refused,
        })
    }

    /// Does what happened before the verb, and fills the room for areas.
    fn prepare(&self, world: &mut World) -> Sound {
        let happen = |world: &mut World, op: &Op| {
            let op = op.clone();
            let answer = world.step(&Step {
                cpu: 0,
                op: op.clone(),
            })?;
            let is_good = matches!(
                answer,
                Answer::Done | Answer::Address(_) | Answer::End(End::Done(_))
            );
            demand!(is_good, "the scene of {} fails: {op} = {answer}", self.name);
            Ok(())
        };
        happen(world, &Op::Spawn(0))?;
        self.before.iter().try_for_each(|op| happen(world, op))?;
        fill(world, happen)
    }
}

/// Adds areas to process 0, far from all others, until there is no room for one more.
fn fill(world: &mut World, mut happen: impl FnMut(&mut World, &Op) -> Sound) -> Sound {
    const ISLANDS: u64 = 0x5_0000_0000;
    let count = |world: &World| world.areas(0).map_or(0, |(areas, _)| areas.len());
    let island = |number: u64, count| map_at(ISLANDS + 4 * number, count, ANONYMOUS);
    happen(world, &island(0, 3))?;
    let mut number = 1;
    // mmap makes room for three, so that the last two come of a cut.
    while count(world) % ROW != ROW - 2 {
        happen(world, &island(number, 1))?;
        number += 1;
    }
    let middle = pages(ISLANDS + 1, 1);
    happen(world, &Op::Protect(0, middle, Rights::R, Extent::Named))
}

/// Eight pages above the edge of a last-level table.
const STACK_TOP: u64 = 0x7_ffff_f008;

fn config(levels: u32) -> Config {
    Config {
        levels,
        cpus: 2,
        frames: 64,
        processes: 5,
        rules: Rules {
            mmap_base: 0x7_fff0_0000,
            bottom_up_base: 0x2_aaaa_0000,
            heap_start: 0x40_6000,
            data_size: 0,
            address_space: u64::MAX,
            data: u64::MAX,
            data_hard: u64::MAX,
            stack: 8 << 20,
            locked: u64::MAX,
            memory: 64,
            overcommit: Overcommit::Heuristic,
            overcommit_ratio: 50,
            files: [Store::Archive, Store::Memory]
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
