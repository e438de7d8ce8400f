//! Frames themselves: the buddy's lists, the CPUs' caches, and the trace's rings beside them.
use crate::atomic::Ordering::{Relaxed, SeqCst};
use crate::atomic::{AtomicBool, AtomicU64};
use crate::mm::Frame;
use crate::mm::machine::PhysMem;
use crate::mm::trace::Trace;
use crate::world::{World, side_by_side};

/// Frames of the scene that hands out blocks.
const FRAMES: u32 = 40;

/// Who has which frame.
struct Taken(Vec<AtomicBool>);

impl Taken {
    fn mark(&self, frame: Frame, order: u32, is_taken: bool) {
        for number in frame.number()..frame.number() + (1 << order) {
            let before = self.0[number as usize].swap(is_taken, SeqCst);
            assert_ne!(before, is_taken, "frame {number} has two owners");
        }
    }
}

/// Three CPUs take and return blocks of all sizes.
pub(crate) fn mixed_orders() {
    let world = World::new(FRAMES);
    let taken = Taken((0..=FRAMES).map(|_| AtomicBool::new(false)).collect());
    let work = |orders: [u32; 4]| {
        let mut held = Vec::new();
        for order in orders {
            if let Ok(frame) = world.memory.allocate(order) {
                taken.mark(frame, order, true);
                held.push((frame, order));
            }
            if held.len() == 2 {
                give_back(&world, &taken, held.swap_remove(0));
            }
        }
        held.into_iter()
            .for_each(|block| give_back(&world, &taken, block));
    };
    side_by_side(&[&|| work([0, 3, 0, 1]), &|| work([2, 0, 0, 4]), &|| {
        work([0, 0, 1, 0])
    }]);
    whole_again(&world);
    world.close(vec![], vec![]);
}

fn give_back(world: &World, taken: &Taken, (frame, order): (Frame, u32)) {
    taken.mark(frame, order, false);
    world.memory.free(frame);
}

/// Every block of 8 can be had again: nothing stayed in pieces.
fn whole_again(world: &World) {
    let take = |_| world.memory.allocate(3).ok();
    let blocks: Vec<_> = (0..FRAMES).map_while(take).collect();
    let zero = world.memory.zero_frame().number();
    let wholes = (0..(FRAMES + 1) / 8).filter(|block| zero / 8 != *block);
    assert_eq!(blocks.len(), wholes.count(), "a block stays in pieces");
    blocks
        .into_iter()
        .for_each(|block| world.memory.free(block));
}

/// Three CPUs share the last frames: each frame that is left can be had, whichever cache it waits in.
pub(crate) fn last_frames() {
    let world = World::new(7);
    let take = || {
        let take = |_| world.memory.allocate(0).expect("a frame is left for each");
        let frames: [Frame; 2] = std::array::from_fn(take);
        frames
            .into_iter()
            .for_each(|frame| world.memory.free(frame));
    };
    side_by_side(&[&take, &take, &take]);
    world.close(vec![], vec![]);
}

/// A large block is there, in pieces that wait in the caches of CPUs which take and return single frames.
pub(crate) fn last_block() {
    let world = World::new(15);
    let singles = || {
        for _ in 0..2 {
            let frame = world.memory.allocate(0).expect("a frame is left");
            world.memory.free(frame);
        }
    };
    side_by_side(&[&singles, &singles]);
    let block = world.memory.allocate(2).expect("a block is left");
    let fill = || {
        let frame = world.memory.allocate(0).expect("a frame is left");
        world.memory.machine.zero(frame);
        world.memory.free(frame);
    };
    side_by_side(&[&fill, &|| world.memory.free(block)]);
    world.close(vec![], vec![]);
}

/// Two CPUs record faults, a third reads: what it misses is counted, what it gets stands in order.
pub(crate) fn trace() {
    const EACH: u64 = 6;
    let (world, trace) = (World::new(2), Trace::new());
    let machine = &world.memory.machine;
    trace.start(machine, 3, 4).expect("the host has memory");
    let counted = [const { AtomicU64::new(0) }; 2];
    let write = |cpu: usize| {
        for number in 0..EACH {
            trace.push(machine, (cpu, number));
        }
    };
    let read = |attempts: u64| {
        for ((cpu, number), lost) in (0..attempts).filter_map(|_| trace.pop(machine)) {
            let expected = counted[cpu].fetch_add(lost + 1, Relaxed) + lost;
            assert_eq!(number, expected, "CPU {cpu} is out of order");
        }
    };
    side_by_side(&[&|| write(0), &|| write(1), &|| read(EACH)]);
    read(2 * EACH);
    assert_eq!(counted.map(|count| count.load(Relaxed)), [EACH; 2]);
    world.close(vec![], vec![]);
}
