//! Pages in and out of pipes without ring 3 in between: `splice`, `tee`, `vmsplice`. They are copied, which nobody but the
//! clock can tell, except that pages given by `vmsplice` are what they were at the call.
use abi::Errno;
use abi::general::{
    O_APPEND, SIGPIPE, SPLICE_F_GIFT, SPLICE_F_MORE, SPLICE_F_MOVE, SPLICE_F_NONBLOCK,
};

use super::cursor::Cursor;
use super::file::{Direction, Rules, at_position_by, descriptor};
use super::{Answer, Arguments, copying, vector};
use crate::fs::buffers::Buffers;
use crate::fs::open::{OpenFile, Step};
use crate::fs::pipe::{Lent, PAGE, Pipe, Put, Slot, Write};
use crate::process::{signal, waiting};

const FLAGS: u32 = SPLICE_F_MOVE | SPLICE_F_NONBLOCK | SPLICE_F_MORE | SPLICE_F_GIFT;

/// What to do where a pipe is full, or empty.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    Refuse,
    Wait,
}

impl Patience {
    /// Whoever says that it must not wait has it so.
    pub(super) fn of(flags: u32, files: &[&OpenFile]) -> Self {
        if flags & SPLICE_F_NONBLOCK != 0 || files.iter().any(|file| file.is_nonblocking()) {
            Self::Refuse
        } else {
            Self::Wait
        }
    }
}

/// splice(2).
pub(super) fn splice([from, from_at, to, to_at, length, flags]: Arguments) -> Answer {
    let flags = flags as u32;
    if length == 0 {
        return Ok(0);
    }
    if flags & !FLAGS != 0 {
        return Err(Errno::EINVAL);
    }
    let (from, to) = (&*descriptor(from)?.file, &*descriptor(to)?.file);
    let pipes = (from.kind.pipe(), to.kind.pipe());
    if from_at != 0 && pipes.0.is_some() || to_at != 0 && pipes.1.is_some() {
        return Err(Errno::ESPIPE);
    }
    from.check_readable()?;
    to.check_writable()?;
    match pipes {
        (Some(from_pipe), Some(to_pipe)) => {
            between(from_pipe, to_pipe, length, Patience::of(flags, &[from, to]))
        }
        (Some(pipe), None) => {
            let mut cursor = Cursor::new(to, to_at, Errno::EINVAL)?;
            if to.flags() & O_APPEND != 0 {
                return Err(Errno::EINVAL);
            }
            cursor.check(length)?;
            let moved = out(pipe, &mut cursor, length, Patience::of(flags, &[from]))?;
            cursor.keep().map(|()| moved)
        }
        (None, Some(pipe)) => {
            let mut cursor = Cursor::new(from, from_at, Errno::EINVAL)?;
            cursor.check(length)?;
            if copying::is_folder(from) {
                return Err(Errno::EINVAL);
            }
            let moved = into(&mut cursor, pipe, length, Patience::of(flags, &[to]))?;
            cursor.keep().map(|()| moved)
        }
        (None, None) => Err(Errno::EINVAL),
    }
}

/// tee(2).
pub(super) fn tee([from, to, length, flags, ..]: Arguments) -> Answer {
    let flags = flags as u32;
    if flags & !FLAGS != 0 {
        return Err(Errno::EINVAL);
    }
    if length == 0 {
        return Ok(0);
    }
    let (from, to) = (&*descriptor(from)?.file, &*descriptor(to)?.file);
    from.check_readable()?;
    to.check_writable()?;
    let (Some(from_pipe), Some(to_pipe)) = (from.kind.pipe(), to.kind.pipe()) else {
        return Err(Errno::EINVAL);
    };
    if core::ptr::eq(from_pipe, to_pipe) {
        return Err(Errno::EINVAL);
    }
    let patience = Patience::of(flags, &[from, to]);
    await_bytes(from_pipe, patience)?;
    await_room(to_pipe, patience)?;
    let mut moved = 0;
    for number in 0.. {
        let most = (length - moved).min(PAGE as u64) as usize;
        if most == 0 || to_pipe.room() != Ok(Step::More) {
            break;
        }
        let Some(copy) = from_pipe.duplicate(number, most) else {
            break;
        };
        let copy = copy?;
        moved += copy.unread().len() as u64;
        put(to_pipe, copy)?;
    }
    Ok(moved)
}

/// vmsplice(2).
pub(super) fn vmsplice([number, vector, count, flags, ..]: Arguments) -> Answer {
    let flags = flags as u32;
    if flags & !FLAGS != 0 {
        return Err(Errno::EINVAL);
    }
    let open = descriptor(number)?.file;
    let list = vector::reachable(vector, count)?;
    let mut buffers = Buffers::new(&list);
    let pipe = open.kind.pipe().ok_or(Errno::EBADF)?;
    if buffers.left() == 0 {
        return Ok(0);
    }
    let patience = Patience::of(flags, &[]);
    if open.check_writable().is_err() {
        let rules = Rules {
            does_wait: patience == Patience::Wait,
            appends: false,
            syncs: false,
        };
        return at_position_by(&open, Direction::Read, &list, rules);
    }
    await_room(pipe, patience)?;
    while buffers.left() > 0 && pipe.room() == Ok(Step::More) {
        let mut slot = new_page()?;
        match buffers.take(slot.room()) {
            Ok(count) => slot.set_filled(count),
            Err(errno) if buffers.moved() == 0 => return Err(errno),
            Err(_) => break,
        }
        put(pipe, slot)?;
    }
    Ok(buffers.moved())
}

fn new_page() -> Result<Slot, Errno> {
    Slot::try_new(Write::Pages).map_err(|_| Errno::ENOMEM)
}

/// Moves bytes of a file into a pipe, as many as it has room for.
pub(super) fn into(from: &mut Cursor<'_>, pipe: &Pipe, length: u64, patience: Patience) -> Answer {
    await_room(pipe, patience)?;
    let mut moved = 0;
    while moved < length && pipe.room() == Ok(Step::More) {
        // Pages of the file stay pages in the pipe.
        let page = PAGE as u64;
        let most = (page - from.at % page).min(length - moved);
        let mut slot = new_page()?;
        let cells = slot.room_cells(most as usize);
        let count = match from.transfer(Direction::Read, Buffers::own(cells)) {
            Ok(0) => break,
            Ok(count) => count,
            Err(errno) if moved == 0 => return Err(errno),
            Err(_) => break,
        };
        slot.set_filled(count as usize);
        put(pipe, slot)?;
        moved += count;
    }
    Ok(moved)
}

/// Moves bytes of a pipe into a file.
fn out(pipe: &Pipe, to: &mut Cursor<'_>, length: u64, patience: Patience) -> Answer {
    let mut moved = 0;
    while moved < length {
        let mut slot = match pipe.lend() {
            Lent::Slot(slot) => slot,
            Lent::End => break,
            Lent::Nothing if moved > 0 => break,
            Lent::Nothing => {
                await_bytes(pipe, patience)?;
                continue;
            }
        };
        let cells = slot.unread_cells();
        let most = cells.len().min((length - moved) as usize);
        let written = to.transfer(Direction::Write, Buffers::own(&cells[..most]));
        slot.consume(written.unwrap_or(0) as usize);
        pipe.give_back(slot);
        match written {
            Ok(count) => moved += count,
            Err(errno) if moved == 0 => return Err(errno),
            Err(_) => break,
        }
    }
    Ok(moved)
}

/// Moves bytes of one pipe into another.
fn between(from: &Pipe, to: &Pipe, length: u64, patience: Patience) -> Answer {
    if core::ptr::eq(from, to) {
        return Err(Errno::EINVAL);
    }
    await_bytes(from, patience)?;
    await_room(to, patience)?;
    let mut moved = 0;
    while moved < length && to.room() == Ok(Step::More) {
        let most = (length - moved).min(PAGE as u64) as usize;
        match from.hand_on(most, |page| put(to, page)) {
            Ok(Some(count)) => moved += count as u64,
            Ok(None) => break,
            Err(errno) if moved == 0 => return Err(errno),
            Err(_) => break,
        }
    }
    Ok(moved)
}

/// Puts a page in, for which there was room a moment ago.
fn put(pipe: &Pipe, mut slot: Slot) -> Result<(), Errno> {
    loop {
        match pipe.put(slot)? {
            Put::In => return Ok(()),
            Put::Full(again) => slot = again,
        }
        await_room(pipe, Patience::Wait)?;
    }
}

/// Waits until a page fits. Where nobody reads the caller gets the signal, too.
fn await_room(pipe: &Pipe, patience: Patience) -> Result<(), Errno> {
    while pipe.room().inspect_err(|_| signal::send_to_self(SIGPIPE))? == Step::Blocked {
        wait(pipe, patience, || pipe.room() != Ok(Step::Blocked))?;
    }
    Ok(())
}

/// Waits until there are bytes, or nobody can write any.
fn await_bytes(pipe: &Pipe, patience: Patience) -> Result<(), Errno> {
    while !pipe.has_news() {
        wait(pipe, patience, || pipe.has_news())?;
    }
    Ok(())
}

fn wait(pipe: &Pipe, patience: Patience, is_over: impl Fn() -> bool) -> Result<(), Errno> {
    if patience == Patience::Refuse {
        return Err(Errno::EAGAIN);
    }
    if signal::interrupted() {
        return Err(Errno::ERESTARTSYS);
    }
    waiting::wait(pipe.key(), None, || is_over() || signal::interrupted());
    Ok(())
}
