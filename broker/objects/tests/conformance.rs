//! What every object store and every wrapper has to do, the same for all of them.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::expect_used,
    reason = "a test fails by panicking, and clippy's exception for tests ends at their helpers"
)]

mod support;

use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use bytes::Bytes;
use cadastre_objects::{
    Capabilities, ObjectError, ObjectId, ObjectKind, ObjectName, ObjectReader, ObjectReference, ObjectWriter,
    ReaderSettings, RunSettings, Store, StoreError, StoreLocation, StoreSettings, probe,
};
use futures::future::join_all;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;

use support::faulty::{Fault, FaultyStore};
use support::{CLUSTER, build, contents, keys, partition, servers};

/// More than the 1,000 names that S3 lists at once.
const MANY: usize = 1_030;

async fn check_store(store: &Store) {
    check_sequential(store).await;
    of_many_writers_of_a_name_one_wins(store).await;
    let capabilities = probe(store, ObjectId { writer_epoch: 1, sequence: 1 }).await.unwrap();
    assert_eq!(capabilities, Capabilities { conditional_put: true });
    capabilities.require_shared(store).unwrap();
}

/// All but what needs atomic conditions.
async fn check_sequential(store: &Store) {
    an_object_reads_back_whole_and_in_ranges(store).await;
    a_taken_name_is_never_written_over(store).await;
    what_does_not_exist_is_told_as_such(store).await;
    listings_are_complete(store).await;
    for kind in ObjectKind::ALL {
        objects_of_batches_read_back(store, kind).await;
    }
}

fn bytes(text: &'static str) -> Vec<Bytes> {
    vec![Bytes::from_static(text.as_bytes())]
}

async fn an_object_reads_back_whole_and_in_ranges(store: &Store) {
    let path = Path::from("conformance/ranges");
    let chunks = vec![Bytes::from_static(b"0123"), Bytes::new(), Bytes::from_static(b"456789")];
    store.put_new(&path, chunks).await.unwrap();
    assert_eq!(store.size(&path).await.unwrap(), 10);
    assert_eq!(store.get_range(&path, 0..10).await.unwrap(), "0123456789");
    assert_eq!(store.get_range(&path, 3..5).await.unwrap(), "34");
    assert_eq!(store.get_range(&path, 9..10).await.unwrap(), "9");
    assert_eq!(store.get_range(&path, 4..4).await.unwrap(), "");
    let suffix = store.get_suffix(&path, 4).await.unwrap();
    assert_eq!((suffix.bytes.as_ref(), suffix.object_size), (b"6789".as_slice(), 10));
    let suffix = store.get_suffix(&path, 1000).await.unwrap();
    assert_eq!((suffix.bytes.as_ref(), suffix.object_size), (b"0123456789".as_slice(), 10));
    assert!(store.get_range(&path, 5..11).await.is_err(), "a range beyond the end is no shorter range");
    store.delete(&path).await.unwrap();
}

async fn a_taken_name_is_never_written_over(store: &Store) {
    let path = Path::from("conformance/taken");
    store.put_new(&path, bytes("first")).await.unwrap();
    let refused = store.put_new(&path, bytes("second")).await.unwrap_err();
    assert!(matches!(refused, StoreError::AlreadyExists { .. }), "{refused:?}");
    assert_eq!(store.get_suffix(&path, 100).await.unwrap().bytes, "first");
    store.delete(&path).await.unwrap();
    store.put_new(&path, bytes("third")).await.unwrap();
    store.delete(&path).await.unwrap();
}

async fn of_many_writers_of_a_name_one_wins(store: &Store) {
    let path = Path::from("conformance/raced");
    let writers =
        (0..16).map(|number| {
            let (store, path) = (store.clone(), path.clone());
            async move {
                store.put_new(&path, vec![Bytes::from(format!("writer {number}"))]).await.map(|()| number)
            }
        });
    let outcomes = join_all(writers).await;
    let winners: Vec<_> = outcomes.iter().flatten().collect();
    assert_eq!(winners.len(), 1, "{outcomes:?}");
    let refusals = outcomes.iter().flat_map(|it| it.as_ref().err());
    assert!(refusals.clone().all(|it| matches!(it, StoreError::AlreadyExists { .. })), "{outcomes:?}");
    let expected = format!("writer {}", winners[0]);
    assert_eq!(store.get_suffix(&path, 100).await.unwrap().bytes, expected);
    store.delete(&path).await.unwrap();
}

async fn what_does_not_exist_is_told_as_such(store: &Store) {
    let path = Path::from("conformance/nothing");
    #[track_caller]
    fn check(answer: Result<(), StoreError>) {
        assert!(matches!(answer, Err(StoreError::NotFound { .. })), "{answer:?}");
    }
    check(store.get_range(&path, 0..1).await.map(drop));
    check(store.get_suffix(&path, 1).await.map(drop));
    check(store.size(&path).await.map(drop));
    store.delete(&path).await.unwrap();
}

async fn listings_are_complete(store: &Store) {
    let folder = Path::from("conformance/many");
    let path = |number: usize| folder.clone().join(format!("{number:05}"));
    let written = futures::stream::iter(0..MANY)
        .map(|number| async move { store.put_new(&path(number), bytes("x")).await })
        .buffer_unordered(32);
    written.try_collect::<Vec<()>>().await.unwrap();
    store.put_new(&Path::from("conformance/many-others"), bytes("y")).await.unwrap();
    let mut listed: Vec<_> = store.list(&folder).try_collect().await.unwrap();
    listed.sort_by(|left, right| left.path.cmp(&right.path));
    assert_eq!(listed.len(), MANY);
    assert!(listed.iter().enumerate().all(|(number, it)| it.path == path(number) && it.size == 1));
    assert!(listed.iter().all(|it| it.modified_at_ms > 1_600_000_000_000));
    for name in ["conformance/many-others", "conformance/many/00000"] {
        store.delete(&Path::from(name)).await.unwrap();
    }
    let left: Vec<_> = store.list(&folder).try_collect().await.unwrap();
    assert_eq!(left.len(), MANY - 1);
}

async fn objects_of_batches_read_back(store: &Store, kind: ObjectKind) {
    let keys = keys();
    let writer = ObjectWriter::new(store.clone(), Arc::clone(&keys), CLUSTER.to_owned(), 7);
    let contents = contents(kind);
    let built = build(&writer, kind, &contents).await;
    writer.write(&built).await.unwrap();
    assert!(matches!(writer.write(&built).await, Err(StoreError::AlreadyExists { .. })));
    assert_eq!(store.size(&built.name.path()).await.unwrap(), built.size);

    let settings = ReaderSettings { runs: RunSettings { run_bytes: 400 }, ..ReaderSettings::default() };
    let reader = ObjectReader::new(store.clone(), keys, settings);
    let object = ObjectReference::new(built.name.clone());
    let opened = reader.open(&object).await.unwrap();
    assert_eq!((opened.index(), opened.size()), (&built.index, built.size));
    let all = reader.blocks(&object, 0..4).await.unwrap();
    let batches: Vec<_> = all.iter().map(|it| (it.block.partition, it.batch.clone())).collect();
    assert_eq!(batches, contents);
    let two = reader.blocks(&object, 1..3).await.unwrap();
    assert_eq!(two, all[1..3]);
    assert_eq!(reader.verify(&object).await.unwrap(), []);
    if kind != ObjectKind::Wal {
        let from = reader.read(&object, partition(1, 0), 12, usize::MAX).await.unwrap();
        assert_eq!(
            from,
            all.iter().filter(|it| it.block.partition == partition(1, 0)).cloned().collect::<Vec<_>>()
        );
        assert_eq!(reader.read(&object, partition(1, 0), 12, 1).await.unwrap(), all[..1]);
        assert_eq!(reader.read(&object, partition(1, 0), 1_000, 1).await.unwrap(), []);
        assert_eq!(reader.read(&object, partition(9, 0), 0, 1).await.unwrap(), []);
    }
    store.delete(&built.name.path()).await.unwrap();
    reader.forget(&built.name);
    let gone = reader.open(&object).await.unwrap_err();
    assert!(matches!(gone, ObjectError::Missing { .. }), "{gone:?}");
}

#[tokio::test]
async fn memory_conforms() {
    check_store(&support::memory()).await;
}

#[tokio::test]
async fn a_directory_conforms() {
    let directory = tempfile::tempdir().unwrap();
    let location = StoreLocation::directory(directory.path()).unwrap();
    check_store(&location.open(StoreSettings::default()).unwrap()).await;
}

/// s3s-fs 0.14.1 looks whether the name is free and writes then: enough for one writer, and what the race in the
/// probe is there to find. Which of the two it shows is a matter of timing.
#[tokio::test]
async fn an_s3_server_over_a_directory_conforms_for_one_writer() {
    let directory = tempfile::tempdir().unwrap();
    let store = servers::s3s(directory.path()).await;
    check_sequential(&store).await;
    let capabilities = probe(&store, ObjectId { writer_epoch: 1, sequence: 1 }).await.unwrap();
    assert_eq!(capabilities.require_shared(&store).is_ok(), capabilities.conditional_put);
}

#[tokio::test]
async fn moto_conforms() {
    let Some(server) = servers::moto() else { return };
    check_store(&server.store).await;
}

#[tokio::test]
async fn azurite_conforms() {
    let Some(server) = servers::azurite().await else { return };
    check_store(&server.store).await;
}

fn quick(fault: Fault) -> Store {
    let settings = StoreSettings {
        first_backoff: Duration::from_millis(1),
        request_timeout: Duration::from_millis(50),
        concurrency: 3,
        ..StoreSettings::default()
    };
    Store::new(FaultyStore::new(fault), "faulty", settings)
}

#[tokio::test]
async fn a_store_that_fails_now_and_then_conforms() {
    let store = quick(Fault::FailsFirst(AtomicU32::new(3)));
    check_store(&store).await;
    // Three that the fault asks for, three for the range beyond the end, which fails in the end.
    assert_eq!((store.counts().retries, store.counts().failures), (6, 1));
}

#[tokio::test]
async fn a_store_that_ignores_conditions_is_refused_for_a_cluster() {
    let store = quick(Fault::IgnoresConditions);
    let capabilities = probe(&store, ObjectId { writer_epoch: 1, sequence: 1 }).await.unwrap();
    assert_eq!(capabilities, Capabilities { conditional_put: false });
    let refused = capabilities.require_shared(&store).unwrap_err();
    assert!(refused.to_string().contains("If-None-Match"), "{refused}");
    assert!(store.list(&Path::from("probe")).try_collect::<Vec<_>>().await.unwrap().is_empty());
}

#[tokio::test]
async fn attempts_and_time_are_bounded() {
    let path = Path::from("x");
    let store = quick(Fault::FailsFirst(AtomicU32::new(1000)));
    let error = store.get_range(&path, 0..1).await.unwrap_err();
    assert!(
        matches!(error, StoreError::Unavailable { attempts: 4, .. }) && error.is_retriable(),
        "{error:?}"
    );
    let store = quick(Fault::Hangs);
    let error = store.get_range(&path, 0..1).await.unwrap_err();
    assert!(matches!(error, StoreError::TimedOut { attempts: 4, .. }) && error.is_retriable(), "{error:?}");
    assert_eq!((store.counts().timeouts, store.counts().gets, store.counts().failures), (4, 4, 1));
    let store = quick(Fault::Denies);
    let error = store.get_range(&path, 0..1).await.unwrap_err();
    assert!(matches!(error, StoreError::Denied { .. }) && !error.is_retriable(), "{error:?}");
    assert_eq!(store.counts().gets, 1);
}

#[tokio::test]
async fn requests_over_the_limit_are_not_sent() {
    let settings = StoreSettings { maximum_request_bytes: 3, ..StoreSettings::default() };
    let store = Store::new(FaultyStore::new(Fault::Denies), "faulty", settings);
    let path = Path::from("x");
    for refused in [
        store.put_new(&path, bytes("four")).await,
        store.get_range(&path, 0..4).await.map(drop),
        store.get_suffix(&path, 4).await.map(drop),
    ] {
        assert!(matches!(refused, Err(StoreError::TooLarge { bytes: 4, maximum: 3 })), "{refused:?}");
    }
    assert_eq!(store.counts().puts + store.counts().gets, 0);
}

/// The upload is repeated, finds its own object, and says so: the writer must take another name, and does.
#[tokio::test]
async fn a_lost_answer_never_leads_to_a_reference_by_guess() {
    let store = quick(Fault::LosesAnswers(AtomicU32::new(1)));
    let writer = ObjectWriter::new(store, keys(), CLUSTER.to_owned(), 7);
    let contents = contents(ObjectKind::Mixed);
    let first = build(&writer, ObjectKind::Mixed, &contents).await;
    assert!(matches!(writer.write(&first).await, Err(StoreError::AlreadyExists { .. })));
    let second = build(&writer, ObjectKind::Mixed, &contents).await;
    assert_ne!(first.name, second.name);
    writer.write(&second).await.unwrap();
}

#[tokio::test]
async fn an_object_of_another_cluster_or_kind_is_not_found() {
    let store = support::memory();
    let keys = keys();
    let writer = ObjectWriter::new(store.clone(), Arc::clone(&keys), CLUSTER.to_owned(), 7);
    let built = build(&writer, ObjectKind::Mixed, &contents(ObjectKind::Mixed)).await;
    writer.write(&built).await.unwrap();
    let reader = ObjectReader::new(store, keys, ReaderSettings::default());
    reader.open(&ObjectReference::new(built.name.clone())).await.unwrap();
    for name in [
        ObjectName { cluster_id: "other".to_owned(), ..built.name.clone() },
        ObjectName { kind: ObjectKind::Partition, ..built.name.clone() },
    ] {
        let error = reader.open(&ObjectReference::new(name)).await.unwrap_err();
        assert!(matches!(error, ObjectError::Missing { .. }), "{error:?}");
    }
}
