//! Operations in words, as reports and drawn tests print them.
use std::fmt;

use super::{
    Disk, DiskResult, Extent, Failing, Growth, Kind, Nature, Op, Place, Populate, Request, Reserve,
    Rights, Sharing, Source, Span, Step, Touch,
};

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cpu{} {}", self.cpu, self.op)
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spawn(pid) => write!(f, "pid{pid} begins"),
            Self::Exec(pid) => write!(f, "pid{pid} execve()"),
            Self::Fork { parent, child } => write!(f, "pid{parent} fork() of pid{child}"),
            Self::Share { parent, child } => write!(f, "pid{parent} clone(vm) of pid{child}"),
            Self::Exit(pid) => write!(f, "pid{pid} exit()"),
            Self::Map(pid, request) => write!(f, "pid{pid} mmap({request})"),
            Self::Unmap(pid, span) => write!(f, "pid{pid} munmap({span})"),
            Self::Protect(pid, span, rights, Extent::Named) => {
                write!(f, "pid{pid} mprotect({span}, {rights})")
            }
            Self::Protect(pid, span, rights, Extent::GrowsDown) => {
                write!(f, "pid{pid} mprotect({span}, {rights}, growsdown)")
            }
            Self::Call(pid, call) => write!(f, "pid{pid} {call}"),
            Self::Brk(pid, address) => write!(f, "pid{pid} brk({address:#x})"),
            Self::Touch(pid, touch, None) => write!(f, "pid{pid} {touch}"),
            Self::Touch(pid, touch, Some(rival)) => write!(
                f,
                "pid{pid} {touch}, meanwhile on cpu{} {} word {} of the page",
                rival.cpu, rival.kind, rival.word
            ),
            Self::Peek(pid, span, reach) => write!(f, "kernel reads pid{pid} ({span}, {reach:?})"),
            Self::Poke(pid, span, bytes, reach) => {
                write!(
                    f,
                    "kernel writes pid{pid} ({span}, bytes {bytes:#x}, {reach:?})"
                )
            }
            Self::Device(pid, address, word, meanwhile) => write!(
                f,
                "a device fills {address:#x} of pid{pid} with {word:#x}, meanwhile: {meanwhile:?}"
            ),
            Self::FinishRead { skip, result } => {
                write!(f, "disk ends read {skip} of those waiting: {result:?}")
            }
            Self::Evict(file) => write!(f, "page cache evicts file{file}"),
            Self::Resize(file, size) => write!(f, "file{file} ftruncate({size:#x})"),
            Self::Allocate(file, span, length) => {
                write!(f, "file{file} fallocate({span}), its length {length:?}")
            }
            Self::Seal(file, bits) => write!(f, "file{file} fcntl(add_seals, {bits:#x})"),
            Self::Seek(file, offset) => write!(f, "file{file} lseek({offset:#x}) to data and hole"),
            Self::Limit(pid, limit, bytes) => {
                write!(f, "pid{pid} setrlimit({limit:?}, {bytes:#x})")
            }
            Self::Overcommit(mode, ratio) => write!(f, "overcommit {mode:?}, {ratio} percent"),
            Self::Punch(file, span) => write!(f, "file{file} fallocate(punch_hole, {span})"),
            Self::ReadFile(file, span) => write!(f, "file{file} pread({span})"),
            Self::WriteFile(file, span, bytes) => {
                write!(f, "file{file} pwrite({span}, bytes {bytes:#x})")
            }
            Self::Sync(file, DiskResult::Done) => write!(f, "file{file} fsync()"),
            Self::Sync(file, result) => write!(f, "file{file} fsync(), its writes: {result:?}"),
            Self::Flush(file, count) => write!(f, "kernel writes {count} pages of file{file} back"),
            Self::FinishWrite { skip, result } => {
                write!(f, "disk ends write {skip} of those waiting: {result:?}")
            }
            Self::GiveBack(file, most) => write!(f, "page cache gives {most} of file{file} back"),
            Self::DropUnused(file, span) => write!(f, "file{file} fadvise({span}, DONTNEED)"),
            Self::Invalidate(file, span) => write!(f, "page cache invalidates file{file} ({span})"),
            Self::Hoard(order) => write!(f, "kernel takes a block of order {order}"),
            Self::LeaveFree(frames) => write!(f, "kernel takes all but {frames} frames"),
            Self::Release => write!(f, "kernel gives back what it took"),
            Self::RefuseFrame(number) => write!(f, "frame {number} is refused"),
            Self::FailHeap(Failing::Only(number)) => write!(f, "heap fails in allocation {number}"),
            Self::FailHeap(Failing::From(number)) => {
                write!(f, "heap fails from allocation {number} on")
            }
        }
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.span, self.rights)?;
        match self.place {
            Place::Hint => {}
            Place::Fixed => write!(f, ", fixed")?,
            Place::NoReplace => write!(f, ", fixed_noreplace")?,
            Place::Low => write!(f, ", 32bit")?,
        }
        if self.growth == Growth::Down {
            write!(f, ", growsdown")?;
        }
        if self.reserve == Reserve::Not {
            write!(f, ", noreserve")?;
        }
        if self.sharing == Sharing::Shared {
            write!(f, ", shared")?;
        }
        if self.populate == Populate::Now {
            write!(f, ", populate")?;
        }
        match self.nature {
            Nature::Own => {}
            Nature::Special => write!(f, ", special")?,
            Nature::Raw => write!(f, ", raw")?,
        }
        match self.source {
            Source::Zero => Ok(()),
            Source::ZeroDevice { offset } => write!(f, ", /dev/zero from page {offset}"),
            Source::File { file, offset } => write!(f, ", file{file} from page {offset}"),
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}, ", self.address)?;
        if self.length.is_multiple_of(4096) {
            write!(f, "{} pages", self.length / 4096)
        } else {
            write!(f, "{:#x} bytes", self.length)
        }
    }
}

impl fmt::Display for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (right, letter) in [(Self::R, 'r'), (Self::W, 'w'), (Self::X, 'x')] {
            write!(f, "{}", if self.has(right) { letter } else { '-' })?;
        }
        Ok(())
    }
}

impl fmt::Display for Touch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:#x}", self.kind, self.address)?;
        match self.disk {
            Disk::Prompt => Ok(()),
            Disk::Late => write!(f, " (disk late)"),
            Disk::Broken => write!(f, " (disk broken)"),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read => write!(f, "reads"),
            Self::Write(value) => write!(f, "writes {value:#x} to"),
            Self::Execute => write!(f, "executes"),
        }
    }
}
