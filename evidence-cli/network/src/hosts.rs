//! The network interfaces of instances, and who is in which security group.

use std::collections::{BTreeMap, BTreeSet};

use cadastre_model::asset::EvidenceIds;
use cadastre_model::asset::compute::Instance;
use cadastre_model::asset::network::NetworkInterface;
use cadastre_model::inventory::Inventory;
use ipnet::IpNet;

use crate::range;

/// States of an instance that has given up its interfaces.
const GONE: [&str; 2] = ["terminated", "shutting-down"];

/// A network interface of an instance, or an instance whose interfaces are not in the evidence.
#[derive(Debug, Clone)]
pub(crate) struct Host {
    /// `eni-…`, or the instance's id.
    pub(crate) interface: String,
    pub(crate) instance: Option<String>,
    pub(crate) vpc: String,
    pub(crate) subnet: Option<String>,
    pub(crate) groups: BTreeSet<String>,
    /// Its addresses, private and IPv6.
    pub(crate) addresses: BTreeSet<IpNet>,
    pub(crate) has_public_v4: bool,
    pub(crate) has_v6: bool,
    pub(crate) evidence: EvidenceIds,
}

/// The interfaces of every instance that still has some.
pub(crate) fn of(inventory: &Inventory) -> Vec<Host> {
    let mut attached: BTreeMap<&str, Vec<&NetworkInterface>> = BTreeMap::new();
    for interface in &inventory.interfaces {
        if let Some(instance) = &interface.instance {
            attached.entry(instance).or_default().push(interface);
        }
    }
    let by_id: BTreeMap<&str, &NetworkInterface> =
        inventory.interfaces.iter().map(|interface| (interface.id.as_str(), interface)).collect();
    let mut hosts = Vec::new();
    let alive = inventory.instances.iter().filter(|instance| !GONE.contains(&instance.state.as_str()));
    for instance in alive {
        let mut interfaces: BTreeMap<&str, &NetworkInterface> = BTreeMap::new();
        let listed = instance.interfaces.iter().filter_map(|id| by_id.get(id.as_str()).copied());
        for interface in listed.chain(attached.get(instance.id.as_str()).into_iter().flatten().copied()) {
            interfaces.insert(&interface.id, interface);
        }
        if interfaces.is_empty() {
            hosts.push(of_instance(instance));
        }
        // An address given to an instance is its only interface's, if it has one only.
        let only = interfaces.len() == 1;
        hosts.extend(interfaces.into_values().map(|interface| {
            let mut host = of_interface(interface, instance);
            host.has_public_v4 |= only && has(&instance.public_addresses, false);
            host
        }));
    }
    hosts.sort_by(|a, b| a.interface.cmp(&b.interface));
    hosts
}

fn of_interface(interface: &NetworkInterface, instance: &Instance) -> Host {
    Host {
        interface: interface.id.clone(),
        instance: Some(instance.id.clone()),
        vpc: interface.vpc.clone(),
        subnet: Some(interface.subnet.clone()),
        groups: interface.security_groups.iter().cloned().collect(),
        addresses: addresses(&interface.private_addresses, &interface.public_addresses),
        has_public_v4: has(&interface.public_addresses, false),
        has_v6: has(&interface.public_addresses, true) || has(&interface.private_addresses, true),
        evidence: interface.evidence.union(&instance.evidence).cloned().collect(),
    }
}

fn of_instance(instance: &Instance) -> Host {
    Host {
        interface: instance.interfaces.first().unwrap_or(&instance.id).clone(),
        instance: Some(instance.id.clone()),
        vpc: instance.vpc.clone().unwrap_or_default(),
        subnet: instance.subnet.clone(),
        groups: instance.security_groups.iter().cloned().collect(),
        addresses: addresses(&instance.private_addresses, &instance.public_addresses),
        has_public_v4: has(&instance.public_addresses, false),
        has_v6: has(&instance.public_addresses, true) || has(&instance.private_addresses, true),
        evidence: instance.evidence.clone(),
    }
}

/// Private addresses, and public ones of IPv6, which are the interface's own.
fn addresses(private: &[String], public: &[String]) -> BTreeSet<IpNet> {
    let own =
        public.iter().filter_map(|text| range::of_address(text)).filter(|address| range::is_v6(*address));
    private.iter().filter_map(|text| range::of_address(text)).chain(own).collect()
}

/// Whether there is an address of the family. One that is there and cannot be read, as in a plan whose addresses are
/// given only when it is applied, counts as IPv4: those of IPv6 are an interface's own and never wait for anything.
fn has(addresses: &[String], v6: bool) -> bool {
    addresses.iter().any(|text| range::of_address(text).is_some_and(range::is_v6) == v6)
}

/// The addresses in every security group: those of all interfaces, and of instances without one.
pub(crate) fn members(inventory: &Inventory) -> BTreeMap<&str, (BTreeSet<IpNet>, EvidenceIds)> {
    let mut members = BTreeMap::new();
    let mut with_interfaces = BTreeSet::new();
    for interface in &inventory.interfaces {
        with_interfaces.extend(interface.instance.as_deref());
        let addresses = addresses(&interface.private_addresses, &interface.public_addresses);
        add(&mut members, &interface.security_groups, &addresses, &interface.evidence);
    }
    for instance in &inventory.instances {
        if !with_interfaces.contains(instance.id.as_str()) && !GONE.contains(&instance.state.as_str()) {
            let addresses = addresses(&instance.private_addresses, &instance.public_addresses);
            add(&mut members, &instance.security_groups, &addresses, &instance.evidence);
        }
    }
    members
}

fn add<'a>(
    members: &mut BTreeMap<&'a str, (BTreeSet<IpNet>, EvidenceIds)>,
    groups: &'a [String],
    addresses: &BTreeSet<IpNet>,
    evidence: &EvidenceIds,
) {
    for group in groups {
        let (known, records) = members.entry(group).or_default();
        known.extend(addresses.iter().copied());
        records.extend(evidence.iter().cloned());
    }
}
