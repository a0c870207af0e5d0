//! Mutations: a known change to clean evidence, and exactly the findings it must cause.
//!
//! The file format is a contract, described in `docs/formats/mutations.md`: reviewers keep directories of
//! their own.

use std::collections::{BTreeMap, BTreeSet};

use cadastre_model::checklist::{Checklist, Verdict};
use cadastre_model::declaration::matches_pattern;
use cadastre_model::evidence::Evidence;
use cadastre_model::record::{Observation, Outcome, Page, Problem, Record, RecordError};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One mutation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mutation {
    /// Unique, kebab-case.
    pub id: String,
    /// One line.
    pub title: String,
    /// The fixture it changes: a directory with `boundary.yaml` and `evidence/`.
    pub base: String,
    /// What changes, in order.
    pub patch: Vec<Patch>,
    /// Every finding that appears or changes.
    #[serde(default)]
    pub expect: Vec<Expectation>,
}

/// One change to every record that the selector selects.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Patch {
    /// Which records.
    pub records: Selector,
    /// What to do.
    pub op: Operation,
    /// JSON pointer inside the record (`/response/Policy/Statement/0`). Beside names and indices, a segment
    /// may be `[Name=value]`, the element whose member `Name` is `value`, or `-`, the end of an array.
    #[serde(default)]
    pub path: String,
    /// The new value, or the merge patch of a `duplicate`.
    #[serde(default)]
    pub value: Value,
}

/// Selects records; every member that is given must match, `*` and `?` are wildcards.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Selector {
    /// `kms:GetKeyPolicy`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// `arn:aws:s3:::payments-*`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// `aws`, `kafka`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collector: Option<String>,
    /// Account id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Region.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Declared cluster name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// JSON pointers into the record and the values that must stand there.
    #[serde(rename = "where", skip_serializing_if = "BTreeMap::is_empty")]
    pub wherever: BTreeMap<String, Value>,
}

/// What a patch does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// RFC 6902 §4.1: sets a member or inserts an element.
    Add,
    /// RFC 6902 §4.3: the target must exist.
    Replace,
    /// RFC 6902 §4.2: the target must exist.
    Remove,
    /// The service refused: outcome `denied`, no response.
    Deny,
    /// The call failed: outcome `failed`, no response.
    Fail,
    /// The service answered that there is none: outcome `absent`, no response.
    Absent,
    /// The answer stops after this page: outcome `truncated`.
    Truncate,
    /// The record was never made.
    Drop,
    /// Adds a copy, changed by `value` as an RFC 7396 merge patch.
    Duplicate,
}

/// A finding that a mutation causes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// `KEY-02`.
    pub control: String,
    /// The verdict it gets.
    pub verdict: Verdict,
    /// Its subject; `*` and `?` are wildcards.
    #[serde(default = "any")]
    pub subject: String,
}

fn any() -> String {
    "*".to_owned()
}

/// A mutation file that does not read.
#[derive(Debug, thiserror::Error)]
#[error("not a mutation, nor a list of them: {0}")]
pub struct MutationFileError(String);

/// Reads a file's text: one mutation, or a list of them.
///
/// # Errors
/// When the text is neither; the message names line and column.
pub fn parse_file(text: &str) -> Result<Vec<Mutation>, MutationFileError> {
    let is_list = text
        .lines()
        .find(|line| !line.is_empty() && !line.starts_with('#'))
        .is_some_and(|line| line.starts_with('-'));
    let parsed = if is_list {
        serde_saphyr::from_str(text)
    } else {
        serde_saphyr::from_str(text).map(|mutation: Mutation| vec![mutation])
    };
    parsed.map_err(|error| MutationFileError(error.without_snippet().to_string()))
}

/// Why a mutation cannot be applied.
#[derive(Debug, thiserror::Error)]
pub enum MutationError {
    /// The selector selects nothing, so the mutation would test nothing.
    #[error("patch {index} selects no record")]
    NothingSelected {
        /// Counted from 1.
        index: usize,
    },
    /// The path leads nowhere in a selected record.
    #[error("patch {index}: `{path}` does not exist in `{operation}` on `{subject}`")]
    NoSuchPath {
        /// Counted from 1.
        index: usize,
        /// The pointer.
        path: String,
        /// The record's operation.
        operation: String,
        /// The record's subject.
        subject: String,
    },
    /// The patched record is no record any more.
    #[error("patch {index} makes something that is not a record")]
    NotARecord {
        /// Counted from 1.
        index: usize,
        /// What the parser said.
        #[source]
        source: serde_json::Error,
    },
    /// The patched record has no canonical form.
    #[error(transparent)]
    Record(#[from] RecordError),
}

impl Selector {
    fn selects(&self, record: &Value) -> bool {
        let matches = |pattern: &Option<String>, pointer: &str| {
            pattern.as_ref().is_none_or(|pattern| {
                record
                    .pointer(pointer)
                    .and_then(Value::as_str)
                    .is_some_and(|text| matches_pattern(pattern, text))
            })
        };
        matches(&self.operation, "/operation")
            && matches(&self.subject, "/subject")
            && matches(&self.collector, "/collector")
            && matches(&self.account, "/scope/account")
            && matches(&self.region, "/scope/region")
            && matches(&self.cluster, "/scope/cluster")
            && self.wherever.iter().all(|(path, expected)| resolve(record, path) == Some(expected))
    }
}

impl Mutation {
    /// The evidence with the mutation applied; changed records get the ids of their new content.
    ///
    /// # Errors
    /// When a selector selects nothing, or a path does not exist.
    pub fn apply(&self, evidence: &Evidence) -> Result<Evidence, MutationError> {
        let mut observations: Vec<Observation> =
            evidence.records().iter().cloned().map(Record::into_observation).collect();
        for (index, patch) in self.patch.iter().enumerate() {
            observations = patch.apply(index + 1, observations)?;
        }
        let records = observations.into_iter().map(Observation::seal).collect::<Result<Vec<_>, _>>()?;
        let manifest = evidence.manifest();
        Ok(Evidence::from_records(
            records,
            &manifest.tool_version,
            manifest.started_at,
            manifest.finished_at,
            manifest.complete,
        ))
    }
}

impl Patch {
    fn apply(&self, index: usize, observations: Vec<Observation>) -> Result<Vec<Observation>, MutationError> {
        let mut selected = false;
        let mut result = Vec::with_capacity(observations.len() + 1);
        for observation in observations {
            let mut value = serde_json::to_value(&observation)
                .map_err(|source| MutationError::NotARecord { index, source })?;
            if !self.records.selects(&value) {
                result.push(observation);
                continue;
            }
            selected = true;
            match self.op {
                Operation::Drop => {}
                Operation::Deny => result.push(ended(observation, Outcome::Denied, "AccessDenied")),
                Operation::Fail => result.push(ended(observation, Outcome::Failed, "InternalFailure")),
                Operation::Absent => result.push(ended(observation, Outcome::Absent, "NotFound")),
                Operation::Truncate => {
                    let page = Page { last: false, ..observation.page };
                    result.push(Observation { outcome: Outcome::Truncated, page, ..observation });
                }
                Operation::Duplicate => {
                    result.push(observation);
                    merge(&mut value, &self.value);
                    result.push(parse(index, value)?);
                }
                Operation::Add | Operation::Replace | Operation::Remove => {
                    edit(&mut value, &self.path, self.op, &self.value).ok_or_else(|| {
                        MutationError::NoSuchPath {
                            index,
                            path: self.path.clone(),
                            operation: observation.operation.clone(),
                            subject: observation.subject.clone(),
                        }
                    })?;
                    result.push(parse(index, value)?);
                }
            }
        }
        if selected { Ok(result) } else { Err(MutationError::NothingSelected { index }) }
    }
}

fn parse(index: usize, value: Value) -> Result<Observation, MutationError> {
    serde_json::from_value(value).map_err(|source| MutationError::NotARecord { index, source })
}

fn ended(observation: Observation, outcome: Outcome, code: &str) -> Observation {
    let message = format!("{} on {} ended with {code}", observation.operation, observation.subject);
    Observation {
        outcome,
        response: Value::Null,
        problem: Some(Problem { code: code.to_owned(), message }),
        ..observation
    }
}

/// The segments of a pointer, unescaped (RFC 6901 §4). A `/` inside `[…]` does not separate.
fn segments(path: &str) -> Vec<String> {
    let mut parts = Vec::new();
    let mut current = String::new();
    let mut depth = 0_u32;
    for c in path.chars().skip(1) {
        match c {
            '/' if depth == 0 => parts.push(std::mem::take(&mut current)),
            '[' => {
                depth += 1;
                current.push(c);
            }
            ']' => {
                depth = depth.saturating_sub(1);
                current.push(c);
            }
            _ => current.push(c),
        }
    }
    if !path.is_empty() {
        parts.push(current);
    }
    parts.into_iter().map(|part| part.replace("~1", "/").replace("~0", "~")).collect()
}

fn position(array: &[Value], segment: &str) -> Option<usize> {
    if let Some(inner) = segment.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        let (name, expected) = inner.split_once('=')?;
        return array.iter().position(|element| match element.get(name) {
            Some(Value::String(text)) => text == expected,
            Some(other) => *other == expected,
            None => false,
        });
    }
    segment.parse().ok().filter(|index| *index < array.len())
}

fn resolve<'a>(root: &'a Value, path: &str) -> Option<&'a Value> {
    segments(path).iter().try_fold(root, |value, segment| match value {
        Value::Object(members) => members.get(segment),
        Value::Array(elements) => position(elements, segment).and_then(|index| elements.get(index)),
        _ => None,
    })
}

fn edit(root: &mut Value, path: &str, op: Operation, new: &Value) -> Option<()> {
    let mut segments = segments(path);
    let last = segments.pop()?;
    let mut parent = root;
    for segment in &segments {
        parent = match parent {
            Value::Object(members) => members.get_mut(segment)?,
            Value::Array(elements) => {
                let index = position(elements, segment)?;
                elements.get_mut(index)?
            }
            _ => return None,
        };
    }
    match (parent, op) {
        (Value::Object(members), Operation::Add) => {
            members.insert(last, new.clone());
        }
        (Value::Object(members), Operation::Replace) => *members.get_mut(&last)? = new.clone(),
        (Value::Object(members), Operation::Remove) => {
            members.remove(&last)?;
        }
        (Value::Array(elements), Operation::Add) if last == "-" => elements.push(new.clone()),
        (Value::Array(elements), Operation::Add) => {
            let index = position(elements, &last).or_else(|| (last == "0").then_some(0))?;
            elements.insert(index, new.clone());
        }
        (Value::Array(elements), Operation::Replace) => {
            let index = position(elements, &last)?;
            *elements.get_mut(index)? = new.clone();
        }
        (Value::Array(elements), Operation::Remove) => {
            let index = position(elements, &last)?;
            elements.remove(index);
        }
        _ => return None,
    }
    Some(())
}

/// RFC 7396 §2.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(changes) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    if let Value::Object(members) = target {
        for (name, change) in changes {
            if change.is_null() {
                members.remove(name);
            } else {
                merge(members.entry(name.clone()).or_insert(Value::Null), change);
            }
        }
    }
}

/// A finding in the terms that mutations compare: control, subject, verdict.
pub type Change = (String, String, Verdict);

/// What a mutation did, held against what it should do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// Expected and not seen.
    pub missed: Vec<Expectation>,
    /// Seen and not expected.
    pub noise: Vec<Change>,
}

/// Findings of `after` that `before` does not have, leaving out those that say all is well.
#[must_use]
pub fn changes(before: &Checklist, after: &Checklist) -> BTreeSet<Change> {
    let of = |checklist: &Checklist| -> BTreeSet<Change> {
        checklist
            .controls
            .iter()
            .flat_map(|control| {
                control
                    .findings
                    .iter()
                    .filter(|finding| !matches!(finding.verdict, Verdict::Pass | Verdict::NotApplicable))
                    .map(|finding| (control.id.clone(), finding.subject.clone(), finding.verdict))
            })
            .collect()
    };
    of(after).difference(&of(before)).cloned().collect()
}

/// Compares what changed with what was expected.
#[must_use]
pub fn compare(expected: &[Expectation], changes: &BTreeSet<Change>) -> Comparison {
    let meets = |expectation: &Expectation, (control, subject, verdict): &Change| {
        expectation.control == *control
            && expectation.verdict == *verdict
            && matches_pattern(&expectation.subject, subject)
    };
    Comparison {
        missed: expected
            .iter()
            .filter(|expectation| !changes.iter().any(|change| meets(expectation, change)))
            .cloned()
            .collect(),
        noise: changes
            .iter()
            .filter(|change| !expected.iter().any(|expectation| meets(expectation, change)))
            .cloned()
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cadastre_model::record::Scope;
    use serde_json::json;

    fn evidence() -> Evidence {
        let at = "2026-11-21T10:00:00Z".parse().unwrap();
        let record = Observation {
            collector: "aws".into(),
            operation: "iam:GetAccountAuthorizationDetails".into(),
            scope: Scope::account("111122223333"),
            subject: "111122223333".into(),
            caller: "arn:aws:iam::111122223333:role/scanner".into(),
            observed_at: at,
            outcome: Outcome::Observed,
            request: json!({}),
            response: json!({"RoleDetailList": [{"RoleName": "a/b", "Tags": []}, {"RoleName": "c"}]}),
            problem: None,
            page: Page::ONLY,
        }
        .seal()
        .unwrap();
        Evidence::from_records(vec![record], "0", at, at, true)
    }

    fn mutate(op: &str, path: &str, value: Value) -> Result<Value, MutationError> {
        let patch = json!({"records": {"operation": "iam:*"}, "op": op, "path": path, "value": value});
        let mutation = Mutation {
            id: "m".into(),
            title: "m".into(),
            base: "clean".into(),
            patch: vec![serde_json::from_value(patch).unwrap()],
            expect: vec![],
        };
        let mutated = mutation.apply(&evidence())?;
        Ok(mutated.records().iter().map(|record| serde_json::to_value(record).unwrap()).collect())
    }

    #[test]
    fn an_element_is_found_by_a_members_value() {
        let records =
            mutate("replace", "/response/RoleDetailList/[RoleName=a/b]/RoleName", json!("d")).unwrap();
        assert_eq!(records.pointer("/0/response/RoleDetailList/0/RoleName"), Some(&json!("d")));
    }

    #[test]
    fn adding_reaches_the_end_of_an_array_and_new_members() {
        let records = mutate("add", "/response/RoleDetailList/-", json!({"RoleName": "e"})).unwrap();
        assert_eq!(records.pointer("/0/response/RoleDetailList/2/RoleName"), Some(&json!("e")));
        let records = mutate("add", "/response/RoleDetailList/1/Path", json!("/")).unwrap();
        assert_eq!(records.pointer("/0/response/RoleDetailList/1/Path"), Some(&json!("/")));
    }

    #[test]
    fn a_path_that_leads_nowhere_is_an_error_and_not_a_silent_pass() {
        assert!(matches!(
            mutate("replace", "/response/Nope", json!(1)),
            Err(MutationError::NoSuchPath { .. })
        ));
        assert!(matches!(
            mutate("remove", "/response/RoleDetailList/7", json!(1)),
            Err(MutationError::NoSuchPath { .. })
        ));
    }

    #[test]
    fn a_denied_record_carries_no_response() {
        let records = mutate("deny", "", Value::Null).unwrap();
        assert_eq!(records.pointer("/0/outcome"), Some(&json!("denied")));
        assert_eq!(records.pointer("/0/response"), Some(&Value::Null));
    }

    #[test]
    fn a_duplicate_is_a_further_record() {
        let records =
            mutate("duplicate", "", json!({"subject": "other", "response": {"RoleDetailList": null}}))
                .unwrap();
        assert_eq!(records.as_array().unwrap().len(), 2);
    }

    #[test]
    fn missed_and_noise_are_told_apart() {
        let expectation = |control: &str, subject: &str| Expectation {
            control: control.into(),
            verdict: Verdict::RedFlag,
            subject: subject.into(),
        };
        let changes = BTreeSet::from([
            ("KEY-02".to_owned(), "key/1".to_owned(), Verdict::RedFlag),
            ("KEY-03".to_owned(), "key/1".to_owned(), Verdict::RedFlag),
        ]);
        let outcome = compare(&[expectation("KEY-02", "key/*"), expectation("KEY-04", "*")], &changes);
        assert_eq!(outcome.missed, [expectation("KEY-04", "*")]);
        assert_eq!(outcome.noise, [("KEY-03".to_owned(), "key/1".to_owned(), Verdict::RedFlag)]);
    }
}
