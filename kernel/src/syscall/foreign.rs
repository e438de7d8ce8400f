//! process_vm_readv(2) and process_vm_writev(2): bytes from one process's memory to another's, without a detour.
use alloc::vec::Vec;

use abi::Errno;
use mm::PAGE_SIZE;
use mm::foreign::Right;

use super::{Answer, Arguments, vector};
use crate::fault;
use crate::fs::buffers::{Buffer, Buffers};
use crate::process::capabilities::Looking;
use crate::process::{Space, current, sched, signal, table};

/// Which way bytes go.
#[derive(Clone, Copy)]
enum Direction {
    FromThem,
    ToThem,
}

/// process_vm_readv(2).
pub(super) fn process_vm_readv(arguments: Arguments) -> Answer {
    process_vm(arguments, Direction::FromThem)
}

/// process_vm_writev(2).
pub(super) fn process_vm_writev(arguments: Arguments) -> Answer {
    process_vm(arguments, Direction::ToThem)
}

fn process_vm(
    [pid, ours, our_count, theirs, their_count, flags]: Arguments,
    direction: Direction,
) -> Answer {
    if flags != 0 {
        return Err(Errno::EINVAL);
    }
    let ours = vector::reachable(ours, our_count)?;
    let mut ours = Buffers::new(&ours);
    if ours.left() == 0 {
        return Ok(0);
    }
    let theirs = vector::any(theirs, their_count)?;
    if theirs.iter().all(|[_, length]| *length == 0) {
        return Ok(0);
    }
    let process = table::find(pid as u32).ok_or(Errno::ESRCH)?;
    let space = process.space().ok_or(Errno::ESRCH)?;
    if !current().may_look_into(&process, Looking::Call) {
        return Err(Errno::EPERM);
    }
    let end = theirs
        .iter()
        .try_for_each(|buffer| move_buffer(&space, *buffer, &mut ours, direction));
    match end {
        Err(errno) if ours.moved() == 0 => Err(errno),
        _ => Ok(ours.moved()),
    }
}

/// Moves what one of their buffers and the rest of ours have in common, a page at a time.
fn move_buffer(
    space: &Space,
    [mut address, mut length]: Buffer,
    ours: &mut Buffers<'_>,
    direction: Direction,
) -> Result<(), Errno> {
    let mut piece = room()?;
    while length > 0 && ours.left() > 0 {
        let count = (PAGE_SIZE - address % PAGE_SIZE)
            .min(length)
            .min(ours.left());
        let piece = &mut piece[..count as usize];
        match direction {
            Direction::FromThem => read_all(space, address, piece, ours)?,
            Direction::ToThem => write_all(space, address, piece, ours)?,
        }
        (address, length) = (address.wrapping_add(count), length - count);
        sched::breathe();
        if signal::is_dying() {
            return Err(Errno::EINTR);
        }
    }
    Ok(())
}

fn read_all(space: &Space, at: u64, piece: &mut [u8], ours: &mut Buffers<'_>) -> Result<(), Errno> {
    fault::read_foreign(space, at, piece, Right::Granted)?;
    let filled = ours.fill(piece)?;
    whole(filled, piece)
}

fn write_all(
    space: &Space,
    at: u64,
    piece: &mut [u8],
    ours: &mut Buffers<'_>,
) -> Result<(), Errno> {
    // Their page comes first, as on Linux: where it can't be had, nothing of ours was moved.
    let before = *ours;
    let taken = ours.take(piece)?;
    if let Err(errno) = fault::write_foreign(space, at, &piece[..taken], Right::Granted) {
        *ours = before;
        return Err(errno);
    }
    whole(taken, piece)
}

/// The rest of ours can't be reached.
fn whole(moved: usize, piece: &[u8]) -> Result<(), Errno> {
    if moved == piece.len() {
        Ok(())
    } else {
        Err(Errno::EFAULT)
    }
}

/// A page to carry bytes in.
fn room() -> Result<Vec<u8>, Errno> {
    let mut room = Vec::new();
    room.try_reserve_exact(PAGE_SIZE as usize)
        .map_err(|_| Errno::ENOMEM)?;
    room.resize(PAGE_SIZE as usize, 0);
    Ok(room)
}
