//! Capabilities of the running process: read and set, a number for each set.

use rt::abi::Sysno;
use rt::syscall::raw;
use rt::{Errno, abi};

/// The version of the structures that has room for all capabilities.
pub const VERSION: u32 = abi::general::_LINUX_CAPABILITY_VERSION_3;

/// Three of a process's sets, a bit for each capability.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rights {
    /// What counts.
    pub effective: u64,
    /// What may be made effective.
    pub permitted: u64,
    /// What a program may inherit.
    pub inheritable: u64,
}

impl Rights {
    /// This process's.
    ///
    /// # Panics
    /// If the kernel does not tell.
    pub fn own() -> Self {
        let header = [VERSION, 0];
        let mut words = [0u32; 6];
        let places = [header.as_ptr() as usize, words.as_mut_ptr() as usize];
        raw(Sysno::capget as usize, arguments(places)).expect("capget");
        let set = |first: usize| u64::from(words[first + 3]) << 32 | u64::from(words[first]);
        Self {
            effective: set(0),
            permitted: set(1),
            inheritable: set(2),
        }
    }

    /// Makes these this process's.
    pub fn set(self) -> Result<(), Errno> {
        self.set_by([VERSION, 0])
    }

    /// The same, by a header of the caller's.
    pub fn set_by(self, header: [u32; 2]) -> Result<(), Errno> {
        let sets = [self.effective, self.permitted, self.inheritable];
        let [a, b, c] = sets.map(|set| set as u32);
        let [d, e, f] = sets.map(|set| (set >> 32) as u32);
        let words = [a, b, c, d, e, f];
        let places = [header.as_ptr() as usize, words.as_ptr() as usize];
        raw(Sysno::capset as usize, arguments(places)).map(drop)
    }

    /// Without one that counts.
    pub fn without(self, capability: u32) -> Self {
        Self {
            effective: self.effective & !(1 << capability),
            ..self
        }
    }

    /// Without one at all.
    pub fn never(self, capability: u32) -> Self {
        Self {
            permitted: self.permitted & !(1 << capability),
            ..self.without(capability)
        }
    }
}

fn arguments([header, data]: [usize; 2]) -> [usize; 6] {
    [header, data, 0, 0, 0, 0]
}
