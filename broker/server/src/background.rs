//! What happens without a request: retention, expiry, group timeouts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use cadastre_keys::{KeyProvider, KeyRing};
use cadastre_protocol::types::TopicId;
use cadastre_storage::{CleaningRules, RewriteSettings, SweepOutcome};
use tokio::task::JoinSet;

use crate::broker::StartError;
use crate::data_path::DataPath;
use crate::listeners::certificates::Certificates;
use crate::listeners::listener_security::chain;
use crate::node::Node;
use crate::open_storage::BrokerKeys;
use crate::state::StateError;
use crate::sync::write;

/// How long to wait before changes that could not be taken over are read again.
const TRY_AGAIN: Duration = Duration::from_secs(1);
/// Objects that are made by rewriting are closed at about this size, in bytes, unless the configuration says otherwise.
const REWRITTEN_OBJECT_BYTES: u64 = 32 << 20;
/// How long records must have been without a topic's name before they are removed.
const NAMELESS_FOR: Duration = Duration::from_secs(600);

/// Starts the tasks; they end when the broker stops.
pub(crate) fn spawn(tasks: &mut JoinSet<()>, node: &Arc<Node>, keys: &BrokerKeys) {
    tasks.spawn(retention(Arc::clone(node)));
    tasks.spawn(packing(Arc::clone(node)));
    tasks.spawn(sweeping(Arc::clone(node)));
    tasks.spawn(certificates(Arc::clone(node)));
    tasks.spawn(leases(Arc::clone(node), Arc::clone(&keys.ring), Arc::clone(&keys.provider)));
    if node.config.storage.is_cluster() {
        tasks.spawn(others(Arc::clone(node)));
        tasks.spawn(group_shares(Arc::clone(node)));
    }
    tasks.spawn(nameless(Arc::clone(node)));
    tasks.spawn(rewriting(Arc::clone(node)));
    tasks.spawn(group_time(Arc::clone(node)));
    tasks.spawn(group_records(Arc::clone(node)));
    tasks.spawn(transaction_time(Arc::clone(node)));
    tasks.spawn(transaction_remains(Arc::clone(node)));
}

/// Waits; false when the broker stops first.
async fn pause(node: &Node, duration: Duration) -> bool {
    tokio::select! {
        () = node.stopped() => false,
        () = tokio::time::sleep(duration) => true,
    }
}

/// Deletes records that are too old or too many, forgets idle producers, and gives space back.
async fn retention(node: Arc<Node>) {
    loop {
        let interval = node.settings.number("log.retention.check.interval.ms").unsigned_abs();
        if !pause(&node, Duration::from_millis(interval.max(1))).await {
            return;
        }
        for topic in node.topics.all() {
            let policy = node.settings.topic_text(&topic, "cleanup.policy").unwrap_or_default();
            if !policy.split(',').any(|policy| policy.trim() == "delete") {
                continue;
            }
            let milliseconds = node.settings.topic_number(&topic, "retention.ms");
            let bytes = node.settings.topic_number(&topic, "retention.bytes");
            for index in 0..topic.partitions {
                let now_ms = node.clock.now_ms();
                let enforced =
                    node.storage.enforce_retention(topic.partition(index), milliseconds, bytes, now_ms).await;
                if let Err(error) = enforced {
                    tracing::warn!(topic = %topic.name, index, error = %chain(&error), "retention not enforced");
                }
            }
        }
        let idle_since_ms = node.clock.now_ms() - node.settings.number("producer.id.expiration.ms");
        if let Err(error) = node.storage.expire_producers(idle_since_ms).await {
            tracing::warn!(error = %chain(&error), "idle producers not forgotten");
        }
        if let Err(error) = node.storage.reclaim().await {
            tracing::warn!(error = %chain(&error), "space not given back");
        }
    }
}

/// Moves records out of full segments into objects.
async fn packing(node: Arc<Node>) {
    while pause(&node, node.config.storage.pack_interval).await {
        match node.storage.pack(node.clock.now_ms()).await {
            Ok(report) if report.objects > 0 => {
                tracing::info!(
                    objects = report.objects,
                    batches = report.batches,
                    bytes = report.bytes,
                    "packed"
                );
            }
            Ok(_nothing) => {}
            Err(error) => tracing::warn!(error = %chain(&error), "records stay in the log for now"),
        }
    }
}

/// Deletes objects that are proven to be orphans; the proof is in the audit log before they go.
async fn sweeping(node: Arc<Node>) {
    let Some(mut sweep) = node.storage.orphan_sweep(node.config.storage.sweep) else { return };
    while pause(&node, node.config.storage.sweep_interval).await {
        match sweep.round(node.clock.now_ms(), |report| node.audit.record_sweep(report)).await {
            Ok(SweepOutcome { report, deleted }) => {
                for odd in &report.odd {
                    tracing::warn!(object = %odd, "an object that this cluster did not write is left alone");
                }
                for missing in &report.missing {
                    tracing::error!(object = %missing, "an object is missing: its records cannot be read");
                }
                if !deleted.is_empty() {
                    tracing::info!(count = deleted.len(), "orphans deleted");
                }
            }
            Err(error) => tracing::warn!(error = %chain(&error), "orphans not looked for"),
        }
    }
}

/// Writes where everything goes, if that is news.
///
/// # Errors
///
/// [`StartError::DataPath`], [`StartError::Format`].
pub(crate) fn write_data_path(node: &Node, provider: &dyn KeyProvider) -> Result<(), StartError> {
    let bound = node.bound.get().map(Vec::as_slice).unwrap_or_default();
    let manifest = DataPath::of(&node.config, &node.cluster_id, provider.key_id(), bound)?;
    let path = node.config.data_path_file.clone();
    manifest.write(&path).map_err(|source| StartError::DataPath { path, source })?;
    *write(&node.data_path) = manifest.text();
    Ok(())
}

/// Reads key stores and trust stores anew when their files changed.
async fn certificates(node: Arc<Node>) {
    let interval =
        Duration::from_millis(node.config.number("cadastre.tls.reload.interval.ms").unsigned_abs());
    while !interval.is_zero() && pause(&node, interval).await {
        let node = Arc::clone(&node);
        let look = move || node.certificates.get().map(Certificates::reload_changed);
        if tokio::task::spawn_blocking(look).await.is_err() {
            tracing::error!("key stores were not looked at");
        }
    }
}

/// Wipes keys whose leases are over and renews those in use; says so when the key itself is another one.
async fn leases(node: Arc<Node>, ring: Arc<KeyRing>, provider: Arc<dyn KeyProvider>) {
    let interval = (node.config.keys.cache.ttl / 6).max(Duration::from_millis(50));
    while pause(&node, interval).await {
        ring.maintain().await;
        if let Err(error) = write_data_path(&node, provider.as_ref()) {
            tracing::warn!(error = %chain(&error), "the data-path manifest is not up to date");
        }
    }
}

/// Takes over what other brokers of the cluster changed.
async fn others(node: Arc<Node>) {
    let Some(mut version) = node.storage.metadata().subscribe() else { return };
    let mut known = topic_ids(&node);
    loop {
        tokio::select! {
            () = node.stopped() => return,
            changed = version.changed() => if changed.is_err() { return },
        }
        if let Err(error) = reload(&node).await {
            // What was known stays in force; the next change, or the next moment, brings another attempt.
            tracing::error!(error = %chain(&error), "changes of other brokers cannot be taken over");
            if !pause(&node, TRY_AGAIN).await {
                return;
            }
            version.mark_changed();
            continue;
        }
        let current = topic_ids(&node);
        for (name, _) in known.iter().filter(|(name, id)| current.get(*name) != Some(id)) {
            node.groups.topic_deleted(name);
        }
        known = current;
    }
}

async fn reload(node: &Node) -> Result<(), StateError> {
    node.topics.reload().await?;
    node.settings.reload().await?;
    node.acls.reload().await?;
    node.scram.reload().await?;
    node.quotas.reload().await
}

fn topic_ids(node: &Node) -> BTreeMap<String, TopicId> {
    node.topics.all().iter().map(|topic| (topic.name.clone(), topic.id)).collect()
}

/// Removes records of topics that have had no name for so long that nobody can be about to give them one: who creates a topic
/// makes its partitions first, and is fenced when it stands still.
async fn nameless(node: Arc<Node>) {
    let mut suspects = BTreeSet::new();
    while pause(&node, NAMELESS_FOR).await {
        if let Err(error) = node.storage.metadata().refresh().await {
            tracing::debug!(error = %chain(&error), "topics without a name not looked for");
            continue;
        }
        if let Err(error) = node.topics.reload().await {
            tracing::warn!(error = %chain(&error), "topics without a name not looked for");
            continue;
        }
        let found = node.topics.nameless();
        for topic in found.intersection(&suspects) {
            if let Err(error) = node.topics.remove(*topic).await {
                tracing::warn!(error = %chain(&error), %topic, "records without a name stay for now");
            }
        }
        suspects = found;
    }
}

/// Puts small pieces of partitions together, and compacts topics that ask for it.
async fn rewriting(node: Arc<Node>) {
    // An entry of the map takes about 40 bytes.
    let keys = node.config.number("log.cleaner.dedupe.buffer.size") / 40;
    let maximum_keys = usize::try_from(keys).unwrap_or(0).max(1000);
    let object_bytes = node.config.storage.object_bytes.unwrap_or(REWRITTEN_OBJECT_BYTES);
    while pause(&node, cleaner_backoff(&node)).await {
        for topic in node.topics.all() {
            let policy = node.settings.topic_text(&topic, "cleanup.policy").unwrap_or_default();
            let is_compacted = policy.split(',').any(|policy| policy.trim() == "compact");
            if is_compacted && !node.config.flag("log.cleaner.enable") {
                continue;
            }
            let cleaning = is_compacted.then(|| CleaningRules {
                minimum_dirty_ratio: node
                    .settings
                    .topic_text(&topic, "min.cleanable.dirty.ratio")
                    .and_then(|ratio| ratio.parse().ok())
                    .unwrap_or(0.5),
                minimum_lag_ms: node.settings.topic_number(&topic, "min.compaction.lag.ms"),
                maximum_lag_ms: node.settings.topic_number(&topic, "max.compaction.lag.ms"),
                delete_retention_ms: node.settings.topic_number(&topic, "delete.retention.ms"),
            });
            let settings = RewriteSettings { cleaning, object_bytes, maximum_keys };
            for index in 0..topic.partitions {
                let rewritten =
                    node.storage.rewrite(topic.partition(index), settings, node.clock.now_ms()).await;
                match rewritten {
                    Ok(report) if report.objects > 0 => {
                        tracing::info!(topic = %topic.name, index, ?report, "partition rewritten");
                    }
                    Ok(_nothing) => {}
                    Err(error) => {
                        tracing::warn!(topic = %topic.name, index, error = %chain(&error), "partition not rewritten");
                    }
                }
            }
        }
    }
}

fn cleaner_backoff(node: &Node) -> Duration {
    Duration::from_millis(node.settings.number("log.cleaner.backoff.ms").unsigned_abs().max(50))
}

/// Shares the groups with the other brokers.
async fn group_shares(node: Arc<Node>) {
    node.groups.follow_registry(node.stopped()).await;
}

/// Moves groups on when members do not answer.
async fn group_time(node: Arc<Node>) {
    node.groups.keep_time(node.stopped()).await;
}

/// Ends transactions that nobody else ends.
async fn transaction_time(node: Arc<Node>) {
    let interval = node.config.number("transaction.abort.timed.out.transaction.cleanup.interval.ms");
    let interval = Duration::from_millis(interval.unsigned_abs().max(50));
    loop {
        // At once: what an earlier process decided is to be carried out.
        node.transactions.maintain().await;
        if !pause(&node, interval).await {
            return;
        }
    }
}

/// Removes what is remembered of aborted transactions together with their records.
async fn transaction_remains(node: Arc<Node>) {
    loop {
        let interval = node.settings.number("log.retention.check.interval.ms").unsigned_abs();
        if !pause(&node, Duration::from_millis(interval.max(1))).await {
            return;
        }
        node.transactions.prune().await;
    }
}

/// Writes what groups decided.
async fn group_records(node: Arc<Node>) {
    node.groups.write_records(node.stopped()).await;
}
