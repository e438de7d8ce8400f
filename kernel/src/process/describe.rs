//! Who runs, for the report of a bug in the kernel: it waits for no lock, as its holder may be what went wrong.
use mm::Vma;
use mm::vma::{Backing, VmFlags};

use super::Process;
use crate::arch::percpu;

/// Logs the running process, and the area around `address` where that is one of ring 3's.
pub(crate) fn describe(address: Option<u64>) {
    let user = address.filter(|&address| address < mm::space::USER_END.address());
    let described = percpu::try_with_current(|thread| {
        who(&thread.process);
        if let Some(address) = user {
            area(&thread.process, address);
        }
    });
    if described.is_none() {
        log::error!("no process runs yet");
    }
}

fn who(process: &Process) {
    match process.name.try_lock() {
        Some(name) => log::error!("process {}[{}]", *name, process.pid),
        None => log::error!("process {}, whose name is locked", process.pid),
    }
}

fn area(process: &Process, address: u64) {
    let space = process.space.try_lock().and_then(|space| space.clone());
    let Some(space) = space else {
        log::error!("area: the process has no memory, or it is locked");
        return;
    };
    let Some(shared) = space.try_read() else {
        log::error!("area: locked for a change");
        return;
    };
    match shared.find_vma(address) {
        Some(vma) if vma.start.address() <= address => log_area(vma),
        Some(vma) => log::error!("area: none; the next begins at {:#x}", vma.start.address()),
        None => log::error!("area: none, and none above"),
    }
}

fn log_area(vma: &Vma) {
    let right = |flag, letter| {
        if vma.flags.contains(flag) {
            letter
        } else {
            '-'
        }
    };
    let backing = match &vma.backing {
        Backing::Anonymous => "anonymous",
        Backing::ZeroDevice { .. } => "zeroes",
        Backing::File { .. } => "file",
    };
    log::error!(
        "area: {:#x}-{:#x} {}{}{}{} {backing}",
        vma.start.address(),
        vma.end.address(),
        right(VmFlags::READ, 'r'),
        right(VmFlags::WRITE, 'w'),
        right(VmFlags::EXEC, 'x'),
        if vma.flags.contains(VmFlags::SHARED) {
            's'
        } else {
            'p'
        },
    );
}
