//! The APIs that a broker of Kafka 4.1 answers to clients, and how each one's request is read.

use bytes::Bytes;

use crate::api::{ApiRange, EnvelopeError, decode_request};
use crate::messages::{self, ApiKey};

macro_rules! apis {
    ($($api:ident($request:ident): $minimum:literal..=$maximum:literal,)*) => {
        /// The APIs of Kafka 4.1 that clients, admin tools and consumer groups use, with the versions that Kafka 4.1 answers
        /// and the wire types can read.
        pub const KAFKA_4_1: &[ApiRange] = &[$(ApiRange::new(ApiKey::$api, $minimum, $maximum)),*];

        /// Whether a body can be read as a request of the table. What it says is forgotten: this is for whoever only looks for
        /// bytes that a decoder does not survive.
        ///
        /// # Errors
        ///
        /// [`EnvelopeError`], as [`decode_request`] has it, and [`EnvelopeError::UnknownApi`] for an API that is not in the table.
        pub fn check_request(api: ApiKey, version: i16, body: Bytes) -> Result<(), EnvelopeError> {
            match api {
                $(ApiKey::$api => decode_request::<messages::$request>(version, body).map(drop),)*
                other => Err(EnvelopeError::UnknownApi { key: other as i16 }),
            }
        }
    };
}

apis! {
    Produce(ProduceRequest): 3..=13,
    Fetch(FetchRequest): 4..=17,
    ListOffsets(ListOffsetsRequest): 1..=10,
    Metadata(MetadataRequest): 0..=13,
    OffsetCommit(OffsetCommitRequest): 2..=9,
    OffsetFetch(OffsetFetchRequest): 1..=9,
    FindCoordinator(FindCoordinatorRequest): 0..=6,
    JoinGroup(JoinGroupRequest): 0..=9,
    Heartbeat(HeartbeatRequest): 0..=4,
    LeaveGroup(LeaveGroupRequest): 0..=5,
    SyncGroup(SyncGroupRequest): 0..=5,
    DescribeGroups(DescribeGroupsRequest): 0..=6,
    ListGroups(ListGroupsRequest): 0..=5,
    SaslHandshake(SaslHandshakeRequest): 0..=1,
    ApiVersions(ApiVersionsRequest): 0..=4,
    CreateTopics(CreateTopicsRequest): 2..=7,
    DeleteTopics(DeleteTopicsRequest): 1..=6,
    DeleteRecords(DeleteRecordsRequest): 0..=2,
    InitProducerId(InitProducerIdRequest): 0..=5,
    OffsetForLeaderEpoch(OffsetForLeaderEpochRequest): 2..=4,
    AddPartitionsToTxn(AddPartitionsToTxnRequest): 0..=5,
    AddOffsetsToTxn(AddOffsetsToTxnRequest): 0..=4,
    EndTxn(EndTxnRequest): 0..=5,
    TxnOffsetCommit(TxnOffsetCommitRequest): 0..=5,
    DescribeAcls(DescribeAclsRequest): 1..=3,
    CreateAcls(CreateAclsRequest): 1..=3,
    DeleteAcls(DeleteAclsRequest): 1..=3,
    DescribeConfigs(DescribeConfigsRequest): 1..=4,
    AlterConfigs(AlterConfigsRequest): 0..=2,
    AlterReplicaLogDirs(AlterReplicaLogDirsRequest): 1..=2,
    DescribeLogDirs(DescribeLogDirsRequest): 1..=4,
    SaslAuthenticate(SaslAuthenticateRequest): 0..=2,
    CreatePartitions(CreatePartitionsRequest): 0..=3,
    CreateDelegationToken(CreateDelegationTokenRequest): 1..=3,
    RenewDelegationToken(RenewDelegationTokenRequest): 1..=2,
    ExpireDelegationToken(ExpireDelegationTokenRequest): 1..=2,
    DescribeDelegationToken(DescribeDelegationTokenRequest): 1..=3,
    DeleteGroups(DeleteGroupsRequest): 0..=2,
    ElectLeaders(ElectLeadersRequest): 0..=2,
    IncrementalAlterConfigs(IncrementalAlterConfigsRequest): 0..=1,
    AlterPartitionReassignments(AlterPartitionReassignmentsRequest): 0..=1,
    ListPartitionReassignments(ListPartitionReassignmentsRequest): 0..=0,
    OffsetDelete(OffsetDeleteRequest): 0..=0,
    DescribeClientQuotas(DescribeClientQuotasRequest): 0..=1,
    AlterClientQuotas(AlterClientQuotasRequest): 0..=1,
    DescribeUserScramCredentials(DescribeUserScramCredentialsRequest): 0..=0,
    AlterUserScramCredentials(AlterUserScramCredentialsRequest): 0..=0,
    DescribeQuorum(DescribeQuorumRequest): 0..=2,
    UpdateFeatures(UpdateFeaturesRequest): 0..=2,
    DescribeCluster(DescribeClusterRequest): 0..=2,
    DescribeProducers(DescribeProducersRequest): 0..=0,
    DescribeTransactions(DescribeTransactionsRequest): 0..=0,
    ListTransactions(ListTransactionsRequest): 0..=2,
    ConsumerGroupHeartbeat(ConsumerGroupHeartbeatRequest): 0..=1,
    ConsumerGroupDescribe(ConsumerGroupDescribeRequest): 0..=1,
    DescribeTopicPartitions(DescribeTopicPartitionsRequest): 0..=0,
    ListConfigResources(ListConfigResourcesRequest): 0..=1,
}
