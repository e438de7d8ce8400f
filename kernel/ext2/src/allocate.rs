//! Blocks for bytes of a file that have none yet.
//!
//! Written in this order: the bitmap, so that nobody else gets the block; an index block's zeroes, or a folder's entries;
//! then the pointer to it. A power cut in between loses a block until e2fsck comes by, and nothing else.
use core::ops::Range;

use crate::bytes::put_u32;
use crate::disk::Disk;
use crate::error::Error;
use crate::inode::{Inode, Kind};
use crate::map::{DIRECT, Pointers, WINDOW, Way};
use crate::volume::Volume;

/// Bytes that get all their blocks or none: what a caller keeps in memory as one.
const PAGE: u64 = 4096;

/// The most blocks of a page.
const MOST_PER_PAGE: usize = 4;

/// A new index block.
const ZEROES: [u8; 4096] = [0; 4096];

/// The blocks of the page in hand that are new, to be taken back should the others not be had: whoever reads them would
/// see what the disk had there before.
#[derive(Default)]
struct Fresh {
    blocks: [Option<u64>; MOST_PER_PAGE],
}

impl Fresh {
    /// `blocks` of a file are new; only those of the last page matter.
    fn add(&mut self, blocks: Range<u64>, per_page: u64) {
        let last = blocks.end.saturating_sub(1);
        let page = last - last % per_page;
        for block in blocks.start.max(page)..blocks.end {
            self.blocks[(block % per_page) as usize] = Some(block);
        }
    }

    /// Those of the page that `block` is in.
    fn of_page(&self, block: u64, per_page: u64) -> impl Iterator<Item = u64> {
        let page = block / per_page;
        self.blocks
            .into_iter()
            .flatten()
            .filter(move |new| new / per_page == page)
    }
}

impl<D: Disk> Volume<D> {
    /// Gives bytes `offset` to `offset + length` of file `number` blocks, and returns how many bytes from `offset` on have
    /// them now: fewer where space ran out behind a page of 4 KiB, of which each gets all or nothing. What is in new blocks
    /// is anybody's old bytes: the caller writes all of them, and calls `release` if it does not make the file that long.
    pub fn allocate(&self, number: u32, offset: u64, length: u64) -> Result<u64, Error> {
        self.demand_write()?;
        let mut inode = self.inode(number)?;
        if inode.kind != Kind::File {
            return Err(Error::Invalid);
        }
        let end = offset.checked_add(length).ok_or(Error::TooBig)?;
        if end > self.longest_file() {
            return Err(Error::TooBig);
        }
        let size = self.geometry.block_size;
        let done = self.allocate_blocks(&mut inode, offset / size..end.div_ceil(size))?;
        Ok((done * size).min(end).saturating_sub(offset))
    }

    /// The same in blocks; returns the block of the file up to which that worked.
    fn allocate_blocks(&self, inode: &mut Inode, blocks: Range<u64>) -> Result<u64, Error> {
        let per_page = PAGE / self.geometry.block_size;
        let mut fresh = Fresh::default();
        let mut next = blocks.start;
        while next < blocks.end {
            match self.allocate_run(inode, next, blocks.end - next) {
                Ok((count, is_new)) => {
                    if is_new {
                        fresh.add(next..next + count, per_page);
                    }
                    next += count;
                }
                Err(error) => {
                    for block in fresh.of_page(next, per_page) {
                        self.take_back(inode, block)?;
                    }
                    let page = next - next % per_page;
                    return if error == Error::NoSpace && page > blocks.start {
                        Ok(page)
                    } else {
                        Err(error)
                    };
                }
            }
        }
        Ok(next)
    }

    /// Sees to it that `block` has a block of the disk, and as many behind it as are as easily had, at most `most`. Returns
    /// how many those are, and whether they are new.
    fn allocate_run(&self, inode: &mut Inode, block: u64, most: u64) -> Result<(u64, bool), Error> {
        let way = self.way(block).ok_or(Error::TooBig)?;
        let pointers = self.reach(inode, way)?;
        let mut window = [0; WINDOW];
        let found = self.read_pointers(inode, pointers, &mut window)?;
        let found = &found[..found.len().min(usize::try_from(most).unwrap_or(WINDOW))];
        let present = found.iter().take_while(|&&pointer| pointer != 0).count() as u64;
        if present > 0 {
            return Ok((present, false));
        }
        let missing = found.iter().take_while(|&&pointer| pointer == 0).count() as u64;
        let goal = self.goal(inode, pointers)?;
        self.count_sectors(inode, missing)?;
        let taken = self.take_blocks(goal, missing)?;
        let count = taken.end - taken.start;
        self.hang_in(inode, pointers, taken)?;
        Ok((count, true))
    }

    /// Adds a block with `content` behind the last one of a folder or long link, which is `size` bytes long then. It is on
    /// the medium before anything can point to it: whatever was there before, e2fsck would take for entries.
    pub(crate) fn append_block(
        &self,
        inode: &mut Inode,
        content: &[u8],
        size: u64,
    ) -> Result<(), Error> {
        let block = inode.size / self.geometry.block_size;
        let way = self.way(block).ok_or(Error::TooBig)?;
        if size > i32::MAX as u64 {
            return Err(Error::TooBig);
        }
        let pointers = self.reach(inode, way)?;
        let goal = self.goal(inode, pointers)?;
        self.count_sectors(inode, 1)?;
        let taken = self.take_blocks(goal, 1)?;
        let written = self.disk.write_through(self.byte_of(taken.start), content);
        if let Err(error) = written {
            return Err(self.abandon(taken, error));
        }
        inode.size = size;
        self.hang_in(inode, pointers, taken)
    }

    /// Whether so many more blocks can be counted.
    fn count_sectors(&self, inode: &Inode, blocks: u64) -> Result<u32, Error> {
        let sectors = blocks * (self.geometry.block_size / 512) + u64::from(inode.sectors);
        u32::try_from(sectors).map_err(|_| Error::TooBig)
    }

    /// Makes `pointers` point to `taken`, in their order; where that fails, nothing does, and the blocks are given back.
    fn hang_in(
        &self,
        inode: &mut Inode,
        pointers: Pointers,
        taken: Range<u64>,
    ) -> Result<(), Error> {
        inode.sectors = self.count_sectors(inode, taken.end - taken.start)?;
        match pointers {
            Pointers::Missing(_) => Err(self.corrupt()),
            Pointers::Inode(slot) => {
                for (pointer, block) in inode.pointers[slot..].iter_mut().zip(taken.clone()) {
                    *pointer = block as u32;
                }
                let written = self.write_inode(inode);
                written.map_err(|error| self.abandon(taken, error))
            }
            Pointers::Block(index_block, index) => {
                let at = self.byte_of(index_block) + index * 4;
                self.hang_in_block(inode, at, taken)
            }
        }
    }

    /// The same for pointers at byte `at` of the disk.
    fn hang_in_block(&self, inode: &Inode, at: u64, taken: Range<u64>) -> Result<(), Error> {
        let mut bytes = [0; WINDOW * 4];
        let bytes = &mut bytes[..(taken.end - taken.start) as usize * 4];
        for (place, block) in (0..).step_by(4).zip(taken.clone()) {
            put_u32(bytes, place, block as u32);
        }
        if let Err(error) = self.disk.write(at, bytes) {
            return Err(self.abandon(taken, error));
        }
        let Err(error) = self.write_inode(inode) else {
            return Ok(());
        };
        bytes.fill(0);
        match self.disk.write(at, bytes) {
            Ok(()) => Err(self.abandon(taken, error)),
            // They are pointed to, so they stay taken.
            Err(_) => Err(error),
        }
    }

    /// Gives up blocks that nothing points to after all, for the reason `error`.
    fn abandon(&self, taken: Range<u64>, error: Error) -> Error {
        // Should that fail too, e2fsck finds them.
        let _ = self.give_back(taken);
        error
    }

    /// Follows `way`, and makes the index blocks that are missing.
    fn reach(&self, inode: &mut Inode, way: Way) -> Result<Pointers, Error> {
        if way.depth == 0 {
            return Ok(Pointers::Inode(way.slot));
        }
        if inode.pointers[way.slot] == 0 {
            let goal = self.goal(inode, Pointers::Inode(way.slot))?;
            let new = self.new_index_block(inode, goal)?;
            self.hang_in(inode, Pointers::Inode(way.slot), new..new + 1)?;
        }
        let mut index_block = self.checked(inode.pointers[way.slot])?;
        for depth in (1..way.depth).rev() {
            let index = way.within / self.span(depth) % self.per_index();
            let pointer = self.pointer(index_block, index)?;
            index_block = if pointer == 0 {
                let new = self.new_index_block(inode, index_block + 1)?;
                self.hang_in(inode, Pointers::Block(index_block, index), new..new + 1)?;
                new
            } else {
                self.checked(pointer)?
            };
        }
        Ok(Pointers::Block(index_block, way.within % self.per_index()))
    }

    /// A block of zeroes, on the medium before anything can point to it: whatever it was before, e2fsck would take for
    /// pointers.
    fn new_index_block(&self, inode: &Inode, goal: u64) -> Result<u64, Error> {
        self.count_sectors(inode, 1)?;
        let taken = self.take_blocks(goal, 1)?;
        let zeroes = &ZEROES[..self.geometry.block_size as usize];
        match self.disk.write_through(self.byte_of(taken.start), zeroes) {
            Ok(()) => Ok(taken.start),
            Err(error) => Err(self.abandon(taken, error)),
        }
    }

    /// Where a new block would best be: behind the one before it in the file, else behind its index block, else where the
    /// group of its inode begins.
    fn goal(&self, inode: &Inode, pointers: Pointers) -> Result<u64, Error> {
        let before = match pointers {
            Pointers::Inode(slot) => inode.pointers[..slot]
                .iter()
                .rev()
                .find(|&&before| before != 0)
                .copied(),
            Pointers::Block(block, 0) => Some(block as u32),
            Pointers::Block(block, index) => match self.pointer(block, index - 1)? {
                0 => Some(block as u32),
                before => Some(before),
            },
            Pointers::Missing(_) => None,
        };
        match before {
            Some(before) => Ok(u64::from(before) + 1),
            None => Ok(self.geometry.start_of(self.place_of(inode.number)?.0)),
        }
    }

    /// Takes a block of a file away again.
    fn take_back(&self, inode: &mut Inode, block: u64) -> Result<(), Error> {
        let way = self.way(block).ok_or(Error::TooBig)?;
        let pointers = self.pointers(inode, way)?;
        let mut window = [0; WINDOW];
        let Some(&old) = self.read_pointers(inode, pointers, &mut window)?.first() else {
            return Ok(());
        };
        match pointers {
            Pointers::Missing(_) => return Ok(()),
            Pointers::Inode(slot) => inode.pointers[slot] = 0,
            Pointers::Block(index_block, index) => {
                self.disk
                    .write(self.byte_of(index_block) + index * 4, &[0; 4])?;
            }
        }
        inode.sectors = inode
            .sectors
            .saturating_sub(self.geometry.block_size as u32 / 512);
        self.write_inode(inode)?;
        let old = self.checked(old)?;
        self.give_back(old..old + 1)
    }
}

const _: () = assert!(DIRECT as usize + 3 == crate::inode::POINTERS);
