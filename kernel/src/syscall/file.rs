//! Bytes in and out of open files: `read`, `write`, their vectors, `lseek`.
use alloc::vec::Vec;
use core::sync::atomic::Ordering::Relaxed;

use abi::Errno;
use abi::general::{SEEK_CUR, SEEK_END, SEEK_SET};

use super::{Answer, Arguments, user};
use crate::arch::timer;
use crate::console::{self, Input};
use crate::fs::File;
use crate::fs::files::{Descriptor, Kind, OpenFile};
use crate::process::{current, sched, signal};

/// Most bytes that one call transfers: Linux's MAX_RW_COUNT.
const MAX_COUNT: u64 = 0x7fff_f000;

/// Bytes copied at a time.
const PIECE: usize = 512;

/// Most buffers in a vector.
const MAX_VECTOR: u64 = 1024;

/// What descriptor `number` of the running process stands for.
pub(super) fn descriptor(number: u64) -> Result<Descriptor, Errno> {
    current().files.get(u64::from(number as u32))
}

/// read(2).
pub(super) fn read([number, buffer, length, ..]: Arguments) -> Answer {
    let open = descriptor(number)?.file;
    check_range(buffer, length)?;
    read_into(&open, buffer, length.min(MAX_COUNT), Empty::Wait)
}

fn read_into(open: &OpenFile, buffer: u64, length: u64, empty: Empty) -> Answer {
    match &open.kind {
        Kind::Console => read_console(buffer, length, empty),
        Kind::File(file) => {
            let count = read_file(file, open.position.load(Relaxed), buffer, length)?;
            open.advance(count);
            Ok(count)
        }
    }
}

/// How long a reader asks again and again before it sleeps: a sender in full flow fills the port's few bytes much faster
/// than the timer ticks. In nanoseconds.
const SOON: u64 = 2_000_000;

/// Lets others run until the next look at the port: at once where input may come soon, else at the next tick.
fn wait_for_input(soon: u64) {
    let now = timer::nanoseconds();
    if now < soon {
        sched::yield_now();
    } else {
        sched::park_until(now + timer::tick_nanoseconds());
    }
}

/// Whether a read of a stream waits where nothing is there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Empty {
    Wait,
    Return,
}

/// Takes the input that is there, up to `length` bytes; where there is none, waits for some if `empty` says so.
fn read_console(buffer: u64, length: u64, mut empty: Empty) -> Answer {
    let mut done = 0;
    let soon = timer::nanoseconds() + SOON;
    while done < length {
        let mut piece = [0; PIECE];
        let want = (length - done).min(PIECE as u64) as usize;
        match console::read_available(&mut piece[..want]) {
            Input::Bytes(count) => {
                if let Err(errno) = user::write_bytes(buffer.wrapping_add(done), &piece[..count]) {
                    console::unread(&piece[..count]);
                    return if done == 0 { Err(errno) } else { Ok(done) };
                }
                done += count as u64;
                empty = Empty::Return;
            }
            Input::Empty if empty == Empty::Wait => {
                if signal::interrupted() {
                    return Err(Errno::ERESTARTSYS);
                }
                wait_for_input(soon);
            }
            Input::Empty | Input::Eof => break,
        }
    }
    Ok(done)
}

fn read_file(file: &File, offset: u64, buffer: u64, length: u64) -> Answer {
    if file.is_directory() {
        return Err(Errno::EISDIR);
    }
    let mut done = 0;
    while done < length {
        let mut piece = [0; PIECE];
        let want = (length - done).min(PIECE as u64) as usize;
        let count = file.read_at(offset.saturating_add(done), &mut piece[..want]);
        if count == 0 {
            break;
        }
        let copied = user::write_some(buffer.wrapping_add(done), &piece[..count]);
        done += copied as u64;
        if done == 0 {
            return Err(Errno::EFAULT);
        }
        if copied < count {
            break;
        }
    }
    Ok(done)
}

/// pread(2).
pub(super) fn pread64([number, buffer, length, offset, ..]: Arguments) -> Answer {
    if (offset as i64) < 0 {
        return Err(Errno::EINVAL);
    }
    match &descriptor(number)?.file.kind {
        Kind::Console => Err(Errno::ESPIPE),
        Kind::File(file) => {
            check_range(buffer, length)?;
            read_file(file, offset, buffer, length.min(MAX_COUNT))
        }
    }
}

/// write(2).
pub(super) fn write([number, buffer, length, ..]: Arguments) -> Answer {
    let open = descriptor(number)?.file;
    check_writable(&open)?;
    check_range(buffer, length)?;
    write_console(buffer, length.min(MAX_COUNT))
}

fn check_writable(open: &OpenFile) -> Result<(), Errno> {
    match open.kind {
        Kind::Console => Ok(()),
        Kind::File(_) => Err(Errno::EBADF),
    }
}

/// Writes all of it; up to the first byte that can't be read.
fn write_console(buffer: u64, length: u64) -> Answer {
    let mut done = 0;
    while done < length {
        let mut piece = [0; PIECE];
        let at = buffer.wrapping_add(done);
        let to_page_end = mm::PAGE_SIZE - at % mm::PAGE_SIZE;
        let count = (length - done).min(PIECE as u64).min(to_page_end) as usize;
        match user::read_bytes(at, &mut piece[..count]) {
            Ok(()) => {}
            Err(errno) if done == 0 => return Err(errno),
            Err(_) => break,
        }
        let sent = send(&piece[..count]) as u64;
        done += sent;
        if done == 0 {
            return Err(Errno::ERESTARTSYS);
        }
        if sent < count as u64 {
            break;
        }
    }
    Ok(done)
}

/// Hands bytes to the console; others run while it is busy. Returns how many it took before a signal came: one that only
/// wants a handler waits until the console is busy.
fn send(bytes: &[u8]) -> usize {
    let mut done = 0;
    while done < bytes.len() {
        let taken = console::write_some(&bytes[done..]);
        done += taken;
        sched::breathe();
        if taken == 0 && signal::interrupted() || signal::is_dying() {
            break;
        }
    }
    done
}

/// Refuses buffers that reach out of the user half, as Linux does before it touches them.
fn check_range(buffer: u64, length: u64) -> Result<(), Errno> {
    let end = buffer.checked_add(length).ok_or(Errno::EFAULT)?;
    if end <= mm::space::USER_END.address() {
        Ok(())
    } else {
        Err(Errno::EFAULT)
    }
}

/// readv(2).
pub(super) fn readv([number, vector, count, ..]: Arguments) -> Answer {
    let open = descriptor(number)?.file;
    let mut empty = Empty::Wait;
    each_buffer(vector, count, |buffer, length| {
        let count = read_into(&open, buffer, length, empty)?;
        if count > 0 {
            empty = Empty::Return;
        }
        Ok(count)
    })
}

/// writev(2).
pub(super) fn writev([number, vector, count, ..]: Arguments) -> Answer {
    let open = descriptor(number)?.file;
    check_writable(&open)?;
    each_buffer(vector, count, write_console)
}

/// Transfers the buffers of a vector one after another until one comes up short.
fn each_buffer(vector: u64, count: u64, mut transfer: impl FnMut(u64, u64) -> Answer) -> Answer {
    let buffers = read_vector(vector, count)?;
    let (mut done, mut before) = (0, 0);
    for [buffer, length] in buffers {
        match transfer(buffer, length) {
            Ok(count) => done += count,
            Err(errno) if done == 0 => return Err(errno),
            Err(_) => break,
        }
        before += length;
        if done < before {
            break;
        }
    }
    Ok(done)
}

/// Copies a vector in and checks it as a whole.
fn read_vector(vector: u64, count: u64) -> Result<Vec<[u64; 2]>, Errno> {
    if count > MAX_VECTOR {
        return Err(Errno::EINVAL);
    }
    let mut buffers = Vec::new();
    buffers
        .try_reserve_exact(count as usize)
        .map_err(|_| Errno::ENOMEM)?;
    let mut left = MAX_COUNT;
    for number in 0..count {
        let [buffer, length]: [u64; 2] = user::read_words(vector.wrapping_add(16 * number))?;
        if (length as i64) < 0 {
            return Err(Errno::EINVAL);
        }
        check_range(buffer, length)?;
        buffers.push([buffer, length.min(left)]);
        left -= length.min(left);
    }
    Ok(buffers)
}

/// lseek(2).
pub(super) fn lseek([number, offset, whence, ..]: Arguments) -> Answer {
    let open = descriptor(number)?.file;
    let Kind::File(file) = &open.kind else {
        return Err(Errno::ESPIPE);
    };
    let base = match whence as u32 {
        SEEK_SET => 0,
        SEEK_CUR => open.position.load(Relaxed) as i64,
        SEEK_END => file.size() as i64,
        _ => return Err(Errno::EINVAL),
    };
    let position = base.checked_add(offset as i64).ok_or(Errno::EOVERFLOW)?;
    let position = u64::try_from(position).map_err(|_| Errno::EINVAL)?;
    open.position.store(position, Relaxed);
    Ok(position)
}
