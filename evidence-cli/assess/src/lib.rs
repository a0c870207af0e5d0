//! The pure line from evidence and declaration to a checklist, and mutations of it.
//!
//! This is the only place where inventory, access, network, graph and policy meet. It does no I/O: the
//! command and the test tools hand in verified evidence and take the whole assessment back.

pub mod mutation;
mod questions;
pub mod role;
mod usage;
pub mod waivers;
pub mod what_if;

use cadastre_cost::{CostError, Prices, PricesError};
use cadastre_model::access::Access;
use cadastre_model::checklist::Checklist;
use cadastre_model::cost::CostShape;
use cadastre_model::coverage::Coverage;
use cadastre_model::declaration::Declaration;
use cadastre_model::evidence::Evidence;
use cadastre_model::graph::BoundaryGraph;
use cadastre_model::inventory::Inventory;
use cadastre_model::reach::Reachability;
use cadastre_model::record::Record;
use cadastre_model::time::Timestamp;
use cadastre_model::usage::UsageReport;
use cadastre_policy::{ControlError, PolicyError, PolicyInput, PolicySet, Waiver};

/// Evidence could not be assessed.
#[derive(Debug, thiserror::Error)]
pub enum AssessError {
    /// The policies do not fit together.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The example prices that are compiled in cannot be read, which the tests rule out.
    #[error(transparent)]
    Prices(#[from] PricesError),
    /// The bill cannot be reckoned.
    #[error(transparent)]
    Cost(#[from] CostError),
}

/// What to judge by, beside evidence and declaration.
#[derive(Debug, Default)]
pub struct Options {
    /// The time for which evidence is judged; the end of the scan unless given.
    pub as_of: Option<Timestamp>,
    /// The controls; the built-in ones unless given.
    pub policies: Option<PolicySet>,
    /// Accepted findings.
    pub waivers: Vec<Waiver>,
    /// What the bill is reckoned with; the example that is compiled in unless given.
    pub prices: Option<Prices>,
    /// Whether to keep what policies saw.
    pub keep_input: bool,
    /// Whether the evidence tells what will be: nobody can have used that yet, so nothing is said about use.
    pub is_ahead: bool,
}

impl Options {
    /// The built-in policies, parsed once, for those who assess more than one body of evidence.
    ///
    /// # Errors
    /// When the policies do not fit together.
    pub fn with_builtin_policies() -> Result<Self, AssessError> {
        Ok(Self { policies: Some(PolicySet::builtin()?), ..Self::default() })
    }
}

/// Everything that follows from one body of evidence.
#[derive(Debug)]
pub struct Assessment {
    /// Typed assets.
    pub inventory: Inventory,
    /// Which questions were asked and answered.
    pub coverage: Coverage,
    /// Who may do what.
    pub access: Access,
    /// Which packets pass.
    pub reachability: Reachability,
    /// The boundary graph with its plaintext paths.
    pub graph: BoundaryGraph,
    /// What is granted against what trails saw used, and what vendors did.
    pub usage: UsageReport,
    /// The shape of the bill.
    pub cost: CostShape,
    /// What policies saw as `input`, where [`Options::keep_input`] asked for it.
    pub input: Option<serde_json::Value>,
    /// The verdicts.
    pub checklist: Checklist,
    /// Controls whose policy could not be evaluated; each is unproven in the checklist.
    pub errors: Vec<ControlError>,
}

/// Typed assets alone, for those who only want to see what there is.
#[must_use]
pub fn inventory(records: &[Record], declaration: &Declaration) -> Inventory {
    cadastre_inventory::build(records, declaration).0
}

/// Who may do what, alone: every capability of everybody over every target.
#[must_use]
pub fn access(inventory: &Inventory, declaration: &Declaration) -> Access {
    cadastre_access::evaluate(inventory, declaration)
}

/// The boundary graph alone, with every plaintext derivation and its cut.
#[must_use]
pub fn graph(
    inventory: &Inventory,
    access: &Access,
    reachability: &Reachability,
    declaration: &Declaration,
) -> BoundaryGraph {
    cadastre_graph::build(inventory, access, reachability, declaration)
}

/// The boundary graph of a body of evidence, without judging anything: all that comparing two of them needs.
#[must_use]
pub fn boundary(records: &[Record], declaration: &Declaration) -> BoundaryGraph {
    let inventory = inventory(records, declaration);
    let access = access(&inventory, declaration);
    let reachability = cadastre_network::reachability(&inventory);
    graph(&inventory, &access, &reachability, declaration)
}

/// The shape of the bill alone.
///
/// # Errors
/// When it cannot be reckoned with these prices.
pub fn cost(
    inventory: &Inventory,
    declaration: &Declaration,
    prices: Option<&Prices>,
) -> Result<CostShape, AssessError> {
    let example;
    let prices = match prices {
        Some(prices) => prices,
        None => {
            example = Prices::example()?;
            &example
        }
    };
    Ok(cadastre_cost::shape(inventory, declaration, prices)?)
}

/// Everything that follows from evidence and declaration.
///
/// # Errors
/// When the policies cannot be used at all; a single control that cannot be evaluated is unproven instead.
pub fn assess(
    evidence: &Evidence,
    declaration: &Declaration,
    options: &Options,
) -> Result<Assessment, AssessError> {
    let (inventory, coverage) = cadastre_inventory::build(evidence.records(), declaration);
    let access = cadastre_access::evaluate(&inventory, declaration);
    let reachability = cadastre_network::reachability(&inventory);
    let graph = cadastre_graph::build(&inventory, &access, &reachability, declaration);
    let as_of = options.as_of.unwrap_or(evidence.manifest().finished_at);
    let usage = if options.is_ahead {
        UsageReport::default()
    } else {
        usage::report(&usage::Subject {
            records: evidence.records(),
            inventory: &inventory,
            access: &access,
            graph: &graph,
            declaration,
            as_of,
        })
    };
    let cost = cost(&inventory, declaration, options.prices.as_ref())?;
    let input = PolicyInput {
        as_of,
        declaration,
        inventory: &inventory,
        access: &access,
        reachability: &reachability,
        graph: &graph,
        usage: &usage,
        cost: Some(&cost),
        coverage: &coverage,
        evidence: evidence.manifest(),
    };
    let builtin;
    let policies = match &options.policies {
        Some(policies) => policies,
        None => {
            builtin = PolicySet::builtin()?;
            &builtin
        }
    };
    let kept = options.keep_input.then(|| policies.input_document(&input)).transpose()?;
    let evaluation = policies.evaluate(&input, &options.waivers, env!("CARGO_PKG_VERSION"))?;
    Ok(Assessment {
        usage,
        cost,
        inventory,
        coverage,
        access,
        reachability,
        graph,
        input: kept,
        checklist: evaluation.checklist,
        errors: evaluation.errors,
    })
}
