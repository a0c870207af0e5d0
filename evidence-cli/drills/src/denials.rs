//! The `denials` drill: what must be refused is tried, and must be refused.

use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::connection::{Connection, Secret};
use crate::outcome::{Check, DrillError, DrillRecord};

/// The longest wait for a refusal.
const PATIENCE: Duration = Duration::from_secs(15);

/// What an identity must not be able to do.
#[derive(Debug, Clone)]
pub struct DenialsDrill {
    /// A topic that the identity may not write.
    pub unwritable: String,
    /// A topic that the identity may not read.
    pub unreadable: String,
}

impl DenialsDrill {
    /// Tries everything that must be refused.
    ///
    /// # Errors
    /// When a client cannot be made at all.
    pub async fn run(&self, connection: &Connection) -> Result<DrillRecord, DrillError> {
        let mut record = DrillRecord::new("denials", &connection.cluster, connection.principal());
        let who = connection.principal();

        let started = Instant::now();
        let answer = self.write(connection).await?;
        let promise = format!("{who} may not write `{}`", self.unwritable);
        record.checks.push(refused(&promise, answer, RDKafkaErrorCode::TopicAuthorizationFailed, started));

        let started = Instant::now();
        let (drill, reader) = (self.clone(), connection.clone());
        let answer = tokio::task::spawn_blocking(move || drill.read(&reader)).await;
        let promise = format!("{who} may not read `{}`", self.unreadable);
        record.checks.push(match answer {
            Ok(answer) => refused(&promise, answer?, RDKafkaErrorCode::TopicAuthorizationFailed, started),
            Err(stopped) => Check::new(&promise, false, stopped.to_string(), started.elapsed()),
        });

        let started = Instant::now();
        let answer = create(connection).await?;
        let promise = format!("{who} may not create topics");
        record.checks.push(refused(&promise, answer, RDKafkaErrorCode::TopicAuthorizationFailed, started));

        let started = Instant::now();
        let stranger = connection.with_identity(&connection.username, Secret::new("not the password".to_owned()));
        let answer = tokio::task::spawn_blocking(move || metadata(&stranger)).await;
        let promise = format!("{who} is not let in with a wrong password");
        record.checks.push(match answer {
            Ok(answer) => {
                let answer = answer?;
                let kept = answer.is_err();
                let seen = answer.err().map_or_else(|| "it was let in".to_owned(), |error| error.to_string());
                Check::new(&promise, kept, seen, started.elapsed())
            }
            Err(stopped) => Check::new(&promise, false, stopped.to_string(), started.elapsed()),
        });
        Ok(record)
    }

    async fn write(&self, connection: &Connection) -> Result<Result<(), KafkaError>, DrillError> {
        let producer: FutureProducer = connection
            .client()
            .set("message.timeout.ms", "10000")
            .create()
            .map_err(DrillError::Client)?;
        let answer = producer.send(FutureRecord::<str, str>::to(&self.unwritable).payload("refuse me"), PATIENCE).await;
        Ok(answer.map(|_| ()).map_err(|(error, _)| error))
    }

    fn read(&self, connection: &Connection) -> Result<Result<(), KafkaError>, DrillError> {
        let consumer: BaseConsumer = connection
            .client()
            .set("group.id", "cadastre-drill-denied")
            .set("enable.auto.commit", "false")
            .create()
            .map_err(DrillError::Client)?;
        let mut assignment = TopicPartitionList::new();
        assignment.add_partition(&self.unreadable, 0);
        if let Err(error) = assignment.set_all_offsets(Offset::Beginning) {
            return Ok(Err(error));
        }
        if let Err(error) = consumer.assign(&assignment) {
            return Ok(Err(error));
        }
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            match consumer.poll(Duration::from_millis(100)) {
                Some(Ok(_)) => return Ok(Ok(())),
                Some(Err(error)) => return Ok(Err(error)),
                None => {}
            }
        }
        Ok(Err(KafkaError::MessageConsumption(RDKafkaErrorCode::OperationTimedOut)))
    }
}

async fn create(connection: &Connection) -> Result<Result<(), KafkaError>, DrillError> {
    let admin: AdminClient<DefaultClientContext> = connection.client().create().map_err(DrillError::Client)?;
    let topic = NewTopic::new("cadastre-drill-denied", 1, TopicReplication::Fixed(1));
    let options = AdminOptions::new().request_timeout(Some(PATIENCE));
    Ok(match admin.create_topics(&[topic], &options).await {
        Ok(results) => results.into_iter().try_for_each(|result| {
            result.map(|_| ()).map_err(|(_, code)| KafkaError::AdminOp(code))
        }),
        Err(error) => Err(error),
    })
}

fn metadata(connection: &Connection) -> Result<Result<(), KafkaError>, DrillError> {
    let consumer: BaseConsumer = connection.client().create().map_err(DrillError::Client)?;
    Ok(consumer.fetch_metadata(None, Duration::from_secs(5)).map(|_| ()))
}

/// Only the expected refusal keeps the promise: a time-out proves nothing.
fn refused(promise: &str, answer: Result<(), KafkaError>, expected: RDKafkaErrorCode, started: Instant) -> Check {
    let refused = |code: RDKafkaErrorCode| {
        code == expected || code == RDKafkaErrorCode::ClusterAuthorizationFailed
    };
    let (kept, seen) = match answer {
        Ok(()) => (false, "it was allowed".to_owned()),
        Err(error) => (error.rdkafka_error_code().is_some_and(refused), error.to_string()),
    };
    Check::new(promise, kept, seen, started.elapsed())
}
