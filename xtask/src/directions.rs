//! Checks which room may depend on which. The table is the one in ARCHITECTURE.md.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, bail};
use serde_json::Value;

use crate::process;

/// Each room and the rooms that it may use, tests apart.
const ALLOWED: [(&str, &[&str]); 36] = [
    ("cadastre-protocol", &[]),
    ("cadastre-keys", &[]),
    ("cadastre-key-services", &["cadastre-keys"]),
    ("cadastre-sequencer", &["cadastre-protocol", "cadastre-keys"]),
    ("cadastre-objects", &["cadastre-protocol", "cadastre-keys"]),
    ("cadastre-storage", &["cadastre-protocol", "cadastre-keys", "cadastre-objects", "cadastre-sequencer"]),
    ("cadastre-security", &["cadastre-protocol"]),
    ("cadastre-coordinator", &["cadastre-protocol"]),
    (
        "cadastre-server",
        &[
            "cadastre-protocol",
            "cadastre-keys",
            "cadastre-key-services",
            "cadastre-objects",
            "cadastre-sequencer",
            "cadastre-storage",
            "cadastre-security",
            "cadastre-coordinator",
        ],
    ),
    (
        "cadastre-simulation",
        &["cadastre-protocol", "cadastre-keys", "cadastre-objects", "cadastre-sequencer", "cadastre-storage"],
    ),
    ("cadastre-differential", &["cadastre-protocol"]),
    ("cadastre-fuzz", &["cadastre-protocol", "cadastre-security", "cadastre-server"]),
    // The database of the tests, which the benchmark of clusters starts too.
    ("cadastre-benchmark", &["cadastre-protocol", "cadastre-keys", "cadastre-sequencer"]),
    ("cadastre-model", &[]),
    ("cadastre-inventory", &["cadastre-model"]),
    ("cadastre-collect", &["cadastre-model", "cadastre-protocol"]),
    ("cadastre-offline", &["cadastre-model"]),
    ("cadastre-cost", &["cadastre-model"]),
    ("cadastre-documents", &["cadastre-model"]),
    ("cadastre-access", &["cadastre-model"]),
    ("cadastre-network", &["cadastre-model"]),
    ("cadastre-logs", &["cadastre-model"]),
    ("cadastre-athena", &[]),
    ("cadastre-graph", &["cadastre-model"]),
    ("cadastre-policy", &["cadastre-model"]),
    (
        "cadastre-assess",
        &[
            "cadastre-model",
            "cadastre-inventory",
            "cadastre-access",
            "cadastre-network",
            "cadastre-graph",
            "cadastre-policy",
            "cadastre-cost",
        ],
    ),
    ("cadastre-report", &["cadastre-model"]),
    ("cadastre-packet", &["cadastre-model"]),
    ("cadastre-plan", &["cadastre-model"]),
    ("cadastre-questionnaire", &["cadastre-model"]),
    ("cadastre-gate", &["cadastre-model", "cadastre-graph", "cadastre-report"]),
    ("cadastre-pdf", &["cadastre-model"]),
    ("cadastre-signers", &["cadastre-packet"]),
    ("cadastre-drills", &["cadastre-model"]),
    (
        "cadastre",
        &[
            "cadastre-model",
            "cadastre-collect",
            "cadastre-offline",
            "cadastre-documents",
            "cadastre-cost",
            "cadastre-access",
            "cadastre-assess",
            "cadastre-graph",
            "cadastre-network",
            "cadastre-logs",
            "cadastre-athena",
            "cadastre-packet",
            "cadastre-plan",
            "cadastre-questionnaire",
            "cadastre-gate",
            "cadastre-policy",
            "cadastre-report",
            "cadastre-packet",
            "cadastre-pdf",
            "cadastre-signers",
            "cadastre-drills",
            "cadastre-server",
            "cadastre-protocol",
        ],
    ),
    ("xtask", &["cadastre-model", "cadastre-access", "cadastre-assess", "cadastre-network"]),
];

/// Crates that do I/O; the pure rooms must do without them.
const EDGES: [&str; 6] = ["tokio", "reqwest", "hyper", "rdkafka", "rustls", "aws-config"];

/// Rooms that are functions of their input.
const PURE: [&str; 11] = [
    "cadastre-questionnaire",
    "cadastre-gate",
    "cadastre-plan",
    "cadastre-access",
    "cadastre-network",
    "cadastre-graph",
    "cadastre-inventory",
    "cadastre-policy",
    "cadastre-assess",
    "cadastre-report",
    "cadastre-pdf",
];

/// Compares the table with what cargo says.
pub(crate) fn run() -> anyhow::Result<()> {
    let text = process::output(process::cargo().args(["metadata", "--no-deps", "--format-version", "1"]))?;
    let metadata: Value = serde_json::from_str(&text).context("cargo metadata is not JSON")?;
    let allowed: BTreeMap<&str, &[&str]> = ALLOWED.into_iter().collect();
    let mut problems = BTreeSet::new();
    let packages =
        metadata.get("packages").and_then(Value::as_array).context("cargo metadata has no packages")?;
    for package in packages {
        let name = text_of(package, "name")?;
        let Some(may_use) = allowed.get(name) else {
            problems.insert(format!("`{name}` is not in the table of rooms (xtask/src/directions.rs)"));
            continue;
        };
        let dependencies =
            package.get("dependencies").and_then(Value::as_array).context("no dependencies")?;
        for dependency in dependencies {
            if dependency.get("kind").and_then(Value::as_str) == Some("dev") {
                continue;
            }
            let used = text_of(dependency, "name")?;
            if allowed.contains_key(used) && !may_use.contains(&used) {
                problems.insert(format!("`{name}` must not use `{used}`"));
            }
            if PURE.contains(&name) && EDGES.contains(&used) {
                problems.insert(format!("`{name}` is pure and must not use `{used}`"));
            }
        }
    }
    if problems.is_empty() {
        println!("{} rooms, every dependency in its direction", packages.len());
        return Ok(());
    }
    let problems: Vec<String> = problems.into_iter().collect();
    bail!("{}", problems.join("\n"))
}

fn text_of<'a>(value: &'a Value, member: &str) -> anyhow::Result<&'a str> {
    value.get(member).and_then(Value::as_str).with_context(|| format!("cargo metadata has no {member}"))
}
