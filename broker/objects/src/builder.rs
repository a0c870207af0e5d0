//! Building an object in memory: batches in, sealed bytes out.

use bytes::Bytes;
use cadastre_keys::KeyError;
use cadastre_keys::envelope::TAG_LENGTH;
use cadastre_protocol::record_batch::RecordBatch;
use cadastre_protocol::types::TopicPartition;

use crate::binding::{BlockBinding, index_binding};
use crate::block::{Block, Placement};
use crate::envelope::Envelope;
use crate::error::ObjectError;
use crate::index::{ObjectIndex, encoded_length};
use crate::object_id::{ObjectKind, ObjectName};
use crate::object_keys::{ObjectKey, Sealer};
use crate::trailer::{TRAILER_LENGTH, Trailer};

/// Collects the blocks of one object. Its memory is the size of the object; the caller bounds that by
/// [`ObjectBuilder::size`].
#[derive(Debug)]
pub struct ObjectBuilder {
    envelope: Envelope,
    key: Sealer,
    binding: BlockBinding,
    sealed: Vec<Bytes>,
    blocks: Vec<Block>,
    position: u64,
}

/// A finished object, to be written under its name.
#[derive(Debug, Clone)]
pub struct BuiltObject {
    /// The name it is bound to.
    pub name: ObjectName,
    /// Its bytes, in pieces.
    pub chunks: Vec<Bytes>,
    /// Its size, in bytes.
    pub size: u64,
    /// What it holds.
    pub index: ObjectIndex,
    /// What it says about itself.
    pub envelope: Envelope,
}

impl ObjectBuilder {
    /// Starts an object. `key` must have been made for this very name.
    #[must_use]
    pub fn new(name: ObjectName, created_at_ms: i64, key: ObjectKey) -> Self {
        let binding = BlockBinding::new(&name);
        let envelope = Envelope { name, wrapped_key: key.wrapped, created_at_ms };
        Self { envelope, key: key.sealer, binding, sealed: Vec::new(), blocks: Vec::new(), position: 0 }
    }

    /// Size of the object if it were finished now, in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        let tail = encoded_length(self.blocks.len()).saturating_add(TAG_LENGTH + TRAILER_LENGTH + 2048);
        self.position.saturating_add(tail as u64)
    }

    /// How many batches it holds.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.blocks.len()
    }

    /// Whether it holds nothing, and so cannot be finished.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// Adds a batch: sorted by partition, then by offset where that is known. In `mixed` and `partition` objects
    /// the batch bears its offset and leader epoch.
    ///
    /// # Errors
    /// [`ObjectError::Key`] when sealing fails. That order and kind suit each other is checked at the end.
    pub fn push(
        &mut self,
        partition: TopicPartition,
        batch: &RecordBatch,
        appended_at_ms: i64,
    ) -> Result<(), ObjectError> {
        let placement = match self.envelope.name.kind {
            ObjectKind::Wal => Placement::AssignedLater,
            ObjectKind::Mixed | ObjectKind::Partition => Placement::Known {
                base_offset: batch.base_offset(),
                leader_epoch: batch.partition_leader_epoch(),
            },
        };
        let number =
            u32::try_from(self.blocks.len()).map_err(|_count| self.unbuildable("too many batches"))?;
        let mut block = Block::of(partition, batch, placement, appended_at_ms);
        let mut buffer = Vec::with_capacity(batch.size().saturating_add(TAG_LENGTH));
        buffer.extend_from_slice(batch.bytes());
        let tag = self
            .key
            .seal(&self.binding.of(number, &block), &mut buffer)
            .map_err(|source| key_error(&self.envelope.name, source))?;
        buffer.extend_from_slice(&tag);
        block.position = self.position;
        block.length =
            u32::try_from(buffer.len()).map_err(|_length| self.unbuildable("a batch is over 4 GiB"))?;
        self.position = block.end_position();
        self.blocks.push(block);
        self.sealed.push(Bytes::from(buffer));
        Ok(())
    }

    /// Seals the index and closes the object.
    ///
    /// # Errors
    /// [`ObjectError::Unbuildable`] when it is empty or what was pushed was out of order; [`ObjectError::Key`].
    pub fn finish(mut self) -> Result<BuiltObject, ObjectError> {
        let name = self.envelope.name.clone();
        let unbuildable = |reason| ObjectError::Unbuildable { name: Box::new(name.clone()), reason };
        let blocks = std::mem::take(&mut self.blocks);
        let block_count = u32::try_from(blocks.len()).map_err(|_count| unbuildable("too many batches"))?;
        let index = ObjectIndex::new(name.kind, blocks).map_err(|error| unbuildable(error.0))?;
        let envelope = self.envelope.encode().map_err(|error| unbuildable(error.0))?;
        let mut sealed_index = index.encode().map_err(|error| unbuildable(error.0))?;
        let length =
            |length: usize| u32::try_from(length).map_err(|_length| unbuildable("the index is over 4 GiB"));
        let trailer = Trailer {
            blocks_length: index.blocks_length(),
            index_length: length(sealed_index.len().saturating_add(TAG_LENGTH))?,
            envelope_length: length(envelope.len())?,
            block_count,
            envelope_checksum: crc32c::crc32c(&envelope),
        };
        let encoded_trailer = trailer.encode();
        let tag = self
            .key
            .seal(&index_binding(&envelope, &encoded_trailer), &mut sealed_index)
            .map_err(|source| key_error(&name, source))?;
        sealed_index.extend_from_slice(&tag);
        sealed_index.extend_from_slice(&envelope);
        sealed_index.extend_from_slice(&encoded_trailer);
        let size = self.position.saturating_add(sealed_index.len() as u64);
        let mut chunks = self.sealed;
        chunks.push(Bytes::from(sealed_index));
        Ok(BuiltObject { name, chunks, size, index, envelope: self.envelope })
    }

    fn unbuildable(&self, reason: &'static str) -> ObjectError {
        ObjectError::Unbuildable { name: Box::new(self.envelope.name.clone()), reason }
    }
}

fn key_error(name: &ObjectName, source: KeyError) -> ObjectError {
    ObjectError::Key { name: Box::new(name.clone()), source }
}
