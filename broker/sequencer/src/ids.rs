//! Names of things that never repeat: registrations of brokers, and objects.

use std::fmt;

/// One registration of one broker. A broker that registers again gets a higher one, and the one before is fenced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct BrokerEpoch(pub i64);

impl fmt::Display for BrokerEpoch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// The name of one object: who may commit it, and a number that counts up within that epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId {
    /// The registration under which the object was made.
    pub epoch: BrokerEpoch,
    /// Counts up from 0 within the epoch.
    pub number: u64,
}

impl ObjectId {
    /// Epoch and number, each 8 bytes, big endian.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        let (epoch, number) = bytes.split_at_mut(8);
        epoch.copy_from_slice(&self.epoch.0.to_be_bytes());
        number.copy_from_slice(&self.number.to_be_bytes());
        bytes
    }

    /// What [`ObjectId::to_bytes`] gave.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        let (epoch, number) = bytes.split_at(8);
        let word = |half: &[u8]| <[u8; 8]>::try_from(half).unwrap_or_default();
        Self { epoch: BrokerEpoch(i64::from_be_bytes(word(epoch))), number: u64::from_be_bytes(word(number)) }
    }
}

impl fmt::Display for ObjectId {
    /// 32 hexadecimal digits, so that names sort as ids do.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016x}{:016x}", self.epoch.0, self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn object_ids_read_back_and_sort_as_they_are_written() {
        let id = ObjectId { epoch: BrokerEpoch(7), number: 300 };
        assert_eq!(ObjectId::from_bytes(id.to_bytes()), id);
        assert_eq!(id.to_string(), "0000000000000007000000000000012c");
        let later = ObjectId { epoch: BrokerEpoch(7), number: 301 };
        assert!(id < later && id.to_string() < later.to_string() && id.to_bytes() < later.to_bytes());
    }
}
