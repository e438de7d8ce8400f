//! The pages of a file by their number: a radix tree whose nodes are frames, much like a page table that no processor
//! walks.
//!
//! A node is a frame of 512 words: slots in the last level, links to nodes above. Nodes come one at a time, from the same
//! allocator as everything else, so growing can fail and costs nothing in advance; they are hung in by compare-and-set and
//! stay until the whole index goes, so a reader needs no lock. The tree is as high as its largest number asks for: a new
//! root goes on top of the old one.
//!
//! ```text
//! root  -> height 2     links to nodes          pages 0 ..= 2^18 - 1
//!            | | |
//!            v   v
//!          height 1     slots                   512 pages each
//! ```
use crate::error::OutOfMemory;
use crate::frame::{Frame, Use};
use crate::machine::{Machine, WORDS};
use crate::memory::Memory;
use crate::page::PAGE_SHIFT;
use crate::sync::atomic::AtomicU64;
use crate::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

/// Binary logarithm of the words in a node.
const DIGIT: u32 = WORDS.ilog2();

/// Levels that a 64-bit offset in bytes can need.
const HIGHEST: u32 = (u64::BITS - PAGE_SHIFT).div_ceil(DIGIT);

/// Below the frame's address in the root: how many levels stand below and with it. In a link any value but 0.
const HEIGHT: u64 = 0xf;

/// Slots by page number. A slot is a word that its owner gives meaning to; 0 is one that was never used.
#[derive(Debug)]
pub(crate) struct Index {
    root: AtomicU64,
}

/// The top node and how many levels there are.
#[derive(Clone, Copy)]
struct Root {
    node: Frame,
    height: u32,
}

impl Root {
    fn decode(bits: u64) -> Option<Self> {
        Some(Self {
            node: link(bits)?,
            height: (bits & HEIGHT) as u32,
        })
    }

    fn encode(self) -> u64 {
        self.node.address() | u64::from(self.height)
    }

    fn covers(self, number: u64) -> bool {
        needed_height(number) <= self.height
    }
}

impl Index {
    pub(crate) const fn new() -> Self {
        Self {
            root: AtomicU64::new(0),
        }
    }

    /// The slot of page `number`, where the nodes that lead there exist.
    pub(crate) fn slot<'m, M: Machine>(
        &self,
        memory: &'m Memory<M>,
        number: u64,
    ) -> Option<&'m AtomicU64> {
        let root = Root::decode(self.root.load(Acquire)).filter(|root| root.covers(number))?;
        let mut node = root.node;
        for level in (1..root.height).rev() {
            node = link(memory.machine.words(node)[digit(number, level)].load(Acquire))?;
        }
        Some(&memory.machine.words(node)[digit(number, 0)])
    }

    /// The slot of page `number`; missing nodes are made.
    pub(crate) fn slot_or_create<'m, M: Machine>(
        &self,
        memory: &'m Memory<M>,
        number: u64,
    ) -> Result<&'m AtomicU64, OutOfMemory> {
        let root = self.grow(memory, number)?;
        let mut node = root.node;
        for level in (1..root.height).rev() {
            let entry = &memory.machine.words(node)[digit(number, level)];
            node = match link(entry.load(Acquire)) {
                Some(next) => next,
                None => add_node(memory, entry)?,
            };
        }
        Ok(&memory.machine.words(node)[digit(number, 0)])
    }

    /// A root that covers page `number`.
    fn grow<M: Machine>(&self, memory: &Memory<M>, number: u64) -> Result<Root, OutOfMemory> {
        let needed = needed_height(number);
        if needed > HIGHEST {
            return Err(OutOfMemory);
        }
        loop {
            let bits = self.root.load(Acquire);
            let old = Root::decode(bits);
            if let Some(root) = old.filter(|root| root.covers(number)) {
                return Ok(root);
            }
            let node = memory.allocate_zeroed(Use::Index)?;
            let height = match old {
                Some(root) => {
                    memory.machine.words(node)[0].store(root.encode(), Relaxed);
                    root.height + 1
                }
                None => needed,
            };
            let new = Root { node, height };
            let hung = self
                .root
                .compare_exchange(bits, new.encode(), AcqRel, Acquire);
            if hung.is_err() {
                memory.put(node);
            }
        }
    }

    /// The first slot in use from page `number` on, and its page.
    pub(crate) fn next<'m, M: Machine>(
        &self,
        memory: &'m Memory<M>,
        number: u64,
    ) -> Option<(u64, &'m AtomicU64)> {
        let root = Root::decode(self.root.load(Acquire)).filter(|root| root.covers(number))?;
        next_below(memory, root.node, root.height - 1, number)
    }

    /// Every node, the top one first.
    pub(crate) fn survey<M: Machine>(&self, memory: &Memory<M>, see: &mut impl FnMut(Frame)) {
        if let Some(root) = Root::decode(self.root.load(Acquire)) {
            survey_below(memory, root.node, root.height - 1, see);
        }
    }

    /// Gives every node up. Nobody else reads the index any more, and every slot was emptied.
    pub(crate) fn destroy<M: Machine>(&mut self, memory: &Memory<M>) {
        if let Some(root) = Root::decode(core::mem::take(self.root.get_mut())) {
            destroy_below(memory, root.node, root.height - 1);
        }
    }

    /// Whether there are no nodes.
    pub(crate) fn is_empty(&self) -> bool {
        self.root.load(Relaxed) == 0
    }
}

fn needed_height(number: u64) -> u32 {
    let bits = u64::BITS - number.leading_zeros();
    bits.div_ceil(DIGIT).max(1)
}

fn digit(number: u64, level: u32) -> usize {
    (number >> (DIGIT * level)) as usize % WORDS
}

/// The node that a link, or the root, leads to.
fn link(bits: u64) -> Option<Frame> {
    (bits != 0).then(|| Frame::from_number((bits >> PAGE_SHIFT) as u32))
}

/// Hangs a new node into `entry`, or finds the one that another CPU hung there first.
fn add_node<M: Machine>(memory: &Memory<M>, entry: &AtomicU64) -> Result<Frame, OutOfMemory> {
    let node = memory.allocate_zeroed(Use::Index)?;
    let bits = Root { node, height: 1 }.encode();
    match entry.compare_exchange(0, bits, Release, Acquire) {
        Ok(_) => Ok(node),
        Err(other) => {
            memory.put(node);
            link(other).ok_or(OutOfMemory)
        }
    }
}

/// The first slot in use from page `number` on below `node`, which stands at `level` and holds that page.
fn next_below<M: Machine>(
    memory: &Memory<M>,
    node: Frame,
    level: u32,
    number: u64,
) -> Option<(u64, &AtomicU64)> {
    let span = DIGIT * level;
    let first = number >> span << span;
    let words = &memory.machine.words(node)[digit(number, level)..];
    for (step, entry) in (0..).zip(words) {
        let bits = entry.load(Acquire);
        if bits == 0 {
            continue;
        }
        let from = number.max(first + (step << span));
        if level == 0 {
            return Some((from, entry));
        }
        let found = link(bits).and_then(|below| next_below(memory, below, level - 1, from));
        if found.is_some() {
            return found;
        }
    }
    None
}

fn survey_below<M: Machine>(
    memory: &Memory<M>,
    node: Frame,
    level: u32,
    see: &mut impl FnMut(Frame),
) {
    see(node);
    if level == 0 {
        return;
    }
    let links = memory.machine.words(node).iter();
    for below in links.filter_map(|entry| link(entry.load(Acquire))) {
        survey_below(memory, below, level - 1, see);
    }
}

fn destroy_below<M: Machine>(memory: &Memory<M>, node: Frame, level: u32) {
    let words = memory.machine.words(node);
    for below in words.iter().filter_map(|entry| link(entry.load(Acquire))) {
        debug_assert!(level > 0, "a slot of an index is still in use");
        if level > 0 {
            destroy_below(memory, below, level - 1);
        }
    }
    memory.put(node);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page_table::Levels;
    use crate::testing::memory;

    const FAR: [u64; 7] = [0, 511, 512, 0x3_ffff, 0x4_0000, 0x7fff_ffff, (1 << 52) - 1];

    #[test]
    fn no_slot_is_found_under_another_number() {
        let memory = memory(64, Levels::Four);
        let mut index = Index::new();
        assert!(index.slot(&memory, 0).is_none());
        for number in FAR {
            let slot = index
                .slot_or_create(&memory, number)
                .expect("memory is left");
            assert_eq!(slot.swap(number + 1, Relaxed), 0);
        }
        for number in FAR {
            let slot = index.slot(&memory, number).expect("it was made");
            assert_eq!(slot.load(Relaxed), number + 1);
        }
        let mut seen = alloc::vec::Vec::new();
        let mut from = Some(0);
        while let Some((number, slot)) = from.and_then(|from| index.next(&memory, from)) {
            assert_eq!(slot.swap(0, Relaxed), number + 1);
            seen.push(number);
            from = number.checked_add(1);
        }
        assert_eq!(seen, FAR);
        index.destroy(&memory);
        assert_eq!(memory.free_frames(), 64);
    }

    #[test]
    fn a_tree_is_never_higher_than_it_must_be() {
        let memory = memory(64, Levels::Four);
        for (number, nodes) in [(0, 1), (511, 1), (512, 2), (0x4_0000, 3), (1 << 51, 6)] {
            let mut index = Index::new();
            assert!(index.slot_or_create(&memory, number).is_ok());
            let mut count = 0;
            index.survey(&memory, &mut |_| count += 1);
            assert_eq!(count, nodes, "{number:#x}");
            index.destroy(&memory);
        }
        assert_eq!(memory.free_frames(), 64);
    }

    #[test]
    fn no_number_beyond_all_offsets_finds_a_slot() {
        let memory = memory(64, Levels::Four);
        let mut index = Index::new();
        assert!(index.slot_or_create(&memory, 0).is_ok());
        for number in [1 << 54, (1 << 54) + 1, u64::MAX] {
            assert!(index.slot(&memory, number).is_none(), "{number:#x}");
            assert!(index.next(&memory, number).is_none(), "{number:#x}");
            let made = index.slot_or_create(&memory, number);
            assert_eq!(made.err(), Some(OutOfMemory), "{number:#x}");
        }
        index.destroy(&memory);
        assert_eq!(memory.free_frames(), 64);
    }

    #[test]
    fn growing_without_memory_never_loses_a_node() {
        let memory = memory(3, Levels::Four);
        let mut index = Index::new();
        assert!(index.slot_or_create(&memory, 0x4_0000).is_ok());
        assert_eq!(index.slot_or_create(&memory, 0).err(), Some(OutOfMemory));
        assert!(index.slot(&memory, 0x4_0001).is_some());
        index.destroy(&memory);
        assert_eq!(memory.free_frames(), 3);
    }
}
