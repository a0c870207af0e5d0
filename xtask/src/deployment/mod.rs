//! `cargo xtask deployment`: the AWS deployment as Terraform applies it, in moto, scanned, exercised and judged.
//!
//! Terraform makes every resource itself; nothing is seeded but what the deployment takes as given. No machine of moto's runs
//! anything, so that three bundled brokers on this machine stand in for those of the deployment, at the same addresses, in a network
//! namespace of their own. That needs root and iproute2. The result is written to `docs/deployment.md`.

mod azure;
mod page;
mod stand_in;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail, ensure};
use clap::{Args, ValueEnum};
use serde_json::Value;

use self::page::Judged;
use self::stand_in::{ADDRESSES, Review};
use crate::namespace::Namespace;
use crate::parts::Parts;
use crate::process;
use crate::prove::Programs;
use crate::prove_ground::Work;
use crate::reference_account::{Server, script, signed_in};

/// What to apply with.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Whose deployment; Azure's is planned and not applied
    #[arg(long, value_enum, default_value_t)]
    cloud: Cloud,
    /// Directory of providers, as `terraform init -plugin-dir` takes it
    #[arg(long, value_name = "DIR", env = "CADASTRE_TERRAFORM_PLUGINS")]
    plugins: Option<PathBuf>,
    /// Where `cadastre` and `cadastre-broker` lie already; they are built unless given
    #[arg(long, value_name = "DIR")]
    programs: Option<PathBuf>,
    /// Leave docs/deployment.md as it is
    #[arg(long)]
    dry_run: bool,
    /// Everything runs in the namespace already
    #[arg(long, hide = true, requires = "programs")]
    in_namespace: bool,
}

/// Whose cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Cloud {
    /// Amazon Web Services
    #[default]
    Aws,
    /// Microsoft Azure
    Azure,
}

/// The services that Terraform is pointed to.
const SERVICES: [&str; 9] = ["cloudtrail", "cloudwatch", "ec2", "events", "iam", "kms", "logs", "s3", "sns"];

/// Builds what there is to build, and does the rest where the brokers' addresses are.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    ensure!(process::exists("terraform"), "no `terraform` on the PATH");
    if options.cloud == Cloud::Azure {
        let programs = Programs::find(options.programs.as_deref(), false)?;
        return azure::run(&programs.cadastre, options.dry_run);
    }
    let Some(plugins) = &options.plugins else {
        bail!("name the directory of Terraform's providers by CADASTRE_TERRAFORM_PLUGINS");
    };
    let parts = Parts::prepare()?;
    let programs = Programs::find(options.programs.as_deref(), false)?;
    if options.in_namespace {
        return review(options, plugins, &parts, programs);
    }
    let directory = programs.cadastre.parent().context("the program lies nowhere")?;
    let namespace = Namespace::create(&ADDRESSES)?;
    let this = std::env::current_exe().context("cannot find this program")?;
    let mut inside = namespace.command(&this);
    inside.args(["deployment", "--in-namespace", "--plugins"]).arg(plugins).arg("--programs").arg(directory);
    if options.dry_run {
        inside.arg("--dry-run");
    }
    process::run(&mut inside)
}

/// Applies, scans, exercises and judges.
fn review(options: &Options, plugins: &Path, parts: &Parts, programs: Programs) -> anyhow::Result<()> {
    let Some(python) = &parts.python else { bail!("the account needs moto") };
    let Some(libraries) = parts.kafka_libraries() else {
        bail!("administering the brokers needs Kafka's tools")
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
    let ground = Work::new()?;
    let review = Review {
        programs,
        python: python.clone(),
        libraries: libraries.to_owned(),
        directory: ground.directory("review")?,
        endpoint: server.line.clone(),
    };
    let checklist = review.judge(image, &given)?;
    let judged = Judged::read(&checklist)?;
    let page = page::text(&judged, &resources);
    if options.dry_run {
        print!("{page}");
    } else {
        fs::write(process::root().join("docs/deployment.md"), page)?;
    }
    ensure!(judged.red.is_empty(), "red flags: {:#?}", judged.red);
    let open = judged.open_of(&["OPS", "SEM", "EXT"]);
    ensure!(open.is_empty(), "not proven, though nothing of it needs a real cloud: {open:#?}");
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
