//! Security groups and their rules, however a configuration writes them.

use serde_json::{Map, Value, json};

use super::Place;
use crate::block::{Block, NotKnown, Read};
use crate::projection::Side;
use crate::symbol;
use crate::world::{World, object};

const LIST: &str = "ec2:DescribeSecurityGroups";

pub(super) fn translate(block: &Block<'_, '_>, place: &Place<'_>, world: &mut World, side: Side) {
    let read = match block.resource.kind {
        "aws_security_group" | "aws_default_security_group" => group(block, place, world, side),
        "aws_security_group_rule" => rule(block, place, world),
        "aws_vpc_security_group_ingress_rule" => single(block, place, world, "IpPermissions"),
        "aws_vpc_security_group_egress_rule" => single(block, place, world, "IpPermissionsEgress"),
        _ => return,
    };
    if let Err(missing) = read {
        world.gap(place.listing(LIST), block.resource.address, &missing);
    }
}

fn group(block: &Block<'_, '_>, place: &Place<'_>, world: &mut World, side: Side) -> Read<()> {
    let id = symbol::attribute(block.resource, "id");
    let value = object(json!({
        "GroupId": id,
        "GroupName": block.identifier("name").unwrap_or_else(|| "default".to_owned()),
        "VpcId": block.identifier("vpc_id"),
        "OwnerId": place.account,
        "IpPermissions": [],
        "IpPermissionsEgress": [],
    }));
    world.put(place.regional(LIST, "SecurityGroups"), id.clone(), value);
    for (argument, list) in [("ingress", "IpPermissions"), ("egress", "IpPermissionsEgress")] {
        // Rules that other resources or hands made appear here too, unless the configuration writes them here.
        if !(block.resource.sets(argument) || side == Side::Ambient) {
            continue;
        }
        for rule in block.blocks(argument)? {
            let atoms = atoms(&rule, Some(&id), "security_groups")?;
            attach(world, place, &id, list, atoms);
        }
    }
    Ok(())
}

fn rule(block: &Block<'_, '_>, place: &Place<'_>, world: &mut World) -> Read<()> {
    let id = block.required("security_group_id")?;
    let list = match block.required_word("type")? {
        "egress" => "IpPermissionsEgress",
        _ => "IpPermissions",
    };
    let atoms = atoms(block, Some(&id), "source_security_group_id")?;
    attach(world, place, &id, list, atoms);
    Ok(())
}

fn single(block: &Block<'_, '_>, place: &Place<'_>, world: &mut World, list: &'static str) -> Read<()> {
    let id = block.required("security_group_id")?;
    let range = range(block, block.required_word("ip_protocol")?)?;
    let mut found = Vec::new();
    if let Some(cidr) = block.word("cidr_ipv4")? {
        found.push(atom(&range, "IpRanges", json!({"CidrIp": cidr})));
    }
    if let Some(cidr) = block.word("cidr_ipv6")? {
        found.push(atom(&range, "Ipv6Ranges", json!({"CidrIpv6": cidr})));
    }
    if let Some(prefix_list) = block.identifier("prefix_list_id") {
        found.push(atom(&range, "PrefixListIds", json!({"PrefixListId": prefix_list})));
    }
    if let Some(group) = block.resolved("referenced_security_group_id")? {
        found.push(atom(&range, "UserIdGroupPairs", json!({"GroupId": bare(&group)})));
    }
    if found.is_empty() {
        return Err(NotKnown("referenced_security_group_id".to_owned()));
    }
    attach(world, place, &id, list, found);
    Ok(())
}

/// One permission for each peer of a rule.
fn atoms(block: &Block<'_, '_>, own: Option<&str>, groups: &str) -> Read<Vec<Value>> {
    let range = range(block, block.required_word("protocol")?)?;
    let mut found = Vec::new();
    for cidr in block.words("cidr_blocks")? {
        found.push(atom(&range, "IpRanges", json!({"CidrIp": cidr})));
    }
    for cidr in block.words("ipv6_cidr_blocks")? {
        found.push(atom(&range, "Ipv6Ranges", json!({"CidrIpv6": cidr})));
    }
    for list in block.identifiers("prefix_list_ids")? {
        found.push(atom(&range, "PrefixListIds", json!({"PrefixListId": list})));
    }
    let groups = match groups {
        "security_groups" => block.identifiers(groups)?,
        _ => block.resolved(groups)?.into_iter().collect(),
    };
    for group in groups {
        found.push(atom(&range, "UserIdGroupPairs", json!({"GroupId": bare(&group)})));
    }
    if let (Some(true), Some(own)) = (block.flag("self")?, own) {
        found.push(atom(&range, "UserIdGroupPairs", json!({"GroupId": own})));
    }
    Ok(found)
}

/// A group of another account is written `account/group`.
fn bare(group: &str) -> &str {
    group.rsplit('/').next().unwrap_or(group)
}

fn range(block: &Block<'_, '_>, protocol: &str) -> Read<Map<String, Value>> {
    let protocol = match protocol.to_ascii_lowercase().as_str() {
        "6" => "tcp".to_owned(),
        "17" => "udp".to_owned(),
        "1" => "icmp".to_owned(),
        "58" => "icmpv6".to_owned(),
        "all" => "-1".to_owned(),
        other => other.to_owned(),
    };
    let mut range = Map::new();
    if protocol != "-1" {
        for (argument, member) in [("from_port", "FromPort"), ("to_port", "ToPort")] {
            if let Some(port) = block.integer(argument)? {
                range.insert(member.to_owned(), json!(port));
            }
        }
    }
    range.insert("IpProtocol".to_owned(), json!(protocol));
    Ok(range)
}

fn atom(range: &Map<String, Value>, peers: &str, peer: Value) -> Value {
    let mut atom = range.clone();
    atom.insert(peers.to_owned(), json!([peer]));
    Value::Object(atom)
}

fn attach(world: &mut World, place: &Place<'_>, id: &str, list: &str, atoms: Vec<Value>) {
    world.attach(place.regional(LIST, "SecurityGroups"), id.to_owned(), json!({list: atoms}));
}
