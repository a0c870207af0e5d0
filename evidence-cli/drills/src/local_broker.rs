//! A bundled broker on this machine, as `cadastre up` makes one: a directory with its configuration and process id.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// The longest wait for a broker to stop or to accept connections.
const PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks at a process.
const PAUSE: Duration = Duration::from_millis(10);

/// The programs that run brokers: words before `--config FILE --ready-file FILE`.
#[derive(Debug, Clone, Default)]
pub struct Programs {
    /// This version.
    pub current: Vec<String>,
    /// The previous version, where one was given.
    pub previous: Option<PathBuf>,
}

impl Programs {
    /// None at all: nothing can be started.
    #[must_use]
    pub const fn none() -> Self {
        Self { current: Vec::new(), previous: None }
    }
}

/// A broker on this machine.
#[derive(Debug, Clone)]
pub struct LocalBroker {
    directory: PathBuf,
    properties: BTreeMap<String, String>,
    node: i32,
}

/// A local broker cannot be handled.
#[derive(Debug, thiserror::Error)]
pub enum LocalBrokerError {
    /// A file of it.
    #[error("cannot {action} `{path}`")]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: String,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// Its configuration lacks something.
    #[error("`{path}` has no usable `{property}`")]
    Property {
        /// The file.
        path: String,
        /// The property.
        property: &'static str,
    },
    /// It does not run.
    #[error("broker {node} does not run: `{path}` names no process of it")]
    NotRunning {
        /// The broker.
        node: i32,
        /// Its file with the process id.
        path: String,
    },
    /// It did not start.
    #[error("broker {node} did not start: {said}")]
    NotStarted {
        /// The broker.
        node: i32,
        /// The last line of its log.
        said: String,
    },
    /// It did not stop.
    #[error("broker {node} did not stop within {} s", PATIENCE.as_secs())]
    NotStopped {
        /// The broker.
        node: i32,
    },
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> LocalBrokerError {
    let path = path.display().to_string();
    move |source| LocalBrokerError::File { action, path, source }
}

impl LocalBroker {
    /// Reads a broker's directory.
    ///
    /// # Errors
    /// When its configuration cannot be read.
    pub fn read(directory: &Path) -> Result<Self, LocalBrokerError> {
        let directory = fs::canonicalize(directory).map_err(failed("find", directory))?;
        let path = directory.join("server.properties");
        let text = fs::read_to_string(&path).map_err(failed("read", &path))?;
        let properties: BTreeMap<String, String> = text
            .lines()
            .filter(|line| !line.trim_start().starts_with(['#', '!']))
            .filter_map(|line| line.split_once('='))
            .map(|(key, value)| (key.trim().to_owned(), value.trim().replace("\\\\", "\\")))
            .collect();
        let node = properties.get("node.id").and_then(|node| node.parse().ok());
        let node = node.ok_or_else(|| LocalBrokerError::Property {
            path: path.display().to_string(),
            property: "node.id",
        })?;
        Ok(Self { directory, properties, node })
    }

    /// Its node id.
    #[must_use]
    pub const fn node(&self) -> i32 {
        self.node
    }

    /// Its directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// `server.properties`.
    #[must_use]
    pub fn config_file(&self) -> PathBuf {
        self.directory.join("server.properties")
    }

    /// A property as it is written in the configuration.
    #[must_use]
    pub fn property(&self, name: &str) -> Option<&str> {
        self.properties.get(name).map(String::as_str)
    }

    /// The first log directory.
    ///
    /// # Errors
    /// When the configuration names none.
    pub fn log_directory(&self) -> Result<PathBuf, LocalBrokerError> {
        let named = self.property("log.dirs").or_else(|| self.property("log.dir"));
        named.and_then(|list| list.split(',').next()).map(PathBuf::from).ok_or_else(|| {
            LocalBrokerError::Property {
                path: self.config_file().display().to_string(),
                property: "log.dirs",
            }
        })
    }

    /// Whether it shares its storage with other brokers.
    #[must_use]
    pub fn is_clustered(&self) -> bool {
        self.property("cadastre.storage.mode") == Some("cluster")
    }

    /// `host:port` of its first listener.
    #[must_use]
    pub fn address(&self) -> Option<&str> {
        self.property("listeners")?.split(',').next()?.split_once("://").map(|(_, address)| address)
    }

    /// Its file with the key-encryption key; `None` where a key service holds it.
    #[must_use]
    pub fn key_file(&self) -> Option<PathBuf> {
        if self.property("cadastre.key.provider").is_some_and(|provider| provider != "local-file") {
            return None;
        }
        match self.property("cadastre.key.file") {
            Some(file) => Some(PathBuf::from(file)),
            None => Some(self.log_directory().ok()?.join("key-encryption.key")),
        }
    }

    /// Where it writes its audit log.
    ///
    /// # Errors
    /// When the configuration names no log directory.
    pub fn audit_directory(&self) -> Result<PathBuf, LocalBrokerError> {
        match self.property("cadastre.audit.directory") {
            Some(directory) => Ok(PathBuf::from(directory)),
            None => Ok(self.log_directory()?.join("audit")),
        }
    }

    fn pid_file(&self) -> PathBuf {
        self.directory.join("broker.pid")
    }

    /// Its process, when the one it wrote down still runs with its configuration.
    #[must_use]
    pub fn process(&self) -> Option<u32> {
        let pid: u32 = fs::read_to_string(self.pid_file()).ok()?.trim().parse().ok()?;
        let command = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let ours = command.split(|byte| *byte == 0).any(|word| {
            std::str::from_utf8(word).is_ok_and(|word| {
                fs::canonicalize(word).is_ok_and(|path| path == self.config_file())
                    || word == self.config_file().to_string_lossy()
            })
        });
        (ours && !is_zombie(pid)).then_some(pid)
    }

    /// Ends its process at once.
    ///
    /// # Errors
    /// When it does not run, or does not end.
    pub async fn kill(&self) -> Result<(), LocalBrokerError> {
        self.signal("-KILL").await
    }

    /// Asks its process to stop, and waits until it has.
    ///
    /// # Errors
    /// When it does not run, or does not end.
    pub async fn stop(&self) -> Result<(), LocalBrokerError> {
        self.signal("-TERM").await
    }

    async fn signal(&self, signal: &str) -> Result<(), LocalBrokerError> {
        let path = self.pid_file();
        let not_running =
            || LocalBrokerError::NotRunning { node: self.node, path: path.display().to_string() };
        let pid = self.process().ok_or_else(not_running)?;
        let status = tokio::process::Command::new("kill")
            .args([signal, &pid.to_string()])
            .status()
            .await
            .map_err(failed("run", Path::new("kill")))?;
        if !status.success() {
            return Err(not_running());
        }
        let started = Instant::now();
        while self.process().is_some() {
            if started.elapsed() > PATIENCE {
                return Err(LocalBrokerError::NotStopped { node: self.node });
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    /// Starts it with this version's program, unless it runs.
    ///
    /// # Errors
    /// When it does not accept connections in time.
    pub async fn start(&self, programs: &Programs) -> Result<(), LocalBrokerError> {
        self.start_as(&programs.current).await
    }

    /// Starts it with another program.
    ///
    /// # Errors
    /// When it does not accept connections in time.
    pub async fn start_as(&self, program: &[String]) -> Result<(), LocalBrokerError> {
        if self.process().is_some() {
            return Ok(());
        }
        let said = |said: String| LocalBrokerError::NotStarted { node: self.node, said };
        let Some((first, words)) = program.split_first() else {
            return Err(said("there is no program to start it with".to_owned()));
        };
        let ready = self.directory.join("ready");
        match fs::remove_file(&ready) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(failed("remove", &ready)(error));
            }
            _ => {}
        }
        let path = self.directory.join("broker.log");
        let log = OpenOptions::new().create(true).append(true).open(&path).map_err(failed("open", &path))?;
        let errors = log.try_clone().map_err(failed("open", &path))?;
        let mut child = tokio::process::Command::new(first)
            .args(words)
            .arg("--config")
            .arg(self.config_file())
            .arg("--ready-file")
            .arg(&ready)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .process_group(0)
            .spawn()
            .map_err(failed("run", Path::new(first)))?;
        let pid = child.id().unwrap_or_default();
        write_private(&self.pid_file(), &format!("{pid}\n"))?;
        let started = Instant::now();
        while !ready.exists() {
            let ended = child.try_wait().map_err(failed("wait for", Path::new(first)))?;
            if let Some(status) = ended {
                return Err(said(self.last_words(&format!("it ended with {status}"))));
            }
            if started.elapsed() > PATIENCE {
                return Err(said(format!("it accepted no connection within {} s", PATIENCE.as_secs())));
            }
            tokio::time::sleep(PAUSE).await;
        }
        // Whoever ends the process later leaves a zombie until somebody asks; the broker outlives this command.
        tokio::spawn(async move { child.wait().await });
        Ok(())
    }

    fn last_words(&self, otherwise: &str) -> String {
        let log = fs::read_to_string(self.directory.join("broker.log")).unwrap_or_default();
        let last = log.lines().rev().find(|line| !line.trim().is_empty());
        last.map_or_else(|| otherwise.to_owned(), |line| line.trim_start_matches("error: ").to_owned())
    }

    /// A copy of its configuration in another directory with some properties changed, and the broker there.
    ///
    /// # Errors
    /// When the copy cannot be written.
    pub fn derive(&self, directory: &Path, changes: &[(&str, String)]) -> Result<Self, LocalBrokerError> {
        fs::create_dir_all(directory).map_err(failed("create", directory))?;
        let mut properties = self.properties.clone();
        for (name, value) in changes {
            properties.insert((*name).to_owned(), value.clone());
        }
        let path = directory.join("server.properties");
        write_private(&path, &written(&properties))?;
        Self::read(directory)
    }

    /// Writes its configuration anew with some properties changed; an empty value takes one away.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn reconfigured(&self, changes: &[(&str, String)]) -> Result<Self, LocalBrokerError> {
        let mut properties = self.properties.clone();
        for (name, value) in changes {
            if value.is_empty() {
                properties.remove(*name);
            } else {
                properties.insert((*name).to_owned(), value.clone());
            }
        }
        write_private(&self.config_file(), &written(&properties))?;
        Self::read(&self.directory)
    }
}

fn written(properties: &BTreeMap<String, String>) -> String {
    properties.iter().map(|(key, value)| format!("{key}={}\n", value.replace('\\', "\\\\"))).collect()
}

/// Whether a process has ended and is only waiting for its parent to ask.
fn is_zombie(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z')))
}

/// Writes a file that only its owner may read, whole or not at all.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn write_private(path: &Path, text: &str) -> Result<(), LocalBrokerError> {
    let temporary = path.with_extension("new");
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(&temporary)
        .map_err(failed("write", &temporary))?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed("write", &temporary))?;
    fs::rename(&temporary, path).map_err(failed("write", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broker(text: &str) -> (tempfile::TempDir, LocalBroker) {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("server.properties"), text).unwrap();
        let broker = LocalBroker::read(directory.path()).unwrap();
        (directory, broker)
    }

    #[test]
    fn a_broker_is_read_from_its_properties() {
        let (_directory, broker) =
            broker("# first\nnode.id = 4\nlisteners=A://127.0.0.1:9,B://127.0.0.1:10\nlog.dirs=/x,/y\n");
        assert_eq!(broker.node(), 4);
        assert_eq!(broker.address(), Some("127.0.0.1:9"));
        assert_eq!(broker.key_file().unwrap(), Path::new("/x/key-encryption.key"));
        assert_eq!(broker.audit_directory().unwrap(), Path::new("/x/audit"));
        assert!(!broker.is_clustered());
    }

    #[test]
    fn a_process_that_is_not_the_broker_is_never_taken_for_it() {
        let (directory, broker) = broker("node.id=4\n");
        fs::write(directory.path().join("broker.pid"), format!("{}\n", std::process::id())).unwrap();
        assert_eq!(broker.process(), None);
    }

    #[test]
    fn a_property_is_changed_and_taken_away() {
        let (_directory, broker) = broker("node.id=4\nlog.dirs=/x\n");
        let changed = broker.reconfigured(&[("log.dirs", String::new()), ("a", "b".to_owned())]).unwrap();
        assert_eq!((changed.property("log.dirs"), changed.property("a")), (None, Some("b")));
    }
}
