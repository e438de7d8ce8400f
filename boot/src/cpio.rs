//! Writes a cpio archive in the "newc" format: the initramfs, in the one format that every reader of such archives knows.

use std::io::{self, Read, Write};

/// The name of the entry that ends an archive, so that no other may have it.
pub(crate) const TRAILER: &str = "TRAILER!!!";

/// What an entry is, by the type bits of its mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Folder,
    File,
    Symlink,
}

impl Kind {
    const fn mode_bits(self) -> u32 {
        match self {
            Self::Folder => 0o040_000,
            Self::File => 0o100_000,
            Self::Symlink => 0o120_000,
        }
    }
}

/// An entry's head; its name is a path without the leading slash.
#[derive(Debug)]
pub(crate) struct Header<'a> {
    pub name: &'a str,
    pub kind: Kind,
    pub permissions: u32,
    pub modified: u32,
    pub length: u32,
}

/// An archive that is being written. Owner and group are always root.
pub(crate) struct Writer<W> {
    to: W,
    entries: u32,
}

impl<W: Write> Writer<W> {
    pub(crate) fn new(to: W) -> Self {
        Self { to, entries: 0 }
    }

    /// Appends an entry; `data` must yield exactly `header.length` bytes.
    pub(crate) fn append(&mut self, header: &Header<'_>, data: impl Read) -> io::Result<()> {
        self.entries += 1;
        let mode = header.kind.mode_bits() | (header.permissions & 0o7777);
        let links = if header.kind == Kind::Folder { 2 } else { 1 };
        self.head(header, self.entries, mode, links)?;
        let copied = io::copy(&mut data.take(u64::from(header.length)), &mut self.to)?;
        if copied != u64::from(header.length) {
            let message = format!("{} shrank while it was read", header.name);
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, message));
        }
        self.pad(copied as usize)
    }

    /// Ends the archive and gives the sink back.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        let header = Header {
            name: TRAILER,
            kind: Kind::File,
            permissions: 0,
            modified: 0,
            length: 0,
        };
        self.head(&header, 0, 0, 1)?;
        self.to.flush()?;
        Ok(self.to)
    }

    fn head(&mut self, header: &Header<'_>, inode: u32, mode: u32, links: u32) -> io::Result<()> {
        let name_size = header.name.len() as u32 + 1;
        let (owner, group, device, check) = (0, 0, 0, 0);
        write!(
            self.to,
            "070701{inode:08x}{mode:08x}{owner:08x}{group:08x}{links:08x}"
        )?;
        write!(self.to, "{:08x}{:08x}", header.modified, header.length)?;
        write!(
            self.to,
            "{device:08x}{device:08x}{device:08x}{device:08x}{name_size:08x}{check:08x}"
        )?;
        write!(self.to, "{}\0", header.name)?;
        const FIXED_PART: usize = 110;
        self.pad(FIXED_PART + name_size as usize)
    }

    /// Heads and data both end on a multiple of four.
    fn pad(&mut self, written: usize) -> io::Result<()> {
        self.to.write_all(&[0; 3][..written.wrapping_neg() % 4])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, length: u32) -> Header<'_> {
        Header {
            name,
            kind: Kind::File,
            permissions: 0o755,
            modified: 7,
            length,
        }
    }

    #[test]
    fn every_part_ends_on_a_multiple_of_four() -> io::Result<()> {
        for length in 0..9_u32 {
            let mut writer = Writer::new(Vec::new());
            writer.append(&file("bin/init", length), &vec![b'x'; length as usize][..])?;
            assert_eq!(writer.finish()?.len() % 4, 0, "a file of {length} bytes");
        }
        Ok(())
    }

    #[test]
    fn the_head_is_as_the_format_says() -> io::Result<()> {
        let mut writer = Writer::new(Vec::new());
        writer.append(&file("a", 2), &b"hi"[..])?;
        let bytes = writer.finish()?;
        let fields: Vec<_> = bytes[6..110]
            .chunks(8)
            .map(String::from_utf8_lossy)
            .collect();
        let (inode, mode, modified, length, name_size) =
            (&fields[0], &fields[1], &fields[5], &fields[6], &fields[11]);
        assert_eq!(bytes[..6], *b"070701");
        assert_eq!(
            [inode, mode, modified, length],
            ["00000001", "000081ed", "00000007", "00000002"]
        );
        assert_eq!(name_size, "00000002");
        assert_eq!(&bytes[110..116], b"a\0hi\0\0");
        Ok(())
    }

    #[test]
    fn a_file_that_shrinks_is_an_error_and_not_a_broken_archive() {
        let mut writer = Writer::new(Vec::new());
        assert!(writer.append(&file("a", 5), &b"hi"[..]).is_err());
    }
}
