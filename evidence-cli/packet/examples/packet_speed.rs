//! What `cargo xtask bench packet` measures: makes a signed packet of a given size, and verifies one.
//!
//! `packet_speed make MEBIBYTES PACKET PRIVATE_KEY` and `packet_speed verify PACKET PUBLIC_KEY`.

use std::error::Error;
use std::path::Path;

use cadastre_model::evidence::Evidence;
use cadastre_model::record::Page;
use cadastre_model::{Observation, Outcome, Scope, Timestamp};
use cadastre_packet::{
    Content, CreateOptions, FileSource, LocalKey, PackFile, PublicKey, Randomness as _, Role,
    SeededRandomness, SignOptions, TimestampRule, UncheckedPacket, VerifyOptions, create, sign, verify,
    write_new,
};
use serde_json::json;

/// Bytes of a record's answer, as a policy document with its statements has them.
const ANSWER: usize = 3_500;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["make", mebibytes, packet, key] => make(mebibytes.parse()?, Path::new(packet), Path::new(key)),
        ["verify", packet, key] => check(Path::new(packet), Path::new(key)),
        _ => Err("usage: packet_speed make MEBIBYTES PACKET PRIVATE_KEY | verify PACKET PUBLIC_KEY".into()),
    }
}

fn at() -> Result<Timestamp, Box<dyn Error>> {
    Ok("2026-11-21T12:00:00Z".parse()?)
}

/// Three quarters records, one quarter reports.
fn make(mebibytes: usize, path: &Path, key: &Path) -> Result<(), Box<dyn Error>> {
    let random = SeededRandomness::new(1);
    let mut letters = vec![0; ANSWER / 2];
    let mut records = Vec::new();
    for number in 0..(mebibytes << 20) / 4 * 3 / ANSWER {
        random.fill(&mut letters)?;
        let answer: String =
            letters.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|n| char::from(b'a' + n)).collect();
        let observation = Observation {
            collector: "aws".into(),
            operation: "iam:GetPolicyVersion".into(),
            scope: Scope::account("111122223333"),
            subject: format!("arn:aws:iam::111122223333:policy/p{number}"),
            caller: "arn:aws:iam::111122223333:role/scanner".into(),
            observed_at: at()?,
            outcome: Outcome::Observed,
            request: json!({"VersionId": "v1"}),
            response: json!({"Document": answer}),
            problem: None,
            page: Page::ONLY,
        };
        records.push(observation.seal()?);
    }
    let evidence = Evidence::from_records(records, "0.1.0", at()?, at()?, true);
    let mut files = Vec::new();
    for number in 0..4 {
        let mut content = vec![0; (mebibytes << 20) / 16];
        random.fill(&mut content)?;
        files.push(PackFile {
            path: format!("reports/{number}.bin").parse()?,
            role: Role::Report,
            media_type: "application/octet-stream".into(),
            content: Content::Bytes(content),
        });
    }
    let options = CreateOptions {
        tool_version: "0.1.0".into(),
        created_at: at()?,
        as_of: at()?,
        boundary: None,
        previous: None,
    };
    let unsigned = path.with_extension("unsigned");
    write_new(&unsigned, |output| create(&evidence, files, &options, &random, output))?;
    let options = SignOptions { signed_at: at()?, timestamp: TimestampRule::None };
    let source = FileSource::open(&unsigned)?;
    write_new(path, |output| sign(&source, &LocalKey::read(key)?, &options, output))?;
    std::fs::remove_file(unsigned)?;
    Ok(())
}

fn check(path: &Path, key: &Path) -> Result<(), Box<dyn Error>> {
    let keys = PublicKey::from_pem("key", &std::fs::read(key)?)?;
    let source = FileSource::open(path)?;
    let packet = verify(UncheckedPacket::open(&source)?, &keys, &VerifyOptions::default())?;
    if packet.verification().leaves.original == packet.verification().leaves.all {
        Ok(())
    } else {
        Err("not every leaf is original".into())
    }
}
