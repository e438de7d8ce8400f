//! Shows what a program is told of its faults: signal, code, address, and in the machine's context the vector, the
//! processor's error code and CR2.
//!
//! Each case runs in a child whose handler prints what it is told and ends. Where the address depends on the layout, its
//! distance from a known place is shown.
#![no_std]
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use rt::abi::Sysno;
use rt::abi::general::{
    BUS_ADRERR, FPE_FLTDIV, FPE_INTDIV, ILL_ILLOPN, MAP_PRIVATE, O_RDONLY, SEGV_ACCERR,
    SEGV_MAPERR, SI_KERNEL, TRAP_TRACE,
};
use rt::handler::{self, Context, Info};
use rt::memory::{Mapping, PAGE, PROT_NONE, PROT_READ, PROT_WRITE, munmap};
use rt::process::{Status, exit, run_in_child};
use rt::signal::Signal;
use rt::{env, instruction, println, probe, syscall};

/// The place that addresses are shown from, and how far it reaches.
static BASE: AtomicU64 = AtomicU64::new(0);
const REACH: u64 = 16 * PAGE as u64;

const KERNEL: usize = 0xffff_ffff_8100_0000;
const NON_CANONICAL: usize = 1 << 63;
const LAST_PAGE: usize = 0x7fff_ffff_f000;

fn main() {
    memory();
    far_away();
    file();
    instructions();
    held_back();
}

fn code_name(signal: Signal, code: i32) -> &'static str {
    match (signal, code as u32) {
        (_, SI_KERNEL) => "SI_KERNEL",
        (Signal::SEGV, SEGV_MAPERR) => "SEGV_MAPERR",
        (Signal::SEGV, SEGV_ACCERR) => "SEGV_ACCERR",
        (Signal::BUS, BUS_ADRERR) => "BUS_ADRERR",
        (Signal::FPE, FPE_INTDIV) => "FPE_INTDIV",
        (Signal::FPE, FPE_FLTDIV) => "FPE_FLTDIV",
        (Signal::ILL, ILL_ILLOPN) => "ILL_ILLOPN",
        (Signal::TRAP, TRAP_TRACE) => "TRAP_TRACE",
        _ => "?",
    }
}

extern "C" fn tell(number: i32, info: &mut Info, context: &mut Context) {
    let signal = Signal(number as u32);
    let registers = &context.registers;
    let code = code_name(signal, info.code);
    println!(
        "  {signal} {code}, vector {}, error {:#x}",
        registers.trap, registers.error
    );
    show("si_addr", info.address(), registers.rip);
    if registers.trap == 14 {
        show("CR2", registers.cr2, registers.rip);
    }
    exit(0)
}

fn show(name: &str, address: u64, rip: u64) {
    let base = BASE.load(Relaxed);
    match address {
        _ if address == rip => println!("  {name} is the instruction"),
        _ if (base..base + REACH).contains(&address) => {
            println!("  {name} there + {:#x}", address - base)
        }
        _ => println!("  {name} {address:#x}"),
    }
}

/// Runs `body` in a child that tells of its end.
fn case(name: &str, body: impl FnOnce()) {
    println!("{name}:");
    let status = run_in_child(|| {
        handler::handle_faults(tell);
        body();
        println!("  nothing happens");
        1
    });
    if status != Status::Exited(0) {
        println!("  {status}");
    }
}

/// Reads a byte that nobody wants.
fn read(address: usize) {
    let _ = probe::load(address);
}

fn memory() {
    let pages = Mapping::new(16);
    BASE.store(pages.page(0) as u64, Relaxed);
    munmap(pages.page(1), PAGE).expect("munmap");
    probe::load(pages.page(3));
    probe::store(pages.page(5), 1);
    for (first, protection) in [
        (2, PROT_READ),
        (3, PROT_READ),
        (4, PROT_NONE),
        (5, PROT_NONE),
    ] {
        pages.protect(first, 1, protection).expect("mprotect");
    }
    pages.protect(6, 1, PROT_WRITE).expect("mprotect");
    let at = |page: usize| pages.page(page) + 0x10 * page;
    case("read of address 0", || read(0));
    case("write to address 8", || probe::store(8, 1));
    case("read where nothing is", || read(at(1)));
    case("write where nothing is", || probe::store(at(1), 1));
    case("call where nothing is", || probe::call(at(1)));
    case("write to a read-only page that is not there yet", || {
        probe::store(at(2), 1)
    });
    case("write to a read-only page that is there", || {
        probe::store(at(3), 1)
    });
    case("read of an inaccessible page that is not there yet", || {
        read(at(4))
    });
    case("read of an inaccessible page with content", || read(at(5)));
    case("write to an inaccessible page with content", || {
        probe::store(at(5), 1)
    });
    case("read of a write-only page, which x86 can't refuse", || {
        read(at(6));
        exit(0)
    });
    case("call of a page without execute permission", || {
        probe::store(at(7), 0xc3);
        probe::call(at(7))
    });
}

fn far_away() {
    case("read of a kernel address", || read(KERNEL));
    case("write to a kernel address", || probe::store(KERNEL, 1));
    case("call of a kernel address", || probe::call(KERNEL));
    case("read of the page that no program has", || read(LAST_PAGE));
    case("read of a non-canonical address", || read(NON_CANONICAL));
    case("call of a non-canonical address", || {
        probe::call(NON_CANONICAL)
    });
}

/// This program's own file, mapped longer than it is.
fn file() {
    let raw =
        |call: Sysno, arguments| syscall::raw(call as usize, arguments).expect("a system call");
    let path = env::program_path().as_ptr() as usize;
    let file = raw(Sysno::open, [path, O_RDONLY as usize, 0, 0, 0, 0]);
    let size = raw(Sysno::lseek, [file, 0, 2, 0, 0, 0]);
    let end = size.next_multiple_of(PAGE);
    let flags = MAP_PRIVATE as usize;
    let protection = (PROT_READ | PROT_WRITE) as usize;
    let start = raw(Sysno::mmap, [0, end + 2 * PAGE, protection, flags, file, 0]);
    BASE.store((start + end) as u64, Relaxed);
    case("the last byte of the file's last page", || {
        read(start + end - 1);
        exit(0)
    });
    case("read behind the end of a file", || read(start + end + 5));
    case("write behind the end of a file", || {
        probe::store(start + end + PAGE, 1)
    });
    BASE.store(0, Relaxed);
}

fn instructions() {
    case("hlt", instruction::hlt);
    case("ud2", instruction::ud2);
    case("int3", instruction::int3);
    case("a selector beyond the table", instruction::bad_selector);
    case("division by zero", instruction::divide_by_zero);
    case(
        "division of the smallest number by -1",
        instruction::divide_overflow,
    );
    case("x87 division by zero", instruction::x87_divide_by_zero);
    case("a single step", instruction::single_step);
}

/// A fault can't wait.
fn held_back() {
    case("a fault while its signal is blocked", || {
        handler::set_mask(u64::MAX);
        read(0)
    });
    case("a fault while its signal is ignored", || {
        handler::act(Signal::SEGV, handler::Action::IGNORE).expect("rt_sigaction");
        read(0)
    });
}
