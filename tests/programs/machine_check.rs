//! Machine checks: errors of the hardware's own, injected by QEMU into a machine at rest and into one at work. The report
//! says what the banks hold, and whether the address in it means anything.

use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};
use libtest_mimic::Trial;

use crate::session::Session;

/// A case: the options, what the machine does meanwhile, what QEMU injects, and what the report must say.
struct Case {
    name: &'static str,
    options: &'static [&'static str],
    work: Option<&'static str>,
    error: &'static str,
    words: &'static [&'static str],
}

const CASES: &[Case] = &[
    Case {
        name: "at_rest",
        options: &["--option", "exit=halt"],
        work: None,
        error: "mce 0 2 0xbe00000000000136 5 0x1234000 0x8c",
        words: &[
            "status 0x5: the RIP below is valid, but the error is not its instruction's",
            "bank 2, status 0xbe00000000000136: a cache error, not corrected, the CPU's state is corrupt",
            "at address 0x1234000; detail 0x8c",
        ],
    },
    Case {
        name: "at_work",
        options: &["--option", "exit=halt", "--machine", "q35"],
        work: Some("fork_tree 100000"),
        error: "mce 0 4 0xb000000000000800 4 0 0",
        words: &[
            "status 0x4: the RIP below is not valid: the error has nothing to do with it",
            "bank 4, status 0xb000000000000800: a bus or interconnect error, not corrected",
            "at no address that it knows",
        ],
    },
];

pub(crate) fn trials() -> impl Iterator<Item = Trial> {
    CASES.iter().map(|case| {
        Trial::test(
            format!("bug::a_machine_check_{}_is_reported", case.name),
            || is_reported(case).map_err(|error| format!("{error:#}").into()),
        )
    })
}

fn is_reported(case: &Case) -> Result<()> {
    let mut session = Session::start(case.options)?;
    if let Some(work) = case.work {
        session.command(work, "")?;
        thread::sleep(Duration::from_secs(2));
    }
    session.monitor(case.error)?;
    session.await_log("backtrace: ")?;
    let common = ["kernel panic: machine check", "instruction: 0x", "cr3 "];
    let log = session.log();
    for word in common.iter().chain(case.words) {
        ensure!(log.contains(word), "`{word}` is not in the report\n{log}");
    }
    Ok(())
}
