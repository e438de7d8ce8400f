//! Shows bytes that go from file to file without passing through the program: `sendfile`, `copy_file_range`, `splice` and
//! their kin; and transfers whose flags say more than the file's.
#![no_std]
#![forbid(unsafe_code)]

mod ranges;
mod sending;
mod splicing;

use core::ffi::CStr;

use rt::abi::general::{
    O_CREAT, O_DIRECTORY, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY, RWF_APPEND, RWF_DSYNC, RWF_NOWAIT,
    RWF_SYNC, SEEK_CUR,
};
use rt::copy::{advise, read_ahead, read_by, sync_range, write_by};
use rt::file::{close, pipe, read_at, seek, status, write_at};
use rt::handler::{Action, act};
use rt::io::write_all;
use rt::memory::PAGE;
use rt::path::{HERE, open_at, remove};
use rt::signal::Signal;
use rt::{Errno, println};

/// Bytes of the file that is copied.
const SIZE: usize = 5 * PAGE + 100;

fn main() {
    act(Signal::PIPE, Action::IGNORE).expect("sigaction");
    let source = source();
    sending::sending(source);
    sending::sending_to_pipes(source);
    sending::not_sent(source);
    ranges::ranges(source);
    ranges::no_ranges(source);
    splicing::splicing(source);
    splicing::not_spliced(source);
    splicing::between_pipes();
    splicing::interrupted();
    flags();
    foresight(source);
    close(source).expect("close");
    remove(c"source").expect("unlink");
    remove(c"target").expect("unlink");
}

fn make(path: &CStr, flags: u32) -> u32 {
    open_at(HERE, path, O_CREAT | O_TRUNC | flags, 0o644).expect("open")
}

/// A byte of the file, which tells where it is.
fn byte(at: usize) -> u8 {
    (at / 64 + at % 64) as u8
}

fn source() -> u32 {
    let file = make(c"source", O_RDWR);
    let mut at = 0;
    while at < SIZE {
        let mut piece = [0; 512];
        let count = (SIZE - at).min(piece.len());
        for (place, to) in piece.iter_mut().enumerate() {
            *to = byte(at + place);
        }
        write_all(file, &piece[..count]).expect("write");
        at += count;
    }
    file
}

/// Where the copy of the bytes from `start` on differs from them: nowhere.
fn check(file: u32, at: usize, start: usize, length: usize) {
    let mut done = 0;
    while done < length {
        let mut piece = [0; 512];
        let wanted = (length - done).min(piece.len());
        let count = read_at(file, &mut piece[..wanted], at + done).expect("pread");
        assert_ne!(count, 0, "the copy is too short");
        let differs = (0..count).find(|&place| piece[place] != byte(start + done + place));
        assert_eq!(differs, None, "the copy differs");
        done += count;
    }
}

fn position(file: u32) -> usize {
    seek(file, 0, SEEK_CUR).expect("lseek")
}

fn size(file: u32) -> i64 {
    status(file).expect("fstat").st_size
}

/// preadv2 and pwritev2.
fn flags() {
    let file = make(c"target", O_RDWR);
    println!(
        "written through: {:?}",
        write_by(file, b"0123456789", 0, RWF_DSYNC)
    );
    println!("at {}", position(file));
    println!(
        "appended: {:?}",
        write_by(file, b"abc", 2, RWF_APPEND | RWF_SYNC)
    );
    println!("at the position: {:?}", write_by(file, b"XY", -1, 0));
    println!("at {}, {} bytes", position(file), size(file));
    let mut bytes = [0; 16];
    println!("read: {:?}", read_by(file, &mut bytes, 0, 0));
    println!("{}", bytes[..13].escape_ascii());
    println!(
        "read on: {:?}, at {}",
        read_by(file, &mut bytes[..3], -1, 0),
        position(file)
    );
    println!("strange flags: {:?}", read_by(file, &mut bytes, 0, 1 << 30));
    println!("no place: {:?}", read_by(file, &mut bytes, -2, 0));
    let [from, to] = pipe(0).expect("pipe");
    println!(
        "not to wait: {:?}",
        read_by(from, &mut bytes, -1, RWF_NOWAIT)
    );
    println!("a place in a pipe: {:?}", write_by(to, b"x", 0, 0));
    for file in [file, from, to] {
        close(file).expect("close");
    }
}

fn foresight(source: u32) {
    let folder = open_at(HERE, c".", O_RDONLY | O_DIRECTORY, 0).expect("open");
    let writer = open_at(HERE, c"target", O_WRONLY, 0).expect("open");
    let [from, to] = pipe(0).expect("pipe");
    let told = |what: &str, result: Result<(), Errno>| println!("{what}: {result:?}");
    for advice in 0..7 {
        told("advice", advise(source, 0, 0, advice));
    }
    told("advice of a pipe", advise(from, 0, 0, 0));
    told("advice of negative length", advise(source, 0, -1, 0));
    told("advice of nothing", advise(99, 0, 0, 0));
    told("read ahead", read_ahead(source, 0, 1 << 20));
    told("read a folder ahead", read_ahead(folder, 0, 1));
    told("read a pipe ahead", read_ahead(from, 0, 1));
    told("read a writer ahead", read_ahead(writer, 0, 1));
    told("sync a range", sync_range(source, 0, 100, 7));
    told("sync with strange flags", sync_range(source, 0, 100, 8));
    told("sync before the start", sync_range(source, -1, 100, 0));
    told("sync backwards", sync_range(source, 100, -1, 0));
    told("sync a pipe", sync_range(to, 0, 0, 0));
    println!("{:?}", write_at(source, b"", 0));
    for file in [folder, writer, from, to] {
        close(file).expect("close");
    }
}
