//! Bytes of a disk as the kernel itself reads and writes them: what a file system knows of its files. To the end, whoever dies
//! meanwhile, so nothing is left half done.
#![expect(dead_code, reason = "a file system on a disk comes next")]
use alloc::sync::Arc;

use abi::Errno;
use mm::page_cache::CachedFile;
use mm::{PAGE_SIZE, remote};

use super::of;
use crate::arch::memory::memory;

/// Fills `bytes` with those from byte `at` on. `EIO` where the disk fails, or ends before.
pub(crate) fn read_at(file: &Arc<CachedFile>, at: u64, bytes: &mut [u8]) -> Result<(), Errno> {
    let mut done = 0;
    while done < bytes.len() {
        let at = at + done as u64;
        bring(file, at / PAGE_SIZE)?;
        match file.read_ready(memory(), at, &mut bytes[done..]) {
            Some(0) => return Err(Errno::EIO),
            Some(count) => done += count,
            // Memory was needed more elsewhere.
            None => {}
        }
    }
    Ok(())
}

/// Writes `bytes` from byte `at` on: into memory, for the disk to get later. `EIO` where the disk fails, or ends before.
pub(crate) fn write_at(file: &Arc<CachedFile>, at: u64, bytes: &[u8]) -> Result<(), Errno> {
    let mut done = 0;
    while done < bytes.len() {
        let at = at + done as u64;
        bring(file, at / PAGE_SIZE)?;
        let rest = &bytes[done..];
        let left = file.size().saturating_sub(at).min(rest.len() as u64);
        let written = file.lend_to_write(memory(), at, left as usize, |words, place| {
            remote::write_bytes(words, place.start, &rest[..place.len()]);
            place.len()
        });
        match written {
            Ok(0) => return Err(Errno::EIO),
            Ok(count) => done += count,
            Err(mm::Error::TryAgain) if !file.is_ready(memory(), at / PAGE_SIZE) => {}
            Err(_) => return Err(Errno::EIO),
        }
    }
    Ok(())
}

/// Has page `index` in memory, if the file has it.
pub(crate) fn bring(file: &Arc<CachedFile>, index: u64) -> Result<(), Errno> {
    let paged = of(file).ok_or(Errno::EIO)?;
    while !file.is_ready(memory(), index) && index < file.pages() {
        paged.bring_alone(file, index)?;
    }
    Ok(())
}
