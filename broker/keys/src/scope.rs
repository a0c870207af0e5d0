//! Scope keys: one for the cluster, one for each topic that has its own; they wrap data keys.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use crate::envelope::{open_once, seal_once};
use crate::{EncryptionContext, KEY_LENGTH, KeyError, Secret, WrappedKey, context};

/// Ciphertext version.
const VERSION: u8 = 1;
const WRAP_DOMAIN: &[u8] = b"cadastre scoped data key v1";
const PREFIX: &str = "cadastre:";

/// What a scope key is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyScope {
    /// Everything without a key of its own.
    Cluster,
    /// One topic, by its id in Kafka's base64url form.
    Topic(String),
}

impl KeyScope {
    /// The scope that a wrapped key's id names; `None` for keys that a provider wrapped.
    #[must_use]
    pub fn of_key_id(key_id: &str) -> Option<Self> {
        match key_id.strip_prefix(PREFIX)? {
            "cluster" => Some(Self::Cluster),
            other => {
                other.strip_prefix("topic:").filter(|id| !id.is_empty()).map(|id| Self::Topic(id.to_owned()))
            }
        }
    }

    /// The context that the scope key itself is bound to.
    #[must_use]
    pub fn context(&self, cluster_id: &str) -> EncryptionContext {
        let context = EncryptionContext::new()
            .with(context::CLUSTER, cluster_id)
            .with(context::PURPOSE, context::purpose::SCOPE_KEY);
        match self {
            Self::Cluster => context,
            Self::Topic(id) => context.with(context::TOPIC, id),
        }
    }

    fn additional_data(&self, context: &EncryptionContext) -> Vec<u8> {
        let scope = EncryptionContext::new().with("scope", self.to_string());
        [WRAP_DOMAIN, &scope.canonical_bytes(), &context.canonical_bytes()].concat()
    }

    /// Wraps a data key under the scope's key.
    pub(crate) fn wrap(
        &self,
        scope_key: &Secret<[u8; KEY_LENGTH]>,
        data_key: &Secret<[u8; KEY_LENGTH]>,
        context: &EncryptionContext,
    ) -> Result<WrappedKey, KeyError> {
        let mut ciphertext = vec![VERSION];
        ciphertext.extend(seal_once(scope_key, &self.additional_data(context), data_key.expose())?);
        Ok(WrappedKey { key_id: self.to_string(), ciphertext })
    }

    /// Unwraps what [`Self::wrap`] wrapped.
    pub(crate) fn unwrap(
        &self,
        scope_key: &Secret<[u8; KEY_LENGTH]>,
        wrapped: &WrappedKey,
        context: &EncryptionContext,
    ) -> Result<Secret<[u8; KEY_LENGTH]>, KeyError> {
        let unauthentic = || KeyError::Unauthentic { key_id: wrapped.key_id.clone() };
        let (version, sealed) = wrapped.ciphertext.split_first().ok_or_else(unauthentic)?;
        if *version != VERSION {
            return Err(unauthentic());
        }
        let mut opened =
            open_once(scope_key, &self.additional_data(context), sealed).map_err(|_open| unauthentic())?;
        Secret::key_from(std::mem::take(opened.expose_mut())).ok_or_else(unauthentic)
    }
}

/// The key id of data keys under the scope's key.
impl fmt::Display for KeyScope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cluster => write!(formatter, "{PREFIX}cluster"),
            Self::Topic(id) => write!(formatter, "{PREFIX}topic:{id}"),
        }
    }
}

/// A future that a [`ScopeKeyStore`] returns.
pub type ScopeStoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, KeyError>> + Send + 'a>>;

/// Where wrapped scope keys are kept: durable, shared by all brokers of a cluster.
///
/// Errors are [`KeyError::Store`].
pub trait ScopeKeyStore: fmt::Debug + Send + Sync {
    /// The wrapped key of `scope`, if there is one.
    fn load<'a>(&'a self, scope: &'a KeyScope) -> ScopeStoreFuture<'a, Option<WrappedKey>>;

    /// Stores the wrapped key of `scope` durably if there is none, and gives back the one that is there then.
    fn create<'a>(&'a self, scope: &'a KeyScope, wrapped: &'a WrappedKey)
    -> ScopeStoreFuture<'a, WrappedKey>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_read_back_from_its_key_id() {
        for scope in [KeyScope::Cluster, KeyScope::Topic("AAAAAAAAAAAAAAAAAAAAAQ".to_owned())] {
            assert_eq!(KeyScope::of_key_id(&scope.to_string()), Some(scope));
        }
        for foreign in ["local:00", "cadastre:", "cadastre:topic:", "cadastre:other", "arn:aws:kms:x"] {
            assert_eq!(KeyScope::of_key_id(foreign), None);
        }
    }

    #[test]
    fn a_data_key_unwraps_in_its_scope_and_context_only() {
        let (scope_key, data_key) = (Secret::random_key().unwrap(), Secret::random_key().unwrap());
        let scope = KeyScope::Topic("t".to_owned());
        let here = EncryptionContext::new().with(context::OBJECT, "1");
        let wrapped = scope.wrap(&scope_key, &data_key, &here).unwrap();
        assert!(scope.unwrap(&scope_key, &wrapped, &here).unwrap().is_same_key(&data_key));
        let there = EncryptionContext::new().with(context::OBJECT, "2");
        assert!(scope.unwrap(&scope_key, &wrapped, &there).is_err());
        assert!(KeyScope::Cluster.unwrap(&scope_key, &wrapped, &here).is_err());
        for position in 0..wrapped.ciphertext.len() {
            let mut altered = wrapped.clone();
            altered.ciphertext[position] ^= 1;
            assert!(scope.unwrap(&scope_key, &altered, &here).is_err(), "byte {position}");
            altered.ciphertext.truncate(position);
            assert!(scope.unwrap(&scope_key, &altered, &here).is_err(), "cut at {position}");
        }
    }
}
