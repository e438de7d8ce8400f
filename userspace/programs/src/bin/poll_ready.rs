//! Shows poll(2) and select(2): what pipes are ready for, who is woken by what, how long nothing takes, and signals
//! meanwhile.
#![no_std]
#![forbid(unsafe_code)]

use core::time::Duration;

use rt::abi::general::{
    O_NONBLOCK, POLLERR, POLLHUP, POLLIN, POLLNVAL, POLLOUT, RLIMIT_NOFILE, pollfd,
};
use rt::file::{close, memfd, pipe};
use rt::handler::{Context, Info, handle};
use rt::io::{read, write, write_all};
use rt::memory::PAGE;
use rt::println;
use rt::process::{Pid, Status, parent_id, spawn, wait};
use rt::ready::{Set, WORDS, poll, ppoll, pselect, select};
use rt::signal::{Signal, kill};
use rt::system::set_limit;
use rt::time::{now, sleep};

const SHORT: Duration = Duration::from_millis(30);
const LONG: Duration = Duration::from_secs(100);

/// Longer than anything here takes, in milliseconds.
const PATIENCE: i32 = 100_000;

fn main() {
    ends_of_a_pipe();
    nothing_happens();
    somebody_writes();
    several();
    signals();
    sets();
    refusals();
}

fn asked(fd: u32, events: u32) -> pollfd {
    pollfd {
        fd: fd as i32,
        events: events as i16,
        revents: -1,
    }
}

/// What `fd` is ready for, in words.
fn show(what: &str, fd: u32) {
    let mut entry = [asked(fd, POLLIN | POLLOUT)];
    let count = poll(&mut entry, 0);
    let names = [
        (POLLIN, "in"),
        (POLLOUT, "out"),
        (POLLERR, "error"),
        (POLLHUP, "hang-up"),
        (POLLNVAL, "invalid"),
    ];
    rt::print!("{what}: {count:?}");
    for (bit, name) in names {
        if entry[0].revents as u32 & bit != 0 {
            rt::print!(" {name}");
        }
    }
    println!("");
}

fn ends_of_a_pipe() {
    let [from, to] = pipe(O_NONBLOCK).expect("pipe");
    show("empty, to read", from);
    show("empty, to write", to);
    write_all(to, b"x").expect("write");
    show("a byte, to read", from);
    while write(to, &[0; PAGE]).is_ok() {}
    show("full, to write", to);
    show("full, to read", from);
    close(to).expect("close");
    show("nobody writes any more", from);
    while read(from, &mut [0; PAGE]) != Ok(0) {}
    show("and all is read", from);
    close(from).expect("close");
    show("closed", from);
    let [from, to] = pipe(0).expect("pipe");
    close(from).expect("close");
    show("nobody reads", to);
    close(to).expect("close");
    let file = memfd(c"ready", 0).expect("memfd");
    show("a file is always ready", file);
    close(file).expect("close");
    println!("nobody is asked: {:?}", poll(&mut [], 0));
    let mut nobody = [asked(u32::MAX, POLLIN)];
    println!(
        "a negative number: {:?}, {}",
        poll(&mut nobody, 0),
        nobody[0].revents
    );
}

fn nothing_happens() {
    let [from, to] = pipe(0).expect("pipe");
    let start = now();
    let found = poll(&mut [asked(from, POLLIN)], SHORT.as_millis() as i32);
    println!("nothing: {found:?}, in time: {}", now() - start >= SHORT);
    let start = now();
    println!(
        "nobody: {:?}, in time: {}",
        poll(&mut [], 30),
        now() - start >= SHORT
    );
    let (found, left) = ppoll(&mut [asked(from, POLLIN)], SHORT, 0);
    println!("ppoll: {found:?}, left: {left:?}");
    close(from).expect("close");
    close(to).expect("close");
}

/// A child that does something after a while.
fn later(body: impl FnOnce()) -> Pid {
    let child = spawn(|| {
        sleep(SHORT);
        body();
        0
    });
    child.expect("fork")
}

fn over(child: Pid) {
    assert_eq!(wait(child).expect("wait").status, Status::Exited(0));
}

fn somebody_writes() {
    let [from, to] = pipe(0).expect("pipe");
    let child = later(|| write_all(to, b"x").expect("write"));
    let mut entry = [asked(from, POLLIN)];
    println!(
        "woken by a byte: {:?} {}",
        poll(&mut entry, -1),
        entry[0].revents
    );
    over(child);
    read(from, &mut [0]).expect("read");
    let child = later(|| ());
    close(to).expect("close");
    let mut entry = [asked(from, POLLIN)];
    println!(
        "woken by an end: {:?} {}",
        poll(&mut entry, PATIENCE),
        entry[0].revents
    );
    over(child);
    close(from).expect("close");
}

/// Of ten pipes the seventh gets a byte.
fn several() {
    let pipes: [[u32; 2]; 10] = core::array::from_fn(|_| pipe(0).expect("pipe"));
    let child = later(|| write_all(pipes[6][1], b"x").expect("write"));
    let mut entries = pipes.map(|[from, _]| asked(from, POLLIN));
    let found = poll(&mut entries, PATIENCE);
    println!(
        "ten pipes: {found:?} {:?}",
        entries.map(|entry| entry.revents)
    );
    over(child);
    let mut both = [
        asked(pipes[6][0], POLLIN),
        asked(pipes[6][0], 0),
        asked(pipes[0][1], POLLOUT),
    ];
    println!(
        "one twice: {:?} {:?}",
        poll(&mut both, PATIENCE),
        both.map(|entry| entry.revents)
    );
    for fd in pipes.iter().flatten() {
        close(*fd).expect("close");
    }
}

extern "C" fn nothing(_: i32, _: &mut Info, _: &mut Context) {}

fn signals() {
    handle(Signal::USR1, nothing, rt::abi::general::SA_RESTART);
    let [from, to] = pipe(0).expect("pipe");
    let signal = || later(|| kill(parent_id(), Signal::USR1).expect("kill"));
    let child = signal();
    println!("a signal: {:?}", poll(&mut [asked(from, POLLIN)], PATIENCE));
    over(child);
    let child = signal();
    let (found, left) = ppoll(&mut [asked(from, POLLIN)], LONG, 0);
    println!(
        "ppoll: {found:?}, time is left: {}",
        left > Duration::ZERO && left < LONG
    );
    over(child);
    let usr1 = 1 << (Signal::USR1.0 - 1);
    let child = signal();
    let (found, _) = ppoll(&mut [asked(from, POLLIN)], 3 * SHORT, usr1);
    println!("masked: {found:?}");
    over(child);
    let child = signal();
    let mut set = one(from);
    println!(
        "pselect: {:?}, the set is as it was: {}",
        pselect(64, &mut set, LONG, 0),
        set == one(from)
    );
    over(child);
    close(from).expect("close");
    close(to).expect("close");
}

/// The set of one descriptor.
fn one(fd: u32) -> Set {
    let mut set = [0; WORDS];
    set[fd as usize / 64] |= 1 << (fd % 64);
    set
}

fn sets() {
    let [from, to] = pipe(0).expect("pipe");
    let count = to as i32 + 1;
    let (mut read_set, mut write_set) = (one(from), one(to));
    let found = select(
        count,
        [Some(&mut read_set), Some(&mut write_set), None],
        None,
    );
    println!(
        "select: {found:?}, {}, {}",
        read_set == [0; WORDS],
        write_set == one(to)
    );
    let mut time = [0, SHORT.as_micros() as i64];
    let mut read_set = one(from);
    let found = select(count, [Some(&mut read_set), None, None], Some(&mut time));
    println!(
        "nothing: {found:?}, {}, left: {time:?}",
        read_set == [0; WORDS]
    );
    let child = later(|| write_all(to, b"x").expect("write"));
    let mut read_set = one(from);
    let mut time = [0, 100_000_000];
    let found = select(count, [Some(&mut read_set), None, None], Some(&mut time));
    println!(
        "a byte: {found:?}, {}, left: {}",
        read_set == one(from),
        time[0] > 0
    );
    over(child);
    let mut read_set = one(from);
    println!(
        "beyond the count: {:?}",
        select(
            from as i32,
            [Some(&mut read_set), None, None],
            Some(&mut [0, 0])
        )
    );
    println!(
        "no sets: {:?}",
        select(0, [None, None, None], Some(&mut [0, 1000]))
    );
    println!("pselect: {:?}", pselect(count, &mut one(from), LONG, 0));
    close(from).expect("close");
    close(to).expect("close");
    println!(
        "closed: {:?}",
        select(count, [Some(&mut one(from)), None, None], None)
    );
}

fn refusals() {
    println!(
        "a negative count: {:?}",
        select(-1, [None, None, None], None)
    );
    println!(
        "a negative time: {:?}",
        select(0, [None, None, None], Some(&mut [-1, 0]))
    );
    println!(
        "negative microseconds: {:?}",
        select(0, [None, None, None], Some(&mut [1, -1]))
    );
    set_limit(RLIMIT_NOFILE, 8, 8).expect("setrlimit");
    let mut many = [(); 9].map(|()| asked(u32::MAX, POLLIN));
    println!("as many as may be open: {:?}", poll(&mut many[..8], 0));
    println!("one more: {:?}", poll(&mut many, 0));
}
