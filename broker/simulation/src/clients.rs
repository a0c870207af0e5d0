//! The clients of a run: producers, consumers, groups, and somebody who creates and deletes.

use std::collections::BTreeMap;

use bytes::Bytes;
use cadastre_protocol::record::Record;
use cadastre_protocol::record_batch::{Producer, RecordBatch};
use cadastre_protocol::types::TopicPartition;
use cadastre_sequencer::history::{Answer, Sent};
use cadastre_storage::{AppendError, MetadataChange, MetadataKind, ReadError, StorageError};

use crate::broker::Broker;
use crate::ledger::{Ledger, Violation};
use crate::random::Random;
use crate::sabotage::Saboteur;
use crate::world::World;

/// How often a request is tried before a client gives up.
const TRIES: u32 = 60;

/// What every client needs.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    /// Tells it from others.
    pub(crate) number: u32,
    /// The world.
    pub(crate) world: World,
    /// Where it notes what it does and sees.
    pub(crate) ledger: Ledger,
    /// Brokers that it knows.
    pub(crate) brokers: Vec<Broker>,
    /// What stands between.
    pub(crate) saboteur: Saboteur,
    /// Its own chance.
    pub(crate) random: Random,
    /// How many operations it does.
    pub(crate) operations: u32,
}

impl Client {
    fn any_broker(&mut self) -> Option<Broker> {
        let index = usize::try_from(self.random.below(self.brokers.len() as u64)).unwrap_or_default();
        self.brokers.get(index).cloned()
    }

    fn any_partition(&mut self) -> Option<TopicPartition> {
        let partitions = self.ledger.living_partitions();
        let index = usize::try_from(self.random.below(partitions.len() as u64)).unwrap_or_default();
        partitions.get(index).copied()
    }

    async fn think(&mut self) {
        self.pace(40_000).await;
    }

    async fn pace(&mut self, longest: u64) {
        let microseconds = self.random.between(0, longest);
        self.world.sleep(microseconds).await;
    }

    async fn back_off(&mut self) {
        let microseconds = self.random.between(20_000, 400_000);
        self.world.sleep(microseconds).await;
    }

    fn batch(&mut self, number: u64, producer: Option<Producer>) -> Option<RecordBatch> {
        let count = self.random.between(1, 4);
        let records: Vec<Record> = (0..count)
            .map(|_| {
                let length = self.random.below(200);
                let mut value = number.to_be_bytes().to_vec();
                value.extend((0..length).map(|_| b'a'.wrapping_add((self.random.below(26) & 0xff) as u8)));
                let timestamp = i64::try_from(self.world.now() / 1000).unwrap_or_default();
                Record { timestamp, value: Some(Bytes::from(value)), ..Record::default() }
            })
            .collect();
        RecordBatch::build(0, &records, producer)
    }

    /// Appends batches, again and again with a producer id, or once without.
    pub(crate) async fn produce(mut self, is_idempotent: bool) {
        let mut producer_id = None;
        let mut sequences: BTreeMap<TopicPartition, i32> = BTreeMap::new();
        for _ in 0..self.operations {
            self.think().await;
            let Some(partition) = self.any_partition() else { continue };
            if is_idempotent && producer_id.is_none() {
                producer_id = self.producer_id().await;
                sequences.clear();
                if producer_id.is_none() {
                    continue;
                }
            }
            let base_sequence = sequences.get(&partition).copied().unwrap_or(0);
            let producer = producer_id.map(|id| Producer { id, epoch: 0, base_sequence });
            let number = self.ledger.next_batch();
            let Some(batch) = self.batch(number, producer) else { continue };
            self.ledger.sending(number, &batch);
            let next_sequence = base_sequence.saturating_add(batch.record_count());
            match self.send(number, partition, batch, is_idempotent).await {
                Answer::Acknowledged(_) => {
                    sequences.insert(partition, next_sequence);
                }
                // What comes after an unknown outcome must not look like a gap.
                Answer::Refused | Answer::Unknown => producer_id = None,
            }
        }
    }

    async fn producer_id(&mut self) -> Option<i64> {
        for _ in 0..TRIES {
            let broker = self.any_broker()?;
            if let Some(Ok(id)) =
                broker.call(|storage| async move { storage.allocate_producer_id().await }).await
            {
                self.ledger.producer_id(id);
                return Some(id);
            }
            self.back_off().await;
        }
        None
    }

    async fn send(
        &mut self,
        number: u64,
        partition: TopicPartition,
        batch: RecordBatch,
        is_idempotent: bool,
    ) -> Answer {
        let tries = if is_idempotent { TRIES } else { 1 };
        let offsets = u32::try_from(batch.record_count()).unwrap_or_default();
        let client = self.number;
        let sent = |answer| Sent { batch: number, client, is_idempotent, partition, offsets, answer };
        let (ledger, world) = (self.ledger.clone(), self.world.clone());
        let mut broker = None;
        for attempt in 0..tries {
            if attempt > 0 {
                self.back_off().await;
            }
            // Another broker may be asked to repeat what the first one did.
            if self.random.chance(400) || attempt == 0 {
                broker = self.any_broker();
            }
            let Some(asked) = &broker else { break };
            let node = asked.node_id();
            let expected = ledger.expect(partition);
            let (saboteur, copy) = (self.saboteur.clone(), batch.clone());
            let answer = asked
                .call(move |storage| async move { saboteur.append(&storage, partition, copy).await })
                .await;
            match answer {
                Some(Ok(appended)) => {
                    let offset = appended.base_offset;
                    let how = if appended.duplicate { "repeated" } else { "appended" };
                    world.note(format_args!(
                        "client {client}: {how} batch {number} to {partition} at {offset} by {node}"
                    ));
                    let answer = Answer::Acknowledged(offset);
                    ledger.sent(sent(answer), expected);
                    return answer;
                }
                Some(Err(AppendError::UnknownPartition { .. })) => {
                    world.note(format_args!(
                        "client {client}: batch {number}, {partition} is unknown to {node}"
                    ));
                    ledger.missing(partition);
                    break;
                }
                Some(Err(error)) if !error.is_retriable() => {
                    world.note(format_args!("client {client}: batch {number} is refused by {node}: {error}"));
                    let reason = error.to_string();
                    ledger.violation(Violation::Refused { batch: number, partition, reason });
                    break;
                }
                Some(Err(_)) => {
                    world.note(format_args!("client {client}: batch {number} fails at {node}"));
                }
                None => world.note(format_args!("client {client}: no answer for batch {number} from {node}")),
            }
        }
        ledger.sent(sent(Answer::Unknown), ledger.expect(partition));
        Answer::Unknown
    }

    /// Reads partitions from their start, from the middle, and beyond their bounds.
    pub(crate) async fn consume(mut self) {
        let mut positions: BTreeMap<TopicPartition, i64> = BTreeMap::new();
        for _ in 0..self.operations {
            // Slower than producers, so that it sees all that happens to them.
            self.pace(200_000).await;
            let deleted = self.ledger.deleted_partitions();
            let partition = if self.random.chance(50) && !deleted.is_empty() {
                deleted.first().copied()
            } else {
                self.any_partition()
            };
            let (Some(partition), Some(broker)) = (partition, self.any_broker()) else { continue };
            let offset = match self.random.below(10) {
                0 => 0,
                1 => i64::try_from(self.random.below(40)).unwrap_or_default(),
                _ => positions.get(&partition).copied().unwrap_or(0),
            };
            let maximum_bytes = usize::try_from(self.random.between(1, 4000)).unwrap_or(1);
            let next = read(&self.ledger, &self.saboteur, &broker, partition, offset, maximum_bytes).await;
            if let Some(next) = next {
                let client = self.number;
                self.world.note(format_args!("client {client}: read {partition} from {offset} to {next}"));
                positions.insert(partition, next);
            }
        }
    }

    /// Commits offsets of groups and reads them back.
    pub(crate) async fn group(mut self) {
        let mut incarnation = 0;
        let mut offset = 0;
        for _ in 0..self.operations {
            self.think().await;
            let Some(broker) = self.any_broker() else { continue };
            let group = format!("group-{}-{incarnation}", self.number);
            if self.random.chance(300) {
                let low = self.ledger.group_expected(&group);
                let key = group.clone();
                let found = broker
                    .call(
                        move |storage| async move { storage.metadata().get(MetadataKind::GroupOffset, &key) },
                    )
                    .await;
                if let Some(found) = found {
                    self.ledger.saw_group(&group, low, found.as_deref().and_then(decode_offset));
                }
                continue;
            }
            offset += 1;
            self.ledger.group_sending(&group, offset);
            let change = MetadataChange {
                kind: MetadataKind::GroupOffset,
                key: group.clone(),
                value: Some(offset.to_be_bytes().to_vec()),
            };
            let forgets = self.saboteur.forgets_offsets();
            let answer = broker
                .call(move |storage| async move {
                    if forgets { Ok(()) } else { storage.metadata().commit(vec![change]).await }
                })
                .await;
            if let Some(Ok(())) = answer {
                self.world.note(format_args!("{group}: committed {offset}"));
                self.ledger.group_acknowledged(&group, offset);
            } else {
                // It may still be made, after whatever follows; so nothing follows under this name.
                incarnation += 1;
                offset = 0;
            }
        }
    }

    /// Deletes records, and replaces topics by others.
    pub(crate) async fn administer(mut self) {
        for _ in 0..self.operations {
            self.think().await;
            if self.random.chance(150) {
                self.replace_topic().await;
            } else {
                self.delete_records().await;
            }
        }
    }

    async fn delete_records(&mut self) {
        let (Some(partition), Some(broker)) = (self.any_partition(), self.any_broker()) else { return };
        let expected = self.ledger.expect(partition);
        let Some(Ok(bounds)) = broker.call(move |storage| async move { storage.watermarks(partition) }).await
        else {
            return;
        };
        self.ledger.saw_bounds(partition, expected, bounds.log_start_offset, bounds.high_watermark);
        let before = i64::try_from(self.random.below(bounds.high_watermark.unsigned_abs() + 1)).unwrap_or(0);
        self.ledger.deletion_asked(partition, before);
        let answer =
            broker.call(move |storage| async move { storage.delete_records(partition, before).await }).await;
        match answer {
            Some(Ok(log_start)) => {
                self.world.note(format_args!("deleted {partition} before {log_start}"));
                self.ledger.deleted(partition, log_start.max(before));
            }
            Some(Err(StorageError::UnknownPartition { .. })) => self.ledger.missing(partition),
            _ => {}
        }
    }

    async fn replace_topic(&mut self) {
        let Some(old) = self.any_partition().map(|partition| partition.topic) else { return };
        if !self.create_topic().await {
            return;
        }
        self.ledger.topic_deletion_asked(old);
        for _ in 0..TRIES {
            let Some(broker) = self.any_broker() else { return };
            match broker.call(move |storage| async move { storage.delete_topic(old).await }).await {
                Some(Ok(()) | Err(StorageError::UnknownTopic { .. })) => {
                    self.world.note(format_args!("deleted topic {old}"));
                    self.ledger.topic_deleted(old);
                    return;
                }
                _ => self.back_off().await,
            }
        }
    }

    /// Creates a topic; whether it is known to exist. Each try has an id of its own, as a broker draws one for each request: a
    /// late one must not bring back what was deleted meanwhile.
    pub(crate) async fn create_topic(&mut self) -> bool {
        let partitions = i32::try_from(self.random.between(1, 3)).unwrap_or(1);
        for _ in 0..TRIES {
            let Some(broker) = self.any_broker() else { return false };
            let topic = self.ledger.next_topic();
            let answer = broker
                .call(move |storage| async move { storage.create_partitions(topic, partitions).await })
                .await;
            if let Some(Ok(())) = answer {
                self.world.note(format_args!("created topic {topic} with {partitions} partitions"));
                self.ledger.topic_created(topic, partitions);
                return true;
            }
            self.back_off().await;
        }
        false
    }
}

/// A group's offset as it is stored.
pub(crate) fn decode_offset(value: &[u8]) -> Option<u64> {
    value.try_into().ok().map(u64::from_be_bytes)
}

/// Reads once and checks what comes; gives where to go on, if the partition was there.
async fn read(
    ledger: &Ledger,
    saboteur: &Saboteur,
    broker: &Broker,
    partition: TopicPartition,
    offset: i64,
    maximum_bytes: usize,
) -> Option<i64> {
    let expected = ledger.expect(partition);
    let saboteur = saboteur.clone();
    let answer = broker
        .call(move |storage| async move { saboteur.read(&storage, partition, offset, maximum_bytes).await })
        .await?;
    match answer {
        Ok(fetched) => Some(ledger.saw(partition, offset, expected, &fetched).0),
        Err(ReadError::OffsetOutOfRange { log_start_offset, high_watermark, .. }) => {
            ledger.saw_bounds(partition, expected, log_start_offset, high_watermark);
            if !ledger.may_be_out_of_range(partition, offset, expected) {
                let what = format!("out of range {log_start_offset} to {high_watermark}");
                ledger.violation(Violation::Misread { partition, offset, what });
            }
            Some(log_start_offset)
        }
        Err(ReadError::UnknownPartition { .. }) => {
            ledger.missing(partition);
            None
        }
        Err(ReadError::Damaged { .. }) => {
            ledger.saw_damage();
            None
        }
        Err(_) => None,
    }
}
