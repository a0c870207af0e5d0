//! State changes other than records: what a frame of commands holds.

use serde::{Deserialize, Serialize};

use crate::metadata_kind::MetadataChange;
use crate::packed::PackedObject;
use cadastre_objects::codec::CodecError;

/// One change of the log's state. The order of variants and fields is part of the format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Command {
    /// A metadata entry is set or deleted.
    Metadata(MetadataChange),
    /// The topic has `count` partitions from now on, those before included.
    CreatePartitions { topic: [u8; 16], count: i32 },
    /// The topic and its records are gone.
    DeleteTopic { topic: [u8; 16] },
    /// Records before `offset` are gone.
    MoveLogStart { topic: [u8; 16], partition: i32, offset: i64 },
    /// Producer ids below `next` may have been handed out.
    ReserveProducerIds { next: i64 },
    /// From now on records are appended under this leader epoch.
    LeaderEpoch { epoch: i32 },
    /// Segments that existed and are about to be deleted.
    ForgetSegments { ids: Vec<u64> },
    /// Producers that wrote nothing for long are forgotten by a partition.
    ExpireProducers { topic: [u8; 16], partition: i32, producer_ids: Vec<i64> },
    /// Records moved into a durable object. Since format version 2.
    AddObject(PackedObject),
    /// Objects of which no record can be read any more, about to be deleted. Since format version 2.
    RemoveObjects { ids: Vec<(u64, u64)> },
    /// A durable object of one partition takes the place of all its shares between the new one's bounds. Since format
    /// version 4.
    ReplaceShares(PackedObject),
}

/// The body of a frame of commands.
pub(crate) fn encode_commands(commands: &[Command]) -> Result<Vec<u8>, CodecError> {
    postcard::to_allocvec(commands).map_err(|_unbounded| CodecError("commands"))
}

/// Reads the body of a frame of commands.
pub(crate) fn decode_commands(bytes: &[u8]) -> Result<Vec<Command>, CodecError> {
    match postcard::take_from_bytes(bytes) {
        Ok((commands, [])) => Ok(commands),
        Ok(_) | Err(_) => Err(CodecError("commands")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata_kind::MetadataKind;

    fn samples() -> Vec<Command> {
        let change = |value| MetadataChange { kind: MetadataKind::Acl, key: "k".to_owned(), value };
        vec![
            Command::Metadata(change(Some(vec![1, 2, 3]))),
            Command::Metadata(change(None)),
            Command::CreatePartitions { topic: [1; 16], count: 3 },
            Command::DeleteTopic { topic: [2; 16] },
            Command::MoveLogStart { topic: [3; 16], partition: 1, offset: i64::MAX },
            Command::ReserveProducerIds { next: 1000 },
            Command::LeaderEpoch { epoch: 1 },
            Command::ForgetSegments { ids: vec![1, 2] },
            Command::ExpireProducers { topic: [3; 16], partition: 1, producer_ids: vec![7] },
            Command::AddObject(PackedObject { id: (1, 2), size: 3, shares: Vec::new() }),
            Command::RemoveObjects { ids: vec![(1, 2)] },
            Command::ReplaceShares(PackedObject { id: (1, 3), size: 3, shares: Vec::new() }),
        ]
    }

    #[test]
    fn commands_read_back_and_leave_nothing_over() {
        let bytes = encode_commands(&samples()).unwrap();
        assert_eq!(decode_commands(&bytes), Ok(samples()));
        assert!(decode_commands(&bytes[..bytes.len() - 1]).is_err());
        assert!(decode_commands(&[bytes.as_slice(), &[0]].concat()).is_err());
    }

    /// The format on disk: a change here needs a new format version.
    #[test]
    fn the_encoding_does_not_change() {
        let shape: Vec<u8> = samples()
            .iter()
            .map(|command| encode_commands(std::slice::from_ref(command)).unwrap()[1])
            .collect();
        assert_eq!(shape, [0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        let kinds: Vec<u8> =
            MetadataKind::ALL.iter().map(|kind| postcard::to_allocvec(kind).unwrap()[0]).collect();
        assert_eq!(kinds, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
    }

    #[test]
    fn values_do_not_show_in_debug_output() {
        assert!(!format!("{:?}", samples()).contains("1, 2, 3"), "{:?}", samples());
    }
}
