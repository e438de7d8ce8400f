//! Shows files in memory: bytes by calls and by mappings, holes, reserved pages, lengths, and seals that nobody can break.
#![no_std]
#![forbid(unsafe_code)]

use programs::lesson::ends;
use rt::abi::general::{
    AT_EMPTY_PATH, F_ADD_SEALS, F_GET_SEALS, F_GETFD, F_GETFL, F_SEAL_EXEC, F_SEAL_FUTURE_WRITE,
    F_SEAL_GROW, F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_WRITE, FALLOC_FL_KEEP_SIZE,
    FALLOC_FL_PUNCH_HOLE, FALLOC_FL_ZERO_RANGE, MAP_SHARED, MFD_ALLOW_SEALING, MFD_CLOEXEC,
    MFD_EXEC, MFD_NOEXEC_SEAL, SEEK_CUR, SEEK_DATA, SEEK_END, SEEK_HOLE, SEEK_SET,
};
use rt::file::{allocate, close, fcntl, map, memfd, read_at, seek, status, truncate, write_at};
use rt::io::{read, write};
use rt::memory::{MAP_PRIVATE, PAGE, PROT_READ, PROT_WRITE, mincore, mprotect, munmap};
use rt::path::{set_mode_of, set_owner_of, set_times};
use rt::probe::{load, store};
use rt::process::Status;
use rt::signal::Signal;
use rt::{Errno, println};

const RW: u32 = PROT_READ | PROT_WRITE;
const PUNCH: u32 = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;

fn main() {
    creation();
    bytes();
    lengths();
    reserved();
    mappings();
    seals();
    write_seals();
    whole_page_or_nothing();
    attributes();
}

fn creation() {
    for flags in [0, MFD_CLOEXEC, MFD_ALLOW_SEALING, MFD_NOEXEC_SEAL, MFD_EXEC] {
        let file = memfd(c"some name", flags).expect("memfd_create");
        let about = status(file).expect("fstat");
        println!(
            "flags {flags:#x}: mode {:o}, {} links, blocks of {}, seals {:?}, fd flags {:?}, file flags {:?}",
            about.st_mode,
            about.st_nlink,
            about.st_blksize,
            fcntl(file, F_GET_SEALS, 0),
            fcntl(file, F_GETFD, 0),
            fcntl(file, F_GETFL, 0)
        );
        close(file).expect("close");
    }
    println!("unknown flag: {:?}", memfd(c"x", 0x40).map(drop));
    println!(
        "both: {:?}",
        memfd(c"x", MFD_EXEC | MFD_NOEXEC_SEAL).map(drop)
    );
    println!("a name of 249: {:?}", memfd(&name::<249>(), 0).map(close));
    println!("a name of 250: {:?}", memfd(&name::<250>(), 0).map(drop));
}

/// A name of `N` bytes.
fn name<const N: usize>() -> Name {
    let mut bytes = [b'n'; 256];
    bytes[N] = 0;
    Name(bytes)
}

struct Name([u8; 256]);

impl core::ops::Deref for Name {
    type Target = core::ffi::CStr;
    fn deref(&self) -> &core::ffi::CStr {
        core::ffi::CStr::from_bytes_until_nul(&self.0).expect("it ends")
    }
}

fn sized(flags: u32, length: usize) -> u32 {
    let file = memfd(c"sized", flags).expect("memfd_create");
    truncate(file, length).expect("ftruncate");
    file
}

fn tell(file: u32, what: &str) {
    let about = status(file).expect("fstat");
    println!(
        "{what}: {} bytes in {} blocks",
        about.st_size, about.st_blocks
    );
}

fn bytes() {
    let file = memfd(c"bytes", 0).expect("memfd_create");
    let mut buffer = [b'-'; 16];
    println!("nothing: {:?}", read(file, &mut buffer));
    println!(
        "hello: {:?}, position {:?}",
        write(file, b"hello"),
        seek(file, 0, SEEK_CUR)
    );
    println!("far away: {:?}", write_at(file, b"far", 3 * PAGE + 4094));
    tell(file, "a file with a hole");
    println!(
        "the hole: {:?}, byte {}",
        read_at(file, &mut buffer, PAGE),
        buffer[0]
    );
    println!("behind the end: {:?}", read_at(file, &mut buffer, 1 << 40));
    println!("over the end: {:?}", read_at(file, &mut buffer, 4 * PAGE));
    for (whence, from) in [
        (SEEK_DATA, 0),
        (SEEK_HOLE, 0),
        (SEEK_DATA, PAGE),
        (SEEK_HOLE, 3 * PAGE + 5),
        (SEEK_DATA, 9 * PAGE),
        (SEEK_END, 5),
        (SEEK_SET, 7),
    ] {
        println!(
            "seek {whence} from {from}: {:?}",
            seek(file, from as isize, whence)
        );
    }
    println!("before the start: {:?}", seek(file, -1, SEEK_SET));
    println!("a bad buffer: {:?}", write_bad(file));
    close(file).expect("close");
}

/// A write whose second half is not there.
fn write_bad(file: u32) -> Result<usize, Errno> {
    let two = rt::memory::Mapping::new(2);
    munmap(two.page(1), PAGE).expect("munmap");
    let number = rt::abi::Sysno::pwrite64.id() as usize;
    rt::syscall::raw(number, [file as usize, two.page(1) - 100, 200, 0, 0, 0])
}

fn lengths() {
    let file = sized(0, 2 * PAGE);
    println!("fallocate: {:?}", allocate(file, 0, 0, 3 * PAGE));
    tell(file, "all there");
    println!("write 1: {:?}", write_at(file, &[7; 300], PAGE - 100));
    println!("a hole: {:?}", allocate(file, PUNCH, 50, 2 * PAGE));
    tell(file, "a hole");
    println!("shorter: {:?}", truncate(file, 10));
    println!("longer: {:?}", truncate(file, PAGE));
    let mut buffer = [1; 20];
    println!(
        "the cut part: {:?} {buffer:?}",
        read_at(file, &mut buffer, 0)
    );
    println!(
        "zero range: {:?}",
        allocate(file, FALLOC_FL_ZERO_RANGE, 0, 1)
    );
    println!(
        "punch alone: {:?}",
        allocate(file, FALLOC_FL_PUNCH_HOLE, 0, 1)
    );
    println!("nothing: {:?}", allocate(file, 0, 0, 0));
    println!("too long: {:?}", allocate(file, 0, 1 << 62, 1 << 62));
    println!("negative: {:?}", truncate(file, usize::MAX));
    println!("the longest: {:?}", truncate(file, isize::MAX as usize));
    println!(
        "past the longest: {:?}",
        write_at(file, b"xx", isize::MAX as usize - 1)
    );
    close(file).expect("close");
}

/// What fallocate reserves is a hole until a fault or a write comes for it, or a second fallocate.
fn reserved() {
    let file = sized(0, PAGE);
    let shown = map(file, 6 * PAGE, RW, MAP_SHARED, 0).expect("mmap");
    let looks = |what: &str| {
        let mut resident = [7; 6];
        mincore(shown, 6 * PAGE, &mut resident).expect("mincore");
        let data = seek(file, 0, SEEK_DATA);
        let hole = data.and_then(|at| seek(file, at as isize, SEEK_HOLE));
        println!("{what}: {resident:?}, data at {data:?}, a hole at {hole:?}");
        tell(file, what);
    };
    println!("reserve: {:?}", allocate(file, 0, 0, 5 * PAGE));
    looks("reserved");
    let mut buffer = [1; 4];
    println!("{:?} {buffer:?}", read_at(file, &mut buffer, PAGE));
    looks("read by a call");
    println!("{:?}", load(shown + 3 * PAGE));
    looks("read by a fault");
    println!("{:?}", write_at(file, b"x", 2 * PAGE + 7));
    looks("written by a call");
    println!(
        "again: {:?}",
        allocate(file, FALLOC_FL_KEEP_SIZE, 4 * PAGE, 2 * PAGE)
    );
    looks("one of them a second time");
    println!("longer: {:?}", truncate(file, 6 * PAGE));
    println!("a hole: {:?}", allocate(file, PUNCH, 50, 3 * PAGE));
    looks("with a hole");
    munmap(shown, 6 * PAGE).expect("munmap");
    close(file).expect("close");
}

fn mappings() {
    let file = sized(0, PAGE + 100);
    let shared = map(file, 2 * PAGE, RW, MAP_SHARED, 0).expect("mmap");
    let private = map(file, 2 * PAGE, RW, MAP_PRIVATE, 0).expect("mmap");
    store(shared, b's');
    let mut byte = [0];
    read_at(file, &mut byte, 0).expect("pread");
    println!("stored, then read: {}", char::from(byte[0]));
    write_at(file, b"w", PAGE).expect("pwrite");
    println!("written, then loaded: {}", char::from(load(shared + PAGE)));
    println!("and privately: {}", char::from(load(private + PAGE)));
    store(private + PAGE, b'p');
    write_at(file, b"W", PAGE).expect("pwrite");
    println!("a private copy stays: {}", char::from(load(private + PAGE)));
    truncate(file, PAGE).expect("ftruncate");
    ends("what was cut, shared", Status::Killed(Signal::BUS), || {
        load(shared + PAGE)
    });
    ends("what was cut, private", Status::Killed(Signal::BUS), || {
        load(private + PAGE)
    });
    close(file).expect("close");
    store(shared, b'S');
    println!(
        "the file is closed, the page is there: {}",
        char::from(load(private))
    );
    munmap(shared, 2 * PAGE).expect("munmap");
    munmap(private, 2 * PAGE).expect("munmap");
}

fn seals() {
    let file = sized(MFD_ALLOW_SEALING, 2 * PAGE);
    let seal = |seals: u32| fcntl(file, F_ADD_SEALS, seals as usize);
    println!("unknown: {:?}", seal(0x1000));
    println!(
        "shrink: {:?}, then {:?}",
        seal(F_SEAL_SHRINK),
        truncate(file, PAGE)
    );
    println!("longer: {:?}", truncate(file, 3 * PAGE));
    println!(
        "grow: {:?}, then {:?}",
        seal(F_SEAL_GROW),
        truncate(file, 4 * PAGE)
    );
    println!("the same length: {:?}", truncate(file, 3 * PAGE));
    println!("fallocate inside: {:?}", allocate(file, 0, 0, PAGE));
    println!(
        "and outside: {:?}",
        allocate(file, FALLOC_FL_KEEP_SIZE, 0, 4 * PAGE)
    );
    println!(
        "seal: {:?}, then {:?}",
        seal(F_SEAL_SEAL),
        seal(F_SEAL_WRITE)
    );
    println!("all: {:?}", fcntl(file, F_GET_SEALS, 0));
    close(file).expect("close");
    let plain = sized(0, PAGE);
    println!(
        "without leave: {:?}",
        fcntl(plain, F_ADD_SEALS, F_SEAL_GROW as usize)
    );
    close(plain).expect("close");
    for flags in [MFD_EXEC | MFD_ALLOW_SEALING, MFD_NOEXEC_SEAL] {
        let file = memfd(c"program", flags).expect("memfd_create");
        let sealed = fcntl(file, F_ADD_SEALS, F_SEAL_EXEC as usize);
        println!("exec: {sealed:?}, all: {:?}", fcntl(file, F_GET_SEALS, 0));
        close(file).expect("close");
    }
    println!("of the console: {:?}", fcntl(1, F_GET_SEALS, 0));
}

fn write_seals() {
    let file = sized(MFD_ALLOW_SEALING, PAGE);
    let seal = |seals: u32| fcntl(file, F_ADD_SEALS, seals as usize);
    let shared = map(file, PAGE, RW, MAP_SHARED, 0).expect("mmap");
    store(shared, b'1');
    println!("while somebody may store: {:?}", seal(F_SEAL_WRITE));
    println!("for the future: {:?}", seal(F_SEAL_FUTURE_WRITE));
    store(shared, b'2');
    println!("write: {:?}", write_at(file, b"3", 0));
    println!("hole: {:?}", allocate(file, PUNCH, 0, PAGE));
    println!(
        "mmap to store: {:?}",
        map(file, PAGE, RW, MAP_SHARED, 0).map(drop)
    );
    let reader = map(file, PAGE, PROT_READ, MAP_SHARED, 0).expect("mmap");
    println!("mprotect: {:?}", mprotect(reader, PAGE, RW));
    munmap(shared, PAGE).expect("munmap");
    println!("with a reader only: {:?}", seal(F_SEAL_WRITE));
    println!("it reads {}", char::from(load(reader)));
    let private = map(file, PAGE, RW, MAP_PRIVATE, 0).expect("mmap");
    store(private, b'p');
    println!(
        "copies are one's own: {} {}",
        char::from(load(private)),
        char::from(load(reader))
    );
    println!("cut short all the same: {:?}", truncate(file, 0));
    munmap(reader, PAGE).expect("munmap");
    munmap(private, PAGE).expect("munmap");
    close(file).expect("close");
}

/// A write that would grow a sealed file changes nothing of the page at its end.
fn whole_page_or_nothing() {
    let file = sized(MFD_ALLOW_SEALING, PAGE + 1000);
    fcntl(file, F_ADD_SEALS, F_SEAL_GROW as usize).expect("fcntl");
    println!("inside: {:?}", write_at(file, &[5; 900], PAGE + 100));
    println!("over the end: {:?}", write_at(file, &[6; 1000], PAGE + 100));
    let mut byte = [0];
    read_at(file, &mut byte, PAGE + 100).expect("pread");
    println!("the first byte of it: {}", byte[0]);
    println!(
        "from the page before: {:?}",
        write_at(file, &[7; 2000], PAGE - 500)
    );
    close(file).expect("close");
}

/// A file without a name has permissions, owners and times like any other; what may be executed can be sealed.
fn attributes() {
    let file = memfd(c"program", MFD_EXEC | MFD_ALLOW_SEALING).expect("memfd_create");
    let about = || status(file).expect("fstat");
    let mode = |what: &str, wanted| {
        let done = set_mode_of(file, wanted);
        println!("{what}: {done:?}, mode {:o}", about().st_mode);
    };
    mode("for its owner, who lends himself and his group", 0o6710);
    // Only root may give it away, and whoever may not is told so by a file with a name as well.
    let owner = (about().st_uid, about().st_gid);
    let given = set_owner_of(file, owner.0, owner.1);
    println!("to who has it: {given:?}, mode {:o}", about().st_mode);
    mode("for its owner", 0o600);
    let times = Some([1000, 5, 2000, 7]);
    println!("times: {:?}", set_times(file, c"", times, AT_EMPTY_PATH));
    let about_times = about();
    println!(
        "last access {}.{}, last change {}.{}",
        about_times.st_atime,
        about_times.st_atime_nsec,
        about_times.st_mtime,
        about_times.st_mtime_nsec
    );
    write(file, b"x").expect("write");
    println!("a write is a change: {}", about().st_mtime > 2000);
    println!(
        "none may execute it, sealed: {:?}, {:?}",
        fcntl(file, F_ADD_SEALS, F_SEAL_EXEC as usize),
        fcntl(file, F_GET_SEALS, 0)
    );
    mode("all may read", 0o644);
    mode("all may execute", 0o755);
    close(file).expect("close");
}
