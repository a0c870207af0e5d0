//! The walk of a set of packets, from the opener to the other end and back.

use cadastre_model::Known;
use cadastre_model::asset::azure::network::{NextHop, Nic, NicAddress};
use cadastre_model::reach::{Crossing, Hop};
use ipnet::IpNet;

use super::filters::{self, AdminRuling, Ruling};
use super::fronts::{self, Front, Out};
use super::routes::{self, Way};
use super::sites::{Place, Sites, working};
use super::spaces;
use crate::range;
use crate::trace::packets::{Address, Pattern, Port};
use crate::trace::{Fate, Outcome, Packets};

/// Where packets are, and how they came there.
#[derive(Debug, Clone)]
struct Journey {
    hops: Vec<Hop>,
    crossing: Crossing,
    /// An open question on the way: what is not stopped later is unknown.
    doubt: Option<String>,
}

impl Journey {
    const fn new() -> Self {
        Self { hops: Vec::new(), crossing: Crossing::Local, doubt: None }
    }

    fn past(&self, at: &str, what: String) -> Self {
        let mut next = self.clone();
        next.hops.push(Hop { at: at.to_owned(), what });
        next
    }

    fn doubting(&self, doubt: String) -> Self {
        let mut next = self.clone();
        next.doubt.get_or_insert(doubt);
        next
    }
}

/// Packets that are still on their way.
type Passing = Vec<(Packets, Journey)>;

/// One question being answered.
#[derive(Debug)]
pub(super) struct Walk<'w, 'a> {
    sites: &'w Sites<'a>,
    outcomes: &'w mut Vec<Outcome>,
}

impl<'w, 'a> Walk<'w, 'a> {
    pub(super) const fn new(sites: &'w Sites<'a>, outcomes: &'w mut Vec<Outcome>) -> Self {
        Self { sites, outcomes }
    }

    /// Between two interfaces.
    pub(super) fn between(&mut self, packets: Packets, opener: &'a Nic, target: &'a Nic) {
        let journey = Journey::new();
        let Some((from, to)) = self.places(packets, opener, target) else { return };
        if let Some(endpoint) = &opener.private_endpoint {
            return self.blocked(packets, &journey, endpoint, "private endpoints open no connections");
        }
        if opener.managed || target.managed {
            return self.unknown(packets, &journey, "an interface of a private link service".to_owned());
        }
        let mut arriving = Passing::new();
        for (part, journey) in self.let_out(vec![(packets, journey)], opener, &from) {
            arriving.extend(self.carry(part, &journey, &from, &to, target));
        }
        let arriving = self.let_in(arriving, target, &to, None);
        for (part, journey) in arriving {
            if target.private_endpoint.is_some() {
                self.end(part, journey, Fate::Arrives(target.id.clone()));
                continue;
            }
            self.reply_inside(part, &journey, &to, opener, target);
        }
    }

    fn places(&mut self, packets: Packets, a: &'a Nic, b: &'a Nic) -> Option<(Place<'w, 'a>, Place<'w, 'a>)> {
        let sites = self.sites;
        match (sites.place(a), sites.place(b)) {
            (Ok(a), Ok(b)) if !range::is_v6(packets.source) && !range::is_v6(packets.destination) => {
                Some((a, b))
            }
            (Ok(_), Ok(_)) => {
                self.unknown(packets, &Journey::new(), "IPv6 is not followed in Azure networks".to_owned());
                None
            }
            (Err(missing), _) | (_, Err(missing)) => {
                self.unknown(packets, &Journey::new(), missing);
                None
            }
        }
    }

    /// From the opener's subnet to the target's network.
    fn carry(
        &mut self,
        packets: Packets,
        journey: &Journey,
        from: &Place<'w, 'a>,
        to: &Place<'w, 'a>,
        target: &'a Nic,
    ) -> Passing {
        if let Some(id) = &target.private_endpoint {
            let near = from.site.network.id == to.site.network.id;
            let peering = working(from.site.network).find(|peering| peering.remote == to.site.network.id);
            if near || peering.is_some() {
                let longest =
                    to.site.network.cidrs.iter().filter(|range| range.contains(&packets.destination));
                let whole = longest.map(IpNet::prefix_len).max().unwrap_or(32);
                let shortest = if to.subnet.endpoint_routes { whole } else { 32 };
                if let Some(route) = routes::past_endpoint(from, packets.destination, shortest) {
                    return self.past_endpoint(packets, journey, from, route.next_hop, &route.name);
                }
                let mut next = journey.past(id, "Azure's route to the private endpoint".to_owned());
                next.crossing = if near { Crossing::Local } else { Crossing::Peering };
                return self.enter_endpoint(packets, next, id);
            }
        }
        let mut passing = Passing::new();
        for (part, way, told) in routes::deal(self.sites, from, packets, Address::Destination) {
            let mut next = match &way {
                Way::Local => journey.past(&from.site.network.id, told),
                Way::Peering(peering) => journey.past(&peering.id, told),
                Way::Internet => {
                    let missing = "an address of the network that counts as public".to_owned();
                    self.unknown(part, journey, missing);
                    continue;
                }
                Way::Gateway => {
                    self.unknown(
                        part,
                        journey,
                        "what lies beyond the gateway is not in the evidence".to_owned(),
                    );
                    continue;
                }
                Way::Nowhere(at, told) => {
                    self.blocked(part, journey, at, told);
                    continue;
                }
                Way::Unknown(missing) => {
                    self.unknown(part, journey, missing.clone());
                    continue;
                }
            };
            let reached = match &way {
                Way::Peering(peering) => {
                    next.crossing = Crossing::Peering;
                    peering.remote.as_str()
                }
                _ => from.site.network.id.as_str(),
            };
            if reached != to.site.network.id {
                self.blocked(part, journey, reached, "its addresses are there");
            } else if let Some(id) = &target.private_endpoint {
                passing.extend(self.enter_endpoint(part, next, id));
            } else {
                passing.push((part, next));
            }
        }
        passing
    }

    fn enter_endpoint(&mut self, packets: Packets, journey: Journey, id: &str) -> Passing {
        match self.sites.endpoint(id) {
            Some(endpoint) if endpoint.state.eq_ignore_ascii_case("Approved") => vec![(packets, journey)],
            Some(endpoint) => {
                let told = format!("the connection is not approved but `{}`", endpoint.state);
                self.blocked(packets, &journey, id, &told);
                Vec::new()
            }
            None => {
                self.unknown(packets, &journey, format!("private endpoint `{id}` is not in the evidence"));
                Vec::new()
            }
        }
    }

    fn past_endpoint(
        &mut self,
        packets: Packets,
        journey: &Journey,
        from: &Place<'w, 'a>,
        next_hop: NextHop,
        name: &str,
    ) -> Passing {
        match (next_hop, from.table) {
            (NextHop::None, Some(table)) => {
                self.blocked(packets, journey, &table.id, &format!("route `{name}` leads nowhere"));
            }
            _ => {
                let missing = format!("route `{name}` leads past the private endpoint");
                self.unknown(packets, journey, missing);
            }
        }
        Vec::new()
    }

    /// The reply, from one interface to another.
    fn reply_inside(
        &mut self,
        packets: Packets,
        journey: &Journey,
        to: &Place<'w, 'a>,
        opener: &'a Nic,
        target: &'a Nic,
    ) {
        for (part, way, told) in routes::deal(self.sites, to, packets, Address::Source) {
            let (at, reached) = match &way {
                Way::Local => (&to.site.network.id, &to.site.network.id),
                Way::Peering(peering) => (&peering.id, &peering.remote),
                Way::Internet | Way::Gateway => {
                    let missing = "replies leave the networks in the evidence".to_owned();
                    self.unknown(part, journey, missing);
                    continue;
                }
                Way::Nowhere(at, told) => {
                    self.blocked(part, journey, at, &format!("replies: {told}"));
                    continue;
                }
                Way::Unknown(missing) => {
                    self.unknown(part, journey, format!("replies: {missing}"));
                    continue;
                }
            };
            if *reached == opener.network {
                let next = journey.past(at, format!("replies: {told}"));
                self.end(part, next, Fate::Arrives(target.id.clone()));
            } else {
                self.blocked(part, journey, reached, "replies go there");
            }
        }
    }

    /// From an interface to addresses beyond the evidence.
    pub(super) fn outwards(&mut self, packets: Packets, opener: &'a Nic, address: &'a NicAddress) {
        let journey = Journey::new();
        let Some((from, _)) = self.places(packets, opener, opener) else { return };
        if let Some(endpoint) = &opener.private_endpoint {
            return self.blocked(packets, &journey, endpoint, "private endpoints open no connections");
        }
        if opener.managed {
            return self.unknown(packets, &journey, "an interface of a private link service".to_owned());
        }
        let open = self.apart_from_host(packets, Address::Destination);
        let open = open.into_iter().map(|part| (part, journey.clone())).collect();
        for (part, journey) in self.let_out(open, opener, &from) {
            for (part, way, told) in routes::deal(self.sites, &from, part, Address::Destination) {
                match way {
                    Way::Local => {
                        let missing = format!("name an interface of `{}`", from.site.network.id);
                        self.unknown(part, &journey, missing);
                    }
                    Way::Peering(peering) => self.leave_to_peer(part, &journey, peering, told),
                    Way::Internet => self.leave_to_internet(part, &journey, opener, address, &from, told),
                    Way::Gateway => {
                        let mut next = journey.past(&from.site.network.id, told);
                        next.crossing = Crossing::Transit;
                        self.end(part, next, Fate::Leaves(from.site.network.id.clone()));
                    }
                    Way::Nowhere(at, told) => self.blocked(part, &journey, &at, &told),
                    Way::Unknown(missing) => self.unknown(part, &journey, missing),
                }
            }
        }
    }

    fn leave_to_peer(
        &mut self,
        packets: Packets,
        journey: &Journey,
        peering: &cadastre_model::asset::azure::network::Peering,
        told: String,
    ) {
        if self.sites.sites.contains_key(peering.remote.as_str()) {
            return self.unknown(packets, journey, format!("name an interface of `{}`", peering.remote));
        }
        let mut next = journey.past(&peering.id, told);
        next.crossing = Crossing::Peering;
        self.end(packets, next, Fate::Leaves(peering.id.clone()));
    }

    fn leave_to_internet(
        &mut self,
        packets: Packets,
        journey: &Journey,
        opener: &'a Nic,
        address: &'a NicAddress,
        from: &Place<'w, 'a>,
        told: String,
    ) {
        let mut next = match from.table {
            Some(table) => journey.past(&table.id, told),
            None => journey.past(&from.site.network.id, told),
        };
        next.crossing = if address.public.is_some() && from.subnet.nat_gateway.is_none() {
            Crossing::Internet
        } else {
            Crossing::Nat
        };
        match fronts::out(self.sites, opener, address, from.subnet, packets.protocol) {
            Out::By(id, told) => {
                let next = next.past(&id, told.to_owned());
                self.end(packets, next, Fate::Leaves(id));
            }
            Out::None(id, told) => self.blocked(packets, journey, &id, told),
            Out::Unknown(missing) => self.unknown(packets, journey, missing),
        }
    }

    /// From addresses beyond the evidence to an interface.
    pub(super) fn inwards(&mut self, packets: Packets, target: &'a Nic, address: &'a NicAddress) {
        let journey = Journey::new();
        let Some((to, _)) = self.places(packets, target, target) else { return };
        if target.managed {
            return self.unknown(packets, &journey, "an interface of a private link service".to_owned());
        }
        let network = to.site.network;
        let near = network.cidrs.iter().chain(working(network).flat_map(|peering| &peering.remote_cidrs));
        let near: Vec<(IpNet, ())> =
            near.filter(|range| !range::is_v6(**range)).map(|range| (*range, ())).collect();
        for part in self.apart_from_host(packets, Address::Source) {
            for (part, inside) in part.deal_by_range(Address::Source, near.iter().copied()) {
                if inside.is_some() {
                    self.unknown(part, &journey, format!("name an interface of `{}` or a peer", network.id));
                    continue;
                }
                for (part, public) in routes::by_publicity(self.sites, part, Address::Source) {
                    let forwarded = working(network).any(|peering| peering.allow_forwarded);
                    if public {
                        self.enter_from_internet(part, target, address, &to);
                    } else if to.site.learns || forwarded {
                        let missing = "what gateways and peers forward is not in the evidence".to_owned();
                        self.unknown(part, &journey, missing);
                    } else {
                        self.blocked(
                            part,
                            &journey,
                            &network.id,
                            "no gateway and no peer brings private addresses in",
                        );
                    }
                }
            }
        }
    }

    fn enter_from_internet(
        &mut self,
        packets: Packets,
        target: &'a Nic,
        address: &'a NicAddress,
        to: &Place<'w, 'a>,
    ) {
        let journey = Journey::new();
        if target.private_endpoint.is_some() {
            return self.blocked(packets, &journey, &target.id, "private endpoints have no public address");
        }
        let fronts = fronts::of(self.sites, target, address, packets.protocol);
        let patterns = fronts.iter().map(|front| (Pattern { range: None, ports: front.ports }, front));
        for (part, front) in packets.deal(Address::Source, Port::Destination, patterns) {
            let Some(front) = front else {
                self.blocked(
                    part,
                    &journey,
                    &target.id,
                    "no public address and no load balancer leads to it",
                );
                continue;
            };
            let mut next = journey.past(&front.at, front.told.clone());
            next.crossing = Crossing::Internet;
            for (part, journey) in self.let_in(vec![(part, next)], target, to, Some(front)) {
                self.reply_outside(part, &journey, to, target);
            }
        }
    }

    /// The reply to the internet.
    fn reply_outside(&mut self, packets: Packets, journey: &Journey, to: &Place<'w, 'a>, target: &'a Nic) {
        for (part, way, told) in routes::deal(self.sites, to, packets, Address::Source) {
            match way {
                Way::Internet => {
                    let at = to.table.map_or(to.site.network.id.as_str(), |table| table.id.as_str());
                    let next = journey.past(at, format!("replies: {told}"));
                    self.end(part, next, Fate::Arrives(target.id.clone()));
                }
                Way::Nowhere(at, told) => self.blocked(part, journey, &at, &format!("replies: {told}")),
                Way::Unknown(missing) => self.unknown(part, journey, format!("replies: {missing}")),
                Way::Local | Way::Peering(_) | Way::Gateway => {
                    self.unknown(part, journey, "replies leave by another way".to_owned());
                }
            }
        }
    }

    /// Outgoing rules: of the manager, of the interface's group, of the subnet's group.
    fn let_out(&mut self, passing: Passing, nic: &Nic, place: &Place<'w, 'a>) -> Passing {
        let groups = [nic.security_group.as_deref(), place.subnet.security_group.as_deref()];
        self.filter(passing, place, groups, false, true, None)
    }

    /// Incoming rules: of the manager, of the subnet's group, of the interface's group.
    fn let_in(
        &mut self,
        passing: Passing,
        nic: &Nic,
        place: &Place<'w, 'a>,
        front: Option<&Front>,
    ) -> Passing {
        if nic.private_endpoint.is_some() {
            let group = place.subnet.security_group.as_deref().filter(|_| place.subnet.endpoint_filters);
            return self.filter(passing, place, [group, None], true, false, front);
        }
        let groups = [place.subnet.security_group.as_deref(), nic.security_group.as_deref()];
        self.filter(passing, place, groups, true, true, front)
    }

    fn filter(
        &mut self,
        passing: Passing,
        place: &Place<'w, 'a>,
        groups: [Option<&str>; 2],
        inbound: bool,
        managed: bool,
        front: Option<&Front>,
    ) -> Passing {
        let sites = self.sites;
        let mut asked = Passing::new();
        let mut past = Passing::new();
        for (packets, journey) in passing {
            let rules = match &place.site.network.admin_rules {
                _ if !managed => {
                    asked.push((packets, journey));
                    continue;
                }
                Known::Observed(rules) => rules.as_slice(),
                Known::Absent => &[],
                Known::Unknown(missing) => {
                    let doubt = format!("security admin rules of `{}`: {missing}", place.site.network.id);
                    past.push((packets, journey.doubting(doubt)));
                    continue;
                }
            };
            for (part, ruling) in filters::admin(sites, place, rules, inbound, packets) {
                match ruling {
                    AdminRuling::Groups => asked.push((part, journey.clone())),
                    AdminRuling::Always(id) if front.is_some() && groups == [None, None] => {
                        past.push((
                            part,
                            journey.doubting(format!("whether `{id}` opens a front without a group")),
                        ));
                    }
                    AdminRuling::Always(id) => {
                        past.push((part, journey.past(&id, "always allows it".to_owned())));
                    }
                    AdminRuling::Deny(id) => self.blocked(part, &journey, &id, "denies it"),
                    AdminRuling::Unknown(missing) => past.push((part, journey.doubting(missing))),
                }
            }
        }
        let mut asked = self.opened(asked, groups, front);
        for group in groups.into_iter().flatten() {
            asked = self.group(asked, place, group, inbound);
        }
        past.extend(asked);
        past
    }

    /// What no security group guards is open inside, and closed towards the internet where the front is of the
    /// standard kind.
    fn opened(&mut self, passing: Passing, groups: [Option<&str>; 2], front: Option<&Front>) -> Passing {
        let Some(front) = front.filter(|_| groups == [None, None]) else { return passing };
        let mut open = Passing::new();
        for (part, journey) in passing {
            match front.closed {
                Some(false) => open.push((part, journey)),
                Some(true) => self.blocked(part, &journey, &front.at, "no security group opens it"),
                None => {
                    let doubt = format!("whether `{}` is closed by default", front.at);
                    open.push((part, journey.doubting(doubt)));
                }
            }
        }
        open
    }

    fn group(&mut self, passing: Passing, place: &Place<'w, 'a>, id: &str, inbound: bool) -> Passing {
        let sites = self.sites;
        let mut passed = Passing::new();
        for (packets, journey) in passing {
            let group = match sites.group(id) {
                Ok(group) => group,
                Err(missing) => {
                    passed.push((packets, journey.doubting(missing)));
                    continue;
                }
            };
            for (part, ruling) in filters::group(sites, place, group, inbound, packets) {
                match ruling {
                    Ruling::Allow(name) => {
                        passed.push((part, journey.past(id, format!("rule `{name}` allows it"))))
                    }
                    Ruling::Deny(name) => {
                        self.blocked(part, &journey, id, &format!("rule `{name}` denies it"))
                    }
                    Ruling::Unknown(missing) => passed.push((part, journey.doubting(missing))),
                }
            }
        }
        passed
    }

    /// The platform's own address is neither inside nor outside.
    fn apart_from_host(&mut self, packets: Packets, address: Address) -> Vec<Packets> {
        let mut rest = Vec::new();
        let pattern = Pattern { range: Some(spaces::host()), ports: crate::trace::PortRange::ALL };
        if let Some(host) = packets.cut(address, Port::Translated, pattern, &mut rest) {
            self.unknown(host, &Journey::new(), "the address of the host that Azure runs it on".to_owned());
        }
        rest
    }

    fn blocked(&mut self, packets: Packets, journey: &Journey, at: &str, what: &str) {
        let hop = Hop { at: at.to_owned(), what: what.to_owned() };
        self.outcomes.push(Outcome {
            packets,
            fate: Fate::Blocked(hop),
            crossing: journey.crossing,
            hops: journey.hops.clone(),
        });
    }

    fn unknown(&mut self, packets: Packets, journey: &Journey, missing: String) {
        self.outcomes.push(Outcome {
            packets,
            fate: Fate::Unknown(missing),
            crossing: journey.crossing,
            hops: journey.hops.clone(),
        });
    }

    fn end(&mut self, packets: Packets, journey: Journey, fate: Fate) {
        match journey.doubt.clone() {
            Some(doubt) => self.unknown(packets, &journey, doubt),
            None => {
                self.outcomes.push(Outcome { packets, fate, crossing: journey.crossing, hops: journey.hops })
            }
        }
    }
}
