//! From what a policy found to verdicts: the rules of the control catalogue, in one place.
//!
//! A subject passes only when no finding speaks against it, it cites at least one record that exists, every
//! record it rests on is a fresh answer, and every operation the control requires was answered completely.
//! Red flags stand whatever was not asked, as long as a record shows them.

use std::collections::{BTreeMap, BTreeSet};

use cadastre_model::RecordId;
use cadastre_model::checklist::{Finding, Verdict};
use cadastre_model::control::Control;
use serde::Deserialize;

use crate::coverage::{Gap, GapLevel, Ledger, among};

/// How many reasons one message gives.
const REASONS: usize = 3;

/// What a control's package evaluates to.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Ruling {
    #[serde(default)]
    pub(crate) subjects: Vec<Examined>,
    #[serde(default)]
    pub(crate) findings: Vec<Found>,
    #[serde(default = "applicable_by_default")]
    pub(crate) applicable: bool,
}

const fn applicable_by_default() -> bool {
    true
}

/// A subject that the policy examined.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Examined {
    subject: String,
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    evidence: BTreeSet<RecordId>,
}

/// A finding of the policy.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Found {
    subject: String,
    verdict: FoundVerdict,
    message: String,
    #[serde(default)]
    path: Vec<String>,
    #[serde(default)]
    evidence: BTreeSet<RecordId>,
    #[serde(default)]
    fix: Vec<String>,
}

/// The verdicts that a policy may give; `pass` is not among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum FoundVerdict {
    RedFlag,
    Unproven,
}

/// What verdicts are decided against.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Court<'a> {
    pub(crate) ledger: &'a Ledger,
    /// The boundary's name: the subject where there is no other.
    pub(crate) boundary: &'a str,
    /// Whether the scan ran to its end.
    pub(crate) complete: bool,
}

impl Court<'_> {
    /// A control's findings, in no particular order.
    pub(crate) fn judge(&self, control: &Control, ruling: Ruling) -> Vec<Finding> {
        let required: BTreeSet<&str> = control.requires.iter().map(String::as_str).collect();
        let gaps: Vec<&Gap> = among(self.ledger.gaps(), &required).collect();
        let mut findings: Vec<Finding> =
            ruling.findings.into_iter().map(|found| self.hold(control, found)).collect();
        let spoken_against: BTreeSet<String> = findings.iter().map(|f| f.subject.clone()).collect();
        for (subject, examined) in merged(ruling.subjects) {
            if !spoken_against.contains(&subject) {
                findings.push(self.examine(control, &required, &gaps, subject, examined));
            }
        }
        if findings.is_empty() {
            findings = self.nothing_examined(control, &gaps, ruling.applicable);
        }
        findings
    }

    /// A policy's own finding: what no record shows is no red flag.
    fn hold(&self, control: &Control, found: Found) -> Finding {
        let evidence: Vec<RecordId> =
            found.evidence.into_iter().filter(|id| self.ledger.record(id).is_some()).collect();
        let (verdict, message) = match found.verdict {
            FoundVerdict::RedFlag if evidence.is_empty() => {
                (Verdict::Unproven, format!("{} (no record shows it)", found.message))
            }
            FoundVerdict::RedFlag => (Verdict::RedFlag, found.message),
            FoundVerdict::Unproven => (Verdict::Unproven, found.message),
        };
        let fix = if found.fix.is_empty() && verdict == Verdict::RedFlag {
            vec![control.fix.clone()]
        } else {
            found.fix
        };
        Finding { subject: found.subject, verdict, message, path: found.path, evidence, fix }
    }

    /// A subject that no finding speaks against: does everything it rests on stand?
    fn examine(
        &self,
        control: &Control,
        required: &BTreeSet<&str>,
        gaps: &[&Gap],
        subject: String,
        examined: Examined,
    ) -> Finding {
        let mut reasons = Vec::new();
        let mut evidence = BTreeSet::new();
        if !self.complete {
            reasons.push("the scan was interrupted".to_owned());
        }
        for gap in gaps {
            let concerns = gap.level == GapLevel::List
                || gap.subject == subject
                || gap.evidence.iter().any(|record| examined.evidence.contains(record));
            if concerns {
                reasons.push(gap.told());
                evidence.extend(gap.evidence.iter().cloned());
            }
        }
        let mut proof = BTreeSet::new();
        for id in examined.evidence {
            match self.ledger.record(&id) {
                None => reasons.push(format!("record {} does not exist", id.short())),
                Some(facts) => match &facts.problem {
                    None => {
                        proof.insert(id);
                    }
                    // What the control does not need cannot spoil it, and does not prove anything either.
                    Some(_) if !required.contains(facts.operation.as_str()) => {}
                    Some(problem) => {
                        reasons.push(format!("{} {problem}", facts.operation));
                        evidence.insert(id);
                    }
                },
            }
        }
        if proof.is_empty() && reasons.is_empty() {
            reasons.push("no record shows it".to_owned());
        }
        evidence.extend(proof);
        let evidence = evidence.into_iter().collect();
        if reasons.is_empty() {
            let message = examined.message.unwrap_or_else(|| control.pass.clone());
            return Finding { subject, verdict: Verdict::Pass, message, path: vec![], evidence, fix: vec![] };
        }
        unproven(subject, &shortened(&reasons), evidence)
    }

    fn nothing_examined(&self, control: &Control, gaps: &[&Gap], applicable: bool) -> Vec<Finding> {
        let open: Vec<&&Gap> = gaps.iter().filter(|gap| gap.level == GapLevel::List).collect();
        if !open.is_empty() {
            let mut by_subject: BTreeMap<&str, (Vec<String>, BTreeSet<RecordId>)> = BTreeMap::new();
            for gap in open {
                let (reasons, evidence) = by_subject.entry(gap.subject.as_str()).or_default();
                reasons.push(gap.told());
                evidence.extend(gap.evidence.iter().cloned());
            }
            return by_subject
                .into_iter()
                .map(|(subject, (reasons, evidence))| {
                    unproven(subject.to_owned(), &shortened(&reasons), evidence.into_iter().collect())
                })
                .collect();
        }
        let message = if !self.complete {
            "the scan was interrupted"
        } else if applicable {
            "nothing was found to examine"
        } else {
            return vec![Finding {
                subject: self.boundary.to_owned(),
                verdict: Verdict::NotApplicable,
                message: format!("there is nothing of the kind that {} is about", control.id),
                path: vec![],
                evidence: vec![],
                fix: vec![],
            }];
        };
        vec![unproven(self.boundary.to_owned(), message, vec![])]
    }
}

/// Several entries for one subject are one subject with all their evidence.
fn merged(subjects: Vec<Examined>) -> BTreeMap<String, Examined> {
    let mut merged: BTreeMap<String, Examined> = BTreeMap::new();
    for examined in subjects {
        match merged.get_mut(&examined.subject) {
            None => {
                merged.insert(examined.subject.clone(), examined);
            }
            Some(first) => {
                first.evidence.extend(examined.evidence);
                if first.message.is_none() {
                    first.message = examined.message;
                }
            }
        }
    }
    merged
}

/// A finding that something is not proven.
pub(crate) fn unproven(subject: String, message: &str, evidence: Vec<RecordId>) -> Finding {
    Finding {
        subject,
        verdict: Verdict::Unproven,
        message: message.to_owned(),
        path: vec![],
        evidence,
        fix: vec![],
    }
}

fn shortened(reasons: &[String]) -> String {
    let unique: BTreeSet<&String> = reasons.iter().collect();
    let shown: Vec<&str> = unique.iter().take(REASONS).map(|reason| reason.as_str()).collect();
    let more = unique.len().saturating_sub(REASONS);
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    format!("{}{more}", shown.join("; "))
}
