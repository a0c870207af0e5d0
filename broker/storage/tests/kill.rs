//! A process that is killed in the middle of writing: whatever it had acknowledged is there.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking, and clippy's exception for tests ends at their helpers"
)]

mod support;

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use cadastre_keys::{KeyProvider, LocalKeyFile};
use cadastre_protocol::record_batch::RecordBatch;
use cadastre_storage::{MetadataChange, MetadataKind, ObjectConfig, Storage, StorageConfig};
use support::{CLUSTER, TOPIC, batch_at, object_directory, partition};

const ROUNDS: u32 = 20;
const WRITERS: i32 = 4;
const HOME: &str = "CADASTRE_KILL_TEST_HOME";

fn config(home: &Path) -> StorageConfig {
    // Small segments, so that kills also meet their creation.
    let log = home.join("log");
    let objects = ObjectConfig { object_bytes: 50_000, ..object_directory(&log) };
    StorageConfig {
        segment_bytes: 60_000,
        cache_bytes: 0,
        objects: Some(objects),
        ..StorageConfig::new(log, CLUSTER)
    }
}

async fn open(home: &Path) -> Storage {
    let keys: Arc<dyn KeyProvider> = Arc::new(LocalKeyFile::open(&home.join("kek")).unwrap());
    Storage::open(config(home), keys).await.unwrap()
}

/// What is written at an offset follows from partition and offset, so that the parent can tell it without being told.
fn value(partition: i32, offset: i64) -> Vec<u8> {
    let seed = format!("partition {partition} offset {offset} ");
    seed.into_bytes().repeat(1 + usize::try_from(offset % 17).unwrap() * 3)
}

fn batch_from(partition: i32, offset: i64, count: i64) -> RecordBatch {
    let values: Vec<_> = (offset..offset + count).map(|offset| value(partition, offset)).collect();
    batch_at(offset, &values.iter().map(Vec::as_slice).collect::<Vec<_>>(), None)
}

/// Not a test: the process to be killed. Appends for ever and says what was acknowledged.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by the test below, as a process of its own"]
async fn child_that_appends_until_it_is_killed() {
    let Some(home) = std::env::var_os(HOME).map(PathBuf::from) else { return };
    let storage = open(&home).await;
    assert!(!storage.recovery().has_losses(), "{:?}", storage.recovery());
    storage.create_partitions(TOPIC, WRITERS).await.unwrap();
    let writers: Vec<_> =
        (0..WRITERS).map(|writer| tokio::spawn(append_for_ever(storage.clone(), writer))).collect();
    // Packing goes on all the time, so that kills meet each of its steps.
    tokio::spawn(pack_for_ever(storage));
    for writer in writers {
        writer.await.unwrap();
    }
}

async fn pack_for_ever(storage: Storage) {
    loop {
        storage.pack(0).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
}

/// The sole writer of its partition, so that it knows the next offset.
async fn append_for_ever(storage: Storage, writer: i32) {
    loop {
        let next = storage.watermarks(partition(writer)).unwrap().high_watermark;
        let count = 1 + next % 3;
        let appended = storage.append(partition(writer), batch_from(writer, next, count)).await.unwrap();
        assert_eq!(appended.base_offset, next);
        say(&format!("record {writer} {next} {count}"));
        if next % 5 == 0 {
            let key = format!("writer-{writer}");
            let value = Some(next.to_be_bytes().to_vec());
            let change = MetadataChange { kind: MetadataKind::GroupOffset, key, value };
            storage.metadata().commit(vec![change]).await.unwrap();
            say(&format!("offset {writer} {next} 0"));
        }
    }
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "said {line}").unwrap();
    out.flush().unwrap();
}

/// What the child said of itself before it died.
#[derive(Default)]
struct Acknowledged {
    /// Partition, first offset, number of records.
    records: Vec<(i32, i64, i64)>,
    offsets: [i64; WRITERS as usize],
}

fn run_and_kill(home: &Path, round: u32) -> Acknowledged {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_that_appends_until_it_is_killed", "--ignored", "--nocapture"])
        .env(HOME, home)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut acknowledged = Acknowledged::default();
    // A different number of acknowledgements each round, so that kills meet different moments.
    let mut remaining = 3 + round * 13 % 97;
    let mut killed = false;
    // What the child said before it died is still in the pipe.
    for line in lines.by_ref().map_while(Result::ok) {
        let Some((_, said)) = line.split_once("said ") else { continue };
        let fields: Vec<&str> = said.split(' ').collect();
        // The last line may be cut.
        let &[kind, writer, offset, count] = fields.as_slice() else { continue };
        let (Ok(writer), Ok(offset), Ok(count)) = (writer.parse::<i32>(), offset.parse(), count.parse())
        else {
            continue;
        };
        match kind {
            "record" => acknowledged.records.push((writer, offset, count)),
            _ => acknowledged.offsets[usize::try_from(writer).unwrap()] = offset,
        }
        remaining = remaining.saturating_sub(1);
        if remaining == 0 && !killed {
            child.kill().unwrap();
            killed = true;
        }
    }
    let status = child.wait().unwrap();
    assert!(killed && status.code().is_none(), "the child ended by itself: {status}");
    acknowledged
}

#[tokio::test]
async fn acknowledged_records_survive_a_kill() {
    let root = tempfile::tempdir().unwrap();
    LocalKeyFile::create(&root.path().join("kek")).unwrap();
    let mut all = Vec::new();
    let mut torn = 0;
    let mut packed = 0;
    for round in 0..ROUNDS {
        let home = root.path().to_owned();
        let acknowledged = tokio::task::spawn_blocking(move || run_and_kill(&home, round)).await.unwrap();
        assert!(!acknowledged.records.is_empty());
        all.extend(acknowledged.records);
        let storage = open(root.path()).await;
        assert!(!storage.recovery().has_losses(), "round {round}: {:?}", storage.recovery());
        torn += u32::from(storage.recovery().torn_tail.is_some());
        for (writer, offset, count) in &all {
            let fetched = storage.read(partition(*writer), *offset, 0).await.unwrap();
            let expected = batch_from(*writer, *offset, *count).with_offsets(*offset, 0);
            assert_eq!(fetched.records, expected.bytes(), "round {round}: {writer}-{offset}");
        }
        let metadata = storage.metadata();
        for (writer, offset) in acknowledged.offsets.into_iter().enumerate() {
            if offset > 0 {
                let stored = metadata.get(MetadataKind::GroupOffset, &format!("writer-{writer}")).unwrap();
                assert!(i64::from_be_bytes(stored.try_into().unwrap()) >= offset);
            }
        }
        packed = packed.max(storage.object_references().unwrap().objects.len());
        storage.close().await.unwrap();
    }
    assert!(packed > 0, "no kill met records in objects");
    eprintln!("{packed} objects; {} batches acknowledged over {ROUNDS} kills, {torn} torn tails", all.len());
}
