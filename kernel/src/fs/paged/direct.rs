//! O_DIRECT: bytes go straight between ring 3's own frames and the disk, past the page cache, and agree with it.
//!
//! A batch is done at a time: as many pages as one may have are pinned first, for that may fault, then the file's places
//! are kept from changing, then what is dirty of the range is written and waited for. A write drops the range from the
//! cache twice: before it, so that nobody finds what is old, and after it, because somebody may have read it once more
//! meanwhile. What somebody stores meanwhile by a mapping stays, and goes to the disk later, as on Linux. So does the rule
//! that a call of which any byte fails has failed.
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;

use abi::Errno;
use mm::machine::PhysMem;
use mm::page_cache::CachedFile;
use mm::pin::Pin;
use mm::{Access, PAGE_SIZE, remote};

use super::{Paged, of, pages_of};
use crate::arch::memory::memory;
use crate::block::{Action, Batch, MOST_FRAMES, Parts, SECTOR, Work};
use crate::fault;
use crate::fs::buffers::Buffers;
use crate::process::oom::{self, Need};
use crate::process::{current, sched, signal};

/// Part of a page of ring 3's memory, and of a page of the file.
struct Chunk {
    pin: Pin,
    /// Where it begins in its frame, and how many bytes it has.
    start: u64,
    bytes: u64,
    /// Where it lies in the file.
    at: u64,
}

/// Chunks that follow one another in the file.
struct Pinned {
    chunks: Vec<Chunk>,
    batch: Arc<Batch>,
    bytes: Range<u64>,
}

/// What offsets, lengths and addresses must be multiples of: the disk's own sectors. `EIO` where the file lies on no disk.
fn unit(file: &CachedFile) -> Result<u64, Errno> {
    let paged = of(file).ok_or(Errno::EIO)?;
    Ok(paged.volume().unit())
}

/// `EINVAL` unless everything is a multiple of the disk's sectors. Linux lets addresses pass that are none where a buffer
/// lies in one page; what it tells programs to keep to (STATX_DIOALIGN) is kept to here.
pub(crate) fn check(file: &CachedFile, at: u64, buffers: &Buffers<'_>) -> Result<(), Errno> {
    let unit = unit(file)?;
    if at.is_multiple_of(unit) && buffers.left().is_multiple_of(unit) && buffers.is_aligned(unit) {
        Ok(())
    } else {
        Err(Errno::EINVAL)
    }
}

/// Fills ring 3's buffers from byte `at` on, as far as the file goes. Less only where the process has to end.
pub(crate) fn read(file: &Arc<CachedFile>, at: u64, into: &mut Buffers<'_>) -> Result<(), Errno> {
    if at >= file.size() || into.left() == 0 {
        return Ok(());
    }
    check(file, at, into)?;
    let (paged, unit) = (of(file).ok_or(Errno::EIO)?, unit(file)?);
    let (mut rest, mut at) = (*into, at);
    while rest.left() > 0 && !signal::is_dying() {
        let count = paged.read_some(file, at, &mut rest)?;
        at += count;
        if count == 0 || !at.is_multiple_of(unit) {
            // The file ends here, or did.
            break;
        }
        sched::breathe();
    }
    *into = rest;
    Ok(())
}

/// Writes up to `length` of ring 3's bytes over those of the file from byte `at` on, all of which have places on the disk.
/// The caller keeps others from writing by calls. Less only where the process has to end.
pub(crate) fn write(
    file: &Arc<CachedFile>,
    at: u64,
    length: u64,
    from: &mut Buffers<'_>,
) -> Result<(), Errno> {
    let paged = of(file).ok_or(Errno::EIO)?;
    let mut bytes = at..at + length;
    while !bytes.is_empty() && !signal::is_dying() {
        let pinned = Pinned::new(&bytes, from, Access::Read)?;
        let written = pinned.bytes.clone();
        write_out(file, &written)?;
        let done = pinned.transfer(paged, Action::Write);
        paged.drop_cached(file, &written);
        done?;
        from.skip((written.end - written.start) as usize);
        bytes.start = written.end;
        sched::breathe();
    }
    Ok(())
}

/// Has `bytes` of a file on the disk alone. `EIO` where some could not be written.
pub(crate) fn write_out(file: &Arc<CachedFile>, bytes: &Range<u64>) -> Result<(), Errno> {
    let paged = of(file).ok_or(Errno::EIO)?;
    paged.write_first(file, bytes)?;
    paged.drop_cached(file, bytes);
    Ok(())
}

impl Paged {
    /// Reads as much as a batch has room for; 0 at the end of the file.
    fn read_some(
        &self,
        file: &Arc<CachedFile>,
        at: u64,
        into: &mut Buffers<'_>,
    ) -> Result<u64, Errno> {
        let unit = self.volume().unit();
        let bytes = at..file.size().next_multiple_of(unit).min(at + into.left());
        if bytes.is_empty() {
            return Ok(0);
        }
        let pinned = oom::retry(Need::File, || Pinned::new(&bytes, into, Access::Write))?;
        let bytes = pinned.bytes.clone();
        let size = {
            let _places_stay = self.owner.places_stay();
            self.write_first(file, &bytes)?;
            pinned.transfer(self, Action::Read)?;
            file.size()
        };
        let count = size.clamp(at, bytes.end) - at;
        into.skip(count as usize);
        // What the last sector has behind the end is nobody's.
        let mut behind = *into;
        let _ = behind.fill_zeroes((bytes.end - at - count) as usize);
        Ok(count)
    }

    /// Writes what is dirty of `bytes`, and waits for it.
    fn write_first(&self, file: &Arc<CachedFile>, bytes: &Range<u64>) -> Result<(), Errno> {
        let mut seen = file.failures_seen();
        self.write_back(file, &pages_of(bytes));
        if file.has_failed_since(&mut seen) {
            return Err(Errno::EIO);
        }
        Ok(())
    }

    /// Takes `bytes` out of the cache, but for what somebody has stored meanwhile.
    fn drop_cached(&self, file: &Arc<CachedFile>, bytes: &Range<u64>) {
        let drive = self.volume().drive;
        let mut rest = pages_of(bytes);
        while let Some(index) = file.invalidate(memory(), rest.clone()) {
            let is_on_its_way =
                || file.is_being_read(memory(), index) || file.is_being_written(memory(), index);
            drive.wait_out(|| !is_on_its_way());
            rest.start = index + u64::from(file.is_dirty(memory(), index));
        }
    }

    /// Where the bytes of `chunk` lie, as parts of its frame.
    fn places_of(&self, chunk: &Chunk) -> Result<Parts, Errno> {
        let of_page = self.locate(chunk.at / PAGE_SIZE)?;
        let wanted = chunk.at % PAGE_SIZE..chunk.at % PAGE_SIZE + chunk.bytes;
        let mut places = Parts::new();
        for part in of_page.as_slice() {
            let start = wanted.start.max(part.start.into());
            let end = wanted
                .end
                .min(u64::from(part.start) + u64::from(part.bytes));
            if start < end {
                let sector = part.sector + (start - u64::from(part.start)) / SECTOR;
                places.push(chunk.start + start - wanted.start, end - start, sector)?;
            }
        }
        Ok(places)
    }
}

impl Pinned {
    /// Pins the memory for the first of `bytes`: as many as find room in a batch.
    fn new(bytes: &Range<u64>, buffers: &Buffers<'_>, access: Access) -> Result<Self, Errno> {
        let wanted = bytes.end - bytes.start;
        // Where both begin at odd sectors a page lies in two.
        let most = (2 * wanted.div_ceil(PAGE_SIZE) + 2).min(MOST_FRAMES as u64) as usize;
        let mut chunks = Vec::new();
        let reserved = chunks.try_reserve_exact(most);
        reserved.map_err(|_| Errno::ENOMEM)?;
        let mut pinned = Self {
            chunks,
            batch: Batch::try_new(most)?,
            bytes: bytes.start..bytes.start,
        };
        pinned.fill(bytes.end, *buffers, access)?;
        Ok(pinned)
    }

    fn fill(&mut self, end: u64, mut rest: Buffers<'_>, access: Access) -> Result<(), Errno> {
        let space = current().space().ok_or(Errno::EFAULT)?;
        while self.bytes.end < end && self.chunks.len() < self.chunks.capacity() {
            let Some((address, length)) = rest.front() else {
                break;
            };
            let (at, start) = (self.bytes.end, address % PAGE_SIZE);
            let in_both = PAGE_SIZE - start.max(at % PAGE_SIZE);
            let bytes = length.min(in_both).min(end - at);
            let pin = fault::pin(&space, address, access)?;
            self.chunks.push(Chunk {
                pin,
                start,
                bytes,
                at,
            });
            rest.skip(bytes as usize);
            self.bytes.end += bytes;
        }
        Ok(())
    }

    /// Moves the bytes, and waits for that, whoever dies meanwhile. Holes are read as zeroes, and not written.
    fn transfer(mut self, paged: &Paged, action: Action) -> Result<(), Errno> {
        let chunks = core::mem::take(&mut self.chunks);
        let Some(batch) = Arc::get_mut(&mut self.batch) else {
            unreachable!("a batch that was not sent is nobody else's");
        };
        for chunk in chunks {
            let places = paged.places_of(&chunk).and_then(|places| match action {
                Action::Write if covered(&places) < chunk.bytes => Err(Errno::EIO),
                _ => Ok(places),
            });
            if let (Action::Read, Ok(places)) = (action, &places) {
                clear_holes(&chunk, places);
            }
            batch.add(
                Work::Direct(chunk.pin),
                &places,
                paged.volume().sectors.start,
            );
        }
        let drive = paged.volume().drive;
        self.batch.send(drive, action);
        drive.wait_out(|| self.batch.is_over());
        self.batch.result()
    }
}

/// What was pinned in vain is let go.
impl Drop for Pinned {
    fn drop(&mut self) {
        for chunk in self.chunks.drain(..) {
            chunk.pin.release(memory());
        }
    }
}

fn covered(places: &Parts) -> u64 {
    let lengths = places.as_slice().iter().map(|part| u64::from(part.bytes));
    lengths.sum()
}

/// What of a chunk lies nowhere on the disk is zeroes.
fn clear_holes(chunk: &Chunk, places: &Parts) {
    let words = memory().machine.words(chunk.pin.frame());
    let mut at = chunk.start;
    let end = chunk.start + chunk.bytes;
    let places = places.as_slice().iter();
    let ranges = places.map(|part| (part.start.into(), u64::from(part.start + part.bytes)));
    for (start, next) in ranges.chain([(end, end)]) {
        if at < start {
            remote::zero_bytes(words, at as usize..start as usize);
        }
        at = next;
    }
}
