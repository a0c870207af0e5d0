//! An object whose end was read: its index authenticated, its blocks ready to be opened.

use bytes::Bytes;
use cadastre_keys::envelope::TAG_LENGTH;
use cadastre_keys::{HandleOpenError, KeyError, WrappedKey};
use cadastre_protocol::record_batch::RecordBatch;

use crate::binding::{BlockBinding, index_binding};
use crate::block::Block;
use crate::damage::{Damage, Region};
use crate::envelope::Envelope;
use crate::error::ObjectError;
use crate::index::{ObjectIndex, encoded_length};
use crate::object_id::ObjectName;
use crate::object_keys::Opener;
use crate::trailer::{FORMAT_VERSION, TRAILER_LENGTH, Trailer, TrailerDefect};

/// The end of an object, before anything in it is believed.
#[derive(Debug)]
pub(crate) struct UncheckedTail {
    trailer: Trailer,
    encoded_trailer: [u8; TRAILER_LENGTH],
    size: u64,
}

/// The end of an object with a plausible envelope: enough to ask for its key.
#[derive(Debug)]
pub(crate) struct SealedTail {
    pub(crate) envelope: Envelope,
    encoded_envelope: Bytes,
    tail: UncheckedTail,
    sealed_index: Bytes,
}

/// An authentic index, and what is needed to open the blocks it lists; the key apart.
#[derive(Debug)]
pub struct OpenedObject {
    envelope: Envelope,
    index: ObjectIndex,
    binding: BlockBinding,
    size: u64,
}

impl UncheckedTail {
    /// Reads the trailer at the end of `suffix`, the last bytes of an object of `size` bytes.
    pub(crate) fn read(name: &ObjectName, suffix: &Bytes, size: u64) -> Result<Self, ObjectError> {
        let damaged = |what| ObjectError::from(Damage::of(name, Region::Trailer, what));
        let encoded_trailer: [u8; TRAILER_LENGTH] =
            *suffix.last_chunk().ok_or_else(|| damaged("is cut off"))?;
        let trailer = match Trailer::decode(&encoded_trailer, size) {
            Ok(trailer) => trailer,
            Err(TrailerDefect::Damaged(what)) => return Err(damaged(what)),
            Err(TrailerDefect::Newer(version)) => {
                return Err(ObjectError::NewerFormat {
                    name: Box::new(name.clone()),
                    version,
                    newest_known: FORMAT_VERSION,
                });
            }
        };
        let blocks = trailer.block_count as usize;
        if (trailer.index_length as usize) != encoded_length(blocks).saturating_add(TAG_LENGTH) {
            return Err(damaged("has an impossible length of the index"));
        }
        Ok(Self { trailer, encoded_trailer, size })
    }

    /// How many of the object's last bytes are needed.
    pub(crate) fn length(&self) -> u64 {
        u64::from(self.trailer.tail_length())
    }

    /// Takes index and envelope out of at least [`UncheckedTail::length`] last bytes.
    pub(crate) fn with_bytes(self, name: &ObjectName, suffix: &Bytes) -> Result<SealedTail, ObjectError> {
        let damaged = |region, what| ObjectError::from(Damage::of(name, region, what));
        let length = self.trailer.tail_length() as usize;
        let start = suffix
            .len()
            .checked_sub(length)
            .ok_or_else(|| damaged(Region::Trailer, "promises more than there is"))?;
        let mut tail = suffix.slice(start..);
        let sealed_index = tail.split_to(self.trailer.index_length as usize);
        let encoded_envelope = tail.split_to(self.trailer.envelope_length as usize);
        if crc32c::crc32c(&encoded_envelope) != self.trailer.envelope_checksum {
            return Err(damaged(Region::Envelope, "has a wrong checksum"));
        }
        let envelope =
            Envelope::decode(&encoded_envelope).map_err(|error| damaged(Region::Envelope, error.0))?;
        if envelope.name != *name {
            return Err(damaged(Region::Envelope, "belongs to another object"));
        }
        Ok(SealedTail { envelope, encoded_envelope, tail: self, sealed_index })
    }
}

impl SealedTail {
    /// Authenticates the index, and with it every plain byte.
    pub(crate) fn open(self, key: &Opener) -> Result<OpenedObject, ObjectError> {
        let name = &self.envelope.name;
        let damaged = |what| ObjectError::from(Damage::of(name, Region::Index, what));
        let number = u64::from(self.tail.trailer.block_count);
        let additional_data = index_binding(&self.encoded_envelope, &self.tail.encoded_trailer);
        let mut buffer = self.sealed_index.to_vec();
        let plain = key.open(number, &additional_data, &mut buffer).map_err(|error| match error {
            HandleOpenError::Open(_) => damaged("does not authenticate"),
            HandleOpenError::Expired => expired(name),
        })?;
        let index = ObjectIndex::decode(name.kind, plain).map_err(|error| damaged(error.0))?;
        if index.blocks().len() as u64 != number || index.blocks_length() != self.tail.trailer.blocks_length {
            return Err(damaged("contradicts the trailer"));
        }
        let binding = BlockBinding::new(name);
        Ok(OpenedObject { envelope: self.envelope, index, binding, size: self.tail.size })
    }
}

impl OpenedObject {
    /// The object's name.
    #[must_use]
    pub const fn name(&self) -> &ObjectName {
        &self.envelope.name
    }

    /// The data key as it stands in the object; the manifest may know a newer wrapping.
    #[must_use]
    pub const fn wrapped_key(&self) -> &WrappedKey {
        &self.envelope.wrapped_key
    }

    /// What the object says about itself.
    #[must_use]
    pub const fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// What it holds.
    #[must_use]
    pub const fn index(&self) -> &ObjectIndex {
        &self.index
    }

    /// Its size, in bytes.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Memory that it takes, in bytes.
    #[must_use]
    pub fn weight(&self) -> u64 {
        self.index.weight().saturating_add(1024)
    }

    /// Opens one block; what comes out has been authenticated, parsed, and compared with the index. The outer error
    /// is a lease that ended meanwhile.
    pub(crate) fn open_block(
        &self,
        key: &Opener,
        number: u32,
        block: &Block,
        sealed: &[u8],
    ) -> Result<Result<RecordBatch, Damage>, ObjectError> {
        let damaged = |what| Damage::of_block(self.name(), number, block, what);
        let mut buffer = sealed.to_vec();
        let opened = key.open(u64::from(number), &self.binding.of(number, block), &mut buffer);
        let length = match opened {
            Ok(plain) => plain.len(),
            Err(HandleOpenError::Open(_)) => return Ok(Err(damaged("does not authenticate"))),
            // Says nothing about the bytes.
            Err(HandleOpenError::Expired) => return Err(expired(self.name())),
        };
        buffer.truncate(length);
        let mut bytes = Bytes::from(buffer);
        let Ok(batch) = RecordBatch::parse(&mut bytes) else {
            return Ok(Err(damaged("is no record batch")));
        };
        if !bytes.is_empty() || !block.describes(&batch) {
            return Ok(Err(damaged("is not the batch that the index describes")));
        }
        Ok(Ok(batch))
    }
}

fn expired(name: &ObjectName) -> ObjectError {
    ObjectError::Key { name: Box::new(name.clone()), source: KeyError::Expired }
}
