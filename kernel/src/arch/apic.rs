//! The local interrupt controller, one in each CPU: its timer interrupts, and devices do by messages that it takes.
//!
//! It is driven through MSRs where firmware turned x2APIC mode on (it can't be turned off without a reset), through
//! device memory otherwise. The two old controllers are moved out of the exceptions' way and masked.
use spin::Once;
use x86_64::instructions::port::Port;
use x86_64::registers::model_specific::Msr;

use super::idt::vector;
use super::paging::{Cache, ioremap};

/// How the registers are reached.
enum Registers {
    /// Device memory at this address.
    Memory(u64),
    Msr,
}

static REGISTERS: Once<Registers> = Once::new();

const ID: u32 = 0x20;
const TASK_PRIORITY: u32 = 0x80;
const END_OF_INTERRUPT: u32 = 0xb0;
const SPURIOUS: u32 = 0xf0;
const TIMER: u32 = 0x320;
const LINT0: u32 = 0x350;
const ERROR: u32 = 0x370;
const INITIAL_COUNT: u32 = 0x380;
const CURRENT_COUNT: u32 = 0x390;
const DIVIDE: u32 = 0x3e0;

const ENABLED: u32 = 1 << 8;
const MASKED: u32 = 1 << 16;
const PERIODIC: u32 = 1 << 17;
const DIVIDE_BY_16: u32 = 0b0011;

/// Turns the controller on, with everything masked.
pub(super) fn init() {
    mask_legacy();
    REGISTERS.call_once(find);
    write(TASK_PRIORITY, 0);
    write(SPURIOUS, ENABLED | vector::SPURIOUS as u32);
    for local in [TIMER, LINT0, ERROR] {
        write(local, MASKED | vector::SPURIOUS as u32);
    }
    write(DIVIDE, DIVIDE_BY_16);
}

/// Turns on what firmware left off, and says what the register that has it held before. Everything stays masked.
pub(super) fn switch_on() -> u64 {
    const BASE: Msr = Msr::new(0x1b);
    const GLOBAL_ENABLE: u64 = 1 << 11;
    let mut msr = BASE;
    // SAFETY: every x86-64 processor has this MSR.
    let base = unsafe { msr.read() };
    // SAFETY: only turns on what firmware left off; no interrupt is let in yet.
    unsafe { msr.write(base | GLOBAL_ENABLE) };
    base
}

fn find() -> Registers {
    const X2APIC: u64 = 1 << 10;
    let base = switch_on();
    if base & X2APIC != 0 {
        return Registers::Msr;
    }
    let at = ioremap(base & 0x000f_ffff_ffff_f000, 4096, Cache::Uncached)
        .expect("there is memory for one table");
    Registers::Memory(at as u64)
}

fn write(register: u32, value: u32) {
    match REGISTERS.get() {
        // SAFETY: the page is the controller's, mapped uncached for good; `register` lies in it.
        Some(Registers::Memory(base)) => unsafe {
            ((base + u64::from(register)) as *mut u32).write_volatile(value)
        },
        // SAFETY: x2APIC mode is on; the registers written here exist in it.
        Some(Registers::Msr) => unsafe {
            Msr::new(0x800 + (register >> 4)).write(u64::from(value))
        },
        None => {}
    }
}

fn read(register: u32) -> u32 {
    match REGISTERS.get() {
        // SAFETY: as in `write`.
        Some(Registers::Memory(base)) => unsafe {
            ((base + u64::from(register)) as *const u32).read_volatile()
        },
        // SAFETY: as in `write`.
        Some(Registers::Msr) => unsafe { Msr::new(0x800 + (register >> 4)).read() as u32 },
        None => 0,
    }
}

/// What a device writes, and where to, so that this CPU gets its interrupt number `device` (Intel SDM 3A, section 11.11);
/// `None` where there are no more of them, or the CPU's number does not fit.
pub(crate) fn message(device: usize) -> Option<(u64, u32)> {
    const BASE: u64 = 0xfee0_0000;
    let number = u64::try_from(device).ok()?;
    let id = match REGISTERS.get()? {
        Registers::Memory(_) => read(ID) >> 24,
        Registers::Msr => read(ID),
    };
    let to = u8::try_from(id).ok()?;
    let is_one = number < vector::MOST_DEVICES;
    is_one.then_some((
        BASE | u64::from(to) << 12,
        (vector::DEVICES + number) as u32,
    ))
}

/// Lets the next interrupt of the same priority in.
pub(super) fn end_of_interrupt() {
    write(END_OF_INTERRUPT, 0);
}

/// Starts counting down from the top, without an interrupt at the end.
pub(super) fn start_counting() {
    write(INITIAL_COUNT, u32::MAX);
}

/// Counts since [`start_counting`].
pub(super) fn counted() -> u32 {
    u32::MAX - read(CURRENT_COUNT)
}

/// Interrupts every `count` counts from now on.
pub(super) fn start_ticking(count: u32) {
    write(TIMER, PERIODIC | vector::TIMER as u32);
    write(INITIAL_COUNT, count);
}

/// Moves both 8259s to vectors of their own, where their ghosts do no harm, and masks all their lines.
fn mask_legacy() {
    const COMMANDS: [u16; 2] = [0x20, 0xa0];
    const CASCADE: [u8; 2] = [1 << 2, 2];
    for (number, command) in COMMANDS.into_iter().enumerate() {
        out(command, 0x11);
        out(command + 1, vector::LEGACY as u8 + 8 * number as u8);
        out(command + 1, CASCADE[number]);
        out(command + 1, 1);
        out(command + 1, 0xff);
    }
}

fn out(port: u16, value: u8) {
    // SAFETY: these ports are the old interrupt controllers' on every PC, and nobody else drives them.
    unsafe { Port::new(port).write(value) };
}
