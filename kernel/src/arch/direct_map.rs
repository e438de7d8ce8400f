//! The door that `mm` has to this machine: physical memory through the direct map, translations, the CPU's number.
//!
//! These functions are safe to call, yet they turn frames into references. What makes that sound is that a `Frame` can't
//! be made up: `mm` mints frames only from the ranges that `arch::memory` hands over, once, of memory that nobody else
//! uses and that the direct map shows; `mm/src/frame.rs` says the same from its side. Ring 3 and the processor's walker
//! change the contents at will, so they are seen as atomics only.
use core::arch::asm;
use core::ops::Range;
use core::sync::atomic::AtomicU64;

use mm::machine::{Cpu, PhysMem, Tlb, WORDS};
use mm::{Frame, FrameRecord, Page};
use spin::Once;
use x86_64::VirtAddr;
use x86_64::instructions::tlb;

use super::layout::DIRECT_MAP;
use super::{interrupts, percpu};
use crate::process::thread::Thread;

/// Beyond so many pages one change of CR3 is cheaper than forgetting them one by one.
const FLUSH_ALL_ABOVE: u64 = 32;

static MEM_MAP: Once<&'static [FrameRecord]> = Once::new();

/// Physical memory, the TLB and the CPU, as `mm` sees them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DirectMap(());

impl DirectMap {
    /// The door, with `mem_map` as the records of all frames.
    ///
    /// # Safety
    /// The direct map is in place, for all frames that `mem_map` has records of.
    pub(super) unsafe fn new(mem_map: &'static [FrameRecord]) -> Self {
        MEM_MAP.call_once(|| mem_map);
        Self(())
    }
}

/// What `mm` and the heap call the machine.
pub(crate) type Hardware = DirectMap;

/// Where the direct map shows physical address `address`.
pub(super) const fn pointer_to<T>(address: u64) -> *mut T {
    (DIRECT_MAP + address) as *mut T
}

/// Whether there is memory of ours at physical address `address`; anything may be, until the records are made.
pub(super) fn shows(address: u64) -> bool {
    MEM_MAP
        .get()
        .is_none_or(|mem_map| address / mm::PAGE_SIZE < mem_map.len() as u64)
}

impl PhysMem for DirectMap {
    fn mem_map(&self) -> &[FrameRecord] {
        MEM_MAP.get().copied().unwrap_or(&[])
    }

    fn words(&self, frame: Frame) -> &[AtomicU64; WORDS] {
        // SAFETY: 1. minted frames lie in the direct map, aligned to 4096, for as long as the kernel runs.
        //         2. their contents are accessed as atomics here, or filled whole by `zero` and `copy`.
        unsafe { &*pointer_to(frame.address()) }
    }

    fn zero(&self, frame: Frame) {
        // SAFETY: as in `words`; 512 quadwords are the frame. The caller of `zero` owns the contents.
        unsafe {
            asm!(
                "rep stosq",
                inout("rcx") WORDS => _,
                inout("rdi") pointer_to::<u64>(frame.address()) => _,
                in("rax") 0u64,
                options(nostack, preserves_flags),
            );
        }
    }

    fn copy(&self, from: Frame, to: Frame) {
        // SAFETY: as in `zero`, for both frames.
        unsafe {
            asm!(
                "rep movsq",
                inout("rcx") WORDS => _,
                inout("rsi") pointer_to::<u64>(from.address()) => _,
                inout("rdi") pointer_to::<u64>(to.address()) => _,
                options(nostack, preserves_flags),
            );
        }
    }
}

impl Tlb for DirectMap {
    fn flush(&self, root: Frame, page: Page) {
        if percpu::root() == root.address() {
            tlb::flush(VirtAddr::new_truncate(page.address()));
        }
    }

    /// One CPU runs so far; others would be asked by an interrupt here, those whose `percpu::root` is `root`.
    fn shootdown(&self, root: Frame, pages: Range<Page>) {
        if percpu::root() != root.address() {
            return;
        }
        if mm::page::count(&pages) > FLUSH_ALL_ABOVE {
            tlb::flush_all();
            return;
        }
        for number in pages.start.number()..pages.end.number() {
            tlb::flush(VirtAddr::new_truncate(Page::new(number).address()));
        }
    }
}

impl Cpu for DirectMap {
    fn pinned<R>(&self, body: impl FnOnce(usize) -> R) -> R {
        interrupts::without(|| body(percpu::index()))
    }

    fn refused(&self) {
        percpu::try_with_current(Thread::note_refusal);
    }
}
