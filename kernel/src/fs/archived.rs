//! An open file of the archive: for reading, all of it always there.
use alloc::sync::Arc;

use abi::Errno;
use mm::page_cache::CachedFile;

use super::File;
use super::buffers::Buffers;
use super::open::{Kind, Order, Status, Step};

/// Bytes copied at a time.
const PIECE: usize = 512;

impl Kind for Arc<File> {
    fn status(&self) -> Status {
        (**self).status()
    }

    fn order(&self) -> Order {
        Order::Random(self.size())
    }

    fn read(&self, at: u64, into: &mut Buffers<'_>) -> Result<Step, Errno> {
        if self.is_directory() {
            return Err(Errno::EISDIR);
        }
        let mut piece = [0; PIECE];
        let want = into.left().min(PIECE as u64) as usize;
        match self.read_at(at, &mut piece[..want]) {
            0 => Ok(Step::Done),
            count => into.fill(&piece[..count]).map(|_| Step::More),
        }
    }

    fn pages(&self) -> Option<&Arc<CachedFile>> {
        (!self.is_directory()).then(|| self.cached())
    }
}

impl File {
    /// What stat(2) says.
    pub(crate) fn status(&self) -> Status {
        Status {
            device: super::ARCHIVE_DEVICE,
            number: self.number(),
            links: 1,
            mode: self.mode(),
            special: 0,
            size: self.size(),
            block_size: mm::PAGE_SIZE,
            blocks: self.size().div_ceil(512),
        }
    }
}
