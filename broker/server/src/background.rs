//! What happens without a request: retention, expiry, group timeouts.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::listeners::listener_security::chain;
use crate::node::Node;

/// Starts the tasks; they end when the broker stops.
pub(crate) fn spawn(tasks: &mut JoinSet<()>, node: &Arc<Node>) {
    tasks.spawn(retention(Arc::clone(node)));
    tasks.spawn(group_time(Arc::clone(node)));
    tasks.spawn(group_records(Arc::clone(node)));
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

/// Moves groups on when members do not answer.
async fn group_time(node: Arc<Node>) {
    node.groups.keep_time(node.stopped()).await;
}

/// Writes what groups decided.
async fn group_records(node: Arc<Node>) {
    node.groups.write_records(node.stopped()).await;
}
