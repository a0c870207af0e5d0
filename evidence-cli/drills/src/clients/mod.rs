//! The `clients` drill: what producers, consumers and administrators of Kafka rely on, tried with real clients.

mod administration;
mod groups;
mod transactions;

use std::time::{Duration, Instant};

use rdkafka::producer::{FutureProducer, FutureRecord, Producer as _};

use crate::bench::Bench;
use crate::connection::Connection;
use crate::error::DrillError;
use crate::ledger::{Ledger, key, read_all, value};
use crate::name::DrillName;
use crate::plan::Plan;
use crate::target::Target;
use crate::topics::blocking;

/// Every codec of Kafka's `compression.type`.
const CODECS: [&str; 5] = ["none", "gzip", "snappy", "lz4", "zstd"];

/// Records for each codec.
const RECORDS: u64 = 1_000;

/// The longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn plan(target: &Target) -> Plan {
    let who = match &target.workload {
        Some(workload) => format!("{} on `{}`", workload.connection.principal(), workload.topic),
        None => format!("{} on topics of the drill", target.administrator.principal()),
    };
    Plan {
        steps: vec![
            format!("write and read as {who}: acks 0, 1 and all; idempotent, with each codec"),
            "read everything back in a consumer group of two, commit, and resume".to_owned(),
            "commit and abort transactions".to_owned(),
            "create, change, describe and delete topics".to_owned(),
        ],
        ..Plan::of(DrillName::Clients, &[])
    }
}

pub(crate) async fn run(bench: &Bench<'_>) -> Result<(), DrillError> {
    let (connection, topic, group) = match &bench.target.workload {
        Some(workload) => (workload.connection.clone(), workload.topic.clone(), workload.group.clone()),
        None => (bench.target.administrator.clone(), bench.topic("codecs", 3).await?, bench.name("group")),
    };
    let mut ledger = Ledger::default();
    for codec in CODECS {
        bench.step(&format!("idempotent producer with codec {codec}"));
        idempotent(bench, &connection, &topic, codec, &mut ledger).await?;
    }
    bench.measure("records_acknowledged", ledger.len());
    groups::run(bench, &connection, &topic, &group, &ledger).await?;
    let started = Instant::now();
    let read = ledger.read_back(&connection, &topic, bench.run, PATIENCE).await?;
    bench.measure("records_lost", read.lost_count);
    bench.check(
        "every acknowledged record is read back at its offset, byte for byte",
        read.is_whole(),
        read.told(),
        started,
    );
    bench.check(
        "no record of an idempotent producer is there twice",
        read.repeated == 0,
        format!("{} repeated", read.repeated),
        started,
    );
    bench.check(
        "records of one key are in the order in which they were sent",
        read.disordered == 0,
        format!("{} keys out of order", read.disordered),
        started,
    );
    if bench.target.workload.is_none() {
        for acks in ["0", "1", "all"] {
            acknowledgements(bench, &connection, acks).await?;
        }
        transactions::run(bench, &connection).await?;
        administration::run(bench, &connection).await?;
    }
    Ok(())
}

async fn idempotent(
    bench: &Bench<'_>,
    connection: &Connection,
    topic: &str,
    codec: &str,
    ledger: &mut Ledger,
) -> Result<(), DrillError> {
    let started = Instant::now();
    let producer: FutureProducer = connection
        .client()
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("compression.type", codec)
        .set("linger.ms", "5")
        .set("message.timeout.ms", "20000")
        .create()
        .map_err(DrillError::Client)?;
    let before = ledger.len();
    let written = ledger.write(&producer, topic, bench.run, RECORDS).await;
    let seen = match &written {
        Ok(()) => format!("{RECORDS} of {RECORDS} acknowledged"),
        Err(error) => format!("{} of {RECORDS} acknowledged: {error}", ledger.len() - before),
    };
    let promise =
        format!("idempotent producer with acks=all and codec {codec}: every record is acknowledged");
    bench.check(promise, written.is_ok(), seen, started);
    Ok(())
}

/// Whatever is acknowledged, everything that was sent arrives where nothing fails.
async fn acknowledgements(bench: &Bench<'_>, connection: &Connection, acks: &str) -> Result<(), DrillError> {
    bench.step(&format!("acks={acks}"));
    let topic = bench.topic(&format!("acks-{acks}"), 1).await?;
    let started = Instant::now();
    let producer: FutureProducer = connection
        .client()
        .set("acks", acks)
        .set("linger.ms", "5")
        .set("message.timeout.ms", "20000")
        .create()
        .map_err(DrillError::Client)?;
    let count = RECORDS / 5;
    for number in 0..count {
        let (key, value) = (key(number), value(bench.run, number));
        let record = FutureRecord::to(&topic).key(&key).payload(&value);
        // With acks=0 the answer says nothing but that it left; what arrived is read below.
        let _delivery = producer.send_result(record).map_err(|(error, _)| DrillError::Step {
            step: format!("sending with acks={acks}"),
            source: error,
        })?;
    }
    let flushed = blocking(move || producer.flush(PATIENCE)).await?;
    let mut arrived = 0;
    while started.elapsed() < PATIENCE {
        arrived = read_all(connection, &topic, PATIENCE).await?.len() as u64;
        if arrived >= count {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    bench.check(
        format!("producer with acks={acks}: every record arrives"),
        flushed.is_ok() && arrived == count,
        format!("{arrived} of {count} arrived"),
        started,
    );
    Ok(())
}
