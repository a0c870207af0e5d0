//! The host of an ACL: `*`, one address, or since KIP-1276 a network in CIDR notation.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// The host part of an ACL, kept in the text the administrator gave so that filters find it again.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostPattern {
    text: String,
    matcher: HostMatcher,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum HostMatcher {
    Any,
    Address(IpAddr),
    Network(IpNet),
    /// A host name, or an address not spelt as Kafka prints addresses. Kafka compares text, so these match nobody.
    Nobody,
}

/// A host that no ACL may carry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostPatternError {
    /// Nothing at all.
    #[error("host pattern is empty")]
    Empty,
    /// There is a slash, but what surrounds it is no network.
    #[error("`{0}` is not a network in CIDR notation")]
    InvalidNetwork(String),
}

impl HostPattern {
    /// `*`: every host.
    pub fn any() -> Self {
        Self { text: "*".to_owned(), matcher: HostMatcher::Any }
    }

    /// Reads a host the way Kafka's controller validates it: only what contains a slash is checked.
    ///
    /// # Errors
    /// An empty host, and a slash in something that is no IPv4 or IPv6 network. Bits set beyond the prefix are
    /// accepted and ignored, as in Kafka.
    pub fn parse(text: &str) -> Result<Self, HostPatternError> {
        let matcher = match text {
            "" => return Err(HostPatternError::Empty),
            "*" => HostMatcher::Any,
            network if network.contains('/') => match network.parse::<IpNet>() {
                Ok(network) => HostMatcher::Network(network.trunc()),
                Err(_) => return Err(HostPatternError::InvalidNetwork(text.to_owned())),
            },
            address => match address.parse::<IpAddr>() {
                Ok(address) if address_text(address) == text => HostMatcher::Address(address),
                _ => HostMatcher::Nobody,
            },
        };
        Ok(Self { text: text.to_owned(), matcher })
    }

    /// The text as given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether a client at `address` is meant. IPv4 addresses mapped into IPv6 count as IPv4, as they do in Java.
    pub fn matches(&self, address: IpAddr) -> bool {
        match &self.matcher {
            HostMatcher::Any => true,
            HostMatcher::Address(expected) => *expected == address.to_canonical(),
            HostMatcher::Network(network) => network.contains(&address.to_canonical()),
            HostMatcher::Nobody => false,
        }
    }
}

/// An address as Java's `InetAddress.getHostAddress` prints it, which is what Kafka compares ACL hosts with: IPv6 in
/// eight groups, never shortened.
pub fn address_text(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => address.segments().map(|group| format!("{group:x}")).join(":"),
    }
}

impl TryFrom<String> for HostPattern {
    type Error = HostPatternError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<HostPattern> for String {
    fn from(pattern: HostPattern) -> Self {
        pattern.text
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl fmt::Debug for HostPattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, address: &str, expected: bool) {
        let pattern = HostPattern::parse(pattern).unwrap();
        assert_eq!(pattern.matches(address.parse().unwrap()), expected, "{pattern} against {address}");
    }

    #[test]
    fn hosts_match_as_in_kafka() {
        check("*", "10.0.0.1", true);
        check("*", "2001:db8::1", true);
        check("10.0.0.1", "10.0.0.1", true);
        check("10.0.0.1", "::ffff:10.0.0.1", true);
        check("10.0.0.1", "10.0.0.2", false);
        check("broker.example.com", "10.0.0.1", false);
        check("2001:db8:0:0:0:0:0:1", "2001:db8::1", true);
        check("2001:db8::1", "2001:db8::1", false);
    }

    #[test]
    fn networks_match_their_own_family_edges_included() {
        check("192.168.1.0/24", "192.168.1.0", true);
        check("192.168.1.0/24", "192.168.1.255", true);
        check("192.168.1.77/24", "192.168.1.3", true);
        check("192.168.1.0/24", "192.168.2.0", false);
        check("192.168.1.0/24", "::ffff:192.168.1.9", true);
        check("0.0.0.0/0", "203.0.113.9", true);
        check("0.0.0.0/0", "2001:db8::1", false);
        check("2001:db8::/32", "2001:db8:ffff::1", true);
        check("2001:db8::/32", "2001:db9::1", false);
        check("10.1.2.3/32", "10.1.2.3", true);
    }

    #[test]
    fn broken_networks_are_refused() {
        for text in ["10.0.0.0/33", "example.com/24", "10.0.0/8", "2001:db8::/129", "/8", "10.0.0.0/"] {
            assert_eq!(
                HostPattern::parse(text),
                Err(HostPatternError::InvalidNetwork(text.to_owned())),
                "{text} was accepted"
            );
        }
        assert_eq!(HostPattern::parse(""), Err(HostPatternError::Empty));
    }
}
