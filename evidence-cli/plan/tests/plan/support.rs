//! Plans over the recorded reference account, made from what the recording holds, and what they change.

use std::path::Path;
use std::sync::OnceLock;

use cadastre_graph::Drift;
use cadastre_model::Timestamp;
use cadastre_model::declaration::Declaration;
use cadastre_model::evidence::Evidence;
use cadastre_model::graph::BoundaryGraph;
use cadastre_offline::OfflineFile;
use cadastre_plan::{Plan, Projection};
use serde_json::{Map, Value, json};

pub(crate) const ACCOUNT: &str = "111122223333";
pub(crate) const DATA_BUCKET: &str = "payments-kafka-data-111122223333";
pub(crate) const LOG_BUCKET: &str = "payments-kafka-logs-111122223333";
pub(crate) const VENDOR: &str = "arn:aws:iam::999988887777:role/streamco-control-plane";

/// The recorded account and its declaration.
pub(crate) struct Recording {
    pub(crate) evidence: Evidence,
    pub(crate) declaration: Declaration,
    pub(crate) graph: BoundaryGraph,
}

/// The files of an Azure subscription with their declaration.
pub(crate) fn azure() -> &'static Recording {
    static RECORDING: OnceLock<Recording> = OnceLock::new();
    RECORDING.get_or_init(|| {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/azure");
        let at = Timestamp::from_seconds(1_795_000_000).unwrap();
        let root = directory.join("evidence");
        let (mut files, mut waiting) = (Vec::new(), vec![root.clone()]);
        while let Some(directory) = waiting.pop() {
            for entry in std::fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    waiting.push(path);
                    continue;
                }
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                files.push(OfflineFile {
                    path: name,
                    content: std::fs::read(&path).unwrap(),
                    written_at: at,
                });
            }
        }
        let records = cadastre_offline::read(&files).unwrap().records;
        let evidence = Evidence::from_records(records, "0", at, at, true);
        let declaration = Declaration::read(&directory.join("boundary.yaml")).unwrap();
        let graph = graph(&evidence, &declaration);
        Recording { evidence, declaration, graph }
    })
}

pub(crate) fn recording() -> &'static Recording {
    static RECORDING: OnceLock<Recording> = OnceLock::new();
    RECORDING.get_or_init(|| {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/clean");
        let evidence = Evidence::read(&directory.join("evidence")).unwrap();
        let declaration = Declaration::read(&directory.join("boundary.yaml")).unwrap();
        let graph = graph(&evidence, &declaration);
        Recording { evidence, declaration, graph }
    })
}

/// Everything up to the graph, without the controls.
pub(crate) fn graph(evidence: &Evidence, declaration: &Declaration) -> BoundaryGraph {
    let inventory = cadastre_assess::inventory(evidence.records(), declaration);
    let access = cadastre_assess::access(&inventory, declaration);
    let reachability = cadastre_network::reachability(&inventory);
    cadastre_assess::graph(&inventory, &access, &reachability, declaration)
}

/// The response of a recorded call about a subject that ends in `subject`.
pub(crate) fn response(operation: &str, subject: &str) -> Value {
    let records = recording().evidence.records();
    let found =
        records.iter().find(|record| record.operation == operation && record.subject.ends_with(subject));
    found.unwrap_or_else(|| panic!("no {operation} about {subject}")).response.clone()
}

/// The element of a recorded list whose member has this value.
pub(crate) fn element(operation: &str, list: &str, member: &str, value: &str) -> Value {
    let records = recording().evidence.records();
    let mut elements = records
        .iter()
        .filter(|record| record.operation == operation)
        .flat_map(|record| record.response[list].as_array().cloned().unwrap_or_default());
    elements.find(|element| element[member] == value).unwrap_or_else(|| panic!("no {value} in {list}"))
}

pub(crate) fn bucket_policy(bucket: &str) -> Value {
    response("s3:GetBucketPolicy", bucket)["Policy"].clone()
}

/// The ARN of the key that an alias points at.
pub(crate) fn key(alias: &str) -> String {
    let target = element("kms:ListAliases", "Aliases", "AliasName", alias)["TargetKeyId"].clone();
    format!("arn:aws:kms:eu-central-1:{ACCOUNT}:key/{}", target.as_str().unwrap())
}

pub(crate) fn key_policy(arn: &str) -> Value {
    response("kms:GetKeyPolicy", arn)["Policy"].clone()
}

/// The id of a named security group, subnet, …
pub(crate) fn group(name: &str) -> String {
    element("ec2:DescribeSecurityGroups", "SecurityGroups", "GroupName", name)["GroupId"]
        .as_str()
        .unwrap()
        .to_owned()
}

pub(crate) fn vpc() -> String {
    response("ec2:DescribeVpcs", "eu-central-1")["Vpcs"][0]["VpcId"].as_str().unwrap().to_owned()
}

/// A document with one statement more.
pub(crate) fn with_statement(document: &Value, statement: Value) -> Value {
    let mut document = document.clone();
    document["Statement"].as_array_mut().unwrap().push(statement);
    document
}

/// One resource's change, as a plan shows it.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(crate) address: String,
    pub(crate) before: Value,
    pub(crate) after: Value,
    pub(crate) unknown: Value,
    pub(crate) expressions: Value,
}

/// A change of what exists. Policies are given as JSON and written as text, as Terraform does.
pub(crate) fn change(address: &str, before: Value, after: Value) -> Change {
    Change {
        address: address.to_owned(),
        before: texts(before),
        after: texts(after),
        unknown: json!({}),
        expressions: json!({}),
    }
}

pub(crate) fn create(address: &str, after: Value) -> Change {
    change(address, Value::Null, after)
}

impl Change {
    /// Arguments that are known only after apply, with what their expressions refer to.
    pub(crate) fn unknown(mut self, argument: &str, references: &[&str]) -> Self {
        self.unknown[argument] = json!(true);
        if !references.is_empty() {
            self.expressions[argument] = json!({"references": references});
        }
        if let Value::Object(members) = &mut self.after {
            members.remove(argument);
        }
        self
    }

    fn reversed(&self) -> Self {
        Self { before: self.after.clone(), after: self.before.clone(), ..self.clone() }
    }
}

fn texts(mut values: Value) -> Value {
    for member in ["policy", "assume_role_policy"] {
        if let Some(document) = values.get_mut(member).filter(|value| value.is_object()) {
            *document = json!(document.to_string());
        }
    }
    values
}

/// A plan of these changes, as `terraform show -json` prints it.
pub(crate) fn document(changes: &[Change]) -> Value {
    let mut resources = Vec::new();
    let mut configured: Vec<Value> = Vec::new();
    for change in changes {
        let (data, local) = match change.address.strip_prefix("data.") {
            Some(local) => (true, local),
            None => (false, change.address.as_str()),
        };
        let (kind, name) = local.split_once('.').unwrap();
        let actions = match (data, change.before.is_null(), change.after.is_null()) {
            (true, ..) => json!(["read"]),
            (_, true, _) => json!(["create"]),
            (_, _, true) => json!(["delete"]),
            _ if change.before == change.after => json!(["no-op"]),
            _ => json!(["update"]),
        };
        resources.push(json!({
            "address": change.address, "mode": if data { "data" } else { "managed" }, "type": kind, "name": name,
            "provider_name": "registry.terraform.io/hashicorp/aws",
            "change": {"actions": actions, "before": change.before, "after": change.after,
                "after_unknown": change.unknown, "before_sensitive": {}, "after_sensitive": {}}}));
        let mut expressions: Map<String, Value> = change.expressions.as_object().cloned().unwrap_or_default();
        for (argument, value) in change.after.as_object().into_iter().flatten() {
            let constant = || match value {
                Value::Array(blocks) if blocks.iter().any(Value::is_object) => {
                    blocks.iter().map(|_| json!({})).collect()
                }
                value => json!({"constant_value": value}),
            };
            expressions.entry(argument.clone()).or_insert_with(constant);
        }
        configured.push(
            json!({"address": change.address, "mode": if data { "data" } else { "managed" }, "type": kind,
            "name": name, "provider_config_key": "aws", "expressions": expressions}),
        );
    }
    json!({"format_version": "1.2", "terraform_version": "1.13.3", "timestamp": "2026-11-21T12:30:00Z", "errored": false,
        "complete": true, "applyable": true, "resource_changes": resources,
        "configuration": {"provider_config": {"aws": {"name": "aws", "full_name": "registry.terraform.io/hashicorp/aws",
            "expressions": {"region": {"constant_value": "eu-central-1"}}}},
            "root_module": {"resources": configured}}})
}

pub(crate) fn plan(changes: &[Change]) -> Plan {
    Plan::parse(document(changes).to_string().as_bytes()).unwrap()
}

pub(crate) fn project_over(evidence: &Evidence, declaration: &Declaration, changes: &[Change]) -> Projection {
    let at = evidence.manifest().finished_at;
    plan(changes).project(Some(evidence), declaration, at).unwrap()
}

pub(crate) fn project(changes: &[Change]) -> Projection {
    project_in(recording(), changes)
}

pub(crate) fn project_in(recorded: &Recording, changes: &[Change]) -> Projection {
    project_over(&recorded.evidence, &recorded.declaration, changes)
}

/// What the changes do to the boundary, and that taking them back restores it.
pub(crate) struct Moves {
    pub(crate) there: Vec<Drift>,
    pub(crate) back: Vec<Drift>,
}

pub(crate) fn moves_in(recorded: &Recording, changes: &[Change]) -> Moves {
    let there = project_in(recorded, changes);
    assert!(there.unresolved.is_empty(), "{:?}", there.unresolved);
    assert!(there.not_examined.is_empty(), "{:?}", there.not_examined);
    let after = graph(&there.after, &recorded.declaration);
    let reversed: Vec<Change> = changes.iter().map(Change::reversed).collect();
    let back = project_over(&there.after, &recorded.declaration, &reversed);
    assert!(back.unresolved.is_empty(), "{:?}", back.unresolved);
    let restored = graph(&back.after, &recorded.declaration);
    let rest = cadastre_graph::diff(&recorded.graph, &restored);
    assert!(rest.is_empty(), "taking it back leaves {}", words(&rest));
    Moves {
        there: cadastre_graph::diff(&recorded.graph, &after),
        back: cadastre_graph::diff(&after, &restored),
    }
}

pub(crate) fn words(drift: &[Drift]) -> String {
    drift.iter().map(|change| format!("{:?} {}\n", change.severity, change.message)).collect()
}

/// The changes say this when they are made, and that when they are taken back.
#[track_caller]
pub(crate) fn check(changes: &[Change], there: &[&str], back: &[&str]) {
    check_in(recording(), changes, there, back);
}

/// The same over another recording.
#[track_caller]
pub(crate) fn check_in(recorded: &Recording, changes: &[Change], there: &[&str], back: &[&str]) {
    let moves = moves_in(recorded, changes);
    for expected in there {
        let said = moves.there.iter().any(|change| change.message.contains(expected));
        assert!(said, "`{expected}` is not said of the change:\n{}", words(&moves.there));
    }
    for expected in back {
        let said = moves.back.iter().any(|change| change.message.contains(expected));
        assert!(said, "`{expected}` is not said of taking it back:\n{}", words(&moves.back));
    }
}

/// The changes say nothing at all.
#[track_caller]
pub(crate) fn silent(changes: &[Change]) {
    silent_in(recording(), changes);
}

/// The same over another recording.
#[track_caller]
pub(crate) fn silent_in(recorded: &Recording, changes: &[Change]) {
    let projection = project_in(recorded, changes);
    let after = graph(&projection.after, &recorded.declaration);
    let drift = cadastre_graph::diff(&recorded.graph, &after);
    assert!(drift.is_empty(), "{}", words(&drift));
    assert!(projection.unresolved.is_empty(), "{:?}", projection.unresolved);
}
