//! The metadata in PostgreSQL: committed by compare and swap of the version, followed by what changed since.

use std::collections::BTreeMap;

use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_postgres::Row;

use super::connection::{CallError, Link};
use super::rows::{column, tampered};
use super::seal::{ClusterSeal, Fields, MAC_LENGTH, Mac, add, subtract};
use crate::error::SequencerError;
use crate::metadata::{EntryKey, MetadataCommit, MetadataEntry, MetadataTable, MetadataView};

/// Deletions are remembered for this many commits; who is further behind reads everything.
const REMEMBERED_COMMITS: u64 = 10_000;
/// How many remembered deletions a commit forgets at most.
const FORGOTTEN_AT_ONCE: usize = 200;

const CHANGES: &str = "SELECT s.version, s.sealed, m.table_id, m.key, m.version, m.is_deleted, m.value \
     FROM metadata_state s LEFT JOIN metadata m ON m.version > $1 ORDER BY m.version, m.table_id, m.key";
const VERSION: &str = "SELECT version, sealed FROM metadata_state";
const COMMIT: &str = "SELECT commit_metadata($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";

/// The metadata as this process follows it.
#[derive(Debug)]
pub(crate) struct FollowedMetadata {
    view: MetadataView,
    turn: Mutex<Turn>,
}

/// What must change together with the view.
#[derive(Debug)]
struct Turn {
    digest: Mac,
    sealed: Vec<u8>,
    purged_to: u64,
    is_loaded: bool,
}

/// The sealed state of a database without metadata.
pub(crate) fn empty_state(seal: &ClusterSeal) -> Result<Vec<u8>, SequencerError> {
    seal_state(seal, 0, &[0; MAC_LENGTH], 0)
}

fn state_place(version: u64) -> Fields {
    Fields::default().bytes(b"state").number(version.cast_signed())
}

fn seal_state(
    seal: &ClusterSeal,
    version: u64,
    digest: &Mac,
    purged_to: u64,
) -> Result<Vec<u8>, SequencerError> {
    let mut plain = digest.to_vec();
    plain.extend_from_slice(&purged_to.to_be_bytes());
    seal.seal(&state_place(version), &plain)
}

fn open_state(seal: &ClusterSeal, version: u64, sealed: &[u8]) -> Result<(Mac, u64), SequencerError> {
    let unauthentic = || tampered("the state of the metadata does not authenticate");
    let plain = seal.open(&state_place(version), sealed).ok_or_else(unauthentic)?;
    let (digest, purged_to) = plain.split_first_chunk::<MAC_LENGTH>().ok_or_else(unauthentic)?;
    let purged_to = <[u8; 8]>::try_from(purged_to).map_err(|_length| unauthentic())?;
    Ok((*digest, u64::from_be_bytes(purged_to)))
}

fn entry_place(table: MetadataTable, hidden: &[u8], version: u64, is_deleted: bool) -> Fields {
    Fields::default()
        .bytes(b"entry")
        .number(i64::from(table.0))
        .bytes(hidden)
        .number(version.cast_signed())
        .number(i64::from(is_deleted))
}

fn seal_entry(
    seal: &ClusterSeal,
    key: &EntryKey,
    hidden: &[u8],
    entry: &MetadataEntry,
) -> Result<Vec<u8>, SequencerError> {
    let mut plain = (key.1.len() as u64).to_be_bytes().to_vec();
    plain.extend_from_slice(key.1.as_bytes());
    plain.extend_from_slice(entry.value.as_deref().unwrap_or_default());
    seal.seal(&entry_place(key.0, hidden, entry.version, entry.value.is_none()), &plain)
}

/// Reads `table_id, key, version, is_deleted, value` from column 2 on; nothing where the join found nothing.
fn read_entry(seal: &ClusterSeal, row: &Row) -> Result<Option<(EntryKey, MetadataEntry)>, SequencerError> {
    let Some(table) = column::<Option<i16>>(row, 2)? else { return Ok(None) };
    let (hidden, version): (&[u8], i64) = (column(row, 3)?, column(row, 4)?);
    let (is_deleted, sealed): (bool, &[u8]) = (column(row, 5)?, column(row, 6)?);
    let (table, version) = (MetadataTable(table), version.cast_unsigned());
    let unauthentic = || tampered(format!("an entry of metadata table {} does not authenticate", table.0));
    let plain =
        seal.open(&entry_place(table, hidden, version, is_deleted), sealed).ok_or_else(unauthentic)?;
    let (length, rest) = plain.split_first_chunk::<8>().ok_or_else(unauthentic)?;
    let length = usize::try_from(u64::from_be_bytes(*length)).map_err(|_length| unauthentic())?;
    let (key, value) = rest.split_at_checked(length).ok_or_else(unauthentic)?;
    let key = String::from_utf8(key.to_vec()).map_err(|_encoding| unauthentic())?;
    let value = (!is_deleted).then(|| value.to_vec());
    Ok(Some(((table, key), MetadataEntry { value, version })))
}

impl FollowedMetadata {
    pub(crate) fn new() -> Self {
        let turn = Turn { digest: [0; MAC_LENGTH], sealed: Vec::new(), purged_to: 0, is_loaded: false };
        Self { view: MetadataView::default(), turn: Mutex::new(turn) }
    }

    pub(crate) const fn view(&self) -> &MetadataView {
        &self.view
    }

    /// Brings the copy up to date.
    pub(crate) async fn refresh(&self, link: &Link, seal: &ClusterSeal) -> Result<(), SequencerError> {
        let mut turn = self.turn.lock().await;
        self.follow(&mut turn, link, seal).await
    }

    async fn follow(&self, turn: &mut Turn, link: &Link, seal: &ClusterSeal) -> Result<(), SequencerError> {
        let known = self.view.version();
        if turn.is_loaded {
            let rows = link.query(VERSION, &[]).await?;
            let row = rows.first().ok_or_else(|| tampered("the state of the metadata is gone"))?;
            let (version, sealed): (i64, &[u8]) = (column(row, 0)?, column(row, 1)?);
            let version = version.cast_unsigned();
            if version < known || (version == known && sealed != turn.sealed) {
                return Err(tampered(format!("metadata version {version} was put back, {known} was known")));
            }
            if version == known {
                return Ok(());
            }
        }
        let is_fresh = turn.is_loaded && self.load(turn, known, link, seal).await?;
        if is_fresh || self.load(turn, 0, link, seal).await? {
            turn.is_loaded = true;
            return Ok(());
        }
        Err(tampered("the entries of the metadata are not those that were committed"))
    }

    /// Reads what changed since `since`, or everything; says whether that explains the digest.
    async fn load(
        &self,
        turn: &mut Turn,
        since: u64,
        link: &Link,
        seal: &ClusterSeal,
    ) -> Result<bool, SequencerError> {
        let rows = link.query(CHANGES, &[&since.cast_signed()]).await?;
        let state = rows.first().ok_or_else(|| tampered("the state of the metadata is gone"))?;
        let (version, sealed): (i64, &[u8]) = (column(state, 0)?, column(state, 1)?);
        let version = version.cast_unsigned();
        let (expected, purged_to) = open_state(seal, version, sealed)?;
        if since > 0 && purged_to > since {
            return Ok(false);
        }
        let mut changes = Vec::new();
        let mut digest = if since > 0 { turn.digest } else { [0; MAC_LENGTH] };
        for row in &rows {
            let Some((key, entry)) = read_entry(seal, row)? else { continue };
            if since > 0
                && let Some(before) = self.view.entry(&key)
            {
                subtract(&mut digest, &seal.element(&key, &before));
            }
            add(&mut digest, &seal.element(&key, &entry));
            changes.push((key, entry));
        }
        if digest != expected {
            return Ok(false);
        }
        if since > 0 {
            let purged = self.view.deleted_until(purged_to, usize::MAX);
            let purged: Vec<EntryKey> = purged.into_iter().map(|(key, _)| key).collect();
            self.view.advance(version, changes, &purged);
        } else {
            self.view.replace(version, changes);
        }
        (turn.digest, turn.sealed, turn.purged_to) = (digest, sealed.to_vec(), purged_to);
        Ok(true)
    }

    /// Commits; repeats after conflicts and lost connections until `deadline`.
    pub(crate) async fn commit(
        &self,
        commit: MetadataCommit,
        link: &Link,
        seal: &ClusterSeal,
        deadline: Instant,
    ) -> Result<u64, SequencerError> {
        let mut turn = self.turn.lock().await;
        if !turn.is_loaded {
            self.follow(&mut turn, link, seal).await?;
        }
        loop {
            self.view.check(&commit.changes)?;
            if commit.changes.is_empty() {
                return Ok(self.view.version());
            }
            let planned = self.plan(&turn, &commit, seal)?;
            match self.swap(&planned, &commit, link, deadline).await? {
                0 => {
                    (turn.digest, turn.sealed) = (planned.digest, planned.sealed);
                    turn.purged_to = planned.purged_to;
                    self.view.advance(planned.version, planned.changes, &planned.purged);
                    return Ok(planned.version);
                }
                1 => return Err(SequencerError::Fenced { epoch: commit.broker }),
                5 => {
                    let expected = commit.registry.unwrap_or_default();
                    return Err(SequencerError::RegistryChanged { expected });
                }
                3 if Instant::now() < deadline => self.follow(&mut turn, link, seal).await?,
                3 => {
                    return Err(SequencerError::Unavailable {
                        reason: "others commit all the time".to_owned(),
                    });
                }
                other => {
                    let reason = format!("the database gave the unknown answer {other}");
                    return Err(SequencerError::Unavailable { reason });
                }
            }
        }
    }

    fn plan(
        &self,
        turn: &Turn,
        commit: &MetadataCommit,
        seal: &ClusterSeal,
    ) -> Result<PlannedCommit, SequencerError> {
        let version = self.view.version().saturating_add(1);
        let mut last: BTreeMap<EntryKey, MetadataEntry> = BTreeMap::new();
        for change in &commit.changes {
            let entry = MetadataEntry { value: change.value.clone(), version };
            last.insert((change.table, change.key.clone()), entry);
        }
        let mut digest = turn.digest;
        let mut rows = Vec::with_capacity(last.len());
        for (key, entry) in &last {
            if let Some(before) = self.view.entry(key) {
                subtract(&mut digest, &seal.element(key, &before));
            }
            add(&mut digest, &seal.element(key, entry));
            let hidden = seal.hidden_key(key.0, &key.1);
            let sealed = seal_entry(seal, key, &hidden, entry)?;
            rows.push((key.0.0, hidden, entry.value.is_none(), sealed));
        }
        let horizon = version.saturating_sub(REMEMBERED_COMMITS);
        let old = self.view.deleted_until(horizon, FORGOTTEN_AT_ONCE);
        let purged_to = old.last().map_or(turn.purged_to, |(_, entry)| entry.version.max(turn.purged_to));
        let purged = self.view.deleted_until(purged_to, usize::MAX);
        let purged = purged.into_iter().map(|(key, _)| key).filter(|key| !last.contains_key(key)).collect();
        let sealed = seal_state(seal, version, &digest, purged_to)?;
        // What is sealed never repeats, so it is a name for the commit.
        let id = sealed.get(..25).unwrap_or_default().to_vec();
        Ok(PlannedCommit {
            version,
            digest,
            sealed,
            purged_to,
            id,
            rows,
            changes: last.into_iter().collect(),
            purged,
        })
    }

    /// One compare and swap, tried again with the same name while connections are lost.
    async fn swap(
        &self,
        planned: &PlannedCommit,
        commit: &MetadataCommit,
        link: &Link,
        deadline: Instant,
    ) -> Result<i16, SequencerError> {
        let expected = planned.version.saturating_sub(1).cast_signed();
        let tables: Vec<i16> = planned.rows.iter().map(|(table, ..)| *table).collect();
        let keys: Vec<&[u8]> = planned.rows.iter().map(|(_, key, ..)| key.as_slice()).collect();
        let deleted: Vec<bool> = planned.rows.iter().map(|(_, _, deleted, _)| *deleted).collect();
        let values: Vec<&[u8]> = planned.rows.iter().map(|(.., value)| value.as_slice()).collect();
        let purged_to = planned.purged_to.cast_signed();
        let mut pause = super::FIRST_PAUSE;
        loop {
            let answer = link
                .value::<i16>(
                    COMMIT,
                    &[
                        &commit.broker.0,
                        &commit.registry,
                        &expected,
                        &planned.id,
                        &planned.sealed,
                        &purged_to,
                        &tables,
                        &keys,
                        &deleted,
                        &values,
                    ],
                )
                .await;
            match answer {
                Ok(status) => return Ok(status),
                Err(CallError::Lost(reason)) if Instant::now() < deadline => {
                    tracing::warn!(%reason, "a metadata commit is tried again");
                    tokio::time::sleep(pause).await;
                    pause = pause.saturating_mul(2).min(super::LONGEST_PAUSE);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

#[derive(Debug)]
struct PlannedCommit {
    version: u64,
    digest: Mac,
    sealed: Vec<u8>,
    purged_to: u64,
    id: Vec<u8>,
    rows: Vec<(i16, Vec<u8>, bool, Vec<u8>)>,
    changes: Vec<(EntryKey, MetadataEntry)>,
    purged: Vec<EntryKey>,
}
