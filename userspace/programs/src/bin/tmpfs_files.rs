//! Shows files that come, go and move: names, links, folders, lengths and what is left when the last name is gone.
#![no_std]
#![forbid(unsafe_code)]

use core::ffi::CStr;

use rt::abi::general::{
    O_APPEND, O_CREAT, O_DIRECTORY, O_EXCL, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY, RENAME_EXCHANGE,
    RENAME_NOREPLACE, S_IFMT,
};
use rt::file::{close, read_at, status, write_at};
use rt::io::write_all;
use rt::path::{
    HERE, go, link, link_to, list, make_folder, open_at, remove, remove_folder, rename, set_mask,
    set_mode, status_of, truncate, working_folder,
};
use rt::{Errno, println};

fn main() {
    make_folder(c"work", 0o755).expect("mkdir");
    go(c"work").expect("chdir");
    creation();
    names();
    folders();
    moves();
    lengths();
    listings();
    last_name();
    go(c"..").expect("chdir");
    remove_folder(c"work").expect("nothing is left behind");
}

fn make(path: &CStr, bytes: &[u8]) {
    let file = open_at(HERE, path, O_CREAT | O_WRONLY | O_TRUNC, 0o644).expect("open");
    write_all(file, bytes).expect("write");
    close(file).expect("close");
}

fn show(path: &CStr) {
    let name = path.to_str().expect("UTF-8");
    match status_of(path) {
        Ok(about) => {
            let is_folder = about.st_mode & S_IFMT == 0o040_000;
            let (size, links) = if is_folder {
                (0, 0)
            } else {
                (about.st_size, about.st_nlink)
            };
            println!("{name}: {:o}, {size} bytes, {links} links", about.st_mode);
        }
        Err(errno) => println!("{name}: {errno:?}"),
    }
}

fn content(path: &CStr) {
    let mut buffer = [0; 32];
    let name = path.to_str().expect("UTF-8");
    let file = match open_at(HERE, path, O_RDONLY, 0) {
        Ok(file) => file,
        Err(errno) => return println!("{name}: {errno:?}"),
    };
    let count = read_at(file, &mut buffer, 0).expect("read");
    println!("{name} holds {:?}", buffer[..count].escape_ascii());
    close(file).expect("close");
}

fn told(what: &str, result: Result<(), Errno>) {
    println!("{what}: {result:?}");
}

fn creation() {
    println!("mask: {:o}", set_mask(0o027));
    for mode in [0o666, 0o777, 0o7777, 0] {
        let file = open_at(HERE, c"made", O_CREAT | O_EXCL | O_RDWR, mode).expect("open");
        println!(
            "made with {mode:o}: {:o}",
            status(file).expect("fstat").st_mode
        );
        let again = open_at(HERE, c"made", O_CREAT | O_EXCL | O_RDWR, mode);
        println!("once more: {:?}", again.map(drop));
        close(file).expect("close");
        remove(c"made").expect("unlink");
    }
    set_mask(0o022);
    let file = open_at(HERE, c"log", O_CREAT | O_WRONLY | O_APPEND, 0o600).expect("open");
    write_all(file, b"one ").expect("write");
    write_all(file, b"two ").expect("write");
    close(file).expect("close");
    let file = open_at(HERE, c"log", O_WRONLY | O_APPEND, 0).expect("open");
    write_all(file, b"three").expect("write");
    close(file).expect("close");
    content(c"log");
    set_mode(c"log", 0o4711).expect("chmod");
    show(c"log");
    remove(c"log").expect("unlink");
    for (what, path, flags) in [
        ("a missing file", c"none", O_RDONLY),
        ("a file in none", c"none/x", O_CREAT | O_WRONLY),
        ("a folder to write", c".", O_WRONLY),
        ("a new file with a slash", c"none/", O_CREAT | O_WRONLY),
        ("a folder by O_CREAT", c".", O_CREAT | O_RDONLY),
        ("an empty path", c"", O_RDONLY),
        ("both", c"x", O_CREAT | O_DIRECTORY),
    ] {
        told(what, open_at(HERE, path, flags, 0o644).map(drop));
    }
}

fn names() {
    make(c"a", b"letters");
    told("link", link(c"a", c"b"));
    told("link again", link(c"a", c"b"));
    show(c"a");
    remove(c"a").expect("unlink");
    show(c"a");
    show(c"b");
    told("symlink", link_to(c"b", c"s"));
    show(c"s");
    content(c"s");
    told("a loop", link_to(c"loop", c"loop"));
    content(c"loop");
    told("a link to nothing", link_to(c"nothing", c"dangling"));
    content(c"dangling");
    make(c"dangling", b"through a link");
    content(c"nothing");
    let new = open_at(HERE, c"dangling", O_CREAT | O_EXCL | O_RDWR, 0o600);
    told("exclusively", new.map(drop));
    told("link to a symlink", link(c"s", c"t"));
    show(c"t");
    for path in [c"b", c"s", c"t", c"loop", c"dangling", c"nothing"] {
        remove(path).expect("unlink");
    }
}

fn folders() {
    make_folder(c"d", 0o777).expect("mkdir");
    show(c"d");
    told("mkdir again", make_folder(c"d", 0o777));
    told("unlink a folder", remove(c"d"));
    make(c"d/f", b"f");
    told("rmdir, not empty", remove_folder(c"d"));
    told("rmdir of a file", remove_folder(c"d/f"));
    told("rmdir of .", remove_folder(c"d/."));
    told("rmdir of ..", remove_folder(c"d/.."));
    told("link to a folder", link(c"d", c"e"));
    told(
        "a slash behind a file",
        open_at(HERE, c"d/f/", 0, 0).map(drop),
    );
    told("below a file", open_at(HERE, c"d/f/g", 0, 0).map(drop));
    show(c"d/../d/./f");
    make_folder(c"d/sub/", 0o700).expect("mkdir");
    let folder = open_at(HERE, c"d", O_RDONLY | O_DIRECTORY, 0).expect("open");
    let file = open_at(folder, c"f", O_RDONLY, 0).expect("openat");
    println!(
        "size by way of a descriptor: {}",
        status(file).expect("fstat").st_size
    );
    told("from a file on", open_at(file, c"f", O_RDONLY, 0).map(drop));
    told("from nowhere", open_at(99, c"f", O_RDONLY, 0).map(drop));
    close(file).expect("close");
    close(folder).expect("close");
    gone_folder();
    remove(c"d/f").expect("unlink");
    remove_folder(c"d/sub").expect("rmdir");
    remove_folder(c"d").expect("rmdir");
}

/// A working folder that is removed under its user.
fn gone_folder() {
    let mut buffer = [0; 256];
    make_folder(c"gone", 0o700).expect("mkdir");
    go(c"gone").expect("chdir");
    told("remove the working folder", remove_folder(c"../gone"));
    told("getcwd", working_folder(&mut buffer).map(drop));
    told(
        "make a file there",
        open_at(HERE, c"x", O_CREAT | O_RDWR, 0o600).map(drop),
    );
    told("go up", go(c".."));
    show(c"gone");
}

fn moves() {
    make(c"a", b"A");
    make(c"b", b"B");
    make_folder(c"d", 0o755).expect("mkdir");
    make_folder(c"d/e", 0o755).expect("mkdir");
    told("onto itself", rename(c"a", c"a", 0));
    told("no replacing", rename(c"a", c"b", RENAME_NOREPLACE));
    told("exchange", rename(c"a", c"b", RENAME_EXCHANGE));
    content(c"a");
    told(
        "exchange with nothing",
        rename(c"a", c"none", RENAME_EXCHANGE),
    );
    told("replace", rename(c"a", c"b", 0));
    content(c"b");
    show(c"a");
    told("into a folder", rename(c"b", c"d/e/b", 0));
    content(c"d/e/b");
    told("a folder into itself", rename(c"d", c"d/e/d", 0));
    told("onto its parent", rename(c"d/e", c"d", 0));
    told("a file onto a folder", rename(c"d/e/b", c"d", 0));
    make(c"f", b"F");
    told("a folder onto a file", rename(c"d", c"f", 0));
    make_folder(c"g", 0o755).expect("mkdir");
    told("a folder onto an empty one", rename(c"d/e", c"g", 0));
    content(c"g/b");
    told("a file with a slash", rename(c"f", c"h/", 0));
    told("what is not there", rename(c"none", c"h", 0));
    told(
        "exchange a file and a folder",
        rename(c"f", c"g", RENAME_EXCHANGE),
    );
    content(c"f/b");
    content(c"g");
    told("wrong flags", rename(c"f", c"g", 99));
    remove(c"f/b").expect("unlink");
    remove(c"g").expect("unlink");
    remove_folder(c"f").expect("rmdir");
    remove_folder(c"d").expect("rmdir");
}

fn lengths() {
    make(c"file", b"0123456789");
    told("truncate to 4", truncate(c"file", 4));
    content(c"file");
    told("and to 8", truncate(c"file", 8));
    content(c"file");
    let file = open_at(HERE, c"file", O_RDWR, 0).expect("open");
    let far = write_at(file, b"far", 20_000);
    println!(
        "far away: {far:?}, {} bytes",
        status(file).expect("fstat").st_size
    );
    close(file).expect("close");
    told("negative", truncate(c"file", usize::MAX));
    told("of a folder", truncate(c".", 0));
    make(c"file", b"");
    show(c"file");
    remove(c"file").expect("unlink");
}

const NAMES: [&CStr; 5] = [c"one", c"two", c"three", c"four", c"five"];

fn listings() {
    for name in NAMES {
        make(name, b"");
    }
    let folder = open_at(HERE, c".", O_RDONLY | O_DIRECTORY, 0).expect("open");
    let mut buffer = [0; 72];
    let mut seen = [0; NAMES.len() + 2];
    loop {
        let count = list(folder, &mut buffer).expect("getdents64");
        if count == 0 {
            break;
        }
        let mut at = 0;
        while at < count {
            let record = &buffer[at..];
            let length = usize::from(u16::from_le_bytes([record[16], record[17]]));
            let name = CStr::from_bytes_until_nul(&record[19..length]).expect("it ends");
            let mut known = NAMES.iter().chain([&c".", &c".."]);
            let place = known
                .position(|known| *known == name)
                .expect("a name of ours");
            seen[place] += 1;
            // What is removed meanwhile disturbs nobody.
            if place < NAMES.len() {
                remove(name).expect("unlink");
            }
            at += length;
        }
    }
    println!("each was seen {seen:?} times");
    told("too small a buffer", {
        rt::file::seek(folder, 0, 0).expect("lseek");
        list(folder, &mut [0; 8]).map(drop)
    });
    close(folder).expect("close");
}

fn last_name() {
    let file = open_at(HERE, c"temporary", O_CREAT | O_RDWR, 0o600).expect("open");
    write_all(file, b"still there").expect("write");
    remove(c"temporary").expect("unlink");
    let mut buffer = [0; 16];
    let count = read_at(file, &mut buffer, 0).expect("pread");
    println!("without a name: {:?}", buffer[..count].escape_ascii());
    println!("links: {}", status(file).expect("fstat").st_nlink);
    close(file).expect("close");
}
