//! The system calls on both sides: same result, same errno, same areas afterwards.
use std::fmt::Debug;
use std::ops::Range;

use mm::mmap::{self, Mapping};
use mm::mprotect;
use mm::opening::Opening;
use mm::populate::Populate as Wish;
use mm::{AddressSpace, Backing, Error, Memory, Page, VmFlags};

use super::{Answer, Fired, World};
use crate::broken::{Sound, demand};
use crate::failing_heap::{disarm, in_mm};
use crate::files::Store;
use crate::machine::SoftMachine;
use crate::op::{
    Extent, Growth, Nature, Pid, Place, Populate, Request, Reserve, Rights, Sharing, Source, Span,
};
use crate::oracle::{Oracle, Refusal};

impl World {
    pub(super) fn map(&mut self, pid: Pid, request: &Request) -> Sound<Answer> {
        let mapping = self.mapping(request);
        let held = match &mapping.backing {
            Backing::File { file, .. } => Some(file.clone()),
            Backing::Anonymous | Backing::ZeroDevice { .. } => None,
        };
        let answer = self.both(
            pid,
            |space, memory| space.mmap(memory, mapping),
            |oracle| oracle.map(request),
        )?;
        if let Some(file) = held {
            in_mm(|| file.release(&self.kernel.memory));
        }
        if let (Answer::Address(address), Populate::Now) = (answer, request.populate) {
            self.populate(pid, address, request)?;
        }
        Ok(answer)
    }

    fn mapping(&mut self, request: &Request) -> Mapping {
        let mut flags = vm_flags(request.rights);
        flags.set(VmFlags::GROWS_DOWN, request.growth == Growth::Down);
        flags.set(VmFlags::NO_RESERVE, request.reserve == Reserve::Not);
        flags.set(VmFlags::SHARED, request.sharing == Sharing::Shared);
        flags.set(VmFlags::NEVER_WRITE, self.is_opened_for_reading(request));
        flags |= match request.nature {
            Nature::Own => VmFlags::empty(),
            Nature::Special => VmFlags::SPECIAL,
            Nature::Raw => VmFlags::SPECIAL | VmFlags::RAW | VmFlags::NEVER_WRITE,
        };
        let backing = match request.source {
            Source::Zero => Backing::Anonymous,
            Source::ZeroDevice { offset } => Backing::ZeroDevice { offset },
            Source::File { file, offset } => Backing::File {
                file: self.file_to_map(file),
                offset,
            },
        };
        let place = match request.place {
            Place::Hint => mmap::Place::Hint,
            Place::Fixed => mmap::Place::Fixed,
            Place::NoReplace => mmap::Place::FixedNoReplace,
            Place::Low => mmap::Place::Low,
        };
        let Span { address, length } = request.span;
        Mapping {
            address,
            length,
            place,
            flags,
            backing,
            opening: Opening::default(),
        }
    }

    fn is_opened_for_reading(&self, request: &Request) -> bool {
        let is_archived = match request.source {
            Source::Zero | Source::ZeroDevice { .. } => false,
            Source::File { file, .. } => self.contents.file(file).store == Store::Archive,
        };
        is_archived && request.sharing == Sharing::Shared
    }

    pub(super) fn unmap(&mut self, pid: Pid, span: Span) -> Sound<Answer> {
        self.both(
            pid,
            |space, memory| space.munmap(memory, span.address, span.length),
            |oracle| oracle.unmap(span),
        )
    }

    pub(super) fn protect(
        &mut self,
        pid: Pid,
        span: Span,
        rights: Rights,
        extent: Extent,
    ) -> Sound<Answer> {
        let named = match extent {
            Extent::Named => mprotect::Extent::Named,
            Extent::GrowsDown => mprotect::Extent::GrowsDown,
        };
        let Span { address, length } = span;
        // Room for a piece of every area: in the middle of the call the heap may fail.
        let areas = self
            .process(pid)
            .map_or(0, |process| process.oracle.areas().len());
        let mut fetched = Vec::with_capacity(areas);
        let fetch = |pages: Range<Page>| fetched.push((pages.start.number(), pages.end.number()));
        let answer = self.both(
            pid,
            |space, memory| space.mprotect(memory, address, length, vm_flags(rights), named, fetch),
            |oracle| oracle.protect(span, rights, extent),
        )?;
        let expected = self
            .process(pid)
            .map(|process| process.oracle.take_fetched());
        demand!(
            answer == Answer::HeapFailed || expected.is_none_or(|expected| expected == fetched),
            "mprotect wants pages {fetched:x?} fetched"
        );
        for (start, end) in fetched {
            self.populate_pages(pid, Page::new(start)..Page::new(end), Wish::Area)?;
        }
        Ok(answer)
    }

    /// An answer that is neither the old end nor the wanted one is compared as it is, and found wrong.
    pub(super) fn brk(&mut self, pid: Pid, address: u64) -> Sound<Answer> {
        let on_mm = |space: &mut AddressSpace, memory: &Memory<SoftMachine>| {
            let before = space.brk(memory, 0);
            match space.brk(memory, address) {
                end if end == before && end != address => Err(Error::OutOfMemory),
                end => Ok(end),
            }
        };
        self.both(pid, on_mm, |oracle| oracle.brk(address))
    }

    /// Makes a call in `mm` and in the oracle; one that failed with the heap must have done nothing.
    pub(super) fn both<T: Debug + PartialEq + Into<Answer>>(
        &mut self,
        pid: Pid,
        on_mm: impl FnOnce(&mut AddressSpace, &Memory<SoftMachine>) -> Result<T, Error>,
        on_oracle: impl Fn(&mut Oracle) -> Result<T, Refusal>,
    ) -> Sound<Answer> {
        let kernel = self.kernel.clone();
        let Some(space) = self.process(pid).map(|process| process.space.clone()) else {
            return Ok(Answer::Nothing);
        };
        self.spare_the_refused(pid, &on_oracle);
        let (got, fired) = self.call(|| on_mm(&mut space.borrow_mut(), &kernel.memory));
        let got = got.map_err(refusal);
        if fired == Fired::Yes && matches!(got, Err(Refusal::ENOMEM | Refusal::EAGAIN)) {
            return Ok(Answer::HeapFailed);
        }
        self.tell_of_others(pid);
        let expected = match self.process(pid) {
            Some(process) => on_oracle(&mut process.oracle),
            None => return Ok(Answer::Nothing),
        };
        demand!(
            got == expected,
            "the call returned {got:x?}, the oracle says {expected:x?}"
        );
        Ok(got.map_or_else(Answer::Refused, Into::into))
    }
}

impl World {
    /// What is refused for lack of memory anyway may have done a part by then; nobody could tell that from a failure of
    /// the heap, so that waits for another operation.
    fn spare_the_refused<T>(
        &mut self,
        pid: Pid,
        on_oracle: impl Fn(&mut Oracle) -> Result<T, Refusal>,
    ) {
        if self.heap_fails.is_none() {
            return;
        }
        self.tell_of_others(pid);
        if let Some(process) = self.process(pid)
            && let Err(Refusal::ENOMEM | Refusal::EAGAIN) = on_oracle(&mut process.oracle.apart())
        {
            disarm();
        }
    }
}

impl From<u64> for Answer {
    fn from(address: u64) -> Self {
        Self::Address(address)
    }
}

impl From<()> for Answer {
    fn from((): ()) -> Self {
        Self::Done
    }
}

/// PROT_* as `mm` has them.
fn vm_flags(rights: Rights) -> VmFlags {
    let mut flags = VmFlags::empty();
    flags.set(VmFlags::READ, rights.has(Rights::R));
    flags.set(VmFlags::WRITE, rights.has(Rights::W));
    flags.set(VmFlags::EXEC, rights.has(Rights::X));
    flags
}

/// The name of the error in errno(3).
pub(super) fn refusal(error: Error) -> Refusal {
    match error {
        Error::OutOfMemory | Error::OutOfMemoryMidway => Refusal::ENOMEM,
        Error::Invalid => Refusal::EINVAL,
        Error::Exists => Refusal::EEXIST,
        Error::NotPermitted => Refusal::EPERM,
        Error::Forbidden => Refusal::EACCES,
        Error::Overflow => Refusal::EOVERFLOW,
        Error::BadAddress => Refusal::EFAULT,
        Error::TryAgain => Refusal::EAGAIN,
        Error::Busy => Refusal::EBUSY,
        Error::NoSpace => Refusal::ENOSPC,
    }
}
