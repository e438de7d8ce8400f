//! `ioctl`: how many bytes wait, and what a terminal is asked. Only a console that claims to be one answers; disks have
//! questions of their own.
use abi::Errno;
use abi::ioctl::FIONREAD;

use super::file::descriptor;
use super::{Answer, Arguments, disk, user};
use crate::fs::stream::is_terminal;

/// ioctl(2).
pub(super) fn ioctl([number, request, argument, ..]: Arguments) -> Answer {
    const TCGETS: u64 = 0x5401;
    const TIOCGWINSZ: u64 = 0x5413;
    let open = descriptor(number)?.file;
    if request as u32 == FIONREAD
        && let Some(unread) = open.kind.unread(open.position())
    {
        return user::write_bytes(argument, &(unread as u32).to_le_bytes()).map(|()| 0);
    }
    if let Some(volume) = open.kind.volume() {
        return disk::ioctl(volume, request, argument);
    }
    if !open.kind.is_console() || !is_terminal() {
        return Err(Errno::ENOTTY);
    }
    match request {
        TCGETS => user::write_bytes(argument, &cooked_terminal())?,
        // 24 rows of 80 columns, 16 bits each.
        TIOCGWINSZ => user::write_words(argument, [24 | 80 << 16])?,
        _ => return Err(Errno::ENOTTY),
    }
    Ok(0)
}

/// The kernel's `struct termios` of a terminal as Linux starts one: lines, echo, the usual control characters.
fn cooked_terminal() -> [u8; 36] {
    const MODES: [u32; 4] = [0x500, 0x5, 0xcbf, 0x8a3b];
    const CONTROL: [u8; 19] = [
        3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22, 0, 0, 0,
    ];
    let mut bytes = [0; 36];
    for (place, mode) in bytes.chunks_exact_mut(4).zip(MODES) {
        place.copy_from_slice(&mode.to_le_bytes());
    }
    bytes[17..].copy_from_slice(&CONTROL);
    bytes
}
