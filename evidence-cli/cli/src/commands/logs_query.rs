//! `cadastre logs query`: logs asked in SQL, by an engine that is a program of its own.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use cadastre_logs::query::{AnswerFormat, Engine, QueryRequest, Sources, TableName};
use cadastre_model::progress::Progress;

use super::logs::naming_input;
use crate::args::logs::{FlowTableFormat, Query};
use crate::exit::{Exit, FailOn};
use crate::terminal::{Terminal, inert};

/// A program that answers queries, beside this one or where a variable says.
struct Program {
    name: &'static str,
    variable: &'static str,
}

/// Answers on this machine.
const HERE: Program = Program { name: "cadastre-query", variable: "CADASTRE_QUERY" };

/// Asks a cluster.
const CLUSTER: Program = Program { name: "cadastre-query-cluster", variable: "CADASTRE_QUERY_CLUSTER" };

/// What the engine ends with when something could not be used.
const INCOMPLETE: i32 = 4;

/// The engine is not there.
#[derive(Debug, thiserror::Error)]
#[error("cannot start the query engine `{path}`")]
pub(crate) struct EngineError {
    path: String,
    /// What it is called.
    pub(crate) program: &'static str,
    /// The variable that says where it is.
    pub(crate) variable: &'static str,
    #[source]
    source: io::Error,
}

pub(super) fn query(arguments: &Query, terminal: &Terminal) -> anyhow::Result<Exit> {
    let mut directories = BTreeMap::new();
    for (table, own) in [
        (TableName::Flows, &arguments.flows),
        (TableName::Events, &arguments.trail),
        (TableName::Activity, &arguments.activity),
    ] {
        if let Some(directory) = own.as_ref().or(arguments.directory.as_ref()) {
            directories.insert(table, directory.clone());
        }
    }
    let naming = match &arguments.boundary {
        Some(boundary) => {
            Some(naming_input(boundary, arguments.evidence.as_deref(), &arguments.cloud_ranges, terminal)?)
        }
        None => None,
    };
    let request = QueryRequest {
        sql: arguments.sql.clone(),
        engine: arguments.engine.clone(),
        sources: Sources { directories, naming },
        format: match arguments.format {
            FlowTableFormat::Table => AnswerFormat::Table,
            FlowTableFormat::Json => AnswerFormat::Json,
            FlowTableFormat::Csv => AnswerFormat::Csv,
        },
    };
    terminal.step("asking the query engine");
    let (code, said) = ask(&request)?;
    terminal.finish();
    let lines = said.lines().map(inert);
    match code {
        Some(0) => {
            lines.for_each(|line| terminal.say(&line));
            Ok(Exit::Clean)
        }
        Some(INCOMPLETE) => {
            lines.for_each(|line| terminal.say(&line));
            terminal.say(
                "the answer is incomplete: some of the logs could not be used, or say that records were left out",
            );
            Ok(if arguments.fail_on == FailOn::Unproven { Exit::Incomplete } else { Exit::Clean })
        }
        _ => bail!("{}", lines.collect::<Vec<_>>().join(" ")),
    }
}

/// Hands the engine a request; its answer goes to standard output by itself. Returns how it ended and what it said.
fn ask(request: &QueryRequest) -> anyhow::Result<(Option<i32>, String)> {
    let program = match request.engine {
        Engine::Here => HERE,
        Engine::Ballista(_) => CLUSTER,
    };
    let path = program.path()?;
    let mut child =
        Command::new(&path).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(|source| {
            EngineError {
                path: PathBuf::from(&path).display().to_string(),
                program: program.name,
                variable: program.variable,
                source,
            }
        })?;
    let mut stdin = child.stdin.take().context("the query engine takes no request")?;
    let bytes = serde_json::to_vec(request)?;
    // An engine that ends before it has read everything says why itself.
    let written = stdin.write_all(&bytes);
    drop(stdin);
    let output = child.wait_with_output().context("cannot wait for the query engine")?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.code() == Some(0) {
        written.context("cannot hand the query engine its request")?;
    }
    if output.status.code().is_none() && said.is_empty() {
        bail!("the query engine was stopped: {}", output.status);
    }
    Ok((output.status.code(), said))
}

impl Program {
    fn path(&self) -> anyhow::Result<OsString> {
        if let Some(path) = std::env::var_os(self.variable).filter(|path| !path.is_empty()) {
            return Ok(path);
        }
        let own = std::env::current_exe().context("cannot find this program's own place")?;
        let name = format!("{}{}", self.name, std::env::consts::EXE_SUFFIX);
        Ok(own.with_file_name(name).into_os_string())
    }
}
