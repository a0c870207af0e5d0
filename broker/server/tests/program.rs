//! The program itself: its arguments, its errors, its files.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends where it cannot go on")]

mod common;

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use common::{TestBroker, run, text, wait};

/// Runs the broker with these properties and expects it to end at once with one line that says `message`.
#[track_caller]
fn check_refused(properties: &str, message: &str) {
    let directory = tempfile::tempdir().unwrap();
    let properties = properties.replace("DIR", directory.path().to_str().unwrap());
    let message = message.replace("DIR", directory.path().to_str().unwrap());
    check_refused_in(directory.path(), &properties, &message);
}

#[track_caller]
fn check_refused_in(directory: &Path, properties: &str, message: &str) {
    let file = directory.join("server.properties");
    std::fs::write(&file, properties).unwrap();
    let output = run(&["--config", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    let errors = String::from_utf8(output.stderr).unwrap();
    let last = errors.lines().last().unwrap_or_default();
    assert!(last.starts_with("error: ") && last.contains(message), "expected `{message}`, got: {errors}");
    assert!(output.stdout.is_empty());
}

#[test]
fn what_stands_in_the_way_is_said_in_one_line() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    check_refused(
        &format!("listeners=PLAINTEXT://127.0.0.1:{port}\nlog.dirs=DIR/data\n"),
        &format!("listener PLAINTEXT: cannot listen on `127.0.0.1:{port}`: Address already in use"),
    );
    check_refused("lisners=x\n", "unknown property `lisners` on line 1; hint: did you mean `listeners`?");
    check_refused(
        "log.dirs=DIR/data\nnum.partitions=x\n",
        "property `num.partitions`: `x` is refused, expected a 32-bit integer",
    );
    check_refused(
        "log.dirs=/proc/nothing/here\nlisteners=PLAINTEXT://127.0.0.1:0\n",
        "cannot make directory",
    );
    check_refused(
        "listeners=SSL://127.0.0.1:0\nlog.dirs=DIR/data\nssl.keystore.type=PEM\nssl.keystore.location=DIR/none.pem\n",
        "DIR/none.pem",
    );
    check_refused(
        "listeners=PLAINTEXT://127.0.0.1:0\nlog.dirs=DIR/data\ncadastre.auto.format=false\n",
        "log directory `DIR/data` is not formatted; hint: run `cadastre-broker format`",
    );
}

#[test]
fn a_key_file_that_cannot_be_trusted_is_refused() {
    let mut broker = TestBroker::secure();
    broker.stop();
    let key = broker.path("kek");
    let properties = std::fs::read_to_string(broker.path("server.properties")).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    check_refused_in(broker.directory.path(), &properties, "kek");
    std::fs::remove_file(&key).unwrap();
    check_refused_in(broker.directory.path(), &properties, "kek");
}

#[test]
fn a_second_broker_on_the_same_directory_is_refused() {
    let broker = TestBroker::secure();
    let properties = std::fs::read_to_string(broker.path("server.properties")).unwrap();
    let ports = (broker.address().port().to_string(), broker.plain_address().port().to_string());
    let properties = properties.replace(&ports.0, "0").replace(&ports.1, "0");
    check_refused_in(broker.directory.path(), &properties, "in use by another process");
}

#[test]
fn usage_errors_have_their_own_exit_code() {
    assert_eq!(run(&["--no-such-flag"]).status.code(), Some(64));
    assert_eq!(run(&[]).status.code(), Some(64));
    assert_eq!(run(&["--help"]).status.code(), Some(0));
}

#[test]
fn every_line_of_a_structured_log_is_an_object() {
    let broker = TestBroker::configured("");
    let log = std::fs::File::create(broker.path("structured")).unwrap();
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_cadastre-broker"))
        .args(["--log-format", "json", "--config"])
        .arg(broker.path("server.properties"))
        .arg("--ready-file")
        .arg(broker.path("ready"))
        .stdin(std::process::Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap();
    let deadline = std::time::Instant::now() + common::PATIENCE;
    while !broker.path("ready").exists() && child.try_wait().unwrap().is_none() {
        assert!(std::time::Instant::now() < deadline, "the broker did not start");
        common::pause();
    }
    let stopped = std::process::Command::new("kill").arg(child.id().to_string()).status().unwrap();
    assert!(stopped.success() && child.wait().unwrap().success());
    let log = std::fs::read_to_string(broker.path("structured")).unwrap();
    let events: Vec<serde_json::Value> =
        log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect();
    for event in &events {
        let has = |member: &str| event.get(member).is_some_and(serde_json::Value::is_string);
        assert!(has("timestamp") && has("level") && has("target"), "{event}");
    }
    let said = |text: &str| {
        let message = serde_json::Value::from(text);
        events.iter().any(|event| event.pointer("/fields/message") == Some(&message))
    };
    assert!(said("broker started") && said("broker stopped"), "{log}");
}

#[test]
fn a_configuration_can_be_checked_without_starting() {
    let broker = TestBroker::configured("ssl.key.password=hunter2\noffsets.topic.replication.factor=1\n");
    let output = run(&["--config", broker.path("server.properties").to_str().unwrap(), "--check-config"]);
    assert!(output.status.success(), "{}", text(&output));
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(
        shown.contains("super.users=User:admin") && shown.contains("ssl.key.password=[hidden]"),
        "{shown}"
    );
    let notices = String::from_utf8(output.stderr).unwrap();
    assert!(
        notices.contains("`offsets.topic.replication.factor` is accepted and has no effect here"),
        "{notices}"
    );
    assert!(notices.contains("listener PLAINTEXT is not encrypted"), "{notices}");
    assert!(!broker.path("data").exists());
}

#[test]
fn formatting_twice_needs_to_be_asked_for() {
    let broker = TestBroker::configured("");
    let file = broker.path("server.properties");
    let format = |more: &[&str]| {
        let mut arguments = vec!["format", "--config", file.to_str().unwrap()];
        arguments.extend_from_slice(more);
        run(&arguments)
    };
    let refused = format(&["--add-scram", "SCRAM-SHA-512=[name=x]"]);
    assert!(text(&refused).contains("--add-scram"), "{}", text(&refused));
    assert!(!broker.path("data").exists(), "a slip leaves nothing behind");
    let first = format(&["--cluster-id", "my-cluster"]);
    assert!(first.status.success() && text(&first).contains("cluster my-cluster"), "{}", text(&first));
    let mode = std::fs::metadata(broker.path("kek")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let again = format(&[]);
    assert_eq!(again.status.code(), Some(1));
    assert!(text(&again).contains("already formatted"), "{}", text(&again));
    let added = format(&["--ignore-formatted", "--add-scram", "SCRAM-SHA-256=[name=dora,password=secret]"]);
    assert!(added.status.success() && text(&added).contains("credentials for dora"), "{}", text(&added));
    assert!(!std::fs::read_dir(broker.path("data/log")).unwrap().any(|entry| {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap_or_default();
        bytes.windows(4).any(|window| window == b"dora")
    }));
}

#[test]
fn a_plain_development_broker_starts_from_three_lines_and_warns() {
    let mut broker = TestBroker::configured("");
    let properties = format!(
        "listeners=PLAINTEXT://127.0.0.1:0\nlog.dirs={}\nadvertised.listeners=PLAINTEXT://127.0.0.1:0\n",
        broker.path("plain").display()
    );
    std::fs::write(broker.path("server.properties"), properties).unwrap();
    broker.start();
    let ready = std::fs::read_to_string(broker.path("ready")).unwrap();
    assert!(ready.lines().any(|line| line.starts_with("PLAINTEXT=127.0.0.1:")), "{ready}");
    let log = broker.log();
    assert!(log.contains("every client may do everything"), "{log}");
    broker.stop();
    assert!(!broker.path("ready").exists(), "the ready file goes with the broker");
}

/// The log may lie on the very disk that is full: `/dev/full` refuses every byte of it.
#[test]
fn a_broker_whose_log_cannot_be_written_serves_and_ends_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let (file, ready) = (directory.path().join("server.properties"), directory.path().join("ready"));
    let data = directory.path().join("data");
    std::fs::write(&file, format!("listeners=PLAINTEXT://127.0.0.1:0\nlog.dirs={}\n", data.display()))
        .unwrap();
    let log = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let mut broker = std::process::Command::new(env!("CARGO_BIN_EXE_cadastre-broker"))
        .arg("--config")
        .arg(&file)
        .arg("--ready-file")
        .arg(&ready)
        .env("CADASTRE_LOG", "debug")
        .stderr(log)
        .spawn()
        .unwrap();
    for _ in 0..600 {
        if ready.exists() || broker.try_wait().unwrap().is_some() {
            break;
        }
        wait(20);
    }
    assert!(ready.exists(), "it does not serve");
    let told = std::process::Command::new("kill").args(["-TERM", &broker.id().to_string()]).status().unwrap();
    assert!(told.success());
    assert!(broker.wait().unwrap().success());
}
