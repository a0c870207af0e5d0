//! `cadastre policy`: the controls themselves.

use anyhow::bail;
use cadastre_policy::{PolicySet, RegoTest, RegoTestOutcome};
use serde_json::json;

use super::inputs;
use crate::args::assess::TableFormat;
use crate::args::policy::{List, Policy, Show, Test};
use crate::exit::Exit;
use crate::terminal::{self, Terminal, columns};

/// Runs one of `list`, `show`, `test`.
pub(super) fn run(arguments: &Policy, terminal: &Terminal) -> anyhow::Result<Exit> {
    match arguments {
        Policy::List(arguments) => list(arguments),
        Policy::Show(arguments) => show(arguments),
        Policy::Test(arguments) => test(arguments, terminal),
        Policy::Input(arguments) => {
            let input = inputs::policy_input(arguments, terminal)?;
            terminal::print(&(serde_json::to_string_pretty(&input)? + "\n"))?;
            Ok(Exit::Clean)
        }
    }
}

fn set(directory: Option<&std::path::Path>) -> anyhow::Result<PolicySet> {
    directory.map_or_else(|| Ok(PolicySet::builtin()?), inputs::policies)
}

fn list(arguments: &List) -> anyhow::Result<Exit> {
    let set = set(arguments.policies.as_deref())?;
    let controls: Vec<_> = set.controls().collect();
    let text = match arguments.format {
        TableFormat::Json => serde_json::to_string_pretty(&controls)? + "\n",
        TableFormat::Table => {
            let mut rows = vec![["control", "area", "title"].map(str::to_owned).to_vec()];
            rows.extend(controls.iter().map(|c| vec![c.id.clone(), c.area.clone(), c.title.clone()]));
            columns(&rows)
        }
    };
    terminal::print(&text)?;
    Ok(Exit::Clean)
}

fn show(arguments: &Show) -> anyhow::Result<Exit> {
    let set = set(arguments.policies.as_deref())?;
    let id = arguments.control.to_uppercase();
    let Some((control, file)) = set.control(&id) else {
        bail!("no control `{}`: `cadastre policy list` names them all", arguments.control);
    };
    let source = &file.text;
    let text = match arguments.format {
        TableFormat::Json => {
            serde_json::to_string_pretty(&json!({"control": control, "source": source}))? + "\n"
        }
        TableFormat::Table => format!(
            "{} {}\n\n{}\n\npass      {}\nred flag  {}\nrequires  {}\nfix       {}\n\n{}",
            control.id,
            control.title,
            control.description,
            control.pass,
            control.red_flag,
            control.requires.join(" "),
            control.fix,
            source
        ),
    };
    terminal::print(&text)?;
    Ok(Exit::Clean)
}

fn test(arguments: &Test, terminal: &Terminal) -> anyhow::Result<Exit> {
    let set = set(arguments.policies.as_deref())?;
    let results = set.test()?;
    let failed = results.iter().filter(|test| test.outcome != RegoTestOutcome::Passed).count();
    let text = match arguments.format {
        TableFormat::Json => {
            let rows: Vec<_> = results
                .iter()
                .map(|test| json!({"name": name(test), "passed": test.outcome == RegoTestOutcome::Passed, "message": message(test)}))
                .collect();
            serde_json::to_string_pretty(&rows)? + "\n"
        }
        TableFormat::Table => {
            let mut text: String = results
                .iter()
                .filter(|test| test.outcome != RegoTestOutcome::Passed)
                .map(|test| format!("FAIL {}: {}\n", name(test), message(test)))
                .collect();
            text.push_str(&format!("{} passed, {failed} failed\n", results.len().saturating_sub(failed)));
            text
        }
    };
    terminal::print(&text)?;
    if failed > 0 {
        terminal.say("a policy that fails its own tests proves nothing");
        return Ok(Exit::Failed);
    }
    Ok(Exit::Clean)
}

fn name(test: &RegoTest) -> String {
    format!("{} {}", test.package, test.name)
}

fn message(test: &RegoTest) -> &str {
    match &test.outcome {
        RegoTestOutcome::Passed => "",
        RegoTestOutcome::Failed => "it is false or undefined",
        RegoTestOutcome::Error(message) => message,
    }
}
