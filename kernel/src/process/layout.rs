//! Where the parts of a new program's space go: Linux's places, moved by chance unless the `norandomize` option is given.
use mm::Page;
use mm::space::{Layout, Limits, USER_END};

use crate::{options, random};

/// Pages of stack that are promised before the first fault below asks for more.
pub(super) const FIRST_STACK: u64 = 33;

/// Room below the stack that `mmap` leaves to it: the stack's limit, within these bounds, in bytes.
const MIN_GAP: u64 = 128 << 20;
const MAX_GAP: u64 = (1 << 47) / 6 * 5;

/// Where position-independent programs begin: two thirds up, Linux's ELF_ET_DYN_BASE.
const PIE_BASE: u64 = 0x5555_5555_4000;

/// Places for one program.
pub(super) struct Plan {
    pub(super) space: Layout,
    /// The page behind the stack.
    pub(super) stack_top: Page,
    /// Byte address for a program that may lie anywhere.
    pub(super) pie_base: u64,
    /// Bytes between the program's data and the heap.
    pub(super) heap_gap: u64,
}

/// What a program's places are left to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chance {
    /// What the kernel was told on its command line.
    Usual,
    /// No chance: ADDR_NO_RANDOMIZE of personality(2).
    None,
}

pub(super) fn choose(limits: &Limits, whose: Chance) -> Plan {
    let chance = |bits| match whose {
        Chance::Usual => chance(bits),
        Chance::None => 0,
    };
    // As many bits of chance as Linux has by default: 22 for the stack, 28 for mappings and programs, 13 for the heap.
    let stack_top = USER_END - chance(22);
    let gap = limits.stack.clamp(MIN_GAP, MAX_GAP) / mm::PAGE_SIZE;
    let space = Layout {
        mmap_base: stack_top - gap - chance(28),
        bottom_up_base: Page::new(USER_END.number() / 3),
        heap_start: 0,
        data_size: 0,
    };
    Plan {
        space,
        stack_top,
        pie_base: PIE_BASE + chance(28) * mm::PAGE_SIZE,
        heap_gap: chance(13) * mm::PAGE_SIZE,
    }
}

/// A number of that many bits; 0 where nothing is to be left to chance.
fn chance(bits: u32) -> u64 {
    if options::get().layout == options::Layout::Random {
        random::number() >> (64 - bits)
    } else {
        0
    }
}
