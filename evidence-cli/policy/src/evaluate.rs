//! From a policy set and its input to the checklist.

use std::collections::BTreeMap;

use cadastre_model::checklist::{Checklist, ControlResult, Finding, SCHEMA, Verdict};
use cadastre_model::control::Control;
use regorus::{Engine, Value};

use crate::coverage::{Ledger, concerns};
use crate::error::{PolicyError, one_line, with_place};
use crate::input::PolicyInput;
use crate::policy_set::PolicySet;
use crate::verdict::{Court, Ruling, unproven};
use crate::waiver::{self, Waiver};

/// What an evaluation gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// Every control's verdict.
    pub checklist: Checklist,
    /// Controls whose policy could not be evaluated; each is `unproven` in the checklist.
    pub errors: Vec<ControlError>,
}

/// A control whose policy could not be evaluated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlError {
    /// Its id.
    pub control: String,
    /// What the engine said, in one line.
    pub message: String,
}

impl PolicySet {
    /// The checklist for an input.
    ///
    /// # Errors
    /// When the input cannot be written as JSON.
    pub fn evaluate(
        &self,
        input: &PolicyInput<'_>,
        waivers: &[Waiver],
        tool_version: &str,
    ) -> Result<Evaluation, PolicyError> {
        let ledger = input.ledger();
        let mut engine = self.engine();
        engine.set_input(Value::from(self.document(input, &ledger)?));
        let court =
            Court { ledger: &ledger, boundary: &input.declaration.name, complete: input.evidence.complete };
        let mut errors = Vec::new();
        let mut controls = Vec::new();
        let mut rulings = self.rulings(&mut engine);
        for (control, package) in self.packages() {
            let ruling = rulings.remove(package).unwrap_or_else(|| Err("its package is missing".to_owned()));
            let mut findings = match ruling {
                Ok(ruling) => court.judge(control, ruling),
                Err(message) => {
                    let told = format!("the policy could not be evaluated: {message}");
                    errors.push(ControlError { control: control.id.clone(), message });
                    vec![unproven(input.declaration.name.clone(), &told, vec![])]
                }
            };
            not_applicable(input, control, &mut findings);
            waiver::apply(&control.id, &mut findings, waivers, input.as_of);
            let mut result = result(control, findings);
            result.requires.retain(|operation| concerns(operation, input.declaration));
            controls.push(result);
        }
        let checklist = Checklist {
            schema: SCHEMA.to_owned(),
            as_of: input.as_of,
            tool_version: tool_version.to_owned(),
            boundary: input.declaration.name.clone(),
            evidence_root: input.evidence.merkle_root.clone(),
            summary: summary(&controls),
            controls,
            not_examined: self.not_examined(),
        };
        Ok(Evaluation { checklist, errors })
    }

    /// The document that policies see as `input`, for writing policies and for running them on another engine.
    ///
    /// # Errors
    /// When the input cannot be written as JSON.
    pub fn input_document(&self, input: &PolicyInput<'_>) -> Result<serde_json::Value, PolicyError> {
        self.document(input, &input.ledger())
    }

    fn document(&self, input: &PolicyInput<'_>, ledger: &Ledger) -> Result<serde_json::Value, PolicyError> {
        let mut required = self.required();
        required.retain(|operation| concerns(operation, input.declaration));
        let gaps: Vec<_> =
            ledger.gaps().iter().filter(|gap| required.contains(gap.operation.as_str())).cloned().collect();
        input.document(&gaps, &required)
    }

    /// Every control's ruling by package: in one evaluation, so that libraries are evaluated once; one by
    /// one when that fails, to find out which control is to blame.
    fn rulings(&self, engine: &mut Engine) -> BTreeMap<String, Result<Ruling, String>> {
        let together = query(engine, "data.cadastre.controls");
        self.packages()
            .map(|(_, package)| {
                let name = package.rsplit('.').next().unwrap_or(package);
                let ruling = match &together {
                    Ok(all) => match &all[name] {
                        Value::Undefined => Err("its package is missing".to_owned()),
                        ruling => read(ruling),
                    },
                    Err(_) => query(engine, &format!("data.{package}")).and_then(|ruling| read(&ruling)),
                };
                (package.to_owned(), ruling)
            })
            .collect()
    }
}

fn query(engine: &mut Engine, query: &str) -> Result<Value, String> {
    let results =
        engine.eval_query(query.to_owned(), false).map_err(|error| with_place(&format!("{error:#}")))?;
    results
        .result
        .into_iter()
        .next()
        .and_then(|result| result.expressions.into_iter().next())
        .map(|expression| expression.value)
        .ok_or_else(|| format!("`{query}` is undefined"))
}

fn read(value: &Value) -> Result<Ruling, String> {
    let json = value.to_json_str().map_err(|error| one_line(&error.to_string()))?;
    serde_json::from_str(&json).map_err(|error| format!("it does not answer as a control does: {error}"))
}

/// A control that the declaration says does not apply: red flags contradict it, and then they stand.
fn not_applicable(input: &PolicyInput<'_>, control: &Control, findings: &mut Vec<Finding>) {
    let Some(declared) = input.declaration.not_applicable.iter().find(|entry| entry.control == control.id)
    else {
        return;
    };
    if findings.iter().any(|finding| finding.verdict == Verdict::RedFlag) {
        findings.retain(|finding| finding.verdict == Verdict::RedFlag);
        for finding in findings {
            finding.message = format!("{} (declared not applicable: {})", finding.message, declared.reason);
        }
        return;
    }
    *findings = vec![Finding {
        subject: input.declaration.name.clone(),
        verdict: Verdict::NotApplicable,
        message: declared.reason.clone(),
        path: vec![],
        evidence: vec![],
        fix: vec![],
    }];
}

fn result(control: &Control, mut findings: Vec<Finding>) -> ControlResult {
    findings
        .sort_by(|a, b| (a.verdict, &a.subject, &a.message, a).cmp(&(b.verdict, &b.subject, &b.message, b)));
    findings.dedup();
    ControlResult {
        id: control.id.clone(),
        area: control.area.clone(),
        title: control.title.clone(),
        verdict: findings.iter().map(|finding| finding.verdict).min().unwrap_or(Verdict::Unproven),
        findings,
        requires: control.requires.clone(),
    }
}

fn summary(controls: &[ControlResult]) -> BTreeMap<String, u64> {
    let mut summary: BTreeMap<String, u64> =
        Verdict::ALL.iter().map(|verdict| (verdict.name().to_owned(), 0)).collect();
    for control in controls {
        *summary.entry(control.verdict.name().to_owned()).or_default() += 1;
    }
    summary
}
