//! The USB stick, as a file: written by `flash`, booted by QEMU through a USB controller, on both firmwares. What may be
//! written to on a machine with disks is decided in `boot/src/flash`, and tested there.

use std::fs;
use std::path::Path;

use anyhow::{Result, ensure};
use libtest_mimic::Trial;

use crate::programs;
use crate::run::Input;
use crate::tool::{Booted, Run};

/// The program whose transcript is compared; it needs every part of the boot to have gone well.
const PROGRAM: &str = "cow_fork";

type Body = fn() -> Result<()>;

const TESTS: &[(&str, Body)] = &[
    ("stick::boots_on_bios", || boots(&[])),
    ("stick::boots_on_uefi", || {
        boots(&["--uefi", "--machine", "q35"])
    }),
    (
        "stick::nothing_is_erased_without_consent",
        nothing_is_erased_without_consent,
    ),
    (
        "stick::no_device_is_taken_for_a_stick",
        no_device_is_taken_for_a_stick,
    ),
];

pub(crate) fn trials() -> impl Iterator<Item = Trial> {
    TESTS.iter().map(|(name, body)| {
        Trial::test(*name, || {
            body().map_err(|error| format!("{error:#}").into())
        })
    })
}

fn flash(target: &Path, words: &[&str]) -> Result<Booted> {
    let target = target.to_string_lossy();
    let arguments = ["flash", "--no-build", &target];
    Run::new(arguments.iter().chain(words))?.end(Input::Nothing)
}

/// A stick for a real machine speaks on COM1 alone and then halts; this one speaks QEMU's language.
fn boots(machine: &[&str]) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let stick = folder.path().join("stick");
    let options = ["console=ttyS2", "stdin=framed", "stdio=pipe", "exit=qemu"];
    let options = options.iter().flat_map(|option| ["--option", option]);
    let words: Vec<_> = options.chain(["--", PROGRAM]).collect();
    flash(&stick, &words)?.expect_code(0)?;
    let file = stick.to_string_lossy();
    let arguments = [&["--stick", &file], machine].concat();
    programs::expect_transcript(PROGRAM, &Run::stick(&arguments)?.end(Input::Nothing)?)
}

fn nothing_is_erased_without_consent() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("letters");
    fs::write(&file, "dear")?;
    for (words, complaint) in [
        (&[][..], "no terminal to ask: add --yes-erase letters"),
        (&["--yes-erase", "stick"], "--yes-erase says stick"),
    ] {
        let refused = flash(&file, words)?;
        refused.expect_code(253)?;
        refused.expect_words(&[complaint])?;
        ensure!(fs::read(&file)? == b"dear", "it was written to");
    }
    flash(&file, &["--yes-erase", "letters"])?.expect_code(0)?;
    let length = fs::metadata(&file)?.len();
    ensure!(length > 1 << 20, "the image is {length} bytes long");
    let left = fs::read_dir(folder.path())?.count();
    ensure!(left == 1, "there are {left} files");
    Ok(())
}

fn no_device_is_taken_for_a_stick() -> Result<()> {
    for (device, complaint) in [
        ("/dev/null", "neither a disk nor a file"),
        ("/dev/no-such-disk", "is it plugged in?"),
        ("/tmp", "neither a disk nor a file"),
        ("/dev/stdin", "is a symbolic link"),
    ] {
        let refused = flash(Path::new(device), &["--yes-erase", device])?;
        refused.expect_code(253)?;
        refused.expect_words(&[device, complaint])?;
    }
    Ok(())
}
