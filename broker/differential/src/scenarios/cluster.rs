//! The cluster itself: who is in it, where its replicas lie, and who leads.

use cadastre_protocol::messages::alter_partition_reassignments_request::{
    ReassignablePartition, ReassignableTopic,
};
use cadastre_protocol::messages::describe_log_dirs_request::DescribableLogDirTopic;
use cadastre_protocol::messages::elect_leaders_request::TopicPartitions;
use cadastre_protocol::messages::list_partition_reassignments_request::ListPartitionReassignmentsTopics;
use cadastre_protocol::messages::{
    AlterPartitionReassignmentsRequest, ApiVersionsRequest, BrokerId, DescribeClusterRequest,
    DescribeLogDirsRequest, ElectLeadersRequest, ListPartitionReassignmentsRequest,
};

use super::{create, text, topic};
use crate::pair::Pair;

pub(super) async fn run(pair: &mut Pair) -> anyhow::Result<()> {
    create(pair, "placed", 2, &[]).await?;
    pair.ask_all("a client that says who it is", |_| {
        ApiVersionsRequest::default()
            .with_client_software_name(text("differential"))
            .with_client_software_version(text("1.0"))
    })
    .await?;
    pair.ask(
        "a client whose name is none",
        4,
        &ApiVersionsRequest::default().with_client_software_name(text("a name with spaces")),
    )
    .await?;
    pair.ask_all("the cluster", |_| DescribeClusterRequest::default()).await?;
    pair.ask_all("with the operations that are allowed", |_| {
        DescribeClusterRequest::default().with_include_cluster_authorized_operations(true)
    })
    .await?;
    pair.ask_all("the controllers, asked of a broker", |_| {
        DescribeClusterRequest::default().with_endpoint_type(2)
    })
    .await?;
    pair.ask_all("endpoints that are none", |_| DescribeClusterRequest::default().with_endpoint_type(9))
        .await?;
    let lying = |name: &str, partitions: &[i32]| {
        let asked =
            DescribableLogDirTopic::default().with_topic(topic(name)).with_partitions(partitions.to_vec());
        DescribeLogDirsRequest::default().with_topics(Some(vec![asked]))
    };
    pair.ask_all("two partitions", |_| lying("placed", &[0, 1])).await?;
    pair.ask_all("an unknown partition", |_| lying("placed", &[7])).await?;
    pair.ask_all("an unknown topic", |_| lying("absent", &[0])).await?;
    pair.ask_all("no topic", |_| DescribeLogDirsRequest::default().with_topics(Some(Vec::new()))).await?;
    electing(pair).await?;
    reassigning(pair).await
}

async fn electing(pair: &mut Pair) -> anyhow::Result<()> {
    let elect = |kind: i8, name: &str, partitions: &[i32]| {
        let asked = TopicPartitions::default().with_topic(topic(name)).with_partitions(partitions.to_vec());
        ElectLeadersRequest::default()
            .with_election_type(kind)
            .with_topic_partitions(Some(vec![asked]))
            .with_timeout_ms(10_000)
    };
    for (case, kind, name, partitions) in [
        ("the preferred leader that leads", 0, "placed", &[0, 1][..]),
        ("an unclean one", 1, "placed", &[0][..]),
        ("a kind that is none", 9, "placed", &[0][..]),
        ("an unknown topic", 0, "absent", &[0][..]),
        ("an unknown partition", 0, "placed", &[7][..]),
    ] {
        pair.ask_all(case, |_| elect(kind, name, partitions)).await?;
    }
    pair.ask_all("no partition", |_| elect(0, "placed", &[]).with_topic_partitions(Some(Vec::new()))).await?;
    pair.ask_all("every partition", |_| elect(0, "placed", &[]).with_topic_partitions(None)).await
}

async fn reassigning(pair: &mut Pair) -> anyhow::Result<()> {
    let to = |name: &str, partition: i32, brokers: Option<&[i32]>| {
        let brokers = brokers.map(|brokers| brokers.iter().copied().map(BrokerId).collect());
        let asked = ReassignablePartition::default().with_partition_index(partition).with_replicas(brokers);
        let asked = ReassignableTopic::default().with_name(topic(name)).with_partitions(vec![asked]);
        AlterPartitionReassignmentsRequest::default().with_topics(vec![asked]).with_timeout_ms(10_000)
    };
    for (case, name, partition, brokers) in [
        ("where it is", "placed", 0, Some(&[1][..])),
        ("to an unknown broker", "placed", 0, Some(&[9][..])),
        ("to a broker twice", "placed", 0, Some(&[1, 1][..])),
        ("to no broker", "placed", 0, Some(&[][..])),
        ("to a negative broker", "placed", 0, Some(&[-1][..])),
        ("cancelled where none goes on", "placed", 0, None),
        ("an unknown topic", "absent", 0, Some(&[1][..])),
        ("an unknown partition", "placed", 7, Some(&[1][..])),
    ] {
        pair.ask_all(case, |_| to(name, partition, brokers)).await?;
    }
    let list =
        |asked| ListPartitionReassignmentsRequest::default().with_topics(asked).with_timeout_ms(10_000);
    pair.ask_all("every one", |_| list(None)).await?;
    let named = |name: &str| {
        vec![
            ListPartitionReassignmentsTopics::default()
                .with_name(topic(name))
                .with_partition_indexes(vec![0]),
        ]
    };
    pair.ask_all("a topic's", |_| list(Some(named("placed")))).await?;
    pair.ask_all("an unknown topic's", |_| list(Some(named("absent")))).await
}
