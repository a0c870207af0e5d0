//! Changes that change nothing.

use serde_json::{Value, json};

use crate::support::{
    DATA_BUCKET, bucket_policy, change, create, element, group, key, key_policy, project, recording, silent,
    vpc,
};

fn policy(document: String) -> Value {
    json!({"bucket": DATA_BUCKET, "policy": document})
}

#[test]
fn tags_and_descriptions() {
    let role = |tag: &str| {
        let recorded =
            element("iam:GetAccountAuthorizationDetails", "RoleDetailList", "RoleName", "kafka-broker");
        json!({"name": "kafka-broker", "arn": recorded["Arn"], "path": "/", "description": tag, "tags": {"team": tag},
            "assume_role_policy": recorded["AssumeRolePolicyDocument"]})
    };
    silent(&[change("aws_iam_role.broker", role("a"), role("b"))]);
    let group = |text: &str| json!({"id": group("kafka-broker"), "name": "kafka-broker", "vpc_id": vpc(), "tags": {"x": text}});
    silent(&[change("aws_security_group.broker", group("a"), group("b"))]);
}

#[test]
fn statements_in_another_order_and_other_white_space() {
    let before = bucket_policy(DATA_BUCKET);
    let mut after = before.clone();
    after["Statement"].as_array_mut().unwrap().reverse();
    for statement in after["Statement"].as_array_mut().unwrap() {
        if let Some(text) = statement["Action"].as_str() {
            statement["Action"] = json!([text]);
        }
        statement.as_object_mut().unwrap().remove("Sid");
    }
    let spaced = serde_json::to_string_pretty(&after).unwrap();
    let changes = [change("aws_s3_bucket_policy.data", policy(before.to_string()), policy(spaced))];
    silent(&changes);
    assert_eq!(project(&changes).after.manifest().merkle_root, recording().evidence.manifest().merkle_root);
}

#[test]
fn a_key_policy_whose_lists_are_sorted() {
    let arn = key("alias/payments-kafka-data");
    let before = key_policy(&arn);
    let mut after = before.clone();
    after["Statement"][0]["Action"].as_array_mut().unwrap().reverse();
    let values = |policy: Value| json!({"key_id": arn, "policy": policy});
    silent(&[change("aws_kms_key_policy.data", values(before), values(after))]);
}

#[test]
fn nothing_at_all() {
    let same = json!({"name": "x", "arn": "arn:aws:iam::111122223333:role/x"});
    silent(&[change("aws_iam_role.x", same.clone(), same)]);
    silent(&[]);
}

#[test]
fn what_has_no_place_in_the_boundary_is_named_and_moves_nothing() {
    let projection = project(&[
        create("aws_cloudwatch_dashboard.d", json!({"dashboard_name": "x"})),
        create("azurerm_key_vault.v", json!({"name": "x"})),
        create("aws_eks_cluster.m", json!({"name": "x"})),
    ]);
    let named: Vec<(&str, &str)> =
        projection.not_examined.iter().map(|entry| (entry.address.as_str(), entry.reason.as_str())).collect();
    assert_eq!(
        named,
        [
            ("aws_cloudwatch_dashboard.d", "no rule reads resources of this type"),
            ("aws_eks_cluster.m", "the boundary model has no such AWS resource"),
            ("azurerm_key_vault.v", "neither the plan nor the declaration tells its subscription"),
        ]
    );
    assert_eq!(projection.after.manifest().merkle_root, recording().evidence.manifest().merkle_root);
}
