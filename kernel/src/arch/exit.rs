//! The end of the machine: under QEMU with an exit code that reaches the command line, elsewhere by ACPI.
//!
//! `exit=qemu` on the command line says that QEMU's debug devices are there: the code goes to port 0xe9, then what kind
//! of end it was to port 0xf4, which ends QEMU. Else the machine is switched off (`firmware.rs`), and one that can't be
//! halts with a last word on the screen.
use x86_64::VirtAddr;
use x86_64::instructions::port::Port;
use x86_64::instructions::tables::lidt;
use x86_64::structures::DescriptorTablePointer;

use super::{firmware, interrupts};
use crate::console;
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
    /// This is no machine for the kernel.
    Refused = 0x13,
}

/// The first process has ended with `code`, and with it all that there was to do.
pub(crate) fn end(code: u8) -> ! {
    tell_host(Kind::Ended, code);
    log::info!("init has ended with code {code}");
    switch_off()
}

/// The report of a bug is out.
pub(super) fn panicked() -> ! {
    tell_host(Kind::Panicked, u8::MAX);
    stay()
}

/// The kernel can't run on this machine, and has said why.
pub(crate) fn refused() -> ! {
    tell_host(Kind::Refused, u8::MAX);
    stay()
}

/// Switches the machine off, or says that somebody may.
pub(crate) fn power_off() -> ! {
    tell_host(Kind::Asked, 0);
    switch_off()
}

/// Stops without switching off.
pub(crate) fn halt() -> ! {
    tell_host(Kind::Asked, 0);
    log::info!("halted");
    log::logger().flush();
    stay()
}

/// Starts the machine anew, by one of the ways that there are: firmware's own, the chipset's, the keyboard
/// controller's, which holds the reset line, and at last an exception that can't be delivered.
pub(crate) fn restart() -> ! {
    tell_host(Kind::Asked, 0);
    log::info!("restarting");
    log::logger().flush();
    interrupts::disable();
    firmware::reset();
    let chips = [
        ("chipset", 0xcf9, &[0x02, 0x06][..]),
        ("keyboard controller", 0x64, &[0xfe]),
    ];
    for (chip, port, values) in chips {
        // Each is asked only where all before it did nothing.
        log::info!("restarting by the {chip}");
        log::logger().flush();
        for &value in values {
            // SAFETY: the machine ends here.
            unsafe { Port::<u8>::new(port).write(value) };
        }
        firmware::wait_until(|| false);
    }
    log::info!("restarting by an exception");
    log::logger().flush();
    let nothing = DescriptorTablePointer {
        limit: 0,
        base: VirtAddr::zero(),
    };
    // SAFETY: the machine ends here, by the exception that now finds no handler, nor one for that.
    unsafe { lidt(&nothing) };
    x86_64::instructions::interrupts::int3();
    interrupts::halt_forever()
}

fn switch_off() -> ! {
    // Behind `tell_host`, QEMU's exit device may be about to end it with a code.
    if options::get().exit == Exit::Halt {
        log::info!("switching the machine off");
        log::logger().flush();
        interrupts::disable();
        firmware::switch_off();
    }
    log::info!("the machine can be switched off");
    log::logger().flush();
    stay()
}

/// Nothing is left to do but to show the log to whoever is there. QEMU's exit device is not kept waiting.
fn stay() -> ! {
    interrupts::disable();
    match options::get().exit {
        Exit::Halt => console::look_around(),
        Exit::Qemu => interrupts::halt_forever(),
    }
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
