//! Shows locks of files: shared and exclusive, of whole files and of ranges, who waits, who is refused, and when they end.
#![no_std]
#![forbid(unsafe_code)]

use core::time::Duration;

use rt::abi::general::{
    F_GETLK, F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW, F_RDLCK, F_SETLK, F_SETLKW, F_UNLCK, F_WRLCK,
    LOCK_EX, LOCK_NB, LOCK_SH, LOCK_UN, O_CREAT, O_PATH, O_RDONLY, O_RDWR, O_WRONLY, SEEK_CUR,
    SEEK_END,
};
use rt::file::{close, fcntl, map, pipe, seek, truncate};
use rt::handler::{Context, Info, handle};
use rt::io::{read, write_all};
use rt::lock::{Range, ask, set, whole};
use rt::memory::{MAP_SHARED, PAGE, PROT_READ, munmap};
use rt::path::{HERE, open_at, remove};
use rt::process::{Pid, Status, id, parent_id, run_in_child, spawn, wait};
use rt::signal::{Signal, kill};
use rt::time::sleep;
use rt::{Errno, println};

fn main() {
    let file = open(O_CREAT | O_RDWR);
    truncate(file, 1000).expect("ftruncate");
    whole_files();
    mappings();
    exchanges();
    waiting_for_all();
    ranges(file);
    places(file);
    refusals(file);
    ends(file);
    waiting_for_some(file);
    circle(file);
    descriptions(file);
    interrupted(file);
    close(file).expect("close");
    remove(c"locked").expect("unlink");
}

fn open(flags: u32) -> u32 {
    open_at(HERE, c"locked", flags, 0o644).expect("open")
}

fn over(child: Pid) {
    assert_eq!(wait(child).expect("wait").status, Status::Exited(0));
}

fn told(what: &str, result: Result<(), Errno>) {
    println!("{what}: {result:?}");
}

fn whole_files() {
    let [one, other] = [open(O_RDONLY), open(O_WRONLY)];
    let try_all = |what: &str| {
        let shared = whole(other, LOCK_SH | LOCK_NB);
        let exclusive = whole(other, LOCK_EX | LOCK_NB);
        whole(other, LOCK_UN).expect("LOCK_UN");
        println!("while one has {what}: shared {shared:?}, exclusive {exclusive:?}");
    };
    try_all("nothing");
    whole(one, LOCK_SH).expect("flock");
    try_all("a shared lock");
    whole(one, LOCK_EX).expect("flock");
    try_all("an exclusive lock");
    let copy = fcntl(one, rt::abi::general::F_DUPFD, 0).expect("dup") as u32;
    close(one).expect("close");
    try_all("closed one of two descriptors");
    run_in_child(|| whole(copy, LOCK_UN).is_err().into());
    try_all("its child give it up");
    whole(copy, LOCK_EX).expect("flock");
    close(copy).expect("close");
    try_all("closed the last");
    told("no lock at all", whole(other, 0));
    told("both", whole(other, LOCK_SH | LOCK_EX));
    told("of nothing", whole(99, LOCK_SH));
    let path = open(O_PATH);
    told("of a place", whole(path, LOCK_SH));
    close(path).expect("close");
    close(other).expect("close");
}

/// A mapping keeps the lock of the descriptor that it was made by, also for a child; and who waits is woken when it goes.
fn mappings() {
    let [one, other] = [open(O_RDWR), open(O_RDWR)];
    whole(one, LOCK_EX).expect("flock");
    let start = map(one, PAGE, PROT_READ, MAP_SHARED, 0).expect("mmap");
    close(one).expect("close");
    told("kept by a mapping", whole(other, LOCK_EX | LOCK_NB));
    let child = spawn(|| {
        munmap(start, PAGE).expect("munmap");
        u8::from(whole(other, LOCK_EX | LOCK_NB).is_ok())
    });
    over(child.expect("fork"));
    let waiter = spawn(|| {
        munmap(start, PAGE).expect("munmap");
        whole(other, LOCK_EX).is_err().into()
    });
    sleep(Duration::from_millis(20));
    munmap(start, PAGE).expect("munmap");
    over(waiter.expect("fork"));
    told("until it goes", whole(other, LOCK_EX | LOCK_NB));
    close(other).expect("close");
}

/// Who wants another hold lets go of the one they have.
fn exchanges() {
    let [one, other, third] = [(); 3].map(|()| open(O_RDWR));
    whole(one, LOCK_SH).expect("flock");
    whole(other, LOCK_SH).expect("flock");
    told("up, with company", whole(one, LOCK_EX | LOCK_NB));
    told(
        "the other has it alone now",
        whole(other, LOCK_EX | LOCK_NB),
    );
    told("and down again", whole(other, LOCK_SH | LOCK_NB));
    told("a third", whole(third, LOCK_SH | LOCK_NB));
    for file in [one, other, third] {
        close(file).expect("close");
    }
}

/// Whoever waits is woken by who gives up, and not before.
fn waiting_for_all() {
    let (file, [from, to]) = (open(O_RDWR), pipe(0).expect("pipe"));
    whole(file, LOCK_EX).expect("flock");
    let child = spawn(|| {
        let again = open(O_RDWR);
        whole(again, LOCK_EX).expect("flock");
        write_all(to, b"child").expect("write");
        0
    });
    sleep(Duration::from_millis(20));
    write_all(to, b"parent, ").expect("write");
    whole(file, LOCK_UN).expect("flock");
    over(child.expect("fork"));
    let mut order = [0; 16];
    let count = read(from, &mut order).expect("read");
    println!("first {}", order[..count].escape_ascii());
    for file in [file, from, to] {
        close(file).expect("close");
    }
}

/// Shows what this process holds, as a child finds it.
fn show(file: u32) {
    let look = || {
        let mut at = 0;
        while let Ok(Some(lock)) = ask(file, F_GETLK, Range::new(F_WRLCK, at, 0)) {
            let kind = if u32::from(lock.kind) == F_RDLCK {
                'r'
            } else {
                'w'
            };
            rt::print!(" {kind} {}+{}", lock.start, lock.length);
            assert_eq!((lock.pid, lock.whence), (parent_id(), 0));
            at = lock.start + lock.length;
            if lock.length == 0 {
                break;
            }
        }
        println!();
        0
    };
    run_in_child(look);
}

/// Ranges split, merge and change.
fn ranges(file: u32) {
    let step = |kind, start, length| {
        set(file, F_SETLK, Range::new(kind, start, length)).expect("F_SETLK");
        let word = ["read", "write", "unlock"][kind as usize];
        rt::print!("{word} {start}+{length}:");
        show(file);
    };
    step(F_WRLCK, 100, 100);
    step(F_WRLCK, 200, 50);
    step(F_WRLCK, 50, 50);
    step(F_UNLCK, 120, 10);
    step(F_RDLCK, 110, 40);
    step(F_RDLCK, 140, 200);
    step(F_WRLCK, 0, 1);
    step(F_RDLCK, 1, 49);
    step(F_WRLCK, 345, 0);
    step(F_UNLCK, 400, 100);
    step(F_WRLCK, 60, 440);
    step(F_UNLCK, 0, 0);
}

fn places(file: u32) {
    seek(file, 100, 0).expect("lseek");
    let here = Range::new(F_WRLCK, 10, 20).from(SEEK_CUR);
    told("from the position", set(file, F_SETLK, here));
    let end = Range::new(F_RDLCK, -100, 0).from(SEEK_END);
    told("before the end", set(file, F_SETLK, end));
    told(
        "backwards",
        set(file, F_SETLK, Range::new(F_WRLCK, 50, -20)),
    );
    let last = Range::new(F_WRLCK, i64::MAX, 1);
    told("the last byte of all", set(file, F_SETLK, last));
    show(file);
    for (what, range) in [
        ("before the first", Range::new(F_RDLCK, -1, 2)),
        ("backwards beyond it", Range::new(F_RDLCK, 5, -6)),
        ("behind the last", Range::new(F_RDLCK, i64::MAX, 2)),
        ("whence", Range::new(F_RDLCK, 0, 1).from(9)),
        ("kind", Range::new(9, 0, 1)),
        ("too far", Range::new(F_RDLCK, i64::MAX, 0).from(SEEK_CUR)),
    ] {
        told(what, set(file, F_SETLK, range));
    }
    set(file, F_SETLK, Range::new(F_UNLCK, 0, 0)).expect("F_SETLK");
}

fn refusals(file: u32) {
    let (reader, writer) = (open(O_RDONLY), open(O_WRONLY));
    let (read, write) = (Range::new(F_RDLCK, 0, 0), Range::new(F_WRLCK, 0, 0));
    told("write lock of a reader", set(reader, F_SETLK, write));
    told("read lock of a writer", set(writer, F_SETLK, read));
    told("asked", ask(writer, F_GETLK, read).map(drop));
    let unlock = Range::new(F_UNLCK, 0, 0);
    told("asked for none", ask(file, F_GETLK, unlock).map(drop));
    told("nowhere", fcntl(file, F_SETLK, 8).map(drop));
    told("of nothing", set(99, F_SETLK, read));
    let [from, to] = pipe(0).expect("pipe");
    told("of a pipe", set(from, F_SETLK, read));
    for file in [reader, writer, from, to] {
        close(file).expect("close");
    }
}

/// What is locked as another process sees it.
fn others_may(file: u32) -> bool {
    let try_it = || {
        let taken = set(file, F_SETLK, Range::new(F_WRLCK, 0, 0));
        (taken == Err(Errno::EAGAIN)).into()
    };
    run_in_child(try_it) == Status::Exited(0)
}

fn ends(file: u32) {
    let all = Range::new(F_WRLCK, 0, 0);
    set(file, F_SETLK, all).expect("F_SETLK");
    println!("another process may: {}", others_may(file));
    let again = open(O_RDWR);
    println!("the own one may: {:?}", set(again, F_SETLK, all));
    close(again).expect("close");
    println!("after a close of any descriptor: {}", others_may(file));
    let child = run_in_child(|| {
        set(file, F_SETLK, all).expect("F_SETLK");
        0
    });
    println!("{child}, after the holder's end: {}", others_may(file));
    whole(file, LOCK_EX).expect("flock");
    println!("flock is no hindrance: {}", others_may(file));
    whole(file, LOCK_UN).expect("flock");
}

fn waiting_for_some(file: u32) {
    let [from, to] = pipe(0).expect("pipe");
    set(file, F_SETLK, Range::new(F_WRLCK, 0, 100)).expect("F_SETLK");
    let child = spawn(|| {
        set(file, F_SETLKW, Range::new(F_RDLCK, 50, 100)).expect("F_SETLKW");
        write_all(to, b"child").expect("write");
        0
    });
    sleep(Duration::from_millis(20));
    set(file, F_SETLK, Range::new(F_UNLCK, 0, 50)).expect("F_SETLK");
    write_all(to, b"parent, ").expect("write");
    set(file, F_SETLK, Range::new(F_RDLCK, 50, 50)).expect("F_SETLK");
    over(child.expect("fork"));
    let mut order = [0; 16];
    let count = read(from, &mut order).expect("read");
    println!("first {}", order[..count].escape_ascii());
    set(file, F_SETLK, Range::new(F_UNLCK, 0, 0)).expect("F_SETLK");
    close(from).expect("close");
    close(to).expect("close");
}

/// Two that wait for each other: one of them is told.
fn circle(file: u32) {
    let ([from, to], [ready, go]) = (pipe(0).expect("pipe"), pipe(0).expect("pipe"));
    let cross = |own: i64, others: i64| {
        let crossed = set(file, F_SETLKW, Range::new(F_WRLCK, others, 1));
        let word: &[u8] = match crossed {
            Ok(()) => b"o",
            Err(Errno::EDEADLK) => b"d",
            Err(_) => b"?",
        };
        write_all(to, word).expect("write");
        set(file, F_SETLK, Range::new(F_UNLCK, own, 1)).expect("F_SETLK");
        set(file, F_SETLK, Range::new(F_UNLCK, others, 1)).expect("F_SETLK");
    };
    set(file, F_SETLK, Range::new(F_WRLCK, 0, 1)).expect("F_SETLK");
    let child = spawn(|| {
        set(file, F_SETLK, Range::new(F_WRLCK, 1, 1)).expect("F_SETLK");
        write_all(go, b"1").expect("write");
        cross(1, 0);
        0
    });
    read(ready, &mut [0]).expect("read");
    cross(0, 1);
    over(child.expect("fork"));
    let mut words = [0; 4];
    let count = read(from, &mut words).expect("read");
    println!("of two: {}", words[..count].escape_ascii());
    for file in [from, to, ready, go] {
        close(file).expect("close");
    }
}

/// Locks of the open file, not of the process.
fn descriptions(file: u32) {
    let (all, other) = (Range::new(F_WRLCK, 0, 0), open(O_RDWR));
    let some = Range::new(F_RDLCK, 10, 20);
    told("taken", set(file, F_OFD_SETLK, some));
    told("by another of ours", set(other, F_OFD_SETLK, all));
    told("by the process", set(file, F_SETLK, all));
    let found = ask(other, F_OFD_GETLK, all).expect("F_OFD_GETLK");
    println!("found: {found:?}");
    let own = Range::new(F_UNLCK, 0, 0);
    let found = ask(file, F_OFD_GETLK, own).expect("F_OFD_GETLK");
    println!("own: {found:?}");
    let mut with_pid = some;
    with_pid.pid = id();
    told("with a number", set(file, F_OFD_SETLK, with_pid));
    let copy = fcntl(file, rt::abi::general::F_DUPFD, 0).expect("dup") as u32;
    close(copy).expect("close");
    told("after a close", set(other, F_OFD_SETLK, all));
    told("given up", set(file, F_OFD_SETLK, own));
    told("now", set(other, F_OFD_SETLKW, all));
    close(other).expect("close");
    told("and after its close", set(file, F_SETLK, all));
    set(file, F_SETLK, own).expect("F_SETLK");
}

extern "C" fn noted(_signal: i32, _info: &mut Info, _context: &mut Context) {}

/// A signal's handler ends the waiting.
fn interrupted(file: u32) {
    let all = Range::new(F_WRLCK, 0, 0);
    set(file, F_SETLK, all).expect("F_SETLK");
    whole(file, LOCK_EX).expect("flock");
    handle(Signal::USR1, noted, 0);
    for call in [&|| set(file, F_SETLKW, all) as Result<(), Errno>, &|| {
        whole(open(O_RDWR), LOCK_EX)
    }] as [&dyn Fn() -> Result<(), Errno>; 2]
    {
        let child = spawn(|| {
            let result = call();
            println!("interrupted: {result:?}");
            0
        })
        .expect("fork");
        while rt::process::try_wait(child).expect("wait").is_none() {
            let _ = kill(child, Signal::USR1);
            sleep(Duration::from_millis(5));
        }
    }
}
