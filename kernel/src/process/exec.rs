//! `execve`: another program in the same process. Its segments are promised, not read; faults bring them in.
//!
//! The new space is built beside the old one, stack and all, so that every failure leaves the caller as it was; only
//! then do they change places.
use alloc::sync::Arc;
use core::ops::Range;

use abi::Errno;
use abi::general::SIGSEGV;
use mm::mmap::{Mapping, Place};
use mm::opening::Opening;
use mm::space::{Limits, USER_END};
use mm::{Backing, PAGE_SIZE, Page, VmFlags};

use super::elf::{Image, Segment};
use super::interpreter::{self, Loader, Placed, Reach};
use super::oom::{self, Need};
use super::stack::{self, Arguments, Value};
use super::wait::Status;
use super::{Facts, Name, Process, Space, futex, layout, vdso};
use crate::arch::memory::memory;
use crate::arch::percpu;
use crate::arch::trap::TrapFrame;
use crate::arch::user::Bases;
use crate::arch::{context, features};
use crate::fs::program;
use crate::{fault, random};
use abi::auxvec::*;

/// A program ready to run: its memory and where it starts.
pub(super) struct Program {
    pub(super) space: Arc<Space>,
    pub(super) entry: u64,
    pub(super) stack: u64,
    pub(super) name: Name,
}

/// Why a program can't be run.
#[derive(Debug)]
pub(super) enum Failure {
    /// The caller goes on and is told why.
    Refused(Errno),
    /// The headers promised what can't be kept. Linux finds out when the old program is gone, and ends the process by
    /// SIGSEGV; so does this kernel, though it still has the old one.
    Broken,
}

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Self {
        Self::Refused(errno)
    }
}

/// How a program was asked for.
pub(crate) struct Asked<'a> {
    /// What it is told of that.
    pub(crate) path: &'a [u8],
    /// What it is called from then on.
    pub(crate) name: Name,
    pub(crate) reach: Reach,
}

impl<'a> Asked<'a> {
    /// By its path.
    pub(crate) fn by(path: &'a [u8]) -> Self {
        Self {
            path,
            name: Name::of(path),
            reach: Reach::Found,
        }
    }
}

/// Replaces the running process's program by `file`. On success `frame` is the new program's first moment.
pub(crate) fn execve(
    frame: &mut TrapFrame,
    file: Arc<program::Program>,
    asked: &Asked<'_>,
    mut arguments: Arguments,
) -> Result<(), Errno> {
    let process = super::current();
    let rights = process.attributes.rights_after_exec();
    let limits = process.limits().memory(&rights);
    let file = interpreter::follow(file, asked.path, asked.reach, &mut arguments)?;
    let plan = layout::choose(&limits, process.attributes.chance());
    match load(&file, asked, arguments, (limits, plan)) {
        Ok(program) => {
            enter(&process, &program);
            *frame = TrapFrame::user(program.entry, program.stack);
            Ok(())
        }
        Err(Failure::Refused(errno)) => Err(errno),
        Err(Failure::Broken) => {
            process.signals.end(Status::killed(SIGSEGV));
            Err(Errno::ENOEXEC)
        }
    }
}

/// Makes the process run in the new program's memory. Nothing here can fail.
fn enter(process: &Process, program: &Program) {
    futex::leave(process);
    let old = process.replace_space(Some(program.space.clone()));
    context::activate(program.space.root().address());
    drop(old);
    process.give_space_back();
    process.files.close_on_exec();
    process.signals.exec();
    process.membership.note_exec();
    process.attributes.exec();
    *process.name.lock() = program.name;
    percpu::with_current(|thread| thread.fpu.reset());
    Bases::default().restore();
}

/// Builds the space of a program.
pub(super) fn load(
    file: &Arc<program::Program>,
    asked: &Asked<'_>,
    arguments: Arguments,
    (limits, plan): (Limits, layout::Plan),
) -> Result<Program, Failure> {
    let image = Image::parse(file)?;
    let loader = Loader::of(file, &image)?;
    let space = oom::retry(Need::Space, || {
        Space::try_new(plan.space, limits).map_err(|_| Errno::ENOMEM)
    })?;
    let broken = |_| Failure::Broken;
    let bias = image.bias(plan.pie_base);
    let Extent { end, code, data } = map_segments(&space, file, &image, bias).map_err(broken)?;
    {
        let mut space = space.write();
        space.set_heap_start(end.next_multiple_of(PAGE_SIZE) + plan.heap_gap);
        space.set_data_size(image.data_size());
    }
    map_stack(&space, plan.stack_top, image.stack_access()).map_err(broken)?;
    let loader = loader.map(|loader| loader.map(&space)).transpose();
    let loader = loader.map_err(broken)?;
    let loaded = Loaded {
        image: &image,
        bias,
        loader,
        vdso: vdso::place(&space).map_err(broken)?,
    };
    let stack = fill_stack(&space, &loaded, plan.stack_top, asked.path, arguments);
    let stack = stack.map_err(broken)?;
    space.set_facts(Facts {
        program: file.clone(),
        code,
        data,
        arguments: stack.arguments,
        environment: stack.environment,
    });
    Ok(Program {
        space,
        entry: loader.map_or(loaded.entry(), |loader| loader.entry),
        stack: stack.pointer,
        name: asked.name,
    })
}

/// A program in its place, with its loader if it has one.
struct Loaded<'a> {
    image: &'a Image,
    bias: u64,
    loader: Option<Placed>,
    /// Where the vDSO begins.
    vdso: u64,
}

impl Loaded<'_> {
    /// Where the program itself starts.
    fn entry(&self) -> u64 {
        self.bias.wrapping_add(self.image.entry())
    }
}

/// What a program's segments span.
pub(super) struct Extent {
    /// The address behind the last byte of all.
    end: u64,
    /// From the first byte of code to the end of it.
    code: Range<u64>,
    /// From the start of the segment that begins last to the end of the file's bytes.
    data: Range<u64>,
}

/// Promises all segments.
pub(super) fn map_segments(
    space: &Space,
    file: &Arc<program::Program>,
    image: &Image,
    bias: u64,
) -> Result<Extent, Errno> {
    let mut end = 0;
    let mut code: Option<Range<u64>> = None;
    let mut data = 0..0;
    for segment in image.segments() {
        let segment = segment?.moved_by(bias);
        map_segment(space, file, &segment)?;
        end = end.max(segment.memory.end);
        let first = segment.memory.start;
        let last = first + segment.file_size;
        data = data.start.max(first)..data.end.max(last);
        if segment.access.contains(VmFlags::EXEC) {
            let known = code.unwrap_or(first..last);
            code = Some(known.start.min(first)..known.end.max(last));
        }
    }
    let code = code.unwrap_or_default();
    Ok(Extent { end, code, data })
}

/// Promises one segment: what the file has of it, then zeroes.
fn map_segment(
    space: &Space,
    file: &Arc<program::Program>,
    segment: &Segment,
) -> Result<(), Errno> {
    let (start, end) = (segment.memory.start, segment.memory.end);
    if end > USER_END.address() || start > end {
        return Err(Errno::ENOEXEC);
    }
    let file_end = start + segment.file_size;
    let first = Page::containing(start);
    let behind_file = Page::containing(file_end + PAGE_SIZE - 1);
    let behind = Page::containing(end + PAGE_SIZE - 1);
    if segment.file_size > 0 {
        let offset = segment.offset / PAGE_SIZE;
        let backing = Backing::File {
            file: file.pages()?.clone(),
            offset,
        };
        map(space, first, behind_file, segment.access, backing)?;
        if end > file_end && segment.access.contains(VmFlags::WRITE) {
            clear(space, file_end, behind_file.address())?;
        }
    }
    let zeroes = if segment.file_size > 0 {
        behind_file
    } else {
        first
    };
    if zeroes < behind {
        map(space, zeroes, behind, segment.access, Backing::Anonymous)?;
    }
    Ok(())
}

/// Maps pages of a space that is being built.
pub(super) fn map(
    space: &Space,
    start: Page,
    end: Page,
    access: VmFlags,
    backing: Backing,
) -> Result<(), Errno> {
    // A segment takes the place of an earlier one where they share a page, as on Linux.
    let mapping = Mapping {
        address: start.address(),
        length: (end - start) * PAGE_SIZE,
        place: Place::Fixed,
        flags: access,
        backing,
        opening: Opening::default(),
    };
    oom::retry(Need::Area, || {
        let mapped = space.write().mmap(memory(), mapping.clone());
        mapped.map(drop).map_err(|_| Errno::ENOMEM)
    })
}

/// Zeroes from byte `start` to the end of its page: the file's bytes there are not the program's.
fn clear(space: &Space, start: u64, end: u64) -> Result<(), Errno> {
    const ZEROES: [u8; PAGE_SIZE as usize] = [0; PAGE_SIZE as usize];
    fault::write_remote(space, start, &ZEROES[..(end - start) as usize])
}

fn map_stack(space: &Space, top: Page, access: VmFlags) -> Result<(), Errno> {
    let flags = access | VmFlags::GROWS_DOWN | VmFlags::STACK;
    map(
        space,
        top - layout::FIRST_STACK,
        top,
        flags,
        Backing::Anonymous,
    )
}

/// A stack that is filled: where it begins, and where its strings stand.
struct FirstStack {
    pointer: u64,
    arguments: Range<u64>,
    environment: Range<u64>,
}

/// Writes arguments, environment and auxiliary vector.
fn fill_stack(
    space: &Space,
    loaded: &Loaded<'_>,
    top: Page,
    path: &[u8],
    arguments: Arguments,
) -> Result<FirstStack, Errno> {
    let mut secret = [0; 16];
    random::fill(&mut secret);
    let mut name = alloc::vec::Vec::new();
    name.try_reserve_exact(path.len() + 1)
        .map_err(|_| Errno::ENOMEM)?;
    name.extend_from_slice(path);
    name.push(0);
    let number = Value::Number;
    let Loaded {
        image,
        bias,
        loader,
        vdso,
    } = loaded;
    let vector = [
        (AT_SYSINFO_EHDR, number(*vdso)),
        (AT_HWCAP, number(features::hwcap())),
        (AT_PAGESZ, number(PAGE_SIZE)),
        (AT_CLKTCK, number(100)),
        (AT_PHDR, number(bias.wrapping_add(image.headers_address()))),
        (AT_PHENT, number(image.header_size())),
        (AT_PHNUM, number(image.header_count())),
        (AT_BASE, number(loader.map_or(0, |loader| loader.bias))),
        (AT_FLAGS, number(0)),
        (AT_ENTRY, number(loaded.entry())),
        (AT_UID, number(0)),
        (AT_EUID, number(0)),
        (AT_GID, number(0)),
        (AT_EGID, number(0)),
        (AT_SECURE, number(0)),
        (AT_RANDOM, Value::Bytes(&secret)),
        (AT_HWCAP2, number(features::hwcap2())),
        (AT_MINSIGSTKSZ, number(features::signal_stack_size())),
        (AT_EXECFN, Value::Bytes(&name)),
        (AT_PLATFORM, Value::Bytes(b"x86_64\0")),
    ];
    let image = stack::build(top.address(), arguments, &vector)?;
    grow_to(space, image.pointer)?;
    fault::write_remote(space, image.strings_at, &image.strings)?;
    for (number, word) in image.words.iter().enumerate() {
        fault::write_remote(
            space,
            image.pointer + 8 * number as u64,
            &word.to_le_bytes(),
        )?;
    }
    space.write().set_stack_start(image.pointer);
    Ok(FirstStack {
        pointer: image.pointer,
        arguments: image.arguments,
        environment: image.environment,
    })
}

/// Many arguments reach below the first pages of the stack.
fn grow_to(space: &Space, pointer: u64) -> Result<(), Errno> {
    let missing = space.read().areas().at(Page::containing(pointer)).is_none();
    if missing {
        space
            .write()
            .grow_stack(memory(), pointer)
            .map_err(|_| Errno::E2BIG)
    } else {
        Ok(())
    }
}
