//! Arguments of `cadastre logs`.

use std::path::PathBuf;

use cadastre_logs::query::Engine;
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
    /// List what vendors did, emergency access, key uses and policy changes in CloudTrail's files
    Activity(Activity),
    /// Hold key uses on the trail against the broker's key ledger
    ReconcileKeys(ReconcileKeys),
    /// Answer a query in SQL over flow logs, CloudTrail's events and Azure's activity log
    Query(Query),
    /// Write a query for Amazon Athena, with the tables that it reads
    Sql(Sql),
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

/// `cadastre logs activity`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cadastre logs activity trail -b boundary.yaml
  cadastre logs activity trail -b boundary.yaml --from 2026-09-01T00:00:00Z --format json | jq .policy_changes
  cadastre logs activity trail -b boundary.yaml --fail-on red-flag

What a vendor did is explained when the declaration gives its role the action. Files and events that cannot be used
are named on standard error and in the JSON. Whether files are missing is for `verify-trail` to say.

Exit codes with --fail-on red-flag: 3 a vendor's action is unexplained. With unproven also: 4 something could not be used")]
pub(crate) struct Activity {
    /// Directory of CloudTrail event files
    pub directory: PathBuf,
    /// Boundary declaration: vendors and the customer's own identities
    #[arg(long, short, value_name = "FILE")]
    pub boundary: PathBuf,
    /// Events from this time on (RFC 3339)
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// Events up to this time (RFC 3339)
    #[arg(long, value_name = "TIME")]
    pub to: Option<String>,
    /// What to print
    #[arg(long, value_enum, default_value_t)]
    pub format: TableFormat,
    /// What makes the exit code other than 0
    #[arg(long, value_enum, default_value_t = FailOn::Never)]
    pub fail_on: FailOn,
}

/// `cadastre logs reconcile-keys`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cadastre logs reconcile-keys --trail trail --ledger data/key-ledger-0000000001.ndjson
  cadastre logs reconcile-keys --trail trail --ledger data --public-keys keys.json --format json

With --public-keys the trail's digest chain is verified first. Without it a file that somebody took away is not missed.

Exit codes: 0 every use is explained · 3 a use is unexplained, or the ledger was altered · 4 neither, but trail or
ledger are incomplete")]
pub(crate) struct ReconcileKeys {
    /// Directory of CloudTrail event files
    #[arg(long, value_name = "DIR")]
    pub trail: PathBuf,
    /// The broker's key ledger: a file, or the directory that holds its files
    #[arg(long, value_name = "FILE")]
    pub ledger: PathBuf,
    /// ARN of a key that only the broker may use, beside those that the ledger names; may be given several times
    #[arg(long, value_name = "ARN")]
    pub key: Vec<String>,
    /// Seconds that the clocks of broker and key service may differ
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    pub skew: u32,
    /// The answer of `aws cloudtrail list-public-keys`
    #[arg(long, value_name = "FILE")]
    pub public_keys: Option<PathBuf>,
    /// What to print
    #[arg(long, value_enum, default_value_t)]
    pub format: TableFormat,
}

/// `cadastre logs query`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cadastre logs query 'SELECT srcaddr, sum(bytes) AS bytes FROM flows GROUP BY srcaddr ORDER BY bytes DESC LIMIT 10' flow-logs
  cadastre logs query \"SELECT principal, count(*) FROM events WHERE action = 'kms:Decrypt' GROUP BY 1\" --trail trail
  cadastre logs query 'SELECT DISTINCT src, dst, dstport FROM flows WHERE flow IS NULL' flow-logs -b boundary.yaml
  cadastre logs query 'SELECT count(*) FROM flows' /mnt/logs --engine ballista://scheduler.internal:50050 --format json

Tables: flows (VPC, VNet and NSG flow logs), events (CloudTrail), activity (Azure's activity log); `DESCRIBE flows` lists
columns. With -b flows also has src, dst, their _kind, _name and _asset, purpose, flow and reply. Rows come in the order of
the query, and where it leaves that open in the order of all columns. What cannot be used is named by file and line.
The engine is a program of its own, `cadastre-query`: beside this one, or where CADASTRE_QUERY says. A cluster is asked by
`cadastre-query-cluster` (CADASTRE_QUERY_CLUSTER), whose verbs `scheduler` and `executor` are its parts.")]
pub(crate) struct Query {
    /// The query, in DataFusion's SQL
    pub sql: String,
    /// Directory of logs, for every table that has no directory of its own
    pub directory: Option<PathBuf>,
    /// `here`, or `ballista://HOST:PORT` for a cluster that sees the same files under the same paths
    #[arg(long, default_value_t)]
    pub engine: Engine,
    /// Directory of flow logs
    #[arg(long, value_name = "DIR")]
    pub flows: Option<PathBuf>,
    /// Directory of CloudTrail event files
    #[arg(long, value_name = "DIR")]
    pub trail: Option<PathBuf>,
    /// Directory of Azure's activity log
    #[arg(long, value_name = "DIR")]
    pub activity: Option<PathBuf>,
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

/// `cadastre logs sql`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cadastre logs sql 'SELECT srcaddr, sum(bytes) FROM flows GROUP BY srcaddr' --flows s3://BUCKET/AWSLogs/ACCOUNT/vpcflowlogs/REGION/
  cadastre logs sql \"SELECT principal FROM events WHERE action = 'kms:Decrypt'\" --trail s3://BUCKET/AWSLogs/ACCOUNT/CloudTrail/

Athena takes one statement at a time. What Athena has not, or may take otherwise, is refused. The narrower the place in
S3, the less Athena reads; where a query leaves the order of rows open, so does Athena.")]
pub(crate) struct Sql {
    /// The query, over the tables `flows` and `events`
    pub sql: String,
    /// Whose SQL to write
    #[arg(long, value_enum, default_value_t)]
    pub dialect: Dialect,
    /// Where flow logs lie
    #[arg(long, value_name = "S3-URL")]
    pub flows: Option<String>,
    /// Where CloudTrail's logs lie
    #[arg(long, value_name = "S3-URL")]
    pub trail: Option<String>,
    /// Fields of the flow logs as their header has them; version 2's default otherwise
    #[arg(long, value_name = "FIELDS")]
    pub flow_format: Option<String>,
}

/// Whose SQL to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Dialect {
    /// Amazon Athena's
    #[default]
    Athena,
}
