//! A lean client for what is timed to the millisecond, and for filling a broker.

use std::time::Duration;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use cadastre_protocol::client::{Address, Client, ClientConfig, Security};
use cadastre_protocol::messages::create_topics_request::CreatableTopic;
use cadastre_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use cadastre_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use cadastre_protocol::messages::{CreateTopicsRequest, FetchRequest, ProduceRequest, TopicName};
use cadastre_protocol::record::Record;
use cadastre_protocol::record_batch::RecordBatch;
use cadastre_protocol::{ResponseError, StrBytes};

use crate::server::TOPIC;

/// Partitions of the topic.
pub(crate) const PARTITIONS: i32 = 4;

/// Makes the topic unless it is there, and has one record acknowledged.
pub(crate) async fn is_acknowledged(port: u16) -> bool {
    let Ok(mut client) = connect(port).await else { return false };
    let Ok(batch) = batch(1, 16) else { return false };
    match produce(&mut client, 0, &batch).await {
        Ok(true) => true,
        Ok(false) => {
            // The answer to the next attempt tells whether that helped.
            let _made = create_topic(&mut client).await;
            false
        }
        Err(_error) => false,
    }
}

/// A connection to the broker on this port.
pub(crate) async fn connect(port: u16) -> anyhow::Result<Client> {
    let mut config = ClientConfig::new("benchmark", Security { tls: None, sasl: None });
    config.request_timeout = Duration::from_secs(30);
    let address = Address { host: "127.0.0.1".to_owned(), port };
    Ok(Client::connect(&address, &config).await?)
}

/// A batch of so many records of so many bytes, none like another.
pub(crate) fn batch(records: usize, bytes: usize) -> anyhow::Result<RecordBatch> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut value = || {
        let mut value = Vec::with_capacity(bytes.saturating_add(8));
        while value.len() < bytes {
            // Xorshift (Marsaglia 2003): bytes that no compression makes smaller.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            value.extend_from_slice(&state.to_le_bytes());
        }
        value.truncate(bytes);
        Bytes::from(value)
    };
    let records: Vec<Record> =
        (0..records).map(|_| Record { value: Some(value()), ..Record::default() }).collect();
    RecordBatch::build(0, &records, None).context("a batch that cannot be built")
}

/// Sends a batch and waits for its acknowledgement; `false` when the topic is not there or not ready yet.
pub(crate) async fn produce(client: &mut Client, index: i32, batch: &RecordBatch) -> anyhow::Result<bool> {
    let data = PartitionProduceData::default().with_index(index).with_records(Some(batch.bytes().clone()));
    let data = TopicProduceData::default().with_name(topic()).with_partition_data(vec![data]);
    let request = ProduceRequest::default().with_acks(-1).with_timeout_ms(30_000).with_topic_data(vec![data]);
    let response = client.send_version(9, &request).await?;
    let topic = response.responses.first().context("no topic in the answer")?;
    let answer = topic.partition_responses.first().context("no partition in the answer")?;
    match ResponseError::try_from_code(answer.error_code) {
        None => Ok(true),
        Some(error) if error.is_retriable() => Ok(false),
        Some(error) => bail!("a batch was refused: {error:?}"),
    }
}

/// Whether the first record of a partition can be fetched.
pub(crate) async fn serves_the_first_record(port: u16) -> anyhow::Result<bool> {
    let mut client = connect(port).await?;
    let partition = FetchPartition::default().with_partition(0).with_partition_max_bytes(1 << 20);
    let wanted = FetchTopic::default().with_topic(topic()).with_partitions(vec![partition]);
    let request =
        FetchRequest::default().with_max_bytes(1 << 20).with_max_wait_ms(500).with_topics(vec![wanted]);
    let response = client.send_version(11, &request).await?;
    let answer = response.responses.first().and_then(|topic| topic.partitions.first());
    let answer = answer.context("no partition in the answer")?;
    match ResponseError::try_from_code(answer.error_code) {
        None => Ok(answer.records.as_ref().is_some_and(|records| !records.is_empty())),
        Some(error) if error.is_retriable() => Ok(false),
        Some(error) => bail!("fetching failed: {error:?}"),
    }
}

async fn create_topic(client: &mut Client) -> anyhow::Result<()> {
    let made = CreatableTopic::default()
        .with_name(topic())
        .with_num_partitions(PARTITIONS)
        .with_replication_factor(1);
    let request = CreateTopicsRequest::default().with_topics(vec![made]).with_timeout_ms(10_000);
    client.send_version(5, &request).await?;
    Ok(())
}

fn topic() -> TopicName {
    TopicName(StrBytes::from_static_str(TOPIC))
}
