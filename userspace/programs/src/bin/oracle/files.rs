//! Files in memory: made, cut, filled, punched, sealed, read and written, each behind a descriptor of its own.
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
use rt::{Errno, file, syscall};

use crate::machine::Machine;
use crate::picture::{MEMORY_FILE, ROOM, fold};

/// The descriptor of the first slot, above all that somebody may have left open.
const FIRST: usize = 40;
const SLOTS: usize = 3;

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
        let made = file::memfd(c"memory", flags as u32).map(|new| {
            let words = [new as usize, descriptor(slot), 0, 0, 0, 0];
            syscall::raw(Sysno::dup2 as usize, words).expect("dup2");
            file::close(new).expect("close");
            0
        });
        self.say(made);
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
                    let _ = write!(self.log, " {:x}/{:x}", about.st_size, about.st_blocks);
                    self.show_file(slot);
                }
            }
        }
    }

    #[inline(never)]
    fn show_file(&mut self, slot: usize) {
        let mut page = [0; PAGE];
        for index in 0..SHOWN {
            match file::read_at(descriptor(slot) as u32, &mut page, index * PAGE) {
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
        let is_it = area.name.starts_with(MEMORY_FILE) && area.inode == about.st_ino;
        is_it && length > 0 && shown < end && offset < shown + length
    })
}
