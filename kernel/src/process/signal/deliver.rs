//! The last stop before ring 3: waiting signals act, and a call that one of them cut short is made again or not.
use abi::general::{SA_RESTART, SIGSEGV};
use abi::{Errno, Sysno};

use super::action::Action;
use super::force::{Cause, force};
use super::state::{Delivery, Next};
use super::{SignalSet, frame as frames};
use crate::arch::percpu::{self, Attention};
use crate::arch::trap::TrapFrame;
use crate::process::{current, exit, stop};

/// Bytes of the instruction `syscall`.
const CALL_LENGTH: u64 = 2;

/// Lets all waiting signals act on the running process. Several handlers stack up: the last one's runs first.
pub(crate) fn deliver(frame: &mut TrapFrame) {
    loop {
        // Nothing is held here that would be lost where the process ends.
        let next =
            percpu::with_current(|thread| thread.process.signals.change(super::state::State::next));
        match next {
            Next::Nothing => return undisturbed(frame),
            Next::End => exit::exit_current(),
            Next::Stop(signal) => stop::stand_still(signal),
            Next::Handle(delivery) => handle(frame, &delivery),
        }
    }
}

/// No handler runs: a call that gave up its wait is made again, and `rt_sigsuspend`'s mask is over.
fn undisturbed(frame: &mut TrapFrame) {
    match interruption(frame) {
        Some(Errno::ERESTART_RESTARTBLOCK) => again(frame, Sysno::restart_syscall.id() as u64),
        Some(_) => again(frame, frame.number),
        None => {}
    }
    let signals = &current().signals;
    signals.change(|state| {
        if let Some(mask) = state.thread.to_restore.take() {
            state.thread.blocked = mask;
        }
    });
    signals.call_attention();
}

/// With which of the `ERESTART` numbers the call in `frame` gave up, if it did.
fn interruption(frame: &TrapFrame) -> Option<Errno> {
    let answer = Errno::from_ret(frame.rax as usize).err()?;
    let restarts = [
        Errno::ERESTARTSYS,
        Errno::ERESTARTNOINTR,
        Errno::ERESTARTNOHAND,
        Errno::ERESTART_RESTARTBLOCK,
    ];
    (frame.is_call() && restarts.contains(&answer)).then_some(answer)
}

fn again(frame: &mut TrapFrame, call: u64) {
    frame.rax = call;
    frame.rip = frame.rip.wrapping_sub(CALL_LENGTH);
    frame.forget_call();
}

/// Has the handler run next, with all that the thread was at in a frame on its stack.
fn handle(frame: &mut TrapFrame, delivery: &Delivery) {
    settle_call(frame, &delivery.action);
    if frames::push(frame, delivery).is_ok() {
        current().signals.change(|state| state.entered(delivery));
        return;
    }
    // A second fault; the end if the signal was about one already.
    if delivery.info.signal() == SIGSEGV {
        current()
            .signals
            .change(|state| state.give_up_handler(SIGSEGV));
    }
    let cause = Cause::unnamed(SIGSEGV, "no room for a handler", frame.rsp);
    force(&cause, None, frame);
}

/// A handler runs: a call that gave up its wait answers `EINTR`, unless the handler wants such calls made again.
fn settle_call(frame: &mut TrapFrame, action: &Action) {
    match interruption(frame) {
        Some(Errno::ERESTARTNOINTR) => again(frame, frame.number),
        Some(Errno::ERESTARTSYS) if action.has(SA_RESTART) => again(frame, frame.number),
        Some(_) => frame.rax = (-i64::from(Errno::EINTR.into_raw())) as u64,
        None => {}
    }
    frame.forget_call();
}

/// rt_sigreturn(2): the handler is done, and what its frame says is believed as far as it may be. A frame that can't be
/// read, or holds registers that can't be loaded, is a fault.
pub(crate) fn return_from_handler(frame: &mut TrapFrame) {
    let restored = frames::restore(frame);
    frame.forget_call();
    current()
        .signals
        .change(|state| state.thread.unfinished = None);
    if restored.is_err() {
        let cause = Cause::unnamed(SIGSEGV, "a handler's frame that makes no sense", frame.rsp);
        force(&cause, None, frame);
    }
    // Also without news: the way out must load all that the frame holds, segments among it.
    percpu::raise(Attention::SIGNAL);
}

/// Sets what is blocked to what a handler's frame remembers.
pub(super) fn block_again(mask: SignalSet) {
    current()
        .signals
        .change(|state| state.thread.blocked = mask & !SignalSet::UNBLOCKABLE);
}
