//! `mounts` and `mountinfo`: what is mounted where, in the two forms that Linux has.
use alloc::sync::Arc;
use core::fmt::{Error, Result as Written, Write};

use abi::general::{
    MS_NOATIME, MS_NODEV, MS_NODIRATIME, MS_NOEXEC, MS_NOSUID, MS_NOSYMFOLLOW, MS_RDONLY,
    MS_RELATIME,
};

use super::text::Text;
use crate::fs::kinds::KINDS;
use crate::fs::mount::{self, Grafted, Mount};
use crate::fs::place::Place;
use crate::fs::system::{Access, System};

/// How options are called, in Linux's order.
const NAMES: [(u32, &str); 7] = [
    (MS_NOSUID, ",nosuid"),
    (MS_NODEV, ",nodev"),
    (MS_NOEXEC, ",noexec"),
    (MS_NOATIME, ",noatime"),
    (MS_NODIRATIME, ",nodiratime"),
    (MS_RELATIME, ",relatime"),
    (MS_NOSYMFOLLOW, ",nosymfollow"),
];

/// `/proc/filesystems`.
pub(super) fn filesystems(out: &mut Text) -> Written {
    KINDS.iter().try_for_each(|(name, needs_disk)| {
        let note = if *needs_disk { "" } else { "nodev" };
        writeln!(out, "{note}\t{name}")
    })
}

/// `/proc/mounts`: source, place, kind, options.
pub(super) fn mounts(out: &mut Text) -> Written {
    for Grafted { mount, .. } in mount::all().map_err(|_| Error)? {
        write_escaped(out, &mount.system.source, b"#")?;
        out.write_char(' ')?;
        write_place(out, &mount)?;
        write!(
            out,
            " {} {}",
            mount.system.files.kind(),
            word(mount.access())
        )?;
        write_options(out, &mount)?;
        mount.system.files.write_options(out)?;
        out.write_str(" 0 0\n")?;
    }
    Ok(())
}

/// `/proc/self/mountinfo`: numbers, device, root, place, the mount's options, then the file system's.
pub(super) fn mountinfo(out: &mut Text) -> Written {
    let all = mount::all().map_err(|_| Error)?;
    for entry in &all {
        let mount = &entry.mount;
        let parent = entry.on.as_ref().map_or(mount, |on| &on.mount);
        let above = all.iter().find(|other| Arc::ptr_eq(&other.mount, parent));
        let above = above.map_or(entry.number, |above| above.number);
        let device = mount.system.files.device();
        let (major, minor) = (device >> 8 & 0xfff, device & 0xff | device >> 12 & !0xff);
        write!(out, "{} {above} {major}:{minor} ", entry.number)?;
        write_root(out, mount)?;
        out.write_char(' ')?;
        write_place(out, mount)?;
        let own = if mount.has(MS_RDONLY) {
            Access::Read
        } else {
            Access::Write
        };
        write!(out, " {}", word(own))?;
        write_options(out, mount)?;
        write!(out, " - {} ", mount.system.files.kind())?;
        write_system(out, &mount.system)?;
    }
    Ok(())
}

fn write_system(out: &mut Text, system: &System) -> Written {
    write_escaped(out, &system.source, b"#")?;
    write!(out, " {}", word(system.access()))?;
    system.files.write_options(out)?;
    out.write_char('\n')
}

fn word(access: Access) -> &'static str {
    match access {
        Access::Read => "ro",
        Access::Write => "rw",
    }
}

fn write_options(out: &mut Text, mount: &Mount) -> Written {
    let set = NAMES.iter().filter(|(option, _)| mount.has(*option));
    set.map(|(_, name)| name)
        .try_for_each(|name| out.write_str(name))
}

/// What of its file system a mount shows.
fn write_root(out: &mut Text, mount: &Arc<Mount>) -> Written {
    let root = Place {
        mount: mount.clone(),
        inode: mount.root.clone(),
    };
    write_escaped(out, &root.path_in_system().map_err(|_| Error)?, b"")
}

fn write_place(out: &mut Text, mount: &Arc<Mount>) -> Written {
    let root = Place {
        mount: mount.clone(),
        inode: mount.root.clone(),
    };
    write_escaped(out, &root.path().map_err(|_| Error)?, b"")
}

/// What would end a field, in octal: of sources `#` too, as Linux does.
fn write_escaped(out: &mut Text, bytes: &[u8], others: &[u8]) -> Written {
    for byte in bytes {
        if b" \t\n\\".contains(byte) || others.contains(byte) {
            write!(out, "\\{byte:03o}")?;
        } else {
            out.push(&[*byte])?;
        }
    }
    Ok(())
}
