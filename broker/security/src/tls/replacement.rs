//! Whether a certificate may take the place of the one in force while a listener serves: Kafka's rules for a key store that is
//! altered (`SslFactory.CertificateEntries`, KIP-978), and that nothing valid gives way to what no client would accept.

use std::collections::{BTreeMap, BTreeSet};

use rustls_pki_types::CertificateDer;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::time::ASN1Time;

use super::TlsServerConfig;
use super::distinguished_name;
use super::error::TlsError;

/// What a replacement may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReplacementRules {
    /// `ssl.allow.dn.changes`: the subject.
    pub subject_may_change: bool,
    /// `ssl.allow.san.changes`: names may go.
    pub names_may_go: bool,
}

impl ReplacementRules {
    /// Reads the two properties, by their names without a listener prefix; what is not `true` is `false`.
    #[must_use]
    pub fn parse(properties: &BTreeMap<String, String>) -> Self {
        let is_true =
            |name: &str| properties.get(name).is_some_and(|value| value.trim().eq_ignore_ascii_case("true"));
        Self {
            subject_may_change: is_true("ssl.allow.dn.changes"),
            names_may_go: is_true("ssl.allow.san.changes"),
        }
    }
}

impl TlsServerConfig {
    /// Checks whether this one may take the place of `old` at a moment, in seconds since the epoch.
    ///
    /// # Errors
    /// [`TlsError::OtherSubject`], [`TlsError::FewerNames`], [`TlsError::NotValidNow`] where the one in force is valid, or a
    /// certificate that cannot be read.
    pub fn check_replaces(&self, old: &Self, rules: ReplacementRules, now: i64) -> Result<(), TlsError> {
        let (Some(own), Some(others)) = (self.certificate_chain().first(), old.certificate_chain().first())
        else {
            return Err(TlsError::Certificate("there is none".to_owned()));
        };
        let (new_subject, old_subject) = (distinguished_name(own)?, distinguished_name(others)?);
        if !rules.subject_may_change && new_subject != old_subject {
            return Err(TlsError::OtherSubject { old: old_subject, new: new_subject });
        }
        let (own, others) = (parsed(own)?, parsed(others)?);
        if !rules.names_may_go {
            let names = names(&own);
            let gone: Vec<String> =
                self::names(&others).into_iter().filter(|name| !names.contains(name)).collect();
            if !gone.is_empty() {
                return Err(TlsError::FewerNames(gone.join(", ")));
            }
        }
        let is_valid = |certificate: &X509Certificate<'_>| {
            let moment = ASN1Time::from_timestamp(now);
            moment.is_ok_and(|moment| certificate.validity().is_valid_at(moment))
        };
        if is_valid(&others) && !is_valid(&own) {
            let validity = own.validity();
            return Err(TlsError::NotValidNow {
                from: validity.not_before.to_string(),
                until: validity.not_after.to_string(),
            });
        }
        Ok(())
    }
}

fn parsed<'a>(certificate: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, TlsError> {
    let parsed = X509Certificate::from_der(certificate);
    parsed.map(|(_, certificate)| certificate).map_err(|error| TlsError::Certificate(error.to_string()))
}

/// The subject alternative names. One that cannot be read is none that a client could know the listener by.
fn names(certificate: &X509Certificate<'_>) -> BTreeSet<String> {
    let extension = certificate.subject_alternative_name().ok().flatten();
    let names = extension.iter().flat_map(|extension| &extension.value.general_names);
    names
        .map(|name| match name {
            GeneralName::DNSName(name) => format!("DNS:{}", name.to_ascii_lowercase()),
            other => other.to_string(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, date_time_ymd};

    use super::super::TlsProperties;
    use super::*;

    /// Noon of 1 June 2026.
    const NOW: i64 = 1_780_315_200;

    fn config(subject: &str, names: &[&str], until: i32) -> TlsServerConfig {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut parameters = CertificateParams::new(names).unwrap();
        parameters.distinguished_name = rcgen::DistinguishedName::new();
        parameters.distinguished_name.push(DnType::CommonName, subject);
        parameters.not_before = date_time_ymd(2020, 1, 1);
        parameters.not_after = date_time_ymd(until, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.self_signed(&key).unwrap();
        let properties = BTreeMap::from([
            ("ssl.keystore.type".to_owned(), "PEM".to_owned()),
            ("ssl.keystore.key".to_owned(), key.serialize_pem()),
            ("ssl.keystore.certificate.chain".to_owned(), certificate.pem()),
        ]);
        TlsServerConfig::new(&TlsProperties::parse(&properties).unwrap()).unwrap()
    }

    #[track_caller]
    fn check(old: &TlsServerConfig, new: &TlsServerConfig, rules: ReplacementRules, expected: Option<&str>) {
        let refused = new.check_replaces(old, rules, NOW).err().map(|error| error.to_string());
        match (refused, expected) {
            (None, None) => {}
            (Some(said), Some(expected)) => assert!(said.contains(expected), "{said}"),
            (said, _) => panic!("{said:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn a_certificate_gives_way_to_one_of_the_same_subject_with_all_its_names() {
        let strict = ReplacementRules::default();
        let old = config("broker", &["a.example.com", "127.0.0.1"], 2030);
        check(&old, &config("broker", &["A.example.com", "127.0.0.1", "b.example.com"], 2031), strict, None);
        check(&old, &config("other", &["a.example.com", "127.0.0.1"], 2031), strict, Some("`CN=other`"));
        check(&old, &config("broker", &["127.0.0.1"], 2031), strict, Some("lacks names"));
        let any = ReplacementRules { subject_may_change: true, names_may_go: true };
        check(&old, &config("other", &[], 2031), any, None);
    }

    #[test]
    fn a_valid_certificate_gives_way_to_no_expired_one() {
        let (valid, expired) = (config("broker", &[], 2030), config("broker", &[], 2025));
        check(&valid, &expired, ReplacementRules::default(), Some("which is not now"));
        check(&expired, &config("broker", &[], 2024), ReplacementRules::default(), None);
    }
}
