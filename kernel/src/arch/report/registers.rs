//! The registers, as lines of three.
use x86_64::registers::control::{Cr0, Cr2, Cr4};

use crate::arch::trap::TrapFrame;
use crate::arch::{paging, percpu};

/// Those of the interrupted code, then the processor's own.
pub(super) fn all(f: &TrapFrame) {
    three(("rip", f.rip), ("cs ", f.cs), ("rflags", f.rflags));
    three(("rsp", f.rsp), ("ss ", f.ss), ("rbp", f.rbp));
    three(("rax", f.rax), ("rbx", f.rbx), ("rcx", f.rcx));
    three(("rdx", f.rdx), ("rsi", f.rsi), ("rdi", f.rdi));
    three(("r8 ", f.r8), ("r9 ", f.r9), ("r10", f.r10));
    three(("r11", f.r11), ("r12", f.r12), ("r13", f.r13));
    log::error!("r14 {:016x}  r15 {:016x}", f.r14, f.r15);
    control();
}

/// The processor's own.
pub(super) fn control() {
    let table = paging::in_use();
    three(
        ("cr0", Cr0::read_raw()),
        ("cr2", Cr2::read_raw()),
        ("cr4", Cr4::read_raw()),
    );
    match percpu::root() {
        root if root == table => log::error!("cr3 {table:016x}  CPU {}", percpu::index()),
        root => log::error!(
            "cr3 {table:016x}, should be {root:016x}  CPU {}",
            percpu::index()
        ),
    }
}

fn three(a: (&str, u64), b: (&str, u64), c: (&str, u64)) {
    log::error!(
        "{} {:016x}  {} {:016x}  {} {:016x}",
        a.0,
        a.1,
        b.0,
        b.1,
        c.0,
        c.1
    );
}
