//! The kinds of file systems that can be mounted, by name.
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use abi::Errno;
use abi::general::PROC_SUPER_MAGIC;
use spin::Once;

use super::devices::number;
use super::system::{Access, FileSystem, MadeUp, System};
use super::{ext2, proc, tmpfs::Tmpfs};

/// Those that proc(5) lists, and whether they need a disk.
pub(crate) const KINDS: [(&str, bool); 5] = [
    ("sysfs", false),
    ("tmpfs", false),
    ("proc", false),
    ("devtmpfs", false),
    ("ext2", true),
];

/// Device numbers below this one are given already: major 0, as all that no disk stands behind.
static NEXT_MINOR: AtomicU32 = AtomicU32::new(32);

/// Those of which there is one: whoever mounts them once more sees the same.
static SHARED: Once<[Arc<System>; 2]> = Once::new();

/// Notes those of which there is one.
pub(super) fn share(systems: [Arc<System>; 2]) {
    SHARED.call_once(|| systems);
}

/// They can be ended now: the run is over.
pub(super) fn shared() -> &'static [Arc<System>] {
    SHARED.get().map_or(&[], |systems| systems.as_slice())
}

/// A file system of this kind, as mount(2) wants it: from `source`, with these words. `ENODEV` for kinds that there are
/// not.
pub(crate) fn find(
    kind: &[u8],
    source: Vec<u8>,
    access: Access,
    words: &[u8],
) -> Result<Arc<System>, Errno> {
    match kind {
        b"tmpfs" => {
            let device = number(0, NEXT_MINOR.fetch_add(1, Relaxed));
            System::try_new(Tmpfs::try_new(device, words)?, source, access)
        }
        b"proc" => System::try_new(proc_system()?, source, access),
        b"sysfs" | b"devtmpfs" => {
            let is_it = |system: &&Arc<System>| system.files.kind().as_bytes() == kind;
            let there = shared().iter().find(is_it).ok_or(Errno::ENODEV)?;
            if there.access() == access {
                Ok(there.clone())
            } else {
                Err(Errno::EBUSY)
            }
        }
        b"ext2" => ext2::mount(source, access, words),
        _ => Err(Errno::ENODEV),
    }
}

/// What the kernel says of processes.
pub(super) fn proc_system() -> Result<Arc<dyn FileSystem>, Errno> {
    let system = MadeUp {
        kind: "proc",
        magic: PROC_SUPER_MAGIC,
        root: proc::root()?,
    };
    Ok(Arc::try_new(system).map_err(|_| Errno::ENOMEM)?)
}
