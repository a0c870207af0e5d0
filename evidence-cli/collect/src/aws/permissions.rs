//! Every call that the AWS collector may make, and the IAM actions it needs.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

/// One call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    /// As records name it: `s3:GetBucketEncryption`.
    pub operation: &'static str,
    /// As policies name it: `s3:GetEncryptionConfiguration` (Service Authorization Reference).
    pub action: &'static str,
}

const fn call(operation: &'static str, action: &'static str) -> Call {
    Call { operation, action }
}

/// A call whose action has the operation's name.
const fn same(operation: &'static str) -> Call {
    call(operation, operation)
}

/// Every call that the collector may make, but for assuming declared roles.
pub const CALLS: &[Call] = &[
    same("cloudtrail:DescribeTrails"),
    same("cloudtrail:GetEventSelectors"),
    same("cloudtrail:GetTrailStatus"),
    same("ec2:DescribeAddresses"),
    same("ec2:DescribeEgressOnlyInternetGateways"),
    same("ec2:DescribeFlowLogs"),
    same("ec2:DescribeImageAttribute"),
    same("ec2:DescribeImages"),
    same("ec2:DescribeInstances"),
    same("ec2:DescribeInternetGateways"),
    same("ec2:DescribeLaunchTemplateVersions"),
    same("ec2:DescribeLaunchTemplates"),
    same("ec2:DescribeManagedPrefixLists"),
    same("ec2:DescribeNatGateways"),
    same("ec2:DescribeNetworkAcls"),
    same("ec2:DescribeNetworkInterfaces"),
    same("ec2:DescribeRouteTables"),
    same("ec2:DescribeSecurityGroups"),
    same("ec2:DescribeSnapshotAttribute"),
    same("ec2:DescribeSnapshots"),
    same("ec2:DescribeSubnets"),
    same("ec2:DescribeTransitGatewayAttachments"),
    same("ec2:DescribeTransitGatewayRouteTables"),
    same("ec2:DescribeTransitGatewayVpcAttachments"),
    same("ec2:DescribeTransitGateways"),
    same("ec2:DescribeVolumes"),
    same("ec2:DescribeVpcEndpointConnections"),
    same("ec2:DescribeVpcEndpointServiceConfigurations"),
    same("ec2:DescribeVpcEndpointServicePermissions"),
    same("ec2:DescribeVpcEndpoints"),
    same("ec2:DescribeVpcPeeringConnections"),
    same("ec2:DescribeVpcs"),
    same("ec2:GetEbsDefaultKmsKeyId"),
    same("ec2:GetEbsEncryptionByDefault"),
    same("ec2:GetManagedPrefixListEntries"),
    same("ec2:SearchTransitGatewayRoutes"),
    same("events:ListRules"),
    same("events:ListTargetsByRule"),
    same("iam:GenerateCredentialReport"),
    same("iam:GetAccessKeyLastUsed"),
    same("iam:GetAccountAuthorizationDetails"),
    same("iam:GetAccountPasswordPolicy"),
    same("iam:GetAccountSummary"),
    same("iam:GetCredentialReport"),
    same("iam:GetOpenIDConnectProvider"),
    same("iam:ListAccessKeys"),
    same("iam:ListInstanceProfiles"),
    same("iam:ListOpenIDConnectProviders"),
    same("iam:ListRoles"),
    same("iam:ListSAMLProviders"),
    same("kms:DescribeKey"),
    same("kms:GetKeyPolicy"),
    same("kms:GetKeyRotationStatus"),
    same("kms:ListAliases"),
    same("kms:ListGrants"),
    same("kms:ListKeyRotations"),
    same("kms:ListKeys"),
    same("kms:ListResourceTags"),
    same("logs:DescribeLogGroups"),
    same("organizations:DescribeOrganization"),
    same("organizations:DescribePolicy"),
    same("organizations:ListAccountsForParent"),
    same("organizations:ListOrganizationalUnitsForParent"),
    same("organizations:ListPolicies"),
    same("organizations:ListRoots"),
    same("organizations:ListTargetsForPolicy"),
    same("s3:GetBucketAcl"),
    call("s3:GetBucketEncryption", "s3:GetEncryptionConfiguration"),
    call("s3:GetBucketLifecycleConfiguration", "s3:GetLifecycleConfiguration"),
    same("s3:GetBucketLocation"),
    same("s3:GetBucketLogging"),
    call("s3:GetBucketNotificationConfiguration", "s3:GetBucketNotification"),
    same("s3:GetBucketOwnershipControls"),
    same("s3:GetBucketPolicy"),
    same("s3:GetBucketPolicyStatus"),
    call("s3:GetBucketReplication", "s3:GetReplicationConfiguration"),
    same("s3:GetBucketTagging"),
    same("s3:GetBucketVersioning"),
    call("s3:GetObjectLockConfiguration", "s3:GetBucketObjectLockConfiguration"),
    call("s3:GetPublicAccessBlock", "s3:GetBucketPublicAccessBlock"),
    call("s3:ListBuckets", "s3:ListAllMyBuckets"),
    same("sts:GetCallerIdentity"),
];

/// The call with which a declared role is assumed; it needs a permission on that role alone.
pub const ASSUME_ROLE: Call = same("sts:AssumeRole");

/// The least-privilege policy for the identity that scans: one statement a service.
#[must_use]
pub fn iam_policy() -> Value {
    iam_policy_assuming(&[])
}

/// The same, and leave to assume these roles in further accounts, which need [`iam_policy`] there.
#[must_use]
pub fn iam_policy_assuming(roles: &[String]) -> Value {
    let mut services: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for call in CALLS {
        let service = call.action.split_once(':').map_or(call.action, |(service, _)| service);
        services.entry(service).or_default().insert(call.action);
    }
    let mut statements: Vec<Value> = services
        .into_iter()
        .map(|(service, actions)| {
            json!({"Sid": sid(service), "Effect": "Allow", "Action": actions, "Resource": "*"})
        })
        .collect();
    if !roles.is_empty() {
        let roles: BTreeSet<&String> = roles.iter().collect();
        statements.push(json!({
            "Sid": "AssumeDeclaredRoles",
            "Effect": "Allow",
            "Action": ASSUME_ROLE.action,
            "Resource": roles,
        }));
    }
    json!({"Version": "2012-10-17", "Statement": statements})
}

fn sid(service: &str) -> String {
    let mut letters = service.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    "Read".chars().chain(first).chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_names_each_call_once() {
        assert!(CALLS.is_sorted_by(|a, b| a.operation < b.operation));
    }

    #[test]
    fn no_call_writes() {
        for Call { operation, action } in CALLS {
            for name in [operation, action] {
                let (_, verb) = name.split_once(':').unwrap();
                // Generating the credential report is of access level Read in IAM's own table.
                let reads =
                    ["Get", "List", "Describe", "Search"].iter().any(|prefix| verb.starts_with(prefix))
                        || verb == "GenerateCredentialReport";
                assert!(reads, "{name}");
            }
        }
        assert!(!CALLS.iter().any(|call| call.action == "s3:GetObject" || call.action.contains('*')));
    }

    #[test]
    fn the_policy_allows_each_action_once_and_roles_by_name() {
        let policy = iam_policy_assuming(&["arn:aws:iam::111122223333:role/scan".to_owned()]);
        let statements = policy["Statement"].as_array().unwrap();
        let actions: usize = statements.iter().filter_map(|s| s["Action"].as_array()).map(Vec::len).sum();
        let distinct: BTreeSet<&str> = CALLS.iter().map(|call| call.action).collect();
        assert_eq!(actions, distinct.len());
        assert_eq!(statements.last().unwrap()["Resource"], json!(["arn:aws:iam::111122223333:role/scan"]));
        assert_eq!(iam_policy()["Statement"].as_array().unwrap().len(), statements.len() - 1);
    }

    #[test]
    fn the_reference_account_scans_with_exactly_this_policy() {
        let path =
            concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/reference-account/scanner-policy.json");
        let kept: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let printed = iam_policy();
        assert_eq!(
            kept,
            printed,
            "write this to {path}:\n{}",
            serde_json::to_string_pretty(&printed).unwrap()
        );
    }
}
