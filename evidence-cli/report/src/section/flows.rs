//! The network flow table: what is declared beside what settings permit.
//!
//! A permitted flow counts as declared when one declared flow covers it whole: both ends and every port.
//! Anything less is listed as permitted and not declared.

use std::collections::{BTreeMap, BTreeSet};

use cadastre_model::declaration::{Declaration, Flow};
use cadastre_model::inventory::Inventory;
use cadastre_model::reach::{Crossing, Direction, Hop, OpenQuestion, PermittedFlow, Ports};
use ipnet::IpNet;
use serde::Serialize;

use crate::citations::{Citations, Link};
use crate::input::ReportInput;
use crate::words;

/// How many interfaces one row names.
const INTERFACES: usize = 8;

/// The table.
#[derive(Debug, Serialize)]
pub(crate) struct Flows {
    declared: Vec<Declared>,
    /// Permitted, and covered by no declared flow.
    undeclared: Vec<Permitted>,
    unknown: Vec<Open>,
    /// Number of permitted flows over all interfaces.
    permitted_count: usize,
}

/// A flow that the customer declares.
#[derive(Debug, Serialize)]
struct Declared {
    name: String,
    purpose: &'static str,
    from: String,
    to: String,
    ports: String,
    /// What settings permit of it.
    permitted: Vec<Permitted>,
}

/// Permitted flows that differ only in the interface.
#[derive(Debug, Clone, Serialize)]
struct Permitted {
    direction: &'static str,
    peer: String,
    ports: String,
    crossing: &'static str,
    /// Whether it leaves or enters over a path that others share.
    exposed: bool,
    interfaces: Vec<String>,
    more: usize,
    hops: Vec<String>,
    evidence: Vec<Link>,
}

#[derive(Debug, Serialize)]
struct Open {
    missing: String,
    interfaces: Vec<String>,
    more: usize,
}

/// What flows have in common that one row shows.
type Key<'a> = (Direction, Crossing, String, Ports, &'a [Hop]);

/// Builds the table.
pub(crate) fn build(input: &ReportInput<'_>, citations: &mut Citations) -> Flows {
    let matcher = Matcher::new(input.declaration, input.inventory);
    let mut by_declared: Vec<BTreeMap<Key<'_>, Vec<&PermittedFlow>>> =
        input.declaration.flows.iter().map(|_| BTreeMap::new()).collect();
    let mut undeclared: BTreeMap<Key<'_>, Vec<&PermittedFlow>> = BTreeMap::new();
    for flow in &input.reachability.flows {
        let key =
            (flow.direction, flow.crossing, peer(flow, input.inventory), flow.ports, flow.hops.as_slice());
        let place = input.declaration.flows.iter().position(|declared| matcher.covers(declared, flow));
        let rows = place.and_then(|place| by_declared.get_mut(place)).unwrap_or(&mut undeclared);
        rows.entry(key).or_default().push(flow);
    }
    let declared = input
        .declaration
        .flows
        .iter()
        .zip(by_declared)
        .map(|(flow, permitted)| Declared {
            name: flow.name.clone(),
            purpose: words::flow_purpose(flow.purpose),
            from: flow.from.clone(),
            to: flow.to.clone(),
            ports: flow.ports.iter().map(u16::to_string).collect::<Vec<_>>().join(", "),
            permitted: rows(permitted, citations),
        })
        .collect();
    Flows {
        declared,
        undeclared: rows(undeclared, citations),
        unknown: open(&input.reachability.unknown),
        permitted_count: input.reachability.flows.len(),
    }
}

fn rows(grouped: BTreeMap<Key<'_>, Vec<&PermittedFlow>>, citations: &mut Citations) -> Vec<Permitted> {
    grouped
        .into_iter()
        .map(|((direction, crossing, peer, ports, hops), flows)| {
            let interfaces: BTreeSet<String> = flows.iter().map(|flow| interface(flow)).collect();
            let evidence: BTreeSet<_> = flows.iter().flat_map(|flow| &flow.evidence).collect();
            Permitted {
                direction: words::direction(direction),
                peer,
                ports: words::ports(ports),
                crossing: words::crossing(crossing),
                exposed: matches!(crossing, Crossing::Internet | Crossing::Peering | Crossing::Transit),
                more: interfaces.len().saturating_sub(INTERFACES),
                interfaces: interfaces.into_iter().take(INTERFACES).collect(),
                hops: hops.iter().map(|hop| format!("{}: {}", hop.at, hop.what)).collect(),
                evidence: citations.records(evidence),
            }
        })
        .collect()
}

fn interface(flow: &PermittedFlow) -> String {
    match &flow.instance {
        Some(instance) => format!("{} ({instance})", flow.interface),
        None => flow.interface.clone(),
    }
}

fn open(unknown: &[OpenQuestion]) -> Vec<Open> {
    let mut grouped: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for question in unknown {
        grouped.entry(&question.missing).or_default().insert(&question.interface);
    }
    grouped
        .into_iter()
        .map(|(missing, interfaces)| Open {
            missing: missing.to_owned(),
            more: interfaces.len().saturating_sub(INTERFACES),
            interfaces: interfaces.into_iter().take(INTERFACES).map(str::to_owned).collect(),
        })
        .collect()
}

/// The other end in words: the range, with the name it goes by where it has one.
fn peer(flow: &PermittedFlow, inventory: &Inventory) -> String {
    let name = flow.peer_name.as_deref().map(|name| {
        let list = inventory.prefix_lists.iter().find(|list| list.id == name);
        let group = inventory.security_groups.iter().find(|group| group.id == name);
        match (list, group) {
            (Some(list), _) if list.name != name => format!("{name} ({})", list.name),
            (_, Some(group)) if group.name != name => format!("{name} ({})", group.name),
            _ => name.to_owned(),
        }
    });
    match (flow.peer, name) {
        (Some(range), Some(name)) if range.prefix_len() == range.max_prefix_len() => name,
        (Some(range), Some(name)) => format!("{range}, {name}"),
        (Some(range), None) if range.prefix_len() == 0 => format!("{range} (anywhere)"),
        (Some(range), None) => range.to_string(),
        (None, Some(name)) => name,
        (None, None) => "anywhere".to_owned(),
    }
}

/// Compares permitted flows with declared ones.
struct Matcher<'a> {
    networks: BTreeMap<&'a str, &'a [IpNet]>,
    /// Addresses of interfaces.
    addresses: BTreeMap<&'a str, Vec<IpNet>>,
    /// Service names of prefix lists: `s3` of `com.amazonaws.eu-central-1.s3`.
    services: BTreeMap<&'a str, &'a str>,
}

impl<'a> Matcher<'a> {
    fn new(declaration: &'a Declaration, inventory: &'a Inventory) -> Self {
        let addresses = inventory
            .interfaces
            .iter()
            .map(|interface| {
                let ranges = interface
                    .private_addresses
                    .iter()
                    .filter_map(|address| address.parse::<std::net::IpAddr>().ok())
                    .map(IpNet::from)
                    .collect();
                (interface.id.as_str(), ranges)
            })
            .collect();
        let last = |name: &'a str| name.rsplit('.').next().unwrap_or(name);
        let mut services: BTreeMap<&str, &str> =
            inventory.prefix_lists.iter().map(|list| (list.id.as_str(), last(&list.name))).collect();
        for endpoint in &inventory.endpoints {
            services.insert(&endpoint.service, last(&endpoint.service));
            services.insert(&endpoint.id, last(&endpoint.service));
        }
        Self {
            networks: declaration.networks.iter().map(|n| (n.name.as_str(), n.cidrs.as_slice())).collect(),
            addresses,
            services,
        }
    }

    fn covers(&self, declared: &Flow, flow: &PermittedFlow) -> bool {
        let (near, far) = match flow.direction {
            Direction::Ingress => (&declared.to, &declared.from),
            Direction::Egress => (&declared.from, &declared.to),
        };
        self.covers_ports(declared, flow.ports)
            && self.holds_interface(near, flow)
            && self.holds_peer(far, flow)
    }

    fn covers_ports(&self, declared: &Flow, ports: Ports) -> bool {
        ports.protocol == Some(6) && (ports.from..=ports.to).all(|port| declared.ports.contains(&port))
    }

    fn holds_interface(&self, end: &str, flow: &PermittedFlow) -> bool {
        let addresses = self.addresses.get(flow.interface.as_str()).map_or(&[][..], Vec::as_slice);
        !addresses.is_empty() && addresses.iter().all(|address| self.contains(end, address))
    }

    fn holds_peer(&self, end: &str, flow: &PermittedFlow) -> bool {
        if let Some(service) = end.strip_prefix("service:") {
            let named = flow.peer_name.as_deref().and_then(|name| self.services.get(name));
            return named.is_some_and(|name| *name == service);
        }
        flow.peer.is_some_and(|peer| self.contains(end, &peer))
    }

    fn contains(&self, end: &str, range: &IpNet) -> bool {
        match self.networks.get(end) {
            Some(ranges) => ranges.iter().any(|network| network.contains(range)),
            None => end.parse::<IpNet>().is_ok_and(|network| network.contains(range)),
        }
    }
}
