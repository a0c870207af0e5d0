//! What can be said to a question, and why nothing where nothing can.

use std::collections::{BTreeMap, BTreeSet};

use cadastre_model::checklist::{Checklist, ControlResult, Verdict};
use cadastre_model::framework::FrameworkStanding;
use cadastre_model::{RecordId, Timestamp};
use serde::Serialize;

use crate::map::QuestionMap;

/// How many records an answer names.
const RECORDS: usize = 8;

/// How long a wording may be, in characters: a cell of a workbook holds 32,767.
const WORDING: usize = 4_000;

/// Everything that answers rest on.
#[derive(Debug)]
pub struct Answers<'a> {
    checklist: &'a Checklist,
    controls: BTreeMap<&'a str, &'a ControlResult>,
    frameworks: &'a [FrameworkStanding],
    map: &'a QuestionMap,
    overwrite: bool,
}

/// One question of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Where it stands: `Sheet!A5`, `line 5`, `questions/3`.
    pub place: String,
    /// Its id.
    pub question: String,
    /// What was said.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What was said to a question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// It was answered.
    Answered {
        /// The worst verdict of the controls.
        verdict: Verdict,
        /// `Yes`, `No` or `N/A`.
        answer: String,
        /// The answer in words, saying what it does and does not cover.
        wording: String,
        /// The controls.
        controls: Vec<String>,
        /// The first records.
        evidence: Vec<RecordId>,
        /// For when it is true.
        as_of: Timestamp,
    },
    /// It was left blank.
    Blank {
        /// Why.
        reason: String,
    },
}

impl<'a> Answers<'a> {
    /// Answers from a checklist and its standing against frameworks. With `overwrite` an answer that somebody wrote
    /// is replaced; without, it is left.
    #[must_use]
    pub fn new(
        checklist: &'a Checklist,
        frameworks: &'a [FrameworkStanding],
        map: &'a QuestionMap,
        overwrite: bool,
    ) -> Self {
        let controls = checklist.controls.iter().map(|control| (control.id.as_str(), control)).collect();
        Self { checklist, controls, frameworks, map, overwrite }
    }

    /// What can be said to the question with this id, given what stands in its answer now.
    pub(crate) fn to(&self, question: &str, present: &str) -> Outcome {
        if !present.trim().is_empty() && !self.overwrite {
            return blank("it is answered already".to_owned());
        }
        match self.controls_of(question) {
            Ok((basis, controls)) => self.judge(&basis, &controls),
            Err(reason) => blank(reason),
        }
    }

    /// The controls that a question's id stands for, and what the id is.
    fn controls_of(&self, question: &str) -> Result<(String, Vec<String>), String> {
        if let Some(mapped) = self.map.of(question) {
            let mut controls = BTreeSet::new();
            for name in mapped {
                let (_, found) =
                    self.named(name).map_err(|reason| format!("the map names `{name}`: {reason}"))?;
                controls.extend(found);
            }
            return Ok((format!("the map for {question}"), controls.into_iter().collect()));
        }
        self.named(question)
    }

    fn named(&self, id: &str) -> Result<(String, Vec<String>), String> {
        let is_control =
            self.controls.contains_key(id) || self.checklist.not_examined.iter().any(|known| known == id);
        if is_control {
            return Ok((format!("control {id}"), vec![id.to_owned()]));
        }
        let mut found = Vec::new();
        for framework in self.frameworks {
            // Questions of the CSA's CAIQ are numbered within the requirement they ask about: `IAM-05.1`.
            let within = (framework.id == "csa-ccm").then(|| id.rsplit_once('.')).flatten();
            let within = within
                .filter(|(_, number)| number.len() <= 2 && number.bytes().all(|byte| byte.is_ascii_digit()));
            for requirement in &framework.requirements {
                if requirement.id == id || within.is_some_and(|(whole, _)| requirement.id == whole) {
                    found.push((framework, requirement));
                }
            }
        }
        match found.as_slice() {
            [] => {
                Err("no control, no requirement of a framework and no line of a map has this id".to_owned())
            }
            [(framework, requirement)] => Ok((
                format!("{} {} {}", framework.name, framework.version, requirement.id),
                requirement.controls.iter().map(|control| control.id.clone()).collect(),
            )),
            several => {
                let names: Vec<&str> = several.iter().map(|(framework, _)| framework.id.as_str()).collect();
                Err(format!("{} have this id: choose with --framework", names.join(" and ")))
            }
        }
    }

    fn judge(&self, basis: &str, ids: &[String]) -> Outcome {
        let missing: Vec<&str> =
            ids.iter().map(String::as_str).filter(|id| !self.controls.contains_key(id)).collect();
        if !missing.is_empty() {
            return blank(format!("{} bears on it and is not examined by this version", missing.join(", ")));
        }
        let controls: Vec<&ControlResult> =
            ids.iter().filter_map(|id| self.controls.get(id.as_str()).copied()).collect();
        let Some(verdict) = controls.iter().map(|control| control.verdict).min() else {
            return blank("no control bears on it".to_owned());
        };
        let of = |wanted: Verdict| {
            let found: Vec<&str> =
                controls.iter().filter(|control| control.verdict == wanted).map(|c| c.id.as_str()).collect();
            found.join(", ")
        };
        let (answer, said) = match verdict {
            Verdict::Unproven => {
                return blank(format!(
                    "{} not proven: evidence is missing, stale or refused",
                    are(&of(verdict))
                ));
            }
            Verdict::RedFlag => ("No", format!("{} red", are(&of(verdict)))),
            Verdict::Waived => {
                ("No", format!("{} not met and accepted by name until a date", are(&of(verdict))))
            }
            Verdict::Pass => ("Yes", format!("{} met on observed evidence", are(&of(verdict)))),
            Verdict::NotApplicable => (
                "N/A",
                format!("{} declared not applicable, and nothing observed contradicts it", are(&of(verdict))),
            ),
        };
        let titles: Vec<String> =
            controls.iter().map(|control| format!("{} {}", control.id, control.title)).collect();
        let findings = controls
            .iter()
            .flat_map(|control| &control.findings)
            .filter(|finding| finding.verdict == verdict);
        let mut wording = format!(
            "For the declared Kafka data plane `{}`, by {basis}: {said} ({}). It says nothing of anything outside it.",
            self.checklist.boundary,
            titles.join("; ")
        );
        if matches!(verdict, Verdict::RedFlag | Verdict::Waived) {
            for finding in findings.clone().take(3) {
                wording.push_str(&format!(" {}: {}.", finding.subject, finding.message));
            }
        }
        let mut evidence: Vec<RecordId> = Vec::new();
        for id in findings.flat_map(|finding| &finding.evidence) {
            if evidence.len() < RECORDS && !evidence.contains(id) {
                evidence.push(id.clone());
            }
        }
        Outcome::Answered {
            verdict,
            answer: answer.to_owned(),
            wording: wording.chars().filter(|c| !c.is_control()).take(WORDING).collect(),
            controls: ids.to_vec(),
            evidence,
            as_of: self.checklist.as_of,
        }
    }
}

/// `A is`, `A, B are`.
fn are(ids: &str) -> String {
    format!("{ids} {}", if ids.contains(", ") { "are" } else { "is" })
}

const fn blank(reason: String) -> Outcome {
    Outcome::Blank { reason }
}

impl Outcome {
    /// The four texts that are filled in: answer, wording, records, date; `None` where it stays blank.
    pub(crate) fn texts(&self) -> Option<[String; 4]> {
        match self {
            Self::Blank { .. } => None,
            Self::Answered { answer, wording, evidence, as_of, .. } => {
                let ids: Vec<&str> = evidence.iter().map(RecordId::short).collect();
                Some([answer.clone(), wording.clone(), ids.join(" "), as_of.to_string()])
            }
        }
    }
}
