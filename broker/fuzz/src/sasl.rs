//! The SASL exchanges: nobody becomes anybody without what proves it.

use std::sync::{Arc, LazyLock};

use arbitrary::{Arbitrary, Unstructured};
use cadastre_security::bearer::{BearerError, BearerRules, BearerToken, KeySet};
use cadastre_security::sasl::{
    CredentialLookup, CredentialStore, DecoySecret, PlainPassword, SaslMechanism, SaslServer, SaslStep,
};
use cadastre_security::scram::{MINIMUM_ITERATIONS, ScramCredential, ScramMechanism};

const USER: &str = "alice";
const PASSWORD: &str = "a word that no input can guess: 5f0c2b8e71";

/// The public key of RFC 8037 appendix A.2, whose private half no input has.
const KEYS: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"one","alg":"EdDSA","use":"sig","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

/// Tokens of an exchange: as they are, or made from what the server just said.
#[derive(Debug, Arbitrary)]
enum Token<'a> {
    /// These bytes.
    Bytes(&'a [u8]),
    /// The first message of SCRAM for this user and nonce.
    ScramFirst { header: &'a str, user: &'a str, nonce: &'a str },
    /// A last message of SCRAM that repeats the nonce of the server's answer, with this proof.
    ScramLast { binding: &'a str, proof: &'a str },
    /// RFC 4616.
    Plain { authorization: &'a str, user: &'a str, password: &'a str },
    /// RFC 7628, with the three parts of a JSON Web Token.
    Bearer { authorization: &'a str, header: &'a str, claims: &'a str, signature: &'a str },
    /// The token before, once more.
    Again,
}

/// One exchange: the mechanism and what the client sends.
#[derive(Debug, Arbitrary)]
struct Exchange<'a> {
    mechanism: u8,
    tokens: Vec<Token<'a>>,
}

struct Users {
    store: CredentialStore,
    keys: KeySet,
    rules: BearerRules,
}

impl CredentialLookup for Users {
    fn scram_credential(&self, mechanism: ScramMechanism, user: &str) -> Option<ScramCredential> {
        self.store.scram_credential(mechanism, user)
    }

    fn plain_password(&self, user: &str) -> Option<PlainPassword> {
        self.store.plain_password(user)
    }

    fn decoys(&self) -> &DecoySecret {
        self.store.decoys()
    }

    fn bearer_token(&self, token: &str) -> Result<BearerToken, BearerError> {
        self.rules.verify(&self.keys, token, 1_700_000_000_000)
    }
}

static USERS: LazyLock<Arc<Users>> = LazyLock::new(|| {
    let mut store = CredentialStore::new(DecoySecret::derive(b"the fuzzer's cluster"));
    for mechanism in [ScramMechanism::Sha256, ScramMechanism::Sha512] {
        let credential =
            ScramCredential::from_password(mechanism, PASSWORD, b"a salt of sixteen", MINIMUM_ITERATIONS);
        store.set_scram(USER, credential.expect("a credential"));
    }
    store.set_plain(USER, PlainPassword::new(PASSWORD));
    let rules = BearerRules {
        audiences: Vec::new(),
        issuer: None,
        subject_claim: "sub".to_owned(),
        scope_claim: "scope".to_owned(),
        clock_skew_seconds: 30,
    };
    Arc::new(Users { store, keys: KeySet::parse(KEYS.as_bytes()).expect("a key set"), rules })
});

/// Goes through an exchange to its end, and on after it.
pub fn run(input: &[u8]) {
    let Ok(exchange) = Exchange::arbitrary_take_rest(Unstructured::new(input)) else { return };
    let mechanism = SaslMechanism::ALL[usize::from(exchange.mechanism) % SaslMechanism::ALL.len()];
    let users: Arc<dyn CredentialLookup> = Arc::clone(&*USERS) as _;
    let mut server = SaslServer::begin(mechanism, users).expect("a nonce");
    let mut said = Vec::new();
    let mut last = Vec::new();
    let mut over = false;
    for token in exchange.tokens.iter().take(8) {
        last = written(token, &said, &last);
        match server.step(&last) {
            SaslStep::Continue(bytes) => {
                assert!(!over, "an exchange that is over goes on");
                said = bytes;
            }
            SaslStep::Done { principal, .. } => panic!("{last:?} made the client {principal}"),
            SaslStep::Failed { .. } => over = true,
        }
    }
}

fn written(token: &Token<'_>, said: &[u8], before: &[u8]) -> Vec<u8> {
    match token {
        Token::Bytes(bytes) => bytes.to_vec(),
        Token::Again => before.to_vec(),
        Token::Plain { authorization, user, password } => {
            format!("{authorization}\0{user}\0{password}").into_bytes()
        }
        Token::ScramFirst { header, user, nonce } => format!("{header}n={user},r={nonce}").into_bytes(),
        Token::ScramLast { binding, proof } => {
            let said = String::from_utf8_lossy(said);
            let nonce = said.split(',').find_map(|part| part.strip_prefix("r=")).unwrap_or_default();
            format!("c={binding},r={nonce},p={proof}").into_bytes()
        }
        Token::Bearer { authorization, header, claims, signature } => {
            format!("n,{authorization},\u{1}auth=Bearer {header}.{claims}.{signature}\u{1}\u{1}").into_bytes()
        }
    }
}
