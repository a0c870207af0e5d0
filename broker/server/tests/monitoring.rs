//! Metrics and health of a running broker, as an operator's tools ask for them.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "the helpers of tests fail as tests do"
)]

mod common;
#[path = "../../sequencer/tests/support/mod.rs"]
mod postgres;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::Instant;

use cadastre_server::{Broker, BrokerConfig, FormatOptions, Properties, RunningBroker, format};
use common::{PATIENCE, TestBroker, pause};
use serde_json::Value;

/// Status and body of what is answered to one request.
fn ask(address: SocketAddr, method: &str, path: &str) -> (u16, String) {
    try_ask(address, method, path).unwrap()
}

/// The same; `None` where nobody answers.
fn try_ask(address: SocketAddr, method: &str, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "{method} {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned()))
}

fn get(address: SocketAddr, path: &str) -> (u16, String) {
    ask(address, "GET", path)
}

fn health(address: SocketAddr) -> (u16, Value) {
    let (status, body) = get(address, "/health/ready");
    (status, serde_json::from_str(&body).unwrap())
}

/// Waits until readiness is answered with a status, and gives what it says.
#[track_caller]
fn until_status(address: SocketAddr, wanted: u16) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (status, said) = health(address);
        if status == wanted {
            return said;
        }
        assert!(Instant::now() < deadline, "still {status}: {said}");
        pause();
    }
}

/// The samples of a page, by Prometheus' own parser; `None` without Python.
fn samples(page: &str) -> Option<serde_json::Map<String, Value>> {
    let mut child = Command::new(common::python()?)
        .args(["-B", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/read_metrics.py")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}\n{page}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

fn monitored() -> (TestBroker, SocketAddr) {
    let address = SocketAddr::from(([127, 0, 0, 1], common::free_port()));
    (TestBroker::with(&format!("cadastre.monitoring.listener={address}\n")), address)
}

#[test]
fn metrics_count_what_clients_did_and_name_none_of_them() {
    let (broker, address) = monitored();
    let Some(_printed) = broker.python("bulk.py", &["write", "payroll", "500"]) else { return };
    broker.python("bulk.py", &["read", "payroll", "500"]);
    let (status, page) = get(address, "/metrics");
    assert_eq!(status, 200);
    for word in ["payroll", common::ADMIN, "kek"] {
        assert!(!page.contains(word), "`{word}` is in the page");
    }
    let samples = samples(&page).unwrap();
    let value =
        |name: &str| samples.get(name).and_then(Value::as_f64).unwrap_or_else(|| panic!("no {name}: {page}"));
    assert_eq!(value("kafka_server_brokertopicmetrics_messagesin_total"), 500.0);
    assert!(value("kafka_server_brokertopicmetrics_bytesin_total") > 500_000.0);
    assert!(value("kafka_server_brokertopicmetrics_bytesout_total") > 500_000.0);
    let produced = value("kafka_network_requestmetrics_requests_total{request=Produce}");
    assert_eq!(value("kafka_server_brokertopicmetrics_totalproducerequests_total"), produced);
    assert_eq!(value("kafka_network_requestmetrics_totaltimems_count{request=Produce}"), produced);
    assert!(value("cadastre_storage_append_seconds_count") >= produced);
    assert!(value("cadastre_storage_append_seconds_sum") > 0.0);
    assert!(value("cadastre_storage_last_append_timestamp_seconds") > 1.7e9);
    assert!(value("kafka_network_requestmetrics_requests_total{request=SaslAuthenticate}") >= 2.0);
    assert!(
        value("kafka_server_socketservermetrics_successful_authentication_total{listener=SASL_SSL}") >= 2.0
    );
    assert!(value("cadastre_key_service_calls_total{operation=generate,outcome=success}") >= 1.0);
    assert_eq!(value("kafka_controller_kafkacontroller_globaltopiccount"), 1.0);
    assert_eq!(value("kafka_server_kafkaserver_brokerstate"), 3.0);
    let infinite = value("kafka_network_requestmetrics_totaltimems_bucket{le=+Inf,request=Produce}");
    assert_eq!(infinite, produced);
}

#[test]
fn only_what_is_offered_is_answered() {
    let (broker, address) = monitored();
    assert_eq!(get(address, "/health/live"), (200, "alive\n".to_owned()));
    let (status, said) = health(address);
    assert_eq!((status, said.get("ready")), (200, Some(&Value::Bool(true))), "{said}");
    assert_eq!(get(address, "/").0, 404);
    assert_eq!(get(address, "/metrics/../etc").0, 404);
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        assert_eq!(ask(address, method, "/metrics").0, 405, "{method}");
    }
    // A head that does not end is cut off; so is a flood of them, and the broker goes on.
    let mut long = TcpStream::connect(address).unwrap();
    let _refused = long.write_all(&[b'a'; 64 * 1024]);
    let mut rest = Vec::new();
    let _closed = long.read_to_end(&mut rest);
    let idle: Vec<TcpStream> = (0..64).map(|_| TcpStream::connect(address).unwrap()).collect();
    assert_eq!(get(address, "/health/live").0, 200);
    drop(idle);
    let ready = std::fs::read_to_string(broker.path("ready")).unwrap();
    assert!(ready.contains(&format!("cadastre.monitoring.listener={address}\n")), "{ready}");
}

#[test]
fn an_address_that_cannot_be_used_is_refused() {
    for address in ["localhost:9644", "127.0.0.1", "9644"] {
        let broker = TestBroker::configured(&format!("cadastre.monitoring.listener={address}\n"));
        let output =
            common::run(&["--config", broker.path("server.properties").to_str().unwrap(), "--check-config"]);
        assert_eq!(output.status.code(), Some(1), "{address}");
        assert!(common::text(&output).contains("an IP address and a port"), "{}", common::text(&output));
    }
    let open = TestBroker::configured("cadastre.monitoring.listener=0.0.0.0:9644\n");
    let output =
        common::run(&["--config", open.path("server.properties").to_str().unwrap(), "--check-config"]);
    assert!(output.status.success());
    assert!(
        common::text(&output).contains("whoever reaches it reads the metrics"),
        "{}",
        common::text(&output)
    );
}

async fn start(properties: Vec<(&'static str, String)>) -> (RunningBroker, SocketAddr) {
    let properties: Properties = properties
        .into_iter()
        .chain([
            ("listeners", "PLAINTEXT://127.0.0.1:0".to_owned()),
            ("cadastre.monitoring.listener", "127.0.0.1:0".to_owned()),
        ])
        .collect();
    let config = BrokerConfig::from_properties(properties).unwrap();
    format(&config, &FormatOptions::default()).await.unwrap();
    let broker = Broker::start(config).await.unwrap();
    let address = broker.monitoring().unwrap();
    (broker, address)
}

fn places(directory: &std::path::Path) -> Vec<(&'static str, String)> {
    let own = directory.display();
    vec![("log.dirs", format!("{own}/data")), ("cadastre.key.file", format!("{own}/keys/kek"))]
}

/// What a broker says of itself while it stops, and whether it is alive then; `None` where it was gone before it could be asked.
fn said_while_stopping() -> Option<(Value, u16)> {
    let (mut broker, address) = monitored();
    assert_eq!(health(address).0, 200);
    // A connection in the middle of its handshake is given five seconds when the broker stops.
    let _half_open = TcpStream::connect(broker.address()).unwrap();
    let deadline = Instant::now() + PATIENCE;
    let open = "\nkafka_server_socketservermetrics_connection_count{listener=\"SASL_SSL\"} 1\n";
    while !get(address, "/metrics").1.contains(open) {
        assert!(Instant::now() < deadline, "the connection is not counted");
        pause();
    }
    let process = broker.process_id().to_string();
    let asking = std::thread::spawn(move || {
        while let Some((status, body)) = try_ask(address, "GET", "/health/ready") {
            if status == 503 {
                let said = serde_json::from_str(&body).unwrap();
                return try_ask(address, "GET", "/health/live").map(|(live, _)| (said, live));
            }
        }
        None
    });
    assert!(Command::new("kill").arg(process).status().unwrap().success());
    let said = asking.join().unwrap();
    broker.stop();
    assert!(TcpStream::connect(address).is_err(), "the listener is gone with the broker");
    said
}

#[test]
fn a_broker_that_stops_is_alive_and_not_ready_until_it_is_gone() {
    // A machine that does nothing for five seconds may miss it once.
    let (said, live) = (0..3).find_map(|_| said_while_stopping()).unwrap();
    assert_eq!((said.get("phase"), live), (Some(&Value::from("stopping")), 200), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_without_its_database_is_not_ready_until_it_is_back() {
    let Some(server) = tokio::task::spawn_blocking(|| postgres::Server::start(false)).await.unwrap() else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("store")).unwrap();
    let mut properties = places(directory.path());
    let schema = "monitoring".to_owned();
    properties.extend([
        ("node.id", "1".to_owned()),
        ("advertised.listeners", "PLAINTEXT://127.0.0.1:19092".to_owned()),
        ("cadastre.storage.mode", "cluster".to_owned()),
        ("cadastre.cluster.id", "monitoring".to_owned()),
        ("cadastre.objects.location", format!("file://{}/store", directory.path().display())),
        ("cadastre.metadata.url", server.config(&schema).connection),
        ("cadastre.metadata.schema", schema),
    ]);
    let (broker, address) = start(properties).await;
    let server = tokio::task::spawn_blocking(move || {
        until_status(address, 200);
        server.crash();
        let said = until_status(address, 503);
        assert_eq!(said.get("metadata"), Some(&Value::from("unreachable")), "{said}");
        assert_eq!(get(address, "/health/live").0, 200);
        assert_eq!(get(address, "/metrics").0, 200);
        server.start_again();
        until_status(address, 200);
        server
    })
    .await
    .unwrap();
    broker.shutdown().await.unwrap();
    drop(server);
}
