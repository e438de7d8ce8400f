//! Shows that ring 3 can't command the machine: each privileged instruction ends in a signal, and nothing else happens.
//!
//! Every one of these would take the machine over, or down, if the processor did as it is told. Then come the
//! exceptions that a program may raise by mistake, each with the signal that Unix has for it, and the flags that a
//! program may set but the kernel must not inherit.
#![no_std]
#![forbid(unsafe_code)]

use programs::lesson::ends;
use rt::abi::Sysno;
use rt::instruction::{self, flags, pop_flags, syscall_with_flags};
use rt::println;
use rt::process::{self, Status};
use rt::signal::Signal;

type Instruction = (&'static str, fn());

const PRIVILEGED: &[Instruction] = &[
    ("hlt", instruction::hlt),
    ("cli", instruction::cli),
    ("sti", instruction::sti),
    ("in al, dx", instruction::port_in),
    ("out dx, al", instruction::port_out),
    ("mov rax, cr0", instruction::read_cr0),
    ("mov cr0, rax", instruction::write_cr0),
    ("mov rax, cr3", instruction::read_cr3),
    ("mov cr3, rax", instruction::write_cr3),
    ("mov cr4, rax", instruction::write_cr4),
    ("mov dr7, rax", instruction::write_dr7),
    ("clts", instruction::clts),
    ("rdmsr", instruction::rdmsr),
    ("wrmsr", instruction::wrmsr),
    ("lgdt", instruction::lgdt),
    ("lidt", instruction::lidt),
    ("lldt", instruction::lldt),
    ("ltr", instruction::ltr),
    ("invlpg", instruction::invlpg),
    ("invd", instruction::invd),
    ("wbinvd", instruction::wbinvd),
    ("swapgs", instruction::swapgs),
    ("sysret", instruction::sysret),
    ("iretq into ring 0", instruction::iret_to_kernel),
    ("int 0x0e", instruction::int_page_fault),
    ("int 0x08", instruction::int_double_fault),
    (
        "mov ds, (a selector beyond the table)",
        instruction::bad_selector,
    ),
    (
        "mov ds, (a selector of the local table)",
        instruction::local_selector,
    ),
    (
        "mov ss, (the null selector)",
        instruction::null_stack_segment,
    ),
];

const MISTAKES: &[(Instruction, Signal)] = &[
    (("int3", instruction::int3), Signal::TRAP),
    (("the trap flag", instruction::single_step), Signal::TRAP),
    (("ud2", instruction::ud2), Signal::ILL),
    (
        ("a division by zero", instruction::divide_by_zero),
        Signal::FPE,
    ),
    (
        ("a quotient too large", instruction::divide_overflow),
        Signal::FPE,
    ),
    (
        (
            "a division by zero in the x87 unit",
            instruction::x87_divide_by_zero,
        ),
        Signal::FPE,
    ),
];

fn main() {
    for &(text, run) in PRIVILEGED {
        in_child(text, run, Signal::SEGV);
    }
    for &((text, run), signal) in MISTAKES {
        in_child(text, run, signal);
    }
    no_local_table();
    flags_stay_outside();
}

fn in_child(text: &str, run: fn(), signal: Signal) {
    ends(text, Status::Killed(signal), || {
        run();
        0
    });
}

/// A reset leaves a local table of 8,192 descriptors at address 0. Looking one up must not touch that memory.
fn no_local_table() {
    const LOCAL: u16 = 4;
    let found = (0..8192).filter(|index| instruction::has_descriptor(index << 3 | LOCAL));
    println!("descriptors in the local table: {}", found.count());
}

/// `popf` ignores what ring 3 may not change, and a system call works whatever the flags say.
fn flags_stay_outside() {
    let seen = pop_flags(flags::INTERRUPT, flags::IO_PRIVILEGE);
    assert_eq!(
        seen & (flags::INTERRUPT | flags::IO_PRIVILEGE),
        flags::INTERRUPT
    );
    println!("popf: interrupts stay on, ports stay closed");

    let strange = flags::DIRECTION | flags::NESTED_TASK | flags::ALIGNMENT;
    let id = syscall_with_flags(Sysno::getpid as usize, strange);
    assert_eq!(id, process::id() as usize);
    println!("a system call with direction, nested-task and alignment flags set: answered");
}
