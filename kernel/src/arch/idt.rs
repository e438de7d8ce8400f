//! The interrupt descriptor table: 256 gates, all alike but for the stack that they switch to and who may call them.
//!
//! Every gate is an interrupt gate, so handlers start with interrupts off and turn them on when they are ready. The
//! entry stubs lie 16 bytes apart (`trap.rs`), which makes the table a matter of counting.
use spin::Once;
use x86_64::VirtAddr;
use x86_64::instructions::tables::lidt;
use x86_64::structures::DescriptorTablePointer;

use super::gdt::KERNEL_CS;
use super::trap;

/// The vectors that somebody names.
pub(super) mod vector {
    pub(crate) const NMI: u64 = 2;
    pub(crate) const BREAKPOINT: u64 = 3;
    pub(crate) const OVERFLOW: u64 = 4;
    pub(crate) const DOUBLE_FAULT: u64 = 8;
    pub(crate) const PAGE_FAULT: u64 = 14;
    pub(crate) const MACHINE_CHECK: u64 = 18;
    /// Where the two old interrupt controllers are moved to before they are masked; 16 vectors.
    pub(crate) const LEGACY: u64 = 0x20;
    /// The local APIC's timer.
    pub(crate) const TIMER: u64 = 0x40;
    /// The first of those that devices interrupt by, and how many there are.
    pub(crate) const DEVICES: u64 = 0x50;
    pub(crate) const MOST_DEVICES: u64 = 32;
    /// What the local APIC delivers when an interrupt vanished; its low four bits must be set.
    pub(crate) const SPURIOUS: u64 = 0xff;
}

const VECTORS: usize = 256;

/// One gate (Intel SDM 3A, figure 6-8).
#[derive(Clone, Copy)]
#[repr(C)]
struct Gate {
    offset_low: u16,
    selector: u16,
    stack: u8,
    kind: u8,
    offset_middle: u16,
    offset_high: u32,
    reserved: u32,
}

#[repr(C, align(16))]
struct Idt([Gate; VECTORS]);

static IDT: Once<Idt> = Once::new();

impl Gate {
    fn new(number: u64) -> Self {
        const INTERRUPT_GATE: u8 = 0x8e;
        const FROM_RING_3: u8 = 3 << 5;
        let address = trap::stub(number);
        let open = matches!(number, vector::BREAKPOINT | vector::OVERFLOW);
        Self {
            offset_low: address as u16,
            selector: KERNEL_CS,
            stack: interrupt_stack(number),
            kind: INTERRUPT_GATE | if open { FROM_RING_3 } else { 0 },
            offset_middle: (address >> 16) as u16,
            offset_high: (address >> 32) as u32,
            reserved: 0,
        }
    }
}

/// Which interrupt stack the gate switches to; 0 for the current one.
fn interrupt_stack(number: u64) -> u8 {
    match number {
        vector::DOUBLE_FAULT => 1,
        vector::NMI => 2,
        vector::MACHINE_CHECK => 3,
        _ => 0,
    }
}

/// Loads the table, the same on every CPU.
pub(super) fn init() {
    let idt = IDT.call_once(|| Idt(core::array::from_fn(|number| Gate::new(number as u64))));
    let pointer = DescriptorTablePointer {
        limit: (size_of::<Idt>() - 1) as u16,
        base: VirtAddr::from_ptr(idt),
    };
    // SAFETY: the table is static and each gate leads to a stub that saves and restores everything.
    unsafe { lidt(&pointer) };
}
