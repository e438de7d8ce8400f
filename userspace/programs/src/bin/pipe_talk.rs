//! Shows pipes: bytes between processes, whole or in pieces, full and empty pipes, and ends that nobody holds any more.
#![no_std]
#![forbid(unsafe_code)]

use core::time::Duration;

use programs::lesson::ends;
use rt::abi::general::{
    F_GETFL, F_GETPIPE_SZ, F_SETFL, F_SETPIPE_SZ, O_DIRECT, O_NONBLOCK, SEEK_SET,
};
use rt::file::{allocate, close, fcntl, pipe, read_at, seek, status, truncate, write_at};
use rt::handler::{Action, Context, Info, act, handle};
use rt::io::{read, write, write_all};
use rt::memory::PAGE;
use rt::println;
use rt::process::{Pid, Status, parent_id, spawn, wait};
use rt::signal::{Signal, kill};
use rt::time::sleep;

const CAPACITY: usize = 16 * PAGE;

fn main() {
    talk();
    streams();
    full();
    broken();
    packets();
    sizes();
    refusals();
    interrupted();
}

/// A question down one pipe, the answer up another, a thousand times.
fn talk() {
    let ([question, ask], [answer, tell]) = (pair(0), pair(0));
    let child = spawn(|| {
        close(ask).expect("close");
        let mut number = [0; 8];
        while read(question, &mut number) == Ok(8) {
            let twice = 2 * u64::from_le_bytes(number);
            write_all(tell, &twice.to_le_bytes()).expect("write");
        }
        0
    })
    .expect("fork");
    close(question).expect("close");
    let mut sum = 0;
    for number in 0..1000u64 {
        write_all(ask, &number.to_le_bytes()).expect("write");
        let mut bytes = [0; 8];
        assert_eq!(read(answer, &mut bytes), Ok(8));
        sum += u64::from_le_bytes(bytes);
    }
    println!("a thousand answers make {sum}");
    close(ask).expect("close");
    over(child);
    close(tell).expect("close");
    println!("nobody writes: {:?}", read(answer, &mut [0]));
    close(answer).expect("close");
}

fn pair(flags: u32) -> [u32; 2] {
    pipe(flags).expect("pipe2")
}

fn over(child: Pid) {
    let status = wait(child).expect("wait").status;
    assert_eq!(status, Status::Exited(0));
}

/// More than a pipe holds, from two writers whose lines stay whole.
fn streams() {
    const LINES: usize = 400;
    let [from, to] = pair(0);
    let writers = [b'a', b'b'].map(|letter| {
        spawn(|| {
            for _ in 0..LINES {
                write_all(to, &[letter; 1000]).expect("write");
            }
            0
        })
        .expect("fork")
    });
    close(to).expect("close");
    let (mut total, mut torn, mut column, mut letter) = (0, 0, 0, 0);
    let mut buffer = [0; 3000];
    loop {
        let count = read(from, &mut buffer).expect("read");
        if count == 0 {
            break;
        }
        for &byte in &buffer[..count] {
            torn += usize::from(column != 0 && byte != letter);
            letter = byte;
            column = (column + 1) % 1000;
        }
        total += count;
    }
    writers.into_iter().for_each(over);
    println!("{total} bytes, {torn} torn");
    close(from).expect("close");
}

fn full() {
    let [from, to] = pair(O_NONBLOCK);
    println!("empty: {:?}", read(from, &mut [0]));
    let page = [1; PAGE];
    let pages = (0..).take_while(|_| write(to, &page) == Ok(PAGE)).count();
    println!("{pages} pages fit, then {:?}", write(to, &page));
    println!("not even a byte: {:?}", write(to, b"x"));
    println!(
        "read 100: {:?}, and a byte: {:?}",
        read(from, &mut [0; 100]),
        write(to, b"x")
    );
    println!(
        "the page's rest: {:?}, and a byte: {:?}",
        read(from, &mut [0; PAGE - 100]),
        write(to, b"x")
    );
    println!("it joins others: {:?}", write(to, &[2; 4095]));
    println!("what is there: {:?}", read(from, &mut [0; CAPACITY]));
    println!(
        "more than there is room: {:?}",
        write(to, &[3; CAPACITY + 5])
    );
    let mut taken = 0;
    while let Ok(count) = read(from, &mut [0; 1000]) {
        taken += count;
    }
    println!("taken in pieces: {taken}");
    let singles = (0..).take_while(|_| write(to, b"s") == Ok(1)).count();
    println!("single bytes: {singles}");
    close(from).expect("close");
    close(to).expect("close");
}

fn broken() {
    let [from, to] = pair(0);
    close(from).expect("close");
    ends("nobody reads", Status::Killed(Signal::PIPE), || {
        write(to, b"x").map_or(1, |_| 2)
    });
    act(Signal::PIPE, Action::IGNORE).expect("sigaction");
    println!("and SIGPIPE is ignored: {:?}", write(to, b"x"));
    println!("nothing to write: {:?}", write(to, b""));
    act(Signal::PIPE, Action::default()).expect("sigaction");
    close(to).expect("close");
    let [from, to] = pair(0);
    let reader = spawn(|| {
        close(to).expect("close");
        let mut buffer = [0; 10];
        assert_eq!(read(from, &mut buffer), Ok(10));
        0
    })
    .expect("fork");
    close(from).expect("close");
    act(Signal::PIPE, Action::IGNORE).expect("sigaction");
    // On the stack: a constant would stand in the program's file.
    let zeroes = [0; 3 * CAPACITY];
    let wrote = write(to, &zeroes);
    println!(
        "the reader went away meanwhile: {}",
        wrote.is_err() || wrote < Ok(3 * CAPACITY)
    );
    act(Signal::PIPE, Action::default()).expect("sigaction");
    over(reader);
    close(to).expect("close");
}

fn packets() {
    let [from, to] = pair(O_DIRECT);
    write_all(to, b"first").expect("write");
    write_all(to, b"second").expect("write");
    let mut buffer = [0; 3];
    println!("a packet: {:?} {buffer:?}", read(from, &mut buffer));
    println!("the next: {:?}", read(from, &mut [0; 100]));
    close(from).expect("close");
    close(to).expect("close");
}

fn sizes() {
    let [from, to] = pair(0);
    println!("it holds {:?}", fcntl(from, F_GETPIPE_SZ, 0));
    for size in [5000, 0, PAGE, 3 * PAGE, 1 << 20] {
        println!("set to {size}: {:?}", fcntl(to, F_SETPIPE_SZ, size));
    }
    let zeroes = [0; 5 * PAGE];
    write_all(to, &zeroes).expect("write");
    println!(
        "too small for what is there: {:?}",
        fcntl(to, F_SETPIPE_SZ, PAGE)
    );
    println!(
        "of the console: {:?}",
        fcntl(rt::file::memfd(c"m", 0).expect("memfd"), F_GETPIPE_SZ, 0)
    );
    close(from).expect("close");
    close(to).expect("close");
}

fn refusals() {
    let [from, to] = pair(O_NONBLOCK);
    let about = status(from).expect("fstat");
    println!(
        "mode {:o}, {} bytes, blocks of {}",
        about.st_mode, about.st_size, about.st_blksize
    );
    println!(
        "flags {:?} {:?}",
        fcntl(from, F_GETFL, 0),
        fcntl(to, F_GETFL, 0)
    );
    println!(
        "F_SETFL: {:?}, now {:?}",
        fcntl(from, F_SETFL, 0),
        fcntl(from, F_GETFL, 0)
    );
    println!("read the writer's end: {:?}", read(to, &mut [0]));
    println!("write the reader's: {:?}", write(from, &[0]));
    println!("seek: {:?}", seek(from, 0, SEEK_SET));
    println!(
        "pread: {:?}, pwrite: {:?}",
        read_at(from, &mut [0], 0),
        write_at(to, &[0], 0)
    );
    println!("ftruncate: {:?}", truncate(to, 0));
    println!("fallocate: {:?}", allocate(to, 0, 0, 1));
    println!("unknown flag: {:?}", pipe(1).map(drop));
    close(from).expect("close");
    close(to).expect("close");
}

fn interrupted() {
    let [from, to] = pair(0);
    for (flags, what) in [(0, "EINTR"), (rt::abi::general::SA_RESTART, "again")] {
        handle(Signal::USR1, nothing, flags);
        let child = spawn(|| {
            sleep(Duration::from_millis(30));
            kill(parent_id(), Signal::USR1).expect("kill");
            sleep(Duration::from_millis(30));
            write_all(to, b"x").expect("write");
            0
        })
        .expect("fork");
        let first = read(from, &mut [0]);
        println!("a signal, {what}: {first:?}");
        if first.is_err() {
            println!("then {:?}", read(from, &mut [0]));
        }
        over(child);
    }
    close(from).expect("close");
    close(to).expect("close");
}

extern "C" fn nothing(_: i32, _: &mut Info, _: &mut Context) {}
