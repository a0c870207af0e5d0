//! `cargo xtask policies`: the controls on the reference engine.
//!
//! The Rego tests run with Open Policy Agent, and both recordings are judged by it and by the engine that is
//! compiled in. Every subject and finding must agree: an engine that loses one would let something pass.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, bail};
use serde_json::Value;

use crate::process;

/// The Go module of Open Policy Agent.
const OPA: &str = "github.com/open-policy-agent/opa@v1.22.0";

/// Control, subject, verdict and message.
type Said = BTreeSet<(String, String, String, String)>;

/// Runs the tests and the comparison.
pub(crate) fn run() -> anyhow::Result<()> {
    let opa = opa()?;
    let root = process::root();
    let policies = root.join("policies");
    process::run(Command::new(&opa).arg("test").arg(policies.join("lib")).arg(policies.join("controls")))?;
    process::run(process::cargo().args(["build", "--quiet", "--package", "cadastre"]))?;
    let mut differences = 0;
    for variant in ["clean", "planted"] {
        let fixture = root.join("fixtures").join(variant);
        let cadastre = |verb: &[&str], further: &[&str]| {
            let output = Command::new(process::target_directory().join("debug/cadastre"))
                .arg("--quiet")
                .args(verb)
                .arg(fixture.join("evidence"))
                .arg("--boundary")
                .arg(fixture.join("boundary.yaml"))
                // The comparison is of what policies say, before anybody accepts it.
                .arg("--waivers")
                .arg(root.join("fixtures/planted/waivers.yaml"))
                .args(further)
                .output()
                .context("cannot run cadastre")?;
            anyhow::Ok(output.stdout)
        };
        let input = process::target_directory().join(format!("policy-input-{variant}.json"));
        std::fs::write(&input, cadastre(&["policy", "input"], &[])?)?;
        let answer = process::output(
            Command::new(&opa)
                .arg("eval")
                // Not the whole directory: its YAML files are no documents of one tree.
                .arg("--data")
                .arg(policies.join("lib"))
                .arg("--data")
                .arg(policies.join("controls"))
                .arg("--input")
                .arg(&input)
                .args(["--format", "raw", "data.cadastre.controls"]),
        )?;
        let reference = said_by_opa(&serde_json::from_str(&answer).context("opa's answer is not JSON")?);
        let ours = said_by_us(&serde_json::from_slice(&cadastre(&["check"], &["--format", "json"])?)?);
        for (what, missing) in
            [("only opa", reference.difference(&ours)), ("only cadastre", ours.difference(&reference))]
        {
            for (control, subject, verdict, message) in missing {
                differences += 1;
                println!("{variant}: {what}: {control} {verdict} {subject}: {message}");
            }
        }
        println!("{variant}: {} findings by opa, {} by cadastre", reference.len(), ours.len());
    }
    if differences > 0 {
        bail!("the engines differ");
    }
    Ok(())
}

fn text(value: &Value, member: &str) -> String {
    value.get(member).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn said_by_opa(controls: &Value) -> Said {
    let mut said = Said::new();
    for (package, control) in controls.as_object().into_iter().flatten() {
        let findings = control.get("findings").and_then(Value::as_array).into_iter().flatten();
        let id = package.to_uppercase().replace('_', "-");
        said.extend(findings.map(|finding| {
            (id.clone(), text(finding, "subject"), text(finding, "verdict"), text(finding, "message"))
        }));
    }
    said
}

fn said_by_us(checklist: &Value) -> Said {
    let mut said = Said::new();
    for control in checklist.get("controls").and_then(Value::as_array).into_iter().flatten() {
        let findings = control.get("findings").and_then(Value::as_array).into_iter().flatten();
        let id = text(control, "id");
        said.extend(
            findings
                .map(|finding| {
                    (id.clone(), text(finding, "subject"), text(finding, "verdict"), text(finding, "message"))
                })
                .filter(|(_, _, verdict, _)| verdict == "red-flag" || verdict == "unproven"),
        );
    }
    said
}

/// The `opa` on the PATH, or one built by Go into the target directory.
fn opa() -> anyhow::Result<PathBuf> {
    if Command::new("opa").arg("version").output().is_ok() {
        return Ok(PathBuf::from("opa"));
    }
    let directory = process::target_directory().join("parts/opa");
    let opa = directory.join("opa");
    if !opa.exists() {
        eprintln!("building {OPA}");
        process::run(Command::new("go").args(["install", OPA]).env("GOBIN", &directory))
            .context("neither `opa` nor `go` is on the PATH")?;
    }
    Ok(opa)
}
