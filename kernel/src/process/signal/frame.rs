//! The frame below a handler: Linux's `rt_sigframe`, written when the handler starts and read back when it is done.
//!
//! ```text
//! interrupted RSP
//!     128 bytes that leaf functions use, or the top of the alternate stack instead
//!     FP_XSTATE_MAGIC2
//!     registers as XSAVE stores them      at a multiple of 64
//!     abi::signal::Frame                  at 8 below a multiple of 16, as after a call
//! handler's RSP
//! ```
//! Reading it back trusts nothing: selectors become ring 3's or are refused by `iretq`, flags are masked, and
//! floating-point registers are checked before they are loaded.
use core::mem::offset_of;

use abi::general::{SA_ONSTACK, SA_RESTORER, SA_SIGINFO};
use abi::signal::{Frame, Registers, Stack, UC_FP_XSTATE, UC_SIGCONTEXT_SS, UC_STRICT_RESTORE_SS};

use super::deliver::block_again;
use super::set::SignalSet;
use super::state::Delivery;
use crate::arch::features::{Features, has};
use crate::arch::fpu_image;
use crate::arch::percpu;
use crate::arch::trap::TrapFrame;
use crate::arch::uaccess::{self, Fault};
use crate::process::current;

/// A frame as words.
type Words = [u64; word(size_of::<Frame>())];
/// What a return reads of it: not the information about the signal.
type Kept = [u64; word(offset_of!(Frame, info))];

/// What leaf functions use below the stack pointer without moving it.
const RED_ZONE: u64 = 128;

/// What `rt_sigreturn` may set of RFLAGS: the arithmetic flags, direction, stepping, resumption, alignment.
const FLAGS: u64 = 0x5_0dd5;
/// What a handler does not start with: direction, stepping, resumption.
const HANDLER_CLEARS: u64 = 0x1_0500;

const REFUSED: Fault = Fault { copied: 0 };

/// The index of the word at a byte of the frame.
const fn word(offset: usize) -> usize {
    offset / 8
}

/// The index of the word at a byte of the registers in the frame.
const fn register(offset: usize) -> usize {
    word(offset_of!(Frame, context.registers) + offset)
}

/// Each general register of a frame with its place in the trap frame.
macro_rules! registers {
    ($frame:expr) => {{
        let R {
            r8,
            r9,
            r10,
            r11,
            r12,
            r13,
            r14,
            r15,
            rdi,
            rsi,
            rbp,
            rbx,
            rdx,
            rax,
            rcx,
            rsp,
            rip,
            ..
        } = $frame;
        const FIRST: usize = register(offset_of!(Registers, r8_to_r15));
        [
            r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip,
        ]
        .into_iter()
        .enumerate()
        .map(|(index, register)| (FIRST + index, register))
    }};
}
use TrapFrame as R;

/// Where the parts of a frame go.
struct Place {
    frame: u64,
    fp_state: u64,
}

/// Writes the frame for a handler and has ring 3 continue in the handler. On failure nothing of `frame` has changed.
pub(super) fn push(frame: &mut TrapFrame, delivery: &Delivery) -> Result<(), Fault> {
    let place = place(frame, delivery).ok_or(REFUSED)?;
    percpu::with_current(|thread| fpu_image::store(&thread.fpu, place.fp_state))?;
    if !delivery.action.has(SA_RESTORER) {
        return Err(REFUSED);
    }
    let words = fill(frame, delivery, place.fp_state);
    uaccess::copy_words_to_user(place.frame, &words)?;
    frame.rip = delivery.action.handler;
    frame.rsp = place.frame;
    frame.rdi = delivery.info.signal().into();
    frame.rsi = place.frame + offset_of!(Frame, info) as u64;
    frame.rdx = place.frame + offset_of!(Frame, context) as u64;
    frame.rax = 0;
    frame.rflags &= !HANDLER_CLEARS;
    frame.use_user_segments();
    percpu::with_current(|thread| thread.fpu.reset());
    Ok(())
}

/// Finds room for the frame; `None` where it would reach below the alternate stack.
fn place(frame: &TrapFrame, delivery: &Delivery) -> Option<Place> {
    let stack = &delivery.stack;
    let below = frame.rsp.wrapping_sub(RED_ZONE);
    let wants = delivery.action.has(SA_ONSTACK);
    let entry = stack.entry(below).filter(|_| wants);
    let is_on = entry.is_some() || stack.is_in_use(frame.rsp);
    let start = entry.unwrap_or(below);
    let fp_state = start.wrapping_sub(fpu_image::frame_size() as u64) & !63;
    let at = (fp_state.wrapping_sub(size_of::<Frame>() as u64) & !15).wrapping_sub(8);
    (!is_on || stack.holds(at)).then_some(Place {
        frame: at,
        fp_state,
    })
}

fn fill(frame: &TrapFrame, delivery: &Delivery, fp_state: u64) -> Words {
    let mut words: Words = [0; _];
    let with_xsave = if has(Features::XSAVE) {
        UC_FP_XSTATE
    } else {
        0
    };
    let strict = if frame.is_64_bit() {
        UC_STRICT_RESTORE_SS
    } else {
        0
    };
    let Stack {
        start, flags, size, ..
    } = delivery.stack.as_set();
    let segments = frame.cs & 0xffff | (frame.ss & 0xffff) << 48;
    for (offset, value) in [
        (offset_of!(Frame, restorer), delivery.action.restorer),
        (
            offset_of!(Frame, context.flags),
            with_xsave | UC_SIGCONTEXT_SS | strict,
        ),
        (offset_of!(Frame, context.stack.start), start),
        (offset_of!(Frame, context.stack.flags), flags.into()),
        (offset_of!(Frame, context.stack.size), size),
        (offset_of!(Frame, context.registers.flags), frame.rflags),
        (offset_of!(Frame, context.registers.segments), segments),
        (
            offset_of!(Frame, context.registers.error),
            delivery.trap.error,
        ),
        (
            offset_of!(Frame, context.registers.trap),
            delivery.trap.number,
        ),
        (
            offset_of!(Frame, context.registers.old_mask),
            delivery.mask.0,
        ),
        (
            offset_of!(Frame, context.registers.cr2),
            delivery.trap.address.unwrap_or(0),
        ),
        (offset_of!(Frame, context.registers.fp_state), fp_state),
        (offset_of!(Frame, context.mask), delivery.mask.0),
    ] {
        words[word(offset)] = value;
    }
    for (index, value) in registers!(*frame) {
        words[index] = value;
    }
    if delivery.action.has(SA_SIGINFO) {
        let kept = delivery.info.words();
        words[word(offset_of!(Frame, info))..][..kept.len()].copy_from_slice(kept);
    }
    words
}

fn copy_in(address: u64) -> Result<Kept, Fault> {
    let mut words: Kept = [0; _];
    // The return address has been popped by the handler's `ret`; it need not be there any more.
    let from = offset_of!(Frame, context);
    uaccess::copy_words_from_user(&mut words[word(from)..], address + from as u64)?;
    Ok(words)
}

/// Has ring 3 continue where the frame at its stack pointer says.
pub(super) fn restore(frame: &mut TrapFrame) -> Result<(), Fault> {
    let at = frame.rsp.wrapping_sub(8);
    if at >= mm::space::USER_END.address() {
        return Err(REFUSED);
    }
    let words = copy_in(at)?;
    let at = |offset: usize| words[word(offset)];
    block_again(SignalSet(at(offset_of!(Frame, context.mask))));
    for (index, register) in registers!(frame) {
        *register = words[index];
    }
    let segments = at(offset_of!(Frame, context.registers.segments));
    let is_strict = at(offset_of!(Frame, context.flags)) & UC_STRICT_RESTORE_SS != 0;
    frame.set_segments(segments as u16, (segments >> 48) as u16);
    if !is_strict && frame.is_64_bit() {
        frame.use_user_stack_segment();
    }
    let flags = at(offset_of!(Frame, context.registers.flags));
    frame.rflags = frame.rflags & !FLAGS | flags & FLAGS;
    let fp_state = at(offset_of!(Frame, context.registers.fp_state));
    percpu::with_current(|thread| fpu_image::load(&thread.fpu, fp_state))?;
    let stack = Stack {
        start: at(offset_of!(Frame, context.stack.start)),
        flags: at(offset_of!(Frame, context.stack.flags)) as u32,
        padding: 0,
        size: at(offset_of!(Frame, context.stack.size)),
    };
    // Linux doesn't care either whether this makes sense, or comes from a handler that still runs on it.
    let _ = current().signals.set_alternate_stack(stack, frame.rsp);
    Ok(())
}
