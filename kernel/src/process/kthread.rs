//! Threads of the kernel's own: they never enter ring 3, nobody knows their number, and nobody ends them.
use alloc::sync::Arc;

use abi::Errno;

use super::group::Membership;
use super::limits::Limits;
use super::signal::Signals;
use super::thread::Thread;
use super::{Name, Process, sched};
use crate::fs::files::Files;

/// The number of whoever has none: ring 0's own time is his.
const NOBODY: u32 = 0;

/// Starts a thread that runs `body`.
pub(crate) fn start(name: &[u8], body: fn() -> !) -> Result<(), Errno> {
    let process = Process::new(
        NOBODY,
        Name::from_bytes(name),
        None,
        Files::none(),
        Signals::of_init().map_err(|_| Errno::ENOMEM)?,
        Membership::of_init(),
        Limits::new(),
    );
    let process = Arc::try_new(process).map_err(|_| Errno::ENOMEM)?;
    let thread = Thread::of_kernel(process.clone(), body).map_err(|_| Errno::ENOMEM)?;
    *process.thread.lock() = Arc::downgrade(&thread);
    sched::start(thread);
    Ok(())
}
