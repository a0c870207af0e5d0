//! Arguments of `cadastre prove`.

use std::path::PathBuf;

use clap::Args;

use super::assess::TableFormat;

/// `cadastre prove`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cadastre prove -b boundary.yaml -o evidence                     print the plan, ask, and run every drill
  cadastre prove -b boundary.yaml --drill clients -o evidence --yes
  cadastre prove -b boundary.yaml --plan                          print the plan and touch nothing

Drills: clients, denials, broker-replacement, key-revocation, key-rotation, deletion, export, scale-out,
store-outage, certificate-rotation, upgrade-rollback, audit-trail.

Only clusters that are declared `environment: non-production` with `drills` are exercised, and only topics below
their `topic-prefix` are made, written or deleted. Records join the evidence in DIR, and take the place of older ones of
the same drill on the same cluster.")]
pub(crate) struct Prove {
    /// Boundary declaration
    #[arg(long, short, value_name = "FILE", default_value = "boundary.yaml")]
    pub boundary: PathBuf,
    /// Run this drill only; may be repeated
    #[arg(long = "drill", value_name = "NAME")]
    pub drills: Vec<String>,
    /// Exercise this cluster only; may be repeated
    #[arg(long = "cluster", value_name = "NAME")]
    pub clusters: Vec<String>,
    /// Evidence directory to write into; one that exists is added to
    #[arg(long, short, value_name = "DIR", required_unless_present = "plan")]
    pub output: Option<PathBuf>,
    /// Approve the plan without being asked
    #[arg(long)]
    pub yes: bool,
    /// Print the plan and touch nothing
    #[arg(long, conflicts_with = "yes")]
    pub plan: bool,
    /// What to print
    #[arg(long, value_enum, default_value_t)]
    pub format: TableFormat,
}
