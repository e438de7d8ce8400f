//! Vectors of buffers, as readv(2) and its kin get them: copied in as a whole before anything is looked at.
use alloc::vec::Vec;

use abi::Errno;

use super::user;
use crate::fs::buffers::Buffer;

/// Most bytes that one call transfers: Linux's MAX_RW_COUNT.
pub(super) const MAX_COUNT: u64 = 0x7fff_f000;

/// Most buffers in a vector.
const MAX_VECTOR: u64 = 1024;

/// Refuses a buffer that reaches out of the user half, as Linux does before it touches it.
pub(super) fn check_range(buffer: u64, length: u64) -> Result<(), Errno> {
    let end = buffer.checked_add(length).ok_or(Errno::EFAULT)?;
    if end <= mm::space::USER_END.address() {
        Ok(())
    } else {
        Err(Errno::EFAULT)
    }
}

/// A vector of buffers that may be anywhere.
pub(super) fn any(vector: u64, count: u64) -> Result<Vec<Buffer>, Errno> {
    if count > MAX_VECTOR {
        return Err(Errno::EINVAL);
    }
    let mut buffers = Vec::new();
    buffers
        .try_reserve_exact(count as usize)
        .map_err(|_| Errno::ENOMEM)?;
    for number in 0..count {
        let buffer: Buffer = user::read_words(vector.wrapping_add(16 * number))?;
        if (buffer[1] as i64) < 0 {
            return Err(Errno::EINVAL);
        }
        buffers.push(buffer);
    }
    Ok(buffers)
}

/// A vector of buffers in the user half, cut where the call would transfer too much.
pub(super) fn reachable(vector: u64, count: u64) -> Result<Vec<Buffer>, Errno> {
    let mut buffers = any(vector, count)?;
    let mut left = MAX_COUNT;
    let is_single = buffers.len() == 1;
    for [buffer, length] in &mut buffers {
        // As on Linux, where a single buffer is cut before it is looked at.
        let looked_at = if is_single {
            (*length).min(left)
        } else {
            *length
        };
        check_range(*buffer, looked_at)?;
        *length = (*length).min(left);
        left -= *length;
    }
    Ok(buffers)
}
