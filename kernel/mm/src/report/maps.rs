//! `maps`: a line an area.
use core::fmt::{Error, Result as Written, Write};

use super::{Counted, Files, Identity};
use crate::page::Page;
use crate::space::AddressSpace;
use crate::vma::{Backing, VmFlags, Vma};

/// The column at which names begin, less one.
const NAME: usize = 72;

/// Writes the line of the first area that ends above `from`, and returns where to go on; `None` where there is none.
pub fn maps(
    space: &AddressSpace,
    files: &impl Files,
    from: Page,
    out: &mut impl Write,
) -> Result<Option<Page>, Error> {
    let Some(vma) = space.areas().find(from) else {
        return Ok(None);
    };
    line(space, files, vma, out)?;
    Ok(Some(vma.end))
}

/// The line of one area.
pub(super) fn line(
    space: &AddressSpace,
    files: &impl Files,
    vma: &Vma,
    out: &mut impl Write,
) -> Written {
    let mut row = Counted::new(out);
    let (offset, identity) = match &vma.backing {
        Backing::Anonymous => (0, NOWHERE),
        Backing::ZeroDevice { offset } => (Page::new(*offset).address(), files.zero_device()),
        Backing::File { file, offset } => (Page::new(*offset).address(), files.identity(file)),
    };
    head(&mut row, vma.pages(), rights(vma.flags), offset, identity)?;
    match &vma.backing {
        Backing::File { file, .. } => {
            row.pad(NAME)?;
            files.write_name(file, &vma.opening, &mut row)?;
        }
        Backing::ZeroDevice { .. } => {
            row.pad(NAME)?;
            row.write_str("/dev/zero")?;
        }
        Backing::Anonymous => {
            if let Some(name) = name(space, vma) {
                row.pad(NAME)?;
                row.write_str(name)?;
            }
        }
    }
    row.write_char('\n')
}

/// The line above a summary of all areas.
pub(super) fn rollup_line(pages: core::ops::Range<Page>, out: &mut impl Write) -> Written {
    let mut row = Counted::new(out);
    head(&mut row, pages, *b"---p", 0, NOWHERE)?;
    row.pad(NAME)?;
    row.write_str("[rollup]\n")
}

/// The device and the number of what is no file.
const NOWHERE: Identity = Identity {
    device: (0, 0),
    inode: 0,
};

fn head(
    row: &mut impl Write,
    pages: core::ops::Range<Page>,
    rights: [u8; 4],
    offset: u64,
    identity: Identity,
) -> Written {
    let (start, end) = (pages.start.address(), pages.end.address());
    let (major, minor) = identity.device;
    write!(row, "{start:08x}-{end:08x} ")?;
    for right in rights {
        row.write_char(right.into())?;
    }
    write!(
        row,
        " {offset:08x} {major:02x}:{minor:02x} {} ",
        identity.inode
    )
}

fn rights(flags: VmFlags) -> [u8; 4] {
    let right = |flag, letter| if flags.contains(flag) { letter } else { b'-' };
    [
        right(VmFlags::READ, b'r'),
        right(VmFlags::WRITE, b'w'),
        right(VmFlags::EXEC, b'x'),
        if flags.contains(VmFlags::SHARED) {
            b's'
        } else {
            b'p'
        },
    ]
}

/// What an anonymous area is called, if it is the heap's or the first stack's.
fn name(space: &AddressSpace, vma: &Vma) -> Option<&'static str> {
    let (start, end) = (vma.start.address(), vma.end.address());
    if start < space.brk && space.layout.heap_start < end {
        return Some("[heap]");
    }
    let stack = space.stack_start;
    (start <= stack && stack <= end).then_some("[stack]")
}
