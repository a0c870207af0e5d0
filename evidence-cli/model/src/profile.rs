//! What can be known of each kind of Kafka, and what its customer can never see.
//!
//! The profiles are data under `policies/profiles/`, compiled in. A question that a service never answers stays unproven;
//! a profile only says why, so that nobody keeps looking for an answer that there cannot be.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::declaration::{Architecture, Cluster, ClusterKind, OperatingModel};

/// Which profile a cluster has; [`Cluster::profile`] names one where its kind has several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProfileName {
    /// The bundled broker.
    Cadastre,
    /// Apache Kafka.
    ApacheKafka,
    /// AutoMQ.
    Automq,
    /// Amazon MSK with brokers of a chosen size.
    MskProvisioned,
    /// Amazon MSK without brokers to choose.
    MskServerless,
    /// Redpanda.
    Redpanda,
    /// WarpStream.
    Warpstream,
    /// Confluent Cloud.
    ConfluentCloud,
    /// Confluent Platform.
    ConfluentPlatform,
    /// Azure Event Hubs.
    EventHubs,
}

impl ProfileName {
    /// The profile of a kind where the declaration names none: of several, the one that shows least.
    #[must_use]
    pub const fn of_kind(kind: ClusterKind) -> Self {
        match kind {
            ClusterKind::Cadastre => Self::Cadastre,
            ClusterKind::ApacheKafka => Self::ApacheKafka,
            ClusterKind::Automq => Self::Automq,
            ClusterKind::Msk => Self::MskProvisioned,
            ClusterKind::Redpanda => Self::Redpanda,
            ClusterKind::Warpstream => Self::Warpstream,
            ClusterKind::Confluent => Self::ConfluentCloud,
            ClusterKind::EventHubs => Self::EventHubs,
        }
    }
}

/// One profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Profile {
    /// What the software or service is called.
    pub name: String,
    /// The kind that is declared for it.
    pub kind: ClusterKind,
    /// Operating models that it can have.
    pub operating_models: Vec<OperatingModel>,
    /// Architectures that it can have; where the provider does not say, all of them.
    pub architectures: Vec<Architecture>,
    /// Pages of its documentation that this rests on.
    #[serde(default)]
    pub sources: Vec<String>,
    /// Which evidence exists.
    pub evidence: Vec<EvidenceSource>,
    /// Operations that collectors make and that it never answers.
    #[serde(default)]
    pub unanswered: Vec<UnansweredOperation>,
    /// What its customer can never see, in sentences.
    #[serde(default)]
    pub never_visible: Vec<String>,
}

/// One kind of evidence and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct EvidenceSource {
    /// What it is about.
    pub about: String,
    /// How much of it is answered.
    pub answered: Extent,
    /// Who answers.
    pub from: String,
    /// Why not all of it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// How much of something is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Extent {
    /// All of it.
    All,
    /// Some of it.
    Part,
    /// Nothing.
    None,
}

/// An operation that a service never answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct UnansweredOperation {
    /// The operation, `kafka:DescribeAcls`.
    pub operation: String,
    /// Why it has no answer.
    pub why: String,
}

/// Which evidence an architecture asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ArchitectureEvidence {
    /// What is asked about, and by which operations.
    pub asks: Vec<AskedEvidence>,
    /// What is not, in words.
    pub asks_not: String,
}

/// One thing that an architecture asks about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct AskedEvidence {
    /// What it is about.
    pub about: String,
    /// The operations that tell it.
    pub operations: Vec<String>,
}

/// A compiled-in file that cannot be read, which the tests rule out.
#[derive(Debug, Clone, thiserror::Error)]
#[error("policies/profiles/{file}.yaml cannot be read: {message}")]
pub struct ProfileError {
    /// The file.
    pub file: &'static str,
    /// What is wrong with it.
    pub message: String,
}

macro_rules! profile_text {
    ($name:literal) => {
        include_str!(concat!("../../../policies/profiles/", $name, ".yaml"))
    };
}

const PROFILES: [(ProfileName, &str, &str); 10] = [
    (ProfileName::Cadastre, "cadastre", profile_text!("cadastre")),
    (ProfileName::ApacheKafka, "apache-kafka", profile_text!("apache-kafka")),
    (ProfileName::Automq, "automq", profile_text!("automq")),
    (ProfileName::MskProvisioned, "msk-provisioned", profile_text!("msk-provisioned")),
    (ProfileName::MskServerless, "msk-serverless", profile_text!("msk-serverless")),
    (ProfileName::Redpanda, "redpanda", profile_text!("redpanda")),
    (ProfileName::Warpstream, "warpstream", profile_text!("warpstream")),
    (ProfileName::ConfluentCloud, "confluent-cloud", profile_text!("confluent-cloud")),
    (ProfileName::ConfluentPlatform, "confluent-platform", profile_text!("confluent-platform")),
    (ProfileName::EventHubs, "event-hubs", profile_text!("event-hubs")),
];

static READ: LazyLock<Result<BTreeMap<ProfileName, Profile>, ProfileError>> = LazyLock::new(|| {
    PROFILES.iter().map(|(name, file, text)| Ok((*name, parse::<Profile>(file, text)?))).collect()
});

static ARCHITECTURES: LazyLock<Result<BTreeMap<String, ArchitectureEvidence>, ProfileError>> =
    LazyLock::new(|| parse("architectures", profile_text!("architectures")));

fn parse<T: serde::de::DeserializeOwned>(file: &'static str, text: &str) -> Result<T, ProfileError> {
    serde_saphyr::from_str(text)
        .map_err(|error| ProfileError { file, message: error.without_snippet().to_string() })
}

impl Profile {
    /// Every profile by name.
    ///
    /// # Errors
    /// When a compiled-in file is malformed, which the tests rule out.
    pub fn all() -> Result<&'static BTreeMap<ProfileName, Self>, ProfileError> {
        READ.as_ref().map_err(ProfileError::clone)
    }

    /// The profile of a declared cluster.
    ///
    /// # Errors
    /// When a compiled-in file is malformed, which the tests rule out.
    pub fn of(cluster: &Cluster) -> Result<&'static Self, ProfileError> {
        let name = cluster.profile.unwrap_or_else(|| ProfileName::of_kind(cluster.kind));
        Self::all()?.get(&name).ok_or(ProfileError { file: "", message: "the profile is missing".to_owned() })
    }

    /// Why an operation has no answer, where it never has one.
    #[must_use]
    pub fn why_unanswered(&self, operation: &str) -> Option<&str> {
        let entry = self.unanswered.iter().find(|entry| entry.operation == operation)?;
        Some(&entry.why)
    }
}

impl ArchitectureEvidence {
    /// What an architecture asks for.
    ///
    /// # Errors
    /// When the compiled-in file is malformed, which the tests rule out.
    pub fn of(architecture: Architecture) -> Result<&'static Self, ProfileError> {
        let name = match architecture {
            Architecture::BrokerLocalDisks => "broker-local-disks",
            Architecture::TieredStorage => "tiered-storage",
            Architecture::SharedStorage => "shared-storage",
        };
        let all = ARCHITECTURES.as_ref().map_err(ProfileError::clone)?;
        all.get(name).ok_or(ProfileError { file: "architectures", message: format!("`{name}` is missing") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_profile_reads_and_names_its_own_kind() {
        let all = Profile::all().unwrap();
        assert_eq!(all.len(), PROFILES.len());
        for (name, profile) in all {
            assert!(!profile.operating_models.is_empty() && !profile.architectures.is_empty(), "{name:?}");
            assert!(!profile.evidence.is_empty(), "{name:?}");
            let by_kind = ProfileName::of_kind(profile.kind);
            assert_eq!(all.get(&by_kind).map(|other| other.kind), Some(profile.kind), "{name:?}");
        }
    }

    #[test]
    fn whoever_runs_in_a_providers_accounts_says_what_is_never_seen() {
        for (name, profile) in Profile::all().unwrap() {
            if profile.operating_models.contains(&OperatingModel::ExternalManagedService) {
                assert!(!profile.never_visible.is_empty(), "{name:?}");
            }
            for source in profile.evidence.iter().filter(|source| source.answered != Extent::All) {
                assert!(source.why.is_some(), "{name:?}: {}", source.about);
            }
        }
    }

    #[test]
    fn every_architecture_asks_for_something() {
        for architecture in
            [Architecture::BrokerLocalDisks, Architecture::TieredStorage, Architecture::SharedStorage]
        {
            assert!(!ArchitectureEvidence::of(architecture).unwrap().asks.is_empty());
        }
    }
}
