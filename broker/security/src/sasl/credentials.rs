//! Where the exchanges find credentials, and what they use for users that do not exist.

use std::collections::BTreeMap;
use std::fmt;

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use aws_lc_rs::{constant_time, hmac};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::bearer::{BearerError, BearerToken};
use crate::scram::{MINIMUM_ITERATIONS, ScramCredential, ScramError, ScramMechanism, salt_from};

/// Finds credentials by user name.
pub trait CredentialLookup: Send + Sync {
    /// The SCRAM credential of a user, if there is one for the mechanism.
    fn scram_credential(&self, mechanism: ScramMechanism, user: &str) -> Option<ScramCredential>;

    /// The PLAIN password of a user, if there is one.
    fn plain_password(&self, user: &str) -> Option<PlainPassword>;

    /// Verifies a bearer token; where none are accepted, every one is refused.
    ///
    /// # Errors
    /// [`BearerError`]: why it is refused.
    fn bearer_token(&self, _token: &str) -> Result<BearerToken, BearerError> {
        Err(BearerError::NotAccepted)
    }

    /// What stands in for the credentials of users that do not exist.
    fn decoys(&self) -> &DecoySecret;
}

/// A password for PLAIN, wiped on drop and never printed.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct PlainPassword(String);

impl PlainPassword {
    /// Takes the password over.
    pub fn new(password: impl Into<String>) -> Self {
        Self(password.into())
    }

    /// The password, for a client that must present it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PlainPassword {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PlainPassword(redacted)")
    }
}

/// The secret from which answers for unknown users are made, so that asking twice gives the same salt, as it would
/// for a user that exists.
#[derive(ZeroizeOnDrop)]
pub struct DecoySecret {
    key: [u8; 32],
    iterations: u32,
}

impl DecoySecret {
    /// A secret of this process. Salts of unknown users then change with a restart, which real ones do not;
    /// [`derive`](Self::derive) avoids that.
    ///
    /// # Errors
    /// [`ScramError::Random`].
    pub fn random() -> Result<Self, ScramError> {
        let mut key = [0; 32];
        SystemRandom::new().fill(&mut key).map_err(|_unspecified| ScramError::Random)?;
        Ok(Self { key, iterations: MINIMUM_ITERATIONS })
    }

    /// A secret that survives restarts, derived from key material of the cluster.
    pub fn derive(key_material: &[u8]) -> Self {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key_material), b"cadastre sasl decoys v1");
        let mut key = [0; 32];
        for (target, byte) in key.iter_mut().zip(tag.as_ref()) {
            *target = *byte;
        }
        Self { key, iterations: MINIMUM_ITERATIONS }
    }

    /// How many iterations unknown users pretend to have; set it to what the cluster's users mostly have.
    #[must_use]
    pub fn with_iterations(mut self, iterations: u32) -> Self {
        self.iterations = iterations;
        self
    }

    /// A credential for a user that does not exist, the same for the same name.
    pub(crate) fn credential(&self, mechanism: ScramMechanism, user: &str) -> ScramCredential {
        let seed = Zeroizing::new(mechanism.hmac(&self.key, user.as_bytes()));
        let salt = salt_from(&mechanism.hmac(&seed, b"salt"));
        ScramCredential::decoy(mechanism, salt, self.iterations, &seed)
    }

    /// Whether two passwords are the same, in a time that depends on the presented one alone.
    pub(crate) fn passwords_match(&self, presented: &str, expected: &str) -> bool {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.key);
        let presented = hmac::sign(&key, presented.as_bytes());
        let expected = hmac::sign(&key, expected.as_bytes());
        constant_time::verify_slices_are_equal(presented.as_ref(), expected.as_ref()).is_ok()
    }
}

impl fmt::Debug for DecoySecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("DecoySecret(redacted)")
    }
}

/// Credentials in memory.
#[derive(Debug)]
pub struct CredentialStore {
    scram: BTreeMap<(String, ScramMechanism), ScramCredential>,
    plain: BTreeMap<String, PlainPassword>,
    decoys: DecoySecret,
}

impl CredentialStore {
    /// A store without users.
    pub fn new(decoys: DecoySecret) -> Self {
        Self { scram: BTreeMap::new(), plain: BTreeMap::new(), decoys }
    }

    /// Adds or replaces the credential of a user for the credential's mechanism.
    pub fn set_scram(&mut self, user: impl Into<String>, credential: ScramCredential) {
        self.scram.insert((user.into(), credential.mechanism()), credential);
    }

    /// Removes a credential; false when there was none.
    pub fn remove_scram(&mut self, mechanism: ScramMechanism, user: &str) -> bool {
        self.scram.remove(&(user.to_owned(), mechanism)).is_some()
    }

    /// Adds or replaces a PLAIN user.
    pub fn set_plain(&mut self, user: impl Into<String>, password: PlainPassword) {
        self.plain.insert(user.into(), password);
    }

    /// Every SCRAM credential with its user, sorted by user and mechanism.
    pub fn scram_users(&self) -> impl Iterator<Item = (&str, &ScramCredential)> {
        self.scram.iter().map(|((user, _), credential)| (user.as_str(), credential))
    }
}

impl CredentialLookup for CredentialStore {
    fn scram_credential(&self, mechanism: ScramMechanism, user: &str) -> Option<ScramCredential> {
        self.scram.get(&(user.to_owned(), mechanism)).cloned()
    }

    fn plain_password(&self, user: &str) -> Option<PlainPassword> {
        self.plain.get(user).cloned()
    }

    fn decoys(&self) -> &DecoySecret {
        &self.decoys
    }
}
