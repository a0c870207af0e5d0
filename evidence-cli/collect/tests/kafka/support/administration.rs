//! What a test does to a cluster before it is scanned.

use std::time::Duration;

use cadastre_protocol::StrBytes;
use cadastre_protocol::client::Client;
use cadastre_protocol::messages::alter_client_quotas_request::{EntityData, EntryData, OpData};
use cadastre_protocol::messages::create_acls_request::AclCreation;
use cadastre_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use cadastre_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use cadastre_protocol::messages::{
    AlterClientQuotasRequest, ConsumerGroupHeartbeatRequest, CreateAclsRequest, CreateDelegationTokenRequest,
    CreateTopicsRequest, FindCoordinatorRequest, GroupId, OffsetCommitRequest, TopicName,
};

/// Codes of ResourceType and AclOperation.
fn code(names: &[&str], name: &str) -> i8 {
    i8::try_from(names.iter().position(|known| *known == name).unwrap()).unwrap()
}

fn resource_type(name: &str) -> i8 {
    code(&["", "", "TOPIC", "GROUP", "CLUSTER", "TRANSACTIONAL_ID", "DELEGATION_TOKEN", "USER"], name)
}

fn operation(name: &str) -> i8 {
    code(
        &[
            "",
            "",
            "ALL",
            "READ",
            "WRITE",
            "CREATE",
            "DELETE",
            "ALTER",
            "DESCRIBE",
            "CLUSTER_ACTION",
            "DESCRIBE_CONFIGS",
            "ALTER_CONFIGS",
            "IDEMPOTENT_WRITE",
            "CREATE_TOKENS",
            "DESCRIBE_TOKENS",
        ],
        name,
    )
}

/// Creates literal ALLOW bindings.
pub(crate) async fn allow(client: &mut Client, principal: &'static str, permissions: &[(&str, &str, &str)]) {
    let creations = permissions
        .iter()
        .map(|(kind, name, allowed)| {
            AclCreation::default()
                .with_resource_type(resource_type(kind))
                .with_resource_name(StrBytes::from_string((*name).to_owned()))
                .with_resource_pattern_type(3)
                .with_principal(StrBytes::from_static_str(principal))
                .with_host(StrBytes::from_static_str("*"))
                .with_operation(operation(allowed))
                .with_permission_type(3)
        })
        .collect();
    let response = client.send(&CreateAclsRequest::default().with_creations(creations)).await.unwrap();
    for result in &response.results {
        assert_eq!(result.error_code, 0, "{:?}", result.error_message);
    }
}

/// Creates a topic of three partitions that keeps records for an hour.
pub(crate) async fn create_topic(client: &mut Client, name: &'static str) {
    let retention = CreatableTopicConfig::default()
        .with_name(StrBytes::from_static_str("retention.ms"))
        .with_value(Some(StrBytes::from_static_str("3600000")));
    let topic = CreatableTopic::default()
        .with_name(TopicName(StrBytes::from_static_str(name)))
        .with_num_partitions(3)
        .with_replication_factor(1)
        .with_configs(vec![retention]);
    let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(10_000);
    let response = client.send(&request).await.unwrap();
    assert_eq!(response.topics[0].error_code, 0, "{:?}", response.topics[0].error_message);
}

/// Commits an offset, which is enough for a group to exist.
pub(crate) async fn create_group(client: &mut Client, group: &'static str, topic: &'static str) {
    let key = StrBytes::from_static_str(group);
    for _ in 0..120 {
        let find = FindCoordinatorRequest::default().with_coordinator_keys(vec![key.clone()]);
        let found = client.send_version(4, &find).await.unwrap();
        if found.coordinators.first().is_some_and(|coordinator| coordinator.error_code == 0) {
            let partition = OffsetCommitRequestPartition::default().with_committed_offset(0);
            let topic = OffsetCommitRequestTopic::default()
                .with_name(TopicName(StrBytes::from_static_str(topic)))
                .with_partitions(vec![partition]);
            let commit =
                OffsetCommitRequest::default().with_group_id(GroupId(key.clone())).with_topics(vec![topic]);
            let committed = client.send_version(8, &commit).await.unwrap();
            if committed.topics[0].partitions[0].error_code == 0 {
                return;
            }
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    panic!("the group coordinator did not come up");
}

/// Limits what every user may produce, in bytes per second.
pub(crate) async fn limit_users(client: &mut Client, bytes_per_second: f64) {
    let entity =
        EntityData::default().with_entity_type(StrBytes::from_static_str("user")).with_entity_name(None);
    let limit = OpData::default()
        .with_key(StrBytes::from_static_str("producer_byte_rate"))
        .with_value(bytes_per_second);
    let entry = EntryData::default().with_entity(vec![entity]).with_ops(vec![limit]);
    let response = client.send(&AlterClientQuotasRequest::default().with_entries(vec![entry])).await.unwrap();
    assert_eq!(response.entries[0].error_code, 0, "{:?}", response.entries[0].error_message);
}

/// Creates a delegation token for whoever is logged in.
pub(crate) async fn create_token(client: &mut Client) {
    let request = CreateDelegationTokenRequest::default()
        .with_owner_principal_type(None)
        .with_owner_principal_name(None)
        .with_max_lifetime_ms(-1);
    let response = client.send(&request).await.unwrap();
    assert_eq!(response.error_code, 0);
}

/// Joins a group by the newer protocol (KIP-848), which is enough for it to exist.
pub(crate) async fn join_consumer_group(client: &mut Client, group: &'static str, topic: &'static str) {
    let request = ConsumerGroupHeartbeatRequest::default()
        .with_group_id(GroupId(StrBytes::from_static_str(group)))
        .with_member_id(StrBytes::from_static_str("member-1"))
        .with_member_epoch(0)
        .with_rebalance_timeout_ms(60_000)
        .with_subscribed_topic_names(Some(vec![TopicName(StrBytes::from_static_str(topic))]))
        .with_topic_partitions(Some(Vec::new()));
    let response = client.send_version(1, &request).await.unwrap();
    assert_eq!(response.error_code, 0, "{:?}", response.error_message);
}
