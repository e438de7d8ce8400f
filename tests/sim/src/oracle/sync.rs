//! msync(2). No store needs a write-back to be seen by others, so what is left of the call is its refusals.
use super::{Oracle, Refusal};
use crate::op::Span;

/// MS_ASYNC, MS_INVALIDATE and MS_SYNC.
const ASYNC: u32 = 1;
const INVALIDATE: u32 = 2;
const SYNC: u32 = 4;

impl Oracle {
    pub(super) fn sync(&self, span: Span, bits: u32) -> Result<u64, Refusal> {
        let Span { address, length } = span;
        if !address.is_multiple_of(4096) || bits & (ASYNC | SYNC) == ASYNC | SYNC {
            return Err(Refusal::EINVAL);
        }
        // As on Linux a length that can't be rounded up is none.
        let length = length.wrapping_add(4095) / 4096 * 4096;
        let end = address.checked_add(length).ok_or(Refusal::ENOMEM)? / 4096;
        let start = address / 4096;
        let has_locked = self.parts(start, end).any(|part| part.lock.is_some());
        match () {
            () if start == end => Ok(0),
            () if bits & INVALIDATE != 0 && has_locked => Err(Refusal::EBUSY),
            () if self.pages_in(start, end) < end - start => Err(Refusal::ENOMEM),
            () => Ok(0),
        }
    }
}
