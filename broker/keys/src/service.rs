//! What a key service is asked, answered together with the id that the service gave the request.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use crate::{DataKey, EncryptionContext, KEY_LENGTH, KeyError, Secret, WrappedKey};

/// A future that a [`KeyService`] returns; boxed, so that services can be chosen at run time.
pub type AnswerFuture<'a, T> = Pin<Box<dyn Future<Output = Answer<T>> + Send + 'a>>;

/// What came of a call, refusals included, and the id under which the service's own trail knows it.
#[derive(Debug)]
pub struct Answer<T> {
    /// The result.
    pub outcome: Result<T, KeyError>,
    /// The service's id of the (last) request; `None` where there is no service, or it did not answer.
    pub request_id: Option<String>,
}

impl<T> Answer<T> {
    /// An answer that no service gave.
    pub const fn local(outcome: Result<T, KeyError>) -> Self {
        Self { outcome, request_id: None }
    }
}

/// A key-encryption key behind a service: a cloud's, a vault's, or a file.
///
/// Nothing but [`RecordedKeys`](crate::RecordedKeys) should call a service: that is what writes the ledger.
pub trait KeyService: fmt::Debug + Send + Sync {
    /// Names the key, and its version where the service has versions, that new keys are wrapped under.
    fn current_key(&self) -> &str;

    /// Whether keys wrapped under `key_id` are for this service to unwrap.
    fn holds(&self, key_id: &str) -> bool {
        key_id == self.current_key()
    }

    /// Whether `key_id` is what new keys are wrapped under.
    fn is_current_key(&self, key_id: &str) -> bool {
        key_id == self.current_key()
    }

    /// Makes a fresh data key, bound to `context`.
    fn generate_key<'a>(&'a self, context: &'a EncryptionContext) -> AnswerFuture<'a, DataKey>;

    /// Wraps a data key that came from elsewhere, bound to `context`.
    fn wrap_key<'a>(
        &'a self,
        key: &'a Secret<[u8; KEY_LENGTH]>,
        context: &'a EncryptionContext,
    ) -> AnswerFuture<'a, WrappedKey>;

    /// Recovers a data key that was wrapped under the same `context`.
    fn unwrap_key<'a>(
        &'a self,
        wrapped: &'a WrappedKey,
        context: &'a EncryptionContext,
    ) -> AnswerFuture<'a, Secret<[u8; KEY_LENGTH]>>;

    /// Moves a wrapped data key that this service holds under [`Self::current_key`].
    fn rewrap_key<'a>(
        &'a self,
        wrapped: &'a WrappedKey,
        context: &'a EncryptionContext,
    ) -> AnswerFuture<'a, WrappedKey>;
}
