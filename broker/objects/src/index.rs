//! The index of an object: every block, in order.

use std::ops::Range;

use cadastre_keys::envelope::TAG_LENGTH;
use cadastre_protocol::types::TopicPartition;

use crate::block::{BLOCK_LINE_LENGTH, Block, Placement};
use crate::codec::{CodecError, FieldReader};
use crate::object_id::ObjectKind;

/// The blocks of an object: sorted by partition, then offset; they tile the object from its start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectIndex {
    blocks: Vec<Block>,
}

/// The blocks of one partition in an object, summed up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionSpan {
    /// The partition.
    pub partition: TopicPartition,
    /// Offset of the first record, where it is known.
    pub base_offset: Option<i64>,
    /// Offset after the last record, where it is known.
    pub end_offset: Option<i64>,
    /// Number of the first block.
    pub first_block: u32,
    /// Number of blocks.
    pub blocks: u32,
    /// Sum of the batches' sizes, in bytes.
    pub batch_bytes: u64,
    /// The latest timestamp, milliseconds since the epoch.
    pub maximum_timestamp: i64,
}

impl ObjectIndex {
    /// Takes blocks that follow the rules of the kind.
    pub(crate) fn new(kind: ObjectKind, blocks: Vec<Block>) -> Result<Self, CodecError> {
        let mut position = 0;
        for block in &blocks {
            if block.position != position || (block.length as usize) < TAG_LENGTH {
                return Err(CodecError("index: blocks do not tile the object"));
            }
            if block.last_offset_delta < 0 || block.record_count < 0 {
                return Err(CodecError("index: a block has a negative count"));
            }
            if (block.placement == Placement::AssignedLater) != (kind == ObjectKind::Wal) {
                return Err(CodecError("index: placement does not suit the kind"));
            }
            if block.base_offset().is_some_and(|base| base < 0) {
                return Err(CodecError("index: a block has a negative offset"));
            }
            position = block.end_position();
        }
        let in_order = |pair: &[Block]| match pair {
            [before, after] if before.partition == after.partition => {
                before.end_offset().is_none_or(|end| after.base_offset().is_some_and(|base| end <= base))
            }
            [before, after] => before.partition < after.partition && kind != ObjectKind::Partition,
            _ => true,
        };
        if !blocks.windows(2).all(in_order) {
            return Err(CodecError("index: blocks are out of order"));
        }
        if u32::try_from(blocks.len()).is_err() || blocks.is_empty() {
            return Err(CodecError("index: impossible number of blocks"));
        }
        Ok(Self { blocks })
    }

    /// Every block, in order.
    #[must_use]
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// Bytes of all sealed blocks.
    #[must_use]
    pub fn blocks_length(&self) -> u64 {
        self.blocks.last().map_or(0, Block::end_position)
    }

    /// Memory that the index takes, in bytes.
    #[must_use]
    pub fn weight(&self) -> u64 {
        (self.blocks.len() as u64).saturating_mul(size_of::<Block>() as u64).saturating_add(64)
    }

    /// The numbers of a partition's blocks.
    #[must_use]
    pub fn of_partition(&self, partition: TopicPartition) -> Range<usize> {
        let start = self.blocks.partition_point(|block| block.partition < partition);
        let end = self.blocks.partition_point(|block| block.partition <= partition);
        start..end
    }

    /// The number of the first block of a partition whose last offset is `offset` or later.
    #[must_use]
    pub fn find(&self, partition: TopicPartition, offset: i64) -> Option<usize> {
        let range = self.of_partition(partition);
        let own = self.blocks.get(range.clone())?;
        let found = own.partition_point(|block| block.end_offset().is_some_and(|end| end <= offset));
        (found < own.len()).then(|| range.start.saturating_add(found))
    }

    /// Each partition's share, in order.
    #[must_use]
    pub fn spans(&self) -> Vec<PartitionSpan> {
        let mut spans: Vec<PartitionSpan> = Vec::new();
        for (number, block) in (0u32..).zip(&self.blocks) {
            match spans.last_mut() {
                Some(span) if span.partition == block.partition => {
                    span.end_offset = block.end_offset();
                    span.blocks = span.blocks.saturating_add(1);
                    span.batch_bytes = span.batch_bytes.saturating_add(u64::from(block.batch_size()));
                    span.maximum_timestamp = span.maximum_timestamp.max(block.maximum_timestamp);
                }
                _ => spans.push(PartitionSpan {
                    partition: block.partition,
                    base_offset: block.base_offset(),
                    end_offset: block.end_offset(),
                    first_block: number,
                    blocks: 1,
                    batch_bytes: u64::from(block.batch_size()),
                    maximum_timestamp: block.maximum_timestamp,
                }),
            }
        }
        spans
    }

    pub(crate) fn encode(&self) -> Result<Vec<u8>, CodecError> {
        let count =
            u32::try_from(self.blocks.len()).map_err(|_count| CodecError("index: too many blocks"))?;
        let mut bytes = Vec::with_capacity(encoded_length(self.blocks.len()));
        bytes.extend_from_slice(&count.to_be_bytes());
        self.blocks.iter().for_each(|block| block.encode(&mut bytes));
        Ok(bytes)
    }

    pub(crate) fn decode(kind: ObjectKind, bytes: &[u8]) -> Result<Self, CodecError> {
        let mut fields = FieldReader::new(bytes, "index");
        let count = fields.u32()? as usize;
        if encoded_length(count) != bytes.len() {
            return Err(CodecError("index: length does not suit the count"));
        }
        let blocks = (0..count).map(|_| Block::decode(&mut fields)).collect::<Result<Vec<_>, _>>()?;
        fields.end()?;
        Self::new(kind, blocks)
    }
}

/// Bytes of an index of `count` blocks, unsealed.
pub(crate) const fn encoded_length(count: usize) -> usize {
    count.saturating_mul(BLOCK_LINE_LENGTH).saturating_add(4)
}

#[cfg(test)]
pub(crate) mod tests {
    use cadastre_protocol::types::TopicId;
    use proptest::prelude::*;

    use super::*;

    pub(crate) fn block(topic: u8, partition: i32, base_offset: i64, delta: i32, position: u64) -> Block {
        Block {
            partition: TopicPartition { topic: TopicId([topic; 16]), partition },
            placement: Placement::Known { base_offset, leader_epoch: 3 },
            last_offset_delta: delta,
            record_count: delta + 1,
            maximum_timestamp: 100,
            appended_at_ms: 101,
            producer_id: 7,
            producer_epoch: 1,
            base_sequence: 5,
            attributes: 0x11,
            position,
            length: 100,
        }
    }

    fn three() -> Vec<Block> {
        vec![block(1, 0, 0, 4, 0), block(1, 0, 10, 0, 100), block(2, 1, 7, 1, 200)]
    }

    #[test]
    fn an_index_reads_back_and_leaves_nothing_over() {
        let index = ObjectIndex::new(ObjectKind::Mixed, three()).unwrap();
        let bytes = index.encode().unwrap();
        assert_eq!(bytes.len(), encoded_length(3));
        assert_eq!(ObjectIndex::decode(ObjectKind::Mixed, &bytes), Ok(index));
        assert!(ObjectIndex::decode(ObjectKind::Mixed, &bytes[..bytes.len() - 1]).is_err());
        assert!(ObjectIndex::decode(ObjectKind::Mixed, &[bytes.as_slice(), &[0]].concat()).is_err());
    }

    #[test]
    fn offsets_are_found_where_they_are_or_in_the_gap_before_the_next() {
        let index = ObjectIndex::new(ObjectKind::Mixed, three()).unwrap();
        let first = TopicPartition { topic: TopicId([1; 16]), partition: 0 };
        let found: Vec<_> = [0, 4, 5, 9, 10, 11].iter().map(|offset| index.find(first, *offset)).collect();
        assert_eq!(found, [Some(0), Some(0), Some(1), Some(1), Some(1), None]);
        let spans = index.spans();
        assert_eq!(spans.len(), 2);
        assert_eq!((spans[0].base_offset, spans[0].end_offset, spans[0].blocks), (Some(0), Some(11), 2));
        assert_eq!((spans[1].first_block, spans[1].batch_bytes), (2, 84));
    }

    #[track_caller]
    fn check_refused(kind: ObjectKind, change: impl FnOnce(&mut Vec<Block>), expected: &str) {
        let mut blocks = three();
        change(&mut blocks);
        let error = ObjectIndex::new(kind, blocks).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }

    #[test]
    fn an_index_that_breaks_a_rule_is_refused() {
        check_refused(ObjectKind::Mixed, |it| it[1].position = 101, "tile");
        check_refused(ObjectKind::Mixed, |it| it[0].position = 1, "tile");
        check_refused(ObjectKind::Mixed, |it| it[2].length = 15, "tile");
        check_refused(ObjectKind::Partition, |_| {}, "order");
        check_refused(ObjectKind::Wal, |_| {}, "placement");
        check_refused(ObjectKind::Mixed, |it| it[0].placement = Placement::AssignedLater, "placement");
        check_refused(ObjectKind::Mixed, |it| it[0].last_offset_delta = 10, "order");
        check_refused(ObjectKind::Mixed, |it| it[0].partition.partition = 5, "order");
        check_refused(ObjectKind::Mixed, |it| it[0].record_count = -1, "negative");
        check_refused(ObjectKind::Mixed, Vec::clear, "number");
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_ask_for_more_than_there_is(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            for kind in ObjectKind::ALL {
                drop(ObjectIndex::decode(kind, &bytes));
            }
        }
    }
}
