//! The subcommands: from what was asked to an image, and from there to a machine that runs it.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, IsTerminal, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::artifacts::{self, Artifacts, Freshness};
use crate::cargo::{self, Flavour, Package};
use crate::cli::{BuildArgs, DebugArgs, Device, ImageArgs, Payload, RunArgs};
use crate::debug::{self, Debugger};
use crate::files::Files;
use crate::guest::{self, Plan, Starter};
use crate::image;
use crate::initramfs::Tree;
use crate::interrupts::Interrupts;
use crate::kernel_log::{KernelLog, TraceFile};
use crate::monitor::Socket;
use crate::outcome::Outcome;
use crate::progress::Voice;
use crate::qemu::{self, Ending};
use crate::say;
use crate::screenshot;
use crate::symbols::Symbols;
use crate::watch::{Moment, Picture};

/// Boots in QEMU.
pub(crate) fn run(args: &RunArgs) -> Result<Outcome> {
    boot(args, None)
}

/// Boots in QEMU, under gdb's eyes.
pub(crate) fn debug(args: &DebugArgs) -> Result<Outcome> {
    debug::check()?;
    boot(&args.run, Some(args))
}

fn boot(args: &RunArgs, debug: Option<&DebugArgs>) -> Result<Outcome> {
    qemu::check(&args.machine)?;
    args.screenshot
        .as_deref()
        .map_or(Ok(()), screenshot::check)?;
    let _socket = args
        .machine
        .monitor
        .as_deref()
        .map(Socket::reserve)
        .transpose()?;
    let voice = if args.quiet {
        Voice::Quiet
    } else {
        Voice::Normal
    };
    let stdio = if io::stdin().is_terminal() && io::stdout().is_terminal() {
        "stdio=tty"
    } else {
        "stdio=pipe"
    };
    let mut options = vec!["console=ttyS2", "stdin=framed", stdio, "exit=qemu"];
    if args.trace_file.is_some() {
        options.extend(["traceformat=json", "trace=faults"]);
    }
    say_what_has_no_streams(args);
    let (log, trace) = (log_sink(args)?, trace_file(args)?);
    let (files, interrupts) = lay_out(args, &options, voice)?;
    if args.machine.gdb {
        say::line(format_args!(
            "boot: the machine waits for: {}",
            gdb_line(&files.symbols)
        ));
    }
    let plan = Plan {
        timeout: args.timeout,
        nmi: args.nmi.map(Duration::from_millis),
        picture: picture(args, &files.folder),
        log: KernelLog::new(log, Symbols::new(&files.symbols), trace),
        starter: match debug {
            None if !args.machine.gdb => Starter::Us,
            _ => Starter::Debugger,
        },
        debugger: debug
            .map(|args| Debugger::new(args, &files.folder, &files.symbols))
            .transpose()?,
        // A spinner would turn in gdb's prompt.
        booting: debug.map_or(voice, |_| Voice::Quiet).step("booting"),
        interrupts,
    };
    let ending = ending(plan.picture.as_ref());
    let firmware = files.firmware.as_ref();
    guest::run(
        |wires| {
            let machine = qemu::arguments(&args.machine, firmware, &files.disk, wires, ending);
            match debug {
                None => machine,
                Some(_) => [machine, debug::words_for_qemu(&files.folder)].concat(),
            }
        },
        plan,
    )
}

/// A disk made for this run, or the stick that is there.
fn lay_out(args: &RunArgs, options: &[&str], voice: Voice) -> Result<(Files, Interrupts)> {
    if let Some(stick) = &args.stick {
        let interrupts = Interrupts::watch()?;
        return Ok((Files::with_stick(&args.machine, stick)?, interrupts));
    }
    let (artifacts, tree) = gather(&args.payload, voice)?;
    let interrupts = Interrupts::watch()?;
    let command_line = command_line(options, &args.payload);
    let files = Files::with_disk(&args.machine, &artifacts, &tree, &command_line)?;
    Ok((files, interrupts))
}

fn picture(args: &RunArgs, folder: &TempDir) -> Option<Picture> {
    Some(Picture {
        to: args.screenshot.clone()?,
        scratch: folder.path().join("screen.ppm"),
        moment: args.screenshot_after.map_or(Moment::AtEnd, Moment::After),
    })
}

/// A picture at the end needs a machine that is still there.
fn ending(picture: Option<&Picture>) -> Ending {
    match picture.map(|picture| picture.moment) {
        Some(Moment::AtEnd) => Ending::ByUs,
        Some(Moment::After(_)) | None => Ending::ByKernel,
    }
}

/// Writes the disk image and says where it is.
pub(crate) fn image(args: &ImageArgs) -> Result<Outcome> {
    let folder = args
        .output
        .clone()
        .unwrap_or_else(|| cargo::target_folder().join("images"));
    let (artifacts, tree) = gather(&args.payload, Voice::Normal)?;
    let mut interrupts = Interrupts::watch()?;
    fs::create_dir_all(&folder)
        .with_context(|| format!("cannot create the folder {}", folder.display()))?;
    let scratch = TempDir::with_prefix_in(".faultline-", &folder)
        .context("cannot create a temporary folder")?;
    let initramfs = scratch.path().join("initramfs");
    tree.write(&initramfs, &command_line(&[], &args.payload))?;
    let (fresh, to) = (scratch.path().join("disk"), folder.join("faultline.img"));
    image::write(&artifacts.kernel, &initramfs, &fresh)?;
    if let Some(signal) = interrupts.pending() {
        return Ok(Outcome::Interrupted(signal));
    }
    fs::rename(&fresh, &to).with_context(|| format!("cannot write {}", to.display()))?;
    say::paths([to.as_path()])
}

/// Builds and says where the programs are, one a line.
pub(crate) fn build(args: &BuildArgs) -> Result<Outcome> {
    let artifacts = artifacts::prepare(args.flavour(), Freshness::Build, Voice::Normal)?;
    say::paths(artifacts.programs.iter().map(|(_, path)| path.as_path()))
}

/// Runs clippy where plain `cargo clippy` cannot.
pub(crate) fn lint() -> Result<Outcome> {
    cargo::lint(Package::Kernel(Flavour::Release), Voice::Normal)?;
    cargo::lint(Package::Programs, Voice::Normal)?;
    Ok(Outcome::Program(0))
}

/// The user's files come first: a missing one should not cost a build.
pub(crate) fn gather(payload: &Payload, voice: Voice) -> Result<(Artifacts, Tree)> {
    let mut tree = Tree::default();
    for request in &payload.add {
        tree.add(request)?;
    }
    let freshness = if payload.no_build {
        Freshness::AsLeft
    } else {
        Freshness::Build
    };
    let artifacts = artifacts::prepare(payload.flavour(), freshness, voice)?;
    for (name, host) in &artifacts.programs {
        tree.add_program(name, host)?;
    }
    if let Some(program) = payload.program.first() {
        check_program(program, &tree)?;
    }
    Ok((artifacts, tree))
}

/// A bare name must be one of ours; a path is the guest's to judge, as it may lead through links.
fn check_program(program: &OsStr, tree: &Tree) -> Result<()> {
    let name = program.to_string_lossy();
    if name.contains('/') || tree.contains(&format!("bin/{name}")) {
        return Ok(());
    }
    let known: Vec<_> = tree.programs().collect();
    bail!(
        "there is no program `{name}`; there are: {}",
        known.join(", ")
    )
}

/// Words that each end with a NUL byte: options, `--`, the program and its arguments.
pub(crate) fn command_line(options: &[&str], payload: &Payload) -> Vec<u8> {
    let kinds: Vec<_> = payload.trace.iter().map(|kind| kind.name()).collect();
    let trace = format!("trace={}", kinds.join(","));
    let trace = (!kinds.is_empty()).then_some(trace.as_str());
    let chosen = payload.options.iter().map(String::as_str);
    let options = options
        .iter()
        .copied()
        .chain(trace)
        .chain(chosen)
        .map(OsStr::new);
    let separator = (!payload.program.is_empty()).then_some(OsStr::new("--"));
    let program = payload.program.iter().map(|word| word.as_os_str());
    let words = options.chain(separator).chain(program);
    words
        .flat_map(|word| word.as_bytes().iter().copied().chain([0]))
        .collect()
}

/// A program whose streams lead elsewhere waits for input that nobody can send; so it is said at once.
fn say_what_has_no_streams(args: &RunArgs) {
    let options = args.payload.options.iter();
    let mut console = options.filter_map(|option| option.strip_prefix("console="));
    let elsewhere = console.next_back().is_some_and(|port| port != "ttyS2");
    if elsewhere || args.machine.without.contains(&Device::Serial) {
        say::line(
            "boot: this command's input and output don't reach the program: keys do, and its output is on the screen (--display, --monitor, --screenshot)",
        );
    }
}

fn log_sink(args: &RunArgs) -> Result<Box<dyn Write + Send>> {
    Ok(match &args.log {
        Some(path) => Box::new(
            File::create(path)
                .with_context(|| format!("cannot write the log to {}", path.display()))?,
        ),
        None if args.quiet => Box::new(io::sink()),
        None => Box::new(io::stderr()),
    })
}

fn trace_file(args: &RunArgs) -> Result<Option<TraceFile>> {
    let Some(path) = &args.trace_file else {
        return Ok(None);
    };
    let file = File::create(path)
        .with_context(|| format!("cannot write the trace to {}", path.display()))?;
    Ok(Some(TraceFile::new(file)))
}

fn gdb_line(symbols: &Path) -> String {
    format!(
        "gdb -ex 'target remote localhost:1234' -ex 'symbol-file {} -o 0xffffffff80000000'",
        symbols.display()
    )
}
