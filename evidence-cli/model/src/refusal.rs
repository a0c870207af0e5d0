//! Why somebody may not do something, and what would be needed.

use serde::{Deserialize, Serialize};

use crate::asset::StatementRef;

/// One action that would give a capability, and everything that stands in its way.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Refusal {
    /// The action in the service's words, `kms:Decrypt`.
    pub action: String,
    /// What it is asked about: an ARN, or `TOPIC:name` on a cluster.
    pub resource: String,
    /// What stands in its way, explicit denies first. All of it has to go.
    pub obstacles: Vec<Obstacle>,
}

/// One thing that stands in the way of an action.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Obstacle {
    /// What kind of thing.
    pub kind: ObstacleKind,
    /// What it is, in words: `the boundary of role/app`.
    pub told: String,
    /// What would have to change for the action to be allowed.
    pub needed: String,
    /// The statement, where one stands in the way.
    pub statement: Option<StatementRef>,
}

/// The kinds of obstacle, strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ObstacleKind {
    /// A statement denies.
    ExplicitDeny,
    /// A limit around the principal or its account leaves no room: a boundary, a service control policy.
    Limit,
    /// No statement allows.
    NoAllow,
    /// Nothing of that kind can be done to it, by anybody in that place: a public access block, no policy of its own.
    Impossible,
    /// Evidence is missing.
    Unknown,
}
