//! The rows of a cluster's database (RFC 4), each column of each table.

use std::sync::Arc;
use std::time::Duration;

use cadastre_objects::{StoreLocation, StoreSettings};
use cadastre_sequencer::{PostgresSequencer, Sequencer as _};
use cadastre_storage::{ClusterConfig, MetadataKind, RewriteSettings, Storage};

use super::content::{Content, PARTITIONS, create_topics, set};
use super::postgres::{self, Server};
use super::table::{Expectation, Judgement, Verdict};
use super::{Context, chain};

const CLUSTER: &str = "test-cluster";

/// Columns that say nothing about records, metadata or keys.
const UNTOUCHED: [(&str, &str); 1] = [("schema_version", "singleton")];

pub(crate) async fn tamper(context: &mut Context<'_>) {
    let Some(server) = postgres::shared_server() else {
        context.table.skip("rows of the database: PostgreSQL is not installed");
        return;
    };
    let sample = Cluster::new(server).await;
    let columns = server
        .psql(&format!(
            "SELECT table_name || ' ' || column_name || ' ' || data_type FROM information_schema.columns \
             WHERE table_schema = '{}' ORDER BY table_name, ordinal_position",
            sample.schema
        ))
        .unwrap();
    assert_eq!(sample.judge().await.verdict, Verdict::Unnoticed);
    for line in columns.lines() {
        let mut words = line.splitn(3, ' ');
        let (Some(table), Some(column), Some(kind)) = (words.next(), words.next(), words.next()) else {
            panic!("{line}")
        };
        if UNTOUCHED.contains(&(table, column)) {
            continue;
        }
        let Some(value) = altered(context, column, kind) else { continue };
        let cluster = Cluster::new(server).await;
        let row = format!("ctid = (SELECT ctid FROM {table} ORDER BY ctid DESC LIMIT 1)");
        let edit = format!("UPDATE {table} SET {column} = {value} WHERE {row} RETURNING 1");
        let edited = server.psql(&format!("SET search_path TO {}; {edit}", cluster.schema));
        if edited.is_none_or(|rows| rows.is_empty()) {
            continue;
        }
        let judgement = cluster.judge().await;
        let region = format!("{table}.{column}");
        let batches = cluster.content.batches.len();
        context.table.note(
            "row of the database",
            &region,
            &edit,
            batches,
            expectation(table, column),
            &judgement,
        );
    }
}

/// An SQL expression for another value of the column.
fn altered(context: &mut Context<'_>, column: &str, kind: &str) -> Option<String> {
    let bit = context.random.below(8);
    match kind {
        "bytea" => Some(format!(
            "CASE WHEN length({column}) = 0 THEN '\\x00'::bytea ELSE \
             set_bit({column}, {bit}, 1 - get_bit({column}, {bit})) END"
        )),
        "bigint" | "integer" | "smallint" => Some(format!("coalesce({column}, 0) + 1")),
        "boolean" => Some(format!("NOT {column}")),
        "text" => Some(format!("{column} || 'x'")),
        _ => None,
    }
}

/// What RFC 4 leaves without an authenticator.
fn expectation(table: &str, column: &str) -> Expectation {
    match (table, column) {
        ("object", "epoch" | "number") => Expectation::Limit(
            "the id holds both and is authenticated; these say when a row may be forgotten",
        ),
        ("object", "slices" | "unreferenced_since_ms") => {
            Expectation::Limit("counted in the database; before bytes are deleted the slices are asked")
        }
        ("metadata_commit", _) => {
            Expectation::Limit("tells a repeated commit from another one; the entries themselves are sealed")
        }
        ("producer", "topic" | "partition" | "producer_id") => Expectation::Limit(
            "the producer looks new, as if its row had been removed: a repeated batch may be stored twice, no record is lost or changed",
        ),
        ("producer_id", _) => Expectation::Limit(
            "put back, producer ids would be handed out twice, and batches refused or taken for repeated",
        ),
        ("registry" | "lease", _) | ("broker", "beat" | "settled" | "epoch" | "node_id") => {
            Expectation::Limit("says who lives and works, not what is stored: brokers may be fenced, or wait")
        }
        _ => Expectation::Noticed,
    }
}

struct Cluster {
    server: &'static Server,
    schema: String,
    root: tempfile::TempDir,
    content: Content,
}

impl Cluster {
    async fn new(server: &'static Server) -> Self {
        let root = tempfile::tempdir().unwrap();
        let schema = postgres::fresh_schema();
        let cluster = Self { server, schema, root, content: Content::default() };
        let (storage, _sequencer) = cluster.open().await.unwrap();
        let mut content = Content::default();
        create_topics(&storage).await;
        set(&storage, MetadataKind::Acl, "acl-1", "deny everybody").await;
        set(&storage, MetadataKind::ScramCredential, "alice", "salted password").await;
        for number in 0..6 {
            content.append(&storage, PARTITIONS[number % 3], 60).await;
        }
        content.note_metadata(&storage);
        storage.close().await.unwrap();
        // Another broker, which stays registered.
        let sequencer = PostgresSequencer::open(server.config(&cluster.schema), postgres::provider()).await;
        let sequencer = sequencer.unwrap();
        let epoch = sequencer.register(7, b"another").await.unwrap();
        sequencer.acquire_lease(epoch, "another").await.unwrap();
        sequencer.close().await.unwrap();
        Self { content, ..cluster }
    }

    async fn open(&self) -> Result<(Storage, Arc<PostgresSequencer>), String> {
        let store = StoreLocation::directory(self.root.path()).unwrap();
        let store = store.open(StoreSettings::default()).unwrap();
        let sequencer = PostgresSequencer::open(self.server.config(&self.schema), postgres::provider()).await;
        let sequencer = Arc::new(sequencer.map_err(|error| chain(&error))?);
        let config = ClusterConfig { linger: Duration::from_millis(1), ..ClusterConfig::new(CLUSTER, 1) };
        let shared = Arc::<PostgresSequencer>::clone(&sequencer);
        let storage = Storage::open_cluster(config, postgres::provider(), shared, store).await;
        Ok((storage.map_err(|error| chain(&error))?, sequencer))
    }

    /// Starts another broker over the rows as they are, and lets it do everything that a broker does.
    async fn judge(&self) -> Judgement {
        let (storage, sequencer) = match self.open().await {
            Ok(opened) => opened,
            Err(said) => return Judgement::new(Verdict::Refused, said),
        };
        let compared = self.content.compare(&storage).await;
        let mut said = Vec::new();
        if let Err(error) = sequencer.registry().await {
            said.push(chain(&error));
        }
        if let Err(error) = sequencer.objects(None, 100).await {
            said.push(chain(&error));
        }
        said.extend(self.content.go_on(&storage).await);
        for partition in PARTITIONS {
            let settings = RewriteSettings { cleaning: None, object_bytes: 1_500, maximum_keys: 1000 };
            if let Err(error) = storage.rewrite(partition, settings, 1_700_000_000_000).await {
                said.push(chain(&error));
            }
        }
        let failure = storage.failure();
        let _closed = storage.close().await;
        let is_refused = !said.is_empty() || failure.is_some();
        let said =
            format!("{said:?} {:?} {:?} {failure:?}", compared.refusals.first(), compared.unnamed.first());
        let verdict = match () {
            () if !compared.wrong.is_empty() => {
                return Judgement::new(Verdict::Served, format!("wrong: {:?}", compared.wrong));
            }
            () if said.contains("the database was altered") => Verdict::Named,
            () if is_refused || !compared.unnamed.is_empty() => {
                return Judgement::new(Verdict::Unnoticed, format!("not named: {said}"));
            }
            () if !compared.silent.is_empty() => {
                return Judgement::new(Verdict::Served, format!("gone: {:?}", compared.silent));
            }
            () if compared.lost > 0 => Verdict::Named,
            () => Verdict::Unnoticed,
        };
        Judgement { verdict, lost: compared.lost, said }
    }
}
