//! What happened, in words: the exception, its error code bit by bit, and what kind of mistake makes such a one.
use x86_64::structures::idt::PageFaultErrorCode as Code;

use crate::arch::idt::vector;
use crate::arch::layout::{DIRECT_MAP, DIRECT_MAP_SIZE, KERNEL_HALF};
use crate::arch::trap::TrapFrame;
use crate::arch::{direct_map, stack};

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

/// Below it, an address is a null pointer plus the offset of a field.
const NULL_PAGES: u64 = 1 << 16;

/// The lines that say what the exception in `frame` was, at `address` where it was about memory.
pub(super) fn say(frame: &TrapFrame, address: Option<u64>) {
    let name = usize::try_from(frame.number)
        .ok()
        .and_then(|number| NAMES.get(number))
        .unwrap_or(&"interrupt");
    let ring = frame.cs & 3;
    match address {
        Some(address) => log::error!(
            "kernel panic: {name} at address {address:#x}, error code {:#x}, in ring {ring}",
            frame.error
        ),
        None => log::error!(
            "kernel panic: {name}, error code {:#x}, in ring {ring}",
            frame.error
        ),
    }
    if let Some(address) = address.filter(|_| frame.number == vector::PAGE_FAULT) {
        let code = Code::from_bits_truncate(frame.error);
        log::error!("{}: {}", access(code), guess(code, address));
    }
    if let Some((low, high)) = address.and_then(stack::overrun) {
        log::error!("the kernel stack {low:#x}-{high:#x} has overrun its end");
    }
    if frame.number == 13 && frame.error == 0 {
        log::error!("a non-canonical address, or an operand that the instruction refuses");
    }
}

/// The error code's bits, as a sentence.
fn access(code: Code) -> &'static str {
    let present = code.contains(Code::PROTECTION_VIOLATION);
    if code.contains(Code::MALFORMED_TABLE) {
        return "a walk of the page tables";
    }
    if code.contains(Code::INSTRUCTION_FETCH) {
        return if present {
            "an instruction fetch from a page that is present"
        } else {
            "an instruction fetch from a page that is absent"
        };
    }
    match (code.contains(Code::CAUSED_BY_WRITE), present) {
        (true, true) => "a write to a page that is present",
        (true, false) => "a write to a page that is absent",
        (false, true) => "a read of a page that is present",
        (false, false) => "a read of a page that is absent",
    }
}

/// What the kernel must have done for this.
fn guess(code: Code, address: u64) -> &'static str {
    let fetch = code.contains(Code::INSTRUCTION_FETCH);
    let present = code.contains(Code::PROTECTION_VIOLATION);
    if code.contains(Code::MALFORMED_TABLE) {
        "a reserved bit is set in a page-table entry, the tables are corrupt"
    } else if address < NULL_PAGES {
        "a null pointer"
    } else if address < KERNEL_HALF && fetch {
        "the kernel jumped into ring 3's half (SMEP stops that)"
    } else if address < KERNEL_HALF && present {
        "ring 3's memory outside of a user copy (SMAP stops that)"
    } else if address < KERNEL_HALF {
        "an address of ring 3's half outside of a user copy"
    } else if fetch && present {
        "data were to be executed"
    } else if present && code.contains(Code::CAUSED_BY_WRITE) {
        "the page is read-only"
    } else if is_beyond_memory(address) {
        "the direct map has no such memory"
    } else {
        "a bad kernel pointer"
    }
}

/// Whether `address` would be in the direct map of a machine with more memory.
fn is_beyond_memory(address: u64) -> bool {
    address
        .checked_sub(DIRECT_MAP)
        .is_some_and(|physical| physical < DIRECT_MAP_SIZE && !direct_map::shows(physical))
}
