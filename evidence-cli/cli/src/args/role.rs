//! Arguments of `cadastre assess-role`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::exit::FailOn;

/// `cadastre assess-role`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cadastre assess-role --trust trust.json --policy policy.json -b boundary.yaml
  cadastre assess-role --trust trust.json --policy a.json --policy b.json --boundary limit.json -b boundary.yaml \\
    --evidence evidence --format json

Answers what a role could reach in this boundary before anything is deployed. Without evidence the declared assets
stand in, and what rests on policies that nobody has seen stays open: nothing found is never a pass.

Exit codes: 0 nothing found and nothing open · 3 red flag · 4 something is open and there is no red flag")]
pub(crate) struct AssessRole {
    /// The role's trust policy
    #[arg(long, value_name = "FILE")]
    pub trust: PathBuf,
    /// A policy of the role; may be given more than once
    #[arg(long, value_name = "FILE", required = true)]
    pub policy: Vec<PathBuf>,
    /// The role's permissions boundary
    #[arg(long, value_name = "FILE")]
    pub boundary: Option<PathBuf>,
    /// Boundary declaration
    #[arg(short = 'b', long = "declaration", value_name = "FILE", default_value = "boundary.yaml")]
    pub declaration: PathBuf,
    /// Evidence directory of the boundary
    #[arg(long, value_name = "EVIDENCE")]
    pub evidence: Option<PathBuf>,
    /// The role's ARN; `assessed-role` in the first declared account unless given
    #[arg(long, value_name = "ARN")]
    pub arn: Option<String>,
    /// What to print
    #[arg(long, value_enum, default_value_t)]
    pub format: RoleFormat,
    /// When to exit with 3 or 4
    #[arg(long, value_enum, default_value_t)]
    pub fail_on: FailOn,
}

/// Formats of the assessment of a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum RoleFormat {
    /// Markdown, for people
    #[default]
    Md,
    /// `cadastre/role-assessment/v1`
    Json,
}
