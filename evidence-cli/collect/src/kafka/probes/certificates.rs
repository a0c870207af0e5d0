//! Certificates as records show them.

use std::sync::Arc;
use std::time::Duration;

use cadastre_model::time::Timestamp;
use cadastre_protocol::client::Address;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, RootCertStore};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::FromDer as _;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::{SubjectPublicKeyInfo, X509Name};

/// The subject of a certificate as brokers name a principal: RFC 2253, last part first.
pub(in crate::kafka) fn distinguished_name(certificate: &CertificateDer<'_>) -> Option<String> {
    let (_rest, parsed) = X509Certificate::from_der(certificate).ok()?;
    Some(name(parsed.subject()))
}

/// A certificate's members; one that cannot be read still has its fingerprint.
pub(super) fn describe(certificate: &CertificateDer<'_>) -> Value {
    let fingerprint = hex::encode(Sha256::digest(certificate));
    let Ok((_rest, parsed)) = X509Certificate::from_der(certificate) else {
        return json!({
            "subject": null, "issuer": null, "names": [], "serial": null, "not_before": null, "not_after": null,
            "fingerprint": fingerprint, "key_algorithm": null, "signature_algorithm": null,
            "authority": null, "self_signed": null,
        });
    };
    let time = |seconds: i64| Timestamp::from_seconds(seconds);
    json!({
        "subject": name(parsed.subject()),
        "issuer": name(parsed.issuer()),
        "names": alternative_names(&parsed),
        "serial": hex::encode(parsed.raw_serial()),
        "not_before": time(parsed.validity().not_before.timestamp()),
        "not_after": time(parsed.validity().not_after.timestamp()),
        "fingerprint": fingerprint,
        "key_algorithm": key_algorithm(parsed.public_key()),
        "signature_algorithm": signature_algorithm(&parsed.signature_algorithm.algorithm.to_id_string()),
        "authority": parsed.is_ca(),
        "self_signed": parsed.subject() == parsed.issuer(),
    })
}

/// Whether a chain is trusted and fits the host.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Trust {
    pub(super) trusted: Option<bool>,
    pub(super) problem: Option<String>,
    pub(super) host_matches: Option<bool>,
}

/// Checks a chain, leaf first, against the authorities at a point in time.
pub(super) fn check(
    chain: &[CertificateDer<'_>],
    authorities: Option<&RootCertStore>,
    address: &Address,
    at_seconds: i64,
) -> Trust {
    let (Some(authorities), Some((leaf, intermediates))) = (authorities, chain.split_first()) else {
        return Trust::default();
    };
    let untrusted =
        |problem: String| Trust { trusted: Some(false), problem: Some(problem), host_matches: None };
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier =
        match WebPkiServerVerifier::builder_with_provider(Arc::new(authorities.clone()), provider).build() {
            Ok(verifier) => verifier,
            Err(error) => return untrusted(error.to_string()),
        };
    let Ok(host) = ServerName::try_from(address.host.clone()) else {
        return untrusted(format!("`{}` is not a name a certificate can hold", address.host));
    };
    let now = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(at_seconds).unwrap_or(0)));
    match verifier.verify_server_cert(leaf, intermediates, &host, &[], now) {
        Ok(_verified) => Trust { trusted: Some(true), problem: None, host_matches: Some(true) },
        // The name is checked last: whoever fails there has a valid chain.
        Err(rustls::Error::InvalidCertificate(
            error @ (CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }),
        )) => Trust { trusted: Some(true), problem: Some(error.to_string()), host_matches: Some(false) },
        Err(rustls::Error::InvalidCertificate(error)) => untrusted(error.to_string()),
        Err(error) => untrusted(error.to_string()),
    }
}

fn name(name: &X509Name<'_>) -> String {
    let mut parts: Vec<String> = name
        .iter_rdn()
        .map(|set| {
            let attributes: Vec<String> = set
                .iter()
                .map(|attribute| {
                    let id = attribute.attr_type().to_id_string();
                    format!("{}={}", attribute_type(&id), escape(attribute.as_str().unwrap_or_default()))
                })
                .collect();
            attributes.join("+")
        })
        .collect();
    parts.reverse();
    parts.join(",")
}

/// RFC 2253 §2.3 and the few more that Java knows.
fn attribute_type(id: &str) -> &str {
    match id {
        "2.5.4.3" => "CN",
        "2.5.4.6" => "C",
        "2.5.4.7" => "L",
        "2.5.4.8" => "ST",
        "2.5.4.9" => "STREET",
        "2.5.4.10" => "O",
        "2.5.4.11" => "OU",
        "0.9.2342.19200300.100.1.25" => "DC",
        "0.9.2342.19200300.100.1.1" => "UID",
        other => other,
    }
}

/// RFC 2253 §2.4.
fn escape(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    let last = value.chars().count().saturating_sub(1);
    for (position, character) in value.chars().enumerate() {
        let special = matches!(character, ',' | '+' | '"' | '\\' | '<' | '>' | ';')
            || (position == 0 && matches!(character, '#' | ' '))
            || (position == last && character == ' ');
        if special {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

fn alternative_names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let mut names: Vec<String> = certificate
        .extensions()
        .iter()
        .filter_map(|extension| match extension.parsed_extension() {
            ParsedExtension::SubjectAlternativeName(names) => Some(&names.general_names),
            _ => None,
        })
        .flatten()
        .filter_map(|general| match general {
            GeneralName::DNSName(name) => Some(format!("DNS:{name}")),
            GeneralName::URI(uri) => Some(format!("URI:{uri}")),
            GeneralName::RFC822Name(mail) => Some(format!("email:{mail}")),
            GeneralName::IPAddress(bytes) => ip(bytes).map(|address| format!("IP:{address}")),
            _ => None,
        })
        .collect();
    names.sort();
    names
}

fn ip(bytes: &[u8]) -> Option<std::net::IpAddr> {
    if let Ok(four) = <[u8; 4]>::try_from(bytes) {
        return Some(four.into());
    }
    <[u8; 16]>::try_from(bytes).ok().map(Into::into)
}

fn key_algorithm(key: &SubjectPublicKeyInfo<'_>) -> String {
    let id = key.algorithm.algorithm.to_id_string();
    match key.parsed() {
        Ok(PublicKey::RSA(rsa)) => format!("RSA {}", rsa.key_size()),
        Ok(PublicKey::EC(_point)) => {
            let curve = key.algorithm.parameters.as_ref().and_then(|parameters| parameters.as_oid().ok());
            match curve.map(|curve| curve.to_id_string()).as_deref() {
                Some("1.2.840.10045.3.1.7") => "ECDSA P-256".to_owned(),
                Some("1.3.132.0.34") => "ECDSA P-384".to_owned(),
                Some("1.3.132.0.35") => "ECDSA P-521".to_owned(),
                Some(other) => format!("ECDSA {other}"),
                None => "ECDSA".to_owned(),
            }
        }
        _ if id == "1.3.101.112" => "Ed25519".to_owned(),
        _ if id == "1.3.101.113" => "Ed448".to_owned(),
        _ => id,
    }
}

fn signature_algorithm(id: &str) -> &str {
    match id {
        "1.2.840.113549.1.1.4" => "RSA-MD5",
        "1.2.840.113549.1.1.5" => "RSA-SHA1",
        "1.2.840.113549.1.1.10" => "RSA-PSS",
        "1.2.840.113549.1.1.11" => "RSA-SHA256",
        "1.2.840.113549.1.1.12" => "RSA-SHA384",
        "1.2.840.113549.1.1.13" => "RSA-SHA512",
        "1.2.840.10045.4.1" => "ECDSA-SHA1",
        "1.2.840.10045.4.3.2" => "ECDSA-SHA256",
        "1.2.840.10045.4.3.3" => "ECDSA-SHA384",
        "1.2.840.10045.4.3.4" => "ECDSA-SHA512",
        "1.3.101.112" => "Ed25519",
        "1.3.101.113" => "Ed448",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType};

    use super::*;

    struct Chain {
        authority: CertificateDer<'static>,
        leaf: CertificateDer<'static>,
    }

    fn chain() -> Chain {
        let authority_key = KeyPair::generate().unwrap();
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.distinguished_name.push(DnType::CommonName, "Example Kafka CA");
        let authority_certificate = authority.self_signed(&authority_key).unwrap();
        let issuer = Issuer::new(authority, authority_key);

        let key = KeyPair::generate().unwrap();
        let mut leaf = CertificateParams::new(vec!["b1.kafka.internal".to_owned()]).unwrap();
        leaf.subject_alt_names.push(SanType::IpAddress([10, 0, 1, 5].into()));
        leaf.distinguished_name = rcgen::DistinguishedName::new();
        leaf.distinguished_name.push(DnType::OrganizationName, "Example, Inc.");
        leaf.distinguished_name.push(DnType::CommonName, "b1");
        let leaf = leaf.signed_by(&key, &issuer).unwrap();
        Chain { authority: authority_certificate.der().clone(), leaf: leaf.der().clone() }
    }

    #[test]
    fn certificates_are_described() {
        let described = describe(&chain().leaf);
        assert_eq!(described["subject"], "CN=b1,O=Example\\, Inc.");
        assert_eq!(described["issuer"], "CN=Example Kafka CA");
        assert_eq!(described["names"], json!(["DNS:b1.kafka.internal", "IP:10.0.1.5"]));
        assert_eq!(described["key_algorithm"], "ECDSA P-256");
        assert_eq!(described["signature_algorithm"], "ECDSA-SHA256");
        assert_eq!((&described["self_signed"], &described["authority"]), (&json!(false), &json!(false)));
        assert_eq!(describe(&chain().authority)["self_signed"], json!(true));
    }

    #[test]
    fn what_is_no_certificate_keeps_its_fingerprint() {
        let described = describe(&CertificateDer::from(vec![1, 2, 3]));
        assert_eq!(described["subject"], Value::Null);
        assert_eq!(described["fingerprint"].as_str().map(str::len), Some(64));
    }

    #[test]
    fn trust_is_told_from_the_name() {
        let chain = chain();
        let mut authorities = RootCertStore::empty();
        authorities.add(chain.authority.clone()).unwrap();
        let check = |host: &str, authorities: Option<&RootCertStore>, at: i64| {
            let address = Address { host: host.to_owned(), port: 9094 };
            let trust = check(std::slice::from_ref(&chain.leaf), authorities, &address, at);
            (trust.trusted, trust.host_matches)
        };
        let now = 1_795_256_668;
        assert_eq!(check("b1.kafka.internal", Some(&authorities), now), (Some(true), Some(true)));
        assert_eq!(check("10.0.1.5", Some(&authorities), now), (Some(true), Some(true)));
        assert_eq!(check("b2.kafka.internal", Some(&authorities), now), (Some(true), Some(false)));
        assert_eq!(check("b1.kafka.internal", Some(&RootCertStore::empty()), now), (Some(false), None));
        assert_eq!(check("b1.kafka.internal", None, now), (None, None));
        assert_eq!(check("b1.kafka.internal", Some(&authorities), 99_999_999_999), (Some(false), None));
    }
}
