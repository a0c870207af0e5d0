//! Names of objects: which cluster, which kind, who wrote it and when in its life. No topic, no offset.

use std::fmt;
use std::str::FromStr;

use cadastre_keys::{EncryptionContext, context};
use object_store::path::{Path, PathPart};

use crate::trailer::FORMAT_VERSION;

/// The folder of everything that the sweep looks at.
const ROOT: &str = "data";

/// An object's id: unique in a cluster, since an epoch is given to one writer, once, and the writer counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId {
    /// The writer's epoch; tells the sweep whether the writer may still be at work.
    pub writer_epoch: u64,
    /// The number of the object in the epoch.
    pub sequence: u64,
}

impl ObjectId {
    /// Both numbers, big endian.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        ((u128::from(self.writer_epoch) << 64) | u128::from(self.sequence)).to_be_bytes()
    }

    /// The reverse of [`ObjectId::to_bytes`].
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        let both = u128::from_be_bytes(bytes);
        #[expect(clippy::cast_possible_truncation, reason = "the two halves of 128 bits")]
        Self { writer_epoch: (both >> 64) as u64, sequence: both as u64 }
    }

    /// Two hexadecimal digits that spread names over prefixes of the bucket.
    fn spread(self) -> String {
        format!("{:02x}", crc32c::crc32c(&self.to_bytes()) & 0xff)
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016x}-{:016x}", self.writer_epoch, self.sequence)
    }
}

/// The text is not an object id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an object id: expected two numbers of 16 hexadecimal digits, joined by a dash")]
pub struct ObjectIdError {
    text: String,
}

impl FromStr for ObjectId {
    type Err = ObjectIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = |digits: &str| {
            let sound =
                digits.len() == 16 && digits.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'));
            if sound { u64::from_str_radix(digits, 16).ok() } else { None }
        };
        text.split_once('-')
            .and_then(|(epoch, sequence)| {
                Some(Self { writer_epoch: number(epoch)?, sequence: number(sequence)? })
            })
            .ok_or_else(|| ObjectIdError { text: text.to_owned() })
    }
}

/// What an object holds. Codes and names are part of the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectKind {
    /// Batches of many partitions whose offsets the database assigns after the upload.
    Wal,
    /// Batches of many partitions at known offsets.
    Mixed,
    /// Batches of one partition at known offsets.
    Partition,
}

impl ObjectKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Wal, Self::Mixed, Self::Partition];

    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Wal => 1,
            Self::Mixed => 2,
            Self::Partition => 3,
        }
    }

    pub(crate) fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// The name in paths.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Wal => "wal",
            Self::Mixed => "mixed",
            Self::Partition => "partition",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// An object of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectName {
    /// The cluster's id.
    pub cluster_id: String,
    /// What it holds.
    pub kind: ObjectKind,
    /// Its id.
    pub id: ObjectId,
}

impl ObjectName {
    /// Where the object lies, under the root of the store.
    #[must_use]
    pub fn path(&self) -> Path {
        let spread = self.id.spread();
        let id = self.id.to_string();
        let cluster = cluster_part(&self.cluster_id);
        Path::from_iter([ROOT, cluster.as_str(), self.kind.name(), &spread, &id])
    }

    /// Reads a name of the given cluster back; `None` for everything else.
    #[must_use]
    pub fn parse(cluster_id: &str, path: &Path) -> Option<Self> {
        let mut parts = path.parts();
        let (root, cluster, kind, _spread, id) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let (root, cluster): (&str, &str) = (root.as_ref(), cluster.as_ref());
        if root != ROOT || cluster != cluster_part(cluster_id) {
            return None;
        }
        let name = Self {
            cluster_id: cluster_id.to_owned(),
            kind: ObjectKind::from_name(kind.as_ref())?,
            id: id.as_ref().parse().ok()?,
        };
        // Exactly this, and nothing behind it.
        (name.path() == *path).then_some(name)
    }

    /// The folder of all objects of a cluster.
    #[must_use]
    pub fn folder(cluster_id: &str) -> Path {
        Path::from_iter([PathPart::from(ROOT), PathPart::from(cluster_part(cluster_id))])
    }

    /// What the object's data key is bound to.
    #[must_use]
    pub fn encryption_context(&self) -> EncryptionContext {
        EncryptionContext::new()
            .with(context::CLUSTER, &self.cluster_id)
            .with(context::PURPOSE, context::purpose::OBJECT)
            .with(context::OBJECT, self.id.to_string())
            .with("cadastre:kind", self.kind.name())
            .with(context::FORMAT, FORMAT_VERSION.to_string())
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path().fmt(formatter)
    }
}

/// Cluster ids are mostly URL-safe base64 and stand for themselves; others in hexadecimal, so that no two meet.
fn cluster_part(cluster_id: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if cluster_id.bytes().all(plain) && !cluster_id.starts_with("x-") && !cluster_id.is_empty() {
        return cluster_id.to_owned();
    }
    let digits = cluster_id.bytes().map(|byte| format!("{byte:02x}"));
    format!("x-{}", digits.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(cluster_id: &str) -> ObjectName {
        let id = ObjectId { writer_epoch: 7, sequence: u64::MAX };
        ObjectName { cluster_id: cluster_id.to_owned(), kind: ObjectKind::Mixed, id }
    }

    #[track_caller]
    fn check(cluster_id: &str, folder: &str) {
        let name = name(cluster_id);
        let path = name.path();
        assert!(path.as_ref().starts_with(&format!("data/{folder}/mixed/")), "{path}");
        assert!(path.as_ref().ends_with("/0000000000000007-ffffffffffffffff"), "{path}");
        assert_eq!(ObjectName::parse(cluster_id, &path), Some(name));
        assert_eq!(ObjectName::parse("other", &path), None);
    }

    #[test]
    fn names_read_back_and_tell_clusters_apart() {
        check("Some-Cluster_1", "Some-Cluster_1");
        check("a/../b", "x-612f2e2e2f62");
        check("x-00", "x-782d3030");
        check("ä", "x-c3a4");
    }

    #[test]
    fn what_is_not_exactly_a_name_is_not_one() {
        let path = name("c").path();
        for text in [
            path.as_ref().replace("mixed", "other"),
            path.as_ref().replace("ffff", "FFFF"),
            format!("{path}/more"),
            path.as_ref().replacen("data", "date", 1),
            path.as_ref().replace("0000000000000007", "7"),
            path.as_ref().replace("0000000000000007", "0000000000000008"),
        ] {
            assert_eq!(ObjectName::parse("c", &Path::from(text.as_str())), None, "{text}");
        }
    }

    #[test]
    fn ids_survive_the_way_through_bytes() {
        let id = ObjectId { writer_epoch: 1 << 63, sequence: 3 };
        assert_eq!(ObjectId::from_bytes(id.to_bytes()), id);
        assert_eq!(id.to_string().parse(), Ok(id));
    }
}
