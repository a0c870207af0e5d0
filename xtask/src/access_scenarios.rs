//! Who asks for what in generated cases.

use serde_json::{Value, json};

use crate::access_cases::{AWAY, Dice, HOME};

/// Keys of a service: name, whether requests carry several values, and the values.
pub(crate) type OwnKeys = &'static [(&'static str, bool, &'static [&'static str])];

/// One question before policies are made for it.
#[derive(Debug)]
pub(crate) struct Scenario {
    pub(crate) principal: String,
    pub(crate) principal_account: String,
    pub(crate) action: &'static str,
    /// Another action of the service, without its prefix.
    pub(crate) other_action: &'static str,
    pub(crate) resource: String,
    pub(crate) resource_account: String,
    pub(crate) keys: OwnKeys,
    /// How resource policies may name the principal.
    pub(crate) names: Vec<Value>,
    pub(crate) unsigned: bool,
    pub(crate) has_identity: bool,
    pub(crate) is_root: bool,
    pub(crate) is_session: bool,
    /// Whether the resource cannot be without a policy.
    pub(crate) wants_policy: bool,
    pub(crate) takes_policy: bool,
    pub(crate) is_trust: bool,
}

/// Action, another action, resource with `{account}`, keys, whether resources take policies.
type Question = (&'static str, &'static str, &'static str, OwnKeys, bool);

const KEY: &str = "arn:aws:kms:us-east-1:{account}:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const QUESTIONS: [Question; 27] = [
    ("s3:GetObject", "PutObject", "arn:aws:s3:::data/red", &[], true),
    ("s3:GetObject", "DeleteObject", "arn:aws:s3:::data/logs/ann", &[], true),
    (
        "s3:PutObject",
        "GetObject",
        "arn:aws:s3:::data/blue",
        &[("s3:x-amz-acl", false, &["private", "public-read"])],
        true,
    ),
    (
        "s3:ListBucket",
        "GetBucketAcl",
        "arn:aws:s3:::data",
        &[("s3:prefix", false, &["logs/", "home/ann"])],
        true,
    ),
    ("s3:ListAllMyBuckets", "ListBucket", "*", &[], false),
    (
        "kms:Decrypt",
        "Encrypt",
        KEY,
        &[("kms:ViaService", false, &["s3.us-east-1.amazonaws.com", "ec2.us-east-1.amazonaws.com"])],
        true,
    ),
    ("kms:Decrypt", "DescribeKey", KEY, &[("kms:EncryptionContext:tenant", false, &["a", "b"])], true),
    ("kms:GenerateDataKey", "Decrypt", KEY, &[], true),
    (
        "kms:CreateGrant",
        "RevokeGrant",
        KEY,
        &[
            ("kms:GrantIsForAWSResource", false, &["true", "false"]),
            ("kms:GrantOperations", true, &["Decrypt", "Encrypt"]),
        ],
        true,
    ),
    ("kms:RetireGrant", "ListGrants", KEY, &[], true),
    ("kms:ListKeys", "ListAliases", "*", &[], false),
    ("sqs:SendMessage", "ReceiveMessage", "arn:aws:sqs:us-east-1:{account}:red", &[], true),
    ("sns:Publish", "Subscribe", "arn:aws:sns:us-east-1:{account}:topic-a", &[], true),
    (
        "secretsmanager:GetSecretValue",
        "PutSecretValue",
        "arn:aws:secretsmanager:us-east-1:{account}:secret:red-a1b2c3",
        &[("secretsmanager:VersionStage", false, &["AWSCURRENT", "AWSPREVIOUS"])],
        true,
    ),
    ("lambda:InvokeFunction", "GetFunction", "arn:aws:lambda:us-east-1:{account}:function:red", &[], true),
    (
        "dynamodb:GetItem",
        "PutItem",
        "arn:aws:dynamodb:us-east-1:{account}:table/red",
        &[("dynamodb:LeadingKeys", true, &["ann", "bob"])],
        true,
    ),
    ("kinesis:PutRecord", "GetRecords", "arn:aws:kinesis:us-east-1:{account}:stream/red", &[], true),
    ("ecr:BatchGetImage", "PutImage", "arn:aws:ecr:us-east-1:{account}:repository/red", &[], true),
    (
        "ec2:TerminateInstances",
        "StartInstances",
        "arn:aws:ec2:us-east-1:{account}:instance/i-1",
        &[("aws:ResourceTag/team", false, &["red", "blue"])],
        false,
    ),
    ("ec2:DescribeInstances", "DescribeVpcs", "*", &[], false),
    (
        "iam:PassRole",
        "GetRole",
        "arn:aws:iam::{account}:role/red",
        &[("iam:PassedToService", false, &["ec2.amazonaws.com", "lambda.amazonaws.com"])],
        false,
    ),
    ("iam:GetUser", "ListUsers", "arn:aws:iam::{account}:user/ann", &[], false),
    (
        "kafka:DescribeCluster",
        "DeleteCluster",
        "arn:aws:kafka:us-east-1:{account}:cluster/red/abcd-1",
        &[],
        true,
    ),
    (
        "kafka-cluster:ReadData",
        "WriteData",
        "arn:aws:kafka:us-east-1:{account}:topic/red/abcd-1/orders",
        &[],
        true,
    ),
    (
        "sts:AssumeRole",
        "TagSession",
        "arn:aws:iam::{account}:role/red",
        &[("sts:ExternalId", false, &["x-1", "x-2"]), ("sts:RoleSessionName", false, &["one", "two"])],
        true,
    ),
    (
        "sts:AssumeRole",
        "SetSourceIdentity",
        "arn:aws:iam::{account}:role/blue",
        &[("sts:ExternalId", false, &["x-1"])],
        true,
    ),
    ("sts:GetCallerIdentity", "GetSessionToken", "*", &[], false),
];

/// Draws a question and somebody who asks it.
pub(crate) fn scenario(dice: &mut Dice) -> Scenario {
    if dice.chance(2) {
        return federated(dice);
    }
    let (action, other_action, resource, keys, takes_policy) =
        QUESTIONS.get(dice.below(QUESTIONS.len())).copied().unwrap_or_default();
    let whole = resource == "*";
    let resource_account = if dice.chance(30) && !whole { AWAY } else { HOME };
    let is_trust = action == "sts:AssumeRole";
    let mut scenario = Scenario {
        principal: String::new(),
        principal_account: HOME.to_owned(),
        action,
        other_action,
        resource: resource.replace("{account}", resource_account),
        resource_account: resource_account.to_owned(),
        keys,
        names: Vec::new(),
        unsigned: false,
        has_identity: true,
        is_root: false,
        is_session: false,
        wants_policy: is_trust || (action.starts_with("kms:") && !whole),
        takes_policy,
        is_trust,
    };
    let aws = |arns: &[&str]| arns.iter().map(|arn| json!({"AWS": arn})).collect::<Vec<_>>();
    let (principal, names) = match dice.below(100) {
        0..=27 => ("arn:aws:iam::111122223333:user/ann", aws(&["arn:aws:iam::111122223333:user/ann"])),
        28..=47 => ("arn:aws:iam::111122223333:role/app", aws(&["arn:aws:iam::111122223333:role/app"])),
        48..=77 => (
            "arn:aws:sts::111122223333:assumed-role/app/one",
            aws(&["arn:aws:iam::111122223333:role/app", "arn:aws:sts::111122223333:assumed-role/app/one"]),
        ),
        78..=82 => (
            "arn:aws:sts::111122223333:federated-user/ann",
            aws(&["arn:aws:iam::111122223333:user/ann", "arn:aws:sts::111122223333:federated-user/ann"]),
        ),
        83..=86 => ("arn:aws:iam::111122223333:root", Vec::new()),
        87 => (
            "arn:aws:iam::111122223333:role/aws-service-role/kafka.amazonaws.com/AWSServiceRoleForKafka",
            Vec::new(),
        ),
        88 => ("arn:aws:sts::111122223333:assumed-role/AWSServiceRoleForKafka/one", Vec::new()),
        89..=93 => ("events.amazonaws.com", vec![json!({"Service": "events.amazonaws.com"})]),
        _ => ("*", Vec::new()),
    };
    scenario.is_session = principal.contains(":sts:") || principal.contains(":role/");
    scenario.is_root = principal.ends_with(":root");
    scenario.unsigned = principal == "*";
    scenario.has_identity = principal.starts_with("arn:");
    if !scenario.has_identity {
        scenario.principal_account = String::new();
    }
    scenario.names = names;
    principal.clone_into(&mut scenario.principal);
    scenario
}

/// A provider's user assumes a role.
fn federated(dice: &mut Dice) -> Scenario {
    let saml = dice.chance(50);
    let provider = if saml {
        "arn:aws:iam::111122223333:saml-provider/corp"
    } else {
        "arn:aws:iam::111122223333:oidc-provider/token.example.com"
    };
    Scenario {
        principal: provider.to_owned(),
        principal_account: String::new(),
        action: if saml { "sts:AssumeRoleWithSAML" } else { "sts:AssumeRoleWithWebIdentity" },
        other_action: "TagSession",
        resource: "arn:aws:iam::111122223333:role/red".to_owned(),
        resource_account: HOME.to_owned(),
        keys: &[],
        names: vec![json!({"Federated": provider})],
        unsigned: false,
        has_identity: false,
        is_root: false,
        is_session: false,
        wants_policy: true,
        takes_policy: true,
        is_trust: true,
    }
}
