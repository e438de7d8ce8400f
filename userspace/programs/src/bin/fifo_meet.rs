//! Shows pipes with names: who opens one side waits for the other, unless told not to; and what mknod makes besides.
#![no_std]
#![forbid(unsafe_code)]

use core::time::Duration;

use rt::abi::general::{
    F_GETPIPE_SZ, O_CREAT, O_NONBLOCK, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY, POLLIN, POLLOUT,
    S_IFDIR, S_IFIFO, S_IFLNK, S_IFREG, S_IFSOCK, SEEK_SET, pollfd,
};
use rt::file::{close, fcntl, pipe, seek, status};
use rt::handler::{Context, Info, handle};
use rt::io::{read, write, write_all};
use rt::path::{HERE, make_node, open_at, remove, set_mask, status_of};
use rt::process::{Pid, Status, spawn, try_wait, wait};
use rt::ready::poll;
use rt::signal::{Signal, kill};
use rt::time::sleep;
use rt::{Errno, println};

fn main() {
    kinds();
    make_node(c"fifo", S_IFIFO | 0o600, 0).expect("mknod");
    alone();
    meeting();
    hang_up();
    both_ends();
    interrupted();
    without_a_name();
}

fn open(flags: u32) -> Result<u32, Errno> {
    open_at(HERE, c"fifo", flags, 0)
}

fn over(child: Pid) {
    assert_eq!(wait(child).expect("wait").status, Status::Exited(0));
}

fn kinds() {
    set_mask(0o022);
    for (what, kind) in [
        ("a fifo", S_IFIFO),
        ("a file", S_IFREG),
        ("also a file", 0),
        ("a socket", S_IFSOCK),
        ("a folder", S_IFDIR),
        ("a link", S_IFLNK),
        ("nothing", 0o150_000),
    ] {
        let made = make_node(c"node", kind | 0o666, 0);
        println!("{what}: {made:?}");
        if let Ok(about) = status_of(c"node") {
            let (mode, size, device) = (about.st_mode, about.st_size, about.st_rdev);
            println!("  mode {mode:o}, {size} bytes, device {device}");
            let again = make_node(c"node", kind | 0o666, 0);
            let opened = open_at(HERE, c"node", O_RDWR | O_NONBLOCK, 0);
            println!("  again {again:?}, opened {:?}", opened.map(drop));
            if let Ok(file) = opened {
                close(file).expect("close");
            }
            remove(c"node").expect("unlink");
        }
    }
}

fn alone() {
    println!("nobody reads: {:?}", open(O_WRONLY | O_NONBLOCK).map(drop));
    let from = open(O_RDONLY | O_NONBLOCK).expect("open");
    println!("nobody wrote: {:?}", read(from, &mut [0; 8]));
    let to = open(O_WRONLY | O_NONBLOCK).expect("open");
    println!("nothing written: {:?}", read(from, &mut [0; 8]));
    println!("written: {:?}", write(to, b"bytes"));
    let mut buffer = [0; 8];
    let count = read(from, &mut buffer).expect("read");
    println!("read: {}", buffer[..count].escape_ascii());
    println!("seek: {:?}", seek(from, 0, SEEK_SET));
    println!("size: {:?}", fcntl(from, F_GETPIPE_SZ, 0));
    let about = status(to).expect("fstat");
    let (mode, size) = (about.st_mode, about.st_size);
    let same = about.st_ino == status_of(c"fifo").expect("lstat").st_ino;
    println!("mode {mode:o}, {size} bytes, the same file: {same}");
    close(from).expect("close");
    rt::handler::act(Signal::PIPE, rt::handler::Action::IGNORE).expect("sigaction");
    println!("nobody reads any more: {:?}", write(to, b"lost"));
    close(to).expect("close");
}

/// Each side waits until the other is there, whoever comes first.
fn meeting() {
    for first in [O_RDONLY, O_WRONLY] {
        let [from, to] = pipe(0).expect("pipe");
        let child = spawn(|| {
            let end = open(first).expect("open");
            write_all(to, b"child in").expect("write");
            match first {
                O_RDONLY => assert_eq!(read(end, &mut [0; 16]), Ok(5)),
                _ => assert_eq!(write(end, b"hello"), Ok(5)),
            }
            0
        })
        .expect("fork");
        sleep(Duration::from_millis(20));
        write_all(to, b"parent comes, ").expect("write");
        let end = open((O_RDONLY + O_WRONLY - first) | O_CREAT | O_TRUNC).expect("open");
        match first {
            O_RDONLY => assert_eq!(write(end, b"hello"), Ok(5)),
            _ => assert_eq!(read(end, &mut [0; 16]), Ok(5)),
        }
        over(child);
        let mut order = [0; 32];
        let count = read(from, &mut order).expect("read");
        println!("{}", order[..count].escape_ascii());
        for file in [from, to, end] {
            close(file).expect("close");
        }
    }
}

/// A reader that came before all writers isn't told that they are gone.
fn hang_up() {
    let from = open(O_RDONLY | O_NONBLOCK).expect("open");
    let events = |when: &str| {
        let mut entry = pollfd {
            fd: from as i32,
            events: (POLLIN | POLLOUT) as i16,
            revents: 0,
        };
        let count = poll(core::slice::from_mut(&mut entry), 0);
        println!("{when}: {count:?}, events {:#x}", entry.revents);
    };
    events("before all writers");
    let to = open(O_WRONLY).expect("open");
    events("with one");
    write_all(to, b"x").expect("write");
    events("with a byte");
    close(to).expect("close");
    events("it is gone");
    read(from, &mut [0]).expect("read");
    events("and so is the byte");
    let to = open(O_WRONLY).expect("open");
    events("another came");
    close(to).expect("close");
    close(from).expect("close");
}

/// Who has both ends waits for nobody, and keeps the bytes.
fn both_ends() {
    let both = open(O_RDWR).expect("open");
    write_all(both, b"kept ").expect("write");
    let to = open(O_WRONLY | O_NONBLOCK).expect("open");
    write_all(to, b"too").expect("write");
    close(to).expect("close");
    let mut buffer = [0; 16];
    let from = open(O_RDONLY).expect("open");
    let count = read(from, &mut buffer).expect("read");
    println!("both ends: {}", buffer[..count].escape_ascii());
    write_all(both, b"forgotten").expect("write");
    close(from).expect("close");
    close(both).expect("close");
    let from = open(O_RDONLY | O_NONBLOCK).expect("open");
    println!("when nobody is left: {:?}", read(from, &mut buffer));
    close(from).expect("close");
}

extern "C" fn noted(_signal: i32, _info: &mut Info, _context: &mut Context) {}

fn interrupted() {
    handle(Signal::USR1, noted, 0);
    for flags in [O_RDONLY, O_WRONLY] {
        let child = spawn(|| {
            let opened = open(flags);
            println!("interrupted: {:?}", opened.map(drop));
            0
        })
        .expect("fork");
        while try_wait(child).expect("wait").is_none() {
            let _ = kill(child, Signal::USR1);
            sleep(Duration::from_millis(5));
        }
    }
    let gone = open(O_WRONLY | O_NONBLOCK);
    println!("who gave up reads no more: {:?}", gone.map(drop));
}

fn without_a_name() {
    let from = open(O_RDONLY | O_NONBLOCK).expect("open");
    let to = open(O_WRONLY).expect("open");
    remove(c"fifo").expect("unlink");
    write_all(to, b"still").expect("write");
    println!("without a name: {:?}", read(from, &mut [0; 16]));
    println!("links: {}", status(from).expect("fstat").st_nlink);
    println!("its name: {:?}", open(O_RDONLY).map(drop));
    close(from).expect("close");
    close(to).expect("close");
}
