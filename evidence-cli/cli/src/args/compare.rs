//! Arguments of `cadastre compare`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// `cadastre compare`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cadastre compare self-managed vendor-operated            two folders, each with boundary.yaml and evidence/
  cadastre compare kafka.json automq.json msk.json         three checklists that `cadastre check --format json` printed
  cadastre compare a b --format html > options.html

An option is called after its folder or file. A folder is judged with the waivers beside its declaration, and its bill is reckoned; a checklist
tells nothing of a bill.")]
pub(crate) struct Compare {
    /// Checklists as JSON, or folders that hold boundary.yaml and evidence/
    #[arg(required = true, num_args = 2..=3, value_name = "OPTION")]
    pub options: Vec<PathBuf>,
    /// Judge evidence as of this time (RFC 3339, or `now`); the end of each scan unless given
    #[arg(long, value_name = "TIME")]
    pub as_of: Option<String>,
    /// Prices to reckon each option's bill with; the example that comes with the program unless given
    #[arg(long, value_name = "FILE")]
    pub prices: Option<PathBuf>,
    /// Output format
    #[arg(long, value_enum, default_value_t = CompareFormat::Table)]
    pub format: CompareFormat,
}

/// How options are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CompareFormat {
    /// For a terminal
    Table,
    /// For programs
    Json,
    /// For a pull request or a wiki
    Markdown,
    /// A page that needs nothing else
    Html,
}
