//! What rewrapping asks of whoever keeps wrapped keys.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use crate::{EncryptionContext, KeyError, WrappedKey};

/// A future that a [`WrappedKeyStore`] returns.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, KeyError>> + Send + 'a>>;

/// A wrapped key and where it is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldKey {
    /// Names the place, uniquely in the store: `segment/12`, `scope/cadastre:topic:…`.
    pub holder: String,
    /// The wrapped key there.
    pub wrapped: WrappedKey,
    /// What it is bound to.
    pub context: EncryptionContext,
}

/// A place that has something under some key, and does not say which: its wrapped key cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UntoldKey {
    /// Names the place, as [`HeldKey::holder`] does.
    pub holder: String,
    /// Why it cannot be told.
    pub reason: String,
}

/// What became of a replacement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replacement {
    /// The new wrapped key is durable in the place of the old.
    Done,
    /// The holder has another wrapped key by now.
    Changed,
    /// The holder is gone.
    Gone,
}

/// Keeps wrapped keys: log segments, scope keys in metadata, ….
///
/// Errors are [`KeyError::Store`].
pub trait WrappedKeyStore: fmt::Debug + Send + Sync {
    /// Up to `limit` wrapped keys whose holders come after `after`, ordered by holder; an empty page ends the list.
    /// Only keys that a provider wrapped, not those under scope keys.
    fn page<'a>(&'a self, after: Option<&'a str>, limit: usize) -> StoreFuture<'a, Vec<HeldKey>>;

    /// The places that [`WrappedKeyStore::page`] leaves out although something may lie there under an old key, ordered by
    /// holder. As long as there are any, nobody can say that a key is no longer needed.
    fn untold(&self) -> StoreFuture<'_, Vec<UntoldKey>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    /// Replaces the wrapped key of `holder` durably and atomically, if it still is `expected`. After a crash the
    /// holder has either, whole.
    fn replace<'a>(
        &'a self,
        holder: &'a str,
        expected: &'a WrappedKey,
        new: &'a WrappedKey,
    ) -> StoreFuture<'a, Replacement>;
}
