//! Key stores as the tools really write them, and handshakes with them, in memory.
//!
//! The files in `fixtures/` were made with `keytool` of Java 17 and with OpenSSL 3, password `changeit`, for
//! `CN=broker,O=Example`; `fresh_stores_of_installed_tools_open` makes new ones where the tools are installed.

#![expect(clippy::unwrap_used, reason = "a failing step should fail its test")]

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use cadastre_security::tls::{
    ClientAuthentication, TlsError, TlsProperties, TlsServerConfig, distinguished_name, peer_principal,
};
use cadastre_security::{Principal, PrincipalMapping};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConnection};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn load(pairs: &[(&str, &str)]) -> Result<TlsServerConfig, TlsError> {
    let properties: BTreeMap<_, _> =
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    TlsServerConfig::new(&TlsProperties::parse(&properties)?)
}

fn pkcs12(path: &Path, password: &str) -> Result<TlsServerConfig, TlsError> {
    load(&[
        ("ssl.keystore.type", "PKCS12"),
        ("ssl.keystore.location", path.to_str().unwrap()),
        ("ssl.keystore.password", password),
    ])
}

/// A certificate authority with a server and a client of its own, all in PEM.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

struct Issued {
    chain: Vec<CertificateDer<'static>>,
    chain_pem: String,
    key: KeyPair,
}

impl Authority {
    fn new() -> Self {
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.distinguished_name.push(DnType::CommonName, "Example CA");
        Self { issuer: CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap() }
    }

    fn issue(&self, common_name: &str) -> Issued {
        let mut parameters = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        parameters.distinguished_name = rcgen::DistinguishedName::new();
        parameters.distinguished_name.push(DnType::OrganizationName, "Example, Inc.");
        parameters.distinguished_name.push(DnType::CommonName, common_name);
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.signed_by(&key, &self.issuer).unwrap();
        Issued { chain: vec![certificate.der().clone()], chain_pem: certificate.pem(), key }
    }

    fn pem(&self) -> String {
        self.issuer.pem()
    }

    fn server(&self, more: &[(&str, &str)]) -> Result<TlsServerConfig, TlsError> {
        let server = self.issue("broker");
        let key = server.key.serialize_pem();
        let mut pairs = vec![
            ("ssl.keystore.type", "PEM"),
            ("ssl.keystore.key", key.as_str()),
            ("ssl.keystore.certificate.chain", server.chain_pem.as_str()),
        ];
        pairs.extend(more);
        load(&pairs)
    }

    fn client(&self, identity: Option<&Issued>) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        match identity {
            None => builder.with_no_client_auth(),
            Some(Issued { chain, key, .. }) => {
                let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
                builder.with_client_auth_cert(chain.clone(), key).unwrap()
            }
        }
    }
}

/// Shakes hands in memory and returns the server's end.
fn shake_hands(server: &TlsServerConfig, client: ClientConfig) -> Result<ServerConnection, Box<dyn Error>> {
    let mut client = ClientConnection::new(Arc::new(client), "localhost".try_into()?)?;
    let mut server = ServerConnection::new(server.server_config())?;
    for _ in 0..10 {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire)?;
        }
        let mut wire = wire.as_slice();
        while !wire.is_empty() {
            server.read_tls(&mut wire)?;
            server.process_new_packets()?;
        }
        let mut wire = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut wire)?;
        }
        let mut wire = wire.as_slice();
        while !wire.is_empty() {
            client.read_tls(&mut wire)?;
            client.process_new_packets()?;
        }
        if !client.is_handshaking() && !server.is_handshaking() && !client.wants_write() {
            return Ok(server);
        }
    }
    Err("the handshake does not end".into())
}

#[track_caller]
fn check_store(path: &Path) {
    let server = pkcs12(path, "changeit").unwrap();
    let own = server.certificate_chain().first().unwrap();
    assert_eq!(distinguished_name(own).unwrap(), "CN=broker,O=Example", "{}", path.display());
}

#[test]
fn key_stores_of_keytool_and_openssl_open() {
    for name in ["keytool.p12", "openssl.p12", "openssl-legacy.p12"] {
        check_store(&fixture(name));
    }
}

#[test]
fn fresh_stores_of_installed_tools_open() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let run = |program: &str, arguments: &[&str]| match Command::new(program).args(arguments).output() {
        Ok(output) => {
            assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
            true
        }
        Err(_) => {
            eprintln!("skipped: `{program}` is not installed");
            false
        }
    };
    let store = path("keytool.p12");
    let made = run(
        "keytool",
        &[
            "-genkeypair",
            "-alias",
            "broker",
            "-keyalg",
            "RSA",
            "-dname",
            "CN=broker,O=Example",
            "-storetype",
            "PKCS12",
            "-keystore",
            &store,
            "-storepass",
            "changeit",
        ],
    );
    if made {
        check_store(Path::new(&store));
    }
    let (key, certificate, store) = (path("key.pem"), path("cert.pem"), path("openssl.p12"));
    let made = run(
        "openssl",
        &[
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-keyout",
            &key,
            "-out",
            &certificate,
            "-subj",
            "/O=Example/CN=broker",
        ],
    );
    if made {
        run(
            "openssl",
            &[
                "pkcs12",
                "-export",
                "-inkey",
                &key,
                "-in",
                &certificate,
                "-passout",
                "pass:changeit",
                "-out",
                &store,
            ],
        );
        check_store(Path::new(&store));
        let encrypted = path("encrypted.pem");
        run(
            "openssl",
            &[
                "pkcs8",
                "-topk8",
                "-v2",
                "aes256",
                "-in",
                &key,
                "-passout",
                "pass:changeit",
                "-out",
                &encrypted,
            ],
        );
        let both =
            std::fs::read_to_string(&encrypted).unwrap() + &std::fs::read_to_string(&certificate).unwrap();
        std::fs::write(&encrypted, both).unwrap();
        let pem = [("ssl.keystore.type", "PEM"), ("ssl.keystore.location", encrypted.as_str())];
        let with = |password| load(&[pem[0], pem[1], ("ssl.key.password", password)]);
        assert!(with("changeit").is_ok());
        let message = with("wrong").unwrap_err().to_string();
        assert_eq!(
            message,
            format!("private key in `{encrypted}` cannot be decrypted with `ssl.key.password`")
        );
        assert!(load(&pem).is_err());
    }
}

#[test]
fn stores_that_cannot_be_used_say_why() {
    let wrong = pkcs12(&fixture("keytool.p12"), "wrong").unwrap_err();
    assert!(matches!(wrong, TlsError::Pkcs12 { .. }), "{wrong}");
    let java = pkcs12(&fixture("keystore.jks"), "changeit").unwrap_err();
    assert!(java.to_string().ends_with("keystore.jks` is a JKS store"), "{java}");
    assert!(java.hint().unwrap().starts_with("convert it with `keytool -importkeystore"));
    let no_key = pkcs12(&fixture("keytool-trust.p12"), "changeit").unwrap_err();
    assert!(matches!(no_key, TlsError::NoPrivateKey(_)), "{no_key}");
    let missing = pkcs12(Path::new("/nonexistent/store.p12"), "changeit").unwrap_err();
    assert_eq!(missing.to_string(), "`/nonexistent/store.p12` cannot be read");
}

#[test]
fn a_trust_store_trusts_what_java_would() {
    let authority = Authority::new();
    let with = |name: &str| {
        authority.server(&[
            ("ssl.client.auth", "required"),
            ("ssl.truststore.type", "PKCS12"),
            ("ssl.truststore.location", fixture(name).to_str().unwrap()),
            ("ssl.truststore.password", "changeit"),
        ])
    };
    assert!(with("keytool-trust.p12").is_ok());
    let unmarked = with("openssl-nokeys.p12").unwrap_err();
    assert!(matches!(unmarked, TlsError::NothingTrusted(_)), "{unmarked}");
    assert!(unmarked.hint().is_some());
}

#[test]
fn one_line_pem_values_are_read() {
    let authority = Authority::new();
    let server = authority.issue("broker");
    let (key, chain) = (server.key.serialize_pem().replace('\n', " "), server.chain_pem.replace('\n', " "));
    let loaded = load(&[
        ("ssl.keystore.type", "PEM"),
        ("ssl.keystore.key", &key),
        ("ssl.keystore.certificate.chain", &chain),
    ]);
    assert!(shake_hands(&loaded.unwrap(), authority.client(None)).is_ok());
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    let authority = Authority::new();
    let (one, other) = (authority.issue("one"), authority.issue("other"));
    let key = other.key.serialize_pem();
    let mixed = load(&[
        ("ssl.keystore.type", "PEM"),
        ("ssl.keystore.key", &key),
        ("ssl.keystore.certificate.chain", &one.chain_pem),
    ]);
    assert!(matches!(mixed.unwrap_err(), TlsError::Rustls(_)));
}

#[track_caller]
fn check_client(authentication: &str, presents: Option<&str>, is_trusted: bool, expected: Option<&str>) {
    let authority = Authority::new();
    let trusted = authority.pem();
    let server = authority
        .server(&[
            ("ssl.client.auth", authentication),
            ("ssl.truststore.type", "PEM"),
            ("ssl.truststore.certificates", &trusted),
        ])
        .unwrap();
    let signer = if is_trusted { &authority } else { &Authority::new() };
    let identity = presents.map(|name| signer.issue(name));
    let mapping = PrincipalMapping::parse("RULE:^CN=(.*?),O=Example\\\\, Inc.$/$1/L,DEFAULT").unwrap();
    let principal = shake_hands(&server, authority.client(identity.as_ref()))
        .ok()
        .map(|connection| peer_principal(connection.peer_certificates(), &mapping).unwrap());
    assert_eq!(principal.map(|principal| principal.to_string()).as_deref(), expected);
}

#[test]
fn clients_become_principals_as_client_authentication_says() {
    check_client("none", None, true, Some("User:ANONYMOUS"));
    check_client("none", Some("Alice"), true, Some("User:ANONYMOUS"));
    check_client("requested", None, true, Some("User:ANONYMOUS"));
    check_client("requested", Some("Alice"), true, Some("User:alice"));
    check_client("requested", Some("Mallory"), false, None);
    check_client("required", None, true, None);
    check_client("required", Some("Alice"), true, Some("User:alice"));
    check_client("required", Some("Mallory"), false, None);
}

#[test]
fn a_name_without_a_rule_gives_no_principal() {
    let certificate = Authority::new().issue("alice");
    let mapping = PrincipalMapping::parse("RULE:^OU=(.*)$/$1/").unwrap();
    assert!(peer_principal(Some(&certificate.chain), &mapping).is_err());
    assert_eq!(
        peer_principal(Some(&certificate.chain), &PrincipalMapping::default()).unwrap(),
        Principal::user("CN=alice,O=Example\\, Inc.")
    );
}

#[test]
fn only_the_enabled_versions_and_suites_are_offered() {
    let authority = Authority::new();
    let old = authority.server(&[("ssl.enabled.protocols", "TLSv1.2")]).unwrap();
    let connection = shake_hands(&old, authority.client(None)).unwrap();
    assert_eq!(connection.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_2));
    assert_eq!(old.client_authentication(), ClientAuthentication::None);

    let narrow = authority
        .server(&[("ssl.enabled.protocols", "TLSv1.3"), ("ssl.cipher.suites", "TLS_AES_128_GCM_SHA256")])
        .unwrap();
    assert_eq!(narrow.cipher_suite_names().collect::<Vec<_>>(), ["TLS_AES_128_GCM_SHA256"]);
    let connection = shake_hands(&narrow, authority.client(None)).unwrap();
    assert_eq!(connection.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_3));
    let suite = connection.negotiated_cipher_suite().unwrap().suite();
    assert_eq!(suite, rustls::CipherSuite::TLS13_AES_128_GCM_SHA256);
}
