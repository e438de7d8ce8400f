//! The two areas that every program finds in its memory: `[vdso]`, an object that reads the clock, and in front of it
//! `[vvar]`, what it reads. `arch/vdso` has the object.
//!
//! To the rest of the kernel they are two files of a page each, which all programs map and nobody can open: faults, `fork`
//! and `munmap` know nothing new; what else there is to them stands in `mm`'s `special.rs`.
use alloc::sync::Arc;

use abi::Errno;
use mm::machine::PhysMem;
use mm::mmap::{Mapping, Place};
use mm::opening::Opening;
use mm::page_cache::{CachedFile, ReadResult, Source};
use mm::{Backing, PAGE_SIZE, VmFlags, remote};
use spin::Once;

use super::Space;
use super::exec::map;
use crate::arch::memory::memory;
use crate::arch::vdso;

/// How many frames they take.
pub(super) const PAGES: usize = 2;

/// Both, with what they are called and how they are mapped, in the order of their addresses.
static PARTS: Once<[Part; PAGES]> = Once::new();

struct Part {
    name: &'static str,
    flags: VmFlags,
    file: Arc<CachedFile>,
}

/// Fills both. Called once, when the clock goes and before the first program.
pub(super) fn init() {
    let mut parameters = [0; 48];
    for (place, word) in parameters.chunks_exact_mut(8).zip(vdso::parameters()) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    let read = VmFlags::READ | VmFlags::SPECIAL;
    let part = |name, flags, bytes: &[u8]| Part {
        name,
        flags,
        file: filled(bytes),
    };
    PARTS.call_once(|| {
        let raw = VmFlags::RAW | VmFlags::NEVER_WRITE | VmFlags::DONT_DUMP;
        [
            part("[vvar]", read | raw, &parameters),
            part("[vdso]", read | VmFlags::EXEC, vdso::image()),
        ]
    });
}

/// A file of one page that begins with `bytes`.
fn filled(bytes: &[u8]) -> Arc<CachedFile> {
    let file = Arc::new(CachedFile::new(0, Source::Archive, PAGE_SIZE));
    let read = file.begin_read(memory(), 0).ok().flatten();
    let read = read.expect("there is memory at boot, and nobody else knows the file");
    remote::write_bytes(memory().machine.words(read.frame()), 0, bytes);
    read.complete(memory(), ReadResult::Filled);
    file
}

/// Maps both where there is room, one behind the other, and says where the object begins.
pub(super) fn place(space: &Space) -> Result<u64, Errno> {
    let parts = PARTS.get().ok_or(Errno::ENOEXEC)?;
    let whole = Mapping {
        address: 0,
        length: parts.len() as u64 * PAGE_SIZE,
        place: Place::Hint,
        flags: VmFlags::empty(),
        backing: Backing::Anonymous,
        opening: Opening::default(),
    };
    let pages = space.read().check_mmap(&whole);
    let mut start = pages.map_err(|_| Errno::ENOMEM)?.start;
    for part in parts {
        let backing = Backing::File {
            file: part.file.clone(),
            offset: 0,
        };
        map(space, start, start + 1, part.flags, backing)?;
        start = start + 1;
    }
    Ok((start - 1).address())
}

/// What `file` is called, if it is one of the two.
pub(crate) fn name(file: &CachedFile) -> Option<&'static str> {
    let part = PARTS.get()?.iter();
    let mut part = part.filter(|part| core::ptr::eq(Arc::as_ptr(&part.file), file));
    part.next().map(|part| part.name)
}
