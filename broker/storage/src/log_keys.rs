//! The data keys of segments: straight from a provider, or on leases that end when the customer's key is withdrawn.

use std::sync::{Arc, Mutex, PoisonError};

use cadastre_keys::envelope::{OpeningKey, SealingKey};
use cadastre_keys::{
    EncryptionContext, KeyError, KeyProvider, KeyRing, NewKey, OpeningHandle, SealingHandle, WrappedKey,
};

/// Where a log gets the keys of its segments.
#[derive(Debug, Clone)]
pub enum LogKeys {
    /// What was unwrapped once is used as long as the log is open: for tools, tests and local keys.
    Provider(Arc<dyn KeyProvider>),
    /// Keys on leases: when the provider refuses a key, or cannot be asked, reads and writes end with the lease, and go on
    /// when it answers again.
    Ring(Arc<KeyRing>),
}

impl From<Arc<dyn KeyProvider>> for LogKeys {
    fn from(provider: Arc<dyn KeyProvider>) -> Self {
        Self::Provider(provider)
    }
}

impl From<Arc<KeyRing>> for LogKeys {
    fn from(ring: Arc<KeyRing>) -> Self {
        Self::Ring(ring)
    }
}

/// What a new segment needs of its key. The sealing key is in hand.
#[derive(Debug)]
pub(crate) struct FreshKey {
    pub(crate) sealer: Sealer,
    pub(crate) opener: Opener,
    pub(crate) wrapped: WrappedKey,
}

impl LogKeys {
    pub(crate) fn provider(&self) -> &Arc<dyn KeyProvider> {
        match self {
            Self::Provider(provider) => provider,
            Self::Ring(ring) => ring.provider(),
        }
    }

    /// A key for a new segment.
    pub(crate) async fn generate(&self, context: EncryptionContext) -> Result<FreshKey, KeyError> {
        match self {
            Self::Provider(provider) => {
                let data_key = provider.generate_data_key(&context).await?;
                let (sealing, opening, wrapped) = SealingKey::from_generated(data_key)?;
                let sealer = Sealer { in_hand: Some(sealing), leased: None };
                Ok(FreshKey { sealer, opener: Opener::owned(opening), wrapped })
            }
            Self::Ring(ring) => {
                let NewKey { mut sealing, opening, wrapped } = ring.seal_direct(context).await?;
                let in_hand = Some(sealing.take()?);
                let sealer = Sealer { in_hand, leased: Some((Arc::clone(ring), sealing)) };
                let opener = Opener { leased: Some((Arc::clone(ring), opening)), kept: Mutex::default() };
                Ok(FreshKey { sealer, opener, wrapped })
            }
        }
    }

    /// The key of a segment that exists, kept until [`Opener::let_go`].
    pub(crate) async fn open(
        &self,
        wrapped: &WrappedKey,
        context: EncryptionContext,
    ) -> Result<Opener, KeyError> {
        match self {
            Self::Provider(provider) => {
                OpeningKey::new(&provider.unwrap(wrapped, &context).await?).map(Opener::owned)
            }
            Self::Ring(ring) => {
                let handle = ring.open(wrapped, context).await?;
                let kept = Mutex::new(Some(handle.hold()?));
                Ok(Opener { leased: Some((Arc::clone(ring), handle)), kept })
            }
        }
    }
}

/// Opens the frames of one segment.
#[derive(Debug)]
pub(crate) struct Opener {
    leased: Option<(Arc<KeyRing>, Arc<OpeningHandle>)>,
    /// The key itself, where no lease ends it or as long as a recovery must not stop halfway.
    kept: Mutex<Option<Arc<OpeningKey>>>,
}

impl Opener {
    fn owned(key: OpeningKey) -> Self {
        Self { leased: None, kept: Mutex::new(Some(Arc::new(key))) }
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Option<Arc<OpeningKey>>> {
        // A poisoned lock means that a thread panicked; the key is there or not.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on the key is used only as long as its lease lasts.
    pub(crate) fn let_go(&self) {
        if self.leased.is_some() {
            *self.kept() = None;
        }
    }

    /// The key, for what is done at once.
    ///
    /// # Errors
    /// [`KeyError::Expired`]: to be renewed first.
    pub(crate) fn hold(&self) -> Result<Arc<OpeningKey>, KeyError> {
        if let Some(kept) = self.kept().as_ref() {
            return Ok(Arc::clone(kept));
        }
        self.leased.as_ref().map_or(Err(KeyError::Expired), |(_, handle)| handle.hold())
    }

    /// Makes sure that the key can be used now.
    ///
    /// # Errors
    /// What the provider says, when the lease is over.
    pub(crate) async fn renew(&self) -> Result<(), KeyError> {
        match (&self.leased, self.hold()) {
            (Some((ring, handle)), Err(KeyError::Expired)) => ring.renew_opening(handle).await,
            (_, held) => held.map(drop),
        }
    }
}

/// Seals the frames of one segment. The key is taken up for a group of frames, which is then finished, and laid down after it.
#[derive(Debug)]
pub(crate) struct Sealer {
    in_hand: Option<SealingKey>,
    leased: Option<(Arc<KeyRing>, SealingHandle)>,
}

impl Sealer {
    /// The key in hand.
    ///
    /// # Errors
    /// [`KeyError::Expired`] when it was not taken up.
    pub(crate) fn key(&mut self) -> Result<&mut SealingKey, KeyError> {
        self.in_hand.as_mut().ok_or(KeyError::Expired)
    }

    /// Takes the key up, renewed if its lease is over.
    ///
    /// # Errors
    /// What the provider says.
    pub(crate) async fn take_up(&mut self) -> Result<(), KeyError> {
        let (None, Some((ring, handle))) = (&self.in_hand, &mut self.leased) else { return Ok(()) };
        let key = match handle.take() {
            Err(KeyError::Expired) => {
                ring.renew_sealing(handle).await?;
                handle.take()?
            }
            other => other?,
        };
        self.in_hand = Some(key);
        Ok(())
    }

    /// Lays the key down, so that it ends with its lease.
    pub(crate) fn lay_down(&mut self) {
        if let Some((_, handle)) = &mut self.leased
            && let Some(key) = self.in_hand.take()
        {
            handle.put_back(key);
        }
    }
}
