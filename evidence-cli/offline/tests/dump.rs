//! What the AWS CLI wrote, read as if it had been scanned.

#![cfg(test)]

use cadastre_inventory::build;
use cadastre_model::Known;
use cadastre_model::declaration::Declaration;
use cadastre_model::record::Outcome;
use cadastre_model::time::Timestamp;
use cadastre_offline::{Offline, OfflineError, OfflineFile, read};
use serde_json::{Value, json};

const ACCOUNT: &str = "111122223333";
const KEY: &str = "arn:aws:kms:eu-central-1:111122223333:key/1234";

fn file(path: &str, content: &Value) -> OfflineFile {
    raw(path, &content.to_string())
}

fn raw(path: &str, content: &str) -> OfflineFile {
    OfflineFile {
        path: path.to_owned(),
        content: content.as_bytes().to_vec(),
        written_at: Timestamp::from_seconds(1_795_000_000).unwrap(),
    }
}

fn declaration() -> Declaration {
    let text = "schema: cadastre/boundary/v1\nname: t\noperating-model: self-managed\narchitecture: shared-storage\n";
    Declaration::parse(text, "boundary.yaml").unwrap()
}

fn role(name: &str) -> Value {
    let trust = "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%5D%7D";
    json!({
        "Path": "/", "RoleName": name, "RoleId": "AROAEXAMPLE", "Arn": format!("arn:aws:iam::{ACCOUNT}:role/{name}"),
        "CreateDate": "2026-01-01T02:00:00+02:00", "AssumeRolePolicyDocument": trust,
        "InstanceProfileList": [], "RolePolicyList": [], "Tags": [],
        "AttachedManagedPolicies": [{"PolicyName": "p", "PolicyArn": format!("arn:aws:iam::{ACCOUNT}:policy/p")}],
        "RoleLastUsed": {}
    })
}

fn policies() -> Value {
    json!([{
        "PolicyName": "p", "PolicyId": "ANPAEXAMPLE", "Arn": format!("arn:aws:iam::{ACCOUNT}:policy/p"), "Path": "/",
        "DefaultVersionId": "v2", "AttachmentCount": 1, "PermissionsBoundaryUsageCount": 0, "IsAttachable": true,
        "PolicyVersionList": [
            {"VersionId": "v1", "IsDefaultVersion": false, "Document": {"Version": "2012-10-17", "Statement": []}},
            {"VersionId": "v2", "IsDefaultVersion": true, "Document": {"Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*", "Condition": {"DateLessThan": {"aws:CurrentTime": "2027-01-01T02:00:00+02:00"}}}
            ]}}
        ]
    }])
}

fn details(roles: Value, policies: Value) -> Value {
    json!({"UserDetailList": [], "GroupDetailList": [], "RoleDetailList": roles, "Policies": policies})
}

fn offline(files: &[OfflineFile]) -> Offline {
    read(files).unwrap()
}

#[test]
fn a_merged_dump_shows_its_roles_with_their_policies() {
    let dump = file("anywhere/details.json", &details(json!([role("app")]), policies()));
    let offline = offline(&[dump]);
    assert_eq!(offline.records[0].caller, "file:anywhere/details.json");
    let (inventory, coverage) = build(&offline.records, &declaration());
    assert_eq!(inventory.unreadable, []);
    let [app] = inventory.principals.as_slice() else { panic!("{:?}", inventory.principals) };
    assert_eq!(app.arn, "arn:aws:iam::111122223333:role/app");
    let policies = app.policies.observed().unwrap();
    let statement = &policies[0].document["Statement"][0];
    assert_eq!(statement["Action"], "s3:GetObject");
    // What a policy says stays as it is written, times included.
    assert_eq!(statement["Condition"]["DateLessThan"]["aws:CurrentTime"], "2027-01-01T02:00:00+02:00");
    assert!(app.trust.observed().unwrap().document.is_object(), "percent-encoded documents are read");
    // What was not handed over was not answered.
    assert!(!coverage.questions.contains_key("organizations:DescribeOrganization"));
    assert!(matches!(inventory.accounts[0].service_control, Known::Unknown(_)));
}

#[test]
fn pages_are_put_together_and_a_missing_last_one_leaves_the_answer_cut_short() {
    let mut first = details(json!([role("a")]), json!([]));
    first["IsTruncated"] = json!(true);
    first["Marker"] = json!("next");
    let mut second = details(json!([role("b")]), policies());
    second["IsTruncated"] = json!(false);
    // The names say another order than the pages.
    let files = [file("2.json", &first), file("1.json", &second)];
    let (inventory, coverage) = build(&offline(&files).records, &declaration());
    assert_eq!(inventory.principals.len(), 2);
    assert!(inventory.principals.iter().all(|role| role.policies.observed().is_some()));
    let outcome = |coverage: &cadastre_model::coverage::Coverage| {
        coverage.questions["iam:GetAccountAuthorizationDetails"][0].outcome
    };
    assert_eq!(outcome(&coverage), Outcome::Observed);
    let (_, coverage) = build(&offline(&files[..1]).records, &declaration());
    assert_eq!(outcome(&coverage), Outcome::Truncated);
}

#[test]
fn two_dumps_of_one_account_are_refused_rather_than_mixed() {
    let files = [
        file("a.json", &details(json!([role("a")]), json!([]))),
        file("b.json", &details(json!([role("b")]), json!([]))),
    ];
    let error = read(&files).unwrap_err();
    assert!(matches!(&error, OfflineError::NotAnAnswer { .. }), "{error}");
    assert!(error.to_string().contains("a.json, b.json"), "{error}");
}

#[test]
fn bucket_policies_key_policies_and_grants_lie_beside_it() {
    let statement = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::data/*"}]});
    let files = [
        file(
            "111122223333/eu-central-1/s3api/get-bucket-policy/data.json",
            &json!({"Policy": statement.to_string()}),
        ),
        raw(
            "111122223333/eu-central-1/s3api/get-public-access-block/data.json",
            "\nAn error occurred (NoSuchPublicAccessBlockConfiguration) when calling the GetPublicAccessBlock operation: there is none\n",
        ),
        raw(
            "111122223333/eu-central-1/s3api/get-bucket-encryption/data.json",
            "An error occurred (AccessDenied) when calling the GetBucketEncryption operation: Access Denied",
        ),
        file(
            "111122223333/eu-central-1/kms/get-key-policy/1234.json",
            &json!({"Policy": {"Version": "2012-10-17", "Statement": []}, "PolicyName": "default"}),
        ),
        file(
            "111122223333/eu-central-1/kms/list-grants/1234.json",
            &json!({"Grants": [{"KeyId": KEY, "GrantId": "g", "GranteePrincipal": "arn:aws:iam::111122223333:role/app", "IssuingAccount": "111122223333", "Operations": ["Decrypt"], "CreationDate": "2026-01-01T02:00:00.250000+02:00"}], "Truncated": false}),
        ),
    ];
    let offline = offline(&files);
    assert_eq!(offline.skipped, []);
    let (inventory, _) = build(&offline.records, &declaration());
    assert_eq!(inventory.unreadable, []);
    let bucket = &inventory.buckets[0];
    assert_eq!(bucket.policy.observed().unwrap().document["Statement"][0]["Action"], "s3:GetObject");
    assert_eq!(bucket.public_access_blocked, Known::Absent);
    assert!(bucket.encryption.missing().unwrap().contains("denied"), "{:?}", bucket.encryption);
    let key = inventory.keys.iter().find(|key| key.arn == KEY).unwrap();
    assert_eq!(key.grants.observed().unwrap()[0].operations, ["Decrypt"]);
    assert!(matches!(key.state, Known::Unknown(_)), "nobody described it");
    let grants = offline.records.iter().find(|record| record.operation == "kms:ListGrants").unwrap();
    assert_eq!(grants.response["Grants"][0]["CreationDate"], "2026-01-01T00:00:00Z");
}

#[test]
fn control_policies_bind_as_if_they_had_been_scanned() {
    let summary = json!({"Id": "p-1", "Arn": "arn:aws:organizations::111122223333:policy/o-1/service_control_policy/p-1", "Name": "guard", "Type": "SERVICE_CONTROL_POLICY", "AwsManaged": false});
    let at = |rest: &str| format!("111122223333/global/organizations/{rest}.json");
    let root = json!({"Id": "r-1", "Arn": "arn:aws:organizations::111122223333:root/o-1/r-1", "Name": "Root", "PolicyTypes": [{"Type": "SERVICE_CONTROL_POLICY", "Status": "ENABLED"}]});
    let files = [
        file(
            &at("describe-organization"),
            &json!({"Organization": {"Id": "o-1", "MasterAccountId": "111122223333"}}),
        ),
        file(&at("list-roots"), &json!({"Roots": [root]})),
        file(&at("list-accounts-for-parent/r-1"), &json!({"Accounts": [{"Id": "111122223333"}]})),
        file(&at("list-organizational-units-for-parent/r-1"), &json!({"OrganizationalUnits": []})),
        file(&at("list-policies/SERVICE_CONTROL_POLICY"), &json!({"Policies": [summary]})),
        file(&at("list-targets-for-policy/p-1"), &json!({"Targets": [{"TargetId": "r-1", "Type": "ROOT"}]})),
        file(
            &at("describe-policy/p-1"),
            &json!({"Policy": {"PolicySummary": summary, "Content": "{\"Version\":\"2012-10-17\",\"Statement\":[]}"}}),
        ),
    ];
    let (inventory, _) = build(&offline(&files).records, &declaration());
    assert_eq!(inventory.unreadable, []);
    let levels = inventory.accounts[0].service_control.observed().unwrap();
    assert_eq!(levels[0][0].name, "guard");
    assert!(levels[0][0].document.is_object());
}

#[test]
fn secrets_are_gone_and_strangers_are_told() {
    let keys = json!({"AccessKeyMetadata": [{"UserName": "a", "AccessKeyId": "AKIAIOSFODNN7EXAMPLE", "SecretAccessKey": "x", "Status": "Active", "CreateDate": "2026-01-01T00:00:00Z"}]});
    let files = [
        file("111122223333/global/iam/list-access-keys.json", &keys),
        file("prowler.json", &json!({"findings": []})),
        raw("notes.txt", "hello"),
    ];
    let offline = offline(&files);
    let text = serde_json::to_string(&offline.records[0].response).unwrap();
    assert!(text.contains("****MPLE") && !text.contains("AKIA") && !text.contains("Secret"), "{text}");
    assert_eq!(
        offline.skipped.iter().map(|(path, _)| path.as_str()).collect::<Vec<_>>(),
        ["notes.txt", "prowler.json"]
    );
}

#[test]
fn what_is_named_like_an_answer_and_is_none_is_refused() {
    let error = read(&[raw("111122223333/eu-central-1/kms/list-grants/1.json", "[]")]).unwrap_err();
    assert!(error.to_string().contains("list-grants/1.json"), "{error}");
    assert!(read(&[raw("x.json", "{")]).is_err());
}

#[test]
fn a_managed_kafka_cluster_can_be_handed_over() {
    let place = "111122223333/eu-central-1";
    let secret = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:AmazonMSK_ledger-a1B2c3";
    let arn = "arn:aws:kafka:eu-central-1:111122223333:cluster/payments/abcd-1";
    let files = [
        file(
            &format!("{place}/kafka/list-clusters-v2.json"),
            &json!({"ClusterInfoList": [{"ClusterArn": arn, "ClusterName": "payments", "ClusterType": "PROVISIONED",
                "Provisioned": {"ClientAuthentication": {"Sasl": {"Scram": {"Enabled": true}}}}}]}),
        ),
        raw(
            &format!("{place}/kafka/get-cluster-policy/payments/abcd-1.json"),
            "An error occurred (NotFoundException) when calling the GetClusterPolicy operation: none",
        ),
        file(
            &format!("{place}/kafka/list-scram-secrets/payments/abcd-1.json"),
            &json!({"SecretArnList": [secret]}),
        ),
        file(
            &format!("{place}/secretsmanager/list-secrets.json"),
            &json!({"SecretList": [{"ARN": secret, "Name": "AmazonMSK_ledger", "KmsKeyId": KEY}]}),
        ),
        file(
            &format!("{place}/secretsmanager/get-resource-policy/AmazonMSK_ledger-a1B2c3.json"),
            &json!({"ARN": secret, "Name": "AmazonMSK_ledger", "ResourcePolicy": "{\"Version\": \"2012-10-17\", \"Statement\": []}"}),
        ),
    ];
    let (inventory, _) = build(&offline(&files).records, &declaration());
    assert_eq!(inventory.unreadable, []);
    let [cluster] = inventory.msk_clusters.as_slice() else { panic!("{:?}", inventory.msk_clusters) };
    assert_eq!(cluster.authentication.scram, Known::Observed(true));
    assert_eq!(cluster.policy, Known::Absent);
    assert_eq!(cluster.scram_secrets, Known::Observed(vec![secret.to_owned()]));
    let policy = inventory.secrets[0].policy.observed().unwrap();
    assert!(policy.document.is_object());
}

#[test]
fn identities_that_iam_collect_wrote_are_one_answer() {
    let at = |path: &str| format!("iam-data/aws/aws/accounts/{path}.json");
    let managed = "arn:aws:iam::aws:policy/ReadOnlyAccess";
    let own = "arn:aws:iam::111122223333:policy/boundary";
    let reads = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}]});
    let files = [
        file(
            &at("111122223333/iam/role/app/metadata"),
            &json!({"arn": "arn:aws:iam::111122223333:role/app", "name": "app", "id": "AROA", "path": "/", "permissionBoundary": own}),
        ),
        file(&at("111122223333/iam/role/app/managed-policies"), &json!([managed])),
        file(
            &at("111122223333/iam/role/app/inline-policies"),
            &json!([{"PolicyName": "more", "PolicyDocument": reads.clone()}]),
        ),
        file(
            &at("111122223333/iam/role/app/trust-policy"),
            &json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}),
        ),
        file(&at("111122223333/iam/role/app/tags"), &json!({"team": "payments"})),
        file(
            &at("111122223333/iam/role/app/instance-profiles"),
            &json!(["arn:aws:iam::111122223333:instance-profile/app"]),
        ),
        file(
            &at("111122223333/iam/policy/boundary/metadata"),
            &json!({"arn": own, "name": "boundary", "id": "ANPA", "path": "/", "defaultVersionId": "v3"}),
        ),
        file(&at("111122223333/iam/policy/boundary/current-policy"), &reads),
        file(
            &at("111122223333/iam/group/ops/metadata"),
            &json!({"arn": "arn:aws:iam::111122223333:group/ops", "name": "ops", "id": "AGPA", "path": "/"}),
        ),
        file(&at("111122223333/iam/group/ops/managed-policies"), &json!([managed])),
        file(
            &at("111122223333/iam/user/ann/metadata"),
            &json!({"arn": "arn:aws:iam::111122223333:user/ann", "name": "ann", "id": "AIDA", "path": "/"}),
        ),
        file(&at("111122223333/iam/user/ann/groups"), &json!(["arn:aws:iam::111122223333:group/ops"])),
        file(
            &at("aws/iam/policy/readonlyaccess/metadata"),
            &json!({"arn": managed, "name": "ReadOnlyAccess", "id": "ANPB", "path": "/", "defaultVersionId": "v9"}),
        ),
        file(&at("aws/iam/policy/readonlyaccess/current-policy"), &reads),
        file(
            &at("111122223333/iam/role/orphan/trust-policy"),
            &json!({"Version": "2012-10-17", "Statement": []}),
        ),
    ];
    let offline = offline(&files);
    assert_eq!(offline.records.len(), 1);
    assert_eq!(offline.skipped.len(), 1, "{:?}", offline.skipped);
    let (inventory, _) = build(&offline.records, &declaration());
    assert_eq!(inventory.unreadable, []);
    let [app, ann] = inventory.principals.as_slice() else { panic!("{:?}", inventory.principals) };
    let names = |policies: &Known<Vec<cadastre_model::asset::PolicyDocument>>| -> Vec<String> {
        policies.observed().unwrap().iter().map(|policy| policy.name.to_string()).collect()
    };
    assert_eq!(names(&app.policies), ["more", managed]);
    assert_eq!(app.boundary.observed().unwrap().name.to_string(), own);
    assert!(app.trust.observed().is_some());
    assert_eq!(app.instance_profiles, ["arn:aws:iam::111122223333:instance-profile/app"]);
    // When it was used last is not in such a directory.
    assert!(app.last_used.missing().is_some());
    assert_eq!(ann.groups, ["ops"]);
    assert_eq!(names(&ann.policies), [managed]);
}
