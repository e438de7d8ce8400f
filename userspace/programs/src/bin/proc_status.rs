//! Shows what `/proc/self` says of a process's memory: each number moves by exactly what the program did.
//!
//! The numbers themselves differ between kernels; their differences must not.
#![no_std]
#![forbid(unsafe_code)]

use core::ffi::CStr;

use programs::proc::{File, Room, areas, number, read, text_of};
use rt::abi::general::{O_RDONLY, O_RDWR};
use rt::file::read_link;
use rt::memory::{Mapping, PAGE, PROT_READ, PROT_WRITE, mlock, share};
use rt::process::{id, parent_id, run_in_child};
use rt::{println, probe};

const STATUS: &CStr = c"/proc/self/status";

/// Pages of the lessons' mappings; too few for a huge page.
const PAGES: usize = 64;

/// The sizes that are watched.
const WATCHED: [&str; 6] = ["VmSize", "VmLck", "VmRSS", "RssAnon", "RssShmem", "VmData"];

fn main() {
    sizes();
    marks();
    sums();
    shares();
    identity();
    adjustment();
    the_machine();
}

fn watched() -> [u64; 6] {
    let mut room: Room = [0; 32768];
    let text = read(STATUS, &mut room);
    // Pages of the program's own file come whenever its code does.
    let files = number(text, "RssFile");
    WATCHED.map(|name| match name {
        "VmRSS" => number(text, name) - files,
        _ => number(text, name),
    })
}

/// Says by how much `action` moved what is watched.
fn moved<R>(what: &str, action: impl FnOnce() -> R) -> R {
    watched();
    let before = watched();
    let result = action();
    let after = watched();
    println!("{what}:");
    for ((name, before), after) in WATCHED.iter().zip(before).zip(after) {
        if before != after {
            println!("  {name} {:+} kB", after as i64 - before as i64);
        }
    }
    result
}

fn sizes() {
    let memory = moved("64 pages promised", || Mapping::new(PAGES));
    moved("read", || assert!(memory.holds(0)));
    moved("written", || memory.fill(1));
    moved("8 of them locked", || {
        mlock(memory.page(0), 8 * PAGE).expect("mlock")
    });
    moved("half of them read-only", || {
        memory.protect(32, 32, PROT_READ).expect("mprotect")
    });
    moved("given back", || memory.unmap());

    let memory = Mapping::new(PAGES);
    let shared = memory.page(8);
    moved("48 of others become shared memory", || {
        share(shared, 48 * PAGE, PROT_READ | PROT_WRITE).expect("mmap")
    });
    moved("written", || {
        (8..56).for_each(|index| probe::store(memory.page(index), 1))
    });
    moved("given back", || memory.unmap());
}

/// High-water marks stay when the water falls. Linux may be some pages late with what is resident.
fn marks() {
    let mut room: Room = [0; 32768];
    let memory = Mapping::new(480);
    memory.fill(1);
    let full = watched();
    memory.unmap();
    let text = read(STATUS, &mut room);
    let [peak, size] = ["VmPeak", "VmSize"].map(|name| number(text, name));
    let [mark, resident] = ["VmHWM", "VmRSS"].map(|name| number(text, name));
    assert!(peak >= full[0] && peak > size, "{peak} of {size}");
    assert!(mark > resident + 1024, "{mark} of {resident}");
    println!("peaks stay above what is left");
}

/// `smaps` in sum is `smaps_rollup`, and `statm` says the same in pages.
fn sums() {
    let (mut room, mut other): (Room, Room) = ([0; 32768], [0; 32768]);
    let each = read(c"/proc/self/smaps", &mut room);
    let all = read(c"/proc/self/smaps_rollup", &mut other);
    for name in ["Rss", "Anonymous", "Private_Dirty", "Shared_Dirty", "Swap"] {
        let of_areas = each.lines().filter_map(|line| line.strip_prefix(name));
        let of_areas = of_areas.filter_map(|rest| rest.strip_prefix(':'));
        let kib = |rest: &str| rest.split_whitespace().next()?.parse::<u64>().ok();
        let sum: u64 = of_areas.filter_map(kib).sum();
        assert!(sum.abs_diff(number(all, name)) <= 32, "{name}");
    }
    println!("the areas come to the sum");
    let mut third: Room = [0; 32768];
    let status = read(STATUS, &mut third);
    let [size, resident] = ["VmSize", "VmRSS"].map(|name| number(status, name) / 4);
    let mut fourth: Room = [0; 32768];
    let statm = read(c"/proc/self/statm", &mut fourth);
    let mut pages = statm.split_whitespace().map(|word| word.parse::<u64>());
    assert_eq!(pages.next(), Some(Ok(size)));
    let in_pages = pages.next().expect("a second").expect("a number");
    assert!(in_pages.abs_diff(resident) <= 8);
    assert_eq!(statm.split_whitespace().count(), 7);
    println!("statm says the same in pages");
}

/// The paragraph of one area while it is shared with a child, and then not.
fn shares() {
    let memory = Mapping::new(PAGES + 2);
    rt::memory::munmap(memory.page(0), PAGE).expect("munmap");
    rt::memory::munmap(memory.page(PAGES + 1), PAGE).expect("munmap");
    (1..=PAGES).for_each(|index| probe::store(memory.page(index), 1));
    paragraph("alone", memory);
    let status = run_in_child(|| {
        paragraph("a child with its parent", memory);
        (1..=16).for_each(|index| probe::store(memory.page(index), 2));
        paragraph("with 16 pages of its own", memory);
        0
    });
    println!("the child: {status}");
    paragraph("alone again", memory);
}

fn paragraph(when: &str, memory: Mapping) {
    let mut room: Room = [0; 32768];
    let text = read(c"/proc/self/smaps", &mut room);
    let area = areas(text).find(|area| area.start == memory.page(1));
    let area = area.expect("the area is there");
    assert_eq!(area.end, memory.page(PAGES + 1));
    let start = area.rights.as_ptr().addr() - text.as_ptr().addr();
    let own = &text[start..];
    print_numbers(when, own);
    let flags = text_of(own, "VmFlags");
    println!("  flags {flags}");
}

fn print_numbers(when: &str, paragraph: &str) {
    println!("{when}:");
    for name in [
        "Size",
        "Rss",
        "Pss",
        "Shared_Dirty",
        "Private_Dirty",
        "Anonymous",
        "Locked",
    ] {
        println!("  {name} {}", number(paragraph, name));
    }
}

fn identity() {
    let mut room: Room = [0; 32768];
    let text = read(STATUS, &mut room);
    println!(
        "Name {} State {}",
        text_of(text, "Name"),
        text_of(text, "State")
    );
    assert_eq!(number(text, "Pid"), id() as u64);
    assert_eq!(number(text, "PPid"), parent_id() as u64);
    println!(
        "Threads {} Uid {}",
        number(text, "Threads"),
        text_of(text, "Uid").len() > 6
    );
    println!(
        "SigBlk {} SigCgt {}",
        text_of(text, "SigBlk"),
        text_of(text, "SigCgt")
    );

    let mut room: Room = [0; 32768];
    println!("comm {}", read(c"/proc/self/comm", &mut room).trim_end());
    let words = read(c"/proc/self/cmdline", &mut room);
    assert!(
        words
            .split_terminator('\0')
            .eq(rt::env::args().map(|word| word.to_str().expect("UTF-8")))
    );
    println!("cmdline: the arguments");
    let stat = read(c"/proc/self/stat", &mut room);
    assert_eq!(stat.split_whitespace().count(), 52, "{stat}");
    assert!(stat.contains(" (proc_status) R "));

    let mut target = [0; 256];
    let length = read_link(c"/proc/self/exe", &mut target).expect("readlink");
    assert!(target[..length].ends_with(b"/proc_status"));
    let length = read_link(c"/proc/self", &mut target).expect("readlink");
    let own = core::str::from_utf8(&target[..length]).ok();
    assert_eq!(own.and_then(|own| own.parse().ok()), Some(id()));
    println!("links: to the program, to the process");
}

/// `oom_score_adj` is written, read and inherited.
fn adjustment() {
    const PATH: &CStr = c"/proc/self/oom_score_adj";
    let file = File::open(PATH, O_RDWR).expect("open");
    let mut room: Room = [0; 32768];
    println!("adjustment {}", read(PATH, &mut room).trim_end());
    println!("  300: {:?}", file.write(b"300\n"));
    println!("  1001: {:?}", file.write(b"1001"));
    println!("  ten: {:?}", file.write(b"ten"));
    let status = run_in_child(|| {
        println!("  of the child: {}", read(PATH, &mut [0; 64]).trim_end());
        0
    });
    println!("the child: {status}");
    assert_eq!(file.write(b"0"), Ok(1));
    file.close();
}

/// What all kernels say in one way or other.
fn the_machine() {
    let mut room: Room = [0; 32768];
    let text = read(c"/proc/meminfo", &mut room);
    let [total, free, available] =
        ["MemTotal", "MemFree", "MemAvailable"].map(|name| number(text, name));
    assert!(free < total && available <= total);
    let text = read(c"/proc/vmstat", &mut room);
    let faults = text.lines().find_map(|line| line.strip_prefix("pgfault "));
    assert!(faults.is_some_and(|faults| faults.parse::<u64>().is_ok_and(|faults| faults > 100)));
    let text = read(c"/proc/uptime", &mut room);
    assert_eq!(text.split_whitespace().count(), 2);
    let text = read(c"/proc/stat", &mut room);
    for name in ["cpu ", "ctxt ", "btime ", "processes "] {
        assert!(text.lines().any(|line| line.starts_with(name)), "{name}");
    }
    println!(
        "version {}",
        read(c"/proc/version", &mut room).starts_with("Linux version 6.")
    );
    println!(
        "model {}",
        !text_of(read(c"/proc/cpuinfo", &mut room), "model name\t").is_empty()
    );
    println!(
        "areas at most {}",
        read(c"/proc/sys/vm/max_map_count", &mut room).trim_end()
    );
    devices();
}

fn devices() {
    for path in [c"/dev/null", c"/dev/zero", c"/dev/full", c"/dev/urandom"] {
        let file = File::open(path, O_RDWR).expect("open");
        let mut bytes = [7; 16];
        let read = file.read(&mut bytes);
        let zeroes = bytes == [0; 16];
        println!(
            "{path:?}: read {read:?}, zeroes {zeroes}, write {:?}",
            file.write(b"four")
        );
        file.close();
    }
    let missing = File::open(c"/dev/nothing", O_RDONLY);
    println!("/dev/nothing: {missing:?}");
}
