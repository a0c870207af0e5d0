//! How a cluster may be exercised: which drills may touch what, as whom, and how what is around the cluster is handled.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::declaration::ClientSecurity;
use crate::time::Period;

/// What a cluster is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Environment {
    /// It serves somebody. What does not say otherwise does.
    #[default]
    Production,
    /// It may be disturbed.
    NonProduction,
}

impl Environment {
    /// Whether it serves somebody.
    #[must_use]
    pub const fn is_production(&self) -> bool {
        matches!(self, Self::Production)
    }
}

/// How a cluster may be exercised.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DrillTarget {
    /// Who makes, fills and deletes the drills' topics.
    pub administrator: ClientSecurity,
    /// What the names of all topics and groups begin with that drills make, write or delete.
    #[serde(default = "default_topic_prefix")]
    pub topic_prefix: String,
    /// Identities that must be refused something.
    #[serde(default)]
    pub denied: Vec<DeniedIdentity>,
    /// How long the loss of a broker may keep writes from being acknowledged.
    #[serde(default = "default_recovery")]
    pub recovery_within: Period,
    /// How long reads and writes may go on after the key was disabled.
    #[serde(default = "default_revocation")]
    pub revocation_within: Period,
    /// How long anything of a topic may be left after it was deleted.
    #[serde(default = "default_deletion")]
    pub deletion_within: Period,
    /// Directories of brokers on this machine, as `cadastre up` makes them: `server.properties`, `broker.pid`.
    #[serde(default)]
    pub local_brokers: Vec<String>,
    /// The program of the previous version, which is started as `PROGRAM --config FILE --ready-file FILE` for a local broker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_program: Option<String>,
    /// Programs that do what no Kafka client can, with their arguments; `{broker}` stands for a node id.
    #[serde(default)]
    pub hooks: BTreeMap<Hook, Vec<String>>,
}

fn default_topic_prefix() -> String {
    "cadastre-drill-".to_owned()
}

const fn default_recovery() -> Period {
    Period::of_seconds(60)
}

const fn default_revocation() -> Period {
    Period::of_seconds(360)
}

const fn default_deletion() -> Period {
    Period::of_seconds(60)
}

/// An identity that must be refused something.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DeniedIdentity {
    /// How it logs in.
    pub security: ClientSecurity,
    /// What it must not be able to do to a topic of the drill.
    pub must_not: Vec<Attempt>,
    /// Topics of others that it must not be able to read. Nothing is ever written there.
    #[serde(default)]
    pub must_not_read: Vec<String>,
}

/// Something to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Attempt {
    /// Consume.
    Read,
    /// Produce.
    Write,
    /// Create a topic.
    CreateTopics,
    /// Delete a topic.
    DeleteTopics,
    /// Change a topic's settings.
    AlterConfigs,
    /// Add partitions to a topic.
    AddPartitions,
    /// Log in with another password.
    WrongPassword,
}

/// Something that no Kafka client can do to a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hook {
    /// Ends a broker at once, without asking it.
    KillBroker,
    /// Starts a broker that was killed or stopped, or another in its place.
    StartBroker,
    /// Withdraws the key from the brokers.
    DisableKey,
    /// Gives it back.
    EnableKey,
    /// Adds a broker.
    AddBroker,
    /// Removes it.
    RemoveBroker,
    /// Makes the store unreachable for the brokers.
    StopStore,
    /// Makes it reachable again.
    StartStore,
    /// Replaces the certificate of the listener without restarting brokers.
    RotateCertificate,
    /// Prints the name of every object version that the store keeps besides the current ones, one a line.
    ListObjectVersions,
    /// Brings the previous version to the brokers.
    Downgrade,
    /// Brings the current version back.
    Upgrade,
}

impl Hook {
    /// The name in a declaration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::KillBroker => "kill-broker",
            Self::StartBroker => "start-broker",
            Self::DisableKey => "disable-key",
            Self::EnableKey => "enable-key",
            Self::AddBroker => "add-broker",
            Self::RemoveBroker => "remove-broker",
            Self::StopStore => "stop-store",
            Self::StartStore => "start-store",
            Self::RotateCertificate => "rotate-certificate",
            Self::ListObjectVersions => "list-object-versions",
            Self::Downgrade => "downgrade",
            Self::Upgrade => "upgrade",
        }
    }
}
