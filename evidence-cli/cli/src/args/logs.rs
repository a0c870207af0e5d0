//! Arguments of `cadastre logs`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::assess::TableFormat;

/// `cadastre logs`
#[derive(Debug, Subcommand)]
pub(crate) enum Logs {
    /// Verify CloudTrail's digest chain over files, offline
    VerifyTrail(VerifyTrail),
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
