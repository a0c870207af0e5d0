//! Kafka's names for the numbers it sends.

use cadastre_model::time::Timestamp;
use serde_json::{Value, json};

/// AclOperation.java, by code.
const OPERATIONS: [&str; 16] = [
    "UNKNOWN",
    "ANY",
    "ALL",
    "READ",
    "WRITE",
    "CREATE",
    "DELETE",
    "ALTER",
    "DESCRIBE",
    "CLUSTER_ACTION",
    "DESCRIBE_CONFIGS",
    "ALTER_CONFIGS",
    "IDEMPOTENT_WRITE",
    "CREATE_TOKENS",
    "DESCRIBE_TOKENS",
    "TWO_PHASE_COMMIT",
];
/// ResourceType.java, by code.
const RESOURCE_TYPES: [&str; 8] =
    ["UNKNOWN", "ANY", "TOPIC", "GROUP", "CLUSTER", "TRANSACTIONAL_ID", "DELEGATION_TOKEN", "USER"];
/// PatternType.java, by code.
const PATTERN_TYPES: [&str; 5] = ["UNKNOWN", "ANY", "MATCH", "LITERAL", "PREFIXED"];
/// AclPermissionType.java, by code.
const PERMISSIONS: [&str; 4] = ["UNKNOWN", "ANY", "DENY", "ALLOW"];
/// DescribeConfigsResponse.java, ConfigSource, by code; the names are ConfigEntry.ConfigSource's.
const CONFIG_SOURCES: [&str; 9] = [
    "UNKNOWN",
    "DYNAMIC_TOPIC_CONFIG",
    "DYNAMIC_BROKER_CONFIG",
    "DYNAMIC_DEFAULT_BROKER_CONFIG",
    "STATIC_BROKER_CONFIG",
    "DEFAULT_CONFIG",
    "DYNAMIC_BROKER_LOGGER_CONFIG",
    "CLIENT_METRICS_CONFIG",
    "GROUP_CONFIG",
];
/// DescribeConfigsResponse.java, ConfigType, by code.
const CONFIG_TYPES: [&str; 10] =
    ["UNKNOWN", "BOOLEAN", "STRING", "INT", "SHORT", "LONG", "DOUBLE", "LIST", "CLASS", "PASSWORD"];
/// ScramMechanism.java, by code.
const SCRAM_MECHANISMS: [&str; 3] = ["UNKNOWN", "SCRAM-SHA-256", "SCRAM-SHA-512"];

fn named(names: &[&'static str], code: i8) -> String {
    let known = usize::try_from(code).ok().and_then(|code| names.get(code));
    known.map_or_else(|| format!("CODE_{code}"), ToString::to_string)
}

pub(super) fn operation(code: i8) -> String {
    named(&OPERATIONS, code)
}

pub(super) fn resource_type(code: i8) -> String {
    named(&RESOURCE_TYPES, code)
}

pub(super) fn pattern_type(code: i8) -> String {
    named(&PATTERN_TYPES, code)
}

pub(super) fn permission(code: i8) -> String {
    named(&PERMISSIONS, code)
}

pub(super) fn config_source(code: i8) -> String {
    named(&CONFIG_SOURCES, code)
}

pub(super) fn config_type(code: i8) -> String {
    named(&CONFIG_TYPES, code)
}

pub(super) fn scram_mechanism(code: i8) -> String {
    named(&SCRAM_MECHANISMS, code)
}

/// ConfigResource.java, Type.
pub(super) fn config_resource(code: i8) -> String {
    match code {
        2 => "TOPIC".to_owned(),
        4 => "BROKER".to_owned(),
        8 => "BROKER_LOGGER".to_owned(),
        16 => "CLIENT_METRICS".to_owned(),
        32 => "GROUP".to_owned(),
        other => format!("CODE_{other}"),
    }
}

/// The operations in a bit field (KIP-430); `null` for the smallest integer, which says that there is none.
pub(super) fn authorized_operations(bits: i32) -> Value {
    if bits == i32::MIN {
        return Value::Null;
    }
    let mut operations: Vec<&str> = OPERATIONS
        .iter()
        .enumerate()
        .filter(|(position, _name)| bits.cast_unsigned() >> position & 1 == 1)
        .map(|(_position, name)| *name)
        .collect();
    operations.sort_unstable();
    json!(operations)
}

/// A time in milliseconds since the epoch; `null` for negative ones, which say that there is none.
pub(super) fn time(milliseconds: i64) -> Value {
    if milliseconds < 0 {
        return Value::Null;
    }
    Timestamp::from_milliseconds(milliseconds).map_or(Value::Null, |time| json!(time.truncated_to_seconds()))
}

/// A size in bytes; `null` for negative ones.
pub(super) fn bytes(size: i64) -> Value {
    if size < 0 { Value::Null } else { json!(size) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_get_kafkas_names() {
        assert_eq!(operation(3), "READ");
        assert_eq!(operation(15), "TWO_PHASE_COMMIT");
        assert_eq!(operation(99), "CODE_99");
        assert_eq!(operation(-1), "CODE_-1");
        assert_eq!(resource_type(4), "CLUSTER");
        assert_eq!(pattern_type(4), "PREFIXED");
        assert_eq!(permission(3), "ALLOW");
        assert_eq!(config_source(4), "STATIC_BROKER_CONFIG");
    }

    #[test]
    fn bit_fields_become_sorted_names() {
        assert_eq!(authorized_operations(1 << 3 | 1 << 8), json!(["DESCRIBE", "READ"]));
        assert_eq!(authorized_operations(0), json!([]));
        assert_eq!(authorized_operations(i32::MIN), Value::Null);
    }

    #[test]
    fn times_and_sizes_that_are_not_said_are_null() {
        assert_eq!(time(-1), Value::Null);
        assert_eq!(time(1_795_256_668_123), json!("2026-11-21T10:24:28Z"));
        assert_eq!(bytes(-1), Value::Null);
    }
}
