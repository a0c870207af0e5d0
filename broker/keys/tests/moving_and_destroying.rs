//! Rewrapping and shredding, interrupted at every step.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking, and clippy's exception for tests ends at their helpers"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use cadastre_keys::ledger::{KeyLedger, KeyOperation, MemoryLedger};
use cadastre_keys::signing::SigningKey;
use cadastre_keys::{
    EncryptionContext, Fault, HeldKey, KeyErrorClass, KeyProvider, KeyRing, KeyRingConfig, KeyScope,
    KeyService, LedgerMode, LocalKeyFile, ManualKeyClock, MemoryKeyStore, RecordedKeys, RewrapOptions,
    RewrapSelection, ScopeKeyStore, ShredError, Shredder, StoreFuture, TopicKeys, UntoldKey, WrappedKey,
    WrappedKeyStore, context, key_usage, rewrap, verify_receipt,
};

fn service(directory: &Path, name: &str) -> Arc<dyn KeyService> {
    let path = directory.join(name);
    Arc::new(LocalKeyFile::open(&path).or_else(|_missing| LocalKeyFile::create(&path)).unwrap())
}

fn provider(
    current: &Arc<dyn KeyService>,
    previous: &[&Arc<dyn KeyService>],
    ledger: &Arc<MemoryLedger>,
) -> Arc<dyn KeyProvider> {
    let previous = previous.iter().map(|service| Arc::clone(service)).collect();
    let ledger = Arc::clone(ledger) as Arc<dyn KeyLedger>;
    Arc::new(RecordedKeys::new(Arc::clone(current), previous, ledger, LedgerMode::FailClosed))
}

fn segment(number: usize) -> EncryptionContext {
    EncryptionContext::new().with(context::SEGMENT, number.to_string())
}

/// `count` wrapped keys under `old`, and what they wrap.
async fn filled(
    old: &Arc<dyn KeyService>,
    count: usize,
) -> (Arc<MemoryKeyStore>, BTreeMap<String, [u8; 32]>) {
    let store = Arc::new(MemoryKeyStore::new("c"));
    let mut plain = BTreeMap::new();
    for number in 0..count {
        let data_key = old.generate_key(&segment(number)).await.outcome.unwrap();
        let holder = format!("segment/{number:05}");
        plain.insert(holder.clone(), *data_key.plaintext.expose());
        store.put(HeldKey { holder, wrapped: data_key.wrapped, context: segment(number) });
    }
    (store, plain)
}

async fn assert_readable(
    provider: &Arc<dyn KeyProvider>,
    store: &MemoryKeyStore,
    plain: &BTreeMap<String, [u8; 32]>,
) {
    for (holder, held) in store.held() {
        let key = provider.unwrap(&held.wrapped, &held.context).await.unwrap();
        assert_eq!(key.expose(), &plain[&holder], "{holder}");
    }
}

/// A store in which one key cannot be read.
#[derive(Debug)]
struct OneUntold(Arc<MemoryKeyStore>);

impl WrappedKeyStore for OneUntold {
    fn page<'a>(&'a self, after: Option<&'a str>, limit: usize) -> StoreFuture<'a, Vec<HeldKey>> {
        self.0.page(after, limit)
    }

    fn untold(&self) -> StoreFuture<'_, Vec<UntoldKey>> {
        let untold = UntoldKey { holder: "segment/x".to_owned(), reason: "damaged".to_owned() };
        Box::pin(std::future::ready(Ok(vec![untold])))
    }

    fn replace<'a>(
        &'a self,
        holder: &'a str,
        expected: &'a WrappedKey,
        new: &'a WrappedKey,
    ) -> StoreFuture<'a, cadastre_keys::Replacement> {
        self.0.replace(holder, expected, new)
    }
}

#[tokio::test]
async fn a_key_that_cannot_be_told_keeps_the_work_from_being_called_done() {
    let directory = tempfile::tempdir().unwrap();
    let (old, new) = (service(directory.path(), "old"), service(directory.path(), "new"));
    let provider = provider(&new, &[&old], &Arc::new(MemoryLedger::new()));
    let (store, plain) = filled(&old, 5).await;
    let untold: Arc<dyn WrappedKeyStore> = Arc::new(OneUntold(Arc::clone(&store)));
    let report = rewrap(&provider, &untold, &RewrapOptions::default(), |_| {}).await.unwrap();
    assert!(report.complete && report.failures.is_empty() && report.moved == 5);
    assert!(!report.is_done());
    assert_eq!(report.untold.len(), 1);
    let usage = key_usage(provider.as_ref(), untold.as_ref(), 9).await.unwrap();
    assert_eq!((usage.by_key.len(), usage.untold), (1, report.untold));
    assert_readable(&provider, &store, &plain).await;
}

#[tokio::test]
async fn everything_moves_once_and_keeps_its_data_key() {
    let directory = tempfile::tempdir().unwrap();
    let (old, new) = (service(directory.path(), "old"), service(directory.path(), "new"));
    let (store, plain) = filled(&old, 100).await;
    let ledger = Arc::new(MemoryLedger::new());
    let keys = provider(&new, &[&old], &ledger);
    let as_store = Arc::clone(&store) as Arc<dyn WrappedKeyStore>;
    let usage = key_usage(keys.as_ref(), store.as_ref(), 3).await.unwrap();
    assert_eq!(usage.by_key[old.current_key()].count, 100);
    assert_eq!(usage.by_key[old.current_key()].holders, ["segment/00000", "segment/00001", "segment/00002"]);
    let options = RewrapOptions { page_size: 7, ..RewrapOptions::default() };
    let mut pages = 0;
    let report = rewrap(&keys, &as_store, &options, |_| pages += 1).await.unwrap();
    assert_eq!((report.moved, report.current, pages), (100, 0, 15));
    assert!(report.is_done());
    assert_readable(&keys, &store, &plain).await;
    let usage = key_usage(keys.as_ref(), store.as_ref(), 3).await.unwrap();
    assert_eq!(usage.by_key.keys().collect::<Vec<_>>(), [new.current_key()]);
    let again = rewrap(&keys, &as_store, &options, |_| ()).await.unwrap();
    assert_eq!((again.moved, again.current), (0, 100));
    // The old key may go now.
    assert_readable(&provider(&new, &[], &ledger), &store, &plain).await;
}

#[tokio::test]
async fn a_run_that_breaks_off_at_any_step_is_finished_by_the_next() {
    let directory = tempfile::tempdir().unwrap();
    let (old, new) = (service(directory.path(), "old"), service(directory.path(), "new"));
    let ledger = Arc::new(MemoryLedger::new());
    let keys = provider(&new, &[&old], &ledger);
    let options =
        RewrapOptions { page_size: 3, concurrency: 2, maximum_failures: 1, ..RewrapOptions::default() };
    for step in 0..10 {
        for fault in [Fault::Before(step), Fault::After(step)] {
            let (store, plain) = filled(&old, 10).await;
            let as_store = Arc::clone(&store) as Arc<dyn WrappedKeyStore>;
            store.set_fault(fault);
            let broken = rewrap(&keys, &as_store, &options, |_| ()).await.unwrap();
            assert!(!broken.is_done() && !broken.failures.is_empty(), "{fault:?}");
            assert_readable(&keys, &store, &plain).await;
            store.set_fault(Fault::None);
            let finished = rewrap(&keys, &as_store, &options, |_| ()).await.unwrap();
            assert!(finished.is_done(), "{fault:?}");
            assert_eq!(finished.moved + finished.current, 10);
            assert_readable(&provider(&new, &[], &ledger), &store, &plain).await;
        }
    }
}

#[tokio::test]
async fn all_goes_on_behind_the_last_holder() {
    let directory = tempfile::tempdir().unwrap();
    let key = service(directory.path(), "key");
    let (store, plain) = filled(&key, 10).await;
    let keys = provider(&key, &[], &Arc::new(MemoryLedger::new()));
    let as_store = Arc::clone(&store) as Arc<dyn WrappedKeyStore>;
    let before = store.held();
    let after = Some("segment/00003".to_owned());
    let options = RewrapOptions { selection: RewrapSelection::All, after, ..RewrapOptions::default() };
    let report = rewrap(&keys, &as_store, &options, |_| ()).await.unwrap();
    assert_eq!((report.moved, report.last_holder.as_deref()), (6, Some("segment/00009")));
    let changed: Vec<bool> =
        store.held().iter().map(|(holder, held)| before[holder].wrapped != held.wrapped).collect();
    assert_eq!(changed, [[false; 4].as_slice(), &[true; 6]].concat());
    assert_readable(&keys, &store, &plain).await;
}

#[tokio::test]
async fn what_cannot_be_unwrapped_is_reported_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let (old, new) = (service(directory.path(), "old"), service(directory.path(), "new"));
    let lost = service(directory.path(), "lost");
    let (store, _) = filled(&old, 3).await;
    let (of_lost, _) = filled(&lost, 1).await;
    let foreign = HeldKey { holder: "segment/00001".to_owned(), ..of_lost.held()["segment/00000"].clone() };
    store.put(foreign.clone());
    let keys = provider(&new, &[&old], &Arc::new(MemoryLedger::new()));
    let as_store = Arc::clone(&store) as Arc<dyn WrappedKeyStore>;
    let report = rewrap(&keys, &as_store, &RewrapOptions::default(), |_| ()).await.unwrap();
    assert_eq!((report.moved, report.complete, report.is_done()), (2, true, false));
    assert_eq!(report.failures["segment/00001"].class(), KeyErrorClass::ForeignKey);
    assert_eq!(store.held()["segment/00001"], foreign);
}

struct Shredding {
    directory: tempfile::TempDir,
    store: Arc<MemoryKeyStore>,
    ledger: Arc<MemoryLedger>,
    ring: KeyRing,
    signer: SigningKey,
    clock: Arc<ManualKeyClock>,
}

impl Shredding {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Arc::new(MemoryKeyStore::new("c"));
        let ledger = Arc::new(MemoryLedger::new());
        let clock = Arc::new(ManualKeyClock::new());
        let keys = provider(&service(directory.path(), "kek"), &[], &ledger);
        let config = KeyRingConfig {
            cluster_id: "c".to_owned(),
            topic_keys: TopicKeys::Own,
            cache: cadastre_keys::KeyCacheConfig::default(),
        };
        let as_store = Arc::clone(&store) as Arc<dyn ScopeKeyStore>;
        let ring = KeyRing::new(config, keys, as_store, Arc::clone(&clock) as Arc<_>);
        let signer = SigningKey::create(&directory.path().join("signer")).unwrap();
        Self { directory, store, ledger, ring, signer, clock }
    }

    fn shredder(&self) -> Shredder<'_> {
        Shredder {
            cluster_id: "c",
            store: self.store.as_ref(),
            ledger: self.ledger.as_ref(),
            ring: Some(&self.ring),
            signer: &self.signer,
            clock: self.clock.as_ref(),
        }
    }
}

#[tokio::test]
async fn a_shredded_topic_is_unreadable_and_the_receipt_says_so() {
    let stage = Shredding::new();
    let (doomed, kept) = (KeyScope::Topic("doomed".to_owned()), KeyScope::Topic("kept".to_owned()));
    let mut of_doomed = stage.ring.seal_scoped(&doomed, segment(1)).await.unwrap();
    let mut of_kept = stage.ring.seal_scoped(&kept, segment(2)).await.unwrap();
    stage.store.set_objects("doomed", vec!["objects/2".to_owned(), "objects/1".to_owned()]);
    let key = stage.store.load(&doomed).await.unwrap().unwrap();
    let signed = stage.shredder().shred("doomed").await.unwrap();
    let bytes = signed.to_bytes().unwrap();
    let receipt = verify_receipt(&bytes, stage.signer.verifying_key()).unwrap();
    assert_eq!(receipt.topic_id, "doomed");
    assert_eq!(receipt.objects, ["objects/1", "objects/2"]);
    assert_eq!(receipt.keys.len(), 1);
    assert_eq!(receipt.keys[0].wrapped_sha256, hex::encode(key.digest()));
    assert_eq!(stage.store.receipt("doomed"), Some(signed));
    // Keys in use end at once, not at the end of their TTL.
    assert!(of_doomed.sealing.seal(b"", &mut []).is_err());
    let refused = stage.ring.open(&of_doomed.wrapped, segment(1)).await.unwrap_err();
    assert_eq!(refused.class(), KeyErrorClass::NotFound);
    of_kept.sealing.seal(b"", &mut []).unwrap();
    stage.ring.open(&of_kept.wrapped, segment(2)).await.unwrap();
    let destroyed =
        stage.ledger.events().into_iter().filter(|event| event.operation == KeyOperation::Destroy);
    let destroyed: Vec<_> = destroyed.map(|event| (event.wrapped_sha256, event.object)).collect();
    let expected = (Some(hex::encode(key.digest())), Some("cadastre:topic=doomed".to_owned()));
    assert_eq!(destroyed, [expected]);
    drop(stage.directory);
}

#[tokio::test]
async fn shredding_that_breaks_off_at_any_step_is_finished_by_the_next_call() {
    // Plan, destroy, finish: three changes.
    for step in 0..3 {
        for fault in [Fault::Before(step), Fault::After(step)] {
            let stage = Shredding::new();
            let topic = KeyScope::Topic("t".to_owned());
            stage.ring.seal_scoped(&topic, segment(1)).await.unwrap();
            let key = stage.store.load(&topic).await.unwrap().unwrap();
            stage.store.set_fault(fault);
            let broken = stage.shredder().shred("t").await.unwrap_err();
            assert!(matches!(broken, ShredError::Store { .. }), "{fault:?}");
            stage.store.set_fault(Fault::None);
            let signed = stage.shredder().shred("t").await.unwrap();
            assert_eq!(signed.receipt.keys[0].wrapped_sha256, hex::encode(key.digest()), "{fault:?}");
            assert!(stage.store.held().is_empty());
            assert_eq!(stage.store.receipt("t"), Some(signed));
        }
    }
}

#[tokio::test]
async fn nothing_is_receipted_that_was_not_recorded() {
    let stage = Shredding::new();
    stage.ring.seal_scoped(&KeyScope::Topic("t".to_owned()), segment(1)).await.unwrap();
    stage.ledger.set_failing(true);
    assert!(matches!(stage.shredder().shred("t").await, Err(ShredError::Unrecorded { .. })));
    assert_eq!(stage.store.receipt("t"), None);
    stage.ledger.set_failing(false);
    assert_eq!(stage.shredder().shred("t").await.unwrap().receipt.keys.len(), 1);
}
