//! Key stores and trust stores: PEM files and values, and PKCS#12 files as written by `keytool` and by OpenSSL.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use p12_keystore::{CertificateBag, Pkcs12Archive, PrivateKeyBag};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use zeroize::Zeroizing;

use super::error::{StoreName, TlsError};
use super::pem;

/// The largest file read, in bytes.
const MAXIMUM_BYTES: u64 = 16 << 20;

/// What a store of Java's own format starts with.
const JKS_MAGIC: [u8; 4] = [0xfe, 0xed, 0xfe, 0xed];

/// The same, for the JCEKS variant.
const JCEKS_MAGIC: [u8; 4] = [0xce, 0xce, 0xce, 0xce];

/// The longest chain that a store may hold.
const MAXIMUM_CHAIN: usize = 16;

/// A private key with its certificates, the key's own first.
pub(super) struct Identity {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
}

impl Identity {
    /// From PEM text that holds both, or from a key and a chain apart.
    pub(super) fn from_pem(
        (key, key_store): (&str, &StoreName),
        (chain, chain_store): (&str, &StoreName),
        password: Option<&str>,
    ) -> Result<Self, TlsError> {
        let key = pem::private_key(key, password, key_store)?;
        let chain = pem::certificates(chain, chain_store)?;
        if chain.is_empty() {
            return Err(TlsError::NoCertificate(chain_store.clone()));
        }
        Ok(Self { chain, key })
    }

    /// From a PKCS#12 file. With several keys the first alias counts, as alphabetical order has it.
    pub(super) fn from_pkcs12(path: &Path, password: &str) -> Result<Self, TlsError> {
        let (store, archive) = open_pkcs12(path, password)?;
        let mut keys: Vec<&PrivateKeyBag> = archive.keys.iter().collect();
        keys.sort_by(|left, right| left.friendly_name.cmp(&right.friendly_name));
        let key = *keys.first().ok_or_else(|| TlsError::NoPrivateKey(store.clone()))?;
        let own = certificate_of(key, &archive).ok_or(TlsError::NoCertificate(store))?;
        Ok(Self {
            chain: chain_from(own, &archive.certs),
            key: PrivatePkcs8KeyDer::from(key.key.as_der().to_vec()).into(),
        })
    }
}

/// The certificate that shares the key's local id, or the only certificate there is when the key has none.
fn certificate_of<'a>(key: &PrivateKeyBag, archive: &'a Pkcs12Archive) -> Option<&'a CertificateBag> {
    let by_id = key.local_key_id.as_ref().and_then(|id| {
        archive.certs.iter().find(|bag| bag.local_key_id.as_ref().is_some_and(|other| other == id.as_ref()))
    });
    by_id.or(match archive.certs.as_slice() {
        [only] => Some(only),
        _ => None,
    })
}

/// Follows issuers within the store; a self-signed certificate ends the chain.
fn chain_from(own: &CertificateBag, certificates: &[CertificateBag]) -> Vec<CertificateDer<'static>> {
    let mut chain = vec![own];
    let mut last = own;
    while chain.len() < MAXIMUM_CHAIN && last.cert.issuer() != last.cert.subject() {
        let is_next = |bag: &&CertificateBag| {
            bag.cert.subject() == last.cert.issuer()
                && !bag.trusted
                && !chain.iter().any(|seen| seen.cert.as_der() == bag.cert.as_der())
        };
        let Some(next) = certificates.iter().find(is_next) else { break };
        chain.push(next);
        last = next;
    }
    chain.into_iter().map(|bag| CertificateDer::from(bag.cert.as_der().to_vec())).collect()
}

/// The certificates that Java would trust: those marked so, whatever else the store holds.
pub(super) fn trusted_from_pkcs12(
    path: &Path,
    password: &str,
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let (store, archive) = open_pkcs12(path, password)?;
    let trusted: Vec<_> = archive
        .certs
        .iter()
        .filter(|bag| bag.trusted)
        .map(|bag| CertificateDer::from(bag.cert.as_der().to_vec()))
        .collect();
    if trusted.is_empty() { Err(TlsError::NothingTrusted(store)) } else { Ok(trusted) }
}

/// Every certificate of a PEM text.
pub(super) fn trusted_from_pem(
    text: &str,
    store: &StoreName,
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let trusted = pem::certificates(text, store)?;
    if trusted.is_empty() { Err(TlsError::NothingTrusted(store.clone())) } else { Ok(trusted) }
}

fn open_pkcs12(path: &Path, password: &str) -> Result<(StoreName, Pkcs12Archive), TlsError> {
    let store = StoreName::File(path.to_owned());
    let content = read(path)?;
    if content.starts_with(&JKS_MAGIC) || content.starts_with(&JCEKS_MAGIC) {
        return Err(TlsError::JavaKeyStore(store));
    }
    let archive = Pkcs12Archive::from_pkcs12(&content, password)
        .map_err(|error| TlsError::Pkcs12 { store: store.clone(), reason: error.to_string() })?;
    Ok((store, archive))
}

/// Reads a PEM file.
pub(super) fn read_text(path: &Path) -> Result<Zeroizing<String>, TlsError> {
    let content = read(path)?;
    match str::from_utf8(&content) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => Err(TlsError::Pem { store: StoreName::File(path.to_owned()), reason: "it is not text" }),
    }
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, TlsError> {
    let unreadable = |source| TlsError::Read { path: path.to_owned(), source };
    let mut content = Zeroizing::new(Vec::new());
    File::open(path)
        .and_then(|file| file.take(MAXIMUM_BYTES + 1).read_to_end(&mut content))
        .map_err(unreadable)?;
    if content.len() as u64 > MAXIMUM_BYTES { Err(TlsError::TooLarge(path.to_owned())) } else { Ok(content) }
}
