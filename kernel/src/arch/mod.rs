//! The machine: everything that needs privileged instructions, raw addresses or `unsafe`, behind functions that are safe.
//!
//! The rest of the kernel denies `unsafe`, but for four thin places that need a word of it where they are and say so:
//! `heap::arena`, `heap::global`, `drivers::serial` and `drivers::keyboard`. Each block says why it is sound. Numbers
//! that are addresses don't leave this module, but for the roots of address spaces (`context::activate`) and what
//! `direct_map` and `ioremap` say. What the machine calls in return: `fault::page_fault`, `process::{exception,
//! before_user, tick, describe}`, `process::sched::begin`, `process::thread` and `syscall::dispatch`.
pub(crate) mod apic;
pub(crate) mod boot;
pub(crate) mod bugs;
mod calibrate;
pub(crate) mod check;
pub(crate) mod context;
pub(crate) mod debug;
pub(crate) mod demands;
pub(crate) mod direct_map;
pub(crate) mod dma;
pub(crate) mod exit;
pub(crate) mod features;
mod firmware;
pub(crate) mod fpu;
pub(crate) mod fpu_image;
mod gdt;
mod idt;
mod image;
pub(crate) mod interrupts;
pub(crate) mod layout;
mod machine_check;
mod memblock;
pub(crate) mod memory;
pub(crate) mod mmio;
mod nmi;
pub(crate) mod paging;
pub(crate) mod pci;
pub(crate) mod percpu;
mod pm_timer;
pub(crate) mod report;
mod rtc;
pub(crate) mod stack;
mod syscall;
pub(crate) mod timer;
pub(crate) mod trap;
pub(crate) mod uaccess;
pub(crate) mod user;
pub(crate) mod vdso;

use bootloader_api::BootInfo;
pub(crate) use direct_map::Hardware;

/// First act: this CPU's own data, which locks need, its features, and the loader's word on where things are.
pub(crate) fn init(info: &BootInfo) {
    let entered = timer::cycles();
    percpu::init(0);
    features::find();
    boot::init(info, entered);
}

/// On a processor that meets all demands: its features are on, and exceptions are reported, from here on.
pub(crate) fn init_processor() {
    features::init();
    let top = stack::early_emergency_top(percpu::address(0));
    gdt::init(0, [top; stack::IST_STACKS]);
    idt::init();
}

/// What ring 3 and time need; device memory can be mapped.
pub(crate) fn init_devices() {
    machine_check::init();
    syscall::init();
    fpu::init();
    apic::init();
    firmware::init();
    timer::init();
}
