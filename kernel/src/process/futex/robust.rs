//! What a thread leaves to others when it ends: the locks that it still holds, and the word that says whether it lives.
//!
//! The list of locks is the program's own and may be anything: a circle, a tree, rubbish. So much of it is looked at as
//! Linux looks at, and no more is done to a word than its owner could have done.
use core::sync::atomic::Ordering::Relaxed;

use abi::Errno;
use abi::general::{FUTEX_OWNER_DIED, FUTEX_TID_MASK, FUTEX_WAITERS, ROBUST_LIST_LIMIT};

use super::{ANY, Scope, find, read, wake};
use crate::arch::{percpu, uaccess};
use crate::process::{Process, sched};

/// The bit of a link that says that the lock it leads to inherits priorities; words that it is not set in are futexes.
const INHERITS: u64 = 1;

/// A `struct robust_list_head`.
pub(crate) struct Head;

impl Head {
    /// Its length in bytes.
    pub(crate) const LENGTH: u64 = 24;
}

/// Has the calling thread's list begin at `address`.
pub(crate) fn set_robust_list(address: u64) {
    percpu::with_current(|thread| thread.futex.robust.store(address, Relaxed));
}

/// Where the list of the process's thread begins.
pub(crate) fn robust_list(process: &Process) -> u64 {
    let thread = process.thread();
    thread.map_or(0, |thread| thread.futex.robust.load(Relaxed))
}

/// The running thread leaves the memory that it ran in, because it ends or begins another program.
pub(crate) fn leave(process: &Process) {
    let (head, tid_word) = percpu::with_current(|thread| {
        let place = &thread.futex;
        (
            place.robust.swap(0, Relaxed),
            place.tid_word.swap(0, Relaxed),
        )
    });
    if head != 0 {
        // A list that can't be read ends there.
        let _ = give_up_locks(process.pid, head);
    }
    // Nobody can look at memory that goes as well.
    if tid_word != 0 && process.is_borrowing() {
        let _ = uaccess::copy_to_user(tid_word, &[0; 4]);
        wake_one(tid_word);
    }
}

fn wake_one(address: u64) {
    if let Ok(word) = find(address, Scope::Shared) {
        wake(&word, ANY, 1);
    }
}

/// A link of the list: where it leads, and whether what is there inherits priorities.
#[derive(Clone, Copy)]
struct Link {
    entry: u64,
    inherits: bool,
}

fn read_link(address: u64) -> Result<Link, Errno> {
    let word = read_word(address)?;
    Ok(Link {
        entry: word & !INHERITS,
        inherits: word & INHERITS != 0,
    })
}

fn read_word(address: u64) -> Result<u64, Errno> {
    let mut word = [0];
    uaccess::copy_words_from_user(&mut word, address).map_err(|_| Errno::EFAULT)?;
    Ok(word[0])
}

/// Gives up all locks of the list that begins at `head`, and the one that thread `owner` was about to take or give up.
fn give_up_locks(owner: u32, head: u64) -> Result<(), Errno> {
    let mut link = read_link(head)?;
    let offset = read_word(head.wrapping_add(8))?;
    let pending = read_link(head.wrapping_add(16))?;
    for _ in 0..ROBUST_LIST_LIMIT {
        if link.entry == head {
            break;
        }
        // The lock may be another's as soon as it is given up, and the link with it.
        let next = read_link(link.entry);
        if link.entry != pending.entry {
            give_up_lock(owner, link.entry.wrapping_add(offset), link)?;
        }
        link = next?;
        sched::breathe();
    }
    if pending.entry != 0 {
        give_up_pending(owner, pending.entry.wrapping_add(offset), pending)?;
    }
    Ok(())
}

/// The lock that was being taken or given up: if it is nobody's, somebody may wait for a wake that never came.
fn give_up_pending(owner: u32, address: u64, link: Link) -> Result<(), Errno> {
    if address.is_multiple_of(4) && read(address)? & FUTEX_TID_MASK == 0 && !link.inherits {
        wake_one(address);
        return Ok(());
    }
    give_up_lock(owner, address, link)
}

/// Marks a lock of `owner` as one whose owner died, and wakes who waits.
fn give_up_lock(owner: u32, address: u64, link: Link) -> Result<(), Errno> {
    if !address.is_multiple_of(4) {
        return Err(Errno::EINVAL);
    }
    let mut value = read(address)?;
    while value & FUTEX_TID_MASK == owner {
        let marked = value & FUTEX_WAITERS | FUTEX_OWNER_DIED;
        let found = uaccess::compare_exchange(address, value, marked).map_err(|_| Errno::EFAULT)?;
        if found == value {
            if value & FUTEX_WAITERS != 0 && !link.inherits {
                wake_one(address);
            }
            break;
        }
        value = found;
    }
    Ok(())
}
