//! `smaps`, a paragraph an area, and `smaps_rollup`, one for all.
use core::fmt::{Error, Result as Written, Write};

use super::usage::Usage;
use super::{Files, maps};
use crate::machine::Machine;
use crate::memory::Memory;
use crate::page::{PAGE_SIZE, Page};
use crate::space::AddressSpace;
use crate::vma::{VmFlags, Vma};

/// Writes what is known of the first area that ends above `from`, and returns where to go on; `None` where there is none.
pub fn smaps<M: Machine>(
    space: &AddressSpace,
    memory: &Memory<M>,
    files: &impl Files,
    from: Page,
    out: &mut impl Write,
) -> Result<Option<Page>, Error> {
    let Some(vma) = space.areas().find(from) else {
        return Ok(None);
    };
    maps::line(space, files, vma, out)?;
    kib(out, "Size", vma.len() * PAGE_SIZE / 1024)?;
    kib(out, "KernelPageSize", PAGE_SIZE / 1024)?;
    kib(out, "MMUPageSize", PAGE_SIZE / 1024)?;
    let mut usage = Usage::default();
    usage.add(space, memory, vma);
    kib(out, "Rss", usage.resident / 1024)?;
    kib(out, "Pss", usage.share.kib())?;
    kib(out, "Pss_Dirty", usage.share_dirty.kib())?;
    rest(out, &usage)?;
    writeln!(out, "THPeligible:    {:8}", 0)?;
    flags(out, vma)?;
    Ok(Some(vma.end))
}

/// Writes the sums over all areas; nothing where there are none.
pub fn smaps_rollup<M: Machine>(
    space: &AddressSpace,
    memory: &Memory<M>,
    out: &mut impl Write,
) -> Written {
    let mut usage = Usage::default();
    let mut pages: Option<core::ops::Range<Page>> = None;
    for vma in space.areas().iter() {
        usage.add(space, memory, vma);
        let start = pages.map_or(vma.start, |pages| pages.start);
        pages = Some(start..vma.end);
    }
    let Some(pages) = pages else { return Ok(()) };
    maps::rollup_line(pages, out)?;
    kib(out, "Rss", usage.resident / 1024)?;
    kib(out, "Pss", usage.share.kib())?;
    kib(out, "Pss_Dirty", usage.share_dirty.kib())?;
    kib(out, "Pss_Anon", usage.share_anonymous.kib())?;
    kib(out, "Pss_File", usage.share_file.kib())?;
    kib(out, "Pss_Shmem", usage.share_shared.kib())?;
    rest(out, &usage)
}

/// The lines that both reports have. What this kernel has no pages of is 0.
fn rest(out: &mut impl Write, usage: &Usage) -> Written {
    let [shared_clean, shared_dirty] = usage.shared;
    let [private_clean, private_dirty] = usage.private;
    for (label, bytes) in [
        ("Shared_Clean", shared_clean),
        ("Shared_Dirty", shared_dirty),
        ("Private_Clean", private_clean),
        ("Private_Dirty", private_dirty),
        ("Referenced", usage.referenced),
        ("Anonymous", usage.anonymous),
        ("KSM", 0),
        ("LazyFree", usage.lazy),
        ("AnonHugePages", 0),
        ("ShmemPmdMapped", 0),
        ("FilePmdMapped", 0),
        ("Shared_Hugetlb", 0),
        ("Private_Hugetlb", 0),
        ("Swap", usage.swapped),
        ("SwapPss", usage.swapped),
    ] {
        kib(out, label, bytes / 1024)?;
    }
    kib(out, "Locked", usage.share_locked.kib())
}

/// A line with a size: the label takes 15 columns and its colon, the number the next eight.
fn kib(out: &mut impl Write, label: &str, kib: u64) -> Written {
    let blanks = 15usize.saturating_sub(label.len());
    writeln!(out, "{label}:{:blanks$}{kib:8} kB", "")
}

/// The area's flags by Linux's two letters, in the order of Linux's bits.
fn flags(out: &mut impl Write, vma: &Vma) -> Written {
    let is_shared = vma.flags.contains(VmFlags::SHARED);
    let never_written = vma.flags.contains(VmFlags::NEVER_WRITE);
    let has = |flag: VmFlags| vma.flags.contains(flag);
    out.write_str("VmFlags: ")?;
    for (letters, is_set) in [
        ("rd", has(VmFlags::READ)),
        ("wr", has(VmFlags::WRITE)),
        ("ex", has(VmFlags::EXEC)),
        ("sh", is_shared && !never_written),
        ("mr", true),
        ("mw", !never_written),
        ("me", !has(VmFlags::RAW)),
        ("ms", is_shared),
        ("gd", has(VmFlags::GROWS_DOWN)),
        ("pf", has(VmFlags::RAW)),
        ("lo", has(VmFlags::LOCKED)),
        ("io", has(VmFlags::RAW)),
        ("sr", has(VmFlags::SEQUENTIAL)),
        ("rr", has(VmFlags::RANDOM)),
        ("dc", has(VmFlags::DONT_FORK)),
        ("de", has(VmFlags::SPECIAL)),
        ("lf", has(VmFlags::LOCK_ON_FAULT)),
        ("ac", has(VmFlags::ACCOUNTED)),
        ("nr", has(VmFlags::NO_RESERVE)),
        ("wf", has(VmFlags::WIPE_ON_FORK)),
        ("dd", has(VmFlags::DONT_DUMP)),
        ("hg", has(VmFlags::HUGE)),
        ("nh", has(VmFlags::NO_HUGE)),
        ("mg", has(VmFlags::MERGEABLE)),
    ] {
        if is_set {
            write!(out, "{letters} ")?;
        }
    }
    out.write_char('\n')
}
