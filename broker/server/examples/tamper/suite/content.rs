//! What a storage held before it was altered, and what it serves afterwards.

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use cadastre_protocol::record::Record;
use cadastre_protocol::record_batch::{Producer, RecordBatch};
use cadastre_protocol::types::{TopicId, TopicPartition};
use cadastre_storage::{MetadataChange, MetadataKind, ReadError, Storage};

use super::chain;

/// The cluster of every storage here.
pub(crate) const CLUSTER: &str = "4L6g3nShT-eMCtK--X86sw";

/// Partitions: two of one topic, one of another.
pub(crate) const PARTITIONS: [TopicPartition; 3] = [
    TopicPartition { topic: TopicId([7; 16]), partition: 0 },
    TopicPartition { topic: TopicId([7; 16]), partition: 1 },
    TopicPartition { topic: TopicId([8; 16]), partition: 0 },
];

/// Makes the topics.
pub(crate) async fn create_topics(storage: &Storage) {
    storage.create_partitions(TopicId([7; 16]), 2).await.unwrap();
    storage.create_partitions(TopicId([8; 16]), 1).await.unwrap();
}

/// Sets one metadata entry; a commit of its own.
pub(crate) async fn set(storage: &Storage, kind: MetadataKind, key: &str, value: &str) {
    let change = MetadataChange { kind, key: key.to_owned(), value: Some(value.as_bytes().to_vec()) };
    storage.metadata().commit(vec![change]).await.unwrap();
}

/// Everything a storage serves.
#[derive(Debug, Clone, Default)]
pub(crate) struct Content {
    pub(crate) batches: Vec<(TopicPartition, RecordBatch)>,
    metadata: BTreeMap<MetadataKind, BTreeMap<String, Vec<u8>>>,
    appended: i32,
}

/// How what is served compares with what was there.
#[derive(Debug, Default)]
pub(crate) struct Comparison {
    /// Refusals, by what they say: which records of which partition.
    pub(crate) refusals: Vec<String>,
    /// Refusals that do not say it.
    pub(crate) unnamed: Vec<String>,
    /// Batches that are refused or gone.
    pub(crate) lost: usize,
    /// Batches or entries that are gone and nobody says so while reading.
    pub(crate) silent: Vec<String>,
    /// Batches or entries that are served and are not what was written.
    pub(crate) wrong: Vec<String>,
}

impl Content {
    /// Appends a batch of two records by a producer of the partition's own; `length` is about that of the batch.
    pub(crate) async fn append(&mut self, storage: &Storage, partition: TopicPartition, length: usize) {
        let batch = self.next_batch(partition, length);
        self.appended += 1;
        let appended = storage.append(partition, batch).await.unwrap();
        let served = storage.read(partition, appended.base_offset, 0).await.unwrap().records;
        self.batches.push((partition, RecordBatch::parse(&mut served.clone()).unwrap()));
    }

    fn next_batch(&self, partition: TopicPartition, length: usize) -> RecordBatch {
        let number = self.appended;
        let text = format!("record {number} {}", "x".repeat(length));
        let record = |value: &[u8]| Record {
            timestamp: 1_700_000_000_000 + i64::from(number),
            value: Some(Bytes::copy_from_slice(value)),
            ..Record::default()
        };
        let own = self.batches.iter().filter(|(other, _)| *other == partition).count();
        let id = 1000 + PARTITIONS.iter().position(|other| *other == partition).unwrap() as i64;
        let base_sequence = i32::try_from(2 * own).unwrap();
        let producer = Producer { id, epoch: 0, base_sequence };
        let records = [record(text.as_bytes()), record(b"second")];
        RecordBatch::build(0, &records, Some(producer)).unwrap()
    }

    /// Appends the next batch of each partition's producer; gives the refusals.
    pub(crate) async fn go_on(&self, storage: &Storage) -> Vec<String> {
        let mut refusals = Vec::new();
        for partition in PARTITIONS {
            let batch = self.next_batch(partition, 60);
            if let Err(error) = storage.append(partition, batch).await {
                refusals.push(chain(&error));
            }
        }
        refusals
    }

    /// Notes the metadata as it is.
    pub(crate) fn note_metadata(&mut self, storage: &Storage) {
        self.metadata = metadata(storage);
    }

    /// Reads everything again.
    pub(crate) async fn compare(&self, storage: &Storage) -> Comparison {
        let mut comparison = Comparison::default();
        for (partition, batch) in &self.batches {
            let place = format!("{partition} at offset {}", batch.base_offset());
            match storage.read(*partition, batch.base_offset(), 0).await {
                Ok(fetched) if fetched.records == *batch.bytes() => {}
                Ok(fetched) if fetched.records.is_empty() => {
                    comparison.lost += 1;
                    comparison.silent.push(place);
                }
                Ok(_other) => comparison.wrong.push(place),
                Err(ReadError::OffsetOutOfRange { .. } | ReadError::UnknownPartition { .. }) => {
                    comparison.lost += 1;
                    comparison.silent.push(place);
                }
                Err(error) => {
                    comparison.lost += 1;
                    let said = chain(&error);
                    let is_named = said.contains(&partition.to_string()) || said.contains("was altered");
                    if is_named { &mut comparison.refusals } else { &mut comparison.unnamed }.push(said);
                }
            }
        }
        let served = metadata(storage);
        for kind in MetadataKind::ALL {
            let empty = BTreeMap::new();
            let (before, after) =
                (self.metadata.get(&kind).unwrap_or(&empty), served.get(&kind).unwrap_or(&empty));
            for (key, value) in before {
                if after.get(key) != Some(value) {
                    comparison.silent.push(format!("{kind:?} `{key}`"));
                }
            }
            comparison.wrong.extend(
                after.keys().filter(|key| !before.contains_key(*key)).map(|key| format!("{kind:?} `{key}`")),
            );
        }
        comparison
    }
}

fn metadata(storage: &Storage) -> BTreeMap<MetadataKind, BTreeMap<String, Vec<u8>>> {
    MetadataKind::ALL.into_iter().map(|kind| (kind, storage.metadata().entries(kind))).collect()
}

/// Copies a directory and what is in it.
pub(crate) fn copy_directory(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_directory(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// The files below a directory, in order.
pub(crate) fn files_below(directory: &Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    let Ok(entries) = std::fs::read_dir(directory) else { return files };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.push(path);
        }
    }
    files.sort();
    files
}
