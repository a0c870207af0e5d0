//! Record batches of format 2: the unit in which records are produced, stored and fetched.
//!
//! Layout (Kafka documentation, "Message format", section "Record Batch"), big endian:
//!
//! ```text
//!  0 base offset: int64        21 attributes: int16          43 producer id: int64
//!  8 batch length: int32       23 last offset delta: int32   51 producer epoch: int16
//! 12 leader epoch: int32       27 base timestamp: int64      53 base sequence: int32
//! 16 magic: int8 (2)           35 maximum timestamp: int64   57 record count: int32
//! 17 CRC-32C: uint32           (the CRC covers 21 to the end) 61 records
//! ```

use bytes::{BufMut as _, Bytes, BytesMut};

use crate::compression::{self, Compression, DecompressionError};
use crate::record::{Record, RecordError};

/// Bytes before the first record.
pub const HEADER_BYTES: usize = 61;
/// Bytes that the batch length does not count: base offset and the length itself.
const LENGTH_OVERHEAD: usize = 12;
/// Where the part covered by the CRC begins.
const CHECKED_FROM: usize = 21;
/// The only format that is accepted.
const MAGIC: i8 = 2;

const COMPRESSION_BITS: i16 = 0b111;
const LOG_APPEND_TIME_BIT: i16 = 1 << 3;
const TRANSACTIONAL_BIT: i16 = 1 << 4;
const CONTROL_BIT: i16 = 1 << 5;
const DELETE_HORIZON_BIT: i16 = 1 << 6;

/// What a record's timestamp says (attribute bit 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimestampType {
    /// When the producer made the record.
    CreateTime,
    /// When the broker appended the batch.
    LogAppendTime,
}

/// The bytes are not a batch that may be stored or served.
#[derive(Debug, thiserror::Error)]
pub enum RecordBatchError {
    /// The bytes end inside a batch.
    #[error("record batch ends early: {available} bytes of {needed}")]
    Truncated {
        /// Bytes there are.
        available: usize,
        /// Bytes the batch needs.
        needed: usize,
    },
    /// The batch's length cannot be right.
    #[error("record batch length {length} is impossible")]
    ImpossibleLength {
        /// The length as read.
        length: i32,
    },
    /// A message set of format 0 or 1, or one from the future. Answer `UNSUPPORTED_FOR_MESSAGE_FORMAT`.
    #[error("record format {magic} is not supported, only format 2 is")]
    UnsupportedMagic {
        /// The format as read.
        magic: i8,
    },
    /// The checksum does not match: the batch was damaged. Answer `CORRUPT_MESSAGE`.
    #[error("record batch is corrupt: checksum {computed:08x}, expected {stored:08x}")]
    Corrupt {
        /// CRC-32C in the header.
        stored: u32,
        /// CRC-32C of the bytes.
        computed: u32,
    },
    /// The header contradicts itself. Answer `INVALID_RECORD`.
    #[error("record batch is inconsistent: {0}")]
    Inconsistent(&'static str),
    /// A record inside does not follow the format.
    #[error("record {index} of the batch is malformed")]
    Record {
        /// Position in the batch, from 0.
        index: i32,
        /// What is wrong with it.
        #[source]
        source: RecordError,
    },
    /// The records could not be unpacked.
    #[error("records cannot be unpacked")]
    Decompression(#[from] DecompressionError),
    /// The records could not be packed again.
    #[error("records cannot be packed")]
    Compression(#[source] std::io::Error),
}

/// One checked batch. Cheap to clone; the records stay as they came.
#[derive(Clone, PartialEq, Eq)]
pub struct RecordBatch {
    bytes: Bytes,
    header: BatchHeader,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct BatchHeader {
    base_offset: i64,
    partition_leader_epoch: i32,
    attributes: i16,
    compression: Compression,
    last_offset_delta: i32,
    base_timestamp: i64,
    max_timestamp: i64,
    producer_id: i64,
    producer_epoch: i16,
    base_sequence: i32,
    record_count: i32,
}

impl RecordBatch {
    /// Reads batches until the bytes are used up; each is checked as by [`RecordBatch::parse`].
    ///
    /// # Errors
    ///
    /// The first [`RecordBatchError`]; none of the batches should then be used.
    pub fn parse_all(mut bytes: Bytes) -> Result<Vec<Self>, RecordBatchError> {
        let mut batches = Vec::new();
        while !bytes.is_empty() {
            batches.push(Self::parse(&mut bytes)?);
        }
        Ok(batches)
    }

    /// Takes one batch off the front of `bytes`, after checking its length, format, checksum, attributes and counts.
    /// The records themselves are not unpacked.
    ///
    /// # Errors
    ///
    /// [`RecordBatchError`]; `bytes` is unchanged then.
    pub fn parse(bytes: &mut Bytes) -> Result<Self, RecordBatchError> {
        let available = bytes.len();
        // The format is looked at first: an old message set is a different answer than a damaged batch.
        let Some(magic) = bytes.get(16).map(|magic| magic.cast_signed()) else {
            return Err(RecordBatchError::Truncated { available, needed: HEADER_BYTES });
        };
        if magic != MAGIC {
            return Err(RecordBatchError::UnsupportedMagic { magic });
        }
        let truncated = || RecordBatchError::Truncated { available, needed: HEADER_BYTES };
        let length = i32::from_be_bytes(field(bytes, 8).ok_or_else(truncated)?);
        let size = usize::try_from(length)
            .ok()
            .and_then(|length| length.checked_add(LENGTH_OVERHEAD))
            .filter(|size| *size >= HEADER_BYTES)
            .ok_or(RecordBatchError::ImpossibleLength { length })?;
        if size > available {
            return Err(RecordBatchError::Truncated { available, needed: size });
        }
        let batch = bytes.slice(..size);
        let stored = u32::from_be_bytes(field(&batch, 17).ok_or_else(truncated)?);
        let computed = crc32c::crc32c(batch.get(CHECKED_FROM..).unwrap_or_default());
        if stored != computed {
            return Err(RecordBatchError::Corrupt { stored, computed });
        }
        let header = BatchHeader::decode(&batch).ok_or_else(truncated)??;
        let _taken = bytes.split_to(size);
        Ok(Self { bytes: batch, header })
    }

    /// The batch as it lies on the wire and on disk.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Size in bytes, header included.
    #[must_use]
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Offset of the first record. Producers send 0; the log assigns it.
    #[must_use]
    pub const fn base_offset(&self) -> i64 {
        self.header.base_offset
    }

    /// Distance from the first to the last record.
    #[must_use]
    pub const fn last_offset_delta(&self) -> i32 {
        self.header.last_offset_delta
    }

    /// Offset of the last record.
    #[must_use]
    pub fn last_offset(&self) -> i64 {
        self.header.base_offset.saturating_add(i64::from(self.header.last_offset_delta))
    }

    /// Number of records. Less than the offsets spanned where compaction took some out.
    #[must_use]
    pub const fn record_count(&self) -> i32 {
        self.header.record_count
    }

    /// The producer's id, -1 for none.
    #[must_use]
    pub const fn producer_id(&self) -> i64 {
        self.header.producer_id
    }

    /// The producer's epoch, -1 for none.
    #[must_use]
    pub const fn producer_epoch(&self) -> i16 {
        self.header.producer_epoch
    }

    /// Sequence number of the first record, -1 for none.
    #[must_use]
    pub const fn base_sequence(&self) -> i32 {
        self.header.base_sequence
    }

    /// Sequence number of the last record, -1 for none. Wraps from `i32::MAX` to 0.
    #[must_use]
    pub fn last_sequence(&self) -> i32 {
        if self.header.base_sequence < 0 {
            return -1;
        }
        let sum = i64::from(self.header.base_sequence) + i64::from(self.header.last_offset_delta);
        i32::try_from(sum & i64::from(i32::MAX)).unwrap_or(-1)
    }

    /// Epoch of the leader that appended the batch.
    #[must_use]
    pub const fn partition_leader_epoch(&self) -> i32 {
        self.header.partition_leader_epoch
    }

    /// Timestamp of the first record, in milliseconds since the epoch.
    #[must_use]
    pub const fn base_timestamp(&self) -> i64 {
        self.header.base_timestamp
    }

    /// The latest timestamp, in milliseconds since the epoch.
    #[must_use]
    pub const fn max_timestamp(&self) -> i64 {
        self.header.max_timestamp
    }

    /// Whether the batch belongs to a transaction.
    #[must_use]
    pub const fn is_transactional(&self) -> bool {
        self.header.attributes & TRANSACTIONAL_BIT != 0
    }

    /// Whether the batch holds a transaction marker instead of records.
    #[must_use]
    pub const fn is_control(&self) -> bool {
        self.header.attributes & CONTROL_BIT != 0
    }

    /// When tombstones and markers in the batch may go, milliseconds since the epoch; set by log compaction
    /// (KIP-534). The base timestamp holds it then.
    #[must_use]
    pub const fn delete_horizon_ms(&self) -> Option<i64> {
        if self.header.attributes & DELETE_HORIZON_BIT == 0 { None } else { Some(self.header.base_timestamp) }
    }

    /// Whether the batch carries a producer id.
    #[must_use]
    pub const fn has_producer_id(&self) -> bool {
        self.header.producer_id >= 0
    }

    /// The attributes as they stand in the header: compression, timestamp type, transactional, control.
    #[must_use]
    pub const fn attributes(&self) -> i16 {
        self.header.attributes
    }

    /// How the records are compressed.
    #[must_use]
    pub const fn compression(&self) -> Compression {
        self.header.compression
    }

    /// What the timestamps say.
    #[must_use]
    pub const fn timestamp_type(&self) -> TimestampType {
        if self.header.attributes & LOG_APPEND_TIME_BIT == 0 {
            TimestampType::CreateTime
        } else {
            TimestampType::LogAppendTime
        }
    }

    /// Checks what a broker demands of a batch that a client produces: offsets without gaps, at least one record, no
    /// control records, and sequence numbers only together with a producer id (Kafka's `LogValidator` and
    /// `ProducerStateManager`).
    ///
    /// # Errors
    ///
    /// [`RecordBatchError::Inconsistent`]; answer `INVALID_RECORD`.
    pub fn check_producible(&self) -> Result<(), RecordBatchError> {
        let inconsistent = |what| Err(RecordBatchError::Inconsistent(what));
        if self.header.record_count == 0 {
            return inconsistent("a produced batch must hold a record");
        }
        if self.header.last_offset_delta != self.header.record_count - 1 {
            return inconsistent("the last offset delta does not match the record count");
        }
        if self.is_control() {
            return inconsistent("clients may not write control records");
        }
        if self.has_producer_id() && (self.header.producer_epoch < 0 || self.header.base_sequence < 0) {
            return inconsistent("a producer id needs an epoch and a sequence number");
        }
        if self.is_transactional() && !self.has_producer_id() {
            return inconsistent("a transactional batch needs a producer id");
        }
        Ok(())
    }

    /// The batch at its place in the log. Offset and leader epoch lie outside the checksum, so it stays valid.
    #[must_use]
    pub fn with_offsets(&self, base_offset: i64, partition_leader_epoch: i32) -> Self {
        let mut patched = BytesMut::with_capacity(self.bytes.len());
        self.write_with_offsets(base_offset, partition_leader_epoch, &mut patched);
        let header = BatchHeader { base_offset, partition_leader_epoch, ..self.header };
        Self { bytes: patched.freeze(), header }
    }

    /// Appends the batch to `buffer` as [`RecordBatch::with_offsets`] would return it.
    pub fn write_with_offsets(&self, base_offset: i64, partition_leader_epoch: i32, buffer: &mut BytesMut) {
        buffer.reserve(self.bytes.len());
        buffer.put_i64(base_offset);
        buffer.extend_from_slice(self.bytes.get(8..12).unwrap_or_default());
        buffer.put_i32(partition_leader_epoch);
        buffer.extend_from_slice(self.bytes.get(16..).unwrap_or_default());
    }

    /// The batch with the broker's own time instead of the producer's (`message.timestamp.type=LogAppendTime`),
    /// milliseconds since the epoch. The checksum is computed anew.
    #[must_use]
    pub fn with_log_append_time(&self, milliseconds: i64) -> Self {
        let header = BatchHeader {
            attributes: self.header.attributes | LOG_APPEND_TIME_BIT,
            max_timestamp: milliseconds,
            ..self.header
        };
        header.assemble(self.bytes.get(HEADER_BYTES..).unwrap_or_default())
    }

    /// The records, unpacked to at most `limit` bytes, each decoded as it is asked for.
    ///
    /// # Errors
    ///
    /// [`RecordBatchError::Decompression`] when the records cannot be unpacked within the limit.
    pub fn records(&self, limit: usize) -> Result<Records, RecordBatchError> {
        let packed = self.bytes.slice(HEADER_BYTES.min(self.bytes.len())..);
        if packed.is_empty() {
            // Log compaction empties batches that it keeps for their sequence numbers.
            return Ok(Records { unpacked: packed, header: self.header, next: 0 });
        }
        let unpacked = compression::decompress(self.header.compression, &packed, limit)?;
        Ok(Records { unpacked, header: self.header, next: 0 })
    }

    /// The batch with `records` left of its own, as log compaction writes it (KIP-58, KIP-534): offsets, producer,
    /// attributes, leader epoch and compression stay, also when nothing is left. `delete_horizon_ms` says from when
    /// on tombstones and markers in it may go.
    ///
    /// # Errors
    ///
    /// [`RecordBatchError::Inconsistent`] for records with offsets that are not the batch's or not in order,
    /// [`RecordBatchError::Compression`].
    pub fn with_records(
        &self,
        records: &[Record],
        delete_horizon_ms: Option<i64>,
    ) -> Result<Self, RecordBatchError> {
        let horizon = delete_horizon_ms.or(self.delete_horizon_ms());
        let first_timestamp = records.first().map_or(self.header.base_timestamp, |first| first.timestamp);
        let base_timestamp = horizon.unwrap_or(first_timestamp);
        let mut encoded = BytesMut::new();
        let mut next_delta = 0;
        for record in records {
            let delta = record
                .offset
                .checked_sub(self.header.base_offset)
                .and_then(|delta| i32::try_from(delta).ok())
                .filter(|delta| (next_delta..=self.header.last_offset_delta).contains(delta))
                .ok_or(RecordBatchError::Inconsistent(
                    "a record that is left is not the batch's, or out of order",
                ))?;
            next_delta = delta.saturating_add(1);
            record.encode(&mut encoded, delta, base_timestamp);
        }
        let packed = match records {
            [] => Bytes::new(),
            _ => compression::compress(self.header.compression, &encoded.freeze())
                .map_err(RecordBatchError::Compression)?,
        };
        i32::try_from(packed.len().saturating_add(HEADER_BYTES))
            .map_err(|_length| RecordBatchError::Inconsistent("the records that are left take over 2 GiB"))?;
        let latest = records.iter().map(|record| record.timestamp).max();
        let header = BatchHeader {
            attributes: self.header.attributes | if horizon.is_some() { DELETE_HORIZON_BIT } else { 0 },
            base_timestamp,
            max_timestamp: match self.timestamp_type() {
                TimestampType::CreateTime => latest.unwrap_or(self.header.max_timestamp),
                TimestampType::LogAppendTime => self.header.max_timestamp,
            },
            record_count: i32::try_from(records.len()).unwrap_or(i32::MAX),
            ..self.header
        };
        Ok(header.assemble(&packed))
    }

    /// A batch of the given records, uncompressed; `None` when there are none or they span more offsets than a batch
    /// can. The records' offsets count from `base_offset`, in order.
    #[must_use]
    pub fn build(base_offset: i64, records: &[Record], producer: Option<Producer>) -> Option<Self> {
        let first = records.first()?;
        let count = i32::try_from(records.len()).ok()?;
        let mut encoded = BytesMut::new();
        for (delta, record) in (0..count).zip(records) {
            record.encode(&mut encoded, delta, first.timestamp);
        }
        i32::try_from(encoded.len() + HEADER_BYTES).ok()?;
        let header = BatchHeader {
            base_offset,
            partition_leader_epoch: -1,
            attributes: 0,
            compression: Compression::None,
            last_offset_delta: count - 1,
            base_timestamp: first.timestamp,
            max_timestamp: records.iter().map(|record| record.timestamp).max()?,
            producer_id: producer.map_or(-1, |producer| producer.id),
            producer_epoch: producer.map_or(-1, |producer| producer.epoch),
            base_sequence: producer.map_or(-1, |producer| producer.base_sequence),
            record_count: count,
        };
        Some(header.assemble(&encoded))
    }

    /// A batch of one control record.
    pub(crate) fn control(record: &Record, producer: Producer) -> Self {
        let mut encoded = BytesMut::new();
        record.encode(&mut encoded, 0, record.timestamp);
        let header = BatchHeader {
            base_offset: 0,
            partition_leader_epoch: -1,
            attributes: TRANSACTIONAL_BIT | CONTROL_BIT,
            compression: Compression::None,
            last_offset_delta: 0,
            base_timestamp: record.timestamp,
            max_timestamp: record.timestamp,
            producer_id: producer.id,
            producer_epoch: producer.epoch,
            base_sequence: producer.base_sequence,
            record_count: 1,
        };
        header.assemble(&encoded)
    }

    /// The batch as part of a transaction. The checksum is computed anew.
    #[must_use]
    pub fn in_transaction(&self) -> Self {
        let header = BatchHeader { attributes: self.header.attributes | TRANSACTIONAL_BIT, ..self.header };
        header.assemble(self.bytes.get(HEADER_BYTES..).unwrap_or_default())
    }
}

impl std::fmt::Debug for RecordBatch {
    /// The header only: record bytes belong to the customer.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("RecordBatch")
            .field("size", &self.size())
            .field("header", &self.header)
            .finish_non_exhaustive()
    }
}

/// Who wrote a batch, for exactly-once delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Producer {
    /// The producer's id.
    pub id: i64,
    /// Its epoch.
    pub epoch: i16,
    /// Sequence number of the batch's first record.
    pub base_sequence: i32,
}

impl BatchHeader {
    /// `None` when the bytes are shorter than a header.
    fn decode(batch: &[u8]) -> Option<Result<Self, RecordBatchError>> {
        let attributes = i16::from_be_bytes(field(batch, 21)?);
        let code = u8::try_from(attributes & COMPRESSION_BITS).ok()?;
        let Some(compression) = Compression::from_code(code) else {
            return Some(Err(RecordBatchError::Inconsistent("the compression is unknown")));
        };
        let header = Self {
            base_offset: i64::from_be_bytes(field(batch, 0)?),
            partition_leader_epoch: i32::from_be_bytes(field(batch, 12)?),
            attributes,
            compression,
            last_offset_delta: i32::from_be_bytes(field(batch, 23)?),
            base_timestamp: i64::from_be_bytes(field(batch, 27)?),
            max_timestamp: i64::from_be_bytes(field(batch, 35)?),
            producer_id: i64::from_be_bytes(field(batch, 43)?),
            producer_epoch: i16::from_be_bytes(field(batch, 51)?),
            base_sequence: i32::from_be_bytes(field(batch, 53)?),
            record_count: i32::from_be_bytes(field(batch, 57)?),
        };
        Some(header.check().map(|()| header))
    }

    fn check(&self) -> Result<(), RecordBatchError> {
        if self.last_offset_delta < 0 {
            return Err(RecordBatchError::Inconsistent("the last offset delta is negative"));
        }
        if self.record_count < 0 {
            return Err(RecordBatchError::Inconsistent("the record count is negative"));
        }
        if i64::from(self.record_count) > i64::from(self.last_offset_delta) + 1 {
            return Err(RecordBatchError::Inconsistent("there are more records than offsets"));
        }
        Ok(())
    }

    fn assemble(self, records: &[u8]) -> RecordBatch {
        let mut checked = BytesMut::with_capacity(HEADER_BYTES - CHECKED_FROM + records.len());
        checked.put_i16(self.attributes);
        checked.put_i32(self.last_offset_delta);
        checked.put_i64(self.base_timestamp);
        checked.put_i64(self.max_timestamp);
        checked.put_i64(self.producer_id);
        checked.put_i16(self.producer_epoch);
        checked.put_i32(self.base_sequence);
        checked.put_i32(self.record_count);
        checked.extend_from_slice(records);
        let length = i32::try_from(HEADER_BYTES - LENGTH_OVERHEAD + records.len()).unwrap_or(i32::MAX);
        let mut batch = BytesMut::with_capacity(HEADER_BYTES + records.len());
        batch.put_i64(self.base_offset);
        batch.put_i32(length);
        batch.put_i32(self.partition_leader_epoch);
        batch.put_i8(MAGIC);
        batch.put_u32(crc32c::crc32c(&checked));
        batch.extend_from_slice(&checked);
        RecordBatch { bytes: batch.freeze(), header: self }
    }
}

/// The records of one batch, in order. Ends after the first error.
#[derive(Debug)]
pub struct Records {
    unpacked: Bytes,
    header: BatchHeader,
    next: i32,
}

impl Iterator for Records {
    type Item = Result<Record, RecordBatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.header.record_count {
            if self.unpacked.is_empty() {
                return None;
            }
            self.unpacked.clear();
            return Some(Err(RecordBatchError::Inconsistent("bytes are left over behind the last record")));
        }
        let index = self.next;
        match Record::decode(&mut self.unpacked, self.header.base_offset, self.header.base_timestamp) {
            Ok(mut record) => {
                self.next += 1;
                if self.header.attributes & LOG_APPEND_TIME_BIT != 0 {
                    record.timestamp = self.header.max_timestamp;
                }
                Some(Ok(record))
            }
            Err(source) => {
                self.next = self.header.record_count;
                self.unpacked.clear();
                Some(Err(RecordBatchError::Record { index, source }))
            }
        }
    }
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk::<N>().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch() -> RecordBatch {
        let record = |value: &'static [u8], timestamp| Record {
            timestamp,
            value: Some(Bytes::from_static(value)),
            ..Record::default()
        };
        let producer = Producer { id: 7, epoch: 1, base_sequence: i32::MAX };
        RecordBatch::build(
            0,
            &[record(b"one", 1000), record(b"two", 900), record(b"three", 1100)],
            Some(producer),
        )
        .unwrap()
    }

    #[test]
    fn a_built_batch_parses_and_gives_its_records_back() {
        let parsed = RecordBatch::parse_all(batch().bytes().clone()).unwrap();
        assert_eq!(parsed, [batch()]);
        let parsed = &parsed[0];
        assert_eq!((parsed.record_count(), parsed.last_offset_delta()), (3, 2));
        assert_eq!((parsed.base_timestamp(), parsed.max_timestamp()), (1000, 1100));
        assert_eq!((parsed.producer_id(), parsed.producer_epoch(), parsed.base_sequence()), (7, 1, i32::MAX));
        assert_eq!(parsed.last_sequence(), 1, "sequence numbers wrap to 0");
        parsed.check_producible().unwrap();
        let values: Vec<_> =
            parsed.records(1024).unwrap().map(|record| record.unwrap().value.unwrap()).collect();
        assert_eq!(values, ["one", "two", "three"]);
    }

    #[test]
    fn offsets_are_patched_without_touching_the_checksum() {
        let placed = batch().with_offsets(500, 3);
        assert_eq!(
            (placed.base_offset(), placed.last_offset(), placed.partition_leader_epoch()),
            (500, 502, 3)
        );
        assert_eq!(RecordBatch::parse_all(placed.bytes().clone()).unwrap(), std::slice::from_ref(&placed));
        let offsets: Vec<_> = placed.records(1024).unwrap().map(|record| record.unwrap().offset).collect();
        assert_eq!(offsets, [500, 501, 502]);
    }

    #[test]
    fn a_thinned_out_batch_keeps_its_place_producer_and_compression() {
        let whole = batch().with_offsets(100, 3);
        let records: Vec<_> = whole.records(1024).unwrap().map(Result::unwrap).collect();
        for (code, bits) in [
            (Compression::None, 0),
            (Compression::Gzip, 1),
            (Compression::Snappy, 2),
            (Compression::Lz4, 3),
            (Compression::Zstd, 4),
        ] {
            let packed = compression::compress(code, &whole.bytes().slice(HEADER_BYTES..)).unwrap();
            let header = BatchHeader { attributes: bits, compression: code, ..whole.header };
            let packed = header.assemble(&packed);
            let thinned = packed.with_records(&records[1..2], Some(77)).unwrap();
            let read = RecordBatch::parse_all(thinned.bytes().clone()).unwrap().remove(0);
            assert_eq!((read.base_offset(), read.last_offset(), read.record_count()), (100, 102, 1));
            assert_eq!((read.last_sequence(), read.partition_leader_epoch()), (1, 3));
            assert_eq!((read.compression(), read.delete_horizon_ms()), (code, Some(77)));
            assert_eq!(read.max_timestamp(), 900);
            let left: Vec<_> = read.records(1024).unwrap().map(Result::unwrap).collect();
            assert_eq!(left, records[1..2]);
            let empty = read.with_records(&[], None).unwrap();
            let read = RecordBatch::parse_all(empty.bytes().clone()).unwrap().remove(0);
            assert_eq!((read.last_offset(), read.last_sequence(), read.record_count()), (102, 1, 0));
            assert_eq!((read.records(1024).unwrap().count(), read.delete_horizon_ms()), (0, Some(77)));
        }
        assert!(whole.with_records(&[records[1].clone(), records[0].clone()], None).is_err());
        assert!(batch().with_offsets(50, 3).with_records(&records, None).is_err());
    }

    #[test]
    fn log_append_time_replaces_every_timestamp() {
        let stamped = batch().with_log_append_time(5000);
        let parsed = RecordBatch::parse_all(stamped.bytes().clone()).unwrap().remove(0);
        assert_eq!(parsed.timestamp_type(), TimestampType::LogAppendTime);
        assert!(parsed.records(1024).unwrap().all(|record| record.unwrap().timestamp == 5000));
    }

    #[test]
    fn older_formats_are_named_not_called_corrupt() {
        for magic in [0u8, 1, 3] {
            let mut bytes = batch().bytes().to_vec();
            bytes[16] = magic;
            let error = RecordBatch::parse_all(bytes.into()).unwrap_err();
            assert!(matches!(error, RecordBatchError::UnsupportedMagic { .. }), "{error}");
        }
    }

    #[test]
    fn lengths_are_checked_before_they_are_used() {
        #[track_caller]
        fn check(length: i32, expected: &str) {
            let mut bytes = batch().bytes().to_vec();
            bytes[8..12].copy_from_slice(&length.to_be_bytes());
            assert_eq!(RecordBatch::parse_all(bytes.into()).unwrap_err().to_string(), expected);
        }
        check(-1, "record batch length -1 is impossible");
        check(48, "record batch length 48 is impossible");
        check(i32::MAX, &format!("record batch ends early: {} bytes of 2147483659", batch().size()));
    }

    #[test]
    fn what_a_client_may_not_produce_is_refused() {
        #[track_caller]
        fn check(change: impl FnOnce(&mut BatchHeader), expected: &str) {
            let built = batch();
            let mut header = built.header;
            change(&mut header);
            let changed = header.assemble(&built.bytes[HEADER_BYTES..]);
            let error = RecordBatch::parse_all(changed.bytes().clone())
                .and_then(|batches| batches[0].check_producible())
                .unwrap_err();
            assert_eq!(error.to_string(), format!("record batch is inconsistent: {expected}"));
        }
        check(|header| header.record_count = 2, "the last offset delta does not match the record count");
        check(|header| header.record_count = 0, "a produced batch must hold a record");
        check(|header| header.record_count = 4, "there are more records than offsets");
        check(|header| header.record_count = -1, "the record count is negative");
        check(|header| header.last_offset_delta = -1, "the last offset delta is negative");
        check(|header| header.attributes = 7, "the compression is unknown");
        check(|header| header.attributes |= CONTROL_BIT, "clients may not write control records");
        check(|header| header.base_sequence = -1, "a producer id needs an epoch and a sequence number");
    }

    #[test]
    fn a_wrong_record_count_shows_when_records_are_read() {
        let built = batch();
        let header = BatchHeader { record_count: 2, ..built.header };
        let changed = header.assemble(&built.bytes[HEADER_BYTES..]);
        let last = changed.records(1024).unwrap().last().unwrap();
        assert!(matches!(last, Err(RecordBatchError::Inconsistent(_))), "{last:?}");
    }

    #[test]
    fn debug_output_shows_no_record_bytes() {
        assert!(!format!("{:?}", batch()).contains("three"));
    }
}
