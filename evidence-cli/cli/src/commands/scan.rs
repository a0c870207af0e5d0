//! `cadastre scan`: collects evidence, read-only.

use std::path::Path;

use anyhow::Context;
use cadastre_collect::aws::{self, AccountTarget, AwsTarget};
use cadastre_collect::kafka::{self, KafkaOptions, KafkaTarget};
use cadastre_model::checklist::Verdict;
use cadastre_model::declaration::{Declaration, Provider};
use cadastre_model::evidence::{EvidenceWriter, Manifest};
use cadastre_model::progress::Progress;
use cadastre_model::{Clock, SystemClock};
use tokio_util::sync::CancellationToken;

use super::output;
use crate::args::collect::{Collector, Scan};
use crate::exit::Exit;
use crate::terminal::{self, Terminal};

/// How long calls in flight may take to end after Ctrl-C.
const GRACE: std::time::Duration = std::time::Duration::from_secs(5);

/// Scans everything that the declaration names.
pub(super) fn run(arguments: &Scan, terminal: &Terminal) -> anyhow::Result<Exit> {
    if arguments.permissions {
        terminal::print(&(serde_json::to_string_pretty(&aws::permissions::iam_policy())? + "\n"))?;
        return Ok(Exit::Clean);
    }
    let Some(directory) = &arguments.output else { anyhow::bail!("--output is missing") };
    let mut declaration = Declaration::read(&arguments.boundary)?;
    resolve_files(&mut declaration, arguments.boundary.parent().unwrap_or_else(|| Path::new("")));
    if arguments.force {
        output::remove_evidence(directory)?;
    }
    let clock = SystemClock;
    let writer =
        EvidenceWriter::create(directory, env!("CARGO_PKG_VERSION"), clock.now().truncated_to_seconds())?;
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    let cancelled = CancellationToken::new();
    let collected = runtime.block_on(collect(arguments, &declaration, &writer, terminal, &cancelled));
    let complete = collected.is_ok() && !cancelled.is_cancelled();
    let manifest = writer.close(clock.now().truncated_to_seconds(), complete)?;
    collected?;
    terminal.finish();
    summarize(&manifest, directory, terminal);
    Ok(if settled(&manifest) { Exit::Clean } else { Exit::Incomplete })
}

/// Files that the declaration names are found beside it, wherever the command was started.
fn resolve_files(declaration: &mut Declaration, directory: &Path) {
    for cluster in &mut declaration.clusters {
        let security = &mut cluster.security;
        for path in [
            &mut security.password_file,
            &mut security.ca_file,
            &mut security.certificate_file,
            &mut security.key_file,
        ]
        .into_iter()
        .flatten()
        {
            *path = directory.join(path.as_str()).display().to_string();
        }
    }
}

async fn collect(
    arguments: &Scan,
    declaration: &Declaration,
    writer: &EvidenceWriter,
    terminal: &Terminal,
    cancelled: &CancellationToken,
) -> anyhow::Result<()> {
    let wants = |collector| arguments.only.is_empty() || arguments.only.contains(&collector);
    let clouds = async {
        if wants(Collector::Aws)
            && let Some(target) = aws_target(arguments, declaration)
        {
            aws::collect(&target, writer, &SystemClock, terminal, cancelled).await?;
        }
        anyhow::Ok(())
    };
    let clusters = async {
        if wants(Collector::Kafka) {
            let mut options = KafkaOptions::new(&SystemClock, terminal);
            options.probes = !arguments.no_probes;
            for cluster in &declaration.clusters {
                kafka::collect(&KafkaTarget::from(cluster), writer, &options).await?;
            }
        }
        anyhow::Ok(())
    };
    let work = async { tokio::try_join!(clouds, clusters) };
    tokio::pin!(work);
    tokio::select! {
        result = &mut work => {
            result?;
        }
        interrupted = tokio::signal::ctrl_c() => {
            interrupted.context("cannot listen for Ctrl-C")?;
            cancelled.cancel();
            terminal.warn("interrupted: what was collected is kept and marked incomplete");
            // Calls in flight end by themselves and leave a record each; a second Ctrl-C does not wait for them.
            tokio::select! {
                ended = tokio::time::timeout(GRACE, &mut work) => {
                    if let Ok(result) = ended {
                        result?;
                    }
                }
                again = tokio::signal::ctrl_c() => again.context("cannot listen for Ctrl-C")?,
            }
        }
    }
    Ok(())
}

fn aws_target(arguments: &Scan, declaration: &Declaration) -> Option<AwsTarget> {
    let accounts: Vec<AccountTarget> = declaration
        .accounts
        .iter()
        .filter(|account| account.provider == Provider::Aws)
        .map(|account| AccountTarget {
            id: account.id.clone(),
            role_arn: account.collect_role.clone(),
            external_id: account.external_id.clone(),
        })
        .collect();
    (!accounts.is_empty()).then(|| AwsTarget {
        endpoint_url: arguments.aws_endpoint_url.clone(),
        profile: arguments.aws_profile.clone(),
        regions: declaration.regions.clone(),
        accounts,
        ..AwsTarget::default()
    })
}

/// Whether every call was answered.
fn settled(manifest: &Manifest) -> bool {
    let unsettled = ["denied", "failed", "truncated"];
    manifest.complete
        && unsettled.iter().all(|outcome| manifest.outcomes.get(*outcome).is_none_or(|count| *count == 0))
}

fn summarize(manifest: &Manifest, directory: &Path, terminal: &Terminal) {
    let counts: Vec<String> =
        manifest.outcomes.iter().map(|(outcome, count)| format!("{count} {outcome}")).collect();
    let total: u64 = manifest.outcomes.values().sum();
    terminal.say(&format!("{total} records in {}: {}", directory.display(), counts.join(", ")));
    if !settled(manifest) {
        terminal.say(&format!(
            "not every call was answered: what depends on the rest will be {}",
            Verdict::Unproven.name()
        ));
    }
}
