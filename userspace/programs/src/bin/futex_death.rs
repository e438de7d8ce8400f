//! Shows what a thread leaves to others when it ends: locks whose owner died, and the word that says whether it lives.
#![no_std]
#![forbid(unsafe_code)]

use rt::abi::general::{FUTEX_OWNER_DIED, FUTEX_WAITERS};
use rt::file::map_shared_memory;
use rt::futex::{Word, robust_list, set_robust_list, set_tid_word};
use rt::memory::{PAGE, PROT_READ, PROT_WRITE};
use rt::println;
use rt::probe::{store, store_word};
use rt::process::{Pid, Status, id, run_in_child, spawn, vfork, wait, yield_now};
use rt::signal::{Signal, kill};

/// Bytes of a list's head.
const HEAD: usize = 24;

/// Where a lock's word is, seen from its link.
const OFFSET: usize = 8;

fn main() {
    let page = map_shared_memory(2 * PAGE, PROT_READ | PROT_WRITE).expect("mmap");
    registration(page);
    locks(page);
    rubbish(page);
    lives(page);
}

fn registration(page: usize) {
    println!("at first: {:?}", robust_list(0));
    for length in [0, HEAD - 1, HEAD + 1] {
        println!("length {length}: {:?}", set_robust_list(page, length));
    }
    println!("set: {:?}", set_robust_list(page, HEAD));
    let found = robust_list(id()).expect("get_robust_list");
    println!("found: {}, {}", found[0] == page as u64, found[1]);
    let status = run_in_child(|| robust_list(0).map_or(1, |[head, _]| u8::from(head != 0)));
    println!("a child has none: {status}");
    println!("nobody's: {:?}", robust_list(32_767 << 7));
    set_robust_list(0, HEAD).expect("set_robust_list");
}

/// The number that the caller's locks hold.
fn me() -> u32 {
    id() as u32
}

/// A list of locks in memory that all share.
struct List {
    head: usize,
}

impl List {
    /// The list whose locks are the first `count`, and whose pending one is `pending`.
    fn new(head: usize, count: usize, pending: Option<usize>) -> Self {
        let list = Self { head };
        let links = (0..count).map(|number| list.link(number));
        let mut last = head;
        for link in links {
            store_word(last, link as u64);
            last = link;
        }
        store_word(last, head as u64);
        store_word(head + 8, OFFSET as u64);
        let pending = pending.map_or(0, |number| list.link(number));
        store_word(head + 16, pending as u64);
        list
    }

    fn link(&self, number: usize) -> usize {
        self.head + 32 * (number + 1)
    }

    fn lock(&self, number: usize) -> Word {
        Word(self.link(number) + OFFSET)
    }

    /// What became of lock `number`: whose it is is left out.
    fn fate(&self, number: usize, owner: Pid) -> &'static str {
        let value = self.lock(number).get();
        match value {
            0 => "free",
            _ if value == FUTEX_OWNER_DIED => "its owner died",
            _ if value == FUTEX_OWNER_DIED | FUTEX_WAITERS => "its owner died, somebody waits",
            _ if value & !FUTEX_WAITERS == owner as u32 => "still held",
            _ => "another's",
        }
    }
}

/// A child that waits at `word`.
fn waiter(word: Word) -> Pid {
    let pid = spawn(|| u8::from(word.wait(word.get()).is_err()));
    while word.waiters() == 0 {
        yield_now();
    }
    pid.expect("fork")
}

fn ended(pid: Pid) -> Status {
    wait(pid).expect("wait4").status
}

fn locks(page: usize) {
    for (name, signal) in [("exits", None), ("is killed", Some(Signal::KILL))] {
        let list = List::new(page, 4, Some(4));
        let go = Word(page + PAGE);
        go.set(0);
        let owner = spawn(|| {
            list.lock(0).set(me() | FUTEX_WAITERS);
            list.lock(1).set(me());
            list.lock(2).set(me() + 1);
            list.lock(3).set(0);
            list.lock(4).set(FUTEX_WAITERS);
            set_robust_list(page, HEAD).expect("set_robust_list");
            go.wait(0).map_or(1, |()| 0)
        });
        let owner = owner.expect("fork");
        while go.waiters() == 0 {
            yield_now();
        }
        let waiters = [waiter(list.lock(0)), waiter(list.lock(4))];
        match signal {
            Some(signal) => kill(owner, signal).expect("kill"),
            None => drop(go.wake(1)),
        }
        println!("the owner {name}: {}", ended(owner));
        for pid in waiters {
            println!("a waiter: {}", ended(pid));
        }
        for number in 0..4 {
            println!("lock {number}: {}", list.fate(number, owner));
        }
    }
}

/// A child ends with a list that makes no sense.
fn rubbish(page: usize) {
    let list = List::new(page, 3, None);
    let attempts: [(&str, &dyn Fn()); 5] = [
        ("an odd lock", &|| store_word(page + 8, OFFSET as u64 + 1)),
        ("a link to nowhere", &|| store_word(list.link(1), 0x1000)),
        ("a circle", &|| {
            store_word(list.link(2), list.link(0) as u64)
        }),
        ("no end", &|| store_word(list.link(1), 0)),
        ("a head to nowhere", &|| {
            set_robust_list(1 << 47, HEAD).expect("set_robust_list");
        }),
    ];
    for (name, spoil) in attempts {
        List::new(page, 3, None);
        let owner = spawn(|| {
            (0..3).for_each(|number| list.lock(number).set(me()));
            set_robust_list(page, HEAD).expect("set_robust_list");
            spoil();
            0
        });
        let owner = owner.expect("fork");
        println!("{name}: {}", ended(owner));
        for number in 0..3 {
            println!("lock {number}: {}", list.fate(number, owner));
        }
    }
    store(page + 8, 0);
}

fn lives(page: usize) {
    let word = Word(page);
    word.set(5);
    let own = run_in_child(|| u8::from(set_tid_word(word) != id()));
    println!("a process of its own: {own}, {}", word.get());
    let waiting = waiter(word);
    let guest = vfork(|| {
        set_tid_word(word);
        0
    });
    println!("a guest: {}, {}", ended(guest.expect("vfork")), word.get());
    println!("who waited for it: {}", ended(waiting));
}
