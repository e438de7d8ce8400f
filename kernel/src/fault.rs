//! The page fault on the machine's side: from CR2 and the error code to `mm`, and from its answer to what happens next.
//!
//! `mm` decides; here its answers are carried out: a read is performed, a stack grown, a signal sent. In each case the
//! processor then runs the instruction again, so nothing is resumed half-way.
use core::ops::Range;

use abi::Errno;
use mm::fault::Path;
use mm::foreign::Right;
use mm::page_cache::{Reached, Room};
use mm::pin::Pin;
use mm::populate::Populate;
use mm::{Access, Backing, Denial, Outcome, Page};
use x86_64::structures::idt::PageFaultErrorCode as Code;

use crate::arch::memory::memory;
use crate::arch::trap::TrapFrame;
use crate::arch::{interrupts, percpu, report, timer, uaccess};
use crate::fs::paged::flusher;
use crate::options::Kinds;
use crate::process::oom::{self, Need, Relief};
use crate::process::{self, Space, sched, signal};
use crate::{fs, trace};

/// How a fault that may go on ended.
enum Served {
    /// Run the instruction again.
    Retry,
    /// The program had no right to it.
    Denied(Denial),
    /// There is no memory.
    OutOfMemory,
    /// The process has to end before a disk has answered.
    Ends,
}

/// Vector 14. `address` is CR2.
pub(crate) fn page_fault(frame: &mut TrapFrame, address: u64) {
    let code = Code::from_bits_truncate(frame.error);
    if code.contains(Code::MALFORMED_TABLE) {
        report::kernel_fault(frame, address);
    }
    if !frame.is_user() && uaccess::end_peek(frame) {
        return;
    }
    if !frame.is_user() && !may_fault(frame, address) {
        report::kernel_fault(frame, address);
    }
    if frame.had_interrupts() {
        interrupts::enable();
    }
    let served = if frame.is_user() && !code.contains(Code::USER_MODE) {
        // The processor's own access for an instruction of ring 3: to a descriptor table, or, in QEMU, to the stack
        // of an `iretq`, where SMAP stops it. The program has no business there, and no table change would help it.
        Served::Denied(Denial::Forbidden)
    } else {
        serve_current(address, access(code))
    };
    match served {
        Served::Retry => {}
        Served::Denied(denial) if frame.is_user() => signal::force_denied(denial, address, frame),
        Served::Denied(_) => give_up(frame, address),
        Served::OutOfMemory => {
            let relief = oom::relieve(Need::Page(address));
            if relief == Relief::Ends && !frame.is_user() {
                give_up(frame, address);
            }
        }
        Served::Ends if frame.is_user() => {}
        Served::Ends => give_up(frame, address),
    }
    interrupts::disable();
}

/// Whether the kernel itself may fault here: only on user addresses, and only inside the user-copy routines.
fn may_fault(frame: &TrapFrame, address: u64) -> bool {
    address < mm::space::USER_END.address() && uaccess::is_copying(frame)
}

/// The copy that faulted ends with `EFAULT`.
fn give_up(frame: &mut TrapFrame, address: u64) {
    if !uaccess::fix_up(frame) {
        report::kernel_fault(frame, address);
    }
}

fn access(code: Code) -> Access {
    if code.contains(Code::INSTRUCTION_FETCH) {
        Access::Execute
    } else if code.contains(Code::CAUSED_BY_WRITE) {
        Access::Write
    } else {
        Access::Read
    }
}

fn serve_current(address: u64, access: Access) -> Served {
    if address >= mm::space::USER_END.address() {
        return Served::Denied(Denial::Unmapped);
    }
    match process::current().space() {
        Some(space) => serve(&space, address, access),
        None => Served::Denied(Denial::Unmapped),
    }
}

fn serve(space: &Space, address: u64, access: Access) -> Served {
    let start = timer::cycles();
    let shared = space.read();
    let outcome = shared.handle_fault(memory(), address, access);
    if let Outcome::Resolved(change) = &outcome {
        count(space, &shared);
        if trace::wants(Kinds::FAULTS) {
            trace::fault(&shared, address, access, *change, start);
        }
        // By far the most, and nothing is left to do.
        if !is_stored_to(change.path) {
            return Served::Retry;
        }
    }
    drop(shared);
    if matches!(outcome, Outcome::NeedsRead(_)) {
        percpu::with_current(|thread| thread.process.usage.major_fault());
    }
    carry_out(space, address, outcome)
}

/// Books a fault that was served from memory.
fn count(space: &Space, shared: &mm::AddressSpace) {
    let pages = shared.resident_pages(memory());
    space.note_resident(pages);
    percpu::with_current(|thread| {
        thread.process.usage.minor_fault();
        thread.process.usage.note_resident(pages);
    });
}

/// Does what `mm`'s answer asks for.
fn carry_out(space: &Space, address: u64, outcome: Outcome) -> Served {
    match outcome {
        Outcome::Resolved(change) if is_stored_to(change.path) => waited(flusher::balance()),
        Outcome::Resolved(_) => Served::Retry,
        Outcome::NeedsRead(read) => waited(fs::complete(read)),
        Outcome::ReadAhead(reached) => read_on(reached),
        Outcome::NeedsRoom(room) => waited(make_room(room)),
        Outcome::Busy => waited(wait_for_page(space, address)),
        Outcome::NeedsGrowth => match space.write().grow_stack(memory(), address) {
            Ok(()) => Served::Retry,
            Err(_) => Served::Denied(Denial::Unmapped),
        },
        Outcome::OutOfMemory => Served::OutOfMemory,
        Outcome::Denied(denial) => Served::Denied(denial),
    }
}

/// Whether a page that lies on a disk has become dirty.
fn is_stored_to(path: Path) -> bool {
    matches!(path, Path::FileStore | Path::WriteNotify)
}

/// Has more of a file read, as far as nobody has to wait for that.
fn read_on(reached: Reached) -> Served {
    fs::read_on(reached.file(), reached.index());
    reached.release(memory());
    Served::Retry
}

/// Has the file system find a place for the page of a file that is about to be stored to.
fn make_room(room: Room) -> Result<(), Errno> {
    let found = fs::make_room(room.file(), room.index());
    room.release(memory());
    found
}

/// What comes of a wait for a disk.
fn waited(result: Result<(), Errno>) -> Served {
    match result {
        Ok(()) => Served::Retry,
        Err(Errno::EINTR) => Served::Ends,
        Err(Errno::ENOMEM) => Served::OutOfMemory,
        Err(_) => Served::Denied(Denial::Unreadable),
    }
}

/// Sleeps while another reads the page of a file that `address` shows.
fn wait_for_page(space: &Space, address: u64) -> Result<(), Errno> {
    let page = Page::containing(address);
    let shared = space.read();
    let vma = shared.find_vma(address).filter(|vma| vma.start <= page);
    let Some((Backing::File { file, .. }, index)) =
        vma.and_then(|vma| Some((&vma.backing, vma.file_index(page)?)))
    else {
        return Ok(());
    };
    let file = file.clone();
    drop(shared);
    let result = fs::wait_for_page(&file, index);
    file.release(memory());
    result
}

/// Makes pages present before they are touched, as far as that goes.
pub(crate) fn populate(
    space: &Space,
    mut pages: Range<Page>,
    wish: Populate,
) -> Result<(), mm::Error> {
    loop {
        let shared = space.read();
        let Some((page, access)) = shared.next_to_populate(&pages, wish)? else {
            return Ok(());
        };
        let outcome = shared.fetch(memory(), page, access);
        let is_served = matches!(outcome, Some(Outcome::Resolved(_)));
        if is_served {
            count(space, &shared);
        }
        let is_done = is_served || outcome.is_none();
        pages.start = page + u64::from(is_done);
        drop(shared);
        let served = outcome.map(|outcome| carry_out(space, page.address(), outcome));
        match served.unwrap_or(Served::Retry) {
            Served::Retry => {}
            Served::Denied(_) if wish == Populate::Willing => {
                let vma_end = space.read().find_vma(page.address()).map(|vma| vma.end);
                pages.start = vma_end.unwrap_or(pages.end);
            }
            Served::Denied(_) => return Err(mm::Error::BadAddress),
            Served::OutOfMemory => match oom::relieve(Need::Page(page.address())) {
                Relief::Retry => {}
                Relief::Ends => return Err(mm::Error::OutOfMemory),
            },
            Served::Ends => return Err(mm::Error::TryAgain),
        }
        if signal::is_dying() {
            return Err(mm::Error::TryAgain);
        }
        sched::breathe();
    }
}

/// Has the pages of files read that are not in memory, as far as that goes.
pub(crate) fn read_ahead(space: &Space, mut pages: Range<Page>) {
    while !pages.is_empty() {
        let shared = space.read();
        let next = shared.next_to_read(memory(), &mut pages);
        let more = left_in_area(&shared, &pages);
        drop(shared);
        if next.is_some_and(|read| fs::read_soon(read, more).is_err()) || signal::is_dying() {
            return;
        }
        sched::breathe();
    }
}

/// How many of `pages` belong to the area of the page before them.
fn left_in_area(space: &mm::AddressSpace, pages: &Range<Page>) -> u64 {
    let vma = space.find_vma(pages.start.address() - 1);
    let end = vma.map_or(pages.start, |vma| vma.end.min(pages.end));
    end.number().saturating_sub(pages.start.number())
}

/// Reads from a space that need not be the running process's, as far as the page of `address` goes.
pub(crate) fn read_remote(space: &Space, address: u64, buffer: &mut [u8]) -> Result<usize, Errno> {
    reach(space, address, |space| {
        space.read_remote(memory(), address, buffer)
    })
}

/// Writes into a space that need not be the running process's.
pub(crate) fn write_remote(space: &Space, mut address: u64, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        let count = reach(space, address, |space| {
            space.write_remote(memory(), address, bytes)
        })?;
        address += count as u64;
        bytes = &bytes[count..];
    }
    Ok(())
}

/// Reads from another's space, as far as the page of `address` goes.
pub(crate) fn read_foreign(
    space: &Space,
    address: u64,
    buffer: &mut [u8],
    right: Right,
) -> Result<usize, Errno> {
    reach(space, address, |space| {
        space.read_foreign(memory(), address, buffer, right)
    })
}

/// Writes into another's space, as far as the page of `address` goes.
pub(crate) fn write_foreign(
    space: &Space,
    address: u64,
    bytes: &[u8],
    right: Right,
) -> Result<usize, Errno> {
    reach(space, address, |space| {
        space.write_foreign(memory(), address, bytes, right)
    })
}

/// Keeps the page of `address` where it is, for a disk that reads it, or fills it where `access` is to write.
pub(crate) fn pin(space: &Space, address: u64, access: Access) -> Result<Pin, Errno> {
    reach(space, address, |space| space.pin(memory(), address, access))
}

/// Makes an attempt at the bytes at `address` until nothing has to be seen to first.
fn reach<T>(
    space: &Space,
    address: u64,
    mut attempt: impl FnMut(&mm::AddressSpace) -> Result<T, Outcome>,
) -> Result<T, Errno> {
    loop {
        let attempted = attempt(&space.read());
        match attempted.map_err(|outcome| carry_out(space, address, outcome)) {
            Ok(done) => return Ok(done),
            Err(Served::Retry) => sched::breathe(),
            Err(Served::Denied(_) | Served::Ends) => return Err(Errno::EFAULT),
            Err(Served::OutOfMemory) => match oom::relieve(Need::Page(address)) {
                Relief::Retry => {}
                Relief::Ends => return Err(Errno::ENOMEM),
            },
        }
    }
}
