//! The seam behind which key services live.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use crate::{EncryptionContext, KEY_LENGTH, KeyError, Secret};

/// A future that a [`KeyProvider`] returns; boxed, so that providers can be chosen at run time.
pub type KeyFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, KeyError>> + Send + 'a>>;

/// A data key as it lies on disk: useless without the key-encryption key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedKey {
    /// Names the key-encryption key: an ARN, a key version URL, or a fingerprint.
    pub key_id: String,
    /// The provider's ciphertext.
    pub ciphertext: Vec<u8>,
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
}
