//! Each ring-3 program on the workstation's Linux, which is the oracle, and in QEMU. The programs assert what they show;
//! here their transcripts must match byte for byte as well.
//!
//! In QEMU each has a boot of its own, on UEFI, which is there sooner than BIOS, and with every debug assertion. In rows,
//! on both firmwares and both kernels, they run in `matrix`; those that can't stand in a row have a boot on BIOS too.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, bail, ensure};
use libtest_mimic::Trial;

use crate::matrix;
use crate::run::{self, Ended, Input};
use crate::tool::{self, Booted, LATEST, Run};
use crate::transcript;

/// Programs that show nothing by themselves: they serve others, and the tests of the tool run them.
const HELPERS: &[&str] = &[
    "area_cost",
    "cat",
    "cuts",
    "disk",
    "echo",
    "exec",
    "exit_code",
    "fuzz_calls",
    "init",
    "io_three_ways",
    "io_errors",
    "kill_self",
    "mount",
    "oracle",
    "readahead",
    "reboot",
    "series",
    "shell",
    "sync",
    "umount",
];

/// Programs that exhaust the machine: see `matrix`.
const QEMU_ONLY: &[&str] = &[
    "fork_bomb",
    "lazy_pressure",
    "many_small",
    "signal_flood",
    "touch_everything",
];

/// One program at a time on the workstation: some look at what the whole of it counts, such as locked pages.
static NATIVE: Mutex<()> = Mutex::new(());

/// The trials of all programs, native ones first: they are the fastest.
pub(crate) fn trials() -> Result<Vec<Trial>> {
    let names = names()?;
    let native = names
        .iter()
        .map(|name| trial("native", name, |name| native(name).map(drop)));
    let mut trials: Vec<_> = native.collect();
    let alone = names
        .iter()
        .map(|name| trial("uefi", name, |name| in_qemu(name, &["--uefi", "--checked"])));
    trials.extend(alone);
    let on_bios = |name: &&str| trial("bios", name, |name| in_qemu(name, &[]));
    trials.extend(matrix::LEFT_OUT.iter().map(on_bios));
    let unsteady = ["--uefi", "--checked", "--cpu", "qemu64,-hypervisor"];
    trials.push(Trial::test(
        "uefi::the_vdso_without_a_steady_counter",
        move || in_qemu("vdso_clock", &unsteady).map_err(|error| format!("{error:#}").into()),
    ));
    trials.push(trial("bios", "strict_overcommit", |_| strict_overcommit()));
    trials.push(trial("bios", "overcommit_always", |_| overcommit_always()));
    trials.push(trial("uefi", "overcommit_switched", |_| {
        overcommit_switched()
    }));
    trials.push(trial("bios", "twenty_thousand_lives", |_| many_lives()));
    trials.push(trial("bios", "half_a_million_hostile_calls", |_| {
        hostile_calls()
    }));
    Ok(trials)
}

/// Linux's mode 2, which the workstation is not in: the program knows what to expect.
fn strict_overcommit() -> Result<()> {
    let mode = ["--checked", "--option", "overcommit=2"];
    let words = mode.into_iter().chain(["--", "overcommit", "strict"]);
    let booted = Run::boot(words)?.end(Input::Nothing)?;
    booted.expect_code(0)
}

/// Linux's mode 1: nothing is refused for being too much.
fn overcommit_always() -> Result<()> {
    let mode = ["--checked", "--option", "overcommit=1"];
    let words = mode.into_iter().chain(["--", "overcommit", "always"]);
    let booted = Run::boot(words)?.end(Input::Nothing)?;
    booted.expect_code(0)
}

/// Each mode in turn, as a program writes it to the setting.
fn overcommit_switched() -> Result<()> {
    let words = ["--checked", "--uefi", "--", "overcommit", "switch"];
    let booted = Run::boot(words)?.end(Input::Nothing)?;
    booted.expect_code(0)
}

/// Random calls with hostile arguments: the checked kernel lives, and counts every frame at the end.
fn hostile_calls() -> Result<()> {
    let words = ["--checked", "--", "fuzz_calls", "1", "500000"];
    expect_all_back(words)
}

/// 20,000 processes forked, executed, ended: the checked kernel counts every frame at the end, and panics over a loss.
fn many_lives() -> Result<()> {
    expect_all_back(["--checked", "--", "fork_tree", "20000"])
}

fn expect_all_back<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<()> {
    let booted = Run::boot(words)?.end(Input::Nothing)?;
    booted.expect_code(0)?;
    let all_back = booted
        .log
        .contains("every frame that processes held is back");
    ensure!(all_back, "frames are not back\n{}", booted.report());
    Ok(())
}

/// The programs by their sources, so that listing the tests builds nothing.
pub(crate) fn names() -> Result<Vec<String>> {
    let folder = tool::root().join("userspace/programs/src/bin");
    let mut names = Vec::new();
    for entry in
        fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?
    {
        let path = entry?.path();
        let name = path
            .file_stem()
            .and_then(|name| name.to_str())
            .context("a program's name is not UTF-8")?;
        if !HELPERS.contains(&name) && !QEMU_ONLY.contains(&name) {
            names.push(name.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

fn trial(ring: &str, name: &str, body: impl FnOnce(&str) -> Result<()> + Send + 'static) -> Trial {
    let program = name.to_owned();
    Trial::test(format!("{ring}::{name}"), move || {
        body(&program).map_err(|error| format!("{error:#}").into())
    })
}

fn native(name: &str) -> Result<Ended> {
    native_words(&[name.to_owned()])
}

/// Runs a program with its arguments on the workstation's Linux.
pub(crate) fn native_words(words: &[String]) -> Result<Ended> {
    let folder = tempfile::tempdir()?;
    let (name, arguments) = words.split_first().context("there is a program to run")?;
    let mut command = Command::new(tool::program(name)?);
    // A process that dies of a signal may leave a core file where it stands.
    command
        .arg0(name)
        .args(arguments)
        .current_dir(folder.path());
    let _alone = NATIVE.lock().unwrap_or_else(PoisonError::into_inner);
    let ended = run::together(command, Input::Nothing, LATEST)?;
    let transcript = String::from_utf8_lossy(&ended.output);
    ensure!(
        ended.code == 0,
        "on Linux it ended with code {}:\n{transcript}",
        ended.code
    );
    Ok(ended)
}

fn in_qemu(name: &str, options: &[&str]) -> Result<()> {
    let program = ["--", name];
    let faultline = Run::boot(options.iter().chain(&program))?.end(Input::Nothing)?;
    expect_transcript(name, &faultline)
}

/// Fails unless a boot's transcript and exit code are those of the program on Linux.
pub(crate) fn expect_transcript(name: &str, faultline: &Booted) -> Result<()> {
    let linux = native(name)?;
    if let Some(difference) = transcript::difference(&linux.output, &faultline.ended.output) {
        bail!("{difference}{}", faultline.report());
    }
    faultline.expect_code(0)
}
