//! The kernel around `mm`: what happens between a page fault and the next try of the instruction.
//!
//! The counterpart of the real kernel's `fault.rs`, with the disk as one more source of trouble: a read may end at once,
//! much later, out of order, or with an error.
use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use mm::commit::Overcommit;
use mm::fault::Denial;
use mm::machine::{PhysMem, WORDS};
use mm::page_cache::{CachedFile, Read, ReadResult, Room, Source};
use mm::page_table::Levels;
use mm::{Access, AddressSpace, Memory, OutOfMemory, Outcome};

use crate::broken::{Broken, Sound, demand};
use crate::disk;
use crate::failing_heap::in_mm;
use crate::files::{self, Files};
use crate::machine::SoftMachine;
use crate::mmu::{ErrorCode, Mmu, PageFault};
use crate::op::{Disk, DiskResult, Kind, Signal, Touch};
use crate::random::mix;

/// A fault that is served this often for one instruction would be served forever.
const PATIENCE: usize = 16;

/// The machine's side.
pub struct Kernel {
    /// The world of all spaces.
    pub memory: Memory<SoftMachine>,
    reads: RefCell<VecDeque<Read>>,
    /// The disk under files that are written back.
    pub(crate) disk: RefCell<disk::Disk>,
}

/// How an instruction, or the kernel's own access, ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It was executed; a load got this word.
    Done(u64),
    /// The program got a signal.
    Signal(Signal),
    /// The page could not be read: SIGBUS.
    DiskError,
    /// It did not happen: the process waits for a read, or for the lock of its space.
    Asleep,
    /// It did not happen: so many frames were left.
    NoMemory(usize),
}

impl Kernel {
    /// A kernel on `machine`, whose free frames are those numbered in `free`.
    pub fn new(
        machine: SoftMachine,
        free: &[std::ops::Range<u32>],
        levels: Levels,
        overcommit: Overcommit,
        files: Files,
    ) -> Result<Self, OutOfMemory> {
        let mut memory = Memory::new(machine, free, levels)?;
        memory.set_overcommit(overcommit);
        let table = kernel_half(&memory)?;
        memory.set_kernel_half(table);
        Ok(Self {
            memory,
            reads: RefCell::default(),
            disk: RefCell::new(disk::Disk::new(files)),
        })
    }

    /// The machine.
    pub fn machine(&self) -> &SoftMachine {
        &self.memory.machine
    }

    /// How many frames devices have.
    pub fn pinned_frames(&self) -> usize {
        let records = self.machine().mem_map().iter();
        records.filter(|record| record.pins() > 0).count()
    }

    /// The processor's walker.
    pub fn mmu(&self) -> Mmu<'_> {
        Mmu::new(self.machine(), self.memory.levels() as u32)
    }

    /// Frames that are left, as far as the operation could tell: none where it was refused one.
    pub fn frames_left(&self) -> usize {
        if self.memory.scarcity.is_spent() {
            return 0;
        }
        self.memory.free_frames()
    }

    /// One instruction of a program in `space`, on the executing CPU.
    pub fn execute(&self, space: &RefCell<AddressSpace>, touch: Touch) -> Sound<End> {
        for _ in 0..PATIENCE {
            let root = space.borrow().table().root().number();
            self.machine().activate(root.into());
            let fault = match self.mmu().translate(touch.address, touch.kind) {
                Ok(frame) => return Ok(self.perform(frame, touch)),
                Err(fault) => fault,
            };
            if let Some(end) = self.page_fault(space, fault, touch.disk)? {
                return Ok(end);
            }
        }
        let address = touch.address;
        Err(Broken(format!(
            "the fault at {address:#x} was served {PATIENCE} times and never ended"
        )))
    }

    fn perform(&self, frame: u64, touch: Touch) -> End {
        let index = (touch.address / 8) as usize % WORDS;
        let machine = self.machine();
        match touch.kind {
            Kind::Read => {
                let value = machine.load(frame, index);
                End::Done(value.expect("the walker stays inside memory"))
            }
            Kind::Write(value) => {
                let word = machine.word(frame, index);
                let word = word.expect("the walker stays inside memory");
                word.store(value, Relaxed);
                End::Done(value)
            }
            Kind::Execute => End::Done(0),
        }
    }

    /// The handler; `None` to run the instruction again.
    fn page_fault(
        &self,
        space: &RefCell<AddressSpace>,
        fault: PageFault,
        disk: Disk,
    ) -> Sound<Option<End>> {
        let PageFault { address, code } = fault;
        if code.has(ErrorCode::RESERVED) {
            return Err(Broken(format!(
                "the tables that lead to {address:#x} are corrupt"
            )));
        }
        if address >> 63 == 1 {
            return Ok(Some(End::Signal(Signal::MapErr)));
        }
        let access = match () {
            () if code.has(ErrorCode::FETCH) => Access::Execute,
            () if code.has(ErrorCode::WRITE) => Access::Write,
            () => Access::Read,
        };
        let outcome = in_mm(|| space.borrow().handle_fault(&self.memory, address, access));
        self.settle(space, address, outcome, disk)
    }

    /// Does what an outcome asks for; `None` to try again.
    pub fn settle(
        &self,
        space: &RefCell<AddressSpace>,
        address: u64,
        outcome: Outcome,
        disk: Disk,
    ) -> Sound<Option<End>> {
        let end = match outcome {
            Outcome::Resolved(_) => None,
            Outcome::NeedsRead(read) => {
                if disk == Disk::Late && mix(read.index()).is_multiple_of(2) {
                    self.read_ahead(read.file(), read.index() + 1, disk);
                }
                self.submit(read, disk)
            }
            Outcome::ReadAhead(reached) => {
                self.read_ahead(reached.file(), reached.index() + 1, disk);
                in_mm(|| reached.release(&self.memory));
                None
            }
            Outcome::NeedsRoom(room) => self.make_room(room, disk)?,
            Outcome::Busy => return self.wait(disk),
            Outcome::NeedsGrowth => self.grow(space, address),
            Outcome::OutOfMemory => Some(End::NoMemory(self.frames_left())),
            Outcome::Denied(Denial::Unmapped) => Some(End::Signal(Signal::MapErr)),
            Outcome::Denied(Denial::Forbidden) => Some(End::Signal(Signal::AccErr)),
            Outcome::Denied(Denial::PastEnd | Denial::NotPromised | Denial::Unreadable) => {
                Some(End::Signal(Signal::Bus))
            }
        };
        Ok(end)
    }

    /// Reads a page that nobody has asked for, and has whoever comes to it say so. What becomes of the read is no concern
    /// of his who asked for another.
    fn read_ahead(&self, file: &Arc<CachedFile>, index: u64, disk: Disk) {
        /// Nobody reads ahead where memory is short: others need it more.
        const ENOUGH: usize = 16;
        if self.memory.free_frames() >= ENOUGH
            && let Ok(Some(read)) = in_mm(|| file.begin_read(&self.memory, index))
        {
            read.mark_ahead(&self.memory);
            let _ = self.submit(read, disk);
        }
    }

    /// Gives the disk a read; what becomes of the instruction that needed it, `None` to try again.
    pub fn submit(&self, read: Read, disk: Disk) -> Option<End> {
        match disk {
            Disk::Prompt => {
                self.finish(read, DiskResult::Done);
                None
            }
            Disk::Late => {
                self.reads.borrow_mut().push_back(read);
                Some(End::Asleep)
            }
            Disk::Broken => {
                self.finish(read, DiskResult::Failed);
                Some(End::DiskError)
            }
        }
    }

    /// Has the disk find a place for a page, unless it takes its time, or has none.
    fn make_room(&self, room: Room, disk: Disk) -> Sound<Option<End>> {
        let place = (room.file().id() as usize, room.index());
        let end = match disk {
            Disk::Prompt => {
                self.disk.borrow_mut().find_place(place);
                let is_there = room.file().back(&self.memory, room.index());
                demand!(is_there, "{place:?} left memory while it was held");
                None
            }
            Disk::Late => Some(End::Asleep),
            Disk::Broken => Some(End::DiskError),
        };
        in_mm(|| room.release(&self.memory));
        Ok(end)
    }

    /// The page is being read for somebody else.
    fn wait(&self, disk: Disk) -> Sound<Option<End>> {
        if disk == Disk::Late {
            return Ok(Some(End::Asleep));
        }
        if self.waiting_reads() == 0 {
            return Err(Broken("a fault waits for a read that nobody has".into()));
        }
        while self.finish_read(0, DiskResult::Done) {}
        Ok(None)
    }

    fn grow(&self, space: &RefCell<AddressSpace>, address: u64) -> Option<End> {
        // In the middle of another thread's fault the space is locked against changes.
        let Ok(mut space) = space.try_borrow_mut() else {
            return Some(End::Asleep);
        };
        match in_mm(|| space.grow_stack(&self.memory, address)) {
            Ok(()) => None,
            Err(_) => Some(End::Signal(Signal::MapErr)),
        }
    }

    /// How many reads have not ended.
    pub fn waiting_reads(&self) -> usize {
        self.reads.borrow().len()
    }

    /// Whether page `index` of file number `file` is being read.
    pub fn is_reading(&self, file: u64, index: u64) -> bool {
        let reads = self.reads.borrow();
        reads
            .iter()
            .any(|read| (read.file().id(), read.index()) == (file, index))
    }

    /// Ends the oldest read but `skip`; false where there is none.
    pub fn finish_read(&self, skip: usize, result: DiskResult) -> bool {
        let read = {
            let mut reads = self.reads.borrow_mut();
            let count = reads.len().max(1);
            reads.remove(skip % count)
        };
        read.map(|read| self.finish(read, result)).is_some()
    }

    fn finish(&self, read: Read, result: DiskResult) {
        if result == DiskResult::Failed {
            return in_mm(|| read.complete(&self.memory, ReadResult::Failed));
        }
        let (file, size) = (read.file().id() as usize, read.file().size());
        let place = (file, read.index());
        let is_on_disk = read.file().source() == Source::Disk;
        let content: files::Page = if is_on_disk {
            self.disk.borrow().read(place, size)
        } else {
            let start = read.index() * 4096;
            std::array::from_fn(|index| files::word(file, size, start + 8 * index as u64))
        };
        for (index, content) in content.into_iter().enumerate() {
            let word = self.machine().word(read.frame().number().into(), index);
            word.expect("a read's frame is memory")
                .store(content, Relaxed);
        }
        let has_all = !is_on_disk || self.disk.borrow().has_all(place, size);
        let result = if has_all {
            ReadResult::Filled
        } else {
            ReadResult::Hole
        };
        in_mm(|| read.complete(&self.memory, result));
    }
}

/// A top-level table whose upper half is the kernel's: present, and not for ring 3. Returns its physical address.
fn kernel_half(memory: &Memory<SoftMachine>) -> Result<u64, OutOfMemory> {
    const PRESENT_WRITABLE_ACCESSED: u64 = 1 | 1 << 1 | 1 << 5;
    let (top, below) = (memory.allocate(0)?, memory.allocate(0)?);
    // Every entry of the lower table leads to itself: one frame serves as table and as leaf of all levels.
    let entry = below.address() | PRESENT_WRITABLE_ACCESSED;
    for index in 0..WORDS {
        let is_kernels = index >= WORDS / 2;
        let words = [(top, if is_kernels { entry } else { 0 }), (below, entry)];
        for (table, bits) in words {
            let word = memory.machine.word(table.number().into(), index);
            word.expect("a frame is memory").store(bits, Relaxed);
        }
    }
    Ok(top.address())
}
