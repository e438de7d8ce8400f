//! Files with names: a few names in a folder of the program's own, by which files are made, opened, moved and removed.
//!
//! The scratch folder has one folder, where every program begins with nothing in it. No path leads further up than to the
//! scratch folder: no more than one `..` is in a name, and none is where a link may lead to.

use core::ffi::CStr;
use core::fmt::Write;

use rt::abi::Sysno;
use rt::abi::general::{AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_FOLLOW, O_CLOEXEC};
use rt::{Errno, env, file, path, syscall};

use crate::files::descriptor;
use crate::machine::Machine;

/// A name that is too long, and the end that strings have.
const TOO_LONG: [u8; 257] = {
    let mut name = [b'n'; 257];
    name[256] = 0;
    name
};

/// What programs call by number. The same few names come again and again, in every form that a path may have.
fn name(number: usize) -> &'static CStr {
    const NAMES: [&CStr; 17] = [
        c"a", c"b", c"c", c"d", c"d/a", c"d/b", c"l", c"l/a", c"e/a", c".", c"d/.", c"d/..", c"a/",
        c"d/", c"d/../b", c"", c"a/b",
    ];
    static LONG: [u8; 257] = TOO_LONG;
    NAMES
        .get(number)
        .copied()
        .unwrap_or_else(|| CStr::from_bytes_with_nul(&LONG).expect("it ends, and does so once"))
}

/// Where links lead.
fn target(number: usize) -> &'static CStr {
    const TARGETS: [&CStr; 8] = [c"a", c"b", c"d", c"d/a", c"l", c"missing", c".", c"c/"];
    TARGETS[number % TARGETS.len()]
}

/// The folder in which each program has its own, as the interpreter was told.
pub(crate) fn scratch() -> &'static str {
    env::arg(3).expect("a folder for scratch files")
}

/// The own folder of a program, from the scratch folder on.
pub(crate) const OWN: &CStr = c"p";

impl Machine {
    /// Opens a file into a slot.
    pub(crate) fn open(&mut self, [slot, number, flags, mode]: [usize; 4]) {
        let opened = path::open_at(path::HERE, name(number), flags as u32, mode as u32);
        self.put(slot, opened, flags as u32 & O_CLOEXEC);
    }

    /// Has a slot be what was just opened.
    pub(crate) fn put(&mut self, slot: usize, opened: Result<u32, Errno>, flags: u32) {
        let put = opened.map(|new| {
            file::duplicate(new, descriptor(slot) as u32, flags).expect("dup3");
            file::close(new).expect("close");
            0
        });
        self.say(put);
    }

    /// What is done by name alone.
    pub(crate) fn names(&mut self, [kind, first, second, number]: [usize; 4]) {
        const HERE: usize = AT_FDCWD as usize;
        let at = |number: usize| name(number).as_ptr() as usize;
        let [one, other] = [at(first), at(second)];
        match kind {
            0 => self.plain(Sysno::unlink, [one]),
            1 => self.plain(Sysno::rmdir, [one]),
            2 => self.plain(Sysno::mkdir, [one, number]),
            3 => self.plain(Sysno::renameat2, [HERE, one, HERE, other, number]),
            4 => self.plain(Sysno::linkat, [HERE, one, HERE, other, number]),
            5 => self.plain(Sysno::symlink, [target(first).as_ptr() as usize, other]),
            6 => self.plain(Sysno::truncate, [one, number]),
            7 => self.plain(Sysno::chmod, [one, number]),
            8 => self.name_slot(first, other),
            9 => self.follow(name(first)),
            10 => self.plain(Sysno::faccessat2, [HERE, one, second, number]),
            11 => self.plain(Sysno::unlinkat, [HERE, one, number]),
            _ => self.describe_name(name(first)),
        }
    }

    /// Gives what is open in a slot one more name, once by its descriptor, and else by its name among all descriptors.
    fn name_slot(&mut self, slot: usize, new: usize) {
        let here = AT_FDCWD as usize;
        let old = descriptor(slot);
        let empty = [
            old,
            c"".as_ptr() as usize,
            here,
            new,
            AT_EMPTY_PATH as usize,
            0,
        ];
        let linked = syscall::raw(Sysno::linkat as usize, empty);
        self.say(linked);
        if linked.is_err() {
            let mut words = [0; 32];
            let old = link_of(old, &mut words).as_ptr() as usize;
            let follow = AT_SYMLINK_FOLLOW as usize;
            self.plain(Sysno::linkat, [here, old, here, new, follow]);
        }
    }

    /// Where a link leads.
    #[inline(never)]
    fn follow(&mut self, path: &CStr) {
        let mut room = [0; 512];
        match file::read_link(path, &mut room) {
            Ok(count) => self.say_path(&room[..count]),
            Err(errno) => self.say(Err(errno)),
        }
    }

    fn describe_name(&mut self, path: &CStr) {
        match path::status_of(path) {
            Ok(about) => self.say_status(&about),
            Err(errno) => self.say(Err(errno)),
        }
    }

    /// What is known of an open file.
    pub(crate) fn describe(&mut self, slot: usize) {
        const CURRENT: usize = 1;
        const GET: [usize; 2] = [1, 3];
        let slot = descriptor(slot);
        match file::status(slot as u32) {
            Ok(about) => self.say_status(&about),
            Err(errno) => return self.say(Err(errno)),
        }
        self.plain(Sysno::lseek, [slot, 0, CURRENT]);
        for command in GET {
            self.plain(Sysno::fcntl, [slot, command]);
        }
        let mut words = [0; 32];
        self.follow(link_of(slot, &mut words));
    }

    /// A path without the part that is chance: where the scratch folder is, and numbers of files.
    pub(crate) fn say_path(&mut self, bytes: &[u8]) {
        let text = core::str::from_utf8(bytes).unwrap_or("(not UTF-8)");
        let own = text.strip_prefix(scratch()).unwrap_or(text);
        let digits = own.find('#').map(|at| at + 1);
        let (start, rest) = own.split_at(digits.unwrap_or(own.len()));
        let rest = rest.trim_start_matches(|letter: char| letter.is_ascii_digit());
        let _ = write!(self.log, " {start}{rest}");
    }
}

/// The link that stands for a descriptor.
fn link_of(descriptor: usize, room: &mut [u8; 32]) -> &CStr {
    let mut text = crate::machine::Text(&mut room[..]);
    let _ = write!(text, "/proc/self/fd/{descriptor}\0");
    CStr::from_bytes_until_nul(room).expect("it ends")
}
