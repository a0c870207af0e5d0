//! The `key-rotation` drill: a new key, data under both, everything moved under the new one, and back again.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::bench::Bench;
use crate::error::{DrillError, file, step};
use crate::ledger::{Ledger, producer};
use crate::local_broker::{LocalBroker, Programs};
use crate::name::DrillName;
use crate::plan::Plan;
use crate::target::Target;
use crate::tools::{BrokerTools, KeyUsage, Rewrapped, ToolError};

/// Records under each key.
const RECORDS: u64 = 1_000;

/// The longest wait for records to be read back.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn plan(target: &Target, tools: Option<&dyn BrokerTools>) -> Plan {
    let plan = Plan::of(
        DrillName::KeyRotation,
        &[
            "write under the current key",
            "make a new key file, name it in the configuration, restart the brokers",
            "write under the new key, read records of both",
            "list what uses the old key, rewrap, list again",
            "read everything without the old key",
            "move everything back under the old key",
        ],
    );
    let plan = target.hooks.brokers().iter().fold(plan, |plan, broker| {
        plan.touching(format!(
            "restarts broker {} and changes {}",
            broker.node(),
            broker.config_file().display()
        ))
    });
    plan.unless(cannot(target, tools))
}

fn cannot(target: &Target, tools: Option<&dyn BrokerTools>) -> Option<String> {
    let brokers = target.hooks.brokers();
    if !target.is_bundled || brokers.is_empty() || tools.is_none() {
        return Some(
            "only a bundled broker on this machine can be given another key by this drill: declare `local-brokers`"
                .to_owned(),
        );
    }
    let first = brokers.first().and_then(LocalBroker::key_file);
    if first.is_none() || brokers.iter().any(|broker| broker.key_file() != first) {
        return Some("the key is not in one local file: rotate it where it is kept".to_owned());
    }
    None
}

pub(crate) async fn run(bench: &Bench<'_>) -> Result<(), DrillError> {
    let tools = bench.tools.ok_or_else(|| DrillError::not_exercised("no tools of the broker"))?;
    let brokers = bench.target.hooks.brokers().to_vec();
    let connection = &bench.target.administrator;
    let first = brokers.first().ok_or_else(|| DrillError::not_exercised("no broker on this machine"))?;
    let old = first.key_file().ok_or_else(|| DrillError::not_exercised("no local key file"))?;
    let new = old.with_extension(format!("drill-{}", bench.run));
    let topic = bench.topic("records", 2).await?;
    let mut ledger = Ledger::default();
    write(bench, &topic, &mut ledger).await?;

    bench.step("a new key");
    let originals = originals(&brokers)?;
    let rotation = Rotation {
        brokers: brokers.clone(),
        programs: bench.target.hooks.programs().clone(),
        beside: first.directory().join(format!("drill-{}", bench.run)),
        clustered: first.is_clustered(),
    };
    restore_at_end(bench, &rotation, &old, &new, originals);
    let started = Instant::now();
    let new_id = tools.create_key_file(&new)?;
    rotation.use_key(&new, Some(&old)).await?;
    bench.measure_time("rotation", started.elapsed());
    let started = Instant::now();
    let before = ledger.len();
    write(bench, &topic, &mut ledger).await?;
    let read = ledger.read_back(connection, &topic, bench.run, PATIENCE).await?;
    bench.check(
        "with the new key, records are written, and those of both keys are read",
        read.is_whole() && ledger.len() > before,
        read.told(),
        started,
    );

    bench.step("what still uses the old key");
    let started = Instant::now();
    let (listed, moved, left) = rotation.rewrap(tools).await?;
    let of_old = |usage: &KeyUsage| -> u64 {
        usage.holders.iter().filter(|(key, _)| **key != new_id).map(|(_, count)| count).sum()
    };
    bench.measure("data_keys_under_the_old_key", of_old(&listed));
    bench.measure("data_keys_moved", moved.moved);
    bench.measure_time("rewrap", started.elapsed());
    bench.check(
        "what still uses the old key is listed",
        listed.untold.is_empty() && listed.current == new_id && of_old(&listed) > 0,
        format!("{} data keys under the old key, {} untold", of_old(&listed), listed.untold.len()),
        started,
    );
    bench.check(
        "rewrapping moves every data key under the new key",
        moved.is_done && moved.failures.is_empty() && of_old(&left) == 0 && left.untold.is_empty(),
        format!(
            "{} moved, {} left under the old key, {} failed",
            moved.moved,
            of_old(&left),
            moved.failures.len()
        ),
        started,
    );

    bench.step("without the old key");
    let started = Instant::now();
    let away = old.with_extension("away-for-a-drill");
    std::fs::rename(&old, &away).map_err(file("put away", &old))?;
    rotation.use_key(&new, None).await?;
    let read = ledger.read_back(connection, &topic, bench.run, PATIENCE).await?;
    bench.measure("records_acknowledged", read.acknowledged);
    bench.measure("records_lost", read.lost_count);
    bench.check("without the old key, every record is read", read.is_whole(), read.told(), started);
    Ok(())
}

async fn write(bench: &Bench<'_>, topic: &str, ledger: &mut Ledger) -> Result<(), DrillError> {
    let producer = producer(&bench.target.administrator)?;
    ledger.write(&producer, topic, bench.run, RECORDS).await.map_err(step("writing"))
}

/// The configurations as they were found.
fn originals(brokers: &[LocalBroker]) -> Result<Vec<(LocalBroker, String)>, DrillError> {
    brokers
        .iter()
        .map(|broker| {
            let path = broker.config_file();
            let text = std::fs::read_to_string(&path).map_err(file("read", &path))?;
            Ok((broker.clone(), text))
        })
        .collect()
}

/// Moving back is registered before anything is moved. What needs the tools is done by whoever cleans up, from what lies on disk:
/// the old key becomes the current one, what is under the new one goes on being readable, and is then moved.
fn restore_at_end(
    bench: &Bench<'_>,
    rotation: &Rotation,
    old: &Path,
    new: &Path,
    originals: Vec<(LocalBroker, String)>,
) {
    let (rotation, old, new) = (rotation.clone(), old.to_owned(), new.to_owned());
    let Some(tools) = bench.tools.map(BrokerTools::share) else { return };
    bench.undo.register("move everything back under the key that was found", async move {
        let away = old.with_extension("away-for-a-drill");
        if away.exists() {
            std::fs::rename(&away, &old).map_err(file("put back", &old))?;
        }
        if !new.exists() {
            return Ok::<(), DrillError>(());
        }
        rotation.use_key(&old, Some(&new)).await?;
        let (_, moved, _) = rotation.rewrap(tools.as_ref()).await?;
        if !moved.is_done {
            return Err(ToolError::new(format!(
                "{} data keys are still under the drill's key, which is kept in `{}`",
                moved.failures.len(),
                new.display()
            ))
            .into());
        }
        for (broker, text) in originals {
            if broker.process().is_some() {
                broker.stop().await?;
            }
            crate::local_broker::write_private(&broker.config_file(), &text)?;
            broker.start(&rotation.programs).await?;
        }
        std::fs::remove_file(&new).map_err(file("remove", &new))
    });
}

/// Brokers that share a key file.
#[derive(Debug, Clone)]
struct Rotation {
    brokers: Vec<LocalBroker>,
    programs: Programs,
    /// Where the tools keep their own record of key uses, beside running brokers.
    beside: PathBuf,
    clustered: bool,
}

impl Rotation {
    /// Restarts the brokers, one after the other, with another current key.
    async fn use_key(&self, current: &Path, previous: Option<&Path>) -> Result<(), DrillError> {
        let previous = previous.map(|path| path.display().to_string()).unwrap_or_default();
        for broker in &self.brokers {
            if broker.process().is_some() {
                broker.stop().await?;
            }
            let changed = LocalBroker::read(broker.directory())?.reconfigured(&[
                ("cadastre.key.file", current.display().to_string()),
                ("cadastre.key.previous.files", previous.clone()),
            ])?;
            changed.start(&self.programs).await?;
        }
        Ok(())
    }

    /// Lists who uses which key, moves everything under the current one, and lists again. An embedded broker is stopped for it.
    async fn rewrap(&self, tools: &dyn BrokerTools) -> Result<(KeyUsage, Rewrapped, KeyUsage), DrillError> {
        if !self.clustered {
            for broker in self.brokers.iter().filter(|broker| broker.process().is_some()) {
                broker.stop().await?;
            }
        }
        let first =
            self.brokers.first().ok_or_else(|| DrillError::not_exercised("no broker on this machine"))?;
        let first = LocalBroker::read(first.directory())?;
        let config = if self.clustered {
            let ledger = self.beside.join("key-ledger").display().to_string();
            first.derive(&self.beside, &[("cadastre.key.ledger.directory", ledger)])?.config_file()
        } else {
            first.config_file()
        };
        let listed = tools.key_usage(&config).await?;
        let moved = tools.rewrap(&config).await?;
        let left = tools.key_usage(&config).await?;
        if self.clustered {
            std::fs::remove_dir_all(&self.beside).map_err(file("remove", &self.beside))?;
        }
        for broker in &self.brokers {
            broker.start(&self.programs).await?;
        }
        Ok((listed, moved, left))
    }
}
