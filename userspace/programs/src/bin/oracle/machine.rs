//! The process that a program acts on: a window of addresses in which everything collides, the heap, and a verb a letter.
//!
//! The window lies where neither kernel puts anything by itself, across the border between two page tables.

use core::ffi::CStr;
use core::fmt::Write;

use rt::abi::Sysno;
use rt::attempt;
use rt::handler::{Action, act};
use rt::memory::{MAP_FIXED, PAGE, PROT_NONE, PROT_READ, PROT_WRITE, brk, mmap, munmap};
use rt::process::{Status, execve, id, run_in_child};
use rt::signal::{Signal, kill};
use rt::{Errno, env, faults, probe, syscall};

use crate::files::descriptor;
use crate::log::{Log, mode};
use crate::step::{Lines, Step};
use crate::{REST, limits};

/// Sixteen pages below a page table's border.
pub(crate) const WINDOW: usize = 0x10_001f_0000;
pub(crate) const WINDOW_PAGES: usize = 32;

/// Beyond what any line of a program reaches lies one page that ends all growth.
pub(crate) const GUARD: usize = 4 * WINDOW_PAGES * PAGE;

/// Numbers from here on are places in the heap.
pub(crate) const HEAP: usize = 0x100_0000;
pub(crate) const HEAP_PAGES: usize = 8;

/// Numbers from here on are distances below the window, where areas grow down to: half of it is out of a stack's reach.
const BELOW: usize = 0x200_0000;
pub(crate) const REACH: usize = 0x100_0000;

/// The number that stands for the address 0: the kernel may choose.
pub(crate) const ANYWHERE: usize = 0xffff_ffff;

/// No file.
const NONE: usize = usize::MAX;

/// The number of the file of data; those behind it are slots.
const DATA: usize = 1;

const FIXED: usize = 0x10;
const NOREPLACE: usize = 0x10_0000;

pub(crate) struct Machine {
    data: usize,
    pub(crate) heap: usize,
    pub(crate) log: Log,
}

impl Machine {
    pub(crate) fn new(data: usize, log: Log) -> Self {
        attempt::prepare();
        // What can't be had must not be had by an area that may become as large as it likes.
        mmap(WINDOW + GUARD, PAGE, PROT_NONE, MAP_FIXED).expect("mmap");
        let heap = brk(0).next_multiple_of(PAGE);
        Self { data, heap, log }
    }

    /// Carries out `text`, whose lines count from `first`, and says how the process exits.
    pub(crate) fn run(&mut self, text: &[u8], first: usize) -> u8 {
        let mut lines = Lines::new(text, first);
        while let Some(step) = lines.next() {
            let index = lines.index - 1;
            let _ = write!(self.log, "{index:x}");
            match step.verb {
                b'f' => self.fork(&mut lines),
                b'X' => self.replace(&lines),
                b'q' => return self.end(index, step.numbers[0] as u8),
                b'g' => self.raise(index, step.numbers[0] as u32),
                b'e' => {}
                _ => self.count(&step, index),
            }
            self.log.line();
        }
        self.end(lines.index, 0)
    }

    fn end(&mut self, index: usize, code: u8) -> u8 {
        self.picture();
        self.log.line();
        self.log.flush(index);
        code
    }

    fn fork(&mut self, lines: &mut Lines<'_>) {
        let child = lines.take_child();
        let status = run_in_child(|| {
            self.log.clear();
            self.run(child.rest(), child.index)
        });
        let _ = match status {
            Status::Exited(code) => write!(self.log, " exit {code:x}"),
            Status::Killed(signal) => write!(self.log, " signal {:x}", signal.0),
        };
    }

    /// The interpreter replaces itself, and the next one goes on. Its buffers are not to lie on the stacks of all that
    /// `run`, one within the other.
    #[inline(never)]
    fn replace(&mut self, lines: &Lines<'_>) {
        self.log.line();
        self.log.flush(lines.index);
        limits::lift();
        let mut words = [[0; 16]; 2];
        for (word, number) in words.iter_mut().zip([lines.index, self.log.mode]) {
            let _ = write!(Text(&mut word[..]), "{number:x}");
        }
        let mut rest = [0; crate::READ];
        rest[..lines.rest().len()].copy_from_slice(lines.rest());
        let word = |bytes| CStr::from_bytes_until_nul(bytes).expect("it ends");
        let [data, folder] = [2, 3].map(|at| env::args().nth(at).expect("data and a folder"));
        let path = env::program_path();
        let [first, mode] = [&words[0], &words[1]].map(|bytes| word(&bytes[..]));
        let errno = execve(
            path,
            &[path, REST, data, folder, first, mode, word(&rest)],
            &[],
        );
        let _ = write!(self.log, " {errno:?}");
    }

    /// Sends a signal with its default to this very process.
    fn raise(&mut self, index: usize, signal: u32) {
        self.log.line();
        self.log.flush(index);
        let signal = Signal(signal);
        let before = act(signal, Action::default());
        let sent = kill(id(), signal);
        let _ = write!(self.log, " {}", sent.is_ok());
        if let Ok(before) = before {
            let _ = act(signal, before);
        }
    }

    /// Does one step and says how many minor faults it took, if that means anything: not where all of this program's own
    /// memory takes part.
    fn count(&mut self, step: &Step, index: usize) {
        if !self.log.is(mode::COUNTED) || b"LK".contains(&step.verb) {
            return self.act(step, index);
        }
        let faults = faults::minor(|| self.act(step, index));
        if faults != 0 {
            let _ = write!(self.log, " f{faults:x}");
        }
        if b"alLp".contains(&step.verb) {
            forget();
        }
    }

    fn act(&mut self, step: &Step, index: usize) {
        let [first, second, third, fourth, ..] = step.numbers;
        let at = self.address(first);
        match step.verb {
            b'm' => self.map(step.numbers),
            b'r' => self.remap(step.numbers),
            b'u' => self.plain(Sysno::munmap, [at, second]),
            b'p' => self.plain(Sysno::mprotect, [at, second, third]),
            b'a' => self.plain(Sysno::madvise, [at, second, third]),
            b'l' => self.plain(Sysno::mlock2, [at, second, third]),
            b'k' => self.plain(Sysno::munlock, [at, second]),
            b'L' => self.plain(Sysno::mlockall, [first]),
            b'K' => self.plain(Sysno::munlockall, []),
            b's' => self.plain(Sysno::msync, [at, second, third]),
            b'c' => self.residency(at, second),
            b'b' => self.set_break(first),
            b't' => self.touch(at, second, index),
            b'h' => self.show_pages(at, second),
            b'A' => self.areas(),
            b'V' => self.rows(),
            b'w' => self.touch_repaired(at, second, third, index),
            b'y' => self.limit(first, second),
            b'M' => self.make_file(first, second),
            b'D' => self.plain(Sysno::close, [descriptor(first)]),
            b'T' => self.plain(Sysno::ftruncate, [descriptor(first), second]),
            b'F' => self.plain(Sysno::fallocate, [descriptor(first), second, third, fourth]),
            b'S' => self.seal(first, second),
            b'W' => self.write(first, second, third, index),
            b'i' => self.read_into([first, second, third, fourth]),
            b'o' => self.write_from([first, second, third, fourth]),
            b'Z' => self.show_files(),
            _ => self.act_on_names(step, index),
        }
    }

    /// The verbs of files with names, and of what is open as such.
    fn act_on_names(&mut self, step: &Step, index: usize) {
        let [first, second, third, fourth, fifth, _] = step.numbers;
        let four = [first, second, third, fourth];
        match step.verb {
            b'O' => self.open(four),
            b'n' => self.names(four),
            b'd' => self.duplicate(four),
            b'R' => self.read_bytes(step.numbers),
            b'B' => self.write_bytes(step.numbers, index),
            b'j' => self.plain(Sysno::lseek, [descriptor(first), second, third]),
            b'x' => self.copy(step.numbers),
            b'z' => self.lock(step.numbers),
            b'N' => self.settle_bytes(four, fifth),
            b'E' => self.plain(Sysno::fcntl, [descriptor(first), second, third]),
            b'Q' => self.describe(first),
            b'v' => self.show_tree(),
            _ => panic!("step {index:x} is unknown"),
        }
    }

    pub(crate) fn address(&self, number: usize) -> usize {
        match number {
            ANYWHERE => 0,
            BELOW.. => WINDOW - (number - BELOW),
            HEAP.. => self.heap + (number - HEAP),
            _ => WINDOW + number,
        }
    }

    pub(crate) fn plain<const N: usize>(&mut self, call: Sysno, words: [usize; N]) {
        let mut all = [0; 6];
        all[..N].copy_from_slice(&words);
        self.say(syscall::raw(call as usize, all));
    }

    pub(crate) fn say(&mut self, answer: Result<usize, Errno>) {
        let _ = match answer {
            Ok(value) => write!(self.log, " {value:x}"),
            Err(errno) => write!(self.log, " {errno:?}"),
        };
    }

    fn map(&mut self, [at, length, rights, flags, offset, file]: [usize; 6]) {
        let file = match file {
            0 => NONE,
            DATA => self.data,
            slot => descriptor(slot - DATA - 1),
        };
        let at = self.address(at);
        let words = [at, length, rights, flags, file, offset];
        let answer = syscall::raw(Sysno::mmap as usize, words);
        if answer == Err(Errno::ENOMEM) && flags & (FIXED | NOREPLACE) == FIXED {
            // Linux's versions differ in whether the areas there were cut before the limit was looked at.
            let _ = munmap(at, length);
        }
        self.settle(answer, length);
    }

    fn remap(&mut self, [at, old, new, flags, target, _]: [usize; 6]) {
        let words = [self.address(at), old, new, flags, self.address(target), 0];
        let answer = syscall::raw(Sysno::mremap as usize, words);
        self.settle(answer, new);
    }

    /// Says where something was mapped; what the kernel put anywhere else is taken away again.
    fn settle(&mut self, answer: Result<usize, Errno>, length: usize) {
        let reach = HEAP_PAGES * PAGE * 2;
        match answer {
            Ok(at) if (WINDOW - REACH..WINDOW + GUARD).contains(&at) => {
                self.say(Ok(at.wrapping_sub(WINDOW)));
            }
            Ok(at) if (self.heap..self.heap + reach).contains(&at) => {
                self.say(Ok(at - self.heap + HEAP));
            }
            Ok(at) => {
                munmap(at, length).expect("munmap");
                let _ = write!(self.log, " elsewhere");
            }
            Err(errno) => self.say(Err(errno)),
        }
    }

    fn residency(&mut self, at: usize, length: usize) {
        let mut pages = [0xffu8; 2 * WINDOW_PAGES];
        let length = length.min(pages.len() * PAGE);
        let words = [at, length, pages.as_mut_ptr() as usize, 0, 0, 0];
        self.say(syscall::raw(Sysno::mincore as usize, words));
        if self.log.is(mode::RESIDENT) {
            for page in &pages[..length.div_ceil(PAGE)] {
                let _ = write!(self.log, " {page:x}");
            }
        }
    }

    fn set_break(&mut self, offset: usize) {
        let end = brk(self.heap + offset);
        self.say(Ok(end.wrapping_sub(self.heap)));
    }
}

/// A place for a short text.
pub(crate) struct Text<'a>(pub(crate) &'a mut [u8]);

impl Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        let (place, rest) = core::mem::take(&mut self.0).split_at_mut(text.len());
        place.copy_from_slice(text.as_bytes());
        self.0 = rest;
        Ok(())
    }
}

/// Has the processor forget all that it remembers of pages. A call can make a page writable, and one that remembers better
/// faults at the next store all the same, which Linux counts; an emulator looks again.
fn forget() {
    // Linux flushes everything where more than 33 pages lie between the first that goes and the last.
    const PAGES: usize = 64;
    if let Ok(start) = mmap(0, PAGES * PAGE, PROT_READ | PROT_WRITE, 0) {
        for page in [0, PAGES - 1] {
            probe::rewrite(start + page * PAGE);
        }
        let _ = munmap(start, PAGES * PAGE);
    }
}
