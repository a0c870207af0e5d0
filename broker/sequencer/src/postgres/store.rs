//! What is read from the database: partitions, producers, slices, objects; every row checked.

use cadastre_protocol::types::TopicPartition;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::connection::Session;
use super::rows::{self, KnownObject, column, tampered};
use super::seal::ClusterSeal;
use super::shared::Shared;
use crate::commit::Slice;
use crate::error::SequencerError;
use crate::ids::ObjectId;
use crate::partition::PartitionState;
use crate::plan::ProducerKey;
use crate::producer::ProducerEntry;
use crate::sequencer::SlicePage;

const PARTITIONS: &str = "SELECT p.topic, p.partition, p.version, p.log_start, p.next_offset, p.bytes, p.mac \
     FROM unnest($1::bytea[], $2::integer[]) AS u (topic, partition) \
     JOIN partition p ON p.topic = u.topic AND p.partition = u.partition";
const ALL_PARTITIONS: &str =
    "SELECT p.topic, p.partition, p.version, p.log_start, p.next_offset, p.bytes, p.mac FROM partition p";
const PRODUCERS: &str = "SELECT r.topic, r.partition, r.producer_id, r.appended_at_ms, r.state, r.mac \
     FROM unnest($1::bytea[], $2::integer[], $3::bigint[]) AS u (topic, partition, producer_id) \
     JOIN producer r ON r.topic = u.topic AND r.partition = u.partition AND r.producer_id = u.producer_id";
const PARTITION_PRODUCERS: &str = "SELECT r.topic, r.partition, r.producer_id, r.appended_at_ms, r.state, r.mac \
     FROM producer r WHERE r.topic = $1 AND r.partition = $2 ORDER BY r.producer_id";
const IDLE_PRODUCERS: &str =
    "SELECT topic, partition, producer_id FROM producer WHERE appended_at_ms < $1 LIMIT $2";
const OBJECTS: &str = "SELECT id, bytes, is_abandoned, outcome, mac FROM object WHERE id = ANY ($1)";
const PAGE: &str = "SELECT p.topic, p.partition, p.version, p.log_start, p.next_offset, p.bytes, p.mac, \
     s.base_offset, s.end_offset, s.object, s.first_block, s.blocks, s.bytes, s.maximum_timestamp, \
     s.appended_at_ms, s.committed_by, s.is_compacted, s.mac \
     FROM partition p LEFT JOIN LATERAL ( \
       SELECT * FROM slice c WHERE c.topic = p.topic AND c.partition = p.partition AND c.base_offset >= coalesce( \
         (SELECT max(b.base_offset) FROM slice b \
          WHERE b.topic = p.topic AND b.partition = p.partition AND b.base_offset <= $3), $3) \
       ORDER BY c.base_offset LIMIT $4) s ON true \
     WHERE p.topic = $1 AND p.partition = $2 ORDER BY s.base_offset";
const SINCE: &str = "SELECT p.topic, p.partition, p.version, p.log_start, p.next_offset, p.bytes, p.mac, \
     s.base_offset, s.end_offset, s.object, s.first_block, s.blocks, s.bytes, s.maximum_timestamp, \
     s.appended_at_ms, s.committed_by, s.is_compacted, s.mac \
     FROM partition p LEFT JOIN LATERAL ( \
       SELECT * FROM slice c WHERE c.topic = p.topic AND c.partition = p.partition AND c.maximum_timestamp >= $3 \
       ORDER BY c.base_offset LIMIT 1) s ON true \
     WHERE p.topic = $1 AND p.partition = $2";
const LATEST: &str = "SELECT p.topic, p.partition, p.version, p.log_start, p.next_offset, p.bytes, p.mac, \
     s.base_offset, s.end_offset, s.object, s.first_block, s.blocks, s.bytes, s.maximum_timestamp, \
     s.appended_at_ms, s.committed_by, s.is_compacted, s.mac \
     FROM partition p LEFT JOIN LATERAL ( \
       SELECT * FROM slice c WHERE c.topic = p.topic AND c.partition = p.partition \
       ORDER BY c.maximum_timestamp DESC, c.base_offset LIMIT 1) s ON true \
     WHERE p.topic = $1 AND p.partition = $2";

/// Where to ask.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Source<'a> {
    /// On this connection, once.
    One(&'a Session),
    /// On any connection, until there is an answer.
    Any(&'a Shared),
}

/// Asks the database, and believes only rows that authenticate.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a> {
    pub(crate) source: Source<'a>,
    pub(crate) seal: &'a ClusterSeal,
}

impl Reader<'_> {
    async fn query(
        &self,
        sql: &'static str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, ReadFailure> {
        match self.source {
            Source::One(session) => Ok(session.query(sql, parameters).await?),
            Source::Any(shared) => Ok(shared.query(sql, parameters).await?),
        }
    }

    pub(crate) async fn partitions(
        &self,
        wanted: &[TopicPartition],
    ) -> Result<Vec<(TopicPartition, PartitionState)>, ReadFailure> {
        let topics: Vec<&[u8]> = wanted.iter().map(|it| it.topic.as_bytes().as_slice()).collect();
        let numbers: Vec<i32> = wanted.iter().map(|it| it.partition).collect();
        let found = self.query(PARTITIONS, &[&topics, &numbers]).await?;
        self.read(&found, |row| rows::partition(row, 0, self.seal))
    }

    pub(crate) async fn all_partitions(&self) -> Result<Vec<(TopicPartition, PartitionState)>, ReadFailure> {
        let found = self.query(ALL_PARTITIONS, &[]).await?;
        self.read(&found, |row| rows::partition(row, 0, self.seal))
    }

    pub(crate) async fn producers(
        &self,
        wanted: &[ProducerKey],
    ) -> Result<Vec<(ProducerKey, ProducerEntry)>, ReadFailure> {
        let topics: Vec<&[u8]> = wanted.iter().map(|(it, _)| it.topic.as_bytes().as_slice()).collect();
        let numbers: Vec<i32> = wanted.iter().map(|(it, _)| it.partition).collect();
        let ids: Vec<i64> = wanted.iter().map(|(_, id)| *id).collect();
        let found = self.query(PRODUCERS, &[&topics, &numbers, &ids]).await?;
        self.read(&found, |row| self.producer(row))
    }

    pub(crate) async fn partition_producers(
        &self,
        partition: TopicPartition,
    ) -> Result<Vec<(ProducerKey, ProducerEntry)>, ReadFailure> {
        let topic = partition.topic.as_bytes().as_slice();
        let found = self.query(PARTITION_PRODUCERS, &[&topic, &partition.partition]).await?;
        self.read(&found, |row| self.producer(row))
    }

    fn producer(&self, row: &Row) -> Result<(ProducerKey, ProducerEntry), SequencerError> {
        let partition = rows::topic_partition(row, 0)?;
        let (id, entry) = rows::producer(row, 2, partition, self.seal)?;
        Ok(((partition, id), entry))
    }

    /// Candidates; whether they are idle is checked on their authenticated rows.
    pub(crate) async fn idle_producers(
        &self,
        idle_since_ms: i64,
        maximum: i64,
    ) -> Result<Vec<ProducerKey>, ReadFailure> {
        let found = self.query(IDLE_PRODUCERS, &[&idle_since_ms, &maximum]).await?;
        self.read(&found, |row| Ok((rows::topic_partition(row, 0)?, column(row, 2)?)))
    }

    pub(crate) async fn objects(
        &self,
        ids: &[ObjectId],
    ) -> Result<Vec<(ObjectId, KnownObject)>, ReadFailure> {
        let ids: Vec<[u8; 16]> = ids.iter().map(|id| id.to_bytes()).collect();
        let ids: Vec<&[u8]> = ids.iter().map(<[u8; 16]>::as_slice).collect();
        let found = self.query(OBJECTS, &[&ids]).await?;
        self.read(&found, |row| rows::object(row, 0, self.seal))
    }

    /// Slices from the one that holds `from`, with the bounds of the same moment; proves that none is missing.
    pub(crate) async fn page(
        &self,
        partition: TopicPartition,
        from: i64,
        maximum: usize,
    ) -> Result<Option<SlicePage>, ReadFailure> {
        let topic = partition.topic.as_bytes().as_slice();
        let limit = i64::try_from(maximum).unwrap_or(i64::MAX);
        let found = self.query(PAGE, &[&topic, &partition.partition, &from, &limit]).await?;
        let Some(page) = self.read_page(&found, partition)? else { return Ok(None) };
        let state = page.state;
        let is_inside = from >= state.log_start && from < state.next_offset;
        if !is_inside || maximum == 0 {
            return Ok(Some(SlicePage { state, slices: Vec::new() }));
        }
        let mut expected = from;
        for slice in &page.slices {
            let continues = slice.base_offset == expected
                || (expected == from && slice.base_offset < from && slice.end_offset > from);
            if !continues {
                return Err(missing(partition, expected).into());
            }
            expected = slice.end_offset;
        }
        if expected > state.next_offset || (page.slices.len() < maximum && expected != state.next_offset) {
            return Err(missing(partition, expected).into());
        }
        Ok(Some(page))
    }

    pub(crate) async fn first_since(
        &self,
        partition: TopicPartition,
        timestamp: i64,
    ) -> Result<Option<SlicePage>, ReadFailure> {
        let topic = partition.topic.as_bytes().as_slice();
        let found = self.query(SINCE, &[&topic, &partition.partition, &timestamp]).await?;
        self.read_page(&found, partition)
    }

    pub(crate) async fn latest(&self, partition: TopicPartition) -> Result<Option<SlicePage>, ReadFailure> {
        let topic = partition.topic.as_bytes().as_slice();
        let found = self.query(LATEST, &[&topic, &partition.partition]).await?;
        self.read_page(&found, partition)
    }

    fn read_page(&self, found: &[Row], partition: TopicPartition) -> Result<Option<SlicePage>, ReadFailure> {
        let Some(first) = found.first() else { return Ok(None) };
        let (_, state) = rows::partition(first, 0, self.seal)?;
        let mut slices: Vec<Slice> = Vec::with_capacity(found.len());
        for row in found {
            if column::<Option<i64>>(row, rows::PARTITION_COLUMNS)?.is_some() {
                slices.push(rows::slice(row, rows::PARTITION_COLUMNS, partition, self.seal)?);
            }
        }
        Ok(Some(SlicePage { state, slices }))
    }

    fn read<T>(
        &self,
        found: &[Row],
        read: impl Fn(&Row) -> Result<T, SequencerError>,
    ) -> Result<Vec<T>, ReadFailure> {
        Ok(found.iter().map(read).collect::<Result<_, _>>()?)
    }
}

fn missing(partition: TopicPartition, offset: i64) -> SequencerError {
    tampered(format!("no slice of `{partition}` holds offset {offset}"))
}

/// Reading failed on the way, or what was read cannot be believed.
#[derive(Debug)]
pub(crate) enum ReadFailure {
    Call(super::connection::CallError),
    Content(SequencerError),
}

impl From<super::connection::CallError> for ReadFailure {
    fn from(error: super::connection::CallError) -> Self {
        Self::Call(error)
    }
}

impl From<SequencerError> for ReadFailure {
    fn from(error: SequencerError) -> Self {
        Self::Content(error)
    }
}

impl From<ReadFailure> for SequencerError {
    fn from(failure: ReadFailure) -> Self {
        match failure {
            ReadFailure::Call(error) => error.into(),
            ReadFailure::Content(error) => error,
        }
    }
}
