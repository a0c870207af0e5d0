//! What somebody with write access to the database does, and how it is found.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "the helpers of tests fail as tests do"
)]

mod suite;
mod support;

use cadastre_sequencer::{Condition, MetadataTable, PostgresSequencer, Sequencer, SequencerError};
use suite::{batch, partition, put, request, stamped};
use support::{fresh_schema, open, provider, shared_server};

/// Fills a schema, alters it by `edit`, and says whether a broker that starts afterwards, and reads and appends, finds out.
async fn is_found(edit: &str) -> Result<(), String> {
    let Some(server) = shared_server() else { return Err("no server".to_owned()) };
    let schema = fresh_schema();
    let sequencer = open(server, &schema).await;
    let epoch = sequencer.register(1, b"me").await.unwrap();
    sequencer.create_partitions(epoch, suite::TOPIC, 2).await.unwrap();
    for number in 0..4 {
        let sequence = i32::try_from(number).unwrap();
        let batches = [stamped(1, 9, 0, sequence)];
        sequencer.commit(request(epoch, number, &[(0, &batches), (1, &[batch(1, 0)])])).await.unwrap();
    }
    for (key, value) in [("a", "1"), ("b", "2"), ("a", "3"), ("c", "4")] {
        sequencer.commit_metadata(put(epoch, key, value, Condition::Any)).await.unwrap();
    }
    sequencer.close().await.unwrap();
    let script = format!("SET search_path TO {schema}; {edit}");
    server.psql(&script).unwrap_or_else(|| panic!("the edit fails: {edit}"));

    let fresh = match PostgresSequencer::open(server.config(&schema), provider()).await {
        Ok(fresh) => fresh,
        Err(SequencerError::Tampered { what }) => return Err(what),
        Err(other) => panic!("{other}"),
    };
    let found = async {
        for index in 0..2 {
            fresh.slices(partition(index), 0, 100).await?;
        }
        fresh.registry().await?;
        fresh.objects(None, 100).await?;
        fresh.commit(request(epoch, 9, &[(0, &[stamped(1, 9, 0, 4)])])).await?;
        Ok::<_, SequencerError>(())
    };
    match found.await {
        Ok(()) => Ok(()),
        Err(SequencerError::Tampered { what }) => {
            assert!(fresh.failure().is_some(), "after the finding nothing more is believed");
            Err(what)
        }
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn edits_of_the_database_are_found() {
    if shared_server().is_none() {
        return;
    }
    assert_eq!(is_found("SELECT 1").await, Ok(()), "without an edit nothing is found");
    let edits = [
        "UPDATE slice SET object = (SELECT object FROM slice ORDER BY base_offset DESC LIMIT 1) WHERE partition = 0 AND base_offset = 1",
        "UPDATE slice SET first_block = 1 WHERE partition = 0 AND base_offset = 1",
        "UPDATE slice SET partition = 5 WHERE partition = 0; UPDATE slice SET partition = 0 WHERE partition = 1; \
         UPDATE slice SET partition = 1 WHERE partition = 5",
        "UPDATE slice SET base_offset = base_offset + 100, end_offset = end_offset + 100",
        "UPDATE slice SET mac = '' WHERE base_offset = 2",
        "DELETE FROM slice WHERE partition = 0 AND base_offset = 1",
        "DELETE FROM slice WHERE partition = 0 AND base_offset = 3",
        "UPDATE partition SET next_offset = 3 WHERE partition = 0",
        "UPDATE partition SET log_start = 1 WHERE partition = 0",
        "UPDATE partition SET version = version + 1",
        "UPDATE producer SET state = (SELECT outcome FROM object LIMIT 1)",
        "UPDATE producer SET appended_at_ms = 0",
        "UPDATE object SET outcome = ''",
        "UPDATE object SET is_abandoned = true",
        "UPDATE broker SET description = ''",
        "UPDATE metadata SET value = (SELECT value FROM metadata ORDER BY version DESC LIMIT 1)",
        "UPDATE metadata SET key = 'x' WHERE version = 2",
        "UPDATE metadata SET is_deleted = true WHERE version = 2",
        "UPDATE metadata SET version = 9 WHERE version = 4",
        "DELETE FROM metadata WHERE version = 2",
        "INSERT INTO metadata SELECT table_id + 1, key, version, is_deleted, value FROM metadata LIMIT 1",
        "UPDATE metadata_state SET version = version - 1",
        "UPDATE metadata_state SET sealed = ''",
        "DELETE FROM metadata_state",
    ];
    let mut tasks: tokio::task::JoinSet<_> =
        edits.into_iter().map(|edit| async move { (edit, is_found(edit).await) }).collect();
    while let Some(judged) = tasks.join_next().await {
        let (edit, found) = judged.unwrap();
        assert!(found.is_err(), "not found: {edit}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_broker_finds_that_the_past_was_put_back() {
    let Some(server) = shared_server() else { return };
    let schema = fresh_schema();
    let sequencer = open(server, &schema).await;
    let epoch = sequencer.register(1, b"").await.unwrap();
    sequencer.create_partitions(epoch, suite::TOPIC, 1).await.unwrap();
    sequencer.commit(request(epoch, 0, &[(0, &[batch(1, 0)])])).await.unwrap();
    let run = |script: &str| server.psql(&format!("SET search_path TO {schema}; {script}")).unwrap();
    run("CREATE TABLE old AS SELECT * FROM partition");
    sequencer.commit(request(epoch, 1, &[(0, &[batch(1, 0)])])).await.unwrap();
    // A consistent copy of an hour ago: nothing in it is forged.
    run("DELETE FROM slice WHERE base_offset = 1; \
         UPDATE partition p SET version = o.version, next_offset = o.next_offset, bytes = o.bytes, mac = o.mac FROM old o");
    let refused = sequencer.refresh().await;
    assert!(matches!(refused, Err(SequencerError::Tampered { .. })), "{refused:?}");
    let refused = sequencer.commit(request(epoch, 2, &[(0, &[batch(1, 0)])])).await;
    assert!(matches!(refused, Err(SequencerError::Tampered { .. })), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_reads_the_database_learns_no_names_and_no_values() {
    let Some(server) = shared_server() else { return };
    let schema = fresh_schema();
    let sequencer = open(server, &schema).await;
    let epoch = sequencer.register(1, b"broker-description").await.unwrap();
    sequencer.commit_metadata(put(epoch, "payroll-topic", "secret-value", Condition::Any)).await.unwrap();
    assert_eq!(sequencer.metadata().get(MetadataTable(4), "payroll-topic"), Some(b"secret-value".to_vec()));
    let everything = server
        .psql(&format!(
            "SELECT encode(key, 'escape') || encode(value, 'escape') FROM {schema}.metadata \
             UNION ALL SELECT encode(sealed, 'escape') FROM {schema}.metadata_state \
             UNION ALL SELECT encode(description, 'escape') FROM {schema}.broker"
        ))
        .unwrap();
    assert!(everything.len() > 100);
    for word in ["payroll", "secret", "broker-description"] {
        assert!(!everything.contains(word), "`{word}` is readable");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_not_for_this_broker_is_refused() {
    let Some(server) = shared_server() else { return };
    let schema = fresh_schema();
    open(server, &schema).await.close().await.unwrap();

    let mut foreign = server.config(&schema);
    foreign.cluster_id = "other".to_owned();
    let refused = PostgresSequencer::open(foreign, provider()).await;
    assert!(matches!(refused, Err(SequencerError::ForeignCluster { .. })), "{refused:?}");

    let directory = tempfile::tempdir().unwrap();
    let wrong = cadastre_keys::LocalKeyFile::create(&directory.path().join("key")).unwrap();
    let refused = PostgresSequencer::open(server.config(&schema), std::sync::Arc::new(wrong)).await;
    assert!(matches!(refused, Err(SequencerError::Key(_))), "{refused:?}");

    let mut forgetful = server.config(&schema);
    forgetful.connection.push_str(" options='-c synchronous_commit=off'");
    let refused = PostgresSequencer::open(forgetful, provider()).await;
    assert!(matches!(refused, Err(SequencerError::Setting(_))), "{refused:?}");

    let mut plain = server.config(&schema);
    plain.connection = "host=127.0.0.1 user=postgres".to_owned();
    let refused = PostgresSequencer::open(plain, provider()).await;
    assert!(matches!(refused, Err(SequencerError::Setting(_))), "{refused:?}");

    server.psql(&format!("UPDATE {schema}.schema_version SET version = 2")).unwrap();
    let refused = PostgresSequencer::open(server.config(&schema), provider()).await;
    assert!(matches!(refused, Err(SequencerError::NewerSchema { found: 2, known: 1 })), "{refused:?}");
}
