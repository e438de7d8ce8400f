//! Shows the vDSO: clocks that are read without a system call agree with those that are read by one.
//!
//! Linux's object is larger and has more in front of it; here only what both have is shown.
#![no_std]
#![forbid(unsafe_code)]

use core::ffi::CStr;
use core::time::Duration;

use programs::lesson::{dies, ends};
use programs::proc::{self, Room};
use programs::vdso::Object;
use rt::abi::Sysno;
use rt::memory::{
    MREMAP_FIXED, MREMAP_MAYMOVE, Mapping, PROT_EXEC, PROT_READ, PROT_WRITE, mprotect, mremap,
    munmap,
};
use rt::process::Status;
use rt::syscall::raw;
use rt::{println, probe};

/// Clocks that the object reads by itself, and some that it has to ask the kernel for.
const CLOCKS: [usize; 9] = [0, 1, 4, 5, 6, 7, 11, 2, 3];

fn main() {
    let object = Object::own().expect("AT_SYSINFO_EHDR");
    println!("an ELF file: {}", object.is_elf());
    let length = areas(object.start);
    let function = |name: &CStr| object.function(name).expect("a function");
    let get = function(c"__vdso_clock_gettime");
    for id in CLOCKS {
        println!("clock {id}: {}", agrees(get, id));
    }
    refused(get);
    resolutions(function(c"__vdso_clock_getres"));
    time_of_day(function(c"__vdso_gettimeofday"), function(c"__vdso_time"));
    let mut cpu = u32::MAX;
    let got = probe::call_with(function(c"__vdso_getcpu"), [&raw mut cpu as usize, 0]);
    println!("processor: {got}, {}", cpu < 1024);
    never_back(get);
    ends("a child", Status::Exited(0), || u8::from(!agrees(get, 1)));
    changes(object.start, length, get);
}

/// Says how the object and what it reads are mapped; how long the object is.
fn areas(start: usize) -> usize {
    let mut room: Room = [0; 32768];
    let maps = proc::read(c"/proc/self/maps", &mut room);
    let mut length = 0;
    for area in proc::areas(maps) {
        if area.name == "[vdso]" || area.name == "[vvar]" {
            let (offset, device, inode) = (area.offset, area.device, area.inode);
            println!("{} {} {offset} {device} {inode}", area.name, area.rights);
        }
        if area.start == start {
            length = area.end - area.start;
        }
    }
    length
}

/// What clock `id` shows by the function at `get`.
fn read(get: usize, id: usize) -> Duration {
    let mut time = [u64::MAX; 2];
    let answer = probe::call_with(get, [id, time.as_mut_ptr() as usize]);
    assert_eq!(answer, 0, "clock {id}");
    Duration::new(time[0], time[1] as u32)
}

/// What it shows by a system call.
fn ask(id: usize) -> Duration {
    let mut time = [0u64; 2];
    let arguments = [id, time.as_mut_ptr() as usize, 0, 0, 0, 0];
    raw(Sysno::clock_gettime as usize, arguments).expect("clock_gettime");
    Duration::new(time[0], time[1] as u32)
}

/// Whether it is between what the kernel says before and afterwards.
fn agrees(get: usize, id: usize) -> bool {
    (0..1000).all(|_| {
        let before = ask(id);
        let shown = read(get, id);
        before <= shown && shown <= ask(id)
    })
}

fn refused(get: usize) {
    let mut time = [7u64; 2];
    let answer = probe::call_with(get, [99, time.as_mut_ptr() as usize]);
    println!("clock 99: {}, {time:?}", answer.cast_signed());
}

fn resolutions(get: usize) {
    for id in CLOCKS {
        let (mut shown, mut told) = ([0u64; 2], [0u64; 2]);
        let answer = probe::call_with(get, [id, shown.as_mut_ptr() as usize]);
        let arguments = [id, told.as_mut_ptr() as usize, 0, 0, 0, 0];
        raw(Sysno::clock_getres as usize, arguments).expect("clock_getres");
        let nowhere = probe::call_with(get, [id, 0]);
        println!("resolution of {id}: {answer}, {}, {nowhere}", shown == told);
    }
}

fn time_of_day(get: usize, seconds: usize) {
    let (mut shown, mut zone) = ([0u64; 2], [7u32; 2]);
    let before = ask(0);
    let places = [shown.as_mut_ptr() as usize, zone.as_mut_ptr() as usize];
    let answer = probe::call_with(get, places);
    let now = Duration::new(shown[0], shown[1] as u32 * 1000);
    let fits = before.as_micros() <= now.as_micros() && now <= ask(0);
    println!("time of day: {answer}, {fits}, {zone:?}");
    println!("nowhere: {}", probe::call_with(get, [0, 0]));
    let mut stored = 0u64;
    let before = ask(5).as_secs();
    let told = probe::call_with(seconds, [&raw mut stored as usize, 0]) as u64;
    println!(
        "seconds: {}, {}",
        told == stored,
        before <= told && told <= ask(0).as_secs()
    );
}

fn never_back(get: usize) {
    let mut last = read(get, 1);
    for _ in 0..1_000_000 {
        let now = read(get, 1);
        assert!(now >= last, "{last:?}, then {now:?}");
        last = now;
    }
    println!("1,000,000 looks at the clock: it never went back");
}

/// The object is the program's, to change, move and give up; what it reads is not.
fn changes(start: usize, length: usize, get: usize) {
    let all = PROT_READ | PROT_WRITE | PROT_EXEC;
    println!("to be written: {:?}", mprotect(start, length, all));
    ends("a child that changes its own", Status::Exited(0), || {
        let returns = 0xc3;
        probe::store(get, returns);
        probe::call(get);
        0
    });
    println!("still there: {}", agrees(get, 1));
    mprotect(start, length, PROT_READ | PROT_EXEC).expect("mprotect");
    dies("what it reads, written to", || probe::store(start - 1, 0));
    ends("given up", Status::Exited(0), || {
        munmap(start, length).expect("munmap");
        u8::from(ask(1) == Duration::ZERO)
    });
    let place = Mapping::new(length / 4096).page(0);
    let moved = mremap(start, length, length, MREMAP_MAYMOVE | MREMAP_FIXED, place);
    println!("moved: {}", moved == Ok(place));
    let bytes = probe::load_half(place).to_le_bytes();
    println!("there: {}", bytes == *b"\x7fELF");
}
