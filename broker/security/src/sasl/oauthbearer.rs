//! OAUTHBEARER on the server, RFC 7628: one message with a bearer token. A refusal is told in two steps, as section 3.2.3 has it: the
//! client is sent the error as a challenge and answers with a single byte before the exchange fails.

use std::sync::Arc;

use super::credentials::CredentialLookup;
use super::{Outcome, SaslFailure};

/// What a client that is refused is told, whatever the reason.
pub(super) const REFUSAL: &str = r#"{"status":"invalid_token"}"#;

/// What separates the parts of the message.
const SEPARATOR: char = '\u{1}';

pub(crate) struct BearerServer {
    credentials: Arc<dyn CredentialLookup>,
    refused: Option<SaslFailure>,
}

impl BearerServer {
    pub(crate) fn new(credentials: Arc<dyn CredentialLookup>) -> Self {
        Self { credentials, refused: None }
    }

    pub(crate) fn step(&mut self, message: &[u8]) -> Outcome {
        // Whatever follows a refusal, the exchange is lost.
        if let Some(cause) = self.refused {
            return Outcome::failed(cause);
        }
        let Some((authorization_id, token)) = parse(message) else {
            return Outcome::failed(SaslFailure::Malformed);
        };
        match self.credentials.bearer_token(token) {
            Ok(token) if authorization_id.is_none_or(|id| id == token.subject) => {
                Outcome::Done { user: token.subject, bytes: Vec::new(), expires_ms: Some(token.expires_ms) }
            }
            Ok(token) => Outcome::failed_for(SaslFailure::AuthorizationIdMismatch, &token.subject),
            Err(error) => {
                self.refused = Some(SaslFailure::Bearer(error));
                Outcome::Continue(REFUSAL.as_bytes().to_vec())
            }
        }
    }
}

/// The authorization id, if one is given, and the token of `n,a=ID,^Aauth=Bearer TOKEN^A…^A^A` (RFC 7628 section 3.1). Channel
/// binding is not offered, and extensions are passed over.
fn parse(message: &[u8]) -> Option<(Option<String>, &str)> {
    let text = str::from_utf8(message).ok()?;
    let (header, pairs) = text.split_once(SEPARATOR)?;
    let authorization_id = header.strip_prefix("n,")?.strip_suffix(',')?;
    let authorization_id = match authorization_id {
        "" => None,
        given => Some(decode_name(given.strip_prefix("a=")?)?),
    };
    let mut token = None;
    let pairs = pairs.strip_suffix("\u{1}\u{1}")?;
    for pair in pairs.split(SEPARATOR) {
        let (key, value) = pair.split_once('=')?;
        if key == "auth" {
            let (scheme, given) = value.split_once(' ')?;
            let is_first = token.replace(given.trim()).is_none();
            if !is_first || !scheme.eq_ignore_ascii_case("bearer") {
                return None;
            }
        }
    }
    token.filter(|token| !token.is_empty()).map(|token| (authorization_id, token))
}

/// `=2C` is a comma and `=3D` an equals sign (RFC 5801 section 4).
fn decode_name(name: &str) -> Option<String> {
    let mut parts = name.split('=');
    let mut decoded = parts.next()?.to_owned();
    for part in parts {
        let (character, rest) = [("2C", ','), ("3D", '=')]
            .into_iter()
            .find_map(|(code, character)| Some((character, part.strip_prefix(code)?)))?;
        decoded.push(character);
        decoded.push_str(rest);
    }
    (!decoded.is_empty()).then_some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bearer::{BearerError, BearerToken};
    use crate::principal::Principal;
    use crate::sasl::{DecoySecret, PlainPassword, SaslMechanism, SaslServer, SaslStep};
    use crate::scram::{ScramCredential, ScramMechanism};

    /// Knows one token, `good`, of alice.
    struct OneToken(DecoySecret);

    impl CredentialLookup for OneToken {
        fn scram_credential(&self, _: ScramMechanism, _: &str) -> Option<ScramCredential> {
            None
        }

        fn plain_password(&self, _: &str) -> Option<PlainPassword> {
            None
        }

        fn decoys(&self) -> &DecoySecret {
            &self.0
        }

        fn bearer_token(&self, token: &str) -> Result<BearerToken, BearerError> {
            match token {
                "good" => {
                    Ok(BearerToken { subject: "a,lice=".to_owned(), scopes: Vec::new(), expires_ms: 7_000 })
                }
                _ => Err(BearerError::Expired),
            }
        }
    }

    fn server() -> SaslServer {
        let credentials = Arc::new(OneToken(DecoySecret::derive(b"test")));
        SaslServer::begin(SaslMechanism::Oauthbearer, credentials).unwrap()
    }

    #[track_caller]
    fn check_failure(step: SaslStep, expected: SaslFailure) {
        match step {
            SaslStep::Failed { message, cause, .. } => {
                assert_eq!((cause, message.as_str()), (expected, REFUSAL));
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_good_token_authenticates_until_it_ends() {
        for message in [
            "n,,\u{1}auth=Bearer good\u{1}\u{1}",
            "n,a=a=2Clice=3D,\u{1}auth=bearer good\u{1}\u{1}",
            "n,,\u{1}host=broker\u{1}port=9093\u{1}auth=Bearer good\u{1}\u{1}",
        ] {
            let principal = Principal::user("a,lice=");
            let expected = SaslStep::Done { principal, bytes: Vec::new(), expires_ms: Some(7_000) };
            assert_eq!(server().step(message.as_bytes()), expected, "{message:?}");
        }
    }

    #[test]
    fn a_refused_token_is_answered_and_nothing_that_follows_helps() {
        for answer in [&b"\x01"[..], b"n,,\x01auth=Bearer good\x01\x01"] {
            let mut server = server();
            let first = server.step(b"n,,\x01auth=Bearer old\x01\x01");
            assert_eq!(first, SaslStep::Continue(REFUSAL.as_bytes().to_vec()));
            check_failure(server.step(answer), SaslFailure::Bearer(BearerError::Expired));
        }
    }

    #[test]
    fn what_is_not_the_mechanisms_message_fails() {
        for message in [
            "",
            "\u{1}",
            "n,,",
            "y,,\u{1}auth=Bearer good\u{1}\u{1}",
            "p=tls-unique,,\u{1}auth=Bearer good\u{1}\u{1}",
            "n,,\u{1}auth=Bearer good\u{1}",
            "n,,\u{1}auth=Basic good\u{1}\u{1}",
            "n,,\u{1}auth=Bearer \u{1}\u{1}",
            "n,,\u{1}auth=Bearer good\u{1}auth=Bearer good\u{1}\u{1}",
            "n,,\u{1}host=broker\u{1}\u{1}",
            "n,a==41,\u{1}auth=Bearer good\u{1}\u{1}",
        ] {
            check_failure(server().step(message.as_bytes()), SaslFailure::Malformed);
        }
        let other = server().step(b"n,a=bob,\x01auth=Bearer good\x01\x01");
        check_failure(other, SaslFailure::AuthorizationIdMismatch);
    }
}
