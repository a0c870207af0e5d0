//! Plans under the controls: what is red after and was not before.

use std::collections::BTreeSet;

use cadastre_assess::{Options, assess, mutation};
use cadastre_model::checklist::Verdict;
use cadastre_plan::Plan;
use serde_json::{Value, json};

use crate::support::{
    Change, DATA_BUCKET, VENDOR, bucket_policy, change, key, key_policy, project, recording, with_statement,
};

/// Findings that are new after the changes.
fn findings(changes: &[Change]) -> BTreeSet<(String, String, Verdict)> {
    let declaration = Plan::accepted_by(&recording().declaration);
    let projection = project(changes);
    let options = Options::with_builtin_policies().unwrap();
    let before = assess(&projection.before, &declaration, &options).unwrap();
    let after = assess(&projection.after, &declaration, &options).unwrap();
    mutation::changes(&before.checklist, &after.checklist)
}

fn red(changes: &[Change]) -> BTreeSet<String> {
    findings(changes)
        .into_iter()
        .filter(|(_, _, verdict)| *verdict == Verdict::RedFlag)
        .map(|(id, _, _)| id)
        .collect()
}

#[test]
fn a_data_bucket_and_its_key_opened_to_the_vendor_are_red() {
    let arn = key("alias/payments-kafka-data");
    let policy = |document: Value| json!({"bucket": DATA_BUCKET, "policy": document});
    let object = json!({"Effect": "Allow", "Principal": {"AWS": VENDOR}, "Action": "s3:GetObject",
        "Resource": format!("arn:aws:s3:::{DATA_BUCKET}/*")});
    let decrypt =
        json!({"Effect": "Allow", "Principal": {"AWS": VENDOR}, "Action": "kms:Decrypt", "Resource": "*"});
    let before = key_policy(&arn);
    let found = red(&[
        change(
            "aws_s3_bucket_policy.data",
            policy(bucket_policy(DATA_BUCKET)),
            policy(json!({"Version": "2012-10-17", "Statement": [object]})),
        ),
        change(
            "aws_kms_key_policy.data",
            json!({"key_id": arn, "policy": before}),
            json!({"key_id": arn, "policy": with_statement(&before, decrypt)}),
        ),
    ]);
    assert!(!found.is_empty());
    assert!(found.iter().any(|id| id.starts_with("KEY-")), "{found:?}");
}

#[test]
fn an_unchanged_account_has_no_new_findings() {
    assert_eq!(findings(&[]), BTreeSet::new());
}

#[test]
fn a_policy_that_is_not_known_makes_findings_unproven_and_none_red() {
    let before = json!({"bucket": DATA_BUCKET, "policy": bucket_policy(DATA_BUCKET)});
    let found = findings(&[change("aws_s3_bucket_policy.data", before, json!({"bucket": DATA_BUCKET}))
        .unknown("policy", &["local.policy"])]);
    assert!(!found.is_empty());
    assert!(found.iter().all(|(_, _, verdict)| *verdict == Verdict::Unproven), "{found:?}");
}
