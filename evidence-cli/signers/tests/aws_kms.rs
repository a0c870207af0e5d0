//! Keys of AWS KMS, as moto serves them.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "helpers of tests fail the test, and say what they skip"
)]

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_kms::Client;
use aws_sdk_kms::config::{Credentials, SharedCredentialsProvider};
use aws_sdk_kms::types::{KeySpec, KeyUsageType};
use cadastre_packet::{KeyKind, PublicKey};
use cadastre_signers::{KeyAddress, Signer, SigningError, open_aws};

/// A moto server that ends with the test.
struct Moto {
    child: Child,
    port: u16,
}

impl Moto {
    fn start() -> Option<Self> {
        let Some(python) = std::env::var_os("CADASTRE_PYTHON").map(PathBuf::from) else {
            eprintln!("skipped: CADASTRE_PYTHON names no Python with moto; `cargo xtask test` sets it");
            return None;
        };
        let server =
            PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/reference-account/server.py");
        let mut child = Command::new(python)
            .arg("-B")
            .arg(server)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().rsplit(':').next().unwrap().parse().unwrap();
        Some(Self { child, port })
    }

    /// The documentation's own credentials.
    fn config(&self) -> SdkConfig {
        let credentials = Credentials::builder()
            .access_key_id("111122223333")
            .secret_access_key("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
            .provider_name("tests")
            .build();
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-central-1"))
            .endpoint_url(format!("http://127.0.0.1:{}", self.port))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .build()
    }

    fn key(&self, spec: KeySpec, usage: KeyUsageType) -> String {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let client = Client::new(&self.config());
        let made = runtime.block_on(client.create_key().key_spec(spec).key_usage(usage).send()).unwrap();
        made.key_metadata.unwrap().arn.unwrap()
    }

    fn open(&self, arn: &str) -> Result<Box<dyn Signer>, SigningError> {
        let address: KeyAddress = format!("awskms://127.0.0.1:{}/{arn}", self.port).parse()?;
        let KeyAddress::AwsKms { arn, region, endpoint } = address else { unreachable!("an address of KMS") };
        open_aws(&arn, &region, endpoint.as_deref(), &self.config())
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

#[test]
fn keys_of_every_kind_sign_what_their_public_key_verifies_offline() {
    let Some(moto) = Moto::start() else { return };
    let kinds = [
        (KeySpec::EccNistP256, KeyKind::EcdsaP256),
        (KeySpec::EccNistP384, KeyKind::EcdsaP384),
        (KeySpec::Rsa2048, KeyKind::Rsa),
    ];
    for (spec, kind) in kinds {
        let arn = moto.key(spec, KeyUsageType::SignVerify);
        let signer = moto.open(&arn).unwrap();
        assert_eq!(signer.public_key().kind(), kind);
        // All that somebody offline has.
        let exported = PublicKey::from_spki("exported", signer.public_key().spki()).unwrap();
        for length in [1, 1024, 4096] {
            let message = vec![b'm'; length];
            let signature = signer.sign(&message).unwrap();
            assert!(exported.verify(&message, &signature).is_some(), "{kind:?} {length}");
            assert!(exported.verify(b"another", &signature).is_none());
        }
        assert!(signer.sign(&[0; 4097]).unwrap_err().to_string().contains("up to 4096 bytes"));
    }
}

#[track_caller]
fn check_refused(opened: Result<Box<dyn Signer>, SigningError>, expected: &str) {
    let error = opened.err().unwrap().to_string();
    assert!(error.contains(expected), "{error}");
}

#[test]
fn keys_that_cannot_sign_are_refused_when_they_are_opened() {
    let Some(moto) = Moto::start() else { return };
    let encrypting = moto.key(KeySpec::Rsa2048, KeyUsageType::EncryptDecrypt);
    check_refused(moto.open(&encrypting), "its usage is not SIGN_VERIFY");
    let nobody = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    check_refused(moto.open(nobody), "the key service refuses `kms:GetPublicKey`");
    let curve = moto.key(KeySpec::EccSecgP256K1, KeyUsageType::SignVerify);
    check_refused(moto.open(&curve), "public key cannot be used");
}

#[test]
fn a_service_that_does_not_answer_is_said_to_be_away() {
    // Nothing listens where a listener has just been.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let arn = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    let credentials = Credentials::builder()
        .access_key_id("111122223333")
        .secret_access_key("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
        .provider_name("tests")
        .build();
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build();
    let endpoint = format!("http://127.0.0.1:{port}");
    check_refused(open_aws(arn, "eu-central-1", Some(&endpoint), &config), "does not answer");
}
