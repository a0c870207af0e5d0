//! Kafka decisions, worked out by hand from the stock authorizer's source and documentation.

use cadastre_model::Known;
use cadastre_model::access::Capability::{self, ChangePolicy, ReadRecords, WriteRecords};
use cadastre_model::asset::kafka::{
    AclBinding, Broker, ConfigEntry, DenialProbe, KafkaCluster, KafkaListener, ScramCredential, Topic,
};

use crate::support::Expect::{self, Allow, Deny, Unknown, When};
use crate::support::{World, decision, expect, record};

const PAGE: &str = "Apache Kafka documentation: Authorization and ACLs";
const TOPIC: &str = "topic:payments/orders";
const CLUSTER: &str = "cluster:payments";

pub(crate) fn cluster(acls: &[&str], settings: &[(&str, &str)]) -> KafkaCluster {
    let configs = settings.iter().map(|(name, value)| {
        let entry = ConfigEntry {
            value: Some((*value).into()),
            source: "STATIC_BROKER_CONFIG".into(),
            sensitive: false,
        };
        ((*name).to_owned(), entry)
    });
    KafkaCluster {
        name: "payments".into(),
        cluster_id: Known::Absent,
        brokers: Known::Observed(vec![Broker {
            id: 1,
            host: "b1".into(),
            port: 9093,
            rack: None,
            configs: Known::Observed(configs.collect()),
            evidence: [record("configs")].into(),
        }]),
        quorum: Known::Absent,
        listeners: vec![],
        topics: Known::Observed(vec![Topic {
            name: "orders".into(),
            id: None,
            internal: false,
            partitions: 1,
            replicas: 3,
            configs: Known::Absent,
            evidence: [record("topics")].into(),
        }]),
        acls: Known::Observed(acls.iter().enumerate().map(|(number, text)| acl(number, text)).collect()),
        scram_credentials: Known::Observed(vec![ScramCredential {
            user: "reader".into(),
            mechanism: "SCRAM-SHA-512".into(),
            iterations: 8192,
        }]),
        quotas: Known::Absent,
        groups: Known::Absent,
        delegation_tokens: Known::Absent,
        features: Known::Absent,
        log_directories: Known::Absent,
        denials: vec![],
        evidence: [record("cluster")].into(),
    }
}

/// `ALLOW READ TOPIC LITERAL orders User:reader *`.
fn acl(number: usize, text: &str) -> AclBinding {
    let mut parts = text.split(' ').map(str::to_owned);
    let mut next = || parts.next().unwrap();
    AclBinding {
        permission: next(),
        operation: next(),
        resource_type: next(),
        pattern_type: next(),
        resource_name: next(),
        principal: next(),
        host: next(),
        record: record("acls"),
        pointer: format!("/response/resources/{number}"),
    }
}

#[track_caller]
fn check(
    acls: &[&str],
    settings: &[(&str, &str)],
    (principal, capability, target): (&str, Capability, &str),
    expected: Expect,
) {
    let mut world = World::new();
    world.inventory.clusters.push(cluster(acls, settings));
    expect(&decision(&world.evaluate(), principal, capability, target, ""), expected, PAGE);
}

const READS: (&str, Capability, &str) = ("User:reader", ReadRecords, TOPIC);

#[test]
fn acls_decide_deny_first() {
    check(&[], &[], READS, Deny);
    check(&["ALLOW READ TOPIC LITERAL orders User:reader *"], &[], READS, Allow);
    check(&["ALLOW ALL TOPIC LITERAL orders User:reader *"], &[], READS, Allow);
    check(&["ALLOW WRITE TOPIC LITERAL orders User:reader *"], &[], READS, Deny);
    check(
        &["ALLOW WRITE TOPIC LITERAL orders User:reader *"],
        &[],
        ("User:reader", WriteRecords, TOPIC),
        Allow,
    );
    check(&["ALLOW READ TOPIC PREFIXED ord User:reader *"], &[], READS, Allow);
    check(&["ALLOW READ TOPIC PREFIXED pay User:reader *"], &[], READS, Deny);
    check(&["ALLOW READ TOPIC LITERAL * User:reader *"], &[], READS, Allow);
    check(&["ALLOW READ TOPIC LITERAL orders User:* *"], &[], READS, Allow);
    check(&["ALLOW READ GROUP LITERAL orders User:reader *"], &[], READS, Deny);
    check(
        &["ALLOW READ TOPIC LITERAL orders User:reader *", "DENY ALL TOPIC PREFIXED o User:* *"],
        &[],
        READS,
        Deny,
    );
    check(
        &["ALLOW READ TOPIC LITERAL orders User:reader *", "DENY READ TOPIC LITERAL orders User:writer *"],
        &[],
        READS,
        Allow,
    );
}

#[test]
fn hosts_become_conditions() {
    check(
        &["ALLOW READ TOPIC LITERAL orders User:reader 10.0.0.1"],
        &[],
        READS,
        When("client address within [10.0.0.1]"),
    );
    check(
        &[
            "ALLOW READ TOPIC LITERAL orders User:reader *",
            "DENY READ TOPIC LITERAL orders User:reader 10.0.0.1",
        ],
        &[],
        READS,
        When("client address not within [10.0.0.1]"),
    );
    check(
        &[
            "ALLOW READ TOPIC LITERAL orders User:reader 10.0.0.1",
            "DENY READ TOPIC LITERAL orders User:reader 10.0.0.1",
        ],
        &[],
        READS,
        Deny,
    );
}

#[test]
fn super_users_pass_every_deny() {
    let settings = [("super.users", "User:admin; User:reader")];
    check(&["DENY ALL TOPIC LITERAL * User:* *"], &settings, READS, Allow);
    check(&[], &settings, ("User:admin", ChangePolicy, CLUSTER), Allow);
}

#[test]
fn default_allow_holds_only_where_no_acl_covers_the_resource() {
    let open = [("allow.everyone.if.no.acl.found", "true")];
    check(&[], &open, READS, Allow);
    check(&[], &open, ("User:*", ReadRecords, TOPIC), Allow);
    check(&["ALLOW READ TOPIC LITERAL orders User:writer *"], &open, READS, Deny);
    check(&["ALLOW READ TOPIC LITERAL other User:writer *"], &open, READS, Allow);
}

#[test]
fn a_default_that_the_brokers_hide_is_shown_by_a_refusal_or_stays_open() {
    let hidden = || {
        let mut cluster = cluster(&[], &[("allow.everyone.if.no.acl.found", "")]);
        if let Known::Observed(brokers) = &mut cluster.brokers
            && let Known::Observed(configs) = &mut brokers[0].configs
        {
            for entry in configs.values_mut() {
                entry.value = None;
                entry.sensitive = true;
            }
        }
        cluster
    };
    let mut world = World::new();
    world.inventory.clusters.push(hidden());
    let access = world.evaluate();
    expect(&decision(&access, "User:reader", ReadRecords, TOPIC, ""), Unknown("the brokers hide it"), PAGE);
    assert!(access.unknown.iter().any(|(subject, _)| subject == CLUSTER));
    let mut world = World::new();
    let mut probed = hidden();
    probed.denials.push(DenialProbe {
        principal: "User:scanner".into(),
        operation: "DescribeTransactions".into(),
        resource: "transactional-id:probe".into(),
        refused: Known::Observed(true),
        evidence: [record("probe")].into(),
    });
    world.inventory.clusters.push(probed);
    let access = world.evaluate();
    expect(&decision(&access, "User:reader", ReadRecords, TOPIC, ""), Deny, PAGE);
    assert_eq!(access.unknown, []);
}

#[test]
fn administration_is_alter_on_the_cluster() {
    let admin = ("User:ops", ChangePolicy, CLUSTER);
    check(&["ALLOW ALTER CLUSTER LITERAL kafka-cluster User:ops *"], &[], admin, Allow);
    check(&["ALLOW ALTER_CONFIGS CLUSTER LITERAL kafka-cluster User:ops *"], &[], admin, Allow);
    check(&["ALLOW DESCRIBE CLUSTER LITERAL kafka-cluster User:ops *"], &[], admin, Deny);
}

#[test]
fn without_an_authorizer_everybody_may_do_everything() {
    let mut world = World::new();
    let mut open = cluster(&[], &[]);
    open.acls = Known::Absent;
    world.inventory.clusters.push(open);
    let access = world.evaluate();
    expect(&decision(&access, "User:*", ReadRecords, TOPIC, ""), Allow, PAGE);
    expect(&decision(&access, "User:reader", WriteRecords, TOPIC, ""), Allow, PAGE);
}

#[test]
fn acls_that_were_not_read_leave_everything_open() {
    let mut world = World::new();
    let mut closed = cluster(&[], &[]);
    closed.acls = Known::Unknown("kafka:DescribeAcls was denied".into());
    world.inventory.clusters.push(closed);
    let access = world.evaluate();
    expect(
        &decision(&access, "User:reader", ReadRecords, TOPIC, ""),
        Unknown("kafka:DescribeAcls was denied"),
        PAGE,
    );
    assert!(access.unknown.iter().any(|(subject, _)| subject == CLUSTER));
}

#[test]
fn who_needs_no_credentials_is_asked_about_where_a_listener_serves_it() {
    let mut world = World::new();
    let mut plain = cluster(&["ALLOW READ TOPIC LITERAL orders User:* *"], &[]);
    world.inventory.clusters.push(plain.clone());
    expect(&decision(&world.evaluate(), "User:ANONYMOUS", ReadRecords, TOPIC, ""), Deny, PAGE);
    plain.listeners.push(KafkaListener {
        name: "PLAINTEXT".into(),
        broker: Some(1),
        host: "b1".into(),
        port: 9092,
        protocol: Known::Observed("PLAINTEXT".into()),
        anonymous_access: Known::Observed(true),
        plaintext: Known::Observed(true),
        tls_versions: Known::Absent,
        cipher_suites: vec![],
        certificates: Known::Absent,
        evidence: [record("listener")].into(),
    });
    let mut world = World::new();
    world.inventory.clusters.push(plain);
    expect(&decision(&world.evaluate(), "User:ANONYMOUS", ReadRecords, TOPIC, ""), Allow, PAGE);
}
