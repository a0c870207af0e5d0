//! Opening a log: lock, recover, start a fresh segment, start the committer.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use cadastre_keys::KeyProvider;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::command::Command;
use crate::committer::{Committer, start_segment, unavailable};
use crate::config::StorageConfig;
use crate::error::StorageError;
use crate::recovery::{Recovered, recover};
use crate::report::RecoveryReport;
use crate::request::Request;
use crate::segment_header::{HEADER_LENGTH, SegmentHeader};
use crate::shared::Shared;

/// An open log: what the handle needs of it.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) shared: Arc<Shared>,
    pub(crate) requests: mpsc::UnboundedSender<Request>,
    pub(crate) report: RecoveryReport,
}

/// Opens the log and starts its committer. Blocks; asks `provider` through `runtime`.
pub(crate) fn open(
    config: StorageConfig,
    provider: Arc<dyn KeyProvider>,
    runtime: Handle,
) -> Result<Opened, StorageError> {
    check(&config)?;
    prepare_directory(&config)?;
    let lock = lock(&config.directory)?;
    let Recovered { state, segments, next_segment, report } = recover(&config, provider.as_ref(), &runtime)?;
    let context = SegmentHeader::encryption_context(&config.cluster_id, next_segment);
    let data_key = runtime.block_on(provider.generate_data_key(&context)).map_err(|source| {
        StorageError::Key { segment: next_segment, key_id: provider.key_id().to_owned(), source }
    })?;
    let (metadata_version, leader_epoch) = (state.metadata_version, state.leader_epoch);
    let shared = Arc::new(Shared::new(state, segments, config.cache_bytes));
    let writer = start_segment(&config, &shared, next_segment, data_key)?;
    let mut committer = Committer {
        config,
        provider,
        runtime,
        shared: Arc::clone(&shared),
        writer,
        staged: Vec::new(),
        metadata_version,
        lock,
    };
    if report.has_losses() {
        // Consumers that read beyond what is left notice by the epoch.
        committer.stage_commands(vec![Command::LeaderEpoch { epoch: leader_epoch.saturating_add(1) }], None);
        committer.flush();
        if let Some(reason) = shared.failure() {
            return Err(unavailable(reason));
        }
    }
    committer.delete_dead_segments()?;
    let (requests, receiver) = mpsc::unbounded_channel();
    std::thread::Builder::new()
        .name("cadastre-log".to_owned())
        .spawn(move || committer.run(receiver))
        .map_err(|error| unavailable(&format!("no thread for the log: {error}")))?;
    Ok(Opened { shared, requests, report })
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
fn lock(directory: &Path) -> Result<File, StorageError> {
    let path = directory.join("lock");
    let failed = |source| StorageError::File { action: "lock", path: path.clone(), source };
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StorageError::Locked { directory: directory.to_owned() }),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}
