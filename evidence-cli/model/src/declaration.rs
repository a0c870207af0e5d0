//! The boundary declaration, `boundary.yaml`: what the customer says is true.
//!
//! It is parsed strictly: an unknown key, a wrong type or a duplicate is refused with file, line and
//! column. Policies see it as `input.declaration`, with periods as seconds.

use std::collections::BTreeSet;
use std::path::Path;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::drill_target::{DrillTarget, Environment};
use crate::profile::{Profile, ProfileName};
use crate::time::Period;
use crate::yaml::{self, YamlFileError};

/// The format this version reads.
pub const SCHEMA: &str = "cadastre/boundary/v1";

/// The largest declaration that is read, in bytes.
const MAXIMUM_SIZE: u64 = 4 << 20;

/// The whole declaration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Declaration {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// What the boundary is called in reports.
    pub name: String,
    /// Who operates what.
    pub operating_model: OperatingModel,
    /// Where record bytes rest.
    pub architecture: Architecture,
    /// Cloud accounts inside the boundary.
    #[serde(default)]
    pub accounts: Vec<Account>,
    /// Regions in which data, replicas, backups and keys may lie.
    #[serde(default)]
    pub regions: Vec<String>,
    /// Address ranges by purpose.
    #[serde(default)]
    pub networks: Vec<Network>,
    /// Parties outside the customer that have any access.
    #[serde(default)]
    pub vendors: Vec<Vendor>,
    /// The customer's own principals, by the job they do.
    #[serde(default)]
    pub identities: Vec<Identity>,
    /// Stores that hold records, logs or backups.
    #[serde(default)]
    pub stores: Vec<Store>,
    /// Keys and who may administer and use them.
    #[serde(default)]
    pub keys: Vec<Key>,
    /// Kafka clusters.
    #[serde(default)]
    pub clusters: Vec<Cluster>,
    /// Where logs go and who looks after them.
    #[serde(default)]
    pub log_sinks: Vec<LogSink>,
    /// Approved network flows.
    #[serde(default)]
    pub flows: Vec<Flow>,
    /// Machine images and container images that may run in the data plane.
    #[serde(default)]
    pub images: Vec<Image>,
    /// What counts as good evidence.
    #[serde(default)]
    pub evidence: EvidenceRules,
    /// Limits that controls compare with.
    #[serde(default)]
    pub limits: Limits,
    /// Where runbooks and plans lie, and how old they may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub documents: Option<DocumentRules>,
    /// Controls that do not apply, and why. Anything observed that contradicts one reopens it.
    #[serde(default)]
    pub not_applicable: Vec<NotApplicable>,
}

/// Who operates the data plane (BND-05).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OperatingModel {
    /// The customer runs software of its own choosing.
    SelfManaged,
    /// A provider runs the service in its own accounts.
    ExternalManagedService,
    /// A vendor operates brokers inside the customer's accounts.
    VendorOperated,
    /// The customer operates a vendor's software; the vendor has no standing access.
    CustomerOperatedSoftware,
}

/// Where record bytes rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Architecture {
    /// On disks attached to brokers, replicated between them.
    BrokerLocalDisks,
    /// Recent segments on disks, older ones in object storage.
    TieredStorage,
    /// A write-ahead log in front of object storage.
    SharedStorage,
}

/// A cloud account inside the boundary.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Account {
    /// Twelve digits for AWS, a subscription id for Azure.
    pub id: String,
    /// The cloud.
    pub provider: Provider,
    /// What it is for.
    pub purpose: AccountPurpose,
    /// The role to assume for reading it, when it is not the account of the caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collect_role: Option<String>,
    /// The external id that the role's trust policy asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
}

/// A cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Provider {
    /// Amazon Web Services.
    Aws,
    /// Microsoft Azure.
    Azure,
}

/// What an account is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AccountPurpose {
    /// Brokers, stores and keys.
    DataPlane,
    /// The control plane that the customer owns.
    ControlPlane,
    /// Audit logs.
    LogArchive,
    /// Security tooling and key custody.
    Security,
    /// The organization's management account.
    Management,
}

/// A named set of address ranges.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Network {
    /// Referred to by flows.
    pub name: String,
    /// Address ranges in CIDR notation.
    pub cidrs: Vec<IpNet>,
    /// What is in there.
    pub purpose: NetworkPurpose,
}

/// What a network holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NetworkPurpose {
    /// Brokers and controllers.
    Brokers,
    /// Producers and consumers.
    Clients,
    /// People and tools that operate the cluster.
    Administration,
    /// Metrics and log agents.
    Monitoring,
    /// Private endpoints.
    Endpoints,
    /// The customer's own networks elsewhere.
    OnPremises,
    /// A vendor's network.
    Vendor,
}

/// A party outside the customer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Vendor {
    /// What it is called.
    pub name: String,
    /// Its own cloud accounts.
    #[serde(default)]
    pub accounts: Vec<String>,
    /// Roles in the customer's accounts that it uses.
    #[serde(default)]
    pub roles: Vec<VendorRole>,
    /// Its Kafka principals, like `User:streamco-agent`.
    #[serde(default)]
    pub kafka_principals: Vec<String>,
    /// Its address ranges.
    #[serde(default)]
    pub networks: Vec<IpNet>,
}

/// A role in the customer's account that a vendor uses (IDN-01).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct VendorRole {
    /// Its ARN.
    pub arn: String,
    /// The control-plane function it serves, in words.
    pub function: String,
    /// The actions it needs; `*` and `?` are wildcards. Anything granted beyond them is a red flag.
    #[serde(default)]
    pub actions: Vec<String>,
}

/// One of the customer's own principals.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Identity {
    /// Its ARN; `*` and `?` are wildcards.
    pub principal: String,
    /// What it does.
    pub job: Job,
}

/// What one of the customer's principals does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Job {
    /// Brokers and controllers.
    Broker,
    /// Administers keys and does not use them.
    KeyAdministrator,
    /// Operates brokers and their hosts.
    Operator,
    /// Emergency access.
    BreakGlass,
    /// Looks after log sinks.
    LogAdministrator,
    /// Administers identities and policies of the account.
    AccountAdministrator,
    /// Pipelines.
    Automation,
    /// Reads records as a client.
    Reader,
    /// Collects evidence.
    Scanner,
}

/// A store that the data plane uses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Store {
    /// Its ARN, `arn:aws:s3:::name` for a bucket.
    pub arn: String,
    /// What rests there.
    pub holds: Holds,
    /// The declared key that protects it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// What a store holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Holds {
    /// Record bytes.
    Records,
    /// Backups and metadata snapshots.
    Backups,
    /// Logs and trails.
    Logs,
    /// Installation files and the like: no customer data.
    Operations,
}

/// A key and its authorities (KEY-01 to KEY-11).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Key {
    /// An alias (`alias/name`) or a key ARN.
    pub id: String,
    /// Who may change its policy, disable or delete it, or create grants; wildcards allowed.
    pub administrators: Vec<String>,
    /// Exactly who may decrypt with it; wildcards allowed.
    pub decrypt: Vec<String>,
    /// The longest time between two rotations.
    pub rotation: Period,
    /// Where its material comes from, in the provider's words: `AWS_KMS`, `EXTERNAL`, `AWS_CLOUDHSM`,
    /// `EXTERNAL_KEY_STORE`.
    pub origin: String,
    /// The shortest acceptable waiting period before deletion.
    #[serde(default = "default_deletion_window")]
    pub deletion_window: Period,
}

const fn default_deletion_window() -> Period {
    Period::days(30)
}

/// A Kafka cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Cluster {
    /// What it is called in reports and in records' scope.
    pub name: String,
    /// Which software it is.
    pub kind: ClusterKind,
    /// Which variant of it, where its kind has several: what can be known of it differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<ProfileName>,
    /// `host:port` of brokers to ask first.
    pub bootstrap: Vec<String>,
    /// How the scanner authenticates.
    pub security: ClientSecurity,
    /// Who operates it, where that differs from the boundary's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operating_model: Option<OperatingModel>,
    /// Where its record bytes rest, where that differs from the boundary's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub architecture: Option<Architecture>,
    /// The cloud account it runs in, for clusters whose hosts are in a declared account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Listeners by name.
    #[serde(default)]
    pub listeners: Vec<Listener>,
    /// Exactly the super users.
    #[serde(default)]
    pub super_users: Vec<String>,
    /// Principals that may administer the cluster: configs, ACLs, credentials, quotas.
    #[serde(default)]
    pub administrators: Vec<String>,
    /// Workload principals and what they may do.
    #[serde(default)]
    pub workloads: Vec<Workload>,
    /// What TLS must look like.
    #[serde(default)]
    pub tls: TlsPlan,
    /// The smallest acceptable `min.insync.replicas`.
    #[serde(default = "default_min_insync_replicas")]
    pub min_insync_replicas: u32,
    /// The smallest acceptable SCRAM iteration count.
    #[serde(default = "default_scram_iterations")]
    pub scram_iterations: u32,
    /// The longest acceptable lifetime of a delegation token.
    #[serde(default = "default_token_lifetime")]
    pub delegation_token_lifetime: Period,
    /// Topics by name pattern.
    #[serde(default)]
    pub topics: Vec<TopicClass>,
    /// What the cluster is for; nothing is exercised on a production cluster.
    #[serde(default, skip_serializing_if = "Environment::is_production")]
    pub environment: Environment,
    /// How it may be exercised; absent where it may not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drills: Option<DrillTarget>,
}

const fn default_min_insync_replicas() -> u32 {
    2
}

const fn default_scram_iterations() -> u32 {
    4_096
}

const fn default_token_lifetime() -> Period {
    Period::days(7)
}

/// Kafka software and services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClusterKind {
    /// The bundled reference broker.
    Cadastre,
    /// Apache Kafka.
    ApacheKafka,
    /// AutoMQ.
    Automq,
    /// Amazon MSK.
    Msk,
    /// Redpanda.
    Redpanda,
    /// WarpStream.
    Warpstream,
    /// Confluent Platform or Cloud.
    Confluent,
    /// Azure Event Hubs.
    EventHubs,
}

/// How the scanner talks to a cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ClientSecurity {
    /// `PLAINTEXT`, `SSL`, `SASL_PLAINTEXT` or `SASL_SSL`.
    pub protocol: SecurityProtocol,
    /// `PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mechanism: Option<SaslMechanism>,
    /// The user name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The name of the environment variable that holds the password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_env: Option<String>,
    /// A file whose first line is the password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_file: Option<String>,
    /// PEM file of trusted authorities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<String>,
    /// PEM file of the client's certificate chain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_file: Option<String>,
    /// PEM file of the client's private key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_file: Option<String>,
}

/// Kafka's `security.protocol`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum SecurityProtocol {
    /// No encryption, no authentication.
    #[serde(rename = "PLAINTEXT")]
    Plaintext,
    /// TLS, with client certificates where asked for.
    #[serde(rename = "SSL")]
    Ssl,
    /// SASL without encryption.
    #[serde(rename = "SASL_PLAINTEXT")]
    SaslPlaintext,
    /// SASL inside TLS.
    #[serde(rename = "SASL_SSL")]
    SaslSsl,
}

/// Kafka's `sasl.mechanism`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum SaslMechanism {
    /// RFC 4616.
    #[serde(rename = "PLAIN")]
    Plain,
    /// RFC 7677.
    #[serde(rename = "SCRAM-SHA-256")]
    ScramSha256,
    /// RFC 5802 with SHA-512.
    #[serde(rename = "SCRAM-SHA-512")]
    ScramSha512,
}

/// A declared listener.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Listener {
    /// Its name in `listeners`.
    pub name: String,
    /// Its security protocol.
    pub protocol: SecurityProtocol,
    /// Who connects.
    pub purpose: ListenerPurpose,
    /// The port brokers listen on.
    pub port: u16,
}

/// Who connects to a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ListenerPurpose {
    /// Producers and consumers.
    Clients,
    /// Other brokers.
    InterBroker,
    /// The controller quorum.
    Controller,
    /// Operators and tools.
    Administration,
}

/// A workload's principal and what it may do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Workload {
    /// `User:name`.
    pub principal: String,
    /// Topic patterns it may read; `*` and `?` are wildcards.
    #[serde(default)]
    pub reads: Vec<String>,
    /// Topic patterns it may write.
    #[serde(default)]
    pub writes: Vec<String>,
    /// The name or ARN of the secret that holds its user name and password, where it lies in Secrets Manager.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

/// What TLS must look like on every listener (KEY-08).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct TlsPlan {
    /// Accepted versions: `TLSv1.2`, `TLSv1.3`.
    pub versions: BTreeSet<String>,
    /// Accepted issuers, as distinguished names; empty accepts any authority the scanner was told to trust.
    pub issuers: BTreeSet<String>,
    /// A certificate must be valid for at least this long.
    pub expiry_notice: Period,
}

impl Default for TlsPlan {
    fn default() -> Self {
        Self {
            versions: ["TLSv1.2", "TLSv1.3"].map(str::to_owned).into(),
            issuers: BTreeSet::new(),
            expiry_notice: Period::days(30),
        }
    }
}

/// Topics of one class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TopicClass {
    /// Topic name; `*` and `?` are wildcards. The first match counts.
    pub pattern: String,
    /// The class's name.
    pub class: String,
    /// The longest acceptable `retention.ms`; absent when records may be kept without limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<Period>,
    /// Whether compaction alone may keep records.
    #[serde(default)]
    pub compacted: bool,
}

/// A place logs go to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct LogSink {
    /// ARN of a bucket or log group.
    pub arn: String,
    /// What it receives.
    pub receives: Vec<LogKind>,
    /// The shortest acceptable retention.
    pub retention: Period,
    /// Who may change or delete it; wildcards allowed.
    #[serde(default)]
    pub administrators: Vec<String>,
}

/// What a log records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogKind {
    /// Cloud API calls.
    CloudApi,
    /// Uses of keys.
    KeyUse,
    /// Reads and writes of objects.
    ObjectAccess,
    /// Network flows.
    NetworkFlow,
    /// Kafka administrative actions and denials.
    KafkaAudit,
}

/// An approved network flow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Flow {
    /// What it is called in the flow table.
    pub name: String,
    /// What it is for.
    pub purpose: FlowPurpose,
    /// A declared network's name or an address range.
    pub from: String,
    /// A declared network's name, an address range, or a cloud service as `service:s3`, `service:kms`.
    pub to: String,
    /// Destination ports.
    pub ports: Vec<u16>,
}

/// What a flow is for (NET-06).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FlowPurpose {
    /// Clients to brokers.
    Ingress,
    /// Brokers to elsewhere.
    Egress,
    /// Broker to broker.
    Replication,
    /// Brokers to object storage.
    Storage,
    /// Brokers to key services.
    Keys,
    /// Metrics.
    Metrics,
    /// Logs.
    Logs,
    /// Support access.
    Support,
}

/// Code that may run in the data plane (BND-07).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Image {
    /// Machine image id (`ami-…`) or container image with digest.
    pub id: String,
    /// Where it comes from, in words.
    pub source: String,
    /// Who may change it.
    #[serde(default)]
    pub changed_by: Vec<String>,
}

/// What counts as good evidence (AUD-07).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct EvidenceRules {
    /// Older records prove nothing.
    pub maximum_age: Period,
    /// The same for records of drills, which are exercised rarely.
    #[serde(default = "default_drill_age")]
    pub drill_maximum_age: Period,
    /// Identities that may collect; wildcards allowed.
    pub callers: Vec<String>,
}

impl Default for EvidenceRules {
    fn default() -> Self {
        Self { maximum_age: Period::days(1), drill_maximum_age: default_drill_age(), callers: Vec::new() }
    }
}

const fn default_drill_age() -> Period {
    Period::days(90)
}

/// Limits that controls compare with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Limits {
    /// The oldest acceptable access key.
    pub access_key_age: Period,
    /// How far back trails must reach before a permission counts as never used (IDN-05), and the window in which vendor
    /// actions and key uses are looked at.
    pub usage_window: Period,
}

impl Default for Limits {
    fn default() -> Self {
        Self { access_key_age: Period::days(90), usage_window: Period::days(90) }
    }
}

/// Where runbooks, ownership and plans lie, and how old they may be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DocumentRules {
    /// The folder, relative to the declaration's own.
    pub folder: String,
    /// A document reviewed longer ago proves nothing.
    #[serde(default = "default_review_age")]
    pub review_age: Period,
    /// What was exercised longer ago is not proven any more.
    #[serde(default = "default_exercise_age")]
    pub exercise_age: Period,
}

const fn default_review_age() -> Period {
    Period::days(365)
}

const fn default_exercise_age() -> Period {
    Period::days(365)
}

/// A control that does not apply.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct NotApplicable {
    /// The control's id.
    pub control: String,
    /// Why.
    pub reason: String,
}

/// Why a declaration was refused.
#[derive(Debug, thiserror::Error)]
pub enum DeclarationError {
    /// The file cannot be read, or is no declaration.
    #[error(transparent)]
    File(#[from] YamlFileError),
    /// Another version of the format.
    #[error("{path}: schema is `{found}`, and this version reads `{SCHEMA}`")]
    Schema {
        /// The file.
        path: String,
        /// What it says.
        found: String,
    },
    /// Two things have one name, or a name is referred to and not declared.
    #[error("{path}: {message}")]
    Inconsistent {
        /// The file.
        path: String,
        /// What is wrong.
        message: String,
    },
}

impl Declaration {
    /// Reads a file.
    ///
    /// # Errors
    /// See [`DeclarationError`].
    pub fn read(path: &Path) -> Result<Self, DeclarationError> {
        Self::parse(&yaml::read_text(path, MAXIMUM_SIZE)?, &path.display().to_string())
    }

    /// Parses text; `path` is only named in errors.
    ///
    /// # Errors
    /// See [`DeclarationError`].
    pub fn parse(text: &str, path: &str) -> Result<Self, DeclarationError> {
        let mut declaration: Self = yaml::parse_file(text, path)?;
        if declaration.schema != SCHEMA {
            return Err(DeclarationError::Schema { path: path.to_owned(), found: declaration.schema });
        }
        declaration.lower_azure_ids();
        declaration.check_names(path)?;
        Ok(declaration)
    }

    /// Azure compares ids without regard to case, and so does everything downstream once they are in lower case.
    fn lower_azure_ids(&mut self) {
        let lower = |text: &mut String| {
            if ["/subscriptions/", "entra:"]
                .iter()
                .any(|start| text.get(..start.len()).is_some_and(|own| own.eq_ignore_ascii_case(start)))
            {
                *text = text.to_lowercase();
            }
        };
        for account in self.accounts.iter_mut().filter(|account| account.provider == Provider::Azure) {
            account.id = account.id.to_lowercase();
        }
        self.stores.iter_mut().for_each(|store| {
            lower(&mut store.arn);
            store.key.iter_mut().for_each(lower);
        });
        self.keys.iter_mut().for_each(|key| {
            lower(&mut key.id);
            key.administrators.iter_mut().chain(&mut key.decrypt).for_each(lower);
        });
        self.log_sinks.iter_mut().for_each(|sink| {
            lower(&mut sink.arn);
            sink.administrators.iter_mut().for_each(lower);
        });
        self.identities.iter_mut().for_each(|identity| lower(&mut identity.principal));
        self.vendors.iter_mut().for_each(|vendor| {
            vendor.roles.iter_mut().for_each(|role| lower(&mut role.arn));
        });
    }

    fn check_names(&self, path: &str) -> Result<(), DeclarationError> {
        let lists: [(&str, Vec<&str>); 6] = [
            ("account", self.accounts.iter().map(|a| a.id.as_str()).collect()),
            ("network", self.networks.iter().map(|n| n.name.as_str()).collect()),
            ("vendor", self.vendors.iter().map(|v| v.name.as_str()).collect()),
            ("key", self.keys.iter().map(|k| k.id.as_str()).collect()),
            ("store", self.stores.iter().map(|s| s.arn.as_str()).collect()),
            ("cluster", self.clusters.iter().map(|c| c.name.as_str()).collect()),
        ];
        for (what, names) in lists {
            let mut seen = BTreeSet::new();
            if let Some(twice) = names.into_iter().find(|name| !seen.insert(*name)) {
                return Err(DeclarationError::Inconsistent {
                    path: path.to_owned(),
                    message: format!("{what} `{twice}` is declared twice"),
                });
            }
        }
        for cluster in &self.clusters {
            let fits = cluster.profile.is_none()
                || Profile::of(cluster).is_ok_and(|profile| profile.kind == cluster.kind);
            if !fits {
                return Err(DeclarationError::Inconsistent {
                    path: path.to_owned(),
                    message: format!("cluster `{}` has a profile of another kind", cluster.name),
                });
            }
        }
        for flow in &self.flows {
            for end in [&flow.from, &flow.to] {
                let known = end.starts_with("service:")
                    || end.parse::<IpNet>().is_ok()
                    || self.networks.iter().any(|network| &network.name == end);
                if !known {
                    return Err(DeclarationError::Inconsistent {
                        path: path.to_owned(),
                        message: format!(
                            "flow `{}` names `{end}`, which is no declared network, address range or `service:…`",
                            flow.name
                        ),
                    });
                }
            }
        }
        Ok(())
    }

    /// Who operates a cluster: as it says itself, or else as the boundary does.
    #[must_use]
    pub fn operating_model_of(&self, cluster: &Cluster) -> OperatingModel {
        cluster.operating_model.unwrap_or(self.operating_model)
    }

    /// Where a cluster's records rest: as it says itself, or else as the boundary does.
    #[must_use]
    pub fn architecture_of(&self, cluster: &Cluster) -> Architecture {
        cluster.architecture.unwrap_or(self.architecture)
    }

    /// Every architecture that a cluster has, in the order of [`Architecture`]; the boundary's own where no cluster is
    /// declared.
    #[must_use]
    pub fn architectures(&self) -> BTreeSet<Architecture> {
        let declared: BTreeSet<Architecture> =
            self.clusters.iter().map(|cluster| self.architecture_of(cluster)).collect();
        if declared.is_empty() { BTreeSet::from([self.architecture]) } else { declared }
    }

    /// Every operating model that a cluster has; the boundary's own where no cluster is declared.
    #[must_use]
    pub fn operating_models(&self) -> BTreeSet<OperatingModel> {
        let declared: BTreeSet<OperatingModel> =
            self.clusters.iter().map(|cluster| self.operating_model_of(cluster)).collect();
        if declared.is_empty() { BTreeSet::from([self.operating_model]) } else { declared }
    }

    /// Whether an account is inside the boundary.
    #[must_use]
    pub fn has_account(&self, id: &str) -> bool {
        self.accounts.iter().any(|account| account.id == id)
    }
}

/// Whether `text` matches `pattern`, in which `*` stands for any run of characters and `?` for one.
/// Linear in the length of the text for each `*`; never exponential.
#[must_use]
pub fn matches_pattern(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut p, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                retry = Some((p, t));
                p += 1;
            }
            Some(&c) if c == '?' || text.get(t) == Some(&c) => {
                p += 1;
                t += 1;
            }
            _ => match retry {
                Some((star, from)) => {
                    retry = Some((star, from + 1));
                    p = star + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALLEST: &str = "schema: cadastre/boundary/v1\nname: payments\noperating-model: self-managed\narchitecture: shared-storage\n";

    #[track_caller]
    fn refused(extra: &str, expected: &str) {
        let error = Declaration::parse(&format!("{SMALLEST}{extra}"), "boundary.yaml").unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }

    #[test]
    fn the_smallest_declaration_has_sane_defaults() {
        let declaration = Declaration::parse(SMALLEST, "boundary.yaml").unwrap();
        assert_eq!(declaration.evidence.maximum_age, Period::days(1));
        assert_eq!(declaration.limits.access_key_age, Period::days(90));
    }

    #[test]
    fn errors_name_file_line_column_and_what_was_expected() {
        refused("regoins: []\n", "boundary.yaml:5:1: unknown field `regoins`");
        refused("regions: 7\n", "boundary.yaml:5:10");
        refused("regions: []\nregions: []\n", "boundary.yaml:6:1: duplicate");
        refused("limits: {access-key-age: 90}\n", "is not a period");
    }

    #[test]
    fn names_are_unique_and_flows_refer_to_declared_networks() {
        refused(
            "accounts:\n  - {id: '1', provider: aws, purpose: data-plane}\n  - {id: '1', provider: aws, purpose: security}\n",
            "account `1` is declared twice",
        );
        refused(
            "flows:\n  - {name: f, purpose: egress, from: a, to: service:s3, ports: [443]}\n",
            "names `a`",
        );
    }

    #[test]
    fn a_profile_fits_the_kind_of_its_cluster() {
        let cluster = |kind: &str, profile: &str| {
            format!(
                "clusters:\n  - {{name: c, kind: {kind}, profile: {profile}, bootstrap: [], security: {{protocol: SSL}}}}\n"
            )
        };
        refused(&cluster("msk", "confluent-cloud"), "cluster `c` has a profile of another kind");
        refused(&cluster("msk", "msk-huge"), "msk-huge");
        let text = format!("{SMALLEST}{}", cluster("msk", "msk-serverless"));
        let read = Declaration::parse(&text, "boundary.yaml").unwrap();
        assert_eq!(read.clusters[0].profile, Some(ProfileName::MskServerless));
    }

    #[test]
    fn a_cluster_speaks_for_itself_and_the_boundary_for_those_that_do_not() {
        let text = format!(
            "{SMALLEST}clusters:\n  - {{name: a, kind: cadastre, bootstrap: [], security: {{protocol: SSL}}}}\n  - {{name: b, kind: msk, operating-model: external-managed-service, architecture: tiered-storage, bootstrap: [], security: {{protocol: SSL}}}}\n"
        );
        let read = Declaration::parse(&text, "boundary.yaml").unwrap();
        let said: Vec<_> = read
            .clusters
            .iter()
            .map(|cluster| (read.operating_model_of(cluster), read.architecture_of(cluster)))
            .collect();
        assert_eq!(
            said,
            [
                (OperatingModel::SelfManaged, Architecture::SharedStorage),
                (OperatingModel::ExternalManagedService, Architecture::TieredStorage)
            ]
        );
        assert_eq!(
            read.architectures(),
            BTreeSet::from([Architecture::TieredStorage, Architecture::SharedStorage])
        );
        let empty = Declaration::parse(SMALLEST, "boundary.yaml").unwrap();
        assert_eq!(empty.architectures(), BTreeSet::from([Architecture::SharedStorage]));
        assert_eq!(empty.operating_models(), BTreeSet::from([OperatingModel::SelfManaged]));
    }

    #[test]
    fn another_schema_is_refused_by_name() {
        let text = SMALLEST.replace("/v1", "/v9");
        let error = Declaration::parse(&text, "boundary.yaml").unwrap_err();
        assert!(error.to_string().contains("cadastre/boundary/v9"), "{error}");
    }

    #[test]
    fn patterns_match_runs_and_single_characters() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("a*c", "abc", true),
            ("a*c", "ac", true),
            ("a*c", "acb", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("a*b*c", "a-b-b-c", true),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(matches_pattern(pattern, text), expected, "{pattern} {text}");
        }
    }
}
