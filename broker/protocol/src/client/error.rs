//! What can go wrong with a cluster, by what the caller can do about it.

use std::io;

use crate::api::EnvelopeError;
use crate::client::address::Address;
use crate::frame::FrameError;
use crate::{ApiKey, ResponseError};

/// Why a request got no answer, or not the one asked for.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No connection could be made: check the address, the network, and whether the broker runs.
    #[error("cannot reach `{address}`")]
    Unreachable {
        /// Who was called.
        address: Address,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// The peer took too long: try again later, or allow more time.
    #[error("`{address}` did not answer {what} in time")]
    TimedOut {
        /// Who was called.
        address: Address,
        /// What was waited for.
        what: &'static str,
    },
    /// The TLS handshake failed: check the protocol, the authorities and the client certificate.
    #[error("no TLS session with `{address}`")]
    Tls {
        /// Who was called.
        address: Address,
        /// What the handshake stumbled over.
        #[source]
        source: io::Error,
    },
    /// The authorities, certificate or key to use cannot be used: fix the configuration.
    #[error("unusable TLS material: {0}")]
    TlsMaterial(String),
    /// The login was refused: fix mechanism, user name or password.
    #[error("`{address}` refused the login: {message}")]
    Authentication {
        /// Who was called.
        address: Address,
        /// The broker's code.
        code: ResponseError,
        /// The broker's words, or ours where it had none.
        message: String,
    },
    /// The server could not prove that it knows the password (RFC 5802 §3): do not trust it.
    #[error("`{address}` failed to authenticate itself: {message}")]
    ServerAuthentication {
        /// Who was called.
        address: Address,
        /// What was wrong.
        message: String,
    },
    /// The identity may not do this: ask for the permission.
    #[error("not allowed: {}", describe(*code, message.as_deref()))]
    Authorization {
        /// The broker's code.
        code: ResponseError,
        /// The broker's words, if any.
        message: Option<String>,
    },
    /// The broker answered with another error.
    #[error("refused: {}", describe(*code, message.as_deref()))]
    Refused {
        /// The broker's code.
        code: ResponseError,
        /// The broker's words, if any.
        message: Option<String>,
    },
    /// The broker does not have this request, or in no version that is spoken here.
    #[error("`{address}` does not support {api:?}")]
    UnsupportedApi {
        /// Who was called.
        address: Address,
        /// The request.
        api: ApiKey,
    },
    /// The peer closed the connection instead of answering.
    #[error("`{address}` closed the connection")]
    Closed {
        /// Who was called.
        address: Address,
    },
    /// The peer's answer is not Kafka's protocol.
    #[error("`{address}` does not answer in Kafka's protocol: {detail}")]
    Malformed {
        /// Who was called.
        address: Address,
        /// What was wrong.
        detail: String,
    },
    /// The request cannot be written in the version the broker speaks.
    #[error("the request does not fit the broker's version")]
    Unwritable(#[source] EnvelopeError),
}

impl ClientError {
    /// The error for a code in a response, `None` for success.
    #[must_use]
    pub fn from_code(code: i16, message: Option<&str>) -> Option<Self> {
        let code = ResponseError::try_from_code(code)?;
        let message = message.filter(|message| !message.is_empty()).map(str::to_owned);
        Some(if is_authorization(code) {
            Self::Authorization { code, message }
        } else {
            Self::Refused { code, message }
        })
    }

    /// Fails with [`ClientError::from_code`] unless the code means success.
    ///
    /// # Errors
    ///
    /// As said.
    pub fn check_code(code: i16, message: Option<&str>) -> Result<(), Self> {
        Self::from_code(code, message).map_or(Ok(()), Err)
    }

    /// Whether the connection is still usable: the broker answered, if only with an error.
    #[must_use]
    pub const fn was_answered(&self) -> bool {
        matches!(
            self,
            Self::Authorization { .. }
                | Self::Refused { .. }
                | Self::UnsupportedApi { .. }
                | Self::Unwritable(_)
        )
    }

    pub(crate) fn from_frame(address: &Address, error: FrameError) -> Self {
        match error {
            FrameError::Io(source) if is_closed(&source) => Self::Closed { address: address.clone() },
            FrameError::Io(source) if is_tls(&source) => Self::Tls { address: address.clone(), source },
            FrameError::Io(source) => Self::Unreachable { address: address.clone(), source },
            FrameError::Torn { .. } => Self::Closed { address: address.clone() },
            other => Self::Malformed { address: address.clone(), detail: other.to_string() },
        }
    }
}

/// Whether the code says that the identity lacks a permission.
#[must_use]
pub const fn is_authorization(code: ResponseError) -> bool {
    matches!(
        code,
        ResponseError::TopicAuthorizationFailed
            | ResponseError::GroupAuthorizationFailed
            | ResponseError::ClusterAuthorizationFailed
            | ResponseError::TransactionalIdAuthorizationFailed
            | ResponseError::DelegationTokenAuthorizationFailed
    )
}

/// Kafka's own name for a code, `CLUSTER_AUTHORIZATION_FAILED`; `ERROR_n` for codes that are unknown here.
#[must_use]
pub fn code_name(code: ResponseError) -> String {
    if let ResponseError::Unknown(number) = code {
        return format!("ERROR_{number}");
    }
    let mut name = String::new();
    for (position, character) in format!("{code:?}").chars().enumerate() {
        if character.is_ascii_uppercase() && position > 0 {
            name.push('_');
        }
        name.push(character.to_ascii_uppercase());
    }
    name
}

fn describe(code: ResponseError, message: Option<&str>) -> String {
    match message {
        Some(message) => format!("{} ({message})", code_name(code)),
        None => code_name(code),
    }
}

fn is_closed(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
    )
}

fn is_tls(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_kafkas_names() {
        #[track_caller]
        fn check(code: i16, expected: &str) {
            assert_eq!(code_name(ResponseError::try_from_code(code).unwrap()), expected);
        }
        check(31, "CLUSTER_AUTHORIZATION_FAILED");
        check(29, "TOPIC_AUTHORIZATION_FAILED");
        check(54, "SECURITY_DISABLED");
        check(61, "DELEGATION_TOKEN_AUTH_DISABLED");
        check(3, "UNKNOWN_TOPIC_OR_PARTITION");
        check(58, "SASL_AUTHENTICATION_FAILED");
        check(35, "UNSUPPORTED_VERSION");
        check(9999, "ERROR_9999");
    }

    #[test]
    fn authorization_is_told_from_other_refusals() {
        assert!(matches!(ClientError::from_code(31, None), Some(ClientError::Authorization { .. })));
        assert!(matches!(
            ClientError::from_code(54, Some("")),
            Some(ClientError::Refused { message: None, .. })
        ));
        assert!(ClientError::from_code(0, Some("ignored")).is_none());
    }
}
