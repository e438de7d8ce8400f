//! What firmware left in memory: ACPI's tables, where they are, and the registers that they name.
//!
//! The tables are read once, at boot, while all is well, and the registers mapped; the end of the machine then takes no
//! lock and no memory.
use spin::Once;
use x86_64::VirtAddr;
use x86_64::instructions::port::Port;

use super::direct_map::pointer_to;
use super::layout::{DIRECT_MAP, DIRECT_MAP_SIZE, PAGE};
use super::paging::{self, Cache, ioremap};
use super::{boot, pm_timer, timer};
use crate::acpi::{CounterFacts, Physical, Power, Register, Tables};

static POWER: Once<Power<Handle>> = Once::new();

/// Memory as the direct map shows it, and, where firmware keeps its tables elsewhere, by a mapping of its own.
struct Memory;

impl Physical for Memory {
    fn bytes(&self, address: u64, length: usize) -> Option<&[u8]> {
        let end = address.checked_add(length as u64)?;
        if end > DIRECT_MAP_SIZE {
            return None;
        }
        let shown = |at: u64| paging::translate(paging::root(), DIRECT_MAP + at).is_some();
        let first = address - address % PAGE;
        let start = if (first..end).step_by(PAGE as usize).all(shown) {
            pointer_to(address)
        } else {
            ioremap(address, length as u64, Cache::Uncached)
                .ok()?
                .cast_const()
        };
        // SAFETY: mapped above, for good; firmware keeps its tables in memory that nobody else is given, and says that
        // it is done with them.
        Some(unsafe { core::slice::from_raw_parts(start, length) })
    }
}

/// A register that can be reached without further ado.
#[derive(Clone, Copy)]
enum Handle {
    Port(u16),
    /// Where it is mapped.
    Memory(VirtAddr),
}

impl Handle {
    /// Widest access to any of the registers, in bytes.
    const WIDTH: u64 = 2;

    fn of(register: Register) -> Option<Self> {
        match register {
            Register::Port(port) => Some(Self::Port(port)),
            Register::Memory(address) => {
                let start = ioremap(address, Self::WIDTH, Cache::Uncached).ok()?;
                Some(Self::Memory(VirtAddr::from_ptr(start)))
            }
        }
    }

    fn read(self) -> u16 {
        match self {
            // SAFETY: reading a control register of power management changes nothing.
            Self::Port(port) => unsafe { Port::new(port).read() },
            // SAFETY: as above, at an address that was mapped for it, for good.
            Self::Memory(address) => unsafe { address.as_ptr::<u16>().read_volatile() },
        }
    }

    fn write(self, value: u16) {
        match self {
            // SAFETY: the register's purpose is to switch the machine off, which is what is wanted.
            Self::Port(port) => unsafe { Port::new(port).write(value) },
            // SAFETY: as above, at an address that was mapped for it, for good.
            Self::Memory(address) => unsafe { address.as_mut_ptr::<u16>().write_volatile(value) },
        }
    }

    fn write_byte(self, value: u8) {
        match self {
            // SAFETY: firmware says that the register resets the machine, which is what is wanted.
            Self::Port(port) => unsafe { Port::new(port).write(value) },
            // SAFETY: as above, at an address that was mapped for it, for good.
            Self::Memory(address) => unsafe { address.as_mut_ptr::<u8>().write_volatile(value) },
        }
    }
}

/// Reads the tables, if the machine has any, and maps what they name.
pub(super) fn init() {
    let tables = boot::rsdp().and_then(|rsdp| Tables::open(&Memory, rsdp));
    pm_timer::init(tables.as_ref().and_then(CounterFacts::read));
    let Some(power) = tables.as_ref().and_then(Power::read) else {
        log::info!("no ACPI tables: the machine can't be switched off from here");
        return;
    };
    log::debug!("ACPI: {power:x?}");
    POWER.call_once(|| power.by(Handle::of));
}

/// Switches the machine off; returns where that did not work.
pub(super) fn switch_off() {
    /// In the control register: ACPI is in charge; the kind of sleep; go.
    const IN_CHARGE: u16 = 1 << 0;
    const KIND: u32 = 10;
    const SLEEP: u16 = 1 << 13;
    let Some(power) = POWER.get() else { return };
    let [Some((control, _)), _] = power.off else {
        return;
    };
    if let Some((command, value)) = power.enable
        && control.read() & IN_CHARGE == 0
    {
        // SAFETY: the port is firmware's own, and the value the one that it asks for.
        unsafe { Port::new(command).write(value) };
        wait_until(|| control.read() & IN_CHARGE != 0);
    }
    for (register, kind) in power.off.into_iter().flatten() {
        let rest = register.read() & !(7 << KIND | SLEEP);
        register.write(rest | u16::from(kind & 7) << KIND | SLEEP);
    }
    wait_until(|| false);
}

/// Resets the machine through the register that firmware names for it; returns where that did not work.
pub(super) fn reset() {
    if let Some((register, value)) = POWER.get().and_then(|power| power.reset) {
        register.write_byte(value);
        wait_until(|| false);
    }
}

/// Gives the machine a tenth of a second, about: the counter runs at a gigahertz or more.
pub(super) fn wait_until(done: impl Fn() -> bool) {
    const CYCLES: u64 = 300_000_000;
    let start = timer::cycles();
    while !done() && timer::cycles() - start < CYCLES {
        core::hint::spin_loop();
    }
}
