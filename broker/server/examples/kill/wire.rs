//! The requests that clients send, over connections that come and go.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use cadastre_protocol::client::{Address, Client, ClientConfig, Security};
use cadastre_protocol::messages::create_topics_request::CreatableTopic;
use cadastre_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use cadastre_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use cadastre_protocol::messages::{
    CreateTopicsRequest, FetchRequest, InitProducerIdRequest, ProduceRequest, TopicName,
};
use cadastre_protocol::record::Record;
use cadastre_protocol::record_batch::RecordBatch;
use cadastre_protocol::types::{TopicId, TopicPartition};
use cadastre_protocol::{Request, ResponseError, StrBytes};
use cadastre_sequencer::history::Found;

use crate::brokers::PATIENCE;
use crate::random::Random;

/// How many partitions there are.
pub(crate) const PARTITIONS: i32 = 4;

/// The largest number of bytes that a batch may unpack to.
const BATCH_LIMIT: usize = 1024 * 1024;

/// The partition as the checker names it; there is one topic.
pub(crate) const fn partition(index: i32) -> TopicPartition {
    TopicPartition { topic: TopicId([1; 16]), partition: index }
}

fn topic() -> TopicName {
    TopicName(StrBytes::from_static_str("kill"))
}

/// The values of a batch: they follow from its number, so that every byte of them can be checked.
pub(crate) fn values(number: u64) -> Vec<Bytes> {
    let mut random = Random::new(number);
    let count = 1 + random.below(8);
    let value = |index: u64| {
        let length = random.below(400);
        let mut value = number.to_be_bytes().to_vec();
        value.extend(index.to_be_bytes());
        value.extend((0..length).map(|_| random.below(256).to_le_bytes()[0]));
        Bytes::from(value)
    };
    (0..count).map(value).collect()
}

/// The records of a batch.
pub(crate) fn records(number: u64) -> Vec<Record> {
    let timestamp = cadastre_storage::Clock::system().now_ms();
    let record = |value| Record { timestamp, value: Some(value), ..Record::default() };
    values(number).into_iter().map(record).collect()
}

/// What a fetch gave.
#[derive(Debug, Default)]
pub(crate) struct Fetched {
    pub(crate) end: i64,
    pub(crate) log_start: i64,
    pub(crate) found: Vec<Found>,
    pub(crate) bytes: usize,
}

/// A client's connection to one broker after another.
#[derive(Debug)]
pub(crate) struct Connection {
    addresses: Vec<Address>,
    client: Option<Client>,
    random: Random,
    config: ClientConfig,
}

impl Connection {
    pub(crate) fn new(addresses: Vec<Address>, random: Random) -> Self {
        let mut config = ClientConfig::new("kill", Security { tls: None, sasl: None });
        config.request_timeout = Duration::from_secs(5);
        Self { addresses, client: None, random, config }
    }

    /// Ends the connection; the next request goes to any broker.
    pub(crate) fn forget(&mut self) {
        self.client = None;
    }

    /// Connects to some broker that lives.
    pub(crate) async fn connect(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        while self.client.is_none() {
            let index = self.random.index(self.addresses.len());
            self.client = Client::connect(&self.addresses[index], &self.config).await.ok();
            assert!(Instant::now() < deadline, "no broker accepts connections");
            if self.client.is_none() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }

    async fn ask<R: Request>(&mut self, version: i16, request: &R) -> Option<R::Response> {
        self.connect().await;
        let answer = self.client.as_mut()?.send_version(version, request).await;
        if answer.is_err() {
            self.client = None;
        }
        answer.ok()
    }

    /// Makes the topic.
    pub(crate) async fn create_topic(&mut self) {
        let made = CreatableTopic::default()
            .with_name(topic())
            .with_num_partitions(PARTITIONS)
            .with_replication_factor(1);
        let request = CreateTopicsRequest::default().with_topics(vec![made]).with_timeout_ms(5000);
        let response = self.ask(5, &request).await.expect("an answer");
        assert!(response.topics.iter().all(|topic| topic.error_code == 0), "{response:?}");
    }

    /// A producer id, from whoever gives one.
    pub(crate) async fn producer_id(&mut self) -> i64 {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let request = InitProducerIdRequest::default()
                .with_transactional_id(None)
                .with_transaction_timeout_ms(60_000);
            match self.ask(4, &request).await {
                Some(answer) if answer.error_code == 0 => return answer.producer_id.0,
                _ => self.forget(),
            }
            assert!(Instant::now() < deadline, "nobody gives a producer id");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Sends a batch once; nothing when no answer came.
    pub(crate) async fn produce(
        &mut self,
        index: i32,
        batch: &RecordBatch,
    ) -> Option<Result<i64, ResponseError>> {
        let data =
            PartitionProduceData::default().with_index(index).with_records(Some(batch.bytes().clone()));
        let data = TopicProduceData::default().with_name(topic()).with_partition_data(vec![data]);
        let request =
            ProduceRequest::default().with_acks(-1).with_timeout_ms(5000).with_topic_data(vec![data]);
        let response = self.ask(9, &request).await?;
        let answer = response.responses.first()?.partition_responses.first()?;
        Some(ResponseError::try_from_code(answer.error_code).map_or(Ok(answer.base_offset), Err))
    }

    /// Reads from an offset on; nothing when no answer came. Records that are not as they were sent are an error.
    pub(crate) async fn fetch(
        &mut self,
        index: i32,
        offset: i64,
        wait: i32,
    ) -> Option<Result<Fetched, String>> {
        let wanted = FetchPartition::default()
            .with_partition(index)
            .with_fetch_offset(offset)
            .with_partition_max_bytes(1024 * 1024);
        let wanted = FetchTopic::default().with_topic(topic()).with_partitions(vec![wanted]);
        let request = FetchRequest::default()
            .with_max_wait_ms(wait)
            .with_min_bytes(1)
            .with_max_bytes(4 * 1024 * 1024)
            .with_topics(vec![wanted]);
        let response = self.ask(12, &request).await?;
        if let Some(error) = ResponseError::try_from_code(response.error_code) {
            return Some(Err(format!("{error:?}")));
        }
        let answer = response.responses.first()?.partitions.first()?;
        if let Some(error) = ResponseError::try_from_code(answer.error_code) {
            return Some(Err(format!("{error:?}")));
        }
        let bytes = answer.records.clone().unwrap_or_default();
        let mut fetched = Fetched {
            end: answer.high_watermark,
            log_start: answer.log_start_offset,
            bytes: bytes.len(),
            ..Fetched::default()
        };
        Some(found(bytes).map(|found| {
            fetched.found = found;
            fetched
        }))
    }
}

/// The batches in a response, each checked to the byte.
fn found(bytes: Bytes) -> Result<Vec<Found>, String> {
    let mut all = Vec::new();
    for batch in RecordBatch::parse_all(bytes).map_err(|error| format!("an altered batch: {error}"))? {
        let base_offset = batch.base_offset();
        let altered = |what: &str| format!("an altered batch at offset {base_offset}: {what}");
        let records: Result<Vec<Record>, _> = batch.records(BATCH_LIMIT).and_then(Iterator::collect);
        let records = records.map_err(|error| altered(&error.to_string()))?;
        let first = records.first().and_then(|record| record.value.as_ref()?.first_chunk::<8>());
        let number = u64::from_be_bytes(*first.ok_or_else(|| altered("no number"))?);
        let is_same =
            records.iter().map(|record| record.value.clone().unwrap_or_default()).eq(values(number));
        let are_dense = records.iter().zip(base_offset..).all(|(record, offset)| record.offset == offset);
        if !is_same || !are_dense {
            return Err(altered(&format!("its records are not those of batch {number}")));
        }
        let offsets = u32::try_from(records.len()).map_err(|error| altered(&error.to_string()))?;
        all.push(Found { batch: number, base_offset, offsets });
    }
    Ok(all)
}

/// Counts of things by name.
pub(crate) type Counts = BTreeMap<String, u64>;
