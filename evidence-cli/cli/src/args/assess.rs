//! Arguments of the commands that judge evidence.

use std::path::PathBuf;

use cadastre_model::access::Capability;
use clap::{Args, ValueEnum};

use crate::exit::FailOn;

/// Evidence and declaration, as every judging command takes them.
#[derive(Debug, Args)]
pub(crate) struct Inputs {
    /// Evidence directory written by `cadastre scan`
    pub evidence: PathBuf,
    /// Boundary declaration
    #[arg(long, short, value_name = "FILE", default_value = "boundary.yaml")]
    pub boundary: PathBuf,
    /// Judge the evidence as of this time (RFC 3339, or `now`); the end of the scan unless given
    #[arg(long, value_name = "TIME")]
    pub as_of: Option<String>,
    /// Directory of further policies; a control there replaces the built-in one of the same id
    #[arg(long, value_name = "DIR")]
    pub policies: Option<PathBuf>,
    /// Accepted findings; `waivers.yaml` beside the declaration where there is one
    #[arg(long, value_name = "FILE")]
    pub waivers: Option<PathBuf>,
    /// Prices to reckon the bill with; the example that comes with the program unless given
    #[arg(long, value_name = "FILE")]
    pub prices: Option<PathBuf>,
}

/// `cadastre waive`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cadastre waive KAF-03 cluster:payments evidence -b boundary.yaml --approver 'head of security' \\
    --reason 'checked on the brokers on 2026-11-20' --expires 2027-02-20T00:00:00Z

The entry is bound to what the finding says today: when that changes, or the date passes, it reopens.")]
pub(crate) struct Waive {
    /// Control id
    pub control: String,
    /// The finding's subject
    pub subject: String,
    #[command(flatten)]
    pub inputs: Inputs,
    /// Why it is accepted
    #[arg(long)]
    pub reason: String,
    /// Who accepts it
    #[arg(long)]
    pub approver: String,
    /// When the acceptance ends (RFC 3339)
    #[arg(long, value_name = "TIME")]
    pub expires: String,
}

/// `cadastre answer`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cadastre answer --questionnaire caiq.xlsx evidence -b boundary.yaml -o answered.xlsx
  cadastre answer --questionnaire review.csv --map review-map.yaml evidence -b boundary.yaml -o answered.csv
  cadastre answer --questionnaire q.xlsx --sheet 'Data security' --id-column 'Ref' evidence -o answered.xlsx --format json

A question is answered when its id is a control's, a framework requirement's (--framework), or one that the map names.
What is not proven stays blank, and so does what somebody answered; beside the file, OUTPUT.reasons.csv says why.")]
pub(crate) struct Answer {
    /// The questionnaire: .xlsx, .csv, .yaml
    #[arg(long, value_name = "FILE")]
    pub questionnaire: PathBuf,
    #[command(flatten)]
    pub inputs: Inputs,
    /// File to write, of the same format
    #[arg(long, short, value_name = "FILE")]
    pub output: PathBuf,
    /// Which controls answer which question, where ids do not say it
    #[arg(long, value_name = "FILE")]
    pub map: Option<PathBuf>,
    /// Look for requirements in these frameworks only (csa-ccm, iso-27001, …)
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub framework: Vec<String>,
    /// The sheet of a workbook; the first with a column of ids unless given
    #[arg(long, value_name = "NAME")]
    pub sheet: Option<String>,
    /// The header above the question ids
    #[arg(long, value_name = "HEADER")]
    pub id_column: Option<String>,
    /// The header above the answers
    #[arg(long, value_name = "HEADER")]
    pub answer_column: Option<String>,
    /// The header above the explanations
    #[arg(long, value_name = "HEADER")]
    pub explanation_column: Option<String>,
    /// Answer anew what is answered
    #[arg(long)]
    pub overwrite: bool,
    /// What to print: a summary, or every question with what was said
    #[arg(long, value_enum, default_value_t)]
    pub format: TableFormat,
}

/// `cadastre check`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cadastre check evidence -b boundary.yaml
  cadastre check evidence -b boundary.yaml --format json | jq .summary
  cadastre check evidence -b boundary.yaml --format sarif > cadastre.sarif
  cadastre check evidence -b boundary.yaml --format oscal > assessment-results.json
  cadastre check evidence -b boundary.yaml --as-of now --fail-on red-flag")]
pub(crate) struct Check {
    #[command(flatten)]
    pub inputs: Inputs,
    /// What to print
    #[arg(long, value_enum, default_value_t)]
    pub format: CheckFormat,
    /// When to exit with 3 or 4
    #[arg(long, value_enum, default_value_t)]
    pub fail_on: FailOn,
    /// Show passing controls' subjects too
    #[arg(long)]
    pub all: bool,
}

/// Formats of the checklist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum CheckFormat {
    /// For people
    #[default]
    Table,
    /// `cadastre/checklist/v1`
    Json,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// JUnit XML, for test dashboards
    Junit,
    /// OCSF 1.6 Compliance Finding events, for security lakes
    Ocsf,
    /// OSCAL 1.2 assessment results
    Oscal,
    /// Findings as comma-separated values
    Csv,
}

/// `cadastre report`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cadastre report evidence -b boundary.yaml -o report
  cadastre report evidence -b boundary.yaml -o report --format html,xlsx,oscal --force")]
pub(crate) struct Report {
    #[command(flatten)]
    pub inputs: Inputs,
    /// Directory to write into
    #[arg(long, short, value_name = "DIR")]
    pub output: PathBuf,
    /// Which files to write
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [ReportFormat::Html, ReportFormat::Md, ReportFormat::Json, ReportFormat::Svg])]
    pub format: Vec<ReportFormat>,
    /// Directory of templates that replace those of the same name (`report.html`, `sections/decision.html`, `report.md`, …)
    #[arg(long, value_name = "DIR")]
    pub templates: Option<PathBuf>,
    /// Write into a directory that exists
    #[arg(long)]
    pub force: bool,
    /// When to exit with 3 or 4
    #[arg(long, value_enum, default_value_t = FailOn::Never)]
    pub fail_on: FailOn,
}

/// Formats of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum ReportFormat {
    /// One self-contained page
    Html,
    /// For pull requests
    Md,
    /// The checklist and the graph
    Json,
    /// The boundary diagram
    Svg,
    /// A workbook with one sheet for each artefact
    Xlsx,
    /// The same tables as comma-separated values, in `csv/`
    Csv,
    /// A tagged PDF/A-2a document, for people who sign
    Pdf,
    /// OSCAL 1.2 assessment results, and a component definition
    Oscal,
    /// CycloneDX 1.6 attestations
    Cyclonedx,
    /// OCSF 1.6 Compliance Finding events
    Ocsf,
    /// SARIF 2.1.0
    Sarif,
    /// JUnit XML
    Junit,
}

/// `cadastre graph`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cadastre graph evidence -b boundary.yaml --format svg > boundary.svg
  cadastre graph evidence -b boundary.yaml --format dot | dot -Tpng > boundary.png")]
pub(crate) struct Graph {
    #[command(flatten)]
    pub inputs: Inputs,
    /// What to print
    #[arg(long, value_enum, default_value_t)]
    pub format: GraphFormat,
}

/// Formats of the graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum GraphFormat {
    /// Nodes, edges and plaintext paths
    #[default]
    Json,
    /// Graphviz
    Dot,
    /// The boundary diagram
    Svg,
    /// The diagram as a page
    Html,
}

/// `cadastre who-can`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cadastre who-can read-records topic:payments evidence -b boundary.yaml
  cadastre who-can decrypt alias/payments evidence --format json
  cadastre who-can read-records topic:payments evidence --without streamco-support --without a1b2c3d4e5#0

Capabilities: read-records write-records read-objects write-objects decrypt manage-key operate-host
change-policy assume read-logs alter-logs reach")]
pub(crate) struct WhoCan {
    /// What is asked about
    #[arg(value_parser = parse_capability)]
    pub capability: Capability,
    /// `topic:NAME`, an ARN, a key alias, a bucket name or an instance id
    pub target: String,
    #[command(flatten)]
    pub inputs: Inputs,
    /// Answer as if this principal, grant, policy or statement (POLICY#NUMBER, RECORD#POINTER) were gone
    #[arg(long, value_name = "NAME")]
    pub without: Vec<String>,
    /// Say as well when each used it last, and how often, within the declared window (needs the trail's files)
    #[arg(long)]
    pub used: bool,
    /// What to print
    #[arg(long, value_enum, default_value_t)]
    pub format: TableFormat,
}

/// `cadastre explain`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cadastre explain streamco-support read-records topic:payments/orders evidence
  cadastre explain arn:aws:iam::111122223333:role/app decrypt alias/payments evidence --format json

Tells the best way step by step with the statements that allow it and what closes every way; where there is
none, what stands in the way and what it would need.")]
pub(crate) struct Explain {
    /// Who: an ARN, `User:name`, or a name that only one principal has
    pub principal: String,
    /// What is asked about
    #[arg(value_parser = parse_capability)]
    pub capability: Capability,
    /// `topic:NAME`, an ARN, a key alias, a bucket name or an instance id
    pub target: String,
    /// Tell every way that rests on statements of its own, not only the best one
    #[arg(long)]
    pub every_way: bool,
    #[command(flatten)]
    pub inputs: Inputs,
    /// What to print
    #[arg(long, value_enum, default_value_t)]
    pub format: TableFormat,
}

/// Formats of a plain answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum TableFormat {
    /// For people
    #[default]
    Table,
    /// For programs
    Json,
}

/// What a gate prints, remembers and fails on.
#[derive(Debug, Args)]
pub(crate) struct Gate {
    /// What to print
    #[arg(long, value_enum, default_value_t)]
    pub format: GateFormat,
    /// Leave nothing out of the table
    #[arg(long)]
    pub all: bool,
    /// What earlier runs told, and what was accepted; missing on the first run
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,
    /// Write what this run tells into the state file
    #[arg(long, requires = "state")]
    pub update_state: bool,
}

/// Formats of a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum GateFormat {
    /// One screen for people
    #[default]
    Table,
    /// For programs
    Json,
    /// For the comment on a pull request
    Markdown,
    /// SARIF 2.1.0, for code scanning
    Sarif,
}

/// `cadastre drift`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cadastre drift --baseline approved-evidence evidence -b boundary.yaml
  cadastre drift --baseline approved.zip --public-key review.pub evidence -b boundary.yaml --format markdown
  cadastre drift --baseline approved-evidence evidence -b boundary.yaml --state drift.json --update-state

Exit codes: 0 nothing moved · 1 the tool failed · 2 the boundary moved")]
pub(crate) struct Drift {
    /// What was approved: an evidence directory, or a signed packet, which is verified first
    #[arg(long, value_name = "EVIDENCE|PACKET")]
    pub baseline: PathBuf,
    /// Public key of whoever signed the baseline packet, PEM; may be given more than once
    #[arg(long, value_name = "FILE")]
    pub public_key: Vec<PathBuf>,
    #[command(flatten)]
    pub inputs: Inputs,
    #[command(flatten)]
    pub gate: Gate,
    /// `never` makes drift exit with 0
    #[arg(long, value_enum, default_value_t = FailOn::Drift)]
    pub fail_on: FailOn,
}

/// `cadastre plan`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  terraform plan -out plan.bin && terraform show -json plan.bin > plan.json
  cadastre plan plan.json -b boundary.yaml --evidence evidence
  cadastre plan plan.json -b boundary.yaml --format markdown
  tofu show -json plan.bin | cadastre plan - -b boundary.yaml --format sarif > plan.sarif

With --evidence the plan is laid over what a scan saw. Without it only what the plan shows is judged, and nothing passes.

Exit codes: 0 nothing that --fail-on asks about · 1 the tool failed · 2 the boundary would move · 3 a red flag would be
new · 4 something would be unproven, is known only after apply, or is not judged (--fail-on unproven)")]
pub(crate) struct Plan {
    /// Output of `terraform show -json` or `tofu show -json`; `-` reads standard input
    pub plan: PathBuf,
    /// Boundary declaration
    #[arg(long, short, value_name = "FILE", default_value = "boundary.yaml")]
    pub boundary: PathBuf,
    /// Evidence directory of a scan, over which the plan is laid
    #[arg(long, value_name = "DIR")]
    pub evidence: Option<PathBuf>,
    /// Judge as of this time (RFC 3339, or `now`); the end of the scan, or the plan's own time, unless given
    #[arg(long, value_name = "TIME")]
    pub as_of: Option<String>,
    /// Directory of further policies; a control there replaces the built-in one of the same id
    #[arg(long, value_name = "DIR")]
    pub policies: Option<PathBuf>,
    /// Accepted findings; `waivers.yaml` beside the declaration where there is one
    #[arg(long, value_name = "FILE")]
    pub waivers: Option<PathBuf>,
    #[command(flatten)]
    pub gate: Gate,
    /// `drift`: red flags (3) and any move (2); `unproven`: red flags (3) and open questions (4)
    #[arg(long, value_enum, default_value_t = FailOn::Drift)]
    pub fail_on: FailOn,
}

fn parse_capability(text: &str) -> Result<Capability, String> {
    Capability::ALL.into_iter().find(|capability| capability.name() == text).ok_or_else(|| {
        let names: Vec<&str> = Capability::ALL.iter().map(|capability| capability.name()).collect();
        format!("expected one of {}", names.join(", "))
    })
}

/// `cadastre cost`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cadastre cost evidence -b boundary.yaml                     counts of the scanned brokers, example prices
  cadastre cost evidence -b boundary.yaml --prices ours.yaml --format svg > bill.svg

Counts come from brokers that tell them; where none does they are assumed, and the output says so. Every assumption is
listed, and how much the totals hang on each.")]
pub(crate) struct Cost {
    #[command(flatten)]
    pub inputs: Inputs,
    /// Output format
    #[arg(long, value_enum, default_value_t = CostFormat::Table)]
    pub format: CostFormat,
}

/// How the shape of a bill is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CostFormat {
    /// For a terminal
    Table,
    /// For programs
    Json,
    /// For a pull request or a wiki
    Markdown,
    /// A plot
    Svg,
}
