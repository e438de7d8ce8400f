//! The end of the machine: under QEMU with an exit code that reaches the command line, elsewhere as far as possible.
//!
//! `exit=qemu` on the command line says that QEMU's debug devices are there: the code goes to port 0xe9, then what kind
//! of end it was to port 0xf4, which ends QEMU. A real machine halts with a last word on the screen; to switch it off
//! needs ACPI's interpreter.
use x86_64::instructions::port::Port;

use super::interrupts;
use crate::options::{self, Exit};

/// What the host is told of the end.
#[derive(Clone, Copy)]
#[repr(u32)]
enum Kind {
    /// Init has ended, with the code sent before.
    Ended = 0x10,
    /// The kernel found a bug in itself.
    Panicked = 0x11,
    /// Somebody asked for it with reboot(2).
    Asked = 0x12,
}

/// The first process has ended with `code`, and with it all that there was to do.
pub(crate) fn end(code: u8) -> ! {
    tell_host(Kind::Ended, code);
    log::info!("init has ended with code {code}; the machine can be switched off");
    interrupts::halt_forever()
}

/// The report of a bug is out.
pub(super) fn panicked() -> ! {
    tell_host(Kind::Panicked, u8::MAX);
    interrupts::halt_forever()
}

/// Switches the machine off, or says that somebody may.
pub(crate) fn power_off() -> ! {
    tell_host(Kind::Asked, 0);
    log::info!("the machine can be switched off");
    interrupts::halt_forever()
}

/// Stops without switching off.
pub(crate) fn halt() -> ! {
    tell_host(Kind::Asked, 0);
    log::info!("halted");
    interrupts::halt_forever()
}

/// Starts the machine anew, through the keyboard controller, which holds the reset line.
pub(crate) fn restart() -> ! {
    const KEYBOARD: u16 = 0x64;
    const PULSE_RESET: u8 = 0xfe;
    tell_host(Kind::Asked, 0);
    log::info!("restarting");
    // SAFETY: the machine ends here.
    unsafe { Port::new(KEYBOARD).write(PULSE_RESET) };
    interrupts::halt_forever()
}

/// Ends QEMU, if that is what runs us; what is on its way to the host arrives first.
fn tell_host(kind: Kind, code: u8) {
    log::logger().flush();
    if options::get().exit != Exit::Qemu {
        return;
    }
    // SAFETY: the command line says that the debug console is there.
    unsafe { Port::new(0xe9).write(code) };
    // SAFETY: the command line says that the exit device is there.
    unsafe { Port::new(0xf4).write(kind as u32) };
}
