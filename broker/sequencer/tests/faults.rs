//! Several brokers on one database, while connections, servers and brokers fail.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "the helpers of tests fail as tests do"
)]

#[path = "support/load.rs"]
mod load;
mod support;

use std::time::Duration;

use cadastre_sequencer::{
    BatchFacts, BrokerEpoch, CommitRequest, ObjectId, PartitionAppend, PostgresSequencer, Sequencer,
    SequencerError,
};
use load::{Load, TOPIC};
use support::{Server, fresh_schema, open, provider, shared_server};

const PARTITIONS: i32 = 3;

/// Opens `count` brokers over one schema, with partitions to write to.
async fn brokers(server: &Server, schema: &str, count: i32) -> Vec<(PostgresSequencer, BrokerEpoch)> {
    let mut brokers = Vec::new();
    for node in 0..count {
        let mut config = server.config(schema);
        config.call_timeout = Duration::from_secs(3);
        let sequencer = PostgresSequencer::open(config, provider()).await.unwrap();
        let epoch = sequencer.register(node, b"").await.unwrap();
        sequencer.create_partitions(epoch, TOPIC, PARTITIONS).await.unwrap();
        brokers.push((sequencer, epoch));
    }
    brokers
}

fn single(epoch: BrokerEpoch, number: u64) -> CommitRequest {
    let partition = cadastre_protocol::types::TopicPartition { topic: TOPIC, partition: 0 };
    let batches = vec![BatchFacts { offsets: 1, bytes: 10, maximum_timestamp: 0, producer: None }];
    let appends = vec![PartitionAppend { partition, first_block: 0, batches }];
    CommitRequest { object: ObjectId { epoch, number }, object_bytes: 10, appended_at_ms: 1, appends }
}

/// Runs clients on all brokers, and `trouble` beside them; returns how many batches were acknowledged.
async fn under_load(
    brokers: &[(PostgresSequencer, BrokerEpoch)],
    clients: usize,
    rounds: u32,
    trouble: impl FnOnce() + Send + 'static,
) -> usize {
    let load = Load::default();
    let mut tasks = tokio::task::JoinSet::new();
    for (sequencer, epoch) in brokers.iter().cycle().take(clients) {
        let (load, sequencer, epoch) = (load.clone(), sequencer.clone(), *epoch);
        tasks.spawn(async move { load.client(sequencer, epoch, PARTITIONS, rounds).await });
    }
    let trouble = tokio::task::spawn_blocking(trouble);
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    trouble.await.unwrap();
    load.judge(&brokers[0].0).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn brokers_that_append_to_the_same_partitions_make_one_dense_log() {
    let Some(server) = shared_server() else { return };
    let brokers = brokers(server, &fresh_schema(), 3).await;
    let acknowledged = under_load(&brokers, 9, 20, || {}).await;
    assert_eq!(acknowledged, 9 * 20 * 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_survive_the_loss_of_their_connections() {
    let Some(server) = shared_server() else { return };
    let schema = fresh_schema();
    let brokers = brokers(server, &schema, 2).await;
    let kill = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
         WHERE application_name = 'cadastre' AND query LIKE '%apply_transition%'";
    let acknowledged = under_load(&brokers, 6, 60, move || {
        for _ in 0..12 {
            server.psql(kill).unwrap();
            std::thread::park_timeout(Duration::from_millis(60));
        }
    })
    .await;
    assert_eq!(acknowledged, 6 * 60 * 3, "every outcome was resolved");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_when_the_server_crashes() {
    let Some(server) = Server::start(false) else { return };
    let server = std::sync::Arc::new(server);
    let brokers = brokers(&server, &fresh_schema(), 2).await;
    let crashing = std::sync::Arc::clone(&server);
    let acknowledged = under_load(&brokers, 6, 60, move || {
        for _ in 0..2 {
            std::thread::park_timeout(Duration::from_millis(150));
            crashing.restart_after_crash();
        }
    })
    .await;
    assert_eq!(acknowledged, 6 * 60 * 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fence_waits_for_what_is_under_way_and_stops_what_comes_after() {
    let Some(server) = shared_server() else { return };
    let schema = fresh_schema();
    let brokers = brokers(server, &schema, 2).await;
    let ((paused, epoch), (other, _)) = (brokers[0].clone(), brokers[1].clone());
    paused.commit(single(epoch, 0)).await.unwrap();
    // Somebody holds the partition's row, so that the commit stands in the middle of its transaction.
    let hold = format!("BEGIN; SELECT 1 FROM {schema}.partition FOR UPDATE; SELECT pg_sleep(1); COMMIT");
    let holding = tokio::task::spawn_blocking(move || server.psql(&hold).unwrap());
    tokio::time::sleep(Duration::from_millis(300)).await;
    let committing = tokio::spawn({
        let paused = paused.clone();
        async move { paused.commit(single(epoch, 1)).await }
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(other.fence(epoch).await.unwrap());
    let end = |sequencer: &PostgresSequencer| sequencer.partitions().all()[0].1.next_offset;
    other.refresh().await.unwrap();
    assert_eq!(end(&other), 2, "when the fence stands, what was under way is decided");
    committing.await.unwrap().unwrap();
    for number in 2..5 {
        let late = paused.commit(single(epoch, number)).await;
        assert!(matches!(late, Err(SequencerError::Fenced { .. })), "{late:?}");
    }
    holding.await.unwrap();
    other.refresh().await.unwrap();
    assert_eq!(end(&other), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outcome_that_cannot_be_learnt_is_called_unknown_and_learnt_later() {
    let Some(server) = shared_server() else { return };
    let schema = fresh_schema();
    let mut config = server.config(&schema);
    config.call_timeout = Duration::from_millis(300);
    config.commit_deadline = Duration::from_millis(500);
    let sequencer = PostgresSequencer::open(config, provider()).await.unwrap();
    let epoch = sequencer.register(1, b"").await.unwrap();
    sequencer.create_partitions(epoch, TOPIC, 1).await.unwrap();
    let hold = format!("BEGIN; SELECT 1 FROM {schema}.partition FOR UPDATE; SELECT pg_sleep(2); COMMIT");
    let holding = tokio::task::spawn_blocking(move || server.psql(&hold).unwrap());
    tokio::time::sleep(Duration::from_millis(200)).await;
    let unknown = sequencer.commit(single(epoch, 0)).await;
    assert!(matches!(unknown, Err(SequencerError::Ambiguous { .. })), "{unknown:?}");
    holding.await.unwrap();
    let mut learnt = sequencer.commit(single(epoch, 0)).await;
    for _ in 0..20 {
        if learnt.is_ok() {
            break;
        }
        learnt = sequencer.commit(single(epoch, 0)).await;
    }
    let again = sequencer.commit(single(epoch, 0)).await.unwrap();
    assert_eq!(learnt.unwrap(), again);
    sequencer.refresh().await.unwrap();
    assert_eq!(sequencer.partitions().all()[0].1.next_offset, 1, "committed exactly once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_compactor_and_a_retention_task_work_under_load() {
    let Some(server) = shared_server() else { return };
    let brokers = brokers(server, &fresh_schema(), 2).await;
    let (compactor, epoch) = brokers[1].clone();
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let stopped = std::sync::Arc::clone(&stop);
    let (done, ended) = std::sync::mpsc::channel();
    let moving = tokio::spawn(async move {
        let mut moved = 0;
        while !stopped.load(std::sync::atomic::Ordering::Relaxed) {
            for (partition, state) in compactor.partitions().all() {
                let before = (state.next_offset - 20).max(0);
                moved = compactor.move_log_start(epoch, partition, before, 1).await.unwrap();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        done.send(()).unwrap();
        moved
    });
    // Log starts stand still again before the log is judged.
    let acknowledged = under_load(&brokers[..1], 4, 60, move || {
        std::thread::park_timeout(Duration::from_millis(300));
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        ended.recv().unwrap();
    })
    .await;
    assert!(moving.await.unwrap() > 0);
    assert_eq!(acknowledged, 4 * 60 * 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_brokers_follow_bounds_and_metadata() {
    let Some(server) = shared_server() else { return };
    let schema = fresh_schema();
    let (one, two) = (open(server, &schema).await, open(server, &schema).await);
    let epoch = one.register(1, b"").await.unwrap();
    one.create_partitions(epoch, TOPIC, 1).await.unwrap();
    let partition = one.partitions().all()[0].0;
    let eventually = async |what: &str, holds: &dyn Fn() -> bool| {
        for _ in 0..200 {
            if holds() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{what}");
    };
    eventually("a new partition is seen", &|| two.partitions().get(partition).is_some()).await;
    let mut end = two.partitions().watch(partition).unwrap();
    one.commit(single(epoch, 0)).await.unwrap();
    tokio::time::timeout(Duration::from_secs(4), end.wait_for(|end| *end == 1)).await.unwrap().unwrap();
    let change = cadastre_sequencer::MetadataChange {
        table: cadastre_sequencer::MetadataTable(1),
        key: "topic".to_owned(),
        value: Some(b"value".to_vec()),
        condition: cadastre_sequencer::Condition::Absent,
    };
    let commit =
        cadastre_sequencer::MetadataCommit { broker: epoch, registry: None, changes: vec![change.clone()] };
    one.commit_metadata(commit.clone()).await.unwrap();
    eventually("metadata is seen", &|| two.metadata().get(change.table, "topic").is_some()).await;
    let stale = two.commit_metadata(commit).await;
    assert!(matches!(stale, Err(SequencerError::Conflict { .. })), "{stale:?}");
    one.delete_topic(epoch, TOPIC, 1).await.unwrap();
    eventually("a deleted partition goes", &|| two.partitions().get(partition).is_none()).await;
    assert!(end.wait_for(|_| false).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn confirmed_bounds_hold_everything_that_others_committed_before() {
    let Some(server) = shared_server() else { return };
    let schema = fresh_schema();
    let (one, two) = (open(server, &schema).await, open(server, &schema).await);
    let epoch = one.register(1, b"").await.unwrap();
    one.create_partitions(epoch, TOPIC, 1).await.unwrap();
    let partition = one.partitions().all()[0].0;
    two.confirm(vec![partition]).await.unwrap();
    assert_eq!(two.partitions().get(partition).map(|known| known.next_offset), Some(0));
    for number in 0..50 {
        one.commit(single(epoch, number)).await.unwrap();
        let callers = (0..8).map(|_| two.confirm(vec![partition]));
        futures::future::try_join_all(callers).await.unwrap();
        let end = two.partitions().get(partition).unwrap().next_offset;
        assert_eq!(end, i64::try_from(number).unwrap() + 1);
    }
    one.delete_topic(epoch, TOPIC, 1).await.unwrap();
    two.confirm(vec![partition]).await.unwrap();
    assert_eq!(two.partitions().get(partition), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metadata_commits_of_several_brokers_form_one_order() {
    let Some(server) = shared_server() else { return };
    let brokers = brokers(server, &fresh_schema(), 3).await;
    let table = cadastre_sequencer::MetadataTable(1);
    let mut tasks = tokio::task::JoinSet::new();
    for (sequencer, epoch) in brokers.clone() {
        tasks.spawn(async move {
            // Each adds one to a shared counter, which only works if every commit saw the one before.
            let mut done = 0;
            while done < 20 {
                let version = sequencer.metadata().entry_version(table, "counter");
                let value = sequencer.metadata().get(table, "counter");
                let count: u64 = value.map_or(0, |value| String::from_utf8(value).unwrap().parse().unwrap());
                let condition = version.map_or(cadastre_sequencer::Condition::Absent, |version| {
                    cadastre_sequencer::Condition::Version(version)
                });
                let change = cadastre_sequencer::MetadataChange {
                    table,
                    key: "counter".to_owned(),
                    value: Some((count + 1).to_string().into_bytes()),
                    condition,
                };
                let commit = cadastre_sequencer::MetadataCommit {
                    broker: epoch,
                    registry: None,
                    changes: vec![change],
                };
                match sequencer.commit_metadata(commit).await {
                    Ok(_) => done += 1,
                    Err(SequencerError::Conflict { .. }) => {}
                    Err(other) => panic!("{other}"),
                }
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    brokers[0].0.refresh().await.unwrap();
    assert_eq!(brokers[0].0.metadata().get(table, "counter"), Some(b"60".to_vec()));
}
