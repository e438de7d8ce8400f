//! What a file system is made of: inodes, and what can be done in those that are folders.
//!
//! The kernel above knows paths, places and open files (`path.rs`, `place.rs`, `open.rs`); a file system answers these
//! traits. What it does not say is what Linux answers for one that can't. Methods may wait, for a disk say, so nobody
//! calls them with a lock that forbids it.
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;

use abi::Errno;
use abi::general::{S_IFDIR, S_IFLNK, S_IFMT, S_IFREG};

use super::open::{OpenFile, Status};
use super::place::Place;
use crate::arch::timer;

/// Permissions, with set-user-ID, set-group-ID and sticky bit.
pub(crate) const PERMISSIONS: u32 = 0o7777;

/// The name of an entry.
pub(crate) type Name = Arc<Vec<u8>>;

/// A moment: seconds and nanoseconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Time {
    pub(crate) seconds: i64,
    pub(crate) nanoseconds: u32,
}

impl Time {
    pub(crate) fn now() -> Self {
        const SECOND: u64 = 1_000_000_000;
        let now = timer::wall_nanoseconds();
        Self {
            seconds: (now / SECOND) as i64,
            nanoseconds: (now % SECOND) as u32,
        }
    }
}

/// A change of what stat(2) says of an inode.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Change {
    /// chmod(2): permissions.
    Permissions(u32),
    /// chown(2): user and group, where they change.
    Owner(Option<u32>, Option<u32>),
    /// utimensat(2): of the last access and the last modification, where they change.
    Times(Option<Time>, Option<Time>),
}

/// Where a link leads.
pub(crate) enum Link {
    /// To a path, from the folder that the link is in.
    Path(Vec<u8>),
    /// Straight to a place: the links of `/proc/PID`.
    Place(Place),
}

/// By what an inode is known: its file system's device, and its own number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) device: u64,
    pub(crate) number: u64,
}

/// What is to be made.
pub(crate) struct New<'a> {
    /// Type and permissions, as `st_mode`.
    pub(crate) mode: u32,
    /// What a link holds.
    pub(crate) target: &'a [u8],
    /// The device that it stands for.
    pub(crate) special: u64,
}

/// What unlink(2) and rmdir(2) take away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Removal {
    File,
    Folder,
}

/// What rename(2) makes of a name that is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    Replace,
    /// RENAME_NOREPLACE.
    Refuse,
    /// RENAME_EXCHANGE: it must be taken, and gets the other name.
    Exchange,
}

/// Whether a file without a name may be given one: O_EXCL with O_TMPFILE says that it never will.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unnamed {
    Linkable,
    ForGood,
}

/// An entry of a folder, as getdents64(2) shows it.
pub(crate) struct Listed {
    /// Its place in the listing, which it keeps while others come and go.
    pub(crate) cookie: u64,
    pub(crate) number: u64,
    /// Type, as `st_mode`.
    pub(crate) kind: u32,
    pub(crate) name: Name,
}

/// The first cookie that an entry can have: `.` and `..` are before it.
pub(crate) const FIRST_COOKIE: u64 = 2;

/// How a path ends that was asked of an inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whereabouts {
    /// It is where the path says.
    There,
    /// It was, and has been removed.
    Removed,
}

/// The entry of a folder by which something was reached. It knows where it is, also when it has moved.
pub(crate) trait Entry: Send + Sync {
    /// What it is called in its file system, from a slash before the first part on.
    fn write_path(&self, path: &mut Vec<u8>) -> Result<Whereabouts, Errno>;
}

/// A file, folder, link or device of some file system.
pub(crate) trait Inode: Send + Sync {
    /// What stat(2) says of it.
    fn status(&self) -> Status;

    /// What it is known by.
    fn identity(&self) -> Identity {
        let status = self.status();
        Identity {
            device: status.device,
            number: status.number,
        }
    }

    /// For its own file system, to know it again.
    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;

    /// Opens it, with the flags of open(2) that stay with the open file.
    fn open(self: Arc<Self>, place: &Place, flags: u32) -> Result<Arc<OpenFile>, Errno>;

    /// What can be done in it, where it is a folder.
    fn directory(&self) -> Option<&dyn Directory> {
        None
    }

    /// Where it leads; `EINVAL` where it is no link.
    fn link(&self) -> Result<Link, Errno> {
        Err(Errno::EINVAL)
    }

    /// What readlink(2) says.
    fn target(&self) -> Result<Vec<u8>, Errno> {
        match self.link()? {
            Link::Path(path) => Ok(path),
            Link::Place(place) => place.path(),
        }
    }

    /// truncate(2).
    fn set_size(&self, _size: u64) -> Result<(), Errno> {
        Err(Errno::EINVAL)
    }

    /// Changes what `status` says.
    fn change(&self, _change: Change) -> Result<(), Errno> {
        Err(Errno::EPERM)
    }

    /// Copies bytes from `offset` on, and returns how many there were.
    fn read_at(&self, _offset: u64, _buffer: &mut [u8]) -> Result<usize, Errno> {
        Err(Errno::EINVAL)
    }

    /// What it is called in its file system, from a slash before the first part on; nothing for the root.
    fn write_path(&self, path: &mut Vec<u8>) -> Result<Whereabouts, Errno>;

    /// The entry by which it was last reached, where its file system knows that.
    fn entry(&self) -> Option<Arc<dyn Entry>> {
        None
    }

    /// A program begins to run from it, which nobody may write to until [`Inode::end_execution`].
    fn begin_execution(&self) -> Result<(), Errno> {
        Err(Errno::EACCES)
    }

    /// It runs no more.
    fn end_execution(&self) {}
}

impl dyn Inode {
    /// Its type, as `st_mode`.
    pub(crate) fn kind(&self) -> u32 {
        self.status().mode & S_IFMT
    }

    pub(crate) fn is_directory(&self) -> bool {
        self.kind() == S_IFDIR
    }

    pub(crate) fn is_link(&self) -> bool {
        self.kind() == S_IFLNK
    }

    pub(crate) fn is_regular(&self) -> bool {
        self.kind() == S_IFREG
    }
}

/// What can be done in a folder. Names have no slash, and are neither `.` nor `..`.
pub(crate) trait Directory {
    /// The entry called `name`.
    fn lookup(&self, name: &[u8]) -> Result<Arc<dyn Inode>, Errno>;

    /// The first entry whose cookie is `from` or behind it.
    fn next(&self, from: u64) -> Result<Option<Listed>, Errno>;

    /// The folder that it is in; `None` for the root.
    fn parent(&self) -> Option<Arc<dyn Inode>>;

    /// Makes an entry.
    fn create(&self, _name: &[u8], _new: &New<'_>) -> Result<Arc<dyn Inode>, Errno> {
        Err(Errno::EPERM)
    }

    /// Makes a file without a name: O_TMPFILE.
    fn create_unnamed(&self, _mode: u32, _later: Unnamed) -> Result<Arc<dyn Inode>, Errno> {
        Err(Errno::EOPNOTSUPP)
    }

    /// Gives an inode of the same file system one more name.
    fn link(&self, _name: &[u8], _inode: Arc<dyn Inode>) -> Result<(), Errno> {
        Err(Errno::EPERM)
    }

    /// Takes an entry away.
    fn remove(&self, _name: &[u8], _removal: Removal) -> Result<(), Errno> {
        Err(Errno::EPERM)
    }

    /// Moves entry `name` to folder `to` of the same file system, where it is called `new_name`.
    fn rename(
        &self,
        _name: &[u8],
        _to: Arc<dyn Inode>,
        _new_name: &[u8],
        _taken: Taken,
    ) -> Result<(), Errno> {
        Err(Errno::EPERM)
    }

    /// The same, and leaves a whiteout behind (RENAME_WHITEOUT): to a file system above this one it says that nothing is
    /// there.
    fn rename_from_whiteout(
        &self,
        _name: &[u8],
        _to: Arc<dyn Inode>,
        _new_name: &[u8],
        _taken: Taken,
    ) -> Result<(), Errno> {
        Err(Errno::EINVAL)
    }
}

/// Adds `bytes` to `path`.
pub(crate) fn extend(path: &mut Vec<u8>, bytes: &[u8]) -> Result<(), Errno> {
    path.try_reserve(bytes.len()).map_err(|_| Errno::ENOMEM)?;
    path.extend_from_slice(bytes);
    Ok(())
}

/// Adds `number` in decimal digits to `path`.
pub(crate) fn extend_number(path: &mut Vec<u8>, number: u64) -> Result<(), Errno> {
    const MOST: usize = 20;
    let mut digits = [b'0'; MOST];
    let (mut at, mut left) = (MOST, number);
    while left > 0 || at == MOST {
        at -= 1;
        digits[at] = b'0' + (left % 10) as u8;
        left /= 10;
    }
    extend(path, &digits[at..])
}

/// A copy of `bytes`, if there is memory for it.
pub(crate) fn copy(bytes: &[u8]) -> Result<Vec<u8>, Errno> {
    let mut copy = Vec::new();
    copy.try_reserve_exact(bytes.len())
        .map_err(|_| Errno::ENOMEM)?;
    copy.extend_from_slice(bytes);
    Ok(copy)
}

/// A shared copy of `name`.
pub(crate) fn name_of(name: &[u8]) -> Result<Name, Errno> {
    Arc::try_new(copy(name)?).map_err(|_| Errno::ENOMEM)
}
