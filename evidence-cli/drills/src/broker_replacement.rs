//! The `broker-replacement` drill: a broker is killed while clients write, and everything that was acknowledged is read back.

use std::path::Path;
use std::time::{Duration, Instant};

use cadastre_model::drill_target::Hook;

use crate::bench::Bench;
use crate::error::DrillError;
use crate::load::Load;
use crate::name::DrillName;
use crate::plan::Plan;
use crate::target::Target;
use crate::topics::{admin, blocking};

/// Acknowledged records before a broker is touched, and after.
const RECORDS: u64 = 1_000;

/// The longest wait for anything but the promised time.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a broker goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// At once: `kill -9`, or the declared hook.
    Killed,
    /// Asked to stop.
    Drained,
}

impl Way {
    const fn name(self) -> &'static str {
        match self {
            Self::Killed => "killed",
            Self::Drained => "drained",
        }
    }
}

pub(crate) fn plan(target: &Target) -> Plan {
    let plan = Plan::of(
        DrillName::BrokerReplacement,
        &[
            "write without a pause, every record acknowledged by all copies",
            "kill one broker, wait for acknowledgements to go on, start it again",
            "on this machine: drain it the same way",
            "read back every acknowledged record",
        ],
    )
    .touching("one broker, ended and started again");
    let plan = match target.hooks.told(Hook::KillBroker) {
        Some(command) => plan.touching(format!("runs `{command}`")),
        None => plan,
    };
    plan.unless((!target.hooks.can_replace_brokers()).then(|| {
        "nothing says how a broker is killed and started: declare `kill-broker` and `start-broker`, or `local-brokers`"
            .to_owned()
    }))
}

pub(crate) async fn run(bench: &Bench<'_>) -> Result<(), DrillError> {
    let hooks = &bench.target.hooks;
    let nodes = nodes(bench).await?;
    let alone = nodes.len() < 2;
    let node = match hooks.brokers().last() {
        Some(broker) => broker.node(),
        None => nodes.into_iter().max().unwrap_or_default(),
    };
    bench.measure("broker", u64::try_from(node).unwrap_or_default());
    let topic = bench.topic("load", 3).await?;
    let (undo_hooks, undo_node) = (hooks.clone(), node);
    bench
        .undo
        .register(&format!("start broker {node}"), async move { undo_hooks.start_broker(undo_node).await });
    let load = Load::start(&bench.target.administrator, &topic, bench.run)?;
    load.wait_for(RECORDS, PATIENCE).await?;
    replace(bench, &load, node, Way::Killed, alone).await?;
    if !hooks.brokers().is_empty() && !hooks.declares(Hook::KillBroker) {
        replace(bench, &load, node, Way::Drained, alone).await?;
    }
    bench.step("reading back every acknowledged record");
    let ledger = load.stop().await?;
    let started = Instant::now();
    let read = ledger.read_back(&bench.target.administrator, &topic, bench.run, PATIENCE).await?;
    bench.measure("records_acknowledged", read.acknowledged);
    bench.measure("records_unacknowledged", ledger.unacknowledged);
    bench.measure("records_lost", read.lost_count);
    bench.check("every acknowledged record is read back", read.is_whole(), read.told(), started);
    bench.check(
        "no record is there twice, and records of one key are in order",
        read.repeated == 0 && read.disordered == 0,
        format!("{} repeated, {} keys out of order", read.repeated, read.disordered),
        started,
    );
    Ok(())
}

async fn replace(bench: &Bench<'_>, load: &Load, node: i32, way: Way, alone: bool) -> Result<(), DrillError> {
    let (hooks, name) = (&bench.target.hooks, way.name());
    bench.step(&format!("broker {node} is {name}"));
    let local = hooks.brokers().iter().find(|broker| broker.node() == node);
    let began = Instant::now();
    match (way, local) {
        (Way::Drained, Some(broker)) => broker.stop().await?,
        _ => hooks.kill_broker(node).await?,
    }
    let gone = Instant::now();
    let data = local.and_then(|broker| broker.log_directory().ok());
    let before = data.as_deref().map(bytes_below).transpose()?;
    if !alone {
        // The others have to take over by themselves.
        wait_for_acknowledgement(bench, load, gone).await;
    }
    hooks.start_broker(node).await?;
    let started = Instant::now();
    if let (Some(before), Some(data)) = (before, data.as_deref()) {
        let moved = bytes_below(data)?.saturating_sub(before);
        bench.measure(&format!("{name}_bytes_moved"), moved);
    }
    let back = wait_for_acknowledgement(bench, load, gone).await;
    let enough = load.acknowledged() + RECORDS;
    if back.is_some() {
        load.wait_for(enough, PATIENCE).await?;
    }
    let silence = load.longest_gap_since(began);
    bench.measure_time(&format!("{name}_recovery"), silence);
    bench.measure_time(&format!("{name}_restart"), started.duration_since(gone));
    let limit = bench.target.limits.recovery;
    let seen = match back {
        Some(_) => format!("{} ms without an acknowledgement", silence.as_millis()),
        None => "no acknowledgement came any more".to_owned(),
    };
    bench.check(
        format!("writes go on within {} s after a broker was {name}", limit.as_secs()),
        back.is_some() && silence <= limit,
        seen,
        began,
    );
    Ok(())
}

async fn wait_for_acknowledgement(bench: &Bench<'_>, load: &Load, since: Instant) -> Option<Instant> {
    let (limit, began) = (bench.target.limits.recovery + Duration::from_secs(5), Instant::now());
    loop {
        let first = load.first_after(since);
        if first.is_some() || began.elapsed() > limit {
            return first;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The brokers that clients are told of.
async fn nodes(bench: &Bench<'_>) -> Result<Vec<i32>, DrillError> {
    let client = admin(&bench.target.administrator)?;
    let nodes = blocking(move || {
        let metadata = client.inner().fetch_metadata(None, Duration::from_secs(10))?;
        Ok::<Vec<i32>, rdkafka::error::KafkaError>(
            metadata.brokers().iter().map(rdkafka::metadata::MetadataBroker::id).collect(),
        )
    });
    nodes.await?.map_err(crate::error::step("listing brokers"))
}

/// The size of every file below a directory. Files that go meanwhile count nothing.
fn bytes_below(directory: &Path) -> Result<u64, DrillError> {
    let mut bytes = 0;
    let mut open = vec![directory.to_owned()];
    while let Some(next) = open.pop() {
        let entries = match std::fs::read_dir(&next) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            entries => entries.map_err(crate::error::file("read", &next))?,
        };
        for entry in entries.filter_map(Result::ok) {
            match entry.metadata() {
                Ok(metadata) if metadata.is_dir() => open.push(entry.path()),
                Ok(metadata) => bytes += metadata.len(),
                Err(_gone) => {}
            }
        }
    }
    Ok(bytes)
}
