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
fn consumer_groups_share_partitions_as_members_come_and_go() {
    // The members hear of changes by their heartbeats, which are 5 seconds apart by default.
    let more = "group.consumer.min.heartbeat.interval.ms=500\ngroup.consumer.heartbeat.interval.ms=500\n";
    TestBroker::with(more).python("consumer_groups.py", &[]);
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

#[test]
fn clients_are_who_their_certificate_or_password_says() {
    let (ssl, plain) = (common::free_port(), common::free_port());
    let broker = TestBroker::configured("");
    let directory = broker.directory.path().display().to_string();
    let file = broker.path("server.properties");
    let own = std::fs::read_to_string(&file).unwrap();
    let secured = broker.address();
    let properties = own.replace(
        "listeners=SASL_SSL",
        &format!("listeners=MUTUAL://127.0.0.1:{ssl},PLAIN://127.0.0.1:{plain},SASL_SSL"),
    );
    let more = format!(
        "listener.security.protocol.map=MUTUAL:SSL,PLAIN:SASL_PLAINTEXT,SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT\n\
         listener.name.mutual.ssl.client.auth=required\n\
         listener.name.mutual.ssl.truststore.type=PEM\n\
         listener.name.mutual.ssl.truststore.location={directory}/ca.pem\n\
         listener.name.mutual.ssl.principal.mapping.rules=RULE:^.*CN=([^,]+).*$/$1/L,DEFAULT\n\
         listener.name.plain.sasl.enabled.mechanisms=PLAIN\n\
         listener.name.plain.plain.sasl.jaas.config=\\\n  \
         org.apache.kafka.common.security.plain.PlainLoginModule required user_eve=\"eve-secret\";\n"
    );
    std::fs::write(&file, format!("{properties}{more}")).unwrap();
    let broker = broker.formatted();
    assert_eq!(broker.address(), secured);
    broker.python("identities.py", &[&format!("127.0.0.1:{ssl}"), &format!("127.0.0.1:{plain}")]);
}
