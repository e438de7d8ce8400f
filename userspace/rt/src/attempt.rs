//! Single accesses that may fail: a load, a store or a jump whose fault comes back as a value.
//!
//! Each access is the first instruction of a function without a frame, so that at its fault the stack pointer leads to
//! the caller's address, whether the access was a load, a store or the arrival at code that is not there. The handler
//! returns there on the function's behalf and leaves behind what it was told.

use core::arch::naked_asm;
use core::sync::atomic::{AtomicI32, AtomicU64, Ordering::Relaxed};

use crate::handler::{self, Context, Info};
use crate::probe;
use crate::signal::Signal;

/// What a handler was told of an access that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The signal's number.
    pub signal: i32,
    /// Its `si_code`.
    pub code: i32,
    /// Its `si_addr`.
    pub address: u64,
    /// The processor's error code, from the machine's context.
    pub error: u64,
}

static SIGNAL: AtomicI32 = AtomicI32::new(0);
static CODE: AtomicI32 = AtomicI32::new(0);
static ADDRESS: AtomicU64 = AtomicU64::new(0);
static ERROR: AtomicU64 = AtomicU64::new(0);

/// Takes SIGSEGV and SIGBUS over; from then on attempts may be made, and any other fault ends in confusion.
///
/// # Panics
/// If the kernel knows no handlers.
pub fn prepare() {
    handler::handle(Signal::SEGV, give_up, 0);
    handler::handle(Signal::BUS, give_up, 0);
}

/// A handler that makes the fault the result of the attempt.
pub extern "C" fn give_up(signal: i32, info: &mut Info, context: &mut Context) {
    CODE.store(info.code, Relaxed);
    ADDRESS.store(info.address(), Relaxed);
    ERROR.store(context.registers.error, Relaxed);
    SIGNAL.store(signal, Relaxed);
    context.registers.rip = probe::load_word(context.registers.rsp as usize);
    context.registers.rsp += 8;
}

/// Loads eight bytes.
pub fn load(address: usize) -> Result<u64, Fault> {
    attempt(|| load_first(address))
}

/// Stores eight bytes.
pub fn store(address: usize, value: u64) -> Result<(), Fault> {
    attempt(|| store_first(address, value))
}

/// Writes a byte back to where it is.
pub fn rewrite(address: usize) -> Result<(), Fault> {
    attempt(|| rewrite_first(address))
}

/// Calls the code at `address`, which must do nothing but return.
pub fn execute(address: usize) -> Result<(), Fault> {
    attempt(|| probe::call(address))
}

fn attempt<T>(access: impl FnOnce() -> T) -> Result<T, Fault> {
    SIGNAL.store(0, Relaxed);
    let value = access();
    match SIGNAL.load(Relaxed) {
        0 => Ok(value),
        signal => Err(Fault {
            signal,
            code: CODE.load(Relaxed),
            address: ADDRESS.load(Relaxed),
            error: ERROR.load(Relaxed),
        }),
    }
}

#[unsafe(naked)]
extern "C" fn load_first(address: usize) -> u64 {
    naked_asm!("mov rax, [rdi]", "ret")
}

#[unsafe(naked)]
extern "C" fn store_first(address: usize, value: u64) {
    naked_asm!("mov [rdi], rsi", "ret")
}

#[unsafe(naked)]
extern "C" fn rewrite_first(address: usize) {
    naked_asm!("lock or byte ptr [rdi], 0", "ret")
}
