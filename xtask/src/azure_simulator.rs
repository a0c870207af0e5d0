//! One packet at a time through an Azure network: a walk over concrete addresses that knows no ranges, written from the
//! rules in `docs/reachability-azure.md`, so that it can be held beside `cadastre_network::azure`.

use std::net::{IpAddr, Ipv4Addr};

use cadastre_model::Known;
use cadastre_model::asset::azure::AzureInventory;
use cadastre_model::asset::azure::network::{
    AdminAccess, Matches, NextHop, Nic, NicAddress, Peer, Peering, Route, RouteTable, Subnet, VirtualNetwork,
};
use cadastre_network::trace::Party;

use crate::network_simulator::{End, Opening};

/// Walks packets of one inventory.
#[derive(Debug)]
pub(crate) struct Simulator<'i>(pub(crate) &'i AzureInventory);

/// What stops the walk.
type Step<T> = Result<T, End>;

/// What a filter says: let through for certain, or perhaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Passed {
    Surely,
    Perhaps,
}

/// Where a packet goes next.
enum Towards<'i> {
    Own,
    Across(&'i Peering),
    World,
    Gateway,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Admin {
    Groups,
    Always,
    Deny,
    Perhaps,
}

#[derive(Debug, Clone, Copy)]
struct Home<'i> {
    network: &'i VirtualNetwork,
    subnet: &'i Subnet,
    table: Option<&'i RouteTable>,
}

/// The header that rules look at.
#[derive(Debug, Clone, Copy)]
struct Header {
    from: Ipv4Addr,
    to: Ipv4Addr,
    from_port: u16,
    to_port: u16,
    protocol: u8,
}

fn stopped<T>(at: &str) -> Step<T> {
    Err(End::Blocked(at.to_owned()))
}

const HOST: Ipv4Addr = Ipv4Addr::new(168, 63, 129, 16);

/// Addresses that the internet does not route (IANA special-purpose registry).
fn is_private(address: Ipv4Addr) -> bool {
    let [a, b, ..] = address.octets();
    matches!(a, 0 | 10 | 127 | 224..=255)
        || (a == 100 && (64..128).contains(&b))
        || (a == 169 && b == 254)
        || (a == 172 && (16..32).contains(&b))
        || (a == 192 && b == 168)
}

fn v4(address: IpAddr) -> Option<Ipv4Addr> {
    match address {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    }
}

fn peerings(network: &VirtualNetwork) -> impl Iterator<Item = &Peering> {
    network.peerings.iter().filter(|peering| peering.state == "Connected" && peering.allow_access)
}

impl<'i> Simulator<'i> {
    /// Opens a connection between two ends, each an interface or outside.
    pub(crate) fn open(&self, from: &Party, to: &Party, packet: Opening) -> End {
        let find = |party: &Party| match party {
            Party::Interface(id) => self.0.interfaces.iter().find(|nic| nic.id == *id),
            Party::Outside(_) | Party::Internet(_) => None,
        };
        let (opener, target) = (find(from), find(to));
        let (Some(from), Some(to)) = (v4(packet.source), v4(packet.destination)) else { return End::Unknown };
        let header = Header {
            from,
            to,
            from_port: packet.source_port,
            to_port: packet.port,
            protocol: packet.protocol,
        };
        let result = match (opener, target) {
            (Some(opener), Some(target)) => self.inside(opener, target, header),
            (Some(opener), None) => self.outwards(opener, header),
            (None, Some(target)) => self.inwards(target, header),
            (None, None) => Err(End::Unknown),
        };
        match result {
            Ok(end) | Err(end) => end,
        }
    }

    fn home(&self, nic: &Nic) -> Step<Home<'i>> {
        let network = self.0.networks.iter().find(|network| network.id == nic.network);
        let network = network.ok_or(End::Unknown)?;
        let subnet = network.subnets.iter().find(|subnet| subnet.id == nic.subnet).ok_or(End::Unknown)?;
        let table = match &subnet.route_table {
            None => None,
            Some(id) => Some(self.0.route_tables.iter().find(|table| table.id == *id).ok_or(End::Unknown)?),
        };
        Ok(Home { network, subnet, table })
    }

    fn inside(&self, opener: &'i Nic, target: &'i Nic, header: Header) -> Step<End> {
        let (here, there) = (self.home(opener)?, self.home(target)?);
        if let Some(endpoint) = &opener.private_endpoint {
            return stopped(endpoint);
        }
        if opener.managed || target.managed {
            return Err(End::Unknown);
        }
        let out = self.let_out(opener, here, header)?;
        self.bring(here, there, target, header)?;
        let into = self.let_in(target, there, header, None)?;
        if target.private_endpoint.is_none() {
            let towards = self.route(there, header.from)?;
            let reached = match &towards {
                Towards::Own => &there.network.id,
                Towards::Across(peering) => &peering.remote,
                Towards::World | Towards::Gateway => return Err(End::Unknown),
            };
            if *reached != opener.network {
                return stopped(reached);
            }
        }
        settle(&[out, into], End::Arrives(target.id.clone()))
    }

    /// To the target's network, and to its endpoint where it is one.
    fn bring(&self, here: Home<'i>, there: Home<'i>, target: &'i Nic, header: Header) -> Step<()> {
        if let Some(endpoint) = &target.private_endpoint {
            let across = peerings(here.network).any(|peering| peering.remote == there.network.id);
            if here.network.id == there.network.id || across {
                let whole = there.network.cidrs.iter().filter(|range| range.contains(&IpAddr::V4(header.to)));
                let whole = whole.map(ipnet::IpNet::prefix_len).max().unwrap_or(32);
                let shortest = if there.subnet.endpoint_routes { whole } else { 32 };
                let mut past: Option<(u8, &Route)> = None;
                for route in here.table.into_iter().flat_map(|table| &table.routes) {
                    if let Peer::Cidr(range) = &route.destination
                        && range.contains(&IpAddr::V4(header.to))
                        && range.prefix_len() >= shortest
                        && past.is_none_or(|(length, _)| range.prefix_len() > length)
                    {
                        past = Some((range.prefix_len(), route));
                    }
                }
                return match (past, here.table) {
                    (Some((_, route)), Some(table)) if route.next_hop == NextHop::None => stopped(&table.id),
                    (Some(_), _) => Err(End::Unknown),
                    (None, _) => self.approved(endpoint),
                };
            }
        }
        let reached = match self.route(here, header.to)? {
            Towards::Own => &here.network.id,
            Towards::Across(peering) => &peering.remote,
            Towards::World | Towards::Gateway => return Err(End::Unknown),
        };
        if *reached != there.network.id {
            return stopped(reached);
        }
        match &target.private_endpoint {
            Some(endpoint) => self.approved(endpoint),
            None => Ok(()),
        }
    }

    fn approved(&self, id: &str) -> Step<()> {
        let endpoint = self.0.private_endpoints.iter().find(|endpoint| endpoint.id == id);
        if endpoint.ok_or(End::Unknown)?.state == "Approved" { Ok(()) } else { stopped(id) }
    }

    fn outwards(&self, opener: &'i Nic, header: Header) -> Step<End> {
        let here = self.home(opener)?;
        if let Some(endpoint) = &opener.private_endpoint {
            return stopped(endpoint);
        }
        if opener.managed || header.to == HOST {
            return Err(End::Unknown);
        }
        let out = self.let_out(opener, here, header)?;
        let end = match self.route(here, header.to)? {
            Towards::Own => return Err(End::Unknown),
            Towards::Across(peering) => {
                if self.0.networks.iter().any(|network| network.id == peering.remote) {
                    return Err(End::Unknown);
                }
                peering.id.clone()
            }
            Towards::Gateway => here.network.id.clone(),
            Towards::World => self.way_out(opener, here, header)?,
        };
        settle(&[out], End::Leaves(end))
    }

    fn way_out(&self, nic: &Nic, here: Home<'i>, header: Header) -> Step<String> {
        if let Some(id) = &here.subnet.nat_gateway {
            let known = self.0.nat_gateways.iter().find(|gateway| gateway.id == *id && gateway.public);
            return known.map(|gateway| gateway.id.clone()).ok_or(End::Unknown);
        }
        let address = address_of(nic, header.from).ok_or(End::Unknown)?;
        if let Some(public) = &address.public {
            return Ok(public.clone());
        }
        let has_ports = header.protocol == 6 || header.protocol == 17;
        for balancer in &self.0.load_balancers {
            if is_member(nic, address, &balancer.outbound) {
                return if has_ports { Ok(balancer.id.clone()) } else { Err(End::Unknown) };
            }
        }
        for balancer in &self.0.load_balancers {
            if balancer.closed_by_default && is_member(nic, address, &balancer.members) {
                return stopped(&here.subnet.id);
            }
        }
        if here.subnet.default_outbound { Ok(here.subnet.id.clone()) } else { stopped(&here.subnet.id) }
    }

    fn inwards(&self, target: &'i Nic, header: Header) -> Step<End> {
        let there = self.home(target)?;
        if target.managed || header.from == HOST {
            return Err(End::Unknown);
        }
        let address = IpAddr::V4(header.from);
        let own = there.network.cidrs.iter().any(|range| range.contains(&address));
        let peers = || peerings(there.network);
        if own || peers().any(|peering| peering.remote_cidrs.iter().any(|range| range.contains(&address))) {
            return Err(End::Unknown);
        }
        if is_private(header.from) {
            if taught(there.network) || peers().any(|peering| peering.allow_forwarded) {
                return Err(End::Unknown);
            }
            return stopped(&there.network.id);
        }
        if target.private_endpoint.is_some() {
            return stopped(&target.id);
        }
        let own_address = address_of(target, header.to).ok_or(End::Unknown)?;
        let Some((at, closed)) = self.front(target, own_address, header) else { return stopped(&target.id) };
        let into = self.let_in(target, there, header, Some((&at, closed)))?;
        match self.route(there, header.from)? {
            Towards::World => settle(&[into], End::Arrives(target.id.clone())),
            Towards::Own | Towards::Across(_) | Towards::Gateway => Err(End::Unknown),
        }
    }

    /// What of the outside leads to a port, and whether it is closed until a group opens it.
    fn front(&self, nic: &Nic, address: &NicAddress, header: Header) -> Option<(String, Option<bool>)> {
        if let Some(public) = &address.public {
            let known = self.0.public_addresses.iter().find(|known| known.id == *public);
            return Some((public.clone(), known.map(|known| known.closed_by_default)));
        }
        if header.protocol != 6 && header.protocol != 17 {
            return None;
        }
        for balancer in &self.0.load_balancers {
            for forward in &balancer.forwards {
                let port = forward.ports.from <= header.to_port && header.to_port <= forward.ports.to;
                let protocol = forward.protocol.is_none_or(|protocol| protocol == header.protocol);
                if forward.public && port && protocol && is_member(nic, address, &forward.members) {
                    return Some((balancer.id.clone(), Some(balancer.closed_by_default)));
                }
            }
        }
        None
    }

    fn let_out(&self, nic: &Nic, here: Home<'i>, header: Header) -> Step<Passed> {
        match self.admin(here, header, false)? {
            Admin::Always => return Ok(Passed::Surely),
            Admin::Perhaps => return Ok(Passed::Perhaps),
            Admin::Groups | Admin::Deny => {}
        }
        let near = self.group(nic.security_group.as_deref(), here, header, false)?;
        let far = self.group(here.subnet.security_group.as_deref(), here, header, false)?;
        Ok(both(near, far))
    }

    fn let_in(
        &self,
        nic: &Nic,
        there: Home<'i>,
        header: Header,
        front: Option<(&str, Option<bool>)>,
    ) -> Step<Passed> {
        if nic.private_endpoint.is_some() {
            let group = there.subnet.security_group.as_deref().filter(|_| there.subnet.endpoint_filters);
            return self.group(group, there, header, true);
        }
        let (outer, inner) = (there.subnet.security_group.as_deref(), nic.security_group.as_deref());
        let bare = outer.is_none() && inner.is_none();
        match self.admin(there, header, true)? {
            Admin::Always if front.is_some() && bare => return Ok(Passed::Perhaps),
            Admin::Always => return Ok(Passed::Surely),
            Admin::Perhaps => return Ok(Passed::Perhaps),
            Admin::Groups | Admin::Deny => {}
        }
        let mut passed = Passed::Surely;
        if let (Some((at, closed)), true) = (front, bare) {
            match closed {
                Some(true) => return stopped(at),
                Some(false) => {}
                None => passed = Passed::Perhaps,
            }
        }
        let outer = self.group(outer, there, header, true)?;
        let inner = self.group(inner, there, header, true)?;
        Ok(both(passed, both(outer, inner)))
    }

    fn admin(&self, home: Home<'i>, header: Header, inbound: bool) -> Step<Admin> {
        let rules = match &home.network.admin_rules {
            Known::Observed(rules) => rules,
            Known::Absent => return Ok(Admin::Groups),
            Known::Unknown(_) => return Ok(Admin::Perhaps),
        };
        // Backwards: what the rules after one say is known when it is looked at.
        let mut said = (Admin::Groups, String::new());
        for rule in rules.iter().rev().filter(|rule| rule.matches.inbound == inbound) {
            let own = match rule.access {
                AdminAccess::Allow => Admin::Groups,
                AdminAccess::AlwaysAllow => Admin::Always,
                AdminAccess::Deny => Admin::Deny,
            };
            match self.matched(&rule.matches, home, header) {
                Some(true) => said = (own, rule.id.clone()),
                Some(false) => {}
                None if said.0 == own => {}
                None => said = (Admin::Perhaps, String::new()),
            }
        }
        if said.0 == Admin::Deny { stopped(&said.1) } else { Ok(said.0) }
    }

    fn group(&self, id: Option<&str>, home: Home<'i>, header: Header, inbound: bool) -> Step<Passed> {
        let Some(id) = id else { return Ok(Passed::Surely) };
        let Some(group) = self.0.security_groups.iter().find(|group| group.id == id) else {
            return Ok(Passed::Perhaps);
        };
        let mut said = Some(false);
        for rule in group.rules.iter().rev().filter(|rule| rule.matches.inbound == inbound) {
            match self.matched(&rule.matches, home, header) {
                Some(true) => said = Some(rule.allow),
                Some(false) => {}
                None if said == Some(rule.allow) => {}
                None => said = None,
            }
        }
        match said {
            Some(true) => Ok(Passed::Surely),
            Some(false) => stopped(id),
            None => Ok(Passed::Perhaps),
        }
    }

    /// Whether a rule is about a packet; `None` when that is not settled.
    fn matched(&self, matches: &Matches, home: Home<'i>, header: Header) -> Option<bool> {
        if matches.protocol.is_some_and(|protocol| protocol != header.protocol) {
            return Some(false);
        }
        let source = self.any(&matches.sources, home, header.from);
        let destination = self.any(&matches.destinations, home, header.to);
        if source == Some(false) || destination == Some(false) {
            return Some(false);
        }
        let mut settled = source == Some(true) && destination == Some(true);
        if header.protocol == 6 || header.protocol == 17 {
            let within = |spans: &[cadastre_model::asset::azure::network::Span], port: u16| {
                spans.iter().any(|span| span.from <= port && port <= span.to)
            };
            if !within(&matches.source_ports, header.from_port) || !within(&matches.ports, header.to_port) {
                return Some(false);
            }
        } else if matches.protocol.is_none() {
            let all = |spans: &[cadastre_model::asset::azure::network::Span]| {
                spans.iter().any(|span| span.from == 0 && span.to == u16::MAX)
            };
            settled &= all(&matches.source_ports) && all(&matches.ports);
        }
        settled.then_some(true)
    }

    fn any(&self, peers: &[Peer], home: Home<'i>, address: Ipv4Addr) -> Option<bool> {
        let mut answer = Some(false);
        for peer in peers {
            match self.is(peer, home, address) {
                Some(true) => return Some(true),
                Some(false) => {}
                None => answer = None,
            }
        }
        answer
    }

    /// Whether an address is what a peer of a rule stands for.
    fn is(&self, peer: &Peer, home: Home<'i>, address: Ipv4Addr) -> Option<bool> {
        match peer {
            Peer::Any => Some(true),
            Peer::Cidr(range) => Some(range.contains(&IpAddr::V4(address))),
            Peer::NetworkGroup(_) => None,
            Peer::ApplicationGroup(group) => {
                let member = self.0.interfaces.iter().any(|nic| {
                    nic.network == home.network.id
                        && nic.application_groups.contains(group)
                        && nic.addresses.iter().any(|own| own.private.addr() == IpAddr::V4(address))
                });
                let complete = self.0.subscriptions.iter().any(|subscription| {
                    subscription.id == home.network.subscription
                        && subscription.interfaces.observed().is_some()
                });
                let inside = home.network.cidrs.iter().any(|range| range.contains(&IpAddr::V4(address)));
                if member {
                    Some(true)
                } else if complete || !inside {
                    Some(false)
                } else {
                    None
                }
            }
            Peer::Tag(name) if name == "VirtualNetwork" => self.in_network_tag(home, address),
            Peer::Tag(name) if name == "Internet" => {
                if is_private(address) {
                    return Some(false);
                }
                self.in_network_tag(home, address).map(|inside| !inside)
            }
            Peer::Tag(name) if name == "AzureLoadBalancer" => Some(address == HOST),
            Peer::Tag(name) => self.in_service(name, address),
        }
    }

    fn in_service(&self, name: &str, address: Ipv4Addr) -> Option<bool> {
        let mut tags = self.0.service_tags.iter().filter(|tag| tag.name == *name).peekable();
        if tags.peek().is_none() {
            return if is_private(address) { Some(false) } else { None };
        }
        Some(tags.any(|tag| tag.ranges.iter().any(|range| range.contains(&IpAddr::V4(address)))))
    }

    fn in_network_tag(&self, home: Home<'i>, address: Ipv4Addr) -> Option<bool> {
        let whole = IpAddr::V4(address);
        let mut inside = address == HOST || home.network.cidrs.iter().any(|range| range.contains(&whole));
        for peering in peerings(home.network) {
            inside |= peering.remote_cidrs.iter().any(|range| range.contains(&whole));
        }
        let mut open = taught(home.network);
        for route in home.table.into_iter().flat_map(|table| &table.routes) {
            match &route.destination {
                Peer::Cidr(range) if range.prefix_len() == 0 => open = true,
                Peer::Cidr(range) => inside |= range.contains(&whole),
                Peer::Tag(name) => match self.in_service(name, address) {
                    Some(within) => inside |= within,
                    None => open = true,
                },
                _ => {}
            }
        }
        if inside {
            Some(true)
        } else if open {
            None
        } else {
            Some(false)
        }
    }

    /// Where a subnet sends a packet.
    fn route(&self, home: Home<'i>, to: Ipv4Addr) -> Step<Towards<'i>> {
        let address = IpAddr::V4(to);
        // The longest one; of two alike: own by range, own by tag, the network, a peering, Azure's.
        let mut best: Option<(u8, u8)> = None;
        let mut own: Option<&'i Route> = None;
        let mut across: Option<&'i Peering> = None;
        let mut kind = "";
        let mut offer = |length: u8, rank: u8| {
            let better = best
                .is_none_or(|(known, by)| (length, std::cmp::Reverse(rank)) > (known, std::cmp::Reverse(by)));
            if better {
                best = Some((length, rank));
            }
            better
        };
        for range in ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"] {
            let range: ipnet::IpNet = range.parse().map_err(|_ignored| End::Unknown)?;
            if range.contains(&address) && offer(range.prefix_len(), 4) {
                kind = "nowhere";
            }
        }
        if offer(0, 4) {
            kind = "internet";
        }
        for peering in peerings(home.network) {
            for range in &peering.remote_cidrs {
                if range.contains(&address) && offer(range.prefix_len(), 3) {
                    (kind, across) = ("peering", Some(peering));
                }
            }
        }
        for range in &home.network.cidrs {
            if range.contains(&address) && offer(range.prefix_len(), 2) {
                kind = "local";
            }
        }
        let mut vague = false;
        for route in home.table.into_iter().flat_map(|table| &table.routes) {
            match &route.destination {
                Peer::Cidr(range) if range.contains(&address) && offer(range.prefix_len(), 0) => {
                    (kind, own) = ("own", Some(route));
                }
                Peer::Tag(name) => {
                    let mut known = self.0.service_tags.iter().filter(|tag| tag.name == *name).peekable();
                    vague |= known.peek().is_none() && !is_private(to);
                    for range in known.flat_map(|tag| &tag.ranges) {
                        if range.contains(&address) && offer(range.prefix_len(), 1) {
                            (kind, own) = ("own", Some(route));
                        }
                    }
                }
                _ => {}
            }
        }
        if vague {
            return Err(End::Unknown);
        }
        let length = best.map_or(0, |(length, _)| length);
        let learns = taught(home.network) && home.table.is_none_or(|table| !table.no_gateway_routes);
        if learns && length < 32 && !matches!(kind, "local" | "peering") {
            return Err(End::Unknown);
        }
        let public = !is_private(to);
        let next = own.filter(|_| kind == "own").map(|route| route.next_hop);
        if public
            && !home.subnet.service_endpoints.is_empty()
            && next.is_some_and(|next| next != NextHop::Internet)
        {
            return Err(End::Unknown);
        }
        let table = home.table.map(|table| table.id.as_str()).unwrap_or_default();
        match (kind, next) {
            ("local", _) => Ok(Towards::Own),
            ("peering", _) => across.map(Towards::Across).ok_or(End::Unknown),
            ("internet", _) if public => Ok(Towards::World),
            ("internet" | "nowhere", _) => stopped(&home.network.id),
            (_, Some(NextHop::None)) => stopped(table),
            (_, Some(NextHop::Internet)) if public => Ok(Towards::World),
            (_, Some(NextHop::Local)) if home.network.cidrs.iter().any(|range| range.contains(&address)) => {
                Ok(Towards::Own)
            }
            (_, Some(NextHop::Gateway)) if gateway(home.network) => Ok(Towards::Gateway),
            (_, Some(NextHop::Gateway)) if !taught(home.network) => stopped(table),
            _ => Err(End::Unknown),
        }
    }
}

fn gateway(network: &VirtualNetwork) -> bool {
    network.subnets.iter().any(|subnet| {
        subnet.occupied && matches!(subnet.name.as_str(), "GatewaySubnet" | "RouteServerSubnet")
    })
}

/// Whether a network may learn routes, from a gateway of its own or of a peer.
fn taught(network: &VirtualNetwork) -> bool {
    gateway(network) || peerings(network).any(|peering| peering.use_remote_gateways)
}

fn address_of(nic: &Nic, address: Ipv4Addr) -> Option<&NicAddress> {
    nic.addresses.iter().find(|own| own.private.addr() == IpAddr::V4(address))
}

fn is_member(nic: &Nic, address: &NicAddress, members: &[String]) -> bool {
    let by_address = format!("{} {}", nic.network, address.private.addr());
    members.iter().any(|member| *member == address.id || *member == by_address)
}

fn both(a: Passed, b: Passed) -> Passed {
    if a == Passed::Surely && b == Passed::Surely { Passed::Surely } else { Passed::Perhaps }
}

fn settle(passed: &[Passed], end: End) -> Step<End> {
    if passed.contains(&Passed::Perhaps) { Err(End::Unknown) } else { Ok(end) }
}
