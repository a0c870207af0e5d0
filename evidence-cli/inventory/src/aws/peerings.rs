//! VPC peering connections.

use cadastre_model::asset::EvidenceIds;
use cadastre_model::asset::network::Peering;
use ipnet::IpNet;

use crate::node::{Node, Read};
use crate::reader::Reader;

/// Reads every peering connection.
pub(crate) fn read(reader: &mut Reader<'_>) -> Vec<Peering> {
    reader.assets("ec2:DescribeVpcPeeringConnections", "VpcPeeringConnections", |_, peering| {
        let requester = peering.object("RequesterVpcInfo")?;
        let accepter = peering.object("AccepterVpcInfo")?;
        Ok(Some(Peering {
            id: peering.owned_text("VpcPeeringConnectionId")?,
            status: peering.object("Status")?.owned_text("Code")?,
            requester_account: requester.owned_text("OwnerId")?,
            requester_vpc: requester.owned_text("VpcId")?,
            requester_cidrs: ranges(&requester)?,
            accepter_account: accepter.owned_text("OwnerId")?,
            accepter_vpc: accepter.owned_text("VpcId")?,
            accepter_cidrs: ranges(&accepter)?,
            evidence: EvidenceIds::new(),
        }))
    })
}

/// The ranges of one side; AWS leaves them out until the connection is active.
fn ranges(side: &Node<'_>) -> Read<Vec<IpNet>> {
    let mut ranges = side.ranges_of("CidrBlockSet", "CidrBlock")?;
    ranges.extend(side.optional_range("CidrBlock")?);
    ranges.extend(side.ranges_of("Ipv6CidrBlockSet", "Ipv6CidrBlock")?);
    ranges.sort();
    ranges.dedup();
    Ok(ranges)
}
