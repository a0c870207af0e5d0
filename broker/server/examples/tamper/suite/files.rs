//! Key files, signing keys, and the receipts that are signed with them (RFC 2).

use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use cadastre_keys::signing::{SigningError, SigningKey};
use cadastre_keys::{
    DestroyedKey, EncryptionContext, KeyError, KeyProvider as _, LocalKeyFile, RECEIPT_VERSION, ShredReceipt,
    SignedReceipt, verify_receipt,
};

use super::change::{Altered, Region, cuts, flips, replaced};
use super::table::{Expectation, Judgement, Verdict};
use super::{Context, chain};

pub(crate) async fn tamper(context: &mut Context<'_>) {
    key_file(context).await;
    wrapped_key(context).await;
    signing_key(context);
    receipt(context);
}

/// The key-encryption key: whoever opens the file with another key in it cannot open what was wrapped.
async fn key_file(context: &mut Context<'_>) {
    const KIND: &str = "local key file";
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("kek");
    let keys = LocalKeyFile::create(&path).unwrap();
    let binding = EncryptionContext::new().with("cadastre:cluster", "tamper");
    let wrapped = keys.generate_data_key(&binding).await.unwrap();
    let sound = std::fs::read(&path).unwrap();
    let mark = sound.iter().position(|byte| *byte == b'\n').unwrap();
    let parts = [("mark", mark), ("line feed", 1), ("key", 64), ("last line feed", 1)];
    let mut altered = flips(context, &sound, &Region::row(0, &parts));
    altered.extend(cuts("cut", &sound, [0, mark, mark + 1, mark + 33, sound.len() - 2]));
    altered.push(replaced("line appended", "a second key", [sound.as_slice(), b"00"].concat()));
    let other = LocalKeyFile::create(&root.path().join("other")).unwrap();
    altered.push(replaced("another file in its place", "the whole", std::fs::read(other.path()).unwrap()));
    for Altered { region, what, bytes } in altered {
        let place = write_private(root.path(), &bytes);
        let judgement = match LocalKeyFile::open(&place) {
            Err(error) => Judgement::refused(chain(&error), &place.display().to_string()),
            Ok(opened) => match opened.unwrap(&wrapped.wrapped, &binding).await {
                Err(error @ KeyError::UnknownKey { .. }) => Judgement::new(Verdict::Named, chain(&error)),
                Err(error) => Judgement::new(Verdict::Unnoticed, chain(&error)),
                Ok(key) if key.expose() == wrapped.plaintext.expose() => {
                    Judgement::new(Verdict::Unnoticed, "the same key")
                }
                Ok(_other) => Judgement::new(Verdict::Served, "another data key"),
            },
        };
        context.table.note(KIND, &region, &what, 0, Expectation::Noticed, &judgement);
    }
}

/// A wrapped data key, and the context that it is bound to.
async fn wrapped_key(context: &mut Context<'_>) {
    const KIND: &str = "wrapped data key";
    let root = tempfile::tempdir().unwrap();
    let keys = LocalKeyFile::create(&root.path().join("kek")).unwrap();
    let binding = |segment: &str| EncryptionContext::new().with("cadastre:segment", segment);
    let sound = keys.generate_data_key(&binding("1")).await.unwrap().wrapped;
    let other = keys.generate_data_key(&binding("2")).await.unwrap().wrapped;
    let parts = [("nonce", 12), ("sealed key", 32), ("tag", 16)];
    let mut altered = flips(context, &sound.ciphertext, &Region::row(0, &parts));
    altered.extend(cuts("cut", &sound.ciphertext, [0, 1, 12, 44, 59]));
    altered.push(replaced("another place's key", "of segment 2", other.ciphertext));
    for Altered { region, what, bytes } in altered {
        let wrapped = cadastre_keys::WrappedKey { ciphertext: bytes, ..sound.clone() };
        let judgement = match keys.unwrap(&wrapped, &binding("1")).await {
            Err(error) => Judgement::refused(chain(&error), &sound.key_id),
            Ok(_key) => Judgement::new(Verdict::Served, "a data key"),
        };
        context.table.note(KIND, &region, &what, 0, Expectation::Noticed, &judgement);
    }
}

/// The key that signs heads and receipts: with another one, nothing verifies under the key that reviewers hold.
fn signing_key(context: &mut Context<'_>) {
    const KIND: &str = "signing key file";
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("signer");
    let trusted = SigningKey::create(&path).unwrap().verifying_key().clone();
    let sound = std::fs::read(&path).unwrap();
    let parts = [("PKCS#8 frame", 16), ("key", 32), ("public key and what follows", sound.len() - 48)];
    let mut altered = flips(context, &sound, &Region::row(0, &parts));
    altered.extend(cuts("cut", &sound, [0, 8, 40, sound.len() - 1]));
    altered.push(replaced("bytes appended", "a zero", [sound.as_slice(), &[0]].concat()));
    for Altered { region, what, bytes } in altered {
        let place = write_private(root.path(), &bytes);
        let judgement = match SigningKey::open(&place) {
            Err(error) => Judgement::refused(chain(&error), &place.display().to_string()),
            Ok(opened) => {
                let signature = opened.sign("tamper", b"message");
                match trusted.verify("tamper", b"message", &signature) {
                    Err(error @ SigningError::OtherSigner { .. }) => {
                        Judgement::new(Verdict::Named, chain(&error))
                    }
                    Err(error) => Judgement::new(Verdict::Served, chain(&error)),
                    Ok(()) => Judgement::new(Verdict::Unnoticed, "the same key"),
                }
            }
        };
        context.table.note(KIND, &region, &what, 0, Expectation::Noticed, &judgement);
    }
}

fn receipt(context: &mut Context<'_>) {
    const KIND: &str = "shred receipt";
    let root = tempfile::tempdir().unwrap();
    let signer = SigningKey::create(&root.path().join("signer")).unwrap();
    let of_topic = |topic: &str| {
        let receipt = ShredReceipt {
            version: RECEIPT_VERSION,
            cluster: "tamper".to_owned(),
            topic_id: topic.to_owned(),
            keys: vec![DestroyedKey {
                holder: format!("cadastre:topic:{topic}"),
                key_id: "local:00112233445566778899aabbccddeeff".to_owned(),
                wrapped_sha256: "ab".repeat(32),
            }],
            objects: vec!["data/tamper/partition/00/1-1".to_owned()],
            remains: Vec::new(),
            time: "2026-01-01T00:00:00.000Z".to_owned(),
            signer: signer.verifying_key().key_id(),
        };
        SignedReceipt::sign(receipt, &signer).unwrap()
    };
    let (signed, other) = (of_topic("one"), of_topic("two"));
    let sound = signed.to_bytes().unwrap();
    let text = String::from_utf8(sound.clone()).unwrap();
    let signature = text.find("\"signature\"").unwrap();
    let parts = [("receipt", signature), ("signature", sound.len() - signature)];
    let mut altered = flips(context, &sound, &Region::row(0, &parts));
    altered.extend(cuts("cut", &sound, [0, signature, sound.len() - 1]));
    let exchanged = SignedReceipt { receipt: signed.receipt, signature: other.signature };
    altered.push(replaced("another receipt's signature", "all", exchanged.to_bytes().unwrap()));
    for Altered { region, what, bytes } in altered {
        let judgement = match verify_receipt(&bytes, signer.verifying_key()) {
            Err(error) => Judgement::new(Verdict::Refused, chain(&error)),
            Ok(receipt) => Judgement::new(Verdict::Served, format!("{receipt:?}")),
        };
        context.table.note(KIND, &region, &what, 0, Expectation::Noticed, &judgement);
    }
}

fn write_private(directory: &Path, bytes: &[u8]) -> std::path::PathBuf {
    use std::io::Write as _;
    let place = directory.join("altered");
    let mut options = std::fs::OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(&place);
    file.unwrap().write_all(bytes).unwrap();
    place
}
