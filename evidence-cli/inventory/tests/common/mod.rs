//! A small account and cluster as records, for the tests of reading them.

use cadastre_model::declaration::Declaration;
use cadastre_model::record::{Page, Problem};
use cadastre_model::{Observation, Outcome, Record, Scope, Timestamp};
use serde_json::{Value, json};

pub(crate) const ACCOUNT: &str = "111122223333";
pub(crate) const REGION: &str = "eu-central-1";
pub(crate) const LISTED: &str = "111122223333/eu-central-1";
pub(crate) const KEY: &str = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd";
pub(crate) const BUCKET: &str = "arn:aws:s3:::records";
pub(crate) const BROKER_ROLE: &str = "arn:aws:iam::111122223333:role/kafka-broker";
pub(crate) const TRAIL: &str = "arn:aws:cloudtrail:eu-central-1:111122223333:trail/all";

/// A declaration with one account and one cluster.
pub(crate) fn declaration() -> Declaration {
    let text = format!(
        "schema: cadastre/boundary/v1\nname: test\noperating-model: customer-operated-software\n\
         architecture: shared-storage\naccounts:\n- {{id: '{ACCOUNT}', provider: aws, purpose: data-plane}}\n\
         clusters:\n- name: payments\n  kind: cadastre\n  bootstrap: ['b1:9094']\n  \
         security: {{protocol: SASL_SSL}}\n"
    );
    Declaration::parse(&text, "boundary.yaml").unwrap()
}

/// One record, observed and complete.
pub(crate) fn observed(
    operation: &str,
    scope: Scope,
    subject: &str,
    request: Value,
    response: Value,
) -> Observation {
    let collector = if scope.cluster.is_some() { "kafka" } else { "aws" };
    Observation {
        collector: collector.into(),
        operation: operation.into(),
        scope,
        subject: subject.into(),
        caller: "arn:aws:sts::111122223333:assumed-role/scanner/scan".into(),
        observed_at: Timestamp::from_seconds(1_800_000_000).unwrap(),
        outcome: Outcome::Observed,
        request,
        response,
        problem: None,
        page: Page::ONLY,
    }
}

/// The same question without an answer.
pub(crate) fn unanswered(mut observation: Observation, outcome: Outcome, code: &str) -> Observation {
    observation.outcome = outcome;
    observation.response = Value::Null;
    observation.problem = Some(Problem { code: code.into(), message: "a message".into() });
    observation
}

pub(crate) fn global(operation: &str, subject: &str, response: Value) -> Observation {
    observed(operation, Scope::account(ACCOUNT), subject, json!({}), response)
}

pub(crate) fn regional(operation: &str, subject: &str, response: Value) -> Observation {
    observed(operation, Scope::region(ACCOUNT, REGION), subject, json!({}), response)
}

pub(crate) fn of_cluster(operation: &str, subject: &str, request: Value, response: Value) -> Observation {
    observed(operation, Scope::cluster("payments"), subject, request, response)
}

pub(crate) fn seal(observations: Vec<Observation>) -> Vec<Record> {
    observations.into_iter().map(|observation| observation.seal().unwrap()).collect()
}

/// The whole account and cluster.
pub(crate) fn everything() -> Vec<Observation> {
    let mut all = identity();
    all.extend(keys_and_stores());
    all.extend(network());
    all.extend(compute_and_logging());
    all.extend(managed_kafka());
    all.extend(organization());
    all.extend(cluster());
    all.extend(trails());
    all
}

fn document(name: &str) -> Value {
    json!({"Version": "2012-10-17", "Statement": [{"Sid": name, "Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]})
}

fn identity() -> Vec<Observation> {
    let managed = |name: &str| format!("arn:aws:iam::{ACCOUNT}:policy/{name}");
    let user = format!("arn:aws:iam::{ACCOUNT}:user/alice");
    let profile = json!({"Path": "/", "InstanceProfileName": "kafka-broker", "Arn": format!("arn:aws:iam::{ACCOUNT}:instance-profile/kafka-broker"),
        "Roles": [{"RoleName": "kafka-broker", "Arn": BROKER_ROLE}]});
    let mut first = global(
        "iam:GetAccountAuthorizationDetails",
        ACCOUNT,
        json!({
        "UserDetailList": [{"Path": "/", "UserName": "alice", "Arn": user, "UserPolicyList": [{"PolicyName": "own", "PolicyDocument": document("own")}],
            "GroupList": ["operators"], "AttachedManagedPolicies": [], "Tags": [{"Key": "team", "Value": "kafka"}]}],
        "GroupDetailList": [], "Policies": [],
        "RoleDetailList": [{"Path": "/", "RoleName": "kafka-broker", "Arn": BROKER_ROLE, "AssumeRolePolicyDocument": document("trust"),
            "InstanceProfileList": [profile], "RolePolicyList": [],
            "AttachedManagedPolicies": [{"PolicyName": "p", "PolicyArn": managed("p")}],
            "PermissionsBoundary": {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": managed("b")},
            "RoleLastUsed": {"LastUsedDate": "2026-11-01T00:00:00Z"}, "Tags": []}]}),
    );
    first.page = Page { number: 1, last: false };
    let mut second = global(
        "iam:GetAccountAuthorizationDetails",
        ACCOUNT,
        json!({
        "UserDetailList": [], "RoleDetailList": [],
        "GroupDetailList": [{"GroupName": "operators", "Arn": "g", "GroupPolicyList": [{"PolicyName": "inline", "PolicyDocument": document("group")}], "AttachedManagedPolicies": []}],
        "Policies": [
            {"Arn": managed("p"), "DefaultVersionId": "v2", "PolicyVersionList": [
                {"Document": document("old"), "VersionId": "v1", "IsDefaultVersion": false},
                {"Document": document("new"), "VersionId": "v2", "IsDefaultVersion": true}]},
            {"Arn": managed("b"), "DefaultVersionId": "v1", "PolicyVersionList": [{"Document": "not json", "VersionId": "v1", "IsDefaultVersion": true}]}]}),
    );
    second.page = Page { number: 2, last: true };
    vec![
        first,
        second,
        global(
            "iam:ListRoles",
            ACCOUNT,
            json!({"Roles": [{"RoleName": "kafka-broker", "Arn": BROKER_ROLE, "MaxSessionDuration": 3600}]}),
        ),
        global("iam:ListInstanceProfiles", ACCOUNT, json!({"InstanceProfiles": [profile]})),
        global(
            "iam:GetCredentialReport",
            ACCOUNT,
            json!({"Content": [{"user": "alice", "arn": user, "password_enabled": "false"}]}),
        ),
        global(
            "iam:ListAccessKeys",
            &user,
            json!({"AccessKeyMetadata": [{"UserName": "alice", "AccessKeyId": "****WXYZ", "Status": "Active", "CreateDate": "2026-01-01T00:00:00Z"}]}),
        ),
        observed(
            "iam:GetAccessKeyLastUsed",
            Scope::account(ACCOUNT),
            &format!("{user}/access-key/****WXYZ"),
            json!({"AccessKeyId": "****WXYZ"}),
            json!({"UserName": "alice", "AccessKeyLastUsed": {"ServiceName": "N/A"}}),
        ),
    ]
}

fn keys_and_stores() -> Vec<Observation> {
    vec![
        regional("kms:ListKeys", LISTED, json!({"Keys": [{"KeyId": "1234abcd", "KeyArn": KEY}]})),
        regional(
            "kms:ListAliases",
            LISTED,
            json!({"Aliases": [{"AliasName": "alias/data", "AliasArn": "a", "TargetKeyId": "1234abcd"}, {"AliasName": "alias/aws/rds", "AliasArn": "b"}]}),
        ),
        regional(
            "kms:DescribeKey",
            KEY,
            json!({"KeyMetadata": {"KeyId": "1234abcd", "Arn": KEY, "KeyUsage": "ENCRYPT_DECRYPT", "KeyState": "Enabled", "Origin": "AWS_KMS",
            "KeyManager": "CUSTOMER", "KeySpec": "SYMMETRIC_DEFAULT", "MultiRegion": true,
            "MultiRegionConfiguration": {"PrimaryKey": {"Arn": KEY, "Region": REGION}, "ReplicaKeys": [{"Arn": "r", "Region": "eu-west-1"}]}}}),
        ),
        regional("kms:GetKeyPolicy", KEY, json!({"Policy": document("key"), "PolicyName": "default"})),
        regional(
            "kms:ListGrants",
            KEY,
            json!({"Grants": [{"KeyId": "1234abcd", "GrantId": "g1", "GranteePrincipal": BROKER_ROLE, "IssuingAccount": ACCOUNT, "Operations": ["Decrypt"],
            "Constraints": {"EncryptionContextSubset": {"a": "b"}}}]}),
        ),
        regional(
            "kms:GetKeyRotationStatus",
            KEY,
            json!({"KeyId": "1234abcd", "KeyRotationEnabled": true, "RotationPeriodInDays": 365}),
        ),
        regional("kms:ListResourceTags", KEY, json!({"Tags": [{"TagKey": "data", "TagValue": "payments"}]})),
        global("s3:ListBuckets", ACCOUNT, json!({"Buckets": [{"Name": "records"}], "Owner": {"ID": "o"}})),
        global("s3:GetBucketLocation", BUCKET, json!({"LocationConstraint": REGION})),
        regional("s3:GetBucketPolicy", BUCKET, json!({"Policy": document("bucket")})),
        regional("s3:GetBucketPolicyStatus", BUCKET, json!({"PolicyStatus": {"IsPublic": false}})),
        regional(
            "s3:GetBucketEncryption",
            BUCKET,
            json!({"ServerSideEncryptionConfiguration": {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "alias/data"}, "BucketKeyEnabled": true}]}}),
        ),
        regional("s3:GetBucketVersioning", BUCKET, json!({})),
        regional(
            "s3:GetBucketLifecycleConfiguration",
            BUCKET,
            json!({"Rules": [{"ID": "a", "Status": "Enabled"}]}),
        ),
        regional(
            "s3:GetObjectLockConfiguration",
            BUCKET,
            json!({"ObjectLockConfiguration": {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Years": 1}}}}),
        ),
        regional(
            "s3:GetBucketReplication",
            BUCKET,
            json!({"ReplicationConfiguration": {"Role": "r", "Rules": [{"Status": "Enabled", "Destination": {"Bucket": "arn:aws:s3:::copy"}}, {"Status": "Disabled", "Destination": {"Bucket": "arn:aws:s3:::old"}}]}}),
        ),
        regional(
            "s3:GetPublicAccessBlock",
            BUCKET,
            json!({"PublicAccessBlockConfiguration": {"BlockPublicAcls": true, "IgnorePublicAcls": true, "BlockPublicPolicy": true, "RestrictPublicBuckets": true}}),
        ),
        regional(
            "s3:GetBucketAcl",
            BUCKET,
            json!({"Owner": {"ID": "o"}, "Grants": [{"Grantee": {"Type": "CanonicalUser", "ID": "o"}, "Permission": "FULL_CONTROL"},
            {"Grantee": {"Type": "Group", "URI": "http://acs.amazonaws.com/groups/global/AllUsers"}, "Permission": "READ"}]}),
        ),
        regional("s3:GetBucketTagging", BUCKET, json!({"TagSet": [{"Key": "data", "Value": "payments"}]})),
        regional(
            "ec2:DescribeVolumes",
            LISTED,
            json!({"Volumes": [{"VolumeId": "vol-1", "Encrypted": true, "KmsKeyId": KEY, "Attachments": [{"InstanceId": "i-1"}], "Tags": []}]}),
        ),
        regional(
            "ec2:DescribeSnapshots",
            LISTED,
            json!({"Snapshots": [{"SnapshotId": "snap-1", "VolumeId": "vol-1", "OwnerId": ACCOUNT, "Encrypted": false, "Tags": []}]}),
        ),
        regional(
            "ec2:DescribeSnapshotAttribute",
            "arn:aws:ec2:eu-central-1::snapshot/snap-1",
            json!({"SnapshotId": "snap-1", "CreateVolumePermissions": [{"UserId": "444455556666"}, {"Group": "all"}]}),
        ),
    ]
}

fn network() -> Vec<Observation> {
    vec![
        regional(
            "ec2:DescribeVpcs",
            LISTED,
            json!({"Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.20.0.0/16", "CidrBlockAssociationSet": [{"CidrBlock": "10.20.0.0/16", "CidrBlockState": {"State": "associated"}},
            {"CidrBlock": "10.30.0.0/16", "CidrBlockState": {"State": "disassociated"}}], "Tags": []}]}),
        ),
        regional(
            "ec2:DescribeSubnets",
            LISTED,
            json!({"Subnets": [{"SubnetId": "subnet-1", "VpcId": "vpc-1", "CidrBlock": "10.20.1.0/24", "AvailabilityZone": "eu-central-1a", "MapPublicIpOnLaunch": false, "Tags": []}]}),
        ),
        regional(
            "ec2:DescribeRouteTables",
            LISTED,
            json!({"RouteTables": [{"RouteTableId": "rtb-1", "VpcId": "vpc-1", "Associations": [{"Main": true}, {"Main": false, "SubnetId": "subnet-1", "AssociationState": {"State": "associated"}}],
            "Routes": [{"DestinationCidrBlock": "10.20.0.0/16", "GatewayId": "local", "State": "active"}, {"DestinationPrefixListId": "pl-1", "GatewayId": "vpce-1", "State": "active"},
                {"DestinationCidrBlock": "0.0.0.0/0", "State": "blackhole"}]}]}),
        ),
        regional(
            "ec2:DescribeManagedPrefixLists",
            LISTED,
            json!({"PrefixLists": [{"PrefixListId": "pl-1", "PrefixListArn": "arn:aws:ec2:eu-central-1:aws:prefix-list/pl-1", "PrefixListName": "com.amazonaws.eu-central-1.s3"}]}),
        ),
        regional(
            "ec2:GetManagedPrefixListEntries",
            "arn:aws:ec2:eu-central-1:aws:prefix-list/pl-1",
            json!({"Entries": [{"Cidr": "52.219.0.0/16"}]}),
        ),
        regional(
            "ec2:DescribeSecurityGroups",
            LISTED,
            json!({"SecurityGroups": [{"GroupId": "sg-1", "GroupName": "brokers", "VpcId": "vpc-1",
            "IpPermissions": [{"IpProtocol": "tcp", "FromPort": 9093, "ToPort": 9094, "IpRanges": [{"CidrIp": "10.20.0.0/16"}], "Ipv6Ranges": [{"CidrIpv6": "2001:db8::/32"}], "PrefixListIds": [], "UserIdGroupPairs": [{"GroupId": "sg-1"}]}],
            "IpPermissionsEgress": [{"IpProtocol": "-1", "IpRanges": [], "Ipv6Ranges": [], "PrefixListIds": [{"PrefixListId": "pl-1"}], "UserIdGroupPairs": []}], "Tags": []}]}),
        ),
        regional(
            "ec2:DescribeNetworkAcls",
            LISTED,
            json!({"NetworkAcls": [{"NetworkAclId": "acl-1", "VpcId": "vpc-1", "Associations": [{"SubnetId": "subnet-1"}],
            "Entries": [{"RuleNumber": 32767, "Protocol": "-1", "RuleAction": "deny", "Egress": false, "CidrBlock": "0.0.0.0/0"}, {"RuleNumber": 100, "Protocol": "6", "RuleAction": "allow", "Egress": false, "CidrBlock": "10.20.0.0/16", "PortRange": {"From": 9093, "To": 9094}}]}]}),
        ),
        regional(
            "ec2:DescribeInternetGateways",
            LISTED,
            json!({"InternetGateways": [{"InternetGatewayId": "igw-1", "Attachments": [{"State": "available", "VpcId": "vpc-1"}]}]}),
        ),
        regional(
            "ec2:DescribeEgressOnlyInternetGateways",
            LISTED,
            json!({"EgressOnlyInternetGateways": [{"EgressOnlyInternetGatewayId": "eigw-1", "Attachments": [{"State": "attached", "VpcId": "vpc-1"}]}]}),
        ),
        regional(
            "ec2:DescribeNatGateways",
            LISTED,
            json!({"NatGateways": [{"NatGatewayId": "nat-1", "VpcId": "vpc-1", "SubnetId": "subnet-1", "State": "available", "ConnectivityType": "public"},
            {"NatGatewayId": "nat-2", "VpcId": "vpc-1", "SubnetId": "subnet-1", "State": "deleted", "ConnectivityType": "public"}]}),
        ),
        regional(
            "ec2:DescribeTransitGatewayAttachments",
            LISTED,
            json!({"TransitGatewayAttachments": [{"TransitGatewayAttachmentId": "tgw-attach-1", "TransitGatewayId": "tgw-1", "ResourceType": "vpc", "ResourceId": "vpc-1", "State": "available",
            "Association": {"TransitGatewayRouteTableId": "tgw-rtb-1", "State": "associated"}}]}),
        ),
        regional(
            "ec2:DescribeTransitGatewayVpcAttachments",
            LISTED,
            json!({"TransitGatewayVpcAttachments": [{"TransitGatewayAttachmentId": "tgw-attach-1", "SubnetIds": ["subnet-1"]}]}),
        ),
        regional(
            "ec2:DescribeTransitGatewayRouteTables",
            LISTED,
            json!({"TransitGatewayRouteTables": [{"TransitGatewayRouteTableId": "tgw-rtb-1", "TransitGatewayId": "tgw-1", "State": "available"}]}),
        ),
        regional(
            "ec2:SearchTransitGatewayRoutes",
            "tgw-rtb-1",
            json!({"Routes": [{"DestinationCidrBlock": "10.20.0.0/16", "State": "active", "Type": "propagated", "TransitGatewayAttachments": [{"TransitGatewayAttachmentId": "tgw-attach-1", "ResourceId": "vpc-1", "ResourceType": "vpc"}]},
            {"DestinationCidrBlock": "10.66.0.0/16", "State": "blackhole", "Type": "static"}], "AdditionalRoutesAvailable": false}),
        ),
        regional(
            "ec2:DescribeNetworkInterfaces",
            LISTED,
            json!({"NetworkInterfaces": [{"NetworkInterfaceId": "eni-1", "SubnetId": "subnet-1", "VpcId": "vpc-1", "InterfaceType": "interface", "PrivateIpAddress": "10.20.1.10",
            "Groups": [{"GroupId": "sg-1"}], "Attachment": {"InstanceId": "i-1", "Status": "attached"}, "PrivateIpAddresses": [{"PrivateIpAddress": "10.20.1.10"}], "Ipv6Addresses": []}]}),
        ),
        regional(
            "ec2:DescribeAddresses",
            LISTED,
            json!({"Addresses": [{"PublicIp": "203.0.113.10", "NetworkInterfaceId": "eni-1"}]}),
        ),
        regional(
            "ec2:DescribeVpcEndpoints",
            LISTED,
            json!({"VpcEndpoints": [{"VpcEndpointId": "vpce-1", "VpcEndpointType": "Gateway", "VpcId": "vpc-1", "ServiceName": "com.amazonaws.eu-central-1.s3", "State": "available",
            "PolicyDocument": document("endpoint"), "RouteTableIds": ["rtb-1"], "SubnetIds": [], "Groups": [], "PrivateDnsEnabled": false}]}),
        ),
        regional(
            "ec2:DescribeVpcEndpointServiceConfigurations",
            LISTED,
            json!({"ServiceConfigurations": [{"ServiceId": "vpce-svc-1", "AcceptanceRequired": true}]}),
        ),
        regional(
            "ec2:DescribeVpcEndpointServicePermissions",
            "arn:aws:ec2:eu-central-1:111122223333:vpc-endpoint-service/vpce-svc-1",
            json!({"AllowedPrincipals": [{"PrincipalType": "Account", "Principal": "arn:aws:iam::444455556666:root"}]}),
        ),
        regional(
            "ec2:DescribeVpcPeeringConnections",
            LISTED,
            json!({"VpcPeeringConnections": [{"VpcPeeringConnectionId": "pcx-1", "Status": {"Code": "active"},
            "RequesterVpcInfo": {"OwnerId": ACCOUNT, "VpcId": "vpc-1", "CidrBlock": "10.20.0.0/16"}, "AccepterVpcInfo": {"OwnerId": "444455556666", "VpcId": "vpc-9", "CidrBlockSet": [{"CidrBlock": "10.90.0.0/16"}]}}]}),
        ),
        regional(
            "ec2:DescribeFlowLogs",
            LISTED,
            json!({"FlowLogs": [{"FlowLogId": "fl-1", "FlowLogStatus": "ACTIVE", "ResourceId": "vpc-1", "TrafficType": "ALL", "LogDestinationType": "cloud-watch-logs", "LogGroupName": "/flows"}]}),
        ),
    ]
}

fn compute_and_logging() -> Vec<Observation> {
    vec![
        regional(
            "ec2:DescribeInstances",
            LISTED,
            json!({"Reservations": [{"Instances": [{"InstanceId": "i-1", "ImageId": "ami-1", "State": {"Name": "running"}, "PrivateIpAddress": "10.20.1.10", "SubnetId": "subnet-1", "VpcId": "vpc-1",
            "IamInstanceProfile": {"Arn": format!("arn:aws:iam::{ACCOUNT}:instance-profile/kafka-broker")}, "Placement": {"AvailabilityZone": "eu-central-1a"}, "SecurityGroups": [{"GroupId": "sg-1"}],
            "MetadataOptions": {"HttpTokens": "required"}, "BlockDeviceMappings": [{"Ebs": {"VolumeId": "vol-1"}}], "NetworkInterfaces": [{"NetworkInterfaceId": "eni-1"}], "Tags": [{"Key": "Name", "Value": "broker-1"}]}]}]}),
        ),
        observed(
            "ec2:DescribeImages",
            Scope::region(ACCOUNT, REGION),
            LISTED,
            json!({"Owners": ["self"]}),
            json!({"Images": [{"ImageId": "ami-1", "Name": "broker", "OwnerId": ACCOUNT, "Public": false}]}),
        ),
        observed(
            "ec2:DescribeImages",
            Scope::region(ACCOUNT, REGION),
            "111122223333/eu-central-1/in-use/1",
            json!({"ImageIds": ["ami-2"]}),
            json!({"Images": [{"ImageId": "ami-2", "Name": "linux", "OwnerId": "137112412989", "Public": true}]}),
        ),
        regional(
            "ec2:DescribeImageAttribute",
            "arn:aws:ec2:eu-central-1::image/ami-1",
            json!({"ImageId": "ami-1", "LaunchPermissions": [{"UserId": "444455556666"}]}),
        ),
        regional(
            "ec2:DescribeLaunchTemplates",
            LISTED,
            json!({"LaunchTemplates": [{"LaunchTemplateId": "lt-1", "LaunchTemplateName": "broker"}]}),
        ),
        regional(
            "ec2:DescribeLaunchTemplateVersions",
            "arn:aws:ec2:eu-central-1:111122223333:launch-template/lt-1",
            json!({"LaunchTemplateVersions": [
            {"VersionNumber": 2, "DefaultVersion": false, "LaunchTemplateData": {"ImageId": "ami-9"}},
            {"VersionNumber": 1, "DefaultVersion": true, "LaunchTemplateData": {"ImageId": "ami-1", "IamInstanceProfile": {"Name": "kafka-broker"}}}]}),
        ),
        regional(
            "cloudtrail:DescribeTrails",
            LISTED,
            json!({"trailList": [{"Name": "all", "TrailARN": TRAIL, "HomeRegion": REGION, "S3BucketName": "logs", "IncludeGlobalServiceEvents": true, "IsMultiRegionTrail": true, "LogFileValidationEnabled": true, "KmsKeyId": KEY}]}),
        ),
        regional("cloudtrail:GetTrailStatus", TRAIL, json!({"IsLogging": true})),
        regional(
            "cloudtrail:GetEventSelectors",
            TRAIL,
            json!({"TrailARN": TRAIL, "EventSelectors": [{"ReadWriteType": "All", "IncludeManagementEvents": true, "DataResources": [{"Type": "AWS::S3::Object", "Values": ["arn:aws:s3:::records/"]}], "ExcludeManagementEventSources": []}], "AdvancedEventSelectors": []}),
        ),
        regional(
            "logs:DescribeLogGroups",
            LISTED,
            json!({"logGroups": [{"logGroupName": "/flows", "arn": "arn:aws:logs:eu-central-1:111122223333:log-group:/flows:*", "retentionInDays": 400, "kmsKeyId": KEY}]}),
        ),
        regional(
            "events:ListRules",
            LISTED,
            json!({"Rules": [{"Name": "key-disabled", "Arn": "arn:aws:events:eu-central-1:111122223333:rule/key-disabled", "EventPattern": {"source": ["aws.kms"]}, "State": "ENABLED"}]}),
        ),
        regional(
            "events:ListTargetsByRule",
            "arn:aws:events:eu-central-1:111122223333:rule/key-disabled",
            json!({"Targets": [{"Id": "t", "Arn": "arn:aws:sns:eu-central-1:111122223333:security"}]}),
        ),
    ]
}

fn managed_kafka() -> Vec<Observation> {
    let cluster = "arn:aws:kafka:eu-central-1:111122223333:cluster/payments/abcd-1";
    let secret = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:AmazonMSK_ledger-a1B2c3";
    let authority = "arn:aws:acm-pca:eu-central-1:111122223333:certificate-authority/1";
    vec![
        regional(
            "kafka:ListClustersV2",
            LISTED,
            json!({"ClusterInfoList": [{
                "ClusterArn": cluster, "ClusterName": "payments", "ClusterType": "PROVISIONED", "State": "ACTIVE",
                "Tags": {"team": "payments"},
                "Provisioned": {"ClientAuthentication": {
                    "Sasl": {"Iam": {"Enabled": true}, "Scram": {"Enabled": true}},
                    "Tls": {"CertificateAuthorityArnList": [authority], "Enabled": true},
                    "Unauthenticated": {"Enabled": false}
                }}
            }]}),
        ),
        regional(
            "kafka:GetClusterPolicy",
            cluster,
            json!({"CurrentVersion": "K1", "Policy": document("cluster")}),
        ),
        regional("kafka:ListScramSecrets", cluster, json!({"SecretArnList": [secret]})),
        regional(
            "secretsmanager:ListSecrets",
            LISTED,
            json!({"SecretList": [{"ARN": secret, "Name": "AmazonMSK_ledger", "KmsKeyId": KEY, "Tags": [{"Key": "team", "Value": "payments"}]}]}),
        ),
        regional(
            "secretsmanager:GetResourcePolicy",
            secret,
            json!({"ARN": secret, "Name": "AmazonMSK_ledger", "ResourcePolicy": document("secret")}),
        ),
        regional(
            "acm-pca:ListCertificateAuthorities",
            LISTED,
            json!({"CertificateAuthorities": [{"Arn": authority, "OwnerAccount": ACCOUNT, "Status": "ACTIVE", "Type": "SUBORDINATE"}]}),
        ),
        regional("acm-pca:GetPolicy", authority, json!({"Policy": document("authority")})),
    ]
}

fn organization() -> Vec<Observation> {
    let asked = |operation: &str, subject: &str, request: Value, response: Value| {
        observed(operation, Scope::account(ACCOUNT), subject, request, response)
    };
    let policy =
        |name: &str| format!("arn:aws:organizations::{ACCOUNT}:policy/o-1/service_control_policy/{name}");
    let described = |name: &str| {
        let summary = json!({"Id": name, "Arn": policy(name), "Name": name});
        asked(
            "organizations:DescribePolicy",
            &policy(name),
            json!({"PolicyId": name}),
            json!({"Policy": {"PolicySummary": summary, "Content": document(name)}}),
        )
    };
    let targets = |name: &str, targets: &[&str]| {
        let targets: Vec<Value> = targets.iter().map(|id| json!({"TargetId": id})).collect();
        asked(
            "organizations:ListTargetsForPolicy",
            &policy(name),
            json!({"PolicyId": name}),
            json!({"Targets": targets}),
        )
    };
    vec![
        global(
            "organizations:DescribeOrganization",
            ACCOUNT,
            json!({"Organization": {"Id": "o-1", "MasterAccountId": ACCOUNT}}),
        ),
        global(
            "organizations:ListRoots",
            ACCOUNT,
            json!({"Roots": [{"Id": "r-1", "PolicyTypes": [{"Type": "SERVICE_CONTROL_POLICY", "Status": "ENABLED"}]}]}),
        ),
        asked(
            "organizations:ListOrganizationalUnitsForParent",
            "root",
            json!({"ParentId": "r-1"}),
            json!({"OrganizationalUnits": [{"Id": "ou-1"}]}),
        ),
        asked(
            "organizations:ListAccountsForParent",
            "root",
            json!({"ParentId": "r-1"}),
            json!({"Accounts": []}),
        ),
        asked(
            "organizations:ListAccountsForParent",
            "unit",
            json!({"ParentId": "ou-1"}),
            json!({"Accounts": [{"Id": ACCOUNT}]}),
        ),
        asked(
            "organizations:ListPolicies",
            "111122223333/SERVICE_CONTROL_POLICY",
            json!({"Filter": "SERVICE_CONTROL_POLICY"}),
            json!({"Policies": [{"Id": "p-full", "Arn": policy("p-full")}, {"Id": "p-deny", "Arn": policy("p-deny")}]}),
        ),
        asked(
            "organizations:ListPolicies",
            "111122223333/RESOURCE_CONTROL_POLICY",
            json!({"Filter": "RESOURCE_CONTROL_POLICY"}),
            json!({"Policies": []}),
        ),
        described("p-full"),
        described("p-deny"),
        targets("p-full", &["r-1", "ou-1", ACCOUNT]),
        targets("p-deny", &["ou-1"]),
    ]
}

fn cluster() -> Vec<Observation> {
    let config = |name: &str, value: &str| json!({"name": name, "value": value, "source": "STATIC_BROKER_CONFIG", "sensitive": false});
    let brokers = json!([{"id": 1, "host": "b1", "port": 9094, "rack": "eu-central-1a"}]);
    let probed = |operation: &str, extra: Value, response: Value| {
        let mut request = json!({"probe": true, "host": "b1", "port": 9094, "listener": "CLIENT", "broker": 1, "declared_protocol": "SASL_SSL"});
        request.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        of_cluster(operation, "b1:9094", request, response)
    };
    let handshake = |version: &str, accepted: bool| {
        let certificates = if accepted {
            json!([{"subject": "CN=b1", "issuer": "CN=ca", "names": ["DNS:b1"], "not_before": "2026-01-01T00:00:00Z", "not_after": "2027-01-01T00:00:00Z", "fingerprint": "9f86", "self_signed": false}])
        } else {
            json!([])
        };
        probed(
            "probe:TlsHandshake",
            json!({"tls_version": version}),
            json!({"accepted": accepted, "cipher_suites": if accepted { json!(["TLS_AES_256_GCM_SHA384"]) } else { json!([]) },
            "weak_cipher_suites": [], "alert": if accepted { Value::Null } else { json!("protocol_version") }, "ended": null, "certificates": certificates, "trusted": if accepted { json!(true) } else { Value::Null }}),
        )
    };
    let anonymous = |transport: &str| {
        probed(
            "probe:AnonymousConnection",
            json!({"transport": transport}),
            json!({"served": false, "ended": "closed"}),
        )
    };
    let whole = |operation: &str, response: Value| of_cluster(operation, "payments", json!({}), response);
    let of_broker = |operation: &str, response: Value| of_cluster(operation, "broker:1", json!({}), response);
    vec![
        whole("kafka:DescribeCluster", json!({"cluster_id": "c-1", "controller_id": 1, "brokers": brokers})),
        whole(
            "kafka:Metadata",
            json!({"cluster_id": "c-1", "brokers": brokers, "topics": [{"name": "payments", "id": "t", "internal": false, "partitions": [{"partition": 0, "replicas": [1, 2, 3]}, {"partition": 1, "replicas": [1, 2]}]}]}),
        ),
        whole(
            "kafka:DescribeQuorum",
            json!({"leader": 1, "voters": [{"id": 1}], "observers": [], "nodes": [{"id": 1, "listeners": [{"name": "CONTROLLER", "host": "b1", "port": 9093}]}]}),
        ),
        whole(
            "kafka:DescribeFeatures",
            json!({"finalized": [{"name": "metadata.version", "minimum": 27, "maximum": 27}]}),
        ),
        of_broker(
            "kafka:DescribeLogDirs",
            json!({"directories": [{"path": "/data", "error": null, "size_bytes": 5}]}),
        ),
        of_cluster(
            "kafka:DescribeConfigs",
            "broker:1",
            json!({"resource_type": "BROKER", "resource_names": ["1"]}),
            json!({"resources": [{"resource_type": "BROKER", "resource_name": "1", "configs": [
            config("listeners", "CLIENT://0.0.0.0:9094,CONTROLLER://:9093"), config("advertised.listeners", "CLIENT://b1:9094"), config("listener.security.protocol.map", "CLIENT:SASL_SSL,CONTROLLER:SSL")]}]}),
        ),
        of_cluster(
            "kafka:DescribeConfigs",
            "payments",
            json!({"resource_type": "TOPIC", "resource_names": ["payments"]}),
            json!({"resources": [{"resource_type": "TOPIC", "resource_name": "payments", "configs": [config("retention.ms", "1000")]}]}),
        ),
        whole(
            "kafka:DescribeAcls",
            json!({"bindings": [{"resource_type": "TOPIC", "resource_name": "payments", "pattern_type": "LITERAL", "principal": "User:billing", "host": "*", "operation": "READ", "permission": "ALLOW"}]}),
        ),
        whole(
            "kafka:DescribeUserScramCredentials",
            json!({"users": [{"user": "admin", "credentials": [{"mechanism": "SCRAM-SHA-512", "iterations": 8192}]}]}),
        ),
        whole(
            "kafka:DescribeClientQuotas",
            json!({"entries": [{"entity": [{"type": "user", "name": null}], "limits": {"producer_byte_rate": 1048576.0}}]}),
        ),
        unanswered(
            whole("kafka:DescribeDelegationToken", Value::Null),
            Outcome::Absent,
            "DELEGATION_TOKEN_AUTH_DISABLED",
        ),
        of_broker(
            "kafka:ListGroups",
            json!({"groups": [{"id": "billing", "protocol_type": "consumer", "state": "Stable", "kind": "classic"}]}),
        ),
        of_cluster(
            "kafka:DescribeGroups",
            "broker:1",
            json!({"groups": ["billing"]}),
            json!({"groups": [{"id": "billing", "state": "Stable", "kind": "classic", "members": [{"client_id": "billing-1", "host": "/10.0.1.7"}]}]}),
        ),
        handshake("TLSv1", false),
        handshake("TLSv1.1", false),
        handshake("TLSv1.2", true),
        handshake("TLSv1.3", true),
        probed("probe:PlaintextConnection", json!({}), json!({"speaks_kafka": false, "ended": "closed"})),
        anonymous("plaintext"),
        anonymous("tls"),
        of_cluster(
            "probe:DeniedOperation",
            "payments",
            json!({"probe": true, "operation": "CreateTopics", "resource": "topic:x"}),
            json!({"refused": true, "code": "TOPIC_AUTHORIZATION_FAILED"}),
        ),
    ]
}

fn trails() -> Vec<Observation> {
    let key = format!("arn:aws:kms:{REGION}:{ACCOUNT}:key/1");
    let place = format!("{ACCOUNT}/{REGION}");
    let checked = json!({"Trails": ["audit"], "Valid": true, "Wrong": false, "From": "2026-08-23T10:00:00Z",
        "To": "2026-11-21T12:00:00Z", "Events": 4711, "Refused": 0, "Problems": [], "ProblemCount": 0});
    let activity = json!({"Rows": [{"Principal": BROKER_ROLE, "Account": ACCOUNT, "Action": "kms:Decrypt", "Names": [key],
        "Source": "10.20.1.10", "Error": null, "Count": 96, "First": "2026-11-20T10:00:00Z", "Last": "2026-11-21T10:00:00Z",
        "Events": ["1f0c"]}]});
    let lone = json!({"Time": "2026-11-21T10:00:00Z", "Operation": "Decrypt", "Key": key, "Principal": BROKER_ROLE,
        "Via": null, "Reference": "1f0c", "Reason": "no entry has the request"});
    let reconciled = json!({"Keys": [key], "TrailUses": 97, "LedgerUses": 96, "Matched": 96, "OutsideTheTrail": 0,
        "Unexplained": [lone], "Attempts": [], "Unseen": [], "LedgerBroken": [], "Incomplete": [],
        "LedgerFrom": "2026-08-23T10:00:00Z", "LedgerTo": "2026-11-21T12:00:00Z"});
    let of_logs = |observation: Observation| Observation { collector: "logs".into(), ..observation };
    vec![
        of_logs(regional("trail:VerifyFiles", &place, checked)),
        of_logs(regional("trail:ListActivity", &place, activity)),
        of_logs(observed("ledger:ReconcileKeyUses", Scope::default(), "key-ledger", json!({}), reconciled)),
    ]
}
