//! Which locks are held, and by whom: conflicts, splits, merges, and circles of those who wait. Pure: tested on the
//! workstation.
use alloc::vec::Vec;
use core::ops::Range;

/// Locks that may be held at a time, by everybody together: each look goes through all of them.
const MOST: usize = 8192;

/// How far a circle of waiting processes is followed, as on Linux.
const MOST_IN_CIRCLE: usize = 10;

/// A file: its device and number.
pub(crate) type File = (u64, u64);

/// Which call's locks: those of one never meet those of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// flock(2): the whole file.
    Whole,
    /// fcntl(2): ranges of bytes.
    Range,
}

/// Whose a lock is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// A process, by its number.
    Process(u32),
    /// An open file, by its address.
    Description(usize),
}

/// What a lock keeps others from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    /// Writing; others may hold the same.
    Read,
    /// Everything.
    Write,
}

/// A lock that is held, or wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lock {
    pub(crate) file: File,
    pub(crate) family: Family,
    pub(crate) owner: Owner,
    pub(crate) bytes: Range<u64>,
    pub(crate) hold: Hold,
}

/// No room for one lock more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl Lock {
    fn is_same_kind(&self, other: &Self) -> bool {
        self.file == other.file && self.family == other.family && self.owner == other.owner
    }

    fn conflicts(&self, other: &Self) -> bool {
        self.file == other.file
            && self.family == other.family
            && self.owner != other.owner
            && (self.hold == Hold::Write || other.hold == Hold::Write)
            && self.overlaps(other)
    }

    fn overlaps(&self, other: &Self) -> bool {
        self.bytes.start < other.bytes.end && other.bytes.start < self.bytes.end
    }
}

/// All locks.
pub(crate) struct Table {
    held: Vec<Lock>,
    /// Which locks processes wait for, each with the owner of what is in the way.
    waiting: Vec<(Lock, Owner)>,
}

impl Table {
    pub(crate) const fn new() -> Self {
        Self {
            held: Vec::new(),
            waiting: Vec::new(),
        }
    }

    /// The lock that stands in the way of `wanted`: of the first owner who has any, the one with the lowest bytes.
    pub(crate) fn conflict(&self, wanted: &Lock) -> Option<&Lock> {
        self.lowest(|held| held.conflicts(wanted))
    }

    /// What the owner of `wanted` itself has of its bytes.
    pub(crate) fn own(&self, wanted: &Lock) -> Option<&Lock> {
        self.lowest(|held| held.is_same_kind(wanted) && held.overlaps(wanted))
    }

    fn lowest(&self, is_meant: impl Fn(&Lock) -> bool) -> Option<&Lock> {
        let first = self.held.iter().find(|held| is_meant(held))?;
        let of_first = self.held.iter().filter(|held| held.owner == first.owner);
        of_first
            .filter(|held| is_meant(held))
            .min_by_key(|held| held.bytes.start)
    }

    /// Whether the owner of `wanted` has exactly this lock.
    pub(crate) fn has(&self, wanted: &Lock) -> bool {
        self.held.contains(wanted)
    }

    /// Enters `lock`, with which nothing conflicts. What its owner held there before it takes the place of.
    pub(crate) fn set(&mut self, mut lock: Lock) -> Result<(), Full> {
        // One for the lock, one for what `clear` may split.
        self.make_room(2)?;
        self.clear(&lock)?;
        // Neighbours that hold the same become one with it.
        self.held.retain(|held| {
            let touches = held.bytes.end == lock.bytes.start || held.bytes.start == lock.bytes.end;
            let joins = held.is_same_kind(&lock) && held.hold == lock.hold && touches;
            if joins {
                let (start, end) = (held.bytes.start, held.bytes.end);
                lock.bytes = lock.bytes.start.min(start)..lock.bytes.end.max(end);
            }
            !joins
        });
        self.held.push(lock);
        Ok(())
    }

    /// Takes the bytes of `lock` from all that its owner holds of that kind.
    pub(crate) fn clear(&mut self, lock: &Lock) -> Result<(), Full> {
        // One range at most has a rest on either side.
        self.make_room(1)?;
        let gone = &lock.bytes;
        let mut behind = None;
        self.held.retain_mut(|held| {
            if !held.is_same_kind(lock) || !held.overlaps(lock) {
                return true;
            }
            let (start, end) = (held.bytes.start, held.bytes.end);
            if start < gone.start && gone.end < end {
                let bytes = gone.end..end;
                behind = Some(Lock {
                    bytes,
                    ..held.clone()
                });
            }
            held.bytes = if start < gone.start {
                start..gone.start
            } else {
                gone.end..end
            };
            held.bytes.start < held.bytes.end
        });
        self.held.extend(behind);
        Ok(())
    }

    fn make_room(&mut self, count: usize) -> Result<(), Full> {
        if self.held.len() + count > MOST {
            return Err(Full);
        }
        self.held.try_reserve(count).map_err(|_| Full)
    }

    /// Drops what `owner` holds, of one file or of all.
    pub(crate) fn forget(&mut self, owner: Owner, file: Option<File>) {
        self.held
            .retain(|held| held.owner != owner || file.is_some_and(|file| held.file != file));
        if self.held.is_empty() {
            self.held = Vec::new();
        }
    }

    /// Notes that the owner of `wanted` waits for `whom`; false where that one, waiting for others, waits for it.
    pub(crate) fn wait(&mut self, wanted: &Lock, whom: Owner) -> Result<bool, Full> {
        let mut next = whom;
        for _ in 0..MOST_IN_CIRCLE {
            if next == wanted.owner {
                return Ok(false);
            }
            match self.waiting.iter().find(|(lock, _)| lock.owner == next) {
                Some(&(_, on)) => next = on,
                None => break,
            }
        }
        self.waiting.try_reserve(1).map_err(|_| Full)?;
        self.waiting.push((wanted.clone(), whom));
        Ok(true)
    }

    /// `who` waits no more.
    pub(crate) fn stop_waiting(&mut self, who: Owner) {
        self.keep_waiting(|(lock, _)| lock.owner != who);
    }

    /// `owner` may hold less than before: nobody waits for it any more whom it is not in the way of. They look again when
    /// they run, but until then nobody may be told of a circle that is none.
    pub(crate) fn let_wait(&mut self, owner: Owner) {
        let held = core::mem::take(&mut self.held);
        let is_in_the_way = |lock: &Lock| {
            let mut own = held.iter().filter(|held| held.owner == owner);
            own.any(|held| held.conflicts(lock))
        };
        self.keep_waiting(|(lock, whom)| *whom != owner || is_in_the_way(lock));
        self.held = held;
    }

    fn keep_waiting(&mut self, is_kept: impl Fn(&(Lock, Owner)) -> bool) {
        self.waiting.retain(is_kept);
        if self.waiting.is_empty() {
            self.waiting = Vec::new();
        }
    }
}
