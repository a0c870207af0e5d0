//! A cluster's slices as pieces to be rewritten: one broker at a time has the right to.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use cadastre_objects::ObjectWriter;
use cadastre_objects::compaction::Extent;
use cadastre_protocol::types::TopicPartition;
use cadastre_sequencer::{Lease, Replacement, SequencerError, Slice};

use super::uploader::InFlight;
use super::{AT_ONCE, ClusterStorage, state_error};
use crate::error::{ReadError, StorageError};
use crate::execution::Execution;
use crate::metadata_kind::{MetadataChange, MetadataKind};
use crate::rewriting::{
    NewPiece, PIECES_IN_A_PASS, Pieces, RewriteReport, RewriteSettings, cleaned_key, cleaned_offset, rewrite,
};

/// The right to rewrite; one broker of a cluster has it.
const LEASE: &str = "rewriting";

impl ClusterStorage {
    /// Rewrites what is worth it, if this broker has the right to.
    pub(crate) async fn rewrite(
        &self,
        partition: TopicPartition,
        settings: RewriteSettings,
        now_ms: i64,
    ) -> Result<RewriteReport, StorageError> {
        let lease = match self.sequencer.acquire_lease(self.epoch, LEASE).await {
            Ok(lease) => lease,
            Err(SequencerError::LeaseLost { .. }) => return Ok(RewriteReport::default()),
            Err(error) => return Err(state_error(error)),
        };
        rewrite(&Slices { storage: self, lease, partition, now_ms }, settings, now_ms).await
    }
}

struct Slices<'a> {
    storage: &'a ClusterStorage,
    lease: Lease,
    partition: TopicPartition,
    now_ms: i64,
}

/// Tells other brokers that an object is on its way, for as long as it lives.
struct OnItsWay {
    in_flight: Arc<InFlight>,
    place: (u64, u64),
}

impl Drop for OnItsWay {
    fn drop(&mut self) {
        self.in_flight.end(self.place);
    }
}

impl Pieces for Slices<'_> {
    type Piece = Slice;
    type Making = OnItsWay;

    fn partition(&self) -> TopicPartition {
        self.partition
    }

    fn extent(slice: &Slice) -> Extent {
        Extent {
            base_offset: slice.base_offset,
            end_offset: slice.end_offset,
            bytes: slice.bytes,
            maximum_timestamp: slice.maximum_timestamp,
            first_appended_at_ms: slice.appended_at_ms,
        }
    }

    fn is_rewritten(slice: &Slice) -> bool {
        slice.is_compacted
    }

    fn writer(&self) -> &ObjectWriter {
        &self.storage.writer
    }

    fn execution(&self) -> Execution {
        self.storage.config.execution
    }

    fn log_start(&self) -> Result<i64, ReadError> {
        Ok(self.storage.state(self.partition)?.log_start)
    }

    async fn all(&self) -> Result<Vec<Slice>, StorageError> {
        let (sequencer, partition) = (&self.storage.sequencer, self.partition);
        let known = sequencer.partitions().get(partition);
        let mut from = known.ok_or(StorageError::UnknownPartition { partition })?.log_start;
        let mut slices: Vec<Slice> = Vec::new();
        while slices.len() < PIECES_IN_A_PASS {
            let page = sequencer.slices(partition, from, AT_ONCE).await.map_err(state_error)?;
            let Some(last) = page.slices.last() else { break };
            from = last.end_offset;
            slices.extend(&page.slices);
            if from >= page.state.next_offset {
                break;
            }
        }
        Ok(slices)
    }

    async fn read(&self, from: i64, to: i64, maximum_bytes: usize) -> Result<(Bytes, i64), ReadError> {
        let (storage, partition) = (self.storage, self.partition);
        let sequencer = storage.sequencer.as_ref();
        let (records, next) = storage.reader.read(sequencer, partition, from, to, maximum_bytes).await?;
        Ok((records.freeze(), next))
    }

    async fn last_of_producer(&self) -> Result<BTreeMap<i64, i64>, StorageError> {
        let producers = self.storage.sequencer.producers(self.partition).await.map_err(state_error)?;
        Ok(producers.iter().map(|producer| (producer.producer_id, producer.last_offset)).collect())
    }

    fn cleaned_to(&self) -> i64 {
        cleaned_offset(self.storage.get(MetadataKind::Cluster, &cleaned_key(self.partition)))
    }

    async fn note_cleaned(&self, to: i64) -> Result<(), StorageError> {
        let (key, value) = (cleaned_key(self.partition), Some(to.to_string().into_bytes()));
        self.storage.commit(vec![MetadataChange { kind: MetadataKind::Cluster, key, value }]).await
    }

    fn making(&self) -> OnItsWay {
        let in_flight = Arc::clone(&self.storage.in_flight);
        OnItsWay { place: in_flight.begin(), in_flight }
    }

    async fn replace(&self, before: &[Slice], new: NewPiece) -> Result<bool, StorageError> {
        let (storage, partition) = (self.storage, self.partition);
        let (Some(first), Some(last)) = (before.first(), before.last()) else { return Ok(true) };
        let id = new.object.name.id;
        storage.in_flight.took(id.sequence);
        let written = storage.writer.write(&new.object).await;
        written.map_err(|error| StorageError::Object { source: Box::new(error.into()) })?;
        let object = super::sequencer_id(id);
        let after = Slice {
            partition,
            base_offset: first.base_offset,
            end_offset: last.end_offset,
            object,
            first_block: 0,
            blocks: new.blocks,
            bytes: new.bytes,
            maximum_timestamp: new.maximum_timestamp,
            appended_at_ms: first.appended_at_ms,
            committed_by: self.lease.holder,
            is_compacted: true,
        };
        let replacement = Replacement {
            lease: self.lease.clone(),
            partition,
            before: before.to_vec(),
            after: vec![after],
            object,
            object_bytes: new.object.size,
            now_ms: self.now_ms,
        };
        let replaced = storage.sequencer.replace(replacement).await;
        storage.reader.known.forget(partition);
        match replaced {
            Ok(()) => Ok(true),
            // Retention or a deletion was faster; the object is for the sweep.
            Err(SequencerError::Conflict { .. } | SequencerError::LeaseLost { .. }) => Ok(false),
            Err(error) => Err(state_error(error)),
        }
    }
}
