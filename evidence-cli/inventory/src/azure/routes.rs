//! Route tables.

use cadastre_model::asset::EvidenceIds;
use cadastre_model::asset::azure::network::{NextHop, Route, RouteTable};

use super::fields::{id, properties};
use super::rules;
use crate::node::{Node, Read};
use crate::reader::Reader;

/// Reads every route table.
pub(super) fn read(reader: &mut Reader<'_>) -> Vec<RouteTable> {
    reader.assets("Microsoft.Network/routeTables/read", "value", |_, table| {
        let own = properties(table)?;
        let routes: Read<Vec<Route>> = own.optional_list("routes")?.iter().map(route).collect();
        let mut routes = routes?;
        routes.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Some(RouteTable {
            id: id(table)?,
            name: table.owned_text("name")?,
            routes,
            no_gateway_routes: own.optional_boolean("disableBgpRoutePropagation")?.unwrap_or(false),
            evidence: EvidenceIds::new(),
        }))
    })
}

fn route(node: &Node<'_>) -> Read<Route> {
    let own = properties(node)?;
    let next_hop = match own.text("nextHopType")?.to_ascii_lowercase().as_str() {
        "virtualnetworkgateway" => NextHop::Gateway,
        "vnetlocal" => NextHop::Local,
        "internet" => NextHop::Internet,
        "virtualappliance" => NextHop::Appliance,
        "none" => NextHop::None,
        _ => return Err(own.defect("a kind of next hop")),
    };
    Ok(Route {
        name: node.owned_text("name")?,
        destination: rules::peer(&own, own.text("addressPrefix")?)?,
        next_hop,
    })
}
