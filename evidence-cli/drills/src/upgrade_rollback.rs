//! The `upgrade-rollback` drill: the previous version and this one on the same data, with clients connected.

use std::time::{Duration, Instant};

use cadastre_model::drill_target::Hook;

use crate::bench::Bench;
use crate::error::DrillError;
use crate::load::Load;
use crate::name::DrillName;
use crate::plan::Plan;
use crate::target::Target;

/// Acknowledged records on each version.
const RECORDS: u64 = 500;

/// The longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) fn plan(target: &Target) -> Plan {
    let plan = Plan::of(
        DrillName::UpgradeRollback,
        &[
            "write without a pause on this version",
            "bring the previous version to every broker, and go on writing",
            "bring this version back, and go on writing",
            "read back every record, whichever version acknowledged it",
        ],
    )
    .touching("every broker, one after the other");
    plan.unless(cannot(target))
}

fn by_hooks(target: &Target) -> bool {
    target.hooks.declares(Hook::Downgrade) && target.hooks.declares(Hook::Upgrade)
}

fn cannot(target: &Target) -> Option<String> {
    let hooks = &target.hooks;
    if by_hooks(target) {
        return None;
    }
    match (&hooks.programs().previous, hooks.brokers()) {
        (_, []) => {
            Some("nothing says how versions are changed: declare `downgrade` and `upgrade`".to_owned())
        }
        (None, _) => Some("no other version is given: declare `previous-program`".to_owned()),
        (Some(_), _) => None,
    }
}

pub(crate) async fn run(bench: &Bench<'_>) -> Result<(), DrillError> {
    let topic = bench.topic("load", 3).await?;
    let connection = &bench.target.administrator;
    let load = Load::start(connection, &topic, bench.run)?;
    load.wait_for(RECORDS, PATIENCE).await?;
    let (hooks, hooked) = (bench.target.hooks.clone(), by_hooks(bench.target));
    bench.undo.register("bring this version back", async move {
        if hooked {
            return hooks.run(Hook::Upgrade, None).await.map(drop);
        }
        for broker in hooks.brokers() {
            broker.start(hooks.programs()).await?;
        }
        Ok(())
    });
    change(bench, &load, "rollback", Hook::Downgrade).await?;
    change(bench, &load, "upgrade", Hook::Upgrade).await?;
    let ledger = load.stop().await?;
    let started = Instant::now();
    let read = ledger.read_back(connection, &topic, bench.run, PATIENCE).await?;
    bench.measure("records_acknowledged", read.acknowledged);
    bench.measure("records_lost", read.lost_count);
    bench.check(
        "every record is read back, whichever version acknowledged it",
        read.is_whole(),
        read.told(),
        started,
    );
    Ok(())
}

async fn change(bench: &Bench<'_>, load: &Load, name: &str, hook: Hook) -> Result<(), DrillError> {
    bench.step(name);
    let hooks = &bench.target.hooks;
    let began = Instant::now();
    if by_hooks(bench.target) {
        hooks.run(hook, None).await?;
    } else {
        let programs = hooks.programs();
        let previous = programs.previous.as_ref().map(|path| vec![path.display().to_string()]);
        for broker in hooks.brokers() {
            broker.stop().await?;
            match (hook, &previous) {
                (Hook::Downgrade, Some(previous)) => broker.start_as(previous).await?,
                _ => broker.start(programs).await?,
            }
        }
    }
    let changed = Instant::now();
    let returned = load.wait_for(load.acknowledged() + RECORDS, PATIENCE).await;
    let silence = load.longest_gap_since(began);
    bench.measure_time(name, changed.duration_since(began));
    bench.measure_time(&format!("{name}_silence"), silence);
    bench.check(
        format!("writes go on after the {name}"),
        returned.is_ok(),
        format!("{} ms without an acknowledgement", silence.as_millis()),
        began,
    );
    Ok(())
}
