//! `DescribeLogDirs`: how much each partition takes, and how much is left.

use std::path::{Path, PathBuf};

use cadastre_protocol::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use cadastre_protocol::messages::{DescribeLogDirsRequest, DescribeLogDirsResponse, TopicName};
use cadastre_protocol::{ResponseError, StrBytes};

use super::context::RequestContext;
use super::operations::DESCRIBE_CLUSTER;
use crate::state::topics::Topic;

pub(super) async fn handle(
    context: &RequestContext<'_>,
    request: DescribeLogDirsRequest,
) -> DescribeLogDirsResponse {
    if !context.allows_cluster(DESCRIBE_CLUSTER) {
        let response = DescribeLogDirsResponse::default();
        // The first versions say it by an empty answer (KIP-784).
        return match context.header.version {
            3.. => response.with_error_code(ResponseError::ClusterAuthorizationFailed.code()),
            _ => response,
        };
    }
    let topics = context.node.topics.all();
    let described = topics.iter().filter_map(|topic| {
        let wanted: Vec<i32> = match &request.topics {
            None => (0..topic.partitions).collect(),
            Some(asked) => {
                let asked = asked.iter().find(|asked| asked.topic.as_str() == topic.name)?;
                asked.partitions.iter().copied().filter(|&index| topic.has(index)).collect()
            }
        };
        if wanted.is_empty() {
            return None;
        }
        let partitions = wanted.into_iter().map(|index| partition(context, topic, index));
        let name = TopicName(StrBytes::from_string(topic.name.clone()));
        Some(DescribeLogDirsTopic::default().with_name(name).with_partitions(partitions.collect()))
    });
    let directory = directory(context);
    let mut result = DescribeLogDirsResult::default()
        .with_log_dir(StrBytes::from_string(directory.display().to_string()))
        .with_topics(described.collect());
    if context.header.version >= 4 {
        let (total, usable) = volume(&directory);
        result = result.with_total_bytes(total).with_usable_bytes(usable);
    }
    DescribeLogDirsResponse::default().with_results(vec![result])
}

/// The one directory, as clients are told of it.
pub(super) fn directory(context: &RequestContext<'_>) -> PathBuf {
    let directory = context.node.config.log_directory();
    std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned())
}

fn partition(context: &RequestContext<'_>, topic: &Topic, index: i32) -> DescribeLogDirsPartition {
    let bytes = context.node.storage.partition_size_bytes(topic.partition(index)).unwrap_or_default();
    DescribeLogDirsPartition::default()
        .with_partition_index(index)
        .with_partition_size(i64::try_from(bytes).unwrap_or(i64::MAX))
}

/// Size of the volume and what is left of it, in bytes; -1 when the system does not say (KIP-827).
fn volume(directory: &Path) -> (i64, i64) {
    match rustix::fs::statvfs(directory) {
        Ok(volume) => {
            let bytes =
                |blocks: u64| i64::try_from(blocks.saturating_mul(volume.f_frsize)).unwrap_or(i64::MAX);
            (bytes(volume.f_blocks), bytes(volume.f_bavail))
        }
        Err(_) => (-1, -1),
    }
}
