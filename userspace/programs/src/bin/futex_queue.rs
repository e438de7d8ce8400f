//! Shows futexes: processes wait at words that they share, are woken in their turn, moved, timed out and interrupted.
//!
//! How many wait is asked without waking anybody: they are asked to wait where they do.
#![no_std]
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use core::time::Duration;

use rt::Errno;
use rt::abi::general::{
    __kernel_timespec, CLOCK_MONOTONIC, CLOCK_REALTIME, FUTEX_CLOCK_REALTIME, FUTEX_CMP_REQUEUE,
    FUTEX_FD, FUTEX_OP_ADD, FUTEX_OP_ANDN, FUTEX_OP_CMP_EQ, FUTEX_OP_CMP_GE, FUTEX_OP_CMP_GT,
    FUTEX_OP_CMP_LE, FUTEX_OP_CMP_LT, FUTEX_OP_CMP_NE, FUTEX_OP_OPARG_SHIFT, FUTEX_OP_OR,
    FUTEX_OP_SET, FUTEX_OP_XOR, FUTEX_PRIVATE_FLAG, FUTEX_REQUEUE, FUTEX_WAIT, FUTEX_WAIT_BITSET,
    FUTEX_WAKE, FUTEX_WAKE_BITSET, FUTEX_WAKE_OP, SA_RESTART,
};
use rt::file::map_shared_memory;
use rt::futex::{Word, time};
use rt::handler::{self, Context, Info};
use rt::memory::{MAP_PRIVATE, Mapping, PAGE, PROT_READ, PROT_WRITE};
use rt::process::{Pid, Status, spawn, wait, yield_now};
use rt::signal::{Signal, kill};
use rt::time::{clock, now, sleep};
use rt::{file, memory, println};

const ANY: u32 = u32::MAX;
const TICK: Duration = Duration::from_millis(20);
const ALL: u32 = i32::MAX as u32;

fn main() {
    let page = map_shared_memory(PAGE, PROT_READ | PROT_WRITE).expect("mmap");
    let (first, second) = (Word(page), Word(page + 64));
    refusals(first);
    refused_times(first);
    operations(first, second);
    timeouts(first);
    turns(first);
    masks(first);
    moves(first, second);
    woken_at_two(first, second);
    meetings();
    privacy();
    interruptions(first, Word(page + 128));
}

/// A child that waits at `word` for one of `mask` and ends with 0 if it was woken. Returns when it waits.
fn waiter(word: Word, mask: u32) -> Pid {
    let before = word.waiters();
    let pid = spawn(
        || match word.wait_as(FUTEX_WAIT_BITSET, word.get(), None, mask) {
            Ok(()) => 0,
            Err(_) => 1,
        },
    );
    until(word, before + 1);
    pid.expect("fork")
}

fn until(word: Word, count: usize) {
    while word.waiters() != count {
        yield_now();
    }
}

fn ended(pid: Pid) -> Status {
    wait(pid).expect("wait4").status
}

fn refusals(word: Word) {
    let odd = Word(word.0 + 2);
    let outside = Word(1 << 47);
    let absent = Word(0x1000);
    for (name, word) in [("odd", odd), ("outside", outside), ("absent", absent)] {
        for (kind, flag) in [("shared", 0), ("private", FUTEX_PRIVATE_FLAG)] {
            println!(
                "{name}, {kind}: wait {:?}, wake {:?}, move {:?}, operate {:?}",
                word.wait_as(FUTEX_WAIT | flag, 0, None, 0),
                word.with(FUTEX_WAKE | flag, [1, 0], word, 0),
                word.with(FUTEX_CMP_REQUEUE | flag, [1, 1], word, 0),
                word.with(FUTEX_WAKE_OP | flag, [1, 1], word, 0),
            );
        }
    }
    println!("another value: {:?}", word.wait(word.get() + 1));
    println!(
        "for nobody: {:?}, {:?}",
        word.wait_as(FUTEX_WAIT_BITSET, 0, None, 0),
        word.wake_for(1, 0)
    );
    println!(
        "negative counts: {:?}, {:?}; others: {:?}",
        odd.with(FUTEX_REQUEUE, [ALL + 1, 0], word, 0),
        odd.with(FUTEX_REQUEUE, [0, ALL + 1], word, 0),
        word.wake(ALL + 1)
    );
    println!(
        "a value that is not there: {:?}",
        word.with(FUTEX_CMP_REQUEUE, [1, 1], word, word.get() + 1)
    );
    for operation in [FUTEX_FD, 14, 127, 512] {
        println!(
            "operation {operation}: {:?}",
            odd.with(operation, [0, 0], odd, 0)
        );
    }
    for operation in [FUTEX_WAIT, FUTEX_WAKE, FUTEX_WAKE_BITSET, FUTEX_REQUEUE] {
        let real = odd.with(operation | FUTEX_CLOCK_REALTIME, [0, 0], odd, 0);
        println!("operation {operation} by the real clock: {real:?}");
    }
}

fn refused_times(word: Word) {
    let times = [(0, 1_000_000_000), (-1, 0), (0, -1)];
    for (tv_sec, tv_nsec) in times {
        let time = __kernel_timespec { tv_sec, tv_nsec };
        println!(
            "{tv_sec} s {tv_nsec} ns: {:?}, {:?}",
            Word(1).wait_as(FUTEX_WAIT, 0, Some(&time), 0),
            Word(1).wait_as(FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, Some(&time), 0)
        );
    }
    println!(
        "nowhere: {:?}, and where nobody looks: {:?}",
        word.with(FUTEX_WAIT, [0, 8], word, 0),
        word.with(FUTEX_WAKE, [0, 8], word, 0)
    );
}

/// An operation of FUTEX_WAKE_OP.
fn operation(kind: u32, operand: u32, comparison: u32, with: u32) -> u32 {
    kind << 28 | (operand & 0xfff) << 12 | comparison << 24 | with & 0xfff
}

fn operations(word: Word, other: Word) {
    let minus = -3i32 as u32;
    let kinds = [
        ("set", FUTEX_OP_SET, minus),
        ("add", FUTEX_OP_ADD, minus),
        ("or", FUTEX_OP_OR, 5),
        ("and not", FUTEX_OP_ANDN, 5),
        ("exclusive or", FUTEX_OP_XOR, 5),
        ("or a power", FUTEX_OP_OR | FUTEX_OP_OPARG_SHIFT, 31),
        ("none", 5, 5),
    ];
    for (name, kind, operand) in kinds {
        other.set(6);
        let encoded = operation(kind, operand, FUTEX_OP_CMP_EQ, 0);
        let woken = word.with(FUTEX_WAKE_OP, [1, 1], other, encoded);
        println!("{name}: {woken:?}, {:#x}", other.get());
    }
    other.set(6);
    let woken = word.with(
        FUTEX_WAKE_OP,
        [1, 1],
        other,
        operation(FUTEX_OP_SET, 1, 6, 0),
    );
    println!("an unknown comparison: {woken:?}, {}", other.get());
    other.set(0);
}

fn timeouts(word: Word) {
    let value = word.get();
    let start = now();
    let timed = word.wait_as(FUTEX_WAIT, value, Some(&time(TICK)), 0);
    println!(
        "for a while: {timed:?}, not too early: {}",
        now() - start >= TICK
    );
    for (name, id, flag) in [
        ("monotonic", CLOCK_MONOTONIC, 0),
        ("real", CLOCK_REALTIME, FUTEX_CLOCK_REALTIME),
    ] {
        let mut end = clock(id).expect("clock_gettime");
        let past = word.wait_as(FUTEX_WAIT_BITSET | flag, value, Some(&end), ANY);
        end.tv_sec += end.tv_nsec / 980_000_000;
        end.tv_nsec = (end.tv_nsec + 20_000_000) % 1_000_000_000;
        let start = now();
        let later = word.wait_as(FUTEX_WAIT_BITSET | flag, value, Some(&end), ANY);
        println!("until a {name} time: {past:?}, {later:?}");
        assert!(now() - start > TICK / 4);
    }
}

fn turns(word: Word) {
    let pids = [(); 5].map(|()| waiter(word, ANY));
    println!("{} wait", word.waiters());
    for (turn, pid) in pids.into_iter().enumerate() {
        let woken = word.wake(if turn == 3 { 0 } else { 1 });
        println!(
            "turn {turn}: {woken:?}, {}, {} left",
            ended(pid),
            word.waiters()
        );
    }
    let pids = [(); 3].map(|()| waiter(word, ANY));
    println!("all: {:?}", word.wake(ALL));
    pids.into_iter().for_each(|pid| println!("{}", ended(pid)));
}

fn masks(word: Word) {
    let [one, two, both] = [1, 2, 3].map(|mask| waiter(word, mask));
    println!("for 4: {:?}", word.wake_for(ALL, 4));
    println!(
        "for 2: {:?}, {} left",
        word.wake_for(ALL, 2),
        word.waiters()
    );
    println!("{}, {}", ended(two), ended(both));
    println!("for any: {:?}", word.wake(ALL));
    println!("{}", ended(one));
}

fn moves(from: Word, to: Word) {
    let there = waiter(to, ANY);
    let [woken, moved, left] = [(); 3].map(|()| waiter(from, ANY));
    println!("moved: {:?}", from.with(FUTEX_REQUEUE, [1, 1], to, 0));
    println!(
        "{}; {} and {} left",
        ended(woken),
        from.waiters(),
        to.waiters()
    );
    println!("who was there first: {:?}, {}", to.wake(1), ended(there));
    println!("who came: {:?}, {}", to.wake(1), ended(moved));
    let all = from.with(FUTEX_CMP_REQUEUE, [0, ALL], to, from.get());
    println!("the rest: {all:?}, {:?}, {}", to.wake(1), ended(left));
}

fn woken_at_two(first: Word, second: Word) {
    let comparisons = [
        ("==", FUTEX_OP_CMP_EQ),
        ("!=", FUTEX_OP_CMP_NE),
        ("<", FUTEX_OP_CMP_LT),
        ("<=", FUTEX_OP_CMP_LE),
        (">", FUTEX_OP_CMP_GT),
        (">=", FUTEX_OP_CMP_GE),
    ];
    for (name, comparison) in comparisons {
        second.set(-1i32 as u32);
        let pids = [waiter(first, ANY), waiter(second, ANY)];
        let encoded = operation(FUTEX_OP_ADD, 1, comparison, -1i32 as u32);
        let woken = first.with(FUTEX_WAKE_OP, [1, 1], second, encoded);
        println!("if -1 {name} -1: {woken:?}, then {}", second.get());
        second.wake(1).expect("FUTEX_WAKE");
        let [one, other] = pids.map(ended);
        println!("{one}, {other}");
    }
}

/// Processes meet at a file's word, wherever it is mapped; private memory is everybody's own.
fn meetings() {
    let fd = file::memfd(c"words", 0).expect("memfd_create");
    file::truncate(fd, 2 * PAGE).expect("ftruncate");
    let map = |protection, flags| file::map(fd, 2 * PAGE, protection, flags, 0).expect("mmap");
    let both = PROT_READ | PROT_WRITE;
    let [here, there] = [(); 2].map(|()| map(both, memory::MAP_SHARED));
    let (copies, read_only) = (map(both, MAP_PRIVATE), map(PROT_READ, MAP_PRIVATE));
    let pid = waiter(Word(here + PAGE), ANY);
    for (name, word) in [
        ("the page before", there),
        ("four bytes on", there + PAGE + 4),
        ("a copy", copies + PAGE),
    ] {
        println!("{name}: {:?}", Word(word).wake(1));
    }
    println!(
        "to himself: {:?}",
        Word(here + PAGE).with(FUTEX_WAKE | FUTEX_PRIVATE_FLAG, [1, 0], Word(0), 0)
    );
    println!(
        "elsewhere: {:?}, {}",
        Word(there + PAGE).wake(1),
        ended(pid)
    );
    let pid = waiter(Word(here + PAGE), ANY);
    println!(
        "only to read: {:?}, {}",
        Word(read_only + PAGE).wake(1),
        ended(pid)
    );
    memory::mprotect(copies, 2 * PAGE, PROT_READ).expect("mprotect");
    println!(
        "a copy that stays as it is: {:?}",
        Word(copies + PAGE).wake(1)
    );
    println!("a page that is none's yet: {:?}", Word(copies).wake(1));
    file::truncate(fd, PAGE).expect("ftruncate");
    println!("behind the end: {:?}", Word(there + PAGE).wake(1));
}

fn privacy() {
    let page = Mapping::new(1);
    let word = Word(page.page(0));
    word.set(7);
    let pid = spawn(
        || match word.wait_as(FUTEX_WAIT, 7, Some(&time(10 * TICK)), 0) {
            Err(Errno::ETIMEDOUT) => 0,
            _ => 1,
        },
    );
    sleep(TICK);
    println!(
        "the child's own: {:?}, {}",
        word.wake(1),
        ended(pid.expect("fork"))
    );
    page.protect(0, 1, PROT_READ).expect("mprotect");
    println!("what can't change: {:?}", word.wake(1));
}

/// How often a handler ran, in memory that all share.
static HANDLED: AtomicUsize = AtomicUsize::new(0);

extern "C" fn note(_: i32, _: &mut Info, _: &mut Context) {
    Word(HANDLED.load(Relaxed)).set(1);
}

/// A child that waits, handles SIGUSR1 and says by its code how the wait ended. Returns when it waits.
fn listener(word: Word, timeout: Option<Duration>, flags: u32) -> Pid {
    let pid = spawn(|| {
        handler::handle(Signal::USR1, note, flags);
        let timeout = timeout.map(time);
        match word.wait_as(FUTEX_WAIT, word.get(), timeout.as_ref(), 0) {
            Ok(()) => 0,
            Err(errno) => errno.into_raw() as u8,
        }
    });
    until(word, 1);
    pid.expect("fork")
}

fn interruptions(word: Word, handled: Word) {
    HANDLED.store(handled.0, Relaxed);
    let long = Some(Duration::from_secs(100));
    for (timeout, flags) in [(None, 0), (long, 0), (long, SA_RESTART)] {
        let pid = listener(word, timeout, flags);
        kill(pid, Signal::USR1).expect("kill");
        println!("a handler, {timeout:?}, {flags:#x}: {}", ended(pid));
    }
    handled.set(0);
    let pid = listener(word, None, SA_RESTART);
    kill(pid, Signal::USR1).expect("kill");
    while handled.get() == 0 {
        yield_now();
    }
    until(word, 1);
    println!("SA_RESTART, no timeout: {:?}, {}", word.wake(1), ended(pid));
    standstill(word);
}

/// A process that is stopped does not wait, and goes on waiting when it goes on; its time goes on as well.
fn standstill(word: Word) {
    let second = Duration::from_secs(1);
    for timeout in [None, Some(second)] {
        let start = now();
        let pid = listener(word, timeout, 0);
        kill(pid, Signal::STOP).expect("kill");
        until(word, 0);
        kill(pid, Signal::CONT).expect("kill");
        if timeout.is_none() {
            until(word, 1);
            println!("woken later: {:?}", word.wake(1));
        }
        println!("stopped, {timeout:?}: {}", ended(pid));
        assert!(timeout.is_none_or(|timeout| now() - start >= timeout));
    }
}
