//! The process that a program acts on: a window of addresses in which everything collides, the heap, and a verb a letter.
//!
//! The window lies where neither kernel puts anything by itself, across the border between two page tables.

use core::ffi::CStr;
use core::fmt::Write;

use rt::abi::Sysno;
use rt::attempt::{self, Fault};
use rt::handler::{Action, act};
use rt::memory::{MAP_FIXED, PAGE, PROT_NONE, brk, mmap, munmap};
use rt::process::{Status, execve, id, run_in_child};
use rt::signal::{Signal, kill};
use rt::{Errno, env, faults, syscall};

use crate::REST;
use crate::log::{Log, mode};
use crate::step::{Lines, Step};

/// Sixteen pages below a page table's border.
const WINDOW: usize = 0x10_001f_0000;
const WINDOW_PAGES: usize = 32;

/// Beyond what any line of a program reaches lies one page that ends all growth.
const GUARD: usize = 4 * WINDOW_PAGES * PAGE;

/// Numbers from here on are places in the heap.
const HEAP: usize = 0x100_0000;
const HEAP_PAGES: usize = 8;

/// The number that stands for the address 0: the kernel may choose.
const ANYWHERE: usize = 0xffff_ffff;

/// What `execute` may run into.
const RETURN: u8 = 0xc3;

/// More than any program may have.
const TOO_LONG: usize = 1 << 46;

/// The bit of an error code that says that a page was there.
const PRESENT: u64 = 1;

/// No file.
const NONE: usize = usize::MAX;

pub(crate) struct Machine {
    data: usize,
    heap: usize,
    log: Log,
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

    /// Everything that there is: what each page holds, and how the areas lie.
    fn picture(&mut self) {
        self.areas();
        self.log.line();
        self.show_pages(WINDOW, WINDOW_PAGES);
        self.show_pages(self.heap, HEAP_PAGES);
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

    /// The interpreter replaces itself, and the next one goes on.
    fn replace(&mut self, lines: &Lines<'_>) {
        self.log.line();
        self.log.flush(lines.index);
        let mut words = [[0; 16]; 2];
        for (word, number) in words.iter_mut().zip([lines.index, self.log.mode]) {
            let _ = write!(Text(&mut word[..]), "{number:x}");
        }
        let mut rest = [0; crate::READ];
        rest[..lines.rest().len()].copy_from_slice(lines.rest());
        let word = |bytes| CStr::from_bytes_until_nul(bytes).expect("it ends");
        let data = env::args().nth(2).expect("the file of data");
        let path = env::program_path();
        let [first, mode] = [&words[0], &words[1]].map(|bytes| word(&bytes[..]));
        let errno = execve(path, &[path, REST, data, first, mode, word(&rest)], &[]);
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
    }

    fn act(&mut self, step: &Step, index: usize) {
        let [first, second, third, ..] = step.numbers;
        let at = self.address(first);
        match step.verb {
            b'm' => self.map(step.numbers),
            b'r' => self.remap(step.numbers),
            b'u' => self.plain(Sysno::munmap, [at, second, 0]),
            b'p' => self.plain(Sysno::mprotect, [at, second, third]),
            b'a' => self.plain(Sysno::madvise, [at, second, third]),
            b'l' => self.plain(Sysno::mlock2, [at, second, third]),
            b'k' => self.plain(Sysno::munlock, [at, second, 0]),
            b'L' => self.plain(Sysno::mlockall, [first, 0, 0]),
            b'K' => self.plain(Sysno::munlockall, [0; 3]),
            b's' => self.plain(Sysno::msync, [at, second, third]),
            b'c' => self.residency(at, second),
            b'b' => self.set_break(first),
            b't' => self.touch(at, second, index),
            b'h' => self.show_pages(at, second),
            b'A' => self.areas(),
            _ => panic!("step {index:x} is unknown"),
        }
    }

    fn address(&self, number: usize) -> usize {
        match number {
            ANYWHERE => 0,
            HEAP.. => self.heap + (number - HEAP),
            _ => WINDOW + number,
        }
    }

    fn plain(&mut self, call: Sysno, [a, b, c]: [usize; 3]) {
        let answer = syscall::raw(call as usize, [a, b, c, 0, 0, 0]);
        self.say(answer);
    }

    fn say(&mut self, answer: Result<usize, Errno>) {
        let _ = match answer {
            Ok(value) => write!(self.log, " {value:x}"),
            Err(errno) => write!(self.log, " {errno:?}"),
        };
    }

    fn map(&mut self, [at, length, rights, flags, offset, file]: [usize; 6]) {
        let file = if file == 0 { NONE } else { self.data };
        let words = [self.address(at), length, rights, flags, file, offset];
        let answer = syscall::raw(Sysno::mmap as usize, words);
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
            Ok(at) if (WINDOW..WINDOW + HEAP).contains(&at) => self.say(Ok(at - WINDOW)),
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
        if self.log.is(mode::COUNTED) {
            for page in &pages[..length.div_ceil(PAGE)] {
                let _ = write!(self.log, " {page:x}");
            }
        }
    }

    fn set_break(&mut self, offset: usize) {
        let end = brk(self.heap + offset);
        self.say(Ok(end.wrapping_sub(self.heap)));
    }

    fn touch(&mut self, at: usize, kind: usize, index: usize) {
        let outcome = match kind {
            0 => attempt::load(at).map(|word| word as usize),
            1 => attempt::store(at, index as u64 * 0x0101_0101_0101_0101 + 1).map(|()| 0),
            2 => Self::execute(at),
            3 => attempt::rewrite(at).map(|()| 0),
            _ => attempt::store(at, u64::from_ne_bytes([RETURN; 8])).map(|()| 0),
        };
        match outcome {
            Ok(value) => self.say(Ok(value)),
            Err(fault) => self.say_fault(fault),
        }
    }

    /// Runs what lies there, if it is nothing worse than a return.
    fn execute(at: usize) -> Result<usize, Fault> {
        match attempt::load(at) {
            Ok(word) if word as u8 != RETURN => Ok(usize::MAX),
            _ => attempt::execute(at).map(|()| 0),
        }
    }

    fn say_fault(&mut self, fault: Fault) {
        let address = fault.address as usize;
        let base = if address < WINDOW { self.heap } else { WINDOW };
        // Whether a page was there is chance where its file is.
        let hidden = if self.log.is(mode::COUNTED) {
            0
        } else {
            PRESENT
        };
        let _ = write!(
            self.log,
            " signal {} code {} at {:x} error {:x}",
            fault.signal,
            fault.code,
            address.wrapping_sub(base),
            fault.error & !hidden
        );
    }

    /// For each page what it holds, in one word, or why it can't be read.
    fn show_pages(&mut self, at: usize, pages: usize) {
        for page in 0..pages {
            let _ = match digest(at + page * PAGE) {
                Ok(0) => write!(self.log, " 0"),
                Ok(digest) => write!(self.log, " {digest:x}"),
                Err(fault) => write!(self.log, " {}/{}", fault.signal, fault.code),
            };
        }
    }

    /// For each page how a growth that can't be had is refused, which is another way within an area than at its end.
    fn areas(&mut self) {
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
        let word = attempt::load(at)?;
        folded = (folded.rotate_left(7) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
    Ok((folded >> 32) as u32)
}

/// A place for a short text.
struct Text<'a>(&'a mut [u8]);

impl Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        let (place, rest) = core::mem::take(&mut self.0).split_at_mut(text.len());
        place.copy_from_slice(text.as_bytes());
        self.0 = rest;
        Ok(())
    }
}
