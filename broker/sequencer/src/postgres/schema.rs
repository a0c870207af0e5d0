//! The schema: made, migrated, checked, and bound to a cluster and its metadata key.

use std::sync::Arc;

use cadastre_keys::{KeyProvider, WrappedKey};

use super::config::PostgresConfig;
use super::connection::{CallError, Connector, Session};
use super::metadata::empty_state;
use super::rows::column;
use super::seal::ClusterSeal;
use crate::error::SequencerError;

/// One script for each version, from 1.
const MIGRATIONS: [&str; 1] = [include_str!("schema/0001.sql")];

/// Any number that no other program takes for an advisory lock.
const ADVISORY_LOCK: i64 = 0x6361_6461_7374_7265;

/// Brings the schema to this release's version and gives the cluster's keys; binds an empty database to the cluster.
pub(crate) async fn prepare(
    settings: &PostgresConfig,
    connector: &Connector,
    provider: &Arc<dyn KeyProvider>,
) -> Result<ClusterSeal, SequencerError> {
    let session = connector.connect(None).await?;
    check_durability(&session).await?;
    session.query("SELECT pg_advisory_lock($1)", &[&ADVISORY_LOCK]).await?;
    let prepared = async {
        migrate(&session, &settings.schema).await?;
        bind(&session, settings, provider).await
    }
    .await;
    // The lock ends with the connection at the latest.
    let _unlocked = session.query("SELECT pg_advisory_unlock($1)", &[&ADVISORY_LOCK]).await;
    prepared
}

/// Refuses a server that acknowledges what it may forget.
async fn check_durability(session: &Session) -> Result<(), SequencerError> {
    for setting in ["fsync", "synchronous_commit", "full_page_writes"] {
        let value: String = session.value("SELECT current_setting($1)", &[&setting]).await?;
        if value == "off" {
            return Err(SequencerError::Setting(format!(
                "the database acknowledges what it may forget: `{setting}` is off"
            )));
        }
    }
    Ok(())
}

async fn migrate(session: &Session, schema: &str) -> Result<(), SequencerError> {
    session
        .script(&format!(
            "CREATE SCHEMA IF NOT EXISTS \"{schema}\"; \
             CREATE TABLE IF NOT EXISTS schema_version (singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton), \
             version integer NOT NULL); \
             INSERT INTO schema_version (version) VALUES (0) ON CONFLICT DO NOTHING"
        ))
        .await?;
    let found: i32 = session.value("SELECT version FROM schema_version", &[]).await?;
    let known = i32::try_from(MIGRATIONS.len()).unwrap_or(i32::MAX);
    if found > known {
        return Err(SequencerError::NewerSchema { found, known });
    }
    for (migration, version) in MIGRATIONS.iter().zip(1..).skip(usize::try_from(found).unwrap_or(0)) {
        // Several statements in one message are one transaction.
        session.script(&format!("{migration}; UPDATE schema_version SET version = {version}")).await?;
    }
    Ok(())
}

async fn bind(
    session: &Session,
    settings: &PostgresConfig,
    provider: &Arc<dyn KeyProvider>,
) -> Result<ClusterSeal, SequencerError> {
    let context = ClusterSeal::encryption_context(&settings.cluster_id);
    if let Some((found, wrapped)) = read_binding(session).await? {
        if found != settings.cluster_id {
            return Err(SequencerError::ForeignCluster { found, expected: settings.cluster_id.clone() });
        }
        let master = provider.unwrap(&wrapped, &context).await?;
        return Ok(ClusterSeal::new(&settings.cluster_id, &master)?);
    }
    let generated = provider.generate_data_key(&context).await?;
    let seal = ClusterSeal::new(&settings.cluster_id, &generated.plaintext)?;
    let sealed = empty_state(&seal)?;
    let WrappedKey { key_id, ciphertext } = generated.wrapped;
    session
        .query(
            "WITH bound AS (INSERT INTO cluster (cluster_id, key_id, wrapped_key) VALUES ($1, $2, $3) RETURNING 1) \
             INSERT INTO metadata_state (version, sealed) SELECT 0, $4 FROM bound",
            &[&settings.cluster_id, &key_id, &ciphertext, &sealed],
        )
        .await?;
    Ok(seal)
}

async fn read_binding(session: &Session) -> Result<Option<(String, WrappedKey)>, SequencerError> {
    let rows: Result<_, CallError> =
        session.query("SELECT cluster_id, key_id, wrapped_key FROM cluster", &[]).await;
    let rows = rows?;
    let Some(row) = rows.first() else { return Ok(None) };
    let wrapped = WrappedKey { key_id: column(row, 1)?, ciphertext: column(row, 2)? };
    Ok(Some((column(row, 0)?, wrapped)))
}
