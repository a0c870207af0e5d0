//! Sealing and opening keys that end with the lease they came from.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};

use crate::cache::KeyLease;
use crate::envelope::{OpenError, OpeningKey, SealingKey, TAG_LENGTH};
use crate::{EncryptionContext, KEY_LENGTH, KeyError, Secret, WrappedKey};

/// A fresh data key in all its forms.
#[derive(Debug)]
pub struct NewKey {
    /// Seals; there is one, and it counts.
    pub sealing: SealingHandle,
    /// Opens what was sealed.
    pub opening: Arc<OpeningHandle>,
    /// To be stored beside what was sealed.
    pub wrapped: WrappedKey,
}

/// Where a handle's key comes from.
#[derive(Debug, Clone)]
pub(crate) struct KeySource {
    pub(crate) wrapped: WrappedKey,
    pub(crate) context: EncryptionContext,
}

/// Something that holds a key as long as its lease.
pub(crate) trait Wipe: Send + Sync {
    /// Drops the key if the lease is over.
    fn wipe_if_expired(&self);
}

/// Why a sealed message could not be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HandleOpenError {
    /// The lease is over: renew, then try again.
    #[error("lease of a data key has expired")]
    Expired,
    /// The message does not authenticate.
    #[error(transparent)]
    Open(#[from] OpenError),
}

/// Opens numbered messages while its lease lasts.
pub struct OpeningHandle {
    source: KeySource,
    held: RwLock<Option<(Arc<OpeningKey>, KeyLease)>>,
}

impl OpeningHandle {
    pub(crate) fn new(
        source: KeySource,
        key: &Secret<[u8; KEY_LENGTH]>,
        lease: KeyLease,
    ) -> Result<Self, KeyError> {
        Ok(Self { source, held: RwLock::new(Some((Arc::new(OpeningKey::new(key)?), lease))) })
    }

    pub(crate) const fn source(&self) -> &KeySource {
        &self.source
    }

    pub(crate) fn refill(&self, key: &Secret<[u8; KEY_LENGTH]>, lease: KeyLease) -> Result<(), KeyError> {
        let opening = Arc::new(OpeningKey::new(key)?);
        *self.held.write().unwrap_or_else(PoisonError::into_inner) = Some((opening, lease));
        Ok(())
    }

    /// Decrypts `sealed` (ciphertext, then tag) in place and gives the plaintext within it.
    ///
    /// # Errors
    /// [`HandleOpenError::Expired`] when the lease is over, [`HandleOpenError::Open`] when anything differs from what
    /// was sealed.
    pub fn open<'a>(
        &self,
        number: u64,
        additional_data: &[u8],
        sealed: &'a mut [u8],
    ) -> Result<&'a mut [u8], HandleOpenError> {
        let opening = self.hold().map_err(|_expired| HandleOpenError::Expired)?;
        Ok(opening.open(number, additional_data, sealed)?)
    }

    /// The key itself, for work that is begun now and done at once; not to be kept.
    ///
    /// # Errors
    /// [`KeyError::Expired`] when the lease is over.
    pub fn hold(&self) -> Result<Arc<OpeningKey>, KeyError> {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        match held.as_ref() {
            Some((opening, lease)) if lease.is_live_for_use() => Ok(Arc::clone(opening)),
            _ => Err(KeyError::Expired),
        }
    }
}

impl Wipe for OpeningHandle {
    fn wipe_if_expired(&self) {
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        if held.as_ref().is_some_and(|(_, lease)| !lease.is_live()) {
            *held = None;
        }
    }
}

impl fmt::Debug for OpeningHandle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("OpeningHandle").field("source", &self.source).finish_non_exhaustive()
    }
}

/// Seals numbered messages while its lease lasts. Not `Clone`: the numbers are its nonces.
pub struct SealingHandle {
    source: KeySource,
    state: Arc<Mutex<SealingState>>,
}

struct SealingState {
    held: Option<(SealingKey, KeyLease)>,
    /// The next number, kept while the key is not.
    next: u64,
    /// The lease of the key while it is taken out. There must never be a second one that counts from here.
    taken: Option<KeyLease>,
}

impl SealingHandle {
    pub(crate) fn new(
        source: KeySource,
        key: &Secret<[u8; KEY_LENGTH]>,
        lease: KeyLease,
    ) -> Result<Self, KeyError> {
        let held = Some((SealingKey::resume(key, 0)?, lease));
        Ok(Self { source, state: Arc::new(Mutex::new(SealingState { held, next: 0, taken: None })) })
    }

    pub(crate) const fn source(&self) -> &KeySource {
        &self.source
    }

    pub(crate) fn wiper(&self) -> Weak<dyn Wipe> {
        let weak: Weak<Mutex<SealingState>> = Arc::downgrade(&self.state);
        weak
    }

    pub(crate) fn refill(&self, key: &Secret<[u8; KEY_LENGTH]>, lease: KeyLease) -> Result<(), KeyError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.taken.is_some() {
            return Err(KeyError::Cryptography { operation: "make a second sealing key of a data key" });
        }
        state.held = Some((SealingKey::resume(key, state.next)?, lease));
        Ok(())
    }

    /// Takes the key out for a group of messages that is begun now and must then be finished, to be put back right after it:
    /// what is in hand does not end with the lease. When it is not put back, nothing is ever sealed under it again.
    ///
    /// # Errors
    /// [`KeyError::Expired`] when the lease is over, or the key is out already.
    pub fn take(&mut self) -> Result<SealingKey, KeyError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match state.held.take() {
            Some((sealing, lease)) if lease.is_live_for_use() => {
                state.taken = Some(lease);
                Ok(sealing)
            }
            _ => Err(KeyError::Expired),
        }
    }

    /// Puts back what [`Self::take`] gave. When the lease is over by now, only the count is kept.
    pub fn put_back(&mut self, sealing: SealingKey) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(lease) = state.taken.take() else { return };
        state.next = sealing.next_number();
        if lease.is_live() {
            state.held = Some((sealing, lease));
        }
    }

    /// The number that the next message will bear.
    #[must_use]
    pub fn next_number(&self) -> u64 {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).next
    }

    /// Whether the lease still lasts.
    #[must_use]
    pub fn is_live(&self) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.held.as_ref().is_some_and(|(_, lease)| lease.is_live())
    }

    /// Encrypts `buffer` in place and gives the tag.
    ///
    /// # Errors
    /// [`KeyError::Expired`] when the lease is over, with `buffer` untouched; else as [`SealingKey::seal`].
    pub fn seal(&mut self, additional_data: &[u8], buffer: &mut [u8]) -> Result<[u8; TAG_LENGTH], KeyError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (sealing, lease) = state.held.as_mut().ok_or(KeyError::Expired)?;
        if !lease.is_live_for_use() {
            return Err(KeyError::Expired);
        }
        let sealed = sealing.seal(additional_data, buffer);
        let next = sealing.next_number();
        state.next = next;
        sealed
    }
}

impl Wipe for Mutex<SealingState> {
    fn wipe_if_expired(&self) {
        let mut state = self.lock().unwrap_or_else(PoisonError::into_inner);
        if state.held.as_ref().is_some_and(|(_, lease)| !lease.is_live()) {
            state.held = None;
        }
    }
}

impl fmt::Debug for SealingHandle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SealingHandle")
            .field("source", &self.source)
            .field("next", &self.next_number())
            .finish_non_exhaustive()
    }
}
