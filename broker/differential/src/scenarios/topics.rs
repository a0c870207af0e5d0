//! Topics: created, described, grown, deleted.

use cadastre_protocol::messages::create_partitions_request::{
    CreatePartitionsAssignment, CreatePartitionsTopic,
};
use cadastre_protocol::messages::create_topics_request::{CreatableReplicaAssignment, CreatableTopic};
use cadastre_protocol::messages::delete_topics_request::DeleteTopicState;
use cadastre_protocol::messages::describe_topic_partitions_request::{Cursor, TopicRequest};
use cadastre_protocol::messages::metadata_request::MetadataRequestTopic;
use cadastre_protocol::messages::{
    BrokerId, CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest,
    DescribeTopicPartitionsRequest, MetadataRequest,
};
use uuid::Uuid;

use super::{creatable, create, topic, topic_id};
use crate::pair::Pair;

pub(super) async fn run(pair: &mut Pair) -> anyhow::Result<()> {
    creating(pair).await?;
    describing(pair).await?;
    growing(pair).await?;
    deleting(pair).await
}

fn creation(topics: Vec<CreatableTopic>, validate_only: bool) -> CreateTopicsRequest {
    CreateTopicsRequest::default()
        .with_topics(topics)
        .with_timeout_ms(10_000)
        .with_validate_only(validate_only)
}

async fn creating(pair: &mut Pair) -> anyhow::Result<()> {
    pair.ask_all("one topic of two partitions", |version| {
        creation(vec![creatable(&format!("one-{version}"), 2, &[])], false)
    })
    .await?;
    pair.ask_all("only validated", |version| {
        creation(vec![creatable(&format!("never-{version}"), 2, &[])], true)
    })
    .await?;
    pair.ask_all("defaults for partitions and replicas", |version| {
        creation(vec![creatable(&format!("defaults-{version}"), -1, &[]).with_replication_factor(-1)], false)
    })
    .await?;
    pair.ask_all("a topic that is there", |_| creation(vec![creatable("one-7", 1, &[])], false)).await?;
    pair.ask_all("no topic", |_| creation(Vec::new(), false)).await?;
    pair.ask_all("the same topic twice", |_| {
        creation(vec![creatable("twice", 1, &[]), creatable("twice", 1, &[])], false)
    })
    .await?;
    for (case, name) in [
        ("an empty name", ""),
        ("a dot for a name", "."),
        ("two dots for a name", ".."),
        ("a name with a slash", "a/b"),
        ("a name with a space", "a b"),
        ("a name that is not ASCII", "überall"),
        ("an internal name", "__consumer_offsets"),
    ] {
        pair.ask_all(case, |_| creation(vec![creatable(name, 1, &[])], true)).await?;
    }
    let longest = "n".repeat(249);
    pair.ask_all("the longest name", |_| creation(vec![creatable(&longest, 1, &[])], true)).await?;
    let longer = "n".repeat(250);
    pair.ask_all("a name that is too long", |_| creation(vec![creatable(&longer, 1, &[])], true)).await?;
    create(pair, "with.dots", 1, &[]).await?;
    pair.ask_all("a name that collides with another's metric", |_| {
        creation(vec![creatable("with_dots", 1, &[])], true)
    })
    .await?;
    for (case, partitions) in [("no partition", 0), ("negative partitions", -2)] {
        pair.ask_all(case, |_| creation(vec![creatable("odd", partitions, &[])], true)).await?;
    }
    for (case, factor) in [("no replica", 0), ("negative replicas", -2), ("more replicas than brokers", 3)] {
        pair.ask_all(case, |_| {
            creation(vec![creatable("odd", 1, &[]).with_replication_factor(factor)], true)
        })
        .await?;
    }
    let assigned = |assignments: &[(i32, &[i32])]| {
        let assignments = assignments
            .iter()
            .map(|(partition, brokers)| {
                CreatableReplicaAssignment::default()
                    .with_partition_index(*partition)
                    .with_broker_ids(brokers.iter().copied().map(BrokerId).collect())
            })
            .collect();
        creatable("assigned", -1, &[]).with_replication_factor(-1).with_assignments(assignments)
    };
    for (case, assignments) in [
        ("an assignment to the one broker", &[(0, &[1][..]), (1, &[1][..])][..]),
        ("an assignment to an unknown broker", &[(0, &[9][..])][..]),
        ("an assignment with a gap", &[(0, &[1][..]), (2, &[1][..])][..]),
        ("an assignment to no broker", &[(0, &[][..])][..]),
        ("an assignment to a broker twice", &[(0, &[1, 1][..])][..]),
        ("assignments of different lengths", &[(0, &[1][..]), (1, &[1, 9][..])][..]),
    ] {
        pair.ask_all(case, |_| creation(vec![assigned(assignments)], true)).await?;
    }
    pair.ask_all("an assignment and a count", |_| {
        creation(vec![assigned(&[(0, &[1])]).with_num_partitions(1).with_replication_factor(1)], true)
    })
    .await?;
    for (case, configs) in [
        ("a setting", &[("retention.ms", Some("1000"))][..]),
        ("an unknown setting", &[("no.such.setting", Some("1"))][..]),
        ("a setting of no value", &[("retention.ms", None)][..]),
        ("a setting that is no number", &[("retention.ms", Some("soon"))][..]),
        ("a setting out of range", &[("segment.bytes", Some("1"))][..]),
        ("a setting of none of its values", &[("cleanup.policy", Some("forget"))][..]),
        ("a list of values", &[("cleanup.policy", Some("compact,delete"))][..]),
        ("a compression that is none", &[("compression.type", Some("lzma"))][..]),
        ("a setting twice", &[("retention.ms", Some("1")), ("retention.ms", Some("2"))][..]),
        ("two settings", &[("max.message.bytes", Some("2048")), ("compression.type", Some("zstd"))][..]),
    ] {
        pair.ask_all(case, |_| creation(vec![creatable("configured", 1, configs)], true)).await?;
    }
    pair.ask_all("one good and one bad topic", |version| {
        creation(vec![creatable(&format!("good-{version}"), 1, &[]), creatable("bad/", 1, &[])], false)
    })
    .await
}

fn metadata(topics: Option<Vec<MetadataRequestTopic>>) -> MetadataRequest {
    MetadataRequest::default().with_topics(topics).with_allow_auto_topic_creation(false)
}

fn named(name: &str) -> MetadataRequestTopic {
    MetadataRequestTopic::default().with_name(Some(topic(name)))
}

async fn describing(pair: &mut Pair) -> anyhow::Result<()> {
    create(pair, "described", 3, &[]).await?;
    pair.ask_all("one topic", |_| metadata(Some(vec![named("described")]))).await?;
    pair.ask_all("an unknown topic", |_| metadata(Some(vec![named("absent")]))).await?;
    pair.ask_all("a topic that no name can be", |_| metadata(Some(vec![named("a/b")]))).await?;
    pair.ask_all("an empty name", |_| metadata(Some(vec![named("")]))).await?;
    pair.ask_all("the same topic twice", |_| metadata(Some(vec![named("described"), named("described")])))
        .await?;
    pair.ask_all("two topics", |_| metadata(Some(vec![named("one-7"), named("described")]))).await?;
    pair.ask_all("no topic", |_| metadata(Some(Vec::new()))).await?;
    pair.ask_all("every topic", |_| metadata(None)).await?;
    pair.ask_all("with the operations that are allowed", |_| {
        metadata(Some(vec![named("described")])).with_include_topic_authorized_operations(true)
    })
    .await?;
    pair.ask_all("with the cluster's operations", |_| {
        metadata(Some(Vec::new())).with_include_cluster_authorized_operations(true)
    })
    .await?;
    pair.ask_all("an absent topic that may be created", |_| {
        metadata(Some(vec![named("absent")])).with_allow_auto_topic_creation(true)
    })
    .await?;
    let ids = topic_id(pair, "described").await?;
    let by_id =
        |id: Uuid| metadata(Some(vec![MetadataRequestTopic::default().with_name(None).with_topic_id(id)]));
    for version in [10, 12, 13] {
        pair.ask_each("by its id", version, ids.requests(by_id)).await?;
    }
    pair.ask_all("an unknown id", |_| by_id(Uuid::from_u128(77))).await?;
    let named = |names: &[&str]| {
        let topics = names.iter().map(|name| TopicRequest::default().with_name(topic(name))).collect();
        DescribeTopicPartitionsRequest::default().with_topics(topics).with_response_partition_limit(2_000)
    };
    pair.ask_all("two topics, not in their order", |_| named(&["one-7", "described"])).await?;
    pair.ask_all("an unknown topic", |_| named(&["absent", "described"])).await?;
    pair.ask_all("every topic", |_| named(&[])).await?;
    pair.ask_all("no more than two partitions", |_| {
        named(&["described", "one-7"]).with_response_partition_limit(2)
    })
    .await?;
    let from = |name: &str, partition| {
        Some(Cursor::default().with_topic_name(topic(name)).with_partition_index(partition))
    };
    pair.ask_all("from a cursor on", |_| named(&["described", "one-7"]).with_cursor(from("described", 1)))
        .await?;
    pair.ask_all("from a cursor in an unknown topic on", |_| {
        named(&["described", "one-7"]).with_cursor(from("e", 1))
    })
    .await?;
    pair.ask_all("from a cursor before the first partition on", |_| {
        named(&["described"]).with_cursor(from("described", -1))
    })
    .await
}

async fn growing(pair: &mut Pair) -> anyhow::Result<()> {
    create(pair, "growing", 2, &[]).await?;
    let to = |name: &str, count| {
        CreatePartitionsTopic::default().with_name(topic(name)).with_count(count).with_assignments(None)
    };
    let grow = |topics, validate_only| {
        CreatePartitionsRequest::default()
            .with_topics(topics)
            .with_timeout_ms(10_000)
            .with_validate_only(validate_only)
    };
    for (case, name, count) in [
        ("one more, only validated", "growing", 3),
        ("as many as there are", "growing", 2),
        ("fewer than there are", "growing", 1),
        ("none", "growing", 0),
        ("a negative count", "growing", -1),
        ("an unknown topic", "absent", 3),
    ] {
        pair.ask_all(case, |_| grow(vec![to(name, count)], true)).await?;
    }
    let assigned = |brokers: &[&[i32]]| {
        let assignments = brokers
            .iter()
            .map(|brokers| {
                CreatePartitionsAssignment::default()
                    .with_broker_ids(brokers.iter().copied().map(BrokerId).collect())
            })
            .collect();
        to("growing", 3).with_assignments(Some(assignments))
    };
    pair.ask_all("an assignment", |_| grow(vec![assigned(&[&[1]])], true)).await?;
    pair.ask_all("too many assignments", |_| grow(vec![assigned(&[&[1], &[1]])], true)).await?;
    pair.ask_all("an assignment to an unknown broker", |_| grow(vec![assigned(&[&[9]])], true)).await?;
    pair.ask_all("the same topic twice", |_| grow(vec![to("growing", 3), to("growing", 4)], true)).await?;
    pair.ask_all("more for each version", |version| grow(vec![to("growing", 3 + i32::from(version))], false))
        .await
}

async fn deleting(pair: &mut Pair) -> anyhow::Result<()> {
    for version in 1..=6 {
        create(pair, &format!("doomed-{version}"), 1, &[]).await?;
    }
    let by_name = |version: i16, names: &[String]| {
        let request = DeleteTopicsRequest::default().with_timeout_ms(10_000);
        let names = names.iter().map(|name| topic(name));
        match version >= 6 {
            true => request
                .with_topics(names.map(|name| DeleteTopicState::default().with_name(Some(name))).collect()),
            false => request.with_topic_names(names.collect()),
        }
    };
    pair.ask_all("one topic", |version| by_name(version, &[format!("doomed-{version}")])).await?;
    pair.ask_all("an unknown topic", |version| by_name(version, &["absent".to_owned()])).await?;
    pair.ask_all("no topic", |version| by_name(version, &[])).await?;
    pair.ask_all("the same topic twice", |version| {
        by_name(version, &["one-7".to_owned(), "one-7".to_owned()])
    })
    .await?;
    let by_id = |id| {
        let state = DeleteTopicState::default().with_name(None).with_topic_id(id);
        DeleteTopicsRequest::default().with_timeout_ms(10_000).with_topics(vec![state])
    };
    pair.ask("an unknown id", 6, &by_id(Uuid::from_u128(77))).await?;
    let both = DeleteTopicState::default().with_name(Some(topic("one-7"))).with_topic_id(Uuid::from_u128(77));
    pair.ask("a name and an id", 6, &DeleteTopicsRequest::default().with_topics(vec![both])).await?;
    let ids = topic_id(pair, "described").await?;
    pair.ask_each("by its id", 6, ids.requests(by_id)).await?;
    Ok(())
}
