//! The `denials` drill: what must be refused is tried, and must be refused.

use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{FutureProducer, FutureRecord};

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
        let stranger =
            connection.with_identity(&connection.username, Secret::new("not the password".to_owned()));
        let answer = tokio::task::spawn_blocking(move || log_in(&stranger)).await;
        let promise = format!("{who} is not let in with a wrong password");
        record.checks.push(match answer {
            Ok(answer) => refused(&promise, answer?, RDKafkaErrorCode::Authentication, started),
            Err(stopped) => Check::new(&promise, false, stopped.to_string(), started.elapsed()),
        });
        Ok(record)
    }

    async fn write(&self, connection: &Connection) -> Result<Result<(), KafkaError>, DrillError> {
        let producer: FutureProducer =
            connection.client().set("message.timeout.ms", "10000").create().map_err(DrillError::Client)?;
        let answer = producer
            .send(FutureRecord::<str, str>::to(&self.unwritable).payload("refuse me"), PATIENCE)
            .await;
        Ok(answer.map(|_| ()).map_err(|(error, _)| error))
    }

    fn read(&self, connection: &Connection) -> Result<Result<(), KafkaError>, DrillError> {
        let consumer: BaseConsumer = connection
            .client()
            .set("group.id", &connection.username)
            .set("enable.auto.commit", "false")
            .create()
            .map_err(DrillError::Client)?;
        if let Err(error) = consumer.subscribe(&[&self.unreadable]) {
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
    let admin: AdminClient<DefaultClientContext> =
        connection.client().create().map_err(DrillError::Client)?;
    let topic = NewTopic::new("cadastre-drill-denied", 1, TopicReplication::Fixed(1));
    let options = AdminOptions::new().request_timeout(Some(PATIENCE));
    Ok(match admin.create_topics(&[topic], &options).await {
        Ok(results) => results
            .into_iter()
            .try_for_each(|result| result.map(|_| ()).map_err(|(_, code)| KafkaError::AdminOp(code))),
        Err(error) => Err(error),
    })
}

/// Tries to log in, and waits for the client to say how that ended.
fn log_in(connection: &Connection) -> Result<Result<(), KafkaError>, DrillError> {
    let consumer: BaseConsumer =
        connection.client().set("group.id", &connection.username).create().map_err(DrillError::Client)?;
    if consumer.fetch_metadata(None, Duration::from_secs(2)).is_ok() {
        return Ok(Ok(()));
    }
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        if let Some(Err(error)) = consumer.poll(Duration::from_millis(100))
            && code(&error) == Some(RDKafkaErrorCode::Authentication)
        {
            return Ok(Err(error));
        }
    }
    Ok(Err(KafkaError::MetadataFetch(RDKafkaErrorCode::OperationTimedOut)))
}

/// The client library's code, administrative answers included.
fn code(error: &KafkaError) -> Option<RDKafkaErrorCode> {
    match error {
        KafkaError::AdminOp(code) => Some(*code),
        other => other.rdkafka_error_code(),
    }
}

/// Only the expected refusal keeps the promise: a time-out proves nothing.
fn refused(
    promise: &str,
    answer: Result<(), KafkaError>,
    expected: RDKafkaErrorCode,
    started: Instant,
) -> Check {
    let (kept, seen) = match answer {
        Ok(()) => (false, "it was allowed".to_owned()),
        Err(error) => (code(&error).is_some_and(|code| code == expected), error.to_string()),
    };
    Check::new(promise, kept, seen, started.elapsed())
}
