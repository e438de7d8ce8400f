//! Bytes of a space that another process reads or writes, as process_vm_readv(2) and `/proc/PID/mem` do.
//!
//! The program's own accesses are served as its areas say and its stack grows under them; a stranger gets what Linux's
//! `get_user_pages` grants. Areas must allow reading by name, and no stack grows. Who may force (ptrace's way) reads
//! whatever is there, and writes where the write stays this space's alone: a private page is copied first, and the entry
//! that leads to the copy still lets the program do no more than its area says. Unlike on Linux that does not reach areas
//! that allow nothing: an entry in one would show what it hides for as long as it takes to hide it again.
use crate::fault::{Access, Denial, Outcome};
use crate::frame::Frame;
use crate::machine::Machine;
use crate::memory::Memory;
use crate::mprotect::is_exclusive;
use crate::page::Page;
use crate::page_cache::{CachedFile, Lookup};
use crate::pte::Pte;
use crate::remote::{offset, read_bytes, room, touch, write_bytes};
use crate::space::{AddressSpace, USER_END};
use crate::sync::atomic::{AtomicU64, Ordering::Acquire};
use crate::vma::{Backing, VmFlags, Vma};

/// By which right somebody reaches into another's space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// What the area allows.
    Granted,
    /// Whatever the area says.
    Forced,
}

impl AddressSpace {
    /// Fills `buffer` from the page of `address` as far as that goes, and returns how many bytes that were.
    ///
    /// `Err` holds what must be seen to first, as for a fault; then call again.
    pub fn read_foreign<M: Machine>(
        &self,
        memory: &Memory<M>,
        address: u64,
        buffer: &mut [u8],
        right: Right,
    ) -> Result<usize, Outcome> {
        let vma = self.foreign_area(address)?;
        if right == Right::Granted && !vma.flags.contains(VmFlags::READ) {
            return Err(Outcome::Denied(Denial::Forbidden));
        }
        if vma.flags.allow(Access::Read) {
            return self.read_remote(memory, address, buffer);
        }
        let count = buffer.len().min(room(address));
        let buffer = &mut buffer[..count];
        match self.hidden_frame(memory, vma, Page::containing(address))? {
            Some(frame) => {
                read_bytes(memory.machine.words(frame), offset(address), buffer);
                memory.put(frame);
            }
            None => buffer.fill(0),
        }
        Ok(count)
    }

    /// Writes the part of `bytes` that fits into the page of `address`, and returns how many that were.
    ///
    /// `Err` holds what must be seen to first, as for a fault; then call again.
    pub fn write_foreign<M: Machine>(
        &self,
        memory: &Memory<M>,
        address: u64,
        bytes: &[u8],
        right: Right,
    ) -> Result<usize, Outcome> {
        let vma = self.foreign_area(address)?;
        if vma.flags.contains(VmFlags::WRITE) {
            return self.write_remote(memory, address, bytes);
        }
        let is_hidden = !vma.flags.allow(Access::Read);
        if right == Right::Granted || is_hidden || vma.flags.contains(VmFlags::SHARED) {
            return Err(Outcome::Denied(Denial::Forbidden));
        }
        let page = Page::containing(address);
        loop {
            if let Some(frame) = self.own_frame(memory, page) {
                let count = bytes.len().min(room(address));
                let words = memory.machine.words(frame);
                write_bytes(words, offset(address), &bytes[..count]);
                memory.put(frame);
                return Ok(count);
            }
            match self.copy_for_stranger(memory, vma, page) {
                Outcome::Resolved(_) => {}
                other => return Err(other),
            }
        }
    }

    /// The area that holds `address`: what lies below a stack is not in it.
    fn foreign_area(&self, address: u64) -> Result<&Vma, Outcome> {
        let page = Page::containing(address);
        let vma = self.areas.at(page).filter(|_| page < USER_END);
        match vma {
            Some(vma) if vma.flags.contains(VmFlags::RAW) => {
                Err(Outcome::Denied(Denial::Forbidden))
            }
            Some(vma) => Ok(vma),
            None => Err(Outcome::Denied(Denial::Unmapped)),
        }
    }

    /// The frame behind a page of an area that allows nothing, held: what an entry hides, or else what a first access would
    /// find. No entry is made for it. `None` stands for zeroes.
    fn hidden_frame<M: Machine>(
        &self,
        memory: &Memory<M>,
        vma: &Vma,
        page: Page,
    ) -> Result<Option<Frame>, Outcome> {
        let entry = self.table.entry(memory, page);
        if let Some(frame) = entry.and_then(|entry| hold(memory, entry)) {
            return Ok(Some(frame));
        }
        match &vma.backing {
            Backing::Anonymous | Backing::ZeroDevice { .. } => Ok(None),
            Backing::File { file, .. } => {
                let index = vma.file_index(page).unwrap_or(u64::MAX);
                file_frame(memory, file, index).map(Some)
            }
        }
    }

    /// The frame of a private page that only this space has, held and about to be written to.
    fn own_frame<M: Machine>(&self, memory: &Memory<M>, page: Page) -> Option<Frame> {
        let entry = self.table.entry(memory, page)?;
        let bits = entry.load(Acquire);
        let leaf = Pte::decode(bits).leaf()?;
        // Forks wait for the space's lock: who is alone with the page stays so.
        let is_ours = is_exclusive(memory, leaf);
        if !is_ours || !memory.hold_if(leaf.frame, || entry.load(Acquire) == bits) {
            return None;
        }
        let is_touched = touch(entry, leaf.frame);
        if !is_touched {
            memory.put(leaf.frame);
        }
        is_touched.then_some(leaf.frame)
    }
}

/// The frame that `entry` leads to, held.
fn hold<M: Machine>(memory: &Memory<M>, entry: &AtomicU64) -> Option<Frame> {
    let bits = entry.load(Acquire);
    let frame = Pte::decode(bits).leaf()?.frame;
    let leads_there = || entry.load(Acquire) == bits;
    memory.hold_if(frame, leads_there).then_some(frame)
}

/// The frame of a file's page, held.
fn file_frame<M: Machine>(
    memory: &Memory<M>,
    file: &alloc::sync::Arc<CachedFile>,
    index: u64,
) -> Result<Frame, Outcome> {
    match file.find_or_create(memory, index)? {
        Lookup::Ready(frame) => Ok(frame),
        Lookup::Reading | Lookup::Reserved => Err(Outcome::Busy),
        Lookup::PastEnd => Err(Outcome::Denied(Denial::PastEnd)),
        Lookup::Absent => {
            let read = file.begin_read(memory, index)?;
            Err(read.map_or(Outcome::Busy, Outcome::NeedsRead))
        }
    }
}

#[cfg(test)]
mod tests;
