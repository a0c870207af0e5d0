//! AWS KMS: moto for everything but key states, MiniStack for those.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_kms::Client;
use aws_sdk_kms::config::{Credentials, SharedCredentialsProvider};
use cadastre_key_services::{AwsKms, AwsKmsConfig, Endpoint};

use super::{Server, free_port, limits, listening, program, python};

/// A server that speaks KMS.
#[derive(Debug)]
pub(crate) struct Aws {
    pub(crate) port: u16,
    pub(crate) client: Client,
    _server: Server,
    _directory: Option<tempfile::TempDir>,
}

/// The documentation's own credentials.
pub(crate) fn sdk_config(port: u16) -> SdkConfig {
    let credentials = Credentials::builder()
        .access_key_id("111122223333")
        .secret_access_key("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
        .provider_name("tests")
        .build();
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .endpoint_url(format!("http://127.0.0.1:{port}"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build()
}

impl Aws {
    pub(crate) async fn moto() -> Option<Self> {
        let fixtures = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/reference-account");
        let mut command = Command::new(python()?);
        command.arg("-B").arg(fixtures.join("server.py")).stdout(Stdio::piped());
        let mut server = Server::start(&mut command);
        let url = server.first_line();
        let port: u16 = url.rsplit(':').next().unwrap().parse().unwrap();
        let client = Client::new(&sdk_config(port));
        Some(Self { port, client, _server: server, _directory: None })
    }

    pub(crate) async fn ministack() -> Option<Self> {
        let port = free_port();
        let directory = tempfile::tempdir().unwrap();
        let mut command = Command::new(program("ministack")?);
        command.env("BIND_HOST", "127.0.0.1").env("GATEWAY_PORT", port.to_string());
        command.current_dir(directory.path()).stdout(Stdio::null());
        let server = Server::start(&mut command);
        listening(port).await;
        let client = Client::new(&sdk_config(port));
        Some(Self { port, client, _server: server, _directory: Some(directory) })
    }

    /// A new key's ARN.
    pub(crate) async fn key(&self) -> String {
        let made = self.client.create_key().send().await.unwrap();
        made.key_metadata.unwrap().arn.unwrap()
    }

    pub(crate) fn service(port: u16, key_arn: &str, previous: &[&str]) -> Arc<AwsKms> {
        let config = AwsKmsConfig {
            key_arn: key_arn.to_owned(),
            previous_key_arns: previous.iter().map(|arn| (*arn).to_owned()).collect(),
            endpoint: Some(Endpoint::parse("endpoint", &format!("http://127.0.0.1:{port}")).unwrap()),
            limits: limits(),
        };
        AwsKms::with_sdk_config(config, &sdk_config(port)).unwrap()
    }
}
