//! Clusters to scan, and what to ask of the records.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a helper that fails is a test that fails"
)]

pub(crate) mod administration;
pub(crate) mod apache;
pub(crate) mod documentation;
pub(crate) mod noida;
pub(crate) mod records;
pub(crate) mod reference;

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use cadastre_protocol::client::{Client, ClientConfig, Mechanism, Password, Sasl, Security, Tls, Trust};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType};

/// The administrator that the log directory is formatted with.
pub(crate) const ADMIN: (&str, &str) = ("admin", "admin-secret");
/// A second user, without any permission until a test gives it some.
pub(crate) const SCANNER: (&str, &str) = ("scanner", "scanner-secret");

/// A client that is logged in by SCRAM-SHA-512 over TLS.
pub(crate) async fn log_in(bootstrap: &str, authority: &Path, user: (&str, &str)) -> Client {
    Client::connect(&bootstrap.parse().unwrap(), &client_config(authority, user)).await.unwrap()
}

/// Settings for [`log_in`].
pub(crate) fn client_config(authority: &Path, (username, password): (&str, &str)) -> ClientConfig {
    let sasl = Sasl {
        mechanism: Mechanism::ScramSha512,
        username: username.to_owned(),
        password: Password::new(password.to_owned()),
    };
    let tls = Tls::new(&Trust::Authorities(fs::read(authority).unwrap()), None).unwrap();
    ClientConfig::new("test", Security { tls: Some(tls), sasl: Some(sasl) })
}

/// A credential in Kafka's syntax.
pub(crate) fn scram((username, password): (&str, &str)) -> String {
    format!("SCRAM-SHA-512=[name={username},password={password}]")
}

/// Ports nobody listens on. They are held until all are found, so that none is given out twice.
pub(crate) fn free_ports(count: usize) -> Vec<u16> {
    let held: Vec<TcpListener> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    held.iter().map(|listener| listener.local_addr().unwrap().port()).collect()
}

/// `ca.pem`, and `keystore.pem` with the broker's key and chain.
pub(crate) fn write_certificates(directory: &Path) {
    let authority_key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.distinguished_name = rcgen::DistinguishedName::new();
    authority.distinguished_name.push(DnType::CommonName, "Example Kafka CA");
    let authority_pem = authority.self_signed(&authority_key).unwrap().pem();
    let issuer = Issuer::new(authority, authority_key);

    let key = KeyPair::generate().unwrap();
    let mut broker = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    broker.subject_alt_names.push(SanType::IpAddress([127, 0, 0, 1].into()));
    broker.distinguished_name = rcgen::DistinguishedName::new();
    broker.distinguished_name.push(DnType::CommonName, "broker");
    let broker_pem = broker.signed_by(&key, &issuer).unwrap().pem();

    fs::write(directory.join("ca.pem"), &authority_pem).unwrap();
    let keystore = format!("{}{broker_pem}{authority_pem}", key.serialize_pem());
    fs::write(directory.join("keystore.pem"), keystore).unwrap();
}
