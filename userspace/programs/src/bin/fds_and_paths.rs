//! Shows what descriptors share and what they don't, and how paths are followed: numbers, positions, flags, links, limits.
#![no_std]
#![forbid(unsafe_code)]

use core::ffi::CStr;

use rt::abi::Sysno;
use rt::abi::general::{
    AT_EMPTY_PATH, AT_SYMLINK_FOLLOW, AT_SYMLINK_NOFOLLOW, F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD,
    F_GETFL, F_SETFL, FD_CLOEXEC, O_ACCMODE, O_APPEND, O_CLOEXEC, O_CREAT, O_DIRECTORY, O_EXCL,
    O_NOFOLLOW, O_NONBLOCK, O_PATH, O_RDONLY, O_RDWR, O_TMPFILE, O_TRUNC, O_WRONLY, RLIMIT_FSIZE,
    RLIMIT_NOFILE, SEEK_CUR, SEEK_END, SEEK_SET, UTIME_NOW, UTIME_OMIT,
};
use rt::file::{
    close, duplicate, fcntl, pipe, read_at, read_link, seek, status, truncate, write_at,
};
use rt::handler::{Action, act};
use rt::io::{read, write, write_all};
use rt::path::{
    HERE, access, go, link, link_at, link_to, make_folder, open_at, remove, remove_folder,
    set_mode, set_times, status_of,
};
use rt::process::run_in_child;
use rt::signal::Signal;
use rt::system::set_limit;
use rt::{Errno, println, syscall};

fn main() {
    make_folder(c"room", 0o755).expect("mkdir");
    go(c"room").expect("chdir");
    numbers();
    positions();
    flags();
    limits();
    places();
    links();
    long_names();
    unnamed();
    times();
    go(c"..").expect("chdir");
    remove_folder(c"room").expect("nothing is left behind");
}

fn open(path: &CStr, flags: u32) -> Result<u32, Errno> {
    open_at(HERE, path, flags, 0o644)
}

fn make(path: &CStr, bytes: &[u8]) -> u32 {
    let file = open(path, O_CREAT | O_TRUNC | O_RDWR).expect("open");
    write_all(file, bytes).expect("write");
    file
}

fn told<T>(what: &str, result: Result<T, Errno>) {
    println!("{what}: {:?}", result.map(drop));
}

/// The lowest free number is taken, whoever asks.
fn numbers() {
    let [one, two, three] = [(); 3].map(|()| make(c"file", b""));
    println!("in a row: {}", (two, three) == (one + 1, one + 2));
    close(two).expect("close");
    let again = fcntl(three, F_DUPFD, 0).expect("F_DUPFD") as u32;
    let high = fcntl(three, F_DUPFD_CLOEXEC, 100).expect("F_DUPFD") as u32;
    println!("the gap: {}, from 100 on: {high}", again == two);
    println!("dup3: {:?}", duplicate(three, 200, O_CLOEXEC));
    let marked = [high, 200, again].map(|file| fcntl(file, F_GETFD, 0) == Ok(FD_CLOEXEC as usize));
    println!("closed by exec: {marked:?}");
    told("onto itself", duplicate(200, 200, 0));
    told("of nothing", duplicate(150, 151, 0));
    told("onto a negative one", duplicate(200, u32::MAX, 0));
    told("from a negative one", fcntl(200, F_DUPFD, usize::MAX));
    println!("in the place of an open one: {:?}", duplicate(one, high, 0));
    for file in [one, two, three, high, 200] {
        close(file).expect("close");
    }
    told("closed twice", close(200));
    remove(c"file").expect("unlink");
}

/// Who has a file from the same open(2) shares its position and flags; who opens it again doesn't.
fn positions() {
    let file = make(c"file", b"0123456789");
    let (copy, again) = (
        fcntl(file, F_DUPFD, 0).expect("F_DUPFD") as u32,
        open(c"file", O_RDWR).expect("open"),
    );
    let at = |file| seek(file, 0, SEEK_CUR).expect("lseek");
    seek(copy, 3, SEEK_SET).expect("lseek");
    println!("positions: {} {} {}", at(file), at(copy), at(again));
    run_in_child(|| read(file, &mut [0; 4]).is_err().into());
    println!("after a child's read: {} {}", at(file), at(again));
    fcntl(copy, F_SETFL, O_APPEND as usize).expect("F_SETFL");
    write_all(file, b"x").expect("write");
    write_all(again, b"y").expect("write");
    println!("after writes: {} {}", at(file), at(again));
    let mut bytes = [0; 16];
    let count = read_at(file, &mut bytes, 0).expect("pread");
    println!("it holds {}", bytes[..count].escape_ascii());
    for (what, offset, whence) in [
        ("from the end", -3, SEEK_END),
        ("behind it", 100, SEEK_END),
        ("before the start", -1, SEEK_SET),
        ("too far", isize::MAX, SEEK_CUR),
        ("by nothing known", 0, 9),
    ] {
        println!("seek {what}: {:?}", seek(again, offset, whence));
    }
    println!("read behind the end: {:?}", read(again, &mut bytes));
    for file in [file, copy, again] {
        close(file).expect("close");
    }
    remove(c"file").expect("unlink");
}

fn flags() {
    let file = make(c"file", b"bytes");
    let mode = |file| fcntl(file, F_GETFL, 0).map(|flags| flags as u32 & O_ACCMODE);
    for wanted in [O_RDONLY, O_WRONLY, O_RDWR] {
        let file = open(c"file", wanted | O_NONBLOCK | O_EXCL).expect("open");
        fcntl(file, F_SETFL, (O_RDWR | O_APPEND) as usize).expect("F_SETFL");
        let flags = fcntl(file, F_GETFL, 0).expect("F_GETFL") as u32;
        let rest = (flags & O_NONBLOCK, flags & O_EXCL, flags & O_APPEND);
        println!("opened {wanted}: mode {:?}, {rest:?}", mode(file));
        println!(
            "  read {:?}, write {:?}, cut {:?}",
            read(file, &mut [0; 2]),
            write(file, b"."),
            truncate(file, 5)
        );
        close(file).expect("close");
    }
    close(file).expect("close");
    remove(c"file").expect("unlink");
}

/// RLIMIT_NOFILE and RLIMIT_FSIZE.
fn limits() {
    run_in_child(|| {
        act(Signal(rt::abi::general::SIGXFSZ), Action::IGNORE).expect("sigaction");
        let file = make(c"file", b"");
        // Lifted again before anything is printed: that may go to a file, too.
        set_limit(RLIMIT_FSIZE, 100, usize::MAX).expect("setrlimit");
        let written = [64, 100].map(|at| write_at(file, &[1; 64], at));
        let cut = truncate(file, 101);
        set_limit(RLIMIT_FSIZE, usize::MAX, usize::MAX).expect("setrlimit");
        println!("up to the limit, and behind it: {written:?}, cut {cut:?}");
        set_limit(RLIMIT_NOFILE, file as usize + 3, 50).expect("setrlimit");
        let room = (0..).take_while(|_| open(c"file", O_RDONLY).is_ok());
        println!("so many more: {}", room.count());
        told("one more", open(c"file", O_RDONLY));
        told("made by none", open(c"new", O_CREAT | O_WRONLY));
        told("nor a pipe", pipe(0));
        told("onto a high one", duplicate(file, 49, 0));
        0
    });
    told("it was not made", status_of(c"new"));
    remove(c"file").expect("unlink");
}

/// O_PATH stands for a place, and for nothing else.
fn places() {
    let file = make(c"file", b"bytes");
    link_to(c"file", c"link").expect("symlink");
    let place = open(c"file", O_PATH | O_RDWR | O_TRUNC).expect("open");
    println!("flags {:#x}", fcntl(place, F_GETFL, 0).expect("F_GETFL"));
    told("read", read(place, &mut [0]));
    told("seek", seek(place, 0, SEEK_SET));
    told("cut", truncate(place, 0));
    println!("size {:?}", status(place).map(|about| about.st_size));
    let the_link = open(c"link", O_PATH | O_NOFOLLOW).expect("open");
    println!(
        "a link's mode {:o}",
        status(the_link).expect("fstat").st_mode
    );
    told("a link that is not followed", open(c"link", O_NOFOLLOW));
    told(
        "nor is it a folder",
        open(c"link", O_NOFOLLOW | O_DIRECTORY),
    );
    told("a file is none either", open(c"file", O_DIRECTORY));
    told("exclusively", open(c"link", O_CREAT | O_EXCL));
    for file in [file, place, the_link] {
        close(file).expect("close");
    }
    remove(c"link").expect("unlink");
    remove(c"file").expect("unlink");
}

/// A chain of forty links is followed, one of forty-one is not.
fn links() {
    close(make(c"0", b"end")).expect("close");
    let name = |number: u8| [b'0' + number / 10, b'0' + number % 10, 0];
    for number in 1..=41u8 {
        let (target, new) = (name(number - 1), name(number));
        let target = if number == 1 { &b"0\0"[..] } else { &target };
        let text = |bytes| CStr::from_bytes_with_nul(bytes).expect("it ends");
        link_to(text(target), text(&new)).expect("symlink");
    }
    told("forty links", open(c"40", O_RDONLY));
    told("forty-one", open(c"41", O_RDONLY));
    told(
        "forty-one, the last as it is",
        open(c"41", O_PATH | O_NOFOLLOW),
    );
    let mut target = [0; 8];
    let count = read_link(c"41", &mut target[..1]).expect("readlink");
    println!("cut: {}", target[..count].escape_ascii());
    told("readlink of a file", read_link(c"0", &mut target));
    for number in 1..=41 {
        let name = name(number);
        remove(CStr::from_bytes_with_nul(&name).expect("it ends")).expect("unlink");
    }
    remove(c"0").expect("unlink");
    make_folder(c"in", 0o755).expect("mkdir");
    link_to(c"in/../in/./", c"round").expect("symlink");
    close(make(c"round//.//file", b"")).expect("close");
    told("around", status_of(c"in/file"));
    remove(c"in/file").expect("unlink");
    remove(c"round").expect("unlink");
    remove_folder(c"in").expect("rmdir");
}

fn long_names() {
    const LONGEST: usize = 255;
    let mut name = [b'n'; LONGEST + 2];
    name[LONGEST + 1] = 0;
    let too_long = CStr::from_bytes_with_nul(&name).expect("it ends");
    told("a name of 256", open(too_long, O_CREAT | O_RDWR));
    let longest = CStr::from_bytes_with_nul(&name[1..]).expect("it ends");
    told("a name of 255", open(longest, O_CREAT | O_RDWR));
    remove(longest).expect("unlink");
    let mut path = [b'/'; 4097];
    path[4096] = 0;
    let path_of = |bytes| CStr::from_bytes_with_nul(bytes).expect("it ends");
    told("a path of 4096", access(path_of(&path), 0, 0));
    told("a path of 4095", access(path_of(&path[1..]), 0, 0));
    told("access of nothing", access(c"nothing", 0, 0));
    told("a strange question", access(c".", 9, 0));
}

/// O_TMPFILE, and a name for what has none.
fn unnamed() {
    let file = open(c".", O_TMPFILE | O_RDWR).expect("O_TMPFILE");
    write_all(file, b"unnamed").expect("write");
    println!("links: {}", status(file).expect("fstat").st_nlink);
    let mut path = *b"/proc/self/fd/000\0";
    for (place, power) in [(14, 100), (15, 10), (16, 1)] {
        path[place] += (file / power % 10) as u8;
    }
    // Numbers have no zeroes before them.
    let start = path[14..17]
        .iter()
        .position(|&digit| digit != b'0')
        .expect("not stdin");
    path.copy_within(14 + start.., 14);
    let path = CStr::from_bytes_until_nul(&path).expect("it ends");
    told("a name", link_at(HERE, path, c"named", AT_SYMLINK_FOLLOW));
    told(
        "once more",
        link_at(HERE, path, c"named", AT_SYMLINK_FOLLOW),
    );
    println!("links: {}", status(file).expect("fstat").st_nlink);
    let never = open(c".", O_TMPFILE | O_EXCL | O_WRONLY).expect("O_TMPFILE");
    told("an empty path", link_at(never, c"", c"other", 0));
    told("to be read alone", open(c".", O_TMPFILE | O_RDONLY));
    told("in a file", open(c"named", O_TMPFILE | O_RDWR));
    told("a link to a link", link(c"named", c"second"));
    for file in [file, never] {
        close(file).expect("close");
    }
    remove(c"named").expect("unlink");
    remove(c"second").expect("unlink");
}

fn times() {
    let file = make(c"file", b"");
    link_to(c"file", c"link").expect("symlink");
    let show = |what: &str, path: &CStr| {
        let about = status_of(path).expect("lstat");
        let times = [about.st_atime, about.st_mtime].map(|time| time.min(1 << 20));
        println!("{what}: {times:?}, {} ns", about.st_mtime_nsec);
    };
    let omit = u64::from(UTIME_OMIT);
    let now = u64::from(UTIME_NOW);
    set_times(HERE, c"file", Some([1000, 0, 2000, 7]), 0).expect("utimensat");
    show("both", c"file");
    set_times(HERE, c"link", Some([9, omit, 3000, 0]), 0).expect("utimensat");
    show("one, by a link", c"file");
    set_times(HERE, c"link", Some([5, 0, 6, 0]), AT_SYMLINK_NOFOLLOW).expect("utimensat");
    show("the link's", c"link");
    show("the file's", c"file");
    set_times(file, c"", Some([77, 0, 88, 0]), AT_EMPTY_PATH).expect("utimensat");
    show("by a descriptor", c"file");
    set_times(HERE, c"file", Some([0, now, 0, omit]), 0).expect("utimensat");
    show("now", c"file");
    told(
        "too many nanoseconds",
        set_times(HERE, c"file", Some([0, 1 << 31, 0, 0]), 0),
    );
    told("strange flags", set_times(HERE, c"file", None, 1));
    for (what, folder, flags) in [
        ("no path", HERE, 0),
        ("a descriptor alone", file, 0),
        ("the same with a flag", file, AT_EMPTY_PATH),
    ] {
        let words = [folder as usize, 0, 0, flags as usize, 0, 0];
        told(
            what,
            syscall::raw(Sysno::utimensat as usize, words).map(drop),
        );
    }
    told("of nothing", set_times(HERE, c"nothing", None, 0));
    set_mode(c"file", 0o6711).expect("chmod");
    println!("mode {:o}", status(file).expect("fstat").st_mode);
    close(file).expect("close");
    remove(c"link").expect("unlink");
    remove(c"file").expect("unlink");
}
