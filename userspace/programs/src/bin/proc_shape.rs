//! Shows the shape of what `/proc` says: each line of each file, with its numbers replaced, and nothing moved.
//!
//! The numbers are the kernel's own affair; labels, their order, and the width of every field must be Linux's. A number
//! becomes a 9 that ends where the number did; a mask or an address becomes an x. Passed over is what depends on how a
//! Linux was built, or on which processor it runs: [`CONFIGURED`] and [`VALUES`] say each.
#![no_std]
#![forbid(unsafe_code)]

use core::ffi::CStr;

use programs::proc::{Area, File, Room, read};
use rt::abi::general::O_RDONLY;
use rt::memory::{Mapping, PAGE, PROT_READ, PROT_WRITE};
use rt::{print, println, probe};

/// Lines that are there or not as a Linux was configured, by how their label begins; the option, or what else decides.
const CONFIGURED: [(&str, &str); 38] = [
    ("Zswap", "CONFIG_ZSWAP"),
    ("HardwareCorrupted", "CONFIG_MEMORY_FAILURE"),
    ("AnonHugePages: of meminfo", "CONFIG_TRANSPARENT_HUGEPAGE"),
    ("ShmemHugePages", "CONFIG_TRANSPARENT_HUGEPAGE"),
    ("ShmemPmdMapped: of meminfo", "CONFIG_TRANSPARENT_HUGEPAGE"),
    ("FileHugePages", "CONFIG_TRANSPARENT_HUGEPAGE"),
    ("FilePmdMapped: of meminfo", "CONFIG_TRANSPARENT_HUGEPAGE"),
    ("Cma", "CONFIG_CMA"),
    ("Unaccepted", "CONFIG_UNACCEPTED_MEMORY"),
    ("DirectMap1G", "whether the processor has pages of 1 GiB"),
    ("ProtectionKey", "whether the processor has such keys"),
    ("x86_Thread_features", "CONFIG_X86_USER_SHADOW_STACK"),
    ("nr_zspages", "CONFIG_ZSMALLOC"),
    ("nr_unaccepted", "CONFIG_UNACCEPTED_MEMORY"),
    ("numa_", "CONFIG_NUMA, CONFIG_NUMA_BALANCING"),
    ("nr_iommu_pages", "CONFIG_IOMMU_SUPPORT"),
    ("nr_swapcached", "CONFIG_SWAP"),
    ("pgpromote_", "CONFIG_NUMA_BALANCING"),
    ("nr_hugetlb", "CONFIG_HUGETLB_PAGE"),
    ("pgalloc_d", "CONFIG_ZONE_DMA, _DMA32, _DEVICE"),
    ("allocstall_d", "CONFIG_ZONE_DMA, _DMA32, _DEVICE"),
    ("pgskip_d", "CONFIG_ZONE_DMA, _DMA32, _DEVICE"),
    ("zone_reclaim_", "CONFIG_NUMA"),
    ("pgmigrate_", "CONFIG_MIGRATION"),
    ("thp_", "CONFIG_TRANSPARENT_HUGEPAGE"),
    ("compact_", "CONFIG_COMPACTION"),
    ("htlb_", "CONFIG_HUGETLB_PAGE"),
    ("cma_", "CONFIG_CMA"),
    ("balloon_", "CONFIG_BALLOON"),
    ("nr_tlb_", "CONFIG_DEBUG_TLBFLUSH"),
    ("swap_ra", "CONFIG_SWAP"),
    ("swpin_zero", "CONFIG_SWAP"),
    ("swpout_zero", "CONFIG_SWAP"),
    ("ksm_", "CONFIG_KSM"),
    ("cow_ksm", "CONFIG_KSM"),
    ("zsw", "CONFIG_ZSWAP"),
    ("vma_lock_", "CONFIG_PER_VMA_LOCK_STATS"),
    ("kstack_", "CONFIG_DEBUG_STACK_USAGE"),
];

/// Labels whose value has no shape that all Linuxes share; why.
const VALUES: [(&str, &str); 5] = [
    ("Groups", "as many numbers as the caller is in groups"),
    ("Speculation_Store_Bypass", "the processor's"),
    ("SpeculationIndirectBranch", "the processor's"),
    ("Cpus_allowed", "as many digits as there are processors"),
    ("Mems_allowed", "CONFIG_NODES_SHIFT"),
];

/// Pages of the area whose paragraph is shown.
const PAGES: usize = 8;

fn main() {
    let memory = lonely_area();
    for path in [
        c"/proc/self/status",
        c"/proc/self/stat",
        c"/proc/self/statm",
    ] {
        show(path);
    }
    show_maps(memory);
    show_paragraph(memory);
    show(c"/proc/self/smaps_rollup");
    show_pagemap(memory);
    show(c"/proc/meminfo");
    show(c"/proc/vmstat");
}

/// Pages that touch no other area, so that they are one of their own.
fn lonely_area() -> Mapping {
    let around = Mapping::new(PAGES + 2);
    rt::memory::munmap(around.page(0), PAGE).expect("munmap");
    rt::memory::munmap(around.page(PAGES + 1), PAGE).expect("munmap");
    let memory = Mapping::at(around.page(1), PAGES);
    (0..PAGES / 2).for_each(|index| probe::store(memory.page(index), 1));
    memory
}

fn show(path: &CStr) {
    let mut room: Room = [0; 32768];
    let text = read(path, &mut room);
    println!("{path:?}:");
    text.lines().for_each(|line| show_line(path, line));
    println!("  ends with its line: {}", text.ends_with('\n'));
}

fn show_line(path: &CStr, line: &str) {
    if is_configured(path, line) {
        return;
    }
    if let Some(area) = Area::parse(line) {
        return show_area(line, area);
    }
    let is_value = |(label, _): &&(&str, &str)| line.starts_with(label);
    match VALUES.iter().find(is_value) {
        Some(_) => println!("  {}:", line.split(':').next().unwrap_or(line)),
        None => show_shape(line),
    }
}

/// Three labels stand in `smaps` on every Linux, and in `meminfo` on some.
fn is_configured(path: &CStr, line: &str) -> bool {
    let is_meminfo = path == c"/proc/meminfo";
    CONFIGURED
        .iter()
        .any(|(label, _)| match label.strip_suffix(": of meminfo") {
            Some(label) => is_meminfo && line.starts_with(label),
            None => line.starts_with(label),
        })
}

/// A line with its numbers replaced.
fn show_shape(line: &str) {
    print!("  ");
    let mut rest = line;
    while !rest.is_empty() {
        let end = rest.find([' ', '\t', '/']).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(end);
        show_word(word);
        let gap = behind.len() - behind.trim_start_matches([' ', '\t', '/']).len();
        let (gap, next) = behind.split_at(gap);
        show_gap(gap, next);
        rest = next;
    }
    println!();
}

/// Numbers have digits alone, or a sign before them; masks are 16 digits long.
fn show_word(word: &str) {
    let digits = word.strip_prefix('-').unwrap_or(word);
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let is_mask = word.len() == 16 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    match (is_mask, is_number) {
        (true, _) => print!("{:x<16}", ""),
        (_, true) => print!("9"),
        _ => print!("{word}"),
    }
}

/// What stands before a number is as wide as if it had one digit. More than eight have pushed the field wider.
fn show_gap(gap: &str, next: &str) {
    let digits = next.len()
        - next
            .trim_start_matches(|digit: char| digit.is_ascii_digit())
            .len();
    let width = match gap.chars().filter(|&blank| blank == ' ').count() {
        blanks if blanks > 1 && digits > 0 => blanks + digits.min(8) - 1,
        blanks => blanks,
    };
    gap.chars()
        .filter(|&blank| blank != ' ')
        .for_each(|other| print!("{other}"));
    print!("{:width$}", "");
}

/// An area's line: the fields' widths, its rights, and where its name begins.
fn show_area(line: &str, area: Area<'_>) {
    let widths = line.splitn(6, ' ').take(5).map(str::len);
    let name = (!area.name.is_empty()).then(|| line.len() - area.name.len());
    print!("  area {} ", area.rights);
    widths.skip(2).take(2).for_each(|width| print!("{width} "));
    println!("inode {}, name {:?} at {name:?}", area.inode, area.name);
}

/// The line that begins with the area's address.
fn show_maps(memory: Mapping) {
    let mut room: Room = [0; 32768];
    let text = read(c"/proc/self/maps", &mut room);
    let area = |line: &&str| Area::parse(line).is_some_and(|area| area.start == memory.page(0));
    println!("/proc/self/maps:");
    let line = text.lines().find(area).expect("the area is there");
    show_line(c"/proc/self/maps", line);
    println!("  its last byte is a blank: {}", line.ends_with(' '));
    for name in ["[heap]", "[stack]"] {
        let column = text.lines().find_map(|line| line.find(name));
        println!("  {name} at {column:?}");
    }
}

fn show_paragraph(memory: Mapping) {
    let mut room: Room = [0; 32768];
    let text = read(c"/proc/self/smaps", &mut room);
    let is_own = |line: &str| Area::parse(line).map(|area| area.start == memory.page(0));
    println!("/proc/self/smaps:");
    let mut shown = false;
    for line in text.lines() {
        shown = is_own(line).unwrap_or(shown);
        if shown {
            show_line(c"/proc/self/smaps", line);
        }
    }
}

/// A word for each page; the bits above the frame's number, but for the one of CONFIG_MEM_SOFT_DIRTY.
fn show_pagemap(memory: Mapping) {
    const SOFT_DIRTY: u64 = 1 << 55;
    probe::load(memory.page(PAGES - 2));
    memory.protect(0, 1, PROT_READ).expect("mprotect");
    let file = File::open(c"/proc/self/pagemap", O_RDONLY).expect("open");
    println!("/proc/self/pagemap:");
    for (what, page) in [
        ("written", memory.page(1)),
        ("written, read-only now", memory.page(0)),
        ("only read", memory.page(PAGES - 2)),
        ("never touched", memory.page(PAGES - 1)),
        ("no area's", memory.page(PAGES)),
    ] {
        let mut word = [0; 8];
        let length = file.read_at(&mut word, page / PAGE * 8);
        let bits = (u64::from_le_bytes(word) & !SOFT_DIRTY) >> 55;
        println!("  {what}: {length:?}, {bits:#x}");
    }
    file.close();
    memory
        .protect(0, 1, PROT_READ | PROT_WRITE)
        .expect("mprotect");
}
