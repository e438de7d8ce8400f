//! Single loads, stores and jumps at any address, each one instruction.
//!
//! A program that wants to see a page fault must be sure that its access happens, once, where and when it is written.
//! References can't promise that and pointers may not dangle; one instruction of assembler is exact.
#![expect(
    unsafe_code,
    reason = "reaching for memory that may not be there is what this module is for"
)]

use core::arch::asm;

/// Loads a byte.
#[inline]
pub fn load(address: usize) -> u8 {
    let value: u8;
    // SAFETY: one load, at the caller's risk (see the crate's first page).
    unsafe {
        asm!("mov {}, [{}]", out(reg_byte) value, in(reg) address, options(nostack, preserves_flags))
    };
    value
}

/// Stores a byte.
#[inline]
pub fn store(address: usize, value: u8) {
    // SAFETY: one store, at the caller's risk (see the crate's first page).
    unsafe {
        asm!("mov [{}], {}", in(reg) address, in(reg_byte) value, options(nostack, preserves_flags))
    };
}

/// Loads eight bytes.
#[inline]
pub fn load_word(address: usize) -> u64 {
    let value: u64;
    // SAFETY: one load, at the caller's risk (see the crate's first page).
    unsafe {
        asm!("mov {}, [{}]", out(reg) value, in(reg) address, options(nostack, preserves_flags))
    };
    value
}

/// Stores eight bytes.
#[inline]
pub fn store_word(address: usize, value: u64) {
    // SAFETY: one store, at the caller's risk (see the crate's first page).
    unsafe {
        asm!("mov [{}], {}", in(reg) address, in(reg) value, options(nostack, preserves_flags))
    };
}

/// Loads four bytes.
#[inline]
pub fn load_half(address: usize) -> u32 {
    let value: u32;
    // SAFETY: one load, at the caller's risk (see the crate's first page).
    unsafe {
        asm!("mov {:e}, [{}]", out(reg) value, in(reg) address, options(nostack, preserves_flags))
    };
    value
}

/// Stores four bytes.
#[inline]
pub fn store_half(address: usize, value: u32) {
    // SAFETY: one store, at the caller's risk (see the crate's first page).
    unsafe {
        asm!("mov [{}], {:e}", in(reg) address, in(reg) value, options(nostack, preserves_flags))
    };
}

/// Writes the byte at `address` back to where it is, in one instruction: a write fault without a change.
#[inline]
pub fn rewrite(address: usize) {
    // SAFETY: the memory stays as it is; whether it is there is the caller's risk (see the crate's first page).
    unsafe { asm!("lock or byte ptr [{}], 0", in(reg) address, options(nostack)) };
}

/// Calls the code at `address` as a function of two numbers or addresses, and returns what it returns.
#[inline]
pub fn call_with(address: usize, [first, second]: [usize; 2]) -> usize {
    let value;
    // SAFETY: the caller answers for the code and its arguments; it must keep to the C calling convention.
    unsafe {
        asm!(
            "call {}",
            in(reg) address,
            inlateout("rdi") first => _,
            inlateout("rsi") second => _,
            lateout("rax") value,
            clobber_abi("C"),
        );
    }
    value
}

/// Calls the code at `address` as a function without arguments or value.
#[inline]
pub fn call(address: usize) {
    // SAFETY: the caller answers for the code; it must keep to the C calling convention.
    unsafe { asm!("call {}", in(reg) address, clobber_abi("C")) };
}
