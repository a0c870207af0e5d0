//! What single requests are answered that the clients at hand do not send, or not so.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends where it cannot go on")]

mod common;

use bytes::Bytes;
use cadastre_protocol::client::Client;
use cadastre_protocol::messages::alter_partition_reassignments_request::{
    ReassignablePartition, ReassignableTopic,
};
use cadastre_protocol::messages::alter_replica_log_dirs_request::{
    AlterReplicaLogDir, AlterReplicaLogDirTopic,
};
use cadastre_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use cadastre_protocol::messages::delete_topics_request::DeleteTopicState;
use cadastre_protocol::messages::describe_configs_request::DescribeConfigsResource;
use cadastre_protocol::messages::elect_leaders_request::TopicPartitions;
use cadastre_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use cadastre_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use cadastre_protocol::messages::produce_response::PartitionProduceResponse;
use cadastre_protocol::messages::{
    AlterPartitionReassignmentsRequest, AlterReplicaLogDirsRequest, BrokerId, CreateTopicsRequest,
    DeleteTopicsRequest, DescribeConfigsRequest, DescribeLogDirsRequest, ElectLeadersRequest,
    IncrementalAlterConfigsRequest, ListPartitionReassignmentsRequest, MetadataRequest, ProduceRequest,
    TopicName,
};
use cadastre_protocol::record::Record;
use cadastre_protocol::record_batch::RecordBatch;
use cadastre_protocol::{Request, ResponseError, StrBytes};
use common::in_process::InProcess;

struct World {
    _broker: InProcess,
    client: Client,
}

fn topic(name: &'static str) -> TopicName {
    TopicName(StrBytes::from_static_str(name))
}

impl World {
    async fn new() -> Self {
        let broker = InProcess::start(&[("node.id", "7")]).await;
        let mut world = Self { client: broker.connect().await, _broker: broker };
        let ledger = CreatableTopic::default()
            .with_name(topic("ledger"))
            .with_num_partitions(2)
            .with_replication_factor(1);
        world.send(&CreateTopicsRequest::default().with_topics(vec![ledger]).with_timeout_ms(5000)).await;
        world
    }

    async fn send<R: Request>(&mut self, request: &R) -> R::Response {
        self.client.send(request).await.unwrap()
    }

    /// Produces into a new topic with one setting.
    async fn produce(
        &mut self,
        setting: (&'static str, &'static str),
        records: &[Record],
    ) -> PartitionProduceResponse {
        let (name, value) = setting;
        let config = CreatableTopicConfig::default()
            .with_name(StrBytes::from_static_str(name))
            .with_value(Some(StrBytes::from_static_str(value)));
        let created = CreatableTopic::default()
            .with_name(topic("strict"))
            .with_num_partitions(1)
            .with_replication_factor(1)
            .with_configs(vec![config]);
        self.send(&CreateTopicsRequest::default().with_topics(vec![created]).with_timeout_ms(5000)).await;
        let batch = RecordBatch::build(0, records, None).unwrap();
        let data = PartitionProduceData::default().with_records(Some(batch.bytes().clone()));
        let data = TopicProduceData::default().with_name(topic("strict")).with_partition_data(vec![data]);
        let request =
            ProduceRequest::default().with_acks(-1).with_timeout_ms(5000).with_topic_data(vec![data]);
        let answer = self.client.send_version(9, &request).await.unwrap();
        answer.responses.first().unwrap().partition_responses.first().unwrap().clone()
    }

    async fn reassign(&mut self, partition: i32, replicas: Option<&[i32]>) -> i16 {
        let replicas = replicas.map(|ids| ids.iter().copied().map(BrokerId).collect());
        let partition =
            ReassignablePartition::default().with_partition_index(partition).with_replicas(replicas);
        let asked = ReassignableTopic::default().with_name(topic("ledger")).with_partitions(vec![partition]);
        let answer = self.send(&AlterPartitionReassignmentsRequest::default().with_topics(vec![asked])).await;
        answer.responses.first().unwrap().partitions.first().unwrap().error_code
    }

    async fn move_to(&mut self, path: StrBytes, name: &'static str, partition: i32) -> i16 {
        let asked =
            AlterReplicaLogDirTopic::default().with_name(topic(name)).with_partitions(vec![partition]);
        let directory = AlterReplicaLogDir::default().with_path(path).with_topics(vec![asked]);
        let answer = self.send(&AlterReplicaLogDirsRequest::default().with_dirs(vec![directory])).await;
        answer.results.first().unwrap().partitions.first().unwrap().error_code
    }
}

#[tokio::test]
async fn no_partition_needs_an_election() {
    let mut world = World::new().await;
    let asked = |name, partitions: &[i32]| {
        TopicPartitions::default().with_topic(topic(name)).with_partitions(partitions.to_vec())
    };
    let named = vec![asked("ledger", &[0, 1, 2]), asked("absent", &[0])];
    let answer = world.send(&ElectLeadersRequest::default().with_topic_partitions(Some(named))).await;
    let codes: Vec<Vec<i16>> = answer
        .replica_election_results
        .iter()
        .map(|topic| topic.partition_result.iter().map(|partition| partition.error_code).collect())
        .collect();
    let (needless, unknown) =
        (ResponseError::ElectionNotNeeded.code(), ResponseError::UnknownTopicOrPartition.code());
    assert_eq!(codes, [vec![needless, needless, unknown], vec![unknown]]);
    let all = world.send(&ElectLeadersRequest::default().with_topic_partitions(None)).await;
    let held: Vec<usize> =
        all.replica_election_results.iter().map(|topic| topic.partition_result.len()).collect();
    assert_eq!((all.error_code, held), (0, vec![0]), "a topic, none of whose partitions has an election");
}

#[tokio::test]
async fn what_a_request_names_twice_is_left_alone_and_answered_once() {
    let mut world = World::new().await;
    let refused = vec![ResponseError::InvalidRequest.code()];
    let twin = || {
        CreatableTopic::default().with_name(topic("twin")).with_num_partitions(1).with_replication_factor(1)
    };
    let request = CreateTopicsRequest::default().with_topics(vec![twin(), twin()]).with_timeout_ms(5000);
    let answer = world.send(&request).await;
    assert_eq!(answer.topics.iter().map(|topic| topic.error_code).collect::<Vec<_>>(), refused);
    let doomed = || DeleteTopicState::default().with_name(Some(topic("ledger")));
    let request = DeleteTopicsRequest::default().with_topics(vec![doomed(), doomed()]).with_timeout_ms(5000);
    let answer = world.send(&request).await;
    assert_eq!(answer.responses.iter().map(|topic| topic.error_code).collect::<Vec<_>>(), refused);
    let known = world.send(&MetadataRequest::default().with_topics(None)).await;
    let names: Vec<_> =
        known.topics.iter().filter_map(|topic| topic.name.as_ref()).map(|name| name.as_str()).collect();
    assert_eq!(names, ["ledger"]);
}

#[tokio::test]
async fn an_offset_of_its_own_is_not_taken_from_a_producer() {
    let mut world = World::new().await;
    let record = Record { offset: 0, timestamp: 1, key: None, value: Some("x".into()), headers: Vec::new() };
    let batch = RecordBatch::build(7, &[record], None).unwrap();
    let data = PartitionProduceData::default().with_records(Some(batch.bytes().clone()));
    let data = TopicProduceData::default().with_name(topic("ledger")).with_partition_data(vec![data]);
    let request = ProduceRequest::default().with_acks(-1).with_timeout_ms(5000).with_topic_data(vec![data]);
    let answer = world.client.send_version(9, &request).await.unwrap();
    let code = answer.responses.first().unwrap().partition_responses.first().unwrap().error_code;
    assert_eq!(code, ResponseError::InvalidRecord.code());
}

#[tokio::test]
async fn a_partition_may_be_assigned_to_any_one_broker_that_is_there() {
    let mut world = World::new().await;
    assert_eq!(world.reassign(0, Some(&[7])).await, 0);
    let invalid = ResponseError::InvalidReplicaAssignment.code();
    for elsewhere in [&[8][..], &[], &[7, 7], &[7, 8]] {
        assert_eq!(world.reassign(0, Some(elsewhere)).await, invalid, "{elsewhere:?}");
    }
    assert_eq!(world.reassign(0, None).await, ResponseError::NoReassignmentInProgress.code());
    assert_eq!(world.reassign(2, Some(&[7])).await, ResponseError::UnknownTopicOrPartition.code());
    let under_way = world.send(&ListPartitionReassignmentsRequest::default().with_topics(None)).await;
    assert_eq!((under_way.error_code, under_way.topics.len()), (0, 0));
}

#[tokio::test]
async fn a_partition_moves_to_the_directory_it_is_in_and_to_no_other() {
    let mut world = World::new().await;
    let described = world.send(&DescribeLogDirsRequest::default().with_topics(None)).await;
    let own = described.results.first().unwrap().log_dir.clone();
    assert_eq!(world.move_to(own.clone(), "ledger", 1).await, 0);
    let unknown = ResponseError::UnknownTopicOrPartition.code();
    assert_eq!(world.move_to(own.clone(), "ledger", 2).await, unknown);
    assert_eq!(world.move_to(own, "absent", 0).await, unknown);
    let elsewhere = StrBytes::from_static_str("/nowhere");
    assert_eq!(world.move_to(elsewhere, "ledger", 1).await, ResponseError::LogDirNotFound.code());
}

fn refused(answer: &PartitionProduceResponse) -> Vec<i32> {
    answer.record_errors.iter().map(|error| error.batch_index).collect()
}

#[tokio::test]
async fn a_refused_batch_says_which_records_are_to_blame() {
    let keyed = |key: Option<&'static [u8]>, timestamp| Record {
        key: key.map(Bytes::from_static),
        value: Some(Bytes::from_static(b"value")),
        timestamp,
        ..Record::default()
    };
    let records = [keyed(Some(b"a"), 0), keyed(None, 0), keyed(Some(b"b"), 0), keyed(None, 0)];
    let answer = World::new().await.produce(("cleanup.policy", "compact"), &records).await;
    assert_eq!(answer.error_code, ResponseError::InvalidRecord.code());
    assert_eq!(refused(&answer), [1, 3]);
    assert_eq!(answer.base_offset, -1);

    let now_ms = cadastre_storage::Clock::system().now_ms();
    let records = [keyed(None, now_ms), keyed(None, 1_000), keyed(None, now_ms)];
    let answer = World::new().await.produce(("message.timestamp.before.max.ms", "3600000"), &records).await;
    assert_eq!(answer.error_code, ResponseError::InvalidTimestamp.code());
    assert_eq!(refused(&answer), [1]);
}

#[tokio::test]
async fn a_group_keeps_settings_that_lie_within_the_brokers_bounds() {
    const GROUP: i8 = 32;
    let mut world = World::new().await;
    let group = StrBytes::from_static_str("readers");
    let set = |name: &'static str, value: &'static str| {
        let config = AlterableConfig::default()
            .with_name(StrBytes::from_static_str(name))
            .with_value(Some(StrBytes::from_static_str(value)));
        let resource = AlterConfigsResource::default()
            .with_resource_type(GROUP)
            .with_resource_name(StrBytes::from_static_str("readers"))
            .with_configs(vec![config]);
        IncrementalAlterConfigsRequest::default().with_resources(vec![resource])
    };
    let invalid = ResponseError::InvalidConfig.code();
    let cases = [
        ("consumer.session.timeout.ms", "50000", 0),
        ("consumer.session.timeout.ms", "44999", invalid),
        ("consumer.heartbeat.interval.ms", "15001", invalid),
        ("retention.ms", "1", invalid),
    ];
    for (name, value, expected) in cases {
        let answer = world.send(&set(name, value)).await;
        assert_eq!(answer.responses.first().unwrap().error_code, expected, "{name}={value}");
    }
    let resource = DescribeConfigsResource::default().with_resource_type(GROUP).with_resource_name(group);
    let answer = world.send(&DescribeConfigsRequest::default().with_resources(vec![resource])).await;
    let described = &answer.results.first().unwrap().configs;
    let value = |name: &str| {
        let found = described.iter().find(|config| config.name.as_str() == name).unwrap();
        (found.value.clone().unwrap().to_string(), found.config_source)
    };
    assert_eq!(value("consumer.session.timeout.ms"), ("50000".to_owned(), 8));
    assert_eq!(value("consumer.heartbeat.interval.ms"), ("5000".to_owned(), 5));
}
