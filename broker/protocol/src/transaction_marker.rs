//! Transaction markers: the control batches that end a transaction in a partition (KIP-98; Kafka documentation, "Control
//! Batches").

use bytes::{BufMut as _, Bytes, BytesMut};

use crate::record::Record;
use crate::record_batch::{Producer, RecordBatch};

/// The version of key and value.
const VERSION: i16 = 0;
/// More than any marker takes, in bytes.
const UNPACKED_LIMIT: usize = 1024;

/// How a transaction ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionResult {
    /// Its records count for nothing.
    Abort,
    /// Its records count.
    Commit,
}

impl TransactionResult {
    const fn code(self) -> i16 {
        match self {
            Self::Abort => 0,
            Self::Commit => 1,
        }
    }
}

/// What a marker says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransactionMarker {
    /// The producer whose transaction ends.
    pub producer_id: i64,
    /// Its epoch from now on: what it sent under an older one comes too late.
    pub producer_epoch: i16,
    /// How it ends.
    pub result: TransactionResult,
    /// Kafka's coordinator epoch. Here it numbers the producer's transactions, so that none is ended twice.
    pub coordinator_epoch: i32,
}

impl TransactionMarker {
    /// The marker as a batch that bears no offset yet; `timestamp` is in milliseconds since the epoch.
    #[must_use]
    pub fn to_batch(self, timestamp: i64) -> RecordBatch {
        let mut key = BytesMut::with_capacity(4);
        key.put_i16(VERSION);
        key.put_i16(self.result.code());
        let mut value = BytesMut::with_capacity(6);
        value.put_i16(VERSION);
        value.put_i32(self.coordinator_epoch);
        let record =
            Record { timestamp, key: Some(key.freeze()), value: Some(value.freeze()), ..Record::default() };
        let producer = Producer { id: self.producer_id, epoch: self.producer_epoch, base_sequence: -1 };
        RecordBatch::control(&record, producer)
    }

    /// The marker in a batch; `None` where it holds none, or one that log compaction emptied.
    #[must_use]
    pub fn of(batch: &RecordBatch) -> Option<Self> {
        if !batch.is_control() {
            return None;
        }
        let record = batch.records(UNPACKED_LIMIT).ok()?.next()?.ok()?;
        let result = match number(record.key.as_ref(), 2).map(i16::from_be_bytes)? {
            0 => TransactionResult::Abort,
            1 => TransactionResult::Commit,
            _ => return None,
        };
        let coordinator_epoch = number(record.value.as_ref(), 2).map(i32::from_be_bytes)?;
        let (producer_id, producer_epoch) = (batch.producer_id(), batch.producer_epoch());
        Some(Self { producer_id, producer_epoch, result, coordinator_epoch })
    }
}

fn number<const LENGTH: usize>(bytes: Option<&Bytes>, from: usize) -> Option<[u8; LENGTH]> {
    bytes?.get(from..)?.first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_reads_back_from_its_batch() {
        for result in [TransactionResult::Abort, TransactionResult::Commit] {
            let marker =
                TransactionMarker { producer_id: 7, producer_epoch: 3, result, coordinator_epoch: -9 };
            let mut bytes = marker.to_batch(1_000).bytes().clone();
            let batch = RecordBatch::parse(&mut bytes).unwrap();
            assert!(batch.is_control() && batch.is_transactional());
            assert_eq!((batch.base_sequence(), batch.record_count(), batch.max_timestamp()), (-1, 1, 1_000));
            assert_eq!(TransactionMarker::of(&batch), Some(marker));
        }
    }

    #[test]
    fn what_holds_no_marker_gives_none() {
        let record = Record { key: Some(Bytes::from_static(b"\0\0\0\x01")), ..Record::default() };
        let data = RecordBatch::build(0, std::slice::from_ref(&record), None).unwrap();
        assert_eq!(TransactionMarker::of(&data), None);
        let producer = Producer { id: 1, epoch: 0, base_sequence: -1 };
        assert_eq!(TransactionMarker::of(&RecordBatch::control(&record, producer)), None, "no value");
        let unknown = Record { key: Some(Bytes::from_static(b"\0\0\0\x05")), ..record };
        assert_eq!(TransactionMarker::of(&RecordBatch::control(&unknown, producer)), None);
        let emptied = RecordBatch::control(&unknown, producer).with_records(&[], None).unwrap();
        assert_eq!(TransactionMarker::of(&emptied), None);
    }
}
