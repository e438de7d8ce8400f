//! Locks that may be taken in interrupt handlers, in one order that checked builds hold everyone to.
//!
//! A lock keeps interrupts off while it is held: a handler that wanted the same lock would wait for ever. Each lock has
//! a [`Rank`]; whoever holds one may take only those of a higher rank. With debug assertions on, a CPU that does
//! otherwise panics and names both ranks, whether or not anyone waits; who waits for seconds panics in every build. `mm`'s
//! own locks come after all of these and take none of them, but for a file's books, which take the heap's.
use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};

use mm::MAX_CPUS;
use spin::RelaxStrategy;
use spin::mutex::{TicketMutex, TicketMutexGuard};

use crate::arch::{interrupts, percpu, timer};

/// The order of locks, outermost first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Rank {
    /// Who exists and who is whose child.
    Table,
    /// What one process holds.
    Process,
    /// Pipes and open files.
    Files,
    /// A disk's requests.
    Disks,
    /// Whose timers fire when.
    Timers,
    /// Who waits for which change.
    Waiters,
    /// Who runs next.
    Scheduler,
    /// Input that nobody read yet.
    Console,
    /// The generator of random numbers.
    Random,
    /// The ports of PCI's configuration space.
    Configuration,
    /// The kernel's own page tables: stacks and device memory.
    KernelTables,
    /// A slab of the heap.
    Heap,
    /// The boot and reserve heap.
    Arena,
    /// A record of the log.
    Log,
    /// The picture.
    Screen,
    /// A serial port.
    Serial,
}

impl Rank {
    /// Every rank, in order.
    const ALL: [Self; 16] = [
        Self::Table,
        Self::Process,
        Self::Files,
        Self::Disks,
        Self::Timers,
        Self::Waiters,
        Self::Scheduler,
        Self::Console,
        Self::Random,
        Self::Configuration,
        Self::KernelTables,
        Self::Heap,
        Self::Arena,
        Self::Log,
        Self::Screen,
        Self::Serial,
    ];
}

/// A value behind a fair lock that keeps interrupts off.
pub(crate) struct IrqLock<T> {
    rank: Rank,
    inner: TicketMutex<T, Patience>,
}

/// The value, until dropped.
pub(crate) struct IrqGuard<'a, T> {
    /// Dropped first: the lock is free before interrupts come in.
    inner: TicketMutexGuard<'a, T, Patience>,
    _held: Held,
}

impl<T> IrqLock<T> {
    /// A free lock of that rank around `value`.
    pub(crate) const fn new(rank: Rank, value: T) -> Self {
        Self {
            rank,
            inner: TicketMutex::new(value),
        }
    }

    /// Waits for the lock.
    pub(crate) fn lock(&self) -> IrqGuard<'_, T> {
        let held = Held::in_order(self.rank);
        let inner = self.inner.try_lock().unwrap_or_else(|| {
            Patience::begin(self.rank);
            self.inner.lock()
        });
        IrqGuard { inner, _held: held }
    }

    /// Takes the lock if it is free: for the panic report, which must not wait for what the panic interrupted.
    pub(crate) fn try_lock(&self) -> Option<IrqGuard<'_, T>> {
        let held = Held::of(self.rank);
        Some(IrqGuard {
            inner: self.inner.try_lock()?,
            _held: held,
        })
    }
}

impl<T> Deref for IrqGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T> DerefMut for IrqGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.inner
    }
}

/// How long a lock is waited for. Its holder keeps interrupts off and does not sleep, so one that takes seconds will
/// never give it back: better a report than a machine that stands still without a word.
struct Patience;

/// When the wait that began last on each CPU is over, in nanoseconds since boot, and for which lock.
static DEADLINES: [AtomicU64; MAX_CPUS] = [const { AtomicU64::new(0) }; MAX_CPUS];
static AWAITED: [AtomicU8; MAX_CPUS] = [const { AtomicU8::new(0) }; MAX_CPUS];

impl Patience {
    const NANOSECONDS: u64 = 5_000_000_000;

    /// The calling CPU begins to wait for a lock of `rank`. Interrupts are off.
    fn begin(rank: Rank) {
        let cpu = percpu::index();
        AWAITED[cpu].store(rank as u8, Relaxed);
        DEADLINES[cpu].store(timer::nanoseconds() + Self::NANOSECONDS, Relaxed);
    }
}

impl RelaxStrategy for Patience {
    fn relax() {
        let cpu = percpu::index();
        core::hint::spin_loop();
        assert!(
            timer::nanoseconds() <= DEADLINES[cpu].load(Relaxed),
            "deadlock: a lock of rank {:?} is not given back",
            Rank::ALL[usize::from(AWAITED[cpu].load(Relaxed))]
        );
    }
}

/// Interrupts are off for one lock more. They come back with the last one, whatever the order of release.
struct Held {
    rank: Rank,
}

impl Held {
    /// For a lock that will be waited for.
    fn in_order(rank: Rank) -> Self {
        let held = Self::of(rank);
        if cfg!(debug_assertions) {
            check_order(rank);
        }
        held
    }

    fn of(rank: Rank) -> Self {
        let enabled = interrupts::are_enabled();
        interrupts::disable();
        percpu::lock_taken(enabled);
        Self { rank }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if cfg!(debug_assertions) {
            percpu::set_ranks(percpu::ranks() & !bit(self.rank));
        }
        if percpu::lock_released() {
            interrupts::enable();
        }
    }
}

fn bit(rank: Rank) -> u64 {
    1 << rank as u8
}

/// Refuses a lock where one of the same or a higher rank is held.
fn check_order(rank: Rank) {
    let ranks = percpu::ranks();
    let highest = ranks.checked_ilog2().unwrap_or(0) as usize;
    percpu::set_ranks(ranks | bit(rank));
    assert!(
        ranks < bit(rank),
        "lock order: {rank:?} is taken while {:?} is held",
        Rank::ALL[highest]
    );
}
