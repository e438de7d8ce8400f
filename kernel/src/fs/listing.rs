//! Open folders of every file system: nothing to read, but entries to list.
use alloc::sync::Arc;

use abi::Errno;

use super::buffers::Buffers;
use super::inode::{FIRST_COOKIE, Inode, Listed, Name, name_of};
use super::open::{Kind, OpenFile, Order, Status, Step};
use super::place::Place;

/// An open folder. Its position is the cookie of the next entry.
struct Folder(Arc<dyn Inode>);

/// Opens the folder at `place`.
pub(super) fn open(place: &Place, flags: u32) -> Result<Arc<OpenFile>, Errno> {
    OpenFile::at(place, Folder(place.inode.clone()), flags)
}

/// Stands for any inode, and can do nothing with it: O_PATH.
pub(crate) fn open_path(place: &Place, flags: u32) -> Result<Arc<OpenFile>, Errno> {
    open(place, flags)
}

/// The first entry of the folder at `place` whose cookie is `from` or behind it, `.` and `..` among them.
pub(crate) fn next(place: &Place, from: u64) -> Result<Option<Listed>, Errno> {
    let directory = place.inode.directory().ok_or(Errno::ENOTDIR)?;
    let own = |cookie, name: Result<Name, Errno>, place: &Place| {
        let status = place.inode.status();
        Ok(Some(Listed {
            cookie,
            number: status.number,
            kind: status.mode,
            name: name?,
        }))
    };
    match from {
        0 => own(0, name_of(b"."), place),
        1 => own(1, name_of(b".."), &place.parent()?),
        from => directory.next(from.max(FIRST_COOKIE)),
    }
}

impl Kind for Folder {
    fn status(&self) -> Status {
        self.0.status()
    }

    fn order(&self) -> Order {
        Order::Endless
    }

    fn read(&self, _at: u64, _into: &mut Buffers<'_>) -> Result<Step, Errno> {
        Err(Errno::EISDIR)
    }
}
