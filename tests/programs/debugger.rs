//! `debug` with a real gdb, where there is one: symbols of kernel and program, breakpoints in both, and a backtrace that
//! leads from the page-fault handler through the trap into the program.

use std::fs;
use std::process::Command;

use anyhow::{Result, ensure};
use libtest_mimic::Trial;

use crate::needs;
use crate::run::Input;
use crate::tool::Run;

/// The trial, ignored where there is no gdb.
pub(crate) fn trial() -> Trial {
    let gdb = Command::new("gdb").arg("--version").output();
    let missing = gdb.is_err().then_some("gdb is not installed");
    let name = "tool::gdb_sees_from_a_page_fault_into_the_program";
    needs::trial(name, missing, symbols_and_frames)
}

fn symbols_and_frames() -> Result<()> {
    // Not `kill`: QEMU may be gone before it has read that gdb heard its answer, which gdb takes for an error.
    const SCRIPT: &str = "program\ntbreak page_fault\ncontinue\nbacktrace\ndisconnect\n";
    let folder = tempfile::tempdir()?;
    let script = folder.path().join("script.gdb");
    fs::write(&script, SCRIPT)?;
    let words = ["debug", "--no-build", "--timeout", "120", "--script"].map(str::to_owned);
    let program = ["--", "lazy_zero"].map(str::to_owned);
    let words = words.into_iter().chain([script.display().to_string()]);
    let ended = Run::new(words.chain(program))?.end(Input::Nothing)?;
    ended.expect_code(0)?;
    let text = String::from_utf8_lossy(&ended.ended.output);
    let mut rest = &*text;
    // In this order: the kernel's start, the program's main, the fault, the trap, and main again. What lies between trap
    // and fault only calls on, so it is a frame of its own or none, as the compiler likes.
    for part in [
        "file kernel/src/main.rs, line ",
        "main () at userspace/programs/src/bin/lazy_zero.rs:",
        "#0  page_fault () at kernel/src/fault.rs:",
        "<signal handler called>",
        "main () at userspace/programs/src/bin/lazy_zero.rs:",
    ] {
        let found = rest.find(part);
        ensure!(found.is_some(), "no `{part}` where it belongs in\n{text}");
        rest = &rest[found.unwrap_or_default() + part.len()..];
    }
    Ok(())
}
