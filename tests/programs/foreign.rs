//! A program that nobody in the project wrote: C, compiled on the workstation, linked statically, run by `--add`.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;

use crate::needs;
use crate::run::{self, Input};
use crate::tool::{LATEST, Run};

/// A program that only counts its arguments, forks and waits.
const ORDINARY: &str = r#"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
int main(int argc, char **argv) {
    char *heap = malloc(1 << 20);
    memset(heap, 'x', 1 << 20);
    printf("%d arguments, the last is %s; heap %c\n", argc, argv[argc - 1], heap[12345]);
    fflush(stdout);
    if (fork() == 0) { heap[0] = 'y'; _exit(heap[0]); }
    int status;
    wait(&status);
    printf("child %c, parent %c\n", WEXITSTATUS(status), heap[0]);
    return 6;
}
"#;

/// A program about signals.
const SIGNALS: &str = include_str!("foreign_signals.c");

const NO_COMPILER: &str = "there is no C compiler that links statically (Debian: musl-tools)";

/// The trials, ignored where no C compiler can link statically.
pub(crate) fn trials() -> Vec<Trial> {
    let compiler = ["musl-gcc", "gcc"]
        .into_iter()
        .find(|compiler| compile(compiler, "int main(void) { return 0; }").is_ok());
    let missing = compiler.is_none().then_some(NO_COMPILER);
    let trial = |name: &str, source: &'static str| {
        needs::trial(name, missing, move || {
            runs_as_on_linux(compiler.context(NO_COMPILER)?, source)
        })
    };
    vec![
        trial("tool::a_foreign_static_program_runs_as_on_linux", ORDINARY),
        trial("tool::foreign_signals_run_as_on_linux", SIGNALS),
    ]
}

fn runs_as_on_linux(compiler: &str, source: &str) -> Result<()> {
    let folder = compile(compiler, source)?;
    let program = folder.path().join("a.out");
    let mut native = Command::new(&program);
    native.args(["one", "two"]);
    let linux = run::together(native, Input::Nothing, LATEST)?;
    let add = program.display().to_string();
    for firmware in [&[][..], &["--uefi"]] {
        let words = ["--add", &add, "--", "/a.out", "one", "two"];
        let faultline = Run::boot(firmware.iter().chain(&words))?.end(Input::Nothing)?;
        faultline.expect_same(&linux)?;
    }
    Ok(())
}

fn compile(compiler: &str, source: &str) -> Result<tempfile::TempDir> {
    let folder = tempfile::tempdir()?;
    fs::write(folder.path().join("a.c"), source)?;
    let output = Command::new(compiler)
        .args(["-static", "-O1", "-o", "a.out", "a.c"])
        .current_dir(folder.path())
        .output()?;
    ensure!(
        output.status.success(),
        "{compiler} does not link statically: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(folder)
}
