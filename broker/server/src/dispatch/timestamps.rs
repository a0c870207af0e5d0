//! Which timestamps a produced batch may carry (`LogValidator.validateTimestamp`).

use crate::node::Node;
use crate::state::topics::Topic;

/// Whether the timestamps from `earliest` to `latest` lie within what the topic accepts at `now_ms`, all in
/// milliseconds since the epoch.
pub(super) fn accepted(node: &Node, topic: &Topic, earliest: i64, latest: i64, now_ms: i64) -> bool {
    let before = node.settings.topic_number(topic, "message.timestamp.before.max.ms");
    let after = node.settings.topic_number(topic, "message.timestamp.after.max.ms");
    now_ms.saturating_sub(earliest) <= before && latest.saturating_sub(now_ms) <= after
}
