//! The Kafka collector: reads any cluster over the Kafka protocol and probes its listeners.
//!
//! Only read requests are sent; the probes that attempt a change ask the broker to validate it only. Every request and
//! every probe becomes one record, whatever its outcome: `docs/formats/kafka-records.md` describes them.

mod acls;
mod cluster;
mod configs;
mod connection;
mod delegation_tokens;
mod groups;
mod listeners;
mod log_directories;
mod names;
mod probes;
mod quorum;
mod quotas;
mod recorder;
mod scram_credentials;
mod target;

use std::time::Duration;

use cadastre_model::progress::Progress;
use cadastre_model::record::RecordSink;
use cadastre_model::time::Clock;
use cadastre_protocol::client::{Client, ClientConfig};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use serde_json::json;

pub use target::{AdditionalListener, KafkaTarget};

use cluster::ClusterView;
use connection::Connection;
use recorder::{Ask, Recorder, Trouble};

use crate::CollectError;

/// How a cluster is read.
#[derive(Clone, Copy)]
pub struct KafkaOptions<'a> {
    /// Whether listeners are probed. Without, only the configured login is used.
    pub probes: bool,
    /// For each TCP connection and each TLS handshake.
    pub connect_timeout: Duration,
    /// For each request.
    pub request_timeout: Duration,
    /// How many brokers and listeners are asked at the same time.
    pub concurrency: usize,
    /// Where the time comes from.
    pub clock: &'a dyn Clock,
    /// Who is told what goes on.
    pub progress: &'a dyn Progress,
}

impl std::fmt::Debug for KafkaOptions<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("KafkaOptions")
            .field("probes", &self.probes)
            .field("connect_timeout", &self.connect_timeout)
            .field("request_timeout", &self.request_timeout)
            .field("concurrency", &self.concurrency)
            .finish_non_exhaustive()
    }
}

impl<'a> KafkaOptions<'a> {
    /// Probes on, ten seconds for everything, eight brokers at a time.
    #[must_use]
    pub fn new(clock: &'a dyn Clock, progress: &'a dyn Progress) -> Self {
        Self {
            probes: true,
            connect_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(10),
            concurrency: 8,
            clock,
            progress,
        }
    }
}

/// A permission that the scanner's principal needs: resource type, resource name, operation. All are `LITERAL`, and
/// none lets it change anything or read a record.
pub const PERMISSIONS: &[(&str, &str, &str)] = &[
    ("CLUSTER", "kafka-cluster", "DESCRIBE"),
    ("CLUSTER", "kafka-cluster", "DESCRIBE_CONFIGS"),
    ("TOPIC", "*", "DESCRIBE"),
    ("TOPIC", "*", "DESCRIBE_CONFIGS"),
    ("GROUP", "*", "DESCRIBE"),
    ("DELEGATION_TOKEN", "*", "DESCRIBE"),
    ("USER", "*", "DESCRIBE_TOKENS"),
];

/// Every operation this collector may record, sorted.
pub const OPERATIONS: &[&str] = &[
    "kafka:ApiVersions",
    "kafka:Connect",
    "kafka:ConsumerGroupDescribe",
    "kafka:DescribeAcls",
    "kafka:DescribeClientQuotas",
    "kafka:DescribeCluster",
    "kafka:DescribeConfigs",
    "kafka:DescribeDelegationToken",
    "kafka:DescribeFeatures",
    "kafka:DescribeGroups",
    "kafka:DescribeLogDirs",
    "kafka:DescribeQuorum",
    "kafka:DescribeUserScramCredentials",
    "kafka:ListGroups",
    "kafka:Metadata",
    "probe:AnonymousConnection",
    "probe:DeniedOperation",
    "probe:PlaintextConnection",
    "probe:TlsHandshake",
    "probe:UnauthenticatedOperation",
];

/// No cluster has more brokers, or more endpoints; one that says so is not asked for more than this.
const MAXIMUM_ENDPOINTS: usize = 1_000;

/// What is asked of the cluster as a whole, by whichever broker answers.
const CLUSTER_OPERATIONS: &[&str] = &[
    "kafka:ApiVersions",
    "kafka:DescribeFeatures",
    "kafka:DescribeCluster",
    "kafka:Metadata",
    "kafka:DescribeQuorum",
    "kafka:DescribeAcls",
    "kafka:DescribeUserScramCredentials",
    "kafka:DescribeClientQuotas",
    "kafka:DescribeDelegationToken",
];

/// What is asked of each broker.
const BROKER_OPERATIONS: &[&str] = &["kafka:DescribeConfigs", "kafka:DescribeLogDirs", "kafka:ListGroups"];

/// Reads one cluster into `sink`.
///
/// An endpoint that cannot be reached, a refused login, a missing permission or an unsupported request each leave a
/// record with their outcome, and the rest is read all the same.
///
/// # Errors
///
/// [`CollectError`] when a record cannot be kept.
pub async fn collect(
    target: &KafkaTarget,
    sink: &dyn RecordSink,
    options: &KafkaOptions<'_>,
) -> Result<(), CollectError> {
    let mut recorder = Recorder::new(target.name.clone(), sink, options);
    let resolved = match target.resolve() {
        Ok(resolved) => resolved,
        Err(trouble) => {
            for bootstrap in &target.bootstrap {
                recorder.trouble(&Ask::connect(bootstrap, target), &trouble)?;
            }
            return record_untried(&recorder, target, &trouble.message);
        }
    };
    recorder.set_caller(resolved.principal.clone());
    let config = ClientConfig {
        connect_timeout: options.connect_timeout,
        request_timeout: options.request_timeout,
        ..ClientConfig::new("cadastre", resolved.security.clone())
    };

    let mut view = ClusterView::default();
    match connect_bootstrap(target, &config, &recorder).await? {
        Some(client) => {
            let mut connection = Connection::established(client, &config);
            read_cluster(&mut connection, &recorder, &mut view).await?;
            read_brokers(target, &config, &recorder, &mut view, options.concurrency).await?;
            if options.probes {
                recorder.step("probe:DeniedOperation");
                probes::operations::probe_as_scanner(&mut connection, &recorder).await?;
            }
            connection.close().await;
        }
        None => record_untried(&recorder, target, "no bootstrap server could be used")?,
    }
    if options.probes {
        let mut endpoints = listeners::endpoints(target, &view);
        let surplus = endpoints.len().saturating_sub(MAXIMUM_ENDPOINTS);
        endpoints.truncate(MAXIMUM_ENDPOINTS);
        if surplus > 0 {
            for operation in probes::OPERATIONS {
                let ask = Ask::new(operation, &target.name, json!({"probe": true})).anonymously();
                recorder.trouble(
                    &ask,
                    &Trouble::failed("too-many", format!("{surplus} endpoints were not probed")),
                )?;
            }
        }
        let context = probes::Context {
            recorder: &recorder,
            authorities: resolved.authorities.as_ref(),
            connect_timeout: options.connect_timeout,
            request_timeout: options.request_timeout,
        };
        stream::iter(endpoints.iter().map(Ok))
            .try_for_each_concurrent(options.concurrency.max(1), |endpoint| probes::probe(&context, endpoint))
            .await?;
    }
    Ok(())
}

/// Tries the bootstrap servers in their order until one lets us in.
async fn connect_bootstrap(
    target: &KafkaTarget,
    config: &ClientConfig,
    recorder: &Recorder<'_>,
) -> Result<Option<Client>, CollectError> {
    for bootstrap in &target.bootstrap {
        recorder.step(&format!("connecting to {bootstrap}"));
        let ask = Ask::connect(bootstrap, target);
        let address = match bootstrap.parse() {
            Ok(address) => address,
            Err(error) => {
                recorder.trouble(&ask, &Trouble::failed("bad-address", format!("{error}")))?;
                continue;
            }
        };
        match Client::connect(&address, config).await {
            Ok(client) => {
                let tls = client.tls();
                let response = json!({
                    "tls_version": tls.map(|session| session.version),
                    "cipher_suite": tls.map(|session| session.cipher_suite.clone()),
                    "authenticated_as": recorder.caller(),
                });
                recorder.observed(&ask, response)?;
                return Ok(Some(client));
            }
            Err(error) => recorder.trouble(&ask, &Trouble::from(error))?,
        }
    }
    Ok(None)
}

fn record_untried(recorder: &Recorder<'_>, target: &KafkaTarget, why: &str) -> Result<(), CollectError> {
    for operation in CLUSTER_OPERATIONS.iter().chain(BROKER_OPERATIONS) {
        recorder.trouble(&Ask::new(operation, &target.name, json!({})), &Trouble::not_tried(why))?;
    }
    Ok(())
}

async fn read_cluster(
    connection: &mut Connection<'_>,
    recorder: &Recorder<'_>,
    view: &mut ClusterView,
) -> Result<(), CollectError> {
    cluster::read(connection, recorder, view).await?;
    quorum::read(connection, recorder, view).await?;
    acls::read(connection, recorder).await?;
    scram_credentials::read(connection, recorder).await?;
    quotas::read(connection, recorder).await?;
    delegation_tokens::read(connection, recorder).await?;
    configs::read_topics(connection, recorder, view).await
}

/// Asks every broker for what only it knows, several at a time.
async fn read_brokers(
    target: &KafkaTarget,
    config: &ClientConfig,
    recorder: &Recorder<'_>,
    view: &mut ClusterView,
    concurrency: usize,
) -> Result<(), CollectError> {
    if view.brokers.is_empty() {
        let trouble = Trouble::not_tried("the cluster's brokers are not known");
        for operation in BROKER_OPERATIONS {
            recorder.trouble(&Ask::new(operation, &target.name, json!({})), &trouble)?;
        }
        return Ok(());
    }
    let mut brokers = view.brokers.clone();
    let surplus = brokers.len().saturating_sub(MAXIMUM_ENDPOINTS);
    brokers.truncate(MAXIMUM_ENDPOINTS);
    if surplus > 0 {
        for operation in BROKER_OPERATIONS {
            let trouble = Trouble::failed("too-many", format!("{surplus} brokers were not asked"));
            recorder.trouble(&Ask::new(operation, &target.name, json!({})), &trouble)?;
        }
    }
    let read: Vec<_> = stream::iter(brokers)
        .map(|broker| read_broker(target, config, recorder, broker))
        .buffered(concurrency.max(1))
        .try_collect()
        .await?;
    view.listener_configs = read.into_iter().flatten().collect();
    Ok(())
}

async fn read_broker(
    target: &KafkaTarget,
    config: &ClientConfig,
    recorder: &Recorder<'_>,
    broker: cluster::BrokerView,
) -> Result<Option<(i32, listeners::ListenerConfig)>, CollectError> {
    recorder.step(&format!("reading broker {}", broker.id));
    let mut connection = match Client::connect(&broker.address, config).await {
        Ok(client) => Connection::established(client, config),
        Err(error) => {
            let why = format!("broker {} could not be reached", broker.id);
            recorder.trouble(&Ask::connect(&broker.address.to_string(), target), &Trouble::from(error))?;
            for operation in BROKER_OPERATIONS {
                let ask = Ask::new(operation, &format!("broker:{}", broker.id), json!({}));
                recorder.trouble(&ask, &Trouble::not_tried(&why))?;
            }
            return Ok(None);
        }
    };
    let listeners = configs::read_broker(&mut connection, recorder, broker.id).await?;
    log_directories::read(&mut connection, recorder, broker.id).await?;
    groups::read(&mut connection, recorder, broker.id).await?;
    connection.close().await;
    Ok(listeners.map(|listeners| (broker.id, listeners)))
}
