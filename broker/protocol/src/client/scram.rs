//! The client's side of SCRAM (RFC 5802, RFC 7677), without channel binding, as Kafka speaks it.
//!
//! Kafka does not normalise user names and passwords with SASLprep; neither does this.

use std::num::NonZeroU32;

use aws_lc_rs::{constant_time, digest, hmac, pbkdf2, rand};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::client::security::{Mechanism, Password};

/// Fewer iterations than this are not worth the name (RFC 7677 §4; Kafka's own minimum).
const MINIMUM_ITERATIONS: u32 = 4096;
/// More than this is not a precaution but a way to keep the client busy.
const MAXIMUM_ITERATIONS: u32 = 1_000_000;
const NONCE_BYTES: usize = 24;
/// GS2 header: no channel binding, no authorization identity.
const GS2_HEADER: &str = "n,,";

/// The server's messages do not follow the protocol, or it does not know the password's verifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScramError {
    /// A message is not what RFC 5802 §7 describes.
    #[error("malformed SCRAM message: {0}")]
    Malformed(&'static str),
    /// The server's nonce does not continue ours: somebody answers from a recording.
    #[error("the server's nonce does not continue the client's")]
    ForeignNonce,
    /// The iteration count is outside what is sensible.
    #[error("{0} iterations are outside {MINIMUM_ITERATIONS} to {MAXIMUM_ITERATIONS}")]
    Iterations(u32),
    /// The server says that the login failed.
    #[error("the server refused: {0}")]
    Refused(String),
    /// The server's signature is wrong: it does not know the password's verifier.
    #[error("the server's signature is wrong")]
    WrongSignature,
    /// No random numbers.
    #[error("no random numbers available")]
    Random,
}

/// An exchange that has not begun.
#[derive(Debug)]
pub(crate) struct ScramClient {
    hash: Hash,
    first_bare: String,
    nonce: String,
}

#[derive(Debug, Clone, Copy)]
enum Hash {
    Sha256,
    Sha512,
}

impl Hash {
    fn hmac(self) -> hmac::Algorithm {
        match self {
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha512 => hmac::HMAC_SHA512,
        }
    }

    fn digest(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha512 => &digest::SHA512,
        }
    }

    fn pbkdf2(self) -> pbkdf2::Algorithm {
        match self {
            Self::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
            Self::Sha512 => pbkdf2::PBKDF2_HMAC_SHA512,
        }
    }
}

/// What must come back from the server at the end.
#[derive(Debug)]
pub(crate) struct ExpectedSignature(Vec<u8>);

impl ScramClient {
    /// `None` for mechanisms other than SCRAM.
    pub(crate) fn new(mechanism: Mechanism, username: &str) -> Option<Result<Self, ScramError>> {
        let hash = match mechanism {
            Mechanism::Plain => return None,
            Mechanism::ScramSha256 => Hash::Sha256,
            Mechanism::ScramSha512 => Hash::Sha512,
        };
        let mut nonce = [0; NONCE_BYTES];
        if rand::fill(&mut nonce).is_err() {
            return Some(Err(ScramError::Random));
        }
        Some(Ok(Self::with_nonce(hash, username, STANDARD.encode(nonce))))
    }

    fn with_nonce(hash: Hash, username: &str, nonce: String) -> Self {
        // RFC 5802 §5.1: `=` and `,` in names are written `=3D` and `=2C`.
        let name = username.replace('=', "=3D").replace(',', "=2C");
        Self { hash, first_bare: format!("n={name},r={nonce}"), nonce }
    }

    /// The client-first-message.
    pub(crate) fn first_message(&self) -> String {
        format!("{GS2_HEADER}{}", self.first_bare)
    }

    /// The client-final-message for the server-first-message, and what the server must answer. Slow by design: the
    /// iterations are computed here.
    pub(crate) fn final_message(
        &self,
        server_first: &str,
        password: &Password,
    ) -> Result<(String, ExpectedSignature), ScramError> {
        let challenge = Challenge::parse(server_first)?;
        if !challenge.nonce.starts_with(&self.nonce) || challenge.nonce.len() == self.nonce.len() {
            return Err(ScramError::ForeignNonce);
        }
        let length = self.hash.digest().output_len();
        let mut salted = Zeroizing::new(vec![0; length]);
        pbkdf2::derive(
            self.hash.pbkdf2(),
            challenge.iterations,
            &challenge.salt,
            password.expose().as_bytes(),
            &mut salted,
        );
        let key = hmac::Key::new(self.hash.hmac(), &salted);
        let client_key = Zeroizing::new(hmac::sign(&key, b"Client Key").as_ref().to_vec());
        let stored_key = digest::digest(self.hash.digest(), &client_key);
        let without_proof = format!("c={},r={}", STANDARD.encode(GS2_HEADER), challenge.nonce);
        let auth_message = format!("{},{server_first},{without_proof}", self.first_bare);
        let signature =
            hmac::sign(&hmac::Key::new(self.hash.hmac(), stored_key.as_ref()), auth_message.as_bytes());
        let proof: Vec<u8> =
            client_key.iter().zip(signature.as_ref()).map(|(key, mask)| key ^ mask).collect();

        let server_key = hmac::sign(&key, b"Server Key");
        let expected =
            hmac::sign(&hmac::Key::new(self.hash.hmac(), server_key.as_ref()), auth_message.as_bytes());
        Ok((
            format!("{without_proof},p={}", STANDARD.encode(proof)),
            ExpectedSignature(expected.as_ref().to_vec()),
        ))
    }
}

impl ExpectedSignature {
    /// Checks the server-final-message.
    pub(crate) fn check(&self, server_final: &str) -> Result<(), ScramError> {
        let first = server_final.split(',').next().unwrap_or_default();
        if let Some(error) = first.strip_prefix("e=") {
            return Err(ScramError::Refused(error.to_owned()));
        }
        let signature = first
            .strip_prefix("v=")
            .and_then(|text| STANDARD.decode(text).ok())
            .ok_or(ScramError::Malformed("no signature"))?;
        constant_time::verify_slices_are_equal(&signature, &self.0)
            .map_err(|_unequal| ScramError::WrongSignature)
    }
}

/// The server-first-message: `r=nonce,s=salt,i=iterations`.
struct Challenge {
    nonce: String,
    salt: Vec<u8>,
    iterations: NonZeroU32,
}

impl Challenge {
    fn parse(message: &str) -> Result<Self, ScramError> {
        let mut fields = message.split(',');
        let mut field = |name: &str, missing| {
            fields.next().and_then(|field| field.strip_prefix(name)).ok_or(ScramError::Malformed(missing))
        };
        // A mandatory extension (`m=`) that we do not know would stand first and fail here, as RFC 5802 §5.1 demands.
        let nonce = field("r=", "no nonce")?.to_owned();
        let salt = STANDARD
            .decode(field("s=", "no salt")?)
            .map_err(|_base64| ScramError::Malformed("the salt is not base64"))?;
        let iterations: u32 = field("i=", "no iteration count")?
            .parse()
            .map_err(|_number| ScramError::Malformed("the iteration count is not a number"))?;
        if !(MINIMUM_ITERATIONS..=MAXIMUM_ITERATIONS).contains(&iterations) {
            return Err(ScramError::Iterations(iterations));
        }
        let iterations = NonZeroU32::new(iterations).ok_or(ScramError::Iterations(iterations))?;
        Ok(Self { nonce, salt, iterations })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The exchange of RFC 7677 §3.
    #[test]
    fn the_published_example_comes_out() {
        let client = ScramClient::with_nonce(Hash::Sha256, "user", "rOprNGfwEbeRWgbNEkqO".to_owned());
        assert_eq!(client.first_message(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let server_first =
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        let (message, expected) =
            client.final_message(server_first, &Password::new("pencil".to_owned())).unwrap();
        assert_eq!(
            message,
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        expected.check("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=").unwrap();
        assert_eq!(
            expected.check("v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="),
            Err(ScramError::WrongSignature)
        );
        assert_eq!(expected.check("e=invalid-proof"), Err(ScramError::Refused("invalid-proof".to_owned())));
        assert_eq!(expected.check(""), Err(ScramError::Malformed("no signature")));
    }

    #[test]
    fn names_are_escaped() {
        let client = ScramClient::with_nonce(Hash::Sha512, "a=b,c", "n".to_owned());
        assert_eq!(client.first_message(), "n,,n=a=3Db=2Cc,r=n");
    }

    #[test]
    fn hostile_challenges_are_refused() {
        #[track_caller]
        fn check(server_first: &str, expected: ScramError) {
            let client = ScramClient::with_nonce(Hash::Sha256, "user", "abc".to_owned());
            let password = Password::new("pencil".to_owned());
            assert_eq!(client.final_message(server_first, &password).unwrap_err(), expected);
        }
        check("r=abcdef,s=QUJD,i=1000000000", ScramError::Iterations(1_000_000_000));
        check("r=abcdef,s=QUJD,i=1", ScramError::Iterations(1));
        check("r=xyz,s=QUJD,i=4096", ScramError::ForeignNonce);
        check("r=abc,s=QUJD,i=4096", ScramError::ForeignNonce);
        check("m=x,r=abcdef,s=QUJD,i=4096", ScramError::Malformed("no nonce"));
        check("r=abcdef,s=!,i=4096", ScramError::Malformed("the salt is not base64"));
        check("r=abcdef,s=QUJD,i=many", ScramError::Malformed("the iteration count is not a number"));
        check("", ScramError::Malformed("no nonce"));
    }
}
