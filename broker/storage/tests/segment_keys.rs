//! The keys of segments as an operator sees them: every segment that holds something is listed, or named as one that cannot be.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking, and clippy's exception for tests ends at their helpers"
)]

mod support;

use std::os::unix::fs::FileExt as _;
use std::path::Path;

use cadastre_keys::{Replacement, UntoldKey, WrappedKey, WrappedKeyStore as _};
use cadastre_storage::SegmentKeyStore;
use support::{Home, TOPIC, batch, partition};

/// Bytes of one of the two copies of a header.
const COPY: u64 = 2048;

/// A log of several segments, ended.
async fn filled() -> Home {
    let home = Home::new();
    let config = cadastre_storage::StorageConfig { segment_bytes: 9_000, ..home.config() };
    let storage = home.open_with(config).await.unwrap();
    storage.create_partitions(TOPIC, 1).await.unwrap();
    for _ in 0..40 {
        storage.append(partition(0), batch(&[&[7; 900]])).await.unwrap();
    }
    storage.close().await.unwrap();
    home
}

fn write(path: &Path, position: u64, bytes: &[u8]) {
    std::fs::OpenOptions::new().write(true).open(path).unwrap().write_all_at(bytes, position).unwrap();
}

/// The holders that are listed, and those that cannot be.
async fn listed(home: &Home) -> (Vec<String>, Vec<UntoldKey>) {
    let store = SegmentKeyStore::new(home.directory());
    let held = store.page(None, 1000).await.unwrap();
    (held.into_iter().map(|held| held.holder).collect(), store.untold().await.unwrap())
}

#[tokio::test]
async fn a_segment_whose_key_cannot_be_told_is_named_with_the_reason() {
    let home = filled().await;
    let (before, untold) = listed(&home).await;
    assert!(before.len() >= 4 && untold.is_empty(), "{before:?} {untold:?}");
    let segments = home.segments();
    assert_eq!(segments.len(), before.len());

    // One damaged copy costs nothing.
    write(&segments[0], 30, &[0xff; 8]);
    assert_eq!(listed(&home).await, (before.clone(), Vec::new()));
    write(&segments[0], COPY + 30, &[0xff; 8]);
    // A version that is yet to come, in both copies.
    let mut start = std::fs::read(&segments[1]).unwrap()[..12].to_vec();
    start[8..12].copy_from_slice(&99_u32.to_be_bytes());
    let checksum = crc32c::crc32c(&start).to_be_bytes();
    for copy in [0, COPY] {
        write(&segments[1], copy, &[start.as_slice(), &checksum].concat());
    }
    // A segment under the name of another.
    let last = segments.last().unwrap();
    let foreign = home.directory().join("00000000000000000999.wal");
    std::fs::copy(last, &foreign).unwrap();

    let (held, untold) = listed(&home).await;
    assert_eq!(held, before[2..]);
    let told: Vec<_> = untold.iter().map(|it| (it.holder.as_str(), it.reason.as_str())).collect();
    let last_id = before.last().unwrap().trim_start_matches("segment/").trim_start_matches('0');
    let reasons = [
        "both copies of its header are damaged".to_owned(),
        "it has format version 99, this release knows up to 5".to_owned(),
        format!("its header is that of segment {last_id}"),
    ];
    assert_eq!(
        told,
        [
            (before[0].as_str(), reasons[0].as_str()),
            (before[1].as_str(), reasons[1].as_str()),
            ("segment/00000000000000000999", reasons[2].as_str())
        ]
    );
    let key = WrappedKey { key_id: "k".to_owned(), ciphertext: vec![1] };
    let replaced = SegmentKeyStore::new(home.directory()).replace(&before[0], &key, &key).await.unwrap();
    assert_eq!(replaced, Replacement::Gone, "what cannot be read is not written over");
}

#[tokio::test]
async fn a_segment_that_was_never_begun_depends_on_no_key() {
    let home = filled().await;
    let (before, _) = listed(&home).await;
    for (number, length) in [(900, 0), (901, 100), (902, 4096)] {
        std::fs::write(home.directory().join(format!("{number:020}.wal")), vec![0; length]).unwrap();
    }
    assert_eq!(listed(&home).await, (before, Vec::new()));
}
