//! Arguments of `cadastre schema`.

use clap::Args;

use super::assess::TableFormat;

/// `cadastre schema`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cadastre schema                                   list them
  cadastre schema boundary > boundary.schema.json   for an editor, or for a validator
  cadastre schema --format json | jq -r '.[].name'")]
pub(crate) struct Schema {
    /// Which one to print, like `boundary`; lists them all unless given
    pub name: Option<String>,
    /// How to list them; a schema itself is always JSON
    #[arg(long, value_enum, default_value_t, conflicts_with = "name")]
    pub format: TableFormat,
}
