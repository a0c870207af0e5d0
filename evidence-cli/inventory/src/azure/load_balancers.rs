//! Load balancers: what they forward to whom, and who leaves through them.

use std::collections::{BTreeMap, BTreeSet};

use cadastre_model::asset::EvidenceIds;
use cadastre_model::asset::azure::network::{Forward, LoadBalancer, Span};

use super::fields::{id, properties, protocol, reference, references, sku};
use crate::node::{Node, Read};
use crate::reader::Reader;

/// The members of pools, by pool.
type Pools = BTreeMap<String, Vec<String>>;

/// Reads every load balancer.
pub(super) fn read(reader: &mut Reader<'_>) -> Vec<LoadBalancer> {
    reader.assets("Microsoft.Network/loadBalancers/read", "value", |_, balancer| {
        let own = properties(balancer)?;
        let pools = pools(&own)?;
        let mut public = BTreeSet::new();
        for front in own.optional_list("frontendIPConfigurations")? {
            let parts = properties(&front)?;
            let faces_out = parts.optional_object("publicIPAddress")?.is_some()
                || parts.optional_object("publicIPPrefix")?.is_some();
            if faces_out {
                public.insert(id(&front)?);
            }
        }
        let mut forwards = Vec::new();
        let mut outbound = BTreeSet::new();
        for rule in own.optional_list("loadBalancingRules")? {
            let parts = properties(&rule)?;
            let forward = forward(&rule, &parts, &pools, &public)?;
            if forward.public && !parts.optional_boolean("disableOutboundSnat")?.unwrap_or(false) {
                outbound.extend(forward.members.iter().cloned());
            }
            forwards.push(forward);
        }
        for rule in own.optional_list("inboundNatRules")? {
            let parts = properties(&rule)?;
            forwards.push(forward(&rule, &parts, &pools, &public)?);
        }
        for rule in own.optional_list("outboundRules")? {
            let pool = reference(&properties(&rule)?, "backendAddressPool")?;
            outbound.extend(pool.and_then(|pool| pools.get(&pool)).into_iter().flatten().cloned());
        }
        let members: BTreeSet<String> = pools.into_values().flatten().collect();
        Ok(Some(LoadBalancer {
            id: id(balancer)?,
            name: balancer.owned_text("name")?,
            closed_by_default: sku(balancer)?.to_ascii_lowercase().starts_with("standard"),
            forwards,
            members: members.into_iter().collect(),
            outbound: outbound.into_iter().collect(),
            evidence: EvidenceIds::new(),
        }))
    })
}

/// Members are named by the configuration of an interface, or by `NETWORK ADDRESS` where the pool holds addresses.
fn pools(own: &Node<'_>) -> Read<Pools> {
    let mut pools = Pools::new();
    for pool in own.optional_list("backendAddressPools")? {
        let parts = properties(&pool)?;
        let mut members = references(&parts, "backendIPConfigurations")?;
        for address in parts.optional_list("loadBalancerBackendAddresses")? {
            let parts = properties(&address)?;
            let network = match reference(&parts, "virtualNetwork")? {
                Some(network) => Some(network),
                None => reference(&parts, "subnet")?.map(|subnet| super::fields::parent(&subnet, 1)),
            };
            if let (Some(network), Some(address)) = (network, parts.optional_text("ipAddress")?) {
                members.push(format!("{network} {address}"));
            }
        }
        members.sort();
        members.dedup();
        pools.insert(id(&pool)?, members);
    }
    Ok(pools)
}

fn forward(rule: &Node<'_>, parts: &Node<'_>, pools: &Pools, public: &BTreeSet<String>) -> Read<Forward> {
    let front = reference(parts, "frontendIPConfiguration")?;
    let mut members: Vec<String> = reference(parts, "backendIPConfiguration")?.into_iter().collect();
    let mut named = references(parts, "backendAddressPools")?;
    named.extend(reference(parts, "backendAddressPool")?);
    members.extend(named.iter().filter_map(|pool| pools.get(pool)).flatten().cloned());
    members.sort();
    members.dedup();
    let port = |member: &str| -> Read<u16> {
        parts
            .optional_integer(member)?
            .map_or(Ok(0), |port| u16::try_from(port).ok().ok_or_else(|| parts.defect("a port")))
    };
    let back = port("backendPort")?;
    Ok(Forward {
        name: rule.owned_text("name")?,
        public: front.is_some_and(|front| public.contains(&front)),
        protocol: protocol(parts)?,
        front_port: port("frontendPort")?,
        // Port 0 stands for all of them ("High availability ports overview").
        ports: if back == 0 { Span::ALL } else { Span { from: back, to: back } },
        members,
    })
}
