//! What everything in a run shares: time, chance, faults and the trace.

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::future::{Either, select};

use crate::faults::{FaultRates, Outages};
use crate::random::Random;
use crate::time::{Sleep, Time};
use crate::trace::Trace;

/// A run's surroundings. Cheap to clone; clones are the same world.
#[derive(Debug, Clone)]
pub(crate) struct World {
    time: Time,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug)]
struct Inner {
    random: Random,
    rates: FaultRates,
    outages: Outages,
    trace: Trace,
}

impl World {
    /// A world with faults at these rates.
    #[must_use]
    pub(crate) fn new(random: Random, rates: FaultRates, trace: Trace) -> Self {
        let inner = Inner { random, rates, outages: Outages::default(), trace };
        Self { time: Time::default(), inner: Arc::new(Mutex::new(inner)) }
    }

    // A poisoned lock means that a task panicked, which ends the run.
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The world's time.
    #[must_use]
    pub(crate) const fn time(&self) -> &Time {
        &self.time
    }

    /// Microseconds since the run began.
    #[must_use]
    pub(crate) fn now(&self) -> u64 {
        self.time.now()
    }

    /// Waits, in simulated microseconds.
    pub(crate) fn sleep(&self, microseconds: u64) -> Sleep {
        self.time.sleep(microseconds)
    }

    /// Waits for any time from `low` to `high` microseconds.
    pub(crate) fn sleep_between(&self, low: u64, high: u64) -> Sleep {
        let microseconds = self.inner().random.between(low, high);
        self.sleep(microseconds)
    }

    /// What `future` gives, or nothing after so many microseconds.
    pub(crate) async fn within<F: Future>(&self, microseconds: u64, future: F) -> Option<F::Output> {
        match select(pin!(future), self.sleep(microseconds)).await {
            Either::Left((output, _)) => Some(output),
            Either::Right(((), _)) => None,
        }
    }

    /// A number below `bound`.
    #[must_use]
    pub(crate) fn below(&self, bound: u64) -> u64 {
        self.inner().random.below(bound)
    }

    /// Whether a fault with a rate happens now.
    #[must_use]
    pub(crate) fn fault(&self, rate: impl FnOnce(&FaultRates) -> u32) -> bool {
        let mut inner = self.inner();
        let per_mille = rate(&inner.rates);
        per_mille > 0 && inner.random.chance(per_mille)
    }

    /// What is out of order altogether.
    #[must_use]
    pub(crate) fn outages(&self) -> Outages {
        self.inner().outages
    }

    /// Changes what is out of order.
    pub(crate) fn set_outages(&self, change: impl FnOnce(&mut Outages)) {
        change(&mut self.inner().outages);
    }

    /// Ends all faults.
    pub(crate) fn heal(&self) {
        let mut inner = self.inner();
        inner.rates = FaultRates::default();
        inner.outages = Outages::default();
    }

    /// Waits as long as a request over the network takes.
    pub(crate) async fn network(&self) {
        if self.fault(|rates| rates.slow) {
            self.sleep_between(500_000, 6_000_000).await;
        } else {
            self.sleep_between(50, 5_000).await;
        }
    }

    /// Notes an event.
    pub(crate) fn note(&self, event: fmt::Arguments<'_>) {
        let now = self.now();
        self.inner().trace.note(now, event);
    }

    /// Fingerprint, number of events, and lines if they were kept.
    #[must_use]
    pub(crate) fn trace(&self) -> (String, u64, Vec<String>) {
        let inner = self.inner();
        (inner.trace.fingerprint(), inner.trace.events(), inner.trace.lines().to_vec())
    }
}
