//! `debug`: gdb beside a machine that is halted at its first instruction, with the symbols of the kernel and of the
//! program. gdb has the terminal; what the program writes and the kernel logs appears between its lines.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::Sender;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::cargo;
use crate::children;
use crate::cli::DebugArgs;
use crate::outcome::TOOL_FAILED;
use crate::qemu;
use crate::symbols::KERNEL_BASE;
use crate::watch::Event;

/// What gdb is told once it is connected.
const SCRIPT: &str = include_str!("../debug.gdb");

/// gdb, ready to be started once QEMU listens.
pub(crate) struct Debugger {
    command: Command,
    socket: PathBuf,
}

/// Refuses where there is no gdb, before anyone has waited for a build.
pub(crate) fn check() -> Result<()> {
    match Command::new("gdb").arg("--version").output() {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            bail!("there is no gdb: install it (Debian: apt-get install gdb), then try again")
        }
        Err(error) => Err(error).context("cannot start gdb"),
    }
}

/// What QEMU is told besides: where gdb will look for it.
pub(crate) fn words_for_qemu(folder: &TempDir) -> Vec<OsString> {
    let socket = socket(folder.path());
    let mut server = qemu::with_file("unix:", &socket);
    server.push(",server=on,wait=off");
    vec!["-gdb".into(), server]
}

fn socket(folder: &Path) -> PathBuf {
    folder.join("gdb")
}

impl Debugger {
    /// What is to be started, with everything that gdb needs written to `folder`.
    pub(crate) fn new(args: &DebugArgs, folder: &TempDir, symbols: &Path) -> Result<Self> {
        let socket = socket(folder.path());
        let start = folder.path().join("start.gdb");
        fs::write(&start, script(&socket, symbols, program(args).as_deref()))
            .context("cannot write what gdb is to do")?;
        let mut command = Command::new("gdb");
        children::end_with_us(&mut command, Signal::TERM);
        command.arg("-q");
        if args.script.is_some() {
            command.arg("-batch");
        }
        command.arg("-x").arg(start);
        if let Some(script) = &args.script {
            command.arg("-x").arg(script);
        }
        Ok(Self { command, socket })
    }

    /// Starts gdb, and says when it has ended, and with what exit code.
    pub(crate) fn start(mut self, events: Sender<Event>) -> JoinHandle<u8> {
        const PAUSE: Duration = Duration::from_millis(10);
        const PATIENCE: u32 = 1000;
        thread::spawn(move || {
            // If it never comes, gdb says so better than we could.
            for _ in 0..PATIENCE {
                if self.socket.exists() {
                    break;
                }
                thread::sleep(PAUSE);
            }
            let status = self.command.status().ok().and_then(|status| status.code());
            let code = status.and_then(|code| u8::try_from(code).ok());
            let code = code.unwrap_or(TOOL_FAILED);
            drop(events.send(Event::DebuggerGone(code)));
            code
        })
    }
}

/// The program with its symbols, as cargo left it, where it is one of ours.
fn program(args: &DebugArgs) -> Option<PathBuf> {
    let name = args.run.payload.program.first()?.to_str()?;
    let path = cargo::program_with_symbols(name.rsplit('/').next()?);
    path.is_file().then_some(path)
}

/// Connects before anything else that needs registers; programs are all linked to the same addresses, so that a
/// breakpoint in one only makes sense once it has replaced what ran there before.
fn script(socket: &Path, symbols: &Path, program: Option<&Path>) -> String {
    let mut text = format!(
        "set pagination off\nset confirm off\nset auto-load off\nset architecture i386:x86-64\n\
         symbol-file -o {KERNEL_BASE:#x} \"{}\"\ntarget remote {}\n",
        symbols.display(),
        socket.display()
    );
    text += SCRIPT;
    let name = program.and_then(Path::file_name);
    match (program, name) {
        (Some(program), Some(name)) => {
            text += &format!(
                "define program\ntbreak execve\ncontinue\nadd-symbol-file \"{}\"\ntbreak {}.rs:main\ncontinue\nend\n",
                program.display(),
                name.display()
            );
        }
        _ => {
            text += "define program\necho Name one of the project's programs behind make debug PROGRAM=...\\n\nend\n"
        }
    }
    text + "document program\nGoes on to the first line of the program's main, once it has replaced init's child.\nend\n"
}
