//! Keys and values of the tables beside the transactional ids: open and aborted transactions of a partition, and pending offsets
//! of a group. Values are JSON objects with a version.

use cadastre_protocol::types::TopicPartition;
use serde::{Deserialize, Serialize};

const VERSION: u32 = 1;

/// A value that this release cannot read: of a newer release, or damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an entry about transactions cannot be read")]
pub(crate) struct UnreadableEntry;

/// A transaction that goes on in a partition.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct OpenRecord {
    version: u32,
    /// Nothing of the transaction lies before this offset.
    pub(crate) first_offset: i64,
}

/// A transaction that was aborted in a partition.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct AbortedRecord {
    version: u32,
    pub(crate) producer_id: i64,
    /// Nothing of the transaction lies before this offset.
    pub(crate) first_offset: i64,
    /// What was aborted later lies from here on.
    pub(crate) last_stable_offset: i64,
}

/// An offset that a group is to have when a transaction is committed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PendingRecord {
    version: u32,
    /// The number of the transaction.
    pub(crate) number: i32,
    pub(crate) offset: i64,
    pub(crate) leader_epoch: Option<i32>,
    pub(crate) metadata: String,
    /// When the transaction was committed, milliseconds since the epoch; `None` while it is open.
    pub(crate) committed_at_ms: Option<i64>,
}

impl OpenRecord {
    pub(crate) const fn new(first_offset: i64) -> Self {
        Self { version: VERSION, first_offset }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    pub(crate) fn decode(value: &[u8]) -> Result<Self, UnreadableEntry> {
        decode(value, |it: &Self| it.version)
    }
}

impl AbortedRecord {
    pub(crate) const fn new(producer_id: i64, first_offset: i64, last_stable_offset: i64) -> Self {
        Self { version: VERSION, producer_id, first_offset, last_stable_offset }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    pub(crate) fn decode(value: &[u8]) -> Result<Self, UnreadableEntry> {
        decode(value, |it: &Self| it.version)
    }
}

impl PendingRecord {
    pub(crate) fn new(number: i32, offset: i64, leader_epoch: Option<i32>, metadata: String) -> Self {
        Self { version: VERSION, number, offset, leader_epoch, metadata, committed_at_ms: None }
    }

    /// The record once its transaction is committed.
    pub(crate) fn committed(self, committed_at_ms: i64) -> Self {
        Self { committed_at_ms: Some(committed_at_ms), ..self }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    pub(crate) fn decode(value: &[u8]) -> Result<Self, UnreadableEntry> {
        decode(value, |it: &Self| it.version)
    }
}

fn encode(record: &impl Serialize) -> Vec<u8> {
    serde_json::json!(record).to_string().into_bytes()
}

fn decode<'a, R: Deserialize<'a>>(value: &'a [u8], version: fn(&R) -> u32) -> Result<R, UnreadableEntry> {
    let record: R = serde_json::from_slice(value).map_err(|_malformed| UnreadableEntry)?;
    if version(&record) == VERSION { Ok(record) } else { Err(UnreadableEntry) }
}

/// The keys of a partition's entries, from the first to before the second.
pub(crate) fn of_partition(partition: TopicPartition) -> (String, String) {
    let TopicPartition { topic, partition } = partition;
    // `0` is the character after `/`.
    (format!("{topic}/{partition}/"), format!("{topic}/{partition}0"))
}

/// The key of a transaction that goes on.
pub(crate) fn open_key(partition: TopicPartition, producer_id: i64) -> String {
    format!("{}{producer_id}", of_partition(partition).0)
}

/// The key of a transaction that was aborted by the marker at an offset; keys sort as markers do.
pub(crate) fn aborted_key(partition: TopicPartition, marker: i64) -> String {
    format!("{}{marker:020}", of_partition(partition).0)
}

/// The partition and the marker's offset in such a key.
pub(crate) fn aborted_place(key: &str) -> Option<(TopicPartition, i64)> {
    let mut parts = key.split('/');
    let (topic, partition) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let marker = parts.next()?.parse().ok()?;
    parts.next().is_none().then_some((TopicPartition { topic, partition }, marker))
}

/// The keys of a group's pending offsets, from the first to before the second.
pub(crate) fn of_group(group_id: &str) -> (String, String) {
    let own = serde_json::json!([group_id]).to_string();
    let own = own.trim_end_matches(']');
    // `-` is the character after `,`.
    (format!("{own},"), format!("{own}-"))
}

/// The key of a pending offset.
pub(crate) fn pending_key(group_id: &str, topic: &str, partition: i32, producer_id: i64) -> String {
    serde_json::json!([group_id, topic, partition, producer_id]).to_string()
}

/// Topic, partition and producer id in such a key.
pub(crate) fn pending_place(key: &str) -> Result<(String, i32, i64), UnreadableEntry> {
    let (_group, topic, partition, producer_id): (String, String, i32, i64) =
        serde_json::from_str(key).map_err(|_malformed| UnreadableEntry)?;
    Ok((topic, partition, producer_id))
}

#[cfg(test)]
mod tests {
    use cadastre_protocol::types::TopicId;

    use super::*;

    #[test]
    fn keys_belong_to_their_partition_and_sort_by_marker() {
        let at = |partition| TopicPartition { topic: TopicId([9; 16]), partition };
        let (from, to) = of_partition(at(1));
        for key in [open_key(at(1), 5), aborted_key(at(1), 0), aborted_key(at(1), i64::MAX)] {
            assert!(from < key && key < to, "{key}");
        }
        for key in [open_key(at(10), 5), open_key(at(0), 5), open_key(at(2), 5)] {
            assert!(key < from || key >= to, "{key}");
        }
        assert!(aborted_key(at(1), 9) < aborted_key(at(1), 10));
        assert_eq!(aborted_place(&aborted_key(at(1), 77)), Some((at(1), 77)));
        assert_eq!(aborted_place("x/1/2"), None);
    }

    #[test]
    fn keys_belong_to_their_group_whatever_it_is_called() {
        for group in ["g", "g]", "g\"", "", "gruppe ü", "g,"] {
            let (from, to) = of_group(group);
            let key = pending_key(group, "t", 3, 9);
            assert!(from < key && key < to, "{key}");
            assert_eq!(pending_place(&key), Ok(("t".to_owned(), 3, 9)));
            for other in ["g2", "h", "g-", "g,x", "g\\"] {
                let key = pending_key(other, "t", 3, 9);
                assert!(key < from || key >= to || other == group, "{group} {key}");
            }
        }
    }

    #[test]
    fn values_of_a_newer_release_are_not_understood() {
        assert_eq!(OpenRecord::decode(br#"{"version":2,"first_offset":3}"#).unwrap_err(), UnreadableEntry);
        assert_eq!(OpenRecord::decode(&OpenRecord::new(3).encode()).unwrap().first_offset, 3);
        assert_eq!(AbortedRecord::decode(b"{}").unwrap_err(), UnreadableEntry);
    }
}
