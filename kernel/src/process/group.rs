//! Process groups and sessions: who gets a terminal's or a shell's signals together, see setpgid(2) and setsid(2).
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

use abi::Errno;

use super::table::{self, INIT};
use super::{Process, current};

/// What a process belongs to.
pub(crate) struct Membership {
    group: AtomicU32,
    session: AtomicU32,
    /// Has a program of its own since it was made: its parent may no longer move it.
    has_executed: AtomicBool,
}

impl Membership {
    fn new(group: u32, session: u32) -> Self {
        Self {
            group: AtomicU32::new(group),
            session: AtomicU32::new(session),
            has_executed: AtomicBool::new(false),
        }
    }

    /// Init leads a group and a session, to which everyone belongs who asks for nothing else.
    pub(super) fn of_init() -> Self {
        Self::new(INIT, INIT)
    }

    /// A child belongs where its parent does.
    pub(super) fn fork(&self) -> Self {
        Self::new(self.group(), self.session())
    }

    /// `execve` was called.
    pub(super) fn note_exec(&self) {
        self.has_executed.store(true, Relaxed);
    }

    /// The number of its group.
    pub(crate) fn group(&self) -> u32 {
        self.group.load(Relaxed)
    }

    /// The number of its session.
    pub(crate) fn session(&self) -> u32 {
        self.session.load(Relaxed)
    }
}

/// The numbers of all in a group.
pub(crate) fn members(group: u32) -> impl Iterator<Item = u32> {
    let is_member = move |process: &Process| process.membership.group() == group;
    table::numbers().filter(move |&pid| table::find(pid).is_some_and(|process| is_member(&process)))
}

/// Whether someone in `session` is in `group`.
fn exists(group: u32, session: u32) -> bool {
    members(group)
        .filter_map(table::find)
        .any(|process| process.membership.session() == session)
}

/// Puts process `pid`, the running one or a child of its, into `group`, which may be a new one of its own number.
pub(crate) fn join(pid: u32, group: u32) -> Result<(), Errno> {
    let me = current();
    let process = table::find(pid).ok_or(Errno::ESRCH)?;
    let session = me.membership.session();
    if pid != me.pid {
        if table::parent_of(pid) != Some(me.pid) {
            return Err(Errno::ESRCH);
        }
        if process.membership.session() != session {
            return Err(Errno::EPERM);
        }
        if process.membership.has_executed.load(Relaxed) {
            return Err(Errno::EACCES);
        }
    }
    let leads_session = process.membership.session() == pid;
    if leads_session || group != pid && !exists(group, session) {
        return Err(Errno::EPERM);
    }
    process.membership.group.store(group, Relaxed);
    Ok(())
}

/// Has the running process lead a new session, with a new group in it. Who leads a group already can't.
pub(crate) fn lead() -> Result<u32, Errno> {
    let me = current();
    if members(me.pid).next().is_some() {
        return Err(Errno::EPERM);
    }
    me.membership.session.store(me.pid, Relaxed);
    me.membership.group.store(me.pid, Relaxed);
    Ok(me.pid)
}
