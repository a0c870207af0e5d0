//! Network ACLs: which packets of a flow, and which replies, the numbered rules let pass.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use cadastre_model::asset::network::{NetworkAcl, NetworkAclEntry};
use cadastre_model::reach::Direction;
use ipnet::IpNet;

use crate::range;

pub(crate) const TCP: u8 = 6;
pub(crate) const UDP: u8 = 17;

/// Every port.
pub(crate) const ALL_PORTS: RangeInclusive<u16> = 0..=u16::MAX;

/// Ports that a host opens connections from ("Ephemeral ports", Amazon VPC User Guide).
const EPHEMERAL_PORTS: RangeInclusive<u16> = 1024..=u16::MAX;

/// Protocols that a rule about all of them is taken apart into where a network ACL treats them
/// differently: ICMP, TCP, UDP, GRE, ESP, AH, ICMPv6 and SCTP.
const USUAL_PROTOCOLS: [u8; 8] = [1, TCP, UDP, 47, 50, 51, 58, 132];

/// A part of a flow that passes, and the rules that let it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Passed {
    pub(crate) protocol: Option<u8>,
    pub(crate) from: u16,
    pub(crate) to: u16,
    /// The rule that lets the flow pass.
    pub(crate) rule: i32,
    /// The rule that lets the replies pass.
    pub(crate) reply_rule: i32,
    pub(crate) range: IpNet,
}

/// What is left to decide, or was decided: a range and some ports of it.
#[derive(Debug, Clone)]
struct Piece {
    range: IpNet,
    ports: RangeInclusive<u16>,
}

/// What an ACL lets pass of a flow of one protocol, or all, between a peer's range and some ports.
pub(crate) fn passed(
    acl: &NetworkAcl,
    direction: Direction,
    peer: IpNet,
    protocol: Option<u8>,
    ports: &RangeInclusive<u16>,
) -> Vec<Passed> {
    if protocol.is_some() {
        return of_protocol(acl, direction, peer, protocol, ports);
    }
    let named: BTreeSet<u8> = acl.entries.iter().filter_map(|entry| entry.protocol).collect();
    let all = of_protocol(acl, direction, peer, None, ports);
    if named.is_empty() {
        return all;
    }
    let apart: BTreeSet<u8> = named.into_iter().chain(USUAL_PROTOCOLS).collect();
    let parts: Vec<Vec<Passed>> =
        apart.iter().map(|protocol| of_protocol(acl, direction, peer, Some(*protocol), ports)).collect();
    let whole: BTreeSet<(IpNet, u16, u16)> = shape(&all);
    if parts.iter().all(|part| shape(part) == whole) { all } else { parts.concat() }
}

fn shape(passed: &[Passed]) -> BTreeSet<(IpNet, u16, u16)> {
    passed.iter().map(|passed| (passed.range, passed.from, passed.to)).collect()
}

/// The same for one protocol; `None` stands for those that no rule names.
fn of_protocol(
    acl: &NetworkAcl,
    direction: Direction,
    peer: IpNet,
    protocol: Option<u8>,
    ports: &RangeInclusive<u16>,
) -> Vec<Passed> {
    let has_ports = protocol.is_none_or(has_ports);
    let ports = if has_ports { ports.clone() } else { ALL_PORTS };
    let reply_ports = match direction {
        // The peer chooses its port, and may choose one that the rules happen to let pass.
        Direction::Ingress => ALL_PORTS,
        Direction::Egress if has_ports => EPHEMERAL_PORTS,
        Direction::Egress => ALL_PORTS,
    };
    let mut passed = Vec::new();
    for (piece, rule) in allowed(acl, direction, protocol, Piece { range: peer, ports }) {
        let replies = Piece { range: piece.range, ports: reply_ports.clone() };
        let mut answered: Vec<(IpNet, i32)> = allowed(acl, opposite(direction), protocol, replies)
            .into_iter()
            .map(|(reply, reply_rule)| (reply.range, reply_rule))
            .collect();
        answered.sort();
        for (range, reply_rule) in answered {
            passed.push(Passed {
                protocol,
                from: *piece.ports.start(),
                to: *piece.ports.end(),
                rule,
                reply_rule,
                range,
            });
        }
    }
    merged(passed)
}

/// Joins neighbouring ranges that pass for the same reason, and drops those inside a wider one.
fn merged(mut passed: Vec<Passed>) -> Vec<Passed> {
    passed.sort();
    let mut merged: Vec<Passed> = Vec::new();
    for group in passed.chunk_by(|a, b| {
        (a.protocol, a.from, a.to, a.rule, a.reply_rule) == (b.protocol, b.from, b.to, b.rule, b.reply_rule)
    }) {
        let ranges: Vec<IpNet> = group.iter().map(|passed| passed.range).collect();
        if let Some(first) = group.first() {
            merged
                .extend(IpNet::aggregate(&ranges).into_iter().map(|range| Passed { range, ..first.clone() }));
        }
    }
    let inside = |passed: &Passed, wider: &Passed| {
        (passed.from, passed.to) == (wider.from, wider.to)
            && wider.range != passed.range
            && wider.range.contains(&passed.range)
    };
    let all = merged.clone();
    merged.retain(|passed| !all.iter().any(|wider| inside(passed, wider)));
    merged.dedup_by(|b, a| (a.range, a.from, a.to) == (b.range, b.from, b.to));
    merged
}

const fn has_ports(protocol: u8) -> bool {
    matches!(protocol, TCP | UDP)
}

const fn opposite(direction: Direction) -> Direction {
    match direction {
        Direction::Ingress => Direction::Egress,
        Direction::Egress => Direction::Ingress,
    }
}

/// Runs packets through the rules, lowest number first; the first that matches decides, and what none
/// matches is denied.
fn allowed(acl: &NetworkAcl, direction: Direction, protocol: Option<u8>, whole: Piece) -> Vec<(Piece, i32)> {
    let egress = direction == Direction::Egress;
    let mut open = vec![whole];
    let mut allowed = Vec::new();
    for entry in acl.entries.iter().filter(|entry| entry.egress == egress && concerns(entry, protocol)) {
        let mut still_open = Vec::new();
        for piece in open {
            if let Some(matched) = split(entry, protocol, piece, &mut still_open)
                && entry.allow
            {
                allowed.push((matched, entry.number));
            }
        }
        open = still_open;
    }
    allowed
}

fn concerns(entry: &NetworkAclEntry, protocol: Option<u8>) -> bool {
    entry.protocol.is_none() || entry.protocol == protocol
}

/// Cuts out of a piece what a rule matches; the rest stays open.
fn split(
    entry: &NetworkAclEntry,
    protocol: Option<u8>,
    piece: Piece,
    open: &mut Vec<Piece>,
) -> Option<Piece> {
    let ports = match (entry.from_port, entry.to_port) {
        (Some(from), Some(to)) if protocol.is_some_and(has_ports) => from..=to,
        _ => ALL_PORTS,
    };
    let range = range::intersection(piece.range, entry.cidr);
    let from = *piece.ports.start().max(ports.start());
    let to = *piece.ports.end().min(ports.end());
    let Some(range) = range.filter(|_| from <= to) else {
        open.push(piece);
        return None;
    };
    for rest in range::without(piece.range, range) {
        open.push(Piece { range: rest, ports: piece.ports.clone() });
    }
    if let Some(below) = from.checked_sub(1).filter(|below| piece.ports.contains(below)) {
        open.push(Piece { range, ports: *piece.ports.start()..=below });
    }
    if let Some(above) = to.checked_add(1).filter(|above| piece.ports.contains(above)) {
        open.push(Piece { range, ports: above..=*piece.ports.end() });
    }
    Some(Piece { range, ports: from..=to })
}
