//! The document that policies read as `input`: `docs/formats/policy-input.md`.

use std::collections::{BTreeMap, BTreeSet};

use cadastre_model::Timestamp;
use cadastre_model::access::Access;
use cadastre_model::cost::CostShape;
use cadastre_model::coverage::Coverage;
use cadastre_model::declaration::Declaration;
use cadastre_model::evidence::Manifest;
use cadastre_model::graph::BoundaryGraph;
use cadastre_model::inventory::Inventory;
use cadastre_model::profile::{Profile, ProfileError};
use cadastre_model::reach::Reachability;
use cadastre_model::usage::UsageReport;
use serde::Serialize;
use serde_json::{Value, json};

use crate::coverage::{Gap, Ledger};
use crate::error::PolicyError;

/// The format of the policy input.
pub const SCHEMA: &str = "cadastre/policy-input/v1";

/// Everything a policy may judge by.
#[derive(Debug, Clone, Copy)]
pub struct PolicyInput<'a> {
    /// The time for which the evidence is judged.
    pub as_of: Timestamp,
    /// What the customer says.
    pub declaration: &'a Declaration,
    /// What the evidence shows.
    pub inventory: &'a Inventory,
    /// Who may do what.
    pub access: &'a Access,
    /// Which flows are permitted.
    pub reachability: &'a Reachability,
    /// The boundary graph with its plaintext paths.
    pub graph: &'a BoundaryGraph,
    /// What was granted against what was used, and what vendors did.
    pub usage: &'a UsageReport,
    /// The shape of the bill, where it was reckoned.
    pub cost: Option<&'a CostShape>,
    /// What was asked and answered.
    pub coverage: &'a Coverage,
    /// What the evidence says of itself.
    pub evidence: &'a Manifest,
}

impl PolicyInput<'_> {
    /// Judges the evidence's questions.
    pub(crate) fn ledger(&self) -> Ledger {
        Ledger::new(self.coverage, &self.inventory.unreadable, self.declaration, self.as_of)
    }

    /// The document as policies see it; `required` are the operations that any control needs.
    pub(crate) fn document(&self, gaps: &[Gap], required: &BTreeSet<&str>) -> Result<Value, PolicyError> {
        let mut inventory = value(self.inventory)?;
        leave_out_identity_policies(&mut inventory);
        leave_out_activity(&mut inventory);
        let profiles: BTreeMap<&str, &Profile> = self
            .declaration
            .clusters
            .iter()
            .map(|cluster| Ok((cluster.name.as_str(), Profile::of(cluster)?)))
            .collect::<Result<_, ProfileError>>()
            .map_err(|error| PolicyError::Input { message: error.to_string() })?;
        let mut document = json!({
            "schema": SCHEMA,
            "as_of": self.as_of,
            "as_of_seconds": self.as_of.seconds(),
            "declaration": value(self.declaration)?,
            "profiles": value(&profiles)?,
            "inventory": inventory,
            "access": value(self.access)?,
            "reachability": value(self.reachability)?,
            "graph": {
                "nodes": value(&self.graph.nodes)?,
                "paths": value(&self.graph.paths)?,
                "principals": value(&self.graph.principals)?,
            },
            "usage": value(self.usage)?,
            "coverage": value(&self.coverage.questions)?,
            "gaps": value(gaps)?,
            "required": required,
            "evidence": {
                "tool_version": self.evidence.tool_version,
                "started_at": self.evidence.started_at,
                "finished_at": self.evidence.finished_at,
                "complete": self.evidence.complete,
                "callers": self.evidence.callers,
                "outcomes": self.evidence.outcomes,
                "merkle_root": self.evidence.merkle_root,
            },
        });
        if let (Some(cost), Some(document)) = (self.cost, document.as_object_mut()) {
            document.insert("cost".to_owned(), value(cost)?);
        }
        Ok(document)
    }
}

fn value<T: Serialize + ?Sized>(content: &T) -> Result<Value, PolicyError> {
    serde_json::to_value(content).map_err(|error| PolicyError::Input { message: error.to_string() })
}

/// What trails saw can be a hundred thousand rows; `usage` tells what policies judge by.
fn leave_out_activity(inventory: &mut Value) {
    if let Some(inventory) = inventory.as_object_mut() {
        inventory.remove("activity");
    }
}

/// Identity policies are by far the largest part of an account, and `access.statements` has every one of
/// their statements; policies see names and places of the documents only.
fn leave_out_identity_policies(inventory: &mut Value) {
    let Some(principals) = inventory.get_mut("principals").and_then(Value::as_array_mut) else { return };
    for principal in principals {
        if let Some(boundary) = principal.pointer_mut("/boundary/value").and_then(Value::as_object_mut) {
            boundary.remove("document");
        }
        let Some(policies) = principal.pointer_mut("/policies/value").and_then(Value::as_array_mut) else {
            continue;
        };
        for policy in policies.iter_mut().filter_map(Value::as_object_mut) {
            policy.remove("document");
        }
    }
}
