//! Arguments of `cadastre access`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `cadastre access`
#[derive(Debug, Subcommand)]
pub(crate) enum Access {
    /// Decide AWS requests against policies, one case a line in, one answer a line out
    Eval(Eval),
}

/// `cadastre access eval`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cadastre access eval cases.ndjson > answers.ndjson
  generate-cases | cadastre access eval - | jq -r 'select(.decision == \"allow\") | .id'

One case:
  {\"id\":\"1\",\"request\":{\"principal\":\"arn:aws:iam::111122223333:role/app\",\"principalAccount\":\"111122223333\",
   \"action\":\"s3:GetObject\",\"resource\":\"arn:aws:s3:::data/key\",\"resourceAccount\":\"111122223333\",
   \"context\":{\"aws:SourceIp\":\"10.0.0.1\"},\"contextComplete\":true},\"policies\":{\"identity\":[POLICY]}}

docs/formats/access-cases.md describes every field. A line that is no case is answered `unknown` with its
error, and the command then exits with 1.")]
pub(crate) struct Eval {
    /// File of cases, one JSON object a line; `-` reads standard input
    pub cases: PathBuf,
    /// Number of threads; as many as there are processors unless given
    #[arg(long, value_name = "NUMBER")]
    pub threads: Option<NonZeroUsize>,
}
