//! Shows that the kernel's counters follow what a program does: locked pages, pages given up, context switches.
//!
//! They are everybody's, and Linux counts some pages late, in batches: so it is said only that a number moved about as far
//! as it had to.
#![no_std]
#![forbid(unsafe_code)]

use core::ffi::CStr;
use core::time::Duration;

use programs::proc::{Room, number, read};
use rt::abi::general::{MADV_FREE, MADV_NOHUGEPAGE};
use rt::memory::{Mapping, PAGE, madvise, mlock, munlock};
use rt::process::{run_in_child, yield_now};
use rt::{faults, println, time};

const MEMINFO: &CStr = c"/proc/meminfo";

/// Pages of the lessons' memory: 8 MiB.
const PAGES: usize = 2048;

/// How many pages of others may come and go meanwhile, or be counted late.
const NOISE: i64 = 256;

fn main() {
    let memory = Mapping::new(PAGES);
    madvise(memory.page(0), memory.length(), MADV_NOHUGEPAGE).expect("madvise");
    memory.fill(1);
    locks(memory);
    given_up(memory);
    switches();
}

/// The number in `vmstat` behind `name`.
fn vmstat(name: &str) -> i64 {
    let mut room: Room = [0; 32768];
    let text = read(c"/proc/vmstat", &mut room);
    let value = |line: &str| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok();
    text.lines()
        .find_map(value)
        .unwrap_or_else(|| panic!("{name} is counted"))
}

/// Pages by `meminfo`.
fn meminfo(name: &str) -> i64 {
    let mut room: Room = [0; 32768];
    number(read(MEMINFO, &mut room), name) as i64 * 1024 / PAGE as i64
}

/// How one of the numbers is read.
type Count = fn() -> i64;

/// Says whether `count` moved by `expected` pages while `action` ran.
fn moved(name: &str, expected: i64, count: impl Fn() -> i64, action: impl FnOnce()) {
    let before = count();
    action();
    let by = count() - before;
    assert!(
        (by - expected).abs() <= NOISE,
        "{name}: {by}, not {expected}"
    );
    println!("  {name}: about {expected}");
}

fn locks(memory: Mapping) {
    let (start, length) = (memory.page(0), memory.length());
    let all = PAGES as i64;
    let counts: [(&str, Count); 5] = [
        ("Mlocked", || meminfo("Mlocked")),
        ("Unevictable", || meminfo("Unevictable")),
        ("nr_mlock", || vmstat("nr_mlock")),
        ("nr_unevictable", || vmstat("nr_unevictable")),
        ("nr_zone_unevictable", || vmstat("nr_zone_unevictable")),
    ];
    println!("{PAGES} pages locked:");
    for (name, count) in counts {
        moved(name, all, count, || mlock(start, length).expect("mlock"));
        munlock(start, length).expect("munlock");
    }
    mlock(start, length).expect("mlock");
    println!("a child inherits no lock:");
    run_in_child(|| {
        moved("Mlocked", 0, counts[0].1, || {});
        println!("its own lock has its pages copied, since it may store to them:");
        moved("Mlocked", all / 2, counts[0].1, || {
            mlock(start, length / 2).expect("mlock");
        });
        0
    });
    println!("unlocked:");
    moved("Mlocked", -all, counts[0].1, || {
        munlock(start, length).expect("munlock");
    });
}

fn given_up(memory: Mapping) {
    let give_up = || madvise(memory.page(0), memory.length(), MADV_FREE).expect("madvise");
    let given_up = || vmstat("pglazyfree");
    println!("{PAGES} pages given up:");
    moved("pglazyfree", PAGES as i64, given_up, give_up);
    memory.fill(2);
    println!("once more, when they were written since:");
    moved("pglazyfree", 0, given_up, give_up);
}

/// Context switches because the program waited, and because others were to run.
fn own_switches() -> [u64; 2] {
    let mut room: Room = [0; 32768];
    let text = read(c"/proc/self/status", &mut room);
    [
        number(text, "voluntary_ctxt_switches"),
        number(text, "nonvoluntary_ctxt_switches"),
    ]
}

fn switches() {
    const NAPS: u64 = 5;
    let [before, _] = own_switches();
    (0..NAPS).for_each(|_| time::sleep(Duration::from_millis(2)));
    let [after, _] = own_switches();
    assert!(after - before >= NAPS, "{} waits", after - before);
    println!("{NAPS} naps: as many waits at least");
    let [waits, preemptions] = own_switches();
    let usage = faults::usage(0).expect("getrusage");
    let [waits_after, preemptions_after] = own_switches();
    assert!((waits..=waits_after).contains(&usage.waits));
    assert!((preemptions..=preemptions_after).contains(&usage.preemptions));
    println!("getrusage says the same");
    let status = run_in_child(|| {
        let [before, _] = own_switches();
        (0..50).for_each(|_| yield_now());
        let [after, _] = own_switches();
        u8::from(after - before >= 50)
    });
    println!("who yields does not wait: {status}");
    let children = faults::usage(-1).expect("getrusage");
    println!(
        "children's count too: {}",
        children.waits > 0 || children.preemptions > 0
    );
}
