//! RFC 3161 timestamps over a packet's signature, from an authority whose certificates the verifier holds.
//!
//! Much of a timestamp token is signed by nobody: version numbers, algorithm names, further certificates. So a packet
//! holds the token in a form that follows from its five real parts (the content, the signed attributes,
//! the signature, the signer's certificate and the digest algorithm), and every other byte is derived and compared.

use cadastre_model::Timestamp;
use cms::cert::CertificateChoices;
use cms::cert::IssuerAndSerialNumber;
use cms::cert::x509::Certificate;
use cms::cert::x509::attr::Attributes;
use cms::cert::x509::spki::{AlgorithmIdentifierOwned, ObjectIdentifier};
use cms::content_info::{CmsVersion, ContentInfo};
use cms::signed_data::{
    CertificateSet, EncapsulatedContentInfo, SignedData, SignerIdentifier, SignerInfo, SignerInfos,
};
use der::asn1::{OctetString, SetOfVec};
use der::{Any, Decode as _, Tag};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, UnixTime};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert, aws_lc_rs as algorithms};
use x509_tsp::{TimeStampResp, TstInfo};

use crate::error::Failure;

const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
const TST_INFO: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.1.4");
const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");
const CONTENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
const SHA_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const SHA_384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");
const SHA_512: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3");
/// `id-kp-timeStamping` (RFC 5280 §4.2.1.12), the value of its DER encoding.
const TIME_STAMPING: [u8; 8] = [0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x08];

/// Why a timestamp is not taken.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum TimestampError {
    /// The statement asks for one, and there is none.
    #[error("the statement asks for a timestamp, and there is none")]
    Missing,
    /// The statement asks for none, or there is one already.
    #[error("the packet has a timestamp that its statement does not ask for, or has one already")]
    Unexpected,
    /// Nothing to check it with.
    #[error("the packet has a timestamp, and no authority's certificates were given to check it with")]
    NoAuthority,
    /// The authority said no.
    #[error("the timestamp authority refused: {0}")]
    Refused(String),
    /// Not a token, or one with parts that none needs.
    #[error("the timestamp does not decode: {0}")]
    Malformed(&'static str),
    /// It stamps something else.
    #[error("the timestamp is over something other than the packet's signature")]
    OtherContent,
    /// It was not made by the authority.
    #[error("the timestamp was not signed by the certificate it names")]
    BadSignature,
    /// The signer's certificate does not lead to a trusted one, is no timestamping certificate, or had expired.
    #[error("the timestamp's certificate `{subject}` is not trusted at {at}: {reason}")]
    Untrusted {
        /// The signer.
        subject: String,
        /// The time in the token.
        at: Timestamp,
        /// What is wrong.
        reason: String,
    },
    /// The file of certificates does not read.
    #[error("`{0}` holds no certificate in PEM form")]
    NoCertificate(String),
}

impl TimestampError {
    pub(crate) const fn failure(&self) -> Failure {
        match self {
            Self::Missing
            | Self::Unexpected
            | Self::OtherContent
            | Self::BadSignature
            | Self::Malformed(_) => Failure::Verification,
            Self::NoAuthority | Self::Refused(_) | Self::Untrusted { .. } | Self::NoCertificate(_) => {
                Failure::Tool
            }
        }
    }

    pub(crate) const fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Missing => Some("attach the authority's answer to the signature"),
            Self::NoAuthority => Some("give the authority's certificates, or accept an unchecked timestamp"),
            Self::Untrusted { .. } => Some("give the authority's root and intermediate certificates"),
            _ => None,
        }
    }
}

/// A timestamp authority that the caller trusts: every certificate given is a trust anchor.
#[derive(Debug, Clone)]
pub struct TimestampAuthority {
    certificates: Vec<CertificateDer<'static>>,
}

impl TimestampAuthority {
    /// Reads every certificate in PEM text: the root, intermediate ones, or the authority's own.
    ///
    /// # Errors
    /// When there is none, or one does not decode.
    pub fn from_pem(name: &str, text: &[u8]) -> Result<Self, TimestampError> {
        let certificates: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(text)
            .collect::<Result<_, _>>()
            .map_err(|_pem| TimestampError::NoCertificate(name.to_owned()))?;
        let usable = certificates.iter().all(|certificate| anchor_from_trusted_cert(certificate).is_ok());
        if certificates.is_empty() || !usable {
            return Err(TimestampError::NoCertificate(name.to_owned()));
        }
        Ok(Self { certificates })
    }
}

/// A timestamp that was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct VerifiedTimestamp {
    pub(crate) at: Timestamp,
    pub(crate) authority: String,
}

/// What a token is made of.
struct Parts {
    content: Vec<u8>,
    attributes: Attributes,
    signature: Vec<u8>,
    certificate: Certificate,
    digest: ObjectIdentifier,
}

/// Turns an authority's answer (`TimeStampResp`, or the token alone), which must bring the signer's certificate,
/// into the form that a packet holds.
pub(crate) fn normalise(response: &[u8]) -> Result<Vec<u8>, TimestampError> {
    let token = match TimeStampResp::from_der(response) {
        Ok(response) => match response.time_stamp_token {
            Some(token) => token,
            None => return Err(TimestampError::Refused(format!("{:?}", response.status.status))),
        },
        Err(_) => ContentInfo::from_der(response)
            .map_err(|_der| TimestampError::Malformed("neither a response nor a token"))?,
    };
    rebuild(&parts(&token)?)
}

/// Verifies a token in the form that [`normalise`] gives it.
pub(crate) fn verify(
    token: &[u8],
    signature: &[u8],
    authorities: &[TimestampAuthority],
) -> Result<VerifiedTimestamp, TimestampError> {
    let info = ContentInfo::from_der(token).map_err(|_der| TimestampError::Malformed("not a token"))?;
    let parts = parts(&info)?;
    if rebuild(&parts)? != token {
        return Err(TimestampError::Malformed("it has parts that a packet's token does not have"));
    }
    let stamped =
        TstInfo::from_der(&parts.content).map_err(|_der| TimestampError::Malformed("no TSTInfo"))?;
    let imprint = &stamped.message_imprint;
    if hash(imprint.hash_algorithm.oid, signature)? != imprint.hashed_message.as_bytes() {
        return Err(TimestampError::OtherContent);
    }
    check_attributes(&parts)?;
    let seconds = stamped.gen_time.to_unix_duration().as_secs();
    let at = i64::try_from(seconds).ok().and_then(Timestamp::from_seconds);
    let at = at.ok_or(TimestampError::Malformed("a time that cannot be"))?;
    let subject = parts.certificate.tbs_certificate.subject.to_string();
    let untrusted = |error: webpki::Error| TimestampError::Untrusted {
        subject: subject.clone(),
        at,
        reason: reason(&error),
    };
    let certificate = encoded(&parts.certificate)?;
    let certificate = CertificateDer::from(certificate);
    let signer = EndEntityCert::try_from(&certificate).map_err(untrusted)?;
    let message = encoded(&parts.attributes)?;
    let signed = signature_algorithms(parts.digest)?
        .iter()
        .any(|algorithm| signer.verify_signature(*algorithm, &message, &parts.signature).is_ok());
    if !signed {
        return Err(TimestampError::BadSignature);
    }
    let certificates: Vec<&CertificateDer<'static>> =
        authorities.iter().flat_map(|authority| &authority.certificates).collect();
    let anchors = certificates
        .iter()
        .map(|certificate| anchor_from_trusted_cert(certificate))
        .collect::<Result<Vec<_>, _>>()
        .map_err(untrusted)?;
    signer
        .verify_for_usage(
            webpki::ALL_VERIFICATION_ALGS,
            &anchors,
            &[],
            UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds)),
            KeyUsage::required(&TIME_STAMPING),
            None,
            None,
        )
        .map_err(untrusted)?;
    Ok(VerifiedTimestamp { at, authority: subject })
}

/// Why a certificate does not count, in words.
fn reason(error: &webpki::Error) -> String {
    let time = |at: UnixTime| {
        let at = i64::try_from(at.as_secs()).ok().and_then(Timestamp::from_seconds);
        at.map_or_else(|| "a time that cannot be".to_owned(), |at| at.to_string())
    };
    match error {
        webpki::Error::CertExpired { not_after, .. } => format!("it was valid until {}", time(*not_after)),
        webpki::Error::CertNotValidYet { not_before, .. } => {
            format!("it is not valid before {}", time(*not_before))
        }
        webpki::Error::UnknownIssuer => "it leads to none of the certificates that were given".to_owned(),
        webpki::Error::RequiredEkuNotFoundContext(_) => "it is not for timestamps".to_owned(),
        other => format!("it cannot be used ({other})"),
    }
}

fn parts(token: &ContentInfo) -> Result<Parts, TimestampError> {
    let malformed = TimestampError::Malformed;
    if token.content_type != SIGNED_DATA {
        return Err(malformed("not signed data"));
    }
    let signed: SignedData = token.content.decode_as().map_err(|_der| malformed("not signed data"))?;
    let content = signed.encap_content_info.econtent.as_ref().ok_or(malformed("no content"))?;
    let content: OctetString = content.decode_as().map_err(|_der| malformed("content of another kind"))?;
    let [signer] = signed.signer_infos.0.as_slice() else { return Err(malformed("not exactly one signer")) };
    let names_it = |certificate: &&Certificate| match &signer.sid {
        SignerIdentifier::IssuerAndSerialNumber(sid) => {
            sid.issuer == certificate.tbs_certificate.issuer
                && sid.serial_number == certificate.tbs_certificate.serial_number
        }
        SignerIdentifier::SubjectKeyIdentifier(_) => true,
    };
    let certificates = signed.certificates.as_ref().map(|set| set.0.as_slice()).unwrap_or_default();
    let mut candidates = certificates.iter().filter_map(|choice| match choice {
        CertificateChoices::Certificate(certificate) => Some(certificate),
        CertificateChoices::Other(_) => None,
    });
    let certificate = candidates.find(names_it).ok_or(malformed(
        "the signer's certificate is not in it; ask the authority for it (`openssl ts -query -cert`)",
    ))?;
    Ok(Parts {
        content: content.as_bytes().to_vec(),
        attributes: signer.signed_attrs.clone().ok_or(malformed("no signed attributes"))?,
        signature: signer.signature.as_bytes().to_vec(),
        certificate: certificate.clone(),
        digest: signer.digest_alg.oid,
    })
}

/// Makes a token from its parts: CMS SignedData (RFC 5652 §5) with one signer and its certificate.
fn rebuild(parts: &Parts) -> Result<Vec<u8>, TimestampError> {
    let octets =
        |bytes: &[u8]| OctetString::new(bytes).map_err(|_der| TimestampError::Malformed("too large"));
    let digest = AlgorithmIdentifierOwned { oid: parts.digest, parameters: None };
    let too_large = |_: der::Error| TimestampError::Malformed("too large");
    let signer = SignerInfo {
        version: CmsVersion::V1,
        sid: SignerIdentifier::IssuerAndSerialNumber(IssuerAndSerialNumber {
            issuer: parts.certificate.tbs_certificate.issuer.clone(),
            serial_number: parts.certificate.tbs_certificate.serial_number.clone(),
        }),
        digest_alg: digest.clone(),
        signed_attrs: Some(parts.attributes.clone()),
        signature_algorithm: parts.certificate.tbs_certificate.subject_public_key_info.algorithm.clone(),
        signature: octets(&parts.signature)?,
        unsigned_attrs: None,
    };
    let signed = SignedData {
        version: CmsVersion::V3,
        digest_algorithms: SetOfVec::try_from(vec![digest]).map_err(too_large)?,
        encap_content_info: EncapsulatedContentInfo {
            econtent_type: TST_INFO,
            econtent: Some(Any::new(Tag::OctetString, parts.content.as_slice()).map_err(too_large)?),
        },
        certificates: Some(CertificateSet(
            SetOfVec::try_from(vec![CertificateChoices::Certificate(parts.certificate.clone())])
                .map_err(too_large)?,
        )),
        crls: None,
        signer_infos: SignerInfos(SetOfVec::try_from(vec![signer]).map_err(too_large)?),
    };
    let content = Any::encode_from(&signed).map_err(too_large)?;
    encoded(&ContentInfo { content_type: SIGNED_DATA, content })
}

/// The signed attributes must name the kind of content and its digest (RFC 5652 §11).
fn check_attributes(parts: &Parts) -> Result<(), TimestampError> {
    let only = |oid| -> Option<&Any> {
        let attribute = parts.attributes.iter().find(|attribute| attribute.oid == oid)?;
        match attribute.values.as_slice() {
            [value] => Some(value),
            _ => None,
        }
    };
    let kind = only(CONTENT_TYPE).and_then(|value| value.decode_as::<ObjectIdentifier>().ok());
    let digest = only(MESSAGE_DIGEST).and_then(|value| value.decode_as::<OctetString>().ok());
    let fits = kind == Some(TST_INFO)
        && digest.is_some_and(|digest| {
            hash(parts.digest, &parts.content).is_ok_and(|actual| actual == digest.as_bytes())
        });
    if fits { Ok(()) } else { Err(TimestampError::BadSignature) }
}

fn hash(algorithm: ObjectIdentifier, bytes: &[u8]) -> Result<Vec<u8>, TimestampError> {
    let algorithm = match algorithm {
        SHA_256 => &aws_lc_rs::digest::SHA256,
        SHA_384 => &aws_lc_rs::digest::SHA384,
        SHA_512 => &aws_lc_rs::digest::SHA512,
        _ => return Err(TimestampError::Malformed("a digest other than SHA-256, SHA-384 and SHA-512")),
    };
    Ok(aws_lc_rs::digest::digest(algorithm, bytes).as_ref().to_vec())
}

fn signature_algorithms(
    digest: ObjectIdentifier,
) -> Result<Vec<&'static dyn SignatureVerificationAlgorithm>, TimestampError> {
    match digest {
        SHA_256 => Ok(vec![
            algorithms::RSA_PKCS1_2048_8192_SHA256,
            algorithms::ECDSA_P256_SHA256,
            algorithms::ECDSA_P384_SHA256,
        ]),
        SHA_384 => Ok(vec![
            algorithms::RSA_PKCS1_2048_8192_SHA384,
            algorithms::ECDSA_P256_SHA384,
            algorithms::ECDSA_P384_SHA384,
        ]),
        SHA_512 => Ok(vec![algorithms::RSA_PKCS1_2048_8192_SHA512]),
        _ => Err(TimestampError::Malformed("a digest other than SHA-256, SHA-384 and SHA-512")),
    }
}

fn encoded(value: &impl der::Encode) -> Result<Vec<u8>, TimestampError> {
    value.to_der().map_err(|_der| TimestampError::Malformed("it cannot be written again"))
}
