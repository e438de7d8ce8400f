//! Shows who dies when memory is out: the largest process, though a small one may be the one that asks for a page.
//!
//! For the kernel without swap only, as `touch_everything`.
#![no_std]
#![forbid(unsafe_code)]

use core::time::Duration;

use programs::gate::Gate;
use programs::hunger::{eat, free_pages, huge};
use rt::file::map_shared_memory;
use rt::memory::{Mapping, PAGE, PROT_READ, PROT_WRITE};
use rt::probe::{load_word, store_word};
use rt::process::{self, Pid, Status, spawn, vfork, wait};
use rt::signal::{Signal, kill};
use rt::{println, time};

/// What each small process holds, in pages.
const SMALL: usize = 128;
const COUNT: usize = 8;

fn main() {
    the_large_one_asks();
    a_small_one_asks();
    a_guest_outlives_its_host();
}

/// Small processes hold their few pages while another one eats all that is left.
fn the_large_one_asks() {
    let gate = Gate::close();
    let small = [0; COUNT].map(|_| spawn(|| hold(&gate)).expect("fork"));
    let large = spawn(|| eat(huge(), usize::MAX)).expect("fork");
    dies(large);
    gate.open();
    small.into_iter().for_each(lives);
    println!(
        "a large process asked for too much: it died, {COUNT} small ones lived and lost nothing"
    );
}

/// A process holds nearly all there is and asks for nothing more; the small ones come later.
fn a_small_one_asks() {
    let gate = Gate::close();
    let full = Gate::close();
    let large = spawn(|| {
        let room = COUNT * SMALL / 2;
        eat(huge(), free_pages() - room);
        full.pass();
        time::sleep(Duration::from_secs(600));
        0
    });
    let large = large.expect("fork");
    while free_pages() > COUNT * SMALL {
        time::sleep(Duration::from_millis(1));
    }
    full.open();
    let small = [0; COUNT].map(|_| spawn(|| hold(&gate)).expect("fork"));
    dies(large);
    gate.open();
    small.into_iter().for_each(lives);
    println!(
        "small processes asked for what a large one sat on: it died, they lived and lost nothing"
    );
}

/// What a child of vfork(2) runs in is its own as soon as its parent is gone: no reason to spare it.
fn a_guest_outlives_its_host() {
    let gate = Gate::close();
    let told = map_shared_memory(PAGE, PROT_READ | PROT_WRITE).expect("mmap");
    let host = spawn(|| {
        let room = COUNT * SMALL / 2;
        eat(huge(), free_pages() - room);
        let guest = vfork(|| {
            store_word(told, process::id() as u64);
            time::sleep(Duration::from_secs(600));
            0
        });
        u8::from(guest.is_err())
    });
    let host = host.expect("fork");
    while load_word(told) == 0 {
        time::sleep(Duration::from_millis(1));
    }
    kill(host, Signal::KILL).expect("it waits for its child");
    dies(host);
    let guest = load_word(told) as Pid;
    let small = [0; COUNT].map(|_| spawn(|| hold(&gate)).expect("fork"));
    while kill(guest, Signal(0)).is_ok() {
        time::sleep(Duration::from_millis(1));
    }
    gate.open();
    small.into_iter().for_each(lives);
    println!("a guest sat on the memory of a host that was gone: it died, the small ones lived");
}

/// Fills some pages, waits, and looks whether they are still what they were.
fn hold(gate: &Gate) -> u8 {
    let mine = Mapping::new(SMALL);
    mine.fill(b's');
    gate.pass();
    u8::from(!mine.holds(b's'))
}

fn dies(pid: Pid) {
    assert_eq!(
        wait(pid).expect("wait").status,
        Status::Killed(Signal::KILL)
    );
}

fn lives(pid: Pid) {
    assert_eq!(wait(pid).expect("wait").status, Status::Exited(0));
}
