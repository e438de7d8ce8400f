//! Bytes of files by every call that moves them, between a file and the interpreter's own memory and between two files.

use core::fmt::Write;

use rt::abi::Sysno;
use rt::{Errno, copy, file, syscall};

use crate::files::descriptor;
use crate::machine::{ANYWHERE, Machine};
use crate::picture::fold;

/// The most that one call moves: three pages and a bit, so that any two borders of pages may be crossed.
const MOST: usize = 3 * 4096 + 200;

/// What a buffer holds before a read.
const UNTOUCHED: u8 = 0xa5;

/// Calls in pairs, to read and to write, by the number that programs have for them.
const CALLS: [[Sysno; 2]; 5] = [
    [Sysno::read, Sysno::write],
    [Sysno::pread64, Sysno::pwrite64],
    [Sysno::readv, Sysno::writev],
    [Sysno::preadv, Sysno::pwritev],
    [Sysno::preadv2, Sysno::pwritev2],
];

impl Machine {
    /// Reads into the interpreter's memory, and says what came.
    #[inline(never)]
    pub(crate) fn read_bytes(&mut self, [slot, kind, length, offset, flags, _]: [usize; 6]) {
        let mut bytes = [UNTOUCHED; MOST];
        let place = bytes.as_mut_ptr() as usize;
        let slot = descriptor(slot);
        let answer = transfer(0, kind, [slot, place, length.min(MOST), offset, flags]);
        self.say(answer);
        let words = bytes.iter().enumerate();
        let folded = words.fold(0, |folded, (at, &byte)| match byte {
            UNTOUCHED => folded,
            _ => fold(folded, (at as u64) << 8 | u64::from(byte)),
        });
        let _ = write!(self.log, " {:x}", folded >> 32);
    }

    /// Writes bytes that follow from the line.
    #[inline(never)]
    pub(crate) fn write_bytes(
        &mut self,
        [slot, kind, length, offset, flags, _]: [usize; 6],
        index: usize,
    ) {
        let mut bytes = [0; MOST];
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = (at * 5 + index * 37 + 3) as u8;
        }
        let place = bytes.as_ptr() as usize;
        let slot = descriptor(slot);
        let answer = transfer(1, kind, [slot, place, length.min(MOST), offset, flags]);
        self.say(answer);
    }

    /// Bytes from one file to another. What overlaps depends on how many bytes are on their way at once, so one file's
    /// own bytes are left to the call that refuses that.
    pub(crate) fn copy(&mut self, [kind, from, to, from_at, to_at, length]: [usize; 6]) {
        let [from, to] = [descriptor(from), descriptor(to)].map(|slot| slot as u32);
        let [mut from_at, mut to_at] =
            [from_at, to_at].map(|at| (at != ANYWHERE).then_some(at as u64));
        if kind != 0 && are_one(from, to) {
            let _ = write!(self.log, " onto itself");
            return;
        }
        let answer = match kind {
            0 => copy::copy((from, from_at.as_mut()), (to, to_at.as_mut()), length, 0),
            1 => copy::send(to, from, from_at.as_mut(), length),
            2 => self.through_a_pipe((from, from_at.as_mut()), (to, to_at.as_mut()), length),
            _ => copy::splice((from, from_at.as_mut()), (to, to_at.as_mut()), length, 0),
        };
        self.say(answer);
        let _ = write!(self.log, " {from_at:x?} {to_at:x?}");
    }

    /// splice(2) in two steps.
    fn through_a_pipe(
        &mut self,
        from: (u32, Option<&mut u64>),
        to: (u32, Option<&mut u64>),
        length: usize,
    ) -> Result<usize, Errno> {
        let [read, write] = file::pipe(0).expect("pipe");
        self.say(copy::splice(from, (write, None), length, 0));
        file::close(write).expect("close");
        let answer = copy::splice((read, None), to, length, 0);
        file::close(read).expect("close");
        answer
    }
}

/// Reads or writes by one of five calls; those that take several buffers get the bytes in three pieces, the second empty.
fn transfer(
    way: usize,
    kind: usize,
    [slot, place, length, offset, flags]: [usize; 5],
) -> Result<usize, Errno> {
    let first = length / 3 + 1;
    let first = first.min(length);
    let pieces = [[place, first], [place, 0], [place + first, length - first]];
    let call = CALLS[kind % CALLS.len()][way] as usize;
    let words = match kind % CALLS.len() {
        0 | 1 => [slot, place, length, offset, 0, 0],
        _ => [
            slot,
            pieces.as_ptr() as usize,
            pieces.len(),
            offset,
            0,
            flags,
        ],
    };
    syscall::raw(call, words)
}

/// Whether two descriptors stand for one file.
fn are_one(one: u32, other: u32) -> bool {
    let [one, other] = [one, other].map(|slot| file::status(slot).ok());
    let number = |about: rt::abi::general::stat| (about.st_dev, about.st_ino);
    one.is_some() && one.map(number) == other.map(number)
}
