//! Leases on keys: no use beyond the TTL, one call for many, a bounded number, and the ring over them.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking, and clippy's exception for tests ends at their helpers"
)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use cadastre_keys::{
    EncryptionContext, HandleOpenError, KeyCache, KeyCacheConfig, KeyClock, KeyError, KeyErrorClass,
    KeyProvider, KeyRing, KeyRingConfig, KeyScope, ManualKeyClock, MemoryKeyStore, ScopeKeyStore,
    SealingHandle, TopicKeys, WrappedKey, context,
};
use proptest::prelude::*;
use support::{Mood, MoodyKeys};

const TTL: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_secs(1);

struct Stage {
    _directory: tempfile::TempDir,
    clock: Arc<ManualKeyClock>,
    keys: Arc<MoodyKeys>,
    store: Arc<MemoryKeyStore>,
    ring: KeyRing,
}

fn cache_config() -> KeyCacheConfig {
    KeyCacheConfig { ttl: TTL, capacity: 4, pause_after_failure: PAUSE }
}

fn stage() -> Stage {
    let directory = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualKeyClock::new());
    let keys = Arc::new(MoodyKeys::new(directory.path(), Arc::clone(&clock) as Arc<dyn KeyClock>));
    let store = Arc::new(MemoryKeyStore::new("c"));
    let config =
        KeyRingConfig { cluster_id: "c".to_owned(), topic_keys: TopicKeys::Own, cache: cache_config() };
    let ring = KeyRing::new(
        config,
        Arc::clone(&keys) as Arc<dyn KeyProvider>,
        Arc::clone(&store) as Arc<dyn ScopeKeyStore>,
        Arc::clone(&clock) as Arc<dyn KeyClock>,
    );
    Stage { _directory: directory, clock, keys, store, ring }
}

fn object(number: usize) -> EncryptionContext {
    EncryptionContext::new()
        .with(context::PURPOSE, context::purpose::OBJECT)
        .with(context::OBJECT, number.to_string())
}

fn sealed(handle: &mut SealingHandle, plaintext: &[u8]) -> Result<Vec<u8>, KeyError> {
    let mut buffer = plaintext.to_vec();
    let tag = handle.seal(b"aad", &mut buffer)?;
    buffer.extend_from_slice(&tag);
    Ok(buffer)
}

#[tokio::test]
async fn a_disabled_key_stops_reads_and_writes_within_the_ttl_and_service_resumes() {
    let Stage { clock, keys, ring, _directory, .. } = stage();
    for scope in [None, Some(KeyScope::Topic("t".to_owned()))] {
        let mut new = match &scope {
            None => ring.seal_direct(object(1)).await.unwrap(),
            Some(scope) => ring.seal_scoped(scope, object(1)).await.unwrap(),
        };
        let first = sealed(&mut new.sealing, b"first").unwrap();
        keys.set(Mood::Disabled);
        clock.advance(TTL - Duration::from_millis(1));
        let second = sealed(&mut new.sealing, b"second").unwrap();
        assert_eq!(new.opening.open(0, b"aad", &mut first.clone()).unwrap(), b"first");
        clock.advance(Duration::from_millis(1));
        assert!(matches!(sealed(&mut new.sealing, b"third"), Err(KeyError::Expired)));
        assert_eq!(new.opening.open(0, b"aad", &mut first.clone()), Err(HandleOpenError::Expired));
        let refused = ring.renew_sealing(&mut new.sealing).await.unwrap_err();
        assert_eq!(refused.class(), KeyErrorClass::Disabled);
        assert!(refused.is_refusal() && !refused.is_retriable());
        assert!(ring.renew_opening(&new.opening).await.is_err());
        assert!(ring.open(&new.wrapped, object(1)).await.is_err());
        keys.set(Mood::Working);
        clock.advance(PAUSE);
        ring.renew_sealing(&mut new.sealing).await.unwrap();
        ring.renew_opening(&new.opening).await.unwrap();
        let third = sealed(&mut new.sealing, b"third").unwrap();
        assert_eq!(new.sealing.next_number(), 3);
        for (number, message) in [first, second, third].iter().enumerate() {
            let opened = new.opening.open(number as u64, b"aad", &mut message.clone()).unwrap().to_vec();
            assert_eq!(opened, [b"first".as_slice(), b"second", b"third"][number]);
        }
    }
}

#[tokio::test]
async fn a_refusal_that_is_noticed_early_ends_the_lease_at_once_and_an_outage_does_not() {
    for (mood, survives) in [(Mood::Disabled, false), (Mood::Down, true)] {
        let Stage { clock, keys, ring, _directory, .. } = stage();
        let mut new = ring.seal_direct(object(1)).await.unwrap();
        clock.advance(TTL * 3 / 4);
        sealed(&mut new.sealing, b"x").unwrap();
        keys.set(mood);
        ring.maintain().await;
        assert_eq!(new.sealing.is_live(), survives);
        clock.advance(TTL);
        assert!(!new.sealing.is_live());
    }
}

#[tokio::test]
async fn keys_in_use_are_renewed_before_they_expire_and_unused_ones_are_not() {
    let Stage { clock, keys, ring, _directory, .. } = stage();
    let mut used = ring.seal_direct(object(1)).await.unwrap();
    let unused = ring.seal_direct(object(2)).await.unwrap();
    let before = keys.calls();
    for _ in 0..20 {
        clock.advance(TTL / 4);
        sealed(&mut used.sealing, b"x").unwrap();
        ring.maintain().await;
    }
    assert!(used.sealing.is_live() && !unused.sealing.is_live());
    let calls = keys.calls() - before;
    assert!((4..=10).contains(&calls), "{calls} calls in five TTLs");
}

#[tokio::test]
async fn an_object_key_opens_in_its_own_place_only() {
    let Stage { ring, _directory, .. } = stage();
    let topic = ring.scope_of_topic("t");
    let new = ring.seal_scoped(&topic, object(1)).await.unwrap();
    ring.open(&new.wrapped, object(1)).await.unwrap();
    let refused = ring.open(&new.wrapped, object(2)).await.unwrap_err();
    assert_eq!(refused.class(), KeyErrorClass::InvalidCiphertext);
    let elsewhere = WrappedKey { key_id: "cadastre:cluster".to_owned(), ..new.wrapped.clone() };
    let refused = ring.open(&elsewhere, object(1)).await.unwrap_err();
    assert_eq!(refused.class(), KeyErrorClass::NotFound, "there is no cluster key yet");
    ring.seal_scoped(&KeyScope::Cluster, object(3)).await.unwrap();
    assert!(ring.open(&elsewhere, object(1)).await.is_err());
}

#[tokio::test]
async fn a_thousand_objects_of_one_topic_cost_one_call() {
    let Stage { keys, ring, _directory, .. } = stage();
    let topic = ring.scope_of_topic("t");
    for number in 0..1000 {
        let new = ring.seal_scoped(&topic, object(number)).await.unwrap();
        ring.open(&new.wrapped, object(number)).await.unwrap();
    }
    assert_eq!(keys.calls(), 1);
}

#[tokio::test]
async fn brokers_that_make_a_scope_key_at_the_same_time_end_up_with_one() {
    let Stage { clock, keys, store, ring, _directory } = stage();
    let config =
        KeyRingConfig { cluster_id: "c".to_owned(), topic_keys: TopicKeys::Own, cache: cache_config() };
    let other = KeyRing::new(config, keys, Arc::clone(&store) as Arc<dyn ScopeKeyStore>, clock);
    let topic = KeyScope::Topic("t".to_owned());
    let (here, there) =
        tokio::join!(ring.seal_scoped(&topic, object(1)), other.seal_scoped(&topic, object(2)));
    ring.open(&there.unwrap().wrapped, object(2)).await.unwrap();
    other.open(&here.unwrap().wrapped, object(1)).await.unwrap();
    assert_eq!(store.held().len(), 1);
}

#[tokio::test]
async fn many_who_ask_at_once_make_one_call_and_share_its_answer() {
    for (mood, expected) in [(Mood::Working, None), (Mood::Disabled, Some(KeyErrorClass::Disabled))] {
        let directory = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualKeyClock::new());
        let keys = MoodyKeys::new(directory.path(), Arc::clone(&clock) as Arc<dyn KeyClock>).gated();
        let keys = Arc::new(keys);
        let wrapped = keys.generate_data_key(&object(1)).await.unwrap().wrapped;
        let cache = Arc::new(KeyCache::new(Arc::clone(&keys) as Arc<dyn KeyProvider>, clock, cache_config()));
        keys.set(mood);
        let before = keys.calls();
        let tasks: Vec<_> = (0..50)
            .map(|_| {
                let (cache, wrapped) = (Arc::clone(&cache), wrapped.clone());
                tokio::spawn(async move { cache.lease(&wrapped, &object(1)).await.map(|_| ()) })
            })
            .collect();
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        // One of those who wait gives up; the others still get their answer.
        tasks[0].abort();
        keys.let_pass(50);
        let mut answered = 0;
        for task in tasks {
            let Ok(outcome) = task.await else { continue };
            assert_eq!(outcome.err().map(|error| error.class()), expected);
            answered += 1;
        }
        assert_eq!((answered, keys.calls() - before), (49, 1));
    }
}

#[tokio::test]
async fn the_number_of_keys_is_bounded_and_evicted_ones_are_over() {
    let Stage { clock, keys, _directory, .. } = stage();
    let mut wrapped = Vec::new();
    for number in 0..10 {
        wrapped.push(keys.generate_data_key(&object(number)).await.unwrap().wrapped);
    }
    let cache = KeyCache::new(keys, clock, cache_config());
    let mut leases = Vec::new();
    for (number, wrapped) in wrapped.iter().enumerate() {
        leases.push(cache.lease(wrapped, &object(number)).await.unwrap());
        assert!(cache.len() <= 4);
    }
    let live: Vec<bool> = leases.iter().map(|lease| lease.is_live()).collect();
    assert_eq!(live, [[false; 6].as_slice(), &[true; 4]].concat());
    cache.forget(&wrapped[9]);
    assert!(!leases[9].is_live());
    drop(cache);
    assert!(leases.iter().all(|lease| !lease.is_live()));
}

#[tokio::test]
async fn a_failing_service_is_not_asked_without_pause() {
    let Stage { clock, keys, ring, _directory, .. } = stage();
    let new = ring.seal_direct(object(1)).await.unwrap();
    clock.advance(TTL);
    keys.set(Mood::Down);
    let before = keys.calls();
    for _ in 0..100 {
        let refused = ring.renew_opening(&new.opening).await.unwrap_err();
        assert!(refused.is_retriable(), "{refused}");
        clock.advance(Duration::from_millis(50));
    }
    let calls = keys.calls() - before;
    assert!((4..=6).contains(&calls), "{calls} calls in five seconds");
}

#[derive(Debug, Clone)]
enum Step {
    Advance(u64),
    Set(Mood),
    New(bool),
    Use(usize),
    Renew(usize),
    Maintain,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1_u64..40_000).prop_map(Step::Advance),
        2 => prop_oneof![Just(Mood::Working), Just(Mood::Disabled), Just(Mood::Down)].prop_map(Step::Set),
        2 => any::<bool>().prop_map(Step::New),
        6 => (0_usize..8).prop_map(Step::Use),
        3 => (0_usize..8).prop_map(Step::Renew),
        2 => Just(Step::Maintain),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever happens to the key and however time passes: what seals or opens was allowed less than a TTL ago, and
    /// a number never seals twice.
    #[test]
    fn no_key_is_used_beyond_its_time(steps in prop::collection::vec(step(), 1..80)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let Stage { clock, keys, store, ring, _directory } = stage();
            let topic = KeyScope::Topic("t".to_owned());
            let mut held = Vec::new();
            let mut mood = Mood::Working;
            let mut recovered_at = Duration::ZERO;
            for step in steps {
                match step {
                    Step::Advance(milliseconds) => clock.advance(Duration::from_millis(milliseconds)),
                    Step::Set(new) => {
                        if new == Mood::Working && mood != Mood::Working {
                            recovered_at = clock.elapsed();
                        }
                        mood = new;
                        keys.set(mood);
                    }
                    Step::New(scoped) => {
                        let number = held.len();
                        let new = if scoped {
                            ring.seal_scoped(&topic, object(number)).await
                        } else {
                            ring.seal_direct(object(number)).await
                        };
                        if let Ok(new) = new {
                            held.push((new, scoped, number, Vec::new()));
                        }
                    }
                    Step::Use(index) => {
                        let count = held.len().max(1);
                        let Some((new, scoped, _, messages)) = held.get_mut(index % count) else { continue };
                        let number = new.sealing.next_number();
                        let provider_key = if *scoped {
                            store.load(&topic).await.unwrap().unwrap()
                        } else {
                            new.wrapped.clone()
                        };
                        let allowed = keys.last_allowed(&provider_key).unwrap();
                        let in_time = clock.elapsed() - allowed < TTL;
                        if let Ok(message) = sealed(&mut new.sealing, b"x") {
                            prop_assert!(in_time);
                            prop_assert_eq!(new.sealing.next_number(), number + 1);
                            prop_assert_eq!(messages.len() as u64, number);
                            messages.push(message);
                        }
                        for (number, message) in messages.iter().enumerate() {
                            match new.opening.open(number as u64, b"aad", &mut message.clone()) {
                                Ok(opened) => {
                                    prop_assert!(in_time);
                                    prop_assert_eq!(opened, b"x");
                                }
                                Err(error) => prop_assert_eq!(error, HandleOpenError::Expired),
                            }
                        }
                    }
                    Step::Renew(index) => {
                        let count = held.len().max(1);
                        let Some((new, ..)) = held.get_mut(index % count) else { continue };
                        let renewed = ring.renew_sealing(&mut new.sealing).await;
                        let reopened = ring.renew_opening(&new.opening).await;
                        if mood == Mood::Working && clock.elapsed() >= recovered_at + PAUSE {
                            prop_assert!(renewed.is_ok() && reopened.is_ok(), "{renewed:?}");
                            prop_assert!(new.sealing.is_live());
                        }
                    }
                    Step::Maintain => ring.maintain().await,
                }
            }
            Ok(())
        })?;
    }
}
