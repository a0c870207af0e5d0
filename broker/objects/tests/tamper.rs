//! Flips, cuts and swaps: whatever is done to an object, nothing of it is served, and the rest is.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::expect_used,
    reason = "a test fails by panicking, and clippy's exception for tests ends at their helpers"
)]

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use cadastre_keys::KeyProvider;
use cadastre_objects::{
    BuiltObject, DiskCache, ObjectError, ObjectKind, ObjectReader, ObjectReference, ObjectWriter,
    ReaderSettings, Region, RunSettings, Store,
};

use support::{CLUSTER, build, contents, keys, memory, partition};

struct Sample {
    keys: Arc<dyn KeyProvider>,
    built: BuiltObject,
    bytes: Vec<u8>,
}

async fn sample(kind: ObjectKind) -> Sample {
    let keys = keys();
    let writer = ObjectWriter::new(memory(), Arc::clone(&keys), CLUSTER.to_owned(), 7);
    let built = build(&writer, kind, &contents(kind)).await;
    let bytes = built.chunks.concat();
    Sample { keys, built, bytes }
}

impl Sample {
    /// A reader of a store in which `bytes` lie under the object's name.
    async fn reader(&self, bytes: Vec<u8>) -> (ObjectReader, ObjectReference) {
        let store: Store = memory();
        store.put_new(&self.built.name.path(), vec![Bytes::from(bytes)]).await.unwrap();
        let settings = ReaderSettings { runs: RunSettings { run_bytes: 1 }, ..ReaderSettings::default() };
        let reader = ObjectReader::new(store, Arc::clone(&self.keys), settings);
        (reader, ObjectReference::new(self.built.name.clone()))
    }

    /// The regions of the object, by byte.
    fn region_at(&self, position: usize) -> &'static str {
        let blocks = usize::try_from(self.built.index.blocks_length()).unwrap();
        let trailer = self.bytes.len() - 40;
        let index_length = 4 + 85 * self.built.index.blocks().len() + 16;
        match position {
            it if it < blocks => "block",
            it if it < blocks + index_length => "index",
            it if it < trailer => "envelope",
            _ => "trailer",
        }
    }
}

async fn every_flipped_byte_is_noticed_and_costs_only_its_region(kind: ObjectKind) {
    let sample = sample(kind).await;
    let mut seen = BTreeSet::new();
    for position in 0..sample.bytes.len() {
        let mut bytes = sample.bytes.clone();
        bytes[position] ^= 1 << (position % 8);
        let (reader, object) = sample.reader(bytes).await;
        let region = sample.region_at(position);
        seen.insert(region);
        let found = reader.verify(&object).await;
        match region {
            "block" => {
                let damage = found.unwrap();
                let blocks = sample.built.index.blocks();
                let hit =
                    blocks.iter().rposition(|it| usize::try_from(it.position).unwrap() <= position).unwrap();
                assert_eq!(damage.len(), 1, "{kind:?} byte {position}");
                assert_eq!(damage[0].region, Region::Block(u32::try_from(hit).unwrap()));
                let held = damage[0].held.unwrap();
                assert_eq!(held.partition, blocks[hit].partition);
                assert_eq!(held.offsets, blocks[hit].base_offset().zip(blocks[hit].end_offset()));
                assert_eq!(reader.quarantine().list(), damage);
                for (number, block) in (0u32..).zip(blocks) {
                    let read = reader.blocks(&object, number..number + 1).await;
                    if number as usize == hit {
                        assert!(matches!(read, Err(ObjectError::Damaged(_))), "{read:?}");
                    } else {
                        assert_eq!(read.unwrap()[0].block, *block);
                    }
                }
            }
            // A wrapped key that was altered may also be the provider's to refuse.
            "envelope" => {
                let refused = match found {
                    Ok(damage) => damage[0].region == Region::Envelope,
                    Err(error) => panic!("{error}"),
                };
                assert!(refused, "byte {position}");
            }
            "index" => assert_eq!(found.unwrap()[0].region, Region::Index, "byte {position}"),
            _ => assert_eq!(found.unwrap()[0].region, Region::Trailer, "byte {position}"),
        }
        let read = reader.blocks(&object, 0..4).await;
        match region {
            "block" => assert!(read.is_err() || read.unwrap().len() < 4),
            _ => assert!(matches!(read, Err(ObjectError::Damaged(_)))),
        }
    }
    assert_eq!(seen.len(), 4);
}

#[tokio::test]
async fn every_flipped_byte_of_a_wal_object_is_noticed() {
    every_flipped_byte_is_noticed_and_costs_only_its_region(ObjectKind::Wal).await;
}

#[tokio::test]
async fn every_flipped_byte_of_a_mixed_object_is_noticed() {
    every_flipped_byte_is_noticed_and_costs_only_its_region(ObjectKind::Mixed).await;
}

#[tokio::test]
async fn every_flipped_byte_of_a_partition_object_is_noticed() {
    every_flipped_byte_is_noticed_and_costs_only_its_region(ObjectKind::Partition).await;
}

/// Plain bytes whose checksums were put right again: only the sealed index can tell.
#[tokio::test]
async fn a_forged_envelope_or_trailer_with_right_checksums_is_noticed() {
    let sample = sample(ObjectKind::Mixed).await;
    let trailer = sample.bytes.len() - 40;
    let envelope = trailer
        - usize::try_from(u32::from_be_bytes(sample.bytes[trailer + 12..trailer + 16].try_into().unwrap()))
            .unwrap();
    for position in (envelope..trailer).chain([trailer + 16, trailer + 17, trailer + 19]) {
        let mut bytes = sample.bytes.clone();
        bytes[position] ^= 1;
        let checksum = crc32c::crc32c(&bytes[envelope..trailer]);
        bytes[trailer + 20..trailer + 24].copy_from_slice(&checksum.to_be_bytes());
        let checksum = crc32c::crc32c(&bytes[trailer..trailer + 36]);
        bytes[trailer + 36..].copy_from_slice(&checksum.to_be_bytes());
        let (reader, object) = sample.reader(bytes).await;
        match reader.open(&object).await {
            Err(ObjectError::Damaged(_) | ObjectError::Key { .. }) => {}
            other => panic!("byte {position}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn every_truncation_and_extension_is_noticed() {
    let sample = sample(ObjectKind::Mixed).await;
    for length in 0..sample.bytes.len() {
        let (reader, object) = sample.reader(sample.bytes[..length].to_vec()).await;
        let damage = reader.verify(&object).await.unwrap();
        assert_eq!(damage[0].region, Region::Trailer, "cut to {length}");
    }
    for extended in [[sample.bytes.as_slice(), &[0]].concat(), [&[0], sample.bytes.as_slice()].concat()] {
        let (reader, object) = sample.reader(extended).await;
        assert_eq!(reader.verify(&object).await.unwrap()[0].region, Region::Trailer);
    }
}

#[tokio::test]
async fn swapped_objects_and_swapped_blocks_are_noticed() {
    let keys = keys();
    let writer = ObjectWriter::new(memory(), Arc::clone(&keys), CLUSTER.to_owned(), 7);
    let contents = contents(ObjectKind::Wal);
    let first = build(&writer, ObjectKind::Wal, &contents).await;
    let second = build(&writer, ObjectKind::Wal, &contents).await;
    let sample = Sample { keys, bytes: first.chunks.concat(), built: first };

    // The whole of another object under this name.
    let (reader, object) = sample.reader(second.chunks.concat()).await;
    assert_eq!(reader.verify(&object).await.unwrap()[0].region, Region::Envelope);

    // A block of another object at the same place, and two blocks of one object exchanged.
    let length = sample.built.index.blocks()[0].length as usize;
    assert_eq!(length, sample.built.index.blocks()[1].length as usize);
    let mut foreign = sample.bytes.clone();
    foreign[..length].copy_from_slice(&second.chunks.concat()[..length]);
    let (reader, object) = sample.reader(foreign).await;
    assert_eq!(reader.verify(&object).await.unwrap()[0].region, Region::Block(0));
    let mut exchanged = sample.bytes.clone();
    exchanged[..2 * length].rotate_left(length);
    let (reader, object) = sample.reader(exchanged).await;
    let regions: Vec<_> = reader.verify(&object).await.unwrap().iter().map(|it| it.region).collect();
    assert_eq!(regions, [Region::Block(0), Region::Block(1)]);
}

#[tokio::test]
async fn a_newer_format_is_refused_by_name() {
    let sample = sample(ObjectKind::Partition).await;
    let mut bytes = sample.bytes.clone();
    let trailer = bytes.len() - 40;
    bytes[trailer + 27] = 2;
    let checksum = crc32c::crc32c(&bytes[trailer..trailer + 36]);
    bytes[trailer + 36..].copy_from_slice(&checksum.to_be_bytes());
    let (reader, object) = sample.reader(bytes).await;
    let error = reader.open(&object).await.unwrap_err();
    assert!(matches!(error, ObjectError::NewerFormat { version: 2, newest_known: 1, .. }), "{error:?}");
}

#[tokio::test]
async fn another_key_opens_nothing() {
    let sample = sample(ObjectKind::Partition).await;
    let other = Sample { keys: keys(), built: sample.built.clone(), bytes: sample.bytes.clone() };
    let (reader, object) = other.reader(sample.bytes).await;
    let error = reader.open(&object).await.unwrap_err();
    assert!(matches!(error, ObjectError::Key { .. }), "{error:?}");
    assert!(reader.quarantine().list().is_empty(), "a wrong key says nothing about the bytes");
}

/// What precedes the damage is served; reading on from there names it.
#[tokio::test]
async fn damage_is_served_up_to_and_then_named() {
    let sample = sample(ObjectKind::Partition).await;
    let mut bytes = sample.bytes.clone();
    let third = usize::try_from(sample.built.index.blocks()[2].position).unwrap();
    bytes[third] ^= 1;
    let (reader, object) = sample.reader(bytes).await;
    let before = reader.read(&object, partition(1, 0), 0, usize::MAX).await.unwrap();
    assert_eq!(before.len(), 2);
    let error = reader.read(&object, partition(1, 0), 20, usize::MAX).await.unwrap_err();
    let ObjectError::Damaged(damage) = error else { panic!("{error:?}") };
    assert_eq!(damage.held.unwrap().offsets, Some((20, 23)));
    let behind = reader.read(&object, partition(1, 0), 23, usize::MAX).await.unwrap();
    assert_eq!(behind[0].batch.base_offset(), 25);
}

#[tokio::test]
async fn the_cache_on_disk_is_sealed_and_damage_in_it_is_healed_from_the_store() {
    let sample = sample(ObjectKind::Partition).await;
    let directory = tempfile::tempdir().unwrap();
    let store = memory();
    store.put_new(&sample.built.name.path(), vec![Bytes::from(sample.bytes.clone())]).await.unwrap();
    let settings = || ReaderSettings {
        disk_cache: Some(DiskCache::open(directory.path(), 1 << 20).unwrap()),
        read_ahead: 0,
        // No memory, so that every read goes to the disk.
        cache_bytes: 0,
        ..ReaderSettings::default()
    };
    let reader = ObjectReader::new(store.clone(), Arc::clone(&sample.keys), settings());
    let object = ObjectReference::new(sample.built.name.clone());
    let all = reader.blocks(&object, 0..4).await.unwrap();
    let files: Vec<_> = std::fs::read_dir(directory.path()).unwrap().map(|it| it.unwrap().path()).collect();
    assert_eq!(files.len(), 1);
    let cached = std::fs::read(&files[0]).unwrap();
    assert!(!cached.windows(8).any(|window| window == b"value of"), "plaintext on disk");
    assert_eq!(cached, sample.bytes[..cached.len()], "the store's own bytes");
    let asked = store.counts().gets;
    assert_eq!(reader.blocks(&object, 0..4).await.unwrap(), all);
    assert_eq!(store.counts().gets, asked, "served from the disk");
    let mut damaged = cached;
    damaged[3] ^= 1;
    std::fs::write(&files[0], damaged).unwrap();
    assert_eq!(reader.blocks(&object, 0..4).await.unwrap(), all);
    assert_eq!(store.counts().gets, asked + 1, "fetched again");
    assert!(reader.quarantine().list().is_empty());
}
