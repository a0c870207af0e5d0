//! What the commands do: they compose the rooms and print; they decide nothing themselves.

mod access;
mod answer;
mod azure_path;
mod broker;
mod broker_tools;
mod check;
mod compare;
mod cost;
mod demo;
mod documents;
mod drift;
mod events;
mod explain;
mod gate;
mod graph;
mod init;
mod inputs;
mod local_cluster;
mod logs;
mod logs_query;
mod logs_sql;
mod output;
mod packet;
mod packet_document;
mod packet_page;
mod path;
mod plan;
mod policy;
mod prove;
mod report;
mod role;
mod scan;
mod schema;
mod signing;
mod waive;
mod who_can;

use cadastre_model::declaration::DeclarationError;
use cadastre_model::evidence::EvidenceError;
use cadastre_model::yaml::YamlFileError;
use clap::CommandFactory;

use crate::args::{Arguments, Command};
use crate::exit::Exit;
use crate::terminal::Terminal;

/// Runs one command.
pub(crate) fn run(command: Command, terminal: &Terminal) -> anyhow::Result<Exit> {
    match command {
        Command::Demo(arguments) => demo::run(&arguments, terminal),
        Command::Init(arguments) => init::run(&arguments, terminal),
        Command::Up(arguments) => broker::up(&arguments, terminal),
        Command::Down(arguments) => broker::down(&arguments, terminal),
        Command::Status(arguments) => broker::status(&arguments),
        Command::RunBroker(arguments) => broker::run(&arguments),
        Command::Scan(arguments) => scan::run(&arguments, terminal),
        Command::Prove(arguments) => prove::run(&arguments, terminal),
        Command::Graph(arguments) => graph::run(&arguments, terminal),
        Command::Path(arguments) => path::run(&arguments, terminal),
        Command::WhoCan(arguments) => who_can::run(&arguments, terminal),
        Command::Explain(arguments) => explain::run(&arguments, terminal),
        Command::Check(arguments) => check::run(&arguments, terminal),
        Command::Report(arguments) => report::run(&arguments, terminal),
        Command::Drift(arguments) => drift::run(&arguments, terminal),
        Command::Cost(arguments) => cost::run(&arguments, terminal),
        Command::Compare(arguments) => compare::run(&arguments, terminal),
        Command::Plan(arguments) => plan::run(&arguments, terminal),
        Command::Answer(arguments) => answer::run(&arguments, terminal),
        Command::Waive(arguments) => waive::run(&arguments, terminal),
        Command::AssessRole(arguments) => role::run(&arguments, terminal),
        Command::Access(arguments) => access::run(&arguments, terminal),
        Command::Logs(arguments) => logs::run(&arguments, terminal),
        Command::Packet(arguments) => packet::run(&arguments, terminal),
        Command::Policy(arguments) => policy::run(&arguments, terminal),
        Command::Schema(arguments) => schema::run(&arguments),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "cadastre", &mut script);
            crate::terminal::print(&String::from_utf8_lossy(&script))?;
            Ok(Exit::Clean)
        }
    }
}

/// What the user can do about an error, where that is known.
pub(crate) fn hints(error: &anyhow::Error) -> Vec<String> {
    let mut hints = Vec::new();
    for cause in error.chain() {
        match cause.downcast_ref::<EvidenceError>() {
            Some(EvidenceError::Exists { .. }) => {
                hints.push("choose another path, or pass --force to replace it".to_owned())
            }
            Some(EvidenceError::NoManifest { .. }) => {
                hints.push("give the directory that `cadastre scan -o` wrote; a scan that was killed leaves no manifest".to_owned());
            }
            Some(EvidenceError::Schema { .. }) => {
                hints.push("read it with the version of cadastre that wrote it, or a later one".to_owned())
            }
            Some(EvidenceError::Edited { .. } | EvidenceError::Mismatch { .. }) => {
                hints.push(
                    "evidence is never edited: scan again, or restore the directory from where it was kept"
                        .to_owned(),
                );
            }
            _ => {}
        }
        if let Some(engine) = cause.downcast_ref::<logs_query::EngineError>() {
            hints.push(format!("it is built by itself: `cargo build --release --manifest-path evidence-cli/query/Cargo.toml -p {}`; put it beside `cadastre`, or say in {} where it is", engine.program, engine.variable));
        }
        match cause.downcast_ref::<DeclarationError>() {
            Some(DeclarationError::File(YamlFileError::Io { source, .. }))
                if source.kind() == std::io::ErrorKind::NotFound =>
            {
                hints.push("write one with `cadastre init`, or name it with -b".to_owned());
            }
            Some(DeclarationError::File(YamlFileError::Malformed { .. })) => {
                hints.push("docs/formats/boundary.md describes every key; `cadastre init --offline` writes a commented example".to_owned());
            }
            _ => {}
        }
    }
    hints
}
