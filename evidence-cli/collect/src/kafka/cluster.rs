//! What the cluster says of itself: versions, features, brokers, topics.

use std::collections::BTreeMap;

use cadastre_protocol::ApiKey;
use cadastre_protocol::client::Address;
use cadastre_protocol::messages::metadata_response::MetadataResponseTopic;
use cadastre_protocol::messages::{
    ApiVersionsResponse, DescribeClusterRequest, DescribeClusterResponse, MetadataRequest, MetadataResponse,
};
use cadastre_protocol::types::TopicId;
use serde_json::{Value, json};

use super::connection::Connection;
use super::listeners::ListenerConfig;
use super::names;
use super::recorder::{Recorder, Trouble};
use crate::CollectError;

/// What later steps need to know of the cluster.
#[derive(Debug, Default)]
pub(super) struct ClusterView {
    pub(super) brokers: Vec<BrokerView>,
    pub(super) topics: Vec<String>,
    /// Listener name and address, from the quorum.
    pub(super) controllers: Vec<(i32, String, Address)>,
    pub(super) listener_configs: BTreeMap<i32, ListenerConfig>,
}

/// A broker and where it can be reached.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct BrokerView {
    pub(super) id: i32,
    pub(super) address: Address,
}

pub(super) async fn read(
    connection: &mut Connection<'_>,
    recorder: &Recorder<'_>,
    view: &mut ClusterView,
) -> Result<(), CollectError> {
    read_versions(connection, recorder).await?;
    read_description(connection, recorder, view).await?;
    read_metadata(connection, recorder, view).await
}

async fn read_versions(connection: &mut Connection<'_>, recorder: &Recorder<'_>) -> Result<(), CollectError> {
    recorder.step("kafka:ApiVersions");
    let answer = connection.client().await.map(|client| client.api_versions().clone());
    recorder.settle(
        &recorder.ask("kafka:ApiVersions", json!({})),
        answer.as_ref().map(apis).map_err(Clone::clone),
    )?;
    let features = answer.and_then(|response| features(&response));
    recorder.settle(&recorder.ask("kafka:DescribeFeatures", json!({})), features)
}

fn apis(response: &ApiVersionsResponse) -> Value {
    let mut apis: Vec<_> = response
        .api_keys
        .iter()
        .map(|api| (api.api_key, ApiKey::try_from(api.api_key).ok(), api.min_version, api.max_version))
        .collect();
    apis.sort_by_key(|(key, ..)| *key);
    let apis: Vec<Value> = apis
        .into_iter()
        .map(|(key, api, minimum, maximum)| {
            let name = api.map(|api| format!("{api:?}"));
            json!({"key": key, "name": name, "minimum": minimum, "maximum": maximum})
        })
        .collect();
    json!({ "apis": apis })
}

fn features(response: &ApiVersionsResponse) -> Result<Value, Trouble> {
    if response.finalized_features_epoch < 0 && response.supported_features.is_empty() {
        return Err(Trouble::absent("no-features", "the broker announces no features"));
    }
    let entry = |name: &str, minimum: i16, maximum: i16| json!({"name": name, "minimum": minimum, "maximum": maximum});
    let finalized: BTreeMap<String, Value> = response
        .finalized_features
        .iter()
        .map(|feature| {
            let levels = entry(&feature.name, feature.min_version_level, feature.max_version_level);
            (feature.name.to_string(), levels)
        })
        .collect();
    let supported: BTreeMap<String, Value> = response
        .supported_features
        .iter()
        .map(|feature| {
            (feature.name.to_string(), entry(&feature.name, feature.min_version, feature.max_version))
        })
        .collect();
    Ok(json!({
        "finalized_epoch": names::bytes(response.finalized_features_epoch),
        "finalized": finalized.into_values().collect::<Vec<_>>(),
        "supported": supported.into_values().collect::<Vec<_>>(),
    }))
}

async fn read_description(
    connection: &mut Connection<'_>,
    recorder: &Recorder<'_>,
    view: &mut ClusterView,
) -> Result<(), CollectError> {
    recorder.step("kafka:DescribeCluster");
    let answer = connection
        .ask(|version| {
            let request = DescribeClusterRequest::default().with_include_cluster_authorized_operations(true);
            if version >= 2 { request.with_include_fenced_brokers(true) } else { request }
        })
        .await
        .and_then(|response| {
            Trouble::check(response.error_code, response.error_message.as_deref())?;
            Ok(response)
        });
    if let Ok(response) = &answer {
        let brokers = response.brokers.iter().filter(|broker| !broker.is_fenced);
        merge_brokers(view, brokers.map(|broker| (broker.broker_id.0, &*broker.host, broker.port)));
    }
    recorder.settle(
        &recorder.ask("kafka:DescribeCluster", json!({})),
        answer.map(|response| description(&response)),
    )
}

fn description(response: &DescribeClusterResponse) -> Value {
    let brokers: BTreeMap<i32, Value> = response
        .brokers
        .iter()
        .map(|broker| {
            let value = json!({
                "id": broker.broker_id.0,
                "host": &*broker.host,
                "port": broker.port,
                "rack": broker.rack.as_deref(),
                "fenced": broker.is_fenced,
            });
            (broker.broker_id.0, value)
        })
        .collect();
    json!({
        "cluster_id": &*response.cluster_id,
        "controller_id": response.controller_id.0,
        "authorized_operations": names::authorized_operations(response.cluster_authorized_operations),
        "brokers": brokers.into_values().collect::<Vec<_>>(),
    })
}

async fn read_metadata(
    connection: &mut Connection<'_>,
    recorder: &Recorder<'_>,
    view: &mut ClusterView,
) -> Result<(), CollectError> {
    recorder.step("kafka:Metadata");
    let answer = connection
        .ask(|version| {
            // Version 0 has no null: there an empty list asks for every topic.
            let topics = if version == 0 { Some(Vec::new()) } else { None };
            let mut request = MetadataRequest::default().with_topics(topics);
            if version >= 4 {
                request = request.with_allow_auto_topic_creation(false);
            }
            if version >= 8 {
                request = request.with_include_topic_authorized_operations(true);
            }
            request
        })
        .await
        .and_then(|response| Trouble::check(response.error_code, None).map(|()| response));
    let ask = recorder.ask("kafka:Metadata", json!({"topics": null}));
    let response = match answer {
        Ok(response) => response,
        Err(trouble) => return recorder.trouble(&ask, &trouble),
    };
    merge_brokers(view, response.brokers.iter().map(|broker| (broker.node_id.0, &*broker.host, broker.port)));
    let mut refused = Vec::new();
    let mut topics = BTreeMap::new();
    for topic in &response.topics {
        let name = topic.name.as_ref().map(|name| name.0.to_string()).unwrap_or_default();
        match Trouble::from_code(topic.error_code, None).filter(|_trouble| topic.partitions.is_empty()) {
            Some(trouble) => refused.push((name, trouble)),
            None => {
                topics.insert(name.clone(), describe_topic(&name, topic));
            }
        }
    }
    view.topics = topics.keys().cloned().collect();
    recorder.observed(&ask, metadata(&response, topics.into_values().collect()))?;
    for (name, trouble) in refused {
        recorder.trouble(&ask.about(format!("topic:{name}")), &trouble)?;
    }
    Ok(())
}

fn metadata(response: &MetadataResponse, topics: Vec<Value>) -> Value {
    let brokers: BTreeMap<i32, Value> = response
        .brokers
        .iter()
        .map(|broker| {
            let id = broker.node_id.0;
            (
                id,
                json!({"id": id, "host": &*broker.host, "port": broker.port, "rack": broker.rack.as_deref()}),
            )
        })
        .collect();
    json!({
        "cluster_id": response.cluster_id.as_deref(),
        "controller_id": response.controller_id.0,
        "brokers": brokers.into_values().collect::<Vec<_>>(),
        "topics": topics,
    })
}

fn describe_topic(name: &str, topic: &MetadataResponseTopic) -> Value {
    let ids =
        |nodes: &[cadastre_protocol::messages::BrokerId]| nodes.iter().map(|node| node.0).collect::<Vec<_>>();
    let partitions: BTreeMap<i32, Value> = topic
        .partitions
        .iter()
        .map(|partition| {
            let value = json!({
                "partition": partition.partition_index,
                "leader": partition.leader_id.0,
                "leader_epoch": partition.leader_epoch,
                "replicas": ids(&partition.replica_nodes),
                "isr": ids(&partition.isr_nodes),
                "offline": ids(&partition.offline_replicas),
            });
            (partition.partition_index, value)
        })
        .collect();
    let id = TopicId::from(topic.topic_id);
    json!({
        "name": name,
        "id": (id != TopicId::ZERO).then(|| id.to_string()),
        "internal": topic.is_internal,
        "authorized_operations": names::authorized_operations(topic.topic_authorized_operations),
        "partitions": partitions.into_values().collect::<Vec<_>>(),
    })
}

/// Adds brokers not yet known; ports that cannot be ports are left to the record.
fn merge_brokers<'a>(view: &mut ClusterView, brokers: impl Iterator<Item = (i32, &'a str, i32)>) {
    for (id, host, port) in brokers {
        let Ok(port) = u16::try_from(port) else { continue };
        if host.is_empty() || view.brokers.iter().any(|broker| broker.id == id) {
            continue;
        }
        view.brokers.push(BrokerView { id, address: Address { host: host.to_owned(), port } });
    }
    view.brokers.sort();
}
