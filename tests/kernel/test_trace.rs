//! The trace as text: what strace(1) would have written, and JSON that every reader takes.
use abi::Sysno;

use crate::call::{self, Call, KEPT, Place};

/// The call as a line, with `string` as what could be read where its string is.
fn line(call: Sysno, arguments: [u64; 6], answer: i64, string: Option<&[u8]>) -> String {
    let number = call.id() as u32;
    let place = call::place(number, arguments);
    let call = Call {
        number,
        arguments,
        answer: answer as u64,
        string: place.zip(string).map(|(place, bytes)| place.snippet(bytes)),
    };
    call.to_string()
}

#[test]
fn flags_have_their_names_and_pointers_are_hexadecimal() {
    assert_eq!(
        line(
            Sysno::mmap,
            [0, 8192, 3, 0x22, u64::MAX, 0],
            0x7f00_0000,
            None
        ),
        "mmap(NULL, 8192, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f000000"
    );
    assert_eq!(
        line(Sysno::mprotect, [0x1000, 4096, 0, 0, 0, 0], 0, None),
        "mprotect(0x1000, 4096, PROT_NONE) = 0"
    );
    assert_eq!(
        line(Sysno::clone, [0x0120_0011, 0, 0, 0x5000, 0, 0], 7, None),
        "clone(CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID|SIGCHLD, NULL, NULL, 0x5000, NULL) = 7"
    );
}

#[test]
fn bits_without_a_name_are_not_lost() {
    assert_eq!(
        line(Sysno::mprotect, [0x1000, 4096, 0x41, 0, 0, 0], 0, None),
        "mprotect(0x1000, 4096, PROT_READ|0x40) = 0"
    );
    assert_eq!(
        line(Sysno::kill, [5, 77, 0, 0, 0, 0], -22, None),
        "kill(5, 0x4d) = -1 EINVAL (Invalid argument)"
    );
}

#[test]
fn a_path_is_a_string_and_a_refusal_has_its_name() {
    let arguments = [-100i32 as u32 as u64, 0x40_0000, 0x8_0000, 0, 0, 0];
    assert_eq!(
        line(Sysno::openat, arguments, -2, Some(b"/a\"b\n\0rubbish")),
        r#"openat(AT_FDCWD, "/a\"b\n", O_RDONLY|O_CLOEXEC, 0000) = -1 ENOENT (No such file or directory)"#
    );
}

#[test]
fn of_two_strings_the_second_is_its_address() {
    let here = -100i32 as u32 as u64;
    let arguments = [here, 0x1000, 5, 0x2000, 1, 0];
    assert_eq!(
        line(Sysno::renameat2, arguments, 0, Some(b"old\0")),
        r#"renameat2(AT_FDCWD, "old", 5, 0x2000, RENAME_NOREPLACE) = 0"#
    );
}

#[test]
fn a_string_that_cannot_be_read_is_its_address() {
    assert_eq!(
        line(Sysno::access, [0x1234, 4, 0, 0, 0, 0], -14, None),
        "access(0x1234, 4) = -1 EFAULT (Bad address)"
    );
}

#[test]
fn what_is_cut_off_shows() {
    let long = [b'x'; KEPT + 1];
    let kept = "x".repeat(KEPT);
    let write = |count, bytes| {
        line(
            Sysno::write,
            [1, 0x1000, count, 0, 0, 0],
            count as i64,
            Some(bytes),
        )
    };
    assert_eq!(write(3, &b"abcdef"[..]), r#"write(1, "abc", 3) = 3"#);
    assert_eq!(write(40, &long), format!(r#"write(1, "{kept}", 40) = 40"#));
    assert_eq!(
        write(41, &long),
        format!(r#"write(1, "{kept}"..., 41) = 41"#)
    );
    // Only two of five bytes lie in a page that is there.
    assert_eq!(write(5, &b"ab"[..]), r#"write(1, "ab"..., 5) = 5"#);
    let path = Place::Path(0x1000);
    assert!(path.snippet(&long).to_string().ends_with("..."));
    assert_eq!(path.snippet(b"x\0").to_string(), r#""x""#);
}

#[test]
fn exit_answers_nothing_and_an_unknown_call_shows_numbers() {
    assert_eq!(
        line(Sysno::exit_group, [3, 0, 0, 0, 0, 0], 0, None),
        "exit_group(3) = ?"
    );
    let unknown = Call {
        number: 1000,
        arguments: [1, 2, 3, 4, 5, 0xff],
        answer: -38i64 as u64,
        string: None,
    };
    assert_eq!(
        unknown.to_string(),
        "syscall_1000(0x1, 0x2, 0x3, 0x4, 0x5, 0xff) = -1 ENOSYS (Invalid system call number)"
    );
}
