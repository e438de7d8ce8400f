//! Folders: `getdents64`, the working folder, `umask`.
use abi::Errno;
use abi::general::S_IFMT;

use super::file::{any_descriptor, descriptor};
use super::path::{self, HERE};
use super::{Answer, Arguments, user};
use crate::fs::inode::Listed;
use crate::fs::listing;
use crate::fs::path::{Links, NAME_MAX};
use crate::fs::place::Place;
use crate::process::{current, sched, signal};

/// Bytes of a `struct linux_dirent64` before the name.
const HEAD: usize = 19;

/// The longest record, with the name's end and up to a word.
const LONGEST: usize = (HEAD + NAME_MAX + 1).next_multiple_of(8);

/// getdents64(2).
pub(super) fn getdents64([number, buffer, length, ..]: Arguments) -> Answer {
    let open = descriptor(number)?.file;
    let place = open.place.as_ref().ok_or(Errno::ENOTDIR)?;
    if !place.inode.is_directory() {
        return Err(Errno::ENOTDIR);
    }
    if place.inode.status().links == 0 {
        return Err(Errno::ENOENT);
    }
    let length = u64::from(length as u32);
    let _turn = open.position_turn();
    let mut done = 0;
    loop {
        let Some(entry) = listing::next(place, open.position())? else {
            return Ok(done);
        };
        let (record, size) = record(&entry);
        let fits = done + size as u64 <= length;
        let stored = if fits {
            user::write_bytes(buffer + done, &record[..size])
        } else {
            Err(Errno::EINVAL)
        };
        match stored {
            Err(errno) if done == 0 => return Err(errno),
            Err(_) => return Ok(done),
            Ok(()) => {}
        }
        done += size as u64;
        open.set_position(entry.cookie + 1);
        if signal::is_dying() {
            return Ok(done);
        }
        sched::breathe();
    }
}

/// An entry as ring 3 gets it, and its size.
fn record(entry: &Listed) -> ([u8; LONGEST], usize) {
    let mut record = [0; LONGEST];
    let name = &entry.name[..entry.name.len().min(NAME_MAX)];
    let size = (HEAD + name.len() + 1).next_multiple_of(8);
    record[..8].copy_from_slice(&entry.number.to_le_bytes());
    record[8..16].copy_from_slice(&(entry.cookie + 1).to_le_bytes());
    record[16..18].copy_from_slice(&(size as u16).to_le_bytes());
    // DT_DIR and its kin are the types of `st_mode`, moved down.
    record[18] = ((entry.kind & S_IFMT) >> 12) as u8;
    record[HEAD..HEAD + name.len()].copy_from_slice(name);
    (record, size)
}

/// chdir(2).
pub(super) fn chdir([path, ..]: Arguments) -> Answer {
    go(path::resolve(HERE, path, Links::Follow)?)
}

/// fchdir(2).
pub(super) fn fchdir([number, ..]: Arguments) -> Answer {
    let place = any_descriptor(number)?.file.place.clone();
    go(place.ok_or(Errno::ENOTDIR)?)
}

fn go(place: Place) -> Answer {
    if !place.inode.is_directory() {
        return Err(Errno::ENOTDIR);
    }
    current().working.set_directory(place);
    Ok(0)
}

/// getcwd(2).
pub(super) fn getcwd([buffer, length, ..]: Arguments) -> Answer {
    let mut path = current().working.directory().path_if_there()?;
    path.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
    path.push(0);
    if path.len() as u64 > length {
        return Err(Errno::ERANGE);
    }
    user::write_bytes(buffer, &path)?;
    Ok(path.len() as u64)
}

/// umask(2).
pub(super) fn umask([mask, ..]: Arguments) -> Answer {
    Ok(current().working.set_mask(mask as u32).into())
}
