//! Floating-point and vector registers in ring 3's memory, below a signal handler's frame: out as XSAVE stores them, and in
//! again whatever ring 3 has made of them.
//!
//! The processor faults over an image that breaks its rules. Here each rule is checked on a copy first, so that loading
//! can't fault, and the thread's own area only ever holds what loads.
use core::arch::asm;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use abi::signal::{FP_SOFTWARE_BYTES, FP_XSTATE_MAGIC1, FP_XSTATE_MAGIC2};

use super::features::{Features, has};
use super::fpu::{self, FpuState, LEGACY_SIZE, MAX_SIZE, MXCSR};
use super::uaccess::{Fault, copy_from_user, copy_to_user};

/// Where XSAVE's header begins, and its length.
const HEADER: usize = LEGACY_SIZE;
const HEADER_SIZE: usize = 64;
/// The header's words: which components the image holds, and two that are zero in this format.
const PRESENT: usize = HEADER;
const ZEROES: core::ops::Range<usize> = HEADER + 8..HEADER + 24;

/// Where FXSAVE stores which bits of MXCSR there are; 0 there means a set that never changed.
const MXCSR_MASK: usize = 28;
const OLD_MXCSR_MASK: u32 = 0xffbf;

/// x87 and SSE, which every image counts as holding.
const LEGACY: u64 = 3;
/// SSE and AVX, whose loading loads MXCSR too.
const WITH_MXCSR: u64 = 6;

/// Bytes of a state of x87, SSE and AVX, and of the smallest one that is more than x87 and SSE.
const SIZE_WITH_AVX: usize = 832;
const BEYOND_LEGACY: usize = LEGACY_SIZE + 1;

const REFUSED: Fault = Fault { copied: 0 };

/// Bytes that an image takes in a handler's frame.
pub(crate) fn frame_size() -> usize {
    if has(Features::XSAVE) {
        fpu::size() + size_of_val(&FP_XSTATE_MAGIC2)
    } else {
        LEGACY_SIZE
    }
}

/// Stores the current thread's registers at `address`, with the marks by which programs and [`load`] know how far they
/// reach.
pub(crate) fn store(state: &FpuState, address: u64) -> Result<(), Fault> {
    state.read(|offset, piece| {
        if offset == 0 {
            mark(piece);
        }
        if offset == HEADER {
            let present = word(piece, 0) | LEGACY;
            piece[..8].copy_from_slice(&present.to_le_bytes());
        }
        copy_to_user(address.wrapping_add(offset as u64), piece)
    })?;
    if has(Features::XSAVE) {
        let end = address.wrapping_add(fpu::size() as u64);
        copy_to_user(end, &FP_XSTATE_MAGIC2.to_le_bytes())?;
    }
    Ok(())
}

/// Fills in Linux's `struct _fpx_sw_bytes`, in the legacy part.
fn mark(legacy: &mut [u8]) {
    let mut bytes = [0; 24];
    if has(Features::XSAVE) {
        bytes[..4].copy_from_slice(&FP_XSTATE_MAGIC1.to_le_bytes());
        bytes[4..8].copy_from_slice(&(frame_size() as u32).to_le_bytes());
        bytes[8..16].copy_from_slice(&fpu::components().bits().to_le_bytes());
        bytes[16..20].copy_from_slice(&(fpu::size() as u32).to_le_bytes());
    }
    legacy[FP_SOFTWARE_BYTES..].fill(0);
    legacy[FP_SOFTWARE_BYTES..][..24].copy_from_slice(&bytes);
}

/// Loads the current thread's registers from `address`; from 0, those of a new program. An image that the processor would
/// refuse is refused, and the registers are those of a new program then.
pub(crate) fn load(state: &FpuState, address: u64) -> Result<(), Fault> {
    if address == 0 {
        state.reset();
        return Ok(());
    }
    // Room that is not needed would have to be cleared all the same.
    let load_by = match fpu::size() {
        0..=LEGACY_SIZE => load_by::<LEGACY_SIZE>,
        BEYOND_LEGACY..=SIZE_WITH_AVX => load_by::<SIZE_WITH_AVX>,
        _ => load_by::<MAX_SIZE>,
    };
    let loaded = load_by(state, address);
    loaded.inspect_err(|_| state.reset())
}

/// The same by way of a copy in `ROOM` bytes, which hold a state of this machine.
#[inline(never)]
fn load_by<const ROOM: usize>(state: &FpuState, address: u64) -> Result<(), Fault> {
    let mut image = [0; ROOM];
    let image = &mut image[..fpu::size()];
    fetch(image, address)?;
    state.write(image);
    Ok(())
}

/// Copies an image in and makes it loadable, or says that it isn't.
fn fetch(image: &mut [u8], address: u64) -> Result<(), Fault> {
    copy_from_user(&mut image[..LEGACY_SIZE], address)?;
    let known_mxcsr = mxcsr_mask();
    if !has(Features::XSAVE) {
        return check_mxcsr(image, known_mxcsr);
    }
    let (length, wanted) = extent(image, address)?;
    let alignment = if length == LEGACY_SIZE { 16 } else { 64 };
    if !address.is_multiple_of(alignment) {
        return Err(REFUSED);
    }
    let rest = address.wrapping_add(LEGACY_SIZE as u64);
    copy_from_user(&mut image[LEGACY_SIZE..length], rest)?;
    let enabled = fpu::components().bits();
    let has_zeroes = length == LEGACY_SIZE || image[ZEROES].iter().all(|&byte| byte == 0);
    let held = if length == LEGACY_SIZE {
        LEGACY
    } else {
        word(image, PRESENT)
    };
    if held & !enabled != 0 || !has_zeroes {
        return Err(REFUSED);
    }
    if wanted & WITH_MXCSR == 0 {
        image[MXCSR.0..][..4].copy_from_slice(&MXCSR.1.to_le_bytes());
    }
    image[HEADER..][..HEADER_SIZE].fill(0);
    image[PRESENT..][..8].copy_from_slice(&(held & wanted).to_le_bytes());
    check_mxcsr(image, known_mxcsr)
}

/// How many bytes the marks say there are, and which components to load from them. Without marks that fit, there is the
/// legacy part only.
fn extent(image: &[u8], address: u64) -> Result<(usize, u64), Fault> {
    let legacy = Ok((LEGACY_SIZE, LEGACY));
    let bytes = &image[FP_SOFTWARE_BYTES..];
    let magic = word(bytes, 0) as u32;
    let extended = word(bytes, 0) >> 32;
    let components = word(bytes, 8);
    let length = u64::from(word(bytes, 16) as u32);
    let possible = (LEGACY_SIZE + HEADER_SIZE) as u64..=fpu::size() as u64;
    if magic != FP_XSTATE_MAGIC1 || !possible.contains(&length) || length > extended {
        return legacy;
    }
    let mut end = [0; 4];
    copy_from_user(&mut end, address.wrapping_add(length))?;
    if u32::from_le_bytes(end) != FP_XSTATE_MAGIC2 {
        return legacy;
    }
    Ok((length as usize, components & fpu::components().bits()))
}

fn check_mxcsr(image: &[u8], known: u32) -> Result<(), Fault> {
    let mxcsr = word(image, MXCSR.0) as u32;
    if mxcsr & !known == 0 {
        Ok(())
    } else {
        Err(REFUSED)
    }
}

/// The little-endian word at `offset`.
fn word(bytes: &[u8], offset: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[offset..][..8]);
    u64::from_le_bytes(word)
}

#[repr(C, align(16))]
struct Legacy([u8; LEGACY_SIZE]);

/// The bits of MXCSR that this processor has; 0 before it was asked.
static KNOWN_MXCSR: AtomicU32 = AtomicU32::new(0);

/// The bits of MXCSR that this processor has.
fn mxcsr_mask() -> u32 {
    match KNOWN_MXCSR.load(Relaxed) {
        0 => {
            let mask = ask_for_mxcsr_mask();
            KNOWN_MXCSR.store(mask, Relaxed);
            mask
        }
        mask => mask,
    }
}

fn ask_for_mxcsr_mask() -> u32 {
    let mut area = Legacy([0; LEGACY_SIZE]);
    // SAFETY: 512 bytes, aligned to 16.
    unsafe { asm!("fxsave64 [{}]", in(reg) &raw mut area, options(nostack)) };
    match word(&area.0, MXCSR_MASK) as u32 {
        0 => OLD_MXCSR_MASK,
        mask => mask,
    }
}

/// The x87 unit's exceptions that are raised and not masked, as bits of its status word.
pub(crate) fn x87_exceptions() -> u32 {
    let (mut control, mut status) = (0u16, 0u16);
    // SAFETY: stores two words; neither instruction waits for pending exceptions.
    unsafe {
        asm!("fnstcw [{}]", "fnstsw [{}]", in(reg) &raw mut control, in(reg) &raw mut status, options(nostack))
    };
    u32::from(status & !control & 0x3f)
}

/// The exceptions of SSE that are raised and not masked, as bits of MXCSR.
pub(crate) fn sse_exceptions() -> u32 {
    let mut mxcsr = 0u32;
    // SAFETY: stores a word.
    unsafe { asm!("stmxcsr [{}]", in(reg) &raw mut mxcsr, options(nostack)) };
    mxcsr & !(mxcsr >> 7) & 0x3f
}
