//! The whole state but the records, as it stands at the start of each segment.

use std::collections::{BTreeMap, BTreeSet};

use cadastre_sequencer::ProducerEntry;
use serde::{Deserialize, Serialize};

use crate::metadata_kind::MetadataKind;
use crate::packed::PackedObject;
use cadastre_objects::codec::CodecError;

/// The body of a snapshot frame. The order of fields is part of the format.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Snapshot {
    pub(crate) metadata_version: u64,
    pub(crate) metadata: BTreeMap<MetadataKind, BTreeMap<String, Vec<u8>>>,
    pub(crate) partitions: Vec<PartitionSnapshot>,
    pub(crate) next_producer_id: i64,
    pub(crate) leader_epoch: i32,
    /// Segments that exist, the one with this snapshot included.
    pub(crate) segments: BTreeSet<u64>,
    /// Objects that hold records of the log. Since format version 2.
    pub(crate) objects: Vec<PackedObject>,
    /// Those of them that rewriting made, each of one partition alone. Since format version 4.
    pub(crate) rewritten: BTreeSet<(u64, u64)>,
}

/// One partition in a snapshot. The order of fields is part of the format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PartitionSnapshot {
    pub(crate) topic: [u8; 16],
    pub(crate) partition: i32,
    pub(crate) log_start: i64,
    pub(crate) end_offset: i64,
    pub(crate) producers: BTreeMap<i64, ProducerEntry>,
}

impl Snapshot {
    pub(crate) fn encode(&self) -> Result<Vec<u8>, CodecError> {
        postcard::to_allocvec(self).map_err(|_unbounded| CodecError("snapshot"))
    }

    /// Reads a snapshot of a segment of format `version`.
    pub(crate) fn decode(version: u32, bytes: &[u8]) -> Result<Self, CodecError> {
        // Older versions are this one without the last fields, whose empty lists are a zero byte each.
        let missing: &[u8] = match version {
            1 => &[0, 0],
            2 | 3 => &[0],
            _ => &[],
        };
        let padded = [bytes, missing].concat();
        let bytes = padded.as_slice();
        match postcard::take_from_bytes(bytes) {
            Ok((snapshot, [])) => Ok(snapshot),
            Ok(_) | Err(_) => Err(CodecError("snapshot")),
        }
    }
}

impl std::fmt::Debug for Snapshot {
    /// Without the metadata: credentials are in it.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Snapshot")
            .field("metadata_version", &self.metadata_version)
            .field("partitions", &self.partitions.len())
            .field("segments", &self.segments)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use crate::segment_header::FORMAT_VERSION;
    use proptest::prelude::*;

    use super::*;

    prop_compose! {
        fn any_partition()(
            topic in any::<[u8; 16]>(),
            (partition, log_start, end_offset) in any::<(i32, i64, i64)>(),
        ) -> PartitionSnapshot {
            PartitionSnapshot { topic, partition, log_start, end_offset, producers: BTreeMap::new() }
        }
    }

    prop_compose! {
        fn any_snapshot()(
            metadata_version in any::<u64>(),
            table in prop::collection::btree_map(".{0,8}", prop::collection::vec(any::<u8>(), 0..16), 0..4),
            kind in prop::sample::select(MetadataKind::ALL.to_vec()),
            partitions in prop::collection::vec(any_partition(), 0..4),
            (next_producer_id, leader_epoch) in any::<(i64, i32)>(),
            segments in prop::collection::btree_set(any::<u64>(), 0..5),
            objects in prop::collection::vec(any::<(u64, u64)>(), 0..3),
            rewritten in prop::collection::btree_set(any::<(u64, u64)>(), 0..3),
        ) -> Snapshot {
            let metadata = BTreeMap::from([(kind, table)]);
            let objects = objects.into_iter().map(|id| PackedObject { id, size: 7, shares: Vec::new() }).collect();
            Snapshot {
                metadata_version, metadata, partitions, next_producer_id, leader_epoch, segments, objects,
                rewritten,
            }
        }
    }

    proptest! {
        #[test]
        fn a_snapshot_reads_back_and_leaves_nothing_over(snapshot in any_snapshot()) {
            let bytes = snapshot.encode().unwrap();
            prop_assert_eq!(Snapshot::decode(FORMAT_VERSION, &bytes), Ok(snapshot));
            prop_assert!(Snapshot::decode(FORMAT_VERSION, &[bytes.as_slice(), &[0]].concat()).is_err());
        }

        /// Version 1 ended before the objects, versions 2 and 3 before those that were rewritten.
        #[test]
        fn a_snapshot_of_an_older_version_reads_as_one_without_what_it_did_not_know(snapshot in any_snapshot()) {
            for (version, missing) in [(1, 2), (2, 1), (3, 1)] {
                let mut snapshot = Snapshot { rewritten: BTreeSet::new(), ..snapshot.clone() };
                if version == 1 {
                    snapshot.objects.clear();
                }
                let bytes = snapshot.encode().unwrap();
                let (older, rest) = bytes.split_at(bytes.len() - missing);
                prop_assert!(rest.iter().all(|byte| *byte == 0));
                prop_assert_eq!(Snapshot::decode(version, older), Ok(snapshot));
                prop_assert!(Snapshot::decode(FORMAT_VERSION, older).is_err());
            }
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            for version in 1..=FORMAT_VERSION {
                let _ignored = Snapshot::decode(version, &bytes);
            }
        }
    }
}
