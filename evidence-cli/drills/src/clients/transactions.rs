//! Transactions: what is committed is seen, what is aborted is not, and a cluster without transactions is told as one.

use std::time::{Duration, Instant};

use rdkafka::consumer::{Consumer as _, StreamConsumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message as _;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};

use super::PATIENCE;
use crate::bench::Bench;
use crate::connection::Connection;
use crate::error::{DrillError, step};
use crate::topics::blocking;

/// The promises, for a cluster that can be asked for none of them.
const PROMISES: [&str; 2] = [
    "a committed transaction is read as a whole, an aborted one not at all",
    "offsets are committed with their transaction",
];

/// Records of each transaction.
const RECORDS: usize = 20;

/// The longest wait for the first answer: a cluster without transactions answers at once, or never.
const FIRST: Duration = Duration::from_secs(15);

pub(super) async fn run(bench: &Bench<'_>, connection: &Connection) -> Result<(), DrillError> {
    bench.step("transactions");
    let topic = bench.topic("transactions", 1).await?;
    let producer: ThreadedProducer<DefaultProducerContext> = connection
        .client()
        .set("transactional.id", bench.name("transaction"))
        .set("transaction.timeout.ms", "30000")
        .create()
        .map_err(DrillError::Client)?;
    let opened = {
        let producer = producer.clone();
        blocking(move || producer.init_transactions(FIRST)).await?
    };
    if let Err(error) = opened {
        for promise in PROMISES {
            bench.not_exercised(promise, format!("the cluster does not open a transaction: {error}"));
        }
        return Ok(());
    }
    let started = Instant::now();
    let written = {
        let (producer, topic) = (producer.clone(), topic.clone());
        blocking(move || commit_and_abort(&producer, &topic)).await?
    };
    let promise = PROMISES.first().copied().unwrap_or_default();
    match written {
        Err(error) => bench.check(promise, false, error.to_string(), started),
        Ok(()) => {
            let (committed, aborted) = read_committed(connection, &topic).await?;
            bench.check(
                promise,
                committed == RECORDS && aborted == 0,
                format!("{committed} of {RECORDS} committed and {aborted} aborted records were read"),
                started,
            );
        }
    }
    offsets(bench, connection, producer, &topic).await
}

fn commit_and_abort(
    producer: &ThreadedProducer<DefaultProducerContext>,
    topic: &str,
) -> Result<(), KafkaError> {
    for (what, commit) in [("aborted", false), ("committed", true)] {
        producer.begin_transaction()?;
        for _ in 0..RECORDS {
            let record = BaseRecord::<str, str>::to(topic).partition(0).payload(what);
            producer.send(record).map_err(|(error, _)| error)?;
        }
        producer.flush(PATIENCE)?;
        if commit {
            producer.commit_transaction(PATIENCE)?;
        } else {
            producer.abort_transaction(PATIENCE)?;
        }
    }
    Ok(())
}

/// How many committed and aborted records a consumer sees that asks for committed ones.
async fn read_committed(connection: &Connection, topic: &str) -> Result<(usize, usize), DrillError> {
    let consumer: StreamConsumer = connection
        .client()
        .set("group.id", "cadastre-drill-reader")
        .set("isolation.level", "read_committed")
        .set("enable.auto.commit", "false")
        .create()
        .map_err(DrillError::Client)?;
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 0, Offset::Beginning).map_err(step("assigning"))?;
    consumer.assign(&list).map_err(step("assigning"))?;
    let (mut committed, mut aborted) = (0, 0);
    let started = Instant::now();
    // The aborted records come first: once the committed ones were read, the others would have been.
    while committed < RECORDS && started.elapsed() < PATIENCE {
        if let Ok(Ok(message)) = tokio::time::timeout(Duration::from_millis(500), consumer.recv()).await {
            match message.payload() {
                Some(b"committed") => committed += 1,
                _ => aborted += 1,
            }
        }
    }
    Ok((committed, aborted))
}

/// Consumes, and commits the offsets in the transaction that writes what came of it.
async fn offsets(
    bench: &Bench<'_>,
    connection: &Connection,
    producer: ThreadedProducer<DefaultProducerContext>,
    topic: &str,
) -> Result<(), DrillError> {
    let promise = PROMISES.get(1).copied().unwrap_or_default();
    let started = Instant::now();
    let group = bench.name("transaction-group");
    let consumer: StreamConsumer = connection
        .client()
        .set("group.id", &group)
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "earliest")
        .create()
        .map_err(DrillError::Client)?;
    consumer.subscribe(&[topic]).map_err(step("subscribing"))?;
    let first = tokio::time::timeout(PATIENCE, consumer.recv()).await;
    if !matches!(first, Ok(Ok(_))) {
        bench.check(promise, false, "the group was delivered nothing", started);
        return Ok(());
    }
    drop(first);
    let topic = topic.to_owned();
    let done = blocking(move || -> Result<Option<i64>, KafkaError> {
        let wanted = 7_i64;
        let Some(metadata) = consumer.group_metadata() else { return Ok(None) };
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&topic, 0, Offset::Offset(wanted))?;
        producer.begin_transaction()?;
        let record = BaseRecord::<str, str>::to(&topic).partition(0).payload("committed");
        producer.send(record).map_err(|(error, _)| error)?;
        producer.send_offsets_to_transaction(&list, &metadata, PATIENCE)?;
        producer.commit_transaction(PATIENCE)?;
        let mut asked = TopicPartitionList::new();
        asked.add_partition(&topic, 0);
        let committed = consumer.committed_offsets(asked, PATIENCE)?;
        Ok(committed.elements().first().and_then(|element| element.offset().to_raw()))
    })
    .await?;
    match done {
        Ok(Some(7)) => bench.check(promise, true, "the group stands at offset 7", started),
        Ok(other) => bench.check(promise, false, format!("the group stands at {other:?}, not at 7"), started),
        Err(error) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::UnsupportedFeature) => {
            bench.not_exercised(promise, error.to_string());
        }
        Err(error) => bench.check(promise, false, error.to_string(), started),
    }
    Ok(())
}
