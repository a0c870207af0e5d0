//! Arguments of `cadastre logs`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::assess::TableFormat;
use crate::exit::FailOn;

/// `cadastre logs`
#[derive(Debug, Subcommand)]
pub(crate) enum Logs {
    /// Aggregate VPC, VNet and NSG flow logs into one table
    FlowTable(FlowTable),
    /// Verify CloudTrail's digest chain over files, offline
    VerifyTrail(VerifyTrail),
}

/// `cadastre logs flow-table`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cadastre logs flow-table flow-logs
  cadastre logs flow-table flow-logs -b boundary.yaml --evidence evidence --cloud-ranges ip-ranges.json
  cadastre logs flow-table flow-logs --format json | jq '.rows[] | select(.action == \"REJECT\")'

Reads VPC flow logs of versions 2 to 11 as text, gzip or Parquet, CloudWatch Logs exports, and Azure VNet and
NSG flow logs. What cannot be used is counted and named by file and line on standard error and in the JSON;
--fail-on unproven then exits with 4. No flow in a log is no proof that there was none: delivery is best effort.")]
pub(crate) struct FlowTable {
    /// Directory of flow logs
    pub directory: PathBuf,
    /// Boundary declaration: names addresses and says what each flow is for
    #[arg(long, short, value_name = "FILE")]
    pub boundary: Option<PathBuf>,
    /// Evidence directory: names addresses of interfaces and endpoints
    #[arg(long, value_name = "EVIDENCE", requires = "boundary")]
    pub evidence: Option<PathBuf>,
    /// Published address ranges: AWS's ip-ranges.json, Azure's ServiceTags_Public.json; may be given twice
    #[arg(long, value_name = "FILE", requires = "boundary")]
    pub cloud_ranges: Vec<PathBuf>,
    /// What to print
    #[arg(long, value_enum, default_value_t)]
    pub format: FlowTableFormat,
    /// `unproven` exits with 4 when something could not be used
    #[arg(long, value_enum, default_value_t = FailOn::Never)]
    pub fail_on: FailOn,
}

/// Formats of the flow table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum FlowTableFormat {
    /// For people
    #[default]
    Table,
    /// For programs
    Json,
    /// Rows as comma-separated values
    Csv,
}

/// `cadastre logs verify-trail`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  aws cloudtrail list-public-keys --start-time 2026-08-01 > keys.json
  aws s3 sync s3://BUCKET/AWSLogs trail/AWSLogs
  cadastre logs verify-trail trail --public-keys keys.json
  cadastre logs verify-trail trail --public-keys keys.json --from 2026-09-01T00:00:00Z --format json

The newest digest's signature is in the metadata of its object; save it beside the file:
  aws s3api head-object --bucket BUCKET --key DIGEST --query Metadata > DIGEST.metadata.json

Exit codes: 0 valid · 3 something is wrong · 4 nothing is wrong, but something could not be checked")]
pub(crate) struct VerifyTrail {
    /// Directory laid out as CloudTrail lays out the bucket
    pub directory: PathBuf,
    /// The answer of `aws cloudtrail list-public-keys`
    #[arg(long, value_name = "FILE")]
    pub public_keys: PathBuf,
    /// Digests must reach back to this time (RFC 3339), and what lies before it is not judged
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// Digests must reach up to this time (RFC 3339)
    #[arg(long, value_name = "TIME")]
    pub to: Option<String>,
    /// What to print
    #[arg(long, value_enum, default_value_t)]
    pub format: TableFormat,
}
