//! The head: what the ledger ended with when its last entries were acknowledged.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::LedgerError;
use super::entry::LEDGER_VERSION;
use crate::signing::{Signature, SigningError, SigningKey, VerifyingKey};

const FILE_NAME: &str = "key-ledger.head";
const DOMAIN: &str = "cadastre-key-ledger-head-v1";
const LONGEST_FILE: u64 = 4096;

/// Sequence and hash of the last acknowledged entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerHead {
    /// Always [`LEDGER_VERSION`](super::LEDGER_VERSION).
    pub version: u64,
    /// 0 before the first entry.
    pub sequence: u64,
    /// SHA-256 of that entry's line, in hexadecimal; 64 zeros before the first.
    pub hash: String,
    /// RFC 3339, UTC.
    pub time: String,
}

/// A head, and who vouches for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedLedgerHead {
    /// The head.
    pub head: LedgerHead,
    /// Over the head in RFC 8785 form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
}

impl SignedLedgerHead {
    /// Signs `head`, if there is a key.
    pub(super) fn new(head: LedgerHead, signer: Option<&SigningKey>) -> Result<Self, LedgerError> {
        let bytes = canonical(&head)?;
        let signature = signer.map(|signer| signer.sign(DOMAIN, &bytes));
        Ok(Self { head, signature })
    }

    /// Checks the signature against `key`.
    ///
    /// # Errors
    /// [`LedgerError::HeadSignature`] when it is missing, another's, or does not verify.
    pub fn verify(&self, key: &VerifyingKey) -> Result<(), LedgerError> {
        let missing = || SigningError::OtherSigner { signer: "nobody".to_owned(), expected: key.key_id() };
        let signed = |source| LedgerError::HeadSignature { source };
        let signature = self.signature.as_ref().ok_or_else(missing).map_err(signed)?;
        key.verify(DOMAIN, &canonical(&self.head)?, signature).map_err(signed)
    }

    /// Reads the head of the ledger in `directory`; `None` when there is none.
    ///
    /// # Errors
    /// [`LedgerError`] when it cannot be read or is not a head.
    pub fn read(directory: &Path) -> Result<Option<Self>, LedgerError> {
        let path = path(directory);
        let failed = |source| LedgerError::File { action: "read", path: path.clone(), source };
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let mut text = Vec::new();
        file.take(LONGEST_FILE).read_to_end(&mut text).map_err(failed)?;
        let head: Self = serde_json::from_slice(&text)
            .map_err(|error| LedgerError::Head { reason: format!("not a head: {error}") })?;
        if head.head.version != LEDGER_VERSION {
            let reason = format!("has version {}, known is {LEDGER_VERSION}", head.head.version);
            return Err(LedgerError::Head { reason });
        }
        Ok(Some(head))
    }

    /// Replaces the head durably.
    pub(super) fn write(&self, directory: &Path) -> Result<(), LedgerError> {
        let path = path(directory);
        let temporary = path.with_extension("head.new");
        let failed = |source| LedgerError::File { action: "write", path: path.clone(), source };
        let bytes = canonical(self)?;
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&temporary)
            .map_err(failed)?;
        file.write_all(&bytes).map_err(failed)?;
        file.sync_data().map_err(failed)?;
        fs::rename(&temporary, &path).map_err(failed)?;
        File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed)
    }
}

/// Where the head lies.
pub(super) fn path(directory: &Path) -> PathBuf {
    directory.join(FILE_NAME)
}

fn canonical(value: &impl Serialize) -> Result<Vec<u8>, LedgerError> {
    serde_json_canonicalizer::to_vec(value).map_err(|error| LedgerError::Head { reason: error.to_string() })
}
