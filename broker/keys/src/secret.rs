//! Key bytes that are wiped when dropped and never printed.

use std::fmt;

use aws_lc_rs::{constant_time, rand};
use zeroize::{Zeroize, Zeroizing};

use crate::{KEY_LENGTH, KeyError};

/// A value that is overwritten in memory when dropped and whose `Debug` says nothing about it.
pub struct Secret<T: Zeroize>(Zeroizing<T>);

impl<T: Zeroize> Secret<T> {
    /// Takes the value into custody. Copies that the caller made before are the caller's to wipe.
    pub fn new(value: T) -> Self {
        Self(Zeroizing::new(value))
    }

    /// The secret itself; the name makes each use easy to find in a review.
    #[must_use]
    pub fn expose(&self) -> &T {
        &self.0
    }

    /// The secret itself, to be filled in place.
    pub fn expose_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl Secret<[u8; KEY_LENGTH]> {
    /// Draws a fresh key from the system's random source.
    ///
    /// # Errors
    /// [`KeyError::Cryptography`] when the system gives no randomness.
    pub fn random_key() -> Result<Self, KeyError> {
        let mut key = Self::new([0; KEY_LENGTH]);
        rand::fill(key.expose_mut())
            .map_err(|_unspecified| KeyError::Cryptography { operation: "draw a random key" })?;
        Ok(key)
    }

    /// Takes a key of [`KEY_LENGTH`] bytes out of `bytes`, which are wiped; `None` for any other length.
    #[must_use]
    pub fn key_from(bytes: Vec<u8>) -> Option<Self> {
        let bytes = Zeroizing::new(bytes);
        let mut key = Self::new([0; KEY_LENGTH]);
        if bytes.len() != KEY_LENGTH {
            return None;
        }
        key.expose_mut().copy_from_slice(&bytes);
        Some(key)
    }

    /// A second copy in custody, for the few places that give a key away and keep it.
    pub(crate) fn duplicate(&self) -> Self {
        Self::new(*self.expose())
    }

    /// Whether both hold the same key, in constant time.
    #[must_use]
    pub fn is_same_key(&self, other: &Self) -> bool {
        constant_time::verify_slices_are_equal(self.expose(), other.expose()).is_ok()
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_show_in_debug_output() {
        let secret = Secret::new(*b"correct horse battery staple 123");
        assert_eq!(format!("{secret:?}"), "Secret(…)");
        assert_eq!(secret.expose(), b"correct horse battery staple 123");
    }
}
