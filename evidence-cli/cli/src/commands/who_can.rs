//! `cadastre who-can`: who has a capability on a target, by which path.

use anyhow::bail;
use cadastre_assess::what_if::WhatIf;
use cadastre_graph::WhoCan;
use cadastre_model::graph::Step;
use cadastre_model::usage::Usage;
use serde_json::json;

use super::inputs::{self, Judged};
use crate::args::assess::{TableFormat, WhoCan as WhoCanArguments};
use crate::exit::Exit;
use crate::terminal::{self, Terminal, columns, inert};

/// Answers one question.
pub(super) fn run(arguments: &WhoCanArguments, terminal: &Terminal) -> anyhow::Result<Exit> {
    let judged = inputs::judge(&arguments.inputs, terminal)?;
    terminal.finish();
    let assessment = &judged.assessment;
    let changed = without(&judged, &arguments.without)?;
    let (inventory, access, graph) = match &changed {
        None => (&assessment.inventory, &assessment.access, &assessment.graph),
        Some(changed) => (&changed.inventory, &changed.access, &changed.graph),
    };
    let reasoner = cadastre_graph::Reasoner::new(inventory, access, &judged.declaration);
    let answer = reasoner.who_can(graph, arguments.capability, &arguments.target);
    let Some(answer) = answer else {
        bail!("the evidence knows no target `{}`", arguments.target);
    };
    let used = |principal: &str| assessment.usage.of(principal, answer.capability, &answer.target);
    let text = match arguments.format {
        TableFormat::Json if arguments.used => {
            serde_json::to_string_pretty(&with_uses(&answer, &used)?)? + "\n"
        }
        TableFormat::Json => serde_json::to_string_pretty(&answer)? + "\n",
        TableFormat::Table if answer.principals.is_empty() => {
            format!("nobody can {} {}\n", arguments.capability, inert(&answer.target))
        }
        TableFormat::Table => {
            let mut rows = vec![["principal", "side", "decision", "path"].map(str::to_owned).to_vec()];
            if arguments.used {
                rows.iter_mut().for_each(|header| header.insert(3, "used".to_owned()));
            }
            for principal in &answer.principals {
                let condition =
                    principal.condition.as_deref().map(|text| format!(" ({text})")).unwrap_or_default();
                let mut row = vec![
                    inert(&principal.principal),
                    if principal.inside { "inside" } else { "outside" }.to_owned(),
                    inert(&format!("{}{condition}", principal.decision)),
                    inert(&told(&principal.path)),
                ];
                if arguments.used {
                    row.insert(3, inert(&told_use(used(&principal.principal))));
                }
                rows.push(row);
            }
            let mut text = columns(&rows);
            for missing in &answer.unknown {
                text.push_str(&format!("not settled: {}\n", inert(missing)));
            }
            text
        }
    };
    terminal::print(&text)?;
    if let Some(changed) = &changed {
        terminal.say(&format!("without {}:", arguments.without.join(", ")));
        for change in changed.changes.iter().take(CHANGES_TOLD) {
            terminal.say(&format!("  {}", inert(&change.message)));
        }
        if changed.changes.len() > CHANGES_TOLD {
            terminal.say(&format!("  and {} more changes", changed.changes.len() - CHANGES_TOLD));
        }
    }
    Ok(Exit::Clean)
}

/// The answer with what each principal did of it: `used` beside the other members.
fn with_uses<'u>(
    answer: &WhoCan,
    used: &dyn Fn(&str) -> Option<&'u Usage>,
) -> anyhow::Result<serde_json::Value> {
    let mut value = serde_json::to_value(answer)?;
    let listed = value.get_mut("principals").and_then(serde_json::Value::as_array_mut);
    for (shown, principal) in listed.into_iter().flatten().zip(&answer.principals) {
        let usage = used(&principal.principal);
        let told = usage.map(|usage| {
            json!({"state": usage.state, "count": usage.count(), "last": usage.last, "actions": usage.used,
                "blind": usage.blind, "evidence": usage.evidence})
        });
        if let Some(members) = shown.as_object_mut() {
            members.insert("used".to_owned(), told.unwrap_or_default());
        }
    }
    Ok(value)
}

/// One use on one line. Who gains a capability by steps alone holds nothing that could have been used.
fn told_use(usage: Option<&Usage>) -> String {
    match usage {
        None => "-".to_owned(),
        Some(usage) => match (usage.last, &usage.blind) {
            (Some(last), _) => format!("{}×, last {last}", usage.count()),
            (None, Some(why)) => format!("not known: {why}"),
            (None, None) => usage.state.name().to_owned(),
        },
    }
}

/// How many changes are told one by one.
const CHANGES_TOLD: usize = 20;

/// The assessment without what was named, where anything was.
fn without(judged: &Judged, names: &[String]) -> anyhow::Result<Option<WhatIf>> {
    if names.is_empty() {
        return Ok(None);
    }
    let mut removals = Vec::new();
    for name in names {
        removals.extend(judged.assessment.removal(name)?);
    }
    Ok(Some(judged.assessment.without(&judged.declaration, &removals)))
}

/// The steps of a path on one line.
fn told(path: &[Step]) -> String {
    path.iter().map(|step| format!("{} {}", step.action, step.to)).collect::<Vec<_>>().join(" → ")
}
