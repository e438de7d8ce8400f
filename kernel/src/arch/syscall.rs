//! The `syscall` instruction: the shortest way in and out, and the place where a wrong return address could bite.
//!
//! `sysret` with a non-canonical address in RCX faults in ring 0 on ring 3's stack (Intel), and can't restore RCX, R11
//! or single-stepping. So it is used only when the frame holds what `syscall` put there; all else leaves by `iretq`.
//! The way in to `dispatch` is 29 instructions, the way out 31.
use core::arch::naked_asm;
use core::mem::offset_of;

use x86_64::VirtAddr;
use x86_64::registers::model_specific::{LStar, Msr, SFMask};
use x86_64::registers::rflags::RFlags;

use super::gdt::{KERNEL_CS, SYSRET_BASE, USER_CS, USER_SS};
use super::percpu::{ATTENTION, KERNEL_RSP, USER_RSP};
use super::trap::{CALL, RIP, TrapFrame, pop_registers, push_registers, return_to_user};

const RCX: usize = offset_of!(TrapFrame, rcx);
const R11: usize = offset_of!(TrapFrame, r11);
const RFLAGS: usize = offset_of!(TrapFrame, rflags);
const RSP: usize = offset_of!(TrapFrame, rsp);
const NUMBER: usize = offset_of!(TrapFrame, number);

/// The errno for calls that aren't there.
const ENOSYS: i32 = 38;

/// Trap and resume flags: `sysret` would lose the one and trap at once with the other.
const STEPPING: u32 = 1 << 8 | 1 << 16;

/// Opens the door for ring 3 on the calling CPU.
pub(super) fn init() {
    const STAR: Msr = Msr::new(0xc000_0081);
    const CSTAR: Msr = Msr::new(0xc000_0083);
    let mut star = STAR;
    // SAFETY: the selectors lie as `syscall` and `sysret` want them (`gdt.rs`).
    unsafe { star.write(u64::from(SYSRET_BASE) << 48 | u64::from(KERNEL_CS) << 32) };
    LStar::write(VirtAddr::from_ptr(entry as *const ()));
    let mut cstar = CSTAR;
    // SAFETY: where it leads to is code of the kernel's that expects just this.
    unsafe { cstar.write(entry_from_32_bit as *const () as u64) };
    // What Linux clears: above all interrupts, direction, single-stepping and the window of user copies.
    SFMask::write(RFlags::from_bits_truncate(0x25_7fd5));
}

/// Where `syscall` arrives: RCX holds ring 3's RIP, R11 its RFLAGS, RSP is still ring 3's, interrupts are off.
#[unsafe(naked)]
extern "C" fn entry() {
    naked_asm!(
        "swapgs",
        "mov gs:[{user_rsp}], rsp",
        "mov rsp, gs:[{kernel_rsp}]",
        "push {user_ss}",
        "push qword ptr gs:[{user_rsp}]",
        "push r11",
        "push {user_cs}",
        "push rcx",
        "push {call}",
        "push rax",
        push_registers!(),
        "mov rdi, rsp",
        "lea rbp, [rsp + 1]",
        "sti",
        "call {dispatch}",
        "cli",
        "cmp dword ptr gs:[{attention}], 0",
        "jne {return_to_user}",
        "mov rcx, [rsp + {rip}]",
        "cmp rcx, [rsp + {rcx}]",
        "jne {return_to_user}",
        "mov r11, [rsp + {rflags}]",
        "cmp r11, [rsp + {r11}]",
        "jne {return_to_user}",
        "test r11d, {stepping}",
        "jnz {return_to_user}",
        "shr rcx, 47",
        "jnz {return_to_user}",
        pop_registers!(),
        "mov rsp, [rsp + {rsp} - {number}]",
        "swapgs",
        "sysretq",
        user_rsp = const USER_RSP,
        kernel_rsp = const KERNEL_RSP,
        attention = const ATTENTION,
        user_ss = const USER_SS,
        user_cs = const USER_CS,
        rip = const RIP,
        rcx = const RCX,
        rflags = const RFLAGS,
        r11 = const R11,
        rsp = const RSP,
        number = const NUMBER,
        call = const CALL,
        stepping = const STEPPING,
        dispatch = sym dispatch,
        return_to_user = sym return_to_user,
    )
}

/// Where `syscall` arrives from 32-bit code, on processors that have it there: nobody is served, and ring 3 goes on with
/// `ENOSYS`. Nothing is touched meanwhile, not even the stack.
#[unsafe(naked)]
extern "C" fn entry_from_32_bit() {
    naked_asm!("mov eax, -{enosys}", "sysret", enosys = const ENOSYS)
}

extern "C" fn dispatch(frame: &mut TrapFrame) {
    crate::syscall::dispatch(frame);
}
