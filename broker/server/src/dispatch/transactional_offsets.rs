//! `TxnOffsetCommit`: offsets that a group gets when a transaction is committed (KIP-98, KIP-447).

use std::collections::BTreeMap;

use cadastre_coordinator::{OffsetCommit, OffsetCommitRequest, ProducerIdentity, TransactionError};
use cadastre_protocol::ResponseError;
use cadastre_protocol::messages::txn_offset_commit_response::{
    TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use cadastre_protocol::messages::{TxnOffsetCommitRequest, TxnOffsetCommitResponse};

use super::context::RequestContext;
use super::operations::{READ_GROUP, READ_TOPIC, WRITE_TRANSACTION};
use crate::state::transactions::TransactionalCommit;

/// The first version whose clients understand `TRANSACTION_ABORTABLE` (KIP-1050).
const ABORTABLE: i16 = 4;
/// The first version by which the group joins the transaction (KIP-890).
const JOINING: i16 = 5;

pub(super) async fn commit(
    context: &RequestContext<'_>,
    request: TxnOffsetCommitRequest,
) -> TxnOffsetCommitResponse {
    if !context.allows(WRITE_TRANSACTION, &request.transactional_id) {
        let denied = ResponseError::TransactionalIdAuthorizationFailed.code();
        return response(&request, |_, _| denied);
    }
    if !context.allows(READ_GROUP, &request.group_id) {
        let denied = ResponseError::GroupAuthorizationFailed.code();
        return response(&request, |_, _| denied);
    }
    let (offsets, refused) = resolve(context, &request);
    let outcome = if offsets.is_empty() { 0 } else { commit_resolved(context, &request, offsets).await };
    response(&request, |topic, index| refused.get(&(topic.to_owned(), index)).copied().unwrap_or(outcome))
}

/// The offsets that may be committed, and codes for the others.
fn resolve(
    context: &RequestContext<'_>,
    request: &TxnOffsetCommitRequest,
) -> (Vec<OffsetCommit>, BTreeMap<(String, i32), i16>) {
    let (mut offsets, mut refused) = (Vec::new(), BTreeMap::new());
    for asked in &request.topics {
        let topic = if context.allows(READ_TOPIC, &asked.name) {
            context.node.topics.by_name(&asked.name).ok_or(ResponseError::UnknownTopicOrPartition)
        } else {
            Err(ResponseError::TopicAuthorizationFailed)
        };
        for partition in &asked.partitions {
            let index = partition.partition_index;
            let metadata = partition.committed_metadata.as_ref().map(ToString::to_string).unwrap_or_default();
            let error = match &topic {
                Err(error) => Some(*error),
                Ok(topic) if !topic.has(index) => Some(ResponseError::UnknownTopicOrPartition),
                Ok(_) if context.node.groups.is_too_long(&metadata) => {
                    Some(ResponseError::OffsetMetadataTooLarge)
                }
                Ok(_) => None,
            };
            if let Some(error) = error {
                refused.insert((asked.name.to_string(), index), error.code());
                continue;
            }
            offsets.push(OffsetCommit {
                topic: asked.name.to_string(),
                partition: index,
                offset: partition.committed_offset,
                leader_epoch: Some(partition.committed_leader_epoch).filter(|&epoch| epoch >= 0),
                metadata,
            });
        }
    }
    (offsets, refused)
}

async fn commit_resolved(
    context: &RequestContext<'_>,
    request: &TxnOffsetCommitRequest,
    offsets: Vec<OffsetCommit>,
) -> i16 {
    let version = context.header.version;
    let committer = OffsetCommitRequest {
        group_id: request.group_id.to_string(),
        generation_id: request.generation_id,
        member_id: request.member_id.to_string(),
        group_instance_id: request.group_instance_id.as_ref().map(ToString::to_string),
        retention_ms: None,
        understands_group_not_found: false,
        offsets: Vec::new(),
    };
    // Held to the end: who reads the group's offsets after a rebalance must see what its former members brought.
    let (_alone, registry) = match context.node.groups.admit(&committer).await {
        Ok(admitted) => admitted,
        Err(error) => return error.code(),
    };
    let commit = TransactionalCommit {
        transactional_id: &request.transactional_id,
        producer: ProducerIdentity { id: request.producer_id.0, epoch: request.producer_epoch },
        group_id: &request.group_id,
        joins: version >= JOINING,
        offsets: &offsets,
    };
    match context.node.transactions.commit_offsets(&commit, registry).await {
        Ok(()) => 0,
        Err(TransactionError::ProducerFenced) => ResponseError::InvalidProducerEpoch.code(),
        Err(TransactionError::InvalidTransactionState) if version >= ABORTABLE => {
            ResponseError::TransactionAbortable.code()
        }
        Err(error) => error.code(),
    }
}

fn response(request: &TxnOffsetCommitRequest, outcome: impl Fn(&str, i32) -> i16) -> TxnOffsetCommitResponse {
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            TxnOffsetCommitResponsePartition::default()
                .with_partition_index(partition.partition_index)
                .with_error_code(outcome(&topic.name, partition.partition_index))
        });
        TxnOffsetCommitResponseTopic::default()
            .with_name(topic.name.clone())
            .with_partitions(partitions.collect())
    });
    TxnOffsetCommitResponse::default().with_topics(topics.collect())
}
