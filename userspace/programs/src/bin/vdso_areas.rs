//! Shows that `[vvar]` and `[vdso]` are the kernel's: what a program may do with them, and all that it may not.
//!
//! Each attempt is a child's, so that none meets what an earlier one left. Linux's areas are longer than ours, therefore
//! nobody looks at a part of one.
#![no_std]
#![forbid(unsafe_code)]

use programs::lesson::ends;
use programs::proc::{self, File, Room};
use programs::vdso::Object;
use rt::abi::Sysno;
use rt::memory::{
    MREMAP_DONTUNMAP, MREMAP_FIXED, MREMAP_MAYMOVE, Mapping, PROT_EXEC, PROT_READ, PROT_WRITE,
    madvise, mincore, mlock, mprotect, mremap, msync, munlock, munmap,
};
use rt::process::Status;
use rt::syscall::raw;
use rt::{println, probe};

/// Where an area is, and how long.
#[derive(Clone, Copy)]
struct Place {
    start: usize,
    length: usize,
}

const NAMES: [&str; 2] = ["[vvar]", "[vdso]"];

fn main() {
    let object = Object::own().expect("AT_SYSINFO_EHDR");
    for name in NAMES {
        let place = find(name).expect("it is there");
        println!("{name}");
        rights(place);
        advice(place);
        locks(place);
        moves(place);
        strangers(place);
        alone("copies", || copies(place));
        alone("what is seen", || seen(name, place));
    }
    let place = find("[vdso]").expect("it is there");
    println!("the object is there: {}", place.start == object.start);
    all_at_once();
}

/// Where the area called `name` is now.
fn find(name: &str) -> Option<Place> {
    let mut room: Room = [0; 32768];
    let maps = proc::read(c"/proc/self/maps", &mut room);
    let area = proc::areas(maps).find(|area| area.name == name)?;
    Some(Place {
        start: area.start,
        length: area.end - area.start,
    })
}

/// Runs `body` in a child.
fn alone(what: &str, body: impl FnOnce()) {
    ends(what, Status::Exited(0), || {
        body();
        0
    });
}

fn rights(Place { start, length }: Place) {
    for protection in 0..=PROT_READ | PROT_WRITE | PROT_EXEC {
        alone("rights", || {
            let answer = mprotect(start, length, protection);
            println!("mprotect {protection}: {answer:?}");
        });
    }
}

/// From MADV_NORMAL to MADV_COLLAPSE, but for those that end a page or are not for everybody.
const ADVICE: [u32; 22] = [
    0, 1, 2, 3, 4, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24,
];

fn advice(Place { start, length }: Place) {
    for advice in ADVICE {
        alone("advice", || {
            println!("madvise {advice}: {:?}", madvise(start, length, advice));
        });
    }
}

fn locks(Place { start, length }: Place) {
    alone("locks", || {
        println!("mlock: {:?}", mlock(start, length));
        println!("munlock: {:?}", munlock(start, length));
        println!("msync: {:?}", msync(start, length, 4));
        let mut resident = [7; 64];
        let answer = mincore(start, length, &mut resident);
        let all = resident[..length / 4096].iter().all(|&byte| byte == 1);
        println!("mincore: {answer:?}, {all}");
    });
}

fn moves(Place { start, length }: Place) {
    let room = Mapping::new(length / 4096 + 1).page(0);
    let (may, fixed) = (MREMAP_MAYMOVE, MREMAP_MAYMOVE | MREMAP_FIXED);
    for (what, old, new, flags) in [
        ("longer there", length, length + 4096, 0),
        ("longer", length, length + 4096, may),
        ("longer elsewhere", length, length + 4096, fixed),
        ("twice", 0, length, may),
        ("and left behind", length, length, may | MREMAP_DONTUNMAP),
        ("and left there", length, length, fixed | MREMAP_DONTUNMAP),
        ("whole", length, length, fixed),
    ] {
        alone(what, || {
            let answer = mremap(start, old, new, flags, room);
            println!("mremap: {:?}", answer.map(|place| place == room));
        });
    }
    alone("given up", || {
        println!("munmap: {:?}", munmap(start, length))
    });
}

/// What reaches into a program's memory from elsewhere.
fn strangers(Place { start, .. }: Place) {
    alone("strangers", || {
        let mut bytes = [0u64; 1];
        let ours = [bytes.as_mut_ptr() as usize, 8];
        let theirs = [start, 8];
        let pid = raw(Sysno::getpid as usize, [0; 6]).expect("a number");
        let (ours, theirs) = (ours.as_ptr() as usize, theirs.as_ptr() as usize);
        let vectors = [pid, ours, 1, theirs, 1, 0];
        let read = raw(Sysno::process_vm_readv as usize, vectors);
        println!("process_vm_readv: {read:?}");
        let written = raw(Sysno::process_vm_writev as usize, vectors);
        println!("process_vm_writev: {written:?}");
        let memory = File::open(c"/proc/self/mem", 2).expect("one's own memory");
        let read = memory.read_at(&mut [0; 8], start);
        println!("/proc/self/mem is read: {read:?}");
        let words = [memory.0 as usize, ours, 8, start, 0, 0];
        let written = raw(Sysno::pwrite64 as usize, words);
        println!("/proc/self/mem is written to: {written:?}");
    });
}

/// The kernel for the program itself: a call that reads there, and one that stores there.
fn copies(Place { start, .. }: Place) {
    let mut ends = [0u32; 2];
    let pipe = [ends.as_mut_ptr() as usize, 0, 0, 0, 0, 0];
    raw(Sysno::pipe2 as usize, pipe).expect("a pipe");
    let given = [ends[1] as usize, start, 8, 0, 0, 0];
    println!("write: {:?}", raw(Sysno::write as usize, given));
    let taken = [ends[0] as usize, start, 8, 0, 0, 0];
    println!("read: {:?}", raw(Sysno::read as usize, taken));
    let now = [1, start, 0, 0, 0, 0];
    println!(
        "clock_gettime: {:?}",
        raw(Sysno::clock_gettime as usize, now)
    );
}

/// The lines of `smaps` that do not depend on what others do.
fn seen(name: &str, Place { start, .. }: Place) {
    let _ = probe::load(start);
    let mut room: Room = [0; 32768];
    let smaps = proc::read(c"/proc/self/smaps", &mut room);
    let mut lines = smaps.lines().skip_while(|line| !line.ends_with(name));
    let resident = lines.find(|line| line.starts_with("Rss:"));
    let is_none = resident.is_some_and(|line| line.contains(" 0 kB"));
    println!("none of it counts: {is_none}");
    for label in ["Anonymous:", "Locked:", "VmFlags:"] {
        let line = lines.find(|line| line.starts_with(label));
        println!("{}", line.unwrap_or("nothing"));
    }
    let mut word = [0; 8];
    let map = File::open(c"/proc/self/pagemap", 0).expect("one's own pages");
    let read = map.read_at(&mut word, start / 4096 * 8);
    let is_present = u64::from_le_bytes(word) >> 63;
    println!("pagemap: {read:?}, {is_present}");
}

/// All of memory is locked, and both areas move in one call, in order.
fn all_at_once() {
    alone("all is locked", || {
        let locked = raw(Sysno::mlockall as usize, [3, 0, 0, 0, 0, 0]);
        println!("mlockall: {locked:?}");
        for name in NAMES {
            seen(name, find(name).expect("it is there"));
        }
    });
    let object = Object::own().expect("AT_SYSINFO_EHDR");
    let function = object.function(c"__vdso_clock_gettime");
    let distance = function.expect("a function") - object.start;
    let [first, last] = NAMES.map(|name| find(name).expect("it is there"));
    let length = last.start + last.length - first.start;
    let target = Mapping::new(length / 4096).page(0);
    let fixed = MREMAP_MAYMOVE | MREMAP_FIXED;
    let moved = mremap(first.start, length, length, fixed, target);
    println!("moved together: {}", moved == Ok(target));
    let get = target + (last.start - first.start) + distance;
    let mut time = [0u64; 2];
    let answer = probe::call_with(get, [1, time.as_mut_ptr() as usize]);
    println!("it still shows the time: {answer}, {}", time != [0; 2]);
}
