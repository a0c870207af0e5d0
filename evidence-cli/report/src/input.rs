//! What a report is made of.

use cadastre_model::access::Access;
use cadastre_model::checklist::Checklist;
use cadastre_model::cost::CostShape;
use cadastre_model::coverage::Coverage;
use cadastre_model::declaration::Declaration;
use cadastre_model::evidence::Evidence;
use cadastre_model::framework::FrameworkStanding;
use cadastre_model::graph::BoundaryGraph;
use cadastre_model::inventory::Inventory;
use cadastre_model::reach::Reachability;
use cadastre_model::usage::UsageReport;

/// One assessment, with the evidence it rests on. A report is a pure function of it.
#[derive(Debug, Clone, Copy)]
pub struct ReportInput<'a> {
    /// What the customer says.
    pub declaration: &'a Declaration,
    /// The records.
    pub evidence: &'a Evidence,
    /// What the records say, as typed assets.
    pub inventory: &'a Inventory,
    /// Which questions were asked and answered.
    pub coverage: &'a Coverage,
    /// Who may do what.
    pub access: &'a Access,
    /// Which packets pass.
    pub reachability: &'a Reachability,
    /// What was granted against what was used, and what vendors did.
    pub usage: &'a UsageReport,
    /// Nodes, edges and plaintext paths.
    pub graph: &'a BoundaryGraph,
    /// The verdicts.
    pub checklist: &'a Checklist,
    /// The shape of the bill.
    pub cost: Option<&'a CostShape>,
    /// How the verdicts stand against frameworks that others publish.
    pub frameworks: &'a [FrameworkStanding],
}
