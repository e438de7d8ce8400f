//! Shows `/proc/self/maps`: a line for each area, after each way in which areas come, go, split and merge.
//!
//! Addresses differ from run to run, so areas are shown as the pages of a region that they cover.
#![no_std]
#![forbid(unsafe_code)]

use programs::proc::{Area, File, Room, areas, read, read_in};
use rt::abi::general::{O_RDONLY, O_WRONLY, SEEK_END, SEEK_SET};
use rt::memory::{
    MAP_FIXED, MAP_SHARED, Mapping, PAGE, PROT_EXEC, PROT_NONE, PROT_READ, PROT_WRITE, brk, mmap,
    munmap,
};
use rt::process::{id, spawn, wait};
use rt::signal::{Signal, kill};
use rt::{Errno, println, probe};

const MAPS: &core::ffi::CStr = c"/proc/self/maps";

/// Pages of the region, with a hole at each end that keeps others out of it.
const PAGES: usize = 12;

fn main() {
    splits_and_merges();
    shared_memory();
    the_program_itself();
    every_line_is_linux_s();
    pieces();
    while_areas_change();
    refusals();
}

/// Shows the areas of the region after `step`.
fn show(step: &str, memory: Mapping) {
    let mut room: Room = [0; 32768];
    println!("{step}");
    let text = read(MAPS, &mut room);
    let inside = |area: &Area<'_>| memory.page(0) <= area.start && area.end <= memory.page(PAGES);
    for area in areas(text).filter(inside) {
        let page = |address| (address - memory.page(0)) / PAGE;
        let (first, last) = (page(area.start), page(area.end));
        let (rights, offset, name) = (area.rights, area.offset / PAGE, area.name);
        println!("  {first:2} to {last:2} {rights} {offset} {name}");
    }
}

fn splits_and_merges() {
    let memory = Mapping::new(PAGES);
    let end = |index| munmap(memory.page(index), PAGE).expect("munmap");
    end(0);
    end(PAGES - 1);
    show("a fresh mapping", memory);
    memory.fill_inner();
    show("written: no change", memory);
    memory.protect(4, 2, PROT_READ).expect("mprotect");
    show("two pages in the middle read-only", memory);
    memory.protect(2, 2, PROT_READ).expect("mprotect");
    show("and two before them: these merge", memory);
    memory.protect(6, 1, PROT_NONE).expect("mprotect");
    memory
        .protect(7, 1, PROT_READ | PROT_EXEC)
        .expect("mprotect");
    show("one without rights, one of code", memory);
    munmap(memory.page(3), 5 * PAGE).expect("munmap");
    show("a hole over all of these", memory);
    mmap(memory.page(3), 5 * PAGE, PROT_READ | PROT_WRITE, MAP_FIXED).expect("mmap");
    memory
        .protect(2, 1, PROT_READ | PROT_WRITE)
        .expect("mprotect");
    show("filled: all one again", memory);
    munmap(memory.page(1), 10 * PAGE).expect("munmap");
    show("gone", memory);
}

trait Inner {
    fn fill_inner(self);
}

impl Inner for Mapping {
    /// Stores to all pages but those at the ends.
    fn fill_inner(self) {
        (1..PAGES - 1).for_each(|index| probe::store(self.page(index), 1));
    }
}

fn shared_memory() {
    let memory = Mapping::new(PAGES);
    munmap(memory.page(0), PAGE).expect("munmap");
    munmap(memory.page(PAGES - 1), PAGE).expect("munmap");
    rt::memory::share(memory.page(2), 6 * PAGE, PROT_READ | PROT_WRITE).expect("mmap");
    memory.protect(4, 2, PROT_READ).expect("mprotect");
    show("shared memory, two pages of it read-only", memory);
    munmap(memory.page(1), 10 * PAGE).expect("munmap");
    named_memory();
}

/// A memory file goes by its name, and a line stays a line.
fn named_memory() {
    let mut room: Room = [0; 32768];
    let file = rt::file::memfd(c"two\nlines", 0).expect("memfd_create");
    rt::file::truncate(file, 4 * PAGE).expect("ftruncate");
    let start = rt::file::map(file, 2 * PAGE, PROT_READ, MAP_SHARED, PAGE).expect("mmap");
    let text = read(MAPS, &mut room);
    let area = areas(text).find(|area| area.start == start);
    let area = area.expect("it is mapped");
    let about = rt::file::status(file).expect("fstat");
    assert_eq!(area.inode, about.st_ino);
    println!("{} {} {}", area.rights, area.offset / PAGE, area.name);
    munmap(start, 2 * PAGE).expect("munmap");
    rt::file::close(file).expect("close");
    unnamed_memory();
}

/// Shared memory that nobody opened has numbers too, each its own.
fn unnamed_memory() {
    let mut room: Room = [0; 32768];
    let memory = Mapping::new(4);
    for page in [0, 2] {
        rt::memory::share(memory.page(page), 2 * PAGE, PROT_READ).expect("mmap");
    }
    let text = read(MAPS, &mut room);
    let find = |page| areas(text).find(|area| area.start == memory.page(page));
    let [first, second] = [0, 2].map(|page| find(page).expect("it is mapped"));
    assert_ne!(first.inode, second.inode);
    for area in [first, second] {
        println!("{} on {} {}", area.rights, area.device, area.name);
    }
    munmap(memory.page(0), 4 * PAGE).expect("munmap");
}

fn the_program_itself() {
    let mut room: Room = [0; 32768];
    let heap = brk(0);
    assert_eq!(brk(heap + 3 * PAGE), heap + 3 * PAGE);
    let text = read(MAPS, &mut room);
    let named = |name: &'static str| areas(text).find(move |area| area.name == name);
    let [heap, stack] = ["[heap]", "[stack]"].map(|name| named(name).expect("it is there"));
    println!(
        "the heap: {} {}",
        heap.rights,
        (heap.end - heap.start) / PAGE
    );
    println!("the stack: {}", stack.rights);
    let here = probe_address();
    assert!((stack.start..stack.end).contains(&here));
    let code = areas(text).find(|area| area.name.ends_with("/proc_maps") && area.rights == "r-xp");
    let code = code.expect("the program's code");
    println!("code of the program: {} {}", code.rights, code.inode != 0);
    assert!(code.offset.is_multiple_of(PAGE));
    assert!((code.start..code.end).contains(&(main as fn() as usize)));
}

/// An address in the stack.
fn probe_address() -> usize {
    let here = 0u8;
    &raw const here as usize
}

/// What a line must look like for those who count columns.
fn every_line_is_linux_s() {
    let mut room: Room = [0; 32768];
    let text = read(MAPS, &mut room);
    let (mut count, mut last) = (0, 0);
    for line in text.lines() {
        let area = Area::parse(line).expect("a line of an area");
        assert!(last <= area.start && area.start < area.end, "{line}");
        last = area.end;
        count += 1;
        if area.name.is_empty() {
            assert!(line.ends_with(" 0 "), "no name: {line:?}");
        } else {
            assert_eq!(line.find(area.name), Some(73), "{line:?}");
        }
    }
    assert!(count > 4 && text.ends_with('\n'));
    println!("every line is in order, names begin in column 73");
}

/// However it is read, it is the same text.
fn pieces() {
    let (mut room, mut other): (Room, Room) = ([0; 32768], [0; 32768]);
    let whole = read(MAPS, &mut room);
    for piece in [1, 7, 100, 4096] {
        assert!(whole == read_in(MAPS, &mut other, piece), "{piece}");
    }
    let file = File::open(MAPS, O_RDONLY).expect("open");
    let mut part = [0; 50];
    for offset in [120, 40, 0, 121] {
        assert_eq!(file.read_at(&mut part, offset), Ok(50));
        assert_eq!(&part, &whole.as_bytes()[offset..offset + 50], "{offset}");
    }
    assert_eq!(file.read_at(&mut part, whole.len()), Ok(0));
    assert_eq!(file.seek(10, SEEK_SET), Ok(10));
    assert_eq!(file.read(&mut part), Ok(50));
    assert_eq!(&part, &whole.as_bytes()[10..60]);
    println!("SEEK_END: {:?}", file.seek(0, SEEK_END));
    file.close();
    println!("read in pieces, and from the middle: the same text");
}

/// A child maps and unmaps without end while its list is read.
fn while_areas_change() {
    let region = Mapping::with(64, PROT_NONE, 0);
    let child = spawn(|| change_for_ever(region)).expect("fork");
    let mut path = *b"/proc/0000000000/maps\0";
    let mut number = child as usize;
    for place in (6..16).rev() {
        path[place] = b'0' + (number % 10) as u8;
        number /= 10;
    }
    let digits = path[6..16].iter().take_while(|&&byte| byte == b'0').count();
    path.copy_within(6 + digits.., 6);
    let path = core::ffi::CStr::from_bytes_until_nul(&path).expect("a path");
    let mut room: Room = [0; 32768];
    for _ in 0..100 {
        let text = read_in(path, &mut room, 512);
        let mut last = 0;
        for line in text.lines() {
            let area = Area::parse(line).expect("a whole line");
            assert!(last < area.end, "the list goes up: {line}");
            last = area.end;
        }
        rt::process::yield_now();
    }
    kill(child, Signal::KILL).expect("kill");
    wait(child).expect("wait");
    println!("a list that changes while it is read comes to an end");
}

fn change_for_ever(region: Mapping) -> u8 {
    let mut random = id() as usize;
    loop {
        random = random.wrapping_mul(1_103_515_245).wrapping_add(12345) & 0x7fff_ffff;
        let page = (random >> 8) % 64;
        let rights = [PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE][(random >> 16) % 3];
        mmap(region.page(page), PAGE, rights, MAP_FIXED).expect("mmap");
        if (random >> 20).is_multiple_of(5) {
            munmap(region.page((random >> 4) % 64), PAGE).expect("munmap");
        }
    }
}

fn refusals() {
    let file = File::open(MAPS, O_RDONLY).expect("open");
    println!("a write: {:?}", file.write(b"x"));
    file.close();
    let missing = File::open(c"/proc/self/mops", O_RDONLY);
    println!("no such file: {missing:?}");
    println!("nobody's: {:?}", File::open(c"/proc/0/maps", O_RDONLY));
    let folder = File::open(c"/proc/self", O_RDONLY).expect("open");
    println!("a folder: {:?}", folder.read(&mut [0; 8]));
    folder.close();
    println!(
        "a folder, to write: {:?}",
        File::open(c"/proc/self", O_WRONLY)
    );
    assert_eq!(
        File::open(c"/proc/self/maps/x", O_RDONLY),
        Err(Errno::ENOTDIR)
    );
}
