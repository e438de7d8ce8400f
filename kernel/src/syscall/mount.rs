//! `mount` and `umount2`: file systems come and go.
//!
//! Who asks needs CAP_SYS_ADMIN. There is one tree for all, so nothing here asks for namespaces. Every mount is private:
//! what is said of peers is taken where it says so, and refused where it says otherwise.
use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;
use abi::general::{
    CAP_SYS_ADMIN, MNT_DETACH, MNT_EXPIRE, MNT_FORCE, MS_BIND, MS_MGC_MSK, MS_MGC_VAL, MS_MOVE,
    MS_NOATIME, MS_NODIRATIME, MS_NOUSER, MS_PRIVATE, MS_RDONLY, MS_REC, MS_RELATIME, MS_REMOUNT,
    MS_SHARED, MS_SILENT, MS_SLAVE, MS_STRICTATIME, MS_UNBINDABLE, UMOUNT_NOFOLLOW,
};

use super::path::{self, HERE};
use super::{Answer, Arguments, user};
use crate::fs::kinds;
use crate::fs::mount::{self, Detach, Mount, OPTIONS};
use crate::fs::path::{Links, PATH_MAX};
use crate::fs::place::Place;
use crate::fs::system::{Access, System};
use crate::process::current;

/// The longest name, and the most options, as on Linux.
const LONGEST: usize = PATH_MAX;

/// What says how mounts tell each other of changes.
const PROPAGATION: u32 = MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE;

/// What mount(2) was asked, copied in.
struct Request {
    source: Option<Vec<u8>>,
    kind: Option<Vec<u8>>,
    words: Vec<u8>,
    flags: u32,
    place: Place,
}

/// mount(2).
pub(super) fn mount([source, target, kind, flags, data, _]: Arguments) -> Answer {
    let kind = name(kind)?;
    let source = name(source)?;
    let words = options(data)?;
    let flags = flags as u32;
    let flags = match flags & MS_MGC_MSK {
        MS_MGC_VAL => flags & !MS_MGC_MSK,
        _ => flags,
    };
    let place = path::resolve(HERE, target, Links::Follow)?;
    if flags & MS_NOUSER != 0 {
        return Err(Errno::EINVAL);
    }
    may_mount()?;
    let request = Request {
        source,
        kind,
        words,
        flags,
        place,
    };
    match flags {
        flags if flags & MS_REMOUNT != 0 => request.remount(),
        flags if flags & MS_BIND != 0 => request.bind(),
        flags if flags & PROPAGATION != 0 => request.change_propagation(),
        flags if flags & MS_MOVE != 0 => request.move_here(),
        _ => request.mount(),
    }?;
    Ok(0)
}

fn may_mount() -> Result<(), Errno> {
    if current().may(CAP_SYS_ADMIN) {
        Ok(())
    } else {
        Err(Errno::EPERM)
    }
}

/// A name, which may be missing.
fn name(address: u64) -> Result<Option<Vec<u8>>, Errno> {
    if address == 0 {
        return Ok(None);
    }
    user::string(address, LONGEST, Errno::EINVAL).map(Some)
}

/// The words of the file system's own, of which there may be none. Linux takes a page, or what there is of it.
fn options(address: u64) -> Result<Vec<u8>, Errno> {
    if address == 0 {
        return Ok(Vec::new());
    }
    match user::string(address, LONGEST - 1, Errno::EINVAL) {
        Err(Errno::EINVAL) => user::bytes(address, LONGEST - 1),
        words => words,
    }
}

impl Request {
    fn has(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }

    /// What is to be said of the mount. Times are noted as with `relatime` unless something else was said.
    fn mount_options(&self) -> u32 {
        let mut options = self.flags & OPTIONS;
        if !self.has(MS_NOATIME) {
            options |= MS_RELATIME;
        }
        if self.has(MS_STRICTATIME) {
            options &= !(MS_RELATIME | MS_NOATIME);
        }
        options
    }

    fn access(&self) -> Access {
        if self.has(MS_RDONLY) {
            Access::Read
        } else {
            Access::Write
        }
    }

    /// A file system of a kind, from a source.
    fn mount(self) -> Result<(), Errno> {
        let options = self.mount_options();
        let access = self.access();
        let kind = self.kind.ok_or(Errno::EINVAL)?;
        let source = match self.source {
            Some(source) => source,
            None => crate::fs::inode::copy(b"none")?,
        };
        let system = kinds::find(&kind, source, access, &self.words)?;
        let root = system.files.root();
        let mount = Mount::try_new(system, root, options)?;
        hang(mount, self.place)
    }

    /// What is somewhere is seen here as well. MS_REC brings along what hangs in it.
    fn bind(self) -> Result<(), Errno> {
        let source = self.source.filter(|source| !source.is_empty());
        let source = source.ok_or(Errno::EINVAL)?;
        let from = path::resolve_bytes(&source, Links::Follow)?;
        if !self.place.mount.is_attached() {
            return Err(Errno::ENOENT);
        }
        if !from.mount.is_attached() {
            return Err(Errno::EINVAL);
        }
        let whole = |place: &Place, options| {
            let system = place.mount.system.clone();
            Mount::try_new(system, place.inode.clone(), options)
        };
        let new = whole(&from, from.mount.options())?;
        let inner = match self.flags & MS_REC {
            0 => Vec::new(),
            _ => mount::below(&from)?,
        };
        let mut copies = Vec::new();
        copies
            .try_reserve_exact(inner.len() + 1)
            .map_err(|_| Errno::ENOMEM)?;
        copies.push((from.mount.clone(), new.clone()));
        hang(new.clone(), self.place)?;
        for (child, on) in inner {
            let copy = Mount::try_new(child.system.clone(), child.root.clone(), child.options())?;
            let parent = copies.iter().find(|(old, _)| Arc::ptr_eq(old, &on.mount));
            if let Some((_, parent)) = parent {
                let mount = parent.clone();
                let inode = on.inode;
                mount::attach(copy.clone(), Place { mount, inode })?;
                copies.push((child, copy));
            }
        }
        Ok(())
    }

    /// Other options: of the mount alone with MS_BIND, of the whole file system without.
    fn remount(self) -> Result<(), Errno> {
        let mount = &self.place.mount;
        if !mount.is_attached() || !self.place.is_mount() {
            return Err(Errno::EINVAL);
        }
        let times = MS_NOATIME | MS_NODIRATIME | MS_RELATIME | MS_STRICTATIME;
        let mut options = self.mount_options();
        if !self.has(times) {
            const OF_TIMES: u32 = MS_NOATIME | MS_NODIRATIME | MS_RELATIME;
            options = options & !OF_TIMES | mount.options() & OF_TIMES;
        }
        if !self.has(MS_BIND) {
            self.remount_system(&mount.system)?;
        }
        mount.set_options(options)
    }

    fn remount_system(&self, system: &Arc<System>) -> Result<(), Errno> {
        let (before, access) = (system.access(), self.access());
        if access == Access::Read {
            mount::change_access(system, access)?;
        }
        let done = system.files.remount(&self.words, access);
        match done {
            Ok(()) => system.set_access(access),
            Err(_) => system.set_access(before),
        }
        done
    }

    /// Nobody is told of changes here, and nobody here is told of others'.
    fn change_propagation(self) -> Result<(), Errno> {
        if !self.place.is_mount() {
            return Err(Errno::EINVAL);
        }
        match self.flags & !(MS_REC | MS_SILENT) {
            MS_PRIVATE | MS_SLAVE => Ok(()),
            _ => Err(Errno::EINVAL),
        }
    }

    /// What hangs elsewhere hangs here from now on.
    fn move_here(self) -> Result<(), Errno> {
        let source = self.source.filter(|source| !source.is_empty());
        let source = source.ok_or(Errno::EINVAL)?;
        let from = path::resolve_bytes(&source, Links::Follow)?;
        if !from.is_mount() || from.inode.is_directory() != self.place.inode.is_directory() {
            return Err(Errno::EINVAL);
        }
        mount::move_to(&from.mount, self.place)
    }
}

/// Hangs `mount` on `place`, over what may hang there.
fn hang(mount: Arc<Mount>, place: Place) -> Result<(), Errno> {
    let place = place.top();
    if place.inode.is_directory() != mount.root.is_directory() {
        return Err(Errno::ENOTDIR);
    }
    if place.inode.status().links == 0 {
        return Err(Errno::ENOENT);
    }
    mount::attach(mount, place)
}

/// umount2(2).
pub(super) fn umount2([target, flags, ..]: Arguments) -> Answer {
    const KNOWN: u32 = MNT_FORCE | MNT_DETACH | MNT_EXPIRE | UMOUNT_NOFOLLOW;
    let flags = flags as u32;
    if flags & !KNOWN != 0 {
        return Err(Errno::EINVAL);
    }
    let links = match flags & UMOUNT_NOFOLLOW {
        0 => Links::Follow,
        _ => Links::Keep,
    };
    let place = path::resolve(HERE, target, links)?;
    may_mount()?;
    if !place.is_mount() || !place.mount.is_attached() || place.mount.on().is_none() {
        return Err(Errno::EINVAL);
    }
    let Place { mount, inode } = place;
    drop(inode);
    if flags & MNT_EXPIRE != 0 {
        if flags & (MNT_FORCE | MNT_DETACH) != 0 {
            return Err(Errno::EINVAL);
        }
        check_unused(&mount)?;
        mount.expire()?;
    }
    let how = match flags & MNT_DETACH {
        0 => Detach::Unused,
        _ => Detach::Lazily,
    };
    if how == Detach::Unused {
        check_unused(&mount)?;
    }
    // What nobody holds any more ends here.
    mount::detach(&mount, how).map(|_| 0)
}

/// `EBUSY` while something in it is in use. Mappings hold the file system only: they count where this is its last mount.
fn check_unused(mount: &Arc<Mount>) -> Result<(), Errno> {
    /// The table's and the caller's.
    const HOLDS: usize = 2;
    let is_last = Arc::strong_count(&mount.system) == 1;
    if Arc::strong_count(mount) > HOLDS || is_last && mount.system.files.is_mapped() {
        Err(Errno::EBUSY)
    } else {
        Ok(())
    }
}
