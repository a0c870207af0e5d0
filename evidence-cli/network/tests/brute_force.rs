//! Flows against an evaluator that looks at one packet at a time and knows no ranges.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in its helpers too"
)]

#[expect(dead_code, reason = "the other tests use the rest")]
mod common;

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use cadastre_model::asset::network::{
    Destination, GatewayKind, NetworkAclEntry, Route, RouteTable, SecurityRule,
};
use cadastre_model::inventory::Inventory;
use cadastre_model::reach::{Crossing, Direction, PermittedFlow};
use cadastre_network::reachability;
use common::{Net, entry, net, rule};
use proptest::prelude::*;

const RANGES: [&str; 12] = [
    "0.0.0.0/0",
    "0.0.0.0/1",
    "10.0.0.0/8",
    "10.20.0.0/16",
    "10.20.1.0/24",
    "10.20.2.0/24",
    "10.90.0.0/16",
    "10.90.7.0/24",
    "198.51.100.0/24",
    "198.51.100.128/25",
    "203.0.0.0/8",
    "203.0.113.0/24",
];
const LISTED: [&str; 2] = ["52.219.0.0/16", "203.0.113.64/26"];
const TARGETS: [&str; 8] = ["igw-1", "nat-1", "pcx-1", "tgw-1", "eni-9", "!igw-1", "!tgw-1", "igw-2"];
const TRAFFIC: [&str; 9] =
    ["all", "tcp", "tcp 9092", "tcp 9000-9100", "tcp 443", "tcp 1024-65535", "udp 53", "udp", "icmp"];
const PORTS: [u16; 9] = [0, 53, 443, 1023, 1024, 9000, 9092, 9101, 65535];
const PROTOCOLS: [u8; 3] = [1, 6, 17];

/// A packet that opens a flow.
#[derive(Debug, Clone, Copy)]
struct Packet {
    direction: Direction,
    peer: IpAddr,
    protocol: u8,
    port: u16,
}

/// Edges of every range, and their neighbours.
fn addresses() -> BTreeSet<IpAddr> {
    let mut addresses = BTreeSet::new();
    for range in RANGES.iter().chain(&LISTED) {
        let range = net(range);
        for edge in [range.network(), range.broadcast()] {
            let IpAddr::V4(edge) = edge else { continue };
            for near in [edge.to_bits().wrapping_sub(1), edge.to_bits(), edge.to_bits().wrapping_add(1)] {
                addresses.insert(IpAddr::V4(Ipv4Addr::from_bits(near)));
            }
        }
    }
    addresses
}

fn in_destination(inventory: &Inventory, destination: &Destination, address: IpAddr) -> Option<u8> {
    match destination {
        Destination::Cidr(range) => range.contains(&address).then(|| range.prefix_len()),
        Destination::PrefixList(id) => {
            let list = inventory.prefix_lists.iter().find(|list| list.id == *id)?;
            let entries = list.entries.observed()?.iter();
            entries.filter(|range| range.contains(&address)).map(ipnet::IpNet::prefix_len).max()
        }
        Destination::SecurityGroup(_) => None,
    }
}

/// The route that carries packets to an address: the longest, and of two alike the one without a list.
fn route<'i>(inventory: &'i Inventory, table: &'i RouteTable, address: IpAddr) -> Option<&'i Route> {
    let matching = table.routes.iter().filter_map(|route| {
        let length = in_destination(inventory, &route.destination, address)?;
        Some(((length, matches!(route.destination, Destination::Cidr(_))), route))
    });
    matching.max_by_key(|(rank, _)| *rank).map(|(_, route)| route).filter(|route| route.state == "active")
}

fn is_public(address: IpAddr) -> bool {
    let special =
        ["0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"];
    let more = ["192.168.0.0/16", "224.0.0.0/4", "240.0.0.0/4"];
    !special.iter().chain(&more).any(|range| net(range).contains(&address))
}

fn crossing(inventory: &Inventory, packet: Packet) -> Option<Crossing> {
    let table = inventory.route_tables.iter().find(|table| table.id == "rtb-1")?;
    let outwards = packet.direction == Direction::Egress;
    let public_host = !inventory.interfaces[0].public_addresses.is_empty();
    match route(inventory, table, packet.peer)?.target.as_str() {
        "local" => Some(Crossing::Local),
        "igw-1" => (public_host && is_public(packet.peer)).then_some(Crossing::Internet),
        "pcx-1" => net("10.90.0.0/16").contains(&packet.peer).then_some(Crossing::Peering),
        "tgw-1" | "eni-9" => Some(Crossing::Transit),
        "vpce-1" => outwards.then_some(Crossing::Endpoint),
        "nat-1" if outwards => {
            let table = inventory.route_tables.iter().find(|table| table.id == "rtb-2")?;
            match route(inventory, table, packet.peer)?.target.as_str() {
                "igw-1" => is_public(packet.peer).then_some(Crossing::Nat),
                "pcx-1" => net("10.90.0.0/16").contains(&packet.peer).then_some(Crossing::Peering),
                "tgw-1" | "eni-9" => Some(Crossing::Transit),
                _ => None,
            }
        }
        _ => None,
    }
}

fn has_ports(protocol: u8) -> bool {
    matches!(protocol, 6 | 17)
}

fn rule_matches(inventory: &Inventory, rule: &SecurityRule, packet: Packet) -> bool {
    rule.protocol.is_none_or(|protocol| protocol == packet.protocol)
        && (!has_ports(packet.protocol)
            || rule.from_port.is_none_or(|from| from <= packet.port)
                && rule.to_port.is_none_or(|to| packet.port <= to))
        && in_destination(inventory, &rule.peer, packet.peer).is_some()
}

fn acl_allows(inventory: &Inventory, egress: bool, peer: IpAddr, protocol: u8, port: u16) -> bool {
    let acl = inventory.network_acls.iter().find(|acl| acl.subnets.iter().any(|subnet| subnet == "subnet-1"));
    let matches = |entry: &&NetworkAclEntry| {
        entry.egress == egress
            && entry.protocol.is_none_or(|known| known == protocol)
            && (!has_ports(protocol)
                || entry.from_port.is_none_or(|from| from <= port)
                    && entry.to_port.is_none_or(|to| port <= to))
            && entry.cidr.contains(&peer)
    };
    acl.and_then(|acl| acl.entries.iter().find(matches)).is_some_and(|entry| entry.allow)
}

/// What really happens to a packet: where it crosses, or nothing.
fn permitted(inventory: &Inventory, packet: Packet) -> Option<Crossing> {
    let group = inventory.security_groups.iter().find(|group| group.id == "sg-1")?;
    let rules = match packet.direction {
        Direction::Ingress => &group.ingress,
        Direction::Egress => &group.egress,
    };
    if !rules.iter().any(|rule| rule_matches(inventory, rule, packet)) {
        return None;
    }
    let crossing = crossing(inventory, packet)?;
    if crossing == Crossing::Local && net("10.20.1.0/24").contains(&packet.peer) {
        return Some(crossing);
    }
    let egress = packet.direction == Direction::Egress;
    let replies = if egress { 1024..=u16::MAX } else { 0..=u16::MAX };
    let passes = acl_allows(inventory, egress, packet.peer, packet.protocol, packet.port)
        // Every fifth port is enough to hit each range of ports above, and both ends of it.
        && replies.step_by(5).chain([53, 443, 9092, 1023, 1024, 65535])
            .filter(|port| !egress || *port >= 1024)
            .any(|port| acl_allows(inventory, !egress, packet.peer, packet.protocol, port));
    passes.then_some(crossing)
}

fn covers(flow: &PermittedFlow, packet: Packet) -> bool {
    flow.direction == packet.direction
        && flow.peer.is_some_and(|peer| peer.contains(&packet.peer))
        && flow.ports.protocol.is_none_or(|protocol| protocol == packet.protocol)
        && (!has_ports(packet.protocol) || (flow.ports.from..=flow.ports.to).contains(&packet.port))
}

/// Whether the routes that a flow names are the ones that this packet takes.
fn same_way(inventory: &Inventory, flow: &PermittedFlow, packet: Packet) -> bool {
    flow.hops.iter().filter(|hop| hop.at.starts_with("rtb-")).all(|hop| {
        let table = inventory.route_tables.iter().find(|table| table.id == hop.at);
        let taken = table.and_then(|table| route(inventory, table, packet.peer));
        taken.is_some_and(|route| {
            let destination = match &route.destination {
                Destination::Cidr(range) => range.to_string(),
                Destination::PrefixList(list) => list.clone(),
                Destination::SecurityGroup(group) => group.clone(),
            };
            hop.what.starts_with(&format!("route {destination} ")) && hop.what.ends_with(&route.target)
        })
    })
}

fn routes() -> impl Strategy<Value = Vec<(usize, usize)>> {
    prop::collection::vec((0..RANGES.len(), 0..TARGETS.len()), 0..5)
}

fn rules() -> impl Strategy<Value = Vec<(usize, usize)>> {
    prop::collection::vec((0..TRAFFIC.len(), 0..RANGES.len() + 1), 0..3)
}

fn entries() -> impl Strategy<Value = Vec<(bool, bool, usize, usize)>> {
    prop::collection::vec(
        (any::<bool>(), prop::bool::weighted(0.7), 0..TRAFFIC.len(), 0..RANGES.len()),
        0..10,
    )
}

fn with_routes(mut network: Net, table: &str, routes: &[(usize, usize)]) -> Net {
    let mut seen = BTreeSet::from([3]);
    for (range, target) in routes {
        if seen.insert(*range) {
            network = network.route(table, RANGES[*range], TARGETS[*target]);
        }
    }
    network
}

fn security_rules(rules: &[(usize, usize)]) -> Vec<SecurityRule> {
    let peer = |index: usize| RANGES.get(index).copied().unwrap_or("pl-1");
    rules.iter().map(|(traffic, index)| rule(TRAFFIC[*traffic], peer(*index))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(160))]

    #[test]
    fn flows_are_exactly_the_packets_that_pass(
        own in routes(),
        beyond in routes(),
        ingress in rules(),
        egress in rules(),
        filter in entries(),
        public in any::<bool>(),
        endpoint in any::<bool>(),
        open_in in any::<bool>(),
        open_out in any::<bool>(),
    ) {
        let mut filter: Vec<NetworkAclEntry> = filter.iter().zip(1..)
            .map(|((egress, allow, traffic, range), number)| entry(number, *egress, *allow, TRAFFIC[*traffic], RANGES[*range]))
            .collect();
        filter.extend(open_in.then(|| entry(100, false, true, "all", "0.0.0.0/0")));
        filter.extend(open_out.then(|| entry(100, true, true, "all", "0.0.0.0/0")));
        let mut network = Net::basic()
            .gateway("igw-1", GatewayKind::Internet, None, true)
            .gateway("nat-1", GatewayKind::Nat, Some("subnet-2"), true)
            .peering("pcx-1", "active", &["10.90.0.0/16"])
            .prefix_list("pl-1", "s3", Some(&LISTED))
            .endpoint("vpce-1", "s3", "Gateway", &[])
            .table("rtb-2", "vpc-1", &["subnet-2"], &[("10.20.0.0/16", "local")])
            .acl("acl-2", &["subnet-1"], filter);
        if endpoint {
            network = network.route("rtb-1", "pl-1", "vpce-1");
        }
        if public {
            network = network.address("eni-1", "203.0.113.10");
        }
        network = with_routes(with_routes(network, "rtb-1", &own), "rtb-2", &beyond);
        let group = network.0.security_groups.iter_mut().find(|group| group.id == "sg-1").unwrap();
        group.ingress = security_rules(&ingress);
        group.egress = security_rules(&egress);

        let inventory = network.0;
        let flows = reachability(&inventory).flows;
        for direction in [Direction::Ingress, Direction::Egress] {
            for peer in addresses() {
                for (protocol, port) in PROTOCOLS.iter().flat_map(|protocol| PORTS.map(|port| (*protocol, port))) {
                    let packet = Packet { direction, peer, protocol, port };
                    let truth = permitted(&inventory, packet);
                    let claimed: Vec<&PermittedFlow> = flows.iter().filter(|flow| covers(flow, packet)).collect();
                    if let Some(crossing) = truth {
                        prop_assert!(
                            claimed.iter().any(|flow| flow.crossing == crossing),
                            "{packet:?} passes by {crossing:?}, and no flow says so: {claimed:#?}"
                        );
                    }
                    for flow in claimed {
                        let by_internet = matches!(flow.crossing, Crossing::Internet | Crossing::Nat);
                        if same_way(&inventory, flow, packet) && (is_public(peer) || !by_internet) {
                            prop_assert_eq!(truth, Some(flow.crossing), "{:?} is claimed by {:#?}", packet, flow);
                        }
                    }
                }
            }
        }
    }
}
