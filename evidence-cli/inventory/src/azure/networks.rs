//! Virtual networks, subnets, peerings, and what Virtual Network Manager adds to them.

use cadastre_model::Known;
use cadastre_model::asset::EvidenceIds;
use cadastre_model::asset::azure::network::{
    AdminAccess, AdminRule, Matches, Peering, Subnet, VirtualNetwork,
};
use ipnet::IpNet;

use super::fields::{id, properties, protocol, reference, region, says, subscription};
use super::rules;
use crate::node::{Node, Read};
use crate::reader::Reader;

const ADMIN_RULES: &str =
    "Microsoft.Network/virtualNetworks/listNetworkManagerEffectiveSecurityAdminRules/action";

/// Reads every virtual network.
pub(super) fn read(reader: &mut Reader<'_>) -> Vec<VirtualNetwork> {
    reader.assets("Microsoft.Network/virtualNetworks/read", "value", |reader, network| {
        let id = id(network)?;
        let own = properties(network)?;
        let subnets: Read<Vec<Subnet>> = own.optional_list("subnets")?.iter().map(subnet).collect();
        let peerings: Read<Vec<Peering>> =
            own.optional_list("virtualNetworkPeerings")?.iter().map(peering).collect();
        let (mut subnets, mut peerings) = (subnets?, peerings?);
        subnets.sort_by(|a, b| a.id.cmp(&b.id));
        peerings.sort_by(|a, b| a.id.cmp(&b.id));
        let mut evidence = EvidenceIds::new();
        let admin_rules = reader.known(ADMIN_RULES, &id, &mut evidence, |pages| {
            let mut rules = pages.all("value", admin_rule)?;
            rules.sort_by(|a, b| (a.priority, &a.id).cmp(&(b.priority, &b.id)));
            Ok(Some(rules))
        });
        let admin_rules = match admin_rules {
            Known::Absent => Known::Observed(Vec::new()),
            known => known,
        };
        Ok(Some(VirtualNetwork {
            name: network.owned_text("name")?,
            subscription: subscription(&id),
            region: region(network)?,
            cidrs: space(&own, "addressSpace")?,
            subnets,
            peerings,
            admin_rules,
            id,
            evidence,
        }))
    })
}

fn space(node: &Node<'_>, member: &str) -> Read<Vec<IpNet>> {
    let Some(space) = node.optional_object(member)? else { return Ok(Vec::new()) };
    ranges(&space, "addressPrefixes")
}

fn ranges(node: &Node<'_>, member: &str) -> Read<Vec<IpNet>> {
    let mut ranges: Vec<IpNet> = Vec::new();
    for range in node.optional_list(member)? {
        let read = range.own_text()?.parse::<IpNet>().ok().ok_or_else(|| range.defect("an address range"))?;
        ranges.push(read.trunc());
    }
    ranges.sort();
    ranges.dedup();
    Ok(ranges)
}

fn subnet(node: &Node<'_>) -> Read<Subnet> {
    let own = properties(node)?;
    let mut cidrs = ranges(&own, "addressPrefixes")?;
    cidrs.extend(own.optional_range("addressPrefix")?);
    cidrs.sort();
    cidrs.dedup();
    if cidrs.is_empty() {
        return Err(own.defect("a subnet with an address range"));
    }
    let policies = own.optional_text("privateEndpointNetworkPolicies")?.unwrap_or("Disabled");
    let applies = |one: &str| policies.eq_ignore_ascii_case("Enabled") || policies.eq_ignore_ascii_case(one);
    let occupied =
        ["ipConfigurations", "ipConfigurationProfiles", "privateEndpoints", "serviceAssociationLinks"];
    let mut used = false;
    for list in occupied {
        used |= !own.optional_list(list)?.is_empty();
    }
    let services = own.optional_list("serviceEndpoints")?;
    Ok(Subnet {
        id: id(node)?,
        name: node.owned_text("name")?,
        cidrs,
        security_group: reference(&own, "networkSecurityGroup")?,
        route_table: reference(&own, "routeTable")?,
        nat_gateway: reference(&own, "natGateway")?,
        default_outbound: own.optional_boolean("defaultOutboundAccess")?.unwrap_or(true),
        endpoint_filters: applies("NetworkSecurityGroupEnabled"),
        endpoint_routes: applies("RouteTableEnabled"),
        service_endpoints: services
            .iter()
            .map(|service| service.owned_text("service"))
            .collect::<Read<_>>()?,
        occupied: used,
    })
}

fn peering(node: &Node<'_>) -> Read<Peering> {
    let own = properties(node)?;
    let remote = own.object("remoteVirtualNetwork")?;
    let mut remote_cidrs = space(&own, "remoteVirtualNetworkAddressSpace")?;
    if remote_cidrs.is_empty() {
        remote_cidrs = space(&own, "remoteAddressSpace")?;
    }
    Ok(Peering {
        id: id(node)?,
        remote: id(&remote)?,
        remote_cidrs,
        state: own.owned_text("peeringState")?,
        allow_access: own.optional_boolean("allowVirtualNetworkAccess")?.unwrap_or(true),
        allow_forwarded: own.optional_boolean("allowForwardedTraffic")?.unwrap_or(false),
        allow_gateway_transit: own.optional_boolean("allowGatewayTransit")?.unwrap_or(false),
        use_remote_gateways: own.optional_boolean("useRemoteGateways")?.unwrap_or(false),
    })
}

fn admin_rule(node: &Node<'_>) -> Read<AdminRule> {
    let own = properties(node)?;
    let access = match own.text("access")?.to_ascii_lowercase().as_str() {
        "allow" => AdminAccess::Allow,
        "alwaysallow" => AdminAccess::AlwaysAllow,
        "deny" => AdminAccess::Deny,
        _ => return Err(own.defect("`Allow`, `AlwaysAllow` or `Deny`")),
    };
    let peers = |list: &str| -> Read<Vec<_>> {
        own.optional_list(list)?.iter().map(|item| rules::peer(item, item.text("addressPrefix")?)).collect()
    };
    Ok(AdminRule {
        id: id(node)?,
        priority: own.integer("priority")?,
        access,
        matches: Matches {
            inbound: says(&own, "direction", "Inbound")?,
            protocol: protocol(&own)?,
            sources: rules::or_any(peers("sources")?),
            source_ports: rules::spans(&own, "sourcePortRange", "sourcePortRanges")?,
            destinations: rules::or_any(peers("destinations")?),
            ports: rules::spans(&own, "destinationPortRange", "destinationPortRanges")?,
        },
    })
}
