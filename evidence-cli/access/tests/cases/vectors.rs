//! Cases worked out by hand from AWS's documentation, for what other evaluators lack or get wrong. Each names the
//! page that decides it; `IAM` is the IAM User Guide, `KMS` the AWS KMS Developer Guide, `ORG` the AWS Organizations
//! User Guide, `MSK` the Amazon MSK Developer Guide, `SAR` the Service Authorization Reference.

use cadastre_access::batch::{self, Outcome};
use serde_json::{Value, json};

use crate::support::*;

#[test]
fn grants_allow_their_operations_to_their_grantee() {
    let page = "KMS, Grants in AWS KMS";
    let decrypt = ask(ROLE, "kms:Decrypt", KEY);
    decrypt.clone().deny(page);
    decrypt.clone().grant(grant(ROLE, &["Decrypt"])).allow(page);
    decrypt.clone().grant(grant(ROLE, &["Encrypt"])).deny(page);
    decrypt.clone().grant(grant(ROLE, &[])).deny(page);
    decrypt.clone().grant(grant(USER, &["Decrypt"])).deny(page);
    decrypt.clone().with("grants", json!([grant(USER, &["Decrypt"]), grant(ROLE, &["Decrypt"])])).allow(page);
    ask(SESSION, "kms:Decrypt", KEY).grant(grant(ROLE, &["Decrypt"])).allow(page);
    ask(SESSION, "kms:Decrypt", KEY).grant(grant(SESSION, &["Decrypt"])).allow(page);
    ask(ROLE, "kms:Decrypt", KEY).grant(grant(SESSION, &["Decrypt"])).deny(page);
    ask(USER, "kms:GenerateDataKey", KEY).grant(grant(USER, &["GenerateDataKey"])).allow(page);
    ask(USER, "kms:GenerateDataKey", KEY).grant(grant(USER, &["GenerateDataKeyWithoutPlaintext"])).deny(page);
    ask(USER, "KMS:decrypt", KEY).grant(grant(USER, &["Decrypt"])).allow(page);
    ask("dynamodb.us-east-1.amazonaws.com", "kms:Decrypt", KEY)
        .grant(grant("dynamodb.us-east-1.amazonaws.com", &["Decrypt"]))
        .allow(page);
    ask("ec2.amazonaws.com", "kms:Decrypt", KEY).grant(grant("s3.amazonaws.com", &["Decrypt"])).deny(page);
    ask(OTHER_USER, "kms:Decrypt", KEY).grant(grant(OTHER_USER, &["Decrypt"])).allow(page);
    ask("*", "kms:Decrypt", KEY).grant(grant(USER, &["Decrypt"])).deny(page);
}

#[test]
fn grants_are_for_one_key_and_count_for_keys_only() {
    let page = "KMS, Grants in AWS KMS";
    ask(ROLE, "kms:Decrypt", OTHER_KEY).grant(grant(ROLE, &["Decrypt"])).deny(page);
    let mut by_id = grant(ROLE, &["Decrypt"]);
    by_id["KeyId"] = json!("1234abcd-12ab-34cd-56ef-1234567890ab");
    ask(ROLE, "kms:Decrypt", KEY).grant(by_id.clone()).allow(page);
    ask(ROLE, "kms:Decrypt", OTHER_KEY).grant(by_id).deny(page);
    ask(ROLE, "s3:GetObject", OBJECT).grant(grant(ROLE, &["GetObject"])).deny(page);
    ask(ROLE, "kms:CreateAlias", "arn:aws:kms:us-east-1:111122223333:alias/a")
        .grant(grant(ROLE, &["CreateAlias"]))
        .deny(page);
}

#[test]
fn an_explicit_deny_and_the_organization_outweigh_a_grant() {
    let granted = ask(ROLE, "kms:Decrypt", KEY).grant(grant(ROLE, &["Decrypt"]));
    granted.clone().identity(not("kms:*")).deny("IAM, Policy evaluation logic");
    let refuses = json!({"Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*"});
    granted.clone().resource(refuses.clone()).deny("KMS, Key policies in AWS KMS");
    granted.clone().scp(json!([[policy(not("kms:Decrypt"))]])).deny("ORG, Service control policies (SCPs)");
    granted.clone().scp(json!([[policy(may("s3:*"))]])).deny("ORG, Service control policies (SCPs)");
    granted.clone().scp(json!([[policy(may("kms:*"))]])).allow("ORG, Service control policies (SCPs)");
    granted.clone().rcp(refuses).deny("ORG, Resource control policies (RCPs)");
    let answer = granted.answer();
    assert_eq!(serde_json::to_value(&answer.by).ok(), Some(json!([{"policy": "grants[0]", "statement": 0}])));
}

#[test]
fn grants_to_an_account_leave_it_to_that_accounts_policies() {
    let page = "KMS, Grants in AWS KMS";
    let asked = ask(USER, "kms:Decrypt", KEY).grant(grant(ROOT, &["Decrypt"]));
    asked.clone().deny(page);
    asked.identity(may("kms:Decrypt")).allow(page);
    ask(ROOT, "kms:Decrypt", KEY).grant(grant(ROOT, &["Decrypt"])).allow(page);
}

#[test]
fn grant_constraints_ask_for_an_encryption_context() {
    let page = "KMS, Grant constraints";
    let subset = |pairs| constrained(grant(ROLE, &["Decrypt"]), "EncryptionContextSubset", pairs);
    let equals = |pairs| constrained(grant(ROLE, &["Decrypt"]), "EncryptionContextEquals", pairs);
    let one = json!({"kms:EncryptionContext:tenant": "a"});
    let two = json!({"kms:EncryptionContext:tenant": "a", "kms:EncryptionContext:table": "t"});
    let asked =
        |grant: Value, context: &Value| ask(ROLE, "kms:Decrypt", KEY).grant(grant).context(context.clone());
    asked(subset(json!({"tenant": "a"})), &one).allow(page);
    asked(subset(json!({"tenant": "a"})), &two).allow(page);
    asked(subset(json!({"tenant": "a"})), &json!({})).deny(page);
    asked(subset(json!({"tenant": "b"})), &one).deny(page);
    asked(subset(json!({"tenant": "A"})), &one).deny(page);
    asked(subset(json!({"Tenant": "a"})), &one).deny(page);
    asked(subset(json!({"tenant": "a", "table": "t"})), &one).deny(page);
    asked(equals(json!({"tenant": "a"})), &one).allow(page);
    asked(equals(json!({"tenant": "a"})), &two).deny(page);
    asked(equals(json!({"tenant": "a", "table": "t"})), &two).allow(page);
    asked(equals(json!({"tenant": "a"})), &json!({})).deny(page);
    asked(equals(json!({})), &json!({})).allow(page);
    asked(equals(json!({})), &one).deny(page);
    let odd = constrained(grant(ROLE, &["Decrypt"]), "Moon", json!({"phase": "full"}));
    asked(odd, &one).unknown(page, "`Moon`");
}

#[test]
fn constraints_are_not_applied_to_operations_without_an_encryption_context() {
    let page = "KMS API Reference, GrantConstraints";
    for operation in ["DescribeKey", "RetireGrant", "Sign", "GetPublicKey"] {
        let grant = constrained(grant(ROLE, &[operation]), "EncryptionContextEquals", json!({"tenant": "a"}));
        ask(ROLE, &format!("kms:{operation}"), KEY).grant(grant).allow(page);
    }
    for operation in ["Encrypt", "ReEncryptFrom", "ReEncryptTo", "GenerateDataKeyPair"] {
        let grant = constrained(grant(ROLE, &[operation]), "EncryptionContextEquals", json!({"tenant": "a"}));
        ask(ROLE, &format!("kms:{operation}"), KEY).grant(grant).deny(page);
    }
}

#[test]
fn an_open_encryption_context_leaves_a_condition() {
    let page = "KMS, Grant constraints";
    let subset = constrained(grant(ROLE, &["Decrypt"]), "EncryptionContextSubset", json!({"tenant": "a"}));
    ask(ROLE, "kms:Decrypt", KEY).grant(subset).open().when(page, "kms:EncryptionContext:tenant in [a]");
    let equals = constrained(grant(ROLE, &["Decrypt"]), "EncryptionContextEquals", json!({"tenant": "a"}));
    ask(ROLE, "kms:Decrypt", KEY)
        .grant(equals.clone())
        .context(json!({"kms:EncryptionContext:tenant": "a"}))
        .open()
        .when(page, "all of the keys of the encryption context in [tenant]");
    ask(ROLE, "kms:Decrypt", KEY)
        .grant(equals)
        .context(json!({"kms:EncryptionContext:tenant": "b"}))
        .open()
        .deny(page);
}

#[test]
fn the_grant_decides_who_may_retire_it() {
    let page = "KMS, Retiring and revoking grants; AWS KMS permissions";
    let retire = |principal: &str| ask(principal, "kms:RetireGrant", KEY);
    retire(USER).resource(delegating()).identity(may("kms:*")).deny(page);
    retire(USER).resource(lets(aws(USER), "kms:RetireGrant")).deny(page);
    retire(USER).grant(grant(USER, &["Decrypt", "RetireGrant"])).allow(page);
    retire(USER).grant(grant(USER, &["Decrypt"])).deny(page);
    let mut retirable = grant(ROLE, &["Decrypt"]);
    retirable["RetiringPrincipal"] = json!(USER);
    retire(USER).grant(retirable.clone()).allow(page);
    retire(ROLE).grant(retirable.clone()).deny(page);
    ask(USER, "kms:Decrypt", KEY).grant(retirable.clone()).deny(page);
    retire(USER).grant(retirable.clone()).identity(not("kms:RetireGrant")).deny(page);
    // The account in which it was made, by its root user or whom its policies allow.
    retire(ROOT).grant(grant(ROLE, &["Decrypt"])).allow(page);
    retire(USER).grant(grant(ROLE, &["Decrypt"])).identity(may("kms:RetireGrant")).allow(page);
    retire(OTHER_ROOT).grant(grant(ROLE, &["Decrypt"])).deny(page);
    let refuses = json!({"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"});
    retire(USER)
        .grant(retirable)
        .rcp(refuses)
        .allow("ORG, Resource control policies (RCPs), kms:RetireGrant");
}

#[test]
fn grants_for_aws_resources_are_told_by_a_condition_key() {
    let page = "KMS, AWS KMS condition keys, kms:GrantIsForAWSResource";
    let only = when(may("kms:CreateGrant"), json!({"Bool": {"kms:GrantIsForAWSResource": "true"}}));
    let asked = ask(ROLE, "kms:CreateGrant", KEY).resource(delegating()).identity(only);
    asked.clone().deny(page);
    asked.clone().context(json!({"kms:GrantIsForAWSResource": false})).deny(page);
    asked.clone().context(json!({"kms:GrantIsForAWSResource": true})).allow(page);
    asked.clone().open().when(page, "kms:GrantIsForAWSResource is true");
    let few = when(
        may("kms:CreateGrant"),
        json!({"ForAllValues:StringEquals": {"kms:GrantOperations": ["Decrypt", "DescribeKey"]}}),
    );
    let asked = ask(ROLE, "kms:CreateGrant", KEY).resource(delegating()).identity(few);
    let page = "KMS, AWS KMS condition keys, kms:GrantOperations";
    asked.clone().context(json!({"kms:GrantOperations": ["Decrypt"]})).allow(page);
    asked.context(json!({"kms:GrantOperations": ["Decrypt", "CreateGrant"]})).deny(page);
    // One who was granted `CreateGrant` may create grants without any policy.
    ask(ROLE, "kms:CreateGrant", KEY).grant(grant(ROLE, &["CreateGrant"])).allow("KMS, Grants in AWS KMS");
}

#[test]
fn nobody_uses_a_key_without_its_policy() {
    let page = "KMS, Key policies in AWS KMS";
    let asked = ask(USER, "kms:Decrypt", KEY);
    asked.clone().identity(may("kms:*")).deny(page);
    asked.clone().identity(may("kms:*")).resource(lets(aws(ROLE), "kms:*")).deny(page);
    asked.clone().identity(may("kms:*")).resource(delegating()).allow(page);
    asked.clone().resource(delegating()).deny(page);
    asked.clone().resource(lets(aws(USER), "kms:Decrypt")).allow(page);
    asked.clone().identity(may("kms:*")).resource(lets(aws("111122223333"), "kms:Decrypt")).allow(page);
    ask(ROOT, "kms:Decrypt", KEY).resource(lets(aws(ROLE), "kms:*")).deny(page);
    ask(ROOT, "kms:Decrypt", KEY).resource(delegating()).allow(page);
    ask(USER, "kms:ListKeys", "*").identity(may("kms:ListKeys")).allow(page);
    ask(USER, "kms:CreateAlias", "arn:aws:kms:us-east-1:111122223333:alias/a")
        .identity(may("kms:*"))
        .allow(page);
    let via = when(
        lets(aws(USER), "kms:Decrypt"),
        json!({"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}),
    );
    let asked = ask(USER, "kms:Decrypt", KEY).resource(via);
    asked.clone().deny("KMS, kms:ViaService");
    asked.context(json!({"kms:ViaService": "s3.us-east-1.amazonaws.com"})).allow("KMS, kms:ViaService");
    let page = "KMS, Allowing users in other accounts to use a KMS key";
    let other = ask(OTHER_USER, "kms:Decrypt", KEY);
    other.clone().resource(lets(aws(OTHER_ROOT), "kms:Decrypt")).deny(page);
    other.clone().resource(lets(aws(OTHER_ROOT), "kms:Decrypt")).identity(may("kms:Decrypt")).allow(page);
    other.clone().resource(lets(aws(OTHER_USER), "kms:Decrypt")).deny(page);
    other.resource(lets(aws(OTHER_USER), "kms:Decrypt")).identity(may("kms:Decrypt")).allow(page);
}

#[test]
fn condition_keys_of_the_encryption_context_are_seen() {
    let page = "KMS, kms:EncryptionContext:context-key";
    let bound =
        when(lets(aws(USER), "kms:Decrypt"), json!({"StringEquals": {"kms:EncryptionContext:tenant": "a"}}));
    let asked = ask(USER, "kms:Decrypt", KEY).resource(bound);
    asked.clone().context(json!({"kms:EncryptionContext:tenant": "a"})).allow(page);
    asked.clone().context(json!({"kms:EncryptionContext:tenant": "b"})).deny(page);
    asked.deny(page);
}

#[test]
fn service_linked_roles_are_not_bound_by_the_organization() {
    let refuses = json!({"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"});
    for principal in [LINKED, LINKED_SESSION] {
        let asked = ask(principal, "s3:GetObject", OBJECT).identity(may("s3:*"));
        asked
            .clone()
            .scp(json!([[policy(not("*"))]]))
            .allow("ORG, SCPs, Tasks and entities not restricted by SCPs");
        asked.clone().scp(json!([[]])).allow("ORG, SCPs, Tasks and entities not restricted by SCPs");
        asked.clone().rcp(refuses.clone()).allow("ORG, RCPs, Resources and entities not restricted by RCPs");
        asked.clone().identity(not("s3:*")).deny("IAM, Policy evaluation logic");
        asked.resource(refuses.clone()).deny("IAM, Policy evaluation logic");
    }
    for principal in [ROLE, SESSION] {
        let asked = ask(principal, "s3:GetObject", OBJECT).identity(may("s3:*"));
        asked.clone().scp(json!([[policy(not("*"))]])).deny("ORG, Service control policies (SCPs)");
        asked.clone().scp(json!([[policy(may("*"))], []])).deny("ORG, SCP evaluation");
        asked
            .clone()
            .scp(json!([[policy(may("*"))], [policy(may("ec2:*")), policy(may("s3:*"))]]))
            .allow("ORG, SCP evaluation");
        asked.rcp(refuses.clone()).deny("ORG, Resource control policies (RCPs)");
    }
}

#[test]
fn services_and_strangers_are_not_bound_by_scps_but_by_rcps() {
    let refuses = json!({"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"});
    let service = ask("events.amazonaws.com", "sqs:SendMessage", QUEUE)
        .resource(lets(json!({"Service": "events.amazonaws.com"}), "sqs:SendMessage"));
    service.clone().scp(json!([[policy(not("*"))]])).allow("ORG, Service control policies (SCPs)");
    service.rcp(refuses.clone()).deny("ORG, Resource control policies (RCPs)");
    let anybody = ask("*", "s3:GetObject", OBJECT).resource(lets(json!("*"), "s3:GetObject"));
    anybody.clone().allow("IAM, AWS JSON policy elements: Principal");
    anybody.clone().scp(json!([[policy(not("*"))]])).allow("ORG, Service control policies (SCPs)");
    anybody.rcp(refuses).deny("ORG, Resource control policies (RCPs)");
    ask("*", "s3:GetObject", OBJECT)
        .resource(lets(aws(ROOT), "s3:GetObject"))
        .deny("IAM, AWS JSON policy elements: Principal");
}

#[test]
fn rcps_bind_the_services_of_their_list_only() {
    let page = "ORG, RCPs, List of AWS services that support RCPs";
    let refuses = json!({"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"});
    for (action, resource) in [
        ("ec2:TerminateInstances", "arn:aws:ec2:us-east-1:111122223333:instance/i-1"),
        ("iam:GetRole", TARGET),
        ("lambda:InvokeFunction", "arn:aws:lambda:us-east-1:111122223333:function:f"),
        ("sns:Publish", "arn:aws:sns:us-east-1:111122223333:t"),
        ("kinesis:PutRecord", "arn:aws:kinesis:us-east-1:111122223333:stream/s"),
        ("kafka:DescribeCluster", CLUSTER),
        ("kafka-cluster:ReadData", TOPIC),
        ("glue:GetTable", "arn:aws:glue:us-east-1:111122223333:table/d/t"),
    ] {
        ask(USER, action, resource).identity(may("*")).rcp(refuses.clone()).allow(page);
    }
    for (action, resource) in [
        ("s3:GetObject", OBJECT),
        ("sqs:SendMessage", QUEUE),
        ("dynamodb:GetItem", TABLE),
        ("secretsmanager:GetSecretValue", "arn:aws:secretsmanager:us-east-1:111122223333:secret:s-a1b2c3"),
        ("ecr:BatchGetImage", "arn:aws:ecr:us-east-1:111122223333:repository/r"),
        ("logs:PutLogEvents", "arn:aws:logs:us-east-1:111122223333:log-group:g:log-stream:s"),
        ("cognito-idp:GetUser", "arn:aws:cognito-idp:us-east-1:111122223333:userpool/p"),
        ("aoss:APIAccessAll", "arn:aws:aoss:us-east-1:111122223333:collection/c"),
    ] {
        ask(USER, action, resource).identity(may("*")).rcp(refuses.clone()).deny(page);
    }
    let levels = json!([[policy(lets(json!("*"), "*"))], []]);
    ask(USER, "s3:GetObject", OBJECT).identity(may("*")).with("rcp", levels).deny("ORG, RCP evaluation");
    ask(USER, "s3:GetObject", OBJECT).identity(may("*")).with("rcp", json!([])).allow("ORG, RCP evaluation");
}

#[test]
fn the_management_account_is_bound_by_neither() {
    let page = "ORG, Best practices for the management account";
    let refuses = json!({"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"});
    let asked = ask(USER, "s3:GetObject", OBJECT).identity(may("s3:*"));
    let own = json!({"aws:PrincipalOrgMasterAccountId": "111122223333"});
    let other = json!({"aws:PrincipalOrgMasterAccountId": "444455556666"});
    asked.clone().scp(json!([[policy(not("*"))]])).context(own.clone()).allow(page);
    asked.clone().scp(json!([[policy(not("*"))]])).context(other.clone()).deny(page);
    asked.clone().rcp(refuses.clone()).context(own).allow(page);
    asked.rcp(refuses).context(other).deny(page);
}

#[test]
fn what_names_a_session_or_a_user_is_not_limited_by_boundary_and_session() {
    let page = "IAM, Permissions boundaries for IAM entities";
    let little = || may("ec2:*");
    let get = |principal: &str, named: Value| {
        ask(principal, "s3:GetObject", OBJECT).resource(lets(named, "s3:GetObject"))
    };
    get(USER, aws(USER)).boundary(little()).allow(page);
    get(SESSION, aws(SESSION)).boundary(little()).allow(page);
    get(SESSION, aws(SESSION)).session(little()).allow(page);
    get(SESSION, aws(SESSION)).boundary(little()).session(little()).allow(page);
    get(SESSION, aws(ROLE)).boundary(little()).deny(page);
    get(SESSION, aws(ROLE)).session(little()).deny(page);
    get(SESSION, aws(ROLE)).boundary(may("s3:*")).session(may("s3:*")).allow(page);
    get(ROLE, aws(ROLE)).boundary(little()).deny(page);
    get(ROLE, aws(ROLE)).allow(page);
    get(SESSION, json!("*"))
        .boundary(little())
        .session(little())
        .allow("IAM, IAM role principals, aws:PrincipalArn");
    get(FEDERATED, aws(FEDERATED)).session(little()).allow(page);
    get(FEDERATED, aws(USER)).session(little()).deny(page);
    get(FEDERATED, aws(USER)).session(may("s3:*")).allow(page);
    // An explicit deny in either always counts.
    get(SESSION, aws(SESSION)).boundary(json!([may("ec2:*"), not("s3:*")])).deny(page);
    get(SESSION, aws(SESSION)).session(json!([may("ec2:*"), not("s3:*")])).deny(page);
    // The account is no name: its own policies decide, within the boundary.
    get(SESSION, aws(ROOT)).boundary(little()).identity(may("s3:*")).deny(page);
    // Across accounts the principal's side is needed, limits and all.
    get(OTHER_USER, aws(OTHER_USER))
        .identity(may("s3:*"))
        .boundary(little())
        .deny("IAM, Cross-account policy evaluation logic");
    get(OTHER_USER, aws(OTHER_USER))
        .identity(may("s3:*"))
        .boundary(may("s3:*"))
        .allow("IAM, Cross-account policy evaluation logic");
}

#[test]
fn sessions_are_named_by_their_role_wherever_it_lies() {
    let page = "IAM, AWS JSON policy elements: Principal, IAM role principals";
    let get = |named: &str| ask(SESSION, "s3:GetObject", OBJECT).resource(lets(aws(named), "s3:GetObject"));
    get("arn:aws:iam::111122223333:role/path/to/app").allow(page);
    get("arn:aws:iam::111122223333:role/apple").deny(page);
    get("arn:aws:iam::444455556666:role/app").deny(page);
    get("arn:aws:sts::111122223333:assumed-role/app/two").deny(page);
    get("arn:aws-us-gov:iam::111122223333:role/app").deny(page);
    let refuses = json!({"Effect": "Deny", "Principal": {"AWS": ROLE}, "Action": "*", "Resource": "*"});
    ask(SESSION, "s3:GetObject", OBJECT).identity(may("s3:*")).resource(refuses).deny(page);
}

#[test]
fn not_principal_with_deny_hits_whoever_has_a_boundary() {
    let page = "IAM, AWS JSON policy elements: NotPrincipal";
    let refuses =
        json!({"Effect": "Deny", "NotPrincipal": {"AWS": [USER, ROOT]}, "Action": "*", "Resource": "*"});
    let asked = ask(USER, "s3:GetObject", OBJECT).identity(may("s3:*")).resource(refuses);
    asked.clone().allow(page);
    asked.boundary(may("s3:*")).deny(page);
}

#[test]
fn a_role_is_assumed_by_whom_its_trust_policy_names() {
    let page = "IAM, IAM roles: role trust policy; Policy evaluation for requests within a single account";
    let assume = |principal: &str| ask(principal, "sts:AssumeRole", TARGET);
    assume(USER).identity(may("sts:*")).deny(page);
    assume(USER).identity(may("sts:*")).resource(trusts(aws(ROOT))).allow(page);
    assume(USER).resource(trusts(aws(ROOT))).deny(page);
    assume(USER).resource(trusts(aws(USER))).allow(page);
    assume(USER).identity(may("sts:*")).resource(trusts(aws(ROLE))).deny(page);
    assume(SESSION).resource(trusts(aws(ROLE))).allow(page);
    assume(USER).identity(not("sts:*")).resource(trusts(aws(USER))).deny(page);
    assume(OTHER_USER).resource(trusts(aws(OTHER_ROOT))).deny(page);
    assume(OTHER_USER).identity(may("sts:AssumeRole")).resource(trusts(aws(OTHER_ROOT))).allow(page);
    assume(OTHER_USER).resource(trusts(aws(OTHER_USER))).deny(page);
    let asks = when(trusts(aws(OTHER_ROOT)), json!({"StringEquals": {"sts:ExternalId": "x-1"}}));
    let guarded = assume(OTHER_USER).identity(may("sts:AssumeRole")).resource(asks);
    guarded.clone().deny("IAM, The confused deputy problem");
    guarded.clone().context(json!({"sts:ExternalId": "x-1"})).allow("IAM, The confused deputy problem");
    guarded.open().when("IAM, The confused deputy problem", "sts:ExternalId in [x-1]");
    assume("ec2.amazonaws.com").resource(trusts(json!({"Service": "ec2.amazonaws.com"}))).allow(page);
    assume("ec2.amazonaws.com").resource(trusts(json!({"Service": "lambda.amazonaws.com"}))).deny(page);
}

#[test]
fn root_needs_no_policy_and_may_not_assume_roles() {
    let page = "IAM, How AWS enforcement code logic evaluates requests to allow or deny access";
    ask(ROOT, "s3:GetObject", OBJECT).allow(page);
    ask(ROOT, "ec2:TerminateInstances", "arn:aws:ec2:us-east-1:111122223333:instance/i-1").allow(page);
    ask(ROOT, "s3:GetObject", OBJECT)
        .scp(json!([[policy(not("s3:*"))]]))
        .deny("ORG, SCPs affect the root user");
    ask(ROOT, "s3:GetObject", OBJECT)
        .rcp(json!({"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}))
        .deny("ORG, RCPs include root users");
    let refuses = json!({"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"});
    ask(ROOT, "s3:GetObject", OBJECT).resource(refuses).deny("IAM, Policy evaluation logic");
    ask(OTHER_ROOT, "s3:GetObject", OBJECT).deny("IAM, Cross-account policy evaluation logic");
    ask(OTHER_ROOT, "s3:GetObject", OBJECT)
        .resource(lets(aws(OTHER_ROOT), "s3:GetObject"))
        .allow("IAM, Cross-account policy evaluation logic");
    ask(ROOT, "sts:AssumeRole", TARGET).resource(trusts(aws(ROOT))).deny("STS API Reference, AssumeRole");
}

#[test]
fn asking_who_one_is_needs_no_permission() {
    let page = "STS API Reference, GetCallerIdentity";
    ask(USER, "sts:GetCallerIdentity", "*").allow(page);
    ask(USER, "sts:GetCallerIdentity", "*").identity(not("*")).scp(json!([[]])).allow(page);
    ask("*", "sts:GetCallerIdentity", "*").deny(page);
}

#[test]
fn identity_providers_users_come_in_by_their_provider() {
    let page = "IAM, AWS JSON policy elements: Principal, Federated user principals";
    let oidc = "arn:aws:iam::111122223333:oidc-provider/token.example.com";
    let trust = |principal: Value, condition: Value| {
        when(
            json!({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRoleWithWebIdentity"}),
            condition,
        )
    };
    let asked = ask(oidc, "sts:AssumeRoleWithWebIdentity", TARGET);
    let audience = json!({"StringEquals": {"token.example.com:aud": "sts.amazonaws.com"}});
    asked.clone().resource(trust(json!({"Federated": oidc}), json!({}))).allow(page);
    asked.clone().resource(trust(json!({"Federated": oidc}), audience.clone())).deny(page);
    asked
        .clone()
        .resource(trust(json!({"Federated": oidc}), audience))
        .context(json!({"token.example.com:aud": "sts.amazonaws.com"}))
        .allow(page);
    asked.clone().resource(trust(aws(ROOT), json!({}))).deny(page);
    asked.resource(trust(json!({"Federated": "accounts.google.com"}), json!({}))).deny(page);
    ask("cognito-identity.amazonaws.com", "sts:AssumeRoleWithWebIdentity", TARGET)
        .resource(trust(json!({"Federated": "cognito-identity.amazonaws.com"}), json!({})))
        .allow(page);
}

#[test]
fn an_endpoints_policy_limits_what_goes_through_it() {
    let page = "AWS PrivateLink Guide, Control access to VPC endpoints using endpoint policies";
    let asked = ask(USER, "s3:GetObject", OBJECT).identity(may("s3:*"));
    let through = |statement: Value| asked.clone().with("endpoint", policy(statement));
    through(lets(json!("*"), "*")).allow(page);
    through(lets(json!("*"), "s3:PutObject")).deny(page);
    through(json!([lets(json!("*"), "*"), {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"}])).deny(page);
    through(lets(aws(USER), "*")).allow(page);
    through(lets(aws(OTHER_USER), "*")).deny(page);
    through(lets(aws(ROOT), "*")).deny(page);
    ask(ROOT, "s3:GetObject", OBJECT).with("endpoint", policy(lets(aws(ROOT), "*"))).allow(page);
    let bound =
        when(lets(json!("*"), "*"), json!({"StringEquals": {"aws:PrincipalAccount": "111122223333"}}));
    through(bound.clone()).deny(page);
    through(bound).context(json!({"aws:PrincipalAccount": "111122223333"})).allow(page);
}

#[test]
fn msk_has_actions_for_brokers_topics_and_groups() {
    let page = "MSK, IAM access control; SAR, Apache Kafka APIs for Amazon MSK clusters";
    let on =
        |action: &str, resource: &str| json!({"Effect": "Allow", "Action": action, "Resource": resource});
    let read = ask(ROLE, "kafka-cluster:ReadData", TOPIC);
    read.clone()
        .identity(on("kafka-cluster:*Data", "arn:aws:kafka:us-east-1:111122223333:topic/main/*/orders"))
        .allow(page);
    read.clone()
        .identity(on("kafka-cluster:ReadData", "arn:aws:kafka:us-east-1:111122223333:topic/main/*"))
        .allow(page);
    read.clone()
        .identity(on("kafka-cluster:ReadData", "arn:aws:kafka:us-east-1:111122223333:topic/other/*"))
        .deny(page);
    read.clone()
        .identity(on("kafka-cluster:ReadData", "arn:aws:kafka:us-east-1:111122223333:cluster/*"))
        .deny(page);
    read.clone()
        .identity(on(
            "kafka-cluster:ReadData",
            "arn:aws:kafka:us-east-1:111122223333:topic/main/abcd-1/Orders",
        ))
        .deny(page);
    read.clone().identity(on("kafka-cluster:WriteData", "*")).deny(page);
    read.clone().identity(on("kafka:*", "*")).deny(page);
    read.clone().identity(on("KAFKA-CLUSTER:readdata", "*")).allow(page);
    read.clone().identity(json!([may("kafka-cluster:*"), not("kafka-cluster:ReadData")])).deny(page);
    read.clone().identity(may("kafka-cluster:*")).boundary(may("kafka:*")).deny(page);
    ask(ROLE, "kafka-cluster:AlterGroup", GROUP).identity(on("kafka-cluster:*Group", GROUP)).allow(page);
    ask(ROLE, "kafka-cluster:Connect", CLUSTER)
        .identity(on("kafka-cluster:Connect", "arn:aws:kafka:*:*:cluster/main/*"))
        .allow(page);
    ask(ROLE, "kafka-cluster:Connect", CLUSTER)
        .identity(on("kafka-cluster:Connect", "arn:aws:kafka:eu-*:*:cluster/main/*"))
        .deny(page);
    ask(ROLE, "kafka:GetBootstrapBrokers", "*").identity(may("kafka:Get*")).allow(page);
    let page = "MSK, Multi-VPC private connectivity: cluster policy";
    let cluster = lets(aws(OTHER_ROOT), "kafka-cluster:*");
    ask(OTHER_USER, "kafka-cluster:ReadData", TOPIC).resource(cluster.clone()).deny(page);
    ask(OTHER_USER, "kafka-cluster:ReadData", TOPIC)
        .resource(cluster)
        .identity(may("kafka-cluster:*"))
        .allow(page);
    ask(OTHER_USER, "kafka-cluster:ReadData", TOPIC).identity(may("kafka-cluster:*")).deny(page);
}

/// Whether a user reads an object under a condition, with this in the context.
#[track_caller]
fn under(page: &str, condition: Value, context: Value, expected: Outcome) {
    ask(USER, "s3:GetObject", OBJECT)
        .identity(when(may("s3:*"), condition))
        .context(context)
        .is(page, expected);
}

#[test]
fn operators_compare_as_documented() {
    use Outcome::{Allow, Deny, Unknown};
    let page = "IAM, IAM JSON policy elements: Condition operators";
    under(
        page,
        json!({"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}),
        json!({"aws:SourceIp": "203.0.113.7"}),
        Allow,
    );
    under(
        page,
        json!({"NotIpAddress": {"aws:SourceIp": "0.0.0.0/0"}}),
        json!({"aws:SourceIp": "203.0.113.7"}),
        Deny,
    );
    under(
        page,
        json!({"IpAddress": {"aws:SourceIp": "::/0"}}),
        json!({"aws:SourceIp": "2001:db8::1"}),
        Allow,
    );
    under(
        page,
        json!({"IpAddress": {"aws:SourceIp": "2001:DB8:0::1"}}),
        json!({"aws:SourceIp": "2001:db8::1"}),
        Allow,
    );
    under(
        page,
        json!({"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}}),
        json!({"aws:SourceIp": "2001:db8::1"}),
        Allow,
    );
    under(
        page,
        json!({"DateGreaterThan": {"aws:CurrentTime": "1782863999"}}),
        json!({"aws:CurrentTime": "2026-07-01T00:00:00Z"}),
        Allow,
    );
    under(
        page,
        json!({"DateEquals": {"aws:EpochTime": "2026-07-01T00:00:00Z"}}),
        json!({"aws:EpochTime": 1_782_864_000}),
        Allow,
    );
    under(
        page,
        json!({"NumericLessThanEquals": {"aws:MultiFactorAuthAge": 900}}),
        json!({"aws:MultiFactorAuthAge": "900"}),
        Allow,
    );
    under(
        page,
        json!({"Bool": {"aws:SecureTransport": true}}),
        json!({"aws:SecureTransport": "True"}),
        Allow,
    );
    under(page, json!({"Null": {"aws:TokenIssueTime": "true"}}), json!({}), Allow);
    under(
        page,
        json!({"Null": {"aws:TokenIssueTime": true}}),
        json!({"aws:TokenIssueTime": "2026-07-01T00:00:00Z"}),
        Deny,
    );
    under(
        page,
        json!({"ArnLike": {"aws:SourceArn": "arn:aws:sns:*:topic"}}),
        json!({"aws:SourceArn": "arn:aws:sns:us-east-1:111122223333:topic"}),
        Deny,
    );
    under(
        page,
        json!({"StringLike": {"aws:SourceArn": "arn:aws:sns:*:topic"}}),
        json!({"aws:SourceArn": "arn:aws:sns:us-east-1:111122223333:topic"}),
        Allow,
    );
    under(page, json!({"StringEquals": {"aws:SourceVpc": "vpc-*"}}), json!({"aws:SourceVpc": "vpc-1"}), Deny);
    under(page, json!({"BinaryEquals": {"aws:UserAgent": "UmVk"}}), json!({"aws:UserAgent": "UmVk"}), Allow);
    under(
        page,
        json!({"StringMatches": {"aws:SourceVpc": "vpc-1"}}),
        json!({"aws:SourceVpc": "vpc-1"}),
        Unknown,
    );
    under(
        page,
        json!({"IpAddress": {"aws:SourceIp": "10.0.0.0/40"}}),
        json!({"aws:SourceIp": "10.0.0.1"}),
        Unknown,
    );
}

#[test]
fn absent_and_multivalued_keys_follow_the_operator() {
    use Outcome::{Allow, Deny};
    let page = "IAM, Set operators for multivalued context keys; ...IfExists condition operators";
    let none = || json!({});
    under(page, json!({"StringNotEquals": {"aws:SourceVpc": "vpc-1"}}), none(), Allow);
    under(page, json!({"StringEqualsIfExists": {"aws:SourceVpc": "vpc-1"}}), none(), Allow);
    under(page, json!({"ForAllValues:StringEquals": {"aws:TagKeys": "a"}}), none(), Allow);
    under(page, json!({"ForAllValues:StringNotEquals": {"aws:TagKeys": "a"}}), none(), Allow);
    under(page, json!({"ForAnyValue:StringEquals": {"aws:TagKeys": "a"}}), none(), Deny);
    under(page, json!({"ForAnyValue:StringNotEquals": {"aws:TagKeys": "a"}}), none(), Deny);
    under(page, json!({"ForAnyValue:StringEqualsIfExists": {"aws:TagKeys": "a"}}), none(), Allow);
    under(page, json!({"ForAnyValue:StringNotEqualsIfExists": {"aws:TagKeys": "a"}}), none(), Allow);
    under(
        page,
        json!({"ForAllValues:StringEquals": {"aws:TagKeys": "a"}}),
        json!({"aws:TagKeys": []}),
        Allow,
    );
    under(
        page,
        json!({"ForAllValues:StringEquals": {"aws:TagKeys": "a"}}),
        json!({"aws:TagKeys": [""]}),
        Allow,
    );
    under(page, json!({"ForAnyValue:StringEquals": {"aws:TagKeys": ""}}), json!({"aws:TagKeys": [""]}), Deny);
    under(page, json!({"Null": {"aws:TagKeys": "false"}}), json!({"aws:TagKeys": []}), Deny);
    under(
        page,
        json!({"ForAnyValue:StringNotEquals": {"aws:TagKeys": "a"}}),
        json!({"aws:TagKeys": ["a", "b"]}),
        Allow,
    );
    under(
        page,
        json!({"ForAllValues:StringNotEquals": {"aws:TagKeys": "a"}}),
        json!({"aws:TagKeys": ["a", "b"]}),
        Deny,
    );
    under(page, json!({"StringEquals": {"aws:TagKeys": "a"}}), json!({"aws:TagKeys": ["a"]}), Deny);
    under(
        page,
        json!({"StringEquals": {"AWS:sourcevpc": "vpc-1"}}),
        json!({"aws:SourceVpc": "vpc-1"}),
        Allow,
    );
}

#[test]
fn variables_belong_to_the_present_version_and_escapes_to_all_operators() {
    let page = "IAM, IAM policy elements: Variables and tags";
    let home = "arn:aws:s3:::data/${aws:username}/*";
    let own = json!({"Effect": "Allow", "Action": "s3:*", "Resource": home});
    let asked = |version: Option<&str>, statement: &Value, object: &str| {
        let mut document = json!({"Statement": [statement]});
        if let Some(version) = version {
            document["Version"] = json!(version);
        }
        ask(USER, "s3:GetObject", &format!("arn:aws:s3:::data/{object}"))
            .with("identity", json!([document]))
            .context(json!({"aws:username": "ann", "aws:userid": "a*"}))
    };
    let now = Some("2012-10-17");
    asked(now, &own, "ann/x").allow(page);
    asked(now, &own, "bob/x").deny(page);
    asked(Some("2008-10-17"), &own, "ann/x").deny(page);
    asked(Some("2008-10-17"), &own, "${aws:username}/x").allow(page);
    asked(None, &own, "ann/x").deny(page);
    let of = |resource: &str| json!({"Effect": "Allow", "Action": "s3:*", "Resource": resource});
    asked(now, &of("arn:aws:s3:::data/${aws:PrincipalTag/team, 'red'}/*"), "red/x").allow(page);
    asked(now, &of("arn:aws:s3:::data/${aws:PrincipalTag/team}/*"), "red/x").deny(page);
    asked(now, &of("arn:aws:s3:::data/${*}"), "*").allow(page);
    asked(now, &of("arn:aws:s3:::data/${*}"), "x").deny(page);
    asked(now, &of("arn:aws:s3:::data/${aws:userid}"), "ab").deny(page);
    asked(now, &of("arn:aws:s3:::data/${aws:userid}"), "a*").allow(page);
    let equal = |value: &str| when(may("s3:*"), json!({"StringEquals": {"aws:userid": value}}));
    asked(now, &equal("a${*}"), "x").allow(page);
    asked(Some("2008-10-17"), &equal("a${*}"), "x").deny(page);
    let unequal = when(not("s3:*"), json!({"StringNotEquals": {"aws:userid": "${aws:PrincipalTag/none}"}}));
    let both = ask(USER, "s3:GetObject", OBJECT)
        .identity(json!([may("s3:*"), unequal]))
        .context(json!({"aws:userid": "a"}));
    both.deny("IAM, Variables and tags, Policy variables with no value");
}

#[test]
fn what_cannot_be_read_is_neither_yes_nor_no() {
    let page = "IAM, Grammar of the IAM JSON policy language";
    let asked = |statement: Value| ask(USER, "s3:GetObject", OBJECT).identity(statement);
    asked(json!({"Effect": "allow", "Action": "s3:*", "Resource": "*"})).unknown(page, "`Effect`");
    asked(json!({"Effect": "Allow", "Resource": "*"})).unknown(page, "no action");
    asked(json!({"Effect": "Allow", "Action": "s3:*"})).unknown(page, "no resource");
    asked(json!({"Effect": "Allow", "Action": [], "Resource": "*"})).unknown(page, "empty list");
    asked(json!({"Effect": "Allow", "Action": "s3:*", "NotAction": "ec2:*", "Resource": "*"}))
        .unknown(page, "both");
    asked(json!({"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "*"}))
        .unknown(page, "a principal");
    asked(json!([may("s3:*"), {"Effect": "Deny", "Action": 7, "Resource": "*"}]))
        .unknown(page, "/Statement/1");
    asked(json!([not("s3:*"), {"Effect": "Allow", "Action": 7, "Resource": "*"}])).deny(page);
    let twice = format!(
        r#"{{"request":{{"principal":"{USER}","action":"s3:GetObject","resource":"{OBJECT}","resourceAccount":"111122223333","contextComplete":true}},"policies":{{"identity":[{{"Version":"2012-10-17","Statement":[{{"Effect":"Deny","Effect":"Allow","Action":"*","Resource":"*"}}]}}]}}}}"#
    );
    let answer = batch::answer(&twice);
    assert_eq!(answer.decision, Outcome::Unknown);
    assert!(answer.missing.iter().any(|missing| missing.contains("`Effect` stands twice")), "{answer:?}");
    ask(USER, "s3:GetObject", OBJECT)
        .identity(may("s3:*"))
        .of("")
        .unknown("Actions, resources, and condition keys for Amazon S3", "account");
}
