//! `status`: a process, a line for each thing that is known of it.
use core::fmt::{Result as Written, Write};
use core::sync::atomic::Ordering::Relaxed;

use super::process::Sizes;
use super::text::Text;
use crate::arch::percpu;
use crate::process::limits::Limits;
use crate::process::signal;
use crate::process::{Process, current, table};
use abi::general::RLIMIT_SIGPENDING;

pub(super) fn write(process: &Process, out: &mut Text) -> Written {
    identity(process, out)?;
    if let Some(space) = process.space() {
        sizes(&Sizes::of(&space), out)?;
    }
    out.write_str("CoreDumping:\t0\nTHP_enabled:\t0\nuntag_mask:\t0xffffffffffffffff\n")?;
    out.write_str("Threads:\t1\n")?;
    signals(process, &process.limits(), out)?;
    capabilities(process, out)?;
    let no_new = u8::from(process.attributes.no_new_privileges.load(Relaxed));
    write!(
        out,
        "NoNewPrivs:\t{no_new}\nSeccomp:\t0\nSeccomp_filters:\t0\n"
    )?;
    // Linux's words where nothing keeps a processor from guessing.
    out.write_str("Speculation_Store_Bypass:\tvulnerable\n")?;
    out.write_str("SpeculationIndirectBranch:\talways enabled\n")?;
    out.write_str("Cpus_allowed:\t1\nCpus_allowed_list:\t0\n")?;
    out.write_str("Mems_allowed:\t1\nMems_allowed_list:\t0\n")?;
    let [waits, preemptions] = process.usage.own.switches();
    writeln!(out, "voluntary_ctxt_switches:\t{waits}")?;
    writeln!(out, "nonvoluntary_ctxt_switches:\t{preemptions}")
}

fn capabilities(process: &Process, out: &mut Text) -> Written {
    let rights = process.attributes.rights();
    for (label, set) in [
        ("CapInh", rights.inheritable),
        ("CapPrm", rights.permitted),
        ("CapEff", rights.effective),
        ("CapBnd", rights.bounding),
        ("CapAmb", rights.ambient),
    ] {
        writeln!(out, "{label}:\t{:016x}", set.bits())?;
    }
    Ok(())
}

fn identity(process: &Process, out: &mut Text) -> Written {
    let pid = process.pid;
    let (letter, word) = state(process);
    let parent = table::parent_of(pid).unwrap_or(0);
    let mask = process.working.mask();
    write!(out, "Name:\t{}\nUmask:\t{mask:04o}\n", process.name())?;
    write!(out, "State:\t{letter} ({word})\nTgid:\t{pid}\nNgid:\t0\n")?;
    write!(out, "Pid:\t{pid}\nPPid:\t{parent}\nTracerPid:\t0\n")?;
    out.write_str("Uid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\n")?;
    writeln!(out, "FDSize:\t{}", process.files.places())?;
    out.write_str("Groups:\t \n")?;
    let (group, session) = (process.membership.group(), process.membership.session());
    write!(out, "NStgid:\t{pid}\nNSpid:\t{pid}\n")?;
    write!(out, "NSpgid:\t{group}\nNSsid:\t{session}\nKthread:\t0\n")
}

/// Linux's letter for what the process does, and its word.
pub(super) fn state(process: &Process) -> (char, &'static str) {
    if process.is_gone() {
        ('Z', "zombie")
    } else if process.signals.is_stopped() {
        ('T', "stopped")
    } else if process.pid != current().pid && process.is_waiting() {
        ('S', "sleeping")
    } else {
        ('R', "running")
    }
}

fn sizes(sizes: &Sizes, out: &mut Text) -> Written {
    let totals = &sizes.totals;
    let [anonymous, file, shared] = sizes.resident;
    // The program's code, and that of all others, as far as each is mapped.
    let text = sizes.text.min(totals.code);
    for (label, pages) in [
        ("VmPeak", totals.peak),
        ("VmSize", totals.mapped),
        ("VmLck", totals.locked),
        ("VmPin", 0),
        ("VmHWM", sizes.peak),
        ("VmRSS", anonymous + file + shared),
        ("RssAnon", anonymous),
        ("RssFile", file),
        ("RssShmem", shared),
        ("VmData", totals.data),
        ("VmStk", totals.stack),
        ("VmExe", text),
        ("VmLib", totals.code - text),
        ("VmPTE", sizes.tables),
        ("VmSwap", 0),
        ("HugetlbPages", 0),
    ] {
        let kib = pages * (mm::PAGE_SIZE / 1024);
        writeln!(out, "{label}:\t{kib:8} kB")?;
    }
    Ok(())
}

fn signals(process: &Process, limits: &Limits, out: &mut Text) -> Written {
    let most = limits.get(RLIMIT_SIGPENDING).map_or(0, |limit| limit.soft);
    writeln!(out, "SigQ:\t{}/{most}", signal::queued())?;
    let labels = ["SigPnd", "ShdPnd", "SigBlk", "SigIgn", "SigCgt"];
    for (label, set) in labels.into_iter().zip(process.signals.sets()) {
        writeln!(out, "{label}:\t{:016x}", set.0)?;
    }
    Ok(())
}

/// The CPU that the reader runs on: the only one.
pub(super) fn cpu() -> usize {
    percpu::index()
}
