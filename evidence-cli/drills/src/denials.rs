//! The `denials` drill: what must be refused is tried with the declared identity, and must be refused.

use std::time::{Duration, Instant};

use cadastre_model::drill_target::Attempt;
use rdkafka::admin::{AlterConfig, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::consumer::{BaseConsumer, Consumer, StreamConsumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{Offset, TopicPartitionList};

use crate::bench::Bench;
use crate::connection::{Connection, Secret};
use crate::error::{DrillError, step};
use crate::ledger::{Ledger, producer};
use crate::name::DrillName;
use crate::plan::Plan;
use crate::target::{Denied, Target};
use crate::topics::{admin, blocking, options};

/// The longest wait for a refusal.
const PATIENCE: Duration = Duration::from_secs(15);

/// A retention that no default has.
const TRIED: &str = "3600001";

/// How an attempt ended: let through, or what the client was told.
type Answer = Result<(), KafkaError>;

pub(crate) fn plan(target: &Target) -> Plan {
    let mut plan = Plan::of(DrillName::Denials, &["make a topic and write to it"]);
    for denied in &target.denied {
        let who = denied.connection.principal();
        for attempt in &denied.must_not {
            plan.steps.push(format!("as {who}, try what must be refused: {}", words(*attempt)));
        }
        for topic in &denied.must_not_read {
            plan.steps.push(format!("as {who}, try to read `{topic}`, of which nothing is kept"));
        }
    }
    let none =
        target.denied.iter().all(|denied| denied.must_not.is_empty() && denied.must_not_read.is_empty());
    plan.unless(none.then(|| "`drills.denied` declares nobody who must be refused anything".to_owned()))
}

pub(crate) async fn run(bench: &Bench<'_>) -> Result<(), DrillError> {
    let topic = bench.topic("guarded", 1).await?;
    let mut ledger = Ledger::default();
    let producer = producer(&bench.target.administrator)?;
    ledger.write(&producer, &topic, bench.run, 10).await.map_err(step("writing the guarded records"))?;
    for denied in &bench.target.denied {
        for attempt in &denied.must_not {
            bench.step(words(*attempt));
            try_one(bench, denied, *attempt, &topic).await?;
        }
        for other in &denied.must_not_read {
            let started = Instant::now();
            let answer = read(&denied.connection, other).await?;
            let promise = format!("{} may not read `{other}`", denied.connection.principal());
            judge(bench, promise, answer, RDKafkaErrorCode::TopicAuthorizationFailed, started);
            bench.actions.note("Fetch", other, &denied.connection.principal(), false);
        }
    }
    let read = ledger.read_back(&bench.target.administrator, &topic, bench.run, PATIENCE).await?;
    let started = Instant::now();
    bench.check(
        "nothing that was refused changed the topic",
        read.is_whole() && read.read == ledger.len(),
        format!("{} records, {} were written", read.read, ledger.len()),
        started,
    );
    Ok(())
}

const fn words(attempt: Attempt) -> &'static str {
    match attempt {
        Attempt::Read => "read the topic",
        Attempt::Write => "write to the topic",
        Attempt::CreateTopics => "create a topic",
        Attempt::DeleteTopics => "delete the topic",
        Attempt::AlterConfigs => "change the topic's settings",
        Attempt::AddPartitions => "add partitions to the topic",
        Attempt::WrongPassword => "log in with another password",
    }
}

/// The request that a broker's audit log shows for an attempt.
const fn request(attempt: Attempt) -> Option<&'static str> {
    match attempt {
        Attempt::CreateTopics => Some("CreateTopics"),
        Attempt::DeleteTopics => Some("DeleteTopics"),
        Attempt::AddPartitions => Some("CreatePartitions"),
        // Settings are noted where they are tried. Clients give up on the others when the metadata already refuses them, so that no
        // request of that name is sent.
        Attempt::AlterConfigs | Attempt::Read | Attempt::Write | Attempt::WrongPassword => None,
    }
}

async fn try_one(
    bench: &Bench<'_>,
    denied: &Denied,
    attempt: Attempt,
    topic: &str,
) -> Result<(), DrillError> {
    let (connection, who) = (&denied.connection, denied.connection.principal());
    let refusal = RDKafkaErrorCode::TopicAuthorizationFailed;
    let promise = format!("{who} may not {}", words(attempt));
    let started = Instant::now();
    let (answer, expected) = match attempt {
        Attempt::Read => (read(connection, topic).await?, refusal),
        Attempt::Write => (write(connection, topic).await?, refusal),
        Attempt::CreateTopics => {
            let name = bench.name("denied");
            // Were it let through, the topic would have to go again.
            bench.delete_at_end(&name);
            let new = NewTopic::new(&name, 1, TopicReplication::Fixed(-1));
            let results = admin(connection)?.create_topics(&[new], &options()).await;
            bench.actions.note("CreateTopics", &name, &who, false);
            (of_each(results), refusal)
        }
        Attempt::DeleteTopics => {
            let results = admin(connection)?.delete_topics(&[topic], &options()).await;
            (of_each(results), refusal)
        }
        Attempt::AddPartitions => {
            let results =
                admin(connection)?.create_partitions(&[NewPartitions::new(topic, 2)], &options()).await;
            (of_each(results), refusal)
        }
        Attempt::AlterConfigs => return alter_configs(bench, connection, topic, &promise, started).await,
        Attempt::WrongPassword => {
            let Some(stranger) = connection.with_password(Secret::new("not the password".to_owned())) else {
                bench.not_exercised(promise, format!("{who} has no password"));
                return Ok(());
            };
            (blocking(move || log_in(&stranger)).await??, RDKafkaErrorCode::Authentication)
        }
    };
    if let Some(request) = request(attempt)
        && attempt != Attempt::CreateTopics
    {
        bench.actions.note(request, topic, &who, false);
    }
    judge(bench, promise, answer, expected, started);
    Ok(())
}

/// The binding tells no refusal of a setting, so that its effect decides: what was changed shows.
async fn alter_configs(
    bench: &Bench<'_>,
    connection: &Connection,
    topic: &str,
    promise: &str,
    started: Instant,
) -> Result<(), DrillError> {
    let change = AlterConfig::new(ResourceSpecifier::Topic(topic)).set("retention.ms", TRIED);
    let answer = admin(connection)?.alter_configs(&[change], &options()).await;
    bench.actions.note("AlterConfigs", topic, &connection.principal(), false);
    let mut shown = None;
    while started.elapsed() < Duration::from_secs(1) && shown.as_deref() != Some(TRIED) {
        tokio::time::sleep(Duration::from_millis(100)).await;
        shown = retention(&bench.target.administrator, topic).await?;
    }
    let seen = match (&answer, &shown) {
        (_, None) => {
            bench.not_exercised(promise, "the topic's settings cannot be described");
            return Ok(());
        }
        (Err(error), Some(shown)) => format!("{error}; retention.ms is {shown}"),
        (Ok(_), Some(shown)) => format!("retention.ms is {shown}"),
    };
    bench.check(promise, shown.as_deref() != Some(TRIED), seen, started);
    Ok(())
}

/// A topic's `retention.ms`.
async fn retention(connection: &Connection, topic: &str) -> Result<Option<String>, DrillError> {
    let asked = [ResourceSpecifier::Topic(topic)];
    let described = admin(connection)?.describe_configs(asked.iter(), &options()).await;
    Ok(described
        .map_err(step("describing settings"))?
        .into_iter()
        .filter_map(Result::ok)
        .find_map(|resource| resource.get("retention.ms").and_then(|entry| entry.value.clone())))
}

fn of_each(results: Result<Vec<rdkafka::admin::TopicResult>, KafkaError>) -> Answer {
    results?
        .into_iter()
        .try_for_each(|result| result.map(drop).map_err(|(_, code)| KafkaError::AdminOp(code)))
}

async fn write(connection: &Connection, topic: &str) -> Result<Answer, DrillError> {
    let producer: FutureProducer =
        connection.client().set("message.timeout.ms", "10000").create().map_err(DrillError::Client)?;
    let record = FutureRecord::<str, str>::to(topic).payload("refuse me");
    let answer = producer.send(record, PATIENCE).await;
    Ok(answer.map(drop).map_err(|(error, _)| error))
}

/// Reads without a group, so that only the right to the topic decides.
async fn read(connection: &Connection, topic: &str) -> Result<Answer, DrillError> {
    let consumer: StreamConsumer = connection
        .client()
        .set("group.id", "cadastre-drill-denied")
        .set("enable.auto.commit", "false")
        .create()
        .map_err(DrillError::Client)?;
    if hidden(connection, topic).await? {
        return Ok(Err(KafkaError::MetadataFetch(RDKafkaErrorCode::TopicAuthorizationFailed)));
    }
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 0, Offset::Beginning).map_err(step("assigning"))?;
    consumer.assign(&list).map_err(step("assigning"))?;
    let started = Instant::now();
    while let Some(left) = PATIENCE.checked_sub(started.elapsed()) {
        match tokio::time::timeout(left, consumer.recv()).await {
            // What was read is dropped at once: that it could be is the finding.
            Ok(Ok(_record)) => return Ok(Ok(())),
            // The client asks for a coordinator that this reader does not need.
            Ok(Err(error)) if code(&error) == Some(RDKafkaErrorCode::GroupAuthorizationFailed) => {}
            Ok(Err(error)) => return Ok(Err(error)),
            Err(_elapsed) => break,
        }
    }
    Ok(Err(KafkaError::MessageConsumption(RDKafkaErrorCode::OperationTimedOut)))
}

/// Whether the cluster refuses to describe the topic. Whoever may read a topic may describe it (Kafka's documentation, "Authorization
/// and ACLs"), so that this refusal is one of reading too.
async fn hidden(connection: &Connection, topic: &str) -> Result<bool, DrillError> {
    let (client, topic) = (admin(connection)?, topic.to_owned());
    let described = blocking(move || {
        let metadata = client.inner().fetch_metadata(Some(&topic), PATIENCE)?;
        let error = metadata.topics().first().and_then(rdkafka::metadata::MetadataTopic::error);
        Ok::<Option<RDKafkaErrorCode>, KafkaError>(error.map(RDKafkaErrorCode::from))
    });
    let described = described.await?.map_err(step("describing the topic"))?;
    Ok(described == Some(RDKafkaErrorCode::TopicAuthorizationFailed))
}

/// Tries to log in, and waits for the client to say how that ended.
fn log_in(connection: &Connection) -> Result<Answer, DrillError> {
    let consumer: BaseConsumer =
        connection.client().set("group.id", "cadastre-drill-denied").create().map_err(DrillError::Client)?;
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

/// Only the expected refusal keeps the promise: a time-out proves nothing, and neither does another error.
fn judge(bench: &Bench<'_>, promise: String, answer: Answer, expected: RDKafkaErrorCode, started: Instant) {
    match answer {
        Ok(()) => bench.check(promise, false, "it was allowed", started),
        Err(error) if code(&error) == Some(expected) => {
            bench.check(promise, true, error.to_string(), started)
        }
        Err(error) => bench.not_exercised(promise, format!("neither allowed nor refused: {error}")),
    }
}
