//! The report of a bug in the kernel: what happened and where, the registers, the page tables, the process, the way there;
//! then the end.
//!
//! It trusts nothing: no lock is waited for, no memory is allocated, and what it follows is looked up in the page tables
//! before it is read. Where the report itself goes wrong, the second attempt says in a few lines what and where, and a
//! third one is only the end. Addresses come as `instruction: 0x…` (what runs there) and `backtrace: 0x…` (behind a call);
//! whoever has the symbols (`boot/src/symbols.rs`) puts function, file and line to them.
mod backtrace;
mod cause;
mod registers;
mod walk;

use core::panic::PanicInfo;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use x86_64::registers::control::Cr2;

use super::idt::vector;
use super::trap::TrapFrame;
use super::{exit, interrupts, machine_check};
use backtrace::{after_fault, from_here};

/// How often a report was begun.
static BEGUN: AtomicU32 = AtomicU32::new(0);

/// What the report can still say.
enum Extent {
    /// All.
    Full,
    /// The full report went wrong: only what and where.
    Nested,
}

/// For `#[panic_handler]`.
pub(crate) fn panic(info: &PanicInfo) -> ! {
    let extent = begin();
    log::error!("kernel panic: {}", info.message());
    if let Some(location) = info.location() {
        log::error!("at {location}");
    }
    if let Extent::Full = extent {
        registers::control();
        crate::process::describe(None);
    }
    from_here();
    exit::panicked()
}

/// The kernel itself faulted where it must not, at `address`.
pub(crate) fn kernel_fault(frame: &TrapFrame, address: u64) -> ! {
    kernel_bug(frame, Some(address))
}

/// An exception in ring 0 that nobody expects; `address` is what could not be accessed, where that is known.
pub(super) fn kernel_bug(frame: &TrapFrame, address: Option<u64>) -> ! {
    let extent = begin();
    cause::say(frame, address);
    if frame.number == vector::MACHINE_CHECK {
        machine_check::tell();
    }
    log::error!("instruction: {:#x}", frame.rip);
    if let Extent::Full = extent {
        registers::all(frame);
        if let Some(address) = address {
            walk::show(address);
        }
        crate::process::describe(address);
    }
    after_fault(frame);
    exit::panicked()
}

/// Double fault or machine check: each is the end.
pub(super) fn emergency(frame: &TrapFrame) -> ! {
    let address = (frame.number == vector::DOUBLE_FAULT).then(Cr2::read_raw);
    kernel_bug(frame, address)
}

/// Nothing interrupts a report. Says how much of it is worth trying.
fn begin() -> Extent {
    interrupts::disable();
    let before = BEGUN.fetch_add(1, Relaxed);
    if before > 1 {
        exit::panicked();
    }
    crate::log::enter_panic();
    if before == 0 {
        return Extent::Full;
    }
    crate::log::end_line_in_panic();
    log::error!("the report of this bug met another one:");
    Extent::Nested
}
