//! AWS resources of the `hashicorp/aws` provider, brought into the shapes of `docs/formats/aws-records.md`.
//!
//! Arguments are those of the provider's documentation; what a service does where an argument is left out is that of
//! the service's own documentation, named where it is used.

mod buckets;
mod compute;
mod identity;
mod keys;
mod logging;
pub(crate) mod msk;
mod network;
mod security_groups;

use cadastre_model::Scope;
use serde_json::Value;

use crate::block::Block;
use crate::projection::Side;
use crate::world::{ListKey, Question, World};

/// Every type that is read.
pub(crate) const KINDS: &[&str] = &[
    "aws_cloudtrail",
    "aws_cloudwatch_log_group",
    "aws_default_network_acl",
    "aws_default_route_table",
    "aws_default_security_group",
    "aws_ebs_volume",
    "aws_egress_only_internet_gateway",
    "aws_eip",
    "aws_eip_association",
    "aws_flow_log",
    "aws_iam_group",
    "aws_iam_group_policy",
    "aws_iam_group_policy_attachment",
    "aws_iam_instance_profile",
    "aws_iam_policy",
    "aws_iam_policy_attachment",
    "aws_iam_role",
    "aws_iam_role_policy",
    "aws_iam_role_policy_attachment",
    "aws_iam_user",
    "aws_iam_user_group_membership",
    "aws_iam_user_policy",
    "aws_iam_user_policy_attachment",
    "aws_instance",
    "aws_internet_gateway",
    "aws_internet_gateway_attachment",
    "aws_kms_alias",
    "aws_kms_external_key",
    "aws_kms_grant",
    "aws_kms_key",
    "aws_kms_key_policy",
    "aws_main_route_table_association",
    "aws_msk_cluster",
    "aws_msk_cluster_policy",
    "aws_msk_scram_secret_association",
    "aws_msk_serverless_cluster",
    "aws_nat_gateway",
    "aws_network_acl",
    "aws_network_acl_association",
    "aws_network_acl_rule",
    "aws_network_interface",
    "aws_network_interface_sg_attachment",
    "aws_route",
    "aws_route_table",
    "aws_route_table_association",
    "aws_s3_bucket",
    "aws_s3_bucket_acl",
    "aws_s3_bucket_lifecycle_configuration",
    "aws_s3_bucket_logging",
    "aws_s3_bucket_object_lock_configuration",
    "aws_s3_bucket_ownership_controls",
    "aws_s3_bucket_policy",
    "aws_s3_bucket_public_access_block",
    "aws_s3_bucket_replication_configuration",
    "aws_s3_bucket_server_side_encryption_configuration",
    "aws_s3_bucket_versioning",
    "aws_security_group",
    "aws_security_group_rule",
    "aws_subnet",
    "aws_vpc",
    "aws_vpc_endpoint",
    "aws_vpc_endpoint_policy",
    "aws_vpc_endpoint_route_table_association",
    "aws_vpc_endpoint_security_group_association",
    "aws_vpc_endpoint_subnet_association",
    "aws_vpc_peering_connection",
    "aws_vpc_security_group_egress_rule",
    "aws_vpc_security_group_ingress_rule",
];

/// In which order types are read: what others are attached to, or lie in, before those.
pub(crate) fn rank(kind: &str) -> u8 {
    match kind {
        "aws_vpc" => 0,
        "aws_subnet"
        | "aws_iam_role"
        | "aws_iam_user"
        | "aws_iam_group"
        | "aws_s3_bucket"
        | "aws_kms_key"
        | "aws_msk_cluster"
        | "aws_msk_serverless_cluster"
        | "aws_kms_external_key" => 1,
        _ => 2,
    }
}

/// Where a resource lies, for the questions that a scan puts there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) account: &'a str,
    pub(crate) region: &'a str,
}

impl Place<'_> {
    /// A list of everything of a kind in the region.
    pub(crate) fn regional(&self, operation: &'static str, member: &'static str) -> ListKey {
        ListKey { question: self.listing(operation), member }
    }

    /// The question that lists everything of a kind in the region.
    pub(crate) fn listing(&self, operation: &'static str) -> Question {
        let subject = format!("{}/{}", self.account, self.region);
        Question { collector: "aws", operation, scope: Scope::region(self.account, self.region), subject }
    }

    /// A list of everything of a kind in the account.
    pub(crate) fn global(&self, operation: &'static str, member: &'static str) -> ListKey {
        let subject = self.account.to_owned();
        let question = Question { collector: "aws", operation, scope: Scope::account(self.account), subject };
        ListKey { question, member }
    }

    /// A question about one thing in the region.
    pub(crate) fn about(&self, operation: &'static str, subject: impl Into<String>) -> Question {
        let scope = Scope::region(self.account, self.region);
        Question { collector: "aws", operation, scope, subject: subject.into() }
    }
}

/// Brings one resource into the world.
pub(crate) fn translate(block: &Block<'_, '_>, world: &mut World, side: Side, new: bool) {
    let (Some(account), Some(region)) = (block.resource.account, block.resource.region) else { return };
    if !KINDS.contains(&block.resource.kind) {
        return;
    }
    let place = Place { account, region };
    network::translate(block, &place, world, side);
    security_groups::translate(block, &place, world, side);
    compute::translate(block, &place, world);
    identity::translate(block, &place, world);
    keys::translate(block, &place, world, new);
    buckets::translate(block, &place, world, new);
    logging::translate(block, &place, world);
    msk::translate(block, &place, world, new);
}

/// What a resource leaves behind when it is destroyed.
pub(crate) fn deleted(
    kind: &str,
    before: &Value,
    account: Option<&str>,
    region: Option<&str>,
    world: &mut World,
) {
    if let (Some(account), Some(region)) = (account, region) {
        keys::deleted(kind, before, &Place { account, region }, world);
    }
}
