//! Shows who decides where a mapping goes: the kernel, a hint, or the caller with `MAP_FIXED`.
//!
//! A hint is taken if the place is free. `MAP_FIXED` takes the place in any case and throws away what was there, which
//! is how loaders lay out a program; `MAP_FIXED_NOREPLACE` takes it or fails.
#![no_std]
#![forbid(unsafe_code)]

use rt::abi::general::MAP_HUGETLB;
use rt::memory::{
    MAP_FIXED, MAP_FIXED_NOREPLACE, Mapping, PAGE, PROT_READ, PROT_WRITE, mmap, munmap,
};
use rt::{Errno, println, probe};

const READ_WRITE: u32 = PROT_READ | PROT_WRITE;

/// The end of what programs may map with four levels of page tables.
const USER_END: usize = (1 << 47) - PAGE;

fn main() {
    let memory = Mapping::new(16);
    memory.fill(b'a');
    let page = |index| memory.page(index);

    assert_eq!(mmap(page(6), 4 * PAGE, READ_WRITE, MAP_FIXED), Ok(page(6)));
    for index in 0..16 {
        let expected = if (6..10).contains(&index) { 0 } else { b'a' };
        assert_eq!(probe::load(page(index)), expected, "page {index}");
    }
    println!("FIXED over pages 6..10 of 0..16: fresh zeros there, the rest keeps its bytes");

    let kept = mmap(page(9), 2 * PAGE, READ_WRITE, MAP_FIXED_NOREPLACE);
    assert_eq!((kept, probe::load(page(10))), (Err(Errno::EEXIST), b'a'));
    println!("FIXED_NOREPLACE over mapped pages: EEXIST, and they keep their bytes");

    munmap(page(4), 4 * PAGE).expect("munmap");
    assert_eq!(
        mmap(page(4), 4 * PAGE, READ_WRITE, MAP_FIXED_NOREPLACE),
        Ok(page(4))
    );
    println!("FIXED_NOREPLACE into a hole: exactly there");

    hints(memory);
    refusals(memory);
    memory.unmap();
}

/// A hint is a wish.
fn hints(memory: Mapping) {
    let page = |index| memory.page(index);
    munmap(page(4), 4 * PAGE).expect("munmap");
    assert_eq!(mmap(page(5), PAGE, READ_WRITE, 0), Ok(page(5)));
    println!("a hint at a free place: taken");
    assert_eq!(mmap(page(6) + 1, PAGE, READ_WRITE, 0), Ok(page(6)));
    println!("a hint inside a free page: taken, at its start");

    let elsewhere = mmap(page(0), 4 * PAGE, READ_WRITE, 0).expect("mmap");
    assert!(!(page(0)..page(16)).contains(&elsewhere));
    assert_eq!((probe::load(page(0)), probe::load(elsewhere)), (b'a', 0));
    println!("a hint at a taken place: somewhere else");
    munmap(elsewhere, 4 * PAGE).expect("munmap");

    let elsewhere = mmap(USER_END, PAGE, READ_WRITE, 0).expect("mmap");
    assert!(elsewhere < USER_END);
    println!("a hint above all programs: somewhere else");
    munmap(elsewhere, PAGE).expect("munmap");
}

/// What Linux refuses, and with which errno.
fn refusals(memory: Mapping) {
    let refused = |what: &str, result: Result<usize, Errno>, expected: Errno| {
        assert_eq!(result, Err(expected), "{what}");
        println!("{what}: {expected:?}");
    };
    let start = memory.page(0);
    refused("no length", mmap(0, 0, READ_WRITE, 0), Errno::EINVAL);
    refused(
        "FIXED inside a page",
        mmap(start + 1, PAGE, READ_WRITE, MAP_FIXED),
        Errno::EINVAL,
    );
    // Of huge pages only what is refused whether there are any or not.
    for (what, address, flags) in [
        (
            "huge pages of no size that exists",
            0,
            MAP_HUGETLB | 22 << 26,
        ),
        (
            "huge pages FIXED inside one",
            start | PAGE,
            MAP_HUGETLB | MAP_FIXED,
        ),
    ] {
        refused(what, mmap(address, PAGE, READ_WRITE, flags), Errno::EINVAL);
    }
    refused(
        "FIXED above all programs",
        mmap(USER_END, PAGE, READ_WRITE, MAP_FIXED),
        Errno::ENOMEM,
    );
    refused(
        "FIXED across the end",
        mmap(USER_END - PAGE, 2 * PAGE, READ_WRITE, MAP_FIXED),
        Errno::ENOMEM,
    );
    refused(
        "FIXED in the kernel",
        mmap(usize::MAX << 47, PAGE, READ_WRITE, MAP_FIXED),
        Errno::ENOMEM,
    );
    refused(
        "more than there is room for",
        mmap(0, 1 << 47, READ_WRITE, 0),
        Errno::ENOMEM,
    );
    refused(
        "a length that wraps around",
        mmap(0, usize::MAX, READ_WRITE, 0),
        Errno::ENOMEM,
    );

    let unmapped = |address, length| munmap(address, length).map(|()| address);
    refused("unmapping no length", unmapped(start, 0), Errno::EINVAL);
    refused(
        "unmapping inside a page",
        unmapped(start + 1, PAGE),
        Errno::EINVAL,
    );
    refused(
        "unmapping the kernel",
        unmapped(usize::MAX << 47, PAGE),
        Errno::EINVAL,
    );
    assert_eq!(probe::load(start), b'a');
}
