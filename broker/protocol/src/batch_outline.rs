//! What a batch's header says, for who passes stored batches on and needs no more: neither checksum nor records are looked at.

use crate::record_batch::HEADER_BYTES;

/// The bits of a batch's attributes (Kafka documentation, "Record Batch").
const TRANSACTIONAL: i16 = 1 << 4;
const CONTROL: i16 = 1 << 5;
/// Bytes that the batch length does not count.
const LENGTH_OVERHEAD: usize = 12;

/// A batch by its header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchOutline {
    /// Offset of the first record.
    pub base_offset: i64,
    /// Offset of the last record.
    pub last_offset: i64,
    /// Size in bytes, header included.
    pub size: usize,
    /// The producer's id, -1 for none.
    pub producer_id: i64,
    /// Number of records.
    pub record_count: i32,
    /// Whether the batch belongs to a transaction.
    pub is_transactional: bool,
    /// Whether it holds a marker instead of records.
    pub is_control: bool,
}

/// The bytes are not a row of whole batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("bytes from {position} on are no whole record batch")]
pub struct BatchOutlineError {
    /// Where it goes wrong.
    position: usize,
}

impl BatchOutline {
    /// The batches that lie one behind the other in `bytes`.
    ///
    /// # Errors
    ///
    /// [`BatchOutlineError`] when the bytes end inside a batch.
    pub fn read_all(bytes: &[u8]) -> Result<Vec<Self>, BatchOutlineError> {
        let (mut outlines, mut position) = (Vec::new(), 0);
        while position < bytes.len() {
            let rest = bytes.get(position..).unwrap_or_default();
            let outline = Self::read(rest).ok_or(BatchOutlineError { position })?;
            position = position.saturating_add(outline.size);
            outlines.push(outline);
        }
        Ok(outlines)
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let length = usize::try_from(i32::from_be_bytes(field(bytes, 8)?)).ok()?;
        let size = length.checked_add(LENGTH_OVERHEAD)?;
        if size < HEADER_BYTES || size > bytes.len() {
            return None;
        }
        let base_offset = i64::from_be_bytes(field(bytes, 0)?);
        let attributes = i16::from_be_bytes(field(bytes, 21)?);
        Some(Self {
            base_offset,
            last_offset: base_offset.checked_add(i64::from(i32::from_be_bytes(field(bytes, 23)?)))?,
            size,
            producer_id: i64::from_be_bytes(field(bytes, 43)?),
            record_count: i32::from_be_bytes(field(bytes, 57)?),
            is_transactional: attributes & TRANSACTIONAL != 0,
            is_control: attributes & CONTROL != 0,
        })
    }
}

fn field<const LENGTH: usize>(bytes: &[u8], from: usize) -> Option<[u8; LENGTH]> {
    bytes.get(from..)?.first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::record::Record;
    use crate::record_batch::{Producer, RecordBatch};
    use crate::transaction_marker::{TransactionMarker, TransactionResult};

    fn batches() -> Vec<RecordBatch> {
        let record =
            |offset| Record { offset, value: Some(Bytes::from_static(b"value")), ..Record::default() };
        let producer = Producer { id: 9, epoch: 1, base_sequence: 0 };
        let plain = RecordBatch::build(0, &[record(0), record(1)], None).unwrap();
        let data = RecordBatch::build(0, &[record(0)], Some(producer)).unwrap().in_transaction();
        let result = TransactionResult::Abort;
        let marker = TransactionMarker { producer_id: 9, producer_epoch: 1, result, coordinator_epoch: 4 };
        vec![plain.with_offsets(5, 0), data.with_offsets(7, 0), marker.to_batch(3).with_offsets(8, 0)]
    }

    #[test]
    fn an_outline_says_what_the_batch_does() {
        let whole: Vec<u8> = batches().iter().flat_map(|batch| batch.bytes().to_vec()).collect();
        let outlines = BatchOutline::read_all(&whole).unwrap();
        assert_eq!(outlines.len(), 3);
        for (outline, batch) in outlines.iter().zip(batches()) {
            assert_eq!(
                (outline.base_offset, outline.last_offset),
                (batch.base_offset(), batch.last_offset())
            );
            assert_eq!((outline.size, outline.producer_id), (batch.size(), batch.producer_id()));
            assert_eq!(outline.record_count, batch.record_count());
            assert_eq!(outline.is_transactional, batch.is_transactional());
            assert_eq!(outline.is_control, batch.is_control());
        }
        assert!(BatchOutline::read_all(&whole[..whole.len() - 1]).is_err());
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ignored = BatchOutline::read_all(&bytes);
        }
    }
}
