//! What benchmarks run in a process of its own: `generate-trail DIR DAYS LOGS`, `generate-flows DIR MEBIBYTES`,
//! `verify-trail DIR KEYS`, `flow-table DIR OUT`.

#![expect(clippy::print_stdout, reason = "a program that talks to the benchmark that started it")]

use std::error::Error;
use std::fs;
use std::io::Write;
use std::path::Path;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cadastre_logs::flows::{FlowTableFormat, flow_table};
use cadastre_logs::trail::{PublicKeys, TrailWindow, verify_trail};
use cadastre_model::Timestamp;
use flate2::Compression;
use flate2::write::GzEncoder;
use rayon::prelude::*;
use serde_json::{Value, json};

type Failure = Box<dyn Error + Send + Sync>;

/// 2026-03-01T00:00:00Z.
const START: i64 = 1_772_323_200;
const ACCOUNT: &str = "111122223333";
const REGION: &str = "eu-central-1";
const BUCKET: &str = "amzn-s3-demo-bucket";
const FINGERPRINT: &str = "31e8b5433410dfb61a9dc45cc65b22ff";

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["generate-trail", directory, days, logs] => {
            generate_trail(Path::new(directory), days.parse()?, logs.parse()?)
        }
        ["generate-flows", directory, mebibytes] => generate_flows(Path::new(directory), mebibytes.parse()?),
        ["verify-trail", directory, keys] => {
            let keys = PublicKeys::read(Path::new(keys))?;
            let result = verify_trail(Path::new(directory), &keys, TrailWindow::default())?;
            println!("{} {} {} {}", result.valid, result.digests, result.logs, result.problems.len());
            Ok(())
        }
        ["flow-table", directory, out] => {
            let mut table = flow_table(Path::new(directory))?;
            table.write(FlowTableFormat::Csv, None, &mut fs::File::create(out)?)?;
            println!("{:?}", table.outcome());
            Ok(())
        }
        other => Err(format!("cannot do {other:?}").into()),
    }
}

/// A pseudo-random sequence (splitmix64), so that the same bytes are made each time.
struct Sequence(u64);

impl Sequence {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// A number below the bound, small ones far more often than large ones.
    fn skewed(&mut self, bound: u64) -> u64 {
        let (a, b) = (self.below(bound) + 1, self.below(bound) + 1);
        (a * b / bound) * self.below(bound).max(1) / bound
    }
}

fn gzip(bytes: &[u8], level: u32) -> Result<Vec<u8>, Failure> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(level));
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}

fn put(root: &Path, key: &str, bytes: &[u8]) -> Result<(), Failure> {
    let path = root.join(key);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    Ok(fs::write(path, bytes)?)
}

fn time(seconds: i64) -> String {
    Timestamp::from_seconds(seconds).map_or_else(String::new, |time| time.to_string())
}

fn key(folder: &str, seconds: i64, name: &str) -> String {
    let date = time(seconds).split('T').next().unwrap_or_default().replace('-', "/");
    format!("AWSLogs/{ACCOUNT}/{folder}/{REGION}/{date}/{name}")
}

fn hex_sha256(bytes: &[u8]) -> String {
    hex::encode(digest(&SHA256, bytes))
}

/// An hourly chain over so many days that lists so many log files of about a dozen events each.
fn generate_trail(root: &Path, days: i64, logs: i64) -> Result<(), Failure> {
    let hours = days * 24;
    let pair = KeyPair::generate(KeySize::Rsa2048)?;
    let keys = json!({ "PublicKeyList": [{
        "Value": STANDARD.encode(pair.public_key().as_ref()), "Fingerprint": FINGERPRINT,
        "ValidityStartTime": time(START - 86_400), "ValidityEndTime": time(START + (days + 2) * 86_400),
    }] });
    put(root, "keys.json", keys.to_string().as_bytes())?;
    let bucket = root.join("bucket");
    let listed: Vec<Vec<Value>> = (0..hours)
        .into_par_iter()
        .map(|hour| {
            (hour * logs / hours..(hour + 1) * logs / hours).map(|at| log(&bucket, hour, at)).collect()
        })
        .collect::<Result<_, Failure>>()?;
    let mut previous: Option<(String, String, String)> = None;
    for (hour, logs) in (0..hours).zip(listed) {
        let end = START + (hour + 1) * 3_600;
        let stamp = time(end).replace(['-', ':'], "");
        let name = format!("{ACCOUNT}_CloudTrail-Digest_{REGION}_audit_{REGION}_{stamp}.json.gz");
        let key = key("CloudTrail-Digest", end, &name);
        let before = previous.as_ref();
        let document = json!({
            "awsAccountId": ACCOUNT, "digestStartTime": time(end - 3_600), "digestEndTime": time(end),
            "digestS3Bucket": BUCKET, "digestS3Object": key, "digestPublicKeyFingerprint": FINGERPRINT,
            "digestSignatureAlgorithm": "SHA256withRSA", "newestEventTime": time(end), "oldestEventTime": time(end - 3_600),
            "previousDigestS3Bucket": before.map(|_| BUCKET), "previousDigestS3Object": before.map(|(key, _, _)| key),
            "previousDigestHashValue": before.map(|(_, hash, _)| hash),
            "previousDigestHashAlgorithm": before.map(|_| "SHA-256"),
            "previousDigestSignature": before.map(|(_, _, signature)| signature),
            "logFiles": logs,
        })
        .to_string();
        let hash = hex_sha256(document.as_bytes());
        let carried = before.map_or("null", |(_, _, signature)| signature);
        let message = format!("{}\n{BUCKET}/{key}\n{hash}\n{carried}", time(end));
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature)?;
        let signature = hex::encode(signature);
        let metadata = json!({ "signature": signature, "signature-algorithm": "SHA256withRSA" });
        put(&bucket, &format!("{key}.metadata.json"), metadata.to_string().as_bytes())?;
        put(&bucket, &key, &gzip(document.as_bytes(), 6)?)?;
        previous = Some((key, hash, signature));
    }
    Ok(())
}

/// Writes a log file and says how its digest lists it.
fn log(bucket: &Path, hour: i64, at: i64) -> Result<Value, Failure> {
    let mut sequence = Sequence(at.cast_unsigned());
    let delivered = START + hour * 3_600 + at * 37 % 3_600;
    let events: Vec<Value> = (0..6 + sequence.below(12))
        .map(|_| {
            let (user, id) = (sequence.below(40), sequence.next());
            json!({
                "eventVersion": "1.11", "eventTime": time(delivered - 300), "eventSource": "kms.amazonaws.com",
                "eventName": "Decrypt", "awsRegion": REGION, "sourceIPAddress": format!("10.0.{}.{}", user, id % 250),
                "userAgent": "aws-sdk-rust/1.3 os/linux lang/rust",
                "userIdentity": { "type": "AssumedRole", "principalId": format!("AROAEXAMPLE{user}:i-{id:x}"),
                    "arn": format!("arn:aws:sts::{ACCOUNT}:assumed-role/broker-{user}/i-{id:x}"), "accountId": ACCOUNT,
                    "sessionContext": { "sessionIssuer": { "type": "Role", "userName": format!("broker-{user}") } } },
                "requestParameters": { "encryptionAlgorithm": "SYMMETRIC_DEFAULT",
                    "encryptionContext": { "topic": format!("topic-{}", id % 300), "partition": (id % 64).to_string() } },
                "responseElements": null, "requestID": format!("{:016x}-{:016x}", sequence.next(), id),
                "eventID": format!("{:016x}-{:016x}", id, sequence.next()), "readOnly": true, "eventType": "AwsApiCall",
                "managementEvent": true, "recipientAccountId": ACCOUNT, "eventCategory": "Management",
            })
        })
        .collect();
    let content = json!({ "Records": events }).to_string();
    let stamp = time(delivered).replace(['-', ':'], "");
    let minute = stamp.get(..13).unwrap_or_default();
    let name = format!("{ACCOUNT}_CloudTrail_{REGION}_{minute}Z_{:016x}.json.gz", sequence.next());
    let key = key("CloudTrail", delivered, &name);
    put(bucket, &key, &gzip(content.as_bytes(), 6)?)?;
    Ok(json!({
        "s3Bucket": BUCKET, "s3Object": key, "hashValue": hex_sha256(content.as_bytes()), "hashAlgorithm": "SHA-256",
        "newestEventTime": time(delivered), "oldestEventTime": time(delivered - 300),
    }))
}

/// Records of a cluster of twelve brokers: many long connections of few clients, their answers, replication, object
/// storage, and refused probes from everywhere. Files of 64 MiB before compression, version 2, with header.
fn generate_flows(root: &Path, mebibytes: u64) -> Result<(), Failure> {
    const FILE: usize = 64 << 20;
    (0..mebibytes.div_ceil(64)).into_par_iter().try_for_each(|file| {
        let mut sequence = Sequence(file);
        let mut text = String::with_capacity(FILE + 256);
        text.push_str("version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status\n");
        while text.len() < FILE {
            record(&mut sequence, file, &mut text)?;
        }
        put(root, &format!("{ACCOUNT}_vpcflowlogs_{REGION}_{file:05}.log.gz"), &gzip(text.as_bytes(), 3)?)
    })
}

fn record(sequence: &mut Sequence, file: u64, text: &mut String) -> Result<(), Failure> {
    use std::fmt::Write as _;

    let broker = sequence.below(12);
    let start = START.cast_unsigned() + file * 60 + sequence.below(60);
    let (packets, size) = (1 + sequence.skewed(20_000), 40 + sequence.below(1_400));
    let mut line = |source: &str, destination: &str, ports: (u64, u64), action: &str| {
        writeln!(
            text,
            "2 {ACCOUNT} eni-0{broker:016x} {source} {destination} {} {} 6 {packets} {} {start} {} {action} OK",
            ports.0,
            ports.1,
            packets * size,
            start + 60
        )
    };
    let this = format!("10.0.0.{}", broker + 10);
    match sequence.below(1_000) {
        // A client keeps a few connections to each broker open, so that their ports come again and again.
        0..=419 => {
            let client = sequence.skewed(3_000);
            let port = 32_768 + (client * 7 + broker * 131 + sequence.below(4) * 5_003) % 28_000;
            let client = format!("10.1.{}.{}", client / 250, client % 250);
            line(&client, &this, (port, 9_094), "ACCEPT")?;
            line(&this, &client, (9_094, port), "ACCEPT")?;
        }
        420..=799 => {
            let other = format!("10.0.0.{}", sequence.below(12) + 10);
            line(&this, &other, (40_000 + sequence.below(30), 9_095), "ACCEPT")?;
        }
        800..=969 => {
            let storage = format!("52.219.{}.{}", sequence.below(16), sequence.below(250));
            line(&this, &storage, (32_768 + sequence.below(28_000), 443), "ACCEPT")?;
        }
        970..=989 => {
            let bits = sequence.next();
            let stranger =
                format!("{}.{}.{}.{}", 11 + bits % 200, bits >> 8 & 255, bits >> 16 & 255, bits >> 24 & 255);
            line(&stranger, &this, (bits >> 32 & 0xffff, sequence.below(1_024)), "REJECT")?;
        }
        _ => writeln!(text, "2 {ACCOUNT} eni-0{broker:016x} - - - - - - - {start} {} - NODATA", start + 60)?,
    }
    Ok(())
}
