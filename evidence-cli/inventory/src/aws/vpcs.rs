//! VPCs and their address ranges.

use std::collections::BTreeSet;

use cadastre_model::asset::EvidenceIds;
use cadastre_model::asset::network::Vpc;
use ipnet::IpNet;

use crate::aws::tags;
use crate::node::{Node, Read};
use crate::reader::Reader;

/// Reads every VPC.
pub(crate) fn read(reader: &mut Reader<'_>) -> Vec<Vpc> {
    reader.assets("ec2:DescribeVpcs", "Vpcs", |_, vpc| {
        let mut cidrs = associated(vpc, "CidrBlockAssociationSet", "CidrBlock", "CidrBlockState")?;
        cidrs.extend(vpc.optional_range("CidrBlock")?);
        cidrs.extend(ipv6(vpc)?);
        if cidrs.is_empty() {
            return Err(vpc.defect("a VPC with an address range"));
        }
        Ok(Some(Vpc {
            id: vpc.owned_text("VpcId")?,
            account: vpc.account()?.to_owned(),
            region: vpc.region()?.to_owned(),
            cidrs: cidrs.into_iter().collect(),
            tags: tags::read(vpc, "Tags")?,
            evidence: EvidenceIds::new(),
        }))
    })
}

/// The IPv6 ranges of a VPC or subnet.
pub(crate) fn ipv6(node: &Node<'_>) -> Read<BTreeSet<IpNet>> {
    associated(node, "Ipv6CidrBlockAssociationSet", "Ipv6CidrBlock", "Ipv6CidrBlockState")
}

/// The ranges of an association set that are in force.
fn associated(node: &Node<'_>, set: &str, range: &str, state: &str) -> Read<BTreeSet<IpNet>> {
    let mut ranges = BTreeSet::new();
    for association in node.optional_list(set)? {
        let in_force = match association.optional_object(state)? {
            Some(state) => state.optional_text("State")?.is_none_or(|state| state == "associated"),
            None => true,
        };
        if in_force {
            ranges.insert(association.range(range)?);
        }
    }
    Ok(ranges)
}
