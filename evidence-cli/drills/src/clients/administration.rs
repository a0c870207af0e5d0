//! Administration: settings are changed and shown, partitions added, a topic deleted.

use std::time::{Duration, Instant};

use rdkafka::admin::{AlterConfig, NewPartitions, ResourceSpecifier};
use rdkafka::error::KafkaError;

use super::PATIENCE;
use crate::bench::Bench;
use crate::connection::Connection;
use crate::error::{DrillError, step};
use crate::ledger::ends;
use crate::topics::{admin, blocking, delete_topic, options};

/// A retention that no default has.
const RETENTION: &str = "7654321";

pub(super) async fn run(bench: &Bench<'_>, connection: &Connection) -> Result<(), DrillError> {
    bench.step("administration");
    let topic = bench.topic_with("admin", 1, &[("retention.ms", "3600000")]).await?;
    settings(bench, connection, &topic).await?;
    partitions(bench, connection, &topic).await?;
    deletion(bench, connection, &topic).await
}

async fn settings(bench: &Bench<'_>, connection: &Connection, topic: &str) -> Result<(), DrillError> {
    let started = Instant::now();
    let client = admin(connection)?;
    let change = AlterConfig::new(ResourceSpecifier::Topic(topic)).set("retention.ms", RETENTION);
    let changed = client.alter_configs(&[change], &options()).await.map_err(step("changing settings"))?;
    bench.actions.note("AlterConfigs", topic, &connection.principal(), true);
    let refused = changed.into_iter().find_map(Result::err);
    let mut shown = None;
    while refused.is_none() && started.elapsed() < PATIENCE {
        let asked = [ResourceSpecifier::Topic(topic)];
        let described =
            client.describe_configs(asked.iter(), &options()).await.map_err(step("describing settings"))?;
        shown = described
            .into_iter()
            .filter_map(Result::ok)
            .find_map(|resource| resource.get("retention.ms").and_then(|entry| entry.value.clone()));
        if shown.as_deref() == Some(RETENTION) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let seen = match refused {
        Some((_, code)) => format!("refused: {code}"),
        None => format!("retention.ms={}", shown.as_deref().unwrap_or("nothing")),
    };
    bench.check(
        "a topic's setting is changed, and shown as changed",
        shown.as_deref() == Some(RETENTION),
        seen,
        started,
    );
    Ok(())
}

async fn partitions(bench: &Bench<'_>, connection: &Connection, topic: &str) -> Result<(), DrillError> {
    let started = Instant::now();
    let added = admin(connection)?
        .create_partitions(&[NewPartitions::new(topic, 3)], &options())
        .await
        .map_err(step("adding partitions"))?;
    bench.actions.note("CreatePartitions", topic, &connection.principal(), true);
    let refused = added.into_iter().find_map(Result::err);
    let mut count = 0;
    while refused.is_none() && count != 3 && started.elapsed() < PATIENCE {
        // A partition that was just added may still be without a leader.
        count = ends(connection, topic).await.map_or(0, |ends| ends.len());
    }
    let seen = refused.map_or_else(|| format!("{count} partitions"), |(_, code)| format!("refused: {code}"));
    bench.check("partitions are added to a topic", count == 3, seen, started);
    Ok(())
}

async fn deletion(bench: &Bench<'_>, connection: &Connection, topic: &str) -> Result<(), DrillError> {
    let started = Instant::now();
    let deleted = delete_topic(connection, topic).await?;
    bench.actions.note("DeleteTopics", topic, &connection.principal(), true);
    let mut there = true;
    while there && started.elapsed() < PATIENCE {
        let client = admin(connection)?;
        let listed = blocking(move || {
            let metadata = client.inner().fetch_metadata(None, PATIENCE)?;
            Ok::<Vec<String>, KafkaError>(
                metadata.topics().iter().map(|topic| topic.name().to_owned()).collect(),
            )
        });
        there = listed.await?.map_err(step("listing topics"))?.iter().any(|name| name == topic);
    }
    bench.check(
        "a topic is deleted, and listed no more",
        deleted && !there,
        if there { "still listed" } else { "gone" },
        started,
    );
    Ok(())
}
