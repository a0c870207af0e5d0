//! Batches written lately, in memory: consumers at the end of the log never touch the disk.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use cadastre_protocol::types::TopicPartition;

type Key = (TopicPartition, i64);

/// The latest batches, up to a number of bytes; the oldest go first.
#[derive(Debug)]
pub(crate) struct RecentBatches {
    batches: BTreeMap<Key, Bytes>,
    order: VecDeque<Key>,
    bytes: usize,
    capacity: usize,
}

impl RecentBatches {
    pub(crate) const fn new(capacity: usize) -> Self {
        Self { batches: BTreeMap::new(), order: VecDeque::new(), bytes: 0, capacity }
    }

    /// Remembers a batch, which is written once: offsets are never given twice.
    pub(crate) fn insert(&mut self, partition: TopicPartition, base_offset: i64, batch: Bytes) {
        if batch.len() > self.capacity {
            return;
        }
        self.bytes = self.bytes.saturating_add(batch.len());
        if let Some(before) = self.batches.insert((partition, base_offset), batch) {
            self.bytes = self.bytes.saturating_sub(before.len());
        } else {
            self.order.push_back((partition, base_offset));
        }
        while self.bytes > self.capacity {
            let Some(oldest) = self.order.pop_front() else { break };
            if let Some(removed) = self.batches.remove(&oldest) {
                self.bytes = self.bytes.saturating_sub(removed.len());
            }
        }
    }

    pub(crate) fn get(&self, partition: TopicPartition, base_offset: i64) -> Option<Bytes> {
        self.batches.get(&(partition, base_offset)).cloned()
    }
}

#[cfg(test)]
mod tests {
    use cadastre_protocol::types::TopicId;

    use super::*;

    #[test]
    fn the_cache_holds_the_latest_batches_within_its_bounds() {
        let partition = TopicPartition { topic: TopicId([1; 16]), partition: 0 };
        let mut cache = RecentBatches::new(100);
        for offset in 0..50 {
            cache.insert(partition, offset, Bytes::from(vec![0; 30]));
            assert!(cache.bytes <= 100);
            assert_eq!(cache.batches.len(), cache.order.len());
        }
        assert!(cache.get(partition, 46).is_none());
        assert!((47..50).all(|offset| cache.get(partition, offset).is_some()));
        cache.insert(partition, 50, Bytes::from(vec![0; 101]));
        assert!(cache.get(partition, 50).is_none(), "larger than the whole cache");
        assert!(cache.get(partition, 49).is_some());
    }
}
