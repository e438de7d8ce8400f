//! What each CPU keeps for itself, reached through GS in one instruction and without a lock.
//!
//! In the kernel GS holds the address of the running CPU's [`PerCpu`]; `swapgs` brings it in at every entry from ring 3
//! (`trap.rs`, `syscall.rs`). Each accessor is a single instruction, so an interrupt can't come between its parts, and
//! the kernel never moves a thread to another CPU while the thread runs in it.
use alloc::sync::Arc;
use core::arch::asm;
use core::cell::UnsafeCell;
use core::mem::offset_of;
use core::sync::atomic::{AtomicU32, AtomicU64};

use bitflags::bitflags;
use mm::MAX_CPUS;
use x86_64::VirtAddr;
use x86_64::registers::model_specific::{GsBase, KernelGsBase};

use crate::process::thread::Thread;

/// One CPU's own data. Only that CPU touches it, through GS; the order is free but for the assembly's offsets.
#[repr(C, align(64))]
pub(crate) struct PerCpu {
    /// Top of the current thread's kernel stack: where a system call starts.
    kernel_rsp: AtomicU64,
    /// Ring 3's stack pointer, for the few instructions until it is in the frame.
    user_rsp: AtomicU64,
    /// [`Attention`] bits: what to do before the return to ring 3.
    attention: AtomicU32,
    index: AtomicU32,
    /// Physical address of the top-level table in CR3.
    root: AtomicU64,
    /// The running thread: `Arc::into_raw` of it, or null.
    current: AtomicU64,
    /// Locks held (`lock.rs`), and above bit 31 whether interrupts were on before the first.
    locks: AtomicU64,
    /// Ranks of the locks held, a bit each; only checked builds keep it.
    ranks: AtomicU64,
}

/// Offsets for assembly.
pub(super) const KERNEL_RSP: usize = offset_of!(PerCpu, kernel_rsp);
pub(super) const USER_RSP: usize = offset_of!(PerCpu, user_rsp);
pub(super) const ATTENTION: usize = offset_of!(PerCpu, attention);
const INDEX: usize = offset_of!(PerCpu, index);
const ROOT: usize = offset_of!(PerCpu, root);
const CURRENT: usize = offset_of!(PerCpu, current);
const LOCKS: usize = offset_of!(PerCpu, locks);
const RANKS: usize = offset_of!(PerCpu, ranks);

bitflags! {
    /// Why the way back to ring 3 must take its slow side.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) struct Attention: u32 {
        /// The time slice is over, or a better thread woke.
        const RESCHEDULE = 1 << 0;
        /// A signal waits for the current thread.
        const SIGNAL = 1 << 1;
        /// The trace waits to be written.
        const TRACE = 1 << 2;
        /// A disk has answered.
        const DISKS = 1 << 3;
    }
}

struct Cpus(UnsafeCell<[PerCpu; MAX_CPUS]>);

// SAFETY: element i is touched by CPU i alone once `init` has run there, and by single instructions.
unsafe impl Sync for Cpus {}

static CPUS: Cpus = Cpus(UnsafeCell::new([const { PerCpu::new() }; MAX_CPUS]));

impl PerCpu {
    const fn new() -> Self {
        Self {
            kernel_rsp: AtomicU64::new(0),
            user_rsp: AtomicU64::new(0),
            attention: AtomicU32::new(0),
            index: AtomicU32::new(0),
            root: AtomicU64::new(0),
            current: AtomicU64::new(0),
            locks: AtomicU64::new(0),
            ranks: AtomicU64::new(0),
        }
    }
}

/// The address of CPU `cpu`'s data: what GS holds on it.
pub(super) fn address(cpu: usize) -> VirtAddr {
    assert!(cpu < MAX_CPUS, "CPU {cpu} of at most {MAX_CPUS}");
    VirtAddr::from_ptr(CPUS.0.get().cast::<PerCpu>().wrapping_add(cpu))
}

/// Makes the calling CPU number `cpu`. The first thing that it does: locks and the log need it.
pub(crate) fn init(cpu: usize) {
    GsBase::write(address(cpu));
    KernelGsBase::write(VirtAddr::zero());
    store32::<INDEX>(cpu as u32);
}

/// The number of the calling CPU, from 0.
pub(crate) fn index() -> usize {
    load32::<INDEX>() as usize
}

/// The top-level table in CR3, as physical address; 0 until the kernel's own are loaded.
pub(crate) fn root() -> u64 {
    load::<ROOT>()
}

pub(super) fn set_root(root: u64) {
    store::<ROOT>(root);
}

/// Makes `thread` the one that runs here; returns the one that ran before.
pub(crate) fn set_current(thread: Arc<Thread>) -> Option<Arc<Thread>> {
    let before = load::<CURRENT>() as *const Thread;
    store::<CURRENT>(Arc::into_raw(thread) as u64);
    // SAFETY: the word is 0 or came from `Arc::into_raw` in an earlier call, whose reference it held until now.
    (!before.is_null()).then(|| unsafe { Arc::from_raw(before) })
}

/// Runs `body` with the thread that runs here.
pub(crate) fn with_current<R>(body: impl FnOnce(&Thread) -> R) -> R {
    body(running().expect("no thread runs yet"))
}

/// The same where a thread may not run yet: for the report of a bug.
pub(crate) fn try_with_current<R>(body: impl FnOnce(&Thread) -> R) -> Option<R> {
    running().map(body)
}

/// The thread that runs here.
pub(crate) fn current() -> Arc<Thread> {
    let thread: *const Thread = running().expect("no thread runs yet");
    // SAFETY: the pointer came from `Arc::into_raw`, and this CPU holds a reference.
    unsafe { Arc::increment_strong_count(thread) };
    // SAFETY: the reference added above is the one taken here.
    unsafe { Arc::from_raw(thread) }
}

/// The thread whose code this is: it stays alive at least until it is switched away from, so for this caller for ever.
fn running<'a>() -> Option<&'a Thread> {
    // SAFETY: null, or from `Arc::into_raw` with the reference held by this CPU. `'a` does not leave this module but in
    // `with_current`, whose body returns on the same thread.
    unsafe { (load::<CURRENT>() as *const Thread).as_ref() }
}

/// Top of the stack of the thread that runs here; 0 before the first.
pub(super) fn kernel_rsp() -> u64 {
    load::<KERNEL_RSP>()
}

pub(super) fn set_kernel_rsp(top: u64) {
    store::<KERNEL_RSP>(top);
}

/// Asks that `why` be looked at before this CPU returns to ring 3.
pub(crate) fn raise(why: Attention) {
    // SAFETY: GS holds this CPU's data since `init`; the field is a u32 at this offset.
    unsafe {
        asm!("or dword ptr gs:[{}], {:e}", const ATTENTION, in(reg) why.bits(), options(nostack))
    };
}

/// What was raised since the last call; nothing is left behind.
pub(crate) fn take_attention() -> Attention {
    let mut bits = 0u32;
    // SAFETY: as in `raise`.
    unsafe {
        asm!("xchg dword ptr gs:[{}], {:e}", const ATTENTION, inout(reg) bits, options(nostack))
    };
    Attention::from_bits_truncate(bits)
}

/// Counts a lock that was taken; interrupts are off, and were on before it where `enabled` says so.
pub(crate) fn lock_taken(enabled: bool) {
    let locks = load::<LOCKS>();
    let before = if locks as u32 == 0 {
        u64::from(enabled) << 32
    } else {
        locks
    };
    store::<LOCKS>(before + 1);
}

/// Counts a lock that was released; true where it was the last and interrupts may come in again.
pub(crate) fn lock_released() -> bool {
    let locks = load::<LOCKS>() - 1;
    store::<LOCKS>(locks);
    locks == 1 << 32
}

/// Ranks of the locks that this CPU holds.
pub(crate) fn ranks() -> u64 {
    load::<RANKS>()
}

/// Records the ranks of the locks that this CPU holds. Interrupts are off.
pub(crate) fn set_ranks(ranks: u64) {
    store::<RANKS>(ranks);
}

fn load<const OFFSET: usize>() -> u64 {
    let value;
    // SAFETY: GS holds this CPU's data since `init`; `OFFSET` is that of a u64 in it.
    unsafe {
        asm!("mov {}, gs:[{}]", out(reg) value, const OFFSET, options(nostack, preserves_flags))
    };
    value
}

fn store<const OFFSET: usize>(value: u64) {
    // SAFETY: as in `load`.
    unsafe {
        asm!("mov gs:[{}], {}", const OFFSET, in(reg) value, options(nostack, preserves_flags))
    };
}

fn load32<const OFFSET: usize>() -> u32 {
    let value;
    // SAFETY: as in `load`, of a u32.
    unsafe {
        asm!("mov {:e}, gs:[{}]", out(reg) value, const OFFSET, options(nostack, preserves_flags))
    };
    value
}

fn store32<const OFFSET: usize>(value: u32) {
    // SAFETY: as in `load`, of a u32.
    unsafe {
        asm!("mov gs:[{}], {:e}", const OFFSET, in(reg) value, options(nostack, preserves_flags))
    };
}
