//! Instructions that no program has any business to execute, each as a function.
//!
//! They are here because they need assembler; what they are good for is told by the program `privileged`.
#![expect(unsafe_code, reason = "every one of these is assembler")]

use core::arch::asm;

macro_rules! instructions {
    ($($(#[$what:meta])* $name:ident: $($line:literal),+;)*) => {
        $(
            $(#[$what])*
            pub fn $name() {
                // SAFETY: the processor refuses this in ring 3 and the kernel then ends the process; a caller that
                // comes back all the same finds every register that C lets a function change declared as changed.
                unsafe { asm!($($line),+, clobber_abi("C")) };
            }
        )*
    };
}

instructions! {
    /// Stops the processor.
    hlt: "hlt";
    /// Turns interrupts off.
    cli: "cli";
    /// Turns interrupts on.
    sti: "sti";
    /// Reads a port: the first serial line's status.
    port_in: "mov dx, 0x3fd", "in al, dx";
    /// Writes a port: QEMU's way out.
    port_out: "mov dx, 0xf4", "mov al, 0x10", "out dx, al";
    /// Reads the control register that turns paging on.
    read_cr0: "mov rax, cr0";
    /// Writes it.
    write_cr0: "xor eax, eax", "mov cr0, rax";
    /// Reads the address of the top-level page table.
    read_cr3: "mov rax, cr3";
    /// Puts another page table in its place.
    write_cr3: "xor eax, eax", "mov cr3, rax";
    /// Writes the register that holds SMEP and SMAP.
    write_cr4: "xor eax, eax", "mov cr4, rax";
    /// Writes a debug register.
    write_dr7: "xor eax, eax", "mov dr7, rax";
    /// Clears the flag that delays saving FPU state.
    clts: "clts";
    /// Reads a model-specific register: EFER.
    rdmsr: "mov ecx, 0xc0000080", "rdmsr";
    /// Writes one: the entry point of `syscall`.
    wrmsr: "mov ecx, 0xc0000082", "xor eax, eax", "xor edx, edx", "wrmsr";
    /// Loads the table of segments.
    lgdt: "lgdt [rsp]";
    /// Loads the table of interrupt gates.
    lidt: "lidt [rsp]";
    /// Loads the local table of segments.
    lldt: "xor eax, eax", "lldt ax";
    /// Loads the task register.
    ltr: "mov eax, 0x28", "ltr ax";
    /// Forgets one address translation.
    invlpg: "invlpg [rsp]";
    /// Throws the caches away without writing them back.
    invd: "invd";
    /// Writes the caches back.
    wbinvd: "wbinvd";
    /// Exchanges the kernel's GS base and the program's.
    swapgs: "swapgs";
    /// Returns from a system call that nobody made.
    sysret: "xor ecx, ecx", "xor r11d, r11d", "sysretq";
    /// Returns from an interrupt, into ring 0.
    iret_to_kernel: "push 0x10", "push rsp", "pushfq", "push 0x8", "lea rax, [rip]", "push rax", "iretq";
    /// Calls the gate of the page fault by hand.
    int_page_fault: "int 0x0e";
    /// Calls the gate of the double fault by hand.
    int_double_fault: "int 0x08";
    /// Loads a segment register with a selector beyond every table.
    bad_selector: "mov eax, 0xfff8", "mov ds, eax";
    /// Loads a segment register with a selector of the local table, which there is none of.
    local_selector: "mov eax, 0x0f", "mov ds, eax";
    /// Loads the stack segment with the null selector.
    null_stack_segment: "xor eax, eax", "mov ss, eax";
    /// The instruction that is undefined by definition.
    ud2: "ud2";
    /// The debugger's breakpoint.
    int3: "int3";
    /// Asks for a trap after the next instruction.
    single_step: "pushfq", "or qword ptr [rsp], 0x100", "popfq", "nop";
    /// Divides by zero.
    divide_by_zero: "xor edx, edx", "xor ecx, ecx", "mov eax, 1", "div ecx";
    /// Divides the smallest integer by -1, whose quotient has no place.
    divide_overflow: "mov eax, 0x80000000", "cdq", "mov ecx, -1", "idiv ecx";
    /// Divides by zero in the x87 unit with that exception unmasked.
    x87_divide_by_zero: "push 0x037b", "fldcw [rsp]", "fld1", "fldz", "fdivp", "fwait", "pop rax";
}

/// Bits of the flags register.
pub mod flags {
    /// Interrupts are on.
    pub const INTERRUPT: u64 = 1 << 9;
    /// String instructions go down.
    pub const DIRECTION: u64 = 1 << 10;
    /// Both bits of the privilege that port I/O needs.
    pub const IO_PRIVILEGE: u64 = 3 << 12;
    /// A nested task.
    pub const NESTED_TASK: u64 = 1 << 14;
    /// Alignment is checked in ring 3; in ring 0 the kernel may touch user memory.
    pub const ALIGNMENT: u64 = 1 << 18;
}

/// Sets the flags register to `(flags & !clear) | set` by `popf`, reads back what the processor made of it, and restores
/// it.
pub fn pop_flags(clear: u64, set: u64) -> u64 {
    let seen: u64;
    // SAFETY: the stack is balanced and the flags are restored, the direction flag among them.
    unsafe {
        asm!(
            "pushfq", "pop {old}",
            "mov {new}, {old}", "and {new}, {keep}", "or {new}, {set}",
            "push {new}", "popfq", "pushfq", "pop {new}",
            "push {old}", "popfq",
            old = out(reg) _, new = out(reg) seen, keep = in(reg) !clear, set = in(reg) set,
        );
    }
    seen
}

/// Whether the processor finds a descriptor behind `selector`, in the global table or in the local one.
pub fn has_descriptor(selector: u16) -> bool {
    let found: u8;
    // SAFETY: looking at a descriptor changes a register and the flags.
    unsafe {
        asm!(
            "lar {rights:e}, {selector:e}", "setz {found}",
            rights = out(reg) _, selector = in(reg) u32::from(selector), found = out(reg_byte) found,
        );
    }
    found != 0
}

/// Makes the system call `number`, without arguments, while `set` is set in the flags register.
pub fn syscall_with_flags(number: usize, set: u64) -> usize {
    let value: usize;
    // SAFETY: the stack is balanced and the flags are restored; such a call touches no memory.
    unsafe {
        asm!(
            "pushfq", "pop {old}", "or {set}, {old}", "push {set}", "popfq",
            "syscall",
            "push {old}", "popfq",
            old = out(reg) _, set = inout(reg) set => _,
            inout("rax") number => value, out("rcx") _, out("r11") _,
        );
    }
    value
}
