//! `stat`: a process in one line of 52 numbers, in the order of proc(5). What doesn't exist here is 0.
use core::fmt::{Result as Written, Write};

use super::process::Sizes;
use super::status;
use super::text::Text;
use crate::options;
use crate::process::Process;
use crate::process::table;
use abi::general::RLIMIT_RSS;

/// Nanoseconds in a clock tick of ring 3's: `sysconf(_SC_CLK_TCK)` is 100.
pub(super) const CLOCK_TICK: u64 = 10_000_000;

pub(super) fn write(process: &Process, out: &mut Text) -> Written {
    let pid = process.pid;
    let (letter, _) = status::state(process);
    let parent = table::parent_of(pid).unwrap_or(0);
    let (group, session) = (process.membership.group(), process.membership.session());
    // No controlling terminal, whose group would be next; flags.
    write!(
        out,
        "{pid} ({}) {letter} {parent} {group} {session} 0 -1 {} ",
        process.name(),
        flags(process)
    )?;
    used(process, out)?;
    // Priority, nice, threads, time of the next alarm; when it began.
    let start = process.usage.start() / CLOCK_TICK;
    write!(out, "20 0 1 0 {start} ")?;
    places(process, out)?;
    let [_, pending, blocked, ignored, handled] = process.signals.sets().map(|set| set.0);
    let low = |set: u64| set & 0x7fff_ffff;
    write!(
        out,
        "{} {} {} {} ",
        low(pending),
        low(blocked),
        low(ignored),
        low(handled)
    )?;
    // Wait channel, pages swapped twice; the signal at the end, the CPU, priority and policy, delays, guests.
    write!(out, "0 0 0 17 {} 0 0 0 0 0 ", status::cpu())?;
    strings(process, out)
}

/// Those of Linux's PF_* that can be told here: who ends, and whose memory lies at random.
fn flags(process: &Process) -> u32 {
    const EXITING: u32 = 0x4;
    const RANDOM: u32 = 0x40_0000;
    let mut flags = 0;
    if process.is_gone() {
        flags |= EXITING;
    }
    if options::get().layout == options::Layout::Random {
        flags |= RANDOM;
    }
    flags
}

/// Faults and time: of the process, and of the children that it waited for.
fn used(process: &Process, out: &mut Text) -> Written {
    let (own, children) = (&process.usage.own, &process.usage.children);
    let ([minor, major], [child_minor, child_major]) = (own.faults(), children.faults());
    write!(out, "{minor} {child_minor} {major} {child_major} ")?;
    let ((user, system), (child_user, child_system)) = (own.times(), children.times());
    for time in [user, system, child_user, child_system] {
        write!(out, "{} ", time / CLOCK_TICK)?;
    }
    Ok(())
}

/// Size in bytes, pages in memory and their limit; code, first stack pointer; ESP and EIP, which only the dead show.
fn places(process: &Process, out: &mut Text) -> Written {
    let limit = process
        .limits()
        .get(RLIMIT_RSS)
        .map_or(0, |limit| limit.soft);
    let Some(space) = process.space() else {
        return write!(out, "0 0 {limit} 0 0 0 0 0 ");
    };
    let sizes = Sizes::of(&space);
    let code = space.facts().map(|facts| facts.code.clone());
    let code = code.unwrap_or_default();
    write!(
        out,
        "{} {} {limit} {} {} {} 0 0 ",
        sizes.totals.mapped * mm::PAGE_SIZE,
        sizes.resident.iter().sum::<u64>(),
        code.start,
        code.end,
        space.read().stack_start(),
    )
}

/// Data, heap, arguments, environment; the exit code, which only the parent learns.
fn strings(process: &Process, out: &mut Text) -> Written {
    let Some(space) = process.space() else {
        return out.write_str("0 0 0 0 0 0 0 0\n");
    };
    let heap = space.read().heap().start;
    let [data, arguments, environment] = space.facts().map_or([(); 3].map(|()| 0..0), |facts| {
        [&facts.data, &facts.arguments, &facts.environment].map(Clone::clone)
    });
    write!(out, "{} {} {heap} ", data.start, data.end)?;
    write!(out, "{} {} ", arguments.start, arguments.end)?;
    writeln!(out, "{} {} 0", environment.start, environment.end)
}
