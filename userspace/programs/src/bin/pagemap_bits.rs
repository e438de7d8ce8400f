//! Shows `/proc/self/pagemap`: a word for each page, mapped or not, that tells what the page tables hold.
//!
//! The frame's number is root's to know; whether two pages show the same frame is all that is used of it here.
#![no_std]
#![forbid(unsafe_code)]

use programs::proc::File;
use rt::abi::general::O_RDONLY;
use rt::memory::{Mapping, PAGE, PROT_NONE, PROT_READ, PROT_WRITE, madvise, munmap, share};
use rt::process::run_in_child;
use rt::{println, probe};

const PAGES: usize = 8;
const MADV_DONTNEED: u32 = 4;

fn main() {
    private();
    shared();
    frames();
    refusals();
}

/// The words of the mapping's pages.
fn words(memory: Mapping) -> [u64; PAGES] {
    let file = File::open(c"/proc/self/pagemap", O_RDONLY).expect("open");
    let mut bytes = [0; PAGES * 8];
    let offset = memory.page(0) / PAGE * 8;
    assert_eq!(file.read_at(&mut bytes, offset), Ok(PAGES * 8));
    file.close();
    core::array::from_fn(|index| {
        let word = bytes[index * 8..][..8].first_chunk();
        u64::from_le_bytes(*word.expect("eight bytes"))
    })
}

/// A letter a page: `.` nothing; in memory `z` neither a file's nor anybody's alone, `p` this process's alone, `f` and `s`
/// the same of files and shared memory.
fn show(what: &str, memory: Mapping) {
    let letter = |word: u64| match (word >> 63, word >> 61 & 1, word >> 56 & 1) {
        (0, 0, 0) if word >> 62 & 1 == 0 => '.',
        (1, 0, 0) => 'z',
        (1, 0, 1) => 'p',
        (1, 1, 0) => 's',
        (1, 1, 1) => 'f',
        _ => '?',
    };
    let letters = words(memory).map(letter);
    let mut text = [0; PAGES];
    for (place, letter) in text.iter_mut().zip(letters) {
        *place = letter as u8;
    }
    println!("{}  {what}", core::str::from_utf8(&text).unwrap_or("?"));
}

fn private() {
    let memory = Mapping::new(PAGES);
    show("promised", memory);
    _ = probe::load(memory.page(0));
    _ = probe::load(memory.page(1));
    show("two pages read: the zero page", memory);
    (1..6).for_each(|index| probe::store(memory.page(index), 1));
    show("five pages written", memory);
    memory.protect(2, 1, PROT_NONE).expect("mprotect");
    show("one out of reach: it is kept", memory);
    madvise(memory.page(3), PAGE, MADV_DONTNEED).expect("madvise");
    show("one not needed any more", memory);
    let status = run_in_child(|| {
        show("a child, with its parent's pages", memory);
        probe::store(memory.page(1), 2);
        show("with one of its own", memory);
        0
    });
    println!("the child: {status}");
    show("alone again", memory);
    munmap(memory.page(4), PAGE).expect("munmap");
    show("a hole", memory);
    memory.unmap();
    show("nothing", memory);
}

fn shared() {
    let memory = Mapping::new(PAGES);
    share(memory.page(0), 4 * PAGE, PROT_READ | PROT_WRITE).expect("mmap");
    probe::store(memory.page(0), 1);
    _ = probe::load(memory.page(1));
    show("four pages shared, one written, one read", memory);
    let status = run_in_child(|| {
        show("a child has faulted on none of them", memory);
        _ = probe::load(memory.page(0));
        _ = probe::load(memory.page(1));
        show("and now on two", memory);
        0
    });
    println!("the child: {status}");
    memory.unmap();
}

/// The same frame before a copy, another behind it. Others than root read 0.
fn frames() {
    const NUMBER: u64 = (1 << 55) - 1;
    let memory = Mapping::new(PAGES);
    memory.fill(1);
    let before = words(memory).map(|word| word & NUMBER);
    let status = run_in_child(|| {
        let same = words(memory).map(|word| word & NUMBER) == before;
        println!("a child sees the same frames: {same}");
        probe::store(memory.page(0), 2);
        let now = words(memory)[0] & NUMBER;
        println!("until it writes: {}", now != before[0] || before[0] == 0);
        0
    });
    println!("the child: {status}");
    memory.unmap();
}

fn refusals() {
    let file = File::open(c"/proc/self/pagemap", O_RDONLY).expect("open");
    let mut bytes = [0; 16];
    println!(
        "from the middle of a word: {:?}",
        file.read_at(&mut bytes, 4)
    );
    println!("half a word: {:?}", file.read(&mut bytes[..4]));
    println!("behind the end: {:?}", file.read_at(&mut bytes, 1 << 62));
    file.close();
}
