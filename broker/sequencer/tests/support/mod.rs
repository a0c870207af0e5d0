//! A PostgreSQL server that a test starts itself, on a Unix socket in a directory of its own.

#![allow(dead_code, reason = "each test program uses a part of this")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock, mpsc};
use std::time::Duration;

use cadastre_keys::{KeyProvider, LocalKeyFile};
use cadastre_sequencer::{PostgresConfig, PostgresSequencer};

/// A server. Stopped when dropped; the one that tests share ends with the process.
#[derive(Debug)]
pub(crate) struct Server {
    directory: PathBuf,
    owner: Option<(u32, u32)>,
}

static COUNTER: AtomicU32 = AtomicU32::new(0);

/// The server that the tests of one program share. `None` when PostgreSQL is not installed.
pub(crate) fn shared_server() -> Option<&'static Server> {
    static SHARED: OnceLock<Option<Server>> = OnceLock::new();
    SHARED
        .get_or_init(|| {
            let (sender, started) = mpsc::channel();
            // The kernel tells the server when this thread, hence the process, ends.
            std::thread::spawn(move || {
                sender.send(Server::start(true)).unwrap();
                loop {
                    std::thread::park();
                }
            });
            started.recv().unwrap()
        })
        .as_ref()
}

impl Server {
    /// Starts a server, unless PostgreSQL is not installed, which is said. `CADASTRE_POSTGRES_BIN` names the directory of
    /// its programs, else they are looked up in the `PATH`.
    pub(crate) fn start(ends_with_thread: bool) -> Option<Self> {
        if Command::new(program("initdb")).arg("--version").stdout(Stdio::null()).status().is_err() {
            println!("skipped: PostgreSQL is not installed");
            return None;
        }
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let directory = std::env::temp_dir().join(format!("cadastre-pg-{}-{number}", std::process::id()));
        remove_leftovers();
        std::fs::create_dir_all(&directory).unwrap();
        let server = Self { owner: owner(), directory };
        if let Some((user, group)) = server.owner {
            std::os::unix::fs::chown(&server.directory, Some(user), Some(group)).unwrap();
        }
        let data = server.directory.join("data");
        let made = server
            .command("initdb", false)
            .arg("-D")
            .arg(&data)
            .args(["-U", "postgres", "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C"])
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(made.success(), "initdb failed");
        server.launch(ends_with_thread);
        Some(server)
    }

    fn launch(&self, ends_with_thread: bool) {
        let log =
            std::fs::OpenOptions::new().create(true).append(true).open(self.directory.join("log")).unwrap();
        let mut launched = self
            .command("postgres", ends_with_thread)
            .arg("-D")
            .arg(self.directory.join("data"))
            .arg("-k")
            .arg(&self.directory)
            .args([
                "-c",
                "listen_addresses=",
                "-c",
                "max_connections=200",
                "-c",
                "shared_buffers=64MB",
                "-c",
                "recovery_init_sync_method=syncfs",
            ])
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        // Somebody has to collect it when it ends.
        std::thread::spawn(move || launched.wait());
        self.wait_until_ready();
    }

    /// Ends the server as a crash does, and starts it again.
    pub(crate) fn restart_after_crash(&self) {
        self.crash();
        self.launch(false);
    }

    /// Ends the server as a crash does.
    pub(crate) fn crash(&self) {
        let stopped = self
            .command("pg_ctl", false)
            .args(["stop", "-m", "immediate", "-D"])
            .arg(self.directory.join("data"))
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(stopped.success());
    }

    /// Starts a server again that has ended.
    pub(crate) fn start_again(&self) {
        self.launch(false);
    }

    fn wait_until_ready(&self) {
        for _ in 0..600 {
            let answered = self.psql("SELECT 1");
            if answered.is_some() {
                return;
            }
            std::thread::park_timeout(Duration::from_millis(50));
        }
        panic!("the server does not start: {}", std::fs::read_to_string(self.directory.join("log")).unwrap());
    }

    /// Runs a statement as the administrator; gives its output, or nothing when it fails.
    pub(crate) fn psql(&self, statement: &str) -> Option<String> {
        let output = Command::new(program("psql"))
            .args(["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", "postgres", "-h"])
            .arg(&self.directory)
            .args(["-c", statement])
            .output()
            .unwrap();
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap().trim().to_owned())
    }

    fn command(&self, name: &str, ends_with_thread: bool) -> Command {
        let mut command = match self.owner {
            None => Command::new(program(name)),
            Some((user, group)) => {
                let mut command = Command::new("setpriv");
                command.args([
                    format!("--reuid={user}"),
                    format!("--regid={group}"),
                    "--clear-groups".to_owned(),
                ]);
                if ends_with_thread {
                    command.args(["--pdeathsig", "QUIT"]);
                }
                command.arg(program(name));
                command
            }
        };
        command.current_dir(&self.directory);
        command
    }

    /// Settings for a schema of this name.
    pub(crate) fn config(&self, schema: &str) -> PostgresConfig {
        let connection = format!("host={} user=postgres dbname=postgres", self.directory.display());
        let mut config = PostgresConfig::new(connection, "test-cluster");
        config.schema = schema.to_owned();
        config.poll_interval = Duration::from_millis(200);
        config
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _stopped = self
            .command("pg_ctl", false)
            .args(["stop", "-m", "immediate", "-D"])
            .arg(self.directory.join("data"))
            .stdout(Stdio::null())
            .status();
        let _removed = std::fs::remove_dir_all(&self.directory);
    }
}

fn program(name: &str) -> PathBuf {
    let beside = |directory| Path::new(&directory).join(name);
    std::env::var_os("CADASTRE_POSTGRES_BIN")
        .map(beside)
        .filter(|it| it.exists())
        .unwrap_or_else(|| name.into())
}

/// PostgreSQL refuses to run as root; then a system user does.
fn owner() -> Option<(u32, u32)> {
    let id = |arguments: &[&str]| {
        let output = Command::new("id").args(arguments).output().ok().filter(|it| it.status.success())?;
        String::from_utf8(output.stdout).ok()?.trim().parse::<u32>().ok()
    };
    if id(&["-u"]) != Some(0) {
        return None;
    }
    ["postgres", "nobody"].iter().find_map(|user| Some((id(&["-u", user])?, id(&["-g", user])?)))
}

/// Removes directories of processes that are gone.
fn remove_leftovers() {
    for entry in std::fs::read_dir(std::env::temp_dir()).unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(process) = name.strip_prefix("cadastre-pg-").and_then(|it| it.split('-').next()) else {
            continue;
        };
        if !Path::new("/proc").join(process).exists() {
            let _removed = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// A key provider for tests; every call gives one with the same key.
pub(crate) fn provider() -> Arc<dyn KeyProvider> {
    static DIRECTORY: OnceLock<tempfile::TempDir> = OnceLock::new();
    static PROVIDER: OnceLock<Arc<LocalKeyFile>> = OnceLock::new();
    let provider = PROVIDER.get_or_init(|| {
        let directory = DIRECTORY.get_or_init(|| tempfile::tempdir().unwrap());
        Arc::new(LocalKeyFile::create(&directory.path().join("key")).unwrap())
    });
    let provider: Arc<LocalKeyFile> = Arc::clone(provider);
    provider
}

/// A name that no other test uses.
pub(crate) fn fresh_schema() -> String {
    format!("t{}", COUNTER.fetch_add(1, Ordering::Relaxed))
}

/// One more broker's access to a schema.
pub(crate) async fn open(server: &Server, schema: &str) -> PostgresSequencer {
    PostgresSequencer::open(server.config(schema), provider()).await.unwrap()
}
