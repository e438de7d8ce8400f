//! Bytes in and out of open files: `read`, `write`, their kin with vectors and places.
//!
//! Kinds of files move what can be moved now; waiting, signals and the turns of others are seen to here, once for all.
use alloc::sync::Arc;

use abi::Errno;
use abi::general::{
    O_APPEND, O_DIRECT, O_DSYNC, POLLERR, POLLHUP, POLLIN, POLLOUT, SIGPIPE, SIGXFSZ,
};

use super::vector::{self, MAX_COUNT, check_range};
use super::{Answer, Arguments};
use crate::arch::timer;
use crate::fs::buffers::{Buffer, Buffers};
use crate::fs::files::Descriptor;
use crate::fs::open::{Kind, OpenFile, Order, Step, Wakes};
use crate::process::{current, sched, signal, waiting};

/// What descriptor `number` of the running process stands for; `EBADF` where that is only a place.
pub(super) fn descriptor(number: u64) -> Result<Descriptor, Errno> {
    let descriptor = any_descriptor(number)?;
    if descriptor.file.is_path() {
        return Err(Errno::EBADF);
    }
    Ok(descriptor)
}

/// What it stands for, a place among them.
pub(super) fn any_descriptor(number: u64) -> Result<Descriptor, Errno> {
    current().files.get(u64::from(number as u32))
}

/// read(2).
pub(super) fn read([number, buffer, length, ..]: Arguments) -> Answer {
    let open = readable(number)?;
    let buffers = one_buffer(buffer, length)?;
    at_position(&open, Direction::Read, &buffers)
}

/// write(2).
pub(super) fn write([number, buffer, length, ..]: Arguments) -> Answer {
    let open = writable(number)?;
    let buffers = one_buffer(buffer, length)?;
    at_position(&open, Direction::Write, &buffers)
}

/// readv(2).
pub(super) fn readv([number, vector, count, ..]: Arguments) -> Answer {
    let open = readable(number)?;
    let buffers = vector::reachable(vector, count)?;
    unless_empty(&buffers, || at_position(&open, Direction::Read, &buffers))
}

/// writev(2).
pub(super) fn writev([number, vector, count, ..]: Arguments) -> Answer {
    let open = writable(number)?;
    let buffers = vector::reachable(vector, count)?;
    unless_empty(&buffers, || at_position(&open, Direction::Write, &buffers))
}

/// pread(2).
pub(super) fn pread64([number, buffer, length, offset, ..]: Arguments) -> Answer {
    let place = seekable(number, offset)?;
    place.check_readable()?;
    let buffers = one_buffer(buffer, length)?;
    transfer(&place, Direction::Read, offset, &buffers)
}

/// pwrite(2).
pub(super) fn pwrite64([number, buffer, length, offset, ..]: Arguments) -> Answer {
    let place = seekable(number, offset)?;
    place.check_writable()?;
    let buffers = one_buffer(buffer, length)?;
    transfer(&place, Direction::Write, offset, &buffers)
}

/// preadv(2).
pub(super) fn preadv([number, vector, count, offset, ..]: Arguments) -> Answer {
    let place = seekable(number, offset)?;
    place.check_readable()?;
    let buffers = vector::reachable(vector, count)?;
    unless_empty(&buffers, || {
        transfer(&place, Direction::Read, offset, &buffers)
    })
}

/// pwritev(2).
pub(super) fn pwritev([number, vector, count, offset, ..]: Arguments) -> Answer {
    let place = seekable(number, offset)?;
    place.check_writable()?;
    let buffers = vector::reachable(vector, count)?;
    unless_empty(&buffers, || {
        transfer(&place, Direction::Write, offset, &buffers)
    })
}

/// A vector without bytes is nobody's business: the file is not asked, whatever it is.
fn unless_empty(buffers: &[Buffer], transfer: impl FnOnce() -> Answer) -> Answer {
    if buffers.iter().all(|[_, length]| *length == 0) {
        Ok(0)
    } else {
        transfer()
    }
}

pub(super) type Open = Arc<OpenFile>;

pub(super) fn readable(number: u64) -> Result<Open, Errno> {
    let open = descriptor(number)?.file;
    open.check_readable()?;
    Ok(open)
}

pub(super) fn writable(number: u64) -> Result<Open, Errno> {
    let open = descriptor(number)?.file;
    open.check_writable()?;
    Ok(open)
}

/// The file to be used at `offset`.
pub(super) fn seekable(number: u64, offset: u64) -> Result<Open, Errno> {
    if (offset as i64) < 0 {
        return Err(Errno::EINVAL);
    }
    let open = descriptor(number)?.file;
    match open.kind.order() {
        Order::Random(_) | Order::Endless => Ok(open),
        Order::Stream => Err(Errno::ESPIPE),
    }
}

/// Which way bytes go.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// To ring 3.
    Read,
    /// From it.
    Write,
}

/// What a call does that the open file's flags or its own say.
#[derive(Clone, Copy)]
pub(super) struct Rules {
    pub(super) does_wait: bool,
    pub(super) appends: bool,
    /// What is written survives the loss of power before the call is over.
    pub(super) syncs: bool,
}

impl Rules {
    /// As the flags of `open` have it.
    pub(super) fn of(open: &OpenFile) -> Self {
        Self {
            does_wait: !open.is_nonblocking(),
            appends: open.flags() & O_APPEND != 0,
            syncs: open.flags() & O_DSYNC != 0,
        }
    }
}

/// Transfers at the file's position, and moves that on.
fn at_position(open: &OpenFile, direction: Direction, buffers: &[Buffer]) -> Answer {
    at_position_by(open, direction, buffers, Rules::of(open))
}

/// The same by other rules.
pub(super) fn at_position_by(
    open: &OpenFile,
    direction: Direction,
    list: &[Buffer],
    rules: Rules,
) -> Answer {
    let _turn = open.position_turn();
    let mut position = open.position();
    let mut buffers = Buffers::new(list);
    let count = transfer_by(open, direction, &mut position, &mut buffers, rules)?;
    if open.kind.order() != Order::Stream {
        open.set_position(position + count);
    }
    Ok(count)
}

/// Transfers from `at` on, whatever the file's position is.
fn transfer(open: &OpenFile, direction: Direction, mut at: u64, list: &[Buffer]) -> Answer {
    let mut buffers = Buffers::new(list);
    transfer_by(open, direction, &mut at, &mut buffers, Rules::of(open))
}

/// Transfers as much as the call is to: a read what there is, a write all of it.
pub(super) fn transfer_by(
    open: &OpenFile,
    direction: Direction,
    at: &mut u64,
    buffers: &mut Buffers<'_>,
    rules: Rules,
) -> Answer {
    // As on Linux before anything is known of where an append begins.
    if open.kind.order() != Order::Stream && (at.wrapping_add(buffers.left()) as i64) < 0 {
        return Err(Errno::EINVAL);
    }
    let writers_turn = match direction {
        Direction::Write => open.kind.writers_turn(),
        Direction::Read => None,
    };
    if direction == Direction::Write {
        prepare_write(open, at, buffers, rules)?;
    }
    let at = *at;
    let soon = timer::nanoseconds() + SOON;
    let is_direct = open.flags() & O_DIRECT != 0 && !buffers.is_own();
    let end = loop {
        let place = at + buffers.moved();
        let step = match direction {
            Direction::Read if is_direct => open.kind.read_direct(place, buffers),
            Direction::Write if is_direct => open.kind.write_direct(place, buffers),
            Direction::Read => open.kind.read(place, buffers),
            Direction::Write => open.kind.write(place, buffers),
        };
        match step {
            Ok(Step::Done) => break Ok(()),
            Ok(Step::More) if buffers.left() == 0 => break Ok(()),
            Ok(Step::More) => sched::breathe(),
            Ok(Step::Blocked) if direction == Direction::Read && buffers.moved() > 0 => {
                break Ok(());
            }
            Ok(Step::Blocked) if !rules.does_wait => break Err(Errno::EAGAIN),
            Ok(Step::Blocked) if signal::interrupted() => break Err(Errno::ERESTARTSYS),
            Ok(Step::Blocked) => wait(&open.kind, direction, soon),
            Err(errno) => break Err(errno),
        }
        if signal::is_dying() {
            break Err(Errno::ERESTARTSYS);
        }
    };
    drop(writers_turn);
    if rules.syncs && direction == Direction::Write && buffers.moved() > 0 {
        open.sync(&(at..at + buffers.moved()))?;
    }
    if end == Err(Errno::EPIPE) {
        signal::send_to_self(SIGPIPE);
    }
    match end {
        Err(errno) if buffers.moved() == 0 => Err(errno),
        _ => Ok(buffers.moved()),
    }
}

/// How long a reader asks a device again and again before it sleeps: a sender in full flow fills the port's few bytes much
/// faster than the timer ticks. In nanoseconds.
const SOON: u64 = 2_000_000;

/// Lets others run until the transfer may be able to go on.
fn wait(kind: &dyn Kind, direction: Direction, soon: u64) {
    let now = timer::nanoseconds();
    match kind.wakes() {
        Wakes::Change(key) => {
            let is_ready = || match direction {
                Direction::Read => kind.ready() & (POLLIN | POLLHUP) != 0,
                Direction::Write => kind.ready() & (POLLOUT | POLLERR) != 0,
            };
            waiting::wait(key, None, || is_ready() || signal::interrupted());
        }
        // What takes output is busy for less than a tick.
        Wakes::Device if direction == Direction::Write || now < soon => sched::yield_now(),
        Wakes::Device => sched::park_until(now + timer::tick_nanoseconds()),
    }
}

/// Where a write to a regular file begins, and how far RLIMIT_FSIZE lets it go.
fn prepare_write(
    open: &OpenFile,
    at: &mut u64,
    buffers: &mut Buffers<'_>,
    rules: Rules,
) -> Result<(), Errno> {
    if !open.kind.is_regular() || buffers.left() == 0 {
        return Ok(());
    }
    if rules.appends
        && let Order::Random(size) = open.kind.order()
    {
        *at = size;
    }
    let limit = current().limits().file_size();
    if *at >= limit {
        signal::send_to_self(SIGXFSZ);
        return Err(Errno::EFBIG);
    }
    buffers.limit(limit - *at);
    Ok(())
}

fn one_buffer(buffer: u64, length: u64) -> Result<[Buffer; 1], Errno> {
    check_range(buffer, length)?;
    Ok([[buffer, length.min(MAX_COUNT)]])
}
