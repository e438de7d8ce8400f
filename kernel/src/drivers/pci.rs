//! The devices on PCI: which there are, and how one is given its way into memory and to interrupts.
//!
//! Firmware has given every device its addresses; they are taken as they are. Bridges are followed from bus 0 on.
use alloc::vec::Vec;

use abi::Errno;
use pci_types::capability::PciCapability;
use pci_types::{
    Bar, CommandRegister, EndpointHeader, HeaderType, PciAddress, PciHeader, PciPciBridgeHeader,
};

use crate::arch::apic;
use crate::arch::mmio::Registers;
use crate::arch::pci::Space;

/// Bytes of an entry in the table of a device's messages.
const MESSAGE: u64 = 16;

/// A function of a device.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Function {
    pub(crate) address: PciAddress,
    pub(crate) vendor: u16,
    pub(crate) device: u16,
}

/// Every function that answers.
pub(crate) fn functions() -> Result<Vec<Function>, Errno> {
    const BUSES: usize = 256;
    let mut found = Vec::new();
    let mut is_bus = [false; BUSES];
    is_bus[0] = true;
    // A bridge's other side has a higher number than its own, so one pass meets all.
    for bus in 0..=u8::MAX {
        if is_bus[usize::from(bus)] {
            for device in 0..32 {
                look(bus, device, &mut found, &mut is_bus)?;
            }
        }
    }
    Ok(found)
}

/// Looks at the functions of one device.
fn look(
    bus: u8,
    device: u8,
    found: &mut Vec<Function>,
    is_bus: &mut [bool; 256],
) -> Result<(), Errno> {
    const NOBODY: u16 = 0xffff;
    let mut functions = 1;
    let mut number = 0;
    while number < functions {
        let address = PciAddress::new(0, bus, device, number);
        let header = PciHeader::new(address);
        let (vendor, id) = header.id(Space);
        number += 1;
        if vendor == NOBODY {
            continue;
        }
        if header.has_multiple_functions(Space) {
            functions = 8;
        }
        match header.header_type(Space) {
            HeaderType::PciPciBridge => {
                let bridge = PciPciBridgeHeader::from_header(PciHeader::new(address), Space);
                let behind = bridge.map_or(0, |bridge| bridge.secondary_bus_number(Space));
                is_bus[usize::from(behind)] = true;
            }
            _ => {
                found.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
                found.push(Function {
                    address,
                    vendor,
                    device: id,
                });
            }
        }
    }
    Ok(())
}

impl Function {
    fn endpoint(&self) -> Option<EndpointHeader> {
        EndpointHeader::from_header(PciHeader::new(self.address), Space)
    }

    /// What kind of device it is: class, subclass, interface.
    pub(crate) fn class(&self) -> (u8, u8, u8) {
        let (_, class, subclass, interface) =
            PciHeader::new(self.address).revision_and_class(Space);
        (class, subclass, interface)
    }

    /// Lets the device answer at its addresses and reach memory by itself.
    pub(crate) fn enable(&self) {
        let wanted = CommandRegister::MEMORY_ENABLE | CommandRegister::BUS_MASTER_ENABLE;
        PciHeader::new(self.address).update_command(Space, |command| command | wanted);
    }

    /// Keeps the device out of memory, for good.
    pub(crate) fn cut_off(&self) {
        let right = CommandRegister::BUS_MASTER_ENABLE;
        PciHeader::new(self.address).update_command(Space, |command| command - right);
    }

    /// What it can do beyond the common.
    pub(crate) fn capabilities(&self) -> Option<impl Iterator<Item = PciCapability>> {
        Some(self.endpoint()?.capabilities(Space))
    }

    /// Where its memory number `slot` begins.
    pub(crate) fn memory(&self, slot: u8) -> Option<u64> {
        match self.endpoint()?.bar(slot, Space)? {
            Bar::Memory32 { address, .. } => Some(address.into()),
            Bar::Memory64 { address, .. } => Some(address),
            Bar::Io { .. } => None,
        }
    }

    /// Has message 0 of the device come as interrupt number `device`; false where it has no messages, and has to be asked.
    pub(crate) fn route_interrupt(&self, device: usize) -> bool {
        self.try_route(device).is_some()
    }

    fn try_route(&self, device: usize) -> Option<()> {
        let (address, data) = apic::message(device)?;
        let mut messages = self
            .capabilities()?
            .find_map(|capability| match capability {
                PciCapability::MsiX(messages) => Some(messages),
                _ => None,
            })?;
        let table = self.memory(messages.table_bar())? + u64::from(messages.table_offset());
        let table = Registers::map(table, MESSAGE)?;
        table.write_32(0, address as u32);
        table.write_32(4, (address >> 32) as u32);
        table.write_32(8, data);
        table.write_32(12, 0); // Not masked.
        messages.set_enabled(true, Space);
        Some(())
    }
}
