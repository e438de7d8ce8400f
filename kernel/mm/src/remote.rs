//! Bytes of a space that the kernel reads or writes by itself, while another space, or none, is active.
//!
//! `execve` fills the new program's stack this way. Each page goes through the same fault as if the program had touched
//! it, so rights are checked, copies are made and nothing needs to be pinned twice.
use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering::{Acquire, Relaxed};

use crate::fault::{Access, Denial, Outcome};
use crate::frame::Frame;
use crate::machine::Machine;
use crate::memory::Memory;
use crate::page::{PAGE_SIZE, Page};
use crate::pte::Pte;
use crate::space::{AddressSpace, USER_END};

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
        Ok(count)
    }

    /// The frame behind `address`, once an access of that kind would succeed.
    fn reach<M: Machine>(
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
            let entry = self.table.entry(memory, page);
            if let Some(Pte::Mapped(leaf)) = entry.map(|entry| Pte::decode(entry.load(Acquire)))
                && (access != Access::Write || leaf.is_writable())
            {
                return Ok(leaf.frame);
            }
            match self.handle_fault(memory, address, access) {
                Outcome::Resolved(_) => {}
                other => return Err(other),
            }
        }
    }
}

fn offset(address: u64) -> usize {
    (address % PAGE_SIZE) as usize
}

fn room(address: u64) -> usize {
    PAGE_SIZE as usize - offset(address)
}

/// Copies a frame's bytes from `offset` on into `buffer`.
pub fn read_bytes(words: &[AtomicU64], offset: usize, buffer: &mut [u8]) {
    for (number, byte) in buffer.iter_mut().enumerate() {
        let at = offset + number;
        *byte = words[at / WORD].load(Relaxed).to_le_bytes()[at % WORD];
    }
}

/// Copies `bytes` into a frame from `offset` on.
pub fn write_bytes(words: &[AtomicU64], offset: usize, bytes: &[u8]) {
    let mut at = offset;
    let mut rest = bytes;
    while !rest.is_empty() {
        let start = at % WORD;
        let (part, behind) = rest.split_at(rest.len().min(WORD - start));
        let mut word = words[at / WORD].load(Relaxed).to_le_bytes();
        word[start..start + part.len()].copy_from_slice(part);
        words[at / WORD].store(u64::from_le_bytes(word), Relaxed);
        at += part.len();
        rest = behind;
    }
}
