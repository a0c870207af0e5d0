//! Where objects get their keys from: straight from a provider, or from the broker's ring with its leases.

use std::sync::Arc;

use cadastre_keys::envelope::{OpeningKey, SealingKey, TAG_LENGTH};
use cadastre_keys::{
    DataKey, HandleOpenError, KeyError, KeyProvider, KeyRing, KeyScope, NewKey, OpeningHandle, SealingHandle,
    WrappedKey,
};
use cadastre_protocol::types::TopicId;

use crate::object_id::ObjectName;

/// A source of keys for objects.
#[derive(Debug, Clone)]
pub enum ObjectKeys {
    /// Each object's key is wrapped by the provider, which is asked at every read: for tools, tests and local keys.
    Provider(Arc<dyn KeyProvider>),
    /// Keys under the cluster's or a topic's key, on leases: a key that is withdrawn ends reads and writes when the
    /// lease does.
    Ring(Arc<KeyRing>),
}

impl From<Arc<dyn KeyProvider>> for ObjectKeys {
    fn from(provider: Arc<dyn KeyProvider>) -> Self {
        Self::Provider(provider)
    }
}

impl From<Arc<KeyRing>> for ObjectKeys {
    fn from(ring: Arc<KeyRing>) -> Self {
        Self::Ring(ring)
    }
}

/// Seals one object's messages, counting.
#[derive(Debug)]
pub(crate) enum Sealer {
    Owned(SealingKey),
    Leased(SealingHandle),
}

impl Sealer {
    pub(crate) fn seal(
        &mut self,
        additional_data: &[u8],
        buffer: &mut [u8],
    ) -> Result<[u8; TAG_LENGTH], KeyError> {
        match self {
            Self::Owned(key) => key.seal(additional_data, buffer),
            Self::Leased(handle) => handle.seal(additional_data, buffer),
        }
    }
}

/// Opens one object's messages.
#[derive(Debug)]
pub(crate) enum Opener {
    Owned(OpeningKey),
    Leased(Arc<OpeningHandle>),
}

impl Opener {
    pub(crate) fn open<'a>(
        &self,
        number: u64,
        additional_data: &[u8],
        sealed: &'a mut [u8],
    ) -> Result<&'a mut [u8], HandleOpenError> {
        match self {
            Self::Owned(key) => Ok(key.open(number, additional_data, sealed)?),
            Self::Leased(handle) => handle.open(number, additional_data, sealed),
        }
    }
}

/// A fresh key for one object.
#[derive(Debug)]
pub struct ObjectKey {
    pub(crate) sealer: Sealer,
    pub(crate) wrapped: WrappedKey,
}

impl ObjectKey {
    /// Takes over a data key that was generated under the encryption context of the object's name.
    ///
    /// # Errors
    /// [`KeyError::Cryptography`] when the library refuses the key.
    pub fn from_generated(data_key: DataKey) -> Result<Self, KeyError> {
        let (key, _opening, wrapped) = SealingKey::from_generated(data_key)?;
        Ok(Self { sealer: Sealer::Owned(key), wrapped })
    }
}

impl ObjectKeys {
    /// A fresh key for an object; for one that holds a single topic, under that topic's key where it has one.
    pub(crate) async fn generate(
        &self,
        name: &ObjectName,
        topic: Option<TopicId>,
    ) -> Result<ObjectKey, KeyError> {
        let context = name.encryption_context();
        match self {
            Self::Provider(provider) => {
                ObjectKey::from_generated(provider.generate_data_key(&context).await?)
            }
            Self::Ring(ring) => {
                let scope = topic.map_or(KeyScope::Cluster, |topic| ring.scope_of_topic(&topic.to_string()));
                let NewKey { sealing, wrapped, opening: _ } = ring.seal_scoped(&scope, context).await?;
                Ok(ObjectKey { sealer: Sealer::Leased(sealing), wrapped })
            }
        }
    }

    pub(crate) async fn open(&self, name: &ObjectName, wrapped: &WrappedKey) -> Result<Opener, KeyError> {
        let context = name.encryption_context();
        match self {
            Self::Provider(provider) => {
                OpeningKey::new(&provider.unwrap(wrapped, &context).await?).map(Opener::Owned)
            }
            Self::Ring(ring) => ring.open(wrapped, context).await.map(Opener::Leased),
        }
    }
}
