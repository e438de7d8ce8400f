//! The self-check of the kernel's live page tables: what must hold of every entry, as code that stops the machine.
//!
//! It runs once at boot, after all that it speaks of is in place. A kernel whose pages are open to ring 3, or writable and
//! executable at once, would run all the same; that is why someone has to look.
use core::fmt;
use core::sync::atomic::Ordering::Relaxed;

use x86_64::structures::paging::PageTableFlags as Flags;

use super::layout::{DIRECT_MAP, DIRECT_MAP_SIZE, KERNEL_IMAGE, PAGE};
use super::{paging, stack};

/// What the walk saw, for the log.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Census {
    /// Leaves of 4 KiB, 2 MiB and 1 GiB.
    pub(crate) pages: [usize; 3],
    /// Pages that hold code.
    pub(crate) executable: usize,
    /// Stacks whose guards were seen to be absent.
    pub(crate) guarded: usize,
}

impl fmt::Display for Census {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [small, large, huge] = self.pages;
        write!(f, "{small} small, {large} large and {huge} huge pages, ")?;
        write!(
            f,
            "{} of them executable, {} guarded stacks",
            self.executable, self.guarded
        )
    }
}

/// Walks the kernel's half of the tables that the processor uses; panics at the first wrong entry.
pub(crate) fn self_check() -> Census {
    let mut census = Census::default();
    let root = super::percpu::root();
    assert_eq!(
        root,
        paging::root(),
        "the tables in use are not the kernel's"
    );
    let lower = &paging::entries(root)[..256];
    let first = lower.iter().position(|entry| entry.load(Relaxed) != 0);
    assert_eq!(
        first, None,
        "the kernel's own tables show something in ring 3's half, at this index of the top one"
    );
    for index in 256..512 {
        let address = 0xffff_0000_0000_0000 | (index as u64) << 39;
        walk(
            paging::entries(root)[index].load(Relaxed),
            address,
            paging::TOP,
            &mut census,
        );
    }
    stack::for_each_guard(|guards| {
        for guard in guards {
            assert!(
                paging::translate(root, guard).is_none(),
                "guard page {guard:#x} is mapped"
            );
        }
        census.guarded += 1;
    });
    assert!(
        census.executable > 0,
        "no kernel page is executable, yet this runs"
    );
    census
}

fn walk(bits: u64, address: u64, level: u32, census: &mut Census) {
    let flags = Flags::from_bits_retain(bits);
    if !flags.contains(Flags::PRESENT) {
        return;
    }
    assert!(
        !flags.contains(Flags::USER_ACCESSIBLE),
        "{address:#x}: ring 3 may use the kernel's entry {bits:#x}"
    );
    if !paging::leads_to_table(bits, level) {
        return leaf(bits, address, level, census);
    }
    for (index, entry) in paging::entries(paging::target(bits)).iter().enumerate() {
        let below = address + ((index as u64 * PAGE) << (9 * (level - 1)));
        walk(entry.load(Relaxed), below, level - 1, census);
    }
}

fn leaf(bits: u64, address: u64, level: u32, census: &mut Census) {
    let flags = Flags::from_bits_retain(bits);
    let executable = !flags.contains(Flags::NO_EXECUTE);
    assert!(
        !(executable && flags.contains(Flags::WRITABLE)),
        "{address:#x} is writable and executable"
    );
    let direct = (DIRECT_MAP..DIRECT_MAP + DIRECT_MAP_SIZE).contains(&address);
    assert!(
        !(executable && direct),
        "{address:#x} in the direct map is executable"
    );
    if address >= KERNEL_IMAGE {
        alias(address, paging::target(bits), flags);
    }
    census.executable += usize::from(executable);
    census.pages[level as usize] += 1;
}

/// Code and constants may not be written to by way of the direct map; so no frame is both theirs and data's.
fn alias(address: u64, target: u64, flags: Flags) {
    let Some((_, shown)) = paging::translate(super::percpu::root(), DIRECT_MAP + target) else {
        panic!("{address:#x} leads to {target:#x}, which the direct map does not show");
    };
    assert_eq!(
        flags.contains(Flags::WRITABLE),
        shown.contains(Flags::WRITABLE),
        "{address:#x} and the direct map differ in whether {target:#x} may be written to"
    );
}
