//! `cargo xtask deployment --cloud azure`: the Azure deployment validated and planned by Terraform and the real provider, without a cloud, and the plan
//! judged by `cadastre plan`. The result is written to `docs/deployment-azure.md`.
//!
//! The provider is built from source by `go install`, once. It wants a token before it plans, and asks the machine's identity endpoint for one: here
//! that is a port of this program, whose token nobody would accept. Nothing else is asked of anybody.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use serde_json::Value;

use super::copy;
use crate::process;

/// The provider's source: 5.2 of August 2026. Its tags before major version 2 are the only ones that Go's tools know, so that the commit counts.
const PROVIDER: &str =
    "github.com/hashicorp/terraform-provider-azurerm@v1.44.1-0.20260824201233-fae580791926";
/// What that is called.
const PROVIDER_VERSION: &str = "5.2.0 and four days";
/// A token without a signature, with the claims that the provider reads: `oid`, `tid`, `appid`.
const TOKEN: &str = "eyJhbGciOiJub25lIn0.\
    eyJvaWQiOiJkMDAwMDAwMC0wMDAwLTQwMDAtODAwMC0wMDAwMDAwMDAwZDEiLCJ0aWQiOiIzZjJhMWIwYy0wMDAwLTQwMDAtODAwMC0wMDAwMDAwMDAwZmYiLCJhcHBpZCI6ImQwMDAwMDAwLTAwMDAtNDAwMC04MDAwLTAwMDAwMDAwMDBkMiJ9.";

/// Validates, plans and judges; `program` is `cadastre`.
pub(super) fn run(program: &Path, dry_run: bool) -> anyhow::Result<()> {
    let provider = provider()?;
    let work = process::target_directory().join("deployment-azure");
    if work.exists() {
        fs::remove_dir_all(&work)?;
    }
    fs::create_dir_all(&work)?;
    let deployment = process::root().join("broker/deploy/azure");
    copy(&deployment, &work)?;
    let tokens = tokens()?;
    fs::write(
        work.join("offline_override.tf"),
        format!(
            "provider \"azurerm\" {{\n  use_msi = true\n  use_cli = false\n  msi_endpoint = \"{tokens}\"\n  \
             tenant_id = var.tenant_id\n  client_id = var.tenant_id\n  resource_provider_registrations = \"none\"\n}}\n"
        ),
    )?;
    let rules = work.join("terraform.rc");
    fs::write(
        &rules,
        format!(
            "provider_installation {{\n  dev_overrides {{\n    \"hashicorp/azurerm\" = \"{}\"\n  }}\n  direct {{}}\n}}\n",
            provider.display()
        ),
    )?;
    let terraform = |arguments: &[&str]| -> anyhow::Result<String> {
        let mut command = Command::new("terraform");
        command.args(arguments).current_dir(&work).env("TF_CLI_CONFIG_FILE", &rules);
        process::output(command.env("CHECKPOINT_DISABLE", "1").env("TF_IN_AUTOMATION", "1"))
    };
    process::output(Command::new("terraform").args(["fmt", "-check", "-recursive"]).arg(&deployment))?;
    terraform(&["get", "-no-color"])?;
    terraform(&["validate", "-no-color"])?;
    terraform(&[
        "plan",
        "-refresh=false",
        "-input=false",
        "-no-color",
        "-lock=false",
        "-var-file=example.tfvars",
        "-out=plan.bin",
    ])?;
    let plan = terraform(&["show", "-json", "plan.bin"])?;
    let file = work.join("plan.json");
    fs::write(&file, &plan)?;
    let mut judge = Command::new(program);
    judge.arg("plan").arg(&file).arg("-b").arg(work.join("boundary.yaml"));
    let judged = process::output(judge.args(["--format", "json", "--fail-on", "never"]))?;
    let judged: Value = serde_json::from_str(&judged).context("`cadastre plan` prints JSON")?;
    let plan: Value = serde_json::from_str(&plan).context("`terraform show` prints JSON")?;
    let page = page(&plan, &judged);
    if dry_run {
        print!("{page}");
    } else {
        fs::write(process::root().join("docs/deployment-azure.md"), page)?;
    }
    let red = list(&judged, "red_flags");
    ensure!(red.is_empty(), "red flags: {:#?}", red.iter().map(|flag| told(flag)).collect::<Vec<_>>());
    Ok(())
}

/// The folder with the provider's program, built where it is not there.
fn provider() -> anyhow::Result<PathBuf> {
    let directory = process::target_directory().join("parts/azurerm/bin");
    if !directory.join("terraform-provider-azurerm").exists() {
        eprintln!("building the provider; that takes a quarter of an hour, and once");
        fs::create_dir_all(&directory)?;
        let mut go = Command::new("go");
        go.args(["install", "-p", "2", "-ldflags=-s -w", PROVIDER]).env("GOFLAGS", "-mod=mod");
        process::run(go.current_dir(&directory).env("GOBIN", fs::canonicalize(&directory)?))?;
    }
    Ok(fs::canonicalize(directory)?)
}

/// An identity endpoint of this machine, for as long as this program runs: each request gets the token.
fn tokens() -> anyhow::Result<String> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("no free port")?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let asked =
                BufReader::new(&stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
            let _read = asked.count();
            let body =
                format!("{{\"access_token\":\"{TOKEN}\",\"token_type\":\"Bearer\",\"expires_in\":\"3600\"}}");
            let length = body.len();
            // Whoever hung up asks again.
            let _answered = write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            );
        }
    });
    Ok(format!("http://{address}"))
}

fn list<'a>(value: &'a Value, name: &str) -> Vec<&'a Value> {
    value.get(name).and_then(Value::as_array).into_iter().flatten().collect()
}

fn word<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn told(finding: &Value) -> String {
    format!("{} {}: {}", word(finding, "control"), word(finding, "subject"), word(finding, "message"))
}

/// `docs/deployment-azure.md`.
fn page(plan: &Value, judged: &Value) -> String {
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for change in list(plan, "resource_changes") {
        *kinds.entry(word(change, "type")).or_default() += 1;
    }
    let made: Vec<String> = kinds.iter().map(|(kind, count)| format!("{count} `{kind}`")).collect();
    let red: Vec<String> = list(judged, "red_flags").into_iter().map(told).collect();
    let unread = list(judged, "not_examined");
    let unread: std::collections::BTreeSet<&str> = unread
        .iter()
        .filter_map(|entry| word(entry, "address").rsplit('.').nth(1))
        .filter(|kind| kind.starts_with("azurerm_"))
        .collect();
    let unread: Vec<String> = unread.into_iter().map(|kind| format!("`{kind}`")).collect();
    let terraform = version();
    let moves = list(judged, "drift");
    let reached: Vec<String> = moves
        .iter()
        .filter(|moved| matches!(word(moved, "severity"), "critical" | "high"))
        .map(|moved| format!("- {}\n", word(moved, "message")))
        .collect();
    format!(
        "# The Azure deployment, validated and planned\n\n\
         `cargo xtask deployment --cloud azure` validates `broker/deploy/azure` and plans it with the values of its `example.tfvars`, by Terraform\n\
         {terraform} and the real `hashicorp/azurerm` provider ({PROVIDER_VERSION}, built from source), and judges the plan by `cadastre plan` against the\n\
         deployment's own `boundary.yaml`. No cloud was asked anything, and nothing was applied: what Azure itself would refuse, or do otherwise, is\n\
         not known from this.\n\n\
         The plan makes {} resources. Red flags: {}. Few controls judge Azure yet (KEY-04, NET-01, NET-07); what says most is who gains what by it.\n\
         Without a scan no control passes; {} findings are open until there is one. Whoever comes to reach plaintext:\n\n{}\n\
         Not read by `cadastre plan`, and so not judged: {}.\n\n## What would be made\n\n{}.\n",
        kinds.values().sum::<usize>(),
        if red.is_empty() { "none".to_owned() } else { red.join("; ") },
        list(judged, "unproven").len(),
        if reached.is_empty() { "- nobody\n".to_owned() } else { reached.concat() },
        if unread.is_empty() { "nothing".to_owned() } else { unread.join(", ") },
        made.join(", "),
    )
}

/// Terraform's version, or a blank.
fn version() -> String {
    let mut ask = Command::new("terraform");
    let told = process::output(ask.args(["version", "-json"]).stderr(Stdio::null())).unwrap_or_default();
    let told: Value = serde_json::from_str(&told).unwrap_or_default();
    word(&told, "terraform_version").to_owned()
}
