//! A kernel that is refused memory at random (`failheap=N`, `failframes=N`) under a program that makes every call: the
//! kernel goes on, the calls say so, and at the end every frame is back.

use anyhow::{Result, ensure};
use libtest_mimic::Trial;

use crate::programs::expect_transcript;
use crate::run::Input;
use crate::tool::Run;

/// What is refused, and one in how many.
const SCARCE: [(&str, [u32; 4]); 2] = [
    ("failheap", [7, 13, 50, 1000]),
    ("failframes", [7, 13, 50, 1000]),
];

pub(crate) fn trials() -> impl Iterator<Item = Trial> {
    SCARCE.into_iter().flat_map(|(option, rates)| {
        rates.into_iter().map(move |rate| {
            Trial::test(format!("scarce::{option}_{rate}"), move || {
                survives(option, rate).map_err(|error| format!("{error:#}").into())
            })
        })
    })
}

fn survives(option: &str, rate: u32) -> Result<()> {
    let option = format!("{option}={rate}");
    let words = ["--uefi", "--checked", "--option", &option, "--", "scarcity"];
    let booted = Run::boot(words)?.end(Input::Nothing)?;
    expect_transcript("scarcity", &booted)?;
    let all_back = booted
        .log
        .contains("every frame that processes held is back");
    ensure!(all_back, "frames are not back\n{}", booted.report());
    Ok(())
}
