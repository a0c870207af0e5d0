//! Where a subnet sends packets ("Virtual network traffic routing").

use cadastre_model::asset::azure::network::{NextHop, Peer, Peering, Route};
use ipnet::IpNet;

use super::sites::{Place, Sites, working};
use crate::range;
use crate::trace::Packets;
use crate::trace::packets::Address;

/// Where packets go next.
#[derive(Debug, Clone)]
pub(super) enum Way<'a> {
    /// To an address of this network.
    Local,
    /// To a peer.
    Peering(&'a Peering),
    /// To the internet.
    Internet,
    /// To the network's gateway, by a route of its own.
    Gateway,
    /// Nowhere: the thing that says so, and in which words.
    Nowhere(String, String),
    /// The evidence does not settle it.
    Unknown(String),
}

/// A route that takes part in the choice.
#[derive(Debug, Clone)]
struct Candidate<'a> {
    range: IpNet,
    /// Of two alike the lower one wins: own routes by range, own routes by tag, Azure's.
    rank: u8,
    leads: Leads<'a>,
}

#[derive(Debug, Clone, Copy)]
enum Leads<'a> {
    Own(&'a Route),
    Local,
    Peering(&'a Peering),
    Internet,
    Nowhere,
}

/// Ranges that Azure's own routes drop where nothing else claims them.
fn dropped() -> Vec<IpNet> {
    let v4 = |a, b, length| {
        let address = std::net::Ipv4Addr::new(a, b, 0, 0);
        ipnet::Ipv4Net::new(address, length).ok().map(IpNet::V4)
    };
    [v4(10, 0, 8), v4(172, 16, 12), v4(192, 168, 16), v4(100, 64, 10)].into_iter().flatten().collect()
}

/// Deals packets out by where the subnet sends them; `address` is the one that they are sent to.
pub(super) fn deal<'a>(
    sites: &Sites<'a>,
    place: &Place<'_, 'a>,
    packets: Packets,
    address: Address,
) -> Vec<(Packets, Way<'a>, String)> {
    let site = place.site;
    let own = || place.table.into_iter().flat_map(|table| &table.routes);
    let unknown_tag = own().find_map(|route| match &route.destination {
        Peer::Tag(name) if sites.tag(name).is_none() => Some(name),
        _ => None,
    });
    let mut candidates = candidates(sites, place);
    candidates.sort_by_key(|candidate| (std::cmp::Reverse(candidate.range.prefix_len()), candidate.rank));
    let patterns = candidates.into_iter().map(|candidate| (candidate.range, candidate));
    let mut dealt = Vec::new();
    for (part, candidate) in packets.deal_by_range(address, patterns) {
        let Some(candidate) = candidate else {
            dealt.push((part, Way::Nowhere(site.network.id.clone(), "no route".to_owned()), String::new()));
            continue;
        };
        for (part, is_public) in by_publicity(sites, part, address) {
            if let (true, Some(tag)) = (is_public, unknown_tag) {
                let missing = format!("the ranges of service tag `{tag}` are not in the evidence");
                dealt.push((part, Way::Unknown(missing), String::new()));
                continue;
            }
            let (way, told) = way(place, &candidate, part.address(address), is_public);
            dealt.push((part, way, told));
        }
    }
    dealt
}

fn candidates<'a>(sites: &Sites<'a>, place: &Place<'_, 'a>) -> Vec<Candidate<'a>> {
    let network = place.site.network;
    let mut candidates = Vec::new();
    let mut add = |range: IpNet, rank, leads| {
        if !range::is_v6(range) {
            candidates.push(Candidate { range, rank, leads });
        }
    };
    for route in place.table.into_iter().flat_map(|table| &table.routes) {
        match &route.destination {
            Peer::Cidr(range) => add(*range, 0, Leads::Own(route)),
            Peer::Tag(name) => {
                for range in sites.tag(name).unwrap_or_default() {
                    add(*range, 1, Leads::Own(route));
                }
            }
            _ => {}
        }
    }
    for range in &network.cidrs {
        add(*range, 2, Leads::Local);
    }
    for peering in working(network) {
        for range in &peering.remote_cidrs {
            add(*range, 3, Leads::Peering(peering));
        }
    }
    for range in dropped() {
        add(range, 4, Leads::Nowhere);
    }
    add(range::everywhere_v4(), 4, Leads::Internet);
    candidates
}

/// Packets to public addresses apart from others.
pub(super) fn by_publicity(sites: &Sites<'_>, packets: Packets, address: Address) -> Vec<(Packets, bool)> {
    let ranges = sites.public().iter().map(|range| (*range, ()));
    let dealt = packets.deal_by_range(address, ranges);
    dealt.into_iter().map(|(part, public)| (part, public.is_some())).collect()
}

fn way<'a>(
    place: &Place<'_, 'a>,
    candidate: &Candidate<'a>,
    to: IpNet,
    is_public: bool,
) -> (Way<'a>, String) {
    let site = place.site;
    let table = place.table.map(|table| table.id.clone()).unwrap_or_default();
    // What a gateway learns wins where it is longer.
    let learns = site.learns && place.table.is_none_or(|table| !table.no_gateway_routes);
    let overtaken = learns
        && candidate.range.prefix_len() < 32
        && matches!(candidate.leads, Leads::Own(_) | Leads::Internet | Leads::Nowhere);
    if overtaken {
        let missing = format!("the routes that gateways teach `{}` are not in the evidence", site.network.id);
        return (Way::Unknown(missing), String::new());
    }
    // Azure's routes to a service's addresses come before any but equally long ones.
    let services = is_public && !place.subnet.service_endpoints.is_empty();
    if services && matches!(candidate.leads, Leads::Own(route) if route.next_hop != NextHop::Internet) {
        let names = place.subnet.service_endpoints.join(", ");
        let missing = format!("which addresses service endpoints lead to is not in the evidence: {names}");
        return (Way::Unknown(missing), String::new());
    }
    let told = |hop: &str| format!("route {} to {hop}", candidate.range);
    match candidate.leads {
        Leads::Local => (Way::Local, told("the network")),
        Leads::Peering(peering) => (Way::Peering(peering), told("the peering")),
        Leads::Internet if is_public => (Way::Internet, told("the internet")),
        Leads::Internet => {
            let told = "the internet does not route private addresses".to_owned();
            (Way::Nowhere(site.network.id.clone(), told), String::new())
        }
        Leads::Nowhere => {
            let told = format!("Azure's route {} leads nowhere", candidate.range);
            (Way::Nowhere(site.network.id.clone(), told), String::new())
        }
        Leads::Own(route) => match route.next_hop {
            NextHop::None => {
                let told = format!("route `{}` leads nowhere", route.name);
                (Way::Nowhere(table, told), String::new())
            }
            NextHop::Internet if is_public => (Way::Internet, told("the internet")),
            NextHop::Internet => {
                let missing = format!("route `{}` sends private addresses to the internet", route.name);
                (Way::Unknown(missing), String::new())
            }
            NextHop::Local if site.network.cidrs.iter().any(|own| own.contains(&to)) => {
                (Way::Local, told("the network"))
            }
            NextHop::Local => {
                let missing = format!("route `{}` keeps other addresses in the network", route.name);
                (Way::Unknown(missing), String::new())
            }
            NextHop::Gateway if site.gateway => (Way::Gateway, told("the gateway")),
            NextHop::Gateway if site.learns => {
                let missing = format!("route `{}` leads to a peer's gateway", route.name);
                (Way::Unknown(missing), String::new())
            }
            NextHop::Gateway => {
                let told = format!("route `{}` leads to a gateway, and there is none", route.name);
                (Way::Nowhere(table, told), String::new())
            }
            NextHop::Appliance => {
                let missing = format!("what the appliance of route `{}` does is not known", route.name);
                (Way::Unknown(missing), String::new())
            }
        },
    }
}

/// The own route that leads past a private endpoint ("Manage network policies for private endpoints"): one as long as
/// an address, or, where the endpoint's subnet lets routes apply, one at least as long as the range of its network.
pub(super) fn past_endpoint<'a>(place: &Place<'_, 'a>, address: IpNet, shortest: u8) -> Option<&'a Route> {
    let routes = place.table.into_iter().flat_map(|table| &table.routes);
    let fitting = routes.filter_map(|route| match &route.destination {
        Peer::Cidr(range) if range.contains(&address) && range.prefix_len() >= shortest => {
            Some((range.prefix_len(), route))
        }
        _ => None,
    });
    fitting.max_by_key(|(length, route)| (*length, std::cmp::Reverse(&route.name))).map(|(_, route)| route)
}
