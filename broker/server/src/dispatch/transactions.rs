//! `AddPartitionsToTxn`, `AddOffsetsToTxn` and `EndTxn`: a producer's transaction from its first partition to its end (KIP-98,
//! KIP-890).

use std::collections::{BTreeMap, BTreeSet};

use cadastre_coordinator::{ProducerIdentity, TransactionError};
use cadastre_protocol::ResponseError;
use cadastre_protocol::messages::add_partitions_to_txn_request::{
    AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction,
};
use cadastre_protocol::messages::add_partitions_to_txn_response::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnResult, AddPartitionsToTxnTopicResult,
};
use cadastre_protocol::messages::{
    AddOffsetsToTxnRequest, AddOffsetsToTxnResponse, AddPartitionsToTxnRequest, AddPartitionsToTxnResponse,
    EndTxnRequest, EndTxnResponse, ProducerId,
};
use cadastre_protocol::transaction_marker::TransactionResult;
use cadastre_protocol::types::TopicPartition;

use super::context::RequestContext;
use super::operations::{CLUSTER_ACTION, READ_GROUP, WRITE_TOPIC, WRITE_TRANSACTION};

/// The first version of `AddPartitionsToTxn` that brokers send on behalf of many producers.
const BATCHED: i16 = 4;
/// The first version of `EndTxn` after which the producer's epoch is another one (transaction version 2).
const BUMPING: i16 = 5;

/// The code of an error as a client of that version knows it: older ones know no `PRODUCER_FENCED`.
pub(super) fn code(error: TransactionError, understands_fencing: bool) -> i16 {
    match error {
        TransactionError::ProducerFenced if !understands_fencing => {
            ResponseError::InvalidProducerEpoch.code()
        }
        error => error.code(),
    }
}

pub(super) async fn add_partitions(
    context: &RequestContext<'_>,
    request: AddPartitionsToTxnRequest,
) -> AddPartitionsToTxnResponse {
    let response = AddPartitionsToTxnResponse::default();
    if context.header.version < BATCHED {
        let single = AddPartitionsToTxnTransaction::default()
            .with_transactional_id(request.v3_and_below_transactional_id)
            .with_producer_id(request.v3_and_below_producer_id)
            .with_producer_epoch(request.v3_and_below_producer_epoch)
            .with_topics(request.v3_and_below_topics);
        return response.with_results_by_topic_v3_and_below(add(context, &single).await);
    }
    if !context.allows_cluster(CLUSTER_ACTION) {
        return response.with_error_code(ResponseError::ClusterAuthorizationFailed.code());
    }
    let mut results = Vec::with_capacity(request.transactions.len());
    for transaction in request.transactions {
        let topics = if transaction.verify_only {
            verify(context, &transaction).await
        } else {
            add(context, &transaction).await
        };
        results.push(
            AddPartitionsToTxnResult::default()
                .with_transactional_id(transaction.transactional_id)
                .with_topic_results(topics),
        );
    }
    response.with_results_by_transaction(results)
}

/// The partitions of one transaction: those that exist and may be written to, and codes for the others.
struct Asked {
    partitions: BTreeMap<(String, i32), TopicPartition>,
    refused: BTreeMap<(String, i32), i16>,
}

fn resolve(context: &RequestContext<'_>, topics: &[AddPartitionsToTxnTopic]) -> Asked {
    let mut asked = Asked { partitions: BTreeMap::new(), refused: BTreeMap::new() };
    for topic in topics {
        let known = if context.allows(WRITE_TOPIC, &topic.name) {
            context.node.topics.by_name(&topic.name).ok_or(ResponseError::UnknownTopicOrPartition)
        } else {
            Err(ResponseError::TopicAuthorizationFailed)
        };
        for index in &topic.partitions {
            let place = (topic.name.to_string(), *index);
            match &known {
                Ok(known) if known.has(*index) => {
                    asked.partitions.insert(place, known.partition(*index));
                }
                Ok(_) => {
                    asked.refused.insert(place, ResponseError::UnknownTopicOrPartition.code());
                }
                Err(error) => {
                    asked.refused.insert(place, error.code());
                }
            }
        }
    }
    asked
}

async fn add(
    context: &RequestContext<'_>,
    transaction: &AddPartitionsToTxnTransaction,
) -> Vec<AddPartitionsToTxnTopicResult> {
    let id = &transaction.transactional_id;
    if !context.allows(WRITE_TRANSACTION, id) {
        let denied = ResponseError::TransactionalIdAuthorizationFailed.code();
        return results(&transaction.topics, |_, _| denied);
    }
    if id.is_empty() {
        return results(&transaction.topics, |_, _| ResponseError::InvalidRequest.code());
    }
    let asked = resolve(context, &transaction.topics);
    if !asked.refused.is_empty() {
        // All or none: the others were not even tried.
        let untried = ResponseError::OperationNotAttempted.code();
        return results(&transaction.topics, |topic, index| {
            asked.refused.get(&(topic.to_owned(), index)).copied().unwrap_or(untried)
        });
    }
    let producer = identity(transaction.producer_id, transaction.producer_epoch);
    let partitions: BTreeSet<TopicPartition> = asked.partitions.into_values().collect();
    let joined = context.node.transactions.join(id, producer, &partitions, None, false).await;
    let outcome = joined.map_or_else(|error| code(error, context.header.version >= 2), |()| 0);
    results(&transaction.topics, |_, _| outcome)
}

async fn verify(
    context: &RequestContext<'_>,
    transaction: &AddPartitionsToTxnTransaction,
) -> Vec<AddPartitionsToTxnTopicResult> {
    let mut asked = resolve(context, &transaction.topics);
    let producer = identity(transaction.producer_id, transaction.producer_epoch);
    for (place, partition) in asked.partitions {
        let verified =
            context.node.transactions.verify(&transaction.transactional_id, producer, partition).await;
        let code = match verified {
            Ok(_number) => 0,
            // What was never added can only be aborted (KIP-890).
            Err(TransactionError::InvalidTransactionState) => ResponseError::TransactionAbortable.code(),
            Err(error) => error.code(),
        };
        asked.refused.insert(place, code);
    }
    results(&transaction.topics, |topic, index| {
        asked.refused.get(&(topic.to_owned(), index)).copied().unwrap_or_default()
    })
}

fn results(
    topics: &[AddPartitionsToTxnTopic],
    outcome: impl Fn(&str, i32) -> i16,
) -> Vec<AddPartitionsToTxnTopicResult> {
    let topics = topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|index| {
            AddPartitionsToTxnPartitionResult::default()
                .with_partition_index(*index)
                .with_partition_error_code(outcome(&topic.name, *index))
        });
        AddPartitionsToTxnTopicResult::default()
            .with_name(topic.name.clone())
            .with_results_by_partition(partitions.collect())
    });
    topics.collect()
}

pub(super) async fn add_offsets(
    context: &RequestContext<'_>,
    request: AddOffsetsToTxnRequest,
) -> AddOffsetsToTxnResponse {
    let response = AddOffsetsToTxnResponse::default();
    if !context.allows(WRITE_TRANSACTION, &request.transactional_id) {
        return response.with_error_code(ResponseError::TransactionalIdAuthorizationFailed.code());
    }
    if !context.allows(READ_GROUP, &request.group_id) {
        return response.with_error_code(ResponseError::GroupAuthorizationFailed.code());
    }
    let producer = identity(request.producer_id, request.producer_epoch);
    let group = Some(request.group_id.as_str());
    let transactions = &context.node.transactions;
    let joined = transactions.join(&request.transactional_id, producer, &BTreeSet::new(), group, false).await;
    response.with_error_code(joined.map_or_else(|error| code(error, context.header.version >= 2), |()| 0))
}

pub(super) async fn end(context: &RequestContext<'_>, request: EndTxnRequest) -> EndTxnResponse {
    let version = context.header.version;
    let refused = |code| {
        let response = EndTxnResponse::default().with_error_code(code);
        if version >= BUMPING {
            response.with_producer_id(ProducerId(-1)).with_producer_epoch(-1)
        } else {
            response
        }
    };
    if !context.allows(WRITE_TRANSACTION, &request.transactional_id) {
        return refused(ResponseError::TransactionalIdAuthorizationFailed.code());
    }
    if request.transactional_id.is_empty() {
        return refused(ResponseError::InvalidRequest.code());
    }
    let producer = identity(request.producer_id, request.producer_epoch);
    let result = if request.committed { TransactionResult::Commit } else { TransactionResult::Abort };
    let transactions = &context.node.transactions;
    let ended = transactions.end(&request.transactional_id, producer, result, version >= BUMPING).await;
    match ended {
        Ok(next) if version >= BUMPING => {
            EndTxnResponse::default().with_producer_id(ProducerId(next.id)).with_producer_epoch(next.epoch)
        }
        Ok(_same) => EndTxnResponse::default(),
        Err(error) => refused(code(error, version >= 2)),
    }
}

fn identity(id: ProducerId, epoch: i16) -> ProducerIdentity {
    ProducerIdentity { id: id.0, epoch }
}
