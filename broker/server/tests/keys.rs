//! Moving a broker to another key, and what then depends on the old one: nothing.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "the helpers of tests fail as tests do"
)]

mod common;

use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

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
    // Without records the segments under the old key are gone as soon as the log has been opened twice.
    assert!(moved.starts_with("moved ") && (!moved.starts_with("moved 0 ") || !has_python), "{moved}");
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

#[test]
fn a_segment_whose_key_cannot_be_told_keeps_status_and_rewrap_from_saying_done() {
    let mut broker = TestBroker::secure();
    broker.stop();
    broker.start();
    let file = broker.path("server.properties");
    let config = file.to_str().unwrap();
    let oldest = segments(&broker).remove(0);
    let opened = std::fs::OpenOptions::new().write(true).open(&oldest).unwrap();
    for copy in [0, 2048] {
        opened.write_all_at(&[0xff; 8], copy + 30).unwrap();
    }
    let name = format!("segment/{}", oldest.file_stem().unwrap().to_str().unwrap());
    let reason = format!("  {name}: both copies of its header are damaged\n");
    let incomplete = |arguments: &[&str], expected: &str| {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(4), "{arguments:?}: {}", text(&output));
        assert!(text(&output).contains(expected), "expected `{expected}`: {}", text(&output));
    };
    incomplete(&["status", "--config", config], &reason);
    broker.stop();
    incomplete(&["status", "--config", config], &reason);
    incomplete(
        &["status", "--config", config],
        "could not tell the keys of 1; no old key may be destroyed:\n",
    );

    let new_file = broker.path("new-kek");
    let new_key = LocalKeyFile::create(&new_file).unwrap().key_id().to_owned();
    let properties = std::fs::read_to_string(&file).unwrap();
    let old = broker.path("kek");
    let moved = properties.replace(
        &format!("cadastre.key.file={}", old.display()),
        &format!("cadastre.key.file={}\ncadastre.key.previous.files={}", new_file.display(), old.display()),
    );
    std::fs::write(&file, moved).unwrap();
    incomplete(
        &["rewrap", "--config", config, "--to", &new_key],
        &format!("could not tell the key of {name}: both copies of its header are damaged\n"),
    );
    incomplete(&["rewrap", "--config", config, "--to", &new_key], "moved 0 data keys");
}

/// The broker's segments, oldest first.
fn segments(broker: &TestBroker) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(broker.path("data/log")).unwrap().map(|entry| entry.unwrap().path());
    let mut segments: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|extension| extension == "wal")).collect();
    segments.sort();
    segments
}
