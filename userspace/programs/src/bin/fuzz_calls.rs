//! Throws random system calls with hostile arguments at the kernel: whatever they answer, it must live, and lose nothing.
//!
//! `fuzz_calls SEED COUNT`. Children make the calls, a few hundred each, from the ends of the machine's numbers, from
//! half-mapped buffers of several kinds (paths, pointers, vectors, small words) and from plausible small values, so that
//! many get past the first check. Every number is tried; those that answer `ENOSYS` get boring, so that most calls meet
//! one that is there, and a new one needs no line here. A child that breaks itself is replaced, and one that sleeps is
//! killed; only what the kernel says of its frames at the end, and that it gets there, is the result. Not to be run on a
//! machine that somebody needs.
#![no_std]
#![forbid(unsafe_code)]

use core::time::Duration;

use rt::abi::{Errno, Sysno, general};
use rt::memory::{Mapping, PAGE, PROT_NONE, PROT_READ, PROT_WRITE, munmap, share};
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
    let diary = Diary::new();
    let (mut children, mut made) = (0, 0);
    while made < count {
        children += 1;
        let random = Random((seed << 20) | children);
        diary.begin();
        match process::fork() {
            Ok(Fork::Child) => child(random, diary),
            Ok(Fork::Parent(pid)) => watch(pid, diary),
            Err(_) => time::sleep(PATIENCE),
        }
        // Even a child that breaks at once counts, or the end might never come; one that scribbles counts for no more.
        made += diary.calls().clamp(1, PER_CHILD);
    }
    println!(
        "{count} calls and more to {} that are there, by children that are all gone",
        diary.there()
    );
}

/// A page that parent and children write into: how many calls the child made, then, for each number, how often it was
/// there.
#[derive(Clone, Copy)]
struct Diary(usize);

impl Diary {
    fn new() -> Self {
        // With room on both sides: what calls write to the arena's end must not end up here.
        let around = Mapping::new(64);
        around.protect(0, 64, PROT_NONE).expect("mprotect");
        Self(share(around.page(32), PAGE, PROT_READ | PROT_WRITE).expect("mmap"))
    }

    fn word(self, index: u64) -> usize {
        self.0 + 8 * index as usize
    }

    fn add(self, index: u64) {
        let word = self.word(index);
        probe::store_word(word, probe::load_word(word) + 1);
    }

    fn begin(self) {
        probe::store_word(self.0, 0);
    }

    fn calls(self) -> u64 {
        probe::load_word(self.0)
    }

    /// Before the call: whoever does not come back from it was there.
    fn note(self, number: u64) {
        self.add(0);
        self.add(1 + number);
    }

    /// It was not there after all.
    fn strike(self, number: u64) {
        probe::store_word(self.word(1 + number), 0);
    }

    fn is_there(self, number: u64) -> bool {
        probe::load_word(self.word(1 + number)) != 0
    }

    fn there(self) -> usize {
        let numbers = 0..NUMBERS;
        numbers.filter(|&number| self.is_there(number)).count()
    }
}

/// Waits for the child, and kills it where it makes no more calls.
fn watch(child: Pid, diary: Diary) {
    let mut seen = diary.calls();
    loop {
        match process::try_wait(child) {
            Ok(None) => time::sleep(PATIENCE),
            Ok(Some(_)) | Err(_) => return,
        }
        let now = diary.calls();
        if now == seen {
            // It may be gone already.
            let _ = signal::kill(child, Signal(general::SIGKILL));
        }
        seen = now;
    }
}

fn child(mut random: Random, diary: Diary) -> ! {
    for descriptor in 0..3 {
        // What is written should not be seen, and nothing is to be read.
        let _ = syscall::raw(Sysno::close.id() as usize, [descriptor, 0, 0, 0, 0, 0]);
    }
    let arena = arena(&mut random);
    for _ in 0..PER_CHILD {
        one_call(&mut random, arena, diary);
    }
    process::exit(0)
}

/// Some buffers that are whole, some that end in a hole or in memory that forbids the access.
fn arena(random: &mut Random) -> Mapping {
    let arena = Mapping::new(ARENA);
    for page in 0..ARENA {
        let fill = FILLS[random.below(FILLS.len() as u64) as usize];
        fill(random, arena, arena.page(page));
        let word = random.next() >> 32;
        probe::store_word(arena.page(page) + PAGE - 8, word);
    }
    // If these fail the arena is merely kinder.
    let _ = munmap(arena.page(3), PAGE);
    let _ = arena.protect(6, 1, PROT_READ);
    let _ = arena.protect(9, 1, PROT_NONE);
    arena
}

/// What a page of the arena may be full of.
type Fill = fn(&mut Random, Mapping, usize);

const FILLS: [Fill; 5] = [
    fill_noise,
    fill_small,
    fill_pointers,
    fill_vector,
    fill_paths,
];

/// One word, and zeroes: what most structures have for "nothing asked for".
fn fill_noise(random: &mut Random, _arena: Mapping, page: usize) {
    probe::store_word(page, random.next());
}

/// Words that pass for times, counts, descriptors, flags.
fn fill_small(random: &mut Random, _arena: Mapping, page: usize) {
    for word in 0..64 {
        probe::store_word(page + 8 * word, random.below(16));
    }
}

/// A list as `execve` takes it.
fn fill_pointers(random: &mut Random, arena: Mapping, page: usize) {
    for word in 0..random.below(64) as usize {
        probe::store_word(page + 8 * word, random.argument(arena));
    }
}

/// Buffers as `readv` takes them.
fn fill_vector(random: &mut Random, arena: Mapping, page: usize) {
    for word in (0..128).step_by(2) {
        probe::store_word(page + 8 * word, random.pointer(arena));
        let length = match random.below(8) {
            0 => random.argument(arena),
            _ => random.below(2 * PAGE as u64),
        };
        probe::store_word(page + 8 * (word + 1), length);
    }
}

/// A path every 64 bytes, of files that are there or nearly.
fn fill_paths(random: &mut Random, _arena: Mapping, page: usize) {
    for place in (page..page + PAGE).step_by(64) {
        let path = PATHS[random.below(PATHS.len() as u64) as usize];
        let bytes = path.bytes().chain([0]).zip(place..);
        bytes.for_each(|(byte, at)| probe::store(at, byte));
    }
}

const PATHS: [&str; 20] = [
    "",
    ".",
    "..",
    "/",
    "//bin/../proc",
    "/bin/cat",
    "/bin/exec_args",
    "/bin/cat/x",
    "/dev/zero",
    "/dev/null",
    "/dev/full",
    "/dev/tty",
    "/dev/random",
    "/proc/self/maps",
    "/proc/self/smaps",
    "/proc/self/pagemap",
    "/proc/self/oom_score_adj",
    "/proc/self/exe",
    "/proc/meminfo",
    "/proc/1/status",
];

/// A number; one that is known not to be there comes rarely.
fn number(random: &mut Random, diary: Diary) -> u64 {
    loop {
        let number = random.below(NUMBERS);
        if diary.is_there(number) || random.below(16) == 0 {
            return number;
        }
    }
}

fn one_call(random: &mut Random, arena: Mapping, diary: Diary) {
    let number = number(random, diary);
    let mut arguments = [(); 6].map(|()| random.argument(arena) as usize);
    let call = Sysno::new(number as usize);
    diary.note(number);
    match call {
        // With the right words it ends the machine: those of this program are never right.
        Some(Sysno::reboot) => arguments[0] &= 0xffff,
        // These end a child, or put it to sleep until it is killed: seldom, or nothing else would happen.
        Some(Sysno::exit | Sysno::exit_group | Sysno::pause) if random.below(32) != 0 => return,
        Some(Sysno::vfork) => return borrow_memory(random, arena),
        Some(Sysno::kill | Sysno::tkill | Sysno::tgkill) => aim(&mut arguments, random),
        Some(Sysno::rt_sigqueueinfo | Sysno::rt_tgsigqueueinfo) => aim(&mut arguments, random),
        // Through such a descriptor signals are sent as well.
        Some(Sysno::pidfd_open) => aim(&mut arguments, random),
        Some(Sysno::prlimit64) => arguments[0] = 0,
        _ => {}
    }
    let forks = matches!(call, Some(Sysno::fork | Sysno::clone | Sysno::clone3));
    let answer = syscall::raw(number as usize, arguments);
    if forks && answer == Ok(0) {
        process::exit(0);
    }
    if answer == Err(Errno::ENOSYS) {
        diary.strike(number);
    }
}

/// A child that runs in this one's memory, and does with it what it can without stack of its own.
fn borrow_memory(random: &mut Random, arena: Mapping) {
    let number = random.below(12) as usize;
    let arguments = [(); 6].map(|()| random.argument(arena) as usize);
    let execute = random.below(4) == 0;
    // There may be too many processes, or no memory.
    let _ = process::vfork(|| {
        let number = if execute {
            Sysno::execve.id() as usize
        } else {
            number
        };
        syscall::raw(number, arguments).is_ok().into()
    });
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
