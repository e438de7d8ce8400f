//! `mmap`, `munmap`, `mprotect`, `brk`.
use abi::Errno;
use abi::general::{
    MAP_32BIT, MAP_ANONYMOUS, MAP_FIXED, MAP_FIXED_NOREPLACE, MAP_GROWSDOWN, MAP_HUGETLB,
    MAP_LOCKED, MAP_NONBLOCK, MAP_NORESERVE, MAP_POPULATE, MAP_PRIVATE, MAP_SHARED,
    MAP_SHARED_VALIDATE, MAP_TYPE, PROT_EXEC, PROT_GROWSDOWN, PROT_GROWSUP, PROT_READ, PROT_SEM,
    PROT_WRITE,
};
use mm::mmap::{Mapping, Place};
use mm::mprotect::Extent;
use mm::{Access, Backing, Error, PAGE_SIZE, VmFlags};

use super::{Answer, Arguments};
use crate::arch::memory::memory;
use crate::fault;
use crate::fs::files::Kind;
use crate::process::current;

/// mmap(2).
pub(super) fn mmap([address, length, protection, flags, file, offset]: Arguments) -> Answer {
    if !offset.is_multiple_of(PAGE_SIZE) {
        return Err(Errno::EINVAL);
    }
    let flags = flags as u32;
    let backing = backing(flags, file, offset / PAGE_SIZE)?;
    let mapping = Mapping {
        address,
        length,
        place: place(flags),
        flags: vm_flags(protection as u32, flags),
        backing,
    };
    let kind = check_kind(flags, &mapping);
    let space = current().space().ok_or(Errno::ENOMEM)?;
    let start = {
        let mut space = space.write();
        if let Err(refusal) = kind {
            // Linux looks for a place before it looks at the kind, and programs can tell.
            space.check_mmap(&mapping).map_err(errno)?;
            return Err(refusal);
        }
        space.mmap(memory(), mapping).map_err(errno)?
    };
    if flags & MAP_LOCKED != 0 || flags & (MAP_POPULATE | MAP_NONBLOCK) == MAP_POPULATE {
        let access = if protection as u32 & PROT_WRITE != 0 {
            Access::Write
        } else {
            Access::Read
        };
        fault::populate(&space, start, length, access);
    }
    Ok(start)
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

fn vm_flags(protection: u32, flags: u32) -> VmFlags {
    let mut vm = access(protection);
    vm.set(VmFlags::GROWS_DOWN, flags & MAP_GROWSDOWN != 0);
    vm.set(VmFlags::NO_RESERVE, flags & MAP_NORESERVE != 0);
    vm.set(VmFlags::LOCKED, flags & MAP_LOCKED != 0);
    vm
}

fn access(protection: u32) -> VmFlags {
    let mut vm = VmFlags::empty();
    vm.set(VmFlags::READ, protection & PROT_READ != 0);
    vm.set(VmFlags::WRITE, protection & PROT_WRITE != 0);
    vm.set(VmFlags::EXEC, protection & PROT_EXEC != 0);
    vm
}

/// What the pages are to come from.
fn backing(flags: u32, file: u64, offset: u64) -> Result<Backing, Errno> {
    if flags & MAP_ANONYMOUS != 0 {
        // There is no pool of huge pages, as on a Linux that was given none.
        return if flags & MAP_HUGETLB != 0 {
            Err(Errno::ENOMEM)
        } else {
            Ok(Backing::Anonymous)
        };
    }
    let descriptor = current().files.get(u64::from(file as u32))?;
    match &descriptor.file.kind {
        Kind::File(file) if !file.is_directory() => Ok(Backing::File {
            file: file.cached().clone(),
            offset,
        }),
        _ => Err(Errno::ENODEV),
    }
}

/// Private memory is all there is so far: shared mappings answer `ENOSYS`, nonsense what Linux answers.
fn check_kind(flags: u32, mapping: &Mapping) -> Result<(), Errno> {
    let file = matches!(mapping.backing, Backing::File { .. });
    match flags & MAP_TYPE {
        MAP_PRIVATE if file && flags & MAP_GROWSDOWN != 0 => Err(Errno::EINVAL),
        MAP_PRIVATE => Ok(()),
        MAP_SHARED if !file && flags & MAP_GROWSDOWN != 0 => Err(Errno::EINVAL),
        MAP_SHARED => Err(Errno::ENOSYS),
        MAP_SHARED_VALIDATE if file => Err(Errno::ENOSYS),
        _ => Err(Errno::EINVAL),
    }
}

/// munmap(2).
pub(super) fn munmap([address, length, ..]: Arguments) -> Answer {
    let space = current().space().ok_or(Errno::EINVAL)?;
    let done = space.write().munmap(memory(), address, length);
    done.map(|()| 0).map_err(errno)
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
    if protection & !u64::from(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM) != 0
        || grows == PROT_GROWSUP
    {
        return Err(Errno::EINVAL);
    }
    let extent = if grows == PROT_GROWSDOWN {
        Extent::GrowsDown
    } else {
        Extent::Named
    };
    let space = current().space().ok_or(Errno::ENOMEM)?;
    let done = space
        .write()
        .mprotect(memory(), address, length, access(protection as u32), extent);
    done.map(|()| 0).map_err(errno)
}

/// brk(2), as the kernel answers it: the end of the heap that now holds.
pub(super) fn brk([address, ..]: Arguments) -> Answer {
    let space = current().space().ok_or(Errno::ENOMEM)?;
    let end = space.write().brk(memory(), address);
    Ok(end)
}

fn errno(error: Error) -> Errno {
    match error {
        Error::OutOfMemory => Errno::ENOMEM,
        Error::Invalid => Errno::EINVAL,
        Error::Exists => Errno::EEXIST,
        Error::NotPermitted => Errno::EPERM,
        Error::Forbidden => Errno::EACCES,
        Error::Overflow => Errno::EOVERFLOW,
        Error::BadAddress => Errno::EFAULT,
    }
}
