//! Machines that lack what a kernel is tempted to take for granted: serial ports, the PS/2 controller, a screen, or a
//! framebuffer of the usual format. Success is the program's exit code, which needs none of them, and a look at the screen.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;

use crate::run::Input;
use crate::tool::Run;

/// Each machine, and whether its screen must show something. A BIOS without a VGA card is none: the loader stops there.
const MACHINES: &[(&str, &str, Screen)] = &[
    ("without_serial_ports", "--without serial", Screen::Text),
    ("without_a_keyboard", "--without keyboard", Screen::Text),
    (
        "without_any_of_them",
        "--without serial --without keyboard --video none --uefi",
        Screen::None,
    ),
    ("with_a_cirrus_card", "--video cirrus", Screen::Text),
    (
        "with_a_virtio_card_and_no_serial_ports",
        "--video virtio --without serial --uefi",
        Screen::Text,
    ),
    (
        "with_a_bochs_card_and_no_keyboard",
        "--video bochs --without keyboard --machine q35 --uefi",
        Screen::Text,
    ),
    (
        "with_a_framebuffer_in_memory",
        "--video ramfb --uefi",
        Screen::Text,
    ),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Screen {
    None,
    Text,
}

pub(crate) fn trials() -> impl Iterator<Item = Trial> {
    MACHINES.iter().map(|&(name, options, screen)| {
        Trial::test(format!("machine::{name}"), move || {
            comes_up(options, screen).map_err(|error| format!("{error:#}").into())
        })
    })
}

/// The program's code comes back, and what the kernel said is on the screen.
fn comes_up(options: &str, screen: Screen) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let picture = folder.path().join("screen.ppm");
    let mut words: Vec<_> = options.split(' ').map(str::to_owned).collect();
    if screen == Screen::Text {
        words.extend(["--screenshot".to_owned(), picture.display().to_string()]);
    }
    words.extend(["--", "exit_code", "7"].map(str::to_owned));
    Run::boot(words)?.end(Input::Nothing)?.expect_code(7)?;
    match screen {
        Screen::None => Ok(()),
        Screen::Text => expect_text(&fs::read(picture)?),
    }
}

/// A log on an empty screen: most pixels are the background, and some lines' worth of others are not.
fn expect_text(ppm: &[u8]) -> Result<()> {
    const FEW: usize = 2000;
    let mut lines = ppm.splitn(4, |byte| *byte == b'\n');
    let pixels = lines.nth(3).context("the picture has no pixels")?;
    let mut counts = BTreeMap::new();
    for pixel in pixels.chunks_exact(3) {
        *counts.entry(pixel).or_insert(0_usize) += 1;
    }
    let background = counts.values().max().copied().unwrap_or_default();
    let text = pixels.len() / 3 - background;
    ensure!(
        (FEW..background).contains(&text),
        "{text} of {} pixels show text",
        pixels.len() / 3
    );
    Ok(())
}
