//! Shows file systems that come and go: what covers what, who keeps one busy, what cannot be changed where nothing may be.
//!
//! On a Linux it first takes a tree of mounts of its own, so that nobody else sees any of this.
#![no_std]
#![forbid(unsafe_code)]

mod access;
mod binding;
mod holding;
mod table;

use core::ffi::CStr;

use rt::abi::general::{
    AT_FDCWD, CLONE_NEWNS, CLONE_NEWUSER, MS_PRIVATE, MS_REC, O_CREAT, O_RDONLY, O_TRUNC, O_WRONLY,
};
use rt::file::{close, read_at};
use rt::io::write_all;
use rt::mount::{mount, part, unmount};
use rt::path::{go, make_folder, open_at, remove, remove_folder, status_of};
use rt::{Errno, println};

fn main() {
    if part(CLONE_NEWNS) == Err(Errno::EPERM) {
        part(CLONE_NEWUSER | CLONE_NEWNS).expect("a tree of its own");
    }
    mount(None, c"/", None, MS_PRIVATE | MS_REC, None).expect("what is done here stays here");
    make_folder(c"work", 0o755).expect("mkdir");
    go(c"work").expect("chdir");
    make_folder(c"m", 0o755).expect("mkdir");
    make_folder(c"n", 0o755).expect("mkdir");
    make(c"file", b"a file");
    refusals();
    covering();
    stacking();
    holding::show();
    access::show();
    binding::show();
    table::show();
    remove(c"m/below").expect("unlink");
    remove(c"file").expect("unlink");
    remove_folder(c"m").expect("rmdir");
    remove_folder(c"n").expect("rmdir");
    go(c"..").expect("chdir");
    remove_folder(c"work").expect("nothing is left behind");
}

/// Hangs a new file system in memory on `place`.
fn tmpfs(place: &CStr, flags: u32, words: Option<&CStr>) -> Result<(), Errno> {
    mount(Some(c"source"), place, Some(c"tmpfs"), flags, words)
}

/// A file with these bytes.
fn make(path: &CStr, bytes: &[u8]) {
    let flags = O_CREAT | O_WRONLY | O_TRUNC;
    let file = open_at(AT_FDCWD as u32, path, flags, 0o644).expect("open");
    write_all(file, bytes).expect("write");
    close(file).expect("close");
}

fn content(path: &CStr) {
    let mut buffer = [0; 32];
    let name = path.to_str().expect("UTF-8");
    let file = match open_at(AT_FDCWD as u32, path, O_RDONLY, 0) {
        Ok(file) => file,
        Err(errno) => return println!("{name}: {errno:?}"),
    };
    match read_at(file, &mut buffer, 0) {
        Ok(count) => println!("{name} holds {}", buffer[..count].escape_ascii()),
        Err(errno) => println!("{name}: {errno:?}"),
    }
    close(file).expect("close");
}

fn told(what: &str, result: Result<(), Errno>) {
    println!("{what}: {result:?}");
}

/// What mount(2) and umount2(2) refuse, the first reason first.
fn refusals() {
    const NONE: Option<&CStr> = None;
    told(
        "a kind that is not there",
        mount(NONE, c"m", Some(c"nofs"), 0, None),
    );
    told("no kind", mount(Some(c"x"), c"m", None, 0, None));
    told("no place", tmpfs(c"nowhere", 0, None));
    told(
        "no place, no kind",
        mount(NONE, c"nowhere", Some(c"nofs"), 0, None),
    );
    told("on a file", tmpfs(c"file", 0, None));
    told(
        "a file, no kind",
        mount(NONE, c"file", Some(c"nofs"), 0, None),
    );
    told("in a file", tmpfs(c"file/m", 0, None));
    told(
        "words that mean nothing",
        tmpfs(c"m", 0, Some(c"colour=red")),
    );
    told("a size that is none", tmpfs(c"m", 0, Some(c"size=ten")));
    told("umount of a folder", unmount(c"m", 0));
    told("umount of nothing", unmount(c"nowhere", 0));
    told("flags that mean nothing", unmount(c"nowhere", 64));
    told("to be forgotten at once, later", unmount(c"m", 4 | 2));
}

/// What is mounted covers what was there, and only as long.
fn covering() {
    make(c"m/below", b"covered");
    let before = status_of(c"m").expect("stat");
    tmpfs(c"m", 0, None).expect("mount");
    let covered = status_of(c"m").expect("stat");
    println!("another device: {}", before.st_dev != covered.st_dev);
    println!("its mode: {:o}", covered.st_mode);
    content(c"m/below");
    make(c"m/above", b"covers");
    content(c"m/above");
    let up = status_of(c"m/..").expect("stat");
    let here = status_of(c".").expect("stat");
    println!(
        "up is here: {}",
        (up.st_dev, up.st_ino) == (here.st_dev, here.st_ino)
    );
    told("rmdir", remove_folder(c"m"));
    told("umount", unmount(c"m", 0));
    content(c"m/below");
    content(c"m/above");
}

/// The last one that hangs on a place covers those before it.
fn stacking() {
    tmpfs(c"m", 0, None).expect("mount");
    make(c"m/first", b"first");
    tmpfs(c"m", 0, None).expect("mount");
    make(c"m/second", b"second");
    content(c"m/first");
    make_folder(c"m/inner", 0o755).expect("mkdir");
    tmpfs(c"m/inner", 0, None).expect("mount");
    told("umount of what has one in it", unmount(c"m", 0));
    told("the inner one", unmount(c"m/inner/", 0));
    told("the second", unmount(c"m/.", 0));
    content(c"m/first");
    told("the first", unmount(c"m", 0));
    told("and no more", unmount(c"m", 0));
}
