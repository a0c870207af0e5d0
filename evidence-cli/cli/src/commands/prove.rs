//! `cadastre prove`: exercises declared clusters, and keeps what was measured as evidence.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::Path;
use std::sync::Mutex;

use anyhow::{Context as _, bail};
use cadastre_drills::local_broker::Programs;
use cadastre_drills::{DrillName, DrillOutcome, DrillRecord, Exercise, Plan, Target};
use cadastre_model::declaration::Declaration;
use cadastre_model::drill_target::Environment;
use cadastre_model::evidence::Evidence;
use cadastre_model::progress::Progress as _;
use cadastre_model::record::SinkError;
use cadastre_model::{Clock as _, Observation, Record, RecordId, RecordSink, SystemClock, Timestamp};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::broker_tools::Bundled;
use super::output;
use crate::args::assess::TableFormat;
use crate::args::prove::Prove;
use crate::exit::Exit;
use crate::terminal::{self, Terminal, columns, inert};

/// Exercises everything that the declaration allows.
pub(super) fn run(arguments: &Prove, terminal: &Terminal) -> anyhow::Result<Exit> {
    let declaration = Declaration::read(&arguments.boundary)?;
    let drills = chosen(&arguments.drills)?;
    let targets = targets(arguments, &declaration, terminal)?;
    let plans: Vec<(&Target, Vec<Plan>)> = targets
        .iter()
        .map(|target| {
            let tools = target.is_bundled.then_some(&Bundled as &dyn cadastre_drills::tools::BrokerTools);
            (target, drills.iter().map(|drill| Plan::new(*drill, target, tools)).collect())
        })
        .collect();
    if arguments.plan {
        let text = match arguments.format {
            TableFormat::Json => serde_json::to_string_pretty(&plan_json(&plans))? + "\n",
            TableFormat::Table => told_plan(&plans),
        };
        terminal::print(&text)?;
        return Ok(Exit::Clean);
    }
    let Some(directory) = &arguments.output else { bail!("--output is missing") };
    // Read before anything is touched: evidence that cannot be added to is a reason not to begin.
    let existing = directory.exists().then(|| Evidence::read(directory)).transpose()?;
    terminal.finish();
    terminal.say(inert(&told_plan(&plans)).trim_end());
    approve(arguments.yes)?;

    let keeper = Keeper::default();
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    let started_at = SystemClock.now().truncated_to_seconds();
    let stop = CancellationToken::new();
    let mut results = Vec::new();
    let ran = runtime.block_on(async {
        let interrupted = stop.clone();
        let listener = tokio::spawn(async move {
            if tokio::signal::ctrl_c().await.is_ok() {
                interrupted.cancel();
            }
        });
        let ran = exercise(&targets, &drills, &keeper, &stop, &mut results, terminal).await;
        listener.abort();
        ran
    });
    // What was measured is kept whatever ended it.
    let finished_at = SystemClock.now().truncated_to_seconds();
    let complete = ran.is_ok() && !stop.is_cancelled();
    let records = keeper.into_records();
    if !records.is_empty() {
        keep(directory, existing, records, (started_at, finished_at), complete, terminal)?;
    }
    ran?;
    terminal.finish();
    print_results(&results, directory, arguments.format)?;
    Ok(exit_of(&results, complete))
}

/// The drills that were named, in the order in which they run; all of them where none was.
fn chosen(names: &[String]) -> anyhow::Result<Vec<DrillName>> {
    let named: Vec<DrillName> =
        names.iter().map(|name| name.parse()).collect::<Result<_, cadastre_drills::UnknownDrillError>>()?;
    Ok(DrillName::ALL.into_iter().filter(|drill| named.is_empty() || named.contains(drill)).collect())
}

/// The clusters that may be exercised. Those that are named must be among them; of the others at least one.
fn targets(arguments: &Prove, declaration: &Declaration, terminal: &Terminal) -> anyhow::Result<Vec<Target>> {
    let beside = arguments.boundary.parent().unwrap_or_else(|| Path::new(""));
    if let Some(name) = arguments
        .clusters
        .iter()
        .find(|name| !declaration.clusters.iter().any(|cluster| cluster.name == **name))
    {
        bail!("no cluster `{name}` is declared");
    }
    let program = std::env::current_exe().context("cannot find this program")?;
    let programs =
        Programs { current: vec![program.display().to_string(), "run-broker".to_owned()], previous: None };
    let mut targets = Vec::new();
    for cluster in &declaration.clusters {
        let named = arguments.clusters.contains(&cluster.name);
        if !arguments.clusters.is_empty() && !named {
            continue;
        }
        let exercisable = cluster.environment == Environment::NonProduction && cluster.drills.is_some();
        if exercisable || named || declaration.clusters.len() == 1 {
            targets.push(Target::declared(cluster, beside, &programs)?);
        } else {
            terminal.warn(&format!(
                "cluster `{}` is not exercised: it is not declared `environment: non-production` with `drills`",
                cluster.name
            ));
        }
    }
    if targets.is_empty() {
        bail!("no cluster is declared `environment: non-production` with `drills`: nothing is exercised");
    }
    Ok(targets)
}

fn told_plan(plans: &[(&Target, Vec<Plan>)]) -> String {
    let mut text = String::new();
    for (target, plans) in plans {
        text.push_str(&format!(
            "cluster {}: as {}, only topics below `{}`\n",
            target.cluster,
            target.administrator.principal(),
            target.prefix
        ));
        for plan in plans {
            if let Some(reason) = &plan.cannot {
                text.push_str(&format!("  {}: not exercised: {reason}\n", plan.drill));
                continue;
            }
            text.push_str(&format!("  {}\n", plan.drill));
            for step in &plan.steps {
                text.push_str(&format!("    {step}\n"));
            }
            for touched in &plan.touches {
                text.push_str(&format!("    disturbs: {touched}\n"));
            }
        }
    }
    text
}

fn plan_json(plans: &[(&Target, Vec<Plan>)]) -> Value {
    let of_target = |(target, plans): &(&Target, Vec<Plan>)| {
        let drills: Vec<Value> = plans
            .iter()
            .map(|plan| {
                json!({
                    "drill": plan.drill.as_str(), "steps": plan.steps, "disturbs": plan.touches,
                    "not_exercised": plan.cannot,
                })
            })
            .collect();
        json!({
            "cluster": target.cluster, "principal": target.administrator.principal(),
            "topic_prefix": target.prefix, "drills": drills,
        })
    };
    json!({"schema": "cadastre/drill-plan/v1", "clusters": plans.iter().map(of_target).collect::<Vec<_>>()})
}

/// Nothing is touched without an approval: `--yes`, or a person who types it.
fn approve(yes: bool) -> anyhow::Result<()> {
    if yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        bail!("the plan is not approved: pass --yes, or run this at a terminal");
    }
    write!(std::io::stderr(), "Run this plan? Type `yes`: ").context("cannot ask")?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).context("cannot read the answer")?;
    if answer.trim() != "yes" {
        bail!("the plan was not approved: nothing was touched");
    }
    Ok(())
}

async fn exercise(
    targets: &[Target],
    drills: &[DrillName],
    keeper: &Keeper,
    stop: &CancellationToken,
    results: &mut Vec<DrillRecord>,
    terminal: &Terminal,
) -> anyhow::Result<()> {
    for target in targets {
        if stop.is_cancelled() {
            break;
        }
        let exercise = Exercise {
            target,
            tools: target.is_bundled.then_some(&Bundled),
            clock: &SystemClock,
            progress: terminal,
            run: run_name(),
            stop: stop.clone(),
        };
        exercise
            .run::<anyhow::Error>(drills, |record| {
                record.keep(keeper)?;
                tell(&record, terminal);
                results.push(record);
                Ok(())
            })
            .await
            .with_context(|| format!("cluster `{}` cannot be exercised", target.cluster))?;
    }
    Ok(())
}

/// Differs between runs that begin in different seconds or processes.
fn run_name() -> String {
    format!("{:x}x{:x}", SystemClock.now().seconds(), std::process::id())
}

fn tell(record: &DrillRecord, terminal: &Terminal) {
    let outcome = record.outcome();
    terminal.say(&format!(
        "{} on {}: {} in {}",
        record.drill,
        record.cluster,
        outcome.name(),
        seconds(record.milliseconds)
    ));
    if let Some(reason) = record.reason() {
        terminal.say(&format!("  {}", inert(reason)));
    }
    for check in &record.checks {
        let mark = match check.kept {
            Some(true) => "kept  ",
            Some(false) => "BROKEN",
            None => "open  ",
        };
        terminal.say(&format!("  {mark} {}: {}", inert(&check.promise), inert(&check.seen)));
    }
    for step in record.clean_up.iter().filter(|step| !step.done) {
        terminal.warn(&format!("not put back: {}: {}", step.what, step.seen));
    }
}

fn seconds(milliseconds: u64) -> String {
    format!("{}.{:03} s", milliseconds / 1_000, milliseconds % 1_000)
}

/// Keeps records in memory until they are written together with those that were there.
#[derive(Debug, Default)]
struct Keeper {
    records: Mutex<Vec<Record>>,
}

impl Keeper {
    fn into_records(self) -> Vec<Record> {
        self.records.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl RecordSink for Keeper {
    fn put(&self, observation: Observation) -> Result<RecordId, SinkError> {
        let record = observation.seal()?;
        let id = record.id().clone();
        self.records.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(record);
        Ok(id)
    }
}

/// Writes the records, beside those that are there; a drill's newest record takes the place of an older one.
fn keep(
    directory: &Path,
    existing: Option<Evidence>,
    records: Vec<Record>,
    (started_at, finished_at): (Timestamp, Timestamp),
    complete: bool,
    terminal: &Terminal,
) -> anyhow::Result<()> {
    let version = env!("CARGO_PKG_VERSION");
    let replaced = |old: &Record| {
        old.operation.starts_with("drill:")
            && records.iter().any(|new| new.operation == old.operation && new.scope == old.scope)
    };
    let evidence = match existing {
        None => Evidence::from_records(records, version, started_at, finished_at, complete),
        Some(existing) => {
            let manifest = existing.manifest().clone();
            let left: Vec<Record> =
                existing.records().iter().filter(|record| !replaced(record)).cloned().collect();
            let older = existing.records().len() - left.len();
            if older > 0 {
                terminal.say(&format!("{older} older drill records in {} are replaced", directory.display()));
            }
            let left = Evidence::from_records(
                left,
                &manifest.tool_version,
                manifest.started_at,
                manifest.finished_at,
                manifest.complete,
            );
            left.join(Evidence::from_records(records, version, started_at, finished_at, complete))
        }
    };
    // Written beside and put in place, so that a failure leaves what was there.
    let beside = directory.with_extension("new");
    output::remove_evidence(&beside)?;
    evidence.write(&beside)?;
    output::remove_evidence(directory)?;
    std::fs::rename(&beside, directory).with_context(|| format!("cannot write `{}`", directory.display()))
}

fn print_results(results: &[DrillRecord], directory: &Path, format: TableFormat) -> anyhow::Result<()> {
    let total: u64 = results.iter().map(|record| record.milliseconds).sum();
    let text = match format {
        TableFormat::Json => {
            let drills: Vec<Value> = results
                .iter()
                .map(|record| {
                    json!({
                        "cluster": record.cluster, "drill": record.drill.as_str(), "outcome": record.outcome(),
                        "reason": record.reason(), "cluster_id": record.cluster_id,
                        "milliseconds": record.milliseconds, "checks": record.checks,
                        "measurements": record.measurements, "clean_up": record.clean_up,
                    })
                })
                .collect();
            let document = json!({
                "schema": "cadastre/drills/v1", "evidence": directory, "milliseconds": total, "drills": drills,
            });
            serde_json::to_string_pretty(&document)? + "\n"
        }
        TableFormat::Table => {
            let mut rows = Vec::new();
            for record in results {
                let kept = record.checks.iter().filter(|check| check.kept == Some(true)).count();
                rows.push(vec![
                    record.cluster.clone(),
                    record.drill.to_string(),
                    record.outcome().name().to_owned(),
                    format!("{kept} of {} promises kept", record.checks.len()),
                    seconds(record.milliseconds),
                ]);
            }
            rows.push(vec![String::new(), "all".to_owned(), String::new(), String::new(), seconds(total)]);
            inert(&columns(&rows))
        }
    };
    terminal::print(&text)?;
    Ok(())
}

/// A broken promise is a red flag; what was not exercised, or not to its end, is incomplete.
fn exit_of(results: &[DrillRecord], complete: bool) -> Exit {
    let any = |outcome: DrillOutcome| results.iter().any(|record| record.outcome() == outcome);
    let open = results.iter().any(|record| record.checks.iter().any(|check| check.kept.is_none()));
    if any(DrillOutcome::Failed) {
        Exit::RedFlag
    } else if !complete || open || any(DrillOutcome::Stopped) || any(DrillOutcome::NotExercised) {
        Exit::Incomplete
    } else {
        Exit::Clean
    }
}
