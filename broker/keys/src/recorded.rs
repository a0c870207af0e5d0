//! The one way to key services: every call is recorded before its result is given out.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::ledger::{KeyEvent, KeyLedger, KeyOperation};
use crate::service::{Answer, KeyService};
use crate::{DataKey, EncryptionContext, KEY_LENGTH, KeyError, KeyFuture, KeyProvider, Secret, WrappedKey};

/// What happens to a key whose use cannot be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LedgerMode {
    /// It is not given out.
    #[default]
    FailClosed,
    /// It is given out; how many were is recorded as soon as the ledger can be written again.
    FailOpen,
}

/// A provider over one service for new keys and any number for older ones, with a ledger.
///
/// Services are [`KeyService`]s and not [`KeyProvider`]s, so what takes a provider cannot be handed one whose
/// calls go unrecorded ([`LocalKeyFile`](crate::LocalKeyFile) alone is both, for tools and tests).
#[derive(Debug)]
pub struct RecordedKeys {
    current: Arc<dyn KeyService>,
    previous: Vec<Arc<dyn KeyService>>,
    ledger: Arc<dyn KeyLedger>,
    mode: LedgerMode,
    missed: AtomicU64,
}

impl RecordedKeys {
    /// New keys are wrapped by `current`; `previous` are asked for what they hold.
    #[must_use]
    pub fn new(
        current: Arc<dyn KeyService>,
        previous: Vec<Arc<dyn KeyService>>,
        ledger: Arc<dyn KeyLedger>,
        mode: LedgerMode,
    ) -> Self {
        Self { current, previous, ledger, mode, missed: AtomicU64::new(0) }
    }

    /// Uses that could not be recorded since the ledger was last written; always 0 when failing closed.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.missed.load(Ordering::SeqCst)
    }

    fn service_for(&self, key_id: &str) -> Result<&Arc<dyn KeyService>, KeyError> {
        std::iter::once(&self.current).chain(&self.previous).find(|service| service.holds(key_id)).ok_or_else(
            || KeyError::UnknownKey {
                wrapped_by: key_id.to_owned(),
                held: self.current.current_key().to_owned(),
            },
        )
    }

    /// Records `event` with its outcome, and only then gives the outcome out.
    async fn record<T>(&self, event: KeyEvent, answer: Answer<T>) -> Result<T, KeyError> {
        let mut event = event.with_outcome(&answer.outcome);
        event.request_id = answer.request_id;
        let key_id = event.key_id.clone().unwrap_or_default();
        match (self.append(event).await, self.mode) {
            (Ok(()), _) | (Err(_), LedgerMode::FailOpen) => answer.outcome,
            // A refusal tells more than that it could not be recorded, and gives nothing out.
            (Err(_), LedgerMode::FailClosed) if answer.outcome.is_err() => answer.outcome,
            (Err(source), LedgerMode::FailClosed) => Err(KeyError::Unrecorded { key_id, source }),
        }
    }

    async fn append(&self, event: KeyEvent) -> Result<(), crate::ledger::LedgerError> {
        let missed = self.missed.load(Ordering::SeqCst);
        if missed > 0 {
            let gap = KeyEvent::new(KeyOperation::Gap).with_detail("missed", missed.to_string());
            if self.ledger.append(gap).await.is_ok() {
                self.missed.fetch_sub(missed, Ordering::SeqCst);
            }
        }
        let appended = self.ledger.append(event).await;
        if appended.is_err() && self.mode == LedgerMode::FailOpen {
            self.missed.fetch_add(1, Ordering::SeqCst);
        }
        appended
    }

    async fn generate(&self, context: &EncryptionContext) -> Result<DataKey, KeyError> {
        let answer = self.current.generate_key(context).await;
        let mut event = KeyEvent::about(KeyOperation::Generate, self.current.current_key(), context);
        if let Ok(data_key) = &answer.outcome {
            event.key_id = Some(data_key.wrapped.key_id.clone());
            event = event.with_wrapped(&data_key.wrapped);
        }
        self.record(event, answer).await
    }

    async fn recover(
        &self,
        wrapped: &WrappedKey,
        context: &EncryptionContext,
    ) -> Result<Secret<[u8; KEY_LENGTH]>, KeyError> {
        let answer = match self.service_for(&wrapped.key_id) {
            Ok(service) => service.unwrap_key(wrapped, context).await,
            Err(error) => Answer::local(Err(error)),
        };
        let event = KeyEvent::about(KeyOperation::Unwrap, &wrapped.key_id, context).with_wrapped(wrapped);
        self.record(event, answer).await
    }

    async fn relocate(
        &self,
        wrapped: &WrappedKey,
        context: &EncryptionContext,
    ) -> Result<WrappedKey, KeyError> {
        if !self.current.holds(&wrapped.key_id) {
            // From one service to another: each sees, and records, its own half.
            let key = self.recover(wrapped, context).await?;
            let answer = self.current.wrap_key(&key, context).await;
            let mut event = KeyEvent::about(KeyOperation::Wrap, self.current.current_key(), context);
            if let Ok(moved) = &answer.outcome {
                event.key_id = Some(moved.key_id.clone());
                event = event.with_wrapped(moved);
            }
            return self.record(event, answer).await;
        }
        let answer = self.current.rewrap_key(wrapped, context).await;
        let mut event = KeyEvent::about(KeyOperation::Rewrap, &wrapped.key_id, context).with_wrapped(wrapped);
        if let Ok(moved) = &answer.outcome {
            event.new_key_id = Some(moved.key_id.clone());
            event.new_wrapped_sha256 = Some(hex::encode(moved.digest()));
        }
        self.record(event, answer).await
    }
}

impl KeyProvider for RecordedKeys {
    fn key_id(&self) -> &str {
        self.current.current_key()
    }

    fn is_current(&self, key_id: &str) -> bool {
        self.current.is_current_key(key_id)
    }

    fn generate_data_key<'a>(&'a self, context: &'a EncryptionContext) -> KeyFuture<'a, DataKey> {
        Box::pin(self.generate(context))
    }

    fn unwrap<'a>(
        &'a self,
        wrapped: &'a WrappedKey,
        context: &'a EncryptionContext,
    ) -> KeyFuture<'a, Secret<[u8; KEY_LENGTH]>> {
        Box::pin(self.recover(wrapped, context))
    }

    fn rewrap<'a>(
        &'a self,
        wrapped: &'a WrappedKey,
        context: &'a EncryptionContext,
    ) -> KeyFuture<'a, WrappedKey> {
        Box::pin(self.relocate(wrapped, context))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::LocalKeyFile;
    use crate::ledger::MemoryLedger;

    fn key(directory: &Path, name: &str) -> Arc<dyn KeyService> {
        Arc::new(LocalKeyFile::create(&directory.join(name)).unwrap())
    }

    fn context() -> EncryptionContext {
        EncryptionContext::new()
            .with(crate::context::CLUSTER, "c")
            .with(crate::context::PURPOSE, crate::context::purpose::OBJECT)
            .with(crate::context::OBJECT, "o-1")
    }

    fn operations(ledger: &MemoryLedger) -> Vec<(KeyOperation, String)> {
        ledger.events().into_iter().map(|event| (event.operation, event.outcome)).collect()
    }

    #[tokio::test]
    async fn every_use_is_recorded_refusals_included() {
        let directory = tempfile::tempdir().unwrap();
        let ledger = Arc::new(MemoryLedger::new());
        let (current, foreign) = (key(directory.path(), "a"), key(directory.path(), "b"));
        let keys = RecordedKeys::new(
            Arc::clone(&current),
            Vec::new(),
            Arc::clone(&ledger) as Arc<dyn KeyLedger>,
            LedgerMode::FailClosed,
        );
        let data_key = keys.generate_data_key(&context()).await.unwrap();
        keys.unwrap(&data_key.wrapped, &context()).await.unwrap();
        assert!(keys.unwrap(&data_key.wrapped, &EncryptionContext::new()).await.is_err());
        let elsewhere = foreign.generate_key(&context()).await.outcome.unwrap();
        assert!(keys.unwrap(&elsewhere.wrapped, &context()).await.is_err());
        let moved = keys.rewrap(&data_key.wrapped, &context()).await.unwrap();
        let expected = [
            (KeyOperation::Generate, "ok"),
            (KeyOperation::Unwrap, "ok"),
            (KeyOperation::Unwrap, "invalid-ciphertext"),
            (KeyOperation::Unwrap, "foreign-key"),
            (KeyOperation::Rewrap, "ok"),
        ];
        let expected: Vec<_> = expected.map(|(operation, text)| (operation, text.to_owned())).into();
        assert_eq!(operations(&ledger), expected);
        let events = ledger.events();
        assert_eq!(events[1].purpose.as_deref(), Some("object"));
        assert_eq!(events[1].object.as_deref(), Some("cadastre:object=o-1"));
        assert_eq!(events[0].wrapped_sha256, events[1].wrapped_sha256);
        assert_eq!(events[4].new_wrapped_sha256, Some(hex::encode(moved.digest())));
    }

    #[tokio::test]
    async fn a_key_from_an_older_service_unwraps_and_moves_to_the_current_one() {
        let directory = tempfile::tempdir().unwrap();
        let ledger = Arc::new(MemoryLedger::new());
        let (old, new) = (key(directory.path(), "old"), key(directory.path(), "new"));
        let data_key = old.generate_key(&context()).await.outcome.unwrap();
        let keys = RecordedKeys::new(
            Arc::clone(&new),
            vec![old],
            Arc::clone(&ledger) as Arc<dyn KeyLedger>,
            LedgerMode::FailClosed,
        );
        assert!(!keys.is_current(&data_key.wrapped.key_id));
        let moved = keys.rewrap(&data_key.wrapped, &context()).await.unwrap();
        assert!(keys.is_current(&moved.key_id));
        let unwrapped = new.unwrap_key(&moved, &context()).await.outcome.unwrap();
        assert!(unwrapped.is_same_key(&data_key.plaintext));
        let recorded: Vec<_> = operations(&ledger).into_iter().map(|(operation, _)| operation).collect();
        assert_eq!(recorded, [KeyOperation::Unwrap, KeyOperation::Wrap]);
    }

    #[tokio::test]
    async fn without_a_ledger_no_key_is_given_out_unless_told_otherwise() {
        let directory = tempfile::tempdir().unwrap();
        let current = key(directory.path(), "a");
        let ledger = Arc::new(MemoryLedger::new());
        let with = |mode| {
            let ledger = Arc::clone(&ledger) as Arc<dyn KeyLedger>;
            RecordedKeys::new(Arc::clone(&current), Vec::new(), ledger, mode)
        };
        let (closed, open) = (with(LedgerMode::FailClosed), with(LedgerMode::FailOpen));
        let data_key = closed.generate_data_key(&context()).await.unwrap();
        ledger.set_failing(true);
        let refused = closed.unwrap(&data_key.wrapped, &context()).await.unwrap_err();
        assert!(matches!(refused, KeyError::Unrecorded { .. }) && refused.is_retriable(), "{refused}");
        assert!(closed.generate_data_key(&context()).await.is_err());
        open.unwrap(&data_key.wrapped, &context()).await.unwrap();
        open.unwrap(&data_key.wrapped, &context()).await.unwrap();
        assert_eq!((open.missed(), closed.missed()), (2, 0));
        ledger.set_failing(false);
        open.unwrap(&data_key.wrapped, &context()).await.unwrap();
        let events = ledger.events();
        let gap = &events[events.len() - 2];
        assert_eq!(gap.operation, KeyOperation::Gap);
        assert_eq!(gap.details["missed"], "2");
        assert_eq!(open.missed(), 0);
    }
}
