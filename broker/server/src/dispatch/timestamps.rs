//! Which timestamps produced records may carry (`LogValidator.validateTimestamp`).

use crate::node::Node;
use crate::state::topics::Topic;

/// The timestamp of a record that has none.
const NONE: i64 = -1;

/// The timestamps that a topic accepts, in milliseconds since the epoch, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Accepted {
    earliest: i64,
    latest: i64,
}

impl Accepted {
    /// By `message.timestamp.before.max.ms` and `message.timestamp.after.max.ms`.
    pub(super) fn by(node: &Node, topic: &Topic, now_ms: i64) -> Self {
        let before = node.settings.topic_number(topic, "message.timestamp.before.max.ms");
        let after = node.settings.topic_number(topic, "message.timestamp.after.max.ms");
        Self { earliest: now_ms.saturating_sub(before), latest: now_ms.saturating_add(after) }
    }

    /// Whether a record may have the timestamp; a record may also have none, -1.
    pub(super) fn contains(self, timestamp: i64) -> bool {
        timestamp == NONE || (self.earliest..=self.latest).contains(&timestamp)
    }
}
