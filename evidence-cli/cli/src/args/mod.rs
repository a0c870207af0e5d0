//! The command line, apart from what the commands do.

pub(crate) mod access;
pub(crate) mod assess;
pub(crate) mod broker;
pub(crate) mod collect;
pub(crate) mod compare;
pub(crate) mod logs;
pub(crate) mod packet;
pub(crate) mod path;
pub(crate) mod policy;
pub(crate) mod prove;
pub(crate) mod role;
pub(crate) mod schema;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Parser, Subcommand};

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

const AFTER_HELP: &str = "\
Examples:
  cadastre demo                                         see the whole line work on this machine
  cadastre init                                         write a commented boundary.yaml
  cadastre scan -b boundary.yaml -o evidence            collect evidence, read-only
  cadastre check evidence -b boundary.yaml              the checklist
  cadastre report evidence -b boundary.yaml -o report   HTML, Markdown, JSON, SVG
  cadastre drift --baseline approved evidence -b boundary.yaml

Exit codes: 0 clean · 1 the tool failed · 2 drift · 3 red flag · 4 unproven and no red flag · 64 usage";

/// Evidence about a customer-owned Kafka boundary: where the data lives, who can reach it, whose keys
/// protect it, and what proves it.
#[derive(Debug, Parser)]
#[command(name = "cadastre", version, styles = STYLES, after_help = AFTER_HELP, max_term_width = 110)]
pub(crate) struct Arguments {
    /// Print nothing on standard error but errors and warnings
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Deploy the broker here, run real clients, scan it beside a recorded AWS account, write the reports
    Demo(broker::Demo),
    /// Write a commented boundary.yaml from what can be seen
    Init(collect::Init),
    /// Start the bundled broker, secure by default
    Up(broker::Up),
    /// Stop the bundled broker
    Down(broker::State),
    /// Say whether the bundled broker runs, where, and how to connect
    Status(broker::Status),
    /// Collect evidence from clouds and clusters; calls read operations only
    Scan(collect::Scan),
    /// Exercise declared clusters with real clients; asks before anything is touched
    Prove(prove::Prove),
    /// Print the boundary graph
    Graph(assess::Graph),
    /// List who has a capability on a target, by which path
    WhoCan(assess::WhoCan),
    /// Follow packets between two ends: where they get, or which setting stops them
    Path(path::Path),
    /// Tell why somebody can do something, step by step, or what stands in the way
    Explain(assess::Explain),
    /// Evaluate the controls and print the checklist
    Check(assess::Check),
    /// Write reports: HTML, Markdown, JSON, SVG
    Report(assess::Report),
    /// Compare with a baseline in terms of capabilities
    Drift(assess::Drift),
    /// Reckon what drives the bill, over throughput and retention, for two designs
    Cost(assess::Cost),
    /// Lay two or three options side by side: what blocks each, what each leaves unproven
    Compare(compare::Compare),
    /// Judge a Terraform plan before it is applied
    Plan(assess::Plan),
    /// Fill in a security questionnaire from verdicts, and leave blank what is not proven
    Answer(assess::Answer),
    /// Accept a finding by name, with a reason and an end
    Waive(assess::Waive),
    /// Assess a role before it exists: what could it reach in this boundary?
    AssessRole(role::AssessRole),
    /// Answer access questions in bulk
    #[command(subcommand)]
    Access(access::Access),
    /// Read logs that clouds left: flows, trails, what happened, key uses
    #[command(subcommand)]
    Logs(logs::Logs),
    /// Pack, sign, verify and redact everything in one file
    #[command(subcommand)]
    Packet(packet::Packet),
    /// List, show and test the controls
    #[command(subcommand)]
    Policy(policy::Policy),
    /// List and print the JSON Schemas of files and outputs
    Schema(schema::Schema),
    /// Print shell completions
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Run the bundled broker in the foreground
    #[command(hide = true)]
    RunBroker(broker::RunBroker),
}
