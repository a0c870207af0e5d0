//! Every operation that collectors make, and where it has to have been asked.
//!
//! `aws-records.md`, `azure-records.md`, `kafka-records.md`, `trail-records.md`, `operating-documents.md` and `drill-records.md`
//! in `docs/formats/` name the operations; a test keeps this table and those pages together.

/// Where an operation must have been asked before what it tells is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Asked {
    /// Once in every declared AWS account.
    Account,
    /// Once in every declared region of every declared AWS account.
    Region,
    /// Once in every declared Azure subscription.
    Subscription,
    /// Once in every declared cluster.
    Cluster,
    /// Once, about the boundary as a whole.
    Boundary,
    /// About one thing at a time, wherever there is one. Nobody can say how often, and so a missing
    /// question shows as an unknown property of that thing.
    Thing,
}

const ACCOUNT: &[&str] = &[
    "sts:GetCallerIdentity",
    "iam:GetAccountAuthorizationDetails",
    "iam:ListRoles",
    "iam:GetAccountSummary",
    "iam:GenerateCredentialReport",
    "iam:GetCredentialReport",
    "iam:ListInstanceProfiles",
    "iam:ListOpenIDConnectProviders",
    "iam:ListSAMLProviders",
    "iam:GetAccountPasswordPolicy",
    "s3:ListBuckets",
    "organizations:DescribeOrganization",
];

const REGION: &[&str] = &[
    "kms:ListKeys",
    "kms:ListAliases",
    "ec2:DescribeVpcs",
    "ec2:DescribeSubnets",
    "ec2:DescribeRouteTables",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeNetworkAcls",
    "ec2:DescribeInternetGateways",
    "ec2:DescribeEgressOnlyInternetGateways",
    "ec2:DescribeNatGateways",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeAddresses",
    "ec2:DescribeVpcEndpoints",
    "ec2:DescribeVpcEndpointServiceConfigurations",
    "ec2:DescribeVpcEndpointConnections",
    "ec2:DescribeVpcPeeringConnections",
    "ec2:DescribeTransitGateways",
    "ec2:DescribeTransitGatewayAttachments",
    "ec2:DescribeTransitGatewayRouteTables",
    "ec2:DescribeTransitGatewayVpcAttachments",
    "ec2:DescribeManagedPrefixLists",
    "ec2:DescribeFlowLogs",
    "ec2:DescribeInstances",
    "ec2:DescribeImages",
    "ec2:DescribeLaunchTemplates",
    "ec2:DescribeVolumes",
    "ec2:DescribeSnapshots",
    "ec2:GetEbsEncryptionByDefault",
    "ec2:GetEbsDefaultKmsKeyId",
    "cloudtrail:DescribeTrails",
    "logs:DescribeLogGroups",
    "events:ListRules",
    "trail:VerifyFiles",
    "trail:ListActivity",
];

const SUBSCRIPTION: &[&str] = &[
    "Microsoft.Resources/subscriptions/read",
    "Microsoft.Network/virtualNetworks/read",
    "Microsoft.Network/networkSecurityGroups/read",
    "Microsoft.Network/routeTables/read",
    "Microsoft.Network/networkInterfaces/read",
    "Microsoft.Network/publicIPAddresses/read",
    "Microsoft.Network/natGateways/read",
    "Microsoft.Network/loadBalancers/read",
    "Microsoft.Network/privateEndpoints/read",
    "Microsoft.Network/privateLinkServices/read",
    "Microsoft.Compute/virtualMachines/read",
    "Microsoft.KeyVault/vaults/read",
    "Microsoft.Storage/storageAccounts/read",
    "Microsoft.EventHub/namespaces/read",
    "Microsoft.ManagedIdentity/userAssignedIdentities/read",
    "Microsoft.Authorization/roleAssignments/read",
    "Microsoft.Authorization/roleDefinitions/read",
    "Microsoft.Authorization/denyAssignments/read",
];

const CLUSTER: &[&str] = &[
    "kafka:Connect",
    "kafka:ApiVersions",
    "kafka:DescribeFeatures",
    "kafka:DescribeCluster",
    "kafka:Metadata",
    "kafka:DescribeQuorum",
    "kafka:DescribeLogDirs",
    "kafka:DescribeConfigs",
    "kafka:DescribeAcls",
    "kafka:DescribeUserScramCredentials",
    "kafka:DescribeClientQuotas",
    "kafka:DescribeDelegationToken",
    "kafka:ListGroups",
    "probe:DeniedOperation",
];

const BOUNDARY: &[&str] = &["documents:ListDocuments"];

const THING: &[&str] = &[
    "documents:ReadDocument",
    "sts:AssumeRole",
    "iam:ListAccessKeys",
    "iam:GetAccessKeyLastUsed",
    "iam:GetOpenIDConnectProvider",
    "kms:DescribeKey",
    "kms:GetKeyPolicy",
    "kms:ListGrants",
    "kms:GetKeyRotationStatus",
    "kms:ListKeyRotations",
    "kms:ListResourceTags",
    "s3:GetBucketLocation",
    "s3:GetBucketPolicy",
    "s3:GetBucketPolicyStatus",
    "s3:GetBucketEncryption",
    "s3:GetBucketVersioning",
    "s3:GetBucketLifecycleConfiguration",
    "s3:GetObjectLockConfiguration",
    "s3:GetBucketReplication",
    "s3:GetPublicAccessBlock",
    "s3:GetBucketOwnershipControls",
    "s3:GetBucketAcl",
    "s3:GetBucketLogging",
    "s3:GetBucketTagging",
    "s3:GetBucketNotificationConfiguration",
    "ec2:DescribeVpcEndpointServicePermissions",
    "ec2:GetManagedPrefixListEntries",
    "ec2:SearchTransitGatewayRoutes",
    "ec2:DescribeImageAttribute",
    "ec2:DescribeLaunchTemplateVersions",
    "ec2:DescribeSnapshotAttribute",
    "cloudtrail:GetTrailStatus",
    "cloudtrail:GetEventSelectors",
    "events:ListTargetsByRule",
    "organizations:ListRoots",
    "organizations:ListOrganizationalUnitsForParent",
    "organizations:ListAccountsForParent",
    "organizations:ListPolicies",
    "organizations:DescribePolicy",
    "organizations:ListTargetsForPolicy",
    "Microsoft.Network/virtualNetworks/listNetworkManagerEffectiveSecurityAdminRules/action",
    "Microsoft.Network/locations/serviceTags/read",
    "Microsoft.KeyVault/vaults/keys/read",
    "Microsoft.Storage/storageAccounts/blobServices/read",
    "Microsoft.Storage/storageAccounts/blobServices/containers/read",
    "Microsoft.Insights/diagnosticSettings/read",
    "ledger:ReconcileKeyUses",
    "kafka:DescribeGroups",
    "kafka:ConsumerGroupDescribe",
    "probe:TlsHandshake",
    "probe:PlaintextConnection",
    "probe:AnonymousConnection",
    "probe:UnauthenticatedOperation",
    "drill:clients",
    "drill:denials",
    "drill:broker-replacement",
    "drill:key-revocation",
    "drill:key-rotation",
    "drill:deletion",
    "drill:export",
    "drill:scale-out",
    "drill:store-outage",
    "drill:certificate-rotation",
    "drill:upgrade-rollback",
    "drill:audit-trail",
];

/// Every operation, in no particular order.
pub(crate) fn all() -> impl Iterator<Item = &'static str> {
    [ACCOUNT, REGION, SUBSCRIPTION, CLUSTER, BOUNDARY, THING].into_iter().flatten().copied()
}

/// Whether an operation is the record of a drill, which is exercised rarely.
pub(crate) fn is_drill(operation: &str) -> bool {
    operation.starts_with("drill:")
}

/// Whether an operation is one of Azure's: `Microsoft.Network/virtualNetworks/read`.
pub(crate) fn is_azure(operation: &str) -> bool {
    operation.starts_with("Microsoft.")
}

/// Where an operation has to be asked; `None` for one that no collector makes.
#[must_use]
pub fn asked(operation: &str) -> Option<Asked> {
    [
        (ACCOUNT, Asked::Account),
        (REGION, Asked::Region),
        (SUBSCRIPTION, Asked::Subscription),
        (CLUSTER, Asked::Cluster),
        (BOUNDARY, Asked::Boundary),
        (THING, Asked::Thing),
    ]
    .into_iter()
    .find_map(|(list, asked)| list.contains(&operation).then_some(asked))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_table_names_the_operations_that_the_record_formats_document() {
        let pages = concat!(
            include_str!("../../../docs/formats/aws-records.md"),
            include_str!("../../../docs/formats/azure-records.md"),
            include_str!("../../../docs/formats/kafka-records.md"),
            include_str!("../../../docs/formats/trail-records.md"),
            include_str!("../../../docs/formats/operating-documents.md"),
            include_str!("../../../docs/formats/drill-records.md")
        );
        let documented: BTreeSet<&str> = pages
            .lines()
            .filter(|line| line.starts_with("**`"))
            .flat_map(|line| line.split("**`").skip(1))
            .filter_map(|rest| rest.split('`').next())
            .collect();
        let known: BTreeSet<&str> = all().collect();
        let unlisted: Vec<_> = documented.difference(&known).collect();
        assert!(unlisted.is_empty(), "documented and not listed: {unlisted:?}");
        let unknown: Vec<_> = known.difference(&documented).collect();
        assert!(unknown.is_empty(), "listed and not documented: {unknown:?}");
    }
}
