//! SCRAM on the server, RFC 5802 §5 and §7, without channel binding, as in Kafka.
//!
//! A user that does not exist gets a salt and an iteration count like anyone else and fails at the proof, where a
//! wrong password fails.

use std::sync::Arc;

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD as BASE64, STANDARD_NO_PAD};

use super::credentials::CredentialLookup;
use super::{Outcome, SaslFailure};
use crate::scram::{ScramCredential, ScramError, ScramMechanism};

/// Random bytes in the server's half of the nonce.
const NONCE_BYTES: usize = 24;

/// The extension by which Kafka's clients say that name and password are those of a delegation token (KIP-48).
const TOKEN_AUTHENTICATION: &str = "tokenauth";

pub(crate) struct ScramServer {
    mechanism: ScramMechanism,
    credentials: Arc<dyn CredentialLookup>,
    server_nonce: String,
    pending: Option<Pending>,
}

/// What the first message settled.
struct Pending {
    user: String,
    gs2_header: String,
    nonce: String,
    client_nonce: String,
    /// Client-first-message-bare and server-first-message, joined: the start of RFC 5802's AuthMessage.
    messages: String,
    credential: ScramCredential,
    /// Why the exchange must fail in the end, whatever the proof.
    doomed: Option<SaslFailure>,
}

impl ScramServer {
    pub(crate) fn new(
        mechanism: ScramMechanism,
        credentials: Arc<dyn CredentialLookup>,
    ) -> Result<Self, ScramError> {
        let mut random = [0; NONCE_BYTES];
        SystemRandom::new().fill(&mut random).map_err(|_unspecified| ScramError::Random)?;
        Ok(Self::with_nonce(mechanism, credentials, STANDARD_NO_PAD.encode(random)))
    }

    fn with_nonce(
        mechanism: ScramMechanism,
        credentials: Arc<dyn CredentialLookup>,
        server_nonce: String,
    ) -> Self {
        Self { mechanism, credentials, server_nonce, pending: None }
    }

    pub(crate) fn step(&mut self, token: &[u8]) -> Outcome {
        let Ok(message) = str::from_utf8(token) else { return Outcome::failed(SaslFailure::Malformed) };
        match self.pending.take() {
            None => self.begin(message).unwrap_or_else(Outcome::failed),
            Some(pending) => pending.finish(message),
        }
    }

    fn begin(&mut self, message: &str) -> Result<Outcome, SaslFailure> {
        let first = ClientFirst::parse(message)?;
        let doomed = if first.is_token_authentication {
            Some(SaslFailure::DelegationToken)
        } else if first.authorization_id.as_ref().is_some_and(|id| *id != first.user) {
            Some(SaslFailure::AuthorizationIdMismatch)
        } else {
            None
        };
        // The decoy is made for known users too, so that both cost the same.
        let decoy = self.credentials.decoys().credential(self.mechanism, &first.user);
        let known = self.credentials.scram_credential(self.mechanism, &first.user);
        let doomed = doomed.or(known.is_none().then_some(SaslFailure::UnknownUser));
        let credential = known.unwrap_or(decoy);
        let nonce = format!("{}{}", first.nonce, self.server_nonce);
        let answer =
            format!("r={nonce},s={},i={}", BASE64.encode(credential.salt()), credential.iterations());
        let messages = format!("{},{answer}", first.bare);
        let gs2_header = first.gs2_header.to_owned();
        let client_nonce = first.nonce.to_owned();
        self.pending =
            Some(Pending { user: first.user, gs2_header, nonce, client_nonce, messages, credential, doomed });
        Ok(Outcome::Continue(answer.into_bytes()))
    }
}

impl Pending {
    fn finish(self, message: &str) -> Outcome {
        match self.check(message) {
            Ok(signature) => Outcome::Done {
                user: self.user,
                bytes: format!("v={}", BASE64.encode(signature)).into_bytes(),
                expires_ms: None,
            },
            Err(cause) => Outcome::failed_for(cause, &self.user),
        }
    }

    fn check(&self, message: &str) -> Result<Vec<u8>, SaslFailure> {
        let last = ClientFinal::parse(message)?;
        // librdkafka before 2.6.1 sends its own nonce once more before the whole, which Kafka takes since 3.8.1. The proof is over
        // what was sent, so nothing is lost by it.
        let own = last.nonce.strip_suffix(&self.nonce).ok_or(SaslFailure::NonceMismatch)?;
        if !own.is_empty() && own != self.client_nonce {
            return Err(SaslFailure::NonceMismatch);
        }
        if last.channel_binding != self.gs2_header.as_bytes() {
            return Err(SaslFailure::ChannelBindingMismatch);
        }
        let authentication_message = format!("{},{}", self.messages, last.without_proof);
        let is_right = self.credential.accepts_proof(authentication_message.as_bytes(), &last.proof);
        match self.doomed {
            Some(cause) => Err(cause),
            None if !is_right => Err(SaslFailure::WrongPassword),
            None => Ok(self.credential.server_signature(authentication_message.as_bytes())),
        }
    }
}

/// `gs2-header [reserved-mext ","] username "," nonce ["," extensions]`
struct ClientFirst<'a> {
    gs2_header: &'a str,
    bare: &'a str,
    authorization_id: Option<String>,
    user: String,
    nonce: &'a str,
    is_token_authentication: bool,
}

impl<'a> ClientFirst<'a> {
    fn parse(message: &'a str) -> Result<Self, SaslFailure> {
        const MALFORMED: SaslFailure = SaslFailure::Malformed;
        let (flag, rest) = message.split_once(',').ok_or(MALFORMED)?;
        match flag {
            // `y`: the client could bind to the channel but believes that the server can not, which is so.
            "n" | "y" => {}
            _ if flag.starts_with("p=") => return Err(SaslFailure::ChannelBindingRequired),
            _ => return Err(MALFORMED),
        }
        let (authorization_id, bare) = rest.split_once(',').ok_or(MALFORMED)?;
        let authorization_id = match authorization_id {
            "" => None,
            attribute => Some(sasl_name(attribute.strip_prefix("a=").ok_or(MALFORMED)?).ok_or(MALFORMED)?),
        };
        let gs2_header = message.get(..message.len() - bare.len()).ok_or(MALFORMED)?;
        // A reserved extension (`m=`) comes first and must fail the exchange, RFC 5802 §5.1: it is no `n=`.
        let mut attributes = bare.split(',');
        let mut attribute =
            |name: &str| attributes.next().and_then(|text| text.strip_prefix(name)).ok_or(MALFORMED);
        let user = sasl_name(attribute("n=")?).ok_or(MALFORMED)?;
        let nonce = attribute("r=")?;
        if !is_nonce(nonce) {
            return Err(MALFORMED);
        }
        let mut is_token_authentication = false;
        for extension in attributes {
            let (name, value) = parse_extension(extension).ok_or(MALFORMED)?;
            is_token_authentication |= name == TOKEN_AUTHENTICATION && value.eq_ignore_ascii_case("true");
        }
        Ok(Self { gs2_header, bare, authorization_id, user, nonce, is_token_authentication })
    }
}

/// `channel-binding "," nonce ["," extensions] "," proof`
struct ClientFinal<'a> {
    without_proof: &'a str,
    channel_binding: Vec<u8>,
    nonce: &'a str,
    proof: Vec<u8>,
}

impl<'a> ClientFinal<'a> {
    fn parse(message: &'a str) -> Result<Self, SaslFailure> {
        Self::try_parse(message).ok_or(SaslFailure::Malformed)
    }

    fn try_parse(message: &'a str) -> Option<Self> {
        let (without_proof, proof) = message.rsplit_once(",p=")?;
        let mut attributes = without_proof.split(',');
        let channel_binding = BASE64.decode(attributes.next()?.strip_prefix("c=")?).ok()?;
        let nonce = attributes.next()?.strip_prefix("r=")?;
        if !attributes.all(|extension| parse_extension(extension).is_some()) {
            return None;
        }
        Some(Self { without_proof, channel_binding, nonce, proof: BASE64.decode(proof).ok()? })
    }
}

/// A user name without its escapes, RFC 5802 §5.1: `=2C` is a comma, `=3D` an equals sign, nothing else is escaped.
fn sasl_name(text: &str) -> Option<String> {
    if text.is_empty() || text.contains('\0') {
        return None;
    }
    let mut parts = text.split('=');
    let mut name = parts.next()?.to_owned();
    for part in parts {
        let (character, rest) = match part.get(..2)? {
            "2C" => (',', part.get(2..)?),
            "3D" => ('=', part.get(2..)?),
            _ => return None,
        };
        name.push(character);
        name.push_str(rest);
    }
    Some(name)
}

fn is_nonce(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',')
}

fn parse_extension(text: &str) -> Option<(&str, &str)> {
    let (name, value) = text.split_once('=')?;
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphabetic()) && name != "m";
    (is_name && !value.is_empty() && !value.contains('\0')).then_some((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sasl::{CredentialStore, DecoySecret};
    use crate::scram::ScramUser;

    const CLIENT_NONCE: &str = "rOprNGfwEbeRWgbNEkqO";
    const SERVER_NONCE: &str = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";

    fn store() -> Arc<CredentialStore> {
        let mut store = CredentialStore::new(DecoySecret::derive(b"test"));
        for argument in [
            "SCRAM-SHA-256=[name=user,password=pencil,salt=W22ZaJ0SNY7soEsUEjb6gQ==]",
            "SCRAM-SHA-512=[name=user,password=pencil,salt=W22ZaJ0SNY7soEsUEjb6gQ==]",
        ] {
            let user = ScramUser::parse(argument).unwrap();
            store.set_scram(user.name, user.credential);
        }
        let odd = ScramUser::parse("SCRAM-SHA-256=[name=odd,password=pencil]").unwrap();
        store.set_scram("a,b=c", odd.credential);
        Arc::new(store)
    }

    fn server(mechanism: ScramMechanism) -> ScramServer {
        ScramServer::with_nonce(mechanism, store(), SERVER_NONCE.to_owned())
    }

    #[track_caller]
    fn continued(outcome: Outcome) -> String {
        match outcome {
            Outcome::Continue(bytes) => String::from_utf8(bytes).unwrap(),
            Outcome::Done { .. } => panic!("done"),
            Outcome::Failed { cause, .. } => panic!("failed: {cause}"),
        }
    }

    #[track_caller]
    fn check_failure(outcome: Outcome, expected: SaslFailure) {
        match outcome {
            Outcome::Failed { cause, .. } => assert_eq!(cause, expected),
            Outcome::Continue(_) | Outcome::Done { .. } => panic!("expected: {expected}"),
        }
    }

    /// The client's last message, computed independently of the server's parsing.
    fn client_final(
        mechanism: ScramMechanism,
        password: &str,
        bare: &str,
        header: &str,
        server_first: &str,
        (repeated, extensions): (&str, &str),
    ) -> String {
        let attribute =
            |name: &str| server_first.split(',').find_map(|part| part.strip_prefix(name)).unwrap();
        let salt = BASE64.decode(attribute("s=")).unwrap();
        let iterations: u32 = attribute("i=").parse().unwrap();
        let credential = ScramCredential::from_password(mechanism, password, &salt, iterations).unwrap();
        let without_proof =
            format!("c={},r={repeated}{}{extensions}", BASE64.encode(header), attribute("r="));
        let message = format!("{bare},{server_first},{without_proof}");
        let mut salted = vec![0; mechanism.hash_length()];
        let algorithm = match mechanism {
            ScramMechanism::Sha256 => aws_lc_rs::pbkdf2::PBKDF2_HMAC_SHA256,
            ScramMechanism::Sha512 => aws_lc_rs::pbkdf2::PBKDF2_HMAC_SHA512,
        };
        let count = std::num::NonZeroU32::new(iterations).unwrap();
        aws_lc_rs::pbkdf2::derive(algorithm, count, &salt, password.as_bytes(), &mut salted);
        let client_key = mechanism.hmac(&salted, b"Client Key");
        let signature = mechanism.hmac(&mechanism.hash(&client_key), message.as_bytes());
        let proof: Vec<u8> = client_key.iter().zip(&signature).map(|(left, right)| left ^ right).collect();
        assert!(credential.accepts_proof(message.as_bytes(), &proof));
        format!("{without_proof},p={}", BASE64.encode(proof))
    }

    #[test]
    fn the_example_of_rfc_7677_authenticates() {
        let mut server = server(ScramMechanism::Sha256);
        let answer = continued(server.step(format!("n,,n=user,r={CLIENT_NONCE}").as_bytes()));
        assert_eq!(answer, format!("r={CLIENT_NONCE}{SERVER_NONCE},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"));
        let last =
            format!("c=biws,r={CLIENT_NONCE}{SERVER_NONCE},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
        match server.step(last.as_bytes()) {
            Outcome::Done { user, bytes, .. } => {
                assert_eq!(user, "user");
                assert_eq!(bytes, b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
            }
            _ => panic!("the RFC's own proof was refused"),
        }
    }

    #[test]
    fn a_sha_512_exchange_matches_an_independent_computation() {
        let mut server = server(ScramMechanism::Sha512);
        continued(server.step(format!("n,,n=user,r={CLIENT_NONCE}").as_bytes()));
        let last = format!("c=biws,r={CLIENT_NONCE}{SERVER_NONCE},p={SHA_512_PROOF}");
        match server.step(last.as_bytes()) {
            Outcome::Done { bytes, .. } => assert_eq!(bytes, format!("v={SHA_512_SIGNATURE}").as_bytes()),
            _ => panic!("the proof was refused"),
        }
    }

    #[track_caller]
    fn check_exchange(
        header: &str,
        bare: &str,
        extensions: &str,
        password: &str,
        expected: Result<&str, SaslFailure>,
    ) {
        let mechanism = ScramMechanism::Sha256;
        let mut server = server(mechanism);
        let answer = continued(server.step(format!("{header}{bare}").as_bytes()));
        let last = client_final(mechanism, password, bare, header, &answer, ("", extensions));
        match (server.step(last.as_bytes()), expected) {
            (Outcome::Done { user, .. }, Ok(expected)) => assert_eq!(user, expected),
            (Outcome::Failed { cause, .. }, Err(expected)) => assert_eq!(cause, expected),
            _ => panic!("{header}{bare}: expected {expected:?}"),
        }
    }

    #[test]
    fn exchanges_end_as_they_should() {
        check_exchange("n,,", "n=user,r=abc", "", "pencil", Ok("user"));
        check_exchange("y,,", "n=user,r=abc", "", "pencil", Ok("user"));
        check_exchange("n,a=user,", "n=user,r=abc", "", "pencil", Ok("user"));
        check_exchange("n,,", "n=a=2Cb=3Dc,r=abc", "", "pencil", Ok("a,b=c"));
        check_exchange("n,,", "n=user,r=abc,x=y", ",e=f", "pencil", Ok("user"));
        check_exchange("n,,", "n=user,r=abc,tokenauth=false", "", "pencil", Ok("user"));
        check_exchange("n,,", "n=user,r=abc", "", "pencil!", Err(SaslFailure::WrongPassword));
        check_exchange("n,,", "n=ghost,r=abc", "", "pencil", Err(SaslFailure::UnknownUser));
        check_exchange("n,a=root,", "n=user,r=abc", "", "pencil", Err(SaslFailure::AuthorizationIdMismatch));
        check_exchange("n,,", "n=user,r=abc,tokenauth=true", "", "pencil", Err(SaslFailure::DelegationToken));
    }

    #[test]
    fn a_client_may_repeat_its_nonce_and_nothing_else() {
        for (repeated, expected) in [
            ("abc", None),
            ("xyz", Some(SaslFailure::NonceMismatch)),
            ("c", Some(SaslFailure::NonceMismatch)),
        ] {
            let mechanism = ScramMechanism::Sha256;
            let mut server = server(mechanism);
            let answer = continued(server.step(b"n,,n=user,r=abc"));
            let last = client_final(mechanism, "pencil", "n=user,r=abc", "n,,", &answer, (repeated, ""));
            match (server.step(last.as_bytes()), expected) {
                (Outcome::Done { user, .. }, None) => assert_eq!(user, "user"),
                (Outcome::Failed { cause, .. }, Some(expected)) => assert_eq!(cause, expected),
                _ => panic!("{repeated}: expected {expected:?}"),
            }
        }
    }

    #[test]
    fn malformed_first_messages_are_refused() {
        for message in [
            "",
            "n",
            "n,",
            "n,,",
            "n,,n=user",
            "n,,r=abc,n=user",
            "n,,n=,r=abc",
            "n,,n=user,r=",
            "x,,n=user,r=abc",
            "n,b=user,n=user,r=abc",
            "n,,m=ext,n=user,r=abc",
            "n,,n=us=er,r=abc",
            "n,,n=us=2c,r=abc",
            "n,,n=user=,r=abc",
            "n,,n=user,r=a c",
            "n,,n=user,r=abc,",
            "n,,n=user,r=abc,x",
            "n,,n=user,r=abc,1=y",
            "n,,n=us\0er,r=abc",
        ] {
            check_failure(server(ScramMechanism::Sha256).step(message.as_bytes()), SaslFailure::Malformed);
        }
        check_failure(server(ScramMechanism::Sha256).step(b"n,,n=\xff,r=abc"), SaslFailure::Malformed);
        check_failure(
            server(ScramMechanism::Sha256).step(b"p=tls-exporter,,n=user,r=abc"),
            SaslFailure::ChannelBindingRequired,
        );
    }

    #[track_caller]
    fn check_final(change: impl Fn(String) -> String, expected: SaslFailure) {
        let mechanism = ScramMechanism::Sha256;
        let mut server = server(mechanism);
        let answer = continued(server.step(b"n,,n=user,r=abc"));
        let last = client_final(mechanism, "pencil", "n=user,r=abc", "n,,", &answer, ("", ""));
        check_failure(server.step(change(last).as_bytes()), expected);
    }

    #[test]
    fn tampered_last_messages_are_refused() {
        check_final(|last| last.replace("r=abc", "r=abd"), SaslFailure::NonceMismatch);
        check_final(|last| last.replace("r=abc", "r=xabc"), SaslFailure::NonceMismatch);
        check_final(|last| last.replace("c=biws", "c=eSws"), SaslFailure::ChannelBindingMismatch);
        check_final(|last| last.replace("c=biws", "c=*"), SaslFailure::Malformed);
        check_final(|last| last.replace(",p=", ",m=x,p="), SaslFailure::Malformed);
        check_final(|last| last.replace(",p=", ",q="), SaslFailure::Malformed);
        check_final(|last| format!("{}AAAA", last.trim_end_matches('=')), SaslFailure::Malformed);
        check_final(
            |last| format!("{},p=AAAA", last.rsplit_once(",p=").unwrap().0),
            SaslFailure::WrongPassword,
        );
        check_final(|last| format!("{},p=", last.rsplit_once(",p=").unwrap().0), SaslFailure::WrongPassword);
    }

    #[test]
    fn an_unknown_user_is_answered_like_a_known_one_and_always_the_same() {
        let first = continued(server(ScramMechanism::Sha256).step(b"n,,n=ghost,r=abc"));
        let second = continued(server(ScramMechanism::Sha256).step(b"n,,n=ghost,r=abc"));
        assert_eq!(first, second);
        let known = continued(server(ScramMechanism::Sha256).step(b"n,,n=a=2Cb=3Dc,r=abc"));
        assert_eq!(first.len(), known.len());
        assert!(first.ends_with(",i=4096"));
    }

    const SHA_512_PROOF: &str =
        "gMGXRcevScNtxZ6/8lQYpGtnsNAc3mGcmNomv+xnoOMw+3R2xNJdMNnzMlTN8PPC6wdp6dybEmDYXYTxwnYPJQ==";
    const SHA_512_SIGNATURE: &str =
        "ZQnYEgWQMFmmsM8aQMF0nDDCy/AgCzkwk8CmMZYcMg0vSVlKDanekLtifDSeVGT4+5ZxXnJq199RVG2rR7N7Zw==";
}
