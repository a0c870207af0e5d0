//! The `key-revocation` drill: the key is disabled while clients write and read, and enabled again.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use cadastre_model::drill_target::Hook;
use rdkafka::consumer::{Consumer as _, StreamConsumer};
use rdkafka::{Offset, TopicPartitionList};
use tokio::task::JoinHandle;

use crate::bench::Bench;
use crate::connection::Connection;
use crate::error::{DrillError, file, step};
use crate::load::Load;
use crate::name::DrillName;
use crate::plan::Plan;
use crate::target::Target;

/// Acknowledged records before the key is disabled.
const RECORDS: u64 = 1_000;

/// Nothing for this long is the end of service.
const QUIET: Duration = Duration::from_secs(3);

/// How much longer than promised is waited before service counts as going on.
const GRACE: Duration = Duration::from_secs(4);

/// The longest wait for service to return.
const PATIENCE: Duration = Duration::from_secs(90);

/// What is added to the name of a key file that is withdrawn.
const WITHDRAWN: &str = "withdrawn-by-a-drill";

pub(crate) fn plan(target: &Target) -> Plan {
    let limit = target.limits.revocation.as_secs();
    let plan = Plan {
        steps: vec![
            "write and read without a pause".to_owned(),
            format!("disable the key; reads and writes have to end within {limit} s"),
            "enable it, wait for reads and writes to go on, read back every acknowledged record".to_owned(),
        ],
        ..Plan::of(DrillName::KeyRevocation, &[])
    };
    match way(target) {
        Err(reason) => plan.unless(Some(reason)),
        Ok(Way::Hooks) => {
            let told = target.hooks.told(Hook::DisableKey).unwrap_or_default();
            plan.touching(format!("every topic under the key; runs `{told}`"))
        }
        Ok(Way::File(path)) => plan.touching(format!("every topic under the key in {}", path.display())),
    }
}

/// How the key is withdrawn.
enum Way {
    Hooks,
    File(PathBuf),
}

fn way(target: &Target) -> Result<Way, String> {
    let hooks = &target.hooks;
    if hooks.declares(Hook::DisableKey) && hooks.declares(Hook::EnableKey) {
        return Ok(Way::Hooks);
    }
    let mut files: Vec<PathBuf> = hooks.brokers().iter().filter_map(|broker| broker.key_file()).collect();
    files.dedup();
    match files.as_slice() {
        [file] => Ok(Way::File(file.clone())),
        [] => Err("nothing says how the key is disabled: declare `disable-key` and `enable-key`".to_owned()),
        _ => Err("the local brokers have key files of their own".to_owned()),
    }
}

async fn disable(bench: &Bench<'_>, way: &Way) -> Result<(), DrillError> {
    let hooks = bench.target.hooks.clone();
    match way {
        Way::Hooks => {
            bench
                .undo
                .register("enable the key", async move { hooks.run(Hook::EnableKey, None).await.map(drop) });
            bench.target.hooks.run(Hook::DisableKey, None).await?;
        }
        Way::File(path) => {
            let (from, to) = (path.with_extension(WITHDRAWN), path.clone());
            bench.undo.register("put the key file back", async move { put_back(&from, &to) });
            let to = path.with_extension(WITHDRAWN);
            std::fs::rename(path, &to).map_err(file("withdraw", path))?;
        }
    }
    Ok(())
}

async fn enable(bench: &Bench<'_>, way: &Way) -> Result<(), DrillError> {
    match way {
        Way::Hooks => bench.target.hooks.run(Hook::EnableKey, None).await.map(drop).map_err(DrillError::from),
        Way::File(path) => put_back(&path.with_extension(WITHDRAWN), path).map_err(file("put back", path)),
    }
}

fn put_back(from: &std::path::Path, to: &std::path::Path) -> std::io::Result<()> {
    match std::fs::rename(from, to) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && to.exists() => Ok(()),
        other => other,
    }
}

pub(crate) async fn run(bench: &Bench<'_>) -> Result<(), DrillError> {
    let way = way(bench.target).map_err(DrillError::not_exercised)?;
    let topic = bench.topic("load", 1).await?;
    let connection = &bench.target.administrator;
    let load = Load::start(connection, &topic, bench.run)?;
    load.wait_for(RECORDS, PATIENCE).await?;
    let reads = Reads::start(connection, &topic)?;
    wait(bench, "reads before the key is disabled", || reads.last().is_some()).await?;

    let limit = bench.target.limits.revocation;
    bench.step(&format!(
        "the key is disabled: waiting for reads and writes to end, up to {} s",
        limit.as_secs()
    ));
    let began = Instant::now();
    disable(bench, &way).await?;
    while began.elapsed() < limit + GRACE {
        let quiet = |last: Option<Instant>| last.unwrap_or(began).max(began).elapsed() > QUIET;
        if quiet(load.last()) && quiet(reads.last()) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for (what, last) in [("writes", load.last()), ("reads", reads.last())] {
        let last = last.unwrap_or(began).max(began);
        let (after, goes_on) = (last.duration_since(began), last.elapsed() < QUIET);
        bench.measure_time(&format!("{what}_ended"), after);
        bench.check(
            format!("{what} end within {} s after the key was disabled", limit.as_secs()),
            !goes_on && after <= limit,
            if goes_on {
                format!("{what} still succeeded after {} ms", began.elapsed().as_millis())
            } else {
                format!("the last one succeeded after {} ms", after.as_millis())
            },
            began,
        );
    }

    bench.step("the key is enabled again: waiting for reads and writes to return");
    let returned = Instant::now();
    enable(bench, &way).await?;
    let enabled = Instant::now();
    let both = || load.first_after(enabled).is_some() && reads.last().is_some_and(|last| last > enabled);
    let came = wait(bench, "reads and writes after the key was enabled", both).await.is_ok();
    let after = load.first_after(enabled).map_or(PATIENCE, |time| time.duration_since(returned));
    bench.measure_time("service_returned", after.max(enabled.duration_since(returned)));
    bench.check(
        "reads and writes return when the key is enabled again",
        came,
        if came { format!("after {} ms", after.as_millis()) } else { "they did not".to_owned() },
        returned,
    );
    drop(reads);
    let ledger = load.stop().await?;
    let started = Instant::now();
    let read = ledger.read_back(connection, &topic, bench.run, PATIENCE).await?;
    bench.measure("records_acknowledged", read.acknowledged);
    bench.measure("records_lost", read.lost_count);
    bench.check("nothing that was acknowledged is lost", read.is_whole(), read.told(), started);
    Ok(())
}

async fn wait(bench: &Bench<'_>, what: &str, done: impl Fn() -> bool) -> Result<(), DrillError> {
    let started = Instant::now();
    while !done() {
        if started.elapsed() > PATIENCE {
            bench.step(&format!("{what}: none"));
            return Err(DrillError::TooLate { what: what.to_owned(), seconds: PATIENCE.as_secs() });
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

/// Reads the first record of a topic over and over.
struct Reads {
    last: Arc<Mutex<Option<Instant>>>,
    reader: JoinHandle<()>,
}

impl Drop for Reads {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Reads {
    fn start(connection: &Connection, topic: &str) -> Result<Self, DrillError> {
        let last = Arc::new(Mutex::new(None));
        // Little is fetched ahead, so that each round asks the broker.
        let consumer: StreamConsumer = connection
            .client()
            .set("group.id", "cadastre-drill-reader")
            .set("enable.auto.commit", "false")
            .set("fetch.wait.max.ms", "20")
            .set("fetch.message.max.bytes", "1024")
            .set("queued.min.messages", "1")
            .create()
            .map_err(DrillError::Client)?;
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, 0, Offset::Beginning).map_err(step("assigning"))?;
        consumer.assign(&list).map_err(step("assigning"))?;
        let (seen, list) = (Arc::clone(&last), list.clone());
        let reader = tokio::spawn(async move {
            loop {
                let received = tokio::time::timeout(Duration::from_secs(1), consumer.recv()).await;
                if matches!(received, Ok(Ok(_))) {
                    *seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
                }
                drop(received);
                // Assigning anew drops what was fetched ahead; a failure shows as the absence of reads.
                let _reassigned = consumer.assign(&list);
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        Ok(Self { last, reader })
    }

    fn last(&self) -> Option<Instant> {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
