//! Little-endian numbers in bytes, as everything on the disk is laid out.
//!
//! A place outside of the bytes reads as zero and swallows what is written: no byte of an image may end the kernel. Who
//! calls knows the length, so it does not happen.

pub(crate) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    let place = bytes.get(at..).and_then(<[u8]>::first_chunk);
    u16::from_le_bytes(place.copied().unwrap_or_default())
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let place = bytes.get(at..).and_then(<[u8]>::first_chunk);
    u32::from_le_bytes(place.copied().unwrap_or_default())
}

pub(crate) fn put_u16(bytes: &mut [u8], at: usize, value: u16) {
    if let Some(place) = bytes.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
        *place = value.to_le_bytes();
    }
}

pub(crate) fn put_u32(bytes: &mut [u8], at: usize, value: u32) {
    if let Some(place) = bytes.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
        *place = value.to_le_bytes();
    }
}
