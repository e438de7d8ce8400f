//! Shows one process in another's memory: process_vm_readv(2), process_vm_writev(2) and `/proc/PID/mem`.
//!
//! The calls get what areas grant by name. The file is for debuggers: it reads what is hidden and writes where the program
//! may not, to copies of its own, and the program gains no right by that.
#![no_std]
#![forbid(unsafe_code)]

use core::ffi::CStr;
use core::fmt::{self, Write as _};

use rt::abi::general::{
    MADV_COLD, MADV_DONTNEED, MADV_FREE, MADV_PAGEOUT, MADV_POPULATE_READ, MADV_WILLNEED, O_RDWR,
    SEEK_CUR, SEEK_END, SEEK_SET,
};
use rt::attempt;
use rt::file::{self, map_shared_memory, read_at, write_at};
use rt::foreign::{Direction, advise, raw, read, transfer, write};
use rt::futex::Word;
use rt::memory::{
    self, MAP_GROWSDOWN, MAP_SHARED, Mapping, PAGE, PROT_EXEC, PROT_NONE, PROT_READ, PROT_WRITE,
};
use rt::probe::{load, store};
use rt::process::{Pid, Status, id, spawn, wait, yield_now};
use rt::{pidfd, println};

const NOWHERE: usize = 0x1000;

fn main() {
    attempt::prepare();
    refusals();
    areas();
    pieces();
    views();
    places();
    advice();
    ends();
}

/// A path, made of text and numbers.
struct Path {
    bytes: [u8; 32],
    used: usize,
}

impl fmt::Write for Path {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.used + text.len();
        self.bytes[self.used..end].copy_from_slice(text.as_bytes());
        self.used = end;
        Ok(())
    }
}

/// `mem` of a process, open.
fn memory_of(pid: Pid) -> u32 {
    let mut path = Path {
        bytes: [0; 32],
        used: 0,
    };
    write!(path, "/proc/{pid}/mem").expect("it fits");
    let path = CStr::from_bytes_until_nul(&path.bytes).expect("it ends");
    file::open(path, O_RDWR).expect("open")
}

/// A child that does its part when it is told to.
struct Other {
    pid: Pid,
    turn: Word,
}

impl Other {
    fn new(part: impl FnOnce() -> u8) -> Self {
        let turn = Word(map_shared_memory(PAGE, PROT_READ | PROT_WRITE).expect("mmap"));
        let pid = spawn(|| turn.wait(0).map_or(99, |()| part()));
        let pid = pid.expect("fork");
        while turn.waiters() == 0 {
            yield_now();
        }
        Self { pid, turn }
    }

    fn go(&self) -> Status {
        self.turn.wake(1).expect("FUTEX_WAKE");
        wait(self.pid).expect("wait4").status
    }
}

fn refusals() {
    let here = Mapping::new(1).page(0);
    let piece = [here, 8];
    let list = |piece: &[usize; 2], count| [piece.as_ptr() as usize, count];
    let nobody = 32_767 << 7;
    for direction in [Direction::Read, Direction::Write] {
        let call = |pid, ours, theirs, flags| raw(direction, pid, ours, theirs, flags);
        let good = list(&piece, 1);
        println!("{direction:?}");
        println!("  flags: {:?}", call(nobody, good, good, 1));
        println!(
            "  nobody: {:?}, {:?}",
            call(nobody, good, good, 0),
            call(0, good, good, 0)
        );
        println!(
            "  nobody, but nothing of ours: {:?}",
            call(nobody, [0, 0], good, 0)
        );
        println!(
            "  nobody, but nothing of theirs: {:?}",
            call(nobody, good, [0, 0], 0)
        );
        println!(
            "  many pieces: {:?}, {:?}",
            call(1, [here, 1025], good, 0),
            call(1, good, [here, 1025], 0)
        );
        println!(
            "  lists nowhere: {:?}, {:?}",
            call(1, [NOWHERE, 1], good, 0),
            call(nobody, good, [NOWHERE, 1], 0)
        );
        let negative = [here, usize::MAX];
        let far = [1 << 47, 8];
        println!(
            "  negative lengths: {:?}, {:?}",
            call(1, list(&negative, 1), good, 0),
            call(nobody, good, list(&negative, 1), 0)
        );
        println!(
            "  outside: {:?}, {:?}",
            call(1, list(&far, 1), good, 0),
            call(id(), good, list(&far, 1), 0)
        );
    }
}

/// What strangers may do in areas of each kind, by the calls and by the file.
fn areas() {
    let stack = Mapping::with(4, PROT_READ | PROT_WRITE, 0);
    stack.unmap();
    let protection = PROT_READ | PROT_WRITE;
    let flags = MAP_GROWSDOWN | memory::MAP_FIXED;
    memory::mmap(stack.page(3), PAGE, protection, flags).expect("mmap");
    let kinds = [
        ("read and write", PROT_READ | PROT_WRITE),
        ("read", PROT_READ),
        ("write", PROT_WRITE),
        ("execute", PROT_EXEC),
        ("none", PROT_NONE),
    ];
    let pages = kinds.map(|(_, rights)| Mapping::with(2, rights, 0).page(0));
    let shared = map_shared_memory(2 * PAGE, PROT_READ).expect("mmap");
    let other = Other::new(|| 0);
    let fd = memory_of(other.pid);
    let show = |name, page| {
        let mut byte = [0xee];
        let granted = read(other.pid, page, &mut byte);
        println!("{name}: read {granted:?}, {:#x}", byte[0]);
        println!("  write {:?}", write(other.pid, page, b"x"));
        byte = [0xee];
        let forced = read_at(fd, &mut byte, page);
        println!("  read by force {forced:?}, {:#x}", byte[0]);
    };
    for ((name, _), page) in kinds.into_iter().zip(pages) {
        show(name, page);
        // Here the two kernels differ.
        if name != "none" {
            println!("  write by force {:?}", write_at(fd, b"y", page + 1));
        }
    }
    for (name, page) in [
        ("shared", shared),
        ("unmapped", NOWHERE),
        ("the kernel's half", !0 << 47),
        ("below a stack", stack.page(2)),
        ("a stack", stack.page(3)),
    ] {
        show(name, page);
        println!("  write by force {:?}", write_at(fd, b"y", page + 1));
    }
    println!("the other: {}", other.go());
    file::close(fd).expect("close");
}

/// Lists of pieces meet whatever their borders are, and end where one can't be reached.
fn pieces() {
    let theirs = Mapping::new(4);
    theirs.protect(3, 1, PROT_NONE).expect("mprotect");
    for page in 0..3 {
        store(theirs.page(page) + PAGE - 1, b'a' + page as u8);
    }
    let other = Other::new(|| 0);
    let pid = other.pid;
    (0..3).for_each(|page| store(theirs.page(page), b'.'));
    let ours = Mapping::new(2);
    let borders = [0, 1].map(|page| [theirs.page(page) + PAGE - 1, 2]);
    let split = [
        [ours.page(0), 1],
        [ours.page(1) - 1, 2],
        [ours.page(1) + 7, 9],
    ];
    println!(
        "four bytes: {:?}",
        transfer(Direction::Read, pid, &split, &borders)
    );
    let seen = [0, PAGE - 1, PAGE, PAGE + 7].map(|at| load(ours.page(0) + at));
    println!("they are: {seen:?}");
    let hole = [[theirs.page(0), 5], [NOWHERE, 5], [theirs.page(1), 5]];
    let room = [[ours.page(0), 100]];
    for direction in [Direction::Read, Direction::Write] {
        println!("{direction:?}");
        println!(
            "  up to their hole: {:?}",
            transfer(direction, pid, &room, &hole)
        );
        println!(
            "  from their hole on: {:?}",
            transfer(direction, pid, &room, &hole[1..])
        );
        println!(
            "  up to our hole: {:?}",
            transfer(
                direction,
                pid,
                &[room[0], hole[1]],
                &[[theirs.page(0), 200]]
            )
        );
        println!(
            "  from our hole on: {:?}",
            transfer(direction, pid, &[hole[1]], &[[theirs.page(0), 200]])
        );
        println!(
            "  beyond the end: {:?}",
            transfer(
                direction,
                pid,
                &[[ours.page(0), 2 * PAGE]],
                &[[theirs.page(2), 2 * PAGE]]
            )
        );
    }
    println!("the other: {}", other.go());
}

/// Who sees what was written.
fn views() {
    let (open, closed) = (Mapping::new(1), Mapping::new(1));
    closed.fill(b'o');
    store(closed.page(0) + 1, b'o');
    closed.protect(0, 1, PROT_READ).expect("mprotect");
    let (open, closed) = (open.page(0), closed.page(0));
    let other = Other::new(|| {
        assert_eq!(
            (load(open), load(closed), load(closed + 1)),
            (b'c', b'f', b'o')
        );
        assert!(attempt::store(closed, 0).is_err());
        0
    });
    println!("by the call: {:?}", write(other.pid, open, b"c"));
    let fd = memory_of(other.pid);
    println!("by the file: {:?}", write_at(fd, b"f", closed));
    println!("the other saw it: {}", other.go());
    println!("here: {}, {}", load(open), char::from(load(closed)));
    file::close(fd).expect("close");
    let fd = memory_of(id());
    println!(
        "one's own: {:?}, {}",
        write_at(fd, b"s", closed),
        char::from(load(closed))
    );
    println!("still closed: {}", attempt::store(closed, 0).is_err());
    file::close(fd).expect("close");
}

/// A file as long as a space, with places to go to.
fn places() {
    let page = Mapping::new(1);
    page.fill(b'p');
    let fd = memory_of(id());
    let at = |offset: usize, whence| file::seek(fd, offset as isize, whence);
    println!(
        "to a page: {:?}",
        at(page.page(0), SEEK_SET).map(|place| place == page.page(0))
    );
    let mut bytes = [0; 4];
    println!("read: {:?}, {bytes:?}", rt::io::read(fd, &mut bytes));
    println!(
        "on: {:?}",
        at(PAGE - 6, SEEK_CUR).map(|place| place == page.page(0) + PAGE - 2)
    );
    println!("write: {:?}", rt::io::write(fd, b"qq"));
    println!("found: {}", load(page.page(0) + PAGE - 1));
    println!("from the end: {:?}", at(0, SEEK_END));
    println!("at 0: {:?}", read_at(fd, &mut bytes, 0));
    let mapped = file::map(fd, PAGE, PROT_READ, MAP_SHARED, 0);
    println!("mapped: {:?}", mapped);
    file::close(fd).expect("close");
}

/// What one may say of another's memory: how soon it will be needed.
fn advice() {
    let pages = Mapping::new(4);
    pages.fill(b'k');
    let other = Other::new(|| u8::from(!pages.holds(b'k')));
    let fd = pidfd::open(other.pid, 0).expect("pidfd_open");
    let piece = [pages.page(0), PAGE];
    let hole = [NOWHERE, PAGE];
    let two = [piece, [pages.page(2), 2 * PAGE]];
    for (name, advice) in [
        ("cold", MADV_COLD),
        ("page out", MADV_PAGEOUT),
        ("will need", MADV_WILLNEED),
        ("free", MADV_FREE),
        ("don't need", MADV_DONTNEED),
        ("fetch", MADV_POPULATE_READ),
        ("unknown", 99),
    ] {
        println!("{name}: {:?}", advise(fd, &two, advice, 0));
    }
    println!("flags: {:?}", advise(fd, &two, MADV_COLD, 1));
    println!(
        "odd: {:?}",
        advise(fd, &[[piece[0] + 1, PAGE]], MADV_COLD, 0)
    );
    println!(
        "nothing: {:?}, {:?}",
        advise(fd, &[], MADV_COLD, 0),
        advise(fd, &[[piece[0], 0]], MADV_COLD, 0)
    );
    println!(
        "up to a hole: {:?}",
        advise(fd, &[piece, hole], MADV_COLD, 0)
    );
    println!("a hole: {:?}", advise(fd, &[hole, piece], MADV_COLD, 0));
    println!("closed: {:?}", advise(99, &two, MADV_COLD, 0));
    println!("the other still has them: {}", other.go());
    println!("gone: {:?}", advise(fd, &two, MADV_COLD, 0));
    file::close(fd).expect("close");
    let own = pidfd::open(id(), 0).expect("pidfd_open");
    println!("one's own: {:?}", advise(own, &[piece], MADV_DONTNEED, 0));
    println!("it is {}", load(piece[0]));
    file::close(own).expect("close");
}

/// What is left of a memory whose process is gone.
fn ends() {
    let page = Mapping::new(1);
    page.fill(b'e');
    let other = Other::new(|| 0);
    let fd = memory_of(other.pid);
    let mut bytes = [0; 4];
    println!("alive: {:?}", read_at(fd, &mut bytes, page.page(0)));
    println!("ended: {}", other.go());
    println!("read: {:?}", read_at(fd, &mut bytes, page.page(0)));
    println!("write: {:?}", write_at(fd, &bytes, page.page(0)));
    println!(
        "by the call: {:?}",
        read(other.pid, page.page(0), &mut bytes)
    );
}
