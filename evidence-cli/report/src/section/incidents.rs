//! Incident ownership: for each kind of trouble, who is declared to act, and who in fact can.

use std::collections::{BTreeMap, BTreeSet};

use cadastre_model::access::Capability;
use cadastre_model::declaration::{Declaration, Job};
use cadastre_model::graph::Side;
use serde::Serialize;

use super::standing::{self, Standing};
use crate::input::ReportInput;
use crate::words;

/// How many principals one cell names.
const NAMED: usize = 12;
/// Controls of the catalogue that judge who acts.
const CONTROLS: [&str; 4] = ["OPS-04", "OPS-06", "IDN-04", "BND-05"];

/// The section.
#[derive(Debug, Serialize)]
pub(crate) struct Incidents {
    pub(crate) rows: Vec<Trouble>,
    standing: Vec<Standing>,
}

/// One kind of trouble.
#[derive(Debug, Serialize)]
pub(crate) struct Trouble {
    pub(crate) what: &'static str,
    /// Declared principals whose job it is.
    pub(crate) declared: Vec<String>,
    /// Principals of the customer that can act, by what policies permit.
    pub(crate) able: Named,
    /// Principals of other sides that can act.
    pub(crate) others: Named,
}

/// Some names, and how many more there are.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Named {
    pub(crate) names: Vec<String>,
    pub(crate) more: usize,
}

/// Builds the section.
pub(crate) fn build(input: &ReportInput<'_>) -> Incidents {
    let declaration = input.declaration;
    let jobs = |jobs: &[Job]| -> Vec<String> {
        let held = declaration.identities.iter().filter(|identity| jobs.contains(&identity.job));
        held.map(|identity| format!("{} ({})", identity.principal, words::job(identity.job))).collect()
    };
    let rows = vec![
        row(input, "Broker health", jobs(&[Job::Operator, Job::BreakGlass]), &[Capability::OperateHost]),
        row(
            input,
            "Storage access",
            jobs(&[Job::Operator, Job::AccountAdministrator]),
            &[Capability::ChangePolicy],
        ),
        row(
            input,
            "Client connectivity",
            kafka_administrators(declaration),
            &[Capability::ChangePolicy, Capability::OperateHost],
        ),
        row(input, "Key trouble", jobs(&[Job::KeyAdministrator]), &[Capability::ManageKey]),
        row(input, "Logs", jobs(&[Job::LogAdministrator]), &[Capability::AlterLogs]),
    ];
    Incidents { rows, standing: standing::of(input.checklist, &CONTROLS) }
}

fn kafka_administrators(declaration: &Declaration) -> Vec<String> {
    let of = declaration.clusters.iter().flat_map(|cluster| {
        cluster.administrators.iter().map(move |who| format!("{who} (administers {})", cluster.name))
    });
    of.collect()
}

fn row(
    input: &ReportInput<'_>,
    what: &'static str,
    declared: Vec<String>,
    capabilities: &[Capability],
) -> Trouble {
    let sides: BTreeMap<&str, Side> =
        input.graph.principals.iter().map(|view| (view.id.as_str(), view.side)).collect();
    let mut able: BTreeSet<&str> = BTreeSet::new();
    let mut others: BTreeSet<&str> = BTreeSet::new();
    for edge in &input.access.edges {
        if capabilities.contains(&edge.capability) && edge.decision.possible() {
            match sides.get(edge.principal.as_str()) {
                Some(Side::Vendor | Side::Outside) => others.insert(&edge.principal),
                Some(Side::Customer) => able.insert(&edge.principal),
                Some(Side::Provider) | None => false,
            };
        }
    }
    Trouble { what, declared, able: named(&able), others: named(&others) }
}

fn named(of: &BTreeSet<&str>) -> Named {
    Named {
        names: of.iter().take(NAMED).map(|name| words::short_name(name).to_owned()).collect(),
        more: of.len().saturating_sub(NAMED),
    }
}
