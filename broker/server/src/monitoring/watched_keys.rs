//! The key service as it was last found: how often it was called, and whether it still gives keys.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cadastre_keys::{
    DataKey, EncryptionContext, KEY_LENGTH, KeyError, KeyFuture, KeyProvider, Secret, WrappedKey, context,
};
use cadastre_storage::Clock;

use crate::sync::lock;

/// How long one question may take.
const PATIENCE: Duration = Duration::from_secs(3);
/// A service that failed is asked again no sooner than this, in milliseconds.
const AGAIN_MS: i64 = 2_000;

/// What is asked of a key service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Generate,
    Unwrap,
    Rewrap,
}

impl Operation {
    pub(crate) const ALL: [Self; 3] = [Self::Generate, Self::Unwrap, Self::Rewrap];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Generate => "generate",
            Self::Unwrap => "unwrap",
            Self::Rewrap => "rewrap",
        }
    }
}

/// A provider that counts what goes through it.
#[derive(Debug)]
pub(crate) struct WatchedKeys {
    inner: Arc<dyn KeyProvider>,
    clock: Clock,
    /// For each operation, calls that succeeded and calls that failed.
    calls: [[AtomicU64; 2]; 3],
    last_success_ms: AtomicI64,
    last_failure_ms: AtomicI64,
    last_generated_ms: AtomicI64,
    /// A key of the broker itself that the service gave out, to ask for again: never a topic's, which may have been destroyed.
    known: Mutex<Option<(WrappedKey, EncryptionContext)>>,
}

impl WatchedKeys {
    pub(crate) fn new(inner: Arc<dyn KeyProvider>, clock: Clock) -> Arc<Self> {
        Arc::new(Self {
            inner,
            clock,
            calls: Default::default(),
            last_success_ms: AtomicI64::new(0),
            last_failure_ms: AtomicI64::new(0),
            last_generated_ms: AtomicI64::new(0),
            known: Mutex::new(None),
        })
    }

    /// Calls that succeeded and calls that failed.
    pub(crate) fn calls(&self, operation: Operation) -> [u64; 2] {
        let calls = self.calls.get(operation as usize);
        calls.map_or([0; 2], |calls| [0, 1].map(|outcome| load(calls.get(outcome))))
    }

    /// When the service last gave what it was asked for, in milliseconds since 1970.
    pub(crate) fn last_success_ms(&self) -> Option<i64> {
        since(&self.last_success_ms)
    }

    /// When a data key was last made, in milliseconds since 1970.
    pub(crate) fn last_generated_ms(&self) -> Option<i64> {
        since(&self.last_generated_ms)
    }

    /// Whether the service gives keys: as it was last found, if that is not older than `lease`, or by asking it for a key that it
    /// gave before.
    pub(crate) async fn is_usable(&self, lease: Duration) -> bool {
        let now_ms = self.clock.now_ms();
        let lease_ms = i64::try_from(lease.as_millis()).unwrap_or(i64::MAX);
        let success_ms = self.last_success_ms.load(Ordering::Relaxed);
        let failure_ms = self.last_failure_ms.load(Ordering::Relaxed);
        if failure_ms <= success_ms && now_ms.saturating_sub(success_ms) <= lease_ms {
            return true;
        }
        if failure_ms > success_ms && now_ms.saturating_sub(failure_ms) < AGAIN_MS {
            return false;
        }
        let known = lock(&self.known).clone();
        let Some((wrapped, context)) = known else { return failure_ms <= success_ms };
        matches!(tokio::time::timeout(PATIENCE, self.unwrap(&wrapped, &context)).await, Ok(Ok(_key)))
    }

    fn count<T>(&self, operation: Operation, outcome: &Result<T, KeyError>) {
        let now_ms = self.clock.now_ms();
        let calls = self.calls.get(operation as usize);
        if let Some(counter) = calls.and_then(|calls| calls.get(usize::from(outcome.is_err()))) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        match outcome {
            Ok(_) => self.last_success_ms.store(now_ms, Ordering::Relaxed),
            // What was altered says nothing about the service.
            Err(KeyError::Unauthentic { .. } | KeyError::UnknownKey { .. }) => {}
            Err(_) => self.last_failure_ms.store(now_ms, Ordering::Relaxed),
        }
    }

    fn remember(&self, wrapped: &WrappedKey, context: &EncryptionContext) {
        if context.get(context::TOPIC).is_none() && self.inner.is_current(&wrapped.key_id) {
            *lock(&self.known) = Some((wrapped.clone(), context.clone()));
        }
    }
}

fn load(counter: Option<&AtomicU64>) -> u64 {
    counter.map_or(0, |counter| counter.load(Ordering::Relaxed))
}

fn since(moment: &AtomicI64) -> Option<i64> {
    Some(moment.load(Ordering::Relaxed)).filter(|milliseconds| *milliseconds > 0)
}

impl KeyProvider for WatchedKeys {
    fn key_id(&self) -> &str {
        self.inner.key_id()
    }

    fn generate_data_key<'a>(&'a self, context: &'a EncryptionContext) -> KeyFuture<'a, DataKey> {
        Box::pin(async move {
            let made = self.inner.generate_data_key(context).await;
            self.count(Operation::Generate, &made);
            if let Ok(made) = &made {
                self.last_generated_ms.store(self.clock.now_ms(), Ordering::Relaxed);
                self.remember(&made.wrapped, context);
            }
            made
        })
    }

    fn unwrap<'a>(
        &'a self,
        wrapped: &'a WrappedKey,
        context: &'a EncryptionContext,
    ) -> KeyFuture<'a, Secret<[u8; KEY_LENGTH]>> {
        Box::pin(async move {
            let key = self.inner.unwrap(wrapped, context).await;
            self.count(Operation::Unwrap, &key);
            if key.is_ok() {
                self.remember(wrapped, context);
            }
            key
        })
    }

    fn is_current(&self, key_id: &str) -> bool {
        self.inner.is_current(key_id)
    }

    fn rewrap<'a>(
        &'a self,
        wrapped: &'a WrappedKey,
        context: &'a EncryptionContext,
    ) -> KeyFuture<'a, WrappedKey> {
        Box::pin(async move {
            let moved = self.inner.rewrap(wrapped, context).await;
            self.count(Operation::Rewrap, &moved);
            moved
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;

    /// A service over a real key that can be told to refuse.
    #[derive(Debug)]
    struct Service {
        key: cadastre_keys::LocalKeyFile,
        refuses: AtomicBool,
    }

    impl Service {
        fn check(&self) -> Result<(), KeyError> {
            if self.refuses.load(Ordering::Relaxed) {
                let (key_id, reason) = (self.key.key_id().to_owned(), "revoked".to_owned());
                return Err(KeyError::Unsuitable { key_id, reason });
            }
            Ok(())
        }
    }

    impl KeyProvider for Service {
        fn key_id(&self) -> &str {
            self.key.key_id()
        }

        fn generate_data_key<'a>(&'a self, context: &'a EncryptionContext) -> KeyFuture<'a, DataKey> {
            Box::pin(async move {
                self.check()?;
                self.key.generate_data_key(context).await
            })
        }

        fn unwrap<'a>(
            &'a self,
            wrapped: &'a WrappedKey,
            context: &'a EncryptionContext,
        ) -> KeyFuture<'a, Secret<[u8; KEY_LENGTH]>> {
            Box::pin(async move {
                self.check()?;
                self.key.unwrap(wrapped, context).await
            })
        }
    }

    const LEASE: Duration = Duration::from_secs(300);
    const LEASE_MS: i64 = 300_000;

    fn service(clock: &Clock) -> (tempfile::TempDir, Arc<Service>, Arc<WatchedKeys>) {
        let directory = tempfile::tempdir().unwrap();
        let key = cadastre_keys::LocalKeyFile::create(&directory.path().join("kek")).unwrap();
        let service = Arc::new(Service { key, refuses: AtomicBool::new(false) });
        let watched = WatchedKeys::new(Arc::<Service>::clone(&service), clock.clone());
        (directory, service, watched)
    }

    #[tokio::test]
    async fn a_revoked_key_is_noticed_when_it_is_used_and_when_the_lease_is_over() {
        let clock = Clock::fixed(1_000_000);
        let (_directory, service, watched) = service(&clock);
        let context = EncryptionContext::new().with(context::CLUSTER, "test");
        watched.generate_data_key(&context).await.unwrap();
        service.refuses.store(true, Ordering::Relaxed);
        assert!(watched.is_usable(LEASE).await, "what was leased may still be used");
        clock.set(1_000_000 + LEASE_MS + 1);
        assert!(!watched.is_usable(LEASE).await, "nobody used it, and it is asked for");
        service.refuses.store(false, Ordering::Relaxed);
        assert!(!watched.is_usable(LEASE).await, "not asked again at once");
        clock.set(1_000_000 + LEASE_MS + 1 + AGAIN_MS);
        assert!(watched.is_usable(LEASE).await, "restored");
        service.refuses.store(true, Ordering::Relaxed);
        clock.set(1_000_000 + LEASE_MS + 2 + AGAIN_MS);
        assert!(watched.generate_data_key(&context).await.is_err());
        assert!(!watched.is_usable(LEASE).await, "a use failed within the lease");
        assert_eq!(watched.calls(Operation::Generate), [1, 1]);
        assert_eq!(watched.calls(Operation::Unwrap), [1, 1]);
    }

    #[tokio::test]
    async fn a_key_of_a_topic_is_never_asked_for_again() {
        let clock = Clock::fixed(1_000_000);
        let (_directory, _service, watched) = service(&clock);
        let own = EncryptionContext::new().with(context::CLUSTER, "test");
        let topic = own.clone().with(context::TOPIC, "shredded");
        watched.generate_data_key(&topic).await.unwrap();
        assert!(lock(&watched.known).is_none());
        watched.generate_data_key(&own).await.unwrap();
        watched.generate_data_key(&topic).await.unwrap();
        assert_eq!(lock(&watched.known).as_ref().map(|(_, context)| context.clone()), Some(own));
    }
}
