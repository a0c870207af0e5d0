//! Roles before they exist, judged inside a declared boundary.

#![cfg(test)]

use std::path::{Path, PathBuf};

use cadastre_assess::role::{Candidate, FlagVerdict, PolicyText, RoleAssessment, RoleError, assess_role};
use cadastre_model::access::{Capability, Damage, Decision};
use cadastre_model::declaration::Declaration;
use cadastre_model::evidence::Evidence;
use cadastre_model::time::Timestamp;
use serde_json::{Value, json};

const DATA: &str = "arn:aws:s3:::automq-data-env1";
const CONSOLE: &str = "arn:aws:iam::111122223333:role/automq-console-env1";

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures")
}

fn read_at() -> Timestamp {
    Timestamp::from_seconds(1_795_000_000).unwrap()
}

fn file(name: &str, text: impl Into<String>) -> PolicyText {
    PolicyText { file: name.to_owned(), text: text.into() }
}

fn pack() -> (Candidate, Declaration) {
    let directory = fixtures().join("permission-packs/automq-byoc-aws");
    let text = |name: &str| file(name, std::fs::read_to_string(directory.join(name)).unwrap());
    let candidate = Candidate {
        arn: Some(CONSOLE.to_owned()),
        trust: text("trust-policy.json"),
        policies: vec![text("role-policy.json")],
        boundary: None,
    };
    (candidate, Declaration::read(&directory.join("boundary.yaml")).unwrap())
}

fn console() -> RoleAssessment {
    let (candidate, declaration) = pack();
    assess_role(&candidate, &declaration, None, read_at()).unwrap()
}

/// The decision over all edges towards a target.
fn stands(assessment: &RoleAssessment, capability: Capability, target: &str) -> Decision {
    let edges = assessment
        .reaches
        .iter()
        .filter(|reach| reach.target == target && reach.edge.capability == capability);
    edges.map(|reach| reach.edge.decision.clone()).fold(Decision::Deny, Decision::or)
}

#[track_caller]
fn open(assessment: &RoleAssessment, capability: Capability, target: &str) {
    let found = stands(assessment, capability, target);
    assert!(matches!(found, Decision::Unknown(_)), "{capability} {target}: {found:?}");
}

#[track_caller]
fn flagged(assessment: &RoleAssessment, control: &str, verdict: FlagVerdict, reason: &str) {
    let flag = assessment.flags.iter().find(|flag| flag.control == control).unwrap();
    assert_eq!(flag.verdict, verdict, "{control}: {:?}", flag.reasons);
    assert!(flag.reasons.iter().any(|told| told.contains(reason)), "{control}: {:?}", flag.reasons);
}

#[test]
fn a_pack_without_evidence_is_neither_allowed_nor_nothing() {
    let assessment = console();
    assert!(!assessment.with_evidence);
    for (capability, target) in [
        (Capability::ReadObjects, DATA),
        (Capability::WriteObjects, DATA),
        (Capability::ReadObjects, "arn:aws:s3:::automq-ops-env1"),
        (Capability::Assume, "any other role of account 111122223333"),
        (Capability::Assume, "arn:aws:iam::111122223333:role/automq-broker-env1"),
        // Lifecycle rules are allowed on every bucket, the trail's included.
        (Capability::AlterLogs, "arn:aws:s3:::company-trail"),
        (Capability::ReadObjects, "any volume of account 111122223333"),
    ] {
        open(&assessment, capability, target);
    }
    // What it is not allowed to do is not made open by missing evidence.
    assert_eq!(stands(&assessment, Capability::ReadObjects, "arn:aws:s3:::company-trail"), Decision::Deny);
    assert_eq!(stands(&assessment, Capability::ReadObjects, "arn:aws:s3:::payments-backups"), Decision::Deny);
    assert_eq!(stands(&assessment, Capability::Decrypt, "alias/backups"), Decision::Deny);
    assert_eq!(stands(&assessment, Capability::ManageKey, "alias/backups"), Decision::Deny);
    assert!(assessment.reaches.iter().all(|reach| reach.edge.decision != Decision::Allow));
    assert!(assessment.missing.iter().any(|missing| missing.contains("s3:GetBucketPolicy")));
    assert!(assessment.missing.iter().any(|missing| missing.contains("organizations:")));
}

#[test]
fn what_a_reviewer_is_told_of_the_pack() {
    let assessment = console();
    flagged(
        &assessment,
        "BND-04",
        FlagVerdict::Unproven,
        "read arn:aws:s3:::automq-data-env1 by s3:GetObject",
    );
    flagged(
        &assessment,
        "BND-09",
        FlagVerdict::Unproven,
        "write or delete arn:aws:s3:::automq-data-env1 by s3:DeleteObject",
    );
    flagged(
        &assessment,
        "IDN-03",
        FlagVerdict::Unproven,
        "run code as any other role of account 111122223333 by iam:PassRole and ec2:RunInstances",
    );
    flagged(&assessment, "IDN-01", FlagVerdict::RedFlag, "grants actions of ec2 on every resource");
    flagged(&assessment, "NET-01", FlagVerdict::RedFlag, "ec2:authorizesecuritygroupingress");
    flagged(&assessment, "NET-04", FlagVerdict::RedFlag, "ec2:authorizesecuritygroupegress");
    flagged(
        &assessment,
        "KEY-01",
        FlagVerdict::Unproven,
        "no key of the customer's is declared for arn:aws:s3:::automq-data-env1",
    );
    flagged(&assessment, "BND-05", FlagVerdict::Unproven, "service:ec2.amazonaws.com may assume it");
    flagged(
        &assessment,
        "AUD-02",
        FlagVerdict::Unproven,
        "change logs of arn:aws:s3:::company-trail by s3:PutLifecycleConfiguration",
    );
    let quiet = |control: &str| {
        assessment
            .flags
            .iter()
            .any(|flag| flag.control == control && flag.verdict == FlagVerdict::NothingFound)
    };
    assert!(quiet("KEY-02") && quiet("KEY-03"), "it touches no key");
    assert!(quiet("IDN-02"), "no other account gets in");
    assert!(assessment.trusts.iter().all(|trust| trust.principal == "service:ec2.amazonaws.com"));
    assert!(assessment.destruction.iter().any(|found| {
        found.damage == Damage::Destroy
            && found.disguised
            && found.action == "s3:PutLifecycleConfiguration"
            && found.target == DATA
    }));
    let section = assessment.markdown();
    let kept = fixtures().join("permission-packs/automq-byoc-aws/section.md");
    if std::env::var_os("UPDATE_SECTION").is_some() {
        std::fs::write(&kept, &section).unwrap();
    }
    assert_eq!(
        section,
        std::fs::read_to_string(&kept).unwrap(),
        "write it again with UPDATE_SECTION=1, and read it"
    );
    for told in [
        "| AUD-02 Logs cannot be changed by those they record | unproven |",
        "### What was not examined",
        "iam:PassRole and ec2:RunInstances",
    ] {
        assert!(section.contains(told), "{section}");
    }
}

#[test]
fn the_same_pack_gives_the_same_bytes() {
    let text = |assessment: &RoleAssessment| serde_json::to_string(assessment).unwrap();
    assert_eq!(text(&console()), text(&console()));
}

/// A role in the recorded reference account.
#[track_caller]
fn in_the_reference_account(policy: Value, boundary: Option<Value>) -> RoleAssessment {
    let directory = fixtures().join("clean");
    let declaration = Declaration::read(&directory.join("boundary.yaml")).unwrap();
    let evidence = Evidence::read(&directory.join("evidence")).unwrap();
    let trust = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::999988887777:root"}, "Action": "sts:AssumeRole"}]});
    let candidate = Candidate {
        arn: None,
        trust: file("trust.json", trust.to_string()),
        policies: vec![file("policy.json", policy.to_string())],
        boundary: boundary.map(|boundary| file("boundary.json", boundary.to_string())),
    };
    assess_role(&candidate, &declaration, Some(&evidence), read_at()).unwrap()
}

fn allow(action: &str) -> Value {
    json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]})
}

#[test]
fn with_evidence_answers_are_settled() {
    const BROKER: &str = "arn:aws:iam::111122223333:role/kafka-broker";
    let passing = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["iam:PassRole", "ec2:RunInstances"], "Resource": "*"}]});
    let assessment = in_the_reference_account(passing.clone(), None);
    assert_eq!(stands(&assessment, Capability::Assume, BROKER), Decision::Allow);
    flagged(&assessment, "IDN-03", FlagVerdict::RedFlag, BROKER);
    flagged(
        &assessment,
        "IDN-02",
        FlagVerdict::RedFlag,
        "account:999988887777 may assume it without an external id",
    );
    assert!(
        assessment.paths.iter().any(|path| path.decision != Decision::Deny),
        "it reaches records as the broker"
    );
    assert!(assessment.escalations.iter().any(|escalation| {
        escalation.steps.first().is_some_and(|step| step.action == "iam:PassRole and ec2:RunInstances")
    }));
    // A boundary limits, and never grants.
    let bound = in_the_reference_account(passing, Some(allow("ec2:*")));
    assert_eq!(stands(&bound, Capability::Assume, BROKER), Decision::Deny);
    let granted = in_the_reference_account(allow("ec2:DescribeInstances"), Some(allow("*")));
    assert_eq!(granted.reaches, []);
}

#[test]
fn an_empty_list_is_seen_as_everything() {
    let template = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "s3:PutBucketPolicy", "Resource": []},
        {"Effect": "Allow", "Action": "kms:CreateGrant", "Resource": null}
    ]});
    let assessment = in_the_reference_account(template, None);
    assert_eq!(assessment.notes.iter().filter(|note| note.contains("is read as `*`")).count(), 2);
    let changes = assessment.reaches.iter().filter(|reach| reach.edge.action == "s3:PutBucketPolicy");
    assert!(changes.count() > 1);
}

#[test]
fn what_is_no_policy_is_refused_with_the_file_that_holds_it() {
    let (mut candidate, declaration) = pack();
    candidate.policies = vec![file("broken.json", "{")];
    let error = assess_role(&candidate, &declaration, None, read_at()).unwrap_err();
    assert!(matches!(&error, RoleError::NotJson { file, .. } if file == "broken.json"), "{error}");
    candidate.policies = vec![file("large.json", " ".repeat(2 << 20))];
    let error = assess_role(&candidate, &declaration, None, read_at()).unwrap_err();
    assert!(matches!(&error, RoleError::TooLarge { .. }), "{error}");
}
