//! AES-256-GCM (NIST SP 800-38D) under data keys, with nonces that callers cannot choose.
//!
//! Two ways in: [`SealingKey`] and [`OpeningKey`] for many messages under one data key, with a counter as the
//! nonce; [`seal_once`] and [`open_once`] for few messages under a long-lived key, with a random nonce.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::rand;

use crate::{DataKey, KEY_LENGTH, KeyError, Secret, WrappedKey};

/// Bytes that sealing adds to a message.
pub const TAG_LENGTH: usize = 16;

/// The bytes were altered, or sealed under another key, number or additional data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("ciphertext does not authenticate")]
pub struct OpenError;

fn cipher(key: &Secret<[u8; KEY_LENGTH]>) -> Result<LessSafeKey, KeyError> {
    UnboundKey::new(&AES_256_GCM, key.expose())
        .map(LessSafeKey::new)
        .map_err(|_unspecified| KeyError::Cryptography { operation: "load an AES-256 key" })
}

/// The nonce of message `number`: four zero bytes, then the number, big endian.
fn counter_nonce(number: u64) -> Nonce {
    let mut nonce = [0; NONCE_LEN];
    if let Some(counter) = nonce.last_chunk_mut::<8>() {
        *counter = number.to_be_bytes();
    }
    Nonce::assume_unique_for_key(nonce)
}

/// Seals numbered messages under a fresh data key. The number is the nonce; since the key is made by
/// consuming a [`DataKey`], is not `Clone` and only counts up, no nonce repeats under a key.
pub struct SealingKey {
    cipher: LessSafeKey,
    next: u64,
}

impl SealingKey {
    /// Takes over a fresh data key and starts at message 0; also gives the key for opening what will be
    /// sealed, and the wrapped key to be stored with it.
    ///
    /// # Errors
    /// [`KeyError::Cryptography`] when the library refuses the key.
    pub fn from_generated(data_key: DataKey) -> Result<(Self, OpeningKey, WrappedKey), KeyError> {
        let sealing = Self { cipher: cipher(&data_key.plaintext)?, next: 0 };
        let opening = OpeningKey::new(&data_key.plaintext)?;
        Ok((sealing, opening, data_key.wrapped))
    }

    /// The same key again, after its bytes had to leave memory. The caller owns the only sealing key of this data
    /// key and says where it stopped.
    pub(crate) fn resume(key: &Secret<[u8; KEY_LENGTH]>, next: u64) -> Result<Self, KeyError> {
        Ok(Self { cipher: cipher(key)?, next })
    }

    /// The number that the next message will bear.
    #[must_use]
    pub const fn next_number(&self) -> u64 {
        self.next
    }

    /// Encrypts `buffer` in place and gives the tag.
    ///
    /// # Errors
    /// [`KeyError::Exhausted`] after 2⁶⁴ − 1 messages; [`KeyError::Cryptography`] for messages over 64 GiB.
    pub fn seal(&mut self, additional_data: &[u8], buffer: &mut [u8]) -> Result<[u8; TAG_LENGTH], KeyError> {
        let number = self.next;
        // Counted before use: a number is spent even when sealing fails.
        self.next = number.checked_add(1).ok_or(KeyError::Exhausted)?;
        let tag = self
            .cipher
            .seal_in_place_separate_tag(counter_nonce(number), Aad::from(additional_data), buffer)
            .map_err(|_unspecified| KeyError::Cryptography { operation: "seal with AES-256-GCM" })?;
        tag.as_ref().try_into().map_err(|_length| KeyError::Cryptography { operation: "take a 16-byte tag" })
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SealingKey").field("next", &self.next).finish_non_exhaustive()
    }
}

/// Opens numbered messages that a [`SealingKey`] with the same data key sealed.
pub struct OpeningKey {
    cipher: LessSafeKey,
}

impl OpeningKey {
    /// Takes an unwrapped data key.
    ///
    /// # Errors
    /// [`KeyError::Cryptography`] when the library refuses the key.
    pub fn new(key: &Secret<[u8; KEY_LENGTH]>) -> Result<Self, KeyError> {
        Ok(Self { cipher: cipher(key)? })
    }

    /// Decrypts `sealed` (ciphertext, then tag) in place and gives the plaintext within it.
    ///
    /// # Errors
    /// [`OpenError`] when anything differs from what was sealed; `sealed` then holds nothing of use.
    pub fn open<'a>(
        &self,
        number: u64,
        additional_data: &[u8],
        sealed: &'a mut [u8],
    ) -> Result<&'a mut [u8], OpenError> {
        self.cipher
            .open_in_place(counter_nonce(number), Aad::from(additional_data), sealed)
            .map_err(|_unspecified| OpenError)
    }
}

impl fmt::Debug for OpeningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("OpeningKey(…)")
    }
}

/// Seals one message under a long-lived key with a random nonce: nonce (12 bytes), ciphertext, tag.
/// Meant for wrapping data keys; good for 2³² messages under one key (NIST SP 800-38D §8.3).
///
/// # Errors
/// [`KeyError::Cryptography`] when the system gives no randomness.
pub fn seal_once(
    key: &Secret<[u8; KEY_LENGTH]>,
    additional_data: &[u8],
    plaintext: &[u8],
) -> Result<Vec<u8>, KeyError> {
    let mut nonce = [0; NONCE_LEN];
    rand::fill(&mut nonce)
        .map_err(|_unspecified| KeyError::Cryptography { operation: "draw a random nonce" })?;
    // Room for the tag from the start: a reallocation would leave a plain copy behind.
    let mut sealed = Vec::with_capacity(plaintext.len().saturating_add(TAG_LENGTH));
    sealed.extend_from_slice(plaintext);
    cipher(key)?
        .seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(additional_data),
            &mut sealed,
        )
        .map_err(|_unspecified| KeyError::Cryptography { operation: "seal with AES-256-GCM" })?;
    let mut message = nonce.to_vec();
    message.append(&mut sealed);
    Ok(message)
}

/// Opens what [`seal_once`] sealed, into a vector that is wiped when dropped.
///
/// # Errors
/// [`OpenError`] when the message was altered, cut, or sealed under another key or additional data.
pub fn open_once(
    key: &Secret<[u8; KEY_LENGTH]>,
    additional_data: &[u8],
    message: &[u8],
) -> Result<Secret<Vec<u8>>, OpenError> {
    let (nonce, sealed) = message.split_first_chunk::<NONCE_LEN>().ok_or(OpenError)?;
    let cipher = cipher(key).map_err(|_library| OpenError)?;
    let mut plaintext = Secret::new(sealed.to_vec());
    let length = cipher
        .open_in_place(
            Nonce::assume_unique_for_key(*nonce),
            Aad::from(additional_data),
            plaintext.expose_mut(),
        )
        .map_err(|_unspecified| OpenError)?
        .len();
    plaintext.expose_mut().truncate(length);
    Ok(plaintext)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(byte: u8) -> Secret<[u8; KEY_LENGTH]> {
        Secret::new([byte; KEY_LENGTH])
    }

    fn sealing_key(byte: u8) -> (SealingKey, OpeningKey) {
        let wrapped = WrappedKey { key_id: "k".to_owned(), ciphertext: Vec::new() };
        let (sealing, opening, _) =
            SealingKey::from_generated(DataKey { plaintext: key(byte), wrapped }).unwrap();
        (sealing, opening)
    }

    fn sealed(sealing: &mut SealingKey, additional_data: &[u8], plaintext: &[u8]) -> Vec<u8> {
        let mut buffer = plaintext.to_vec();
        let tag = sealing.seal(additional_data, &mut buffer).unwrap();
        buffer.extend_from_slice(&tag);
        buffer
    }

    /// NIST's GCM test vectors, AES-256, test case 13: zero key, zero nonce, nothing to seal.
    #[test]
    fn message_zero_matches_the_published_vector() {
        let (mut sealing, _) = sealing_key(0);
        let tag = sealing.seal(&[], &mut []).unwrap();
        assert_eq!(hex::encode(tag), "530f8afbc74536b9a963b4f1c4cb738b");
    }

    #[test]
    fn numbers_count_up_and_equal_messages_seal_differently() {
        let (mut sealing, opening) = sealing_key(7);
        let first = sealed(&mut sealing, b"a", b"same");
        let second = sealed(&mut sealing, b"a", b"same");
        assert_ne!(first, second);
        assert_eq!(sealing.next_number(), 2);
        assert_eq!(opening.open(0, b"a", &mut first.clone()).unwrap(), b"same");
        assert_eq!(opening.open(1, b"a", &mut second.clone()).unwrap(), b"same");
        assert_eq!(opening.open(1, b"a", &mut first.clone()), Err(OpenError));
        assert_eq!(opening.open(0, b"b", &mut first.clone()), Err(OpenError));
    }

    proptest! {
        #[test]
        fn a_flipped_bit_is_noticed(plaintext in prop::collection::vec(any::<u8>(), 0..200), bit in any::<prop::sample::Index>()) {
            let message = seal_once(&key(1), b"context", &plaintext).unwrap();
            let opened = open_once(&key(1), b"context", &message).unwrap();
            prop_assert_eq!(opened.expose(), &plaintext);
            let bit = bit.index(message.len() * 8);
            let mut altered = message.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(open_once(&key(1), b"context", &altered).is_err());
            prop_assert!(open_once(&key(2), b"context", &message).is_err());
            prop_assert!(open_once(&key(1), b"other", &message).is_err());
            prop_assert!(open_once(&key(1), b"context", &message[..message.len() - 1]).is_err());
        }
    }

    #[test]
    fn an_exhausted_key_refuses_to_seal() {
        let (mut sealing, _) = sealing_key(1);
        sealing.next = u64::MAX;
        assert!(matches!(sealing.seal(&[], &mut []), Err(KeyError::Exhausted)));
    }
}
