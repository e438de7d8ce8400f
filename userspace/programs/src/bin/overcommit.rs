//! Shows what a promise of memory costs: nothing, as long as it might be kept.
//!
//! By default (mode 0 of `vm.overcommit_memory`) only what can never be kept is refused: one promise of more than all
//! memory. Called with the word `always` the program expects mode 1, where nothing is refused; with `strict` mode 2: no
//! more than half of memory in all, and no exceptions. With `switch` it chooses each of the modes itself. Memory that is
//! shared is promised as a whole, memory files page by page.
#![no_std]
#![forbid(unsafe_code)]

use core::ffi::CStr;

use programs::lesson::ends;
use programs::proc::{Room, number, read};
use rt::abi::general::O_WRONLY;
use rt::file::{close, map, memfd, open, truncate, write_at};
use rt::io::write;
use rt::memory::{
    MAP_ANONYMOUS, MAP_NORESERVE, MAP_PRIVATE, MAP_SHARED, PAGE, PROT_NONE, PROT_READ, PROT_WRITE,
    mmap, mprotect, munmap,
};
use rt::process::{Status, fork};
use rt::signal::Signal;
use rt::{Errno, env, println, probe, system};

const READ_WRITE: u32 = PROT_READ | PROT_WRITE;

fn main() {
    let memory = system::total_memory().expect("sysinfo") & !(2 * PAGE - 1);
    match env::arg(1) {
        Some("strict") => strict(memory),
        Some("always") => always(memory),
        Some("switch") => switch(memory),
        _ => generous(memory),
    }
}

/// Mode 0.
fn generous(memory: usize) {
    let more = 2 * memory;
    assert_eq!(mmap(0, more, READ_WRITE, 0), Err(Errno::ENOMEM));
    println!("twice the memory that there is, to be written: ENOMEM");

    for (what, protection, flags) in [
        ("to be read", PROT_READ, 0),
        ("to be written, without reserve", READ_WRITE, MAP_NORESERVE),
    ] {
        let start = mmap(0, more, protection, flags).expect("mmap");
        println!("twice the memory that there is, {what}: fine");
        munmap(start, more).expect("munmap");
    }

    let start = mmap(0, more, PROT_NONE, 0).expect("mmap");
    assert_eq!(mprotect(start, more, READ_WRITE), Err(Errno::ENOMEM));
    println!("making so much writable at once: ENOMEM");
    for part in 0..4 {
        mprotect(start + part * (more / 4), more / 4, READ_WRITE).expect("mprotect");
    }
    println!("making it writable in four steps: fine, each might be kept");
    assert_eq!(fork().err(), Some(Errno::ENOMEM));
    println!("a child would be promised all of it at once: ENOMEM");
    mprotect(start + more / 2, PAGE, PROT_NONE).expect("mprotect");
    ends("a child of two such halves", Status::Exited(0), || 0);
    munmap(start, more).expect("munmap");
    generous_to_shared(more);
}

/// Memory that processes share is promised when it is made, whoever may write to it.
fn generous_to_shared(more: usize) {
    for (what, protection) in [("written", READ_WRITE), ("read", PROT_READ)] {
        assert_eq!(shared(more, protection, 0), Err(Errno::ENOMEM));
        println!("shared memory of that size, to be {what}: ENOMEM");
    }
    let start = shared(more, READ_WRITE, MAP_NORESERVE).expect("mmap");
    println!("the same without reserve: fine");
    munmap(start, more).expect("munmap");
    let file = memfd(c"large", 0).expect("memfd_create");
    truncate(file, more).expect("ftruncate");
    let start = map(file, more, READ_WRITE, MAP_SHARED, 0).expect("mmap");
    println!("a memory file of that size, shared: fine");
    munmap(start, more).expect("munmap");
    let private = map(file, more, READ_WRITE, MAP_PRIVATE, 0);
    assert_eq!(private, Err(Errno::ENOMEM));
    println!("the same to be copied: ENOMEM");
    close(file).expect("close");
}

/// A mapping of shared memory, wherever there is room.
fn shared(length: usize, protection: u32, flags: u32) -> Result<usize, Errno> {
    map(
        u32::MAX,
        length,
        protection,
        flags | MAP_SHARED | MAP_ANONYMOUS,
        0,
    )
}

/// Mode 1: whatever there is a place for.
fn always(memory: usize) {
    let mut room: Room = [0; 32768];
    assert_eq!(read(c"/proc/sys/vm/overcommit_memory", &mut room), "1\n");
    let before = promised();
    let more = 2 * memory;
    let start = mmap(0, more, READ_WRITE, 0).expect("mmap");
    assert_eq!(promised() - before, more / 1024);
    println!("twice the memory that there is, to be written: fine, and counted");
    ends(
        "a child to which all of it is promised too",
        Status::Exited(0),
        || {
            probe::store(start, 1);
            let second = mmap(0, 8 * more, READ_WRITE, 0).expect("mmap");
            probe::store(second + 8 * more - PAGE, 1);
            0
        },
    );
    mprotect(start, more, PROT_READ).expect("mprotect");
    mprotect(start, more, READ_WRITE).expect("mprotect");
    println!("made writable once more at once: fine");
    let second = shared(more, READ_WRITE, 0).expect("mmap");
    println!("shared memory of that size: fine");
    munmap(second, more).expect("munmap");
    munmap(start, more).expect("munmap");
    assert_eq!(promised(), before);
    println!("all promises are taken back");
}

/// Mode 2.
fn strict(memory: usize) {
    let (third, quarter) = (memory / PAGE / 3 * PAGE, memory / PAGE / 4 * PAGE);
    for flags in [0, MAP_NORESERVE] {
        let first = mmap(0, third, READ_WRITE, flags).expect("mmap");
        assert_eq!(mmap(0, quarter, READ_WRITE, flags), Err(Errno::ENOMEM));
        println!("a third of memory: fine; a quarter more: ENOMEM");
        mprotect(first, third, PROT_READ).expect("mprotect");
        let second = mmap(0, quarter, READ_WRITE, flags).expect("mmap");
        println!("a quarter, when the third can't be written any more: fine");
        assert_eq!(mprotect(first, third, READ_WRITE), Err(Errno::ENOMEM));
        munmap(second, quarter).expect("munmap");
        mprotect(first, third, READ_WRITE).expect("mprotect");
        println!("the third is promised again only when the quarter was given back");
        assert_eq!(fork().err(), Some(Errno::ENOMEM));
        println!("no child is born to a promise of two thirds");
        munmap(first, third).expect("munmap");
        strict_about_shared(third, quarter, flags);
    }
    strict_about_files(third);
}

/// Shared memory counts once, untouched, for parent and child, until the last of them lets go.
fn strict_about_shared(third: usize, quarter: usize, flags: u32) {
    let first = shared(third, READ_WRITE, flags).expect("mmap");
    assert_eq!(shared(quarter, PROT_READ, flags), Err(Errno::ENOMEM));
    assert_eq!(mmap(0, quarter, READ_WRITE, 0), Err(Errno::ENOMEM));
    println!("a third of memory, shared: fine; a quarter more, shared or not: ENOMEM");
    ends("a child with the same third", Status::Exited(0), || 0);
    let second = shared(PAGE, READ_WRITE, flags).expect("mmap");
    assert_eq!(shared(quarter, READ_WRITE, flags), Err(Errno::ENOMEM));
    munmap(first, third).expect("munmap");
    let first = shared(quarter, READ_WRITE, flags).expect("mmap");
    println!("a quarter, when the third was given back");
    munmap(first, quarter).expect("munmap");
    munmap(second, PAGE).expect("munmap");
}

/// A memory file's pages are promised as they come: SIGBUS and ENOSPC where no more are.
fn strict_about_files(third: usize) {
    let file = memfd(c"large", 0).expect("memfd_create");
    truncate(file, third).expect("ftruncate");
    let start = map(file, third, READ_WRITE, MAP_SHARED, 0).expect("mmap");
    println!("a memory file of a third: fine, nothing of it is there");
    let before = promised();
    probe::store(start, 1);
    assert!(probe::load(start + PAGE) == 0);
    assert_eq!(promised() - before, 2 * PAGE / 1024);
    println!("a page written and a page read: promised");
    ends(
        "a page more than is promised",
        Status::Killed(Signal::BUS),
        || {
            take_all();
            (2..third / PAGE).for_each(|page| probe::store(start + page * PAGE, 1));
            0
        },
    );
    ends(
        "a write of more than is promised",
        Status::Exited(0),
        || {
            take_all();
            let zeroes = [0; PAGE];
            let refused =
                (2..third / PAGE).find_map(|page| write_at(file, &zeroes, page * PAGE).err());
            assert_eq!(refused, Some(Errno::ENOSPC));
            println!("a write to it: ENOSPC");
            0
        },
    );
    truncate(file, 0).expect("ftruncate");
    assert_eq!(promised(), before);
    println!("the file is cut short: all is given back");
    close(file).expect("close");
}

/// Has everything promised to this process but what is kept back from large ones.
fn take_all() {
    for size in [1 << 24, 1 << 20, PAGE] {
        while mmap(0, size, READ_WRITE, 0).is_ok() {}
    }
}

/// Kilobytes that all are promised.
fn promised() -> usize {
    let mut room: Room = [0; 32768];
    number(read(c"/proc/meminfo", &mut room), "Committed_AS") as usize
}

/// Whoever may write to the setting chooses the mode.
fn switch(memory: usize) {
    const MODE: &CStr = c"/proc/sys/vm/overcommit_memory";
    const RATIO: &CStr = c"/proc/sys/vm/overcommit_ratio";
    for (mode, shown) in [
        (c"1\n", always as fn(usize)),
        (c" 2", strict),
        (c"0", generous),
    ] {
        set(MODE, mode).expect("a mode that exists");
        shown(memory);
    }
    for nonsense in [c"3", c"-1", c"two"] {
        assert_eq!(set(MODE, nonsense), Err(Errno::EINVAL), "{nonsense:?}");
    }
    set(MODE, c"2").expect("a mode that exists");
    let quarter = memory / PAGE / 4 * PAGE;
    set(RATIO, c"20").expect("overcommit_ratio");
    assert_eq!(mmap(0, quarter, READ_WRITE, 0), Err(Errno::ENOMEM));
    set(RATIO, c"50").expect("overcommit_ratio");
    let start = mmap(0, quarter, READ_WRITE, 0).expect("mmap");
    munmap(start, quarter).expect("munmap");
    set(MODE, c"0").expect("a mode that exists");
    println!("strict mode promises as much as its ratio says");
}

fn set(setting: &CStr, text: &CStr) -> Result<usize, Errno> {
    let file = open(setting, O_WRONLY).expect("open");
    let written = write(file, text.to_bytes());
    close(file).expect("close");
    written
}
