//! `Fetch`: reads record batches, waiting for more when there are too few.
//!
//! Every answer carries session id 0: this broker keeps no fetch sessions, and clients then send the whole list of
//! partitions each time, which KIP-227 allows.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cadastre_protocol::ResponseError;
use cadastre_protocol::api::{self, EnvelopeError};
use cadastre_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use cadastre_protocol::messages::fetch_response::{
    AbortedTransaction, FetchableTopicResponse, PartitionData,
};
use cadastre_protocol::messages::{BrokerId, FetchRequest, FetchResponse, ProducerId};
use cadastre_protocol::types::TopicPartition;
use cadastre_storage::{Fetched, ReadError};
use futures::FutureExt as _;
use futures::future::select_all;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::context::RequestContext;
use super::ends::confirm;
use super::finish;
use super::isolation::{Committed, is_committed, last_stable, restrict};
use super::operations::READ_TOPIC;
use crate::listeners::session::Reply;
use crate::state::topics::Topic;

pub(super) async fn answer(context: &RequestContext<'_>, body: Bytes) -> Result<Reply, EnvelopeError> {
    let request: FetchRequest = api::decode_request(context.header.version, body)?;
    let (response, bytes, busy) = handle(context, &request).await;
    context.node.usage.fetched(bytes);
    let mut partitions = response.responses.iter().flat_map(|topic| &topic.partitions);
    if partitions.any(|partition| partition.error_code != 0) {
        context.node.counters.fetch_failed();
    }
    let throttle_ms = context.node.quotas.fetched(context, bytes);
    finish(context, response, busy, throttle_ms)
}

/// One partition that was asked for, with its topic or the reason why it cannot be read.
struct Wanted<'request> {
    partition: &'request FetchPartition,
    topic: Result<Arc<Topic>, ResponseError>,
}

/// The answer, the bytes in it, and the time spent working on it, which waiting for records is not.
async fn handle(context: &RequestContext<'_>, request: &FetchRequest) -> (FetchResponse, usize, Duration) {
    let mut busy = Duration::ZERO;
    if request.session_id != 0 && request.session_epoch > 0 {
        let error = ResponseError::FetchSessionIdNotFound;
        return (FetchResponse::default().with_error_code(error.code()), 0, busy);
    }
    let wanted: Vec<Vec<Wanted<'_>>> =
        request.topics.iter().map(|topic| resolve(context, request, topic)).collect();
    let deadline = Instant::now() + longest_wait(context, request);
    let enough = usize::try_from(request.min_bytes).unwrap_or(0);
    let mut is_confirmed = false;
    loop {
        let started = Instant::now();
        // Subscribed before reading, so that records which arrive in between are not missed.
        let mut watches = watches(context, &wanted);
        let mut ended_transactions = context.node.transactions.watch();
        let mut read = read_all(context, request, &wanted).await;
        busy += started.elapsed();
        // Once: what is acknowledged while this request waits is not older than the request.
        if !is_confirmed {
            is_confirmed = true;
            let ends = confirm(context, std::mem::take(&mut read.ended)).await;
            let has_more = correct_ends(context, &wanted, &mut read, ends);
            if has_more && read.bytes < enough.max(1) && !read.failed {
                continue;
            }
        }
        let is_done = read.failed || read.bytes >= enough || watches.is_empty();
        // Only where a transaction holds records back is its end worth waking up for.
        let ends = read.is_held_back.then_some(&mut ended_transactions);
        if is_done || !has_news(context, &mut watches, ends, deadline).await {
            return (FetchResponse::default().with_responses(read.topics), read.bytes, busy);
        }
    }
}

/// Says in the answer where partitions end as it is known now; whether one that seemed to have nothing to read has more.
/// "Nothing" is an answer only where it is sure.
fn correct_ends(
    context: &RequestContext<'_>,
    wanted: &[Vec<Wanted<'_>>],
    read: &mut Read,
    ends: Result<(), ResponseError>,
) -> bool {
    let mut has_more = false;
    let answers = read.topics.iter_mut().flat_map(|topic| topic.partitions.iter_mut());
    for (answer, wanted) in answers.zip(wanted.iter().flatten()) {
        let Some(topic) = wanted.topic.as_ref().ok().filter(|_| answer.error_code == 0) else { continue };
        let partition = topic.partition(wanted.partition.partition);
        let Ok(known) = context.node.storage.watermarks(partition) else { continue };
        let is_at_end = wanted.partition.fetch_offset >= answer.high_watermark;
        answer.high_watermark = known.high_watermark;
        match last_stable(context, partition, known.high_watermark) {
            Ok(offset) => answer.last_stable_offset = offset,
            Err(error) => {
                *answer = failed(answer.partition_index, error);
                read.failed = true;
                continue;
            }
        }
        has_more |= is_at_end && wanted.partition.fetch_offset < known.high_watermark;
        if let (Err(error), true) = (ends, is_at_end) {
            *answer = failed(answer.partition_index, error);
            read.failed = true;
        }
    }
    has_more
}

fn watches(context: &RequestContext<'_>, wanted: &[Vec<Wanted<'_>>]) -> Vec<watch::Receiver<i64>> {
    let watch = |wanted: &Wanted<'_>| {
        let topic = wanted.topic.as_ref().ok()?;
        let mut watch = context.node.storage.watch(topic.partition(wanted.partition.partition)).ok()?;
        watch.mark_unchanged();
        Some(watch)
    };
    wanted.iter().flatten().filter_map(watch).collect()
}

/// Waits until one of the partitions has more to read; false at the deadline, or when the broker stops.
async fn has_news(
    context: &RequestContext<'_>,
    watches: &mut [watch::Receiver<i64>],
    ended_transactions: Option<&mut watch::Receiver<u64>>,
    deadline: Instant,
) -> bool {
    let changed = select_all(watches.iter_mut().map(|watch| watch.changed().boxed()));
    let ended = async {
        match ended_transactions {
            // An error means that the broker itself is gone.
            Some(ended) => drop(ended.changed().await),
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = context.node.stopped() => false,
        outcome = timeout_at(deadline, changed) => outcome.is_ok(),
        () = ended => true,
    }
}

fn longest_wait(context: &RequestContext<'_>, request: &FetchRequest) -> Duration {
    let asked = u64::try_from(request.max_wait_ms).unwrap_or(0);
    let idle = context.node.settings.number("connections.max.idle.ms").unsigned_abs();
    Duration::from_millis(if idle == 0 { asked } else { asked.min(idle) })
}

fn resolve<'request>(
    context: &RequestContext<'_>,
    request: &FetchRequest,
    data: &'request FetchTopic,
) -> Vec<Wanted<'request>> {
    let topic = find_topic(context, request, data);
    let wanted = |partition| Wanted {
        partition,
        topic: match &topic {
            Ok(topic) if !topic.has(partition.partition) => Err(ResponseError::UnknownTopicOrPartition),
            // What was fetched in an epoch that no leader has had is not this log (KIP-595).
            Ok(_) if partition.last_fetched_epoch > context.node.leader_epoch() => {
                Err(ResponseError::OffsetOutOfRange)
            }
            Ok(topic) => {
                context.node.check_leader_epoch(partition.current_leader_epoch).map(|()| Arc::clone(topic))
            }
            Err(error) => Err(*error),
        },
    };
    data.partitions.iter().map(wanted).collect()
}

fn find_topic(
    context: &RequestContext<'_>,
    request: &FetchRequest,
    data: &FetchTopic,
) -> Result<Arc<Topic>, ResponseError> {
    if request.replica_id.0 >= 0 || request.replica_state.replica_id.0 >= 0 {
        // There are no other brokers to replicate to.
        return Err(ResponseError::TopicAuthorizationFailed);
    }
    if context.header.version >= 13 {
        let topic = context.node.topics.by_id(data.topic_id.into()).ok_or(ResponseError::UnknownTopicId)?;
        return if context.allows(READ_TOPIC, &topic.name) {
            Ok(topic)
        } else {
            Err(ResponseError::TopicAuthorizationFailed)
        };
    }
    if !context.allows(READ_TOPIC, &data.topic) {
        return Err(ResponseError::TopicAuthorizationFailed);
    }
    context.node.topics.by_name(&data.topic).ok_or(ResponseError::UnknownTopicOrPartition)
}

/// What one pass over the partitions found.
struct Read {
    topics: Vec<FetchableTopicResponse>,
    bytes: usize,
    failed: bool,
    /// Partitions of which everything was read, as far as is known here; other brokers may have acknowledged more.
    ended: Vec<TopicPartition>,
    /// Whether there are records that may be read once a transaction ends.
    is_held_back: bool,
}

async fn read_all(context: &RequestContext<'_>, request: &FetchRequest, wanted: &[Vec<Wanted<'_>>]) -> Read {
    let limit = context.node.settings.number("fetch.max.bytes").min(i64::from(request.max_bytes.max(0)));
    let mut remaining = usize::try_from(limit).unwrap_or(0);
    let mut read =
        Read { topics: Vec::new(), bytes: 0, failed: false, ended: Vec::new(), is_held_back: false };
    for (topic, wanted) in request.topics.iter().zip(wanted) {
        let mut partitions = Vec::with_capacity(wanted.len());
        for wanted in wanted {
            let partition = read_partition(context, request, wanted, remaining, &mut read).await;
            let bytes = partition.records.as_ref().map_or(0, Bytes::len);
            remaining = remaining.saturating_sub(bytes);
            read.bytes += bytes;
            read.failed |= partition.error_code != 0;
            partitions.push(partition);
        }
        let response = FetchableTopicResponse::default().with_partitions(partitions);
        read.topics.push(if context.header.version >= 13 {
            response.with_topic_id(topic.topic_id)
        } else {
            response.with_topic(topic.topic.clone())
        });
    }
    read
}

async fn read_partition(
    context: &RequestContext<'_>,
    request: &FetchRequest,
    wanted: &Wanted<'_>,
    remaining: usize,
    read: &mut Read,
) -> PartitionData {
    let asked = wanted.partition;
    let topic = match &wanted.topic {
        Ok(topic) => topic,
        Err(error) => return failed(asked.partition, *error),
    };
    let wish = usize::try_from(asked.partition_max_bytes).unwrap_or(0).min(remaining);
    let partition = topic.partition(asked.partition);
    let fetched = context.node.storage.read(partition, asked.fetch_offset, wish).await;
    match fetched {
        Ok(fetched) => {
            let is_whole = fetched.next_offset >= fetched.high_watermark;
            let readable = match readable(context, request, partition, fetched).await {
                Ok(readable) => readable,
                Err(error) => return failed(asked.partition, error),
            };
            let Readable { fetched, last_stable_offset, aborted } = readable;
            read.is_held_back |= aborted.is_some() && last_stable_offset < fetched.high_watermark;
            // One batch comes even when it is larger than asked for, but only as the first of an answer (KIP-74).
            let oversized = fetched.records.len() > wish && read.bytes > 0;
            let records = if oversized { Bytes::new() } else { fetched.records };
            if !oversized && is_whole {
                read.ended.push(partition);
            }
            let response = partition_data(asked.partition)
                .with_high_watermark(fetched.high_watermark)
                .with_last_stable_offset(last_stable_offset)
                .with_records(Some(records));
            let response = response.with_aborted_transactions(aborted);
            if context.header.version >= 5 {
                response.with_log_start_offset(fetched.log_start_offset)
            } else {
                response
            }
        }
        Err(ReadError::OffsetOutOfRange { .. }) => failed(asked.partition, ResponseError::OffsetOutOfRange),
        Err(ReadError::UnknownPartition { .. }) => {
            failed(asked.partition, ResponseError::UnknownTopicOrPartition)
        }
        Err(error) => {
            tracing::error!(error = %crate::listeners::listener_security::chain(&error), "read failed");
            failed(asked.partition, ResponseError::KafkaStorageError)
        }
    }
}

/// What was read, as the client's isolation level lets it through.
struct Readable {
    fetched: Fetched,
    last_stable_offset: i64,
    /// `None` for clients that want everything.
    aborted: Option<Vec<AbortedTransaction>>,
}

async fn readable(
    context: &RequestContext<'_>,
    request: &FetchRequest,
    partition: TopicPartition,
    fetched: Fetched,
) -> Result<Readable, ResponseError> {
    if !is_committed(request.isolation_level) {
        let last_stable_offset = last_stable(context, partition, fetched.high_watermark)?;
        return Ok(Readable { fetched, last_stable_offset, aborted: None });
    }
    let Committed { records, last_stable_offset, aborted } = restrict(context, partition, &fetched).await?;
    let aborted = aborted.into_iter().map(|range| {
        AbortedTransaction::default()
            .with_producer_id(ProducerId(range.producer_id))
            .with_first_offset(range.first_offset)
    });
    Ok(Readable {
        fetched: Fetched { records, ..fetched },
        last_stable_offset,
        aborted: Some(aborted.collect()),
    })
}

fn partition_data(index: i32) -> PartitionData {
    PartitionData::default().with_partition_index(index).with_preferred_read_replica(BrokerId(-1))
}

fn failed(index: i32, error: ResponseError) -> PartitionData {
    // As Kafka has it: a list of nothing where the partition was not looked at, none where it was.
    let aborted = match error {
        ResponseError::UnknownTopicOrPartition
        | ResponseError::UnknownTopicId
        | ResponseError::TopicAuthorizationFailed => Some(Vec::new()),
        _ => None,
    };
    partition_data(index)
        .with_error_code(error.code())
        .with_high_watermark(-1)
        .with_last_stable_offset(-1)
        .with_aborted_transactions(aborted)
        .with_records(Some(Bytes::new()))
}
