//! Limits of memory, set a little above what the process has: how much that is differs by the loader.

use programs::proc;
use rt::abi::general::{RLIMIT_AS, RLIMIT_DATA, RLIMIT_MEMLOCK, RLIMIT_STACK};
use rt::memory::PAGE;
use rt::system;

use crate::machine::Machine;

/// No limit.
const NONE: usize = usize::MAX;

/// As much stack as programs usually have.
const STACK: usize = 8 << 20;

/// Stands for no limit in a program.
const LIFTED: usize = 0xffff;

/// Room for `/proc/self/status`.
const ROOM: usize = 4 << 10;

impl Machine {
    /// Sets the limit of a resource to `pages` above what is there; to `pages` where that has no size.
    pub(crate) fn limit(&mut self, resource: usize, pages: usize) {
        let resource = resource as u32;
        let present = match resource {
            RLIMIT_AS => present("VmSize"),
            RLIMIT_DATA => present("VmData"),
            _ => 0,
        };
        let (_, highest) = system::limit(resource).expect("getrlimit");
        let limit = match (pages, resource) {
            (LIFTED, RLIMIT_STACK) => STACK.min(highest),
            // A lower one would bind only those who may not lock all memory anyway.
            (LIFTED, _) | (_, RLIMIT_MEMLOCK) => highest,
            _ => present + pages * PAGE,
        };
        self.say(system::set_limit(resource, limit, highest).map(|()| 0));
    }
}

/// The limits that every program begins with.
pub(crate) fn lift() {
    for (resource, limit) in [
        (RLIMIT_AS, NONE),
        (RLIMIT_DATA, NONE),
        (RLIMIT_STACK, STACK),
    ] {
        let (_, highest) = system::limit(resource).expect("getrlimit");
        system::set_limit(resource, limit.min(highest), highest).expect("setrlimit");
    }
}

#[inline(never)]
fn present(name: &str) -> usize {
    let mut room = [0; ROOM];
    let kib = proc::number(proc::read(c"/proc/self/status", &mut room), name);
    kib as usize * 1024
}
