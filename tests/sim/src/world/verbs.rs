//! Locks, advice and moves on both sides, and the loss of what was given up lazily.
use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::atomic::Ordering::Relaxed;

use mm::mlock;
use mm::mremap::{self, RemapFlags};
use mm::msync::Sync;
use mm::populate::Populate;
use mm::{AddressSpace, Error, Memory, Page, madvise};

use super::{Answer, World};
use crate::broken::{Sound, demand};
use crate::failing_heap::{disarm, in_mm};
use crate::machine::SoftMachine;
use crate::op::{Advice, Call, Lock, Pid, Remap, Span, Way};
use crate::oracle::{Refusal, TASK_END, TASK_START};

/// More tables than any move of a plan needs.
const TABLES: usize = 12;

/// Pages of the largest space that mlockall fetches.
const MOST_FETCHED: u64 = 64;

impl World {
    /// Makes the call in `mm` and in the oracle.
    pub(super) fn make_call(&mut self, pid: Pid, call: &Call) -> Sound<Answer> {
        match *call {
            Call::Reclaim => return self.reclaim(pid),
            Call::Expel(choice) => return self.expel(pid, choice),
            Call::Resident(span) => return self.resident(pid, span),
            Call::Advise(span, Advice::PopulateRead) => {
                return self.populate_advised(pid, call, span, Populate::Read);
            }
            Call::Advise(span, Advice::PopulateWrite) => {
                return self.populate_advised(pid, call, span, Populate::Write);
            }
            _ => {}
        }
        if self.moves_several(pid, call) {
            if self.kernel.memory.free_frames() < TABLES || self.frees_promises(pid, call) {
                return Ok(Answer::Nothing);
            }
            disarm();
            self.kernel.memory.scarcity.begin(0);
        }
        // A move may find no frame for its tables, and then nothing has happened.
        let starved = Cell::new(false);
        let answer = self.both(
            pid,
            |space, memory| {
                let got = on_mm(space, memory, call);
                let has_failed = got == Err(Error::OutOfMemory);
                let is_short = memory.free_frames() < TABLES || memory.scarcity.is_spent();
                starved.set(has_failed && is_short);
                got
            },
            |oracle| {
                let before = oracle.clone();
                let expected = oracle.call(call);
                if matches!(call, Call::Remap(_)) && starved.get() && expected.is_ok() {
                    *oracle = before;
                    return Err(Refusal::ENOMEM);
                }
                expected
            },
        )?;
        match (answer, *call) {
            (Answer::Address(_), Call::Lock(span, _)) => self.fetch_locked(pid, span),
            (Answer::Address(_), Call::LockAll(Some(_), _)) => self.fetch_all(pid),
            (Answer::Address(_) | Answer::Refused(_), Call::Advise(span, Advice::WillNeed)) => {
                self.read_ahead(pid, span)?;
                Ok(answer)
            }
            _ => Ok(answer),
        }
    }

    /// Several areas move one by one, as on Linux; how far they get without memory, nobody can foretell.
    fn moves_several(&mut self, pid: Pid, call: &Call) -> bool {
        let Call::Remap(remap) = call else {
            return false;
        };
        let areas = |process: &mut super::Process| process.oracle.areas_in(remap.old);
        self.process(pid).map_or(0, areas) > 1
    }

    /// Where one of several areas moves to shared anonymous memory may end, which leaves more to promise to the next.
    fn frees_promises(&mut self, pid: Pid, call: &Call) -> bool {
        let Call::Remap(remap) = call else {
            return false;
        };
        let target = Span {
            address: remap.target,
            length: remap.length,
        };
        let files = self.contents.clone();
        let promised = |file: usize| files.promised(file) > 0;
        let process = self.process(pid);
        process.is_some_and(|process| process.oracle.files_in(target).any(promised))
    }

    /// What mlock does once the areas are marked.
    fn fetch_locked(&mut self, pid: Pid, span: Span) -> Sound<Answer> {
        let first = Page::containing(span.address);
        let end = span.address.wrapping_add(span.length).wrapping_add(4095);
        self.populate_pages(pid, first..Page::containing(end), Populate::Area)?;
        Ok(Answer::Done)
    }

    /// What mlockall does then, whoever may hear of it. Terabytes would take all of memory, as if there were none.
    fn fetch_all(&mut self, pid: Pid) -> Sound<Answer> {
        let mapped = |process: &mut super::Process| process.oracle.pages();
        if self
            .process(pid)
            .is_some_and(|process| mapped(process) <= MOST_FETCHED)
        {
            let all = Page::new(TASK_START)..Page::new(TASK_END);
            self.populate_pages(pid, all, Populate::Willing)?;
        }
        Ok(Answer::Done)
    }

    /// MADV_FREE's pages go; nothing else does.
    fn reclaim(&mut self, pid: Pid) -> Sound<Answer> {
        let kernel = self.kernel.clone();
        let Some(process) = self.process(pid) else {
            return Ok(Answer::Nothing);
        };
        let lazy: BTreeSet<u64> = process.oracle.lazy_pages().collect();
        let root = process.root();
        let leaves = || kernel.mmu().leaves(root);
        let kept = |&(page, _): &(u64, _)| !lazy.contains(&page);
        let before = leaves().into_iter().filter(kept).count();
        let had = |space: &AddressSpace, page: u64| {
            let entry = space.table().entry(&kernel.memory, Page::new(page));
            entry.is_some_and(|entry| entry.load(Relaxed) != 0)
        };
        let mut space = process.space.borrow_mut();
        let there: Vec<u64> = lazy
            .iter()
            .copied()
            .filter(|&page| had(&space, page))
            .collect();
        let taken = in_mm(|| space.reclaim_lazy(&kernel.memory));
        let gone: Vec<u64> = there
            .into_iter()
            .filter(|&page| !had(&space, page))
            .collect();
        drop(space);
        let after = leaves().into_iter().filter(kept).count();
        demand!(
            before == after,
            "{before} pages became {after} that nobody gave up"
        );
        demand!(
            taken == gone.len() as u64,
            "{taken} pages went, {} are missing",
            gone.len()
        );
        for page in gone {
            process.oracle.forget(page);
        }
        Ok(Answer::Done)
    }

    /// mincore(2), piece by piece as the kernel does it.
    fn resident(&mut self, pid: Pid, span: Span) -> Sound<Answer> {
        let kernel = self.kernel.clone();
        let Some(process) = self.process(pid) else {
            return Ok(Answer::Nothing);
        };
        let pages = span.length.div_ceil(4096);
        if !span.address.is_multiple_of(4096) || pages > 4096 {
            return Ok(Answer::Nothing);
        }
        let expected = process.oracle.call(&Call::Resident(span));
        let space = process.space.borrow();
        let (mut done, mut got) = (0, Ok(0));
        while done < pages && got.is_ok() {
            let mut bytes = [2; 16];
            let count = (pages - done).min(16) as usize;
            let start = Page::containing(span.address) + done;
            let looked = in_mm(|| space.mincore(&kernel.memory, start, &mut bytes[..count]));
            got = looked
                .map(|count| count as u64)
                .map_err(super::calls::refusal);
            let Ok(count) = got else { break };
            for (number, byte) in (0..count).zip(bytes) {
                let page = start + number;
                let must_be = process.oracle.is_surely_there(page.number());
                let must_not = process.oracle.is_reserved(page.number());
                let is_possible = !(must_be && byte == 0 || must_not && byte == 1);
                demand!(byte < 2 && is_possible, "mincore says {byte} of {page:x?}");
            }
            done += count;
        }
        let got = got.map(|_| 0);
        demand!(
            got == expected,
            "mincore is {got:?}, the oracle says {expected:?}"
        );
        Ok(Answer::Done)
    }
}

fn on_mm(
    space: &mut AddressSpace,
    memory: &Memory<SoftMachine>,
    call: &Call,
) -> Result<u64, Error> {
    match *call {
        Call::Lock(Span { address, length }, lock) => space
            .mlock(memory, address, length, lock_of(Some(lock)))
            .map(|_| 0),
        Call::Unlock(Span { address, length }) => {
            space.munlock(memory, address, length).map(|()| 0)
        }
        Call::LockAll(now, future) => {
            let now = now.map(|lock| lock_of(Some(lock)));
            space.mlockall(now, lock_of(future)).map(|()| 0)
        }
        Call::UnlockAll => {
            space.munlockall();
            Ok(0)
        }
        Call::Advise(Span { address, length }, advice) => {
            let Some(advice) = advice_of(advice) else {
                return Ok(0);
            };
            let done = space.madvise(memory, address, length, advice);
            done.map(|()| 0)
        }
        Call::Sync(Span { address, length }, bits) => {
            let how = Sync::from_bits_truncate(bits);
            space.msync(address, length, how).map(|()| 0)
        }
        Call::Remap(remap) => space.mremap(memory, remap_of(remap)),
        Call::Resident(_) | Call::Reclaim | Call::Expel(_) => Ok(0),
    }
}

fn lock_of(lock: Option<Lock>) -> mlock::Lock {
    match lock {
        None => mlock::Lock::Free,
        Some(Lock::Now) => mlock::Lock::Now,
        Some(Lock::OnFault) => mlock::Lock::OnFault,
    }
}

/// `None` for pages that are fetched: see `advance.rs`.
fn advice_of(advice: Advice) -> Option<madvise::Advice> {
    Some(match advice {
        Advice::Normal => madvise::Advice::Normal,
        Advice::Random => madvise::Advice::Random,
        Advice::Sequential => madvise::Advice::Sequential,
        Advice::DontNeed => madvise::Advice::DontNeed,
        Advice::DontNeedLocked => madvise::Advice::DontNeedLocked,
        Advice::Free => madvise::Advice::Free,
        Advice::DontFork => madvise::Advice::DontFork,
        Advice::DoFork => madvise::Advice::DoFork,
        Advice::WipeOnFork => madvise::Advice::WipeOnFork,
        Advice::KeepOnFork => madvise::Advice::KeepOnFork,
        Advice::Cold => madvise::Advice::Cold,
        Advice::PageOut => madvise::Advice::PageOut,
        Advice::WillNeed => madvise::Advice::WillNeed,
        Advice::Remove => madvise::Advice::Remove,
        Advice::HugePage => madvise::Advice::HugePage,
        Advice::NoHugePage => madvise::Advice::NoHugePage,
        Advice::DontDump => madvise::Advice::DontDump,
        Advice::DoDump => madvise::Advice::DoDump,
        Advice::Mergeable => madvise::Advice::Mergeable,
        Advice::Unmergeable => madvise::Advice::Unmergeable,
        Advice::PopulateRead | Advice::PopulateWrite => return None,
    })
}

fn remap_of(remap: Remap) -> mremap::Remap {
    let may_move = RemapFlags::MAY_MOVE;
    mremap::Remap {
        address: remap.old.address,
        old_length: remap.old.length,
        new_length: remap.length,
        flags: match remap.way {
            Way::Stay => RemapFlags::empty(),
            Way::Move => may_move,
            Way::Fixed => may_move | RemapFlags::FIXED,
            Way::Keep => may_move | RemapFlags::DONT_UNMAP,
            Way::FixedKeep => may_move | RemapFlags::FIXED | RemapFlags::DONT_UNMAP,
        },
        new_address: remap.target,
    }
}
