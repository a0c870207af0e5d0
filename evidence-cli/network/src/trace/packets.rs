//! Sets of packets as boxes: ranges of addresses and ports that are cut where a setting tells them apart.

use cadastre_model::asset::network::NetworkAcl;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::acl::{TCP, UDP};
use crate::range;

/// Ports from the first to the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PortRange {
    /// First port.
    pub from: u16,
    /// Last port.
    pub to: u16,
}

impl PortRange {
    /// Every port.
    pub const ALL: Self = Self { from: 0, to: u16::MAX };
    /// Ports that connections are opened from ("Ephemeral ports", Amazon VPC User Guide), and that a NAT
    /// gateway translates to.
    pub const EPHEMERAL: Self = Self { from: 1024, to: u16::MAX };

    /// Whether it holds a port.
    #[must_use]
    pub const fn contains(self, port: u16) -> bool {
        self.from <= port && port <= self.to
    }
}

/// Every packet with one of the addresses and ports, and the replies to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Packets {
    /// Addresses of the opener.
    pub source: IpNet,
    /// Addresses of the other end, private ones where it has both.
    pub destination: IpNet,
    /// IANA protocol number.
    pub protocol: u8,
    /// Ports of the opener.
    pub source_ports: PortRange,
    /// Ports of the other end.
    pub ports: PortRange,
    /// Ports that a NAT gateway on the way puts in place of the opener's.
    pub translated_ports: PortRange,
}

/// An address of a packet, named as the opener sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Address {
    Source,
    Destination,
}

/// The port that a packet is sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Port {
    /// Of the opener: what replies are sent to.
    Source,
    Destination,
    /// Of a NAT gateway: what replies to it are sent to.
    Translated,
}

/// What a setting matches.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pattern {
    pub(crate) range: Option<IpNet>,
    pub(crate) ports: PortRange,
}

impl Packets {
    pub(crate) const fn address(&self, address: Address) -> IpNet {
        match address {
            Address::Source => self.source,
            Address::Destination => self.destination,
        }
    }

    const fn with_address(mut self, address: Address, range: IpNet) -> Self {
        match address {
            Address::Source => self.source = range,
            Address::Destination => self.destination = range,
        }
        self
    }

    const fn port(&self, port: Port) -> PortRange {
        match port {
            Port::Source => self.source_ports,
            Port::Destination => self.ports,
            Port::Translated => self.translated_ports,
        }
    }

    const fn with_port(mut self, port: Port, ports: PortRange) -> Self {
        match port {
            Port::Source => self.source_ports = ports,
            Port::Destination => self.ports = ports,
            Port::Translated => self.translated_ports = ports,
        }
        self
    }

    /// Whether rules about ports concern these packets.
    pub(crate) const fn have_ports(&self) -> bool {
        matches!(self.protocol, TCP | UDP)
    }

    /// The part that a pattern matches; what it does not match is added to the rest.
    pub(crate) fn cut(
        self,
        address: Address,
        port: Port,
        pattern: Pattern,
        rest: &mut Vec<Self>,
    ) -> Option<Self> {
        let (own, ports) = (self.address(address), self.port(port));
        let range = match pattern.range {
            Some(range) => range::intersection(own, range),
            None => Some(own),
        };
        let wanted = if self.have_ports() { pattern.ports } else { PortRange::ALL };
        let (from, to) = (ports.from.max(wanted.from), ports.to.min(wanted.to));
        let Some(range) = range.filter(|_| from <= to) else {
            rest.push(self);
            return None;
        };
        rest.extend(range::without(own, range).into_iter().map(|range| self.with_address(address, range)));
        let matched = self.with_address(address, range);
        if let Some(below) = from.checked_sub(1).filter(|below| ports.from <= *below) {
            rest.push(matched.with_port(port, PortRange { from: ports.from, to: below }));
        }
        if let Some(above) = to.checked_add(1).filter(|above| *above <= ports.to) {
            rest.push(matched.with_port(port, PortRange { from: above, to: ports.to }));
        }
        Some(matched.with_port(port, PortRange { from, to }))
    }

    /// Deals the packets out: the first pattern that matches takes them; what none matches comes last,
    /// without a label.
    pub(crate) fn deal<T: Clone>(
        self,
        address: Address,
        port: Port,
        patterns: impl IntoIterator<Item = (Pattern, T)>,
    ) -> Vec<(Self, Option<T>)> {
        let mut open = vec![self];
        let mut dealt = Vec::new();
        for (pattern, label) in patterns {
            let mut rest = Vec::new();
            for packets in open {
                if let Some(matched) = packets.cut(address, port, pattern, &mut rest) {
                    dealt.push((matched, Some(label.clone())));
                }
            }
            open = rest;
            if open.is_empty() {
                return dealt;
            }
        }
        dealt.extend(open.into_iter().map(|packets| (packets, None)));
        dealt
    }

    /// Deals the packets out by address alone.
    pub(crate) fn deal_by_range<T: Clone>(
        self,
        address: Address,
        ranges: impl IntoIterator<Item = (IpNet, T)>,
    ) -> Vec<(Self, Option<T>)> {
        let whole = |(range, label)| (Pattern { range: Some(range), ports: PortRange::ALL }, label);
        // Every port matches, so it does not matter which one is looked at.
        self.deal(address, Port::Destination, ranges.into_iter().map(whole))
    }

    /// Deals the packets out to the rules of a network ACL: number and whether it allows.
    pub(crate) fn deal_to_acl(
        self,
        acl: &NetworkAcl,
        egress: bool,
        address: Address,
        port: Port,
    ) -> Vec<(Self, Option<(i32, bool)>)> {
        let entries = acl.entries.iter().filter(|entry| {
            entry.egress == egress && entry.protocol.is_none_or(|protocol| protocol == self.protocol)
        });
        let patterns = entries.map(|entry| {
            // Ports that a rule about all protocols may carry mean nothing.
            let ports = match (entry.protocol, entry.from_port, entry.to_port) {
                (Some(_), Some(from), Some(to)) => PortRange { from, to },
                _ => PortRange::ALL,
            };
            (Pattern { range: Some(entry.cidr), ports }, (entry.number, entry.allow))
        });
        self.deal(address, port, patterns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dealt_out_is_everything_once() {
        let net = |text: &str| text.parse::<IpNet>().unwrap();
        let packets = Packets {
            source: net("10.0.0.0/8"),
            destination: net("10.1.0.0/16"),
            protocol: TCP,
            source_ports: PortRange { from: 10, to: 19 },
            ports: PortRange { from: 100, to: 199 },
            translated_ports: PortRange { from: 1, to: 1 },
        };
        let pattern =
            |range: &str, from, to| Pattern { range: Some(net(range)), ports: PortRange { from, to } };
        let dealt = packets.deal(
            Address::Source,
            Port::Source,
            [(pattern("10.1.0.0/16", 12, 14), 'a'), (pattern("10.0.0.0/9", 0, 99), 'b')],
        );
        let size = |packets: &Packets| {
            (1_u64 << (32 - packets.source.prefix_len()))
                * u64::from(packets.source_ports.to - packets.source_ports.from + 1)
        };
        assert_eq!(dealt.iter().map(|(packets, _)| size(packets)).sum::<u64>(), size(&packets));
        let labelled =
            |label| dealt.iter().filter(move |(_, dealt)| *dealt == label).map(|(p, _)| size(p)).sum::<u64>();
        assert_eq!(labelled(Some('a')), 65_536 * 3);
        assert_eq!(labelled(Some('b')), (1 << 23) * 10 - 65_536 * 3);
    }
}
