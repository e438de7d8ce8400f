//! Memory is out: a process ends, alone, and the log says which, for whom and why; then who needed memory tries again.
//!
//! `mm::oom` measures and chooses. Here the candidates are found, the victim and all who share its memory are killed, and
//! the report is written. One end at a time: while a process that is killed has not given its memory back, everybody
//! else who is out of memory waits for that. An end takes no memory, so nothing has to be kept in reserve for it.
//!
//! Never a victim: init, on whom all depend, and a guest in its parent's memory, whose end would give nothing back (the
//! parent is a candidate, and they die together). Where there is no other, the one who needs the memory ends.
use alloc::sync::Arc;
use core::fmt;

use abi::Errno;
use abi::general::SIGKILL;
use mm::PAGE_SIZE;
use mm::frame::Use;
use mm::oom::{Candidate, Ranking};
use mm::stats::Counter;

use super::table::{self, INIT};
use super::thread::Thread;
use super::wait::Status;
use super::{Process, Space, current, sched};
use crate::arch::memory::memory;
use crate::arch::percpu;
use crate::fs::paged::{self, flusher};
use crate::heap;

/// What memory is needed for.
#[derive(Clone, Copy)]
pub(crate) enum Need {
    /// The page at an address.
    Page(u64),
    /// Pages of a file, which a call reads.
    File,
    /// The record of an area.
    Area,
    /// A new process.
    Fork,
    /// The memory of a new program.
    Space,
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Page(address) => write!(f, "the page at {address:#x}"),
            Self::File => f.write_str("pages of a file"),
            Self::Area => f.write_str("the record of an area"),
            Self::Fork => f.write_str("a process"),
            Self::Space => f.write_str("an address space"),
        }
    }
}

/// What the one who needs memory does next.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Relief {
    /// Try again: memory came back, or will.
    Retry,
    /// Give up: it ends itself.
    Ends,
}

/// Gets memory for the running process, which holds no lock, or ends it.
pub(crate) fn relieve(need: Need) -> Relief {
    let process = current();
    if process.signals.ended().is_some() {
        return Relief::Ends;
    }
    if reclaim() {
        return Relief::Retry;
    }
    if others().any(|other| is_dying(&other)) {
        sched::yield_now();
        return Relief::Retry;
    }
    if memory().scarcity.is_on() {
        // The memory is there: nobody's end would bring any.
        end(&process);
        return Relief::Ends;
    }
    let ranking = rank();
    report(&process, need, &ranking);
    match ranking.victim().and_then(|victim| table::find(victim.pid)) {
        Some(victim) => kill(&victim),
        None => end(&process),
    }
    if process.signals.ended().is_some() {
        return Relief::Ends;
    }
    sched::yield_now();
    Relief::Retry
}

/// Takes back pages that a disk has too, and memory that programs gave up with MADV_FREE; true if there was some.
fn reclaim() -> bool {
    paged::give_back() || reclaim_lazy() || flusher::write_all() && paged::give_back()
}

fn reclaim_lazy() -> bool {
    let spaces = table::numbers().filter_map(table::find);
    let spaces = spaces.filter_map(|process| process.space());
    let taken = |space: Arc<Space>| space.write().reclaim_lazy(memory());
    spaces.map(taken).any(|pages| pages > 0)
}

/// Runs `attempt` until it has the memory that it needs: each time that single frames were refused to this very thread,
/// a process ends. A limit, or a large block that memory is too scattered for, is worth nobody's life.
pub(crate) fn retry<T>(
    need: Need,
    mut attempt: impl FnMut() -> Result<T, Errno>,
) -> Result<T, Errno> {
    loop {
        let before = refused();
        match attempt() {
            Err(Errno::ENOMEM) if refused() != before && relieve(need) == Relief::Retry => {}
            done => return done,
        }
    }
}

/// How many single frames the running thread wanted in vain so far. Init's program is loaded before any thread runs, and
/// before there is anybody to kill.
fn refused() -> u64 {
    percpu::try_with_current(Thread::refusals).unwrap_or(0)
}

/// All processes but init.
fn others() -> impl Iterator<Item = Arc<Process>> {
    table::numbers()
        .filter(|&pid| pid != INIT)
        .filter_map(table::find)
}

/// Whether the memory of `process` is on its way back.
fn is_dying(process: &Process) -> bool {
    process.signals.ended().is_some() && !process.is_gone() && !is_guest(process)
}

/// Whether `process` runs in memory that its parent still holds. Once the parent is gone, it is the guest's own.
fn is_guest(process: &Process) -> bool {
    let parent = table::parent_of(process.pid).and_then(table::find);
    let theirs = parent.and_then(|parent| parent.space());
    process.is_borrowing() && is_same(theirs.as_ref(), process.space().as_ref())
}

fn is_same(one: Option<&Arc<Space>>, other: Option<&Arc<Space>>) -> bool {
    one.zip(other)
        .is_some_and(|(one, other)| Arc::ptr_eq(one, other))
}

/// Measures everybody who may have to die.
fn rank() -> Ranking {
    let mut ranking = Ranking::new(memory().managed_frames() as u64);
    for process in others().filter(|process| !is_guest(process)) {
        if let Some(space) = process.space() {
            ranking.add(measure(&process, &space));
        }
    }
    ranking
}

/// What `process`, who runs in `space`, holds.
pub(crate) fn measure(process: &Process, space: &Space) -> Candidate {
    let files = process.files.bytes();
    let space = space.read();
    Candidate {
        pid: process.pid,
        mapped: space.mapped_pages(),
        resident: space.resident_pages(memory()),
        tables: space.table().tables(),
        records: ((files + space.areas().bytes()) as u64).div_ceil(PAGE_SIZE),
        adjustment: process.oom_adjustment(),
    }
}

/// Kills `victim` and all who share its memory, but for init.
fn kill(victim: &Process) {
    let Some(space) = victim.space() else { return };
    let shares = |other: &Process| is_same(other.space().as_ref(), Some(&space));
    for process in others().filter(|other| shares(other)) {
        end(&process);
    }
}

/// Has `process` end as by SIGKILL, which takes no memory: it does so on its way back to ring 3, or out of a wait.
fn end(process: &Process) {
    process.signals.end(Status::killed(SIGKILL));
    process.wake();
    memory().stats.add(Counter::oom_kill, 1);
    heap::reserve(|| log::error!("out of memory: killed {}[{}]", process.name(), process.pid));
}

/// Says who needed what, where memory is, and who holds most of it; a line at a time, so that interrupts come between.
fn report(process: &Process, need: Need, ranking: &Ranking) {
    let (name, pid) = (process.name(), process.pid);
    heap::reserve(|| log::error!("out of memory: {name}[{pid}] needs {need}"));
    let uses = [
        Use::Anonymous,
        Use::Shared,
        Use::File,
        Use::Table,
        Use::Kernel,
    ];
    let [anonymous, shared, files, tables, kernel] =
        uses.map(|usage| memory().frames_used_for(usage));
    let (all, free) = (memory().managed_frames(), memory().free_frames());
    heap::reserve(|| {
        log::error!(
            "out of memory: of {all} frames {free} are free, {anonymous} anonymous, {shared} shared, {files} of files, \
             {tables} page tables, {kernel} the kernel's own"
        );
        log::error!(
            "out of memory:    pid     mapped   resident  tables  records  adjust    badness  name"
        );
    });
    for (badness, candidate) in ranking.iter() {
        heap::reserve(|| report_candidate(badness, &candidate));
    }
}

fn report_candidate(badness: i64, candidate: &Candidate) {
    let Some(process) = table::find(candidate.pid) else {
        return;
    };
    log::error!(
        "out of memory: {:6} {:10} {:10} {:7} {:8} {:7} {badness:10}  {}",
        candidate.pid,
        candidate.mapped,
        candidate.resident,
        candidate.tables,
        candidate.records,
        candidate.adjustment,
        process.name(),
    );
}
