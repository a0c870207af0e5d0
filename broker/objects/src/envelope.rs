//! The plain part of an object: whose it is, and its wrapped data key. The sealed index authenticates it.

use cadastre_keys::WrappedKey;

use crate::codec::{CodecError, FieldReader, put_short_bytes};
use crate::object_id::{ObjectId, ObjectKind, ObjectName};

/// What an object says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// Cluster, kind and id.
    pub name: ObjectName,
    /// The data key as it was when the object was written.
    pub wrapped_key: WrappedKey,
    /// When the object was built, milliseconds since the epoch.
    pub created_at_ms: i64,
}

impl Envelope {
    pub(crate) fn encode(&self) -> Result<Vec<u8>, CodecError> {
        let mut bytes = Vec::new();
        put_short_bytes(&mut bytes, self.name.cluster_id.as_bytes())?;
        put_short_bytes(&mut bytes, self.wrapped_key.key_id.as_bytes())?;
        put_short_bytes(&mut bytes, &self.wrapped_key.ciphertext)?;
        bytes.extend_from_slice(&self.name.id.to_bytes());
        bytes.push(self.name.kind.code());
        bytes.extend_from_slice(&self.created_at_ms.to_be_bytes());
        Ok(bytes)
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let mut fields = FieldReader::new(bytes, "envelope");
        let cluster_id = fields.short_text()?;
        let key_id = fields.short_text()?;
        let ciphertext = fields.short_bytes()?.to_vec();
        let id = ObjectId::from_bytes(fields.array()?);
        let kind = ObjectKind::from_code(fields.u8()?).ok_or(CodecError("envelope: kind of object"))?;
        let created_at_ms = fields.i64()?;
        fields.end()?;
        Ok(Self {
            name: ObjectName { cluster_id, kind, id },
            wrapped_key: WrappedKey { key_id, ciphertext },
            created_at_ms,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_envelope_reads_back_and_leaves_nothing_over() {
        let id = ObjectId { writer_epoch: 1, sequence: 2 };
        let envelope = Envelope {
            name: ObjectName { cluster_id: "c".to_owned(), kind: ObjectKind::Wal, id },
            wrapped_key: WrappedKey { key_id: "k".to_owned(), ciphertext: vec![1, 2, 3] },
            created_at_ms: 5,
        };
        let bytes = envelope.encode().unwrap();
        assert_eq!(Envelope::decode(&bytes), Ok(envelope));
        assert!(Envelope::decode(&bytes[..bytes.len() - 1]).is_err());
        assert!(Envelope::decode(&[bytes.as_slice(), &[0]].concat()).is_err());
    }
}
