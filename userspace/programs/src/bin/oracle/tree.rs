//! The scratch folder as a whole: all that is in it, in an order that no kernel chooses, and how it is emptied.

use core::ffi::CStr;
use core::fmt::Write;

use rt::abi::general::{
    O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, S_IFDIR, S_IFMT, S_IFREG, stat,
};
use rt::{Errno, file, path};

use crate::machine::Machine;
use crate::names::OWN;

/// Names of a folder, each with its end.
struct Entries {
    names: [[u8; 16]; Entries::MOST],
    count: usize,
}

impl Entries {
    /// More than a program has names.
    const MOST: usize = 24;

    /// Those of the working folder, sorted.
    #[inline(never)]
    fn read() -> Result<Self, Errno> {
        let mut all = Self {
            names: [[0; 16]; Self::MOST],
            count: 0,
        };
        let here = path::open_at(path::HERE, c".", O_RDONLY | O_DIRECTORY, 0)?;
        let mut room = [0; 512];
        loop {
            match path::list(here, &mut room)? {
                0 => break,
                count => all.take(&room[..count]),
            }
        }
        file::close(here)?;
        all.names[..all.count].sort_unstable();
        Ok(all)
    }

    /// Adds those of an answer of getdents64(2) but the two that every folder has.
    fn take(&mut self, mut answer: &[u8]) {
        const LENGTH: usize = 16;
        const NAME: usize = 19;
        while !answer.is_empty() {
            let length = u16::from_le_bytes([answer[LENGTH], answer[LENGTH + 1]]).into();
            let (record, rest) = answer.split_at(length);
            let name = CStr::from_bytes_until_nul(&record[NAME..]).expect("it ends");
            if name != c"." && name != c".." {
                let bytes = name.to_bytes_with_nul();
                self.names[self.count][..bytes.len()].copy_from_slice(bytes);
                self.count += 1;
            }
            answer = rest;
        }
    }

    fn each(&self) -> impl Iterator<Item = &CStr> {
        let names = self.names[..self.count].iter();
        names.map(|name| CStr::from_bytes_until_nul(name).expect("it ends"))
    }
}

/// Whether a path leads to a folder, and not by a link.
fn is_folder(path: &CStr) -> bool {
    path::status_of(path).is_ok_and(|about| about.st_mode & S_IFMT == S_IFDIR)
}

/// Makes the folder in which a program has its files, and goes there.
pub(crate) fn enter() {
    let _ = path::set_mask(0o22);
    path::make_folder(OWN, 0o755).expect("mkdir");
    path::go(OWN).expect("chdir");
}

/// Takes away all that is in the working folder; at first that is the scratch folder.
pub(crate) fn empty() {
    let entries = Entries::read().expect("the folder can be read");
    for name in entries.each() {
        if is_folder(name) {
            path::go(name).expect("chdir");
            empty();
            path::go(c"..").expect("chdir");
            path::remove_folder(name).expect("rmdir");
        } else {
            path::remove(name).expect("unlink");
        }
    }
}

impl Machine {
    /// All that is in the program's folder, or in the scratch folder.
    pub(crate) fn show_tree(&mut self) {
        let entries = match Entries::read() {
            Ok(entries) => entries,
            Err(errno) => return self.say(Err(errno)),
        };
        for name in entries.each() {
            let _ = write!(self.log, " {}", name.to_str().unwrap_or("?"));
            match path::status_of(name) {
                Err(errno) => self.say(Err(errno)),
                Ok(about) => {
                    self.say_status(&about);
                    self.show_entry(name, &about);
                }
            }
        }
    }

    fn show_entry(&mut self, name: &CStr, about: &stat) {
        if about.st_mode & S_IFMT == S_IFDIR {
            let _ = write!(self.log, " (");
            path::go(name).expect("chdir");
            self.show_tree();
            path::go(c"..").expect("chdir");
            let _ = write!(self.log, " )");
        } else if about.st_mode & S_IFMT == S_IFREG {
            let flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK;
            match path::open_at(path::HERE, name, flags, 0) {
                Ok(opened) => {
                    self.show_bytes(opened);
                    file::close(opened).expect("close");
                }
                Err(errno) => self.say(Err(errno)),
            }
        }
    }

    /// Length, blocks, kind and rights, and how many names it has.
    pub(crate) fn say_status(&mut self, about: &stat) {
        let _ = write!(
            self.log,
            " {:x}/{:x}/{:o}/{}",
            about.st_size, about.st_blocks, about.st_mode, about.st_nlink
        );
    }
}
