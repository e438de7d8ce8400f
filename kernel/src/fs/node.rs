//! What a path leads to: a file of the archive, or something that the kernel makes up when it is looked at.
use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;
use abi::general::{S_IFDIR, S_IFLNK, S_IFMT};

use super::devices::Device;
use super::open::{Kind, Status};
use super::{File, proc};

/// A file, folder, link or device of any of the trees.
#[derive(Clone)]
pub(crate) enum Node {
    /// Of the archive.
    File(Arc<File>),
    /// Of `/proc` or `/sys`.
    Proc(proc::Node),
    /// Of `/dev`.
    Device(Device),
}

impl Node {
    /// What `stat` says.
    pub(crate) fn status(&self) -> Status {
        match self {
            Self::File(file) => (**file).status(),
            Self::Proc(node) => node.status(),
            Self::Device(device) => device.status(),
        }
    }

    fn kind(&self) -> u32 {
        self.status().mode & S_IFMT
    }

    pub(crate) fn is_directory(&self) -> bool {
        self.kind() == S_IFDIR
    }

    pub(crate) fn is_link(&self) -> bool {
        self.kind() == S_IFLNK
    }

    /// Where the link leads; `EINVAL` where it is none.
    pub(crate) fn target(&self) -> Result<Vec<u8>, Errno> {
        match self {
            Self::File(file) if file.is_link() => copy(file.data),
            Self::Proc(node) => node.target(),
            Self::File(_) | Self::Device(_) => Err(Errno::EINVAL),
        }
    }
}

/// A copy of `bytes`, if there is memory for it.
pub(super) fn copy(bytes: &[u8]) -> Result<Vec<u8>, Errno> {
    let mut copy = Vec::new();
    copy.try_reserve_exact(bytes.len())
        .map_err(|_| Errno::ENOMEM)?;
    copy.extend_from_slice(bytes);
    Ok(copy)
}
