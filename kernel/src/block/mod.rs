//! Disks: requests go to a driver, which answers each, late and in any order; whoever waits for one sees to all.
//!
//! `queue.rs` has the requests in line and on their way; `drive.rs` the waiting, and what becomes of a disk that does not
//! answer; a `batch.rs` is pages that are read or written together, wherever their `parts.rs` lie on a `volume.rs`: a disk
//! or a partition, which `scan.rs` finds. Nothing here runs in an interrupt, and nothing is written but where somebody
//! claimed the right to.
mod batch;
mod drive;
mod list;
mod partition;
mod parts;
mod queue;
mod readahead;
mod request;
mod scan;
mod volume;

use alloc::vec::Vec;

use abi::Errno;
use spin::Once;

use crate::arch::percpu::{self, Attention};
use crate::drivers::pci::Function;
use crate::drivers::{nvme, pci, virtio_blk};
pub(crate) use batch::{Batch, Work};
pub(crate) use drive::{Bus, Counts, Device, Drive, Facts};
pub(crate) use parts::Parts;
pub(crate) use queue::{Action, Answer, Command};
pub(crate) use readahead::{LARGEST, Plan, Window};
pub(crate) use request::{MOST_FRAMES, Piece, SECTOR};
pub(crate) use volume::{Claim, Volume};

static DRIVES: Once<Vec<Drive>> = Once::new();

/// The disks as wholes, each before its partitions.
static VOLUMES: Once<Vec<Volume>> = Once::new();

/// The disks, in the order in which they were found.
pub(crate) fn drives() -> &'static [Drive] {
    DRIVES.get().map_or(&[], Vec::as_slice)
}

/// Finds the machine's disks. Call once, at boot.
pub(crate) fn init() {
    match find() {
        Ok(drives) => {
            let drives = DRIVES.call_once(|| drives);
            VOLUMES.call_once(|| scan::volumes(drives));
        }
        Err(errno) => log::error!("no disks, for there is no memory to look for them: {errno:?}"),
    }
}

fn find() -> Result<Vec<Drive>, Errno> {
    let mut drives = Vec::new();
    for function in pci::functions()? {
        match open(&function, drives.len()) {
            None => {}
            Some(Ok(drive)) => {
                drives.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
                add(drive, &function, &mut drives);
            }
            Some(Err(errno)) => {
                log::warn!("{}: this disk can't be used: {errno:?}", function.address)
            }
        }
    }
    Ok(drives)
}

/// The disk behind a function, if that is one; its interrupts come as number `index`.
fn open(function: &Function, index: usize) -> Option<Result<Drive, Errno>> {
    let virtio = virtio_blk::open(function, index).map(|device| device.and_then(Drive::try_new));
    virtio.or_else(|| Some(nvme::open(function, index)?.and_then(Drive::try_new)))
}

fn add(mut drive: Drive, function: &Function, drives: &mut Vec<Drive>) {
    let facts = *drive.facts();
    let before = drives.iter();
    drive.number = before
        .filter(|other| other.facts().bus == facts.bus)
        .count();
    log::info!(
        "{}: {:?} disk of {} sectors{}{}",
        function.address,
        facts.bus,
        facts.sectors,
        if facts.is_read_only {
            ", read-only"
        } else {
            ""
        },
        if facts.interrupts {
            ""
        } else {
            ", asked for its answers, since it can't interrupt"
        }
    );
    drives.push(drive);
}

/// The disks and their partitions.
pub(crate) fn volumes() -> &'static [Volume] {
    VOLUMES.get().map_or(&[], Vec::as_slice)
}

/// The interrupt of disk number `index` came. Those who wait see to it; if nobody does, the next on the way to ring 3.
pub(crate) fn interrupted(index: usize) {
    if let Some(drive) = drives().get(index) {
        drive.wake();
        percpu::raise(Attention::DISKS);
    }
}

/// Completes what disks have done.
pub(crate) fn take_back() {
    drives().iter().for_each(Drive::take_back);
}
