//! The outermost ring, as named tests with the usual filters: every program on Linux and in QEMU, and the command that
//! boots them. Two at a time, because a machine in QEMU keeps a processor busy.

mod bochs;
mod bugs;
mod commands;
mod cuts;
mod debugger;
mod disks;
mod dynamic;
mod e2fs;
mod ends;
mod foreign;
mod io_errors;
mod limits;
mod machine;
mod machine_check;
mod matrix;
mod needs;
mod programs;
mod refusals;
mod scarcity;
mod scrollback;
mod session;
mod stick;
mod trace;
mod volumes;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use test_programs::{run, tool, transcript};

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(2);
    let trials = match programs::trials().and_then(|programs| Ok((programs, matrix::trials()?))) {
        Ok((programs, matrix)) => programs
            .into_iter()
            .chain(bugs::trials())
            .chain(matrix)
            .chain(commands::trials())
            .chain(ends::trials())
            .chain(limits::trials())
            .chain(bochs::trials())
            .chain(trace::trials())
            .chain(foreign::trials())
            .chain(dynamic::trials())
            .chain(disks::trials())
            .chain(volumes::trials())
            .chain(cuts::trials())
            .chain(io_errors::trials())
            .chain([debugger::trial()])
            .chain(machine::trials())
            .chain(refusals::trials())
            .chain(machine_check::trials())
            .chain(scrollback::trials())
            .chain(scarcity::trials())
            .chain(stick::trials())
            .collect::<Vec<_>>(),
        Err(error) => return refuse(&error),
    };
    let will_run = !arguments.list && trials.iter().any(|trial| is_wanted(trial, &arguments));
    match if will_run { tool::prepare() } else { Ok(()) } {
        Ok(()) => libtest_mimic::run(&arguments, trials).exit_code(),
        Err(error) => refuse(&error),
    }
}

fn refuse(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {error:#}");
    ExitCode::FAILURE
}

/// Whether the filters of the command line leave a test in: a run for other packages' tests should build nothing here.
fn is_wanted(trial: &Trial, arguments: &Arguments) -> bool {
    let matches = |filter: &String| match arguments.exact {
        true => trial.name() == filter,
        false => trial.name().contains(filter.as_str()),
    };
    arguments.filter.as_ref().is_none_or(matches) && !arguments.skip.iter().any(matches)
}
