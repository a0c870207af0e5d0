//! Opening a log: lock, recover, start a fresh segment, start the committer.

use std::io;
use std::path::Path;
use std::sync::Arc;

use cadastre_objects::{ObjectKeys, ObjectReader, ObjectWriter};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::command::Command;
use crate::committer::{Committer, start_segment, unavailable};
use crate::config::{ObjectConfig, StorageConfig};
use crate::error::StorageError;
use crate::execution::Execution;
use crate::file_system::DirectoryLock;
use crate::log_keys::LogKeys;
use crate::packed::ObjectArea;
use crate::recovery::{Recovered, recover};
use crate::report::RecoveryReport;
use crate::request::Request;
use crate::segment_header::{FORMAT_VERSION, HEADER_LENGTH, SegmentHeader};
use crate::shared::Shared;

/// An open log: what the handle needs of it.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) shared: Arc<Shared>,
    pub(crate) requests: mpsc::UnboundedSender<Request>,
    pub(crate) report: RecoveryReport,
    pub(crate) objects: Option<ObjectArea>,
}

/// Opens the log and starts its committer. Blocks; asks for keys through `runtime`.
pub(crate) fn open(config: StorageConfig, keys: LogKeys, runtime: Handle) -> Result<Opened, StorageError> {
    check(&config)?;
    prepare_directory(&config)?;
    let lock = lock(&config)?;
    let Recovered { state, segments, next_segment, report } = recover(&config, &keys, &runtime)?;
    let context = SegmentHeader::encryption_context(&config.cluster_id, next_segment, FORMAT_VERSION);
    let generated = config.execution.wait(&runtime, keys.generate(context));
    let key = generated.map_err(|source| StorageError::Key {
        segment: next_segment,
        key_id: keys.provider().key_id().to_owned(),
        source,
    })?;
    if config.objects.is_none() && !state.objects.is_empty() {
        return Err(StorageError::Setting("the log refers to objects, and no object store is configured"));
    }
    let objects = config.objects.as_ref().map(|wanted| object_area(&config, wanted, &keys, next_segment));
    let (metadata_version, leader_epoch) = (state.metadata_version, state.leader_epoch);
    let shared = Arc::new(Shared::new(state, segments, config.cache_bytes));
    let writer = start_segment(&config, &shared, next_segment, key)?;
    let mut committer = Committer {
        config,
        keys,
        runtime,
        shared: Arc::clone(&shared),
        objects: objects.clone(),
        writer,
        staged: Vec::new(),
        metadata_version,
        no_space_at_ms: None,
        lock,
    };
    if report.has_losses() {
        // Consumers that read beyond what is left notice by the epoch.
        committer.stage_commands(vec![Command::LeaderEpoch { epoch: leader_epoch.saturating_add(1) }], None);
        committer.flush()?;
    }
    committer.delete_dead_segments()?;
    committer.writer.key().lay_down();
    let (requests, receiver) = mpsc::unbounded_channel();
    match committer.config.execution {
        Execution::Threads => {
            std::thread::Builder::new()
                .name("cadastre-log".to_owned())
                .spawn(move || committer.run(receiver))
                .map_err(|error| unavailable(&format!("no thread for the log: {error}")))?;
        }
        Execution::Tasks => drop(tokio::spawn(committer.run_as_task(receiver))),
    }
    Ok(Opened { shared, requests, report, objects })
}

/// The id of the segment that an opening starts is never given again: it is the writer epoch of its objects.
fn object_area(
    config: &StorageConfig,
    wanted: &ObjectConfig,
    log_keys: &LogKeys,
    writer_epoch: u64,
) -> ObjectArea {
    let keys = wanted.keys.clone().unwrap_or_else(|| match log_keys {
        LogKeys::Provider(provider) => ObjectKeys::Provider(Arc::clone(provider)),
        LogKeys::Ring(ring) => ObjectKeys::Ring(Arc::clone(ring)),
    });
    let cluster_id = config.cluster_id.clone();
    let writer = ObjectWriter::new(wanted.store.clone(), keys.clone(), cluster_id, writer_epoch);
    ObjectArea {
        reader: ObjectReader::new(wanted.store.clone(), keys, wanted.reader.clone()),
        writer: Arc::new(writer),
        object_bytes: wanted.object_bytes,
        packing: Arc::default(),
        rewriting: Arc::default(),
    }
}

fn check(config: &StorageConfig) -> Result<(), StorageError> {
    const LARGEST_FRAME: usize = 1 << 30;
    let refused = |text| Err(StorageError::Setting(text));
    if config.segment_bytes <= HEADER_LENGTH {
        return refused("segments must be larger than 4096 bytes");
    }
    if config.maximum_unflushed_bytes == 0 {
        return refused("the bytes that may wait for durability must be more than 0");
    }
    if config.maximum_frame_bytes == 0 || config.maximum_frame_bytes > LARGEST_FRAME {
        return refused("the largest frame must be between 1 byte and 1 GiB");
    }
    if config.cluster_id.is_empty() || config.cluster_id.len() > 255 {
        return refused("the cluster id must have 1 to 255 bytes");
    }
    Ok(())
}

fn prepare_directory(config: &StorageConfig) -> Result<(), StorageError> {
    let directory = &config.directory;
    let failed = |action, source| StorageError::File { action, path: directory.clone(), source };
    let file_system = config.file_system.as_ref();
    file_system.create_directory(directory).map_err(|error| failed("create", error))?;
    let parent = directory.parent().filter(|parent| !parent.as_os_str().is_empty());
    if config.fsync {
        file_system
            .sync_directory(parent.unwrap_or(Path::new(".")))
            .map_err(|error| failed("sync", error))?;
    }
    Ok(())
}

/// Takes the directory's lock; the system gives it back when the process ends, however it ends.
fn lock(config: &StorageConfig) -> Result<Box<dyn DirectoryLock>, StorageError> {
    let directory = &config.directory;
    let path = directory.join("lock");
    config.file_system.lock(&path).map_err(|source| match source.kind() {
        io::ErrorKind::WouldBlock => StorageError::Locked { directory: directory.clone() },
        _ => StorageError::File { action: "lock", path, source },
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use cadastre_keys::envelope::SealingKey;
    use cadastre_keys::{KeyProvider, LocalKeyFile};
    use cadastre_protocol::record::Record;
    use cadastre_protocol::record_batch::RecordBatch;
    use cadastre_protocol::types::{TopicId, TopicPartition};

    use crate::command::{Command, encode_commands};
    use crate::descriptor::{BatchDescription, Descriptor, FrameKind};
    use crate::frame::{FrameScope, seal_frame};
    use crate::segment_header::SegmentHeader;
    use crate::snapshot::Snapshot;
    use crate::{Storage, StorageConfig};

    use super::*;

    /// A log as the first release wrote it is read, and goes on in the present format.
    #[tokio::test]
    async fn a_log_of_format_version_1_is_read_and_goes_on() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("log");
        std::fs::create_dir(&directory).unwrap();
        let keys: Arc<dyn KeyProvider> = Arc::new(LocalKeyFile::create(&root.path().join("kek")).unwrap());
        let context = SegmentHeader::encryption_context("c", 1, 1);
        let data_key = keys.generate_data_key(&context).await.unwrap();
        let (mut key, _, wrapped_key) = SealingKey::from_generated(data_key).unwrap();
        let header = SegmentHeader {
            version: 1,
            segment_id: 1,
            created_at_ms: 5,
            cluster_id: "c".to_owned(),
            wrapped_key,
        };
        let mut file = header.encode().unwrap();
        let scope = FrameScope::new("c", 1, 1);
        let partition = TopicPartition { topic: TopicId([7; 16]), partition: 0 };
        let record = Record { value: Some(Bytes::from_static(b"old")), ..Record::default() };
        let batch = RecordBatch::build(0, &[record], None).unwrap().with_offsets(0, 0);
        let mut snapshot = Snapshot { segments: [1].into(), ..Snapshot::default() }.encode().unwrap();
        assert_eq!((snapshot.pop(), snapshot.pop()), (Some(0), Some(0)), "version 1 has no lists of objects");
        let commands = [Command::CreatePartitions { topic: [7; 16], count: 1 }];
        let frames = [
            (FrameKind::Snapshot, 0, None, snapshot),
            (FrameKind::Commands, 1, None, encode_commands(&commands).unwrap()),
            (FrameKind::Records, 1, Some(BatchDescription::of(partition, &batch, 9)), batch.bytes().to_vec()),
            (FrameKind::End, 1, None, Vec::new()),
        ];
        for (kind, metadata_version, batch, body) in frames {
            let descriptor = Descriptor { kind, metadata_version, previous: None, batch };
            seal_frame(&scope, &mut key, &descriptor, &body, &mut file).unwrap();
        }
        std::fs::write(directory.join("00000000000000000001.wal"), file).unwrap();

        let config = || StorageConfig { fsync: false, ..StorageConfig::new(&directory, "c") };
        for appended in 1..3_i64 {
            let storage = Storage::open(config(), Arc::clone(&keys)).await.unwrap();
            assert!(!storage.recovery().has_losses(), "{:?}", storage.recovery());
            assert_eq!(storage.read(partition, 0, 0).await.unwrap().records, *batch.bytes());
            assert_eq!(storage.append(partition, batch.clone()).await.unwrap().base_offset, appended);
            storage.close().await.unwrap();
        }
    }
}
