//! Shows what becomes of every way to trap: `int n` for each n, and instructions that ring 3 may not or can't execute.
//!
//! Each is written into memory as bytes and called in a child, whose handler tells signal, code, vector, error code and
//! address, and where it happened. Left out is what depends on more than the architecture: `int 0x80`, which on Linux is
//! a system call of 32-bit programs where those are supported, and here a privileged gate like the others; `vmcall` and its
//! kin, which are a hypervisor's; `sysexit` and `monitor`, on which makers of processors disagree; `sgdt` and its kin,
//! which Linux may emulate. And what QEMU's TCG gets wrong: `int1`, alignment checks, SSE's unmasked exceptions, #SS for
//! non-canonical stacks, where a jump to a non-canonical address faults, far returns under SMAP, `lock mov`, and the error
//! code of a closed gate, which is twice the processor's.
#![no_std]
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed};

use rt::handler::{self, Context, Info};
use rt::memory::{Mapping, PROT_EXEC, PROT_READ};
use rt::process::{Status, exit, run_in_child};
use rt::signal::Signal;
use rt::{println, probe};

/// Linux's way into the kernel for 32-bit programs.
const CALL_GATE: u8 = 0x80;

/// Where the instructions of this child begin.
static CODE: AtomicUsize = AtomicUsize::new(0);
/// Traps of a single-stepped child so far.
static STEPS: AtomicU32 = AtomicU32::new(0);

const RETURN: u8 = 0xc3;
const TRAP_FLAG: u64 = 1 << 8;

type Case = (&'static str, &'static [u8]);

const UNDEFINED: &[Case] = &[
    ("ud2", &[0x0f, 0x0b]),
    ("ud1", &[0x0f, 0xb9, 0xc0]),
    ("into", &[0xce]),
    ("push es", &[0x06]),
    ("daa", &[0x27]),
    ("aam", &[0xd4, 0x0a]),
    ("salc", &[0xd6]),
    ("lock nop", &[0xf0, 0x90]),
    ("mov cs, eax", &[0x8e, 0xc8]),
    ("rsm", &[0x0f, 0xaa]),
    ("stac", &[0x0f, 0x01, 0xcb]),
    ("int3 in two bytes", &[0xcd, 0x03]),
];

const PRIVILEGED: &[Case] = &[
    ("hlt", &[0xf4]),
    ("cli", &[0xfa]),
    ("sti", &[0xfb]),
    ("in al, 0x80", &[0xe4, 0x80]),
    ("in eax, dx", &[0xed]),
    ("out 0xf4, al", &[0xe6, 0xf4]),
    ("insb", &[0x6c]),
    ("rep outsb", &[0xf3, 0x6e]),
    ("mov rax, cr2", &[0x0f, 0x20, 0xd0]),
    ("mov rax, cr8", &[0x44, 0x0f, 0x20, 0xc0]),
    ("mov rax, dr0", &[0x0f, 0x21, 0xc0]),
    ("lmsw ax", &[0x0f, 0x01, 0xf0]),
    ("lgdt [rsp]", &[0x0f, 0x01, 0x14, 0x24]),
    ("invlpg [rsp]", &[0x0f, 0x01, 0x3c, 0x24]),
    ("wrmsr", &[0x0f, 0x30]),
    ("rdmsr", &[0x0f, 0x32]),
    ("rdpmc", &[0x0f, 0x33]),
    ("swapgs", &[0x0f, 0x01, 0xf8]),
    ("xsetbv", &[0x0f, 0x01, 0xd1]),
    ("clts", &[0x0f, 0x06]),
    ("ltr ax", &[0x0f, 0x00, 0xd8]),
];

const MISTAKES: &[Case] = &[
    ("xgetbv", &[0x31, 0xc9, 0x0f, 0x01, 0xd0]),
    (
        "an instruction of 16 bytes",
        &[
            0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
            0x66, 0x90,
        ],
    ),
    ("movaps [rsp + 1]", &[0x0f, 0x28, 0x44, 0x24, 0x01]),
    (
        "fxsave [rsp - 0x301]",
        &[0x0f, 0xae, 0x84, 0x24, 0xff, 0xfc, 0xff, 0xff],
    ),
    (
        "store to 0x8000000000000000",
        &[
            0x48, 0x31, 0xc0, 0x48, 0xff, 0xc0, 0x48, 0xc1, 0xc8, 0x01, 0x88, 0x00,
        ],
    ),
    ("mov ds, 0x08", &[0xb8, 0x08, 0, 0, 0, 0x8e, 0xd8]),
    (
        "lss eax, [a null selector]",
        &[0x6a, 0x00, 0x0f, 0xb2, 0x04, 0x24],
    ),
    (
        "idiv of the smallest number by -1",
        &[0xb8, 0, 0, 0, 0x80, 0x99, 0x6a, 0xff, 0xf7, 0x3c, 0x24],
    ),
    // fldcw with one exception unmasked; what raises it; fwait.
    (
        "fsqrt of -1",
        &[
            0x68, 0x7e, 0x03, 0, 0, 0xd9, 0x2c, 0x24, 0xd9, 0xe8, 0xd9, 0xe0, 0xd9, 0xfa, 0x9b,
        ],
    ),
    (
        "fdivp by 0",
        &[
            0x68, 0x7b, 0x03, 0, 0, 0xd9, 0x2c, 0x24, 0xd9, 0xe8, 0xd9, 0xee, 0xde, 0xf9, 0x9b,
        ],
    ),
];

/// Single steps: through a system call (getpid), and through an instruction that faults.
const STEPPED: &[Case] = &[
    (
        "steps through a system call",
        &[0xb8, 39, 0, 0, 0, 0x0f, 0x05, 0x90, 0x90, RETURN],
    ),
    ("a step onto ud2", &[0x90, 0x0f, 0x0b]),
    ("a step onto hlt", &[0xf4]),
    ("a step onto int3", &[0x90, 0xcc, 0x90]),
    (
        "a step onto a load of nothing",
        &[0x90, 0xa0, 0, 0, 0, 0, 0, 0, 0, 0],
    ),
];

fn main() {
    for number in (0..=255).filter(|&number| number != CALL_GATE) {
        case(format_args!("int {number:#04x}"), &[0xcd, number], 0);
    }
    for &(name, code) in [UNDEFINED, PRIVILEGED, MISTAKES].into_iter().flatten() {
        case(format_args!("{name}"), code, 0);
    }
    for &(name, code) in STEPPED {
        case(format_args!("{name}"), code, TRAP_FLAG);
    }
}

/// Tells what happened; a step goes on until the flag's work is done, anything else is the end.
extern "C" fn tell(number: i32, info: &mut Info, context: &mut Context) {
    let registers = &context.registers;
    let code = CODE.load(Relaxed) as u64;
    let (signal, trap) = (Signal(number as u32), registers.trap);
    let error = if is_closed_gate(registers.error, trap) {
        0
    } else {
        registers.error
    };
    let at = Place(registers.rip, code);
    let address = Place(info.address(), code);
    println!(
        "  {signal} code {:#x}, vector {trap}, error {error:#x}, at {at}, si_addr {address}",
        info.code
    );
    if signal != Signal::TRAP || trap != 1 || registers.flags & TRAP_FLAG == 0 {
        exit(0);
    }
    if STEPS.fetch_add(1, Relaxed) == 6 {
        context.registers.flags &= !TRAP_FLAG;
    }
}

/// Whether a general protection fault is about a gate: bit 1 of the error code says that its rest is a vector.
fn is_closed_gate(error: u64, trap: u64) -> bool {
    trap == 13 && error & 0b10 != 0
}

/// An address, relative to the code if it lies there.
struct Place(u64, u64);

impl core::fmt::Display for Place {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let &Self(address, code) = self;
        match address.wrapping_sub(code) {
            offset @ 0..64 => write!(f, "+{offset}"),
            _ if address == 0 || address >> 63 == 1 => write!(f, "{address:#x}"),
            _ => f.write_str("elsewhere"),
        }
    }
}

/// Runs `code` in a child, with `flags` set in the flags register.
fn case(name: core::fmt::Arguments<'_>, code: &[u8], flags: u64) {
    println!("{name}:");
    let status = run_in_child(|| {
        let memory = Mapping::new(1);
        let start = memory.page(0);
        let mut at = start;
        let mut put = |bytes: &[u8]| {
            for &byte in bytes {
                probe::store(at, byte);
                at += 1;
            }
            at
        };
        if flags != 0 {
            // pushfq; or [rsp], flags; popfq
            put(&[0x9c, 0x81, 0x0c, 0x24]);
            put(&(flags as u32).to_le_bytes());
            CODE.store(put(&[0x9d]), Relaxed);
        } else {
            CODE.store(start, Relaxed);
        }
        put(code);
        put(&[RETURN]);
        memory
            .protect(0, 1, PROT_READ | PROT_EXEC)
            .expect("mprotect");
        handler::handle_faults(tell);
        probe::call(start);
        println!("  comes back");
        0
    });
    if status != Status::Exited(0) {
        println!("  {status}");
    }
}
