//! Hosts and what gives them addresses, disks and filters.

use serde_json::{Value, json};

use super::{Place, network};
use crate::block::{Block, NotKnown, Read};
use crate::symbol;
use crate::world::{ListKey, World, object};

pub(super) fn translate(block: &Block<'_, '_>, place: &Place<'_>, world: &mut World) {
    let (operation, read) = match block.resource.kind {
        "aws_instance" => ("ec2:DescribeInstances", instance(block, place, world)),
        "aws_network_interface" => ("ec2:DescribeNetworkInterfaces", interface(block, place, world)),
        "aws_network_interface_sg_attachment" => {
            ("ec2:DescribeNetworkInterfaces", group(block, place, world))
        }
        "aws_eip" => ("ec2:DescribeAddresses", address(block, place, world)),
        "aws_eip_association" => ("ec2:DescribeAddresses", association(block, place, world)),
        "aws_ebs_volume" => ("ec2:DescribeVolumes", volume(block, place, world)),
        _ => return,
    };
    if let Err(missing) = read {
        world.gap(place.listing(operation), block.resource.address, &missing);
    }
}

fn groups(ids: Vec<String>) -> Vec<Value> {
    ids.into_iter().map(|id| json!({"GroupId": id})).collect()
}

fn instance(block: &Block<'_, '_>, place: &Place<'_>, world: &mut World) -> Read<()> {
    let id = symbol::attribute(block.resource, "id");
    let subnet = block.resolved("subnet_id")?;
    let subnets = place.regional("ec2:DescribeSubnets", "Subnets");
    let vpc = subnet.as_deref().and_then(|subnet| network::member_of(world, &subnets, subnet, "VpcId"));
    let profile = block
        .resolved("iam_instance_profile")?
        .map(|name| json!({"Arn": format!("arn:aws:iam::{}:instance-profile/{name}", place.account)}));
    let metadata = match block.is_unknown("metadata_options") {
        true => None,
        false => block.nested("metadata_options")?,
    };
    let tokens = match metadata {
        Some(options) if !options.is_unknown("http_tokens") => options.word("http_tokens")?,
        _ => None,
    };
    let public = public_address(block, world, &subnets, subnet.as_deref());
    let value = object(json!({
        "InstanceId": id,
        "ImageId": block.identifier("ami"),
        "State": {"Name": block.word("instance_state").unwrap_or(None).unwrap_or("running")},
        "SubnetId": subnet,
        "VpcId": vpc,
        "PrivateIpAddress": block.word("private_ip").unwrap_or(None),
        "PublicIpAddress": public.clone().unwrap_or_default(),
        "KeyName": block.identifier("key_name").filter(|name| !name.ends_with(".key_name")),
        "IamInstanceProfile": profile,
        "Placement": {"AvailabilityZone": block.identifier("availability_zone")},
        "SecurityGroups": groups(block.identifiers("vpc_security_group_ids")?),
        "MetadataOptions": tokens.map(|tokens| json!({"HttpTokens": tokens})),
    }));
    let reservation = json!({"OwnerId": place.account, "Instances": [value]});
    world.put(place.regional("ec2:DescribeInstances", "Reservations"), id, reservation);
    public.map(|_| ())
}

/// The public address of an instance. Before apply nobody knows which the service will choose, but that there will be
/// one is known where the instance or its subnet asks for one; the address is a symbol then.
fn public_address(
    block: &Block<'_, '_>,
    world: &World,
    subnets: &ListKey,
    subnet: Option<&str>,
) -> Read<Option<String>> {
    if !block.is_unknown("public_ip") {
        return Ok(block.word("public_ip")?.map(str::to_owned));
    }
    let asked = block.flag("associate_public_ip_address").unwrap_or(None);
    let by_subnet =
        || subnet.and_then(|subnet| network::flag_of(world, subnets, subnet, "MapPublicIpOnLaunch"));
    match asked.or_else(by_subnet) {
        Some(true) => Ok(Some(format!("{}.public_ip", block.resource.address))),
        Some(false) => Ok(None),
        None => Err(NotKnown("associate_public_ip_address".to_owned())),
    }
}

fn interface(block: &Block<'_, '_>, place: &Place<'_>, world: &mut World) -> Read<()> {
    let id = symbol::attribute(block.resource, "id");
    let subnet = block.required("subnet_id")?;
    let subnets = place.regional("ec2:DescribeSubnets", "Subnets");
    let instance = match block.is_unknown("attachment") {
        true => None,
        false => match block.nested("attachment")? {
            Some(attachment) => attachment.resolved("instance")?,
            None => None,
        },
    };
    let addresses: Vec<Value> = match block.is_unknown("private_ips") {
        true => Vec::new(),
        false => block.words("private_ips")?.into_iter().map(|ip| json!({"PrivateIpAddress": ip})).collect(),
    };
    let value = object(json!({
        "NetworkInterfaceId": id,
        "VpcId": network::member_of(world, &subnets, &subnet, "VpcId"),
        "SubnetId": subnet,
        "OwnerId": place.account,
        "InterfaceType": "interface",
        "Groups": groups(block.identifiers("security_groups")?),
        "PrivateIpAddresses": addresses,
        "Attachment": instance.map(|instance| json!({"InstanceId": instance})),
    }));
    world.put(place.regional("ec2:DescribeNetworkInterfaces", "NetworkInterfaces"), id, value);
    Ok(())
}

fn group(block: &Block<'_, '_>, place: &Place<'_>, world: &mut World) -> Read<()> {
    let id = block.required("network_interface_id")?;
    let part = json!({"Groups": [{"GroupId": block.required("security_group_id")?}]});
    world.attach(place.regional("ec2:DescribeNetworkInterfaces", "NetworkInterfaces"), id, part);
    Ok(())
}

fn address(block: &Block<'_, '_>, place: &Place<'_>, world: &mut World) -> Read<()> {
    let id = symbol::attribute(block.resource, "id");
    let value = object(json!({
        "AllocationId": id,
        "PublicIp": block.identifier("public_ip"),
        "InstanceId": holder(block, "instance")?,
        "NetworkInterfaceId": holder(block, "network_interface")?,
    }));
    let without_interface = value.get("NetworkInterfaceId").is_none() && value.get("InstanceId").is_some();
    world.put(place.regional("ec2:DescribeAddresses", "Addresses"), id, value);
    // Reachability goes by interfaces, and which one of the instance gets the address is known only after apply.
    if without_interface { Err(NotKnown("network_interface".to_owned())) } else { Ok(()) }
}

/// What an address is given to. What the configuration leaves out is filled in by the service, and stays out here.
fn holder(block: &Block<'_, '_>, argument: &str) -> Read<Option<String>> {
    if block.is_unknown(argument) && block.expressions.get(argument).is_none() {
        return Ok(None);
    }
    block.resolved(argument)
}

fn association(block: &Block<'_, '_>, place: &Place<'_>, world: &mut World) -> Read<()> {
    let id = block.required("allocation_id")?;
    let part = object(json!({
        "InstanceId": holder(block, "instance_id")?,
        "NetworkInterfaceId": holder(block, "network_interface_id")?,
    }));
    world.attach(place.regional("ec2:DescribeAddresses", "Addresses"), id, part);
    Ok(())
}

fn volume(block: &Block<'_, '_>, place: &Place<'_>, world: &mut World) -> Read<()> {
    let id = symbol::attribute(block.resource, "id");
    let key = match block.expressions.get("kms_key_id").is_none() && block.is_unknown("kms_key_id") {
        true => None,
        false => block.resolved("kms_key_id")?,
    };
    let value = object(json!({
        "VolumeId": id,
        "Encrypted": block.flag("encrypted")?.unwrap_or(false),
        "KmsKeyId": key,
        "State": "available",
        "Attachments": [],
    }));
    world.put(place.regional("ec2:DescribeVolumes", "Volumes"), id, value);
    Ok(())
}
