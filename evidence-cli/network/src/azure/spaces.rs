//! Sets of IPv4 addresses of which some are certain and others possible.

use ipnet::IpNet;

use crate::range;

/// The host that a machine runs on, for health probes and the platform's services ("What is IP address
/// 168.63.129.16?").
pub(super) const HOST: [u8; 4] = [168, 63, 129, 16];

/// The range of [`HOST`].
pub(super) fn host() -> IpNet {
    IpNet::from(std::net::IpAddr::from(HOST))
}

/// Addresses that are in the set, and addresses that may be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Space {
    pub(super) sure: Vec<IpNet>,
    pub(super) maybe: Vec<IpNet>,
}

impl Space {
    pub(super) fn sure(ranges: impl IntoIterator<Item = IpNet>) -> Self {
        Self { sure: v4(ranges), maybe: Vec::new() }
    }

    pub(super) fn maybe(ranges: impl IntoIterator<Item = IpNet>) -> Self {
        Self { sure: Vec::new(), maybe: v4(ranges) }
    }

    /// Every range, with whether it is certain; certain ones first.
    pub(super) fn ranges(&self) -> impl Iterator<Item = (IpNet, bool)> {
        let sure = self.sure.iter().map(|range| (*range, true));
        sure.chain(self.maybe.iter().map(|range| (*range, false)))
    }
}

fn v4(ranges: impl IntoIterator<Item = IpNet>) -> Vec<IpNet> {
    ranges.into_iter().filter(|range| !range::is_v6(*range)).collect()
}

/// What ranges share with others.
pub(super) fn shared(ranges: &[IpNet], others: &[IpNet]) -> Vec<IpNet> {
    let pairs = ranges.iter().flat_map(|a| others.iter().map(|b| range::intersection(*a, *b)));
    IpNet::aggregate(&pairs.flatten().collect::<Vec<_>>())
}
