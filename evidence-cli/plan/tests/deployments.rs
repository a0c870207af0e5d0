//! The deployments that come with the broker, judged as plans: no red flag against the boundary that each expects.
//!
//! `fixtures/plans/deployment-*/plan.json` are plans of them as Terraform made them. Where Terraform and its providers lie on
//! this machine (`CADASTRE_TERRAFORM_PLUGINS`, a directory as `terraform init -plugin-dir` takes it), plans are made again.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on says so, and so does one that is skipped"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use cadastre_assess::{Options, assess};
use cadastre_model::checklist::Verdict;
use cadastre_model::declaration::Declaration;
use cadastre_model::inventory::Inventory;
use cadastre_plan::Plan;
use serde_json::Value;

/// Makes a provider answer without credentials and without asking anybody.
const OFFLINE: &str = r#"
provider "aws" {
  access_key                  = "testing"
  secret_key                  = "testing"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
  allowed_account_ids         = []
}
"#;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn recorded(name: &str) -> Vec<u8> {
    std::fs::read(root().join("fixtures/plans").join(format!("deployment-{name}")).join("plan.json")).unwrap()
}

/// What the plan would make, and every red flag of it.
fn judged(name: &str, plan: &[u8]) -> (Inventory, Vec<String>, Vec<String>) {
    let boundary = root().join("broker/deploy").join(name).join("boundary.yaml");
    let declaration = Declaration::read(&boundary).unwrap();
    let plan = Plan::parse(plan).unwrap();
    let at = plan.made_at().unwrap();
    let projection = plan.project(None, &declaration, at).unwrap();
    let options = Options { as_of: Some(at), is_ahead: true, ..Options::with_builtin_policies().unwrap() };
    let after = assess(&projection.after, &Plan::accepted_by(&declaration), &options).unwrap();
    assert_eq!(after.errors, []);
    let red = after.checklist.controls.iter().flat_map(|control| {
        let findings = control.findings.iter().filter(|finding| finding.verdict == Verdict::RedFlag);
        findings.map(|finding| format!("{} {}: {}", control.id, finding.subject, finding.message))
    });
    let unread = projection.not_examined.iter().map(|entry| format!("{}: {}", entry.address, entry.reason));
    (after.inventory, red.collect(), unread.collect())
}

#[test]
fn the_aws_deployment_has_no_red_flag() {
    let (inventory, red, unread) = judged("aws", &recorded("aws"));
    assert!(red.is_empty(), "{red:#?}");
    // Judged, and not merely overlooked.
    assert_eq!(inventory.instances.len(), 3, "{unread:#?}");
    assert_eq!(inventory.buckets.len(), 2);
    assert_eq!(inventory.endpoints.len(), 6);
    assert!(inventory.keys.len() >= 2);
    assert!(!inventory.trails.is_empty() && !inventory.flow_logs.is_empty());
}

#[test]
fn the_azure_deployment_has_no_red_flag_and_lets_brokers_alone_reach_records() {
    let (inventory, red, unread) = judged("azure", &recorded("azure"));
    assert!(red.is_empty(), "{red:#?}");
    // Judged, and not merely overlooked.
    let azure = &inventory.azure;
    assert_eq!((azure.machines.len(), azure.keys.len(), azure.vaults.len()), (3, 2, 1), "{unread:#?}");
    assert_eq!(azure.private_endpoints.len(), 2);
    assert!(azure.public_addresses.is_empty() && azure.nat_gateways.is_empty());
    let records = azure.storage_accounts.iter().find(|account| account.id.ends_with("paymentskafkadata"));
    assert!(records.unwrap().key.as_ref().unwrap().contains("/keys/data"));
    let broker = "azurerm_user_assigned_identity.broker.principal_id";
    let of_broker = azure.role_assignments.iter().filter(|assignment| assignment.principal == broker);
    assert_eq!(of_broker.count(), 2);
}

/// Every red flag that one change to the recorded plan causes.
#[track_caller]
fn sabotaged(name: &str, pointer: &str, value: Value, expected: &str) {
    let mut plan: Value = serde_json::from_slice(&recorded(name)).unwrap();
    let mut hits = 0;
    for change in plan["resource_changes"].as_array_mut().unwrap() {
        let (address, pointer) = pointer.split_once('#').unwrap();
        if change["address"] == address {
            *change.pointer_mut(pointer).unwrap() = value.clone();
            hits += 1;
        }
    }
    assert_eq!(hits, 1, "{pointer}");
    let (_, red, _) = judged(name, plan.to_string().as_bytes());
    assert!(red.iter().any(|flag| flag.starts_with(expected)), "{expected} is not among {red:#?}");
}

#[test]
fn what_would_open_the_aws_deployment_is_a_red_flag() {
    sabotaged(
        "aws",
        "aws_vpc_endpoint.objects#/change/after/policy",
        Value::from(
            "{\"Version\": \"2012-10-17\", \"Statement\": [{\"Effect\": \"Allow\", \"Principal\": \"*\", \"Action\": \"*\", \"Resource\": \"*\"}]}",
        ),
        "NET-03",
    );
    sabotaged(
        "aws",
        "aws_vpc_security_group_egress_rule.sequencer#/change/after/cidr_ipv4",
        Value::from("0.0.0.0/0"),
        "NET-04",
    );
    sabotaged(
        "aws",
        "aws_cloudtrail.this#/change/after/enable_log_file_validation",
        Value::from(false),
        "AUD-03",
    );
    sabotaged("aws", "aws_kms_key.data#/change/after/enable_key_rotation", Value::from(false), "KEY-04");
}

#[test]
fn a_key_of_the_azure_deployment_that_does_not_rotate_is_a_red_flag() {
    sabotaged(
        "azure",
        "azurerm_key_vault_key.data#/change/after/rotation_policy",
        serde_json::json!([]),
        "KEY-04",
    );
}

/// Terraform with its providers, or the reason why there is none.
fn plugins() -> Result<PathBuf, String> {
    let plugins = std::env::var_os("CADASTRE_TERRAFORM_PLUGINS")
        .ok_or("skipped: CADASTRE_TERRAFORM_PLUGINS is not set")?;
    match Command::new("terraform").arg("version").output() {
        Ok(output) if output.status.success() => Ok(plugins.into()),
        _ => Err("skipped: terraform is not on this machine".to_owned()),
    }
}

#[track_caller]
fn terraform(directory: &Path, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new("terraform")
        .args(arguments)
        .current_dir(directory)
        .env("CHECKPOINT_DISABLE", "1")
        .env("TF_IN_AUTOMATION", "1")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "terraform {arguments:?}: {told}");
    output.stdout
}

/// Copies a configuration with its modules.
fn copy(source: &Path, target: &Path) {
    std::fs::create_dir_all(target).unwrap();
    for entry in std::fs::read_dir(source).unwrap() {
        let path = entry.unwrap().path();
        let target = target.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}

fn addresses(plan: &[u8]) -> BTreeSet<String> {
    let plan: Value = serde_json::from_slice(plan).unwrap();
    let changes = plan["resource_changes"].as_array().unwrap();
    changes.iter().map(|change| change["address"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_aws_deployment_validates_and_plans_to_what_was_recorded() {
    let plugins = match plugins() {
        Ok(plugins) => plugins.display().to_string(),
        Err(reason) => return eprintln!("{reason}"),
    };
    let source = root().join("broker/deploy/aws");
    let directory = tempfile::tempdir().unwrap();
    copy(&source, directory.path());
    std::fs::write(directory.path().join("offline_override.tf"), OFFLINE).unwrap();
    let at = directory.path();
    terraform(at, &["init", "-input=false", "-no-color", &format!("-plugin-dir={plugins}")]);
    terraform(at, &["fmt", "-check", "-recursive", "-no-color", "."]);
    terraform(at, &["validate", "-no-color"]);
    terraform(
        at,
        &[
            "plan",
            "-refresh=false",
            "-input=false",
            "-no-color",
            "-lock=false",
            "-var-file=example.tfvars",
            "-out=plan.bin",
        ],
    );
    let plan = terraform(at, &["show", "-json", "plan.bin"]);
    assert_eq!(addresses(&plan), addresses(&recorded("aws")), "the recorded plan is not of this deployment");
    let (_, red, _) = judged("aws", &plan);
    assert!(red.is_empty(), "{red:#?}");
}

#[test]
fn the_service_is_one_that_systemd_accepts() {
    let unit = std::fs::read_to_string(root().join("broker/deploy/systemd/cadastre-broker.service")).unwrap();
    // The program need not be installed where this runs.
    let unit = unit.replace("/usr/bin/cadastre-broker", "/bin/true");
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("cadastre-broker.service");
    std::fs::write(&file, unit).unwrap();
    match Command::new("systemd-analyze").arg("verify").arg(&file).output() {
        Err(_) => eprintln!("skipped: systemd-analyze is not on this machine"),
        Ok(output) => {
            let told = String::from_utf8_lossy(&output.stderr);
            let about: Vec<&str> =
                told.lines().filter(|line| line.contains("cadastre-broker.service")).collect();
            assert!(output.status.success() && about.is_empty(), "{told}");
        }
    }
}

#[test]
fn what_compose_starts_has_no_capability_no_password_and_no_way_in_from_outside() {
    let text = std::fs::read_to_string(root().join("broker/deploy/compose/compose.yaml")).unwrap();
    let compose: Value = serde_saphyr::from_str(&text).unwrap();
    let services = compose["services"].as_object().unwrap();
    assert_eq!(services.len(), 3);
    for (name, service) in services {
        assert_eq!(service["cap_drop"], serde_json::json!(["ALL"]), "{name}");
        assert_eq!(service["security_opt"], serde_json::json!(["no-new-privileges:true"]), "{name}");
        let image = service["image"].as_str().unwrap();
        assert!(
            image.starts_with("${") && image.contains(":?"),
            "{name}: {image} is pinned by whoever deploys"
        );
        for port in service["ports"].as_array().into_iter().flatten() {
            assert!(port.as_str().unwrap().starts_with("127.0.0.1:"), "{name}: {port}");
        }
        for (variable, value) in service["environment"].as_object().into_iter().flatten() {
            let is_password = variable.contains("PASSWORD") && !variable.ends_with("_FILE");
            assert!(!is_password, "{name}: {variable}={value}");
        }
    }
    for (name, broker) in services.iter().filter(|(name, _)| name.starts_with("broker")) {
        assert_eq!(broker["read_only"], true, "{name}");
        assert_eq!(broker["user"], "65532:65532", "{name}");
    }
}

/// Everything that the chart renders with its example values, by kind and name.
fn rendered() -> Vec<Value> {
    let text = std::fs::read_to_string(root().join("fixtures/helm/payments.yaml")).unwrap();
    let documents: Vec<Value> = text
        .split("\n---\n")
        .filter_map(|document| serde_saphyr::from_str::<Option<Value>>(document).unwrap())
        .collect();
    assert_eq!(documents.len(), 12);
    documents
}

fn of_kind<'a>(documents: &'a [Value], kind: &str) -> Vec<&'a Value> {
    documents.iter().filter(|document| document["kind"] == kind).collect()
}

#[test]
fn what_the_chart_starts_has_no_capability_no_writable_root_and_an_image_by_digest() {
    let documents = rendered();
    let brokers = of_kind(&documents, "StatefulSet");
    assert_eq!(brokers.len(), 3);
    for broker in brokers {
        let pod = &broker["spec"]["template"]["spec"];
        assert_eq!(pod["automountServiceAccountToken"], false);
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
        assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
        assert!(pod.get("hostNetwork").is_none() && pod.get("hostPID").is_none());
        assert!(pod["volumes"].as_array().unwrap().iter().all(|volume| volume.get("hostPath").is_none()));
        for container in pod["containers"].as_array().unwrap() {
            let context = &container["securityContext"];
            assert_eq!(context["readOnlyRootFilesystem"], true);
            assert_eq!(context["allowPrivilegeEscalation"], false);
            assert_eq!(context["capabilities"], serde_json::json!({"drop": ["ALL"]}));
            assert!(container["image"].as_str().unwrap().contains("@sha256:"));
            assert!(container.get("env").is_none(), "no secret is an environment variable");
        }
    }
    assert!(of_kind(&documents, "Secret").is_empty(), "secrets are made by others");
    assert!(of_kind(&documents, "Service").iter().all(|service| service["spec"]["type"] == "ClusterIP"));
    assert!(documents.iter().all(|document| !document["kind"].as_str().unwrap().contains("Role")));
}

#[test]
fn brokers_of_the_chart_reach_declared_ranges_and_each_other_only() {
    let documents = rendered();
    let [policy] = of_kind(&documents, "NetworkPolicy")[..] else { panic!("one policy") };
    assert_eq!(policy["spec"]["policyTypes"], serde_json::json!(["Ingress", "Egress"]));
    let text = policy.to_string();
    assert!(!text.contains("0.0.0.0/0") && !text.contains("::/0"), "{text}");
    let declaration = Declaration::read(&root().join("broker/deploy/helm/boundary.yaml")).unwrap();
    for direction in ["ingress", "egress"] {
        let peer = if direction == "ingress" { "from" } else { "to" };
        for rule in policy["spec"][direction].as_array().unwrap() {
            assert!(!rule["ports"].as_array().unwrap().is_empty());
            for end in rule[peer].as_array().unwrap() {
                let Some(range) = end["ipBlock"]["cidr"].as_str() else { continue };
                let range: ipnet::IpNet = range.parse().unwrap();
                let known = declaration.networks.iter().flat_map(|network| &network.cidrs);
                let mut known = known.filter(|known| known.contains(&range) || range.contains(*known));
                assert!(known.next().is_some(), "{range} is no declared network");
            }
        }
    }
}

#[test]
fn the_chart_renders_to_what_was_recorded_and_refuses_values_that_leave_something_open() {
    let chart = root().join("broker/deploy/helm");
    let helm = |values: &[&str]| {
        let chart = chart.display().to_string();
        let arguments = ["template", "payments", &chart, "-n", "kafka", "--kube-version", "1.30.0"];
        Command::new("helm").args(arguments).args(values).output()
    };
    let example = chart.join("example-values.yaml").display().to_string();
    let Ok(output) = helm(&["-f", &example]) else {
        return eprintln!("skipped: helm is not on this machine");
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let recorded = std::fs::read(root().join("fixtures/helm/payments.yaml")).unwrap();
    assert_eq!(output.stdout, recorded, "fixtures/helm/payments.yaml is not of this chart");
    for open in ["image=broker:latest", "endpoints={0.0.0.0/0}", "clients.ranges={0.0.0.0/0}", "surprise=1"] {
        let output = helm(&["-f", &example, "--set", open]).unwrap();
        assert!(!output.status.success(), "{open} was accepted");
    }
}
