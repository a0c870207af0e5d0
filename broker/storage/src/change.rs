//! From a requested change, and the state at its turn, to the commands that bring it about.

use crate::command::Command;
use crate::error::StorageError;
use crate::packed::PackedObject;
use crate::request::StateChange;
use crate::shares::are_unchanged;
use crate::state::LogState;

/// The most partitions a topic may have: each costs memory and a place in every snapshot.
pub(crate) const MAXIMUM_PARTITIONS: i32 = 100_000;

impl StateChange {
    /// The commands to be written, none when the state is as asked for already, and the reply.
    pub(crate) fn commands(self, state: &LogState) -> Result<(Vec<Command>, i64), StorageError> {
        match self {
            Self::CreatePartitions { topic, count } => {
                let existing = i32::try_from(state.topic_partitions(topic).len()).unwrap_or(i32::MAX);
                if count < existing.max(1) || count > MAXIMUM_PARTITIONS {
                    return Err(StorageError::PartitionCount { topic, count });
                }
                let command = Command::CreatePartitions { topic: topic.0, count };
                Ok((if count == existing { Vec::new() } else { vec![command] }, i64::from(count)))
            }
            Self::DeleteTopic { topic } => match state.topic_partitions(topic).len() {
                0 => Err(StorageError::UnknownTopic { topic }),
                count => {
                    let commands = vec![Command::DeleteTopic { topic: topic.0 }];
                    Ok((commands, i64::try_from(count).unwrap_or(i64::MAX)))
                }
            },
            Self::DeleteRecords { partition, before } => {
                let known =
                    state.partitions.get(&partition).ok_or(StorageError::UnknownPartition { partition })?;
                let high_watermark = known.high_watermark();
                if before < 0 || before > high_watermark {
                    return Err(StorageError::OffsetOutOfRange {
                        partition,
                        offset: before,
                        log_start_offset: known.log_start,
                        high_watermark,
                    });
                }
                Ok(move_log_start(partition, known.log_start, before))
            }
            Self::EnforceRetention { partition, retention_ms, retention_bytes, now_ms } => {
                let known =
                    state.partitions.get(&partition).ok_or(StorageError::UnknownPartition { partition })?;
                let retained = known.retained_from(retention_ms, retention_bytes, now_ms);
                Ok(move_log_start(partition, known.log_start, retained))
            }
            Self::ReserveProducerIds { count } => {
                let first = state.next_producer_id;
                let next = first
                    .checked_add(count)
                    .ok_or_else(|| StorageError::Unavailable { reason: "producer ids are used up".into() })?;
                Ok((vec![Command::ReserveProducerIds { next }], first))
            }
            Self::ExpireProducers { idle_since_ms } => Ok(expire_producers(state, idle_since_ms)),
            Self::Reclaim => Ok((Vec::new(), 0)),
            Self::AddObject { object } => Ok(add_object(state, object)),
            Self::ReplaceShares { object, sources } => {
                let is_unchanged = object.shares.iter().all(|share| {
                    let partition = state.partitions.get(&share.topic_partition());
                    partition.is_some_and(|it| are_unchanged(it, share, &sources))
                });
                Ok(if is_unchanged { (vec![Command::ReplaceShares(object)], 1) } else { (Vec::new(), 0) })
            }
        }
    }
}

/// Drops shares of partitions that were deleted, or moved on, while the object was written.
fn add_object(state: &LogState, mut object: PackedObject) -> (Vec<Command>, i64) {
    object.shares.retain(|share| {
        state.partitions.get(&share.topic_partition()).is_some_and(|partition| {
            share.end_offset > partition.log_start && share.base_offset >= partition.packed_to()
        })
    });
    let shares = i64::try_from(object.shares.len()).unwrap_or(i64::MAX);
    (if shares == 0 { Vec::new() } else { vec![Command::AddObject(object)] }, shares)
}

fn move_log_start(
    partition: cadastre_protocol::types::TopicPartition,
    from: i64,
    to: i64,
) -> (Vec<Command>, i64) {
    if to <= from {
        return (Vec::new(), from);
    }
    let command =
        Command::MoveLogStart { topic: partition.topic.0, partition: partition.partition, offset: to };
    (vec![command], to)
}

fn expire_producers(state: &LogState, idle_since_ms: i64) -> (Vec<Command>, i64) {
    let mut commands = Vec::new();
    let mut expired: i64 = 0;
    for (id, partition) in &state.partitions {
        let idle = |(_, entry): &(&i64, &cadastre_sequencer::ProducerEntry)| {
            entry.last_appended_at_ms() < idle_since_ms
        };
        let producer_ids: Vec<i64> =
            partition.producers.iter().filter(idle).map(|(producer, _)| *producer).collect();
        if !producer_ids.is_empty() {
            expired = expired.saturating_add(i64::try_from(producer_ids.len()).unwrap_or(i64::MAX));
            commands.push(Command::ExpireProducers {
                topic: id.topic.0,
                partition: id.partition,
                producer_ids,
            });
        }
    }
    (commands, expired)
}
