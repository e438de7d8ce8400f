//! Finding a program by its name and running it: what init, the shell and the tour have in common.

use core::ffi::CStr;

use rt::process::{Pid, execve, spawn};
use rt::{Errno, env, eprintln};

use crate::words::Words;

/// Exit code of a child whose program doesn't exist, as shells have it.
pub const NOT_FOUND: u8 = 127;
/// Exit code of a child whose program exists but can't be run.
pub const NOT_RUNNABLE: u8 = 126;

/// Starts `command`, whose first word is a path, or the name of a program that lies beside this one.
///
/// If there is no such program, the child says so on standard error and exits with 127 or 126.
pub fn start(command: &[&CStr]) -> Result<Pid, Errno> {
    spawn(|| {
        let errno = execute(command);
        let name = command
            .first()
            .map_or("", |name| name.to_str().unwrap_or("(not UTF-8)"));
        let reason = errno.description().unwrap_or("unknown error");
        let speaker = env::arg(0).unwrap_or("init");
        eprintln!("{speaker}: {name} could not be run: {reason}.");
        if errno == Errno::ENOENT {
            NOT_FOUND
        } else {
            NOT_RUNNABLE
        }
    })
}

/// Replaces this process's program by `command`, with the environment that it has; returns only if that fails.
fn execute(command: &[&CStr]) -> Errno {
    let Some(name) = command.first() else {
        return Errno::ENOENT;
    };
    let Some(environment) = Words::collect(env::vars()) else {
        return Errno::E2BIG;
    };
    let mut place = [0; 256];
    match path(name, &mut place) {
        Some(path) => execve(path, command, environment.as_slice()),
        None => Errno::ENAMETOOLONG,
    }
}

/// The path of `name`: itself if it has a slash, or else in the folder of this program, which is `/bin` in our kernel
/// and the build's folder when the same bytes run on Linux.
fn path<'a>(name: &'a CStr, place: &'a mut [u8]) -> Option<&'a CStr> {
    if name.to_bytes().contains(&b'/') {
        return Some(name);
    }
    let own = env::program_path().to_bytes();
    let folder = own
        .iter()
        .rposition(|&byte| byte == b'/')
        .map_or(&b"/bin/"[..], |slash| &own[..=slash]);
    let name = name.to_bytes_with_nul();
    let place = place.get_mut(..folder.len() + name.len())?;
    let (front, back) = place.split_at_mut(folder.len());
    front.copy_from_slice(folder);
    back.copy_from_slice(name);
    CStr::from_bytes_with_nul(place).ok()
}
