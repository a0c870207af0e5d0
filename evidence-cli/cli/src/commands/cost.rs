//! `cadastre cost`: the shape of the bill.

use cadastre_cost::Prices;
use cadastre_model::declaration::Declaration;
use cadastre_model::evidence::Evidence;
use cadastre_model::progress::Progress as _;

use crate::args::assess::{Cost, CostFormat};
use crate::exit::Exit;
use crate::terminal::{self, Terminal};

/// Reckons and prints. Nothing is judged: CST-01 and CST-02 of `check` do that.
pub(super) fn run(arguments: &Cost, terminal: &Terminal) -> anyhow::Result<Exit> {
    let inputs = &arguments.inputs;
    let declaration = Declaration::read(&inputs.boundary)?;
    terminal.step("reading and verifying the evidence");
    let evidence = Evidence::read(&inputs.evidence)?;
    let prices = inputs.prices.as_deref().map(Prices::read).transpose()?;
    let inventory = cadastre_assess::inventory(evidence.records(), &declaration);
    let shape = cadastre_assess::cost(&inventory, &declaration, prices.as_ref())?;
    terminal.finish();
    let text = match arguments.format {
        CostFormat::Table => cadastre_report::cost_table(&shape),
        CostFormat::Json => serde_json::to_string_pretty(&shape)? + "\n",
        CostFormat::Markdown => cadastre_report::cost_markdown(&shape),
        CostFormat::Svg => cadastre_report::cost_plot(&shape),
    };
    terminal::print(&text)?;
    Ok(Exit::Clean)
}
