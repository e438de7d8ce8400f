//! The program's standard streams: a pipe or a terminal to whoever runs the machine.
use abi::Errno;
use abi::general::{POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM, S_IFCHR, S_IFIFO};

use super::buffers::Buffers;
use super::open::{Kind, Status, Step};
use crate::console::{self, Input};
use crate::options;

/// Bytes copied at a time.
const PIECE: usize = 512;

/// Whether the standard streams claim to be a terminal.
pub(crate) fn is_terminal() -> bool {
    options::get().stdio == options::Stdio::Tty
}

/// The console, as an open file.
pub(crate) struct Stream;

impl Kind for Stream {
    fn status(&self) -> Status {
        const TTY_DEVICE: u64 = 4 << 8 | 64;
        let (mode, special, block_size) = if is_terminal() {
            (S_IFCHR | 0o620, TTY_DEVICE, 1024)
        } else {
            (S_IFIFO | 0o600, 0, mm::PAGE_SIZE)
        };
        Status {
            device: 7,
            number: 1,
            links: 1,
            mode,
            special,
            block_size,
            ..Status::default()
        }
    }

    /// Takes the input that is there.
    fn read(&self, _at: u64, into: &mut Buffers<'_>) -> Result<Step, Errno> {
        let mut piece = [0; PIECE];
        let want = into.left().min(PIECE as u64) as usize;
        if want == 0 {
            return Ok(Step::Done);
        }
        match console::read_available(&mut piece[..want]) {
            Input::Bytes(count) => {
                let stored = into.fill(&piece[..count]);
                console::unread(&piece[stored.unwrap_or(0)..count]);
                stored.map(|_| {
                    if is_terminal() {
                        Step::Done
                    } else {
                        Step::More
                    }
                })
            }
            Input::Empty => Ok(Step::Blocked),
            Input::Eof => Ok(Step::Done),
        }
    }

    /// Hands over as much as the port takes now.
    fn write(&self, _at: u64, from: &mut Buffers<'_>) -> Result<Step, Errno> {
        let mut piece = [0; PIECE];
        let start = *from;
        let count = from.take(&mut piece)?;
        let taken = console::write_some(&piece[..count]);
        if taken < count {
            *from = start;
            from.skip(taken);
        }
        Ok(match taken {
            0 if count > 0 => Step::Blocked,
            _ => Step::More,
        })
    }

    fn ready(&self) -> u32 {
        let readable = if console::has_input() {
            POLLIN | POLLRDNORM
        } else {
            0
        };
        readable | POLLOUT | POLLWRNORM
    }

    fn is_console(&self) -> bool {
        true
    }
}
