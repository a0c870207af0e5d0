//! What stands behind a route: gateways, peering, endpoints, and what is opaque.

use cadastre_model::asset::network::{Gateway, GatewayKind, NetworkInterface, Peering, RouteTable};
use cadastre_model::reach::{Crossing, Hop};
use ipnet::{IpNet, Ipv6Net};

use super::Fate;
use super::filters::GROUPS_ACROSS;
use super::packets::{Address, Packets, Port};
use super::tracer::{Journey, Routed, Sender, Walk, nobody};
use crate::range;

const LETS_NOBODY_IN: &str = "lets nobody in, and replies would leave by it";

/// NAT64 (RFC 6052 §2.1).
fn translated_v6() -> IpNet {
    let prefix = std::net::Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0);
    Ipv6Net::new(prefix, 96).map_or_else(|_| IpNet::V6(Ipv6Net::default()), IpNet::V6)
}

impl<'t> Walk<'_, 't> {
    /// Packets reach the target of a route other than the local one.
    pub(super) fn pass(&mut self, packets: Packets, journey: Journey<'t>, target: &'t str) {
        let kind = target.split('-').next().unwrap_or_default();
        if kind == "nat" {
            return self.translate(packets, journey, target);
        }
        if kind == "tgw" {
            return self.transit(packets, journey, target);
        }
        for (part, journey) in self.out(packets, journey) {
            match kind {
                "igw" => self.leave_for_internet(part, journey, target, Crossing::Internet),
                "eigw" => self.leave_for_internet(part, journey, target, Crossing::Nat),
                "pcx" => self.peer(part, journey, target),
                "vpce" => self.endpoint(part, journey, target),
                "vgw" | "lgw" | "cagw" => self.beyond(part, journey, target),
                "eni" | "i" => {
                    self.unknown(part, &journey, format!("what the appliance `{target}` does is not known"));
                }
                _ if target.starts_with("arn:") => self.beyond(part, journey, target),
                _ => self.unknown(part, &journey, format!("route target `{target}` is not in the evidence")),
            }
        }
    }

    /// Past the network ACL of the subnet that packets leave.
    pub(super) fn out(&mut self, packets: Packets, journey: Journey<'t>) -> Vec<(Packets, Journey<'t>)> {
        let (_, to, port) = journey.header();
        let acl = journey.place.acl;
        self.acl(vec![(packets, journey)], acl, true, (to, port))
    }

    /// A reply from outside past the network ACL of the subnet of the one who left by a gateway, and home.
    pub(super) fn come_back(&mut self, packets: Packets, journey: Journey<'t>, fate: Fate) {
        let port = match journey.sender {
            Sender::Nat(_) => Port::Translated,
            Sender::Host(_) | Sender::Transit => Port::Source,
        };
        let journey = journey.answering(fate.clone());
        let acl = journey.place.acl;
        for (part, journey) in self.acl(vec![(packets, journey)], acl, false, (Address::Destination, port)) {
            match journey.sender {
                Sender::Host(_) => self.end(part, &journey, fate.clone()),
                Sender::Nat(_) | Sender::Transit => self.send(part, journey),
            }
        }
    }

    fn leave_for_internet(
        &mut self,
        packets: Packets,
        mut journey: Journey<'t>,
        id: &'t str,
        crossing: Crossing,
    ) {
        let Some(gateway) = self.tracer.topology.gateways.get(id).copied() else {
            return self.unknown(packets, &journey, format!("gateway `{id}` is not in the evidence"));
        };
        if gateway.vpc.as_deref() != Some(&journey.place.subnet.vpc) {
            return self.blocked(packets, &journey, id, "is not attached to the VPC");
        }
        let (from, to, _) = journey.header();
        let own = packets.address(from);
        let egress_only = gateway.kind == GatewayKind::EgressOnly;
        if egress_only && journey.answers() {
            return self.unknown(packets, &journey, format!("whether `{id}` lets replies out is not known"));
        }
        match journey.sender {
            Sender::Transit => {
                return self.blocked(packets, &journey, id, "carries packets of its own VPC only");
            }
            Sender::Nat(nat) if egress_only || !nat.public => {
                return self.blocked(packets, &journey, &nat.id, "has no public address");
            }
            Sender::Nat(_) => {}
            Sender::Host(_) if egress_only && !range::is_v6(own) => {
                return self.blocked(packets, &journey, id, "carries IPv6 only");
            }
            Sender::Host(host) => match translated(host, own) {
                Translated::Yes => {}
                Translated::No => return self.blocked(packets, &journey, &host.id, "has no public address"),
                Translated::Unknown => return self.unknown(packets, &journey, which_is_public(host)),
            },
        }
        if let Some(group) = journey.by_group {
            return self.unknown(
                packets,
                &journey,
                format!("whether `{group}` knows groups beyond a gateway is not known"),
            );
        }
        journey.crossing = match journey.sender {
            Sender::Nat(_) => Crossing::Nat,
            Sender::Host(_) | Sender::Transit => crossing,
        };
        for (part, private) in packets.deal_by_range(to, range::not_public().map(|range| (range, ()))) {
            match private {
                Some(()) => self.blocked(part, &journey, id, "carries public addresses only"),
                None => self.on_the_internet(part, journey.clone(), gateway),
            }
        }
    }

    fn on_the_internet(&mut self, packets: Packets, journey: Journey<'t>, gateway: &'t Gateway) {
        let (_, to, _) = journey.header();
        let end = if journey.answers() { self.source } else { self.target };
        match end {
            None => {
                let edge = self.tracer.edge(&gateway.id);
                let fate = Fate::Leaves(gateway.id.clone());
                match journey.sender {
                    Sender::Nat(nat) if edge.is_some() => {
                        let missing = format!(
                            "the address of `{}` that the table of `{}` routes is not in the evidence",
                            nat.id, gateway.id
                        );
                        self.unknown(packets, &journey, missing);
                    }
                    Sender::Nat(_) | Sender::Transit => self.come_back(packets, journey, fate),
                    Sender::Host(_) => {
                        for part in self.past_edge(packets, &journey, edge, Address::Source) {
                            self.come_back(part, journey.clone(), fate.clone());
                        }
                    }
                }
            }
            Some(_) if !range::is_v6(packets.address(to)) => {
                self.blocked(
                    packets,
                    &journey,
                    &gateway.id,
                    "leads to the internet, which does not know the address",
                );
            }
            Some(end) => self.arrive_by_internet(packets, journey, end, gateway),
        }
    }

    /// IPv6 packets of one interface in the evidence come to another over the internet.
    fn arrive_by_internet(
        &mut self,
        packets: Packets,
        mut journey: Journey<'t>,
        end: &'t NetworkInterface,
        left_by: &'t Gateway,
    ) {
        let Some(place) = self.place_of(&end.subnet, packets) else { return };
        let gateway = if journey.answers() { self.opened_by(end) } else { self.internet_gateway(&end.vpc) };
        let gateway = match gateway {
            Some(gateway) => gateway,
            None if journey.answers() => left_by,
            None => return self.blocked(packets, &journey, &end.vpc, "has no internet gateway"),
        };
        let (from, to, port) = journey.header();
        let edge = self.tracer.edge(&gateway.id);
        if !journey.answers() {
            journey.crossing = Crossing::Internet;
        }
        for part in self.past_edge(packets, &journey, edge, to) {
            for (part, journey) in self.acl(vec![(part, journey.clone())], place.acl, false, (from, port)) {
                self.arrive(part, journey, end, place);
            }
        }
    }

    /// The gateway by which replies come back to an opener: where its VPC has an internet gateway with a
    /// table of its own, that table routes them.
    fn opened_by(&self, source: &NetworkInterface) -> Option<&'t Gateway> {
        self.internet_gateway(&source.vpc)
    }

    fn internet_gateway(&self, vpc: &str) -> Option<&'t Gateway> {
        let mut gateways = self.tracer.topology.gateways.values();
        gateways
            .find(|gateway| gateway.kind == GatewayKind::Internet && gateway.vpc.as_deref() == Some(vpc))
            .copied()
    }

    /// Past the table that routes what comes in by a gateway.
    fn past_edge(
        &mut self,
        packets: Packets,
        journey: &Journey<'t>,
        edge: Option<&'t RouteTable>,
        to: Address,
    ) -> Vec<Packets> {
        let Some(edge) = edge else { return vec![packets] };
        let mut passed = Vec::new();
        for (part, routed) in self.routed(packets, edge, to) {
            match routed {
                Routed::By(way) if way.blackhole => self.blocked(part, journey, &edge.id, "is a black hole"),
                Routed::By(way) if way.target == "local" => passed.push(part),
                Routed::By(way) => {
                    self.unknown(
                        part,
                        journey,
                        format!("what `{}` does with packets that come in is not known", way.target),
                    );
                }
                Routed::No => self.blocked(part, journey, &edge.id, "no route leads there"),
                Routed::Unknown(missing) => self.unknown(part, journey, missing),
            }
        }
        passed
    }

    fn translate(&mut self, packets: Packets, journey: Journey<'t>, id: &'t str) {
        let nat = self.tracer.topology.gateways.get(id).copied();
        let Some(nat) = nat.filter(|gateway| gateway.kind == GatewayKind::Nat) else {
            return self.unknown(packets, &journey, format!("NAT gateway `{id}` is not in the evidence"));
        };
        let Some(subnet) = nat.subnet.as_deref() else {
            return self.unknown(packets, &journey, format!("the subnet of `{id}` is not in the evidence"));
        };
        let Some(place) = self.place_of(subnet, packets) else { return };
        let (from, to, port) = journey.header();
        let mut passing = vec![(packets, journey)];
        let stays = passing.iter().all(|(_, journey)| journey.place.subnet.id == place.subnet.id);
        if !stays {
            passing = passing.into_iter().flat_map(|(part, journey)| self.out(part, journey)).collect();
            passing = self.acl(passing, place.acl, false, (from, port));
        }
        for (part, journey) in passing {
            if journey.answers() {
                self.blocked(part, &journey, id, "would translate replies");
            } else if matches!(journey.sender, Sender::Nat(_)) {
                self.blocked(part, &journey, id, "does not translate twice");
            } else if range::is_v6(part.destination) {
                for (part, nat64) in part.deal_by_range(to, [(translated_v6(), ())]) {
                    match nat64 {
                        Some(()) => self.unknown(
                            part,
                            &journey,
                            format!("what `{id}` translates to IPv4 is not modelled"),
                        ),
                        None => self.blocked(part, &journey, id, "carries IPv4 only"),
                    }
                }
            } else {
                let hop = Hop { at: id.to_owned(), what: "translates to its own address".to_owned() };
                self.send_translated(part, journey.past(hop).sent_from(place, Sender::Nat(nat)), nat);
            }
        }
    }

    /// What a NAT gateway sends on. Its own address is not in the evidence, so only ways on which nobody
    /// looks at it are followed.
    fn send_translated(&mut self, packets: Packets, journey: Journey<'t>, nat: &'t Gateway) {
        let (_, to, _) = journey.header();
        let table = journey.place.table;
        for (part, routed) in self.routed(packets, table, to) {
            match routed {
                Routed::By(way) if !way.blackhole && !leads_to_public(&way.target) => {
                    let missing = format!(
                        "what `{}` translates on its way to `{}` is not modelled",
                        nat.id, way.target
                    );
                    self.unknown(part, &journey, missing);
                }
                _ => self.send(part, journey.clone()),
            }
        }
    }

    /// The peering connection, if it is known and carries anything; otherwise the packets have met their fate.
    fn active_peering(
        &mut self,
        packets: Packets,
        journey: &Journey<'t>,
        id: &'t str,
    ) -> Option<&'t Peering> {
        let Some(peering) = self.tracer.topology.peerings.get(id).copied() else {
            self.unknown(packets, journey, format!("peering connection `{id}` is not in the evidence"));
            return None;
        };
        if peering.status != "active" {
            self.blocked(packets, journey, id, format!("is {}", peering.status));
            return None;
        }
        Some(peering)
    }

    fn peer(&mut self, packets: Packets, mut journey: Journey<'t>, id: &'t str) {
        let Some(peering) = self.active_peering(packets, &journey, id) else { return };
        if !matches!(journey.sender, Sender::Host(_)) {
            return self.blocked(packets, &journey, id, "carries packets of its own VPC only");
        }
        let own = &journey.place.subnet.vpc;
        let (far, ranges) = if peering.requester_vpc == *own {
            (&peering.accepter_vpc, &peering.accepter_cidrs)
        } else if peering.accepter_vpc == *own {
            (&peering.requester_vpc, &peering.requester_cidrs)
        } else {
            return self.blocked(packets, &journey, id, "does not belong to the VPC");
        };
        if ranges.is_empty() {
            return self.unknown(
                packets,
                &journey,
                format!("the ranges beyond `{id}` are not in the evidence"),
            );
        }
        journey.crossing = if journey.answers() { journey.crossing } else { Crossing::Peering };
        let (from, to, port) = journey.header();
        for (part, inside) in packets.deal_by_range(to, ranges.iter().map(|range| (*range, ()))) {
            if inside.is_none() {
                self.blocked(part, &journey, id, format!("carries nothing beyond `{far}`"));
            } else if self.internet && !journey.answers() {
                self.blocked(
                    part,
                    &journey,
                    id,
                    format!("leads to `{far}`, which has the addresses for itself"),
                );
            } else if !self.tracer.topology.vpcs.contains_key(far.as_str()) {
                self.leave_by(part, journey.clone(), id);
            } else {
                if self.lands_inside(&journey) {
                    self.inside(part, &journey, far);
                    continue;
                }
                let Some(owner) = self.owner(part, far, to) else {
                    self.unknown(part, &journey, nobody(far));
                    continue;
                };
                let Some(place) = self.place_of(&owner.subnet, part) else { continue };
                let passing = vec![(part, journey.clone())];
                for (part, journey) in self.acl(passing, place.acl, false, (from, port)) {
                    self.arrive(part, journey, owner, place);
                }
            }
        }
    }

    /// Out of what the evidence shows, through a gateway whose far side is a network of its own.
    pub(super) fn leave_by(&mut self, packets: Packets, journey: Journey<'t>, id: &str) {
        if journey.answers() || self.target.is_some() {
            return self.blocked(packets, &journey, id, "leads to another network");
        }
        self.come_back(packets, journey, Fate::Leaves(id.to_owned()));
    }

    fn endpoint(&mut self, packets: Packets, mut journey: Journey<'t>, id: &'t str) {
        let Some(endpoint) = self.tracer.topology.endpoints.get(id).copied() else {
            return self.unknown(packets, &journey, format!("VPC endpoint `{id}` is not in the evidence"));
        };
        if !endpoint.state.eq_ignore_ascii_case("available") {
            return self.blocked(packets, &journey, id, format!("is {}", endpoint.state));
        }
        if endpoint.kind != "Gateway" {
            return self.unknown(
                packets,
                &journey,
                format!("what the appliance behind `{id}` does is not known"),
            );
        }
        if endpoint.vpc != journey.place.subnet.vpc || matches!(journey.sender, Sender::Transit) {
            return self.blocked(packets, &journey, id, "carries packets of its own VPC only");
        }
        if !journey.answers() {
            journey.crossing = Crossing::Endpoint;
        }
        let what = format!("leads to {}", endpoint.service);
        if self.internet && !journey.answers() {
            return self.blocked(packets, &journey, id, what);
        }
        self.leave_by(packets, journey.past(Hop { at: id.to_owned(), what }), id);
    }

    /// A virtual private gateway, or another way to networks that are not modelled.
    fn beyond(&mut self, packets: Packets, mut journey: Journey<'t>, id: &'t str) {
        if !matches!(journey.sender, Sender::Host(_)) {
            return self.blocked(packets, &journey, id, "carries packets of its own VPC only");
        }
        if let Some(missing) = self.not_across(&journey) {
            return self.unknown(packets, &journey, missing);
        }
        if journey.answers() || self.target.is_some() {
            return self.unknown(
                packets,
                &journey,
                format!("what lies beyond `{id}` is not in the evidence"),
            );
        }
        journey.crossing = Crossing::Transit;
        if self.internet {
            return self.beyond_evidence(packets, &journey, id);
        }
        self.come_back(packets, journey, Fate::Leaves(id.to_owned()));
    }

    /// Why packets that a rule about a group lets out cannot be followed across a router.
    pub(super) fn not_across(&self, journey: &Journey<'t>) -> Option<&'static str> {
        journey.by_group.filter(|_| !journey.answers()).map(|_| GROUPS_ACROSS)
    }

    /// The opener is outside: it comes in where replies to it would leave.
    pub(super) fn enter(&mut self, packets: Packets, target: &'t NetworkInterface) {
        let Some(place) = self.place_of(&target.subnet, packets) else { return };
        let journey = Self::start(place, Sender::Host(target), Crossing::Local);
        let table = place.table;
        for (part, routed) in self.routed(packets, table, Address::Source) {
            let way = match routed {
                Routed::By(way) if !way.blackhole => way,
                Routed::By(_) => {
                    self.blocked(part, &journey, &table.id, "the route that replies take is a black hole");
                    continue;
                }
                Routed::No => {
                    self.blocked(part, &journey, &table.id, "no route leads replies back");
                    continue;
                }
                Routed::Unknown(missing) => {
                    self.unknown(part, &journey, missing);
                    continue;
                }
            };
            match way.target.split('-').next().unwrap_or_default() {
                "igw" => self.enter_by_internet(part, &journey, target, &way.target),
                "pcx" => self.enter_by_peering(part, &journey, target, &way.target),
                "tgw" => self.enter_by_transit(part, &journey, target, &way.target),
                "vgw" | "lgw" | "cagw" => {
                    let mut journey = journey.clone();
                    journey.crossing = Crossing::Transit;
                    if self.internet {
                        self.beyond_evidence(part, &journey, &way.target);
                    } else {
                        self.admit(vec![(part, journey)], target);
                    }
                }
                "nat" | "eigw" => self.blocked(part, &journey, &way.target, LETS_NOBODY_IN),
                "vpce" if self.is_gateway_endpoint(&way.target) => {
                    self.blocked(part, &journey, &way.target, LETS_NOBODY_IN);
                }
                "local" => self.inside(part, &journey, &target.vpc),
                _ => self.unknown(part, &journey, format!("what `{}` does is not known", way.target)),
            }
        }
    }

    fn is_gateway_endpoint(&self, id: &str) -> bool {
        self.tracer.topology.endpoints.get(id).is_some_and(|endpoint| endpoint.kind == "Gateway")
    }

    fn enter_by_internet(
        &mut self,
        packets: Packets,
        journey: &Journey<'t>,
        target: &'t NetworkInterface,
        id: &'t str,
    ) {
        let mut journey = journey.clone();
        journey.crossing = Crossing::Internet;
        let Some(gateway) = self.tracer.topology.gateways.get(id) else {
            return self.unknown(packets, &journey, format!("gateway `{id}` is not in the evidence"));
        };
        if gateway.vpc.as_deref() != Some(&target.vpc) {
            return self.blocked(packets, &journey, id, "is not attached to the VPC");
        }
        match translated(target, packets.destination) {
            Translated::Yes => {}
            Translated::No => return self.blocked(packets, &journey, &target.id, "has no public address"),
            Translated::Unknown => return self.unknown(packets, &journey, which_is_public(target)),
        }
        let private = range::not_public().map(|range| (range, ()));
        for (part, private) in packets.deal_by_range(Address::Source, private) {
            if private.is_some() {
                self.blocked(part, &journey, id, "carries public addresses only");
                continue;
            }
            let edge = self.tracer.edge(id);
            let hop = Hop { at: id.to_owned(), what: "brings it from the internet".to_owned() };
            let journey = journey.clone().past(hop);
            for part in self.past_edge(part, &journey, edge, Address::Destination) {
                self.admit(vec![(part, journey.clone())], target);
            }
        }
    }

    fn enter_by_peering(
        &mut self,
        packets: Packets,
        journey: &Journey<'t>,
        target: &'t NetworkInterface,
        id: &'t str,
    ) {
        let mut journey = journey.clone();
        journey.crossing = Crossing::Peering;
        let Some(peering) = self.active_peering(packets, &journey, id) else { return };
        let (far, ranges) = if peering.requester_vpc == target.vpc {
            (&peering.accepter_vpc, &peering.accepter_cidrs)
        } else if peering.accepter_vpc == target.vpc {
            (&peering.requester_vpc, &peering.requester_cidrs)
        } else {
            return self.blocked(packets, &journey, id, "does not belong to the VPC");
        };
        if ranges.is_empty() {
            return self.unknown(
                packets,
                &journey,
                format!("the ranges beyond `{id}` are not in the evidence"),
            );
        }
        for (part, inside) in packets.deal_by_range(Address::Source, ranges.iter().map(|range| (*range, ())))
        {
            if inside.is_none() || self.internet {
                self.blocked(part, &journey, id, format!("carries nothing from beyond `{far}`"));
            } else if self.tracer.topology.vpcs.contains_key(far.as_str()) {
                self.inside(part, &journey, far);
            } else {
                self.admit(vec![(part, journey.clone())], target);
            }
        }
    }

    /// Past the network ACL and groups of the other end, and replies out of its subnet.
    pub(super) fn admit(&mut self, passing: Vec<(Packets, Journey<'t>)>, target: &'t NetworkInterface) {
        for (part, journey) in self.admitted(passing, target, true) {
            self.end(part, &journey, Fate::Arrives(target.id.clone()));
        }
    }

    /// The same, without saying that they arrived.
    pub(super) fn admitted(
        &mut self,
        mut passing: Vec<(Packets, Journey<'t>)>,
        target: &'t NetworkInterface,
        filtered: bool,
    ) -> Vec<(Packets, Journey<'t>)> {
        if filtered {
            passing = passing
                .into_iter()
                .flat_map(|(part, journey)| {
                    let acl = journey.place.acl;
                    self.acl(vec![(part, journey)], acl, false, (Address::Source, Port::Destination))
                })
                .collect();
        }
        let mut admitted = Vec::new();
        for (part, journey) in passing {
            for (part, journey) in self.enter_groups(part, target, &journey) {
                let journey = journey.answering(Fate::Arrives(target.id.clone()));
                admitted.push((part, journey));
            }
        }
        if !filtered {
            return admitted;
        }
        admitted.into_iter().flat_map(|(part, journey)| self.out(part, journey)).collect()
    }
}

/// Whether an address of an interface is known to the internet.
enum Translated {
    Yes,
    No,
    Unknown,
}

fn translated(interface: &NetworkInterface, address: IpNet) -> Translated {
    if range::is_v6(address) {
        return Translated::Yes;
    }
    let v4 = |texts: &[String]| texts.iter().filter(|text| !text.contains(':')).count();
    let public = v4(&interface.public_addresses);
    let first = interface.private_addresses.iter().find(|text| !text.contains(':'));
    if public == 0 {
        Translated::No
    } else if public >= v4(&interface.private_addresses)
        || first.and_then(|text| range::of_address(text)) == Some(address)
    {
        Translated::Yes
    } else {
        Translated::Unknown
    }
}

fn which_is_public(interface: &NetworkInterface) -> String {
    format!("which private address of `{}` has its public one is not in the evidence", interface.id)
}

/// Whether what a NAT gateway sends there is seen with its public address, or by nobody.
fn leads_to_public(target: &str) -> bool {
    target.starts_with("igw-")
        || target.starts_with("eigw-")
        || target.starts_with("vpce-")
        || target.starts_with("nat-")
}
