//! `cadastre schema`: the JSON Schemas of files and outputs, compiled in.

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use crate::args::assess::TableFormat;
use crate::args::schema::Schema;
use crate::exit::Exit;
use crate::terminal;

/// Each schema by name, as it is published under `docs/formats/schemas`.
const SCHEMAS: [(&str, &str); 14] = [
    ("access-answer", include_str!("../../../../docs/formats/schemas/access-answer.schema.json")),
    ("access-case", include_str!("../../../../docs/formats/schemas/access-case.schema.json")),
    ("boundary", include_str!("../../../../docs/formats/schemas/boundary.schema.json")),
    ("checklist", include_str!("../../../../docs/formats/schemas/checklist.schema.json")),
    ("comparison", include_str!("../../../../docs/formats/schemas/comparison.schema.json")),
    ("cost", include_str!("../../../../docs/formats/schemas/cost.schema.json")),
    ("evidence", include_str!("../../../../docs/formats/schemas/evidence.schema.json")),
    ("gate", include_str!("../../../../docs/formats/schemas/gate.schema.json")),
    ("gate-state", include_str!("../../../../docs/formats/schemas/gate-state.schema.json")),
    ("graph", include_str!("../../../../docs/formats/schemas/graph.schema.json")),
    ("packet-manifest", include_str!("../../../../docs/formats/schemas/packet-manifest.schema.json")),
    ("record", include_str!("../../../../docs/formats/schemas/record.schema.json")),
    ("redaction", include_str!("../../../../docs/formats/schemas/redaction.schema.json")),
    ("waivers", include_str!("../../../../docs/formats/schemas/waivers.schema.json")),
];

/// What a schema says of itself.
#[derive(Debug, Deserialize)]
struct Head {
    title: String,
    description: String,
}

/// A line of the list.
#[derive(Debug, Serialize)]
struct Entry<'a> {
    name: &'a str,
    title: String,
    description: String,
}

/// Lists the schemas, or prints one.
pub(super) fn run(arguments: &Schema) -> anyhow::Result<Exit> {
    let text = match &arguments.name {
        Some(name) => find(name)?.to_owned(),
        None => list(arguments.format)?,
    };
    terminal::print(&text)?;
    Ok(Exit::Clean)
}

fn find(name: &str) -> anyhow::Result<&'static str> {
    match SCHEMAS.iter().find(|(known, _)| *known == name) {
        Some((_, text)) => Ok(text),
        None => bail!("no schema `{name}`: there are {}", SCHEMAS.map(|(known, _)| known).join(", ")),
    }
}

fn list(format: TableFormat) -> anyhow::Result<String> {
    let mut entries = Vec::with_capacity(SCHEMAS.len());
    for (name, text) in SCHEMAS {
        let head: Head =
            serde_json::from_str(text).with_context(|| format!("the schema `{name}` cannot be read"))?;
        entries.push(Entry { name, title: head.title, description: head.description });
    }
    Ok(match format {
        TableFormat::Json => serde_json::to_string_pretty(&entries)? + "\n",
        TableFormat::Table => {
            let width = entries.iter().map(|entry| entry.name.len()).max().unwrap_or_default();
            entries
                .iter()
                .map(|entry| format!("{:width$}  {}: {}\n", entry.name, entry.title, entry.description))
                .collect()
        }
    })
}
