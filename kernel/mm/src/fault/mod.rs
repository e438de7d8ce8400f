//! The page fault: which case is it, which frame answers it, and the one place that writes the answer into the table.
//!
//! ```text
//!  area ------------- none, or a gap below one that doesn't grow ---> Denied(Unmapped)
//!   |   ------------- below one that grows down --------------------> NeedsGrowth (its owner must be exclusive)
//!   |   ------------- access not allowed ---------------------------> Denied(Forbidden)
//!   |                 (a fetch where nothing is yet is allowed what a read is: Linux brings the page in, and refuses the
//!   |                 next try)
//!   v
//!  entry       backing     access   leaf    answer                                             path
//!  Empty       anonymous   read     anon    the zero page, read-only                           ZeroRead
//!  Empty       anonymous   write    anon    a zeroed frame                                     ZeroWrite
//!  Empty       shared mem. any      file    the object's frame, made where there is none       SharedMemory
//!  Empty       file        read     file    the page cache's frame, read-only; or NeedsRead    FileRead
//!  Empty       file        write    file    a copy of the page cache's frame; or NeedsRead     FileCow
//!  Empty       shared file write    notify  the cache's frame, now dirty; or NeedsRoom         FileStore
//!  Mapped      any         allowed  -       nothing: a stale TLB entry, or another was first   Spurious
//!  Mapped      shared file write    notify  the same frame, now dirty; or NeedsRoom            WriteNotify
//!  Mapped      any         write    cow     zero page: a zeroed frame                          CowZero
//!                                           other users: a copy                                CowCopy
//!                                           no other user: the same frame, now writable        CowReuse
//! ```
//!
//! Who reads a page of a file is shown those around it that are in memory as well (`around`).
//!
//! A leaf (`anon`, `file`, `notify`, `cow`) answers *which frame*; [`AddressSpace::install`] is the one place that
//! writes an entry for a fault. Nothing here blocks: a read that is needed is returned, its owner performs it, and the
//! processor asks again. Faults share (`&self`): areas hold still, and an entry changes only by compare-and-set from
//! what was seen.
mod anon;
mod around;
mod cow;
mod file;
mod notify;
mod outcome;

use crate::frame::Frame;
use crate::machine::Machine;
use crate::memory::Memory;
use crate::page::Page;
use crate::page_cache::{CachedFile, Dirtied};
use crate::page_table::exchange;
use crate::pte::{Leaf, Pte, PteFlags};
use crate::space::AddressSpace;
use crate::stats::Counter;
use crate::sync::atomic::Ordering::{Acquire, SeqCst};
use crate::sync::atomic::{AtomicU64, fence};
use crate::vma::{Backing, VmFlags, Vma};

pub use outcome::{Access, Change, Denial, Outcome, Path};

/// A fault that passed the area's checks, on its way to a leaf.
struct Fault<'a, M> {
    memory: &'a Memory<M>,
    vma: &'a Vma,
    page: Page,
    access: Access,
}

/// A leaf's answer: the entry to write.
struct Resolution {
    path: Path,
    leaf: Leaf,
    frame: Origin,
}

/// Where the frame of a resolution comes from, hence which counts change.
enum Origin {
    /// New to this entry; the leaf took a reference, which passes to the entry.
    New,
    /// New, in place of the frame that the entry held.
    InPlaceOf(Leaf),
    /// The entry's own.
    Same,
}

impl AddressSpace {
    /// Serves a fault at byte `address`. May run on several CPUs at once for one space.
    ///
    /// Linux's `pgfault` counts a fault when it ends, well or not, and not those that never got past the area.
    pub fn handle_fault<M: Machine>(
        &self,
        memory: &Memory<M>,
        address: u64,
        access: Access,
    ) -> Outcome {
        let page = Page::containing(address);
        let vma = match self.area_for(memory, page, access) {
            Ok(vma) => vma,
            Err(outcome) => return outcome,
        };
        let fault = Fault {
            memory,
            vma,
            page,
            access,
        };
        let outcome = self.resolve(&fault);
        let goes_on = matches!(
            outcome,
            Outcome::NeedsRead(_) | Outcome::Busy | Outcome::ReadAhead(_) | Outcome::NeedsRoom(_)
        );
        memory.stats.add(Counter::pgfault, u64::from(!goes_on));
        outcome
    }

    /// Gives `page` of a private area that forbids stores a frame of its own, for somebody else's store (`foreign.rs`).
    pub(crate) fn copy_for_stranger<M: Machine>(
        &self,
        memory: &Memory<M>,
        vma: &Vma,
        page: Page,
    ) -> Outcome {
        self.resolve(&Fault {
            memory,
            vma,
            page,
            access: Access::Write,
        })
    }

    /// The area that allows the access; else what the fault comes to without one.
    fn area_for<M: Machine>(
        &self,
        memory: &Memory<M>,
        page: Page,
        access: Access,
    ) -> Result<&Vma, Outcome> {
        let unmapped = Outcome::Denied(Denial::Unmapped);
        match self.areas.find(page) {
            None => Err(unmapped),
            Some(vma) if page < vma.start && vma.flags.contains(VmFlags::GROWS_DOWN) => {
                Err(Outcome::NeedsGrowth)
            }
            Some(vma) if page < vma.start => Err(unmapped),
            Some(vma) if vma.flags.allow(access) => Ok(vma),
            Some(vma) if self.is_first_fetch(memory, vma, page, access) => Ok(vma),
            Some(_) => Err(Outcome::Denied(Denial::Forbidden)),
        }
    }

    /// Whether it is a fetch that could be a read, of a page that has to come in first.
    fn is_first_fetch<M: Machine>(
        &self,
        memory: &Memory<M>,
        vma: &Vma,
        page: Page,
        access: Access,
    ) -> bool {
        let is_readable_fetch = access == Access::Execute && vma.flags.allow(Access::Read);
        let is_absent = || {
            let entry = self.table.entry(memory, page);
            entry.is_none_or(|entry| entry.load(Acquire) == 0)
        };
        is_readable_fetch && is_absent()
    }

    /// Finds the row of the picture and has its leaf answer.
    fn resolve<M: Machine>(&self, fault: &Fault<'_, M>) -> Outcome {
        let Fault {
            memory,
            vma,
            page,
            access,
        } = *fault;
        let Ok(entry) = self.table.entry_or_create(memory, page) else {
            return Outcome::OutOfMemory;
        };
        if access == Access::Write && !vma.flags.contains(VmFlags::SHARED) {
            // Whatever comes of it: Linux does this before it looks for the page, too.
            self.identify(vma);
        }
        let before = entry.load(Acquire);
        let mut held = None;
        let resolution = match (Pte::decode(before), &vma.backing) {
            (Pte::Empty, Backing::Anonymous | Backing::ZeroDevice { .. }) => anon::resolve(fault),
            (Pte::Empty, Backing::File { file, .. }) => file::resolve(fault, file),
            (Pte::Mapped(leaf), _) if access != Access::Write || leaf.is_writable() => {
                return self.spurious(memory, page, before);
            }
            (Pte::Mapped(leaf), Backing::File { file, .. }) if vma.notices_stores() => {
                notify::next_store(fault, file, leaf)
            }
            (Pte::Mapped(leaf), backing) if backing.is_anonymous() && !memory.is_shared(leaf) => {
                cow::resolve(fault, leaf, cow::ALONE)
            }
            (Pte::Mapped(leaf), _) => {
                // Who walks a reverse map takes frames away at any time. Unless it is held, this one could be another
                // page's by the time that its copy is installed, or the entry's again and no longer what was copied.
                if !memory.hold_if(leaf.frame, || entry.load(Acquire) == before) {
                    return self.spurious(memory, page, before);
                }
                held = Some(leaf.frame);
                cow::resolve(fault, leaf, cow::ALONE + 1)
            }
            (Pte::Protected(_) | Pte::Swapped(_), _) => return misplaced(fault, before),
        };
        let outcome = match resolution {
            Ok(resolution) => self.install_noticed(fault, entry, before, resolution),
            Err(outcome) => outcome,
        };
        if let Some(frame) = held {
            memory.put(frame);
        }
        if let Backing::File { file, .. } = &vma.backing {
            self.look_again(fault, entry, file);
            let is_served = matches!(outcome, Outcome::Resolved(_));
            if is_served && before == 0 && access != Access::Write {
                self.map_around(fault, file);
            }
        }
        outcome
    }

    /// Writes the answer, if the entry is still what the leaf saw, and keeps every count that depends on it.
    ///
    /// Counts go first: once the entry can be seen another CPU may replace it, and take off what was not yet added.
    fn install<M: Machine>(
        &self,
        fault: &Fault<'_, M>,
        entry: &AtomicU64,
        before: u64,
        answer: Resolution,
    ) -> Outcome {
        let Fault { memory, page, .. } = *fault;
        let Resolution { path, leaf, frame } = answer;
        let is_new = !matches!(frame, Origin::Same);
        if is_new && leaf.frame != memory.zero_frame() {
            self.count(fault, leaf.frame);
        }
        let after = Pte::Mapped(leaf).encode();
        let is_installed = match frame {
            Origin::InPlaceOf(old) => self.replace(fault, entry, (before, old), leaf),
            // The fault itself dropped this CPU's stale entry; others find out by faults of their own.
            Origin::New | Origin::Same => exchange(entry, before, after),
        };
        if !is_installed {
            if is_new {
                self.let_go(memory, leaf);
            }
            return self.spurious(memory, page, before);
        }
        memory.stats.took(path);
        Outcome::Resolved(Change {
            path,
            before,
            after,
        })
    }

    /// Counts `frame` as mapped at the fault's page.
    fn count<M: Machine>(&self, fault: &Fault<'_, M>, frame: Frame) {
        let Fault {
            memory, vma, page, ..
        } = *fault;
        let record = memory.record(frame);
        record.mapped();
        memory.count_resident(self.table.root(), record.usage(), 1);
        self.note_home(memory, frame, vma.home(page));
    }

    /// Puts the copy `new` where `old` is, and gives `old` up once no CPU can see it any more.
    ///
    /// ```text
    ///  entry                  TLBs elsewhere
    ///  old r--                old r--           what everybody starts from
    ///  new r--, held twice    old r--           both hold the same bytes, so it does not matter who sees which
    ///                         -                 the shootdown
    ///  new rw-                -                 only now may bytes differ
    /// ```
    /// Whoever stores meanwhile finds a frame with two holders, and an entry that does not say that it is alone, hence
    /// copies it in turn, and this copy is left to end.
    fn replace<M: Machine>(
        &self,
        fault: &Fault<'_, M>,
        entry: &AtomicU64,
        (before, old): (u64, Leaf),
        new: Leaf,
    ) -> bool {
        let Fault { memory, page, .. } = *fault;
        let flags = new.flags - (PteFlags::WRITABLE | PteFlags::EXCLUSIVE);
        let shown = Pte::Mapped(Leaf { flags, ..new }).encode();
        memory.record(new.frame).get();
        let is_installed = exchange(entry, before, shown);
        if is_installed {
            memory.machine.shootdown(self.table.root(), page..page + 1);
            self.let_go(memory, old);
            exchange(entry, shown, Pte::Mapped(new).encode());
        }
        memory.put(new.frame);
        is_installed
    }

    /// [`Self::install`], where what comes to be stored must be noticed: the page becomes dirty, and then the entry such
    /// that it may be stored through, with the file's books locked. Who takes the rights of entries away holds them too,
    /// after the page became clean: either it finds this entry and takes its right, or the page is dirty again with it.
    fn install_noticed<M: Machine>(
        &self,
        fault: &Fault<'_, M>,
        entry: &AtomicU64,
        before: u64,
        answer: Resolution,
    ) -> Outcome {
        let Fault { memory, page, .. } = *fault;
        let noticed = fault.vma.noticed(page);
        let Some((file, index)) = noticed.filter(|_| answer.leaf.is_writable()) else {
            return self.install(fault, entry, before, answer);
        };
        let books = file.mappings.lock();
        if file.make_dirty(memory, index, answer.leaf.frame) == Dirtied::Done {
            return self.install(fault, entry, before, answer);
        }
        drop(books);
        // The page has left the file. The next try finds what is there now.
        if matches!(answer.frame, Origin::New) {
            memory.put(answer.leaf.frame);
        }
        self.spurious(memory, page, before)
    }

    /// The page may have left the file while the fault was on its way with it, and the reverse map been walked before the
    /// entry was there. Either that walk saw the entry, or this look sees that the page is gone.
    fn look_again<M: Machine>(&self, fault: &Fault<'_, M>, entry: &AtomicU64, file: &CachedFile) {
        let Fault {
            memory, vma, page, ..
        } = *fault;
        fence(SeqCst);
        let bits = entry.load(Acquire);
        let shown = Pte::decode(bits).leaf().zip(vma.file_index(page));
        if let Some((leaf, index)) = shown
            && !file.still_shows(memory, index, leaf.frame)
            && exchange(entry, bits, 0)
        {
            memory.machine.shootdown(self.table.root(), page..page + 1);
            self.let_go(memory, leaf);
        }
    }

    /// Ends this space's hold on a frame that no CPU reaches through it.
    fn let_go<M: Machine>(&self, memory: &Memory<M>, old: Leaf) {
        let usage = memory.record(old.frame).usage();
        memory.uncount_resident(self.table.root(), usage, 1);
        if let Some(frame) = memory.drop_mapping(old) {
            memory.put(frame);
        }
    }

    fn spurious<M: Machine>(&self, memory: &Memory<M>, page: Page, bits: u64) -> Outcome {
        memory.machine.flush(self.table.root(), page);
        memory.stats.took(Path::Spurious);
        Outcome::Resolved(Change {
            path: Path::Spurious,
            before: bits,
            after: bits,
        })
    }
}

/// An entry that can't stand in an area that may be accessed: there is no swap, and mprotect, which excludes faults,
/// reveals what it hid when it gives an area rights. So nothing that ring 3 does leads here. Where a broken invariant
/// must not cost the machine, it costs the program.
fn misplaced<M>(fault: &Fault<'_, M>, bits: u64) -> Outcome {
    debug_assert!(
        false,
        "the entry of page {:#x} is {bits:#x} in {:#x}-{:#x}, an area with {:?}",
        fault.page.number(),
        fault.vma.start.address(),
        fault.vma.end.address(),
        fault.vma.flags
    );
    Outcome::Denied(Denial::Forbidden)
}

#[cfg(test)]
mod tests;
