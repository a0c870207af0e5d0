//! Edges in three layers: what is declared, what is permitted, what is observed.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use cadastre_model::Known;
use cadastre_model::access::{Access, Capability, CapabilityEdge, Decision};
use cadastre_model::asset::compute::Instance;
use cadastre_model::asset::{EvidenceIds, StatementRef};
use cadastre_model::declaration::{Declaration, Network, matches_pattern};
use cadastre_model::graph::{Edge, Layer, Relation};
use cadastre_model::inventory::Inventory;
use cadastre_model::reach::{Crossing, Direction, PermittedFlow, Reachability};
use foldhash::fast::RandomState;
use ipnet::IpNet;
use rayon::prelude::*;

use crate::nodes::{account_zone, broker_id, endpoint_id, listener_id, network_node, vendor_zone};
use crate::principals::Holders;
use crate::scope::{Scope, instance_id, snapshot_id, volume_id};

/// The zone of everything that is in no declared account.
pub(crate) const INTERNET: &str = "internet";

/// What edges that say the same have in common: from, to, what and in which layer.
type Saying = (String, String, Relation, Layer);

/// Gathers edges; those that say the same become one.
#[derive(Debug, Default)]
struct Gathering {
    edges: BTreeMap<Saying, (Decision, BTreeSet<StatementRef>, EvidenceIds)>,
}

impl Gathering {
    fn add(&mut self, layer: Layer, from: &str, relation: Relation, to: &str, evidence: &EvidenceIds) {
        self.add_decided(layer, from, relation, to, Decision::Allow, &[], evidence);
    }

    #[expect(clippy::too_many_arguments, reason = "an edge has as many parts")]
    fn add_decided(
        &mut self,
        layer: Layer,
        from: &str,
        relation: Relation,
        to: &str,
        decision: Decision,
        statements: &[StatementRef],
        evidence: &EvidenceIds,
    ) {
        let key = (from.to_owned(), to.to_owned(), relation, layer);
        let entry =
            self.edges.entry(key).or_insert_with(|| (Decision::Deny, BTreeSet::new(), EvidenceIds::new()));
        entry.0 = either(std::mem::replace(&mut entry.0, Decision::Deny), decision);
        entry.1.extend(statements.iter().cloned());
        entry.2.extend(statements.iter().map(|statement| statement.record.clone()));
        entry.2.extend(evidence.iter().cloned());
    }

    fn finish(self) -> Vec<Edge> {
        self.edges
            .into_iter()
            .map(|((from, to, relation, layer), (decision, statements, evidence))| Edge {
                from,
                to,
                relation,
                layer,
                decision,
                statements: statements.into_iter().collect(),
                evidence,
            })
            .collect()
    }
}

/// Either suffices; the shorter of two conditions stands for both, so that merging many proofs stays readable.
fn either(known: Decision, further: Decision) -> Decision {
    match (known, further) {
        (Decision::Conditional(a), Decision::Conditional(b)) => {
            Decision::Conditional(if (b.len(), &b) < (a.len(), &a) { b } else { a })
        }
        (Decision::Unknown(a), Decision::Unknown(b)) => {
            Decision::Unknown(if (b.len(), &b) < (a.len(), &a) { b } else { a })
        }
        (a, b) => a.or(b),
    }
}

/// All edges, sorted.
pub(crate) fn all(
    inventory: &Inventory,
    access: &Access,
    reachability: &Reachability,
    declaration: &Declaration,
    scope: &Scope,
    holders: &Holders,
) -> Vec<Edge> {
    let mut gathering = Gathering::default();
    declared(inventory, declaration, holders, &mut gathering);
    let mut edges = permitted(access, scope, holders, &mut gathering);
    reaching(inventory, reachability, declaration, scope, &mut gathering);
    observed(inventory, scope, &mut gathering);
    edges.extend(gathering.finish());
    edges.par_sort_unstable();
    edges
}

/// What the customer says.
fn declared(inventory: &Inventory, declaration: &Declaration, holders: &Holders, gathering: &mut Gathering) {
    let nothing = EvidenceIds::new();
    // Patterns stand for whoever matches; a name that nobody matches stands for itself.
    let meant = |pattern: &str| -> Vec<String> {
        let found: Vec<String> =
            holders.all.iter().filter(|principal| matches_pattern(pattern, principal)).cloned().collect();
        if found.is_empty() && !pattern.contains(['*', '?']) { vec![pattern.to_owned()] } else { found }
    };
    let key_arn = |id: &str| -> String {
        let key =
            inventory.keys.iter().find(|key| key.arn == id || key.aliases.iter().any(|alias| alias == id));
        key.map_or_else(|| id.to_owned(), |key| key.arn.clone())
    };
    let mut can = |principals: &[String], capability: Capability, target: &str| {
        for principal in principals.iter().flat_map(|pattern| meant(pattern)) {
            gathering.add(Layer::Declared, &principal, Relation::Can(capability), target, &nothing);
        }
    };
    for key in &declaration.keys {
        can(&key.decrypt, Capability::Decrypt, &key_arn(&key.id));
        can(&key.administrators, Capability::ManageKey, &key_arn(&key.id));
    }
    for sink in &declaration.log_sinks {
        can(&sink.administrators, Capability::AlterLogs, &sink.arn);
    }
    for cluster in &declaration.clusters {
        let id = format!("cluster:{}", cluster.name);
        can(&cluster.administrators, Capability::ChangePolicy, &id);
        can(&cluster.super_users, Capability::ChangePolicy, &id);
        let observed = inventory.clusters.iter().find(|observed| observed.name == cluster.name);
        let topics: Vec<&str> = observed
            .and_then(|observed| observed.topics.observed())
            .into_iter()
            .flatten()
            .map(|topic| topic.name.as_str())
            .collect();
        for workload in &cluster.workloads {
            for topic in &topics {
                let target = format!("topic:{}/{topic}", cluster.name);
                let principal = std::slice::from_ref(&workload.principal);
                if workload.reads.iter().any(|pattern| matches_pattern(pattern, topic)) {
                    can(principal, Capability::ReadRecords, &target);
                }
                if workload.writes.iter().any(|pattern| matches_pattern(pattern, topic)) {
                    can(principal, Capability::WriteRecords, &target);
                }
            }
        }
    }
    for vendor in &declaration.vendors {
        for role in &vendor.roles {
            let zone = vendor_zone(&vendor.name);
            gathering.add(Layer::Declared, &zone, Relation::Can(Capability::Assume), &role.arn, &nothing);
        }
    }
    for store in &declaration.stores {
        if let Some(key) = &store.key {
            gathering.add(Layer::Declared, &store.arn, Relation::EncryptedBy, &key_arn(key), &nothing);
        }
    }
    for flow in &declaration.flows {
        let end = |text: &str| match declaration.networks.iter().any(|network| network.name == text) {
            true => network_node(text),
            false => text.to_owned(),
        };
        let (from, to) = (end(&flow.from), end(&flow.to));
        gathering.add(Layer::Declared, &from, Relation::Can(Capability::Reach), &to, &nothing);
    }
}

/// What there is to know of a target, whoever has an edge to it.
#[derive(Clone, Copy)]
struct Standing {
    covered: bool,
    direct: bool,
    held: bool,
}

/// What policies allow, towards what is data-bearing and towards those who hold it. What may reach what is gathered with
/// what the network says.
fn permitted(access: &Access, scope: &Scope, holders: &Holders, gathering: &mut Gathering) -> Vec<Edge> {
    let mut standings: HashMap<&str, Standing, RandomState> = HashMap::default();
    for edge in &access.edges {
        standings.entry(&edge.target).or_insert_with(|| Standing {
            covered: scope.covers(&edge.target),
            direct: holders.direct.contains(&edge.target),
            held: holders.all.contains(&edge.target),
        });
    }
    let matters = |edge: &CapabilityEdge, by_holder: bool| {
        standings.get(edge.target.as_str()).is_some_and(|target| {
            target.covered
                || (target.direct && by_holder)
                || (edge.capability == Capability::Assume && target.held)
        })
    };
    let reaching = access.edges.iter().filter(|edge| edge.capability == Capability::Reach);
    for edge in reaching.filter(|edge| matters(edge, holders.all.contains(&edge.principal))) {
        gathering.add_decided(
            Layer::Permitted,
            &edge.principal,
            Relation::Can(edge.capability),
            &edge.target,
            edge.decision.clone(),
            &edge.statements,
            &EvidenceIds::new(),
        );
    }
    let mut others: Vec<&CapabilityEdge> =
        access.edges.iter().filter(|edge| edge.capability != Capability::Reach).collect();
    if !others.is_sorted_by(|a, b| saying(a) <= saying(b)) {
        others.sort_by(|a, b| saying(a).cmp(&saying(b)));
    }
    let own: Vec<&[&CapabilityEdge]> = others.chunk_by(|a, b| a.principal == b.principal).collect();
    own.into_par_iter()
        .flat_map_iter(|own| {
            let by_holder = own.first().is_some_and(|edge| holders.all.contains(&edge.principal));
            own.chunk_by(|a, b| (a.capability, &a.target) == (b.capability, &b.target))
                .filter_map(|same| same.first().filter(|edge| matters(edge, by_holder)).map(|_| same))
                .filter_map(together)
                .collect::<Vec<Edge>>()
        })
        .collect()
}

/// What an edge says, whyever.
fn saying(edge: &CapabilityEdge) -> (&str, Capability, &str) {
    (&edge.principal, edge.capability, &edge.target)
}

/// One edge for all that say the same.
fn together(same: &[&CapabilityEdge]) -> Option<Edge> {
    let first = same.first()?;
    let mut statements: Vec<&StatementRef> = same.iter().flat_map(|edge| &edge.statements).collect();
    statements.sort_unstable();
    statements.dedup();
    Some(Edge {
        from: first.principal.clone(),
        to: first.target.clone(),
        relation: Relation::Can(first.capability),
        layer: Layer::Permitted,
        decision: same.iter().fold(Decision::Deny, |known, edge| either(known, edge.decision.clone())),
        evidence: statements.iter().map(|statement| statement.record.clone()).collect(),
        statements: statements.into_iter().cloned().collect(),
    })
}

/// What the network lets through, to and from broker hosts.
fn reaching(
    inventory: &Inventory,
    reachability: &Reachability,
    declaration: &Declaration,
    scope: &Scope,
    gathering: &mut Gathering,
) {
    let mut hosts: BTreeMap<&str, String> =
        inventory.instances.iter().map(|instance| (instance.id.as_str(), instance_id(instance))).collect();
    hosts.extend(inventory.azure.machines.iter().map(|machine| (machine.id.as_str(), machine.id.clone())));
    for flow in &reachability.flows {
        let Some(host) = flow.instance.as_deref().and_then(|instance| hosts.get(instance)) else { continue };
        if !scope.hosts.contains(host) {
            continue;
        }
        for peer in peers(flow, inventory, declaration) {
            let (from, to) = match flow.direction {
                Direction::Ingress => (peer.as_str(), host.as_str()),
                Direction::Egress => (host.as_str(), peer.as_str()),
            };
            gathering.add(Layer::Permitted, from, Relation::Can(Capability::Reach), to, &flow.evidence);
        }
    }
}

/// The nodes a flow's peer stands for: endpoints by their service, declared networks it lies in or covers, and
/// the world outside.
fn peers(flow: &PermittedFlow, inventory: &Inventory, declaration: &Declaration) -> BTreeSet<String> {
    let mut peers = BTreeSet::new();
    if flow.crossing == Crossing::Endpoint {
        let list = inventory.prefix_lists.iter().find(|list| Some(&list.id) == flow.peer_name.as_ref());
        let service = list.map_or(flow.peer_name.as_deref(), |list| Some(list.name.as_str()));
        for endpoint in inventory.endpoints.iter().filter(|endpoint| endpoint.vpc == flow.vpc) {
            let by_hop =
                flow.hops.iter().any(|hop| hop.at == endpoint.id || hop.what.ends_with(&endpoint.id));
            if by_hop || service == Some(&endpoint.service) {
                peers.insert(endpoint_id(endpoint, inventory));
            }
        }
        return peers;
    }
    let Some(range) = flow.peer else { return peers };
    let overlapping = |network: &&Network| network.cidrs.iter().any(|cidr| overlap(cidr, &range));
    peers.extend(declaration.networks.iter().filter(overlapping).map(|network| network_node(&network.name)));
    for vendor in &declaration.vendors {
        if vendor.networks.iter().any(|cidr| overlap(cidr, &range)) {
            peers.insert(vendor_zone(&vendor.name));
        }
    }
    let outside = matches!(flow.crossing, Crossing::Internet | Crossing::Nat);
    if outside || (peers.is_empty() && flow.crossing != Crossing::Local) {
        peers.insert(INTERNET.to_owned());
    }
    peers
}

fn overlap(left: &IpNet, right: &IpNet) -> bool {
    left.contains(&right.network()) || right.contains(&left.network())
}

/// What configurations show.
fn observed(inventory: &Inventory, scope: &Scope, gathering: &mut Gathering) {
    let mut show = |from: &str, relation: Relation, to: &str, evidence: &EvidenceIds| {
        gathering.add(Layer::Observed, from, relation, to, evidence);
    };
    crate::azure::observed(&inventory.azure, scope, &mut show);
    let hosts: BTreeMap<&str, String> = inventory
        .instances
        .iter()
        .map(|instance| (instance.id.as_str(), instance_id(instance)))
        .filter(|(_, id)| scope.hosts.contains(id))
        .collect();
    for instance in &inventory.instances {
        let Some(host) = hosts.get(instance.id.as_str()) else { continue };
        if let Some(role) = instance.role.observed() {
            show(host, Relation::RunsAs, role, &instance.evidence);
        }
    }
    for volume in &inventory.volumes {
        let id = volume_id(volume);
        if !scope.records.contains_key(&id) {
            continue;
        }
        if let Some(key) = &volume.key_arn {
            show(&id, Relation::EncryptedBy, key, &volume.evidence);
        }
        let attached = inventory.instances.iter().filter(|instance| {
            volume.instances.contains(&instance.id) || instance.volumes.contains(&volume.id)
        });
        for host in attached.filter_map(|instance| hosts.get(instance.id.as_str())) {
            show(host, Relation::StoresIn, &id, &volume.evidence);
        }
        for snapshot in
            inventory.snapshots.iter().filter(|snapshot| snapshot.volume.as_deref() == Some(&volume.id))
        {
            show(&id, Relation::StoresIn, &snapshot_id(snapshot), &snapshot.evidence);
        }
    }
    for snapshot in &inventory.snapshots {
        let id = snapshot_id(snapshot);
        if let Some(key) = snapshot.key_arn.as_ref().filter(|_| scope.records.contains_key(&id)) {
            show(&id, Relation::EncryptedBy, key, &snapshot.evidence);
        }
    }
    for bucket in inventory.buckets.iter().filter(|bucket| scope.covers(&bucket.arn)) {
        if let Some(key) = bucket.encryption.observed().and_then(|encryption| encryption.key_arn.as_deref()) {
            show(&bucket.arn, Relation::EncryptedBy, key, &bucket.evidence);
        }
        for copy in bucket.replication_destinations.observed().into_iter().flatten() {
            show(&bucket.arn, Relation::StoresIn, copy, &bucket.evidence);
        }
    }
    for trail in &inventory.trails {
        show(&trail.arn, Relation::LogsTo, &format!("arn:aws:s3:::{}", trail.bucket), &trail.evidence);
        if let Some(key) = trail.key.as_deref().filter(|key| scope.keys.contains(*key)) {
            show(&trail.arn, Relation::EncryptedBy, key, &trail.evidence);
        }
    }
    for log in &inventory.flow_logs {
        let destination = log.destination.as_deref().map(|destination| destination.trim_end_matches(":*"));
        let known = inventory.vpcs.iter().find(|vpc| vpc.id == log.resource);
        if let (Some(destination), Some(vpc)) = (destination, known) {
            let bucket = destination.split('/').next().filter(|_| destination.contains(":s3:"));
            show(&crate::nodes::vpc_id(vpc), Relation::LogsTo, bucket.unwrap_or(destination), &log.evidence);
        }
    }
    for group in inventory.log_groups.iter().filter(|group| scope.logs.contains(&group.arn)) {
        if let Some(key) = &group.key_arn {
            show(&group.arn, Relation::EncryptedBy, key, &group.evidence);
        }
    }
    for cluster in &inventory.clusters {
        let id = format!("cluster:{}", cluster.name);
        for broker in cluster.brokers.observed().into_iter().flatten() {
            let advertises = |instance: &&Instance| {
                instance.private_addresses.contains(&broker.host)
                    || instance.public_addresses.contains(&broker.host)
            };
            for host in inventory.instances.iter().filter(advertises).map(instance_id) {
                show(&host, Relation::Serves, &broker_id(cluster, broker.id), &broker.evidence);
            }
        }
        for topic in cluster.topics.observed().into_iter().flatten() {
            show(&id, Relation::Serves, &format!("topic:{}/{}", cluster.name, topic.name), &topic.evidence);
        }
        for listener in &cluster.listeners {
            let from = listener.broker.map_or_else(|| id.clone(), |broker| broker_id(cluster, broker));
            show(&from, Relation::Serves, &listener_id(cluster, listener), &listener.evidence);
            if listener.anonymous_access == Known::Observed(true) {
                let reach = Relation::Can(Capability::Reach);
                show("User:ANONYMOUS", reach, &listener_id(cluster, listener), &listener.evidence);
            }
        }
    }
}

/// Where an account's things lie.
pub(crate) fn zone_of_account(account: &str, declaration: &Declaration) -> String {
    if declaration.has_account(account) {
        return account_zone(account);
    }
    let owner = declaration.vendors.iter().find(|vendor| vendor.accounts.iter().any(|own| own == account));
    owner.map_or_else(|| INTERNET.to_owned(), |vendor| vendor_zone(&vendor.name))
}
