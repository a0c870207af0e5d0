//! Every capability of the model: some plan gives it away, which is said with its severity, and taking that back is said too.

use cadastre_graph::{DriftKind, Severity};
use cadastre_model::access::Capability;
use serde_json::{Value, json};

use crate::support::{
    Change, DATA_BUCKET, LOG_BUCKET, VENDOR, bucket_policy, change, create, element, key, key_policy,
    moves_in, recording, with_statement,
};

fn bucket(name: &str, action: &str) -> Vec<Change> {
    let statement = json!({"Effect": "Allow", "Principal": {"AWS": VENDOR}, "Action": action,
        "Resource": [format!("arn:aws:s3:::{name}"), format!("arn:aws:s3:::{name}/*")]});
    let before = bucket_policy(name);
    // The data bucket's own guards would hold the vendor back.
    let after = match name == DATA_BUCKET {
        true => json!({"Version": "2012-10-17", "Statement": [statement]}),
        false => with_statement(&before, statement),
    };
    let values = |policy: Value| json!({"bucket": name, "id": name, "policy": policy});
    vec![change("aws_s3_bucket_policy.opened", values(before), values(after))]
}

fn data_key(action: &str) -> Vec<Change> {
    let arn = key("alias/payments-kafka-data");
    let before = key_policy(&arn);
    let statement =
        json!({"Effect": "Allow", "Principal": {"AWS": VENDOR}, "Action": action, "Resource": "*"});
    let after = with_statement(&before, statement);
    let values = |policy: Value| json!({"key_id": arn, "id": arn, "policy": policy});
    vec![change("aws_kms_key_policy.data", values(before), values(after))]
}

/// A policy of a role of the account that has none of this today.
fn own_role(action: &str) -> Vec<Change> {
    let policy = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]});
    vec![create(
        "aws_iam_role_policy.wide",
        json!({"role": "billing-reader", "name": "wide", "policy": policy}),
    )]
}

fn trust() -> Vec<Change> {
    let recorded =
        element("iam:GetAccountAuthorizationDetails", "RoleDetailList", "RoleName", "platform-operator");
    let values = |trust: Value| {
        json!({"name": "platform-operator", "arn": recorded["Arn"], "id": "platform-operator",
            "path": recorded["Path"], "assume_role_policy": trust})
    };
    let before = recorded["AssumeRolePolicyDocument"].clone();
    let statement = json!({"Effect": "Allow", "Principal": {"AWS": VENDOR}, "Action": "sts:AssumeRole"});
    let after = with_statement(&before, statement);
    vec![change("aws_iam_role.operator", values(before), values(after))]
}

fn binding(operation: &str) -> Vec<Change> {
    vec![create(
        "kafka_acl.vendor",
        json!({"resource_name": "payments.", "resource_type": "Topic", "acl_principal": "User:streamco-agent",
            "acl_host": "*", "acl_operation": operation, "acl_permission_type": "Allow",
            "resource_pattern_type_filter": "Prefixed"}),
    )]
}

/// A plan that gives a capability away, and how severe that is.
fn opening(capability: Capability) -> (Vec<Change>, Severity) {
    match capability {
        Capability::ReadRecords => (binding("Read"), Severity::High),
        Capability::WriteRecords => (binding("Write"), Severity::High),
        Capability::ReadObjects => (bucket(DATA_BUCKET, "s3:GetObject"), Severity::High),
        Capability::WriteObjects => (bucket(DATA_BUCKET, "s3:DeleteObject"), Severity::High),
        Capability::Decrypt => (data_key("kms:Decrypt"), Severity::High),
        Capability::ManageKey => (data_key("kms:ScheduleKeyDeletion"), Severity::High),
        Capability::OperateHost => (own_role("ssm:SendCommand"), Severity::Medium),
        Capability::ChangePolicy => (own_role("iam:PutRolePolicy"), Severity::Medium),
        Capability::Assume => (trust(), Severity::High),
        Capability::ReadLogs => (bucket(LOG_BUCKET, "s3:GetObject"), Severity::High),
        Capability::AlterLogs => (own_role("cloudtrail:StopLogging"), Severity::Medium),
        Capability::Reach => (crate::network::opened_to_the_internet(), Severity::High),
    }
}

#[test]
fn every_capability_is_told_when_a_plan_gives_it_away_and_when_a_plan_takes_it_back() {
    for capability in Capability::ALL {
        let (changes, severity) = opening(capability);
        let moves = moves_in(recording(), &changes);
        let opened = moves.there.iter().find(|drift| {
            let own = !drift.message.contains("can now reach plaintext of");
            drift.capability == Some(capability) && drift.kind == DriftKind::Opened && own
        });
        let opened = opened.unwrap_or_else(|| {
            panic!("{capability} is not said to be opened:\n{}", crate::support::words(&moves.there))
        });
        assert_eq!(opened.severity, severity, "{capability}: {}", opened.message);
        assert!(!opened.after.is_empty(), "{capability} is shown by no record");
        let closed = moves.back.iter().find(|drift| {
            drift.capability == Some(capability)
                && drift.kind == DriftKind::Closed
                && (&drift.subject, &drift.target) == (&opened.subject, &opened.target)
        });
        let closed = closed.unwrap_or_else(|| {
            panic!("{capability} is not said to be closed:\n{}", crate::support::words(&moves.back))
        });
        assert_eq!(closed.severity, Severity::Information, "{capability}: {}", closed.message);
        assert!(!closed.before.is_empty(), "what {capability} was is shown by no record");
    }
}
