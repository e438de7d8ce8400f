//! The interrupt flag: short sections that nothing on this CPU may enter, and the idle wait.
use x86_64::instructions::interrupts as flag;

/// Lets interrupts in.
pub(crate) fn enable() {
    flag::enable();
}

/// Keeps interrupts out.
pub(crate) fn disable() {
    flag::disable();
}

/// Whether interrupts come in.
pub(crate) fn are_enabled() -> bool {
    flag::are_enabled()
}

/// Runs `body` with interrupts off and puts the flag back as it was.
pub(crate) fn without<R>(body: impl FnOnce() -> R) -> R {
    flag::without_interrupts(body)
}

/// Lets interrupts in and sleeps until the next one, without a gap between the two; returns with interrupts off.
pub(crate) fn wait() {
    flag::enable_and_hlt();
    flag::disable();
}

/// Stops this CPU for good.
pub(crate) fn halt_forever() -> ! {
    flag::disable();
    loop {
        x86_64::instructions::hlt();
    }
}
