//! O_DIRECT writes: over what has blocks already, and whole pages behind the end, straight from ring 3's frames.
//!
//! The rest goes through the page cache, as Linux's ext2 does for holes, and is on the disk alone when the call ends:
//! holes, whose blocks would hold anybody's old bytes until the disk has answered, while the file reaches to them; and
//! parts of blocks that a file gets only now.
use alloc::sync::Arc;

use abi::Errno;
use mm::PAGE_SIZE;
use mm::page_cache::CachedFile;

use super::card::Card;
use super::regular::{Regular, back_tail};
use crate::arch::memory::memory;
use crate::fs::buffers::Buffers;
use crate::fs::paged::direct;
use crate::process::{sched, signal};

/// The most bytes that get blocks at a time.
const MOST: u64 = 1 << 20;

/// How so many bytes are written.
enum Way {
    /// They have blocks.
    Over(u64),
    /// They get blocks behind the end.
    Behind(u64),
    /// Through the cache.
    Cached(u64),
}

/// Writes ring 3's bytes to byte `at` on, all of them unless the process has to end. The caller has the turn to write.
/// Where any of it fails all has, and the file has the length that it had.
pub(super) fn write(
    regular: &Regular,
    card: &Card,
    at: u64,
    from: &mut Buffers<'_>,
) -> Result<(), Errno> {
    if from.left() == 0 {
        return Ok(());
    }
    let file = regular.pages();
    direct::check(file, at, from)?;
    let (before, start) = (file.size(), from.moved());
    let mut rest = *from;
    while rest.left() > 0 && !signal::is_dying() {
        let place = at + rest.moved() - start;
        if let Err(errno) = write_some(regular, card, place, &mut rest) {
            if file.size() > before {
                regular.resize(card, before)?;
            }
            return Err(errno);
        }
        sched::breathe();
    }
    *from = rest;
    Ok(())
}

fn write_some(
    regular: &Regular,
    card: &Card,
    at: u64,
    rest: &mut Buffers<'_>,
) -> Result<(), Errno> {
    let file = regular.pages();
    let before = file.size();
    match way(card, file, at, rest.left())? {
        Way::Over(length) => {
            direct::write(file, at, length, rest)?;
            regular.note_change(card, before)
        }
        Way::Behind(length) => {
            let written = write_behind(card, file, at, length, rest);
            let size = file.size();
            if size < at + length {
                // What the file does not reach to goes back.
                card.volume
                    .with(|volume| volume.release(card.number, size))?;
            }
            written?;
            regular.note_change(card, before)
        }
        Way::Cached(length) => {
            let mut part = *rest;
            part.limit(length);
            while part.left() > 0 {
                let place = at + part.moved() - rest.moved();
                regular.write(card, place, part.left() as usize, &mut part)?;
            }
            rest.skip(length as usize);
            direct::write_out(file, &(at..at + length))
        }
    }
}

/// How the first of `left` bytes from byte `at` on are written.
fn way(card: &Card, file: &CachedFile, at: u64, left: u64) -> Result<Way, Errno> {
    let size = file.size();
    let in_page = (PAGE_SIZE - at % PAGE_SIZE).min(left);
    if at >= size {
        let blocks = left - left % card.volume.block_size();
        let is_whole = at.is_multiple_of(PAGE_SIZE) && blocks > 0;
        return Ok(if is_whole {
            Way::Behind(blocks.min(MOST))
        } else {
            Way::Cached(in_page)
        });
    }
    let unit = card.volume.disk().unit();
    let within = (size - at).min(left);
    let within = within - within % unit;
    if within == 0 {
        return Ok(Way::Cached(in_page));
    }
    let run = card
        .volume
        .with(|volume| volume.map(card.number, at, within))?;
    Ok(match run.at {
        Some(_) if run.length > 0 => Way::Over(run.length),
        _ => Way::Cached(in_page),
    })
}

/// Nobody reads these blocks before the file reaches to them, which it does when the disk has the bytes.
fn write_behind(
    card: &Card,
    file: &Arc<CachedFile>,
    at: u64,
    length: u64,
    from: &mut Buffers<'_>,
) -> Result<(), Errno> {
    let end = at + length;
    back_tail(card, file, end)?;
    let had = card
        .volume
        .with(|volume| volume.allocate(card.number, at, length))?;
    if had < length {
        return Err(Errno::ENOSPC);
    }
    let before = from.moved();
    direct::write(file, at, length, from)?;
    let end = at + (from.moved() - before);
    // Nothing seals such a file.
    file.set_size(memory(), end).map_err(|_| Errno::EPERM)
}
