//! Programs that need another to run: scripts, which name who reads them, and dynamic programs, which name their loader.
//!
//! A script is replaced by its interpreter before anything is loaded. A loader is mapped beside its program and starts
//! first; it finds the program by the auxiliary vector.
use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;
use mm::PAGE_SIZE;
use mm::mmap::{Mapping, Place};
use mm::opening::Opening;
use mm::{Backing, VmFlags};

use super::elf::Image;
use super::exec::map_segments;
use super::script::{self, First, START};
use super::stack::{self, Arguments};
use super::{Space, current};
use crate::fs::program::Program;
use crate::fs::{self, inode};

/// How often one script may name another, with the program at the end.
const MOST: usize = 6;

/// Whether a script's interpreter will find the script by the path that it is told.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    Found,
    /// It is the path of a descriptor that `execve` closes.
    Lost,
}

/// The program that is to be loaded for `file`, which was asked for as `path`: itself, or who reads the script that it is.
/// `arguments` become those of the interpreter.
pub(super) fn follow(
    mut file: Arc<Program>,
    path: &[u8],
    reach: Reach,
    arguments: &mut Arguments,
) -> Result<Arc<Program>, Errno> {
    let mut name = inode::copy(path)?;
    for _ in 0..MOST {
        let mut start = [0; START];
        file.read_at(0, &mut start)?;
        let line = match script::read(&start) {
            First::Other => return Ok(file),
            First::Nobody => return Err(Errno::ENOEXEC),
            First::Script(_) if reach == Reach::Lost => return Err(Errno::ENOENT),
            First::Script(line) => line,
        };
        let words = [Some(line.interpreter), line.argument, Some(&name)];
        arguments.replace_first(words.into_iter().flatten(), stack::MOST_BYTES)?;
        name = inode::copy(line.interpreter)?;
        file = fs::open_program(current().working.directory(), &name)?;
    }
    Err(Errno::ELOOP)
}

/// The loader of a dynamic program.
pub(super) struct Loader {
    program: Arc<Program>,
    image: Image,
}

/// Where a loader was mapped.
#[derive(Clone, Copy)]
pub(super) struct Placed {
    /// What was added to its addresses.
    pub(super) bias: u64,
    /// Where it starts.
    pub(super) entry: u64,
}

impl Loader {
    /// Whom `image`, the headers of `file`, names; most programs that are static name nobody.
    pub(super) fn of(file: &Program, image: &Image) -> Result<Option<Self>, Errno> {
        let Some(path) = image.interpreter(file)? else {
            return Ok(None);
        };
        Self::open(&path).map(Some)
    }

    fn open(path: &[u8]) -> Result<Self, Errno> {
        let program = fs::open_program(current().working.directory(), path)?;
        let image = Image::parse(&program).map_err(|errno| match errno {
            Errno::ENOEXEC => Errno::ELIBBAD,
            errno => errno,
        })?;
        Ok(Self { program, image })
    }

    /// Promises its segments where there is room for all of them.
    pub(super) fn map(&self, space: &Space) -> Result<Placed, Errno> {
        let bias = if self.image.has_fixed_place() {
            0
        } else {
            self.find_room(space)?
        };
        map_segments(space, &self.program, &self.image, bias)?;
        let entry = bias.wrapping_add(self.image.entry());
        Ok(Placed { bias, entry })
    }

    /// What is to be added to its addresses. Nobody else maps anything in a space that is being built.
    fn find_room(&self, space: &Space) -> Result<u64, Errno> {
        let span = self.image.span();
        let start = span.start & !(PAGE_SIZE - 1);
        let whole = Mapping {
            address: 0,
            length: span.end.saturating_sub(start),
            place: Place::Hint,
            flags: VmFlags::empty(),
            backing: Backing::Anonymous,
            opening: Opening::default(),
        };
        let pages = space.read().check_mmap(&whole);
        let pages = pages.map_err(|_| Errno::ENOMEM)?;
        Ok(pages.start.address().wrapping_sub(start))
    }
}

/// A path that a header holds, which a NUL must end.
pub(super) fn path_of(bytes: Vec<u8>) -> Result<Vec<u8>, Errno> {
    let mut path = bytes;
    if path.pop() != Some(0) {
        return Err(Errno::ENOEXEC);
    }
    // What is behind the first NUL counts for nothing, as in all strings of C.
    let end = path.iter().position(|&byte| byte == 0);
    path.truncate(end.unwrap_or(path.len()));
    Ok(path)
}
