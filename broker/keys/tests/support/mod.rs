//! What the tests share: a key service that can be disabled, cut off and held up.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cadastre_keys::{
    DataKey, EncryptionContext, KeyClock, KeyError, KeyFuture, KeyProvider, LocalKeyFile, Secret, WrappedKey,
};
use tokio::sync::Semaphore;

/// What the key service does with calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Working,
    Disabled,
    Down,
}

/// A key service in memory whose key can be taken away, and that remembers when it last allowed which key.
#[derive(Debug)]
pub(crate) struct MoodyKeys {
    keys: LocalKeyFile,
    clock: Arc<dyn KeyClock>,
    mood: Mutex<Mood>,
    allowed: Mutex<BTreeMap<Vec<u8>, Duration>>,
    pub(crate) calls: AtomicUsize,
    gate: Option<Semaphore>,
    pub(crate) moment: AtomicU64,
}

impl MoodyKeys {
    pub(crate) fn new(directory: &Path, clock: Arc<dyn KeyClock>) -> Self {
        Self {
            keys: LocalKeyFile::create(&directory.join("kek")).unwrap(),
            clock,
            mood: Mutex::new(Mood::Working),
            allowed: Mutex::default(),
            calls: AtomicUsize::new(0),
            gate: None,
            moment: AtomicU64::new(0),
        }
    }

    /// Unwraps nothing until [`Self::let_pass`].
    pub(crate) fn gated(mut self) -> Self {
        self.gate = Some(Semaphore::new(0));
        self
    }

    pub(crate) fn let_pass(&self, calls: usize) {
        self.gate.as_ref().unwrap().add_permits(calls);
    }

    pub(crate) fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    /// When the service last gave out the data key in `wrapped`, by the clock of the test.
    pub(crate) fn last_allowed(&self, wrapped: &WrappedKey) -> Option<Duration> {
        self.allowed.lock().unwrap().get(&wrapped.ciphertext).copied()
    }

    fn refuse(&self) -> Result<(), KeyError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        match *self.mood.lock().unwrap() {
            Mood::Working => Ok(()),
            Mood::Disabled => Err(KeyError::Disabled { key_id: KeyProvider::key_id(&self.keys).to_owned() }),
            Mood::Down => Err(KeyError::Unavailable { reason: "connection refused".to_owned() }),
        }
    }

    fn allow(&self, wrapped: &WrappedKey) {
        self.allowed.lock().unwrap().insert(wrapped.ciphertext.clone(), self.clock.elapsed());
    }
}

impl KeyProvider for MoodyKeys {
    fn key_id(&self) -> &str {
        KeyProvider::key_id(&self.keys)
    }

    fn generate_data_key<'a>(&'a self, context: &'a EncryptionContext) -> KeyFuture<'a, DataKey> {
        Box::pin(async move {
            self.refuse()?;
            let data_key = self.keys.generate_data_key(context).await?;
            self.allow(&data_key.wrapped);
            Ok(data_key)
        })
    }

    fn unwrap<'a>(
        &'a self,
        wrapped: &'a WrappedKey,
        context: &'a EncryptionContext,
    ) -> KeyFuture<'a, Secret<[u8; 32]>> {
        Box::pin(async move {
            if let Some(gate) = &self.gate {
                gate.acquire().await.unwrap().forget();
            }
            self.refuse()?;
            let key = KeyProvider::unwrap(&self.keys, wrapped, context).await?;
            self.allow(wrapped);
            Ok(key)
        })
    }
}
