//! Counting page faults exactly.
//!
//! A program that counts the faults of its own stores also faults on its own code, data and stack, whenever it comes
//! upon a page of them for the first time since `execve` or `fork`. How many these are depends on the linker and on how
//! far the kernel maps around a fault. So [`minor`] touches all of those pages first; what remains is the mapping under
//! study, and that number is the same on every kernel.
#![expect(
    unsafe_code,
    reason = "reads the program's own headers, and lets the kernel fill a structure"
)]

use core::mem::MaybeUninit;
use core::slice;
use core::time::Duration;

use abi::elf::{Elf_Phdr, PF_W, PT_LOAD};
use abi::{Errno, Sysno, auxvec, general};

use crate::memory::PAGE;
use crate::syscall::call;
use crate::{env, probe};

/// How far down the stack is touched before counting: much more than these programs' calls need.
const STACK_PAGES: usize = 8;

/// What a process has used.
#[derive(Clone, Copy)]
pub struct Usage {
    /// Faults served without reading from a disk.
    pub minor_faults: u64,
    /// Faults that had to read.
    pub major_faults: u64,
    /// Processor time, in the program and in the kernel on its behalf.
    pub processor_time: Duration,
    /// Context switches because it waited.
    pub waits: u64,
    /// Context switches because others were to run.
    pub preemptions: u64,
}

impl From<general::rusage> for Usage {
    fn from(raw: general::rusage) -> Self {
        let time = |t: general::__kernel_old_timeval| {
            Duration::new(t.tv_sec as u64, t.tv_usec as u32 * 1000)
        };
        Self {
            minor_faults: raw.ru_minflt as u64,
            major_faults: raw.ru_majflt as u64,
            processor_time: time(raw.ru_utime) + time(raw.ru_stime),
            waits: raw.ru_nvcsw as u64,
            preemptions: raw.ru_nivcsw as u64,
        }
    }
}

/// What `who` has used: `RUSAGE_SELF` (0), or the children waited for (`RUSAGE_CHILDREN`, -1).
pub fn usage(who: i32) -> Result<Usage, Errno> {
    let mut raw = MaybeUninit::<general::rusage>::zeroed();
    call(Sysno::getrusage, [who as usize, raw.as_mut_ptr() as usize])?;
    // SAFETY: `rusage` is made of integers only, for which zeros are a value; the kernel overwrote them.
    Ok(Usage::from(unsafe { raw.assume_init() }))
}

/// How many minor faults `action` takes.
///
/// # Panics
/// If the kernel can't tell.
pub fn minor(action: impl FnOnce()) -> u64 {
    let so_far = || {
        usage(general::RUSAGE_SELF as i32)
            .expect("getrusage")
            .minor_faults
    };
    touch_program();
    let before = so_far();
    action();
    so_far() - before
}

/// Touches each page of the program's image, and the stretch of stack below the caller, as the program itself may do.
fn touch_program() {
    for segment in segments() {
        let first = segment.p_vaddr & !(PAGE - 1);
        let touch = if segment.p_flags & PF_W != 0 {
            probe::rewrite
        } else {
            |address| _ = probe::load(address)
        };
        (first..segment.p_vaddr + segment.p_memsz)
            .step_by(PAGE)
            .for_each(touch);
    }
    let here = 0u8;
    let stack = &raw const here as usize;
    (0..STACK_PAGES).for_each(|page| probe::rewrite(stack - page * PAGE));
}

/// The parts of the program's file that the kernel mapped.
fn segments() -> impl Iterator<Item = &'static Elf_Phdr> {
    let address = env::auxiliary_value(auxvec::AT_PHDR).expect("AT_PHDR");
    let count = env::auxiliary_value(auxvec::AT_PHNUM).expect("AT_PHNUM");
    // SAFETY: the kernel says that `count` program headers, which nobody changes, are mapped there.
    let headers = unsafe { slice::from_raw_parts(address as *const Elf_Phdr, count) };
    headers.iter().filter(|header| header.p_type == PT_LOAD)
}
