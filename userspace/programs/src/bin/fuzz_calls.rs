//! Throws random system calls with hostile arguments at the kernel: whatever they answer, it must live, and lose nothing.
//!
//! `fuzz_calls SEED COUNT`. Children make the calls, a few hundred each, from the ends of the machine's numbers, from
//! half-mapped buffers and from plausible small values, so that many get past the first check. A child that breaks itself
//! is replaced, and one that sleeps is killed; only what the kernel says of its frames at the end, and that it gets there,
//! is the result. Not to be run on a machine that somebody needs.
#![no_std]
#![forbid(unsafe_code)]

use core::time::Duration;

use rt::abi::{Sysno, general};
use rt::memory::{Mapping, PAGE, PROT_NONE, PROT_READ, PROT_WRITE, munmap};
use rt::process::{self, Fork, Pid};
use rt::signal::{self, Signal};
use rt::{env, println, probe, syscall, time};

/// Calls that one child makes at most.
const PER_CHILD: u64 = 512;

/// How long a child may make no call before it is taken for asleep.
const PATIENCE: Duration = Duration::from_millis(8);

/// Numbers from here on name no call.
const NUMBERS: u64 = 470;

/// Pages of the buffers that calls are pointed to.
const ARENA: usize = 12;

/// Ends of the machine's numbers, and other values that have broken kernels.
const EDGES: [u64; 20] = [
    0,
    1,
    2,
    u64::MAX,
    u64::MAX - 1,
    u64::MAX - 4095,
    i64::MAX as u64,
    1 << 63,
    u32::MAX as u64,
    i32::MAX as u64,
    1 << 31,
    1 << 32,
    (1 << 47) - 1,
    (1 << 47) - 4096,
    1 << 47,
    0xffff_8000_0000_0000,
    0xffff_8880_0000_0000,
    0xffff_ffff_8000_0000,
    0x10_0000_0000_0000,
    1 << 62,
];

fn main() {
    let number = |index| env::arg(index).and_then(|word| word.parse().ok());
    let seed: u64 = number(1).unwrap_or(1);
    let count: u64 = number(2).unwrap_or(100_000);
    let counter = shared_page();
    let mut children = 0;
    while probe::load_word(counter) < count {
        children += 1;
        let random = Random((seed << 20) | children);
        let before = probe::load_word(counter);
        match process::fork() {
            Ok(Fork::Child) => child(random, counter),
            Ok(Fork::Parent(pid)) => watch(pid, counter),
            Err(_) => time::sleep(PATIENCE),
        }
        // Even a child that breaks at once counts, or the end might never come.
        if probe::load_word(counter) == before {
            probe::store_word(counter, before + 1);
        }
    }
    println!("{count} calls and more, by children that are all gone");
}

/// A page that parent and children count in.
fn shared_page() -> usize {
    let protection = (PROT_READ | PROT_WRITE) as usize;
    let flags = (general::MAP_SHARED | general::MAP_ANONYMOUS) as usize;
    let arguments = [0, PAGE, protection, flags, usize::MAX, 0];
    syscall::raw(Sysno::mmap.id() as usize, arguments).expect("mmap")
}

/// Waits for the child, and kills it where it makes no more calls.
fn watch(child: Pid, counter: usize) {
    let mut seen = probe::load_word(counter);
    loop {
        match process::try_wait(child) {
            Ok(None) => time::sleep(PATIENCE),
            Ok(Some(_)) | Err(_) => return,
        }
        let now = probe::load_word(counter);
        if now == seen {
            // It may be gone already.
            let _ = signal::kill(child, Signal(general::SIGKILL));
        }
        seen = now;
    }
}

fn child(mut random: Random, counter: usize) -> ! {
    for descriptor in 0..3 {
        // What is written should not be seen, and nothing is to be read.
        let _ = syscall::raw(Sysno::close.id() as usize, [descriptor, 0, 0, 0, 0, 0]);
    }
    let arena = arena(&mut random);
    for _ in 0..PER_CHILD {
        one_call(&mut random, arena);
        let made = probe::load_word(counter);
        probe::store_word(counter, made + 1);
    }
    process::exit(0)
}

/// Some buffers that are whole, some that end in a hole or in memory that forbids the access.
fn arena(random: &mut Random) -> Mapping {
    let arena = Mapping::new(ARENA);
    for page in 0..ARENA {
        let word = random.next();
        probe::store_word(arena.page(page), word);
        probe::store_word(arena.page(page) + PAGE - 8, word >> 32);
    }
    // If these fail the arena is merely kinder.
    let _ = munmap(arena.page(3), PAGE);
    let _ = arena.protect(6, 1, PROT_READ);
    let _ = arena.protect(9, 1, PROT_NONE);
    arena
}

fn one_call(random: &mut Random, arena: Mapping) {
    let number = random.below(NUMBERS) as usize;
    let mut arguments = [(); 6].map(|()| random.argument(arena) as usize);
    match Sysno::new(number) {
        // They would end the machine, this program, or a child that shares its stack with one that runs.
        Some(Sysno::reboot | Sysno::exit | Sysno::exit_group | Sysno::vfork) => return,
        Some(Sysno::kill | Sysno::tkill | Sysno::tgkill) => aim(&mut arguments, random),
        Some(Sysno::rt_sigqueueinfo | Sysno::rt_tgsigqueueinfo) => aim(&mut arguments, random),
        Some(Sysno::prlimit64) => arguments[0] = 0,
        _ => {}
    }
    let forks = matches!(
        Sysno::new(number),
        Some(Sysno::fork | Sysno::clone | Sysno::clone3)
    );
    let answer = syscall::raw(number, arguments);
    if forks && answer == Ok(0) {
        process::exit(0);
    }
}

/// Signals go to this process or to nobody: the others have to go on.
fn aim(arguments: &mut [usize; 6], random: &mut Random) {
    let own = process::id() as usize;
    let nobody = 1 << 30;
    arguments[0] = if random.below(2) == 0 { own } else { nobody };
}

/// A small generator: it only has to be the same in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn argument(&mut self, arena: Mapping) -> u64 {
        match self.below(16) {
            0..3 => self.below(16),
            3 => self.below(4096),
            4 => EDGES[self.below(EDGES.len() as u64) as usize],
            5 => 1 << self.below(64),
            6 => self.next(),
            7 => self.next() >> self.below(64),
            8 => PAGE as u64 * self.below(64),
            9..11 => arena.page(self.below(ARENA as u64) as usize) as u64,
            _ => self.pointer(arena),
        }
    }

    /// Somewhere in the arena, often just before a page ends.
    fn pointer(&mut self, arena: Mapping) -> u64 {
        let page = arena.page(self.below(ARENA as u64) as usize) as u64;
        match self.below(3) {
            0 => page + self.below(PAGE as u64),
            1 => page + PAGE as u64 - self.below(64),
            _ => page + 8 * self.below(16),
        }
    }
}
