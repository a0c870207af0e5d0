//! What a flow is grouped by, and what is summed.

use std::net::{IpAddr, Ipv6Addr};

use serde::{Deserialize, Serialize};

/// What became of traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum FlowAction {
    /// It passed.
    Accept,
    /// Security groups, network ACLs or security rules stopped it.
    Reject,
}

/// A group: source, destination, destination port, protocol, action, each of which a log may leave out.
///
/// Packed into five words, which compare and hash fast: two addresses (IPv4 as IPv4-mapped), and the rest. Words compare
/// in the order in which rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FlowKey([u64; 5]);

impl std::hash::Hash for FlowKey {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        for word in self.0 {
            state.write_u64(word);
        }
    }
}

/// The parts of a [`FlowKey`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FlowParts {
    pub(crate) source: Option<IpAddr>,
    pub(crate) destination: Option<IpAddr>,
    pub(crate) port: Option<u16>,
    /// IANA protocol number.
    pub(crate) protocol: Option<u8>,
    pub(crate) action: Option<FlowAction>,
}

const HAS_SOURCE: u64 = 1 << 63;
const HAS_DESTINATION: u64 = 1 << 62;
const PORT_SHIFT: u32 = 24;
const PROTOCOL_SHIFT: u32 = 8;

impl FlowKey {
    pub(crate) fn pack(parts: &FlowParts) -> Self {
        let (source, destination) = (words(parts.source), words(parts.destination));
        let mut rest = 0;
        if parts.source.is_some() {
            rest |= HAS_SOURCE;
        }
        if parts.destination.is_some() {
            rest |= HAS_DESTINATION;
        }
        // Nothing is 0 and a number is one more, so that nothing comes first.
        rest |= parts.port.map_or(0, |port| u64::from(port) + 1) << PORT_SHIFT;
        rest |= parts.protocol.map_or(0, |protocol| u64::from(protocol) + 1) << PROTOCOL_SHIFT;
        rest |= match parts.action {
            None => 0,
            Some(FlowAction::Accept) => 1,
            Some(FlowAction::Reject) => 2,
        };
        Self([source[0], source[1], destination[0], destination[1], rest])
    }

    pub(crate) fn unpack(&self) -> FlowParts {
        let [a, b, c, d, rest] = self.0;
        let one_less = |shift: u32, mask: u64| ((rest >> shift) & mask).checked_sub(1);
        FlowParts {
            source: (rest & HAS_SOURCE != 0).then(|| address(a, b)),
            destination: (rest & HAS_DESTINATION != 0).then(|| address(c, d)),
            port: one_less(PORT_SHIFT, 0x1_ffff).and_then(|port| u16::try_from(port).ok()),
            protocol: one_less(PROTOCOL_SHIFT, 0x1ff).and_then(|protocol| u8::try_from(protocol).ok()),
            action: match rest & 0xff {
                1 => Some(FlowAction::Accept),
                2 => Some(FlowAction::Reject),
                _ => None,
            },
        }
    }

    pub(crate) fn words(&self) -> [u64; 5] {
        self.0
    }

    pub(crate) fn from_words(words: [u64; 5]) -> Self {
        Self(words)
    }
}

fn words(address: Option<IpAddr>) -> [u64; 2] {
    let bits = match address {
        None => 0,
        Some(IpAddr::V4(v4)) => v4.to_ipv6_mapped().to_bits(),
        Some(IpAddr::V6(v6)) => v6.to_bits(),
    };
    #[expect(clippy::cast_possible_truncation, reason = "the halves are taken apart")]
    [(bits >> 64) as u64, bits as u64]
}

fn address(high: u64, low: u64) -> IpAddr {
    Ipv6Addr::from_bits(u128::from(high) << 64 | u128::from(low)).to_canonical()
}

/// What is summed over a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FlowSums {
    bytes: u64,
    packets: u64,
    flows: u64,
    first: i64,
    last: i64,
}

/// Stands for a sum of nothing. No sum of real logs comes near it.
const NOTHING: u64 = u64::MAX;

impl FlowSums {
    /// Numbers of one record; times in seconds since the epoch.
    pub(crate) fn of(
        bytes: Option<u64>,
        packets: Option<u64>,
        flows: u64,
        first: Option<i64>,
        last: Option<i64>,
    ) -> Self {
        Self {
            bytes: bytes.unwrap_or(NOTHING),
            packets: packets.unwrap_or(NOTHING),
            flows,
            first: first.unwrap_or(i64::MAX),
            last: last.unwrap_or(i64::MIN),
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.bytes = sum(self.bytes, other.bytes);
        self.packets = sum(self.packets, other.packets);
        self.flows = self.flows.saturating_add(other.flows);
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
    }

    pub(crate) fn bytes(&self) -> Option<u64> {
        (self.bytes != NOTHING).then_some(self.bytes)
    }

    pub(crate) fn packets(&self) -> Option<u64> {
        (self.packets != NOTHING).then_some(self.packets)
    }

    pub(crate) fn flows(&self) -> u64 {
        self.flows
    }

    pub(crate) fn first(&self) -> Option<i64> {
        (self.first != i64::MAX).then_some(self.first)
    }

    pub(crate) fn last(&self) -> Option<i64> {
        (self.last != i64::MIN).then_some(self.last)
    }

    pub(crate) fn words(&self) -> [u64; 5] {
        [self.bytes, self.packets, self.flows, self.first.cast_unsigned(), self.last.cast_unsigned()]
    }

    pub(crate) fn from_words([bytes, packets, flows, first, last]: [u64; 5]) -> Self {
        Self { bytes, packets, flows, first: first.cast_signed(), last: last.cast_signed() }
    }
}

fn sum(a: u64, b: u64) -> u64 {
    match (a, b) {
        (NOTHING, other) | (other, NOTHING) => other,
        (a, b) => a.saturating_add(b).min(NOTHING - 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_what_was_packed() {
        let full = FlowParts {
            source: Some("10.0.0.1".parse().unwrap()),
            destination: Some("2001:db8::1".parse().unwrap()),
            port: Some(65_535),
            protocol: Some(255),
            action: Some(FlowAction::Reject),
        };
        let none = FlowParts { source: None, destination: None, port: None, protocol: None, action: None };
        let zero = FlowParts {
            source: Some("::".parse().unwrap()),
            destination: Some("0.0.0.0".parse().unwrap()),
            port: Some(0),
            protocol: Some(0),
            action: Some(FlowAction::Accept),
        };
        for parts in [full, none, zero] {
            assert_eq!(FlowKey::pack(&parts).unpack(), parts);
        }
        assert!(FlowKey::pack(&none) < FlowKey::pack(&zero));
    }

    #[test]
    fn nothing_and_a_number_sum_to_the_number() {
        let mut sums = FlowSums::of(None, Some(1), 1, None, None);
        assert_eq!((sums.bytes(), sums.first()), (None, None));
        sums.add(&FlowSums::of(Some(5), None, 1, Some(7), Some(9)));
        sums.add(&FlowSums::of(Some(5), Some(2), 0, Some(3), Some(4)));
        assert_eq!((sums.bytes(), sums.packets(), sums.flows()), (Some(10), Some(3), 2));
        assert_eq!((sums.first(), sums.last()), (Some(3), Some(9)));
        assert_eq!(FlowSums::from_words(sums.words()), sums);
    }
}
