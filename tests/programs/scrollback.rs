//! The screen's history by key: what scrolled away comes back as it was, and the newest with it, on both firmwares and
//! after the kernel's own end. Pictures of the screen are compared, pixel by pixel.

use anyhow::{Result, ensure};
use libtest_mimic::Trial;

use crate::session::{Picture, Session};

/// A machine check of the second bank: not corrected, with address and detail, state corrupt; an error of a cache.
const ERROR: &str = "mce 0 2 0xbe00000000000136 5 0x1234000 0x8c";

type Body = fn() -> Result<()>;

const TESTS: &[(&str, Body)] = &[
    ("comes_back_by_key_on_bios", || comes_back(&[])),
    ("comes_back_by_key_on_uefi", || comes_back(&["--uefi"])),
    ("comes_back_after_a_panic", comes_back_after_a_panic),
];

pub(crate) fn trials() -> impl Iterator<Item = Trial> {
    TESTS.iter().map(|(name, body)| {
        Trial::test(format!("screen::what_scrolled_away_{name}"), || {
            body().map_err(|error| format!("{error:#}").into())
        })
    })
}

/// Prints numbered rows, and returns what the screen then shows.
fn fill(session: &mut Session, numbers: std::ops::Range<usize>) -> Result<Picture> {
    for number in numbers {
        session.command(
            &format!("echo row {number} of many"),
            &format!("row {number} of many\n$ "),
        )?;
    }
    session.look_at_rest()
}

fn comes_back(machine: &[&str]) -> Result<()> {
    let mut session = Session::start(machine)?;
    let rows = session.look()?.rows();
    let half = rows.div_ceil(2);
    // The last row has the prompt and the cursor, which stay behind.
    let all_but_last = rows - 1;
    let earlier = fill(&mut session, 0..2 * rows)?;
    let newest = fill(&mut session, 2 * rows..2 * rows + half)?;
    let kept = all_but_last - half;
    ensure!(
        newest.part(0, kept) == earlier.part(half, kept),
        "the screen did not scroll by {half} rows"
    );

    session.monitor("sendkey pgup")?;
    let back = session.look_for("what it showed half a screen ago", |now| {
        now.part(0, all_but_last) == earlier.part(0, all_but_last)
    })?;
    ensure!(back.part(half, kept) == newest.part(0, kept), "rows differ");
    session.monitor("sendkey pgdn")?;
    session.look_for("the newest again", |now| *now == newest)?;

    session.monitor("sendkey shift-pgup")?;
    session.look_for("the same by Shift and Page Up", |now| *now == back)?;
    session.command("echo meanwhile", "meanwhile\n$ ")?;
    let after = session.look_at_rest()?;
    ensure!(after == back, "who looks back was disturbed by a new row");
    session.monitor("sendkey x")?;
    session.look_for("the newest after any other key", |now| {
        now.part(0, all_but_last - 1) == newest.part(1, all_but_last - 1) && *now != newest
    })?;
    Ok(())
}

/// The report is on the screen, what came before it can be reached, and the report again.
fn comes_back_after_a_panic() -> Result<()> {
    let mut session = Session::start(&["--option", "exit=halt"])?;
    let rows = session.look()?.rows();
    let before = fill(&mut session, 0..2 * rows)?;
    session.monitor(ERROR)?;
    session.await_log("backtrace: ")?;
    let report = session.look_at_rest()?;
    ensure!(report != before, "the report is not on the screen");
    for _ in 0..2 {
        session.monitor("sendkey pgup")?;
        session.look_at_rest()?;
    }
    let third = before.part(0, rows / 3);
    session.look_for("what stood there before the panic", |now| {
        (0..rows - rows / 3).any(|first| now.part(first, rows / 3) == third)
    })?;
    for _ in 0..2 {
        session.monitor("sendkey pgdn")?;
    }
    session.look_for("the report again", |now| *now == report)?;
    Ok(())
}
