//! Amazon MSK, worked out by hand from its documentation: what IAM decides, what ACLs decide, and who in the cloud can
//! be which Kafka principal. `DG` is the Amazon MSK Developer Guide, `SAR` the Service Authorization Reference, `SM`
//! the AWS Secrets Manager User Guide, `PCA` the AWS Private CA User Guide, `IAM` the IAM User Guide.

use cadastre_model::Known;
use cadastre_model::access::Capability::{Assume, ChangePolicy, ReadObjects, ReadRecords, WriteRecords};
use cadastre_model::access::{Access, Damage, Decision};
use cadastre_model::asset::PolicyKind;
use cadastre_model::asset::msk::{Authentication, CertificateAuthority, MskCluster, Secret};
use cadastre_model::declaration::Declaration;
use serde_json::{Value, json};

use crate::kafka::cluster;
use crate::support::Expect::{Allow, Deny, Unknown, When};
use crate::support::{
    ACCOUNT, APP, KEY, OTHER, World, allow, decision, deny, document, expect, policy, record,
};

const IAM_ACCESS: &str = "DG, IAM access control";
const SEMANTICS: &str = "DG, Semantics of IAM authorization policy actions and resources";
const RESOURCES: &str = "DG, Authorization policy resources";
const ACLS: &str = "DG, Apache Kafka ACLs";
const SCRAM: &str = "DG, Sign-in credentials authentication with AWS Secrets Manager";
const MUTUAL_TLS: &str = "DG, Mutual TLS client authentication for Amazon MSK";
const CLUSTER_POLICY: &str = "DG, Amazon MSK multi-VPC private connectivity in a single Region";
const CONTROL: &str = "SAR, Actions defined by Amazon Managed Streaming for Apache Kafka";

const CLUSTER_ARN: &str = "arn:aws:kafka:eu-central-1:111122223333:cluster/payments/abcd-1";
const TOPIC_ARN: &str = "arn:aws:kafka:eu-central-1:111122223333:topic/payments/abcd-1/orders";
const OTHER_TOPIC_ARN: &str = "arn:aws:kafka:eu-central-1:111122223333:topic/payments/abcd-1/other";
const SECRET: &str = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:AmazonMSK_reader-a1B2c3";
const AUTHORITY: &str = "arn:aws:acm-pca:eu-central-1:111122223333:certificate-authority/1";
const FOREIGN: &str = "arn:aws:iam::999988887777:role/vendor";
const TOPIC: &str = "topic:payments/orders";
const CLUSTER: &str = "cluster:payments";

/// How clients authenticate: names of schemes that are on.
fn authentication(on: &str) -> Authentication {
    let on = |scheme: &str| on.split(' ').any(|listed| listed == scheme);
    Authentication {
        iam: Known::Observed(on("iam")),
        scram: Known::Observed(on("scram")),
        certificate_authorities: match on("tls") {
            true => Known::Observed(vec![AUTHORITY.into()]),
            false => Known::Absent,
        },
        unauthenticated: Known::Observed(on("open")),
    }
}

/// An account with one MSK cluster whose role `app` has these statements.
fn world(schemes: &str, acls: &[&str], settings: &[(&str, &str)], statements: Value) -> World {
    let mut world = World::new();
    world.declaration = Declaration::parse(
        "schema: cadastre/boundary/v1\nname: t\noperating-model: external-managed-service\narchitecture: tiered-storage\n\
         clusters:\n  - name: payments\n    kind: msk\n    account: \"111122223333\"\n    bootstrap: [\"b-1.payments.x.c2.kafka.eu-central-1.amazonaws.com:9098\"]\n    \
         security: {protocol: SASL_SSL}\n    workloads: [{principal: \"User:reader\"}]\n",
        "boundary.yaml",
    )
    .unwrap();
    world.role(APP, statements);
    let mut kafka = cluster(acls, settings);
    kafka.scram_credentials = Known::Absent;
    world.inventory.clusters.push(kafka);
    world.inventory.msk_clusters.push(MskCluster {
        arn: CLUSTER_ARN.into(),
        name: "payments".into(),
        account: ACCOUNT.into(),
        region: "eu-central-1".into(),
        serverless: false,
        authentication: authentication(schemes),
        policy: Known::Absent,
        scram_secrets: Known::Observed(vec![]),
        tags: vec![],
        evidence: [record("clusters")].into(),
    });
    world
}

fn iam(statements: Value) -> World {
    world("iam", &[], &[], statements)
}

fn connect() -> Value {
    allow("kafka-cluster:Connect", CLUSTER_ARN)
}

fn read() -> Value {
    allow("kafka-cluster:ReadData", TOPIC_ARN)
}

#[track_caller]
fn reads(world: &World, expected: crate::support::Expect, page: &str) {
    expect(&decision(&world.evaluate(), APP, ReadRecords, TOPIC, ""), expected, page);
}

#[test]
fn iam_reads_with_connect_and_read_data() {
    reads(&iam(json!([connect(), read()])), Allow, SEMANTICS);
    reads(&iam(json!([read()])), Deny, SEMANTICS);
    reads(&iam(json!([connect()])), Deny, SEMANTICS);
    reads(&iam(json!([allow("kafka-cluster:*", "*")])), Allow, SEMANTICS);
    // The control plane's prefix is another one.
    reads(&iam(json!([allow("kafka:*", "*")])), Deny, CONTROL);
    reads(&iam(json!([connect(), allow("kafka-cluster:WriteData", TOPIC_ARN)])), Deny, SEMANTICS);
    reads(&iam(json!([connect(), allow("kafka-cluster:DescribeTopic", TOPIC_ARN)])), Deny, SEMANTICS);
}

#[test]
fn iam_writes_with_connect_and_write_data() {
    let world = iam(json!([connect(), allow("kafka-cluster:WriteData", TOPIC_ARN)]));
    let access = world.evaluate();
    expect(&decision(&access, APP, WriteRecords, TOPIC, ""), Allow, SEMANTICS);
    // The idempotent producer's permission is on the cluster and writes nothing by itself.
    let world = iam(json!([connect(), allow("kafka-cluster:WriteDataIdempotently", CLUSTER_ARN)]));
    expect(&decision(&world.evaluate(), APP, WriteRecords, TOPIC, ""), Deny, SEMANTICS);
}

#[test]
fn topics_are_named_by_cluster_uuid_and_name() {
    let on = |resource: &str| iam(json!([connect(), allow("kafka-cluster:ReadData", resource)]));
    reads(&on(OTHER_TOPIC_ARN), Deny, RESOURCES);
    reads(&on("arn:aws:kafka:eu-central-1:111122223333:topic/payments/*"), Allow, RESOURCES);
    reads(&on("arn:aws:kafka:*:111122223333:topic/payments/*/ord*"), Allow, RESOURCES);
    // Another cluster of this name, made after this one was deleted, has another UUID.
    reads(&on("arn:aws:kafka:eu-central-1:111122223333:topic/payments/efgh-2/orders"), Deny, RESOURCES);
    reads(&on("arn:aws:kafka:us-east-1:111122223333:topic/payments/*"), Deny, RESOURCES);
    reads(&on(CLUSTER_ARN), Deny, RESOURCES);
    reads(&on("arn:aws:kafka:eu-central-1:111122223333:group/payments/abcd-1/orders"), Deny, RESOURCES);
}

#[test]
fn connecting_to_another_cluster_is_no_use() {
    let other = "arn:aws:kafka:eu-central-1:111122223333:cluster/other/*";
    reads(&iam(json!([allow("kafka-cluster:Connect", other), read()])), Deny, SEMANTICS);
}

#[test]
fn denies_in_iam_bind_iam_clients() {
    reads(&iam(json!([connect(), read(), deny("kafka-cluster:Connect", "*")])), Deny, IAM_ACCESS);
    reads(&iam(json!([connect(), read(), deny("kafka-cluster:ReadData", TOPIC_ARN)])), Deny, IAM_ACCESS);
    reads(
        &iam(json!([connect(), read(), deny("kafka-cluster:ReadData", OTHER_TOPIC_ARN)])),
        Allow,
        IAM_ACCESS,
    );
}

#[test]
fn conditions_on_the_network_stay_conditions() {
    let mut connecting = connect();
    connecting["Condition"] = json!({"StringEquals": {"aws:SourceVpc": "vpc-1"}});
    reads(&iam(json!([connecting, read()])), When("aws:SourceVpc in [vpc-1]"), IAM_ACCESS);
}

#[test]
fn service_control_policies_bind_kafka_cluster_actions() {
    let mut world = iam(json!([connect(), read()]));
    world.scp(json!([[allow("*", "*")], [allow("s3:*", "*")]]));
    reads(&world, Deny, "IAM, Policy evaluation logic");
}

#[test]
fn acls_do_not_bind_iam_clients() {
    let denied = ["DENY ALL TOPIC LITERAL * User:* *"];
    reads(&world("iam scram", &denied, &[], json!([connect(), read()])), Allow, IAM_ACCESS);
    // And they give an IAM client nothing.
    let allowed = ["ALLOW ALL TOPIC LITERAL * User:* *"];
    reads(&world("iam scram", &allowed, &[], json!([connect()])), Deny, IAM_ACCESS);
}

#[test]
fn the_default_for_what_no_acl_covers_does_not_open_iam() {
    let open = [("allow.everyone.if.no.acl.found", "true")];
    reads(&world("iam scram", &[], &open, json!([connect()])), Deny, IAM_ACCESS);
    let shut = [("allow.everyone.if.no.acl.found", "false")];
    reads(&world("iam scram", &[], &shut, json!([connect(), read()])), Allow, IAM_ACCESS);
}

#[test]
fn policies_on_kafka_cluster_decide_nothing_where_iam_is_off() {
    let world = world("scram", &[], &[], json!([allow("kafka-cluster:*", "*")]));
    let access = world.evaluate();
    expect(&decision(&access, APP, ReadRecords, TOPIC, ""), Deny, IAM_ACCESS);
    expect(&decision(&access, APP, ChangePolicy, CLUSTER, "kafka-cluster:AlterCluster"), Deny, IAM_ACCESS);
}

#[test]
fn schemes_that_were_not_shown_leave_it_open() {
    let mut unseen = iam(json!([connect(), read()]));
    unseen.inventory.msk_clusters.clear();
    reads(&unseen, Unknown("kafka:ListClustersV2 was not asked"), IAM_ACCESS);
    let told = unseen.evaluate().unknown;
    assert!(told.iter().any(|(subject, what)| subject == CLUSTER && what.contains("kafka:ListClustersV2")));
    let mut unsaid = iam(json!([connect(), read()]));
    unsaid.inventory.msk_clusters[0].authentication.iam = Known::Unknown("it does not say".into());
    reads(&unsaid, Unknown("it does not say"), IAM_ACCESS);
    let mut policy_unread = iam(json!([connect(), read()]));
    policy_unread.inventory.msk_clusters[0].policy =
        Known::Unknown("kafka:GetClusterPolicy was denied".into());
    reads(&policy_unread, Unknown("kafka:GetClusterPolicy was denied"), CLUSTER_POLICY);
}

#[test]
fn a_cluster_policy_opens_to_other_accounts_and_suffices_at_home() {
    let on = |principal: &str, resources: &[&str], statements: Value| {
        let mut world = iam(statements);
        world.inventory.msk_clusters[0].policy = Known::Observed(document(
            "cluster-policy",
            PolicyKind::Resource,
            policy(json!([{"Effect": "Allow", "Principal": {"AWS": principal},
                "Action": ["kafka-cluster:Connect", "kafka-cluster:ReadData"], "Resource": resources}])),
        ));
        world
    };
    let with = |principal: &str, statements: Value| on(principal, &[CLUSTER_ARN, TOPIC_ARN], statements);
    reads(&with(APP, json!([])), Allow, "IAM, Identity-based policies and resource-based policies");
    let access = with(FOREIGN, json!([])).evaluate();
    expect(&decision(&access, FOREIGN, ReadRecords, TOPIC, ""), Allow, CLUSTER_POLICY);
    // Without the cluster among the resources nobody connects.
    let unconnected = on(FOREIGN, &[TOPIC_ARN], json!([]));
    expect(&decision(&unconnected.evaluate(), FOREIGN, ReadRecords, TOPIC, ""), Deny, CLUSTER_POLICY);
    let none = iam(json!([])).evaluate();
    expect(&decision(&none, FOREIGN, ReadRecords, TOPIC, ""), Deny, CLUSTER_POLICY);
}

#[test]
fn addresses_of_brokers_give_no_capability() {
    let access = iam(json!([allow("kafka:GetBootstrapBrokers", "*"), allow("kafka:DescribeClusterV2", "*")]))
        .evaluate();
    assert!(access.edges.iter().all(|edge| edge.principal != APP), "{CONTROL}");
}

#[test]
fn the_control_plane_changes_what_others_may() {
    for action in [
        "kafka:UpdateSecurity",
        "kafka:UpdateClusterConfiguration",
        "kafka:PutClusterPolicy",
        "kafka:BatchAssociateScramSecret",
        "kafka:UpdateConnectivity",
    ] {
        let access = iam(json!([allow(action, CLUSTER_ARN)])).evaluate();
        expect(&decision(&access, APP, ChangePolicy, CLUSTER, action), Allow, CONTROL);
    }
    // A revision of a configuration that no cluster is told to use changes none.
    let access = iam(json!([allow("kafka:UpdateConfiguration", "*")])).evaluate();
    expect(&decision(&access, APP, ChangePolicy, CLUSTER, ""), Deny, CONTROL);
}

fn enabled(access: &Access, action: &str) -> Decision {
    let enabling = access.edges.iter().filter(|edge| {
        edge.principal == APP
            && edge.target == TOPIC
            && edge.action == action
            && edge.enables.as_ref().is_some_and(|enabled| enabled.capability == ReadRecords)
    });
    enabling.map(|edge| edge.decision.clone()).fold(Decision::Deny, Decision::or)
}

#[test]
fn changed_settings_lead_to_records_and_say_what_else_it_takes() {
    let of = |schemes: &str, action: &str| {
        enabled(&world(schemes, &[], &[], json!([connect(), allow(action, CLUSTER_ARN)])).evaluate(), action)
    };
    expect(&of("iam", "kafka:PutClusterPolicy"), Allow, CLUSTER_POLICY);
    expect(
        &of("iam", "kafka:UpdateSecurity"),
        When("ACLs or IAM policies let in whom the scheme that it switches on authenticates"),
        "DG, Updating security settings of a Amazon MSK cluster",
    );
    expect(
        &of("iam scram", "kafka-cluster:AlterCluster"),
        When("it also has the credentials of some Kafka user, since ACLs do not bind clients that use IAM"),
        IAM_ACCESS,
    );
    // Where clients need no credentials, an ACL for everybody is enough.
    expect(&of("iam open", "kafka-cluster:AlterCluster"), Allow, ACLS);
    expect(
        &of("scram", "kafka:BatchAssociateScramSecret"),
        When("it has a secret named AmazonMSK_… that holds the name of a user whom ACLs let read the topic"),
        SCRAM,
    );
    expect(&of("iam", "kafka:BatchAssociateScramSecret"), Deny, SCRAM);
    // Under IAM alone a cluster policy is no use to Kafka's own users, and without IAM it is none to anybody.
    expect(&of("scram", "kafka:PutClusterPolicy"), Deny, IAM_ACCESS);
}

#[test]
fn a_serverless_cluster_has_no_schemes_to_switch() {
    let mut serverless = iam(json!([allow("kafka:UpdateSecurity", CLUSTER_ARN)]));
    serverless.inventory.msk_clusters[0].serverless = true;
    expect(&enabled(&serverless.evaluate(), "kafka:UpdateSecurity"), Deny, "DG, What is MSK Serverless?");
}

#[test]
fn deleting_and_shortening_are_destruction() {
    let access = iam(json!([
        connect(),
        allow("kafka-cluster:DeleteTopic", TOPIC_ARN),
        allow("kafka-cluster:AlterTopicDynamicConfiguration", TOPIC_ARN),
        allow("kafka:DeleteCluster", CLUSTER_ARN)
    ]))
    .evaluate();
    let destroys = |action: &str, disguised: bool| {
        access.destruction.iter().any(|one| {
            one.principal == APP
                && one.action == action
                && one.disguised == disguised
                && one.damage == Damage::Destroy
        })
    };
    assert!(destroys("kafka-cluster:DeleteTopic", false), "{SEMANTICS}");
    assert!(destroys("kafka-cluster:AlterTopicDynamicConfiguration", true), "{SEMANTICS}");
    assert!(destroys("kafka:DeleteCluster", false), "{CONTROL}");
}

#[test]
fn whoever_rewrites_its_own_policies_reads_topics() {
    let access = iam(json!([allow("iam:PutRolePolicy", APP)])).evaluate();
    expect(&enabled(&access, "iam:PutRolePolicy"), Allow, "IAM, Policies and permissions in IAM");
}

#[test]
fn what_no_acl_covers_is_open_unless_the_brokers_say_otherwise() {
    let user = |acls: &[&str], settings: &[(&str, &str)]| {
        let access = world("scram", acls, settings, json!([])).evaluate();
        decision(&access, "User:reader", ReadRecords, TOPIC, "")
    };
    expect(&user(&[], &[]), Allow, ACLS);
    expect(&user(&[], &[("allow.everyone.if.no.acl.found", "false")]), Deny, ACLS);
    expect(&user(&["ALLOW READ TOPIC LITERAL orders User:ledger *"], &[]), Deny, ACLS);
    expect(&user(&["ALLOW READ TOPIC LITERAL orders User:reader *"], &[]), Allow, ACLS);
    let mut unread = world("scram", &[], &[], json!([]));
    unread.inventory.clusters[0].brokers = Known::Unknown("kafka:DescribeConfigs was denied".into());
    let access = unread.evaluate();
    expect(
        &decision(&access, "User:reader", ReadRecords, TOPIC, ""),
        Unknown("kafka:DescribeConfigs was denied"),
        ACLS,
    );
}

#[test]
fn acls_bind_nobody_where_every_client_uses_iam() {
    let allowed = ["ALLOW ALL TOPIC LITERAL * User:reader *"];
    let access = world("iam", &allowed, &[], json!([])).evaluate();
    expect(&decision(&access, "User:reader", ReadRecords, TOPIC, ""), Deny, IAM_ACCESS);
    assert!(access.guards.iter().any(|guard| guard.told.contains("binds nobody")));
}

#[test]
fn clients_without_credentials_read_what_everybody_may_where_they_are_served() {
    let anonymous = |schemes: &str, acls: &[&str]| {
        let access = world(schemes, acls, &[], json!([])).evaluate();
        decision(&access, "User:ANONYMOUS", ReadRecords, TOPIC, "")
    };
    expect(&anonymous("open", &[]), Allow, "DG, Create a cluster with unauthenticated access");
    expect(&anonymous("scram", &[]), Deny, ACLS);
    expect(&anonymous("open scram", &["ALLOW READ TOPIC LITERAL orders User:reader *"]), Deny, ACLS);
}

/// A cluster with SCRAM, one secret and the key that encrypts it.
fn with_secret(name: &str, key_policy: Value, statements: Value) -> World {
    let shut = [("allow.everyone.if.no.acl.found", "false")];
    let mut world = world("scram", &["ALLOW READ TOPIC LITERAL orders User:reader *"], &shut, statements);
    let arn = SECRET.replace("AmazonMSK_reader", name);
    world.inventory.msk_clusters[0].scram_secrets = Known::Observed(vec![arn.clone()]);
    world.inventory.secrets.push(Secret {
        arn,
        name: name.into(),
        account: ACCOUNT.into(),
        region: "eu-central-1".into(),
        key: Some(KEY.into()),
        policy: Known::Absent,
        tags: vec![],
        evidence: [record("secrets")].into(),
    });
    world.key(key_policy);
    world
}

fn to_the_account() -> Value {
    json!([{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "kms:*", "Resource": "*"}])
}

#[track_caller]
fn becomes(world: &World, user: &str, expected: crate::support::Expect, page: &str) {
    expect(&decision(&world.evaluate(), APP, Assume, user, ""), expected, page);
}

const BY_NAME: &str = "secret AmazonMSK_reader holds the credentials of User:reader, as its name says";

#[test]
fn whoever_reads_a_secret_with_its_key_is_the_user() {
    let both = json!([allow("secretsmanager:GetSecretValue", "*"), allow("kms:Decrypt", KEY)]);
    let world = with_secret("AmazonMSK_reader", to_the_account(), both.clone());
    becomes(&world, "User:reader", When(BY_NAME), SCRAM);
    becomes(&world, "User:*", Allow, SCRAM);
    let without_key = json!([allow("secretsmanager:GetSecretValue", "*")]);
    becomes(
        &with_secret("AmazonMSK_reader", to_the_account(), without_key),
        "User:reader",
        Deny,
        "SM, Secret encryption and decryption in AWS Secrets Manager",
    );
    let without_secret = json!([allow("kms:Decrypt", KEY)]);
    becomes(&with_secret("AmazonMSK_reader", to_the_account(), without_secret), "User:reader", Deny, SCRAM);
    let listing = json!([
        allow("kafka:ListScramSecrets", "*"),
        allow("secretsmanager:DescribeSecret", "*"),
        allow("kms:Decrypt", KEY)
    ]);
    becomes(&with_secret("AmazonMSK_reader", to_the_account(), listing), "User:*", Deny, SCRAM);
    // A secret whose name says nothing.
    let nameless = with_secret("AmazonMSK_one", to_the_account(), both.clone());
    becomes(&nameless, "User:reader", Unknown("whose credentials secret AmazonMSK_one holds"), SCRAM);
    // Said by the customer, which settles it.
    let mut declared = with_secret("AmazonMSK_one", to_the_account(), both);
    declared.declaration.clusters[0].workloads[0].secret = Some("AmazonMSK_one".into());
    becomes(&declared, "User:reader", Allow, SCRAM);
}

#[test]
fn a_key_that_serves_secrets_manager_alone_is_no_obstacle() {
    let through = json!([{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "kms:*", "Resource": "*",
        "Condition": {"StringEquals": {"kms:ViaService": "secretsmanager.eu-central-1.amazonaws.com"}}}]);
    let both = json!([allow("secretsmanager:GetSecretValue", "*"), allow("kms:Decrypt", KEY)]);
    becomes(
        &with_secret("AmazonMSK_reader", through, both),
        "User:*",
        Allow,
        "SM, Secret encryption and decryption in AWS Secrets Manager",
    );
}

#[test]
fn writing_a_secret_or_its_policy_leads_to_its_user() {
    let page = "SM, Permissions policy examples for AWS Secrets Manager";
    let editing = json!([allow("secretsmanager:PutResourcePolicy", "*"), allow("kms:Decrypt", KEY)]);
    becomes(&with_secret("AmazonMSK_reader", to_the_account(), editing), "User:*", Allow, page);
    let putting = json!([allow("secretsmanager:PutSecretValue", "*"), allow("kms:Decrypt", KEY)]);
    becomes(
        &with_secret("AmazonMSK_reader", to_the_account(), putting),
        "User:*",
        When("it may use the secret's key for kms:GenerateDataKey"),
        page,
    );
}

#[test]
fn secrets_that_were_not_read_leave_the_cluster_open_by_name() {
    let told = |world: &World, what: &str| {
        world.evaluate().unknown.iter().any(|(subject, missing)| subject == CLUSTER && missing.contains(what))
    };
    let mut unlisted = world("scram", &[], &[], json!([]));
    unlisted.inventory.msk_clusters[0].scram_secrets =
        Known::Unknown("kafka:ListScramSecrets was not asked".into());
    assert!(told(&unlisted, "kafka:ListScramSecrets was not asked"), "{SCRAM}");
    unlisted.inventory.msk_clusters[0].scram_secrets = Known::Observed(vec![SECRET.into()]);
    assert!(told(&unlisted, "who may read secret `arn:aws:secretsmanager"), "{SCRAM}");
    let authorities = world("tls", &[], &[], json!([]));
    assert!(told(&authorities, "who may issue certificates of `arn:aws:acm-pca"), "{MUTUAL_TLS}");
}

#[test]
fn secrets_are_targets_of_their_own() {
    let world = with_secret(
        "AmazonMSK_reader",
        to_the_account(),
        json!([allow("secretsmanager:GetSecretValue", SECRET)]),
    );
    expect(
        &decision(&world.evaluate(), APP, ReadObjects, SECRET, ""),
        Allow,
        "SM, Permissions policy examples",
    );
}

/// A cluster with mutual TLS under these mapping rules.
fn with_authority(rules: &str, user: &str, statements: Value) -> World {
    let acl = format!("ALLOW READ TOPIC LITERAL orders {user} *");
    let settings = [("allow.everyone.if.no.acl.found", "false"), ("ssl.principal.mapping.rules", rules)];
    let mut world = world("tls", &[&acl], &settings, statements);
    world.inventory.certificate_authorities.push(CertificateAuthority {
        arn: AUTHORITY.into(),
        account: ACCOUNT.into(),
        region: "eu-central-1".into(),
        status: "ACTIVE".into(),
        policy: Known::Absent,
        evidence: [record("authorities")].into(),
    });
    world
}

fn issuing() -> Value {
    json!([allow("acm-pca:IssueCertificate", AUTHORITY), allow("acm-pca:GetCertificate", AUTHORITY)])
}

#[test]
fn whoever_issues_certificates_is_whom_it_names() {
    let plain = with_authority("DEFAULT", "User:CN=ledger", issuing());
    becomes(&plain, "User:CN=ledger", Allow, MUTUAL_TLS);
    let access = plain.evaluate();
    let edge =
        access.edges.iter().find(|edge| edge.target == "User:CN=ledger" && edge.principal == APP).unwrap();
    assert_eq!(edge.choices, ["it asks for a certificate for `CN=ledger`"]);
    // Without rules the whole distinguished name is the principal, and this is none.
    becomes(&with_authority("DEFAULT", "User:ledger", issuing()), "User:ledger", Deny, MUTUAL_TLS);
    let short = "RULE:^CN=(.*?),.*$/$1/L, DEFAULT";
    becomes(&with_authority(short, "User:ledger", issuing()), "User:ledger", Allow, "KIP-371");
    becomes(
        &with_authority(short, "User:Ledger", issuing()),
        "User:Ledger",
        Unknown("which certificates become User:Ledger"),
        "KIP-371",
    );
    let unreadable = with_authority("RULE:^CN=(?<!x)(.*)$/$1/", "User:ledger", issuing());
    becomes(&unreadable, "User:ledger", Unknown("which certificates become User:ledger"), "KIP-371");
    assert!(unreadable.evaluate().unknown.iter().any(|(_, what)| what.contains("cannot be evaluated here")));
    // Issuing without fetching gives no certificate.
    let half = json!([allow("acm-pca:IssueCertificate", AUTHORITY)]);
    becomes(
        &with_authority(short, "User:ledger", half),
        "User:ledger",
        Deny,
        "PCA, Issuing private end-entity certificates",
    );
    let mut disabled = with_authority(short, "User:ledger", issuing());
    disabled.inventory.certificate_authorities[0].status = "DISABLED".into();
    becomes(&disabled, "User:ledger", Deny, "PCA, Updating a private CA");
}

#[test]
fn an_authority_shared_with_another_account_lets_it_be_anybody() {
    let mut shared = with_authority("DEFAULT", "User:CN=ledger", json!([]));
    shared.inventory.certificate_authorities[0].policy = Known::Observed(document(
        "authority-policy",
        PolicyKind::Resource,
        policy(json!([{"Effect": "Allow", "Principal": {"AWS": OTHER},
            "Action": ["acm-pca:IssueCertificate", "acm-pca:GetCertificate"], "Resource": AUTHORITY}])),
    ));
    let found = decision(&shared.evaluate(), "account:999988887777", Assume, "User:CN=ledger", "");
    expect(&found, Allow, "PCA, Resource-based policies");
}

#[test]
fn one_name_on_two_clusters_says_on_which() {
    let both = json!([allow("secretsmanager:GetSecretValue", "*"), allow("kms:Decrypt", KEY)]);
    let mut world = with_secret("AmazonMSK_one", to_the_account(), both);
    world.declaration.clusters[0].workloads[0].secret = Some("AmazonMSK_one".into());
    let mut second = world.declaration.clusters[0].clone();
    second.name = "ledger".into();
    second.kind = cadastre_model::declaration::ClusterKind::ApacheKafka;
    world.declaration.clusters.push(second);
    becomes(&world, "User:reader", When("on cluster payments"), SCRAM);
}

#[test]
fn dead_rules_of_either_plane_are_told() {
    let told = |world: &World, what: &str| {
        let guards = world.evaluate().guards;
        assert!(
            guards.iter().any(|guard| guard.subject == CLUSTER && guard.told.contains(what)),
            "{what}: {guards:?}"
        );
    };
    let denied = ["DENY READ TOPIC LITERAL orders User:* *"];
    told(
        &world("iam scram", &denied, &[], json!([connect(), read()])),
        "binds no client that uses IAM: arn:aws:iam::111122223333:role/app may all the same",
    );
    // Nobody gets past it: no finding.
    let quiet = world("iam scram", &denied, &[], json!([])).evaluate();
    assert!(quiet.guards.iter().all(|guard| guard.subject != CLUSTER), "{:?}", quiet.guards);
    let named = ["DENY READ TOPIC LITERAL orders User:arn:aws:iam::111122223333:role/app *"];
    told(&world("iam scram", &named, &[], json!([])), "names a principal of the cloud");
    told(&world("scram", &[], &[], json!([deny("kafka-cluster:*", "*")])), "IAM access control is off");
    let super_user = ["DENY READ TOPIC LITERAL orders User:admin *"];
    told(&world("scram", &super_user, &[("super.users", "User:admin")], json!([])), "binds a super user");
    told(
        &world("scram", &["DENY READ TOPIC LITERAL orders Group:all *"], &[], json!([])),
        "principals of type User only",
    );
}

#[test]
fn tokens_and_tickets_from_elsewhere_are_named_as_missing() {
    let told = |settings: &[(&str, &str)], what: &str| {
        let mut world = World::new();
        world.inventory.clusters.push(cluster(&[], settings));
        let unknown = world.evaluate().unknown;
        assert!(
            unknown.iter().any(|(subject, missing)| subject == CLUSTER && missing.contains(what)),
            "{unknown:?}"
        );
    };
    told(
        &[
            ("sasl.enabled.mechanisms", "OAUTHBEARER"),
            ("sasl.oauthbearer.expected.issuer", "https://login.example.com/"),
        ],
        "claim `sub` of https://login.example.com/",
    );
    told(
        &[("sasl.enabled.mechanisms", "GSSAPI"), ("sasl.kerberos.principal.to.local.rules", "RULE:[1:$1]")],
        "`RULE:[1:$1]`",
    );
}
