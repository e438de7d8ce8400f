//! Why something can't be done.
use core::fmt;

/// What stands in the way; nothing has changed but what the operation says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The disk failed.
    Io,
    /// The image contradicts itself: EUCLEAN, as Linux has it. The superblock says so from now on.
    Corrupt,
    /// There is no ext2 here.
    NotExt2,
    /// The volume has a feature without which it can't be understood: its bits.
    UnknownFeatures(u32),
    /// The volume is mounted read-only.
    ReadOnly,
    /// No memory.
    OutOfMemory,
    /// No free block, or no free inode.
    NoSpace,
    /// No file can be that long.
    TooBig,
    /// No more links to that inode.
    TooManyLinks,
    /// There is no such entry.
    NotFound,
    /// There is such an entry already.
    Exists,
    /// The folder has entries.
    NotEmpty,
    /// A folder is needed.
    NotAFolder,
    /// It is a folder.
    IsAFolder,
    /// A name has 1 to 255 bytes, a link's target at most a block less one.
    NameTooLong,
    /// It makes no sense: a folder into itself, the wrong type of inode.
    Invalid,
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = match self {
            Self::Io => "the disk failed",
            Self::Corrupt => "the file system is damaged: e2fsck may repair it",
            Self::NotExt2 => "this is no ext2 file system",
            Self::UnknownFeatures(bits) => {
                return write!(formatter, "unknown ext2 features {bits:#x}");
            }
            Self::ReadOnly => "the file system is read-only",
            Self::OutOfMemory => "out of memory",
            Self::NoSpace => "no space is left",
            Self::TooBig => "the file would be too long",
            Self::TooManyLinks => "too many links",
            Self::NotFound => "there is no such entry",
            Self::Exists => "the entry exists",
            Self::NotEmpty => "the folder is not empty",
            Self::NotAFolder => "not a folder",
            Self::IsAFolder => "a folder",
            Self::NameTooLong => "the name is too long",
            Self::Invalid => "that makes no sense",
        };
        formatter.write_str(words)
    }
}
