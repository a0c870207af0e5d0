//! Hands out keys for sealing and opening, and sees to it that none outlives its lease.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::cache::{KeyCache, KeyCacheConfig, KeyLease};
use crate::handles::{KeySource, NewKey, OpeningHandle, SealingHandle, Wipe};
use crate::{
    DataKey, EncryptionContext, KEY_LENGTH, KeyClock, KeyError, KeyProvider, KeyScope, ScopeKeyStore, Secret,
    WrappedKey, context,
};

/// Which topics have keys of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TopicKeys {
    /// None: all share the cluster's.
    Shared,
    /// All: deleting a topic can destroy its key.
    #[default]
    Own,
}

/// How keys are handed out.
#[derive(Debug, Clone)]
pub struct KeyRingConfig {
    /// Bound into every context.
    pub cluster_id: String,
    /// Which topics have keys of their own.
    pub topic_keys: TopicKeys,
    /// How long and how many.
    pub cache: KeyCacheConfig,
}

/// The keys of one cluster in one process.
pub struct KeyRing {
    config: KeyRingConfig,
    cache: KeyCache,
    store: Arc<dyn ScopeKeyStore>,
    handles: Mutex<Vec<Weak<dyn Wipe>>>,
}

impl KeyRing {
    /// A ring without any keys yet.
    #[must_use]
    pub fn new(
        config: KeyRingConfig,
        provider: Arc<dyn KeyProvider>,
        store: Arc<dyn ScopeKeyStore>,
        clock: Arc<dyn KeyClock>,
    ) -> Self {
        let cache = KeyCache::new(provider, clock, config.cache);
        Self { config, cache, store, handles: Mutex::default() }
    }

    /// The provider behind it.
    #[must_use]
    pub fn provider(&self) -> &Arc<dyn KeyProvider> {
        self.cache.provider()
    }

    /// The scope of a topic's data, by the topic's id.
    #[must_use]
    pub fn scope_of_topic(&self, topic_id: &str) -> KeyScope {
        match self.config.topic_keys {
            TopicKeys::Shared => KeyScope::Cluster,
            TopicKeys::Own => KeyScope::Topic(topic_id.to_owned()),
        }
    }

    /// A fresh data key that the provider itself wraps: for log segments, which must open before any metadata.
    ///
    /// # Errors
    /// What the provider says.
    pub async fn seal_direct(&self, context: EncryptionContext) -> Result<NewKey, KeyError> {
        let context = self.complete(context);
        let asked_at = self.cache.now();
        let DataKey { plaintext, wrapped } = self.cache.provider().generate_data_key(&context).await?;
        let lease = self.cache.insert(&wrapped, &context, plaintext.duplicate(), asked_at);
        self.hand_out(KeySource { wrapped, context }, &plaintext, lease)
    }

    /// A fresh data key under the key of `scope`: for objects, cache files and metadata values.
    ///
    /// # Errors
    /// What the provider or the store of scope keys says.
    pub async fn seal_scoped(
        &self,
        scope: &KeyScope,
        context: EncryptionContext,
    ) -> Result<NewKey, KeyError> {
        let context = self.complete(context);
        let lease = self.scope_lease(scope, true).await?;
        let plaintext = Secret::random_key()?;
        let wrapped = lease.with_key(|scope_key| scope.wrap(scope_key, &plaintext, &context))??;
        self.hand_out(KeySource { wrapped, context }, &plaintext, lease)
    }

    /// The key that opens what was sealed under `wrapped`.
    ///
    /// # Errors
    /// What the provider or the store of scope keys says; [`KeyError::NotFound`] when the scope's key is gone.
    pub async fn open(
        &self,
        wrapped: &WrappedKey,
        context: EncryptionContext,
    ) -> Result<Arc<OpeningHandle>, KeyError> {
        let source = KeySource { wrapped: wrapped.clone(), context: self.complete(context) };
        let (plaintext, lease) = self.recover(&source).await?;
        let handle = Arc::new(OpeningHandle::new(source, &plaintext, lease)?);
        self.register(Arc::downgrade(&handle) as Weak<dyn Wipe>);
        Ok(handle)
    }

    /// Makes an expired handle usable again, if the provider still allows it.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn renew_opening(&self, handle: &OpeningHandle) -> Result<(), KeyError> {
        let (plaintext, lease) = self.recover(handle.source()).await?;
        handle.refill(&plaintext, lease)
    }

    /// Makes an expired handle usable again; it goes on counting where it was.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn renew_sealing(&self, handle: &mut SealingHandle) -> Result<(), KeyError> {
        let (plaintext, lease) = self.recover(handle.source()).await?;
        handle.refill(&plaintext, lease)
    }

    /// Drops what is known of `wrapped`: called when a wrapped scope key was destroyed. Handles on data keys under it
    /// are over.
    pub fn forget(&self, wrapped: &WrappedKey) {
        self.cache.forget(wrapped);
        self.wipe_handles();
    }

    /// Wipes what has expired and renews what is in use; to be called several times within the cache's TTL.
    pub async fn maintain(&self) {
        self.cache.maintain().await;
        self.wipe_handles();
    }

    fn complete(&self, context: EncryptionContext) -> EncryptionContext {
        context.with(context::CLUSTER, &self.config.cluster_id)
    }

    fn hand_out(
        &self,
        source: KeySource,
        plaintext: &Secret<[u8; KEY_LENGTH]>,
        lease: KeyLease,
    ) -> Result<NewKey, KeyError> {
        let wrapped = source.wrapped.clone();
        let opening = Arc::new(OpeningHandle::new(source.clone(), plaintext, lease.clone())?);
        let sealing = SealingHandle::new(source, plaintext, lease)?;
        self.register(Arc::downgrade(&opening) as Weak<dyn Wipe>);
        self.register(sealing.wiper());
        Ok(NewKey { sealing, opening, wrapped })
    }

    async fn recover(&self, source: &KeySource) -> Result<(Secret<[u8; KEY_LENGTH]>, KeyLease), KeyError> {
        let KeySource { wrapped, context } = source;
        if let Some(scope) = KeyScope::of_key_id(&wrapped.key_id) {
            let lease = self.scope_lease(&scope, false).await?;
            let data_key = lease.with_key(|scope_key| scope.unwrap(scope_key, wrapped, context))??;
            return Ok((data_key, lease));
        }
        let lease = self.cache.lease(wrapped, context).await?;
        let data_key = lease.with_key(Secret::duplicate)?;
        Ok((data_key, lease))
    }

    /// A lease on the key of `scope`, which is made first if `create` says so.
    async fn scope_lease(&self, scope: &KeyScope, create: bool) -> Result<KeyLease, KeyError> {
        let context = scope.context(&self.config.cluster_id);
        if let Some(wrapped) = self.store.load(scope).await? {
            return self.cache.lease(&wrapped, &context).await;
        }
        if !create {
            return Err(KeyError::NotFound { key_id: scope.to_string() });
        }
        let asked_at = self.cache.now();
        let made = self.cache.provider().generate_data_key(&context).await?;
        let kept = self.store.create(scope, &made.wrapped).await?;
        if kept == made.wrapped {
            return Ok(self.cache.insert(&kept, &context, made.plaintext, asked_at));
        }
        // Another broker was first; what was made here was never used.
        self.cache.lease(&kept, &context).await
    }

    fn register(&self, handle: Weak<dyn Wipe>) {
        let mut handles = self.handles.lock().unwrap_or_else(PoisonError::into_inner);
        // Amortised: the list is cleared of the dead each time it would grow.
        if handles.len() == handles.capacity() {
            handles.retain(|handle| handle.strong_count() > 0);
        }
        handles.push(handle);
    }

    fn wipe_handles(&self) {
        let mut handles = self.handles.lock().unwrap_or_else(PoisonError::into_inner);
        handles.retain(|handle| {
            let handle = handle.upgrade();
            if let Some(handle) = &handle {
                handle.wipe_if_expired();
            }
            handle.is_some()
        });
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("KeyRing").field("config", &self.config).finish_non_exhaustive()
    }
}
