//! From the loader's memory to the kernel's own: page tables, stack and frames are taken over here, once.
//!
//! ```text
//! on the loader's tables and stack   collect the memory map; carve frame records and new tables out of usable memory;
//!                                    hand what is left to `mm`
//! load CR3, change stacks
//! on our own                         hand the loader's memory over as well: its tables, its stack, the kernel's file
//! ```
//! The direct map has the same address in both sets of tables, so what was built through the one is good in the other.
//! This is the only place that mints frames: each frame reaches `mm` at most once, and only if nobody uses it.
use core::arch::asm;
use core::ops::Range;

use bootloader_api::BootInfo;
use bootloader_api::info::MemoryRegionKind as Kind;
use mm::page_table::Levels;
use mm::{FrameRecord, Memory};
use spin::{Mutex, Once};
use x86_64::structures::paging::PageTableFlags as Flags;

use super::direct_map::{DirectMap, pointer_to};
use super::features::{Features, has};
use super::layout::{DEVICES, DIRECT_MAP, DIRECT_MAP_SIZE, PAGE, STACKS};
use super::memblock::Memblock;
use super::paging::{self, DATA, Source};
use super::{boot, gdt, image, percpu, stack};
use crate::options;

/// Below lie what firmware scribbles on and the code that starts other CPUs.
const LOW_MEMORY: Range<u32> = 0..16;
/// Frames in 2 MiB and in 1 GiB.
const LARGE: u32 = 1 << 9;
const HUGE: u32 = 1 << 18;

static MEMORY: Once<Memory<DirectMap>> = Once::new();

/// The loader's memory, until it is given back.
static LOADER: Mutex<Option<Memblock>> = Mutex::new(None);

/// Frames that firmware left to whoever boots.
static USABLE: Once<usize> = Once::new();

/// Frames of the machine that are neither firmware's nor a device's: the loader's, the kernel's and all others.
pub(crate) fn usable_frames() -> usize {
    USABLE.get().copied().unwrap_or(0)
}

/// The world of `mm`, from [`take_over`] on.
pub(crate) fn memory() -> &'static Memory<DirectMap> {
    MEMORY.get().expect("memory is taken over first")
}

/// The direct map's pages of 4 KiB, 2 MiB and, where the processor has such, 1 GiB.
pub(crate) fn direct_map_pages() -> (u64, u64, Option<u64>) {
    let [small, large, huge] = paging::leaves(DIRECT_MAP..DIRECT_MAP + DIRECT_MAP_SIZE);
    (
        small,
        large,
        Some(huge).filter(|_| has(Features::GIB_PAGES)),
    )
}

/// The machine's memory, as the loader describes it, in frame numbers.
struct Map {
    /// Nobody's.
    usable: Memblock,
    /// The loader's, ours once we run on tables and a stack of our own.
    loader: Memblock,
    /// All memory that the direct map shows: the above and what firmware keeps.
    present: Memblock,
}

/// Frames beyond the records without which nothing runs: tables, stacks, the heap's first slabs, a program or two.
const LEAST: u64 = (2 << 20) / PAGE;

/// A machine that is too small is told so while there is still a screen to say it on; true where it is.
pub(crate) fn is_too_small(info: &BootInfo) -> bool {
    let map = Map::new(info);
    let end = map.usable.end().max(map.loader.end());
    let records = u64::from(end) * size_of::<FrameRecord>() as u64;
    let (free, needed) = (map.usable.frames(), records.div_ceil(PAGE) + LEAST);
    if free < needed {
        log::error!(
            "this machine has too little memory: {} KiB are free, the kernel needs {} KiB",
            free * PAGE / 1024,
            needed * PAGE / 1024
        );
    }
    free < needed
}

/// Puts the kernel on tables, stack and memory of its own and goes on with `then`. Nothing of the caller's stack
/// survives, nor does anything of the loader's, but what `boot` wrote down.
pub(crate) fn take_over(info: &'static BootInfo, then: extern "C" fn() -> !) -> ! {
    assert!(MEMORY.get().is_none(), "memory is taken over once");
    let mut map = Map::new(info);
    USABLE.call_once(|| (map.usable.frames() + map.loader.frames()) as usize);
    map.usable.remove(LOW_MEMORY);
    let end = map.usable.end().max(map.loader.end());
    let records = take_records(&mut map.usable, end);
    let root = build_tables(info, &mut map);
    let (start, length) = (
        boot::initramfs().as_ptr() as u64 - DIRECT_MAP,
        boot::initramfs().len() as u64,
    );
    map.loader.remove(covering(start, start + length));
    map.loader.remove(LOW_MEMORY);
    // SAFETY: 1. the loader's direct map is in place, and ours will show the same. 2. the loader says that nobody uses
    // these frames; tables and records were taken out. 3. `take_over` never returns, so this happens once.
    unsafe { hand_over(records, &map.usable, root) };
    *LOADER.lock() = Some(map.loader);
    paging::set_root(root);
    // SAFETY: the new tables show the kernel's image and the direct map where they are, and the boot stack.
    unsafe { enter(root, stack::boot_top(), then) }
}

/// Loads the tables at `root`, and goes on with `then` on the stack that ends at `top`.
///
/// # Safety
/// The tables show this code and its data where they are, and the stack.
unsafe fn enter(root: u64, top: u64, then: extern "C" fn() -> !) -> ! {
    percpu::set_root(root);
    // SAFETY: the caller's promise; nothing on the old stack is used again.
    unsafe {
        asm!(
            "mov cr3, {root}",
            "mov rsp, {top}",
            "xor ebp, ebp",
            "call {then}",
            "ud2",
            root = in(reg) root,
            top = in(reg) top,
            then = in(reg) then,
            options(noreturn),
        )
    }
}

/// Gives `mm` the loader's memory. Once, after [`take_over`]; also sets up the stacks of emergencies.
pub(crate) fn reclaim() {
    let mut guard = LOADER.lock();
    let loader = guard
        .as_ref()
        .expect("memory is taken over first, and given back once");
    for frames in loader.ranges() {
        // The promise of `Memory::new`: the loader is gone, its tables and stack are not used, and what is still
        // needed of its memory (the kernel's image, the archive) was taken out. The `None` below makes it happen once.
        memory().add_frames(frames.clone());
    }
    gdt::set_interrupt_stacks(0, stack::emergency_tops(percpu::address(0)));
    log::info!(
        "memory: {} MiB managed, of which {} KiB were the loader's",
        memory().managed_frames() / 256,
        loader.frames() * 4
    );
    *guard = None;
}

impl Map {
    fn new(info: &BootInfo) -> Self {
        let mut map = Self {
            usable: Memblock::new(),
            loader: Memblock::new(),
            present: Memblock::new(),
        };
        for region in info
            .memory_regions
            .iter()
            .filter(|region| region.start < region.end)
        {
            match region.kind {
                // Whole frames only.
                Kind::Usable => map
                    .usable
                    .add(frame(region.start + PAGE - 1)..frame(region.end)),
                Kind::Bootloader => map.loader.add(covering(region.start, region.end)),
                _ => {}
            }
        }
        map.limit(options::get().memory / PAGE);
        let end = map
            .usable
            .end()
            .max(map.loader.end())
            .next_multiple_of(HUGE);
        for region in info
            .memory_regions
            .iter()
            .filter(|region| !is_device(region.kind))
        {
            let frames = covering(region.start, region.end);
            map.present
                .add(frames.start..frames.end.min(end).max(frames.start));
        }
        map.present.remove(end..u32::MAX);
        map.present.add(LOW_MEMORY);
        map
    }

    /// Leaves at most `frames` usable.
    fn limit(&mut self, frames: u64) {
        while let Some(excess) = self.usable.frames().checked_sub(frames).filter(|&n| n > 0) {
            let sizes = self.usable.ranges().iter().map(|range| range.len() as u64);
            let largest = sizes.max().unwrap_or(0);
            self.usable.take(excess.min(largest) as u32);
        }
    }
}

/// UEFI's kinds 11 and 12 are devices; all else is memory, though firmware may keep it.
fn is_device(kind: Kind) -> bool {
    matches!(kind, Kind::UnknownUefi(11 | 12))
}

/// The frame that holds physical address `address`, which no machine has beyond 16 TiB.
fn frame(address: u64) -> u32 {
    u32::try_from(address / PAGE).unwrap_or(u32::MAX)
}

/// The frames that hold any byte of `start..end`.
fn covering(start: u64, end: u64) -> Range<u32> {
    frame(start)..frame(end + PAGE - 1)
}

/// Makes a record for each frame below `end`.
fn take_records(usable: &mut Memblock, end: u32) -> &'static [FrameRecord] {
    let bytes = u64::from(end) * size_of::<FrameRecord>() as u64;
    let frames = usable
        .take(frame(bytes + PAGE - 1))
        .expect("there is memory for the records of all frames");
    let first: *mut FrameRecord = pointer_to(u64::from(frames.start) * PAGE);
    for number in 0..end as usize {
        // SAFETY: within the frames taken, which the direct map shows.
        unsafe { first.wrapping_add(number).write(FrameRecord::new()) };
    }
    // SAFETY: all `end` records were just written; nobody else has these frames, and they are never given back.
    unsafe { core::slice::from_raw_parts(first, end as usize) }
}

/// Builds the tables in usable memory; returns the physical address of the top one. The frames of the kernel's image
/// leave the loader's memory.
fn build_tables(info: &BootInfo, map: &mut Map) -> u64 {
    let Map {
        usable,
        loader,
        present,
    } = map;
    let mut new_table = || {
        let address = u64::from(usable.take(1)?.start) * PAGE;
        // SAFETY: the frame is nobody's, and the loader's direct map shows it.
        unsafe { pointer_to::<[u8; PAGE as usize]>(address).write([0; PAGE as usize]) };
        Some(address)
    };
    let root = new_table().expect(NO_ROOM);
    let sealed = map_image(info, root, loader, &mut new_table);
    map_direct(root, present, &sealed, &mut new_table);
    for region in [DEVICES, STACKS] {
        paging::reach(root, region, paging::TOP - 1, &mut new_table).expect(NO_ROOM);
    }
    stack::map_boot(root, &mut new_table).expect(NO_ROOM);
    root
}

const NO_ROOM: &str = "there is memory for the kernel's page tables";

/// Shows all present memory with the largest pages that fit, the frames of `sealed` read-only; what firmware did not list
/// stays unmapped.
fn map_direct(root: u64, present: &Memblock, sealed: &Memblock, source: Source<'_>) {
    let end = present.end().min((DIRECT_MAP_SIZE / PAGE - 1) as u32);
    let mut at = 0;
    while at < end {
        let (level, frames) = direct_page(at, present, sealed);
        let address = u64::from(at) * PAGE;
        if present.touches(&(at..at + frames)) {
            let flags = if sealed.touches(&(at..at + 1)) && frames == 1 {
                Flags::NO_EXECUTE
            } else {
                DATA
            };
            paging::map(root, DIRECT_MAP + address, address, level, flags, source).expect(NO_ROOM);
        }
        at += frames;
    }
}

/// Level and frames of the page that shows frame `at` and what follows it.
fn direct_page(at: u32, present: &Memblock, sealed: &Memblock) -> (u32, u32) {
    let fits = |frames: u32| {
        at.is_multiple_of(frames) && !sealed.touches(&(at..at.saturating_add(frames)))
    };
    let is_huge = || present.contains(&(at..at.saturating_add(HUGE)));
    if has(Features::GIB_PAGES) && fits(HUGE) && is_huge() {
        (2, HUGE)
    } else if fits(LARGE) {
        (1, LARGE)
    } else {
        (0, 1)
    }
}

/// Shows the image where it is now, with each segment's own rights. Returns the frames that hold code and constants,
/// which nobody may write to through the direct map either.
fn map_image(info: &BootInfo, root: u64, loader: &mut Memblock, source: Source<'_>) -> Memblock {
    // SAFETY: the loader keeps the kernel's file here, and its direct map shows it.
    let file = unsafe {
        core::slice::from_raw_parts(pointer_to(info.kernel_addr), info.kernel_len as usize)
    };
    let mut writable = Memblock::new();
    for_each_page(file, |_, target, flags| {
        let frames = covering(target, target + PAGE);
        if flags.contains(Flags::WRITABLE) {
            writable.add(frames);
        } else {
            writable.remove(frames);
        }
    });
    let mut sealed = Memblock::new();
    for_each_page(file, |address, mut target, flags| {
        loader.remove(covering(target, target + PAGE));
        if !flags.contains(Flags::WRITABLE) {
            if writable.touches(&covering(target, target + PAGE)) {
                target = copy_page(target, source);
            }
            sealed.add(covering(target, target + PAGE));
        }
        paging::map(root, address, target, 0, flags, source).expect(NO_ROOM);
    });
    for range in writable.ranges() {
        sealed.remove(range.clone());
    }
    sealed
}

/// Calls `visit` with the address of each page of the image, the physical address of where it is now, and its rights.
fn for_each_page(file: &[u8], mut visit: impl FnMut(u64, u64, Flags)) {
    let current = paging::in_use();
    image::segments(file, |segment| {
        for address in (segment.start..segment.end).step_by(PAGE as usize) {
            let (target, _) = paging::translate(current, address)
                .expect("the loader mapped each page of the image");
            visit(address, target, segment.flags & !Flags::PRESENT);
        }
    });
}

/// A copy of a read-only page whose frame holds the beginning of writable data as well: the loader maps the file as it
/// lies, where segments share pages.
fn copy_page(target: u64, source: Source<'_>) -> u64 {
    let copy = source().expect(NO_ROOM);
    let from = pointer_to::<[u8; PAGE as usize]>(target);
    // SAFETY: the loader's direct map shows both frames, and the copy is nobody's yet.
    unsafe { pointer_to::<[u8; PAGE as usize]>(copy).copy_from_nonoverlapping(from, 1) };
    copy
}

/// Mints all frames of `free`: from here on they are `mm`'s.
///
/// # Safety
/// 1. The direct map shows all frames that `records` speak of, for good.
/// 2. Nobody uses the frames of `free`.
/// 3. It is done once.
unsafe fn hand_over(records: &'static [FrameRecord], free: &Memblock, root: u64) {
    // SAFETY: the caller's promise 1.
    let machine = unsafe { DirectMap::new(records) };
    MEMORY.call_once(|| {
        let mut memory = Memory::new(machine, free.ranges(), Levels::Four)
            .expect("there is memory for the zero page");
        memory.set_kernel_half(root);
        memory.set_overcommit(options::get().overcommit);
        memory
    });
}
