//! What somebody is told who may do nothing, or little: nothing that they may not know.

use cadastre_protocol::messages::create_acls_request::AclCreation;
use cadastre_protocol::messages::delete_topics_request::DeleteTopicState;
use cadastre_protocol::messages::describe_configs_request::DescribeConfigsResource;
use cadastre_protocol::messages::describe_topic_partitions_request::TopicRequest;
use cadastre_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use cadastre_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use cadastre_protocol::messages::metadata_request::MetadataRequestTopic;
use cadastre_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use cadastre_protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use cadastre_protocol::messages::{
    AddOffsetsToTxnRequest, AlterClientQuotasRequest, AlterUserScramCredentialsRequest, BrokerId,
    CreateAclsRequest, CreatePartitionsRequest, CreateTopicsRequest, DeleteGroupsRequest,
    DeleteTopicsRequest, DescribeAclsRequest, DescribeClientQuotasRequest, DescribeClusterRequest,
    DescribeConfigsRequest, DescribeGroupsRequest, DescribeLogDirsRequest, DescribeTopicPartitionsRequest,
    DescribeTransactionsRequest, DescribeUserScramCredentialsRequest, ElectLeadersRequest, EndTxnRequest,
    FetchRequest, FindCoordinatorRequest, HeartbeatRequest, InitProducerIdRequest, JoinGroupRequest,
    ListConfigResourcesRequest, ListGroupsRequest, ListOffsetsRequest, ListPartitionReassignmentsRequest,
    ListTransactionsRequest, MetadataRequest, OffsetCommitRequest, OffsetFetchRequest,
};

use super::{batch, creatable, create, group, produce, text, topic, transactional};
use crate::pair::Pair;

/// Done by a super user before: a topic that the other may see and not read, one that it may read, and one that it may not know.
pub(crate) async fn prepare(pair: &mut Pair, user: &str) -> anyhow::Result<()> {
    for name in ["hidden", "seen", "readable"] {
        create(pair, name, 1, &[]).await?;
    }
    let allow = |name: &str, operation: i8| {
        AclCreation::default()
            .with_resource_type(2)
            .with_resource_name(text(name))
            .with_resource_pattern_type(3)
            .with_principal(text(&format!("User:{user}")))
            .with_host(text("*"))
            .with_operation(operation)
            .with_permission_type(3)
    };
    // DESCRIBE is 8 and READ 3.
    let request = CreateAclsRequest::default().with_creations(vec![allow("seen", 8), allow("readable", 3)]);
    pair.ask("for what follows", 3, &request).await?;
    Ok(())
}

/// Asked by somebody with those rights.
pub(crate) async fn run(pair: &mut Pair) -> anyhow::Result<()> {
    topics(pair).await?;
    groups(pair).await?;
    administration(pair).await
}

async fn topics(pair: &mut Pair) -> anyhow::Result<()> {
    let named = |names: &[&str]| {
        let topics =
            names.iter().map(|name| MetadataRequestTopic::default().with_name(Some(topic(name)))).collect();
        MetadataRequest::default().with_topics(Some(topics)).with_allow_auto_topic_creation(true)
    };
    pair.ask_all("every topic", |_| MetadataRequest::default().with_topics(None)).await?;
    for name in ["hidden", "seen", "readable", "absent"] {
        pair.ask_all(&format!("topic `{name}`"), |_| named(&[name])).await?;
        pair.ask_all(&format!("topic `{name}`, with what is allowed"), |_| {
            named(&[name]).with_include_topic_authorized_operations(true)
        })
        .await?;
        let asked = FetchPartition::default().with_current_leader_epoch(-1).with_partition_max_bytes(1_024);
        let asked = FetchTopic::default().with_topic(topic(name)).with_partitions(vec![asked]);
        let fetch = FetchRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_max_bytes(1_024)
            .with_session_epoch(-1);
        pair.ask(&format!("topic `{name}`"), 12, &fetch.with_topics(vec![asked])).await?;
        pair.ask(&format!("topic `{name}`"), 9, &produce(name, 0, Some(batch(&["x"], None)))).await?;
        pair.ask_all(&format!("topic `{name}`"), |_| {
            let asked = ListOffsetsPartition::default().with_timestamp(-1).with_current_leader_epoch(-1);
            let asked = ListOffsetsTopic::default().with_name(topic(name)).with_partitions(vec![asked]);
            ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![asked])
        })
        .await?;
        pair.ask_all(&format!("topic `{name}`"), |_| {
            let asked = TopicRequest::default().with_name(topic(name));
            DescribeTopicPartitionsRequest::default()
                .with_topics(vec![asked])
                .with_response_partition_limit(10)
        })
        .await?;
        pair.ask_all(&format!("topic `{name}`"), |_| {
            let asked =
                DescribeConfigsResource::default().with_resource_type(2).with_resource_name(text(name));
            DescribeConfigsRequest::default()
                .with_resources(vec![asked.with_configuration_keys(Some(Vec::new()))])
        })
        .await?;
        let deleted = DeleteTopicState::default().with_name(Some(topic(name)));
        pair.ask(
            &format!("topic `{name}`"),
            6,
            &DeleteTopicsRequest::default().with_topics(vec![deleted]).with_timeout_ms(10_000),
        )
        .await?;
    }
    pair.ask_all("every topic", |_| {
        DescribeTopicPartitionsRequest::default().with_response_partition_limit(10)
    })
    .await?;
    pair.ask_all("several at once", |_| named(&["hidden", "seen", "absent", "readable"])).await?;
    pair.ask_all("a topic", |_| {
        CreateTopicsRequest::default().with_topics(vec![creatable("new", 1, &[])]).with_timeout_ms(10_000)
    })
    .await?;
    pair.ask_all("no topic", |_| CreatePartitionsRequest::default()).await
}

async fn groups(pair: &mut Pair) -> anyhow::Result<()> {
    pair.ask_all("a group's", |version| {
        let request = FindCoordinatorRequest::default();
        match version >= 4 {
            true => request.with_coordinator_keys(vec![text("team")]),
            false => request.with_key(text("team")),
        }
    })
    .await?;
    pair.ask_all("a group", |_| {
        JoinGroupRequest::default()
            .with_group_id(group("team"))
            .with_session_timeout_ms(30_000)
            .with_rebalance_timeout_ms(30_000)
            .with_protocol_type(text("consumer"))
    })
    .await?;
    pair.ask_all("a group", |_| HeartbeatRequest::default().with_group_id(group("team"))).await?;
    pair.ask_all("a group", |_| {
        DescribeGroupsRequest::default()
            .with_groups(vec![group("team")])
            .with_include_authorized_operations(true)
    })
    .await?;
    pair.ask_all("every group", |_| ListGroupsRequest::default()).await?;
    pair.ask_all("a group", |_| DeleteGroupsRequest::default().with_groups_names(vec![group("team")]))
        .await?;
    let partition = OffsetCommitRequestPartition::default().with_committed_offset(1);
    let asked =
        OffsetCommitRequestTopic::default().with_name(topic("readable")).with_partitions(vec![partition]);
    let commit = OffsetCommitRequest::default().with_group_id(group("team")).with_topics(vec![asked]);
    pair.ask("a group", 8, &commit.with_generation_id_or_member_epoch(-1)).await?;
    let asked =
        OffsetFetchRequestTopics::default().with_name(topic("readable")).with_partition_indexes(vec![0]);
    let asked =
        OffsetFetchRequestGroup::default().with_group_id(group("team")).with_topics(Some(vec![asked]));
    pair.ask("a group", 8, &OffsetFetchRequest::default().with_groups(vec![asked])).await?;
    pair.ask_all("a transactional id", |_| {
        InitProducerIdRequest::default()
            .with_transactional_id(Some(transactional("mover")))
            .with_transaction_timeout_ms(1_000)
    })
    .await?;
    pair.ask_all("no transactional id", |_| InitProducerIdRequest::default()).await?;
    pair.ask(
        "a transactional id",
        3,
        &EndTxnRequest::default().with_transactional_id(transactional("mover")),
    )
    .await?;
    let add = AddOffsetsToTxnRequest::default()
        .with_transactional_id(transactional("mover"))
        .with_group_id(group("team"));
    pair.ask("a transactional id", 3, &add).await?;
    pair.ask_all("a transactional id", |_| {
        DescribeTransactionsRequest::default().with_transactional_ids(vec![transactional("mover")])
    })
    .await?;
    pair.ask_all("every transaction", |_| ListTransactionsRequest::default()).await
}

async fn administration(pair: &mut Pair) -> anyhow::Result<()> {
    pair.ask_all("the cluster", |_| {
        DescribeClusterRequest::default().with_include_cluster_authorized_operations(true)
    })
    .await?;
    pair.ask_all("the broker", |_| {
        let asked = DescribeConfigsResource::default().with_resource_type(4).with_resource_name(text("1"));
        DescribeConfigsRequest::default()
            .with_resources(vec![asked.with_configuration_keys(Some(Vec::new()))])
    })
    .await?;
    pair.ask_all("an ACL", |_| {
        let acl = AclCreation::default()
            .with_resource_type(2)
            .with_resource_name(text("hidden"))
            .with_principal(text("User:stranger"))
            .with_host(text("*"))
            .with_operation(3)
            .with_permission_type(3);
        CreateAclsRequest::default().with_creations(vec![acl])
    })
    .await?;
    pair.ask_all("every ACL", |_| {
        DescribeAclsRequest::default()
            .with_resource_type_filter(1)
            .with_pattern_type_filter(1)
            .with_operation(1)
            .with_permission_type(1)
    })
    .await?;
    pair.ask_all("every quota", |_| DescribeClientQuotasRequest::default()).await?;
    pair.ask_all("no quota", |_| AlterClientQuotasRequest::default()).await?;
    pair.ask_all("every credential", |_| DescribeUserScramCredentialsRequest::default().with_users(None))
        .await?;
    pair.ask_all("no credential", |_| AlterUserScramCredentialsRequest::default()).await?;
    pair.ask_all("every directory", |_| DescribeLogDirsRequest::default().with_topics(None)).await?;
    pair.ask_all("every partition", |_| ElectLeadersRequest::default().with_topic_partitions(None)).await?;
    pair.ask_all("every reassignment", |_| ListPartitionReassignmentsRequest::default().with_topics(None))
        .await?;
    pair.ask_all("every resource", |_| ListConfigResourcesRequest::default()).await
}
