//! Open files, with names or in memory: made, cut, filled, punched, sealed, read and written where memory is mapped.
//!
//! A program names them by slot, and a slot is always the same descriptor: children and programs that replace this one
//! find them where they were.

use core::fmt::Write;
use core::ops::Range;

use programs::proc::{self, Area};
use rt::abi::Sysno;
use rt::abi::general::{F_ADD_SEALS, F_GET_SEALS};
use rt::attempt;
use rt::memory::PAGE;
use rt::{Errno, file};

use crate::machine::Machine;
use crate::picture::{ROOM, fold};

/// The descriptor of the first slot, above all that somebody may have left open.
pub(crate) const FIRST: usize = 40;
pub(crate) const SLOTS: usize = 6;

/// The most that is written at once.
const CHUNK: usize = 2 * PAGE;

/// Pages of a file that are shown; few are longer.
const SHOWN: usize = 12;

/// The descriptor of a slot.
pub(crate) fn descriptor(slot: usize) -> usize {
    FIRST + slot % SLOTS
}

impl Machine {
    /// Puts a new file into a slot.
    pub(crate) fn make_file(&mut self, slot: usize, flags: usize) {
        let made = file::memfd(c"memory", flags as u32);
        self.put(slot, made, 0);
    }

    /// Adds seals, and says which there are.
    pub(crate) fn seal(&mut self, slot: usize, seals: usize) {
        let slot = descriptor(slot) as u32;
        self.say(file::fcntl(slot, F_ADD_SEALS, seals));
        self.say(file::fcntl(slot, F_GET_SEALS, 0));
    }

    /// Writes `length` bytes from the program's own memory to where `offset` says.
    #[inline(never)]
    pub(crate) fn write(&mut self, slot: usize, offset: usize, length: usize, index: usize) {
        let mut bytes = [0; CHUNK];
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = (at * 7 + index * 31 + 1) as u8;
        }
        let bytes = &bytes[..length.min(CHUNK)];
        self.say(file::write_at(descriptor(slot) as u32, bytes, offset));
    }

    /// Lets the kernel read a file's bytes to right where the program has its mappings.
    pub(crate) fn read_into(&mut self, [slot, at, length, offset]: [usize; 4]) {
        let at = self.address(at);
        if meet(slot, at..at + length, offset) {
            let _ = write!(self.log, " onto itself");
            return;
        }
        self.plain(Sysno::pread64, [descriptor(slot), at, length, offset]);
    }

    /// Lets it write from there what can be read: Linux's versions differ in what a write leaves behind that can't read.
    pub(crate) fn write_from(&mut self, [slot, at, length, offset]: [usize; 4]) {
        let at = self.address(at);
        let last = (at + length).saturating_sub(8).max(at);
        let pages = (at..last).step_by(PAGE).chain([last]);
        match pages.map(attempt::load).find_map(Result::err) {
            Some(fault) => self.say_fault(fault),
            None if meet(slot, at..at + length, offset) => {
                let _ = write!(self.log, " onto itself");
            }
            None => self.plain(Sysno::pwrite64, [descriptor(slot), at, length, offset]),
        }
    }

    /// Length, blocks and contents of each file.
    pub(crate) fn show_files(&mut self) {
        for slot in 0..SLOTS {
            match file::status(descriptor(slot) as u32) {
                Err(errno) => self.say(Err(errno)),
                Ok(about) => {
                    self.say_status(&about);
                    self.show_bytes(descriptor(slot) as u32);
                }
            }
        }
    }

    /// Contents of an open file.
    #[inline(never)]
    pub(crate) fn show_bytes(&mut self, opened: u32) {
        let mut page = [0; PAGE];
        for index in 0..SHOWN {
            match file::read_at(opened, &mut page, index * PAGE) {
                Ok(0) => return,
                Ok(count) => {
                    let words = page[..count].iter().enumerate();
                    let folded = words.fold(0, |folded, (at, &byte)| match byte {
                        0 => folded,
                        _ => fold(folded, (at as u64) << 8 | u64::from(byte)),
                    });
                    let _ = write!(self.log, ":{:x}", folded >> 32);
                }
                Err(errno) => return self.say(Err::<usize, Errno>(errno)),
            }
        }
    }
}

/// Whether some of these bytes of memory and of the file, from `offset` on, are the same: then it depends on the processor
/// what copying makes of them.
#[inline(never)]
fn meet(slot: usize, memory: Range<usize>, offset: usize) -> bool {
    let Ok(about) = file::status(descriptor(slot) as u32) else {
        return false;
    };
    let end = offset + memory.len();
    let mut room = [0; ROOM];
    let text = proc::read(c"/proc/self/maps", &mut room);
    let mut areas = text.lines().filter_map(Area::parse);
    areas.any(|area| {
        let start = area.start.max(memory.start);
        let shown = area.offset + start.wrapping_sub(area.start);
        let length = area.end.min(memory.end).saturating_sub(start);
        let is_it = area.inode == about.st_ino && device(area.device) == Some(about.st_dev);
        is_it && length > 0 && shown < end && offset < shown + length
    })
}

/// A device's number as stat(2) has it, from the two that `maps` shows.
fn device(shown: &str) -> Option<u64> {
    let (major, minor) = shown.split_once(':')?;
    let [major, minor] = [major, minor].map(|digits| u64::from_str_radix(digits, 16).ok());
    let (major, minor) = (major?, minor?);
    Some(minor & 0xff | (major & 0xfff) << 8 | (minor & !0xff) << 12 | (major & !0xfff) << 32)
}
