//! `cadastre up`, `down` and `status`: the bundled broker as a process of its own.

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use cadastre_model::progress::Progress;
use cadastre_server::{Broker, BrokerConfig};
use serde_json::json;

use super::local_cluster::{ADMIN, LocalCluster, MECHANISM, SCANNER};
use super::output;
use crate::args::assess::TableFormat;
use crate::args::broker::{RunBroker, State, Status, Up};
use crate::exit::Exit;
use crate::terminal::{self, Terminal, columns};

/// The longest wait for a broker to accept connections, or to stop.
const PATIENCE: Duration = Duration::from_secs(30);

/// Files of the state directory.
struct Paths {
    pid: PathBuf,
    ready: PathBuf,
    log: PathBuf,
    boundary: PathBuf,
}

impl Paths {
    fn of(state: &Path) -> Self {
        Self {
            pid: state.join("broker.pid"),
            ready: state.join("ready"),
            log: state.join("broker.log"),
            boundary: state.join("boundary.yaml"),
        }
    }
}

/// Starts the broker, setting it up first where that was not done.
pub(super) fn up(arguments: &Up, terminal: &Terminal) -> anyhow::Result<Exit> {
    let state = &arguments.state.state;
    let paths = Paths::of(state);
    let cluster = LocalCluster::at(state);
    if arguments.renew_certificate {
        if !cluster.exists() {
            bail!("no broker was set up in `{}`", state.display());
        }
        cluster.renew_certificate()?;
        if let Some(pid) = running(&paths) {
            let asked = Command::new("kill").args(["-HUP", &pid.to_string()]).status();
            if !asked.context("cannot run kill")?.success() {
                bail!("process {pid} could not be asked to read its certificate");
            }
        }
    }
    if let Some(pid) = running(&paths) {
        terminal.say(&format!("the broker runs already, as process {pid}"));
        return status_of(state, TableFormat::Table);
    }
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    let fresh = !cluster.exists();
    if fresh {
        terminal.step("making certificates, credentials and an encrypted log");
        runtime.block_on(cluster.create(arguments.port, &[]))?;
    } else if arguments.port != 0 && !cluster.bootstrap()?.ends_with(&format!(":{}", arguments.port)) {
        bail!(
            "the broker in `{}` listens on {}; change `listeners` in {} to move it",
            state.display(),
            cluster.bootstrap()?,
            cluster.config_file().display()
        );
    }
    terminal.step("starting the broker");
    let child = spawn(&cluster, &paths)?;
    let pid = child.id();
    wait_until_ready(child, &paths)?;
    output::write(&paths.pid, format!("{pid}\n"))?;
    if fresh {
        runtime.block_on(cluster.administer(&[]))?;
        output::write(&paths.boundary, &boundary(&cluster, state)?)?;
    }
    terminal.finish();
    status_of(state, TableFormat::Table)
}

fn boundary(cluster: &LocalCluster, state: &Path) -> anyhow::Result<String> {
    Ok(format!(
        "# The boundary of the bundled broker on this machine.\nschema: cadastre/boundary/v1\nname: local\noperating-model: self-managed\narchitecture: broker-local-disks\nevidence:\n  maximum-age: 24h\n  callers: [\"User:{SCANNER}\"]\nclusters:\n{}{}",
        cluster.declaration("local", &[], state)?,
        cluster.drills(state)?
    ))
}

fn spawn(cluster: &LocalCluster, paths: &Paths) -> anyhow::Result<Child> {
    match fs::remove_file(&paths.ready) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("cannot remove `{}`", paths.ready.display()));
        }
        _ => {}
    }
    let log = File::create(&paths.log).with_context(|| format!("cannot write `{}`", paths.log.display()))?;
    let program = std::env::current_exe().context("cannot find this program")?;
    Command::new(program)
        .arg("run-broker")
        .arg("--config")
        // Named in full, so that whoever looks at the process from elsewhere can tell whose it is.
        .arg(fs::canonicalize(cluster.config_file()).context("cannot find the configuration")?)
        .arg("--ready-file")
        .arg(&paths.ready)
        .stdin(Stdio::null())
        .stdout(log.try_clone().context("cannot share the log")?)
        .stderr(log)
        .process_group(0)
        .spawn()
        .context("cannot start the broker")
}

fn wait_until_ready(mut child: Child, paths: &Paths) -> anyhow::Result<()> {
    let started = Instant::now();
    loop {
        if paths.ready.exists() {
            return Ok(());
        }
        if let Some(status) = child.try_wait()? {
            let log = fs::read_to_string(&paths.log).unwrap_or_default();
            let said = log.lines().rev().find(|line| !line.trim().is_empty());
            bail!(
                "the broker did not start: {}",
                said.map_or_else(
                    || format!("it ended with {status}"),
                    |line| line.trim_start_matches("error: ").to_owned()
                )
            );
        }
        if started.elapsed() > PATIENCE {
            child.kill().context("cannot end the broker")?;
            bail!(
                "the broker did not accept connections within {} s; its log is {}",
                PATIENCE.as_secs(),
                paths.log.display()
            );
        }
        pause();
    }
}

#[expect(clippy::disallowed_methods, reason = "waits for another process, outside any runtime")]
fn pause() {
    std::thread::sleep(Duration::from_millis(20));
}

/// The broker's process id, when the process that wrote it still runs this program's broker.
fn running(paths: &Paths) -> Option<u32> {
    let pid: u32 = fs::read_to_string(&paths.pid).ok()?.trim().parse().ok()?;
    let command = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let ours = command.split(|byte| *byte == 0).any(|word| word == b"run-broker");
    ours.then_some(pid)
}

/// Stops the broker.
pub(super) fn down(arguments: &State, terminal: &Terminal) -> anyhow::Result<Exit> {
    let paths = Paths::of(&arguments.state);
    let Some(pid) = running(&paths) else {
        terminal.say("no broker runs here");
        return Ok(Exit::Clean);
    };
    let asked = Command::new("kill").arg(pid.to_string()).status().context("cannot run kill")?;
    if !asked.success() {
        bail!("process {pid} could not be asked to stop");
    }
    let started = Instant::now();
    while running(&paths).is_some() {
        if started.elapsed() > PATIENCE {
            bail!(
                "process {pid} has not stopped within {} s; its log is {}",
                PATIENCE.as_secs(),
                paths.log.display()
            );
        }
        pause();
    }
    for path in [&paths.pid, &paths.ready] {
        match fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot remove `{}`", path.display()));
            }
            _ => {}
        }
    }
    terminal.say(&format!("stopped process {pid}; the data stays in {}", arguments.state.display()));
    Ok(Exit::Clean)
}

/// Says whether the broker runs, where, and how to connect.
pub(super) fn status(arguments: &Status) -> anyhow::Result<Exit> {
    status_of(&arguments.state.state, arguments.format)
}

fn status_of(state: &Path, format: TableFormat) -> anyhow::Result<Exit> {
    let paths = Paths::of(state);
    let cluster = LocalCluster::at(state);
    let pid = running(&paths);
    let bootstrap = if cluster.exists() { Some(cluster.bootstrap()?) } else { None };
    let text = match format {
        TableFormat::Json => {
            let document = json!({
                "running": pid.is_some(),
                "pid": pid,
                "bootstrap": bootstrap,
                "security_protocol": "SASL_SSL",
                "sasl_mechanism": MECHANISM,
                "ca_file": cluster.ca_file(),
                "admin": {"username": ADMIN, "password_file": cluster.password_file(ADMIN)},
                "scanner": {"username": SCANNER, "password_file": cluster.password_file(SCANNER)},
                "boundary": paths.boundary,
                "log": paths.log,
            });
            serde_json::to_string_pretty(&document)? + "\n"
        }
        TableFormat::Table => {
            let Some(bootstrap) = bootstrap else {
                terminal::print("not set up: `cadastre up` starts a broker here\n")?;
                return Ok(Exit::Clean);
            };
            let row = |name: &str, value: String| vec![name.to_owned(), value];
            columns(&[
                row(
                    "broker",
                    pid.map_or_else(|| "stopped".to_owned(), |pid| format!("running, process {pid}")),
                ),
                row("bootstrap", bootstrap),
                row("security", format!("SASL_SSL, {MECHANISM}")),
                row("trust", cluster.ca_file().display().to_string()),
                row("admin", format!("{ADMIN}, password in {}", cluster.password_file(ADMIN).display())),
                row(
                    "scanner",
                    format!("{SCANNER}, password in {}", cluster.password_file(SCANNER).display()),
                ),
                row("scan it", format!("cadastre scan -b {} -o evidence", paths.boundary.display())),
                row("exercise it", format!("cadastre prove -b {} -o evidence", paths.boundary.display())),
            ])
        }
    };
    terminal::print(&text)?;
    Ok(Exit::Clean)
}

/// Runs the broker in the foreground until it is told to stop.
pub(super) fn run(arguments: &RunBroker) -> anyhow::Result<Exit> {
    // As in `cadastre-broker`: a log on a full disk must not end the thread that writes to it.
    let subscriber = tracing_subscriber::fmt().log_internal_errors(false);
    subscriber.with_writer(std::io::stderr).with_ansi(false).init();
    let config = BrokerConfig::load(&arguments.config)?;
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    runtime.block_on(async {
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        let mut hangup = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup())?;
        let broker = Broker::start(config).await?;
        fs::write(&arguments.ready_file, b"").context("cannot write the ready file")?;
        loop {
            tokio::select! {
                _ = terminate.recv() => break,
                interrupted = tokio::signal::ctrl_c() => break interrupted?,
                // What was refused is in the log, and the certificate before it stays.
                _ = hangup.recv() => drop(broker.reload_certificates().await),
            }
        }
        broker.shutdown().await?;
        anyhow::Ok(())
    })?;
    Ok(Exit::Clean)
}
