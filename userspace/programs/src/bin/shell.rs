//! A small shell: reads a line, runs the program that it names, says how that ended.
//!
//! It reads a byte at a time, so that the rest of the input is left for the programs that it runs. The terminal, not the
//! shell, shows what is typed.
#![no_std]
#![forbid(unsafe_code)]

use core::ffi::CStr;

use programs::launch::{NOT_FOUND, start};
use programs::words::Words;
use rt::io::{STDIN, read};
use rt::process::{Status, exit, wait};
use rt::{Errno, print, println};

const HELP: &str = "\
To watch:   lazy_zero cow_fork fork_tree stack_growth brk_heap mprotect_guard
            map_fixed munmap_split populate wild_access bad_pointers privileged
            fp_state preempt wait_status vfork_exec exec_args exec_script signal_default
            clock hello
To use:     echo WORDS...   cat FILES...   exit_code N   kill_self N   exec PATH ARGS...
            any other program by its path
Here:       tour (everything in order, with explanations)   help   exit";

/// What came of reading a line.
enum Line<'a> {
    Text(&'a mut [u8]),
    TooLong,
    End,
}

fn main() {
    println!("Type help for what there is, exit to leave.");
    let mut buffer = [0; 256];
    loop {
        print!("$ ");
        match read_line(&mut buffer) {
            Ok(Line::Text(text)) => obey(text),
            Ok(Line::TooLong) => println!("That line is too long; at most 255 bytes."),
            Ok(Line::End) => return println!(),
            Err(errno) => return println!("Reading failed: {errno:?}."),
        }
    }
}

/// Reads up to the end of a line, which is left out.
fn read_line(buffer: &mut [u8; 256]) -> Result<Line<'_>, Errno> {
    let mut length = 0;
    loop {
        let mut byte = [0];
        match read(STDIN, &mut byte) {
            Ok(0) if length == 0 => return Ok(Line::End),
            Ok(0) => break,
            Ok(_) if matches!(byte[0], b'\n' | b'\r') => break,
            Ok(_) => {}
            Err(Errno::EINTR) => continue,
            Err(errno) => return Err(errno),
        }
        if let Some(place) = buffer.get_mut(length) {
            *place = byte[0];
        }
        length += 1;
    }
    // One byte is kept free for the NUL behind the last word.
    Ok(if length < buffer.len() {
        Line::Text(&mut buffer[..length + 1])
    } else {
        Line::TooLong
    })
}

/// Does what a line says; its last byte is no part of it.
fn obey(line: &mut [u8]) {
    if let Some(last) = line.last_mut() {
        *last = 0;
    }
    line.iter_mut()
        .filter(|byte| byte.is_ascii_whitespace())
        .for_each(|byte| *byte = 0);
    let words = line
        .split_inclusive(|&byte| byte == 0)
        .filter_map(|word| CStr::from_bytes_with_nul(word).ok());
    let words =
        Words::collect(words.filter(|word| !word.is_empty())).expect("a line has no 256 words");
    match words.as_slice() {
        [] => {}
        [word] if *word == c"help" => println!("{HELP}"),
        [word] if *word == c"exit" => exit(0),
        command => run(command),
    }
}

/// Runs a program to its end, and says what is worth saying about it.
fn run(command: &[&CStr]) {
    match start(command).and_then(wait).map(|ended| ended.status) {
        Ok(Status::Exited(0 | NOT_FOUND)) => {}
        Ok(Status::Exited(code)) => println!("[exit code {code}]"),
        Ok(Status::Killed(signal)) => println!("[killed by {signal}]"),
        Err(errno) => println!("No process for it: {errno:?}."),
    }
}
