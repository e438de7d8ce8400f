//! `memfd_create`, and seals through `fcntl`.
use abi::Errno;
use abi::general::{
    MFD_ALLOW_SEALING, MFD_CLOEXEC, MFD_EXEC, MFD_HUGE_MASK, MFD_HUGE_SHIFT, MFD_HUGETLB,
    MFD_NOEXEC_SEAL, O_CLOEXEC, O_LARGEFILE, O_RDWR,
};
use mm::seal::Seals;

use super::descriptor::add;
use super::{Answer, Arguments, user};
use crate::fs::memfd::{Memfd, refusal};
use crate::fs::open::OpenFile;

/// Longest name with its end, in bytes; `memfd:` stands before it.
const NAME_MAX: usize = 250;

/// All flags but those that only huge pages have.
const KNOWN: u32 = MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB | MFD_NOEXEC_SEAL | MFD_EXEC;

/// memfd_create(2). There are no huge pages for files.
pub(super) fn memfd_create([name, flags, ..]: Arguments) -> Answer {
    let flags = flags as u32;
    let sizes = if flags & MFD_HUGETLB != 0 {
        MFD_HUGE_MASK << MFD_HUGE_SHIFT
    } else {
        0
    };
    let both = MFD_EXEC | MFD_NOEXEC_SEAL;
    if flags & !(KNOWN | sizes) != 0 || flags & both == both {
        return Err(Errno::EINVAL);
    }
    let name = user::string(name, NAME_MAX, Errno::EINVAL)?;
    if flags & MFD_HUGETLB != 0 {
        return Err(Errno::ENOSYS);
    }
    let (permissions, seals) = match flags & (MFD_NOEXEC_SEAL | MFD_ALLOW_SEALING) {
        MFD_ALLOW_SEALING => (0o777, Seals::empty()),
        0 => (0o777, Seals::SEAL),
        _ => (0o666, Seals::EXEC),
    };
    let file = Memfd::try_new(name, permissions, seals)?;
    let file = OpenFile::try_new(file, O_RDWR | O_LARGEFILE);
    let on_exec = if flags & MFD_CLOEXEC != 0 {
        O_CLOEXEC
    } else {
        0
    };
    add(file.map_err(|_| Errno::ENOMEM)?, on_exec)
}

/// F_ADD_SEALS.
pub(super) fn add_seals(open: &OpenFile, seals: u32) -> Answer {
    open.check_writable().map_err(|_| Errno::EPERM)?;
    let seals = Seals::from_bits(seals).ok_or(Errno::EINVAL)?;
    match open.kind.memfd() {
        Some(file) => file.add_seals(seals).map(|()| 0).map_err(refusal),
        None => sealed_for_good(open).and(Err(Errno::EPERM)),
    }
}

/// F_GET_SEALS.
pub(super) fn seals(open: &OpenFile) -> Answer {
    let seals = match open.kind.memfd() {
        Some(file) => file.file().seals(),
        None => sealed_for_good(open)?,
    };
    Ok(seals.bits().into())
}

/// The seals of a file with a name: in memory it has the one that forbids all others, elsewhere it knows none.
fn sealed_for_good(open: &OpenFile) -> Result<Seals, Errno> {
    let seals = open.kind.pages().map(|pages| pages.seals());
    let seals = seals.filter(|seals| seals.contains(Seals::SEAL));
    seals.ok_or(Errno::EINVAL)
}
