//! `mincore`: which pages of a range are in memory.
//!
//! The answer may be out of date when it arrives, as on Linux; what it never does is fetch a page.

use crate::error::Error;
use crate::machine::Machine;
use crate::memory::Memory;
use crate::page::Page;
use crate::pte::Pte;
use crate::space::AddressSpace;
use crate::sync::atomic::Ordering::Acquire;
use crate::vma::{Backing, VmFlags, Vma};

impl AddressSpace {
    /// Says for pages from `start` on whether each is in memory, as far as `resident` has room and the first area goes;
    /// returns for how many. See mincore(2).
    pub fn mincore<M: Machine>(
        &self,
        memory: &Memory<M>,
        start: Page,
        resident: &mut [u8],
    ) -> Result<usize, Error> {
        let vma = self.areas.at(start).ok_or(Error::OutOfMemory)?;
        let count = resident.len().min((vma.end - start) as usize);
        if vma.flags.contains(VmFlags::SPECIAL) {
            // As on Linux, which has nobody to ask.
            resident[..count].fill(1);
            return Ok(count);
        }
        for (number, byte) in (0..).zip(&mut resident[..count]) {
            *byte = u8::from(self.is_in_memory(memory, vma, start + number));
        }
        Ok(count)
    }

    fn is_in_memory<M: Machine>(&self, memory: &Memory<M>, vma: &Vma, page: Page) -> bool {
        let bits = self.table.entry(memory, page);
        match Pte::decode(bits.map_or(0, |entry| entry.load(Acquire))) {
            Pte::Mapped(_) | Pte::Protected(_) => true,
            Pte::Swapped(_) => false,
            Pte::Empty => match &vma.backing {
                Backing::Anonymous | Backing::ZeroDevice { .. } => false,
                Backing::File { file, .. } => vma
                    .file_index(page)
                    .is_some_and(|index| file.is_ready(memory, index)),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::sync::Arc;

    use crate::error::Error;
    use crate::fault::Access;
    use crate::mmap::{Mapping, Place};
    use crate::page::PAGE_SIZE;
    use crate::page_cache::{CachedFile, Source};
    use crate::testing::{Drawing, FIRST, mapping};
    use crate::vma::{Backing, VmFlags};

    #[test]
    fn what_others_have_fetched_is_never_absent() {
        let mut it = Drawing::of("..........");
        let file = Arc::new(CachedFile::new(1, Source::Memory, 4 * PAGE_SIZE));
        let written = file.write_at(&it.memory, 2 * PAGE_SIZE, b"there");
        assert_eq!(written, Ok(5));
        let backing = Backing::File {
            file: file.clone(),
            offset: 1,
        };
        let request = Mapping {
            backing,
            ..mapping(FIRST..FIRST + 3, Place::Fixed, VmFlags::READ)
        };
        it.space.mmap(&it.memory, request).expect("free");
        let mut resident = [7; 3];
        let count = it.space.mincore(&it.memory, FIRST, &mut resident);
        assert_eq!((count, resident), (Ok(3), [0, 1, 0]));
        it.unmap("---       ").expect("allowed");
        file.release(&it.memory);
    }

    #[test]
    fn no_promise_counts_as_memory() {
        //                               0123456789
        let mut drawing = Drawing::of("Wwwww.....");
        drawing.fault(1, Access::Read);
        drawing.fault(2, Access::Write);
        drawing.fault(3, Access::Write);
        drawing.protect("   -      ", 'n').expect("allowed");
        let mut resident = [7; 8];
        let count = drawing.space.mincore(&drawing.memory, FIRST, &mut resident);
        assert_eq!(
            (count, &resident),
            (Ok(3), &[0, 1, 1, 7, 7, 7, 7, 7]),
            "one area at a time"
        );
        let rest = &mut resident[3..4];
        let count = drawing.space.mincore(&drawing.memory, FIRST + 3, rest);
        assert_eq!((count, rest[0]), (Ok(1), 1), "kept, though out of reach");
        let hole = drawing
            .space
            .mincore(&drawing.memory, FIRST + 5, &mut resident);
        assert_eq!(hole, Err(Error::OutOfMemory));
    }
}
