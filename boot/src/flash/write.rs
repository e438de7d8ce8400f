//! Writes an image to a disk or to a file, and reads it back from the medium itself.
//!
//! The part with the partition table is wiped first and written last: a stick that was pulled out half-way is not one
//! that boots into half a kernel, and none whose old table speaks of files that are gone.

use std::cmp::min;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, FileTypeExt, OpenOptionsExt};
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

/// Writes all of `image` and compares what `reader` brings back; `interrupted` is asked for a signal before each chunk.
pub(super) fn write(
    image: &File,
    medium: &Medium,
    reader: &Reader,
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
    fadvise(&reader.0, 0, None, Advice::DontNeed)
        .with_context(|| format!("cannot read {path} back"))?;
    let copy = &mut Chunk::new();
    for start in starts() {
        if let Some(signal) = interrupted() {
            return Ok(End::Interrupted(signal));
        }
        let part = source
            .fill(image, start, length)
            .context("the image is gone")?;
        let back = copy
            .fill(&reader.0, start, length)
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

/// The medium, opened anew so that reads ask it, and not the memory that remembers what was written.
#[derive(Debug)]
pub(super) struct Reader(File);

/// Whether memory may answer where the medium can't be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cache {
    /// For a file: some file systems know no other reads, and a file is not what wears out.
    MayAnswer,
    /// For a device: comparing would prove nothing.
    MustNotAnswer,
}

impl Reader {
    /// Before anything is written, so that what can't be compared stays as it is.
    pub(super) fn open(medium: &Medium) -> Result<Self> {
        let cache = match medium.file.metadata()?.file_type().is_block_device() {
            true => Cache::MustNotAnswer,
            false => Cache::MayAnswer,
        };
        let open = |flags: OFlags| {
            let flags = (flags | OFlags::NOFOLLOW).bits() as i32;
            let mut options = File::options();
            options.read(true).custom_flags(flags).open(medium.path)
        };
        let path = medium.shown.display();
        Self::past(cache, open).with_context(|| format!("{path} was left as it is"))
    }

    fn past(cache: Cache, open: impl Fn(OFlags) -> io::Result<File>) -> Result<Self> {
        match (open(OFlags::DIRECT), cache) {
            (Ok(file), _) => Ok(Self(file)),
            (Err(_), Cache::MayAnswer) => {
                Ok(Self(open(OFlags::empty()).context("it cannot be read")?))
            }
            (Err(error), Cache::MustNotAnswer) => bail!(
                "it cannot be read past this machine's cache ({error}), and a comparison with the cache proves nothing"
            ),
        }
    }
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
        let reader = Reader::open(&medium)?;
        let end = write(image.as_file(), &medium, &reader, interrupted, Voice::Quiet)?;
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

    /// Writes an image of 1s to a disk from which `back` is what comes back, and returns the sentence that this ends with.
    fn complaint(back: &[u8]) -> Result<String> {
        let (image, disk) = (NamedTempFile::new()?, NamedTempFile::new()?);
        let other = NamedTempFile::new()?;
        image.as_file().write_all_at(&[1; IMAGE], 0)?;
        other.as_file().write_all_at(back, 0)?;
        let medium = Medium {
            file: disk.as_file(),
            path: disk.path(),
            shown: Path::new("stick"),
            bytes: None,
        };
        let reader = Reader(File::open(other.path())?);
        let end = write(image.as_file(), &medium, &reader, || None, Voice::Quiet);
        Ok(end.map_or_else(|error| format!("{error:#}"), |_| "it is content".to_owned()))
    }

    #[test]
    fn a_medium_that_loses_a_byte_or_its_end_is_never_verified() -> Result<()> {
        let mut back = vec![1; IMAGE];
        assert_eq!(complaint(&back)?, "it is content");
        let short = complaint(&back[..IMAGE - 1])?;
        assert!(short.starts_with("cannot read stick back"), "{short}");
        back[IMAGE - 1] = 0;
        let wrong = complaint(&back)?;
        assert!(wrong.starts_with("stick does not give back"), "{wrong}");
        Ok(())
    }

    /// Opens a file as a kernel would that knows no reads past its cache.
    fn without_direct(flags: OFlags) -> io::Result<File> {
        if flags.contains(OFlags::DIRECT) {
            return Err(rustix::io::Errno::INVAL.into());
        }
        tempfile::tempfile()
    }

    #[test]
    fn the_cache_never_answers_for_a_device() {
        let refused = Reader::past(Cache::MustNotAnswer, without_direct);
        let sentence = refused.map_err(|error| error.to_string());
        assert!(
            sentence.is_err_and(|words| words.contains("cannot be read past this machine's cache"))
        );
        assert!(Reader::past(Cache::MustNotAnswer, |_| tempfile::tempfile()).is_ok());
    }

    #[test]
    fn a_file_is_compared_as_well_as_its_file_system_can() {
        assert!(Reader::past(Cache::MayAnswer, without_direct).is_ok());
        let gone = |_| Err(rustix::io::Errno::NOENT.into());
        assert!(Reader::past(Cache::MayAnswer, gone).is_err());
    }
}
