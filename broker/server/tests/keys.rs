//! Moving a broker to another key, and what then depends on the old one: nothing.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "the helpers of tests fail as tests do"
)]

mod common;

use cadastre_keys::{KeyProvider as _, LocalKeyFile};
use common::{TestBroker, run, text};

#[track_caller]
fn succeeds(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", text(&output));
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
fn fails(arguments: &[&str], expected: &str) {
    let output = run(arguments);
    assert!(!output.status.success(), "{arguments:?} succeeded");
    assert!(text(&output).contains(expected), "expected `{expected}`: {}", text(&output));
}

#[test]
fn a_broker_moves_to_another_key_without_its_records_and_forgets_the_old_one() {
    let mut broker = TestBroker::with("log.segment.bytes=1048576\ncadastre.objects.pack.interval.ms=50\n");
    let has_python = broker.python("bulk.py", &["write", "bulk", "4000"]).is_some();
    let file = broker.path("server.properties");
    let config = file.to_str().unwrap();
    let while_running = succeeds(&["status", "--config", config]);
    assert!(while_running.contains("the broker is running"), "{while_running}");
    broker.stop();

    let new_file = broker.path("new-kek");
    let new_key = LocalKeyFile::create(&new_file).unwrap().key_id().to_owned();
    let properties = std::fs::read_to_string(&file).unwrap();
    let old_line = properties.lines().find(|line| line.starts_with("cadastre.key.file=")).unwrap().to_owned();
    let old_file = old_line.split_once('=').unwrap().1.to_owned();
    let new_line = format!("cadastre.key.file={}", new_file.display());
    let without_old = properties.replace(&old_line, &new_line);
    let with_both = format!("{without_old}cadastre.key.previous.files={old_file}\n");
    std::fs::write(&file, &with_both).unwrap();

    fails(
        &["rewrap", "--config", config, "--to", "local:0000"],
        &format!("keys would move under `{new_key}`"),
    );
    let before = succeeds(&["status", "--config", config]);
    assert!(before.contains(&format!("current key {new_key}\n")), "{before}");
    assert!(before.contains("old ") && before.contains("  segment/"), "{before}");
    if has_python {
        assert!(before.contains("  scope/cadastre:cluster\n"), "{before}");
    }
    let moved = succeeds(&["rewrap", "--config", config, "--to", &new_key]);
    assert!(moved.starts_with("moved ") && !moved.starts_with("moved 0 "), "{moved}");
    let again = succeeds(&["rewrap", "--config", config, "--to", &new_key]);
    assert!(again.starts_with("moved 0 data keys"), "{again}");
    let after = succeeds(&["status", "--config", config]);
    assert!(!after.contains("old "), "{after}");

    std::fs::write(&file, &without_old).unwrap();
    std::fs::remove_file(&old_file).unwrap();
    broker.start();
    if has_python {
        broker.python("bulk.py", &["read", "bulk", "4000"]);
    }
}
