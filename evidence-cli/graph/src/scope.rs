//! What the boundary is about: the stores that hold records, their keys, the hosts that serve them, the logs.

use std::collections::{BTreeMap, BTreeSet};

use cadastre_model::Known;
use cadastre_model::access::{Access, Capability};
use cadastre_model::asset::EvidenceIds;
use cadastre_model::asset::compute::Instance;
use cadastre_model::asset::stores::{Bucket, Snapshot, Volume};
use cadastre_model::declaration::{Declaration, Holds, Job, matches_pattern};
use cadastre_model::inventory::Inventory;

use crate::azure;

/// What keeps a store's bytes from whoever reads them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Protection {
    /// Nothing that needs a permission of its own: no encryption, or under the provider's key.
    None,
    /// This key.
    Key(String),
    /// Evidence is missing.
    Unknown(String),
}

/// A store of records.
#[derive(Debug, Clone)]
pub(crate) struct RecordStore {
    pub(crate) protection: Protection,
    /// Hosts it is mounted on.
    pub(crate) hosts: BTreeSet<String>,
    /// The service name that object requests reach a key through, `s3.eu-central-1.amazonaws.com`.
    pub(crate) via: Option<String>,
    pub(crate) evidence: EvidenceIds,
}

/// Everything data-bearing.
#[derive(Debug, Default)]
pub(crate) struct Scope {
    /// Stores of records by id.
    pub(crate) records: BTreeMap<String, RecordStore>,
    /// Further stores worth showing: declared ones, sinks, and what brokers write to.
    pub(crate) stores: BTreeSet<String>,
    pub(crate) keys: BTreeSet<String>,
    /// Broker hosts.
    pub(crate) hosts: BTreeSet<String>,
    /// Trails and log groups.
    pub(crate) logs: BTreeSet<String>,
    /// Topics, as `topic:cluster/name`.
    pub(crate) topics: BTreeMap<String, EvidenceIds>,
    /// Clusters, as `cluster:name`.
    pub(crate) clusters: BTreeSet<String>,
}

impl Scope {
    /// Finds what the declaration names and what observed components lead to.
    pub(crate) fn new(inventory: &Inventory, access: &Access, declaration: &Declaration) -> Self {
        let mut scope = Self::default();
        scope.add_hosts(inventory, declaration);
        azure::add_scope(&mut scope, &inventory.azure, &advertised(inventory), declaration);
        scope.add_stores(inventory, access, declaration);
        scope.add_keys(inventory, declaration);
        for trail in &inventory.trails {
            scope.logs.insert(trail.arn.clone());
        }
        let declared: BTreeSet<&str> = declaration.log_sinks.iter().map(|sink| sink.arn.as_str()).collect();
        for group in &inventory.log_groups {
            let flows = inventory
                .flow_logs
                .iter()
                .filter_map(|log| log.destination.as_deref())
                .any(|destination| destination.trim_end_matches(":*") == group.arn);
            if declared.contains(group.arn.as_str()) || flows {
                scope.logs.insert(group.arn.clone());
            }
        }
        for cluster in &inventory.clusters {
            scope.clusters.insert(format!("cluster:{}", cluster.name));
            for topic in cluster.topics.observed().into_iter().flatten() {
                scope.topics.insert(format!("topic:{}/{}", cluster.name, topic.name), topic.evidence.clone());
            }
        }
        scope
    }

    /// Whether somebody with a capability over it matters to the boundary.
    pub(crate) fn covers(&self, target: &str) -> bool {
        self.records.contains_key(target)
            || self.stores.contains(target)
            || self.keys.contains(target)
            || self.hosts.contains(target)
            || self.logs.contains(target)
            || self.topics.contains_key(target)
            || self.clusters.contains(target)
    }

    /// Brokers: by the declared job of their role, or by the address a cluster advertises.
    fn add_hosts(&mut self, inventory: &Inventory, declaration: &Declaration) {
        let addresses = advertised(inventory);
        for instance in inventory.instances.iter().filter(|instance| instance.state != "terminated") {
            let by_role = instance.role.observed().is_some_and(|role| is_broker(declaration, role));
            let by_address = instance
                .private_addresses
                .iter()
                .chain(&instance.public_addresses)
                .any(|address| addresses.contains(address.as_str()));
            if by_role || by_address {
                self.hosts.insert(instance_id(instance));
            }
        }
    }

    fn add_stores(&mut self, inventory: &Inventory, access: &Access, declaration: &Declaration) {
        let holding = |wanted: fn(Holds) -> bool| -> BTreeSet<&str> {
            let stores = declaration.stores.iter().filter(|store| wanted(store.holds));
            stores.map(|store| store.arn.as_str()).collect()
        };
        let mut records = holding(|holds| matches!(holds, Holds::Records | Holds::Backups));
        // What records are copied to holds records.
        loop {
            let copies: BTreeSet<&str> = inventory
                .buckets
                .iter()
                .filter(|bucket| records.contains(bucket.arn.as_str()))
                .flat_map(|bucket| bucket.replication_destinations.observed().into_iter().flatten())
                .map(String::as_str)
                .filter(|destination| !records.contains(destination))
                .collect();
            if copies.is_empty() {
                break;
            }
            records.extend(copies);
        }
        for bucket in &inventory.buckets {
            if records.contains(bucket.arn.as_str()) {
                self.records.insert(bucket.arn.clone(), of_bucket(bucket, inventory));
            }
        }
        let mut disks: BTreeSet<&str> = BTreeSet::new();
        for volume in &inventory.volumes {
            let id = volume_id(volume);
            let store = of_volume(volume, inventory);
            if store.hosts.iter().any(|host| self.hosts.contains(host)) || records.contains(id.as_str()) {
                disks.insert(&volume.id);
                self.records.insert(id, store);
            }
        }
        for snapshot in &inventory.snapshots {
            let id = snapshot_id(snapshot);
            let of_records = snapshot.volume.as_deref().is_some_and(|volume| disks.contains(volume));
            if of_records || records.contains(id.as_str()) {
                self.records.insert(id, of_snapshot(snapshot, inventory));
            }
        }
        self.stores.extend(declaration.stores.iter().map(|store| store.arn.clone()));
        self.stores.extend(
            declaration
                .log_sinks
                .iter()
                .filter(|sink| sink.arn.contains(":s3:"))
                .map(|sink| sink.arn.clone()),
        );
        self.stores.extend(inventory.trails.iter().map(|trail| format!("arn:aws:s3:::{}", trail.bucket)));
        // What brokers write to is part of the data plane, declared or not.
        self.stores.extend(
            access
                .edges
                .iter()
                .filter(|edge| edge.capability == Capability::WriteObjects && edge.action == "s3:PutObject")
                .filter(|edge| is_broker(declaration, &edge.principal))
                .map(|edge| edge.target.clone()),
        );
    }

    fn add_keys(&mut self, inventory: &Inventory, declaration: &Declaration) {
        for store in self.records.values() {
            if let Protection::Key(key) = &store.protection {
                self.keys.insert(key.clone());
            }
        }
        for bucket in inventory.buckets.iter().filter(|bucket| self.stores.contains(&bucket.arn)) {
            self.keys.extend(bucket.encryption.observed().and_then(|encryption| encryption.key_arn.clone()));
        }
        for declared in &declaration.keys {
            for key in &inventory.keys {
                if key.arn == declared.id || key.aliases.contains(&declared.id) {
                    self.keys.insert(key.arn.clone());
                }
            }
        }
    }
}

/// Addresses that clusters advertise.
fn advertised(inventory: &Inventory) -> BTreeSet<&str> {
    let mut addresses: BTreeSet<&str> = BTreeSet::new();
    for cluster in &inventory.clusters {
        addresses.extend(cluster.brokers.observed().into_iter().flatten().map(|broker| broker.host.as_str()));
        addresses.extend(cluster.listeners.iter().map(|listener| listener.host.as_str()));
    }
    addresses
}

/// Whether a principal is declared to be a broker.
fn is_broker(declaration: &Declaration, principal: &str) -> bool {
    declaration
        .identities
        .iter()
        .any(|identity| identity.job == Job::Broker && matches_pattern(&identity.principal, principal))
}

/// The store of an id, whether or not it is part of the data plane.
pub(crate) fn any_store(inventory: &Inventory, id: &str) -> Option<RecordStore> {
    let bucket = inventory.buckets.iter().find(|bucket| bucket.arn == id);
    let volume = || inventory.volumes.iter().find(|volume| volume_id(volume) == id);
    let snapshot = || inventory.snapshots.iter().find(|snapshot| snapshot_id(snapshot) == id);
    bucket
        .map(|bucket| of_bucket(bucket, inventory))
        .or_else(|| volume().map(|volume| of_volume(volume, inventory)))
        .or_else(|| snapshot().map(|snapshot| of_snapshot(snapshot, inventory)))
        .or_else(|| azure::any_store(&inventory.azure, id))
}

fn of_volume(volume: &Volume, inventory: &Inventory) -> RecordStore {
    let mounted = |instance: &&Instance| {
        volume.instances.contains(&instance.id) || instance.volumes.contains(&volume.id)
    };
    RecordStore {
        protection: of_disk(volume.encrypted, volume.key_arn.as_deref(), inventory),
        hosts: inventory.instances.iter().filter(mounted).map(instance_id).collect(),
        via: None,
        evidence: volume.evidence.clone(),
    }
}

fn of_snapshot(snapshot: &Snapshot, inventory: &Inventory) -> RecordStore {
    RecordStore {
        protection: of_disk(snapshot.encrypted, snapshot.key_arn.as_deref(), inventory),
        hosts: BTreeSet::new(),
        via: None,
        evidence: snapshot.evidence.clone(),
    }
}

fn of_bucket(bucket: &Bucket, inventory: &Inventory) -> RecordStore {
    let protection = match &bucket.encryption {
        Known::Absent => Protection::None,
        Known::Unknown(what) => Protection::Unknown(what.clone()),
        Known::Observed(encryption) if !encryption.algorithm.starts_with("aws:kms") => Protection::None,
        Known::Observed(encryption) => match (&encryption.key, &encryption.key_arn) {
            (None, None) => Protection::None,
            (_, Some(arn)) => of_key(arn, inventory),
            (Some(key), None) => Protection::Unknown(format!("key `{key}` was not read")),
        },
    };
    RecordStore {
        protection,
        hosts: BTreeSet::new(),
        via: bucket.region.observed().map(|region| format!("s3.{region}.amazonaws.com")),
        evidence: bucket.evidence.clone(),
    }
}

fn of_disk(encrypted: bool, key: Option<&str>, inventory: &Inventory) -> Protection {
    match (encrypted, key) {
        (false, _) => Protection::None,
        (true, Some(arn)) => of_key(arn, inventory),
        (true, None) => Protection::Unknown("the key that encrypts it".to_owned()),
    }
}

fn of_key(arn: &str, inventory: &Inventory) -> Protection {
    match inventory.keys.iter().find(|key| key.arn == arn) {
        // Whoever may use the service may use the key that AWS manages for it.
        Some(key) if key.manager.observed().is_some_and(|manager| manager == "AWS") => Protection::None,
        Some(key) => Protection::Key(key.arn.clone()),
        None => Protection::Unknown(format!("key `{arn}` was not read")),
    }
}

/// `arn:aws:ec2:region:account:instance/i-…`.
pub(crate) fn instance_id(instance: &Instance) -> String {
    format!("arn:aws:ec2:{}:{}:instance/{}", instance.region, instance.account, instance.id)
}

/// `arn:aws:ec2:region:account:volume/vol-…`.
pub(crate) fn volume_id(volume: &Volume) -> String {
    format!("arn:aws:ec2:{}:{}:volume/{}", volume.region, volume.account, volume.id)
}

/// `arn:aws:ec2:region::snapshot/snap-…`.
pub(crate) fn snapshot_id(snapshot: &Snapshot) -> String {
    format!("arn:aws:ec2:{}::snapshot/{}", snapshot.region, snapshot.id)
}
