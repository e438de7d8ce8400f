//! Shows what a process may say and ask of itself: its name and attributes by prctl(2), users, groups and capabilities, and
//! how it is scheduled. All of it as root, and on a machine of any number of processors.
#![no_std]
#![forbid(unsafe_code)]

use programs::proc;
use rt::abi::Sysno;
use rt::abi::prctl::{
    PR_CAPBSET_READ, PR_GET_DUMPABLE, PR_GET_NAME, PR_GET_NO_NEW_PRIVS, PR_GET_THP_DISABLE,
    PR_GET_TIMERSLACK, PR_SET_DUMPABLE, PR_SET_NAME, PR_SET_NO_NEW_PRIVS, PR_SET_THP_DISABLE,
    PR_SET_TIMERSLACK,
};
use rt::process::{Status, execve, exit, id, spawn, wait};
use rt::syscall::raw;
use rt::{Errno, env, println};

type Answer = Result<usize, Errno>;

fn main() {
    if env::count() > 1 {
        exit(place());
    }
    names();
    attributes();
    children();
    identity();
    capabilities();
    processors();
    policies();
    barriers();
    places();
}

/// Makes a call; arguments that are missing are zeroes.
fn call<const N: usize>(number: Sysno, arguments: [usize; N]) -> Answer {
    let mut all = [0; 6];
    all[..N].copy_from_slice(&arguments);
    raw(number as usize, all)
}

fn prctl<const N: usize>(option: u32, arguments: [usize; N]) -> Answer {
    let mut all = [option as usize, 0, 0, 0, 0, 0];
    all[1..=N].copy_from_slice(&arguments);
    raw(Sysno::prctl as usize, all)
}

fn names() {
    for name in [
        &b"short\0"[..],
        b"\0",
        b"fifteen letters\0",
        b"more than fifteen letters\0",
    ] {
        let set = prctl(PR_SET_NAME, [name.as_ptr() as usize]);
        let mut kept = [b'?'; 20];
        let got = prctl(PR_GET_NAME, [kept.as_mut_ptr() as usize]);
        println!("name: {set:?}, {got:?}, \"{}\"", kept.escape_ascii());
    }
    let mut room = [0; 8192];
    let status = proc::read(c"/proc/self/status", &mut room);
    println!("status: {}", proc::text_of(status, "Name"));
    println!(
        "nowhere: {:?}, {:?}",
        prctl(PR_SET_NAME, [0]),
        prctl(PR_GET_NAME, [0])
    );
}

fn attributes() {
    for value in [0, 1, 2] {
        let set = prctl(PR_SET_DUMPABLE, [value]);
        println!(
            "dumpable {value}: {set:?}, {:?}",
            prctl(PR_GET_DUMPABLE, [])
        );
    }
    for value in [[0, 0], [1, 1], [1, 0]] {
        let set = prctl(PR_SET_NO_NEW_PRIVS, value);
        let got = [
            prctl(PR_GET_NO_NEW_PRIVS, []),
            prctl(PR_GET_NO_NEW_PRIVS, [1]),
        ];
        println!("no new privileges {value:?}: {set:?}, {got:?}");
    }
    for value in [[5, 0], [0, 1], [0, 0]] {
        let set = prctl(PR_SET_THP_DISABLE, value);
        let got = [
            prctl(PR_GET_THP_DISABLE, []),
            prctl(PR_GET_THP_DISABLE, [1]),
        ];
        println!("no large pages {value:?}: {set:?}, {got:?}");
    }
    for value in [777, 0, usize::MAX] {
        let set = prctl(PR_SET_TIMERSLACK, [value]);
        println!("timer slack: {set:?}, {:?}", prctl(PR_GET_TIMERSLACK, []));
    }
    println!(
        "options that are none: {:?}, {:?}",
        prctl(0, []),
        prctl(999, [])
    );
}

/// What a child has of its parent.
fn children() {
    prctl(PR_SET_DUMPABLE, [0]).expect("prctl");
    prctl(PR_SET_TIMERSLACK, [5000]).expect("prctl");
    prctl(PR_SET_NAME, [c"heir".as_ptr() as usize]).expect("prctl");
    let child = spawn(|| {
        let got = [PR_GET_DUMPABLE, PR_GET_NO_NEW_PRIVS, PR_GET_TIMERSLACK]
            .map(|option| prctl(option, []));
        prctl(PR_SET_TIMERSLACK, [9]).expect("prctl");
        prctl(PR_SET_TIMERSLACK, [0]).expect("prctl");
        let mut name = [0u8; 16];
        prctl(PR_GET_NAME, [name.as_mut_ptr() as usize]).expect("prctl");
        println!(
            "a child: {got:?}, then {:?}, {}",
            prctl(PR_GET_TIMERSLACK, []),
            name.escape_ascii()
        );
        0
    });
    wait(child.expect("fork")).expect("wait");
    prctl(PR_SET_DUMPABLE, [1]).expect("prctl");
}

fn identity() {
    const NONE: usize = u32::MAX as usize;
    let sets = [
        call(Sysno::setuid, [0]),
        call(Sysno::setgid, [0]),
        call(Sysno::setreuid, [NONE, 0]),
        call(Sysno::setregid, [0, NONE]),
        call(Sysno::setresuid, [NONE; 3]),
        call(Sysno::setresgid, [0, 0, NONE]),
        call(Sysno::setfsuid, [0]),
        call(Sysno::setfsgid, [0]),
    ];
    println!("root to root: {sets:?}");
    for number in [Sysno::getresuid, Sysno::getresgid] {
        let mut ids = [7u32; 3];
        let places = [0, 1, 2].map(|index| &raw mut ids[index] as usize);
        println!("three: {:?} {ids:?}", call(number, places));
        println!("nowhere: {:?}", call(number, [0, places[1], places[2]]));
    }
    println!("not a number: {:?}", call(Sysno::setuid, [NONE]));
    println!(
        "groups, a negative count: {:?}",
        call(Sysno::getgroups, [usize::MAX, 0])
    );
}

fn capabilities() {
    const VERSION: u32 = 0x2008_0522;
    for header in [
        [VERSION, 0],
        [VERSION, id() as u32],
        [VERSION, u32::MAX],
        [VERSION, 4_000_000],
        [1, 0],
    ] {
        let mut header = header;
        let mut data = [7u32; 6];
        let [place, into] = [&raw mut header as usize, &raw mut data as usize];
        let answers = [
            call(Sysno::capget, [place, into]),
            call(Sysno::capget, [place, 0]),
        ];
        println!(
            "capabilities: {answers:?}, version {:#x}, inherited {:?}",
            header[0],
            [data[2], data[5]]
        );
    }
    println!(
        "known: {:?}, {:?}, {:?}",
        prctl(PR_CAPBSET_READ, [40]),
        prctl(PR_CAPBSET_READ, [64]),
        call(Sysno::capget, [0, 0])
    );
}

fn processors() {
    let mut set = [0u64; 128];
    let place = set.as_mut_ptr() as usize;
    let answer = call(Sysno::sched_getaffinity, [0, 1024, place]);
    println!(
        "processors: {}, some: {}",
        answer.is_ok_and(|count| count % 8 == 0),
        set.iter().any(|&word| word != 0)
    );
    println!(
        "the same again: {:?}",
        call(Sysno::sched_setaffinity, [0, 1024, place])
    );
    for length in [0, 4, 12] {
        println!(
            "{length} bytes: {:?}",
            call(Sysno::sched_getaffinity, [0, length, place])
        );
    }
    println!("nowhere: {:?}", call(Sysno::sched_setaffinity, [0, 8, 8]));
    let none = 0u64;
    let nothing = &raw const none as usize;
    println!(
        "none: {:?}",
        call(Sysno::sched_setaffinity, [0, 8, nothing])
    );
    println!(
        "nobody's: {:?}, {:?}",
        call(Sysno::sched_getaffinity, [4_000_000, 1024, place]),
        call(Sysno::sched_setaffinity, [4_000_000, 8, place])
    );
    let [mut cpu, mut node] = [u32::MAX; 2];
    let answer = call(
        Sysno::getcpu,
        [&raw mut cpu as usize, &raw mut node as usize],
    );
    println!("getcpu: {answer:?}, {}, {node}", cpu < 1024);
    println!(
        "nowhere: {:?}, {:?}",
        call(Sysno::getcpu, [0, 0]),
        call(Sysno::getcpu, [8, 0])
    );
}

fn policies() {
    let mut parameter = 7u32;
    let place = &raw mut parameter as usize;
    println!(
        "policy: {:?}, {:?}, {:?}",
        call(Sysno::sched_getscheduler, [0]),
        call(Sysno::sched_getscheduler, [usize::MAX]),
        call(Sysno::sched_getscheduler, [4_000_000])
    );
    println!(
        "parameter: {:?} {parameter}, {:?}, {:?}",
        call(Sysno::sched_getparam, [0, place]),
        call(Sysno::sched_getparam, [0, 0]),
        call(Sysno::sched_getparam, [0, 8])
    );
    for policy in 0..7 {
        println!(
            "policy {policy}: {:?} to {:?}",
            call(Sysno::sched_get_priority_min, [policy]),
            call(Sysno::sched_get_priority_max, [policy])
        );
    }
    for [kind, who] in [
        [0, 0],
        [1, 0],
        [3, 0],
        [0, 4_000_000],
        [1, 4_000_000],
        [2, 4_000_000],
    ] {
        let priority = call(Sysno::getpriority, [kind, who]);
        println!(
            "priority of {kind}, {who}: {:?}",
            priority.map(|nice| nice <= 40)
        );
    }
}

/// What other processors have to do for membarrier(2) differs; what every kernel has is there.
fn barriers() {
    const GLOBAL: usize = 1;
    let barrier = |command, flags| call(Sysno::membarrier, [command, flags, 0]);
    let known = barrier(0, 0).expect("MEMBARRIER_CMD_QUERY");
    println!(
        "barriers: {}, {:?}",
        known & GLOBAL != 0,
        barrier(GLOBAL, 0)
    );
    println!(
        "unknown: {:?}, {:?}, {:?}",
        barrier(1 << 20, 0),
        barrier(0, 2),
        barrier(GLOBAL, 2)
    );
}

/// Seven bits of where the stack is.
fn place() -> u8 {
    let here = 0u8;
    (core::ptr::from_ref(&here).addr() >> 8) as u8 & 0x7f
}

/// Runs this program in a child, which says where its stack is.
fn place_of_child() -> Status {
    let pid = spawn(|| {
        let path = c"/proc/self/exe";
        let errno = execve(path, &[c"self_service", c"place"], &[]);
        panic!("execve: {errno:?}");
    });
    wait(pid.expect("fork")).expect("wait4").status
}

/// Programs that want it lie where the last one lay.
fn places() {
    const ADDR_NO_RANDOMIZE: usize = 0x004_0000;
    let persona = |wanted: usize| call(Sysno::personality, [wanted]);
    println!("usual: {:?}", persona(u32::MAX as usize));
    println!(
        "fixed: {:?}, {:?}",
        persona(ADDR_NO_RANDOMIZE),
        persona(u32::MAX as usize)
    );
    let places = [(); 4].map(|()| place_of_child());
    println!(
        "always there: {}",
        places.iter().all(|place| *place == places[0])
    );
    let child = spawn(|| u8::from(persona(u32::MAX as usize) != Ok(ADDR_NO_RANDOMIZE)));
    println!(
        "a child's: {}",
        wait(child.expect("fork")).expect("wait4").status
    );
    println!(
        "usual again: {:?}, {:?}",
        persona(0),
        persona(u32::MAX as usize)
    );
}
