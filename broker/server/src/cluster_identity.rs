//! `meta.properties`: which cluster and node a log directory belongs to, in Kafka's own format.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::config::Properties;
use crate::random;

const FILE: &str = "meta.properties";
/// The format of the file; 1 came with KRaft.
const VERSION: &str = "1";

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
        let properties = Properties::parse(&text).map_err(|_syntax| malformed("content"))?;
        let cluster_id = properties.get("cluster.id").ok_or_else(|| malformed("cluster.id"))?.to_owned();
        let node_id =
            properties.get("node.id").and_then(|id| id.parse().ok()).ok_or_else(|| malformed("node.id"))?;
        Ok(Some(Self { cluster_id, node_id }))
    }

    /// Writes the identity; the file is whole or absent.
    pub(crate) fn write(&self, directory: &Path) -> Result<(), IdentityError> {
        let path = directory.join(FILE);
        let failed = |source| IdentityError::File { action: "write", path: path.clone(), source };
        let temporary = directory.join(format!("{FILE}.tmp"));
        let text = format!(
            "version={VERSION}\ncluster.id={}\nnode.id={}\ndirectory.id={}\n",
            self.cluster_id,
            self.node_id,
            random_id()?
        );
        let mut file = std::fs::File::create(&temporary).map_err(failed)?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
        std::fs::rename(&temporary, &path).map_err(failed)?;
        std::fs::File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed)
    }
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
}
