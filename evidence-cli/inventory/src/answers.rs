//! Records grouped into the questions they answer, and whether each answer is complete.
//!
//! A question is an operation on a subject in a scope. The same question can be put in several ways
//! (policies of one type and of another, say): each way is a [`Series`] with pages of its own.

use std::collections::{BTreeMap, BTreeSet};

use cadastre_model::coverage::{Coverage, Question};
use cadastre_model::inventory::Unreadable;
use cadastre_model::{Outcome, Record, RecordId, Scope, Timestamp};
use serde_json::Value;

/// Members of a request that merely say which part of one long answer a page holds.
const BATCH_MEMBERS: &[(&str, &str)] = &[
    ("kafka:DescribeConfigs", "resource_names"),
    ("kafka:DescribeGroups", "groups"),
    ("kafka:ConsumerGroupDescribe", "groups"),
];

/// All questions that were asked.
#[derive(Debug)]
pub(crate) struct Answers<'a> {
    by_operation: BTreeMap<&'a str, Subjects<'a>>,
}

type Subjects<'a> = BTreeMap<&'a str, BTreeMap<&'a Scope, Answer<'a>>>;

/// What came back for one question.
#[derive(Debug)]
pub(crate) struct Answer<'a> {
    pub(crate) scope: &'a Scope,
    pub(crate) subject: &'a str,
    /// Never empty; oldest request first.
    pub(crate) series: Vec<Series<'a>>,
}

/// The pages of one request.
#[derive(Debug)]
pub(crate) struct Series<'a> {
    pub(crate) request: &'a Value,
    pub(crate) outcome: Outcome,
    /// The service's error code or our reason, for every outcome but `observed`. Holds nothing that
    /// changes from one scan to the next, so that a waiver bound to it stays bound.
    pub(crate) reason: String,
    /// The same for a person, with the service's message.
    problem: Option<String>,
    /// The pages that count, in order; all that came when the answer was cut short.
    pub(crate) pages: Vec<&'a Record>,
    /// Every record of the series, superseded ones included, in page order.
    pub(crate) records: Vec<&'a Record>,
    newest: Timestamp,
    oldest: Timestamp,
}

impl<'a> Answers<'a> {
    pub(crate) fn new(records: &'a [Record]) -> Self {
        let mut grouped: BTreeMap<(&str, &str, &Scope, String), Vec<&Record>> = BTreeMap::new();
        for record in records {
            let key =
                (record.operation.as_str(), record.subject.as_str(), &record.scope, way_of_asking(record));
            grouped.entry(key).or_default().push(record);
        }
        let mut by_operation: BTreeMap<&str, Subjects<'a>> = BTreeMap::new();
        for ((operation, subject, scope, _), records) in grouped {
            let Some(series) = Series::assemble(records) else { continue };
            by_operation
                .entry(operation)
                .or_default()
                .entry(subject)
                .or_default()
                .entry(scope)
                .or_insert_with(|| Answer { scope, subject, series: Vec::new() })
                .series
                .push(series);
        }
        for answer in by_operation.values_mut().flat_map(BTreeMap::values_mut).flat_map(BTreeMap::values_mut)
        {
            answer
                .series
                .sort_by_key(|series| (series.newest, series.records.last().map(|record| record.id())));
        }
        Self { by_operation }
    }

    /// The answers to one operation, by subject and scope.
    pub(crate) fn of(&self, operation: &str) -> impl Iterator<Item = &Answer<'a>> {
        self.by_operation.get(operation).into_iter().flat_map(BTreeMap::values).flat_map(BTreeMap::values)
    }

    /// The answer about a subject whose name is unique, whoever asked: one that answers before one that
    /// does not, then the newest.
    pub(crate) fn about(&self, operation: &str, subject: &str) -> Option<&Answer<'a>> {
        let scopes = self.by_operation.get(operation)?.get(subject)?;
        scopes.values().max_by_key(|answer| answer.latest().map(|series| (series.answers(), series.newest)))
    }

    /// The answer about a subject in a scope.
    pub(crate) fn within(&self, operation: &str, scope: &Scope, subject: &str) -> Option<&Answer<'a>> {
        self.by_operation.get(operation)?.get(subject)?.get(scope)
    }

    /// Subjects that an operation was asked about in a scope, with what came back.
    pub(crate) fn in_scope<'s>(
        &'s self,
        operation: &str,
        scope: &'s Scope,
    ) -> impl Iterator<Item = &'s Answer<'a>> {
        self.of(operation).filter(move |answer| answer.scope == scope)
    }

    /// Every record, by question.
    pub(crate) fn records(&self) -> impl Iterator<Item = &'a Record> {
        self.by_operation
            .values()
            .flat_map(BTreeMap::values)
            .flat_map(BTreeMap::values)
            .flat_map(|answer| &answer.series)
            .flat_map(|series| series.records.iter().copied())
    }

    /// Every question and how it ended. A response that could not be read is not an answer.
    pub(crate) fn coverage(&self, unreadable: &BTreeSet<Unreadable>) -> Coverage {
        let mut defects: BTreeMap<&RecordId, &Unreadable> = BTreeMap::new();
        for defect in unreadable {
            defects.entry(&defect.record).or_insert(defect);
        }
        let questions = self
            .by_operation
            .iter()
            .map(|(operation, subjects)| {
                let mut questions: Vec<Question> = subjects
                    .values()
                    .flat_map(BTreeMap::values)
                    .filter_map(|answer| answer.question(operation, &defects))
                    .collect();
                questions.sort();
                ((*operation).to_owned(), questions)
            })
            .collect();
        Coverage { questions }
    }
}

impl<'a> Answer<'a> {
    /// The series that counts where only one can: the newest.
    pub(crate) fn latest(&self) -> Option<&Series<'a>> {
        self.series.last()
    }

    /// The newest series whose request has this text in this member.
    pub(crate) fn asked_with(&self, member: &str, value: &str) -> Option<&Series<'a>> {
        self.series
            .iter()
            .rev()
            .find(|series| series.request.get(member).and_then(Value::as_str) == Some(value))
    }

    fn question(&self, operation: &str, defects: &BTreeMap<&RecordId, &Unreadable>) -> Option<Question> {
        let worst = self.series.iter().max_by_key(|series| weight(series.outcome))?;
        let defect = self
            .series
            .iter()
            .flat_map(|series| &series.pages)
            .find_map(|record| defects.get(record.id()).copied())
            .filter(|_| worst.answers());
        let (outcome, problem) = match defect {
            Some(defect) => {
                let problem = format!("not readable: expected {} at `{}`", defect.problem, defect.pointer);
                (Outcome::Failed, Some(problem))
            }
            None => (worst.outcome, worst.problem.clone()),
        };
        let oldest = self.series.iter().map(|series| series.oldest).min()?;
        let records = self.series.iter().flat_map(|series| &series.records);
        Some(Question {
            operation: operation.to_owned(),
            scope: self.scope.clone(),
            subject: self.subject.to_owned(),
            outcome,
            oldest,
            problem,
            records: records.map(|record| record.id().clone()).collect(),
        })
    }
}

/// Which outcome speaks for a question that was put in several ways: the least settled one.
const fn weight(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Absent => 0,
        Outcome::Observed => 1,
        Outcome::Truncated => 2,
        Outcome::Failed => 3,
        Outcome::Denied => 4,
    }
}

impl<'a> Series<'a> {
    /// Orders the pages and settles how the answer ended; `None` without records.
    fn assemble(mut records: Vec<&'a Record>) -> Option<Self> {
        // Of two observations of the same page in the same second, the one that is no answer comes last
        // and so counts.
        records.sort_by_key(|record| (record.page.number, record.observed_at, record.outcome, record.id()));
        records.dedup_by_key(|record| record.id());
        let newest_pages: BTreeMap<u32, &Record> =
            records.iter().map(|record| (record.page.number, *record)).collect();
        let newest = records.iter().map(|record| record.observed_at).max()?;
        let request = &newest_pages.values().next()?.request;
        let mut series = Self {
            request,
            outcome: Outcome::Observed,
            reason: String::new(),
            problem: None,
            pages: Vec::new(),
            records,
            newest,
            oldest: newest,
        };
        series.walk(&newest_pages);
        Some(series)
    }

    /// Follows the pages from 1 until one says `last`, or until something is amiss.
    fn walk(&mut self, newest_pages: &BTreeMap<u32, &'a Record>) {
        let mut previous: Option<Timestamp> = None;
        for number in 1_u32.. {
            let Some(record) = newest_pages.get(&number).copied() else {
                return self.end(Outcome::Truncated, format!("page {number} is missing"), None);
            };
            if previous.is_some_and(|previous| record.observed_at < previous) {
                let reason = format!("page {number} is older than the page before it");
                return self.end(Outcome::Truncated, reason, None);
            }
            previous = Some(record.observed_at);
            self.oldest = self.oldest.min(record.observed_at);
            if record.outcome != Outcome::Observed {
                if record.outcome == Outcome::Truncated && !record.response.is_null() {
                    self.pages.push(record);
                }
                let outcome = match record.outcome {
                    Outcome::Absent if number > 1 => Outcome::Truncated,
                    outcome => outcome,
                };
                let problem = record.problem.as_ref();
                let reason = problem.map_or_else(String::new, |problem| problem.code.clone());
                return self.end(outcome, reason, problem.map(|problem| problem.message.as_str()));
            }
            self.pages.push(record);
            if record.page.last {
                let beyond = newest_pages
                    .range(number.saturating_add(1)..)
                    .find(|(_, later)| later.observed_at > record.observed_at);
                if let Some((beyond, _)) = beyond {
                    let reason =
                        format!("page {number} says that it is the last, but page {beyond} followed");
                    self.end(Outcome::Truncated, reason, None);
                }
                return;
            }
        }
    }

    fn end(&mut self, outcome: Outcome, reason: String, message: Option<&str>) {
        self.outcome = outcome;
        let parts: Vec<&str> =
            [Some(reason.as_str()), message].into_iter().flatten().filter(|part| !part.is_empty()).collect();
        self.problem = (!parts.is_empty()).then(|| parts.join(": "));
        self.reason = reason;
    }

    /// Whether the service answered, be it that there is nothing.
    pub(crate) const fn answers(&self) -> bool {
        matches!(self.outcome, Outcome::Observed | Outcome::Absent)
    }

    /// Why there is no answer: `s3:GetBucketPolicy was denied: AccessDenied`.
    pub(crate) fn missing(&self, operation: &str) -> String {
        let how = match self.outcome {
            Outcome::Observed => "was answered",
            Outcome::Absent => "found nothing",
            Outcome::Denied => "was denied",
            Outcome::Failed => "failed",
            Outcome::Truncated => "was cut short",
        };
        if self.reason.is_empty() {
            format!("{operation} {how}")
        } else {
            format!("{operation} {how}: {}", self.reason)
        }
    }
}

/// The request in canonical form, without what differs from page to page.
fn way_of_asking(record: &Record) -> String {
    let batch = BATCH_MEMBERS.iter().find(|(operation, _)| *operation == record.operation);
    let request = match (batch, &record.request) {
        (Some((_, member)), Value::Object(members)) => {
            let mut members = members.clone();
            members.remove(*member);
            &Value::Object(members)
        }
        (_, request) => request,
    };
    serde_json_canonicalizer::to_string(request).unwrap_or_else(|_| request.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use cadastre_model::Observation;
    use cadastre_model::record::{Page, Problem};
    use serde_json::json;

    fn page(number: u32, last: bool, second: i64, outcome: Outcome) -> Record {
        Observation {
            collector: "aws".into(),
            operation: "kms:ListGrants".into(),
            scope: Scope::region("111122223333", "eu-central-1"),
            subject: "key".into(),
            caller: String::new(),
            observed_at: Timestamp::from_seconds(1_800_000_000 + second).unwrap(),
            outcome,
            request: json!({}),
            response: if outcome == Outcome::Observed { json!({"Grants": [number]}) } else { Value::Null },
            problem: (outcome != Outcome::Observed)
                .then(|| Problem { code: "Code".into(), message: "message".into() }),
            page: Page { number, last },
        }
        .seal()
        .unwrap()
    }

    #[track_caller]
    fn check(mut records: Vec<Record>, outcome: Outcome, pages: usize) {
        for _ in 0..2 {
            let answers = Answers::new(&records);
            let answer = answers.about("kms:ListGrants", "key").unwrap();
            assert_eq!(answer.latest().unwrap().outcome, outcome);
            assert_eq!(answer.latest().unwrap().pages.len(), pages);
            let coverage = answers.coverage(&BTreeSet::new());
            let question = &coverage.of("kms:ListGrants")[0];
            assert_eq!(question.outcome, outcome);
            assert_eq!(question.problem.is_some(), outcome != Outcome::Observed);
            records.reverse();
        }
    }

    #[test]
    fn an_answer_is_complete_when_its_pages_count_up_to_a_last_one() {
        use Outcome::{Absent, Denied, Failed, Observed, Truncated};
        check(vec![page(1, true, 0, Observed)], Observed, 1);
        check(vec![page(1, false, 0, Observed), page(2, true, 0, Observed)], Observed, 2);
        check(vec![page(1, false, 0, Observed)], Truncated, 1);
        check(vec![page(2, true, 0, Observed)], Truncated, 0);
        check(vec![page(1, false, 0, Observed), page(3, true, 0, Observed)], Truncated, 1);
        check(vec![page(1, false, 0, Observed), page(2, false, 1, Truncated)], Truncated, 1);
        check(vec![page(1, false, 0, Observed), page(2, false, 1, Denied)], Denied, 1);
        check(vec![page(1, false, 0, Observed), page(2, false, 1, Absent)], Truncated, 1);
        check(vec![page(1, true, 0, Denied)], Denied, 0);
        check(vec![page(1, true, 0, Failed)], Failed, 0);
        check(vec![page(1, true, 0, Absent)], Absent, 0);
        check(vec![page(0, true, 0, Observed)], Truncated, 0);
    }

    #[test]
    fn of_two_answers_to_the_same_question_the_newer_one_counts() {
        use Outcome::{Denied, Observed, Truncated};
        check(vec![page(1, true, 0, Observed), page(1, true, 9, Denied)], Denied, 0);
        check(vec![page(1, true, 0, Denied), page(1, true, 9, Observed)], Observed, 1);
        check(vec![page(1, true, 0, Denied), page(1, true, 0, Observed)], Denied, 0);
        let longer = vec![page(1, false, 0, Observed), page(2, true, 1, Observed)];
        check([longer.clone(), vec![page(1, true, 9, Observed)]].concat(), Observed, 1);
        check([longer.clone(), vec![page(1, false, 9, Observed)]].concat(), Truncated, 1);
        check([longer, vec![page(3, true, 9, Observed)]].concat(), Truncated, 2);
    }

    #[test]
    fn every_observation_stays_evidence_and_the_ones_that_count_tell_the_age() {
        let records = [page(1, true, 0, Outcome::Observed), page(1, true, 9, Outcome::Observed)];
        let coverage = Answers::new(&records).coverage(&BTreeSet::new());
        let question = &coverage.of("kms:ListGrants")[0];
        assert_eq!(question.records.len(), 2);
        assert_eq!(question.oldest.seconds(), 1_800_000_009);
    }

    #[test]
    fn a_response_that_cannot_be_read_is_no_answer() {
        let record = page(1, true, 0, Outcome::Observed);
        let defect = Unreadable {
            record: record.id().clone(),
            operation: record.operation.clone(),
            subject: record.subject.clone(),
            pointer: "/response/Grants/0".into(),
            problem: "an object".into(),
        };
        let records = [record];
        let coverage = Answers::new(&records).coverage(&BTreeSet::from([defect]));
        let question = &coverage.of("kms:ListGrants")[0];
        assert_eq!(question.outcome, Outcome::Failed);
        assert_eq!(
            question.problem.as_deref(),
            Some("not readable: expected an object at `/response/Grants/0`")
        );
    }
}
