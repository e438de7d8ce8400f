//! Shows every way to reach for memory that isn't there, each in a child that dies of it while the parent lives on.
//!
//! To the processor these are different faults (a page not present, a page that forbids, an address that can't exist);
//! to the program they are all SIGSEGV, and to the kernel none may be more than the end of one process.
#![no_std]
#![forbid(unsafe_code)]

use programs::lesson::dies;
use rt::memory::{Mapping, PAGE, PROT_NONE, PROT_READ};
use rt::{env, println, probe};

/// Where kernels with four levels of page tables begin.
const KERNEL: usize = usize::MAX << 47;
/// An address whose upper bits are neither all zero nor all one.
const NON_CANONICAL: usize = 1 << 62;

fn main() {
    anywhere("null", 0);
    anywhere("the last byte of the null page", PAGE - 1);
    anywhere("the kernel's lowest page", KERNEL);
    anywhere("the kernel's image", 0xffff_ffff_8000_0000);
    anywhere("the last byte of all", usize::MAX);
    anywhere("a non-canonical address", NON_CANONICAL);
    anywhere("the first non-canonical address", 1 << 47);
    anywhere("the page before it", (1 << 47) - PAGE);

    let memory = Mapping::with(1, PROT_READ, 0);
    dies("store to read-only memory never touched", || {
        probe::store(memory.page(0), 1)
    });
    assert_eq!(probe::load(memory.page(0)), 0);
    dies("store to read-only memory read before", || {
        probe::store(memory.page(0), 1)
    });
    dies("call of memory that is not executable", || {
        probe::call(memory.page(0))
    });
    memory.unmap();
    anywhere("memory given back", memory.page(0));

    let none = Mapping::with(1, PROT_NONE, 0);
    anywhere("memory without any right", none.page(0));

    let own_code = main as fn() as usize;
    dies("store to the program's own code", || {
        probe::store(own_code, 0)
    });
    dies("store to the program's own constants", || {
        probe::store("constant".as_ptr() as usize, 0)
    });
    dies("call of the stack", || {
        probe::call(env::program_path().as_ptr() as usize)
    });

    let last = Mapping::new(2);
    rt::memory::munmap(last.page(1), PAGE).expect("munmap");
    dies(
        "load of a word that reaches into a page that is gone",
        || _ = probe::load_word(last.page(1) - 4),
    );
    println!("the parent lives");
}

/// Loads from, stores to and calls `address`, in a child each.
fn anywhere(what: &str, address: usize) {
    for (verb, access) in [
        ("load from", load as fn(usize)),
        ("store to", store),
        ("call of", probe::call),
    ] {
        dies(format_args!("{verb} {what}"), || access(address));
    }
}

fn load(address: usize) {
    probe::load(address);
}

fn store(address: usize) {
    probe::store(address, 1);
}
