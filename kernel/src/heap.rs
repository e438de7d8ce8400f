//! The kernel's heap: slabs of small objects and blocks of frames, both straight from the buddy allocator.
//!
//! Until there is a buddy allocator, a fixed arena serves (`arena.rs`); afterwards the arena is what is left when all
//! else has run out, and only [`reserve`] opens it. An allocation that can't be served is null, which is why what ring
//! 3 can cause to be allocated goes through `try_reserve` and its like. Memory comes back to whoever gave it, told
//! apart by its address and its layout, and an empty slab goes back to the buddy at once.
#[expect(unsafe_code, reason = "hands a static's bytes to the boot heap")]
mod arena;
#[expect(
    unsafe_code,
    reason = "GlobalAlloc is an unsafe trait: addresses become frames and back"
)]
mod global;
mod sizes;
mod slab;

use core::fmt;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use mm::machine::Cpu;
use mm::scarcity::Scarcity;
use mm::{Frame, MAX_CPUS, Memory};
use spin::Once;

use self::sizes::SIZES;
use self::slab::{Class, Place};
use crate::arch::Hardware;
use crate::lock::{IrqLock, Rank};
use crate::options;

/// Everything but the arena, from [`switch_to`] on.
static SLABS: Once<Slabs> = Once::new();

/// CPUs that are in a [`reserve`].
static RESERVED: [AtomicBool; MAX_CPUS] = [const { AtomicBool::new(false) }; MAX_CPUS];

/// Which allocations fail although there is memory.
static SCARCITY: Scarcity = Scarcity::new();

/// The general heap.
struct Slabs {
    memory: &'static Memory<Hardware>,
    classes: [IrqLock<Class>; SIZES.len()],
    /// Frames in blocks for what is larger than the largest object.
    block_frames: AtomicUsize,
}

impl Slabs {
    fn new(memory: &'static Memory<Hardware>) -> Self {
        let class = |index| IrqLock::new(Rank::Heap, Class::new(index));
        Self {
            memory,
            classes: core::array::from_fn(class),
            block_frames: AtomicUsize::new(0),
        }
    }

    fn allocate(&self, class: usize) -> Option<Place> {
        self.classes[class].lock().allocate(self.memory)
    }

    fn free(&self, class: usize, place: Place) {
        self.classes[class].lock().free(self.memory, place);
    }

    fn allocate_block(&self, order: u32) -> Option<Frame> {
        let frame = self.memory.allocate(order).ok()?;
        self.block_frames.fetch_add(1 << order, Relaxed);
        Some(frame)
    }

    fn free_block(&self, frame: Frame, order: u32) {
        let is = self.memory.record(frame).order();
        assert_eq!(
            is,
            order,
            "frame {} begins a block of order {is}, freed as {order}",
            frame.number()
        );
        self.memory.free(frame);
        self.block_frames.fetch_sub(1 << order, Relaxed);
    }
}

/// Takes all further memory from `memory`. What the arena has given out stays where it is. Once.
pub(crate) fn switch_to(memory: &'static Memory<Hardware>) {
    SLABS.call_once(|| Slabs::new(memory));
}

/// Runs `body` with the arena as its heap, for what must not fail because memory is out. Interrupts are off meanwhile,
/// so that nobody else gets at the reserve: `body` is short.
pub(crate) fn reserve<R>(body: impl FnOnce() -> R) -> R {
    let Some(slabs) = SLABS.get() else {
        return body();
    };
    slabs.memory.machine.pinned(|cpu| {
        let before = RESERVED[cpu].swap(true, Relaxed);
        let result = body();
        RESERVED[cpu].store(before, Relaxed);
        result
    })
}

/// From here on the heap and the frames fail as often as the command line asks for. Called when a program has a child: so
/// one program, its own end included, is as it would be, and can see to the others.
pub(crate) fn make_scarce() {
    let options = options::get();
    SCARCITY.begin(options.fail_heap);
    if let Some(slabs) = SLABS.get() {
        slabs.memory.scarcity.begin(options.fail_frames);
    }
}

/// Whether the calling CPU is in a [`reserve`].
fn is_reserved() -> bool {
    SLABS.get().is_some_and(|slabs| {
        slabs
            .memory
            .machine
            .pinned(|cpu| RESERVED[cpu].load(Relaxed))
    })
}

/// What the heap holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Bytes of the arena in use.
    pub(crate) arena: usize,
    /// Frames in blocks.
    pub(crate) block_frames: usize,
    /// Frames in slabs, by size of object.
    pub(crate) slabs: [usize; SIZES.len()],
    /// Objects in use, by size.
    pub(crate) objects: [usize; SIZES.len()],
}

/// What the heap holds now.
pub(crate) fn usage() -> Usage {
    let mut usage = Usage {
        arena: arena::used(),
        ..Usage::default()
    };
    if let Some(slabs) = SLABS.get() {
        usage.block_frames = slabs.block_frames.load(Relaxed);
        for (index, class) in slabs.classes.iter().enumerate() {
            (usage.slabs[index], usage.objects[index]) = class.lock().counts();
        }
    }
    usage
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slabs: usize = self.slabs.iter().sum();
        let (blocks, arena) = (self.block_frames, self.arena.div_ceil(1024));
        write!(
            f,
            "{slabs} frames in slabs, {blocks} in blocks, {arena} KiB of the arena;"
        )?;
        for (size, objects) in SIZES
            .iter()
            .zip(self.objects)
            .filter(|(_, objects)| *objects > 0)
        {
            write!(f, " {objects} of {size}")?;
        }
        f.write_str(" bytes")
    }
}
