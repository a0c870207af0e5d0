//! What each request about a transaction is answered, in versions that the clients at hand do not send in this order.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends where it cannot go on")]

mod common;

use bytes::Bytes;
use cadastre_protocol::client::Client;
use cadastre_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use cadastre_protocol::messages::create_topics_request::CreatableTopic;
use cadastre_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use cadastre_protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use cadastre_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use cadastre_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use cadastre_protocol::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, CreateTopicsRequest, EndTxnRequest, FetchRequest,
    GroupId, InitProducerIdRequest, OffsetFetchRequest, ProduceRequest, ProducerId, TopicName,
    TransactionalId, TxnOffsetCommitRequest,
};
use cadastre_protocol::record::Record;
use cadastre_protocol::record_batch::{Producer, RecordBatch};
use cadastre_protocol::{Request, ResponseError, StrBytes};
use common::in_process::InProcess;

/// A producer as its requests name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Who {
    id: i64,
    epoch: i16,
}

struct World {
    _broker: InProcess,
    client: Client,
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn topic() -> TopicName {
    TopicName(text("ledger"))
}

fn transactional_id() -> TransactionalId {
    TransactionalId(text("id"))
}

impl World {
    async fn new() -> Self {
        let broker = InProcess::start(&[]).await;
        let mut world = Self { client: broker.connect().await, _broker: broker };
        let topic =
            CreatableTopic::default().with_name(topic()).with_num_partitions(3).with_replication_factor(1);
        world.send(7, &CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(5000)).await;
        world
    }

    async fn send<R: Request>(&mut self, version: i16, request: &R) -> R::Response {
        self.client.send_version(version, request).await.unwrap()
    }

    async fn initialize(&mut self, expected: Option<Who>, timeout_ms: i32) -> Result<Who, i16> {
        let Who { id, epoch } = expected.unwrap_or(Who { id: -1, epoch: -1 });
        let request = InitProducerIdRequest::default()
            .with_transactional_id(Some(transactional_id()))
            .with_transaction_timeout_ms(timeout_ms)
            .with_producer_id(ProducerId(id))
            .with_producer_epoch(epoch);
        let answer = self.send(5, &request).await;
        let who = Who { id: answer.producer_id.0, epoch: answer.producer_epoch };
        if answer.error_code == 0 { Ok(who) } else { Err(answer.error_code) }
    }

    async fn produce(&mut self, version: i16, who: Who, partition: i32, sequence: i32) -> i16 {
        let record = Record { value: Some(Bytes::from_static(b"value")), ..Record::default() };
        let producer = Producer { id: who.id, epoch: who.epoch, base_sequence: sequence };
        let batch = RecordBatch::build(0, &[record], Some(producer)).unwrap().in_transaction();
        let data =
            PartitionProduceData::default().with_index(partition).with_records(Some(batch.bytes().clone()));
        let data = TopicProduceData::default().with_name(topic()).with_partition_data(vec![data]);
        let request = ProduceRequest::default()
            .with_transactional_id(Some(transactional_id()))
            .with_acks(-1)
            .with_timeout_ms(5000)
            .with_topic_data(vec![data]);
        let answer = self.send(version, &request).await;
        answer.responses.first().unwrap().partition_responses.first().unwrap().error_code
    }

    async fn add(&mut self, who: Who, partitions: &[i32]) -> Vec<i16> {
        let asked =
            AddPartitionsToTxnTopic::default().with_name(topic()).with_partitions(partitions.to_vec());
        let request = AddPartitionsToTxnRequest::default()
            .with_v3_and_below_transactional_id(transactional_id())
            .with_v3_and_below_producer_id(ProducerId(who.id))
            .with_v3_and_below_producer_epoch(who.epoch)
            .with_v3_and_below_topics(vec![asked]);
        let answer = self.send(3, &request).await;
        let results = &answer.results_by_topic_v3_and_below.first().unwrap().results_by_partition;
        results.iter().map(|result| result.partition_error_code).collect()
    }

    async fn end(&mut self, version: i16, who: Who, commits: bool) -> Result<Who, i16> {
        let request = EndTxnRequest::default()
            .with_transactional_id(transactional_id())
            .with_producer_id(ProducerId(who.id))
            .with_producer_epoch(who.epoch)
            .with_committed(commits);
        let answer = self.send(version, &request).await;
        let next =
            if version < 5 { who } else { Who { id: answer.producer_id.0, epoch: answer.producer_epoch } };
        if answer.error_code == 0 { Ok(next) } else { Err(answer.error_code) }
    }

    /// For a reader of committed records: offsets of batches with records, the list of what to leave out, the last stable offset,
    /// and the end.
    async fn fetch(&mut self, partition: i32) -> (Vec<i64>, Vec<(i64, i64)>, i64, i64) {
        let wanted = FetchPartition::default().with_partition(partition).with_partition_max_bytes(1 << 20);
        let wanted = FetchTopic::default().with_topic(topic()).with_partitions(vec![wanted]);
        let request =
            FetchRequest::default().with_isolation_level(1).with_max_bytes(1 << 20).with_topics(vec![wanted]);
        let answer = self.send(12, &request).await;
        let answer = answer.responses.first().unwrap().partitions.first().unwrap();
        assert_eq!(answer.error_code, 0);
        let batches = RecordBatch::parse_all(answer.records.clone().unwrap_or_default()).unwrap();
        let data = batches.iter().filter(|batch| !batch.is_control()).map(RecordBatch::base_offset).collect();
        let aborted = answer.aborted_transactions.iter().flatten();
        let aborted = aborted.map(|it| (it.producer_id.0, it.first_offset)).collect();
        (data, aborted, answer.last_stable_offset, answer.high_watermark)
    }

    async fn commit_offset(&mut self, version: i16, who: Who, offset: i64) -> i16 {
        let partition = TxnOffsetCommitRequestPartition::default().with_committed_offset(offset);
        let asked =
            TxnOffsetCommitRequestTopic::default().with_name(topic()).with_partitions(vec![partition]);
        let request = TxnOffsetCommitRequest::default()
            .with_transactional_id(transactional_id())
            .with_group_id(GroupId(text("group")))
            .with_producer_id(ProducerId(who.id))
            .with_producer_epoch(who.epoch)
            .with_generation_id(-1)
            .with_topics(vec![asked]);
        let answer = self.send(version, &request).await;
        answer.topics.first().unwrap().partitions.first().unwrap().error_code
    }

    async fn offset(&mut self, require_stable: bool) -> Result<i64, i16> {
        let asked = OffsetFetchRequestTopics::default().with_name(topic()).with_partition_indexes(vec![0]);
        let group = OffsetFetchRequestGroup::default()
            .with_group_id(GroupId(text("group")))
            .with_topics(Some(vec![asked]));
        let request =
            OffsetFetchRequest::default().with_groups(vec![group]).with_require_stable(require_stable);
        let answer = self.send(8, &request).await;
        let found = answer.groups.first().unwrap().topics.first().unwrap().partitions.first().unwrap();
        if found.error_code == 0 { Ok(found.committed_offset) } else { Err(found.error_code) }
    }
}

const fn code(error: ResponseError) -> i16 {
    error.code()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_taken_only_in_its_producers_transaction() {
    let mut world = World::new().await;
    let minute = 60_000;
    assert_eq!(world.initialize(None, 0).await, Err(code(ResponseError::InvalidTransactionTimeout)));
    assert_eq!(world.initialize(None, i32::MAX).await, Err(code(ResponseError::InvalidTransactionTimeout)));
    let old = world.initialize(None, minute).await.unwrap();
    let who = world.initialize(None, minute).await.unwrap();
    assert_eq!(who, Who { epoch: old.epoch + 1, ..old });
    // Not added: up to version 10 by the old code, then by the one after which clients may abort.
    assert_eq!(world.produce(9, who, 0, 0).await, code(ResponseError::InvalidTxnState));
    assert_eq!(world.produce(11, who, 0, 0).await, code(ResponseError::TransactionAbortable));
    let untried = code(ResponseError::OperationNotAttempted);
    assert_eq!(world.add(who, &[0, 9]).await, [untried, code(ResponseError::UnknownTopicOrPartition)]);
    assert_eq!(world.add(old, &[0]).await, [code(ResponseError::ProducerFenced)]);
    let stranger = Who { id: who.id + 1, ..who };
    assert_eq!(world.add(stranger, &[0]).await, [code(ResponseError::InvalidProducerIdMapping)]);
    assert_eq!(world.add(who, &[0]).await, [0]);
    assert_eq!(world.produce(9, who, 0, 0).await, 0);
    assert_eq!(world.produce(9, who, 1, 0).await, code(ResponseError::InvalidTxnState));
    assert_eq!(world.produce(9, old, 0, 1).await, code(ResponseError::InvalidProducerEpoch));
    assert_eq!(world.produce(9, stranger, 0, 1).await, code(ResponseError::InvalidProducerIdMapping));
    // Version 12 adds the partition.
    assert_eq!(world.produce(12, who, 1, 0).await, 0);
    assert_eq!(world.produce(12, old, 1, 0).await, code(ResponseError::InvalidProducerEpoch));
    assert_eq!(world.fetch(0).await, (vec![], vec![], 0, 1));
    assert_eq!(world.end(4, who, true).await, Ok(who));
    assert_eq!(world.end(4, who, true).await, Ok(who), "the answer may have been lost");
    assert_eq!(world.end(4, who, false).await, Err(code(ResponseError::InvalidTxnState)));
    assert_eq!(world.fetch(0).await, (vec![0], vec![], 2, 2));
    assert_eq!(world.fetch(1).await, (vec![0], vec![], 2, 2));
    assert_eq!(world.produce(9, who, 0, 1).await, code(ResponseError::InvalidTxnState), "it has ended");
    // What was aborted is listed with what is sent, and only there.
    assert_eq!(world.add(who, &[0]).await, [0]);
    assert_eq!(world.produce(9, who, 0, 1).await, 0);
    assert_eq!(world.end(4, who, false).await, Ok(who));
    assert_eq!(world.fetch(0).await, (vec![0, 2], vec![(who.id, 2)], 4, 4));
    assert_eq!(world.fetch(1).await, (vec![0], vec![], 2, 2));
    // Somebody takes over in the middle of one: it is aborted, and who began it is fenced.
    assert_eq!(world.add(who, &[2]).await, [0]);
    assert_eq!(world.produce(9, who, 2, 0).await, 0);
    let busy = code(ResponseError::ConcurrentTransactions);
    assert_eq!(world.initialize(None, minute).await, Err(busy));
    let successor = loop {
        match world.initialize(None, minute).await {
            Ok(successor) => break successor,
            Err(error) => assert_eq!(error, busy),
        }
    };
    assert!(successor.epoch > who.epoch);
    assert_eq!(world.end(4, who, true).await, Err(code(ResponseError::ProducerFenced)));
    assert_eq!(world.initialize(Some(who), minute).await, Err(code(ResponseError::ProducerFenced)));
    assert_eq!(world.fetch(2).await, (vec![0], vec![(who.id, 0)], 2, 2));
    let next = world.initialize(Some(successor), minute).await.unwrap();
    assert_eq!(world.initialize(Some(successor), minute).await, Ok(next), "a repetition raises nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_version_two_each_end_raises_the_epoch() {
    let mut world = World::new().await;
    let who = world.initialize(None, 60_000).await.unwrap();
    assert_eq!(world.produce(12, who, 0, 0).await, 0);
    let next = world.end(5, who, true).await.unwrap();
    assert_eq!(next, Who { epoch: who.epoch + 1, ..who });
    assert_eq!(world.end(5, who, true).await, Ok(next), "a repetition");
    assert_eq!(world.end(5, who, false).await, Err(code(ResponseError::InvalidTxnState)));
    assert_eq!(world.end(5, next, true).await, Err(code(ResponseError::InvalidTxnState)), "nothing began");
    let after = world.end(5, next, false).await.unwrap();
    assert_eq!(after, Who { epoch: next.epoch + 1, ..who }, "aborting nothing raises it too");
    assert_eq!(world.produce(12, next, 0, 0).await, code(ResponseError::InvalidProducerEpoch));
    assert_eq!(world.produce(12, after, 0, 1).await, code(ResponseError::OutOfOrderSequenceNumber));
    assert_eq!(world.produce(12, after, 0, 0).await, 0);
    let last = world.end(5, after, false).await.unwrap();
    assert_eq!(world.fetch(0).await, (vec![0, 2], vec![(who.id, 2)], 4, 4));
    assert_eq!(world.end(5, who, true).await, Err(code(ResponseError::ProducerFenced)), "long ago");
    assert_eq!(last.epoch, who.epoch + 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn offsets_come_with_their_transaction_or_not_at_all() {
    let mut world = World::new().await;
    let who = world.initialize(None, 60_000).await.unwrap();
    assert_eq!(world.offset(true).await, Ok(-1));
    assert_eq!(world.commit_offset(3, who, 5).await, code(ResponseError::InvalidTxnState), "not added");
    assert_eq!(world.commit_offset(4, who, 5).await, code(ResponseError::TransactionAbortable));
    let request = AddOffsetsToTxnRequest::default()
        .with_transactional_id(transactional_id())
        .with_producer_id(ProducerId(who.id))
        .with_producer_epoch(who.epoch)
        .with_group_id(GroupId(text("group")));
    assert_eq!(world.send(3, &request).await.error_code, 0);
    assert_eq!(world.commit_offset(3, who, 5).await, 0);
    let unstable = code(ResponseError::UnstableOffsetCommit);
    assert_eq!((world.offset(true).await, world.offset(false).await), (Err(unstable), Ok(-1)));
    world.end(4, who, true).await.unwrap();
    assert_eq!((world.offset(true).await, world.offset(false).await), (Ok(5), Ok(5)));
    // Version 5 has the group join.
    assert_eq!(world.commit_offset(5, who, 9).await, 0);
    assert_eq!((world.offset(true).await, world.offset(false).await), (Err(unstable), Ok(5)));
    let next = world.end(5, who, false).await.unwrap();
    assert_eq!((world.offset(true).await, world.offset(false).await), (Ok(5), Ok(5)));
    let late = world.commit_offset(5, who, 11).await;
    assert_eq!(late, code(ResponseError::InvalidProducerEpoch), "who was replaced");
    assert_eq!(world.commit_offset(5, next, 12).await, 0);
    world.end(5, next, true).await.unwrap();
    assert_eq!(world.offset(true).await, Ok(12));
}
