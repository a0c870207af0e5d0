//! What is counted while requests are answered.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use cadastre_protocol::ApiKey;

use super::histogram::Histogram;

/// Counts of the whole broker.
#[derive(Debug)]
pub(crate) struct Counters {
    /// Each API that is answered, at the place of its number.
    requests: Vec<Option<RequestCounts>>,
    /// From a batch that was found valid until it is durable.
    pub(crate) appends: Histogram,
    last_append_ms: AtomicI64,
    failed_produce_requests: AtomicU64,
    failed_fetch_requests: AtomicU64,
    in_progress: AtomicI64,
}

/// A request that is being answered; dropping it says that it is answered, or that nobody waits for that any more.
#[derive(Debug)]
pub(crate) struct Answering<'counters>(&'counters AtomicI64);

impl Drop for Answering<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Counts of one API.
#[derive(Debug)]
pub(crate) struct RequestCounts {
    pub(crate) api: ApiKey,
    /// From a whole request to its whole answer, what it waits for included.
    pub(crate) times: Histogram,
}

/// Counts of one listener.
#[derive(Debug, Default)]
pub(crate) struct ListenerCounts {
    open: AtomicI64,
    accepted: AtomicU64,
    refused: AtomicU64,
    authenticated: AtomicU64,
    not_authenticated: AtomicU64,
}

/// A connection that is there; dropping it says that it is gone.
#[derive(Debug)]
pub(crate) struct OpenConnection(std::sync::Arc<ListenerCounts>);

impl Counters {
    /// Everything at zero.
    pub(crate) fn new(apis: &[ApiKey]) -> Self {
        let number = |api: &ApiKey| usize::try_from(*api as i16).unwrap_or(0);
        let length = apis.iter().map(number).max().map_or(0, |last| last + 1);
        let mut requests: Vec<Option<RequestCounts>> = std::iter::repeat_with(|| None).take(length).collect();
        for api in apis {
            if let Some(place) = requests.get_mut(number(api)) {
                *place = Some(RequestCounts { api: *api, times: Histogram::default() });
            }
        }
        Self {
            requests,
            appends: Histogram::default(),
            last_append_ms: AtomicI64::new(0),
            failed_produce_requests: AtomicU64::new(0),
            failed_fetch_requests: AtomicU64::new(0),
            in_progress: AtomicI64::new(0),
        }
    }

    /// Counts a request as being answered for as long as what is returned lives.
    pub(crate) fn begin(&self) -> Answering<'_> {
        self.in_progress.fetch_add(1, Ordering::Relaxed);
        Answering(&self.in_progress)
    }

    /// Requests that are being answered.
    pub(crate) fn in_progress(&self) -> i64 {
        self.in_progress.load(Ordering::Relaxed)
    }

    /// Counts an answered request.
    pub(crate) fn answered(&self, api: ApiKey, time: Duration) {
        let place = usize::try_from(api as i16).ok().and_then(|number| self.requests.get(number));
        if let Some(Some(counts)) = place {
            counts.times.observe(time);
        }
    }

    /// Counts a batch that is durable now.
    pub(crate) fn appended(&self, time: Duration, now_ms: i64) {
        self.appends.observe(time);
        self.last_append_ms.store(now_ms, Ordering::Relaxed);
    }

    /// Counts a produce request of which a partition failed.
    pub(crate) fn produce_failed(&self) {
        self.failed_produce_requests.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a fetch request of which a partition failed.
    pub(crate) fn fetch_failed(&self) {
        self.failed_fetch_requests.fetch_add(1, Ordering::Relaxed);
    }

    /// Each API that is answered, by number.
    pub(crate) fn requests(&self) -> impl Iterator<Item = &RequestCounts> {
        self.requests.iter().flatten()
    }

    /// When a batch last became durable, in milliseconds since 1970; `None` when none has.
    pub(crate) fn last_append_ms(&self) -> Option<i64> {
        Some(self.last_append_ms.load(Ordering::Relaxed)).filter(|milliseconds| *milliseconds > 0)
    }

    /// Produce and fetch requests that failed.
    pub(crate) fn failed_requests(&self) -> (u64, u64) {
        (
            self.failed_produce_requests.load(Ordering::Relaxed),
            self.failed_fetch_requests.load(Ordering::Relaxed),
        )
    }
}

impl ListenerCounts {
    /// Counts a connection for as long as what is returned lives.
    pub(crate) fn accept(self: &std::sync::Arc<Self>) -> OpenConnection {
        self.accepted.fetch_add(1, Ordering::Relaxed);
        self.open.fetch_add(1, Ordering::Relaxed);
        OpenConnection(std::sync::Arc::clone(self))
    }

    /// Counts a connection over a limit.
    pub(crate) fn refuse(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts how a SASL exchange ended.
    pub(crate) fn authenticated(&self, is_known: bool) {
        let counter = if is_known { &self.authenticated } else { &self.not_authenticated };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Connections that are there.
    pub(crate) fn open(&self) -> i64 {
        self.open.load(Ordering::Relaxed)
    }

    /// Connections since the start: accepted, refused; SASL exchanges: succeeded, failed.
    pub(crate) fn totals(&self) -> [u64; 4] {
        [&self.accepted, &self.refused, &self.authenticated, &self.not_authenticated]
            .map(|counter| counter.load(Ordering::Relaxed))
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn requests_count_for_their_own_api() {
        let counters = Counters::new(&[ApiKey::Produce, ApiKey::Metadata]);
        counters.answered(ApiKey::Metadata, Duration::from_millis(3));
        counters.answered(ApiKey::ShareFetch, Duration::from_millis(3));
        let counted: Vec<_> =
            counters.requests().map(|counts| (counts.api, counts.times.snapshot().count)).collect();
        assert_eq!(counted, [(ApiKey::Produce, 0), (ApiKey::Metadata, 1)]);
    }

    #[test]
    fn a_connection_counts_until_it_is_gone() {
        let counts = Arc::new(ListenerCounts::default());
        let (one, two) = (counts.accept(), counts.accept());
        drop(one);
        assert_eq!((counts.open(), counts.totals()), (1, [2, 0, 0, 0]));
        drop(two);
        assert_eq!(counts.open(), 0);
    }
}
