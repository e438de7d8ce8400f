//! Bytes of a file on a disk as the kernel itself reads them: programs, and what a file system knows of its files. To the
//! end, whoever dies meanwhile, so nothing is left half done.
use alloc::sync::Arc;

use abi::Errno;
use mm::PAGE_SIZE;
use mm::page_cache::CachedFile;

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

/// Has page `index` in memory, if the file has it.
pub(crate) fn bring(file: &Arc<CachedFile>, index: u64) -> Result<(), Errno> {
    let paged = of(file).ok_or(Errno::EIO)?;
    while !file.is_ready(memory(), index) && index < file.pages() {
        paged.bring_alone(file, index)?;
    }
    Ok(())
}
