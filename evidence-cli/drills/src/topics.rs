//! Making, filling, reading and deleting the topics of drills. Nothing outside the prefix is ever made or deleted.

use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::actions::Actions;
use crate::bench::Bench;
use crate::connection::Connection;
use crate::error::{DrillError, step};

/// The longest wait for what was asked of a cluster to come about.
pub(crate) const PATIENCE: Duration = Duration::from_secs(45);
/// The longest wait for the answer to one administrative request.
const REQUEST: Duration = Duration::from_secs(10);
/// How often an administrative request is made that is lost, and the pause before the next.
const ATTEMPTS: u32 = 3;
const PAUSE: Duration = Duration::from_millis(200);

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

/// An administrative client.
///
/// # Errors
/// When the client refuses its configuration.
pub(crate) fn admin(connection: &Connection) -> Result<AdminClient<DefaultClientContext>, DrillError> {
    connection.client().create().map_err(DrillError::Client)
}

/// The options of every administrative request.
pub(crate) fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(REQUEST)).operation_timeout(Some(REQUEST))
}

/// Whether a request was lost with the connection that the client had just taken for it: librdkafka ends its bootstrap
/// connections once it knows the brokers, requests on them included, and waits in vain for a controller that has just gone. What
/// may be asked twice is asked again.
fn is_lost<T>(answer: &Result<T, KafkaError>) -> bool {
    use RDKafkaErrorCode::{BrokerDestroy, BrokerTransportFailure, DestroyBroker, OperationTimedOut};
    let code = match answer {
        Err(KafkaError::AdminOp(code)) => Some(*code),
        Err(error) => error.rdkafka_error_code(),
        Ok(_) => None,
    };
    matches!(code, Some(BrokerDestroy | BrokerTransportFailure | DestroyBroker | OperationTimedOut))
}

/// Asks until the answer is not lost with its connection, and no oftener than a request to an administrator is made. For threads
/// that may wait.
pub(crate) fn asked_again<T>(mut ask: impl FnMut() -> Result<T, KafkaError>) -> Result<T, KafkaError> {
    let mut answer = ask();
    for _ in 1..ATTEMPTS {
        if is_lost(&answer) {
            std::thread::park_timeout(PAUSE);
            answer = ask();
        }
    }
    answer
}

/// Creates topics with as many copies as the cluster makes by default; those that exist are left as they are.
///
/// # Errors
/// When the cluster does not answer, or refuses one for another reason than that it exists.
pub async fn create_topics(connection: &Connection, topics: &[Topic<'_>]) -> Result<(), DrillError> {
    let wanted: Vec<NewTopic<'_>> = topics
        .iter()
        .map(|topic| {
            let new = NewTopic::new(topic.name, topic.partitions, TopicReplication::Fixed(-1));
            topic.configs.iter().fold(new, |new, (key, value)| new.set(key, value))
        })
        .collect();
    let mut results = admin(connection)?.create_topics(&wanted, &options()).await;
    for _ in 1..ATTEMPTS {
        if is_lost(&results) {
            tokio::time::sleep(PAUSE).await;
            results = admin(connection)?.create_topics(&wanted, &options()).await;
        }
    }
    for result in results.map_err(step("creating topics"))? {
        match result {
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((topic, code)) => {
                return Err(DrillError::Topic { step: "creating", topic, reason: code.to_string() });
            }
        }
    }
    Ok(())
}

/// Deletes a topic; one that is gone is left so. Tells whether it was there.
///
/// # Errors
/// When the cluster does not answer, or refuses.
pub(crate) async fn delete_topic(connection: &Connection, name: &str) -> Result<bool, DrillError> {
    let mut results = admin(connection)?.delete_topics(&[name], &options()).await;
    for _ in 1..ATTEMPTS {
        if is_lost(&results) {
            tokio::time::sleep(PAUSE).await;
            results = admin(connection)?.delete_topics(&[name], &options()).await;
        }
    }
    match results.map_err(step("deleting a topic"))?.into_iter().next() {
        Some(Ok(_)) => Ok(true),
        None | Some(Err((_, RDKafkaErrorCode::UnknownTopicOrPartition))) => Ok(false),
        Some(Err((topic, code))) => {
            Err(DrillError::Topic { step: "deleting", topic, reason: code.to_string() })
        }
    }
}

impl Bench<'_> {
    /// Makes a topic of this drill, which is deleted when the drill ends, however it ends.
    ///
    /// # Errors
    /// When the cluster refuses.
    pub(crate) async fn topic(&self, what: &str, partitions: i32) -> Result<String, DrillError> {
        self.topic_with(what, partitions, &[]).await
    }

    /// The same with settings.
    ///
    /// # Errors
    /// When the cluster refuses.
    pub(crate) async fn topic_with(
        &self,
        what: &str,
        partitions: i32,
        configs: &[(&str, &str)],
    ) -> Result<String, DrillError> {
        let name = self.name(what);
        let connection = &self.target.administrator;
        self.delete_at_end(&name);
        create_topics(connection, &[Topic { name: &name, partitions, configs }]).await?;
        self.actions.note("CreateTopics", &name, &connection.principal(), true);
        wait_for_leaders(connection, &name, partitions).await?;
        Ok(name)
    }

    /// Has a topic deleted when the drill ends.
    pub(crate) fn delete_at_end(&self, name: &str) {
        let (connection, topic) = (self.target.administrator.clone(), name.to_owned());
        let actions: Actions = self.actions.clone();
        self.undo.register(&format!("delete topic {name}"), async move {
            // A broker that has just come back may still be refusing: it is asked until it answers.
            let started = Instant::now();
            loop {
                match delete_topic(&connection, &topic).await {
                    Ok(was_there) => {
                        if was_there {
                            actions.note("DeleteTopics", &topic, &connection.principal(), true);
                        }
                        return Ok(());
                    }
                    Err(error) if started.elapsed() > PATIENCE => return Err(error),
                    Err(_again) => tokio::time::sleep(Duration::from_millis(250)).await,
                }
            }
        });
    }
}

/// Waits until every partition of a topic has a leader that a client can see.
pub(crate) async fn wait_for_leaders(
    connection: &Connection,
    topic: &str,
    partitions: i32,
) -> Result<(), DrillError> {
    let started = Instant::now();
    let wanted = usize::try_from(partitions).unwrap_or(usize::MAX);
    loop {
        let (client, name) = (admin(connection)?, topic.to_owned());
        let led = blocking(move || {
            let metadata = client.inner().fetch_metadata(Some(&name), Duration::from_secs(5))?;
            let led = metadata.topics().iter().flat_map(rdkafka::metadata::MetadataTopic::partitions);
            Ok::<usize, KafkaError>(led.filter(|partition| partition.leader() >= 0).count())
        })
        .await?;
        match led {
            Ok(led) if led >= wanted => return Ok(()),
            Err(error) if started.elapsed() > PATIENCE => return Err(step("looking for leaders")(error)),
            _ if started.elapsed() > PATIENCE => {
                return Err(DrillError::TooLate {
                    what: format!("a leader for every partition of `{topic}`"),
                    seconds: PATIENCE.as_secs(),
                });
            }
            _ => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

/// Runs what librdkafka only offers as a call that blocks.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, DrillError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|stopped| DrillError::Ended { reason: stopped.to_string() })
}

/// The cluster's id, as its brokers tell it.
pub(crate) async fn cluster_id(connection: &Connection) -> Result<Option<String>, DrillError> {
    let client = admin(connection)?;
    blocking(move || client.inner().fetch_cluster_id(Duration::from_secs(10))).await
}
