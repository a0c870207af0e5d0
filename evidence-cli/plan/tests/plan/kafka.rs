//! Topics, ACLs and users of the common providers.

use serde_json::{Value, json};

use crate::support::{check, create, silent};

fn binding(principal: &str, operation: &str, name: &str) -> Value {
    json!({"resource_name": name, "resource_type": "Topic", "acl_principal": principal, "acl_host": "*",
        "acl_operation": operation, "acl_permission_type": "Allow", "resource_pattern_type_filter": "Prefixed"})
}

#[test]
fn a_binding_lets_the_vendor_read() {
    check(
        &[create("kafka_acl.vendor", binding("User:streamco-agent", "Read", "payments."))],
        &["User:streamco-agent can now read records of topic:payments/payments."],
        &["User:streamco-agent can no longer read records of topic:payments/payments."],
    );
}

#[test]
fn a_binding_lets_somebody_write() {
    check(
        &[create("kafka_acl.writer", binding("User:ledger", "Write", "reference."))],
        &["User:ledger can now write records to topic:payments/reference."],
        &["User:ledger can no longer write records to topic:payments/reference."],
    );
}

#[test]
fn bindings_of_other_providers_are_the_same_bindings() {
    let expected = "User:streamco-agent can now read records of topic:payments/payments.";
    let back = "User:streamco-agent can no longer read records of topic:payments/payments.";
    let confluent = json!({"resource_name": "payments.", "resource_type": "TOPIC", "principal": "User:streamco-agent", "host": "*",
        "operation": "READ", "permission": "ALLOW", "pattern_type": "PREFIXED"});
    check(&[create("confluent_kafka_acl.vendor", confluent)], &[expected], &[back]);
    let redpanda = json!({"resource_name": "payments.", "resource_type": "TOPIC", "principal": "User:streamco-agent", "host": "*",
        "operation": "READ", "permission_type": "ALLOW", "resource_pattern_type": "PREFIXED"});
    check(&[create("redpanda_acl.vendor", redpanda)], &[expected], &[back]);
}

#[test]
fn topics_appear_and_go() {
    let expected = "topic:payments/payments.disputes is new in the data plane";
    let gone = "topic:payments/payments.disputes is gone from the data plane";
    for (address, values) in [
        (
            "kafka_topic.t",
            json!({"name": "payments.disputes", "partitions": 6, "replication_factor": 3, "config": {"retention.ms": "604800000"}}),
        ),
        (
            "redpanda_topic.t",
            json!({"name": "payments.disputes", "partition_count": 6, "replication_factor": 3, "configuration": {}}),
        ),
        (
            "aws_msk_topic.t",
            json!({"name": "payments.disputes", "partition_count": 6, "replication_factor": 3, "configs": "{\"retention.ms\":\"1\"}"}),
        ),
    ] {
        check(&[create(address, values)], &[expected], &[gone]);
    }
}

#[test]
fn a_user_moves_nothing_until_something_allows_it() {
    silent(&[create(
        "kafka_user_scram_credential.u",
        json!({"username": "contractor", "scram_mechanism": "SCRAM-SHA-512", "scram_iterations": 8192, "password": "not kept"}),
    )]);
}
