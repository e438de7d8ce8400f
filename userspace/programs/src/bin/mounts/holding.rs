//! Who keeps a file system busy, and what becomes of one that is taken away all the same.

use core::ffi::CStr;

use rt::abi::general::{
    MAP_SHARED, MNT_DETACH, MNT_EXPIRE, MNT_FORCE, O_PATH, O_RDONLY, O_RDWR, PROT_READ,
    UMOUNT_NOFOLLOW,
};
use rt::file::{close, map, open};
use rt::memory::{PAGE, munmap};
use rt::mount::unmount;
use rt::path::{go, link_to, make_folder, remove, working_folder};
use rt::{println, probe};

use crate::{content, make, tmpfs, told};

pub(crate) fn show() {
    open_things();
    mappings();
    tmpfs(c"m", 0, None).expect("mount");
    told("first, to be forgotten", unmount(c"m", MNT_EXPIRE));
    told("then forgotten", unmount(c"m", MNT_EXPIRE));
    told("with force", {
        tmpfs(c"m", 0, None).expect("mount");
        unmount(c"m", MNT_FORCE)
    });
    links();
    lazily();
}

fn open_things() {
    tmpfs(c"m", 0, None).expect("mount");
    make(c"m/file", b"bytes");
    for flags in [O_RDONLY, O_RDWR, O_PATH] {
        let file = open(c"m/file", flags).expect("open");
        told("a file is open", unmount(c"m", 0));
        close(file).expect("close");
    }
    let folder = open(c"m", O_RDONLY).expect("open");
    told("a folder is open", unmount(c"m", 0));
    close(folder).expect("close");
    go(c"m").expect("chdir");
    told("somebody is in it", unmount(c"../m", 0));
    told("and says so", unmount(c".", 0));
    go(c"..").expect("chdir");
    told("nobody is in it", unmount(c"m", 0));
}

fn mappings() {
    tmpfs(c"m", 0, None).expect("mount");
    make(c"m/file", b"mapped");
    make(c"m/gone", b"removed");
    for name in [c"m/file", c"m/gone"] {
        let file = open(name, O_RDWR).expect("open");
        let start = map(file, PAGE, PROT_READ, MAP_SHARED, 0).expect("mmap");
        close(file).expect("close");
        if name == c"m/gone" {
            remove(name).expect("unlink");
        }
        told("a file is mapped", unmount(c"m", 0));
        println!("it begins with {}", char::from(probe::load(start)));
        munmap(start, PAGE).expect("munmap");
    }
    told("nothing is mapped", unmount(c"m", 0));
}

/// A link to a mount is that mount, unless it was asked not to be.
fn links() {
    link_to(c"m", c"link").expect("symlink");
    tmpfs(c"link", 0, None).expect("mount");
    told("a link, kept", unmount(c"link", UMOUNT_NOFOLLOW));
    told("a link, followed", unmount(c"link", 0));
    remove(c"link").expect("unlink");
}

fn where_am_i() {
    let mut buffer = [0; 256];
    let count = working_folder(&mut buffer).expect("getcwd");
    let path = CStr::from_bytes_with_nul(&buffer[..count]).expect("one string");
    println!("the working folder: {}", path.to_str().expect("UTF-8"));
}

/// Who is inside stays, and what they hold stays with them.
fn lazily() {
    tmpfs(c"m", 0, None).expect("mount");
    make_folder(c"m/inner", 0o755).expect("mkdir");
    make(c"m/inner/file", b"kept");
    tmpfs(c"m/inner", 0, None).expect("mount");
    told("umount takes none with it", unmount(c"m", 0));
    let outside = open(c".", O_RDONLY | O_PATH).expect("open");
    go(c"m").expect("chdir");
    told("at once", unmount(c"../m", MNT_DETACH));
    where_am_i();
    content(c"inner/file");
    told("a mount where no tree is", tmpfs(c"inner", 0, None));
    told("umount where no tree is", unmount(c".", 0));
    go(c"..").expect("chdir");
    where_am_i();
    rt::syscall::raw(
        rt::abi::Sysno::fchdir.id() as usize,
        [outside as usize, 0, 0, 0, 0, 0],
    )
    .expect("fchdir");
    close(outside).expect("close");
    content(c"m/below");
}
