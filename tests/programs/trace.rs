//! The trace as a person sees it in the log, and as a program finds it in a file.

use std::fs;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use serde_json::Value;

use crate::run::Input;
use crate::tool::{Booted, Run};

type Body = fn() -> Result<()>;

const TESTS: &[(&str, Body)] = &[
    ("calls_and_switches_are_told_as_text", calls_and_switches),
    ("only_what_was_asked_for_is_traced", only_what_was_asked_for),
    ("a_file_takes_every_record_and_the_log_none", a_file),
];

pub(crate) fn trials() -> impl Iterator<Item = Trial> {
    TESTS.iter().map(|(name, body)| {
        Trial::test(format!("trace::{name}"), move || {
            body().map_err(|error| format!("{error:#}").into())
        })
    })
}

fn expect_lines(booted: &Booted, parts: &[&str]) -> Result<()> {
    for part in parts {
        let told = booted.log.lines().any(|line| line.contains(part));
        ensure!(told, "`{part}` is not in the log\n{}", booted.report());
    }
    Ok(())
}

fn calls_and_switches() -> Result<()> {
    let booted =
        Run::boot(["--uefi", "--trace=syscalls,sched", "cow_fork"])?.end(Input::Nothing)?;
    booted.expect_code(0)?;
    expect_lines(
        &booted,
        &[
            "call: [1] fork() = 2, ",
            "call: [2] execve(\"/bin/cow_fork\", 0x",
            "PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x",
            "call: [2] write(1, \"parent: wrote P to 16 pages\\n\", 28) = 28, ",
            "kill(4, SIGKILL) = 0, ",
            "kill(4, 0) = -1 ESRCH (No such process), ",
            "call: [3] exit_group(0) = ?, ",
            "sched: [3] wakes [2]",
            "], exited",
            "], blocked",
        ],
    )?;
    ensure!(
        !booted.log.contains("fault: ["),
        "faults were not asked for\n{}",
        booted.report()
    );
    Ok(())
}

fn only_what_was_asked_for() -> Result<()> {
    let booted = Run::boot(["--uefi", "--trace", "lazy_zero"])?.end(Input::Nothing)?;
    booted.expect_code(0)?;
    expect_lines(
        &booted,
        &[
            ": demand-zero read, empty -> zero page r--, ",
            ": COW of the zero page, zero page r-- -> frame 0x",
        ],
    )?;
    for other in ["call: [", "sched: ["] {
        ensure!(
            !booted.log.contains(other),
            "`{other}` was not asked for\n{}",
            booted.report()
        );
    }
    Ok(())
}

fn a_file() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("trace.jsonl");
    let options = ["--uefi", "--trace=faults,syscalls,sched", "--trace-file"].map(AsRef::as_ref);
    let program = [file.as_os_str(), "fork_tree".as_ref()];
    let booted = Run::boot(options.into_iter().chain(program))?.end(Input::Nothing)?;
    booted.expect_code(0)?;
    for stray in ["trace: ", "damaged"] {
        ensure!(
            !booted.log.contains(stray),
            "`{stray}` is in the log\n{}",
            booted.report()
        );
    }
    let text = fs::read_to_string(&file).context("there is no trace")?;
    let records: Vec<Value> = text
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?;
    let of_kind = |kind: &str| {
        let wanted = records.iter().filter(|record| record["kind"] == kind);
        wanted.collect::<Vec<_>>()
    };
    ensure!(of_kind("lost").is_empty(), "records were lost");
    for (kind, fields) in [
        (
            "fault",
            &["address", "access", "path", "before", "after", "cycles"][..],
        ),
        ("call", &["name", "arguments", "cycles"]),
        ("switch", &["to", "why"]),
        ("wake", &["whom"]),
    ] {
        let all = of_kind(kind);
        ensure!(all.len() > 10, "there are {} records of {kind}", all.len());
        for (record, field) in all
            .iter()
            .flat_map(|record| fields.iter().map(move |field| (record, field)))
        {
            ensure!(
                record.get(*field).is_some(),
                "{field} is missing in {record}"
            );
        }
    }
    let times: Vec<_> = records
        .iter()
        .filter_map(|record| record["time"].as_u64())
        .collect();
    ensure!(
        times.len() == records.len() && times.is_sorted(),
        "times are not in order"
    );
    Ok(())
}
