//! The registers in which the processor reports errors of its own, of memory and of buses.
//!
//! Errors that it can't correct arrive as an exception, once CR4 says so (`features.rs`) and every bank is told to report;
//! there is no way on from them here, so `report` says what the banks hold and that is the end. What they hold already at
//! boot is what ended the machine last time: it is logged, and only then are they cleared.
use core::arch::x86_64::__cpuid;

use x86_64::registers::model_specific::Msr;

use super::features::{Features, has};
use crate::machine_check::{Bank, Global, Part};

const CAPABILITIES: u32 = 0x179;
const GLOBAL_STATUS: u32 = 0x17a;
const GLOBAL_CONTROL: u32 = 0x17b;
const FIRST_BANK: u32 = 0x400;

/// In the capabilities: how many banks, and whether there is [`GLOBAL_CONTROL`].
const COUNT: u64 = 0xff;
const HAS_CONTROL: u64 = 1 << 8;

/// Banks of which the numbers of registers are certain.
const MOST: usize = 28;

/// A bank's registers, from its first on.
const CONTROL: u32 = 0;
const STATUS: u32 = 1;
const ADDRESS: u32 = 2;
const DETAIL: u32 = 3;

/// Tells what is left of an error that nobody could tell of, and switches the reporting on. On every CPU, when there is a
/// log.
pub(super) fn init() {
    if !has(Features::MCE | Features::MCA) {
        return;
    }
    for bank in banks() {
        log::warn!("an error from before this boot is in the machine-check registers: {bank}");
    }
    if read(CAPABILITIES) & HAS_CONTROL != 0 {
        write(GLOBAL_CONTROL, u64::MAX);
    }
    for number in 0..count() {
        write(register(number, STATUS), 0);
        if number > 0 || !is_old_p6() {
            write(register(number, CONTROL), u64::MAX);
        }
    }
}

/// Intel's processors of the sixth family before 2008, where the control of bank 0 belongs to firmware.
fn is_old_p6() -> bool {
    let version = __cpuid(1).eax;
    let (family, model) = (version >> 8 & 15, version >> 4 & 15 | version >> 12 & 0xf0);
    family == 6 && model < 0x1a
}

/// Lines for a report: what the processor says of the exception, and each bank that holds something.
pub(super) fn tell() {
    if !has(Features::MCE | Features::MCA) {
        return;
    }
    log::error!("machine check: {}", Global(read(GLOBAL_STATUS)));
    for bank in banks() {
        log::error!("machine check: {bank}");
    }
}

fn banks() -> impl Iterator<Item = Bank> {
    (0..count()).filter_map(|number| {
        Bank::read(number, read(register(number, STATUS)), |part| {
            read(register(
                number,
                match part {
                    Part::Address => ADDRESS,
                    Part::Detail => DETAIL,
                },
            ))
        })
    })
}

fn count() -> usize {
    ((read(CAPABILITIES) & COUNT) as usize).min(MOST)
}

fn register(bank: usize, which: u32) -> u32 {
    FIRST_BANK + 4 * bank as u32 + which
}

fn read(register: u32) -> u64 {
    // SAFETY: the processor has the machine-check architecture (asked in `init` and `tell`), and this bank or, by its
    // status, this register of the bank; reading changes nothing.
    unsafe { Msr::new(register).read() }
}

fn write(register: u32, value: u64) {
    // SAFETY: as in `read`; the values are the only ones that the manual allows in each of these registers but
    // capabilities.
    unsafe { Msr::new(register).write(value) };
}
