//! Writes an image to a disk or to a file, and reads it back from the medium itself.
//!
//! The part with the partition table is wiped first and written last: a stick that was pulled out half-way is not one
//! that boots into half a kernel, and none whose old table speaks of files that are gone.

use std::cmp::min;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use anyhow::{Context, Result, bail};
use rustix::fs::{Advice, OFlags, fadvise};

use crate::progress::Voice;

/// Bytes that are written, and waited for, at a time: what the bar shows is what the medium has.
const CHUNK: usize = 1 << 20;

/// What reading past the page cache wants addresses and offsets to be a multiple of.
const ALIGNMENT: usize = 4096;

/// Where to write.
pub(super) struct Medium<'a> {
    pub(super) file: &'a File,
    pub(super) path: &'a Path,
    /// What the user calls it.
    pub(super) shown: &'a Path,
    /// The size of a disk; a file becomes as long as the image.
    pub(super) bytes: Option<u64>,
}

/// How it went, where nothing failed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    Verified,
    /// By a signal, with the medium unfinished.
    Interrupted(i32),
}

/// Writes all of `image` and compares; `interrupted` is asked for a signal before each chunk.
pub(super) fn write(
    image: &File,
    medium: &Medium,
    mut interrupted: impl FnMut() -> Option<i32>,
    voice: Voice,
) -> Result<End> {
    let length = image.metadata().context("the image is gone")?.len();
    let starts = || (0..length).step_by(CHUNK);
    let path = medium.shown.display();
    let source = &mut Chunk::new();

    let step = voice.measured(&format!("writing {path}"), length);
    wipe(medium, length).with_context(|| format!("cannot write to {path}"))?;
    for start in starts().skip(1).chain([0]) {
        if let Some(signal) = interrupted() {
            return Ok(End::Interrupted(signal));
        }
        let part = source
            .fill(image, start, length)
            .context("the image is gone")?;
        put(medium.file, part, start).with_context(|| format!("cannot write to {path}"))?;
        step.advance(part.len());
    }
    step.finish();

    let step = voice.measured(&format!("comparing {path}"), length);
    let reader = past_the_cache(medium).with_context(|| format!("cannot read {path} back"))?;
    let copy = &mut Chunk::new();
    for start in starts() {
        if let Some(signal) = interrupted() {
            return Ok(End::Interrupted(signal));
        }
        let part = source
            .fill(image, start, length)
            .context("the image is gone")?;
        let back = copy
            .fill(&reader, start, length)
            .with_context(|| format!("cannot read {path} back"))?;
        if part != back {
            bail!(
                "{path} does not give back what was written: it is worn out, or smaller than it claims"
            );
        }
        step.advance(part.len());
    }
    step.finish();
    Ok(End::Verified)
}

/// Overwrites the first chunk, and the last, where another kind of partition table keeps a copy of itself.
fn wipe(medium: &Medium, length: u64) -> io::Result<()> {
    let zeroes = vec![0; CHUNK];
    let first = min(length, CHUNK as u64) as usize;
    put(medium.file, &zeroes[..first], 0)?;
    let Some(bytes) = medium.bytes else {
        return Ok(());
    };
    let last = bytes.saturating_sub(CHUNK as u64).max(length);
    put(medium.file, &zeroes[..(bytes - last) as usize], last)
}

/// Writes, and returns when the medium has it.
fn put(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    file.write_all_at(bytes, at)?;
    file.sync_data()
}

/// Opens the medium anew, so that reads ask it and not the memory that remembers what was written. A file system in
/// memory knows no such reads, and there it is only asked to forget.
fn past_the_cache(medium: &Medium) -> io::Result<File> {
    let open = |flags: OFlags| {
        let flags = (flags | OFlags::NOFOLLOW).bits() as i32;
        File::options()
            .read(true)
            .custom_flags(flags)
            .open(medium.path)
    };
    let file = open(OFlags::DIRECT).or_else(|_| open(OFlags::empty()))?;
    fadvise(&file, 0, None, Advice::DontNeed)?;
    Ok(file)
}

/// Memory for a part of an image, aligned.
struct Chunk {
    bytes: Vec<u8>,
    start: usize,
}

impl Chunk {
    fn new() -> Self {
        let bytes = vec![0; CHUNK + ALIGNMENT];
        let start = bytes.as_ptr().align_offset(ALIGNMENT);
        Self { bytes, start }
    }

    /// The chunk of `file` from `at` on, without what lies past `length`.
    fn fill(&mut self, file: &File, at: u64, length: u64) -> io::Result<&[u8]> {
        let wanted = min(CHUNK as u64, length - at) as usize;
        let buffer = &mut self.bytes[self.start..self.start + CHUNK];
        let mut filled = 0;
        while filled < wanted {
            match file.read_at(&mut buffer[filled..], at + filled as u64)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => filled += read,
            }
        }
        Ok(&buffer[..wanted])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::NamedTempFile;

    const IMAGE: usize = 2 * CHUNK + 512;
    const DISK: usize = 6 * CHUNK;

    /// Writes an image of 1s to a disk of 7s until the given question for a signal, and returns the disk.
    fn written(interrupted_at: usize) -> Result<(End, Vec<u8>)> {
        let (image, disk) = (NamedTempFile::new()?, NamedTempFile::new()?);
        image.as_file().write_all_at(&[1; IMAGE], 0)?;
        disk.as_file().write_all_at(&[7; DISK], 0)?;
        let medium = Medium {
            file: disk.as_file(),
            path: disk.path(),
            shown: disk.path(),
            bytes: Some(DISK as u64),
        };
        let mut asked = 0;
        let interrupted = || {
            asked += 1;
            (asked > interrupted_at).then_some(2)
        };
        let end = write(image.as_file(), &medium, interrupted, Voice::Quiet)?;
        Ok((end, std::fs::read(disk.path())?))
    }

    #[test]
    fn the_image_arrives_and_old_tables_at_both_ends_go() -> Result<()> {
        let (end, disk) = written(usize::MAX)?;
        assert_eq!(end, End::Verified);
        assert!(disk[..IMAGE].iter().all(|byte| *byte == 1));
        assert!(disk[IMAGE..DISK - CHUNK].iter().all(|byte| *byte == 7));
        assert!(disk[DISK - CHUNK..].iter().all(|byte| *byte == 0));
        Ok(())
    }

    #[test]
    fn an_interrupted_stick_has_no_boot_sector() -> Result<()> {
        for at in 0..3 {
            let (end, disk) = written(at)?;
            assert_eq!(end, End::Interrupted(2));
            assert!(disk[..CHUNK].iter().all(|byte| *byte == 0), "after {at}");
        }
        Ok(())
    }
}
