//! Route tables.

use cadastre_model::asset::EvidenceIds;
use cadastre_model::asset::network::{Destination, Route, RouteTable};

use crate::node::{Node, Read};
use crate::reader::Reader;

/// Members of a route that name its target; where AWS fills several, the first one is the most exact.
const TARGETS: &[&str] = &[
    "GatewayId",
    "NatGatewayId",
    "TransitGatewayId",
    "VpcPeeringConnectionId",
    "EgressOnlyInternetGatewayId",
    "NetworkInterfaceId",
    "InstanceId",
    "LocalGatewayId",
    "CarrierGatewayId",
    "CoreNetworkArn",
];

/// Reads every route table.
pub(crate) fn read(reader: &mut Reader<'_>) -> Vec<RouteTable> {
    reader.assets("ec2:DescribeRouteTables", "RouteTables", |_, table| {
        let mut main = false;
        let mut subnets = Vec::new();
        let mut gateways = Vec::new();
        for association in table.list("Associations")? {
            let state = match association.optional_object("AssociationState")? {
                Some(state) => state.optional_text("State")?,
                None => None,
            };
            if state.is_some_and(|state| state != "associated") {
                continue;
            }
            main |= association.optional_boolean("Main")?.unwrap_or(false);
            subnets.extend(association.optional_owned_text("SubnetId")?);
            gateways.extend(association.optional_owned_text("GatewayId")?);
        }
        subnets.sort();
        gateways.sort();
        Ok(Some(RouteTable {
            id: table.owned_text("RouteTableId")?,
            vpc: table.owned_text("VpcId")?,
            main,
            subnets,
            gateways,
            routes: table.list("Routes")?.iter().map(route).collect::<Read<_>>()?,
            evidence: EvidenceIds::new(),
        }))
    })
}

fn route(route: &Node<'_>) -> Read<Route> {
    let mut range = route.optional_range("DestinationCidrBlock")?;
    if range.is_none() {
        range = route.optional_range("DestinationIpv6CidrBlock")?;
    }
    let destination = match range {
        Some(range) => Destination::Cidr(range),
        None => Destination::PrefixList(route.owned_text("DestinationPrefixListId")?),
    };
    let state = route.owned_text("State")?;
    let mut target = None;
    for member in TARGETS {
        if target.is_none() {
            target = route.optional_owned_text(member)?.filter(|target| !target.is_empty());
        }
    }
    match target {
        Some(target) => Ok(Route { destination, target, state }),
        // A black hole's target may be gone.
        None if state == "blackhole" => Ok(Route { destination, target: String::new(), state }),
        None => Err(route.defect("a route with a target")),
    }
}
