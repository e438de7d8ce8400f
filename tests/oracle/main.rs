//! The kernel beside this machine's Linux on random programs of memory and file operations: every result, errno,
//! signal, byte and minor fault must be the same.

mod batch;
mod generate;
mod named;
mod privilege;
mod program;
mod regressions;
mod seeds;
mod shrink;
mod simulate;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Completion, Trial};
use test_programs::tool;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(1);
    let missing = privilege::missing();
    let trials = vec![
        trial("oracle::simulator", None, simulate::agrees),
        trial("oracle::regressions", missing, regressions::all_agree),
        trial("oracle::seeds", missing, seeds::agree),
        // A kernel that looks at everything after each process takes half a minute: `make oracle`.
        trial("oracle::checked_kernel", missing, seeds::agree_checked).with_ignored_flag(true),
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

/// Where something is missing the trial is ignored, and says so.
fn trial(name: &str, missing: Option<&'static str>, body: fn() -> anyhow::Result<()>) -> Trial {
    Trial::ignorable_test(name, move || match missing {
        Some(missing) => Ok(Completion::ignored_with(missing)),
        None => body()
            .map(|()| Completion::Completed)
            .map_err(|error| format!("{error:#}").into()),
    })
}
