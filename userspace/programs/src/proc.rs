//! Reading `/proc`: whole files into a buffer, lines with numbers, areas.

use core::ffi::CStr;

use rt::Errno;
use rt::abi::general::O_RDONLY;
use rt::file;

/// Room for a file of `/proc`.
pub type Room = [u8; 32768];

/// An open file. It stays open until [`File::close`] or the process's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct File(pub u32);

impl File {
    /// Opens the file at `path`.
    pub fn open(path: &CStr, flags: u32) -> Result<Self, Errno> {
        file::open(path, flags).map(Self)
    }

    /// Reads at most `buffer.len()` bytes from where the last call ended; 0 means end of file.
    pub fn read(self, buffer: &mut [u8]) -> Result<usize, Errno> {
        rt::io::read(self.0, buffer)
    }

    /// Reads from byte `offset` on.
    pub fn read_at(self, buffer: &mut [u8], offset: usize) -> Result<usize, Errno> {
        file::read_at(self.0, buffer, offset)
    }

    /// Writes some of `bytes` and says how many.
    pub fn write(self, bytes: &[u8]) -> Result<usize, Errno> {
        rt::io::write(self.0, bytes)
    }

    /// Moves to another place, from `whence` on, and says which that is.
    pub fn seek(self, offset: isize, whence: u32) -> Result<usize, Errno> {
        file::seek(self.0, offset, whence)
    }

    /// Closes it.
    pub fn close(self) {
        file::close(self.0).expect("the descriptor was open");
    }
}

/// The text of the file at `path`, read `piece` bytes at a time.
///
/// # Panics
/// If it can't be read, is no text or too long.
pub fn read_in<'a>(path: &CStr, room: &'a mut [u8], piece: usize) -> &'a str {
    let file = File::open(path, O_RDONLY).expect("open");
    let mut length = 0;
    loop {
        let end = (length + piece).min(room.len());
        assert!(length < end, "there is room for the file");
        match file.read(&mut room[length..end]).expect("read") {
            0 => break,
            count => length += count,
        }
    }
    file.close();
    core::str::from_utf8(&room[..length]).expect("a file of text")
}

/// The same, in pieces of a page.
pub fn read<'a>(path: &CStr, room: &'a mut [u8]) -> &'a str {
    read_in(path, room, 4096)
}

/// The first number of the line that begins with `name` and a colon.
///
/// # Panics
/// If there is none.
pub fn number(text: &str, name: &str) -> u64 {
    let value = text_of(text, name).split_whitespace().next();
    let value = value.and_then(|value| value.parse().ok());
    value.unwrap_or_else(|| panic!("{name} is a number"))
}

/// What stands behind `name` and a colon, without blanks around it.
///
/// # Panics
/// If there is no such line.
pub fn text_of<'a>(text: &'a str, name: &str) -> &'a str {
    let value = |line: &'a str| line.strip_prefix(name)?.strip_prefix(':');
    let found = text.lines().find_map(value);
    found
        .unwrap_or_else(|| panic!("there is a line {name}"))
        .trim()
}

/// A line of `maps`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Area<'a> {
    /// Address of its first byte.
    pub start: usize,
    /// Address behind its last byte.
    pub end: usize,
    /// Four letters.
    pub rights: &'a str,
    /// Where in its file it begins.
    pub offset: usize,
    /// Major and minor number, in hexadecimal.
    pub device: &'a str,
    /// Number of its file.
    pub inode: u64,
    /// Name of its file, or what else it is called; may be empty.
    pub name: &'a str,
}

impl<'a> Area<'a> {
    /// Takes a line of `maps` apart; `None` where it is none.
    pub fn parse(line: &'a str) -> Option<Self> {
        let mut words = line.splitn(6, ' ');
        let (start, end) = words.next()?.split_once('-')?;
        let hexadecimal = |word| usize::from_str_radix(word, 16).ok();
        Some(Self {
            start: hexadecimal(start)?,
            end: hexadecimal(end)?,
            rights: words.next().filter(|rights| rights.len() == 4)?,
            offset: hexadecimal(words.next()?)?,
            device: words.next()?,
            inode: words.next()?.parse().ok()?,
            name: words.next()?.trim_start(),
        })
    }
}

/// The areas in the text of `maps` or `smaps`.
pub fn areas(text: &str) -> impl Iterator<Item = Area<'_>> {
    text.lines().filter_map(Area::parse)
}
