//! The `scale-out` drill: a broker is added and removed while clients write, and what it reaches is what the others reach.

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use cadastre_model::drill_target::Hook;
use serde_json::Value;

use crate::bench::Bench;
use crate::error::{DrillError, file, step};
use crate::load::Load;
use crate::local_broker::LocalBroker;
use crate::name::DrillName;
use crate::plan::Plan;
use crate::target::Target;
use crate::topics::{admin, blocking};

/// Acknowledged records before, with, and after the broker.
const RECORDS: u64 = 500;

/// The longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn plan(target: &Target) -> Plan {
    let plan = Plan::of(
        DrillName::ScaleOut,
        &[
            "write without a pause",
            "add a broker, wait until clients are told of it, and go on writing",
            "compare the stores, keys and endpoints it uses with those of the others",
            "remove it, go on writing, read back every acknowledged record",
        ],
    )
    .touching("adds a broker for a moment");
    plan.unless(cannot(target))
}

fn by_hooks(target: &Target) -> bool {
    target.hooks.declares(Hook::AddBroker) && target.hooks.declares(Hook::RemoveBroker)
}

fn cannot(target: &Target) -> Option<String> {
    match target.hooks.brokers().first() {
        _ if by_hooks(target) => None,
        None => {
            Some("nothing says how a broker is added: declare `add-broker` and `remove-broker`".to_owned())
        }
        Some(broker) if !broker.is_clustered() => {
            Some("an embedded broker shares its storage with no other: it cannot be scaled out".to_owned())
        }
        Some(_) => None,
    }
}

pub(crate) async fn run(bench: &Bench<'_>) -> Result<(), DrillError> {
    let topic = bench.topic("load", 6).await?;
    let connection = &bench.target.administrator;
    let before = nodes(bench).await?;
    let load = Load::start(connection, &topic, bench.run)?;
    load.wait_for(RECORDS, PATIENCE).await?;

    bench.step("adding a broker");
    let began = Instant::now();
    let added = if by_hooks(bench.target) {
        let hooks = bench.target.hooks.clone();
        bench.undo.register("remove the broker that was added", async move {
            hooks.run(Hook::RemoveBroker, None).await.map(drop)
        });
        bench.target.hooks.run(Hook::AddBroker, None).await?;
        None
    } else {
        Some(add_local(bench).await?)
    };
    let mut now = nodes(bench).await?;
    while now.len() <= before.len() && began.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(50)).await;
        now = nodes(bench).await?;
    }
    let new: Vec<i32> = now.difference(&before).copied().collect();
    bench.measure_time("broker_added", began.elapsed());
    bench.check(
        "clients are told of the added broker",
        !new.is_empty(),
        format!("brokers {before:?} before, {now:?} after"),
        began,
    );
    load.wait_for(load.acknowledged() + RECORDS, PATIENCE).await?;
    match &added {
        Some(broker) => same_paths(bench, broker)?,
        None => bench.not_exercised(
            "the added broker uses the stores, keys and endpoints of the others, and no further one",
            "it is not on this machine: scan again and compare with `cadastre drift`",
        ),
    }

    bench.step("removing it");
    let began = Instant::now();
    match &added {
        Some(broker) => broker.stop().await?,
        None => drop(bench.target.hooks.run(Hook::RemoveBroker, None).await?),
    }
    load.wait_for(load.acknowledged() + RECORDS, PATIENCE).await?;
    let silence = load.longest_gap_since(began);
    bench.measure_time("removal_silence", silence);
    let limit = bench.target.limits.recovery;
    bench.check(
        format!("writes go on within {} s after it was removed", limit.as_secs()),
        silence <= limit,
        format!("{} ms without an acknowledgement", silence.as_millis()),
        began,
    );
    let ledger = load.stop().await?;
    let started = Instant::now();
    let read = ledger.read_back(connection, &topic, bench.run, PATIENCE).await?;
    bench.measure("records_acknowledged", read.acknowledged);
    bench.measure("records_lost", read.lost_count);
    bench.check("every acknowledged record is read back", read.is_whole(), read.told(), started);
    Ok(())
}

/// A broker like the first one, with a node id, ports and a directory of its own.
async fn add_local(bench: &Bench<'_>) -> Result<LocalBroker, DrillError> {
    let hooks = &bench.target.hooks;
    let missing = || DrillError::not_exercised("no broker on this machine");
    let first = hooks.brokers().first().ok_or_else(missing)?;
    let node = hooks.brokers().iter().map(LocalBroker::node).max().unwrap_or_default().saturating_add(1);
    let directory: PathBuf = std::env::temp_dir().join(format!("cadastre-broker-{}", bench.run));
    let listeners = first.property("listeners").unwrap_or_default();
    let ports = free_ports(listeners).map_err(file("open", "a port".as_ref()))?;
    let mut changes = vec![
        ("node.id", node.to_string()),
        ("log.dirs", directory.join("data").display().to_string()),
        ("listeners", moved(listeners, &ports)),
    ];
    if let Some(advertised) = first.property("advertised.listeners") {
        changes.push(("advertised.listeners", moved(advertised, &ports)));
    }
    if first.property("cadastre.key.file").is_none()
        && let Some(key) = first.key_file()
    {
        changes.push(("cadastre.key.file", key.display().to_string()));
    }
    let broker = first.derive(&directory, &changes)?;
    let added = broker.clone();
    bench.undo.register("stop and remove the broker that was added", async move {
        if added.process().is_some() {
            added.stop().await?;
        }
        std::fs::remove_dir_all(added.directory()).map_err(file("remove", added.directory()))
    });
    broker.start(hooks.programs()).await?;
    Ok(broker)
}

/// A free port for each listener, by the listener's name. All are taken before any is given back, so that no two are the same.
fn free_ports(listeners: &str) -> std::io::Result<BTreeMap<String, u16>> {
    let names = listeners.split(',').filter_map(|listener| listener.split_once("://"));
    let taken: Vec<(String, TcpListener)> = names
        .map(|(name, _)| Ok((name.trim().to_owned(), TcpListener::bind(("127.0.0.1", 0))?)))
        .collect::<std::io::Result<_>>()?;
    taken.into_iter().map(|(name, socket)| Ok((name, socket.local_addr()?.port()))).collect()
}

/// Listeners as a configuration lists them, at other ports.
fn moved(listeners: &str, ports: &BTreeMap<String, u16>) -> String {
    let entries = listeners.split(',').map(|listener| {
        let parts = listener.split_once("://").and_then(|(name, address)| {
            let (host, _) = address.rsplit_once(':')?;
            Some((name, host, ports.get(name.trim())?))
        });
        parts.map_or_else(|| listener.to_owned(), |(name, host, port)| format!("{name}://{host}:{port}"))
    });
    entries.collect::<Vec<_>>().join(",")
}

async fn nodes(bench: &Bench<'_>) -> Result<BTreeSet<i32>, DrillError> {
    let client = admin(&bench.target.administrator)?;
    let nodes = blocking(move || {
        let metadata = client.inner().fetch_metadata(None, Duration::from_secs(10))?;
        Ok::<_, rdkafka::error::KafkaError>(
            metadata.brokers().iter().map(rdkafka::metadata::MetadataBroker::id).collect(),
        )
    });
    nodes.await?.map_err(step("listing brokers"))
}

/// Compares what two brokers say of where bytes go; what is a broker's own (its listener, its disk) is left out.
fn same_paths(bench: &Bench<'_>, added: &LocalBroker) -> Result<(), DrillError> {
    let started = Instant::now();
    let missing = || DrillError::not_exercised("no broker on this machine");
    let first = bench.target.hooks.brokers().first().ok_or_else(missing)?;
    let (known, new) = (shared_paths(first)?, shared_paths(added)?);
    let further: Vec<String> = new.difference(&known).cloned().collect();
    bench.detail("paths", new.iter().cloned().collect::<Vec<_>>());
    bench.check(
        "the added broker uses the stores, keys and endpoints of the others, and no further one",
        further.is_empty() && !new.is_empty(),
        if further.is_empty() { format!("{} paths, all known", new.len()) } else { further.join("; ") },
        started,
    );
    Ok(())
}

fn shared_paths(broker: &LocalBroker) -> Result<BTreeSet<String>, DrillError> {
    let path = match broker.property("cadastre.data.path.file") {
        Some(path) => PathBuf::from(path),
        None => broker.log_directory()?.join("data-path.json"),
    };
    let text = std::fs::read_to_string(&path).map_err(file("read", &path))?;
    let manifest: Value =
        serde_json::from_str(&text).map_err(|error| file("read", &path)(std::io::Error::other(error)))?;
    let own = broker.log_directory()?.display().to_string();
    let word =
        |step: &Value, member: &str| step.get(member).and_then(Value::as_str).unwrap_or("-").to_owned();
    Ok(manifest
        .get("steps")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter(|step| !matches!(word(step, "step").as_str(), "ingress" | "cache"))
        .filter(|step| !word(step, "location").contains(&own))
        .map(|step| {
            ["step", "store", "location", "identity", "key", "endpoint"]
                .map(|member| word(step, member))
                .join(" ")
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_added_broker_has_a_port_of_its_own_for_every_listener() {
        let listeners = "CLIENTS://10.0.0.1:9093,REPLICATION://10.0.0.1:9094";
        let ports = free_ports(listeners).unwrap();
        let (clients, replication) = (ports["CLIENTS"], ports["REPLICATION"]);
        assert_ne!(clients, replication);
        assert_eq!(
            moved(listeners, &ports),
            format!("CLIENTS://10.0.0.1:{clients},REPLICATION://10.0.0.1:{replication}")
        );
        assert_eq!(moved("CLIENTS://[::1]:1", &ports), format!("CLIENTS://[::1]:{clients}"));
    }

    #[test]
    fn what_has_no_port_of_its_own_stays_where_it_is() {
        assert_eq!(moved("OTHER://:9092", &BTreeMap::new()), "OTHER://:9092");
    }
}
