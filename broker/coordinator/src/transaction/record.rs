//! What is persisted of a transactional id: a JSON object with a version.

use cadastre_protocol::types::TopicPartition;
use serde::{Deserialize, Serialize};

use super::state::TransactionState;
use super::transaction::{ProducerIdentity, Transaction};
use crate::error::RestoreError;

const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct TransactionRecord {
    version: u32,
    producer: (i64, i16),
    previous: Option<(i64, i16)>,
    next_producer_id: Option<i64>,
    number: i32,
    state: TransactionState,
    timeout_ms: i32,
    partitions: Vec<(String, i32, i64)>,
    groups: Vec<String>,
    started_at_ms: Option<i64>,
    changed_at_ms: i64,
    bumps_epoch: bool,
}

#[derive(Deserialize)]
struct VersionOnly {
    version: u32,
}

impl Transaction {
    /// The value to persist under the transactional id.
    pub fn encode(&self) -> Vec<u8> {
        let pair = |producer: ProducerIdentity| (producer.id, producer.epoch);
        let record = TransactionRecord {
            version: VERSION,
            producer: pair(self.producer),
            previous: self.previous.map(pair),
            next_producer_id: self.next_producer_id,
            number: self.number,
            state: self.state,
            timeout_ms: self.timeout_ms,
            partitions: self
                .partitions
                .iter()
                .map(|(at, first)| (at.topic.to_string(), at.partition, *first))
                .collect(),
            groups: self.groups.iter().cloned().collect(),
            started_at_ms: self.started_at_ms,
            changed_at_ms: self.changed_at_ms,
            bumps_epoch: self.bumps_epoch,
        };
        serde_json::json!(record).to_string().into_bytes()
    }

    /// Reads what was persisted under a transactional id.
    ///
    /// # Errors
    /// A value that cannot be understood, or of a newer release.
    pub fn decode(transactional_id: &str, value: &[u8]) -> Result<Self, RestoreError> {
        let key = || transactional_id.to_owned();
        let invalid = |source| RestoreError::Value { key: key(), source };
        let VersionOnly { version } = serde_json::from_slice(value).map_err(invalid)?;
        if version > VERSION {
            return Err(RestoreError::Version { key: key(), version });
        }
        let record: TransactionRecord = serde_json::from_slice(value).map_err(invalid)?;
        let producer = |(id, epoch)| ProducerIdentity { id, epoch };
        let partitions = record.partitions.into_iter().map(|(topic, partition, first)| {
            let topic = topic.parse().map_err(|error| invalid(serde::de::Error::custom(error)))?;
            Ok((TopicPartition { topic, partition }, first))
        });
        Ok(Self {
            producer: producer(record.producer),
            previous: record.previous.map(producer),
            next_producer_id: record.next_producer_id,
            number: record.number,
            state: record.state,
            timeout_ms: record.timeout_ms,
            partitions: partitions.collect::<Result<_, _>>()?,
            groups: record.groups.into_iter().collect(),
            started_at_ms: record.started_at_ms,
            changed_at_ms: record.changed_at_ms,
            bumps_epoch: record.bumps_epoch,
        })
    }
}
