//! `cadastre who-can`: who has a capability on a target, by which path.

use anyhow::bail;
use cadastre_model::graph::Step;

use super::inputs;
use crate::args::assess::{TableFormat, WhoCan};
use crate::exit::Exit;
use crate::terminal::{self, Terminal, columns, inert};

/// Answers one question.
pub(super) fn run(arguments: &WhoCan, terminal: &Terminal) -> anyhow::Result<Exit> {
    let judged = inputs::judge(&arguments.inputs, terminal)?;
    terminal.finish();
    let assessment = &judged.assessment;
    let reasoner =
        cadastre_graph::Reasoner::new(&assessment.inventory, &assessment.access, &judged.declaration);
    let answer = reasoner.who_can(&assessment.graph, arguments.capability, &arguments.target);
    let Some(answer) = answer else {
        bail!("the evidence knows no target `{}`", arguments.target);
    };
    let text = match arguments.format {
        TableFormat::Json => serde_json::to_string_pretty(&answer)? + "\n",
        TableFormat::Table if answer.principals.is_empty() => {
            format!("nobody can {} {}\n", arguments.capability, inert(&answer.target))
        }
        TableFormat::Table => {
            let mut rows = vec![["principal", "side", "decision", "path"].map(str::to_owned).to_vec()];
            for principal in &answer.principals {
                let condition =
                    principal.condition.as_deref().map(|text| format!(" ({text})")).unwrap_or_default();
                rows.push(vec![
                    inert(&principal.principal),
                    if principal.inside { "inside" } else { "outside" }.to_owned(),
                    inert(&format!("{}{condition}", principal.decision)),
                    inert(&told(&principal.path)),
                ]);
            }
            let mut text = columns(&rows);
            for missing in &answer.unknown {
                text.push_str(&format!("not settled: {}\n", inert(missing)));
            }
            text
        }
    };
    terminal::print(&text)?;
    Ok(Exit::Clean)
}

/// The steps of a path on one line.
fn told(path: &[Step]) -> String {
    path.iter().map(|step| format!("{} {}", step.action, step.to)).collect::<Vec<_>>().join(" → ")
}
