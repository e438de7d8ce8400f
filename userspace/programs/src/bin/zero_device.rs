//! Shows what a private mapping of `/dev/zero` is: memory like any other, with a name, a place in the file, and no kin
//! among its neighbours.
#![no_std]
#![forbid(unsafe_code)]

use programs::proc::{File, Room, areas, read};
use rt::abi::general::{
    MADV_COLD, MADV_DONTNEED, MADV_FREE, MADV_HUGEPAGE, MADV_KEEPONFORK, MADV_MERGEABLE,
    MADV_PAGEOUT, MADV_POPULATE_READ, MADV_REMOVE, MADV_UNMERGEABLE, MADV_WILLNEED,
    MADV_WIPEONFORK, O_RDWR, O_WRONLY,
};
use rt::file::map;
use rt::memory::{
    MAP_FIXED, MAP_GROWSDOWN, MAP_LOCKED, MAP_PRIVATE, MREMAP_FIXED, MREMAP_MAYMOVE, Mapping, PAGE,
    PROT_EXEC, PROT_READ, PROT_WRITE, madvise, mincore, mmap, mprotect, mremap, munmap,
};
use rt::process::run_in_child;
use rt::{Errno, println, probe};

const READ_WRITE: u32 = PROT_READ | PROT_WRITE;

/// Pages of the window that the lessons happen in; around it nothing is mapped.
const PAGES: usize = 64;

fn main() {
    let around = Mapping::new(PAGES);
    around.unmap();
    let window = Window(around);
    let zero = File::open(c"/dev/zero", O_RDWR).expect("open").0;
    neighbours(window, zero);
    advice(window);
    moves(window);
    flags(window, zero);
    offsets(window, zero);
    let unreadable = File::open(c"/dev/zero", O_WRONLY).expect("open").0;
    let refused = map(unreadable, PAGE, PROT_WRITE, MAP_PRIVATE, 0);
    println!("opened for writing only: {:?}", refused.err());
}

#[derive(Clone, Copy)]
struct Window(Mapping);

impl Window {
    fn map(self, page: usize, pages: usize, file: u32, offset: usize) -> Result<(), Errno> {
        self.map_with(page, pages, file, offset, (READ_WRITE, 0))
    }

    fn map_with(
        self,
        page: usize,
        pages: usize,
        file: u32,
        offset: usize,
        (protection, flags): (u32, u32),
    ) -> Result<(), Errno> {
        let (at, length) = (self.0.page(page), pages * PAGE);
        let flags = flags | MAP_PRIVATE | MAP_FIXED;
        rt::file::map_at(at, file, offset, length, protection, flags).map(drop)
    }

    fn show(self, when: &str) {
        let mut room: Room = [0; 32768];
        println!("{when}:");
        let (start, end) = (self.0.page(0), self.0.page(PAGES));
        let text = read(c"/proc/self/maps", &mut room);
        for area in areas(text).filter(|area| start <= area.start && area.end <= end) {
            println!(
                "  {}-{} {} {:#x} inode {} {}",
                (area.start - start) / PAGE,
                (area.end - start) / PAGE,
                area.rights,
                area.offset,
                area.inode != 0,
                area.name
            );
        }
    }
}

fn neighbours(window: Window, zero: u32) {
    window.map(0, 8, zero, 0).expect("mmap");
    window.show("eight pages");
    mmap(window.0.page(8), 4 * PAGE, READ_WRITE, MAP_FIXED).expect("mmap");
    window.map(12, 4, zero, 0).expect("mmap");
    window.map(16, 4, zero, 4 * PAGE).expect("mmap");
    window.map(20, 4, zero, 0).expect("mmap");
    window.show("beside others, one of which goes on in the file");
    munmap(window.0.page(2), PAGE).expect("munmap");
    window.show("cut in two");
    mprotect(window.0.page(4), PAGE, PROT_READ).expect("mprotect");
    window.show("a page read-only");
    mprotect(window.0.page(4), PAGE, READ_WRITE).expect("mprotect");
    window.show("and back");
}

fn advice(window: Window) {
    let page = window.0.page(3);
    probe::store(page, 7);
    for (name, advice) in [
        ("WIPEONFORK", MADV_WIPEONFORK),
        ("KEEPONFORK", MADV_KEEPONFORK),
        ("FREE", MADV_FREE),
        ("REMOVE", MADV_REMOVE),
        ("COLD", MADV_COLD),
        ("PAGEOUT", MADV_PAGEOUT),
        ("WILLNEED", MADV_WILLNEED),
        ("HUGEPAGE", MADV_HUGEPAGE),
        ("MERGEABLE", MADV_MERGEABLE),
        ("UNMERGEABLE", MADV_UNMERGEABLE),
        ("DONTNEED", MADV_DONTNEED),
        ("POPULATE_READ", MADV_POPULATE_READ),
    ] {
        println!("MADV_{name}: {:?}", madvise(page, PAGE, advice).err());
    }
    println!("zeroes again: {}", rt::memory::is_zero(page));
    let mut resident = [0];
    mincore(page + PAGE, PAGE, &mut resident).expect("mincore");
    println!("a page never touched is in memory: {}", resident[0]);
}

fn moves(window: Window) {
    probe::store(window.0.page(6), 9);
    let (from, to) = (window.0.page(5), window.0.page(40));
    let flags = MREMAP_MAYMOVE | MREMAP_FIXED;
    mremap(from, 2 * PAGE, 4 * PAGE, flags, to).expect("mremap");
    window.show("two pages moved, and two more");
    println!("the byte came along: {}", probe::load(to + PAGE));
    let status = run_in_child(|| {
        window.show("in a child");
        println!("its byte: {}", probe::load(to + PAGE));
        probe::store(to + PAGE, 10);
        0
    });
    println!("{status}; the parent's byte: {}", probe::load(to + PAGE));
}

fn flags(window: Window, zero: u32) {
    for (name, flags) in [
        ("GROWSDOWN", (READ_WRITE, MAP_GROWSDOWN)),
        ("LOCKED", (READ_WRITE, MAP_LOCKED)),
        ("PROT_EXEC", (READ_WRITE | PROT_EXEC, 0)),
    ] {
        let mapped = window.map_with(50, 2, zero, 0, flags);
        println!("{name}: {:?}", mapped.err());
    }
}

fn offsets(window: Window, zero: u32) {
    for offset in [123, 0x7fff_ffff_ffff_f000, 0xffff_ffff_ffff_e000, !0xfff] {
        let mapped = window.map(60, 1, zero, offset);
        println!("offset {offset:#x}: {:?}", mapped.err());
    }
    window.show("in the end");
}
