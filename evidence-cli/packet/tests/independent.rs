//! What a packet claims, checked by programs that we did not write: OpenSSL, a DSSE library, unzip, and a few lines of
//! Python that follow RFC 6962.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::panic,
    reason = "a test fails by panicking, in its helpers too"
)]

mod common;

use std::path::Path;
use std::process::Command;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cadastre_packet::{
    LocalKey, PublicKey, Signer, SignerError, TimestampAuthority, TimestampError, TimestampRule,
    TimestampState, UncheckedPacket, VerifyOptions, attach_timestamp, pre_authentication_encoding, show,
    verify,
};
use common::*;

/// Runs a program; `None` when it is not there.
fn run(directory: &Path, program: &str, arguments: &[&str]) -> Option<Result<String, String>> {
    let output = match Command::new(program).args(arguments).current_dir(directory).output() {
        Ok(output) => output,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            println!("skipped: no {program} on the PATH");
            return None;
        }
        Err(error) => panic!("{program}: {error}"),
    };
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    Some(if output.status.success() { Ok(text) } else { Err(text) })
}

/// The same, which must succeed.
#[track_caller]
fn succeeds(directory: &Path, program: &str, arguments: &[&str]) -> Option<String> {
    run(directory, program, arguments)
        .map(|result| result.unwrap_or_else(|text| panic!("{arguments:?}: {text}")))
}

/// The attestation of a packet, as JSON.
fn attestation(packet: &[u8]) -> serde_json::Value {
    let start = packet.windows(12).position(|window| window == br#"{"payload":""#).unwrap();
    serde_json::Deserializer::from_slice(&packet[start..]).into_iter().next().unwrap().unwrap()
}

fn decoded(value: &serde_json::Value) -> Vec<u8> {
    STANDARD.decode(value.as_str().unwrap()).unwrap()
}

#[test]
fn openssl_verifies_the_signature_over_the_pre_authentication_encoding() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let keys = [
        (ed25519_pem(), vec!["-rawin"]),
        (ecdsa_pem(&ECDSA_P256_SHA256_ASN1_SIGNING), vec!["-rawin", "-digest", "sha256"]),
        (ecdsa_pem(&ECDSA_P384_SHA384_ASN1_SIGNING), vec!["-rawin", "-digest", "sha384"]),
    ];
    for (pem, extra) in keys {
        let key = LocalKey::from_pem("test", pem.as_bytes()).unwrap();
        let envelope = attestation(&signed_with(&unsigned(), &key, NO_TIMESTAMP));
        std::fs::write(at.join("public.pem"), self::pem("PUBLIC KEY", key.public_key().spki())).unwrap();
        std::fs::write(at.join("signature"), decoded(&envelope["signatures"][0]["sig"])).unwrap();
        let message = pre_authentication_encoding(&decoded(&envelope["payload"]));
        let arguments = [
            &[
                "pkeyutl",
                "-verify",
                "-pubin",
                "-inkey",
                "public.pem",
                "-sigfile",
                "signature",
                "-in",
                "message",
            ][..],
            &extra,
        ]
        .concat();
        std::fs::write(at.join("message"), &message).unwrap();
        let Some(text) = succeeds(at, "openssl", &arguments) else { return };
        assert!(text.contains("Verified Successfully"), "{text}");
        std::fs::write(at.join("message"), [message.as_slice(), b" "].concat()).unwrap();
        assert!(run(at, "openssl", &arguments).unwrap().is_err());
    }
}

/// Signs with a program, as a key in a cloud would: only the public half is here.
struct OpensslSigner {
    public: PublicKey,
    directory: std::path::PathBuf,
    options: Vec<&'static str>,
}

impl Signer for OpensslSigner {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignerError> {
        std::fs::write(self.directory.join("message"), message)?;
        let arguments = [
            &["dgst", "-sha256", "-sign", "private.pem", "-out", "signature"][..],
            &self.options,
            &["message"],
        ]
        .concat();
        run(&self.directory, "openssl", &arguments).ok_or("no openssl")??;
        Ok(std::fs::read(self.directory.join("signature"))?)
    }
}

#[test]
fn keys_as_openssl_makes_them_sign_and_verify_and_rsa_verifies_in_both_paddings() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let generated = succeeds(at, "openssl", &["genpkey", "-algorithm", "ed25519", "-out", "ed25519.pem"]);
    if generated.is_none() {
        return;
    }
    let local = LocalKey::from_pem("test", &std::fs::read(at.join("ed25519.pem")).unwrap()).unwrap();
    succeeds(at, "openssl", &["pkey", "-in", "ed25519.pem", "-pubout", "-out", "public.pem"]);
    let public = PublicKey::from_pem("test", &std::fs::read(at.join("public.pem")).unwrap()).unwrap();
    assert_eq!(public[0].id(), local.public_key().id());
    succeeds(at, "openssl", &["genrsa", "-out", "private.pem", "2048"]);
    succeeds(at, "openssl", &["rsa", "-in", "private.pem", "-pubout", "-out", "public.pem"]);
    let public =
        PublicKey::from_pem("rsa", &std::fs::read(at.join("public.pem")).unwrap()).unwrap().remove(0);
    let pss = vec!["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"];
    for options in [Vec::new(), pss] {
        let signer = OpensslSigner { public: public.clone(), directory: at.to_owned(), options };
        let bytes = signed_with(&unsigned(), &signer, NO_TIMESTAMP);
        let keys = std::slice::from_ref(&public);
        verify(UncheckedPacket::open(&bytes).unwrap(), keys, &VerifyOptions::default()).unwrap();
    }
    succeeds(at, "openssl", &["genrsa", "-out", "private.pem", "1024"]);
    succeeds(at, "openssl", &["rsa", "-in", "private.pem", "-pubout", "-out", "public.pem"]);
    assert!(PublicKey::from_pem("rsa", &std::fs::read(at.join("public.pem")).unwrap()).is_err());
}

/// Reads the packet with Python's own zip and JSON libraries, and computes root, ids and hashes from RFC 6962 §2.1 and
/// docs/formats/packet.md.
const PYTHON: &str = r#"
import base64, hashlib, json, re, sys, zipfile

def sha256(data):
    return hashlib.sha256(data).digest()

def tree(leaves):
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return sha256(b"\x01" + tree(leaves[:k]) + tree(leaves[k:]))

packet = zipfile.ZipFile(sys.argv[1])
assert packet.testzip() is None
leaves, labels = [], []
for line in packet.read("leaves.txt").decode().splitlines():
    salt, _, label = line.partition(" ")
    leaves.append(sha256(b"\x00" + bytes.fromhex(salt) + label.encode()))
    labels.append(label)
statement = json.loads(base64.b64decode(json.loads(packet.read("attestation.dsse.json"))["payload"]))
assert statement["subject"][0]["digest"]["rfc6962-sha256"] == tree(leaves).hex(), "root"
assert statement["subject"][1]["digest"]["sha256"] == sha256(packet.read("manifest.json")).hex(), "manifest"
expected = ["file manifest.json %d sha256:%s" % (len(packet.read("manifest.json")), sha256(packet.read("manifest.json")).hex())]
for entry in json.loads(packet.read("manifest.json"))["files"]:
    content = packet.read(entry["path"])
    assert (len(content), sha256(content).hex()) == (entry["size"], entry["sha256"]), entry["path"]
    if entry["role"] == "records":
        for line in content.decode().splitlines():
            record = json.loads(line)
            digits = record.pop("id").removeprefix("sha256:")
            canonical = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
            assert sha256(canonical.encode()).hex() == digits, line
            expected.append("record sha256:" + digits)
    else:
        expected.append("file %s %d sha256:%s" % (entry["path"], entry["size"], entry["sha256"]))
assert labels == expected, "leaves"
print("leaves", len(leaves))
"#;

#[test]
fn a_few_lines_of_python_compute_the_same_root_ids_and_hashes() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("packet.zip"), signed()).unwrap();
    let text = succeeds(directory.path(), "python3", &["-c", PYTHON, "packet.zip"]);
    assert!(text.is_none_or(|text| text.trim() == "leaves 17"));
}

/// Verifies the envelope with securesystemslib's DSSE implementation, and reads the statement with in-toto's model.
const SECURESYSTEMSLIB: &str = r#"
import base64, json, sys
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey
from in_toto_attestation.v1.statement import Statement
import in_toto_attestation.v1.statement_pb2 as statement_pb2
from google.protobuf import json_format

envelope, kind, scheme, public = json.load(sys.stdin)
key = SSlibKey(envelope["signatures"][0]["keyid"], kind, scheme, {"public": public})
parsed = Envelope.from_dict(json.loads(json.dumps(envelope)))
assert parsed.payload_type == "application/vnd.in-toto+json"
assert list(parsed.verify([key], 1)) == [key.keyid]
statement = json_format.Parse(parsed.payload, statement_pb2.Statement())
Statement.copy_from_pb(statement).validate()
envelope["payload"] = base64.b64encode(parsed.payload + b" ").decode()
try:
    Envelope.from_dict(envelope).verify([key], 1)
except Exception:
    print("verified")
else:
    raise SystemExit("a changed payload verified")
"#;

#[test]
fn an_independent_dsse_implementation_verifies_the_envelope() {
    let python = std::env::var("CADASTRE_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let here = Path::new(".");
    if run(here, &python, &["-c", "import securesystemslib, in_toto_attestation"])
        .is_none_or(|found| found.is_err())
    {
        println!("skipped: `cargo xtask parts` gets securesystemslib and in-toto-attestation");
        return;
    }
    let ecdsa = LocalKey::from_pem("test", ecdsa_pem(&ECDSA_P256_SHA256_ASN1_SIGNING).as_bytes()).unwrap();
    let signers: [(&dyn Signer, &str, &str); 2] =
        [(key(), "ed25519", "ed25519"), (&ecdsa, "ecdsa", "ecdsa-sha2-nistp256")];
    for (signer, kind, scheme) in signers {
        let envelope = attestation(&signed_with(&unsigned(), signer, NO_TIMESTAMP));
        let spki = signer.public_key().spki();
        let public = if kind == "ed25519" { hex::encode(&spki[12..]) } else { pem("PUBLIC KEY", spki) };
        let input = serde_json::json!([envelope, kind, scheme, public]).to_string();
        let mut child = Command::new(&python)
            .args(["-c", SECURESYSTEMSLIB])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        std::io::Write::write_all(child.stdin.as_mut().unwrap(), input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "verified");
    }
}

#[test]
fn other_peoples_unzip_reads_the_container() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("packet.zip"), signed()).unwrap();
    if let Some(text) = succeeds(directory.path(), "unzip", &["-t", "packet.zip"]) {
        assert!(text.contains("No errors detected"), "{text}");
    }
}

/// A timestamp authority: root, signing certificate, and a configuration for `openssl ts`.
fn authority(at: &Path, algorithm: &[&str], days: &str) -> Option<()> {
    let configuration = "[tsa]\ndefault_tsa = one\n[one]\nserial = serial\nsigner_digest = sha256\ndefault_policy = 1.2.3.4.1\ndigests = sha256, sha384, sha512\ness_cert_id_alg = sha256\n";
    std::fs::write(at.join("tsa.cnf"), configuration).unwrap();
    std::fs::write(at.join("serial"), "01\n").unwrap();
    std::fs::write(
        at.join("leaf.ext"),
        "extendedKeyUsage=critical,timeStamping\nbasicConstraints=CA:FALSE\n",
    )
    .unwrap();
    let generate =
        |out: &'static str| succeeds(at, "openssl", &[&["genpkey", "-out", out][..], algorithm].concat());
    generate("root.key")?;
    generate("leaf.key")?;
    let root = [
        "req",
        "-x509",
        "-new",
        "-key",
        "root.key",
        "-subj",
        "/CN=Test Root",
        "-days",
        "30",
        "-out",
        "root.pem",
    ];
    succeeds(at, "openssl", &root)?;
    succeeds(
        at,
        "openssl",
        &["req", "-new", "-key", "leaf.key", "-subj", "/CN=Test TSA", "-out", "leaf.csr"],
    )?;
    let sign = [
        "x509",
        "-req",
        "-in",
        "leaf.csr",
        "-CA",
        "root.pem",
        "-CAkey",
        "root.key",
        "-CAcreateserial",
        "-days",
        days,
        "-extfile",
        "leaf.ext",
        "-out",
        "leaf.pem",
    ];
    succeeds(at, "openssl", &sign)?;
    Some(())
}

/// Lets the authority stamp a digest.
fn stamp(at: &Path, imprint: &str) -> Vec<u8> {
    succeeds(at, "openssl", &["ts", "-query", "-digest", imprint, "-sha256", "-cert", "-out", "query.tsq"]);
    let reply = [
        "ts",
        "-reply",
        "-config",
        "tsa.cnf",
        "-queryfile",
        "query.tsq",
        "-signer",
        "leaf.pem",
        "-inkey",
        "leaf.key",
        "-out",
        "reply.tsr",
    ];
    succeeds(at, "openssl", &reply);
    std::fs::read(at.join("reply.tsr")).unwrap()
}

fn imprint(packet: &[u8]) -> String {
    cadastre_packet::Digest::of(&decoded(&attestation(packet)["signatures"][0]["sig"])).to_string()
}

#[test]
fn timestamps_of_openssls_authority_verify_and_every_byte_of_them_counts() {
    let algorithms: [&[&str]; 2] = [
        &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
        &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
    ];
    // Every byte where time does not matter, every seventh otherwise.
    let step = if std::env::var_os("CADASTRE_TAMPERINGS").is_some() { 1 } else { 7 };
    for algorithm in algorithms {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path();
        if authority(at, algorithm, "20").is_none() {
            return;
        }
        let trusted =
            TimestampAuthority::from_pem("root", &std::fs::read(at.join("root.pem")).unwrap()).unwrap();
        let waiting = signed_with(&unsigned(), key(), TimestampRule::Required);
        assert!(verifies(&waiting).unwrap_err().to_string().contains("asks for a timestamp"));
        let response = stamp(at, &imprint(&waiting));
        let mut stamped = Vec::new();
        attach_timestamp(&waiting, &response, std::slice::from_ref(&trusted), &mut stamped).unwrap();
        let options =
            VerifyOptions { timestamp_authorities: vec![trusted.clone()], ..VerifyOptions::default() };
        let check = |bytes: &Vec<u8>| {
            let packet = UncheckedPacket::open(bytes)?;
            verify(packet, &keys(), &options).map(|packet| packet.verification().timestamp.clone())
        };
        let state = check(&stamped).unwrap();
        assert!(
            matches!(&state, TimestampState::Verified { authority, .. } if authority.contains("Test TSA")),
            "{state:?}"
        );
        assert!(show(&stamped).unwrap().timestamp);

        let start = stamped.windows(13).position(|window| window == b"timestamp.tsr").unwrap() + 13;
        for place in (start..start + 1_500).step_by(step) {
            let mut changed = stamped.clone();
            changed[place] ^= 0x20;
            // The checksum is put right, so that the token itself must refuse the change.
            let size = u32::from_le_bytes(changed[start - 25..start - 21].try_into().unwrap()) as usize;
            if place >= start + size {
                break;
            }
            let sum = crc32fast::hash(&changed[start..start + size]).to_le_bytes();
            let old = stamped[start - 29..start - 25].to_vec();
            let central = stamped.windows(4).rposition(|window| window == old).unwrap();
            changed[start - 29..start - 25].copy_from_slice(&sum);
            changed[central..central + 4].copy_from_slice(&sum);
            assert!(check(&changed).is_err(), "byte {} of the token", place - start);
        }

        let error = verifies(&stamped).unwrap_err().to_string();
        assert!(error.contains("no authority's certificates"), "{error}");
        let lenient = VerifyOptions { accept_unchecked_timestamp: true, ..VerifyOptions::default() };
        let packet = verify(UncheckedPacket::open(&stamped).unwrap(), &keys(), &lenient).unwrap();
        assert_eq!(packet.verification().timestamp, TimestampState::NotChecked);

        let other = signed_with(
            &unsigned(),
            LocalKey::from_pem("o", ed25519_pem().as_bytes()).as_ref().unwrap(),
            TimestampRule::Required,
        );
        let wrong =
            attach_timestamp(&other, &response, std::slice::from_ref(&trusted), Vec::new()).unwrap_err();
        assert!(wrong.to_string().contains("something other than the packet's signature"), "{wrong}");
    }
}

#[test]
fn a_timestamp_of_a_certificate_that_is_not_trusted_or_not_for_timestamps_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let algorithm = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
    if authority(at, &algorithm, "20").is_none() {
        return;
    }
    let waiting = signed_with(&unsigned(), key(), TimestampRule::Required);
    let response = stamp(at, &imprint(&waiting));
    let elsewhere = tempfile::tempdir().unwrap();
    authority(elsewhere.path(), &algorithm, "20").unwrap();
    let other =
        TimestampAuthority::from_pem("root", &std::fs::read(elsewhere.path().join("root.pem")).unwrap())
            .unwrap();
    let error = attach_timestamp(&waiting, &response, &[other], Vec::new()).unwrap_err();
    assert!(error.to_string().contains("is not trusted at"), "{error}");
    assert!(matches!(TimestampAuthority::from_pem("none", b"no"), Err(TimestampError::NoCertificate(_))));
}

#[test]
fn a_timestamp_of_a_certificate_that_had_expired_is_said_plainly_and_is_no_sign_of_tampering() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let algorithm = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
    if authority(at, &algorithm, "20").is_none() {
        return;
    }
    let configuration = "[ca]\ndefault_ca = one\n[one]\ndatabase = index.txt\nnew_certs_dir = .\ndefault_md = sha256\npolicy = any\nrand_serial = yes\n[any]\ncommonName = supplied\n";
    std::fs::write(at.join("ca.cnf"), configuration).unwrap();
    std::fs::write(at.join("index.txt"), "").unwrap();
    let arguments = "ca -batch -notext -config ca.cnf -cert root.pem -keyfile root.key -in leaf.csr \
                     -extfile leaf.ext -startdate 20200101000000Z -enddate 20210101000000Z -out leaf.pem";
    succeeds(at, "openssl", &arguments.split_whitespace().collect::<Vec<_>>()).unwrap();
    let trusted = TimestampAuthority::from_pem("root", &std::fs::read(at.join("root.pem")).unwrap()).unwrap();
    let waiting = signed_with(&unsigned(), key(), TimestampRule::Required);
    let response = stamp(at, &imprint(&waiting));
    let error =
        attach_timestamp(&waiting, &response, std::slice::from_ref(&trusted), Vec::new()).unwrap_err();
    assert!(error.to_string().ends_with("it was valid until 2021-01-01T00:00:00Z"), "{error}");
    assert_eq!(error.failure(), cadastre_packet::Failure::Tool);
}

#[test]
fn a_certificate_that_had_expired_when_the_packet_was_signed_is_refused() {
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let signer = LocalKey::from_pem("test", pair.serialize_pem().as_bytes()).unwrap();
    let bytes = signed_with(&unsigned(), &signer, NO_TIMESTAMP);
    let check = |from: i32, to: i32| {
        let mut parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
        parameters.not_before = rcgen::date_time_ymd(from, 1, 1);
        parameters.not_after = rcgen::date_time_ymd(to, 1, 1);
        let certificate = parameters.self_signed(&pair).unwrap().pem();
        let keys = PublicKey::from_pem("signer.pem", certificate.as_bytes()).unwrap();
        verify(UncheckedPacket::open(&bytes).unwrap(), &keys, &VerifyOptions::default()).map(|_| ())
    };
    check(2026, 2027).unwrap();
    let error = check(2020, 2021).unwrap_err();
    assert_eq!(error.failure(), cadastre_packet::Failure::Tool);
    assert!(error.to_string().contains("`signer.pem` was valid from 2020-01-01"), "{error}");
    assert!(check(2027, 2028).is_err());
}
