//! The allocator against a map of which frames are free.
use alloc::vec;
use alloc::vec::Vec;

use super::{Contradiction, MAX_ORDER};
use crate::frame::{Frame, NIL, Use};
use crate::machine::PhysMem;
use crate::memory::Memory;
use crate::page_table::Levels;
use crate::testing::{Random, TestMachine, memory};

/// Two of the largest blocks, and some.
const FRAMES: usize = (2 << MAX_ORDER) + 552;

struct Model {
    free: Vec<bool>,
    blocks: Vec<(Frame, u32)>,
}

impl Model {
    fn new(memory: &Memory<TestMachine>) -> Self {
        let mut free = vec![true; FRAMES + 1];
        free[memory.zero_frame().number() as usize] = false;
        Self {
            free,
            blocks: Vec::new(),
        }
    }

    fn has_block(&self, order: u32) -> bool {
        self.free
            .chunks_exact(1 << order)
            .any(|block| block.iter().all(|&free| free))
    }

    /// No free frame passes for a block of the kernel's.
    fn check_records(&self, memory: &Memory<TestMachine>) {
        let free = (0..).zip(&self.free).filter(|&(_, &free)| free);
        for (number, _) in free {
            assert!(memory.kernel_block(number).is_none(), "frame {number}");
        }
    }

    fn mark(&mut self, frame: Frame, order: u32, is_free: bool) {
        let start = frame.number() as usize;
        for free in &mut self.free[start..start + (1 << order)] {
            assert_ne!(*free, is_free, "frame {start}, order {order}");
            *free = is_free;
        }
    }
}

fn step(random: &mut Random, memory: &Memory<TestMachine>, model: &mut Model) {
    if random.below(2) == 0 && !model.blocks.is_empty() {
        let at = random.below(model.blocks.len() as u64) as usize;
        let (frame, order) = model.blocks.swap_remove(at);
        memory.free(frame);
        model.mark(frame, order, true);
        return;
    }
    let order = random.below(4) as u32 * random.below(4) as u32;
    let order = order.min(MAX_ORDER);
    match memory.allocate(order) {
        Ok(frame) => {
            assert!(frame.number().trailing_zeros() >= order, "misaligned");
            model.mark(frame, order, false);
            model.blocks.push((frame, order));
        }
        Err(_) => assert!(!model.has_block(order), "a block of order {order} was left"),
    }
}

#[test]
fn no_frame_is_handed_out_twice_or_withheld() {
    for seed in 0..20 {
        let memory = memory(FRAMES as u32, Levels::Four);
        let (mut random, mut model) = (Random(seed), Model::new(&memory));
        for _ in 0..1500 {
            step(&mut random, &memory, &mut model);
            let free = model.free.iter().filter(|&&free| free).count();
            assert_eq!(memory.free_frames(), free);
        }
        memory.check().expect("the lists are sound");
        model.check_records(&memory);
        for (frame, _) in model.blocks.drain(..) {
            memory.free(frame);
        }
        assert_eq!(memory.free_frames(), FRAMES);
    }
}

#[test]
fn no_block_stays_in_pieces() {
    let memory = memory(FRAMES as u32, Levels::Four);
    let largest = |_| memory.allocate(MAX_ORDER).ok();
    let wholes: Vec<_> = (0..3).map_while(largest).collect();
    assert_eq!(wholes.len(), 2, "the zero page lies in what is left");
    wholes.into_iter().for_each(|frame| memory.free(frame));
    let singles: Vec<_> = core::iter::from_fn(|| memory.allocate(0).ok()).collect();
    assert_eq!(singles.len(), FRAMES);
    // Back in an order that joins late.
    let (even, odd): (Vec<Frame>, Vec<Frame>) = singles
        .into_iter()
        .partition(|frame| frame.number() % 2 == 0);
    even.into_iter()
        .chain(odd)
        .for_each(|frame| memory.free(frame));
    assert_eq!((0..3).map_while(largest).count(), 2);
}

#[test]
fn no_wrong_record_of_a_free_block_is_overlooked() {
    let memory = memory((1 << MAX_ORDER) - 1, Levels::Four);
    let number = 1 << (MAX_ORDER - 1);
    let record = &memory.machine.mem_map()[number as usize];
    let check = || memory.buddy.check(&memory.machine);
    assert_eq!((record.usage(), check()), (Use::FreeBlock, Ok(())));

    record.set_references(3);
    let held = Contradiction::Held {
        number,
        references: 3,
    };
    assert_eq!(check(), Err(held));
    record.set_references(0);

    record.set(Use::Kernel, MAX_ORDER - 1);
    let misplaced = Contradiction::Misplaced {
        number,
        order: MAX_ORDER - 1,
        before: NIL,
        recorded: (Use::Kernel, MAX_ORDER - 1, NIL),
    };
    assert_eq!(check(), Err(misplaced));
    assert!(memory.check().is_err_and(|words| words.contains("Kernel")));
}
