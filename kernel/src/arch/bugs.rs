//! Bugs on purpose of the kinds that only `unsafe` code can have (`crate::bugs`): each must end in its report.
//!
//! There is no sound way to do what is wrong by design. The comments say why nothing worse happens than the report.
use core::arch::asm;
use core::sync::atomic::Ordering::Relaxed;

use x86_64::VirtAddr;
use x86_64::instructions::tlb;
use x86_64::structures::paging::PageTableFlags as Flags;

use super::layout::{DIRECT_MAP, KERNEL_HALF, PAGE, STACKS};
use super::trap::TrapFrame;
use super::{paging, percpu, stack, uaccess};

/// A kernel address where nothing is ever mapped.
const NOWHERE: u64 = 0xffff_d000_dead_b000;

/// The processor's `ret`: code, where data are.
static DATA: u64 = 0xc3;
/// A constant.
static CONSTANT: [u64; 2] = [1, 2];

#[inline(never)]
pub(crate) fn read() {
    // SAFETY: faults, as nothing is mapped there.
    unsafe { load(NOWHERE) }; // bug=read
}

#[inline(never)]
pub(crate) fn write() {
    // SAFETY: faults, as nothing is mapped there.
    unsafe { store(NOWHERE + 8) }; // bug=write
}

#[inline(never)]
pub(crate) fn null() {
    // SAFETY: faults, as ring 3 may not map anything there either.
    unsafe { load(0x18) }; // bug=null
}

#[inline(never)]
pub(crate) fn noncanonical() {
    // SAFETY: faults, as no address has these bits.
    unsafe { load(0x8000_dead_0000_0000) }; // bug=noncanonical
}

#[inline(never)]
pub(crate) fn jump() {
    // SAFETY: faults, as nothing is mapped there.
    unsafe { call(NOWHERE) }; // bug=jump
}

#[inline(never)]
pub(crate) fn rodata() {
    // SAFETY: faults, as constants are read-only.
    unsafe { store(CONSTANT.as_ptr() as u64) }; // bug=rodata
}

#[inline(never)]
pub(crate) fn text() {
    // SAFETY: faults, as code is read-only.
    unsafe { store(text as *const () as u64) }; // bug=text
}

#[inline(never)]
pub(crate) fn nx() {
    // SAFETY: faults, as data can't be executed; if they could, they would return.
    unsafe { call(&raw const DATA as u64) }; // bug=nx
}

/// Ring 3's stack, which has its arguments, outside of a user copy.
#[inline(never)]
pub(crate) fn smap() {
    let address = user_frame().rsp;
    // SAFETY: faults where the processor has SMAP; elsewhere it reads a word of the program's.
    unsafe { load(address) }; // bug=smap
}

/// Ring 3's code, once it is in memory.
#[inline(never)]
pub(crate) fn smep() {
    let entry = user_frame().rip;
    // Whether the byte could be had does not matter.
    let _ = uaccess::copy_from_user(&mut [0], entry);
    // SAFETY: faults where the processor has SMEP. Elsewhere this machine is lost, as the option's description says.
    unsafe { call(entry) }; // bug=smep
}

/// The entry of ring 3's stack page gets a bit that no processor has an address line for; a user copy finds it.
#[inline(never)]
pub(crate) fn reserved() {
    const HIGHEST_ADDRESS_BIT: u64 = 1 << 51;
    let address = user_frame().rsp;
    let leaf = paging::find(percpu::root(), address, 0).expect("init's arguments are on its stack");
    leaf.fetch_or(HIGHEST_ADDRESS_BIT, Relaxed);
    tlb::flush(VirtAddr::new(address));
    let _ = uaccess::copy_from_user(&mut [0], address); // bug=reserved
}

#[inline(never)]
pub(crate) fn divide() {
    // SAFETY: raises an exception and changes nothing.
    unsafe { asm!("xor edx, edx", "div edx", out("eax") _, out("edx") _) }; // bug=divide
}

#[inline(never)]
pub(crate) fn opcode() {
    // SAFETY: raises an exception and changes nothing.
    unsafe { asm!("ud2") }; // bug=opcode
}

/// In the timer's interrupt.
#[inline(never)]
pub(crate) fn interrupt() {
    // SAFETY: faults, as nothing is mapped there.
    unsafe { load(NOWHERE + 16) }; // bug=interrupt
}

/// One page of stack can be executed.
pub(crate) fn table_wx() {
    change(stack::boot_top() - PAGE, |bits| {
        bits & !Flags::NO_EXECUTE.bits()
    });
}

/// One page of stack, and all tables above it, are ring 3's as well.
pub(crate) fn table_user() {
    let address = stack::boot_top() - PAGE;
    for level in 0..=paging::TOP {
        let entry = paging::find(paging::root(), address, level).expect("the boot stack is mapped");
        entry.fetch_or(Flags::USER_ACCESSIBLE.bits(), Relaxed);
    }
}

/// The kernel's own tables show the first page of memory at address 0.
pub(crate) fn table_low() {
    let leaf = paging::leaf(0, paging::DATA);
    paging::reach(paging::root(), 0, 0, &mut paging::new_table)
        .expect("there is memory for three tables")
        .store(leaf, Relaxed);
}

/// The guard of the boot stack is a page of the same stack.
pub(crate) fn table_guard() {
    let page =
        paging::find(paging::root(), STACKS + 4 * PAGE, 0).expect("the boot stack is mapped");
    change(STACKS + 3 * PAGE, |_| page.load(Relaxed));
}

/// The direct map shows this code as writable.
pub(crate) fn table_alias() {
    change(own_alias(), |bits| bits | Flags::WRITABLE.bits());
}

/// The direct map shows this code as code.
pub(crate) fn table_direct() {
    change(own_alias(), |bits| bits & !Flags::NO_EXECUTE.bits());
}

/// Where the direct map shows this code.
fn own_alias() -> u64 {
    let (target, _) = paging::translate(paging::root(), own_alias as *const () as u64)
        .expect("this code is mapped");
    DIRECT_MAP + target
}

/// Makes another leaf of the one for a kernel page.
fn change(address: u64, to: impl Fn(u64) -> u64) {
    assert!(address >= KERNEL_HALF);
    let leaf = paging::find(paging::root(), address, 0).expect("the page has tables of its own");
    leaf.store(to(leaf.load(Relaxed)), Relaxed);
    tlb::flush(VirtAddr::new(address));
}

/// The registers with which the running thread will enter ring 3.
#[inline(never)]
fn user_frame() -> &'static TrapFrame {
    let top = percpu::kernel_rsp();
    assert!(top != 0, "no thread runs yet");
    // SAFETY: a thread that never ran has its frame at the top of its stack, which outlives this boot.
    unsafe { &*((top - size_of::<TrapFrame>() as u64) as *const TrapFrame) }
}

/// # Safety
/// None can be given: the caller wants a fault.
#[inline(always)]
unsafe fn load(address: u64) {
    // SAFETY: the caller's.
    unsafe { asm!("mov {}, [{}]", out(reg) _, in(reg) address, options(nostack)) };
}

/// # Safety
/// None can be given: the caller wants a fault.
#[inline(always)]
unsafe fn store(address: u64) {
    // SAFETY: the caller's.
    unsafe { asm!("mov qword ptr [{}], 0", in(reg) address, options(nostack)) };
}

/// # Safety
/// None can be given: the caller wants a fault.
#[inline(always)]
unsafe fn call(address: u64) {
    // SAFETY: the caller's.
    unsafe { asm!("call {}", in(reg) address, clobber_abi("C")) };
}
