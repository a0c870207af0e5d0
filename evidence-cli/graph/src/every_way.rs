//! Every way in which somebody can do something, not only the best one: ways that rest on different statements.
//!
//! Each statement of a way that is known is taken away in turn, and what is still possible without it is a further way
//! (the hitting-set tree of Reiter, "A theory of diagnosis from first principles", Artificial Intelligence 32, 1987).
//! When the tree is exhausted every way is listed that does not contain another one.

use std::collections::{BTreeSet, VecDeque};

use cadastre_model::access::{Capability, Decision};
use cadastre_model::graph::{BoundaryGraph, Step};
use serde::{Deserialize, Serialize};

use crate::derivation::StatementId;
use crate::explain::{ExplainError, sentence};
use crate::goals::Goal;
use crate::reasoner::Reasoner;

/// How often the problem is solved for one list.
const MAXIMUM_ROUNDS: usize = 512;
/// How many sets of statements are taken away for one list.
const MAXIMUM_SETS: usize = 20_000;

/// The ways of one principal to one target, the most certain and shortest first among those found at the same depth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EveryWay {
    /// Who, in full.
    pub principal: String,
    /// Does what.
    pub capability: Capability,
    /// To what, in full.
    pub target: String,
    /// The ways; empty when there is none.
    pub ways: Vec<OneWay>,
    /// Whether there is no further one; false where the search was cut short.
    pub complete: bool,
}

/// One way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OneWay {
    /// How certain it is as a whole.
    #[serde(flatten)]
    pub decision: Decision,
    /// Its steps, in order.
    pub steps: Vec<WayStep>,
}

/// One step of a way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WayStep {
    /// The step as a sentence.
    pub told: String,
    /// Further actions that do the same by the same statements, so that they are no way of their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<String>,
    /// The step itself.
    #[serde(flatten)]
    pub step: Step,
}

impl Reasoner<'_> {
    /// Lists at most `most` ways; principal and target are named as for [`Reasoner::explain`].
    ///
    /// # Errors
    /// When principal or target are not known.
    pub fn every_way(
        &self,
        graph: &BoundaryGraph,
        principal: &str,
        capability: Capability,
        target: &str,
        most: usize,
    ) -> Result<EveryWay, ExplainError> {
        let target =
            self.resolve(graph, target).ok_or_else(|| ExplainError::UnknownTarget(target.to_owned()))?;
        let principal = self.principal(graph, principal)?;
        let (ways, complete) = self.ways(capability, &target, |goal, ways| {
            let origin = ways.into_iter().find(|way| way.principal == principal).map(|way| way.place);
            origin.map_or((Vec::new(), true), |origin| self.of_goal(goal, origin, most))
        });
        Ok(EveryWay { principal, capability, target, ways, complete })
    }

    fn of_goal(&self, goal: &Goal<'_>, origin: u32, most: usize) -> (Vec<OneWay>, bool) {
        let mut found: Vec<(BTreeSet<StatementId>, OneWay)> = Vec::new();
        let mut rounds = MAXIMUM_ROUNDS;
        let mut complete = goal.tells_all();
        let mut waiting: VecDeque<BTreeSet<StatementId>> = VecDeque::from([BTreeSet::new()]);
        let mut seen: BTreeSet<BTreeSet<StatementId>> = BTreeSet::new();
        while let Some(removed) = waiting.pop_front() {
            let known = found.iter().find(|(statements, _)| statements.is_disjoint(&removed));
            let statements = match known {
                Some((statements, _)) => statements.clone(),
                None if rounds == 0 || found.len() >= most => {
                    complete = false;
                    break;
                }
                None => {
                    rounds -= 1;
                    let away: Vec<StatementId> = removed.iter().copied().collect();
                    let Some((statements, steps)) = goal.way_without(&away, origin) else { continue };
                    found.push((statements.clone(), self.told(steps)));
                    statements
                }
            };
            for statement in statements {
                let mut further = removed.clone();
                further.insert(statement);
                if seen.len() < MAXIMUM_SETS {
                    if seen.insert(further.clone()) {
                        waiting.push_back(further);
                    }
                } else {
                    complete = false;
                }
            }
        }
        (found.into_iter().map(|(_, way)| way).collect(), complete)
    }

    fn told(&self, steps: Vec<Step>) -> OneWay {
        OneWay {
            decision: steps.iter().fold(Decision::Allow, |all, step| all.and(step.decision.clone())),
            steps: steps
                .into_iter()
                .map(|step| WayStep { told: sentence(&step), also: self.also(&step), step })
                .collect(),
        }
    }

    fn also(&self, step: &Step) -> Vec<String> {
        if step.statements.is_empty() {
            return Vec::new();
        }
        let same: BTreeSet<&str> = self
            .routes
            .on(&step.to)
            .map(|(_, edge)| edge)
            .filter(|edge| {
                edge.principal == step.from
                    && edge.capability == step.capability
                    && edge.statements == step.statements
                    && edge.action != step.action
            })
            .map(|edge| edge.action.as_str())
            .collect();
        same.into_iter().map(str::to_owned).collect()
    }
}

impl EveryWay {
    /// The ways as plain text, a line a step.
    #[must_use]
    pub fn text(&self) -> String {
        let count = match (self.ways.len(), self.complete) {
            (0, _) => return format!("No way leads {} to {}.\n", self.principal, self.target),
            (1, true) => "One way".to_owned(),
            (many, true) => format!("{many} ways"),
            (many, false) => format!("At least {many} ways"),
        };
        let mut text = format!("{count} for {} to {} {}:\n", self.principal, self.capability, self.target);
        for (way, number) in self.ways.iter().zip(1..) {
            text.push_str(&format!("\nWay {number}\n"));
            for (step, place) in way.steps.iter().zip(1..) {
                text.push_str(&format!("{place:>3}. {}\n", step.told));
                if !step.also.is_empty() {
                    text.push_str(&format!("     The same by {}.\n", step.also.join(", ")));
                }
            }
        }
        text
    }
}
