//! Embedded mode: records leave the log for objects, and are read from there.

#![allow(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

mod common;

use std::path::Path;
use std::time::Instant;

use common::{PATIENCE, TestBroker};

fn files(directory: &Path, ending: &str) -> usize {
    let Ok(entries) = std::fs::read_dir(directory) else { return 0 };
    let paths = entries.map(|entry| entry.unwrap().path());
    let count = |path: &Path| usize::from(path.to_string_lossy().ends_with(ending));
    paths.map(|path| if path.is_dir() { files(&path, ending) } else { count(&path) }).sum()
}

/// How many objects of a kind there are.
fn of_kind(objects: &Path, kind: &str) -> usize {
    let clusters = std::fs::read_dir(objects).unwrap().flat_map(|root| {
        let root = root.unwrap().path();
        std::fs::read_dir(root).into_iter().flatten().map(|cluster| cluster.unwrap().path())
    });
    clusters.map(|cluster| files(&cluster.join(kind), "")).sum()
}

#[test]
fn full_segments_become_objects_and_every_record_is_read_back_after_a_crash() {
    let mut broker = TestBroker::with(
        "log.segment.bytes=1048576\ncadastre.objects.pack.interval.ms=50\ncadastre.log.cache.bytes=65536\n\
         cadastre.objects.size.bytes=1048576\nlog.cleaner.backoff.ms=100\n",
    );
    if broker.python("bulk.py", &["write", "bulk", "6000"]).is_none() {
        return;
    }
    let (log, objects) = (broker.path("data/log"), broker.path("data/objects"));
    let deadline = Instant::now() + PATIENCE;
    // Most records of the one partition end in objects of its own.
    while files(&log, ".wal") > 3 || of_kind(&objects, "partition") < 2 {
        assert!(
            Instant::now() < deadline,
            "{} segments, {} objects: {}",
            files(&log, ".wal"),
            files(&objects, ""),
            broker.log()
        );
        common::pause();
    }
    broker.python("bulk.py", &["read", "bulk", "6000"]);
    let told = broker.python("usage.py", &[]).unwrap();
    let usage: serde_json::Value = serde_json::from_str(&told).unwrap();
    let count = |name: &str| usage[name].as_u64().unwrap();
    assert_eq!((usage["format"].as_str(), count("records_in")), (Some("cadastre-usage/1"), 6000));
    assert!(count("bytes_in") > 6_000_000 && count("bytes_out") >= count("bytes_in"), "{told}");
    let stored = u64::try_from(files(&objects, "")).unwrap();
    assert!(count("object_writes") >= stored && count("object_bytes_written") > 0, "{stored}: {told}");
    assert!(count("key_requests") > 0, "{told}");
    broker.kill();
    broker.start();
    broker.python("bulk.py", &["read", "bulk", "6000"]);
}

#[test]
fn what_was_aborted_stays_so_in_objects_and_after_rewriting_and_compaction() {
    let mut broker = TestBroker::with(
        "log.segment.bytes=1048576\ncadastre.objects.pack.interval.ms=50\ncadastre.log.cache.bytes=65536\n\
         cadastre.objects.size.bytes=1048576\nlog.cleaner.backoff.ms=100\n",
    );
    if broker.python("rewritten_transactions.py", &["write"]).is_none() {
        return;
    }
    let objects = broker.path("data/objects");
    let deadline = Instant::now() + PATIENCE;
    let mut before = usize::MAX;
    loop {
        // Readers are right at every moment of it.
        let stored: usize =
            broker.python("rewritten_transactions.py", &["read"]).unwrap().trim().parse().unwrap();
        if stored < 400 && stored == before && of_kind(&objects, "partition") > 2 {
            break;
        }
        before = stored;
        assert!(Instant::now() < deadline, "{stored} records, {} objects", files(&objects, ""));
    }
    broker.kill();
    broker.start();
    broker.python("rewritten_transactions.py", &["read"]);
}

#[test]
fn a_broker_says_where_everything_goes() {
    let broker = TestBroker::secure();
    let manifest = std::fs::read_to_string(broker.path("data/data-path.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    assert_eq!(manifest["format"], "cadastre-data-path/1");
    let steps = manifest["steps"].as_array().unwrap();
    let names: Vec<&str> = steps.iter().map(|step| step["step"].as_str().unwrap()).collect();
    let expected =
        ["ingress", "ingress", "wal", "cache", "object", "metadata", "audit", "key-ledger", "key-service"];
    assert_eq!(names, expected);
    let of = |name: &str| steps.iter().find(|step| step["step"] == name).unwrap();
    assert_eq!(of("ingress")["endpoint"], broker.address().to_string());
    assert_eq!(of("ingress")["encrypted_in_transit"], true);
    let data = broker.path("data").display().to_string();
    assert_eq!(of("wal")["location"], format!("{data}/log"));
    assert_eq!(of("object")["location"], format!("file://{data}/objects/"));
    for resting in ["wal", "object", "metadata"] {
        assert!(of(resting)["key"].as_str().unwrap().starts_with("local:"), "{resting}");
    }
    assert!(of("audit")["key"].is_null());
}
