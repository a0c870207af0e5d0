//! What every drill works with: the target, a place for what it measures, and what it has to put back.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cadastre_model::progress::Progress;
use serde_json::Value;

use crate::actions::Actions;
use crate::name::DrillName;
use crate::outcome::{Check, milliseconds};
use crate::target::Target;
use crate::tools::BrokerTools;
use crate::undo::Undo;

/// Everything that a drill measured so far.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    pub(crate) checks: Vec<Check>,
    pub(crate) measurements: BTreeMap<String, u64>,
    pub(crate) details: BTreeMap<String, Value>,
}

/// What a drill works with.
#[derive(Clone)]
pub(crate) struct Bench<'a> {
    pub(crate) target: &'a Target,
    pub(crate) tools: Option<&'a dyn BrokerTools>,
    pub(crate) progress: &'a dyn Progress,
    pub(crate) drill: DrillName,
    /// Tells the names of this run from those of others.
    pub(crate) run: &'a str,
    pub(crate) undo: Undo,
    pub(crate) actions: Actions,
    pub(crate) measured: Arc<Mutex<Measured>>,
}

impl fmt::Debug for Bench<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bench").field("drill", &self.drill).field("run", &self.run).finish_non_exhaustive()
    }
}

impl Bench<'_> {
    pub(crate) fn measured(&self) -> MutexGuard<'_, Measured> {
        self.measured.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what one promise came to.
    pub(crate) fn check(
        &self,
        promise: impl Into<String>,
        kept: bool,
        seen: impl Into<String>,
        since: Instant,
    ) {
        self.enter(promise.into(), Some(kept), seen.into(), since.elapsed());
    }

    /// Keeps a promise that could not be tried.
    pub(crate) fn not_exercised(&self, promise: impl Into<String>, reason: impl Into<String>) {
        self.enter(promise.into(), None, reason.into(), Duration::ZERO);
    }

    fn enter(&self, promise: String, kept: Option<bool>, seen: String, elapsed: Duration) {
        let check = Check { promise, kept, seen, milliseconds: milliseconds(elapsed) };
        self.measured().checks.push(check);
    }

    /// Keeps a number; its unit is the end of its name.
    pub(crate) fn measure(&self, name: &str, value: u64) {
        self.measured().measurements.insert(name.to_owned(), value);
    }

    /// Keeps a duration in milliseconds under `NAME_ms`.
    pub(crate) fn measure_time(&self, name: &str, time: Duration) {
        self.measure(&format!("{name}_ms"), milliseconds(time));
    }

    /// Keeps something in words.
    pub(crate) fn detail(&self, name: &str, value: impl Into<Value>) {
        self.measured().details.insert(name.to_owned(), value.into());
    }

    /// Tells what is being done.
    pub(crate) fn step(&self, what: &str) {
        self.progress.step(&format!("{}: {what}", self.drill));
    }

    /// A name for a topic or group of this drill, below the prefix.
    pub(crate) fn name(&self, what: &str) -> String {
        format!("{}{}-{}-{what}", self.target.prefix, self.drill, self.run)
    }
}
