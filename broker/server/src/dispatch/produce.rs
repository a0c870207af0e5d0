//! `Produce`: appends record batches.

use std::sync::Arc;

use bytes::Bytes;
use cadastre_coordinator::{ProducerIdentity, TransactionError};
use cadastre_protocol::api::{self, EnvelopeError};
use cadastre_protocol::compression::Compression;
use cadastre_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use cadastre_protocol::messages::produce_response::{
    BatchIndexAndErrorMessage, LeaderIdAndEpoch, PartitionProduceResponse, TopicProduceResponse,
};
use cadastre_protocol::messages::{BrokerId, ProduceRequest, ProduceResponse};
use cadastre_protocol::record_batch::{RecordBatch, RecordBatchError, TimestampType};
use cadastre_protocol::types::TopicPartition;
use cadastre_protocol::{ResponseError, StrBytes};
use cadastre_storage::{AppendError, Appended};
use futures::future::join_all;
use tokio::time::Instant;

use super::api_error::ApiError;
use super::context::RequestContext;
use super::finish;
use super::operations::{WRITE_TOPIC, WRITE_TRANSACTION};
use super::timestamps::Accepted;
use crate::listeners::session::Reply;
use crate::state::topics::Topic;

/// The most a batch may unpack to, in bytes; bounds what a small request can make the broker hold.
const MAXIMUM_UNPACKED_BYTES: usize = 256 << 20;

/// The first version whose clients understand `TRANSACTION_ABORTABLE` (KIP-890).
const ABORTABLE: i16 = 11;
/// The first version by which partitions join a transaction (KIP-890).
const JOINING: i16 = 12;
/// The bit of a batch's attributes that says that it belongs to a transaction.
const TRANSACTIONAL: i16 = 1 << 4;

/// What holds for all partitions of a request.
struct Writer<'request> {
    refused: Option<ApiError>,
    transaction: Option<&'request str>,
}

/// Why a partition takes nothing, and for which records of the batch where that is known (KIP-467).
struct Refusal {
    error: ApiError,
    /// Positions in the batch, from 0.
    records: Vec<i32>,
}

impl<E: Into<ApiError>> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self { error: error.into(), records: Vec::new() }
    }
}

pub(super) async fn answer(context: &RequestContext<'_>, body: Bytes) -> Result<Reply, EnvelopeError> {
    let size = body.len();
    let request: ProduceRequest = api::decode_request(context.header.version, body)?;
    let acknowledged = request.acks != 0;
    let started = Instant::now();
    let response = handle(context, request).await;
    let throttle_ms = context.node.quotas.produced(context, size);
    let failed = response
        .responses
        .iter()
        .flat_map(|topic| &topic.partition_responses)
        .any(|partition| partition.error_code != 0);
    if failed {
        context.node.counters.produce_failed();
    }
    let reply = finish(context, response, started.elapsed(), throttle_ms)?;
    Ok(match (acknowledged, failed) {
        (true, _) => reply,
        // The client waits for no answer; closing is the only way to tell it that its metadata may be stale.
        (false, true) => Reply::CLOSE,
        (false, false) => Reply { mute: reply.mute, ..Reply::NOTHING },
    })
}

async fn handle(context: &RequestContext<'_>, request: ProduceRequest) -> ProduceResponse {
    let transaction = request.transactional_id.clone();
    let transaction = transaction.as_ref();
    let refused = if !matches!(request.acks, -1..=1) {
        Some(ApiError::from(ResponseError::InvalidRequiredAcks))
    } else if transaction.is_some_and(|id| !context.allows(WRITE_TRANSACTION, id)) {
        Some(ApiError::from(ResponseError::TransactionalIdAuthorizationFailed))
    } else {
        None
    };
    let refused = match (refused, transaction) {
        (None, Some(id)) if context.header.version >= JOINING => join(context, id, &request).await.err(),
        (refused, _) => refused,
    };
    let writer = Writer { refused, transaction: transaction.map(|id| id.as_str()) };
    let topics =
        join_all(request.topic_data.into_iter().map(|topic| produce_topic(context, topic, &writer))).await;
    ProduceResponse::default().with_responses(topics)
}

async fn produce_topic(
    context: &RequestContext<'_>,
    data: TopicProduceData,
    writer: &Writer<'_>,
) -> TopicProduceResponse {
    let topic = match &writer.refused {
        Some(error) => Err(error.clone()),
        None => find_topic(context, &data),
    };
    let topic = topic.as_ref();
    let partitions = data.partition_data.into_iter().map(|partition| async move {
        let index = partition.index;
        let outcome = match topic {
            Ok(topic) => append(context, topic, partition, writer.transaction).await,
            Err(error) => Err(error.clone().into()),
        };
        partition_response(context, index, outcome)
    });
    let response = TopicProduceResponse::default().with_partition_responses(join_all(partitions).await);
    if context.header.version >= 13 {
        response.with_topic_id(data.topic_id)
    } else {
        response.with_name(data.name)
    }
}

fn find_topic(context: &RequestContext<'_>, data: &TopicProduceData) -> Result<Arc<Topic>, ApiError> {
    if context.header.version >= 13 {
        let topic = context.node.topics.by_id(data.topic_id.into()).ok_or(ResponseError::UnknownTopicId)?;
        return if context.allows(WRITE_TOPIC, &topic.name) {
            Ok(topic)
        } else {
            Err(ResponseError::TopicAuthorizationFailed.into())
        };
    }
    if !context.allows(WRITE_TOPIC, &data.name) {
        return Err(ResponseError::TopicAuthorizationFailed.into());
    }
    Ok(context.node.topics.by_name(&data.name).ok_or(ResponseError::UnknownTopicOrPartition)?)
}

async fn append(
    context: &RequestContext<'_>,
    topic: &Topic,
    data: PartitionProduceData,
    transaction: Option<&str>,
) -> Result<Appended, Refusal> {
    if !topic.has(data.index) {
        return Err(ResponseError::UnknownTopicOrPartition.into());
    }
    let batch = check(context, topic, data.records.unwrap_or_default())?;
    let stamped = batch.timestamp_type() == TimestampType::LogAppendTime;
    let log_append_time_ms = if stamped { batch.max_timestamp() } else { -1 };
    let (storage, partition) = (&context.node.storage, topic.partition(data.index));
    let (records, bytes) = (batch.record_count(), batch.size());
    let started = Instant::now();
    let appended = if batch.is_transactional() {
        let id = transaction.ok_or(ResponseError::TransactionalIdAuthorizationFailed)?;
        let (transactions, producer) = (&context.node.transactions, producer_of(&batch));
        let failed = |error| transaction_error(context.header.version, error);
        let number = transactions.verify(id, producer, partition).await.map_err(failed)?;
        match storage.append_in_transaction(partition, batch.clone(), number).await {
            // What was known may have been an earlier transaction, where another broker began this one.
            Err(AppendError::TransactionEnded { .. }) => {
                transactions.refresh().await.map_err(failed)?;
                let number = transactions.verify(id, producer, partition).await.map_err(failed)?;
                storage.append_in_transaction(partition, batch, number).await
            }
            other => other,
        }
    } else {
        storage.append(partition, batch).await
    };
    let appended = appended.map_err(|error| append_error(&error))?;
    context.node.usage.appended(records, bytes);
    context.node.counters.appended(started.elapsed(), context.node.clock.now_ms());
    Ok(Appended { log_append_time_ms, ..appended })
}

fn producer_of(batch: &RecordBatch) -> ProducerIdentity {
    ProducerIdentity { id: batch.producer_id(), epoch: batch.producer_epoch() }
}

/// Has the partitions of a request take part in the producer's transaction (KIP-890).
async fn join(context: &RequestContext<'_>, id: &str, request: &ProduceRequest) -> Result<(), ApiError> {
    let mut joining: Vec<(ProducerIdentity, TopicPartition)> = Vec::new();
    for data in &request.topic_data {
        // What is wrong with it is said when it is appended.
        let Ok(topic) = find_topic(context, data) else { continue };
        for partition in data.partition_data.iter().filter(|partition| topic.has(partition.index)) {
            let producer = partition.records.as_ref().and_then(|records| producer_in(records));
            joining.extend(producer.map(|producer| (producer, topic.partition(partition.index))));
        }
    }
    let Some((producer, _)) = joining.first().copied() else { return Ok(()) };
    if joining.iter().any(|(other, _)| *other != producer) {
        return Err(ApiError::new(ResponseError::InvalidRecord, "a transaction has one producer"));
    }
    let partitions = joining.into_iter().map(|(_, partition)| partition).collect();
    let joined = context.node.transactions.join(id, producer, &partitions, None, true).await;
    joined.map_err(|error| transaction_error(context.header.version, error))
}

/// The producer of a transactional batch, of which nothing else is checked yet.
fn producer_in(records: &[u8]) -> Option<ProducerIdentity> {
    let attributes = i16::from_be_bytes(records.get(21..)?.first_chunk().copied()?);
    let id = i64::from_be_bytes(records.get(43..)?.first_chunk().copied()?);
    let epoch = i16::from_be_bytes(records.get(51..)?.first_chunk().copied()?);
    (attributes & TRANSACTIONAL != 0 && id >= 0).then_some(ProducerIdentity { id, epoch })
}

/// What a client of that version is told about its transaction.
fn transaction_error(version: i16, error: TransactionError) -> ApiError {
    ApiError::from(match error {
        TransactionError::ProducerFenced => ResponseError::InvalidProducerEpoch,
        TransactionError::InvalidProducerIdMapping => ResponseError::InvalidProducerIdMapping,
        TransactionError::ConcurrentTransactions if version >= JOINING => {
            ResponseError::ConcurrentTransactions
        }
        // A code that older clients repeat without asking for a coordinator.
        TransactionError::ConcurrentTransactions | TransactionError::CoordinatorNotAvailable => {
            ResponseError::NotEnoughReplicas
        }
        _ if version >= ABORTABLE => ResponseError::TransactionAbortable,
        _ => ResponseError::InvalidTxnState,
    })
}

/// Checks everything that can be checked about a batch before it is given an offset.
fn check(context: &RequestContext<'_>, topic: &Topic, records: Bytes) -> Result<RecordBatch, Refusal> {
    let invalid = |message: &str| ApiError::new(ResponseError::InvalidRecord, message);
    let size = records.len();
    let mut batches = RecordBatch::parse_all(records).map_err(|error| batch_error(&error))?;
    let (Some(batch), true) = (batches.pop(), batches.is_empty()) else {
        return Err(invalid("a partition must come with exactly one record batch").into());
    };
    let settings = &context.node.settings;
    let maximum = settings.topic_number(topic, "max.message.bytes");
    if i64::try_from(size).is_ok_and(|size| size > maximum) {
        return Err(ResponseError::MessageTooLarge.into());
    }
    if batch.compression() == Compression::Zstd && context.header.version < 7 {
        return Err(ResponseError::UnsupportedCompressionType.into());
    }
    batch.check_producible().map_err(|error| batch_error(&error))?;
    if batch.base_offset() != 0 {
        return Err(invalid("a producer gives no offsets: the base offset must be 0").into());
    }
    let now_ms = context.node.clock.now_ms();
    if settings.topic_text(topic, "message.timestamp.type").as_deref() == Some("LogAppendTime") {
        check_records(context, topic, &batch, None)?;
        return Ok(batch.with_log_append_time(now_ms));
    }
    if batch.timestamp_type() == TimestampType::LogAppendTime {
        let message = "the producer may not say LogAppendTime";
        return Err(ApiError::new(ResponseError::InvalidTimestamp, message).into());
    }
    check_records(context, topic, &batch, Some(Accepted::by(context.node, topic, now_ms)))?;
    Ok(batch)
}

/// Unpacks the batch, so that what cannot be read is never stored, and looks at each record's key and timestamp.
fn check_records(
    context: &RequestContext<'_>,
    topic: &Topic,
    batch: &RecordBatch,
    accepted: Option<Accepted>,
) -> Result<(), Refusal> {
    let policy = context.node.settings.topic_text(topic, "cleanup.policy");
    let needs_keys = policy.is_some_and(|policy| policy.contains("compact"));
    let (mut without_key, mut untimely) = (Vec::new(), Vec::new());
    let records = batch.records(MAXIMUM_UNPACKED_BYTES).map_err(|error| batch_error(&error))?;
    for (position, record) in (0..).zip(records) {
        let record = record.map_err(|error| batch_error(&error))?;
        if needs_keys && record.key.is_none() {
            without_key.push(position);
        }
        // A batch names its first record's timestamp and the latest; those between may be earlier than both.
        if accepted.is_some_and(|accepted| !accepted.contains(record.timestamp)) {
            untimely.push(position);
        }
    }
    let refused = |code, message, records| Err(Refusal { error: ApiError::new(code, message), records });
    if !without_key.is_empty() {
        let message = "a compacted topic takes no record without a key";
        return refused(ResponseError::InvalidRecord, message, without_key);
    }
    if !untimely.is_empty() {
        let message = "a record's timestamp is further from now than the topic accepts";
        return refused(ResponseError::InvalidTimestamp, message, untimely);
    }
    Ok(())
}

fn batch_error(error: &RecordBatchError) -> ApiError {
    let code = match error {
        // Message sets of before are no records any more (KIP-724); what is no format at all is damage.
        RecordBatchError::UnsupportedMagic { magic: 0 | 1 } => ResponseError::InvalidRecord,
        RecordBatchError::UnsupportedMagic { .. }
        | RecordBatchError::Corrupt { .. }
        | RecordBatchError::ImpossibleLength { .. } => ResponseError::CorruptMessage,
        _ => ResponseError::InvalidRecord,
    };
    ApiError::new(code, error.to_string())
}

fn append_error(error: &AppendError) -> ApiError {
    let code = match error {
        AppendError::OutOfOrderSequence { .. } => ResponseError::OutOfOrderSequenceNumber,
        AppendError::InvalidProducerEpoch { .. } => ResponseError::InvalidProducerEpoch,
        AppendError::TransactionEnded { .. } => ResponseError::InvalidTxnState,
        AppendError::UnknownPartition { .. } => ResponseError::UnknownTopicOrPartition,
        AppendError::TooLarge { .. } => ResponseError::MessageTooLarge,
        other => {
            tracing::error!(error = %other, "append failed");
            ResponseError::KafkaStorageError
        }
    };
    ApiError::from(code)
}

fn partition_response(
    context: &RequestContext<'_>,
    index: i32,
    outcome: Result<Appended, Refusal>,
) -> PartitionProduceResponse {
    let version = context.header.version;
    let response = PartitionProduceResponse::default().with_index(index);
    match outcome {
        Ok(appended) => {
            let response = response
                .with_base_offset(appended.base_offset)
                .with_log_append_time_ms(appended.log_append_time_ms);
            if version >= 5 { response.with_log_start_offset(appended.log_start_offset) } else { response }
        }
        Err(Refusal { error, records }) => {
            let mut response =
                response.with_error_code(error.code()).with_base_offset(-1).with_log_append_time_ms(-1);
            if version >= 5 {
                response = response.with_log_start_offset(-1);
            }
            if version >= 8 {
                let told = |position| record_error(position, error.message());
                response = response
                    .with_record_errors(records.into_iter().map(told).collect())
                    .with_error_message(error.message());
            }
            if version >= 10 {
                let nobody = LeaderIdAndEpoch::default().with_leader_id(BrokerId(-1)).with_leader_epoch(-1);
                response = response.with_current_leader(nobody);
            }
            response
        }
    }
}

fn record_error(position: i32, message: Option<StrBytes>) -> BatchIndexAndErrorMessage {
    BatchIndexAndErrorMessage::default().with_batch_index(position).with_batch_index_error_message(message)
}
