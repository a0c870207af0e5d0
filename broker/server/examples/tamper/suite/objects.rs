//! Objects (RFC 3) of every kind as the storage of either mode reads them, and the cache of them on disk.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cadastre_keys::{KeyProvider, LocalKeyFile};
use cadastre_objects::{DiskCache, ReaderSettings, RunSettings, StoreLocation, StoreSettings};
use cadastre_sequencer::MemorySequencer;
use cadastre_storage::{ClusterConfig, ObjectConfig, RewriteSettings, Storage, StorageConfig};

use super::Context;
use super::change::{Altered, Region, cuts, flips, replaced};
use super::content::{CLUSTER, Content, PARTITIONS, copy_directory, create_topics, files_below};
use super::table::{Expectation, Judgement, Verdict};

const TRAILER: usize = 40;

/// Whose objects they are.
#[derive(Debug, Clone)]
enum Authority {
    /// The log in the same directory.
    Log,
    /// A sequencer.
    Sequencer(MemorySequencer),
}

struct Home {
    root: tempfile::TempDir,
    keys: Arc<dyn KeyProvider>,
    authority: Authority,
    content: Content,
}

pub(crate) async fn tamper(context: &mut Context<'_>) {
    objects(context, "object of many partitions, packed from the log", Home::packed().await, "/mixed/").await;
    objects(context, "object of many partitions, of a cluster", Home::cluster(false).await, "/wal/").await;
    objects(context, "object of one partition, rewritten", Home::cluster(true).await, "/partition/").await;
    cache(context, &Home::packed().await).await;
}

async fn objects(context: &mut Context<'_>, kind: &'static str, home: Home, folder: &str) {
    let is_of_kind = |path: &PathBuf| path.display().to_string().contains(folder);
    let files: Vec<PathBuf> = files_below(&home.store()).into_iter().filter(is_of_kind).collect();
    let [first, second, ..] = files.as_slice() else { panic!("too few objects: {files:?}") };
    let untouched = home.judge(first, None).await;
    assert_eq!((untouched.verdict, untouched.lost), (Verdict::Unnoticed, 0), "{}", untouched.said);

    let (sound, other) = (std::fs::read(first).unwrap(), std::fs::read(second).unwrap());
    let regions = regions(&sound);
    let mut altered = flips(context, &sound, &regions);
    for region in &regions {
        let middle = usize::midpoint(region.range.start, region.range.end);
        altered.extend(cuts("cut", &sound, [region.range.start, middle]));
    }
    altered.extend(cuts("cut", &sound, [sound.len() - 1]));
    altered.push(replaced("bytes appended", "a zero", [sound.as_slice(), &[0]].concat()));
    altered.push(replaced("bytes prepended", "a zero", [&[0], sound.as_slice()].concat()));
    altered.push(replaced("another object in its place", "the whole", other.clone()));
    let (end, other_end) = (regions[1].range.start, blocks_length(&other));
    altered.push(replaced("blocks of another object", "all", [&other[..other_end], &sound[end..]].concat()));
    altered.push(replaced("index of another object", "all", [&sound[..end], &other[other_end..]].concat()));
    for Altered { region, what, bytes } in altered {
        let judgement = home.judge(first, Some(Some(&bytes))).await;
        let batches = home.content.batches.len();
        context.table.note(kind, &region, &what, batches, Expectation::Noticed, &judgement);
    }
    let judgement = home.judge(first, Some(None)).await;
    let batches = home.content.batches.len();
    context.table.note(kind, "object gone", "gone", batches, Expectation::Noticed, &judgement);
}

/// Files of the cache are altered while the process runs: it starts empty.
async fn cache(context: &mut Context<'_>, home: &Home) {
    const KIND: &str = "cache of objects on disk";
    let directory = tempfile::tempdir().unwrap();
    let reader = ReaderSettings {
        disk_cache: Some(DiskCache::open(directory.path(), 1 << 20).unwrap()),
        ..uncached()
    };
    let (_image, storage) = home.open(None, reader).await;
    let filled = home.content.compare(&storage).await;
    assert_eq!((filled.lost, filled.wrong.len()), (0, 0));
    let files = files_below(directory.path());
    let [first, second, ..] = files.as_slice() else { panic!("too few files: {files:?}") };
    let (sound, other) = (std::fs::read(first).unwrap(), std::fs::read(second).unwrap());
    let half = sound.len() / 2;
    let parts = [Region::new("sealed run", 0..half), Region::new("sealed run", half..sound.len())];
    let mut altered = flips(context, &sound, &parts);
    altered.extend(cuts("cut", &sound, [0, 1, half, sound.len() - 1]));
    altered.push(replaced("bytes appended", "a zero", [sound.as_slice(), &[0]].concat()));
    altered.push(replaced("another file in its place", "the whole", other));
    for Altered { region, what, bytes } in altered {
        std::fs::write(first, &bytes).unwrap();
        let compared = home.content.compare(&storage).await;
        let is_healed = std::fs::read(first).is_ok_and(|bytes| bytes == sound);
        let verdict = match () {
            () if !compared.wrong.is_empty() || compared.lost > 0 => Verdict::Served,
            () if is_healed => Verdict::Healed,
            () => Verdict::Unnoticed,
        };
        let said = format!("{compared:?}");
        let judgement = Judgement { verdict, lost: compared.lost, said };
        let batches = home.content.batches.len();
        context.table.note(KIND, &region, &what, batches, Expectation::Noticed, &judgement);
        std::fs::write(first, &sound).unwrap();
    }
    storage.close().await.unwrap();
}

impl Home {
    /// Records that left the log for objects.
    async fn packed() -> Self {
        let home = Self::empty(Authority::Log);
        let (_image, storage) = home.open_in(home.root.path(), uncached()).await;
        create_topics(&storage).await;
        let mut content = Content::default();
        for number in 0..45 {
            content.append(&storage, PARTITIONS[number % 3], 300).await;
        }
        let report = storage.pack(1).await.unwrap();
        assert!(report.objects > 2, "{report:?}");
        content.note_metadata(&storage);
        storage.close().await.unwrap();
        Self { content, ..home }
    }

    /// Records of a cluster: as brokers wrote them, or put together by partition.
    async fn cluster(is_rewritten: bool) -> Self {
        let home = Self::empty(Authority::Sequencer(MemorySequencer::new()));
        let (_image, storage) = home.open_in(home.root.path(), uncached()).await;
        create_topics(&storage).await;
        let mut content = Content::default();
        for number in 0..18 {
            content.append(&storage, PARTITIONS[number % 3], 300).await;
        }
        if is_rewritten {
            let settings = RewriteSettings { cleaning: None, object_bytes: 1_500, maximum_keys: 1000 };
            for partition in PARTITIONS {
                let report = storage.rewrite(partition, settings, 1_700_000_000_000).await.unwrap();
                assert!(report.objects > 0, "{report:?}");
            }
        }
        content.note_metadata(&storage);
        storage.close().await.unwrap();
        Self { content, ..home }
    }

    fn empty(authority: Authority) -> Self {
        let root = tempfile::tempdir().unwrap();
        let keys: Arc<dyn KeyProvider> = Arc::new(LocalKeyFile::create(&root.path().join("kek")).unwrap());
        std::fs::create_dir(root.path().join("store")).unwrap();
        Self { root, keys, authority, content: Content::default() }
    }

    fn store(&self) -> PathBuf {
        self.root.path().join("store")
    }

    /// Opens a copy in which a file has other content, or is gone.
    async fn open(
        &self,
        change: Option<(&Path, Option<&[u8]>)>,
        reader: ReaderSettings,
    ) -> (Option<tempfile::TempDir>, Storage) {
        let image = tempfile::tempdir().unwrap();
        copy_directory(self.root.path(), image.path());
        if let Some((path, bytes)) = change {
            let path = image.path().join(path.strip_prefix(self.root.path()).unwrap());
            match bytes {
                Some(bytes) => std::fs::write(path, bytes).unwrap(),
                None => std::fs::remove_file(path).unwrap(),
            }
        }
        let (_none, storage) = self.open_in(image.path(), reader).await;
        (Some(image), storage)
    }

    async fn open_in(&self, root: &Path, reader: ReaderSettings) -> (Option<tempfile::TempDir>, Storage) {
        let location = StoreLocation::directory(&root.join("store")).unwrap();
        let store = location.open(StoreSettings::default()).unwrap();
        let storage = match &self.authority {
            Authority::Log => {
                let objects = ObjectConfig { object_bytes: 4_000, reader, ..ObjectConfig::new(store) };
                let config = StorageConfig {
                    fsync: false,
                    segment_bytes: 5_000,
                    cache_bytes: 0,
                    objects: Some(objects),
                    ..StorageConfig::new(root.join("log"), CLUSTER)
                };
                Storage::open(config, Arc::clone(&self.keys)).await.unwrap()
            }
            Authority::Sequencer(sequencer) => {
                let config = ClusterConfig {
                    linger: Duration::from_millis(1),
                    reader,
                    ..ClusterConfig::new(CLUSTER, 1)
                };
                let sequencer = Arc::new(sequencer.clone());
                Storage::open_cluster(config, Arc::clone(&self.keys), sequencer, store).await.unwrap()
            }
        };
        (None, storage)
    }

    async fn judge(&self, path: &Path, change: Option<Option<&[u8]>>) -> Judgement {
        let (_image, storage) = self.open(change.map(|bytes| (path, bytes)), uncached()).await;
        let compared = self.content.compare(&storage).await;
        storage.close().await.unwrap();
        let said = format!("{:?}", compared.refusals.first());
        let verdict = match () {
            () if !compared.wrong.is_empty() => {
                return Judgement::new(Verdict::Served, format!("wrong: {:?}", compared.wrong));
            }
            () if !compared.silent.is_empty() => {
                return Judgement::new(Verdict::Served, format!("gone: {:?}", compared.silent));
            }
            () if !compared.unnamed.is_empty() => {
                return Judgement::new(Verdict::Unnoticed, format!("not named: {:?}", compared.unnamed));
            }
            () if compared.lost > 0 => Verdict::Named,
            () => Verdict::Unnoticed,
        };
        Judgement { verdict, lost: compared.lost, said }
    }
}

/// Every read goes to the store, one batch at a time.
fn uncached() -> ReaderSettings {
    ReaderSettings {
        cache_bytes: 0,
        read_ahead: 0,
        runs: RunSettings { run_bytes: 1 },
        ..ReaderSettings::default()
    }
}

fn blocks_length(bytes: &[u8]) -> usize {
    let trailer = &bytes[bytes.len() - TRAILER..];
    usize::try_from(u64::from_be_bytes(trailer[..8].try_into().unwrap())).unwrap()
}

fn regions(bytes: &[u8]) -> Vec<Region> {
    let trailer = bytes.len() - TRAILER;
    let number = |from: usize| {
        let field = bytes[trailer + from..trailer + from + 4].try_into().unwrap();
        usize::try_from(u32::from_be_bytes(field)).unwrap()
    };
    let (blocks, index, envelope) = (blocks_length(bytes), number(8), number(12));
    let start = blocks + index;
    let short = |at: usize| 2 + usize::from(u16::from_be_bytes(bytes[at..at + 2].try_into().unwrap()));
    let cluster = short(start);
    let key = short(start + cluster);
    let wrapped = short(start + cluster + key);
    assert_eq!(cluster + key + wrapped + 16 + 1 + 8, envelope);
    Region::row(
        0,
        &[
            ("sealed blocks", blocks),
            ("sealed index", index),
            ("envelope: cluster id", cluster),
            ("envelope: key id", key),
            ("envelope: wrapped key", wrapped),
            ("envelope: object id", 16),
            ("envelope: kind", 1),
            ("envelope: time", 8),
            ("trailer: lengths", 16),
            ("trailer: number of blocks", 4),
            ("trailer: checksum of the envelope", 4),
            ("trailer: version", 4),
            ("trailer: magic", 8),
            ("trailer: checksum", 4),
        ],
    )
}
