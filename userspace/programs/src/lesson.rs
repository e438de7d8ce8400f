//! The sentences that most lessons consist of: do something, say what came of it, insist that it was right.

use core::fmt::Display;

use rt::process::{Status, run_in_child};
use rt::signal::Signal;
use rt::{faults, println};

/// Does `action`, says how many minor faults it took, and insists that they were `expected`.
///
/// # Panics
/// If they were not.
pub fn counted(what: impl Display, expected: usize, action: impl FnOnce()) {
    let counted = faults::minor(action);
    println!(
        "{what}: {counted} {}",
        if counted == 1 { "fault" } else { "faults" }
    );
    assert_eq!(counted, expected as u64, "{what}");
}

/// Runs `body` in a child, says how that ended, and insists that it was `expected`.
///
/// # Panics
/// If it was not.
pub fn ends(what: impl Display, expected: Status, body: impl FnOnce() -> u8) {
    let status = run_in_child(body);
    println!("{what}: {status}");
    assert_eq!(status, expected, "{what}");
}

/// Does `access` in a child, which must die of SIGSEGV.
///
/// # Panics
/// If it lives.
pub fn dies(what: impl Display, access: impl FnOnce()) {
    ends(what, Status::Killed(Signal::SEGV), || {
        access();
        0
    });
}
