//! A dynamic program that nobody here built: the workstation's own `ls`, with the loader and the libraries that it names,
//! must run in QEMU as it does on Linux.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;

use crate::run::{self, Input};
use crate::tool::{LATEST, Run};

/// What x86-64 programs of glibc name as their loader; it can also list what they need.
const LOADER: &str = "/lib64/ld-linux-x86-64.so.2";

/// Several libraries, files looked at, and an order by locale.
const PROGRAM: &str = "/bin/ls";
const ARGUMENTS: [&str; 5] = ["-1d", "/proc/self", "/dev/null", "/", "/nothing"];

pub(crate) fn trials() -> Vec<Trial> {
    let trial = |name: &str, firmware: &'static [&'static str]| {
        Trial::test(name, move || {
            runs_as_on_linux(firmware).map_err(|error| format!("{error:#}").into())
        })
    };
    vec![
        trial("bios::a_dynamic_program_of_the_workstation", &["--checked"]),
        trial("uefi::a_dynamic_program_of_the_workstation", &["--uefi"]),
    ]
}

fn runs_as_on_linux(firmware: &[&str]) -> Result<()> {
    let mut native = Command::new(PROGRAM);
    native.args(ARGUMENTS).env_clear();
    let linux = run::together(native, Input::Nothing, LATEST)?;
    let libraries = libraries()?;
    ensure!(libraries.len() > 1, "{PROGRAM} needs only {libraries:?}");
    let mut words: Vec<String> = firmware.iter().map(ToString::to_string).collect();
    for path in libraries.iter().map(String::as_str).chain([PROGRAM]) {
        let file = fs::canonicalize(path).with_context(|| format!("{path} is not there"))?;
        words.extend(["--add".to_owned(), format!("{}:{path}", file.display())]);
    }
    words.extend(["--", PROGRAM].map(str::to_owned));
    words.extend(ARGUMENTS.map(str::to_owned));
    Run::boot(&words)?.end(Input::Nothing)?.expect_same(&linux)
}

/// The paths of the loader and of all libraries that the program needs.
fn libraries() -> Result<Vec<String>> {
    let listed = Command::new(LOADER)
        .args(["--list", PROGRAM])
        .output()
        .with_context(|| format!("cannot run {LOADER}: is this a glibc system?"))?;
    ensure!(
        listed.status.success(),
        "{LOADER} cannot list what {PROGRAM} needs: {}",
        String::from_utf8_lossy(&listed.stderr)
    );
    let text = String::from_utf8_lossy(&listed.stdout);
    let paths = text.lines().filter_map(|line| {
        let path = line.split_whitespace().find(|word| word.starts_with('/'))?;
        Some(path.to_owned())
    });
    Ok(paths.collect())
}
