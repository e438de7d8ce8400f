//! `copy_file_range`: between files and within one, and what is refused.

use rt::abi::general::{O_APPEND, O_DIRECTORY, O_RDONLY, O_RDWR, O_WRONLY, SEEK_SET};
use rt::copy::copy;
use rt::file::{close, memfd, pipe, seek, truncate};
use rt::path::{HERE, open_at};
use rt::println;

use crate::{SIZE, check, make, position, size};

pub(crate) fn ranges(source: u32) {
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

pub(crate) fn no_ranges(source: u32) {
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
