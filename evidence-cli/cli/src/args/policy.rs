//! Arguments of `cadastre policy`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::assess::TableFormat;

/// `cadastre policy`
#[derive(Debug, Subcommand)]
pub(crate) enum Policy {
    /// List the controls
    List(List),
    /// Show one control: what passes, what is a red flag, what evidence it needs, its source
    Show(Show),
    /// Run the policies' own tests
    Test(Test),
    /// Print what policies see as `input` for some evidence
    Input(super::assess::Inputs),
}

/// `cadastre policy list`
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Directory of further policies
    #[arg(long, value_name = "DIR")]
    pub policies: Option<PathBuf>,
    /// What to print
    #[arg(long, value_enum, default_value_t)]
    pub format: TableFormat,
}

/// `cadastre policy show`
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// Control id, like BND-04
    pub control: String,
    /// Directory of further policies
    #[arg(long, value_name = "DIR")]
    pub policies: Option<PathBuf>,
    /// What to print
    #[arg(long, value_enum, default_value_t)]
    pub format: TableFormat,
}

/// `cadastre policy test`
#[derive(Debug, Args)]
pub(crate) struct Test {
    /// Directory of further policies
    #[arg(long, value_name = "DIR")]
    pub policies: Option<PathBuf>,
    /// What to print
    #[arg(long, value_enum, default_value_t)]
    pub format: TableFormat,
}
