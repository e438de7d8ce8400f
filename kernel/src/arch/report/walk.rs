//! The walk that the processor made for an address: the entry of each level, as far as it came.
use core::fmt;
use core::sync::atomic::Ordering::Relaxed;

use x86_64::structures::paging::PageTableFlags as Flags;

use crate::arch::{direct_map, paging};

/// The bits that entries have names for; the rest is shown as it is.
const NAMED: [(Flags, &str); 8] = [
    (Flags::PRESENT, "present"),
    (Flags::WRITABLE, "writable"),
    (Flags::USER_ACCESSIBLE, "user"),
    (Flags::ACCESSED, "accessed"),
    (Flags::DIRTY, "dirty"),
    (Flags::HUGE_PAGE, "large"),
    (Flags::GLOBAL, "global"),
    (Flags::NO_EXECUTE, "no-execute"),
];

/// An entry in words.
struct Words(u64);

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags = Flags::from_bits_retain(self.0);
        if !flags.contains(Flags::PRESENT) {
            return f.write_str("not present");
        }
        for (flag, name) in NAMED {
            if flags.contains(flag) {
                write!(f, "{name} ")?;
            }
        }
        Ok(())
    }
}

/// Shows the walk for `address` in the tables that the processor uses.
pub(super) fn show(address: u64) {
    let mut table = paging::in_use();
    for level in (0..=paging::TOP).rev() {
        if !direct_map::shows(table) {
            log::error!("walk: there is no memory at {table:#x}");
            return;
        }
        let bits = paging::entry(table, address, level).load(Relaxed);
        let index = address >> (12 + 9 * level) & 511;
        log::error!(
            "walk: level {} entry {index:3} {bits:016x} {}",
            level + 1,
            Words(bits)
        );
        if !paging::leads_to_table(bits, level) {
            return;
        }
        table = paging::target(bits);
    }
}
