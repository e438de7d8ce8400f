//! The command behind `cargo run`: builds the kernel and its programs, makes disk images, and boots them in QEMU with the
//! program's streams and exit code as its own. One program for all of it, so that a newcomer has one thing to learn.

mod artifacts;
mod cargo;
mod children;
mod cli;
mod control;
mod cpio;
mod debug;
mod files;
mod flash;
mod guest;
mod image;
mod initramfs;
mod interrupts;
mod kernel_log;
mod monitor;
mod outcome;
mod ovmf;
mod processor;
mod progress;
mod qemu;
mod run;
mod say;
mod screenshot;
mod stdin;
mod streams;
mod symbols;
mod watch;
mod wires;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};

fn main() -> ExitCode {
    let cli = Cli::parse();
    interrupts::take_limits_for_errors();
    let outcome = match &cli.command {
        None => run::run(&cli.run),
        Some(Command::Run(args)) => run::run(args),
        Some(Command::Debug(args)) => run::debug(args),
        Some(Command::Image(args)) => run::image(args),
        Some(Command::Flash(args)) => flash::flash(args),
        Some(Command::Build(args)) => run::build(args),
        Some(Command::Lint) => run::lint(),
    };
    match outcome {
        Ok(outcome) => {
            if !outcome.is_quiet() {
                say::line(format_args!("boot: {outcome}"));
            }
            ExitCode::from(outcome.code())
        }
        Err(error) => {
            say::line(format_args!("boot: {error:#}"));
            ExitCode::from(outcome::TOOL_FAILED)
        }
    }
}
