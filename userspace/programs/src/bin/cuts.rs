//! Changes files without rest, and says when what is promised: the machine may end at any moment, and a test looks at its
//! disk.
//!
//! `cuts SEED STEPS` works in the working folder, `cuts SEED STEPS DISK` mounts that disk first and leaves it mounted.
//! After each step that promises something it prints the step's number, and waits for a byte. `cuts look DISK ...` shows
//! what is on disks, each by its names, lengths and a sum.
#![no_std]
#![forbid(unsafe_code)]

use core::ffi::CStr;

use programs::cuts::{FILES, FOLDERS, Name, PIECE, Piece, Plan, Step, byte};
use rt::abi::general::{
    AT_FDCWD, MAP_SHARED, MS_RDONLY, MS_SYNC, O_CREAT, O_EXCL, O_RDONLY, O_RDWR, PROT_READ,
    PROT_WRITE, SYNC_FILE_RANGE_WRITE,
};
use rt::copy::sync_range;
use rt::file::{self, close, map, open, read_at, status, write_at};
use rt::io::read;
use rt::memory::{PAGE, msync, munmap};
use rt::mount::{self, mount, unmount};
use rt::path::{go, make_folder, open_at, remove, remove_folder, rename};
use rt::{env, println, probe};

const PLACE: &CStr = c"/tmp/volume";

fn main() {
    if env::arg(1) == Some("look") {
        make_folder(PLACE, 0o755).expect("mkdir");
        return env::args().skip(2).for_each(look_at);
    }
    let [seed, steps] = [1, 2].map(|index| {
        let number = env::arg(index).and_then(|word| word.parse().ok());
        number.expect("a seed, and how many steps")
    });
    if let Some(disk) = env::args().nth(3) {
        make_folder(PLACE, 0o755).expect("mkdir");
        mount(Some(disk), PLACE, Some(c"ext2"), 0, None).expect("mount");
        go(PLACE).expect("chdir");
    }
    for (number, step) in (0..steps).zip(Plan::new(seed)) {
        perform(number as u32, step);
        if step.is_acknowledged() {
            println!("{number}");
            read(0, &mut [0]).expect("read");
        }
    }
    println!("all");
}

/// A path, which ends with a zero.
type Path = [u8; 6];

fn path_of(name: Name) -> Path {
    let file = b'0' + name.file;
    match name.folder {
        0 => [b'f', file, 0, 0, 0, 0],
        folder => [b'd', b'0' + folder, b'/', b'f', file, 0],
    }
}

fn folder_path(folder: u8) -> Path {
    [b'd', b'0' + folder, 0, 0, 0, 0]
}

fn text(path: &Path) -> &CStr {
    CStr::from_bytes_until_nul(path).expect("a zero is the last")
}

fn opened(name: Name) -> u32 {
    open(text(&path_of(name)), O_RDWR).expect("open")
}

fn perform(number: u32, step: Step) {
    match step {
        Step::Create(name) => {
            let flags = O_CREAT | O_EXCL | O_RDWR;
            let made = open_at(AT_FDCWD as u32, text(&path_of(name)), flags, 0o644);
            close(made.expect("open")).expect("close");
        }
        Step::Write(piece) => write(number, piece),
        Step::Store(piece) => store(number, piece, |_, _| ()),
        Step::StoreAndSync(piece) => store(number, piece, |start, size| {
            msync(start, size, MS_SYNC).expect("msync");
        }),
        Step::Resize(name, size) => {
            with(name, |file| {
                file::truncate(file, size as usize).expect("ftruncate")
            });
        }
        Step::Rename(old, new) => {
            rename(text(&path_of(old)), text(&path_of(new)), 0).expect("rename");
        }
        Step::Remove(name) => remove(text(&path_of(name))).expect("unlink"),
        Step::MakeFolder(folder) => make_folder(text(&folder_path(folder)), 0o755).expect("mkdir"),
        Step::RemoveFolder(folder) => remove_folder(text(&folder_path(folder))).expect("rmdir"),
        Step::Begin(name) => with(name, |file| {
            sync_range(file, 0, 0, SYNC_FILE_RANGE_WRITE).expect("sync_file_range");
        }),
        Step::Sync(name) => with(name, |file| file::sync(file).expect("fsync")),
        Step::SyncAll => mount::sync(),
    }
}

fn with(name: Name, work: impl FnOnce(u32)) {
    let file = opened(name);
    work(file);
    close(file).expect("close");
}

fn write(number: u32, Piece { name, at, length }: Piece) {
    let mut bytes = [0; PIECE as usize];
    let bytes = &mut bytes[..length as usize];
    for (place, at) in bytes.iter_mut().zip(at..) {
        *place = byte(number, at);
    }
    with(name, |file| {
        assert_eq!(write_at(file, bytes, at as usize), Ok(bytes.len()));
    });
}

/// Stores through a mapping of the whole file, which `then` may use too.
fn store(number: u32, Piece { name, at, length }: Piece, then: impl FnOnce(usize, usize)) {
    with(name, |file| {
        let size = status(file).expect("fstat").st_size as usize;
        let rights = PROT_READ | PROT_WRITE;
        let start = map(file, size, rights, MAP_SHARED, 0).expect("mmap");
        for at in at..at + length {
            probe::store(start + at as usize, byte(number, at));
        }
        then(start, size);
        munmap(start, size).expect("munmap");
    });
}

fn look_at(disk: &CStr) {
    println!("{}:", disk.to_str().expect("names of disks are plain"));
    mount(Some(disk), PLACE, Some(c"ext2"), MS_RDONLY, None).expect("mount");
    go(PLACE).expect("chdir");
    for folder in 0..FOLDERS {
        for file in 0..FILES {
            look(Name { folder, file });
        }
    }
    go(c"/").expect("chdir");
    unmount(PLACE, 0).expect("umount");
}

fn look(name: Name) {
    let path = path_of(name);
    let Ok(file) = open(text(&path), O_RDONLY) else {
        return;
    };
    let mut sum = 0_u64;
    let mut page = [0; PAGE];
    let mut at = 0;
    while let count @ 1.. = read_at(file, &mut page, at).expect("read") {
        for &byte in &page[..count] {
            sum = sum.wrapping_mul(0x100_0000_01b3) ^ u64::from(byte);
        }
        at += count;
    }
    println!("{} {at} {sum:016x}", text(&path).to_str().expect("plain"));
    close(file).expect("close");
}
