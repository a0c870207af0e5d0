//! `cadastre drift`: what changed, in terms of capabilities.

use cadastre_graph::Severity;
use serde_json::json;

use super::inputs;
use crate::args::assess::{Drift, TableFormat};
use crate::exit::{Exit, FailOn};
use crate::terminal::{self, Terminal, inert, paint, stdout_color};

/// Compares the evidence with a baseline.
pub(super) fn run(arguments: &Drift, terminal: &Terminal) -> anyhow::Result<Exit> {
    let before = inputs::judge_evidence(&arguments.baseline, &arguments.inputs, terminal)?;
    let after = inputs::judge(&arguments.inputs, terminal)?;
    terminal.finish();
    let drift = cadastre_graph::diff(&before.assessment.graph, &after.assessment.graph);
    let text = match arguments.format {
        TableFormat::Json => {
            let document = json!({
                "schema": "cadastre/drift/v1",
                "baseline_root": before.evidence.manifest().merkle_root,
                "evidence_root": after.evidence.manifest().merkle_root,
                "drift": drift,
            });
            serde_json::to_string_pretty(&document)? + "\n"
        }
        TableFormat::Table if drift.is_empty() => "no drift: every capability is as it was\n".to_owned(),
        TableFormat::Table => {
            let color = stdout_color();
            drift
                .iter()
                .map(|change| {
                    let (name, code) = match change.severity {
                        Severity::Critical => ("critical", "1;31"),
                        Severity::High => ("high", "31"),
                        Severity::Medium => ("medium", "33"),
                        Severity::Low => ("low", "0"),
                        Severity::Information => ("information", "2"),
                    };
                    format!("{}  {}\n", paint(color, code, &format!("{name:<11}")), inert(&change.message))
                })
                .collect()
        }
    };
    terminal::print(&text)?;
    let fails = arguments.fail_on != FailOn::Never && !drift.is_empty();
    Ok(if fails { Exit::Drift } else { Exit::Clean })
}
