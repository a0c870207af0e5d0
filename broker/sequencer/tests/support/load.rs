//! Clients that append through several brokers at once, and the history of what they saw.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use cadastre_protocol::types::{TopicId, TopicPartition};
use cadastre_sequencer::history::{Answer, Found, History, Sent};
use cadastre_sequencer::{
    BatchFacts, BatchOutcome, BrokerEpoch, CommitRequest, ObjectId, PartitionAppend, ProducerStamp,
    Sequencer, SequencerError, TransactionRole,
};

pub(crate) const TOPIC: TopicId = TopicId([9; 16]);

/// What is in the objects that were put: the batch and its offsets, by object and block.
type Blocks = Arc<Mutex<BTreeMap<(ObjectId, u32), (u64, u32)>>>;

/// Clients and what they saw.
#[derive(Debug, Clone, Default)]
pub(crate) struct Load {
    blocks: Blocks,
    history: Arc<Mutex<History>>,
    next_batch: Arc<AtomicU64>,
    next_object: Arc<AtomicU64>,
    next_client: Arc<AtomicU64>,
}

impl Load {
    /// One client: appends to each of `partitions` partitions in each of `rounds` objects, and notes the answers.
    pub(crate) async fn client<S: Sequencer>(
        &self,
        sequencer: S,
        epoch: BrokerEpoch,
        partitions: i32,
        rounds: u32,
    ) {
        let client = self.next_client.fetch_add(1, Ordering::Relaxed);
        // The producer's own count; every second client is idempotent.
        let mut sequences: BTreeMap<i32, i32> = BTreeMap::new();
        for _ in 0..rounds {
            let object = ObjectId { epoch, number: self.next_object.fetch_add(1, Ordering::Relaxed) };
            let mut appends = Vec::new();
            let mut sent = Vec::new();
            for (index, first_block) in (0..partitions).zip(0u32..) {
                let batch = self.next_batch.fetch_add(1, Ordering::Relaxed);
                let offsets = u32::try_from(batch % 3).unwrap() + 1;
                let partition = TopicPartition { topic: TOPIC, partition: index };
                self.blocks.lock().unwrap().insert((object, first_block), (batch, offsets));
                let next = sequences.entry(index).or_default();
                let producer = (client % 2 == 1).then(|| ProducerStamp {
                    id: i64::try_from(client).unwrap(),
                    epoch: 0,
                    base_sequence: *next,
                    last_sequence: *next + i32::try_from(offsets).unwrap() - 1,
                    role: TransactionRole::None,
                });
                *next += i32::try_from(offsets).unwrap();
                let facts = BatchFacts { offsets, bytes: 10, maximum_timestamp: 0, producer };
                appends.push(PartitionAppend { partition, first_block, batches: vec![facts] });
                sent.push((batch, partition, offsets));
            }
            let request = CommitRequest { object, object_bytes: 100, appended_at_ms: 1, appends };
            let answers = self.append(&sequencer, request).await;
            let mut history = self.history.lock().unwrap();
            for ((batch, partition, offsets), answer) in sent.into_iter().zip(answers) {
                let client = u32::try_from(client).unwrap();
                history.sent(Sent { batch, client, is_idempotent: true, partition, offsets, answer });
            }
        }
    }

    /// Appends; an unknown outcome is asked for again, with the same object, as a client's retry would end up doing.
    async fn append<S: Sequencer>(&self, sequencer: &S, request: CommitRequest) -> Vec<Answer> {
        let count = request.appends.len();
        for _ in 0..20 {
            match sequencer.commit(request.clone()).await {
                Ok(outcome) => {
                    let answer = |outcome: &BatchOutcome| match outcome {
                        BatchOutcome::Appended(placement) => Answer::Acknowledged(placement.base_offset),
                        other => panic!("{other:?}"),
                    };
                    return outcome.appends.iter().flatten().map(answer).collect();
                }
                Err(SequencerError::Ambiguous { .. } | SequencerError::Unavailable { .. }) => {}
                Err(SequencerError::Fenced { .. }) => return vec![Answer::Refused; count],
                Err(other) => panic!("{other}"),
            }
        }
        vec![Answer::Unknown; count]
    }

    /// Reads every partition to its end, and judges the history.
    pub(crate) async fn judge<S: Sequencer>(&self, sequencer: &S) -> usize {
        let blocks = self.blocks.lock().unwrap().clone();
        let mut history = self.history.lock().unwrap().clone();
        sequencer.refresh().await.unwrap();
        for (partition, state) in sequencer.partitions().all() {
            let mut found = Vec::new();
            let mut from = state.log_start;
            while from < state.next_offset {
                let page = sequencer.slices(partition, from, 100).await.unwrap();
                for slice in &page.slices {
                    let mut base_offset = slice.base_offset;
                    for block in slice.first_block..slice.first_block + slice.blocks {
                        let (batch, offsets) = blocks[&(slice.object, block)];
                        found.push(Found { batch, base_offset, offsets });
                        base_offset += i64::from(offsets);
                    }
                    assert_eq!(base_offset, slice.end_offset);
                    from = slice.end_offset;
                }
            }
            history.log(partition, state.log_start, found);
        }
        assert_eq!(history.violations(), []);
        history.acknowledged()
    }
}
