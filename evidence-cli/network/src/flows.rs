//! Permitted flows: what security groups allow, lanes carry and network ACLs let pass.

use std::collections::{BTreeMap, BTreeSet};

use cadastre_model::asset::EvidenceIds;
use cadastre_model::reach::{Crossing, Direction, Hop, OpenQuestion, PermittedFlow, Ports, Reachability};
use ipnet::IpNet;

use crate::acl::{self, Passed};
use crate::hosts::Host;
use crate::lanes::{self, Addressing, Lane, Lanes, NamedLane};
use crate::permissions::{self, Peer, Permission};
use crate::range;
use crate::topology::{Place, Topology};

/// A flow of any interface with the same groups in the same subnet.
#[derive(Debug, Clone)]
struct Flow {
    direction: Direction,
    peer: Option<IpNet>,
    peer_name: Option<String>,
    ports: Ports,
    crossing: Crossing,
    hops: Vec<Hop>,
    evidence: EvidenceIds,
}

/// What settles an interface's flows.
type Kind = (String, BTreeSet<String>, Addressing);

/// Flows and open questions of one kind of interface.
#[derive(Debug, Default)]
struct Judged {
    flows: Vec<Flow>,
    open: BTreeSet<String>,
}

/// Judges every interface of every instance.
pub(crate) fn all(topology: &Topology<'_>) -> Reachability {
    let mut judged: BTreeMap<Kind, Judged> = BTreeMap::new();
    let mut reachability = Reachability::default();
    for host in &topology.hosts {
        let Some(subnet) = &host.subnet else {
            reachability.unknown.push(open_question(host, "its subnet is not in the evidence"));
            continue;
        };
        let addressing = Addressing { public_v4: host.has_public_v4, v6: host.has_v6 };
        let kind = (subnet.clone(), host.groups.clone(), addressing);
        let judged = judged.entry(kind).or_insert_with_key(|(subnet, groups, addressing)| {
            Judge::of(topology, subnet, groups, *addressing)
        });
        reachability.unknown.extend(judged.open.iter().map(|missing| open_question(host, missing)));
        reachability.flows.extend(judged.flows.iter().filter_map(|flow| flow.of_host(host)));
    }
    reachability.flows.sort_by(|a, b| key(a).cmp(&key(b)));
    reachability.unknown.sort();
    reachability.unknown.dedup();
    reachability
}

fn open_question(host: &Host, missing: &str) -> OpenQuestion {
    OpenQuestion { interface: host.interface.clone(), missing: missing.to_owned() }
}

/// What flows are sorted by.
fn key(flow: &PermittedFlow) -> (&str, Direction, Crossing, Option<IpNet>, Option<&str>, Ports) {
    (&flow.interface, flow.direction, flow.crossing, flow.peer, flow.peer_name.as_deref(), flow.ports)
}

impl Flow {
    /// The flow of one interface; none where it would be its own peer.
    fn of_host(&self, host: &Host) -> Option<PermittedFlow> {
        if self.peer.is_some_and(|peer| host.addresses.contains(&peer)) {
            return None;
        }
        Some(PermittedFlow {
            direction: self.direction,
            interface: host.interface.clone(),
            instance: host.instance.clone(),
            vpc: host.vpc.clone(),
            peer: self.peer,
            peer_name: self.peer_name.clone(),
            ports: self.ports,
            crossing: self.crossing,
            hops: self.hops.clone(),
            evidence: self.evidence.union(&host.evidence).cloned().collect(),
        })
    }
}

/// Judges one kind of interface.
struct Judge<'t, 'a> {
    topology: &'t Topology<'a>,
    place: Place<'a>,
    lanes: Lanes,
    addressing: Addressing,
    judged: Judged,
}

impl<'t, 'a> Judge<'t, 'a> {
    fn of(
        topology: &'t Topology<'a>,
        subnet: &str,
        groups: &BTreeSet<String>,
        addressing: Addressing,
    ) -> Judged {
        let place = match topology.place(subnet) {
            Ok(place) => place,
            Err(missing) => return Judged { open: BTreeSet::from([missing]), ..Judged::default() },
        };
        let lanes = lanes::of(topology, place.table, addressing);
        let open = lanes.open.clone();
        let judged = Judged { open, ..Judged::default() };
        let mut judge = Self { topology, place, lanes, addressing, judged };
        for id in groups {
            let Some(group) = topology.groups.get(id.as_str()) else {
                judge.judged.open.insert(format!("security group `{id}` is not in the evidence"));
                continue;
            };
            for direction in [Direction::Ingress, Direction::Egress] {
                for permission in permissions::of(topology, group, direction) {
                    judge.permission(direction, &permission);
                }
            }
        }
        judge.judged.flows = distinct(std::mem::take(&mut judge.judged.flows));
        judge.judged
    }

    fn permission(&mut self, direction: Direction, permission: &Permission) {
        match &permission.peer {
            Peer::Range(peer) => {
                self.ranged(direction, permission, *peer, None);
                self.named_lanes(direction, permission, *peer);
            }
            Peer::Listed(peer, list) => self.ranged(direction, permission, *peer, Some(list)),
            Peer::Member(address, group) => self.ranged(direction, permission, *address, Some(group)),
            Peer::List(list) => self.listed(direction, permission, list),
            Peer::Group(group) => self.grouped(direction, permission, group),
        }
    }

    /// A rule about a range, over every lane that carries a part of it.
    fn ranged(&mut self, direction: Direction, permission: &Permission, peer: IpNet, name: Option<&String>) {
        if range::is_v6(peer) && !self.addressing.v6 {
            return;
        }
        let lanes = std::mem::take(&mut self.lanes.ranged);
        for lane in &lanes {
            let Some(part) = range::intersection(peer, lane.carries) else { continue };
            if (direction == Direction::Ingress && !lane.inwards) || !carries(lane, part, permission) {
                continue;
            }
            let mut passed = self.passed(direction, permission, part, lane);
            passed.retain(|passed| carries(lane, passed.range, permission));
            for passed in &passed {
                self.add(direction, permission, lane, passed, name);
            }
            if lane.crossing == Crossing::Local {
                self.within_subnet(direction, permission, lane, part, name, &passed);
            }
        }
        self.lanes.ranged = lanes;
    }

    fn passed(&self, direction: Direction, permission: &Permission, part: IpNet, lane: &Lane) -> Vec<Passed> {
        let inside = lane.crossing == Crossing::Local && range::is_covered(part, &self.place.subnet.cidrs);
        if inside {
            return Vec::new();
        }
        acl::passed(self.place.acl, direction, part, permission.protocol, &permission.ports)
    }

    /// Packets that stay inside the subnet pass no network ACL.
    fn within_subnet(
        &mut self,
        direction: Direction,
        permission: &Permission,
        lane: &Lane,
        part: IpNet,
        name: Option<&String>,
        passed: &[Passed],
    ) {
        let (protocol, from, to) = (permission.protocol, *permission.ports.start(), *permission.ports.end());
        let ports = Ports { protocol, from, to };
        for own in &self.place.subnet.cidrs {
            let Some(range) = range::intersection(part, *own) else { continue };
            let told = passed.iter().any(|passed| {
                (passed.protocol, passed.from, passed.to) == (protocol, from, to)
                    && passed.range.contains(&range)
            });
            if told || !carries(lane, range, permission) {
                continue;
            }
            let flow =
                self.flow(direction, permission, lane, ports, (Some(range), name.cloned()), Vec::new());
            self.judged.flows.push(flow);
        }
    }

    fn add(
        &mut self,
        direction: Direction,
        permission: &Permission,
        lane: &Lane,
        passed: &Passed,
        name: Option<&String>,
    ) {
        let ports = Ports { protocol: passed.protocol, from: passed.from, to: passed.to };
        let filter = self.filter_hops(direction, passed);
        let flow = self.flow(direction, permission, lane, ports, (Some(passed.range), name.cloned()), filter);
        self.judged.flows.push(flow);
    }

    fn filter_hops(&self, direction: Direction, passed: &Passed) -> Vec<Hop> {
        let (way, back) = match direction {
            Direction::Ingress => ("in", "out"),
            Direction::Egress => ("out", "in"),
        };
        let acl = &self.place.acl.id;
        vec![
            Hop { at: acl.clone(), what: format!("rule {} lets it {way}", passed.rule) },
            Hop { at: acl.clone(), what: format!("rule {} lets replies {back}", passed.reply_rule) },
        ]
    }

    fn flow(
        &self,
        direction: Direction,
        permission: &Permission,
        lane: &Lane,
        ports: Ports,
        (peer, peer_name): (Option<IpNet>, Option<String>),
        filter: Vec<Hop>,
    ) -> Flow {
        let mut evidence = permission.evidence.clone();
        evidence.extend(lane.evidence.iter().cloned());
        evidence.extend(self.place.subnet.evidence.iter().cloned());
        evidence.extend(self.place.acl.evidence.iter().cloned());
        let group = vec![permission.hop.clone()];
        // In the order in which a packet meets them.
        let hops = match direction {
            Direction::Ingress => [lane.hops.clone(), filter, group].concat(),
            Direction::Egress => [group, filter, lane.hops.clone()].concat(),
        };
        Flow { direction, peer, peer_name, ports, crossing: lane.crossing, hops, evidence }
    }

    /// A rule about a range, where a lane leads to a prefix list whose entries are not known.
    fn named_lanes(&mut self, direction: Direction, permission: &Permission, peer: IpNet) {
        if direction == Direction::Ingress || range::is_v6(peer) || range::is_private(peer) {
            return;
        }
        for lane in self.lanes.named.clone() {
            if peer == range::everywhere_v4() {
                self.named(permission, &lane);
            } else {
                self.judged.open.insert(format!(
                    "entries of prefix list `{}` are not known, so what of {peer} goes to `{}` is open",
                    lane.name, lane.target
                ));
            }
        }
    }

    /// A rule about a prefix list whose entries are not known: settled where a route names the same list.
    fn listed(&mut self, direction: Direction, permission: &Permission, list: &str) {
        let lane = self.lanes.named.iter().find(|lane| lane.name == list).cloned();
        match lane {
            Some(lane) if direction == Direction::Egress => self.named(permission, &lane),
            _ => {
                let missing = format!("entries of prefix list `{list}` are not known");
                self.judged.open.insert(missing);
            }
        }
    }

    fn named(&mut self, permission: &Permission, lane: &NamedLane) {
        let everywhere = range::everywhere_v4();
        let name = Some(lane.name.clone());
        let lane = Lane {
            carries: everywhere,
            holes: Vec::new(),
            crossing: Crossing::Endpoint,
            inwards: false,
            hops: lane.hops.clone(),
            evidence: lane.evidence.clone(),
        };
        let all = acl::passed(
            self.place.acl,
            Direction::Egress,
            everywhere,
            permission.protocol,
            &permission.ports,
        );
        for passed in all {
            if passed.range == everywhere {
                let ports = Ports { protocol: passed.protocol, from: passed.from, to: passed.to };
                let filter = self.filter_hops(Direction::Egress, &passed);
                let flow =
                    self.flow(Direction::Egress, permission, &lane, ports, (None, name.clone()), filter);
                self.judged.flows.push(flow);
            } else if !range::is_private(passed.range) {
                self.judged.open.insert(format!(
                    "network ACL `{}` tells public addresses apart, and those of a prefix list are not known",
                    self.place.acl.id
                ));
            }
        }
    }

    /// A rule about a security group without a known interface: kept by name.
    fn grouped(&mut self, direction: Direction, permission: &Permission, group: &str) {
        let Some(other) = self.topology.groups.get(group) else {
            self.judged.open.insert(format!("security group `{group}` is not in the evidence"));
            return;
        };
        let crossing = if other.vpc.as_deref() == Some(&self.place.subnet.vpc) {
            Crossing::Local
        } else {
            Crossing::Peering
        };
        let mut evidence = other.evidence.clone();
        evidence.extend(self.place.table.evidence.iter().cloned());
        let lane = Lane {
            carries: range::everywhere_v4(),
            holes: Vec::new(),
            crossing,
            inwards: true,
            hops: Vec::new(),
            evidence,
        };
        let ranges: &[IpNet] =
            other.vpc.as_deref().and_then(|vpc| self.topology.vpcs.get(vpc)).map_or(&[], |vpc| &vpc.cidrs);
        let mut passed: BTreeMap<Ports, Passed> = BTreeMap::new();
        for range in ranges {
            for part in acl::passed(self.place.acl, direction, *range, permission.protocol, &permission.ports)
            {
                let ports = Ports { protocol: part.protocol, from: part.from, to: part.to };
                passed.entry(ports).or_insert(part);
            }
        }
        for (ports, passed) in passed {
            let filter = self.filter_hops(direction, &passed);
            let flow = self.flow(direction, permission, &lane, ports, (None, Some(group.to_owned())), filter);
            self.judged.flows.push(flow);
        }
    }
}

/// Whether a lane really carries a range: something of it is left that no longer route takes, and it is not
/// private where the lane leads to the internet. Members of a group are known by private addresses alone.
fn carries(lane: &Lane, part: IpNet, permission: &Permission) -> bool {
    let public = matches!(lane.crossing, Crossing::Internet | Crossing::Nat);
    let member = matches!(permission.peer, Peer::Member(..));
    !range::is_covered(part, &lane.holes) && !(public && (member || range::is_private(part)))
}

/// Joins flows that differ in nothing but how they are permitted: the first way stands for all.
fn distinct(mut flows: Vec<Flow>) -> Vec<Flow> {
    let key = |flow: &Flow| {
        (flow.direction, flow.crossing, flow.peer, flow.peer_name.clone(), flow.ports, flow.hops.clone())
    };
    flows.sort_by_cached_key(key);
    let mut distinct: Vec<Flow> = Vec::new();
    for flow in flows {
        match distinct.last_mut() {
            Some(last)
                if (last.direction, last.crossing, last.peer, &last.peer_name, last.ports)
                    == (flow.direction, flow.crossing, flow.peer, &flow.peer_name, flow.ports) =>
            {
                last.evidence.extend(flow.evidence);
            }
            _ => distinct.push(flow),
        }
    }
    distinct
}
