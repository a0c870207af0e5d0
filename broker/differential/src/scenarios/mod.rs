//! The requests, in the order in which they are sent: one file for each group of APIs.

mod cluster;
mod configs;
mod denied;
mod groups;
mod producing;
mod reading;
mod security;
mod topics;
mod transactions;

use cadastre_protocol::StrBytes;
use cadastre_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use cadastre_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use cadastre_protocol::messages::{
    CreateTopicsRequest, GroupId, MetadataRequest, ProduceRequest, TopicName, TransactionalId,
};
use cadastre_protocol::record::Record;
use cadastre_protocol::record_batch::{Producer, RecordBatch};
use uuid::Uuid;

use crate::pair::{Both, Pair};

/// Everything that a super user asks.
pub(crate) async fn allowed(pair: &mut Pair) -> anyhow::Result<()> {
    topics::run(pair).await?;
    configs::run(pair).await?;
    producing::run(pair).await?;
    reading::run(pair).await?;
    groups::run(pair).await?;
    transactions::run(pair).await?;
    cluster::run(pair).await?;
    security::run(pair).await
}

pub(crate) use denied::{prepare as prepare_denied, run as denied};

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn topic(name: &str) -> TopicName {
    TopicName(text(name))
}

fn group(name: &str) -> GroupId {
    GroupId(text(name))
}

fn transactional(name: &str) -> TransactionalId {
    TransactionalId(text(name))
}

/// A topic to create.
fn creatable(name: &str, partitions: i32, configs: &[(&str, Option<&str>)]) -> CreatableTopic {
    let configs = configs
        .iter()
        .map(|(name, value)| {
            CreatableTopicConfig::default().with_name(text(name)).with_value(value.map(text))
        })
        .collect();
    CreatableTopic::default()
        .with_name(topic(name))
        .with_num_partitions(partitions)
        .with_replication_factor(1)
        .with_configs(configs)
}

/// Creates a topic that the cases of a file are about.
async fn create(
    pair: &mut Pair,
    name: &str,
    partitions: i32,
    configs: &[(&str, Option<&str>)],
) -> anyhow::Result<()> {
    let request = CreateTopicsRequest::default()
        .with_topics(vec![creatable(name, partitions, configs)])
        .with_timeout_ms(10_000);
    pair.ask("a topic for what follows", 7, &request).await?;
    Ok(())
}

/// The id that each gave a topic.
async fn topic_id(pair: &mut Pair, name: &str) -> anyhow::Result<Both<Uuid>> {
    let asked = cadastre_protocol::messages::metadata_request::MetadataRequestTopic::default()
        .with_name(Some(topic(name)));
    let request = MetadataRequest::default().with_topics(Some(vec![asked]));
    let answer = pair.ask("a topic's id", 12, &request).await?;
    Ok(answer.map(|answer| answer.topics.first().map(|topic| topic.topic_id).unwrap_or_default()))
}

/// Records with these values, a second apart, keyed by their number.
fn records(values: &[&str]) -> Vec<Record> {
    values
        .iter()
        .zip(0i64..)
        .map(|(value, number)| Record {
            offset: number,
            timestamp: 1_760_000_000_000 + number * 1_000,
            key: Some(format!("k{number}").into()),
            value: Some((*value).to_owned().into()),
            headers: Vec::new(),
        })
        .collect()
}

fn batch(values: &[&str], producer: Option<Producer>) -> bytes::Bytes {
    RecordBatch::build(0, &records(values), producer).map(|batch| batch.bytes().clone()).unwrap_or_default()
}

/// Bytes for one partition of a topic.
fn produce(name: &str, partition: i32, bytes: Option<bytes::Bytes>) -> ProduceRequest {
    let data = PartitionProduceData::default().with_index(partition).with_records(bytes);
    let data = TopicProduceData::default().with_name(topic(name)).with_partition_data(vec![data]);
    ProduceRequest::default().with_acks(-1).with_timeout_ms(10_000).with_topic_data(vec![data])
}
