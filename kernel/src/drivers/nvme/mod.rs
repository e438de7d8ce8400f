//! Disks by NVM Express (specification 1.4): one controller, its first namespace, one pair of rings beside the admin's.
//!
//! The controller is told no address but those of its own rings and of frames on their way, which stay until it has
//! answered or was cut off. Set-up polls, and has an end; after that nothing here waits.
mod queue;

use alloc::vec::Vec;
use core::hint::spin_loop;
use core::mem;
use core::ops::Range;
use core::sync::atomic::Ordering::{Acquire, Release};

use abi::Errno;
use mm::machine::PhysMem;
use mm::{Frame, PAGE_SIZE};

use super::pci::Function;
use crate::arch::memory::memory;
use crate::arch::mmio::Registers;
use crate::arch::timer;
use crate::block::{Action, Answer, Bus, Command, Device, Facts, MOST_FRAMES, Piece, SECTOR};
use queue::{Completion, ENTRIES, Entry, Pair, zeroed_frame};

/// The only namespace that is used.
const NAMESPACE: u32 = 1;

/// Commands that may be on their way at once, less than a ring holds; each has a list of pages.
const IN_FLIGHT: usize = 32;
const LIST: usize = MOST_FRAMES * 8;

/// Registers (section 3.1).
const CAPABILITIES: u64 = 0x00;
const CONFIGURATION: u64 = 0x14;
const STATUS: u64 = 0x1c;
const ADMIN_SIZES: u64 = 0x24;
const ADMIN_COMMANDS: u64 = 0x28;
const ADMIN_COMPLETIONS: u64 = 0x30;

/// Of the configuration: it runs, with commands of 64 bytes and completions of 16.
const ENABLED: u32 = 1 | 6 << 16 | 4 << 20;

/// A disk.
struct Nvme {
    function: Function,
    registers: Registers,
    /// Never used again after set-up, but the controller knows where it is.
    _admin: Pair,
    pair: Pair,
    facts: Facts,
    /// By the number that the controller knows each by.
    in_flight: Vec<Option<Command>>,
    /// For commands of more than two pages: the addresses of those behind the first.
    lists: Vec<Frame>,
}

/// Takes the device into use, with its interrupts as number `index`; `None` where it is none of this kind.
pub(crate) fn open(
    function: &Function,
    index: usize,
) -> Option<Result<impl Device + use<>, Errno>> {
    /// Mass storage, non-volatile memory, NVM Express.
    const CLASS: (u8, u8, u8) = (1, 8, 2);
    (function.class() == CLASS).then(|| Nvme::open(function, index))
}

/// A controller that is being set up.
struct Setup {
    registers: Registers,
    stride: u64,
    /// How long it may take to obey, in nanoseconds.
    patience: u64,
    admin: Pair,
    /// What it answers at length.
    page: Frame,
}

impl Nvme {
    fn open(function: &Function, index: usize) -> Result<Self, Errno> {
        function.enable();
        let mut setup = Setup::begin(function)?;
        let (most_frames, has_cache) = setup.controller()?;
        let mut facts = Facts {
            has_cache,
            ..setup.facts(most_frames)?
        };
        facts.interrupts = function.route_interrupt(index);
        let pair = setup.new_pair(&facts)?;
        let Setup {
            registers,
            admin,
            page,
            ..
        } = setup;
        memory().free(page);
        let mut in_flight = Vec::new();
        in_flight
            .try_reserve_exact(IN_FLIGHT)
            .map_err(|_| Errno::ENOMEM)?;
        in_flight.resize_with(IN_FLIGHT, || None);
        Ok(Self {
            function: *function,
            registers,
            _admin: admin,
            pair,
            facts,
            in_flight,
            lists: lists()?,
        })
    }

    /// Where the list of command `slot` is: a frame, and a byte in it.
    fn list(&self, slot: usize) -> (Frame, usize) {
        let at = slot * LIST;
        let size = PAGE_SIZE as usize;
        (self.lists[at / size], at % size)
    }

    /// The two addresses by which a command names its pages (section 4.3): only the first may begin inside a page, and only
    /// the last end inside one.
    fn name_pages(&self, slot: usize, pieces: &mut dyn Iterator<Item = Piece>) -> [u64; 2] {
        let address = |piece: Piece| piece.frame.address() + u64::from(piece.start);
        let mut addresses = pieces.map(address);
        let first = addresses.next().unwrap_or(0);
        let (list, at) = self.list(slot);
        let words = &memory().machine.words(list)[at / 8..][..MOST_FRAMES];
        let mut count = 0;
        for (place, address) in words.iter().zip(addresses) {
            place.store(address, Release);
            count += 1;
        }
        let second = match count {
            0 => 0,
            1 => words[0].load(Acquire),
            _ => list.address() + at as u64,
        };
        [first, second]
    }

    /// The words by which a command names its sectors; a flush has none.
    fn name_sectors(&self, sectors: &Range<u64>) -> [u32; 3] {
        let a_sector = u64::from(self.facts.sector_size) / SECTOR;
        let first = sectors.start / a_sector;
        let count = (sectors.end - sectors.start) / a_sector;
        let last = count.saturating_sub(1);
        [first as u32, (first >> 32) as u32, last as u32]
    }
}

fn lists() -> Result<Vec<Frame>, Errno> {
    const FRAMES: usize = (IN_FLIGHT * LIST).div_ceil(PAGE_SIZE as usize);
    let mut lists = Vec::new();
    lists.try_reserve_exact(FRAMES).map_err(|_| Errno::ENOMEM)?;
    for _ in 0..FRAMES {
        lists.push(zeroed_frame()?);
    }
    Ok(lists)
}

impl Setup {
    /// Resets the controller and starts it with admin rings of ours.
    fn begin(function: &Function) -> Result<Self, Errno> {
        /// All registers but the doorbells, and doorbells of two pairs as far apart as they may be.
        const LENGTH: u64 = 0x1000;
        let start = function.memory(0).ok_or(Errno::ENODEV)?;
        let fixed = Registers::map(start, LENGTH).ok_or(Errno::ENODEV)?;
        let capabilities = fixed.read_64(CAPABILITIES);
        let stride = 4 << (capabilities >> 32 & 0xf);
        let smallest_page = capabilities >> 48 & 0xf;
        if smallest_page != 0 {
            return Err(Errno::ENODEV);
        }
        let registers = Registers::map(start, LENGTH + 4 * stride).ok_or(Errno::ENODEV)?;
        let setup = Self {
            registers,
            stride,
            patience: ((capabilities >> 24 & 0xff) + 1) * 500_000_000,
            admin: Pair::try_new(0, stride)?,
            page: zeroed_frame()?,
        };
        setup.registers.write_32(CONFIGURATION, 0);
        setup.wait_until(|status| status & 1 == 0)?;
        let [commands, completions] = setup.admin.addresses();
        let size = ENTRIES as u32 - 1;
        setup.registers.write_32(ADMIN_SIZES, size << 16 | size);
        setup.registers.write_64(ADMIN_COMMANDS, commands);
        setup.registers.write_64(ADMIN_COMPLETIONS, completions);
        setup.registers.write_32(CONFIGURATION, ENABLED);
        setup.wait_until(|status| status & 1 == 1)?;
        Ok(setup)
    }

    fn wait_until(&self, is_so: impl Fn(u32) -> bool) -> Result<(), Errno> {
        let deadline = timer::nanoseconds() + self.patience;
        while !is_so(self.registers.read_32(STATUS)) {
            if timer::nanoseconds() > deadline {
                return Err(Errno::ETIMEDOUT);
            }
            spin_loop();
        }
        Ok(())
    }

    /// Has an admin command carried out.
    fn perform(&mut self, entry: &Entry) -> Result<(), Errno> {
        self.admin.send(&self.registers, 0, entry);
        let deadline = timer::nanoseconds() + self.patience;
        loop {
            match self.admin.take(&self.registers) {
                Some(Completion { is_good: true, .. }) => return Ok(()),
                Some(_) => return Err(Errno::EIO),
                None if timer::nanoseconds() > deadline => return Err(Errno::ETIMEDOUT),
                None => spin_loop(),
            }
        }
    }

    /// Has the page filled with what the controller says of `what`.
    fn identify(&mut self, namespace: u32, what: u32) -> Result<(), Errno> {
        const IDENTIFY: u8 = 0x06;
        self.perform(&Entry {
            opcode: IDENTIFY,
            namespace,
            pages: [self.page.address(), 0],
            details: [what, 0, 0],
        })
    }

    /// Byte `at` of that page.
    fn byte(&self, at: usize) -> u8 {
        let words = memory().machine.words(self.page);
        words[at / 8].load(Acquire).to_le_bytes()[at % 8]
    }

    /// How many pages one command may name, and whether what was written must be flushed.
    fn controller(&mut self) -> Result<(usize, bool), Errno> {
        const CONTROLLER: u32 = 1;
        const MOST_DATA: usize = 77;
        const CACHE: usize = 525;
        self.identify(0, CONTROLLER)?;
        let most_frames = match self.byte(MOST_DATA) {
            0 => MOST_FRAMES,
            power => MOST_FRAMES.min(1 << power.min(16)),
        };
        Ok((most_frames, self.byte(CACHE) & 1 != 0))
    }

    /// What the namespace is like.
    fn facts(&mut self, most_frames: usize) -> Result<Facts, Errno> {
        const NAMESPACE_ITSELF: u32 = 0;
        const FORMAT: usize = 26;
        const ATTRIBUTES: usize = 99;
        const FORMATS: usize = 128;
        self.identify(NAMESPACE, NAMESPACE_ITSELF)?;
        let size = memory().machine.words(self.page)[0].load(Acquire);
        let format = usize::from(self.byte(FORMAT) & 0xf);
        let power = self.byte(FORMATS + 4 * format + 2);
        let is_usable = (SECTOR.ilog2()..=PAGE_SIZE.ilog2()).contains(&power.into());
        let sectors = size.checked_mul((1 << power.min(12)) / SECTOR);
        match sectors {
            Some(sectors) if is_usable && sectors > 0 => Ok(Facts {
                bus: Bus::Nvme,
                sectors,
                sector_size: 1 << power,
                is_read_only: self.byte(ATTRIBUTES) & 1 != 0,
                has_cache: true,
                most_frames,
                interrupts: false,
            }),
            _ => Err(Errno::ENODEV),
        }
    }

    /// The rings for reads: first that of completions, then that of commands, whose completions go to it.
    fn new_pair(&mut self, facts: &Facts) -> Result<Pair, Errno> {
        const NEW_COMMANDS: u8 = 0x01;
        const NEW_COMPLETIONS: u8 = 0x05;
        const ONE_PIECE: u32 = 1;
        const NUMBER: u32 = 1;
        let pair = Pair::try_new(NUMBER.into(), self.stride)?;
        let [commands, completions] = pair.addresses();
        let size = (ENTRIES as u32 - 1) << 16 | NUMBER;
        let how = u32::from(facts.interrupts) << 1 | ONE_PIECE;
        for (opcode, ring, how) in [
            (NEW_COMPLETIONS, completions, how),
            (NEW_COMMANDS, commands, NUMBER << 16 | ONE_PIECE),
        ] {
            self.perform(&Entry {
                opcode,
                namespace: 0,
                pages: [ring, 0],
                details: [size, how, 0],
            })?;
        }
        Ok(pair)
    }
}

impl Device for Nvme {
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
        let Some(slot) = self.in_flight.iter().position(Option::is_none) else {
            return false;
        };
        let opcode = match action {
            Action::Flush => 0x00,
            Action::Write => 0x01,
            Action::Read => 0x02,
        };
        let entry = Entry {
            opcode,
            namespace: NAMESPACE,
            pages: self.name_pages(slot, pieces),
            details: self.name_sectors(&sectors),
        };
        self.in_flight[slot] = Some(command);
        self.pair.send(&self.registers, slot as u16, &entry);
        true
    }

    fn finish(&mut self) -> Option<(Command, Answer)> {
        loop {
            let Completion { number, is_good } = self.pair.take(&self.registers)?;
            let slot = self.in_flight.get_mut(usize::from(number));
            let answer = if is_good {
                Answer::Done
            } else {
                Answer::Failed
            };
            // What it was never told of counts for nothing.
            if let Some(command) = slot.and_then(mem::take) {
                return Some((command, answer));
            }
        }
    }

    fn has_finished(&self) -> bool {
        self.pair.has_completion()
    }

    fn give_up(&mut self) {
        self.function.cut_off();
        self.registers.write_32(CONFIGURATION, 0);
    }
}
