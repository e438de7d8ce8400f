//! Capabilities: what a process may do beyond others, see capabilities(7).
//!
//! There is one user, root. As on Linux its programs begin with all that the bounding set holds, whatever the process had
//! dropped before, unless it said by prctl(2) that root is nobody special or that no rights are to be gained.
use abi::Errno;
use abi::general::{CAP_LAST_CAP, CAP_SETPCAP};

/// Bits of `securebits`. Each has a lock one place above it.
const NOROOT: u32 = 1 << 0;
const KEEP_CAPS: u32 = 1 << 4;
const KEEP_CAPS_LOCKED: u32 = 1 << 5;
const NO_AMBIENT_RAISE: u32 = 1 << 6;
const EVERY_BIT: u32 = 0x555;
const EVERY_LOCK: u32 = EVERY_BIT << 1;
/// Those that programs only tell each other: they may be set without CAP_SETPCAP, and so may their locks.
const UNPRIVILEGED: u32 = 0xf00;

/// Some capabilities, a bit for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Capabilities(u64);

impl Capabilities {
    pub(crate) const NONE: Self = Self(0);
    pub(crate) const ALL: Self = Self((1 << (CAP_LAST_CAP + 1)) - 1);

    /// Those of `bits` that exist.
    pub(crate) fn from_bits(bits: u64) -> Self {
        Self(bits & Self::ALL.0)
    }

    pub(crate) fn bits(self) -> u64 {
        self.0
    }

    /// One, if it exists.
    pub(crate) fn one(number: u64) -> Option<Self> {
        (number <= CAP_LAST_CAP.into()).then(|| Self(1 << number))
    }

    pub(crate) fn has(self, capability: u32) -> bool {
        self.0 >> capability & 1 != 0
    }

    pub(crate) fn is_within(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

/// A process's sets.
#[derive(Clone, Copy)]
pub(crate) struct Rights {
    /// What counts.
    pub(crate) effective: Capabilities,
    /// What may be made effective.
    pub(crate) permitted: Capabilities,
    /// What `execve` would keep in the ambient set.
    pub(crate) inheritable: Capabilities,
    /// What `execve` gives at most.
    pub(crate) bounding: Capabilities,
    /// What programs that are not special begin with.
    pub(crate) ambient: Capabilities,
    /// How special root is: `securebits` of prctl(2).
    securebits: u32,
}

/// Whether `execve` may give a process what it has not: see `PR_SET_NO_NEW_PRIVS` of prctl(2).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Gain {
    Allowed,
    Refused,
}

/// How a process looks into another one's memory, which says what of its own rights counts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Looking {
    /// By a system call: all that it might do.
    Call,
    /// Through its `mem` file, which may be written to: what it may do just now.
    Memory,
    /// By reading other files of `/proc`, which those may too who measure the whole system.
    Text,
}

impl Rights {
    /// What Linux gives its first process.
    pub(super) fn of_init() -> Self {
        Self {
            effective: Capabilities::ALL,
            permitted: Capabilities::ALL,
            inheritable: Capabilities::NONE,
            bounding: Capabilities::ALL,
            ambient: Capabilities::NONE,
            securebits: 0,
        }
    }

    /// What the next program has of root's rights.
    pub(super) fn after_exec(&self, gain: Gain) -> Self {
        let is_special = self.securebits & NOROOT == 0;
        let mut permitted = self.ambient;
        if is_special {
            permitted = permitted.or(self.bounding).or(self.inheritable);
        }
        if gain == Gain::Refused {
            permitted = permitted.and(self.permitted);
        }
        Self {
            effective: if is_special { permitted } else { self.ambient },
            permitted,
            securebits: self.securebits & !KEEP_CAPS,
            ..*self
        }
    }

    /// capset(2).
    pub(crate) fn set(
        &mut self,
        effective: Capabilities,
        permitted: Capabilities,
        inheritable: Capabilities,
    ) -> Result<(), Errno> {
        let may_inherit = if self.effective.has(CAP_SETPCAP) {
            Capabilities::ALL
        } else {
            self.permitted
        };
        let inherited = self.inheritable;
        let is_allowed = inheritable.is_within(inherited.or(may_inherit))
            && inheritable.is_within(inherited.or(self.bounding))
            && permitted.is_within(self.permitted)
            && effective.is_within(permitted);
        if !is_allowed {
            return Err(Errno::EPERM);
        }
        (self.effective, self.permitted) = (effective, permitted);
        self.inheritable = inheritable;
        self.ambient = self.ambient.and(permitted).and(inheritable);
        Ok(())
    }

    /// `PR_CAPBSET_DROP`.
    pub(crate) fn drop_from_bounds(&mut self, number: u64) -> Result<(), Errno> {
        if !self.effective.has(CAP_SETPCAP) {
            return Err(Errno::EPERM);
        }
        let one = Capabilities::one(number).ok_or(Errno::EINVAL)?;
        self.bounding = self.bounding.without(one);
        Ok(())
    }

    /// `PR_CAP_AMBIENT_RAISE`.
    pub(crate) fn raise_ambient(&mut self, one: Capabilities) -> Result<(), Errno> {
        let may_be_raised = one.is_within(self.permitted.and(self.inheritable));
        if !may_be_raised || self.securebits & NO_AMBIENT_RAISE != 0 {
            return Err(Errno::EPERM);
        }
        self.ambient = self.ambient.or(one);
        Ok(())
    }

    /// `PR_CAP_AMBIENT_LOWER`, and of all `PR_CAP_AMBIENT_CLEAR_ALL`.
    pub(crate) fn lower_ambient(&mut self, some: Capabilities) {
        self.ambient = self.ambient.without(some);
    }

    pub(crate) fn securebits(&self) -> u32 {
        self.securebits
    }

    /// `PR_SET_SECUREBITS`.
    pub(crate) fn set_securebits(&mut self, wanted: u64) -> Result<(), Errno> {
        let known = u32::try_from(wanted).ok();
        let known = known.filter(|bits| bits & !(EVERY_BIT | EVERY_LOCK) == 0);
        let wanted = known.ok_or(Errno::EPERM)?;
        let changed = self.securebits ^ wanted;
        let locks = self.securebits & EVERY_LOCK;
        let is_locked = (locks >> 1) & changed != 0 || locks & !wanted != 0;
        let is_free = changed != 0 && changed & !UNPRIVILEGED == 0;
        if is_locked || !is_free && !self.effective.has(CAP_SETPCAP) {
            return Err(Errno::EPERM);
        }
        self.securebits = wanted;
        Ok(())
    }

    /// `PR_GET_KEEPCAPS`.
    pub(crate) fn keeps_capabilities(&self) -> bool {
        self.securebits & KEEP_CAPS != 0
    }

    /// `PR_SET_KEEPCAPS`, which means nothing where nobody can become another user.
    pub(crate) fn keep_capabilities(&mut self, value: u64) -> Result<(), Errno> {
        let bit = match value {
            0 => 0,
            1 => KEEP_CAPS,
            _ => return Err(Errno::EINVAL),
        };
        if self.securebits & KEEP_CAPS_LOCKED != 0 {
            return Err(Errno::EPERM);
        }
        self.securebits = self.securebits & !KEEP_CAPS | bit;
        Ok(())
    }
}
