//! Coverage: every question that was asked, how it ended, who asked and when; and what was not looked at.

use std::collections::{BTreeMap, BTreeSet};

use cadastre_model::coverage::Question;
use cadastre_model::record::{Outcome, Record};
use cadastre_model::{RecordId, Timestamp};
use serde::Serialize;

use crate::citations::{Citations, Link};
use crate::input::ReportInput;
use crate::words;

/// The outcomes in the order of the columns: answers first.
const OUTCOMES: [Outcome; 5] =
    [Outcome::Observed, Outcome::Absent, Outcome::Denied, Outcome::Failed, Outcome::Truncated];

/// How many unanswered questions are listed one by one.
const LISTED: usize = 400;

/// The coverage table.
#[derive(Debug, Serialize)]
pub(crate) struct Coverage {
    outcomes: Vec<&'static str>,
    totals: Vec<usize>,
    operations: Vec<Operation>,
    /// Identities by the letter that rows use.
    callers: Vec<Caller>,
    unanswered: Vec<Unanswered>,
    more_unanswered: usize,
    unreadable: Vec<Unreadable>,
    /// Operations that a control requires and nobody asked.
    never_asked: Vec<NeverAsked>,
    not_examined: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Operation {
    name: String,
    counts: Vec<usize>,
    complete: bool,
    callers: Vec<String>,
    first: String,
    last: String,
    required_by: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Caller {
    letter: String,
    identity: String,
}

#[derive(Debug, Serialize)]
struct Unanswered {
    operation: String,
    scope: String,
    subject: String,
    outcome: &'static str,
    problem: String,
    evidence: Vec<Link>,
}

#[derive(Debug, Serialize)]
struct Unreadable {
    operation: String,
    subject: String,
    pointer: String,
    problem: String,
    evidence: Vec<Link>,
}

#[derive(Debug, Serialize)]
struct NeverAsked {
    operation: String,
    required_by: Vec<String>,
}

/// Builds the table.
pub(crate) fn build(input: &ReportInput<'_>, citations: &mut Citations) -> Coverage {
    let records: BTreeMap<&RecordId, &Record> =
        input.evidence.records().iter().map(|record| (record.id(), record)).collect();
    let mut required: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for control in &input.checklist.controls {
        for operation in &control.requires {
            required.entry(operation).or_default().push(control.id.clone());
        }
    }
    let mut letters: BTreeMap<&str, String> = BTreeMap::new();
    for caller in &input.evidence.manifest().callers {
        let letter = letter(letters.len());
        letters.insert(caller, letter);
    }
    let mut operations = Vec::new();
    let mut unanswered = Vec::new();
    let mut totals = vec![0; OUTCOMES.len()];
    for (name, questions) in &input.coverage.questions {
        let operation = operation(name, questions, &records, &letters, required.remove(name.as_str()));
        for (total, count) in totals.iter_mut().zip(&operation.counts) {
            *total += count;
        }
        operations.push(operation);
        unanswered.extend(questions.iter().filter(|question| !answered(question.outcome)));
    }
    let more_unanswered = unanswered.len().saturating_sub(LISTED);
    Coverage {
        outcomes: OUTCOMES.into_iter().map(words::outcome).collect(),
        totals,
        operations,
        callers: letters
            .into_iter()
            .map(|(identity, letter)| Caller { letter, identity: identity.to_owned() })
            .collect(),
        unanswered: unanswered.into_iter().take(LISTED).map(|question| open(question, citations)).collect(),
        more_unanswered,
        unreadable: input
            .inventory
            .unreadable
            .iter()
            .map(|defect| Unreadable {
                operation: defect.operation.clone(),
                subject: defect.subject.clone(),
                pointer: defect.pointer.clone(),
                problem: defect.problem.clone(),
                evidence: citations.records([&defect.record]),
            })
            .collect(),
        never_asked: required
            .into_iter()
            .map(|(operation, required_by)| NeverAsked { operation: operation.to_owned(), required_by })
            .collect(),
        not_examined: input.checklist.not_examined.clone(),
    }
}

const fn answered(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Observed | Outcome::Absent)
}

/// A, B, …, Z, AA, AB, …
fn letter(index: usize) -> String {
    let mut letters = Vec::new();
    let mut rest = index;
    loop {
        letters.push(char::from(b'A' + u8::try_from(rest % 26).unwrap_or_default()));
        if rest < 26 {
            break;
        }
        rest = rest / 26 - 1;
    }
    letters.iter().rev().collect()
}

fn operation(
    name: &str,
    questions: &[Question],
    records: &BTreeMap<&RecordId, &Record>,
    letters: &BTreeMap<&str, String>,
    required_by: Option<Vec<String>>,
) -> Operation {
    let counts: Vec<usize> = OUTCOMES
        .into_iter()
        .map(|outcome| questions.iter().filter(|question| question.outcome == outcome).count())
        .collect();
    let mut callers: BTreeSet<String> = BTreeSet::new();
    let mut times: BTreeSet<Timestamp> = BTreeSet::new();
    for question in questions {
        times.insert(question.oldest);
        for record in question.records.iter().filter_map(|id| records.get(id)) {
            times.insert(record.observed_at);
            let letter = letters.get(record.caller.as_str());
            callers.insert(letter.map_or_else(|| "nobody (anonymous)".to_owned(), Clone::clone));
        }
    }
    let time = |time: Option<&Timestamp>| {
        time.map(|time| time.truncated_to_seconds().to_string()).unwrap_or_default()
    };
    Operation {
        name: name.to_owned(),
        complete: questions.iter().all(|question| answered(question.outcome)),
        counts,
        callers: callers.into_iter().collect(),
        first: time(times.first()),
        last: time(times.last()),
        required_by: required_by.unwrap_or_default(),
    }
}

fn open(question: &Question, citations: &mut Citations) -> Unanswered {
    Unanswered {
        operation: question.operation.clone(),
        scope: question.scope.to_string(),
        subject: question.subject.clone(),
        outcome: words::outcome(question.outcome),
        problem: question.problem.clone().unwrap_or_else(|| "no answer".to_owned()),
        evidence: citations.records(&question.records),
    }
}

#[cfg(test)]
mod tests {
    use super::letter;

    #[test]
    fn callers_are_lettered_like_columns() {
        let letters: Vec<String> = [0, 25, 26, 27, 701, 702].into_iter().map(letter).collect();
        assert_eq!(letters, ["A", "Z", "AA", "AB", "ZZ", "AAA"]);
    }
}
