//! Random sequences of operations against a model, with closings, crashes and torn writes in between.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking, and clippy's exception for tests ends at their helpers"
)]

mod support;

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write;

use bytes::Bytes;
use cadastre_protocol::record_batch::Producer;
use cadastre_protocol::types::{TopicId, TopicPartition};
use cadastre_storage::{AppendError, MetadataChange, MetadataKind, ReadError, Storage, StorageConfig};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::FileFailurePersistence;
use support::{Home, batch_at, read_all};

#[derive(Debug, Clone)]
enum Operation {
    CreateTopic { topic: u8, partitions: i32 },
    DeleteTopic { topic: u8 },
    Append { topic: u8, partition: i32, records: usize, bytes: usize },
    AppendIdempotent { topic: u8, partition: i32, producer: i64, skips: bool },
    RepeatLast { topic: u8, partition: i32, producer: i64 },
    DeleteRecords { topic: u8, partition: i32, place: Index },
    Retain { topic: u8, partition: i32, bytes: i64 },
    Put { key: u8, value: Vec<u8> },
    Remove { key: u8 },
    Reclaim,
    Pack,
    Close,
    Crash { garbage: Vec<u8> },
}

fn any_operation() -> impl Strategy<Value = Operation> {
    let place = || (0..3_u8, 0..2_i32);
    prop_oneof![
        3 => (0..3_u8, 1..3_i32).prop_map(|(topic, partitions)| Operation::CreateTopic { topic, partitions }),
        1 => (0..3_u8).prop_map(|topic| Operation::DeleteTopic { topic }),
        12 => (place(), 1..4_usize, 0..900_usize).prop_map(|((topic, partition), records, bytes)| {
            Operation::Append { topic, partition, records, bytes }
        }),
        6 => (place(), 0..2_i64, prop::bool::weighted(0.2)).prop_map(|((topic, partition), producer, skips)| {
            Operation::AppendIdempotent { topic, partition, producer, skips }
        }),
        3 => (place(), 0..2_i64)
            .prop_map(|((topic, partition), producer)| Operation::RepeatLast { topic, partition, producer }),
        2 => (place(), any::<Index>())
            .prop_map(|((topic, partition), place)| Operation::DeleteRecords { topic, partition, place }),
        1 => (place(), 0..3000_i64)
            .prop_map(|((topic, partition), bytes)| Operation::Retain { topic, partition, bytes }),
        3 => (0..4_u8, prop::collection::vec(any::<u8>(), 0..300))
            .prop_map(|(key, value)| Operation::Put { key, value }),
        1 => (0..4_u8).prop_map(|key| Operation::Remove { key }),
        1 => Just(Operation::Reclaim),
        3 => Just(Operation::Pack),
        1 => Just(Operation::Close),
        2 => prop::collection::vec(any::<u8>(), 0..60).prop_map(|garbage| Operation::Crash { garbage }),
    ]
}

#[derive(Debug, Default, Clone)]
struct ModelPartition {
    log_start: i64,
    end: i64,
    batches: BTreeMap<i64, Bytes>,
    /// Next sequence, and the last batch's offset, by producer.
    producers: BTreeMap<i64, (i32, i64)>,
}

impl ModelPartition {
    fn move_log_start(&mut self, offset: i64) {
        self.log_start = self.log_start.max(offset);
        let bases: Vec<i64> = self.batches.keys().copied().collect();
        for (index, base) in bases.iter().enumerate() {
            let end = bases.get(index + 1).copied().unwrap_or(self.end);
            if end <= self.log_start {
                self.batches.remove(base);
            }
        }
    }
}

#[derive(Debug, Default)]
struct Model {
    /// Deleted topics come back under new ids, as the server does it.
    generations: BTreeMap<u8, u8>,
    partitions: BTreeMap<TopicPartition, ModelPartition>,
    metadata: BTreeMap<String, Vec<u8>>,
}

impl Model {
    fn topic(&self, topic: u8) -> TopicId {
        let mut id = [0; 16];
        id[0] = topic;
        id[1] = self.generations.get(&topic).copied().unwrap_or(0);
        TopicId(id)
    }

    fn count(&self, topic: TopicId) -> i32 {
        i32::try_from(self.partitions.keys().filter(|id| id.topic == topic).count()).unwrap()
    }
}

struct World {
    /// Whether records leave the log for objects.
    packs: bool,
    packed: u64,
    home: Home,
    storage: Storage,
    model: Model,
}

fn settings(home: &Home, packs: bool) -> StorageConfig {
    if packs {
        return StorageConfig { cache_bytes: 2000, ..home.packing_config() };
    }
    StorageConfig { segment_bytes: 9000, cache_bytes: 2000, ..home.config() }
}

impl World {
    async fn new(packs: bool) -> Self {
        let home = Home::new();
        let storage = home.open_with(settings(&home, packs)).await.unwrap();
        Self { packs, packed: 0, home, storage, model: Model::default() }
    }

    async fn apply(&mut self, operation: Operation) {
        let id = |model: &Model, topic, partition| TopicPartition { topic: model.topic(topic), partition };
        match operation {
            Operation::CreateTopic { topic, partitions } => {
                let topic = self.model.topic(topic);
                let accepted = self.storage.create_partitions(topic, partitions).await.is_ok();
                assert_eq!(accepted, partitions >= self.model.count(topic));
                for partition in 0..partitions {
                    self.model.partitions.entry(TopicPartition { topic, partition }).or_default();
                }
            }
            Operation::DeleteTopic { topic } => {
                let deleted = self.model.topic(topic);
                let existed = self.model.count(deleted) > 0;
                assert_eq!(self.storage.delete_topic(deleted).await.is_ok(), existed);
                self.model.partitions.retain(|id, _| id.topic != deleted);
                *self.model.generations.entry(topic).or_default() += 1;
            }
            Operation::Append { topic, partition, records, bytes } => {
                let target = id(&self.model, topic, partition);
                self.append(target, &vec![topic; bytes], records, None).await;
            }
            Operation::AppendIdempotent { topic, partition, producer, skips } => {
                let target = id(&self.model, topic, partition);
                let known = self.model.partitions.get(&target).and_then(|it| it.producers.get(&producer));
                let next = known.map_or(0, |(next, _)| *next);
                let base_sequence = if skips && known.is_some() { next + 7 } else { next };
                let producer = Producer { id: producer, epoch: 0, base_sequence };
                self.append(target, b"idempotent", 2, Some(producer)).await;
            }
            Operation::RepeatLast { topic, partition, producer } => {
                let target = id(&self.model, topic, partition);
                let known = self.model.partitions.get(&target).and_then(|it| it.producers.get(&producer));
                if let Some((next, offset)) = known.copied() {
                    let producer = Producer { id: producer, epoch: 0, base_sequence: next - 2 };
                    let repeated = batch_at(0, &[b"idempotent", b"idempotent"], Some(producer));
                    let appended = self.storage.append(target, repeated).await.unwrap();
                    assert_eq!((appended.duplicate, appended.base_offset), (true, offset));
                }
            }
            Operation::DeleteRecords { topic, partition, place } => {
                let target = id(&self.model, topic, partition);
                if let Some(known) = self.model.partitions.get_mut(&target) {
                    let before = i64::try_from(place.index(usize::try_from(known.end).unwrap() + 1)).unwrap();
                    known.move_log_start(before);
                    assert_eq!(self.storage.delete_records(target, before).await.unwrap(), known.log_start);
                }
            }
            Operation::Retain { topic, partition, bytes } => {
                let target = id(&self.model, topic, partition);
                if let Some(known) = self.model.partitions.get_mut(&target) {
                    let start = self.storage.enforce_retention(target, -1, bytes, 0).await.unwrap();
                    known.move_log_start(start);
                    let kept: usize = known.batches.values().map(Bytes::len).sum();
                    let least = known.batches.values().next().map_or(0, Bytes::len);
                    // Of objects, the whole goes or none.
                    assert!(
                        self.packed > 0
                            || kept.saturating_sub(least) < usize::try_from(bytes).unwrap().max(1),
                        "{kept} kept for {bytes}"
                    );
                }
            }
            Operation::Put { key, value } => self.commit(key, Some(value)).await,
            Operation::Remove { key } => self.commit(key, None).await,
            Operation::Reclaim => drop(self.storage.reclaim().await.unwrap()),
            Operation::Pack => self.packed += self.storage.pack(5).await.unwrap().objects,
            Operation::Close => {
                self.storage.close().await.unwrap();
                self.storage = self.home.open_with(settings(&self.home, self.packs)).await.unwrap();
                assert_eq!(self.storage.recovery().torn_tail, None);
            }
            Operation::Crash { garbage } => self.crash(&garbage).await,
        }
    }

    async fn append(
        &mut self,
        target: TopicPartition,
        value: &[u8],
        records: usize,
        producer: Option<Producer>,
    ) {
        let batch = batch_at(0, &vec![value; records], producer);
        let result = self.storage.append(target, batch.clone()).await;
        let Some(known) = self.model.partitions.get_mut(&target) else {
            assert_eq!(result, Err(AppendError::UnknownPartition { partition: target }));
            return;
        };
        let expected =
            producer.map(|producer| known.producers.get(&producer.id).map_or(0, |(next, _)| *next));
        if let (Some(producer), Some(expected)) = (producer, expected)
            && producer.base_sequence != expected
        {
            assert!(matches!(result, Err(AppendError::OutOfOrderSequence { .. })), "{result:?}");
            return;
        }
        let appended = result.unwrap();
        assert_eq!((appended.base_offset, appended.duplicate), (known.end, false));
        assert_eq!(appended.log_start_offset, known.log_start);
        known.batches.insert(known.end, batch.with_offsets(known.end, 0).bytes().clone());
        let count = i32::try_from(records).unwrap();
        if let Some(producer) = producer {
            known.producers.insert(producer.id, (producer.base_sequence + count, known.end));
        }
        known.end += i64::from(count);
    }

    async fn commit(&mut self, key: u8, value: Option<Vec<u8>>) {
        let key = format!("key-{key}");
        let change =
            MetadataChange { kind: MetadataKind::TopicConfig, key: key.clone(), value: value.clone() };
        self.storage.metadata().commit(vec![change]).await.unwrap();
        match value {
            Some(value) => drop(self.model.metadata.insert(key, value)),
            None => drop(self.model.metadata.remove(&key)),
        }
    }

    /// Goes on with what a crash leaves, and perhaps the start of a write that never came to its end.
    async fn crash(&mut self, garbage: &[u8]) {
        let image = self.home.crash_image();
        let last = image.segments().pop().unwrap();
        OpenOptions::new().append(true).open(last).unwrap().write_all(garbage).unwrap();
        self.storage = image.open_with(settings(&image, self.packs)).await.unwrap();
        assert_eq!(self.storage.recovery().torn_tail.is_some(), !garbage.is_empty());
        self.home = image;
    }

    async fn check(&self) {
        assert!(!self.storage.recovery().has_losses(), "{:?}", self.storage.recovery());
        let partitions: Vec<_> = self.model.partitions.keys().copied().collect();
        assert_eq!(self.storage.partitions(), partitions);
        assert_eq!(self.storage.metadata().entries(MetadataKind::TopicConfig), self.model.metadata);
        for (id, known) in &self.model.partitions {
            let bounds = self.storage.watermarks(*id).unwrap();
            assert_eq!((bounds.log_start_offset, bounds.high_watermark), (known.log_start, known.end));
            let read: Vec<Bytes> =
                read_all(&self.storage, *id).await.iter().map(|batch| batch.bytes().clone()).collect();
            assert_eq!(read, known.batches.values().cloned().collect::<Vec<_>>());
            let size: usize = known.batches.values().map(Bytes::len).sum();
            let counted = self.storage.partition_size_bytes(*id).unwrap();
            assert!(counted == size as u64 || (self.packed > 0 && counted > size as u64));
            let outside = self.storage.read(*id, known.end + 1, 1).await;
            assert!(matches!(outside, Err(ReadError::OffsetOutOfRange { .. })));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 48,
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_log_behaves_as_its_model_over_crashes_and_restarts(
        operations in prop::collection::vec(any_operation(), 1..120), packs in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut world = World::new(packs).await;
            for (index, operation) in operations.into_iter().enumerate() {
                let restarts = matches!(operation, Operation::Close | Operation::Crash { .. });
                world.apply(operation).await;
                if restarts || index % 20 == 19 {
                    world.check().await;
                }
            }
            world.crash(&[]).await;
            world.check().await;
        });
    }
}
