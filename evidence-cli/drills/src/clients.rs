//! The `clients` drill: produce, consume, order, groups, offsets and every codec, with real clients.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures::future::try_join_all;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::producer::{FutureProducer, FutureRecord};

use crate::connection::Connection;
use crate::outcome::{Check, DrillError, DrillRecord, step};

/// Every codec of Kafka's `compression.type`.
const CODECS: [&str; 5] = ["none", "gzip", "snappy", "lz4", "zstd"];

/// Keys that records are spread over; order is promised for each.
const KEYS: usize = 8;

/// The longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(30);

/// What to exercise.
#[derive(Debug, Clone)]
pub struct ClientsDrill {
    /// An existing topic that `connection` may write and read.
    pub topic: String,
    /// A consumer group that it may use.
    pub group: String,
    /// Records for each codec.
    pub records: usize,
}

/// A topic to create.
#[derive(Debug, Clone, Copy)]
pub struct Topic<'a> {
    /// Its name.
    pub name: &'a str,
    /// How many partitions it has.
    pub partitions: i32,
    /// Its settings, in Kafka's words.
    pub configs: &'a [(&'a str, &'a str)],
}

/// Creates topics.
///
/// # Errors
/// When the cluster does not answer, or refuses one for another reason than that it exists.
pub async fn create_topics(connection: &Connection, topics: &[Topic<'_>]) -> Result<(), DrillError> {
    let admin: AdminClient<DefaultClientContext> =
        connection.client().create().map_err(DrillError::Client)?;
    let wanted: Vec<NewTopic<'_>> = topics
        .iter()
        .map(|topic| {
            let new = NewTopic::new(topic.name, topic.partitions, TopicReplication::Fixed(1));
            topic.configs.iter().fold(new, |new, (key, value)| new.set(key, value))
        })
        .collect();
    let options = AdminOptions::new().request_timeout(Some(PATIENCE));
    for result in admin.create_topics(&wanted, &options).await.map_err(step("creating topics"))? {
        match result {
            Ok(_) | Err((_, rdkafka::types::RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((topic, code)) => return Err(DrillError::Topic { topic, reason: code.to_string() }),
        }
    }
    Ok(())
}

impl ClientsDrill {
    /// Runs the drill.
    ///
    /// # Errors
    /// When a client cannot be made at all; everything else is a check that was not kept.
    pub async fn run(&self, connection: &Connection) -> Result<DrillRecord, DrillError> {
        let mut record = DrillRecord::new("clients", &connection.cluster, connection.principal());
        let mut written: BTreeMap<(i32, i64), (String, String)> = BTreeMap::new();
        for codec in CODECS {
            let started = Instant::now();
            let outcome = self.produce(connection, codec, &mut written).await;
            let (kept, seen) = match outcome {
                Ok(count) => (count == self.records, format!("{count} of {} acknowledged", self.records)),
                Err(error) => (false, error.to_string()),
            };
            let promise =
                format!("idempotent producer with acks=all and codec {codec}: every record is acknowledged");
            record.checks.push(Check::new(&promise, kept, seen, started.elapsed()));
        }
        let drill = self.clone();
        let connection = connection.clone();
        let consumed = tokio::task::spawn_blocking(move || drill.consume(&connection, &written)).await;
        match consumed {
            Ok(Ok(checks)) => record.checks.extend(checks),
            Ok(Err(error)) => return Err(error),
            Err(stopped) => {
                record.checks.push(Check::new(
                    "consumers run to the end",
                    false,
                    stopped.to_string(),
                    Duration::ZERO,
                ));
            }
        }
        Ok(record)
    }

    async fn produce(
        &self,
        connection: &Connection,
        codec: &str,
        written: &mut BTreeMap<(i32, i64), (String, String)>,
    ) -> Result<usize, KafkaError> {
        let producer: FutureProducer = connection
            .client()
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("compression.type", codec)
            .set("linger.ms", "5")
            .set("message.timeout.ms", "20000")
            .create()?;
        let records: Vec<(String, String)> = (0..self.records)
            .map(|number| (format!("key-{}", number % KEYS), format!("{codec} {number:08}")))
            .collect();
        let deliveries = records.iter().map(|(key, payload)| async {
            producer
                .send(FutureRecord::to(&self.topic).key(key).payload(payload), PATIENCE)
                .await
                .map(|delivery| (delivery.partition, delivery.offset))
                .map_err(|(error, _)| error)
        });
        let places = try_join_all(deliveries).await?;
        let count = places.len();
        written.extend(places.into_iter().zip(records));
        Ok(count)
    }

    fn consume(
        &self,
        connection: &Connection,
        written: &BTreeMap<(i32, i64), (String, String)>,
    ) -> Result<Vec<Check>, DrillError> {
        let mut checks = Vec::new();
        let started = Instant::now();
        let mut members = Vec::new();
        for _ in 0..2 {
            let consumer = self.consumer(connection)?;
            consumer.subscribe(&[&self.topic]).map_err(step("subscribing"))?;
            members.push(consumer);
        }
        let mut read: BTreeMap<(i32, i64), (String, String)> = BTreeMap::new();
        let mut last_of_key: BTreeMap<String, (i32, i64)> = BTreeMap::new();
        let mut in_order = true;
        let mut trouble: Option<String> = None;
        while read.len() < written.len() && started.elapsed() < PATIENCE {
            for member in &members {
                match member.poll(Duration::from_millis(50)) {
                    Some(Ok(message)) => {
                        let text = |bytes: Option<&[u8]>| {
                            String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned()
                        };
                        let place = (message.partition(), message.offset());
                        let key = text(message.key());
                        if !written.contains_key(&place) {
                            continue;
                        }
                        let previous = last_of_key.insert(key.clone(), place);
                        in_order &= previous
                            .is_none_or(|(partition, offset)| partition == place.0 && offset < place.1);
                        read.insert(place, (key, text(message.payload())));
                    }
                    Some(Err(error)) => trouble = Some(error.to_string()),
                    None => {}
                }
            }
        }
        let seen = trouble.unwrap_or_else(|| format!("{} of {} read", read.len(), written.len()));
        checks.push(Check::new(
            "two members of one group read every acknowledged record, byte for byte, at its offset",
            &read == written,
            seen,
            started.elapsed(),
        ));
        checks.push(Check::new(
            "records of one key are read in the order they were acknowledged",
            in_order,
            format!("{} keys", last_of_key.len()),
            started.elapsed(),
        ));
        let started = Instant::now();
        let committed: Result<Vec<()>, KafkaError> =
            members.iter().map(|member| member.commit_consumer_state(CommitMode::Sync)).collect();
        drop(members);
        checks.push(match committed {
            Err(error) => {
                Check::new("a group's offsets are committed", false, error.to_string(), started.elapsed())
            }
            Ok(_) => self.resume(connection, started)?,
        });
        Ok(checks)
    }

    /// A new member starts where the group stopped.
    fn resume(&self, connection: &Connection, started: Instant) -> Result<Check, DrillError> {
        let consumer = self.consumer(connection)?;
        consumer.subscribe(&[&self.topic]).map_err(step("subscribing"))?;
        let mut repeated = 0;
        let mut assigned = false;
        let mut quiet_since = None;
        while started.elapsed() < PATIENCE {
            if let Some(Ok(_)) = consumer.poll(Duration::from_millis(100)) {
                repeated += 1
            }
            assigned |= consumer.assignment().is_ok_and(|assignment| assignment.count() > 0);
            if assigned
                && Instant::now().duration_since(*quiet_since.get_or_insert_with(Instant::now))
                    > Duration::from_secs(1)
            {
                break;
            }
        }
        Ok(Check::new(
            "a new member of the group resumes at the committed offsets",
            assigned && repeated == 0,
            format!("{repeated} records delivered again"),
            started.elapsed(),
        ))
    }

    fn consumer(&self, connection: &Connection) -> Result<BaseConsumer, DrillError> {
        connection
            .client()
            .set("group.id", &self.group)
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "earliest")
            .set("session.timeout.ms", "10000")
            .create()
            .map_err(DrillError::Client)
    }
}
