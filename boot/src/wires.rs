//! The wires between us and QEMU: pairs of sockets whose far ends QEMU inherits. Nothing of them is in the file system,
//! so there is nothing to clash with another run or to be left behind, and QEMU's end closes them all.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;

use anyhow::{Context, Result};

/// One end of every wire.
pub(crate) struct Ends {
    /// COM1: the kernel's log.
    pub(crate) log: UnixStream,
    /// COM3: the program's standard streams.
    pub(crate) stdio: UnixStream,
    /// Port 0xe9: "ready for input", then the exit code.
    pub(crate) code: UnixStream,
    /// QEMU's own control socket.
    pub(crate) control: UnixStream,
    /// Port 0xf4, where it does not end QEMU: how the kernel says in which way it ends.
    pub(crate) ending: UnixStream,
}

/// The numbers under which QEMU inherits its ends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Numbers {
    pub(crate) log: RawFd,
    pub(crate) stdio: RawFd,
    pub(crate) code: RawFd,
    pub(crate) control: RawFd,
    pub(crate) ending: RawFd,
}

/// Our ends and QEMU's.
pub(crate) fn lay() -> Result<(Ends, Ends)> {
    let pair = || UnixStream::pair().context("cannot make a pair of sockets");
    let pairs = (pair()?, pair()?, pair()?, pair()?, pair()?);
    let (log, stdio, code, control, ending) = pairs;
    let ours = Ends {
        log: log.0,
        stdio: stdio.0,
        code: code.0,
        control: control.0,
        ending: ending.0,
    };
    let far = Ends {
        log: log.1,
        stdio: stdio.1,
        code: code.1,
        control: control.1,
        ending: ending.1,
    };
    Ok((ours, far))
}

impl Ends {
    pub(crate) fn numbers(&self) -> Numbers {
        Numbers {
            log: self.log.as_raw_fd(),
            stdio: self.stdio.as_raw_fd(),
            code: self.code.as_raw_fd(),
            control: self.control.as_raw_fd(),
            ending: self.ending.as_raw_fd(),
        }
    }

    /// Lets the calling process hand the ends to the program that it is about to become.
    pub(crate) fn keep_across_exec(&self) -> io::Result<()> {
        for end in self.all() {
            rustix::io::fcntl_setfd(end, rustix::io::FdFlags::empty())?;
        }
        Ok(())
    }

    fn all(&self) -> [&UnixStream; 5] {
        [
            &self.log,
            &self.stdio,
            &self.code,
            &self.control,
            &self.ending,
        ]
    }
}
