//! Network security groups, their rules and default rules, and the ranges of service tags.

use cadastre_model::asset::EvidenceIds;
use cadastre_model::asset::azure::network::{
    Matches, NetworkSecurityGroup, Peer, SecurityRule, ServiceTag, Span,
};
use ipnet::IpNet;

use super::fields::{id, properties, protocol, references, says};
use crate::node::{Node, Read};
use crate::reader::Reader;

/// Reads every network security group.
pub(super) fn security_groups(reader: &mut Reader<'_>) -> Vec<NetworkSecurityGroup> {
    reader.assets("Microsoft.Network/networkSecurityGroups/read", "value", |_, group| {
        let own = properties(group)?;
        let mut rules = Vec::new();
        for list in ["securityRules", "defaultSecurityRules"] {
            for rule in own.optional_list(list)? {
                rules.push(security_rule(&rule)?);
            }
        }
        if !rules.iter().any(|rule| rule.priority >= 65_000) {
            rules.extend(default_rules());
        }
        rules.sort_by(|a, b| (a.priority, &a.name).cmp(&(b.priority, &b.name)));
        Ok(Some(NetworkSecurityGroup {
            id: id(group)?,
            name: group.owned_text("name")?,
            rules,
            evidence: EvidenceIds::new(),
        }))
    })
}

/// The rules that every group ends with and that cannot be taken away ("Network security groups", default security
/// rules).
fn default_rules() -> Vec<SecurityRule> {
    let tag = |name: &str| Peer::Tag(name.to_owned());
    [
        ("AllowVnetInBound", 65_000, true, true, tag("VirtualNetwork"), tag("VirtualNetwork")),
        ("AllowAzureLoadBalancerInBound", 65_001, true, true, tag("AzureLoadBalancer"), Peer::Any),
        ("DenyAllInBound", 65_500, true, false, Peer::Any, Peer::Any),
        ("AllowVnetOutBound", 65_000, false, true, tag("VirtualNetwork"), tag("VirtualNetwork")),
        ("AllowInternetOutBound", 65_001, false, true, Peer::Any, tag("Internet")),
        ("DenyAllOutBound", 65_500, false, false, Peer::Any, Peer::Any),
    ]
    .map(|(name, priority, inbound, allow, source, destination)| SecurityRule {
        name: name.to_owned(),
        priority,
        allow,
        matches: Matches {
            inbound,
            protocol: None,
            sources: vec![source],
            source_ports: vec![Span::ALL],
            destinations: vec![destination],
            ports: vec![Span::ALL],
        },
        pointer: String::new(),
    })
    .into()
}

fn security_rule(node: &Node<'_>) -> Read<SecurityRule> {
    let own = properties(node)?;
    let peers = |one: &str, many: &str, groups: &str| -> Read<Vec<Peer>> {
        let mut peers = Vec::new();
        if let Some(text) = own.optional_text(one)?.filter(|text| !text.is_empty()) {
            peers.push(peer(&own, text)?);
        }
        for item in own.optional_list(many)? {
            peers.push(peer(&item, &item.own_text()?)?);
        }
        peers.extend(references(&own, groups)?.into_iter().map(Peer::ApplicationGroup));
        if peers.is_empty() { Err(own.defect("a rule with peers")) } else { Ok(peers) }
    };
    let allow = says(&own, "access", "Allow")?;
    if !allow && !says(&own, "access", "Deny")? {
        return Err(own.defect("`Allow` or `Deny`"));
    }
    let inbound = says(&own, "direction", "Inbound")?;
    if !inbound && !says(&own, "direction", "Outbound")? {
        return Err(own.defect("`Inbound` or `Outbound`"));
    }
    Ok(SecurityRule {
        name: node.owned_text("name")?,
        priority: own.integer("priority")?,
        allow,
        matches: Matches {
            inbound,
            protocol: protocol(&own)?,
            sources: peers(
                "sourceAddressPrefix",
                "sourceAddressPrefixes",
                "sourceApplicationSecurityGroups",
            )?,
            source_ports: spans(&own, "sourcePortRange", "sourcePortRanges")?,
            destinations: peers(
                "destinationAddressPrefix",
                "destinationAddressPrefixes",
                "destinationApplicationSecurityGroups",
            )?,
            ports: spans(&own, "destinationPortRange", "destinationPortRanges")?,
        },
        pointer: node.pointer.clone(),
    })
}

/// One address prefix: everything, a range, an address, or a service tag.
pub(super) fn peer(node: &Node<'_>, text: &str) -> Read<Peer> {
    if matches!(text, "*" | "Any" | "any") {
        return Ok(Peer::Any);
    }
    if text.starts_with("/subscriptions/") {
        return Ok(Peer::NetworkGroup(text.to_lowercase()));
    }
    if let Ok(range) = text.parse::<IpNet>() {
        return Ok(Peer::Cidr(range.trunc()));
    }
    if let Ok(address) = text.parse::<std::net::IpAddr>() {
        return Ok(Peer::Cidr(address.into()));
    }
    if text.starts_with(|c: char| c.is_ascii_alphabetic()) && !text.contains(':') {
        return Ok(Peer::Tag(text.to_owned()));
    }
    Err(node.defect("an address range or a service tag"))
}

/// A rule that names nobody is about everybody.
pub(super) fn or_any(peers: Vec<Peer>) -> Vec<Peer> {
    if peers.is_empty() { vec![Peer::Any] } else { peers }
}

/// Port ranges under the name for one or the name for many; none given means all.
pub(super) fn spans(node: &Node<'_>, one: &str, many: &str) -> Read<Vec<Span>> {
    let mut spans = Vec::new();
    if let Some(text) = node.optional_text(one)?.filter(|text| !text.is_empty()) {
        spans.push(span(node, text)?);
    }
    for item in node.optional_list(many)? {
        spans.push(span(&item, &item.own_text()?)?);
    }
    Ok(if spans.is_empty() { vec![Span::ALL] } else { spans })
}

fn span(node: &Node<'_>, text: &str) -> Read<Span> {
    if text == "*" {
        return Ok(Span::ALL);
    }
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    let port = |text: &str| text.trim().parse::<u16>().ok().ok_or_else(|| node.defect("a port range"));
    let span = Span { from: port(from)?, to: port(to)? };
    if span.from > span.to { Err(node.defect("a port range that begins before it ends")) } else { Ok(span) }
}

/// Reads the ranges of service tags, a list a region.
pub(super) fn service_tags(reader: &mut Reader<'_>) -> Vec<ServiceTag> {
    reader.assets("Microsoft.Network/locations/serviceTags/read", "values", |_, tag| {
        let own = properties(tag)?;
        let mut ranges = Vec::new();
        for item in own.optional_list("addressPrefixes")? {
            let text = item.own_text()?;
            ranges.push(text.parse::<IpNet>().ok().ok_or_else(|| item.defect("an address range"))?.trunc());
        }
        Ok(Some(ServiceTag { name: tag.owned_text("name")?, ranges, evidence: EvidenceIds::new() }))
    })
}
