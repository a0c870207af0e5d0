//! Security groups, one rule for each permission and peer.

use cadastre_model::asset::EvidenceIds;
use cadastre_model::asset::network::{Destination, SecurityGroup, SecurityRule};

use crate::aws::rules;
use crate::node::{Node, Read};
use crate::reader::Reader;

/// Reads every security group.
pub(crate) fn read(reader: &mut Reader<'_>) -> Vec<SecurityGroup> {
    reader.assets("ec2:DescribeSecurityGroups", "SecurityGroups", |_, group| {
        Ok(Some(SecurityGroup {
            id: group.owned_text("GroupId")?,
            name: group.owned_text("GroupName")?,
            vpc: group.optional_owned_text("VpcId")?,
            account: group.account()?.to_owned(),
            ingress: permissions(group, "IpPermissions")?,
            egress: permissions(group, "IpPermissionsEgress")?,
            evidence: EvidenceIds::new(),
        }))
    })
}

fn permissions(group: &Node<'_>, list: &str) -> Read<Vec<SecurityRule>> {
    let mut rules = Vec::new();
    for permission in group.list(list)? {
        let protocol = rules::protocol(&permission, "IpProtocol")?;
        let (from_port, to_port) = rules::ports(&permission, protocol, "FromPort", "ToPort")?;
        for peer in peers(&permission)? {
            rules.push(SecurityRule {
                protocol,
                from_port,
                to_port,
                peer,
                pointer: permission.pointer.clone(),
            });
        }
    }
    Ok(rules)
}

fn peers(permission: &Node<'_>) -> Read<Vec<Destination>> {
    let mut peers = Vec::new();
    for range in permission.optional_list("IpRanges")? {
        peers.push(Destination::Cidr(range.range("CidrIp")?));
    }
    for range in permission.optional_list("Ipv6Ranges")? {
        peers.push(Destination::Cidr(range.range("CidrIpv6")?));
    }
    for list in permission.optional_list("PrefixListIds")? {
        peers.push(Destination::PrefixList(list.owned_text("PrefixListId")?));
    }
    for pair in permission.optional_list("UserIdGroupPairs")? {
        peers.push(Destination::SecurityGroup(pair.owned_text("GroupId")?));
    }
    Ok(peers)
}
