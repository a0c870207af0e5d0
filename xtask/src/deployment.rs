//! `cargo xtask deployment`: the AWS deployment as Terraform applies it, in moto, scanned, exercised and judged.
//!
//! Terraform makes every resource itself; nothing is seeded but what the deployment takes as given. No machine of moto's runs
//! anything, so that a bundled broker on this machine stands in for the three: what is said of Kafka is said of it. The
//! result is written to `docs/deployment.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail, ensure};
use clap::Args;
use serde_json::Value;

use crate::parts::Parts;
use crate::process;
use crate::reference_account::{Server, script, signed_in};

/// What to apply with.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Directory of providers, as `terraform init -plugin-dir` takes it
    #[arg(long, value_name = "DIR", env = "CADASTRE_TERRAFORM_PLUGINS")]
    plugins: Option<PathBuf>,
    /// The program to judge with; built unless given
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// Leave docs/deployment.md as it is
    #[arg(long)]
    dry_run: bool,
}

/// The image that the declaration beside the deployment names; moto gives another id.
const IMAGE: &str = "ami-0123456789abcdef0";

/// The services that Terraform is pointed to.
const SERVICES: [&str; 9] = ["cloudtrail", "cloudwatch", "ec2", "events", "iam", "kms", "logs", "s3", "sns"];

/// What stays unproven here, and why: nothing that the deployment or its owner can mend.
const NEEDS_MORE: [(&str, &str); 2] = [
    ("OPS-01", "the drill `upgrade-rollback` needs the program of a version before this one"),
    ("OPS-05", "the drill `scale-out` needs a cluster; the stand-in is one broker"),
];

/// Applies, scans, exercises and judges.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let Some(plugins) = &options.plugins else {
        bail!("name the directory of Terraform's providers by CADASTRE_TERRAFORM_PLUGINS");
    };
    ensure!(process::exists("terraform"), "no `terraform` on the PATH");
    let parts = Parts::prepare()?;
    let Some(python) = &parts.python else { bail!("the account needs moto") };
    let program = match &options.program {
        Some(program) => program.clone(),
        None => {
            process::run(process::cargo().args(["build", "--package", "cadastre"]))?;
            process::target_directory().join("debug/cadastre")
        }
    };
    let work = process::target_directory().join("deployment");
    if work.exists() {
        fs::remove_dir_all(&work)?;
    }
    fs::create_dir_all(&work)?;

    let server = Server::start(Command::new(python).arg("-B").arg(script("server.py")), |_| true)?;
    let given = process::output(
        Command::new(python)
            .arg("-B")
            .arg(process::root().join("fixtures/deployment-aws/prerequisites.py"))
            .args(["--endpoint-url", &server.line]),
    )?;
    let given: Value = serde_json::from_str(&given).context("prerequisites.py prints JSON")?;
    let image = given.pointer("/image").and_then(Value::as_str).context("no image")?;

    let resources = apply(&work.join("terraform"), plugins, &server.line, image, &given)?;
    let review = Review { program, directory: work.join("review"), endpoint: server.line.clone() };
    let checklist = review.judge(image, &given)?;
    let judged = Judged::read(&checklist)?;
    let page = page(&judged, &resources);
    if options.dry_run {
        print!("{page}");
    } else {
        fs::write(process::root().join("docs/deployment.md"), page)?;
    }
    ensure!(judged.red.is_empty(), "red flags: {:#?}", judged.red);
    let open: Vec<&String> = judged
        .open
        .keys()
        .filter(|id| ["OPS", "SEM", "EXT"].iter().any(|area| id.starts_with(area)))
        .filter(|id| NEEDS_MORE.iter().all(|(known, _)| known != id))
        .collect();
    ensure!(open.is_empty(), "not proven, and no reason is known: {open:?}");
    Ok(())
}

/// Applies a copy of the deployment, and counts what was made by its type.
fn apply(
    directory: &Path,
    plugins: &Path,
    endpoint: &str,
    image: &str,
    given: &Value,
) -> anyhow::Result<BTreeMap<String, usize>> {
    copy(&process::root().join("broker/deploy/aws"), directory)?;
    let mut provider = String::from(
        "provider \"aws\" {\n  skip_credentials_validation = true\n  skip_metadata_api_check = true\n  \
         skip_requesting_account_id = true\n  s3_use_path_style = true\n  allowed_account_ids = []\n  endpoints {\n",
    );
    for service in SERVICES.iter().chain(&["sts"]) {
        writeln!(provider, "    {service} = \"{endpoint}\"")?;
    }
    provider.push_str("  }\n}\n");
    fs::write(directory.join("endpoints_override.tf"), provider)?;
    let terraform = |arguments: &[&str]| -> anyhow::Result<String> {
        let mut command = Command::new("terraform");
        command.args(arguments).current_dir(directory).env("CHECKPOINT_DISABLE", "1");
        process::output(signed_in(command.env("TF_IN_AUTOMATION", "1"), given, "deployer")?)
    };
    let plugins = plugins.display();
    terraform(&["init", "-input=false", "-no-color", &format!("-plugin-dir={plugins}")])?;
    eprintln!("applying the deployment; the provider waits a minute for a lifecycle rule to settle");
    let image = format!("image={image}");
    terraform(&[
        "apply",
        "-auto-approve",
        "-input=false",
        "-no-color",
        "-lock=false",
        "-var-file=example.tfvars",
        "-var",
        &image,
    ])?;
    let mut made = BTreeMap::new();
    for address in terraform(&["state", "list"])?.lines() {
        let address = address.split('[').next().unwrap_or(address);
        let kind = address.rsplit_once('.').map_or(address, |(kind, _)| kind);
        let kind = kind.rsplit('.').next().unwrap_or(kind);
        if !address.contains("data.") {
            *made.entry(kind.to_owned()).or_default() += 1;
        }
    }
    Ok(made)
}

fn copy(source: &Path, target: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(target)?;
    for entry in fs::read_dir(source)? {
        let path = entry?.path();
        let to = target.join(path.file_name().unwrap_or_default());
        if path.is_dir() { copy(&path, &to)? } else { fs::copy(&path, &to).map(drop)? }
    }
    Ok(())
}

/// The reviewer's side: a folder with the declaration, documents, evidence and the stand-in's state.
struct Review {
    program: PathBuf,
    directory: PathBuf,
    endpoint: String,
}

impl Review {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).current_dir(&self.directory).env("NO_COLOR", "1");
        command
    }

    /// The checklist, after a scan and the drills.
    fn judge(&self, image: &str, given: &Value) -> anyhow::Result<Value> {
        fs::create_dir_all(&self.directory)?;
        let state = self.directory.display().to_string();
        process::output(&mut self.command(&["up", "--state", &state]))?;
        let worked = self.judge_running(image, given);
        let stopped = process::output(&mut self.command(&["down", "--state", &state]));
        let checklist = worked?;
        stopped?;
        Ok(checklist)
    }

    fn judge_running(&self, image: &str, given: &Value) -> anyhow::Result<Value> {
        self.declare(image)?;
        self.fill_in_documents()?;
        eprintln!("scanning");
        let scan = [
            "--quiet",
            "scan",
            "-b",
            "boundary.yaml",
            "-o",
            "evidence",
            "--aws-endpoint-url",
            &self.endpoint,
        ];
        process::output(signed_in(&mut self.command(&scan), given, "scanner")?)?;
        eprintln!("exercising the stand-in");
        // Which promise was broken, if any, is in the records, and the checklist says so.
        let mut prove = self.command(&["--quiet", "prove", "-b", "boundary.yaml", "-o", "evidence", "--yes"]);
        prove.stdout(std::process::Stdio::null()).status().context("cannot run prove")?;
        let check = ["check", "evidence", "-b", "boundary.yaml", "--format", "json", "--fail-on", "never"];
        let checklist = process::output(&mut self.command(&check))?;
        process::output(&mut self.command(&["report", "evidence", "-b", "boundary.yaml", "-o", "report"]))?;
        serde_json::from_str(&checklist).context("check prints JSON")
    }

    /// The deployment's own declaration, with the image that there is and the stand-in where its brokers would be.
    fn declare(&self, image: &str) -> anyhow::Result<()> {
        let file = self.directory.join("boundary.yaml");
        let local = fs::read_to_string(&file)?;
        let stand_in = local.split_once("clusters:\n").context("`up` declares a cluster")?.1;
        let declared = fs::read_to_string(process::root().join("broker/deploy/aws/boundary.yaml"))?;
        let (before, rest) =
            declared.split_once("clusters:\n").context("the deployment declares a cluster")?;
        let (_, after) = rest.split_once("\nlog-sinks:").context("the deployment declares log sinks")?;
        let (cluster, _) = rest.split_once("\nlog-sinks:").unwrap_or((rest, ""));
        let workloads = cluster.lines().skip_while(|line| *line != "    workloads:");
        let mut own: Vec<&str> = workloads.take(1).collect();
        own.extend(cluster.lines().filter(|line| line.starts_with("      - {principal:")));
        // What the deployment says of its brokers holds for whoever stands in for them.
        let overridden = ["    operating-model:", "    architecture:"];
        let stand_in: Vec<&str> =
            stand_in.lines().filter(|line| !overridden.iter().any(|own| line.starts_with(own))).collect();
        let stand_in = stand_in.join("\n").replace("name: local", "name: payments").replacen(
            "    tls:\n",
            &format!("{}\n    tls:\n", own.join("\n")),
            1,
        );
        let text = format!("{before}clusters:\n{stand_in}\nlog-sinks:{after}").replace(IMAGE, image);
        fs::write(file, text)?;
        Ok(())
    }

    /// `init --documents`, filled in: the same files with the same headings, in the words of the example's owners.
    fn fill_in_documents(&self) -> anyhow::Result<()> {
        process::output(&mut self.command(&["init", "--documents", "documents"]))?;
        let filled_in = process::root().join("fixtures/deployment-aws/documents");
        for entry in fs::read_dir(self.directory.join("documents"))? {
            let begun = entry?.path();
            let name = begun.file_name().unwrap_or_default();
            let text = fs::read_to_string(filled_in.join(name))
                .with_context(|| format!("{} is not filled in", name.to_string_lossy()))?;
            let (blank, own) = (headings(&fs::read_to_string(&begun)?), headings(&text));
            ensure!(blank.is_subset(&own), "{} leaves out {blank:?}", name.to_string_lossy());
            fs::write(&begun, text)?;
        }
        Ok(())
    }
}

/// Its headings of the second level.
fn headings(text: &str) -> BTreeSet<String> {
    text.lines().filter(|line| line.starts_with("## ")).map(str::to_owned).collect()
}

/// What came of it.
struct Judged {
    /// Number of controls by verdict.
    counts: BTreeMap<String, u64>,
    passed: Vec<String>,
    red: Vec<String>,
    /// Why a control is not proven: each message once.
    open: BTreeMap<String, BTreeSet<String>>,
}

impl Judged {
    fn read(checklist: &Value) -> anyhow::Result<Self> {
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
}

/// `docs/deployment.md`.
fn page(judged: &Judged, resources: &BTreeMap<String, usize>) -> String {
    let made: Vec<String> = resources.iter().map(|(kind, count)| format!("{count} `{kind}`")).collect();
    let counts: Vec<String> =
        judged.counts.iter().map(|(verdict, count)| format!("{count} {verdict}")).collect();
    let mut page = format!(
        "# The AWS deployment, applied and judged\n\n\
         `cargo xtask deployment` applies `broker/deploy/aws` with the values of its `example.tfvars` to a moto server by Terraform and the AWS\n\
         provider, scans it with `cadastre scan` as the read-only scanner, exercises it with `cadastre prove`, and judges it with\n\
         `cadastre check`, against the deployment's own `boundary.yaml`. Terraform made everything that was scanned: {} resources.\n\n\
         Two things stand in. The machine image has the id that moto gives. And as no machine of moto's runs anything, one broker that\n\
         `cadastre up` started on this machine stands where the three would be: what is said of Kafka, and every drill, is about it.\n\n\
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
    page.push_str("\nWhat of it no deployment in moto can settle:\n\n");
    for (id, why) in NEEDS_MORE.iter().filter(|(id, _)| judged.open.contains_key(*id)) {
        page.push_str(&format!("- {id}: {why}.\n"));
    }
    page.push_str(&format!("\n## What was made\n\n{}.\n", made.join(", ")));
    page
}
