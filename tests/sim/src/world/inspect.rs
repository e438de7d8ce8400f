//! After each step: `mm`'s own invariants, the areas against the oracle's, every TLB against the tables; now and then
//! every byte that is in memory.
use std::cell::Ref;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use mm::page_cache::CachedFile;
use mm::{AddressSpace, Backing, Page, VmFlags, Vma};

use super::{Process, World};
use crate::broken::{Broken, Sound, demand};
use crate::machine::SoftCpu;
use crate::op::{Advice, Growth, Lock, Nature, Pid, Reserve, Rights, Sharing, Source};
use crate::oracle::{Area, Kin, Notes, Promise, Stores};
use crate::tlb::Allowed;

/// Where the frame stands in an entry, seen by the processor or not.
const FRAME: u64 = 0x000f_ffff_ffff_f000;

/// The bit by which the processor sees an entry.
const PRESENT: u64 = 1;

impl World {
    /// Looks for contradictions that can be seen without reading the contents of memory.
    pub(super) fn inspect(&self) -> Sound {
        let spaces: Vec<Ref<AddressSpace>> = self.living().map(|p| p.space.borrow()).collect();
        let spaces: Vec<&AddressSpace> = spaces.iter().map(|space| &**space).collect();
        let files: Vec<&CachedFile> = self.files.iter().map(Arc::as_ref).collect();
        mm::check::check(&self.kernel.memory, &spaces, &files)?;
        for process in self.living() {
            inspect_areas(process)?;
        }
        self.inspect_reserved()?;
        let freed = self.kernel.machine().freed_too_early();
        demand!(
            freed.is_none(),
            "frame {freed:?} was freed while a CPU still led to it"
        );
        for (number, cpu) in self.kernel.machine().cpus().iter().enumerate() {
            self.inspect_tlb(&cpu.borrow()).map_err(|Broken(words)| {
                Broken(format!(
                    "cpu{number} remembers what is no longer so: {words}"
                ))
            })?;
        }
        Ok(())
    }

    /// What fallocate reserved is so as long as nobody comes for it, and a hole for that time.
    fn inspect_reserved(&self) -> Sound {
        let memory = &self.kernel.memory;
        let is_reserved = |file: usize, page| {
            let cached = &self.files[file];
            cached.is_reserved(memory, page) && !cached.is_ready(memory, page)
        };
        let early = self.contents.settle_reserved(is_reserved);
        demand!(
            early.is_none(),
            "(file, page) {early:?} was reserved, and nobody came for it, but it is no longer so"
        );
        Ok(())
    }

    /// Compares every page that a program could read without a fault, and every private one that was stored to, with what
    /// the oracle knows of it.
    pub fn sweep(&self) -> Sound {
        for process in self.living() {
            self.sweep_kernel_half(process.root())?;
            self.sweep_tables(process)?;
            for (page, entry) in self.kernel.mmu().leaves(process.root()) {
                let area = process.oracle.area_at(page);
                let area =
                    area.ok_or_else(|| Broken(format!("page {page:#x} is mapped, but no area")))?;
                demand!(
                    entry.allowed.within(allowed(area.rights)),
                    "page {page:#x} allows {:?}, its area {}",
                    entry.allowed,
                    area.rights
                );
                let is_dirty = entry.dirty || !process.oracle.must_keep(page);
                demand!(is_dirty, "page {page:#x} was stored to, but is clean");
                self.sweep_page(process, page, entry.frame)?;
            }
            self.sweep_stored(process)?;
        }
        self.sweep_disk()
    }

    /// What was stored in private pages is there, also where no program may look.
    fn sweep_stored(&self, process: &Process) -> Sound {
        let space = process.space.borrow();
        for page in process.oracle.written_pages() {
            if !process.oracle.must_keep(page) {
                continue;
            }
            let entry = space.table().entry(&self.kernel.memory, Page::new(page));
            let bits = entry.map_or(0, |entry| entry.load(Relaxed));
            demand!(bits != 0, "page {page:#x} was stored to, but is nowhere");
            // The others were seen as leaves.
            if bits & PRESENT == 0 {
                self.sweep_page(process, page, (bits & FRAME) >> 12)?;
            }
        }
        Ok(())
    }

    fn sweep_page(&self, process: &Process, page: u64, frame: u64) -> Sound {
        for (index, expected) in process.oracle.page(page).into_iter().enumerate() {
            let word = self.kernel.machine().load(frame, index);
            demand!(
                word == Some(expected),
                "word {index} of page {page:#x} (frame {frame}) is {word:x?}, the oracle says {expected:#x}"
            );
        }
        Ok(())
    }

    /// A table that serves no area should have gone with the last one that it served.
    fn sweep_tables(&self, process: &Process) -> Sound {
        for pages in self.kernel.mmu().tables(process.root()) {
            let serves = |area: &Area| area.start < pages.end && pages.start < area.end;
            demand!(
                process.oracle.areas().iter().any(serves),
                "there is a table for pages {pages:#x?}, but no area"
            );
        }
        Ok(())
    }

    fn sweep_kernel_half(&self, root: u64) -> Sound {
        let Some(kernel) = self.kernel.memory.kernel_half() else {
            return Ok(());
        };
        let machine = self.kernel.machine();
        for index in 256..512 {
            let entries = [root, kernel.number().into()].map(|table| machine.load(table, index));
            demand!(
                entries[0] == entries[1],
                "entry {index} of the top-level table {root} is not the kernel's"
            );
        }
        Ok(())
    }

    /// The areas of `pid`, as `mm` and as the oracle has them.
    pub fn areas(&self, pid: Pid) -> Option<(Vec<Area>, Vec<Area>)> {
        let place = (*self.processes.get(pid)?)?;
        let process = self.spaces[place].as_ref()?;
        // A panic may have left the space locked.
        let space = process.space.try_borrow().ok()?;
        let areas = space.areas().iter().map(area).collect();
        Some((areas, process.oracle.areas().to_vec()))
    }

    fn living(&self) -> impl Iterator<Item = &Process> {
        self.spaces.iter().flatten()
    }

    /// Whatever a CPU would use without a walk must be what a walk would find, or less.
    fn inspect_tlb(&self, cpu: &SoftCpu) -> Sound {
        let mmu = self.kernel.mmu();
        for (root, page, entry) in cpu.tlb.entries() {
            demand!(!entry.global, "page {page:#x} as one of every space");
            let walk = mmu.walk(root, page);
            let walk = walk.map_err(|miss| {
                Broken(format!(
                    "page {page:#x} in frame {}, now {miss:?}",
                    entry.frame
                ))
            })?;
            let is_true = entry.frame == walk.entry.frame
                && entry.allowed.within(walk.entry.allowed)
                && (walk.entry.dirty || !entry.dirty);
            demand!(is_true, "page {page:#x} as {entry:?}, now {:?}", walk.entry);
        }
        for (root, page, table) in cpu.tlb.tables() {
            let now = mmu.last_table(root, page);
            let is_true = now
                .is_some_and(|now| now.frame == table.frame && table.allowed.within(now.allowed));
            demand!(
                is_true,
                "the table of page {page:#x} as {table:?}, now {now:?}"
            );
        }
        Ok(())
    }
}

fn inspect_areas(process: &Process) -> Sound {
    let space = process.space.borrow();
    let mut expected = process.oracle.areas().iter();
    for got in space.areas().iter().map(area) {
        let expected = expected.next().copied().map(comparable);
        let expected = expected.as_ref();
        let is_right = expected == Some(&got);
        demand!(
            is_right,
            "there is {got}, the oracle says {}",
            or_none(expected)
        );
    }
    let lost = expected.next();
    demand!(lost.is_none(), "there is nothing at {}", or_none(lost));
    let (pages, wanted) = (space.mapped_pages(), process.oracle.pages());
    demand!(pages == wanted, "{pages} pages, the oracle says {wanted}");
    Ok(())
}

/// The area but for the number of its kin, which both sides are free to choose.
fn comparable(area: Area) -> Area {
    let kin = match area.kin {
        Kin::None => Kin::None,
        Kin::Own(_) => Kin::Own(0),
        Kin::Inherited(_) => Kin::Inherited(0),
    };
    let home = if area.source == Source::Zero {
        area.home
    } else {
        0
    };
    Area { home, kin, ..area }
}

fn or_none(area: Option<&Area>) -> String {
    area.map_or("there is none".into(), Area::to_string)
}

/// `mm`'s area in the oracle's words.
fn area(vma: &Vma) -> Area {
    let mut rights = Rights::NONE;
    for (flag, right) in [
        (VmFlags::READ, Rights::R),
        (VmFlags::WRITE, Rights::W),
        (VmFlags::EXEC, Rights::X),
    ] {
        if vma.flags.contains(flag) {
            rights.0 |= right.0;
        }
    }
    let has = |flag| vma.flags.contains(flag);
    Area {
        start: vma.start.number(),
        end: vma.end.number(),
        rights,
        growth: if has(VmFlags::GROWS_DOWN) {
            Growth::Down
        } else {
            Growth::Fixed
        },
        reserve: if has(VmFlags::NO_RESERVE) {
            Reserve::Not
        } else {
            Reserve::Accounted
        },
        sharing: if has(VmFlags::SHARED) {
            Sharing::Shared
        } else {
            Sharing::Private
        },
        stores: if has(VmFlags::NEVER_WRITE) {
            Stores::Never
        } else {
            Stores::Possible
        },
        lock: match (has(VmFlags::LOCKED), has(VmFlags::LOCK_ON_FAULT)) {
            (false, _) => None,
            (true, false) => Some(Lock::Now),
            (true, true) => Some(Lock::OnFault),
        },
        notes: notes(vma.flags),
        nature: match (has(VmFlags::SPECIAL), has(VmFlags::RAW)) {
            (false, _) => Nature::Own,
            (true, false) => Nature::Special,
            (true, true) => Nature::Raw,
        },
        promise: if has(VmFlags::ACCOUNTED) {
            Promise::Made
        } else {
            Promise::None
        },
        source: match &vma.backing {
            Backing::Anonymous => Source::Zero,
            Backing::ZeroDevice { offset } => Source::ZeroDevice { offset: *offset },
            Backing::File { file, offset } => Source::File {
                file: file.id() as usize,
                offset: *offset,
            },
        },
        home: match vma.backing {
            Backing::Anonymous => vma.home(vma.start),
            Backing::ZeroDevice { .. } | Backing::File { .. } => 0,
        },
        kin: match vma.identity() {
            identity if identity.is_none() => Kin::None,
            identity if identity.is_inherited() => Kin::Inherited(0),
            _ => Kin::Own(0),
        },
    }
}

/// The advice that `mm` noted.
fn notes(flags: VmFlags) -> Notes {
    let noted = |flag, advice| flags.contains(flag).then_some(advice);
    let random = noted(VmFlags::RANDOM, Advice::Random);
    let huge = noted(VmFlags::HUGE, Advice::HugePage);
    Notes {
        order: random.or(noted(VmFlags::SEQUENTIAL, Advice::Sequential)),
        fork: noted(VmFlags::DONT_FORK, Advice::DontFork),
        wipe: noted(VmFlags::WIPE_ON_FORK, Advice::WipeOnFork),
        huge: huge.or(noted(VmFlags::NO_HUGE, Advice::NoHugePage)),
        dump: noted(VmFlags::DONT_DUMP, Advice::DontDump),
        merge: noted(VmFlags::MERGEABLE, Advice::Mergeable),
    }
}

/// The most that the processor may be told for these rights.
fn allowed(rights: Rights) -> Allowed {
    Allowed {
        user: rights != Rights::NONE,
        write: rights.has(Rights::W),
        fetch: rights.has(Rights::X),
    }
}
