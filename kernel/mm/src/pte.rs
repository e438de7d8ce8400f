//! The page-table entry: the one place that knows which bit means what.
//!
//! The processor defines entries with the present bit; all others are ours. Three kinds of ours exist: nothing at all,
//! a frame that is held but must not be touched (PROT_NONE), and the address of a page in a swap area. They are told
//! apart by two bits that the processor ignores when the present bit is clear:
//!
//! ```text
//!             63 62......52 51..........12 11 10  9  8  7  6  5 4 3  2  1  0
//! Empty        0     0            0         0  0  0  0  0  0  0 0 0  0  0  0
//! Mapped      NX     0       frame number   0  E  L  G  0  D  A 0 0  U  W  1     Intel SDM 3A, 4.5; L: lazily free
//! Protected   NX     0       frame number   0  E  L  1  0  D  A 0 0  U  W  0     E: exclusive
//! Swapped      0     0       slot number    0  0  0  0  area(5 bits)  0  1  0
//! ```
use bitflags::bitflags;

use crate::frame::Frame;
use crate::page::PAGE_SHIFT;

bitflags! {
    /// The bits of a mapped entry beside the frame and the present bit.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct PteFlags: u64 {
        /// Stores are allowed.
        const WRITABLE = 1 << 1;
        /// Ring 3 may use the entry.
        const USER = 1 << 2;
        /// The processor used the entry.
        const ACCESSED = 1 << 5;
        /// The processor stored through the entry.
        const DIRTY = 1 << 6;
        /// Ours (Linux has a flag of the page): MADV_FREE gave the page up, unless it is dirty again.
        const LAZY = 1 << 9;
        /// Ours (Linux's `PG_anon_exclusive`): a private page that no `fork` shared since this entry could last be
        /// stored through.
        const EXCLUSIVE = 1 << 10;
        /// Instructions are not fetched.
        const NO_EXECUTE = 1 << 63;
    }
}

const PRESENT: u64 = 1 << 0;
const SWAPPED: u64 = 1 << 1;
const PROTECTED: u64 = 1 << 8;
const AREA_SHIFT: u32 = 3;
const AREA_MASK: u64 = 0x1f << AREA_SHIFT;
const FRAME_MASK: u64 = 0x000f_ffff_ffff_f000;

/// A frame and how it may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// The frame.
    pub frame: Frame,
    /// What may be done with it.
    pub flags: PteFlags,
}

impl Leaf {
    /// Whether a store through this entry succeeds.
    pub fn is_writable(self) -> bool {
        self.flags.contains(PteFlags::WRITABLE)
    }
}

/// The place of a page in a swap area. Swap itself comes later; the encoding is settled now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SwapSlot {
    /// Which swap area, below 32.
    pub area: u8,
    /// Which page of it, below 2^40.
    pub slot: u64,
}

/// What a last-level entry says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pte {
    /// Nothing was ever here, or it was given up: the area decides what the first access finds.
    Empty,
    /// The processor translates through the entry.
    Mapped(Leaf),
    /// The area forbids every access: the processor sees nothing, the frame is held.
    Protected(Leaf),
    /// The page is in a swap area.
    Swapped(SwapSlot),
}

impl Pte {
    /// Reads an entry. Not for others than this crate: bits of theirs would make frames up.
    #[inline]
    pub(crate) fn decode(bits: u64) -> Self {
        if bits & PRESENT != 0 {
            Self::Mapped(leaf(bits))
        } else if bits == 0 {
            Self::Empty
        } else if bits & PROTECTED != 0 {
            Self::Protected(leaf(bits))
        } else {
            let area = ((bits & AREA_MASK) >> AREA_SHIFT) as u8;
            Self::Swapped(SwapSlot {
                area,
                slot: (bits & FRAME_MASK) >> PAGE_SHIFT,
            })
        }
    }

    /// Writes an entry.
    #[inline]
    pub fn encode(self) -> u64 {
        match self {
            Self::Empty => 0,
            Self::Mapped(leaf) => leaf.frame.address() | leaf.flags.bits() | PRESENT,
            Self::Protected(leaf) => leaf.frame.address() | leaf.flags.bits() | PROTECTED,
            Self::Swapped(SwapSlot { area, slot }) => {
                slot << PAGE_SHIFT | u64::from(area) << AREA_SHIFT | SWAPPED
            }
        }
    }

    /// The same entry with other flags, if it holds a frame.
    pub(crate) fn with_flags(self, flags: PteFlags) -> Self {
        match self.leaf() {
            Some(leaf) => self.with_leaf(Leaf { flags, ..leaf }),
            None => self,
        }
    }

    /// The same entry with another frame and flags, if it holds a frame.
    pub(crate) fn with_leaf(self, leaf: Leaf) -> Self {
        match self {
            Self::Mapped(_) => Self::Mapped(leaf),
            Self::Protected(_) => Self::Protected(leaf),
            Self::Empty | Self::Swapped(_) => self,
        }
    }

    /// The frame that the entry holds, whether the processor may see it or not.
    #[inline]
    pub fn leaf(self) -> Option<Leaf> {
        match self {
            Self::Mapped(leaf) | Self::Protected(leaf) => Some(leaf),
            Self::Empty | Self::Swapped(_) => None,
        }
    }
}

#[inline]
fn leaf(bits: u64) -> Leaf {
    Leaf {
        frame: frame(bits),
        flags: PteFlags::from_bits_truncate(bits),
    }
}

#[inline]
fn frame(bits: u64) -> Frame {
    Frame::from_number(((bits & FRAME_MASK) >> PAGE_SHIFT) as u32)
}

/// An upper-level entry that leads to `table`; rights are decided by the last level.
pub(crate) fn to_table(table: Frame) -> u64 {
    table.address() | (PteFlags::WRITABLE | PteFlags::USER | PteFlags::ACCESSED).bits() | PRESENT
}

/// The table that an upper-level entry leads to, if any.
#[inline]
pub(crate) fn table(bits: u64) -> Option<Frame> {
    (bits & PRESENT != 0).then(|| frame(bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_flag_set() -> impl Iterator<Item = PteFlags> {
        let all: alloc::vec::Vec<_> = PteFlags::all().iter().collect();
        (0..1u32 << all.len()).map(move |mask| {
            all.iter()
                .enumerate()
                .filter(|(bit, _)| mask >> bit & 1 == 1)
                .map(|(_, &flag)| flag)
                .collect()
        })
    }

    #[test]
    fn no_entry_changes_by_being_written_and_read() {
        for number in [0, 1, 17, 0xfffff, u32::MAX - 1] {
            for flags in every_flag_set() {
                let leaf = Leaf {
                    frame: Frame::from_number(number),
                    flags,
                };
                for entry in [Pte::Mapped(leaf), Pte::Protected(leaf)] {
                    assert_eq!(Pte::decode(entry.encode()), entry);
                }
            }
        }
        for area in 0..32 {
            for slot in [0, 1, (1 << 40) - 1] {
                let entry = Pte::Swapped(SwapSlot { area, slot });
                assert_eq!(Pte::decode(entry.encode()), entry);
            }
        }
        assert_eq!(Pte::decode(Pte::Empty.encode()), Pte::Empty);
    }

    #[test]
    fn the_processor_never_sees_a_held_entry() {
        let leaf = Leaf {
            frame: Frame::from_number(5),
            flags: PteFlags::all(),
        };
        let slot = SwapSlot {
            area: 31,
            slot: (1 << 40) - 1,
        };
        for entry in [Pte::Empty, Pte::Protected(leaf), Pte::Swapped(slot)] {
            assert_eq!(entry.encode() & PRESENT, 0, "{entry:?}");
        }
    }
}
