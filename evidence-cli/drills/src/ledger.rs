//! What was acknowledged, and whether it can be read back: the question behind every drill.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{Offset, TopicPartitionList};

use crate::connection::Connection;
use crate::error::{DrillError, step};
use crate::topics::{asked_again, blocking};

/// A partition and an offset.
pub(crate) type Place = (i32, i64);

/// How many keys records are spread over; order is promised for each.
const KEYS: u64 = 16;

/// The size of a record's value, in bytes.
const VALUE_BYTES: usize = 256;

/// The longest wait for a record to be acknowledged.
const DELIVERY: Duration = Duration::from_secs(60);

/// Records that were acknowledged, by their number, each with the place that its acknowledgement named. Two that are told
/// the same place are two: one of them is not there.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ledger {
    acknowledged: BTreeMap<u64, Place>,
    /// Sent and not acknowledged: they may be there or not.
    pub(crate) unacknowledged: u64,
    /// Numbers that were sent so far.
    pub(crate) sent: u64,
}

/// What reading everything back came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ReadBack {
    /// Acknowledged records.
    pub(crate) acknowledged: u64,
    /// Acknowledged records that were not there, or not as they were written; the first ones.
    pub(crate) lost: Vec<String>,
    /// How many were lost.
    pub(crate) lost_count: u64,
    /// Records that are there more than once.
    pub(crate) repeated: u64,
    /// Keys whose records are not in the order in which they were sent.
    pub(crate) disordered: u64,
    /// Records that were read.
    pub(crate) read: u64,
}

impl ReadBack {
    /// Whether nothing was lost.
    pub(crate) const fn is_whole(&self) -> bool {
        self.lost_count == 0
    }

    /// In one line.
    pub(crate) fn told(&self) -> String {
        let mut text = format!("{} acknowledged, {} lost", self.acknowledged, self.lost_count);
        if let Some(first) = self.lost.first() {
            text.push_str(&format!(" (first {first})"));
        }
        if self.repeated > 0 {
            text.push_str(&format!(", {} there more than once", self.repeated));
        }
        text
    }
}

/// The key of the record with a number.
pub(crate) fn key(number: u64) -> String {
    format!("key-{:02}", number % KEYS)
}

/// The value of the record with a number: the number, a mark that no other data holds, and bytes that do not compress away.
pub(crate) fn value(mark: &str, number: u64) -> String {
    long_value(mark, number, VALUE_BYTES)
}

/// The same of another length, in bytes.
pub(crate) fn long_value(mark: &str, number: u64, length: usize) -> String {
    let mut text = format!("{mark} {number:012} ");
    let mut state = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0xD1B5_4A32_D192_ED03;
    while text.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        text.push_str(&format!("{state:016x}"));
    }
    text.truncate(length);
    text
}

fn number_of(mark: &str, text: &str) -> Option<u64> {
    text.strip_prefix(mark)?.strip_prefix(' ')?.get(..12)?.parse().ok()
}

/// An idempotent producer that waits for every copy.
///
/// # Errors
/// When the client refuses its configuration.
pub(crate) fn producer(connection: &Connection) -> Result<FutureProducer, DrillError> {
    connection
        .client()
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("linger.ms", "5")
        .set("message.timeout.ms", DELIVERY.as_millis().to_string())
        .create()
        .map_err(DrillError::Client)
}

impl Ledger {
    /// Writes `count` further records and waits for every acknowledgement.
    ///
    /// # Errors
    /// The first record that was not acknowledged.
    pub(crate) async fn write(
        &mut self,
        producer: &FutureProducer,
        topic: &str,
        mark: &str,
        count: u64,
    ) -> Result<(), KafkaError> {
        let mut first_error = None;
        let mut waiting = FuturesUnordered::new();
        for number in self.sent..self.sent + count {
            waiting.push(async move {
                let (key, value) = (key(number), value(mark, number));
                let record = FutureRecord::to(topic).key(&key).payload(&value);
                (number, producer.send(record, DELIVERY).await)
            });
        }
        self.sent += count;
        while let Some((number, delivery)) = waiting.next().await {
            match delivery {
                Ok(delivery) => {
                    self.acknowledge((delivery.partition, delivery.offset), number);
                }
                Err((error, _)) => {
                    self.unacknowledged += 1;
                    first_error.get_or_insert(error);
                }
            }
        }
        first_error.map_or(Ok(()), Err)
    }

    /// Keeps one acknowledgement.
    pub(crate) fn acknowledge(&mut self, place: Place, number: u64) {
        self.acknowledged.insert(number, place);
    }

    /// How many records were acknowledged.
    pub(crate) fn len(&self) -> u64 {
        self.acknowledged.len() as u64
    }

    /// Every place that an acknowledgement named.
    pub(crate) fn places(&self) -> impl Iterator<Item = &Place> {
        self.acknowledged.values()
    }

    /// Reads the topic from its beginning to its end, and compares.
    ///
    /// # Errors
    /// When the topic cannot be read to its end.
    pub(crate) async fn read_back(
        &self,
        connection: &Connection,
        topic: &str,
        mark: &str,
        patience: Duration,
    ) -> Result<ReadBack, DrillError> {
        let read = read_all(connection, topic, patience).await?;
        Ok(self.compare(&read, mark))
    }

    fn compare(&self, read: &BTreeMap<Place, Vec<u8>>, mark: &str) -> ReadBack {
        let mut result =
            ReadBack { acknowledged: self.len(), read: read.len() as u64, ..ReadBack::default() };
        for (number, place) in &self.acknowledged {
            let expected = value(mark, *number);
            let seen = read.get(place);
            if seen.is_none_or(|seen| seen != expected.as_bytes()) {
                result.lost_count += 1;
                if result.lost.len() < 5 {
                    let what = if seen.is_some() { "another record is there" } else { "nothing is there" };
                    result.lost.push(format!("record {number} at {}/{}: {what}", place.0, place.1));
                }
            }
        }
        let mut seen = BTreeSet::new();
        let mut last: BTreeMap<(i32, u64), u64> = BTreeMap::new();
        let mut disordered = BTreeSet::new();
        for ((partition, _), payload) in read {
            let Some(number) = std::str::from_utf8(payload).ok().and_then(|text| number_of(mark, text))
            else {
                continue;
            };
            if !seen.insert(number) {
                result.repeated += 1;
            }
            let key = (*partition, number % KEYS);
            if last.insert(key, number).is_some_and(|previous| previous > number) {
                disordered.insert(key);
            }
        }
        result.disordered = disordered.len() as u64;
        result
    }
}

/// A consumer of its own, in no group that commits.
pub(crate) fn reader(connection: &Connection) -> Result<StreamConsumer, DrillError> {
    connection
        .client()
        .set("group.id", "cadastre-drill-reader")
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "earliest")
        .set("fetch.wait.max.ms", "50")
        .create()
        .map_err(DrillError::Client)
}

/// The end of every partition of a topic.
///
/// # Errors
/// When the cluster does not say.
pub(crate) async fn ends(
    connection: &Connection,
    topic: &str,
) -> Result<BTreeMap<i32, (i64, i64)>, DrillError> {
    let (consumer, topic) = (reader(connection)?, topic.to_owned());
    let ends = blocking(move || {
        let patience = Duration::from_secs(15);
        let metadata = asked_again(|| consumer.fetch_metadata(Some(&topic), patience))?;
        let partitions: Vec<i32> = metadata
            .topics()
            .iter()
            .flat_map(rdkafka::metadata::MetadataTopic::partitions)
            .map(rdkafka::metadata::MetadataPartition::id)
            .collect();
        let mut ends = BTreeMap::new();
        for partition in partitions {
            let asked = asked_again(|| consumer.fetch_watermarks(&topic, partition, patience))?;
            ends.insert(partition, asked);
        }
        Ok::<_, KafkaError>(ends)
    });
    ends.await?.map_err(step("asking where the topic ends"))
}

/// Every record between the beginning and the end of a topic, as they are when asked.
///
/// # Errors
/// When the end is not reached in time.
pub(crate) async fn read_all(
    connection: &Connection,
    topic: &str,
    patience: Duration,
) -> Result<BTreeMap<Place, Vec<u8>>, DrillError> {
    let started = Instant::now();
    let ends = ends(connection, topic).await?;
    let consumer = reader(connection)?;
    let mut list = TopicPartitionList::new();
    let mut open: BTreeMap<i32, i64> = BTreeMap::new();
    for (partition, (low, high)) in &ends {
        if low < high {
            list.add_partition_offset(topic, *partition, Offset::Offset(*low)).map_err(step("assigning"))?;
            open.insert(*partition, *high);
        }
    }
    consumer.assign(&list).map_err(step("assigning"))?;
    let mut read = BTreeMap::new();
    while !open.is_empty() {
        let late = || DrillError::TooLate {
            what: format!("reading `{topic}` to its end"),
            seconds: patience.as_secs(),
        };
        let left = patience.checked_sub(started.elapsed()).ok_or_else(late)?;
        // The position tells of ends that no record marks: a transaction's, or a hole that compaction left.
        let slice = left.min(Duration::from_millis(500));
        match tokio::time::timeout(slice, consumer.recv()).await {
            Err(_elapsed) => {
                let position = consumer.position().map_err(step("asking for the position"))?;
                for element in position.elements() {
                    if let Offset::Offset(offset) = element.offset()
                        && open.get(&element.partition()).is_some_and(|end| offset >= *end)
                    {
                        open.remove(&element.partition());
                    }
                }
            }
            Ok(Ok(message)) => {
                let (partition, offset) = (message.partition(), message.offset());
                if open.get(&partition).is_some_and(|end| offset + 1 >= *end) {
                    open.remove(&partition);
                }
                read.insert((partition, offset), message.payload().unwrap_or_default().to_vec());
            }
            Ok(Err(error)) if passes(&error) => {}
            Ok(Err(error)) => return Err(step("reading")(error)),
        }
    }
    Ok(read)
}

/// Whether librdkafka goes on by itself after this error.
pub(crate) fn passes(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::BrokerTransportFailure
                | RDKafkaErrorCode::AllBrokersDown
                | RDKafkaErrorCode::OperationTimedOut
                | RDKafkaErrorCode::NotLeaderForPartition
                | RDKafkaErrorCode::LeaderNotAvailable
                | RDKafkaErrorCode::Resolve
                | RDKafkaErrorCode::KafkaStorageError
                | RDKafkaErrorCode::RequestTimedOut
        )
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(numbers: &[u64]) -> Ledger {
        let mut ledger = Ledger { sent: numbers.len() as u64, ..Ledger::default() };
        for (offset, number) in (0_i64..).zip(numbers) {
            ledger.acknowledge((0, offset), *number);
        }
        ledger
    }

    fn stored(numbers: &[u64]) -> BTreeMap<Place, Vec<u8>> {
        (0_i64..)
            .zip(numbers)
            .map(|(offset, number)| ((0, offset), value("m", *number).into_bytes()))
            .collect()
    }

    #[test]
    fn values_carry_their_number_and_differ() {
        assert_eq!(number_of("m", &value("m", 42)), Some(42));
        assert_eq!(value("m", 42).len(), VALUE_BYTES);
        assert_ne!(value("m", 1), value("m", 2));
        assert_eq!(number_of("other", &value("m", 42)), None);
    }

    #[track_caller]
    fn check(acknowledged: &[u64], read: &[u64], lost: u64, repeated: u64, disordered: u64) {
        let result = written(acknowledged).compare(&stored(read), "m");
        assert_eq!((result.lost_count, result.repeated, result.disordered), (lost, repeated, disordered));
    }

    #[test]
    fn two_records_that_were_told_one_place_are_not_both_there() {
        let mut ledger = written(&[0, 1]);
        ledger.acknowledge((0, 1), 2);
        let result = ledger.compare(&stored(&[0, 2]), "m");
        assert_eq!((result.acknowledged, result.lost_count), (3, 1));
        assert!(result.lost[0].contains("record 1 at 0/1: another record is there"), "{:?}", result.lost);
    }

    #[test]
    fn what_is_missing_changed_repeated_or_out_of_order_is_told_apart() {
        check(&[0, 1, 2], &[0, 1, 2], 0, 0, 0);
        check(&[0, 1, 2], &[0, 1], 1, 0, 0);
        check(&[0, 1, 2], &[0, 2, 2], 1, 1, 0);
        check(&[0, 16, 32], &[0, 32, 16], 2, 0, 1);
        check(&[], &[7], 0, 0, 0);
    }
}
