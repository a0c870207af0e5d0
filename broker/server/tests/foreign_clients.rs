//! What clients that nobody here wrote see of the broker: kafka-python and confluent-kafka.

mod common;

use common::TestBroker;

#[test]
fn records_go_in_and_come_out_through_sasl_ssl() {
    TestBroker::secure().python("produce_consume.py", &[]);
}

#[test]
fn groups_share_partitions_as_members_come_and_go() {
    TestBroker::secure().python("groups.py", &[]);
}

#[test]
fn admin_requests_do_what_they_say() {
    TestBroker::secure().python("admin.py", &[]);
}

#[test]
fn what_no_acl_allows_is_denied_and_recorded() {
    let broker = TestBroker::secure();
    if broker.python("denied.py", &[]).is_none() {
        return;
    }
    let audit = broker.audit();
    let lines: Vec<serde_json::Value> =
        audit.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let has = |expected: serde_json::Value| {
        let fields = expected.as_object().unwrap();
        lines.iter().any(|line| fields.iter().all(|(field, value)| line[field] == *value))
    };
    assert!(
        has(serde_json::json!({
            "principal": "User:alice", "request": "Metadata", "operation": "DESCRIBE", "resource": "ledger",
            "allowed": false, "rule": "DefaultDeny", "client_address": "127.0.0.1",
        })),
        "{audit}"
    );
    assert!(
        has(serde_json::json!({
            "principal": "User:alice", "request": "Produce", "allowed": false,
            "rule": "MatchingAcl(DENY User:alice from *: WRITE on TOPIC LITERAL `ledger`)",
        })),
        "{audit}"
    );
    assert!(
        has(serde_json::json!({"principal": "User:admin", "request": "CreateAcls", "allowed": true})),
        "{audit}"
    );
    assert!(has(serde_json::json!({"principal": "User:mallory", "operation": "AUTHENTICATE"})), "{audit}");
    assert!(!audit.contains("secret"), "{audit}");
}
