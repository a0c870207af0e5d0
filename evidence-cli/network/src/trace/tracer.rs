//! The walk of a set of packets: from the opener through routes to the other end, and back.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use cadastre_model::asset::network::{Destination, Gateway, NetworkInterface, RouteTable, TransitRouteTable};
use cadastre_model::inventory::Inventory;
use cadastre_model::reach::{Crossing, Hop};
use ipnet::IpNet;
use thiserror::Error;

use super::packets::{Address, Packets, Port, PortRange};
use super::{Answer, Family, Fate, Outcome, Party, Question};
use crate::topology::{Place, Topology};
use crate::{lanes, range};

/// How many subnets a packet may be sent on from, there and back, before it is said to go in circles.
pub(super) const MOST_SENDS: u8 = 12;

/// Interfaces that are no end of a connection: what comes to them goes on to others (`InterfaceType` of
/// `DescribeNetworkInterfaces`, Amazon EC2 API reference). Application load balancers have interfaces of no own type.
const PASSES_ON: [&str; 3] = ["gateway_load_balancer", "load_balancer", "network_load_balancer"];

/// Why a question cannot be answered.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum QuestionError {
    /// No such interface.
    #[error("network interface `{0}` is not in the evidence")]
    UnknownInterface(String),
    /// Nothing of it is in the evidence.
    #[error("neither end is an interface in the evidence")]
    NoInterface,
}

/// A route of a table, with its destination resolved.
#[derive(Debug, Clone)]
pub(super) struct Way {
    destination: IpNet,
    /// The prefix list that it came from.
    list: Option<String>,
    pub(super) target: String,
    pub(super) blackhole: bool,
}

/// The routes of a table, those that win first.
#[derive(Debug, Default)]
struct Ways {
    ways: Vec<Way>,
    /// Prefix lists of gateway endpoints whose entries are not known.
    open: Vec<String>,
    /// A prefix list without known entries that leads anywhere else: it may take any packet.
    missing: Option<String>,
}

/// Answers questions over one inventory.
#[derive(Debug)]
pub struct Tracer<'a> {
    pub(super) topology: Topology<'a>,
    interfaces: BTreeMap<&'a str, &'a NetworkInterface>,
    /// Who has an address, by VPC.
    owners: BTreeMap<&'a str, BTreeMap<IpNet, &'a NetworkInterface>>,
    ways: BTreeMap<&'a str, Ways>,
    /// Route tables of what comes in by a gateway.
    edges: BTreeMap<&'a str, &'a RouteTable>,
    pub(super) attachments: BTreeMap<&'a str, &'a Gateway>,
    pub(super) transit_tables: BTreeMap<&'a str, &'a TransitRouteTable>,
}

/// What sends a packet into the network of a VPC.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sender<'t> {
    Host(&'t NetworkInterface),
    Nat(&'t Gateway),
    Transit,
}

/// Whether packets are on their way, or the replies to them.
#[derive(Debug, Clone)]
enum Phase {
    Asking,
    /// With what becomes of them once the replies are back.
    Answering(Fate),
}

/// Where packets are, and how they came there.
#[derive(Debug, Clone)]
pub(super) struct Journey<'t> {
    phase: Phase,
    pub(super) place: Place<'t>,
    pub(super) sender: Sender<'t>,
    pub(super) crossing: Crossing,
    /// The group whose rule lets them out because it knows the other end by its group.
    pub(super) by_group: Option<&'t str>,
    hops: Vec<Hop>,
    sends: u8,
}

impl<'t> Journey<'t> {
    pub(super) fn past(mut self, hop: Hop) -> Self {
        self.hops.push(hop);
        self
    }

    pub(super) const fn answers(&self) -> bool {
        matches!(self.phase, Phase::Answering(_))
    }

    /// Where the packet comes from, where it goes, and to which port.
    pub(super) const fn header(&self) -> (Address, Address, Port) {
        match self.phase {
            Phase::Asking => (Address::Source, Address::Destination, Port::Destination),
            Phase::Answering(_) => (Address::Destination, Address::Source, Port::Source),
        }
    }

    /// The replies, once packets have come to an end that answers.
    pub(super) fn answering(mut self, fate: Fate) -> Self {
        self.phase = Phase::Answering(fate);
        self
    }

    pub(super) const fn sent_from(mut self, place: Place<'t>, sender: Sender<'t>) -> Self {
        self.place = place;
        self.sender = sender;
        self
    }
}

/// One question being answered.
#[derive(Debug)]
pub(super) struct Walk<'w, 't> {
    pub(super) tracer: &'t Tracer<'t>,
    /// The opener, where it is an interface.
    pub(super) source: Option<&'t NetworkInterface>,
    /// The other end, where it is an interface.
    pub(super) target: Option<&'t NetworkInterface>,
    /// An end is the internet, and no other network that has the same addresses.
    pub(super) internet: bool,
    outcomes: &'w mut Vec<Outcome>,
    pub(super) open: &'w mut BTreeSet<String>,
}

impl<'a> Tracer<'a> {
    /// Indexes an inventory.
    #[must_use]
    pub fn new(inventory: &'a Inventory) -> Self {
        let topology = Topology::new(inventory);
        let mut owners: BTreeMap<&str, BTreeMap<IpNet, &NetworkInterface>> = BTreeMap::new();
        for interface in &inventory.interfaces {
            for address in addresses(interface) {
                owners.entry(&interface.vpc).or_default().entry(address).or_insert(interface);
            }
        }
        let ways =
            inventory.route_tables.iter().map(|table| (table.id.as_str(), ways(&topology, table))).collect();
        let edges = inventory.route_tables.iter();
        let attachments = inventory.gateways.iter().filter(|gateway| gateway.transit_gateway.is_some());
        Self {
            interfaces: inventory
                .interfaces
                .iter()
                .map(|interface| (interface.id.as_str(), interface))
                .collect(),
            owners,
            ways,
            edges: edges
                .flat_map(|table| table.gateways.iter().map(move |gateway| (gateway.as_str(), table)))
                .collect(),
            attachments: attachments.map(|attachment| (attachment.id.as_str(), attachment)).collect(),
            transit_tables: inventory
                .transit_route_tables
                .iter()
                .map(|table| (table.id.as_str(), table))
                .collect(),
            topology,
        }
    }

    /// Says what becomes of every packet of a question.
    ///
    /// # Errors
    /// When an end is not in the evidence, or neither is an interface.
    pub fn trace(&self, question: &Question) -> Result<Answer, QuestionError> {
        let mut outcomes = Vec::new();
        let mut open = BTreeSet::new();
        let (source, target) = (self.party(&question.from)?, self.party(&question.to)?);
        let internet = [&question.from, &question.to].iter().any(|end| matches!(end, Party::Internet(_)));
        let mut walk =
            Walk { tracer: self, source, target, internet, outcomes: &mut outcomes, open: &mut open };
        let ends = |interface: Option<&NetworkInterface>, party: &Party| match (interface, party) {
            (Some(interface), _) => addresses(interface),
            (None, Party::Outside(range)) => vec![*range],
            (None, Party::Internet(Family::Ipv4)) => range::public_v4(),
            (None, Party::Internet(Family::Ipv6)) => vec![range::global_unicast()],
            (None, Party::Interface(_)) => Vec::new(),
        };
        for from in ends(source, &question.from) {
            for to in ends(target, &question.to) {
                if matches!(from, IpNet::V4(_)) != matches!(to, IpNet::V4(_)) {
                    continue;
                }
                let packets = Packets {
                    source: from,
                    destination: to,
                    protocol: question.protocol,
                    source_ports: PortRange::EPHEMERAL,
                    ports: question.ports,
                    translated_ports: PortRange::EPHEMERAL,
                };
                match (source, target) {
                    (Some(source), _) => walk.leave(packets, source),
                    (None, Some(target)) => walk.enter(packets, target),
                    (None, None) => return Err(QuestionError::NoInterface),
                }
            }
        }
        let arrived: BTreeSet<&str> = outcomes.iter().filter_map(arrives_at).collect();
        for interface in arrived.into_iter().filter_map(|id| self.interfaces.get(id)) {
            if PASSES_ON.contains(&interface.kind.as_str()) {
                open.insert(format!(
                    "`{}` is the interface of a load balancer: to whom it passes connections on is not in the evidence",
                    interface.id
                ));
            }
        }
        outcomes.sort();
        Ok(Answer { outcomes, open: open.into_iter().collect() })
    }

    fn party(&self, party: &Party) -> Result<Option<&NetworkInterface>, QuestionError> {
        match party {
            Party::Outside(_) | Party::Internet(_) => Ok(None),
            Party::Interface(id) => match self.interfaces.get(id.as_str()) {
                Some(interface) => Ok(Some(interface)),
                None => Err(QuestionError::UnknownInterface(id.clone())),
            },
        }
    }

    /// The table that routes what comes in by a gateway, where there is one.
    pub(super) fn edge(&self, gateway: &str) -> Option<&RouteTable> {
        self.edges.get(gateway).copied()
    }
}

/// The interface that packets arrive at.
fn arrives_at(outcome: &Outcome) -> Option<&str> {
    match &outcome.fate {
        Fate::Arrives(interface) => Some(interface),
        Fate::Leaves(_) | Fate::Blocked(_) | Fate::Unknown(_) => None,
    }
}

/// Private addresses of IPv4, and those of IPv6.
pub(super) fn addresses(interface: &NetworkInterface) -> Vec<IpNet> {
    let public = interface.public_addresses.iter().filter_map(|text| text.parse::<IpAddr>().ok());
    let private = interface.private_addresses.iter().filter_map(|text| text.parse::<IpAddr>().ok());
    let mut addresses: Vec<IpNet> = private.chain(public.filter(IpAddr::is_ipv6)).map(IpNet::from).collect();
    addresses.sort();
    addresses.dedup();
    addresses
}

fn ways(topology: &Topology<'_>, table: &RouteTable) -> Ways {
    let mut ways = Ways::default();
    for route in lanes::with_endpoints(topology, table) {
        let blackhole = route.state != "active";
        let target = route.target;
        let way = |destination, list| Way { destination, list, target: target.clone(), blackhole };
        match &route.destination {
            Destination::Cidr(range) => ways.ways.push(way(*range, None)),
            Destination::PrefixList(list) => match topology.entries(list) {
                Some(entries) => {
                    ways.ways.extend(entries.iter().map(|range| way(*range, Some(list.clone()))));
                }
                None if target.starts_with("vpce-") => ways.open.push(format!(
                    "entries of prefix list `{list}` are not known: what of it goes to `{target}` is judged by the other routes of `{}`",
                    table.id
                )),
                None => {
                    ways.missing = Some(format!(
                        "entries of prefix list `{list}` are not known, and route table `{}` sends them to `{target}`",
                        table.id
                    ));
                }
            },
            Destination::SecurityGroup(group) => {
                ways.missing = Some(format!("route table `{}` routes to group `{group}`", table.id));
            }
        }
    }
    ways.ways.sort_by(|a, b| {
        let rank = |way: &Way| (std::cmp::Reverse(way.destination.prefix_len()), way.list.clone());
        rank(a).cmp(&rank(b))
    });
    ways
}

impl<'t> Walk<'_, 't> {
    pub(super) fn end(&mut self, packets: Packets, journey: &Journey<'t>, fate: Fate) {
        self.outcomes.push(Outcome { packets, fate, crossing: journey.crossing, hops: journey.hops.clone() });
    }

    pub(super) fn unknown(&mut self, packets: Packets, journey: &Journey<'t>, missing: impl Into<String>) {
        self.end(packets, journey, Fate::Unknown(missing.into()));
    }

    pub(super) fn blocked(
        &mut self,
        packets: Packets,
        journey: &Journey<'t>,
        at: &str,
        what: impl Into<String>,
    ) {
        self.end(packets, journey, Fate::Blocked(Hop { at: at.to_owned(), what: what.into() }));
    }

    /// The settings around an interface, or an outcome that says what is missing.
    pub(super) fn place_of(&mut self, subnet: &str, packets: Packets) -> Option<Place<'t>> {
        match self.tracer.topology.place(subnet) {
            Ok(place) => Some(place),
            Err(missing) => {
                let fate = Fate::Unknown(missing);
                let crossing = Crossing::Local;
                self.outcomes.push(Outcome { packets, fate, crossing, hops: Vec::new() });
                None
            }
        }
    }

    pub(super) const fn start(place: Place<'t>, sender: Sender<'t>, crossing: Crossing) -> Journey<'t> {
        Journey { phase: Phase::Asking, place, sender, crossing, by_group: None, hops: Vec::new(), sends: 0 }
    }

    /// The opener is an interface.
    fn leave(&mut self, packets: Packets, source: &'t NetworkInterface) {
        let Some(place) = self.place_of(&source.subnet, packets) else { return };
        let journey = Self::start(place, Sender::Host(source), Crossing::Local);
        for (part, journey) in self.leave_groups(packets, source, &journey) {
            self.send(part, journey);
        }
    }

    /// Packets leave a subnet: the longest route decides.
    pub(super) fn send(&mut self, packets: Packets, mut journey: Journey<'t>) {
        let table = journey.place.table;
        journey.sends = journey.sends.saturating_add(1);
        if journey.sends > MOST_SENDS {
            return self.blocked(packets, &journey, &table.id, "packets go in circles");
        }
        let (_, to, _) = journey.header();
        for (part, way) in self.routed(packets, table, to) {
            match way {
                Routed::No => self.blocked(part, &journey, &table.id, "no route leads there"),
                Routed::Unknown(missing) => self.unknown(part, &journey, missing),
                Routed::By(way) if way.blackhole => {
                    let what = format!("route {} is a black hole", way.destination);
                    self.blocked(part, &journey, &table.id, what);
                }
                Routed::By(way) => {
                    let what = format!("route {} to {}", way.destination, way.target);
                    let journey = journey.clone().past(Hop { at: table.id.clone(), what });
                    if way.target == "local" {
                        self.deliver(part, journey);
                    } else {
                        self.pass(part, journey, &way.target);
                    }
                }
            }
        }
    }

    /// What a table does with packets.
    pub(super) fn routed(
        &mut self,
        packets: Packets,
        table: &'t RouteTable,
        to: Address,
    ) -> Vec<(Packets, Routed<'t>)> {
        let tracer = self.tracer;
        let Some(ways) = tracer.ways.get(table.id.as_str()) else {
            return vec![(packets, Routed::No)];
        };
        if !matches!(packets.address(to), IpNet::V6(_)) {
            self.open.extend(ways.open.iter().cloned());
        }
        let dealt = packets.deal_by_range(to, ways.ways.iter().map(|way| (way.destination, way)));
        let settled = |way: Option<&'t Way>| match (way, &ways.missing) {
            // Nothing is longer than the local route, but for routes inside it.
            (Some(way), Some(_)) if way.target == "local" => Routed::By(way),
            (_, Some(missing)) => Routed::Unknown(missing.clone()),
            (Some(way), None) => Routed::By(way),
            (None, None) => Routed::No,
        };
        dealt.into_iter().map(|(part, way)| (part, settled(way))).collect()
    }

    /// Hands packets to whom their address belongs in the same VPC.
    fn deliver(&mut self, packets: Packets, journey: Journey<'t>) {
        let (from, to, port) = journey.header();
        let vpc = &journey.place.subnet.vpc;
        if self.lands_inside(&journey) {
            return self.inside(packets, &journey, vpc);
        }
        let Some(owner) = self.owner(packets, vpc, to) else {
            return self.unknown(packets, &journey, nobody(vpc));
        };
        let Some(place) = self.place_of(&owner.subnet, packets) else { return };
        let stays = place.subnet.id == journey.place.subnet.id;
        let acl = journey.place.acl;
        let mut passing = vec![(packets, journey)];
        if !stays {
            passing = self.acl(passing, acl, true, (to, port));
            passing = self.acl(passing, place.acl, false, (from, port));
        }
        for (part, journey) in passing {
            self.arrive(part, journey, owner, place);
        }
    }

    /// Whether packets to the outside have come to a network of the evidence.
    pub(super) const fn lands_inside(&self, journey: &Journey<'t>) -> bool {
        self.target.is_none() && !journey.answers()
    }

    /// Addresses of an end that is no interface belong to a network of the evidence.
    pub(super) fn inside(&mut self, packets: Packets, journey: &Journey<'t>, vpc: &str) {
        if self.internet {
            return self.blocked(packets, journey, vpc, "has the addresses for itself");
        }
        self.unknown(packets, journey, format!("the addresses belong to `{vpc}`: name the interface"));
    }

    /// Behind a gateway lies a network that the evidence does not describe.
    pub(super) fn beyond_evidence(&mut self, packets: Packets, journey: &Journey<'t>, gateway: &str) {
        let missing = format!("whether `{gateway}` leads to the internet and back is not in the evidence");
        self.unknown(packets, journey, missing);
    }

    /// Who has the address in a VPC.
    pub(super) fn owner(&self, packets: Packets, vpc: &str, to: Address) -> Option<&'t NetworkInterface> {
        self.tracer.owners.get(vpc)?.get(&packets.address(to)).copied()
    }

    /// Packets have come to an interface.
    pub(super) fn arrive(
        &mut self,
        packets: Packets,
        journey: Journey<'t>,
        interface: &'t NetworkInterface,
        place: Place<'t>,
    ) {
        if let Phase::Answering(fate) = &journey.phase {
            if self.source.is_some_and(|source| source.id == interface.id) {
                return self.end(packets, &journey, fate.clone());
            }
            return self.blocked(
                packets,
                &journey,
                &interface.id,
                "has the address that replies are sent to",
            );
        }
        if self.target.is_some_and(|target| target.id != interface.id) {
            return self.blocked(
                packets,
                &journey,
                &interface.id,
                "has the same address in the network that routes lead to",
            );
        }
        for (part, journey) in self.enter_groups(packets, interface, &journey) {
            let fate = Fate::Arrives(interface.id.clone());
            self.send(part, journey.answering(fate).sent_from(place, Sender::Host(interface)));
        }
    }
}

/// What a table says.
#[derive(Debug, Clone)]
pub(super) enum Routed<'t> {
    By(&'t Way),
    No,
    Unknown(String),
}

pub(super) fn nobody(vpc: &str) -> String {
    format!("no interface in the evidence has the address in `{vpc}`")
}
