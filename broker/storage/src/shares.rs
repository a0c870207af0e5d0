//! An embedded log's shares in objects as pieces to be rewritten. What is still in segments is left alone.

use std::collections::BTreeMap;

use bytes::Bytes;
use cadastre_objects::compaction::Extent;
use cadastre_objects::{ObjectError, ObjectKind, ObjectWriter};
use cadastre_protocol::types::TopicPartition;

use crate::embedded::EmbeddedStorage;
use crate::error::{ReadError, StorageError};
use crate::execution::Execution;
use crate::metadata_kind::{MetadataChange, MetadataKind};
use crate::packed::{ObjectArea, PackedObject, PackedShare, ShareEntry};
use crate::partition::Partition;
use crate::request::StateChange;
use crate::rewriting::{
    NewPiece, PIECES_IN_A_PASS, Pieces, RewriteReport, RewriteSettings, cleaned_key, cleaned_offset, rewrite,
};

impl EmbeddedStorage {
    /// Rewrites what is worth it among what lies in objects.
    pub(crate) async fn rewrite(
        &self,
        partition: TopicPartition,
        settings: RewriteSettings,
        now_ms: i64,
    ) -> Result<RewriteReport, StorageError> {
        let Some(area) = self.objects() else { return Ok(RewriteReport::default()) };
        // Once at a time, since each holds an object in memory.
        let _turn = area.rewriting.lock().await;
        rewrite(&Shares { storage: self, area, partition }, settings, now_ms).await
    }
}

struct Shares<'a> {
    storage: &'a EmbeddedStorage,
    area: &'a ObjectArea,
    partition: TopicPartition,
}

/// One share, with what is asked of it.
#[derive(Debug, Clone)]
struct Share {
    base_offset: i64,
    entry: ShareEntry,
    first_appended_at_ms: i64,
}

impl Shares<'_> {
    fn unknown(&self) -> StorageError {
        StorageError::UnknownPartition { partition: self.partition }
    }

    /// When the first batch of a share was appended, which only the object's own index says.
    async fn first_appended_at_ms(&self, entry: &ShareEntry) -> Result<i64, ObjectError> {
        let opened = self.area.reader.open(&self.area.reference(entry.object, entry.kind)).await?;
        let own = opened.index().of_partition(self.partition);
        let first = own.filter_map(|number| opened.index().blocks().get(number)).next();
        Ok(first.map_or(entry.maximum_timestamp, |block| block.appended_at_ms))
    }
}

impl Pieces for Shares<'_> {
    type Piece = Share;
    /// The log knows its own epoch's objects, and sweeps none of them.
    type Making = ();

    fn partition(&self) -> TopicPartition {
        self.partition
    }

    fn extent(share: &Share) -> Extent {
        Extent {
            base_offset: share.base_offset,
            end_offset: share.entry.end_offset,
            bytes: share.entry.bytes,
            maximum_timestamp: share.entry.maximum_timestamp,
            first_appended_at_ms: share.first_appended_at_ms,
        }
    }

    fn is_rewritten(share: &Share) -> bool {
        share.entry.kind == ObjectKind::Partition
    }

    fn writer(&self) -> &ObjectWriter {
        &self.area.writer
    }

    fn execution(&self) -> Execution {
        self.storage.execution()
    }

    fn log_start(&self) -> Result<i64, ReadError> {
        self.storage.with_partition(self.partition, |it| it.log_start)
    }

    async fn all(&self) -> Result<Vec<Share>, StorageError> {
        let entries = self.storage.with_partition(self.partition, |it| {
            let shares = it.shares().take(PIECES_IN_A_PASS);
            shares.map(|(base_offset, entry)| (base_offset, entry.clone())).collect::<Vec<_>>()
        });
        let entries = entries.map_err(|_unknown| self.unknown())?;
        let share = |(base_offset, entry): (i64, ShareEntry)| Share {
            base_offset,
            first_appended_at_ms: entry.maximum_timestamp,
            entry,
        };
        let mut shares: Vec<Share> = entries.into_iter().map(share).collect();
        // Only the age of the first that was never cleaned is asked for.
        let cleaned_to = self.cleaned_to();
        if let Some(dirty) = shares.iter_mut().find(|share| share.entry.end_offset > cleaned_to) {
            // When it is damaged or out of reach, reading it will say so, if it comes to that.
            if let Ok(first) = self.first_appended_at_ms(&dirty.entry).await {
                dirty.first_appended_at_ms = first;
            }
        }
        Ok(shares)
    }

    async fn read(&self, from: i64, to: i64, maximum_bytes: usize) -> Result<(Bytes, i64), ReadError> {
        // Each share is read by itself, so that this never reads beyond `to`, where one ends.
        let fetched = self.storage.read_piece(self.partition, from, maximum_bytes).await?;
        Ok((fetched.records, fetched.next_offset.min(to)))
    }

    async fn last_of_producer(&self) -> Result<BTreeMap<i64, i64>, StorageError> {
        let producers = self.storage.producers(self.partition).map_err(|_unknown| self.unknown())?;
        Ok(producers.iter().map(|producer| (producer.producer_id, producer.last_offset)).collect())
    }

    fn cleaned_to(&self) -> i64 {
        let state = self.storage.shared().read();
        let entries = state.metadata.get(&MetadataKind::Cluster);
        cleaned_offset(entries.and_then(|entries| entries.get(&cleaned_key(self.partition)).cloned()))
    }

    async fn note_cleaned(&self, to: i64) -> Result<(), StorageError> {
        let (key, value) = (cleaned_key(self.partition), Some(to.to_string().into_bytes()));
        self.storage.commit(vec![MetadataChange { kind: MetadataKind::Cluster, key, value }]).await
    }

    fn making(&self) {}

    async fn replace(&self, before: &[Share], new: NewPiece) -> Result<bool, StorageError> {
        let (Some(first), Some(last)) = (before.first(), before.last()) else { return Ok(true) };
        let name = new.object.name.clone();
        let failed = |source| StorageError::Object { source: Box::new(source) };
        self.area.writer.write(&new.object).await.map_err(|error| failed(error.into()))?;
        let share = PackedShare {
            topic: self.partition.topic.0,
            partition: self.partition.partition,
            base_offset: first.base_offset,
            end_offset: last.entry.end_offset,
            bytes: new.bytes,
            maximum_timestamp: new.maximum_timestamp,
            epochs: epochs(before),
        };
        let object = PackedObject {
            id: (name.id.writer_epoch, name.id.sequence),
            size: new.object.size,
            shares: vec![share],
        };
        let sources = before.iter().map(|share| (share.base_offset, share.entry.object)).collect();
        if self.storage.change(StateChange::ReplaceShares { object, sources }).await? > 0 {
            return Ok(true);
        }
        // Retention or a deletion was faster. Nothing ever referred to the object.
        let deleted = self.area.reader.store().delete(&name.path()).await;
        deleted.map_err(|source| failed(source.into()))?;
        Ok(false)
    }
}

/// The leader epochs of neighbours, each once.
fn epochs(before: &[Share]) -> Vec<(i32, i64)> {
    let mut epochs: Vec<(i32, i64)> = Vec::new();
    for (epoch, base_offset) in before.iter().flat_map(|share| share.entry.epochs.iter().copied()) {
        if epochs.last().is_none_or(|(last, _)| *last != epoch) {
            epochs.push((epoch, base_offset));
        }
    }
    epochs
}

/// Whether the shares between the bounds of `share` are just those that were read.
pub(crate) fn are_unchanged(
    partition: &Partition,
    share: &PackedShare,
    sources: &[(i64, cadastre_objects::ObjectId)],
) -> bool {
    let range = share.base_offset..share.end_offset;
    let found = partition.shares().filter(|(base_offset, _)| range.contains(base_offset));
    found.map(|(base_offset, entry)| (base_offset, entry.object)).eq(sources.iter().copied())
}
