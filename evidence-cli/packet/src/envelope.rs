//! The DSSE envelope: a payload, its type, and one signature over both.
//!
//! Source: the DSSE protocol and envelope specifications, version 1.0.2.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::canonical;
use crate::error::PacketError;
use crate::key::{PublicKey, SignatureAlgorithm};
use crate::signer::Signer;

/// The payload type of in-toto statements.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    payload: String,
    #[serde(rename = "payloadType")]
    payload_type: String,
    signatures: [WrittenSignature; 1],
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenSignature {
    keyid: String,
    sig: String,
}

/// An envelope whose signature nobody has checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Envelope {
    pub(crate) payload: Vec<u8>,
    pub(crate) key_id: String,
    pub(crate) signature: Vec<u8>,
}

impl Envelope {
    /// Signs a payload.
    pub(crate) fn sign(payload: Vec<u8>, signer: &dyn Signer) -> Result<Self, PacketError> {
        let message = pre_authentication_encoding(&payload);
        let key = signer.public_key();
        let signature =
            signer.sign(&message).map_err(|source| PacketError::Signer { key_id: key.id(), source })?;
        let envelope = Self { payload, key_id: key.id(), signature };
        // A signer that answers for another key than it names must not get into a packet.
        envelope.verify(std::slice::from_ref(key))?;
        Ok(envelope)
    }

    /// The envelope as canonical JSON.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, PacketError> {
        canonical::to_vec(&Written {
            payload: STANDARD.encode(&self.payload),
            payload_type: PAYLOAD_TYPE.to_owned(),
            signatures: [WrittenSignature {
                keyid: self.key_id.clone(),
                sig: STANDARD.encode(&self.signature),
            }],
        })
    }

    /// Reads an envelope, and refuses every spelling but the one that [`Envelope::encode`] writes.
    pub(crate) fn decode(file: &str, bytes: &[u8]) -> Result<Self, PacketError> {
        let written: Written = canonical::from_slice(file, bytes)?;
        let base64 = |text: &str| {
            STANDARD.decode(text).map_err(|source| {
                PacketError::Mismatch(format!("`{file}` holds base64 that does not decode: {source}"))
            })
        };
        if written.payload_type != PAYLOAD_TYPE {
            return Err(PacketError::Mismatch(format!(
                "`{file}` has payload type `{}`, and a packet's is `{PAYLOAD_TYPE}`",
                written.payload_type.escape_debug()
            )));
        }
        let [signature] = &written.signatures;
        Ok(Self {
            payload: base64(&written.payload)?,
            key_id: signature.keyid.clone(),
            signature: base64(&signature.sig)?,
        })
    }

    /// Finds the key that made the signature.
    pub(crate) fn verify<'k>(
        &self,
        keys: &'k [PublicKey],
    ) -> Result<(&'k PublicKey, SignatureAlgorithm), PacketError> {
        let key = keys.iter().find(|key| key.id() == self.key_id).ok_or_else(|| PacketError::WrongKey {
            signed_by: self.key_id.escape_debug().take(80).collect(),
            given: keys.iter().map(PublicKey::id).collect(),
        })?;
        let message = pre_authentication_encoding(&self.payload);
        let algorithm = key
            .verify(&message, &self.signature)
            .ok_or_else(|| PacketError::BadSignature { key_id: key.id() })?;
        Ok((key, algorithm))
    }
}

/// What is signed: `DSSEv1`, then length and bytes of type and payload, apart by spaces.
#[must_use]
pub fn pre_authentication_encoding(payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!("DSSEv1 {} {PAYLOAD_TYPE} {} ", PAYLOAD_TYPE.len(), payload.len()).into_bytes();
    bytes.extend(payload);
    bytes
}
