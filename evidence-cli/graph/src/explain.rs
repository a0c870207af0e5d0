//! One derivation told as a person would tell it, or what stands in the way where there is none.

use std::fmt::Write as _;

use cadastre_model::access::{Capability, Decision};
use cadastre_model::asset::{EvidenceIds, StatementRef};
use cadastre_model::graph::{BoundaryGraph, Step};
use cadastre_model::refusal::{ObstacleKind, Refusal};
use serde::{Deserialize, Serialize};

use crate::reasoner::Reasoner;
use crate::scope::Protection;

/// The format of `explain --format json`.
pub const SCHEMA: &str = "cadastre/explanation/v1";

/// Why somebody can do something, or cannot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// Who, in full.
    pub principal: String,
    /// Does what.
    pub capability: Capability,
    /// To what, in full.
    pub target: String,
    /// How certainly, by the best way; `deny` when there is none.
    #[serde(flatten)]
    pub decision: Decision,
    /// The answer in one sentence.
    pub answer: String,
    /// The steps of the best way, in order; empty when there is none.
    pub steps: Vec<ToldStep>,
    /// The smallest set of statements whose removal closes every way, not only the one that is told.
    pub cut: Vec<StatementRef>,
    /// Whether no smaller set exists.
    pub cut_is_minimal: bool,
    /// No set with fewer statements closes every way.
    pub cut_at_least: usize,
    /// What stands in the way of each action that would do, where there is no way.
    pub refusals: Vec<Refusal>,
    /// Every record that the explanation rests on.
    pub evidence: EvidenceIds,
}

/// One step and its sentence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldStep {
    /// The step as a sentence.
    pub told: String,
    /// The step itself.
    #[serde(flatten)]
    pub step: Step,
}

/// A question that cannot be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExplainError {
    /// Nobody of that name is known.
    #[error("the evidence knows no principal `{0}`")]
    UnknownPrincipal(String),
    /// More than one principal has that name.
    #[error("`{name}` may be any of {candidates}")]
    AmbiguousPrincipal {
        /// What was asked.
        name: String,
        /// Whom it may mean, joined by commas.
        candidates: String,
    },
    /// Nothing of that name is known.
    #[error("the evidence knows no target `{0}`")]
    UnknownTarget(String),
}

impl Reasoner<'_> {
    /// Explains one answer. The principal is given in full or by its name where only one has it; the target as for
    /// [`Reasoner::who_can`]. `refused` says what stands in the way of a principal's capability over a target by
    /// itself, and is only asked where no way was found.
    ///
    /// # Errors
    /// When principal or target are not known.
    pub fn explain(
        &self,
        graph: &BoundaryGraph,
        principal: &str,
        capability: Capability,
        target: &str,
        mut refused: impl FnMut(&str, Capability, &str) -> Vec<Refusal>,
    ) -> Result<Explanation, ExplainError> {
        let target =
            self.resolve(graph, target).ok_or_else(|| ExplainError::UnknownTarget(target.to_owned()))?;
        let principal = self.principal(graph, principal)?;
        let found = self.ways(capability, &target, |goal, ways| {
            let way = ways.into_iter().find(|way| way.principal == principal)?;
            let cut = goal.cut(way.place);
            let statements = cut.statements.iter().filter_map(|id| goal.statement(*id).cloned()).collect();
            Some((way, cut.is_smallest(), cut.at_least, statements))
        });
        let store = self.store(&target).filter(|_| capability == Capability::ReadRecords);
        let mut evidence = store.as_ref().map(|store| store.evidence.clone()).unwrap_or_default();
        let mut explanation = Explanation {
            schema: SCHEMA.to_owned(),
            decision: Decision::Deny,
            answer: String::new(),
            steps: Vec::new(),
            cut: Vec::new(),
            cut_is_minimal: false,
            cut_at_least: 0,
            refusals: Vec::new(),
            evidence: EvidenceIds::new(),
            principal,
            capability,
            target,
        };
        let (who, what) =
            (name(&explanation.principal), format!("{} {}", infinitive(capability), explanation.target));
        match found {
            Some((way, cut_is_minimal, cut_at_least, statements)) => {
                explanation.answer = match &way.decision {
                    Decision::Allow => format!("{who} can {what}."),
                    Decision::Conditional(condition) => format!("{who} can {what} when {condition}."),
                    Decision::Unknown(missing) => {
                        format!("Whether {who} can {what} is not settled by the evidence: {missing}.")
                    }
                    Decision::Deny => format!("{who} cannot {what}."),
                };
                explanation.decision = way.decision;
                explanation.steps =
                    way.steps.into_iter().map(|step| ToldStep { told: sentence(&step), step }).collect();
                explanation.cut = statements;
                (explanation.cut_is_minimal, explanation.cut_at_least) = (cut_is_minimal, cut_at_least);
                let steps = explanation.steps.iter().flat_map(|told| &told.step.statements);
                evidence.extend(steps.chain(&explanation.cut).map(|statement| statement.record.clone()));
            }
            None => {
                explanation.answer = format!("{who} cannot {what}: no way leads there.");
                let parts = match store.as_deref().map(|store| &store.protection) {
                    Some(Protection::Key(key)) => vec![
                        (Capability::ReadObjects, explanation.target.clone()),
                        (Capability::Decrypt, key.clone()),
                    ],
                    Some(_) => vec![(Capability::ReadObjects, explanation.target.clone())],
                    None => vec![(capability, explanation.target.clone())],
                };
                for (part, on) in parts {
                    let has = self.ways(part, &on, |_, ways| {
                        ways.iter().any(|way| way.principal == explanation.principal)
                    });
                    if has {
                        let held =
                            format!(" It can {} {on} by itself, which is not enough.", infinitive(part));
                        explanation.answer.push_str(&held);
                    } else {
                        explanation.refusals.extend(refused(&explanation.principal, part, &on));
                    }
                }
                let statements = explanation.refusals.iter().flat_map(|refusal| &refusal.obstacles);
                evidence.extend(
                    statements.filter_map(|obstacle| Some(obstacle.statement.as_ref()?.record.clone())),
                );
            }
        }
        explanation.evidence = evidence;
        Ok(explanation)
    }

    /// The full id of a principal.
    pub(crate) fn principal(&self, graph: &BoundaryGraph, named: &str) -> Result<String, ExplainError> {
        let known = || {
            let observed = self.inventory.principals.iter().map(|principal| principal.arn.as_str());
            let seen = graph.principals.iter().map(|view| view.id.as_str());
            self.routes.names.iter().copied().chain(observed).chain(seen)
        };
        if known().any(|id| id == named) {
            return Ok(named.to_owned());
        }
        let mut found: Vec<&str> = known().filter(|id| id.rsplit(['/', ':']).next() == Some(named)).collect();
        found.sort_unstable();
        found.dedup();
        match found.as_slice() {
            [] => Err(ExplainError::UnknownPrincipal(named.to_owned())),
            [one] => Ok((*one).to_owned()),
            several => Err(ExplainError::AmbiguousPrincipal {
                name: named.to_owned(),
                candidates: several.join(", "),
            }),
        }
    }
}

impl Explanation {
    /// The explanation as plain text, a line a sentence.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("{}\n", self.answer);
        for (step, number) in self.steps.iter().zip(1..) {
            // Writing into a string cannot fail.
            let _ = writeln!(text, "{number:>3}. {}", step.told);
            for statement in &step.step.statements {
                let _ = writeln!(text, "       by {}", place(statement));
            }
        }
        if !self.steps.is_empty() {
            text.push_str(&self.closing());
        }
        for refusal in &self.refusals {
            let _ = writeln!(text, "  - {} on {}:", refusal.action, refusal.resource);
            for obstacle in &refusal.obstacles {
                let word = match obstacle.kind {
                    ObstacleKind::ExplicitDeny => "denied",
                    ObstacleKind::Limit => "outside a limit",
                    ObstacleKind::NoAllow => "not allowed",
                    ObstacleKind::Impossible => "impossible",
                    ObstacleKind::Unknown => "not settled",
                };
                let _ = writeln!(text, "      {word}: {}", obstacle.told);
                if let Some(statement) = &obstacle.statement {
                    let _ = writeln!(text, "        by {}", place(statement));
                }
                let _ = writeln!(text, "        it would need {}", obstacle.needed);
            }
        }
        text
    }

    fn closing(&self) -> String {
        if self.cut.is_empty() && self.cut_at_least > 0 {
            return format!(
                "There are more ways than could be followed one by one. At least {} statements have to go.\n",
                self.cut_at_least
            );
        }
        if self.cut.is_empty() {
            return "No statement closes it: some way rests on none that could be removed.\n".to_owned();
        }
        let mut text = "To close every way, remove or narrow:\n".to_owned();
        for statement in &self.cut {
            let _ = writeln!(text, "  - {}", place(statement));
        }
        text.push_str(&match (self.cut_is_minimal, self.cut.len()) {
            (true, 1) => "One statement suffices.\n".to_owned(),
            (true, needed) => format!("Fewer than {needed} statements do not suffice.\n"),
            (false, _) => format!("At least {} statements have to go.\n", self.cut_at_least),
        });
        text
    }
}

fn place(statement: &StatementRef) -> String {
    format!("`{}`, {} of record {}", statement.policy, statement.pointer, statement.record.short())
}

/// A step as a sentence.
pub(crate) fn sentence(step: &Step) -> String {
    let what = format!("{} {}", verb(step.capability), step.to);
    let who = name(&step.from);
    let by = &step.action;
    match &step.decision {
        Decision::Allow if step.statements.is_empty() => format!("So {who} {what} ({by})."),
        Decision::Allow => format!("{who} {what} ({by})."),
        Decision::Conditional(condition) => format!("{who} {what} ({by}) when {condition}."),
        Decision::Unknown(missing) => format!("Whether {who} {what} ({by}) is not settled: {missing}."),
        Decision::Deny => format!("{who} may not: it {what} ({by})."),
    }
}

/// Somebody, as one would say it.
fn name(id: &str) -> String {
    if id == "*" {
        return "Anybody".to_owned();
    }
    match id.split_once(':') {
        Some(("account", account)) => format!("Anybody whom account {account} lets"),
        Some(("service", service)) => format!("The service {service}"),
        Some(("federated", provider)) => format!("Whoever {provider} signs in"),
        _ => id.to_owned(),
    }
}

const fn verb(capability: Capability) -> &'static str {
    match capability {
        Capability::ReadRecords => "reads the records of",
        Capability::WriteRecords => "writes records to",
        Capability::ReadObjects => "reads what is stored in",
        Capability::WriteObjects => "writes or deletes what is stored in",
        Capability::Decrypt => "decrypts with",
        Capability::ManageKey => "changes the policy, grants or state of",
        Capability::OperateHost => "runs commands on",
        Capability::ChangePolicy => "changes what is allowed on",
        Capability::Assume => "becomes",
        Capability::ReadLogs => "reads the logs in",
        Capability::AlterLogs => "alters, stops or deletes the logs in",
        Capability::Reach => "sends packets to",
    }
}

const fn infinitive(capability: Capability) -> &'static str {
    match capability {
        Capability::ReadRecords => "read the records of",
        Capability::WriteRecords => "write records to",
        Capability::ReadObjects => "read what is stored in",
        Capability::WriteObjects => "write or delete what is stored in",
        Capability::Decrypt => "decrypt with",
        Capability::ManageKey => "change the policy, grants or state of",
        Capability::OperateHost => "run commands on",
        Capability::ChangePolicy => "change what is allowed on",
        Capability::Assume => "become",
        Capability::ReadLogs => "read the logs in",
        Capability::AlterLogs => "alter, stop or delete the logs in",
        Capability::Reach => "send packets to",
    }
}
