//! Rules in order of priority over sets of packets: the first that matches decides, and one that may match leaves
//! open what those after it would not decide alike.

use cadastre_model::asset::azure::network::{AdminAccess, AdminRule, Matches, NetworkSecurityGroup, Span};

use super::sites::{Place, Sites};
use crate::trace::Packets;
use crate::trace::PortRange;
use crate::trace::packets::{Address, Pattern, Port};

/// What a list of rules says of packets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ruling {
    /// By the rule of this name.
    Allow(String),
    Deny(String),
    Unknown(String),
}

/// What security admin rules say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum AdminRuling {
    /// Security groups decide.
    Groups,
    /// Security groups are not asked.
    Always(String),
    /// The rule of this id stops them.
    Deny(String),
    Unknown(String),
}

/// One rule as a ruling, and what it matches.
struct Rule<'r, T> {
    matches: &'r Matches,
    ruling: T,
}

/// Runs packets through the rules of a security group.
pub(super) fn group(
    sites: &Sites<'_>,
    place: &Place<'_, '_>,
    group: &NetworkSecurityGroup,
    inbound: bool,
    packets: Packets,
) -> Vec<(Packets, Ruling)> {
    let rules: Vec<Rule<'_, Ruling>> = group
        .rules
        .iter()
        .filter(|rule| rule.matches.inbound == inbound)
        .map(|rule| {
            let name = rule.name.clone();
            let ruling = if rule.allow { Ruling::Allow(name) } else { Ruling::Deny(name) };
            Rule { matches: &rule.matches, ruling }
        })
        .collect();
    let otherwise = Ruling::Deny("no rule matches".to_owned());
    let alike = |a: &Ruling, b: &Ruling| {
        matches!((a, b), (Ruling::Allow(_), Ruling::Allow(_)) | (Ruling::Deny(_), Ruling::Deny(_)))
    };
    let open = |ruling: &Ruling| {
        let (Ruling::Allow(name) | Ruling::Deny(name) | Ruling::Unknown(name)) = ruling;
        Ruling::Unknown(format!("whether rule `{name}` of `{}` matches is not settled", group.id))
    };
    decide(sites, place, &rules, packets, &otherwise, &alike, &open)
}

/// Runs packets through security admin rules.
pub(super) fn admin(
    sites: &Sites<'_>,
    place: &Place<'_, '_>,
    rules: &[AdminRule],
    inbound: bool,
    packets: Packets,
) -> Vec<(Packets, AdminRuling)> {
    let rules: Vec<Rule<'_, AdminRuling>> = rules
        .iter()
        .filter(|rule| rule.matches.inbound == inbound)
        .map(|rule| {
            let ruling = match rule.access {
                AdminAccess::Allow => AdminRuling::Groups,
                AdminAccess::AlwaysAllow => AdminRuling::Always(rule.id.clone()),
                AdminAccess::Deny => AdminRuling::Deny(rule.id.clone()),
            };
            Rule { matches: &rule.matches, ruling }
        })
        .collect();
    let alike = |a: &AdminRuling, b: &AdminRuling| {
        matches!(
            (a, b),
            (AdminRuling::Groups, AdminRuling::Groups)
                | (AdminRuling::Always(_), AdminRuling::Always(_))
                | (AdminRuling::Deny(_), AdminRuling::Deny(_))
        )
    };
    let open = |ruling: &AdminRuling| {
        let told = match ruling {
            AdminRuling::Groups => "a security admin rule",
            AdminRuling::Always(id) | AdminRuling::Deny(id) | AdminRuling::Unknown(id) => id,
        };
        AdminRuling::Unknown(format!("whether `{told}` matches is not settled"))
    };
    decide(sites, place, &rules, packets, &AdminRuling::Groups, &alike, &open)
}

/// Deals packets out to rules. Where a rule may match, both ways are followed: what they agree on is settled.
fn decide<T: Clone>(
    sites: &Sites<'_>,
    place: &Place<'_, '_>,
    rules: &[Rule<'_, T>],
    packets: Packets,
    otherwise: &T,
    alike: &dyn Fn(&T, &T) -> bool,
    open: &dyn Fn(&T) -> T,
) -> Vec<(Packets, T)> {
    let Some((rule, further)) = rules.split_first() else { return vec![(packets, otherwise.clone())] };
    let (sure, maybe, rest) = split(sites, place, rule.matches, packets);
    let mut decided: Vec<(Packets, T)> = sure.into_iter().map(|part| (part, rule.ruling.clone())).collect();
    for part in maybe {
        for (part, ruling) in decide(sites, place, further, part, otherwise, alike, open) {
            let ruling = if alike(&rule.ruling, &ruling) { ruling } else { open(&rule.ruling) };
            decided.push((part, ruling));
        }
    }
    for part in rest {
        decided.extend(decide(sites, place, further, part, otherwise, alike, open));
    }
    decided
}

/// Packets that a rule matches, may match, and does not match.
fn split(
    sites: &Sites<'_>,
    place: &Place<'_, '_>,
    matches: &Matches,
    packets: Packets,
) -> (Vec<Packets>, Vec<Packets>, Vec<Packets>) {
    let (mut sure, mut maybe) = (Vec::new(), Vec::new());
    if matches.protocol.is_some_and(|protocol| protocol != packets.protocol) {
        return (sure, maybe, vec![packets]);
    }
    let everywhere = |spans: &[Span]| spans.contains(&Span::ALL);
    // What a rule about every protocol and some ports says of packets without ports, nobody states.
    let vague = !packets.have_ports()
        && matches.protocol.is_none()
        && !(everywhere(&matches.source_ports) && everywhere(&matches.ports));
    let spaces = |peers: &[_]| -> Vec<_> {
        let all = peers.iter().flat_map(|peer| sites.space(peer, place).ranges().collect::<Vec<_>>());
        let mut all: Vec<_> = all.collect();
        all.sort_by_key(|(_, sure)| !sure);
        all
    };
    let (sources, destinations) = (spaces(&matches.sources), spaces(&matches.destinations));
    let mut rest = vec![packets];
    for certain in [true, false] {
        for (source, source_sure) in &sources {
            for (destination, destination_sure) in &destinations {
                if (*source_sure && *destination_sure && !vague) != certain {
                    continue;
                }
                for source_ports in &matches.source_ports {
                    for ports in &matches.ports {
                        let from = pattern(*source, *source_ports);
                        let to = pattern(*destination, *ports);
                        let mut left = Vec::new();
                        for part in rest {
                            if let Some(part) = part.cut(Address::Source, Port::Source, from, &mut left)
                                && let Some(part) =
                                    part.cut(Address::Destination, Port::Destination, to, &mut left)
                            {
                                if certain { sure.push(part) } else { maybe.push(part) }
                            }
                        }
                        rest = left;
                    }
                }
            }
        }
    }
    (sure, maybe, rest)
}

const fn pattern(range: ipnet::IpNet, span: Span) -> Pattern {
    Pattern { range: Some(range), ports: PortRange { from: span.from, to: span.to } }
}
