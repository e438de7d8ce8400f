//! Shows capabilities: how a process gives them up, what it can't do any more, and what the next program has of them.
//!
//! As root, of whatever rights: only what both sides have, or lack once it was given up, is shown.
#![no_std]
#![forbid(unsafe_code)]

use core::ffi::CStr;

use programs::lesson::ends;
use programs::proc;
use programs::rights::{Rights, VERSION};
use rt::abi::Sysno;
use rt::abi::general::{
    CAP_IPC_LOCK, CAP_MKNOD, CAP_PERFMON, CAP_SETPCAP, CAP_SYS_ADMIN, CAP_SYS_BOOT, CAP_SYS_PTRACE,
    CAP_SYS_RESOURCE, O_RDONLY, O_WRONLY, RLIMIT_CORE, S_IFBLK, S_IFCHR,
};
use rt::abi::prctl::{
    PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, PR_CAP_AMBIENT_IS_SET, PR_CAP_AMBIENT_LOWER,
    PR_CAP_AMBIENT_RAISE, PR_CAPBSET_DROP, PR_CAPBSET_READ, PR_GET_DUMPABLE, PR_GET_KEEPCAPS,
    PR_GET_SECUREBITS, PR_SET_KEEPCAPS, PR_SET_NO_NEW_PRIVS, PR_SET_SECUREBITS,
};
use rt::foreign::{Direction, transfer};
use rt::process::{Pid, Status, execve, exit, id, parent_id};
use rt::syscall::raw;
use rt::system::{limit, set_limit};
use rt::{Errno, env, file, println};

type Answer = Result<usize, Errno>;

const LOCK: usize = CAP_IPC_LOCK as usize;

fn main() {
    if env::count() > 1 {
        exit(next_program());
    }
    let parts: [(&str, fn()); 6] = [
        ("capset", sets),
        ("the bounding set", bounds),
        ("the ambient set", ambient),
        ("securebits", securebits),
        ("what needs one", needs),
        ("looking into others", looks),
    ];
    for (what, part) in parts {
        ends(what, Status::Exited(0), || {
            part();
            0
        });
    }
    programs();
}

fn prctl<const N: usize>(option: u32, arguments: [usize; N]) -> Answer {
    let mut all = [option as usize, 0, 0, 0, 0, 0];
    all[1..=N].copy_from_slice(&arguments);
    raw(Sysno::prctl as usize, all)
}

fn mask(capability: u32) -> u64 {
    1 << capability
}

/// Whether `/proc/self/status` says the same.
fn is_told(rights: Rights) -> bool {
    let mut room = [0; 8192];
    let status = proc::read(c"/proc/self/status", &mut room);
    let set = |name| u64::from_str_radix(proc::text_of(status, name), 16);
    let told = [set("CapEff"), set("CapPrm"), set("CapInh")];
    told == [rights.effective, rights.permitted, rights.inheritable].map(Ok)
}

fn sets() {
    let all = Rights::own();
    println!("none to be inherited: {}", all.inheritable == 0);
    println!("all of them count: {}", all.effective == all.permitted);
    println!("the same: {:?}", all.set());
    println!("of this process: {:?}", all.set_by([VERSION, id() as u32]));
    println!(
        "of another: {:?}",
        all.set_by([VERSION, parent_id() as u32])
    );
    println!("of nobody: {:?}", all.set_by([VERSION, u32::MAX]));
    println!("unknown version: {:?}", all.set_by([1, 0]));
    let header = [VERSION, 0];
    let nowhere = |header, data| raw(Sysno::capset as usize, [header, data, 0, 0, 0, 0]);
    println!("nowhere: {:?}", nowhere(0, 0));
    println!("no sets: {:?}", nowhere(header.as_ptr() as usize, 0));
    let odd = Rights {
        effective: all.effective | 1 << 50,
        ..all
    };
    println!(
        "one that is none: {:?}, {}",
        odd.set(),
        Rights::own() == all
    );
    let less = all.without(CAP_IPC_LOCK);
    println!(
        "less: {:?}, {}",
        less.set(),
        Rights::own() == less && is_told(less)
    );
    println!("more again: {:?}", all.set());
    let never = all.never(CAP_IPC_LOCK);
    println!(
        "never: {:?}, {}",
        never.set(),
        Rights::own() == never && is_told(never)
    );
    println!("more again: {:?}, {:?}", all.set(), less.set());
    let inherit = |rights: Rights, which: u32| Rights {
        inheritable: mask(which),
        ..rights
    };
    println!("to be inherited: {:?}", inherit(never, CAP_IPC_LOCK).set());
    println!("told: {}", is_told(Rights::own()));
    let weak = never.without(CAP_SETPCAP);
    println!(
        "without CAP_SETPCAP: {:?}",
        inherit(weak, CAP_IPC_LOCK).set()
    );
    println!("nothing: {:?}", weak.set());
    println!("that again: {:?}", inherit(weak, CAP_IPC_LOCK).set());
    println!("another: {:?}", inherit(weak, CAP_MKNOD).set());
}

fn bounds() {
    let read = |which| prctl(PR_CAPBSET_READ, [which]);
    println!("before: {:?}, none: {:?}", read(LOCK), read(41));
    println!("none: {:?}", prctl(PR_CAPBSET_DROP, [41]));
    println!(
        "dropped: {:?}, {:?}",
        prctl(PR_CAPBSET_DROP, [LOCK]),
        read(LOCK)
    );
    println!(
        "it counts all the same: {}",
        Rights::own().effective & mask(CAP_IPC_LOCK) != 0
    );
    let inherit = Rights {
        inheritable: mask(CAP_IPC_LOCK),
        ..Rights::own()
    };
    println!("to be inherited: {:?}", inherit.set());
    Rights::own().without(CAP_SETPCAP).set().expect("capset");
    let refused = [0, 41].map(|which| prctl(PR_CAPBSET_DROP, [which]));
    println!("without CAP_SETPCAP: {refused:?}");
}

fn ambient() {
    let ambient = |what: u32, which| prctl(PR_CAP_AMBIENT, [what as usize, which, 0, 0]);
    println!("before: {:?}", ambient(PR_CAP_AMBIENT_IS_SET, LOCK));
    println!(
        "not to be inherited: {:?}",
        ambient(PR_CAP_AMBIENT_RAISE, LOCK)
    );
    let inherit = Rights {
        inheritable: mask(CAP_IPC_LOCK),
        ..Rights::own()
    };
    inherit.set().expect("capset");
    let is_set = || ambient(PR_CAP_AMBIENT_IS_SET, LOCK);
    println!(
        "raised: {:?}, {:?}",
        ambient(PR_CAP_AMBIENT_RAISE, LOCK),
        is_set()
    );
    println!(
        "lowered: {:?}, {:?}",
        ambient(PR_CAP_AMBIENT_LOWER, LOCK),
        is_set()
    );
    for clear in [PR_CAP_AMBIENT_CLEAR_ALL, PR_CAP_AMBIENT_RAISE] {
        println!("{clear}: {:?}, {:?}", ambient(clear, 0), is_set());
    }
    ambient(PR_CAP_AMBIENT_RAISE, LOCK).expect("prctl");
    inherit.never(CAP_IPC_LOCK).set().expect("capset");
    println!("gone with the right: {:?}", is_set());
    println!(
        "none: {:?}, unknown: {:?}",
        ambient(PR_CAP_AMBIENT_IS_SET, 41),
        ambient(9, 0)
    );
    let clear = PR_CAP_AMBIENT_CLEAR_ALL as usize;
    println!(
        "too much said: {:?}",
        prctl(PR_CAP_AMBIENT, [clear, 1, 0, 0])
    );
}

fn securebits() {
    let get = || (prctl(PR_GET_SECUREBITS, []), prctl(PR_GET_KEEPCAPS, []));
    println!("before: {:?}", get());
    for value in [1, 2, 0] {
        let set = prctl(PR_SET_KEEPCAPS, [value]);
        println!("keep {value}: {set:?}, {:?}", get());
    }
    for bits in [1 << 4, 1 << 20, 1 << 5, 1 << 4 | 1 << 5, 1 << 5] {
        let set = prctl(PR_SET_SECUREBITS, [bits]);
        println!("{bits:#x}: {set:?}, {:?}", get());
    }
    println!("keep: {:?}", prctl(PR_SET_KEEPCAPS, [1]));
    Rights::own().without(CAP_SETPCAP).set().expect("capset");
    let now = prctl(PR_GET_SECUREBITS, []).expect("prctl");
    for bits in [now, now | 1] {
        let set = prctl(PR_SET_SECUREBITS, [bits]);
        println!("without CAP_SETPCAP, {bits:#x}: {set:?}");
    }
}

fn needs() {
    let weak = Rights::own()
        .never(CAP_SYS_RESOURCE)
        .never(CAP_MKNOD)
        .never(CAP_SYS_BOOT)
        .never(CAP_SYS_ADMIN);
    weak.set().expect("capset");
    println!("lower: {:?}", set_limit(RLIMIT_CORE, 0, 4096));
    println!("higher: {:?}", set_limit(RLIMIT_CORE, 0, 8192));
    println!(
        "the same: {:?}, {:?}",
        set_limit(RLIMIT_CORE, 1, 4096),
        limit(RLIMIT_CORE)
    );
    println!("wrong way round: {:?}", set_limit(RLIMIT_CORE, 9000, 8192));
    let adjustment = file::open(c"/proc/self/oom_score_adj", O_WRONLY).expect("open");
    for text in ["200", "100", "-1", "1001"] {
        let written = rt::io::write(adjustment, text.as_bytes());
        println!("oom_score_adj {text}: {written:?}");
    }
    for kind in [S_IFCHR, S_IFBLK] {
        let path = c"no_such_device".as_ptr() as usize;
        let arguments = [path, (kind | 0o600) as usize, 0x103, 0, 0, 0];
        println!("a device: {:?}", raw(Sysno::mknod as usize, arguments));
    }
    let root = c"/".as_ptr() as usize;
    let words = [root, root, c"tmpfs".as_ptr() as usize, 0, 0, 0];
    let unmounted = raw(Sysno::umount2 as usize, [root, 0, 0, 0, 0, 0]);
    println!(
        "mount: {:?}, {unmounted:?}",
        raw(Sysno::mount as usize, words)
    );
    println!("reboot: {:?}", raw(Sysno::reboot as usize, [0; 6]));
}

fn looks() {
    let secret = [b's'; 8];
    let place = [secret.as_ptr() as usize, 8];
    let read = move |pid| {
        let bytes = [0; 8];
        let ours = [bytes.as_ptr() as usize, 8];
        transfer(Direction::Read, pid, &[ours], &[place])
    };
    let parent = id();
    println!("itself: {:?}", read(parent));
    ends("who may do less", Status::Exited(0), || {
        let weak = Rights::own().never(CAP_SYS_PTRACE).never(CAP_MKNOD);
        weak.set().expect("capset");
        println!("its parent: {:?}", read(parent));
        println!("itself: {:?}", read(id()));
        println!(
            "its own areas: {:?}",
            file::open(c"/proc/self/maps", O_RDONLY).map(drop)
        );
        let opened = || {
            let maps = file::open(path(parent, b"/maps\0", &mut [0; 32]), O_RDONLY);
            let mem = file::open(path(parent, b"/mem\0", &mut [0; 32]), O_RDONLY);
            (maps.map(drop), mem.map(drop))
        };
        println!("its parent's areas and bytes: {:?}", opened());
        let weaker = weak.never(CAP_SYS_ADMIN).never(CAP_PERFMON);
        weaker.set().expect("capset");
        println!("without the right to measure: {:?}", opened());
        0
    });
}

/// The path of a file about process `pid`.
fn path<'a>(pid: Pid, name: &[u8], room: &'a mut [u8; 32]) -> &'a CStr {
    let mut length = 0;
    let mut push = |byte: u8| {
        room[length] = byte;
        length += 1;
    };
    b"/proc/".iter().for_each(|&byte| push(byte));
    let digits = (0..10).rev().map(|place| pid / Pid::pow(10, place));
    digits
        .filter(|&rest| rest != 0)
        .for_each(|rest| push(b'0' + (rest % 10) as u8));
    name.iter().for_each(|&byte| push(byte));
    CStr::from_bytes_until_nul(room).expect("the name ends with a NUL byte")
}

/// What a program finds: whether CAP_IPC_LOCK counts, whether it may, whether rights are kept, whether others may look.
fn next_program() -> u8 {
    let rights = Rights::own();
    let has = |set: u64| u8::from(set & mask(CAP_IPC_LOCK) != 0);
    let keeps = prctl(PR_GET_KEEPCAPS, []).expect("prctl") as u8;
    let is_usual = u8::from(prctl(PR_GET_DUMPABLE, []) == Ok(1));
    has(rights.effective) << 3 | has(rights.permitted) << 2 | keeps << 1 | is_usual
}

/// Runs this program once more, after `change`.
fn run(what: &str, expected: u8, change: impl FnOnce(Rights)) {
    ends(what, Status::Exited(expected), || {
        change(Rights::own());
        let errno = execve(c"/proc/self/exe", &[c"capabilities", c"next"], &[]);
        panic!("execve: {errno:?}");
    });
}

fn programs() {
    const ALL: u8 = 0b1101;
    const GAINED: u8 = 0b1100;
    const NONE: u8 = 0b0001;
    let set = |rights: Rights| rights.set().expect("capset");
    let say = |option, value: usize| {
        prctl(option, [value]).expect("prctl");
    };
    let drop = || say(PR_CAPBSET_DROP, LOCK);
    run("all", ALL, |_| ());
    run("not effective", ALL, |all| set(all.without(CAP_IPC_LOCK)));
    run("not permitted", GAINED, |all| set(all.never(CAP_IPC_LOCK)));
    run("kept", ALL, |_| say(PR_SET_KEEPCAPS, 1));
    run("out of bounds", NONE, |_| drop());
    run("out of bounds, to be inherited", ALL, |all| {
        set(Rights {
            inheritable: mask(CAP_IPC_LOCK),
            ..all
        });
        drop();
    });
    run("not permitted, no new rights", NONE, |all| {
        set(all.never(CAP_IPC_LOCK));
        say(PR_SET_NO_NEW_PRIVS, 1);
    });
    run("not effective, no new rights", ALL, |all| {
        set(all.without(CAP_IPC_LOCK));
        say(PR_SET_NO_NEW_PRIVS, 1);
    });
    run("root is nobody special", NONE, |_| {
        say(PR_SET_SECUREBITS, 1)
    });
    run("root is nobody special, one is ambient", ALL, |all| {
        set(Rights {
            inheritable: mask(CAP_IPC_LOCK),
            ..all
        });
        let raise = [PR_CAP_AMBIENT_RAISE as usize, LOCK, 0, 0];
        prctl(PR_CAP_AMBIENT, raise).expect("prctl");
        say(PR_SET_SECUREBITS, 1);
    });
}
