//! The broker inside another program, as `cadastre up` and `cadastre demo` run it.
#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

use std::path::Path;

use cadastre_server::{Broker, BrokerConfig, FormatOptions, Properties, RunningBroker, format};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

fn config(directory: &Path) -> BrokerConfig {
    let directory = directory.display().to_string();
    let properties: Properties = [
        ("listeners", "PLAINTEXT://127.0.0.1:0,INSIDE://127.0.0.1:0".to_owned()),
        ("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,INSIDE:SASL_PLAINTEXT".to_owned()),
        ("sasl.enabled.mechanisms", "SCRAM-SHA-256".to_owned()),
        ("log.dirs", format!("{directory}/data")),
        ("cadastre.key.file", format!("{directory}/keys/kek")),
    ]
    .into_iter()
    .collect();
    BrokerConfig::from_properties(properties).unwrap()
}

/// The first API key that `ApiVersions` version 0 names, with its versions.
async fn first_api(broker: &RunningBroker) -> [u8; 6] {
    let (name, address) = broker.listeners().into_iter().next().unwrap();
    assert_eq!(name, "PLAINTEXT");
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(&[0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 5, 255, 255]).await.unwrap();
    let mut head = [0; 14];
    stream.read_exact(&mut head).await.unwrap();
    assert_eq!(head[4..10], [0, 0, 0, 5, 0, 0]);
    let mut first = [0; 6];
    stream.read_exact(&mut first).await.unwrap();
    first
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_starts_stops_and_starts_again_in_one_process() {
    let directory = tempfile::tempdir().unwrap();
    let options = FormatOptions {
        cluster_id: Some("in-process".to_owned()),
        scram: vec!["SCRAM-SHA-256=[name=admin,password=admin-secret]".to_owned()],
        ..FormatOptions::default()
    };
    let formatted = format(&config(directory.path()), &options).await.unwrap();
    assert_eq!(
        (formatted.cluster_id.as_str(), formatted.users.as_slice()),
        ("in-process", &["admin".to_owned()][..])
    );
    for _ in 0..2 {
        let broker = Broker::start(config(directory.path())).await.unwrap();
        assert_eq!(broker.cluster_id(), "in-process");
        assert_eq!(broker.listeners().len(), 2);
        assert!(broker.listeners().iter().all(|(_, address)| address.port() != 0));
        assert_eq!(first_api(&broker).await, [0, 0, 0, 0, 0, 13]);
        assert_eq!(broker.failure(), None);
        let second = Broker::start(config(directory.path())).await.unwrap_err();
        assert!(cadastre_server::chain(&second).contains("in use by another process"), "{second}");
        broker.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn an_open_connection_does_not_keep_a_broker_from_stopping() {
    let directory = tempfile::tempdir().unwrap();
    let broker = Broker::start(config(directory.path())).await.unwrap();
    let (_, address) = broker.listeners().into_iter().next().unwrap();
    let mut idle = TcpStream::connect(address).await.unwrap();
    idle.write_all(&[0, 0]).await.unwrap();
    let stopped = tokio::time::timeout(std::time::Duration::from_secs(8), broker.shutdown()).await;
    stopped.expect("the broker stops").unwrap();
    let mut rest = Vec::new();
    // Closed, or reset because nobody had read the two bytes.
    assert!(matches!(idle.read_to_end(&mut rest).await, Ok(0) | Err(_)));
}
