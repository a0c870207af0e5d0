//! Network ACLs.

use cadastre_model::asset::EvidenceIds;
use cadastre_model::asset::network::{NetworkAcl, NetworkAclEntry};

use crate::aws::rules;
use crate::node::{Node, Read};
use crate::reader::Reader;

/// Reads every network ACL.
pub(crate) fn read(reader: &mut Reader<'_>) -> Vec<NetworkAcl> {
    reader.assets("ec2:DescribeNetworkAcls", "NetworkAcls", |_, acl| {
        let mut entries = acl.list("Entries")?.iter().map(entry).collect::<Read<Vec<_>>>()?;
        entries.sort_by_key(|entry| (entry.number, entry.egress, entry.cidr));
        let mut subnets = acl.texts_of("Associations", "SubnetId")?;
        subnets.sort();
        Ok(Some(NetworkAcl {
            id: acl.owned_text("NetworkAclId")?,
            vpc: acl.owned_text("VpcId")?,
            subnets,
            entries,
            evidence: EvidenceIds::new(),
        }))
    })
}

fn entry(entry: &Node<'_>) -> Read<NetworkAclEntry> {
    let protocol = rules::protocol(entry, "Protocol")?;
    let (from_port, to_port) = match entry.optional_object("PortRange")? {
        Some(range) => rules::ports(&range, protocol, "From", "To")?,
        None => (None, None),
    };
    let allow = match entry.text("RuleAction")? {
        "allow" => true,
        "deny" => false,
        _ => return Err(entry.defect("a rule that says `allow` or `deny`")),
    };
    let cidr = match entry.optional_range("CidrBlock")? {
        Some(range) => range,
        None => entry.range("Ipv6CidrBlock")?,
    };
    Ok(NetworkAclEntry {
        number: entry.integer("RuleNumber")?,
        egress: entry.boolean("Egress")?,
        allow,
        protocol,
        from_port,
        to_port,
        cidr,
    })
}
