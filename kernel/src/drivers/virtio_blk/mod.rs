//! Disks by virtio (virtio 1.2, sections 4.1 and 5.2): the crate knows the transport and the ring, here it is a [`Device`].
#[expect(
    unsafe_code,
    reason = "hands the device the addresses of frames; every block says why it is sound"
)]
mod queue;

use core::mem;
use core::ops::Range;

use abi::Errno;
use pci_types::capability::PciCapability;
use virtio_drivers::transport::pci::bus::{DeviceFunction, PciRoot};
use virtio_drivers::transport::pci::{PciTransport, VIRTIO_PCI_CAP_COMMON_CFG, VIRTIO_VENDOR_ID};
use virtio_drivers::transport::{DeviceStatus, Transport};

use super::pci::Function;
use crate::arch::dma::Dma;
use crate::arch::mmio::Registers;
use crate::arch::pci::Space;
use crate::block::{Action, Answer, Bus, Command, Device, Facts, MOST_FRAMES, Piece, SECTOR};
use queue::Queue;

/// The queue of requests, the only one.
const QUEUE: u16 = 0;

bitflags::bitflags! {
    /// What a device can do that matters here (sections 5.2.3 and 6).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Features: u64 {
        const MOST_SEGMENTS = 1 << 2;
        const READ_ONLY = 1 << 5;
        const SECTOR_SIZE = 1 << 6;
        const FLUSH = 1 << 9;
        const VERSION_1 = 1 << 32;
    }
}

/// A disk.
struct VirtioBlk {
    function: Function,
    facts: Facts,
    /// `None` once the device has been given up.
    transport: Option<PciTransport>,
    queue: Queue,
}

/// Takes the device into use, with its interrupts as number `index`; `None` where it is none of this kind.
pub(crate) fn open(
    function: &Function,
    index: usize,
) -> Option<Result<impl Device + use<>, Errno>> {
    /// What the device is numbered, by the older rule and by the newer.
    const TRANSITIONAL: u16 = 0x1001;
    const MODERN: u16 = 0x1042;
    let is_disk = matches!(function.device, TRANSITIONAL | MODERN);
    let is_ours = function.vendor == VIRTIO_VENDOR_ID && is_disk;
    is_ours.then(|| VirtioBlk::open(function, index))
}

impl VirtioBlk {
    fn open(function: &Function, index: usize) -> Result<Self, Errno> {
        function.enable();
        let place = DeviceFunction {
            bus: function.address.bus(),
            device: function.address.device(),
            function: function.address.function(),
        };
        let transport = PciTransport::new::<Dma, _>(&mut PciRoot::new(Space), place);
        let mut transport = transport.map_err(|error| {
            log::warn!("{}: {error}", function.address);
            Errno::ENODEV
        })?;
        let features = transport.begin_init(Features::all());
        if !transport.get_status().contains(DeviceStatus::FEATURES_OK) {
            return Err(Errno::ENODEV);
        }
        let mut facts = facts(&transport, features).ok_or(Errno::ENODEV)?;
        let queue = Queue::try_new(&mut transport)?;
        facts.interrupts = function.route_interrupt(index) && choose_message(function).is_some();
        transport.finish_init();
        Ok(Self {
            function: *function,
            facts,
            transport: Some(transport),
            queue,
        })
    }
}

/// What the device says of itself; `None` where that makes no sense.
fn facts(transport: &PciTransport, features: Features) -> Option<Facts> {
    const MOST_SEGMENTS: usize = 12;
    const SECTOR_SIZE: usize = 20;
    let read = |offset| transport.read_config_space::<u32>(offset).ok();
    let given = |feature, offset| features.contains(feature).then(|| read(offset)).flatten();
    let most_frames = given(Features::MOST_SEGMENTS, MOST_SEGMENTS);
    let facts = Facts {
        bus: Bus::Virtio,
        sectors: sectors(transport)?,
        sector_size: given(Features::SECTOR_SIZE, SECTOR_SIZE).unwrap_or(SECTOR as u32),
        is_read_only: features.contains(Features::READ_ONLY),
        has_cache: features.contains(Features::FLUSH),
        most_frames: most_frames.map_or(1, |most| (most as usize).clamp(1, MOST_FRAMES)),
        interrupts: false,
    };
    Some(facts)
}

/// How many sectors of 512 bytes the device has.
fn sectors(transport: &PciTransport) -> Option<u64> {
    let read = || {
        let low: u32 = transport.read_config_space(0)?;
        let high: u32 = transport.read_config_space(4)?;
        Ok(u64::from(high) << 32 | u64::from(low))
    };
    transport.read_consistent(read).ok()
}

/// Has the queue's completions told by message 0 (section 4.1.4.3), which the crate leaves out. `None` where the device
/// does not take that.
fn choose_message(function: &Function) -> Option<()> {
    const SELECT: u64 = 22;
    const MESSAGE: u64 = 26;
    const LENGTH: u64 = 56;
    let common = function.capabilities()?.find_map(|capability| {
        let PciCapability::Vendor(place) = capability else {
            return None;
        };
        let word = |offset| Space.word(function.address, place.offset + offset);
        let is_common = (word(0) >> 24) as u8 == VIRTIO_PCI_CAP_COMMON_CFG;
        is_common.then(|| (word(4) as u8, word(8)))
    });
    let (slot, offset) = common?;
    let registers = Registers::map(function.memory(slot)? + u64::from(offset), LENGTH)?;
    registers.write_16(SELECT, QUEUE);
    registers.write_16(MESSAGE, 0);
    (registers.read_16(MESSAGE) == 0).then_some(())
}

impl Device for VirtioBlk {
    fn facts(&self) -> Facts {
        self.facts
    }

    fn start(
        &mut self,
        command: Command,
        action: Action,
        sectors: Range<u64>,
        pieces: &mut dyn Iterator<Item = Piece>,
    ) -> bool {
        let Some(transport) = &mut self.transport else {
            return false;
        };
        let queue = &mut self.queue;
        queue.start(transport, command, action, &sectors, pieces)
    }

    fn finish(&mut self) -> Option<(Command, Answer)> {
        self.queue.finish()
    }

    fn has_finished(&self) -> bool {
        self.queue.has_finished()
    }

    fn give_up(&mut self) {
        if let Some(mut transport) = self.transport.take() {
            // It may be too far gone to obey, so it is kept from memory first.
            self.function.cut_off();
            transport.set_status(DeviceStatus::empty());
            // Its drop would wait for the device to obey.
            mem::forget(transport);
        }
    }
}
