//! Responses that can carry a throttle time.

use cadastre_protocol::Encodable;
use cadastre_protocol::messages::*;

/// A response, with or without a field for the throttle time.
pub(super) trait Throttled: Encodable {
    /// The response with the throttle time, in milliseconds, where it has a field for it.
    fn with_throttle(self, milliseconds: i32) -> Self;
}

macro_rules! throttled {
    ($($response:ident)*) => {
        $(impl Throttled for $response {
            fn with_throttle(self, milliseconds: i32) -> Self {
                self.with_throttle_time_ms(milliseconds)
            }
        })*
    };
}

throttled! {
    AlterClientQuotasResponse AlterConfigsResponse AlterUserScramCredentialsResponse CreateAclsResponse
    CreatePartitionsResponse CreateTopicsResponse DeleteAclsResponse DeleteGroupsResponse DeleteRecordsResponse
    DeleteTopicsResponse DescribeAclsResponse DescribeClientQuotasResponse DescribeClusterResponse
    DescribeConfigsResponse DescribeDelegationTokenResponse DescribeLogDirsResponse DescribeTopicPartitionsResponse
    AddOffsetsToTxnResponse AddPartitionsToTxnResponse DescribeProducersResponse DescribeTransactionsResponse EndTxnResponse
    ListTransactionsResponse TxnOffsetCommitResponse
    DescribeUserScramCredentialsResponse FetchResponse IncrementalAlterConfigsResponse InitProducerIdResponse
    ListConfigResourcesResponse OffsetDeleteResponse UpdateFeaturesResponse
    ConsumerGroupHeartbeatResponse ConsumerGroupDescribeResponse ProduceResponse
    DescribeGroupsResponse FindCoordinatorResponse HeartbeatResponse JoinGroupResponse LeaveGroupResponse
    ListGroupsResponse ListOffsetsResponse MetadataResponse OffsetCommitResponse OffsetFetchResponse
    OffsetForLeaderEpochResponse SyncGroupResponse
    AlterPartitionReassignmentsResponse AlterReplicaLogDirsResponse CreateDelegationTokenResponse ElectLeadersResponse
    ExpireDelegationTokenResponse ListPartitionReassignmentsResponse RenewDelegationTokenResponse
}

impl Throttled for DescribeQuorumResponse {
    fn with_throttle(self, _milliseconds: i32) -> Self {
        self
    }
}
