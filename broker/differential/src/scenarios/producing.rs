//! Records written: what is accepted, what is refused, and how that is said.

use bytes::Bytes;
use cadastre_protocol::compression::{Compression, compress};
use cadastre_protocol::messages::InitProducerIdRequest;
use cadastre_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use cadastre_protocol::messages::{ProduceRequest, ProducerId};
use cadastre_protocol::record_batch::Producer;

use super::{batch, create, produce, topic_id};
use crate::pair::Pair;

/// Requests that name topics; from 13 on they carry ids.
const NAMED: i16 = 12;

pub(super) async fn run(pair: &mut Pair) -> anyhow::Result<()> {
    create(pair, "written", 2, &[]).await?;
    accepted(pair).await?;
    refused(pair).await?;
    limited(pair).await?;
    idempotent(pair).await
}

async fn accepted(pair: &mut Pair) -> anyhow::Result<()> {
    let two = batch(&["one", "two"], None);
    for version in 3..=NAMED {
        pair.ask("two records", version, &produce("written", 0, Some(two.clone()))).await?;
    }
    pair.ask(
        "acknowledged by the leader alone",
        NAMED,
        &produce("written", 0, Some(two.clone())).with_acks(1),
    )
    .await?;
    let ids = topic_id(pair, "written").await?;
    let by_id = |id| {
        let data = PartitionProduceData::default().with_index(0).with_records(Some(two.clone()));
        let data = TopicProduceData::default().with_topic_id(id).with_partition_data(vec![data]);
        ProduceRequest::default().with_acks(-1).with_timeout_ms(10_000).with_topic_data(vec![data])
    };
    pair.ask_each("by the topic's id", 13, ids.requests(by_id)).await?;
    pair.ask("an unknown id", 13, &by_id(uuid::Uuid::from_u128(77))).await?;
    for (case, compression) in [
        ("gzip", Compression::Gzip),
        ("Snappy", Compression::Snappy),
        ("LZ4", Compression::Lz4),
        ("Zstandard", Compression::Zstd),
    ] {
        let packed = packed(&two, compression)?;
        pair.ask(&format!("records packed by {case}"), NAMED, &produce("written", 1, Some(packed.clone())))
            .await?;
        pair.ask(
            &format!("records packed by {case}, by an old request"),
            3,
            &produce("written", 1, Some(packed)),
        )
        .await?;
    }
    Ok(())
}

/// How long a batch's header is.
const HEADER: usize = 61;

/// A batch with its records packed.
fn packed(plain: &Bytes, compression: Compression) -> anyhow::Result<Bytes> {
    let records = compress(compression, &plain.slice(HEADER..))?;
    let mut bytes = [plain.slice(..HEADER), records].concat();
    put(&mut bytes, 22, &[compression as u8]);
    Ok(sealed(bytes))
}

/// The batch with length and checksum as they have to be.
fn sealed(mut bytes: Vec<u8>) -> Bytes {
    let length = i32::try_from(bytes.len().saturating_sub(12)).unwrap_or(i32::MAX);
    put(&mut bytes, 8, &length.to_be_bytes());
    let checksum = crc32c::crc32c(bytes.get(21..).unwrap_or_default());
    put(&mut bytes, 17, &checksum.to_be_bytes());
    bytes.into()
}

/// A good batch with something put in its place, sealed again.
fn changed(at: usize, with: &[u8]) -> Bytes {
    let mut bytes = batch(&["one", "two"], None).to_vec();
    put(&mut bytes, at, with);
    sealed(bytes)
}

fn put(bytes: &mut [u8], at: usize, with: &[u8]) {
    for (place, byte) in bytes.iter_mut().skip(at).zip(with) {
        *place = *byte;
    }
}

async fn refused(pair: &mut Pair) -> anyhow::Result<()> {
    let good = batch(&["one", "two"], None);
    let mut damaged = good.to_vec();
    if let Some(last) = damaged.last_mut() {
        *last ^= 1;
    }
    let cases: Vec<(&str, Option<Bytes>)> = vec![
        ("no records", None),
        ("empty records", Some(Bytes::new())),
        ("a flipped bit", Some(damaged.into())),
        ("half a batch", Some(good.slice(..40))),
        ("a batch and a half", Some([good.clone(), good.slice(..40)].concat().into())),
        ("two batches", Some([good.clone(), good.clone()].concat().into())),
        ("the format before", Some(changed(16, &[1]))),
        ("a format that is none", Some(changed(16, &[7]))),
        ("a codec that is none", Some(changed(21, &[0, 7]))),
        ("records said to be packed that are not", Some(changed(21, &[0, 1]))),
        ("more records than there are", Some(changed(57, &9i32.to_be_bytes()))),
        ("fewer records than there are", Some(changed(57, &1i32.to_be_bytes()))),
        ("no record", Some(changed(57, &0i32.to_be_bytes()))),
        ("a last offset that does not fit", Some(changed(23, &5i32.to_be_bytes()))),
        ("a control batch", Some(changed(21, &[0, 0x20]))),
        ("a transactional batch without a producer", Some(changed(21, &[0, 0x10]))),
        ("a base offset", Some(changed(0, &7i64.to_be_bytes()))),
        ("broker's time", Some(changed(21, &[0, 8]))),
    ];
    for (case, bytes) in cases {
        for version in [3, 9, NAMED] {
            pair.ask(case, version, &produce("written", 0, bytes.clone())).await?;
        }
    }
    for (case, name, partition) in [
        ("an unknown topic", "absent", 0),
        ("an unknown partition", "written", 7),
        ("a negative partition", "written", -1),
        ("a topic that no name can be", "a/b", 0),
    ] {
        for version in [3, 9, NAMED] {
            pair.ask(case, version, &produce(name, partition, Some(good.clone()))).await?;
        }
    }
    for acks in [2, -2] {
        let request = produce("written", 0, Some(good.clone())).with_acks(acks);
        pair.ask("acknowledgements that are none", NAMED, &request).await?;
    }
    pair.ask("no topic", NAMED, &produce("written", 0, None).with_topic_data(Vec::new())).await?;
    Ok(())
}

async fn limited(pair: &mut Pair) -> anyhow::Result<()> {
    let good = batch(&["one", "two"], None);
    for (name, configs) in [
        ("small", &[("max.message.bytes", Some("100"))][..]),
        ("compacted", &[("cleanup.policy", Some("compact"))][..]),
        ("timed", &[("message.timestamp.type", Some("LogAppendTime"))][..]),
        ("late", &[("message.timestamp.before.max.ms", Some("1000"))][..]),
    ] {
        create(pair, name, 1, configs).await?;
    }
    let large = batch(
        &["a value that is longer than the topic's limit for a batch of records, as it was set"; 4],
        None,
    );
    pair.ask("more than the topic takes", NAMED, &produce("small", 0, Some(large))).await?;
    pair.ask("keys to a compacted topic", NAMED, &produce("compacted", 0, Some(good.clone()))).await?;
    let keyless: Vec<_> = super::records(&["one"])
        .into_iter()
        .map(|record| cadastre_protocol::record::Record { key: None, ..record })
        .collect();
    let keyless = cadastre_protocol::record_batch::RecordBatch::build(0, &keyless, None);
    let keyless = keyless.map(|batch| batch.bytes().clone());
    for version in [3, 9, NAMED] {
        pair.ask("no key to a compacted topic", version, &produce("compacted", 0, keyless.clone())).await?;
    }
    for version in [3, 9, NAMED] {
        pair.ask("the broker's time", version, &produce("timed", 0, Some(good.clone()))).await?;
        pair.ask("a time long ago", version, &produce("late", 0, Some(good.clone()))).await?;
    }
    Ok(())
}

async fn idempotent(pair: &mut Pair) -> anyhow::Result<()> {
    create(pair, "once", 1, &[]).await?;
    pair.ask_all("a producer without transactions", |_| {
        InitProducerIdRequest::default().with_transaction_timeout_ms(1)
    })
    .await?;
    let answer = pair.ask("a producer for what follows", 4, &InitProducerIdRequest::default()).await?;
    let ids = answer.map(|answer| answer.producer_id.0);
    let from = |sequence: i32, epoch: i16| {
        move |id: i64| {
            let producer = Producer { id, epoch, base_sequence: sequence };
            produce("once", 0, Some(batch(&["one", "two"], Some(producer))))
        }
    };
    for (case, sequence, epoch) in [
        ("the first batch", 0, 0),
        ("the same batch again", 0, 0),
        ("the next batch", 2, 0),
        ("the batch before again", 0, 0),
        ("a batch that leaves one out", 9, 0),
        ("part of an earlier batch", 1, 0),
        ("an epoch from the future, from the beginning", 0, 3),
        ("an epoch from the past", 4, 1),
        ("an epoch from the future, not from the beginning", 5, 4),
    ] {
        pair.ask_each(case, NAMED, ids.requests(from(sequence, epoch))).await?;
    }
    let stranger = Producer { id: 987_654, epoch: 0, base_sequence: 0 };
    pair.ask(
        "a producer that nobody gave an id",
        NAMED,
        &produce("once", 0, Some(batch(&["x"], Some(stranger)))),
    )
    .await?;
    let late = Producer { id: 987_655, epoch: 0, base_sequence: 5 };
    pair.ask(
        "an unknown producer's later batch",
        NAMED,
        &produce("once", 0, Some(batch(&["x"], Some(late)))),
    )
    .await?;
    let bump =
        |id: i64| InitProducerIdRequest::default().with_producer_id(ProducerId(id)).with_producer_epoch(3);
    pair.ask_each("another epoch without transactions", 4, ids.requests(bump)).await?;
    Ok(())
}
