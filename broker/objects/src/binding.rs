//! What each sealed part is bound to: the additional data of AES-256-GCM.

use crate::block::Block;
use crate::object_id::ObjectName;
use crate::trailer::{FORMAT_VERSION, TRAILER_LENGTH};

const BLOCK_DOMAIN: &[u8] = b"cadastre object block v1";
const INDEX_DOMAIN: &[u8] = b"cadastre object index v1";

/// The part of the additional data that all blocks of an object share.
#[derive(Debug, Clone)]
pub(crate) struct BlockBinding {
    prefix: Vec<u8>,
}

impl BlockBinding {
    pub(crate) fn new(name: &ObjectName) -> Self {
        let mut prefix = BLOCK_DOMAIN.to_vec();
        prefix.extend_from_slice(&FORMAT_VERSION.to_be_bytes());
        prefix.extend_from_slice(&(name.cluster_id.len() as u64).to_be_bytes());
        prefix.extend_from_slice(name.cluster_id.as_bytes());
        prefix.extend_from_slice(&name.id.to_bytes());
        prefix.push(name.kind.code());
        Self { prefix }
    }

    /// For block `number`.
    pub(crate) fn of(&self, number: u32, block: &Block) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.prefix.len().saturating_add(40));
        bytes.extend_from_slice(&self.prefix);
        bytes.extend_from_slice(&number.to_be_bytes());
        block.put_place(&mut bytes);
        bytes
    }
}

/// For the index: every plain byte of the object. The trailer has a fixed length and the envelope's stands in it.
pub(crate) fn index_binding(envelope: &[u8], trailer: &[u8; TRAILER_LENGTH]) -> Vec<u8> {
    [INDEX_DOMAIN, trailer.as_slice(), envelope].concat()
}
