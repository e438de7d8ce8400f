//! Every way into the kernel but `syscall`: entry stubs that save the whole frame, and the one way back to ring 3.
//!
//! ```text
//! stub (one of 256)  error code or 0, vector        -> common, or emergency for NMI, #DF and #MC
//! common             15 registers; swapgs if from ring 3; dispatch(frame)
//! return_to_user     interrupts off; attention? -> before_user(frame), again; 15 registers; swapgs; iretq
//! ```
//! The frame has the order of Linux's `pt_regs`. Interrupts are off wherever GS may hold ring 3's base, so only the
//! emergencies can arrive there: they find their CPU's data through their own stack instead of trusting GS. `iretq`
//! itself faults when the frame holds nonsense that ring 3 asked for; the entry recognises that address and turns the
//! fault into one of ring 3. Debug exceptions need no stack of their own: ring 3 can't set debug registers, and `syscall`
//! masks single-stepping. RBP leads to the frame, plus one, while a handler runs: so backtraces find what was
//! interrupted.
use core::arch::naked_asm;
use core::mem::offset_of;

use x86_64::registers::control::Cr2;

use super::features::SMAP;
use super::idt::vector;
use super::percpu::ATTENTION;
use super::stack::SLOT_SIZE;
use super::{apic, nmi, report, uaccess};

/// The registers of what was interrupted, as they lie on the kernel stack.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub(crate) struct TrapFrame {
    pub(crate) r15: u64,
    pub(crate) r14: u64,
    pub(crate) r13: u64,
    pub(crate) r12: u64,
    pub(crate) rbp: u64,
    pub(crate) rbx: u64,
    pub(crate) r11: u64,
    pub(crate) r10: u64,
    pub(crate) r9: u64,
    pub(crate) r8: u64,
    pub(crate) rax: u64,
    pub(crate) rcx: u64,
    pub(crate) rdx: u64,
    pub(crate) rsi: u64,
    pub(crate) rdi: u64,
    /// The vector; after `syscall` the number of the call (Linux's `orig_rax`).
    pub(crate) number: u64,
    /// The processor's error code, or 0; [`CALL`] after `syscall`.
    pub(crate) error: u64,
    pub(crate) rip: u64,
    pub(crate) cs: u64,
    pub(crate) rflags: u64,
    pub(crate) rsp: u64,
    pub(crate) ss: u64,
}

impl TrapFrame {
    /// The number and the arguments of the system call that ring 3 makes. As on Linux only the lower half of rax counts.
    #[inline]
    pub(crate) fn call(&self) -> (u32, [u64; 6]) {
        let arguments = [self.rdi, self.rsi, self.rdx, self.r10, self.r8, self.r9];
        (self.number as u32, arguments)
    }

    /// The first moment of a program: at `entry`, with the stack at `stack_pointer` and all else zero.
    pub(crate) fn user(entry: u64, stack_pointer: u64) -> Self {
        let (cs, ss) = (
            u64::from(super::gdt::USER_CS),
            u64::from(super::gdt::USER_SS),
        );
        // Interrupts on, and the bit that is always set.
        Self {
            rip: entry,
            cs,
            rflags: 0x202,
            rsp: stack_pointer,
            ss,
            ..Self::default()
        }
    }

    /// Whether ring 3 was interrupted.
    pub(crate) fn is_user(&self) -> bool {
        self.cs & 3 == 3
    }

    /// Whether ring 3 came by `syscall`, and the frame still is that call's.
    pub(crate) fn is_call(&self) -> bool {
        self.error == CALL as u64
    }

    /// The frame is where ring 3 goes on, whatever brought it here.
    pub(crate) fn forget_call(&mut self) {
        self.error = 0;
    }

    /// Whether ring 3 runs 64-bit code.
    pub(crate) fn is_64_bit(&self) -> bool {
        self.cs == u64::from(super::gdt::USER_CS)
    }

    /// Has ring 3 go on with its usual segments.
    pub(crate) fn use_user_segments(&mut self) {
        self.cs = super::gdt::USER_CS.into();
        self.use_user_stack_segment();
    }

    /// Has ring 3 go on with its usual stack segment.
    pub(crate) fn use_user_stack_segment(&mut self) {
        self.ss = super::gdt::USER_SS.into();
    }

    /// Has ring 3 go on with segments of its choice, none of them another ring's; `iretq` refuses those that aren't there.
    pub(crate) fn set_segments(&mut self, cs: u16, ss: u16) {
        self.cs = u64::from(cs | 3);
        self.ss = u64::from(ss | 3);
    }

    /// Whether interrupts came in where this happened.
    pub(crate) fn had_interrupts(&self) -> bool {
        self.rflags & 1 << 9 != 0
    }
}

/// In place of an error code: the frame is that of a system call.
pub(super) const CALL: i64 = -1;

pub(super) const RIP: usize = offset_of!(TrapFrame, rip);
pub(super) const CS: usize = offset_of!(TrapFrame, cs);

/// Bytes from one stub to the next.
const STUB_SIZE: u64 = 16;

/// The address of the entry stub for vector `number`.
pub(super) fn stub(number: u64) -> u64 {
    stubs as *const () as u64 + number * STUB_SIZE
}

/// 256 entry points, one each 16 bytes. Vectors 8, 10 to 14, 17, 21, 29 and 30 come with an error code.
#[unsafe(naked)]
extern "C" fn stubs() {
    naked_asm!(
        ".balign 16",
        ".set vector, 0",
        ".rept 256",
        ".balign 16",
        ".if (vector == 8) || (vector >= 10 && vector <= 14) || (vector == 17) || (vector == 21) || (vector == 29) || (vector == 30)",
        ".else",
        "pushq $0",
        ".endif",
        "pushq $vector",
        ".if (vector == 2) || (vector == 8) || (vector == 18)",
        "jmp {emergency}",
        ".else",
        "jmp {common}",
        ".endif",
        ".set vector, vector + 1",
        ".endr",
        common = sym common,
        emergency = sym emergency,
        options(att_syntax),
    )
}

/// Says to debuggers where the whole frame at RSP has the interrupted registers, so that a backtrace goes on in what was
/// interrupted; holds from here to [`pop_registers`]. In DWARF's own bytes, because the assembler's `.cfi` words can't mark
/// a frame as a trap's ("S") without taking room in memory, and a debugger believes in a change of stacks only there. The
/// words are: what all such places share (the frame ends 176 bytes above RSP; below its end, in units of 8, lie rip, rsp,
/// rbp, rbx and r12 to r15), then the addresses for which that is true.
macro_rules! describe_frame {
    () => {
        "77: .pushsection .debug_frame
         71: .4byte 73f - 72f
         72: .4byte 0xffffffff
         .byte 1, 'S', 0, 1, 0x78, 16
         .byte 0x0c, 7, 0xb0, 1
         .byte 0x90, 5, 0x87, 2, 0x86, 18, 0x83, 17, 0x8c, 19, 0x8d, 20, 0x8e, 21, 0x8f, 22
         .balign 8
         73: .4byte 75f - 74f
         74: .4byte 71b
         .8byte 77b, 78f - 77b
         .balign 8
         75: .popsection"
    };
}

/// The registers of the frame, from rdi down to r15, which makes it whole.
macro_rules! push_registers {
    () => {
        concat!(
            "push rdi
         push rsi
         push rdx
         push rcx
         push rax
         push r8
         push r9
         push r10
         push r11
         push rbx
         push rbp
         push r12
         push r13
         push r14
         push r15
         ",
            $crate::arch::trap::describe_frame!()
        )
    };
}

/// The reverse of [`push_registers`].
macro_rules! pop_registers {
    () => {
        "78: pop r15
         pop r14
         pop r13
         pop r12
         pop rbp
         pop rbx
         pop r11
         pop r10
         pop r9
         pop r8
         pop rax
         pop rcx
         pop rdx
         pop rsi
         pop rdi"
    };
}
pub(super) use {describe_frame, pop_registers, push_registers};

/// All vectors but the emergencies.
#[unsafe(naked)]
extern "C" fn common() {
    naked_asm!(
        "cld",
        push_registers!(),
        "test byte ptr [rsp + {cs}], 3",
        "jz 3f",
        "swapgs",
        "2: cmp byte ptr [rip + {smap}], 0",
        "je 4f",
        "clac",
        "4: mov rdi, rsp",
        "lea rbp, [rsp + 1]",
        "call {dispatch}",
        "test byte ptr [rsp + {cs}], 3",
        "jnz {return_to_user}",
        pop_registers!(),
        "add rsp, 16",
        "iretq",
        // From ring 0: was it the last instruction of `return_to_user`, after its swapgs?
        "3: lea rax, [rip + {iret}]",
        "cmp rax, [rsp + {rip}]",
        "jne 2b",
        "swapgs",
        "mov rdi, rsp",
        "call {refused_return}",
        "jmp {return_to_user}",
        cs = const CS,
        rip = const RIP,
        smap = sym SMAP,
        dispatch = sym dispatch,
        iret = sym iret_to_user,
        refused_return = sym refused_return,
        return_to_user = sym return_to_user,
    )
}

/// Back to ring 3 with the frame at RSP, after all that has to be done first.
#[unsafe(naked)]
pub(super) extern "C" fn return_to_user() {
    naked_asm!(
        describe_frame!(),
        "2: cli",
        "cmp dword ptr gs:[{attention}], 0",
        "jne 3f",
        pop_registers!(),
        "swapgs",
        "add rsp, 16",
        "jmp {iret}",
        "3: mov rdi, rsp",
        "call {before_user}",
        "jmp 2b",
        attention = const ATTENTION,
        before_user = sym before_user,
        iret = sym iret_to_user,
    )
}

/// The instruction that may fault for what ring 3 asked; alone, so that its address has a name.
#[unsafe(naked)]
extern "C" fn iret_to_user() {
    naked_asm!("iretq")
}

/// NMI, double fault and machine check: on a stack of their own, at any moment, also where GS is ring 3's. The last
/// word of the stack's slot is the address of this CPU's data (`stack.rs`).
#[unsafe(naked)]
extern "C" fn emergency() {
    naked_asm!(
        "cld",
        push_registers!(),
        "mov ecx, 0xc0000101",
        "rdmsr",
        "shl rdx, 32",
        "or rax, rdx",
        "mov rbx, rax",
        "mov rax, rsp",
        "or rax, {slot} - 1",
        "mov rax, [rax - 7]",
        "mov rdx, rax",
        "shr rdx, 32",
        "wrmsr",
        "cmp byte ptr [rip + {smap}], 0",
        "je 2f",
        "clac",
        "2: mov rdi, rsp",
        "lea rbp, [rsp + 1]",
        "call {dispatch}",
        "mov rax, rbx",
        "mov rdx, rbx",
        "shr rdx, 32",
        "mov ecx, 0xc0000101",
        "wrmsr",
        pop_registers!(),
        "add rsp, 16",
        "iretq",
        slot = const SLOT_SIZE,
        smap = sym SMAP,
        dispatch = sym dispatch,
    )
}

/// Sorts what arrived. Interrupts are off.
extern "C" fn dispatch(frame: &mut TrapFrame) {
    match frame.number {
        vector::PAGE_FAULT => crate::fault::page_fault(frame, Cr2::read_raw()),
        vector::TIMER => {
            apic::end_of_interrupt();
            nmi::tell();
            crate::process::tick(frame);
        }
        vector::NMI => nmi::arrived(),
        vector::DOUBLE_FAULT | vector::MACHINE_CHECK => report::emergency(frame),
        0..vector::LEGACY => exception(frame),
        vector::SPURIOUS => {}
        number if (vector::DEVICES..vector::DEVICES + vector::MOST_DEVICES).contains(&number) => {
            apic::end_of_interrupt();
            crate::block::interrupted((number - vector::DEVICES) as usize);
        }
        number if number < vector::LEGACY + 16 => {} // A masked controller's ghost: there is nothing to acknowledge.
        _ => apic::end_of_interrupt(),
    }
}

/// An exception other than a page fault: ring 3's own affair, a user copy's fix-up, or a bug.
fn exception(frame: &mut TrapFrame) {
    if frame.is_user() {
        crate::process::exception(frame);
    } else if !uaccess::fix_up(frame) {
        report::kernel_bug(frame, None);
    }
}

/// `iretq` refused the frame that lies where it was interrupted. Ring 3's registers are in `frame` already; with the
/// rest of what was refused in it, it looks as if ring 3 had faulted by itself. The signal that this earns leads to a
/// handler, with segments that are good, or to the end.
extern "C" fn refused_return(frame: &mut TrapFrame) {
    // SAFETY: the address is the stack pointer at `iret_to_user`, where rip, cs, rflags, rsp and ss of the return lie.
    let refused = unsafe { (frame.rsp as *const [u64; 5]).read() };
    [frame.rip, frame.cs, frame.rflags, frame.rsp, frame.ss] = refused;
    crate::process::exception(frame);
}

extern "C" fn before_user(frame: &mut TrapFrame) {
    crate::process::before_user(frame);
}
