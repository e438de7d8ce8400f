//! Futexes: waiting for a change of a word in ring 3's memory, see futex(2).
//!
//! The kernel keeps nothing for a word that nobody waits at. Who waits stands in a tree (`queue.rs`) by what the word is
//! part of, so that processes meet at shared memory wherever each has it. The word is looked at under the tree's lock, by
//! an access that no fault is served for: who changes it first and wakes then finds the waiter, or the waiter finds the
//! change.
mod operation;
mod queue;
mod robust;

use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use abi::Errno;
use mm::page_cache::CachedFile;
use mm::report::{Frames, pagemap};
use mm::{Backing, PAGE_SIZE, Page, VmFlags};
use spin::Mutex;

pub(crate) use operation::Operation;
use queue::{Futex, Key, Round, Standing, Turn, Waiters, Waits};
pub(crate) use robust::{Head, leave, robust_list, set_robust_list};

use super::deadlines::{Links, Timed};
use super::thread::Thread;
use super::{Space, current, sched, signal};
use crate::arch::memory::memory;
use crate::arch::{percpu, timer, uaccess};
use crate::lock::{IrqLock, Rank};

/// All wakers: FUTEX_BITSET_MATCH_ANY.
pub(crate) const ANY: u32 = u32::MAX;

static WAITERS: IrqLock<Waiters<Thread>> = IrqLock::new(Rank::Waiters, Waiters::new());

/// Who may mean the same futex.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Those who run in the same space, and say so.
    Private,
    /// All who have the same memory there.
    Shared,
}

/// A futex that somebody is about to wait at or to wake.
pub(crate) type Word = queue::Word<File>;

/// A file that must not go.
#[derive(Clone)]
pub(crate) struct File(Option<Arc<CachedFile>>);

impl Drop for File {
    fn drop(&mut self) {
        if let Some(file) = self.0.take() {
            file.release(memory());
        }
    }
}

/// What a thread has to do with futexes.
pub(super) struct Place {
    standing: Mutex<Standing<File>>,
    links: Links<Thread>,
    /// See `robust.rs`.
    robust: AtomicU64,
    tid_word: AtomicU64,
}

impl Place {
    pub(super) const fn new() -> Self {
        Self {
            standing: Mutex::new(Standing::NONE),
            links: Links::new(),
            robust: AtomicU64::new(0),
            tid_word: AtomicU64::new(0),
        }
    }

    /// Has the word at `address` cleared when the thread ends, and who waits there woken: set_tid_address(2).
    pub(super) fn set_tid_word(&self, address: u64) {
        self.tid_word.store(address, Relaxed);
    }
}

impl Timed<Futex> for Thread {
    type Order = Turn;

    fn deadline(&self) -> Turn {
        self.futex.standing.lock().turn()
    }

    fn links(&self) -> &Links<Self> {
        &self.futex.links
    }
}

impl Waits for Thread {
    type Hold = File;

    fn standing(&self) -> &Mutex<Standing<File>> {
        &self.futex.standing
    }
}

/// Has the word at `address` cleared when the calling thread ends.
pub(crate) fn set_tid_word(address: u64) {
    percpu::with_current(|thread| thread.futex.set_tid_word(address));
}

/// The word at `address`; `EFAULT` where ring 3 has none.
fn read(address: u64) -> Result<u32, Errno> {
    let mut bytes = [0; 4];
    uaccess::copy_from_user(&mut bytes, address).map_err(|_| Errno::EFAULT)?;
    Ok(u32::from_le_bytes(bytes))
}

/// The futex that the caller means by `address`.
pub(crate) fn find(address: u64, scope: Scope) -> Result<Word, Errno> {
    if !address.is_multiple_of(size_of::<u32>() as u64) {
        return Err(Errno::EINVAL);
    }
    if address >= mm::space::USER_END.address() {
        return Err(Errno::EFAULT);
    }
    let space = current().space().ok_or(Errno::EFAULT)?;
    match scope {
        Scope::Private => Ok(in_space(&space, address)),
        Scope::Shared => find_shared(&space, address),
    }
}

/// What the low bits of a place say, as on Linux: none if the caller promised that nobody else means the word, else
/// whether it is a file's or turned out to be the space's own.
const OF_FILE: u64 = 1;
const OF_SPACE: u64 = 2;

fn in_space(space: &Space, place: u64) -> Word {
    let object = space.root().address();
    Word {
        key: Key { object, place },
        hold: None,
    }
}

/// The futex by what the page is: as on Linux that has to be there, and to be the space's own where it may be.
fn find_shared(space: &Space, address: u64) -> Result<Word, Errno> {
    let value = read(address)?;
    let page = Page::containing(address);
    let (flags, backing) = {
        let space = space.read();
        let vma = space.find_vma(address).filter(|vma| vma.contains(page));
        let vma = vma.ok_or(Errno::EFAULT)?;
        let file = match &vma.backing {
            Backing::File { file, .. } => vma.file_index(page).map(|index| (file.clone(), index)),
            Backing::Anonymous | Backing::ZeroDevice { .. } => None,
        };
        (
            vma.flags,
            file.map(|(file, index)| (File(Some(file)), index)),
        )
    };
    if !flags.contains(VmFlags::SHARED) && flags.contains(VmFlags::WRITE) {
        uaccess::compare_exchange(address, value, value).map_err(|_| Errno::EFAULT)?;
        return Ok(in_space(space, address | OF_SPACE));
    }
    match backing {
        Some((file, index)) if flags.contains(VmFlags::SHARED) || is_files(space, page) => {
            Ok(in_file(file, index * PAGE_SIZE + address % PAGE_SIZE))
        }
        // A private page that can't be written to never changes: nobody could wait for that.
        _ => Err(Errno::EFAULT),
    }
}

fn in_file(file: File, offset: u64) -> Word {
    let object = file.0.as_ref().map_or(0, |file| Arc::as_ptr(file).addr());
    let key = Key {
        object: object as u64,
        place: offset | OF_FILE,
    };
    Word {
        key,
        hold: Some(file),
    }
}

/// Whether what is mapped at `page` is the file's page, not a copy of it.
fn is_files(space: &Space, page: Page) -> bool {
    const FILE: u64 = 1 << 61;
    let mut word = [0];
    pagemap(&space.read(), memory(), page, Frames::Hidden, &mut word);
    word[0] & FILE != 0
}

/// A wait that is wanted.
#[derive(Clone, Copy)]
pub(crate) struct Wait {
    pub(crate) address: u64,
    pub(crate) scope: Scope,
    /// What the word must hold.
    pub(crate) value: u32,
    /// Which wakers are waited for, a bit each.
    pub(crate) mask: u32,
    /// In nanoseconds since boot.
    pub(crate) deadline: Option<u64>,
}

/// Waits until somebody wakes the caller: `EAGAIN` if the word holds something else, `ETIMEDOUT` after the deadline.
pub(crate) fn wait(wait: &Wait) -> Result<(), Errno> {
    let me = percpu::current();
    stand(&me, wait)?;
    let end = loop {
        match wait.deadline {
            Some(deadline) => sched::park_until(deadline),
            None => sched::park(),
        }
        if !WAITERS.lock().has(&me) {
            break Ok(());
        }
        if wait
            .deadline
            .is_some_and(|time| time <= timer::nanoseconds())
        {
            break Err(Errno::ETIMEDOUT);
        }
        if signal::interrupted() {
            break Err(interruption(wait));
        }
    };
    let (was_queued, _hold) = WAITERS.lock().leave(&me);
    // Who was woken in the last moment was woken.
    if was_queued { end } else { Ok(()) }
}

/// A signal ends the wait; with a deadline it goes on by another call, which keeps that.
fn interruption(wait: &Wait) -> Errno {
    if wait.deadline.is_none() {
        return Errno::ERESTARTSYS;
    }
    current().signals.remember(signal::Unfinished::Futex(*wait));
    Errno::ERESTART_RESTARTBLOCK
}

/// Queues the caller, if the word holds what it should.
fn stand(me: &Arc<Thread>, wait: &Wait) -> Result<(), Errno> {
    loop {
        let word = find(wait.address, wait.scope)?;
        {
            let mut waiters = WAITERS.lock();
            match uaccess::peek_word(wait.address) {
                Some(value) if value == wait.value => {
                    waiters.stand(me, word, wait.mask);
                    return Ok(());
                }
                Some(_) => {
                    drop(waiters);
                    return Err(Errno::EAGAIN);
                }
                None => {}
            }
        }
        fetch(wait.address)?;
    }
}

/// Has the word at `address` be there, for a moment at least.
fn fetch(address: u64) -> Result<(), Errno> {
    read(address)?;
    if signal::is_dying() {
        return Err(Errno::EINTR);
    }
    Ok(())
}

/// Wakes up to `most` of those who wait at `word`, and for one of `mask`; how many those were.
pub(crate) fn wake(word: &Word, mask: u32, most: u32) -> u32 {
    let mut round = WAITERS.lock().round(word.key, mask, most);
    while !WAITERS.lock().wake_some(&mut round, sched::wake) {}
    round.met()
}

/// A word's address, and what it must hold.
pub(crate) type Expected = (u64, u32);

/// Wakes up to `wakes` of those who wait at `from`, and has up to `moves` others wait at `to`; how many both were.
pub(crate) fn requeue(
    [from, to]: [&Word; 2],
    [wakes, moves]: [u32; 2],
    expected: Option<Expected>,
) -> Result<u32, Errno> {
    let (mut rounds, mut is_over) = loop {
        let mut waiters = WAITERS.lock();
        let found = expected.map(|(address, _)| uaccess::peek_word(address));
        if found == expected.map(|(_, value)| Some(value)) {
            let mut rounds = [wakes, moves].map(|most| waiters.round(from.key, ANY, most));
            let is_over = waiters.requeue_some(&mut rounds, to, sched::wake);
            break (rounds, is_over);
        }
        drop(waiters);
        match (found, expected) {
            (Some(None), Some((address, _))) => fetch(address)?,
            _ => return Err(Errno::EAGAIN),
        }
    };
    while !is_over {
        is_over = WAITERS.lock().requeue_some(&mut rounds, to, sched::wake);
    }
    Ok(rounds.iter().map(Round::met).sum())
}

/// Does `operation` to the word at `address`, which is `second`; wakes some of those who wait at `first` and, if the
/// operation says so, some at `second`. How many those were.
pub(crate) fn wake_op(
    [first, second]: [&Word; 2],
    [wakes, more]: [u32; 2],
    (address, operation): (u64, Operation),
) -> Result<u32, Errno> {
    let mut old = 0;
    loop {
        let new = operation.apply(old)?;
        match uaccess::compare_exchange(address, old, new) {
            Ok(found) if found == old => break,
            Ok(found) => old = found,
            Err(_) => return Err(Errno::EFAULT),
        }
    }
    let is_more = operation.holds(old)?;
    let woken = wake(first, ANY, wakes);
    Ok(woken + if is_more { wake(second, ANY, more) } else { 0 })
}
