//! What a drill measured, and how that becomes an evidence record.

use std::collections::BTreeMap;
use std::time::Duration;

use cadastre_model::record::{Observation, Outcome, Page, Problem, RecordSink, SinkError};
use cadastre_model::{RecordId, Scope, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};

use crate::name::DrillName;

/// One thing that was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// The promise, as a sentence.
    pub promise: String,
    /// Whether it was kept; `None` where the target could not be made to show it.
    pub kept: Option<bool>,
    /// What was seen, or why it was not exercised.
    pub seen: String,
    /// How long it took, in milliseconds.
    pub milliseconds: u64,
}

/// Something that a drill put back, or could not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CleanUp {
    /// What was to be undone.
    pub what: String,
    /// Whether it was.
    pub done: bool,
    /// What went wrong; empty where nothing did.
    pub seen: String,
}

/// How a drill ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// It ran to its end; the checks say what came out.
    Finished,
    /// The target cannot do it, and why.
    NotExercised(String),
    /// It stopped in the middle: interrupted, or the target died.
    Stopped(String),
}

/// The verdict of one drill, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DrillOutcome {
    /// Every promise was kept.
    Passed,
    /// A promise was broken.
    Failed,
    /// Nothing was exercised.
    NotExercised,
    /// It stopped before its end, or could not put back what it changed.
    Stopped,
}

impl DrillOutcome {
    /// The word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::NotExercised => "not-exercised",
            Self::Stopped => "stopped",
        }
    }
}

/// Everything one drill measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrillRecord {
    /// Which drill.
    pub drill: DrillName,
    /// The cluster's declared name.
    pub cluster: String,
    /// The id that the cluster gave when the drill began; `None` when it gave none.
    pub cluster_id: Option<String>,
    /// The principal that administered the drill.
    pub principal: String,
    /// The client library and its version.
    pub client: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When it had ended and was cleaned up.
    pub finished_at: Timestamp,
    /// How long it took, in milliseconds, by a clock that does not jump.
    pub milliseconds: u64,
    /// How it ended.
    pub ending: Ending,
    /// What was tried, in order.
    pub checks: Vec<Check>,
    /// Measured numbers; the unit is the end of the name.
    pub measurements: BTreeMap<String, u64>,
    /// What was observed besides, in words or as lists.
    pub details: BTreeMap<String, Value>,
    /// What was put back.
    pub clean_up: Vec<CleanUp>,
}

impl DrillRecord {
    /// What it comes to. A broken promise outweighs everything else.
    #[must_use]
    pub fn outcome(&self) -> DrillOutcome {
        let broken = self.checks.iter().any(|check| check.kept == Some(false));
        let disturbed = self.clean_up.iter().any(|step| !step.done);
        let shown = self.checks.iter().any(|check| check.kept.is_some());
        match &self.ending {
            _ if broken => DrillOutcome::Failed,
            Ending::Stopped(_) => DrillOutcome::Stopped,
            _ if disturbed => DrillOutcome::Stopped,
            Ending::NotExercised(_) => DrillOutcome::NotExercised,
            Ending::Finished if !shown => DrillOutcome::NotExercised,
            Ending::Finished => DrillOutcome::Passed,
        }
    }

    /// Why it did not run to its end, or what could not be exercised.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match &self.ending {
            Ending::Finished => None,
            Ending::NotExercised(reason) | Ending::Stopped(reason) => Some(reason),
        }
    }

    /// Keeps the measurements as evidence.
    ///
    /// # Errors
    /// When the sink cannot keep them.
    pub fn keep(&self, sink: &dyn RecordSink) -> Result<RecordId, SinkError> {
        let response = json!({
            "drill": self.drill.as_str(),
            "outcome": self.outcome(),
            "cluster_id": self.cluster_id,
            "started_at": self.started_at.to_string(),
            "finished_at": self.finished_at.to_string(),
            "milliseconds": self.milliseconds,
            "checks": self.checks,
            "measurements": self.measurements,
            "details": self.details,
            "clean_up": self.clean_up,
        });
        let problem =
            |code: &str, message: &str| Some(Problem { code: code.to_owned(), message: message.to_owned() });
        let (outcome, response, problem) = match &self.ending {
            Ending::Finished => (Outcome::Observed, response, None),
            Ending::Stopped(reason) => (Outcome::Truncated, response, problem("stopped", reason)),
            Ending::NotExercised(reason) => (Outcome::Failed, Value::Null, problem("not-exercised", reason)),
        };
        sink.put(Observation {
            collector: "drills".to_owned(),
            operation: self.drill.operation(),
            scope: Scope::cluster(&self.cluster),
            subject: self.cluster.clone(),
            // A drill's clients exercise the cluster; they collect nothing.
            caller: String::new(),
            observed_at: self.finished_at,
            outcome,
            request: json!({"client": self.client, "principal": self.principal}),
            response,
            problem,
            page: Page::ONLY,
        })
    }
}

/// Milliseconds of a duration, saturating.
#[must_use]
pub(crate) fn milliseconds(elapsed: Duration) -> u64 {
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}

/// The name and version of the client library.
#[must_use]
pub(crate) fn client_library() -> String {
    let (_, version) = rdkafka::util::get_rdkafka_version();
    format!("librdkafka {version}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(ending: Ending, kept: &[Option<bool>]) -> DrillRecord {
        let at = Timestamp::from_seconds(1_800_000_000).unwrap();
        DrillRecord {
            drill: DrillName::Clients,
            cluster: "c".to_owned(),
            cluster_id: None,
            principal: "User:a".to_owned(),
            client: String::new(),
            started_at: at,
            finished_at: at,
            milliseconds: 1,
            ending,
            checks: kept
                .iter()
                .map(|kept| Check { promise: "p".into(), kept: *kept, seen: "s".into(), milliseconds: 1 })
                .collect(),
            measurements: BTreeMap::new(),
            details: BTreeMap::new(),
            clean_up: Vec::new(),
        }
    }

    #[track_caller]
    fn check(ending: Ending, kept: &[Option<bool>], expected: DrillOutcome) {
        assert_eq!(record(ending, kept).outcome(), expected);
    }

    #[test]
    fn a_broken_promise_outweighs_everything_and_nothing_shown_is_nothing_exercised() {
        let stopped = || Ending::Stopped("died".to_owned());
        check(Ending::Finished, &[Some(true), None], DrillOutcome::Passed);
        check(Ending::Finished, &[Some(true), Some(false)], DrillOutcome::Failed);
        check(Ending::Finished, &[None], DrillOutcome::NotExercised);
        check(Ending::Finished, &[], DrillOutcome::NotExercised);
        check(stopped(), &[Some(true)], DrillOutcome::Stopped);
        check(stopped(), &[Some(false)], DrillOutcome::Failed);
    }

    #[test]
    fn a_drill_that_left_something_behind_has_not_ended() {
        let mut drill = record(Ending::Finished, &[Some(true)]);
        drill.clean_up.push(CleanUp { what: "delete a topic".into(), done: false, seen: "refused".into() });
        assert_eq!(drill.outcome(), DrillOutcome::Stopped);
    }
}
