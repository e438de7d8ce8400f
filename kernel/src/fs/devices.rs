//! `/dev`: its entries, and the devices that are nothing but a rule for bytes: null, zero, full, random and urandom.
use alloc::sync::Arc;

use abi::Errno;
use abi::general::{S_IFBLK, S_IFCHR, S_IFLNK};
use spin::Once;

use super::buffers::Buffers;
use super::disk;
use super::inode::{Directory, New};
use super::open::{Kind, OpenFile, Order, Status, Step};
use super::place::Place;
use super::stream::Stream;
use super::tmpfs::Node;
use crate::random;

/// Bytes made at a time.
const PIECE: usize = 256;

/// A device that is nothing but a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// Nothing to read; whatever is written is gone.
    Null,
    /// Zeroes without end.
    Zero,
    /// Zeroes without end, and no room for a byte.
    Full,
    /// Bytes that nobody can foresee.
    Random,
}

/// An open one.
struct Device {
    rule: Rule,
    place: Place,
}

/// Major number of Linux's memory devices, and of its consoles.
const MEMORY: u32 = 1;
const CONSOLES: u32 = 5;

/// What `/dev` begins with: name, permissions, major and minor number.
const NAMES: [(&[u8], u32, u32, u32); 7] = [
    (b"null", 0o666, MEMORY, 3),
    (b"zero", 0o666, MEMORY, 5),
    (b"full", 0o666, MEMORY, 7),
    (b"random", 0o666, MEMORY, 8),
    (b"urandom", 0o666, MEMORY, 9),
    (b"tty", 0o666, CONSOLES, 0),
    (b"console", 0o600, CONSOLES, 1),
];

/// The number of the second of them, which areas of its zeroes show.
static ZERO: Once<u64> = Once::new();

/// Its links.
const LINKS: [(&[u8], &[u8]); 4] = [
    (b"fd", b"/proc/self/fd"),
    (b"stdin", b"/proc/self/fd/0"),
    (b"stdout", b"/proc/self/fd/1"),
    (b"stderr", b"/proc/self/fd/2"),
];

/// A device's number, as Linux packs it for programs.
pub(crate) fn number(major: u32, minor: u32) -> u64 {
    let (major, minor) = (u64::from(major), u64::from(minor));
    minor & 0xff | (major & 0xfff) << 8 | (minor & !0xff) << 12 | (major & !0xfff) << 32
}

/// Where `/dev/zero` is found: its file system, and its number there.
pub(super) fn zero() -> (u64, u64) {
    (super::DEV_DEVICE, ZERO.get().copied().unwrap_or(0))
}

/// Fills the folder that is to be `/dev`.
pub(super) fn populate(folder: &Arc<Node>) -> Result<(), Errno> {
    for (name, permissions, major, minor) in NAMES {
        let new = New {
            mode: S_IFCHR | permissions,
            target: &[],
            special: number(major, minor),
        };
        let inode = folder.create(name, &new)?;
        if name == b"zero" {
            ZERO.call_once(|| inode.status().number);
        }
    }
    for (name, target) in LINKS {
        let new = New {
            mode: S_IFLNK | 0o777,
            target,
            special: 0,
        };
        folder.create(name, &new)?;
    }
    Ok(())
}

/// Opens what stands at `place`: a device of that kind and number. `ENXIO` where nothing answers to it.
pub(super) fn open(
    kind: u32,
    special: u64,
    place: &Place,
    flags: u32,
) -> Result<Arc<OpenFile>, Errno> {
    match kind {
        S_IFCHR => {}
        S_IFBLK => return disk::open(special, place, flags),
        _ => return Err(Errno::ENXIO),
    }
    let is = |major, minor| special == number(major, minor);
    if is(CONSOLES, 0) || is(CONSOLES, 1) {
        return OpenFile::at(place, Stream, flags);
    }
    let rules = [
        (3, Rule::Null),
        (5, Rule::Zero),
        (7, Rule::Full),
        (8, Rule::Random),
        (9, Rule::Random),
    ];
    let known = rules.into_iter().find(|&(minor, _)| is(MEMORY, minor));
    let (_, rule) = known.ok_or(Errno::ENXIO)?;
    let device = Device {
        rule,
        place: place.clone(),
    };
    OpenFile::at(place, device, flags)
}

impl Kind for Device {
    fn status(&self) -> Status {
        self.place.inode.status()
    }

    fn order(&self) -> Order {
        Order::Endless
    }

    fn is_zeroes(&self) -> bool {
        self.rule == Rule::Zero
    }

    fn read(&self, _at: u64, into: &mut Buffers<'_>) -> Result<Step, Errno> {
        let mut piece = [0; PIECE];
        let count = into.left().min(PIECE as u64) as usize;
        match self.rule {
            Rule::Null => return Ok(Step::Done),
            Rule::Zero | Rule::Full => {}
            Rule::Random => random::fill(&mut piece[..count]),
        }
        into.fill(&piece[..count]).map(|_| Step::More)
    }

    /// Takes all there is, and does not look at it.
    fn write(&self, _at: u64, from: &mut Buffers<'_>) -> Result<Step, Errno> {
        match self.rule {
            Rule::Full if from.left() > 0 => return Err(Errno::ENOSPC),
            _ => from.skip(from.left() as usize),
        }
        Ok(Step::Done)
    }
}
