//! The floating-point and vector registers as one value, to see whether the kernel carries them through what it does.
//!
//! Compiled code keeps nothing there for long, so a lost register would show only once in a while. Here all of them are
//! loaded with a pattern, one thing happens in assembler, and all of them are stored again.
#![expect(unsafe_code, reason = "the registers are reached in assembler only")]

use core::arch::x86_64::{__cpuid, _xgetbv};
use core::arch::{asm, naked_asm};

/// The x87, SSE and (where the processor has it) AVX registers, laid out as XSAVE and FXSAVE do.
#[repr(C, align(64))]
#[derive(Clone, Copy)]
pub struct Registers {
    x87_control: u16,
    x87_status: u16,
    x87_tags: u16,
    last_instruction: [u16; 9],
    mxcsr: u32,
    mxcsr_mask: u32,
    x87: [[u8; 16]; 8],
    xmm: [[u8; 16]; 16],
    unused: [u8; 96],
    present: u64,
    header: [u64; 7],
    ymm_high: [[u8; 16]; 16],
}

const _: () = assert!(
    size_of::<Registers>() == 832,
    "the layout of XSAVE with AVX"
);

/// Bits of XCR0: the parts that [`Registers`] has a place for, and the last of them.
const PARTS: u64 = X87 | SSE | AVX;
const X87: u64 = 1;
const SSE: u64 = 2;
const AVX: u64 = 4;

impl Registers {
    const EMPTY: Self = Self {
        x87_control: 0,
        x87_status: 0,
        x87_tags: 0,
        last_instruction: [0; 9],
        mxcsr: 0,
        mxcsr_mask: 0,
        x87: [[0; 16]; 8],
        xmm: [[0; 16]; 16],
        unused: [0; 96],
        present: 0,
        header: [0; 7],
        ymm_high: [[0; 16]; 16],
    };

    /// A pattern in every register that tells `seed` and the register's own number.
    pub fn pattern(seed: u8) -> Self {
        let parts = parts();
        let mut registers = Self {
            present: parts,
            ..Self::EMPTY
        };
        let rounding = u16::from(seed & 3);
        registers.x87_control = 0x037f | rounding << 10;
        registers.x87_tags = 0xff;
        registers.mxcsr = 0x1f80 | u32::from(rounding) << 13;
        for (index, register) in (0u8..).zip(&mut registers.x87) {
            // A finite number: its top bit set, a sensible exponent.
            *register = [
                seed,
                index,
                1,
                2,
                3,
                4,
                5,
                0x80 | seed,
                index,
                0x40,
                0,
                0,
                0,
                0,
                0,
                0,
            ];
        }
        for (index, register) in (0u8..).zip(&mut registers.xmm) {
            *register = [seed ^ index; 16];
        }
        if parts & AVX != 0 {
            registers.ymm_high = registers.xmm.map(|register| register.map(|byte| !byte));
        }
        registers
    }

    /// What these registers hold after `rounds` turns of a loop that makes no system call.
    pub fn across_spinning(&self, rounds: u64) -> Self {
        let mut after = Self::EMPTY;
        carry(self, &mut after, rounds, NO_CALL);
        after
    }

    /// The value of the system call `number`, made without arguments, and what these registers hold after it.
    pub fn across_syscall(&self, number: usize) -> (usize, Self) {
        let mut after = Self::EMPTY;
        let value = carry(self, &mut after, 1, number);
        (value, after)
    }

    /// Whether the values of all registers are the same in both; notes about instructions and exceptions don't count.
    pub fn same_as(&self, other: &Self) -> bool {
        let controls = |r: &Self| (r.x87_control, r.x87_tags, r.mxcsr);
        controls(self) == controls(other)
            && self.x87 == other.x87
            && self.xmm == other.xmm
            && self.ymm_high == other.ymm_high
    }
}

/// The parts that the kernel has enabled in XCR0, or none where it uses FXSAVE.
fn parts() -> u64 {
    const OSXSAVE: u32 = 1 << 27;
    if __cpuid(1).ecx & OSXSAVE == 0 {
        return 0;
    }
    // SAFETY: OSXSAVE says that this instruction is there for programs.
    PARTS & unsafe { enabled_parts() }
}

/// # Safety
/// The processor must have XGETBV, and the kernel must have enabled it.
#[target_feature(enable = "xsave")]
unsafe fn enabled_parts() -> u64 {
    // SAFETY: required of the caller.
    unsafe { _xgetbv(0) }
}

/// In place of a system call's number.
const NO_CALL: usize = usize::MAX;

/// Keeps the caller's registers, loads `before`, counts `rounds` down, makes the call, stores `after`, restores.
fn carry(before: &Registers, after: &mut Registers, rounds: u64, number: usize) -> usize {
    let mut own = Registers::EMPTY;
    let value;
    // SAFETY: 1. all three areas are aligned and large enough; 2. the caller's registers come back; 3. the only calls
    // made here take no pointers. A fork returns twice, each time on its own copy of this stack.
    unsafe {
        asm!(
            "mov rdi, r12", "call {save}",
            "mov rdi, r13", "call {restore}",
            "2: dec r14", "jnz 2b",
            "cmp r15, -1", "je 3f",
            "mov rax, r15", "syscall", "mov r15, rax",
            "3: mov rdi, r8", "call {save}",
            "mov rdi, r12", "call {restore}",
            save = sym save, restore = sym restore,
            in("r12") &raw mut own, in("r13") before, in("r8") after,
            inout("r14") rounds.max(1) => _, inout("r15") number => value, in("rsi") parts(),
            out("rax") _, out("rcx") _, out("rdx") _, out("rdi") _, out("r11") _,
        );
    }
    value
}

/// Stores the registers at RDI: the parts in RSI by XSAVE, or with none given by FXSAVE. Changes RAX and RDX only.
#[unsafe(naked)]
extern "C" fn save() {
    naked_asm!(
        "mov rax, rsi",
        "xor edx, edx",
        "test eax, eax",
        "jz 2f",
        "xsave64 [rdi]",
        "ret",
        "2: fxsave64 [rdi]",
        "ret"
    )
}

/// Loads the registers from RDI, as [`save`] stores them.
#[unsafe(naked)]
extern "C" fn restore() {
    naked_asm!(
        "mov rax, rsi",
        "xor edx, edx",
        "test eax, eax",
        "jz 2f",
        "xrstor64 [rdi]",
        "ret",
        "2: fxrstor64 [rdi]",
        "ret"
    )
}
