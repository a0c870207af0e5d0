//! Nodes, nested: account, VPC, subnet; a cluster with its brokers, listeners and topics; vendors and the world.

use std::collections::{BTreeMap, BTreeSet};

use cadastre_model::asset::EvidenceIds;
use cadastre_model::asset::kafka::{KafkaCluster, KafkaListener};
use cadastre_model::asset::network::{Subnet, Vpc, VpcEndpoint};
use cadastre_model::declaration::{AccountPurpose, Declaration, Job, NetworkPurpose};
use cadastre_model::graph::{Edge, Node, NodeKind, Plane, Relation, Side};
use cadastre_model::inventory::Inventory;

use crate::azure;
use crate::edges::{INTERNET, zone_of_account};
use crate::principals::Holders;
use crate::scope::{Scope, instance_id, snapshot_id, volume_id};
use crate::sides::{Sides, account, is_kafka};

/// The zone of an account.
pub(crate) fn account_zone(account: &str) -> String {
    format!("zone:{account}")
}

/// The zone of a vendor.
pub(crate) fn vendor_zone(name: &str) -> String {
    format!("vendor:{name}")
}

/// A declared network.
pub(crate) fn network_node(name: &str) -> String {
    format!("network:{name}")
}

/// `arn:aws:ec2:region:account:vpc/vpc-…`.
pub(crate) fn vpc_id(vpc: &Vpc) -> String {
    format!("arn:aws:ec2:{}:{}:vpc/{}", vpc.region, vpc.account, vpc.id)
}

/// `broker:cluster/1`.
pub(crate) fn broker_id(cluster: &KafkaCluster, broker: i32) -> String {
    format!("broker:{}/{broker}", cluster.name)
}

/// `listener:cluster/NAME`, with the address, since every broker has listeners of the same names.
pub(crate) fn listener_id(cluster: &KafkaCluster, listener: &KafkaListener) -> String {
    format!("listener:{}/{}@{}:{}", cluster.name, listener.name, listener.host, listener.port)
}

/// `arn:aws:ec2:region:account:vpc-endpoint/vpce-…`, in the region of its VPC.
pub(crate) fn endpoint_id(endpoint: &VpcEndpoint, inventory: &Inventory) -> String {
    let vpc = inventory.vpcs.iter().find(|vpc| vpc.id == endpoint.vpc);
    let region = vpc.map_or("", |vpc| vpc.region.as_str());
    format!("arn:aws:ec2:{region}:{}:vpc-endpoint/{}", endpoint.account, endpoint.id)
}

/// Gathers nodes; the first to name an id describes it.
struct Gathering<'a> {
    nodes: BTreeMap<String, Node>,
    sides: &'a Sides<'a>,
    declaration: &'a Declaration,
}

impl Gathering<'_> {
    fn add(&mut self, node: Node) {
        self.nodes.entry(node.id.clone()).or_insert(node);
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
        self.add(Node {
            id: id.to_owned(),
            kind,
            label: label.to_owned(),
            zone,
            side,
            plane,
            evidence: evidence.clone(),
        });
    }

    /// Something in an account.
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
}

/// All nodes, sorted by id.
pub(crate) fn all(
    inventory: &Inventory,
    declaration: &Declaration,
    scope: &Scope,
    sides: &Sides<'_>,
    holders: &Holders,
    edges: &[Edge],
) -> Vec<Node> {
    let mut gathering = Gathering { nodes: BTreeMap::new(), sides, declaration };
    zones(inventory, &mut gathering);
    hosts(inventory, scope, &mut gathering);
    stores(inventory, scope, &mut gathering);
    logs(inventory, scope, &mut gathering);
    clusters(inventory, scope, &mut gathering);
    azure::nodes(&inventory.azure, declaration, scope, sides)
        .into_iter()
        .for_each(|node| gathering.add(node));
    principals(inventory, holders, &mut gathering);
    rest(scope, edges, &mut gathering);
    gathering.nodes.into_values().collect()
}

fn zones(inventory: &Inventory, gathering: &mut Gathering<'_>) {
    let nothing = EvidenceIds::new();
    for account in &gathering.declaration.accounts {
        let plane = match account.purpose {
            AccountPurpose::DataPlane => Plane::Data,
            AccountPurpose::ControlPlane => Plane::Control,
            AccountPurpose::LogArchive => Plane::Observability,
            AccountPurpose::Security | AccountPurpose::Management => Plane::Neither,
        };
        let evidence = inventory
            .accounts
            .iter()
            .find(|known| known.id == account.id)
            .map_or(&nothing, |known| &known.evidence);
        let zone = account_zone(&account.id);
        gathering.put(&zone, NodeKind::Account, &account.id, None, Side::Customer, plane, evidence);
    }
    for vendor in &gathering.declaration.vendors {
        let zone = vendor_zone(&vendor.name);
        gathering.put(&zone, NodeKind::Vendor, &vendor.name, None, Side::Vendor, Plane::Control, &nothing);
    }
    let label = "outside every declared account";
    gathering.put(INTERNET, NodeKind::Internet, label, None, Side::Outside, Plane::Neither, &nothing);
    for network in &gathering.declaration.networks {
        let (side, plane) = match network.purpose {
            NetworkPurpose::Brokers => (Side::Customer, Plane::Data),
            NetworkPurpose::Administration => (Side::Customer, Plane::Control),
            NetworkPurpose::Monitoring => (Side::Customer, Plane::Observability),
            NetworkPurpose::Clients | NetworkPurpose::Endpoints | NetworkPurpose::OnPremises => {
                (Side::Customer, Plane::Neither)
            }
            NetworkPurpose::Vendor => (Side::Vendor, Plane::Control),
        };
        let id = network_node(&network.name);
        gathering.put(&id, NodeKind::Network, &network.name, None, side, plane, &nothing);
    }
}

/// Broker hosts with their subnets and VPCs, and the endpoints of those VPCs.
fn hosts(inventory: &Inventory, scope: &Scope, gathering: &mut Gathering<'_>) {
    let in_scope =
        || inventory.instances.iter().filter(|instance| scope.hosts.contains(&instance_id(instance)));
    let subnets: BTreeSet<&str> = in_scope().filter_map(|instance| instance.subnet.as_deref()).collect();
    let vpcs: BTreeSet<&str> = in_scope().filter_map(|instance| instance.vpc.as_deref()).collect();
    for vpc in inventory.vpcs.iter().filter(|vpc| vpcs.contains(vpc.id.as_str())) {
        let label = name_tag(&vpc.tags).unwrap_or(&vpc.id);
        gathering.owned(&vpc_id(vpc), NodeKind::Network, label, &vpc.account, Plane::Data, &vpc.evidence);
    }
    let vpc_of = |id: &str| inventory.vpcs.iter().find(|vpc| vpc.id == id);
    for subnet in inventory.subnets.iter().filter(|subnet| subnets.contains(subnet.id.as_str())) {
        let zone = vpc_of(&subnet.vpc);
        let side = zone.map_or(Side::Outside, |vpc| gathering.sides.of_account(&vpc.account));
        let label = name_tag(&subnet.tags).unwrap_or(&subnet.id);
        let id = subnet_id(subnet, inventory);
        gathering.put(&id, NodeKind::Subnet, label, zone.map(vpc_id), side, Plane::Data, &subnet.evidence);
    }
    for instance in in_scope() {
        let subnet = inventory.subnets.iter().find(|subnet| Some(&subnet.id) == instance.subnet.as_ref());
        let zone = subnet.map_or_else(
            || zone_of_account(&instance.account, gathering.declaration),
            |subnet| subnet_id(subnet, inventory),
        );
        let label = name_tag(&instance.tags).unwrap_or(&instance.id);
        let side = gathering.sides.of_account(&instance.account);
        let id = instance_id(instance);
        gathering.put(&id, NodeKind::Host, label, Some(zone), side, Plane::Data, &instance.evidence);
    }
    for endpoint in inventory.endpoints.iter().filter(|endpoint| vpcs.contains(endpoint.vpc.as_str())) {
        let zone = vpc_of(&endpoint.vpc).map(vpc_id);
        let label = endpoint.service.rsplit('.').next().unwrap_or(&endpoint.service);
        let side = gathering.sides.of_account(&endpoint.account);
        let id = endpoint_id(endpoint, inventory);
        gathering.put(&id, NodeKind::Endpoint, label, zone, side, Plane::Data, &endpoint.evidence);
    }
}

fn subnet_id(subnet: &Subnet, inventory: &Inventory) -> String {
    let account =
        inventory.vpcs.iter().find(|vpc| vpc.id == subnet.vpc).map_or("", |vpc| vpc.account.as_str());
    format!("arn:aws:ec2:{}:{account}:subnet/{}", subnet.region, subnet.id)
}

fn stores(inventory: &Inventory, scope: &Scope, gathering: &mut Gathering<'_>) {
    for bucket in inventory.buckets.iter().filter(|bucket| scope.covers(&bucket.arn)) {
        let plane = if scope.records.contains_key(&bucket.arn) {
            Plane::Data
        } else {
            plane_of_store(&bucket.arn, gathering.declaration)
        };
        gathering.owned(&bucket.arn, NodeKind::Store, &bucket.name, &bucket.account, plane, &bucket.evidence);
    }
    for volume in &inventory.volumes {
        let id = volume_id(volume);
        if scope.covers(&id) {
            let label = name_tag(&volume.tags).unwrap_or(&volume.id);
            gathering.owned(&id, NodeKind::Store, label, &volume.account, Plane::Data, &volume.evidence);
        }
    }
    for snapshot in &inventory.snapshots {
        let id = snapshot_id(snapshot);
        if scope.covers(&id) {
            let label = name_tag(&snapshot.tags).unwrap_or(&snapshot.id);
            gathering.owned(&id, NodeKind::Store, label, &snapshot.account, Plane::Data, &snapshot.evidence);
        }
    }
    for key in inventory.keys.iter().filter(|key| scope.keys.contains(&key.arn)) {
        let label = key.aliases.first().unwrap_or(&key.arn);
        gathering.owned(&key.arn, NodeKind::Key, label, &key.account, Plane::Data, &key.evidence);
    }
}

fn plane_of_store(arn: &str, declaration: &Declaration) -> Plane {
    use cadastre_model::declaration::Holds;
    let sink = declaration.log_sinks.iter().any(|sink| sink.arn == arn);
    match declaration.stores.iter().find(|store| store.arn == arn).map(|store| store.holds) {
        Some(Holds::Records | Holds::Backups) => Plane::Data,
        Some(Holds::Logs) => Plane::Observability,
        _ if sink => Plane::Observability,
        Some(Holds::Operations) => Plane::Control,
        None => Plane::Neither,
    }
}

fn logs(inventory: &Inventory, scope: &Scope, gathering: &mut Gathering<'_>) {
    for trail in inventory.trails.iter().filter(|trail| scope.logs.contains(&trail.arn)) {
        let plane = Plane::Observability;
        gathering.owned(&trail.arn, NodeKind::Log, &trail.name, &trail.account, plane, &trail.evidence);
    }
    for group in inventory.log_groups.iter().filter(|group| scope.logs.contains(&group.arn)) {
        let plane = Plane::Observability;
        gathering.owned(&group.arn, NodeKind::Log, &group.name, &group.account, plane, &group.evidence);
    }
}

fn clusters(inventory: &Inventory, scope: &Scope, gathering: &mut Gathering<'_>) {
    for cluster in &inventory.clusters {
        let id = format!("cluster:{}", cluster.name);
        let declared = gathering.declaration.clusters.iter().find(|declared| declared.name == cluster.name);
        let zone = declared
            .and_then(|declared| declared.account.as_deref())
            .map(|account| zone_of_account(account, gathering.declaration));
        let side = Side::Customer;
        let plane = Plane::Data;
        gathering.put(&id, NodeKind::Cluster, &cluster.name, zone, side, plane, &cluster.evidence);
        let inside = || Some(id.clone());
        for broker in cluster.brokers.observed().into_iter().flatten() {
            let label = format!("broker {}", broker.id);
            let node = broker_id(cluster, broker.id);
            gathering.put(&node, NodeKind::Broker, &label, inside(), side, plane, &broker.evidence);
        }
        for listener in &cluster.listeners {
            let node = listener_id(cluster, listener);
            gathering.put(
                &node,
                NodeKind::Listener,
                &listener.name,
                inside(),
                side,
                plane,
                &listener.evidence,
            );
        }
        for topic in cluster.topics.observed().into_iter().flatten() {
            let node = format!("topic:{}/{}", cluster.name, topic.name);
            if scope.topics.contains_key(&node) {
                gathering.put(&node, NodeKind::Topic, &topic.name, inside(), side, plane, &topic.evidence);
            }
        }
    }
}

fn principals(inventory: &Inventory, holders: &Holders, gathering: &mut Gathering<'_>) {
    let nothing = EvidenceIds::new();
    let observed: BTreeMap<&str, &EvidenceIds> =
        inventory.principals.iter().map(|principal| (principal.arn.as_str(), &principal.evidence)).collect();
    for id in &holders.all {
        let evidence = observed.get(id.as_str()).copied().unwrap_or(&nothing);
        principal(id, evidence, gathering);
    }
}

fn principal(id: &str, evidence: &EvidenceIds, gathering: &mut Gathering<'_>) {
    let side = gathering.sides.of(id);
    let zone = match account(id) {
        Some(account) => Some(zone_of_account(account, gathering.declaration)),
        None if is_kafka(id) || azure::is_entra(id) => None,
        None if side == Side::Provider => None,
        None => Some(INTERNET.to_owned()),
    };
    let jobs = gathering.sides.jobs(id);
    let plane = if jobs.contains(&Job::Broker) {
        Plane::Data
    } else if side == Side::Vendor
        || jobs.iter().any(|job| matches!(job, Job::Operator | Job::Automation | Job::BreakGlass))
    {
        Plane::Control
    } else if jobs.iter().any(|job| matches!(job, Job::LogAdministrator | Job::Scanner)) {
        Plane::Observability
    } else {
        Plane::Neither
    };
    let label = if id.starts_with("arn:aws:iam:") { id.rsplit('/').next().unwrap_or(id) } else { id };
    gathering.put(id, NodeKind::Principal, label, zone, side, plane, evidence);
}

/// Whatever an edge names and nothing has described yet: declared things that no record shows, and things outside.
fn rest(scope: &Scope, edges: &[Edge], gathering: &mut Gathering<'_>) {
    let nothing = EvidenceIds::new();
    for edge in edges {
        for (id, is_source) in [(&edge.from, true), (&edge.to, false)] {
            if gathering.nodes.contains_key(id) {
                continue;
            }
            let evidence = if is_source { &nothing } else { &edge.evidence };
            let owner = match id.strip_prefix("/subscriptions/") {
                Some(rest) => rest.split('/').next().unwrap_or_default().to_owned(),
                None => id.split(':').nth(4).unwrap_or_default().to_owned(),
            };
            let kind = match edge.relation {
                Relation::EncryptedBy if !is_source => Some(NodeKind::Key),
                Relation::LogsTo if !is_source => Some(NodeKind::Log),
                Relation::StoresIn => Some(NodeKind::Store),
                _ if id.contains(":kms:") => Some(NodeKind::Key),
                _ if id.contains(":s3:") || scope.stores.contains(id) => Some(NodeKind::Store),
                _ if id.starts_with("/subscriptions/") => Some(NodeKind::Store),
                _ if id.contains(":logs:") => Some(NodeKind::Log),
                _ if id.starts_with("cluster:") => Some(NodeKind::Cluster),
                _ if id.starts_with("service:") || id.parse::<ipnet::IpNet>().is_ok() => {
                    Some(NodeKind::Network)
                }
                _ => None,
            };
            match kind {
                // A service principal acts; a service that traffic goes to is a place.
                Some(NodeKind::Network) if is_source || id.ends_with(".amazonaws.com") => {
                    principal(id, evidence, gathering)
                }
                Some(kind) if owner.is_empty() => {
                    let side = if scope.covers(id) { Side::Customer } else { Side::Outside };
                    let side = if id.starts_with("service:") { Side::Provider } else { side };
                    gathering.put(id, kind, id, None, side, Plane::Neither, evidence);
                }
                Some(kind) => gathering.owned(id, kind, id, &owner, Plane::Neither, evidence),
                None => principal(id, evidence, gathering),
            }
        }
    }
}

fn name_tag(tags: &[cadastre_model::asset::Tag]) -> Option<&str> {
    tags.iter().find(|tag| tag.key == "Name").map(|tag| tag.value.as_str())
}
