//! `mmap`, `munmap`, `mprotect`, `mremap`, `brk`.
use alloc::vec::Vec;
use core::ops::Range;

use abi::Errno;
use abi::general::{
    MAP_32BIT, MAP_ANONYMOUS, MAP_DENYWRITE, MAP_EXECUTABLE, MAP_FIXED, MAP_FIXED_NOREPLACE,
    MAP_GROWSDOWN, MAP_HUGE_MASK, MAP_HUGE_SHIFT, MAP_HUGETLB, MAP_LOCKED, MAP_NONBLOCK,
    MAP_NORESERVE, MAP_POPULATE, MAP_PRIVATE, MAP_SHARED, MAP_SHARED_VALIDATE, MAP_STACK, MAP_TYPE,
    MAP_UNINITIALIZED, MS_NOEXEC, PROT_EXEC, PROT_GROWSDOWN, PROT_GROWSUP, PROT_READ, PROT_SEM,
    PROT_WRITE,
};
use mm::commit::Overcommit;
use mm::mmap::{Mapping, Place};
use mm::mprotect::Extent;
use mm::mremap::{Remap, RemapFlags};
use mm::page_cache::Reserve;
use mm::populate::Populate;
use mm::{Backing, Error, PAGE_SIZE, Page, VmFlags};

use super::file::descriptor;
use super::{Answer, Arguments};
use crate::arch::memory::memory;
use crate::fault;
use crate::fs::memfd;
use crate::fs::open::{MAX_SIZE, OpenFile};
use crate::process::oom::{self, Need};
use crate::process::{Space, current};

/// mmap(2).
pub(super) fn mmap([address, length, protection, flags, file, offset]: Arguments) -> Answer {
    if !offset.is_multiple_of(PAGE_SIZE) {
        return Err(Errno::EINVAL);
    }
    let flags = flags as u32;
    let open = if flags & MAP_ANONYMOUS == 0 {
        Some(descriptor(file)?.file)
    } else {
        None
    };
    let (backing, refusal) = match backing(flags, length, open.as_deref(), offset / PAGE_SIZE) {
        // That a file can't be mapped is said last, and so is that there are no huge pages.
        Err(Errno::ENODEV) => (Backing::Anonymous, Some(Errno::ENODEV)),
        Ok(_) if flags & MAP_HUGETLB != 0 => {
            check_huge_page(flags, address, length)?;
            (Backing::Anonymous, Some(Errno::ENOMEM))
        }
        backing => (backing?, None),
    };
    let mapping = Mapping {
        address,
        length,
        place: place(flags),
        flags: vm_flags(protection as u32, flags, open.as_deref()),
        backing,
        opening: open
            .as_ref()
            .map(|open| open.opening.clone())
            .unwrap_or_default(),
    };
    let mapped = map(flags, &mapping, open.as_deref(), refusal);
    if let Backing::File { file, .. } = mapping.backing {
        // Others may have unmapped it by now: then this was the last hold on its pages.
        file.release(memory());
    }
    mapped
}

/// Makes the mapping, with its pages where that is wished; its address.
fn map(flags: u32, mapping: &Mapping, open: Option<&OpenFile>, refusal: Option<Errno>) -> Answer {
    let kind = check_reach(mapping).and_then(|()| check_kind(flags, mapping));
    let kind = kind.and_then(|()| match open {
        Some(open) if open.check_readable().is_err() => Err(Errno::EACCES),
        // Linux: a disk that can only be read is not shown where stores might reach it one day.
        Some(open) if open.kind.volume().is_some() && may_be_stored_to(mapping) => {
            Err(Errno::EINVAL)
        }
        Some(open) if is_barred(open, mapping) => Err(Errno::EPERM),
        _ => refusal.map_or(Ok(()), Err),
    });
    let space = current().space().ok_or(Errno::ENOMEM)?;
    let (start, is_locked) = oom::retry(Need::Area, || {
        let mut space = space.write();
        if let Err(refusal) = kind {
            // Linux looks for a place before it looks at the kind, and programs can tell.
            space.check_mmap(mapping).map_err(errno)?;
            return Err(refusal);
        }
        let is_locked = flags & MAP_LOCKED != 0 || space.locks_future();
        let start = space.mmap(memory(), mapping.clone()).map_err(errno)?;
        Ok((start, is_locked))
    })?;
    if is_locked || flags & (MAP_POPULATE | MAP_NONBLOCK) == MAP_POPULATE {
        populate(&space, start, start + mapping.length);
    }
    Ok(start)
}

/// Whether it is to be executed from where nothing may be.
fn is_barred(open: &OpenFile, mapping: &Mapping) -> bool {
    let place = open.place.as_ref();
    let is_barred = place.is_some_and(|place| place.mount.has(MS_NOEXEC));
    is_barred && mapping.flags.contains(VmFlags::EXEC)
}

/// `EOVERFLOW` where the last page would lie behind all that files can have.
fn check_reach(mapping: &Mapping) -> Result<(), Errno> {
    let (offset, most) = match mapping.backing {
        Backing::Anonymous => return Ok(()),
        Backing::ZeroDevice { offset } => (offset, u64::MAX),
        Backing::File { offset, .. } => (offset, MAX_SIZE),
    };
    let length = mapping.length.checked_next_multiple_of(PAGE_SIZE);
    match length.and_then(|length| most.checked_sub(length)) {
        Some(room) if offset <= room / PAGE_SIZE => Ok(()),
        _ => Err(Errno::EOVERFLOW),
    }
}

/// Whether stores reach what is behind the mapping, now or after an mprotect(2).
fn may_be_stored_to(mapping: &Mapping) -> bool {
    mapping.flags & (VmFlags::SHARED | VmFlags::NEVER_WRITE) == VmFlags::SHARED
}

fn place(flags: u32) -> Place {
    if flags & MAP_FIXED_NOREPLACE != 0 {
        Place::FixedNoReplace
    } else if flags & MAP_FIXED != 0 {
        Place::Fixed
    } else if flags & MAP_32BIT != 0 {
        Place::Low
    } else {
        Place::Hint
    }
}

fn vm_flags(protection: u32, flags: u32, open: Option<&OpenFile>) -> VmFlags {
    let mut vm = access(protection);
    vm.set(VmFlags::GROWS_DOWN, flags & MAP_GROWSDOWN != 0);
    vm.set(VmFlags::NO_RESERVE, flags & MAP_NORESERVE != 0);
    vm.set(VmFlags::LOCKED, flags & MAP_LOCKED != 0);
    // As Linux since 6.7: huge pages would undo what the guard pages of many small stacks save.
    vm.set(VmFlags::NO_HUGE, flags & MAP_STACK != 0);
    if flags & MAP_TYPE != MAP_PRIVATE {
        vm.insert(VmFlags::SHARED);
        vm.set(VmFlags::NEVER_WRITE, is_read_only(open));
    }
    vm
}

fn access(protection: u32) -> VmFlags {
    let mut vm = VmFlags::empty();
    vm.set(VmFlags::READ, protection & PROT_READ != 0);
    vm.set(VmFlags::WRITE, protection & PROT_WRITE != 0);
    vm.set(VmFlags::EXEC, protection & PROT_EXEC != 0);
    vm
}

/// Whether stores must not reach what is behind the mapping: it was opened for reading only.
fn is_read_only(open: Option<&OpenFile>) -> bool {
    open.is_some_and(|open| open.check_writable().is_err())
}

/// What the pages are to come from.
fn backing(
    flags: u32,
    length: u64,
    open: Option<&OpenFile>,
    offset: u64,
) -> Result<Backing, Errno> {
    let Some(open) = open else {
        return match flags & MAP_TYPE {
            MAP_SHARED if flags & MAP_HUGETLB == 0 => shared_memory(length, flags),
            _ => Ok(Backing::Anonymous),
        };
    };
    if flags & MAP_HUGETLB != 0 {
        return Err(Errno::EINVAL);
    }
    if open.kind.is_zeroes() {
        return match flags & MAP_TYPE {
            MAP_PRIVATE => Ok(Backing::ZeroDevice { offset }),
            _ => shared_memory(length, flags),
        };
    }
    let file = open.kind.pages().ok_or(Errno::ENODEV)?.clone();
    Ok(Backing::File { file, offset })
}

/// A new object of `length` bytes that parents and children share. Strict mode knows no mapping without reserve.
fn shared_memory(length: u64, flags: u32) -> Result<Backing, Errno> {
    let is_strict = memory().overcommit() == Overcommit::Never;
    let reserve = if flags & MAP_NORESERVE != 0 && !is_strict {
        Reserve::ByPage
    } else {
        Reserve::Whole
    };
    let file = memfd::shared_memory(length, reserve)?;
    Ok(Backing::File { file, offset: 0 })
}

/// Whether huge pages could be mapped like that, if there were any: the pool is empty, as on a Linux that was given none.
fn check_huge_page(flags: u32, address: u64, length: u64) -> Result<(), Errno> {
    let size = match flags >> MAP_HUGE_SHIFT & MAP_HUGE_MASK {
        0 => 1 << HUGE_2M,
        power @ (HUGE_2M | HUGE_1G) => 1_u64 << power,
        _ => return Err(Errno::EINVAL),
    };
    let is_placed = flags & (MAP_FIXED | MAP_FIXED_NOREPLACE) != 0;
    match length.checked_next_multiple_of(size) {
        None => Err(Errno::EINVAL),
        Some(length) if length > mm::space::USER_END.address() => Ok(()),
        Some(_) if is_placed && !address.is_multiple_of(size) => Err(Errno::EINVAL),
        Some(_) => Ok(()),
    }
}

/// Binary logarithms of the huge pages' sizes.
const HUGE_2M: u32 = 21;
const HUGE_1G: u32 = 30;

/// Whether kind, flags and rights of a mapping go together, as Linux's `do_mmap` sees it.
fn check_kind(flags: u32, mapping: &Mapping) -> Result<(), Errno> {
    // Huge pages are a file's.
    let file = flags & MAP_ANONYMOUS == 0 || flags & MAP_HUGETLB != 0;
    let grows = flags & MAP_GROWSDOWN != 0;
    match flags & MAP_TYPE {
        MAP_SHARED_VALIDATE if file && flags & !KNOWN_FLAGS != 0 => Err(Errno::EOPNOTSUPP),
        MAP_SHARED_VALIDATE if !file => Err(Errno::EINVAL),
        MAP_SHARED | MAP_SHARED_VALIDATE
            if mapping
                .flags
                .contains(VmFlags::WRITE | VmFlags::NEVER_WRITE) =>
        {
            Err(Errno::EACCES)
        }
        MAP_PRIVATE | MAP_SHARED | MAP_SHARED_VALIDATE if file && grows => Err(Errno::EINVAL),
        MAP_SHARED if grows => Err(Errno::EINVAL),
        MAP_PRIVATE | MAP_SHARED | MAP_SHARED_VALIDATE => Ok(()),
        _ => Err(Errno::EINVAL),
    }
}

/// What MAP_SHARED_VALIDATE lets through: Linux's `LEGACY_MAP_MASK`.
const KNOWN_FLAGS: u32 = MAP_SHARED
    | MAP_PRIVATE
    | MAP_FIXED
    | MAP_ANONYMOUS
    | MAP_DENYWRITE
    | MAP_EXECUTABLE
    | MAP_UNINITIALIZED
    | MAP_GROWSDOWN
    | MAP_LOCKED
    | MAP_NORESERVE
    | MAP_POPULATE
    | MAP_NONBLOCK
    | MAP_STACK
    | MAP_HUGETLB
    | MAP_32BIT;

/// munmap(2).
pub(super) fn munmap([address, length, ..]: Arguments) -> Answer {
    let space = current().space().ok_or(Errno::EINVAL)?;
    oom::retry(Need::Area, || {
        let done = space.write().munmap(memory(), address, length);
        done.map(|()| 0).map_err(errno)
    })
}

/// mprotect(2).
pub(super) fn mprotect([address, length, protection, ..]: Arguments) -> Answer {
    let grows = protection as u32 & (PROT_GROWSDOWN | PROT_GROWSUP);
    let protection = protection & !u64::from(grows);
    if grows == PROT_GROWSDOWN | PROT_GROWSUP || !address.is_multiple_of(PAGE_SIZE) {
        return Err(Errno::EINVAL);
    }
    if length == 0 {
        return Ok(0);
    }
    let fits = length
        .checked_next_multiple_of(PAGE_SIZE)
        .and_then(|length| address.checked_add(length));
    fits.ok_or(Errno::ENOMEM)?;
    if protection & !u64::from(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM) != 0 {
        return Err(Errno::EINVAL);
    }
    let extent = match grows {
        PROT_GROWSDOWN => Extent::GrowsDown,
        PROT_GROWSUP => Extent::GrowsUp,
        _ => Extent::Named,
    };
    let space = current().space().ok_or(Errno::ENOMEM)?;
    let access = access(protection as u32);
    let mut fetched = Vec::new();
    // Without memory for the list, stores will fault.
    let mut fetch = |pages: Range<Page>| {
        if fetched.try_reserve(1).is_ok() {
            fetched.push(pages);
        }
    };
    let done = oom::retry(Need::Area, || {
        let mut space = space.write();
        let done = space.mprotect(memory(), address, length, access, extent, &mut fetch);
        done.map(|()| 0).map_err(errno)
    });
    for pages in fetched {
        populate(&space, pages.start.address(), pages.end.address());
    }
    done
}

/// mremap(2).
pub(super) fn mremap(
    [address, old_length, new_length, flags, new_address, _]: Arguments,
) -> Answer {
    let flags = u32::try_from(flags).ok().and_then(RemapFlags::from_bits);
    let flags = flags.ok_or(Errno::EINVAL)?;
    let remap = Remap {
        address,
        old_length,
        new_length,
        flags,
        new_address,
    };
    let space = current().space().ok_or(Errno::ENOMEM)?;
    let (start, is_locked) = oom::retry(Need::Area, || {
        let mut space = space.write();
        let start = match space.mremap(memory(), remap) {
            // Not to be tried again.
            Err(Error::OutOfMemoryMidway) => return Ok(Err(Errno::ENOMEM)),
            moved => moved.map_err(errno)?,
        };
        let vma = space.find_vma(start);
        let is_locked = vma.is_some_and(|vma| vma.flags.contains(VmFlags::LOCKED));
        Ok(Ok((start, is_locked)))
    })??;
    // In pages: what only fills a page up makes none.
    let (old, new) = (
        old_length.div_ceil(PAGE_SIZE),
        new_length.div_ceil(PAGE_SIZE),
    );
    if is_locked && new > old {
        populate(&space, start + old * PAGE_SIZE, start + new * PAGE_SIZE);
    }
    Ok(start)
}

/// brk(2), as the kernel answers it: the end of the heap that now holds.
pub(super) fn brk([address, ..]: Arguments) -> Answer {
    let space = current().space().ok_or(Errno::ENOMEM)?;
    let (before, end, is_locked) = {
        let mut space = space.write();
        let before = space.brk(memory(), 0);
        let end = space.brk(memory(), address);
        (before, end, space.locks_future())
    };
    if is_locked && end > before {
        populate(&space, before, end);
    }
    Ok(end)
}

/// Has the pages of bytes `start..end` fetched; that it can't be done is no reason to refuse them.
pub(super) fn populate(space: &Space, start: u64, end: u64) {
    let pages = Page::containing(start)..Page::containing(end + PAGE_SIZE - 1);
    let _ = fault::populate(space, pages, Populate::Willing);
}

pub(super) fn errno(error: Error) -> Errno {
    match error {
        Error::OutOfMemory | Error::OutOfMemoryMidway => Errno::ENOMEM,
        Error::Invalid => Errno::EINVAL,
        Error::Exists => Errno::EEXIST,
        Error::NotPermitted => Errno::EPERM,
        Error::Forbidden => Errno::EACCES,
        Error::Overflow => Errno::EOVERFLOW,
        Error::BadAddress => Errno::EFAULT,
        Error::TryAgain => Errno::EAGAIN,
        Error::Busy => Errno::EBUSY,
        Error::NoSpace => Errno::ENOSPC,
    }
}
