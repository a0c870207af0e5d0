//! A trail's bucket, filled and signed as CloudTrail does it, and a broker's key ledger.
//!
//! Source: AWS CloudTrail user guide, "CloudTrail digest file structure", "CloudTrail log file name format" and "Custom
//! implementations of CloudTrail log file integrity validation".

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::OnceLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cadastre_model::Timestamp;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

pub(crate) const ACCOUNT: &str = "111122223333";
pub(crate) const REGION: &str = "eu-central-1";
/// Where events of global services are recorded.
pub(crate) const GLOBAL: &str = "us-east-1";
const BUCKET: &str = "payments-kafka-logs-111122223333";
const TRAIL: &str = "payments-audit";
const HOUR: i64 = 3_600;

/// The pair that signs, made once.
fn pair() -> &'static KeyPair {
    static PAIR: OnceLock<KeyPair> = OnceLock::new();
    PAIR.get_or_init(|| KeyPair::generate(KeySize::Rsa2048).expect("a key pair"))
}

/// What `aws cloudtrail list-public-keys` answers.
pub(crate) fn public_keys() -> String {
    let value = STANDARD.encode(pair().public_key().as_ref());
    json!({"PublicKeyList": [{"Value": value, "Fingerprint": "a1",
        "ValidityStartTime": "2020-01-01T00:00:00+00:00", "ValidityEndTime": "2040-01-01T00:00:00+00:00"}]})
    .to_string()
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes))
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

pub(crate) fn time(seconds: i64) -> String {
    Timestamp::from_seconds(seconds).expect("a time").to_string()
}

fn compact(seconds: i64) -> String {
    time(seconds).replace(['-', ':'], "")
}

/// One event and where it is recorded.
#[derive(Debug, Clone)]
pub(crate) struct Recorded {
    pub(crate) at: i64,
    pub(crate) region: &'static str,
    pub(crate) event: Value,
}

/// Files by their key.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bucket {
    pub(crate) files: BTreeMap<String, Vec<u8>>,
}

fn folder(kind: &str, region: &str, seconds: i64) -> String {
    let date = time(seconds).get(..10).unwrap_or_default().replace('-', "/");
    format!("trail/AWSLogs/{ACCOUNT}/{kind}/{region}/{date}")
}

impl Bucket {
    /// Hourly digests of each region from `start` to `end`, which are whole hours, and a log file for each hour that has
    /// events.
    pub(crate) fn fill(events: &[Recorded], regions: &[&'static str], start: i64, end: i64) -> Self {
        let mut bucket = Self::default();
        for region in regions {
            let mut previous: Option<(String, String, String)> = None;
            let mut hour = start;
            while hour < end {
                let within = |one: &&Recorded| one.region == *region && (hour..hour + HOUR).contains(&one.at);
                let listed: Vec<&Recorded> = events.iter().filter(within).collect();
                let logs =
                    if listed.is_empty() { Vec::new() } else { vec![bucket.log(region, hour, &listed)] };
                previous = Some(bucket.digest(region, hour, logs, previous));
                hour += HOUR;
            }
        }
        bucket
    }

    fn log(&mut self, region: &str, hour: i64, events: &[&Recorded]) -> Value {
        let delivered = hour + HOUR - 300;
        let stamp = compact(delivered);
        let stamp = stamp.get(..13).unwrap_or_default();
        let key = format!(
            "{}/{ACCOUNT}_CloudTrail_{region}_{stamp}Z_{hour:x}.json.gz",
            folder("CloudTrail", region, delivered)
        );
        let records: Vec<&Value> = events.iter().map(|one| &one.event).collect();
        let content = json!({"Records": records}).to_string();
        self.files.insert(key.clone(), gzip(content.as_bytes()));
        let times = || events.iter().map(|one| one.at);
        json!({"s3Bucket": BUCKET, "s3Object": key, "hashValue": sha256(content.as_bytes()), "hashAlgorithm": "SHA-256",
            "newestEventTime": times().max().map(time), "oldestEventTime": times().min().map(time)})
    }

    fn digest(
        &mut self,
        region: &str,
        start: i64,
        logs: Vec<Value>,
        previous: Option<(String, String, String)>,
    ) -> (String, String, String) {
        let end = start + HOUR;
        let key = format!(
            "{}/{ACCOUNT}_CloudTrail-Digest_{region}_{TRAIL}_{REGION}_{}.json.gz",
            folder("CloudTrail-Digest", region, end),
            compact(end)
        );
        let of = |part: fn(&(String, String, String)) -> &String| previous.as_ref().map(part);
        let document = json!({
            "awsAccountId": ACCOUNT, "digestStartTime": time(start), "digestEndTime": time(end), "digestS3Bucket": BUCKET,
            "digestS3Object": key, "digestPublicKeyFingerprint": "a1", "digestSignatureAlgorithm": "SHA256withRSA",
            "newestEventTime": Value::Null, "oldestEventTime": Value::Null,
            "previousDigestS3Bucket": previous.as_ref().map(|_| BUCKET), "previousDigestS3Object": of(|one| &one.0),
            "previousDigestHashValue": of(|one| &one.1), "previousDigestHashAlgorithm": previous.as_ref().map(|_| "SHA-256"),
            "previousDigestSignature": of(|one| &one.2), "logFiles": logs,
        });
        let bytes = document.to_string().into_bytes();
        let hash = sha256(&bytes);
        let before = previous.map_or_else(|| "null".to_owned(), |(_, _, signature)| signature);
        let message = format!("{}\n{BUCKET}/{key}\n{hash}\n{before}", time(end));
        let mut signature = vec![0; pair().public_modulus_len()];
        pair()
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature)
            .expect("a signature");
        let signature = hex::encode(signature);
        let metadata = json!({"signature": signature, "signature-algorithm": "SHA256withRSA"}).to_string();
        self.files.insert(format!("{key}.metadata.json"), metadata.into_bytes());
        self.files.insert(key.clone(), gzip(&bytes));
        (key, hash, signature)
    }

    /// The key of the newest file whose key and content hold the texts.
    pub(crate) fn newest(&self, key: &str, content: &str) -> String {
        let holds =
            |entry: &(&String, &Vec<u8>)| entry.0.contains(key) && inflated(entry.1).contains(content);
        self.files.iter().rev().find(holds).map(|(key, _)| key.clone()).expect("such a file")
    }

    /// The inflated content of a file, changed.
    pub(crate) fn edit(&mut self, key: &str, change: impl FnOnce(&str) -> String) {
        let text = inflated(&self.files[key]);
        let changed = change(&text);
        assert_ne!(text, changed, "the edit changes nothing");
        self.files.insert(key.to_owned(), gzip(changed.as_bytes()));
    }

    /// Writes every file below a directory.
    pub(crate) fn write(&self, directory: &Path) -> std::io::Result<()> {
        for (key, bytes) in &self.files {
            let path = directory.join(key);
            std::fs::create_dir_all(path.parent().unwrap_or(directory))?;
            std::fs::write(path, bytes)?;
        }
        Ok(())
    }
}

fn inflated(bytes: &[u8]) -> String {
    let mut text = String::new();
    // What is no gzip, such as metadata, holds nothing that is looked for.
    let _read = flate2::read::GzDecoder::new(bytes).read_to_string(&mut text);
    text
}

/// One use of a key, as a broker writes it down.
#[derive(Debug, Clone)]
pub(crate) struct Used {
    pub(crate) at: i64,
    pub(crate) operation: &'static str,
    pub(crate) request: String,
}

/// A ledger's lines, chained as the broker chains them (docs/formats/key-ledger.md).
pub(crate) fn ledger(uses: &[Used], key: &str) -> String {
    let mut previous = "0".repeat(64);
    let mut text = String::new();
    for (used, sequence) in uses.iter().zip(1_u64..) {
        let line = json!({
            "version": 1, "sequence": sequence, "time": time(used.at), "previous": previous, "operation": used.operation,
            "outcome": "ok", "key_id": key, "purpose": "segment", "context": {"cadastre:purpose": "segment"},
            "request_id": used.request,
        })
        .to_string();
        previous = sha256(line.as_bytes());
        text.push_str(&line);
        text.push('\n');
    }
    text
}
