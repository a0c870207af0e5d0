//! Records and offsets read, and records deleted.

use cadastre_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use cadastre_protocol::messages::describe_producers_request::TopicRequest;
use cadastre_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use cadastre_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use cadastre_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use cadastre_protocol::messages::{
    BrokerId, DeleteRecordsRequest, DescribeProducersRequest, FetchRequest, ListOffsetsRequest,
    OffsetForLeaderEpochRequest,
};
use uuid::Uuid;

use super::{batch, create, produce, topic, topic_id};
use crate::pair::Pair;

/// Requests that name topics; from 13 on they carry ids.
const NAMED: i16 = 12;

pub(super) async fn run(pair: &mut Pair) -> anyhow::Result<()> {
    create(pair, "read", 2, &[]).await?;
    for values in [["one", "two"], ["three", "four"], ["five", "six"]] {
        pair.ask("records for what follows", 9, &produce("read", 0, Some(batch(&values, None)))).await?;
    }
    fetching(pair).await?;
    sessions(pair).await?;
    offsets(pair).await?;
    epochs(pair).await?;
    producers(pair).await?;
    deleting(pair).await
}

fn partition(number: i32, offset: i64) -> FetchPartition {
    FetchPartition::default()
        .with_partition(number)
        .with_fetch_offset(offset)
        .with_current_leader_epoch(-1)
        .with_last_fetched_epoch(-1)
        .with_log_start_offset(-1)
        .with_partition_max_bytes(1 << 20)
}

fn fetch(name: &str, partitions: Vec<FetchPartition>) -> FetchRequest {
    let asked = FetchTopic::default().with_topic(topic(name)).with_partitions(partitions);
    FetchRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_max_wait_ms(100)
        .with_min_bytes(0)
        .with_max_bytes(1 << 20)
        .with_session_epoch(-1)
        .with_topics(vec![asked])
}

async fn fetching(pair: &mut Pair) -> anyhow::Result<()> {
    for version in 4..=NAMED {
        for (case, number, offset) in [
            ("from the beginning", 0, 0),
            ("from the middle of a batch", 0, 3),
            ("from the end", 0, 6),
            ("beyond the end", 0, 7),
            ("a negative offset", 0, -1),
            ("an empty partition", 1, 0),
            ("an unknown partition", 7, 0),
            ("a negative partition", -1, 0),
        ] {
            pair.ask(case, version, &fetch("read", vec![partition(number, offset)])).await?;
        }
        pair.ask("an unknown topic", version, &fetch("absent", vec![partition(0, 0)])).await?;
        pair.ask("two partitions", version, &fetch("read", vec![partition(1, 0), partition(0, 4)])).await?;
        let committed = fetch("read", vec![partition(0, 0)]).with_isolation_level(1);
        pair.ask("only what is committed", version, &committed).await?;
        pair.ask("no more than one byte", version, &fetch("read", vec![partition(0, 0)]).with_max_bytes(1))
            .await?;
        let little = vec![partition(0, 2).with_partition_max_bytes(1)];
        pair.ask("no more than one byte of a partition", version, &fetch("read", little)).await?;
        pair.ask("no topic", version, &fetch("read", Vec::new()).with_topics(Vec::new())).await?;
    }
    for version in 9..=NAMED {
        for (case, epoch) in [("the leader's epoch", 0), ("an epoch from the future", 5)] {
            let asked = vec![partition(0, 0).with_current_leader_epoch(epoch)];
            pair.ask(case, version, &fetch("read", asked)).await?;
        }
    }
    for (case, epoch) in [("an epoch fetched last", 0), ("an epoch fetched last from the future", 5)] {
        let asked = vec![partition(0, 2).with_last_fetched_epoch(epoch)];
        pair.ask(case, NAMED, &fetch("read", asked)).await?;
    }
    let ids = topic_id(pair, "read").await?;
    let by_id = |id| {
        let asked = FetchTopic::default().with_topic_id(id).with_partitions(vec![partition(0, 0)]);
        fetch("read", Vec::new()).with_topics(vec![asked])
    };
    for version in 13..=17 {
        pair.ask_each("by the topic's id", version, ids.requests(by_id)).await?;
        pair.ask("an unknown id", version, &by_id(Uuid::from_u128(77))).await?;
    }
    Ok(())
}

async fn sessions(pair: &mut Pair) -> anyhow::Result<()> {
    let within = |session, epoch, topics: Option<&str>| {
        let request = fetch("read", vec![partition(0, 0)]).with_session_id(session).with_session_epoch(epoch);
        match topics {
            Some(_) => request,
            None => request.with_topics(Vec::new()),
        }
    };
    let opened = pair.ask("a session is opened", NAMED, &within(0, 0, Some("read"))).await?;
    let ids = opened.map(|answer| answer.session_id);
    pair.ask_each("what a session has", NAMED, ids.requests(|id| within(id, 1, None))).await?;
    pair.ask_each("an epoch that was before", NAMED, ids.requests(|id| within(id, 1, None))).await?;
    pair.ask_each("a session is closed", NAMED, ids.requests(|id| within(id, -1, None))).await?;
    pair.ask("a session that is none", NAMED, &within(123_456_789, 1, None)).await?;
    Ok(())
}

async fn offsets(pair: &mut Pair) -> anyhow::Result<()> {
    let ask = |name: &str, number: i32, timestamp: i64, epoch: i32| {
        let asked = ListOffsetsPartition::default()
            .with_partition_index(number)
            .with_timestamp(timestamp)
            .with_current_leader_epoch(epoch);
        let asked = ListOffsetsTopic::default().with_name(topic(name)).with_partitions(vec![asked]);
        ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![asked])
    };
    for (case, name, number, timestamp, epoch) in [
        ("the latest", "read", 0, -1, -1),
        ("the earliest", "read", 0, -2, -1),
        ("the highest timestamp", "read", 0, -3, -1),
        ("the earliest that is local", "read", 0, -4, -1),
        ("the latest that is tiered", "read", 0, -5, -1),
        ("a special timestamp that is none", "read", 0, -9, -1),
        ("a time before all", "read", 0, 0, -1),
        ("the time of a record", "read", 0, 1_760_000_001_000, -1),
        ("a time between records", "read", 0, 1_760_000_000_500, -1),
        ("a time after all", "read", 0, 1_770_000_000_000, -1),
        ("the latest of nothing", "read", 1, -1, -1),
        ("the highest timestamp of nothing", "read", 1, -3, -1),
        ("a time in nothing", "read", 1, 5, -1),
        ("an unknown topic", "absent", 0, -1, -1),
        ("an unknown partition", "read", 7, -1, -1),
    ] {
        pair.ask_all(case, |_| ask(name, number, timestamp, epoch)).await?;
        pair.ask_all(&format!("{case}, committed"), |_| {
            ask(name, number, timestamp, epoch).with_isolation_level(1)
        })
        .await?;
    }
    for version in 4..=10 {
        pair.ask("the leader's epoch", version, &ask("read", 0, -1, 0)).await?;
        pair.ask("an epoch from the future", version, &ask("read", 0, -1, 5)).await?;
    }
    pair.ask_all("the same partition twice", |_| {
        let twice: Vec<_> = [0, 0]
            .into_iter()
            .map(|number| {
                ListOffsetsPartition::default()
                    .with_partition_index(number)
                    .with_timestamp(-1)
                    .with_current_leader_epoch(-1)
            })
            .collect();
        let asked = ListOffsetsTopic::default().with_name(topic("read")).with_partitions(twice);
        ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![asked])
    })
    .await
}

async fn epochs(pair: &mut Pair) -> anyhow::Result<()> {
    let ask = |name: &str, number: i32, current: i32, epoch: i32| {
        let asked = OffsetForLeaderPartition::default()
            .with_partition(number)
            .with_current_leader_epoch(current)
            .with_leader_epoch(epoch);
        let asked = OffsetForLeaderTopic::default().with_topic(topic(name)).with_partitions(vec![asked]);
        OffsetForLeaderEpochRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![asked])
    };
    for (case, name, number, current, epoch) in [
        ("the only epoch", "read", 0, -1, 0),
        ("an epoch from the future", "read", 0, -1, 5),
        ("an epoch that is none", "read", 0, -1, -1),
        ("a current epoch from the future", "read", 0, 5, 0),
        ("the current epoch", "read", 0, 0, 0),
        ("an empty partition", "read", 1, -1, 0),
        ("an unknown topic", "absent", 0, -1, 0),
        ("an unknown partition", "read", 7, -1, 0),
    ] {
        pair.ask_all(case, |_| ask(name, number, current, epoch)).await?;
    }
    Ok(())
}

async fn producers(pair: &mut Pair) -> anyhow::Result<()> {
    for (case, name, number) in [
        ("a partition that a producer wrote to", "once", 0),
        ("a partition without producers", "read", 1),
        ("an unknown partition", "read", 7),
        ("an unknown topic", "absent", 0),
    ] {
        let asked = TopicRequest::default().with_name(topic(name)).with_partition_indexes(vec![number]);
        pair.ask_all(case, |_| DescribeProducersRequest::default().with_topics(vec![asked.clone()])).await?;
    }
    Ok(())
}

async fn deleting(pair: &mut Pair) -> anyhow::Result<()> {
    create(pair, "compacted-only", 1, &[("cleanup.policy", Some("compact"))]).await?;
    for (case, name, number, offset) in [
        ("up to an offset", "read", 0, 2),
        ("up to an offset before", "read", 0, 1),
        ("up to the end", "read", 0, -1),
        ("beyond the end", "read", 0, 9),
        ("a negative offset", "read", 0, -2),
        ("an empty partition", "read", 1, -1),
        ("an unknown partition", "read", 7, 0),
        ("an unknown topic", "absent", 0, 0),
        ("a topic that is only compacted", "compacted-only", 0, 0),
    ] {
        let asked = DeleteRecordsPartition::default().with_partition_index(number).with_offset(offset);
        let asked = DeleteRecordsTopic::default().with_name(topic(name)).with_partitions(vec![asked]);
        pair.ask_all(case, |_| {
            DeleteRecordsRequest::default().with_topics(vec![asked.clone()]).with_timeout_ms(10_000)
        })
        .await?;
    }
    pair.ask("what was deleted", NAMED, &fetch("read", vec![partition(0, 0)])).await?;
    Ok(())
}
