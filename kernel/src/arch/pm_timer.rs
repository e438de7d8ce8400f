//! ACPI's power-management timer: a counter of one rate, the same on every machine, for those that have no PIT.
use spin::Once;
use x86_64::instructions::port::Port;

use super::paging::{Cache, ioremap};
use crate::acpi::{CounterFacts, Register};

/// Its rate, three times that of the PIT.
pub(super) const HERTZ: u64 = 3_579_545;

/// The counter, ready to be read.
pub(super) struct PmTimer {
    place: Place,
    /// The bits that count.
    mask: u32,
}

enum Place {
    Port(u16),
    /// A virtual address, mapped for good.
    Memory(u64),
}

static TIMER: Once<Option<PmTimer>> = Once::new();

/// Takes down what firmware's tables say of the timer.
pub(super) fn init(facts: Option<CounterFacts>) {
    TIMER.call_once(|| facts.and_then(PmTimer::open));
}

/// The timer, where the machine has one.
pub(super) fn get() -> Option<&'static PmTimer> {
    TIMER.get()?.as_ref()
}

impl PmTimer {
    fn open(facts: CounterFacts) -> Option<Self> {
        let place = match facts.register {
            Register::Port(port) => Place::Port(port),
            Register::Memory(address) => {
                Place::Memory(ioremap(address, 4, Cache::Uncached).ok()? as u64)
            }
        };
        let mask = facts.mask;
        Some(Self { place, mask })
    }

    /// What it shows.
    pub(super) fn count(&self) -> u32 {
        match self.place {
            // SAFETY: reading the timer's port changes nothing.
            Place::Port(port) => unsafe { Port::new(port).read() },
            // SAFETY: `open` mapped the register's four bytes for good; reading it changes nothing.
            Place::Memory(address) => unsafe { (address as *const u32).read_volatile() },
        }
    }

    /// Counts since it showed `before`; it starts over every 4 s at the soonest.
    pub(super) fn since(&self, before: u32) -> u32 {
        self.count().wrapping_sub(before) & self.mask
    }
}
