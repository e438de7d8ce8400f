//! `/proc` and `/sys` as far as they are about the machine, a file each.
use core::fmt::{Result as Written, Write};

use abi::Errno;
use mm::commit::Overcommit;
use mm::frame::Use;

use super::numbers::Numbers;
use super::stat::CLOCK_TICK;
use super::text::Text;
use super::{Content, Entry, cpuinfo, disks, entry, mounts, vmstat};
use crate::arch::memory::{direct_map_pages, memory};
use crate::arch::timer;
use crate::process::{load, table};
use crate::{options, syscall};

/// What stands in `/proc` beside the processes.
pub(super) const PROC: &[Entry] = &[
    entry("cpuinfo", Content::Machine(cpuinfo::write)),
    entry("diskstats", Content::Machine(disks::statistics)),
    entry("filesystems", Content::Machine(mounts::filesystems)),
    entry("loadavg", Content::Machine(loadavg)),
    entry("meminfo", Content::Machine(meminfo)),
    entry("mounts", Content::Machine(mounts::mounts)),
    entry("partitions", Content::Machine(disks::list)),
    entry("stat", Content::Machine(stat)),
    entry("sys/kernel/hostname", Content::Machine(|out| field(out, 1))),
    entry(
        "sys/kernel/osrelease",
        Content::Machine(|out| field(out, 2)),
    ),
    entry("sys/kernel/ostype", Content::Machine(|out| field(out, 0))),
    entry(
        "sys/kernel/pid_max",
        Content::Machine(|out| writeln!(out, "{}", table::PID_MAX)),
    ),
    entry("sys/kernel/randomize_va_space", Content::Machine(randomize)),
    entry(
        "sys/vm/max_map_count",
        Content::Machine(|out| writeln!(out, "{}", mm::space::MAX_AREAS)),
    ),
    entry(
        "sys/vm/mmap_min_addr",
        Content::Machine(|out| writeln!(out, "{}", mm::space::USER_START.address())),
    ),
    entry(
        "sys/vm/overcommit_memory",
        Content::Setting(|| memory().overcommit() as u32, set_overcommit),
    ),
    entry(
        "sys/vm/overcommit_ratio",
        Content::Setting(|| memory().overcommit_ratio(), set_overcommit_ratio),
    ),
    entry("uptime", Content::Machine(uptime)),
    entry("version", Content::Machine(version)),
    entry("vmstat", Content::Machine(vmstat::write)),
];

/// What stands in `/sys`.
pub(super) const SYS: &[Entry] = &[
    entry(
        "devices/system/cpu/online",
        Content::Machine(|out| out.write_str("0\n")),
    ),
    entry(
        "devices/system/cpu/possible",
        Content::Machine(|out| out.write_str("0\n")),
    ),
    entry(
        "devices/system/cpu/present",
        Content::Machine(|out| out.write_str("0\n")),
    ),
];

/// One of the words that `uname` answers.
fn field(out: &mut Text, number: usize) -> Written {
    writeln!(out, "{}", syscall::NAME[number])
}

fn version(out: &mut Text) -> Written {
    let [system, _, release, version, ..] = syscall::NAME;
    writeln!(out, "{system} version {release} (faultline@rust) {version}")
}

fn randomize(out: &mut Text) -> Written {
    let is_random = options::get().layout == options::Layout::Random;
    writeln!(out, "{}", if is_random { 2 } else { 0 })
}

fn set_overcommit(number: u32) -> Result<(), Errno> {
    let mode = Overcommit::from_number(number).ok_or(Errno::EINVAL)?;
    memory().set_overcommit(mode);
    Ok(())
}

fn set_overcommit_ratio(percent: u32) -> Result<(), Errno> {
    memory().set_overcommit_ratio(percent);
    Ok(())
}

/// Time since boot, and how much of it nobody used.
fn uptime(out: &mut Text) -> Written {
    let [_, _, idle] = load::times();
    let hundredths = |nanoseconds: u64| {
        let count = nanoseconds / 10_000_000;
        (count / 100, count % 100)
    };
    let ((up, up_rest), (idle, idle_rest)) = (hundredths(timer::nanoseconds()), hundredths(idle));
    writeln!(out, "{up}.{up_rest:02} {idle}.{idle_rest:02}")
}

/// Averages are not kept; how many there are, and the number given last.
fn loadavg(out: &mut Text) -> Written {
    let (_, last) = table::made();
    writeln!(out, "0.00 0.00 0.00 1/{} {last}", table::count())
}

fn stat(out: &mut Text) -> Written {
    let [user, system, idle] = load::times().map(|time| time / CLOCK_TICK);
    for cpu in ["cpu ", "cpu0"] {
        writeln!(out, "{cpu} {user} 0 {system} {idle} 0 0 0 0 0 0")?;
    }
    let boot = (timer::wall_nanoseconds() - timer::nanoseconds()) / 1_000_000_000;
    let (made, _) = table::made();
    writeln!(out, "ctxt {}\nbtime {boot}", load::switches())?;
    writeln!(out, "processes {made}\nprocs_running 1\nprocs_blocked 0")
}

/// Sizes in KiB. There is no swap, no huge page, and no list of what was used lately: pages count as active.
fn meminfo(out: &mut Text) -> Written {
    let memory = memory();
    let numbers = Numbers::take()?;
    let (used, active) = (|usage| numbers.used(usage), |usage| numbers.active(usage));
    let (file, shared) = (used(Use::File), used(Use::Shared));
    let active_anonymous = active(Use::Anonymous) + active(Use::Shared);
    let &Numbers {
        free, stacks, slab, ..
    } = &numbers;
    for (label, pages) in [
        ("MemTotal", memory.managed_frames() as u64),
        ("MemFree", free),
        ("MemAvailable", free),
        ("Buffers", 0),
        ("Cached", file + shared),
        ("SwapCached", 0),
        ("Active", active_anonymous + active(Use::File)),
        ("Inactive", 0),
        ("Active(anon)", active_anonymous),
        ("Inactive(anon)", 0),
        ("Active(file)", active(Use::File)),
        ("Inactive(file)", 0),
        ("Unevictable", numbers.locked.pages()),
        ("Mlocked", numbers.locked.pages()),
        ("SwapTotal", 0),
        ("SwapFree", 0),
        ("Dirty", memory.dirty_pages()),
        ("Writeback", memory.pages_being_written()),
        ("AnonPages", used(Use::Anonymous)),
        ("Mapped", numbers.census.mapped() as u64),
        ("Shmem", shared),
        ("KReclaimable", 0),
        ("Slab", slab),
        ("SReclaimable", 0),
        ("SUnreclaim", slab),
        ("KernelStack", stacks),
        ("PageTables", used(Use::Table)),
        ("SecPageTables", 0),
        ("NFS_Unstable", 0),
        ("Bounce", 0),
        ("WritebackTmp", 0),
        ("CommitLimit", memory.commit_limit()),
        ("Committed_AS", memory.committed_pages()),
    ] {
        kib(out, label, pages * (mm::PAGE_SIZE / 1024))?;
    }
    kib(out, "VmallocTotal", 34_359_738_367)?;
    kib(out, "VmallocUsed", stacks * (mm::PAGE_SIZE / 1024))?;
    for label in ["VmallocChunk", "Percpu", "Balloon"] {
        kib(out, label, 0)?;
    }
    out.write_str("HugePages_Total:       0\nHugePages_Free:        0\n")?;
    out.write_str("HugePages_Rsvd:        0\nHugePages_Surp:        0\n")?;
    kib(out, "Hugepagesize", 2048)?;
    kib(out, "Hugetlb", 0)?;
    direct_map(out)
}

/// What the kernel's own view of memory is made of.
fn direct_map(out: &mut Text) -> Written {
    let (small, large, huge) = direct_map_pages();
    kib(out, "DirectMap4k", small << 2)?;
    kib(out, "DirectMap2M", large << 11)?;
    huge.map_or(Ok(()), |huge| kib(out, "DirectMap1G", huge << 20))
}

/// A line of `meminfo`.
fn kib(out: &mut Text, label: &str, kib: u64) -> Written {
    let blanks = 15usize.saturating_sub(label.len());
    writeln!(out, "{label}:{:blanks$}{kib:8} kB", "")
}
