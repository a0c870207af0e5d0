//! The `export` drill: a topic leaves in open formats, and what is in the files is what was in the topic.

mod json_lines;
mod parquet_file;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rdkafka::Offset;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::Consumer as _;
use rdkafka::message::{Header, Headers as _, Message as _, OwnedHeaders};
use rdkafka::producer::FutureRecord;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::bench::Bench;
use crate::error::{DrillError, file, step};
use crate::ledger::{ends, key, producer, reader, value};
use crate::name::DrillName;
use crate::plan::Plan;
use crate::target::Target;

/// Records that are exported.
const RECORDS: u64 = 2_000;

/// The longest wait for the topic to be read.
const PATIENCE: Duration = Duration::from_secs(60);

/// One record as it leaves.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Exported {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    /// Milliseconds since the epoch; -1 where the record has none.
    pub(crate) timestamp_ms: i64,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(String, Option<Vec<u8>>)>,
}

pub(crate) fn plan(_target: &Target) -> Plan {
    Plan::of(
        DrillName::Export,
        &[
            "write a topic with keys, headers, tombstones and bytes that are no text",
            "export it as JSON lines and as Parquet into a temporary directory",
            "read the files back, compare every record, keep counts and SHA-256",
        ],
    )
}

pub(crate) async fn run(bench: &Bench<'_>) -> Result<(), DrillError> {
    let topic = bench.topic("exported", 3).await?;
    fill(bench, &topic).await?;
    let started = Instant::now();
    let records = read(bench, &topic).await?;
    bench.measure("records", records.len() as u64);
    bench.check(
        "every record of the topic is read for the export",
        records.len() as u64 == RECORDS,
        format!("{} of {RECORDS}", records.len()),
        started,
    );
    let directory = std::env::temp_dir().join(format!("cadastre-export-{}", bench.run));
    std::fs::create_dir_all(&directory).map_err(file("create", &directory))?;
    let leftover = directory.clone();
    bench.undo.register("remove the exported files", async move { std::fs::remove_dir_all(&leftover) });
    for (name, write, read) in [
        ("jsonl", json_lines::write as Write, json_lines::read as Read),
        ("parquet", parquet_file::write, parquet_file::read),
    ] {
        bench.step(&format!("exporting as {name}"));
        let started = Instant::now();
        let path: PathBuf = directory.join(format!("{topic}.{name}"));
        write(&path, &records)?;
        let back = read(&path)?;
        let bytes = std::fs::read(&path).map_err(file("read", &path))?;
        let hash = hex::encode(Sha256::digest(&bytes));
        bench.measure(&format!("{name}_bytes"), bytes.len() as u64);
        bench.detail(&format!("{name}_sha256"), hash.clone());
        bench.check(
            format!("the {name} file holds every record as it was in the topic"),
            back == records,
            format!("{} records, {} bytes, SHA-256 {hash}", back.len(), bytes.len()),
            started,
        );
    }
    Ok(())
}

type Write = fn(&Path, &[Exported]) -> Result<(), DrillError>;
type Read = fn(&Path) -> Result<Vec<Exported>, DrillError>;

async fn fill(bench: &Bench<'_>, topic: &str) -> Result<(), DrillError> {
    let producer = producer(&bench.target.administrator)?;
    let mut waiting = Vec::new();
    for number in 0..RECORDS {
        let (key, text) = (key(number), value(bench.run, number));
        let bytes = [&[0xff, 0x00, 0xfe], text.as_bytes()].concat();
        let headers = OwnedHeaders::new()
            .insert(Header { key: "number", value: Some(&number.to_string()) })
            .insert(Header { key: "number", value: None::<&str> });
        let mut record = FutureRecord::<str, [u8]>::to(topic).headers(headers);
        if number % 7 != 0 {
            record = record.key(&key);
        }
        // Every eleventh is a tombstone.
        if number % 11 != 0 {
            record = record.payload(&bytes);
        }
        waiting.push(producer.send_result(record).map_err(|(error, _)| step("writing")(error))?);
    }
    for delivery in waiting {
        let delivered =
            delivery.await.map_err(|_cancelled| DrillError::Ended { reason: "the producer".to_owned() })?;
        delivered.map_err(|(error, _)| step("writing")(error))?;
    }
    Ok(())
}

/// Every record of the topic, by partition and offset.
async fn read(bench: &Bench<'_>, topic: &str) -> Result<Vec<Exported>, DrillError> {
    let connection = &bench.target.administrator;
    let ends = ends(connection, topic).await?;
    let consumer = reader(connection)?;
    let mut list = TopicPartitionList::new();
    let mut expected = 0;
    for (partition, (low, high)) in &ends {
        list.add_partition_offset(topic, *partition, Offset::Offset(*low)).map_err(step("assigning"))?;
        expected += high - low;
    }
    consumer.assign(&list).map_err(step("assigning"))?;
    let mut records = Vec::new();
    let started = Instant::now();
    while i64::try_from(records.len()).unwrap_or(i64::MAX) < expected && started.elapsed() < PATIENCE {
        let Ok(received) = tokio::time::timeout(Duration::from_secs(1), consumer.recv()).await else {
            continue;
        };
        let message = received.map_err(step("reading"))?;
        let headers = message.headers().map(|headers| {
            headers.iter().map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec))).collect()
        });
        records.push(Exported {
            partition: message.partition(),
            offset: message.offset(),
            timestamp_ms: message.timestamp().to_millis().unwrap_or(-1),
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
            headers: headers.unwrap_or_default(),
        });
    }
    records.sort();
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records() -> Vec<Exported> {
        vec![
            Exported {
                partition: 0,
                offset: 7,
                timestamp_ms: 1_700_000_000_123,
                key: Some(b"k".to_vec()),
                value: Some(vec![0xff, 0, 1]),
                headers: vec![("h".into(), Some(vec![0xfe])), ("h".into(), None)],
            },
            Exported {
                partition: 2,
                offset: i64::MAX,
                timestamp_ms: -1,
                key: None,
                value: None,
                headers: Vec::new(),
            },
            Exported {
                partition: 2,
                offset: 9,
                timestamp_ms: 0,
                key: Some(Vec::new()),
                value: Some(Vec::new()),
                headers: Vec::new(),
            },
        ]
    }

    #[track_caller]
    fn check(write: Write, read: Read) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        write(&path, &records()).unwrap();
        assert_eq!(read(&path).unwrap(), records());
        write(&path, &[]).unwrap();
        assert_eq!(read(&path).unwrap(), []);
    }

    #[test]
    fn what_is_exported_reads_back_null_and_empty_told_apart() {
        check(json_lines::write, json_lines::read);
        check(parquet_file::write, parquet_file::read);
    }
}
