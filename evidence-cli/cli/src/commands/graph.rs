//! `cadastre graph`: the boundary graph.

use super::inputs;
use crate::args::assess::{Graph, GraphFormat};
use crate::exit::Exit;
use crate::terminal::{self, Terminal};

/// Prints the graph.
pub(super) fn run(arguments: &Graph, terminal: &Terminal) -> anyhow::Result<Exit> {
    let judged = inputs::judge(&arguments.inputs, terminal)?;
    terminal.finish();
    let graph = &judged.assessment.graph;
    let text = match arguments.format {
        GraphFormat::Json => serde_json::to_string_pretty(graph)? + "\n",
        GraphFormat::Dot => cadastre_graph::dot(graph),
        GraphFormat::Svg => cadastre_report::diagram_svg(graph),
        GraphFormat::Html => cadastre_report::diagram_html(graph, &judged.declaration.name)?,
    };
    terminal::print(&text)?;
    Ok(Exit::Clean)
}
