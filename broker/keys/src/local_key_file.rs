//! A key-encryption key in a local file: for development, tests and machines without a key service.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest;

use crate::envelope::{open_once, seal_once};
use crate::{
    Answer, AnswerFuture, DataKey, EncryptionContext, KEY_LENGTH, KeyError, KeyFuture, KeyProvider,
    KeyService, Secret, WrappedKey,
};

/// First line of a key file, without its line feed.
const MARK: &str = "cadastre-local-key-v1";
/// A key file is 87 bytes; anything much longer is something else.
const LONGEST_FILE: u64 = 128;
/// Separates the fingerprint's hash from every other use of the key.
const FINGERPRINT_DOMAIN: &[u8] = b"cadastre local key fingerprint v1";
/// Separates wrapped data keys from every other message under the key.
const WRAP_DOMAIN: &[u8] = b"cadastre data key v1";

/// A 256-bit key-encryption key in a file that only its owner may read.
///
/// The file holds a mark and the key in hexadecimal, a line each. It is made by [`LocalKeyFile::create`]
/// alone: opening never creates a key, since a new key beside an old log would be a lost log.
///
/// As a [`KeyService`] it looks for the file at each call: whoever takes the file away has disabled the key, and whoever
/// puts it back has enabled it.
#[derive(Debug)]
pub struct LocalKeyFile {
    key: Secret<[u8; KEY_LENGTH]>,
    key_id: String,
    path: PathBuf,
}

impl LocalKeyFile {
    /// Draws a fresh key and writes it durably to `path`, mode 0600.
    ///
    /// # Errors
    /// [`KeyError::File`] when the file exists already or cannot be written.
    pub fn create(path: &Path) -> Result<Self, KeyError> {
        let failed = |source| KeyError::File { action: "create", path: path.to_owned(), source };
        let key = Secret::random_key()?;
        let digits = Secret::new(hex::encode(key.expose()));
        let text = Secret::new(format!("{MARK}\n{}\n", digits.expose()));
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
        file.write_all(text.expose().as_bytes()).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(directory.unwrap_or(Path::new("."))).and_then(|it| it.sync_all()).map_err(failed)?;
        Ok(Self { key_id: key_id(&key), key, path: path.to_owned() })
    }

    /// Reads the key from `path`.
    ///
    /// # Errors
    /// [`KeyError::File`] when it cannot be read, [`KeyError::Permissions`] when others than the owner may
    /// reach it, [`KeyError::Malformed`] when it is not a key file.
    pub fn open(path: &Path) -> Result<Self, KeyError> {
        let failed = |source| KeyError::File { action: "read", path: path.to_owned(), source };
        let malformed = |reason| KeyError::Malformed { path: path.to_owned(), reason };
        let file = File::open(path).map_err(failed)?;
        // Asked of the open file, not of the path: the path may be exchanged in between.
        let metadata = file.metadata().map_err(failed)?;
        if !metadata.is_file() {
            return Err(malformed("expected a regular file"));
        }
        let mode = metadata.mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(KeyError::Permissions { path: path.to_owned(), mode });
        }
        let mut text = Secret::new(String::with_capacity(256));
        file.take(LONGEST_FILE).read_to_string(text.expose_mut()).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => malformed("expected text"),
            _ => failed(error),
        })?;
        let mut lines = text.expose().lines();
        if lines.next() != Some(MARK) {
            return Err(malformed("expected `cadastre-local-key-v1` in the first line"));
        }
        let mut key = Secret::new([0; KEY_LENGTH]);
        let digits = lines.next().unwrap_or_default();
        let unexpected = || malformed("expected 64 hexadecimal digits in the second line");
        // Written in lower case; a flipped bit makes a capital letter, which would decode to the same key.
        if digits.bytes().any(|digit| digit.is_ascii_uppercase()) {
            return Err(unexpected());
        }
        hex::decode_to_slice(digits, key.expose_mut()).map_err(|_digits| unexpected())?;
        if lines.next().is_some() {
            return Err(malformed("expected two lines"));
        }
        Ok(Self { key_id: key_id(&key), key, path: path.to_owned() })
    }

    /// Where the key lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the file is still there and holds this key.
    fn check_present(&self) -> Result<(), KeyError> {
        let disabled = || KeyError::Disabled { key_id: self.key_id.clone() };
        match Self::open(&self.path) {
            Ok(found) if found.key_id == self.key_id => Ok(()),
            Ok(_other) => Err(disabled()),
            Err(KeyError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => Err(disabled()),
            Err(error) => Err(error),
        }
    }

    fn generate(&self, context: &EncryptionContext) -> Result<DataKey, KeyError> {
        let plaintext = Secret::random_key()?;
        let wrapped = self.seal_key(&plaintext, context)?;
        Ok(DataKey { plaintext, wrapped })
    }

    fn seal_key(
        &self,
        key: &Secret<[u8; KEY_LENGTH]>,
        context: &EncryptionContext,
    ) -> Result<WrappedKey, KeyError> {
        let ciphertext = seal_once(&self.key, &wrap_additional_data(context), key.expose())?;
        Ok(WrappedKey { key_id: self.key_id.clone(), ciphertext })
    }

    fn move_key(&self, wrapped: &WrappedKey, context: &EncryptionContext) -> Result<WrappedKey, KeyError> {
        self.seal_key(&self.recover(wrapped, context)?, context)
    }

    fn recover(
        &self,
        wrapped: &WrappedKey,
        context: &EncryptionContext,
    ) -> Result<Secret<[u8; KEY_LENGTH]>, KeyError> {
        if wrapped.key_id != self.key_id {
            return Err(KeyError::UnknownKey {
                wrapped_by: wrapped.key_id.clone(),
                held: self.key_id.clone(),
            });
        }
        let unauthentic = || KeyError::Unauthentic { key_id: wrapped.key_id.clone() };
        let opened = open_once(&self.key, &wrap_additional_data(context), &wrapped.ciphertext)
            .map_err(|_open| unauthentic())?;
        let bytes: [u8; KEY_LENGTH] =
            opened.expose().as_slice().try_into().map_err(|_length| unauthentic())?;
        Ok(Secret::new(bytes))
    }
}

impl KeyProvider for LocalKeyFile {
    fn key_id(&self) -> &str {
        &self.key_id
    }

    fn generate_data_key<'a>(&'a self, context: &'a EncryptionContext) -> KeyFuture<'a, DataKey> {
        Box::pin(std::future::ready(self.generate(context)))
    }

    fn unwrap<'a>(
        &'a self,
        wrapped: &'a WrappedKey,
        context: &'a EncryptionContext,
    ) -> KeyFuture<'a, Secret<[u8; KEY_LENGTH]>> {
        Box::pin(std::future::ready(self.recover(wrapped, context)))
    }

    fn rewrap<'a>(
        &'a self,
        wrapped: &'a WrappedKey,
        context: &'a EncryptionContext,
    ) -> KeyFuture<'a, WrappedKey> {
        Box::pin(std::future::ready(self.move_key(wrapped, context)))
    }
}

impl KeyService for LocalKeyFile {
    fn current_key(&self) -> &str {
        &self.key_id
    }

    fn generate_key<'a>(&'a self, context: &'a EncryptionContext) -> AnswerFuture<'a, DataKey> {
        let answer = self.check_present().and_then(|()| self.generate(context));
        Box::pin(std::future::ready(Answer::local(answer)))
    }

    fn wrap_key<'a>(
        &'a self,
        key: &'a Secret<[u8; KEY_LENGTH]>,
        context: &'a EncryptionContext,
    ) -> AnswerFuture<'a, WrappedKey> {
        let answer = self.check_present().and_then(|()| self.seal_key(key, context));
        Box::pin(std::future::ready(Answer::local(answer)))
    }

    fn unwrap_key<'a>(
        &'a self,
        wrapped: &'a WrappedKey,
        context: &'a EncryptionContext,
    ) -> AnswerFuture<'a, Secret<[u8; KEY_LENGTH]>> {
        let answer = self.check_present().and_then(|()| self.recover(wrapped, context));
        Box::pin(std::future::ready(Answer::local(answer)))
    }

    fn rewrap_key<'a>(
        &'a self,
        wrapped: &'a WrappedKey,
        context: &'a EncryptionContext,
    ) -> AnswerFuture<'a, WrappedKey> {
        let answer = self.check_present().and_then(|()| self.move_key(wrapped, context));
        Box::pin(std::future::ready(Answer::local(answer)))
    }
}

fn wrap_additional_data(context: &EncryptionContext) -> Vec<u8> {
    [WRAP_DOMAIN, &context.canonical_bytes()].concat()
}

/// Names a key without telling it: `local:` and 128 bits of a hash over a domain and the key.
fn key_id(key: &Secret<[u8; KEY_LENGTH]>) -> String {
    let mut hash = digest::Context::new(&digest::SHA256);
    hash.update(FINGERPRINT_DOMAIN);
    hash.update(key.expose());
    let digits = hex::encode(hash.finish());
    format!("local:{}", digits.get(..32).unwrap_or(&digits))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn directory() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    #[tokio::test]
    async fn a_data_key_unwraps_after_the_file_is_opened_again() {
        let directory = directory();
        let path = directory.path().join("kek");
        let context = EncryptionContext::new().with("cluster", "c").with("segment", "1");
        let data_key = LocalKeyFile::create(&path).unwrap().generate_data_key(&context).await.unwrap();
        let reopened = LocalKeyFile::open(&path).unwrap();
        assert_eq!(reopened.key_id(), data_key.wrapped.key_id);
        let unwrapped = reopened.unwrap(&data_key.wrapped, &context).await.unwrap();
        assert_eq!(unwrapped.expose(), data_key.plaintext.expose());
        let elsewhere = EncryptionContext::new().with("cluster", "c").with("segment", "2");
        let refused = reopened.unwrap(&data_key.wrapped, &elsewhere).await.unwrap_err();
        assert!(matches!(refused, KeyError::Unauthentic { .. }));
    }

    #[tokio::test]
    async fn another_key_is_refused_by_name() {
        let directory = directory();
        let first = LocalKeyFile::create(&directory.path().join("first")).unwrap();
        let second = LocalKeyFile::create(&directory.path().join("second")).unwrap();
        let context = EncryptionContext::new();
        let data_key = first.generate_data_key(&context).await.unwrap();
        let refused = second.unwrap(&data_key.wrapped, &context).await.unwrap_err();
        assert!(refused.to_string().contains(first.key_id()), "{refused}");
        assert!(refused.to_string().contains(second.key_id()), "{refused}");
    }

    #[tokio::test]
    async fn whoever_takes_the_file_away_disables_the_key_until_it_is_back() {
        let directory = directory();
        let (path, away) = (directory.path().join("kek"), directory.path().join("away"));
        let key = LocalKeyFile::create(&path).unwrap();
        let context = EncryptionContext::new();
        let wrapped = key.generate_key(&context).await.outcome.unwrap().wrapped;
        fs::rename(&path, &away).unwrap();
        let refused = key.unwrap_key(&wrapped, &context).await.outcome.unwrap_err();
        assert!(matches!(refused, KeyError::Disabled { .. }), "{refused}");
        LocalKeyFile::create(&path).unwrap();
        let refused = key.generate_key(&context).await.outcome.unwrap_err();
        assert!(matches!(refused, KeyError::Disabled { .. }), "another key in its place: {refused}");
        fs::rename(&away, &path).unwrap();
        key.unwrap_key(&wrapped, &context).await.outcome.unwrap();
    }

    #[test]
    fn an_existing_file_is_never_overwritten() {
        let directory = directory();
        let path = directory.path().join("kek");
        let first = LocalKeyFile::create(&path).unwrap();
        assert!(matches!(LocalKeyFile::create(&path), Err(KeyError::File { action: "create", .. })));
        assert_eq!(LocalKeyFile::open(&path).unwrap().key_id(), first.key_id());
    }

    #[test]
    fn opening_never_creates_a_key() {
        let directory = directory();
        let path = directory.path().join("kek");
        assert!(matches!(LocalKeyFile::open(&path), Err(KeyError::File { action: "read", .. })));
        assert!(!path.exists());
    }

    #[track_caller]
    fn check_mode(mode: u32, accepted: bool) {
        let directory = directory();
        let path = directory.path().join("kek");
        LocalKeyFile::create(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let opened = LocalKeyFile::open(&path);
        assert_eq!(opened.is_ok(), accepted, "{mode:o}");
    }

    #[test]
    fn a_file_that_others_may_reach_is_refused() {
        check_mode(0o600, true);
        check_mode(0o400, true);
        check_mode(0o640, false);
        check_mode(0o604, false);
        check_mode(0o620, false);
    }

    #[track_caller]
    fn check_malformed(content: &[u8]) {
        let directory = directory();
        let path = directory.path().join("kek");
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let refused = LocalKeyFile::open(&path).unwrap_err();
        assert!(matches!(refused, KeyError::Malformed { .. }), "{refused}");
    }

    #[test]
    fn what_is_not_a_key_file_is_refused() {
        check_malformed(b"");
        check_malformed(b"\xff\xfe");
        check_malformed(b"-----BEGIN PRIVATE KEY-----\n");
        check_malformed(b"cadastre-local-key-v1\n");
        check_malformed(b"cadastre-local-key-v1\n00ff\n");
        let digits = "00".repeat(KEY_LENGTH);
        check_malformed(format!("{MARK}\n{digits}\nmore\n").as_bytes());
        check_malformed(format!("{MARK}\n{digits}00\n").as_bytes());
    }

    #[test]
    fn the_key_does_not_show_in_debug_output() {
        let directory = directory();
        let path = directory.path().join("kek");
        let provider = LocalKeyFile::create(&path).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let digits = text.lines().nth(1).unwrap();
        assert!(!format!("{provider:?}").contains(digits));
    }
}
