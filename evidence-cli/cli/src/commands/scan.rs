//! `cadastre scan`: collects evidence, read-only.

use std::fs;
use std::path::Path;

use anyhow::Context;
use cadastre_collect::aws::{self, AccountTarget, AwsTarget};
use cadastre_collect::azure::{self, AzureTarget};
use cadastre_collect::kafka::{self, KafkaOptions, KafkaTarget};
use cadastre_logs::events::KeyLedger;
use cadastre_logs::evidence::{self, LogSources};
use cadastre_logs::trail::PublicKeys;
use cadastre_model::checklist::Verdict;
use cadastre_model::declaration::{Declaration, Provider};
use cadastre_model::evidence::{Evidence, EvidenceWriter, Manifest};
use cadastre_model::progress::Progress;
use cadastre_model::{Clock, Observation, RecordSink, SystemClock, Timestamp};
use cadastre_offline::OfflineFile;
use tokio_util::sync::CancellationToken;

use super::{documents, output};
use crate::args::collect::{Collector, Scan};
use crate::exit::Exit;
use crate::terminal::{self, Terminal};

/// How long calls in flight may take to end after Ctrl-C.
const GRACE: std::time::Duration = std::time::Duration::from_secs(5);

/// Scans everything that the declaration names.
pub(super) fn run(arguments: &Scan, terminal: &Terminal) -> anyhow::Result<Exit> {
    if arguments.permissions && arguments.only == [Collector::Azure] {
        let subscriptions = Declaration::read(&arguments.boundary).map(|declaration| of_azure(&declaration));
        let role = azure::permissions::role_definition(&subscriptions.unwrap_or_default());
        terminal::print(&(serde_json::to_string_pretty(&role)? + "\n"))?;
        return Ok(Exit::Clean);
    }
    if arguments.permissions {
        terminal::print(&(serde_json::to_string_pretty(&aws::permissions::iam_policy())? + "\n"))?;
        return Ok(Exit::Clean);
    }
    if let (Some(files), Some(directory)) = (&arguments.offline, &arguments.output) {
        return offline(files, directory, arguments, terminal);
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
    if arguments.only.is_empty() || arguments.only.contains(&Collector::Logs) {
        for observation in logs(arguments, &declaration, terminal)? {
            writer.put(observation)?;
        }
    }
    if arguments.only.is_empty() || arguments.only.contains(&Collector::Documents) {
        let at = clock.now().truncated_to_seconds();
        for observation in documents::observe(&declaration, &arguments.boundary, at, terminal) {
            writer.put(observation)?;
        }
    }
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

/// Turns files that others exported into evidence. Their own times date the evidence, so that the same files give the
/// same bytes.
fn offline(files: &Path, directory: &Path, arguments: &Scan, terminal: &Terminal) -> anyhow::Result<Exit> {
    let declaration = Declaration::read(&arguments.boundary)?;
    if arguments.force {
        output::remove_evidence(directory)?;
    }
    terminal.step("reading files");
    let mut exported = Vec::new();
    gather(files, files, &mut exported, terminal)?;
    let mut read = cadastre_offline::read(&exported)?;
    for observation in logs(arguments, &declaration, terminal)? {
        read.records.push(observation.seal()?);
    }
    anyhow::ensure!(!read.records.is_empty(), "`{}` holds no answer that can be read", files.display());
    let times = || read.records.iter().map(|record| record.observed_at);
    let (Some(started_at), Some(finished_at)) = (times().min(), times().max()) else {
        anyhow::bail!("`{}` holds no answer that can be read", files.display());
    };
    // Documents are read beside the newest answer, and dated like it: the same files give the same bytes.
    for observation in documents::observe(&declaration, &arguments.boundary, finished_at, terminal) {
        read.records.push(observation.seal()?);
    }
    for (path, reason) in &read.skipped {
        terminal.warn(&format!("`{}` was not read: {}", terminal::inert(path), terminal::inert(reason)));
    }
    let evidence =
        Evidence::from_records(read.records, env!("CARGO_PKG_VERSION"), started_at, finished_at, true);
    let manifest = evidence.write(directory)?;
    terminal.finish();
    summarize(&manifest, directory, terminal);
    Ok(if settled(&manifest) { Exit::Clean } else { Exit::Incomplete })
}

/// What the files of `--trail` and `--key-ledger` tell.
fn logs(
    arguments: &Scan,
    declaration: &Declaration,
    terminal: &Terminal,
) -> anyhow::Result<Vec<Observation>> {
    let Some(trail) = &arguments.trail else { return Ok(Vec::new()) };
    terminal.step("verifying and reading the trail");
    let public_keys = arguments.trail_keys.as_deref().map(PublicKeys::read).transpose()?;
    let ledgers: Vec<KeyLedger> =
        arguments.key_ledger.iter().map(|path| KeyLedger::read(path)).collect::<Result<_, _>>()?;
    let accounts = declaration.accounts.iter().filter(|account| account.provider == Provider::Aws);
    let fields = accounts
        .flat_map(|account| {
            declaration.regions.iter().map(move |region| (account.id.clone(), region.clone()))
        })
        .collect();
    Ok(evidence::observe(&LogSources {
        trail,
        public_keys: public_keys.as_ref(),
        ledgers: &ledgers,
        keys: declaration
            .keys
            .iter()
            .filter(|key| key.id.starts_with("arn:"))
            .map(|key| key.id.clone())
            .collect(),
        skew: arguments.clock_skew,
        window: declaration.limits.usage_window.seconds(),
        fields,
    })?)
}

/// Every file below a directory, with the time at which it was written.
fn gather(
    root: &Path,
    directory: &Path,
    files: &mut Vec<OfflineFile>,
    terminal: &Terminal,
) -> anyhow::Result<()> {
    let cannot = || format!("cannot read `{}`", directory.display());
    for entry in fs::read_dir(directory).with_context(cannot)? {
        let path = entry.with_context(cannot)?.path();
        let cannot = || format!("cannot read `{}`", path.display());
        let metadata = fs::symlink_metadata(&path).with_context(cannot)?;
        if metadata.is_dir() {
            gather(root, &path, files, terminal)?;
        } else if metadata.is_file() {
            anyhow::ensure!(
                metadata.len() <= cadastre_offline::MAXIMUM_SIZE as u64,
                "`{}` is larger than {} bytes",
                path.display(),
                cadastre_offline::MAXIMUM_SIZE
            );
            let written = metadata.modified().with_context(cannot)?;
            let seconds = written.duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs());
            let written_at = i64::try_from(seconds).ok().and_then(Timestamp::from_seconds);
            let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
            files.push(OfflineFile {
                path: name,
                content: fs::read(&path).with_context(cannot)?,
                written_at: written_at.with_context(|| format!("`{}` has no usable date", path.display()))?,
            });
        } else {
            terminal.warn(&format!(
                "`{}` was not read: it is no file, and links are not followed",
                path.display()
            ));
        }
    }
    Ok(())
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
    let subscriptions = async {
        let target = AzureTarget {
            endpoint_url: arguments.azure_endpoint_url.clone(),
            credential: None,
            subscriptions: of_azure(declaration),
        };
        if wants(Collector::Azure) && !target.subscriptions.is_empty() {
            azure::collect(&target, writer, &SystemClock, terminal, cancelled).await?;
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
    let work = async { tokio::try_join!(clouds, subscriptions, clusters) };
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

/// The subscriptions that are declared.
fn of_azure(declaration: &Declaration) -> Vec<String> {
    let accounts = declaration.accounts.iter().filter(|account| account.provider == Provider::Azure);
    accounts.map(|account| account.id.clone()).collect()
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
