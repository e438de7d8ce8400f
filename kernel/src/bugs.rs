//! Bugs on purpose, one of each kind: the option `bug=KIND` plants one, so that its report can be seen and tested.
//!
//! The line that goes wrong is marked with its kind; tests look the mark up and demand that the report names file and
//! line. What needs `unsafe` to be wrong is in `arch/bugs.rs`. Each is planted where such bugs happen: while booting, in
//! the first process's thread on its way to ring 3, in the timer's interrupt, or in the page tables before they are
//! checked.
mod kind;

use alloc::vec::Vec;
use core::fmt;
use core::hint::black_box;

use crate::arch::bugs as machine;
use crate::lock::{IrqLock, Rank};
use crate::options;

pub(crate) use self::kind::Bug;

/// When a bug is planted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// Before the self-check of the page tables.
    Tables,
    /// On the boot stack, when all is set up.
    Boot,
    /// In the thread of the first process, before it enters ring 3.
    Process,
    /// In a timer's interrupt that interrupted the kernel.
    Interrupt,
}

impl Moment {
    fn of(bug: Bug) -> Self {
        match bug {
            Bug::TableWx
            | Bug::TableUser
            | Bug::TableLow
            | Bug::TableGuard
            | Bug::TableAlias
            | Bug::TableDirect => Self::Tables,
            Bug::BootStack | Bug::Panic => Self::Boot,
            Bug::Interrupt => Self::Interrupt,
            _ => Self::Process,
        }
    }
}

/// Does what the command line asks for, if this is the moment for it.
pub(crate) fn plant(moment: Moment) {
    if let Some(bug) = options::get().bug
        && Moment::of(bug) == moment
    {
        commit(bug);
    }
}

fn commit(bug: Bug) {
    match bug {
        Bug::Panic => panic(),
        Bug::Read => machine::read(),
        Bug::Write => machine::write(),
        Bug::Null => machine::null(),
        Bug::NonCanonical => machine::noncanonical(),
        Bug::Jump => machine::jump(),
        Bug::Rodata => machine::rodata(),
        Bug::Text => machine::text(),
        Bug::Nx => machine::nx(),
        Bug::Smap => machine::smap(),
        Bug::Smep => machine::smep(),
        Bug::Reserved => machine::reserved(),
        Bug::BootStack | Bug::Stack => overrun(),
        Bug::Divide => machine::divide(),
        Bug::Opcode => machine::opcode(),
        Bug::Interrupt => machine::interrupt(),
        Bug::Heap => exhaust_heap(),
        Bug::Lock => lock_backwards(),
        Bug::Deadlock => lock_twice(),
        Bug::Nested => nested(),
        Bug::NestedStack => nested_stack(),
        Bug::TableWx => machine::table_wx(),
        Bug::TableUser => machine::table_user(),
        Bug::TableLow => machine::table_low(),
        Bug::TableGuard => machine::table_guard(),
        Bug::TableAlias => machine::table_alias(),
        Bug::TableDirect => machine::table_direct(),
    }
}

#[inline(never)]
fn panic() {
    panic!("the command line asked for a panic"); // bug=panic
}

#[inline(never)]
fn overrun() {
    black_box(deepen(0));
}

/// Calls itself until the stack is full.
#[inline(never)]
fn deepen(depth: u64) -> u64 {
    if black_box(depth) == u64::MAX {
        return 0;
    }
    deepen(depth + 1) + black_box(depth) // bug=boot-stack bug=stack bug=nested-stack
}

/// Allocates as one does who can't be told that there is no memory.
#[inline(never)]
fn exhaust_heap() {
    const PIECE: usize = 1 << 20;
    loop {
        core::mem::forget(black_box(Vec::<u8>::with_capacity(PIECE))); // bug=heap
    }
}

#[inline(never)]
fn lock_backwards() {
    static INNER: IrqLock<()> = IrqLock::new(Rank::Heap, ());
    static OUTER: IrqLock<()> = IrqLock::new(Rank::Table, ());
    let _inner = INNER.lock();
    let _outer = OUTER.lock(); // bug=lock
}

#[inline(never)]
fn lock_twice() {
    static LOCK: IrqLock<()> = IrqLock::new(Rank::Heap, ());
    let _once = LOCK.lock();
    let _twice = LOCK.lock(); // bug=deadlock
}

/// Something whose text can't be had.
struct Unspeakable;

impl fmt::Display for Unspeakable {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("a panic in the message of a panic"); // bug=nested
    }
}

#[inline(never)]
fn nested() {
    panic!("this can't be said: {Unspeakable}");
}

/// Something whose text needs more stack than there is.
struct Endless;

impl fmt::Display for Endless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", deepen(0))
    }
}

#[inline(never)]
fn nested_stack() {
    panic!("this is said without end: {Endless}");
}
