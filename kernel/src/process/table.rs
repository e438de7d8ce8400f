//! Who exists and who is whose child: one table by process number, under one lock.
//!
//! Families are linked by number inside the table. Each parent has a list of children that live and one of those that
//! ended, both in order of age, so that `wait` for any child finds the oldest in one step however many live.
mod reap;

use alloc::sync::Arc;

use abi::Errno;

use super::Process;
use super::entries::Entries;
use super::wait::Status;
use crate::arch::memory::memory;
use crate::arch::stack::STACK_PAGES;
use crate::lock::{IrqLock, Rank};

pub(super) use reap::reap;

/// Numbers go up to here, then start again behind the first few hundred: Linux's default `pid_max`.
pub(crate) const PID_MAX: u32 = 32_768;
const PID_RESTART: u32 = 300;

/// The number of init, who adopts orphans. 0 is nobody.
pub(crate) const INIT: u32 = 1;
const NOBODY: u32 = 0;

static TABLE: IrqLock<Table> = IrqLock::new(
    Rank::Table,
    Table {
        entries: Entries::new(),
        last: NOBODY,
        made: 0,
        count: 0,
    },
);

struct Table {
    entries: Entries,
    /// The number given last.
    last: u32,
    /// Processes ever made.
    made: u64,
    count: usize,
}

/// What is known under one number.
pub(super) struct Entry {
    state: State,
    parent: u32,
    /// The children that live, and those that ended.
    living: Ends,
    ended: Ends,
    /// Grows with each process that is made.
    age: u64,
    /// Which of its parent's lists it is in, and its siblings there.
    list: List,
    previous: u32,
    next: u32,
    /// What the parent may want to know of a child that lives.
    news: Option<Status>,
}

/// A list's first and last.
#[derive(Clone, Copy)]
struct Ends {
    first: u32,
    last: u32,
}

impl Ends {
    const NONE: Self = Self {
        first: NOBODY,
        last: NOBODY,
    };
}

/// A parent's lists.
#[derive(Clone, Copy, PartialEq, Eq)]
enum List {
    Living,
    Ended,
}

impl Entry {
    pub(super) const fn new() -> Self {
        Self {
            state: State::Vacant,
            parent: NOBODY,
            living: Ends::NONE,
            ended: Ends::NONE,
            age: 0,
            list: List::Living,
            previous: NOBODY,
            next: NOBODY,
            news: None,
        }
    }

    fn ends(&mut self, list: List) -> &mut Ends {
        match list {
            List::Living => &mut self.living,
            List::Ended => &mut self.ended,
        }
    }
}

enum State {
    /// Nobody has the number.
    Vacant,
    /// The number is given, the process not yet made.
    Reserved,
    Alive(Arc<Process>),
    Zombie(Arc<Process>, Status),
}

/// What is left of a process.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presence {
    Alive,
    /// It waits to be noticed by its parent.
    Ended,
    /// Its number is nobody's, or another's.
    Forgotten,
}

impl Table {
    fn entry(&mut self, pid: u32) -> &mut Entry {
        self.entries
            .get_mut(pid)
            .expect("a number that is looked at is taken")
    }

    /// A number that is free, and an entry for it.
    fn reserve(&mut self) -> Result<u32, Errno> {
        if self.count >= most() {
            return Err(Errno::EAGAIN);
        }
        let first = if self.last < PID_RESTART {
            INIT
        } else {
            PID_RESTART
        };
        let numbers = (self.last + 1..PID_MAX).chain(first..=self.last);
        let vacant = |pid: &u32| {
            self.entries
                .get(*pid)
                .is_none_or(|entry| matches!(entry.state, State::Vacant))
        };
        let pid = numbers.into_iter().find(vacant).ok_or(Errno::EAGAIN)?;
        let entry = self.entries.take(pid).map_err(|_| Errno::ENOMEM)?;
        self.made += 1;
        (entry.state, entry.age) = (State::Reserved, self.made);
        self.last = pid;
        self.count += 1;
        Ok(pid)
    }

    /// Puts `child` into a list of `parent`, behind those that are older. The newest, and who ends in turn, is last.
    fn link(&mut self, parent: u32, child: u32, list: List) {
        let age = self.entry(child).age;
        let ends = *self.entry(parent).ends(list);
        let mut before = ends.last;
        while before != NOBODY && self.entry(before).age > age {
            before = self.entry(before).previous;
        }
        let after = match before {
            NOBODY => core::mem::replace(&mut self.entry(parent).ends(list).first, child),
            _ => core::mem::replace(&mut self.entry(before).next, child),
        };
        match after {
            NOBODY => self.entry(parent).ends(list).last = child,
            _ => self.entry(after).previous = child,
        }
        let entry = self.entry(child);
        (entry.parent, entry.list) = (parent, list);
        (entry.previous, entry.next) = (before, after);
    }

    fn unlink(&mut self, child: u32) {
        let Entry {
            parent,
            list,
            previous,
            next,
            ..
        } = *self.entry(child);
        match previous {
            NOBODY => self.entry(parent).ends(list).first = next,
            _ => self.entry(previous).next = next,
        }
        match next {
            NOBODY => self.entry(parent).ends(list).last = previous,
            _ => self.entry(next).previous = previous,
        }
    }

    /// Gives all children on one list of `from` to init.
    fn adopt(&mut self, from: u32, list: List) {
        while let Some(child) =
            Some(self.entry(from).ends(list).first).filter(|&child| child != NOBODY)
        {
            self.unlink(child);
            self.link(INIT, child, list);
        }
    }

    /// Has `pid`, which ended with `status`, wait for its parent's notice.
    fn keep(&mut self, pid: u32, status: Status) {
        let entry = self.entry(pid);
        entry.state = match core::mem::replace(&mut entry.state, State::Vacant) {
            State::Alive(process) => State::Zombie(process, status),
            other => other,
        };
        let parent = entry.parent;
        self.unlink(pid);
        self.link(parent, pid, List::Ended);
    }

    fn remove(&mut self, pid: u32) -> State {
        self.unlink(pid);
        self.count -= 1;
        self.entries.free(pid).state
    }

    fn parent(&mut self, pid: u32) -> Option<Arc<Process>> {
        let parent = self.entry(pid).parent;
        self.process(parent)
    }

    fn process(&self, pid: u32) -> Option<Arc<Process>> {
        match &self.entries.get(pid)?.state {
            State::Alive(process) | State::Zombie(process, _) => Some(process.clone()),
            State::Vacant | State::Reserved => None,
        }
    }
}

/// A process number that is taken but has no process yet; dropped unused, it is free again.
pub(super) struct Reserved(u32);

impl Reserved {
    pub(super) fn new() -> Result<Self, Errno> {
        Ok(Self(TABLE.lock().reserve()?))
    }

    pub(super) fn pid(&self) -> u32 {
        self.0
    }

    /// Makes `process`, which has this number, known as a child of `parent`.
    pub(super) fn announce(self, process: Arc<Process>, parent: u32) {
        let mut table = TABLE.lock();
        table.entry(self.0).state = State::Alive(process);
        table.link(parent, self.0, List::Living);
        drop(table);
        core::mem::forget(self);
    }

    /// Makes `process`, the first of all, known. It is nobody's child.
    pub(super) fn announce_first(self, process: Arc<Process>) {
        TABLE.lock().entry(self.0).state = State::Alive(process);
        core::mem::forget(self);
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        let mut table = TABLE.lock();
        table.entries.free(self.0);
        table.count -= 1;
    }
}

/// The process with number `pid`, dead or alive.
pub(crate) fn find(pid: u32) -> Option<Arc<Process>> {
    TABLE.lock().process(pid)
}

/// What is left of `process`.
pub(crate) fn presence(process: &Arc<Process>) -> Presence {
    let table = TABLE.lock();
    match table.entries.get(process.pid).map(|entry| &entry.state) {
        Some(State::Alive(found)) if Arc::ptr_eq(found, process) => Presence::Alive,
        Some(State::Zombie(found, _)) if Arc::ptr_eq(found, process) => Presence::Ended,
        _ => Presence::Forgotten,
    }
}

/// The numbers of all that exist now; some may be gone by the time they are looked at.
pub(crate) fn numbers() -> impl Iterator<Item = u32> {
    (INIT..PID_MAX).filter(|&pid| find(pid).is_some())
}

/// The number of `pid`'s parent.
pub(crate) fn parent(pid: u32) -> u32 {
    TABLE.lock().entry(pid).parent
}

/// How many processes there may be: with their kernel stacks, an eighth of memory; Linux's `threads-max`.
pub(super) fn most() -> usize {
    const FEWEST: usize = 20;
    (memory().managed_frames() / (8 * STACK_PAGES)).clamp(FEWEST, PID_MAX as usize)
}

/// The number of `pid`'s parent, if there still is such a process.
pub(crate) fn parent_of(pid: u32) -> Option<u32> {
    let table = TABLE.lock();
    table.entries.get(pid).map(|entry| entry.parent)
}

/// How many processes were ever made, and the number given last.
pub(crate) fn made() -> (u64, u32) {
    let table = TABLE.lock();
    (table.made, table.last)
}

/// How many processes there are, the dead who wait to be noticed included.
pub(crate) fn count() -> usize {
    TABLE.lock().count
}

/// Wakes the parent of `pid`.
pub(super) fn wake_parent(pid: u32) {
    let parent = TABLE.lock().parent(pid);
    if let Some(parent) = parent {
        parent.wake();
    }
}

/// Process `pid` has ended with `status`: its children go to init, it waits to be noticed by its parent, or is forgotten
/// at once where that one doesn't care. Both in one step: once it can be noticed, its number may be another's.
pub(super) fn bury(pid: u32, status: Status) -> Burial {
    let mut table = TABLE.lock();
    let orphans_ended = table.entry(pid).ended.first != NOBODY;
    table.adopt(pid, List::Living);
    table.adopt(pid, List::Ended);
    let burial = Burial {
        parent: table.parent(pid),
        init: orphans_ended.then(|| table.process(INIT)).flatten(),
    };
    if ignores_children(burial.parent.as_deref()) {
        let body = table.remove(pid);
        drop(table);
        drop(body);
    } else {
        table.keep(pid, status);
    }
    burial
}

fn ignores_children(parent: Option<&Process>) -> bool {
    parent.is_some_and(|parent| parent.signals.ignores_children())
}

/// Notes that `pid` stopped or went on; its parent.
pub(super) fn note(pid: u32, news: Status) -> Option<Arc<Process>> {
    let mut table = TABLE.lock();
    table.entry(pid).news = Some(news);
    table.parent(pid)
}

/// Who must hear of an end.
pub(super) struct Burial {
    pub(super) parent: Option<Arc<Process>>,
    pub(super) init: Option<Arc<Process>>,
}
