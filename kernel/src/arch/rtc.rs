//! The battery clock: the date at boot, read once, since the chip is slow and knows seconds only.
use x86_64::instructions::port::Port;

/// Registers of the chip: the time, then what tells how to read it.
const REGISTERS: [u8; 6] = [0x00, 0x02, 0x04, 0x07, 0x08, 0x09];
const STATUS_A: u8 = 0x0a;
const STATUS_B: u8 = 0x0b;

/// In status A: the time changes just now. In status B: binary, not decimal digits; 24 hours, not 12.
const UPDATING: u8 = 1 << 7;
const BINARY: u8 = 1 << 2;
const HOURS_24: u8 = 1 << 1;

/// In the hours: afternoon, where the chip counts 12.
const AFTERNOON: u8 = 1 << 7;

/// Seconds since 1970, UTC.
pub(super) fn seconds() -> u64 {
    let raw = read_twice();
    let status = register(STATUS_B);
    let number = |value: u8| {
        u64::from(if status & BINARY != 0 {
            value
        } else {
            (value >> 4) * 10 + (value & 0xf)
        })
    };
    let [second, minute, hour, day, month, year] = raw;
    let mut hours = number(hour & !AFTERNOON);
    if status & HOURS_24 == 0 {
        hours = hours % 12 + if hour & AFTERNOON != 0 { 12 } else { 0 };
    }
    // No machine of the last century runs this.
    let days = days_since_1970(2000 + number(year), number(month), number(day));
    ((days * 24 + hours) * 60 + number(minute)) * 60 + number(second)
}

/// The time, once two readings in a row agree; a chip that never settles is believed in the end.
fn read_twice() -> [u8; 6] {
    let mut last = read();
    for _ in 0..100 {
        let again = read();
        if again == last {
            break;
        }
        last = again;
    }
    last
}

fn read() -> [u8; 6] {
    for _ in 0..10_000 {
        if register(STATUS_A) & UPDATING == 0 {
            break;
        }
    }
    REGISTERS.map(register)
}

fn register(number: u8) -> u8 {
    const INDEX: u16 = 0x70;
    const DATA: u16 = 0x71;
    // Bit 7 of the index keeps NMIs out; they stay allowed.
    // SAFETY: the chip's ports on every PC; reading its registers changes nothing that matters.
    unsafe { Port::new(INDEX).write(number) };
    // SAFETY: as above.
    unsafe { Port::new(DATA).read() }
}

/// Days from 1970-01-01 to a day of the Gregorian calendar: years begin in March, so that leap days come last.
fn days_since_1970(year: u64, month: u64, day: u64) -> u64 {
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let leap_days = year / 4 - year / 100 + year / 400;
    (year * 365 + leap_days + (month * 153 + 2) / 5 + day).saturating_sub(719_469)
}
