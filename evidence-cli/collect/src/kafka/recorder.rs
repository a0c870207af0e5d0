//! Turns answers and troubles into records.

use cadastre_model::progress::Progress;
use cadastre_model::record::{Observation, Outcome, Page, Problem, RecordSink, Scope};
use cadastre_model::time::Clock;
use cadastre_protocol::ResponseError;
use cadastre_protocol::client::{ClientError, code_name};
use serde_json::{Value, json};

use super::{KafkaOptions, KafkaTarget};
use crate::CollectError;

/// One question, as its record will name it.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    pub(super) operation: String,
    pub(super) subject: String,
    pub(super) request: Value,
    pub(super) page: Page,
    /// Whether the scanner's identity was left out of it.
    pub(super) anonymous: bool,
}

impl Ask {
    pub(super) fn new(operation: &str, subject: &str, request: Value) -> Self {
        Self {
            operation: operation.to_owned(),
            subject: subject.to_owned(),
            request,
            page: Page::ONLY,
            anonymous: false,
        }
    }

    pub(super) fn connect(address: &str, target: &KafkaTarget) -> Self {
        let request = json!({
            "protocol": target.security.protocol,
            "mechanism": target.security.mechanism.filter(|_mechanism| target.uses_sasl()),
        });
        Self::new("kafka:Connect", address, request)
    }

    /// The same question about one item of it.
    pub(super) fn about(&self, subject: String) -> Self {
        Self { subject, page: Page::ONLY, ..self.clone() }
    }

    pub(super) fn paged(self, number: u32, last: bool) -> Self {
        Self { page: Page { number, last }, ..self }
    }

    pub(super) fn anonymously(self) -> Self {
        Self { anonymous: true, ..self }
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) outcome: Outcome,
    pub(super) code: String,
    pub(super) message: String,
}

impl Trouble {
    pub(super) fn failed(code: &str, message: impl Into<String>) -> Self {
        Self { outcome: Outcome::Failed, code: code.to_owned(), message: message.into() }
    }

    pub(super) fn absent(code: &str, message: impl Into<String>) -> Self {
        Self { outcome: Outcome::Absent, code: code.to_owned(), message: message.into() }
    }

    pub(super) fn not_tried(why: &str) -> Self {
        Self::failed("not-tried", why)
    }

    /// The trouble behind an error code in a response, `None` for success.
    pub(super) fn from_code(code: i16, message: Option<&str>) -> Option<Self> {
        ClientError::from_code(code, message).map(Self::from)
    }

    /// Fails unless the code means success.
    pub(super) fn check(code: i16, message: Option<&str>) -> Result<(), Self> {
        Self::from_code(code, message).map_or(Ok(()), Err)
    }
}

impl From<ClientError> for Trouble {
    fn from(error: ClientError) -> Self {
        let message = one_line(&error);
        let (outcome, code) = match &error {
            ClientError::Unreachable { .. } => (Outcome::Failed, "unreachable".to_owned()),
            ClientError::TimedOut { .. } => (Outcome::Failed, "timed-out".to_owned()),
            ClientError::Tls { .. } => (Outcome::Failed, "tls".to_owned()),
            ClientError::TlsMaterial(_) => (Outcome::Failed, "tls-material".to_owned()),
            ClientError::ServerAuthentication { .. } => (Outcome::Failed, "server-authentication".to_owned()),
            ClientError::Closed { .. } => (Outcome::Failed, "closed".to_owned()),
            ClientError::Malformed { .. } => (Outcome::Failed, "malformed".to_owned()),
            ClientError::UnsupportedApi { .. } | ClientError::Unwritable(_) => {
                (Outcome::Failed, "unsupported-api".to_owned())
            }
            ClientError::Authentication { code, .. } | ClientError::Authorization { code, .. } => {
                (Outcome::Denied, code_name(*code))
            }
            ClientError::Refused { code, .. } => {
                let outcome = if says_absent(*code) { Outcome::Absent } else { Outcome::Failed };
                (outcome, code_name(*code))
            }
        };
        Self { outcome, code, message }
    }
}

/// Whether the broker answers by this code that there is no such thing.
fn says_absent(code: ResponseError) -> bool {
    matches!(
        code,
        ResponseError::SecurityDisabled
            | ResponseError::DelegationTokenAuthDisabled
            | ResponseError::UnknownTopicOrPartition
            | ResponseError::GroupIdNotFound
    )
}

/// An error with its causes.
fn one_line(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        if !line.ends_with(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
        source = cause.source();
    }
    line.replace(['\n', '\r'], " ")
}

/// Writes the records of one cluster.
pub(super) struct Recorder<'a> {
    cluster: String,
    caller: String,
    sink: &'a dyn RecordSink,
    clock: &'a dyn Clock,
    progress: &'a dyn Progress,
}

impl<'a> Recorder<'a> {
    pub(super) fn new(cluster: String, sink: &'a dyn RecordSink, options: &KafkaOptions<'a>) -> Self {
        Self { cluster, caller: String::new(), sink, clock: options.clock, progress: options.progress }
    }

    pub(super) fn set_caller(&mut self, caller: String) {
        self.caller = caller;
    }

    pub(super) fn caller(&self) -> &str {
        &self.caller
    }

    /// Seconds since the epoch, for names that must be new.
    pub(super) fn seconds(&self) -> i64 {
        self.clock.now().seconds()
    }

    pub(super) fn step(&self, message: &str) {
        self.progress.step(&format!("{}: {message}", self.cluster));
    }

    /// A question about the whole cluster.
    pub(super) fn ask(&self, operation: &str, request: Value) -> Ask {
        Ask::new(operation, &self.cluster, request)
    }

    /// Keeps an answer or a trouble.
    pub(super) fn settle(&self, ask: &Ask, answer: Result<Value, Trouble>) -> Result<(), CollectError> {
        match answer {
            Ok(response) => self.observed(ask, response),
            Err(trouble) => self.trouble(ask, &trouble),
        }
    }

    pub(super) fn observed(&self, ask: &Ask, response: Value) -> Result<(), CollectError> {
        self.put(ask, Outcome::Observed, response, None)
    }

    pub(super) fn trouble(&self, ask: &Ask, trouble: &Trouble) -> Result<(), CollectError> {
        if trouble.code != "not-tried" {
            self.progress.warn(&format!(
                "{}: {} on {}: {}",
                self.cluster, ask.operation, ask.subject, trouble.message
            ));
        }
        let problem = Problem { code: trouble.code.clone(), message: trouble.message.clone() };
        self.put(ask, trouble.outcome, Value::Null, Some(problem))
    }

    fn put(
        &self,
        ask: &Ask,
        outcome: Outcome,
        response: Value,
        problem: Option<Problem>,
    ) -> Result<(), CollectError> {
        let caller = if ask.anonymous { String::new() } else { self.caller.clone() };
        self.sink.put(Observation {
            collector: "kafka".to_owned(),
            operation: ask.operation.clone(),
            scope: Scope::cluster(&self.cluster),
            subject: ask.subject.clone(),
            caller,
            observed_at: self.clock.now().truncated_to_seconds(),
            outcome,
            request: ask.request.clone(),
            response,
            problem,
            page: ask.page,
        })?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brokers_codes_end_in_the_outcome_they_mean() {
        #[track_caller]
        fn check(code: i16, outcome: Outcome, name: &str) {
            let trouble = Trouble::from_code(code, None).unwrap();
            assert_eq!((trouble.outcome, trouble.code.as_str()), (outcome, name));
        }
        check(31, Outcome::Denied, "CLUSTER_AUTHORIZATION_FAILED");
        check(29, Outcome::Denied, "TOPIC_AUTHORIZATION_FAILED");
        check(54, Outcome::Absent, "SECURITY_DISABLED");
        check(61, Outcome::Absent, "DELEGATION_TOKEN_AUTH_DISABLED");
        check(35, Outcome::Failed, "UNSUPPORTED_VERSION");
        check(-1, Outcome::Failed, "UNKNOWN_SERVER_ERROR");
        assert_eq!(Trouble::from_code(0, None), None);
    }
}
