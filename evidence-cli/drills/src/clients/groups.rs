//! Consumer groups: two members share the work, commit, and a third goes on where they stopped.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use rdkafka::consumer::{CommitMode, Consumer as _, StreamConsumer};
use rdkafka::message::Message as _;

use super::PATIENCE;
use crate::bench::Bench;
use crate::connection::Connection;
use crate::error::{DrillError, step};
use crate::ledger::{Ledger, Place};

/// How long a member that resumes must be left in peace.
const QUIET: Duration = Duration::from_millis(1_000);

pub(super) async fn run(
    bench: &Bench<'_>,
    connection: &Connection,
    topic: &str,
    group: &str,
    ledger: &Ledger,
) -> Result<(), DrillError> {
    bench.step("two members of one group");
    let started = Instant::now();
    let members = [member(connection, topic, group)?, member(connection, topic, group)?];
    let mut read: BTreeSet<Place> = BTreeSet::new();
    let mut working = BTreeSet::new();
    let mut trouble = None;
    while !ledger.places().all(|place| read.contains(place)) && started.elapsed() < PATIENCE {
        for (index, member) in members.iter().enumerate() {
            // What is there already is taken at once; a member without a partition costs one short wait.
            let mut next = tokio::time::timeout(Duration::from_millis(10), member.recv()).await.ok();
            while let Some(received) = next {
                match received {
                    Ok(message) => {
                        read.insert((message.partition(), message.offset()));
                        working.insert(index);
                    }
                    Err(error) => trouble = Some(error.to_string()),
                }
                next = member.recv().now_or_never();
            }
        }
    }
    let missing = ledger.places().filter(|place| !read.contains(*place)).count();
    let mut seen =
        format!("{missing} of {} records not delivered, {} members worked", ledger.len(), working.len());
    if let (1.., Some(trouble)) = (missing, trouble) {
        seen.push_str(&format!(": {trouble}"));
    }
    bench.check(
        "a consumer group of two is delivered every acknowledged record",
        missing == 0,
        seen,
        started,
    );
    let started = Instant::now();
    let mut committed = Ok(());
    for member in members {
        let done = crate::topics::blocking(move || member.commit_consumer_state(CommitMode::Sync)).await?;
        // A member that was given no partition has nothing to commit.
        let idle = done.as_ref().is_err_and(|error| {
            error.rdkafka_error_code() == Some(rdkafka::types::RDKafkaErrorCode::NoOffset)
        });
        if !idle {
            committed = committed.and(done);
        }
    }
    match committed {
        Err(error) => {
            bench.check("a group's offsets are committed", false, error.to_string(), started);
            Ok(())
        }
        Ok(()) => resume(bench, connection, topic, group).await,
    }
}

/// A new member starts where the group stopped.
async fn resume(
    bench: &Bench<'_>,
    connection: &Connection,
    topic: &str,
    group: &str,
) -> Result<(), DrillError> {
    let started = Instant::now();
    let consumer = member(connection, topic, group)?;
    let (mut repeated, mut quiet_since) = (0_u64, None);
    while started.elapsed() < PATIENCE {
        if let Ok(Ok(_)) = tokio::time::timeout(Duration::from_millis(50), consumer.recv()).await {
            repeated += 1;
        }
        if consumer.assignment().is_ok_and(|assignment| assignment.count() > 0)
            && quiet_since.get_or_insert_with(Instant::now).elapsed() > QUIET
        {
            break;
        }
    }
    bench.check(
        "a new member of the group resumes at the committed offsets",
        quiet_since.is_some() && repeated == 0,
        format!("{repeated} records delivered again"),
        started,
    );
    Ok(())
}

fn member(connection: &Connection, topic: &str, group: &str) -> Result<StreamConsumer, DrillError> {
    let consumer: StreamConsumer = connection
        .client()
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "earliest")
        .set("session.timeout.ms", "10000")
        .create()
        .map_err(DrillError::Client)?;
    consumer.subscribe(&[topic]).map_err(step("subscribing"))?;
    Ok(consumer)
}
