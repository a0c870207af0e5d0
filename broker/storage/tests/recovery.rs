//! Logs that a crash or a bad disk left behind: what was acknowledged is there, or its loss is named.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking, and clippy's exception for tests ends at their helpers"
)]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use cadastre_keys::{KeyProvider, LocalKeyFile};
use cadastre_protocol::record_batch::{Producer, RecordBatch};
use cadastre_protocol::types::TopicPartition;
use cadastre_storage::{
    HeldRecords, MetadataChange, MetadataKind, MissingRecords, ReadError, Storage, StorageConfig,
    StorageError,
};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use support::{EVERYTHING, Home, TOPIC, batch, batch_at, partition, read_all, values};

const HEADER: usize = 4096;

/// Where the frames of a segment file start, told by their plain headers.
fn frame_starts(path: &Path) -> Vec<usize> {
    let bytes = fs::read(path).unwrap();
    let mut starts = Vec::new();
    let mut position = HEADER;
    while position < bytes.len() {
        assert_eq!(&bytes[position..position + 4], b"CDFR");
        starts.push(position);
        let descriptor = u16::from_be_bytes(bytes[position + 12..position + 14].try_into().unwrap());
        let body = u32::from_be_bytes(bytes[position + 14..position + 18].try_into().unwrap());
        position += 22 + usize::from(descriptor) + usize::try_from(body).unwrap();
    }
    starts
}

fn flip(path: &Path, byte: usize, mask: u8) {
    let mut bytes = fs::read(path).unwrap();
    bytes[byte] ^= mask;
    fs::write(path, bytes).unwrap();
}

/// Two partitions with three batches each, in turn, in a segment that is still being written.
async fn six_batches() -> (Home, Vec<(TopicPartition, RecordBatch)>) {
    let home = Home::new();
    let storage = home.open().await;
    storage.create_partitions(TOPIC, 2).await.unwrap();
    let mut written = Vec::new();
    for number in 0..6_u8 {
        let target = partition(i32::from(number % 2));
        let appended = storage.append(target, batch(&[&[number; 20], b"second"])).await.unwrap();
        written.push((target, batch(&[&[number; 20], b"second"]).with_offsets(appended.base_offset, 0)));
    }
    (home.crash_image(), written)
}

/// Every batch that was written is read back exactly, or reading it fails by name; gives those that fail.
async fn lost(storage: &Storage, written: &[(TopicPartition, RecordBatch)]) -> Vec<MissingRecords> {
    let mut missing = Vec::new();
    for (partition, batch) in written {
        match storage.read(*partition, batch.base_offset(), 0).await {
            Ok(fetched) => assert_eq!(fetched.records, batch.bytes()),
            Err(ReadError::Damaged { from, to, .. }) => {
                assert_eq!(from, batch.base_offset());
                missing.push(MissingRecords { partition: *partition, from, to });
            }
            Err(other) => panic!("{other}"),
        }
    }
    missing
}

#[tokio::test]
async fn acknowledged_records_survive_a_torn_tail() {
    let (home, written) = six_batches().await;
    let segment = home.segments()[0].clone();
    let last = *frame_starts(&segment).last().unwrap();
    let whole = fs::read(&segment).unwrap();
    for length in last..=whole.len() {
        let image = home.crash_image();
        let path = image.segments()[0].clone();
        fs::write(&path, &whole[..length]).unwrap();
        let storage = image.open().await;
        assert!(!storage.recovery().has_losses(), "{length}");
        let torn = length > last && length < whole.len();
        assert_eq!(storage.recovery().torn_tail.is_some(), torn, "{length}");
        assert_eq!(image.quarantined(), 0, "a write that was cut short is no evidence");
        let kept = if length == whole.len() { 6 } else { 5 };
        assert_eq!(lost(&storage, &written[..kept]).await, []);
        let appended = storage.append(partition(1), batch(&[b"next"])).await.unwrap();
        assert_eq!(appended.base_offset, if kept == 6 { 6 } else { 4 });
        let again = image.crash_image().open().await;
        assert_eq!(again.recovery().torn_tail, None);
        assert!(!again.recovery().has_losses());
        assert_eq!(lost(&again, &written[..kept]).await, []);
    }
}

#[tokio::test]
async fn a_last_frame_of_full_length_that_fails_is_set_aside_before_it_is_cut() {
    let (home, written) = six_batches().await;
    let segment = home.segments()[0].clone();
    let last = *frame_starts(&segment).last().unwrap();
    let whole = fs::read(&segment).unwrap();
    let mut zeroed = whole.clone();
    zeroed[last + 60..].fill(0);
    fs::write(&segment, zeroed).unwrap();
    let storage = home.open().await;
    let torn = storage.recovery().torn_tail.clone().unwrap();
    assert_eq!(torn.position, last as u64);
    let copy = fs::read(torn.quarantined.unwrap()).unwrap();
    assert_eq!(copy[..HEADER], whole[..HEADER]);
    assert_eq!(copy.len(), HEADER + whole.len() - last);
    assert_eq!(lost(&storage, &written[..5]).await, []);
}

/// A log of two segments, so that every end offset is known: each flipped bit is noticed, costs one batch at
/// most, and never another partition's.
#[tokio::test]
async fn a_flipped_bit_anywhere_is_noticed_and_costs_one_batch_at_most() {
    let (home, written) = six_batches().await;
    home.open().await.close().await.unwrap();
    let segment = home.segments()[0].clone();
    let starts = frame_starts(&segment);
    let length = fs::read(&segment).unwrap().len();
    let mut lost_batches = 0;
    let positions = (0..HEADER).step_by(97).chain(HEADER..length);
    for byte in positions {
        let image = home.crash_image();
        flip(&image.segments()[0], byte, 1 << (byte % 8));
        let storage = image.open().await;
        let report = storage.recovery();
        let missing = lost(&storage, &written).await;
        assert!(missing.len() <= 1, "byte {byte}: {missing:?}");
        assert_eq!(report.missing_records, missing, "byte {byte}");
        if byte < HEADER {
            assert_eq!((report.repaired_headers.as_slice(), report.has_losses()), ([1].as_slice(), false));
            continue;
        }
        let start = *starts.iter().rfind(|start| **start <= byte).unwrap();
        assert_eq!(report.damage.len(), 1, "byte {byte}");
        assert_eq!(report.damage[0].position, start as u64, "byte {byte}");
        assert_eq!(image.quarantined(), 1);
        assert_eq!(storage.leader_epoch(), 1);
        lost_batches += missing.len();
        let next = storage.append(partition(0), batch(&[b"next"])).await.unwrap();
        assert_eq!(next.base_offset, 6, "offsets are never given again");
    }
    assert!(lost_batches > 500, "the flips must have met records");
}

#[tokio::test]
async fn damage_in_the_middle_names_what_it_held_and_reading_goes_on_behind_it() {
    let (home, written) = six_batches().await;
    let segment = home.segments()[0].clone();
    // Snapshot, commands, then the batches; the body of the third batch, which is partition 0's second.
    let starts = frame_starts(&segment);
    flip(&segment, starts[5] - 1, 0x10);
    let storage = home.open().await;
    let held = HeldRecords { partition: partition(0), base_offset: 2, end_offset: 4 };
    assert_eq!(storage.recovery().damage[0].held, Some(held));
    assert_eq!(lost(&storage, &written).await, [MissingRecords { partition: partition(0), from: 2, to: 4 }]);
    let before = storage.read(partition(0), 0, EVERYTHING).await.unwrap();
    assert_eq!(RecordBatch::parse_all(before.records).unwrap().len(), 1, "an answer ends before the hole");
    let behind = storage.read(partition(0), 4, EVERYTHING).await.unwrap();
    assert_eq!(behind.records, written[4].1.bytes());
    assert_eq!(read_all(&storage, partition(1)).await.len(), 3);
    assert_eq!(storage.end_of_epoch(partition(0), 0).unwrap(), Some((0, 6)));
    // Deleting the hole is how an operator accepts it.
    storage.delete_records(partition(0), 4).await.unwrap();
    assert_eq!(read_all(&storage, partition(0)).await.len(), 1);
}

/// The second of three batches of a producer is lost to damage: sent again it is no duplicate, and what is there still is one.
#[tokio::test]
async fn a_producer_is_not_told_that_a_lost_batch_is_there() {
    let home = Home::new();
    let numbered = |sequence| {
        let producer = Producer { id: 9, epoch: 0, base_sequence: sequence };
        batch_at(1_700_000_000_000, &[b"numbered"], Some(producer))
    };
    let storage = home.open().await;
    storage.create_partitions(TOPIC, 1).await.unwrap();
    for sequence in 0..2 {
        storage.append(partition(0), numbered(sequence)).await.unwrap();
    }
    storage.close().await.unwrap();
    // The next segment's snapshot knows of both.
    home.open().await.close().await.unwrap();
    let segment = home.segments()[0].clone();
    let starts = frame_starts(&segment);
    // The last frame says that the segment ended.
    flip(&segment, starts[starts.len() - 2] + 60, 1);

    let storage = home.open().await;
    assert_eq!(storage.recovery().missing_records.len(), 1);
    assert!(storage.append(partition(0), numbered(0)).await.unwrap().duplicate);
    let again = storage.append(partition(0), numbered(1)).await.unwrap();
    assert_eq!((again.duplicate, again.base_offset), (false, 2));
}

#[tokio::test]
async fn the_end_of_a_partition_is_known_even_when_its_last_descriptor_is_lost() {
    let (home, _) = six_batches().await;
    let segment = home.segments()[0].clone();
    // The last but one batch is partition 0's last; only the witness in the frame behind it tells its end.
    let starts = frame_starts(&segment);
    flip(&segment, starts[6] + 30, 1);
    let storage = home.open().await;
    assert_eq!(storage.recovery().damage[0].held, None);
    let expected = MissingRecords { partition: partition(0), from: 4, to: 6 };
    assert_eq!(storage.recovery().missing_records, [expected]);
    assert_eq!(storage.append(partition(0), batch(&[b"x"])).await.unwrap().base_offset, 6);
}

#[tokio::test]
async fn lost_metadata_refuses_to_open_unless_accepted() {
    let home = Home::new();
    let storage = home.open().await;
    storage.create_partitions(TOPIC, 1).await.unwrap();
    for key in ["a", "b"] {
        let acl = MetadataChange { kind: MetadataKind::Acl, key: key.to_owned(), value: Some(vec![1]) };
        storage.metadata().commit(vec![acl]).await.unwrap();
    }
    storage.append(partition(0), batch(&[b"x"])).await.unwrap();
    let image = home.crash_image();
    let segment = image.segments()[0].clone();
    // Snapshot, partitions, "a", "b", the batch.
    let starts = frame_starts(&segment);
    flip(&segment, starts[2] + 40, 1);
    let refused = image.open_with(image.config()).await.unwrap_err();
    assert!(matches!(refused, StorageError::MetadataDamaged { segment: 1 }), "{refused}");
    let accepting = StorageConfig { accept_damaged_metadata: true, ..image.config() };
    let accepted = image.open_with(accepting).await.unwrap();
    assert_eq!(accepted.recovery().accepted_metadata_damage, Some(1));
    assert_eq!(accepted.metadata().entries(MetadataKind::Acl).keys().collect::<Vec<_>>(), ["b"]);
    accepted.close().await.unwrap();
    image.open().await;
}

/// What keeps nonces from repeating: a data key lives in one file, and that file in one process.
#[tokio::test]
async fn a_recovered_segment_is_never_written_again_and_keys_are_never_shared() {
    let (home, _) = six_batches().await;
    let recovered = fs::read(&home.segments()[0]).unwrap();
    for _ in 0..3 {
        let storage = home.open().await;
        storage.append(partition(0), batch(&[b"x"])).await.unwrap();
        storage.close().await.unwrap();
    }
    assert_eq!(fs::read(&home.segments()[0]).unwrap(), recovered);
    let headers: BTreeSet<Vec<u8>> =
        home.segments().iter().map(|path| fs::read(path).unwrap()[36..2048].to_vec()).collect();
    assert_eq!(headers.len(), 4, "cluster, key id and wrapped key: only the last differs");
}

#[tokio::test]
async fn another_key_is_refused_by_name_and_changes_nothing() {
    let (home, _) = six_batches().await;
    let before = fs::read(&home.segments()[0]).unwrap();
    let other = Arc::new(LocalKeyFile::create(&home.root.path().join("other")).unwrap());
    let refused = Storage::open(home.config(), other as Arc<dyn KeyProvider>).await.unwrap_err();
    assert!(matches!(refused, StorageError::Key { segment: 1, .. }));
    assert!(refused.to_string().contains(home.keys.key_id()), "{refused}");
    assert_eq!(fs::read(&home.segments()[0]).unwrap(), before);
    assert_eq!(home.segments().len(), 1);
}

#[tokio::test]
async fn another_cluster_and_a_newer_format_are_refused_by_name() {
    let (home, _) = six_batches().await;
    let foreign = StorageConfig { cluster_id: "another".to_owned(), ..home.config() };
    let refused = home.open_with(foreign).await.unwrap_err();
    assert!(matches!(&refused, StorageError::ForeignCluster { expected, .. } if expected == "another"));

    let segment = home.segments()[0].clone();
    let mut bytes = fs::read(&segment).unwrap();
    for copy in [0, 2048] {
        bytes[copy + 8..copy + 12].copy_from_slice(&6_u32.to_be_bytes());
        let checksum = crc32c::crc32c(&bytes[copy..copy + 12]);
        bytes[copy + 12..copy + 16].copy_from_slice(&checksum.to_be_bytes());
    }
    fs::write(&segment, &bytes).unwrap();
    let refused = home.open_with(home.config()).await.unwrap_err();
    assert!(matches!(refused, StorageError::NewerFormat { version: 6, newest_known: 5, .. }), "{refused}");
    assert_eq!(fs::read(&segment).unwrap(), bytes);
}

#[tokio::test]
async fn an_interrupted_creation_of_a_segment_is_cleared_away() {
    let (home, written) = six_batches().await;
    for content in [vec![], vec![0; 100], vec![0; HEADER]] {
        let image = home.crash_image();
        fs::write(image.directory().join(format!("{:020}.wal", 2)), content).unwrap();
        let storage = image.open().await;
        assert_eq!(storage.recovery().torn_creation, Some(2));
        assert!(!storage.recovery().has_losses());
        assert_eq!(lost(&storage, &written).await, []);
    }
}

#[tokio::test]
async fn a_segment_that_is_gone_or_unreadable_is_reported_and_the_rest_is_read() {
    let (home, written) = six_batches().await;
    let storage = home.open().await;
    storage.append(partition(1), batch(&[b"later"])).await.unwrap();
    storage.close().await.unwrap();
    home.open().await.close().await.unwrap();
    for removes in [true, false] {
        let image = home.crash_image();
        let first = image.segments()[0].clone();
        if removes {
            fs::remove_file(&first).unwrap();
        } else {
            let mut bytes = fs::read(&first).unwrap();
            bytes[..HEADER].fill(0xaa);
            fs::write(&first, bytes).unwrap();
        }
        let storage = image.open().await;
        let report = storage.recovery();
        let (missing, unreadable) = if removes { (vec![1], vec![]) } else { (vec![], vec![1]) };
        assert_eq!((&report.missing_segments, &report.unreadable_segments), (&missing, &unreadable));
        assert_eq!(report.missing_records.len(), 2);
        assert!(lost_range(&storage, &written[0]).await);
        let later = storage.read(partition(1), 6, EVERYTHING).await.unwrap();
        assert_eq!(values(&RecordBatch::parse_all(later.records).unwrap()), [b"later"]);
    }
}

async fn lost_range(storage: &Storage, written: &(TopicPartition, RecordBatch)) -> bool {
    let read = storage.read(written.0, written.1.base_offset(), 0).await;
    matches!(read, Err(ReadError::Damaged { to: 6, .. }))
}

#[tokio::test]
async fn frames_that_are_copied_or_cut_out_are_noticed() {
    let (home, written) = six_batches().await;
    let segment = home.segments()[0].clone();
    let starts = frame_starts(&segment);
    let whole = fs::read(&segment).unwrap();

    let repeated = [&whole[..starts[5]], &whole[starts[4]..]].concat();
    let cut = [&whole[..starts[4]], &whole[starts[5]..]].concat();
    for (bytes, losses) in [(repeated, 0), (cut, 1)] {
        let image = home.crash_image();
        fs::write(&image.segments()[0], bytes).unwrap();
        let storage = image.open().await;
        assert_eq!(storage.recovery().damage.len(), 1);
        assert_eq!(lost(&storage, &written).await.len(), losses);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64,
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    })]

    /// Whatever happens to the bytes: no panic, and what is read is what was written.
    #[test]
    fn mangled_logs_never_give_wrong_records(
        edits in prop::collection::vec((any::<prop::sample::Index>(), prop::collection::vec(any::<u8>(), 1..40)), 1..6),
        cut in prop::option::of(any::<prop::sample::Index>()),
        closes in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (home, written) = six_batches().await;
            if closes {
                home.open().await.close().await.unwrap();
            }
            let segment = home.segments()[0].clone();
            let mut bytes = fs::read(&segment).unwrap();
            for (place, edit) in edits {
                let start = place.index(bytes.len());
                let end = bytes.len().min(start + edit.len());
                bytes[start..end].copy_from_slice(&edit[..end - start]);
            }
            if let Some(cut) = cut {
                bytes.truncate(cut.index(bytes.len()));
            }
            fs::write(&segment, bytes).unwrap();
            let accepting = StorageConfig { accept_damaged_metadata: true, ..home.config() };
            let Ok(storage) = home.open_with(accepting).await else { return };
            for (partition, batch) in &written {
                if let Ok(fetched) = storage.read(*partition, batch.base_offset(), 0).await
                    && !fetched.records.is_empty()
                {
                    assert_eq!(fetched.records, batch.bytes());
                }
            }
        });
    }
}
