//! `cadastre waive`: accepts a finding by name, with a reason and an end.

use anyhow::{Context, bail};
use cadastre_model::checklist::Verdict;
use cadastre_policy::{Waiver, finding_hash};

use super::{inputs, output};
use crate::args::assess::Waive;
use crate::exit::Exit;
use crate::terminal::Terminal;

/// Writes the waiver beside those that are there.
pub(super) fn run(arguments: &Waive, terminal: &Terminal) -> anyhow::Result<Exit> {
    for (name, text) in [("--reason", &arguments.reason), ("--approver", &arguments.approver)] {
        if text.trim().is_empty() {
            bail!("{name} is empty: a waiver names who accepts what, and why");
        }
    }
    let expires = arguments.expires.parse().context("--expires")?;
    let judged = inputs::judge_without_waivers(&arguments.inputs, terminal)?;
    let id = arguments.control.to_uppercase();
    let checklist = &judged.assessment.checklist;
    let accepted: Vec<Waiver> = checklist
        .controls
        .iter()
        .filter(|control| control.id == id)
        .flat_map(|control| &control.findings)
        .filter(|finding| finding.subject == arguments.subject)
        .filter(|finding| matches!(finding.verdict, Verdict::RedFlag | Verdict::Unproven))
        .map(|finding| Waiver {
            control: id.clone(),
            subject: finding.subject.clone(),
            reason: arguments.reason.clone(),
            approver: arguments.approver.clone(),
            expires,
            accepts: finding_hash(&id, finding),
        })
        .collect();
    if accepted.is_empty() {
        bail!("{id} has nothing to waive on `{}`", arguments.subject);
    }
    if expires <= checklist.as_of {
        bail!("--expires {expires} is not after {}, as of which the evidence is judged", checklist.as_of);
    }
    let path = inputs::waiver_path(&arguments.inputs);
    let mut file = inputs::waivers(&arguments.inputs)?;
    let added = accepted.len();
    // What was accepted of this subject before and is no longer so is superseded.
    file.waivers.retain(|waiver| waiver.control != id || waiver.subject != arguments.subject);
    file.waivers.extend(accepted);
    file.waivers
        .sort_by(|a, b| (&a.control, &a.subject, &a.accepts).cmp(&(&b.control, &b.subject, &b.accepts)));
    output::write(&path, file.to_yaml())?;
    terminal.say(&format!(
        "{added} finding(s) of {id} on {} waived until {expires} in {}",
        arguments.subject,
        path.display()
    ));
    Ok(Exit::Clean)
}
