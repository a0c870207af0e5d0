//! `meta.properties`: which cluster and node a log directory belongs to, in Kafka's own format, with a checksum.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::random;

const FILE: &str = "meta.properties";
/// The format of the file; 1 came with KRaft.
const VERSION: &str = "1";
/// The only names in the file. The last one is ours: CRC-32C of all lines before it, in hexadecimal.
const NAMES: [&str; 5] = ["version", "cluster.id", "node.id", "directory.id", CHECKSUM];
const CHECKSUM: &str = "cadastre.checksum";

/// Who a log directory belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClusterIdentity {
    /// 22 characters of URL-safe base64, or whatever an operator chose.
    pub(crate) cluster_id: String,
    /// The broker's id.
    pub(crate) node_id: i32,
}

/// The identity of a log directory cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The file or its directory failed.
    #[error("cannot {action} `{path}`")]
    File {
        /// What was tried.
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file holds something else.
    #[error("`{path}` has no valid {field}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is missing.
        field: &'static str,
    },
    /// The cluster id is not one that fits the file.
    #[error("`{0}` is not a cluster id: expected 1 to 64 characters without spaces")]
    ClusterId(String),
    /// The system has no random bytes.
    #[error("system random source failed")]
    Random,
}

impl ClusterIdentity {
    /// A new cluster's identity; the id is drawn as Kafka draws it unless given.
    pub(crate) fn new(cluster_id: Option<String>, node_id: i32) -> Result<Self, IdentityError> {
        let cluster_id = match cluster_id {
            Some(given) => given,
            None => random_id()?,
        };
        let fits =
            (1..=64).contains(&cluster_id.len()) && cluster_id.chars().all(|each| each.is_ascii_graphic());
        if fits { Ok(Self { cluster_id, node_id }) } else { Err(IdentityError::ClusterId(cluster_id)) }
    }

    /// Reads the identity of `directory`; `None` when it has none yet.
    pub(crate) fn read(directory: &Path) -> Result<Option<Self>, IdentityError> {
        let path = directory.join(FILE);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(IdentityError::File { action: "read", path, source }),
        };
        let malformed = |field| IdentityError::Malformed { path: path.clone(), field };
        let fields = fields(&text).ok_or_else(|| malformed("content"))?;
        let field = |name: &'static str| fields.get(name).copied().ok_or_else(|| malformed(name));
        if field("version")? != VERSION {
            return Err(malformed("version"));
        }
        let cluster_id = field("cluster.id")?.to_owned();
        let node_id = field("node.id")?.parse().map_err(|_number| malformed("node.id"))?;
        let directory_id = URL_SAFE_NO_PAD.decode(field("directory.id")?);
        if !directory_id.is_ok_and(|id| id.len() == 16) {
            return Err(malformed("directory.id"));
        }
        // The first release wrote none.
        if let Some(found) = fields.get(CHECKSUM)
            && text
                .find(CHECKSUM)
                .and_then(|end| text.get(..end))
                .is_none_or(|covered| checksum(covered) != *found)
        {
            return Err(malformed(CHECKSUM));
        }
        Ok(Some(Self { cluster_id, node_id }))
    }

    /// Writes the identity; the file is whole or absent.
    pub(crate) fn write(&self, directory: &Path) -> Result<(), IdentityError> {
        let path = directory.join(FILE);
        let failed = |source| IdentityError::File { action: "write", path: path.clone(), source };
        let temporary = directory.join(format!("{FILE}.tmp"));
        let mut text = format!(
            "version={VERSION}\ncluster.id={}\nnode.id={}\ndirectory.id={}\n",
            self.cluster_id,
            self.node_id,
            random_id()?
        );
        text.push_str(&format!("{CHECKSUM}={}\n", checksum(&text)));
        let mut file = std::fs::File::create(&temporary).map_err(failed)?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
        std::fs::rename(&temporary, &path).map_err(failed)?;
        std::fs::File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed)
    }
}

/// Names and values; nothing when a line is anything else, or a name is unknown or comes twice.
fn fields(text: &str) -> Option<BTreeMap<&str, &str>> {
    let mut fields = BTreeMap::new();
    for line in text.strip_suffix('\n')?.split('\n') {
        let (name, value) = line.split_once('=')?;
        if !NAMES.contains(&name) || fields.insert(name, value).is_some() {
            return None;
        }
    }
    Some(fields)
}

fn checksum(text: &str) -> String {
    format!("{:08x}", crc32c::crc32c(text.as_bytes()))
}

fn random_id() -> Result<String, IdentityError> {
    loop {
        let bytes: [u8; 16] = random::bytes().map_err(|_failed| IdentityError::Random)?;
        let id = URL_SAFE_NO_PAD.encode(bytes);
        // As Kafka does, so that the id can follow an option on a command line.
        if !id.starts_with('-') {
            return Ok(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_reads_back_as_written() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(ClusterIdentity::read(directory.path()).unwrap(), None);
        let identity = ClusterIdentity::new(None, 7).unwrap();
        assert_eq!(identity.cluster_id.len(), 22);
        identity.write(directory.path()).unwrap();
        assert_eq!(ClusterIdentity::read(directory.path()).unwrap(), Some(identity));
        assert!(ClusterIdentity::new(Some("a b".to_owned()), 0).is_err());
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let directory = tempfile::tempdir().unwrap();
        ClusterIdentity::new(None, 7).unwrap().write(directory.path()).unwrap();
        let path = directory.path().join(FILE);
        let sound = std::fs::read(&path).unwrap();
        for bit in 0..sound.len() * 8 {
            let mut altered = sound.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(&path, altered).unwrap();
            let read = ClusterIdentity::read(directory.path());
            assert!(read.is_err(), "bit {} of byte {}: {read:?}", bit % 8, bit / 8);
        }
    }

    #[test]
    fn a_file_of_the_first_release_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let text = "version=1\ncluster.id=a\nnode.id=7\ndirectory.id=AAAAAAAAAAAAAAAAAAAAAA\n";
        std::fs::write(directory.path().join(FILE), text).unwrap();
        let expected = ClusterIdentity { cluster_id: "a".to_owned(), node_id: 7 };
        assert_eq!(ClusterIdentity::read(directory.path()).unwrap(), Some(expected));
    }
}
