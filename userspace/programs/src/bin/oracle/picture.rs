//! Everything that there is to see of a process's memory: what each page holds, how the areas lie, what files in memory
//! hold.

use core::fmt::Write;

use programs::proc::{self, Area};
use rt::abi::Sysno;
use rt::attempt::{self, Fault};
use rt::memory::PAGE;
use rt::{Errno, syscall};

use crate::log::mode;
use crate::machine::{GUARD, HEAP, HEAP_PAGES, Machine, REACH, WINDOW, WINDOW_PAGES};
use crate::names::scratch;

/// More than any program may have.
const TOO_LONG: usize = 1 << 46;

/// Room for a list of areas.
pub(crate) const ROOM: usize = 12 << 10;

/// Begins the names of files that have none, whatever follows.
const MEMORY_FILE: &str = "/memfd:";
const SHARED_MEMORY: &str = "/dev/zero";

impl Machine {
    /// What is left when a process ends.
    pub(crate) fn picture(&mut self) {
        self.rows();
        self.log.line();
        self.show_pages(WINDOW, WINDOW_PAGES);
        self.show_pages(self.heap, HEAP_PAGES);
        if self.log.is(mode::MEMORY_FILES) || self.log.is(mode::NAMES) {
            self.log.line();
            self.show_files();
        }
        if self.log.is(mode::NAMES) {
            self.log.line();
            self.show_tree();
        }
    }

    /// For each page what it holds, in one word, or why it can't be read.
    pub(crate) fn show_pages(&mut self, at: usize, pages: usize) {
        for page in 0..pages {
            let _ = match digest(at + page * PAGE) {
                Ok(0) => write!(self.log, " 0"),
                Ok(digest) => write!(self.log, " {digest:x}"),
                Err(fault) => write!(self.log, " {}/{}", fault.signal, fault.code),
            };
        }
    }

    /// For each page how a growth that can't be had is refused, which is another way within an area than at its end.
    pub(crate) fn areas(&mut self) {
        let _ = write!(self.log, " ");
        for page in 0..WINDOW_PAGES {
            let at = WINDOW + page * PAGE;
            let mut resident = 0u8;
            let words = [at, PAGE, &raw mut resident as usize, 0, 0, 0];
            let letter = match syscall::raw(Sysno::mincore as usize, words) {
                Err(_) => '.',
                Ok(_) => refusal(at),
            };
            let _ = self.log.write_char(letter);
        }
    }

    /// The rows of `/proc/self/maps` that programs have a hand in. Numbers of files and where they lie are chance.
    #[inline(never)]
    pub(crate) fn rows(&mut self) {
        let mut room = [0; ROOM];
        let text = proc::read(c"/proc/self/maps", &mut room);
        for area in text.lines().filter_map(Area::parse) {
            let place = if (WINDOW - REACH..WINDOW + GUARD).contains(&area.start) {
                area.start.wrapping_sub(WINDOW)
            } else if (self.heap..self.heap + HEAP_PAGES * PAGE).contains(&area.start) {
                area.start - self.heap + HEAP
            } else {
                continue;
            };
            let _ = write!(
                self.log,
                " {place:x}+{:x}{}{:x}",
                area.end - area.start,
                area.rights,
                area.offset
            );
            self.say_name(area.name);
        }
    }
}

impl Machine {
    /// What a row says of a file's name. That of the file of data is chance.
    fn say_name(&mut self, name: &str) {
        let names = [MEMORY_FILE, SHARED_MEMORY];
        if name.starts_with(scratch()) {
            self.say_path(name.as_bytes());
        } else if let Some(known) = names.into_iter().find(|known| name.starts_with(known)) {
            let _ = write!(self.log, "{known}");
        }
    }
}

fn refusal(at: usize) -> char {
    let words = [at, 2 * PAGE, TOO_LONG, 0, 0, 0];
    match syscall::raw(Sysno::mremap as usize, words) {
        Err(Errno::ENOMEM) => 'm',
        Err(Errno::EFAULT) => 'f',
        Err(Errno::EINVAL) => 'i',
        Err(Errno::EAGAIN) => 'a',
        _ => '?',
    }
}

/// Eight words of each 512 bytes, folded so that all zeroes give zero.
fn digest(page: usize) -> Result<u32, Fault> {
    let mut folded = 0u64;
    for at in (page..page + PAGE).step_by(64) {
        folded = fold(folded, attempt::load(at)?);
    }
    Ok((folded >> 32) as u32)
}

/// One word more.
pub(crate) fn fold(folded: u64, word: u64) -> u64 {
    (folded.rotate_left(7) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
