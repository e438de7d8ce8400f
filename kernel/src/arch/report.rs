//! The report of a bug in the kernel: what happened, where, the registers, and the way there, then the end.
//!
//! It trusts nothing: no lock is waited for, and each step of the backtrace is looked up in the page tables before it is
//! read. If the report itself goes wrong, the second attempt is only the end.
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use x86_64::registers::control::{Cr2, Cr3};

use super::idt::vector;
use super::trap::TrapFrame;
use super::{exit, interrupts, paging, percpu, stack};

/// Frames of a backtrace at most.
const DEPTH: usize = 64;

static BEGUN: AtomicBool = AtomicBool::new(false);

/// Intel's names, by vector.
const NAMES: [&str; 22] = [
    "divide error",
    "debug exception",
    "non-maskable interrupt",
    "breakpoint",
    "overflow",
    "bound range exceeded",
    "invalid opcode",
    "device not available",
    "double fault",
    "coprocessor segment overrun",
    "invalid TSS",
    "segment not present",
    "stack-segment fault",
    "general protection fault",
    "page fault",
    "exception 15",
    "floating-point error",
    "alignment check",
    "machine check",
    "SIMD floating-point error",
    "virtualization exception",
    "control protection exception",
];

/// For `#[panic_handler]`.
pub(crate) fn panic(info: &PanicInfo) -> ! {
    begin();
    log::error!("kernel panic: {}", info.message());
    if let Some(location) = info.location() {
        log::error!("at {location}");
    }
    backtrace(own_frame_pointer());
    exit::panicked()
}

/// The kernel itself faulted where it must not, at `address`.
pub(crate) fn kernel_fault(frame: &TrapFrame, address: u64) -> ! {
    kernel_bug(frame, Some(address))
}

/// An exception in ring 0 that nobody expects.
pub(super) fn kernel_bug(frame: &TrapFrame, address: Option<u64>) -> ! {
    begin();
    let name = usize::try_from(frame.number)
        .ok()
        .and_then(|number| NAMES.get(number))
        .unwrap_or(&"interrupt");
    match address {
        Some(address) => log::error!(
            "kernel panic: {name} at address {address:#x}, error code {:#x}",
            frame.error
        ),
        None => log::error!("kernel panic: {name}, error code {:#x}", frame.error),
    }
    if address.is_some_and(stack::is_guard) {
        log::error!("a kernel stack has overrun its end");
    }
    registers(frame);
    log::error!("backtrace: {:#x}", frame.rip);
    backtrace(frame.rbp);
    exit::panicked()
}

/// NMI, double fault or machine check: each is the end.
pub(super) fn emergency(frame: &TrapFrame) -> ! {
    let address = (frame.number == vector::DOUBLE_FAULT).then(Cr2::read_raw);
    kernel_bug(frame, address)
}

/// Nothing interrupts a report; a report of the report is not made.
fn begin() {
    interrupts::disable();
    if BEGUN.swap(true, Relaxed) {
        exit::panicked();
    }
    crate::log::enter_panic();
}

fn registers(frame: &TrapFrame) {
    let f = frame;
    log::error!(
        "rip {:016x}  cs  {:016x}  rflags {:016x}",
        f.rip,
        f.cs,
        f.rflags
    );
    log::error!(
        "rsp {:016x}  ss  {:016x}  cr2    {:016x}",
        f.rsp,
        f.ss,
        Cr2::read_raw()
    );
    log::error!(
        "rax {:016x}  rbx {:016x}  rcx    {:016x}",
        f.rax,
        f.rbx,
        f.rcx
    );
    log::error!(
        "rdx {:016x}  rsi {:016x}  rdi    {:016x}",
        f.rdx,
        f.rsi,
        f.rdi
    );
    log::error!(
        "rbp {:016x}  r8  {:016x}  r9     {:016x}",
        f.rbp,
        f.r8,
        f.r9
    );
    log::error!(
        "r10 {:016x}  r11 {:016x}  r12    {:016x}",
        f.r10,
        f.r11,
        f.r12
    );
    log::error!(
        "r13 {:016x}  r14 {:016x}  r15    {:016x}",
        f.r13,
        f.r14,
        f.r15
    );
    let (table, cr3) = (Cr3::read_raw().0.start_address(), percpu::root());
    log::error!(
        "cr3 {:016x}, should be {cr3:016x}; CPU {}",
        table,
        percpu::index()
    );
}

/// Lines with the return addresses, from the frame pointer `rbp` on; the host puts names to them.
fn backtrace(mut rbp: u64) {
    for _ in 0..DEPTH {
        let Some([caller, address]) = frame_at(rbp) else {
            return;
        };
        log::error!("backtrace: {address:#x}");
        // Frames of callers lie above.
        if caller <= rbp {
            return;
        }
        rbp = caller;
    }
}

/// The saved frame pointer and the return address at `rbp`, if both can be read.
fn frame_at(rbp: u64) -> Option<[u64; 2]> {
    let above = rbp.checked_add(8)?;
    let words = [rbp, above].map(|address| {
        // SAFETY: the page tables show this aligned word, and the kernel's words can be read as numbers.
        paging::is_readable(address).then(|| unsafe { (address as *const u64).read_volatile() })
    });
    let [Some(caller), Some(address)] = words else {
        return None;
    };
    (address != 0).then_some([caller, address])
}

#[inline(always)]
fn own_frame_pointer() -> u64 {
    let rbp;
    // SAFETY: reads a register.
    unsafe {
        core::arch::asm!("mov {}, rbp", out(reg) rbp, options(nomem, nostack, preserves_flags))
    };
    rbp
}
