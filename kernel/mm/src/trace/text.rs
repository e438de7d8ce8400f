//! A fault as text.
//!
//! A record may be old: the frames that its entries name may serve someone else by now. So this stands inside the crate,
//! where entries can be read, and what comes out is text: numbers and rights, never a [`Frame`].
use core::fmt::{Display, Formatter, Result};

use super::Fault;
use crate::fault::Access;
use crate::frame::Frame;
use crate::machine::Machine;
use crate::memory::Memory;
use crate::pte::{Leaf, Pte, PteFlags};

impl Fault {
    /// The last-level entry before and after the fault. `memory` is the world that it comes from, and knows the zero
    /// page.
    pub fn entries<M: Machine>(&self, memory: &Memory<M>) -> [Entry; 2] {
        [self.change.before, self.change.after].map(|bits| Entry {
            bits,
            zero: memory.zero_frame(),
        })
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

/// A last-level entry, in words.
pub struct Entry {
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
        let fault = Fault {
            address: 0x1_2345,
            access: Access::Write,
            start: 0x1_0000,
            end: 0x2_0000,
            change: Change {
                path: Path::CowZero,
                before: mapped(memory.zero_frame(), PteFlags::NO_EXECUTE),
                after: mapped(other, PteFlags::WRITABLE | PteFlags::DIRTY),
            },
        };
        let [before, after] = fault.entries(&memory).map(|entry| entry.to_string());
        let expected = alloc::format!("frame {:#x} rwx dirty", other.number());
        assert_eq!((before.as_str(), after), ("zero page r--", expected));
    }
}
