//! Every invariant of the crate, as code: the first one that is broken comes back in words.
//!
//! The simulator asks after each step; the kernel asks in its checked build. The world must stand still meanwhile: the
//! sums below compare what all tables say with what each frame's record says.
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use crate::books::Books;
use crate::frame::{Frame, FrameRecord, Use};
use crate::machine::Machine;
use crate::memory::Memory;
use crate::page::Page;
use crate::page_cache::CachedFile;
use crate::page_table::Seen;
use crate::pte::{Leaf, Pte, PteFlags};
use crate::rmap::Mapping;
use crate::space::AddressSpace;
use crate::special::check_special;
use crate::tree::Item;
use crate::vma::{Backing, VmFlags, Vma};

type Verdict = Result<(), String>;

/// What all holders say of one frame, added up.
#[derive(Clone, Copy, Default)]
struct Claim {
    tables: u32,
    mappings: u32,
    caches: u32,
    indexes: u32,
}

/// Checks a whole world: `spaces` are all spaces there are, `files` all files that were ever mapped.
pub fn check<M: Machine>(
    memory: &Memory<M>,
    spaces: &[&AddressSpace],
    files: &[&CachedFile],
) -> Verdict {
    let mut claims = vec![Claim::default(); memory.machine.mem_map().len()];
    for space in spaces {
        space.check_and_show(memory, |seen| match seen {
            Seen::Table(table) => claims[table.number() as usize].tables += 1,
            Seen::Entry(_, bits) => {
                if let Some(leaf) = Pte::decode(bits).leaf() {
                    claims[leaf.frame.number() as usize].mappings += 1;
                }
            }
        })?;
    }
    let members = spaces
        .iter()
        .map(|space| (space.table.root(), space.family));
    let members: Vec<_> = members.collect();
    memory.families.check(memory, &members)?;
    let files = all_files(spaces, files);
    check_promises(memory, spaces, &files)?;
    let mut marks = (0, 0);
    for file in files {
        check_mappings(file, spaces)?;
        let of_file = file.check_pages(memory)?;
        marks = (marks.0 + of_file.0, marks.1 + of_file.1);
        for (_, frame) in file.frames(memory) {
            claims[frame.number() as usize].caches += 1;
        }
        file.nodes(memory, |node| claims[node.number() as usize].indexes += 1);
    }
    let counted = (memory.dirty_pages(), memory.pages_being_written());
    if marks != counted {
        return Err(format!(
            "(dirty, written back): {marks:?} pages of all files, the books say {counted:?}"
        ));
    }
    for (number, claim) in claims.iter().enumerate() {
        check_frame(memory, Frame::from_number(number as u32), *claim)?;
    }
    memory.check()
}

/// The file's books name exactly the areas that show it.
fn check_mappings(file: &CachedFile, spaces: &[&AddressSpace]) -> Verdict {
    let mappings = file.mappings.lock();
    mappings.check()?;
    let mut areas: Vec<Mapping> = spaces
        .iter()
        .flat_map(|space| space.areas.iter().map(move |vma| (space, vma)))
        .filter_map(|(space, vma)| Mapping::of(vma, space.table.root()))
        .filter(|(other, _)| core::ptr::eq(*other, file))
        .map(|(_, mapping)| mapping)
        .collect();
    areas.sort_by_key(Mapping::key);
    let mut entered = mappings.iter();
    for area in areas {
        let found = entered.next();
        if found != Some(area) {
            return Err(format!(
                "file {} should know of {area:x?}, but has {found:x?}",
                file.id()
            ));
        }
    }
    match entered.next() {
        Some(left) => Err(format!(
            "file {} knows of {left:x?}, which is gone",
            file.id()
        )),
        None => Ok(()),
    }
}

/// The files given and those that areas have, each once.
fn all_files<'a>(spaces: &[&'a AddressSpace], files: &[&'a CachedFile]) -> Vec<&'a CachedFile> {
    let areas = spaces.iter().flat_map(|space| space.areas.iter());
    let mapped = areas.filter_map(|vma| match &vma.backing {
        Backing::File { file, .. } => Some(&**file),
        Backing::Anonymous | Backing::ZeroDevice { .. } => None,
    });
    let mut all: Vec<_> = files.iter().copied().chain(mapped).collect();
    all.sort_by_key(|&file| core::ptr::from_ref(file));
    all.dedup_by_key(|&mut file| core::ptr::from_ref(file));
    all
}

/// What is promised to all is what each was promised.
fn check_promises<M: Machine>(
    memory: &Memory<M>,
    spaces: &[&AddressSpace],
    files: &[&CachedFile],
) -> Verdict {
    let to_spaces: u64 = spaces.iter().map(|space| space.books.promised).sum();
    let to_files: u64 = files.iter().map(|file| file.promised_pages()).sum();
    let committed = memory.committed_pages();
    if to_spaces + to_files != committed {
        return Err(format!(
            "{to_spaces} pages are promised to the spaces, {to_files} to files, {committed} in all"
        ));
    }
    Ok(())
}

impl AddressSpace {
    /// Checks one space by itself: areas in order, every entry inside an area and with no more rights than it, the
    /// books right.
    pub fn check<M: Machine>(&self, memory: &Memory<M>) -> Verdict {
        self.check_and_show(memory, |_| {})
    }

    /// The same, with one look at each table and entry, which `show` shares.
    fn check_and_show<M: Machine>(
        &self,
        memory: &Memory<M>,
        mut show: impl FnMut(Seen),
    ) -> Verdict {
        self.areas.check()?;
        self.check_books()?;
        self.check_shifts(memory)?;
        let (mut resident, mut tables) = (0, 0);
        let mut first_wrong = None;
        self.table.survey(memory, &mut |seen| {
            tables += u64::from(matches!(seen, Seen::Table(_)));
            if let Seen::Entry(page, bits) = seen
                && let Some(leaf) = Pte::decode(bits).leaf()
            {
                resident += u64::from(leaf.frame != memory.zero_frame());
                if let Err(wrong) = self.check_leaf(memory, page, Pte::decode(bits), leaf) {
                    first_wrong.get_or_insert(wrong);
                }
            }
            show(seen);
        });
        match first_wrong {
            Some(wrong) => Err(wrong),
            None if resident != self.resident_pages(memory) => Err(format!(
                "the tables hold {resident} frames, the books say {}",
                self.resident_pages(memory)
            )),
            // The top one is not among those that the table counts.
            None if tables != self.table.tables() + 1 => Err(format!(
                "there are {tables} tables with the top one, the books say {} without",
                self.table.tables()
            )),
            None => Ok(()),
        }
    }

    fn check_books(&self) -> Verdict {
        let mut sums = Books::default();
        for vma in self.areas.iter() {
            sums.add(vma.len(), vma.flags);
            check_special(vma)?;
        }
        if sums != self.books {
            return Err(format!(
                "the areas come to {sums:?}, the books say {:?}",
                self.books
            ));
        }
        Ok(())
    }

    fn check_leaf<M: Machine>(
        &self,
        memory: &Memory<M>,
        page: Page,
        entry: Pte,
        leaf: Leaf,
    ) -> Verdict {
        let (at, frame) = (page.number(), leaf.frame.number());
        let Some(vma) = self.areas.at(page) else {
            return Err(format!(
                "page {at:#x} has an entry for frame {frame}, but no area"
            ));
        };
        let hidden = matches!(entry, Pte::Protected(_));
        if hidden == vma.flags.intersects(VmFlags::ACCESS) {
            return Err(format!(
                "page {at:#x} is hidden: {hidden}, but its area is {:?}",
                vma.flags
            ));
        }
        if !leaf.flags.contains(PteFlags::USER) {
            return Err(format!("page {at:#x} is not for ring 3"));
        }
        if leaf.flags.contains(PteFlags::NO_EXECUTE) == vma.flags.contains(VmFlags::EXEC) {
            return Err(format!(
                "page {at:#x} and its area disagree on execution: {:?}, {:?}",
                leaf.flags, vma.flags
            ));
        }
        if leaf.is_writable() && !vma.flags.contains(VmFlags::WRITE) {
            return Err(format!("page {at:#x} can be written, its area can't"));
        }
        let record = memory.record(leaf.frame);
        let may_be_written = if vma.flags.contains(VmFlags::SHARED) {
            record.usage().is_cached()
        } else {
            record.usage() == Use::Anonymous && is_alone(record)
        };
        if record.usage() == Use::Anonymous {
            self.check_home(memory, page, leaf.frame)?;
        }
        if leaf.is_writable() && !may_be_written {
            return Err(format!(
                "page {at:#x} writes to frame {frame}, which is {:?} and has {} holders",
                record.usage(),
                record.references()
            ));
        }
        check_noticed(memory, vma, page, leaf)?;
        check_exclusive(record, vma, page, leaf)
    }
}

/// No page of a disk is stored to that is not dirty.
fn check_noticed<M: Machine>(memory: &Memory<M>, vma: &Vma, page: Page, leaf: Leaf) -> Verdict {
    match vma.noticed(page) {
        Some((file, index)) if leaf.is_writable() && !file.is_dirty(memory, index) => Err(format!(
            "page {:#x} writes to page {index} of file {}, which is clean",
            page.number(),
            file.id()
        )),
        _ => Ok(()),
    }
}

/// Whether one has the frame, devices apart.
fn is_alone(record: &FrameRecord) -> bool {
    record.references() == 1 + record.pins()
}

/// What says that it is this space's alone is, and of private pages all that can be written says so.
fn check_exclusive(record: &FrameRecord, vma: &Vma, page: Page, leaf: Leaf) -> Verdict {
    let is_private = !vma.flags.contains(VmFlags::SHARED);
    let is_alone = is_private && record.usage() == Use::Anonymous && is_alone(record);
    let is_exclusive = leaf.flags.contains(PteFlags::EXCLUSIVE);
    if is_exclusive && !is_alone || leaf.is_writable() && is_private && !is_exclusive {
        return Err(format!(
            "page {:#x} is {:?} on frame {}, which has {} holders",
            page.number(),
            leaf.flags,
            leaf.frame.number(),
            record.references()
        ));
    }
    Ok(())
}

impl AddressSpace {
    /// Private pages to come will be found where they are, too.
    fn check_shifts<M: Machine>(&self, memory: &Memory<M>) -> Verdict {
        let root = self.table.root();
        let is_lost = |vma: &&Vma| !memory.families.knows_shift(memory, root, vma.shift());
        match self.areas.iter().find(is_lost) {
            Some(vma) => Err(format!("no walk knows how far {vma:x?} has moved")),
            None => Ok(()),
        }
    }

    /// Whoever asks a private page where it is mapped finds this entry.
    fn check_home<M: Machine>(&self, memory: &Memory<M>, page: Page, frame: Frame) -> Verdict {
        let root = self.table.root();
        if memory
            .families
            .reaches(memory, memory.record(frame), root, page)
        {
            return Ok(());
        }
        Err(format!(
            "page {:#x} maps frame {}, whose reverse map does not lead there",
            page.number(),
            frame.number()
        ))
    }
}

/// Compares what the holders of a frame say with its record.
fn check_frame<M: Machine>(memory: &Memory<M>, frame: Frame, claim: Claim) -> Verdict {
    let record = memory.record(frame);
    let usage = record.usage();
    let Claim {
        tables,
        mappings,
        caches,
        indexes,
    } = claim;
    let expected = match usage {
        Use::Zero => return check_zero(memory, frame),
        Use::Reserved | Use::Kernel => (0, 0),
        Use::FreeBlock | Use::FreeTail | Use::CpuCache => (0, 0),
        Use::Table => (tables, 0),
        Use::Index => (indexes, 0),
        Use::Anonymous => (mappings, mappings),
        Use::File | Use::Shared => (mappings + caches, mappings),
    };
    let strangers = match usage {
        Use::Table => mappings + caches + indexes,
        Use::Index => tables + mappings + caches,
        Use::Anonymous => tables + caches + indexes,
        Use::File | Use::Shared => tables + indexes,
        _ => tables + mappings + caches + indexes,
    };
    let (number, pins) = (frame.number(), record.pins());
    let may_be_pinned = usage == Use::Anonymous || usage.is_cached();
    if pins > 0 && !may_be_pinned {
        return Err(format!("frame {number} is {usage:?}, but has {pins} pins"));
    }
    if strangers != 0 {
        return Err(format!(
            "frame {number} is {usage:?}, but {tables} tables, {mappings} entries, {caches} caches and {indexes} indexes lead to it"
        ));
    }
    if record.is_ahead() && mappings != 0 {
        return Err(format!(
            "{mappings} entries lead to frame {number}, but nobody has come to its mark"
        ));
    }
    let counted = (record.references(), record.mappings());
    let held = !matches!(usage, Use::Kernel | Use::Reserved);
    if held && counted != (expected.0 + pins, expected.1) {
        return Err(format!(
            "frame {number} ({usage:?}): {} holders, {pins} pins and {} entries lead to it, the record says {} and {}",
            expected.0, expected.1, counted.0, counted.1
        ));
    }
    let in_use = !matches!(
        usage,
        Use::Reserved | Use::Kernel | Use::FreeBlock | Use::FreeTail | Use::CpuCache
    );
    if in_use && counted.0 == 0 {
        return Err(format!(
            "frame {number} ({usage:?}) is lost: nobody holds it and it is not free"
        ));
    }
    Ok(())
}

/// The frame that stands in for all zeroes: nothing was stored in it, and nobody counts who maps it.
fn check_zero<M: Machine>(memory: &Memory<M>, frame: Frame) -> Verdict {
    let mut stored = None;
    memory.machine.occupied(frame, |index, word| {
        stored.get_or_insert((index, word));
    });
    if let Some((index, word)) = stored {
        return Err(format!("the zero page holds {word:#x} at word {index}"));
    }
    let record = memory.record(frame);
    match (record.references(), record.mappings()) {
        (1, 0) => Ok(()),
        (references, mappings) => Err(format!(
            "the zero page was counted: {references} holders, {mappings} entries"
        )),
    }
}
