//! The subject of a certificate in the form of RFC 2253, character for character as Java's `X500Principal.getName()`
//! prints it, because mapping rules, `super.users` and ACLs are written against that.

use rustls_pki_types::CertificateDer;
use x509_parser::asn1_rs::{Any, Tag, ToDer};
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::x509::AttributeTypeAndValue;

use super::error::TlsError;

/// The attribute types that RFC 2253 §2.3 names; all others are printed as numbers with their value in hexadecimal.
const KEYWORDS: [(&str, &str); 9] = [
    ("2.5.4.3", "CN"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.9", "STREET"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("0.9.2342.19200300.100.1.1", "UID"),
];

/// The characters that Java escapes wherever they stand; RFC 2253 would leave some of them alone.
const ESCAPED: &str = ",=+<>#;\"\\";

/// The subject of a certificate, most specific part first.
///
/// # Errors
/// A certificate that cannot be read.
pub fn distinguished_name(certificate: &CertificateDer<'_>) -> Result<String, TlsError> {
    let (_, certificate) =
        X509Certificate::from_der(certificate).map_err(|error| TlsError::Certificate(error.to_string()))?;
    let mut parts = Vec::new();
    for relative in certificate.subject().iter_rdn() {
        let attributes = relative.iter().map(attribute).collect::<Result<Vec<_>, _>>()?;
        parts.push(attributes.join("+"));
    }
    parts.reverse();
    Ok(parts.join(","))
}

fn attribute(attribute: &AttributeTypeAndValue<'_>) -> Result<String, TlsError> {
    let identifier = attribute.attr_type().to_id_string();
    let keyword = KEYWORDS.iter().find(|(known, _)| *known == identifier).map(|(_, keyword)| *keyword);
    let value = attribute.attr_value();
    match (keyword, is_text(value)) {
        (Some(keyword), true) => Ok(format!("{keyword}={}", escape(&String::from_utf8_lossy(value.data)))),
        (Some(keyword), false) => Ok(format!("{keyword}=#{}", hexadecimal(value)?)),
        (None, _) => Ok(format!("{identifier}=#{}", hexadecimal(value)?)),
    }
}

fn is_text(value: &Any<'_>) -> bool {
    matches!(
        value.tag(),
        Tag::PrintableString
            | Tag::Utf8String
            | Tag::T61String
            | Tag::Ia5String
            | Tag::GeneralString
            | Tag::BmpString
            | Tag::UniversalString
    )
}

fn hexadecimal(value: &Any<'_>) -> Result<String, TlsError> {
    let encoded = value.to_der_vec().map_err(|error| TlsError::Certificate(error.to_string()))?;
    Ok(encoded.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn escape(value: &str) -> String {
    let is_blank = |character: char| matches!(character, ' ' | '\r');
    let leading = value.chars().take_while(|character| is_blank(*character)).count();
    let length = value.chars().count();
    let trailing = value.chars().rev().take_while(|character| is_blank(*character)).count();
    let mut escaped = String::with_capacity(value.len());
    for (position, character) in value.chars().enumerate() {
        if character == '\0' {
            escaped.push_str("\\00");
            continue;
        }
        if ESCAPED.contains(character) || position < leading || position >= length - trailing {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, DnType, DnValue, KeyPair};

    const DOMAIN_COMPONENT: &[u64] = &[0, 9, 2342, 19_200_300, 100, 1, 25];
    const USER_ID: &[u64] = &[0, 9, 2342, 19_200_300, 100, 1, 1];

    fn custom(identifier: &[u64]) -> DnType {
        DnType::CustomDnType(identifier.to_vec())
    }

    /// Expected values are those that Java 17 prints for the same names.
    #[track_caller]
    fn check(parts: &[(DnType, DnValue)], expected: &str) {
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name = rcgen::DistinguishedName::new();
        for (kind, value) in parts {
            parameters.distinguished_name.push(kind.clone(), value.clone());
        }
        let certificate = parameters.self_signed(&KeyPair::generate().unwrap()).unwrap();
        assert_eq!(distinguished_name(certificate.der()).unwrap(), expected);
    }

    fn text(value: &str) -> DnValue {
        DnValue::Utf8String(value.to_owned())
    }

    #[test]
    fn names_are_printed_as_java_prints_them() {
        check(
            &[
                (DnType::CountryName, DnValue::PrintableString("US".try_into().unwrap())),
                (DnType::StateOrProvinceName, text("MD")),
                (DnType::LocalityName, text("Fulton")),
                (DnType::OrganizationName, text("mycp")),
                (DnType::OrganizationalUnitName, text("SME")),
                (DnType::CommonName, text("Duke")),
            ],
            "CN=Duke,OU=SME,O=mycp,L=Fulton,ST=MD,C=US",
        );
        check(
            &[
                (custom(DOMAIN_COMPONENT), DnValue::Ia5String("com".try_into().unwrap())),
                (custom(USER_ID), text("alice")),
                (DnType::CommonName, text("Alice")),
            ],
            "CN=Alice,UID=alice,DC=com",
        );
        check(
            &[
                (DnType::CommonName, text("mail")),
                (
                    custom(&[1, 2, 840, 113_549, 1, 9, 1]),
                    DnValue::Ia5String("a@b.example".try_into().unwrap()),
                ),
            ],
            "1.2.840.113549.1.9.1=#160b6140622e6578616d706c65,CN=mail",
        );
        check(&[(custom(&[2, 5, 4, 12]), text("Dr"))], "2.5.4.12=#0c024472");
    }

    #[test]
    fn special_characters_are_escaped_as_java_escapes_them() {
        check(&[(DnType::CommonName, text("Tkac, Adam"))], r"CN=Tkac\, Adam");
        check(&[(DnType::OrganizationName, text("#hash"))], r"O=\#hash");
        check(&[(DnType::CommonName, text(" leading and trailing "))], r"CN=\ leading and trailing\ ");
        check(&[(DnType::CommonName, text("b  b"))], "CN=b  b");
        check(&[(DnType::CommonName, text("Größe"))], "CN=Größe");
        check(&[(DnType::CommonName, text(r#"a+b=c#d;e"f\g<h>i"#))], r#"CN=a\+b\=c\#d\;e\"f\\g\<h\>i"#);
    }

    #[test]
    fn rubbish_is_not_a_certificate() {
        assert!(distinguished_name(&CertificateDer::from(vec![0x30, 0x03, 1, 2, 3])).is_err());
    }
}
