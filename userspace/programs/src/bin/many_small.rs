//! Shows who dies when memory is out: the largest process, though a small one may be the one that asks for a page.
//!
//! For the kernel without swap only, as `touch_everything`.
#![no_std]
#![forbid(unsafe_code)]

use core::time::Duration;

use programs::gate::Gate;
use programs::hunger::{eat, free_pages, huge};
use rt::memory::Mapping;
use rt::process::{Pid, Status, spawn, wait};
use rt::signal::Signal;
use rt::{println, time};

/// What each small process holds, in pages.
const SMALL: usize = 128;
const COUNT: usize = 8;

fn main() {
    the_large_one_asks();
    a_small_one_asks();
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
