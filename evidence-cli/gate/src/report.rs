//! Everything a gate found, with its standing.

use std::collections::BTreeMap;

use cadastre_graph::{Drift, DriftKind};
use cadastre_model::Timestamp;
use cadastre_model::checklist::{Checklist, Finding, Verdict};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::state::{Remembered, StateFile, Suppression};

/// The format of `drift --format json`.
pub const DRIFT_SCHEMA: &str = cadastre_graph::DRIFT_SCHEMA;

/// The format of `plan --format json`.
pub const PLAN_SCHEMA: &str = "cadastre/plan/v1";

/// What was compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// [`DRIFT_SCHEMA`] or [`PLAN_SCHEMA`].
    pub schema: String,
    /// The boundary's name.
    pub boundary: String,
    /// The version of the tool.
    pub tool_version: String,
    /// For when it was judged.
    pub as_of: Timestamp,
    /// The file that results point at: the plan or the declaration.
    pub artifact: String,
    /// The Merkle root of the evidence before.
    pub baseline_root: String,
    /// The Merkle root of the evidence after.
    pub evidence_root: String,
}

/// Everything a gate found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateReport {
    /// What was compared.
    #[serde(flatten)]
    pub header: Header,
    /// Numbers.
    pub summary: Summary,
    /// Controls that are red after and were not before.
    pub red_flags: Vec<Judged>,
    /// Controls that are unproven after and were not before.
    pub unproven: Vec<Judged>,
    /// What moved, most severe first.
    pub drift: Vec<Moved>,
    /// What was there at the last run and is gone.
    pub resolved: Vec<Gone>,
    /// What is known only after apply.
    pub unresolved: Vec<Open>,
    /// What changes and was not judged.
    pub not_examined: Vec<Open>,
}

/// Numbers of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Summary {
    /// Red flags.
    pub red_flags: usize,
    /// Unproven findings.
    pub unproven: usize,
    /// Possible now and not before.
    pub opened: usize,
    /// Possible before and now, under other terms.
    pub changed: usize,
    /// Possible before and not now.
    pub closed: usize,
    /// Entries that were not there at the last run.
    pub new: usize,
    /// Entries that were.
    pub continuing: usize,
    /// Entries that are gone since.
    pub resolved: usize,
    /// Entries that somebody accepted.
    pub suppressed: usize,
}

/// A change with its standing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// The change.
    #[serde(flatten)]
    pub drift: Drift,
    /// Its standing.
    #[serde(flatten)]
    pub standing: Standing,
}

/// A finding that a change causes, with its standing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judged {
    /// The control.
    pub control: String,
    /// Its title.
    pub title: String,
    /// The finding.
    #[serde(flatten)]
    pub finding: Finding,
    /// Its standing.
    #[serde(flatten)]
    pub standing: Standing,
}

/// Since when an entry is there, and whether somebody accepted it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The same from run to run: 32 hexadecimal digits.
    pub id: String,
    /// Against the last run.
    pub state: State,
    /// When it was first there.
    pub first_seen: Timestamp,
    /// Who accepted it, where somebody did and the date has not passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suppressed: Option<Suppression>,
}

/// An entry against the last run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It was not there.
    New,
    /// It was there.
    Continuing,
}

/// An entry that is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gone {
    /// Its id.
    pub id: String,
    /// What was remembered.
    #[serde(flatten)]
    pub was: Remembered,
}

/// Something that could not be judged.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Open {
    /// The resource.
    pub address: String,
    /// What about it.
    pub what: String,
    /// Why, or what remains open for it.
    pub reason: String,
}

impl GateReport {
    /// A report of what moved between two graphs.
    #[must_use]
    pub fn new(header: Header, drift: Vec<Drift>) -> Self {
        let first_seen = header.as_of;
        let moved = |drift: Drift| {
            let id = id(&[rule_of(&drift).as_str(), &drift.subject, &drift.target, head(&drift)]);
            Moved { standing: Standing { id, state: State::New, first_seen, suppressed: None }, drift }
        };
        let mut report = Self {
            header,
            summary: Summary::default(),
            red_flags: Vec::new(),
            unproven: Vec::new(),
            drift: drift.into_iter().map(moved).collect(),
            resolved: Vec::new(),
            unresolved: Vec::new(),
            not_examined: Vec::new(),
        };
        report.count();
        report
    }

    /// Adds the findings that are in `after` and not in `before`.
    #[must_use]
    pub fn with_findings(mut self, before: &Checklist, after: &Checklist) -> Self {
        let known: std::collections::BTreeSet<(&str, &str, Verdict)> = before
            .controls
            .iter()
            .flat_map(|control| control.findings.iter().map(move |finding| (control, finding)))
            .map(|(control, finding)| (control.id.as_str(), finding.subject.as_str(), finding.verdict))
            .collect();
        let first_seen = self.header.as_of;
        for control in &after.controls {
            for finding in &control.findings {
                if known.contains(&(control.id.as_str(), finding.subject.as_str(), finding.verdict)) {
                    continue;
                }
                let list = match finding.verdict {
                    Verdict::RedFlag => &mut self.red_flags,
                    Verdict::Unproven => &mut self.unproven,
                    Verdict::Waived | Verdict::Pass | Verdict::NotApplicable => continue,
                };
                let id = id(&[&control.id, &finding.subject, finding.verdict.name(), ""]);
                list.push(Judged {
                    control: control.id.clone(),
                    title: control.title.clone(),
                    finding: finding.clone(),
                    standing: Standing { id, state: State::New, first_seen, suppressed: None },
                });
            }
        }
        self.count();
        self
    }

    /// Adds what could not be judged.
    #[must_use]
    pub fn with_open(mut self, unresolved: Vec<Open>, not_examined: Vec<Open>) -> Self {
        self.unresolved = unresolved;
        self.not_examined = not_examined;
        self
    }

    /// Holds the report against the last run's state, and answers the state after this one.
    #[must_use]
    pub fn against(&mut self, last: &StateFile) -> StateFile {
        let now = self.header.as_of;
        let mut next = StateFile::empty(&self.header.boundary);
        let mut remember = |standing: &mut Standing, rule: String, subject: &str, message: &str| {
            let known = last.entries.get(&standing.id);
            if let Some(known) = known {
                standing.first_seen = known.first_seen;
                standing.state = if known.resolved.is_none() { State::Continuing } else { State::New };
                standing.suppressed = known.suppressed.clone().filter(|accepted| accepted.expires > now);
            }
            let entry = Remembered {
                rule,
                subject: subject.to_owned(),
                message: message.to_owned(),
                first_seen: standing.first_seen,
                resolved: None,
                suppressed: known.and_then(|known| known.suppressed.clone()),
            };
            next.entries.insert(standing.id.clone(), entry);
        };
        for moved in &mut self.drift {
            let rule = rule_of(&moved.drift);
            remember(&mut moved.standing, rule, &moved.drift.subject, &moved.drift.message);
        }
        for judged in self.red_flags.iter_mut().chain(&mut self.unproven) {
            let finding = &judged.finding;
            remember(&mut judged.standing, judged.control.clone(), &finding.subject, &finding.message);
        }
        self.resolved = Vec::new();
        for (id, was) in &last.entries {
            if next.entries.contains_key(id) {
                continue;
            }
            if was.resolved.is_none() {
                self.resolved.push(Gone { id: id.clone(), was: was.clone() });
            }
            let gone = Remembered { resolved: Some(was.resolved.unwrap_or(now)), ..was.clone() };
            if StateFile::remembers(gone.resolved, now) {
                next.entries.insert(id.clone(), gone);
            }
        }
        self.count();
        next
    }

    fn count(&mut self) {
        let kind = |kind| self.drift.iter().filter(|moved| moved.drift.kind == kind).count();
        let standing = |test: &dyn Fn(&Standing) -> bool| self.standings().filter(|one| test(one)).count();
        self.summary = Summary {
            red_flags: self.red_flags.len(),
            unproven: self.unproven.len(),
            opened: kind(DriftKind::Opened),
            changed: kind(DriftKind::Changed),
            closed: kind(DriftKind::Closed),
            new: standing(&|one| one.state == State::New),
            continuing: standing(&|one| one.state == State::Continuing),
            resolved: self.resolved.len(),
            suppressed: standing(&|one| one.suppressed.is_some()),
        };
    }

    fn standings(&self) -> impl Iterator<Item = &Standing> {
        let judged = self.red_flags.iter().chain(&self.unproven).map(|judged| &judged.standing);
        self.drift.iter().map(|moved| &moved.standing).chain(judged)
    }

    /// Whether anything is red that nobody accepted.
    #[must_use]
    pub fn is_red(&self) -> bool {
        self.red_flags.iter().any(|judged| judged.standing.suppressed.is_none())
    }

    /// Whether anything moved that nobody accepted.
    #[must_use]
    pub fn moved(&self) -> bool {
        self.drift.iter().any(|moved| moved.standing.suppressed.is_none())
    }

    /// Whether anything is open: unproven and not accepted, known only after apply, or not judged.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.unproven.iter().any(|judged| judged.standing.suppressed.is_none())
            || !self.unresolved.is_empty()
            || !self.not_examined.is_empty()
    }

    /// Whether there is nothing to tell.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.drift.is_empty() && self.red_flags.is_empty() && !self.is_open() && self.resolved.is_empty()
    }
}

/// The rule that a change belongs to, for those who group by rules.
pub(crate) fn rule_of(drift: &Drift) -> String {
    format!("drift/{}", drift.capability.map_or("boundary", |capability| capability.name()))
}

/// The message without its condition, which changes more often than what is told.
fn head(drift: &Drift) -> &str {
    let message = drift.message.as_str();
    let end = [", if ", ", unless "].iter().filter_map(|mark| message.find(mark)).min();
    end.and_then(|end| message.get(..end)).unwrap_or(message)
}

fn id(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    hex::encode(hasher.finalize()).get(..32).unwrap_or_default().to_owned()
}

/// Numbers by severity, for those who print them.
pub(crate) fn by_severity(report: &GateReport) -> BTreeMap<cadastre_graph::Severity, usize> {
    let mut counts = BTreeMap::new();
    for moved in &report.drift {
        *counts.entry(moved.drift.severity).or_insert(0) += 1;
    }
    counts
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use cadastre_graph::Severity;
    use cadastre_model::access::Capability;
    use cadastre_model::asset::EvidenceIds;

    pub(crate) fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    pub(crate) fn header(as_of: &str) -> Header {
        Header {
            schema: PLAN_SCHEMA.into(),
            boundary: "payments".into(),
            tool_version: "0".into(),
            as_of: at(as_of),
            artifact: "plan.json".into(),
            baseline_root: "a".into(),
            evidence_root: "b".into(),
        }
    }

    pub(crate) fn drift(subject: &str, target: &str, condition: &str) -> Drift {
        Drift {
            severity: Severity::Critical,
            kind: DriftKind::Opened,
            subject: subject.into(),
            target: target.into(),
            capability: Some(Capability::Decrypt),
            message: format!("{subject} can now decrypt with {target}{condition}"),
            before: EvidenceIds::new(),
            after: EvidenceIds::new(),
        }
    }

    #[test]
    fn an_entry_is_new_once_continues_and_is_gone_once() {
        let run = |day: &str, drift: Vec<Drift>, last: &StateFile| {
            let mut report = GateReport::new(header(day), drift);
            let next = report.against(last);
            (report, next)
        };
        let a = || drift("role/a", "key/1", "");
        let (first, state) = run("2026-11-01T00:00:00Z", vec![a()], &StateFile::empty("payments"));
        assert_eq!((first.summary.new, first.summary.continuing), (1, 0));
        let (second, state) = run("2026-11-02T00:00:00Z", vec![a()], &state);
        assert_eq!((second.summary.new, second.summary.continuing), (0, 1));
        assert_eq!(second.drift[0].standing.first_seen, at("2026-11-01T00:00:00Z"));
        let (third, state) = run("2026-11-03T00:00:00Z", vec![], &state);
        assert_eq!((third.summary.resolved, third.is_empty()), (1, false));
        let (fourth, state) = run("2026-11-04T00:00:00Z", vec![], &state);
        assert!(fourth.is_empty());
        let (fifth, state) = run("2026-11-05T00:00:00Z", vec![a()], &state);
        assert_eq!(fifth.drift[0].standing.state, State::New);
        assert_eq!(fifth.drift[0].standing.first_seen, at("2026-11-01T00:00:00Z"));
        let (_, state) = run("2026-11-06T00:00:00Z", vec![], &state);
        let (_, state) = run("2027-03-01T00:00:00Z", vec![], &state);
        assert!(state.entries.is_empty());
    }

    #[test]
    fn other_conditions_are_the_same_entry_and_other_targets_are_not() {
        let ids = |drift: Vec<Drift>| -> Vec<String> {
            let report = GateReport::new(header("2026-11-01T00:00:00Z"), drift);
            report.drift.into_iter().map(|moved| moved.standing.id).collect()
        };
        let found = ids(vec![
            drift("a", "1", ""),
            drift("a", "1", ", if x"),
            drift("a", "2", ""),
            drift("a1", "", ""),
        ]);
        assert_eq!(found[0], found[1]);
        assert_ne!(found[0], found[2]);
        assert_ne!(found[0], found[3]);
    }

    #[test]
    fn what_is_accepted_does_not_fail_until_the_date_passes() {
        let mut report = GateReport::new(header("2026-11-01T00:00:00Z"), vec![drift("a", "1", "")]);
        let mut state = report.against(&StateFile::empty("payments"));
        for entry in state.entries.values_mut() {
            entry.suppressed = Some(Suppression {
                reason: "agreed".into(),
                approver: "head of platform".into(),
                expires: at("2026-12-01T00:00:00Z"),
            });
        }
        let mut before = GateReport::new(header("2026-11-30T00:00:00Z"), vec![drift("a", "1", "")]);
        let kept = before.against(&state);
        assert!(!before.moved());
        assert_eq!(before.summary.suppressed, 1);
        let mut after = GateReport::new(header("2026-12-01T00:00:00Z"), vec![drift("a", "1", "")]);
        drop(after.against(&kept));
        assert!(after.moved());
    }

    #[test]
    fn a_state_file_survives_being_written_and_foreign_ones_are_refused() {
        let mut report = GateReport::new(header("2026-11-01T00:00:00Z"), vec![drift("a", "1", "")]);
        let state = report.against(&StateFile::empty("payments"));
        let text = serde_json::to_string(&state).unwrap();
        assert_eq!(StateFile::parse(&text, "s.json", "payments").unwrap(), state);
        let error = StateFile::parse(&text, "s.json", "other").unwrap_err().to_string();
        assert!(error.contains("`payments`") && error.contains("`other`"), "{error}");
        let error =
            StateFile::parse(&text.replace("/v1", "/v9"), "s.json", "payments").unwrap_err().to_string();
        assert!(error.contains("cadastre/gate-state/v9"), "{error}");
        assert!(StateFile::parse("{\"schema\": 1}", "s.json", "payments").is_err());
    }
}
