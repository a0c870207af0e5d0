//! Networks: VPCs, subnets, gateways, routes, network ACLs, endpoints, peerings.

use serde_json::{Value, json};

use super::Place;
use crate::block::{Block, NotKnown, Read};
use crate::document::Document;
use crate::projection::Side;
use crate::symbol;
use crate::world::{ListKey, World, object};

const ROUTES: (&str, &str) = ("ec2:DescribeRouteTables", "RouteTables");
const ACLS: (&str, &str) = ("ec2:DescribeNetworkAcls", "NetworkAcls");
const ENDPOINTS: (&str, &str) = ("ec2:DescribeVpcEndpoints", "VpcEndpoints");

pub(super) fn translate(block: &Block<'_, '_>, place: &Place<'_>, world: &mut World, side: Side) {
    let (operation, read) = match block.resource.kind {
        "aws_vpc" => ("ec2:DescribeVpcs", vpc(block, place, world)),
        "aws_subnet" => ("ec2:DescribeSubnets", subnet(block, place, world)),
        "aws_internet_gateway" => ("ec2:DescribeInternetGateways", internet_gateway(block, place, world)),
        "aws_internet_gateway_attachment" => {
            ("ec2:DescribeInternetGateways", attachment(block, place, world))
        }
        "aws_egress_only_internet_gateway" => {
            ("ec2:DescribeEgressOnlyInternetGateways", egress_only(block, place, world))
        }
        "aws_nat_gateway" => ("ec2:DescribeNatGateways", nat_gateway(block, place, world)),
        "aws_route_table" | "aws_default_route_table" => (ROUTES.0, route_table(block, place, world, side)),
        "aws_route" => (ROUTES.0, route(block, place, world)),
        "aws_route_table_association" => (ROUTES.0, association(block, place, world)),
        "aws_main_route_table_association" => (ROUTES.0, main_association(block, place, world)),
        "aws_network_acl" | "aws_default_network_acl" => (ACLS.0, network_acl(block, place, world, side)),
        "aws_network_acl_rule" => (ACLS.0, acl_rule(block, place, world)),
        "aws_network_acl_association" => (ACLS.0, acl_association(block, place, world)),
        "aws_vpc_endpoint" => (ENDPOINTS.0, endpoint(block, place, world)),
        "aws_vpc_endpoint_policy" => (ENDPOINTS.0, endpoint_policy(block, place, world)),
        "aws_vpc_endpoint_route_table_association" => {
            (ENDPOINTS.0, endpoint_part(block, place, world, "route_table_id", "RouteTableIds"))
        }
        "aws_vpc_endpoint_subnet_association" => {
            (ENDPOINTS.0, endpoint_part(block, place, world, "subnet_id", "SubnetIds"))
        }
        "aws_vpc_endpoint_security_group_association" => {
            (ENDPOINTS.0, endpoint_part(block, place, world, "security_group_id", "Groups"))
        }
        "aws_vpc_peering_connection" => ("ec2:DescribeVpcPeeringConnections", peering(block, place, world)),
        _ => return,
    };
    if let Err(missing) = read {
        world.gap(place.listing(operation), block.resource.address, &missing);
    }
}

fn list(place: &Place<'_>, (operation, member): (&'static str, &'static str)) -> ListKey {
    place.regional(operation, member)
}

fn put(block: &Block<'_, '_>, world: &mut World, key: ListKey, member: &str, mut value: Value) {
    let id = symbol::attribute(block.resource, "id");
    if let Value::Object(members) = &mut value {
        members.insert(member.to_owned(), json!(id));
    }
    world.put(key, id, object(value));
}

fn vpc(block: &Block<'_, '_>, place: &Place<'_>, world: &mut World) -> Read<()> {
    // Without these arguments a VPC has no IPv6 range, although the provider says that it knows only after apply.
    let asks = ["ipv6_cidr_block", "ipv6_ipam_pool_id"].iter().any(|argument| block.resource.sets(argument))
        || block.flag("assign_generated_ipv6_cidr_block")?.unwrap_or(false);
    let ipv6 = if asks { block.word("ipv6_cidr_block")? } else { None };
    let value = json!({
        "CidrBlock": block.required_word("cidr_block")?,
        "OwnerId": place.account,
        "State": "available",
        "IsDefault": false,
        "Ipv6CidrBlockAssociationSet": ipv6_set(ipv6),
    });
    put(block, world, place.regional("ec2:DescribeVpcs", "Vpcs"), "VpcId", value);
    Ok(())
}

fn ipv6_set(range: Option<&str>) -> Value {
    let entry = |range: &str| json!({"Ipv6CidrBlock": range, "Ipv6CidrBlockState": {"State": "associated"}});
    range.map_or_else(|| json!([]), |range| json!([entry(range)]))
}

fn subnet(block: &Block<'_, '_>, place: &Place<'_>, world: &mut World) -> Read<()> {
    let value = json!({
        "VpcId": block.identifier("vpc_id"),
        "CidrBlock": block.word("cidr_block")?,
        "AvailabilityZone": block.identifier("availability_zone"),
        "MapPublicIpOnLaunch": block.flag("map_public_ip_on_launch")?.unwrap_or(false),
        "OwnerId": place.account,
        "State": "available",
        "Ipv6CidrBlockAssociationSet": ipv6_set(block.word("ipv6_cidr_block")?),
    });
    put(block, world, place.regional("ec2:DescribeSubnets", "Subnets"), "SubnetId", value);
    Ok(())
}

fn attachments(vpc: Option<String>) -> Value {
    vpc.map_or_else(|| json!([]), |vpc| json!([{"State": "available", "VpcId": vpc}]))
}

fn internet_gateway(block: &Block<'_, '_>, place: &Place<'_>, world: &mut World) -> Read<()> {
    let value = json!({"OwnerId": place.account, "Attachments": attachments(block.resolved("vpc_id")?)});
    let key = place.regional("ec2:DescribeInternetGateways", "InternetGateways");
    put(block, world, key, "InternetGatewayId", value);
    Ok(())
}

fn attachment(block: &Block<'_, '_>, place: &Place<'_>, world: &mut World) -> Read<()> {
    let gateway = block.required("internet_gateway_id")?;
    let part = json!({"Attachments": attachments(Some(block.required("vpc_id")?))});
    world.attach(place.regional("ec2:DescribeInternetGateways", "InternetGateways"), gateway, part);
    Ok(())
}

fn egress_only(block: &Block<'_, '_>, place: &Place<'_>, world: &mut World) -> Read<()> {
    let value = json!({"Attachments": attachments(Some(block.required("vpc_id")?))});
    let key = place.regional("ec2:DescribeEgressOnlyInternetGateways", "EgressOnlyInternetGateways");
    put(block, world, key, "EgressOnlyInternetGatewayId", value);
    Ok(())
}

fn nat_gateway(block: &Block<'_, '_>, place: &Place<'_>, world: &mut World) -> Read<()> {
    let subnet = block.required("subnet_id")?;
    let vpc = member_of(world, &place.regional("ec2:DescribeSubnets", "Subnets"), &subnet, "VpcId");
    let value = json!({
        "SubnetId": subnet,
        "VpcId": vpc,
        "State": "available",
        // The provider's default, and the API's ("CreateNatGateway").
        "ConnectivityType": block.word("connectivity_type")?.unwrap_or("public"),
    });
    put(block, world, place.regional("ec2:DescribeNatGateways", "NatGateways"), "NatGatewayId", value);
    Ok(())
}

/// A member of something that the plan shows, where it comes before in the plan.
pub(super) fn member_of(world: &World, key: &ListKey, id: &str, member: &str) -> Option<String> {
    world.lists.get(key)?.get(id)?.value.get(member)?.as_str().map(str::to_owned)
}

/// A yes or no of a thing in the plan.
pub(super) fn flag_of(world: &World, key: &ListKey, id: &str, member: &str) -> Option<bool> {
    world.lists.get(key)?.get(id)?.value.get(member)?.as_bool()
}

/// Arguments of a route that name its target, and the members of a record that do.
const TARGETS: [(&str, &str); 11] = [
    ("gateway_id", "GatewayId"),
    ("vpc_endpoint_id", "GatewayId"),
    ("nat_gateway_id", "NatGatewayId"),
    ("transit_gateway_id", "TransitGatewayId"),
    ("vpc_peering_connection_id", "VpcPeeringConnectionId"),
    ("egress_only_gateway_id", "EgressOnlyInternetGatewayId"),
    ("network_interface_id", "NetworkInterfaceId"),
    ("instance_id", "InstanceId"),
    ("local_gateway_id", "LocalGatewayId"),
    ("carrier_gateway_id", "CarrierGatewayId"),
    ("core_network_arn", "CoreNetworkArn"),
];

fn route_of(block: &Block<'_, '_>, destinations: [&str; 3]) -> Read<Value> {
    let [v4, v6, prefix_list] = destinations;
    let mut target = None;
    for (argument, member) in TARGETS {
        let sets = block.expressions.get(argument).is_some() || !block.is_unknown(argument);
        if target.is_none() && sets {
            target = block.resolved(argument)?.map(|id| (member, id));
        }
    }
    let (member, target) = target.ok_or_else(|| NotKnown("gateway_id".to_owned()))?;
    Ok(object(json!({
        "DestinationCidrBlock": block.word(v4)?,
        "DestinationIpv6CidrBlock": block.word(v6)?,
        "DestinationPrefixListId": block.resolved(prefix_list)?,
        member: target,
        "State": "active",
        "Origin": "CreateRoute",
    })))
}

fn route_table(block: &Block<'_, '_>, place: &Place<'_>, world: &mut World, side: Side) -> Read<()> {
    let default = block.resource.kind == "aws_default_route_table";
    let id = if default {
        block.required("default_route_table_id")?
    } else {
        symbol::attribute(block.resource, "id")
    };
    let vpc =
        block.required("vpc_id").or_else(|missing| if default { Ok(String::new()) } else { Err(missing) })?;
    let range = member_of(world, &place.regional("ec2:DescribeVpcs", "Vpcs"), &vpc, "CidrBlock");
    // "Every route table contains a local route for communication within the VPC" ("Route tables", VPC User Guide).
    let local =
        range.map(|range| json!({"DestinationCidrBlock": range, "GatewayId": "local", "State": "active"}));
    let mut routes: Vec<Value> = local.into_iter().collect();
    if block.resource.sets("route") || side == Side::Ambient {
        for route in block.blocks("route")? {
            if route.word("gateway_id") != Ok(Some("local")) {
                routes
                    .push(route_of(&route, ["cidr_block", "ipv6_cidr_block", "destination_prefix_list_id"])?);
            }
        }
    }
    let value = json!({
        "RouteTableId": id,
        "VpcId": (!vpc.is_empty()).then_some(vpc),
        "OwnerId": place.account,
        "Associations": if default { json!([{"Main": true}]) } else { json!([]) },
        "Routes": routes,
    });
    if default {
        world.attach(list(place, ROUTES), id, object(value));
    } else {
        world.put(list(place, ROUTES), id, object(value));
    }
    Ok(())
}

fn route(block: &Block<'_, '_>, place: &Place<'_>, world: &mut World) -> Read<()> {
    let table = block.required("route_table_id")?;
    let route = route_of(
        block,
        ["destination_cidr_block", "destination_ipv6_cidr_block", "destination_prefix_list_id"],
    )?;
    world.attach(list(place, ROUTES), table, json!({"Routes": [route]}));
    Ok(())
}

fn association(block: &Block<'_, '_>, place: &Place<'_>, world: &mut World) -> Read<()> {
    let table = block.required("route_table_id")?;
    let Some(subnet) = block.resolved("subnet_id")? else { return Ok(()) };
    let part = json!({"Associations": [{"SubnetId": subnet, "Main": false}]});
    world.attach(list(place, ROUTES), table, part);
    Ok(())
}

fn main_association(block: &Block<'_, '_>, place: &Place<'_>, world: &mut World) -> Read<()> {
    let table = block.required("route_table_id")?;
    world.attach(list(place, ROUTES), table, json!({"Associations": [{"Main": true}]}));
    Ok(())
}

fn acl_entry(block: &Block<'_, '_>, number: &str, action: &str, egress: bool) -> Read<Value> {
    let protocol = match block.required_word("protocol")?.to_ascii_lowercase().as_str() {
        "tcp" => "6".to_owned(),
        "udp" => "17".to_owned(),
        "icmp" => "1".to_owned(),
        "all" => "-1".to_owned(),
        other => other.to_owned(),
    };
    let (from, to) = (block.integer("from_port")?, block.integer("to_port")?);
    let ports = match protocol.as_str() {
        "6" | "17" => from.zip(to).map(|(from, to)| json!({"From": from, "To": to})),
        _ => None,
    };
    let number = block.integer(number)?.ok_or_else(|| NotKnown(number.to_owned()))?;
    Ok(object(json!({
        "RuleNumber": number,
        "Protocol": protocol,
        "RuleAction": block.required_word(action)?.to_ascii_lowercase(),
        "Egress": egress,
        "CidrBlock": block.word("cidr_block")?,
        "Ipv6CidrBlock": block.word("ipv6_cidr_block")?,
        "PortRange": ports,
    })))
}

fn network_acl(block: &Block<'_, '_>, place: &Place<'_>, world: &mut World, side: Side) -> Read<()> {
    let default = block.resource.kind == "aws_default_network_acl";
    let id = if default {
        block.required("default_network_acl_id")?
    } else {
        symbol::attribute(block.resource, "id")
    };
    let mut entries = Vec::new();
    for (argument, egress) in [("ingress", false), ("egress", true)] {
        if block.resource.sets(argument) || side == Side::Ambient {
            for entry in block.blocks(argument)? {
                entries.push(acl_entry(&entry, "rule_no", "action", egress)?);
            }
        }
    }
    let subnets = match block.resource.sets("subnet_ids") || side == Side::Ambient {
        true => block.identifiers("subnet_ids")?,
        false => Vec::new(),
    };
    let associations: Vec<Value> = subnets.into_iter().map(|subnet| json!({"SubnetId": subnet})).collect();
    let value = object(json!({
        "NetworkAclId": id,
        "VpcId": block.identifier("vpc_id"),
        "IsDefault": default,
        "Associations": associations,
        "Entries": entries,
    }));
    if default {
        world.attach(list(place, ACLS), id, value);
    } else {
        world.put(list(place, ACLS), id, value);
    }
    Ok(())
}

fn acl_rule(block: &Block<'_, '_>, place: &Place<'_>, world: &mut World) -> Read<()> {
    let id = block.required("network_acl_id")?;
    let egress = block.flag("egress")?.unwrap_or(false);
    let entry = acl_entry(block, "rule_number", "rule_action", egress)?;
    world.attach(list(place, ACLS), id, json!({"Entries": [entry]}));
    Ok(())
}

fn acl_association(block: &Block<'_, '_>, place: &Place<'_>, world: &mut World) -> Read<()> {
    let (id, subnet) = (block.required("network_acl_id")?, block.required("subnet_id")?);
    world.attach(list(place, ACLS), id, json!({"Associations": [{"SubnetId": subnet}]}));
    Ok(())
}

fn endpoint(block: &Block<'_, '_>, place: &Place<'_>, world: &mut World) -> Read<()> {
    let kind = block.word("vpc_endpoint_type")?.unwrap_or("Gateway");
    // Only interface endpoints have security groups and subnets, and only gateway endpoints route tables ("Gateway
    // endpoints", AWS PrivateLink Guide); of the rest the provider says that it knows only after apply.
    let listed = |argument: &str, kinds: &[&str]| {
        if kinds.contains(&kind) || block.resource.sets(argument) {
            block.identifiers(argument)
        } else {
            Ok(Vec::new())
        }
    };
    let addressed = ["Interface", "GatewayLoadBalancer"];
    let groups: Vec<Value> =
        listed("security_group_ids", &addressed)?.into_iter().map(|id| json!({"GroupId": id})).collect();
    let policy = match block.document("policy") {
        Ok(policy) => policy.stated(),
        // An endpoint that is made without a policy gets full access ("Control access to VPC endpoints using endpoint
        // policies", AWS PrivateLink Guide).
        Err(_) if !block.resource.sets("policy") => Some(full_access()),
        Err(missing) => return Err(missing),
    };
    let value = json!({
        "VpcId": block.identifier("vpc_id"),
        "ServiceName": block.required_word("service_name")?,
        "VpcEndpointType": kind,
        "State": "available",
        "OwnerId": place.account,
        "PolicyDocument": policy.or_else(|| (!block.resource.sets("policy")).then(full_access)),
        "RouteTableIds": listed("route_table_ids", &["Gateway"])?,
        "SubnetIds": listed("subnet_ids", &addressed)?,
        "Groups": groups,
        "PrivateDnsEnabled": block.flag("private_dns_enabled").unwrap_or(None).unwrap_or(false),
    });
    put(block, world, list(place, ENDPOINTS), "VpcEndpointId", value);
    Ok(())
}

fn full_access() -> Value {
    json!({"Version": "2008-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]})
}

fn endpoint_policy(block: &Block<'_, '_>, place: &Place<'_>, world: &mut World) -> Read<()> {
    let id = block.required("vpc_endpoint_id")?;
    let policy = match block.document("policy")? {
        Document::Stated(policy) => policy,
        Document::Missing => full_access(),
    };
    world.attach(list(place, ENDPOINTS), id, json!({"PolicyDocument": policy}));
    Ok(())
}

fn endpoint_part(
    block: &Block<'_, '_>,
    place: &Place<'_>,
    world: &mut World,
    argument: &str,
    member: &'static str,
) -> Read<()> {
    let id = block.required("vpc_endpoint_id")?;
    let part = block.required(argument)?;
    let part = if member == "Groups" { json!({"GroupId": part}) } else { json!(part) };
    world.attach(list(place, ENDPOINTS), id, json!({member: [part]}));
    Ok(())
}

fn peering(block: &Block<'_, '_>, place: &Place<'_>, world: &mut World) -> Read<()> {
    let key = place.regional("ec2:DescribeVpcs", "Vpcs");
    let (requester, accepter) = (block.required("vpc_id")?, block.required("peer_vpc_id")?);
    let peer_owner = match block.is_unknown("peer_owner_id") {
        // "The AWS account ID of the target peer VPC. Defaults to the account ID the AWS provider is currently
        // connected to" (provider documentation).
        true => place.account.to_owned(),
        false => block.word("peer_owner_id")?.unwrap_or(place.account).to_owned(),
    };
    let side = |vpc: &str, owner: &str| {
        object(json!({
            "OwnerId": owner,
            "VpcId": vpc,
            "CidrBlock": member_of(world, &key, vpc, "CidrBlock"),
        }))
    };
    let accepted = block.flag("auto_accept").unwrap_or(None).unwrap_or(false);
    let status = match block.is_unknown("accept_status") {
        true if accepted => "active",
        true => "pending-acceptance",
        false => block.word("accept_status")?.unwrap_or("pending-acceptance"),
    };
    let value = json!({
        "Status": {"Code": status},
        "RequesterVpcInfo": side(&requester, place.account),
        "AccepterVpcInfo": side(&accepter, &peer_owner),
    });
    let key = place.regional("ec2:DescribeVpcPeeringConnections", "VpcPeeringConnections");
    put(block, world, key, "VpcPeeringConnectionId", value);
    Ok(())
}
