//! The command line: what is an option, what is the program's, and what is only warned of.
use log::LevelFilter;
use mm::commit::Overcommit;

use crate::bugs::Bug;
use crate::drivers::serial::Port;
use crate::options::{
    Exit, Kinds, Layout, Options, Stdin, Stdio, TraceFormat, program_words, unknown_words,
};

fn line(words: &[&str]) -> Vec<u8> {
    words
        .iter()
        .flat_map(|word| word.bytes().chain([0]))
        .collect()
}

#[test]
fn every_option_is_taken_and_the_last_one_wins() {
    let line = line(&[
        "log=ttyS0",
        "log=none",
        "loglevel=debug",
        "console=ttyS2",
        "stdin=framed",
        "stdio=pipe",
        "exit=qemu",
        "trace=faults",
        "traceformat=json",
        "bug=boot-stack",
        "mem=512K",
        "hertz=1000",
        "norandomize",
        "overcommit=2",
        "drift=6",
        "failheap=7",
        "failframes=50",
    ]);
    let all = Options {
        log: None,
        level: LevelFilter::Debug,
        console: Some(Port::Com3),
        stdin: Stdin::Framed,
        stdio: Stdio::Pipe,
        exit: Exit::Qemu,
        trace: Kinds::FAULTS,
        trace_format: TraceFormat::Json,
        bug: Some(Bug::BootStack),
        memory: 512 << 10,
        hertz: 1000,
        layout: Layout::Fixed,
        overcommit: Overcommit::Never,
        drift: 6,
        fail_heap: 7,
        fail_frames: 50,
    };
    assert_eq!(Options::parse(&line), all);
    assert_eq!(unknown_words(&line).count(), 0);
}

#[test]
fn an_unknown_word_changes_nothing_but_is_told() {
    let line = line(&[
        "bogus",
        "log=ttyS9",
        "norandomize=no",
        "",
        "stdin",
        "mem=5",
        "hertz=0",
    ]);
    assert_eq!(Options::parse(&line), Options::DEFAULT);
    let unknown: Vec<_> = unknown_words(&line).collect();
    assert_eq!(
        unknown,
        [
            &b"bogus"[..],
            b"log=ttyS9",
            b"norandomize=no",
            b"",
            b"stdin",
            b"mem=5",
            b"hertz=0",
        ]
    );
}

#[test]
fn words_of_the_program_are_not_taken_for_options() {
    let line = line(&["stdio=pipe", "--", "/bin/a b", "", "log=none", "--"]);
    assert_eq!(
        Options::parse(&line),
        Options {
            stdio: Stdio::Pipe,
            ..Options::DEFAULT
        }
    );
    let program: Vec<_> = program_words(&line).collect();
    assert_eq!(program, [&b"/bin/a b"[..], b"", b"log=none", b"--"]);
}

#[test]
fn no_program_is_no_words() {
    assert_eq!(program_words(b"").count(), 0);
    assert_eq!(program_words(b"log=none\0").count(), 0);
    assert_eq!(program_words(b"log=none\0--\0").count(), 0);
}

#[test]
fn kinds_of_the_trace_gather_and_one_wrong_one_spoils_the_word() {
    let kinds = |word: &str| Options::parse(&line(&[word])).trace;
    assert_eq!(kinds("trace=faults,syscalls,sched"), Kinds::all());
    assert_eq!(kinds("trace=sched"), Kinds::SCHED);
    for word in ["trace=none", "trace=faults,bogus", "trace=", "trace"] {
        assert_eq!(kinds(word), Kinds::empty(), "{word}");
    }
}
