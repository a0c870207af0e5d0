//! The boundary graph: nodes nested in zones, edges in three layers, and plaintext paths.

use serde::{Deserialize, Serialize};

use crate::access::{Capability, Decision};
use crate::asset::{EvidenceIds, StatementRef};

/// Which side of the boundary something is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// Inside the declared boundary.
    Customer,
    /// A declared vendor's, wherever it lives.
    Vendor,
    /// The cloud provider's own service principal.
    Provider,
    /// Anybody else.
    Outside,
}

/// Which plane something belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Plane {
    /// Holds or moves records, or keys for them.
    Data,
    /// Operates the data plane.
    Control,
    /// Watches it: logs, trails, metrics.
    Observability,
    /// None of these.
    Neither,
}

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NodeKind {
    /// A cloud account: a zone.
    Account,
    /// A VPC: a zone.
    Network,
    /// A subnet: a zone.
    Subnet,
    /// Everything that is in no declared account: a zone.
    Internet,
    /// A vendor: a zone.
    Vendor,
    /// A user, role, service or foreign account.
    Principal,
    /// A host.
    Host,
    /// A bucket, volume or snapshot.
    Store,
    /// A key.
    Key,
    /// A trail, log group or log bucket.
    Log,
    /// A VPC endpoint.
    Endpoint,
    /// A Kafka cluster: a zone.
    Cluster,
    /// A broker.
    Broker,
    /// A Kafka listener.
    Listener,
    /// A topic.
    Topic,
}

/// A node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Unique: an ARN, an id, `topic:cluster/name`.
    pub id: String,
    /// What it is.
    pub kind: NodeKind,
    /// What diagrams print.
    pub label: String,
    /// The zone it lies in.
    pub zone: Option<String>,
    /// Its side.
    pub side: Side,
    /// Its plane.
    pub plane: Plane,
    /// Where it was read; empty for what is only declared.
    pub evidence: EvidenceIds,
}

/// Which layer an edge belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layer {
    /// The customer says so.
    Declared,
    /// Policy and network allow it.
    Permitted,
    /// Configurations, trails, flow logs or a broker show it.
    Observed,
}

/// An edge.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Edge {
    /// From node.
    pub from: String,
    /// To node.
    pub to: String,
    /// What it means.
    pub relation: Relation,
    /// Its layer.
    pub layer: Layer,
    /// How certain it is.
    #[serde(flatten)]
    pub decision: Decision,
    /// The statements that grant it.
    pub statements: Vec<StatementRef>,
    /// The records that show it.
    pub evidence: EvidenceIds,
}

/// What an edge means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "capability")]
pub enum Relation {
    /// A capability.
    Can(Capability),
    /// A host runs as a role.
    RunsAs,
    /// A store is encrypted under a key.
    EncryptedBy,
    /// A component writes its data to a store.
    StoresIn,
    /// A broker serves a listener, a cluster a topic.
    Serves,
    /// A component logs to a sink.
    LogsTo,
}

/// One step of a plaintext path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Step {
    /// Who acts.
    pub from: String,
    /// Does what.
    pub capability: Capability,
    /// To what.
    pub to: String,
    /// The action in the service's words.
    pub action: String,
    /// How certain it is.
    #[serde(flatten)]
    pub decision: Decision,
    /// The statements that allow it.
    pub statements: Vec<StatementRef>,
}

/// A derivation that a principal reaches record bytes, flattened: all steps are needed, in this order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PlaintextPath {
    /// Who.
    pub principal: String,
    /// On which side.
    pub side: Side,
    /// The store or topic whose records are reached.
    pub target: String,
    /// How certain the whole path is.
    #[serde(flatten)]
    pub decision: Decision,
    /// The steps.
    pub steps: Vec<Step>,
    /// The smallest set of statements whose removal closes every path of this principal to this target, found over
    /// all derivations and not only the one shown. Statements that grant only: removing a deny closes nothing.
    pub cut: Vec<StatementRef>,
    /// Whether no smaller set exists; false when the search was bounded, or when nothing closes the path.
    pub cut_is_minimal: bool,
    /// No set with fewer statements closes every path: the length of `cut` when that is minimal, less when the
    /// search was bounded. With an empty `cut` it is zero when some path rests on no statement that could go, and more
    /// when there are more paths than could be followed one by one.
    #[serde(default)]
    pub cut_at_least: usize,
    /// Every record that the path rests on.
    pub evidence: EvidenceIds,
}

/// What the graph knows of a principal, for the permission matrix and for controls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrincipalView {
    /// Its id.
    pub id: String,
    /// Its side.
    pub side: Side,
    /// Its account, where it has one.
    pub account: Option<String>,
    /// The declared vendor it belongs to.
    pub vendor: Option<String>,
    /// The declared jobs that name it.
    pub jobs: Vec<crate::declaration::Job>,
    /// Principals of other sides that can become it, vendor ones for a vendor role.
    pub assumable_by: Vec<String>,
    /// Where it was read.
    pub evidence: EvidenceIds,
}

/// The whole graph.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BoundaryGraph {
    /// Sorted by id.
    pub nodes: Vec<Node>,
    /// Sorted.
    pub edges: Vec<Edge>,
    /// Plaintext paths of every principal, inside ones included, sorted by principal and target.
    pub paths: Vec<PlaintextPath>,
    /// Every principal that holds any capability, sorted by id.
    pub principals: Vec<PrincipalView>,
}
