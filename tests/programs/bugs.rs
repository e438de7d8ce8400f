//! Bugs of the kernel's own, planted one kind at a time (`bug=KIND`): each must end in a report that is whole and names the
//! very line that went wrong. The lines are marked in the kernel's source and looked up here.

use std::fs;

use anyhow::{Context, Result, bail, ensure};
use libtest_mimic::Trial;

use crate::run::Input;
use crate::tool::{self, Booted, Run};

/// The sources that have marks.
const SOURCES: [&str; 2] = ["kernel/src/bugs.rs", "kernel/src/arch/bugs.rs"];

/// What each kind's report must say besides the line; with the name of its test.
const NAMED: &[(&str, &str, &[&str])] = &[
    (
        "panic",
        "a_panic",
        &["the command line asked for a panic", "no process runs yet"],
    ),
    (
        "read",
        "a_read_of_nothing",
        &[
            "page fault at address 0xffffd000deadb000",
            "a read of a page that is absent",
            WALK,
            INIT,
        ],
    ),
    (
        "write",
        "a_write_to_nothing",
        &[
            "a write to a page that is absent: a bad kernel pointer",
            WALK,
            INIT,
        ],
    ),
    (
        "null",
        "a_null_pointer",
        &[
            "a null pointer",
            "area: none; the next begins at 0x",
            WALK,
            INIT,
        ],
    ),
    (
        "noncanonical",
        "a_noncanonical_pointer",
        &["general protection fault", "a non-canonical address", INIT],
    ),
    (
        "jump",
        "a_jump_to_nothing",
        &[
            "an instruction fetch from a page that is absent",
            WALK,
            INIT,
        ],
    ),
    (
        "rodata",
        "a_write_to_constants",
        &["the page is read-only", WALK, INIT],
    ),
    (
        "text",
        "a_write_to_code",
        &["the page is read-only", WALK, INIT],
    ),
    (
        "nx",
        "a_jump_into_data",
        &["data were to be executed", "no-execute", INIT],
    ),
    (
        "smap",
        "a_read_of_ring_3s_memory",
        &[
            "SMAP",
            "user accessed",
            "area: 0x7f",
            "rw-p anonymous",
            INIT,
        ],
    ),
    (
        "smep",
        "a_jump_into_ring_3s_code",
        &["SMEP", "user accessed", "r-xp file", INIT],
    ),
    (
        "reserved",
        "a_reserved_bit",
        &["a reserved bit is set", "walk: level 1", "area: 0x7f", INIT],
    ),
    (
        "boot-stack",
        "an_overrun_of_the_boot_stack",
        &["double fault", OVERRUN, "times more", "no process runs yet"],
    ),
    (
        "stack",
        "an_overrun_of_a_threads_stack",
        &["double fault", OVERRUN, "times more", INIT],
    ),
    ("divide", "a_division_by_zero", &["divide error", INIT]),
    (
        "opcode",
        "an_undefined_instruction",
        &["invalid opcode", INIT],
    ),
    (
        "interrupt",
        "a_fault_in_an_interrupt",
        &["a bad kernel pointer", "interrupt 64 came here:", INIT],
    ),
    (
        "heap",
        "an_allocation_that_fails",
        &["memory allocation of 1048576 bytes failed", INIT],
    ),
    (
        "deadlock",
        "a_lock_that_is_never_given_back",
        &["deadlock: a lock of rank Heap", INIT],
    ),
    (
        "nested",
        "a_panic_in_a_panic",
        &[
            "the report of this bug met another one",
            "a panic in the message of a panic",
        ],
    ),
    (
        "nested-stack",
        "an_overrun_in_a_panic",
        &[
            "the report of this bug met another one",
            "double fault",
            OVERRUN,
        ],
    ),
];

const WALK: &str = "walk: level 4 entry";
const INIT: &str = "process init[1]";
const OVERRUN: &str = "has overrun its end";

/// Page tables in which something is wrong, and what the self-check says of it.
const TABLES: &[(&str, &str, &str)] = &[
    (
        "table-wx",
        "a_page_that_is_writable_and_executable",
        "is writable and executable",
    ),
    (
        "table-user",
        "a_page_that_is_open_to_ring_3",
        "ring 3 may use the kernel's entry",
    ),
    (
        "table-low",
        "a_page_in_ring_3s_half",
        "show something in ring 3's half",
    ),
    (
        "table-guard",
        "a_guard_page_that_is_mapped",
        "guard page 0x",
    ),
    (
        "table-alias",
        "code_that_the_direct_map_can_write",
        "and the direct map differ",
    ),
    (
        "table-direct",
        "code_that_the_direct_map_can_execute",
        "in the direct map is executable",
    ),
];

/// The trials of all kinds.
pub(crate) fn trials() -> impl Iterator<Item = Trial> {
    let named = NAMED.iter().map(|&(kind, name, words)| {
        trial(format!("bug::{name}_names_its_line"), move || {
            names_its_line(kind, words)
        })
    });
    let tables = TABLES.iter().map(|&(kind, name, word)| {
        trial(format!("bug::{name}_is_seen_at_boot"), move || {
            is_seen_at_boot(kind, word)
        })
    });
    let others = [
        trial(
            "bug::a_lock_out_of_order_names_its_line".to_owned(),
            locks_out_of_order,
        ),
        trial(
            "bug::a_report_is_on_the_screen_too".to_owned(),
            is_on_the_screen,
        ),
        trial(
            "bug::too_little_memory_is_no_riddle".to_owned(),
            too_little_memory,
        ),
        trial("bug::nmis_at_any_moment_harm_nobody".to_owned(), nmis),
        trial("bug::a_storm_of_ticks_harms_nobody".to_owned(), storm),
        trial(
            "bug::a_flood_of_mistakes_does_not_flood_the_log".to_owned(),
            flood,
        ),
    ];
    named.chain(tables).chain(others)
}

fn trial(name: String, body: impl FnOnce() -> Result<()> + Send + 'static) -> Trial {
    Trial::test(name, move || {
        body().map_err(|error| format!("{error:#}").into())
    })
}

/// Boots a small machine with a bug and demands the panic's exit code: a reset has another one.
fn boot(kind: &str, options: &[&str]) -> Result<Booted> {
    let bug = format!("bug={kind}");
    let common = ["--uefi", "--memory", "64M", "--option", &bug];
    let words = common.iter().chain(options).chain(&["--", "clock"]);
    let booted = Run::boot(words)?.end(Input::Nothing)?;
    booted.expect_code(250)?;
    booted.expect_words(&["the kernel panicked"])?;
    Ok(booted)
}

fn names_its_line(kind: &str, words: &[&str]) -> Result<()> {
    whole(&boot(kind, &[])?, kind, words)
}

/// Only the checked kernel knows the order.
fn locks_out_of_order() -> Result<()> {
    let words = ["lock order: Table is taken while Heap is held", INIT];
    whole(&boot("lock", &["--checked"])?, "lock", &words)
}

/// What every report has, and the marked line with a function's name before it.
fn whole(booted: &Booted, kind: &str, words: &[&str]) -> Result<()> {
    let (file, line) = mark(kind)?;
    let place = format!("({file}:{line})");
    let common = ["kernel panic: ", "backtrace: 0x", &place];
    let registers = (!kind.starts_with("nested")).then_some(&"cr3 ");
    for word in common.iter().chain(words).chain(registers) {
        ensure!(
            booted.log.contains(word),
            "`{word}` is not in the report\n{}",
            booted.report()
        );
    }
    let mut lines = booted.log.lines();
    let named = lines.any(|line| line.contains(&place) && line.contains("bugs::"));
    ensure!(named, "{place} has no function's name\n{}", booted.report());
    Ok(())
}

/// File and line of the kind's mark.
fn mark(kind: &str) -> Result<(&'static str, usize)> {
    let mark = format!("bug={kind}");
    let marked = |line: &str| {
        line.rsplit_once("// ")
            .is_some_and(|(_, marks)| marks.split(' ').any(|word| word == mark))
    };
    for source in SOURCES {
        let text = fs::read_to_string(tool::root().join(source))
            .with_context(|| format!("cannot read {source}"))?;
        if let Some(index) = text.lines().position(marked) {
            return Ok((source, index + 1));
        }
    }
    bail!("no line of {SOURCES:?} is marked with `{mark}`")
}

fn is_seen_at_boot(kind: &str, word: &str) -> Result<()> {
    let booted = boot(kind, &[])?;
    for word in ["kernel panic: ", "kernel/src/arch/check.rs:", word] {
        ensure!(
            booted.log.contains(word),
            "`{word}` is not in the report\n{}",
            booted.report()
        );
    }
    Ok(())
}

/// The report is red. A screen of text has many pixels of it.
fn is_on_the_screen() -> Result<()> {
    const ENOUGH: usize = 2_000;
    let folder = tempfile::tempdir()?;
    let picture = folder.path().join("screen.ppm");
    let picture = picture
        .to_str()
        .context("the temporary folder's name is not UTF-8")?;
    boot("read", &["--screenshot", picture])?;
    let bytes = fs::read(picture).context("there is no picture")?;
    let is_red = |pixel: &&[u8]| pixel[0] > 128 && pixel[1] < 128 && pixel[2] < 128;
    // The header is shorter than a pixel is worth.
    let red = bytes[15..].chunks_exact(3).filter(is_red).count();
    ensure!(
        red > ENOUGH,
        "{red} pixels are red, of a report at least {ENOUGH} should be"
    );
    Ok(())
}

/// Programs whose lives are all faults and system calls.
const LIVES: [&str; 5] = ["--uefi", "--checked", "--", "fork_tree", "300"];

fn too_little_memory() -> Result<()> {
    const SENTENCE: &str =
        "this machine has too little memory: 1024 KiB are free, the kernel needs ";
    let refused = Run::boot(["--option", "mem=1M", "hello"])?.end(Input::Nothing)?;
    refused.expect_code(250)?;
    refused.expect_words(&["the kernel can't run on this machine"])?;
    ensure!(
        refused.log.contains(SENTENCE),
        "it is not said\n{}",
        refused.report()
    );
    // What the sentence asks for is enough.
    let text = refused
        .log
        .rsplit_once(SENTENCE)
        .map_or("", |(_, rest)| rest);
    let needed = text.split(' ').next().unwrap_or_default();
    let option = format!("mem={needed}K");
    Run::boot(["--option", &option, "hello"])?
        .end(Input::Nothing)?
        .expect_code(0)
}

fn nmis() -> Result<()> {
    let booted = Run::boot(["--nmi", "1"].iter().chain(&LIVES))?.end(Input::Nothing)?;
    booted.expect_code(0)?;
    let came = booted
        .log
        .matches("non-maskable interrupts of unknown cause")
        .count();
    ensure!(came > 0, "none came\n{}", booted.report());
    Ok(())
}

/// Twenty thousand interrupts a second, and input that nobody reads.
fn storm() -> Result<()> {
    const LENGTH: usize = 1 << 20;
    let words = ["--option", "hertz=20000"].iter().chain(&LIVES);
    let booted = Run::boot(words)?.end(Input::Bytes(vec![b'x'; LENGTH]))?;
    booted.expect_code(0)?;
    ensure!(
        booted.log.contains("20000 ticks a second"),
        "{}",
        booted.report()
    );
    Ok(())
}

fn flood() -> Result<()> {
    const MOST: usize = 30;
    let booted = Run::boot(["--uefi", "privileged"])?.end(Input::Nothing)?;
    booted.expect_code(0)?;
    let lines = booted.log.matches(": SIG").count();
    ensure!(
        (10..MOST).contains(&lines),
        "{lines} lines\n{}",
        booted.report()
    );
    Ok(())
}
