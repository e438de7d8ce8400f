//! Hands the kernel frames that no handler ever had: `rt_sigreturn` must load what ring 3 may have, and refuse the rest as
//! a fault of the program's, never of its own.
#![no_std]
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use rt::handler::{self, Context, Frame, Info, return_to};
use rt::memory::{Mapping, PAGE, PROT_NONE, PROT_READ};
use rt::process::{Status, exit, run_in_child};
use rt::signal::Signal;
use rt::{println, probe};

/// What a case changes in a good frame.
type Change = fn(&mut Context);

/// Where the floating-point registers' marks and header stand in their image.
const SIZE_MARK: u64 = 480;
const MXCSR: u64 = 24;
const PRESENT: u64 = 512;

static CHANGE: AtomicU64 = AtomicU64::new(0);

const CASES: [(&str, Change); 27] = [
    ("nothing", |_| {}),
    ("RIP 0", |context| context.registers.rip = 0),
    ("RIP non-canonical", |context| {
        context.registers.rip = 1 << 63
    }),
    ("RIP just behind the user half", |context| {
        context.registers.rip = 1 << 47
    }),
    ("RIP the kernel's", |context| {
        context.registers.rip = 0xffff_ffff_8100_0000
    }),
    ("RSP the kernel's, used at once", |context| {
        context.registers.rsp = 0xffff_8000_0000_0000
    }),
    ("CS 0", |context| context.registers.segments &= !0xffff),
    ("CS of ring 0", |context| set_segment(context, 0, 0x10)),
    ("CS a data segment", |context| set_segment(context, 0, 0x2b)),
    ("CS the task state", |context| set_segment(context, 0, 0x40)),
    ("CS beyond the table", |context| {
        set_segment(context, 0, 0xfff8)
    }),
    ("SS 0", |context| set_segment(context, 48, 0)),
    ("SS of ring 0", |context| set_segment(context, 48, 0x18)),
    ("SS a code segment", |context| {
        set_segment(context, 48, 0x33)
    }),
    ("SS beyond the table", |context| {
        set_segment(context, 48, 0xfff8)
    }),
    ("SS 0, but not to be restored strictly", |context| {
        context.flags &= !4;
        set_segment(context, 48, 0)
    }),
    (
        "all flags but stepping, resumption and alignment",
        |context| context.registers.flags = !0x5_0100,
    ),
    ("no floating-point state", |context| {
        context.registers.fp_state = 0
    }),
    ("floating-point state nowhere", |context| {
        context.registers.fp_state = 0x1000
    }),
    ("floating-point state in the kernel", |context| {
        context.registers.fp_state = 1 << 63
    }),
    ("floating-point state at an odd place", |context| {
        context.registers.fp_state += 1
    }),
    ("reserved bits of MXCSR", |context| {
        poke(context, MXCSR, u64::MAX)
    }),
    ("components that there are none of", |context| {
        poke(context, PRESENT, u64::MAX)
    }),
    ("a compacted header", |context| {
        poke(context, PRESENT + 8, 1 << 63)
    }),
    ("a size that is none", |context| {
        poke(context, SIZE_MARK, u64::MAX)
    }),
    ("no mark at the end", wipe_end),
    ("all but the legacy part out of reach", hide_end),
];

fn set_segment(context: &mut Context, shift: u32, selector: u64) {
    let segments = &mut context.registers.segments;
    *segments = *segments & !(0xffff << shift) | selector << shift;
}

fn poke(context: &Context, offset: u64, word: u64) {
    probe::store_word((context.registers.fp_state + offset) as usize, word);
}

/// How many bytes the image says it has, before the mark at its end.
fn image_size(context: &Context) -> u64 {
    let size = probe::load_word((context.registers.fp_state + SIZE_MARK) as usize);
    size & u64::from(u32::MAX)
}

/// Clears the four bytes of the mark, and not what comes behind them.
fn wipe_end(context: &mut Context) {
    let end = image_size(context);
    let word = probe::load_word((context.registers.fp_state + end) as usize);
    poke(context, end, word & !u64::from(u32::MAX));
}

/// The image goes on in a page that can't be read.
fn hide_end(context: &mut Context) {
    let memory = Mapping::new(2);
    let copy = memory.page(1) - PRESENT as usize;
    for offset in (0..PRESENT as usize).step_by(8) {
        let word = probe::load_word(context.registers.fp_state as usize + offset);
        probe::store_word(copy + offset, word);
    }
    memory.protect(1, 1, PROT_NONE).expect("mprotect");
    context.registers.fp_state = copy as u64;
}

extern "C" fn change(_: i32, _: &mut Info, context: &mut Context) {
    let (_, change) = CASES[CHANGE.load(Relaxed) as usize];
    change(context);
}

extern "C" fn tell(number: i32, info: &mut Info, context: &mut Context) {
    let registers = &context.registers;
    println!(
        "  {}: code {}, vector {}, CS {:#x}",
        Signal(number as u32),
        info.code,
        registers.trap,
        registers.segments & 0xffff
    );
    exit(0)
}

fn main() {
    let stack = Mapping::new(16);
    for (index, (name, _)) in CASES.iter().enumerate() {
        CHANGE.store(index as u64, Relaxed);
        println!("{name}:");
        let status = run_in_child(|| {
            handler::set_stack(stack.page(0), stack.length(), 0).expect("sigaltstack");
            for signal in [Signal::SEGV, Signal::BUS, Signal::ILL, Signal::FPE] {
                handler::handle(signal, tell, rt::abi::general::SA_ONSTACK);
            }
            handler::handle(Signal::USR1, change, 0);
            handler::raise(Signal::USR1);
            println!("  goes on");
            0
        });
        if status != Status::Exited(0) {
            println!("  {status}");
        }
    }
    places();
    noise();
}

/// Frames where none can be.
fn places() {
    let page = Mapping::new(2);
    page.protect(1, 1, PROT_READ).expect("mprotect");
    for (name, address) in [
        ("address 0", 0),
        ("address 8", 8),
        ("an unmapped address", 0x10_0000),
        ("the last bytes of the user half", 0x7fff_ffff_efff),
        ("the end of the address space", usize::MAX),
        ("the kernel", 0xffff_ffff_8100_0000),
        ("a non-canonical address", 1 << 63),
        ("zeroes", page.page(0) + 8),
        ("zeroes in a read-only page", page.page(1) + 8),
    ] {
        println!("a frame at {name}: {}", run_in_child(|| return_to(address)));
    }
}

/// Frames of random numbers: whatever they do, they do it to their process alone.
fn noise() {
    const FRAMES: u32 = 300;
    let memory = Mapping::new(4);
    let mut state = 1u64;
    for _ in 0..FRAMES {
        for address in (memory.page(0)..memory.page(4)).step_by(8) {
            state = next(state);
            probe::store_word(address, sparse(state));
        }
        let at = memory.page(0) + state as usize % PAGE / 8 * 8;
        // Half of them with pointers that lead somewhere.
        if state & 1 << 40 != 0 {
            let registers = at + core::mem::offset_of!(Frame, context.registers);
            let fp_state = registers + core::mem::offset_of!(rt::handler::Registers, fp_state);
            probe::store_word(fp_state - 8, memory.page(2) as u64);
        }
        let status = run_in_child(|| {
            // A random instruction pointer may lead back into this program, and that into a loop.
            rt::time::interval::alarm(2);
            return_to(at)
        });
        assert!(matches!(status, Status::Killed(_)), "{status}");
    }
    println!("{FRAMES} frames of noise: the kernel goes on");
}

fn next(state: u64) -> u64 {
    let state = state ^ state << 13;
    let state = state ^ state >> 7;
    state ^ state << 17
}

/// Numbers of all magnitudes.
fn sparse(state: u64) -> u64 {
    match state & 3 {
        0 => state >> (state >> 58),
        1 => state & 0xffff,
        2 => 0,
        _ => state,
    }
}
