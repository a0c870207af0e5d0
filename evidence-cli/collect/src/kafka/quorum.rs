//! The controller quorum (KIP-595, KIP-853).

use cadastre_protocol::StrBytes;
use cadastre_protocol::client::Address;
use cadastre_protocol::messages::describe_quorum_request::{PartitionData, TopicData};
use cadastre_protocol::messages::describe_quorum_response::{DescribeQuorumResponse, ReplicaState};
use cadastre_protocol::messages::{DescribeQuorumRequest, TopicName};
use cadastre_protocol::types::TopicId;
use serde_json::{Value, json};

use super::cluster::ClusterView;
use super::connection::Connection;
use super::names;
use super::recorder::{Recorder, Trouble};
use crate::CollectError;

const METADATA_TOPIC: &str = "__cluster_metadata";

pub(super) async fn read(
    connection: &mut Connection<'_>,
    recorder: &Recorder<'_>,
    view: &mut ClusterView,
) -> Result<(), CollectError> {
    recorder.step("kafka:DescribeQuorum");
    let answer = connection
        .ask(|_version| {
            let topic = TopicData::default()
                .with_topic_name(TopicName(StrBytes::from_static_str(METADATA_TOPIC)))
                .with_partitions(vec![PartitionData::default()]);
            DescribeQuorumRequest::default().with_topics(vec![topic])
        })
        .await;
    if let Ok(response) = &answer {
        for node in &response.nodes {
            for listener in &node.listeners {
                let address = Address { host: listener.host.to_string(), port: listener.port };
                view.controllers.push((node.node_id.0, listener.name.to_string(), address));
            }
        }
    }
    let answer = answer.and_then(|response| quorum(&response));
    recorder.settle(&recorder.ask("kafka:DescribeQuorum", json!({})), answer)
}

fn quorum(response: &DescribeQuorumResponse) -> Result<Value, Trouble> {
    Trouble::check(response.error_code, response.error_message.as_deref())?;
    let partition = response
        .topics
        .iter()
        .flat_map(|topic| &topic.partitions)
        .next()
        .ok_or_else(|| Trouble::failed("malformed", "the answer holds no partition"))?;
    Trouble::check(partition.error_code, partition.error_message.as_deref())?;
    let mut nodes: Vec<_> = response
        .nodes
        .iter()
        .map(|node| {
            let listeners: Vec<Value> = node
                .listeners
                .iter()
                .map(|listener| json!({"name": &*listener.name, "host": &*listener.host, "port": listener.port}))
                .collect();
            (node.node_id.0, json!({"id": node.node_id.0, "listeners": listeners}))
        })
        .collect();
    nodes.sort_by_key(|(id, _node)| *id);
    Ok(json!({
        "leader": partition.leader_id.0,
        "leader_epoch": partition.leader_epoch,
        "high_watermark": partition.high_watermark,
        "voters": replicas(&partition.current_voters),
        "observers": replicas(&partition.observers),
        "nodes": nodes.into_iter().map(|(_id, node)| node).collect::<Vec<_>>(),
    }))
}

fn replicas(states: &[ReplicaState]) -> Vec<Value> {
    let mut states: Vec<&ReplicaState> = states.iter().collect();
    states.sort_by_key(|state| state.replica_id.0);
    states
        .into_iter()
        .map(|state| {
            json!({
                "id": state.replica_id.0,
                "directory_id": TopicId::from(state.replica_directory_id).to_string(),
                "log_end_offset": state.log_end_offset,
                "last_fetch": names::time(state.last_fetch_timestamp),
                "last_caught_up": names::time(state.last_caught_up_timestamp),
            })
        })
        .collect()
}
