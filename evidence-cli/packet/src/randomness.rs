//! Where random bytes come from: salts, nonces and pseudonym keys.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use sha2::{Digest as _, Sha256};

/// A source of unpredictable bytes.
pub trait Randomness: Send + Sync {
    /// Fills `bytes`.
    ///
    /// # Errors
    /// When the system has none to give; nothing may be written then.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomnessError>;
}

/// The operating system gave no random bytes.
#[derive(Debug, Clone, Copy, thiserror::Error, PartialEq, Eq)]
#[error("the operating system gave no random bytes")]
pub struct RandomnessError;

/// The operating system's generator.
#[derive(Debug, Default)]
pub struct SystemRandomness(SystemRandom);

impl Randomness for SystemRandomness {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomnessError> {
        self.0.fill(bytes).map_err(|_unspecified| RandomnessError)
    }
}

/// Bytes that follow from a seed, for tests and for measurements that must repeat. Never for a packet that
/// leaves the machine: whoever knows the seed can guess what was withheld.
pub struct SeededRandomness {
    seed: u64,
    blocks: AtomicU64,
}

impl SeededRandomness {
    /// A sequence of its own for each seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { seed, blocks: AtomicU64::new(0) }
    }
}

impl fmt::Debug for SeededRandomness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SeededRandomness").finish_non_exhaustive()
    }
}

impl Randomness for SeededRandomness {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomnessError> {
        for chunk in bytes.chunks_mut(32) {
            let block = self.blocks.fetch_add(1, Ordering::Relaxed);
            let digest = Sha256::new()
                .chain_update(b"cadastre seeded randomness")
                .chain_update(self.seed.to_be_bytes())
                .chain_update(block.to_be_bytes())
                .finalize();
            chunk.iter_mut().zip(digest).for_each(|(byte, random)| *byte = random);
        }
        Ok(())
    }
}

/// `N` random bytes.
pub(crate) fn draw<const N: usize>(randomness: &dyn Randomness) -> Result<[u8; N], RandomnessError> {
    let mut bytes = [0; N];
    randomness.fill(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_and_the_system_does_not() {
        let (one, two) = (SeededRandomness::new(7), SeededRandomness::new(7));
        let first: [u8; 48] = draw(&one).unwrap();
        assert_eq!(first, draw(&two).unwrap());
        assert_ne!(first, draw(&one).unwrap());
        let system = SystemRandomness::default();
        assert_ne!(draw::<32>(&system).unwrap(), draw::<32>(&system).unwrap());
    }
}
