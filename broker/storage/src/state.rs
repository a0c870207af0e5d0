//! Everything the log knows besides bytes: metadata, partitions, producers. Rebuilt by recovery.

use std::collections::{BTreeMap, BTreeSet};

use cadastre_protocol::types::{TopicId, TopicPartition};

use cadastre_objects::{ObjectId, ObjectKind};

use crate::command::Command;
use crate::metadata_kind::{MetadataChange, MetadataKind};
use crate::packed::{PackedObject, PackedShare};
use crate::partition::Partition;
use crate::snapshot::{PartitionSnapshot, Snapshot};

/// The state that commands and records change and snapshots hold.
#[derive(Debug, Default)]
pub(crate) struct LogState {
    pub(crate) metadata: BTreeMap<MetadataKind, BTreeMap<String, Vec<u8>>>,
    /// Number of command frames ever written.
    pub(crate) metadata_version: u64,
    pub(crate) partitions: BTreeMap<TopicPartition, Partition>,
    /// Producer ids below this may have been handed out.
    pub(crate) next_producer_id: i64,
    pub(crate) leader_epoch: i32,
    /// Segments that ought to exist.
    pub(crate) segments: BTreeSet<u64>,
    /// Objects that hold records of the log.
    pub(crate) objects: BTreeMap<ObjectId, PackedObject>,
    /// Those of them that rewriting made, each of one partition alone.
    pub(crate) rewritten: BTreeSet<ObjectId>,
}

impl LogState {
    /// Applies one frame of commands, which is atomic.
    pub(crate) fn apply_all(&mut self, commands: Vec<Command>, metadata_version: u64) {
        self.metadata_version = metadata_version;
        for command in commands {
            self.apply(command);
        }
    }

    fn apply(&mut self, command: Command) {
        match command {
            Command::Metadata(change) => self.apply_metadata(change),
            Command::CreatePartitions { topic, count } => {
                for partition in 0..count {
                    self.partitions
                        .entry(TopicPartition { topic: TopicId(topic), partition })
                        .or_insert_with(|| Partition::new(0, 0));
                }
            }
            Command::DeleteTopic { topic } => {
                for partition in self.topic_partitions(TopicId(topic)) {
                    self.partitions.remove(&partition);
                }
            }
            Command::MoveLogStart { topic, partition, offset } => {
                if let Some(partition) = self.partition_mut(topic, partition) {
                    partition.move_log_start(offset);
                }
            }
            Command::ReserveProducerIds { next } => {
                self.next_producer_id = self.next_producer_id.max(next);
            }
            Command::LeaderEpoch { epoch } => self.leader_epoch = self.leader_epoch.max(epoch),
            Command::ForgetSegments { ids } => self.segments.retain(|id| !ids.contains(id)),
            Command::ExpireProducers { topic, partition, producer_ids } => {
                if let Some(partition) = self.partition_mut(topic, partition) {
                    partition.producers.retain(|id, _| !producer_ids.contains(id));
                }
            }
            Command::AddObject(object) => self.add_object(object),
            Command::RemoveObjects { ids } => {
                self.objects.retain(|_, object| !ids.contains(&object.id));
                self.rewritten.retain(|id| self.objects.contains_key(id));
            }
            Command::ReplaceShares(object) => self.replace_shares(object),
        }
    }

    fn add_object(&mut self, object: PackedObject) {
        let id = object.object_id();
        for share in &object.shares {
            if let Some(partition) = self.partitions.get_mut(&share.topic_partition()) {
                partition.add_share(id, ObjectKind::Mixed, share);
            }
        }
        self.objects.insert(id, object);
    }

    fn replace_shares(&mut self, object: PackedObject) {
        let id = object.object_id();
        for share in &object.shares {
            let own = share.topic_partition();
            let Some(partition) = self.partitions.get_mut(&own) else { continue };
            for (base_offset, source) in partition.replace_shares(id, share) {
                if let Some(source) = self.objects.get_mut(&source) {
                    source.shares.retain(|it| it.topic_partition() != own || it.base_offset != base_offset);
                }
            }
        }
        self.rewritten.insert(id);
        self.objects.insert(id, object);
    }

    /// What the object was made by.
    pub(crate) fn kind_of(&self, id: ObjectId) -> ObjectKind {
        if self.rewritten.contains(&id) { ObjectKind::Partition } else { ObjectKind::Mixed }
    }

    /// Takes over objects in the order of offsets, in which a partition takes its shares.
    fn restore_objects(&mut self, objects: Vec<PackedObject>) {
        let mut shares: Vec<(ObjectId, &PackedShare)> = Vec::new();
        for object in &objects {
            shares.extend(object.shares.iter().map(|share| (object.object_id(), share)));
        }
        shares.sort_by_key(|(_, share)| share.base_offset);
        for (id, share) in shares {
            let kind = self.kind_of(id);
            if let Some(partition) = self.partitions.get_mut(&share.topic_partition()) {
                partition.add_share(id, kind, share);
            }
        }
        self.objects = objects.into_iter().map(|object| (object.object_id(), object)).collect();
    }

    /// Objects of which no record can be read any more.
    pub(crate) fn dead_objects(&self) -> Vec<ObjectId> {
        let read = |object: &PackedObject| {
            object.shares.iter().any(|share| {
                let partition = self.partitions.get(&share.topic_partition());
                partition.is_some_and(|it| it.reads(object.object_id(), share.base_offset))
            })
        };
        self.objects.iter().filter(|(_, object)| !read(object)).map(|(id, _)| *id).collect()
    }

    fn apply_metadata(&mut self, change: MetadataChange) {
        let table = self.metadata.entry(change.kind).or_default();
        match change.value {
            Some(value) => {
                table.insert(change.key, value);
            }
            None => {
                table.remove(&change.key);
            }
        }
    }

    fn partition_mut(&mut self, topic: [u8; 16], partition: i32) -> Option<&mut Partition> {
        self.partitions.get_mut(&TopicPartition { topic: TopicId(topic), partition })
    }

    /// The partitions of a topic, in order.
    pub(crate) fn topic_partitions(&self, topic: TopicId) -> Vec<TopicPartition> {
        let first = TopicPartition { topic, partition: i32::MIN };
        let last = TopicPartition { topic, partition: i32::MAX };
        self.partitions.range(first..=last).map(|(partition, _)| *partition).collect()
    }

    /// Everything but the records, for the start of a segment.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let partitions = self.partitions.iter().map(|(id, partition)| PartitionSnapshot {
            topic: id.topic.0,
            partition: id.partition,
            log_start: partition.log_start,
            end_offset: partition.next_offset,
            producers: partition.producers.clone(),
        });
        Snapshot {
            metadata_version: self.metadata_version,
            metadata: self.metadata.clone(),
            partitions: partitions.collect(),
            next_producer_id: self.next_producer_id,
            leader_epoch: self.leader_epoch,
            segments: self.segments.clone(),
            objects: self.objects.values().cloned().collect(),
            rewritten: self.rewritten.iter().map(|id| (id.writer_epoch, id.sequence)).collect(),
        }
    }

    /// Takes over a snapshot; the index of batches stays for partitions that it still knows.
    pub(crate) fn restore(&mut self, snapshot: Snapshot) {
        let mut before = std::mem::take(&mut self.partitions);
        for stored in snapshot.partitions {
            let id = TopicPartition { topic: TopicId(stored.topic), partition: stored.partition };
            let mut partition =
                before.remove(&id).unwrap_or_else(|| Partition::new(stored.log_start, stored.end_offset));
            partition.forget_shares();
            partition.move_log_start(stored.log_start);
            partition.next_offset = partition.next_offset.max(stored.end_offset);
            partition.producers = stored.producers;
            self.partitions.insert(id, partition);
        }
        self.metadata_version = snapshot.metadata_version;
        self.metadata = snapshot.metadata;
        self.next_producer_id = snapshot.next_producer_id;
        self.leader_epoch = snapshot.leader_epoch;
        self.segments = snapshot.segments;
        let object_id = |(writer_epoch, sequence)| ObjectId { writer_epoch, sequence };
        self.rewritten = snapshot.rewritten.into_iter().map(object_id).collect();
        self.restore_objects(snapshot.objects);
    }
}
