//! Transactions, as clients before and after KIP-890 make them.

use bytes::Bytes;
use cadastre_protocol::messages::add_partitions_to_txn_request::{
    AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction,
};
use cadastre_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use cadastre_protocol::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, DescribeTransactionsRequest, EndTxnRequest,
    InitProducerIdRequest, ListTransactionsRequest, ProduceRequest, ProducerId, TxnOffsetCommitRequest,
};
use cadastre_protocol::record_batch::{Producer, RecordBatch};

use super::{create, group, produce, records, text, topic, transactional};
use crate::pair::Pair;

pub(super) async fn run(pair: &mut Pair) -> anyhow::Result<()> {
    create(pair, "moved", 2, &[]).await?;
    producers(pair).await?;
    one(pair).await?;
    strangers(pair).await?;
    listing(pair).await
}

fn init(name: &str) -> InitProducerIdRequest {
    InitProducerIdRequest::default()
        .with_transactional_id(Some(transactional(name)))
        .with_transaction_timeout_ms(60_000)
}

async fn producers(pair: &mut Pair) -> anyhow::Result<()> {
    pair.ask_all("a transactional id", |version| init(&format!("id-{version}"))).await?;
    pair.ask_all("a transactional id again", |version| init(&format!("id-{version}"))).await?;
    for (case, name, timeout) in [
        ("an empty transactional id", "", 60_000),
        ("no timeout", "refused", 0),
        ("a negative timeout", "refused", -1),
        ("a timeout that is too long", "refused", 1_000_000_000),
    ] {
        pair.ask_all(case, |_| init(name).with_transaction_timeout_ms(timeout)).await?;
    }
    pair.ask_all("a producer id that is not the transactional id's", |version| {
        init(&format!("id-{version}"))
            .with_producer_id(ProducerId(version.max(3).into()))
            .with_producer_epoch(0)
    })
    .await
}

fn transactional_batch(id: i64, epoch: i16, sequence: i32) -> Bytes {
    let producer = Producer { id, epoch, base_sequence: sequence };
    let batch = RecordBatch::build(0, &records(&["one", "two"]), Some(producer));
    batch.map(|batch| batch.in_transaction().bytes().clone()).unwrap_or_default()
}

fn write(name: &str, id: i64, epoch: i16, sequence: i32, partition: i32) -> ProduceRequest {
    produce("moved", partition, Some(transactional_batch(id, epoch, sequence)))
        .with_transactional_id(Some(transactional(name)))
}

fn add(name: &str, id: i64, epoch: i16, to: &str, partitions: &[i32]) -> AddPartitionsToTxnRequest {
    let asked = AddPartitionsToTxnTopic::default().with_name(topic(to)).with_partitions(partitions.to_vec());
    AddPartitionsToTxnRequest::default()
        .with_v3_and_below_transactional_id(transactional(name))
        .with_v3_and_below_producer_id(ProducerId(id))
        .with_v3_and_below_producer_epoch(epoch)
        .with_v3_and_below_topics(vec![asked])
}

fn end(name: &str, id: i64, epoch: i16, committed: bool) -> EndTxnRequest {
    EndTxnRequest::default()
        .with_transactional_id(transactional(name))
        .with_producer_id(ProducerId(id))
        .with_producer_epoch(epoch)
        .with_committed(committed)
}

fn offsets(name: &str, id: i64, epoch: i16) -> TxnOffsetCommitRequest {
    let partition =
        TxnOffsetCommitRequestPartition::default().with_committed_offset(4).with_committed_leader_epoch(-1);
    let asked =
        TxnOffsetCommitRequestTopic::default().with_name(topic("moved")).with_partitions(vec![partition]);
    TxnOffsetCommitRequest::default()
        .with_transactional_id(transactional(name))
        .with_group_id(group("movers"))
        .with_producer_id(ProducerId(id))
        .with_producer_epoch(epoch)
        .with_generation_id(-1)
        .with_topics(vec![asked])
}

async fn one(pair: &mut Pair) -> anyhow::Result<()> {
    for (at, committed) in [(3, true), (3, false)] {
        let name = if committed { "commits" } else { "aborts" };
        let answer = pair.ask("a producer for what follows", 4, &init(name)).await?;
        let ids = answer.map(|answer| answer.producer_id.0);
        let requests = ids.requests(|id| write(name, id, 0, 0, 0));
        pair.ask_each("to a partition that was not added", 9, requests).await?;
        pair.ask_each("a partition", at, ids.requests(|id| add(name, id, 0, "moved", &[0]))).await?;
        pair.ask_each("a partition again", at, ids.requests(|id| add(name, id, 0, "moved", &[0]))).await?;
        pair.ask_each("an unknown topic", at, ids.requests(|id| add(name, id, 0, "absent", &[0]))).await?;
        pair.ask_each("an unknown partition", at, ids.requests(|id| add(name, id, 0, "moved", &[7]))).await?;
        pair.ask_each(
            "one known and one unknown partition",
            at,
            ids.requests(|id| add(name, id, 0, "moved", &[1, 7])),
        )
        .await?;
        pair.ask_each("an epoch from the past", at, ids.requests(|id| add(name, id, -1, "moved", &[0])))
            .await?;
        pair.ask_each("an epoch from the future", at, ids.requests(|id| add(name, id, 4, "moved", &[0])))
            .await?;
        pair.ask_each("in a transaction", 9, ids.requests(|id| write(name, id, 0, 0, 0))).await?;
        pair.ask_each(
            "in a transaction, in an epoch from the future",
            9,
            ids.requests(|id| write(name, id, 4, 0, 0)),
        )
        .await?;
        let verify = ids.requests(|id| {
            let asked =
                AddPartitionsToTxnTopic::default().with_name(topic("moved")).with_partitions(vec![0, 1]);
            let transaction = AddPartitionsToTxnTransaction::default()
                .with_transactional_id(transactional(name))
                .with_producer_id(ProducerId(id))
                .with_verify_only(true)
                .with_topics(vec![asked]);
            AddPartitionsToTxnRequest::default().with_transactions(vec![transaction])
        });
        pair.ask_each("only verified, one that was added and one that was not", 4, verify).await?;
        let group_of = |id: i64, name: &str| {
            AddOffsetsToTxnRequest::default()
                .with_transactional_id(transactional(name))
                .with_producer_id(ProducerId(id))
                .with_group_id(group("movers"))
        };
        for version in 0..=3 {
            pair.ask_each("a group", version, ids.requests(|id| group_of(id, name))).await?;
        }
        for version in 0..=4 {
            pair.ask_each("in a transaction", version, ids.requests(|id| offsets(name, id, 0))).await?;
            pair.ask_each(
                "in a transaction of another epoch",
                version,
                ids.requests(|id| offsets(name, id, 4)),
            )
            .await?;
        }
        let described =
            DescribeTransactionsRequest::default().with_transactional_ids(vec![transactional(name)]);
        pair.ask("one that goes on", 0, &described).await?;
        pair.ask_each("of another epoch", at, ids.requests(|id| end(name, id, 4, committed))).await?;
        pair.ask_each("of another producer", at, ids.requests(|id| end(name, id + 1_000, 0, committed)))
            .await?;
        pair.ask_each("as it should", at, ids.requests(|id| end(name, id, 0, committed))).await?;
        pair.ask_each("again", at, ids.requests(|id| end(name, id, 0, committed))).await?;
        pair.ask_each("the other way afterwards", at, ids.requests(|id| end(name, id, 0, !committed)))
            .await?;
    }
    Ok(())
}

async fn strangers(pair: &mut Pair) -> anyhow::Result<()> {
    for version in 0..=3 {
        pair.ask("an unknown transactional id", version, &add("absent", 5, 0, "moved", &[0])).await?;
        pair.ask("an empty transactional id", version, &add("", 5, 0, "moved", &[0])).await?;
        pair.ask("an unknown transactional id", version, &end("absent", 5, 0, true)).await?;
        pair.ask("an empty transactional id", version, &end("", 5, 0, true)).await?;
        pair.ask("an unknown transactional id", version, &offsets("absent", 5, 0)).await?;
    }
    pair.ask("in a transaction of an unknown transactional id", 9, &write("absent", 5, 0, 0, 0)).await?;
    pair.ask(
        "in a transaction, without a transactional id",
        9,
        &write("absent", 5, 0, 0, 0).with_transactional_id(None),
    )
    .await?;
    Ok(())
}

async fn listing(pair: &mut Pair) -> anyhow::Result<()> {
    for (case, names) in [
        ("a committed one", &["commits"][..]),
        ("an aborted one", &["aborts"][..]),
        ("an unknown one", &["absent"][..]),
        ("an empty id", &[""][..]),
        ("none", &[][..]),
    ] {
        pair.ask_all(case, |_| {
            DescribeTransactionsRequest::default()
                .with_transactional_ids(names.iter().map(|name| transactional(name)).collect())
        })
        .await?;
    }
    let list = ListTransactionsRequest::default;
    pair.ask_all("every one", |_| list()).await?;
    pair.ask_all("those that were committed", |_| list().with_state_filters(vec![text("CompleteCommit")]))
        .await?;
    pair.ask_all("a state that is none", |_| list().with_state_filters(vec![text("Sleeping")])).await?;
    pair.ask_all("an unknown producer's", |_| list().with_producer_id_filters(vec![ProducerId(123_456_789)]))
        .await?;
    pair.ask_all("those that last for an hour", |_| list().with_duration_filter(3_600_000)).await?;
    pair.ask_all("those of a pattern", |_| list().with_transactional_id_pattern(Some(text("com.*")))).await?;
    pair.ask_all("a pattern that is none", |_| list().with_transactional_id_pattern(Some(text("(")))).await
}
