//! The devices that are nothing but a rule for bytes: null, zero, full, random and urandom.
use abi::Errno;
use abi::general::{S_IFCHR, S_IFDIR};

use super::buffers::Buffers;
use super::node::Node;
use super::open::{Kind, Order, Status, Step};
use crate::random;

/// Bytes made at a time.
const PIECE: usize = 256;

/// A device of `/dev`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Device {
    /// The folder that they stand in.
    Folder,
    /// Nothing to read; whatever is written is gone.
    Null,
    /// Zeroes without end.
    Zero,
    /// Zeroes without end, and no room for a byte.
    Full,
    /// Bytes that nobody can foresee.
    Random,
    /// The same.
    Urandom,
}

const DEVICES: [(&[u8], Device); 6] = [
    (b"", Device::Folder),
    (b"null", Device::Null),
    (b"zero", Device::Zero),
    (b"full", Device::Full),
    (b"random", Device::Random),
    (b"urandom", Device::Urandom),
];

/// The device called `name`.
pub(super) fn find(name: &[u8]) -> Option<Node> {
    let known = DEVICES.iter().find(|(known, _)| *known == name)?;
    Some(Node::Device(known.1))
}

impl Device {
    fn minor(self) -> u64 {
        match self {
            Self::Folder => 0,
            Self::Null => 3,
            Self::Zero => 5,
            Self::Full => 7,
            Self::Random => 8,
            Self::Urandom => 9,
        }
    }
}

impl Kind for Device {
    fn status(&self) -> Status {
        /// Major number of Linux's memory devices.
        const MEMORY: u64 = 1 << 8;
        /// Of the tree: major 0, minor 6.
        const TREE: u64 = 6;
        let (mode, special) = match self {
            Self::Folder => (S_IFDIR | 0o755, 0),
            device => (S_IFCHR | 0o666, MEMORY | device.minor()),
        };
        Status {
            device: TREE,
            number: 1 + self.minor(),
            links: 1,
            mode,
            special,
            block_size: mm::PAGE_SIZE,
            ..Status::default()
        }
    }

    fn order(&self) -> Order {
        Order::Endless
    }

    fn is_zeroes(&self) -> bool {
        *self == Self::Zero
    }

    fn read(&self, _at: u64, into: &mut Buffers<'_>) -> Result<Step, Errno> {
        let mut piece = [0; PIECE];
        let count = into.left().min(PIECE as u64) as usize;
        match self {
            Self::Folder => return Err(Errno::EISDIR),
            Self::Null => return Ok(Step::Done),
            Self::Zero | Self::Full => {}
            Self::Random | Self::Urandom => random::fill(&mut piece[..count]),
        }
        into.fill(&piece[..count]).map(|_| Step::More)
    }

    /// Takes all there is, and does not look at it.
    fn write(&self, _at: u64, from: &mut Buffers<'_>) -> Result<Step, Errno> {
        match self {
            Self::Folder => return Err(Errno::EISDIR),
            Self::Full if from.left() > 0 => return Err(Errno::ENOSPC),
            _ => from.skip(from.left() as usize),
        }
        Ok(Step::Done)
    }
}
