//! Reading objects: their end first, then runs of blocks, each fetched once for all who wait and kept for a while.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use cadastre_keys::WrappedKey;
use cadastre_protocol::record_batch::RecordBatch;
use cadastre_protocol::types::TopicPartition;
use futures::{StreamExt, stream};
use quick_cache::sync::Cache;
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter, sync::DefaultLifecycle};
use tokio::sync::Semaphore;

use crate::block::Block;
use crate::damage::{Damage, Quarantine};
use crate::disk_cache::{DiskCache, RunKey};
use crate::error::{ObjectError, StoreError};
use crate::object_id::{ObjectId, ObjectName};
use crate::object_keys::{ObjectKeys, Opener};
use crate::opened::{OpenedObject, UncheckedTail};
use crate::runs::{RunSettings, coalesce, runs};
use crate::store::Store;

/// How much memory reading may take, and how it asks the store. Sizes in bytes.
#[derive(Debug, Clone)]
pub struct ReaderSettings {
    /// Memory for records.
    pub cache_bytes: u64,
    /// Memory for indexes of objects.
    pub index_cache_bytes: u64,
    /// What is read of an object's end at first.
    pub tail_bytes: u64,
    /// How blocks are put together for requests.
    pub runs: RunSettings,
    /// Runs fetched ahead of a reader; 0 for none.
    pub read_ahead: usize,
    /// Runs that may be fetched ahead at once, over all readers.
    pub read_ahead_concurrency: usize,
    /// Scans join ranges that lie at most this far apart.
    pub scan_gap_bytes: u64,
    /// The largest request of a scan.
    pub scan_request_bytes: u64,
    /// Sealed runs on the local disk.
    pub disk_cache: Option<DiskCache>,
}

impl Default for ReaderSettings {
    /// 64 MiB for records, 16 MiB for indexes, 64 KiB tails, one run ahead and 8 of those at once; scans over gaps of
    /// 64 KiB by 4 MiB; no cache on disk.
    fn default() -> Self {
        Self {
            cache_bytes: 64 << 20,
            index_cache_bytes: 16 << 20,
            tail_bytes: 64 << 10,
            runs: RunSettings::default(),
            read_ahead: 1,
            read_ahead_concurrency: 8,
            scan_gap_bytes: 64 << 10,
            scan_request_bytes: 4 << 20,
            disk_cache: None,
        }
    }
}

/// An object as the manifest refers to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectReference {
    /// Its name.
    pub name: ObjectName,
    /// The data key under a newer key than the one in the object, once it was rewrapped.
    pub rewrapped_key: Option<WrappedKey>,
}

impl ObjectReference {
    /// An object whose data key is wrapped as it was when it was written.
    #[must_use]
    pub const fn new(name: ObjectName) -> Self {
        Self { name, rewrapped_key: None }
    }
}

/// A batch as it was read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredBatch {
    /// The number of its block.
    pub number: u32,
    /// What the index says about it.
    pub block: Block,
    /// The batch; in `wal` objects with the offsets that the producer sent.
    pub batch: RecordBatch,
}

/// Reads objects of one store. Cheap to clone; clones share caches and limits.
#[derive(Debug, Clone)]
pub struct ObjectReader {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    store: Store,
    keys: ObjectKeys,
    settings: ReaderSettings,
    objects: WeighedCache<ObjectId, Arc<OpenedObject>>,
    runs: WeighedCache<RunKey, Arc<Run>>,
    quarantine: Quarantine,
    ahead: Arc<Semaphore>,
}

/// The opened blocks of a run.
#[derive(Debug)]
struct Run {
    batches: Vec<Result<RecordBatch, Damage>>,
    weight: u64,
}

type WeighedCache<K, V> = Cache<K, V, ByBytes, DefaultHashBuilder, DefaultLifecycle<K, V>>;

#[derive(Debug, Clone, Copy)]
struct ByBytes;

impl Weighter<ObjectId, Arc<OpenedObject>> for ByBytes {
    fn weight(&self, _key: &ObjectId, object: &Arc<OpenedObject>) -> u64 {
        object.weight()
    }
}

impl Weighter<RunKey, Arc<Run>> for ByBytes {
    fn weight(&self, _key: &RunKey, run: &Arc<Run>) -> u64 {
        run.weight
    }
}

/// A cache of `bytes`, split so far only that an entry of `entry_bytes` has room in each part.
fn cache<K: Eq + std::hash::Hash, V: Clone>(bytes: u64, entry_bytes: u64) -> WeighedCache<K, V>
where
    ByBytes: Weighter<K, V>,
{
    let parts = usize::try_from(bytes / entry_bytes.saturating_mul(4).max(1)).unwrap_or(1).clamp(1, 16);
    let items = usize::try_from(bytes / entry_bytes.max(1)).unwrap_or(1).clamp(16, 1 << 20);
    let options =
        OptionsBuilder::new().estimated_items_capacity(items).weight_capacity(bytes).shards(parts).build();
    // The options are complete, so that building them cannot fail; without options the cache would only be smaller.
    match options {
        Ok(options) => {
            Cache::with_options(options, ByBytes, DefaultHashBuilder::default(), DefaultLifecycle::default())
        }
        Err(_incomplete) => Cache::with_weighter(items, bytes, ByBytes),
    }
}

impl ObjectReader {
    /// A reader over `store`. `keys` is asked for an object's key at every read, cached records included, so that
    /// a key that is withdrawn stops reads as soon as `keys` notices.
    #[must_use]
    pub fn new(store: Store, keys: impl Into<ObjectKeys>, settings: ReaderSettings) -> Self {
        let inner = Inner {
            store,
            keys: keys.into(),
            objects: cache(settings.index_cache_bytes, 64 << 10),
            runs: cache(settings.cache_bytes, settings.runs.run_bytes),
            quarantine: Quarantine::default(),
            ahead: Arc::new(Semaphore::new(settings.read_ahead_concurrency.min(Semaphore::MAX_PERMITS))),
            settings,
        };
        Self { inner: Arc::new(inner) }
    }

    /// The store that is read.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// The damage seen so far.
    #[must_use]
    pub fn quarantine(&self) -> &Quarantine {
        &self.inner.quarantine
    }

    /// Bytes of memory that cached records and indexes take.
    #[must_use]
    pub fn cached_bytes(&self) -> u64 {
        self.inner.runs.weight().saturating_add(self.inner.objects.weight())
    }

    /// Drops what is kept of an object, before it is deleted.
    pub fn forget(&self, name: &ObjectName) {
        self.inner.objects.remove(&name.id);
        self.inner.runs.retain(|(id, _), _| *id != name.id);
        self.inner.quarantine.forget(name);
    }

    /// Reads and authenticates an object's index, or takes it from memory.
    ///
    /// # Errors
    /// [`ObjectError::Damaged`], [`ObjectError::Missing`], [`ObjectError::NewerFormat`], [`ObjectError::Key`],
    /// [`ObjectError::Store`].
    pub async fn open(&self, object: &ObjectReference) -> Result<Arc<OpenedObject>, ObjectError> {
        self.open_with_key(object).await.map(|(opened, _)| opened)
    }

    async fn open_with_key(
        &self,
        object: &ObjectReference,
    ) -> Result<(Arc<OpenedObject>, Opener), ObjectError> {
        let inner = &self.inner;
        let opened = inner.objects.get_or_insert_async(&object.name.id, inner.open(object)).await;
        let opened = opened.inspect_err(|error| inner.note(error))?;
        if *opened.name() != object.name {
            // The same id under another kind or cluster: the manifest's mistake, and never this object.
            return Err(ObjectError::Missing { name: Box::new(object.name.clone()) });
        }
        let wrapped = object.rewrapped_key.as_ref().unwrap_or_else(|| opened.wrapped_key());
        let key = inner.key(&object.name, wrapped).await?;
        Ok((opened, key))
    }

    /// The batches of a partition from the one that holds `offset`, or from the next one where compaction left a gap:
    /// up to `maximum_bytes`, but one at least. Empty when the object has none so late.
    ///
    /// # Errors
    /// As [`ObjectReader::open`]; damage only where it hits the first batch, else what precedes it is returned.
    pub async fn read(
        &self,
        object: &ObjectReference,
        partition: TopicPartition,
        offset: i64,
        maximum_bytes: usize,
    ) -> Result<Vec<StoredBatch>, ObjectError> {
        let (opened, key) = self.open_with_key(object).await?;
        let index = opened.index();
        let Some(first) = index.find(partition, offset) else { return Ok(Vec::new()) };
        let last = index.of_partition(partition).end;
        let mut bytes = 0usize;
        let mut end = first;
        for block in index.blocks().get(first..last).unwrap_or_default() {
            bytes = bytes.saturating_add(block.batch_size() as usize);
            if end > first && bytes > maximum_bytes {
                break;
            }
            end = end.saturating_add(1);
        }
        let numbers = block_number(first)..block_number(end);
        self.read_blocks(&opened, key, numbers).await
    }

    /// Batches by block number, through the caches.
    ///
    /// # Errors
    /// As [`ObjectReader::read`].
    pub async fn blocks(
        &self,
        object: &ObjectReference,
        numbers: Range<u32>,
    ) -> Result<Vec<StoredBatch>, ObjectError> {
        let (opened, key) = self.open_with_key(object).await?;
        self.read_blocks(&opened, key, numbers).await
    }

    async fn read_blocks(
        &self,
        opened: &Arc<OpenedObject>,
        key: Opener,
        numbers: Range<u32>,
    ) -> Result<Vec<StoredBatch>, ObjectError> {
        let inner = &self.inner;
        let key = Arc::new(key);
        let planned = runs(opened.index().blocks(), inner.settings.runs);
        let first = planned.partition_point(|run| run.end <= numbers.start);
        let end = planned.partition_point(|run| run.start < numbers.end);
        self.fetch_ahead(opened, &key, planned.get(end..).unwrap_or_default());
        let wanted = planned.get(first..end).unwrap_or_default().iter().cloned();
        let mut fetched = stream::iter(wanted)
            .map(|run| {
                let key = Arc::clone(&key);
                async move { inner.run(opened, &key, run.clone()).await.map(|found| (run, found)) }
            })
            .buffered(4);
        let mut batches: Vec<StoredBatch> = Vec::new();
        while let Some(next) = fetched.next().await {
            let (run, found) = match next {
                Ok(next) => next,
                Err(_later) if !batches.is_empty() => return Ok(batches),
                Err(error) => return Err(error),
            };
            for ((number, batch), block) in run.clone().zip(&found.batches).zip(slice(opened, &run)) {
                if !numbers.contains(&number) {
                    continue;
                }
                match batch {
                    Ok(batch) => {
                        batches.push(StoredBatch { number, block: *block, batch: batch.clone() });
                    }
                    Err(_later) if !batches.is_empty() => return Ok(batches),
                    Err(damage) => return Err(damage.clone().into()),
                }
            }
        }
        Ok(batches)
    }

    /// Starts fetching what a reader that goes on will ask for, as far as there is room.
    fn fetch_ahead(&self, opened: &Arc<OpenedObject>, key: &Arc<Opener>, following: &[Range<u32>]) {
        let partition_of = |number: u32| opened.index().blocks().get(number as usize).map(|it| it.partition);
        let before = following.first().and_then(|run| partition_of(run.start.saturating_sub(1)));
        for run in following.iter().take(self.inner.settings.read_ahead) {
            if partition_of(run.start) != before
                || self.inner.runs.contains_key(&(opened.name().id, run.start))
            {
                continue;
            }
            let Ok(permit) = Arc::clone(&self.inner.ahead).try_acquire_owned() else { return };
            let (inner, opened, key, run) =
                (Arc::clone(&self.inner), Arc::clone(opened), Arc::clone(key), run.clone());
            tokio::spawn(async move {
                // Whoever really needs the run will fetch it again and see the failure.
                drop(inner.run(&opened, &key, run).await);
                drop(permit);
            });
        }
    }

    /// Every batch in `numbers`, past the caches and by few large requests: for merging and compaction. A damaged
    /// block is an item of its own; the others follow. At most one request's bytes are in memory.
    pub async fn scan(
        &self,
        object: &ObjectReference,
        numbers: Range<u32>,
        mut each: impl FnMut(u32, &Block, Result<RecordBatch, Damage>) -> Result<(), ObjectError>,
    ) -> Result<(), ObjectError> {
        let (opened, key) = self.open_with_key(object).await?;
        let settings = &self.inner.settings;
        let blocks = slice(&opened, &numbers);
        let ranges: Vec<_> = blocks.iter().map(|block| block.position..block.end_position()).collect();
        let requests = coalesce(&ranges, settings.scan_gap_bytes, settings.scan_request_bytes);
        let mut served = numbers.zip(blocks);
        for (range, count) in requests {
            let bytes = self.inner.fetch(&object.name, range.clone()).await?;
            for (number, block) in served.by_ref().take(count) {
                let batch = opened.open_block(&key, number, block, part(&bytes, range.start, block))?;
                if let Err(damage) = &batch {
                    self.inner.quarantine.report(damage);
                }
                each(number, block, batch)?;
            }
        }
        Ok(())
    }

    /// Reads every byte of an object and gives all damage found.
    ///
    /// # Errors
    /// What keeps it from being read, as in [`ObjectReader::open`]; damage is no error here.
    pub async fn verify(&self, object: &ObjectReference) -> Result<Vec<Damage>, ObjectError> {
        // What memory holds of it says nothing about the store.
        self.inner.objects.remove(&object.name.id);
        let opened = match self.open(object).await {
            Ok(opened) => opened,
            Err(ObjectError::Damaged(damage)) => return Ok(vec![*damage]),
            Err(error) => return Err(error),
        };
        let mut found = Vec::new();
        let all = 0..block_number(opened.index().blocks().len());
        self.scan(object, all, |_, _, batch| {
            found.extend(batch.err());
            Ok(())
        })
        .await?;
        Ok(found)
    }
}

impl Inner {
    async fn key(&self, name: &ObjectName, wrapped: &WrappedKey) -> Result<Opener, ObjectError> {
        let failed = |source| ObjectError::Key { name: Box::new(name.clone()), source };
        self.keys.open(name, wrapped).await.map_err(failed)
    }

    async fn open(&self, object: &ObjectReference) -> Result<Arc<OpenedObject>, ObjectError> {
        let name = &object.name;
        let missing = |error| not_found(name, error);
        let path = name.path();
        let first = self.store.get_suffix(&path, self.settings.tail_bytes).await.map_err(missing)?;
        let tail = UncheckedTail::read(name, &first.bytes, first.object_size)?;
        let suffix = if tail.length() > first.bytes.len() as u64 {
            self.store.get_suffix(&path, tail.length()).await.map_err(missing)?.bytes
        } else {
            first.bytes
        };
        let sealed = tail.with_bytes(name, &suffix)?;
        let wrapped = object.rewrapped_key.as_ref().unwrap_or(&sealed.envelope.wrapped_key);
        let key = self.key(name, wrapped).await?;
        Ok(Arc::new(sealed.open(&key)?))
    }

    /// The blocks of a run, from memory, disk or store.
    async fn run(
        &self,
        opened: &OpenedObject,
        key: &Opener,
        numbers: Range<u32>,
    ) -> Result<Arc<Run>, ObjectError> {
        let run_key = (opened.name().id, numbers.start);
        let fetching = self.fetch_run(opened, key, numbers.clone());
        let run = self.runs.get_or_insert_async(&run_key, fetching).await?;
        if run.batches.iter().any(Result::is_err) {
            // The store may answer better next time; damage is not what a cache is for.
            self.runs.remove(&run_key);
        }
        Ok(run)
    }

    async fn fetch_run(
        &self,
        opened: &OpenedObject,
        key: &Opener,
        numbers: Range<u32>,
    ) -> Result<Arc<Run>, ObjectError> {
        let run_key = (opened.name().id, numbers.start);
        let blocks = slice(opened, &numbers);
        let start = blocks.first().map_or(0, |block| block.position);
        let end = blocks.last().map_or(0, Block::end_position);
        if let Some(disk) = &self.settings.disk_cache
            && let Some(bytes) = disk.get(run_key).await
        {
            let run = open_run(opened, key, &numbers, start, &bytes)?;
            if run.batches.iter().all(Result::is_ok) && bytes.len() as u64 == end.saturating_sub(start) {
                return Ok(Arc::new(run));
            }
            // The copy is damaged, which says nothing about the object.
            tracing::warn!(object = %opened.name(), "a run cached on disk does not authenticate");
            disk.remove(run_key).await;
        }
        let bytes = self.fetch(opened.name(), start..end).await?;
        let run = open_run(opened, key, &numbers, start, &bytes)?;
        let mut damaged = false;
        for damage in run.batches.iter().filter_map(|batch| batch.as_ref().err()) {
            damaged = true;
            self.quarantine.report(damage);
        }
        if let Some(disk) = &self.settings.disk_cache
            && !damaged
        {
            disk.put(run_key, &bytes).await;
        }
        Ok(Arc::new(run))
    }

    async fn fetch(&self, name: &ObjectName, range: Range<u64>) -> Result<Bytes, ObjectError> {
        self.store.get_range(&name.path(), range).await.map_err(|error| not_found(name, error))
    }

    fn note(&self, error: &ObjectError) {
        if let ObjectError::Damaged(damage) = error {
            self.quarantine.report(damage);
        }
    }
}

fn open_run(
    opened: &OpenedObject,
    key: &Opener,
    numbers: &Range<u32>,
    start: u64,
    bytes: &Bytes,
) -> Result<Run, ObjectError> {
    let blocks = slice(opened, numbers);
    let batches: Vec<_> = numbers
        .clone()
        .zip(blocks)
        .map(|(number, block)| opened.open_block(key, number, block, part(bytes, start, block)))
        .collect::<Result<_, _>>()?;
    let overhead = size_of::<Result<RecordBatch, Damage>>().saturating_mul(batches.len()).saturating_add(64);
    Ok(Run { weight: (bytes.len() as u64).saturating_add(overhead as u64), batches })
}

/// The sealed bytes of a block in bytes that begin at `start` of the object; empty where they end before, which
/// then does not authenticate.
fn part<'a>(bytes: &'a Bytes, start: u64, block: &Block) -> &'a [u8] {
    let from = usize::try_from(block.position.saturating_sub(start)).unwrap_or(usize::MAX);
    let to = from.saturating_add(block.length as usize);
    bytes.get(from..to).unwrap_or_default()
}

fn slice<'a>(opened: &'a OpenedObject, numbers: &Range<u32>) -> &'a [Block] {
    opened.index().blocks().get(numbers.start as usize..numbers.end as usize).unwrap_or_default()
}

fn block_number(index: usize) -> u32 {
    // An index never has more than 2³² blocks.
    u32::try_from(index).unwrap_or(u32::MAX)
}

fn not_found(name: &ObjectName, error: StoreError) -> ObjectError {
    match error {
        StoreError::NotFound { .. } => ObjectError::Missing { name: Box::new(name.clone()) },
        other => ObjectError::Store(other),
    }
}
