//! The `store-outage` drill: the store that brokers share goes away and comes back.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use cadastre_model::drill_target::Hook;

use crate::bench::Bench;
use crate::error::{DrillError, file};
use crate::load::Load;
use crate::name::DrillName;
use crate::plan::Plan;
use crate::target::Target;

/// Acknowledged records before the store goes, and after it came back.
const RECORDS: u64 = 500;

/// How long the store is away.
const AWAY: Duration = Duration::from_secs(5);

/// The longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(90);

/// What is added to the name of a directory that is away.
const GONE: &str = "away-for-a-drill";

/// How the store goes away.
enum Way {
    Hooks,
    Directory(PathBuf),
}

pub(crate) fn plan(target: &Target) -> Plan {
    let plan = Plan::of(
        DrillName::StoreOutage,
        &[
            "write without a pause",
            "take the store away for 5 s: nothing may be acknowledged that is not durable",
            "bring it back, wait for writes to go on, read back every acknowledged record",
        ],
    );
    match way(target) {
        Err(reason) => plan.unless(Some(reason)),
        Ok(Way::Hooks) => {
            plan.touching(format!("runs `{}`", target.hooks.told(Hook::StopStore).unwrap_or_default()))
        }
        Ok(Way::Directory(path)) => plan.touching(format!("every topic in {}", path.display())),
    }
}

fn way(target: &Target) -> Result<Way, String> {
    let hooks = &target.hooks;
    if hooks.declares(Hook::StopStore) && hooks.declares(Hook::StartStore) {
        return Ok(Way::Hooks);
    }
    let Some(broker) = hooks.brokers().first() else {
        return Err(
            "nothing says how the store is taken away: declare `stop-store` and `start-store`".to_owned()
        );
    };
    if !broker.is_clustered() {
        return Err("the broker keeps its write-ahead log on its own disk: there is no shared store to lose"
            .to_owned());
    }
    let location = broker.property("cadastre.objects.location").unwrap_or_default();
    match location.strip_prefix("file://") {
        Some(directory) => Ok(Way::Directory(PathBuf::from(directory))),
        None => Err(format!("the store is {location}: declare `stop-store` and `start-store`")),
    }
}

/// A file in the place of the directory: nothing can be read or written below it, and no broker can make it anew.
fn take_away(directory: &Path) -> Result<(), DrillError> {
    let away = directory.with_extension(GONE);
    std::fs::rename(directory, &away).map_err(file("take away", directory))?;
    std::fs::write(directory, b"").map_err(file("block", directory))
}

fn bring_back(directory: &Path) -> Result<(), DrillError> {
    let away = directory.with_extension(GONE);
    if !away.exists() {
        return Ok(());
    }
    if directory.is_file() {
        std::fs::remove_file(directory).map_err(file("unblock", directory))?;
    }
    std::fs::rename(&away, directory).map_err(file("bring back", directory))
}

pub(crate) async fn run(bench: &Bench<'_>) -> Result<(), DrillError> {
    let way = way(bench.target).map_err(DrillError::not_exercised)?;
    let topic = bench.topic("load", 2).await?;
    let connection = &bench.target.administrator;
    let load = Load::start(connection, &topic, bench.run)?;
    load.wait_for(RECORDS, PATIENCE).await?;
    bench.step("the store is away");
    let hooks = bench.target.hooks.clone();
    match &way {
        Way::Hooks => {
            bench.undo.register("bring the store back", async move {
                hooks.run(Hook::StartStore, None).await.map(drop)
            });
            bench.target.hooks.run(Hook::StopStore, None).await?;
        }
        Way::Directory(directory) => {
            let path = directory.clone();
            bench.undo.register("bring the store back", async move { bring_back(&path) });
            take_away(directory)?;
        }
    }
    let gone = Instant::now();
    tokio::time::sleep(AWAY).await;
    let last = load.last().unwrap_or(gone).max(gone);
    bench.measure_time("last_acknowledgement", last.duration_since(gone));
    bench.step("the store is back");
    let began = Instant::now();
    match &way {
        Way::Hooks => drop(bench.target.hooks.run(Hook::StartStore, None).await?),
        Way::Directory(directory) => bring_back(directory)?,
    }
    let back = Instant::now();
    let returned = load.wait_for(load.acknowledged() + RECORDS, PATIENCE).await;
    let after = load.first_after(back).map_or(PATIENCE, |time| time.duration_since(back));
    bench.measure_time("service_returned", after);
    bench.check(
        "writes return when the store does",
        returned.is_ok(),
        if returned.is_ok() { format!("after {} ms", after.as_millis()) } else { "they did not".to_owned() },
        began,
    );
    let ledger = load.stop().await?;
    let started = Instant::now();
    let read = ledger.read_back(connection, &topic, bench.run, PATIENCE).await?;
    bench.measure("records_acknowledged", read.acknowledged);
    bench.measure("records_lost", read.lost_count);
    bench.check("nothing that was acknowledged is lost", read.is_whole(), read.told(), started);
    Ok(())
}
