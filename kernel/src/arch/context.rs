//! Changing from one kernel stack to another, and from one address space to another: what the scheduler is made of.
//!
//! A thread that does not run is a stack with six callee-saved registers and a return address on top. A new thread's
//! stack is made to look as if it had been switched away from at the start of [`first_steps`], with ring 3's registers
//! above. Interrupts are off across a switch.
use core::arch::naked_asm;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::stack::KernelStack;
use super::trap::{TrapFrame, return_to_user};
use super::{gdt, interrupts, paging, percpu};

/// A kernel stack and where its thread continues on it. It owns the stack, so the two can't be confused.
pub(crate) struct Context {
    stack: KernelStack,
    /// The stack pointer; 0 while the thread runs, so that nobody can run it twice.
    rsp: AtomicU64,
}

/// What [`swap_stacks`] pops, from low addresses to high: what a stack that was switched away from has on top.
#[repr(C)]
struct Saved {
    callee_saved: [u64; 6],
    return_address: u64,
    /// Only on a new stack; where the thread never enters ring 3, nothing.
    frame: TrapFrame,
}

/// Where RBX is among the saved registers.
const RBX: usize = 4;

impl Context {
    /// The context of a new thread on `stack`, which enters ring 3 with the registers of `frame`, after
    /// [`begin`](crate::process::sched::begin).
    pub(crate) fn new_user(stack: KernelStack, frame: &TrapFrame) -> Self {
        Self::with(
            stack,
            Saved {
                callee_saved: [0; 6],
                return_address: first_steps as *const () as u64,
                frame: *frame,
            },
        )
    }

    /// The context of a new thread on `stack` that runs `body`, and never enters ring 3.
    pub(crate) fn new_kernel(stack: KernelStack, body: fn() -> !) -> Self {
        let mut callee_saved = [0; 6];
        callee_saved[RBX] = body as *const () as u64;
        Self::with(
            stack,
            Saved {
                callee_saved,
                return_address: kernel_steps as *const () as u64,
                frame: TrapFrame::user(0, 0),
            },
        )
    }

    fn with(stack: KernelStack, saved: Saved) -> Self {
        let rsp = stack.top() - size_of::<Saved>() as u64;
        // SAFETY: the top of a mapped stack that is given away here, so no thread runs on it; 16-byte aligned less 8.
        unsafe { (rsp as *mut Saved).write(saved) };
        Self {
            stack,
            rsp: AtomicU64::new(rsp),
        }
    }

    /// The stack pointer to continue at; the context counts as running from here on.
    fn take(&self) -> u64 {
        let rsp = self.rsp.swap(0, Relaxed);
        assert!(rsp != 0, "a thread that runs is switched to");
        rsp
    }
}

/// A stack can't be given up under the thread that runs on it.
impl Drop for Context {
    fn drop(&mut self) {
        assert!(*self.rsp.get_mut() != 0, "a thread that runs is dropped");
    }
}

/// Continues `to`; returns when somebody switches back to `from`, which is the thread that runs here.
pub(crate) fn switch(from: &Context, to: &Context) {
    assert_eq!(
        percpu::kernel_rsp(),
        from.stack.top(),
        "a switch away from a thread that does not run here"
    );
    let rsp = prepare(to);
    // SAFETY: `to` was saved by this function or made by `new_user`, and runs nowhere else; `from` is where we are.
    unsafe { swap_stacks(from.rsp.as_ptr(), rsp) }
}

/// Continues `to` and never comes back: the stack of boot is not used again.
pub(crate) fn launch(to: &Context) -> ! {
    assert_eq!(percpu::kernel_rsp(), 0, "a thread runs already");
    let rsp = prepare(to);
    let mut nowhere = 0;
    // SAFETY: as in `switch`.
    unsafe { swap_stacks(&mut nowhere, rsp) };
    unreachable!("the stack of boot was run again")
}

/// Makes the stack of `to` the one that entries from ring 3 start on; returns where to continue on it.
fn prepare(to: &Context) -> u64 {
    assert!(!interrupts::are_enabled(), "a switch with interrupts on");
    let rsp = to.take();
    percpu::set_kernel_rsp(to.stack.top());
    gdt::set_kernel_stack(percpu::index(), to.stack.top());
    rsp
}

/// Saves the current stack's state, its pointer to `from`, and continues on the stack at `to`.
///
/// # Safety
/// `to` was saved by this function, or made to look so, and is on no CPU's hands.
#[unsafe(naked)]
unsafe extern "C" fn swap_stacks(from: *mut u64, to: u64) {
    naked_asm!(
        "push rbp",
        "push rbx",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "mov [rdi], rsp",
        "mov rsp, rsi",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbx",
        "pop rbp",
        "ret",
    )
}

/// Where a new thread starts: ring 3's registers lie at the stack pointer.
#[unsafe(naked)]
extern "C" fn first_steps() {
    naked_asm!(
        "call {begin}",
        "jmp {return_to_user}",
        begin = sym begin,
        return_to_user = sym return_to_user,
    )
}

extern "C" fn begin() {
    crate::process::sched::begin();
}

/// Where a new thread of the kernel's own starts: what it is to run is in RBX.
#[unsafe(naked)]
extern "C" fn kernel_steps() {
    naked_asm!(
        "call {begin}",
        "sti",
        "call rbx",
        "ud2",
        begin = sym begin,
    )
}

/// Has the processor walk the tables at physical address `root`.
///
/// The contract, which no type holds yet: `root` came from an address space's `root()`, and that space lives until
/// another one is active here. A process keeps its space until it has called [`activate_kernel`], and `sched` asks the
/// process whose thread it is about to run; all that is left to check here is that the table shows the kernel.
pub(crate) fn activate(root: u64) {
    if root == percpu::root() {
        return;
    }
    let last = |table| paging::entry(table, u64::MAX, paging::TOP).load(Relaxed);
    assert_eq!(
        last(root),
        last(paging::root()),
        "the table at {root:#x} does not show the kernel"
    );
    percpu::set_root(root);
    // SAFETY: the upper half is the kernel's (checked above), so all that runs stays where it is.
    unsafe { core::arch::asm!("mov cr3, {}", in(reg) root, options(nostack, preserves_flags)) };
}

/// Goes back to the kernel's own tables, in which ring 3 has nothing: before the active space is given up.
pub(crate) fn activate_kernel() {
    activate(paging::root());
}
