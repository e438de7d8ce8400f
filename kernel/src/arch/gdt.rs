//! Segments and task state of each CPU: what is left of segmentation in long mode, and the stacks of emergencies.
//!
//! The selectors are Linux's, because ring 3 can read them: `cs` 0x33 and `ss` 0x2b. `syscall` and `sysret` want their
//! pairs in this very order. Double faults, NMIs and machine checks each get a stack of their own, so that they work
//! where the current one is broken.
use core::arch::asm;
use core::cell::UnsafeCell;
use core::mem::offset_of;

use mm::MAX_CPUS;
use x86_64::instructions::segmentation::{CS, DS, ES, FS, SS, Segment};
use x86_64::instructions::tables::{lgdt, load_tss};
use x86_64::structures::DescriptorTablePointer;
use x86_64::structures::gdt::SegmentSelector;
use x86_64::structures::tss::TaskStateSegment;
use x86_64::{PrivilegeLevel, VirtAddr};

use super::stack::IST_STACKS;

/// Ring 0's code segment.
pub(crate) const KERNEL_CS: u16 = 0x10;
/// Ring 0's stack segment.
pub(crate) const KERNEL_SS: u16 = 0x18;
/// What `sysret` adds 8 and 16 to.
pub(super) const SYSRET_BASE: u16 = 0x23;
/// Ring 3's stack segment.
pub(crate) const USER_SS: u16 = 0x2b;
/// Ring 3's code segment.
pub(crate) const USER_CS: u16 = 0x33;
const TSS: u16 = 0x40;

/// Null, 32-bit kernel code, kernel code, kernel data, 32-bit user code, user data, user code, null, two for the TSS.
const DESCRIPTORS: [u64; 10] = [
    0,
    0x00cf_9b00_0000_ffff,
    0x00af_9b00_0000_ffff,
    0x00cf_9300_0000_ffff,
    0x00cf_fb00_0000_ffff,
    0x00cf_f300_0000_ffff,
    0x00af_fb00_0000_ffff,
    0,
    0,
    0,
];

/// One CPU's tables, where the processor reads them.
#[repr(C, align(64))]
struct Tables {
    gdt: UnsafeCell<[u64; DESCRIPTORS.len()]>,
    tss: UnsafeCell<TaskStateSegment>,
}

// SAFETY: element i of `TABLES` is written by CPU i alone, with interrupts off, through raw pointers.
unsafe impl Sync for Tables {}

static TABLES: [Tables; MAX_CPUS] = [const { Tables::new() }; MAX_CPUS];

impl Tables {
    const fn new() -> Self {
        Self {
            gdt: UnsafeCell::new(DESCRIPTORS),
            tss: UnsafeCell::new(TaskStateSegment::new()),
        }
    }
}

/// Gives the calling CPU, number `cpu`, its own segments; emergencies use the stacks that end at `tops`.
pub(super) fn init(cpu: usize, tops: [u64; IST_STACKS]) {
    set_interrupt_stacks(cpu, tops);
    let tables = &TABLES[cpu];
    // SAFETY: this CPU's own table, not loaded yet.
    unsafe { tables.gdt.get().write(descriptors(tables.tss.get())) };
    let pointer = DescriptorTablePointer {
        limit: (size_of_val(&DESCRIPTORS) - 1) as u16,
        base: VirtAddr::from_ptr(tables.gdt.get()),
    };
    // SAFETY: the table is static and holds the selectors used below.
    unsafe { lgdt(&pointer) };
    load_selectors();
}

fn load_selectors() {
    let null = SegmentSelector::NULL;
    // SAFETY: a 64-bit code segment of ring 0 lies at this selector.
    unsafe { CS::set_reg(SegmentSelector::new(KERNEL_CS >> 3, PrivilegeLevel::Ring0)) };
    // SAFETY: a data segment of ring 0 lies at this selector.
    unsafe { SS::set_reg(SegmentSelector::new(KERNEL_SS >> 3, PrivilegeLevel::Ring0)) };
    // SAFETY: unused in long mode.
    unsafe { DS::set_reg(null) };
    // SAFETY: unused in long mode.
    unsafe { ES::set_reg(null) };
    // SAFETY: only ring 3 uses FS. GS is left alone: its base is this CPU's data.
    unsafe { FS::set_reg(null) };
    // After a reset there is a local table at address 0, where ring 3's selectors would be looked up.
    // SAFETY: nothing of the kernel's is in a local table, and the null selector is always allowed.
    unsafe { asm!("lldt {:x}", in(reg) 0_u16, options(nomem, nostack, preserves_flags)) };
    // SAFETY: the TSS descriptor was filled in by `init` and says that it is free.
    unsafe { load_tss(SegmentSelector::new(TSS >> 3, PrivilegeLevel::Ring0)) };
}

/// The descriptors, with those of the task state segment at `tss` (Intel SDM 3A, figure 8-4).
fn descriptors(tss: *mut TaskStateSegment) -> [u64; DESCRIPTORS.len()] {
    const AVAILABLE_TSS: u64 = 0x89 << 40;
    let (base, limit) = (tss as u64, size_of::<TaskStateSegment>() as u64 - 1);
    let mut descriptors = DESCRIPTORS;
    let slot = usize::from(TSS >> 3);
    descriptors[slot] =
        limit | (base & 0xff_ffff) << 16 | AVAILABLE_TSS | (base >> 24 & 0xff) << 56;
    descriptors[slot + 1] = base >> 32;
    descriptors
}

/// Where the interrupt stacks of CPU `cpu` begin; from now on emergencies use them.
pub(super) fn set_interrupt_stacks(cpu: usize, tops: [u64; IST_STACKS]) {
    for (index, top) in tops.into_iter().enumerate() {
        let field = offset_of!(TaskStateSegment, interrupt_stack_table) + index * 8;
        set_stack(cpu, field, top);
    }
}

/// Where the calling CPU, number `cpu`, starts when ring 3 is interrupted.
pub(super) fn set_kernel_stack(cpu: usize, top: u64) {
    set_stack(
        cpu,
        offset_of!(TaskStateSegment, privilege_stack_table),
        top,
    );
}

fn set_stack(cpu: usize, field: usize, top: u64) {
    let place = TABLES[cpu]
        .tss
        .get()
        .cast::<u8>()
        .wrapping_add(field)
        .cast::<u64>();
    // SAFETY: a field of this CPU's own TSS, which lies in a static; the format packs it to 4 bytes.
    unsafe { place.write_unaligned(top) };
}
