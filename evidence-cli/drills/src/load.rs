//! Writes that go on while something happens to the cluster, and how long none were acknowledged.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::producer::{FutureProducer, FutureRecord, Producer as _};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::connection::Connection;
use crate::error::DrillError;
use crate::ledger::{Ledger, key, producer, value};
use crate::topics::blocking;

/// Records that wait for their acknowledgement at most.
const WAITING: usize = 2_000;

/// Between two records.
const PACE: Duration = Duration::from_millis(1);

/// The longest wait for one acknowledgement.
const DELIVERY: Duration = Duration::from_secs(90);

/// Acknowledgements as they came.
#[derive(Debug, Default)]
struct Seen {
    ledger: Ledger,
    times: Vec<Instant>,
    last_error: Option<String>,
}

/// Writes in the background.
pub(crate) struct Load {
    seen: Arc<Mutex<Seen>>,
    producer: FutureProducer,
    writer: JoinHandle<()>,
    waiting: Arc<Semaphore>,
}

impl std::fmt::Debug for Load {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Load").field("acknowledged", &self.acknowledged()).finish_non_exhaustive()
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.writer.abort();
    }
}

impl Load {
    /// Begins to write.
    ///
    /// # Errors
    /// When the client refuses its configuration.
    pub(crate) fn start(connection: &Connection, topic: &str, mark: &str) -> Result<Self, DrillError> {
        let producer = producer(connection)?;
        let seen = Arc::new(Mutex::new(Seen::default()));
        let waiting = Arc::new(Semaphore::new(WAITING));
        let writer = tokio::spawn(write(
            producer.clone(),
            topic.to_owned(),
            mark.to_owned(),
            Arc::clone(&seen),
            Arc::clone(&waiting),
        ));
        Ok(Self { seen, producer, writer, waiting })
    }

    fn seen<T>(&self, look: impl FnOnce(&Seen) -> T) -> T {
        look(&self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How many were acknowledged so far.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.seen(|seen| seen.ledger.len())
    }

    /// The first acknowledgement after a moment.
    pub(crate) fn first_after(&self, moment: Instant) -> Option<Instant> {
        self.seen(|seen| seen.times.iter().copied().find(|time| *time > moment))
    }

    /// The last acknowledgement.
    pub(crate) fn last(&self) -> Option<Instant> {
        self.seen(|seen| seen.times.last().copied())
    }

    /// The longest time without an acknowledgement from a moment on, until now.
    pub(crate) fn longest_gap_since(&self, moment: Instant) -> Duration {
        self.seen(|seen| {
            let mut longest = Duration::ZERO;
            let mut previous = moment;
            for time in seen.times.iter().filter(|time| **time > moment) {
                longest = longest.max(time.saturating_duration_since(previous));
                previous = *time;
            }
            longest.max(previous.elapsed())
        })
    }

    /// Waits until so many were acknowledged in all.
    ///
    /// # Errors
    /// When that takes too long.
    pub(crate) async fn wait_for(&self, count: u64, patience: Duration) -> Result<(), DrillError> {
        let started = Instant::now();
        while self.acknowledged() < count {
            if started.elapsed() > patience {
                let why = self.seen(|seen| seen.last_error.clone()).unwrap_or_default();
                return Err(DrillError::TooLate {
                    what: format!("{count} acknowledged records ({} so far) {why}", self.acknowledged()),
                    seconds: patience.as_secs(),
                });
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    /// Stops writing, waits for what is on its way, and hands out what was acknowledged.
    ///
    /// # Errors
    /// When a part of the client ended.
    pub(crate) async fn stop(self) -> Result<Ledger, DrillError> {
        self.writer.abort();
        let producer = self.producer.clone();
        // Whether everything was delivered shows in the ledger; what was not is counted there.
        let _flushed = blocking(move || producer.flush(DELIVERY)).await?;
        let all = u32::try_from(WAITING).unwrap_or(u32::MAX);
        let _drained = tokio::time::timeout(DELIVERY, self.waiting.acquire_many(all)).await;
        Ok(self.seen(|seen| seen.ledger.clone()))
    }
}

async fn write(
    producer: FutureProducer,
    topic: String,
    mark: String,
    seen: Arc<Mutex<Seen>>,
    waiting: Arc<Semaphore>,
) {
    let mut clock = tokio::time::interval(PACE);
    clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    for number in 0_u64.. {
        clock.tick().await;
        let Ok(permit) = Arc::clone(&waiting).acquire_owned().await else { return };
        let (key, value) = (key(number), value(&mark, number));
        // Queued here, so that records leave in the order of their numbers.
        let delivery = match producer.send_result(FutureRecord::to(&topic).key(&key).payload(&value)) {
            Ok(delivery) => delivery,
            Err((error, _)) => {
                seen.lock().unwrap_or_else(PoisonError::into_inner).last_error = Some(error.to_string());
                continue;
            }
        };
        let seen = Arc::clone(&seen);
        tokio::spawn(async move {
            let delivered = delivery.await;
            let now = Instant::now();
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.ledger.sent = seen.ledger.sent.max(number + 1);
            match delivered {
                Ok(Ok(delivery)) => {
                    seen.ledger.acknowledge((delivery.partition, delivery.offset), number);
                    seen.times.push(now);
                }
                Ok(Err((error, _))) => {
                    seen.ledger.unacknowledged += 1;
                    seen.last_error = Some(error.to_string());
                }
                Err(_cancelled) => seen.ledger.unacknowledged += 1,
            }
            drop(permit);
        });
    }
}
