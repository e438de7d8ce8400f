//! The command line, as types: what clap can refuse never reaches the rest of the tool.

mod values;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::cargo::Flavour;
pub(crate) use values::{Board, Device, DiskBus, Memory, Sectors, TraceKind, Video};
use values::{kernel_option, seconds};

/// Faultline: builds the kernel and its programs, and boots them in QEMU.
#[derive(Debug, Parser)]
#[command(
    bin_name = "cargo run --",
    version,
    args_conflicts_with_subcommands = true,
    args_override_self = true,
    after_help = "Without a subcommand, `run` is meant: `cargo run -- --uefi lazy_zero` boots on UEFI and runs lazy_zero.\n\
                  Exit codes: the program's own (128 + n when killed by signal n); 250 kernel panic, 251 reset by a\n\
                  triple fault, 252 timeout, 253 this tool failed. boot/README.md has all the tables."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub run: RunArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Boot in QEMU and run a program, or the tour and the shell (the default).
    Run(Box<RunArgs>),
    /// Boot in QEMU with gdb beside it, stopped at the kernel's first line.
    Debug(Box<DebugArgs>),
    /// Write a disk image that boots on BIOS and on UEFI machines.
    Image(ImageArgs),
    /// Write a USB stick that boots on BIOS and on UEFI machines.
    Flash(FlashArgs),
    /// Build the kernel and the programs, and stop there.
    Build(BuildArgs),
    /// Run clippy on the kernel and the programs, warnings denied.
    Lint,
}

/// What goes into the image.
#[derive(Debug, Args)]
pub(crate) struct Payload {
    /// Put a file, or a whole folder, of yours into the guest (repeatable); GUEST defaults to /NAME.
    #[arg(long, value_name = "HOST[:GUEST]")]
    pub add: Vec<OsString>,
    /// Use the kernel with every debug assertion on.
    #[arg(long)]
    pub checked: bool,
    /// Log as it happens: page faults (unless told otherwise), system calls, who runs; several with commas between.
    #[arg(long, value_enum, value_name = "KINDS", value_delimiter = ',', num_args = 0..=1, require_equals = true, default_missing_value = "faults")]
    pub trace: Vec<TraceKind>,
    /// Give the kernel an option (repeatable), for example loglevel=debug; boot/README.md lists them.
    #[arg(long = "option", value_name = "KEY=VALUE", value_parser = kernel_option)]
    pub options: Vec<String>,
    /// Use what the last build left, without calling cargo.
    #[arg(long)]
    pub no_build: bool,
    /// The program to run, and its arguments; without one, the tour of demos and then a shell.
    #[arg(value_name = "PROGRAM", trailing_var_arg = true)]
    pub program: Vec<OsString>,
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub machine: MachineArgs,
    /// Boot this USB stick, or the image of one, as it is; nothing is built, and nothing is written to it.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["add", "checked", "trace", "options", "program"])]
    pub stick: Option<PathBuf>,
    /// Write the kernel's log to FILE instead of standard error.
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,
    /// Write the trace to FILE instead of the log, an object of JSON a line; boot/README.md says what is in it.
    #[arg(long, value_name = "FILE")]
    pub trace_file: Option<PathBuf>,
    /// Hide the kernel's log and the build steps.
    #[arg(long, short)]
    pub quiet: bool,
    /// End the machine after so long.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub timeout: Option<Duration>,
    /// Interrupt the machine by an NMI every so long, once the kernel runs: a test of its entries.
    #[arg(long, value_name = "MILLISECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub nmi: Option<u64>,
    /// Save a picture of the screen (PNG, or PPM by its name) just before the end.
    #[arg(long, value_name = "FILE")]
    pub screenshot: Option<PathBuf>,
    /// Take the picture after so long, and go on.
    #[arg(long, value_name = "SECONDS", value_parser = seconds, requires = "screenshot")]
    pub screenshot_after: Option<Duration>,
    #[command(flatten)]
    pub payload: Payload,
}

#[derive(Debug, Args)]
pub(crate) struct DebugArgs {
    /// Have gdb carry out this file instead of asking you.
    #[arg(long, value_name = "FILE")]
    pub script: Option<PathBuf>,
    #[command(flatten)]
    pub run: RunArgs,
}

/// The machine that QEMU plays.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("disks").multiple(true))]
pub(crate) struct MachineArgs {
    /// Boot by UEFI instead of BIOS.
    #[arg(long)]
    pub uefi: bool,
    /// Main memory, in MiB or with a unit: 64M, 1G.
    #[arg(long, value_name = "SIZE", default_value = "1G")]
    pub memory: Memory,
    /// Number of processors.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=255))]
    pub cpus: u16,
    /// Processor model, as `qemu-system-x86_64 -cpu help` lists them.
    #[arg(long, value_name = "MODEL", default_value = "max")]
    pub cpu: String,
    /// Main board.
    #[arg(long, value_enum, default_value_t = Board::Pc)]
    pub machine: Board,
    /// Graphics card.
    #[arg(long, value_enum, default_value_t = Video::Std)]
    pub video: Video,
    /// Leave a device away that a real machine may lack (repeatable).
    #[arg(long, value_enum, value_name = "DEVICE")]
    pub without: Vec<Device>,
    /// Give the machine this disk image as /dev/vda, the next as /dev/vdb and so on (repeatable); nothing is written to it.
    #[arg(long, value_name = "FILE", group = "disks")]
    pub disk: Vec<PathBuf>,
    /// Give the machine this disk image too, behind those of --disk (repeatable). What the machine writes changes the file.
    #[arg(long, value_name = "FILE", group = "disks")]
    pub disk_write: Vec<PathBuf>,
    /// How those disks are attached: virtio makes them /dev/vda and so on, nvme /dev/nvme0n1.
    #[arg(long, value_enum, default_value_t = DiskBus::Virtio)]
    pub disk_bus: DiskBus,
    /// Have this sector of each such disk fail when it is read.
    #[arg(long, value_name = "SECTOR", requires = "disks")]
    pub bad_sector: Option<u64>,
    /// Have this sector of each disk of --disk-write fail when it is written, or all of them (all).
    #[arg(long, value_name = "SECTOR", requires = "disk_write")]
    pub bad_write_sector: Option<Sectors>,
    /// Log each write and flush of the disk of --disk-write to this file, which is there, as dm-log-writes does.
    #[arg(long, value_name = "FILE", requires = "disk_write", conflicts_with_all = ["bad_sector", "bad_write_sector"])]
    pub write_log: Option<PathBuf>,
    /// Have each such disk carry out so many reads a second, and so many writes.
    #[arg(long, value_name = "COMMANDS", requires = "disks", value_parser = clap::value_parser!(u32).range(1..))]
    pub slow_disk: Option<u32>,
    /// Open a window (gtk unless told otherwise, as in --display=sdl).
    #[arg(long, value_name = "KIND", num_args = 0..=1, require_equals = true, default_value = "none", default_missing_value = "gtk")]
    pub display: String,
    /// Wait for a debugger on port 1234, and print the line that starts it.
    #[arg(long)]
    pub gdb: bool,
    /// Have QEMU listen on this socket for QMP, which has keys, pictures and faults of hardware.
    #[arg(long, value_name = "SOCKET")]
    pub monitor: Option<PathBuf>,
    /// Count instructions instead of time: the same run costs the same twice (one processor).
    #[arg(long)]
    pub icount: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ImageArgs {
    /// The folder to write faultline.img into.
    #[arg(long, short, value_name = "DIR")]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    pub payload: Payload,
}

#[derive(Debug, Args)]
pub(crate) struct FlashArgs {
    /// A whole, removable disk, such as /dev/sdb, or a file to create.
    pub device: PathBuf,
    /// Erase it without asking; NAME must be the device's.
    #[arg(long, value_name = "NAME")]
    pub yes_erase: Option<OsString>,
    #[command(flatten)]
    pub payload: Payload,
}

#[derive(Debug, Args)]
pub(crate) struct BuildArgs {
    /// Build the kernel with every debug assertion on.
    #[arg(long)]
    pub checked: bool,
}

impl Payload {
    pub(crate) fn flavour(&self) -> Flavour {
        if self.checked {
            Flavour::Checked
        } else {
            Flavour::Release
        }
    }
}

impl BuildArgs {
    pub(crate) fn flavour(&self) -> Flavour {
        if self.checked {
            Flavour::Checked
        } else {
            Flavour::Release
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Cli {
        let words = std::iter::once("boot").chain(line.split_whitespace());
        Cli::try_parse_from(words).unwrap_or_else(|error| panic!("`{line}` is refused: {error}"))
    }

    #[test]
    fn the_program_is_found_with_and_without_the_second_separator() {
        for line in [
            "--uefi lazy_zero -x --memory",
            "--uefi -- lazy_zero -x --memory",
        ] {
            let cli = parse(line);
            assert!(cli.run.machine.uefi, "{line}");
            assert_eq!(
                cli.run.payload.program,
                ["lazy_zero", "-x", "--memory"],
                "{line}"
            );
        }
        let Some(Command::Run(run)) = parse("run --quiet cow_fork arg").command else {
            panic!("`run` is a subcommand");
        };
        assert_eq!(run.payload.program, ["cow_fork", "arg"]);
    }

    #[test]
    fn the_last_of_two_wins_and_added_files_gather() {
        for line in ["", "run "] {
            let line = format!("{line}--timeout 5 --add a --timeout 7 --quiet --add b --quiet x");
            let cli = parse(&line);
            let run = match cli.command {
                Some(Command::Run(run)) => *run,
                _ => cli.run,
            };
            assert_eq!(run.timeout, Some(Duration::from_secs(7)), "{line}");
            assert_eq!(run.payload.add, ["a", "b"], "{line}");
        }
    }

    #[test]
    fn a_program_named_like_a_subcommand_can_be_run() {
        let cli = parse("-- image");
        assert!(cli.command.is_none());
        assert_eq!(cli.run.payload.program, ["image"]);
    }

    #[test]
    fn a_separator_in_the_programs_own_arguments_survives() {
        assert_eq!(parse("-- sh -- x").run.payload.program, ["sh", "--", "x"]);
    }

    #[test]
    fn a_display_does_not_swallow_the_program() {
        let cli = parse("--display hello");
        assert_eq!(
            (
                cli.run.machine.display.as_str(),
                cli.run.payload.program.len()
            ),
            ("gtk", 1)
        );
    }

    #[test]
    fn a_trace_shows_faults_unless_it_is_told_and_leaves_the_program_alone() {
        use TraceKind::{Faults, Sched, Syscalls};
        for (line, kinds) in [
            ("hello", &[][..]),
            ("--trace hello", &[Faults]),
            ("--trace=syscalls,sched hello", &[Syscalls, Sched]),
        ] {
            let payload = parse(line).run.payload;
            assert_eq!(payload.trace, kinds, "{line}");
            assert_eq!(payload.program, ["hello"], "{line}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for line in [
            "--memory 3",
            "--nonsense",
            "-x hello",
            "--memory 1T",
            "--memory=-1",
            "--cpus 0",
            "--timeout 0",
            "--timeout 1.5",
            "--option --",
            "--trace=all",
        ] {
            let words = std::iter::once("boot").chain(line.split_whitespace());
            assert!(Cli::try_parse_from(words).is_err(), "`{line}` is accepted");
        }
    }

    #[test]
    fn clap_finds_no_fault_in_the_definitions() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }
}
