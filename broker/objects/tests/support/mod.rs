//! Batches, keys, stores and servers that the tests share.
#![allow(dead_code, reason = "each test file uses its part")]

pub(crate) mod faulty;
pub(crate) mod servers;

use std::sync::Arc;

use bytes::Bytes;
use cadastre_keys::{KeyProvider, LocalKeyFile};
use cadastre_objects::{BuiltObject, ObjectKind, ObjectWriter, Store, StoreSettings};
use cadastre_protocol::record::Record;
use cadastre_protocol::record_batch::{Producer, RecordBatch};
use cadastre_protocol::types::{TopicId, TopicPartition};
use object_store::memory::InMemory;

pub(crate) const CLUSTER: &str = "a-cluster";

/// A provider with a key of its own.
pub(crate) fn keys() -> Arc<dyn KeyProvider> {
    let directory = tempfile::tempdir().unwrap();
    Arc::new(LocalKeyFile::create(&directory.path().join("key")).unwrap())
}

pub(crate) fn memory() -> Store {
    Store::new(Arc::new(InMemory::new()), "memory", StoreSettings::default())
}

pub(crate) fn partition(topic: u8, partition: i32) -> TopicPartition {
    TopicPartition { topic: TopicId([topic; 16]), partition }
}

/// A batch of `count` records at `base_offset`, each value `bytes` long and telling its offset.
pub(crate) fn batch(base_offset: i64, count: usize, bytes: usize) -> RecordBatch {
    let records: Vec<Record> = (0..count)
        .map(|number| {
            let offset = base_offset + i64::try_from(number).unwrap();
            let mut value = format!("value of {offset} ").into_bytes();
            value.resize(bytes.max(value.len()), b'.');
            Record {
                timestamp: 1_000 + offset,
                key: Some(Bytes::from(format!("key {offset}"))),
                value: Some(Bytes::from(value)),
                ..Record::default()
            }
        })
        .collect();
    let producer = Producer { id: 7, epoch: 1, base_sequence: 0 };
    RecordBatch::build(base_offset, &records, Some(producer)).unwrap().with_offsets(base_offset, 3)
}

/// What goes into the sample object of a kind: partition, batch.
pub(crate) fn contents(kind: ObjectKind) -> Vec<(TopicPartition, RecordBatch)> {
    let wide = [(partition(1, 0), 10), (partition(1, 0), 13), (partition(1, 2), 0), (partition(2, 0), 100)];
    let placed = wide.into_iter().map(|(partition, base)| (partition, batch(base, 3, 40)));
    match kind {
        ObjectKind::Mixed => placed.collect(),
        ObjectKind::Wal => placed.map(|(partition, batch)| (partition, batch.with_offsets(0, -1))).collect(),
        ObjectKind::Partition => (0..4).map(|it| (partition(1, 0), batch(10 + 5 * it, 3, 40))).collect(),
    }
}

/// Builds an object from batches in order.
pub(crate) async fn build(
    writer: &ObjectWriter,
    kind: ObjectKind,
    contents: &[(TopicPartition, RecordBatch)],
) -> BuiltObject {
    let mut builder = writer.start(kind, None, 5_000).await.unwrap();
    for (partition, batch) in contents {
        builder.push(*partition, batch, 4_000).unwrap();
    }
    builder.finish().unwrap()
}
