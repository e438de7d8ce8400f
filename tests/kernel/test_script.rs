//! First lines of scripts, read as Linux reads them: blanks, ends, and lines that are cut off.
use crate::script::{First, START, read};

/// The start of a file that holds `text`.
fn start(text: &[u8]) -> [u8; START] {
    let mut start = [0; START];
    let count = text.len().min(START);
    start[..count].copy_from_slice(&text[..count]);
    start
}

/// Interpreter and argument of the script that begins with `text`.
fn parts(text: &str) -> (String, Option<String>) {
    let start = start(text.as_bytes());
    let First::Script(line) = read(&start) else {
        panic!("{text:?} is a script");
    };
    let string = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (string(line.interpreter), line.argument.map(string))
}

#[track_caller]
fn reads(text: &str, interpreter: &str, argument: Option<&str>) {
    let expected = (interpreter.to_owned(), argument.map(str::to_owned));
    assert_eq!(parts(text), expected, "{text:?}");
}

#[test]
fn blanks_belong_to_neither_part() {
    reads("#!/bin/sh\n", "/bin/sh", None);
    reads("#! \t /bin/sh \t \n", "/bin/sh", None);
    reads("#!/bin/sh\t-e \nexit", "/bin/sh", Some("-e"));
}

#[test]
fn everything_behind_the_first_blank_is_one_argument() {
    reads("#!/bin/sh  a  b \tc \n", "/bin/sh", Some("a  b \tc"));
    reads("#!/bin/sh a\r\n", "/bin/sh", Some("a\r"));
}

#[test]
fn no_byte_behind_a_nul_counts() {
    reads("#!/bin/sh\0 x\n", "/bin/sh", None);
    reads("#!/bin/sh a\0b\n", "/bin/sh", Some("a"));
}

#[test]
fn a_short_file_needs_no_end_of_a_line() {
    reads("#!/bin/sh", "/bin/sh", None);
    reads("#!/bin/sh -x", "/bin/sh", Some("-x"));
}

#[test]
fn an_interpreter_that_may_be_cut_off_is_nobody() {
    let cut = format!("#!/{}", "x".repeat(START));
    assert_eq!(read(&start(cut.as_bytes())), First::Nobody);
    let blanks = format!("#!{}/bin/sh\n", " ".repeat(START));
    assert_eq!(read(&start(blanks.as_bytes())), First::Nobody);
}

#[test]
fn an_argument_that_is_cut_off_loses_its_end() {
    let long = format!("#!/bin/sh {}\n", "y".repeat(START));
    // Linux puts a NUL into the last byte that it reads.
    let kept = "y".repeat(START - "#!/bin/sh ".len() - 1);
    reads(&long, "/bin/sh", Some(&kept));
}

#[test]
fn a_line_that_names_nobody_is_no_program() {
    for text in ["#!\n/bin/sh", "#!  \t\n"] {
        assert_eq!(read(&start(text.as_bytes())), First::Nobody, "{text:?}");
    }
}

#[test]
fn what_does_not_begin_so_is_something_else() {
    for text in ["", "#", " #!/bin/sh\n", "\u{7f}ELF"] {
        assert_eq!(read(&start(text.as_bytes())), First::Other, "{text:?}");
    }
}
