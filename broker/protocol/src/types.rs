//! Topic ids and partitions: the names under which records are addressed.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// A topic's unique id (KIP-516): 128 bits, shown as unpadded URL-safe base64, as Kafka shows it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct TopicId(pub [u8; 16]);

impl TopicId {
    /// The id that stands for "no id" on the wire.
    pub const ZERO: Self = Self([0; 16]);
    /// The id of the cluster metadata topic, `Uuid.METADATA_TOPIC_ID` in Kafka.
    pub const METADATA: Self = Self([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);

    /// The id as it lies on the wire, big endian.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Whether Kafka keeps the id for itself, or its text would begin with a dash and so be read as an
    /// option by command-line tools (`Uuid.randomUuid` draws again in both cases).
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        *self == Self::ZERO || *self == Self::METADATA || self.to_string().starts_with('-')
    }
}

impl fmt::Display for TopicId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for TopicId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "TopicId({self})")
    }
}

/// The text is not a topic id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a topic id: expected 22 characters of URL-safe base64")]
pub struct TopicIdError {
    text: String,
}

impl FromStr for TopicId {
    type Err = TopicIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        URL_SAFE_NO_PAD
            .decode(text)
            .ok()
            .and_then(|bytes| <[u8; 16]>::try_from(bytes).ok())
            .map(Self)
            .ok_or_else(|| TopicIdError { text: text.to_owned() })
    }
}

/// The wire types carry topic ids as `uuid::Uuid`.
impl From<uuid::Uuid> for TopicId {
    fn from(id: uuid::Uuid) -> Self {
        Self(*id.as_bytes())
    }
}

impl From<TopicId> for uuid::Uuid {
    fn from(id: TopicId) -> Self {
        Self::from_bytes(id.0)
    }
}

/// One partition of one topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    /// The topic.
    pub topic: TopicId,
    /// The partition's index, from 0.
    pub partition: i32,
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}", self.topic, self.partition)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topic_ids_read_back_as_they_are_shown() {
        let id = TopicId([0xfb, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0xff]);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(TopicId::ZERO.to_string(), "AAAAAAAAAAAAAAAAAAAAAA");
        assert_eq!(TopicId::METADATA.to_string(), "AAAAAAAAAAAAAAAAAAAAAQ");
        assert!(TopicId([0xfb; 16]).is_reserved(), "its text begins with a dash");
    }

    #[test]
    fn other_text_is_not_a_topic_id() {
        for text in ["", "AAAA", "AAAAAAAAAAAAAAAAAAAAAA==", "not a topic id at all"] {
            assert!(text.parse::<TopicId>().is_err(), "{text}");
        }
    }
}
