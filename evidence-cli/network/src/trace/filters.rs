//! Security groups and network ACLs over sets of packets.

use cadastre_model::asset::network::{Destination, NetworkAcl, NetworkInterface, SecurityRule};
use cadastre_model::reach::{Crossing, Hop};

use super::Fate;
use super::packets::{Address, Packets, Pattern, Port, PortRange};
use super::tracer::{Journey, Walk};
use crate::acl::{TCP, UDP};
use crate::permissions::describe;

/// The rule that lets packets through.
#[derive(Debug, Clone)]
struct Allowing<'t> {
    group: &'t str,
    rule: &'t SecurityRule,
    /// Whether it knows the other end by its security group.
    by_group: bool,
}

impl<'t> Walk<'_, 't> {
    /// Runs packets through the rules of a network ACL; what passes goes on.
    pub(super) fn acl(
        &mut self,
        passing: Vec<(Packets, Journey<'t>)>,
        acl: &NetworkAcl,
        egress: bool,
        (address, port): (Address, Port),
    ) -> Vec<(Packets, Journey<'t>)> {
        let way = if egress { "out" } else { "in" };
        let mut passed = Vec::new();
        for (packets, journey) in passing {
            for (part, rule) in packets.deal_to_acl(acl, egress, address, port) {
                let at = acl.id.clone();
                let what = if journey.answers() { "replies" } else { "it" };
                match rule {
                    Some((number, true)) => {
                        let hop = Hop { at, what: format!("rule {number} lets {what} {way}") };
                        passed.push((part, journey.clone().past(hop)));
                    }
                    Some((number, false)) => {
                        let hop = Hop { at, what: format!("rule {number} does not let {what} {way}") };
                        self.end(part, &journey, Fate::Blocked(hop));
                    }
                    None => {
                        let hop = Hop { at, what: format!("no rule lets {what} {way}") };
                        self.end(part, &journey, Fate::Blocked(hop));
                    }
                }
            }
        }
        passed
    }

    /// Outgoing rules of the opener's groups.
    pub(super) fn leave_groups(
        &mut self,
        packets: Packets,
        interface: &'t NetworkInterface,
        journey: &Journey<'t>,
    ) -> Vec<(Packets, Journey<'t>)> {
        let topology = &self.tracer.topology;
        let mut patterns = Vec::new();
        let mut missing = None;
        for (group, rule) in self.rules(interface, true, packets.protocol, &mut missing) {
            let ports = ports(rule);
            let by_group = matches!(rule.peer, Destination::SecurityGroup(_));
            let allowing = Allowing { group, rule, by_group };
            let mut add = |range| patterns.push((Pattern { range: Some(range), ports }, allowing.clone()));
            match &rule.peer {
                Destination::Cidr(range) => add(*range),
                Destination::PrefixList(list) => match topology.entries(list) {
                    Some(entries) => entries.iter().copied().for_each(add),
                    None => missing = Some(format!("entries of prefix list `{list}` are not known")),
                },
                Destination::SecurityGroup(other) => match topology.members(other) {
                    Some((members, _)) if members.contains(&packets.destination) => add(packets.destination),
                    Some((members, _))
                        if packets.destination.prefix_len() != packets.destination.max_prefix_len() =>
                    {
                        members.iter().copied().for_each(add);
                    }
                    Some(_) => {}
                    None if topology.groups.contains_key(other.as_str()) => {}
                    None => missing = Some(format!("security group `{other}` is not in the evidence")),
                },
            }
        }
        // Of two rules that match, the one that knows an address settles more than one that knows a group.
        patterns.sort_by_key(|(_, allowing)| allowing.by_group);
        let mut passed = Vec::new();
        for (part, allowing) in packets.deal(Address::Destination, Port::Destination, patterns) {
            match allowing {
                Some(allowing) => {
                    let mut journey = journey.clone().past(allowing.hop("to"));
                    journey.by_group = allowing.by_group.then_some(allowing.group);
                    passed.push((part, journey));
                }
                None => self.stopped_by_groups(part, journey, interface, missing.as_ref(), "out"),
            }
        }
        passed
    }

    /// Incoming rules of the other end's groups.
    pub(super) fn enter_groups(
        &mut self,
        packets: Packets,
        interface: &'t NetworkInterface,
        journey: &Journey<'t>,
    ) -> Vec<(Packets, Journey<'t>)> {
        let topology = &self.tracer.topology;
        let opener = self.source;
        let mut patterns = Vec::new();
        let mut by_group = Vec::new();
        let mut missing = None;
        for (group, rule) in self.rules(interface, false, packets.protocol, &mut missing) {
            let ports = ports(rule);
            let allowing = Allowing { group, rule, by_group: false };
            let mut add =
                |range| patterns.push((Pattern { range: Some(range), ports }, Some(allowing.clone())));
            match &rule.peer {
                Destination::Cidr(range) => add(*range),
                Destination::PrefixList(list) => match topology.entries(list) {
                    Some(entries) => entries.iter().copied().for_each(add),
                    None => missing = Some(format!("entries of prefix list `{list}` are not known")),
                },
                Destination::SecurityGroup(other) => match opener {
                    Some(opener) if opener.security_groups.contains(other) => match journey.crossing {
                        Crossing::Local | Crossing::Peering => {
                            by_group.push((Pattern { range: None, ports }, Some(allowing)));
                        }
                        Crossing::Transit => by_group.push((Pattern { range: None, ports }, None)),
                        Crossing::Internet | Crossing::Nat | Crossing::Endpoint => {}
                    },
                    None if journey.crossing == Crossing::Peering
                        && !topology.groups.contains_key(other.as_str()) =>
                    {
                        missing = Some(format!("security group `{other}` is not in the evidence"));
                    }
                    Some(_) | None => {}
                },
            }
        }
        by_group.sort_by_key(|(_, allowing)| allowing.is_none());
        patterns.extend(by_group);
        let mut passed = Vec::new();
        for (part, allowing) in packets.deal(Address::Source, Port::Destination, patterns) {
            match allowing {
                Some(Some(allowing)) => passed.push((part, journey.clone().past(allowing.hop("from")))),
                Some(None) => self.end(part, journey, Fate::Unknown(GROUPS_ACROSS.to_owned())),
                None => self.stopped_by_groups(part, journey, interface, missing.as_ref(), "in"),
            }
        }
        passed
    }

    /// The rules of an interface's groups for one protocol.
    fn rules(
        &self,
        interface: &'t NetworkInterface,
        egress: bool,
        protocol: u8,
        missing: &mut Option<String>,
    ) -> Vec<(&'t str, &'t SecurityRule)> {
        if interface.security_groups.is_empty() {
            *missing = Some(format!("what `{}` lets pass has no security group to say it", interface.id));
        }
        let mut rules = Vec::new();
        for id in &interface.security_groups {
            let Some(group) = self.tracer.topology.groups.get(id.as_str()) else {
                *missing = Some(format!("security group `{id}` is not in the evidence"));
                continue;
            };
            let of_group = if egress { &group.egress } else { &group.ingress };
            let concerned =
                of_group.iter().filter(|rule| rule.protocol.is_none_or(|known| known == protocol));
            rules.extend(concerned.map(|rule| (group.id.as_str(), rule)));
        }
        rules
    }

    fn stopped_by_groups(
        &mut self,
        packets: Packets,
        journey: &Journey<'t>,
        interface: &NetworkInterface,
        missing: Option<&String>,
        way: &str,
    ) {
        let fate = match missing {
            Some(missing) => Fate::Unknown(missing.clone()),
            None => Fate::Blocked(Hop {
                at: interface.security_groups.join(", "),
                what: format!("no rule lets it {way}"),
            }),
        };
        self.end(packets, journey, fate);
    }
}

/// What a rule about a group means where packets do not stay in the VPC and its peers.
pub(super) const GROUPS_ACROSS: &str =
    "whether the transit gateway supports references to security groups is not in the evidence";

impl Allowing<'_> {
    fn hop(&self, preposition: &str) -> Hop {
        let ports = ports(self.rule);
        let name = match &self.rule.peer {
            Destination::Cidr(range) => range.to_string(),
            Destination::PrefixList(name) | Destination::SecurityGroup(name) => name.clone(),
        };
        let what =
            format!("allows {} {preposition} {name}", describe(self.rule.protocol, &(ports.from..=ports.to)));
        Hop { at: self.group.to_owned(), what }
    }
}

const fn ports(rule: &SecurityRule) -> PortRange {
    match (rule.protocol, rule.from_port, rule.to_port) {
        (Some(TCP | UDP), Some(from), Some(to)) => PortRange { from, to },
        _ => PortRange::ALL,
    }
}
