//! Kernel stacks: each in a slot of its own, with nothing mapped below it, so that overrunning one faults at once.
//!
//! ```text
//! slot  |. . . . guard . . . .|S S S S|        32 KiB, aligned to it; S: 16 KiB of stack
//! ```
//! Slots come in groups of 64, which is what one last-level table serves: a group's table comes with its first stack and
//! goes with its last, so a machine at rest holds no memory for stacks that were. The lowest free slot is taken, to
//! keep the groups few. Slots 0 to 3 are the first CPU's: its boot stack and the three of emergencies.
use core::cell::UnsafeCell;
use core::sync::atomic::Ordering::{Relaxed, Release};
use core::sync::atomic::{AtomicU64, AtomicUsize};

use mm::machine::{PhysMem, WORDS};
use mm::{Frame, OutOfMemory};
use x86_64::VirtAddr;
use x86_64::instructions::tlb;

use super::layout::{PAGE, STACKS};
use super::memory::memory;
use super::paging::{self, DATA, Source};
use crate::lock::{IrqLock, Rank};

/// Pages of a stack.
pub(crate) const STACK_PAGES: usize = 4;
/// Bytes from one stack's top to the next one's.
pub(super) const SLOT_SIZE: u64 = 8 * PAGE;
/// Stacks for emergencies that a CPU has (`gdt.rs`).
pub(super) const IST_STACKS: usize = 3;

/// Slots of a group: the pages of a last-level table.
const GROUP: usize = 64;
/// 65,536 stacks: more than process numbers.
const GROUPS: usize = 1024;
/// Slots that the boot stack and the emergency stacks have.
const BOOT_SLOTS: usize = 1 + IST_STACKS;

/// Bytes of a stack that may be used. The rest is for what comes on top of the deepest way into the kernel that tests know.
const ROOM: usize = STACK_PAGES * PAGE as usize - 2048;

/// Bytes that the most used of all stacks that are gone had in use. Checked builds know.
static DEEPEST: AtomicUsize = AtomicUsize::new(0);

static SLOTS: IrqLock<Slots> = IrqLock::new(Rank::KernelTables, Slots::new());

/// The stack of all emergencies until the first CPU has those of its own: a slot's size and alignment, all of it stack,
/// without a guard. One serves, as each emergency ends the machine.
#[repr(C, align(32768))]
struct EarlyStack(UnsafeCell<[u64; SLOT_SIZE as usize / 8]>);

const _: () = assert!(align_of::<EarlyStack>() as u64 == SLOT_SIZE);

// SAFETY: `early_emergency_top` writes its last word before the processor knows of it; then it is the processor's.
unsafe impl Sync for EarlyStack {}

static EARLY: EarlyStack = EarlyStack(UnsafeCell::new([0; SLOT_SIZE as usize / 8]));

/// Which slots are taken.
struct Slots {
    /// A bit for each slot.
    taken: [u64; GROUPS],
    /// The last-level table of each group that has a stack; the first group's is boot memory.
    tables: [Option<Frame>; GROUPS],
    /// No group below has a free slot.
    lowest: usize,
}

/// A stack for a thread in the kernel. Dropped by someone who runs on another one.
pub(crate) struct KernelStack {
    slot: usize,
    frames: [Frame; STACK_PAGES],
}

impl Slots {
    const fn new() -> Self {
        let mut taken = [0; GROUPS];
        taken[0] = (1 << BOOT_SLOTS) - 1;
        Self {
            taken,
            tables: [None; GROUPS],
            lowest: 0,
        }
    }

    /// A free slot whose group has its table.
    fn take(&mut self) -> Result<usize, OutOfMemory> {
        let full = |taken: &&u64| **taken == u64::MAX;
        let group = self.lowest + self.taken[self.lowest..].iter().take_while(full).count();
        self.lowest = group;
        let taken = self.taken.get(group).ok_or(OutOfMemory)?;
        let slot = group * GROUP + taken.trailing_ones() as usize;
        if *taken == 0 {
            self.add_table(group, slot)?;
        }
        self.taken[group] |= 1 << (slot % GROUP);
        Ok(slot)
    }

    fn add_table(&mut self, group: usize, slot: usize) -> Result<(), OutOfMemory> {
        let frame = memory().allocate(0)?;
        memory().machine.zero(frame);
        paging::hang(bottom(slot), frame.address());
        self.tables[group] = Some(frame);
        Ok(())
    }

    /// A slot is free again; its pages are unmapped.
    fn release(&mut self, slot: usize) {
        let group = slot / GROUP;
        self.taken[group] &= !(1 << (slot % GROUP));
        self.lowest = self.lowest.min(group);
        if self.taken[group] == 0
            && let Some(table) = self.tables[group].take()
        {
            paging::unhang(bottom(slot));
            memory().free(table);
        }
    }
}

impl KernelStack {
    /// A stack with undefined contents; in checked builds zeroes, so that it shows how much of it was used.
    pub(crate) fn try_new() -> Result<Self, OutOfMemory> {
        let frames = allocate()?;
        if cfg!(debug_assertions) {
            frames
                .iter()
                .for_each(|&frame| memory().machine.zero(frame));
        }
        match SLOTS.lock().take() {
            Ok(slot) => {
                for (entry, frame) in pages(slot).iter().zip(frames) {
                    entry.store(paging::leaf(frame.address(), DATA), Release);
                }
                Ok(Self { slot, frames })
            }
            Err(error) => {
                frames.into_iter().for_each(|frame| memory().free(frame));
                Err(error)
            }
        }
    }

    /// One byte above the stack, aligned to 16.
    pub(crate) fn top(&self) -> u64 {
        top(self.slot)
    }

    /// How many bytes of it were used, if it began as zeroes.
    fn used(&self) -> usize {
        let words = self
            .frames
            .iter()
            .flat_map(|&frame| memory().machine.words(frame));
        let untouched = words.take_while(|word| word.load(Relaxed) == 0).count();
        (STACK_PAGES * WORDS - untouched) * size_of::<u64>()
    }
}

/// How much the most used of all stacks that are gone had in use, as of checked builds; the number alone where that is more
/// than may be.
pub(crate) fn deepest() -> Result<usize, usize> {
    match DEEPEST.load(Relaxed) {
        deepest if deepest > ROOM => Err(deepest),
        deepest => Ok(deepest),
    }
}

/// The calling CPU forgets the pages; with more CPUs at work, this is where the others are told.
impl Drop for KernelStack {
    fn drop(&mut self) {
        if cfg!(debug_assertions) {
            DEEPEST.fetch_max(self.used(), Relaxed);
        }
        for (number, entry) in pages(self.slot).iter().enumerate() {
            entry.store(0, Release);
            tlb::flush(VirtAddr::new(bottom(self.slot) + number as u64 * PAGE));
        }
        SLOTS.lock().release(self.slot);
        self.frames
            .into_iter()
            .for_each(|frame| memory().free(frame));
    }
}

/// The frames of a stack, all or none. They need not be neighbours, so a fragmented memory serves as well.
fn allocate() -> Result<[Frame; STACK_PAGES], OutOfMemory> {
    let mut frames = [None; STACK_PAGES];
    for frame in &mut frames {
        *frame = memory().allocate(0).ok();
    }
    if let [Some(a), Some(b), Some(c), Some(d)] = frames {
        return Ok([a, b, c, d]);
    }
    frames
        .into_iter()
        .flatten()
        .for_each(|frame| memory().free(frame));
    Err(OutOfMemory)
}

/// One byte above the stack in `slot`.
fn top(slot: usize) -> u64 {
    STACKS + (slot as u64 + 1) * SLOT_SIZE
}

/// The lowest byte of the stack in `slot`.
fn bottom(slot: usize) -> u64 {
    top(slot) - STACK_PAGES as u64 * PAGE
}

/// The entries of the pages of the stack in `slot`, whose group has its table.
fn pages(slot: usize) -> &'static [AtomicU64] {
    paging::last_entries(bottom(slot), STACK_PAGES)
}

/// Maps the stacks that the first CPU has before there is an allocator, and makes the tables that all groups hang in.
pub(super) fn map_boot(root: u64, source: Source<'_>) -> Result<(), OutOfMemory> {
    for group in (0..GROUPS).step_by(512) {
        paging::reach(root, bottom(group * GROUP), 1, source)?;
    }
    for slot in 0..BOOT_SLOTS {
        for page in 0..STACK_PAGES as u64 {
            let frame = source().ok_or(OutOfMemory)?;
            paging::map(root, bottom(slot) + page * PAGE, frame, 0, DATA, source)?;
        }
    }
    Ok(())
}

/// Top of the first CPU's boot stack.
pub(super) fn boot_top() -> u64 {
    top(0)
}

/// Top of the emergency stack that needs no tables of ours, once `percpu` is where its last word leads.
pub(super) fn early_emergency_top(percpu: VirtAddr) -> u64 {
    let end = EARLY.0.get() as u64 + SLOT_SIZE;
    // SAFETY: the last word of a static that nothing uses yet.
    unsafe { emergency_top(end, percpu) }
}

/// Tops of the first CPU's emergency stacks, once `percpu` is where their last words lead.
pub(super) fn emergency_tops(percpu: VirtAddr) -> [u64; IST_STACKS] {
    // SAFETY: the last words of mapped stacks that nothing uses yet.
    core::array::from_fn(|number| unsafe { emergency_top(top(number + 1), percpu) })
}

/// Makes the last word of the slot that ends at `end` lead to `percpu`, and leaves the stack below it, aligned to 16.
///
/// # Safety
/// The word is mapped and nobody else's.
unsafe fn emergency_top(end: u64, percpu: VirtAddr) -> u64 {
    // SAFETY: the caller's promise.
    unsafe { ((end - 8) as *mut u64).write(percpu.as_u64()) };
    end - 16
}

/// The stack that somebody overran, as its lowest byte and the one above its highest, if `address` lies in its guard.
pub(super) fn overrun(address: u64) -> Option<(u64, u64)> {
    let slots = STACKS..STACKS + (GROUPS * GROUP) as u64 * SLOT_SIZE;
    let slot = slots
        .contains(&address)
        .then(|| ((address - STACKS) / SLOT_SIZE) as usize)?;
    (address < bottom(slot)).then(|| (bottom(slot), top(slot)))
}

/// Calls `visit` with the lowest and highest guard page of each slot that is taken.
pub(super) fn for_each_guard(mut visit: impl FnMut([u64; 2])) {
    for group in 0..GROUPS {
        // A word at a time: all of them would fill half of the stack that this runs on.
        let taken = SLOTS.lock().taken[group];
        for slot in (0..GROUP).filter(|slot| taken >> slot & 1 == 1) {
            let slot = group * GROUP + slot;
            visit([top(slot) - SLOT_SIZE, bottom(slot) - PAGE]);
        }
    }
}
