//! `AlterReplicaLogDirs` (KIP-113): there is one directory, and every partition is in it already.

use cadastre_protocol::ResponseError;
use cadastre_protocol::messages::alter_replica_log_dirs_request::AlterReplicaLogDirTopic;
use cadastre_protocol::messages::alter_replica_log_dirs_response::{
    AlterReplicaLogDirPartitionResult, AlterReplicaLogDirTopicResult,
};
use cadastre_protocol::messages::{AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse};

use super::context::RequestContext;
use super::describe_log_dirs::directory;
use super::operations::ALTER_CLUSTER;

pub(super) async fn handle(
    context: &RequestContext<'_>,
    request: AlterReplicaLogDirsRequest,
) -> AlterReplicaLogDirsResponse {
    let is_allowed = context.allows_cluster(ALTER_CLUSTER);
    let own = directory(context);
    let mut results = Vec::new();
    for wanted in request.dirs {
        let is_own = own == std::path::Path::new(wanted.path.as_str());
        for asked in wanted.topics {
            let code = |index| match () {
                () if !is_allowed => ResponseError::ClusterAuthorizationFailed.code(),
                () if !is_own => ResponseError::LogDirNotFound.code(),
                () if exists(context, &asked, index) => 0,
                () => ResponseError::UnknownTopicOrPartition.code(),
            };
            let partitions = asked.partitions.iter().map(|&index| {
                AlterReplicaLogDirPartitionResult::default()
                    .with_partition_index(index)
                    .with_error_code(code(index))
            });
            let partitions = partitions.collect();
            results.push(
                AlterReplicaLogDirTopicResult::default()
                    .with_topic_name(asked.name)
                    .with_partitions(partitions),
            );
        }
    }
    AlterReplicaLogDirsResponse::default().with_results(results)
}

fn exists(context: &RequestContext<'_>, asked: &AlterReplicaLogDirTopic, index: i32) -> bool {
    context.node.topics.by_name(&asked.name).is_some_and(|topic| topic.has(index))
}
