//! Whether this Linux lets programs lock all the memory that they like, as the kernel does: a limit shows in `mlock`, and
//! in how the interpreter looks at areas. And whether it has files in memory where they are expected: other file systems
//! give other answers.

use std::fs;

/// Where Linux has a file system in memory that anybody may use.
pub(crate) const MEMORY_FOLDER: &str = "/dev/shm";

/// What stands in the way, if anything does.
pub(crate) fn missing() -> Option<&'static str> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let may_lock = has_ipc_lock(&status) || is_unlimited(&limits);
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    if !may_lock {
        Some("memory can't be locked here without limit: `ulimit -l unlimited`, or root")
    } else if !has_memory_folder(&mounts) {
        Some("there is no tmpfs at /dev/shm")
    } else {
        None
    }
}

fn has_memory_folder(mounts: &str) -> bool {
    mounts.lines().any(|mount| {
        let mut words = mount.split(' ').skip(1);
        words.next() == Some(MEMORY_FOLDER) && words.next() == Some("tmpfs")
    })
}

fn has_ipc_lock(status: &str) -> bool {
    const CAP_IPC_LOCK: u32 = 14;
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let effective = effective.and_then(|digits| u64::from_str_radix(digits.trim(), 16).ok());
    effective.is_some_and(|rights| rights >> CAP_IPC_LOCK & 1 != 0)
}

fn is_unlimited(limits: &str) -> bool {
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max locked memory"));
    line.and_then(|values| values.split_whitespace().next()) == Some("unlimited")
}
