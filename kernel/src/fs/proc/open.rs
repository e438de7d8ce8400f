//! An open file of `/proc`: its text as far as somebody read it, and where it goes on.
//!
//! Texts are made when they are read, whole records at a time, up to a page for each call, as Linux's `seq_file` does it:
//! what a call returns ends with a record, and the next begins with the area that is there by then. Reading somewhere else
//! than where the last call ended makes the text again from its beginning.
use alloc::sync::Weak;
use alloc::vec::Vec;
use core::fmt::Write;
use core::ops::Range;

use abi::Errno;
use abi::general::CAP_SYS_ADMIN;
use mm::report::{Frames, pagemap};
use mm::{PAGE_SIZE, Page};

use super::text::Text;
use super::{Content, Kind, Node, Tree};
use crate::arch::memory::memory;
use crate::fault;
use crate::fs::buffers::Buffers;
use crate::fs::open::{Order, Status, Step};
use crate::lock::{IrqLock, Rank};
use crate::process::capabilities::Looking;
use crate::process::{Facts, Process, current, sched};

/// Bytes that one call returns at most.
const PIECE: usize = PAGE_SIZE as usize;

/// Bytes that a call moves to ring 3 at a time.
const ROOM: u64 = 2 * PAGE_SIZE;

/// Words that `pagemap` fills while it has the space.
const WORDS: usize = 64;

/// An open file or folder.
pub(crate) struct Open {
    node: Node,
    /// Whom it is about.
    process: Weak<Process>,
    /// Whether `pagemap` says which frames there are: to those who could open `/dev/mem` too.
    frames: Frames,
    /// `None` while a reader has it.
    sequence: IrqLock<Option<Sequence>>,
}

/// How far somebody read.
#[derive(Default)]
struct Sequence {
    text: Text,
    /// Bytes of `text` that were read.
    used: usize,
    /// Where in the file the first unread byte stands.
    position: u64,
    next: Next,
}

/// What comes behind the text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    /// The first area that ends above this page, or the only text where it is the first page.
    From(Page),
    Nothing,
}

impl Default for Next {
    fn default() -> Self {
        Self::From(Page::new(0))
    }
}

impl Open {
    /// Opens `node`.
    pub(crate) fn new(node: Node) -> Result<Self, Errno> {
        let process = node.process()?;
        let caller = current();
        let is_allowed = process.as_ref().is_none_or(|process| {
            !node.tells_of_memory() || caller.may_look_into(process, Looking::Text)
        });
        if !is_allowed {
            return Err(Errno::EACCES);
        }
        Ok(Self {
            node,
            frames: if caller.may(CAP_SYS_ADMIN) {
                Frames::Shown
            } else {
                Frames::Hidden
            },
            process: process
                .as_ref()
                .map(alloc::sync::Arc::downgrade)
                .unwrap_or_default(),
            sequence: IrqLock::new(Rank::Files, Some(Sequence::default())),
        })
    }

    fn content(&self) -> Result<Content, Errno> {
        match self.node.kind {
            Kind::File(entry) => Ok(entry.content),
            _ => Err(Errno::EISDIR),
        }
    }

    /// Fills `buffer` from byte `position` on, and returns how much of it: a part of a record only where it is too small.
    fn read_piece(
        &self,
        content: Content,
        position: u64,
        buffer: &mut [u8],
    ) -> Result<usize, Errno> {
        match content {
            Content::Pagemap => return self.read_pagemap(position, buffer),
            Content::Strings(place) => return self.read_strings(place, position, buffer),
            _ => {}
        }
        let mut sequence = self.take();
        let read = self.read_text(content, &mut sequence, position, buffer);
        *self.sequence.lock() = Some(sequence);
        read
    }

    /// The state, when no other reader has it.
    fn take(&self) -> Sequence {
        loop {
            let taken = self.sequence.lock().take();
            match taken {
                Some(sequence) => return sequence,
                None => sched::yield_now(),
            }
        }
    }

    fn read_text(
        &self,
        content: Content,
        sequence: &mut Sequence,
        position: u64,
        buffer: &mut [u8],
    ) -> Result<usize, Errno> {
        if position != sequence.position || position == 0 {
            *sequence = Sequence::default();
            self.skip(content, sequence, position)?;
        }
        let done = sequence.give(buffer);
        if done < buffer.len() {
            self.fill(content, sequence, buffer.len() - done)?;
        }
        Ok(done + sequence.give(&mut buffer[done..]))
    }

    /// Goes on to byte `position`, or to the end.
    fn skip(&self, content: Content, sequence: &mut Sequence, position: u64) -> Result<(), Errno> {
        while sequence.position < position {
            if sequence.rest().is_empty() {
                self.fill(content, sequence, PIECE)?;
            }
            let missing = position - sequence.position;
            let here = (sequence.rest().len() as u64).min(missing);
            if here == 0 {
                return Ok(());
            }
            sequence.used += here as usize;
            sequence.position += here;
            sched::breathe();
        }
        Ok(())
    }

    /// Replaces the text, all of which was read, by the records that follow: one at least, and more as long as fewer than
    /// `wanted` bytes are there and they fit.
    fn fill(&self, content: Content, sequence: &mut Sequence, wanted: usize) -> Result<(), Errno> {
        sequence.text.truncate(0);
        sequence.used = 0;
        while let Next::From(page) = sequence.next {
            let before = sequence.text.len();
            let made = self.make(content, page, &mut sequence.text);
            let is_first = before == 0;
            match made {
                Ok(_) if !is_first && sequence.text.len() > PIECE => {
                    sequence.text.truncate(before);
                    break;
                }
                Ok(next) => sequence.next = next,
                Err(errno) if is_first => return Err(errno),
                Err(_) => {
                    sequence.text.truncate(before);
                    break;
                }
            }
            if sequence.text.len() >= wanted.min(PIECE) {
                break;
            }
        }
        Ok(())
    }

    /// Adds the record that begins at `page`, and returns what comes behind it.
    fn make(&self, content: Content, page: Page, text: &mut Text) -> Result<Next, Errno> {
        let written = match content {
            Content::Machine(write) => write(text),
            Content::Setting(number, _) => writeln!(text, "{}", number()),
            Content::Process(write) => write(&*self.process()?, text),
            Content::Adjustment => super::process::write_adjustment(&*self.process()?, text),
            Content::Memory(write) => match self.process()?.space() {
                Some(space) => write(&space.read(), text),
                None => Ok(()),
            },
            Content::Areas(write) => {
                let Some(space) = self.process()?.space() else {
                    return Ok(Next::Nothing);
                };
                let next = write(&space.read(), page, text).map_err(|_| Errno::ENOMEM)?;
                return Ok(next.map_or(Next::Nothing, Next::From));
            }
            Content::Strings(_)
            | Content::Bytes
            | Content::Pagemap
            | Content::Program
            | Content::WorkingDirectory
            | Content::Root => return Err(Errno::EINVAL),
        };
        written.map_err(|_| Errno::ENOMEM)?;
        Ok(Next::Nothing)
    }

    fn process(&self) -> Result<alloc::sync::Arc<Process>, Errno> {
        self.process.upgrade().ok_or(Errno::ESRCH)
    }

    fn read_pagemap(&self, position: u64, buffer: &mut [u8]) -> Result<usize, Errno> {
        let Some(space) = self.process()?.space() else {
            return Ok(0);
        };
        let end = mm::space::USER_END.number();
        let first = (position / 8).min(end);
        let mut words = [0; WORDS];
        let count = (buffer.len() / 8).min(WORDS).min((end - first) as usize);
        let words = &mut words[..count];
        pagemap(
            &space.read(),
            memory(),
            Page::new(first),
            self.frames,
            words,
        );
        for (place, word) in buffer.chunks_exact_mut(8).zip(&*words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        Ok(count * 8)
    }

    /// Bytes of the process's own memory, up to the end of a page.
    fn read_strings(
        &self,
        place: fn(&Facts) -> Range<u64>,
        position: u64,
        buffer: &mut [u8],
    ) -> Result<usize, Errno> {
        let space = self.process()?.space();
        let place = space.as_ref().and_then(|space| Some(place(space.facts()?)));
        let (Some(space), Some(place)) = (space, place) else {
            return Ok(0);
        };
        let start = place.start.saturating_add(position);
        let count = place.end.saturating_sub(start).min(buffer.len() as u64) as usize;
        if count == 0 {
            return Ok(0);
        }
        fault::read_remote(&space, start, &mut buffer[..count])
    }

    /// Takes what a program wrote.
    fn write_text(&self, bytes: &[u8]) -> Result<(), Errno> {
        match self.content()? {
            Content::Setting(_, set) => set(number(bytes)?),
            Content::Adjustment => super::process::set_adjustment(&*self.process()?, bytes),
            _ if self.node.tree == Tree::Machine => Err(Errno::EIO),
            _ => Err(Errno::EINVAL),
        }
    }
}

impl crate::fs::open::Kind for Open {
    fn status(&self) -> Status {
        self.node.status()
    }

    fn order(&self) -> Order {
        Order::Endless
    }

    /// A text ends the call with each piece; words and strings go on.
    fn read(&self, at: u64, into: &mut Buffers<'_>) -> Result<Step, Errno> {
        let content = self.content()?;
        let is_words = matches!(content, Content::Pagemap);
        if is_words && !(at | into.left()).is_multiple_of(8) {
            return Err(Errno::EINVAL);
        }
        let mut piece = room(into.left().min(ROOM))?;
        let count = self.read_piece(content, at, &mut piece)?;
        into.fill(&piece[..count])?;
        let goes_on = matches!(content, Content::Pagemap | Content::Strings(_));
        Ok(if goes_on && count > 0 {
            Step::More
        } else {
            Step::Done
        })
    }

    fn write(&self, at: u64, from: &mut Buffers<'_>) -> Result<Step, Errno> {
        // Linux (`sysctl_writes_strict`): a setting is written from its beginning.
        if at != 0 && matches!(self.content()?, Content::Setting(..)) {
            return Ok(Step::Done);
        }
        let mut text = room(from.left().min(PIECE as u64))?;
        // What is refused was not moved.
        let mut taken = *from;
        let count = taken.take(&mut text)?;
        self.write_text(&text[..count])?;
        *from = taken;
        Ok(Step::Done)
    }
}

/// A number as Linux reads it for a setting: decimal, octal behind a 0 or hexadecimal behind 0x, with blanks around it, and
/// whatever follows those.
fn number(bytes: &[u8]) -> Result<u32, Errno> {
    let text = core::str::from_utf8(bytes).map_err(|_| Errno::EINVAL)?;
    let word = text.split_ascii_whitespace().next().ok_or(Errno::EINVAL)?;
    let (base, digits) = match word.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &word[2..]),
        [b'0', _, ..] => (8, &word[1..]),
        _ => (10, word),
    };
    let is_plain = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let number = i32::from_str_radix(digits, base).ok().filter(|_| is_plain);
    let number = number.and_then(|number| u32::try_from(number).ok());
    number.ok_or(Errno::EINVAL)
}

/// Zeroes to be filled.
pub(super) fn room(length: u64) -> Result<Vec<u8>, Errno> {
    let mut room = Vec::new();
    room.try_reserve_exact(length as usize)
        .map_err(|_| Errno::ENOMEM)?;
    room.resize(length as usize, 0);
    Ok(room)
}

impl Sequence {
    /// What was made and not read yet.
    fn rest(&self) -> &[u8] {
        self.text.bytes().get(self.used..).unwrap_or_default()
    }

    /// Moves what fits to `buffer`.
    fn give(&mut self, buffer: &mut [u8]) -> usize {
        let rest = self.rest();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.used += count;
        self.position += count as u64;
        count
    }
}
