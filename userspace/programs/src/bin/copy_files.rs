//! Shows bytes that go from file to file without passing through the program: `sendfile`, `copy_file_range`, `splice` and
//! their kin; and transfers whose flags say more than the file's.
#![no_std]
#![forbid(unsafe_code)]

use core::ffi::CStr;
use core::time::Duration;

use rt::abi::general::{
    O_APPEND, O_CREAT, O_DIRECTORY, O_NONBLOCK, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY, RWF_APPEND,
    RWF_DSYNC, RWF_NOWAIT, RWF_SYNC, SEEK_CUR, SEEK_SET, SPLICE_F_MOVE, SPLICE_F_NONBLOCK,
};
use rt::copy::{advise, copy, give, read_ahead, read_by, send, splice, sync_range, tee, write_by};
use rt::file::{close, memfd, pipe, read_at, seek, status, truncate, write_at};
use rt::handler::{Action, Context, Info, act, handle};
use rt::io::{read, write, write_all};
use rt::memory::PAGE;
use rt::path::{HERE, open_at, remove};
use rt::process::{Status, spawn, try_wait, wait};
use rt::signal::{Signal, kill};
use rt::time::sleep;
use rt::{Errno, println};

/// Bytes of the file that is copied.
const SIZE: usize = 5 * PAGE + 100;

fn main() {
    act(Signal::PIPE, Action::IGNORE).expect("sigaction");
    let source = source();
    sending(source);
    sending_to_pipes(source);
    not_sent(source);
    ranges(source);
    no_ranges(source);
    splicing(source);
    not_spliced(source);
    between_pipes();
    interrupted();
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

fn sending(source: u32) {
    let target = make(c"target", O_RDWR);
    seek(source, 100, SEEK_SET).expect("lseek");
    println!("send all: {:?}", send(target, source, None, 2 * SIZE));
    println!("at {} and {}", position(source), position(target));
    check(target, 0, 100, SIZE - 100);
    println!("send at the end: {:?}", send(target, source, None, 10));
    let mut at = PAGE as u64 - 3;
    let sent = send(target, source, Some(&mut at), 10);
    println!("send from elsewhere: {sent:?}, then {at}");
    println!("at {} and {}", position(source), position(target));
    check(target, SIZE - 100, PAGE - 3, 10);
    truncate(source, SIZE + 2 * PAGE).expect("ftruncate");
    let mut at = SIZE as u64;
    let sent = send(target, source, Some(&mut at), 3 * PAGE);
    println!("send a hole: {sent:?}, {} bytes", size(target));
    truncate(source, SIZE).expect("ftruncate");
    let null = open_at(HERE, c"/dev/null", O_WRONLY, 0).expect("open");
    println!(
        "send to nobody: {:?}",
        send(null, source, Some(&mut 0), 999)
    );
    close(null).expect("close");
    close(target).expect("close");
}

fn sending_to_pipes(source: u32) {
    let [from, to] = pipe(O_NONBLOCK).expect("pipe");
    let mut at = 0;
    let sent = send(to, source, Some(&mut at), SIZE);
    println!("send to a pipe: {sent:?}, then {at}");
    // Six pages are in it; bytes don't join them.
    println!("a byte more: {:?}", write(to, b"x"));
    let mut pages = 0;
    while write(to, &[0; PAGE]) == Ok(PAGE) {
        pages += 1;
    }
    println!("and {pages} pages");
    println!("when it is full: {:?}", send(to, source, Some(&mut at), 10));
    let mut bytes = [0; 300];
    assert_eq!(read(from, &mut bytes), Ok(300));
    assert!((0..300).all(|at| bytes[at] == byte(at)));
    close(from).expect("close");
    println!(
        "when nobody reads: {:?}",
        send(to, source, Some(&mut 0), 10)
    );
    close(to).expect("close");
    let [from, to] = pipe(0).expect("pipe");
    let mut at = 3 * PAGE as u64 - 10;
    println!("in pieces: {:?}", send(to, source, Some(&mut at), 20));
    println!("read: {:?}", read(from, &mut bytes));
    close(from).expect("close");
    close(to).expect("close");
}

fn not_sent(source: u32) {
    let (reader, writer) = (
        open_at(HERE, c"target", O_RDONLY, 0).expect("open"),
        make(c"target", O_WRONLY),
    );
    let appender = open_at(HERE, c"target", O_WRONLY | O_APPEND, 0).expect("open");
    let folder = open_at(HERE, c".", O_RDONLY | O_DIRECTORY, 0).expect("open");
    let [from, to] = pipe(0).expect("pipe");
    write_all(to, b"bytes").expect("write");
    let mut before = u64::MAX;
    for (what, result) in [
        ("to a reader", send(reader, source, None, 1)),
        ("from a writer", send(writer, writer, None, 1)),
        ("to nothing", send(99, source, None, 1)),
        ("from nothing", send(writer, 99, None, 1)),
        ("to who appends", send(appender, source, None, 1)),
        ("from a folder", send(writer, folder, None, 1)),
        ("from a pipe", send(writer, from, None, 1)),
        ("a place in a pipe", send(writer, from, Some(&mut 0), 1)),
        ("pipe to pipe", send(to, from, None, 1)),
        (
            "before the start",
            send(writer, source, Some(&mut before), 1),
        ),
        ("nothing at all", send(writer, source, None, 0)),
        ("too far", send(writer, source, None, usize::MAX >> 1)),
    ] {
        println!("send {what}: {result:?}");
    }
    for file in [reader, writer, appender, folder, from, to] {
        close(file).expect("close");
    }
}

fn ranges(source: u32) {
    let target = make(c"target", O_RDWR);
    let (mut from, mut to) = (50, 10);
    let copied = copy((source, Some(&mut from)), (target, Some(&mut to)), SIZE, 0);
    println!(
        "copy: {copied:?}, then {from} and {to}, {} bytes",
        size(target)
    );
    check(target, 10, 50, SIZE - 50);
    seek(source, 7, SEEK_SET).expect("lseek");
    println!(
        "at positions: {:?}",
        copy((source, None), (target, None), 5000, 0)
    );
    println!("at {} and {}", position(source), position(target));
    check(target, 0, 7, 5000);
    let (mut from, mut to) = (0, SIZE as u64);
    let within = copy((source, Some(&mut from)), (source, Some(&mut to)), 300, 0);
    println!("within a file: {within:?}, {} bytes", size(source));
    check(source, SIZE, 0, 300);
    truncate(source, SIZE).expect("ftruncate");
    close(target).expect("close");
}

fn no_ranges(source: u32) {
    let reader = open_at(HERE, c"target", O_RDONLY, 0).expect("open");
    let writer = open_at(HERE, c"target", O_WRONLY, 0).expect("open");
    let appender = open_at(HERE, c"target", O_WRONLY | O_APPEND, 0).expect("open");
    let folder = open_at(HERE, c".", O_RDONLY | O_DIRECTORY, 0).expect("open");
    let elsewhere = memfd(c"elsewhere", 0).expect("memfd_create");
    let [from, to] = pipe(0).expect("pipe");
    let mut before = u64::MAX;
    let simple = |from, to| copy((from, Some(&mut 0)), (to, None), 10, 0);
    for (what, result) in [
        ("to a reader", simple(source, reader)),
        ("from a writer", simple(writer, writer)),
        ("to who appends", simple(source, appender)),
        ("from a folder", simple(folder, writer)),
        ("to a pipe", simple(source, to)),
        ("to another file system", simple(source, elsewhere)),
        ("to nothing", simple(source, 99)),
        ("with flags", copy((source, None), (writer, None), 10, 1)),
        (
            "over itself",
            copy((source, Some(&mut 0)), (source, Some(&mut 9)), 10, 0),
        ),
        (
            "beside itself",
            copy((source, Some(&mut 0)), (source, Some(&mut 10)), 0, 0),
        ),
        (
            "behind the end",
            copy((source, Some(&mut (1 << 40))), (writer, None), 10, 0),
        ),
        (
            "too far",
            copy((source, Some(&mut 9)), (writer, None), usize::MAX >> 1, 0),
        ),
        (
            "before the start",
            copy((source, Some(&mut before)), (writer, None), 10, 0),
        ),
    ] {
        println!("copy {what}: {result:?}");
    }
    for file in [reader, writer, appender, folder, elsewhere, from, to] {
        close(file).expect("close");
    }
}

fn splicing(source: u32) {
    let target = make(c"target", O_RDWR);
    let [from, to] = pipe(0).expect("pipe");
    let mut at = 5;
    let entered = splice((source, Some(&mut at)), (to, None), 3 * PAGE, 0);
    println!("into a pipe: {entered:?}, then {at}");
    let mut target_at = 20;
    let left = splice(
        (from, None),
        (target, Some(&mut target_at)),
        5000,
        SPLICE_F_MOVE,
    );
    println!("out of it: {left:?}, then {target_at}");
    check(target, 20, 5, 5000);
    println!(
        "the rest: {:?}",
        splice((from, None), (target, None), 1 << 20, 0)
    );
    println!("{} bytes, at {}", size(target), position(target));
    check(target, 0, 5005, 3 * PAGE - 5000);
    let nothing = splice((from, None), (target, None), 1, SPLICE_F_NONBLOCK);
    println!("nothing there: {nothing:?}");
    println!("vmsplice: {:?}", give(to, b"given", 0));
    let mut bytes = [0; 16];
    let count = read(from, &mut bytes).expect("read");
    println!("read: {}", bytes[..count].escape_ascii());
    close(to).expect("close");
    println!(
        "at its end: {:?}",
        splice((from, None), (target, None), 1, 0)
    );
    close(from).expect("close");
    close(target).expect("close");
}

fn not_spliced(source: u32) {
    let appender = open_at(HERE, c"target", O_WRONLY | O_APPEND, 0).expect("open");
    let [from, to] = pipe(0).expect("pipe");
    write_all(to, b"bytes").expect("write");
    for (what, result) in [
        ("nothing", splice((99, None), (98, None), 0, 99)),
        (
            "with strange flags",
            splice((from, None), (appender, None), 1, 99),
        ),
        ("from nothing", splice((99, None), (to, None), 1, 0)),
        ("file to file", splice((source, None), (source, None), 1, 0)),
        ("a pipe to itself", splice((from, None), (to, None), 1, 0)),
        (
            "from the wrong end",
            splice((to, None), (source, None), 1, 0),
        ),
        (
            "to the wrong end",
            splice((source, None), (from, None), 1, 0),
        ),
        (
            "to who appends",
            splice((from, None), (appender, None), 1, 0),
        ),
        (
            "a place in a pipe",
            splice((from, Some(&mut 0)), (source, None), 1, 0),
        ),
        ("vmsplice to a file", give(source, b"x", 0)),
        ("vmsplice of nothing", give(to, b"", 0)),
        ("tee to itself", tee(from, to, 1, 0)),
        ("tee of a file", tee(source, to, 1, 0)),
    ] {
        println!("splice {what}: {result:?}");
    }
    for file in [appender, from, to] {
        close(file).expect("close");
    }
}

fn between_pipes() {
    let ([from, to], [other, into]) = (pipe(0).expect("pipe"), pipe(O_NONBLOCK).expect("pipe"));
    write_all(to, b"first ").expect("write");
    println!("tee: {:?}", tee(from, into, 4, 0));
    println!("splice: {:?}", splice((from, None), (into, None), 100, 0));
    let mut bytes = [0; 32];
    let count = read(other, &mut bytes).expect("read");
    println!("read: {}", bytes[..count].escape_ascii());
    for _ in 0..20 {
        let _ = write(into, &[1; PAGE]);
    }
    write_all(to, b"second").expect("write");
    println!("into a full one: {:?}", tee(from, into, 4, 0));
    close(other).expect("close");
    println!(
        "nobody reads: {:?}",
        splice((from, None), (into, None), 4, 0)
    );
    close(to).expect("close");
    let [other, into_again] = pipe(0).expect("pipe");
    println!("tee the last: {:?}", tee(from, into_again, 100, 0));
    println!(
        "splice it: {:?}",
        splice((from, None), (into_again, None), 100, 0)
    );
    println!("tee the end: {:?}", tee(from, into_again, 100, 0));
    let count = read(other, &mut bytes).expect("read");
    println!("read: {}", bytes[..count].escape_ascii());
    for file in [from, into, other, into_again] {
        close(file).expect("close");
    }
}

extern "C" fn noted(_signal: i32, _info: &mut Info, _context: &mut Context) {}

/// Who waits for a pipe is interrupted, and woken by bytes.
fn interrupted() {
    handle(Signal::USR1, noted, 0);
    let ([from, to], [other, into]) = (pipe(0).expect("pipe"), pipe(0).expect("pipe"));
    let child = spawn(|| {
        let spliced = splice((from, None), (into, None), 10, 0);
        println!("interrupted: {spliced:?}");
        0
    });
    let child = child.expect("fork");
    while try_wait(child).expect("wait").is_none() {
        let _ = kill(child, Signal::USR1);
        sleep(Duration::from_millis(5));
    }
    let child = spawn(|| {
        let spliced = splice((from, None), (into, None), 10, 0);
        u8::from(spliced != Ok(4))
    });
    write_all(to, b"wake").expect("write");
    println!("woken: {:?}", read(other, &mut [0; 8]));
    let status = wait(child.expect("fork")).expect("wait").status;
    assert_eq!(status, Status::Exited(0));
    for file in [from, to, other, into] {
        close(file).expect("close");
    }
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
