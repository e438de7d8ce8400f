//! The kernel's own page tables: built once at boot, shared by every address space, changed only for stacks and devices.
//!
//! Every entry of the top-level table's upper half that can ever be used is filled at boot, so a new address space
//! copies the half once and sees all later changes.
//!
//! Addresses here are plain numbers. The contract of all functions that take the physical address of a table, none of
//! which leaves `arch`: it is a root in use, or was read from an entry that leads to a table, or is a zeroed frame that
//! the caller has taken out of boot memory or of `mm` and keeps for as long as it hangs in the tables.
use core::sync::atomic::{AtomicU64, Ordering::*};

use mm::OutOfMemory;
use spin::Once;
use x86_64::VirtAddr;
use x86_64::instructions::tlb;
use x86_64::registers::control::Cr3;
use x86_64::structures::paging::PageTableFlags as Flags;

use super::direct_map::pointer_to;
use super::layout::{DEVICES, KERNEL_HALF, PAGE, REGION_SIZE};
use super::memory::memory;
use crate::lock::{IrqLock, Rank};

/// What an entry that leads to a table says; rights are the leaf's.
const TO_TABLE: Flags = Flags::PRESENT.union(Flags::WRITABLE).union(Flags::ACCESSED);
/// What every leaf says. Accessed and dirty are set so that the processor need not.
const LEAF: Flags = Flags::PRESENT
    .union(Flags::GLOBAL)
    .union(Flags::ACCESSED)
    .union(Flags::DIRTY);
/// Data.
pub(super) const DATA: Flags = Flags::WRITABLE.union(Flags::NO_EXECUTE);

const ADDRESS: u64 = 0x000f_ffff_ffff_f000;

/// The level of the top table; 0 is the last level.
pub(super) const TOP: u32 = 3;

/// Physical address of the kernel's top-level table.
static ROOT: Once<u64> = Once::new();

/// Held by whoever changes the tables after boot; holds the first free address for device memory.
pub(super) static TABLES: IrqLock<u64> = IrqLock::new(Rank::KernelTables, DEVICES);

/// A frame for a table: its physical address, contents all zero.
pub(super) type Source<'a> = &'a mut dyn FnMut() -> Option<u64>;

/// How the processor caches device memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cache {
    /// Stores may be gathered: a framebuffer.
    WriteCombining,
    /// Every access reaches the device.
    Uncached,
}

impl Cache {
    fn flags(self) -> Flags {
        match self {
            Self::WriteCombining => Flags::WRITE_THROUGH, // Entry 1 of the attribute table (`features.rs`).
            Self::Uncached => Flags::NO_CACHE.union(Flags::WRITE_THROUGH),
        }
    }
}

/// Physical address of the kernel's top-level table.
pub(crate) fn root() -> u64 {
    *ROOT.get().expect("the kernel's tables are loaded")
}

pub(super) fn set_root(root: u64) {
    ROOT.call_once(|| root);
}

/// The 512 entries of the table at physical address `table`.
pub(super) fn entries(table: u64) -> &'static [AtomicU64; 512] {
    // SAFETY: the module's contract: `table` is one, and the direct map shows all memory for good.
    unsafe { &*pointer_to(table) }
}

/// The entry for `address` in a table at `level`.
pub(super) fn entry(table: u64, address: u64, level: u32) -> &'static AtomicU64 {
    &entries(table)[(address >> (12 + 9 * level)) as usize & 511]
}

/// The entry for `address` at `level`, if all tables above it exist.
pub(super) fn find(root: u64, address: u64, level: u32) -> Option<&'static AtomicU64> {
    let mut table = root;
    for above in (level + 1..=TOP).rev() {
        let bits = entry(table, address, above).load(Relaxed);
        if !leads_to_table(bits, above) {
            return None;
        }
        table = bits & ADDRESS;
    }
    Some(entry(table, address, level))
}

/// Whether an entry at `level` leads to a table rather than to memory or nowhere.
pub(super) fn leads_to_table(bits: u64, level: u32) -> bool {
    let flags = Flags::from_bits_retain(bits);
    level > 0 && flags.contains(Flags::PRESENT) && !flags.contains(Flags::HUGE_PAGE)
}

/// The physical address in an entry.
pub(super) fn target(bits: u64) -> u64 {
    bits & ADDRESS
}

/// Makes sure that the tables above the entry of `address` at `level` exist, and returns that entry.
pub(super) fn reach(
    root: u64,
    address: u64,
    level: u32,
    source: Source<'_>,
) -> Result<&'static AtomicU64, OutOfMemory> {
    let mut table = root;
    for above in (level + 1..=TOP).rev() {
        let entry = entry(table, address, above);
        if entry.load(Relaxed) == 0 {
            let new = source().ok_or(OutOfMemory)?;
            entry.store(new | TO_TABLE.bits(), Release);
        }
        table = entry.load(Relaxed) & ADDRESS;
    }
    Ok(entry(table, address, level))
}

/// Maps the page at `address` to physical `target`; a page is 4 KiB, 2 MiB or 1 GiB at `level` 0, 1 or 2. What was
/// mapped there before is replaced.
pub(super) fn map(
    root: u64,
    address: u64,
    target: u64,
    level: u32,
    flags: Flags,
    source: Source<'_>,
) -> Result<(), OutOfMemory> {
    let size = if level > 0 {
        Flags::HUGE_PAGE
    } else {
        Flags::empty()
    };
    let leaf = target | (LEAF | flags | size).bits();
    reach(root, address, level, source)?.store(leaf, Release);
    Ok(())
}

/// Where `address` leads to in the tables below `root`: physical address and the leaf's flags.
pub(super) fn translate(root: u64, address: u64) -> Option<(u64, Flags)> {
    for level in 0..TOP {
        let Some(entry) = find(root, address, level) else {
            continue;
        };
        let bits = entry.load(Relaxed);
        let mask = (PAGE << (9 * level)) - 1;
        let flags = Flags::from_bits_truncate(bits);
        return flags
            .contains(Flags::PRESENT)
            .then_some((bits & ADDRESS & !mask | address & mask, flags));
    }
    None
}

/// How many pages of 4 KiB, 2 MiB and 1 GiB the kernel's tables show in `region`.
pub(super) fn leaves(region: core::ops::Range<u64>) -> [u64; 3] {
    let (mut counts, mut at) = ([0; 3], region.start);
    while at < region.end {
        let reached = (0..=TOP).find_map(|level| find(root(), at, level).zip(Some(level)));
        let Some((entry, level)) = reached else { break };
        let is_there = entry.load(Relaxed) & Flags::PRESENT.bits() != 0;
        if let Some(count) = counts.get_mut(level as usize).filter(|_| is_there) {
            *count += 1;
        }
        at = (at | ((PAGE << (9 * level)) - 1)) + 1;
    }
    counts
}

/// Whether the kernel can read the word at `address`: what a backtrace asks before it follows a pointer.
pub(super) fn is_readable(address: u64) -> bool {
    address >= KERNEL_HALF && address.is_multiple_of(8) && translate(in_use(), address).is_some()
}

/// Whether the kernel can execute what is at `address`.
pub(super) fn is_executable(address: u64) -> bool {
    let leaf = translate(in_use(), address).filter(|_| address >= KERNEL_HALF);
    leaf.is_some_and(|(_, flags)| !flags.contains(Flags::NO_EXECUTE))
}

/// Physical address of the top-level table that the processor uses.
pub(super) fn in_use() -> u64 {
    Cr3::read_raw().0.start_address().as_u64()
}

/// A table's frame from the general allocator, kept for good.
pub(super) fn new_table() -> Option<u64> {
    let frame = memory().allocate(0).ok()?;
    mm::machine::PhysMem::zero(&memory().machine, frame);
    Some(frame.address())
}

/// Maps `length` bytes of device memory at physical address `start`, for good; returns where they are seen.
pub(crate) fn ioremap(start: u64, length: u64, cache: Cache) -> Result<*mut u8, OutOfMemory> {
    let offset = start % PAGE;
    let pages = (offset + length).div_ceil(PAGE);
    let mut next = TABLES.lock();
    let at = *next;
    // A page more, so that running over the end faults.
    let end = at + (pages + 1) * PAGE;
    if length == 0 || end > DEVICES + REGION_SIZE {
        return Err(OutOfMemory);
    }
    for page in 0..pages {
        let (address, target) = (at + page * PAGE, start - offset + page * PAGE);
        map(
            root(),
            address,
            target,
            0,
            DATA | cache.flags(),
            &mut new_table,
        )?;
    }
    *next = end;
    Ok((at + offset) as *mut u8)
}

/// The leaf of a 4 KiB page.
pub(super) fn leaf(target: u64, flags: Flags) -> u64 {
    target | (LEAF | flags).bits()
}

/// The last-level entries of `count` pages from `address` on, which one existing table serves.
pub(super) fn last_entries(address: u64, count: usize) -> &'static [AtomicU64] {
    let above = find(root(), address, 1).expect("the region's tables are made at boot");
    let first = (address / PAGE) as usize % 512;
    &entries(target(above.load(Relaxed)))[first..first + count]
}

/// Hangs the empty last-level table at physical address `table` in where `address` needs it.
pub(super) fn hang(address: u64, table: u64) {
    let above = find(root(), address, 1).expect("the region's tables are made at boot");
    above.store(table | TO_TABLE.bits(), Release);
}

/// Takes the last-level table that serves `address` out; it is empty, and forgotten by the calling CPU on return.
pub(super) fn unhang(address: u64) {
    let above = find(root(), address, 1).expect("the region's tables are made at boot");
    above.store(0, Release);
    // Forgetting any one page forgets all that the processor remembers of upper levels.
    tlb::flush(VirtAddr::new(address));
}
