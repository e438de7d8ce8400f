//! Numbers that nobody can foresee: a ChaCha generator, seeded from the processor.
use chacha20::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use crate::arch::features;
use crate::lock::{IrqLock, Rank};

static GENERATOR: IrqLock<Option<ChaCha20Rng>> = IrqLock::new(Rank::Random, None);

/// Fills `bytes`.
pub(crate) fn fill(bytes: &mut [u8]) {
    let mut generator = GENERATOR.lock();
    generator
        .get_or_insert_with(|| ChaCha20Rng::from_seed(features::entropy()))
        .fill_bytes(bytes);
}

/// One number.
pub(crate) fn number() -> u64 {
    let mut bytes = [0; 8];
    fill(&mut bytes);
    u64::from_le_bytes(bytes)
}
