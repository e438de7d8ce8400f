//! A record as a line of text, for the log.
//!
//! A record may be old: the frames that its entries name may serve someone else by now. So this stands inside the crate,
//! where entries can be read, and what comes out is text: numbers and rights, never a [`Frame`].
use core::fmt::{Display, Formatter, Result};

use super::Record;
use crate::fault::Access;
use crate::frame::Frame;
use crate::machine::Machine;
use crate::memory::Memory;
use crate::pte::{Leaf, Pte, PteFlags};

impl Record {
    /// The record in words. `memory` is the world that it comes from, and knows the zero page.
    pub fn line<M: Machine>(&self, memory: &Memory<M>) -> impl Display {
        Line {
            record: *self,
            zero: memory.zero_frame(),
        }
    }
}

struct Line {
    record: Record,
    zero: Frame,
}

impl Display for Line {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let Record {
            pid,
            address,
            access,
            start,
            end,
            change,
            cycles,
            ..
        } = self.record;
        let path = change.path.name();
        let [before, after] = [change.before, change.after].map(|bits| Entry {
            bits,
            zero: self.zero,
        });
        write!(
            f,
            "[{pid}] {access} {address:#x} in {start:#x}-{end:#x}: {path}, {before} -> {after}, {cycles} cycles"
        )
    }
}

impl Display for Access {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Execute => "execute",
        })
    }
}

/// A last-level entry.
struct Entry {
    bits: u64,
    zero: Frame,
}

impl Entry {
    fn name(&self, leaf: Leaf, f: &mut Formatter<'_>) -> Result {
        if leaf.frame == self.zero {
            f.write_str("zero page")
        } else {
            write!(f, "frame {:#x}", leaf.frame.number())
        }
    }
}

impl Display for Entry {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match Pte::decode(self.bits) {
            Pte::Empty => f.write_str("empty"),
            Pte::Swapped(slot) => write!(f, "swapped to {}:{}", slot.area, slot.slot),
            Pte::Mapped(leaf) => {
                self.name(leaf, f)?;
                write!(f, " {}", Rights(leaf.flags))
            }
            Pte::Protected(leaf) => {
                self.name(leaf, f)?;
                f.write_str(" ---")
            }
        }
    }
}

struct Rights(PteFlags);

impl Display for Rights {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let pick = |flag, set, clear| if self.0.contains(flag) { set } else { clear };
        let write = pick(PteFlags::WRITABLE, "w", "-");
        let execute = pick(PteFlags::NO_EXECUTE, "-", "x");
        let dirty = pick(PteFlags::DIRTY, " dirty", "");
        write!(f, "r{write}{execute}{dirty}")
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;
    use crate::fault::{Change, Path};
    use crate::page_table::Levels;
    use crate::testing::memory;

    #[test]
    fn no_frame_is_taken_for_the_zero_page() {
        let memory = memory(8, Levels::Four);
        let other = memory.allocate(0).expect("there is a frame");
        let mapped = |frame, flags| Pte::Mapped(Leaf { frame, flags }).encode();
        let record = Record {
            time: 0,
            pid: 7,
            address: 0x1_2345,
            access: Access::Write,
            start: 0x1_0000,
            end: 0x2_0000,
            change: Change {
                path: Path::CowZero,
                before: mapped(memory.zero_frame(), PteFlags::NO_EXECUTE),
                after: mapped(other, PteFlags::WRITABLE | PteFlags::DIRTY),
            },
            cycles: 9,
        };
        let expected = alloc::format!(
            "[7] write 0x12345 in 0x10000-0x20000: COW of the zero page, zero page r-- -> frame {:#x} rwx dirty, 9 cycles",
            other.number()
        );
        assert_eq!(record.line(&memory).to_string(), expected);
    }
}
