//! Values that are known only after apply.

use cadastre_model::Outcome;
use serde_json::{Value, json};

use crate::support::{DATA_BUCKET, bucket_policy, change, create, graph, plan, project, recording, words};

fn role(name: &str) -> Value {
    json!({"name": name, "path": "/", "assume_role_policy": {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}})
}

#[test]
fn a_role_that_does_not_exist_yet_is_judged_under_the_arn_it_will_have() {
    let policy = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]});
    let projection = project(&[
        create("aws_iam_role.new", role("brand-new")).unknown("arn", &[]).unknown("id", &[]),
        create("aws_iam_role_policy.new", json!({"name": "all", "policy": policy}))
            .unknown("role", &["aws_iam_role.new.id", "aws_iam_role.new"]),
    ]);
    assert_eq!(projection.unresolved, []);
    let after = graph(&projection.after, &recording().declaration);
    let drift = cadastre_graph::diff(&recording().graph, &after);
    let said = words(&drift);
    assert!(said.contains("arn:aws:iam::111122223333:role/brand-new can now read logs of"), "{said}");
}

#[test]
fn a_key_that_does_not_exist_yet_is_one_thing_under_one_symbol() {
    let projection = project(&[
        create("aws_kms_key.new", json!({"is_enabled": true, "enable_key_rotation": true, "deletion_window_in_days": 30}))
            .unknown("arn", &[])
            .unknown("key_id", &[])
            .unknown("id", &[])
            .unknown("policy", &[])
            .unknown("multi_region", &[]),
        create("aws_kms_alias.new", json!({"name": "alias/new"})).unknown("target_key_id", &["aws_kms_key.new.key_id", "aws_kms_key.new"]),
        create("aws_kms_grant.new", json!({"grantee_principal": "arn:aws:iam::111122223333:role/ticket-bot", "operations": ["Decrypt"]}))
            .unknown("key_id", &["aws_kms_key.new.arn", "aws_kms_key.new"])
            .unknown("grant_id", &[]),
    ]);
    assert_eq!(projection.unresolved, []);
    let inventory = cadastre_assess::inventory(projection.after.records(), &recording().declaration);
    let key = inventory.keys.iter().find(|key| key.aliases == ["alias/new"]).unwrap();
    assert_eq!(key.arn, "arn:aws:kms:eu-central-1:111122223333:key/aws_kms_key.new");
    assert_eq!(key.grants.observed().unwrap().len(), 1);
    assert!(key.policy.observed().is_some());
    assert_eq!(inventory.unreadable, []);
}

#[test]
fn a_policy_that_is_not_known_leaves_the_question_open() {
    let before = json!({"bucket": DATA_BUCKET, "policy": bucket_policy(DATA_BUCKET)});
    let projection = project(&[change("aws_s3_bucket_policy.data", before, json!({"bucket": DATA_BUCKET}))
        .unknown("policy", &["aws_iam_role.new.arn", "aws_iam_role.new", "local.other"])]);
    let named: Vec<(&str, &str, &str)> = projection
        .unresolved
        .iter()
        .map(|u| (u.address.as_str(), u.argument.as_str(), u.operation.as_str()))
        .collect();
    assert_eq!(
        named,
        [
            ("aws_s3_bucket_policy.data", "policy", "s3:GetBucketPolicy"),
            ("aws_s3_bucket_policy.data", "policy", "s3:GetBucketPolicyStatus"),
        ]
    );
    let record = projection
        .after
        .records()
        .iter()
        .find(|record| record.operation == "s3:GetBucketPolicy" && record.subject.ends_with(DATA_BUCKET));
    let record = record.unwrap();
    assert_eq!((record.outcome, record.response.is_null()), (Outcome::Failed, true));
    assert_eq!(record.problem.as_ref().unwrap().code, "known-after-apply");
}

#[test]
fn a_document_from_a_data_source_is_put_together() {
    let mut data = create(
        "data.aws_iam_policy_document.data",
        json!({"statement": [{"effect": "Allow", "actions": ["s3:GetObject"], "resources": [format!("arn:aws:s3:::{DATA_BUCKET}/*")],
            "principals": [{"type": "AWS"}], "condition": [{"test": "StringEquals", "variable": "aws:PrincipalTag/a", "values": ["&{aws:username}"]}]}]}),
    );
    data.unknown =
        json!({"json": true, "statement": [{"actions": [false], "principals": [{"identifiers": true}]}]});
    data.expressions = json!({"statement": [{"principals": [{"identifiers": {"references": ["aws_iam_role.new.arn", "aws_iam_role.new"]}}]}]});
    let before = json!({"bucket": DATA_BUCKET, "policy": bucket_policy(DATA_BUCKET)});
    let projection = project(&[
        data,
        create("aws_iam_role.new", role("brand-new")).unknown("arn", &[]),
        change("aws_s3_bucket_policy.data", before, json!({"bucket": DATA_BUCKET})).unknown(
            "policy",
            &["data.aws_iam_policy_document.data.json", "data.aws_iam_policy_document.data"],
        ),
    ]);
    assert_eq!(projection.unresolved, []);
    let record = projection
        .after
        .records()
        .iter()
        .find(|record| record.operation == "s3:GetBucketPolicy" && record.subject.ends_with(DATA_BUCKET));
    let statement = &record.unwrap().response["Policy"]["Statement"][0];
    assert_eq!(statement["Principal"], json!({"AWS": ["arn:aws:iam::111122223333:role/brand-new"]}));
    assert_eq!(statement["Condition"], json!({"StringEquals": {"aws:PrincipalTag/a": ["${aws:username}"]}}));
}

#[test]
fn a_rule_whose_range_is_not_known_leaves_the_groups_open() {
    let projection = project(&[create(
        "aws_vpc_security_group_ingress_rule.r",
        json!({"security_group_id": crate::support::group("kafka-broker"), "ip_protocol": "tcp", "from_port": 1, "to_port": 1}),
    )
    .unknown("cidr_ipv4", &["aws_eip.x.public_ip", "aws_eip.x"])]);
    assert_eq!(projection.unresolved.len(), 1);
    let (_, coverage) = cadastre_inventory::build(projection.after.records(), &recording().declaration);
    let questions = coverage.of("ec2:DescribeSecurityGroups");
    assert!(questions.iter().all(|question| question.outcome == Outcome::Failed), "{questions:?}");
    // The other rules are still seen.
    let after = graph(&projection.after, &recording().declaration);
    assert_eq!(words(&cadastre_graph::diff(&recording().graph, &after)), "");
}

#[test]
fn an_attachment_to_what_nobody_shows_is_reported() {
    let policy = json!({"Version": "2012-10-17", "Statement": []});
    let projection = project(&[create(
        "aws_iam_role_policy.p",
        json!({"role": "no-such-role", "name": "x", "policy": policy}),
    )]);
    assert_eq!(projection.unresolved.len(), 1);
    assert!(projection.unresolved[0].subject.ends_with("role/no-such-role"));
}

#[test]
fn nothing_passes_on_a_plan_alone_and_what_it_shows_is_seen() {
    let recorded = recording();
    let key = crate::support::key("alias/payments-kafka-data");
    let before = json!({"arn": key, "key_id": key.rsplit('/').next(), "policy": crate::support::key_policy(&key), "is_enabled": true,
        "enable_key_rotation": true});
    let vendor = json!({"Effect": "Allow", "Principal": {"AWS": crate::support::VENDOR}, "Action": "kms:Decrypt", "Resource": "*"});
    let mut after = before.clone();
    after["policy"] = crate::support::with_statement(&before["policy"], vendor);
    let plan = plan(&[
        change("aws_kms_key.data", before, after),
        change(
            "aws_kms_alias.data",
            json!({"name": "alias/payments-kafka-data", "target_key_id": key.rsplit('/').next()}),
            json!({"name": "alias/payments-kafka-data", "target_key_id": key.rsplit('/').next()}),
        ),
    ]);
    let at = plan.made_at().unwrap();
    let projection = plan.project(None, &recorded.declaration, at).unwrap();
    assert!(!projection.before.manifest().complete && !projection.after.manifest().complete);
    let drift = cadastre_graph::diff(
        &graph(&projection.before, &recorded.declaration),
        &graph(&projection.after, &recorded.declaration),
    );
    assert!(words(&drift).contains("role/streamco-control-plane can now decrypt with"), "{}", words(&drift));
    let (_, coverage) = cadastre_inventory::build(projection.after.records(), &recorded.declaration);
    assert!(coverage.of("kms:ListKeys").iter().all(|question| question.outcome == Outcome::Failed));
}
