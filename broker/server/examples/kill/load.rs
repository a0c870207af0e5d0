//! Clients at work: producers with and without producer ids, and a reader that follows.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use cadastre_protocol::client::Address;
use cadastre_protocol::record_batch::{Producer, RecordBatch};
use cadastre_sequencer::history::{Answer, Found, Sent};
use tokio::sync::RwLock;

use crate::brokers::PATIENCE;
use crate::random::Random;
use crate::wire::{self, Connection, Counts, PARTITIONS};

/// What clients share: where brokers are, and what was seen.
#[derive(Debug)]
pub(crate) struct Load {
    pub(crate) addresses: Vec<Address>,
    /// Held by whoever has a request under way; taken whole by the check, which then looks at a log at rest.
    pub(crate) gate: RwLock<()>,
    pub(crate) is_over: AtomicBool,
    pub(crate) under_way: AtomicUsize,
    pub(crate) sent: Mutex<Vec<Sent>>,
    pub(crate) seen: Mutex<Vec<(i32, Found)>>,
    /// Batches that had to be sent more than once.
    pub(crate) repeated: AtomicU64,
    /// Final refusals of batches with a producer id, and errors of the reader, by name.
    pub(crate) errors: Mutex<Counts>,
    next_batch: AtomicU64,
    acknowledged: AtomicU64,
}

impl Load {
    pub(crate) fn new(addresses: Vec<Address>) -> Arc<Self> {
        Arc::new(Self {
            addresses,
            gate: RwLock::new(()),
            is_over: AtomicBool::new(false),
            under_way: AtomicUsize::new(0),
            sent: Mutex::default(),
            seen: Mutex::default(),
            repeated: AtomicU64::new(0),
            errors: Mutex::default(),
            next_batch: AtomicU64::new(1),
            acknowledged: AtomicU64::new(0),
        })
    }

    /// How long it takes until something is acknowledged; nothing when that takes longer than `patience`.
    pub(crate) async fn next_acknowledgement(&self, patience: Duration) -> Option<Duration> {
        let begun = Instant::now();
        let before = self.acknowledged.load(Ordering::Relaxed);
        while begun.elapsed() < patience {
            if self.acknowledged.load(Ordering::Relaxed) > before {
                return Some(begun.elapsed());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        None
    }

    fn note(&self, error: String) {
        *self.errors.lock().unwrap().entry(error).or_default() += 1;
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }
}

/// Sends batches until the run is over; with a producer id each until it is answered, else each once.
pub(crate) async fn produce(load: Arc<Load>, client: u32, mut random: Random, is_idempotent: bool) {
    let mut connection = Connection::new(load.addresses.clone(), random.fork(1));
    let mut identity = None;
    let mut sequences: BTreeMap<i32, i32> = BTreeMap::new();
    while !load.is_over() {
        tokio::time::sleep(Duration::from_millis(random.below(12))).await;
        let _pass = load.gate.read().await;
        if random.below(50) == 0 {
            connection.forget();
        }
        connection.connect().await;
        if is_idempotent && identity.is_none() {
            identity = Some(connection.producer_id().await);
            sequences.clear();
        }
        let index = i32::try_from(random.below(u64::from(PARTITIONS.unsigned_abs()))).unwrap();
        let base_sequence = sequences.get(&index).copied().unwrap_or(0);
        let number = load.next_batch.fetch_add(1, Ordering::Relaxed);
        let producer = identity.map(|id| Producer { id, epoch: 0, base_sequence });
        let batch = RecordBatch::build(0, &wire::records(number), producer).unwrap();
        load.under_way.fetch_add(1, Ordering::Relaxed);
        let answer = send(&load, &mut connection, index, &batch, is_idempotent).await;
        load.under_way.fetch_sub(1, Ordering::Relaxed);
        match answer {
            Answer::Acknowledged(_) => {
                load.acknowledged.fetch_add(1, Ordering::Relaxed);
                sequences.insert(index, base_sequence + batch.record_count());
            }
            Answer::Refused | Answer::Unknown => identity = None,
        }
        let offsets = batch.record_count().unsigned_abs();
        let partition = wire::partition(index);
        load.sent.lock().unwrap().push(Sent {
            batch: number,
            client,
            is_idempotent,
            partition,
            offsets,
            answer,
        });
    }
}

async fn send(
    load: &Load,
    connection: &mut Connection,
    index: i32,
    batch: &RecordBatch,
    is_idempotent: bool,
) -> Answer {
    let deadline = Instant::now() + PATIENCE;
    let mut tries = 0;
    loop {
        tries += 1;
        match connection.produce(index, batch).await {
            Some(Ok(offset)) => {
                load.repeated.fetch_add(u64::from(tries > 1), Ordering::Relaxed);
                return Answer::Acknowledged(offset);
            }
            _ if !is_idempotent => return Answer::Unknown,
            Some(Err(error)) if !error.is_retriable() => {
                load.note(format!("a batch with a producer id was refused: {error:?}"));
                return Answer::Unknown;
            }
            Some(Err(_)) | None => {}
        }
        if Instant::now() > deadline {
            load.note("a batch with a producer id was not answered in time".to_owned());
            return Answer::Unknown;
        }
        connection.forget();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Follows every partition and notes what it sees.
pub(crate) async fn follow(load: Arc<Load>, random: Random) {
    let mut connection = Connection::new(load.addresses.clone(), random);
    let mut offsets: BTreeMap<i32, i64> = (0..PARTITIONS).map(|index| (index, 0)).collect();
    while !load.is_over() {
        for (index, offset) in &mut offsets {
            let _pass = load.gate.read().await;
            match connection.fetch(*index, *offset, 20).await {
                Some(Ok(fetched)) => {
                    if let Some(last) = fetched.found.last() {
                        *offset = last.base_offset + i64::from(last.offsets);
                    }
                    load.seen.lock().unwrap().extend(fetched.found.into_iter().map(|found| (*index, found)));
                }
                Some(Err(error)) => load.note(format!("the reader was told: {error}")),
                None => connection.forget(),
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
