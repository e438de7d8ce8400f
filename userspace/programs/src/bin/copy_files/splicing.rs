//! `splice`, `tee` and `vmsplice`: into a pipe and out of it, from pipe to pipe, and what is refused.

use core::time::Duration;

use rt::abi::general::{O_APPEND, O_NONBLOCK, O_RDWR, O_WRONLY, SPLICE_F_MOVE, SPLICE_F_NONBLOCK};
use rt::copy::{give, splice, tee};
use rt::file::{close, pipe};
use rt::handler::{Context, Info, handle};
use rt::io::{read, write, write_all};
use rt::memory::PAGE;
use rt::path::{HERE, open_at};
use rt::println;
use rt::process::{Status, spawn, try_wait, wait};
use rt::signal::{Signal, kill};
use rt::time::sleep;

use crate::{check, make, position, size};

pub(crate) fn splicing(source: u32) {
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

pub(crate) fn not_spliced(source: u32) {
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

pub(crate) fn between_pipes() {
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
pub(crate) fn interrupted() {
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
