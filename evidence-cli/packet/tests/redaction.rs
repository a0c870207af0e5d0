//! Redaction: what is named is gone from every file, and what is left still verifies.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::ptr_arg,
    reason = "a test fails by panicking, in its helpers too"
)]

mod common;

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cadastre_model::evidence::Evidence;
use cadastre_model::record::Problem;
use cadastre_model::{Outcome, Record};
use cadastre_packet::redact::{LeakError, Remade, Remake};
use cadastre_packet::{
    LocalKey, PackFile, PacketError, PacketPath, Randomness as _, RedactOptions, Redacted, Role, Rules,
    SeededRandomness, Signer, UncheckedPacket, VerifiedPacket, VerifyOptions, create, redact, verify,
};
use common::*;
use serde_json::json;

const ACCOUNT: &str = "444455556666";
const NAME: &str = "Orinoco-Ledger";
const ADDRESS: &str = "10.20.30.40";
const ROLE: &str = "settlement-writer";
const MAIL: &str = "quentin@orinoco.example";
/// In no account, address, principal or name rule of its own, but in the records that are withheld whole.
const WITHHELD: &str = "only-in-a-withheld-record";

const RULES: &str = r"
schema: cadastre/redaction-rules/v1
accounts: all
addresses: all
principals: all
names: [orinoco-ledger, Zoë]
patterns: ['[a-z]+@[a-z]+\.example']
withhold:
  records: {operations: ['kms:ListAliases']}
  files: ['attachments/*']
";

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// One record for each kind of field that a value can stand in, and some that hold none.
fn planted_records() -> Vec<Record> {
    let mut records = Vec::new();
    let mut plant = |subject: &str, change: &dyn Fn(&mut cadastre_model::Observation)| {
        let mut observation = observation("kafka:DescribeTopics", subject);
        observation.scope = cadastre_model::Scope::cluster("c1");
        observation.caller = String::new();
        observation.response = json!({"topics": []});
        change(&mut observation);
        records.push(observation.seal().unwrap());
    };
    plant("clean-1", &|_| {});
    plant("clean-2", &|_| {});
    plant("scope", &|o| o.scope.account = Some(ACCOUNT.into()));
    plant("cluster", &|o| o.scope.cluster = Some(NAME.into()));
    plant("caller", &|o| o.caller = format!("arn:aws:sts::{ACCOUNT}:assumed-role/{ROLE}/session-17"));
    plant(&format!("arn:aws:kms:eu-central-1:{ACCOUNT}:key/1"), &|_| {});
    plant("request", &|o| o.request = json!({"Name": NAME, NAME.to_uppercase(): 1}));
    plant("number", &|o| o.response = json!({"OwnerId": 444_455_556_666_u64}));
    plant("nested", &|o| o.response = json!({"a": [{"b": {"c": format!("host {ADDRESS}/32")}}]}));
    plant("host", &|o| {
        o.response = json!({"PrivateDnsName": "ip-10-20-30-40.eu-central-1.compute.internal"})
    });
    plant("url", &|o| {
        o.response = json!({"Document": format!("%7B%22AWS%22%3A%22arn%3Aaws%3Aiam%3A%3A{ACCOUNT}%3Arole%2F{ROLE}%22%7D")});
    });
    plant("json in json", &|o| {
        o.response = json!({"Policy": json!({"Sid": NAME, "mail": MAIL}).to_string()})
    });
    plant("base64", &|o| o.response = json!({"UserData": STANDARD.encode(format!("x mail {MAIL}"))}));
    plant("gzip", &|o| {
        o.response = json!({"UserData": STANDARD.encode(gzip(format!("name={NAME}").as_bytes()))})
    });
    plant("accents", &|o| o.response = json!({"Description": "owned by Zoë, not by ZOË"}));
    plant("kafka", &|o| {
        o.response = json!({"principal": "User:quentin.tarn", "host": ADDRESS, "other": "User:kafka"})
    });
    plant("problem", &|o| {
        o.outcome = Outcome::Denied;
        o.response = json!(null);
        o.problem = Some(Problem { code: "AccessDenied".into(), message: format!("{ROLE} may not") });
    });
    plant("withheld", &|o| {
        o.operation = "kms:ListAliases".into();
        o.response = json!({"x": WITHHELD});
    });
    records
}

fn zipped_sheet() -> Vec<u8> {
    let mut deflate = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    deflate.write_all(format!("<c><is><t>{ROLE}</t></is></c>").as_bytes()).unwrap();
    let content = deflate.finish().unwrap();
    let mut zip = b"PK\x03\x04\x14\0\0\0\x08\0".to_vec();
    zip.extend([0; 16]);
    zip.extend([9, 0, 0, 0]);
    zip.extend(b"sheet.xml");
    zip.extend(content);
    zip
}

fn planted_files(records: &[Record]) -> Vec<PackFile> {
    let ids: Vec<&str> = records.iter().map(|record| record.id().as_str()).collect();
    let html = format!(
        "<html><body title=\"{NAME}\"><p>{ROLE} in <b>{ACCOUNT}</b> &quot;Orinoco&#45;Ledger&quot; at {ADDRESS}</p><a href=\"#{}\">x</a></body></html>",
        &ids[4][7..19]
    );
    let root =
        Evidence::from_records(records.to_vec(), "0.1.0", at(), at(), true).manifest().merkle_root.clone();
    let checklist = json!({"controls": [{"subject": format!("arn:aws:iam::{ACCOUNT}:role/{ROLE}"), "evidence": ids}], "evidence_root": root});
    vec![
        file("reports/report.html", Role::Report, "text/html", html.replace("&#45;", "-").as_bytes()),
        file("reports/escaped.html", Role::Report, "text/html", html.as_bytes()),
        file("reports/report.pdf", Role::Report, "application/pdf", b"%PDF-1.7 nothing readable"),
        file("reports/report.xlsx", Role::Report, "application/vnd.ms-excel", &zipped_sheet()),
        file(
            "reports/report.csv",
            Role::Report,
            "text/csv",
            format!("role,mail\r\n{ROLE},{MAIL}\r\n").as_bytes(),
        ),
        file(&format!("reports/{ACCOUNT}.md"), Role::Report, "text/markdown", b"# Account\n"),
        file("checklist.json", Role::Checklist, "application/json", checklist.to_string().as_bytes()),
        file("policies/BND-01.rego", Role::Policy, "text/plain", b"package bnd01\n"),
        file("attachments/notes.txt", Role::Attachment, "text/plain", b"nothing"),
    ]
}

fn packet_of(evidence: &Evidence, files: Vec<PackFile>) -> Vec<u8> {
    let mut bytes = Vec::new();
    create(evidence, files, &create_options(None), &SeededRandomness::new(1), &mut bytes).unwrap();
    signed_with(&bytes, key(), NO_TIMESTAMP)
}

fn planted() -> (Vec<Record>, Vec<u8>) {
    let evidence = Evidence::from_records(planted_records(), "0.1.0", at(), at(), true);
    let packet = packet_of(&evidence, planted_files(evidence.records()));
    (evidence.records().to_vec(), packet)
}

fn verified<'b>(bytes: &'b Vec<u8>, options: &VerifyOptions) -> Result<VerifiedPacket<'b>, PacketError> {
    verify(UncheckedPacket::open(bytes)?, &keys(), options)
}

fn redacted_with(
    packet: &Vec<u8>,
    rules: &str,
    companions: Vec<PackFile>,
    redactor: Option<&dyn Signer>,
) -> Result<(Vec<u8>, Redacted), PacketError> {
    let packet = verified(packet, &VerifyOptions::default())?;
    let options =
        RedactOptions { tool_version: "0.1.0".into(), redacted_at: at(), companions, remakes: Vec::new() };
    let mut output = Vec::new();
    let rules = Rules::from_yaml(rules)?;
    let result = redact(&packet, &rules, &options, redactor, &SeededRandomness::new(5), &mut output)?;
    Ok((output, result))
}

/// Whether bytes hold a text, letter case aside: a search apart from the crate's own.
fn holds(bytes: &[u8], text: &str) -> bool {
    String::from_utf8_lossy(bytes).to_lowercase().contains(&text.to_lowercase())
}

#[test]
fn planted_values_of_every_field_kind_are_gone_and_the_rest_verifies() {
    let (records, packet) = planted();
    let (output, result) = redacted_with(&packet, RULES, Vec::new(), None).unwrap();
    for secret in [
        ACCOUNT,
        NAME,
        ADDRESS,
        "10-20-30-40",
        ROLE,
        MAIL,
        "quentin.tarn",
        "Zoë",
        "session-17",
        WITHHELD,
        "User:kafka",
    ] {
        assert!(holds(&packet, secret) || secret == WITHHELD, "{secret} was planted");
        assert!(!holds(&output, secret), "{secret} survived");
        for prefix in ["", "x", "xy"] {
            let encoded = STANDARD.encode(format!("{prefix}{secret}"));
            let middle = &encoded[4..encoded.len() - 4];
            assert!(
                middle.len() < 6 || !String::from_utf8_lossy(&output).contains(middle),
                "{secret} in base64"
            );
        }
    }
    let verification = verified(&output, &VerifyOptions::default()).unwrap().verification().clone();
    let before = verified(&packet, &VerifyOptions::default()).unwrap().verification().clone();
    assert_eq!(verification.root, before.root);
    assert_eq!(verification.statement, before.statement);
    assert_eq!(verification.signed_by, before.signed_by);
    let leaves = verification.leaves;
    assert_eq!((leaves.all, leaves.original), (28, 3), "two clean records and the policy stand as they were");
    assert_eq!(leaves.original + leaves.replaced + leaves.withheld, leaves.all);
    assert_eq!(
        (result.original, result.replaced, result.withheld),
        (leaves.original, leaves.replaced, leaves.withheld)
    );
    let withheld: Vec<&str> = result.withheld_files.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(
        withheld,
        ["attachments/notes.txt", "reports/escaped.html", "reports/report.pdf", "reports/report.xlsx"]
            .into_iter()
            .filter(|path| withheld.contains(path))
            .collect::<Vec<_>>()
    );
    assert!(withheld.contains(&"reports/report.xlsx") && withheld.contains(&"reports/report.pdf"));
    // Ids of records that are not as they were would let anybody test a guess.
    let kept = ["clean-1", "clean-2"];
    for record in &records {
        let digits = &record.id().as_str()[7..19];
        assert_eq!(holds(&output, digits), kept.contains(&record.subject.as_str()), "{}", record.subject);
    }
    assert_eq!(result.qualified_only, ["kafka"]);
}

#[test]
fn pseudonyms_are_the_same_in_records_and_reports_and_references_lead_to_the_derived_records() {
    let (records, packet) = planted();
    let (output, _) = redacted_with(&packet, RULES, Vec::new(), None).unwrap();
    let packet = verified(&output, &VerifyOptions::default()).unwrap();
    let evidence = packet.evidence().unwrap();
    assert_eq!(
        evidence.records().len(),
        records.len() - 3,
        "one withheld by rule, two that hide values in base64"
    );
    let subject = |name: &str| evidence.records().iter().find(|record| record.subject == name).unwrap();
    let account = subject("scope").scope.account.clone().unwrap();
    assert!(account.len() == 12 && account != ACCOUNT && account.bytes().all(|byte| byte.is_ascii_digit()));
    assert_eq!(subject("number").response["OwnerId"].to_string(), account);
    let caller = &subject("caller").caller;
    let role = caller.split('/').nth(1).unwrap();
    assert_eq!(role.len(), ROLE.len());
    let csv = String::from_utf8(packet.read("redacted/reports/report.csv").unwrap()).unwrap();
    assert!(csv.contains(role), "{csv}");
    let checklist: serde_json::Value =
        serde_json::from_slice(&packet.read("redacted/checklist.json").unwrap()).unwrap();
    assert_eq!(checklist["controls"][0]["subject"], json!(format!("arn:aws:iam::{account}:role/{role}")));
    assert_eq!(checklist["evidence_root"], json!(evidence.manifest().merkle_root));
    let cited: Vec<&str> = checklist["controls"][0]["evidence"]
        .as_array()
        .unwrap()
        .iter()
        .map(|id| id.as_str().unwrap())
        .collect();
    assert!(evidence.records().iter().all(|record| cited.contains(&record.id().as_str())));
    assert!(packet.read(&format!("redacted/reports/{account}.md")).is_ok());
    let topics = &subject("kafka").response;
    assert!(topics["host"].as_str().unwrap().parse::<std::net::Ipv4Addr>().unwrap().is_documentation());
}

#[test]
fn a_redactor_who_signs_is_named_and_any_change_to_the_redaction_is_detected() {
    let (_, packet) = planted();
    let redactor = LocalKey::from_pem("redactor", ed25519_pem().as_bytes()).unwrap();
    let (output, _) = redacted_with(&packet, RULES, Vec::new(), Some(&redactor)).unwrap();
    let options =
        VerifyOptions { redactor_keys: vec![redactor.public_key().clone()], ..VerifyOptions::default() };
    let state = verified(&output, &options).unwrap().verification().redaction.clone().unwrap();
    assert_eq!(state.signed_by.unwrap().key_id, redactor.public_key().id());
    let unknown = verified(&output, &VerifyOptions::default()).unwrap().verification().clone();
    assert!(unknown.redaction.unwrap().signature_not_checked);
    assert!(unknown.missing.iter().any(|line| line.contains("redactor's signature was not checked")));
    let random = SeededRandomness::new(9);
    for _ in 0..250 {
        let mut bytes = [0; 8];
        random.fill(&mut bytes).unwrap();
        let at = usize::try_from(u64::from_le_bytes(bytes) % output.len() as u64).unwrap();
        let mut changed = output.clone();
        changed[at] ^= bytes[0] | 1;
        assert!(verified(&changed, &options).is_err(), "byte {at}");
    }
}

#[test]
fn a_companion_that_still_holds_a_value_stops_everything() {
    let (_, packet) = planted();
    let companion =
        |text: &str| vec![file("reports/report.html", Role::Report, "text/html", text.as_bytes())];
    let error = redacted_with(&packet, RULES, companion(&format!("<p>{ROLE}</p>")), None).unwrap_err();
    assert!(
        matches!(&error, PacketError::Leak(LeakError::Found { file, .. }) if file == "redacted/reports/report.html")
    );
    assert!(!error.to_string().contains(ROLE));
    let (output, _) = redacted_with(&packet, RULES, companion("<p>rendered again</p>"), None).unwrap();
    let packet = verified(&output, &VerifyOptions::default()).unwrap();
    assert_eq!(packet.read("redacted/reports/report.html").unwrap(), b"<p>rendered again</p>");
}

/// Makes a document that nobody can search of one text, and says what it shows.
#[derive(Debug)]
struct Typesetter {
    path: PacketPath,
    texts: Vec<Vec<u8>>,
    shows: fn(&str) -> String,
}

impl Remake for Typesetter {
    fn path(&self) -> &PacketPath {
        &self.path
    }

    fn texts(&self) -> &[Vec<u8>] {
        &self.texts
    }

    fn make(&self, texts: &[Vec<u8>]) -> Result<Remade, String> {
        let text = String::from_utf8(texts[0].clone()).map_err(|error| error.to_string())?;
        let bytes = [b"%PDF-1.7 ".as_slice(), &text.bytes().map(|byte| !byte).collect::<Vec<u8>>()].concat();
        Ok(Remade { bytes, shown: (self.shows)(&text) })
    }
}

#[test]
fn a_document_is_made_again_of_its_redacted_texts_and_withheld_when_it_still_shows_a_value() {
    let (_, packet) = planted();
    let told = format!("role {ROLE} in {ACCOUNT}");
    let redacted = |shows: fn(&str) -> String| {
        let remake: Arc<dyn Remake> = Arc::new(Typesetter {
            path: "reports/report.pdf".parse().unwrap(),
            texts: vec![told.clone().into_bytes()],
            shows,
        });
        let packet = verified(&packet, &VerifyOptions::default()).unwrap();
        let options = RedactOptions {
            tool_version: "0.1.0".into(),
            redacted_at: at(),
            companions: Vec::new(),
            remakes: vec![remake],
        };
        let (mut output, rules) = (Vec::new(), Rules::from_yaml(RULES).unwrap());
        let result = redact(&packet, &rules, &options, None, &SeededRandomness::new(5), &mut output).unwrap();
        (output, result)
    };
    let (output, result) = redacted(str::to_owned);
    assert!(!result.withheld_files.iter().any(|(path, _)| path.ends_with(".pdf")), "{result:?}");
    let after = verified(&output, &VerifyOptions::default()).unwrap();
    let document = after.read("redacted/reports/report.pdf").unwrap();
    let text: Vec<u8> = document.strip_prefix(b"%PDF-1.7 ").unwrap().iter().map(|byte| !byte).collect();
    let text = String::from_utf8(text).unwrap();
    assert!(text.starts_with("role ") && !holds(text.as_bytes(), ROLE) && !holds(text.as_bytes(), ACCOUNT));
    for shows in [
        |_: &str| ROLE.to_owned(),
        |_: &str| ROLE.chars().flat_map(|letter| [letter, '\n']).collect::<String>(),
    ] {
        let (output, result) = redacted(shows);
        let withheld = result.withheld_files.iter().find(|(path, _)| path == "reports/report.pdf").unwrap();
        let why = withheld.1.strip_prefix("cannot be rewritten: in what the new pages show").unwrap();
        assert!(why.contains("a redacted value is left (of "), "{why}");
        assert!(![ROLE, ACCOUNT].iter().any(|value| why.contains(value)), "{why}");
        let after = verified(&output, &VerifyOptions::default()).unwrap();
        assert!(after.read("redacted/reports/report.pdf").is_err());
    }
}

#[test]
fn a_redacted_packet_is_not_redacted_again_and_another_key_gives_other_pseudonyms() {
    let (_, packet) = planted();
    let (output, _) = redacted_with(&packet, RULES, Vec::new(), None).unwrap();
    assert!(matches!(redacted_with(&output, RULES, Vec::new(), None), Err(PacketError::AlreadyRedacted)));
    let packet = verified(&packet, &VerifyOptions::default()).unwrap();
    let options = RedactOptions {
        tool_version: "0.1.0".into(),
        redacted_at: at(),
        companions: Vec::new(),
        remakes: Vec::new(),
    };
    let mut other = Vec::new();
    let rules = Rules::from_yaml(RULES).unwrap();
    redact(&packet, &rules, &options, None, &SeededRandomness::new(6), &mut other).unwrap();
    assert_ne!(other, output);
}

#[test]
fn words_of_the_formats_are_refused_with_the_word() {
    let (_, packet) = planted();
    let rules = "schema: cadastre/redaction-rules/v1\nnames: [describetopics]\n";
    let error = redacted_with(&packet, rules, Vec::new(), None).unwrap_err().to_string();
    assert!(error.contains("kafka:describetopics"), "{error}");
}

#[test]
fn the_planted_reference_account_is_redacted_and_verifies() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/planted");
    let evidence = Evidence::read(&root.join("evidence")).unwrap();
    let boundary = std::fs::read(root.join("boundary.yaml")).unwrap();
    let packet = packet_of(
        &evidence,
        vec![file("attachments/boundary.yaml", Role::Attachment, "application/yaml", &boundary)],
    );
    let rules = "schema: cadastre/redaction-rules/v1\naccounts: all\naddresses: all\nprincipals: all\n";
    let (output, result) = redacted_with(&packet, rules, Vec::new(), None).unwrap();
    println!("{result:?}");
    assert!(holds(&packet, "111122223333") && !holds(&output, "111122223333"));
    assert!(!holds(&output, "cadastre-scanner") && !holds(&output, "kafka-broker"));
    let packet = verified(&output, &VerifyOptions::default()).unwrap();
    let redacted = packet.evidence().unwrap();
    assert_eq!(
        redacted.records().len() as u64 + withheld_records(&result, &evidence, &packet),
        evidence.records().len() as u64
    );
    assert!(result.replaced > 100, "{result:?}");
}

fn withheld_records(result: &Redacted, evidence: &Evidence, packet: &VerifiedPacket<'_>) -> u64 {
    let files = 1 + result.withheld_files.len() as u64;
    let withheld = packet.verification().leaves.withheld - files;
    assert!(withheld * 10 < evidence.records().len() as u64, "{withheld} records could not be rewritten");
    withheld
}
