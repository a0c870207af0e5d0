//! Each rule of derivation: a path is found with its steps in order, and its cut closes it.

use cadastre_model::Known;
use cadastre_model::access::Capability::{
    Assume, ChangePolicy, Decrypt, ManageKey, OperateHost, ReadObjects, ReadRecords,
};
use cadastre_model::access::{Decision, Trust};
use cadastre_model::asset::stores::BucketEncryption;
use cadastre_model::graph::Side;

use crate::support::*;

#[test]
fn reading_an_unencrypted_store_is_enough() {
    let mut deployment = Deployment::new();
    deployment.encryption(Known::Absent).edge(APP, ReadObjects, BUCKET, "s3:GetObject", &["read"]);
    assert_eq!(deployment.steps(APP, BUCKET), ["app read-objects data"]);
}

#[test]
fn a_key_of_the_providers_is_no_step() {
    let mut deployment = Deployment::new();
    let provider =
        BucketEncryption { algorithm: "aws:kms".into(), key: None, key_arn: None, bucket_key: false };
    deployment.encryption(Known::Observed(provider)).edge(
        APP,
        ReadObjects,
        BUCKET,
        "s3:GetObject",
        &["read"],
    );
    assert_eq!(deployment.steps(APP, BUCKET), ["app read-objects data"]);
    let mut deployment = Deployment::new();
    deployment.inventory.keys[0].manager = Known::Observed("AWS".into());
    deployment.edge(APP, ReadObjects, BUCKET, "s3:GetObject", &["read"]);
    assert_eq!(deployment.steps(APP, BUCKET), ["app read-objects data"]);
}

#[test]
fn under_a_customer_key_reading_and_decrypting_are_both_needed() {
    let mut deployment = Deployment::new();
    deployment.edge(APP, ReadObjects, BUCKET, "s3:GetObject", &["read"]);
    assert_eq!(deployment.path(APP, BUCKET), None);
    deployment.edge(APP, Decrypt, KEY, "kms:Decrypt", &["decrypt"]);
    assert_eq!(deployment.steps(APP, BUCKET), ["app read-objects data", "app decrypt 1"]);
    let path = deployment.path(APP, BUCKET).unwrap();
    assert_eq!((path.cut.len(), path.cut_is_minimal), (1, true));
    assert_eq!(path.decision, Decision::Allow);
    assert!(path.evidence.contains(&record("read")) && path.evidence.contains(&record("decrypt")));
}

#[test]
fn two_identities_do_not_add_up() {
    let mut deployment = Deployment::new();
    deployment.edge(APP, ReadObjects, BUCKET, "s3:GetObject", &["read"]);
    deployment.edge(BROKER, Decrypt, KEY, "kms:Decrypt", &["decrypt"]);
    assert_eq!(deployment.path(APP, BUCKET), None);
    assert_eq!(deployment.path(BROKER, BUCKET), None);
}

#[test]
fn encryption_that_was_not_read_leaves_the_path_open() {
    let mut deployment = Deployment::new();
    deployment.encryption(Known::Unknown("s3:GetBucketEncryption was denied".into())).edge(
        APP,
        ReadObjects,
        BUCKET,
        "s3:GetObject",
        &["read"],
    );
    let path = deployment.path(APP, BUCKET).unwrap();
    assert_eq!(path.decision, Decision::Unknown("s3:GetBucketEncryption was denied".into()));
    assert_eq!(path.steps.len(), 2);
}

#[test]
fn a_condition_on_the_service_holds_for_objects_read_through_it() {
    let mut deployment = Deployment::new();
    let through =
        |service: &str| Decision::Conditional(format!("kms:ViaService in [{service}] and x in [y]"));
    deployment.edge(APP, ReadObjects, BUCKET, "s3:GetObject", &["read"]);
    deployment.decided(
        APP,
        Decrypt,
        KEY,
        "kms:Decrypt",
        &["decrypt"],
        through("s3.eu-central-1.amazonaws.com"),
    );
    assert_eq!(deployment.path(APP, BUCKET).unwrap().decision, Decision::Conditional("x in [y]".into()));
}

#[test]
fn becoming_somebody_who_reads_is_reading() {
    let mut deployment = Deployment::new();
    deployment
        .edge(BROKER, ReadObjects, BUCKET, "s3:GetObject", &["read"])
        .edge(BROKER, Decrypt, KEY, "kms:Decrypt", &["decrypt"])
        .edge(AGENT, Assume, APP, "sts:AssumeRole", &["trust-app"])
        .edge(APP, Assume, BROKER, "sts:AssumeRole", &["trust-broker"]);
    let expected = ["agent assume app", "app assume broker", "broker read-objects data", "broker decrypt 1"];
    assert_eq!(deployment.steps(AGENT, BUCKET), expected);
    assert_eq!(deployment.path(AGENT, BUCKET).unwrap().side, Side::Vendor);
}

#[test]
fn the_most_certain_way_is_told_then_the_shortest() {
    let mut deployment = Deployment::new();
    deployment.encryption(Known::Absent);
    deployment.decided(APP, ReadObjects, BUCKET, "s3:GetObject", &["if"], Decision::Conditional("c".into()));
    deployment.edge(APP, Assume, BROKER, "sts:AssumeRole", &["trust"]).edge(
        BROKER,
        ReadObjects,
        BUCKET,
        "s3:GetObject",
        &["read"],
    );
    let path = deployment.path(APP, BUCKET).unwrap();
    assert_eq!(path.decision, Decision::Allow);
    assert_eq!(path.steps.len(), 2);
    assert_eq!((path.cut.len(), path.cut_is_minimal), (2, true), "both ways have to be closed");
}

#[test]
fn a_trust_policy_that_can_be_changed_is_a_way_in() {
    let mut deployment = Deployment::new();
    deployment
        .encryption(Known::Absent)
        .edge(APP, ChangePolicy, BROKER, "iam:UpdateAssumeRolePolicy", &["edit"])
        .edge(BROKER, ReadObjects, BUCKET, "s3:GetObject", &["read"]);
    let expected = ["app change-policy broker", "app assume broker", "broker read-objects data"];
    assert_eq!(deployment.steps(APP, BUCKET), expected);
}

#[test]
fn commands_on_a_broker_reach_its_disk_and_its_role() {
    let mut deployment = Deployment::new();
    deployment
        .edge(APP, OperateHost, HOST, "ssm:StartSession", &["session"])
        .edge(BROKER, ReadObjects, BUCKET, "s3:GetObject", &["read"])
        .edge(BROKER, Decrypt, KEY, "kms:Decrypt", &["decrypt"]);
    assert_eq!(deployment.steps(APP, VOLUME), ["app operate-host i-1", "i-1 read-objects vol-1"]);
    let expected =
        ["app operate-host i-1", "i-1 assume broker", "broker read-objects data", "broker decrypt 1"];
    assert_eq!(deployment.steps(APP, BUCKET), expected);
}

#[test]
fn a_key_policy_is_edited_before_the_key_decrypts() {
    for action in ["kms:PutKeyPolicy", "kms:CreateGrant"] {
        let mut deployment = Deployment::new();
        deployment.edge(AGENT, ManageKey, KEY, action, &["edit"]).edge(
            AGENT,
            ReadObjects,
            BUCKET,
            "s3:GetObject",
            &["read"],
        );
        let expected = ["agent manage-key 1", "agent read-objects data", "agent decrypt 1"];
        assert_eq!(deployment.steps(AGENT, BUCKET), expected);
    }
    let mut deployment = Deployment::new();
    deployment.edge(AGENT, ManageKey, KEY, "kms:ScheduleKeyDeletion", &["delete"]).edge(
        AGENT,
        ReadObjects,
        BUCKET,
        "s3:GetObject",
        &["read"],
    );
    assert_eq!(deployment.path(AGENT, BUCKET), None, "deleting a key reads nothing");
}

#[test]
fn a_bucket_policy_is_edited_before_objects_are_read() {
    let mut deployment = Deployment::new();
    deployment.edge(APP, ChangePolicy, BUCKET, "s3:PutBucketPolicy", &["edit"]).edge(
        APP,
        Decrypt,
        KEY,
        "kms:Decrypt",
        &["decrypt"],
    );
    assert_eq!(
        deployment.steps(APP, BUCKET),
        ["app change-policy data", "app read-objects data", "app decrypt 1"]
    );
    let mut deployment = Deployment::new();
    deployment.encryption(Known::Absent).edge(APP, ChangePolicy, BUCKET, "s3:DeleteBucketPolicy", &["edit"]);
    assert_eq!(deployment.path(APP, BUCKET), None);
}

#[test]
fn an_edit_serves_whoever_its_author_can_become() {
    let mut deployment = Deployment::new();
    deployment
        .edge(APP, ChangePolicy, BUCKET, "s3:PutBucketPolicy", &["edit"])
        .edge(APP, Assume, BROKER, "sts:AssumeRole", &["trust"])
        .edge(BROKER, Decrypt, KEY, "kms:Decrypt", &["decrypt"]);
    let expected =
        ["app change-policy data", "app assume broker", "broker read-objects data", "broker decrypt 1"];
    assert_eq!(deployment.steps(APP, BUCKET), expected);
}

#[test]
fn changing_ones_own_policies_comes_before_what_they_then_allow() {
    let mut deployment = Deployment::new();
    deployment.edge(APP, ChangePolicy, BUCKET, "iam:PutRolePolicy", &["put"]).edge(
        APP,
        ChangePolicy,
        KEY,
        "iam:PutRolePolicy",
        &["put", "key-root"],
    );
    deployment.edge(BROKER, Decrypt, KEY, "kms:Decrypt", &["key-root"]);
    let expected =
        ["app change-policy data", "app read-objects data", "app change-policy 1", "app decrypt 1"];
    assert_eq!(deployment.steps(APP, BUCKET), expected);
    let cut = deployment.path(APP, BUCKET).unwrap().cut;
    assert_eq!(cut, [statement("put")], "and not the statement that others rest on as well");
}

#[test]
fn a_shared_snapshot_is_read_by_whoever_its_account_lets() {
    let mut deployment = Deployment::new();
    let account = "account:999988887777";
    deployment.edge(account, ReadObjects, SNAPSHOT, "ec2:ModifySnapshotAttribute", &["shared"]);
    assert_eq!(deployment.path(account, SNAPSHOT), None, "nobody there decrypts");
    deployment.edge(AGENT, Decrypt, KEY, "kms:Decrypt", &["grant"]);
    assert_eq!(deployment.steps(AGENT, SNAPSHOT), ["999988887777 read-objects snap-1", "agent decrypt 1"]);
    let mut deployment = Deployment::new();
    deployment.inventory.snapshots[0].encrypted = false;
    deployment.edge(account, ReadObjects, SNAPSHOT, "ec2:ModifySnapshotAttribute", &["shared"]);
    assert_eq!(deployment.steps(account, SNAPSHOT), ["999988887777 read-objects snap-1"]);
}

#[test]
fn whoever_only_shares_what_anybody_may_is_not_listed_beside_anybody() {
    let mut deployment = Deployment::new();
    deployment.encryption(Known::Absent);
    deployment.edge("*", ReadObjects, BUCKET, "s3:GetObject", &["open"]);
    deployment.edge(AGENT, Assume, "arn:aws:iam::111122223333:role/other", "sts:AssumeRole", &["trust"]);
    assert_eq!(deployment.steps("*", BUCKET), ["* read-objects data"]);
    assert_eq!(deployment.path(AGENT, BUCKET), None);
    // What anybody may counts where it completes what somebody has.
    let mut deployment = Deployment::new();
    deployment.edge("*", ReadObjects, BUCKET, "s3:GetObject", &["open"]);
    deployment.edge(AGENT, Decrypt, KEY, "kms:Decrypt", &["grant"]);
    assert_eq!(deployment.steps(AGENT, BUCKET), ["* read-objects data", "agent decrypt 1"]);
}

#[test]
fn kafka_clients_and_administrators_reach_topics() {
    let mut deployment = Deployment::new();
    deployment.edge("User:streamco", ReadRecords, TOPIC, "kafka:Read", &["acl"]);
    deployment.edge("User:ops", ChangePolicy, "cluster:payments", "kafka:Alter", &["alter"]);
    deployment.edge("User:config", ChangePolicy, "cluster:payments", "kafka:AlterConfigs", &["configs"]);
    assert_eq!(deployment.steps("User:streamco", TOPIC), ["streamco read-records orders"]);
    assert_eq!(deployment.path("User:streamco", TOPIC).unwrap().side, Side::Vendor);
    assert_eq!(
        deployment.steps("User:ops", TOPIC),
        ["ops change-policy payments", "ops read-records orders"]
    );
    assert_eq!(deployment.path("User:config", TOPIC), None);
}

#[test]
fn a_service_that_assumes_roles_is_no_way_in() {
    let mut deployment = Deployment::new();
    deployment
        .encryption(Known::Absent)
        .edge("service:ec2.amazonaws.com", Assume, BROKER, "sts:AssumeRole", &["trust"])
        .edge(BROKER, ReadObjects, BUCKET, "s3:GetObject", &["read"]);
    assert_eq!(deployment.path("service:ec2.amazonaws.com", BUCKET), None);
}

#[test]
fn copies_of_records_are_records() {
    let mut deployment = Deployment::new();
    let mut copy = deployment.inventory.buckets[0].clone();
    copy.arn = "arn:aws:s3:::copy".into();
    copy.encryption = Known::Absent;
    deployment.inventory.buckets[0].replication_destinations = Known::Observed(vec![copy.arn.clone()]);
    deployment.inventory.buckets.push(copy);
    deployment.edge(APP, ReadObjects, "arn:aws:s3:::copy", "s3:GetObject", &["read"]);
    assert_eq!(deployment.steps(APP, "arn:aws:s3:::copy"), ["app read-objects copy"]);
}

#[test]
fn a_cut_takes_the_statement_that_all_ways_share() {
    let mut deployment = Deployment::new();
    deployment.encryption(Known::Absent);
    for role in ["a", "b", "c"] {
        let arn = format!("arn:aws:iam::111122223333:role/{role}");
        deployment.edge(AGENT, Assume, &arn, "sts:AssumeRole", &["one-statement"]);
        deployment.edge(&arn, ReadObjects, BUCKET, "s3:GetObject", &[role]);
    }
    let path = deployment.path(AGENT, BUCKET).unwrap();
    assert_eq!((path.cut, path.cut_is_minimal), (vec![statement("one-statement")], true));
}

#[test]
fn a_cut_takes_as_many_statements_as_there_are_separate_ways() {
    let mut deployment = Deployment::new();
    deployment.encryption(Known::Absent);
    for number in 0..7 {
        deployment.edge(APP, ReadObjects, BUCKET, "s3:GetObject", &[format!("read-{number}").as_str()]);
    }
    let path = deployment.path(APP, BUCKET).unwrap();
    assert_eq!((path.cut.len(), path.cut_at_least, path.cut_is_minimal), (7, 7, true));
}

#[test]
fn an_undeclared_role_that_lets_the_vendor_in_is_the_vendors() {
    let mut deployment = Deployment::new();
    let trust = |role: &str, principal: &str| Trust {
        role: role.into(),
        principal: principal.into(),
        account: None,
        action: "sts:AssumeRole".into(),
        condition_keys: vec![],
        decision: Decision::Allow,
        at: statement("trust"),
    };
    deployment.encryption(Known::Absent);
    deployment.access.trusts = vec![trust(APP, "account:999988887777"), trust(BROKER, AGENT)];
    deployment
        .edge(APP, ReadObjects, BUCKET, "s3:GetObject", &["read"])
        .edge(AGENT, Assume, APP, "sts:AssumeRole", &["trust"])
        .edge(BROKER, ReadObjects, BUCKET, "s3:GetObject", &["read-broker"]);
    let graph = deployment.graph();
    let view = graph.principals.iter().find(|view| view.id == APP).unwrap();
    assert_eq!((view.side, view.vendor.as_deref()), (Side::Vendor, Some("StreamCo")));
    assert_eq!(view.assumable_by, [AGENT]);
    // The brokers' role has a declared job, so it stays the customer's, whoever else it lets in.
    assert_eq!(graph.principals.iter().find(|view| view.id == BROKER).unwrap().side, Side::Customer);
}
