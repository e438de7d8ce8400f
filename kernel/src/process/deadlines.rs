//! Those whose time comes by itself, the earliest first: a treap, linked through what is queued. Those who wait for a
//! change stand in one as well, in the order of what they wait for.
//!
//! To queue something needs no memory, so it can't fail, and takes a logarithm of steps, so it can be done with
//! interrupts off however many are queued already. A treap is a search tree by its keys (a deadline, then an address,
//! so that no two are equal) and a heap by priorities that might as well have been drawn: hashes of the addresses. That
//! alone keeps it as shallow as a tree whose keys came in random order, with no balance to keep: splitting at a key and
//! joining again is all that there is.
//!
//! Whoever owns the queue guards all links; the locks around them only say so to the compiler and are never waited for.
use alloc::sync::Arc;
use core::marker::PhantomData;

use spin::Mutex;

/// How many are attended to at a time, with interrupts off; who comes after them in a tick has the next one's attention.
pub(super) const AT_ONCE: usize = 128;

/// The role of those whose time comes.
pub(super) struct Clock;

/// What can be queued in a role: at most once at a time, and with one deadline all the while.
pub(super) trait Timed<Role = Clock>: Sized {
    /// What the role has it queued by.
    type Order: Copy + Ord;
    /// When its time comes, in nanoseconds since boot; or whatever else the role has it queued by.
    fn deadline(&self) -> Self::Order;
    /// Its place in the queue.
    fn links(&self) -> &Links<Self>;
}

/// A tree's top, if it is not empty.
type Tree<T> = Option<Arc<T>>;

/// What hangs below something that is queued: those that come before it and those that come after.
pub(super) struct Links<T> {
    earlier: Mutex<Tree<T>>,
    later: Mutex<Tree<T>>,
}

impl<T> Links<T> {
    pub(super) const fn new() -> Self {
        Self {
            earlier: Mutex::new(None),
            later: Mutex::new(None),
        }
    }
}

impl<T> Default for Links<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// A place in the order of the queue.
pub(super) type Key<T, Role = Clock> = (<T as Timed<Role>>::Order, usize);

fn address<T>(item: &Arc<T>) -> usize {
    Arc::as_ptr(item).addr()
}

pub(super) fn key<T: Timed<R>, R>(item: &Arc<T>) -> Key<T, R> {
    (item.deadline(), address(item))
}

/// SplitMix64's last steps: addresses that differ in a bit differ in about half of the result's.
fn priority<T>(item: &Arc<T>) -> u64 {
    let bits = address(item) as u64;
    let bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ bits >> 31
}

/// All that are queued.
pub(super) struct Deadlines<T, Role = Clock> {
    top: Tree<T>,
    role: PhantomData<Role>,
}

impl<T: Timed<R>, R> Deadlines<T, R> {
    pub(super) const fn new() -> Self {
        Self {
            top: None,
            role: PhantomData,
        }
    }

    /// Adds `item`, whose deadline is set.
    pub(super) fn insert(&mut self, item: &Arc<T>) {
        let (before, behind) = split::<_, R>(self.top.take(), key(item));
        self.top = join::<_, R>(join::<_, R>(before, Some(item.clone())), behind);
    }

    /// Takes `item`, whose deadline is still the same, out, if it is still in.
    pub(super) fn remove(&mut self, item: &Arc<T>) {
        let (deadline, address) = key(item);
        let (before, rest) = split::<_, R>(self.top.take(), (deadline, address));
        let (_item, behind) = split::<_, R>(rest, (deadline, address + 1));
        self.top = join::<_, R>(before, behind);
    }

    /// Takes the first from `place` on out, if it is queued by the same number.
    pub(super) fn pop_from(&mut self, place: Key<T, R>) -> Option<Arc<T>> {
        let (before, rest) = split::<_, R>(self.top.take(), place);
        let (rest, found) = rest.map_or((None, None), |top| pop_due::<_, R>(top, place.0));
        self.top = join::<_, R>(before, rest);
        found
    }

    /// The first from `place` on.
    pub(super) fn first_from(&self, place: Key<T, R>) -> Option<Arc<T>> {
        let mut found = None;
        let mut next = self.top.clone();
        while let Some(item) = next {
            let links = item.links();
            if key::<_, R>(&item) < place {
                next = links.later.lock().clone();
            } else {
                next = links.earlier.lock().clone();
                found = Some(item);
            }
        }
        found
    }

    /// Takes the first out if its time has come.
    pub(super) fn pop_due(&mut self, now: T::Order) -> Option<Arc<T>> {
        let (rest, due) = pop_due::<_, R>(self.top.take()?, now);
        self.top = rest;
        due
    }
}

/// The parts of `tree` before and from `place` on.
fn split<T: Timed<R>, R>(tree: Tree<T>, place: Key<T, R>) -> (Tree<T>, Tree<T>) {
    let Some(top) = tree else {
        return (None, None);
    };
    if key::<_, R>(&top) < place {
        let mut later = top.links().later.lock();
        let (before, behind) = split::<_, R>(later.take(), place);
        *later = before;
        drop(later);
        (Some(top), behind)
    } else {
        let mut earlier = top.links().earlier.lock();
        let (before, behind) = split::<_, R>(earlier.take(), place);
        *earlier = behind;
        drop(earlier);
        (before, Some(top))
    }
}

/// One tree of two, where all of `before` comes before all of `behind`.
fn join<T: Timed<R>, R>(before: Tree<T>, behind: Tree<T>) -> Tree<T> {
    let (first, last) = match (before, behind) {
        (None, tree) | (tree, None) => return tree,
        (Some(first), Some(last)) => (first, last),
    };
    if priority(&first) > priority(&last) {
        let mut later = first.links().later.lock();
        *later = join::<_, R>(later.take(), Some(last));
        drop(later);
        Some(first)
    } else {
        let mut earlier = last.links().earlier.lock();
        *earlier = join::<_, R>(Some(first), earlier.take());
        drop(earlier);
        Some(last)
    }
}

/// The tree below `top` without its first, if the time of that has come; and the first.
fn pop_due<T: Timed<R>, R>(top: Arc<T>, now: T::Order) -> (Tree<T>, Tree<T>) {
    let mut earlier = top.links().earlier.lock();
    if let Some(below) = earlier.take() {
        let (rest, due) = pop_due::<_, R>(below, now);
        *earlier = rest;
        drop(earlier);
        return (Some(top), due);
    }
    drop(earlier);
    if top.deadline() > now {
        return (Some(top), None);
    }
    let rest = top.links().later.lock().take();
    (rest, Some(top))
}
