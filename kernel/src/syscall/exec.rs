//! `execve` and `execveat`: which file, with which words.
use alloc::vec::Vec;

use abi::Errno;
use abi::general::{AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW};

use super::file::any_descriptor;
use super::{Answer, COMPLETE, path, user};
use crate::arch::trap::TrapFrame;
use crate::fs::files::OnExec;
use crate::fs::inode::{copy, extend, extend_number};
use crate::fs::place::Place;
use crate::fs::program::Program;
use crate::process::Name;
use crate::process::exec::{self, Asked};
use crate::process::interpreter::Reach;
use crate::process::stack::{self, List};

/// Only asks whether the file could be executed (linux-raw-sys is older).
const AT_EXECVE_CHECK: u32 = 0x10000;

/// execve(2).
pub(super) fn execve(frame: &mut TrapFrame) -> Answer {
    let (_, [path, words, variables, ..]) = frame.call();
    let name = user::path(path)?;
    let place = path::resolve_or_own(AT_FDCWD as u64, path, 0)?;
    let arguments = || copy_words(words, variables);
    execute(frame, place, &Asked::by(&name), arguments)
}

/// execveat(2).
pub(super) fn execveat(frame: &mut TrapFrame) -> Answer {
    let (_, [directory, path, words, variables, flags, _]) = frame.call();
    let flags = flags as u32;
    if flags & !(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_EXECVE_CHECK) != 0 {
        return Err(Errno::EINVAL);
    }
    let given = user::path(path)?;
    let place = path::resolve_or_own(directory, path, flags)?;
    if place.inode.is_link() {
        return Err(Errno::ELOOP);
    }
    if flags & AT_EXECVE_CHECK != 0 {
        return Program::try_new(place).map(|_| 0);
    }
    let arguments = || copy_words(words, variables);
    if directory as i32 == AT_FDCWD || given.starts_with(b"/") {
        return execute(frame, place, &Asked::by(&given), arguments);
    }
    let shown = path_by_descriptor(directory as u32, &given)?;
    let own = if given.is_empty() {
        place.path()?
    } else {
        given
    };
    let reach = match any_descriptor(directory)?.on_exec {
        OnExec::Keep => Reach::Found,
        OnExec::Close => Reach::Lost,
    };
    let asked = Asked {
        path: &shown,
        name: Name::of(&own),
        reach,
    };
    execute(frame, place, &asked, arguments)
}

/// What a program is told that was asked for by a descriptor: a path that leads there.
fn path_by_descriptor(number: u32, rest: &[u8]) -> Result<Vec<u8>, Errno> {
    let mut path = copy(b"/dev/fd/")?;
    extend_number(&mut path, number.into())?;
    if !rest.is_empty() {
        extend(&mut path, b"/")?;
        extend(&mut path, rest)?;
    }
    Ok(path)
}

/// Runs what stands at `place`; the words are looked at when that can be executed.
fn execute(
    frame: &mut TrapFrame,
    place: Place,
    asked: &Asked<'_>,
    arguments: impl FnOnce() -> Result<stack::Arguments, Errno>,
) -> Answer {
    let file = Program::try_new(place)?;
    exec::execve(frame, file, asked, arguments()?)?;
    Ok(COMPLETE)
}

/// Arguments and environment, from the arrays of pointers at these addresses.
fn copy_words(words: u64, variables: u64) -> Result<stack::Arguments, Errno> {
    let mut strings = stack::Arguments::default();
    copy_strings(&mut strings, List::Arguments, words)?;
    if strings.count() == 0 {
        // Linux gives a program without arguments one that is empty.
        strings.push(List::Arguments, b"", stack::MOST_BYTES)?;
    }
    copy_strings(&mut strings, List::Environment, variables)?;
    Ok(strings)
}

/// Copies the strings that the pointers at `array` lead to, up to a null pointer. No array is an empty one.
fn copy_strings(strings: &mut stack::Arguments, list: List, array: u64) -> Result<(), Errno> {
    if array == 0 {
        return Ok(());
    }
    let mut at = array;
    loop {
        let [pointer] = user::read_words(at)?;
        if pointer == 0 {
            return Ok(());
        }
        let string: Vec<u8> = user::string(pointer, stack::MAX_STRING, Errno::E2BIG)?;
        strings.push(list, &string, stack::MOST_BYTES)?;
        at = at.wrapping_add(8);
    }
}
