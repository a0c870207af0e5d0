//! Changes of who may do what: policies, trust, keys, grants, buckets.

use cadastre_model::Known;
use serde_json::{Value, json};

use crate::support::{
    ACCOUNT, DATA_BUCKET, LOG_BUCKET, VENDOR, bucket_policy, change, check, create, element, key, key_policy,
    project, recording, with_statement,
};

const DETAILS: &str = "iam:GetAccountAuthorizationDetails";

fn allow(principal: &str, action: &Value, resource: &Value) -> Value {
    json!({"Effect": "Allow", "Principal": {"AWS": principal}, "Action": action, "Resource": resource})
}

fn statement(action: &Value) -> Value {
    json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]})
}

/// A role as the state holds it.
fn role(name: &str) -> Value {
    let recorded = element(DETAILS, "RoleDetailList", "RoleName", name);
    json!({"name": name, "arn": recorded["Arn"], "id": name, "path": recorded["Path"],
        "assume_role_policy": recorded["AssumeRolePolicyDocument"]})
}

fn trusting(name: &str, principal: &str) -> Value {
    let mut role = role(name);
    let trust = json!({"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole"});
    role["assume_role_policy"] = with_statement(&role["assume_role_policy"], trust);
    role
}

fn policy_of(bucket: &str, policy: Value) -> Value {
    json!({"bucket": bucket, "id": bucket, "policy": policy})
}

#[test]
fn a_bucket_policy_that_names_the_vendor() {
    let before = bucket_policy(LOG_BUCKET);
    let after = with_statement(
        &before,
        allow(VENDOR, &json!(["s3:GetObject"]), &json!(format!("arn:aws:s3:::{LOG_BUCKET}/*"))),
    );
    check(
        &[change("aws_s3_bucket_policy.logs", policy_of(LOG_BUCKET, before), policy_of(LOG_BUCKET, after))],
        &["role/streamco-control-plane can now read"],
        &["role/streamco-control-plane can no longer read"],
    );
}

#[test]
fn guards_that_are_taken_from_the_data_bucket() {
    let before = bucket_policy(DATA_BUCKET);
    let vendor = allow(VENDOR, &json!("s3:GetObject"), &json!(format!("arn:aws:s3:::{DATA_BUCKET}/*")));
    let after = json!({"Version": "2012-10-17", "Statement": [vendor]});
    check(
        &[change("aws_s3_bucket_policy.data", policy_of(DATA_BUCKET, before), policy_of(DATA_BUCKET, after))],
        &["role/streamco-control-plane can now read objects of"],
        &["role/streamco-control-plane can no longer read objects of"],
    );
}

#[test]
fn a_key_policy_that_names_the_vendors_account() {
    let arn = key("alias/payments-kafka-data");
    let before = key_policy(&arn);
    let after =
        with_statement(&before, allow("arn:aws:iam::999988887777:root", &json!("kms:Decrypt"), &json!("*")));
    let values = |policy: Value| json!({"key_id": arn, "id": arn, "policy": policy});
    check(
        &[change("aws_kms_key_policy.data", values(before), values(after))],
        &["can now decrypt with"],
        &["can no longer decrypt with"],
    );
}

#[test]
fn a_key_resource_whose_own_policy_changes() {
    let arn = key("alias/payments-kafka-data");
    let before = key_policy(&arn);
    let after = with_statement(&before, allow(VENDOR, &json!(["kms:PutKeyPolicy"]), &json!("*")));
    let values = |policy: Value| {
        json!({"arn": arn, "key_id": arn.rsplit('/').next(), "policy": policy, "is_enabled": true,
        "enable_key_rotation": true, "key_usage": "ENCRYPT_DECRYPT", "customer_master_key_spec": "SYMMETRIC_DEFAULT", "multi_region": false})
    };
    check(
        &[change("aws_kms_key.data", values(before), values(after))],
        &["role/streamco-control-plane can now manage"],
        &["role/streamco-control-plane can no longer manage"],
    );
}

#[test]
fn a_grant() {
    let arn = key("alias/payments-kafka-data");
    check(
        &[create(
            "aws_kms_grant.vendor",
            json!({"key_id": arn, "grant_id": "a1b2", "grantee_principal": VENDOR, "operations": ["Decrypt"], "name": "support"}),
        )],
        &["role/streamco-control-plane can now decrypt with"],
        &["role/streamco-control-plane can no longer decrypt with"],
    );
}

#[test]
fn an_inline_policy_of_a_role() {
    check(
        &[create(
            "aws_iam_role_policy.reader",
            json!({"role": "ticket-bot", "name": "reader", "policy": statement(&json!("s3:*"))}),
        )],
        &["role/ticket-bot can now read logs of", "role/ticket-bot can now alter logs of"],
        &["role/ticket-bot can no longer read logs of"],
    );
}

#[test]
fn an_inline_policy_that_grows() {
    let recorded = element(DETAILS, "RoleDetailList", "RoleName", "ticket-bot");
    let inline = &recorded["RolePolicyList"][0];
    let before = inline["PolicyDocument"].clone();
    let after =
        with_statement(&before, json!({"Effect": "Allow", "Action": "kms:PutKeyPolicy", "Resource": "*"}));
    let after =
        with_statement(&after, json!({"Effect": "Allow", "Action": "iam:PutRolePolicy", "Resource": "*"}));
    let values =
        |policy: Value| json!({"role": "ticket-bot", "name": inline["PolicyName"], "policy": policy});
    check(
        &[change("aws_iam_role_policy.bot", values(before), values(after))],
        &["role/ticket-bot can now change what is allowed on"],
        &["role/ticket-bot can no longer change what is allowed on"],
    );
}

#[test]
fn a_managed_policy_and_its_attachment() {
    let arn = format!("arn:aws:iam::{ACCOUNT}:policy/operators");
    check(
        &[
            create(
                "aws_iam_policy.operators",
                json!({"name": "operators", "path": "/", "arn": arn, "policy": statement(&json!(["ssm:SendCommand", "ssm:StartSession"]))}),
            ),
            create(
                "aws_iam_role_policy_attachment.operators",
                json!({"role": "billing-reader", "policy_arn": arn}),
            ),
        ],
        &["role/billing-reader can now operate"],
        &["role/billing-reader can no longer operate"],
    );
}

#[test]
fn a_managed_policy_gets_a_new_default_version() {
    let recorded =
        element(DETAILS, "Policies", "Arn", &format!("arn:aws:iam::{ACCOUNT}:policy/vendor-boundary"));
    let before = recorded["PolicyVersionList"][0]["Document"].clone();
    let arn = recorded["Arn"].clone();
    let values =
        |policy: Value| json!({"name": "vendor-boundary", "path": "/", "arn": arn, "policy": policy});
    let wide = create(
        "aws_iam_role_policy.wide",
        json!({"role": "streamco-support", "name": "wide", "policy": statement(&json!("s3:*"))}),
    );
    // The boundary holds back what the role's policy gives until both change.
    check(
        &[wide.clone(), change("aws_iam_policy.boundary", values(before), values(statement(&json!("*"))))],
        &["role/streamco-support can now read logs of"],
        &["role/streamco-support can no longer read logs of"],
    );
    crate::support::silent(&[wide]);
}

#[test]
fn a_trust_policy_that_lets_the_vendor_in() {
    check(
        &[change("aws_iam_role.operator", role("platform-operator"), trusting("platform-operator", VENDOR))],
        &["role/streamco-control-plane can now become"],
        &["role/streamco-control-plane can no longer become"],
    );
}

#[test]
fn a_user_with_a_policy_of_its_own() {
    check(
        &[
            create(
                "aws_iam_user.contractor",
                json!({"name": "contractor", "path": "/", "arn": format!("arn:aws:iam::{ACCOUNT}:user/contractor")}),
            ),
            create(
                "aws_iam_user_policy.contractor",
                json!({"user": "contractor", "name": "all", "policy": statement(&json!("s3:*"))}),
            ),
        ],
        &["user/contractor can now read logs of"],
        &["user/contractor can no longer read logs of"],
    );
}

#[test]
fn a_group_that_a_user_joins() {
    let group = format!("arn:aws:iam::{ACCOUNT}:group/archivists");
    check(
        &[
            create("aws_iam_group.archivists", json!({"name": "archivists", "path": "/", "arn": group})),
            create(
                "aws_iam_group_policy.archivists",
                json!({"group": "archivists", "name": "all", "policy": statement(&json!("s3:*"))}),
            ),
            create(
                "aws_iam_user.clerk",
                json!({"name": "clerk", "path": "/", "arn": format!("arn:aws:iam::{ACCOUNT}:user/clerk")}),
            ),
            create("aws_iam_user_group_membership.clerk", json!({"user": "clerk", "groups": ["archivists"]})),
        ],
        &["user/clerk can now read logs of"],
        &["user/clerk can no longer read logs of"],
    );
}

#[test]
fn encryption_under_another_key() {
    let (data, other) = (key("alias/payments-kafka-data"), key("alias/shared-workloads"));
    let values = |key: &str| {
        json!({"bucket": DATA_BUCKET, "rule": [{"bucket_key_enabled": true,
        "apply_server_side_encryption_by_default": [{"sse_algorithm": "aws:kms", "kms_master_key_id": key}]}]})
    };
    check(
        &[change("aws_s3_bucket_server_side_encryption_configuration.data", values(&data), values(&other))],
        &["is now encrypted by", "is no longer encrypted by"],
        &["is now encrypted by", "is no longer encrypted by"],
    );
}

#[test]
fn an_endpoint_policy_is_replaced() {
    let endpoints =
        crate::support::response("ec2:DescribeVpcEndpoints", "eu-central-1")["VpcEndpoints"].clone();
    let endpoint = endpoints
        .as_array()
        .unwrap()
        .iter()
        .find(|endpoint| endpoint["VpcEndpointType"] == "Gateway")
        .unwrap();
    let id = endpoint["VpcEndpointId"].as_str().unwrap();
    let values = |policy: &Value| json!({"vpc_endpoint_id": id, "policy": policy});
    let (before, after) =
        (endpoint["PolicyDocument"].clone(), json!({"Version": "2012-10-17", "Statement": []}));
    let projection = project(&[change("aws_vpc_endpoint_policy.objects", values(&before), values(&after))]);
    let inventory = cadastre_assess::inventory(projection.after.records(), &recording().declaration);
    let endpoint = inventory.endpoints.iter().find(|endpoint| endpoint.id == id).unwrap();
    assert_eq!(endpoint.policy.observed().unwrap().document, after);
}

#[test]
fn an_msk_cluster_that_lets_the_vendor_in() {
    let statement = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": VENDOR}, "Action": "kafka-cluster:ReadData", "Resource": "*"}]});
    let arn = format!("arn:aws:kafka:eu-west-1:{ACCOUNT}:cluster/payments-msk/0");
    let secret = format!("arn:aws:secretsmanager:eu-central-1:{ACCOUNT}:secret:AmazonMSK_vendor-a1");
    let client = json!([{"sasl": [{"iam": true, "scram": true}], "tls": [], "unauthenticated": false}]);
    let projection = project(&[
        create(
            "aws_msk_cluster.m",
            json!({"cluster_name": "payments-msk", "arn": arn, "client_authentication": client}),
        ),
        create("aws_msk_cluster_policy.p", json!({"cluster_arn": arn, "policy": statement.to_string()})),
        create(
            "aws_msk_scram_secret_association.s",
            json!({"cluster_arn": arn, "secret_arn_list": [secret]}),
        ),
        create("aws_msk_serverless_cluster.s", json!({"cluster_name": "other"}))
            .unknown("client_authentication", &[]),
    ]);
    let partly: Vec<&str> = projection.not_examined.iter().map(|entry| entry.address.as_str()).collect();
    assert_eq!(partly, ["aws_msk_cluster.m", "aws_msk_serverless_cluster.s"], "networks and encryption");
    assert!(projection.unresolved.iter().any(|what| what.address == "aws_msk_serverless_cluster.s"));
    let inventory = cadastre_assess::inventory(projection.after.records(), &recording().declaration);
    let [cluster] = inventory.msk_clusters.as_slice() else { panic!("{:?}", inventory.msk_clusters) };
    let authentication = &cluster.authentication;
    assert_eq!(
        (&authentication.iam, &authentication.scram),
        (&Known::Observed(true), &Known::Observed(true))
    );
    assert_eq!(authentication.unauthenticated, Known::Observed(false));
    assert_eq!(authentication.certificate_authorities, Known::Absent);
    assert_eq!(cluster.scram_secrets, Known::Observed(vec![secret]));
    let Known::Observed(policy) = &cluster.policy else { panic!("{:?}", cluster.policy) };
    assert!(format!("{policy:?}").contains(VENDOR));
}
