//! What a machine check left in its registers, in words (Intel SDM 3B, chapter 16; AMD APM 2, chapter 9).
//!
//! Pure: numbers in, sentences out, and `arch/machine_check.rs` brings the numbers. Only what Intel and AMD say alike is
//! put into words; the rest stays a number that the makers' manuals explain.
use core::fmt;

/// The CPU's own word on the exception, `IA32_MCG_STATUS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Global(pub(crate) u64);

impl Global {
    /// The interrupted program could go on where it was.
    const RESTART_VALID: u64 = 1 << 0;
    /// The instruction at that address has to do with the error.
    const ADDRESS_VALID: u64 = 1 << 1;
}

impl fmt::Display for Global {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is = |bit| self.0 & bit != 0;
        let rip = match (is(Self::RESTART_VALID), is(Self::ADDRESS_VALID)) {
            (true, true) => "the RIP below is valid, and its instruction met the error",
            (true, false) => "the RIP below is valid, but the error is not its instruction's",
            (false, true) => "the RIP below met the error, but can't be gone on from",
            (false, false) => "the RIP below is not valid: the error has nothing to do with it",
        };
        write!(f, "status {:#x}: {rip}", self.0)
    }
}

/// A bank of error registers that holds something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bank {
    number: usize,
    status: u64,
    address: Option<u64>,
    detail: Option<u64>,
}

impl Bank {
    /// The registers hold an error.
    const VALID: u64 = 1 << 63;
    /// `MCi_MISC` has something to say.
    const HAS_DETAIL: u64 = 1 << 59;
    /// `MCi_ADDR` has.
    const HAS_ADDRESS: u64 = 1 << 58;

    /// What the bits of a status mean; where one is clear, the second word holds.
    const WORDS: [(u64, &str, &str); 4] = [
        (1 << 62, "errors before it are lost", ""),
        (1 << 61, "not corrected", "corrected"),
        (1 << 60, "", "not enabled"),
        (1 << 57, "the CPU's state is corrupt", ""),
    ];

    /// Bank `number` with this status; `read` brings its address and its detail, which exist only where the status says
    /// so. `None` where the bank is empty.
    pub(crate) fn read(number: usize, status: u64, read: impl Fn(Part) -> u64) -> Option<Self> {
        let part = |bit, part| (status & bit != 0).then(|| read(part));
        (status & Self::VALID != 0).then(|| Self {
            number,
            status,
            address: part(Self::HAS_ADDRESS, Part::Address),
            detail: part(Self::HAS_DETAIL, Part::Detail),
        })
    }
}

/// A register of a bank beside its status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// `MCi_ADDR`
    Address,
    /// `MCi_MISC`
    Detail,
}

impl fmt::Display for Bank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self.status;
        write!(f, "bank {}, status {status:#018x}: ", self.number)?;
        f.write_str(kind(status as u16))?;
        for (bit, set, clear) in Self::WORDS {
            let word = if status & bit != 0 { set } else { clear };
            if !word.is_empty() {
                write!(f, ", {word}")?;
            }
        }
        match self.address {
            Some(address) => write!(f, "; at address {address:#x}")?,
            None => f.write_str("; at no address that it knows")?,
        }
        match self.detail {
            Some(detail) => write!(f, "; detail {detail:#x}"),
            None => Ok(()),
        }
    }
}

/// What the low half-word of a status says: the codes that all makers share. The highest bit of a compound code names its
/// kind, those below it the details; bit 12 only says that such errors are filtered.
fn kind(code: u16) -> &'static str {
    const SIMPLE: [&str; 7] = [
        "no error",
        "an error without a class",
        "a parity error in the microcode's memory",
        "an error from outside of the processor",
        "processors that disagree",
        "an internal parity error",
        "a jump by the system's management mode to where it must not",
    ];
    let code = code & !(1 << 12);
    match code {
        0..=6 => SIMPLE[usize::from(code)],
        0x000c..=0x000f => "a cache hierarchy error",
        0x0010..=0x001f => "a TLB error",
        0x0080..=0x00ff => "a memory controller error",
        0x0100..=0x01ff => "a cache error",
        0x0400..=0x07ff => "an internal error, or a timer that ran out",
        0x0800..=0x0fff => "a bus or interconnect error",
        _ => "an error of the maker's own kind",
    }
}
