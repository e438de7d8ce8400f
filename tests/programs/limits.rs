//! What the kernel may cost: instructions until init runs, memory of its own, the image's size. All are counted, not timed,
//! so that a busy workstation can't break them; but for the clock, which has a wide margin.

use std::fs;

use anyhow::{Context, Result, bail, ensure};
use libtest_mimic::Trial;

use crate::run::Input;
use crate::tool::Run;

type Body = fn() -> Result<()>;

const TESTS: &[(&str, Body)] = &[
    ("boot_takes_few_instructions", boot_takes_few_instructions),
    (
        "the_kernel_keeps_little_memory",
        the_kernel_keeps_little_memory,
    ),
    ("the_image_is_small", the_image_is_small),
    (
        "many_areas_cost_little_more_than_few",
        many_areas_cost_little_more_than_few,
    ),
    ("the_clock_keeps_time", || {
        the_clock_keeps_time("the PIT", Against::Workstation, &[])
    }),
    ("the_clock_counts_true", || {
        the_clock_keeps_time("the PIT", Against::Instructions, &[])
    }),
    ("the_clock_counts_true_without_a_pit", || {
        const MACHINE: &[&str] = &["--without", "pit", "--machine", "q35"];
        the_clock_keeps_time("ACPI's timer", Against::Instructions, MACHINE)
    }),
    ("the_clock_keeps_time_without_a_pit_on_uefi", || {
        const MACHINE: &[&str] = &["--without", "pit", "--uefi"];
        the_clock_keeps_time("ACPI's timer", Against::Workstation, MACHINE)
    }),
];

pub(crate) fn trials() -> impl Iterator<Item = Trial> {
    TESTS.iter().map(|(name, body)| {
        Trial::test(format!("limit::{name}"), move || {
            body().map_err(|error| format!("{error:#}").into())
        })
    })
}

/// From the kernel's entry to init's first instruction, with 1 GiB. Linux takes 1.5 billion.
fn boot_takes_few_instructions() -> Result<()> {
    const LIMIT: u64 = 150_000_000;
    let [instructions, _] = measure("1G")?;
    ensure!(
        instructions < LIMIT,
        "{instructions} instructions, and not below {LIMIT}"
    );
    Ok(())
}

/// All usable memory that ring 3 can't get at that moment, with 128 MiB. Linux keeps 60 MiB.
fn the_kernel_keeps_little_memory() -> Result<()> {
    const LIMIT: u64 = 8 * 1024;
    let [_, kibibytes] = measure("128M")?;
    ensure!(
        kibibytes <= LIMIT,
        "{kibibytes} KiB, and at most {LIMIT} are allowed"
    );
    Ok(())
}

/// The two numbers of the kernel's line `booted in N cycles, N KiB of kernel memory`. A cycle is an instruction.
fn measure(memory: &str) -> Result<[u64; 2]> {
    let words = [
        "--icount",
        "--cpu",
        "qemu64,+rdrand",
        "--memory",
        memory,
        "exit_code",
        "0",
    ];
    let booted = Run::boot(words)?.end(Input::Nothing)?;
    booted.expect_code(0)?;
    let line = booted
        .log
        .lines()
        .find_map(|line| line.split_once("booted in "));
    let (_, numbers) =
        line.with_context(|| format!("the kernel does not say it\n{}", booted.report()))?;
    let mut numbers = numbers.split(' ').filter_map(|word| word.parse().ok());
    let both = numbers.next().zip(numbers.next());
    both.map(|(cycles, memory)| [cycles, memory])
        .context("the numbers are missing")
}

/// Finding areas and gaps, cutting and joining, with 10 areas and with 65,500.
fn many_areas_cost_little_more_than_few() -> Result<()> {
    const FACTOR: u64 = 3;
    let words = ["--icount", "--cpu", "qemu64,+rdrand", "area_cost"];
    let booted = Run::boot(words)?.end(Input::Nothing)?;
    booted.expect_code(0)?;
    let output = String::from_utf8_lossy(&booted.ended.output);
    for line in output.lines() {
        let costs = line.rsplit_once(": ").map(|(_, costs)| costs);
        let words = costs.unwrap_or_default().split(' ');
        let numbers: Vec<u64> = words.filter_map(|word| word.parse().ok()).collect();
        let [few, _, many, _] = numbers[..] else {
            bail!("these are no costs: {line}");
        };
        ensure!(many <= FACTOR * few, "{line}");
    }
    ensure!(
        output.lines().count() == 14,
        "fourteen costs, not\n{output}"
    );
    Ok(())
}

fn the_image_is_small() -> Result<()> {
    const LIMIT: u64 = 16 << 20;
    let folder = tempfile::tempdir()?;
    let options = ["image", "--no-build", "--output"].map(AsRef::as_ref);
    Run::new(options.into_iter().chain([folder.path().as_os_str()]))?
        .end(Input::Nothing)?
        .expect_code(0)?;
    for entry in fs::read_dir(folder.path())? {
        let length = entry?.metadata()?.len();
        ensure!(
            length < LIMIT,
            "the image has {length} bytes, and not below {LIMIT}"
        );
    }
    Ok(())
}

/// What goes on beside the battery clock.
enum Against {
    /// The workstation's time. When it is busy that disturbs the clock's calibration, and when the change of a second is
    /// seen, so a twentieth is forgiven.
    Workstation,
    /// Counted instructions, by which all clocks of the machine go: a rounding error is all that is forgiven.
    Instructions,
}

/// By the battery clock, over some seconds, and measured against the clock that the machine has.
fn the_clock_keeps_time(judge: &str, against: Against, machine: &[&str]) -> Result<()> {
    let (words, limit) = match against {
        Against::Workstation => (["--checked", "--option", "drift=6", "hello"], 50_000),
        Against::Instructions => (["--icount", "--option", "drift=1", "hello"], 20),
    };
    let booted = Run::boot(machine.iter().chain(&words))?.end(Input::Nothing)?;
    booted.expect_code(0)?;
    ensure!(
        booted.log.contains(&format!("ticks a second, by {judge}")),
        "it was not measured against {judge}\n{}",
        booted.report()
    );
    let words = booted
        .log
        .lines()
        .find(|line| line.contains("millionths fast"));
    let drift: Option<i64> = words
        .and_then(|line| line.split_once("clock: "))
        .and_then(|(_, rest)| rest.split(' ').next()?.parse().ok());
    let drift =
        drift.with_context(|| format!("the kernel does not say it\n{}", booted.report()))?;
    ensure!(drift.abs() < limit, "the clock is {drift} millionths fast");
    Ok(())
}
