//! From a packet and a public key to "this claim, this proof", and back out of the house without what must not leave.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail the test")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

fn cadastre(arguments: &[&str]) -> Output {
    // Nobody here has access to a cloud.
    Command::new(env!("CARGO_BIN_EXE_cadastre"))
        .args(arguments)
        .env("NO_COLOR", "1")
        .env_remove("AWS_REGION")
        .env_remove("AWS_PROFILE")
        .env_remove("AWS_ACCESS_KEY_ID")
        .output()
        .unwrap()
}

#[track_caller]
fn succeeds(output: Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn run(program: &str, arguments: &[&str]) -> Vec<u8> {
    let output =
        Command::new(program).args(arguments).output().unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Every file of an archive by its name, with what lies in archives inside it under `outer!inner`.
fn unpacked(archive: &Path) -> BTreeMap<String, Vec<u8>> {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path().display().to_string();
    run("python3", &["-m", "zipfile", "-e", &archive.display().to_string(), &at]);
    let mut files = BTreeMap::new();
    gather(directory.path(), directory.path(), &mut files);
    files
}

fn gather(root: &Path, directory: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            gather(root, &path, files);
            continue;
        }
        let name = path.strip_prefix(root).unwrap().display().to_string();
        if name.ends_with(".xlsx") {
            let inner = unpacked(&path).into_iter();
            files.extend(inner.map(|(part, bytes)| (format!("{name}!{part}"), bytes)));
        } else if name.ends_with(".pdf") {
            let text = run("pdftotext", &["-raw", &path.display().to_string(), "-"]);
            files.insert(format!("{name}!text"), text);
        }
        files.insert(name, std::fs::read(&path).unwrap());
    }
}

struct Journey {
    directory: tempfile::TempDir,
}

impl Journey {
    /// A packet of the planted account, made and signed by somebody else: one for all who read it.
    fn begin() -> &'static Self {
        static JOURNEY: OnceLock<Journey> = OnceLock::new();
        JOURNEY.get_or_init(Self::make)
    }

    fn make() -> Self {
        let journey = Self { directory: tempfile::tempdir().unwrap() };
        let key = journey.path("review.key");
        run("openssl", &["genpkey", "-algorithm", "ed25519", "-out", &key]);
        run("chmod", &["600", &key]);
        let public = succeeds(cadastre(&["packet", "key", &key]));
        std::fs::write(journey.path("review.pub"), public).unwrap();
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/planted");
        let (evidence, boundary) = (fixture.join("evidence"), fixture.join("boundary.yaml"));
        let (evidence, boundary) = (evidence.display().to_string(), boundary.display().to_string());
        let packet = journey.path("packet.zip");
        succeeds(cadastre(&["packet", "create", &evidence, "-b", &boundary, "-o", &packet, "--key", &key]));
        std::fs::remove_file(key).unwrap();
        journey
    }

    fn path(&self, name: &str) -> String {
        self.directory.path().join(name).display().to_string()
    }

    fn verify(&self, packet: &str, further: &[&str]) -> Output {
        let (packet, public) = (self.path(packet), self.path("review.pub"));
        cadastre(&[["packet", "verify", &packet, "--public-key", &public].as_slice(), further].concat())
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_packet_and_a_public_key_lead_from_each_claim_to_its_proof() {
    let journey = Journey::begin();
    let told = succeeds(journey.verify("packet.zip", &[]));
    for expected in ["verified", "signed by", "signed at", "timestamp", "judged as of", "chain", "leaves"] {
        assert!(told.contains(expected), "{expected}: {told}");
    }
    let files = unpacked(Path::new(&journey.path("packet.zip")));
    let records: String =
        files.iter().filter(|(name, _)| name.starts_with("records/")).map(|(_, bytes)| text(bytes)).collect();
    let checklist: serde_json::Value = serde_json::from_slice(&files["checklist.json"]).unwrap();
    let html = text(&files["reports/report.html"]);
    let mut readers = vec![("HTML", html)];
    if cfg!(feature = "pdf") {
        readers.push(("PDF", text(&files["reports/report.pdf!text"])));
    }
    let mut claims = 0;
    for control in checklist["controls"].as_array().unwrap() {
        for finding in control["findings"].as_array().unwrap() {
            if finding["verdict"] != "red-flag" {
                continue;
            }
            claims += 1;
            let proof = finding["evidence"][0].as_str().unwrap();
            assert!(records.contains(proof), "{proof}");
            for (reader, page) in &readers {
                assert!(page.contains(control["id"].as_str().unwrap()), "{reader}");
                assert!(page.contains(proof), "{reader} shows no {proof}");
            }
        }
    }
    assert!(claims > 100, "{claims}");
    for attested in
        ["reports/cyclonedx.json", "reports/oscal-component-definition.json", "reports/cadastre.sarif"]
    {
        assert!(files.contains_key(attested), "{attested}");
    }
}

/// Values of every kind that the planted account holds.
const SECRETS: [&str; 9] = [
    "111122223333",
    "999988887777",
    "streamco-installer",
    "streamco-support",
    "cadastre-scanner",
    "payments-kafka-data",
    "10.20.1.10",
    "i-2843beb63f46918f2",
    "payments.refunds",
];

const RULES: &str = "
schema: cadastre/redaction-rules/v1
accounts: all
addresses: all
principals: all
names: [payments-kafka-data, payments.refunds]
patterns: ['i-[0-9a-f]{17}']
";

#[test]
fn what_is_redacted_is_in_no_file_and_the_rest_verifies_against_the_same_root() {
    let journey = Journey::begin();
    let before = unpacked(Path::new(&journey.path("packet.zip")));
    for secret in SECRETS {
        let holds = before.values().any(|bytes| text(bytes).contains(secret));
        assert!(holds, "{secret} is not planted");
    }
    let rules: PathBuf = journey.path("redaction.yaml").into();
    std::fs::write(&rules, RULES).unwrap();
    let output = cadastre(&[
        "packet",
        "redact",
        &journey.path("packet.zip"),
        "--rules",
        &rules.display().to_string(),
        "--public-key",
        &journey.path("review.pub"),
        "-o",
        &journey.path("shared.zip"),
    ]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    succeeds(output);
    for rewritten in ["report.xlsx", "report.html", "report.pdf"] {
        assert!(!told.contains(rewritten), "{told}");
    }

    let root = |packet: &str| -> serde_json::Value {
        let verification = succeeds(journey.verify(packet, &["--format", "json"]));
        serde_json::from_str::<serde_json::Value>(&verification).unwrap()["root"].clone()
    };
    assert_eq!(root("shared.zip"), root("packet.zip"));

    let after = unpacked(Path::new(&journey.path("shared.zip")));
    assert!(after.contains_key("redacted/reports/report.xlsx!xl/workbook.xml"));
    if cfg!(feature = "pdf") {
        let (before, after) =
            (text(&before["reports/report.pdf!text"]), text(&after["redacted/reports/report.pdf!text"]));
        assert!(before.contains("What blocks") && after.contains("What blocks"), "the document is set again");
        assert_eq!(before.matches("sha256:").count(), after.matches("sha256:").count());
    }
    for (name, bytes) in &after {
        let content = text(bytes).to_lowercase();
        // Lines and cells of a document break names.
        let unbroken: String = content.split_whitespace().collect();
        for secret in SECRETS {
            assert!(!content.contains(secret), "{name} holds {secret}");
            assert!(!name.ends_with("!text") || !unbroken.contains(secret), "{name} shows {secret}");
            assert!(!name.contains(secret), "{name}");
        }
    }
    // What was shared still tells who the signer was and what is missing.
    let told = succeeds(journey.verify("shared.zip", &[]));
    assert!(told.contains("signed by") && told.contains("redacted") && told.contains("missing"), "{told}");
}
