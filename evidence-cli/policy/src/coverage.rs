//! What was asked, what was answered, and what that leaves open.

use std::collections::{BTreeMap, BTreeSet};

use cadastre_model::coverage::{Coverage, Question};
use cadastre_model::declaration::{Declaration, Provider};
use cadastre_model::inventory::Unreadable;
use cadastre_model::profile::Profile;
use cadastre_model::{Outcome, RecordId, Scope, Timestamp};
use serde::Serialize;

use crate::operations::{Asked, asked, is_azure, is_drill};

/// How far a gap reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum GapLevel {
    /// A list is not known: whatever depends on it may be missing something, so that nothing passes.
    List,
    /// One thing is not known: what is said of that thing does not pass.
    Thing,
}

/// A question that has no usable answer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Gap {
    /// The operation.
    pub operation: String,
    /// How far it reaches.
    pub level: GapLevel,
    /// The account, where the question is about one.
    pub account: Option<String>,
    /// The region, where the question is about one.
    pub region: Option<String>,
    /// The cluster, where the question is about one.
    pub cluster: Option<String>,
    /// What was asked about; the scope when nothing was asked.
    pub subject: String,
    /// Why there is no usable answer.
    pub problem: String,
    /// The records that show it; empty when nothing was asked.
    pub evidence: Vec<RecordId>,
    /// Whether the operation is one cloud's and the account another's: a control that asks nothing of the other
    /// cloud says nothing of what lies there.
    #[serde(skip)]
    pub(crate) foreign: bool,
}

impl Gap {
    /// One line: the operation, what about, and why.
    pub(crate) fn told(&self) -> String {
        format!("{} on {} {}", self.operation, self.subject, self.problem)
    }
}

/// What is known of one record.
#[derive(Debug, Clone)]
pub(crate) struct RecordFacts {
    /// Its operation.
    pub(crate) operation: String,
    /// Why it proves nothing, where it does not.
    pub(crate) problem: Option<String>,
}

/// Answers what evidence is worth at the time for which it is judged.
#[derive(Debug)]
pub(crate) struct Ledger {
    gaps: Vec<Gap>,
    records: BTreeMap<RecordId, RecordFacts>,
}

impl Ledger {
    /// Judges every question of the coverage.
    pub(crate) fn new(
        coverage: &Coverage,
        unreadable: &[Unreadable],
        declaration: &Declaration,
        as_of: Timestamp,
    ) -> Self {
        let judge = Judge { maximum_age: declaration.evidence.maximum_age.seconds(), as_of };
        let drills = Judge { maximum_age: declaration.evidence.drill_maximum_age.seconds(), as_of };
        let mut ledger = Self { gaps: Vec::new(), records: BTreeMap::new() };
        for (operation, questions) in &coverage.questions {
            let judge = if is_drill(operation) { &drills } else { &judge };
            for question in questions {
                ledger.enter(operation, question, judge.problem(question));
            }
        }
        ledger.enter_unreadable(unreadable);
        ledger.enter_unasked(coverage, declaration);
        ledger.explain(declaration);
        ledger.gaps.sort();
        ledger.gaps.dedup();
        ledger
    }

    /// All gaps, sorted.
    pub(crate) fn gaps(&self) -> &[Gap] {
        &self.gaps
    }

    /// What is known of a record; `None` when the evidence has no such record.
    pub(crate) fn record(&self, id: &RecordId) -> Option<&RecordFacts> {
        self.records.get(id)
    }

    fn enter(&mut self, operation: &str, question: &Question, problem: Option<String>) {
        for record in &question.records {
            self.records.insert(
                record.clone(),
                RecordFacts { operation: operation.to_owned(), problem: problem.clone() },
            );
        }
        if let Some(problem) = problem {
            self.gaps.push(Gap {
                operation: operation.to_owned(),
                level: level(operation, &question.subject),
                account: question.scope.account.clone(),
                region: question.scope.region.clone(),
                cluster: question.scope.cluster.clone(),
                subject: question.subject.clone(),
                problem,
                evidence: question.records.clone(),
                foreign: false,
            });
        }
    }

    /// Says of what a cluster's software never answers that nobody need keep asking. It stays a gap.
    fn explain(&mut self, declaration: &Declaration) {
        for gap in &mut self.gaps {
            let cluster = declaration.clusters.iter().find(|known| Some(&known.name) == gap.cluster.as_ref());
            let profile = cluster.and_then(|cluster| Profile::of(cluster).ok());
            if let Some((profile, why)) =
                profile.and_then(|profile| Some((profile, profile.why_unanswered(&gap.operation)?)))
            {
                gap.problem = format!("{}, and {} never answers it: {why}", gap.problem, profile.name);
            }
        }
    }

    fn enter_unreadable(&mut self, unreadable: &[Unreadable]) {
        for entry in unreadable {
            let problem = format!("could not be read at `{}`: expected {}", entry.pointer, entry.problem);
            self.records
                .entry(entry.record.clone())
                .or_insert_with(|| RecordFacts { operation: entry.operation.clone(), problem: None })
                .problem = Some(problem.clone());
            self.gaps.push(Gap {
                operation: entry.operation.clone(),
                level: level(&entry.operation, &entry.subject),
                account: None,
                region: None,
                cluster: None,
                subject: entry.subject.clone(),
                problem,
                evidence: vec![entry.record.clone()],
                foreign: false,
            });
        }
    }

    fn enter_unasked(&mut self, coverage: &Coverage, declaration: &Declaration) {
        let of = |provider: Provider| -> Vec<&str> {
            let accounts = declaration.accounts.iter().filter(|account| account.provider == provider);
            accounts.map(|account| account.id.as_str()).collect()
        };
        let (accounts, subscriptions) = (of(Provider::Aws), of(Provider::Azure));
        for operation in crate::operations::all() {
            let scopes: Vec<Scope> = match asked(operation) {
                Some(Asked::Account) => accounts.iter().map(|account| Scope::account(*account)).collect(),
                Some(Asked::Region) => accounts
                    .iter()
                    .flat_map(|account| {
                        declaration.regions.iter().map(|region| Scope::region(*account, region))
                    })
                    .collect(),
                Some(Asked::Subscription) => {
                    subscriptions.iter().map(|id| Scope::account(id.to_lowercase())).collect()
                }
                Some(Asked::Cluster) => {
                    declaration.clusters.iter().map(|cluster| Scope::cluster(&cluster.name)).collect()
                }
                Some(Asked::Boundary) => vec![Scope::default()],
                Some(Asked::Thing) | None => Vec::new(),
            };
            for scope in scopes {
                if !coverage.of(operation).iter().any(|question| covers(&question.scope, &scope)) {
                    self.gaps.push(Gap {
                        operation: operation.to_owned(),
                        level: GapLevel::List,
                        subject: if scope == Scope::default() {
                            declaration.name.clone()
                        } else {
                            scope.to_string()
                        },
                        account: scope.account,
                        region: scope.region,
                        cluster: scope.cluster,
                        problem: "was not asked".to_owned(),
                        evidence: Vec::new(),
                        foreign: false,
                    });
                }
            }
            if matches!(asked(operation), Some(Asked::Account | Asked::Region)) {
                self.gaps.extend(subscriptions.iter().map(|id| foreign(operation, id)));
            }
        }
    }
}

/// What an operation of AWS leaves open in an Azure subscription.
fn foreign(operation: &str, subscription: &str) -> Gap {
    Gap {
        operation: operation.to_owned(),
        level: GapLevel::List,
        account: Some(subscription.to_owned()),
        region: None,
        cluster: None,
        subject: subscription.to_owned(),
        problem: "says nothing of an Azure subscription".to_owned(),
        evidence: Vec::new(),
        foreign: true,
    }
}

/// Whether a question asked in one scope answers for another: a question about an account may have been
/// put to any of its regions.
fn covers(asked: &Scope, needed: &Scope) -> bool {
    asked.account == needed.account
        && asked.cluster == needed.cluster
        && (needed.region.is_none() || asked.region == needed.region)
}

/// Clusters are asked as a whole and broker by broker; a topic or a group that was refused is one thing.
fn level(operation: &str, subject: &str) -> GapLevel {
    match asked(operation) {
        Some(Asked::Cluster) if subject.starts_with("topic:") || subject.starts_with("group:") => {
            GapLevel::Thing
        }
        Some(Asked::Account | Asked::Region | Asked::Subscription | Asked::Cluster | Asked::Boundary)
        | None => GapLevel::List,
        Some(Asked::Thing) => GapLevel::Thing,
    }
}

struct Judge {
    maximum_age: i64,
    as_of: Timestamp,
}

impl Judge {
    fn problem(&self, question: &Question) -> Option<String> {
        let reason = question.problem.as_deref();
        let told = |what: &str| Some(reason.map_or_else(|| what.to_owned(), |why| format!("{what} ({why})")));
        match question.outcome {
            Outcome::Denied => return told("was denied"),
            Outcome::Failed => return told("failed"),
            Outcome::Truncated => return told("was cut short"),
            Outcome::Observed | Outcome::Absent => {}
        }
        let age = self.as_of.seconds_since(question.oldest);
        if question.oldest > self.as_of {
            Some(format!("was answered at {}, after the time judged for, {}", question.oldest, self.as_of))
        } else if age > self.maximum_age {
            Some(format!(
                "was answered at {}, longer ago than the {} s that evidence may be old",
                question.oldest, self.maximum_age
            ))
        } else {
            None
        }
    }
}

/// The operations that a set of gaps is about, for tests and messages.
pub(crate) fn among<'a>(gaps: &'a [Gap], operations: &'a BTreeSet<&str>) -> impl Iterator<Item = &'a Gap> {
    let both_clouds = operations.iter().any(|operation| is_azure(operation));
    gaps.iter()
        .filter(move |gap| operations.contains(gap.operation.as_str()) && !(gap.foreign && both_clouds))
}

/// Whether an operation can concern a boundary: those of Azure do where it has subscriptions.
pub(crate) fn concerns(operation: &str, declaration: &Declaration) -> bool {
    !is_azure(operation) || declaration.accounts.iter().any(|account| account.provider == Provider::Azure)
}
