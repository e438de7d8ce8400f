//! Shows files that a disk keeps: written by calls and through mappings, cut, moved, removed, run; and what is left of
//! them.
//!
//! `volume_files` works in a folder of the working folder, wherever that lies. `volume_files DISK` mounts that disk first
//! and works there; `volume_files DISK again` only looks at what an earlier run left. What it prints is the same each time.
#![no_std]
#![forbid(unsafe_code)]

use core::ffi::CStr;

use programs::launch::start;
use rt::abi::general::{
    AT_FDCWD, MAP_SHARED, MS_SYNC, O_APPEND, O_CREAT, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY,
    PROT_READ, PROT_WRITE, SEEK_END,
};
use rt::file::{self, close, map, open, read_at, seek, status, write_at};
use rt::io::{read, write, write_all};
use rt::memory::{PAGE, munmap};
use rt::mount::{mount, unmount};
use rt::path::{
    go, link, link_to, make_folder, open_at, remove, remove_folder, rename, set_mode, status_of,
    truncate,
};
use rt::process::wait;
use rt::{Errno, env, println, probe};

/// Where a disk is mounted.
const PLACE: &CStr = c"/tmp/volume";

const SIZES: [usize; 12] = [
    0, 1, 100, 1023, 1024, 1025, 4095, 4096, 4097, 12_293, 100_000, 300_001,
];

/// Bytes written at a time.
const PIECE: usize = 5000;

fn main() {
    let disk = env::args().nth(1);
    let is_again = env::args().nth(2).is_some();
    if let Some(disk) = disk {
        make_folder(PLACE, 0o755).expect("mkdir");
        mount(Some(disk), PLACE, Some(c"ext2"), 0, None).expect("mount");
        go(PLACE).expect("chdir");
    }
    if !is_again {
        make_folder(c"work", 0o755).expect("mkdir");
    }
    go(c"work").expect("chdir");
    if !is_again {
        written();
        cut();
        mapped();
        names();
        executed();
    }
    look();
    go(c"..").expect("chdir");
    if disk.is_some() {
        go(c"/").expect("chdir");
        unmount(PLACE, 0).expect("umount");
        remove_folder(PLACE).expect("rmdir");
    }
}

/// Byte `at` of what file number `seed` holds: `tests/programs/volumes.rs` knows the same.
fn byte(seed: usize, at: usize) -> u8 {
    let word = (at / 8 + 1 + seed * 1_000_003).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    word.to_le_bytes()[at % 8]
}

/// The number in a file's name, as text.
fn name_of<'a>(room: &'a mut [u8; 16], stem: &[u8], number: usize) -> &'a CStr {
    *room = [0; 16];
    room[..stem.len()].copy_from_slice(stem);
    let digits = [number / 100, number / 10 % 10, number % 10];
    for (place, digit) in room[stem.len()..].iter_mut().zip(digits) {
        *place = b'0' + digit as u8;
    }
    CStr::from_bytes_until_nul(room).expect("names are short")
}

fn fill(path: &CStr, seed: usize, size: usize) {
    let file = open_at(AT_FDCWD as u32, path, O_CREAT | O_WRONLY | O_TRUNC, 0o644).expect("open");
    let mut piece = [0; PIECE];
    let mut at = 0;
    while at < size {
        let length = PIECE.min(size - at);
        for (place, offset) in piece[..length].iter_mut().zip(at..) {
            *place = byte(seed, offset);
        }
        write_all(file, &piece[..length]).expect("write");
        at += length;
    }
    close(file).expect("close");
}

fn written() {
    let mut room = [0; 16];
    for (number, size) in SIZES.into_iter().enumerate() {
        fill(name_of(&mut room, b"f", number), number, size);
    }
    let file = open(c"f003", O_WRONLY | O_APPEND).expect("open");
    println!("appended: {:?}", write(file, b"more"));
    close(file).expect("close");
    let file = open_at(AT_FDCWD as u32, c"sparse", O_CREAT | O_RDWR, 0o600).expect("open");
    println!("far away: {:?}", write_at(file, b"0123456789", 1_000_000));
    println!("between: {:?}", read_at(file, &mut [1; 64], 500_000));
    println!("the end: {:?}", seek(file, 0, SEEK_END));
    println!("synced: {:?}", file::sync(file));
    close(file).expect("close");
}

fn cut() {
    fill(c"cut", 20, 200_000);
    truncate(c"cut", 50_001).expect("truncate");
    truncate(c"cut", 60_000).expect("truncate");
    fill(c"short", 21, 10_000);
    truncate(c"short", 0).expect("truncate");
    fill(c"again", 22, 100_000);
    fill(c"again", 23, 5_000);
}

/// Stores through a mapping: to a hole, to what was written, and behind an end that moves.
fn mapped() {
    let size = 100_000;
    let file = open_at(AT_FDCWD as u32, c"mapped", O_CREAT | O_RDWR, 0o644).expect("open");
    file::truncate(file, size).expect("ftruncate");
    let start = map(file, size, PROT_READ | PROT_WRITE, MAP_SHARED, 0).expect("mmap");
    for page in [0, 3, 7, 24] {
        let first = page * PAGE;
        for at in first..(first + PAGE).min(size) {
            probe::store(start + at, byte(24, at));
        }
    }
    println!("seen by a call: {}", has(file, 24, 3 * PAGE, 100));
    write_at(file, &[byte(24, 40_000)], 40_000).expect("pwrite");
    println!(
        "seen by a load: {}",
        probe::load(start + 40_000) == byte(24, 40_000)
    );
    println!("synced: {:?}", rt::memory::msync(start, size, MS_SYNC));
    file::truncate(file, 30_000).expect("ftruncate");
    file::truncate(file, size).expect("ftruncate");
    println!("cleared: {}", probe::load(start + 30_000) == 0);
    probe::store(start + 90_000, 9);
    munmap(start, size).expect("munmap");
    close(file).expect("close");
}

/// Whether `count` bytes of an open file from `at` on are those of number `seed`.
fn has(file: u32, seed: usize, at: usize, count: usize) -> bool {
    let mut buffer = [0; 128];
    let buffer = &mut buffer[..count];
    read_at(file, buffer, at) == Ok(count)
        && buffer
            .iter()
            .zip(at..)
            .all(|(read, at)| *read == byte(seed, at))
}

fn names() {
    let mut room = [0; 16];
    make_folder(c"many", 0o755).expect("mkdir");
    for number in 0..200 {
        fill(name_of(&mut room, b"many/x", number), number, number);
    }
    for number in (1..200).step_by(2) {
        remove(name_of(&mut room, b"many/x", number)).expect("unlink");
    }
    fill(c"old", 30, 3000);
    rename(c"old", c"moved", 0).expect("rename");
    rename(c"moved", c"many/moved", 0).expect("rename");
    rename(c"many/moved", c"f001", 0).expect("rename");
    link(c"f010", c"both").expect("link");
    link_to(c"f002", c"link").expect("symlink");
    let long = c"a/long/way/that/does/not/fit/into/an/inode/and/so/gets/a/block/of/its/own";
    link_to(long, c"longer").expect("symlink");
    make_folder(c"empty", 0o700).expect("mkdir");
    println!("not empty: {:?}", remove_folder(c"many"));
    println!("there already: {:?}", make_folder(c"many", 0o755));
    fill(c"gone", 31, 70_000);
    let file = open(c"gone", O_RDONLY).expect("open");
    remove(c"gone").expect("unlink");
    println!("without a name: {}", has(file, 31, 69_900, 100));
    println!("links: {}", status(file).expect("fstat").st_nlink);
    close(file).expect("close");
    make_folder(c"away", 0o755).expect("mkdir");
    rename(c"away", c"many/away", 0).expect("rename");
    remove_folder(c"many/away").expect("rmdir");
}

/// A program that lies there.
fn executed() {
    let from = beside(c"exit_code");
    let source = open(CStr::from_bytes_until_nul(&from).expect("a path"), O_RDONLY).expect("open");
    let target = open_at(AT_FDCWD as u32, c"program", O_CREAT | O_WRONLY, 0o755).expect("open");
    let mut piece = [0; PIECE];
    loop {
        match read(source, &mut piece).expect("read") {
            0 => break,
            count => write_all(target, &piece[..count]).expect("write"),
        }
    }
    close(source).expect("close");
    println!("while it is written: {:?}", run());
    close(target).expect("close");
    set_mode(c"program", 0o755).expect("chmod");
    println!("it ends with {:?}", run());
    remove(c"program").expect("unlink");
}

fn run() -> Result<u8, Errno> {
    let ended = start(&[c"./program", c"7"]).and_then(wait)?;
    Ok(ended.status.shell_code())
}

/// The path of a program beside this one.
fn beside(name: &CStr) -> [u8; 512] {
    let own = env::program_path().to_bytes();
    let folder = own
        .iter()
        .rposition(|&byte| byte == b'/')
        .map_or(0, |slash| slash + 1);
    let mut path = [0; 512];
    path[..folder].copy_from_slice(&own[..folder]);
    path[folder..folder + name.count_bytes()].copy_from_slice(name.to_bytes());
    path
}

/// What all files hold, as sums.
fn look() {
    let mut room = [0; 16];
    for number in 0..SIZES.len() {
        show(name_of(&mut room, b"f", number));
    }
    for name in [
        c"sparse", c"cut", c"short", c"again", c"mapped", c"both", c"link", c"longer",
    ] {
        show(name);
    }
    for number in [0, 1, 2, 100, 198, 199] {
        show(name_of(&mut room, b"many/x", number));
    }
    [c"empty", c"gone", c"program", c"old"]
        .into_iter()
        .for_each(show);
}

fn show(path: &CStr) {
    let name = path.to_str().expect("UTF-8");
    let about = match status_of(path) {
        Ok(about) => about,
        Err(errno) => return println!("{name}: {errno:?}"),
    };
    let mode = about.st_mode;
    if mode & 0o170_000 == 0o040_000 {
        return println!("{name}: {mode:o}");
    }
    let sum = match open(path, O_RDONLY) {
        Ok(file) => sum_of(file),
        Err(errno) => return println!("{name}: {mode:o}, {} bytes, {errno:?}", about.st_size),
    };
    println!(
        "{name}: {mode:o}, {} bytes, {} links, {sum:016x}",
        about.st_size, about.st_nlink
    );
}

/// As `tests/programs/volumes.rs` sums.
fn sum_of(file: u32) -> u64 {
    let mut piece = [0; PIECE];
    let mut sum = 0xcbf2_9ce4_8422_2325_u64;
    loop {
        match read(file, &mut piece).expect("read") {
            0 => break,
            count => {
                for byte in &piece[..count] {
                    sum = (sum ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
                }
            }
        }
    }
    close(file).expect("close");
    sum
}
