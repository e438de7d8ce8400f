//! Bytes of a space that the kernel reads or writes by itself, while another space, or none, is active.
//!
//! `execve` fills the new program's stack this way. Each page goes through the same fault as if the program had touched
//! it, so rights are checked and copies are made; its frame is held while the bytes move.
use core::ops::Range;

use crate::fault::{Access, Denial, Outcome};
use crate::frame::Frame;
use crate::machine::Machine;
use crate::memory::Memory;
use crate::page::{PAGE_SIZE, Page};
use crate::pte::{Leaf, Pte, PteFlags};
use crate::space::{AddressSpace, USER_END};
use crate::sync::atomic::AtomicU64;
use crate::sync::atomic::Ordering::{Acquire, Relaxed, Release};

const WORD: usize = size_of::<u64>();

impl AddressSpace {
    /// Writes the part of `bytes` that fits into the page of `address`, and returns how many that were.
    ///
    /// `Err` holds what must be seen to first, as for a fault; then call again.
    pub fn write_remote<M: Machine>(
        &self,
        memory: &Memory<M>,
        address: u64,
        bytes: &[u8],
    ) -> Result<usize, Outcome> {
        let frame = self.reach(memory, address, Access::Write)?;
        let count = bytes.len().min(room(address));
        write_bytes(
            memory.machine.words(frame),
            offset(address),
            &bytes[..count],
        );
        self.note_store(memory, address, frame);
        memory.put(frame);
        Ok(count)
    }

    /// Fills `buffer` from the page of `address` as far as that goes, and returns how many bytes that were.
    ///
    /// `Err` holds what must be seen to first, as for a fault; then call again.
    pub fn read_remote<M: Machine>(
        &self,
        memory: &Memory<M>,
        address: u64,
        buffer: &mut [u8],
    ) -> Result<usize, Outcome> {
        let frame = self.reach(memory, address, Access::Read)?;
        let count = buffer.len().min(room(address));
        read_bytes(
            memory.machine.words(frame),
            offset(address),
            &mut buffer[..count],
        );
        memory.put(frame);
        Ok(count)
    }

    /// What was stored into `frame` at `address` past the processor reaches the disk, where it has to: the right of the
    /// entry, which stood for that, may have been taken since it was seen.
    fn note_store<M: Machine>(&self, memory: &Memory<M>, address: u64, frame: Frame) {
        let page = Page::containing(address);
        if let Some((file, index)) = self.areas.at(page).and_then(|vma| vma.noticed(page)) {
            let _ = file.make_dirty(memory, index, frame);
        }
    }

    /// The frame behind `address`, once an access of that kind would succeed; held, because another thread may copy the
    /// page at any time and give this frame up. The caller puts it.
    pub(crate) fn reach<M: Machine>(
        &self,
        memory: &Memory<M>,
        address: u64,
        access: Access,
    ) -> Result<Frame, Outcome> {
        let page = Page::containing(address);
        if page >= USER_END {
            // The tables go on into the kernel's half; the program's memory doesn't.
            return Err(Outcome::Denied(Denial::Unmapped));
        }
        loop {
            let held = self.table.entry(memory, page).and_then(|entry| {
                let leaf = suitable(entry, access)?;
                let leads_there =
                    || suitable(entry, access).map(|now| now.frame) == Some(leaf.frame);
                if !memory.hold_if(leaf.frame, leads_there) {
                    return None;
                }
                let is_touched = access != Access::Write || touch(entry, leaf.frame);
                if !is_touched {
                    memory.put(leaf.frame);
                }
                is_touched.then_some(leaf.frame)
            });
            if let Some(frame) = held {
                return Ok(frame);
            }
            match self.handle_fault(memory, address, access) {
                Outcome::Resolved(_) => {}
                other => return Err(other),
            }
        }
    }
}

/// What `entry` maps, if an access of that kind succeeds through it.
fn suitable(entry: &AtomicU64, access: Access) -> Option<Leaf> {
    match Pte::decode(entry.load(Acquire)) {
        Pte::Mapped(leaf) if access != Access::Write || leaf.is_writable() => Some(leaf),
        _ => None,
    }
}

/// Marks the entry as the processor does before a store, as long as it leads to `frame`: who advised that the page may be
/// lost has changed its mind. False where the page was taken away meanwhile.
pub(crate) fn touch(entry: &AtomicU64, frame: Frame) -> bool {
    let touched = |bits| {
        let leaf = Pte::decode(bits).leaf()?;
        (leaf.frame == frame).then_some(bits | PteFlags::DIRTY.bits())
    };
    entry.fetch_update(Release, Relaxed, touched).is_ok()
}

pub(crate) fn offset(address: u64) -> usize {
    (address % PAGE_SIZE) as usize
}

pub(crate) fn room(address: u64) -> usize {
    PAGE_SIZE as usize - offset(address)
}

/// Fills `range` of a frame's bytes with zeroes.
pub fn zero_bytes(words: &[AtomicU64], range: Range<usize>) {
    const ZEROES: [u8; 64] = [0; 64];
    for at in range.clone().step_by(ZEROES.len()) {
        write_bytes(words, at, &ZEROES[..ZEROES.len().min(range.end - at)]);
    }
}

/// Copies a frame's bytes from `offset` on into `buffer`.
pub fn read_bytes(words: &[AtomicU64], offset: usize, buffer: &mut [u8]) {
    for (number, byte) in buffer.iter_mut().enumerate() {
        let at = offset + number;
        *byte = words[at / WORD].load(Relaxed).to_le_bytes()[at % WORD];
    }
}

/// Copies `bytes` into a frame from `offset` on. What another thread stores beside them meanwhile is never undone.
pub fn write_bytes(words: &[AtomicU64], offset: usize, bytes: &[u8]) {
    let mut at = offset;
    let mut rest = bytes;
    while !rest.is_empty() {
        let start = at % WORD;
        let (part, behind) = rest.split_at(rest.len().min(WORD - start));
        write_in_word(&words[at / WORD], start, part);
        at += part.len();
        rest = behind;
    }
}

/// Writes `part` into a word, from its byte `start` on.
fn write_in_word(word: &AtomicU64, start: usize, part: &[u8]) {
    if let Ok(whole) = part.try_into() {
        return word.store(u64::from_le_bytes(whole), Relaxed);
    }
    let spliced = |old: u64| {
        let mut bytes = old.to_le_bytes();
        bytes[start..start + part.len()].copy_from_slice(part);
        Some(u64::from_le_bytes(bytes))
    };
    // It never fails: there is always a new value.
    let _ = word.fetch_update(Relaxed, Relaxed, spliced);
}
