//! Kafka clusters: brokers, listeners, configs, topics, ACLs, credentials, quotas, groups.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::EvidenceIds;
use crate::known::Known;
use crate::time::Timestamp;

/// A Kafka cluster as its own protocol shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KafkaCluster {
    /// The declared name.
    pub name: String,
    /// The cluster id.
    pub cluster_id: Known<String>,
    /// Brokers.
    pub brokers: Known<Vec<Broker>>,
    /// The controller quorum; absent where the cluster has none to show.
    pub quorum: Known<Quorum>,
    /// Listeners found in metadata and configs, with what probes saw.
    pub listeners: Vec<KafkaListener>,
    /// Topics, internal ones included.
    pub topics: Known<Vec<Topic>>,
    /// ACL bindings; absent when the cluster answers that it has no authorizer
    /// (`SECURITY_DISABLED`).
    pub acls: Known<Vec<AclBinding>>,
    /// SCRAM credentials.
    pub scram_credentials: Known<Vec<ScramCredential>>,
    /// Client quotas.
    pub quotas: Known<Vec<ClientQuota>>,
    /// Consumer groups.
    pub groups: Known<Vec<ConsumerGroup>>,
    /// Delegation tokens; absent when the feature is off.
    pub delegation_tokens: Known<Vec<DelegationToken>>,
    /// Finalized feature levels.
    pub features: Known<BTreeMap<String, i16>>,
    /// Log directories and their sizes.
    pub log_directories: Known<Vec<LogDirectory>>,
    /// What an identity without permission could do, from probes.
    pub denials: Vec<DenialProbe>,
    /// Where it was read.
    pub evidence: EvidenceIds,
}

/// A broker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Broker {
    /// Its node id.
    pub id: i32,
    /// The advertised host.
    pub host: String,
    /// The advertised port.
    pub port: i32,
    /// Its rack: an availability zone, mostly.
    pub rack: Option<String>,
    /// Its configuration; sensitive values are never present.
    pub configs: Known<BTreeMap<String, ConfigEntry>>,
    /// Where it was read.
    pub evidence: EvidenceIds,
}

/// One configuration entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigEntry {
    /// Its value; absent when null or sensitive.
    pub value: Option<String>,
    /// `DEFAULT_CONFIG`, `STATIC_BROKER_CONFIG`, `DYNAMIC_TOPIC_CONFIG`, …
    pub source: String,
    /// Whether the broker hides the value.
    pub sensitive: bool,
}

/// The KRaft controller quorum.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quorum {
    /// The leader's node id.
    pub leader: i32,
    /// Node ids of the voters.
    pub voters: Vec<i32>,
    /// Node ids of the observers.
    pub observers: Vec<i32>,
}

/// A listener of one broker, and what connecting to it showed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KafkaListener {
    /// Its name; `host:port` where the configuration does not tell.
    pub name: String,
    /// The broker's node id.
    pub broker: Option<i32>,
    /// Host as advertised.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Security protocol from `listener.security.protocol.map`.
    pub protocol: Known<String>,
    /// Whether a client without credentials was served beyond ApiVersions.
    pub anonymous_access: Known<bool>,
    /// Whether the listener speaks Kafka without TLS.
    pub plaintext: Known<bool>,
    /// Negotiable TLS versions, `TLSv1` to `TLSv1.3`; absent when the listener does not speak TLS.
    pub tls_versions: Known<Vec<String>>,
    /// Negotiated cipher suites, IANA names.
    pub cipher_suites: Vec<String>,
    /// The certificate chain, leaf first.
    pub certificates: Known<Vec<Certificate>>,
    /// Where it was read.
    pub evidence: EvidenceIds,
}

/// An X.509 certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// Distinguished name of the subject.
    pub subject: String,
    /// Distinguished name of the issuer.
    pub issuer: String,
    /// Subject alternative names.
    pub names: Vec<String>,
    /// Start of validity.
    pub not_before: Timestamp,
    /// End of validity.
    pub not_after: Timestamp,
    /// SHA-256 of the DER encoding, hexadecimal.
    pub fingerprint: String,
    /// Whether subject and issuer are the same.
    pub self_signed: bool,
    /// Whether the chain verified against the authorities the scanner was given.
    pub trusted: Known<bool>,
}

/// A topic.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: Option<String>,
    /// Whether the cluster marks it internal.
    pub internal: bool,
    /// Number of partitions.
    pub partitions: u32,
    /// The smallest replica count among its partitions.
    pub replicas: u32,
    /// Effective configuration.
    pub configs: Known<BTreeMap<String, ConfigEntry>>,
    /// Where it was read.
    pub evidence: EvidenceIds,
}

/// An ACL binding, in Kafka's words.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AclBinding {
    /// `TOPIC`, `GROUP`, `CLUSTER`, `TRANSACTIONAL_ID`, `DELEGATION_TOKEN`, `USER`.
    pub resource_type: String,
    /// The name or prefix; `*` for every resource.
    pub resource_name: String,
    /// `LITERAL` or `PREFIXED`.
    pub pattern_type: String,
    /// `User:name` or `User:*`.
    pub principal: String,
    /// An address, a range, or `*`.
    pub host: String,
    /// `READ`, `WRITE`, `ALL`, …
    pub operation: String,
    /// `ALLOW` or `DENY`.
    pub permission: String,
    /// The record that holds it.
    pub record: crate::RecordId,
    /// JSON pointer to the binding inside the record.
    pub pointer: String,
}

/// A SCRAM credential, without its secrets.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ScramCredential {
    /// The user.
    pub user: String,
    /// `SCRAM-SHA-256` or `SCRAM-SHA-512`.
    pub mechanism: String,
    /// Iterations.
    pub iterations: u32,
}

/// A client quota.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClientQuota {
    /// Entity type (`user`, `client-id`, `ip`) to name; `null` stands for the default entity.
    pub entity: BTreeMap<String, Option<String>>,
    /// `producer_byte_rate` and the like to value.
    pub limits: BTreeMap<String, f64>,
}

/// A consumer group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConsumerGroup {
    /// Its id.
    pub id: String,
    /// `Stable`, `Empty`, …
    pub state: String,
    /// `classic`, `consumer`, …
    pub kind: String,
    /// Client ids and hosts of its members.
    pub members: Vec<GroupMember>,
}

/// A member of a consumer group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupMember {
    /// `client.id`.
    pub client_id: String,
    /// The client's address.
    pub host: String,
}

/// A delegation token, without its secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DelegationToken {
    /// Its id.
    pub id: String,
    /// `User:name`.
    pub owner: String,
    /// When it was issued.
    pub issued: Timestamp,
    /// When it expires unless renewed.
    pub expires: Timestamp,
    /// When it ends for good.
    pub maximum: Timestamp,
}

/// A log directory of a broker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogDirectory {
    /// The broker's node id, where known.
    pub broker: Option<i32>,
    /// Its path.
    pub path: String,
    /// Bytes in it.
    pub size_bytes: i64,
}

/// An operation that must be refused, tried.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DenialProbe {
    /// Who tried: `User:name` or `ANONYMOUS`.
    pub principal: String,
    /// What was tried: `CreateTopics`.
    pub operation: String,
    /// On what.
    pub resource: String,
    /// Whether it was refused.
    pub refused: Known<bool>,
    /// Where it was read.
    pub evidence: EvidenceIds,
}
