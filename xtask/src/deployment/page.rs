//! What came of the review, and `docs/deployment.md`.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, ensure};
use serde_json::Value;

/// What came of it.
pub(super) struct Judged {
    /// Number of controls by verdict.
    counts: BTreeMap<String, u64>,
    passed: Vec<String>,
    /// Each red flag, with its control and subject.
    pub(super) red: Vec<String>,
    /// Why a control is not proven: each message once.
    open: BTreeMap<String, BTreeSet<String>>,
}

impl Judged {
    /// Reads what `cadastre check --format json` printed.
    pub(super) fn read(checklist: &Value) -> anyhow::Result<Self> {
        let mut judged =
            Self { counts: BTreeMap::new(), passed: Vec::new(), red: Vec::new(), open: BTreeMap::new() };
        let controls = checklist.pointer("/controls").and_then(Value::as_array).context("no controls")?;
        for control in controls {
            let told = |value: &Value, name: &str| {
                value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
            };
            let (id, verdict) = (told(control, "id"), told(control, "verdict"));
            *judged.counts.entry(verdict.clone()).or_default() += 1;
            if verdict == "pass" {
                judged.passed.push(id.clone());
            }
            for finding in control.get("findings").and_then(Value::as_array).into_iter().flatten() {
                let message = told(finding, "message");
                match told(finding, "verdict").as_str() {
                    "red-flag" => judged.red.push(format!("{id} {}: {message}", told(finding, "subject"))),
                    "unproven" => drop(judged.open.entry(id.clone()).or_default().insert(message)),
                    _ => {}
                }
            }
        }
        ensure!(!judged.passed.is_empty(), "nothing passes, so that nothing was judged");
        Ok(judged)
    }

    /// What is not proven of some areas, with the reasons.
    pub(super) fn open_of(&self, areas: &[&str]) -> Vec<String> {
        let of = |id: &&String| areas.iter().any(|area| id.starts_with(area));
        let open = self.open.iter().filter(|(id, _)| of(id));
        open.map(|(id, reasons)| format!("{id}: {}", reasons.iter().cloned().collect::<Vec<_>>().join("; ")))
            .collect()
    }
}

/// `docs/deployment.md`.
pub(super) fn text(judged: &Judged, resources: &BTreeMap<String, usize>) -> String {
    let made: Vec<String> = resources.iter().map(|(kind, count)| format!("{count} `{kind}`")).collect();
    let counts: Vec<String> =
        judged.counts.iter().map(|(verdict, count)| format!("{count} {verdict}")).collect();
    let mut page = format!(
        "# The AWS deployment, applied and judged\n\n\
         `cargo xtask deployment` applies `broker/deploy/aws` with the values of its `example.tfvars` to a moto server by Terraform and the AWS\n\
         provider, scans it with `cadastre scan` as the read-only scanner, exercises it with `cadastre prove`, and judges it with\n\
         `cadastre check`, against the deployment's own `boundary.yaml`. Terraform made everything that was scanned: {} resources.\n\n\
         Two things stand in. The machine image has the id that moto gives. And as no machine of moto's runs anything, three brokers on\n\
         this machine stand where the deployment's are, at the same addresses in a network namespace of their own, over a PostgreSQL server and a\n\
         bucket of moto's: what is said of Kafka, and every drill, is about them. They are declared in the deployment's own words but for the\n\
         files of their secrets, their topics, and how they may be exercised. The version before, which `upgrade-rollback` goes back to, is this\n\
         version's program once more.\n\n\
         The operating documents are those of `cadastre init --documents`, filled in as `fixtures/deployment-aws/documents/` shows.\n\n\
         ## Verdicts\n\n{}.\n\nRed flags: {}.\n\nPassed: {}.\n\n## What is not proven, and why\n\n| control | why |\n| --- | --- |\n",
        resources.values().sum::<usize>(),
        counts.join(", "),
        if judged.red.is_empty() { "none".to_owned() } else { judged.red.join("; ") },
        judged.passed.join(", "),
    );
    for (id, reasons) in &judged.open {
        let mut reasons: Vec<String> = reasons.iter().map(|reason| reason.replace('|', "\\|")).collect();
        let more = reasons.len().saturating_sub(3);
        reasons.truncate(3);
        if more > 0 {
            reasons.push(format!("and {more} more"));
        }
        page.push_str(&format!("| {id} | {} |\n", reasons.join("; ")));
    }
    page.push_str(&format!("\n## What was made\n\n{}.\n", made.join(", ")));
    page
}
