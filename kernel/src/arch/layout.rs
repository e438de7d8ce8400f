//! The upper half of every address space: what lies where, as constants, because assembly and tables need them early.
//!
//! ```text
//! 0xffff_8880_0000_0000  64 TiB   direct map: physical address + this
//! 0xffff_c900_0000_0000 512 GiB   device memory (`paging::ioremap`)
//! 0xffff_c980_0000_0000 512 GiB   kernel stacks, each below a slot's top and above a guard
//! 0xffff_ffff_8000_0000   2 GiB   the kernel's image
//! ```
//! The loader is told the first and the last of these (`main.rs`), so addresses stay good across the change of tables.

/// Where physical address 0 is seen.
pub(crate) const DIRECT_MAP: u64 = 0xffff_8880_0000_0000;
/// One byte above the largest physical address that the direct map could show.
pub(crate) const DIRECT_MAP_SIZE: u64 = 1 << 46;
/// Device memory.
pub(crate) const DEVICES: u64 = 0xffff_c900_0000_0000;
/// Kernel stacks.
pub(crate) const STACKS: u64 = 0xffff_c980_0000_0000;
/// What each of the two regions above has: one entry of the top-level table.
pub(crate) const REGION_SIZE: u64 = 1 << 39;
/// The kernel's image.
pub(crate) const KERNEL_IMAGE: u64 = 0xffff_ffff_8000_0000;
/// One byte above the highest address that ring 3 may use. The last page below the hole stays empty, so that no
/// `syscall` instruction can return to a non-canonical address.
pub(crate) const USER_END: u64 = 0x7fff_ffff_f000;
/// First address of the kernel's half.
pub(crate) const KERNEL_HALF: u64 = 0xffff_8000_0000_0000;

/// Bytes in a page.
pub(crate) const PAGE: u64 = mm::PAGE_SIZE;
