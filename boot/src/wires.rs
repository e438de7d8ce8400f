//! The wires between us and QEMU, whose far ends QEMU inherits: nothing of them is in the file system, so there is nothing
//! to clash with another run or to be left behind, and QEMU's end closes them all.
//!
//! Pipes, not sockets, for what the machine says: a serial port says it a byte at a time, and each byte would take a
//! socket's buffer a hundred times its size. A pipe holds so much that a slow reader does not slow the machine down.

use std::io::{self, PipeReader, PipeWriter};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, Result};

/// What a pipe from the machine holds; without privileges the system allows no more.
const CUSHION: usize = 1 << 20;

/// Our end of every wire.
pub(crate) struct Near {
    /// COM1: the kernel's log.
    pub(crate) log: PipeReader,
    /// COM3, towards us: what the program writes.
    pub(crate) output: PipeReader,
    /// COM3, towards the program.
    pub(crate) input: PipeWriter,
    /// Port 0xe9: "ready for input", then the exit code.
    pub(crate) code: PipeReader,
    /// Port 0xf4, where it does not end QEMU: in which way the kernel ends.
    pub(crate) ending: PipeReader,
    /// QEMU's own control socket.
    pub(crate) control: UnixStream,
}

/// QEMU's end of every wire.
pub(crate) struct Far {
    log: PipeWriter,
    /// COM3 is QEMU's standard output and input: the one chardev that takes two pipes.
    output: PipeWriter,
    input: PipeReader,
    code: PipeWriter,
    ending: PipeWriter,
    control: UnixStream,
}

/// The numbers under which QEMU inherits its ends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Numbers {
    pub(crate) log: RawFd,
    pub(crate) code: RawFd,
    pub(crate) ending: RawFd,
    pub(crate) control: RawFd,
}

/// Lays every wire.
pub(crate) fn lay() -> Result<(Near, Far)> {
    let pipe = || io::pipe().context("cannot make a pipe");
    let (log, output, input, code, ending) = (pipe()?, pipe()?, pipe()?, pipe()?, pipe()?);
    let control = UnixStream::pair().context("cannot make a pair of sockets")?;
    for deep in [&log.1, &output.1] {
        // A user with many pipes may get a shallower one; it only makes the machine wait more often.
        let _ = rustix::pipe::fcntl_setpipe_size(deep, CUSHION);
    }
    let near = Near {
        log: log.0,
        output: output.0,
        input: input.1,
        code: code.0,
        ending: ending.0,
        control: control.0,
    };
    let far = Far {
        log: log.1,
        output: output.1,
        input: input.0,
        code: code.1,
        ending: ending.1,
        control: control.1,
    };
    Ok((near, far))
}

impl Far {
    pub(crate) fn numbers(&self) -> Numbers {
        Numbers {
            log: self.log.as_raw_fd(),
            code: self.code.as_raw_fd(),
            ending: self.ending.as_raw_fd(),
            control: self.control.as_raw_fd(),
        }
    }

    /// Makes the ends those of a command that is about to be started: COM3 its standard streams, the others by number.
    pub(crate) fn give_to(self, command: &mut Command) {
        command.stdin(self.input).stdout(self.output);
        let kept = [
            self.log.into(),
            self.code.into(),
            self.ending.into(),
            OwnedFd::from(self.control),
        ];
        let keep = move || {
            for end in &kept {
                rustix::io::fcntl_setfd(end, rustix::io::FdFlags::empty())?;
            }
            Ok(())
        };
        // SAFETY: between fork and exec the closure only calls fcntl: it neither allocates nor takes a lock.
        unsafe { command.pre_exec(keep) };
    }
}
