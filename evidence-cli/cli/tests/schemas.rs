//! The published JSON Schemas: what the command prints of them, and that fixtures and outputs fit, and broken documents
//! do not. The validator is not ours; without it those tests are skipped, and say so.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that cannot go on says so, and so does one that is skipped"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn fixture(variant: &str, name: &str) -> String {
    root().join("fixtures").join(variant).join(name).display().to_string()
}

fn cadastre(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cadastre")).args(arguments).env("NO_COLOR", "1").output().unwrap()
}

/// A document that the command prints.
#[track_caller]
fn printed(arguments: &[&str]) -> Value {
    let output = cadastre(arguments);
    let stderr = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{arguments:?}: {error}\n{stderr}"))
}

/// A validator (`cargo xtask parts`), asked about one schema.
struct Validator {
    python: PathBuf,
    schema: &'static str,
}

impl Validator {
    fn of(schema: &'static str) -> Option<Self> {
        let python = std::env::var_os("CADASTRE_PYTHON").map(PathBuf::from);
        if python.is_none() {
            eprintln!("skipped: CADASTRE_PYTHON is not set; `cargo xtask test` sets it");
        }
        Some(Self { python: python?, schema })
    }

    #[track_caller]
    fn run(&self, verb: &str, documents: &[Value]) {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("documents.ndjson");
        let lines: String = documents.iter().map(|document| format!("{document}\n")).collect();
        std::fs::write(&file, lines).unwrap();
        let script = root().join("evidence-cli/report/tests/validators/validate.py");
        let output =
            Command::new(&self.python).arg(script).args([verb, self.schema]).arg(&file).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {stderr}", self.schema);
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), documents.len().to_string());
    }

    #[track_caller]
    fn accepts(&self, documents: &[Value]) {
        self.run("schema", documents);
    }

    /// Breaks a document that fits, in each of the ways, and expects every one to be refused. A change is a JSON pointer
    /// to something that exists, and what to put there; nothing for taking it away.
    #[track_caller]
    fn refuses(&self, fits: &Value, changes: &[(&str, Option<Value>)]) {
        self.accepts(std::slice::from_ref(fits));
        let broken: Vec<Value> = changes
            .iter()
            .map(|(pointer, change)| {
                let mut document = fits.clone();
                let (parent, member) = pointer.rsplit_once('/').unwrap();
                let parent = document.pointer_mut(parent).unwrap();
                match change {
                    Some(value) if parent.is_object() => parent[member] = value.clone(),
                    Some(value) => parent[member.parse::<usize>().unwrap()] = value.clone(),
                    None => assert!(parent.as_object_mut().unwrap().remove(member).is_some(), "{pointer}"),
                }
                document
            })
            .collect();
        self.run("refused", &broken);
    }
}

fn yaml(path: &str) -> Value {
    serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn schemas_are_listed_with_what_they_are_for() {
    let output = cadastre(&["schema"]);
    assert_eq!(output.status.code(), Some(0));
    insta::assert_snapshot!(String::from_utf8(output.stdout).unwrap());
}

#[test]
fn every_published_schema_is_printed_as_it_is_published() {
    let list = printed(&["schema", "--format", "json"]);
    let mut names: Vec<&str> =
        list.as_array().unwrap().iter().map(|entry| entry["name"].as_str().unwrap()).collect();
    for name in &names {
        let published = root().join("docs/formats/schemas").join(format!("{name}.schema.json"));
        assert_eq!(cadastre(&["schema", name]).stdout, std::fs::read(published).unwrap(), "{name}");
    }
    let mut published: Vec<String> = std::fs::read_dir(root().join("docs/formats/schemas"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap().replace(".schema.json", ""))
        .collect();
    published.sort();
    names.sort_unstable();
    assert_eq!(names, published);
}

#[test]
fn a_schema_that_does_not_exist_is_refused_with_those_that_do() {
    let output = cadastre(&["schema", "checklists"]);
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("no schema `checklists`: there are access-answer"), "{stderr}");
}

#[test]
fn declarations_fit_their_schema_and_broken_ones_do_not() {
    let Some(validator) = Validator::of("boundary") else { return };
    let directory = tempfile::tempdir().unwrap();
    let written = directory.path().join("boundary.yaml").display().to_string();
    assert_eq!(cadastre(&["init", "--offline", "-o", &written]).status.code(), Some(0));
    let clean = yaml(&fixture("clean", "boundary.yaml"));
    let mut exercised = clean.clone();
    let security = clean["clusters"][0]["security"].clone();
    exercised["clusters"][0]["operating-model"] = json!("self-managed");
    exercised["clusters"][0]["architecture"] = json!("shared-storage");
    exercised["clusters"][0]["environment"] = json!("non-production");
    exercised["clusters"][0]["drills"] = json!({
        "administrator": security, "denied": [{"security": security, "must-not": ["write"]}],
        "revocation-within": "5m", "hooks": {"kill-broker": ["ssh", "broker-{broker}", "kill"]},
    });
    validator.accepts(&[
        clean.clone(),
        exercised,
        yaml(&fixture("planted", "boundary.yaml")),
        yaml(&written),
    ]);
    validator.refuses(
        &clean,
        &[
            ("/schema", Some(json!("cadastre/boundary/v9"))),
            ("/name", None),
            ("/surprise", Some(json!([]))),
            ("/regions", Some(json!(7))),
            ("/accounts/0/provider", Some(json!("gcp"))),
            ("/limits", Some(json!({"access-key-age": 90}))),
            ("/clusters/0/security/protocol", Some(json!("sasl_ssl"))),
            ("/clusters/0/listeners/0/port", Some(json!(65_536))),
            ("/networks/0/cidrs", Some(json!(["10.0.0.0"]))),
            ("/keys/0/decrypt", None),
            ("/clusters/0/environment", Some(json!("staging"))),
            ("/clusters/0/architecture", Some(json!("clouds"))),
            ("/clusters/0/operating-model", Some(json!("shared-storage"))),
            ("/clusters/0/drills", Some(json!({"topic-prefix": "drill-"}))),
        ],
    );
}

#[test]
fn graphs_fit_their_schema_and_broken_ones_do_not() {
    let Some(validator) = Validator::of("graph") else { return };
    let graph = |variant: &str| {
        printed(&["graph", &fixture(variant, "evidence"), "-b", &fixture(variant, "boundary.yaml")])
    };
    let planted = graph("planted");
    assert!(!planted["paths"].as_array().unwrap().is_empty());
    validator.accepts(&[graph("clean"), planted.clone()]);
    validator.refuses(
        &planted,
        &[
            ("/nodes", None),
            ("/nodes/0/kind", Some(json!("bucket"))),
            ("/nodes/0/zone", Some(json!(1))),
            ("/edges/0/relation", Some(json!({"kind": "can"}))),
            ("/edges/0/decision", Some(json!("yes"))),
            ("/edges/0/evidence", Some(json!(["sha256:0"]))),
            ("/paths/0/decision", Some(json!("unknown"))),
            ("/paths/0/cut_at_least", Some(json!(-1))),
            ("/paths/0/steps/0/capability", None),
            ("/principals/0/surprise", Some(json!(null))),
        ],
    );
}

#[test]
fn reports_of_gates_fit_their_schema_and_broken_ones_do_not() {
    let Some(validator) = Validator::of("gate") else { return };
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state.json").display().to_string();
    let drift = |from: &str, to: &str| {
        let (baseline, evidence) = (fixture(from, "evidence"), fixture(to, "evidence"));
        let boundary = fixture("clean", "boundary.yaml");
        let told = ["--format", "json", "--state", &state, "--update-state"];
        printed(&[&["drift", "--baseline", &baseline, &evidence, "-b", &boundary], &told[..]].concat())
    };
    let opened = drift("clean", "planted");
    assert!(!opened["drift"].as_array().unwrap().is_empty());
    // Somebody accepts what was told; the next run remembers it, and the one after that has it resolved.
    let mut remembered: Value = serde_json::from_slice(&std::fs::read(&state).unwrap()).unwrap();
    for entry in remembered["entries"].as_object_mut().unwrap().values_mut() {
        entry["suppressed"] =
            json!({"reason": "agreed", "approver": "security", "expires": "2999-01-01T00:00:00Z"});
    }
    std::fs::write(&state, remembered.to_string()).unwrap();
    let accepted = drift("clean", "planted");
    assert_eq!(accepted["drift"][0]["suppressed"]["reason"], "agreed");
    let resolved = drift("clean", "clean");
    assert!(!resolved["resolved"].as_array().unwrap().is_empty());
    let planned = plan(directory.path());
    assert!(!planned["red_flags"].as_array().unwrap().is_empty(), "{planned}");
    validator.accepts(&[opened.clone(), accepted, resolved, drift("planted", "clean"), planned.clone()]);
    validator.refuses(
        &opened,
        &[
            ("/schema", Some(json!("cadastre/checklist/v1"))),
            ("/as_of", Some(json!("yesterday"))),
            ("/summary/opened", None),
            ("/drift/0/severity", Some(json!("severe"))),
            ("/drift/0/capability", None),
            ("/drift/0/state", Some(json!("gone"))),
            ("/drift/0/id", Some(json!("1"))),
            ("/drift/0/suppressed", Some(json!({"reason": "because"}))),
            ("/surprise", Some(json!(0))),
        ],
    );
    validator.refuses(
        &planned,
        &[("/red_flags/0/verdict", Some(json!("pass"))), ("/red_flags/0/fix", None), ("/not_examined", None)],
    );
}

/// What the command says of a plan that opens a bucket to everybody, and changes something that it does not know.
fn plan(directory: &Path) -> Value {
    const BUCKET: &str = "payments-kafka-data-111122223333";
    let open = json!({"Version": "2012-10-17", "Statement": [{"Sid": "Everybody", "Effect": "Allow",
        "Principal": "*", "Action": "s3:*", "Resource": [format!("arn:aws:s3:::{BUCKET}/*")]}]});
    let change = |kind: &str, before: Value, after: Value, unknown: Value| {
        json!({"address": format!("{kind}.this"), "mode": "managed", "type": kind, "name": "this",
            "provider_name": "registry.terraform.io/hashicorp/aws",
            "change": {"actions": ["update"], "before": before, "after": after, "after_unknown": unknown}})
    };
    let policy = |policy: &Value| json!({"bucket": BUCKET, "id": BUCKET, "policy": policy.to_string()});
    let document = json!({"format_version": "1.2", "terraform_version": "1.13.3",
    "timestamp": "2026-11-21T12:30:00Z", "errored": false, "configuration": {"root_module": {}},
    "resource_changes": [
        change("aws_s3_bucket_policy", policy(&json!({})), policy(&open), json!({})),
        change("aws_thing_nobody_knows", json!({}), json!({}), json!({})),
    ]});
    let path = directory.join("plan.json");
    std::fs::write(&path, document.to_string()).unwrap();
    let (evidence, boundary) = (fixture("clean", "evidence"), fixture("clean", "boundary.yaml"));
    let path = path.display().to_string();
    printed(&["plan", &path, "-b", &boundary, "--evidence", &evidence, "--format", "json"])
}

/// The first file of a packet: its entries are stored, one directly after the other.
fn first(packet: &Path, name: &str) -> Value {
    let bytes = std::fs::read(packet).unwrap();
    let size = usize::try_from(u32::from_le_bytes(bytes[18..22].try_into().unwrap())).unwrap();
    let name = name.as_bytes();
    assert_eq!(&bytes[30..30 + name.len()], name);
    serde_json::from_slice(&bytes[30 + name.len()..][..size]).unwrap()
}

#[test]
fn manifests_of_packets_fit_their_schema_and_broken_ones_do_not() {
    let Some(validator) = Validator::of("packet-manifest") else { return };
    let directory = tempfile::tempdir().unwrap();
    let packed = |variant: &str| {
        let packet = directory.path().join(format!("{variant}.zip"));
        let (evidence, boundary) = (fixture(variant, "evidence"), fixture(variant, "boundary.yaml"));
        let path = packet.display().to_string();
        let output = cadastre(&["packet", "create", &evidence, "-b", &boundary, "-o", &path]);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        first(&packet, "manifest.json")
    };
    let clean = packed("clean");
    validator.accepts(&[clean.clone(), packed("planted")]);
    validator.refuses(
        &clean,
        &[
            ("/schema", Some(json!("cadastre/packet/v2"))),
            ("/nonce", Some(json!("00"))),
            ("/previous", Some(json!("0".repeat(64)))),
            ("/evidence/outcomes", Some(json!({"guessed": 1}))),
            ("/evidence/merkle_root", None),
            ("/files/0/path", Some(json!("a\\b"))),
            ("/files/0/role", Some(json!("secret"))),
            ("/files/0/size", Some(json!(-1))),
            ("/surprise", Some(json!(0))),
        ],
    );
}

#[test]
fn accounts_of_redactions_fit_their_schema_and_broken_ones_do_not() {
    let Some(validator) = Validator::of("redaction") else { return };
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let succeeds = |arguments: &[&str]| {
        let output = cadastre(arguments);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    let (key, public) = (path("review.key"), path("review.pub"));
    std::fs::write(&key, ED25519).unwrap();
    restrict(Path::new(&key));
    std::fs::write(&public, succeeds(&["packet", "key", &key])).unwrap();
    let (evidence, boundary) = (fixture("planted", "evidence"), fixture("planted", "boundary.yaml"));
    let packet = path("packet.zip");
    succeeds(&["packet", "create", &evidence, "-b", &boundary, "-o", &packet, "--sign-key", &key]);
    let redacted = |name: &str, rules: &str| {
        let (file, output) = (path(&format!("{name}.yaml")), path(&format!("{name}.zip")));
        std::fs::write(&file, format!("schema: cadastre/redaction-rules/v1\n{rules}")).unwrap();
        succeeds(&["packet", "redact", &packet, "--rules", &file, "--public-key", &public, "-o", &output]);
        first(Path::new(&output), "redaction.json")
    };
    let names = redacted("names", "accounts: all\naddresses: all\nprincipals: all\n");
    for list in ["originals", "derived", "replaced", "withheld"] {
        assert!(!names[list].as_array().unwrap().is_empty(), "{list}");
    }
    validator.accepts(&[names.clone(), redacted("files", "withhold: {files: ['reports/*.csv']}\n")]);
    validator.refuses(
        &names,
        &[
            ("/schema", Some(json!("cadastre/packet/v1"))),
            ("/statement", Some(json!("0".repeat(64)))),
            ("/told/evidence/complete", None),
            ("/rules/accounts", Some(json!("111122223333"))),
            ("/originals/0/sha256", Some(json!("0"))),
            ("/derived/0/file/path", Some(json!("reports/report.html"))),
            ("/derived/0/reason", Some(json!("because"))),
            ("/replaced/0/by", Some(json!("record 1"))),
            ("/withheld/0/leaf", Some(json!(-1))),
            ("/surprise", Some(json!(0))),
        ],
    );
}

/// A key for tests alone (RFC 8410, section 10.3).
const ED25519: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";

/// Private keys that others can read are refused.
fn restrict(key: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(key, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
}

#[test]
fn states_of_gates_fit_their_schema_and_broken_ones_do_not() {
    let Some(validator) = Validator::of("gate-state") else { return };
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.json");
    let state = path.display().to_string();
    let boundary = fixture("clean", "boundary.yaml");
    let run = |from: &str, to: &str| -> Value {
        let (baseline, evidence) = (fixture(from, "evidence"), fixture(to, "evidence"));
        printed(&[
            "drift",
            "--baseline",
            &baseline,
            &evidence,
            "-b",
            &boundary,
            "--format",
            "json",
            "--state",
            &state,
            "--update-state",
        ]);
        serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap()
    };
    let mut told = run("clean", "planted");
    let entry = told["entries"].as_object().unwrap().keys().next().unwrap().clone();
    told["entries"][&entry]["suppressed"] =
        json!({"reason": "agreed", "approver": "security", "expires": "2999-01-01T00:00:00+01:00"});
    std::fs::write(&path, told.to_string()).unwrap();
    let gone = run("clean", "clean");
    assert!(gone["entries"][&entry]["resolved"].is_string(), "{gone}");
    validator.accepts(&[told.clone(), gone]);
    let at = |member: &str| format!("/entries/{entry}{member}");
    validator.refuses(
        &told,
        &[
            ("/schema", Some(json!("cadastre/gate-state/v2"))),
            ("/boundary", None),
            ("/entries/1", Some(told["entries"][&entry].clone())),
            (&at("/rule"), Some(json!("decrypt"))),
            (&at("/first_seen"), Some(json!("yesterday"))),
            (&at("/suppressed/approver"), None),
            (&at("/suppressed/expires"), Some(json!("never"))),
            (&at("/surprise"), Some(json!(0))),
        ],
    );
}

#[test]
fn waivers_fit_their_schema_and_broken_ones_do_not() {
    let Some(validator) = Validator::of("waivers") else { return };
    let directory = tempfile::tempdir().unwrap();
    let (path, boundary) = (directory.path().join("waivers.yaml"), directory.path().join("boundary.yaml"));
    std::fs::copy(fixture("planted", "boundary.yaml"), &boundary).unwrap();
    let (path, boundary) = (path.display().to_string(), boundary.display().to_string());
    let evidence = fixture("planted", "evidence");
    let checklist = printed(&["check", &evidence, "-b", &boundary, "--format", "json"]);
    let controls = checklist["controls"].as_array().unwrap();
    let red = controls.iter().find(|control| control["verdict"] == "red-flag").unwrap();
    let findings = red["findings"].as_array().unwrap();
    let subject = &findings.iter().find(|finding| finding["verdict"] == "red-flag").unwrap()["subject"];
    let told = ["--reason", "it says \"no\": # not a comment", "--approver", "head of platform security"];
    let until = ["--expires", "2999-01-01T00:00:00Z"];
    let named = ["waive", red["id"].as_str().unwrap(), subject.as_str().unwrap(), &evidence, "-b", &boundary];
    let output = cadastre(&[&named[..], &told, &until].concat());
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let written = yaml(&path);
    assert!(!written["waivers"].as_array().unwrap().is_empty());
    validator.accepts(&[written.clone(), yaml(&fixture("planted", "waivers.yaml"))]);
    validator.refuses(
        &written,
        &[
            ("/schema", Some(json!("cadastre/waivers/v2"))),
            ("/waivers/0/control", Some(json!("every control"))),
            ("/waivers/0/reason", None),
            ("/waivers/0/expires", Some(json!("never"))),
            ("/waivers/0/accepts", Some(json!("everything"))),
            ("/waivers/0/surprise", Some(json!(0))),
        ],
    );
}

#[test]
fn cases_and_answers_fit_their_schemas_and_broken_ones_do_not() {
    let (Some(cases), Some(answers)) = (Validator::of("access-case"), Validator::of("access-answer")) else {
        return;
    };
    let policy = |effect: &str, condition: Value| {
        json!({"Version": "2012-10-17",
            "Statement": {"Effect": effect, "Action": "kms:*", "Resource": "*", "Condition": condition}})
    };
    let case = |id: Value, policies: Value| {
        json!({"id": id, "request": {"principal": "arn:aws:iam::111122223333:user/ann", "action": "kms:Decrypt",
            "resource": "arn:aws:kms:eu-central-1:111122223333:key/1", "resourceAccount": "111122223333",
            "context": {"aws:SourceIp": "10.0.0.1", "aws:TagKeys": ["a", 1, true], "aws:username": null}},
            "policies": policies})
    };
    let account = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "kms:*", "Resource": "*"}});
    let allow = policy("Allow", json!({}));
    let later = policy("Allow", json!({"Bool": {"aws:MultiFactorAuthPresent": "true"}}));
    let all = [
        case(json!(1), json!({"identity": [allow], "resource": account, "scp": [[allow], [allow]]})),
        case(
            json!("deny"),
            json!({"identity": [policy("Deny", json!({}))], "resource": account, "rcp": null}),
        ),
        case(json!(null), json!({"identity": [later], "resource": account, "boundary": null})),
        case(json!({"a": 1}), json!({"identity": ["no policy"], "resource": account})),
        case(
            json!("grant"),
            json!({"grants": [{"GranteePrincipal": "arn:aws:iam::111122223333:user/ann",
            "Operations": ["Decrypt"], "Constraints": {"EncryptionContextSubset": {"a": "b"}}, "Name": "n"}]}),
        ),
        json!({"request": {"principal": "*", "action": "s3:GetObject", "resource": "*"},
            "policies": {"scp": [null, []]}, "further": 1}),
    ];
    cases.accepts(&all);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("cases.ndjson").display().to_string();
    let lines: String = all.iter().map(|case| format!("{case}\n")).collect();
    std::fs::write(&file, lines + "{}\nno json\n").unwrap();
    let output = cadastre(&["access", "eval", &file]);
    let written = String::from_utf8(output.stdout).unwrap();
    let written: Vec<Value> = written.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let decisions: Vec<&str> = written.iter().map(|answer| answer["decision"].as_str().unwrap()).collect();
    assert_eq!(
        decisions,
        ["allow", "deny", "conditional", "unknown", "conditional", "deny", "unknown", "unknown"]
    );
    answers.accepts(&written);
    cases.refuses(
        &all[0],
        &[
            ("/request/principal", None),
            ("/request/resource", Some(json!(""))),
            ("/request/action", Some(json!("GetObject"))),
            ("/request/context", Some(json!({"a": {}}))),
            ("/request/context", Some(json!({"a": [null]}))),
            ("/policies/surprise", Some(json!([]))),
            ("/policies/identity", Some(json!({}))),
            ("/policies/grants", Some(json!([{"Operations": "Decrypt"}]))),
        ],
    );
    answers.refuses(
        &written[0],
        &[
            ("/decision", Some(json!("maybe"))),
            ("/decision", Some(json!("conditional"))),
            ("/by", None),
            ("/by/0/policy", Some(json!("identity"))),
            ("/error", Some(json!("line 1: no case"))),
        ],
    );
}

#[test]
fn comparisons_fit_their_schema_and_broken_ones_do_not() {
    let Some(validator) = Validator::of("comparison") else { return };
    let (clean, planted) = (fixture("clean", ""), fixture("planted", ""));
    let compared = printed(&["compare", &clean, &planted, "--format", "json"]);
    validator.refuses(
        &compared,
        &[
            ("/schema", Some(json!("cadastre/comparison/v2"))),
            ("/options/0/cost", None),
            ("/options/0/controls/probably", Some(json!(1))),
            ("/areas/0/options/0/verdict", Some(json!("fine"))),
            ("/controls/0/id", Some(json!("BND-4"))),
            ("/controls/0/surprise", Some(json!(1))),
        ],
    );
}

#[test]
fn shapes_of_bills_fit_their_schema_and_broken_ones_do_not() {
    let Some(validator) = Validator::of("cost") else { return };
    let (evidence, boundary) = (fixture("clean", "evidence"), fixture("clean", "boundary.yaml"));
    let shape = printed(&["cost", &evidence, "-b", &boundary, "--format", "json"]);
    validator.refuses(
        &shape,
        &[
            ("/schema", Some(json!("cadastre/cost/v2"))),
            ("/currency", None),
            ("/prices/is_example", Some(json!("yes"))),
            ("/points/0/designs/0/total", Some(json!(1.5))),
            ("/points/0/designs/0/by_driver/0/0", Some(json!("coffee"))),
            ("/reference", Some(json!([1]))),
            ("/sensitivity/0/doubled/0", Some(json!("+1 %"))),
        ],
    );
}
