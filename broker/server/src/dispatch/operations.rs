//! Which operation on which kind of resource each API needs (Kafka's documentation, "Protocol authorizations"; where
//! documentation and `KafkaApis` differ, `KafkaApis` counts).

use cadastre_protocol::ApiKey;
use cadastre_security::acl::{Operation, ResourceType};

/// A permission that a request needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Requirement {
    /// The operation.
    pub(crate) operation: Operation,
    /// The kind of resource it is done to.
    pub(crate) resource_type: ResourceType,
    /// Whether it is recorded in the audit log even when it is allowed.
    pub(crate) administrative: bool,
}

const fn ordinary(operation: Operation, resource_type: ResourceType) -> Requirement {
    Requirement { operation, resource_type, administrative: false }
}

const fn administrative(operation: Operation, resource_type: ResourceType) -> Requirement {
    Requirement { operation, resource_type, administrative: true }
}

/// Reading a topic's records.
pub(crate) const READ_TOPIC: Requirement = ordinary(Operation::Read, ResourceType::Topic);
/// Appending to a topic.
pub(crate) const WRITE_TOPIC: Requirement = ordinary(Operation::Write, ResourceType::Topic);
/// Knowing that a topic exists.
pub(crate) const DESCRIBE_TOPIC: Requirement = ordinary(Operation::Describe, ResourceType::Topic);
/// Creating one topic.
pub(crate) const CREATE_TOPIC: Requirement = administrative(Operation::Create, ResourceType::Topic);
/// Deleting a topic, or its records.
pub(crate) const DELETE_TOPIC: Requirement = administrative(Operation::Delete, ResourceType::Topic);
/// Adding partitions to a topic.
pub(crate) const ALTER_TOPIC: Requirement = administrative(Operation::Alter, ResourceType::Topic);
/// Reading a topic's settings.
pub(crate) const DESCRIBE_TOPIC_CONFIGS: Requirement =
    ordinary(Operation::DescribeConfigs, ResourceType::Topic);
/// Changing a topic's settings.
pub(crate) const ALTER_TOPIC_CONFIGS: Requirement =
    administrative(Operation::AlterConfigs, ResourceType::Topic);
/// Taking part in a group.
pub(crate) const READ_GROUP: Requirement = ordinary(Operation::Read, ResourceType::Group);
/// Knowing about a group and its offsets.
pub(crate) const DESCRIBE_GROUP: Requirement = ordinary(Operation::Describe, ResourceType::Group);
/// Deleting a group, or its offsets.
pub(crate) const DELETE_GROUP: Requirement = administrative(Operation::Delete, ResourceType::Group);
/// Reading a group's settings.
pub(crate) const DESCRIBE_GROUP_CONFIGS: Requirement =
    ordinary(Operation::DescribeConfigs, ResourceType::Group);
/// Changing a group's settings.
pub(crate) const ALTER_GROUP_CONFIGS: Requirement =
    administrative(Operation::AlterConfigs, ResourceType::Group);
/// Finding a transaction's coordinator.
pub(crate) const DESCRIBE_TRANSACTION: Requirement =
    ordinary(Operation::Describe, ResourceType::TransactionalId);
/// Writing in a transaction.
pub(crate) const WRITE_TRANSACTION: Requirement = ordinary(Operation::Write, ResourceType::TransactionalId);
/// Producing with a producer id.
pub(crate) const IDEMPOTENT_WRITE: Requirement = ordinary(Operation::IdempotentWrite, ResourceType::Cluster);
/// Creating any topic.
pub(crate) const CREATE_IN_CLUSTER: Requirement = administrative(Operation::Create, ResourceType::Cluster);
/// Knowing about the cluster, its ACLs, users, quotas.
pub(crate) const DESCRIBE_CLUSTER: Requirement = ordinary(Operation::Describe, ResourceType::Cluster);
/// Changing the cluster's ACLs or users, or where its partitions are.
pub(crate) const ALTER_CLUSTER: Requirement = administrative(Operation::Alter, ResourceType::Cluster);
/// Reading the broker's settings and quotas.
pub(crate) const DESCRIBE_CLUSTER_CONFIGS: Requirement =
    ordinary(Operation::DescribeConfigs, ResourceType::Cluster);
/// Changing the broker's settings and quotas.
pub(crate) const ALTER_CLUSTER_CONFIGS: Requirement =
    administrative(Operation::AlterConfigs, ResourceType::Cluster);
/// What brokers do among themselves.
pub(crate) const CLUSTER_ACTION: Requirement = ordinary(Operation::ClusterAction, ResourceType::Cluster);

/// Every API that is answered, with what it may need. The first entry is the usual one; the rest depend on what is
/// asked. An empty list: anyone may ask, and sees only what they may describe.
pub(crate) const REQUIREMENTS: &[(ApiKey, &[Requirement])] = &[
    (ApiKey::Produce, &[WRITE_TOPIC, WRITE_TRANSACTION]),
    (ApiKey::Fetch, &[READ_TOPIC, CLUSTER_ACTION]),
    (ApiKey::ListOffsets, &[DESCRIBE_TOPIC]),
    (ApiKey::Metadata, &[DESCRIBE_TOPIC, CREATE_TOPIC, CREATE_IN_CLUSTER]),
    (ApiKey::OffsetCommit, &[READ_GROUP, READ_TOPIC]),
    (ApiKey::OffsetFetch, &[DESCRIBE_GROUP, DESCRIBE_TOPIC]),
    (ApiKey::FindCoordinator, &[DESCRIBE_GROUP, DESCRIBE_TRANSACTION]),
    (ApiKey::JoinGroup, &[READ_GROUP]),
    (ApiKey::Heartbeat, &[READ_GROUP]),
    (ApiKey::LeaveGroup, &[READ_GROUP]),
    (ApiKey::SyncGroup, &[READ_GROUP]),
    (ApiKey::DescribeGroups, &[DESCRIBE_GROUP]),
    (ApiKey::ListGroups, &[DESCRIBE_CLUSTER, DESCRIBE_GROUP]),
    (ApiKey::SaslHandshake, &[]),
    (ApiKey::ApiVersions, &[]),
    (ApiKey::CreateTopics, &[CREATE_IN_CLUSTER, CREATE_TOPIC, DESCRIBE_TOPIC_CONFIGS]),
    (ApiKey::DeleteTopics, &[DELETE_TOPIC, DESCRIBE_TOPIC]),
    (ApiKey::DeleteRecords, &[DELETE_TOPIC]),
    (ApiKey::InitProducerId, &[IDEMPOTENT_WRITE, WRITE_TOPIC, WRITE_TRANSACTION]),
    (ApiKey::OffsetForLeaderEpoch, &[DESCRIBE_TOPIC]),
    (ApiKey::AddPartitionsToTxn, &[WRITE_TRANSACTION, WRITE_TOPIC, CLUSTER_ACTION]),
    (ApiKey::AddOffsetsToTxn, &[WRITE_TRANSACTION, READ_GROUP]),
    (ApiKey::EndTxn, &[WRITE_TRANSACTION]),
    (ApiKey::TxnOffsetCommit, &[WRITE_TRANSACTION, READ_GROUP, READ_TOPIC]),
    (ApiKey::DescribeAcls, &[DESCRIBE_CLUSTER]),
    (ApiKey::CreateAcls, &[ALTER_CLUSTER]),
    (ApiKey::DeleteAcls, &[ALTER_CLUSTER]),
    (ApiKey::DescribeConfigs, &[DESCRIBE_TOPIC_CONFIGS, DESCRIBE_CLUSTER_CONFIGS, DESCRIBE_GROUP_CONFIGS]),
    (ApiKey::AlterConfigs, &[ALTER_TOPIC_CONFIGS, ALTER_CLUSTER_CONFIGS]),
    (ApiKey::AlterReplicaLogDirs, &[ALTER_CLUSTER]),
    (ApiKey::DescribeLogDirs, &[DESCRIBE_CLUSTER]),
    (ApiKey::SaslAuthenticate, &[]),
    (ApiKey::CreatePartitions, &[ALTER_TOPIC]),
    (ApiKey::CreateDelegationToken, &[]),
    (ApiKey::RenewDelegationToken, &[]),
    (ApiKey::ExpireDelegationToken, &[]),
    (ApiKey::DescribeDelegationToken, &[]),
    (ApiKey::DeleteGroups, &[DELETE_GROUP]),
    (ApiKey::ElectLeaders, &[ALTER_CLUSTER]),
    (ApiKey::IncrementalAlterConfigs, &[ALTER_TOPIC_CONFIGS, ALTER_CLUSTER_CONFIGS, ALTER_GROUP_CONFIGS]),
    (ApiKey::AlterPartitionReassignments, &[ALTER_CLUSTER]),
    (ApiKey::ListPartitionReassignments, &[DESCRIBE_CLUSTER]),
    (ApiKey::OffsetDelete, &[DELETE_GROUP, READ_TOPIC]),
    (ApiKey::DescribeClientQuotas, &[DESCRIBE_CLUSTER_CONFIGS]),
    (ApiKey::AlterClientQuotas, &[ALTER_CLUSTER_CONFIGS]),
    (ApiKey::DescribeUserScramCredentials, &[DESCRIBE_CLUSTER]),
    (ApiKey::AlterUserScramCredentials, &[ALTER_CLUSTER]),
    (ApiKey::DescribeQuorum, &[DESCRIBE_CLUSTER]),
    (ApiKey::UpdateFeatures, &[ALTER_CLUSTER]),
    (ApiKey::DescribeCluster, &[]),
    (ApiKey::ConsumerGroupHeartbeat, &[READ_GROUP, DESCRIBE_TOPIC]),
    (ApiKey::ConsumerGroupDescribe, &[DESCRIBE_GROUP, DESCRIBE_TOPIC]),
    (ApiKey::DescribeTopicPartitions, &[DESCRIBE_TOPIC]),
    (ApiKey::DescribeProducers, &[READ_TOPIC]),
    (ApiKey::DescribeTransactions, &[DESCRIBE_TRANSACTION, DESCRIBE_TOPIC]),
    (ApiKey::ListTransactions, &[DESCRIBE_TRANSACTION]),
    (ApiKey::ListConfigResources, &[DESCRIBE_CLUSTER_CONFIGS]),
];

/// The APIs that are answered.
pub(crate) fn implemented() -> Vec<ApiKey> {
    REQUIREMENTS.iter().map(|(api, _)| *api).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use cadastre_protocol::api::SupportedApis;

    #[test]
    fn every_api_with_requirements_has_versions() {
        let supported = SupportedApis::kafka_4_1(&implemented());
        for api in implemented() {
            assert!(supported.range(api).is_some(), "{api:?}");
        }
    }
}
