//! `mount`: says what is mounted; `mount [-t KIND] [-o OPTIONS] [--bind] SOURCE PLACE` mounts something.
//!
//! Options that mount(2) has flags for become those; the rest is for the file system.
#![no_std]
#![forbid(unsafe_code)]

use core::ffi::CStr;

use programs::proc::read_in;
use rt::abi::general::{
    MS_BIND, MS_MOVE, MS_NOATIME, MS_NODEV, MS_NODIRATIME, MS_NOEXEC, MS_NOSUID, MS_RDONLY, MS_REC,
    MS_RELATIME, MS_REMOUNT, MS_STRICTATIME, MS_SYNCHRONOUS,
};
use rt::{env, eprintln, mount, print};

/// Room for the words that are the file system's.
const ROOM: usize = 1024;

const FLAGS: [(&[u8], u32); 14] = [
    (b"ro", MS_RDONLY),
    (b"rw", 0),
    (b"defaults", 0),
    (b"nosuid", MS_NOSUID),
    (b"nodev", MS_NODEV),
    (b"noexec", MS_NOEXEC),
    (b"noatime", MS_NOATIME),
    (b"nodiratime", MS_NODIRATIME),
    (b"relatime", MS_RELATIME),
    (b"strictatime", MS_STRICTATIME),
    (b"sync", MS_SYNCHRONOUS),
    (b"remount", MS_REMOUNT),
    (b"bind", MS_BIND),
    (b"rbind", MS_BIND | MS_REC),
];

/// What the command line asks for.
struct Request {
    kind: Option<&'static CStr>,
    flags: u32,
    words: [u8; ROOM],
    used: usize,
    places: [Option<&'static CStr>; 2],
}

fn main() -> u8 {
    if env::count() == 1 {
        let mut room = [0; 32768];
        print!("{}", read_in(c"/proc/mounts", &mut room, 4096));
        return 0;
    }
    let Some(request) = parse() else {
        eprintln!("mount [-t KIND] [-o OPTIONS] [--bind | --move] SOURCE PLACE");
        return 2;
    };
    match request.perform() {
        Ok(()) => 0,
        Err(errno) => {
            eprintln!("mount: {errno:?}");
            1
        }
    }
}

fn parse() -> Option<Request> {
    let mut request = Request {
        kind: None,
        flags: 0,
        words: [0; ROOM],
        used: 0,
        places: [None; 2],
    };
    let mut words = env::args().skip(1);
    let mut places = 0;
    while let Some(word) = words.next() {
        match word.to_bytes() {
            b"-t" => request.kind = Some(words.next()?),
            b"-o" => request.take_options(words.next()?.to_bytes())?,
            b"-r" => request.flags |= MS_RDONLY,
            b"--bind" => request.flags |= MS_BIND,
            b"--rbind" => request.flags |= MS_BIND | MS_REC,
            b"--move" => request.flags |= MS_MOVE,
            _ => {
                *request.places.get_mut(places)? = Some(word);
                places += 1;
            }
        }
    }
    (places > 0).then_some(request)
}

impl Request {
    fn take_options(&mut self, options: &[u8]) -> Option<()> {
        let options = options.split(|&byte| byte == b',');
        for option in options.filter(|option| !option.is_empty()) {
            let known = FLAGS.iter().find(|(name, _)| *name == option);
            match known {
                Some((_, flag)) => self.flags |= flag,
                None => self.keep(option)?,
            }
        }
        Some(())
    }

    fn keep(&mut self, option: &[u8]) -> Option<()> {
        let end = self.used + option.len();
        self.words.get_mut(self.used..end)?.copy_from_slice(option);
        // The last byte stays a NUL.
        *self.words[..ROOM - 1].get_mut(end)? = b',';
        self.used = end + 1;
        Some(())
    }

    fn perform(&self) -> Result<(), rt::Errno> {
        let words = CStr::from_bytes_until_nul(&self.words).ok();
        let (source, place) = match self.places {
            [Some(source), Some(place)] => (Some(source), place),
            [Some(place), None] => (None, place),
            [None, _] => return Err(rt::Errno::EINVAL),
        };
        match self.kind {
            None if self.flags & (MS_BIND | MS_MOVE | MS_REMOUNT) == 0 => {
                self.try_kinds(source, place, words)
            }
            kind => mount::mount(source, place, kind, self.flags, words),
        }
    }

    /// Without a kind those of disks are tried, one after another.
    fn try_kinds(
        &self,
        source: Option<&CStr>,
        place: &CStr,
        words: Option<&CStr>,
    ) -> Result<(), rt::Errno> {
        let mut room = [0; 32768];
        let kinds = read_in(c"/proc/filesystems", &mut room, 4096).lines();
        let mut refusal = rt::Errno::ENODEV;
        for kind in kinds.filter_map(|line| line.strip_prefix('\t')) {
            let mut name = [0; 32];
            let kind = kind.as_bytes();
            name[..kind.len()].copy_from_slice(kind);
            let kind = CStr::from_bytes_until_nul(&name).ok();
            match mount::mount(source, place, kind, self.flags, words) {
                Ok(()) => return Ok(()),
                Err(errno) => refusal = errno,
            }
        }
        Err(refusal)
    }
}
