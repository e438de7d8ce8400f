//! Virtual memory as Linux does it: areas, page tables, faults, frames; pure, so that it runs on the workstation too.
//!
//! The crate has no statics and forbids `unsafe`; the machine comes in through [`machine`], the world as [`Memory`].
//! Start reading at [`fault`]: it opens with the picture of every case. `README.md` draws a mapping through its life.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

extern crate alloc;

pub mod areas;
mod books;
pub mod brk;
pub mod buddy;
pub mod check;
pub mod commit;
pub mod contents;
pub mod error;
pub mod exit;
pub mod families;
pub mod fault;
pub mod foreign;
pub mod fork;
pub mod frame;
mod gather;
pub mod identity;
mod index;
pub mod machine;
pub mod madvise;
pub mod memory;
pub mod mincore;
pub mod mlock;
pub mod mmap;
pub mod mprotect;
pub mod mremap;
pub mod msync;
pub mod munmap;
pub mod oom;
pub mod opening;
pub mod page;
pub mod page_cache;
pub mod page_table;
pub mod pin;
pub mod populate;
pub mod pte;
pub mod remote;
pub mod report;
pub mod rmap;
pub mod scarcity;
pub mod seal;
pub mod space;
mod special;
pub mod stack;
pub mod stats;
mod sync;
#[cfg(test)]
mod testing;
pub mod trace;
mod tree;
pub mod truncate;
pub mod vma;

pub use error::{Error, OutOfMemory};
pub use fault::{Access, Denial, Outcome};
pub use frame::{Frame, FrameRecord};
pub use machine::Machine;
pub use memory::Memory;
pub use page::{PAGE_SIZE, Page};
pub use space::AddressSpace;
pub use vma::{Backing, VmFlags, Vma};

/// The most CPUs that per-CPU state is kept for.
pub const MAX_CPUS: usize = 32;
