//! The kernel's own image: which pages hold code, which constants, which data, as its program headers say.
//!
//! The loader keeps the file that it loaded and says where; the headers in it are the only place that knows the limits
//! of the segments without a linker script.
use elf::ElfBytes;
use elf::abi::{PF_W, PF_X, PT_GNU_RELRO, PT_LOAD};
use elf::endian::LittleEndian;
use elf::segment::ProgramHeader;
use x86_64::structures::paging::PageTableFlags;

use super::layout::{KERNEL_IMAGE, PAGE};

/// A piece of the image, in whole pages, and how it is mapped.
pub(super) struct Segment {
    /// Virtual address of the first page.
    pub(super) start: u64,
    /// One byte above the last page.
    pub(super) end: u64,
    pub(super) flags: PageTableFlags,
}

/// Calls `visit` for each segment of the kernel's `file`. Where segments overlap, the later one decides: data that
/// only relocation wrote to comes last, as read-only.
pub(super) fn segments(file: &[u8], mut visit: impl FnMut(Segment)) {
    let file = ElfBytes::<LittleEndian>::minimal_parse(file).expect("the loader started this file");
    let headers = file.segments().expect("the loader started this file");
    for header in headers.iter().filter(|header| header.p_type == PT_LOAD) {
        visit(load(&header));
    }
    for header in headers
        .iter()
        .filter(|header| header.p_type == PT_GNU_RELRO)
    {
        visit(relocated(&header));
    }
}

fn load(header: &ProgramHeader) -> Segment {
    let mut flags = PageTableFlags::empty();
    flags.set(PageTableFlags::WRITABLE, header.p_flags & PF_W != 0);
    flags.set(PageTableFlags::NO_EXECUTE, header.p_flags & PF_X == 0);
    let (start, end) = bounds(header);
    Segment {
        start: start & !(PAGE - 1),
        end: end.next_multiple_of(PAGE),
        flags,
    }
}

/// Only whole pages: what shares its last page with data stays writable.
fn relocated(header: &ProgramHeader) -> Segment {
    let (start, end) = bounds(header);
    Segment {
        start: start.next_multiple_of(PAGE),
        end: (end & !(PAGE - 1)).max(start.next_multiple_of(PAGE)),
        flags: PageTableFlags::NO_EXECUTE,
    }
}

fn bounds(header: &ProgramHeader) -> (u64, u64) {
    let start = KERNEL_IMAGE + header.p_vaddr;
    (start, start + header.p_memsz)
}
