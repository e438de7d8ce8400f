//! One thing seen in two places, things that change their place, and names that can't go while something hangs on them.

use rt::abi::general::{MS_BIND, MS_MOVE, MS_RDONLY, MS_REC, MS_REMOUNT, RENAME_EXCHANGE};
use rt::mount::{mount, unmount};
use rt::path::{link, make_folder, remove, remove_folder, rename, status_of};
use rt::println;

use crate::{content, make, tmpfs, told};

pub(crate) fn show() {
    tmpfs(c"m", 0, None).expect("mount");
    make_folder(c"m/folder", 0o755).expect("mkdir");
    make(c"m/folder/file", b"seen twice");
    folders();
    files();
    names();
    deep();
    moves();
    unmount(c"m", 0).expect("umount");
}

fn bind(from: &core::ffi::CStr, to: &core::ffi::CStr, flags: u32) -> Result<(), rt::Errno> {
    mount(Some(from), to, None, MS_BIND | flags, None)
}

fn folders() {
    told("a folder", bind(c"m/folder", c"n", 0));
    content(c"n/file");
    let up = status_of(c"n/..").expect("stat");
    let here = status_of(c".").expect("stat");
    println!(
        "up is here: {}",
        (up.st_dev, up.st_ino) == (here.st_dev, here.st_ino)
    );
    told("link across", link(c"n/file", c"m/folder/other"));
    told("rename across", rename(c"n/file", c"m/folder/other", 0));
    told(
        "not to be changed here",
        mount(None, c"n", None, MS_REMOUNT | MS_BIND | MS_RDONLY, None),
    );
    told("here", make_folder(c"n/new", 0o755));
    told("there", make_folder(c"m/folder/new", 0o755));
    told("the folder goes", remove_folder(c"n/new"));
    told("the folder goes", remove_folder(c"m/folder/new"));
    told("umount", unmount(c"n", 0));
}

fn files() {
    told("a file on a folder", bind(c"m/folder/file", c"n", 0));
    told("a folder on a file", bind(c"n", c"file", 0));
    told("a file on a file", bind(c"m/folder/file", c"file", 0));
    content(c"file");
    told("unlink of a place", remove(c"file"));
    told("unlink of what is seen", remove(c"m/folder/file"));
    content(c"file");
    told("umount", unmount(c"file", 0));
    content(c"file");
    told(
        "nothing on a folder",
        mount(None, c"n", None, MS_BIND, None),
    );
    told("what is not there", bind(c"m/nothing", c"n", 0));
}

/// Where something hangs keeps its name.
fn names() {
    make_folder(c"m/place", 0o755).expect("mkdir");
    tmpfs(c"m/place", 0, None).expect("mount");
    bind(c"m", c"n", 0).expect("mount");
    told("rmdir", remove_folder(c"m/place"));
    told("rmdir by another way", remove_folder(c"n/place"));
    told("rename", rename(c"m/place", c"m/other", 0));
    told("rename by another way", rename(c"n/place", c"n/other", 0));
    told("rename onto it", rename(c"m/folder", c"m/place", 0));
    told("exchange", rename(c"m/folder", c"m/place", RENAME_EXCHANGE));
    unmount(c"n", 0).expect("umount");
    unmount(c"m/place", 0).expect("umount");
    told("rename", rename(c"m/place", c"m/other", 0));
    told("rmdir", remove_folder(c"m/other"));
}

/// With all that hangs in it, or without.
fn deep() {
    make_folder(c"m/place", 0o755).expect("mkdir");
    tmpfs(c"m/place", 0, None).expect("mount");
    make(c"m/place/file", b"deep");
    bind(c"m", c"n", 0).expect("mount");
    content(c"n/place/file");
    unmount(c"n", 0).expect("umount");
    bind(c"m", c"n", MS_REC).expect("mount");
    content(c"n/place/file");
    unmount(c"n/place", 0).expect("umount");
    unmount(c"n", 0).expect("umount");
}

fn moves() {
    told(
        "into itself",
        mount(Some(c"m"), c"m/place", None, MS_MOVE, None),
    );
    told(
        "a folder moves",
        mount(Some(c"m/folder"), c"n", None, MS_MOVE, None),
    );
    told(
        "a mount moves",
        mount(Some(c"m/place"), c"n", None, MS_MOVE, None),
    );
    content(c"n/file");
    content(c"m/place/file");
    told("umount", unmount(c"n", 0));
    remove_folder(c"m/place").expect("rmdir");
}
