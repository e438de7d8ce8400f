//! A heap that fails when told to: what ring 3 can cause to be allocated must survive each failure.
//!
//! Only allocations inside `mm` count ([`in_mm`]): the simulator's own always succeed. What is to fail belongs to the
//! thread, so that seeds run side by side. An allocation that can't fail (`Vec::push`, `format!`) inside a verb of `mm`
//! ends the whole process here, which is the point.
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use crate::op::Failing;

/// The heap of every program that links the simulator.
pub struct FailingHeap;

#[global_allocator]
static HEAP: FailingHeap = FailingHeap;

/// What becomes of an operation's allocations.
#[derive(Clone, Copy)]
struct State {
    /// Which fail, if any.
    failing: Option<Failing>,
    /// How many were made.
    made: u64,
    /// How many of them failed.
    failures: u64,
    /// Who makes them just now.
    runs: Runs,
}

/// Whose code it is that runs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Runs {
    Mm,
    Simulator,
}

const SOUND: State = State {
    failing: None,
    made: 0,
    failures: 0,
    runs: Runs::Simulator,
};

thread_local! {
    static STATE: Cell<State> = const { Cell::new(SOUND) };
}

/// Lets such allocations fail of the operation that begins.
pub fn arm(failing: Option<Failing>) {
    STATE.set(State { failing, ..SOUND });
}

/// From now on none fails.
pub fn disarm() {
    let failing = None;
    STATE.set(State {
        failing,
        ..STATE.get()
    });
}

/// How many failed since [`arm`].
pub fn failures() -> u64 {
    STATE.get().failures
}

/// Runs a piece of `mm`, whose allocations count.
pub fn in_mm<R>(body: impl FnOnce() -> R) -> R {
    run(Runs::Mm, body)
}

/// Runs a piece of the simulator in the middle of `mm`.
pub fn in_simulator<R>(body: impl FnOnce() -> R) -> R {
    run(Runs::Simulator, body)
}

fn run<R>(runs: Runs, body: impl FnOnce() -> R) -> R {
    let set = |runs| {
        STATE.set(State {
            runs,
            ..STATE.get()
        });
    };
    let before = STATE.get().runs;
    set(runs);
    let result = body();
    set(before);
    result
}

/// Counts one allocation; true where it must fail.
fn must_fail() -> bool {
    let state = STATE.get();
    let Some(failing) = state.failing.filter(|_| state.runs == Runs::Mm) else {
        return false;
    };
    let fails = match failing {
        Failing::Only(number) => state.made == number,
        Failing::From(number) => state.made >= number,
    };
    STATE.set(State {
        made: state.made + 1,
        failures: state.failures + u64::from(fails),
        ..state
    });
    fails
}

// SAFETY: every block comes from and goes back to `System` with the layout that the caller gave; failing is allowed.
unsafe impl GlobalAlloc for FailingHeap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if must_fail() {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller keeps `alloc`'s contract, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if must_fail() {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller keeps `realloc`'s contract, which is the same.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps `dealloc`'s contract, and the block is `System`'s.
        unsafe { System.dealloc(block, layout) }
    }
}
