//! Shows that bytes of a file are the same through calls, past the page cache (O_DIRECT) and through mappings, whoever of
//! two processes has written them last, and by which of these ways; and what O_DIRECT does not take.
//!
//! `io_three_ways` works in the working folder. `io_three_ways DISK` mounts that disk first and works there.
#![no_std]
#![forbid(unsafe_code)]

use core::ffi::CStr;

use rt::abi::general::{F_SETFL, O_APPEND, O_CREAT, O_DIRECT, O_RDONLY, O_RDWR, O_TRUNC};
use rt::copy::{read_vector_at, write_vector_at};
use rt::file::{
    self, close, direct_unit, fcntl, fill_from, map, map_shared_memory, open, pipe, status, sync,
    write_from,
};
use rt::io::{read, write};
use rt::memory::{MAP_SHARED, Mapping, PAGE, PROT_READ, PROT_WRITE, munmap};
use rt::mount::{mount, unmount};
use rt::path::{HERE, go, make_folder, open_at, remove, remove_folder};
use rt::process::{spawn, wait};
use rt::{env, println, probe};

const PLACE: &CStr = c"/tmp/volume";
const NAME: &CStr = c"ways";
const RW: u32 = PROT_READ | PROT_WRITE;

/// What everything has to be a multiple of.
const UNIT: usize = 512;

/// The longest that the file becomes.
const MOST: usize = 7 * PAGE;

const STEPS: u64 = 240;

fn main() {
    let disk = env::args().nth(1);
    if let Some(disk) = disk {
        make_folder(PLACE, 0o755).expect("mkdir");
        mount(Some(disk), PLACE, Some(c"ext2"), 0, None).expect("mount");
        go(PLACE).expect("chdir");
    }
    refusals();
    ends();
    vectors();
    own_pages();
    random_steps();
    remove(NAME).expect("unlink");
    if disk.is_some() {
        go(c"/").expect("chdir");
        unmount(PLACE, 0).expect("umount");
        remove_folder(PLACE).expect("rmdir");
    }
}

fn fresh(flags: u32) -> u32 {
    let flags = O_CREAT | O_TRUNC | O_RDWR | flags;
    open_at(HERE, NAME, flags, 0o644).expect("open")
}

fn size_of(fd: u32) -> i64 {
    status(fd).expect("fstat").st_size
}

/// What is not aligned, and what can't be reached.
fn refusals() {
    for path in [c"/dev/null", c"/proc/self/status"] {
        println!("{path:?}: {:?}", open(path, O_RDONLY | O_DIRECT));
    }
    let fd = fresh(O_DIRECT);
    println!("unit: {:?}", direct_unit(fd));
    let memory = Mapping::new(4);
    let start = memory.page(0);
    println!("a page: {:?}", write_from(fd, start, PAGE, 0));
    println!("a sector: {:?}", write_from(fd, start, UNIT, PAGE));
    println!("less: {:?}", write_from(fd, start, 100, 0));
    println!("more: {:?}", write_from(fd, start, UNIT + 1, 0));
    println!("at an odd place: {:?}", write_from(fd, start, UNIT, 100));
    println!("nothing: {:?}", write_from(fd, start + 1, 0, 1));
    println!("read less: {:?}", fill_from(fd, start, 100, 0));
    println!("at an odd place: {:?}", fill_from(fd, start, UNIT, 1));
    println!("nothing: {:?}", fill_from(fd, start + 1, 0, 1));
    println!("nowhere: {:?}", fill_from(fd, PAGE, PAGE, 0));
    println!("from nowhere: {:?}", write_from(fd, PAGE, PAGE, 0));
    munmap(memory.page(2), PAGE).expect("munmap");
    println!("half: {:?}", fill_from(fd, memory.page(1), 2 * PAGE, 0));
    let written = write_from(fd, memory.page(1), 2 * PAGE, 4 * PAGE);
    println!("from half: {written:?}, {} bytes", size_of(fd));
    let constant = Mapping::with(1, PROT_READ, 0).page(0);
    println!("into a constant: {:?}", fill_from(fd, constant, UNIT, 0));
    println!("from one: {:?}", write_from(fd, constant, UNIT, 0));
    println!("not direct: {:?}", fcntl(fd, F_SETFL, 0));
    println!("less: {:?}", write_from(fd, start, 100, 0));
    println!("direct: {:?}", fcntl(fd, F_SETFL, O_DIRECT as usize));
    println!("less: {:?}", write_from(fd, start, 100, 0));
    close(fd).expect("close");
    memory.unmap();
}

/// Where the file ends in a sector, and behind that.
fn ends() {
    let fd = fresh(O_DIRECT);
    let memory = Mapping::new(4);
    let start = memory.page(0);
    memory.fill(b'e');
    println!("three pages: {:?}", write_from(fd, start, 3 * PAGE, 0));
    file::truncate(fd, 4700).expect("ftruncate");
    println!("to the end: {:?}", fill_from(fd, start, 2 * PAGE, 0));
    println!("its last: {:?}", fill_from(fd, start, UNIT, 4608));
    println!("more: {:?}", fill_from(fd, start, 2 * UNIT, 4608));
    println!("behind: {:?}", fill_from(fd, start, UNIT, 5120));
    println!("odd: {:?}", fill_from(fd, start, 7, 5121));
    let written = write_from(fd, start, UNIT, 4608);
    println!("over the end: {written:?}, {} bytes", size_of(fd));
    let written = write_from(fd, start, 2 * UNIT, 6 * PAGE + UNIT);
    println!("far behind: {written:?}, {} bytes", size_of(fd));
    println!("the gap: {:?}", fill_from(fd, start, PAGE, 3 * PAGE));
    let is_zero = (0..PAGE).all(|at| probe::load(start + at) == 0);
    println!("is zeroes: {is_zero}");
    println!("into it: {:?}", write_from(fd, start, UNIT, 2 * PAGE));
    fcntl(fd, F_SETFL, (O_DIRECT | O_APPEND) as usize).expect("F_SETFL");
    let written = write_from(fd, start, PAGE, 0);
    println!("at the end: {written:?}, {} bytes", size_of(fd));
    file::truncate(fd, 1000).expect("ftruncate");
    let written = write_from(fd, start, UNIT, 0);
    println!("at an odd end: {written:?}, {} bytes", size_of(fd));
    close(fd).expect("close");
    memory.unmap();
}

/// Several buffers at once.
fn vectors() {
    let fd = fresh(O_DIRECT);
    let memory = Mapping::new(4);
    let start = memory.page(0);
    for index in 0..2 * PAGE {
        probe::store(start + index, (index / UNIT) as u8);
    }
    let good = [
        [start + UNIT, UNIT],
        [start + 1, 0],
        [start + PAGE - UNIT, 2 * UNIT],
        [start, UNIT],
    ];
    println!("written: {:?}", write_vector_at(fd, &good, 0));
    let (one, other) = (memory.page(2), memory.page(3));
    let into = [[other, 3 * UNIT], [one, PAGE / 2]];
    println!("read: {:?}", read_vector_at(fd, &into, 0));
    let sectors = [other, other + UNIT, other + 2 * UNIT, one];
    println!("sectors: {:?}", sectors.map(probe::load));
    for wrong in [[start, 1000], [start + 1, UNIT], [PAGE, UNIT]] {
        let list = [[start, UNIT], wrong];
        let (written, read) = (write_vector_at(fd, &list, 0), read_vector_at(fd, &list, 0));
        println!("one is wrong: {written:?}, {read:?}");
    }
    close(fd).expect("close");
    memory.unmap();
}

/// Pages of files as buffers: of the same one, too.
fn own_pages() {
    let fd = fresh(O_DIRECT);
    file::truncate(fd, 4 * PAGE).expect("ftruncate");
    let start = map(fd, 4 * PAGE, RW, MAP_SHARED, 0).expect("mmap");
    let pages = Mapping::at(start, 4);
    for index in 0..4 {
        probe::store(pages.page(index) + 9, b'0' + index as u8);
    }
    // Nobody has synchronised.
    let seen = || [0, 1, 2, 3].map(|index| char::from(probe::load(pages.page(index) + 9)));
    println!("1 into 0: {:?}", fill_from(fd, pages.page(0), PAGE, PAGE));
    println!("{:?}", seen());
    println!(
        "2 to 3: {:?}",
        write_from(fd, pages.page(2), PAGE, 3 * PAGE)
    );
    println!("{:?}", seen());
    println!("itself: {:?}", write_from(fd, pages.page(1), PAGE, PAGE));
    println!("itself: {:?}", fill_from(fd, pages.page(1), PAGE, PAGE));
    println!("{:?}", seen());
    println!(
        "0 and 1 to 1 and 2: {:?}",
        write_from(fd, start, 2 * PAGE, PAGE)
    );
    println!("{:?}", seen());
    sync(fd).expect("fsync");
    close(fd).expect("close");
    munmap(start, 4 * PAGE).expect("munmap");
    let fd = open(NAME, O_RDWR).expect("open");
    let memory = Mapping::new(4);
    println!("read: {:?}", fill_from(fd, memory.page(0), 4 * PAGE, 0));
    println!(
        "{:?}",
        [0, 1, 2, 3].map(|index| char::from(probe::load(memory.page(index) + 9)))
    );
    close(fd).expect("close");
    memory.unmap();
}

/// The same numbers in both processes, each time.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % end
    }
}

/// One of the two, with all three ways to the file.
struct Worker {
    cached: u32,
    direct: u32,
    mapped: usize,
    /// What the file should be, which both have: its length, and a page behind that its bytes.
    model: usize,
    memory: Mapping,
}

fn random_steps() {
    close(fresh(0)).expect("close");
    let model = map_shared_memory(MOST + PAGE, RW).expect("mmap");
    let [to_child, to_parent] = [(); 2].map(|()| pipe(0).expect("pipe"));
    // Who fails takes the other one along.
    let close_both = |ends: [u32; 2]| ends.map(|end| close(end).expect("close"));
    let child = spawn(|| {
        close_both([to_child[1], to_parent[0]]);
        work(model, 1, to_child[0], to_parent[1]);
        0
    });
    close_both([to_child[0], to_parent[1]]);
    work(model, 0, to_parent[0], to_child[1]);
    println!("{}", wait(child.expect("fork")).expect("wait").status);
}

/// Does every other step, when it is its turn.
fn work(model: usize, first: u64, mine: u32, others: u32) {
    let worker = Worker {
        cached: open(NAME, O_RDWR).expect("open"),
        direct: open(NAME, O_RDWR | O_DIRECT).expect("open"),
        mapped: 0,
        model,
        memory: Mapping::new(MOST / PAGE + 2),
    };
    let mapped = map(worker.cached, MOST, RW, MAP_SHARED, 0).expect("mmap");
    let worker = Worker { mapped, ..worker };
    let mut random = Random(0x5eed);
    for step in 0..STEPS {
        let is_mine = step % 2 == first;
        if is_mine && step > 0 {
            assert_eq!(read(mine, &mut [0]), Ok(1), "the other one's turn ends");
        }
        worker.step(step, is_mine, &mut random);
        if is_mine && step + 1 < STEPS {
            write(others, b"!").expect("the other one waits");
        }
    }
    munmap(mapped, MOST).expect("munmap");
    close(worker.cached).expect("close");
    close(worker.direct).expect("close");
}

impl Worker {
    fn size(&self) -> usize {
        probe::load_word(self.model) as usize
    }

    fn set_size(&self, size: usize) {
        (size..self.size()).for_each(|at| probe::store(self.model_byte(at), 0));
        probe::store_word(self.model, size as u64);
    }

    fn model_byte(&self, at: usize) -> usize {
        self.model + PAGE + at
    }

    /// Memory for direct transfers, not always where a page begins.
    fn buffer(&self, step: u64) -> usize {
        self.memory.page(0) + step as usize % 8 * UNIT
    }

    /// What step `step` is follows from the numbers alone, so that both know, whoever does it.
    fn step(&self, step: u64, is_mine: bool, random: &mut Random) {
        let (verb, at) = (random.below(9), random.below(MOST));
        let (length, place) = (1 + random.below(2 * PAGE), random.below(MOST));
        if !is_mine {
            return;
        }
        match verb {
            0 | 1 => self.write_cached(step, at, length.min(MOST - at)),
            2..=4 => self.write_direct(step, at / UNIT * UNIT, length.next_multiple_of(UNIT)),
            5 | 6 => self.store(step, at, length),
            7 => self.truncate(at),
            _ => self.copy_page(at / PAGE, place / PAGE, step),
        }
        self.compare(step);
        if step.is_multiple_of(20) {
            println!("step {step}: {} bytes, {:#018x}", self.size(), self.sum());
        }
    }

    /// Fills `length` bytes of the buffer, and of the file as it should be from byte `at` on.
    fn prepare(&self, step: u64, at: usize, length: usize, buffer: usize) {
        for index in 0..length {
            let byte = (step as usize * 31 + index * 7 + index / 256) as u8;
            probe::store(buffer + index, byte);
            probe::store(self.model_byte(at + index), byte);
        }
        if self.size() < at + length {
            probe::store_word(self.model, (at + length) as u64);
        }
    }

    fn write_cached(&self, step: u64, at: usize, length: usize) {
        let buffer = self.memory.page(0);
        self.prepare(step, at, length, buffer);
        assert_eq!(write_from(self.cached, buffer, length, at), Ok(length));
    }

    fn write_direct(&self, step: u64, at: usize, length: usize) {
        let length = length.min(MOST - at);
        let buffer = self.buffer(step);
        self.prepare(step, at, length, buffer);
        assert_eq!(write_from(self.direct, buffer, length, at), Ok(length));
    }

    fn store(&self, step: u64, at: usize, length: usize) {
        let length = length.min(self.size().saturating_sub(at));
        let before = self.size();
        self.prepare(step, at.min(before), length, self.memory.page(0));
        for index in 0..length {
            let byte = probe::load(self.memory.page(0) + index);
            probe::store(self.mapped + at + index, byte);
        }
    }

    fn truncate(&self, size: usize) {
        file::truncate(self.cached, size).expect("ftruncate");
        self.set_size(size);
    }

    /// A page of the file comes into another one by a direct transfer, or goes there.
    fn copy_page(&self, from: usize, to: usize, step: u64) {
        let whole = self.size() / PAGE;
        if from == to || from >= whole || to >= whole {
            return;
        }
        let [from_at, to_at] = [from * PAGE, to * PAGE];
        let done = if step % 4 < 2 {
            fill_from(self.direct, self.mapped + to_at, PAGE, from_at)
        } else {
            write_from(self.direct, self.mapped + from_at, PAGE, to_at)
        };
        assert_eq!(done, Ok(PAGE));
        for index in 0..PAGE {
            let byte = probe::load(self.model_byte(from_at + index));
            probe::store(self.model_byte(to_at + index), byte);
        }
    }

    /// All ways lead to the same bytes.
    fn compare(&self, step: u64) {
        let size = self.size();
        assert_eq!(size_of(self.cached), size as i64, "step {step}");
        self.compare_with(step, self.mapped, "mapped");
        let (cached, direct) = (self.memory.page(0), self.buffer(step));
        assert_eq!(fill_from(self.cached, cached, MOST, 0), Ok(size));
        self.compare_with(step, cached, "cached");
        assert_eq!(fill_from(self.direct, direct, MOST, 0), Ok(size));
        self.compare_with(step, direct, "direct");
    }

    fn compare_with(&self, step: u64, start: usize, way: &str) {
        let size = self.size();
        let words = (0..size / 8).map(|index| index * 8);
        let differs =
            |&at: &usize| probe::load_word(start + at) != probe::load_word(self.model_byte(at));
        let wrong = words.clone().find(differs);
        assert_eq!(wrong, None, "step {step}: {way}, of {size} bytes");
        for at in size / 8 * 8..size {
            let pair = [start + at, self.model_byte(at)].map(probe::load);
            assert_eq!(pair[0], pair[1], "step {step}: {way}, byte {at} of {size}");
        }
    }

    fn sum(&self) -> u64 {
        let words = (0..self.size()).step_by(8);
        let words = words.map(|at| probe::load_word(self.model_byte(at)));
        words.fold(0, |sum, word| sum.rotate_left(5).wrapping_mul(3) ^ word)
    }
}
