//! What a disk was told, in order: the log that QEMU's `blklogwrites` keeps, in the format of Linux's dm-log-writes.

use anyhow::{Context, Result, ensure};

/// Bytes of the log's own sectors, as QEMU counts them unless told otherwise.
const SECTOR: usize = 512;

const MAGIC: u64 = 0x6a_736677_736872;
const FLUSH: u64 = 1;
const DISCARD: u64 = 4;

/// A command, and how long the log was with it.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) end: u64,
    pub(crate) command: Command,
}

#[derive(Debug)]
pub(crate) enum Command {
    Write {
        at: usize,
        bytes: Vec<u8>,
    },
    /// What was written before is on the medium, whatever the disk keeps in mind itself.
    Flush,
}

fn word(bytes: &[u8], index: usize) -> Result<u64> {
    let bytes = bytes
        .get(index * 8..index * 8 + 8)
        .context("the log is short")?;
    Ok(u64::from_le_bytes(bytes.try_into()?))
}

/// All of a log. Its head is behind the times until QEMU ends, so its length says where it ends.
pub(crate) fn parse(log: &[u8]) -> Result<Vec<Record>> {
    ensure!(word(log, 0)? == MAGIC, "this is no log of writes");
    let mut records = Vec::new();
    let mut rest = log.get(SECTOR..).unwrap_or_default();
    while rest.len() >= SECTOR {
        let (head, behind) = rest.split_at(SECTOR);
        let [at, sectors, flags] = [word(head, 0)?, word(head, 1)?, word(head, 2)?];
        ensure!(flags & DISCARD == 0, "nobody discards");
        let length = sectors as usize * SECTOR;
        let bytes = behind.get(..length).context("a write is cut off")?;
        rest = &behind[length..];
        let end = (log.len() - rest.len()) as u64;
        if length > 0 {
            let (at, bytes) = (at as usize * SECTOR, bytes.to_vec());
            let command = Command::Write { at, bytes };
            records.push(Record { end, command });
        }
        if flags & FLUSH != 0 {
            let command = Command::Flush;
            records.push(Record { end, command });
        }
    }
    Ok(records)
}
