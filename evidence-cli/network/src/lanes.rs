//! Lanes: what each route of a table really carries, after the longest prefix has won and the gateway
//! behind it has been looked at.

use std::collections::BTreeSet;

use cadastre_model::asset::EvidenceIds;
use cadastre_model::asset::network::{Destination, GatewayKind, Route, RouteTable};
use cadastre_model::reach::{Crossing, Hop};
use ipnet::IpNet;

use crate::range;
use crate::topology::Topology;

/// A way for packets to and from a range.
#[derive(Debug, Clone)]
pub(crate) struct Lane {
    /// The range it carries.
    pub(crate) carries: IpNet,
    /// Parts of that range that a longer route takes elsewhere.
    pub(crate) holes: Vec<IpNet>,
    pub(crate) crossing: Crossing,
    /// Whether flows can be opened towards the interface.
    pub(crate) inwards: bool,
    pub(crate) hops: Vec<Hop>,
    pub(crate) evidence: EvidenceIds,
}

/// A way to a prefix list whose entries are not known. Only flows from the interface take it.
#[derive(Debug, Clone)]
pub(crate) struct NamedLane {
    /// The prefix list, or the service behind an endpoint.
    pub(crate) name: String,
    pub(crate) target: String,
    pub(crate) hops: Vec<Hop>,
    pub(crate) evidence: EvidenceIds,
}

/// All ways out of a subnet, for interfaces with and without public addresses.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    pub(crate) ranged: Vec<Lane>,
    pub(crate) named: Vec<NamedLane>,
    /// What the evidence leaves open.
    pub(crate) open: BTreeSet<String>,
}

/// One destination range of a route.
#[derive(Debug, Clone, Copy)]
struct Entry<'r> {
    destination: IpNet,
    /// Of two routes to the same range, one that names the range wins over one through a prefix list
    /// ("Route priority", Amazon VPC User Guide).
    through_list: Option<&'r str>,
    target: &'r str,
    blackhole: bool,
}

impl Entry<'_> {
    /// Whether this entry takes its whole range away from another.
    fn outranks(&self, other: &Self) -> bool {
        let length = self.destination.prefix_len();
        let rank = |entry: &Self| (entry.through_list.is_some(), entry.through_list.map(str::to_owned));
        other.destination.contains(&self.destination)
            && (length > other.destination.prefix_len() || rank(self) < rank(other))
    }
}

/// What an interface has that gateways look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Addressing {
    pub(crate) public_v4: bool,
    pub(crate) v6: bool,
}

/// Reads the lanes of a table.
pub(crate) fn of(topology: &Topology<'_>, table: &RouteTable, addressing: Addressing) -> Lanes {
    through(topology, table, &with_endpoints(topology, table), addressing)
}

/// The lanes of some routes: what the longest prefix leaves to each.
fn through(topology: &Topology<'_>, table: &RouteTable, routes: &[Route], addressing: Addressing) -> Lanes {
    let mut lanes = Lanes::default();
    let entries = entries(topology, table, routes, &mut lanes);
    for entry in entries.iter().filter(|entry| !entry.blackhole) {
        let outranking = entries.iter().filter(|other| other.outranks(entry));
        let holes: Vec<IpNet> = outranking.map(|other| other.destination).collect();
        if !range::is_covered(entry.destination, &holes) {
            classify(topology, table, entry, holes, addressing, &mut lanes);
        }
    }
    lanes
}

/// The routes of a table, with those of gateway endpoints that the table does not show.
pub(crate) fn with_endpoints(topology: &Topology<'_>, table: &RouteTable) -> Vec<Route> {
    let mut routes = table.routes.clone();
    for endpoint in topology.endpoints.values() {
        let here = endpoint.route_tables.contains(&table.id) && endpoint.kind == "Gateway";
        if here && !routes.iter().any(|route| route.target == endpoint.id) {
            let list = topology.list_of_service(&endpoint.service);
            routes.push(Route {
                destination: Destination::PrefixList(
                    list.map_or_else(|| endpoint.service.clone(), |list| list.id.clone()),
                ),
                target: endpoint.id.clone(),
                state: "active".to_owned(),
            });
        }
    }
    routes
}

fn entries<'r>(
    topology: &Topology<'_>,
    table: &RouteTable,
    routes: &'r [Route],
    lanes: &mut Lanes,
) -> Vec<Entry<'r>> {
    let mut entries = Vec::new();
    for route in routes {
        let blackhole = route.state != "active";
        let entry =
            |destination, through_list| Entry { destination, through_list, target: &route.target, blackhole };
        match &route.destination {
            Destination::Cidr(range) => entries.push(entry(*range, None)),
            Destination::PrefixList(list) => match topology.entries(list) {
                Some(ranges) => {
                    entries.extend(ranges.iter().map(|range| entry(*range, Some(list.as_str()))));
                }
                None if blackhole => {}
                None => lanes.add_named(topology, table, list, &route.target),
            },
            Destination::SecurityGroup(group) => {
                lanes.open.insert(format!("route table `{}` routes to group `{group}`", table.id));
            }
        }
    }
    entries
}

impl Lanes {
    fn add_named(&mut self, topology: &Topology<'_>, table: &RouteTable, list: &str, target: &str) {
        if !target.starts_with("vpce-") {
            self.open.insert(format!(
                "entries of prefix list `{list}` are not known, and route table `{}` sends them to `{target}`",
                table.id
            ));
            return;
        }
        let mut evidence = table.evidence.clone();
        evidence.extend(topology.list_evidence(list));
        evidence.extend(
            topology.endpoints.get(target).into_iter().flat_map(|endpoint| endpoint.evidence.clone()),
        );
        self.named.push(NamedLane {
            name: list.to_owned(),
            target: target.to_owned(),
            hops: vec![Hop { at: table.id.clone(), what: format!("route {list} to {target}") }],
            evidence,
        });
    }
}

/// Looks at what stands behind a route.
fn classify(
    topology: &Topology<'_>,
    table: &RouteTable,
    entry: &Entry<'_>,
    holes: Vec<IpNet>,
    addressing: Addressing,
    lanes: &mut Lanes,
) {
    let target = entry.target;
    let v6 = range::is_v6(entry.destination);
    let destination = match entry.through_list {
        Some(list) => format!("{list} ({})", entry.destination),
        None => entry.destination.to_string(),
    };
    let mut evidence = table.evidence.clone();
    evidence.extend(entry.through_list.map(|list| topology.list_evidence(list)).unwrap_or_default());
    let lane = |crossing, inwards, carries, more: &EvidenceIds| Lane {
        carries,
        holes: holes.clone(),
        crossing,
        inwards,
        hops: vec![Hop { at: table.id.clone(), what: format!("route {destination} to {target}") }],
        evidence: evidence.union(more).cloned().collect(),
    };
    let whole = entry.destination;
    let none = EvidenceIds::new();
    match target.split('-').next().unwrap_or_default() {
        "local" => lanes.ranged.push(lane(Crossing::Local, true, whole, &none)),
        "igw" => match topology.gateways.get(target) {
            Some(gateway) if gateway.vpc.as_deref() == Some(&table.vpc) => {
                let addressed = if v6 { addressing.v6 } else { addressing.public_v4 };
                if addressed {
                    lanes.ranged.push(lane(Crossing::Internet, true, whole, &gateway.evidence));
                }
            }
            // Detached: the route leads nowhere.
            Some(_) => {}
            None => lanes.missing("internet gateway", target),
        },
        "eigw" => match topology.gateways.get(target) {
            Some(gateway) if gateway.vpc.as_deref() == Some(&table.vpc) => {
                if v6 && addressing.v6 {
                    lanes.ranged.push(lane(Crossing::Nat, false, whole, &gateway.evidence));
                }
            }
            Some(_) => {}
            None => lanes.missing("egress-only internet gateway", target),
        },
        "nat" => translate(topology, target, &lane(Crossing::Nat, false, whole, &none), lanes),
        "pcx" => match topology.peerings.get(target) {
            Some(peering) if peering.status == "active" => {
                let far = if peering.requester_vpc == table.vpc {
                    &peering.accepter_cidrs
                } else {
                    &peering.requester_cidrs
                };
                // A peering connection carries nothing from beyond the other VPC.
                let carried: Vec<IpNet> =
                    far.iter().filter_map(|range| range::intersection(whole, *range)).collect();
                let carried = if far.is_empty() { vec![whole] } else { carried };
                lanes.ranged.extend(
                    carried.into_iter().map(|range| lane(Crossing::Peering, true, range, &peering.evidence)),
                );
            }
            Some(_) => {}
            None => lanes.missing("peering connection", target),
        },
        "vpce" => match topology.endpoints.get(target) {
            Some(endpoint) if !endpoint.state.eq_ignore_ascii_case("available") => {}
            Some(endpoint) if endpoint.kind == "Gateway" => {
                lanes.ranged.push(lane(Crossing::Endpoint, false, whole, &endpoint.evidence));
            }
            // A gateway load balancer endpoint hands packets to an appliance.
            Some(endpoint) => lanes.ranged.push(lane(Crossing::Transit, true, whole, &endpoint.evidence)),
            None => lanes.missing("VPC endpoint", target),
        },
        "tgw" | "vgw" | "lgw" | "cagw" | "eni" | "i" => {
            lanes.ranged.push(lane(Crossing::Transit, true, whole, &none));
        }
        _ if target.starts_with("arn:") => lanes.ranged.push(lane(Crossing::Transit, true, whole, &none)),
        _ => lanes.missing("route target", target),
    }
}

impl Lanes {
    fn missing(&mut self, what: &str, id: &str) {
        self.open.insert(format!("{what} `{id}` is not in the evidence"));
    }
}

/// Follows a NAT gateway: a public one needs a route to an internet gateway in its own subnet, a private
/// one a way to another network.
fn translate(topology: &Topology<'_>, nat: &str, lane: &Lane, lanes: &mut Lanes) {
    let Some(gateway) = topology.gateways.get(nat).filter(|gateway| gateway.kind == GatewayKind::Nat) else {
        return lanes.missing("NAT gateway", nat);
    };
    let Some(table) = gateway.subnet.as_deref().and_then(|subnet| topology.table_of(subnet)) else {
        return lanes.missing("route table of NAT gateway", nat);
    };
    let addressing = Addressing { public_v4: gateway.public, v6: false };
    let mut routes = table.routes.clone();
    for route in routes.iter_mut().filter(|route| route.target.starts_with("nat-")) {
        // What was translated once is not translated again.
        route.state = "blackhole".to_owned();
    }
    let mut beyond = through(topology, table, &routes, addressing);
    lanes.open.append(&mut beyond.open);
    for next in beyond.ranged {
        let crossing = match next.crossing {
            Crossing::Internet => Crossing::Nat,
            Crossing::Transit | Crossing::Peering => next.crossing,
            Crossing::Local | Crossing::Nat | Crossing::Endpoint => continue,
        };
        let Some(carries) = range::intersection(lane.carries, next.carries) else { continue };
        let mut joined = lane.clone();
        joined.carries = carries;
        joined.crossing = crossing;
        joined.holes.extend(next.holes);
        joined.hops.push(Hop { at: nat.to_owned(), what: "translates to its own address".to_owned() });
        joined.hops.extend(next.hops);
        joined.evidence.extend(gateway.evidence.iter().cloned());
        joined.evidence.extend(next.evidence);
        lanes.ranged.push(joined);
    }
}
