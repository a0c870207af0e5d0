//! The steps of a transaction: tables of what Kafka answers, and what holds after any sequence of requests.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and clippy's exception for tests ends at their helpers"
)]

use std::collections::{BTreeMap, BTreeSet};

use TransactionError::{
    ConcurrentTransactions, InvalidProducerIdMapping, InvalidTransactionState, ProducerFenced,
};
use TransactionState::{CompleteAbort, CompleteCommit, Empty, Ongoing, PrepareAbort, PrepareCommit};
use cadastre_coordinator::{
    End, Ended, Initialize, Initialized, ProducerIdentity, Transaction, TransactionError, TransactionState,
};
use cadastre_protocol::transaction_marker::TransactionResult::{self, Abort, Commit};
use cadastre_protocol::types::{TopicId, TopicPartition};
use proptest::prelude::*;

const PARTITION: TopicPartition = TopicPartition { topic: TopicId([3; 16]), partition: 1 };
const FRESH: i64 = 900;

const fn producer(id: i64, epoch: i16) -> ProducerIdentity {
    ProducerIdentity { id, epoch }
}

fn known(state: TransactionState, epoch: i16) -> Transaction {
    let is_open = matches!(state, Ongoing | PrepareCommit | PrepareAbort);
    Transaction {
        producer: producer(7, epoch),
        previous: None,
        next_producer_id: None,
        number: 4,
        state,
        timeout_ms: 1_000,
        partitions: is_open.then_some((PARTITION, 10)).into_iter().collect(),
        groups: BTreeSet::new(),
        started_at_ms: is_open.then_some(0),
        changed_at_ms: 0,
        bumps_epoch: false,
    }
}

/// What `EndTxn` comes to: who the producer is afterwards and the state, or that it was ended so before, or why not.
type Outcome = Result<Option<(i64, i16, TransactionState)>, TransactionError>;

#[track_caller]
fn check_end(
    known: &Transaction,
    (asking, bumps_epoch, result): (ProducerIdentity, bool, TransactionResult),
    expected: Outcome,
) {
    let request = End { producer: asking, result, bumps_epoch, fresh_id: FRESH };
    let found = known.end(&request, 5).map(|ended| match ended {
        Ended::Repeated => None,
        Ended::Decided(next) => {
            let after = next.producer_after();
            Some((after.id, after.epoch, next.state))
        }
    });
    assert_eq!(found, expected);
}

#[test]
fn an_end_without_a_bump_is_judged_by_producer_and_state() {
    let asking = producer(7, 2);
    for (state, result, expected) in [
        (Ongoing, Commit, Ok(Some((7, 2, PrepareCommit)))),
        (Ongoing, Abort, Ok(Some((7, 2, PrepareAbort)))),
        (Empty, Commit, Err(InvalidTransactionState)),
        (Empty, Abort, Err(InvalidTransactionState)),
        (PrepareCommit, Commit, Err(ConcurrentTransactions)),
        (PrepareCommit, Abort, Err(InvalidTransactionState)),
        (PrepareAbort, Abort, Err(ConcurrentTransactions)),
        (PrepareAbort, Commit, Err(InvalidTransactionState)),
        (CompleteCommit, Commit, Ok(None)),
        (CompleteCommit, Abort, Err(InvalidTransactionState)),
        (CompleteAbort, Abort, Ok(None)),
        (CompleteAbort, Commit, Err(InvalidTransactionState)),
    ] {
        check_end(&known(state, 2), (asking, false, result), expected);
    }
    check_end(&known(Ongoing, 2), (producer(7, 1), false, Commit), Err(ProducerFenced));
    check_end(&known(Ongoing, 2), (producer(7, 3), false, Commit), Err(ProducerFenced));
    check_end(&known(Ongoing, 2), (producer(8, 2), false, Commit), Err(InvalidProducerIdMapping));
}

#[test]
fn an_end_with_a_bump_tells_repetitions_by_the_epoch() {
    let asking = producer(7, 2);
    check_end(&known(Ongoing, 2), (asking, true, Commit), Ok(Some((7, 3, PrepareCommit))));
    check_end(&known(Ongoing, 2), (producer(7, 1), true, Commit), Err(ProducerFenced));
    let bumped = |state| Transaction { previous: Some(asking), bumps_epoch: true, ..known(state, 3) };
    check_end(&bumped(PrepareCommit), (asking, true, Commit), Err(ConcurrentTransactions));
    check_end(&bumped(PrepareCommit), (asking, true, Abort), Err(InvalidTransactionState));
    check_end(&bumped(PrepareCommit), (producer(7, 3), true, Commit), Err(ProducerFenced));
    check_end(&bumped(CompleteCommit), (asking, true, Commit), Ok(None));
    check_end(&bumped(CompleteCommit), (asking, true, Abort), Err(InvalidTransactionState));
    check_end(&bumped(CompleteAbort), (asking, true, Abort), Ok(None));
    // The next transaction, into which nothing was written.
    check_end(&bumped(CompleteCommit), (producer(7, 3), true, Commit), Err(InvalidTransactionState));
    check_end(&bumped(CompleteCommit), (producer(7, 3), true, Abort), Ok(Some((7, 4, PrepareAbort))));
    check_end(&bumped(CompleteAbort), (producer(7, 3), true, Abort), Ok(Some((7, 4, PrepareAbort))));
    check_end(&known(Empty, 2), (asking, true, Abort), Ok(Some((7, 3, PrepareAbort))));
    check_end(&known(Empty, 2), (asking, true, Commit), Err(InvalidTransactionState));
}

#[test]
fn an_epoch_that_is_used_up_gives_way_to_another_producer_id() {
    let last = i16::MAX - 1;
    let asking = producer(7, last);
    let request = End { producer: asking, result: Commit, bumps_epoch: true, fresh_id: FRESH };
    let Ended::Decided(decided) = known(Ongoing, last).end(&request, 5).unwrap() else { panic!() };
    assert_eq!(decided.marker().unwrap().producer_epoch, i16::MAX, "everything before it is fenced");
    let complete = decided.completed(6).unwrap();
    assert_eq!((complete.producer, complete.state), (producer(FRESH, 0), CompleteCommit));
    assert_eq!(complete.end(&request, 7), Ok(Ended::Repeated));
    let other = End { producer: producer(8, last), ..request };
    assert_eq!(complete.end(&other, 7), Err(InvalidProducerIdMapping));
}

#[track_caller]
fn check_initialize(
    known: Option<Transaction>,
    expected_producer: Option<ProducerIdentity>,
    expected: Result<(&str, ProducerIdentity), TransactionError>,
) {
    let request = Initialize { expected: expected_producer, timeout_ms: 1_000, fresh_id: FRESH };
    let found = Transaction::initialize(known.as_ref(), &request, 5).map(|initialized| match initialized {
        Initialized::Ready(next) => ("ready", next.producer),
        Initialized::Repeated(producer) => ("repeated", producer),
        Initialized::Fencing(next) => ("fencing", next.producer),
    });
    assert_eq!(found, expected);
}

#[test]
fn a_producer_takes_over_or_goes_on() {
    check_initialize(None, None, Ok(("ready", producer(FRESH, 0))));
    check_initialize(None, Some(producer(3, 3)), Ok(("ready", producer(FRESH, 0))));
    for state in [Empty, CompleteCommit, CompleteAbort] {
        check_initialize(Some(known(state, 2)), None, Ok(("ready", producer(7, 3))));
        check_initialize(Some(known(state, 2)), Some(producer(7, 2)), Ok(("ready", producer(7, 3))));
        check_initialize(Some(known(state, 2)), Some(producer(7, 1)), Err(ProducerFenced));
        check_initialize(Some(known(state, 2)), Some(producer(6, 2)), Err(ProducerFenced));
        let last = i16::MAX - 1;
        check_initialize(Some(known(state, last)), None, Ok(("ready", producer(FRESH, 0))));
        check_initialize(
            Some(known(state, last)),
            Some(producer(7, last)),
            Ok(("ready", producer(FRESH, 0))),
        );
    }
    for state in [PrepareCommit, PrepareAbort] {
        check_initialize(Some(known(state, 2)), None, Err(ConcurrentTransactions));
    }
    check_initialize(Some(known(Ongoing, 2)), None, Ok(("fencing", producer(7, 3))));
    check_initialize(Some(known(Ongoing, 2)), Some(producer(7, 2)), Ok(("fencing", producer(7, 3))));
    check_initialize(Some(known(Ongoing, 2)), Some(producer(7, 1)), Err(ProducerFenced));
    let bumped = Transaction { previous: Some(producer(7, 1)), ..known(Empty, 2) };
    check_initialize(Some(bumped), Some(producer(7, 1)), Ok(("repeated", producer(7, 2))));
    let rotated = Transaction { previous: Some(producer(6, i16::MAX - 1)), ..known(Empty, 0) };
    check_initialize(Some(rotated), Some(producer(6, i16::MAX - 1)), Ok(("repeated", producer(7, 0))));
}

#[test]
fn only_the_producer_writes_and_only_where_it_said() {
    let other = TopicPartition { partition: 2, ..PARTITION };
    let open = known(Ongoing, 2);
    assert_eq!(open.verify(producer(7, 2), PARTITION), Ok(4));
    assert_eq!(open.verify(producer(7, 2), other), Err(InvalidTransactionState));
    assert_eq!(open.verify(producer(7, 1), PARTITION), Err(ProducerFenced));
    assert_eq!(open.verify(producer(1, 2), PARTITION), Err(InvalidProducerIdMapping));
    assert_eq!(known(PrepareAbort, 2).verify(producer(7, 2), PARTITION), Err(ConcurrentTransactions));
    let complete = known(CompleteCommit, 2);
    assert_eq!(complete.verify(producer(7, 2), PARTITION), Err(InvalidTransactionState));
    let begun = complete.with_participants(producer(7, 2), &[(other, 30)], Some("g"), 9).unwrap();
    assert_eq!((begun.number, begun.started_at_ms, begun.state), (5, Some(9), Ongoing));
    assert_eq!(begun.verify(producer(7, 2), other), Ok(5));
    assert_eq!(begun.verify_group(producer(7, 2), "g"), Ok(5));
    assert_eq!(begun.verify_group(producer(7, 2), "h"), Err(InvalidTransactionState));
    let more = begun.with_participants(producer(7, 2), &[(other, 99), (PARTITION, 40)], None, 11).unwrap();
    assert_eq!(more.partitions, BTreeMap::from([(PARTITION, 40), (other, 30)]), "the first offset stays");
    assert_eq!((more.number, more.started_at_ms), (5, Some(9)));
    assert_eq!(more.missing(&BTreeSet::from([PARTITION, other])), []);
    assert_eq!(complete.missing(&BTreeSet::from([PARTITION])), [PARTITION]);
}

#[test]
fn a_transaction_that_takes_too_long_is_aborted_and_its_producer_fenced() {
    let open = known(Ongoing, 2);
    assert_eq!(open.timed_out(1_000), None);
    let aborted = open.timed_out(1_001).unwrap();
    assert_eq!((aborted.state, aborted.producer), (PrepareAbort, producer(7, 3)));
    assert_eq!(aborted.timed_out(9_000), None);
    for state in [Empty, PrepareCommit, CompleteCommit] {
        assert_eq!(known(state, 2).timed_out(i64::MAX), None);
    }
    assert!(
        known(CompleteCommit, 2).is_forgotten(100, 100) && !known(CompleteCommit, 2).is_forgotten(100, 99)
    );
    assert!(!open.is_forgotten(100, i64::MAX) && !known(PrepareAbort, 2).is_forgotten(100, i64::MAX));
}

#[derive(Debug, Clone)]
enum Request {
    Initialize(bool),
    Add(usize),
    End(usize, TransactionResult, bool),
    Complete,
    Expire,
}

fn any_request() -> impl Strategy<Value = Request> {
    let result = prop_oneof![Just(Commit), Just(Abort)];
    prop_oneof![
        any::<bool>().prop_map(Request::Initialize),
        (0..4usize).prop_map(Request::Add),
        (0..4usize, result, any::<bool>()).prop_map(|(who, result, bump)| Request::End(who, result, bump)),
        Just(Request::Complete),
        Just(Request::Expire),
    ]
}

proptest! {
    /// Whatever is asked in whatever order: who was replaced writes nothing any more, a transaction's number has one outcome,
    /// and what is persisted is what was meant.
    #[test]
    fn replaced_producers_never_write_again(requests in prop::collection::vec(any_request(), 1..60)) {
        let mut current: Option<Transaction> = None;
        let mut producers: Vec<ProducerIdentity> = Vec::new();
        let mut replaced: Vec<ProducerIdentity> = Vec::new();
        let mut outcomes: BTreeMap<i32, TransactionResult> = BTreeMap::new();
        for (fresh_id, request) in (100..).zip(requests) {
            let now_ms = fresh_id * 10;
            let who = |back: usize| producers.iter().rev().nth(back).copied();
            let before = current.clone();
            let next = match (request, &before) {
                (Request::Initialize(goes_on), _) => {
                    let expected = goes_on.then(|| who(0)).flatten();
                    let asked = Initialize { expected, timeout_ms: 500, fresh_id };
                    match Transaction::initialize(before.as_ref(), &asked, now_ms) {
                        Ok(Initialized::Ready(next) | Initialized::Fencing(next)) => Some(next),
                        Ok(Initialized::Repeated(_)) | Err(_) => None,
                    }
                }
                (Request::Add(back), Some(known)) => who(back).and_then(|asking| {
                    known.with_participants(asking, &[(PARTITION, now_ms)], None, now_ms).ok()
                }),
                (Request::End(back, result, bumps_epoch), Some(known)) => who(back).and_then(|producer| {
                    let asked = End { producer, result, bumps_epoch, fresh_id };
                    match known.end(&asked, now_ms) {
                        Ok(Ended::Decided(next)) => Some(next),
                        Ok(Ended::Repeated) | Err(_) => None,
                    }
                }),
                (Request::Complete, Some(known)) => known.completed(now_ms),
                (Request::Expire, Some(known)) => known.timed_out(now_ms),
                (_, None) => None,
            };
            let Some(next) = next else { continue };
            if let Some(before) = &before {
                let (old, new) = (before.producer, next.producer);
                prop_assert!(new.id != old.id || new.epoch >= old.epoch, "{old:?} {new:?}");
                if old != new {
                    replaced.push(old);
                }
            }
            if let Some(marker) = next.marker().filter(|_| !next.partitions.is_empty()) {
                let outcome = outcomes.entry(marker.coordinator_epoch).or_insert(marker.result);
                prop_assert_eq!(*outcome, marker.result);
            }
            for old in &replaced {
                prop_assert!(next.verify(*old, PARTITION).is_err());
                prop_assert!(next.with_participants(*old, &[], None, now_ms).is_err());
            }
            prop_assert_eq!(Transaction::decode("id", &next.encode()).unwrap(), next.clone());
            if producers.last() != Some(&next.producer) {
                producers.push(next.producer);
            }
            current = Some(next);
        }
    }

    #[test]
    fn arbitrary_bytes_are_refused_and_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Transaction::decode("id", &bytes).is_err());
    }
}

#[test]
fn records_of_a_newer_release_are_refused_by_name() {
    let error = Transaction::decode("id", br#"{"version":2,"else":1}"#).unwrap_err();
    assert_eq!(error.to_string(), "record under `id` has version 2, which is newer than this broker");
}
