//! `/proc/PID`: what is known of a process, a file each.
use core::fmt::{Result as Written, Write};

use abi::Errno;
use abi::general::CAP_SYS_RESOURCE;

use super::text::Text;
use super::{Content, Entry, entry, memory, mounts, stat, status};
use crate::arch::memory::memory as world;
use crate::process::limits::NAMES;
use crate::process::{Process, Space, current, oom};

/// All of them.
pub(super) const ENTRIES: &[Entry] = &[
    entry("cmdline", Content::Strings(|facts| facts.arguments.clone())),
    entry("comm", Content::Process(comm)),
    entry(
        "environ",
        Content::Strings(|facts| facts.environment.clone()),
    ),
    entry("cwd", Content::WorkingDirectory),
    entry("exe", Content::Program),
    entry("limits", Content::Process(limits)),
    entry("maps", Content::Areas(memory::maps)),
    entry("mem", Content::Bytes),
    entry("mountinfo", Content::Machine(mounts::mountinfo)),
    entry("mounts", Content::Machine(mounts::mounts)),
    entry("oom_score", Content::Process(oom_score)),
    entry("oom_score_adj", Content::Adjustment),
    entry("pagemap", Content::Pagemap),
    entry("root", Content::Root),
    entry("smaps", Content::Areas(memory::smaps)),
    entry("smaps_rollup", Content::Memory(memory::smaps_rollup)),
    entry("stat", Content::Process(stat::write)),
    entry("statm", Content::Process(statm)),
    entry("status", Content::Process(status::write)),
];

fn comm(process: &Process, out: &mut Text) -> Written {
    writeln!(out, "{}", process.name())
}

/// `statm`: sizes in pages.
fn statm(process: &Process, out: &mut Text) -> Written {
    let sizes = process.space().map(|space| Sizes::of(&space));
    let sizes = sizes.unwrap_or_default();
    let totals = sizes.totals;
    writeln!(
        out,
        "{} {} {} {} 0 {} 0",
        totals.mapped,
        sizes.resident.iter().sum::<u64>(),
        sizes.resident[1] + sizes.resident[2],
        sizes.text,
        totals.data + totals.stack,
    )
}

/// What a process's memory comes to, in pages.
#[derive(Default)]
pub(super) struct Sizes {
    pub(super) totals: mm::report::Totals,
    /// Private memory, files, and files that live in memory alone.
    pub(super) resident: [u64; 3],
    /// The most that was ever resident.
    pub(super) peak: u64,
    /// Page tables.
    pub(super) tables: u64,
    /// Code of the program itself.
    pub(super) text: u64,
}

impl Sizes {
    pub(super) fn of(space: &Space) -> Self {
        let code = space.facts().map(|facts| facts.code.clone());
        let code = code.unwrap_or_default();
        let shared = space.read();
        let resident = shared.resident_by_kind(world());
        Self {
            totals: shared.totals(),
            resident,
            peak: space.note_resident(resident.iter().sum()),
            tables: shared.table().tables(),
            text: code.end.div_ceil(mm::PAGE_SIZE) - code.start / mm::PAGE_SIZE,
        }
    }
}

/// How ready the process is to be killed when memory is out: in thousandths, 667 for one that holds nothing, as on Linux.
fn oom_score(process: &Process, out: &mut Text) -> Written {
    let total = world().managed_frames() as u64;
    let candidate = process.space().map(|space| oom::measure(process, &space));
    let badness = candidate.map_or(Some(0), |candidate| candidate.badness(total));
    let points = badness.map_or(0, |badness| {
        ((1000 + badness * 1000 / total.max(1) as i64) * 2 / 3).max(0)
    });
    writeln!(out, "{points}")
}

pub(super) fn write_adjustment(process: &Process, out: &mut Text) -> Written {
    writeln!(out, "{}", process.oom_adjustment())
}

/// Takes a number as it comes from a shell, with blanks around it. Lower than somebody with CAP_SYS_RESOURCE set it last
/// only such a one may.
pub(super) fn set_adjustment(process: &Process, bytes: &[u8]) -> Result<(), Errno> {
    let text = core::str::from_utf8(bytes).map_err(|_| Errno::EINVAL)?;
    let number = text.trim().parse::<i16>().map_err(|_| Errno::EINVAL)?;
    if !(-1000..=1000).contains(&number) {
        return Err(Errno::EINVAL);
    }
    let floor = process.oom_floor();
    if current().may(CAP_SYS_RESOURCE) {
        process.set_oom_adjustment(number, number);
    } else if number >= floor {
        process.set_oom_adjustment(number, floor);
    } else {
        return Err(Errno::EACCES);
    }
    Ok(())
}

fn limits(process: &Process, out: &mut Text) -> Written {
    let limits = process.limits();
    writeln!(
        out,
        "{:<25} {:<20} {:<20} {:<10}",
        "Limit", "Soft Limit", "Hard Limit", "Units"
    )?;
    for (resource, name, unit) in NAMES {
        let Some(limit) = limits.get(resource) else {
            continue;
        };
        write!(out, "{name:<25} ")?;
        bound(out, limit.soft)?;
        bound(out, limit.hard)?;
        writeln!(out, "{unit:<10}")?;
    }
    Ok(())
}

fn bound(out: &mut Text, limit: u64) -> Written {
    if limit == u64::MAX {
        write!(out, "{:<20} ", "unlimited")
    } else {
        write!(out, "{limit:<20} ")
    }
}
