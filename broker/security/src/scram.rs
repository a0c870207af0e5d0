//! SCRAM credentials and the arithmetic of RFC 5802 and RFC 7677, for SHA-256 and SHA-512.
//!
//! A credential never holds the password, yet its keys are enough to imitate the server: they are wiped on drop and
//! redacted when printed.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use aws_lc_rs::{constant_time, digest, hmac, pbkdf2};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// The fewest iterations that Kafka accepts, and its default.
pub const MINIMUM_ITERATIONS: u32 = 4096;

/// The most iterations that Kafka accepts.
pub const MAXIMUM_ITERATIONS: u32 = 16384;

/// How many characters a generated salt has: 130 random bits in base 36, the shape that Kafka's clients send.
const SALT_CHARACTERS: usize = 26;

/// The longest salt accepted, in bytes.
const MAXIMUM_SALT_BYTES: usize = 1024;

/// The two SCRAM mechanisms of Kafka.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ScramMechanism {
    /// `SCRAM-SHA-256`, 1 on the wire.
    Sha256,
    /// `SCRAM-SHA-512`, 2 on the wire.
    Sha512,
}

/// What is wrong with a credential or with the text it was read from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScramError {
    /// Not one of the two mechanisms.
    #[error("`{0}` is not a SCRAM mechanism; expected SCRAM-SHA-256 or SCRAM-SHA-512")]
    UnknownMechanism(String),
    /// Fewer than 4096 or more than 16384 iterations.
    #[error("SCRAM iterations must be between 4096 and 16384, got {0}")]
    Iterations(i64),
    /// The salt is empty or longer than 1024 bytes.
    #[error("SCRAM salt must have 1 to 1024 bytes, got {0}")]
    Salt(usize),
    /// A salted password or key of the wrong length for its mechanism.
    #[error("SCRAM {what} must have {expected} bytes, got {actual}")]
    KeyLength {
        /// Which key.
        what: &'static str,
        /// The length of the mechanism's hash, in bytes.
        expected: usize,
        /// The length given, in bytes.
        actual: usize,
    },
    /// An empty password.
    #[error("SCRAM password is empty")]
    EmptyPassword,
    /// The argument is not of the form `MECHANISM=[key=value,…]`.
    #[error("SCRAM argument must have the form `SCRAM-SHA-512=[name=…,password=…]`: {0}")]
    Syntax(&'static str),
    /// A key of the argument that Kafka does not know.
    #[error("unknown SCRAM option `{0}`; expected name, password, saltedpassword, salt or iterations")]
    UnknownOption(String),
    /// A value that cannot be decoded; the value itself is kept out of the message.
    #[error("value of SCRAM option `{0}` cannot be decoded")]
    InvalidValue(&'static str),
    /// The system could not supply random bytes.
    #[error("system random source failed")]
    Random,
}

impl ScramMechanism {
    /// Both mechanisms.
    pub const ALL: [Self; 2] = [Self::Sha256, Self::Sha512];

    /// Kafka's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "SCRAM-SHA-256",
            Self::Sha512 => "SCRAM-SHA-512",
        }
    }

    /// The number in AlterUserScramCredentials and DescribeUserScramCredentials.
    pub fn code(self) -> i8 {
        match self {
            Self::Sha256 => 1,
            Self::Sha512 => 2,
        }
    }

    /// Reads the number on the wire; 0 (`UNKNOWN`) and others are `None`.
    pub fn from_code(code: i8) -> Option<Self> {
        Self::ALL.into_iter().find(|mechanism| mechanism.code() == code)
    }

    /// The length of the hash, in bytes.
    pub fn hash_length(self) -> usize {
        match self {
            Self::Sha256 => digest::SHA256_OUTPUT_LEN,
            Self::Sha512 => digest::SHA512_OUTPUT_LEN,
        }
    }

    /// HMAC of RFC 5802 §2.2.
    pub(crate) fn hmac(self, key: &[u8], message: &[u8]) -> Vec<u8> {
        let algorithm = match self {
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha512 => hmac::HMAC_SHA512,
        };
        hmac::sign(&hmac::Key::new(algorithm, key), message).as_ref().to_vec()
    }

    /// H of RFC 5802 §2.2.
    pub(crate) fn hash(self, message: &[u8]) -> Vec<u8> {
        let algorithm = match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha512 => &digest::SHA512,
        };
        digest::digest(algorithm, message).as_ref().to_vec()
    }

    /// Hi of RFC 5802 §2.2, that is PBKDF2. The password is taken as its UTF-8 bytes, unprepared, as Kafka does.
    fn salted_password(self, password: &[u8], salt: &[u8], iterations: NonZeroU32) -> Zeroizing<Vec<u8>> {
        let algorithm = match self {
            Self::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
            Self::Sha512 => pbkdf2::PBKDF2_HMAC_SHA512,
        };
        let mut salted = Zeroizing::new(vec![0; self.hash_length()]);
        pbkdf2::derive(algorithm, iterations, salt, password, &mut salted);
        salted
    }
}

impl FromStr for ScramMechanism {
    type Err = ScramError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|mechanism| mechanism.as_str() == text)
            .ok_or_else(|| ScramError::UnknownMechanism(text.to_owned()))
    }
}

impl fmt::Display for ScramMechanism {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// What a server keeps of a user: RFC 5802 §3's salt, iteration count, StoredKey and ServerKey.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct ScramCredential {
    #[zeroize(skip)]
    mechanism: ScramMechanism,
    iterations: u32,
    salt: Vec<u8>,
    stored_key: Vec<u8>,
    server_key: Vec<u8>,
}

impl ScramCredential {
    /// Derives a credential from a password.
    ///
    /// # Errors
    /// An empty password, an empty or overlong salt, iterations outside Kafka's bounds.
    pub fn from_password(
        mechanism: ScramMechanism,
        password: &str,
        salt: &[u8],
        iterations: u32,
    ) -> Result<Self, ScramError> {
        if password.is_empty() {
            return Err(ScramError::EmptyPassword);
        }
        check_salt(salt)?;
        let salted = mechanism.salted_password(password.as_bytes(), salt, checked_iterations(iterations)?);
        Self::from_salted_password(mechanism, &salted, salt, iterations)
    }

    /// Derives a credential from a salted password, as AlterUserScramCredentials carries it.
    ///
    /// # Errors
    /// A salted password that is not as long as the hash, an empty or overlong salt, iterations outside Kafka's bounds.
    pub fn from_salted_password(
        mechanism: ScramMechanism,
        salted_password: &[u8],
        salt: &[u8],
        iterations: u32,
    ) -> Result<Self, ScramError> {
        check_salt(salt)?;
        checked_iterations(iterations)?;
        check_length(mechanism, "salted password", salted_password)?;
        let client_key = Zeroizing::new(mechanism.hmac(salted_password, b"Client Key"));
        Ok(Self {
            mechanism,
            iterations,
            salt: salt.to_vec(),
            stored_key: mechanism.hash(&client_key),
            server_key: mechanism.hmac(salted_password, b"Server Key"),
        })
    }

    /// The mechanism that the keys belong to.
    pub fn mechanism(&self) -> ScramMechanism {
        self.mechanism
    }

    /// How often the password was hashed.
    pub fn iterations(&self) -> u32 {
        self.iterations
    }

    /// The salt, which the server tells anyone who asks.
    pub fn salt(&self) -> &[u8] {
        &self.salt
    }

    /// The signature that proves the server knows the user, RFC 5802 §3.
    pub(crate) fn server_signature(&self, authentication_message: &[u8]) -> Vec<u8> {
        self.mechanism.hmac(&self.server_key, authentication_message)
    }

    /// Whether the proof was made with the password: RFC 5802 §3, compared in constant time.
    pub(crate) fn accepts_proof(&self, authentication_message: &[u8], proof: &[u8]) -> bool {
        let signature = self.mechanism.hmac(&self.stored_key, authentication_message);
        let client_key: Zeroizing<Vec<u8>> =
            Zeroizing::new(signature.iter().zip(proof).map(|(left, right)| left ^ right).collect());
        let stored_key = self.mechanism.hash(&client_key);
        let has_right_length = proof.len() == self.mechanism.hash_length();
        constant_time::verify_slices_are_equal(&stored_key, &self.stored_key).is_ok() && has_right_length
    }

    /// The credential as Kafka has always written it: `salt=…,stored_key=…,server_key=…,iterations=…`, base64.
    ///
    /// This is secret. It is for storage that encrypts, never for a log or a response.
    pub fn to_stored(&self) -> Zeroizing<String> {
        Zeroizing::new(format!(
            "salt={},stored_key={},server_key={},iterations={}",
            BASE64.encode(&self.salt),
            BASE64.encode(&self.stored_key),
            BASE64.encode(&self.server_key),
            self.iterations
        ))
    }

    /// Reads what [`to_stored`](Self::to_stored) wrote.
    ///
    /// # Errors
    /// Missing, undecodable or wrongly sized parts, iterations outside Kafka's bounds.
    pub fn from_stored(mechanism: ScramMechanism, text: &str) -> Result<Self, ScramError> {
        let part = |name: &'static str| {
            text.split(',')
                .filter_map(|part| part.split_once('='))
                .find_map(|(key, value)| (key == name).then_some(value))
                .ok_or(ScramError::InvalidValue(name))
        };
        let bytes = |name| BASE64.decode(part(name)?).map_err(|_undecodable| ScramError::InvalidValue(name));
        let iterations = part("iterations")?.parse().ok().ok_or(ScramError::InvalidValue("iterations"))?;
        let credential = Self {
            mechanism,
            iterations,
            salt: bytes("salt")?,
            stored_key: bytes("stored_key")?,
            server_key: bytes("server_key")?,
        };
        checked_iterations(iterations)?;
        check_salt(&credential.salt)?;
        check_length(mechanism, "stored key", &credential.stored_key)?;
        check_length(mechanism, "server key", &credential.server_key)?;
        Ok(credential)
    }

    /// A credential that no password fits, shaped like a real one: for users that do not exist.
    pub(crate) fn decoy(mechanism: ScramMechanism, salt: Vec<u8>, iterations: u32, key: &[u8]) -> Self {
        Self {
            mechanism,
            iterations,
            salt,
            stored_key: mechanism.hmac(key, b"decoy stored key"),
            server_key: mechanism.hmac(key, b"decoy server key"),
        }
    }
}

impl fmt::Debug for ScramCredential {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ScramCredential")
            .field("mechanism", &self.mechanism)
            .field("iterations", &self.iterations)
            .finish_non_exhaustive()
    }
}

/// A user with a credential, from the argument of `--add-scram`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScramUser {
    /// The user name, without a principal type.
    pub name: String,
    /// The derived credential.
    pub credential: ScramCredential,
}

impl ScramUser {
    /// Reads Kafka's `SCRAM-SHA-512=[name=admin,password=secret,iterations=8192]`; `salt=` (base64) is optional, and
    /// `saltedpassword=` (base64, then with `salt=`) may stand in for `password=`. Values may be in double quotes.
    /// As in Kafka, commas always separate.
    ///
    /// # Errors
    /// See [`ScramError`]; no message repeats a password.
    pub fn parse(argument: &str) -> Result<Self, ScramError> {
        let (mechanism, options) =
            argument.trim().split_once('=').ok_or(ScramError::Syntax("there is no equals sign"))?;
        let mechanism: ScramMechanism = mechanism.parse()?;
        let options = options
            .strip_prefix('[')
            .and_then(|options| options.strip_suffix(']'))
            .ok_or(ScramError::Syntax("the options are not in square brackets"))?;
        let mut parsed = ScramOptions::default();
        for option in options.split(',') {
            let (key, value) =
                option.split_once('=').ok_or(ScramError::Syntax("an option has no equals sign"))?;
            parsed.set(
                key,
                value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value),
            )?;
        }
        parsed.into_user(mechanism)
    }
}

#[derive(Default)]
struct ScramOptions<'a> {
    name: Option<&'a str>,
    password: Option<&'a str>,
    salted_password: Option<&'a str>,
    salt: Option<&'a str>,
    iterations: Option<&'a str>,
}

impl<'a> ScramOptions<'a> {
    fn set(&mut self, key: &str, value: &'a str) -> Result<(), ScramError> {
        let option = match key.trim() {
            "name" => &mut self.name,
            "password" => &mut self.password,
            "saltedpassword" => &mut self.salted_password,
            "salt" => &mut self.salt,
            "iterations" => &mut self.iterations,
            other => return Err(ScramError::UnknownOption(other.to_owned())),
        };
        *option = Some(value);
        Ok(())
    }

    fn into_user(self, mechanism: ScramMechanism) -> Result<ScramUser, ScramError> {
        let name =
            self.name.filter(|name| !name.is_empty()).ok_or(ScramError::Syntax("`name` is missing"))?;
        let iterations: i64 = match self.iterations {
            Some(text) => text.parse().ok().ok_or(ScramError::InvalidValue("iterations"))?,
            None => MINIMUM_ITERATIONS.into(),
        };
        let iterations = u32::try_from(iterations).map_err(|_outside| ScramError::Iterations(iterations))?;
        let decode = |option, text: &str| {
            BASE64.decode(text).map(Zeroizing::new).map_err(|_undecodable| ScramError::InvalidValue(option))
        };
        let salt = self.salt.map(|salt| decode("salt", salt)).transpose()?;
        let credential = match (self.password, self.salted_password, salt) {
            (Some(password), _, Some(salt)) => {
                ScramCredential::from_password(mechanism, password, &salt, iterations)
            }
            (Some(password), _, None) => {
                ScramCredential::from_password(mechanism, password, &random_salt()?, iterations)
            }
            (None, Some(salted), Some(salt)) => ScramCredential::from_salted_password(
                mechanism,
                &decode("saltedpassword", salted)?,
                &salt,
                iterations,
            ),
            (None, Some(_), None) => Err(ScramError::Syntax("`saltedpassword` needs `salt`")),
            (None, None, _) => Err(ScramError::Syntax("`password` or `saltedpassword` is missing")),
        }?;
        Ok(ScramUser { name: name.to_owned(), credential })
    }
}

/// A fresh salt.
///
/// # Errors
/// [`ScramError::Random`].
pub fn random_salt() -> Result<Vec<u8>, ScramError> {
    let mut random = [0; SALT_CHARACTERS];
    SystemRandom::new().fill(&mut random).map_err(|_unspecified| ScramError::Random)?;
    Ok(salt_from(&random))
}

/// Bytes as the characters of a salt, one for each of the first 26.
pub(crate) fn salt_from(random: &[u8]) -> Vec<u8> {
    random
        .iter()
        .take(SALT_CHARACTERS)
        .map(|byte| match byte % 36 {
            digit @ 0..10 => b'0' + digit,
            letter => b'a' + letter - 10,
        })
        .collect()
}

fn checked_iterations(iterations: u32) -> Result<NonZeroU32, ScramError> {
    NonZeroU32::new(iterations)
        .filter(|count| (MINIMUM_ITERATIONS..=MAXIMUM_ITERATIONS).contains(&count.get()))
        .ok_or(ScramError::Iterations(iterations.into()))
}

fn check_salt(salt: &[u8]) -> Result<(), ScramError> {
    if salt.is_empty() || salt.len() > MAXIMUM_SALT_BYTES {
        Err(ScramError::Salt(salt.len()))
    } else {
        Ok(())
    }
}

fn check_length(mechanism: ScramMechanism, what: &'static str, key: &[u8]) -> Result<(), ScramError> {
    let expected = mechanism.hash_length();
    if key.len() == expected {
        Ok(())
    } else {
        Err(ScramError::KeyLength { what, expected, actual: key.len() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_credential_reads_back_the_same() {
        let user = ScramUser::parse("SCRAM-SHA-512=[name=admin,password=secret,iterations=8192]").unwrap();
        let stored = user.credential.to_stored();
        assert_eq!(ScramCredential::from_stored(ScramMechanism::Sha512, &stored).unwrap(), user.credential);
        assert!(ScramCredential::from_stored(ScramMechanism::Sha256, &stored).is_err());
        assert_eq!(user.credential.iterations(), 8192);
    }

    #[test]
    fn a_salted_password_gives_the_same_credential_as_its_password() {
        let mechanism = ScramMechanism::Sha256;
        let salted = mechanism.salted_password(b"pencil", b"salty", NonZeroU32::new(4096).unwrap());
        let argument = format!(
            "SCRAM-SHA-256=[name=u,saltedpassword={},salt={}]",
            BASE64.encode(&*salted),
            BASE64.encode("salty")
        );
        assert_eq!(
            ScramUser::parse(&argument).unwrap(),
            ScramUser::parse("SCRAM-SHA-256=[name=\"u\",password=\"pencil\",salt=c2FsdHk=]").unwrap()
        );
    }

    #[test]
    fn debug_output_shows_no_key() {
        let user = ScramUser::parse("SCRAM-SHA-256=[name=u,password=pencil]").unwrap();
        assert_eq!(
            format!("{:?}", user.credential),
            "ScramCredential { mechanism: Sha256, iterations: 4096, .. }"
        );
    }

    #[test]
    fn salts_have_the_shape_that_kafka_clients_send() {
        let salt = random_salt().unwrap();
        assert_eq!(salt.len(), 26);
        assert!(salt.iter().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase()));
        assert_ne!(salt, random_salt().unwrap());
    }

    #[track_caller]
    fn check_refused(argument: &str, message: &str) {
        assert_eq!(ScramUser::parse(argument).unwrap_err().to_string(), message);
    }

    #[test]
    fn malformed_arguments_are_refused_without_repeating_the_password() {
        check_refused(
            "SCRAM-SHA-1=[name=u,password=p]",
            "`SCRAM-SHA-1` is not a SCRAM mechanism; expected SCRAM-SHA-256 or SCRAM-SHA-512",
        );
        let syntax = "SCRAM argument must have the form `SCRAM-SHA-512=[name=…,password=…]`: ";
        check_refused("SCRAM-SHA-256", &format!("{syntax}there is no equals sign"));
        check_refused(
            "SCRAM-SHA-256=name=u,password=p",
            &format!("{syntax}the options are not in square brackets"),
        );
        check_refused("SCRAM-SHA-256=[name=u,password]", &format!("{syntax}an option has no equals sign"));
        check_refused("SCRAM-SHA-256=[password=p]", &format!("{syntax}`name` is missing"));
        check_refused(
            "SCRAM-SHA-256=[name=u]",
            &format!("{syntax}`password` or `saltedpassword` is missing"),
        );
        check_refused(
            "SCRAM-SHA-256=[name=u,saltedpassword=eA==]",
            &format!("{syntax}`saltedpassword` needs `salt`"),
        );
        check_refused("SCRAM-SHA-256=[name=u,password=]", "SCRAM password is empty");
        check_refused(
            "SCRAM-SHA-256=[name=u,password=p,colour=red]",
            "unknown SCRAM option `colour`; expected name, password, saltedpassword, salt or iterations",
        );
        for iterations in ["4095", "16385", "-1", "99999999999"] {
            check_refused(
                &format!("SCRAM-SHA-256=[name=u,password=p,iterations={iterations}]"),
                &format!("SCRAM iterations must be between 4096 and 16384, got {iterations}"),
            );
        }
        check_refused(
            "SCRAM-SHA-256=[name=u,password=p,salt=*]",
            "value of SCRAM option `salt` cannot be decoded",
        );
    }
}
