//! A role before it exists: what a permission pack could reach inside this boundary.
//!
//! A vendor hands over a trust policy and permission policies. They are judged by the same engine as a deployed role,
//! inside the boundary that is declared, with or without evidence of it. Where there is no evidence the declared assets
//! stand in, and whatever rests on policies that nobody has seen stays unknown: never an allow, and never nothing.

mod candidate;
mod flags;
mod stand_in;
mod text;

use std::collections::BTreeMap;

use cadastre_access::escalation::Chains;
use cadastre_model::access::{
    Access, CapabilityEdge, DeadGuard, Decision, Destruction, Escalation, IdentityStatement, Trust,
};
use cadastre_model::declaration::Declaration;
use cadastre_model::evidence::Evidence;
use cadastre_model::graph::PlaintextPath;
use cadastre_model::record::{Record, RecordError};
use cadastre_model::time::Timestamp;
use serde::Serialize;

pub use candidate::{Candidate, PolicyText};
pub use flags::{Flag, FlagVerdict};

/// The format of an assessment.
pub const SCHEMA: &str = "cadastre/role-assessment/v1";

/// A role could not be assessed.
#[derive(Debug, thiserror::Error)]
pub enum RoleError {
    /// The boundary declares no AWS account that the role could stand in.
    #[error("the boundary declares no aws account in which `{0}` could stand")]
    NoAccount(String),
    /// A policy is no JSON.
    #[error("`{file}` is not json: {problem}")]
    NotJson {
        /// The file as it was named.
        file: String,
        /// What the parser said.
        problem: String,
    },
    /// A document larger than any policy.
    #[error("`{file}` is larger than {limit} bytes")]
    TooLarge {
        /// The file as it was named.
        file: String,
        /// The largest that is read, in bytes.
        limit: usize,
    },
    /// A document has no canonical form.
    #[error(transparent)]
    Record(#[from] RecordError),
}

/// One document of the pack, as the records cite it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Source {
    /// The file as it was named.
    pub file: String,
    /// Its record.
    pub record: String,
}

/// What a capability of the role comes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reach {
    /// The target as the boundary declares it, or as evidence shows it.
    pub target: String,
    /// Whether the boundary declares it.
    pub declared: bool,
    /// The edge.
    #[serde(flatten)]
    pub edge: CapabilityEdge,
}

/// What a role could reach inside a boundary.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RoleAssessment {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// The role's ARN, an assumed one where none was given.
    pub role: String,
    /// The boundary's name.
    pub boundary: String,
    /// Whether evidence of the boundary was at hand.
    pub with_evidence: bool,
    /// Whether a permissions boundary was handed over with it.
    pub bounded: bool,
    /// The documents.
    pub sources: Vec<Source>,
    /// What was read into the documents: an empty list that becomes `*`, a stand-in for what nobody has seen.
    pub notes: Vec<String>,
    /// Who may become the role.
    pub trusts: Vec<Trust>,
    /// What the role could do by itself.
    pub reaches: Vec<Reach>,
    /// What it could gain by steps of its own, the enabling step first.
    pub escalations: Vec<Escalation>,
    /// Ways to plaintext records.
    pub paths: Vec<PlaintextPath>,
    /// Ways to destroy, blind or lock out.
    pub destruction: Vec<Destruction>,
    /// Guards that protect nothing.
    pub guards: Vec<DeadGuard>,
    /// The statements as they are written.
    pub statements: Vec<IdentityStatement>,
    /// What each control would say of the role.
    pub flags: Vec<Flag>,
    /// Evidence that is missing, which leaves answers open.
    pub missing: Vec<String>,
}

/// Judges a role that does not exist yet.
///
/// `read_at` is when its documents were read; it only dates their records.
///
/// # Errors
/// When a document is no JSON, or no declared account could hold the role.
pub fn assess_role(
    candidate: &Candidate,
    declaration: &Declaration,
    evidence: Option<&Evidence>,
    read_at: Timestamp,
) -> Result<RoleAssessment, RoleError> {
    let records: &[Record] = evidence.map_or(&[], Evidence::records);
    let (mut inventory, _) = cadastre_inventory::build(records, declaration);
    let pack = candidate.read(declaration, read_at)?;
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    let mut notes = pack.notes;
    stand_in::declared(&mut inventory, declaration, &mut names, &mut notes);
    if evidence.is_none() {
        stand_in::unseen(&mut inventory, declaration, &pack.principal.account, &mut names, &mut notes);
    }
    let role = pack.principal.arn.clone();
    inventory.principals.retain(|principal| principal.arn != role);
    inventory.principals.push(pack.principal);
    inventory.principals.sort_by(|a, b| a.arn.cmp(&b.arn));

    let access = cadastre_access::evaluate(&inventory, declaration);
    let reachability = cadastre_network::reachability(&inventory);
    let graph = cadastre_graph::build(&inventory, &access, &reachability, declaration);
    let escalations = Chains::new(&inventory, &access).of(&role);
    let missing = missing(&access, &role);
    let Access { edges, trusts, statements, destruction, guards, .. } = access;
    let named = |target: &str| names.get(target).cloned().unwrap_or_else(|| target.to_owned());
    let declared: Vec<&str> = names.values().map(String::as_str).collect();
    let reaches: Vec<Reach> = edges
        .into_iter()
        .filter(|edge| edge.principal == role)
        .map(|edge| {
            let target = named(&edge.target);
            Reach { declared: declared.contains(&target.as_str()), target, edge }
        })
        .collect();
    let mut assessment = RoleAssessment {
        schema: SCHEMA.to_owned(),
        role: role.clone(),
        boundary: declaration.name.clone(),
        with_evidence: evidence.is_some(),
        bounded: candidate.boundary.is_some(),
        sources: pack.sources,
        notes,
        trusts: trusts.into_iter().filter(|trust| trust.role == role).collect(),
        reaches,
        escalations,
        paths: graph.paths.into_iter().filter(|path| path.principal == role).collect(),
        destruction: destruction.into_iter().filter(|found| found.principal == role).collect(),
        guards: guards.into_iter().filter(|guard| guard.subject == role).collect(),
        statements: statements.into_iter().filter(|statement| statement.principal == role).collect(),
        flags: Vec::new(),
        missing,
    };
    for escalation in &mut assessment.escalations {
        escalation.target = named(&escalation.target);
        for step in &mut escalation.steps {
            step.target = named(&step.target);
            step.principal = named(&step.principal);
        }
    }
    for found in &mut assessment.destruction {
        found.target = named(&found.target);
    }
    for path in &mut assessment.paths {
        for step in &mut path.steps {
            step.to = named(&step.to);
            step.from = named(&step.from);
        }
    }
    assessment.flags = flags::of(&assessment, declaration);
    Ok(assessment)
}

/// What leaves answers about a role open, each once.
fn missing(access: &Access, role: &str) -> Vec<String> {
    let open =
        access.edges.iter().filter(|edge| edge.principal == role).filter_map(|edge| match &edge.decision {
            Decision::Unknown(what) => Some(what),
            _ => None,
        });
    let mut missing: Vec<String> = open
        .flat_map(|what| what.split("; "))
        .map(str::to_owned)
        .collect::<std::collections::BTreeSet<_>>()
        .into_iter()
        .collect();
    missing.sort();
    missing
}
