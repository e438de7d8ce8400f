//! Shows private mappings of files: the first write copies a page, which from then on is the process's own; the file never
//! learns of it, and what the file gets later is seen only where nothing was copied.
#![no_std]
#![forbid(unsafe_code)]

use programs::lesson::counted;
use rt::abi::general::{O_CREAT, O_RDONLY, O_RDWR, O_TRUNC};
use rt::file::{close, map, read_at, truncate, write_at};
use rt::memory::{
    MAP_PRIVATE, MAP_SHARED, MREMAP_MAYMOVE, Mapping, PAGE, PROT_READ, PROT_WRITE, mprotect,
    mremap, munmap,
};
use rt::path::{HERE, open_at, remove};
use rt::probe::{load, store};
use rt::process::{run_in_child, spawn, wait};
use rt::{print, println};

const RW: u32 = PROT_READ | PROT_WRITE;
const PAGES: usize = 8;
const LENGTH: usize = PAGES * PAGE;

fn main() {
    let file = open_at(HERE, c"file", O_CREAT | O_TRUNC | O_RDWR, 0o644).expect("open");
    fill(file, b'f');
    faults(file);
    who_sees(file);
    relatives(file);
    read_only();
    moved(file);
    close(file).expect("close");
    remove(c"file").expect("unlink");
}

fn fill(file: u32, byte: u8) {
    for page in 0..PAGES {
        write_at(file, &[byte; PAGE], page * PAGE).expect("pwrite");
    }
}

fn private(file: u32) -> Mapping {
    let start = map(file, LENGTH, RW, MAP_PRIVATE, 0).expect("mmap");
    Mapping::at(start, PAGES)
}

/// The first byte of each page.
fn show(what: &str, mapping: Mapping) {
    print!("{what}: ");
    for page in mapping.each_page() {
        print!("{}", load(page) as char);
    }
    println!();
}

fn show_file(file: u32) {
    print!("the file: ");
    for page in 0..PAGES {
        let mut byte = [0];
        read_at(file, &mut byte, page * PAGE).expect("pread");
        print!("{}", byte[0] as char);
    }
    println!();
}

fn faults(file: u32) {
    let mapping = private(file);
    counted("write each page", PAGES, || mapping.fill(b'm'));
    counted("write again", 0, || mapping.fill(b'n'));
    show("here", mapping);
    show_file(file);
    mapping.unmap();
    let mapping = private(file);
    show("mapped again", mapping);
    counted("write what was read", PAGES, || mapping.fill(b'm'));
    mapping.unmap();
}

fn who_sees(file: u32) {
    let (mapping, other) = (private(file), private(file));
    let shared = Mapping::at(map(file, LENGTH, RW, MAP_SHARED, 0).expect("mmap"), PAGES);
    store(mapping.page(1), b'1');
    store(other.page(2), b'2');
    store(shared.page(3), b's');
    write_at(file, b"w", 4 * PAGE).expect("pwrite");
    show("one", mapping);
    show("other", other);
    show("shared", shared);
    show_file(file);
    println!("the file changes where there are copies, and where there are none");
    for page in [1, 2, 5] {
        store(shared.page(page), b'x');
    }
    show("one", mapping);
    show("other", other);
    truncate(file, 3 * PAGE).expect("ftruncate");
    truncate(file, LENGTH).expect("ftruncate");
    println!("the rest was cut off, and grew again");
    let shown = |byte: u8| if byte == 0 { '.' } else { byte as char };
    for page in mapping.each_page() {
        print!("{}", shown(load(page)));
    }
    println!();
    for mapping in [mapping, other, shared] {
        mapping.unmap();
    }
    fill(file, b'f');
}

fn relatives(file: u32) {
    let mapping = private(file);
    store(mapping.page(0), b'p');
    let child = spawn(|| {
        store(mapping.page(0), b'c');
        store(mapping.page(1), b'c');
        show("child", mapping);
        run_in_child(|| {
            store(mapping.page(2), b'g');
            show("grandchild", mapping);
            0
        });
        show("child", mapping);
        0
    });
    wait(child.expect("fork")).expect("wait");
    show("parent", mapping);
    counted("the last that has a page keeps it", 1, || {
        store(mapping.page(0), b'q');
    });
    show_file(file);
    mapping.unmap();
}

/// A file that may only be read can still be copied from.
fn read_only() {
    let file = open_at(HERE, c"file", O_RDONLY, 0).expect("open");
    let start = map(file, LENGTH, PROT_READ, MAP_PRIVATE, 0).expect("mmap");
    let mapping = Mapping::at(start, PAGES);
    show("read", mapping);
    mprotect(start, LENGTH, RW).expect("mprotect");
    store(mapping.page(6), b'r');
    show("written", mapping);
    show_file(file);
    mapping.unmap();
    close(file).expect("close");
}

/// Copies go along when their area moves.
fn moved(file: u32) {
    let mapping = private(file);
    store(mapping.page(7), b'k');
    let start = mremap(mapping.page(4), 4 * PAGE, 8 * PAGE, MREMAP_MAYMOVE, 0).expect("mremap");
    show("moved", Mapping::at(start, 4));
    truncate(file, 12 * PAGE).expect("ftruncate");
    write_at(file, b"l", 11 * PAGE).expect("pwrite");
    println!(
        "the longer area's last page: {}",
        load(start + 7 * PAGE) as char
    );
    munmap(start, 8 * PAGE).expect("munmap");
    munmap(mapping.page(0), 4 * PAGE).expect("munmap");
}
