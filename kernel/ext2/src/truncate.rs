//! Blocks that a file loses.
//!
//! First the pointers go, then the blocks: a power cut in between leaves blocks that nobody has. A pointer to an index
//! block goes through to the medium before the block can be another's, or e2fsck would take the other's bytes for pointers
//! and give up what the file still has. The same holds for all blocks of a folder: another's bytes are no entries.
use crate::disk::Disk;
use crate::error::Error;
use crate::inode::{Inode, Kind, POINTERS};
use crate::map::{DIRECT, WINDOW};
use crate::volume::Volume;

/// What an inode loses.
struct Loss {
    /// Blocks so far, index blocks included.
    blocks: u64,
    kind: Kind,
}

impl<D: Disk> Volume<D> {
    /// Takes from file `number` all blocks that lie at byte `offset` or behind it as a whole. That the file is shorter has
    /// been said before (`set_size`), and nothing is on its way to these blocks any more. Needs no memory.
    pub fn release(&self, number: u32, offset: u64) -> Result<(), Error> {
        self.demand_write()?;
        let mut inode = self.inode(number)?;
        if inode.kind != Kind::File {
            return Err(Error::Invalid);
        }
        self.release_blocks(&mut inode, offset.div_ceil(self.geometry.block_size))
    }

    /// The same from block `from` of the file on, of whatever has blocks.
    pub(crate) fn release_blocks(&self, inode: &mut Inode, from: u64) -> Result<(), Error> {
        let mut lost = [0; POINTERS];
        for (slot, (lost, pointer)) in lost.iter_mut().zip(&mut inode.pointers).enumerate() {
            if self.first_below(slot) >= from {
                *lost = core::mem::take(pointer);
            }
        }
        let (direct, trees) = lost.split_at(DIRECT as usize);
        let goes = lost.iter().any(|&pointer| pointer != 0);
        let loses_tree = trees.iter().any(|&tree| tree != 0) && inode.links > 0;
        if loses_tree || goes && inode.kind != Kind::File {
            self.write_inode_through(inode)?;
        } else if goes {
            self.write_inode(inode)?;
        }
        let mut loss = Loss {
            blocks: 0,
            kind: inode.kind,
        };
        let mut done = self.free_all(direct, &mut loss);
        for (depth, &tree) in (1..).zip(trees) {
            done = done.and(self.free_tree(tree, depth, &mut loss));
        }
        done = done.and(self.cut(inode, from, &mut loss));
        if loss.blocks == 0 {
            return done;
        }
        let sectors = loss.blocks * (self.geometry.block_size / 512);
        let sectors = u64::from(inode.sectors).saturating_sub(sectors);
        inode.sectors = sectors as u32;
        self.write_inode(inode).and(done)
    }

    /// The first block of a file that is below pointer `slot` of its inode.
    fn first_below(&self, slot: usize) -> u64 {
        let trees = (slot as u32).saturating_sub(DIRECT as u32);
        let before: u64 = (1..=trees).map(|depth| self.span(depth)).sum();
        (slot as u64).min(DIRECT) + before
    }

    /// Takes what is at block `from` of a file and behind it out of the tree that this block is in the middle of.
    fn cut(&self, inode: &Inode, from: u64, loss: &mut Loss) -> Result<(), Error> {
        let Some(way) = self.way(from) else {
            return Ok(());
        };
        let mut within = way.within;
        let mut pointer = inode.pointers[way.slot];
        for depth in (0..way.depth).rev() {
            if pointer == 0 || within == 0 {
                return Ok(());
            }
            let index_block = self.checked(pointer)?;
            let below = self.span(depth);
            let index = within / below;
            within %= below;
            self.clear_pointers(index_block, index + u64::from(within != 0), depth, loss)?;
            pointer = self.pointer(index_block, index)?;
        }
        Ok(())
    }

    /// Clears the pointers of an index block from `first` on, which `depth` index blocks follow, and frees what was below.
    fn clear_pointers(
        &self,
        block: u64,
        first: u64,
        depth: u32,
        loss: &mut Loss,
    ) -> Result<(), Error> {
        let mut window = [0; WINDOW];
        let mut index = first;
        while index < self.per_index() {
            let count = (self.per_index() - index).min(WINDOW as u64);
            let words = &mut window[..count as usize];
            let at = self.byte_of(block) + index * 4;
            self.read_words(at, words)?;
            index += count;
            if words.iter().all(|&pointer| pointer == 0) {
                continue;
            }
            let zeroes = &[0; WINDOW * 4][..words.len() * 4];
            if depth == 0 {
                self.disk.write(at, zeroes)?;
                self.free_all(words, loss)?;
                continue;
            }
            self.disk.write_through(at, zeroes)?;
            for &tree in words.iter() {
                self.free_tree(tree, depth, loss)?;
            }
        }
        Ok(())
    }

    /// Frees an index block and all below it, to which nothing points any more; below are `depth - 1` more. The block goes
    /// first: one that leads back to itself is free when it is met again, and that ends it.
    fn free_tree(&self, tree: u32, depth: u32, loss: &mut Loss) -> Result<(), Error> {
        if tree == 0 {
            return Ok(());
        }
        let block = self.checked(tree)?;
        self.give_back(block..block + 1)?;
        loss.blocks += 1;
        let mut window = [0; WINDOW];
        for index in (0..self.per_index()).step_by(WINDOW) {
            self.read_words(self.byte_of(block) + index * 4, &mut window)?;
            if depth == 1 {
                self.free_all(&window, loss)?;
                continue;
            }
            for &tree in &window {
                self.free_tree(tree, depth - 1, loss)?;
            }
        }
        self.disk
            .forget(self.byte_of(block), self.geometry.block_size);
        Ok(())
    }

    /// Frees the blocks that `pointers` pointed to.
    fn free_all(&self, pointers: &[u32], loss: &mut Loss) -> Result<(), Error> {
        let neighbours =
            pointers.chunk_by(|&one, &next| one != 0 && one.checked_add(1) == Some(next));
        for run in neighbours.filter(|run| run[0] != 0) {
            let start = self.checked(run[0])?;
            let end = start + run.len() as u64;
            if end > self.geometry.blocks {
                return Err(self.corrupt());
            }
            if loss.kind != Kind::File {
                self.disk
                    .forget(self.byte_of(start), self.byte_of(end - start));
            }
            loss.blocks += end - start;
            self.give_back(start..end)?;
        }
        Ok(())
    }
}
