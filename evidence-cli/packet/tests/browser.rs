//! The script for browsers, run by Node on good and on tampered data.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking, in its helpers too"
)]

mod common;

use std::io::Write as _;
use std::process::{Command, Stdio};

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING};
use cadastre_packet::{
    LocalKey, Signer, UncheckedPacket, VERIFY_SCRIPT, VerifyOptions, embed_verification_data, verify,
};
use common::*;
use serde_json::{Value, json};

const RUN: &str = r#"
import { verifyEmbeddedEvidence } from "./verify.mjs";
let text = "";
for await (const chunk of process.stdin) text += chunk;
const results = [];
for (const data of JSON.parse(text)) results.push(await verifyEmbeddedEvidence(data));
console.log(JSON.stringify(results));
"#;

/// What the script says of each document; `None` without Node.
fn run(documents: &[Value]) -> Option<Vec<Value>> {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("verify.mjs"), VERIFY_SCRIPT).unwrap();
    std::fs::write(directory.path().join("run.mjs"), RUN).unwrap();
    let child = Command::new("node")
        .arg(directory.path().join("run.mjs"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn();
    let Ok(mut child) = child else {
        println!("skipped: no node on the PATH");
        return None;
    };
    child.stdin.take().unwrap().write_all(&serde_json::to_vec(documents).unwrap()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

fn embedded(key: &dyn Signer) -> Value {
    let bytes = signed_with(&unsigned(), key, NO_TIMESTAMP);
    let keys = [key.public_key().clone()];
    let packet = verify(UncheckedPacket::open(&bytes).unwrap(), &keys, &VerifyOptions::default()).unwrap();
    embed_verification_data(&packet, &keys[0], None).unwrap()
}

#[test]
fn a_browser_verifies_what_the_packet_embeds_under_every_kind_of_local_key() {
    let ecdsa = |algorithm| LocalKey::from_pem("test", ecdsa_pem(algorithm).as_bytes()).unwrap();
    // ECDSA signatures differ in length, so several are tried.
    let mut documents = vec![embedded(key())];
    for _ in 0..6 {
        documents.push(embedded(&ecdsa(&ECDSA_P256_SHA256_ASN1_SIGNING)));
        documents.push(embedded(&ecdsa(&ECDSA_P384_SHA384_ASN1_SIGNING)));
    }
    let Some(results) = run(&documents) else { return };
    for result in results {
        assert_eq!(result["ok"], json!(true), "{result}");
        assert_eq!(result["records"].as_array().unwrap().len(), 11);
    }
}

#[test]
fn a_browser_refuses_what_was_tampered_with() {
    let good = embedded(key());
    let other = embedded(&LocalKey::from_pem("other", ed25519_pem().as_bytes()).unwrap());
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut data = good.clone();
        change(&mut data);
        assert_ne!(data, good);
        data
    };
    let edit = |value: &mut Value, from: &str, to: &str| {
        *value = json!(value.as_str().unwrap().replacen(from, to, 1));
    };
    let documents = [
        changed(&|data| edit(&mut data["records"][3]["line"], "eu-central-1", "eu-central-2")),
        changed(&|data| edit(&mut data["records"][0]["line"], "\"id\":\"sha256:", "\"id\":\"sha256:0")),
        changed(&|data| data["records"][2]["salt"] = json!("00".repeat(16))),
        changed(&|data| data["records"][2]["leaf"] = json!(3)),
        changed(&|data| data["records"][2]["leaf"] = json!(-1)),
        changed(&|data| data["records"][2]["proof"][0] = json!("00".repeat(32))),
        changed(&|data| {
            data["records"][2]["proof"].as_array_mut().unwrap().pop();
        }),
        changed(&|data| data["records"][2]["proof"].as_array_mut().unwrap().push(json!("00".repeat(32)))),
        changed(&|data| data["leaves"] = json!(18)),
        changed(&|data| data["public_key"] = other["public_key"].clone()),
        changed(&|data| data["envelope"]["signatures"][0] = other["envelope"]["signatures"][0].clone()),
        changed(&|data| data["envelope"] = other["envelope"].clone()),
        changed(&|data| data["envelope"]["payloadType"] = json!("text/plain")),
        changed(&|data| data["schema"] = json!("cadastre/embedded-evidence/v2")),
        json!(null),
        json!({"schema": "cadastre/embedded-evidence/v1"}),
    ];
    let Some(results) = run(&documents) else { return };
    for (index, result) in results.iter().enumerate() {
        assert_eq!(result["ok"], json!(false), "document {index}: {result}");
        assert!(result["problem"].is_string(), "document {index}: {result}");
    }
}
