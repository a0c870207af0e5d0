//! A secret that another program keeps in a file and may replace at any time: a token, a client secret.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use cadastre_keys::KeyError;
use zeroize::Zeroizing;

/// No token is near this long.
const LONGEST: u64 = 64 << 10;

/// A member of a JSON answer that must not stay in memory.
#[derive(serde::Deserialize)]
#[serde(from = "String")]
pub(crate) struct SecretText(pub(crate) Zeroizing<String>);

impl From<String> for SecretText {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

/// Where a secret lies. It is read anew each time it is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretFile {
    path: PathBuf,
}

impl SecretFile {
    /// A secret at `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The secret, without white space around it.
    ///
    /// # Errors
    /// [`KeyError::File`], [`KeyError::Malformed`] for anything but one line of visible ASCII.
    pub fn read(&self) -> Result<Zeroizing<String>, KeyError> {
        let failed = |source| KeyError::File { action: "read", path: self.path.clone(), source };
        let malformed = |reason| KeyError::Malformed { path: self.path.clone(), reason };
        let mut text = Zeroizing::new(String::with_capacity(4096));
        File::open(&self.path).map_err(failed)?.take(LONGEST).read_to_string(&mut text).map_err(failed)?;
        let trimmed = Zeroizing::new(text.trim().to_owned());
        if trimmed.is_empty() || !trimmed.bytes().all(|byte| (0x21..0x7f).contains(&byte)) {
            return Err(malformed("expected one line of visible ASCII"));
        }
        Ok(trimmed)
    }
}
