//! noida-db: a broker of other hands without access control, good for requests that are not supported.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::free_ports;

/// The program, where the environment names it (`pip install noida-db` brings it).
pub(crate) fn program() -> Option<PathBuf> {
    std::env::var_os("CADASTRE_NOIDA_DB").map(PathBuf::from).filter(|path| path.is_file())
}

/// A running noida-db. Stopped when dropped.
pub(crate) struct Noida {
    process: Child,
    port: u16,
    _directory: TempDir,
}

impl Drop for Noida {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

impl Noida {
    /// Starts it with nothing but Kafka's protocol.
    pub(crate) async fn start(program: &Path) -> Self {
        let directory = TempDir::with_prefix("cadastre-noida-").unwrap();
        let port = free_ports(1)[0];
        let process = Command::new(program)
            .args(["start", "--only", "kafka", "--kafka-port", &port.to_string(), "--data-dir"])
            .arg(directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let noida = Self { process, port, _directory: directory };
        for _ in 0..240 {
            if tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
                return noida;
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        panic!("noida-db did not start");
    }

    /// Where clients connect.
    pub(crate) fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}
