//! Where the bytes of a file are: through twelve pointers and three trees of index blocks.
//!
//! ```text
//! pointers of the inode   0 ... 11        12           13              14
//! file blocks             0 ... 11   then p       then p * p     then p * p * p    where a block holds p pointers
//! index blocks between    none            1            2               3
//! ```
//! A pointer of zero is a hole, of all that is below it.
use crate::bytes::u32_at;
use crate::disk::Disk;
use crate::error::Error;
use crate::inode::{Inode, Kind};
use crate::volume::Volume;

/// Pointers in an inode that lead straight to a file's blocks.
pub(crate) const DIRECT: u64 = 12;

/// How many pointers of an index block are looked at in one go.
pub(crate) const WINDOW: usize = 64;

/// Bytes of a file that are together: on the disk, or missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The byte of the disk at which they begin; `None` where they are a hole, which reads as zeroes.
    pub at: Option<u64>,
    /// How many bytes that holds for.
    pub length: u64,
}

/// The way from an inode to the pointer to one block of its file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way {
    /// Which pointer of the inode comes first.
    pub(crate) slot: usize,
    /// How many index blocks follow.
    pub(crate) depth: u32,
    /// The block's number among those below that pointer.
    pub(crate) within: u64,
}

/// Pointers that are side by side, from the one to the block in question on.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pointers {
    /// In the inode, from this slot on.
    Inode(usize),
    /// In this index block, from this index on.
    Block(u64, u64),
    /// There are none: a hole for so many blocks at least.
    Missing(u64),
}

impl<D: Disk> Volume<D> {
    /// The longest run that begins at byte `offset` of inode `number`, but not longer than `length`. The caller asks again
    /// for the rest; the end of the file is the caller's to know.
    pub fn map(&self, number: u32, offset: u64, length: u64) -> Result<Run, Error> {
        let inode = self.inode(number)?;
        if !self.has_blocks(&inode) {
            return Err(Error::Invalid);
        }
        self.run(&inode, offset, length)
    }

    /// Whether the pointers of `inode` are pointers.
    pub(crate) fn has_blocks(&self, inode: &Inode) -> bool {
        match inode.kind {
            Kind::File | Kind::Folder => true,
            Kind::Link => !self.is_short_link(inode),
            _ => false,
        }
    }

    pub(crate) fn run(&self, inode: &Inode, offset: u64, length: u64) -> Result<Run, Error> {
        let size = self.geometry.block_size;
        let (block, skipped) = (offset / size, offset % size);
        let most = skipped.saturating_add(length).div_ceil(size);
        let (first, blocks) = self.run_of_blocks(inode, block, most)?;
        let at = first.map(|first| self.byte_of(first) + skipped);
        let length = blocks
            .saturating_mul(size)
            .saturating_sub(skipped)
            .min(length);
        Ok(Run { at, length })
    }

    /// The same in blocks: where the run begins, and how long it is.
    fn run_of_blocks(
        &self,
        inode: &Inode,
        block: u64,
        most: u64,
    ) -> Result<(Option<u64>, u64), Error> {
        let Some(way) = self.way(block) else {
            return Ok((None, most));
        };
        let mut window = [0; WINDOW];
        let found = match self.pointers(inode, way)? {
            Pointers::Missing(blocks) => return Ok((None, blocks.min(most))),
            found => self.read_pointers(inode, found, &mut window)?,
        };
        let found = &found[..found.len().min(usize::try_from(most).unwrap_or(usize::MAX))];
        let Some((&first, others)) = found.split_first() else {
            return Ok((None, most));
        };
        let step = u32::from(first != 0);
        let follows = |&(at, &next): &(u32, &u32)| Some(next) == first.checked_add(at * step);
        let length = 1 + (1..).zip(others).take_while(follows).count() as u64;
        if first == 0 {
            return Ok((None, length));
        }
        let start = self.checked(first)?;
        Ok((Some(start), length.min(self.geometry.blocks - start)))
    }

    /// The way to `block` of a file; `None` where no file reaches.
    pub(crate) fn way(&self, block: u64) -> Option<Way> {
        if block < DIRECT {
            return Some(Way {
                slot: block as usize,
                depth: 0,
                within: 0,
            });
        }
        let mut within = block - DIRECT;
        for depth in 1..=3 {
            let below = self.span(depth);
            if within < below {
                return Some(Way {
                    slot: DIRECT as usize + depth as usize - 1,
                    depth,
                    within,
                });
            }
            within -= below;
        }
        None
    }

    /// How many blocks of a file are below a pointer that `depth` index blocks follow.
    pub(crate) fn span(&self, depth: u32) -> u64 {
        self.per_index().pow(depth)
    }

    /// How many pointers a block holds.
    pub(crate) fn per_index(&self) -> u64 {
        self.geometry.block_size / 4
    }

    /// Follows `way` as far as it leads.
    pub(crate) fn pointers(&self, inode: &Inode, way: Way) -> Result<Pointers, Error> {
        if way.depth == 0 {
            return Ok(Pointers::Inode(way.slot));
        }
        let mut pointer = inode.pointers[way.slot];
        for depth in (0..way.depth).rev() {
            let below = self.span(depth);
            if pointer == 0 {
                let span = below * self.per_index();
                return Ok(Pointers::Missing(span - way.within % span));
            }
            let (index_block, index) = (
                self.checked(pointer)?,
                way.within / below % self.per_index(),
            );
            if depth == 0 {
                return Ok(Pointers::Block(index_block, index));
            }
            pointer = self.pointer(index_block, index)?;
        }
        Ok(Pointers::Missing(1))
    }

    /// The pointers from `first` on, as many as `window` holds and are side by side.
    pub(crate) fn read_pointers<'a>(
        &self,
        inode: &Inode,
        first: Pointers,
        window: &'a mut [u32; WINDOW],
    ) -> Result<&'a [u32], Error> {
        let count = match first {
            Pointers::Missing(_) => 0,
            Pointers::Inode(slot) => {
                let direct = &inode.pointers[slot..DIRECT as usize];
                window[..direct.len()].copy_from_slice(direct);
                direct.len()
            }
            Pointers::Block(block, index) => {
                let count = (self.per_index() - index).min(WINDOW as u64) as usize;
                self.read_words(self.byte_of(block) + index * 4, &mut window[..count])?;
                count
            }
        };
        Ok(&window[..count])
    }

    /// Fills `words`, at most as many as a window has, with what is at byte `at`.
    pub(crate) fn read_words(&self, at: u64, words: &mut [u32]) -> Result<(), Error> {
        let mut bytes = [0; WINDOW * 4];
        let bytes = &mut bytes[..words.len() * 4];
        self.disk.read(at, bytes)?;
        for (place, word) in (0..).step_by(4).zip(words) {
            *word = u32_at(bytes, place);
        }
        Ok(())
    }

    /// The most bytes of a file: as many as pointers reach, and as can be counted in 2^32 - 1 sectors with index blocks.
    pub fn longest_file(&self) -> u64 {
        let per_index = self.per_index();
        let reach = DIRECT + self.span(1) + self.span(2) + self.span(3);
        let countable = u64::from(u32::MAX) / (self.geometry.block_size / 512);
        let index_blocks = |blocks: u64| {
            let left = blocks.saturating_sub(DIRECT + self.span(1) + self.span(2));
            2 + per_index + 1 + left.div_ceil(per_index) + left.div_ceil(per_index * per_index)
        };
        let blocks = if reach + index_blocks(reach) <= countable {
            reach
        } else {
            countable - index_blocks(countable)
        };
        blocks * self.geometry.block_size
    }
}
