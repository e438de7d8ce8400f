//! Shows what becomes of a signal whose handler has no room for its frame: a fault, told to SIGSEGV's handler where that
//! one has a stack of its own, and the end where it can't be told.
#![no_std]
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use rt::abi::general::SA_ONSTACK;
use rt::handler::{self, Action, Context, Info};
use rt::memory::{Mapping, PAGE, PROT_READ};
use rt::process::{self, run_in_child};
use rt::signal::Signal;
use rt::{println, probe};

/// Where nothing is mapped.
const NOWHERE: usize = 0x10_0008;

fn main() {
    let memory = Mapping::new(16);
    let stack = Mapping::new(4);
    stack.protect(0, 2, PROT_READ).expect("mprotect");
    let blocked = handler::set(&[Signal::SEGV]) as usize;
    for (name, stack, mask) in [
        ("a stack nowhere", NOWHERE, 0),
        ("half of the frame can be written", stack.page(2), 0),
        ("SIGSEGV is blocked", NOWHERE, blocked),
    ] {
        NEXT_STACK.store(stack, Relaxed);
        NEXT_MASK.store(mask, Relaxed);
        println!("{name}:");
        let status = run_in_child(|| {
            handler::set_stack(memory.page(0), memory.length(), 0).expect("sigaltstack");
            handler::handle(Signal::SEGV, tell, SA_ONSTACK);
            handler::handle(Signal::USR1, unreached, 0);
            let waiting = handler::set(&[Signal::USR1]);
            let action = Action::new(corner, 0).blocking(waiting);
            handler::act(Signal::USR2, action).expect("rt_sigaction");
            handler::set_mask(waiting);
            handler::raise(Signal::USR1);
            handler::raise(Signal::USR2);
            println!("  goes on");
            0
        });
        println!("  {status}");
    }
}

/// What the next return from a handler goes on with: the stack pointer, and what is blocked.
static NEXT_STACK: AtomicUsize = AtomicUsize::new(0);
static NEXT_MASK: AtomicUsize = AtomicUsize::new(0);

/// How much of a frame that is cut in two can be written, beside its floating-point registers.
const CUT: usize = 200;

/// Runs first: returns to where the next signal, which waits for the return, finds no room.
extern "C" fn corner(_: i32, _: &mut Info, context: &mut Context) {
    let stack = match NEXT_STACK.load(Relaxed) {
        boundary if boundary.is_multiple_of(PAGE) => {
            boundary + CUT + image_size(context) + 128 + 64
        }
        nowhere => nowhere,
    };
    context.registers.rsp = stack as u64;
    context.mask = NEXT_MASK.load(Relaxed) as u64;
}

/// Bytes that the floating-point registers take in a frame: their image says so, where there is more than 512.
fn image_size(context: &Context) -> usize {
    const MARK: usize = 464;
    let marks = probe::load_word(context.registers.fp_state as usize + MARK);
    match marks >> 32 {
        0 => 512,
        size => size as usize,
    }
}

extern "C" fn unreached(_: i32, _: &mut Info, _: &mut Context) {
    println!("  the handler runs");
}

extern "C" fn tell(number: i32, info: &mut Info, context: &mut Context) {
    let registers = &context.registers;
    println!(
        "  {}: code {}, address {:#x}, vector {}, error {:#x}",
        Signal(number as u32),
        info.code,
        info.fields[0],
        registers.trap,
        registers.error
    );
    process::exit(0)
}
