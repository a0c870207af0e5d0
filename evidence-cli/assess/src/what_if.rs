//! What would be different without a principal, a statement or a grant.
//!
//! The evidence stays as it is: what is taken away is taken out of the typed assets, and access and graph are
//! worked out again. So a deny that goes opens what it denied, an ACL that goes may leave a topic to the cluster's
//! default, and nothing is assumed about what a cut says it closes.

use std::collections::BTreeSet;
use std::fmt;

use cadastre_graph::Drift;
use cadastre_model::Known;
use cadastre_model::access::Access;
use cadastre_model::asset::{PolicyDocument, StatementRef};
use cadastre_model::declaration::Declaration;
use cadastre_model::graph::BoundaryGraph;
use cadastre_model::inventory::Inventory;
use serde::Serialize;
use serde_json::{Value, json};

use crate::Assessment;

/// Something that is taken away.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Removal {
    /// A user, a role, or a Kafka principal.
    Principal(String),
    /// A statement of a policy, an ACL, a KMS grant, or a setting that stands in for a statement.
    Statement(StatementRef),
}

impl fmt::Display for Removal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Principal(id) => f.write_str(id),
            Self::Statement(at) => write!(f, "{}#{} (`{}`)", at.record.short(), at.pointer, at.policy),
        }
    }
}

/// A name that does not say what to take away.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RemovalError {
    /// Nothing has that name.
    #[error("the evidence knows no principal, statement, policy or grant `{0}`")]
    Unknown(String),
    /// Several things have it.
    #[error("`{name}` may be any of {candidates}")]
    Ambiguous {
        /// What was asked.
        name: String,
        /// What it may mean, joined by commas.
        candidates: String,
    },
}

/// How many candidates an error names.
const NAMED_CANDIDATES: usize = 8;

/// What is left, and how it differs.
#[derive(Debug)]
pub struct WhatIf {
    /// The assets without what was taken away.
    pub inventory: Inventory,
    /// Who may do what then.
    pub access: Access,
    /// The graph then.
    pub graph: BoundaryGraph,
    /// What opens, changes and closes, most severe first.
    pub changes: Vec<Drift>,
}

impl Assessment {
    /// What a name stands for: the ARN or name of a principal, the id of a grant, `RECORD#POINTER` as reports and
    /// cuts print it (the record's id or the beginning of it), `POLICY#NUMBER` for one statement of a policy, counted
    /// from 0, or `POLICY` for all of them. Where policies of several resources have one name, the ARN of the resource
    /// names its own.
    ///
    /// # Errors
    /// When nothing has the name, or several things have it that do not go together.
    pub fn removal(&self, name: &str) -> Result<Vec<Removal>, RemovalError> {
        if let Some(found) = self.principal(name)? {
            return Ok(vec![Removal::Principal(found)]);
        }
        let places = places(&self.inventory, &self.access);
        let (whose, which) = name.split_once('#').map_or((name, None), |(whose, which)| (whose, Some(which)));
        let by_place: Vec<&Place> = places
            .iter()
            .filter(|place| {
                let record = place.at.record.as_str();
                let beginning = whose.strip_prefix("sha256:").unwrap_or(whose);
                let digits = record.strip_prefix("sha256:").unwrap_or(record);
                Some(place.at.pointer.as_str()) == which
                    && beginning.len() >= 8
                    && digits.starts_with(beginning)
            })
            .collect();
        if let Some(first) = by_place.first() {
            let records: BTreeSet<_> = by_place.iter().map(|place| &place.at.record).collect();
            if records.len() > 1 {
                return Err(ambiguous(
                    name,
                    by_place.iter().map(|place| Removal::Statement(place.at.clone()).to_string()),
                ));
            }
            return Ok(vec![Removal::Statement(first.at.clone())]);
        }
        let number = which.map(str::parse::<usize>).transpose();
        let Ok(number) = number else { return Err(RemovalError::Unknown(name.to_owned())) };
        let of_policy: Vec<&Place> = places
            .iter()
            .filter(|place| place.at.policy == whose || place.names.iter().any(|own| own == whose))
            .filter(|place| number.is_none() || place.number == number)
            .collect();
        let documents: BTreeSet<_> =
            of_policy.iter().map(|place| (&place.at.record, &place.document)).collect();
        match documents.len() {
            0 => Err(RemovalError::Unknown(name.to_owned())),
            1 => Ok(of_policy.iter().map(|place| Removal::Statement(place.at.clone())).collect()),
            _ => Err(ambiguous(
                name,
                of_policy.iter().map(|place| Removal::Statement(place.at.clone()).to_string()),
            )),
        }
    }

    fn principal(&self, name: &str) -> Result<Option<String>, RemovalError> {
        let observed = self.inventory.principals.iter().map(|principal| principal.arn.as_str());
        let known: BTreeSet<&str> =
            observed.chain(self.access.edges.iter().map(|edge| edge.principal.as_str())).collect();
        if known.contains(name) {
            return Ok(Some(name.to_owned()));
        }
        let named: Vec<&str> =
            known.into_iter().filter(|id| id.rsplit(['/', ':']).next() == Some(name)).collect();
        match named.as_slice() {
            [] => Ok(None),
            [one] => Ok(Some((*one).to_owned())),
            several => Err(ambiguous(name, several.iter().map(|one| (*one).to_owned()))),
        }
    }

    /// The same evidence without some things.
    #[must_use]
    pub fn without(&self, declaration: &Declaration, removals: &[Removal]) -> WhatIf {
        let mut inventory = self.inventory.clone();
        let statements: BTreeSet<&StatementRef> = removals
            .iter()
            .filter_map(|removal| match removal {
                Removal::Statement(at) => Some(at),
                Removal::Principal(_) => None,
            })
            .collect();
        let principals: BTreeSet<&str> = removals
            .iter()
            .filter_map(|removal| match removal {
                Removal::Principal(id) => Some(id.as_str()),
                Removal::Statement(_) => None,
            })
            .collect();
        take_principals(&mut inventory, &principals);
        take_statements(&mut inventory, &statements);
        let mut access = cadastre_access::evaluate(&inventory, declaration);
        // What has no document to be taken out of: settings, sharing, principals that only others' policies name.
        access.edges.retain(|edge| {
            !principals.contains(edge.principal.as_str())
                && !principals.contains(edge.target.as_str())
                && !edge.statements.iter().any(|at| statements.contains(at))
        });
        access.trusts.retain(|trust| {
            !principals.contains(trust.role.as_str())
                && !principals.contains(trust.principal.as_str())
                && !statements.contains(&trust.at)
        });
        access.statements.retain(|statement| !statements.contains(&statement.at));
        access.unknown.retain(|(subject, _)| !principals.contains(subject.as_str()));
        let graph = cadastre_graph::build(&inventory, &access, &self.reachability, declaration);
        let changes = cadastre_graph::diff(&self.graph, &graph);
        WhatIf { inventory, access, graph, changes }
    }
}

fn ambiguous(name: &str, candidates: impl Iterator<Item = String>) -> RemovalError {
    let candidates: BTreeSet<String> = candidates.collect();
    let further = candidates.len().saturating_sub(NAMED_CANDIDATES);
    let mut told: Vec<String> = candidates.into_iter().take(NAMED_CANDIDATES).collect();
    if further > 0 {
        told.push(format!("{further} more"));
    }
    RemovalError::Ambiguous { name: name.to_owned(), candidates: told.join(", ") }
}

/// A statement, and what it may be called.
struct Place {
    at: StatementRef,
    /// Pointer to the document it stands in.
    document: String,
    /// Its number there.
    number: Option<usize>,
    /// The resource whose policy it is, or the id of the grant.
    names: Vec<String>,
}

/// Everything that could be taken away, but for principals.
fn places(inventory: &Inventory, access: &Access) -> Vec<Place> {
    let mut places = Vec::new();
    let mut inventory = inventory.clone();
    documents(&mut inventory, &mut |subject, document| {
        let base = format!("{}/Statement", document.pointer);
        let at = |pointer: String| StatementRef {
            policy: (&document.name).into(),
            record: document.record.clone(),
            pointer: pointer.into(),
        };
        let pointers: Vec<(String, usize)> = match document.document.get("Statement") {
            Some(Value::Array(list)) => {
                (0..list.len()).map(|number| (format!("{base}/{number}"), number)).collect()
            }
            Some(Value::Object(_)) => vec![(base, 0)],
            _ => Vec::new(),
        };
        places.extend(pointers.into_iter().map(|(pointer, number)| Place {
            at: at(pointer),
            document: document.pointer.clone(),
            number: Some(number),
            names: subject.to_vec(),
        }));
        true
    });
    for grant in inventory.keys.iter().filter_map(|key| key.grants.observed()).flatten() {
        places.push(Place {
            at: grant.at.clone(),
            document: grant.at.pointer.to_string(),
            number: None,
            names: vec![grant.id.clone()],
        });
    }
    let known: BTreeSet<StatementRef> = places.iter().map(|place| place.at.clone()).collect();
    let further: BTreeSet<&StatementRef> =
        access.edges.iter().flat_map(|edge| &edge.statements).filter(|at| !known.contains(at)).collect();
    places.extend(further.into_iter().map(|at| Place {
        at: at.clone(),
        document: at.pointer.to_string(),
        number: None,
        names: Vec::new(),
    }));
    places
}

/// Visits every policy document with the names of the resource it guards; those for which the visitor says no are
/// dropped.
fn documents(inventory: &mut Inventory, visit: &mut dyn FnMut(&[String], &mut PolicyDocument) -> bool) {
    let mut one = |names: &[String], known: &mut Known<PolicyDocument>| {
        if let Known::Observed(document) = known
            && !visit(names, document)
        {
            *known = Known::Absent;
        }
    };
    for bucket in &mut inventory.buckets {
        one(&[bucket.arn.clone(), bucket.name.clone()], &mut bucket.policy);
    }
    for key in &mut inventory.keys {
        let names: Vec<String> = std::iter::once(&key.arn).chain(&key.aliases).cloned().collect();
        one(&names, &mut key.policy);
    }
    for endpoint in &mut inventory.endpoints {
        one(std::slice::from_ref(&endpoint.id), &mut endpoint.policy);
    }
    for cluster in &mut inventory.msk_clusters {
        one(&[cluster.arn.clone(), cluster.name.clone()], &mut cluster.policy);
    }
    for secret in &mut inventory.secrets {
        one(&[secret.arn.clone(), secret.name.clone()], &mut secret.policy);
    }
    for authority in &mut inventory.certificate_authorities {
        one(std::slice::from_ref(&authority.arn), &mut authority.policy);
    }
    for principal in &mut inventory.principals {
        one(&[], &mut principal.boundary);
        one(&[format!("trust of {}", principal.name)], &mut principal.trust);
    }
    for principal in &mut inventory.principals {
        if let Known::Observed(policies) = &mut principal.policies {
            policies.retain_mut(|document| visit(&[], document));
        }
    }
    for account in &mut inventory.accounts {
        for levels in [&mut account.service_control, &mut account.resource_control] {
            if let Known::Observed(levels) = levels {
                for level in levels {
                    level.retain_mut(|document| visit(&[], document));
                }
            }
        }
    }
}

fn take_principals(inventory: &mut Inventory, principals: &BTreeSet<&str>) {
    if principals.is_empty() {
        return;
    }
    inventory.principals.retain(|principal| !principals.contains(principal.arn.as_str()));
    for instance in &mut inventory.instances {
        if instance.role.observed().is_some_and(|role| principals.contains(role.as_str())) {
            instance.role = Known::Absent;
        }
    }
    for cluster in &mut inventory.clusters {
        if let Known::Observed(acls) = &mut cluster.acls {
            acls.retain(|acl| !principals.contains(acl.principal.as_str()));
        }
    }
}

fn take_statements(inventory: &mut Inventory, statements: &BTreeSet<&StatementRef>) {
    if statements.is_empty() {
        return;
    }
    let gone = |record: &cadastre_model::RecordId, pointer: &str| {
        statements.iter().any(|at| at.record == *record && at.pointer == pointer)
    };
    documents(inventory, &mut |_, document| {
        if gone(&document.record, &document.pointer) {
            return false;
        }
        let base = format!("{}/Statement", document.pointer);
        let record = document.record.clone();
        if !statements.iter().any(|at| at.record == record && at.pointer.starts_with(&base)) {
            return true;
        }
        match document.document.make_mut().get_mut("Statement") {
            Some(Value::Array(list)) => {
                for (statement, number) in list.iter_mut().zip(0..) {
                    if gone(&record, &format!("{base}/{number}")) {
                        silence(statement);
                    }
                }
            }
            Some(single @ Value::Object(_)) if gone(&record, &base) => silence(single),
            _ => {}
        }
        true
    });
    for key in &mut inventory.keys {
        if let Known::Observed(grants) = &mut key.grants {
            grants.retain(|grant| !gone(&grant.at.record, &grant.at.pointer));
        }
    }
    for cluster in &mut inventory.clusters {
        if let Known::Observed(acls) = &mut cluster.acls {
            acls.retain(|acl| !gone(&acl.record, &acl.pointer));
        }
    }
}

/// Leaves a statement in its place, so that the others keep their numbers, and makes it speak of no action.
fn silence(statement: &mut Value) {
    const NOTHING: &str = "cadastre:Removed";
    if let Some(members) = statement.as_object_mut() {
        members.remove("NotAction");
        members.insert("Action".to_owned(), Value::from(NOTHING));
    } else {
        *statement = json!({"Effect": "Deny", "Action": NOTHING, "Resource": "*"});
    }
}
