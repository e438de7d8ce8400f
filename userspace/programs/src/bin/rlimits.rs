//! Shows resource limits of memory: what is refused beyond them, and that what is there stays.
#![no_std]
#![forbid(unsafe_code)]

use programs::lesson::{dies, ends};
use rt::abi::general::{RLIMIT_AS, RLIMIT_DATA, RLIMIT_STACK};
use rt::memory::{
    MREMAP_MAYMOVE, Mapping, PAGE, PROT_NONE, PROT_READ, PROT_WRITE, brk, mmap, mprotect, mremap,
};
use rt::process::Status;
use rt::system::{limit, set_limit};
use rt::{Errno, println, probe};

const RW: u32 = PROT_READ | PROT_WRITE;
const MIB: usize = 1 << 20;

fn main() {
    ends("RLIMIT_AS", Status::Exited(0), || {
        address_space();
        0
    });
    ends("RLIMIT_DATA", Status::Exited(0), || {
        data();
        0
    });
    ends(
        "RLIMIT_DATA and the program's own data",
        Status::Exited(0),
        || {
            own_data();
            0
        },
    );
    stack();
    assert_eq!(set_limit(RLIMIT_AS, 2, 1), Err(Errno::EINVAL));
    println!("more than the highest: EINVAL");
    assert_eq!(limit(99), Err(Errno::EINVAL));
    println!("of a resource that does not exist: EINVAL");
}

fn address_space() {
    let memory = Mapping::new(16);
    memory.fill(b'l');
    set_limit(RLIMIT_AS, 64 * MIB, 64 * MIB).expect("setrlimit");
    assert_eq!(limit(RLIMIT_AS), Ok((64 * MIB, 64 * MIB)));
    for rights in [RW, PROT_READ, PROT_NONE] {
        assert_eq!(mmap(0, 64 * MIB, rights, 0), Err(Errno::ENOMEM));
    }
    println!("64 MiB more: ENOMEM, whatever is to be done with them");
    let old = memory.length();
    let grown = mremap(memory.page(0), old, 64 * MIB, MREMAP_MAYMOVE, 0);
    assert_eq!(grown, Err(Errno::ENOMEM));
    let end = brk(0);
    assert_eq!(brk(end + 64 * MIB), end);
    println!("nor by mremap, nor by brk");
    let start = mmap(0, 16 * MIB, RW, 0).expect("mmap");
    probe::store(start, 1);
    assert!(memory.holds(b'l'));
    println!("16 MiB: fine");
}

fn data() {
    set_limit(RLIMIT_DATA, 16 * MIB, 64 * MIB).expect("setrlimit");
    assert_eq!(mmap(0, 16 * MIB, RW, 0), Err(Errno::ENOMEM));
    println!("16 MiB to be written: ENOMEM");
    let start = mmap(0, 16 * MIB, PROT_READ, 0).expect("mmap");
    assert_eq!(mprotect(start, 16 * MIB, RW), Err(Errno::ENOMEM));
    mprotect(start, 8 * MIB, RW).expect("mprotect");
    println!("16 MiB to be read: fine; half of it can be made writable, all can't");
    let end = brk(0);
    assert_eq!(brk(end + 16 * MIB), end);
    assert_eq!(brk(end + PAGE), end + PAGE);
    println!("the heap grows by a page, and not by 16 MiB");
    set_limit(RLIMIT_DATA, 32 * MIB, 64 * MIB).expect("setrlimit");
    mprotect(start, 16 * MIB, RW).expect("mprotect");
    println!("with a higher limit all of it can");
    set_limit(RLIMIT_DATA, 0, 64 * MIB).expect("setrlimit");
    let end = brk(0);
    assert_eq!(brk(end + PAGE), end);
    mmap(0, PAGE, RW, 0).expect("mmap");
    println!(
        "with a limit of nothing the heap stays as it is, and what else there is may grow to the hard limit"
    );
}

/// For brk(2) the limit holds to the byte, for the program's data and the heap together: the least that allows 8 bytes of
/// heap says how much data there is.
fn own_data() {
    const UNLIMITED: usize = usize::MAX;
    let start = brk(0);
    let is_enough = |data: usize| {
        set_limit(RLIMIT_DATA, UNLIMITED, UNLIMITED).expect("setrlimit");
        assert_eq!(brk(start + 7), start + 7);
        set_limit(RLIMIT_DATA, data + 8, UNLIMITED).expect("setrlimit");
        brk(start + 8) == start + 8
    };
    let (mut low, mut high) = (0, MIB);
    while low < high {
        let middle = (low + high) / 2;
        if is_enough(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    println!("{low} bytes of data count beside the heap");
}

fn stack() {
    let here = 0u8;
    let deep = &raw const here as usize - 2 * MIB;
    ends("two MiB down the stack", Status::Exited(0), || {
        probe::store(deep, 1);
        0
    });
    dies("the same with a limit of one MiB", || {
        set_limit(RLIMIT_STACK, MIB, MIB).expect("setrlimit");
        probe::store(deep, 1);
    });
}
