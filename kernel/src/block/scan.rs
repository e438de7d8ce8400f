//! At boot: the partitions of each disk, read through pages that are given back at once.
use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;
use mm::PAGE_SIZE;
use mm::page_cache::{CachedFile, ReadResult, Source};

use super::batch::{Batch, Work};
use super::drive::Drive;
use super::partition::{self, Partitions, Unreadable};
use super::parts::Parts;
use super::queue::Action;
use super::volume::Volume;
use crate::arch::memory::memory;

/// The disks as wholes, each before its partitions. What there is no memory for, or can't be read, is not there.
pub(super) fn volumes(drives: &'static [Drive]) -> Vec<Volume> {
    let mut volumes = Vec::new();
    for (disk, drive) in drives.iter().enumerate() {
        let whole = Volume {
            drive,
            disk,
            part: 0,
            sectors: 0..drive.facts().sectors,
        };
        let partitions = scan(&whole);
        if volumes.try_reserve(partitions.len()).is_err() {
            break;
        }
        volumes.push(whole.clone());
        for (part, sectors) in partitions.into_iter().enumerate() {
            if !sectors.is_empty() {
                volumes.push(Volume {
                    part,
                    sectors,
                    ..whole.clone()
                });
            }
        }
    }
    volumes
}

fn scan(whole: &Volume) -> Partitions {
    let Ok(file) = Arc::try_new(CachedFile::new(0, Source::Archive, whole.size())) else {
        return Partitions::default();
    };
    let mut disk = partition::Disk {
        size: whole.size(),
        sector_size: whole.drive.facts().sector_size.into(),
        read: |at, bytes: &mut [u8]| read(whole, &file, at, bytes),
    };
    let found = partition::find(&mut disk).unwrap_or_else(|Unreadable| {
        log::warn!("disk {}: its partitions can't be read", whole.disk);
        Partitions::default()
    });
    file.release(memory());
    found
}

fn read(
    whole: &Volume,
    file: &Arc<CachedFile>,
    at: u64,
    bytes: &mut [u8],
) -> Result<(), Unreadable> {
    let last = at + bytes.len() as u64 - 1;
    for index in at / PAGE_SIZE..=last / PAGE_SIZE {
        bring(whole, file, index).map_err(|_| Unreadable)?;
    }
    file.read_at(memory(), at, bytes);
    Ok(())
}

fn bring(whole: &Volume, file: &Arc<CachedFile>, index: u64) -> Result<(), Errno> {
    if file.is_ready(memory(), index) {
        return Ok(());
    }
    let mut batch = Batch::try_new(1)?;
    let read = file.begin_read(memory(), index);
    let read = read.map_err(|_| Errno::ENOMEM)?.ok_or(Errno::EIO)?;
    let mut parts = Parts::new();
    let parts = parts.push_from(whole, index).map(|()| parts);
    if let Some(batch) = Arc::get_mut(&mut batch) {
        let work = Work::Read(read, ReadResult::Filled);
        batch.add(work, &parts, whole.sectors.start);
    }
    batch.send(whole.drive, Action::Read);
    whole.drive.wait_until(|| batch.is_over())?;
    batch.result()
}
