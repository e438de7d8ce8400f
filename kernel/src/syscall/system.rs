//! The machine as a whole: its name, its memory, chance, and its end.
use abi::Errno;
use abi::general::CAP_SYS_BOOT;

use super::{Answer, Arguments, user};
use crate::arch::memory::memory;
use crate::arch::{exit, timer};
use crate::fs::paged;
use crate::process::{current, sched, signal, table};
use crate::{random, trace};

/// System, host, release, version, machine, domain. The release is that of the Linux whose behaviour this kernel keeps.
pub(crate) const NAME: [&str; 6] = [
    "Linux",
    "faultline",
    "6.18.0-faultline",
    "#1",
    "x86_64",
    "(none)",
];

/// uname(2).
pub(super) fn uname([name, ..]: Arguments) -> Answer {
    const FIELD: usize = 65;
    let mut bytes = [0; FIELD * 6];
    for (place, field) in bytes.chunks_exact_mut(FIELD).zip(NAME) {
        place[..field.len()].copy_from_slice(field.as_bytes());
    }
    user::write_bytes(name, &bytes)?;
    Ok(0)
}

/// sysinfo(2).
pub(super) fn sysinfo([info, ..]: Arguments) -> Answer {
    let memory = memory();
    let mut words = [0; 14];
    words[0] = timer::nanoseconds() / 1_000_000_000;
    words[4] = memory.managed_frames() as u64 * mm::PAGE_SIZE;
    words[5] = memory.free_frames() as u64 * mm::PAGE_SIZE;
    words[10] = table::count() as u64;
    // Behind the counts of high memory, which is none, stands the unit of all sizes: 32 bits, then padding.
    words[13] = 1;
    user::write_words(info, words)?;
    Ok(0)
}

/// getrandom(2).
pub(super) fn getrandom([buffer, length, flags, ..]: Arguments) -> Answer {
    const NONBLOCK_RANDOM_INSECURE: u64 = 7;
    if flags & !NONBLOCK_RANDOM_INSECURE != 0 || flags & 6 == 6 {
        return Err(Errno::EINVAL);
    }
    let length = length.min(i32::MAX as u64);
    let mut done = 0;
    while done < length {
        let mut piece = [0; 256];
        let count = (length - done).min(piece.len() as u64);
        random::fill(&mut piece[..count as usize]);
        match user::write_bytes(buffer.wrapping_add(done), &piece[..count as usize]) {
            Ok(()) => done += count,
            Err(errno) if done == 0 => return Err(errno),
            Err(_) => break,
        }
        sched::breathe();
        if signal::interrupted() {
            break;
        }
    }
    Ok(done)
}

/// reboot(2).
pub(super) fn reboot([magic, magic2, command, ..]: Arguments) -> Answer {
    const MAGIC: u32 = 0xfee1_dead;
    const MAGIC2: [u32; 4] = [672_274_793, 85_072_278, 369_367_448, 537_993_216];
    const RESTART: u32 = 0x0123_4567;
    const HALT: u32 = 0xcdef_0123;
    const POWER_OFF: u32 = 0x4321_fedc;
    if !current().may(CAP_SYS_BOOT) {
        return Err(Errno::EPERM);
    }
    if magic as u32 != MAGIC || !MAGIC2.contains(&(magic2 as u32)) {
        return Err(Errno::EINVAL);
    }
    trace::write_all();
    if matches!(command as u32, RESTART | HALT | POWER_OFF) {
        // Linux leaves this to whoever asks; what was stored is too much to lose for his haste.
        paged::sync_all();
    }
    match command as u32 {
        RESTART => exit::restart(),
        HALT => exit::halt(),
        POWER_OFF => exit::power_off(),
        // Whether Ctrl-Alt-Delete restarts: it doesn't.
        0x0000_0000 | 0x89ab_cdef => Ok(0),
        _ => Err(Errno::EINVAL),
    }
}
