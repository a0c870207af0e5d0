//! `cadastre explain`: why somebody can do something, or what stands in the way.

use cadastre_graph::Reasoner;

use super::inputs;
use crate::args::assess::{Explain, TableFormat};
use crate::exit::Exit;
use crate::terminal::{self, Terminal, inert};

/// More ways than anybody reads.
const MAXIMUM_WAYS: usize = 256;

/// Explains one answer.
pub(super) fn run(arguments: &Explain, terminal: &Terminal) -> anyhow::Result<Exit> {
    let judged = inputs::judge(&arguments.inputs, terminal)?;
    terminal.finish();
    let assessment = &judged.assessment;
    let reasoner = Reasoner::new(&assessment.inventory, &assessment.access, &judged.declaration);
    if arguments.every_way {
        let found = reasoner.every_way(
            &assessment.graph,
            &arguments.principal,
            arguments.capability,
            &arguments.target,
            MAXIMUM_WAYS,
        )?;
        terminal::print(&match arguments.format {
            TableFormat::Json => serde_json::to_string_pretty(&found)? + "\n",
            TableFormat::Table => found.text().lines().map(|line| inert(line) + "\n").collect(),
        })?;
        return Ok(Exit::Clean);
    }
    let explanation = reasoner.explain(
        &assessment.graph,
        &arguments.principal,
        arguments.capability,
        &arguments.target,
        |principal, capability, target| {
            cadastre_access::why_not(
                &assessment.inventory,
                &judged.declaration,
                principal,
                capability,
                target,
            )
        },
    )?;
    terminal::print(&match arguments.format {
        TableFormat::Json => serde_json::to_string_pretty(&explanation)? + "\n",
        TableFormat::Table => explanation.text().lines().map(|line| inert(line) + "\n").collect(),
    })?;
    Ok(Exit::Clean)
}
