//! Machines that lack what a kernel is tempted to take for granted: serial ports, the PS/2 controller, a screen, or a
//! framebuffer of the usual format. Success is the program's exit code, which needs none of them, and a look at the screen.
//! And those that lack what it can't do without, where a sentence must say so.

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

/// Machines on which the kernel can't run: the exit code, who must say it, and what.
const REFUSED: &[(&str, &str, i32, Speaker, &[&str])] = &[
    (
        "without_no_execute_pages",
        "--cpu qemu64,-nx",
        253,
        Speaker::Tool,
        &["this processor lacks no-execute pages (NX), which Faultline needs"],
    ),
    (
        "of_32_bits",
        "--uefi --cpu qemu32",
        253,
        Speaker::Tool,
        &["lacks 64-bit mode"],
    ),
    (
        "whose_firmware_faults",
        "--uefi --cpu qemu64,-sse,-sse2",
        251,
        Speaker::Tool,
        &["reset itself before the kernel spoke", "another --cpu"],
    ),
    (
        "without_what_programs_need",
        "--cpu qemu64,-syscall,-fxsr,-sse,-sse2,-apic",
        250,
        Speaker::Kernel,
        &[
            "this processor lacks SYSCALL, which Faultline needs",
            "lacks FXSAVE,",
            "lacks SSE,",
            "lacks SSE2,",
            "lacks a local APIC,",
        ],
    ),
    (
        "too_small_for_the_loaders_tables",
        "--memory 24M",
        253,
        Speaker::Tool,
        &["the boot loader gave up", "AllocationFailed", "--memory"],
    ),
];

#[derive(Clone, Copy)]
enum Speaker {
    Tool,
    Kernel,
}

pub(crate) fn trials() -> impl Iterator<Item = Trial> {
    let machines = MACHINES.iter().map(|&(name, options, screen)| {
        trial(format!("machine::{name}"), move || {
            comes_up(options, screen)
        })
    });
    let refused = REFUSED.iter().map(|&(name, options, code, who, words)| {
        trial(format!("machine::{name}_is_told_so"), move || {
            is_told_so(options, code, who, words)
        })
    });
    machines.chain(refused)
}

fn trial(name: String, body: impl FnOnce() -> Result<()> + Send + 'static) -> Trial {
    Trial::test(name, move || {
        body().map_err(|error| format!("{error:#}").into())
    })
}

fn is_told_so(options: &str, code: i32, who: Speaker, words: &[&str]) -> Result<()> {
    let options = options.split(' ').chain(["hello"]);
    let refused = Run::boot(options)?.end(Input::Nothing)?;
    refused.expect_code(code)?;
    match who {
        Speaker::Tool => refused.expect_words(words),
        Speaker::Kernel => {
            for word in words {
                ensure!(
                    refused.log.contains(word),
                    "`{word}` is not in the log\n{}",
                    refused.report()
                );
            }
            refused.expect_words(&["the kernel can't run on this machine"])
        }
    }
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
    let booted = Run::boot(words)?.end(Input::Nothing)?;
    booted.expect_code(7)?;
    if options.contains("serial") {
        booted.expect_words(&["input and output don't reach the program"])?;
    }
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
