//! What proc(5) says of it.

use core::ffi::CStr;

use programs::proc::read_in;
use rt::abi::general::{
    MS_BIND, MS_NOATIME, MS_NODEV, MS_NODIRATIME, MS_NOEXEC, MS_NOSUID, MS_RDONLY, MS_STRICTATIME,
};
use rt::mount::{mount, unmount};
use rt::path::{make_folder, remove_folder, working_folder};
use rt::println;

use crate::tmpfs;

pub(crate) fn show() {
    let words = c"size=64k,mode=755,nr_inodes=9";
    for (flags, words) in [
        (0, None),
        (MS_RDONLY, None),
        (MS_NOSUID | MS_NODEV | MS_NOEXEC, None),
        (MS_NOATIME, None),
        (MS_NODIRATIME, None),
        (MS_STRICTATIME, Some(words)),
    ] {
        tmpfs(c"m", flags, words).expect("mount");
        listed();
        unmount(c"m", 0).expect("umount");
    }
    make_folder(c"a b\\c#", 0o755).expect("mkdir");
    mount(Some(c"two #words"), c"a b\\c#", Some(c"tmpfs"), 0, None).expect("mount");
    listed();
    unmount(c"a b\\c#", 0).expect("umount");
    remove_folder(c"a b\\c#").expect("rmdir");
    tmpfs(c"m", 0, None).expect("mount");
    make_folder(c"m/inner", 0o755).expect("mkdir");
    mount(Some(c"m/inner"), c"n", None, MS_BIND, None).expect("mount");
    mount(Some(c"proc"), c"m/inner", Some(c"proc"), 0, None).expect("mount");
    listed();
    related();
    unmount(c"m/inner", 0).expect("umount");
    unmount(c"n", 0).expect("umount");
    unmount(c"m", 0).expect("umount");
}

/// The path of the working folder.
fn here(room: &mut [u8; 256]) -> &str {
    let count = working_folder(room).expect("getcwd");
    let path = CStr::from_bytes_with_nul(&room[..count]).expect("one string");
    path.to_str().expect("UTF-8")
}

/// The lines about what hangs here, with paths from here on.
fn listed() {
    let (mut room, mut path) = ([0; 32768], [0; 256]);
    let here = here(&mut path);
    for line in read_in(c"/proc/self/mounts", &mut room, 4096).lines() {
        let Some((source, rest)) = line.split_once(' ') else {
            continue;
        };
        if let Some(rest) = rest.strip_prefix(here) {
            println!("{source} .{rest}");
        }
    }
}

/// The same of `mountinfo`, with the place of what each hangs in in the place of numbers.
fn related() {
    let (mut room, mut path) = ([0; 32768], [0; 256]);
    let here = here(&mut path);
    let text = read_in(c"/proc/self/mountinfo", &mut room, 4096);
    for line in text.lines() {
        let mut fields = line.splitn(6, ' ');
        let mut next = || fields.next().unwrap_or_default();
        let [_, parent, _, root, place, rest] = [(); 6].map(|()| next());
        let Some(place) = place.strip_prefix(here) else {
            continue;
        };
        let above = text
            .lines()
            .find(|line| line.split(' ').next() == Some(parent));
        let above = above.and_then(|line| line.split(' ').nth(4));
        let above = above.and_then(|above| above.strip_prefix(here));
        println!(".{place} shows {root}, hangs in {above:?}: {rest}");
    }
}
