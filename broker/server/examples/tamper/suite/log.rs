//! Segments of the write-ahead log (RFC 1): one that was ended in order, and one that a crash ended.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cadastre_keys::{KeyProvider, LocalKeyFile};
use cadastre_protocol::types::TopicId;
use cadastre_storage::{MetadataKind, RecoveryReport, Storage, StorageConfig};

use super::change::{Altered, Region, cuts, flips, replaced};
use super::content::{CLUSTER, Content, PARTITIONS, copy_directory, create_topics, set};
use super::table::{Expectation, Judgement, Verdict};
use super::{Context, chain};

const HEADER: usize = 4096;
const COPY: usize = 2048;
const FRAME_HEADER: usize = 22;

/// Why a log that ends earlier than it did is believed.
const ENDS_EARLIER: &str =
    "a log that a crash ended may end after any frame; only a copy kept elsewhere tells (RFC 1, non-goals)";

/// What frames are, in the order in which they are written below.
const FIRST: [&str; 14] = [
    "snapshot",
    "commands",
    "commands",
    "ACL",
    "credential",
    "quota",
    "wrapped scope key",
    "records",
    "records",
    "records",
    "records",
    "records",
    "records",
    "end",
];
const SECOND: [&str; 7] = ["snapshot", "records", "records", "ACL", "records", "records", "records"];

struct Home {
    root: tempfile::TempDir,
    keys: Arc<dyn KeyProvider>,
    content: Content,
}

/// A frame in a file.
struct Frame {
    what: &'static str,
    start: usize,
    descriptor: usize,
    body: usize,
    end: usize,
}

pub(crate) async fn tamper(context: &mut Context<'_>) {
    let home = Home::new().await;
    for (id, labels) in [(1_u64, FIRST.as_slice()), (2, SECOND.as_slice())] {
        let kind = if id == 1 { "log segment" } else { "log segment, the last" };
        let sound = std::fs::read(home.segment(id)).unwrap();
        let frames = frames(&sound, labels);
        let mut altered = flips(context, &sound, &header_regions(&sound));
        altered.extend(flips(context, &sound, &frame_regions(&frames)));
        altered.extend(structural(context, &sound, &frames, &home, id));
        for Altered { region, what, bytes } in altered {
            let judgement = home.judge(&[(id, Some(&bytes))]).await;
            let batches = home.content.batches.len();
            context.table.note(kind, &region, &what, batches, Expectation::Noticed, &judgement);
        }
        let boundaries: Vec<usize> = frames.iter().skip(1).map(|frame| frame.start).collect();
        for Altered { region, what, bytes } in cuts("cut between frames", &sound, boundaries) {
            let judgement = home.judge(&[(id, Some(&bytes))]).await;
            let is_only_the_end = bytes.len() == frames.last().unwrap().start && id == 1;
            let (region, expectation) = match (id, is_only_the_end) {
                (1, false) => (region, Expectation::Noticed),
                (1, true) => (
                    "end frame cut off".to_owned(),
                    Expectation::Limit("nothing is lost: the next segment's snapshot says what the log held"),
                ),
                _ => (region, Expectation::Limit(ENDS_EARLIER)),
            };
            let batches = home.content.batches.len();
            context.table.note(kind, &region, &what, batches, expectation, &judgement.tolerated(expectation));
        }
    }
    let (first, second) = (std::fs::read(home.segment(1)).unwrap(), std::fs::read(home.segment(2)).unwrap());
    let batches = home.content.batches.len();
    let mut note = |region: &str, expectation, judgement: &Judgement| {
        context.table.note("log directory", region, region, batches, expectation, judgement);
    };
    note(
        "two segments exchanged",
        Expectation::Noticed,
        &home.judge(&[(1, Some(&second)), (2, Some(&first))]).await,
    );
    note(
        "first segment in the last one's place",
        Expectation::Noticed,
        &home.judge(&[(2, Some(&first))]).await,
    );
    note("first segment gone", Expectation::Noticed, &home.judge(&[(1, None)]).await);
    let last_gone = home.judge(&[(2, None)]).await;
    let expectation = Expectation::Limit(ENDS_EARLIER);
    note("last segment gone", expectation, &last_gone.tolerated(expectation));
}

impl Judgement {
    /// What is gone without a word where nothing can tell is a limit; an altered record never is.
    fn tolerated(self, expectation: Expectation) -> Self {
        match (expectation, self.verdict) {
            (Expectation::Limit(_), Verdict::Served) if !self.said.starts_with("wrong") => {
                Self { verdict: Verdict::Unnoticed, ..self }
            }
            _ => self,
        }
    }
}

impl Home {
    async fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let keys: Arc<dyn KeyProvider> = Arc::new(LocalKeyFile::create(&root.path().join("kek")).unwrap());
        let live = root.path().join("live");
        let mut content = Content::default();
        let storage = Storage::open(config(&live), Arc::clone(&keys)).await.unwrap();
        create_topics(&storage).await;
        set(&storage, MetadataKind::Acl, "acl-1", "deny everybody").await;
        set(&storage, MetadataKind::ScramCredential, "alice", "salted password").await;
        set(&storage, MetadataKind::Quota, "alice", "1024").await;
        set(&storage, MetadataKind::ScopeKey, "cadastre:cluster", "wrapped key").await;
        for number in 0..6 {
            content.append(&storage, PARTITIONS[number % 3], 60 + 10 * number).await;
        }
        storage.close().await.unwrap();
        let storage = Storage::open(config(&live), Arc::clone(&keys)).await.unwrap();
        for number in 0..5 {
            if number == 2 {
                set(&storage, MetadataKind::Acl, "acl-1", "deny everybody but alice").await;
            }
            content.append(&storage, PARTITIONS[number % 3], 60).await;
        }
        content.note_metadata(&storage);
        // As a crash at this moment leaves it.
        copy_directory(&live, &root.path().join("log"));
        storage.close().await.unwrap();
        let home = Self { root, keys, content };
        let untouched = home.judge(&[]).await;
        assert_eq!((untouched.verdict, untouched.lost), (Verdict::Unnoticed, 0), "{}", untouched.said);
        home
    }

    fn segment(&self, id: u64) -> PathBuf {
        self.root.path().join("log").join(format!("{id:020}.wal"))
    }

    /// Opens a copy in which segments have other content, or are gone.
    async fn judge(&self, changes: &[(u64, Option<&[u8]>)]) -> Judgement {
        let image = tempfile::tempdir().unwrap();
        let directory = image.path().join("log");
        copy_directory(&self.root.path().join("log"), &directory);
        for (id, bytes) in changes {
            let path = directory.join(format!("{id:020}.wal"));
            match bytes {
                Some(bytes) => std::fs::write(path, bytes).unwrap(),
                None => std::fs::remove_file(path).unwrap(),
            }
        }
        let storage = match Storage::open(config(&directory), Arc::clone(&self.keys)).await {
            Ok(storage) => storage,
            Err(error) => {
                let said = chain(&error);
                let is_named = changes.iter().any(|(id, _)| said.contains(&format!("segment {id}")))
                    // What one segment lost shows in the next.
                    || said.contains("segment 2");
                let verdict = if is_named { Verdict::Refused } else { Verdict::Unnoticed };
                return Judgement::new(verdict, said);
            }
        };
        let compared = self.content.compare(&storage).await;
        let named = named(storage.recovery());
        let is_named = changes.iter().any(|(id, _)| named.contains(id))
            || !storage.recovery().missing_records.is_empty();
        let goes_on = storage.create_partitions(TopicId([9; 16]), 1).await.is_ok();
        let said = format!("{:?}", storage.recovery());
        storage.close().await.unwrap();
        let verdict = match () {
            () if !compared.wrong.is_empty() => {
                return Judgement::new(Verdict::Served, format!("wrong: {:?}; {said}", compared.wrong));
            }
            () if !goes_on => {
                return Judgement::new(Verdict::Served, format!("takes no more writes: {said}"));
            }
            () if !compared.silent.is_empty() && !is_named => {
                return Judgement::new(Verdict::Served, format!("gone: {:?}; {said}", compared.silent));
            }
            () if compared.lost == 0 && !storage.recovery().repaired_headers.is_empty() => Verdict::Healed,
            () if is_named => Verdict::Named,
            () => Verdict::Unnoticed,
        };
        Judgement { verdict, lost: compared.lost, said }
    }
}

fn config(directory: &Path) -> StorageConfig {
    // What is killed here is the process, not the machine.
    StorageConfig { fsync: false, ..StorageConfig::new(directory, CLUSTER) }
}

/// Segments that a report speaks of.
fn named(report: &RecoveryReport) -> BTreeSet<u64> {
    let ranges = report.damage.iter().chain(&report.torn_tail).map(|range| range.segment);
    ranges
        .chain(report.torn_creation)
        .chain(report.unreadable_segments.iter().copied())
        .chain(report.missing_segments.iter().copied())
        .chain(report.repaired_headers.iter().copied())
        .collect()
}

fn header_regions(bytes: &[u8]) -> Vec<Region> {
    let mut regions = Vec::new();
    for (copy, name) in [(0, "header, first copy"), (COPY, "header, second copy")] {
        let body =
            usize::try_from(u32::from_be_bytes(bytes[copy + 16..copy + 20].try_into().unwrap())).unwrap();
        let wrapped = body - 16 - 2 - CLUSTER.len();
        let parts = [
            ("magic", 8),
            ("version", 4),
            ("checksum of the version", 4),
            ("length", 4),
            ("segment id", 8),
            ("time", 8),
            ("cluster id", 2 + CLUSTER.len()),
            ("key id and wrapped key", wrapped),
            ("checksum", 4),
            ("padding", COPY - 24 - body),
        ];
        regions.extend(
            Region::row(copy, &parts)
                .into_iter()
                .map(|region| Region { name: format!("{name}: {}", region.name), ..region }),
        );
    }
    regions
}

fn frames(bytes: &[u8], labels: &[&'static str]) -> Vec<Frame> {
    let mut frames = Vec::new();
    let mut start = HEADER;
    for what in labels {
        let field = |from: usize, to: usize| &bytes[start + from..start + to];
        let descriptor = usize::from(u16::from_be_bytes(field(12, 14).try_into().unwrap()));
        let body = usize::try_from(u32::from_be_bytes(field(14, 18).try_into().unwrap())).unwrap();
        let descriptor_start = start + FRAME_HEADER;
        let body_start = descriptor_start + descriptor;
        let end = body_start + body;
        frames.push(Frame { what, start, descriptor: descriptor_start, body: body_start, end });
        start = end;
    }
    assert_eq!(start, bytes.len(), "the frames are those that were written");
    frames
}

fn frame_regions(frames: &[Frame]) -> Vec<Region> {
    let mut regions = Vec::new();
    for Frame { what, start, descriptor, body, end } in frames {
        let header = [("magic", 4), ("sequence", 8), ("lengths", 6), ("checksum", 4)];
        regions.extend(
            Region::row(*start, &header)
                .into_iter()
                .map(|region| Region { name: format!("frame header: {}", region.name), ..region }),
        );
        regions.push(Region::new(format!("{what} frame: descriptor"), *descriptor..*body));
        regions.push(Region::new(format!("{what} frame: body"), *body..*end));
    }
    regions
}

/// Cuts within frames, and frames that are repeated, taken out, exchanged or another segment's.
fn structural(
    context: &mut Context<'_>,
    sound: &[u8],
    frames: &[Frame],
    home: &Home,
    id: u64,
) -> Vec<Altered> {
    let mut altered = cuts("cut in the header", sound, [0, 1, COPY, HEADER - 1]);
    let mut lengths = Vec::new();
    for frame in frames {
        lengths.push(frame.start + 1);
        lengths.push(frame.descriptor);
        lengths.push(frame.body);
        lengths.push(frame.body + context.random.index(frame.end - frame.body));
        lengths.push(frame.end - 1);
    }
    altered.extend(cuts("cut within a frame", sound, lengths));
    let other = std::fs::read(home.segment(3 - id)).unwrap();
    let inner = &frames[1..frames.len() - 1];
    for (index, frame) in inner.iter().enumerate() {
        let taken_out = [&sound[..frame.start], &sound[frame.end..]].concat();
        altered.push(replaced("frame taken out", &format!("{} {index}", frame.what), taken_out));
        let repeated = [&sound[..frame.end], &sound[frame.start..]].concat();
        altered.push(replaced("frame repeated", &format!("{} {index}", frame.what), repeated));
        if let Some(next) = inner.get(index + 1) {
            let exchanged = [
                &sound[..frame.start],
                &sound[next.start..next.end],
                &sound[frame.start..frame.end],
                &sound[next.end..],
            ];
            altered.push(replaced("frames exchanged", &format!("{index} and the next"), exchanged.concat()));
        }
        let foreign = [&sound[..frame.start], &other[HEADER..], &sound[frame.end..]].concat();
        altered.push(replaced("frames of another segment", &format!("in place of {index}"), foreign));
    }
    let header_of_other = [&other[..HEADER], &sound[HEADER..]].concat();
    altered.push(replaced("header of another segment", "header", header_of_other));
    let appended = [sound, &[0; 64]].concat();
    altered.push(replaced("bytes appended", "64 zeros", appended));
    altered
}
