//! Whether this Linux lets programs lock all the memory that they like, as the kernel does: a limit shows in `mlock`, and in
//! how the interpreter looks at areas.

use std::fs;

/// What stands in the way, if anything does.
pub(crate) fn missing() -> Option<&'static str> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let may_lock = has_ipc_lock(&status) || is_unlimited(&limits);
    (!may_lock)
        .then_some("memory can't be locked here without limit: `ulimit -l unlimited`, or root")
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
