//! A bucket in memory, filled and signed as CloudTrail does it.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::OnceLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cadastre_logs::trail::{PublicKeys, TrailVerification, TrailWindow, verify_trail};
use cadastre_model::Timestamp;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

pub(crate) const BUCKET: &str = "amzn-s3-demo-bucket";
pub(crate) const ACCOUNT: &str = "111122223333";

/// 2026-03-01T00:00:00Z.
pub(crate) const START: i64 = 1_772_323_200;

/// Two key pairs, made once.
pub(crate) fn pair(which: usize) -> &'static KeyPair {
    static PAIRS: OnceLock<Vec<KeyPair>> = OnceLock::new();
    &PAIRS.get_or_init(|| (0..2).map(|_| KeyPair::generate(KeySize::Rsa2048).unwrap()).collect())[which]
}

pub(crate) fn fingerprint(which: usize) -> String {
    format!("{which:032x}")
}

pub(crate) fn keys(which: &[usize]) -> PublicKeys {
    let list: Vec<Value> = which
        .iter()
        .map(|&which| {
            json!({
                "Value": STANDARD.encode(pair(which).public_key().as_ref()),
                "ValidityStartTime": "2026-02-01T00:00:00+00:00",
                "ValidityEndTime": "2026-04-01T00:00:00+00:00",
                "Fingerprint": fingerprint(which),
            })
        })
        .collect();
    PublicKeys::parse(json!({ "PublicKeyList": list }).to_string().as_bytes(), "keys.json").unwrap()
}

pub(crate) fn sign(which: usize, message: &str) -> String {
    let pair = pair(which);
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature).unwrap();
    hex::encode(signature)
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex::encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes))
}

pub(crate) fn gzip(bytes: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(level));
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn time(seconds: i64) -> String {
    Timestamp::from_seconds(seconds).unwrap().to_string()
}

fn compact(seconds: i64) -> String {
    time(seconds).replace(['-', ':'], "")
}

/// Whose digests.
#[derive(Debug, Clone)]
pub(crate) struct Chain {
    pub(crate) prefix: &'static str,
    pub(crate) account: &'static str,
    pub(crate) region: &'static str,
    pub(crate) trail: &'static str,
    pub(crate) backfill: bool,
}

impl Chain {
    pub(crate) fn standard() -> Self {
        Self { prefix: "AWSLogs", account: ACCOUNT, region: "eu-central-1", trail: "audit", backfill: false }
    }

    fn day(&self, folder: &str, seconds: i64) -> String {
        let date = time(seconds)[..10].replace('-', "/");
        format!("{}/{}/{folder}/{}/{date}", self.prefix, self.account, self.region)
    }

    pub(crate) fn digest_key(&self, end: i64) -> String {
        format!(
            "{}/{}_CloudTrail-Digest_{}_{}_eu-central-1_{}{}.json.gz",
            self.day("CloudTrail-Digest", end),
            self.account,
            self.region,
            self.trail,
            compact(end),
            if self.backfill { "_backfill" } else { "" }
        )
    }

    pub(crate) fn log_key(&self, delivered: i64, unique: &str) -> String {
        let stamp = &compact(delivered)[..13];
        format!(
            "{}/{}_CloudTrail_{}_{stamp}Z_{unique}.json.gz",
            self.day("CloudTrail", delivered),
            self.account,
            self.region,
        )
    }
}

/// What a digest is made from.
#[derive(Debug, Clone)]
pub(crate) struct Made {
    pub(crate) key: String,
    pub(crate) hash: String,
    pub(crate) signature: String,
}

/// The bucket.
#[derive(Debug, Clone, Default)]
pub(crate) struct World {
    pub(crate) files: BTreeMap<String, Vec<u8>>,
}

impl World {
    /// Adds a log file and says how a digest lists it.
    pub(crate) fn log(&mut self, chain: &Chain, delivered: i64, unique: &str) -> Value {
        let key = chain.log_key(delivered, unique);
        let content =
            format!("{{\"Records\":[{{\"eventTime\":\"{}\",\"id\":\"{unique}\"}}]}}", time(delivered));
        self.files.insert(key.clone(), gzip(content.as_bytes(), 6));
        json!({
            "s3Bucket": BUCKET, "s3Object": key, "hashValue": sha256(content.as_bytes()), "hashAlgorithm": "SHA-256",
            "newestEventTime": time(delivered), "oldestEventTime": time(delivered),
        })
    }

    /// Adds a digest that continues `previous`, after `change` had its way with the document.
    pub(crate) fn digest(
        &mut self,
        chain: &Chain,
        (start, end): (i64, i64),
        logs: Vec<Value>,
        previous: Option<&Made>,
        which: usize,
        change: impl FnOnce(&mut Value),
    ) -> Made {
        let key = chain.digest_key(end);
        let mut document = json!({
            "awsAccountId": chain.account, "digestStartTime": time(start), "digestEndTime": time(end),
            "digestS3Bucket": BUCKET, "digestS3Object": key,
            "digestPublicKeyFingerprint": fingerprint(which), "digestSignatureAlgorithm": "SHA256withRSA",
            "newestEventTime": time(end), "oldestEventTime": time(start),
            "previousDigestS3Bucket": previous.map(|_| BUCKET),
            "previousDigestS3Object": previous.map(|made| &made.key),
            "previousDigestHashValue": previous.map(|made| &made.hash),
            "previousDigestHashAlgorithm": previous.map(|_| "SHA-256"),
            "previousDigestSignature": previous.map(|made| &made.signature),
            "logFiles": logs,
        });
        change(&mut document);
        let bytes = document.to_string().into_bytes();
        let hash = sha256(&bytes);
        let message = format!(
            "{}\n{BUCKET}/{}\n{hash}\n{}",
            document["digestEndTime"].as_str().unwrap(),
            document["digestS3Object"].as_str().unwrap(),
            document["previousDigestSignature"].as_str().unwrap_or("null")
        );
        let signature = sign(which, &message);
        let mut metadata = json!({ "signature": signature, "signature-algorithm": "SHA256withRSA" });
        if chain.backfill {
            metadata["backfill-generation-timestamp"] = json!(time(end + 86_400));
        }
        self.files.insert(format!("{key}.metadata.json"), metadata.to_string().into_bytes());
        self.files.insert(key.clone(), gzip(&bytes, 6));
        Made { key, hash, signature }
    }

    /// Adds `hours` digests, each listing two log files but every fifth, which lists none.
    pub(crate) fn chain(&mut self, chain: &Chain, from: i64, hours: i64, which: usize) -> Vec<Made> {
        self.continue_chain(chain, from, hours, which, None)
    }

    pub(crate) fn continue_chain(
        &mut self,
        chain: &Chain,
        from: i64,
        hours: i64,
        which: usize,
        previous: Option<&Made>,
    ) -> Vec<Made> {
        let mut made: Vec<Made> = Vec::new();
        for hour in 0..hours {
            let start = from + hour * 3_600;
            let logs = if hour % 5 == 4 {
                Vec::new()
            } else {
                vec![
                    self.log(chain, start + 600, &format!("a{hour}{}", chain.region)),
                    self.log(chain, start + 1_800, &format!("b{hour}{}", chain.region)),
                ]
            };
            let previous = made.last().or(previous).cloned();
            made.push(self.digest(chain, (start, start + 3_600), logs, previous.as_ref(), which, |_| {}));
        }
        made
    }

    /// Removes a digest and its metadata.
    pub(crate) fn remove_digest(&mut self, key: &str) {
        self.files.remove(key).unwrap();
        self.files.remove(&format!("{key}.metadata.json"));
    }

    /// The inflated content of a file, changed.
    pub(crate) fn edit(&mut self, key: &str, change: impl FnOnce(String) -> String) {
        use std::io::Read;
        let mut text = String::new();
        flate2::read::GzDecoder::new(self.files[key].as_slice()).read_to_string(&mut text).unwrap();
        let changed = change(text.clone());
        assert_ne!(text, changed, "the edit changes nothing");
        self.files.insert(key.to_owned(), gzip(changed.as_bytes(), 6));
    }

    /// Writes the bucket below a fresh directory.
    pub(crate) fn write(&self) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (key, bytes) in &self.files {
            let path = directory.path().join(key);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        directory
    }

    pub(crate) fn verify(&self, public: &PublicKeys, window: TrailWindow) -> TrailVerification {
        verify_trail(self.write().path(), public, window).unwrap()
    }
}
