//! What the log remembers of an object that holds records it once held itself.

use std::sync::Arc;

use cadastre_objects::{ObjectId, ObjectKind, ObjectName, ObjectReader, ObjectReference, ObjectWriter};
use cadastre_protocol::types::{TopicId, TopicPartition};
use serde::{Deserialize, Serialize};

/// An object that the log refers to. The order of fields is part of the format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PackedObject {
    /// Writer epoch and sequence.
    pub(crate) id: (u64, u64),
    /// Its size, in bytes.
    pub(crate) size: u64,
    pub(crate) shares: Vec<PackedShare>,
}

/// One partition's records in an object. The order of fields is part of the format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PackedShare {
    pub(crate) topic: [u8; 16],
    pub(crate) partition: i32,
    pub(crate) base_offset: i64,
    pub(crate) end_offset: i64,
    /// Sizes of the batches, in bytes.
    pub(crate) bytes: u64,
    /// Milliseconds since the epoch.
    pub(crate) maximum_timestamp: i64,
    /// Each leader epoch in it with its first offset, in order.
    pub(crate) epochs: Vec<(i32, i64)>,
}

impl PackedObject {
    pub(crate) const fn object_id(&self) -> ObjectId {
        ObjectId { writer_epoch: self.id.0, sequence: self.id.1 }
    }
}

impl PackedShare {
    pub(crate) const fn topic_partition(&self) -> TopicPartition {
        TopicPartition { topic: TopicId(self.topic), partition: self.partition }
    }
}

/// A partition's share as the partition knows it, under its base offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ShareEntry {
    pub(crate) object: ObjectId,
    /// `Mixed` as it was packed; `Partition` when rewriting made it, and then offsets may be missing in it.
    pub(crate) kind: ObjectKind,
    pub(crate) end_offset: i64,
    pub(crate) bytes: u64,
    pub(crate) maximum_timestamp: i64,
    pub(crate) epochs: Vec<(i32, i64)>,
}

/// The objects of an open log.
#[derive(Debug, Clone)]
pub(crate) struct ObjectArea {
    pub(crate) reader: ObjectReader,
    pub(crate) writer: Arc<ObjectWriter>,
    /// Objects are closed at this size, in bytes.
    pub(crate) object_bytes: u64,
    /// Packing goes on once at a time.
    pub(crate) packing: Arc<tokio::sync::Mutex<()>>,
    /// And so does rewriting.
    pub(crate) rewriting: Arc<tokio::sync::Mutex<()>>,
}

impl ObjectArea {
    pub(crate) fn name(&self, id: ObjectId, kind: ObjectKind) -> ObjectName {
        ObjectName { cluster_id: self.writer.cluster_id().to_owned(), kind, id }
    }

    pub(crate) fn reference(&self, id: ObjectId, kind: ObjectKind) -> ObjectReference {
        ObjectReference::new(self.name(id, kind))
    }
}
