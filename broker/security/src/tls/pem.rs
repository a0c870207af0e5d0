//! PEM sections, read as leniently as Kafka reads them: text around them is skipped and line breaks do not matter,
//! because a property often holds a whole file in one line.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use pkcs8::EncryptedPrivateKeyInfoRef;
use rustls_pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer,
};
use zeroize::Zeroizing;

use super::error::{StoreName, TlsError};

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";

struct Section<'a> {
    label: &'a str,
    content: Zeroizing<Vec<u8>>,
}

fn sections<'a>(text: &'a str, store: &StoreName) -> Result<Vec<Section<'a>>, TlsError> {
    let invalid = |reason| TlsError::Pem { store: store.clone(), reason };
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((_, after_begin)) = rest.split_once(BEGIN) {
        let (label, body) =
            after_begin.split_once(DASHES).ok_or_else(|| invalid("a section has no label"))?;
        let (body, after_end) = body.split_once(END).ok_or_else(|| invalid("a section has no end"))?;
        let after_end = after_end
            .strip_prefix(label)
            .and_then(|after_label| after_label.strip_prefix(DASHES))
            .ok_or_else(|| invalid("a section ends with another label than it begins with"))?;
        if body.contains("Proc-Type:") {
            return Err(invalid("the private key is encrypted in the legacy format of OpenSSL"));
        }
        let encoded: Zeroizing<String> =
            Zeroizing::new(body.chars().filter(|character| !character.is_whitespace()).collect());
        let content =
            BASE64.decode(encoded.as_bytes()).ok().ok_or_else(|| invalid("a section is not base64"))?;
        found.push(Section { label, content: Zeroizing::new(content) });
        rest = after_end;
    }
    Ok(found)
}

/// Every certificate in the text, in order.
pub(super) fn certificates(text: &str, store: &StoreName) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let sections = sections(text, store)?;
    let certificates = sections.iter().filter(|section| section.label == "CERTIFICATE");
    Ok(certificates.map(|section| CertificateDer::from(section.content.to_vec())).collect())
}

/// The one private key in the text, decrypted when need be.
pub(super) fn private_key(
    text: &str,
    password: Option<&str>,
    store: &StoreName,
) -> Result<PrivateKeyDer<'static>, TlsError> {
    let sections = sections(text, store)?;
    let mut keys = sections.iter().filter(|section| section.label.ends_with("PRIVATE KEY"));
    let key = keys.next().ok_or_else(|| TlsError::NoPrivateKey(store.clone()))?;
    if keys.next().is_some() {
        return Err(TlsError::SeveralPrivateKeys(store.clone()));
    }
    let content = || key.content.to_vec();
    match key.label {
        "PRIVATE KEY" => Ok(PrivatePkcs8KeyDer::from(content()).into()),
        "RSA PRIVATE KEY" => Ok(PrivatePkcs1KeyDer::from(content()).into()),
        "EC PRIVATE KEY" => Ok(PrivateSec1KeyDer::from(content()).into()),
        "ENCRYPTED PRIVATE KEY" => decrypt(&key.content, password)
            .map(PrivateKeyDer::from)
            .ok_or_else(|| TlsError::KeyPassword(store.clone())),
        _ => Err(TlsError::Pem { store: store.clone(), reason: "the private key is of an unknown kind" }),
    }
}

fn decrypt(encrypted: &[u8], password: Option<&str>) -> Option<PrivatePkcs8KeyDer<'static>> {
    let key = EncryptedPrivateKeyInfoRef::try_from(encrypted).ok()?.decrypt(password?.as_bytes()).ok()?;
    Some(PrivatePkcs8KeyDer::from(key.as_bytes().to_vec()))
}
