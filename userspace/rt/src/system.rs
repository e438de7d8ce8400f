//! The system as a whole: its name, its memory, its end, and the thread pointer.
#![expect(unsafe_code, reason = "sysinfo fills a structure")]

use core::mem::MaybeUninit;

use abi::general::{LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2};
use abi::system::{new_utsname, sysinfo};
use abi::{Errno, Sysno, arch_prctl};

use crate::syscall::call;

/// What the kernel calls itself.
pub fn uname() -> Result<new_utsname, Errno> {
    const BLANK: [i8; 65] = [0; 65];
    let mut name = new_utsname {
        sysname: BLANK,
        nodename: BLANK,
        release: BLANK,
        version: BLANK,
        machine: BLANK,
        domainname: BLANK,
    };
    call(Sysno::uname, [&raw mut name as usize])?;
    Ok(name)
}

/// Bytes of memory that the machine has.
pub fn total_memory() -> Result<usize, Errno> {
    let mut info = MaybeUninit::<sysinfo>::zeroed();
    call(Sysno::sysinfo, [info.as_mut_ptr() as usize])?;
    // SAFETY: `sysinfo` is made of integers only, for which zeros are a value; the kernel overwrote them.
    let info = unsafe { info.assume_init() };
    Ok(info.totalram as usize * info.mem_unit as usize)
}

/// The limit of a resource: what holds now, and the highest to which it may be raised.
pub fn limit(resource: u32) -> Result<(usize, usize), Errno> {
    let mut words = [0usize; 2];
    call(
        Sysno::getrlimit,
        [resource as usize, words.as_mut_ptr() as usize],
    )?;
    Ok((words[0], words[1]))
}

/// Sets both.
pub fn set_limit(resource: u32, soft: usize, hard: usize) -> Result<(), Errno> {
    let words = [soft, hard];
    let address = words.as_ptr() as usize;
    call(Sysno::setrlimit, [resource as usize, address]).map(drop)
}

/// Ends or restarts the machine; `command` is one of `LINUX_REBOOT_CMD_*`.
pub fn reboot(command: u32) -> Result<(), Errno> {
    call(
        Sysno::reboot,
        [
            LINUX_REBOOT_MAGIC1 as usize,
            LINUX_REBOOT_MAGIC2 as usize,
            command as usize,
        ],
    )
    .map(drop)
}

/// Sets the base of FS, where a C library keeps its thread pointer; this runtime has no use for it.
pub fn set_fs(base: usize) -> Result<(), Errno> {
    call(Sysno::arch_prctl, [arch_prctl::ARCH_SET_FS as usize, base]).map(drop)
}

/// The base of FS, as the kernel tells it.
pub fn fs() -> Result<usize, Errno> {
    let mut base = 0usize;
    call(
        Sysno::arch_prctl,
        [arch_prctl::ARCH_GET_FS as usize, &raw mut base as usize],
    )?;
    Ok(base)
}
