//! What must hold of families: every space is linked once, and whoever maps a private page can be found from it.
use alloc::format;
use alloc::string::String;

use super::{Families, Home, Member, PLACE, member_number};
use crate::frame::{Frame, FrameRecord};
use crate::machine::Machine;
use crate::memory::Memory;
use crate::page::Page;

impl Families {
    /// Checks who is whose kin, against the tables of all spaces; the first contradiction, in words.
    pub(crate) fn check<M: Machine>(
        &self,
        memory: &Memory<M>,
        roots: &[(Frame, u32)],
    ) -> Result<(), String> {
        let registry = self.0.lock();
        for &(root, family) in roots {
            let number = member_number(memory, root);
            let member = registry.members.get(number);
            let member = member.filter(|member| (member.root, member.family) == (root, family));
            let Some(member) = member else {
                return Err(format!(
                    "the space of table {} is no member {number} of family {family}",
                    root.number()
                ));
            };
            let next = registry.members.get(member.next as usize);
            let links_back = next.is_some_and(|next| next.prev as usize == number);
            let relatives = roots.iter().filter(|other| other.1 == family).count();
            let home = Home { family, place: 0 };
            let found = registry.members_of(home, usize::MAX).take(roots.len() + 1);
            if !links_back || found.count() != relatives {
                return Err(format!(
                    "family {family} has {relatives} members, not all linked"
                ));
            }
        }
        match registry.members.len() {
            count if count != roots.len() => Err(format!(
                "{} spaces, but {count} members of families",
                roots.len()
            )),
            _ => Ok(()),
        }
    }

    /// Whether a walk from a frame with this record looks at `page` of the space of `root`.
    pub(crate) fn reaches<M: Machine>(
        &self,
        memory: &Memory<M>,
        record: &FrameRecord,
        root: Frame,
        page: Page,
    ) -> bool {
        let (home, hint) = Home::of(record);
        let registry = self.0.lock();
        let mut members = registry.members_of(home, hint);
        let is_there = |member: &Member| {
            member.root == root && member.places(home.place).any(|place| place == page)
        };
        let number = member_number(memory, root);
        registry.members.get(number).is_some_and(is_there) && members.any(|one| one.root == root)
    }

    /// Whether walks look at pages that have moved by `shift`, in the space of `root`.
    pub(crate) fn knows_shift<M: Machine>(
        &self,
        memory: &Memory<M>,
        root: Frame,
        shift: u64,
    ) -> bool {
        let registry = self.0.lock();
        let member = registry.members.get(member_number(memory, root));
        let shift = shift & PLACE;
        shift == 0 || member.is_some_and(|member| member.shifts.binary_search(&shift).is_ok())
    }
}
