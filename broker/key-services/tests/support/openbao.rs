//! A real OpenBao in development mode.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

use cadastre_key_services::{Endpoint, SecretFile, VaultTransit, VaultTransitConfig};
use cadastre_keys::KeyError;
use serde_json::{Value, json};

use super::{Server, free_port, limits, listening, program};

const ROOT: &str = "root-token-of-a-test";

/// A server with the transit engine mounted.
#[derive(Debug)]
pub(crate) struct OpenBao {
    pub(crate) port: u16,
    directory: tempfile::TempDir,
    _server: Server,
}

impl OpenBao {
    pub(crate) async fn start() -> Option<Self> {
        let program = program("bao")?;
        let directory = tempfile::tempdir().unwrap();
        let port = free_port();
        let mut command = Command::new(program);
        command
            .args(["server", "-dev", "-dev-no-store-token"])
            .arg(format!("-dev-root-token-id={ROOT}"))
            .arg(format!("-dev-listen-address=127.0.0.1:{port}"))
            .env("HOME", directory.path())
            .stdout(Stdio::null());
        let server = Server::start(&mut command);
        listening(port).await;
        let bao = Self { port, directory, _server: server };
        bao.write_token(ROOT);
        for _ in 0..100 {
            if bao.call("POST", "sys/mounts/transit", json!({"type": "transit"})).await.is_some() {
                return Some(bao);
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        panic!("the transit engine cannot be mounted");
    }

    pub(crate) fn token_file(&self) -> PathBuf {
        self.directory.path().join("token")
    }

    pub(crate) fn write_token(&self, token: &str) {
        std::fs::write(self.token_file(), format!("{token}\n")).unwrap();
    }

    /// Calls the server as root; `None` when it refuses.
    pub(crate) async fn call(&self, method: &str, path: &str, body: Value) -> Option<Value> {
        let url = format!("http://127.0.0.1:{}/v1/{path}", self.port);
        let request = reqwest::Client::new()
            .request(method.parse().unwrap(), url)
            .header("x-vault-token", ROOT)
            .body(body.to_string());
        let response = request.send().await.unwrap();
        let is_success = response.status().is_success();
        let text = response.text().await.unwrap();
        is_success.then(|| serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    /// Makes a key.
    pub(crate) async fn key(&self, name: &str, derived: bool) {
        let body = json!({"type": "aes256-gcm96", "derived": derived});
        self.call("POST", &format!("transit/keys/{name}"), body).await.unwrap();
    }

    pub(crate) async fn service(&self, port: u16, name: &str) -> Result<Arc<VaultTransit>, KeyError> {
        VaultTransit::open(VaultTransitConfig {
            address: Endpoint::parse("address", &format!("http://127.0.0.1:{port}")).unwrap(),
            mount: "transit".to_owned(),
            key_name: name.to_owned(),
            namespace: None,
            token: SecretFile::new(self.token_file()),
            limits: limits(),
            trust: cadastre_key_services::Trust::System,
        })
        .await
    }
}
