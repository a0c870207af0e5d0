//! SASL on the server: one exchange for each connection, for PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 and OAUTHBEARER.
//!
//! An exchange is a pure state machine: tokens in, tokens out. It tells a client that fails one thing only, the same
//! for an unknown user and a wrong password, and goes through the same motions for both.

mod credentials;
mod oauthbearer;
mod plain;
mod scram_server;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

pub use credentials::{CredentialLookup, CredentialStore, DecoySecret, PlainPassword};

use crate::bearer::BearerError;
use crate::principal::Principal;
use crate::scram::{ScramError, ScramMechanism};
use oauthbearer::BearerServer;
use plain::PlainServer;
use scram_server::ScramServer;

/// The longest token accepted from a client that has not authenticated yet, in bytes.
pub const MAXIMUM_TOKEN_BYTES: usize = 16 * 1024;

/// The mechanisms that the broker speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SaslMechanism {
    /// RFC 4616.
    Plain,
    /// RFC 5802 and RFC 7677.
    Scram(ScramMechanism),
    /// RFC 7628.
    Oauthbearer,
}

/// A mechanism that the broker does not speak.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("SASL mechanism `{0}` is not supported; expected PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER")]
pub struct SaslMechanismError(String);

impl SaslMechanism {
    /// Every mechanism.
    pub const ALL: [Self; 4] = [
        Self::Plain,
        Self::Scram(ScramMechanism::Sha256),
        Self::Scram(ScramMechanism::Sha512),
        Self::Oauthbearer,
    ];

    /// The registered name, which Kafka uses too.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Scram(mechanism) => mechanism.as_str(),
            Self::Oauthbearer => "OAUTHBEARER",
        }
    }
}

impl FromStr for SaslMechanism {
    type Err = SaslMechanismError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|mechanism| mechanism.as_str() == text)
            .ok_or_else(|| SaslMechanismError(text.to_owned()))
    }
}

impl fmt::Display for SaslMechanism {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Why an exchange failed: for the audit log, never for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SaslFailure {
    /// The token is longer than [`MAXIMUM_TOKEN_BYTES`].
    #[error("token is too long")]
    TokenTooLong,
    /// The token does not follow the mechanism's grammar.
    #[error("token is malformed")]
    Malformed,
    /// The client insists on channel binding, which no mechanism here offers.
    #[error("client requires channel binding")]
    ChannelBindingRequired,
    /// The channel-binding data of the last message differ from the first.
    #[error("channel binding data changed during the exchange")]
    ChannelBindingMismatch,
    /// The nonce of the last message is not the one agreed on.
    #[error("nonce does not match")]
    NonceMismatch,
    /// The client asked to act for someone else.
    #[error("authorization id differs from the user name")]
    AuthorizationIdMismatch,
    /// No such user with this mechanism.
    #[error("unknown user")]
    UnknownUser,
    /// The user exists, the password is wrong.
    #[error("wrong password")]
    WrongPassword,
    /// The client presented a delegation token, which this broker does not accept.
    #[error("delegation tokens are not accepted")]
    DelegationToken,
    /// The bearer token was refused.
    #[error("{0}")]
    Bearer(BearerError),
    /// A token after the exchange had ended.
    #[error("exchange is over")]
    AlreadyOver,
}

/// The outcome of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SaslStep {
    /// Send these bytes and wait for another token.
    Continue(Vec<u8>),
    /// The client is `principal`; send these bytes.
    Done {
        /// Who it is, always of type `User`.
        principal: Principal,
        /// The last token, possibly empty.
        bytes: Vec<u8>,
        /// When what the client presented ends, in milliseconds since 1970; `None` when it does not.
        expires_ms: Option<i64>,
    },
    /// The client is nobody. Answer `SASL_AUTHENTICATION_FAILED` with the message and close the connection.
    Failed {
        /// What the client may know.
        message: String,
        /// What the audit log may know.
        cause: SaslFailure,
        /// The name that the client claimed, once known: for the audit log.
        claimed: Option<String>,
    },
}

/// What a mechanism's machine says; [`SaslServer`] turns it into a [`SaslStep`].
pub(crate) enum Outcome {
    Continue(Vec<u8>),
    Done { user: String, bytes: Vec<u8>, expires_ms: Option<i64> },
    Failed { cause: SaslFailure, claimed: Option<String> },
}

impl Outcome {
    fn failed(cause: SaslFailure) -> Self {
        Self::Failed { cause, claimed: None }
    }

    fn failed_for(cause: SaslFailure, user: &str) -> Self {
        Self::Failed { cause, claimed: Some(user.to_owned()) }
    }
}

enum Machine {
    Plain(PlainServer),
    Scram(Box<ScramServer>),
    Bearer(BearerServer),
    Over,
}

/// One exchange with one client.
pub struct SaslServer {
    mechanism: SaslMechanism,
    machine: Machine,
}

impl SaslServer {
    /// Starts an exchange.
    ///
    /// # Errors
    /// [`ScramError::Random`] when the system has no random bytes for a nonce.
    pub fn begin(
        mechanism: SaslMechanism,
        credentials: Arc<dyn CredentialLookup>,
    ) -> Result<Self, ScramError> {
        let machine = match mechanism {
            SaslMechanism::Plain => Machine::Plain(PlainServer::new(credentials)),
            SaslMechanism::Scram(mechanism) => {
                Machine::Scram(Box::new(ScramServer::new(mechanism, credentials)?))
            }
            SaslMechanism::Oauthbearer => Machine::Bearer(BearerServer::new(credentials)),
        };
        Ok(Self { mechanism, machine })
    }

    /// The mechanism of the exchange.
    pub fn mechanism(&self) -> SaslMechanism {
        self.mechanism
    }

    /// Takes the client's next token. After `Done` or `Failed` every further token fails.
    pub fn step(&mut self, token: &[u8]) -> SaslStep {
        let outcome = if token.len() > MAXIMUM_TOKEN_BYTES {
            Outcome::failed(SaslFailure::TokenTooLong)
        } else {
            match &mut self.machine {
                Machine::Plain(server) => server.step(token),
                Machine::Scram(server) => server.step(token),
                Machine::Bearer(server) => server.step(token),
                Machine::Over => Outcome::failed(SaslFailure::AlreadyOver),
            }
        };
        match outcome {
            Outcome::Continue(bytes) => SaslStep::Continue(bytes),
            Outcome::Done { user, bytes, expires_ms } => {
                self.machine = Machine::Over;
                SaslStep::Done { principal: Principal::user(user), bytes, expires_ms }
            }
            Outcome::Failed { cause, claimed } => {
                self.machine = Machine::Over;
                SaslStep::Failed { message: self.failure_message(), cause, claimed }
            }
        }
    }

    /// Kafka's own words.
    fn failure_message(&self) -> String {
        match self.mechanism {
            SaslMechanism::Plain => "Authentication failed: Invalid username or password".to_owned(),
            SaslMechanism::Oauthbearer => oauthbearer::REFUSAL.to_owned(),
            SaslMechanism::Scram(mechanism) => format!(
                "Authentication failed during authentication due to invalid credentials with SASL mechanism {mechanism}"
            ),
        }
    }
}

impl fmt::Debug for SaslServer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SaslServer").field("mechanism", &self.mechanism).finish_non_exhaustive()
    }
}
