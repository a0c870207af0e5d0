//! A client over its quota is answered first and then not listened to for the throttle time (KIP-219).
#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

mod common;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use bytes::Bytes;
use cadastre_protocol::api::{RequestHeader, decode_response, encode_request};
use cadastre_protocol::messages::alter_client_quotas_request::{EntityData, EntryData, OpData};
use cadastre_protocol::messages::create_topics_request::CreatableTopic;
use cadastre_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use cadastre_protocol::messages::{
    AlterClientQuotasRequest, ApiVersionsRequest, CreateTopicsRequest, ProduceRequest, TopicName,
};
use cadastre_protocol::record::Record;
use cadastre_protocol::record_batch::RecordBatch;
use cadastre_protocol::{ApiKey, Request, StrBytes};
use common::TestBroker;

/// A client that knows no more than frames.
struct Client {
    stream: TcpStream,
    client_id: &'static str,
}

impl Client {
    fn new(broker: &TestBroker, client_id: &'static str) -> Self {
        let stream = TcpStream::connect(broker.plain_address()).unwrap();
        stream.set_read_timeout(Some(common::PATIENCE)).unwrap();
        Self { stream, client_id }
    }

    fn ask<R: Request>(&mut self, version: i16, request: &R) -> R::Response {
        let header = RequestHeader {
            api: ApiKey::try_from(R::KEY).unwrap(),
            version,
            correlation_id: 1,
            client_id: Some(StrBytes::from_static_str(self.client_id)),
        };
        let payload = encode_request(&header, request).unwrap();
        self.stream.write_all(&u32::try_from(payload.len()).unwrap().to_be_bytes()).unwrap();
        self.stream.write_all(&payload).unwrap();
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).unwrap();
        let mut answer = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()];
        self.stream.read_exact(&mut answer).unwrap();
        decode_response::<R>(version, Bytes::from(answer)).unwrap().1
    }
}

fn name(text: &'static str) -> StrBytes {
    StrBytes::from_static_str(text)
}

fn produce(bytes: usize) -> ProduceRequest {
    let record =
        Record { value: Some(Bytes::from(vec![b'x'; bytes])), timestamp: now_ms(), ..Record::default() };
    let batch = RecordBatch::build(0, &[record], None).unwrap();
    let partition = PartitionProduceData::default().with_records(Some(batch.bytes().clone()));
    let topic =
        TopicProduceData::default().with_name(TopicName(name("busy"))).with_partition_data(vec![partition]);
    ProduceRequest::default().with_acks(-1).with_timeout_ms(1000).with_topic_data(vec![topic])
}

fn now_ms() -> i64 {
    cadastre_storage::Clock::system().now_ms()
}

#[test]
fn a_client_over_its_quota_is_answered_and_then_held_back() {
    let broker = TestBroker::with("allow.everyone.if.no.acl.found=true\n");
    let mut slow = Client::new(&broker, "slow");
    let topic = CreatableTopic::default()
        .with_name(TopicName(name("busy")))
        .with_num_partitions(1)
        .with_replication_factor(1);
    let created = slow.ask(5, &CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(1000));
    assert!(created.topics.iter().all(|topic| topic.error_code == 0), "{created:?}");
    let entity =
        EntityData::default().with_entity_type(name("client-id")).with_entity_name(Some(name("slow")));
    let change = OpData::default().with_key(name("producer_byte_rate")).with_value(50_000.0);
    let entry = EntryData::default().with_entity(vec![entity]).with_ops(vec![change]);
    let altered = slow.ask(0, &AlterClientQuotasRequest::default().with_entries(vec![entry]));
    assert!(altered.entries.iter().all(|entry| entry.error_code == 0), "{altered:?}");

    let started = Instant::now();
    let answered = slow.ask(7, &produce(600_000));
    assert!(started.elapsed() < Duration::from_millis(900), "the answer itself is not held back");
    let partition = answered.responses.first().and_then(|topic| topic.partition_responses.first()).unwrap();
    assert_eq!(partition.error_code, 0);
    let throttle = Duration::from_millis(u64::try_from(answered.throttle_time_ms).unwrap());
    assert!(throttle > Duration::from_millis(500), "600 kB at 50 kB/s are throttled, got {throttle:?}");
    let muted = Instant::now();
    slow.ask(0, &ApiVersionsRequest::default());
    assert!(muted.elapsed() + Duration::from_millis(100) >= throttle, "muted for {:?}", muted.elapsed());

    let mut other = Client::new(&broker, "other");
    let answered = other.ask(7, &produce(600_000));
    assert_eq!(answered.throttle_time_ms, 0);
}
