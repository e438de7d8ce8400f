//! The configuration space of PCI, through the two ports that every PC has for it.
//!
//! One port says which word, the other is that word, so a lock stands around the pair. The larger space of PCI Express,
//! which ACPI's tables would lead to, has nothing that is needed here.
use pci_types::{ConfigRegionAccess, PciAddress};
use virtio_drivers::transport::pci::bus::{ConfigurationAccess, DeviceFunction};
use x86_64::instructions::port::Port;

use crate::lock::{IrqLock, Rank};

/// The port that says which word, and the one that is the word.
static PORTS: IrqLock<(Port<u32>, Port<u32>)> =
    IrqLock::new(Rank::Configuration, (Port::new(0xcf8), Port::new(0xcfc)));

/// The configuration space of every function that a machine can have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Space;

impl Space {
    fn select(address: PciAddress, offset: u16) -> u32 {
        const ENABLED: u32 = 1 << 31;
        let function = u32::from(address.device()) << 3 | u32::from(address.function());
        ENABLED | u32::from(address.bus()) << 16 | function << 8 | u32::from(offset & 0xfc)
    }

    /// The word at `offset`; all ones where there is no such function.
    pub(crate) fn word(self, address: PciAddress, offset: u16) -> u32 {
        let (select, data) = &mut *PORTS.lock();
        // SAFETY: the port only remembers which word is meant, and the lock is held until that is read.
        unsafe { select.write(Self::select(address, offset)) };
        // SAFETY: reading configuration has no effect on the machine.
        unsafe { data.read() }
    }

    /// Changes the word at `offset`.
    ///
    /// # Safety
    /// The function may do what it is told: above all, memory that it is told to write to is meant for that.
    unsafe fn set_word(self, address: PciAddress, offset: u16, value: u32) {
        let (select, data) = &mut *PORTS.lock();
        // SAFETY: the port only remembers which word is meant, and the lock is held until that is written.
        unsafe { select.write(Self::select(address, offset)) };
        // SAFETY: the caller's promise.
        unsafe { data.write(value) };
    }
}

impl ConfigRegionAccess for Space {
    unsafe fn read(&self, address: PciAddress, offset: u16) -> u32 {
        self.word(address, offset)
    }

    unsafe fn write(&self, address: PciAddress, offset: u16, value: u32) {
        // SAFETY: the crate writes what the specification has its callers write: addresses of functions, and commands.
        unsafe { self.set_word(address, offset, value) };
    }
}

impl ConfigurationAccess for Space {
    fn read_word(&self, function: DeviceFunction, offset: u8) -> u32 {
        self.word(address(function), offset.into())
    }

    fn write_word(&mut self, function: DeviceFunction, offset: u8, data: u32) {
        // SAFETY: as above.
        unsafe { self.set_word(address(function), offset.into(), data) };
    }

    unsafe fn unsafe_clone(&self) -> Self {
        *self
    }
}

fn address(function: DeviceFunction) -> PciAddress {
    PciAddress::new(0, function.bus, function.device, function.function)
}
