//! What a drill measured, and how that becomes an evidence record.

use std::time::Duration;

use cadastre_model::record::{Observation, Outcome, Page, Problem, RecordSink, SinkError};
use cadastre_model::{Clock, RecordId, Scope};
use rdkafka::error::KafkaError;
use serde::Serialize;
use serde_json::json;

/// One thing that was tried.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Check {
    /// The promise, as a sentence.
    pub promise: String,
    /// Whether it was kept.
    pub kept: bool,
    /// What was seen.
    pub seen: String,
    /// How long it took, in milliseconds.
    pub milliseconds: u64,
}

impl Check {
    pub(crate) fn new(promise: &str, kept: bool, seen: impl Into<String>, elapsed: Duration) -> Self {
        Self {
            promise: promise.to_owned(),
            kept,
            seen: seen.into(),
            milliseconds: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

/// Everything one drill measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DrillRecord {
    /// The drill's name: `clients`, `denials`.
    pub drill: String,
    /// The cluster it ran against.
    pub cluster: String,
    /// The principal it ran as.
    pub principal: String,
    /// The client library and its version.
    pub client: String,
    /// What was tried, in order.
    pub checks: Vec<Check>,
}

impl DrillRecord {
    pub(crate) fn new(drill: &str, cluster: &str, principal: String) -> Self {
        let (_, version) = rdkafka::util::get_rdkafka_version();
        Self {
            drill: drill.to_owned(),
            cluster: cluster.to_owned(),
            principal,
            client: format!("librdkafka {version}"),
            checks: Vec::new(),
        }
    }

    /// Whether every promise was kept.
    #[must_use]
    pub fn all_kept(&self) -> bool {
        self.checks.iter().all(|check| check.kept)
    }

    /// Keeps the measurements as evidence.
    ///
    /// # Errors
    /// When the sink cannot keep them.
    pub fn keep(&self, sink: &dyn RecordSink, clock: &dyn Clock) -> Result<RecordId, SinkError> {
        sink.put(Observation {
            collector: "drills".to_owned(),
            operation: format!("drill:{}", self.drill),
            scope: Scope::cluster(&self.cluster),
            subject: self.cluster.clone(),
            // The drill's clients exercise the cluster; they collect nothing.
            caller: String::new(),
            observed_at: clock.now().truncated_to_seconds(),
            outcome: Outcome::Observed,
            request: json!({"client": self.client, "principal": self.principal}),
            response: json!({"checks": self.checks}),
            problem: None::<Problem>,
            page: Page::ONLY,
        })
    }
}

/// A drill that could not run at all.
#[derive(Debug, thiserror::Error)]
pub enum DrillError {
    /// A client refused its configuration.
    #[error("the Kafka client refuses its configuration")]
    Client(#[source] KafkaError),
    /// The cluster did not answer a step that the rest needs.
    #[error("{step} failed")]
    Step {
        /// What was tried.
        step: String,
        /// What the client said.
        #[source]
        source: KafkaError,
    },
    /// A topic could not be made.
    #[error("topic `{topic}` could not be created: {reason}")]
    Topic {
        /// The topic.
        topic: String,
        /// The broker's error code.
        reason: String,
    },
}

pub(crate) fn step(step: &str) -> impl FnOnce(KafkaError) -> DrillError {
    let step = step.to_owned();
    move |source| DrillError::Step { step, source }
}
