//! VPC endpoints and their policies.

use cadastre_model::Known;
use cadastre_model::asset::network::VpcEndpoint;
use cadastre_model::asset::{EvidenceIds, PolicyKind};

use crate::reader::Reader;

/// Reads every VPC endpoint.
pub(crate) fn read(reader: &mut Reader<'_>) -> Vec<VpcEndpoint> {
    reader.assets("ec2:DescribeVpcEndpoints", "VpcEndpoints", |reader, endpoint| {
        let policy = endpoint.policy("PolicyDocument", "endpoint-policy", PolicyKind::Endpoint);
        let policy: Known<_> = reader.settle(policy);
        Ok(Some(VpcEndpoint {
            id: endpoint.owned_text("VpcEndpointId")?,
            account: endpoint.account()?.to_owned(),
            vpc: endpoint.owned_text("VpcId")?,
            service: endpoint.owned_text("ServiceName")?,
            kind: endpoint.owned_text("VpcEndpointType")?,
            state: endpoint.owned_text("State")?,
            route_tables: endpoint.optional_texts("RouteTableIds")?,
            subnets: endpoint.optional_texts("SubnetIds")?,
            security_groups: endpoint.texts_of("Groups", "GroupId")?,
            private_dns: endpoint.optional_boolean("PrivateDnsEnabled")?.unwrap_or(false),
            policy,
            evidence: EvidenceIds::new(),
        }))
    })
}
