//! Virtual networks, subnets, peerings, routes, public addresses, NAT gateways and private endpoints.

use serde_json::{Value, json};

use super::{Place, Translated, attach, ids, last, link, owns, put, some, within};
use crate::block::{Block, NotKnown, Read};
use crate::projection::Side;
use crate::world::{World, object};

pub(super) const NETWORKS: &str = "Microsoft.Network/virtualNetworks/read";
const ROUTES: &str = "Microsoft.Network/routeTables/read";
const ADDRESSES: &str = "Microsoft.Network/publicIPAddresses/read";
const GATEWAYS: &str = "Microsoft.Network/natGateways/read";
const ENDPOINTS: &str = "Microsoft.Network/privateEndpoints/read";
const INTERFACES: &str = "Microsoft.Network/networkInterfaces/read";

pub(super) fn translate(block: &Block<'_, '_>, place: &Place, world: &mut World, side: Side) -> Translated {
    let (operation, read) = match block.resource.kind {
        "azurerm_virtual_network" => (NETWORKS, network(block, place, world, side)),
        "azurerm_subnet" => (NETWORKS, subnet(block, place, world)),
        "azurerm_subnet_network_security_group_association" => {
            (NETWORKS, subnet_part(block, place, world, "network_security_group_id", "networkSecurityGroup"))
        }
        "azurerm_subnet_route_table_association" => {
            (NETWORKS, subnet_part(block, place, world, "route_table_id", "routeTable"))
        }
        "azurerm_subnet_nat_gateway_association" => {
            (NETWORKS, subnet_part(block, place, world, "nat_gateway_id", "natGateway"))
        }
        "azurerm_virtual_network_peering" => (NETWORKS, peering(block, place, world)),
        "azurerm_route_table" => (ROUTES, route_table(block, place, world, side)),
        "azurerm_route" => (ROUTES, route(block, place, world)),
        "azurerm_public_ip" => (ADDRESSES, public_address(block, place, world)),
        "azurerm_nat_gateway" => (GATEWAYS, nat_gateway(block, place, world)),
        "azurerm_nat_gateway_public_ip_association" => (GATEWAYS, gateway_address(block, place, world)),
        "azurerm_private_endpoint" => (ENDPOINTS, endpoint(block, place, world)),
        _ => return Ok(()),
    };
    within(operation, read)
}

/// A resource of its own, with properties.
fn resource(block: &Block<'_, '_>, id: &str, properties: Value) -> Value {
    object(json!({
        "id": id,
        "name": last(id),
        "location": block.identifier("location"),
        "properties": object(properties),
    }))
}

/// The network or table that a part lies in, by the part's id, and the part's name.
fn split<'a>(id: &'a str, list: &str) -> Read<(&'a str, &'a str)> {
    let mut parts = id.rsplitn(3, '/');
    let (name, kind, parent) = (parts.next(), parts.next(), parts.next());
    match (name, kind, parent) {
        (Some(name), Some(kind), Some(parent)) if kind.eq_ignore_ascii_case(list) => Ok((parent, name)),
        _ => Err(NotKnown("id".to_owned())),
    }
}

fn network(block: &Block<'_, '_>, place: &Place, world: &mut World, side: Side) -> Read<()> {
    let id = ids::id(block)?;
    let space = json!({"addressPrefixes": block.words("address_space")?});
    world.surroundings.spaces.insert(id.to_lowercase(), space.clone());
    put(world, place.list(NETWORKS), &id, resource(block, &id, json!({"addressSpace": space})));
    if owns(block, "subnet", side) {
        for subnet in block.blocks("subnet")? {
            let name = subnet.required_word("name")?;
            let mut ranges = subnet.words("address_prefixes")?;
            ranges.extend(subnet.word("address_prefix")?.map(str::to_owned));
            let group = subnet.resolved("security_group")?;
            let table = subnet.resolved("route_table_id")?;
            let value = json!({"id": format!("{id}/subnets/{name}"), "name": name, "properties": object(json!({
                "addressPrefixes": ranges, "networkSecurityGroup": link(group), "routeTable": link(table)}))});
            attach(world, place.list(NETWORKS), &id, json!({"subnets": [value]}));
        }
    }
    Ok(())
}

fn subnet(block: &Block<'_, '_>, place: &Place, world: &mut World) -> Read<()> {
    let id = ids::id(block)?;
    let (network, name) = split(&id, "subnets")?;
    let services = block.words("service_endpoints")?;
    let services: Vec<Value> = services.into_iter().map(|service| json!({"service": service})).collect();
    let value = json!({"id": id, "name": name, "properties": object(json!({
        "addressPrefixes": block.words("address_prefixes")?,
        "privateEndpointNetworkPolicies": block.word("private_endpoint_network_policies")?,
        "defaultOutboundAccess": block.flag("default_outbound_access_enabled")?,
        "serviceEndpoints": (!services.is_empty()).then_some(services),
    }))});
    attach(world, place.list(NETWORKS), network, json!({"subnets": [value]}));
    Ok(())
}

fn subnet_part(
    block: &Block<'_, '_>,
    place: &Place,
    world: &mut World,
    argument: &str,
    member: &str,
) -> Read<()> {
    let subnet = block.required("subnet_id")?;
    let (network, name) = split(&subnet, "subnets")?;
    let part = json!({"name": name, "properties": {member: link(Some(block.required(argument)?))}});
    attach(world, place.list(NETWORKS), network, json!({"subnets": [part]}));
    Ok(())
}

fn peering(block: &Block<'_, '_>, place: &Place, world: &mut World) -> Read<()> {
    let id = ids::id(block)?;
    let (network, name) = split(&id, "virtualNetworkPeerings")?;
    let remote = block.required("remote_virtual_network_id")?;
    // The ranges behind it are those of the other network, which a plan of this side does not repeat.
    let space = world.surroundings.spaces.get(&remote.to_lowercase()).cloned();
    let missing = space.is_none().then(|| NotKnown("remote_address_space".to_owned()));
    let value = json!({"id": id, "name": name, "properties": object(json!({
        "remoteVirtualNetwork": {"id": remote},
        "remoteVirtualNetworkAddressSpace": space,
        // One side alone connects nothing; that the other one is there or will be is taken for granted.
        "peeringState": "Connected",
        "allowVirtualNetworkAccess": block.flag("allow_virtual_network_access")?.unwrap_or(true),
        "allowForwardedTraffic": block.flag("allow_forwarded_traffic")?.unwrap_or(false),
        "allowGatewayTransit": block.flag("allow_gateway_transit")?.unwrap_or(false),
        "useRemoteGateways": block.flag("use_remote_gateways")?.unwrap_or(false),
    }))});
    attach(world, place.list(NETWORKS), network, json!({"virtualNetworkPeerings": [value]}));
    missing.map_or(Ok(()), Err)
}

fn route_table(block: &Block<'_, '_>, place: &Place, world: &mut World, side: Side) -> Read<()> {
    let id = ids::id(block)?;
    let learns = match block.flag("disable_bgp_route_propagation")? {
        Some(disabled) => !disabled,
        None => block.flag("bgp_route_propagation_enabled")?.unwrap_or(true),
    };
    let value = resource(block, &id, json!({"disableBgpRoutePropagation": !learns, "routes": []}));
    put(world, place.list(ROUTES), &id, value);
    if owns(block, "route", side) {
        for block in block.blocks("route")? {
            let name = block.required_word("name")?;
            let route =
                json!({"id": format!("{id}/routes/{name}"), "name": name, "properties": hop(&block)?});
            attach(world, place.list(ROUTES), &id, json!({"routes": [route]}));
        }
    }
    Ok(())
}

fn route(block: &Block<'_, '_>, place: &Place, world: &mut World) -> Read<()> {
    let id = ids::id(block)?;
    let (table, name) = split(&id, "routes")?;
    let route = json!({"id": id, "name": name, "properties": hop(block)?});
    attach(world, place.list(ROUTES), table, json!({"routes": [route]}));
    Ok(())
}

fn hop(block: &Block<'_, '_>) -> Read<Value> {
    Ok(object(json!({
        "addressPrefix": block.required_word("address_prefix")?,
        "nextHopType": block.required_word("next_hop_type")?,
        "nextHopIpAddress": block.identifier("next_hop_in_ip_address"),
    })))
}

fn public_address(block: &Block<'_, '_>, place: &Place, world: &mut World) -> Read<()> {
    let id = ids::id(block)?;
    let mut value = resource(block, &id, json!({"ipAddress": block.word("ip_address").unwrap_or(None)}));
    if let Some(members) = value.as_object_mut() {
        members.insert("sku".to_owned(), json!({"name": block.word("sku")?.unwrap_or("Basic")}));
    }
    put(world, place.list(ADDRESSES), &id, value);
    Ok(())
}

fn nat_gateway(block: &Block<'_, '_>, place: &Place, world: &mut World) -> Read<()> {
    let id = ids::id(block)?;
    put(world, place.list(GATEWAYS), &id, resource(block, &id, json!({})));
    Ok(())
}

fn gateway_address(block: &Block<'_, '_>, place: &Place, world: &mut World) -> Read<()> {
    let address = link(Some(block.required("public_ip_address_id")?));
    let gateway = block.required("nat_gateway_id")?;
    attach(world, place.list(GATEWAYS), &gateway, json!({"publicIpAddresses": [address]}));
    Ok(())
}

fn endpoint(block: &Block<'_, '_>, place: &Place, world: &mut World) -> Read<()> {
    let id = ids::id(block)?;
    let (mut approved, mut waiting) = (Vec::new(), Vec::new());
    for connection in block.blocks("private_service_connection")? {
        let manual = connection.flag("is_manual_connection")?.unwrap_or(false);
        // By an alias, what it leads to is told by nobody but the service's owner.
        let target = connection.required("private_connection_resource_id")?;
        let value = json!({"name": connection.required_word("name")?, "properties": object(json!({
            "privateLinkServiceId": target,
            "groupIds": some(connection.words("subresource_names")?),
            "privateLinkServiceConnectionState": {"status": if manual { "Pending" } else { "Approved" }},
        }))});
        if manual { waiting.push(value) } else { approved.push(value) }
    }
    let subnet = block.required("subnet_id")?;
    let value = resource(
        block,
        &id,
        json!({
            "subnet": {"id": subnet},
            "privateLinkServiceConnections": (!approved.is_empty()).then_some(approved),
            "manualPrivateLinkServiceConnections": (!waiting.is_empty()).then_some(waiting),
        }),
    );
    put(world, place.list(ENDPOINTS), &id, value);
    // The interface that the service makes for it, and that interface's address, are known only after apply.
    if block.is_unknown("network_interface") {
        let missing = NotKnown("network_interface".to_owned());
        world.gap(place.listing(INTERFACES), block.resource.address, &missing);
    }
    Ok(())
}
