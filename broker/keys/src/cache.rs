//! Keys that a provider unwrapped, for a limited time and in limited number.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt, Shared};

use crate::{EncryptionContext, KEY_LENGTH, KeyClock, KeyError, KeyProvider, Secret, WrappedKey};

/// How long and how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyCacheConfig {
    /// A key is used for at most so long after its last successful unwrap was asked for.
    pub ttl: Duration,
    /// At most so many keys; at least 1.
    pub capacity: usize,
    /// After a failure the provider is not asked for the same key for so long.
    pub pause_after_failure: Duration,
}

impl Default for KeyCacheConfig {
    /// 5 minutes, 10,000 keys, 1 second.
    fn default() -> Self {
        Self { ttl: Duration::from_secs(300), capacity: 10_000, pause_after_failure: Duration::from_secs(1) }
    }
}

/// A key that may be used until its time is over. Clones share the key, and its end.
#[derive(Clone)]
pub struct KeyLease {
    shared: Arc<LeaseState>,
}

struct LeaseState {
    clock: Arc<dyn KeyClock>,
    /// Whether anybody used the key since it was last renewed.
    used: AtomicBool,
    held: RwLock<Option<Held>>,
}

struct Held {
    key: Secret<[u8; KEY_LENGTH]>,
    deadline: Duration,
}

impl KeyLease {
    fn empty(clock: Arc<dyn KeyClock>) -> Self {
        Self { shared: Arc::new(LeaseState { clock, used: AtomicBool::new(false), held: RwLock::new(None) }) }
    }

    /// Whether the key may be used now.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.remaining().is_some()
    }

    /// As [`Self::is_live`], and remembers that the key is in use.
    pub(crate) fn is_live_for_use(&self) -> bool {
        self.shared.used.store(true, Ordering::Relaxed);
        self.is_live()
    }

    /// How long the key may still be used; `None` when it may not.
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        let held = self.shared.held.read().unwrap_or_else(PoisonError::into_inner);
        let deadline = held.as_ref()?.deadline;
        deadline.checked_sub(self.shared.clock.elapsed()).filter(|rest| !rest.is_zero())
    }

    /// Gives the key to `operation`, unless its time is over.
    ///
    /// # Errors
    /// [`KeyError::Expired`].
    pub(crate) fn with_key<T>(
        &self,
        operation: impl FnOnce(&Secret<[u8; KEY_LENGTH]>) -> T,
    ) -> Result<T, KeyError> {
        let held = self.shared.held.read().unwrap_or_else(PoisonError::into_inner);
        let held = held.as_ref().ok_or(KeyError::Expired)?;
        self.shared.used.store(true, Ordering::Relaxed);
        if self.shared.clock.elapsed() >= held.deadline {
            return Err(KeyError::Expired);
        }
        Ok(operation(&held.key))
    }

    fn fill(&self, key: Secret<[u8; KEY_LENGTH]>, deadline: Duration) {
        let mut held = self.shared.held.write().unwrap_or_else(PoisonError::into_inner);
        // An answer that was overtaken by a later one does not shorten what that one granted.
        let deadline = held.as_ref().map_or(deadline, |held| held.deadline.max(deadline));
        *held = Some(Held { key, deadline });
    }

    fn wipe(&self) {
        *self.shared.held.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn wipe_if_expired(&self) {
        if !self.is_live() {
            self.wipe();
        }
    }
}

impl fmt::Debug for KeyLease {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("KeyLease").field("remaining", &self.remaining()).finish_non_exhaustive()
    }
}

/// Names an entry: hashes of wrapped key and context.
type EntryKey = ([u8; 32], [u8; 32]);
type Flight = Shared<BoxFuture<'static, Result<(), Arc<KeyError>>>>;

struct Entry {
    wrapped: WrappedKey,
    context: EncryptionContext,
    lease: KeyLease,
    flight: Option<Flight>,
    failure: Option<(Duration, Arc<KeyError>)>,
    last_used: u64,
}

#[derive(Default)]
struct Entries {
    by_key: HashMap<EntryKey, Entry>,
    uses: u64,
}

/// Asks a provider for keys, once for all who ask at the same time, and remembers them for a while.
pub struct KeyCache {
    provider: Arc<dyn KeyProvider>,
    clock: Arc<dyn KeyClock>,
    config: KeyCacheConfig,
    entries: Mutex<Entries>,
}

impl KeyCache {
    /// An empty cache.
    #[must_use]
    pub fn new(provider: Arc<dyn KeyProvider>, clock: Arc<dyn KeyClock>, config: KeyCacheConfig) -> Self {
        Self { provider, clock, config, entries: Mutex::default() }
    }

    /// The provider behind it.
    #[must_use]
    pub fn provider(&self) -> &Arc<dyn KeyProvider> {
        &self.provider
    }

    /// The number of entries, expired ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries().by_key.len()
    }

    /// Whether there are no entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A lease on the key that `wrapped` wraps, from memory or from the provider.
    ///
    /// # Errors
    /// What the provider says; [`KeyError::Shared`] when several callers waited for one answer.
    pub async fn lease(
        &self,
        wrapped: &WrappedKey,
        context: &EncryptionContext,
    ) -> Result<KeyLease, KeyError> {
        let key = entry_key(wrapped, context);
        let (lease, flight) = self.begin(key, wrapped, context, false)?;
        if let Some(flight) = flight {
            self.land(key, flight).await?;
            if !lease.is_live() {
                // Evicted or expired while its answer was under way.
                return Err(KeyError::Expired);
            }
        }
        Ok(lease)
    }

    /// Takes over a key that the provider has just made; `asked_at` is when it was asked.
    pub(crate) fn insert(
        &self,
        wrapped: &WrappedKey,
        context: &EncryptionContext,
        key: Secret<[u8; KEY_LENGTH]>,
        asked_at: Duration,
    ) -> KeyLease {
        let mut entries = self.entries();
        let entry = self.entry(&mut entries, entry_key(wrapped, context), wrapped, context);
        entry.lease.fill(key, asked_at.saturating_add(self.config.ttl));
        entry.lease.clone()
    }

    /// Wipes and removes every entry of `wrapped`; leases on it are over.
    pub fn forget(&self, wrapped: &WrappedKey) {
        let digest = wrapped.digest();
        self.entries().by_key.retain(|(of_wrapped, _), entry| {
            let keep = *of_wrapped != digest;
            if !keep {
                entry.lease.wipe();
            }
            keep
        });
    }

    /// Wipes keys whose time is over, and asks again for those that were used and whose time soon will be, so that
    /// their users need not wait. To be called several times within a TTL.
    pub async fn maintain(&self) {
        let soon = self.config.ttl / 3;
        let renewals: Vec<_> = {
            let mut entries = self.entries();
            entries.by_key.retain(|_, entry| {
                entry.lease.wipe_if_expired();
                entry.lease.is_live() || entry.flight.is_some() || entry.failure.is_some()
            });
            let due = |entry: &Entry| {
                entry.lease.remaining().is_some_and(|rest| rest < soon)
                    && entry.lease.shared.used.swap(false, Ordering::Relaxed)
            };
            let due = entries.by_key.iter().filter(|(_, entry)| due(entry));
            due.map(|(key, entry)| (*key, entry.wrapped.clone(), entry.context.clone())).collect()
        };
        for (key, wrapped, context) in renewals {
            if let Ok((_lease, Some(flight))) = self.begin(key, &wrapped, &context, true) {
                // Whoever uses the key next is told; here there is nobody to tell.
                let _outcome = self.land(key, flight).await;
            }
        }
    }

    /// The time that leases are measured by.
    pub(crate) fn now(&self) -> Duration {
        self.clock.elapsed()
    }

    /// The entry's lease, and what to wait for if it is not live or `renew` is asked.
    fn begin(
        &self,
        key: EntryKey,
        wrapped: &WrappedKey,
        context: &EncryptionContext,
        renew: bool,
    ) -> Result<(KeyLease, Option<Flight>), KeyError> {
        let mut entries = self.entries();
        let entry = self.entry(&mut entries, key, wrapped, context);
        let lease = entry.lease.clone();
        if lease.is_live() && !renew {
            return Ok((lease, None));
        }
        if let Some(flight) = &entry.flight {
            return Ok((lease, Some(flight.clone())));
        }
        if let Some((until, error)) = &entry.failure
            && self.clock.elapsed() < *until
        {
            return Err(KeyError::shared(error));
        }
        entry.failure = None;
        let flight = self.ask(wrapped.clone(), context.clone(), lease.clone());
        entry.flight = Some(flight.clone());
        Ok((lease, Some(flight)))
    }

    fn ask(&self, wrapped: WrappedKey, context: EncryptionContext, lease: KeyLease) -> Flight {
        let provider = Arc::clone(&self.provider);
        let clock = Arc::clone(&self.clock);
        let ttl = self.config.ttl;
        async move {
            // Before the call: the key may have been disabled at any moment after it was answered.
            let asked_at = clock.elapsed();
            match provider.unwrap(&wrapped, &context).await {
                Ok(key) => {
                    lease.fill(key, asked_at.saturating_add(ttl));
                    Ok(())
                }
                Err(error) => {
                    if !error.is_retriable() {
                        lease.wipe();
                    }
                    Err(Arc::new(error))
                }
            }
        }
        .boxed()
        .shared()
    }

    async fn land(&self, key: EntryKey, flight: Flight) -> Result<(), KeyError> {
        let outcome = flight.clone().await;
        let mut entries = self.entries();
        if let Some(entry) = entries.by_key.get_mut(&key)
            && entry.flight.as_ref().is_some_and(|current| current.ptr_eq(&flight))
        {
            entry.flight = None;
            if let Err(error) = &outcome {
                let until = self.clock.elapsed().saturating_add(self.config.pause_after_failure);
                entry.failure = Some((until, Arc::clone(error)));
            }
        }
        outcome.map_err(|error| KeyError::shared(&error))
    }

    fn entry<'a>(
        &self,
        entries: &'a mut Entries,
        key: EntryKey,
        wrapped: &WrappedKey,
        context: &EncryptionContext,
    ) -> &'a mut Entry {
        entries.uses = entries.uses.saturating_add(1);
        let uses = entries.uses;
        if !entries.by_key.contains_key(&key) {
            while entries.by_key.len() >= self.config.capacity.max(1) {
                let oldest = entries.by_key.iter().min_by_key(|(_, entry)| entry.last_used);
                let Some(oldest) = oldest.map(|(key, _)| *key) else { break };
                if let Some(evicted) = entries.by_key.remove(&oldest) {
                    evicted.lease.wipe();
                }
            }
        }
        let entry = entries.by_key.entry(key).or_insert_with(|| Entry {
            wrapped: wrapped.clone(),
            context: context.clone(),
            lease: KeyLease::empty(Arc::clone(&self.clock)),
            flight: None,
            failure: None,
            last_used: 0,
        });
        entry.last_used = uses;
        entry
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for KeyCache {
    fn drop(&mut self) {
        for entry in self.entries().by_key.values() {
            entry.lease.wipe();
        }
    }
}

impl fmt::Debug for KeyCache {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("KeyCache")
            .field("provider", &self.provider)
            .field("config", &self.config)
            .field("entries", &self.len())
            .finish_non_exhaustive()
    }
}

fn entry_key(wrapped: &WrappedKey, context: &EncryptionContext) -> EntryKey {
    (wrapped.digest(), context.digest())
}
