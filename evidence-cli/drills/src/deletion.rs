//! The `deletion` drill: a topic is deleted, and nothing of it is left: no object, no log segment, and a receipt says which keys
//! were destroyed.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use cadastre_model::drill_target::Hook;

use crate::bench::Bench;
use crate::error::{DrillError, step};
use crate::ledger::{Ledger, producer};
use crate::local_broker::LocalBroker;
use crate::name::DrillName;
use crate::plan::Plan;
use crate::target::Target;
use crate::tools::{BrokerTools, Receipt};
use crate::topics::delete_topic;

/// Records of the topic.
const RECORDS: u64 = 2_000;

/// How often an embedded broker is restarted so that it begins new segments.
const RESTARTS: u64 = 3;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(100);

/// How long a broker is left to let go of segments before it is restarted.
const SETTLE: Duration = Duration::from_secs(2);

/// Segments larger than this are not filled.
const LARGEST_SEGMENT: usize = 16 << 20;

/// How many segments are filled: the two newest are never moved.
const SEGMENTS: usize = 3;

/// The size of a record that fills, in bytes.
const FILLER: usize = 64 << 10;

/// The longest wait for records to be moved into objects.
const PACKED: Duration = Duration::from_secs(15);

/// How long what is gone has to stay gone.
const STAYS: Duration = Duration::from_millis(500);

pub(crate) fn plan(target: &Target, tools: Option<&dyn BrokerTools>) -> Plan {
    let mut plan = Plan::of(
        DrillName::Deletion,
        &[
            "write a topic of its own, so that it has objects and log segments",
            "delete it, and verify the signed receipt",
            "look for every object and segment that the receipt names, until none is left",
        ],
    );
    if target.hooks.brokers().iter().any(|broker| !broker.is_clustered()) {
        plan = plan.touching("restarts the broker, up to three times, so that its log begins new segments");
    }
    let cannot = target.hooks.brokers().is_empty() || tools.is_none() || !target.is_bundled;
    plan.unless(cannot.then(|| {
        "nothing shows what is left of a deleted topic: only a bundled broker on this machine does (`local-brokers`)"
            .to_owned()
    }))
}

/// Where a bundled cluster keeps records, and what it signed.
struct Places<'a> {
    tools: &'a dyn BrokerTools,
    brokers: &'a [LocalBroker],
}

impl Places<'_> {
    async fn receipts(&self) -> Result<Vec<Receipt>, DrillError> {
        let mut all = Vec::new();
        for broker in self.brokers {
            all.extend(self.tools.receipts(&broker.config_file()).await?);
        }
        all.sort_by(|a, b| a.topic_id.cmp(&b.topic_id));
        all.dedup_by(|a, b| a.topic_id == b.topic_id);
        Ok(all)
    }

    async fn objects(&self) -> Result<BTreeSet<String>, DrillError> {
        let Some(broker) = self.brokers.first() else { return Ok(BTreeSet::new()) };
        Ok(self.tools.objects(&broker.config_file()).await?.into_iter().collect())
    }

    /// What a receipt names and is still there, and every object whose name tells of the topic.
    async fn left(&self, receipt: &Receipt) -> Result<Vec<String>, DrillError> {
        let objects = self.objects().await?;
        let named = receipt.objects.iter().chain(&receipt.remains);
        let mut left: BTreeSet<String> =
            named.filter(|name| objects.contains(*name) || self.has_segment(name)).cloned().collect();
        let own = objects.iter().filter(|name| {
            name.contains(&receipt.topic_id) && !name.split('/').any(|part| part == "receipts")
        });
        left.extend(own.cloned());
        Ok(left.into_iter().collect())
    }

    /// `segment/00042` is the file `log/00042.wal` of a broker that keeps a log of its own.
    fn has_segment(&self, name: &str) -> bool {
        let Some(id) = name.strip_prefix("segment/") else { return false };
        self.brokers.iter().filter_map(|broker| broker.log_directory().ok()).any(|directory| {
            let log = directory.join("log");
            std::fs::read_dir(log).is_ok_and(|entries| {
                entries.filter_map(Result::ok).any(|entry| {
                    let path = entry.path();
                    path.extension().is_some_and(|extension| extension == "wal")
                        && path.file_stem().is_some_and(|stem| stem.to_string_lossy() == id)
                })
            })
        })
    }
}

pub(crate) async fn run(bench: &Bench<'_>) -> Result<(), DrillError> {
    let tools = bench.tools.ok_or_else(|| DrillError::not_exercised("no tools of the broker"))?;
    let hooks = &bench.target.hooks;
    let places = Places { tools, brokers: hooks.brokers() };
    let connection = &bench.target.administrator;
    let topic = bench.topic("doomed", 2).await?;
    let mut ledger = Ledger::default();
    let written = ledger.write(&producer(connection)?, &topic, bench.run, RECORDS).await;
    written.map_err(step("writing"))?;
    fill(bench, &places, &topic).await?;
    let known: BTreeSet<String> =
        places.receipts().await?.into_iter().map(|receipt| receipt.topic_id).collect();

    bench.step("deleting the topic");
    let began = Instant::now();
    delete_topic(connection, &topic).await?;
    bench.actions.note("DeleteTopics", &topic, &connection.principal(), true);
    let deleted = Instant::now();
    bench.measure_time("deletion_answered", deleted.duration_since(began));
    let limit = bench.target.limits.deletion;
    let receipt = loop {
        let new = places.receipts().await?.into_iter().find(|receipt| !known.contains(&receipt.topic_id));
        if new.is_some() || began.elapsed() > limit {
            break new;
        }
        tokio::time::sleep(PAUSE).await;
    };
    let Some(receipt) = receipt else {
        bench.check("a signed receipt of the deletion is there", false, "there is none", began);
        return Ok(());
    };
    bench.measure_time("receipt", began.elapsed());
    bench.measure("keys_destroyed", receipt.keys.len() as u64);
    bench.measure("objects_named", receipt.objects.len() as u64);
    bench.measure("places_named_under_other_keys", receipt.remains.len() as u64);
    bench.detail(
        "receipt",
        serde_json::json!({
            "topic_id": receipt.topic_id, "time": receipt.time, "keys": receipt.keys,
            "objects": receipt.objects, "remains": receipt.remains,
        }),
    );
    bench.check(
        "a signed receipt of the deletion is there, and verifies",
        true,
        format!("topic {}, {} keys destroyed", receipt.topic_id, receipt.keys.len()),
        began,
    );

    bench.step("looking for what is left");
    let mut restarts = 0;
    let mut since = Instant::now();
    let left = loop {
        let left = places.left(&receipt).await?;
        if left.is_empty() {
            // What somebody puts back at once is residue as well.
            tokio::time::sleep(STAYS).await;
            let again = places.left(&receipt).await?;
            if again.is_empty() || began.elapsed() > limit {
                break again;
            }
        }
        if began.elapsed() > limit {
            break left;
        }
        let own_log = left.iter().all(|name| name.starts_with("segment/"));
        if !left.is_empty() && own_log && restarts < RESTARTS && since.elapsed() > SETTLE {
            restarts += 1;
            restart(bench).await?;
            since = Instant::now();
        }
        tokio::time::sleep(PAUSE).await;
    };
    bench.measure_time("nothing_left", began.elapsed());
    bench.measure("restarts", restarts);
    if !left.is_empty() {
        bench.detail("left", left.clone());
    }
    let first = left.first().map(String::as_str).unwrap_or_default();
    bench.check(
        format!("within {} s no object or log segment with its records is left", limit.as_secs()),
        left.is_empty(),
        if left.is_empty() {
            format!("none, after {} ms and {restarts} restarts", began.elapsed().as_millis())
        } else {
            format!("{} are left, the first is {first}", left.len())
        },
        began,
    );
    versions(bench, &receipt).await
}

/// What a bucket keeps of objects that are gone, which only their keys could open.
async fn versions(bench: &Bench<'_>, receipt: &Receipt) -> Result<(), DrillError> {
    let hooks = &bench.target.hooks;
    let in_bucket = hooks.brokers().iter().any(|broker| {
        broker.property("cadastre.objects.location").is_some_and(|location| !location.starts_with("file:"))
    });
    if !in_bucket {
        return Ok(());
    }
    let promise = "no older version of its objects is kept that a key could still open";
    if !hooks.declares(Hook::ListObjectVersions) {
        bench.not_exercised(
            promise,
            "the store's own client does not show versions: declare `list-object-versions`; EXT-02 judges the bucket's lifecycle",
        );
        return Ok(());
    }
    let started = Instant::now();
    let kept = hooks.output(Hook::ListObjectVersions, None).await?;
    let of = |named: &[String]| kept.iter().filter(|version| names(named, version)).count();
    let (shredded, readable) = (of(&receipt.objects), of(&receipt.remains));
    bench.measure("older_versions_without_a_key", shredded as u64);
    bench.measure("older_versions_with_a_key", readable as u64);
    bench.check(
        promise,
        readable == 0,
        format!("{readable} that other keys open, {shredded} whose only keys were destroyed"),
        started,
    );
    Ok(())
}

/// Whether a version is one of objects that are named without the bucket's prefix.
fn names(objects: &[String], version: &str) -> bool {
    let is_name = |name: &String| {
        version.strip_suffix(name.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
    };
    objects.iter().any(is_name)
}

/// An embedded broker moves records into objects only from segments that are full: they are filled, where that takes little.
async fn fill(bench: &Bench<'_>, places: &Places<'_>, topic: &str) -> Result<(), DrillError> {
    let embedded = places.brokers.iter().find(|broker| !broker.is_clustered());
    let segment = embedded
        .and_then(|broker| broker.property("log.segment.bytes"))
        .and_then(|bytes| bytes.parse::<usize>().ok())
        .filter(|bytes| *bytes <= LARGEST_SEGMENT);
    let Some(segment) = segment else { return Ok(()) };
    bench.step("filling segments, so that records are moved into objects");
    let before = places.objects().await?;
    let producer = producer(&bench.target.administrator)?;
    let mut waiting = Vec::new();
    for number in 0..(SEGMENTS * segment).div_ceil(FILLER) as u64 {
        let text = crate::ledger::long_value(bench.run, number, FILLER);
        let record = rdkafka::producer::FutureRecord::<str, str>::to(topic).payload(&text);
        waiting.push(producer.send_result(record).map_err(|(error, _)| step("filling")(error))?);
    }
    for delivery in waiting {
        let delivered = delivery.await;
        let delivered = delivered.map_err(|_gone| DrillError::Ended { reason: "the producer".to_owned() })?;
        delivered.map_err(|(error, _)| step("filling")(error))?;
    }
    let started = Instant::now();
    while started.elapsed() < PACKED {
        let now = places.objects().await?;
        let new = now.difference(&before).count();
        bench.measure("objects_made", new as u64);
        if new > 0 {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

async fn restart(bench: &Bench<'_>) -> Result<(), DrillError> {
    let hooks = bench.target.hooks.clone();
    let undo = hooks.clone();
    bench.undo.register("start the broker again", async move {
        for broker in undo.brokers() {
            broker.start(undo.programs()).await?;
        }
        Ok::<(), DrillError>(())
    });
    for broker in hooks.brokers().iter().filter(|broker| !broker.is_clustered()) {
        broker.stop().await?;
        broker.start(hooks.programs()).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(version: &str, expected: bool) {
        assert_eq!(names(&["wal/17/3".to_owned()], version), expected, "{version}");
    }

    #[test]
    fn a_version_belongs_to_an_object_by_its_whole_name() {
        check("wal/17/3", true);
        check("prefix/wal/17/3", true);
        check("wal/17/31", false);
        check("prefix-wal/17/3", false);
    }
}
