//! A key service that is away, refuses, or says that the key is to be deleted.

use std::sync::Arc;

use cadastre_keys::{
    DataKey, EncryptionContext, KEY_LENGTH, KeyError, KeyFuture, KeyProvider, LocalKeyFile, Secret,
    WrappedKey,
};

use crate::faults::KeyTrouble;
use crate::world::World;

/// A key with faults. It answers without waiting, as the log's committer needs it.
#[derive(Debug)]
pub(crate) struct FaultyKeys {
    world: World,
    key: Arc<LocalKeyFile>,
}

impl FaultyKeys {
    /// Puts the faults of `world` before `key`.
    #[must_use]
    pub(crate) const fn new(world: World, key: Arc<LocalKeyFile>) -> Self {
        Self { world, key }
    }

    fn check(&self) -> Result<(), KeyError> {
        let outages = self.world.outages();
        let key_id = || self.key.key_id().to_owned();
        if self.world.now() < outages.keys_until {
            return Err(match outages.keys_trouble {
                KeyTrouble::Unavailable => KeyError::Unavailable { reason: "simulated outage".to_owned() },
                KeyTrouble::Denied => {
                    KeyError::AccessDenied { key_id: key_id(), reason: "simulated".to_owned() }
                }
                KeyTrouble::PendingDeletion => KeyError::PendingDeletion { key_id: key_id() },
            });
        }
        if self.world.fault(|rates| rates.keys_error) {
            return Err(KeyError::Throttled { reason: "simulated".to_owned() });
        }
        Ok(())
    }
}

impl KeyProvider for FaultyKeys {
    fn key_id(&self) -> &str {
        self.key.key_id()
    }

    fn generate_data_key<'a>(&'a self, context: &'a EncryptionContext) -> KeyFuture<'a, DataKey> {
        match self.check() {
            Ok(()) => self.key.generate_data_key(context),
            Err(error) => Box::pin(std::future::ready(Err(error))),
        }
    }

    fn unwrap<'a>(
        &'a self,
        wrapped: &'a WrappedKey,
        context: &'a EncryptionContext,
    ) -> KeyFuture<'a, Secret<[u8; KEY_LENGTH]>> {
        match self.check() {
            Ok(()) => self.key.as_ref().unwrap(wrapped, context),
            Err(error) => Box::pin(std::future::ready(Err(error))),
        }
    }
}
