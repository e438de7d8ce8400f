//! What can't be changed where nothing may be, and the other things that a mount forbids.

use core::ffi::CStr;

use rt::abi::general::{
    AT_FDCWD, MAP_PRIVATE, MS_BIND, MS_NODEV, MS_NOEXEC, MS_RDONLY, MS_REMOUNT, O_CREAT,
    O_DIRECTORY, O_EXCL, O_RDONLY, O_RDWR, O_TMPFILE, O_TRUNC, O_WRONLY, PROT_EXEC, PROT_READ,
    S_IFCHR, S_IFIFO, S_IFREG,
};
use rt::file::{close, map, open};
use rt::io::write_all;
use rt::memory::PAGE;
use rt::mount::{mount, room, unmount};
use rt::path::{
    access, link, link_to, make_folder, make_node, open_at, remove, remove_folder, rename,
    set_mode, set_times, truncate,
};
use rt::process::execve;
use rt::{Errno, println};

use crate::{content, make, tmpfs, told};

const HERE: u32 = AT_FDCWD as u32;
const READ: u32 = 4;
const WRITE: u32 = 2;
const EXECUTE: u32 = 1;

pub(crate) fn show() {
    tmpfs(c"m", 0, None).expect("mount");
    fill();
    let writer = open(c"m/file", O_RDWR).expect("open");
    told("read-only, with a writer", remount(MS_RDONLY));
    told("the mount alone", remount(MS_RDONLY | MS_BIND));
    write_all(writer, b"still").expect("write");
    close(writer).expect("close");
    told("read-only, without", remount(MS_RDONLY));
    refused();
    told("the mount may be changed", remount(MS_BIND));
    told("but not the file system", make_folder(c"m/new", 0o755));
    told("read-write", remount(0));
    told("made", make_folder(c"m/new", 0o755));
    told("the mount alone", remount(MS_RDONLY | MS_BIND));
    told("made again", make_folder(c"m/newer", 0o755));
    unmount(c"m", 0).expect("umount");
    told("remount of a folder", remount(0));
    new_read_only();
    barred();
    full();
}

fn remount(flags: u32) -> Result<(), Errno> {
    mount(None, c"m", None, MS_REMOUNT | flags, None)
}

fn fill() {
    make(c"m/file", b"bytes");
    make_folder(c"m/folder", 0o755).expect("mkdir");
    link_to(c"file", c"m/link").expect("symlink");
    make_node(c"m/fifo", S_IFIFO | 0o644, 0).expect("mknod");
    make_node(c"m/null", S_IFCHR | 0o666, 0x103).expect("mknod");
}

fn opened(what: &str, path: &CStr, flags: u32) {
    let file = open_at(HERE, path, flags, 0o644);
    told(what, file.map(|file| close(file).expect("close")));
}

/// Each call that would change something, on something that is there and on something that is not.
fn refused() {
    opened("open to read", c"m/file", O_RDONLY);
    opened("open to write", c"m/file", O_WRONLY);
    opened("open to write both", c"m/file", O_RDWR);
    opened("open to cut", c"m/file", O_RDONLY | O_TRUNC);
    opened("open, maybe new", c"m/file", O_RDONLY | O_CREAT);
    opened(
        "open, certainly new",
        c"m/file",
        O_RDONLY | O_CREAT | O_EXCL,
    );
    opened("open what is not there", c"m/new", O_RDONLY | O_CREAT);
    opened("open what can't be", c"m/new/", O_RDONLY | O_CREAT);
    opened("open a folder to write", c"m/folder", O_WRONLY);
    opened("open without a name", c"m/folder", O_TMPFILE | O_RDWR);
    opened("open a device to write", c"m/null", O_WRONLY);
    opened("open a pipe both ways", c"m/fifo", O_RDWR);
    told("mkdir", make_folder(c"m/new", 0o755));
    told("mkdir of what is there", make_folder(c"m/folder", 0o755));
    told("mknod", make_node(c"m/new", S_IFREG | 0o644, 0));
    told("symlink", link_to(c"x", c"m/new"));
    told("link", link(c"m/file", c"m/new"));
    told("link from elsewhere", link(c"file", c"m/new"));
    told("link to elsewhere", link(c"m/file", c"new"));
    told("unlink", remove(c"m/file"));
    told("unlink of nothing", remove(c"m/new"));
    told("unlink of a folder", remove(c"m/folder"));
    told("rmdir", remove_folder(c"m/folder"));
    told("rmdir of nothing", remove_folder(c"m/new"));
    told("rename", rename(c"m/file", c"m/new", 0));
    told("rename of nothing", rename(c"m/new", c"m/newer", 0));
    told("rename to elsewhere", rename(c"m/file", c"new", 0));
    told("rename from elsewhere", rename(c"file", c"m/new", 0));
    told("truncate", truncate(c"m/file", 1));
    told("truncate of a folder", truncate(c"m/folder", 1));
    told("truncate of nothing", truncate(c"m/new", 1));
    told("chmod", set_mode(c"m/file", 0o600));
    told("utimensat", set_times(HERE, c"m/file", None, 0));
    told("may be written", access(c"m/file", WRITE, 0));
    told("may be read", access(c"m/file", READ, 0));
    told("a device may be written", access(c"m/null", WRITE, 0));
    content(c"m/file");
    println!("flags: {:#x}", room(c"m").expect("statfs").flags);
}

fn new_read_only() {
    tmpfs(c"m", MS_RDONLY, Some(c"mode=755")).expect("mount");
    told("in a new one", make_folder(c"m/new", 0o755));
    println!("flags: {:#x}", room(c"m").expect("statfs").flags);
    unmount(c"m", 0).expect("umount");
}

/// What may not run, and devices that are none.
fn barred() {
    tmpfs(c"m", MS_NOEXEC | MS_NODEV, None).expect("mount");
    fill();
    set_mode(c"m/file", 0o755).expect("chmod");
    told("may be run", access(c"m/file", EXECUTE, 0));
    told("run", Err(execve(c"m/file", &[c"file"], &[])));
    let file = open(c"m/file", O_RDONLY).expect("open");
    let mapped = map(file, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, 0);
    told("mapped to be run", mapped.map(drop));
    close(file).expect("close");
    opened("a device", c"m/null", O_RDONLY);
    opened("a folder", c"m/folder", O_RDONLY | O_DIRECTORY);
    println!("flags: {:#x}", room(c"m").expect("statfs").flags);
    unmount(c"m", 0).expect("umount");
}

/// Limits in pages and in inodes.
fn full() {
    tmpfs(c"m", 0, Some(c"size=16k,nr_inodes=4,mode=0700")).expect("mount");
    let before = room(c"m").expect("statfs");
    println!("{} blocks, {} inodes", before.blocks[0], before.inodes[0]);
    println!(
        "kind {:#x}, {} bytes a block",
        before.kind, before.block_size
    );
    make(c"m/one", &[1; 12288]);
    let file = open_at(HERE, c"m/two", O_CREAT | O_WRONLY, 0o644).expect("open");
    let counts = [(); 3].map(|()| rt::io::write(file, &[2; 4096]));
    println!("pages: {counts:?}");
    close(file).expect("close");
    let files = [c"m/three", c"m/four"].map(|name| make_folder(name, 0o755));
    println!("inodes: {files:?}");
    let after = room(c"m").expect("statfs");
    println!(
        "left: {} blocks, {} inodes",
        after.blocks[1], after.inodes[1]
    );
    remove(c"m/one").expect("unlink");
    let after = room(c"m").expect("statfs");
    println!(
        "left: {} blocks, {} inodes",
        after.blocks[1], after.inodes[1]
    );
    let limit = |words| mount(None, c"m", None, MS_REMOUNT, Some(words));
    told("a larger size", limit(c"size=32k"));
    told("no size for what is there", limit(c"nr_inodes=2"));
    println!("{} blocks", room(c"m").expect("statfs").blocks[0]);
    unmount(c"m", 0).expect("umount");
}
