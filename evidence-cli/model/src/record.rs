//! The evidence record: one observation, content-addressed and never edited.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::time::Timestamp;

/// The content address of a record: `sha256:` and 64 hexadecimal digits over the RFC 8785 canonical JSON
/// of everything in the record but the id itself.
///
/// Everything that is concluded names the records it rests on, so an id is shared and not copied.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId(Arc<str>);

impl Serialize for RecordId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for RecordId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(String::deserialize(deserializer)?.into()))
    }
}

impl RecordId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first twelve hexadecimal digits: what reports print and link.
    #[must_use]
    pub fn short(&self) -> &str {
        let digits = self.0.strip_prefix("sha256:").unwrap_or(&self.0);
        digits.get(..12).unwrap_or(digits)
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How an operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The service answered, and `response` holds the answer.
    Observed,
    /// The service refused for want of permission.
    Denied,
    /// The service answered that the thing asked about does not exist (`NoSuchBucketPolicy`, for one).
    Absent,
    /// Anything else went wrong: unreachable, throttled to the end, malformed, not supported.
    Failed,
    /// The answer was cut short: a page is missing, or the collector was interrupted.
    Truncated,
}

/// Where an operation looked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// AWS account id or Azure subscription id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Region, absent for global services.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The declared name of a Kafka cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
}

impl Scope {
    /// A cloud account, global services.
    #[must_use]
    pub fn account(account: impl Into<String>) -> Self {
        Self { account: Some(account.into()), ..Self::default() }
    }

    /// A cloud account in one region.
    #[must_use]
    pub fn region(account: impl Into<String>, region: impl Into<String>) -> Self {
        Self { account: Some(account.into()), region: Some(region.into()), cluster: None }
    }

    /// A Kafka cluster by its declared name.
    #[must_use]
    pub fn cluster(cluster: impl Into<String>) -> Self {
        Self { cluster: Some(cluster.into()), ..Self::default() }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<&str> =
            [&self.account, &self.region, &self.cluster].into_iter().filter_map(Option::as_deref).collect();
        f.write_str(&parts.join("/"))
    }
}

/// Which page of a paginated answer a record holds. An answer is complete when its pages count up from 1
/// without a gap and the final one says `last`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Page {
    /// Counted from 1.
    pub number: u32,
    /// Whether the service said that nothing follows.
    pub last: bool,
}

impl Page {
    /// The one and only page.
    pub const ONLY: Self = Self { number: 1, last: true };
}

/// Why an operation did not answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Problem {
    /// The service's own error code (`AccessDenied`, `TOPIC_AUTHORIZATION_FAILED`), or one of ours in
    /// kebab-case (`unreachable`, `timed-out`, `not-an-answer`).
    pub code: String,
    /// One line for a person.
    pub message: String,
}

/// One observation, before it is sealed into a [`Record`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Observation {
    /// `aws`, `kafka`, …: also names the file the record is kept in.
    pub collector: String,
    /// Service and operation in the service's own words: `kms:GetKeyPolicy`, `kafka:DescribeAcls`,
    /// `probe:TlsHandshake`.
    pub operation: String,
    /// Where was looked.
    pub scope: Scope,
    /// What was asked about: an ARN, a listener, or the scope itself.
    pub subject: String,
    /// The identity that asked, as the service names it; empty for an anonymous probe.
    pub caller: String,
    /// When the answer arrived.
    pub observed_at: Timestamp,
    /// How it ended.
    pub outcome: Outcome,
    /// The request's parameters; never a secret.
    pub request: Value,
    /// The answer; `null` unless the outcome is `observed` or `truncated`.
    pub response: Value,
    /// What went wrong, for every outcome but `observed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
    /// Which page this is.
    pub page: Page,
}

/// A value that cannot be written as canonical JSON.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// A number outside what RFC 8785 can carry.
    #[error("`{operation}` on `{subject}` cannot be written as canonical JSON")]
    NotCanonical {
        /// The operation that was observed.
        operation: String,
        /// Its subject.
        subject: String,
        /// What the serialiser said.
        #[source]
        source: serde_json::Error,
    },
    /// The id does not match the content.
    #[error("record `{claimed}` was edited: its content hashes to `{actual}`")]
    Edited {
        /// The id that the record carries.
        claimed: String,
        /// The id that its content has.
        actual: String,
    },
}

impl Observation {
    /// Computes the content address and freezes the observation.
    ///
    /// # Errors
    /// When the content cannot be written as canonical JSON.
    pub fn seal(self) -> Result<Record, RecordError> {
        let id = self.content_address()?;
        Ok(Record { id, observation: self })
    }

    fn content_address(&self) -> Result<RecordId, RecordError> {
        let canonical =
            serde_json_canonicalizer::to_vec(self).map_err(|source| RecordError::NotCanonical {
                operation: self.operation.clone(),
                subject: self.subject.clone(),
                source,
            })?;
        Ok(RecordId(format!("sha256:{}", hex::encode(Sha256::digest(&canonical))).into()))
    }
}

/// A sealed observation. Its id always matches its content: the only ways to make one are
/// [`Observation::seal`] and [`UncheckedRecord::check`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Record {
    id: RecordId,
    #[serde(flatten)]
    observation: Observation,
}

impl Record {
    /// The content address.
    #[must_use]
    pub const fn id(&self) -> &RecordId {
        &self.id
    }

    /// What was observed.
    #[must_use]
    pub const fn observation(&self) -> &Observation {
        &self.observation
    }

    /// Takes the observation out, to change it and seal it anew as a different record.
    #[must_use]
    pub fn into_observation(self) -> Observation {
        self.observation
    }
}

impl std::ops::Deref for Record {
    type Target = Observation;

    fn deref(&self) -> &Observation {
        &self.observation
    }
}

/// A record as it was read, whose id has not been checked yet.
#[derive(Debug, Clone, Deserialize)]
pub struct UncheckedRecord {
    id: RecordId,
    #[serde(flatten)]
    observation: UncheckedObservation,
}

/// The same fields without `deny_unknown_fields`, which serde cannot combine with `flatten`; an unknown
/// field is caught by [`UncheckedRecord::check`], since it is part of what was hashed and not of what is.
#[derive(Debug, Clone, Deserialize)]
struct UncheckedObservation {
    collector: String,
    operation: String,
    scope: Scope,
    subject: String,
    caller: String,
    observed_at: Timestamp,
    outcome: Outcome,
    request: Value,
    response: Value,
    #[serde(default)]
    problem: Option<Problem>,
    page: Page,
}

impl UncheckedRecord {
    /// Recomputes the content address and compares it with the one the record carries.
    ///
    /// # Errors
    /// [`RecordError::Edited`] when they differ.
    pub fn check(self) -> Result<Record, RecordError> {
        let unchecked = self.observation;
        let record = Observation {
            collector: unchecked.collector,
            operation: unchecked.operation,
            scope: unchecked.scope,
            subject: unchecked.subject,
            caller: unchecked.caller,
            observed_at: unchecked.observed_at,
            outcome: unchecked.outcome,
            request: unchecked.request,
            response: unchecked.response,
            problem: unchecked.problem,
            page: unchecked.page,
        }
        .seal()?;
        if record.id == self.id {
            Ok(record)
        } else {
            Err(RecordError::Edited {
                claimed: self.id.as_str().to_owned(),
                actual: record.id.as_str().to_owned(),
            })
        }
    }
}

/// Where collectors put what they saw. Safe to share between concurrent calls.
pub trait RecordSink: Send + Sync {
    /// Keeps one observation, at once, so that an interrupted scan loses nothing it has seen.
    ///
    /// # Errors
    /// When it cannot be kept; a collector must stop and pass the error on.
    fn put(&self, observation: Observation) -> Result<RecordId, SinkError>;
}

/// An observation could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// It has no canonical form.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The evidence directory could not be written.
    #[error("cannot write `{path}`")]
    Write {
        /// The file.
        path: String,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
}

/// A sink that keeps records in memory, for tests and for composing evidence.
#[derive(Debug, Default)]
pub struct MemorySink {
    records: std::sync::Mutex<Vec<Record>>,
}

impl MemorySink {
    /// Everything that was put, in order.
    #[must_use]
    pub fn into_records(self) -> Vec<Record> {
        self.records.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl RecordSink for MemorySink {
    fn put(&self, observation: Observation) -> Result<RecordId, SinkError> {
        let record = observation.seal()?;
        let id = record.id.clone();
        self.records.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(record);
        Ok(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn observation() -> Observation {
        Observation {
            collector: "aws".into(),
            operation: "kms:GetKeyPolicy".into(),
            scope: Scope::region("111122223333", "eu-central-1"),
            subject: "arn:aws:kms:eu-central-1:111122223333:key/1".into(),
            caller: "arn:aws:sts::111122223333:assumed-role/reader/scan".into(),
            observed_at: "2026-11-21T10:00:00Z".parse().unwrap(),
            outcome: Outcome::Observed,
            request: json!({"KeyId": "1"}),
            response: json!({"Policy": {"Statement": []}}),
            problem: None,
            page: Page::ONLY,
        }
    }

    #[test]
    fn the_same_observation_has_the_same_id() {
        assert_eq!(observation().seal().unwrap().id(), observation().seal().unwrap().id());
    }

    #[test]
    fn a_record_survives_being_written_and_read() {
        let record = observation().seal().unwrap();
        let text = serde_json::to_string(&record).unwrap();
        let read = serde_json::from_str::<UncheckedRecord>(&text).unwrap().check().unwrap();
        assert_eq!(read, record);
    }

    #[test]
    fn an_edited_record_is_refused_by_name() {
        let record = observation().seal().unwrap();
        let text = serde_json::to_string(&record).unwrap().replace("eu-central-1", "eu-west-1");
        let error = serde_json::from_str::<UncheckedRecord>(&text).unwrap().check().unwrap_err();
        assert!(error.to_string().contains(record.id().as_str()), "{error}");
    }
}
