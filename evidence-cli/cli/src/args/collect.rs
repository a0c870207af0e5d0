//! Arguments of the commands that look at clouds and clusters.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// `cadastre scan`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cadastre scan -b boundary.yaml -o evidence
  cadastre scan -b boundary.yaml -o evidence --only kafka --no-probes
  cadastre scan --permissions > scanner-policy.json
  cadastre scan --permissions --only azure > scanner-role.json
  cadastre scan -b boundary.yaml --offline exports -o evidence     files that the AWS CLI printed
  cadastre scan -b boundary.yaml -o evidence --trail trail --trail-keys keys.json --key-ledger ledger

What CloudTrail and brokers' key ledgers say is read from files: `aws s3 sync s3://BUCKET/AWSLogs trail/AWSLogs`, and
`aws cloudtrail list-public-keys > keys.json` for as long as the trail reaches back, and the metadata of the newest
digests (docs/formats/trail-records.md).

AWS credentials come from the environment, profiles or instance roles, as with the AWS CLI. Azure's come from AZURE_ACCESS_TOKEN_FILE; from
AZURE_TENANT_ID and AZURE_CLIENT_ID with AZURE_CLIENT_SECRET or AZURE_FEDERATED_TOKEN_FILE; or from the machine with AZURE_USE_MANAGED_IDENTITY=true.")]
pub(crate) struct Scan {
    /// Boundary declaration
    #[arg(long, short, value_name = "FILE", default_value = "boundary.yaml")]
    pub boundary: PathBuf,
    /// Directory to write the evidence into
    #[arg(long, short, value_name = "EVIDENCE", required_unless_present = "permissions")]
    pub output: Option<PathBuf>,
    /// Collect from these only
    #[arg(long, value_enum, value_delimiter = ',')]
    pub only: Vec<Collector>,
    /// Send AWS calls to this endpoint instead of the public ones
    #[arg(long, value_name = "URL", env = "CADASTRE_AWS_ENDPOINT_URL")]
    pub aws_endpoint_url: Option<String>,
    /// Named AWS profile
    #[arg(long, value_name = "NAME")]
    pub aws_profile: Option<String>,
    /// Send calls to Azure Resource Manager to this endpoint instead of the public one
    #[arg(long, value_name = "URL", env = "CADASTRE_AZURE_ENDPOINT_URL")]
    pub azure_endpoint_url: Option<String>,
    /// Do not try anonymous, plaintext and old-TLS connections to listeners
    #[arg(long)]
    pub no_probes: bool,
    /// Read files that the AWS CLI or `az` printed instead of asking anybody (docs/formats/offline.md)
    #[arg(long, value_name = "DIR", conflicts_with_all = ["only", "aws_endpoint_url", "aws_profile", "azure_endpoint_url", "no_probes"])]
    pub offline: Option<PathBuf>,
    /// CloudTrail's files, laid out as in their bucket: who used what, and whether the files are whole
    #[arg(long, value_name = "DIR")]
    pub trail: Option<PathBuf>,
    /// The answer of `aws cloudtrail list-public-keys`; without it nothing on the trail is proven
    #[arg(long, value_name = "FILE", requires = "trail")]
    pub trail_keys: Option<PathBuf>,
    /// A broker's key ledger, a file or the directory that holds its files; may be given once for each broker
    #[arg(long, value_name = "PATH", requires = "trail")]
    pub key_ledger: Vec<PathBuf>,
    /// Seconds that the clocks of brokers and key service may differ
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    pub clock_skew: u32,
    /// Replace an evidence directory that exists
    #[arg(long)]
    pub force: bool,
    /// Print the read-only IAM policy that a scan needs, with `--only azure` the role for Azure, and stop
    #[arg(long)]
    pub permissions: bool,
}

/// What can be collected from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Collector {
    /// Amazon Web Services
    Aws,
    /// Microsoft Azure
    Azure,
    /// Kafka clusters
    Kafka,
    /// The files of --trail and --key-ledger
    Logs,
    /// Runbooks and plans in the declared folder
    Documents,
}

/// `cadastre init`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cadastre init                                    boundary.yaml with what the AWS account shows
  cadastre init --offline -o boundary.yaml         only the commented skeleton
  cadastre init --documents documents              starting texts of runbooks and plans, to be filled in")]
pub(crate) struct Init {
    /// File to write
    #[arg(long, short, value_name = "FILE", default_value = "boundary.yaml")]
    pub output: PathBuf,
    /// Write starting texts of runbooks, ownership and plans into this folder instead; files that exist are left as they are
    #[arg(long, value_name = "DIR", conflicts_with_all = ["output", "offline", "aws_endpoint_url", "aws_profile", "regions", "force"])]
    pub documents: Option<PathBuf>,
    /// Ask no cloud
    #[arg(long)]
    pub offline: bool,
    /// Send AWS calls to this endpoint instead of the public ones
    #[arg(long, value_name = "URL", env = "CADASTRE_AWS_ENDPOINT_URL")]
    pub aws_endpoint_url: Option<String>,
    /// Named AWS profile
    #[arg(long, value_name = "NAME")]
    pub aws_profile: Option<String>,
    /// Regions to look into
    #[arg(long, value_delimiter = ',', value_name = "REGION")]
    pub regions: Vec<String>,
    /// Replace a file that exists
    #[arg(long)]
    pub force: bool,
}
