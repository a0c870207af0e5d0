//! What the broker's properties say of groups.

use cadastre_coordinator::{Assignor, CoordinatorConfig, MigrationPolicy};

use crate::config::BrokerConfig;

/// The coordinator's settings.
pub(super) fn of(config: &BrokerConfig) -> CoordinatorConfig {
    let number = |name: &str| config.number(name);
    let small = |name: &str| i32::try_from(config.number(name)).unwrap_or(i32::MAX);
    let count = |name: &str| usize::try_from(config.number(name)).unwrap_or(usize::MAX);
    let defaults = CoordinatorConfig::default();
    let names = config.text("group.consumer.assignors");
    // Assignors of other names are Java classes, which nobody can ask for here.
    let assignors: Vec<Assignor> = names.split(',').filter_map(|name| name.trim().parse().ok()).collect();
    let policy = config.text("group.consumer.migration.policy").trim().to_ascii_lowercase();
    CoordinatorConfig {
        initial_rebalance_delay_ms: number("group.initial.rebalance.delay.ms"),
        minimum_session_timeout_ms: small("group.min.session.timeout.ms"),
        maximum_session_timeout_ms: small("group.max.session.timeout.ms"),
        maximum_size: count("group.max.size"),
        assignors: if assignors.is_empty() { defaults.assignors.clone() } else { assignors },
        consumer_maximum_size: count("group.consumer.max.size"),
        consumer_session_timeout_ms: small("group.consumer.session.timeout.ms"),
        pattern_refresh_interval_ms: number("group.consumer.regex.refresh.interval.ms"),
        migration: MigrationPolicy {
            upgrades: matches!(policy.as_str(), "upgrade" | "bidirectional"),
            downgrades: matches!(policy.as_str(), "downgrade" | "bidirectional"),
        },
        maximum_offset_metadata_bytes: count("offset.metadata.max.bytes"),
        offsets_retention_ms: number("offsets.retention.minutes").saturating_mul(60_000),
        offsets_retention_check_interval_ms: number("offsets.retention.check.interval.ms"),
        ..defaults
    }
}

/// Whether groups of the newer protocol are taken at all.
pub(super) fn takes_consumer_protocol(config: &BrokerConfig) -> bool {
    config.text("group.coordinator.rebalance.protocols").split(',').any(|name| name.trim() == "consumer")
}
