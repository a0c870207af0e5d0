//! The seam behind which key services live.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use aws_lc_rs::digest;

use crate::{EncryptionContext, KEY_LENGTH, KeyError, Secret};

/// A future that a [`KeyProvider`] returns; boxed, so that providers can be chosen at run time.
pub type KeyFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, KeyError>> + Send + 'a>>;

/// A data key as it lies on disk: useless without the key-encryption key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WrappedKey {
    /// Names the key-encryption key: an ARN, a key version URL, or a fingerprint.
    pub key_id: String,
    /// The provider's ciphertext.
    pub ciphertext: Vec<u8>,
}

impl WrappedKey {
    /// SHA-256 of key id and ciphertext, each behind its length (8 bytes, big endian): names a wrapped key in
    /// ledger and receipts.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let mut hash = digest::Context::new(&digest::SHA256);
        for part in [self.key_id.as_bytes(), &self.ciphertext] {
            hash.update(&(part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let mut bytes = [0; 32];
        bytes.copy_from_slice(hash.finish().as_ref());
        bytes
    }
}

/// A fresh data key, plain and wrapped. Not `Clone`: it is consumed by what seals with it.
pub struct DataKey {
    /// For sealing; leaves memory never.
    pub plaintext: Secret<[u8; KEY_LENGTH]>,
    /// For the header of what was sealed.
    pub wrapped: WrappedKey,
}

impl fmt::Debug for DataKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("DataKey").field("key_id", &self.wrapped.key_id).finish_non_exhaustive()
    }
}

/// Something that holds a key-encryption key: a local file, a cloud key service, a vault.
pub trait KeyProvider: fmt::Debug + Send + Sync {
    /// Names the key-encryption key that new data keys are wrapped under.
    fn key_id(&self) -> &str;

    /// Makes a fresh data key, bound to `context`.
    ///
    /// # Errors
    /// [`KeyError::Unavailable`] when the provider cannot be asked; asking again may help.
    fn generate_data_key<'a>(&'a self, context: &'a EncryptionContext) -> KeyFuture<'a, DataKey>;

    /// Recovers a data key that was wrapped under the same `context`.
    ///
    /// # Errors
    /// [`KeyError::UnknownKey`] when another key wrapped it, [`KeyError::Unauthentic`] when it was altered
    /// or the context differs.
    fn unwrap<'a>(
        &'a self,
        wrapped: &'a WrappedKey,
        context: &'a EncryptionContext,
    ) -> KeyFuture<'a, Secret<[u8; KEY_LENGTH]>>;

    /// Whether a key wrapped under `key_id` is where [`Self::key_id`] says that keys should be.
    fn is_current(&self, key_id: &str) -> bool {
        key_id == self.key_id()
    }

    /// Moves a wrapped data key under [`Self::key_id`]; what it wraps and its context stay.
    ///
    /// # Errors
    /// As [`Self::unwrap`]; [`KeyError::Unsuitable`] from providers that cannot.
    fn rewrap<'a>(
        &'a self,
        wrapped: &'a WrappedKey,
        context: &'a EncryptionContext,
    ) -> KeyFuture<'a, WrappedKey> {
        let _unused = context;
        let reason = "its provider does not rewrap".to_owned();
        let refusal = KeyError::Unsuitable { key_id: wrapped.key_id.clone(), reason };
        Box::pin(std::future::ready(Err(refusal)))
    }
}
