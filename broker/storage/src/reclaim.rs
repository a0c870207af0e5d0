//! Giving disk space back: dead segments are deleted, nearly dead ones copied forward first.

use std::sync::Arc;

use cadastre_objects::ObjectName;

use crate::command::Command;
use crate::committer::{Committer, chain};
use crate::error::StorageError;
use crate::partition::PlannedBatch;
use crate::segment::Segment;

/// A segment is nearly dead when at most one byte in this many is live.
const NEARLY_DEAD: u64 = 5;
/// The most bytes that one pass copies: producers wait meanwhile.
const MOVED_BYTES: u64 = 16 << 20;

impl Committer {
    /// Lets go of objects in which nothing can be read any more, and has them deleted in the background. What a crash
    /// leaves behind is an orphan: the sweep finds it.
    pub(crate) fn delete_dead_objects(&mut self) -> Result<(), StorageError> {
        let Some(area) = self.objects.clone() else { return Ok(()) };
        let dead: Vec<ObjectName> = {
            let state = self.shared.read();
            let dead = state.dead_objects();
            dead.into_iter().map(|id| area.name(id, state.kind_of(id))).collect()
        };
        if dead.is_empty() {
            return Ok(());
        }
        let ids = dead.iter().map(|name| (name.id.writer_epoch, name.id.sequence)).collect();
        self.stage_commands(vec![Command::RemoveObjects { ids }], None);
        self.flush()?;
        self.runtime.spawn(async move {
            for name in dead {
                area.reader.forget(&name);
                if let Err(error) = area.reader.store().delete(&name.path()).await {
                    tracing::warn!(%error, object = %name, "a dead object is left for the sweep");
                }
            }
        });
        Ok(())
    }

    /// Copies the live records of nearly dead segments forward, deletes dead ones; tells how many were deleted.
    pub(crate) fn reclaim(&mut self) -> Result<i64, StorageError> {
        let mut budget = MOVED_BYTES;
        for segment in self.reclaimable() {
            let live = segment.live_bytes();
            if live == 0 || live.saturating_mul(NEARLY_DEAD) > segment.length() || live > budget {
                continue;
            }
            budget = budget.saturating_sub(live);
            self.move_forward(&segment)?;
        }
        self.flush()?;
        self.delete_dead_segments()
    }

    /// All segments but the two newest, so that two snapshots always remain.
    fn reclaimable(&self) -> Vec<Arc<Segment>> {
        let segments = self.shared.segments();
        let older = segments.len().saturating_sub(2);
        segments.iter().take(older).map(Arc::clone).collect()
    }

    /// Deletes segments in which no record is live; tells how many.
    pub(crate) fn delete_dead_segments(&mut self) -> Result<i64, StorageError> {
        let dead: Vec<_> =
            self.reclaimable().into_iter().filter(|segment| segment.live_bytes() == 0).collect();
        if dead.is_empty() {
            return Ok(0);
        }
        let ids: Vec<u64> = dead.iter().map(|segment| segment.id).collect();
        // Said before it is done: a crash in between leaves files that nobody misses, not missing files.
        self.stage_commands(vec![Command::ForgetSegments { ids: ids.clone() }], None);
        self.flush()?;
        self.shared.segments().retain(|segment| !ids.contains(&segment.id));
        for segment in &dead {
            self.config.file_system.remove(&segment.path).map_err(|source| StorageError::File {
                action: "remove",
                path: segment.path.clone(),
                source,
            })?;
        }
        let directory = &self.config.directory;
        self.config.file_system.sync_directory(directory).map_err(|source| StorageError::File {
            action: "sync",
            path: directory.clone(),
            source,
        })?;
        tracing::info!(segments = ids.len(), "deleted segments without live records");
        Ok(i64::try_from(dead.len()).unwrap_or(i64::MAX))
    }

    /// Stages copies of every live record of a segment. A frame that cannot be read stays where it is, and with
    /// it the segment.
    fn move_forward(&mut self, segment: &Arc<Segment>) -> Result<(), StorageError> {
        if let Err(error) = self.config.execution.wait(&self.runtime, segment.key().renew()) {
            tracing::warn!(segment = segment.id, error = %chain(&error), "a segment is not copied forward without its key");
            return Ok(());
        }
        for planned in self.live_batches(segment) {
            match segment.read_frame(planned.position, planned.length) {
                Ok(frame) => {
                    if let Some(batch) = frame.descriptor.batch {
                        self.stage_moved(batch, &frame.body)?;
                    }
                }
                Err(error) => tracing::error!(
                    segment = segment.id,
                    position = planned.position,
                    ?error,
                    "a live frame cannot be copied forward"
                ),
            }
        }
        Ok(())
    }

    fn live_batches(&self, segment: &Arc<Segment>) -> Vec<PlannedBatch> {
        let state = self.shared.read();
        let batches = state.partitions.values().flat_map(|partition| partition.planned_batches());
        batches.filter(|planned| planned.segment.id == segment.id).collect()
    }
}
