//! PLAIN on the server, RFC 4616: one message with an optional authorization id, the user name and the password.

use std::sync::Arc;

use super::credentials::CredentialLookup;
use super::{Outcome, SaslFailure};

pub(crate) struct PlainServer {
    credentials: Arc<dyn CredentialLookup>,
}

impl PlainServer {
    pub(crate) fn new(credentials: Arc<dyn CredentialLookup>) -> Self {
        Self { credentials }
    }

    pub(crate) fn step(&mut self, token: &[u8]) -> Outcome {
        let Some((authorization_id, user, password)) = parse(token) else {
            return Outcome::failed(SaslFailure::Malformed);
        };
        let decoys = self.credentials.decoys();
        let expected = self.credentials.plain_password(user);
        let is_known = expected.is_some();
        // An unknown user is compared too, against a password nobody can send: it holds the separator.
        let is_right =
            decoys.passwords_match(password, expected.as_ref().map_or("\0", |expected| expected.reveal()));
        if !is_known {
            return Outcome::failed_for(SaslFailure::UnknownUser, user);
        }
        if !is_right {
            return Outcome::failed_for(SaslFailure::WrongPassword, user);
        }
        if !authorization_id.is_empty() && authorization_id != user {
            return Outcome::failed_for(SaslFailure::AuthorizationIdMismatch, user);
        }
        Outcome::Done { user: user.to_owned(), bytes: Vec::new(), expires_ms: None }
    }
}

/// Splits `[authzid] NUL authcid NUL passwd`; user and password must not be empty.
fn parse(token: &[u8]) -> Option<(&str, &str, &str)> {
    let mut parts = str::from_utf8(token).ok()?.split('\0');
    let parsed = (parts.next()?, parts.next()?, parts.next()?);
    let is_complete = parts.next().is_none() && !parsed.1.is_empty() && !parsed.2.is_empty();
    is_complete.then_some(parsed)
}

#[cfg(test)]
mod tests {
    use crate::principal::Principal;
    use crate::sasl::{
        CredentialStore, DecoySecret, MAXIMUM_TOKEN_BYTES, PlainPassword, SaslFailure, SaslMechanism,
        SaslServer, SaslStep,
    };
    use std::sync::Arc;

    fn server() -> SaslServer {
        let mut store = CredentialStore::new(DecoySecret::derive(b"test"));
        store.set_plain("alice", PlainPassword::new("pässword"));
        SaslServer::begin(SaslMechanism::Plain, Arc::new(store)).unwrap()
    }

    #[track_caller]
    fn check_failure(token: &[u8], expected: SaslFailure) {
        match server().step(token) {
            SaslStep::Failed { message, cause, .. } => {
                assert_eq!(cause, expected);
                assert_eq!(message, "Authentication failed: Invalid username or password");
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_right_password_authenticates() {
        for token in ["\0alice\0pässword", "alice\0alice\0pässword"] {
            let step = server().step(token.as_bytes());
            assert_eq!(
                step,
                SaslStep::Done { principal: Principal::user("alice"), bytes: Vec::new(), expires_ms: None }
            );
        }
    }

    #[test]
    fn every_failure_tells_the_client_the_same() {
        check_failure(b"\0alice\0password", SaslFailure::WrongPassword);
        check_failure(b"\0bob\0password", SaslFailure::UnknownUser);
        check_failure("bob\0alice\0pässword".as_bytes(), SaslFailure::AuthorizationIdMismatch);
        check_failure(b"alice\0password", SaslFailure::Malformed);
        check_failure(b"\0alice\0a\0b", SaslFailure::Malformed);
        check_failure(b"\0\0password", SaslFailure::Malformed);
        check_failure(b"\0alice\0", SaslFailure::Malformed);
        check_failure(b"\0alice\0\xff", SaslFailure::Malformed);
        check_failure(b"", SaslFailure::Malformed);
        check_failure(&vec![b'x'; MAXIMUM_TOKEN_BYTES + 1], SaslFailure::TokenTooLong);
    }

    #[test]
    fn an_exchange_that_is_over_stays_over() {
        let mut server = server();
        assert!(matches!(server.step(b"\0alice\0wrong"), SaslStep::Failed { .. }));
        let again = server.step("\0alice\0pässword".as_bytes());
        assert!(matches!(again, SaslStep::Failed { cause: SaslFailure::AlreadyOver, .. }));
    }
}
