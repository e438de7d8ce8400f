//! What a process may use, see getrlimit(2). Those limits that are kept here alone bound what can't be had yet.
use abi::Errno;
use abi::general::{
    CAP_IPC_LOCK, RLIMIT_AS, RLIMIT_CORE, RLIMIT_CPU, RLIMIT_DATA, RLIMIT_FSIZE, RLIMIT_LOCKS,
    RLIMIT_MEMLOCK, RLIMIT_MSGQUEUE, RLIMIT_NICE, RLIMIT_NOFILE, RLIMIT_NPROC, RLIMIT_RSS,
    RLIMIT_RTPRIO, RLIMIT_RTTIME, RLIMIT_SIGPENDING, RLIMIT_STACK,
};

use super::capabilities::Rights;
use super::table;

/// How many resources have a limit.
const RESOURCES: usize = 16;

/// What `limits` of proc(5) calls the resources, in Linux's order, and what they are counted in.
pub(crate) const NAMES: [(u32, &str, &str); RESOURCES] = [
    (RLIMIT_CPU, "Max cpu time", "seconds"),
    (RLIMIT_FSIZE, "Max file size", "bytes"),
    (RLIMIT_DATA, "Max data size", "bytes"),
    (RLIMIT_STACK, "Max stack size", "bytes"),
    (RLIMIT_CORE, "Max core file size", "bytes"),
    (RLIMIT_RSS, "Max resident set", "bytes"),
    (RLIMIT_NPROC, "Max processes", "processes"),
    (RLIMIT_NOFILE, "Max open files", "files"),
    (RLIMIT_MEMLOCK, "Max locked memory", "bytes"),
    (RLIMIT_AS, "Max address space", "bytes"),
    (RLIMIT_LOCKS, "Max file locks", "locks"),
    (RLIMIT_SIGPENDING, "Max pending signals", "signals"),
    (RLIMIT_MSGQUEUE, "Max msgqueue size", "bytes"),
    (RLIMIT_NICE, "Max nice priority", ""),
    (RLIMIT_RTPRIO, "Max realtime priority", ""),
    (RLIMIT_RTTIME, "Max realtime timeout", "us"),
];

/// No limit.
const UNLIMITED: u64 = u64::MAX;

/// A limit that holds, and the highest to which it may be raised.
#[derive(Clone, Copy)]
pub(crate) struct Limit {
    pub(crate) soft: u64,
    pub(crate) hard: u64,
}

/// Whether a limit may be raised beyond its highest value: whoever sets it has CAP_SYS_RESOURCE.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Raise {
    Allowed,
    Refused,
}

/// A limit for each resource, by Linux's numbers.
#[derive(Clone, Copy)]
pub(crate) struct Limits([Limit; RESOURCES]);

impl Limits {
    /// What Linux gives its first process.
    pub(crate) fn new() -> Self {
        let mut limits = Self(
            [Limit {
                soft: UNLIMITED,
                hard: UNLIMITED,
            }; RESOURCES],
        );
        let processes = table::most() as u64 / 2;
        for (resource, soft, hard) in [
            (RLIMIT_STACK, 8 << 20, UNLIMITED),
            (RLIMIT_CORE, 0, UNLIMITED),
            (RLIMIT_NPROC, processes, processes),
            (RLIMIT_NOFILE, 1024, 4096),
            (RLIMIT_MEMLOCK, 8 << 20, 8 << 20),
            (RLIMIT_SIGPENDING, processes, processes),
            (RLIMIT_MSGQUEUE, 819_200, 819_200),
            (RLIMIT_NICE, 0, 0),
            (RLIMIT_RTPRIO, 0, 0),
        ] {
            limits.0[resource as usize] = Limit { soft, hard };
        }
        limits
    }

    /// The limit for `resource`, if there is such a resource.
    pub(crate) fn get(&self, resource: u32) -> Option<Limit> {
        self.0.get(resource as usize).copied()
    }

    /// Sets the limit for `resource`, and returns what it was.
    pub(super) fn set(
        &mut self,
        resource: u32,
        limit: Limit,
        raise: Raise,
    ) -> Result<Limit, Errno> {
        let place = self.0.get_mut(resource as usize).ok_or(Errno::EINVAL)?;
        if raise == Raise::Refused && limit.hard > place.hard {
            return Err(Errno::EPERM);
        }
        Ok(core::mem::replace(place, limit))
    }

    /// Those that the address space of a process with `rights` enforces.
    pub(super) fn memory(&self, rights: &Rights) -> mm::space::Limits {
        let soft = |resource: u32| self.0[resource as usize].soft;
        let data = self.0[RLIMIT_DATA as usize];
        mm::space::Limits {
            address_space: soft(RLIMIT_AS),
            data: data.soft,
            data_hard: data.hard,
            stack: soft(RLIMIT_STACK),
            locked: if rights.effective.has(CAP_IPC_LOCK) {
                UNLIMITED
            } else {
                soft(RLIMIT_MEMLOCK)
            },
        }
    }

    /// How long a file may become, in bytes.
    pub(crate) fn file_size(&self) -> u64 {
        self.0[RLIMIT_FSIZE as usize].soft
    }

    /// How many descriptors there may be.
    pub(crate) fn files(&self) -> usize {
        self.0[RLIMIT_NOFILE as usize].soft as usize
    }
}
