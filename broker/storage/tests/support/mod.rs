//! What the tests share: keys, settings, batches, crash images and a file system with faults.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use bytes::Bytes;
use cadastre_keys::{KeyProvider, LocalKeyFile};
use cadastre_objects::{StoreLocation, StoreSettings};
use cadastre_protocol::record::Record;
use cadastre_protocol::record_batch::{Producer, RecordBatch};
use cadastre_protocol::types::{TopicId, TopicPartition};
use cadastre_storage::{
    DirectoryLock, FileSystem, LocalFileSystem, LogFile, ObjectConfig, Storage, StorageConfig, StorageError,
};
use tempfile::TempDir;

pub(crate) const CLUSTER: &str = "4L6g3nShT-eMCtK--X86sw";
pub(crate) const TOPIC: TopicId = TopicId([7; 16]);
pub(crate) const EVERYTHING: usize = 1 << 30;

pub(crate) fn partition(index: i32) -> TopicPartition {
    TopicPartition { topic: TOPIC, partition: index }
}

/// A log directory with its key beside it.
pub(crate) struct Home {
    pub(crate) root: TempDir,
    pub(crate) keys: Arc<dyn KeyProvider>,
}

impl Home {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let keys = Arc::new(LocalKeyFile::create(&root.path().join("kek")).unwrap());
        Self { root, keys }
    }

    pub(crate) fn directory(&self) -> PathBuf {
        self.root.path().join("log")
    }

    /// Settings without fsync: what these tests kill is the process, not the machine.
    pub(crate) fn config(&self) -> StorageConfig {
        StorageConfig { fsync: false, ..StorageConfig::new(self.directory(), CLUSTER) }
    }

    /// Settings with small segments and small objects in a directory below the log's.
    pub(crate) fn packing_config(&self) -> StorageConfig {
        let objects = ObjectConfig { object_bytes: 4_000, ..object_directory(&self.directory()) };
        StorageConfig { segment_bytes: 9_000, cache_bytes: 0, objects: Some(objects), ..self.config() }
    }

    /// The object files, in order.
    pub(crate) fn objects(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        collect_files(&self.directory().join("objects"), &mut files);
        files.sort();
        files
    }

    pub(crate) async fn open(&self) -> Storage {
        self.open_with(self.config()).await.unwrap()
    }

    pub(crate) async fn open_with(&self, config: StorageConfig) -> Result<Storage, StorageError> {
        Storage::open(config, Arc::clone(&self.keys)).await
    }

    /// A copy of the log as a crash at this moment would leave it, with the same key.
    pub(crate) fn crash_image(&self) -> Self {
        let root = tempfile::tempdir().unwrap();
        copy_directory(&self.directory(), &root.path().join("log"));
        Self { root, keys: Arc::clone(&self.keys) }
    }

    /// The segment files, oldest first.
    pub(crate) fn segments(&self) -> Vec<PathBuf> {
        let mut files: Vec<_> = std::fs::read_dir(self.directory())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "wal"))
            .collect();
        files.sort();
        files
    }

    pub(crate) fn quarantined(&self) -> usize {
        std::fs::read_dir(self.directory().join("quarantine")).map_or(0, Iterator::count)
    }
}

/// Objects in `objects` below a log directory, which is made.
pub(crate) fn object_directory(log: &Path) -> ObjectConfig {
    let directory = log.join("objects");
    std::fs::create_dir_all(&directory).unwrap();
    let location = StoreLocation::directory(&directory).unwrap();
    ObjectConfig::new(location.open(StoreSettings::default()).unwrap())
}

fn collect_files(directory: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(directory) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect_files(&path, files);
        } else {
            files.push(path);
        }
    }
}

fn copy_directory(from: &Path, to: &Path) {
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

/// A batch of one record for each value, a millisecond apart from `timestamp` on.
pub(crate) fn batch_at(timestamp: i64, values: &[&[u8]], producer: Option<Producer>) -> RecordBatch {
    let records: Vec<_> = values
        .iter()
        .zip(timestamp..)
        .map(|(value, timestamp)| Record {
            timestamp,
            value: Some(Bytes::copy_from_slice(value)),
            ..Record::default()
        })
        .collect();
    RecordBatch::build(0, &records, producer).unwrap()
}

pub(crate) fn batch(values: &[&[u8]]) -> RecordBatch {
    batch_at(1_700_000_000_000, values, None)
}

/// Reads a partition from its log start to its end, batch by batch.
pub(crate) async fn read_all(storage: &Storage, partition: TopicPartition) -> Vec<RecordBatch> {
    let bounds = storage.watermarks(partition).unwrap();
    let mut offset = bounds.log_start_offset;
    let mut batches = Vec::new();
    while offset < bounds.high_watermark {
        let fetched = storage.read(partition, offset, 10_000).await.unwrap();
        let parsed = RecordBatch::parse_all(fetched.records).unwrap();
        offset = parsed.last().unwrap().last_offset() + 1;
        batches.extend(parsed);
    }
    batches
}

/// Values of all records, in order.
pub(crate) fn values(batches: &[RecordBatch]) -> Vec<Vec<u8>> {
    let records = batches.iter().flat_map(|batch| batch.records(EVERYTHING).unwrap());
    records.map(|record| record.unwrap().value.unwrap().to_vec()).collect()
}

/// The operating system's files, with faults that a test switches on.
#[derive(Debug, Default)]
pub(crate) struct FaultyFileSystem(Arc<Faults>);

/// The switches, and what was counted.
#[derive(Debug)]
pub(crate) struct Faults {
    /// Bytes that can still be written before the disk is full; negative is unlimited.
    pub(crate) free_bytes: AtomicI64,
    pub(crate) sync_fails: AtomicBool,
    pub(crate) syncs: AtomicU64,
    /// While true, syncs wait.
    blocked: Mutex<bool>,
    unblocked: Condvar,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            free_bytes: AtomicI64::new(-1),
            sync_fails: AtomicBool::new(false),
            syncs: AtomicU64::new(0),
            blocked: Mutex::new(false),
            unblocked: Condvar::new(),
        }
    }
}

impl Faults {
    pub(crate) fn block_syncs(&self, block: bool) {
        *self.blocked.lock().unwrap() = block;
        self.unblocked.notify_all();
    }
}

impl FaultyFileSystem {
    pub(crate) fn new() -> (Arc<Self>, Arc<Faults>) {
        let faults = Arc::new(Faults::default());
        (Arc::new(Self(Arc::clone(&faults))), faults)
    }
}

#[derive(Debug)]
struct FaultyFile {
    file: Box<dyn LogFile>,
    faults: Arc<Faults>,
}

impl LogFile for FaultyFile {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        let free = self.faults.free_bytes.load(Ordering::SeqCst);
        let Ok(free) = usize::try_from(free) else { return self.file.append(bytes) };
        let fits = bytes.len().min(free);
        self.file.append(&bytes[..fits])?;
        self.faults.free_bytes.fetch_sub(i64::try_from(fits).unwrap(), Ordering::SeqCst);
        if fits < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn sync(&self) -> io::Result<()> {
        let blocked = self.faults.blocked.lock().unwrap();
        drop(self.faults.unblocked.wait_while(blocked, |blocked| *blocked).unwrap());
        self.faults.syncs.fetch_add(1, Ordering::SeqCst);
        if self.faults.sync_fails.load(Ordering::SeqCst) {
            return Err(io::Error::other("input/output error"));
        }
        self.file.sync()
    }

    fn read_exact_at(&self, buffer: &mut [u8], position: u64) -> io::Result<()> {
        self.file.read_exact_at(buffer, position)
    }

    fn length(&self) -> io::Result<u64> {
        self.file.length()
    }

    fn write_over(&self, bytes: &[u8], position: u64) -> io::Result<()> {
        self.file.write_over(bytes, position)
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.file.truncate(length)
    }
}

impl FileSystem for FaultyFileSystem {
    fn create_directory(&self, path: &Path) -> io::Result<()> {
        LocalFileSystem.create_directory(path)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn DirectoryLock>> {
        LocalFileSystem.lock(path)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn LogFile>> {
        let file = LocalFileSystem.create(path)?;
        Ok(Box::new(FaultyFile { file, faults: Arc::clone(&self.0) }))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn LogFile>> {
        LocalFileSystem.open(path)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        LocalFileSystem.remove(path)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        LocalFileSystem.list(directory)
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        LocalFileSystem.sync_directory(directory)
    }
}
