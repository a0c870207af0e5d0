//! Protocols and ports, as security groups and network ACLs both write them.

use serde_json::Value;

use crate::node::{Node, Read};

/// TCP and UDP, the protocols that have ports.
const WITH_PORTS: [u8; 2] = [6, 17];

/// Reads a protocol name or number; `None` stands for all.
pub(crate) fn protocol(node: &Node<'_>, member: &str) -> Read<Option<u8>> {
    let Some(value) = node.member(member)? else { return Err(node.defect("a rule with a protocol")) };
    let text = match value.value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return Err(value.defect("a protocol")),
    };
    match text.as_str() {
        "-1" | "all" => Ok(None),
        "tcp" => Ok(Some(6)),
        "udp" => Ok(Some(17)),
        "icmp" => Ok(Some(1)),
        "icmpv6" => Ok(Some(58)),
        number => number.parse().map(Some).ok().ok_or_else(|| value.defect("a protocol")),
    }
}

/// Reads a range of ports; `None` for all. What stands there for protocols without ports (ICMP types, for
/// one) counts as all.
pub(crate) fn ports(
    node: &Node<'_>,
    protocol: Option<u8>,
    from: &str,
    to: &str,
) -> Read<(Option<u16>, Option<u16>)> {
    if !protocol.is_some_and(|protocol| WITH_PORTS.contains(&protocol)) {
        return Ok((None, None));
    }
    match (node.optional_integer(from)?, node.optional_integer(to)?) {
        (None, None) | (Some(-1), _) => Ok((None, None)),
        _ => {
            let (from, to): (u16, u16) = (node.integer(from)?, node.integer(to)?);
            if from > to {
                return Err(node.defect("ports in ascending order"));
            }
            Ok((Some(from), Some(to)))
        }
    }
}
