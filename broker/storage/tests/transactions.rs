//! What a partition remembers of transactions: each is ended once, and nothing of it comes late, whatever happened in between.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    dead_code,
    reason = "a test fails by panicking, and clippy's exception for tests ends at their helpers"
)]

mod support;

use std::ops::ControlFlow;

use cadastre_protocol::record_batch::{Producer, RecordBatch};
use cadastre_protocol::transaction_marker::{TransactionMarker, TransactionResult};
use cadastre_storage::{AppendError, MetadataChange, MetadataKind, Sight, Storage};
use support::{Home, TOPIC, batch, batch_at, partition, read_all};

fn data(epoch: i16, base_sequence: i32) -> RecordBatch {
    let producer = Producer { id: 9, epoch, base_sequence };
    batch_at(1_700_000_000_000, &[b"a", b"b"], Some(producer)).in_transaction()
}

fn marker(producer_epoch: i16, number: i32) -> RecordBatch {
    let result = TransactionResult::Abort;
    TransactionMarker { producer_id: 9, producer_epoch, result, coordinator_epoch: number }
        .to_batch(1_700_000_000_001)
}

/// The transaction with number 1 is over, and 2 has begun.
async fn check_fences(storage: &Storage, what: &str) {
    let here = partition(0);
    let late = storage.append_in_transaction(here, data(0, 4), 1).await;
    assert!(matches!(late, Err(AppendError::TransactionEnded { producer_id: 9, .. })), "{what}: {late:?}");
    let second = storage.append(here, marker(0, 1)).await.unwrap();
    assert_eq!((second.base_offset, second.duplicate), (2, true), "{what}");
    let before = storage.watermarks(here).unwrap().high_watermark;
    let repeated = storage.append_in_transaction(here, data(0, 2), 2).await.unwrap();
    assert_eq!((repeated.base_offset, repeated.duplicate), (3, true), "{what}");
    assert_eq!(storage.watermarks(here).unwrap().high_watermark, before, "{what}");
}

#[tokio::test]
async fn an_ended_transaction_stays_ended_through_restarts_crashes_and_packing() {
    let home = Home::new();
    let storage = home.open_with(home.packing_config()).await.unwrap();
    storage.create_partitions(TOPIC, 2).await.unwrap();
    let here = partition(0);
    assert_eq!(storage.append_in_transaction(here, data(0, 0), 1).await.unwrap().base_offset, 0);
    assert_eq!(storage.append(here, marker(0, 1)).await.unwrap().base_offset, 2);
    assert_eq!(storage.append_in_transaction(here, data(0, 2), 2).await.unwrap().base_offset, 3);
    check_fences(&storage, "at once").await;
    let crashed = home.crash_image();
    let recovered = crashed.open_with(crashed.packing_config()).await.unwrap();
    check_fences(&recovered, "after a crash").await;
    for filler in 0..60u8 {
        storage.append(partition(1), batch(&[&[filler; 900]])).await.unwrap();
    }
    assert!(storage.pack(1_700_000_000_000).await.unwrap().objects > 0);
    check_fences(&storage, "packed").await;
    storage.close().await.unwrap();
    let storage = home.open_with(home.packing_config()).await.unwrap();
    check_fences(&storage, "opened again").await;
    let read = read_all(&storage, here).await;
    let markers: Vec<_> = read.iter().map(|batch| TransactionMarker::of(batch).is_some()).collect();
    assert_eq!(markers, [false, true, false]);
    let known = storage.producers(here).await.unwrap();
    assert_eq!(
        known.iter().map(|it| (it.last_sequence, it.last_transaction)).collect::<Vec<_>>(),
        [(3, Some(1))]
    );
}

#[tokio::test]
async fn a_marker_with_a_higher_epoch_fences_what_was_sent_before_it() {
    let home = Home::new();
    let storage = home.open().await;
    storage.create_partitions(TOPIC, 1).await.unwrap();
    let here = partition(0);
    storage.append_in_transaction(here, data(4, 0), 1).await.unwrap();
    storage.append(here, marker(5, 1)).await.unwrap();
    let home = home.crash_image();
    let storage = home.open().await;
    for transaction in [1, 2] {
        let late = storage.append_in_transaction(here, data(4, 2), transaction).await;
        assert!(
            matches!(late, Err(AppendError::InvalidProducerEpoch { found: 4, known: 5, .. })),
            "{late:?}"
        );
    }
    let skipping = storage.append_in_transaction(here, data(5, 2), 2).await;
    assert!(matches!(skipping, Err(AppendError::OutOfOrderSequence { expected: 0, .. })), "{skipping:?}");
    assert_eq!(storage.append_in_transaction(here, data(5, 0), 2).await.unwrap().base_offset, 3);
}

#[tokio::test]
async fn tables_of_transactions_are_visited_in_order_and_within_bounds() {
    let home = Home::new();
    let storage = home.open().await;
    let metadata = storage.metadata();
    let put = |key: &str| {
        let (kind, value) = (MetadataKind::OpenTransaction, Some(key.as_bytes().to_vec()));
        (MetadataChange { kind, key: key.to_owned(), value }, Sight::Any)
    };
    let changes = ["t/1/9", "t/0/7", "t/0/12", "t/01", "u/0/1"].map(put).to_vec();
    metadata.commit_unchanged_as_coordinator(None, metadata.version(), changes).await.unwrap();
    let seen = |from: &str, to: &str, limit: usize| {
        let mut seen = Vec::new();
        metadata.visit(MetadataKind::OpenTransaction, (from, to), |key, value| {
            assert_eq!(key.as_bytes(), value);
            seen.push(key.to_owned());
            if seen.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        seen
    };
    assert_eq!(seen("t/0/", "t/00", 9), ["t/0/12", "t/0/7"]);
    assert_eq!(seen("t/0/", "t/00", 1), ["t/0/12"]);
    assert_eq!(seen("t/00", "t/0/", 9), [""; 0], "an empty range");
}
