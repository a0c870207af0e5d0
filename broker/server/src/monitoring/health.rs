//! Whether the broker can do its work: storage open, metadata reached, key usable, not about to stop.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use super::watched_keys::WatchedKeys;
use crate::node::Node;

/// How long an answer stands: whoever asks more often causes nothing.
const STANDS_FOR: Duration = Duration::from_secs(1);
/// How long the database may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// What stands in the way of what, in words that tell strangers nothing; the log tells the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Health {
    pub(crate) ready: bool,
    pub(crate) phase: &'static str,
    pub(crate) storage: &'static str,
    pub(crate) metadata: &'static str,
    pub(crate) keys: &'static str,
}

impl Health {
    /// A broker that is still opening its storage.
    pub(crate) const STARTING: Self =
        Self { ready: false, phase: "starting", storage: "opening", metadata: "unknown", keys: "unknown" };
}

/// Finds out, at most once a second.
#[derive(Debug)]
pub(crate) struct HealthCheck {
    node: Arc<Node>,
    keys: Arc<WatchedKeys>,
    last: Mutex<Option<(Instant, Health)>>,
}

impl HealthCheck {
    pub(crate) fn new(node: Arc<Node>, keys: Arc<WatchedKeys>) -> Self {
        Self { node, keys, last: Mutex::new(None) }
    }

    /// The broker, for its metrics.
    pub(crate) fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// The key service, for its metrics.
    pub(crate) fn keys(&self) -> &Arc<WatchedKeys> {
        &self.keys
    }

    /// Whether only a new start can help: the log takes no more writes.
    pub(crate) fn has_failed(&self) -> bool {
        self.node.storage.failure().is_some()
    }

    /// How the broker is.
    pub(crate) async fn health(&self) -> Health {
        // Held over the questions, so that many who ask at once ask once.
        let mut last = self.last.lock().await;
        if let Some((at, health)) = *last
            && at.elapsed() < STANDS_FOR
            && !self.is_stopping()
        {
            return health;
        }
        let health = self.find_out().await;
        *last = Some((Instant::now(), health));
        health
    }

    fn is_stopping(&self) -> bool {
        *self.node.stopping.borrow()
    }

    async fn find_out(&self) -> Health {
        let is_stopping = self.is_stopping();
        let storage = !self.has_failed();
        let (metadata, keys) = if is_stopping {
            // What is being closed is not asked any more.
            (None, None)
        } else {
            let lease = self.node.config.keys.cache.ttl;
            let (metadata, keys) = tokio::join!(self.reaches_metadata(), self.keys.is_usable(lease));
            (Some(metadata), Some(keys))
        };
        Health {
            ready: !is_stopping && storage && metadata == Some(true) && keys == Some(true),
            phase: if is_stopping { "stopping" } else { "running" },
            storage: if storage { "open" } else { "failed" },
            metadata: word(metadata, "reached", "unreachable"),
            keys: word(keys, "usable", "unusable"),
        }
    }

    /// Embedded, metadata is part of the storage; in a cluster the database is asked.
    async fn reaches_metadata(&self) -> bool {
        matches!(timeout(PATIENCE, self.node.storage.confirm_registry()).await, Ok(Ok(_known)))
    }
}

fn word(known: Option<bool>, yes: &'static str, no: &'static str) -> &'static str {
    match known {
        Some(true) => yes,
        Some(false) => no,
        None => "unknown",
    }
}
