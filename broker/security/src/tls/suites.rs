//! Cipher suites by the names that IANA and Java give them.

use rustls::SupportedCipherSuite;
use rustls::crypto::aws_lc_rs::ALL_CIPHER_SUITES;

use super::error::TlsError;
use super::properties::TlsVersion;

/// The name of a suite as IANA registers it: `TLS_AES_256_GCM_SHA384`.
pub fn cipher_suite_name(suite: SupportedCipherSuite) -> String {
    let name = suite.suite().as_str().unwrap_or("UNKNOWN");
    name.strip_prefix("TLS13_").map_or_else(|| name.to_owned(), |rest| format!("TLS_{rest}"))
}

/// The names of all suites that a listener can offer, strongest first.
pub fn supported_cipher_suites() -> Vec<String> {
    ALL_CIPHER_SUITES.iter().copied().map(cipher_suite_name).collect()
}

/// The suites with the given names in the order of their strength, all of them when no names are given; only those of
/// the enabled protocol versions.
pub(super) fn select(
    names: &[String],
    versions: &[TlsVersion],
) -> Result<Vec<SupportedCipherSuite>, TlsError> {
    let known = supported_cipher_suites();
    if let Some(unknown) = names.iter().find(|name| !known.contains(name)) {
        return Err(TlsError::InvalidValue {
            property: "ssl.cipher.suites",
            value: unknown.clone(),
            expected: "suites of TLS 1.3, or of TLS 1.2 with ECDHE and AES-GCM or ChaCha20-Poly1305",
        });
    }
    let is_wanted =
        |suite: &SupportedCipherSuite| names.is_empty() || names.contains(&cipher_suite_name(*suite));
    let is_enabled = |suite: &SupportedCipherSuite| {
        let version = if suite.tls13().is_some() { TlsVersion::Tls13 } else { TlsVersion::Tls12 };
        versions.contains(&version)
    };
    let selected: Vec<_> =
        ALL_CIPHER_SUITES.iter().copied().filter(|suite| is_wanted(suite) && is_enabled(suite)).collect();
    // A version without a suite would be refused by the library in words that name no property.
    let every_version_has_one = versions.iter().any(|version| match version {
        TlsVersion::Tls13 => selected.iter().any(|suite| suite.tls13().is_some()),
        TlsVersion::Tls12 => selected.iter().any(|suite| suite.tls13().is_none()),
    });
    if every_version_has_one { Ok(selected) } else { Err(TlsError::NoUsableSuite) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(names: &[&str], versions: &[TlsVersion], expected: &[&str]) {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let selected: Vec<_> = select(&names, versions).unwrap().into_iter().map(cipher_suite_name).collect();
        assert_eq!(selected, expected);
    }

    const BOTH: [TlsVersion; 2] = [TlsVersion::Tls12, TlsVersion::Tls13];

    #[test]
    fn suites_are_selected_by_name_and_version() {
        check(
            &[],
            &[TlsVersion::Tls13],
            &["TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256"],
        );
        check(
            &["TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384"],
            &BOTH,
            &["TLS_AES_256_GCM_SHA384", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"],
        );
        check(
            &["TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384"],
            &[TlsVersion::Tls12],
            &["TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"],
        );
        check(&["TLS_AES_256_GCM_SHA384"], &BOTH, &["TLS_AES_256_GCM_SHA384"]);
    }

    #[test]
    fn weak_and_useless_suites_are_refused() {
        let weak = select(&["TLS_RSA_WITH_AES_128_CBC_SHA".to_owned()], &BOTH).unwrap_err();
        assert_eq!(
            weak.to_string(),
            "`TLS_RSA_WITH_AES_128_CBC_SHA` is not a value of `ssl.cipher.suites`; expected suites of TLS 1.3, or of \
             TLS 1.2 with ECDHE and AES-GCM or ChaCha20-Poly1305"
        );
        let useless = select(&["TLS_AES_256_GCM_SHA384".to_owned()], &[TlsVersion::Tls12]).unwrap_err();
        assert!(matches!(useless, TlsError::NoUsableSuite));
    }
}
