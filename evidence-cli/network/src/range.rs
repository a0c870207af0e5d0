//! Sets of addresses as CIDR ranges.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// The range of a single address.
pub(crate) fn of_address(text: &str) -> Option<IpNet> {
    text.parse::<IpAddr>().ok().map(IpNet::from)
}

/// All addresses of IPv4.
pub(crate) fn everywhere_v4() -> IpNet {
    IpNet::V4(Ipv4Net::default())
}

pub(crate) const fn is_v6(range: IpNet) -> bool {
    matches!(range, IpNet::V6(_))
}

/// What two ranges share: nothing, or the smaller one.
pub(crate) fn intersection(a: IpNet, b: IpNet) -> Option<IpNet> {
    if a.contains(&b) {
        Some(b)
    } else if b.contains(&a) {
        Some(a)
    } else {
        None
    }
}

/// A range without a smaller one inside it, as the fewest ranges that make up the rest.
pub(crate) fn without(range: IpNet, hole: IpNet) -> Vec<IpNet> {
    let mut rest = Vec::new();
    let mut current = range;
    while current != hole {
        let Some((low, high)) = halves(current) else { break };
        let (inside, outside) = if low.contains(&hole) { (low, high) } else { (high, low) };
        rest.push(outside);
        current = inside;
    }
    rest
}

fn halves(range: IpNet) -> Option<(IpNet, IpNet)> {
    let length = range.prefix_len().checked_add(1)?;
    let mut halves = range.subnets(length).ok()?;
    Some((halves.next()?, halves.next()?))
}

/// Whether every address of a range lies in one of the holes.
pub(crate) fn is_covered(range: IpNet, holes: &[IpNet]) -> bool {
    if holes.iter().any(|hole| hole.contains(&range)) {
        return true;
    }
    let inside: Vec<IpNet> = holes.iter().copied().filter(|hole| range.contains(hole)).collect();
    !inside.is_empty() && IpNet::aggregate(&inside).contains(&range)
}

/// Ranges that no internet gateway carries ("IANA IPv4 and IPv6 Special-Purpose Address Registries"): private,
/// shared, link-local, loopback and multicast ones.
pub(crate) fn not_public() -> [IpNet; 13] {
    let v4 = |a, b, length| {
        Ipv4Net::new(std::net::Ipv4Addr::new(a, b, 0, 0), length).map_or_else(|_| everywhere_v4(), IpNet::V4)
    };
    let v6 = |first, length| {
        let address = std::net::Ipv6Addr::new(first, 0, 0, 0, 0, 0, 0, 0);
        Ipv6Net::new(address, length).map_or_else(|_| IpNet::V6(Ipv6Net::default()), IpNet::V6)
    };
    [
        v4(0, 0, 8),
        v4(10, 0, 8),
        v4(100, 64, 10),
        v4(127, 0, 8),
        v4(169, 254, 16),
        v4(172, 16, 12),
        v4(192, 168, 16),
        v4(224, 0, 4),
        v4(240, 0, 4),
        v6(0, 16),
        v6(0xfc00, 7),
        v6(0xfe80, 10),
        v6(0xff00, 8),
    ]
}

/// What is left of ranges without holes.
pub(crate) fn outside(ranges: &[IpNet], holes: &[IpNet]) -> Vec<IpNet> {
    let mut left = ranges.to_vec();
    for hole in holes {
        left = left
            .into_iter()
            .flat_map(|range| match intersection(range, *hole) {
                Some(shared) => without(range, shared),
                None => vec![range],
            })
            .collect();
    }
    left
}

/// Every range of IPv4 that the internet routes and its gateways carry, sorted.
pub(crate) fn public_v4() -> Vec<IpNet> {
    let mut public = outside(&[everywhere_v4()], &not_public());
    public.sort();
    public
}

/// Addresses of IPv6 that anybody on the internet may have ("IANA IPv6 Global Unicast Address Space").
pub(crate) fn global_unicast() -> IpNet {
    let first = std::net::Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0);
    Ipv6Net::new(first, 3).map_or_else(|_| IpNet::V6(Ipv6Net::default()), IpNet::V6)
}

/// Whether no address of a range is a public one.
pub(crate) fn is_private(range: IpNet) -> bool {
    is_covered(range, &not_public())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    #[test]
    fn a_range_and_its_hole_make_up_the_whole() {
        for (range, hole, pieces) in [
            ("10.0.0.0/8", "10.20.0.0/16", 8),
            ("0.0.0.0/0", "203.0.113.7/32", 32),
            ("10.0.0.0/8", "10.0.0.0/8", 0),
            ("2001:db8::/32", "2001:db8:0:1::/64", 32),
        ] {
            let mut rest = without(net(range), net(hole));
            assert_eq!(rest.len(), pieces);
            rest.push(net(hole));
            assert_eq!(IpNet::aggregate(&rest), [net(range)]);
        }
    }

    #[test]
    fn a_range_is_covered_when_the_holes_leave_nothing() {
        let covered = |range: &str, holes: &[&str]| {
            is_covered(net(range), &holes.iter().map(|hole| net(hole)).collect::<Vec<_>>())
        };
        assert!(covered("10.0.0.0/8", &["10.0.0.0/9", "10.128.0.0/9"]));
        assert!(covered("10.1.0.0/16", &["10.0.0.0/8"]));
        assert!(!covered("10.0.0.0/8", &["10.0.0.0/9", "10.128.0.0/10"]));
        assert!(!covered("10.0.0.0/8", &[]));
        assert!(!covered("10.0.0.0/8", &["::/0"]));
    }

    #[test]
    fn public_and_other_ranges_make_up_the_whole() {
        let mut ranges = public_v4();
        assert!(ranges.iter().all(|range| !is_private(*range) && !ranges_overlap(*range)));
        ranges.extend(not_public().into_iter().filter(|range| !is_v6(*range)));
        assert_eq!(IpNet::aggregate(&ranges), [everywhere_v4()]);
    }

    fn ranges_overlap(range: IpNet) -> bool {
        not_public().into_iter().any(|hole| intersection(range, hole).is_some())
    }

    #[test]
    fn private_ranges_are_told_from_public_ones() {
        for range in
            ["10.0.0.0/8", "10.1.2.3/32", "172.31.0.0/16", "169.254.0.0/16", "fd00::/8", "fe80::1/128"]
        {
            assert!(is_private(net(range)), "{range}");
        }
        for range in ["0.0.0.0/0", "8.0.0.0/7", "203.0.113.0/24", "::/0", "2001:db8::/32"] {
            assert!(!is_private(net(range)), "{range}");
        }
    }
}
