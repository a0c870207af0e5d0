//! The settings of the coordinator, with Kafka's property names and defaults.

use crate::consumer::assignor::Assignor;

/// `group.consumer.migration.policy`: which groups with members may change their protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MigrationPolicy {
    /// Whether a member of the newer protocol makes a classic group a consumer group.
    pub upgrades: bool,
    /// Whether a consumer group becomes a classic group once all its members speak the classic protocol.
    pub downgrades: bool,
}

/// How groups behave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoordinatorConfig {
    /// `group.initial.rebalance.delay.ms`: how long an empty group waits for more members.
    pub initial_rebalance_delay_ms: i64,
    /// `group.min.session.timeout.ms`.
    pub minimum_session_timeout_ms: i32,
    /// `group.max.session.timeout.ms`.
    pub maximum_session_timeout_ms: i32,
    /// `group.max.size`: how many members a group may have.
    pub maximum_size: usize,
    /// How long a new member may wait for the group before it must ask again, in milliseconds.
    pub new_member_join_timeout_ms: i64,
    /// `group.consumer.assignors`; the first is used where no member asks for another.
    pub assignors: Vec<Assignor>,
    /// `group.consumer.max.size`: how many members a consumer group may have.
    pub consumer_maximum_size: usize,
    /// `group.consumer.session.timeout.ms`, for members of which no heartbeat has been seen since a restart.
    pub consumer_session_timeout_ms: i32,
    /// `group.consumer.regex.refresh.interval.ms`.
    pub pattern_refresh_interval_ms: i64,
    /// `group.consumer.migration.policy`.
    pub migration: MigrationPolicy,
    /// `offset.metadata.max.bytes`: the longest text that may go with an offset.
    pub maximum_offset_metadata_bytes: usize,
    /// `offsets.retention.minutes`, in milliseconds.
    pub offsets_retention_ms: i64,
    /// `offsets.retention.check.interval.ms`.
    pub offsets_retention_check_interval_ms: i64,
}

impl Default for CoordinatorConfig {
    fn default() -> Self {
        Self {
            initial_rebalance_delay_ms: 3_000,
            minimum_session_timeout_ms: 6_000,
            maximum_session_timeout_ms: 1_800_000,
            maximum_size: usize::MAX,
            new_member_join_timeout_ms: 300_000,
            assignors: vec![Assignor::Uniform, Assignor::Range],
            consumer_maximum_size: usize::MAX,
            consumer_session_timeout_ms: 45_000,
            pattern_refresh_interval_ms: 600_000,
            migration: MigrationPolicy { upgrades: true, downgrades: true },
            maximum_offset_metadata_bytes: 4_096,
            offsets_retention_ms: 7 * 24 * 3_600_000,
            offsets_retention_check_interval_ms: 600_000,
        }
    }
}

impl CoordinatorConfig {
    pub(crate) fn default_assignor(&self) -> Assignor {
        self.assignors.first().copied().unwrap_or(Assignor::Uniform)
    }
}
