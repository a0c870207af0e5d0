//! What of Azure is data-bearing, and the nodes and edges it has.

use std::collections::BTreeSet;

use cadastre_model::asset::EvidenceIds;
use cadastre_model::asset::azure::AzureInventory;
use cadastre_model::asset::azure::compute::VirtualMachine;
use cadastre_model::asset::azure::network::VirtualNetwork;
use cadastre_model::declaration::{Declaration, Holds, Job, matches_pattern};
use cadastre_model::graph::{Node, NodeKind, Plane, Side};

use crate::edges::zone_of_account;
use crate::scope::{Protection, RecordStore, Scope};
use crate::sides::Sides;

/// Whether a principal is one of Microsoft Entra ID.
pub(crate) fn is_entra(principal: &str) -> bool {
    principal.starts_with("entra:")
}

/// Adds declared stores with what holds their records, brokers' machines, their keys and what is logged of them.
pub(crate) fn add_scope(
    scope: &mut Scope,
    azure: &AzureInventory,
    addresses: &BTreeSet<&str>,
    declaration: &Declaration,
) {
    for machine in &azure.machines {
        let by_identity = machine.identities.iter().any(|identity| is_broker(declaration, identity));
        let nics = azure.interfaces.iter().filter(|nic| nic.machine.as_deref() == Some(&machine.id));
        let mut own = nics.flat_map(|nic| &nic.addresses).map(|address| address.private.addr().to_string());
        if by_identity || own.any(|address| addresses.contains(address.as_str())) {
            scope.hosts.insert(machine.id.clone());
            // What a broker's disks hold is read in plaintext by whoever downloads them: Azure decrypts for them.
            for disk in &machine.disks {
                scope.records.insert(disk.clone(), store(&machine.evidence, Some(&machine.id)));
            }
        }
    }
    let holding =
        declaration.stores.iter().filter(|store| matches!(store.holds, Holds::Records | Holds::Backups));
    for declared in holding {
        let account = azure.storage_accounts.iter().find(|account| account.id == declared.arn);
        let container = azure.containers.iter().find(|container| container.id == declared.arn);
        let evidence = account.map(|account| &account.evidence).or(container.map(|one| &one.evidence));
        if let Some(evidence) = evidence {
            scope.records.insert(declared.arn.clone(), store(evidence, None));
        }
    }
    let accounts = azure.storage_accounts.iter().filter(|account| scope.covers(&account.id));
    let uris = accounts.filter_map(|account| account.key.as_deref());
    let keys: Vec<String> = uris.filter_map(|uri| key_of(azure, uri)).map(str::to_owned).collect();
    scope.keys.extend(keys);
    for declared in &declaration.keys {
        let known = azure.keys.iter().find(|key| key.id == declared.id);
        scope.keys.extend(known.map(|key| key.id.clone()));
    }
    scope.logs.extend(azure.diagnostic_settings.iter().map(|setting| setting.id.clone()));
}

/// A store whose service decrypts for whoever may read it.
fn store(evidence: &EvidenceIds, host: Option<&String>) -> RecordStore {
    RecordStore {
        protection: Protection::None,
        hosts: host.into_iter().cloned().collect(),
        via: None,
        evidence: evidence.clone(),
    }
}

/// The store of an id, whether or not it is part of the data plane.
pub(crate) fn any_store(azure: &AzureInventory, id: &str) -> Option<RecordStore> {
    let account = azure.storage_accounts.iter().find(|account| account.id == id);
    let container = || azure.containers.iter().find(|container| container.id == id);
    account
        .map(|account| &account.evidence)
        .or_else(|| container().map(|container| &container.evidence))
        .map(|evidence| store(evidence, None))
}

fn is_broker(declaration: &Declaration, identity: &str) -> bool {
    let principal = format!("entra:{identity}");
    let brokers = declaration.identities.iter().filter(|identity| identity.job == Job::Broker);
    brokers.into_iter().any(|broker| matches_pattern(&broker.principal, &principal))
}

/// The key that a storage account names by the vault's address.
fn key_of<'a>(azure: &'a AzureInventory, uri: &str) -> Option<&'a str> {
    let keys = azure.keys.iter().filter_map(|key| {
        let vault = azure.vaults.iter().find(|vault| vault.id == key.vault)?;
        let own = format!("{}/keys/{}", vault.uri.trim_end_matches('/'), key.name).to_lowercase();
        (own == uri).then_some(key.id.as_str())
    });
    keys.into_iter().next()
}

/// Nodes of everything of Azure that matters to the boundary.
pub(crate) fn nodes(
    azure: &AzureInventory,
    declaration: &Declaration,
    scope: &Scope,
    sides: &Sides<'_>,
) -> Vec<Node> {
    let mut gathering = Gathering { declaration, sides, nodes: Vec::new() };
    let hosts: Vec<&VirtualMachine> =
        azure.machines.iter().filter(|machine| scope.hosts.contains(&machine.id)).collect();
    let nics = || {
        azure.interfaces.iter().filter(|nic| hosts.iter().any(|host| nic.machine.as_ref() == Some(&host.id)))
    };
    let networks: BTreeSet<&str> = nics().map(|nic| nic.network.as_str()).collect();
    let subnets: BTreeSet<&str> = nics().map(|nic| nic.subnet.as_str()).collect();
    for network in azure.networks.iter().filter(|network| networks.contains(network.id.as_str())) {
        gathering.network(network, &subnets);
        for endpoint in azure.private_endpoints.iter().filter(|end| end.subnet.starts_with(&network.id)) {
            let label = endpoint.groups.first().map_or("private endpoint", String::as_str);
            let zone = Some(network.id.clone());
            let side = gathering.sides.of_account(&endpoint.subscription);
            gathering.put(
                &endpoint.id,
                NodeKind::Endpoint,
                label,
                zone,
                side,
                Plane::Data,
                &endpoint.evidence,
            );
        }
    }
    for host in &hosts {
        let subnet = nics().find(|nic| nic.machine.as_ref() == Some(&host.id)).map(|nic| nic.subnet.clone());
        let zone = subnet.or_else(|| Some(zone_of_account(&host.subscription, declaration)));
        let side = gathering.sides.of_account(&host.subscription);
        gathering.put(&host.id, NodeKind::Host, &host.name, zone, side, Plane::Data, &host.evidence);
        for disk in host.disks.iter().filter(|disk| scope.covers(disk)) {
            gathering.owned(
                disk,
                NodeKind::Store,
                last(disk),
                &host.subscription,
                Plane::Data,
                &host.evidence,
            );
        }
    }
    for account in azure.storage_accounts.iter().filter(|account| scope.covers(&account.id)) {
        let plane = plane_of(declaration, &account.id);
        gathering.owned(
            &account.id,
            NodeKind::Store,
            &account.name,
            &account.subscription,
            plane,
            &account.evidence,
        );
    }
    for container in azure.containers.iter().filter(|container| scope.covers(&container.id)) {
        let (plane, owner) = (plane_of(declaration, &container.id), subscription_of(&container.id));
        gathering.owned(&container.id, NodeKind::Store, &container.name, owner, plane, &container.evidence);
    }
    for key in azure.keys.iter().filter(|key| scope.keys.contains(&key.id)) {
        let owner = subscription_of(&key.id);
        gathering.owned(&key.id, NodeKind::Key, &key.name, owner, Plane::Data, &key.evidence);
    }
    for setting in azure.diagnostic_settings.iter().filter(|setting| scope.logs.contains(&setting.id)) {
        let (label, owner) = (last(&setting.id), subscription_of(&setting.id));
        gathering.owned(&setting.id, NodeKind::Log, label, owner, Plane::Observability, &setting.evidence);
    }
    gathering.nodes
}

fn last(id: &str) -> &str {
    id.rsplit('/').next().unwrap_or(id)
}

fn subscription_of(id: &str) -> &str {
    id.split('/').nth(2).unwrap_or_default()
}

fn plane_of(declaration: &Declaration, id: &str) -> Plane {
    match declaration.stores.iter().find(|store| store.arn == id).map(|store| store.holds) {
        Some(Holds::Records | Holds::Backups) => Plane::Data,
        Some(Holds::Logs) => Plane::Observability,
        Some(Holds::Operations) => Plane::Control,
        None => Plane::Neither,
    }
}

struct Gathering<'a> {
    declaration: &'a Declaration,
    sides: &'a Sides<'a>,
    nodes: Vec<Node>,
}

impl Gathering<'_> {
    fn network(&mut self, network: &VirtualNetwork, subnets: &BTreeSet<&str>) {
        let owner = &network.subscription;
        self.owned(&network.id, NodeKind::Network, &network.name, owner, Plane::Data, &network.evidence);
        for subnet in network.subnets.iter().filter(|subnet| subnets.contains(subnet.id.as_str())) {
            let side = self.sides.of_account(owner);
            let zone = Some(network.id.clone());
            self.put(&subnet.id, NodeKind::Subnet, &subnet.name, zone, side, Plane::Data, &network.evidence);
        }
    }

    fn owned(
        &mut self,
        id: &str,
        kind: NodeKind,
        label: &str,
        owner: &str,
        plane: Plane,
        evidence: &EvidenceIds,
    ) {
        let zone = Some(zone_of_account(owner, self.declaration));
        self.put(id, kind, label, zone, self.sides.of_account(owner), plane, evidence);
    }

    #[expect(clippy::too_many_arguments, reason = "a node has as many parts")]
    fn put(
        &mut self,
        id: &str,
        kind: NodeKind,
        label: &str,
        zone: Option<String>,
        side: Side,
        plane: Plane,
        evidence: &EvidenceIds,
    ) {
        let (id, label, evidence) = (id.to_owned(), label.to_owned(), evidence.clone());
        self.nodes.push(Node { id, kind, label, zone, side, plane, evidence });
    }
}

/// What configurations show: who machines run as, which key encrypts an account, where logs go.
pub(crate) fn observed(
    azure: &AzureInventory,
    scope: &Scope,
    show: &mut dyn FnMut(&str, cadastre_model::graph::Relation, &str, &EvidenceIds),
) {
    use cadastre_model::graph::Relation;
    for machine in azure.machines.iter().filter(|machine| scope.hosts.contains(&machine.id)) {
        for identity in &machine.identities {
            show(&machine.id, Relation::RunsAs, &format!("entra:{identity}"), &machine.evidence);
        }
        for disk in machine.disks.iter().filter(|disk| scope.covers(disk)) {
            show(&machine.id, Relation::StoresIn, disk, &machine.evidence);
        }
    }
    for account in azure.storage_accounts.iter().filter(|account| scope.covers(&account.id)) {
        if let Some(key) = account.key.as_deref() {
            let key = key_of(azure, key).unwrap_or(key);
            show(&account.id, Relation::EncryptedBy, key, &account.evidence);
        }
    }
    for setting in azure.diagnostic_settings.iter().filter(|setting| scope.covers(&setting.resource)) {
        for destination in &setting.destinations {
            show(&setting.resource, Relation::LogsTo, destination, &setting.evidence);
        }
    }
}
