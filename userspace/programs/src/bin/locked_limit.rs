//! Shows RLIMIT_MEMLOCK: how much a process may lock that lacks CAP_IPC_LOCK, and how each call says no.
//!
//! Each part runs in a child, which gives the capability up. As root, who has it.
#![no_std]
#![forbid(unsafe_code)]

use programs::lesson::{dies, ends};
use programs::proc;
use programs::rights::Rights;
use rt::abi::Sysno;
use rt::abi::general::{
    CAP_IPC_LOCK, MCL_CURRENT, MCL_FUTURE, MCL_ONFAULT, MLOCK_ONFAULT, RLIMIT_MEMLOCK,
};
use rt::memory::{
    MAP_GROWSDOWN, MAP_LOCKED, MREMAP_MAYMOVE, Mapping, PAGE, PROT_NONE, PROT_READ, PROT_WRITE,
    brk, mlock, mmap, mremap, munlock,
};
use rt::process::Status;
use rt::syscall::raw;
use rt::system::{limit, set_limit};
use rt::{Errno, println, probe};

const RW: u32 = PROT_READ | PROT_WRITE;
const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

fn main() {
    let parts: [(&str, fn()); 6] = [
        ("a limit of 64 KiB", some),
        ("areas that move and grow", remaps),
        ("mlockall", all),
        ("a limit of nothing", nothing),
        ("the capability again", again),
        ("a child's", inherited),
    ];
    for (what, part) in parts {
        ends(what, Status::Exited(0), || {
            bind(64 * KIB);
            part();
            0
        });
    }
    dies("a locked stack grows beyond the limit", || {
        bind(64 * KIB);
        stack();
    });
}

/// From now on the limit counts, and is `soft`.
fn bind(soft: usize) {
    Rights::own().without(CAP_IPC_LOCK).set().expect("capset");
    let (_, hard) = limit(RLIMIT_MEMLOCK).expect("getrlimit");
    set_limit(RLIMIT_MEMLOCK, soft, hard).expect("setrlimit");
}

fn mlock2(address: usize, length: usize, flags: u32) -> Result<usize, Errno> {
    let arguments = [address, length, flags as usize, 0, 0, 0];
    raw(Sysno::mlock2 as usize, arguments)
}

fn mlockall(flags: u32) -> Result<usize, Errno> {
    raw(Sysno::mlockall as usize, [flags as usize, 0, 0, 0, 0, 0])
}

fn munlockall() {
    raw(Sysno::munlockall as usize, [0; 6]).expect("munlockall");
}

/// KiB that are locked.
fn locked() -> u64 {
    let mut room = [0; 8192];
    proc::number(proc::read(c"/proc/self/status", &mut room), "VmLck")
}

/// Whether there was a place; which one does not matter.
fn map(length: usize, rights: u32, flags: u32) -> Result<(), Errno> {
    mmap(0, length, rights, flags).map(drop)
}

fn some() {
    let at = Mapping::new(256).page(0);
    println!("64 KiB: {:?}", mlock(at, 64 * KIB));
    println!("the same once more: {:?}", mlock(at, 64 * KIB));
    println!("a page more: {:?}", mlock(at, 68 * KIB));
    println!("the page behind: {:?}", mlock(at + 64 * KIB, PAGE));
    let on_fault = mlock2(at + 64 * KIB, PAGE, MLOCK_ONFAULT);
    println!("once it is touched: {on_fault:?}");
    println!("by mmap: {:?}", map(PAGE, RW, MAP_LOCKED));
    println!("without rights: {:?}", map(PAGE, PROT_NONE, MAP_LOCKED));
    println!("locked: {} KiB", locked());
    munlock(at, 32 * KIB).expect("munlock");
    println!("another half: {:?}", mlock(at + 128 * KIB, 32 * KIB));
    println!("bytes count as pages: {:?}", mlock(at + 200 * KIB, 1));
    println!("locked: {} KiB", locked());
    println!("nowhere, too much: {:?}", mlock(PAGE, 36 * KIB));
    println!("nowhere, not too much: {:?}", {
        munlock(at, MIB).expect("munlock");
        mlock(PAGE, PAGE)
    });
    let (_, hard) = limit(RLIMIT_MEMLOCK).expect("getrlimit");
    set_limit(RLIMIT_MEMLOCK, 65 * KIB - 1, hard).expect("setrlimit");
    println!("a limit that is no page: {:?}", mlock(at, 64 * KIB));
    set_limit(RLIMIT_MEMLOCK, 4 * KIB, hard).expect("setrlimit");
    println!("what is locked stays: {} KiB", locked());
    println!("and counts: {:?}", mlock(at, 4 * KIB));
    println!("unknown flags first: {:?}", mlock2(at, MIB, 8));
}

fn remaps() {
    let at = Mapping::new(64).page(0);
    mlock(at, 48 * KIB).expect("mlock");
    let remap = |from, old, new| mremap(from, old, new, MREMAP_MAYMOVE, 0).map(drop);
    println!("locked, 20 KiB more: {:?}", remap(at, 48 * KIB, 68 * KIB));
    println!("locked: {} KiB", locked());
    let free = remap(at + 128 * KIB, 64 * KIB, MIB);
    println!("not locked, a MiB: {free:?}");
    let moved = mremap(at, 48 * KIB, 64 * KIB, MREMAP_MAYMOVE, 0);
    println!("locked, 16 KiB more: {:?}", moved.map(drop));
    println!("locked: {} KiB", locked());
}

fn all() {
    let memory = Mapping::new(256);
    println!("what there is: {:?}", mlockall(MCL_CURRENT));
    println!(
        "the same once touched: {:?}",
        mlockall(MCL_CURRENT | MCL_ONFAULT)
    );
    println!("locked: {} KiB", locked());
    println!("what is to come: {:?}", mlockall(MCL_FUTURE));
    println!("a MiB to come: {:?}", map(MIB, RW, 0));
    println!("without rights: {:?}", map(MIB, PROT_NONE, 0));
    println!("16 KiB: {:?}", map(16 * KIB, RW, 0));
    let end = brk(0);
    println!("a MiB of heap: {}", brk(end + MIB) == end + MIB);
    println!("a page of heap: {}", brk(end + PAGE) == end + PAGE);
    println!("locked: {} KiB", locked());
    println!("what there was: {:?}", memory.protect(0, 256, PROT_READ));
    munlockall();
    println!("locked: {} KiB", locked());
    println!("a MiB: {:?}", map(MIB, RW, 0));
    println!("unknown: {:?}, {:?}", mlockall(0), mlockall(8));
}

fn nothing() {
    let at = Mapping::new(16).page(0);
    bind(0);
    println!(
        "mlock: {:?}, of nothing: {:?}",
        mlock(at, PAGE),
        mlock(at, 0)
    );
    println!(
        "mlock2: {:?}, unknown: {:?}",
        mlock2(at, PAGE, 0),
        mlock2(at, PAGE, 8)
    );
    println!(
        "mlockall: {:?}, unknown: {:?}",
        mlockall(MCL_FUTURE),
        mlockall(8)
    );
    println!("munlock: {:?}", munlock(at, PAGE));
    println!("mmap: {:?}", map(PAGE, RW, MAP_LOCKED));
}

fn again() {
    let at = Mapping::new(256).page(0);
    println!("without it: {:?}", mlock(at, MIB));
    let rights = Rights::own();
    let with = Rights {
        effective: rights.effective | 1 << CAP_IPC_LOCK,
        ..rights
    };
    println!("capset: {:?}", with.set());
    println!(
        "a MiB: {:?}, all: {:?}",
        mlock(at, MIB),
        mlockall(MCL_CURRENT)
    );
    with.never(CAP_IPC_LOCK).set().expect("capset");
    println!("what is locked stays: {}", locked() >= 1024);
    println!("a page more: {:?}", map(PAGE, RW, MAP_LOCKED));
    println!("for good: {:?}", with.set());
}

/// A child starts with nothing locked, and under the same limit.
fn inherited() {
    let at = Mapping::new(256).page(0);
    mlock(at, 64 * KIB).expect("mlock");
    ends("forked", Status::Exited(0), || {
        println!("locked: {} KiB", locked());
        println!("64 KiB: {:?}", mlock(at, 64 * KIB));
        println!("68 KiB: {:?}", mlock(at, 68 * KIB));
        0
    });
}

fn stack() {
    let area = Mapping::at(MIB * 1024, 16);
    let flags = MAP_GROWSDOWN | rt::memory::MAP_FIXED;
    mmap(area.page(1), 15 * PAGE, RW, flags).expect("mmap");
    mlock(area.page(1), 15 * PAGE).expect("mlock");
    probe::store(area.page(0), 1);
    println!("to the limit: {} KiB are locked", locked());
    probe::store(area.page(0) - PAGE, 1);
}
