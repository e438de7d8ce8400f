//! `sendfile`: to files and pipes, from where the file is or from elsewhere, and what is refused.

use rt::abi::general::{O_APPEND, O_DIRECTORY, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY, SEEK_SET};
use rt::copy::send;
use rt::file::{close, pipe, seek, truncate};
use rt::io::{read, write, write_all};
use rt::memory::PAGE;
use rt::path::{HERE, open_at};
use rt::println;

use crate::{SIZE, byte, check, make, position, size};

pub(crate) fn sending(source: u32) {
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

pub(crate) fn sending_to_pipes(source: u32) {
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

pub(crate) fn not_sent(source: u32) {
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
