//! Reads a disk through every door and says what it saw: `disk read PATH`, `disk device PATH`, `disk errors PATH SECTOR`,
//! `disk killed PATH`, `disk ahead PATH`, `disk large PATH`.
//!
//! Each eight bytes of the disk are their own number, scrambled, as whoever made it wrote them; so every page knows whether
//! it is the right one. `read` shows the same for a plain file of the same bytes, on Linux too.
#![no_std]
#![forbid(unsafe_code)]

mod large;

use core::ffi::CStr;
use core::time::Duration;

use programs::disk::{differs, word_at};
use programs::proc;
use rt::abi::general::{MAP_PRIVATE, MAP_SHARED, O_RDONLY, O_RDWR, O_WRONLY, SEEK_END, SEEK_SET};
use rt::abi::ioctl::{BLKBSZGET, BLKGETSIZE, BLKGETSIZE64, BLKROGET, BLKSSZGET, FIONREAD};
use rt::file::{ask, close, map, open, read_at, seek, status, write_at};
use rt::handler::{Action, act};
use rt::io::read;
use rt::memory::{PAGE, PROT_READ, PROT_WRITE, munmap};
use rt::process::{spawn, wait};
use rt::signal::{Signal, kill};
use rt::{Errno, attempt, env, println, probe, time};

fn main() {
    attempt::prepare();
    let mut words = env::args().skip(1);
    let (mode, path) = (words.next().expect("a mode"), words.next().expect("a path"));
    match mode.to_bytes() {
        b"read" => {
            sequentially(path);
            here_and_there(path);
            mapped(path);
            together(path);
        }
        b"device" => device(path),
        b"errors" => errors(path, sector(words.next().expect("a sector"))),
        b"killed" => killed(path),
        b"ahead" => ahead(path),
        b"large" => large::read(path),
        _ => panic!("no such mode"),
    }
}

fn sector(word: &CStr) -> usize {
    let word = word.to_str().expect("UTF-8");
    word.parse().expect("a number")
}

fn size_of(file: u32) -> usize {
    seek(file, 0, SEEK_END).expect("lseek")
}

/// Pieces that fit no sector and no page.
fn sequentially(path: &CStr) {
    let file = open(path, O_RDONLY).expect("open");
    let size = size_of(file);
    seek(file, 0, SEEK_SET).expect("lseek");
    let mut buffer = [0; 5000];
    let mut at = 0;
    loop {
        let count = read(file, &mut buffer).expect("read");
        if count == 0 {
            break;
        }
        assert_eq!(differs(&buffer[..count], at), None, "from byte {at} on");
        at += count;
    }
    println!("in order: {at} bytes of {size}, each as it was written");
    close(file).expect("close");
}

fn here_and_there(path: &CStr) {
    let file = open(path, O_RDONLY).expect("open");
    let size = size_of(file);
    let mut buffer = [0; 9000];
    for (at, length) in [
        (size / 2, 1),
        (size - 700, 700),
        (PAGE - 3, 9),
        (size / 3, 9000),
        (size - 1, 1),
        (0, 512),
    ] {
        assert_eq!(read_at(file, &mut buffer[..length], at), Ok(length));
        assert_eq!(differs(&buffer[..length], at), None, "from byte {at} on");
    }
    println!("out of order: each as it was written");
    let end = read_at(file, &mut buffer, size - 5);
    println!("five bytes before the end: {end:?}");
    let behind = read_at(file, &mut buffer, size);
    println!("behind the end: {behind:?}");
    let mut step = 1_usize;
    for _ in 0..200 {
        step = step.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let at = (step >> 20) % (size - 64);
        assert_eq!(read_at(file, &mut buffer[..64], at), Ok(64));
        assert_eq!(differs(&buffer[..64], at), None, "from byte {at} on");
    }
    close(file).expect("close");
}

/// Private and shared mappings, which see the same pages as `read`.
fn mapped(path: &CStr) {
    let file = open(path, O_RDONLY).expect("open");
    let size = size_of(file);
    let length = size.next_multiple_of(PAGE);
    let shared = map(file, length, PROT_READ, MAP_SHARED, 0).expect("mmap");
    let private = map(file, length, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0).expect("mmap");
    close(file).expect("close");
    for at in (0..size - 8).step_by(PAGE / 2).rev() {
        assert_eq!(probe::load_word(shared + at), word_at(at));
    }
    println!("shared: as it was written, from the end to the start");
    for at in (0..size - 8).step_by(3 * PAGE) {
        probe::store_word(private + at, !0);
        assert_eq!(probe::load_word(private + at + 8), word_at(at + 8));
        assert_eq!(probe::load_word(shared + at), word_at(at));
    }
    println!("private: stores reach nobody else");
    let tail = size % PAGE;
    let rest = (tail..PAGE).all(|at| probe::load(shared + length - PAGE + at) == 0);
    println!("behind the end of the disk, in its last page: zeroes {rest}");
    let refused = attempt::store(shared, 0).map_err(|fault| (fault.signal, fault.code));
    println!("a store to the shared one: {refused:?}");
    munmap(shared, length).expect("munmap");
    let again = attempt::load(private + PAGE).map(|word| word == word_at(PAGE));
    println!("the private one without the shared one: {again:?}");
    munmap(private, length).expect("munmap");
}

/// Several processes in the same pages at once, some with one position.
fn together(path: &CStr) {
    let file = open(path, O_RDONLY).expect("open");
    let size = size_of(file);
    seek(file, 0, SEEK_SET).expect("lseek");
    let children = [(); 4].map(|()| spawn(|| share_position(file, size)).expect("fork"));
    let others = [1, 2, 3].map(|stride| spawn(move || stride_over(path, stride)).expect("fork"));
    for pid in children.into_iter().chain(others) {
        let status = wait(pid).expect("wait4").status;
        assert_eq!(status.shell_code(), 0, "{status}");
    }
    println!("seven at once: each as it was written");
    close(file).expect("close");
}

/// Reads what the others leave. Pieces of whole words at places of whole words, so that each piece tells its place.
fn share_position(file: u32, size: usize) -> u8 {
    let mut buffer = [0; 4096];
    loop {
        let count = read(file, &mut buffer).expect("read");
        if count == 0 {
            return 0;
        }
        let first = u64::from_le_bytes(core::array::from_fn(|place| buffer[place]));
        let at = (0..size).step_by(4096).find(|at| word_at(*at) == first);
        let Some(at) = at else { return 1 };
        if differs(&buffer[..count], at).is_some() {
            return 2;
        }
    }
}

fn stride_over(path: &CStr, stride: usize) -> u8 {
    let file = open(path, O_RDONLY).expect("open");
    let size = size_of(file);
    let mut buffer = [0; 64];
    for at in (0..size - 64).step_by(stride * PAGE) {
        if read_at(file, &mut buffer, at) != Ok(64) || differs(&buffer, at).is_some() {
            return 3;
        }
    }
    0
}

/// What a disk answers that can only be read.
fn device(path: &CStr) {
    let file = open(path, O_RDWR).expect("open");
    let about = status(file).expect("fstat");
    println!(
        "mode {:o}, device {:#x}, {} bytes, {} by lseek",
        about.st_mode,
        about.st_rdev,
        about.st_size,
        size_of(file)
    );
    for (name, request) in [
        ("BLKGETSIZE64", BLKGETSIZE64),
        ("BLKGETSIZE", BLKGETSIZE),
        ("BLKSSZGET", BLKSSZGET),
        ("BLKBSZGET", BLKBSZGET),
        ("BLKROGET", BLKROGET),
        ("FIONREAD", FIONREAD),
    ] {
        println!("{name}: {:?}", ask(file, request));
    }
    println!("write: {:?}", write_at(file, b"x", 0));
    let writable = PROT_READ | PROT_WRITE;
    for (name, protection) in [("writable", writable), ("readable", PROT_READ)] {
        let shared = map(file, PAGE, protection, MAP_SHARED, 0).map(drop);
        println!("shared and {name}: {shared:?}");
    }
    close(file).expect("close");
    println!("open for writing: {:?}", open(path, O_WRONLY).map(drop));
    println!("no such disk: {:?}", open(c"/dev/vdz", O_RDONLY).map(drop));
    let mut room = [0; 512];
    let disks = proc::read(c"/proc/partitions", &mut room);
    println!("{}", disks.trim_end());
}

/// One sector can't be read.
fn errors(path: &CStr, bad: usize) {
    let file = open(path, O_RDONLY).expect("open");
    let (bad_page, size) = (bad * 512 / PAGE, size_of(file));
    let mut buffer = [0; 512];
    let mut failed = 0;
    for page in 0..size / PAGE {
        match read_at(file, &mut buffer, page * PAGE) {
            Ok(512) => assert_eq!(differs(&buffer, page * PAGE), None, "page {page}"),
            Err(Errno::EIO) => {
                assert_eq!(page, bad_page);
                failed += 1;
            }
            other => panic!("page {page}: {other:?}"),
        }
    }
    println!("reads that failed: {failed}");
    let mut large = [0; 3 * 4096];
    let before = read_at(file, &mut large, (bad_page - 1) * PAGE);
    println!("a read that comes to it: {before:?}");
    let into = read_at(file, &mut large, bad_page * PAGE);
    println!("a read that begins there: {into:?}");
    let start = map(file, size, PROT_READ, MAP_SHARED, 0).expect("mmap");
    for page in [bad_page - 1, bad_page, bad_page + 1, bad_page] {
        let seen = attempt::load(start + page * PAGE);
        let seen = seen.map(|word| word == word_at(page * PAGE));
        let seen = seen.map_err(|fault| (fault.signal, fault.code, fault.address as usize - start));
        println!(
            "page {} from it: {seen:?}",
            page as isize - bad_page as isize
        );
    }
    let child = spawn(|| {
        act(Signal::BUS, Action::default()).expect("rt_sigaction");
        probe::load(start + bad_page * PAGE)
    });
    let child = child.expect("fork");
    println!(
        "a child without handlers: {}",
        wait(child).expect("wait4").status
    );
    munmap(start, size).expect("munmap");
}

/// Processes that are killed while they wait for a slow disk, or unmap what is on its way.
fn killed(path: &CStr) {
    let file = open(path, O_RDONLY).expect("open");
    let size = size_of(file);
    let start = map(file, size, PROT_READ, MAP_SHARED, 0).expect("mmap");
    let mut child = 0;
    let children = [(); 8].map(|()| {
        child += 1;
        let at = child * size / 10;
        spawn(move || wait_for_ever(path, start, at, child % 2 == 0)).expect("fork")
    });
    munmap(start, size).expect("munmap");
    close(file).expect("close");
    time::sleep(Duration::from_millis(300));
    for pid in children {
        kill(pid, Signal::KILL).expect("kill");
    }
    let before = time::now();
    for pid in children {
        println!("{}", wait(pid).expect("wait4").status);
    }
    let is_prompt = time::now() - before < Duration::from_secs(2);
    println!("at once: {is_prompt}");
    let file = open(path, O_RDONLY).expect("open");
    let mut buffer = [0; 64];
    let last = size - 64;
    assert_eq!(read_at(file, &mut buffer, last), Ok(64));
    println!("then: {:?}", differs(&buffer, last));
}

/// Touches page after page, out of order.
fn wait_for_ever(path: &CStr, start: usize, from: usize, by_read: bool) -> u8 {
    let file = open(path, O_RDONLY).expect("open");
    let size = size_of(file);
    let mut buffer = [0; 8];
    let mut at = from;
    loop {
        at = (at + 17 * PAGE) % (size - PAGE);
        if by_read {
            read_at(file, &mut buffer, at).expect("read");
        } else {
            probe::load(start + at);
        }
    }
}

/// How many commands the disk has answered, and KiB it has read.
fn commands() -> (u64, u64) {
    let mut room = [0; 512];
    let line = proc::read(c"/proc/diskstats", &mut room);
    let reads = line
        .split_whitespace()
        .nth(3)
        .and_then(|word| word.parse().ok());
    let mut room = [0; 4096];
    let mut lines = proc::read(c"/proc/vmstat", &mut room).lines();
    let kibibytes = lines.find_map(|line| line.strip_prefix("pgpgin ")?.parse().ok());
    (reads.expect("a number"), kibibytes.expect("a number"))
}

/// Runs `body` in a child, with none of the disk in memory; what that cost.
fn cost(what: &str, body: impl FnOnce() -> u8) {
    let before = commands();
    let ended = wait(spawn(body).expect("fork")).expect("wait4");
    assert_eq!(ended.status.shell_code(), 0, "{}", ended.status);
    let after = commands();
    println!(
        "{what}: {} commands, {} KiB",
        after.0 - before.0,
        after.1 - before.1
    );
}

/// How many commands it takes to read pages in several orders.
fn ahead(path: &CStr) {
    cost("read, in order", || read_pages(path, 0, 768, 1));
    cost("read, in order from the middle", || {
        read_pages(path, 568, 200, 1)
    });
    cost("read, every seventh page", || read_pages(path, 10, 100, 7));
    cost("touched, in order", || touch_pages(path, 0, 768, 1));
    cost("touched, from the end", || touch_pages(path, 767, 100, -1));
    cost("touched, every seventh page", || {
        touch_pages(path, 10, 100, 7)
    });
}

fn read_pages(path: &CStr, first: usize, count: usize, step: usize) -> u8 {
    let file = open(path, O_RDONLY).expect("open");
    let mut buffer = [0; 4096];
    for at in (first * PAGE..).step_by(step * PAGE).take(count) {
        if read_at(file, &mut buffer, at) != Ok(4096) || differs(&buffer, at).is_some() {
            return 1;
        }
    }
    0
}

fn touch_pages(path: &CStr, first: usize, count: usize, step: isize) -> u8 {
    let file = open(path, O_RDONLY).expect("open");
    let start = map(file, size_of(file), PROT_READ, MAP_SHARED, 0).expect("mmap");
    let mut page = first;
    for _ in 0..count {
        if probe::load_word(start + page * PAGE) != word_at(page * PAGE) {
            return 1;
        }
        page = page.wrapping_add_signed(step);
    }
    0
}
