//! The table of all mounts, in the order in which they came.
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering::SeqCst};

use abi::Errno;
use abi::general::MS_RDONLY;
use spin::Once;

use super::{Mount, OPTIONS};
use crate::fs::inode::Identity;
use crate::fs::place::Place;
use crate::fs::system::{Access, System};
use crate::lock::{IrqLock, Rank};

/// As many mounts as there may be: the table is searched while interrupts are off.
const MOST: usize = 1024;

/// A mount, and where it hangs.
#[derive(Clone)]
pub(crate) struct Grafted {
    /// As `mountinfo` has it.
    pub(crate) number: u32,
    pub(crate) mount: Arc<Mount>,
    /// `None` for the first of all.
    pub(crate) on: Option<Place>,
    /// The inode there.
    covered: Option<Identity>,
}

struct Table {
    entries: Vec<Grafted>,
    next_number: u32,
}

static TABLE: IrqLock<Table> = IrqLock::new(
    Rank::Files,
    Table {
        entries: Vec::new(),
        next_number: 1,
    },
);

/// The mount that all others hang in.
static FIRST: Once<Arc<Mount>> = Once::new();

/// Whether the table is given up: at the end of the run nothing is mounted any more.
static IS_OVER: AtomicBool = AtomicBool::new(false);

impl Table {
    fn place_of(&self, mount: &Arc<Mount>) -> Option<usize> {
        let is_it = |entry: &Grafted| Arc::ptr_eq(&entry.mount, mount);
        self.entries.iter().position(is_it)
    }

    /// What hangs right on inode `covered` of `parent`.
    fn covering(&self, parent: &Arc<Mount>, covered: Identity) -> Option<Arc<Mount>> {
        let hangs_there = |entry: &&Grafted| {
            let on = entry.on.as_ref();
            entry.covered == Some(covered) && on.is_some_and(|on| Arc::ptr_eq(&on.mount, parent))
        };
        let entry = self.entries.iter().find(hangs_there)?;
        Some(entry.mount.clone())
    }
}

/// Begins the table with the mount that all others hang in. Once.
pub(crate) fn init(first: Arc<Mount>) -> Result<(), Errno> {
    let mut table = TABLE.lock();
    let entries = &mut table.entries;
    entries.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
    entries.push(Grafted {
        number: 1,
        mount: first.clone(),
        on: None,
        covered: None,
    });
    table.next_number = 2;
    drop(table);
    FIRST.call_once(|| first);
    Ok(())
}

/// Where all paths begin.
pub(crate) fn root() -> Place {
    let first = FIRST.get();
    let mount = first.expect("file systems are mounted before the first process");
    Place {
        mount: mount.clone(),
        inode: mount.root.clone(),
    }
}

/// All mounts in the order in which they came.
pub(crate) fn all() -> Result<Vec<Grafted>, Errno> {
    let mut list = Vec::new();
    let table = TABLE.lock();
    let room = list.try_reserve_exact(table.entries.len());
    room.map_err(|_| Errno::ENOMEM)?;
    list.extend(table.entries.iter().cloned());
    Ok(list)
}

/// All file systems that are mounted, each once.
pub(crate) fn systems() -> Result<Vec<Arc<System>>, Errno> {
    let mut systems: Vec<Arc<System>> = Vec::new();
    let mounts = all()?;
    let room = systems.try_reserve_exact(mounts.len());
    room.map_err(|_| Errno::ENOMEM)?;
    for Grafted { mount, .. } in &mounts {
        if !systems
            .iter()
            .any(|known| Arc::ptr_eq(known, &mount.system))
        {
            systems.push(mount.system.clone());
        }
    }
    Ok(systems)
}

/// What hangs right on inode `covered` of `parent`.
pub(super) fn covering(parent: &Arc<Mount>, covered: Identity) -> Option<Arc<Mount>> {
    TABLE.lock().covering(parent, covered)
}

/// Where `mount` hangs; `None` for the first, and for one that hangs nowhere any more.
pub(super) fn place_of(mount: &Arc<Mount>) -> Option<Place> {
    let table = TABLE.lock();
    let place = table.place_of(mount)?;
    table.entries[place].on.clone()
}

/// Whether `mount` is in the tree.
pub(super) fn is_attached(mount: &Arc<Mount>) -> bool {
    TABLE.lock().place_of(mount).is_some()
}

/// Whether something is mounted on this inode, by whatever way it is reached.
pub(crate) fn is_mountpoint(inode: Identity) -> bool {
    let table = TABLE.lock();
    table
        .entries
        .iter()
        .any(|entry| entry.covered == Some(inode))
}

/// Hangs `mount` on `place`. `ENOENT` where that is in no mount of the tree, `ENOSPC` where there are too many, `EBUSY`
/// where the same file system hangs there already.
pub(crate) fn attach(mount: Arc<Mount>, place: Place) -> Result<(), Errno> {
    let covered = place.inode.identity();
    let root = place.mount.root.identity();
    let mut table = TABLE.lock();
    if IS_OVER.load(SeqCst) || table.place_of(&place.mount).is_none() {
        return Err(Errno::ENOENT);
    }
    if covered == root
        && Arc::ptr_eq(&place.mount.system, &mount.system)
        && mount.root.identity() == root
    {
        return Err(Errno::EBUSY);
    }
    if table.entries.len() == MOST {
        return Err(Errno::ENOSPC);
    }
    let room = table.entries.try_reserve(1);
    room.map_err(|_| Errno::ENOMEM)?;
    place.mount.children.fetch_add(1, SeqCst);
    let number = table.next_number;
    table.next_number += 1;
    table.entries.push(Grafted {
        number,
        mount,
        on: Some(place),
        covered: Some(covered),
    });
    Ok(())
}

/// How a mount is taken out of the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detach {
    /// If nobody is in it: `EBUSY` else.
    Unused,
    /// With all that hangs in it; those who are inside stay there.
    Lazily,
}

/// Takes `mount` out of the tree. The caller's hold on it is the only one that is allowed beside the table's.
pub(crate) fn detach(mount: &Arc<Mount>, how: Detach) -> Result<Vec<Grafted>, Errno> {
    const OWN_HOLDS: usize = 2;
    let mut gone = Vec::new();
    let mut table = TABLE.lock();
    let room = gone.try_reserve_exact(table.entries.len());
    room.map_err(|_| Errno::ENOMEM)?;
    let place = table.place_of(mount).ok_or(Errno::EINVAL)?;
    if table.entries[place].on.is_none() {
        return Err(Errno::EINVAL);
    }
    if how == Detach::Unused && Arc::strong_count(mount) > OWN_HOLDS {
        return Err(Errno::EBUSY);
    }
    gone.push(table.entries.remove(place));
    let mut next = 0;
    // Whatever hangs in what is gone is gone too.
    while next < gone.len() {
        let parent = gone[next].mount.clone();
        let hangs_in = |entry: &mut Grafted| {
            let on = entry.on.as_ref();
            on.is_some_and(|on| Arc::ptr_eq(&on.mount, &parent))
        };
        gone.extend(table.entries.extract_if(.., hangs_in));
        next += 1;
    }
    drop(table);
    for on in gone.iter().filter_map(|entry| entry.on.as_ref()) {
        on.mount.children.fetch_sub(1, SeqCst);
    }
    Ok(gone)
}

/// Hangs `mount` elsewhere: MS_MOVE. `EINVAL` where it does not hang anywhere, `ELOOP` where it would hang in itself.
pub(crate) fn move_to(mount: &Arc<Mount>, place: Place) -> Result<(), Errno> {
    let covered = place.inode.identity();
    let mut table = TABLE.lock();
    let entry = table.place_of(mount).ok_or(Errno::EINVAL)?;
    table.place_of(&place.mount).ok_or(Errno::EINVAL)?;
    let mut at = Some(place.mount.clone());
    while let Some(above) = at {
        if Arc::ptr_eq(&above, mount) {
            return Err(Errno::ELOOP);
        }
        let on = table.place_of(&above).map(|place| &table.entries[place].on);
        at = on.and_then(|on| Some(on.as_ref()?.mount.clone()));
    }
    if table.entries[entry].on.is_none() {
        return Err(Errno::EINVAL);
    }
    place.mount.children.fetch_add(1, SeqCst);
    table.entries[entry].covered = Some(covered);
    let old = table.entries[entry].on.replace(place);
    drop(table);
    if let Some(old) = old {
        old.mount.children.fetch_sub(1, SeqCst);
    }
    Ok(())
}

/// What hangs in the part of a mount that begins at `place`, and in that, parents first.
pub(crate) fn below(place: &Place) -> Result<Vec<(Arc<Mount>, Place)>, Errno> {
    let mut found: Vec<(Arc<Mount>, Place)> = Vec::new();
    let all = all()?;
    let room = found.try_reserve_exact(all.len());
    room.map_err(|_| Errno::ENOMEM)?;
    let mut next = 0;
    let mut parent = Some(place.mount.clone());
    while let Some(above) = parent {
        for entry in &all {
            if let Some(on) = &entry.on
                && Arc::ptr_eq(&on.mount, &above)
                && (next > 0 || is_within(on, place)?)
            {
                found.push((entry.mount.clone(), on.clone()));
            }
        }
        parent = found.get(next).map(|(mount, _)| mount.clone());
        next += 1;
    }
    Ok(found)
}

/// Whether `on` is `place`, or below it in the same mount.
fn is_within(on: &Place, place: &Place) -> Result<bool, Errno> {
    let (mut whole, mut part) = (Vec::new(), Vec::new());
    on.inode.write_path(&mut whole)?;
    place.inode.write_path(&mut part)?;
    let rest = whole.strip_prefix(part.as_slice());
    Ok(rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/")))
}

/// Gives `mount` other options. `EBUSY` where it is to be read only and somebody writes.
pub(super) fn set_options(mount: &Mount, options: u32) -> Result<(), Errno> {
    let before = mount.options.swap(options & OPTIONS, SeqCst);
    let is_new = options & !before & MS_RDONLY != 0;
    if is_new && mount.writers.load(SeqCst) > 0 {
        mount.options.store(before, SeqCst);
        return Err(Errno::EBUSY);
    }
    Ok(())
}

/// Lets the whole file system be changed, or not. `EBUSY` where somebody writes by way of any mount of it.
pub(crate) fn change_access(system: &Arc<System>, access: Access) -> Result<(), Errno> {
    let before = system.access();
    system.set_access(access);
    if access == before || access == Access::Write {
        return Ok(());
    }
    let table = TABLE.lock();
    let mut mounts = table.entries.iter().map(|entry| &entry.mount);
    let is_written =
        mounts.any(|mount| Arc::ptr_eq(&mount.system, system) && mount.writers.load(SeqCst) > 0);
    drop(table);
    if is_written {
        system.set_access(before);
        return Err(Errno::EBUSY);
    }
    Ok(())
}

/// Takes the table apart at the end of the run; the first mount comes last.
pub(in crate::fs) fn take_all() -> Vec<Grafted> {
    IS_OVER.store(true, SeqCst);
    core::mem::take(&mut TABLE.lock().entries)
}
