//! Log compaction against a naive model: after each pass, what is left is what Kafka's documentation promises.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking, and clippy's exception for tests ends at their helpers"
)]

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use cadastre_objects::compaction::{Cleaned, Cleaner, CleaningPlan, CleaningRules, Survey, Transactions};
use cadastre_protocol::compression::{Compression, compress};
use cadastre_protocol::record::Record;
use cadastre_protocol::record_batch::{Producer, RecordBatch};
use proptest::prelude::*;

const RETENTION_MS: i64 = 1_000;
const TRANSACTIONAL: i16 = 1 << 4;
const CONTROL: i16 = 1 << 5;

/// What a producer does.
#[derive(Debug, Clone)]
enum Step {
    /// Keys with a value, or a tombstone.
    Write { producer: i64, transactional: bool, records: Vec<(u8, bool)>, codec: i16 },
    /// Ends the producer's transaction.
    End { producer: i64, commit: bool },
}

fn with_attributes(batch: &RecordBatch, attributes: i16) -> RecordBatch {
    let mut bytes = batch.bytes().to_vec();
    bytes[21..23].copy_from_slice(&attributes.to_be_bytes());
    let checksum = crc32c::crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&checksum.to_be_bytes());
    RecordBatch::parse(&mut Bytes::from(bytes)).unwrap()
}

fn packed(batch: &RecordBatch, attributes: i16, codec: i16) -> RecordBatch {
    let compression = Compression::from_code(u8::try_from(codec).unwrap()).unwrap();
    let records = compress(compression, &batch.bytes().slice(61..)).unwrap();
    let mut bytes = batch.bytes()[..61].to_vec();
    bytes.extend_from_slice(&records);
    let length = i32::try_from(bytes.len() - 12).unwrap();
    bytes[8..12].copy_from_slice(&length.to_be_bytes());
    bytes[21..23].copy_from_slice(&(attributes | codec).to_be_bytes());
    let checksum = crc32c::crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&checksum.to_be_bytes());
    RecordBatch::parse(&mut Bytes::from(bytes)).unwrap()
}

/// The log that the steps make.
fn log(steps: &[Step]) -> Vec<RecordBatch> {
    let mut next = 0;
    let mut sequences: BTreeMap<i64, i32> = BTreeMap::new();
    let mut batches = Vec::new();
    for step in steps {
        let batch = match step {
            Step::Write { producer, transactional, records, codec } => {
                let records: Vec<_> = records
                    .iter()
                    .map(|(key, value)| Record {
                        timestamp: 10 + next,
                        key: Some(Bytes::from(vec![*key])),
                        value: value.then(|| Bytes::from(format!("{producer} at {next} and on"))),
                        ..Record::default()
                    })
                    .collect();
                let sequence = sequences.entry(*producer).or_insert(0);
                let identity = Producer { id: *producer, epoch: 0, base_sequence: *sequence };
                *sequence += i32::try_from(records.len()).unwrap();
                let batch = RecordBatch::build(next, &records, Some(identity)).unwrap();
                packed(&batch, if *transactional { TRANSACTIONAL } else { 0 }, *codec)
            }
            Step::End { producer, commit } => {
                let record = Record {
                    timestamp: 10 + next,
                    key: Some(Bytes::from(vec![0, 0, 0, u8::from(*commit)])),
                    value: Some(Bytes::from_static(&[0, 0, 0, 0, 0, 0])),
                    ..Record::default()
                };
                let identity = Producer { id: *producer, epoch: 0, base_sequence: -1 };
                let batch = RecordBatch::build(next, &[record], Some(identity)).unwrap();
                with_attributes(&batch, TRANSACTIONAL | CONTROL)
            }
        };
        next = batch.last_offset() + 1;
        batches.push(batch);
    }
    batches
}

/// One pass; gives what is left and how far it came.
fn pass(batches: &[RecordBatch], plan: CleaningPlan, keys: usize, now_ms: i64) -> (Vec<RecordBatch>, i64) {
    let mut transactions = Transactions::default();
    let dirty = || {
        batches.iter().filter(|it| it.last_offset() >= plan.dirty_from && it.last_offset() < plan.clean_to)
    };
    dirty().for_each(|batch| transactions.take(batch));
    let mut survey = Survey::new(plan, transactions, keys);
    let _ended_early = dirty().all(|batch| survey.take(batch));
    let surveyed = survey.finish();
    let clean_to = surveyed.clean_to();
    let mut cleaner = Cleaner::new(surveyed, last_of_producers(batches), RETENTION_MS, now_ms);
    let mut left = Vec::new();
    for batch in batches {
        match cleaner.clean(batch).unwrap() {
            Cleaned::Kept => left.push(batch.clone()),
            Cleaned::Rewritten(batch) => {
                assert_eq!(RecordBatch::parse_all(batch.bytes().clone()).unwrap()[0], batch);
                left.push(batch);
            }
            Cleaned::Dropped => {}
        }
    }
    (left, clean_to)
}

fn last_of_producers(batches: &[RecordBatch]) -> BTreeMap<i64, i64> {
    let data = batches.iter().filter(|batch| !batch.is_control());
    data.map(|batch| (batch.producer_id(), batch.last_offset())).collect()
}

/// A record as the model sees it.
#[derive(Debug, Clone)]
struct Seen {
    offset: i64,
    key: Bytes,
    value: Option<Bytes>,
    control: bool,
    aborted: bool,
    record: Record,
}

fn records(batches: &[RecordBatch]) -> Vec<Seen> {
    let mut outcomes = BTreeMap::new();
    let mut pending: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    for batch in batches {
        if batch.is_control() {
            let abort =
                batch.records(1 << 20).unwrap().next().is_some_and(|it| it.unwrap().key.unwrap()[3] == 0);
            for base in pending.remove(&batch.producer_id()).unwrap_or_default() {
                outcomes.insert(base, abort);
            }
        } else if batch.is_transactional() {
            pending.entry(batch.producer_id()).or_default().push(batch.base_offset());
        }
    }
    let mut seen = Vec::new();
    for batch in batches {
        let aborted = outcomes.get(&batch.base_offset()).copied().unwrap_or(false) && !batch.is_control();
        for record in batch.records(1 << 20).unwrap() {
            let record = record.unwrap();
            seen.push(Seen {
                offset: record.offset,
                key: record.key.clone().unwrap(),
                value: record.value.clone(),
                control: batch.is_control(),
                aborted,
                record,
            });
        }
    }
    seen
}

fn undecided_from(batches: &[RecordBatch], clean_to: i64) -> i64 {
    let mut open = BTreeMap::new();
    for batch in batches.iter().filter(|it| it.last_offset() < clean_to && it.is_transactional()) {
        if batch.is_control() {
            open.remove(&batch.producer_id());
        } else {
            open.entry(batch.producer_id()).or_insert(batch.base_offset());
        }
    }
    open.values().copied().min().unwrap_or(i64::MAX)
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let write = (0i64..3, any::<bool>(), prop::collection::vec((0u8..6, any::<bool>()), 1..5), 0i16..5)
        .prop_map(|(producer, transactional, records, codec)| Step::Write {
            // Transactional producers are others than the rest, as in life.
            producer: if transactional { producer + 10 } else { producer },
            transactional,
            records,
            codec,
        });
    let end = (10i64..13, any::<bool>()).prop_map(|(producer, commit)| Step::End { producer, commit });
    prop::collection::vec(prop_oneof![3 => write, 1 => end], 1..25)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn after_a_pass_each_key_has_its_last_record_and_nothing_else_changed(
        steps in steps(), cut in any::<prop::sample::Index>(), keys in 1usize..8,
    ) {
        let batches = log(&steps);
        let wanted = batches[cut.index(batches.len())].last_offset() + 1;
        let plan = CleaningPlan { dirty_from: 0, clean_to: wanted };
        let (left, clean_to) = pass(&batches, plan, keys, 100);
        prop_assert!(clean_to <= wanted.min(undecided_from(&batches, wanted)));
        if keys > 6 {
            prop_assert_eq!(clean_to, wanted.min(undecided_from(&batches, wanted)));
        }

        let before = records(&batches);
        let after = records(&left);
        // Offsets rise, and every record is one that was there.
        prop_assert!(left.windows(2).all(|pair| pair[0].last_offset() < pair[1].base_offset()));
        let by_offset: BTreeMap<_, _> = before.iter().map(|it| (it.offset, it)).collect();
        for it in &after {
            prop_assert_eq!(&by_offset[&it.offset].record, &it.record);
        }
        let left_offsets: BTreeSet<_> = after.iter().map(|it| it.offset).collect();
        let mut last: BTreeMap<&Bytes, i64> = BTreeMap::new();
        for it in before.iter().filter(|it| it.offset < clean_to && !it.aborted && !it.control) {
            last.insert(&it.key, it.offset);
        }
        for it in &before {
            let there = left_offsets.contains(&it.offset);
            let expected = it.offset >= clean_to || it.control || (!it.aborted && last[&it.key] == it.offset);
            // Tombstones and markers have their horizon first. Where the map of keys was full, a later record that
            // stays may have taken an earlier one along.
            if it.control {
                prop_assert!(there, "a marker went before its horizon");
            } else if expected && !there {
                let later = after.iter().any(|other| other.key == it.key && other.offset > it.offset && !other.aborted && !other.control);
                prop_assert!(keys <= 6 && later, "lost {:?}", it);
            } else {
                prop_assert_eq!(there, expected, "{:?}", it);
            }
        }
        // The last batch of each producer is there for its sequence numbers, and whole as far as its header tells.
        for (producer, offset) in last_of_producers(&batches) {
            let kept = left.iter().find(|it| it.last_offset() == offset);
            let original = batches.iter().find(|it| it.last_offset() == offset).unwrap();
            let kept = kept.unwrap();
            prop_assert_eq!(
                (kept.producer_id(), kept.last_sequence(), kept.base_offset()),
                (producer, original.last_sequence(), original.base_offset())
            );
        }
        for kept in &left {
            let original = batches.iter().find(|it| it.base_offset() == kept.base_offset()).unwrap();
            prop_assert_eq!(kept.compression(), original.compression());
            prop_assert_eq!(kept.is_transactional(), original.is_transactional());
            if kept.last_offset() >= clean_to {
                prop_assert_eq!(kept, original);
            }
        }
    }

    #[test]
    fn tombstones_and_markers_go_after_their_horizon_and_never_before(steps in steps()) {
        let batches = log(&steps);
        let end = batches.last().unwrap().last_offset() + 1;
        let plan = CleaningPlan { dirty_from: 0, clean_to: end };
        let (first, clean_to) = pass(&batches, plan, 100, 100);
        let again = CleaningPlan { dirty_from: clean_to, clean_to: end };
        let live = |batches: &[RecordBatch]| {
            let all = records(batches).into_iter();
            let live = all.filter(|it| it.offset < clean_to && !it.control && it.value.is_some() && !it.aborted);
            live.map(|it| (it.offset, it.key)).collect::<Vec<_>>()
        };
        let tombstones = |batches: &[RecordBatch]| {
            let all = records(batches).into_iter();
            all.filter(|it| it.offset < clean_to && !it.control && it.value.is_none()).map(|it| it.offset).collect::<Vec<_>>()
        };
        // Just before the horizon nothing goes.
        let (second, _) = pass(&first, again, 100, 100 + RETENTION_MS - 1);
        prop_assert_eq!(tombstones(&second), tombstones(&first));
        prop_assert_eq!(live(&second), live(&first));
        // Then tombstones go, and values never do.
        let (third, _) = pass(&second, again, 100, 100 + RETENTION_MS);
        prop_assert_eq!(tombstones(&third), Vec::<i64>::new());
        prop_assert_eq!(live(&third), live(&first));
        // Markers lost their data by now; they get their horizon, and go with it.
        let (fourth, _) = pass(&third, again, 100, 100 + 2 * RETENTION_MS);
        let (fifth, _) = pass(&fourth, again, 100, 100 + 4 * RETENTION_MS);
        for it in records(&fifth).iter().filter(|it| it.control && it.offset < clean_to) {
            let marker = fifth.iter().find(|batch| batch.base_offset() == it.offset).unwrap();
            let of_data = fifth.iter().any(|batch| {
                !batch.is_control() && batch.producer_id() == marker.producer_id() && batch.record_count() > 0
                    && batch.base_offset() < it.offset
            });
            prop_assert!(of_data, "a marker stayed without data");
        }
        prop_assert_eq!(live(&fifth), live(&first));
    }
}

/// A transaction that has no marker yet must not hide the record that it would replace.
#[test]
fn an_undecided_transaction_takes_nothing_away() {
    let write =
        |producer, transactional| Step::Write { producer, transactional, records: vec![(1, true)], codec: 0 };
    let batches = log(&[write(1, false), write(11, true), write(2, false)]);
    let plan = CleaningPlan { dirty_from: 0, clean_to: 3 };
    let (left, clean_to) = pass(&batches, plan, 10, 100);
    assert_eq!((left, clean_to), (batches, 1));
}

/// `RecordBatch` promises that a compacted batch still parses; a batch that cannot be unpacked stays as it is.
#[test]
fn a_batch_that_cannot_be_unpacked_stays() {
    let write = |key| Step::Write { producer: 1, transactional: false, records: vec![(key, true)], codec: 0 };
    let mut batches = log(&[write(1), write(1), write(2)]);
    // Says gzip, and is not.
    batches[0] = with_attributes(&batches[0], 1);
    let plan = CleaningPlan { dirty_from: 0, clean_to: 3 };
    let (left, _) = pass(&batches, plan, 10, 100);
    assert_eq!(left, batches);
}

#[test]
fn default_rules_are_kafkas() {
    let rules = CleaningRules::default();
    assert_eq!((rules.minimum_dirty_ratio, rules.delete_retention_ms), (0.5, 86_400_000));
    assert_eq!((rules.minimum_lag_ms, rules.maximum_lag_ms), (0, i64::MAX));
}
