//! Machines of all kinds, in as few boots as possible: each runs nearly all programs in a row, whose transcript must be
//! Linux's; and small machines on which memory, or the number of processes, runs out.

use anyhow::{Result, bail, ensure};
use libtest_mimic::Trial;

use crate::programs::{self, native_words};
use crate::run::Input;
use crate::session::Session;
use crate::tool::Run;
use crate::transcript;

/// Programs that would only repeat the others and take long, and those whose transcript depends on how much memory there
/// is, or on what the processor knows and saves of its state. They run alone on both firmwares.
pub(crate) const LEFT_OUT: &[&str] = &[
    "fork_tree",
    "overcommit",
    "signal_frames",
    "signal_queue",
    "tour",
    "traps",
];

/// Each firmware, board, processor and size of memory at least once, in pairs as different as they can be. The kernel of
/// the BIOS machines is the checked one; 56 MiB is the least that OVMF and the loader start this image with.
const MACHINES: &[(&str, &str)] = &[
    ("bios_pc_64m_qemu64", "--checked --memory 64M --cpu qemu64"),
    (
        "bios_q35_2g_haswell",
        "--checked --machine q35 --memory 2G --cpu Haswell",
    ),
    (
        "bios_pc_6g_four_levels",
        "--checked --memory 6G --cpu max,la57=off",
    ),
    (
        "uefi_q35_56m_skylake",
        "--uefi --machine q35 --memory 56M --cpu Skylake-Client",
    ),
    (
        "uefi_q35_1g_qemu64",
        "--uefi --machine q35 --memory 1G --cpu qemu64",
    ),
    ("uefi_pc_6g_max", "--uefi --memory 6G --cpu max"),
];

/// On so small a machine, memory is soon out.
const SMALL: &str = "--checked --memory 64M";

pub(crate) fn trials() -> Result<Vec<Trial>> {
    let mut series = vec!["series".to_owned()];
    let names = programs::names()?;
    series.extend(
        names
            .into_iter()
            .filter(|name| !LEFT_OUT.contains(&name.as_str())),
    );
    let machine = |&(name, options)| {
        let words = series.clone();
        trial(format!("machine::{name}"), move || {
            runs_as_on_linux(options, &words)
        })
    };
    let mut trials: Vec<_> = MACHINES.iter().map(machine).collect();
    trials.push(trial(
        "memory::who_wants_too_much_dies_alone".to_owned(),
        who_wants_too_much_dies_alone,
    ));
    trials.push(trial(
        "memory::what_was_given_up_goes_before_anybody_dies".to_owned(),
        what_was_given_up_goes_before_anybody_dies,
    ));
    trials.push(trial(
        "memory::a_fork_bomb_ends".to_owned(),
        a_fork_bomb_ends,
    ));
    trials.push(trial(
        "memory::signals_that_wait_never_take_it_all".to_owned(),
        || survives(&["signal_flood"]).map(drop),
    ));
    trials.push(trial(
        "memory::the_shell_outlives_who_wants_too_much".to_owned(),
        the_shell_outlives_who_wants_too_much,
    ));
    Ok(trials)
}

fn trial(name: String, body: impl FnOnce() -> Result<()> + Send + 'static) -> Trial {
    Trial::test(name, move || {
        body().map_err(|error| format!("{error:#}").into())
    })
}

fn boot(options: &str, words: &[String]) -> Result<crate::tool::Booted> {
    let options = options.split(' ').map(str::to_owned);
    let separator = ["--".to_owned()];
    Run::boot(options.chain(separator).chain(words.iter().cloned()))?.end(Input::Nothing)
}

fn runs_as_on_linux(options: &str, words: &[String]) -> Result<()> {
    let linux = native_words(words)?;
    let faultline = boot(options, words)?;
    if let Some(difference) = transcript::difference(&linux.output, &faultline.ended.output) {
        bail!("{difference}{}", faultline.report());
    }
    faultline.expect_code(0)
}

fn who_wants_too_much_dies_alone() -> Result<()> {
    let booted = survives(&["series", "touch_everything", "many_small"])?;
    // Of a program's name, 15 bytes are kept.
    for sentence in [
        "] needs the page at 0x",
        "killed touch_everythin[",
        "killed many_small[",
    ] {
        ensure!(
            booted.log.contains(sentence),
            "the log does not say `{sentence}`\n{}",
            booted.report()
        );
    }
    Ok(())
}

fn what_was_given_up_goes_before_anybody_dies() -> Result<()> {
    let booted = survives(&["lazy_pressure"])?;
    ensure!(
        !booted.log.contains("killed "),
        "somebody was killed\n{}",
        booted.report()
    );
    Ok(())
}

fn a_fork_bomb_ends() -> Result<()> {
    survives(&["fork_bomb"]).map(drop)
}

/// Too much memory, and too many processes.
fn the_shell_outlives_who_wants_too_much() -> Result<()> {
    let options: Vec<_> = SMALL.split(' ').collect();
    let mut session = Session::start(&options)?;
    session.command("touch_everything", "its memory is what it was\n$ ")?;
    session.command("fork_bomb group", "there was room again\n$ ")?;
    session.command("echo the shell lives", "the shell lives\n$ ")
}

/// Boots a small machine, whose programs must be content, and which must get every frame back.
fn survives(words: &[&str]) -> Result<crate::tool::Booted> {
    let words: Vec<_> = words.iter().map(|&word| word.to_owned()).collect();
    let booted = boot(SMALL, &words)?;
    let transcript = String::from_utf8_lossy(&booted.ended.output);
    ensure!(
        booted.ended.code == 0,
        "{transcript}the exit code is {}\n{}",
        booted.ended.code,
        booted.report()
    );
    ensure!(
        booted
            .log
            .contains("every frame that processes held is back"),
        "frames are not back\n{}",
        booted.report()
    );
    Ok(booted)
}
