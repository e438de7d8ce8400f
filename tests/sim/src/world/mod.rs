//! A run as it runs: every step is done by `mm` on the soft machine and by the oracle, and the two must agree.
//!
//! `process.rs` begins and ends processes, `device.rs` has devices fill their pages, `calls.rs` does the system calls,
//! `files.rs` those on files, `objects.rs` those that come and go with their mappings, `disk.rs` what of that reaches a
//! disk, `leaving.rs` what leaves memory because it is there, `access.rs` the loads and stores, `advance.rs` what is
//! fetched before it is touched, `inspect.rs` looks for contradictions after each step.
mod access;
mod advance;
mod calls;
mod device;
mod disk;
mod files;
mod inspect;
mod leaving;
mod objects;
mod process;
mod reverse;
mod verbs;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::rc::Rc;
use std::sync::{Arc, Weak};

use mm::Frame;
use mm::page_cache::{self, CachedFile, Seen};
use mm::page_table::Levels;

use crate::broken::{Sound, demand};
use crate::failing_heap::{self, in_mm};
use crate::files::{File, Files, Store};
use crate::kernel::{End, Kernel};
use crate::machine::SoftMachine;
use crate::op::{DiskResult, Failing, Op, Pid, Step};
use crate::oracle::{Overcommit, Refusal};
use crate::plan::Config;
use process::Process;

/// Frames that exist but are not `mm`'s: at the bottom, and as a hole in the middle.
const RESERVED: u32 = 2;
const HOLE: u32 = 3;

/// The machine, its processes, and what the oracle thinks of them.
pub struct World {
    config: Config,
    kernel: Rc<Kernel>,
    /// Which space each process runs in, by its place in `spaces`.
    processes: Vec<Option<usize>>,
    spaces: Vec<Option<Process>>,
    files: Vec<Arc<CachedFile>>,
    /// Shared anonymous memory, by its number among the files: its pages are held by who maps it alone.
    objects: BTreeMap<usize, Weak<CachedFile>>,
    /// What the files should be.
    contents: Files,
    /// Files that were cut short, and have pages behind their end that are still on their way.
    cutting: BTreeSet<usize>,
    /// What the one who has each file open knows of writes that failed.
    seen: Vec<Seen>,
    hoard: Vec<Frame>,
    /// What fails of the heap, until something did.
    heap_fails: Option<Failing>,
    /// Behind how many frames one is refused, until it was.
    frame_refused: Option<u32>,
    free_at_start: usize,
}

/// Whether an allocation was made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fired {
    /// At least one was.
    Yes,
    /// None was.
    No,
}

/// What an operation came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// There was nothing to do it to.
    Nothing,
    /// It was done.
    Done,
    /// mmap's or brk's result.
    Address(u64),
    /// errno.
    Refused(Refusal),
    /// The heap was made to fail, and the call failed with it.
    HeapFailed,
    /// An access's end.
    End(End),
    /// No memory was left, and the process was killed.
    Killed,
}

impl World {
    /// The world as `config` has it, without processes.
    pub fn new(config: &Config) -> Self {
        let total = RESERVED + config.frames + HOLE;
        let middle = RESERVED + config.frames / 2;
        let machine = SoftMachine::new(config.cpus, total as usize);
        let levels = match config.levels {
            4 => Levels::Four,
            _ => Levels::Five,
        };
        let free = [RESERVED..middle, middle + HOLE..total];
        let kernel = Kernel::new(
            machine,
            &free,
            levels,
            mode_of(config.rules.overcommit),
            Files::new(&config.rules.files),
        )
        .expect("the kernel itself fits");
        let file = |(id, file): (usize, &File)| {
            let source = match file.store {
                Store::Archive => page_cache::Source::Archive,
                Store::Disk => page_cache::Source::Disk,
                Store::Memory | Store::Object => page_cache::Source::Memory,
            };
            Arc::new(CachedFile::new(id as u64, source, file.size))
        };
        Self {
            free_at_start: kernel.memory.free_frames(),
            kernel: Rc::new(kernel),
            processes: vec![None; config.processes],
            // execve needs the new space while the old one stands.
            spaces: (0..=config.processes).map(|_| None).collect(),
            files: config.rules.files.iter().enumerate().map(file).collect(),
            objects: BTreeMap::new(),
            contents: Files::new(&config.rules.files),
            cutting: BTreeSet::new(),
            seen: vec![Seen::default(); config.rules.files.len()],
            hoard: Vec::new(),
            heap_fails: None,
            frame_refused: None,
            config: config.clone(),
        }
    }

    /// Does one step on both sides and compares; whatever may have changed is looked at.
    pub fn step(&mut self, step: &Step) -> Sound<Answer> {
        self.kernel.machine().run_on(step.cpu);
        failing_heap::arm(self.heap_fails);
        if let Some(granted) = self.frame_refused {
            self.kernel.memory.scarcity.only(granted);
        }
        let answer = self.perform(&step.op);
        failing_heap::disarm();
        if self.kernel.memory.scarcity.is_spent() {
            self.frame_refused = None;
        }
        self.kernel.memory.scarcity.begin(0);
        if failing_heap::failures() > 0 {
            self.heap_fails = None;
        }
        let answer = answer?;
        self.finish_cuts();
        self.forget_objects();
        if answer != Answer::Nothing {
            self.inspect()?;
        }
        Ok(answer)
    }

    fn perform(&mut self, op: &Op) -> Sound<Answer> {
        match *op {
            Op::Spawn(pid) => self.spawn(pid),
            Op::Exec(pid) => self.exec(pid),
            Op::Fork { parent, child } => self.fork(parent, child),
            Op::Share { parent, child } => Ok(self.share(parent, child)),
            Op::Exit(pid) => Ok(self.exit(pid)),
            Op::Map(pid, ref request) => self.map(pid, request),
            Op::Unmap(pid, span) => self.unmap(pid, span),
            Op::Protect(pid, span, rights, extent) => self.protect(pid, span, rights, extent),
            Op::Call(pid, ref call) => self.make_call(pid, call),
            Op::Brk(pid, address) => self.brk(pid, address),
            Op::Touch(pid, touch, rival) => self.touch(pid, touch, rival),
            Op::Peek(pid, span, reach) => self.peek(pid, span, reach),
            Op::Poke(pid, span, bytes, reach) => self.poke(pid, (span, reach), bytes),
            Op::Device(pid, address, word, meanwhile) => self.device(pid, address, word, meanwhile),
            Op::FinishRead { skip, result } => Ok(did(self.kernel.finish_read(skip, result))),
            Op::Evict(file) => self.evict(file),
            Op::Resize(file, size) => self.resize(file, size),
            Op::Punch(file, span) => self.punch(file, span),
            Op::Seal(file, bits) => self.seal(file, bits),
            Op::Allocate(file, span, length) => self.allocate(file, span, length),
            Op::Seek(file, offset) => self.seek(file, offset),
            Op::Limit(pid, limit, bytes) => Ok(self.limit(pid, limit, bytes)),
            Op::Overcommit(mode, ratio) => Ok(self.set_overcommit(mode, ratio)),
            Op::ReadFile(file, span) => self.read_file(file, span),
            Op::WriteFile(file, span, bytes) => self.write_file(file, span, bytes),
            Op::Sync(file, result) => self.sync_file(file, result),
            Op::Flush(file, count) => self.flush(file, count),
            Op::FinishWrite { skip, result } => Ok(did(self.kernel.finish_write(skip, result)?)),
            Op::GiveBack(file, most) => self.give_back(file, most),
            Op::DropUnused(file, span) => self.drop_unused(file, span),
            Op::Invalidate(file, span) => self.invalidate(file, span),
            Op::Hoard(order) => self.hoard(order),
            Op::LeaveFree(frames) => self.leave_free(frames),
            Op::Release => Ok(self.release()),
            Op::RefuseFrame(granted) => {
                self.frame_refused = Some(granted);
                Ok(Answer::Done)
            }
            Op::FailHeap(failing) => {
                self.heap_fails = Some(failing);
                Ok(Answer::Done)
            }
        }
    }

    /// Ends everything; afterwards every frame must be free again.
    pub fn finish(mut self) -> Sound {
        while self.kernel.finish_read(0, DiskResult::Done) {}
        self.kernel.finish_writes(DiskResult::Done)?;
        self.finish_cuts();
        for pid in 0..self.processes.len() {
            self.exit(pid);
        }
        self.inspect()?;
        self.release();
        for file in 0..self.files.len() {
            let evicted = self.evict(file)?;
            demand!(evicted == Answer::Done, "file{file} is held, but by nobody");
        }
        self.inspect()?;
        let (start, end) = (self.free_at_start, self.kernel.memory.free_frames());
        demand!(
            start == end,
            "{start} frames were free at the start, {end} are at the end"
        );
        Ok(())
    }

    /// Whether a frame is still to be refused.
    pub fn refuses(&self) -> bool {
        self.frame_refused.is_some()
    }

    /// How often `path` was taken.
    pub fn taken(&self, path: mm::fault::Path) -> u64 {
        self.kernel.memory.stats.path(path)
    }

    fn hoard(&mut self, order: u32) -> Sound<Answer> {
        match self.kernel.memory.allocate(order) {
            Ok(frame) => self.hoard.push(frame),
            Err(_) => {
                let free = self.kernel.frames_left();
                demand!(order > 0 || free == 0, "no frame was to be had, of {free}");
                return Ok(Answer::Refused(Refusal::ENOMEM));
            }
        }
        Ok(Answer::Done)
    }

    fn leave_free(&mut self, frames: usize) -> Sound<Answer> {
        while self.kernel.memory.free_frames() > frames {
            self.hoard(0)?;
        }
        Ok(Answer::Done)
    }

    fn release(&mut self) -> Answer {
        self.frame_refused = None;
        for frame in self.hoard.drain(..) {
            self.kernel.memory.free(frame);
        }
        Answer::Done
    }

    /// Runs a call of `mm`, and tells whether the heap failed in it.
    fn call<R>(&self, body: impl FnOnce() -> R) -> (R, Fired) {
        let before = failing_heap::failures();
        let result = in_mm(body);
        let has_failed = failing_heap::failures() > before;
        (result, if has_failed { Fired::Yes } else { Fired::No })
    }

    /// Lets the oracle of `pid` know what all others are promised.
    fn tell_of_others(&mut self, pid: Pid) {
        let promised = |process: &Process| process.oracle.promised();
        let to_spaces: u64 = self.spaces.iter().flatten().map(promised).sum();
        let all = to_spaces + self.pages_of_memory_files();
        if let Some(process) = self.process(pid) {
            let own = process.oracle.promised();
            process.oracle.set_elsewhere(all - own);
        }
    }

    /// Pages that files in memory have come to: each is a promise. Of shared anonymous memory all are.
    fn pages_of_memory_files(&self) -> u64 {
        let files = self.files.iter().enumerate();
        let in_memory = files.filter(|(_, file)| file.source() == page_cache::Source::Memory);
        let promised = |(number, file): (usize, &Arc<CachedFile>)| {
            file.resident_pages() + self.contents.promised(number)
        };
        in_memory.map(promised).sum()
    }

    fn process(&mut self, pid: Pid) -> Option<&mut Process> {
        let space = (*self.processes.get(pid)?)?;
        self.spaces[space].as_mut()
    }
}

/// A world that met a contradiction is left as it is: files that still have pages must not be dropped.
impl Drop for World {
    fn drop(&mut self) {
        self.files.drain(..).for_each(std::mem::forget);
        let objects = self.objects.values().filter_map(Weak::upgrade);
        objects.for_each(std::mem::forget);
    }
}

/// The mode by `mm`'s name.
fn mode_of(mode: Overcommit) -> mm::commit::Overcommit {
    match mode {
        Overcommit::Heuristic => mm::commit::Overcommit::Heuristic,
        Overcommit::Always => mm::commit::Overcommit::Always,
        Overcommit::Never => mm::commit::Overcommit::Never,
    }
}

/// Whether there was something to do.
fn did(something: bool) -> Answer {
    if something {
        Answer::Done
    } else {
        Answer::Nothing
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => write!(f, "nothing to do"),
            Self::Done => write!(f, "done"),
            Self::Address(address) => write!(f, "{address:#x}"),
            Self::Refused(refusal) => write!(f, "{refusal:?}"),
            Self::HeapFailed => write!(f, "ENOMEM, the heap was made to fail"),
            Self::End(End::Done(value)) => write!(f, "{value:#x}"),
            Self::End(end) => write!(f, "{end:?}"),
            Self::Killed => write!(f, "killed for lack of memory"),
        }
    }
}
