//! Security group rules with their peers resolved to ranges.

use std::ops::RangeInclusive;

use cadastre_model::asset::EvidenceIds;
use cadastre_model::asset::network::{Destination, SecurityGroup, SecurityRule};
use cadastre_model::reach::{Direction, Hop};
use ipnet::IpNet;

use crate::acl::{ALL_PORTS, TCP, UDP};
use crate::topology::Topology;

/// One rule, for one peer.
#[derive(Debug, Clone)]
pub(crate) struct Permission {
    pub(crate) peer: Peer,
    pub(crate) protocol: Option<u8>,
    pub(crate) ports: RangeInclusive<u16>,
    pub(crate) hop: Hop,
    pub(crate) evidence: EvidenceIds,
}

/// Whom a rule speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Peer {
    /// Addresses as they are written.
    Range(IpNet),
    /// An entry of a prefix list.
    Listed(IpNet, String),
    /// A prefix list whose entries are not known.
    List(String),
    /// An address of an interface in a security group.
    Member(IpNet, String),
    /// A security group without a known interface.
    Group(String),
}

/// The rules of a group for one direction.
pub(crate) fn of(topology: &Topology<'_>, group: &SecurityGroup, direction: Direction) -> Vec<Permission> {
    let rules = match direction {
        Direction::Ingress => &group.ingress,
        Direction::Egress => &group.egress,
    };
    rules.iter().flat_map(|rule| of_rule(topology, group, rule, direction)).collect()
}

fn of_rule(
    topology: &Topology<'_>,
    group: &SecurityGroup,
    rule: &SecurityRule,
    direction: Direction,
) -> Vec<Permission> {
    let mut evidence = group.evidence.clone();
    let (name, peers) = match &rule.peer {
        Destination::Cidr(range) => (range.to_string(), vec![Peer::Range(*range)]),
        Destination::PrefixList(list) => {
            evidence.extend(topology.list_evidence(list));
            let peers = match topology.entries(list) {
                Some(entries) => entries.iter().map(|range| Peer::Listed(*range, list.clone())).collect(),
                None => vec![Peer::List(list.clone())],
            };
            (list.clone(), peers)
        }
        Destination::SecurityGroup(other) => {
            let peers = match topology.members(other) {
                Some((members, records)) if !members.is_empty() => {
                    evidence.extend(records.iter().cloned());
                    members.iter().map(|address| Peer::Member(*address, other.clone())).collect()
                }
                _ => vec![Peer::Group(other.clone())],
            };
            (other.clone(), peers)
        }
    };
    let ports = ports(rule);
    let way = match direction {
        Direction::Ingress => "from",
        Direction::Egress => "to",
    };
    let what = format!("allows {} {way} {name}", describe(rule.protocol, &ports));
    let permission = |peer| Permission {
        peer,
        protocol: rule.protocol,
        ports: ports.clone(),
        hop: Hop { at: group.id.clone(), what: what.clone() },
        evidence: evidence.clone(),
    };
    peers.into_iter().map(permission).collect()
}

fn ports(rule: &SecurityRule) -> RangeInclusive<u16> {
    match (rule.protocol, rule.from_port, rule.to_port) {
        (Some(TCP | UDP), Some(from), Some(to)) => from..=to,
        _ => ALL_PORTS,
    }
}

/// `tcp 9092`, `udp 53-54`, `all traffic`.
pub(crate) fn describe(protocol: Option<u8>, ports: &RangeInclusive<u16>) -> String {
    let name = match protocol {
        None => return "all traffic".to_owned(),
        Some(1) => return "icmp".to_owned(),
        Some(58) => return "icmpv6".to_owned(),
        Some(TCP) => "tcp",
        Some(UDP) => "udp",
        Some(number) => return format!("protocol {number}"),
    };
    if *ports == ALL_PORTS {
        name.to_owned()
    } else if ports.start() == ports.end() {
        format!("{name} {}", ports.start())
    } else {
        format!("{name} {}-{}", ports.start(), ports.end())
    }
}
