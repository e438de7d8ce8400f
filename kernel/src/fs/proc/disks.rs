//! `/proc/partitions` and `/proc/diskstats`: which disks there are, and what each has done.
use core::fmt::{Error, Result as Written, Write};
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::text::Text;
use crate::block::{self, Counts, Drive, SECTOR, Volume};
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

/// Whole disks only. Times are not kept: those fields are 0.
pub(super) fn statistics(out: &mut Text) -> Written {
    for volume in block::volumes().iter().filter(|volume| volume.part == 0) {
        let (major, minor) = disk::numbers(volume);
        write!(out, "{major:4} {minor:7} ")?;
        write_name(out, volume)?;
        let Counts {
            read,
            written,
            flushed,
        } = volume.drive.counts();
        let (joined, flying) = volume.drive.joined_and_flying();
        for (done, joined) in [read, written].into_iter().zip(joined) {
            let (commands, sectors) = (done.commands.load(Relaxed), done.sectors.load(Relaxed));
            write!(out, " {commands} {joined} {sectors} 0")?;
        }
        let flushes = flushed.commands.load(Relaxed);
        writeln!(out, " {flying} 0 0 0 0 0 0 {flushes} 0")?;
    }
    Ok(())
}

/// KiB that disks have read, and written.
pub(super) fn moved() -> [u64; 2] {
    let all = |sectors: fn(&Counts) -> &AtomicU64| {
        let of = |drive: &Drive| sectors(drive.counts()).load(Relaxed);
        block::drives().iter().map(of).sum::<u64>() * SECTOR / 1024
    };
    [
        all(|counts| &counts.read.sectors),
        all(|counts| &counts.written.sectors),
    ]
}
