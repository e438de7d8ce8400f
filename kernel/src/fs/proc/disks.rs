//! `/proc/partitions` and `/proc/diskstats`: which disks there are, and what each has done.
use core::fmt::{Error, Result as Written, Write};
use core::sync::atomic::Ordering::Relaxed;

use super::text::Text;
use crate::block::{self, Drive, SECTOR, Volume};
use crate::fs::disk::{self, Name};

/// The name of a volume in `/dev`, behind its numbers.
fn write_name(out: &mut Text, volume: &Volume) -> Written {
    let name = Name::of(volume)?;
    out.write_str(core::str::from_utf8(name.bytes()).map_err(|_| Error)?)
}

/// Sizes in KiB.
pub(super) fn list(out: &mut Text) -> Written {
    let volumes = block::volumes();
    if !volumes.is_empty() {
        out.write_str("major minor  #blocks  name\n\n")?;
    }
    for volume in volumes {
        let (major, minor) = disk::numbers(volume);
        write!(out, "{major:4}  {minor:7} {:10} ", volume.size() / 1024)?;
        write_name(out, volume)?;
        out.write_char('\n')?;
    }
    Ok(())
}

/// Whole disks only. Times are not kept, and nothing is written: those fields are 0.
pub(super) fn statistics(out: &mut Text) -> Written {
    for volume in block::volumes().iter().filter(|volume| volume.part == 0) {
        let (major, minor) = disk::numbers(volume);
        write!(out, "{major:4} {minor:7} ")?;
        write_name(out, volume)?;
        let counts = volume.drive.counts();
        let (reads, sectors) = (counts.reads.load(Relaxed), counts.sectors.load(Relaxed));
        let (joined, flying) = volume.drive.joined_and_flying();
        writeln!(
            out,
            " {reads} {joined} {sectors} 0 0 0 0 0 {flying} 0 0 0 0 0 0 0 0"
        )?;
    }
    Ok(())
}

/// KiB that disks have read.
pub(super) fn read_in() -> u64 {
    let sectors = |drive: &Drive| drive.counts().sectors.load(Relaxed);
    block::drives().iter().map(sectors).sum::<u64>() * SECTOR / 1024
}
