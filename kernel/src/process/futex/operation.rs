//! What FUTEX_WAKE_OP does to a word, and what it asks of the old value: four numbers in one, see futex(2).
use abi::Errno;
use abi::general::{
    FUTEX_OP_ADD, FUTEX_OP_ANDN, FUTEX_OP_CMP_EQ, FUTEX_OP_CMP_GE, FUTEX_OP_CMP_GT,
    FUTEX_OP_CMP_LE, FUTEX_OP_CMP_LT, FUTEX_OP_CMP_NE, FUTEX_OP_OPARG_SHIFT, FUTEX_OP_OR,
    FUTEX_OP_SET, FUTEX_OP_XOR,
};

/// An operation that was asked for; none may have that number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Operation {
    number: u32,
    operand: u32,
    comparison: u32,
    compared_with: i32,
}

impl Operation {
    /// As the call has it.
    pub(crate) fn decode(encoded: u32) -> Self {
        let kind = encoded >> 28;
        let operand = sign_extended(encoded >> 12);
        let operand = if kind & FUTEX_OP_OPARG_SHIFT == 0 {
            operand as u32
        } else {
            // Linux takes what is out of range as it comes, and complains in its log.
            1 << (operand & 31)
        };
        Self {
            number: kind & !FUTEX_OP_OPARG_SHIFT,
            operand,
            comparison: encoded >> 24 & 0xf,
            compared_with: sign_extended(encoded),
        }
    }

    /// The new value of a word.
    pub(super) fn apply(self, old: u32) -> Result<u32, Errno> {
        Ok(match self.number {
            FUTEX_OP_SET => self.operand,
            FUTEX_OP_ADD => old.wrapping_add(self.operand),
            FUTEX_OP_OR => old | self.operand,
            FUTEX_OP_ANDN => old & !self.operand,
            FUTEX_OP_XOR => old ^ self.operand,
            _ => return Err(Errno::ENOSYS),
        })
    }

    /// Whether the old value says that there is somebody else to wake.
    pub(super) fn holds(self, old: u32) -> Result<bool, Errno> {
        let (old, other) = (old as i32, self.compared_with);
        Ok(match self.comparison {
            FUTEX_OP_CMP_EQ => old == other,
            FUTEX_OP_CMP_NE => old != other,
            FUTEX_OP_CMP_LT => old < other,
            FUTEX_OP_CMP_LE => old <= other,
            FUTEX_OP_CMP_GT => old > other,
            FUTEX_OP_CMP_GE => old >= other,
            _ => return Err(Errno::ENOSYS),
        })
    }
}

/// The number in the lowest 12 bits.
fn sign_extended(bits: u32) -> i32 {
    (bits << 20) as i32 >> 20
}
